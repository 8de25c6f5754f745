"""`%load_ext natslab` against `import nats`, each in a fresh interpreter that has IPython already."""

from __future__ import annotations

import json
import sys
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.benchmarks.measure import Row

REPEATS = 9
CELLS = {"natslab": "%load_ext natslab", "nats": "import nats"}


def run() -> list[Row]:
    """Measure."""
    from tests.benchmarks.measure import at_most, child, interleaved, middle

    def one(which: str) -> float:
        return float(child("load_ext", which)["ms"])

    for which in CELLS:  # compiles the modules
        one(which)
    found = interleaved(REPEATS, natslab=lambda: one("natslab"), nats=lambda: one("nats"))
    ours, bare = middle(found["natslab"]), middle(found["nats"])
    return [
        at_most(
            "%load_ext natslab - import nats", ours - bare, 100, "ms",
            ours=f"{ours:.0f} ms", bare=f"{bare:.0f} ms", note=f"ratio {ours / bare:.2f}", samples=found,
        )
    ]  # fmt: skip


def _measure(which: str) -> None:
    from tests.benchmarks.shell import cell, shell

    ip = shell()
    cell(ip, "None")
    began = time.perf_counter()
    cell(ip, CELLS[which])
    print(json.dumps({"ms": (time.perf_counter() - began) * 1000}))


if __name__ == "__main__":
    _measure(sys.argv[1])
