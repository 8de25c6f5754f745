"""Going back on a long tape: what a step costs the kernel, from the wish of the stage to the frame it gets.

Steps to places anywhere on the tape, and steps to the event before and after, as the arrow keys ask for.
"""

from __future__ import annotations

import random
import statistics
import time
from typing import Any

from natslab.tape.tape import RING, Tape
from natslab.views import view
from natslab.views.frames import Frames
from natslab.views.player import Player
from tests import lives
from tests.benchmarks.measure import Row, at_most

AIM = 50  # ms
STEPS = 150
JETSTREAM = {"acks", "stream", "kv", "mirrors"}


def _filled(name: str, events: int) -> Tape:
    tape = Tape()
    life = lives.jetstream(1, events) if name in JETSTREAM else lives.core(1, events)
    for event in life:
        tape.append(event)
        if tape.head == events:
            break
    return tape


def _steps(tape: Tape, name: str) -> dict[str, list[tuple[float, float]]]:
    """Milliseconds of each step, by the clock and by the processor."""
    frames = Frames(Player(tape, name), lambda frame: None)
    frames._frame()  # the whole tape is folded once, as it grew
    dice = random.Random(7)
    places = [dice.randrange(1, tape.head) for _ in range(STEPS)]
    near = [n for _ in range(STEPS // 15) for n in _walk(dice.randrange(50, tape.head - 50))]
    found: dict[str, list[tuple[float, float]]] = {}
    for way, wanted in (("anywhere", places), ("next and previous", near)):
        samples = found[way] = []
        for n in wanted:
            tape.cursor.seek(n)
            clock, spent = time.perf_counter(), time.thread_time()
            frames._frame()
            samples.append((1000 * (time.perf_counter() - clock), 1000 * (time.thread_time() - spent)))
    return found


def _walk(n: int) -> list[int]:
    return [*range(n, n - 10, -1), *range(n - 10, n)]


def run() -> list[Row]:
    """Measure."""
    rows = []
    for events in (RING, 4 * RING):
        for name in view.names():
            tape = _filled(name, events)
            for way, samples in _steps(tape, name).items():
                clock, spent = zip(*samples, strict=True)
                tail, busy = (statistics.quantiles(times, n=20)[-1] for times in (clock, spent))
                note = f"median {statistics.median(clock):.1f}, slowest {max(clock):.1f} ms"
                what = f"scrub {events // 1000} 000 events, {name}, {way}, 95 of 100"
                more: dict[str, Any] = {"note": f"{note}; by processor time {busy:.1f}"}
                rows.append(at_most(what, tail, AIM, "ms", samples={"ms": list(clock)}, **more))
            tape.close()
    return rows
