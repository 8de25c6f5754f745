"""What `object watch` returns: every change of an object store, while it goes on in the background."""

from __future__ import annotations

from collections import deque
from typing import Any

from natslab.commands.connect import Line
from natslab.commands.handle import KEPT, Handle
from natslab.commands.kv_watch import when
from natslab.commands.objects import bytes_of
from natslab.commands.pulling import StreamMessage
from natslab.commands.reading import Ordered, Reader, Start
from natslab.commands.results import Message, one_line
from natslab.errors import ClientError
from natslab.servers.direct import Kept
from natslab.servers.jsapi import Api
from natslab.servers.objectstore import ObjectInfo, ObjectStore


class ObjectWatch(Handle):
    """The changes of an object store: `.entries`, each with name, size, deleted."""

    def __init__(self, line: Line, objects: ObjectStore, limit: int) -> None:
        super().__init__(line, "watch", f"object watch {objects.name}", limit)
        self.bucket = objects.name
        self._objects = objects
        self._entries: deque[ObjectInfo] = deque(maxlen=KEPT)

    @property
    def entries(self) -> list[ObjectInfo]:
        """What came so far, in order (at most the newest 100 000)."""
        return list(self._entries)

    async def follow(self) -> None:
        """Begin."""
        start = Start("last_per_subject", (f"$O.{self.bucket}.M.>",))

        async def make(_api: Api) -> Reader:
            return Ordered(self._place, str(self._objects.config["name"]), start)

        await self.read(make)

    async def _got(self, message: Message) -> None:
        assert isinstance(message, StreamMessage)
        kept = Kept(message.subject, message.seq, message.data, message.headers, when(message))
        try:
            entry = self._objects.described(kept)
        except ClientError:
            return  # somebody wrote there what describes no object
        self._entries.append(entry)
        await super()._got(message)

    def _lead(self) -> str:
        return f"{self.what} as {self.name}: {self.count} entr{'y' if self.count == 1 else 'ies'}"

    def _row(self, _message: Message, number: int) -> list[str]:
        entry = self._entries[number - 1 - (self.count - len(self._entries))]
        if entry.deleted:
            return [f"DEL {one_line(entry.name)}", ""]
        return [f"PUT {one_line(entry.name)}", bytes_of(entry)]

    def table(self) -> tuple[list[str], list[list[str]]]:
        """The newest ones."""
        _, rows = super().table()
        return ["#", "Object", "Size"], rows

    def json(self) -> Any:
        """What it does and every entry it keeps."""
        said: dict[str, Any] = super().json()
        del said["messages"]
        return {**said, "bucket": self.bucket, "entries": [e.facts for e in self.entries]}
