"""What `kv watch` returns: every change of a bucket, while it goes on in the background."""

from __future__ import annotations

import datetime
from collections import deque
from typing import Any

from natslab.commands.connect import Line
from natslab.commands.entries import facts, shown
from natslab.commands.handle import KEPT, Handle
from natslab.commands.pulling import StreamMessage
from natslab.commands.reading import Ordered, Reader, Start
from natslab.commands.results import Message
from natslab.servers.direct import Kept
from natslab.servers.jsapi import Api
from natslab.servers.keyvalue import PUT, Entry, KeyValue


class Watch(Handle):
    """The changes of a bucket: `.entries`, each with key, value, revision, operation."""

    def __init__(self, line: Line, kv: KeyValue, key: str, limit: int, deletes: bool) -> None:
        super().__init__(line, "watch", f"kv watch {kv.name}" + (f" {key}" if key != ">" else ""), limit)
        self.bucket = kv.name
        self._prefix = kv.prefix
        self._stream = str(kv.config["name"])
        self._key = key
        self._deletes = deletes
        self._entries: deque[Entry] = deque(maxlen=KEPT)

    @property
    def entries(self) -> list[Entry]:
        """What came so far, in order (at most the newest 100 000)."""
        return list(self._entries)

    async def follow(self, policy: str, revision: int = 0) -> None:
        """Begin: `policy` is a consumer's deliver policy; with `revision`, from that one on."""
        start = Start("by_start_sequence" if revision else policy, (self._prefix + self._key,))
        if revision:
            start.more["opt_start_seq"] = revision

        async def make(_api: Api) -> Reader:
            return Ordered(self._place, self._stream, start)

        await self.read(make)

    async def _got(self, message: Message) -> None:
        assert isinstance(message, StreamMessage)
        entry = Entry(
            self.bucket,
            message.subject.removeprefix(self._prefix),
            Kept(message.subject, message.seq, message.data, message.headers, when(message), message.pending),
        )
        if entry.operation == PUT or self._deletes:
            self._entries.append(entry)
            await super()._got(message)

    def _lead(self) -> str:
        return f"{self.what} as {self.name}: {self.count} entr{'y' if self.count == 1 else 'ies'}"

    def _row(self, _message: Message, number: int) -> list[str]:
        entry = self._entries[number - 1 - (self.count - len(self._entries))]
        said = f"revision {entry.revision}"
        if entry.operation == PUT:
            said += f": {shown(entry, 200)}"
        return [f"{entry.operation} {entry.key}", said]

    def table(self) -> tuple[list[str], list[list[str]]]:
        """The newest ones."""
        _, rows = super().table()
        return ["#", "Key", "Value"], rows

    def json(self) -> Any:
        """What it does and every entry it keeps."""
        said: dict[str, Any] = super().json()
        del said["messages"]
        return {**said, "bucket": self.bucket, "entries": [facts(e) for e in self.entries]}


def when(message: StreamMessage) -> datetime.datetime:
    """When a message that was delivered was stored."""
    # The reply subject of a delivery says when the message was stored, in nanoseconds.
    tokens = message.reply.split(".")
    return datetime.datetime.fromtimestamp(int(tokens[-2]) / 1e9, datetime.UTC)
