"""Views beside the notebook: put there by a line, a button and the palette; there again after a reload."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import expect

from tests.browser.jupyter import READY
from tests.browser.workbench.conftest import START, Bench

pytestmark = pytest.mark.browser

STAGES = """
import natslab, time
views = {v.name: v for v in natslab.current().views}
for _ in range(60):
    if not views["requests"].stages:
        break
    time.sleep(0.05)
{name: view.stages for name, view in views.items()}
"""

# JupyterLab saves its layout a little later.
LAID_OUT = """async () => {
  for (;;) {
    const { data } = await window.jupyterapp.serviceManager.workspaces.fetch('default');
    const layout = JSON.stringify(data['layout-restorer:data']?.main ?? null);
    if (['routing', 'requests', 'queue'].every(view => layout.match('beside.ipynb\\\\W+' + view))) {
      return;
    }
    await new Promise(resolve => setTimeout(resolve, 100));
  }
}"""


def test_views_stay_beside_the_notebook(bench: Callable[..., Bench]) -> None:
    filler = ["x = 1\n" * 30] * 4
    view, line = "%natslab view routing", "%natslab view requests --dock right"
    cells = [START, view, "%nats pub orders.new hello", line, "%natslab down", "%natslab up", STAGES]
    b = bench("beside.ipynb", [*cells, *filler])
    page = b.page
    for i in range(3):
        b.nb.run(i)
    inline = page.locator(".jp-Notebook .natslab.nl")
    docked = page.locator(".natslab-docked")

    # A button on the view, which says its line.
    inline.get_by_role("button", name="Show beside the notebook").click()
    routing = docked.filter(has=page.locator("[data-view='routing']"))
    expect(routing.locator("[data-key='sentence']")).to_contain_text("orders.new", timeout=20_000)
    expect(b.done.locator("code")).to_have_text("%natslab view routing --dock right")
    expect(routing.locator(".nl-dock")).to_be_hidden()

    # A line, whose output is only words.
    b.nb.run(3)
    expect(b.nb.cell(3)).to_contain_text("[requests] the live view, beside the notebook")
    requests = docked.filter(has=page.locator("[data-view='requests']"))
    expect(requests.locator("[data-key='sentence']")).to_contain_text("No request", timeout=20_000)
    expect(page.get_by_role("tab", name="Routing")).to_be_visible()

    # The palette.
    b.nb.command("apputils:activate-command-palette")
    page.locator(".lm-CommandPalette-input").fill("queue group beside")
    page.locator(".lm-CommandPalette-item", has_text="Queue group").first.click()
    expect(docked.filter(has=page.locator("[data-view='queue']"))).to_be_visible(timeout=20_000)
    expect(docked).to_have_count(3)

    # The notebook scrolls, the views stay, and they are live: all of a lab move together.
    page.evaluate(
        "() => { const nb = window.jupyterapp.shell.currentWidget;"
        " return nb.content.scrollToItem(nb.content.widgets.length - 1).then(() => null); }"
    )
    expect(routing.locator(".natslab.nl")).to_be_in_viewport()
    b.nb.run(2)
    routing.locator(".natslab.nl").focus()
    page.keyboard.press("Space")
    for one in (inline, routing.locator(".natslab.nl"), requests.locator(".natslab.nl")):
        expect(one).to_have_attribute("data-mode", "paused")
    page.keyboard.press("l")
    page.get_by_role("tab", name="beside.ipynb").click()

    # After a reload they are there again, with what the tape knows.
    b.nb.command("docmanager:save")
    page.wait_for_function("() => !window.jupyterapp.shell.currentWidget.context.model.dirty")
    page.evaluate(LAID_OUT)
    page.reload()
    expect(routing.locator("[data-key='sentence']")).to_contain_text("orders.new", timeout=60_000)
    expect(docked).to_have_count(3)
    expect(page.get_by_role("tab", name="Requests")).to_be_visible()
    page.evaluate(READY)

    # The lab goes: what was seen stays. The next one takes its place.
    b.nb.run(4)
    expect(routing.locator(".nl-pill")).to_have_text("ENDED", timeout=20_000)
    b.nb.run(5)
    expect(routing.locator(".nl-pill")).to_have_text("LIVE", timeout=20_000)
    expect(routing.locator("[data-key='sentence']")).not_to_contain_text("orders.new")

    # A closed one is let go of.
    page.get_by_role("tab", name="Requests").locator(".lm-TabBar-tabCloseIcon").click()
    expect(docked).to_have_count(2)
    b.nb.run(6)
    expect(b.nb.cell(6)).to_contain_text("'requests': 0")

    # Without its kernel it says why, and with it comes back.
    page.evaluate("() => window.jupyterapp.shell.currentWidget.sessionContext.session.kernel.restart()")
    expect(routing).to_have_count(0, timeout=20_000)
    sorry = docked.first.locator(".natslab-docked-sorry")
    expect(sorry).to_contain_text("natslab is not loaded", timeout=20_000)
    sorry.get_by_role("button", name="Load natslab").click()
    expect(sorry).to_contain_text("No lab in this kernel", timeout=20_000)
    sorry.get_by_role("button", name="Start a lab").click()
    expect(docked.locator(".nl-pill").first).to_have_text("LIVE", timeout=20_000)
    assert b.nb.faults == []
