"""A burst of 100 000 messages with every view open: exact counts and bytes, small frames.

The truth is what was handed to the client and what the server counted for its connections.
"""

from __future__ import annotations

import asyncio
import time
from typing import Any

import natslab
from natslab.tape.event import Many, Pub, Recv
from natslab.views import view
from natslab.views.frames import FRAME, FULL
from tests.benchmarks import browserless
from tests.benchmarks.measure import Row, at_most

MESSAGES = 100_000
SUBJECTS = [f"burst.{place}.{kind}" for place in range(25) for kind in ("hot", "warm", "cool", "cold")]
RATE = 10.0  # scenes a second


async def _burst(lab: natslab.Lab, count: int) -> int:
    """Half singly, half in bulk, payloads of different lengths; returns the bytes."""
    feeder, reader = await lab.connect("feeder"), await lab.connect("reader")
    worker = await lab.connect("worker")
    got, size = 0, 0

    async def take(_: Any) -> None:
        nonlocal got
        got += 1

    for client, queue in ((reader, ""), (worker, "w")):
        await client.subscribe("burst.>", queue, cb=take, pending_msgs_limit=-1, pending_bytes_limit=-1)
        await client.sync()
    for i in range(count // 2):
        payload = b"x" * (i % 200)
        size += len(payload)
        await feeder.publish(SUBJECTS[i % len(SUBJECTS)], payload)
        if i % 500 == 499:
            await feeder.flush()
    for subject in SUBJECTS:
        part = [b"y" * (i % 300) for i in range(count // 2 // len(SUBJECTS))]
        size += sum(map(len, part))
        await feeder.publish_many(subject, part)
    await feeder.sync()
    end = time.monotonic() + 60
    while got < 2 * count and time.monotonic() < end:
        await asyncio.sleep(0.02)
    for client in (feeder, reader, worker):
        await client.close()
    return size


def _on_tape(lab: natslab.Lab, client: str, way: str) -> tuple[int, int]:
    """Messages and bytes that the tape has for a client."""
    count = size = 0
    kind = Pub if way == "pub" else Recv
    for event in lab.tape.between(0, lab.tape.head):
        if isinstance(event, Many) and event.client == client and event.way == way:
            count, size = count + event.count, size + event.bytes
        elif isinstance(event, kind) and event.client == client:
            count, size = count + 1, size + event.size
    return count, size


def run() -> list[Row]:
    """Measure."""
    browserless.install()
    with natslab.Lab.up() as lab:
        windows = {name: browserless.Window(lab.view(name)) for name in view.names()}
        began = time.monotonic()
        size = asyncio.run(_burst(lab, MESSAGES))
        lab.settle(10)
        seconds = time.monotonic() - began
        browserless.wait(lambda: all(w.caught_up() for w in windows.values()))
        rows = []
        for client, way in (("feeder", "pub"), ("reader", "recv"), ("worker", "recv")):
            count, told = _on_tape(lab, client, way)
            wrong = abs(count - MESSAGES) + abs(told - size)
            rows.append(
                at_most(
                    f"burst: miscounted on the tape, {client}",
                    wrong,
                    0,
                    "",
                    ours=f"{count:,} / {told:,} B",
                    bare=f"{MESSAGES:,} / {size:,} B",
                )
            )
        routing, queue = lab.view("routing").state, lab.view("queue").state
        for what, count in (
            ("routing.published", routing.published),
            ("routing.received, reader", routing.received.get("reader", 0)),
            ("routing.received, worker", routing.received.get("worker", 0)),
            ("queue.groups[w].members, worker", queue.groups["w"].members.get("worker", 0)),
        ):
            rows.append(
                at_most(
                    f"burst: miscounted in {what}", abs(count - MESSAGES), 0, "",
                    ours=f"{count:,}", bare=f"{MESSAGES:,}",
                )
            )  # fmt: skip
        for name, window in windows.items():
            frames = [f for f in window.frames if f.at >= began]
            scenes = [f for f in window.scenes if f.at >= began]
            full = max((f.size for f in window.scenes if f.op == "scene"), default=0)
            largest = max((f.size for f in frames if f.op != "scene"), default=0)
            rate = (len(scenes) - 1) / max(scenes[-1].at - scenes[0].at, 1.0)
            rows += [
                at_most(
                    f"burst: scenes a second, {name}", rate, RATE, "/s",
                    note=f"{len(frames)} messages in {seconds:.1f} s",
                ),
                at_most(f"burst: largest frame, {name}", largest / 1000, FRAME / 1000, "KB"),
                at_most(f"burst: full scene, {name}", full / 1000, FULL / 1000, "KB"),
            ]  # fmt: skip
            window.close()
    return rows
