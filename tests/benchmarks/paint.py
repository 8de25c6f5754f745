"""From a message to the pixels: real JupyterLab in Chromium, every view open, one after the other on screen.

A message's clock starts when it was published (its Pub on the tape), in the acks view when it was acked
(its Ack), and ends when the browser has painted
the first frame that knows it; the stage tells that moment while its trait `measure` is set. Both clocks are
this machine's.
"""

from __future__ import annotations

import json
import shutil
import statistics
import tempfile
import time
from pathlib import Path

from natslab.views.scene import STATIC
from tests.benchmarks.measure import Row, at_most

MESSAGES = 100
AIM = 200  # ms
NAMES = ["routing", "queue", "requests", "acks"]

SETUP = """
%load_ext natslab
%natslab up
import asyncio, json, os, random, natslab
from natslab.tape.event import Ack, Pub
lab = natslab.current()
painted, sent = {}, {}
def measure(name):
    seen, told = painted.setdefault(name, []), sent.setdefault(name, [])
    stage = lab.view(name).widget()
    stage.measure = True
    out, heard = stage.frames._out, stage.frames._heard
    def send(frame):
        if "seq" in frame:
            told.append((frame["seq"], frame["cursor"]["n"]))
        out(frame)
    def hear(message):
        if message["op"] == "painted":
            seen.append((message["seq"], message["at"] / 1000))
        heard(message)
    stage.frames._out, stage.frames._heard = send, hear
    return lab.view(name)
"""
MESSAGES_CELL = """
async def busy(count, name):
    shop, desk, audit = [await lab.connect(n) for n in ("shop", "desk", "audit")]
    async def take(msg):
        pass
    await desk.subscribe("orders.*", queue="desk", cb=take)
    await audit.subscribe("orders.>", cb=take)
    await asyncio.sleep(1)
    first = lab.tape.head
    for i in range(count):
        await shop.publish(f"orders.{{i % 5}}", b"order")
        await asyncio.sleep(random.uniform(0.02, 0.15))
    await asyncio.sleep(2)
    for client in (shop, desk, audit):
        await client.close()
    told = lab.tape.between(first, lab.tape.head)
    keep(name, [e for e in told if isinstance(e, Pub) and e.client == "shop"])

async def acking(count, name):
    worker = await lab.connect("worker")
    js = worker.jetstream()
    await js.add_stream(name="PAINT", subjects=["paint.>"])
    await js.add_consumer("PAINT", durable_name="worker", ack_policy="explicit")
    for i in range(count):
        await js.publish("paint.a", b"job")
    sub = await js.pull_subscribe_bind("worker", stream="PAINT")
    msgs = await sub.fetch(count, timeout=5)
    await asyncio.sleep(2)
    first = lab.tape.head
    for msg in msgs:
        await msg.ack()
        await asyncio.sleep(random.uniform(0.02, 0.15))
    await asyncio.sleep(2)
    await worker.close()
    keep(name, [e for e in lab.tape.between(first, lab.tape.head) if isinstance(e, Ack)])

def keep(name, events):
    delays = []
    for e in events:
        seq = next((s for s, n in sent[name] if n >= e.n), None)
        at = next((t for s, t in painted[name] if seq is not None and s >= seq), None)
        delays.append(None if at is None else at - (lab.tape.started + e.t))
    with open(f"{{name}}.tmp", "w") as file:
        json.dump(delays, file)
    os.rename(f"{{name}}.tmp", f"{{name}}.json")

await {what}({count}, {name!r})
"""


def run() -> list[Row]:
    """Measure."""
    try:
        from playwright.sync_api import sync_playwright

        from tests.browser.jupyter import FLAGS, chromium, close_notebook, open_notebook, running
    except ImportError as e:
        return [_left_out(f"{e.name} is not installed")]
    program = chromium()
    if program is None:
        return [_left_out("there is no Chromium here")]
    if not (STATIC / "stage.js").exists():
        return [_left_out("the stage is not built: python hatch_build.py")]
    names = NAMES
    cells = [SETUP, *(f"measure({name!r})" for name in names)]
    cells += [
        MESSAGES_CELL.format(count=MESSAGES, name=name, what="acking" if name == "acks" else "busy")
        for name in names
    ]
    root = Path(tempfile.mkdtemp(prefix="natslab-bench-"))
    delays: dict[str, list[float | None]] = {}
    try:
        with running(root) as jupyter, sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=program, headless=True, args=FLAGS)
            jupyter.put("paint.ipynb", cells)
            notebook = open_notebook(browser, jupyter, "paint.ipynb")
            notebook.run(0)
            pictures = {}
            for i, name in enumerate(names, 1):
                notebook.run(i)
                pictures[name] = notebook.page.locator(f'.natslab[data-view="{name}"] svg.nl-picture')
                pictures[name].wait_for(timeout=30_000)
            for i, name in enumerate(names, 1 + len(names)):
                notebook.start(i)
                pictures[name].scroll_into_view_if_needed()
                told = jupyter.docs / f"{name}.json"
                end = time.monotonic() + 120
                while not told.exists():
                    if time.monotonic() > end:
                        raise RuntimeError(f"No messages were measured: {notebook.console[-5:]}")
                    notebook.page.wait_for_timeout(200)
                delays[name] = json.loads(told.read_text())
            close_notebook(notebook)
            browser.close()
    finally:
        shutil.rmtree(root, ignore_errors=True)
    rows = []
    for name in names:
        found = [d * 1000 for d in delays[name] if d is not None]
        lost = MESSAGES - len(found)
        if len(found) < MESSAGES / 2:
            rows.append(
                Row(
                    f"{_what(name)} to paint, {name}", None, f"<= {AIM} ms", False, note=f"{lost} not painted"
                )
            )
            continue
        tail = statistics.quantiles(found, n=20)[-1]
        rows.append(
            at_most(
                f"{_what(name)} to paint, 95 of 100, {name}", tail, AIM, "ms",
                note=f"median {statistics.median(found):.0f}, slowest {max(found):.0f} ms"
                + (f", {lost} not painted" if lost else ""),
                samples={"ms": found},
            )
        )  # fmt: skip
    return rows


def _what(name: str) -> str:
    return "ack" if name == "acks" else "message"


def _left_out(why: str) -> Row:
    return Row("message to paint", None, f"<= {AIM} ms", None, note=f"left out: {why}")
