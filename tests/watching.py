"""A real server with clients, tape and sources, as a lab has them, for tests of these parts."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any, TypeVar

from natslab.servers.client import Client
from natslab.servers.fleet import Fleet
from natslab.servers.hub import Hub
from natslab.servers.topology import Topology, single
from natslab.sources.acks import Acks
from natslab.sources.advisories import Advisories
from natslab.sources.clients import Clients
from natslab.sources.monitor import Monitor
from natslab.sources.servers import Servers
from natslab.sources.settling import settled
from natslab.sources.streams import Streams
from natslab.sources.trace import Traces
from natslab.tape import event
from natslab.tape.tape import Tape

E = TypeVar("E", bound=event.Base)


@dataclass
class Watched:
    fleet: Fleet
    hub: Hub
    tape: Tape
    clients: Clients
    traces: Traces
    monitor: Monitor
    streams: Streams
    acks: Acks
    advisories: Advisories

    async def connect(self, name: str, server: str | None = None, **options: Any) -> Client:
        return await self.hub.connect(name, self.fleet.login(name=server), **options)

    async def settle(self) -> bool:
        await self.hub.sync()
        complete = await self.traces.settled()
        self.clients.flush()
        return complete

    async def jetstream(self, timeout: float = 3.0) -> bool:
        """Wait until the tape says of streams and consumers what the server reports."""
        await self.settle()
        return await settled(self.fleet, self.monitor, self.streams, self.acks, self.advisories, timeout)

    def all(self, kind: type[E], **fields: object) -> list[E]:
        """The events of that kind with these fields, in order."""
        return [
            e
            for e in self.tape.between(0, self.tape.head)
            if isinstance(e, kind) and all(getattr(e, k) == v for k, v in fields.items())
        ]

    def passed(self, way: str, client: str) -> int:
        """How many messages the tape says passed that client."""
        kind = event.Pub if way == "pub" else event.Recv
        return len(self.all(kind, client=client)) + sum(
            m.count for m in self.all(event.Many, way=way, client=client)
        )


@contextlib.asynccontextmanager
async def watching(
    *, sources: bool = True, topology: Topology | None = None, **options: Any
) -> AsyncIterator[Watched]:
    """On natslab's loop; of one server with `options` as for `single`, or of several."""
    fleet = await Fleet.start(topology or single(**options))
    tape, hub = Tape(), Hub(trace=sources)
    servers, clients, traces = Servers(fleet, hub, tape), Clients(fleet, hub, tape), Traces(fleet, hub, tape)
    monitor = Monitor(fleet, hub, tape)
    acks = Acks(fleet, hub, tape, monitor)
    advisories = Advisories(fleet, hub, tape, acks, monitor)
    streams = Streams(fleet, hub, tape, monitor)
    clients.delivering = (streams.delivering, acks.delivering)
    parts: list[Any] = [servers, clients, traces, acks, advisories, streams, monitor]
    started = []
    try:
        await fleet.ready()
        if sources:
            for part in parts:
                await part.start()
                started.append(part)
        watched = Watched(fleet, hub, tape, clients, traces, monitor, streams, acks, advisories)
        if sources:
            await watched.monitor.poll()
        yield watched
    finally:
        for part in reversed(started):
            await part.stop()
        await hub.close()
        await fleet.stop()
        tape.close()
