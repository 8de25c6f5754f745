"""A busy subject with every view open against none.

One publisher and one subscriber, clients of the lab on the caller's own loop as in a learner's cell;
the views' pumps run on natslab's loop in the same process, and every frame is encoded as the kernel
would encode it. The rate counts from the first publish to the last delivery.
"""

from __future__ import annotations

import asyncio
import time
from typing import Any

import natslab
from natslab.views import view
from tests.benchmarks import browserless
from tests.benchmarks.measure import Row, at_least, interleaved, middle, ratio

MESSAGES = 150_000
BATCH = 1_000  # published without a pause; then the subscriber has its turn
REPEATS = 9
PAYLOAD = b"x" * 64


async def _busy(lab: natslab.Lab, count: int) -> float:
    """Messages a second through one publisher and one subscriber."""
    feeder, reader = await lab.connect("feeder"), await lab.connect("reader")
    got = 0
    done = asyncio.Event()

    async def take(_: Any) -> None:
        nonlocal got
        got += 1
        if got == count:
            done.set()

    await reader.subscribe("busy.prices", cb=take, pending_msgs_limit=-1, pending_bytes_limit=-1)
    await reader.sync()
    began = time.perf_counter()
    for i in range(count):
        await feeder.publish("busy.prices", PAYLOAD)
        if i % BATCH == BATCH - 1:
            await feeder.flush()
    await asyncio.wait_for(done.wait(), 60)
    took = time.perf_counter() - began
    await feeder.close()
    await reader.close()
    return count / took


def run() -> list[Row]:
    """Measure."""
    browserless.install()
    names = view.names()
    with natslab.Lab.up() as lab:
        # Wall clock is what counts; processor time tells the same on a machine that others use too.
        spent: dict[str, list[float]] = {"none": [], "views": []}

        def busy(which: str) -> float:
            before = time.process_time()
            rate = asyncio.run(_busy(lab, MESSAGES))
            spent[which].append(time.process_time() - before)
            return rate

        def none() -> float:
            return busy("none")

        def everything() -> float:
            windows = [browserless.Window(lab.view(name)) for name in names]
            try:
                return busy("views")
            finally:
                for window in windows:
                    window.close()

        asyncio.run(_busy(lab, MESSAGES))  # the first run warms the interpreter and the server up
        rates = interleaved(REPEATS, none=none, views=everything)
    ours, bare = middle(rates["views"]), middle(rates["none"])
    return [
        at_least(
            f"busy subject, {len(names)} views open / none",
            ratio(rates["views"], rates["none"]),
            0.9,
            ours=f"{ours:,.0f}/s",
            bare=f"{bare:,.0f}/s",
            note=f"{' '.join(names)}; by processor time {ratio(spent['none'], spent['views']):.2f}",
            samples=rates,
        )
    ]
