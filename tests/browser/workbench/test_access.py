"""The workbench for everybody: axe-core finds nothing serious, the keyboard reaches everything."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.browser.workbench.conftest import START, Bench

pytestmark = pytest.mark.browser

AXE = Path(__file__).parents[3] / "labextension" / "node_modules" / "axe-core" / "axe.min.js"
MANY = """
%js stream add ORDERS --subjects 'orders.>' --defaults -q
%js consumer add ORDERS billing --pull --defaults -q
%js kv add CFG -q
%nats sub 'foo.>' --as audit -q
%natslab view routing --dock right
"""
RUN = """async where => {
  const { violations } = await axe.run(where, { resultTypes: ['violations'] });
  return violations
    .filter(v => ['serious', 'critical'].includes(v.impact))
    .flatMap(v => v.nodes.map(n => `${v.id}: ${n.failureSummary} ${n.html.slice(0, 200)}`));
}"""

STILL = """async () => {
  const ending = document.getAnimations().filter(a => a.effect.getComputedTiming().endTime < 5000);
  await Promise.allSettled(ending.map(a => a.finished));
}"""


def serious(page: Page, *where: str) -> Any:
    return page.evaluate(RUN, {"include": [[w] for w in where]})


def test_nothing_serious_in_any_theme(bench: Callable[..., Bench]) -> None:
    if not AXE.is_file():
        pytest.skip("axe-core is not installed: cd labextension && npm ci")
    b = bench("access.ipynb", [START, MANY])
    page = b.page
    page.add_script_tag(path=str(AXE))
    expect(b.sorry).to_be_visible(timeout=20_000)
    assert serious(page, ".natslab-panel") == []
    b.nb.run(0)
    b.nb.run(1)
    b.up()
    expect(page.locator(".natslab-docked .nl-pill")).to_be_visible(timeout=20_000)
    expect(b.row("consumer-billing")).to_be_visible(timeout=20_000)
    b.row("stream-ORDERS").get_by_role("button", name="ORDERS", exact=True).click()
    b.button("All views").click()
    b.button("Freeze n1").click()
    expect(b.panel.get_by_role("alert")).to_be_visible()
    try:
        for theme in ("JupyterLab Dark", "JupyterLab Dark High Contrast", "JupyterLab Light"):
            b.nb.theme(theme)
            page.mouse.move(5, 5)
            page.evaluate(STILL)
            found = serious(
                page, ".natslab-panel", ".natslab-docked", ".natslab-status-item", ".cm-nats-plain"
            )
            assert found == [], theme
    finally:
        b.nb.theme("JupyterLab Light")
    b.button("Let n1 go on").click()


@pytest.mark.usefixtures("own_page")
def test_the_keyboard_reaches_everything_at_any_size(bench: Callable[..., Bench]) -> None:
    b = bench("keys.ipynb", [START, "%natslab view routing"])
    page = b.page
    b.nb.run(0)
    b.nb.run(1)
    b.up()
    page.keyboard.press("Alt+Shift+N")
    names: list[str] = []
    b.panel.get_by_role("button").first.focus()
    for _ in range(60):
        name = page.evaluate(
            "() => { const e = document.activeElement;"
            " return e.closest('.natslab-panel') ? e.getAttribute('aria-label') || e.textContent : null }"
        )
        if name is None:
            break
        names.append(name)
        page.keyboard.press("Tab")
    for want in (
        "Stop the lab",
        "Servers1",
        "Freeze n1",
        "Kill n1",
        "Restart n1",
        "All views",
        "00Meet the lab",
    ):
        assert want in names, (want, names)
    # A section closes and opens by its key, and remembers that.
    fold = b.panel.locator("[data-section='servers'] .nlp-fold")
    fold.focus()
    page.keyboard.press("Enter")
    expect(fold).to_have_attribute("aria-expanded", "false")
    expect(b.button("Freeze n1")).to_be_hidden()
    page.keyboard.press("Enter")
    b.button("Freeze n1").focus()
    page.keyboard.press("Space")
    expect(b.row("server-n1")).to_contain_text("frozen")
    b.button("Let n1 go on").press("Enter")
    expect(b.row("server-n1")).not_to_contain_text("frozen")

    # At a projector's size nothing sticks out, and it works in the system's own colours.
    page.evaluate("() => { document.documentElement.style.setProperty('--natslab-scale', '1.6'); }")
    page.evaluate("() => document.dispatchEvent(new Event('natslab:wishes'))")
    stage = page.locator(".natslab.nl")
    assert float(stage.evaluate("e => parseFloat(e.style.getPropertyValue('--u'))")) >= 1.6
    width = b.panel.evaluate("e => [e.scrollWidth, e.clientWidth]")
    assert width[0] <= width[1]
    page.emulate_media(forced_colors="active")
    expect(b.button("Freeze n1")).to_be_visible()
