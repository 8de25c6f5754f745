"""What the servers say to each other, cut into messages by their sizes: payloads may hold anything."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from natslab.servers.link import Link


@dataclass(slots=True)
class Frame:
    """One message on its way from server `src` to server `dst`.

    `account` is "" on a leafnode's connection, which belongs to one. `header` is as on the wire, with
    its first line; `size` is bytes of header and payload. `at` is time.time() when it came into the
    link, whose `state` at that moment says whether it goes on.
    """

    link: Link
    src: str
    dst: str
    verb: str  # RMSG, HMSG or LMSG
    account: str
    subject: str
    reply: str
    header: bytes
    payload: bytes
    size: int
    at: float


class Framer:
    """Cuts one direction of a connection; `made` gets the parts of a line and what follows it.

    While nobody listens messages are stepped over and counted, and nothing is kept of them.
    """

    __slots__ = ("_have", "_made", "_need", "_parts", "_skip", "messages")

    def __init__(self, made: Callable[[list[bytes], bytes], None]) -> None:
        self.messages = 0
        self._made = made
        self._parts: list[bytes] = []  # a message or line that is not complete
        self._have = 0
        self._need = 0  # bytes until it is, where its line is known
        self._skip = 0  # bytes of a message that nobody wants

    def feed(self, data: bytes, heard: bool) -> None:
        """The next bytes; `heard`: whether somebody wants the messages."""
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
            if heard:
                if stop > length:
                    self._keep(data[pos:], stop - pos)
                    return
                self.messages += 1
                self._made(data[pos:end].split(b" "), data[end + 2 : stop - 2])
            elif stop > length:
                self._skip = stop - length
                return
            else:
                self.messages += 1
            pos = stop

    def _keep(self, rest: bytes, need: int) -> None:
        self._parts.append(rest)
        self._have = len(rest)
        self._need = need


def read(link: Link, src: str, dst: str, line: list[bytes], body: bytes, at: float) -> Frame:
    """The frame that a line (its words) and what follows it are."""
    verb = line[0].decode()
    words = [word.decode("utf-8", "replace") for word in line[1:]]
    inside = link.type != "leafnode"
    words.pop()  # the size
    # On a route LMSG is a leafnode's message: it says of which cluster, and its header may have 0 bytes.
    split = int(words.pop()) if verb == "HMSG" or (verb == "LMSG" and inside) else 0
    if verb == "LMSG" and inside:
        words.pop(0)
    account = words.pop(0) if inside else ""
    subject, reply = words[0], ""
    if len(words) > 1:
        # SUBJECT REPLY, or with queue groups: SUBJECT + REPLY QUEUE..., SUBJECT | QUEUE...
        reply = words[2] if words[1] == "+" else "" if words[1] == "|" else words[1]
    return Frame(link, src, dst, verb, account, subject, reply, body[:split], body[split:], len(body), at)
