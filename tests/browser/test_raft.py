"""The raft view in a real JupyterLab, on three real servers: a click kills, and the election comes slowly."""

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
