"""`%natslab up` to the first delivered message, against a nats-server started by hand.

Cells of a fresh IPython shell. Before the clock starts ours has run `%load_ext natslab`, the bare one its
imports. Both have the same server with an equal configuration (accounts, JetStream, limits) and the same
nats-py lines after it; `magics` uses %nats sub and %nats pub instead of them. `pause` is what a person
needs from one cell to the next; without any, the supervisor and our imports are still under way.
"""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.benchmarks.measure import Row

REPEATS = 9
PAUSE = 1.0  # seconds from one cell to the next

MESSAGE = """
sub = await me.subscribe("first.message")
await me.publish("first.message", b"hello")
(await sub.next_msg(10)).data
"""
BARE = ["url = start(program, folder)", f"me = await nats.connect(url, user='app', password=word){MESSAGE}"]
SPLIT = [BARE[0], *f"me = await nats.connect(url, user='app', password=word){MESSAGE}".splitlines()]
OURS = ["%natslab up", f"me = await natslab.current().connect('me'){MESSAGE}"]
MAGICS = [
    "%natslab up",
    "h = %nats sub first.message --count 1",
    "%nats pub first.message hello",
    "h.wait(10)",
]


def run() -> list[Row]:
    """Measure."""
    from natslab.servers import binary
    from natslab.servers.config import Logins
    from natslab.servers.topology import single
    from tests.benchmarks.measure import at_most, child, interleaved, middle

    def bare(how: str) -> float:
        with tempfile.TemporaryDirectory() as name:
            folder, logins = Path(name), Logins.fresh()
            (folder / "n1").mkdir()
            config = single().configs(logins, folder, None)["n1"]
            (folder / "conf").write_text(config.text())
            return float(child("startup", how, str(binary.find()), name, logins.app)["ms"])

    def ours(how: str, pause: float) -> float:
        return float(child("startup", how, str(pause))["ms"])

    bare("bare"), ours("natslab", PAUSE)  # compiles the modules
    found = interleaved(
        REPEATS,
        bare=lambda: bare("bare"),
        split=lambda: bare("split"),
        natslab=lambda: ours("natslab", PAUSE),
        at_once=lambda: ours("natslab", 0.0),
        magics=lambda: ours("magics", PAUSE),
    )
    rows = []
    for name, by_hand, what in (
        ("natslab", "bare", f"{PAUSE:g} s after %load_ext"),
        ("at_once", "bare", "in the next cell at once"),
        ("magics", "split", "with %nats sub and pub"),
    ):
        mine, theirs = middle(found[name]), middle(found[by_hand])
        rows.append(
            at_most(
                f"up to first message, {what}", mine / theirs, 1.5,
                ours=f"{mine:.0f} ms", bare=f"{theirs:.0f} ms",
                samples={k: found[k] for k in (name, by_hand)},
            )
        )  # fmt: skip
    return rows


_started: list[subprocess.Popen[bytes]] = []


def start(program: str, folder: str) -> str:
    """What a person writes who starts a server by hand; its URL."""
    server = subprocess.Popen(
        [program, "-c", f"{folder}/conf", "--ports_file_dir", folder],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    _started.append(server)
    ports = Path(folder) / f"nats-server_{server.pid}.ports"
    while server.poll() is None:
        with contextlib.suppress(OSError, ValueError):
            return str(json.loads(ports.read_bytes())["nats"][0])
        time.sleep(0.001)
    raise RuntimeError("the server ended")


def _measure(how: str, *arguments: str) -> float:
    from tests.benchmarks.shell import cell, shell

    ip = shell()
    if how in ("natslab", "magics"):
        cell(ip, "%load_ext natslab\nimport natslab")
        time.sleep(float(arguments[0]))
    else:
        cell(ip, "import nats")
        program, folder, word = arguments
        ip.push({"start": start, "program": program, "folder": folder, "word": word})
    cells = {"bare": BARE, "split": SPLIT, "natslab": OURS, "magics": MAGICS}[how]
    began = time.perf_counter()
    for text in cells:
        got = cell(ip, text)
    took = time.perf_counter() - began
    assert b"hello" in (got, *(m.data for m in getattr(got, "messages", ()))), got
    if how in ("natslab", "magics"):
        cell(ip, "%natslab down")
    for server in _started:
        server.kill()
        server.wait()
    return took


if __name__ == "__main__":
    print(json.dumps({"ms": _measure(*sys.argv[1:]) * 1000}))
