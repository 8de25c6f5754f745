"""The workbench in a real JupyterLab: its panel, found by what a person reads."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Locator

from tests.browser.jupyter import Jupyter, Notebook, close_notebook, open_notebook

START = "%load_ext natslab\n%natslab up"


class Bench:
    """A notebook with the panel open at its left."""

    def __init__(self, notebook: Notebook) -> None:
        self.nb = notebook
        self.page = notebook.page
        notebook.command("natslab:open")
        self.panel.wait_for()

    @property
    def panel(self) -> Locator:
        return self.page.locator(".natslab-panel")

    def row(self, name: str) -> Locator:
        """A row by its test id, e.g. server-n1."""
        return self.panel.locator(f"[data-testid='{name}']")

    def button(self, name: str) -> Locator:
        return self.panel.get_by_role("button", name=name, exact=True)

    @property
    def done(self) -> Locator:
        """The newest line of what was clicked."""
        return self.panel.locator("[data-testid='done']").first

    @property
    def sorry(self) -> Locator:
        return self.panel.locator("[data-testid='sorry']")

    def phase(self, phase: str) -> None:
        """Until the panel is in that phase."""
        self.panel.locator(f".nlp-root[data-phase='{phase}']").wait_for(timeout=20_000)

    def up(self) -> None:
        """Until it shows a lab."""
        self.panel.locator(".nlp-root[data-lab='up']").wait_for(timeout=20_000)


@pytest.fixture
def bench(browser: Browser, jupyter: Jupyter) -> Iterator[Callable[..., Bench]]:
    """Open a notebook with the panel: `bench("x.ipynb", ["cell", ...])`."""
    opened: list[Notebook] = []

    def go(name: str, cells: list[str] | None = None, **more: Any) -> Bench:
        if cells is not None:
            jupyter.put(name, cells)
        opened.append(open_notebook(browser, jupyter, name, **more))
        return Bench(opened[-1])

    yield go
    for one in opened:
        close_notebook(one)
