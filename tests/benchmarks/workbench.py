"""What the workbench costs a page of JupyterLab: bytes to fetch, and main-thread time while it loads."""

from __future__ import annotations

import gzip
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Any

from tests.benchmarks.measure import ROOT, Row, at_most, middle

LOADS = 5
BUILT = ROOT / "natslab" / "labextension" / "static"
HOME = ROOT / "labextension"


def _released() -> bool:
    """Whether what is built is what ships; what is built for development is larger and has source maps."""
    return BUILT.is_dir() and not list(BUILT.glob("*.map"))


def _build() -> str:
    """Build what ships; "" when that went well."""
    node = shutil.which("node")
    if node is None or not (HOME / "node_modules").is_dir():
        return "needs node and labextension/node_modules"
    done = subprocess.run([node, "scripts/build.mjs"], cwd=HOME, capture_output=True, text=True, check=False)
    return "" if done.returncode == 0 else done.stderr[-200:]


def _size() -> float:
    """Kilobytes of all scripts and styles, as a server sends them."""
    return sum(len(gzip.compress(p.read_bytes(), 6)) for p in BUILT.glob("*.js")) / 1000


def _ours(profile: dict[str, Any]) -> float:
    """Milliseconds in which something of ours was on the stack."""
    nodes = {node["id"]: node for node in profile["nodes"]}
    parent = {child: node["id"] for node in nodes.values() for child in node.get("children", ())}
    mine: dict[int, bool] = {}

    def is_mine(number: int) -> bool:
        if number not in mine:
            here = "/extensions/natslab/" in nodes[number]["callFrame"]["url"]
            mine[number] = here or (number in parent and is_mine(parent[number]))
        return mine[number]

    pairs = zip(profile["samples"], profile["timeDeltas"], strict=True)
    return sum(delta for number, delta in pairs if is_mine(number)) / 1000


def _loads() -> list[float]:
    from playwright.sync_api import sync_playwright

    from tests.browser.jupyter import FLAGS, chromium, running

    program = chromium()
    if program is None:
        return []
    found = []
    with (
        tempfile.TemporaryDirectory() as folder,
        running(Path(folder)) as jupyter,
        sync_playwright() as playwright,
    ):
        browser = playwright.chromium.launch(executable_path=program, headless=True, args=FLAGS)
        for _ in range(LOADS):
            page = browser.new_page()
            session = page.context.new_cdp_session(page)
            session.send("Profiler.enable")
            session.send("Profiler.setSamplingInterval", {"interval": 100})
            session.send("Profiler.start")
            page.goto(f"{jupyter.url}/lab?reset&token={jupyter.token}")
            page.wait_for_function(
                "() => window.jupyterapp?.commands?.hasCommand('natslab:open')", timeout=60_000
            )
            page.evaluate("() => window.jupyterapp.restored.then(() => null)")
            page.wait_for_timeout(1000)
            found.append(_ours(session.send("Profiler.stop")["profile"]))
            page.close()
        browser.close()
    return found


def run() -> list[Row]:
    """Measure."""
    size = "workbench, gzipped"
    load = "workbench, main thread while JupyterLab loads"
    trouble = "" if _released() else _build()
    if trouble:
        return [
            Row(what, None, aim, None, note=trouble)
            for what, aim in ((size, "<= 150 kB"), (load, "<= 50 ms"))
        ]
    rows = [at_most(size, _size(), 150, "kB", note=f"{len(list(BUILT.glob('*.js')))} files")]
    times = _loads()
    if times:
        rows.append(at_most(load, middle(times), 50, "ms", samples={"ms": times}))
    else:
        rows.append(Row(load, None, "<= 50 ms", None, note="no Chromium"))
    return rows
