"""Hours of a panel in minutes: thousands of updates and many docked views leave nothing behind."""

from __future__ import annotations

import ast
from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import expect

from tests.browser.workbench.conftest import START, Bench

pytestmark = pytest.mark.browser

# Every snapshot differs from the one before, and they come as fast as they can be made.
FAST = """
import gc, itertools, resource, time
from natslab.magics import register
from natslab.magics.panel import hub as hubs
hub = register._loaded._door.hub()
hubs.SHARE = 0.9
snapshot, ticks = hub.snapshot, itertools.count()
hub.snapshot = lambda: {**snapshot(), "rate": {"in": next(ticks), "out": 1}}
def updates(count):
    for panel in hub._panels.values():
        panel.period = 0.004
    end = hub._seq + count
    while hub._seq < end:
        hubs.loop().post(hub._dirty.set)
        time.sleep(0.002)
    gc.collect()
    pages = open("/proc/self/statm").read().split()[1]
    views = {v.name: v.stages for v in hub._facts.lab.views}
    comms = len(get_ipython().kernel.comm_manager.comms)
    return [int(pages) * resource.getpagesize() // 1000, comms, len(hub._docked), sum(views.values())]
"""
MB = 1_000_000


@pytest.mark.parametrize(
    ("updates", "docks"),
    [(150, 2), pytest.param(10_000, 60, marks=[pytest.mark.soak, pytest.mark.timeout(900)])],
)
@pytest.mark.usefixtures("own_page")
def test_nothing_is_left_behind(bench: Callable[..., Bench], updates: int, docks: int) -> None:
    cells = [START, FAST, "updates(100)", f"updates({updates})"]
    b = bench(f"soak-{updates}.ipynb", cells)
    page = b.page
    session = page.context.new_cdp_session(page)

    def browser() -> tuple[int, int, int]:
        """Bytes of the heap, nodes of the document, listeners; after the garbage is gone."""
        for _ in range(3):
            session.send("HeapProfiler.collectGarbage")
        counters = session.send("Memory.getDOMCounters")
        heap = session.send("Runtime.getHeapUsage")
        return int(heap["usedSize"]), counters["nodes"], counters["jsEventListeners"]

    def kernel(cell: int) -> list[int]:
        b.nb.run(cell)
        return list(ast.literal_eval(b.nb.cell(cell).locator(".jp-OutputArea-output").inner_text()))

    def docked_left() -> int:
        """Views beside the notebook that are kept somewhere although they were closed."""
        kept = session.send("Runtime.evaluate", {"expression": "window.dockedPrototype"})["result"][
            "objectId"
        ]
        found = session.send("Runtime.queryObjects", {"prototypeObjectId": kept})["objects"]["objectId"]
        length = {"functionDeclaration": "function () { return this.length }", "returnByValue": True}
        counted = session.send("Runtime.callFunctionOn", {"objectId": found, **length})
        return int(counted["result"]["value"])

    def dock() -> None:
        page.evaluate(
            "() => window.jupyterapp.commands.execute('natslab:dock', { view: 'routing' }).then(() => null)"
        )
        docked = page.locator(".natslab-docked")
        expect(docked.locator(".nl-pill")).to_have_text("LIVE", timeout=20_000)
        page.evaluate(
            "() => { for (const w of window.jupyterapp.shell.widgets('main'))"
            " if (w.content?.docking) window.dockedPrototype = Object.getPrototypeOf(w.content); }"
        )
        page.get_by_role("tab", name="Routing").locator(".lm-TabBar-tabCloseIcon").click()
        expect(docked).to_have_count(0)

    b.nb.run(0)
    b.up()
    b.nb.run(1)
    dock()  # what is made once is made now
    rss, comms, *_ = kernel(2)
    heap, nodes, listeners = browser()
    for _ in range(docks):
        dock()
    after: Any = kernel(3)
    assert after[1:] == [comms, 0, 0], "comms, views beside the notebook, stages"
    assert after[0] - rss < 30_000, "kB of the kernel"
    heap_after, nodes_after, listeners_after = browser()
    assert heap_after - heap < 8 * MB
    # JupyterLab itself keeps about a hundred nodes of a tab that was closed, and listeners of an output.
    assert nodes_after - nodes < 1000 + 150 * docks
    assert listeners_after - listeners < 1000 + 30 * docks
    assert docked_left() == 0
    assert b.nb.faults == []
