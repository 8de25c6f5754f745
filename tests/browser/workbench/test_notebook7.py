"""Notebook 7 gets what applies there: panel, editing, views at the side; it has no launcher."""

from __future__ import annotations

import importlib.util

import pytest
from playwright.sync_api import Browser, expect

from tests.browser.jupyter import close_notebook, open_notebook, running
from tests.browser.workbench.conftest import START, Bench

pytestmark = pytest.mark.browser


def test_the_workbench_in_notebook_7(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> None:
    if importlib.util.find_spec("notebook") is None:
        pytest.skip("Notebook 7 is not installed: pip install 'natslab[test]'")
    with running(tmp_path_factory.mktemp("notebook"), "notebook") as jupyter:
        jupyter.put("seven.ipynb", [START, "%nats pub a b --cuont 3", "%natslab view routing --dock right"])
        nb = open_notebook(browser, jupyter, "seven.ipynb")
        b = Bench(nb)
        expect(b.sorry).to_contain_text("natslab is not loaded", timeout=20_000)
        nb.run(0)
        b.up()
        expect(nb.cell(1).locator(".cm-nats-wrong").first).to_be_visible()
        b.button("Freeze n1").click()
        expect(b.row("server-n1")).to_contain_text("frozen")
        b.button("Let n1 go on").click()
        nb.run(2)
        docked = b.page.locator(".natslab-docked")
        expect(docked.locator(".nl-pill")).to_have_text("LIVE", timeout=20_000)
        b.page.locator(".lm-MenuBar-itemLabel", has_text="NATS").click()
        b.page.get_by_text("Stop the NATS lab of this notebook").click()
        expect(b.sorry).to_contain_text("No lab in this kernel.")
        assert nb.faults == []
        close_notebook(nb)
