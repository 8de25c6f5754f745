"""JetStream: publishes of a lab's client against bare nats-py, and a working consumer with its view open.

Bare and ours speak to the same server, in turn. Streams are emptied between the rounds.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Iterator
from typing import Any

import nats

import natslab
from tests.benchmarks import browserless
from tests.benchmarks.measure import Row, at_least, interleaved, middle, ratio
from tests.benchmarks.shell import cell, shell

SYNC = 2_000
ASYNC = 10_000
WORK = 6_000
BATCH = 100
REPEATS = 5
PAYLOAD = b"a payload of 32 bytes, or so ..."


class Clock:
    """What one run took: wall clock, and this process's processor time for a machine that others use too."""

    def __init__(self) -> None:
        self.wall = self.spent = 0.0

    @contextlib.contextmanager
    def running(self) -> Iterator[None]:
        """This is what is measured."""
        wall, spent = time.perf_counter(), time.process_time()
        yield
        self.wall, self.spent = time.perf_counter() - wall, time.process_time() - spent


async def _sync(client: Any, clock: Clock) -> int:
    js = client.jetstream()
    with clock.running():
        for _ in range(SYNC):
            await js.publish("bench.a", PAYLOAD)
    return SYNC


async def _async(client: Any, clock: Clock, count: int = ASYNC) -> int:
    js = client.jetstream(publish_async_max_pending=1_000)
    with clock.running():
        for _ in range(count):
            await js.publish_async("bench.a", PAYLOAD, wait_stall=30)
        await js.publish_async_completed()
    return count


async def _work(client: Any, clock: Clock) -> int:
    """Messages fetched and acked one by one."""
    js = client.jetstream()
    await _async(client, clock, WORK)
    await js.add_consumer("BENCH", durable_name="worker", ack_policy="explicit")
    sub = await js.pull_subscribe_bind("worker", stream="BENCH")
    # What was published is on the tape before the clock starts.
    await asyncio.to_thread(natslab.current().settle)
    with clock.running():
        done = 0
        while done < WORK:
            for msg in await sub.fetch(BATCH, timeout=30):
                await msg.ack()
                done += 1
        await client.flush()
        await client.flush()
    await js.delete_consumer("BENCH", "worker")
    return WORK


def run() -> list[Row]:
    """Measure."""
    browserless.install()
    ip = shell()
    cell(ip, "%load_ext natslab")
    spent: dict[str, list[float]] = {}

    async def prepare() -> None:
        client = await nats.connect(**natslab.current().login)
        await client.jetstream().add_stream(name="BENCH", subjects=["bench.>"])
        await client.close()

    def up() -> None:
        cell(ip, "%natslab up")
        asyncio.run(prepare())

    def with_client(name: str, what: Any, ours: bool) -> float:
        lab, clock = natslab.current(), Clock()

        async def go() -> int:
            client = await lab.connect("bencher") if ours else await nats.connect(**lab.login)
            done: int = await what(client, clock)
            await client.jetstream().purge_stream("BENCH")
            await client.close()
            return done

        done = asyncio.run(go())
        lab.settle()
        spent.setdefault(name, []).append(clock.spent / done)
        return done / clock.wall

    def magic() -> float:
        clock = Clock()
        with clock.running():
            cell(ip, f"x = %nats pub bench.a '{PAYLOAD.decode()}' -J --count {SYNC}")
        assert ip.user_ns["x"].count == SYNC
        cell(ip, "%js stream purge BENCH -f")
        spent.setdefault("magic", []).append(clock.spent / SYNC)
        return SYNC / clock.wall

    def opened(view: Any) -> float:
        window = browserless.Window(view)
        try:
            return with_client("open", _work, True)
        finally:
            window.close()

    # Two labs: a view that opens reads all that its tape tells.
    up()
    try:
        published = interleaved(
            REPEATS,
            magic=magic,
            sync=lambda: with_client("sync", _sync, True),
            sync_bare=lambda: with_client("sync_bare", _sync, False),
            quick=lambda: with_client("quick", _async, True),
            quick_bare=lambda: with_client("quick_bare", _async, False),
        )
    finally:
        cell(ip, "%natslab down")
    up()
    try:
        view = natslab.current().view("acks")
        worked = interleaved(
            REPEATS,
            open=lambda: opened(view),
            closed=lambda: with_client("closed", _work, True),
            bare=lambda: with_client("bare", _work, False),
        )
    finally:
        cell(ip, "%natslab down")

    def row(what: str, found: dict[str, list[float]], ours: str, bare: str, aim: float | None) -> Row:
        value = ratio(found[ours], found[bare])
        said: dict[str, Any] = {
            "ours": f"{middle(found[ours]):,.0f}/s",
            "bare": f"{middle(found[bare]):,.0f}/s",
            "note": f"by processor time {ratio(spent[bare], spent[ours]):.2f}: "
            f"{middle(spent[ours]) * 1e6:.0f} us, {middle(spent[bare]) * 1e6:.0f} us a message",
            "samples": {k: found[k] for k in (ours, bare)},
        }
        return Row(what, value, "-", None, **said) if aim is None else at_least(what, value, aim, **said)

    return [
        row(f"%nats pub -J --count {SYNC} / nats-py loop", published, "magic", "sync_bare", None),
        row("JetStream publish, one by one / nats-py", published, "sync", "sync_bare", None),
        row("JetStream publish, asynchronous / nats-py", published, "quick", "quick_bare", None),
        row("fetch and ack, acks view open / closed", worked, "open", "closed", 0.9),
        row("fetch and ack, a lab's client / nats-py", worked, "closed", "bare", None),
    ]
