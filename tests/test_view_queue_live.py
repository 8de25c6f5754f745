"""The queue view, from a real server."""

from __future__ import annotations

import asyncio
from typing import Any

import nats
import pytest

from natslab.lab import Lab
from natslab.loop import run
from natslab.views import queue
from natslab.views.queue import State
from tests.pictures import check
from tests.watching import watching

# --- a real server ---------------------------------------------------------------------------


def test_a_real_group_is_a_fair_draw() -> None:
    async def go() -> State:
        async with watching() as w:
            web, audit = await w.connect("web"), await w.connect("audit")
            await audit.subscribe("orders.>")
            workers = [await w.connect(f"w{i + 1}") for i in range(4)]
            for worker in workers:
                await worker.subscribe("orders.new", queue="workers")
            await w.hub.sync()
            # Slower than 2000 a second, where messages are only counted.
            for _ in range(200):
                await web.publish("orders.new", b"")
                await asyncio.sleep(0.001)
            assert await w.settle()
            await workers[2].close()
            while len((await w.fleet.ask("n1", "connz", acc="A"))["connections"]) != 5:
                await asyncio.sleep(0.001)  # the server could still choose it, and the message would be lost
            for _ in range(100):
                await web.publish("orders.new", b"")
                await asyncio.sleep(0.001)
            assert await w.settle()
            typo = await w.connect("typo")
            await typo.subscribe("orders.new", queue="worker")
            await w.hub.sync()
            for _ in range(20):
                await web.publish("orders.new", b"")
            assert await w.settle()
            state = queue.start()
            for event in w.tape.between(0, w.tape.head):
                queue.fold(state, event)
            return state

    state = run(go())
    group = state.groups["workers"]
    assert group.total == 320 and group.losses == 0 and group.missed == 0
    assert list(group.members) == ["w1", "w2", "w3", "w4"] and all(group.members.values())
    assert group.expected["w3"][0] == pytest.approx(50) and group.lanes["w3"].went == 200
    assert group.fair is not False, (group.members, group.p)
    for name, (mean, sigma) in group.expected.items():
        assert abs(group.members[name] - mean) < 5 * sigma
    assert state.plain == {"audit": 320}
    assert state.groups["worker"].members == {"typo": 20} and state.twice == 20
    numbers = sorted(b.n for lane in group.lanes.values() for b in lane.bricks)
    assert numbers == list(range(1, 321)), "every message in exactly one lane"
    check(queue, state)


def test_a_real_burst_is_counted_exactly() -> None:
    async def go() -> tuple[State, int]:
        async with watching() as w:
            web, audit = await w.connect("web"), await w.connect("audit")
            await audit.subscribe("orders.>")
            for i in range(3):
                worker = await w.connect(f"w{i + 1}")
                await worker.subscribe("orders.*", queue="workers")
            await w.hub.sync()
            for _ in range(20_000):
                await web.publish("orders.new", b"x")
            await w.settle()
            passed = sum(w.passed("recv", f"w{i + 1}") for i in range(3))
            state = queue.start()
            for event in w.tape.between(0, w.tape.head):
                queue.fold(state, event)
            return state, passed

    state, passed = run(go())
    group = state.groups["workers"]
    assert passed == 20_000
    assert sum(group.members.values()) == group.total == group.issued == 20_000
    assert state.plain == {"audit": 20_000} and group.bulk > 10_000
    assert group.fair is not False, (group.members, group.p)
    assert sum(mean for mean, _ in group.expected.values()) == pytest.approx(20_000)
    check(queue, state)


def test_a_member_that_is_not_the_labs_is_counted_by_the_server_and_chance_is_not_judged() -> None:
    heard = {"w1": 0, "theirs": 0}

    async def member(client: Any, name: str) -> None:
        async def count(_: Any) -> None:
            heard[name] += 1

        await client.subscribe("orders.new", "workers", cb=count)
        await client.flush()
        await client.flush()  # one is no barrier

    with Lab.up() as lab:

        async def go() -> State:
            w1, web = await lab.connect("w1"), await lab.connect("web")
            theirs = await nats.connect(**lab.login, name="theirs")
            await member(w1, "w1")
            await member(theirs, "theirs")
            for _ in range(5_000):
                await web.publish("orders.new", b"x")
            await web.flush()
            await web.flush()  # one is no barrier
            async with asyncio.timeout(10):
                while sum(heard.values()) < 5_000:
                    await asyncio.sleep(0.001)
            state = lab.view("queue").state
            for client in (w1, web, theirs):
                await client.close()
            assert isinstance(state, State)
            return state

        state = asyncio.run(go())
    group = state.groups["workers"]
    assert group.members == heard and group.total == 5_000
    assert group.fair is None and group.expected == {"w1": (0, 0), "theirs": (0, 0)}
    sentence, note = queue.describe(state)
    assert sentence.startswith("workers shared 5000 messages: ") and "chance" not in sentence + note
    assert "theirs is not a client of this lab: the server counts it." in note
    check(queue, state)
