"""Buttons in a picture, what their lines answer, filters, and the end of a kernel."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from natslab.views.scene import Action, Circle, Group, Legend, Mark, Rect, Scene, label
from natslab.views.view import selected

from .conftest import cursor, full

pytestmark = pytest.mark.browser

ACK = Group(
    key="held/ORDERS/7/ack",
    classes="button",
    title="Acknowledge message 7.",
    actions=[Action("natslab ack ORDERS billing 7", "+ACK")],
    marks=[
        Rect(key="held/ORDERS/7/ack/box", x=100, y=120, w=70, h=26, r=6, classes="edge line base-ground"),
        label("held/ORDERS/7/ack/word", 135, 137, "+ACK", "t12 mono middle"),
    ],
)


def scene(*marks: Mark, **given: Any) -> Scene:
    return Scene(view="test", title="Test", height=300, marks=list(marks), **given)


def dot(key: str, x: float, classes: str = "fill flight", **given: Any) -> Circle:
    return Circle(key=key, x=x, y=200, r=9, classes=classes, title=f"Mark {key}.", **given)


def delta(seq: int, *marks: Mark, at: dict[str, Any] | None = None, **given: Any) -> dict[str, Any]:
    return {"op": "delta", "seq": seq, "set": msgspec.to_builtins(marks), "cursor": at or cursor(), **given}


def test_a_button_does_its_line_by_click_and_by_enter(open_stage):
    stage = open_stage(full(scene(ACK)))
    stage.mark(ACK.key).click()
    assert stage.sent("act") == [{"op": "act", "key": ACK.key, "i": 0}]
    assert stage.page.locator(".nl-card").is_hidden(), "no inspector in between"
    stage.mark(ACK.key).focus()
    stage.page.keyboard.press("Enter")
    assert len(stage.sent("act")) == 2
    assert stage.attribute(ACK.key, "role") == "button"
    stage.emit(delta(2, at=cursor("paused", n=50, t=90.0)))
    stage.mark(ACK.key).click(force=True)
    assert len(stage.sent("act")) == 2, "one acts in the present only"


def test_a_line_that_takes_a_while_says_so_and_then_what_went_wrong(open_stage):
    stage = open_stage(full(scene(ACK)))
    notice = stage.page.locator(".nl-notice")
    stage.mark(ACK.key).click()
    assert notice.is_hidden(), "most lines are done at once"
    notice.wait_for()
    assert "natslab ack ORDERS billing 7" in notice.inner_text()
    stage.emit({"op": "said", "line": "natslab ack ORDERS billing 7", "error": ""})
    assert notice.is_hidden()
    stage.mark(ACK.key).click()
    stage.emit({"op": "said", "line": "natslab ack ORDERS billing 7", "error": "Message 7 is not held."})
    assert "Message 7 is not held." in notice.inner_text()
    assert "runs" not in notice.inner_text()


def test_g_hides_what_is_not_there(open_stage):
    stage = open_stage(
        full(scene(dot("here", 100), dot("gone", 200, "edge ghost"), dot("said", 300, "bet edge")))
    )
    stage.root.focus()
    stage.page.keyboard.press("g")
    assert [stage.mark(k).is_visible() for k in ("here", "gone", "said")] == [True, False, False]
    stage.page.keyboard.press("G")
    assert stage.mark("gone").is_visible()


def test_f_walks_through_the_legend(open_stage):
    legend = [Legend("flight fill", "circle", "delivered", 1), Legend("done fill", "circle", "acked", 1)]
    stage = open_stage(full(scene(dot("a", 100), dot("b", 200, "fill done"), legend=legend)))
    stage.root.focus()
    seen = []
    for _ in range(4):
        stage.page.keyboard.press("f")
        seen.append([k for k in "ab" if "nl-dim" not in (stage.attribute(k, "class") or "")])
    assert seen == [["a"], ["b"], ["a", "b"], ["a"]]


PAIRS = [
    ("msg/ORDERS/5", "msg/ORDERS/5", True),
    ("msg/ORDERS/5", "msg/ORDERS/5@billing", True),
    ("msg/ORDERS/5@billing", "msg/ORDERS/5", True),
    ("msg/ORDERS/5", "msg/ORDERS/57", False),
    ("msg/ORDERS/5@billing", "msg/ORDERS/5@audit", False),
    ("msg/ORDERS/5", "msg/ORDERS", True),
    ("", "msg/ORDERS/5", False),
]


@pytest.mark.parametrize(("selection", "key", "lit"), PAIRS)
def test_a_selection_lights_the_same_in_python_and_on_the_stage(open_stage, selection, key, lit):
    assert selected(selection, key) is lit
    stage = open_stage(full(scene(dot(key, 300)), at=cursor(selection=selection)))
    assert stage.page.locator(".nl-ring-selected").count() == int(lit)


def test_the_life_of_a_thing_is_a_bar_in_its_card(open_stage):
    life = [
        (1.0, 3.0, "flight", "attempt 1 was out"),
        (3.0, 3.0, "retry", "<b>nak</b>, come back in 1 s"),
        (4.0, 4.5, "flight", "attempt 2 was out"),
    ]
    stage = open_stage(full(scene(dot("a", 300, life=life))))
    stage.mark("a").click()
    card = stage.page.locator(".nl-life")
    assert card.locator("svg").first.locator("rect").count() == 2
    assert card.locator("svg").first.locator("circle").count() == 1
    rows = card.locator("li").all_inner_texts()
    assert [" ".join(row.split()) for row in rows] == [
        "+0.0 s attempt 1 was out, for 2.0 s",
        "+2.0 s <b>nak</b>, come back in 1 s",
        "+3.0 s attempt 2 was out, for 0.5 s",
    ]
    wide = [float(r.get_attribute("width")) for r in card.locator("svg").first.locator("rect").all()]
    assert wide[0] == pytest.approx(4 * wide[1], rel=0.01)


def test_a_kernel_that_does_not_answer_has_ended(open_stage):
    stage = open_stage(full(scene(ACK)))
    pill = stage.page.locator(".nl-pill")
    stage.page.evaluate("window.m.part()")
    assert stage.sent("hello")[-1] == {"op": "hello"}
    stage.emit(full(scene(ACK), seq=9))
    stage.page.wait_for_timeout(1300)
    assert pill.inner_text() == "LIVE", "it answered"
    stage.page.evaluate("window.m.part()")
    stage.wait("document.querySelector('.nl-pill').textContent === 'ENDED'")
    stage.forget()
    stage.mark(ACK.key).click(force=True)
    assert stage.sent("act") == []
    assert "Run the cell again" in stage.page.locator(".nl-waiting").inner_text()


def test_a_recording_says_what_it_is(open_stage):
    at = {"over": True, "recorded": True, "first": 40}
    stage = open_stage(full(scene(ACK), at=cursor(**at)))
    assert stage.page.locator(".nl-pill").inner_text() == "RECORDED"
    assert not stage.root.get_attribute("data-acts")
    stage.emit(delta(2, at=cursor("paused", n=50, t=90.0, **at)))
    assert stage.page.locator(".nl-pill").inner_text() == "PAUSED"
    banner = stage.page.locator(".nl-banner")
    assert "This is a recording." in banner.inner_text()
    banner.get_by_role("button").click()
    assert stage.sent("mode")[-1] == {"op": "mode", "mode": "live"}


def test_a_level_moves_evenly_until_the_next_frame(open_stage):
    def level(height: float) -> Rect:
        return Rect(key="level", x=100, y=200 - height, w=20, h=height, classes="fill flight level")

    stage = open_stage(full(scene(level(80))))
    stage.emit(delta(2, level(70)))
    stage.page.wait_for_timeout(400)
    seen = stage.page.evaluate(
        """async message => {
             window.m.emit(message);
             const began = performance.now(), out = [];
             while (performance.now() - began < 330) {
               await nextFrame(1);
               out.push(Number(document.querySelector('[data-key=level]').getAttribute('height')));
             }
             return out;
           }""",
        delta(3, level(50)),
    )
    assert seen == sorted(seen, reverse=True)
    assert seen[-1] > 50, "it is not there before the next frame could come"


def test_two_stages_of_one_page_have_their_own_textures(open_stage):
    stage = open_stage(full(scene(dot("a", 100))))
    stage.page.evaluate(
        """() => {
             const el = document.body.appendChild(document.createElement('div'));
             window.stageModule.render({ model: window.model({}), el });
           }"""
    )
    ids = stage.page.evaluate("[...document.querySelectorAll('pattern')].map(p => p.id)")
    assert len(ids) == 6 == len(set(ids))
