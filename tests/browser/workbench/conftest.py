"""The workbench in a real JupyterLab: its panel, found by what a person reads."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Browser, Locator

from tests.browser.jupyter import (
    Jupyter,
    Notebook,
    close_notebook,
    next_notebook,
    open_notebook,
    put_away,
)

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


class Desk:
    """One page of JupyterLab for many tests: to load it takes longer than most of them."""

    def __init__(self, browser: Browser, jupyter: Jupyter) -> None:
        self._browser = browser
        self._jupyter = jupyter
        self._notebook: Notebook | None = None

    def open(self, name: str) -> Notebook:
        before = self._notebook
        self._notebook = (
            open_notebook(self._browser, self._jupyter, name)
            if before is None
            else next_notebook(before, name)
        )
        return self._notebook

    def clear(self, well: bool) -> None:
        """Make room for the next test; what a failure has left behind is not for it."""
        if self._notebook is not None:
            if well:
                put_away(self._notebook)
            else:
                self.close()

    def close(self) -> None:
        if self._notebook is not None:
            close_notebook(self._notebook)
            self._notebook = None


@pytest.fixture(scope="session")
def desk(browser: Browser, jupyter: Jupyter) -> Iterator[Desk]:
    made = Desk(browser, jupyter)
    yield made
    made.close()


@pytest.fixture
def bench(request: pytest.FixtureRequest, desk: Desk, jupyter: Jupyter) -> Iterator[Callable[..., Bench]]:
    """Open a notebook with the panel: `bench("x.ipynb", ["cell", ...])`."""
    failed = request.session.testsfailed

    def go(name: str, cells: list[str] | None = None) -> Bench:
        if cells is not None:
            jupyter.put(name, cells)
        return Bench(desk.open(name))

    yield go
    desk.clear(request.session.testsfailed == failed)


@pytest.fixture
def own_page(desk: Desk) -> Iterator[None]:
    """The test gets a page that nobody used before it, and nobody uses after it."""
    desk.close()
    yield
    desk.close()
