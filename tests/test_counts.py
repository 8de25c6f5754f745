"""A burst is counted exactly, whatever speed and whoever leaves in its middle.

The truth is what was handed to the client, what nats-py says it delivered, and the server's own counters.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable, Iterator
from typing import Any

import msgspec
import pytest

import natslab
from natslab.loop import loop
from natslab.servers.client import Client
from natslab.tape.event import Many, Pub, Recv, Sub
from natslab.views import view
from natslab.views.frames import FRAME, FULL, Frames

BURST = 20_000
DEEP: dict[str, Any] = {"pending_msgs_limit": -1, "pending_bytes_limit": -1}


class Wall:
    """Every view live, folding and drawing while the burst goes on."""

    def __init__(self, lab: natslab.Lab) -> None:
        self.sent: dict[str, list[dict[str, Any]]] = {name: [] for name in view.names()}
        self.frames = [Frames(lab.view(n).player, sent.append) for n, sent in self.sent.items()]
        for frames in self.frames:
            frames.heard({"op": "hello"})

    def close(self) -> None:
        for frames in self.frames:
            loop().post(frames.end)


@pytest.fixture
def lab() -> Iterator[natslab.Lab]:
    with natslab.Lab.up() as started:
        yield started


@pytest.fixture
def wall(lab: natslab.Lab) -> Iterator[Wall]:
    opened = Wall(lab)
    yield opened
    opened.close()


def on_tape(lab: natslab.Lab, client: str, way: str) -> tuple[int, int]:
    """Messages and bytes of a client: the singles and the counted ones together."""
    count = size = 0
    for event in lab.tape.between(0, lab.tape.head):
        if isinstance(event, Many) and (event.client, event.way) == (client, way):
            count, size = count + event.count, size + event.bytes
        elif isinstance(event, Pub if way == "pub" else Recv) and event.client == client:
            count, size = count + 1, size + event.size
    return count, size


async def until(condition: Callable[[], object], timeout: float = 20.0) -> None:
    end = time.monotonic() + timeout
    while not condition():
        assert time.monotonic() < end, f"not within {timeout} s"
        await asyncio.sleep(0.005)


async def send(feeder: Client, count: int) -> int:
    """A quarter slowly enough to be told singly at first, a quarter in a loop, half in bulk."""
    size = 0
    for i in range(count // 2):
        payload = b"x" * (i % 100)
        size += len(payload)
        await feeder.publish(f"burst.{i % 7}", payload)
        if i % 100 == 99:
            await asyncio.sleep(0.05 if i < 200 else 0)
    part = [b"y" * (i % 150) for i in range(count // 4)]
    assert await feeder.publish_many("burst.many", part) == len(part)
    assert await feeder.publish_many("burst.same", b"z" * 33, count // 4) == count // 4
    await feeder.sync()
    return size + sum(map(len, part)) + 33 * (count // 4)


class Taker:
    """A subscription that counts what reaches its handler."""

    def __init__(self) -> None:
        self.count = self.size = 0
        self.sub: Any = None

    async def subscribe(self, client: Client, queue: str = "") -> Taker:
        self.sub = await client.subscribe("burst.>", queue, cb=self._take, **DEEP)
        await client.sync()
        return self

    async def _take(self, msg: Any) -> None:
        self.count += 1
        self.size += len(msg.data)


def server_says(lab: natslab.Lab, name: str) -> tuple[int, int, int, int]:
    """in and out: messages and bytes of a connection, in the server's own counters."""
    connections = lab.server("n1").report("connz", acc="A", limit=1000)["connections"]
    one = next(c for c in connections if c.get("name") == name)
    return one["in_msgs"], one["in_bytes"], one["out_msgs"], one["out_bytes"]


@pytest.mark.parametrize("trace", [True, False])
def test_a_burst_is_counted_exactly(lab: natslab.Lab, wall: Wall, trace: bool) -> None:
    lab.hub.trace = trace

    async def go() -> tuple[int, Taker, list[Taker]]:
        feeder, reader = await lab.connect("feeder"), await lab.connect("reader")
        workers = [await lab.connect(f"w{i}") for i in (1, 2)]
        all_, shares = await Taker().subscribe(reader), [await Taker().subscribe(w, "w") for w in workers]
        size = await send(feeder, BURST)
        await until(lambda: all_.count == BURST and sum(s.count for s in shares) == BURST)
        # The server counts a connection only while it is open.
        await asyncio.to_thread(look, size, all_, shares)
        for client in (feeder, reader, *workers):
            await client.close()
        return size, all_, shares

    def look(size: int, all_: Taker, shares: list[Taker]) -> None:
        came_in, bytes_in, *_ = server_says(lab, "feeder")
        assert came_in == BURST
        # Trace headers are the only bytes more.
        assert bytes_in == size if not trace else bytes_in >= size
        lab.settle()
        routing, queue = lab.view("routing").state, lab.view("queue").state
        assert routing.published == BURST
        assert routing.publishers["feeder"].count == BURST
        assert routing.received == {"reader": BURST, "w1": shares[0].count, "w2": shares[1].count}
        assert queue.groups["w"].members == {"w1": shares[0].count, "w2": shares[1].count}
        assert queue.groups["w"].total == queue.groups["w"].issued == BURST
        assert queue.groups["w"].losses == 0
        assert queue.plain == {"reader": BURST}

    size, all_, shares = asyncio.run(go())
    lab.settle()
    assert on_tape(lab, "feeder", "pub") == (BURST, size)
    assert on_tape(lab, "reader", "recv") == (BURST, size) == (all_.count, all_.size)
    for i, share in enumerate(shares, 1):
        assert on_tape(lab, f"w{i}", "recv") == (share.count, share.size)


def test_frames_stay_small_and_few(lab: natslab.Lab, wall: Wall) -> None:
    began = time.monotonic()

    async def go() -> None:
        feeder, reader = await lab.connect("feeder"), await lab.connect("reader")
        taker = await Taker().subscribe(reader)
        await send(feeder, BURST)
        await until(lambda: taker.count == BURST)
        for client in (feeder, reader):
            await client.close()

    asyncio.run(go())
    seconds = time.monotonic() - began
    for name, sent in wall.sent.items():
        scenes = [f for f in sent if f["op"] in ("scene", "delta")]
        assert scenes, name
        assert len(scenes) <= 10 * seconds + 2, name
        for frame in sent:
            assert len(msgspec.json.encode(frame)) <= (FULL if frame["op"] == "scene" else FRAME), name


@pytest.mark.parametrize("how", ["close", "drain", "unsubscribe", "auto"])
def test_a_subscriber_that_leaves_in_the_middle(lab: natslab.Lab, wall: Wall, how: str) -> None:
    async def go() -> tuple[int, Taker, Taker]:
        feeder, leaver, stayer = [await lab.connect(n) for n in ("feeder", "leaver", "stayer")]
        leaving, staying = await Taker().subscribe(leaver), await Taker().subscribe(stayer)
        if how == "auto":
            await leaving.sub.unsubscribe(BURST // 3)
            await leaver.sync()

        async def leave() -> None:
            await until(lambda: leaving.count > BURST // 4)
            if how == "unsubscribe":
                await leaving.sub.unsubscribe()
            elif how != "auto":
                await getattr(leaver, how)()

        leave_task = asyncio.create_task(leave())
        size = await send(feeder, BURST)
        await leave_task
        await until(lambda: staying.count == BURST)
        if how == "auto":
            await until(lambda: leaving.count == BURST // 3)
        if how == "drain":
            await until(lambda: leaver.is_closed)
        for client in (feeder, stayer, leaver):
            with contextlib.suppress(Exception):
                await client.close()
        return size, leaving, staying

    size, leaving, staying = asyncio.run(go())
    lab.settle()
    count, told = on_tape(lab, "leaver", "recv")
    assert on_tape(lab, "feeder", "pub") == (BURST, size)
    assert on_tape(lab, "stayer", "recv") == (BURST, size) == (staying.count, staying.size)
    assert count == leaving.sub.delivered
    if how in ("drain", "auto"):
        # These leave only after the last handler has run.
        assert (count, told) == (leaving.count, leaving.size)
    if how == "auto":
        assert count == BURST // 3
    else:
        assert BURST // 4 < count < BURST
    assert lab.view("routing").state.received["leaver"] == count


def test_a_publisher_that_closes_at_once(lab: natslab.Lab, wall: Wall) -> None:
    async def go() -> tuple[int, Taker]:
        feeder, reader = await lab.connect("feeder"), await lab.connect("reader")
        taker = await Taker().subscribe(reader)
        for _ in range(5_000):
            await feeder.publish("burst.short", b"0123456789")
        await feeder.publish_many("burst.short", b"0123456789", 5_000)
        await feeder.drain()
        await until(lambda: taker.count == 10_000)
        await reader.close()
        return 10_000, taker

    count, taker = asyncio.run(go())
    lab.settle()
    assert on_tape(lab, "feeder", "pub") == on_tape(lab, "reader", "recv") == (count, 10 * count)
    assert (taker.count, taker.size) == (count, 10 * count)
    assert lab.view("routing").state.published == count


def test_after_a_rush_that_was_seen_messages_are_told_singly_again(lab: natslab.Lab) -> None:
    async def rush(count: int) -> None:
        client = await lab.client("feeder")
        for _ in range(count):
            await client.publish("rush.a", b"x")

    lab.do(rush(2_000))
    assert lab.view("routing").state.published == 2_000
    head = lab.tape.head
    lab.do(rush(3))
    assert lab.view("routing").state.published == 2_003
    told = [e for e in lab.tape.between(head, lab.tape.head) if isinstance(e, Pub)]
    assert [e.traced for e in told] == [True] * 3


def test_who_comes_after_a_rush_comes_after_it_on_the_tape(lab: natslab.Lab) -> None:
    async def go() -> None:
        client = await lab.client("feeder")
        for _ in range(3_000):
            await client.publish("rush.a", b"x")
        await client.sync()
        late = await lab.client("late")
        await late.subscribe("rush.*")
        await late.sync()

    lab.do(go())
    lab.settle()
    events = lab.tape.between(0, lab.tape.head)
    came = next(e.n for e in events if isinstance(e, Sub) and e.client == "late")
    before = sum(1 for e in events if isinstance(e, Pub) and e.client == "feeder" and e.n < came)
    before += sum(e.count for e in events if isinstance(e, Many) and e.way == "pub" and e.n < came)
    assert before == 3_000
