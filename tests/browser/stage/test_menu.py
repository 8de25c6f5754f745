"""A mark's menu, marks that lead back to a moment, slow motion, and who led on the scrubber."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from natslab.views.scene import Action, Burst, Circle, Rect, Scene

from .conftest import cursor, full

pytestmark = pytest.mark.browser

ACTIONS = [
    Action("natslab kill n1", "Kill", "K", "✕"),
    Action("natslab freeze n1", "Freeze", "Z", "‖"),
    Action("natslab cut --isolate n1", "Cut off", "X", "┇"),
]
NODE = Circle(
    key="srv/n1", x=200, y=150, r=30, classes="menu edge ink base-ground", title="n1 leads. It does.",
    actions=ACTIONS, state={"term": 3},
)  # fmt: skip
BURST = Burst(key="election/4", words="the election of term 4", first=10, last=20, auto=True)


def scene(*marks: Any, **given: Any) -> Scene:
    return Scene(view="test", title="Test", height=420, marks=list(marks), **given)


def delta(seq: int, *marks: Any, at: dict[str, Any] | None = None, **given: Any) -> dict[str, Any]:
    return {"op": "delta", "seq": seq, "set": msgspec.to_builtins(marks), "cursor": at or cursor(), **given}


def told(picture: Scene, **given: Any) -> dict[str, Any]:
    message = full(picture, **given)
    message["scene"]["burst"] = msgspec.to_builtins(picture.burst) if picture.burst else None
    return message


def offer(seq: int, burst: Burst | None, at: dict[str, Any] | None = None) -> dict[str, Any]:
    return delta(seq, at=at, head={"burst": msgspec.to_builtins(burst) if burst else None})


def track(**more: Any) -> dict[str, Any]:
    band = {"n": 5, "t0": 10.0, "t1": 40.0, "name": "n1", "term": 3, "text": "n1 leads, term 3"}
    now = {"n": 60, "t0": 46.0, "name": "n2", "term": 4, "text": "n2 leads, term 4"}
    return {
        "op": "track", "n0": 0, "head": 100, "t0": 0.0, "t1": 107.4, "beats": [],
        "pubs": [[i, float(i), 1] for i in range(1, 100)],
        "signs": [{"n": 41, "t": 40.0, "glyph": "┇", "text": "the wires of n1 are cut", "name": "n1"}],
        "bands": [band, now], **more,
    }  # fmt: skip


# --- the menu -----------------------------------------------------------------------------------


def test_a_click_shows_what_can_be_done_and_a_row_does_it(open_stage):
    stage = open_stage(full(scene(NODE)))
    menu = stage.page.locator(".nl-menu")
    assert menu.is_hidden()
    stage.mark("srv/n1").click()
    assert [row.split("\n")[0] for row in menu.get_by_role("menuitem").all_inner_texts()][-1] == "Look closer"
    assert menu.get_by_role("menuitem", name="Cut off").get_attribute("title") == "natslab cut --isolate n1"
    assert stage.sent("act") == []
    menu.get_by_role("menuitem", name="Freeze").click()
    assert stage.sent("act") == [{"op": "act", "key": "srv/n1", "i": 1}]
    assert menu.is_hidden()


def test_the_keyboard_opens_walks_and_chooses(open_stage):
    stage = open_stage(full(scene(NODE)))
    menu, keys = stage.page.locator(".nl-menu"), stage.page.keyboard
    stage.mark("srv/n1").focus()
    keys.press("k")
    assert stage.sent("act") == [], "not before the menu is open"
    keys.press("Enter")
    assert menu.is_visible()
    focused = "document.activeElement.querySelector('.nl-menu-word').textContent"
    assert stage.page.evaluate(focused) == "Kill"
    keys.press("ArrowDown")
    keys.press("ArrowDown")
    assert stage.page.evaluate(focused) == "Cut off"
    keys.press("ArrowUp")
    keys.press("Enter")
    assert stage.sent("act") == [{"op": "act", "key": "srv/n1", "i": 1}]
    assert stage.page.evaluate("document.activeElement.dataset.key") == "srv/n1", "the focus is back"
    keys.press("Enter")
    keys.press("x")
    assert stage.sent("act")[1:] == [{"op": "act", "key": "srv/n1", "i": 2}]
    keys.press("Enter")
    keys.press("Escape")
    assert menu.is_hidden()
    assert len(stage.sent("act")) == 2


def test_its_last_row_looks_closer(open_stage):
    stage = open_stage(full(scene(NODE)))
    stage.mark("srv/n1").click()
    stage.page.keyboard.press("i")
    card = stage.page.locator(".nl-card")
    assert card.is_visible()
    assert "n1 leads." in card.inner_text()
    assert "natslab kill n1" in card.inner_text()
    stage.mark("srv/n1").click()
    assert card.is_hidden()
    assert stage.page.locator(".nl-menu").is_visible()


def test_in_the_past_nothing_can_be_done(open_stage):
    stage = open_stage(full(scene(NODE), at=cursor("paused", n=50, t=60.0)))
    stage.mark("srv/n1").click()
    kill = stage.page.locator(".nl-menu [data-act='0']")
    assert kill.is_disabled()
    assert kill.get_attribute("title") == "only while live"
    stage.page.keyboard.press("k")
    assert stage.sent("act") == []
    assert stage.page.locator(".nl-menu [data-act='-1']").is_enabled()


def test_it_follows_its_mark_and_goes_with_it(open_stage):
    stage = open_stage(full(scene(NODE)))
    menu = stage.page.locator(".nl-menu")
    stage.mark("srv/n1").click()
    thawed = msgspec.structs.replace(NODE, actions=[Action("natslab thaw n1", "Thaw", "Z", "▶")])
    stage.emit(delta(2, thawed))
    assert menu.get_by_role("menuitem").first.inner_text().startswith("Thaw")
    stage.emit({**delta(3), "del": ["srv/n1"]})
    assert menu.is_hidden()
    stage.settled()
    stage.emit(delta(4, NODE))
    stage.mark("srv/n1").click()
    stage.page.mouse.click(700, 300)
    assert menu.is_hidden(), "a click elsewhere"
    assert not stage.errors


def test_foreign_text_stays_text(open_stage):
    nasty = "<img src=x onerror=alert(1)>"
    stage = open_stage(full(scene(msgspec.structs.replace(NODE, actions=[Action(nasty, nasty, "K", "<b>")]))))
    stage.mark("srv/n1").click()
    assert stage.page.locator(".nl-menu img").count() == 0
    assert nasty in stage.page.locator(".nl-menu").inner_text()


# --- moments ------------------------------------------------------------------------------------


def test_a_mark_that_tells_of_a_moment_leads_back_to_it(open_stage):
    line = Rect(key="line/4", x=400, y=100, w=200, h=20, classes="fill panel2", title="n1 is dead.", at=37)
    stage = open_stage(full(scene(line)))
    stage.mark("line/4").click()
    assert stage.sent("seek") == [{"op": "seek", "n": 37}]
    stage.mark("line/4").focus()
    stage.page.keyboard.press("Enter")
    assert len(stage.sent("seek")) == 2
    assert stage.page.locator(".nl-card").is_hidden()


# --- slow motion --------------------------------------------------------------------------------


def test_slow_motion_starts_by_itself_once_and_only_for_what_is_new(open_stage):
    stage = open_stage(told(scene(burst=BURST)))
    assert stage.sent("slow") == [], "it was over before anybody looked"
    button = stage.page.locator(".nl-slow")
    assert button.get_attribute("title") == "Slow motion of the election of term 4"
    button.click()
    assert stage.sent("slow") == [{"op": "slow", "auto": False}]
    later = Burst(key="election/5", words="the election of term 5", first=30, last=40, auto=True)
    stage.emit(offer(2, later))
    stage.emit(offer(3, later))
    assert stage.sent("slow")[1:] == [{"op": "slow", "auto": True}]
    stage.emit(offer(4, Burst(key="election/6", words="a hand-over", first=50, last=60)))
    assert len(stage.sent("slow")) == 2
    stage.root.focus()
    stage.page.keyboard.press("b")
    assert len(stage.sent("slow")) == 3
    stage.emit(offer(5, None))
    assert button.is_hidden()


def test_slow_motion_disturbs_nobody(open_stage):
    stage = open_stage(told(scene(NODE)))
    stage.mark("srv/n1").click()
    stage.emit(offer(2, BURST))
    assert stage.sent("slow") == [], "a menu is open"
    stage = open_stage(told(scene(NODE)), calm=True)
    stage.emit(offer(2, BURST))
    assert stage.sent("slow") == [], "no motion is wanted"
    stage = open_stage(told(scene(NODE), at=cursor("paused", n=50, t=60.0)))
    stage.emit(offer(2, BURST, at=cursor("paused", n=50, t=60.0)))
    assert stage.sent("slow") == [], "somebody looks at the past"


def test_slow_motion_starts_by_itself_only_before_somebody(open_stage):
    stage = open_stage(told(scene(NODE)))
    frames = "new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))"
    hide = "share => document.querySelector('.nl').style.marginTop = `${innerHeight * share}px`"
    stage.page.evaluate(hide, 0.9)
    stage.page.evaluate(frames)
    stage.emit(offer(2, BURST))
    assert stage.sent("slow") == [], "most of it is below the screen"
    stage.page.evaluate(hide, 0)
    stage.page.evaluate(frames)
    stage.emit(offer(3, msgspec.structs.replace(BURST, key="election/5")))
    assert stage.sent("slow") == [{"op": "slow", "auto": True}]


def test_slow_motion_is_said_to_be_that_in_every_view(open_stage):
    at = cursor("replay", n=15, t=47.0, speed=0.002, shows="the election of term 4 of <ORDERS>")
    stage = open_stage(full(scene(NODE), at=at))
    banner = stage.page.locator(".nl-banner")
    assert banner.inner_text().startswith("The election of term 4 of <ORDERS>, 500 times slower.")
    banner.get_by_role("button", name="Back to now").click()
    assert stage.sent("mode") == [{"op": "mode", "mode": "live"}]
    stage.emit(delta(2, at={**at, "mode": "paused"}))
    assert banner.inner_text().startswith("Showing 60.4 s ago."), "somebody stopped it"


# --- who led ------------------------------------------------------------------------------------


def test_leaders_are_bands_under_the_track(open_stage):
    stage = open_stage(full(scene(NODE)), track())
    bands = stage.page.locator(".nl-band")
    assert bands.all_text_contents() == ["n1 leads, term 3", "n2 leads, term 4"]
    assert [bands.nth(i).locator("rect").get_attribute("class") for i in (0, 1)] == ["fill odd", "fill even"]
    assert stage.page.locator(".nl-scrubber").bounding_box()["height"] == pytest.approx(88, abs=1)
    first, second = (bands.nth(i).bounding_box() for i in (0, 1))
    assert first["x"] + first["width"] < second["x"], "no band where nobody led"
    stage.page.mouse.move(second["x"] + 20, second["y"] + 8)
    assert "n2 leads, term 4" in stage.page.locator(".nl-bubble").inner_text()
    stage.emit(track(bands=[]))
    assert bands.count() == 0
    assert stage.page.locator(".nl-scrubber").bounding_box()["height"] == pytest.approx(68, abs=1)
