"""How somebody begins: launcher, palette, menu, settings."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import expect

from tests.browser.workbench.conftest import Bench

pytestmark = pytest.mark.browser


def test_launcher_palette_menu_and_settings(bench: Callable[..., Bench]) -> None:
    b = bench("begin.ipynb", ["1"])
    page = b.page
    # Settings: bigger type, and a lab as soon as natslab is loaded.
    before = b.panel.evaluate("e => getComputedStyle(e).fontSize")
    b.nb.command("settingeditor:open", query="NATS")
    page.get_by_label("Start a lab with natslab").check(timeout=20_000)
    scale = page.locator("[id='jp-SettingsEditor-natslab:plugin_fontScale']")
    scale.fill("1.5")
    scale.press("Tab")
    page.wait_for_function(
        "b => getComputedStyle(document.querySelector('.natslab-panel')).fontSize !== b", arg=before
    )

    # The launcher's section.
    b.nb.command("launcher:create")
    section = page.locator(".jp-Launcher-section", has=page.get_by_role("heading", name="NATS"))
    expect(section.locator(".jp-LauncherCard")).to_have_text(
        ["NATS lessons", "Empty lab notebook", "Cluster lab notebook"]
    )
    section.get_by_text("Empty lab notebook").click()
    page.wait_for_function(
        "() => window.jupyterapp.shell.currentWidget?.context?.path?.startsWith('Untitled')", timeout=20_000
    )
    page.wait_for_function(
        "() => window.jupyterapp.shell.currentWidget.sessionContext?.session?.kernel?.status === 'idle'",
        timeout=30_000,
    )
    source = page.evaluate(
        "() => window.jupyterapp.shell.currentWidget.content.widgets[0].model.sharedModel.source"
    )
    assert source == "%load_ext natslab\n%natslab up"
    b.button("Load natslab").click()
    b.up()  # by itself, as the setting says

    # The palette and the menu know the same commands.
    b.nb.command("apputils:activate-command-palette")
    page.locator(".lm-CommandPalette-input").fill("nats")
    for label in ("NATS lessons", "New NATS cluster notebook", "Stop the NATS lab of this notebook"):
        expect(page.locator(".lm-CommandPalette-itemLabel", has_text=label).first).to_be_visible()
    page.keyboard.press("Escape")
    page.locator(".lm-MenuBar-itemLabel", has_text="NATS").click()
    menu = page.locator(".lm-Menu")
    expect(menu).to_contain_text("NATS panel")
    menu.get_by_text("Stop the NATS lab of this notebook").click()
    expect(b.sorry).to_contain_text("No lab in this kernel.")
    page.evaluate("() => window.jupyterapp.shell.currentWidget.sessionContext.shutdown()")
