"""`%natslab up` to the first delivered message, against a nats-server started by hand.

Cells of a fresh kernel, as a notebook runs them. Before the clock starts ours has run `%load_ext natslab`,
the bare one `import nats`. Both have the same server with an equal configuration (accounts, JetStream,
limits) and the same nats-py lines after it. Two more ratios without an aim: with `%nats sub` and `%nats pub`
in the place of these lines, cell by cell; and from the loading on, when the next cell follows at once.
"""

from __future__ import annotations

import contextlib
import json
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any

from jupyter_client.manager import KernelManager

from natslab.servers import binary
from natslab.servers.config import Logins
from natslab.servers.topology import single
from tests.benchmarks.measure import ROOT, Row, at_most, environment, interleaved, middle, ratio

REPEATS = 9
PAUSE = 1.0  # seconds between the first cell and the next, of a person

LOAD = {
    "bare": "import nats\nfrom tests.benchmarks.startup import start, stop",
    "natslab": "%load_ext natslab\nimport natslab",
}
MESSAGE = [
    "sub = await me.subscribe('first.message')",
    "await me.publish('first.message', b'hello')",
    "(await sub.next_msg(10)).data",
]
BARE = ["url = start({program!r}, {folder!r})", "me = await nats.connect(url, user='app', password={word!r})"]
CELLS = {
    "bare": [BARE[0], "\n".join([BARE[1], *MESSAGE])],
    "natslab": ["%natslab up", "\n".join(["me = await natslab.current().connect('me')", *MESSAGE])],
    "split": [BARE[0], f"{BARE[1]}; {MESSAGE[0]}", *MESSAGE[1:]],
    "magics": [
        "%natslab up",
        "h = %nats sub first.message --count 1",
        "%nats pub first.message hello",
        "h.wait(10)",
    ],
}

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


def stop() -> None:
    """End what `start` started."""
    for server in _started:
        server.kill()
        server.wait()


def _time(how: str, pause: float, *, loading: bool = False) -> float:
    """Milliseconds from sending the first cell, or with `loading` the one before it, to the last answer."""
    tool = "natslab" if how in ("natslab", "magics") else "bare"
    with tempfile.TemporaryDirectory() as name:
        folder, logins = Path(name), Logins.fresh()
        (folder / "n1").mkdir()
        (folder / "conf").write_text(single().configs(logins, folder, None)["n1"].text())
        given = {"program": str(binary.find()), "folder": name, "word": logins.app}
        kernel = KernelManager()
        kernel.start_kernel(cwd=ROOT, env=environment(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        client = kernel.client()
        client.start_channels()
        try:
            client.wait_for_ready(timeout=60)
            began = time.perf_counter()
            _run(client, LOAD[tool])
            if not loading:
                time.sleep(pause)
                began = time.perf_counter()
            for text in CELLS[how]:
                said = _run(client, text if tool == "natslab" else text.format(**given))
            took = time.perf_counter() - began
            assert "hello" in said, said
            _run(client, "%natslab down" if tool == "natslab" else "stop()")
        finally:
            client.stop_channels()
            kernel.shutdown_kernel(now=True)
    return took * 1000


def _run(client: Any, text: str) -> str:
    """Run a cell; the text of its result."""
    shown: list[dict[str, Any]] = []
    answer = client.execute_interactive(text, timeout=60, output_hook=lambda m: shown.append(m["content"]))
    if answer["content"]["status"] != "ok":
        raise RuntimeError(f"{text!r} failed: {answer['content'].get('evalue')}")
    return "".join(c["data"].get("text/plain", "") for c in shown if "data" in c)


def run() -> list[Row]:
    """Measure."""
    _time("bare", 0.0), _time("natslab", PAUSE)  # compiles the modules
    found = interleaved(
        REPEATS,
        bare=lambda: _time("bare", PAUSE),
        natslab=lambda: _time("natslab", PAUSE),
        split=lambda: _time("split", PAUSE),
        magics=lambda: _time("magics", PAUSE),
        importing=lambda: _time("bare", 0.0, loading=True),
        loading=lambda: _time("natslab", 0.0, loading=True),
    )

    def row(what: str, name: str, by_hand: str, limit: float | None = None) -> Row:
        mine, theirs = middle(found[name]), middle(found[by_hand])
        value = ratio(found[name], found[by_hand])
        more: dict[str, Any] = {
            "ours": f"{mine:.0f} ms", "bare": f"{theirs:.0f} ms",
            "samples": {k: found[k] for k in (name, by_hand)},
        }  # fmt: skip
        if limit is None:
            return Row(what, value, "-", None, **more)
        return at_most(what, value, limit, **more)

    return [
        row("up to the first message", "natslab", "bare", 1.5),
        row("the same with %nats sub and %nats pub", "magics", "split"),
        row("the same from %load_ext / import nats on, no pause", "loading", "importing"),
    ]
