"""Three servers whose routes go through watched wires, against three that are joined directly.

Until it is ready: from the start to the first message stored three times; bare are nats-servers started by
hand, all at once, with ports given before. Then messages from a client of one server: stored in a stream
that another leads, and to a subscriber at another.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import subprocess
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import nats
import nats.errors
import nats.js.errors
from nats.aio.client import Client

from natslab.loop import loop
from natslab.servers import binary
from natslab.servers.config import SYS, Logins
from natslab.servers.fleet import Fleet
from natslab.servers.framing import account
from natslab.servers.supervisor import supervisor
from natslab.servers.topology import WireType, cluster
from tests.benchmarks.measure import Row, at_least, at_most, interleaved, middle, ratio

SERVERS = 3
STARTS = 9
REPEATS = 9
STORED = (
    15_000  # on two processors the rate of one second is often twice that of the next, with or without wires
)
CORE = 50_000
PAYLOAD = b"a payload of 32 bytes, or so ..."


async def _store(client: Client) -> None:
    """Make a stream of three replicas and store a message in it, trying until it is possible."""
    js = client.jetstream(timeout=1)
    end = time.monotonic() + 60
    while True:
        try:
            await js.add_stream(name="FIRST", subjects=["first"], num_replicas=SERVERS)
            await js.publish("first", b"x", timeout=1)
            return
        except (nats.js.errors.Error, nats.errors.Error):
            if time.monotonic() > end:
                raise
            await asyncio.sleep(0.01)


def _bare_start() -> float:
    """Milliseconds with servers started by hand."""
    ports: dict[str, int] = {}
    with contextlib.ExitStack() as probes:
        for name in ("n1", "n2", "n3"):
            probe = probes.enter_context(socket.socket())
            probe.bind(("127.0.0.1", 0))
            ports[name] = probe.getsockname()[1]

    def dial(type: WireType, a: str, b: str) -> int:
        return ports[b]

    with tempfile.TemporaryDirectory() as at, contextlib.ExitStack() as servers:
        folder, logins = Path(at), Logins.fresh()
        for name, config in cluster(SERVERS, wires=False).configs(logins, folder, None, dial).items():
            (folder / name).mkdir()
            (folder / name / "conf").write_text(config.text())
        began = time.perf_counter()
        started = []
        for name in ports:
            server = subprocess.Popen(
                [
                    str(binary.find()),
                    "-c",
                    str(folder / name / "conf"),
                    "--ports_file_dir",
                    str(folder / name),
                ],
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
            servers.callback(server.wait)
            servers.callback(server.kill)
            started.append(server)
        urls = [_url(server, folder / name) for name, server in zip(ports, started, strict=True)]

        async def first() -> None:
            client = await nats.connect(servers=urls, user="app", password=logins.app)
            await _store(client)
            await client.close()

        asyncio.run(first())
        return (time.perf_counter() - began) * 1000


def _url(server: subprocess.Popen[bytes], folder: Path) -> str:
    ports = folder / f"nats-server_{server.pid}.ports"
    while server.poll() is None:
        with contextlib.suppress(OSError, ValueError):
            return str(json.loads(ports.read_bytes())["nats"][0])
        time.sleep(0.001)
    raise ChildProcessError("a server did not start; most likely another process has taken its port")


def _our_start() -> float:
    """Milliseconds of a Fleet that is ready."""
    began = time.perf_counter()
    fleet = loop().run(Fleet.start(cluster(SERVERS)))
    try:
        loop().run(fleet.ready())

        async def first() -> None:
            client = await nats.connect(**fleet.login())
            await _store(client)
            await client.close()

        asyncio.run(first())
        return (time.perf_counter() - began) * 1000
    finally:
        loop().run(fleet.stop())


async def stored(here: Client, there: Client) -> int:
    """Publish to the stream, a thousand acks open at a time; every one came."""
    js = here.jetstream(publish_async_max_pending=1_000)
    acks = [await js.publish_async("bench.a", PAYLOAD, wait_stall=30) for _ in range(STORED)]
    assert (await asyncio.gather(*acks))[-1].seq > STORED
    return STORED


async def _across(here: Client, there: Client) -> int:
    done = asyncio.Event()
    got = 0

    async def heard(_: Any) -> None:
        nonlocal got
        got += 1
        if got == CORE:
            done.set()

    sub = await there.subscribe("core.a", cb=heard, pending_msgs_limit=-1, pending_bytes_limit=-1)
    await there.flush()
    await asyncio.sleep(0.1)  # the interest crosses
    for n in range(CORE):
        await here.publish("core.a", PAYLOAD)
        if n % 1000 == 0:
            await asyncio.sleep(0)
    await here.flush()
    await done.wait()
    await sub.unsubscribe()
    return CORE


def rate(fleet: Fleet, what: Callable[[Client, Client], Awaitable[int]]) -> float:
    """Messages a second between clients of two servers, with a new stream BENCH that the third leads."""

    async def measure() -> float:
        probe = await nats.connect(**fleet.login())
        js = probe.jetstream()
        with contextlib.suppress(nats.js.errors.NotFoundError):
            await js.delete_stream("BENCH")
        info = await js.add_stream(name="BENCH", subjects=["bench.>"], num_replicas=SERVERS)
        leader = info.cluster.leader if info.cluster else ""
        await probe.close()
        other, third = [name for name in fleet.servers if name != leader]
        here, there = (
            await nats.connect(**fleet.login(name=other)),
            await nats.connect(**fleet.login(name=third)),
        )
        while True:  # until `here` knows of the stream
            with contextlib.suppress(nats.js.errors.NoStreamResponseError):
                await here.jetstream().publish("bench.a", PAYLOAD)
                break
        began = time.perf_counter()
        count = await what(here, there)
        took = time.perf_counter() - began
        await here.close()
        await there.close()
        return count / took

    return asyncio.run(measure())


def _rates() -> dict[str, list[float]]:
    """Both ways, in turn, with two clusters up."""
    ours, bare = (
        loop().run(Fleet.start(cluster(SERVERS))),
        loop().run(Fleet.start(cluster(SERVERS, wires=False))),
    )
    seen = 0

    def watch(_: object) -> None:
        nonlocal seen
        seen += 1

    try:
        for fleet in (ours, bare):
            loop().run(fleet.ready())
        for link in ours.links.values():
            loop().post(link.listen, watch, account(SYS))  # as the pictures of RAFT do
        found = interleaved(
            REPEATS,
            stored=lambda: rate(ours, stored),
            stored_bare=lambda: rate(bare, stored),
            core=lambda: rate(ours, _across),
            core_bare=lambda: rate(bare, _across),
        )
    finally:
        loop().run(ours.stop())
        loop().run(bare.stop())
    assert seen > REPEATS * STORED // 100, "the wires were not watched"  # one append may hold many
    return found


def run() -> list[Row]:
    """Measure."""
    supervisor()  # as %load_ext does, long before
    _our_start(), _bare_start()
    starts = interleaved(STARTS, ours=_our_start, bare=_bare_start)
    rates = _rates()

    def row(what: str, name: str, of: str) -> Row:
        mine, theirs = rates[name], rates[of]
        return at_least(
            what,
            ratio(mine, theirs),
            0.8,
            ours=f"{middle(mine):,.0f}/s",
            bare=f"{middle(theirs):,.0f}/s",
            samples={name: mine, of: theirs},
        )

    return [
        at_most(
            "three servers, until a message is stored three times",
            ratio(starts["ours"], starts["bare"]),
            1.3,
            ours=f"{middle(starts['ours']):.0f} ms",
            bare=f"{middle(starts['bare']):.0f} ms",
            samples=starts,
        ),
        row("publishes stored three times, over watched wires", "stored", "stored_bare"),
        row("messages to a subscriber of another server, over watched wires", "core", "core_bare"),
    ]
