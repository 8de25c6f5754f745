"""What the servers say to each other, cut into messages by their sizes: payloads may hold anything."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from natslab.servers.link import Link

#: What a listener may want: every message.
ALL = b""


def account(name: str) -> bytes:
    """What a listener may want: messages of one account, on a route or gateway."""
    return f"{name} ".encode()


class Frame:
    """One message on its way from server `src` to server `dst`.

    `verb` is RMSG, HMSG or LMSG, `account` "" on a leafnode's connection, which belongs to one; `reply` is
    where an answer goes, or ""; `header` is as on the wire, with its first line, or empty. `at` is
    time.time() when it came into the link, whose `state` at that moment says whether it goes on.

    Raises ValueError for what is no message between servers.
    """

    __slots__ = ("account", "at", "dst", "header", "link", "payload", "reply", "src", "subject", "verb")

    def __init__(self, link: Link, src: str, dst: str, line: bytes, body: bytes, at: float) -> None:
        self.link = link
        self.src = src
        self.dst = dst
        self.at = at
        self.verb, *words = line.decode("utf-8", "replace").split(" ")
        inside = link.type != "leafnode"
        # On a route LMSG is a leafnode's message: it says of which cluster, and its header may have 0 bytes.
        far = self.verb == "LMSG" and inside
        try:
            words.pop()  # the size
            split = int(words.pop()) if self.verb == "HMSG" or far else 0
            if far:
                words.pop(0)
            self.account = words.pop(0) if inside else ""
            self.subject, self.reply = words[0], ""
            if len(words) > 1:
                # SUBJECT REPLY, or with queue groups: SUBJECT + REPLY QUEUE..., SUBJECT | QUEUE...
                self.reply = words[2] if words[1] == "+" else "" if words[1] == "|" else words[1]
        except IndexError:
            raise ValueError("a line that lacks words") from None
        self.header, self.payload = body[:split], body[split:]

    def __repr__(self) -> str:
        return f"<Frame {self.src} to {self.dst}: {self.verb} {self.subject}>"

    @property
    def size(self) -> int:
        """Bytes of header and payload."""
        return len(self.header) + len(self.payload)


class Framer:
    """Cuts one direction of a connection. What nobody wants is stepped over and counted, and nothing kept."""

    __slots__ = ("_have", "_need", "_parts", "_skip", "messages")

    def __init__(self) -> None:
        self.messages = 0  # so far, whole ones
        self._parts: list[bytes] = []  # a message or line that is not complete
        self._have = 0
        self._need = 0  # bytes until it is, where its line is known
        self._skip = 0  # bytes of a message that nobody wants

    def feed(self, data: bytes, wanted: tuple[bytes, ...], made: Callable[[bytes, bytes], None]) -> None:
        """The next bytes; `made(line, body)` gets each message that is `wanted`.

        Raises ValueError for what is no protocol between servers; nothing can be cut after it.
        """
        pos = 0
        if self._skip:
            if len(data) < self._skip:
                self._skip -= len(data)
                return
            pos, self._skip = self._skip, 0
            self.messages += 1
        if self._parts:
            self._parts.append(data)
            self._have += len(data)
            if self._have < self._need:
                return
            data = b"".join(self._parts)
            self._parts.clear()
            self._have = self._need = 0
        length = len(data)
        find, rfind, starts = data.find, data.rfind, data.startswith
        while pos < length:
            end = find(b"\r\n", pos)
            if end < 0:
                self._keep(data[pos:], 0)
                return
            if not starts(b"MSG ", pos + 1):  # INFO, CONNECT, PING, RS+ ...
                pos = end + 2
                continue
            stop = end + 4 + int(data[rfind(b" ", pos, end) + 1 : end])
            if stop < end:
                raise ValueError("a size below nothing")
            if stop > length:
                if starts(wanted, pos + 5):
                    self._keep(data[pos:], stop - pos)
                else:
                    self._skip = stop - length
                return
            self.messages += 1
            if starts(wanted, pos + 5):
                made(data[pos:end], data[end + 2 : stop - 2])
            pos = stop

    def _keep(self, rest: bytes, need: int) -> None:
        self._parts.append(rest)
        self._have = len(rest)
        self._need = need
