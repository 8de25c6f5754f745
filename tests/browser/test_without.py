"""JupyterLab without natslab's extension, as any place that only shows widgets: the views are all there."""

from __future__ import annotations

import pytest
from playwright.sync_api import Browser, expect

from tests.browser.jupyter import close_notebook, open_notebook, running

pytestmark = pytest.mark.browser

CELLS = [
    "%load_ext natslab\n%natslab up",
    "%natslab view topology",
    "%nats pub orders.new hello",
    "%natslab view routing --dock right",
]


def test_views_need_no_extension(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> None:
    with running(tmp_path_factory.mktemp("without"), without=("natslab",)) as jupyter:
        jupyter.put("plain.ipynb", CELLS)
        nb = open_notebook(browser, jupyter, "plain.ipynb")
        page = nb.page
        assert not page.evaluate("() => window.jupyterapp.commands.hasCommand('natslab:open')")
        for i in range(len(CELLS)):
            nb.run(i)
        expect(nb.cell(3)).to_contain_text("Nothing here shows views beside the notebook")
        routing = nb.cell(3).locator(".natslab.nl")
        expect(routing.locator("[data-key='sentence']")).to_contain_text("orders.new reached nobody")
        expect(routing.get_by_role("button", name="Show beside the notebook")).to_be_hidden()
        nb.run(2)
        expect(routing.locator(".nl-pill")).to_have_text("LIVE")

        topology = nb.cell(1).locator(".natslab.nl")
        topology.locator("[data-key='srv/n1/ring']").click()
        topology.get_by_role("menuitem", name="Freeze").click()
        expect(topology.locator("[data-key='sentence']")).to_contain_text("frozen")
        topology.focus()
        page.keyboard.press("Space")
        for view in (topology, routing):
            expect(view).to_have_attribute("data-mode", "paused")
        for theme in ("Dark", "Light"):
            nb.theme(f"JupyterLab {theme}")
            for view in (topology, routing):
                expect(view).to_have_class(f"natslab nl {theme.lower()}")
        assert nb.faults == []
        assert not [line for line in nb.console if line.startswith("error")]
        close_notebook(nb)
