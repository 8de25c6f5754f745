"""The RAFT messages of three servers on a tape: how many, how soon, and what that costs.

An independent listener on `$NRG.>` of each server, on an event loop of its own, notes when each vote request
and each append reached that server. The n-th of one group from one server to another is on the tape as soon
as the tape's exact counts reach n.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import defaultdict
from typing import Any

import nats
import nats.errors
import nats.js.errors
from nats.aio.client import Client

import natslab
from natslab.loop import loop
from natslab.servers.fleet import Fleet
from natslab.servers.hub import Hub
from natslab.servers.supervisor import supervisor
from natslab.servers.topology import cluster
from natslab.sources.monitor import Monitor
from natslab.sources.raft import RaftWire
from natslab.sources.raftwire import Append, Vote, decode, peer_id
from natslab.tape.event import Leader, Raft
from natslab.tape.tape import Tape
from tests.benchmarks import browserless
from tests.benchmarks.cluster import rate, stored
from tests.benchmarks.measure import Row, at_least, interleaved, middle, ratio

SERVERS = 3
SOON = 0.25  # seconds
KILLS = 3
SINGLE = 200
BURST = 3_000
REPEATS = 9
PAYLOAD = b"a payload of 32 bytes, or so ..."

_Way = tuple[str, str, str, str]  # group, what, from, to


class Watched:
    """A cluster with the source, or without it, on natslab's loop."""

    def __init__(self, *, wires: bool, watch: bool) -> None:
        self.fleet = loop().run(Fleet.start(cluster(SERVERS, wires=wires)))
        self.tape = Tape()
        hub = Hub(trace=False)
        self.raft = RaftWire(self.fleet, hub, self.tape, Monitor(self.fleet, hub, self.tape))
        self.watch = watch
        #: When the tape's count of messages of a kind grew, and to what.
        self.told: dict[_Way, list[tuple[float, int]]] = defaultdict(list)
        if watch:
            loop().run(self.raft.start())
            self.tape.listen(self._told)
        loop().run(self.fleet.ready())

    def _told(self) -> None:
        now = time.time()
        (event,) = self.tape.between(self.tape.head - 1, self.tape.head)
        if isinstance(event, Raft) and event.what in ("vote", "append"):
            steps = self.told[event.group, event.what, event.a, event.b]
            steps.append((now, (steps[-1][1] if steps else 0) + event.count))

    def stop(self) -> None:
        """End it."""
        if self.watch:
            loop().run(self.raft.stop())
        loop().run(self.fleet.stop())
        self.tape.close()


async def _make(client: Client, name: str) -> str:
    """A stream of three replicas; returns its leader."""
    js = client.jetstream(timeout=2)
    for _ in range(100):
        with contextlib.suppress(nats.js.errors.Error, nats.errors.Error):
            info = await js.add_stream(name=name, subjects=[f"{name}.>"], num_replicas=SERVERS)
            return str(info.cluster.leader if info.cluster else "")
        await asyncio.sleep(0.1)
    raise RuntimeError("the cluster makes no stream")


async def _heard(lab: Watched, at: dict[_Way, list[float]]) -> list[Client]:
    """Listen on every server to what reaches it."""
    names = {peer_id(name): name for name in lab.fleet.servers}
    clients = []
    for server in lab.fleet.servers:
        login = lab.fleet.login("sys", server)
        client = await nats.connect(**login, allow_reconnect=False, error_cb=_quiet)
        clients.append(client)

        async def hear(msg: Any, server: str = server) -> None:
            now = time.time()
            said = decode(msg.subject, msg.data)
            if isinstance(said, Vote):
                way = (msg.subject.split(".", 2)[2], "vote", names[said.candidate], server)
            elif isinstance(said, Append) and msg.subject.startswith("$NRG.AE."):
                way = (msg.subject.split(".", 2)[2], "append", names[said.leader], server)
            else:
                return
            if way[2] != server:
                at[way].append(now)

        await client.subscribe("$NRG.>", cb=hear, pending_msgs_limit=-1, pending_bytes_limit=-1)
        for _ in range(2):
            await client.flush()
    return clients


async def _quiet(_: Exception) -> None:
    pass


async def _evidence(lab: Watched) -> tuple[dict[_Way, list[float]], list[bool], list[float]]:
    """Publishes, a burst, step-downs and killed leaders; who was killed is told in the right order?"""
    at: dict[_Way, list[float]] = defaultdict(list)
    listening = await _heard(lab, at)
    client = await nats.connect(**lab.fleet.login(), error_cb=_quiet)
    await _make(client, "E")
    js = client.jetstream(timeout=2, publish_async_max_pending=1_000)
    for _ in range(SINGLE):
        await js.publish("E.a", PAYLOAD)
    for _ in range(BURST):
        await js.publish_async("E.a", PAYLOAD, wait_stall=30)
    await js.publish_async_completed()
    for _ in range(3):
        await client.request("$JS.API.STREAM.LEADER.STEPDOWN.E", timeout=2)
        await asyncio.sleep(0.5)
    await asyncio.sleep(2)
    heard = {way: list(times) for way, times in at.items()}
    group = next(way[0] for way in at if way[0].startswith("S-"))
    ordered, took = [], []
    for _ in range(KILLS):
        old = lab.raft.talk.groups[group].leader
        head, when = lab.tape.head, time.monotonic()
        loop().run(lab.fleet.servers[old].kill())
        while lab.raft.talk.groups[group].leader in (old, ""):
            await asyncio.sleep(0.01)
        took.append(time.monotonic() - when)
        events = [e for e in lab.tape.between(head, lab.tape.head) if getattr(e, "group", "") == group]
        kinds = [
            "leader" if isinstance(e, Leader) else e.what
            for e in events
            if (isinstance(e, Leader) and e.leader) or (isinstance(e, Raft) and e.a != old and e.b != old)
        ]
        kinds = [kind for kind in kinds if kind != "appended"]
        ordered.append(kinds[:4] == ["vote", "voted", "append", "leader"])
        loop().run(lab.fleet.servers[old].start())
        await asyncio.sleep(3)
    for one in (*listening, client):
        await one.close()
    return heard, ordered, took


def _late(heard: dict[_Way, list[float]], told: dict[_Way, list[tuple[float, int]]]) -> list[float]:
    """How long after it reached the server each message was on the tape; infinite for never."""
    late = []
    for way, times in heard.items():
        steps, i = told[way], 0
        for n, when in enumerate(times, 1):
            while i < len(steps) and steps[i][1] < n:
                i += 1
            late.append(steps[i][0] - when if i < len(steps) else float("inf"))
    return late


def _with_the_view() -> Row:
    """Publishes with the picture open, every frame encoded as for a browser, against the same lab without."""
    browserless.install()
    with natslab.Lab.up(servers=SERVERS) as lab:

        def closed() -> float:
            return rate(lab.fleet, stored)

        def shown() -> float:
            window = browserless.Window(lab.view("raft", "BENCH"))
            try:
                return rate(lab.fleet, stored)
            finally:
                window.close()

        closed()  # the first run warms everything up
        rates = interleaved(REPEATS, shown=shown, closed=closed)
    return at_least(
        "publishes stored three times, RAFT view open or closed",
        ratio(rates["shown"], rates["closed"]),
        0.8,
        ours=f"{middle(rates['shown']):,.0f}/s",
        bare=f"{middle(rates['closed']):,.0f}/s",
        samples=rates,
    )


def run() -> list[Row]:
    """Measure."""
    supervisor()
    rows = [_with_the_view()]
    for by in ("wires", "system account"):
        lab = Watched(wires=by == "wires", watch=True)
        try:
            heard, ordered, took = asyncio.run(_evidence(lab))
            late = _late(heard, lab.told)
        finally:
            lab.stop()
        soon = sum(one <= SOON for one in late)
        there = sorted(one for one in late if one != float("inf"))
        rows += [
            at_least(
                f"votes and appends on the tape within {SOON * 1000:.0f} ms, by {by}",
                100 * soon / len(late),
                99.0,
                "%",
                ours=f"{len(late):,} messages",
                note=f"half within {1000 * middle(there):.1f} ms, all within {1000 * there[-1]:.0f} ms",
                samples={"seconds": there[:: max(1, len(there) // 200)]},
            ),
            at_least(
                f"killed leader: votes, then appends, then who leads, by {by}",
                100 * sum(ordered) / len(ordered),
                100.0,
                "%",
                ours=f"{len(ordered)} times",
                note=f"a new leader after {min(took):.1f} to {max(took):.1f} s",
            ),
        ]
    told, untold = Watched(wires=True, watch=True), Watched(wires=True, watch=False)
    try:
        rates = interleaved(
            REPEATS,
            told=lambda: rate(told.fleet, stored),
            untold=lambda: rate(untold.fleet, stored),
        )
    finally:
        told.stop()
        untold.stop()
    rows.append(
        at_least(
            "publishes stored three times, RAFT on the tape or not",
            ratio(rates["told"], rates["untold"]),
            0.9,
            ours=f"{middle(rates['told']):,.0f}/s",
            bare=f"{middle(rates['untold']):,.0f}/s",
            samples=rates,
        )
    )
    return rows
