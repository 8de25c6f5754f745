"""What many tests need: a started fleet of real servers, and waiting for a condition."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from natslab.loop import run
from natslab.servers.fleet import Fleet
from natslab.servers.topology import single

pytest.register_assert_rewrite("tests.agreeing", "tests.clusters")


@pytest.fixture
def fleet() -> Iterator[Fleet]:
    """One real server, n1; it lives on natslab's loop: `run(fleet....)`."""
    started = run(Fleet.start(single()))
    yield started
    run(started.stop())


@pytest.fixture
def wait_for() -> Callable[..., float]:
    """`wait_for(condition, timeout=5.0)`: poll until it is true; returns the seconds it took."""

    def wait(condition: Callable[[], object], timeout: float = 5.0) -> float:
        began = time.monotonic()
        while not condition():
            assert time.monotonic() - began < timeout, f"not within {timeout} s"
            time.sleep(0.005)
        return time.monotonic() - began

    return wait


@pytest.fixture
def alive() -> Callable[[int], bool]:
    """`alive(pid)`: whether that process runs; one that is dead and not yet reaped does not."""

    def runs(pid: int) -> bool:
        stat = Path(f"/proc/{pid}/stat")
        if Path("/proc/self/stat").exists():
            try:
                return stat.read_text().rpartition(")")[2].split()[0] not in "ZX"
            except OSError:
                return False
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return False
        return True

    return runs
