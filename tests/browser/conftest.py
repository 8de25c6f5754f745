"""A real browser, and a real JupyterLab for those tests that ask for one."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Browser, sync_playwright

from tests.browser.jupyter import FLAGS, Jupyter, Notebook, chromium, close_notebook, open_notebook, running


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    program = chromium()
    if program is None:
        if os.environ.get("CI"):
            pytest.fail("There is no Chromium on this machine. CI installs it: see .ci/run.")
        pytest.skip("There is no Chromium here: install it, or name it in NATSLAB_CHROMIUM.")
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=program, headless=True, args=FLAGS)
        yield launched
        launched.close()


@pytest.fixture(scope="session")
def jupyter(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Jupyter]:
    """One JupyterLab for all tests."""
    with running(tmp_path_factory.mktemp("jupyter")) as started:
        yield started


@pytest.fixture
def notebook(browser: Browser, jupyter: Jupyter) -> Iterator[Callable[..., Notebook]]:
    """Open a notebook of the docs folder: `notebook("01.ipynb")` or `notebook("x.ipynb", ["cell", ...])`."""
    opened: list[Notebook] = []

    def go(name: str, cells: list[str] | None = None, width: int = 1400) -> Notebook:
        if cells is not None:
            jupyter.put(name, cells)
        opened.append(open_notebook(browser, jupyter, name, width))
        return opened[-1]

    yield go
    for one in opened:
        close_notebook(one)
