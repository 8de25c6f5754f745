"""What the benchmarks share: a row of the table, medians of interleaved repeats, fresh processes."""

from __future__ import annotations

import atexit
import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import msgspec

ROOT = Path(__file__).parents[2]


class Row(msgspec.Struct):
    """One number against its aim. `value` is what is compared, a ratio where there is a bare thing."""

    what: str
    value: float | None  # None: could not be measured, `note` says why
    aim: str
    met: bool | None
    ours: str = ""
    bare: str = ""
    note: str = ""
    samples: dict[str, list[float]] = {}


def at_most(what: str, value: float, limit: float, unit: str = "x", **more: Any) -> Row:
    """A row whose value must not be above `limit`."""
    return Row(what, value, f"<= {limit:g} {unit}", value <= limit, **more)


def at_least(what: str, value: float, limit: float, unit: str = "x", **more: Any) -> Row:
    """A row whose value must not be below `limit`."""
    return Row(what, value, f">= {limit:g} {unit}", value >= limit, **more)


def interleaved(repeats: int, **measured: Callable[[], float]) -> dict[str, list[float]]:
    """Run each once, `repeats` times over; every other round backwards, so that no one is always first."""
    samples: dict[str, list[float]] = {name: [] for name in measured}
    for i in range(repeats):
        for name in list(measured)[:: -1 if i % 2 else 1]:
            samples[name].append(measured[name]())
    return samples


def middle(samples: list[float]) -> float:
    """The median."""
    return statistics.median(samples)


def ratio(ours: list[float], bare: list[float]) -> float:
    """The median of the ratios of each round: what slows a whole round down does not count."""
    return statistics.median(a / b for a, b in zip(ours, bare, strict=True))


@cache
def _bytecode() -> str:
    """A place for compiled modules, as an installed package has them; gone with this process."""
    folder = tempfile.TemporaryDirectory(prefix="natslab-bench-")
    atexit.register(folder.cleanup)
    return folder.name


def environment() -> dict[str, str]:
    """For a fresh process of ours."""
    paths = [str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(paths), "PYTHONPYCACHEPREFIX": _bytecode()}
    env.pop("PYTHONDONTWRITEBYTECODE", None)
    return env


def child(module: str, *arguments: str, timeout: float = 120) -> Any:
    """Run a module of this package in a fresh interpreter; what its last line of JSON says."""
    ran = subprocess.run(
        [sys.executable, "-m", f"tests.benchmarks.{module}", *arguments],
        cwd=ROOT,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )
    if ran.returncode:
        raise RuntimeError(
            f"{module} {' '.join(arguments)} failed:\n{ran.stdout[-2000:]}{ran.stderr[-4000:]}"
        )
    return json.loads(ran.stdout.strip().splitlines()[-1])
