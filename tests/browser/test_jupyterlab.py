"""Views in a real JupyterLab, on a real server: they move, rewind, explain themselves, and survive."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.browser.jupyter import READY

pytestmark = pytest.mark.browser

SETUP = """
import asyncio, natslab
lab = natslab.Lab.up()

async def listen(name, subject, queue=""):
    client = await lab.client(name)
    async def heard(msg): pass
    await client.subscribe(subject, queue=queue, cb=heard)
    await client.sync()

async def publish(subject, *payloads, pause=0.0, headers=None):
    client = await lab.client("shop")
    for payload in payloads:
        await client.publish(subject, payload, headers=headers)
        await asyncio.sleep(pause)
    await client.sync()

lab.do(listen("billing", "orders.>"))
lab.do(listen("audit", "orders.*"))
"""
VIEW = "lab.view('routing')"
STAGE = ".natslab.nl"


@pytest.fixture
def routing(notebook: Callable[..., Any]) -> Any:
    """A notebook with a live routing view in its second cell, and a publish in each of the others."""
    nb = notebook(
        "live.ipynb",
        [
            SETUP,
            VIEW,
            "lab.do(publish('orders.new', b'one'))",
            "lab.do(publish('orders.new', *[b'x'] * 20, pause=0.05))",
            "lab.do(publish('nobody.here', b'gone'))",
            "lab.tape.head",
            "lab.down()",
        ],
    )
    nb.run(0)
    nb.run(1)
    expect(nb.page.locator(STAGE)).to_be_visible(timeout=30_000)
    expect(nb.page.locator(f"{STAGE} [data-key='sentence']")).to_be_visible(timeout=30_000)
    return nb


def sentence(page: Page) -> Any:
    return page.locator(f"{STAGE} [data-key='sentence']")


def test_a_message_is_seen_travelling(routing: Any) -> None:
    page = routing.page
    page.evaluate(
        """() => {
          window.seen = [];
          const look = () => {
            for (const dot of document.querySelectorAll('.natslab .nl-flights circle')) {
              const box = dot.getBoundingClientRect();
              window.seen.push(`${Math.round(box.x)},${Math.round(box.y)}`);
            }
            requestAnimationFrame(look);
          };
          look();
        }"""
    )
    routing.run(3)
    expect(sentence(page)).to_contain_text("orders.new")
    page.wait_for_function("() => new Set(window.seen).size > 20")


def test_the_time_line_goes_back_and_comes_again(routing: Any) -> None:
    page, stage = routing.page, routing.page.locator(STAGE)
    routing.run(2)
    expect(sentence(page)).to_contain_text("orders.new")
    routing.run(4)
    expect(sentence(page)).to_contain_text("nobody.here")
    stage.focus()
    page.keyboard.press("Space")
    expect(stage).to_have_attribute("data-mode", "paused")
    for _ in range(60):
        if "orders.new" in (sentence(page).text_content() or ""):
            break
        page.keyboard.press("ArrowLeft")
        page.wait_for_timeout(60)
    expect(sentence(page)).to_contain_text("orders.new")
    expect(stage).to_contain_text("ago")
    page.keyboard.press("l")
    expect(stage).to_have_attribute("data-mode", "live")
    expect(sentence(page)).to_contain_text("nobody.here")


def test_all_views_of_a_lab_rewind_together(notebook: Callable[..., Any]) -> None:
    nb = notebook(
        "two.ipynb",
        [SETUP, "lab.view('routing')", "lab.view('queue')", "lab.do(publish('orders.new', b'x'))"],
    )
    for i in range(4):
        nb.run(i)
    stages = nb.page.locator(STAGE)
    expect(stages).to_have_count(2, timeout=30_000)
    stages.nth(0).focus()
    nb.page.keyboard.press("Space")
    for i in range(2):
        expect(stages.nth(i)).to_have_attribute("data-mode", "paused")
    nb.page.keyboard.press("l")
    for i in range(2):
        expect(stages.nth(i)).to_have_attribute("data-mode", "live")


def test_hover_and_keyboard_explain_a_mark(routing: Any) -> None:
    page, stage = routing.page, routing.page.locator(STAGE)
    routing.run(2)
    row = stage.locator("[data-key^='sub/billing/']").first
    row.hover()
    expect(stage.locator(".nl-bubble")).to_contain_text("billing")
    stage.focus()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    inspector = stage.locator("[role='dialog']")
    expect(inspector).to_be_visible()
    assert (inspector.text_content() or "").strip()
    page.keyboard.press("Escape")
    expect(inspector).to_be_hidden()


def test_the_table_says_the_same(routing: Any) -> None:
    page, stage = routing.page, routing.page.locator(STAGE)
    routing.run(2)
    stage.focus()
    page.keyboard.press("t")
    table = stage.locator("table")
    expect(table).to_be_visible()
    expect(table).to_contain_text("billing")
    expect(table).to_contain_text("orders.>")
    page.keyboard.press("t")
    expect(table).to_be_hidden()


def test_it_follows_the_theme(routing: Any) -> None:
    stage = routing.page.locator(STAGE)

    def ground() -> str:
        return str(
            stage.evaluate("e => getComputedStyle(e).getPropertyValue('--ground').trim().toUpperCase()")
        )

    routing.theme("JupyterLab Dark")
    expect(stage).to_have_class(re.compile(r"\bdark\b"))
    assert ground() == "#111111"
    routing.theme("JupyterLab Light")
    expect(stage).to_have_class(re.compile(r"\blight\b"))
    assert ground() == "#FFFFFF"


def test_it_lives_on_after_a_reload(routing: Any) -> None:
    page = routing.page
    routing.run(2)
    routing.command("docmanager:save")
    page.wait_for_function("() => !window.jupyterapp.shell.currentWidget.context.model.dirty")
    page.reload()
    expect(page.locator(STAGE)).to_be_visible(timeout=60_000)
    page.wait_for_function("() => window.jupyterapp?.shell?.currentWidget?.sessionContext?.session?.kernel")
    page.evaluate(READY)
    routing.run(4)
    expect(sentence(page)).to_contain_text("nobody.here", timeout=30_000)


def test_it_says_when_its_lab_is_gone(routing: Any) -> None:
    pill = routing.page.locator(f"{STAGE} .nl-pill")
    expect(pill).to_have_text("LIVE")
    routing.run(6)
    expect(pill).to_have_text("ENDED")


NASTY = "<img src=x onerror=window.hacked=1><script>window.hacked=2</script>\"'&"


def test_foreign_text_stays_text(notebook: Callable[..., Any]) -> None:
    subject = NASTY.replace(" ", "-")
    nb = notebook(
        "nasty.ipynb",
        [
            SETUP,
            f"nasty, subject = {NASTY!r}, {subject!r}",
            "lab.do(listen(nasty, subject))\nlab.do(listen('a', '>'))",
            "lab.view('routing')",
            "lab.view('queue')",
            "lab.view('requests')",
            "lab.do(publish(subject, nasty.encode(), headers={'X': nasty}))",
            "lab.view('routing').picture()",
            "lab.view('routing').table()",
            "from IPython.display import HTML, SVG\nHTML(lab.view('routing').table().html('routing'))",
            "HTML(lab.view('routing').svg())",
        ],
    )
    for i in range(11):
        nb.run(i)
    page = nb.page
    expect(page.locator(f"{STAGE}[data-view='routing'] [data-key='sentence']")).to_contain_text(
        "<img", timeout=30_000
    )
    for stage in page.locator(STAGE).all():
        stage.focus()
        page.keyboard.press("t")
    expect(page.locator(f"{STAGE} table").first).to_contain_text("<img")
    page.wait_for_timeout(300)
    assert page.evaluate("window.hacked") is None
    assert page.locator(f"{STAGE} img, {STAGE} script").count() == 0
    assert page.locator(".jp-OutputArea-output img[src='x']").count() == 0


def test_a_lesson_runs_and_shows_its_pictures(notebook: Callable[..., Any]) -> None:
    nb = notebook("01-publish-subscribe.ipynb")
    page = nb.page
    nb.command("notebook:run-all-cells")
    page.wait_for_function(
        """() => {
          const all = window.jupyterapp.shell.currentWidget.content.widgets;
          const cells = all.filter(c => c.model.type === 'code');
          return cells.every(c => c.model.executionCount) &&
            window.jupyterapp.shell.currentWidget.sessionContext.session.kernel.status === 'idle';
        }""",
        timeout=60_000,
    )
    problems = page.evaluate(
        """() => window.jupyterapp.shell.currentWidget.content.widgets
             .filter(c => c.model.type === 'code')
             .flatMap(c => c.model.outputs.toJSON())
             .filter(o => o.output_type === 'error').map(o => o.evalue)"""
    )
    assert problems == []
    expect(page.locator(STAGE).first).to_be_attached()
    assert not [line for line in nb.console if line.startswith("pageerror")]


def test_a_still_is_whole_in_a_narrow_notebook(notebook: Callable[..., Any]) -> None:
    nb = notebook("still.ipynb", [SETUP, "lab.view('routing').picture()"], width=900)
    nb.run(0)
    nb.run(1)
    output = nb.page.locator(".jp-RenderedSVG")
    expect(output.locator("img")).to_be_visible()
    assert output.evaluate("it => it.scrollWidth <= it.clientWidth")
