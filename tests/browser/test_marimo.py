"""The views in marimo, where that is installed: plain Python, no magics, and a click acts."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

pytestmark = [pytest.mark.browser, pytest.mark.soak]

APP = """
import marimo

app = marimo.App()


@app.cell
def _():
    import natslab
    lab = natslab.Lab.up()
    return (lab,)


@app.cell
async def _(lab):
    shop = await lab.connect("shop")
    await shop.publish("orders.new", b"hello")


@app.cell
def _(lab):
    lab.view("routing")


@app.cell
def _(lab):
    lab.view("topology")
"""


def test_views_in_marimo(browser: Browser, tmp_path: Path) -> None:
    pytest.importorskip("marimo")
    (tmp_path / "app.py").write_text(APP)
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        port = s.getsockname()[1]
    config = tmp_path / "config" / "marimo"
    config.mkdir(parents=True)
    (config / "marimo.toml").write_text('[display]\ntheme = "dark"\n')
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(p for p in sys.path if p), "HOME": str(tmp_path)}
    env["XDG_CONFIG_HOME"] = str(config.parent)
    options = ["--headless", "--no-token", "--port", str(port)]
    command = [sys.executable, "-m", "marimo", "run", "app.py", *options]
    with (tmp_path / "log").open("w") as log:
        process = subprocess.Popen(command, env=env, cwd=tmp_path, stdout=log, stderr=log)
    page = browser.new_page()
    wrong: list[str] = []
    page.on("pageerror", lambda e: wrong.append(str(e)))
    page.on("console", lambda m: wrong.append(m.text) if m.type == "error" else None)
    try:
        for _ in range(300):
            with socket.socket() as s:
                if s.connect_ex(("127.0.0.1", port)) == 0:
                    break
            page.wait_for_timeout(100)
        page.goto(f"http://127.0.0.1:{port}/")
        routing = page.locator(".natslab.nl[data-view='routing']")
        topology = page.locator(".natslab.nl[data-view='topology']")
        expect(routing.locator("[data-key='sentence']")).to_contain_text("orders.new", timeout=30_000)
        for view in (routing, topology):
            expect(view).to_have_class(re.compile(r"\bdark\b"))
        topology.locator("[data-key='srv/n1/ring']").click()
        topology.get_by_role("menuitem", name="Kill").click()
        expect(topology.locator("[data-key='sentence']")).to_contain_text("No server is up.")
        assert wrong == []
    finally:
        page.close()
        process.terminate()
        process.wait(20)
