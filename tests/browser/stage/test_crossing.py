"""A line that is drawn across marks: what it shows, what it does, and what it leaves alone."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from natslab.views.scene import Action, Circle, Group, Mark, Path, Scene

from .conftest import StagePage, cursor, full

pytestmark = pytest.mark.browser


def wire(pair: str, d: str, *, cut: bool = False) -> Group:
    a, b = pair.split("|")
    heal = Action(f"natslab heal {a} {b}", "Heal", "X", "=")
    whole = [Action(f"natslab hold {a} {b}", "Hold"), Action(f"natslab cut {a} {b}", "Cut", cross=True)]
    return Group(
        key=f"link/{pair}", classes="menu", title=f"The wire between {a} and {b}.",
        marks=[Path(key=f"link/{pair}/0", d=d, classes="edge ink3 none")],
        actions=[heal] if cut else whole,
    )  # fmt: skip


def scene(*marks: Mark) -> Scene:
    node = Circle(key="srv/n1", x=450, y=120, r=30, title="n1 leads.", classes="menu edge ink base-ground",
                  actions=[Action("natslab kill n1", "Kill", "K")])  # fmt: skip
    return Scene(view="test", title="Test", height=420, marks=[node, *marks])


WIRES = (
    wire("n1|n2", "M420 140L250 330"),
    wire("n1|n3", "M480 140C560 200 650 240 650 330"),
    wire("n2|n3", "M280 350H620"),
)
CUT = [{"op": "act", "key": "link/n1|n2", "i": 1}, {"op": "act", "key": "link/n1|n3", "i": 1}]


def drag(stage: StagePage, *points: tuple[float, float], up: bool = True) -> None:
    """Press at the first point of the picture, go to the others, and let go."""
    box = stage.page.locator(".nl-picture").bounding_box()
    assert box is not None
    scale = box["width"] / 900
    (x, y), *rest = [(box["x"] + x * scale, box["y"] + (y - 44) * scale) for x, y in points]
    stage.page.mouse.move(x, y)
    stage.page.mouse.down()
    for x, y in rest:
        stage.page.mouse.move(x, y, steps=4)
    if up:
        stage.page.mouse.up()


def delta(seq: int, *marks: Mark, at: dict[str, Any] | None = None) -> dict[str, Any]:
    return {"op": "delta", "seq": seq, "set": msgspec.to_builtins(marks), "cursor": at or cursor()}


@pytest.mark.parametrize("width", [900, 1300])
def test_a_line_across_wires_does_to_each_what_crossing_does(open_stage, width):
    stage = open_stage(full(scene(*WIRES)), width=width)
    page = stage.page
    drag(stage, (200, 240), (700, 240), up=False)
    assert page.locator(".nl-crossing .wall").count() == 1
    assert page.locator(".nl-crossed").count() == page.locator(".nl-crossed-at").count() == 2
    assert page.locator(".nl-bubble").inner_text() == "natslab cut n1 n2\nnatslab cut n1 n3"
    assert stage.sent("act") == [], "nothing is done before it is let go"
    page.mouse.up()
    assert stage.sent("act") == CUT
    assert page.locator(".nl-crossing > *").count() == 0
    assert page.locator(".nl-bubble").is_hidden()
    notice = page.locator(".nl-notice")
    stage.emit({"op": "said", "line": "natslab cut n1 n3", "error": ""})
    assert "done" not in notice.inner_text()
    stage.emit({"op": "said", "line": "natslab cut n1 n2", "error": ""})
    assert notice.inner_text().split("\n")[:2] == ["natslab cut n1 n2", "natslab cut n1 n3"]
    assert "done" in notice.inner_text()
    drag(stage, (200, 240), (700, 240))
    for pair in ("n1 n3", "n1 n2"):
        stage.emit({"op": "said", "line": f"natslab cut {pair}", "error": "No." if pair == "n1 n3" else ""})
    assert "natslab cut n1 n3" in notice.inner_text() and "No." in notice.inner_text()
    assert "n1 n2" not in notice.inner_text(), "what went wrong, and of which line"


def test_escape_gives_up_and_the_end_of_the_drag_opens_nothing(open_stage):
    stage = open_stage(full(scene(*WIRES)))
    drag(stage, (200, 240), (460, 130), up=False)  # it ends on a server
    assert stage.page.locator(".nl-crossed").count() == 1
    stage.page.keyboard.press("Escape")
    assert stage.page.locator(".nl-crossing > *").count() == 0
    stage.page.mouse.move(700, 240)
    assert stage.page.locator(".nl-crossing > *").count() == 0, "what was given up does not go on"
    stage.page.mouse.up()
    assert stage.sent("act") == []
    drag(stage, (450, 120), (450, 200))  # from a server, across nothing
    assert stage.page.locator(".nl-menu").is_hidden()
    assert stage.sent() == [m for m in stage.sent() if m["op"] == "hello"]


def test_a_click_and_a_shaking_hand_open_the_menu_as_before(open_stage):
    stage = open_stage(full(scene(*WIRES)))
    drag(stage, (450, 350), (456, 350))
    assert stage.page.locator(".nl-menu").is_visible()
    assert stage.page.locator(".nl-menu [role=menuitem]").first.inner_text().startswith("Hold")
    assert stage.sent("act") == []


def test_what_cannot_be_crossed_is_left_alone(open_stage):
    stage = open_stage(full(scene(wire("n1|n2", "M420 140L250 330", cut=True), *WIRES[1:])))
    drag(stage, (200, 240), (700, 240))
    assert stage.sent("act") == [CUT[1]]
    stage.forget()
    stage.emit(delta(2, at=cursor("paused", n=50, t=90.0)))
    drag(stage, (200, 240), (700, 240), up=False)
    assert stage.page.locator(".nl-crossing > *").count() == 0, "one acts in the present only"
    stage.page.mouse.up()
    assert stage.sent("act") == []


def test_the_line_follows_what_changes_under_it(open_stage):
    stage = open_stage(full(scene(*WIRES)))
    drag(stage, (200, 240), (700, 240), up=False)
    stage.emit(delta(2, wire("n1|n2", "M420 140L250 330", cut=True)))
    assert stage.page.locator(".nl-crossed").count() == 1
    stage.emit(delta(3, at=cursor("paused", n=50, t=90.0)))
    assert stage.page.locator(".nl-crossing > *").count() == 0
    stage.page.mouse.up()
    assert stage.sent("act") == []


def test_what_is_zoomed_is_moved_and_cut_with_shift(open_stage):
    stage = open_stage(full(scene(*WIRES)))
    stage.root.focus()
    stage.page.keyboard.press("+")
    before = stage.page.locator(".nl-world").get_attribute("transform")
    drag(stage, (300, 240), (650, 240))
    assert stage.sent("act") == []
    assert stage.page.locator(".nl-world").get_attribute("transform") != before
    drag(stage, (650, 240), (300, 240))
    moved = stage.page.locator(".nl-world").get_attribute("transform")
    stage.page.keyboard.down("Shift")
    drag(stage, (100, 240), (800, 240))
    stage.page.keyboard.up("Shift")
    assert stage.sent("act") == CUT
    assert stage.page.locator(".nl-world").get_attribute("transform") == moved


def test_the_row_of_keys_says_what_a_line_does_where_it_does_anything(open_stage):
    stage = open_stage(full(scene(*WIRES)))
    stage.root.focus()
    row = stage.page.locator(".nl-keys")
    assert "cut what the line crosses" in row.inner_text()
    stage.emit(delta(2, *[wire(w.key.removeprefix("link/"), "M0 0H9", cut=True) for w in WIRES]))
    assert "crosses" not in row.inner_text()


def test_an_end_in_the_middle_of_a_line_leaves_nothing_behind(open_stage):
    stage = open_stage(full(scene(*WIRES)))
    drag(stage, (200, 240), (700, 240), up=False)
    stage.page.evaluate("window.end()")
    stage.page.keyboard.press("Escape")
    stage.page.mouse.up()
    assert stage.sent("act") == []
