"""Run the benchmarks, print their table, and write bench.json here.

`python -m tests.benchmarks` runs all of them, with names only these.
"""

from __future__ import annotations

import importlib
import os
import platform
import sys
import time
from pathlib import Path

import msgspec

from tests.benchmarks.measure import Row, child

NAMES = [
    "startup",
    "load_ext",
    "publish",
    "views_open",
    "jetstream",
    "cluster",
    "raft",
    "burst",
    "scrub",
    "paint",
    "workbench",
]


def _cells(row: Row) -> list[str]:
    value = "-" if row.value is None else f"{row.value:,.2f}"
    met = {True: "yes", False: "NO", None: "-"}[row.met]
    return [row.what, value, row.aim, met, row.ours, row.bare, row.note]


def _table(rows: list[Row]) -> str:
    lines = [["benchmark", "value", "aim", "met", "natslab", "bare", "note"], *map(_cells, rows)]
    widths = [max(len(line[i]) for line in lines) for i in range(7)]
    out = []
    for line in lines:
        cells = zip(line, widths, strict=True)
        out.append("  ".join(c.rjust(w) if i == 1 else c.ljust(w) for i, (c, w) in enumerate(cells)).rstrip())
    return "\n".join(out)


def main(names: list[str]) -> int:
    """Returns how many aims were missed."""
    if unknown := [n for n in names if n not in NAMES]:
        print(f"There is no benchmark {unknown[0]!r}. There are: {', '.join(NAMES)}.", file=sys.stderr)
        return 2
    results: dict[str, list[Row]] = {}
    for name in names or NAMES:
        print(f"{name} ...", file=sys.stderr, flush=True)
        # Each in a process of its own: none finds what another has left.
        results[name] = msgspec.convert(child("__main__", "--rows", name, timeout=1200), list[Row])
    rows = [row for found in results.values() for row in found]
    print(_table(rows))
    report = {
        "at": time.strftime("%Y-%m-%dT%H:%M:%S%z"),
        "python": platform.python_version(),
        "cores": os.cpu_count(),
        "load": os.getloadavg(),
        "benchmarks": results,
    }
    Path("bench.json").write_bytes(msgspec.json.format(msgspec.json.encode(report), indent=1) + b"\n")
    missed = sum(row.met is False for row in rows)
    print(f"\n{missed} of {len(rows)} aims missed; bench.json has every sample.")
    return 1 if missed else 0


if __name__ == "__main__":
    if sys.argv[1:2] == ["--rows"]:
        print(msgspec.json.encode(importlib.import_module(f"tests.benchmarks.{sys.argv[2]}").run()).decode())
    else:
        sys.exit(main(sys.argv[1:]))
