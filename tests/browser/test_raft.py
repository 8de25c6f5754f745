"""The raft view in a real JupyterLab, on three real servers: a click kills, and the election comes slowly;
a line across wires cuts them."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import expect

pytestmark = pytest.mark.browser

CELLS = [
    "%load_ext natslab\n%natslab up --servers 3\n"
    "%js stream add ORDERS --subjects orders.> --replicas 3 --defaults -q\n"
    "%js stream cluster step-down ORDERS --preferred n1 -q\n%nats pub orders.new x -J --count 3 -q",
    "%natslab view raft ORDERS",
    "%natslab down",
]
STAGE = ".natslab.nl"


def test_a_click_kills_a_leader_and_its_election_is_shown_slowly(notebook: Callable[..., Any]) -> None:
    nb = notebook("raft.ipynb", CELLS)
    nb.run(0)
    nb.run(1)
    page = nb.page
    stage = page.locator(STAGE)
    sentence = stage.locator("[data-key='sentence']")
    expect(sentence).to_contain_text("n1 leads", timeout=30_000)
    expect(stage.locator(".nl-band")).not_to_have_count(0)
    page.evaluate(
        """() => {
             window.seen = [];
             new MutationObserver(() => {
               const el = document.querySelector('.natslab.nl');
               const text = el.querySelector("[data-key='sentence']")?.textContent;
               const now = `${el.dataset.mode}: ${text}`;
               if (window.seen.at(-1) !== now) { window.seen.push(now); }
             }).observe(document.querySelector('.natslab.nl'), {
               subtree: true, childList: true, attributes: true
             });
           }"""
    )  # fmt: skip
    stage.locator("[data-key='srv/n1']").click()
    expect(stage.locator(".nl-menu")).to_be_visible()
    page.keyboard.press("k")
    expect(sentence).to_have_text(re.compile("n1, the leader, is dead"), timeout=15_000)
    expect(stage).to_have_attribute("data-mode", "replay", timeout=40_000)
    expect(stage).to_have_attribute("data-mode", "live", timeout=40_000)
    expect(sentence).to_have_text(re.compile(r"n[23] leads in term \d+; n1 is down\."))
    seen = page.evaluate("window.seen")
    slowly = [text for text in seen if text.startswith("replay: ")]
    assert any("asks for votes in term" in text for text in slowly), seen
    assert any("leads in term" in text for text in slowly), seen
    expect(stage.locator(".nl-sign")).not_to_have_count(0)
    stage.locator("[data-key='srv/n1']").click()
    stage.locator(".nl-menu").get_by_role("menuitem", name="Restart").click()
    expect(sentence).to_contain_text("all 3 have everything", timeout=40_000)
    nb.run(2)


ROUTES = """
import time
import natslab

def routes(name):
    reported = natslab.current().server(name).report("routez")
    return sorted({r["remote_name"] for r in reported.get("routes") or []})

end = time.monotonic() + 20
while (routes("n1"), routes("n2")) != ([], ["n3"]) and time.monotonic() < end:
    time.sleep(0.1)
print("routes", routes("n1"), routes("n2"), routes("n3"))
"""


def across(stage: Any, view: str) -> tuple[tuple[float, float], tuple[float, float]]:
    """Where a line begins and ends that parts n1 from the others, in a ring or in a row."""
    n1, n2, n3 = (stage.locator(f"[data-key='srv/n{i}']").bounding_box() for i in (1, 2, 3))
    if view == "topology":  # n2 stands beside it, and n3 behind n2: its wire goes below
        x = (n1["x"] + n1["width"] + n2["x"]) / 2
        return (x, n1["y"] - 10), (x, n1["y"] + 3 * n1["height"])
    y = (n1["y"] + n1["height"] + n2["y"]) / 2
    return (min(n2["x"], n3["x"]), y), (max(n2["x"], n3["x"]) + n2["width"], y)


@pytest.mark.parametrize("view", ["raft", "topology"])
def test_a_line_across_the_wires_of_a_server_cuts_it_off(notebook: Callable[..., Any], view: str) -> None:
    nb = notebook(f"cut-{view}.ipynb", [CELLS[0], f"%natslab view {view}", ROUTES, "%natslab down"])
    nb.run(0)
    nb.run(1)
    page = nb.page
    stage = page.locator(STAGE)
    expect(stage.locator("[data-key='srv/n3']")).to_be_visible(timeout=30_000)
    stage.locator(".nl-picture").scroll_into_view_if_needed()
    begin, end = across(stage, view)
    page.mouse.move(*begin)
    page.mouse.down()
    page.mouse.move(*end, steps=5)
    cuts = re.compile(r"natslab cut n1 n2\s+natslab cut n1 n3")
    expect(stage.locator(".nl-bubble")).to_have_text(cuts)
    page.mouse.up()
    notice = stage.locator(".nl-notice")
    expect(notice).to_contain_text("done", timeout=15_000)
    expect(notice.locator("code")).to_have_text(cuts)
    nb.run(2)
    expect(nb.cell(2).locator(".jp-OutputArea-output").last).to_have_text("routes [] ['n3'] ['n2']\n")
    nb.run(3)
