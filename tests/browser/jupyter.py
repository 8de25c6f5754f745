"""A real JupyterLab with settings of its own, and a notebook open in it."""

from __future__ import annotations

import contextlib
import json
import os
import re
import secrets
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nbformat
from playwright.sync_api import Browser, Page

LESSONS = Path(__file__).parents[2] / "notebooks"
FLAGS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync",
    "--disable-background-networking", "--disable-component-update", "--disable-dev-shm-usage",
]  # fmt: skip
SETTINGS = {
    "apputils-extension/notification": {"fetchNews": "false", "checkForUpdates": False},
    # A completion that waits for a kernel whose cell runs is none at all.
    "completer-extension/manager": {"providerTimeout": 60_000},
}

READY = """async () => {
  const panel = window.jupyterapp.shell.currentWidget;
  await panel.context.ready; await panel.sessionContext.ready;
  await panel.sessionContext.session.kernel.info;
}"""
RUN = """async (i) => {
  const panel = window.jupyterapp.shell.currentWidget;
  panel.content.activeCellIndex = i; panel.content.deselectAll();
  await window.jupyterapp.commands.execute('notebook:run-cell');
}"""

# In the stack of an error: the extension, or the stage as a widget's module.
OURS = re.compile(r"extensions/natslab/|blob:")
PUT_AWAY = """async () => {
  for (const widget of [...window.jupyterapp.shell.widgets('main')]) {
    await widget.sessionContext?.shutdown?.();
    widget.dispose();
  }
  document.querySelectorAll('.jp-Dialog .jp-mod-accept').forEach(button => button.click());
}"""


def chromium() -> str | None:
    """The browser: NATSLAB_CHROMIUM, or chromium on the path."""
    return os.environ.get("NATSLAB_CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")


@dataclass
class Jupyter:
    """A running JupyterLab, or Notebook 7."""

    url: str
    token: str
    docs: Path
    pages: str = "lab/tree"  # where a notebook of the docs folder is shown

    def put(self, name: str, cells: list[str]) -> None:
        """Write a notebook of code cells."""
        notebook = nbformat.v4.new_notebook(
            cells=[nbformat.v4.new_code_cell(c) for c in cells],
            metadata={"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}},
        )
        nbformat.write(notebook, self.docs / name)


@contextlib.contextmanager
def running(root: Path, app: str = "jupyterlab", without: tuple[str, ...] = ()) -> Iterator[Jupyter]:
    """JupyterLab (or `app` "notebook") on a copy of the lessons, everything of it below `root`.

    `without` names extensions that are switched off.
    """
    docs = root / "docs"
    shutil.copytree(LESSONS, docs, ignore=shutil.ignore_patterns(".ipynb_checkpoints"))
    for place, settings in SETTINGS.items():
        path = root / "settings" / "@jupyterlab" / f"{place}.jupyterlab-settings"
        path.parent.mkdir(parents=True)
        path.write_text(json.dumps(settings))
    switches = root / "config" / "labconfig"
    switches.mkdir(parents=True)
    (switches / "page_config.json").write_text(
        json.dumps({"disabledExtensions": dict.fromkeys(without, True)})
    )
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        port = s.getsockname()[1]
    token, url = secrets.token_hex(16), f"http://127.0.0.1:{port}"
    env = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(p for p in sys.path if p),
        "JUPYTER_CONFIG_DIR": str(root / "config"),
        "JUPYTER_RUNTIME_DIR": str(root / "runtime"),
        "JUPYTERLAB_SETTINGS_DIR": str(root / "settings"),
        "JUPYTERLAB_WORKSPACES_DIR": str(root / "workspaces"),
        "JUPYTER_PLATFORM_DIRS": "1",
        "IPYTHONDIR": str(root / "ipython"),
    }
    arguments = [
        sys.executable, "-m", app, "--no-browser", "--allow-root",
        f"--ServerApp.port={port}", "--ServerApp.port_retries=0", f"--IdentityProvider.token={token}",
        f"--ServerApp.root_dir={docs}", "--LabApp.expose_app_in_browser=True",
        "--JupyterNotebookApp.expose_app_in_browser=True",
        "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate",
    ]  # fmt: skip
    log = root / "jupyter.log"
    with log.open("w") as out:
        process = subprocess.Popen(arguments, env=env, cwd=docs, stdout=out, stderr=subprocess.STDOUT)
    try:
        end = time.monotonic() + 60
        while True:
            try:
                urllib.request.urlopen(f"{url}/api?token={token}", timeout=1).read()
                break
            except OSError:
                if process.poll() is not None or time.monotonic() > end:
                    said = log.read_text()[-3000:]
                    raise RuntimeError(f"JupyterLab did not start:\n{said}") from None
                time.sleep(0.1)
        yield Jupyter(url, token, docs, "lab/tree" if app == "jupyterlab" else "notebooks")
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


@dataclass
class Notebook:
    """A notebook open in JupyterLab."""

    page: Page
    name: str
    console: list[str]

    @property
    def faults(self) -> list[str]:
        """Uncaught errors that something of ours took part in: JupyterLab has some of its own."""
        return [line for line in self.console if line.startswith("pageerror") and OURS.search(line)]

    def run(self, index: int) -> None:
        """Run the cell and wait for its reply."""
        self.page.evaluate(RUN, index)

    def start(self, index: int) -> None:
        """Run the cell without waiting."""
        self.page.evaluate(RUN.replace("async (i)", "(i)").replace("await ", ""), index)

    def cell(self, index: int) -> Any:
        return self.page.locator(".jp-Notebook .jp-Cell").nth(index)

    def command(self, name: str, **args: Any) -> None:
        self.page.evaluate(
            "async ([n, a]) => { await window.jupyterapp.commands.execute(n, a); }", [name, args]
        )

    def theme(self, name: str) -> None:
        """JupyterLab Light or JupyterLab Dark."""
        self.command("apputils:change-theme", theme=name)
        light = "false" if "Dark" in name else "true"
        self.page.wait_for_function(f"() => document.body.dataset.jpThemeLight === '{light}'")


def open_notebook(
    browser: Browser, jupyter: Jupyter, name: str, width: int = 1400, scale: float = 1
) -> Notebook:
    """Open a notebook of the docs folder and wait until its kernel answers."""
    page = browser.new_page(viewport={"width": width, "height": 1000}, device_scale_factor=scale)
    console: list[str] = []
    page.on("console", lambda m: console.append(f"{m.type}: {m.text}"))
    page.on("pageerror", lambda e: console.append(f"pageerror: {e} {e.stack}"))
    page.goto(f"{jupyter.url}/{jupyter.pages}/{name}?reset&token={jupyter.token}")
    page.wait_for_selector(".jp-Notebook .jp-Cell", timeout=60_000)
    page.wait_for_function("() => window.jupyterapp?.shell?.currentWidget?.sessionContext")
    page.evaluate(READY)
    return Notebook(page, name, console)


def next_notebook(before: Notebook, name: str) -> Notebook:
    """Open another notebook in the same page, after `put_away`, and wait until its kernel answers."""
    page = before.page
    before.console.clear()
    before.command("docmanager:open", path=name)
    page.wait_for_function("p => window.jupyterapp.shell.currentWidget?.context?.path === p", arg=name)
    page.evaluate(READY)
    return Notebook(page, name, before.console)


def put_away(notebook: Notebook) -> None:
    """End the kernels of a page, and close all that is open in its main area; nothing is saved."""
    notebook.page.evaluate(PUT_AWAY)


def close_notebook(notebook: Notebook) -> None:
    """End its kernel, or servers pile up, and close the page."""
    with contextlib.suppress(Exception):
        notebook.page.evaluate(
            "async () => { const w = window.jupyterapp?.shell?.currentWidget;"
            " await w?.sessionContext?.shutdown?.(); }"
        )
    notebook.page.close()
