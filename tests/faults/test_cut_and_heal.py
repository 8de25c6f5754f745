"""Wires are cut and healed again and again: no connection goes round them, and nothing is left behind."""

from __future__ import annotations

import asyncio
import gc
import os
import random
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from natslab.lab import Lab
from natslab.loop import loop, run
from tests.clusters import Group, agrees, led, tcp_ports

WaitFor = Callable[..., float]

MB = 1024 * 1024


@pytest.fixture
def lab() -> Iterator[Lab]:
    with Lab.up(servers=3, name="cuts") as up:
        yield up


def routes(lab: Lab, name: str) -> set[str]:
    """The servers that this one has a route to; of one that does not go through a wire of ours also where."""
    said = run(lab.fleet.ask(name, "routez")).get("routes") or []
    # What a server has dialled where it reached us, and where we are when we have dialled it.
    ours = tcp_ports(lab.fleet.wiring.carrier.pid)
    return {
        str(r["remote_name"]) if r["port"] in ours else f"{r['remote_name']} at {r['port']}" for r in said
    }


def open_files(pid: int | None) -> int:
    return len(list(Path(f"/proc/{pid}/fd").iterdir()))


def kept(lab: Lab) -> dict[str, int]:
    """What must not grow."""

    async def tasks() -> int:
        return len(asyncio.all_tasks())

    gc.collect()
    counts = {"tasks": run(tasks())}
    if Path("/proc/self/fd").is_dir():
        counts["files"] = open_files(os.getpid())
        counts["files of wires"] = open_files(lab.fleet.wiring.carrier.pid)
        counts |= {f"files of {name}": open_files(one.pid) for name, one in lab.fleet.servers.items()}
    return counts


def memory(lab: Lab) -> int:
    """Bytes in memory of this process and the one that carries wires; 0 where that cannot be told."""
    pids = (os.getpid(), lab.fleet.wiring.carrier.pid)
    try:
        return sum(int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * 4096 for pid in pids)
    except OSError:
        return 0


@pytest.mark.timeout(400)
@pytest.mark.parametrize("rounds", [10, pytest.param(50, marks=pytest.mark.soak)])
def test_again_and_again(lab: Lab, wait_for: WaitFor, rounds: int) -> None:
    go = Group(lab, f"CUT{rounds}")
    go.make("c")
    go.fill_with(3)
    dice = random.Random(rounds)
    names = list(lab.servers)
    whole = {name: {other for other in names if other != name} for name in names}

    def become(wanted: dict[str, set[str]]) -> None:
        """Wait until the routes are these, and all of them ours."""
        end = time.monotonic() + 15
        while (found := {name: routes(lab, name) for name in names}) != wanted:
            assert time.monotonic() < end, found
            time.sleep(0.02)

    before: dict[str, int] = {}
    used = 0
    for n in range(rounds):
        alone = dice.choice(names)
        if n % 2:
            lab.isolate(alone)
            left = {name: set() if name == alone else whole[name] - {alone} for name in names}
        else:
            far = dice.choice(sorted(whole[alone]))
            lab.cut(alone, far)
            left = {name: whole[name] - ({alone, far} if name in (alone, far) else set()) for name in names}
        become(left)
        lab.heal()
        become(whole)
        if n == 2:  # by then every pool and cache has what it will have
            time.sleep(1)
            before, used = kept(lab), memory(lab)
    time.sleep(1)
    wait_for(lambda: all(n <= before[what] + 2 for what, n in kept(lab).items()), 20)
    assert memory(lab) - used < rounds * MB + 20 * MB
    led(lab, go.stream, "c")
    go.fill_with(3)
    go("con next {S} c --count 4 --ack")
    agrees(lab, go.stream, "c")


def test_no_trace_of_a_lab_that_is_gone() -> None:
    """What a lab of three servers opened is closed when it goes down."""

    async def tasks() -> Counter[str]:
        others = asyncio.all_tasks() - {asyncio.current_task()}
        return Counter(getattr(task.get_coro(), "__qualname__", "") for task in others)

    def left() -> Counter[str]:
        gc.collect()
        return run(tasks())

    before = left()
    files = len(list(Path("/proc/self/fd").iterdir())) if Path("/proc/self/fd").is_dir() else 0
    with Lab.up(servers=3, name="gone") as lab:
        lab.isolate("n2")
        lab.heal()
    end = time.monotonic() + 5
    while left() - before and time.monotonic() < end:
        time.sleep(0.05)
    assert not left() - before
    if files:
        assert len(list(Path("/proc/self/fd").iterdir())) <= files + 2
    assert loop().asyncio.is_running()
