"""What servers and JetStream tell unasked: connections, refused logins, advisories, metrics."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from typing import Any

from nats.aio.client import Client
from nats.aio.msg import Msg

from natslab.commands import trouble
from natslab.commands.connect import Line, error_after
from natslab.commands.handle import Handle, next_name, sync
from natslab.commands.results import Message, one_line
from natslab.errors import CommandError

_SERVER = ("$SYS.ACCOUNT.*.CONNECT", "$SYS.ACCOUNT.*.DISCONNECT", "$SYS.SERVER.*.CLIENT.AUTH.ERR")
_WORDS = {
    "io.nats.server.advisory.v1.client_connect": "connected",
    "io.nats.server.advisory.v1.client_disconnect": "disconnected",
}


class Events(Handle):
    """Events as they come; each message's payload is the event's JSON."""

    def __init__(self, line: Line, flags: dict[str, Any], pattern: re.Pattern[str]) -> None:
        super().__init__(line, "events", "events", flags["count"] or 0)
        self._flags = flags
        self._pattern = pattern
        self._undo: list[Any] = []

    async def listen(self) -> None:
        """Subscribe to what the flags choose, and wait until the servers know it."""
        line, flags = self._place, self._flags
        prefix = (line.js_event_prefix or "$JS.EVENT").rstrip(".")
        account: list[str] = []
        if flags["js_advisory"] or flags["all"]:
            account.append(f"{prefix}.ADVISORY.>")
        if flags["js_metric"] or flags["all"]:
            account.append(f"{prefix}.METRIC.>")
        system = list(_SERVER) if flags["srv_advisory"] or flags["all"] else []
        extra = list(flags["subjects"])
        if not (account or system or extra):
            raise CommandError(
                "No events were chosen.", "Choose some: --js-advisory, --js-metric, --srv-advisory or --all"
            )
        self.name = line.name(next_name("events"))
        try:
            if line.elsewhere:
                self._client = await line.open(self.name)
                await self._on(self._client, [*system, *account, *extra], str)
            else:
                line.alive()
                fleet = line.lab.fleet
                # natslab's own connections hear these, so that listening adds no connection to be told of.
                if system:
                    await self._on(await fleet.system(), system, str)
                if account:
                    watcher = await fleet.watcher()
                    await self._on(watcher, [f"A.{s}" for s in account], lambda s: s.removeprefix("A."))
                if extra:
                    self._client = await line.open(self.name)
                    await self._on(self._client, extra, str)
        except BaseException:
            await asyncio.shield(self.finish("it could not begin"))
            raise
        self.register()

    async def _on(self, client: Client, subjects: list[str], shown: Callable[[str], str]) -> None:
        async def heard(msg: Msg) -> None:
            if not self.ended and self._pattern.search(msg.data.decode("utf-8", "replace")):
                await self._got(Message(shown(msg.subject), msg.data, pattern=msg.subject))

        before = client.last_error
        for subject in subjects:
            self._undo.append(await client.subscribe(subject, cb=heard))
        async with asyncio.timeout(self._place.timeout):
            await sync(client)
        if (error := error_after(client, before)) is not None:
            raise trouble.sentence(error, doing="events", where=self._place.where)

    async def finish(self, why: str) -> None:
        """End it, on natslab's loop."""
        undo, self._undo = self._undo, []
        for sub in undo:
            try:
                async with asyncio.timeout(1.0):
                    await sub.unsubscribe()
            except Exception:  # its connection is gone, and the subscription with it
                continue
        await super().finish(why)

    @property
    def events(self) -> list[dict[str, Any]]:
        """The events, decoded."""
        out = []
        for message in self.messages:
            try:
                out.append(message.json())
            except ValueError:
                out.append({"data": message.text})
        return out

    def _lead(self) -> str:
        return f"events: {self.count} event{'s' if self.count != 1 else ''}"

    def _row(self, message: Message, _number: int) -> list[str]:
        try:
            event = message.json()
        except ValueError:
            event = {}
        if not isinstance(event, dict):
            event = {}
        kind = str(event.get("type", ""))
        client = event.get("client") or {}
        if message.subject.endswith(".CLIENT.AUTH.ERR"):
            what = "login refused"
        else:
            what = _WORDS.get(kind, kind.rsplit(".", 1)[-1].replace("_", " ") or one_line(message.subject))
        who = [str(client.get("name") or "a client without a name")] if client else []
        about = [
            f"{k} {event[k]}"
            for k in ("stream", "consumer", "action", "stream_seq", "reason")
            if event.get(k)
        ]
        if client.get("acc"):
            about.append(f"account {client['acc']}")
        return [one_line(what), one_line(", ".join([*who, *about]))]

    def json(self) -> Any:
        """Every event."""
        return self.events
