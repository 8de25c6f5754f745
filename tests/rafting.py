"""A real cluster whose RAFT messages are on a tape, for tests of that."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar

import nats.errors
import nats.js.errors
from nats.js import JetStreamContext

from natslab.errors import NatslabError
from natslab.servers.client import Client
from natslab.servers.fleet import Fleet
from natslab.servers.hub import Hub
from natslab.servers.topology import Topology, cluster
from natslab.sources.monitor import Monitor
from natslab.sources.raft import RaftWire
from natslab.tape import event
from natslab.tape.event import Leader, Quorum, Raft, Snap
from natslab.tape.tape import Tape

E = TypeVar("E", bound=event.Base)


@dataclass
class Raftlab:
    fleet: Fleet
    hub: Hub
    tape: Tape
    monitor: Monitor
    raft: RaftWire
    clients: dict[str, Client] = field(default_factory=dict)

    async def client(self, name: str = "app") -> Client:
        if name not in self.clients:
            self.clients[name] = await self.hub.connect(name, self.fleet.login())
        return self.clients[name]

    async def js(self, name: str = "app") -> JetStreamContext:
        return (await self.client(name)).jetstream(timeout=10)

    async def make(self, name: str, **more: Any) -> None:
        """Make a stream of three replicas. A new cluster may not be ready for it."""
        js = await self.js()
        for _ in range(30):
            with contextlib.suppress(nats.errors.TimeoutError, nats.js.errors.APIError):
                await js.add_stream(name=name, subjects=[f"{name}.>"], num_replicas=3, **more)
                return
            await asyncio.sleep(0.2)

    async def stream(self, name: str = "S", **more: Any) -> str:
        """Make a stream; returns its group, which has a leader."""
        await self.make(name, **more)
        await self.until(lambda: self.group(name) and self.leader(self.group(name)))
        return self.group(name)

    async def publish(self, subject: str, data: bytes) -> None:
        """Publish into a stream, again until it is stored: its leader may be away."""
        js = await self.js()
        for _ in range(60):
            with contextlib.suppress(nats.errors.Error, nats.js.errors.Error):
                await js.publish(subject, data, timeout=1)
                return
            await asyncio.sleep(0.2)

    def group(self, stream: str, consumer: str = "") -> str:
        found = [
            s.data
            for s in self.all(Snap, what="group")
            if (s.data.get("stream"), s.data.get("consumer")) == (stream, consumer)
        ]
        return str(found[-1]["group"]) if found else ""

    def all(self, kind: type[E], since: int = 0, **fields: object) -> list[E]:
        """The events of that kind with these fields, in order, after the event `since`."""
        return [
            e
            for e in self.tape.between(since, self.tape.head)
            if isinstance(e, kind) and all(getattr(e, k) == v for k, v in fields.items())
        ]

    def leader(self, group: str) -> str:
        known = self.raft.talk.groups.get(group)
        return known.leader if known else ""

    async def until(self, true: Callable[[], Any], seconds: float = 20.0) -> None:
        end = time.monotonic() + seconds
        while not true():
            assert time.monotonic() < end, "it did not happen"
            await asyncio.sleep(0.01)

    async def rest(self) -> None:
        """Wait until nothing but heartbeats is under way."""
        await asyncio.sleep(0.3)
        self.raft.flush()
        await self.raft.poll()


def folded(events: list[Any], group: str) -> dict[str, dict[str, Any]]:
    """What each server must say of a group, by nothing but the messages on the tape."""
    servers: dict[str, dict[str, Any]] = {}

    def of(name: str) -> dict[str, Any]:
        return servers.setdefault(name, {"term": 0, "leader": "", "pindex": 0, "committed": 0})

    for e in events:
        if isinstance(e, Leader) and e.group == group and e.leader:
            leader = e
        if not isinstance(e, Raft) or e.group != group or e.lost:
            continue
        a, b = of(e.a), of(e.b)
        if e.what in ("vote", "append", "catchup"):
            a["term"] = max(a["term"], e.term)
            b["term"] = max(b["term"], e.term)
        if e.what == "append" and e.term >= b["term"]:
            last = e.index + (1 if e.entries else 0)
            a["leader"] = b["leader"] = e.a
            a["pindex"], a["committed"] = last, max(a["committed"], e.commit)
            b["committed"] = max(b["committed"], e.commit)
        if e.what == "appended" and e.ok:
            a["pindex"] = max(e.index, a["pindex"] if a["leader"] != e.a else 0)
    assert leader.leader in servers
    return servers


@contextlib.asynccontextmanager
async def rafting(topology: Topology | None = None, *, watch: bool = True) -> AsyncIterator[Raftlab]:
    """On natslab's loop."""
    fleet = await Fleet.start(topology or cluster(3))
    tape, hub = Tape(), Hub(trace=False)
    monitor = Monitor(fleet, hub, tape)
    raft = RaftWire(fleet, hub, tape, monitor)
    try:
        if watch:
            await raft.start()
        await fleet.ready()
        yield Raftlab(fleet, hub, tape, monitor, raft)
    finally:
        if watch:
            await raft.stop()
        await hub.close()
        await fleet.stop()
        tape.close()


__all__ = ["Leader", "NatslabError", "Quorum", "Raft", "Raftlab", "folded", "rafting"]
