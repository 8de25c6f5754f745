"""A file stream survives the sudden death of its server: nothing acknowledged is lost, and views recover."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator

import nats.errors
import pytest

from natslab.lab import Lab
from natslab.loop import loop, run
from tests.agreeing import agree, call


@pytest.fixture
def lab() -> Iterator[Lab]:
    with Lab.up(name="survivor") as up:
        yield up


@pytest.mark.parametrize("rounds", [3, pytest.param(20, marks=pytest.mark.soak)])
def test_what_was_acknowledged_is_there_after_a_sigkill(
    lab: Lab, wait_for: Callable[..., float], rounds: int
) -> None:
    run(call(lab, "STREAM.CREATE.ORDERS", {"name": "ORDERS", "subjects": ["orders.>"], "storage": "file"}))
    run(
        call(
            lab,
            "CONSUMER.CREATE.ORDERS.billing",
            {
                "stream_name": "ORDERS",
                "config": {"durable_name": "billing", "ack_policy": "explicit", "ack_wait": int(30e9)},
            },
        )
    )
    acknowledged: dict[int, bytes] = {}
    settled: set[int] = set()
    going = True

    async def publish() -> None:
        js = (await lab.client("writer")).jetstream()
        n = 0
        while going:
            n += 1
            body = f"order {n}".encode()
            try:
                ack = await js.publish("orders.new", body, timeout=0.3)
            except (TimeoutError, nats.errors.Error):
                await asyncio.sleep(0.01)
                continue
            acknowledged[ack.seq] = body

    async def consume() -> None:
        client = await lab.client("worker")
        sub = await client.jetstream().pull_subscribe_bind("billing", stream="ORDERS")
        while going:
            try:
                for msg in await sub.fetch(10, timeout=0.3):
                    await msg.ack_sync(timeout=0.3)
                    settled.add(msg.metadata.sequence.stream)
            except (TimeoutError, nats.errors.Error):
                await asyncio.sleep(0.01)

    tasks = [asyncio.run_coroutine_threadsafe(work(), loop().asyncio) for work in (publish, consume)]
    server = lab.server("n1")
    for _ in range(rounds):
        before = len(acknowledged), len(settled)
        wait_for(lambda: len(acknowledged) > before[0] + 20 and len(settled) > before[1] + 20, 15)  # noqa: B023
        server.kill()
        server.start()
    before = len(acknowledged), len(settled)
    wait_for(lambda: len(acknowledged) > before[0] + 20 and len(settled) > before[1], 15)
    going = False
    for task in tasks:
        task.result(10)

    async def stored() -> dict[int, bytes]:
        js = (await lab.client("tester")).jetstream()
        return {seq: (await js.get_msg("ORDERS", seq)).data or b"" for seq in acknowledged}

    assert run(stored()) == acknowledged
    lab.settle(5)
    agree(lab, "ORDERS", "billing")
    info = run(call(lab, "STREAM.INFO.ORDERS"))
    stream = lab.view("stream", "ORDERS").state.streams["ORDERS"]
    assert stream.messages == info["state"]["messages"]
    assert stream.last == info["state"]["last_seq"]
