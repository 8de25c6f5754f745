"""What `subscribe` returns, with the flags that say what to keep and how to show it."""

from __future__ import annotations

import base64
import json
import time
from pathlib import Path
from typing import Any

from nats.aio.client import Client
from nats.aio.msg import Msg

from natslab.commands import external
from natslab.commands.connect import Line
from natslab.commands.handle import Handle
from natslab.commands.pulling import StreamMessage
from natslab.commands.results import Message, one_line, plain, with_headers
from natslab.errors import CommandError, NatslabError
from natslab.servers.disk import folder


class Subscribed(Handle):
    """The messages of a subscription."""

    def __init__(self, line: Line, what: str, limit: int, flags: dict[str, Any]) -> None:
        super().__init__(line, "sub", what, limit)
        self.errors: list[NatslabError] = []
        self.replies: dict[int, Message] = {}  # with --match-replies: number of the request -> its answer
        self._flags = flags
        self._program = external.Program(flags["translate"]) if flags["translate"] else None
        self._awaited: dict[str, int] = {}
        self._began = time.time()
        self._dump: Path | None = flags["dump"]
        if self._dump is not None:
            if str(self._dump) == "-":
                raise CommandError(
                    "There is no standard output behind the magic.", "Name a folder: --dump FOLDER"
                )
            folder(self._dump)

    def _server_limit(self, subjects: list[str]) -> bool:
        # Ignored messages do not count, and only the client knows which they are.
        return len(subjects) == 1 and not self._flags["ignore_subject"]

    async def _more(self, client: Client) -> None:
        if self._flags["match_replies"]:
            prefix = bytes(client._inbox_prefix).decode()

            async def answered(msg: Msg) -> None:
                number = self._awaited.pop(msg.subject, None)
                if number is not None:
                    self.replies[number] = Message(
                        msg.subject, msg.data, dict(msg.headers or {}), at=time.time()
                    )

            await client.subscribe(f"{prefix}.>", cb=answered)

    async def _got(self, message: Message) -> None:
        if any(_collide(message.subject, s) for s in self._flags["ignore_subject"]):
            return
        if self._flags["ack"] and message.reply.startswith("$JS.ACK.") and self._client is not None:
            await self._client.publish(message.reply, b"")
        if self._program is not None:
            try:
                _, message.data = await self._program.run(message.subject, message.data, stdin=message.data)
            except NatslabError as e:
                self.errors.append(e)
        if self._flags["match_replies"] and message.reply:
            self._awaited[message.reply] = self.count + 1
        if self._dump is not None:
            self._write(self._dump / f"{self.count + 1}.json", message)
        await super()._got(message)

    def _write(self, path: Path, message: Message) -> None:
        facts = {
            "Subject": message.subject,
            "Reply": message.reply,
            "Header": {k: [v] for k, v in message.headers.items()} or None,
            "Data": base64.b64encode(message.data).decode(),
        }
        try:
            path.write_text(json.dumps(facts), encoding="utf-8")
        except OSError as e:
            self.errors.append(
                CommandError(f"{path} cannot be written: {e.strerror}.", "Name another folder.")
            )

    def text(self) -> str:
        """As the flags say; with --raw the payloads and nothing else."""
        if self._flags["raw"]:
            return "\n".join(plain(m.text) for m in self.messages)
        return super().text()

    def _row(self, message: Message, number: int) -> list[str]:
        flags = self._flags
        subject = one_line(message.subject)
        if isinstance(message, StreamMessage):
            subject = f"[{message.seq}] {subject}"
        if flags["timestamp"]:
            subject = f"{time.strftime('%H:%M:%S', time.localtime(message.at))} {subject}"
        elif flags["delta_time"]:
            at = number - 2 - (self.count - len(self._messages))
            before = self._messages[at].at if at >= 0 else self._began
            subject = f"{message.at - before:.6f}s {subject}"
        if flags["subjects_only"]:
            shown = ""
        elif flags["headers_only"]:
            shown = ", ".join(one_line(f"{k}: {v}", 80) for k, v in message.headers.items())
        else:
            shown = with_headers(message)
        if self._place.trace_on and message.reply:
            shown += f"  <<< reply subject {one_line(message.reply)}"
        if number in self.replies:
            shown += f" → {with_headers(self.replies[number])}"
        return [subject, shown]


def _collide(subject: str, pattern: str) -> bool:
    """Whether the pattern, with its wildcards, matches the subject."""
    parts, wanted = subject.split("."), pattern.split(".")
    for i, token in enumerate(wanted):
        if token == ">":
            return len(parts) > i
        if i >= len(parts) or token not in ("*", parts[i]):
            return False
    return len(parts) == len(wanted)
