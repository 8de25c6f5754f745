"""The panel on a real kernel with a real server: what it shows, what its buttons do, why it is empty."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import expect

from tests.browser.jupyter import READY, Jupyter
from tests.browser.workbench.conftest import START, Bench

pytestmark = pytest.mark.browser

KEPT = """
%js stream add ORDERS --subjects 'orders.>' --defaults -q
%js consumer add ORDERS billing --pull --defaults -q
%js kv add CFG --history 5 -q
%js kv put CFG colour blue -q
%nats sub 'foo.>' --as audit -q
%nats pub orders.new hello -J --count 5 -q
"""


def test_from_nothing_to_a_lab_and_back_by_its_buttons(bench: Callable[..., Bench]) -> None:
    b = bench("buttons.ipynb", ["1", KEPT, "import time; time.sleep(6)"])
    expect(b.sorry).to_contain_text("natslab is not loaded in this kernel.", timeout=20_000)
    b.button("Load natslab").click()
    expect(b.done.locator("code")).to_have_text("%load_ext natslab")
    expect(b.sorry).to_contain_text("No lab in this kernel.", timeout=20_000)
    b.button("Start a lab").click()
    b.up()
    expect(b.done.locator("code")).to_have_text("%natslab up")
    expect(b.row("server-n1").get_by_role("img", name="up")).to_be_visible()
    # What is empty says why, and offers a line.
    expect(b.panel).to_contain_text("Nothing is stored yet")
    status = b.page.locator(".natslab-status-item")
    expect(status).to_contain_text("NATS 1 server up")

    b.nb.run(1)
    stream = b.row("stream-ORDERS")
    expect(stream).to_contain_text("5 messages")
    expect(stream).to_contain_text("orders.>")
    expect(b.row("consumer-billing")).to_contain_text("5 pending")
    expect(b.row("bucket-CFG")).to_contain_text("1 kept")
    expect(b.row("client-audit")).to_contain_text("1 subscription")
    expect(b.row("job-1")).to_contain_text("foo.>")
    stream.get_by_role("button", name="ORDERS", exact=True).click()
    expect(stream.locator(".nlp-details").first).to_contain_text("num_replicas")

    # The buttons work while a cell runs.
    b.nb.start(2)
    expect(b.panel.get_by_text("kernel busy")).to_be_visible()
    b.button("Freeze n1").click()
    expect(b.row("server-n1")).to_contain_text("frozen")
    expect(b.panel.get_by_role("alert")).to_contain_text("n1 is frozen")
    expect(status).to_contain_text("n1 is frozen")
    b.button("Let n1 go on").click()
    expect(b.row("server-n1")).not_to_contain_text("frozen")
    b.button("Kill n1").click()
    expect(b.row("server-n1")).to_contain_text("down")
    expect(b.done.locator("code")).to_have_text("%natslab kill n1")
    expect(b.done).to_contain_text("n1 is dead")
    # Nobody is there to say what is stored; that is not the same as nothing.
    expect(b.panel).to_contain_text("No server answers: this is what they said last.")
    expect(b.panel.get_by_text("kernel busy")).to_be_visible()
    b.button("Start n1").click()
    expect(stream).to_contain_text("5 messages", timeout=20_000)

    # A line can go into the notebook.
    b.button("Insert %natslab restart n1 into the notebook").click()
    cells = b.page.evaluate(
        "() => window.jupyterapp.shell.currentWidget.content.widgets.map(c => c.model.sharedModel.source)"
    )
    assert "%natslab restart n1" in cells
    b.button("Stop the lab").click()
    expect(b.sorry).to_contain_text("No lab in this kernel.")
    expect(status).to_be_hidden()
    assert b.nb.faults == []


def test_a_restart_a_dead_kernel_and_a_reload(bench: Callable[..., Bench]) -> None:
    b = bench("lives.ipynb", [START, "import os; os._exit(1)"])
    b.nb.run(0)
    b.up()
    # The page is loaded again: the lab is still there.
    b.page.reload()
    b.page.wait_for_function("() => window.jupyterapp?.shell?.currentWidget?.sessionContext?.session?.kernel")
    b.page.evaluate(READY)
    b.up()
    # A restart takes the lab with it, and says so.
    b.page.evaluate("() => window.jupyterapp.shell.currentWidget.sessionContext.session.kernel.restart()")
    b.phase("absent")
    expect(b.sorry).to_contain_text("natslab is not loaded")
    b.nb.run(0)
    b.up()
    # A kernel that dies is started again by the server.
    b.nb.start(1)
    b.phase("absent")
    b.nb.run(0)
    b.up()
    # One that is shut down is not.
    b.page.evaluate("() => window.jupyterapp.shell.currentWidget.sessionContext.shutdown()")
    expect(b.sorry).to_contain_text(re.compile("no kernel|has ended"), timeout=20_000)
    assert b.nb.faults == []


def test_each_notebook_its_own_lab(bench: Callable[..., Bench], jupyter: Jupyter) -> None:
    jupyter.put("second.ipynb", ["%load_ext natslab\n%natslab up other"])
    b = bench("first.ipynb", [START])
    b.nb.run(0)
    b.up()
    heading = b.panel.locator("h1")
    expect(heading).to_have_text("lab")
    b.nb.command("docmanager:open", path="second.ipynb")
    b.page.wait_for_function("() => window.jupyterapp.shell.currentWidget?.context?.path === 'second.ipynb'")
    b.page.evaluate(READY)
    expect(b.sorry).to_contain_text("natslab is not loaded")
    b.nb.run(0)
    expect(heading).to_have_text("other")
    b.page.get_by_role("tab", name="first.ipynb").click()
    expect(heading).to_have_text("lab")
    # Another tab of the browser on the same kernel shows the same.
    assert b.page.context.browser is not None
    twin = b.page.context.browser.new_page()
    twin.goto(f"{jupyter.url}/lab/workspaces/twin/tree/first.ipynb?token={jupyter.token}")
    twin.wait_for_function(
        "() => window.jupyterapp?.shell?.currentWidget?.sessionContext?.session?.kernel", timeout=60_000
    )
    twin.evaluate("async () => { await window.jupyterapp.commands.execute('natslab:open'); }")
    expect(twin.locator(".nlp-root[data-lab='up']")).to_be_visible(timeout=20_000)
    twin.get_by_role("button", name="Freeze n1").click()
    for page in (twin, b.page):
        expect(page.locator("[data-testid='server-n1']")).to_contain_text("frozen")
    b.button("Let n1 go on").click()
    for page in (twin, b.page):
        expect(page.locator("[data-testid='server-n1']")).not_to_contain_text("frozen")
    twin.close()
    b.nb.command("docmanager:open", path="second.ipynb")
    b.page.evaluate("() => window.jupyterapp.shell.currentWidget.sessionContext.shutdown()")
    b.nb.command("docmanager:open", path="first.ipynb")
    b.up()


def test_a_click_in_a_view_is_a_line_at_the_foot_until_another_lab_begins(
    bench: Callable[..., Bench],
) -> None:
    b = bench("foot.ipynb", [f"{START}\n%natslab view topology", "%natslab down\n%natslab up"])
    b.nb.run(0)
    b.up()
    expect(b.panel.locator("[data-testid='done']")).to_have_count(0)
    stage = b.page.locator(".natslab.nl")
    stage.locator("[data-key='srv/n1']").click()
    stage.locator(".nl-menu").get_by_role("menuitem", name="Kill").click()
    expect(b.done.locator("code")).to_have_text("%natslab kill n1")
    expect(b.done).to_contain_text("n1 is dead")
    expect(b.done).not_to_contain_text("of an earlier lab")
    b.nb.run(1)
    expect(b.done).to_contain_text("of an earlier lab")
    b.button("Freeze n1").click()
    expect(b.done.locator("code")).to_have_text("%natslab freeze n1")
    expect(b.done).not_to_contain_text("of an earlier lab")


def test_a_cell_that_is_there_to_fail_counts_and_one_that_somebody_adds_does_not(
    bench: Callable[..., Bench],
) -> None:
    b = bench("02-subjects-and-wildcards.ipynb")
    lesson, cells = b.row("lesson-02"), "window.jupyterapp.shell.currentWidget.content.widgets"
    expect(lesson).to_contain_text("Subjects")

    def run(index: int) -> None:
        b.page.evaluate(f"i => {{ {cells.removesuffix('.widgets')}.activeCellIndex = i; }}", index)
        b.nb.command("notebook:run-cell")

    failing = b.page.evaluate(
        f"() => {cells}.findIndex(c => c.model.getMetadata('tags')?.includes('raises-exception'))"
    )
    run(failing)
    expect(lesson).to_contain_text(re.compile(r"1 of \d+ cells"))
    of = re.search(r"1 of (\d+) cells", lesson.inner_text())
    assert of
    b.nb.command("notebook:insert-cell-below")
    b.page.evaluate(f"i => {cells}[i].model.sharedModel.setSource('print(1 + 1)')", failing + 1)
    run(failing + 1)
    expect(b.page.locator(".jp-OutputArea-output", has_text="2").last).to_be_visible()
    run(failing + 3 if failing < 3 else 1)
    expect(lesson).to_contain_text(f"2 of {of[1]} cells")


def test_lessons_know_what_has_been_run(bench: Callable[..., Bench]) -> None:
    b = bench("00-meet-the-lab.ipynb")
    lesson = b.row("lesson-00")
    expect(lesson).to_contain_text("Meet the lab")
    expect(lesson).not_to_contain_text("cells")  # its stored outputs are nobody's progress
    first = b.page.evaluate(
        "() => window.jupyterapp.shell.currentWidget.content.widgets.findIndex(c => c.model.type === 'code')"
    )
    b.nb.run(first)
    expect(lesson).to_contain_text(re.compile(r"1 of \d+ cells"))
    b.nb.command("docmanager:save")
    b.page.wait_for_function("() => !window.jupyterapp.shell.currentWidget.context.model.dirty")
    b.page.reload()
    b.page.wait_for_function("() => window.jupyterapp?.shell?.currentWidget?.sessionContext")
    b.page.evaluate(READY)
    expect(b.row("lesson-00")).to_contain_text(re.compile(r"1 of \d+ cells"), timeout=60_000)
    b.row("lesson-01").get_by_role("button").click()
    b.page.wait_for_function(
        "() => window.jupyterapp?.shell?.currentWidget?.context?.path === '01-publish-subscribe.ipynb'"
    )
