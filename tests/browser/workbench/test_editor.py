"""Editing lines of ours: colours, completion with descriptions, help, and what is wrong before it is run."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Locator, expect

from tests.browser.workbench.conftest import START, Bench

pytestmark = pytest.mark.browser

LINES = (
    "h = %nats sub 'orders.*.new' --queue workers --count 10  # all\nfor i in range(3): print('%nats pub')"
)
CONFIG = "%%js stream add ORDERS\nsubjects: ['orders.>']  # what it takes\nmax_msgs: 10"
CONF = '%%nats server config\njetstream { store_dir: "/data" }\nport: 4222'
BODY = '%%nats pub orders.new\n{"id": 17}'
SCRIPT = "%%nats script\nnats pub orders.new hello\nstream ls"
REPLY = "%%nats reply help\ndef handle(msg): return 'OK'"


def test_colours_completion_help_and_complaints(bench: Callable[..., Bench]) -> None:
    cells = [START, LINES, CONFIG, CONF, BODY, SCRIPT, REPLY, "import time; time.sleep(15)", "x = 1"]
    b = bench("editing.ipynb", cells)
    page = b.page

    def marked(cell: int, kind: str) -> str:
        # Python's own marks may cut ours into pieces.
        return "".join(b.nb.cell(cell).locator(f".cm-nats-{kind}").all_text_contents())

    # Without any kernel's help.
    expect(b.nb.cell(1).locator(".cm-nats-verb")).to_have_text(["sub"])
    assert marked(1, "magic") == "%nats" and marked(1, "flag") == "--queue--count"
    assert marked(1, "subject") == "ordersnew" and marked(1, "wildcard") == "*"
    assert marked(1, "number") == "10" and marked(1, "comment") == "# all"
    assert marked(2, "verb") == "streamadd" and marked(2, "key") == "subjectsmax_msgs"
    assert marked(2, "string") == "'orders.>'" and marked(2, "comment") == "# what it takes"
    assert marked(3, "key") == "jetstreamstore_dirport"
    assert marked(4, "key") == '"id"' and marked(4, "number") == "17"
    assert marked(5, "verb") == "scriptpubstreamls"
    assert marked(6, "verb") == "reply" and marked(6, "string") == ""
    colours = b.nb.cell(1).evaluate(
        "e => ['.cm-nats-verb', '.cm-nats-flag', '.cm-nats-subject', '.cm-nats-string', '.cm-nats-comment']"
        ".map(c => getComputedStyle(e.querySelector(c)).color)"
    )
    assert len(set(colours)) == 5

    b.nb.run(0)
    b.up()
    line = b.nb.cell(8).locator(".cm-content")

    def typed(text: str) -> None:
        line.click()
        page.keyboard.press("ControlOrMeta+a")
        page.keyboard.type(text)

    # A wrong flag is underlined, but not the word that is being typed.
    wrong = b.nb.cell(8).locator(".cm-nats-wrong")
    typed("%nats pub a b --cuont 3 --queu")
    expect(wrong).to_have_text("--cuont")
    wrong.hover()
    tip = page.locator(".cm-nats-help")
    expect(tip).to_contain_text("There is no flag '--cuont' for publish.")
    expect(tip).to_contain_text("Did you mean --count?")
    typed("%nats pub a b --count 3")
    expect(wrong).to_have_count(0)

    # While a cell runs the kernel's tree answers all the same.
    b.nb.start(7)
    b.nb.cell(8).locator(".cm-nats-verb").hover()
    expect(tip).to_contain_text("Publish messages")
    expect(tip).to_contain_text("%nats publish")
    page.mouse.move(5, 5)
    typed("%js strm ls")
    expect(wrong).to_have_text("strm")
    typed("%nats stre")
    page.keyboard.press("Tab")
    item = page.locator(".jp-Completer-item")
    described(item.first, "stream", "what jetstream stores")
    page.keyboard.press("Enter")
    page.keyboard.type(" add X --subj")
    page.keyboard.press("Tab")
    item.filter(has_text="--subjects").click(timeout=10_000)
    expect(line).to_have_text("%nats stream add X --subjects")
    typed("%natslab kill ")
    page.keyboard.press("Tab")
    described(item.first, "n1", "server, up")
    expect(item).to_have_count(1)  # the words of the notebook are no servers
    page.keyboard.press("Escape")
    expect(b.panel.get_by_text("kernel busy")).to_be_visible()
    assert b.nb.faults == []


def described(item: Locator, word: str, says: str) -> Any:
    expect(item).to_contain_text(word, timeout=10_000)
    expect(item).to_contain_text(says, ignore_case=True)
