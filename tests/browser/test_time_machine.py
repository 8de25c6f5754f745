"""All views of a lab in a real JupyterLab: they go back together, light the same, and act on the server."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Locator, Page, expect

pytestmark = pytest.mark.browser

SETUP = """
%load_ext natslab
%natslab up
%js stream add ORDERS --subjects 'orders.>' --defaults
%js consumer add ORDERS billing --pull --defaults
%nats pub orders.new 'order {{Count}}' --count 8 -J
%js consumer next ORDERS billing --count 3 --hold
"""
ACKED = (
    "import natslab\n"
    "state = natslab.current().view('acks', 'ORDERS').state\n"
    "print('state', state.consumers['ORDERS/billing'].cells[2].state)"
)
SHORT = 15_000


@pytest.fixture
def lab(notebook: Callable[..., Any]) -> Any:
    """A notebook with a view in its second cell and one in its third."""
    cells = [
        SETUP,
        "%natslab view acks ORDERS",
        "%natslab view stream ORDERS",
        "%natslab view acks ORDERS",
        ACKED,
    ]
    nb = notebook("machine.ipynb", cells)
    for i in range(3):
        nb.run(i)
    for name in ("acks", "stream"):
        expect(view(nb.page, name).locator("[data-key='sentence']")).to_be_visible(timeout=30_000)
    return nb


def view(page: Page, name: str) -> Locator:
    return page.locator(f'.natslab.nl[data-view="{name}"]').first


def same_moment(one: Locator, other: Locator) -> None:
    """Wait until both show the same moment: steps that were asked for are drawn one after the other."""
    end = time.monotonic() + SHORT / 1000
    while one.locator(".nl-time").inner_text() != other.locator(".nl-time").inner_text():
        assert time.monotonic() < end, "the two views stay apart"
        one.page.wait_for_timeout(50)


def pills(page: Page) -> list[str]:
    return page.locator(".natslab.nl .nl-pill").all_inner_texts()


def test_views_go_back_together_and_one_that_opens_later_is_there_too(lab: Any) -> None:
    page = lab.page
    first, second = view(page, "acks"), view(page, "stream")
    first.scroll_into_view_if_needed()
    first.locator("svg.nl-picture").focus()
    first.focus()
    for _ in range(12):
        page.keyboard.press("ArrowLeft")
    expect(second.locator(".nl-pill")).to_have_text("PAUSED", timeout=SHORT)
    same_moment(first, second)
    lab.run(3)
    later = page.locator('.natslab.nl[data-view="acks"]').nth(1)
    expect(later.locator(".nl-pill")).to_have_text("PAUSED", timeout=SHORT)
    same_moment(first, later)
    assert (
        later.locator("[data-key='sentence']").text_content()
        == first.locator("[data-key='sentence']").text_content()
    )
    later.focus()
    page.keyboard.press("l")
    for pill in page.locator(".natslab.nl .nl-pill").all():
        expect(pill).to_have_text("LIVE", timeout=SHORT)


def test_what_is_chosen_in_one_view_is_lit_in_all_and_answered_there(lab: Any) -> None:
    page = lab.page
    acks, stream = view(page, "acks"), view(page, "stream")
    cell = acks.locator("[data-key='msg/ORDERS/2@billing']")
    expect(cell).to_be_attached(timeout=SHORT)
    cell.focus()
    page.keyboard.press("Enter")
    expect(stream.locator(".nl-ring-selected")).to_have_count(1, timeout=SHORT)
    expect(acks.locator(".nl-ring-selected").first).to_be_attached(timeout=SHORT)
    button = acks.locator("[data-key='card/ORDERS/2@billing/+ACK']")
    expect(button).to_be_visible(timeout=SHORT)
    button.click()
    expect(button).to_be_hidden(timeout=SHORT)
    lab.run(4)
    expect(lab.cell(4).locator(".jp-OutputArea")).to_contain_text("state acked", timeout=SHORT)


def test_a_view_whose_kernel_is_started_again_has_ended(lab: Any) -> None:
    page = lab.page
    assert set(pills(page)) == {"LIVE"}
    page.evaluate(
        "async () => { await window.jupyterapp.shell.currentWidget.sessionContext.session.kernel.restart(); }"
    )
    for name in ("acks", "stream"):
        expect(view(page, name).locator(".nl-pill")).to_have_text("ENDED", timeout=30_000)
