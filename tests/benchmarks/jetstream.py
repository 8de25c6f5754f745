"""JetStream: publishes of a lab's client against bare nats-py, and a working consumer with its view open.

Bare and ours speak to the same server, in turn. Streams are emptied between the rounds.
"""

from __future__ import annotations

import asyncio
import time
from typing import Any

import nats

import natslab
from tests.benchmarks import browserless
from tests.benchmarks.measure import Row, at_least, interleaved, middle, ratio
from tests.benchmarks.shell import cell, shell

SYNC = 3_000
ASYNC = 20_000
WORK = 10_000
BATCH = 100
REPEATS = 7
PAYLOAD = b"a payload of 32 bytes, or so ..."


async def _fresh(js: Any) -> None:
    await js.purge_stream("BENCH")


async def _sync(client: Any) -> float:
    js = client.jetstream()
    began = time.perf_counter()
    for _ in range(SYNC):
        await js.publish("bench.a", PAYLOAD)
    took = time.perf_counter() - began
    await _fresh(js)
    await client.close()
    return SYNC / took


async def _async(client: Any) -> float:
    js = client.jetstream(publish_async_max_pending=1_000)
    began = time.perf_counter()
    for _ in range(ASYNC):
        await js.publish_async("bench.a", PAYLOAD, wait_stall=5)
    await js.publish_async_completed()
    took = time.perf_counter() - began
    await _fresh(js)
    await client.close()
    return ASYNC / took


async def _work(client: Any) -> float:
    """Messages fetched and acked in a second; a fifth of them of a second attempt would change nothing."""
    js = client.jetstream(publish_async_max_pending=1_000)
    for _ in range(WORK):
        await js.publish_async("bench.a", PAYLOAD, wait_stall=5)
    await js.publish_async_completed()
    await js.add_consumer("BENCH", durable_name="worker", ack_policy="explicit")
    sub = await js.pull_subscribe_bind("worker", stream="BENCH")
    await asyncio.sleep(0.5)  # what was published is on the tape before the clock starts
    began = time.perf_counter()
    done = 0
    while done < WORK:
        for msg in await sub.fetch(BATCH, timeout=5):
            await msg.ack()
            done += 1
    await client.flush()
    await client.flush()
    took = time.perf_counter() - began
    await js.delete_consumer("BENCH", "worker")
    await _fresh(js)
    await client.close()
    return WORK / took


def run() -> list[Row]:
    """Measure."""
    browserless.install()
    ip = shell()
    cell(ip, "%load_ext natslab")
    cell(ip, "%natslab up")
    lab = natslab.current()

    async def prepare() -> None:
        client = await nats.connect(**lab.login)
        await client.jetstream().add_stream(name="BENCH", subjects=["bench.>"])
        await client.close()

    asyncio.run(prepare())

    def with_client(what: Any, ours: bool) -> float:
        async def go() -> float:
            client = await lab.connect("bencher") if ours else await nats.connect(**lab.login)
            rate: float = await what(client)
            return rate

        return asyncio.run(go())

    def magic() -> float:
        began = time.perf_counter()
        cell(ip, f"x = %nats pub bench.a '{PAYLOAD.decode()}' -J --count {SYNC}")
        took = time.perf_counter() - began
        assert ip.user_ns["x"].count == SYNC
        cell(ip, "%js stream purge BENCH -f")
        return SYNC / took

    def opened() -> float:
        windows = [browserless.Window(lab.view(name)) for name in ("acks",)]
        try:
            return with_client(_work, True)
        finally:
            for window in windows:
                window.close()

    try:
        published = interleaved(
            REPEATS,
            magic=magic,
            sync=lambda: with_client(_sync, True),
            sync_bare=lambda: with_client(_sync, False),
            quick=lambda: with_client(_async, True),
            quick_bare=lambda: with_client(_async, False),
        )
        worked = interleaved(
            REPEATS,
            open=opened,
            closed=lambda: with_client(_work, True),
            bare=lambda: with_client(_work, False),
        )
    finally:
        cell(ip, "%natslab down")

    def row(
        what: str, found: dict[str, list[float]], ours: str, bare: str, aim: float | None, note: str = ""
    ) -> Row:
        value = ratio(found[ours], found[bare])
        said = {
            "ours": f"{middle(found[ours]):,.0f}/s",
            "bare": f"{middle(found[bare]):,.0f}/s",
            "note": note,
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
