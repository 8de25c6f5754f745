"""The stage draws any scene by key, moves what moved, and keeps foreign text foreign."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from natslab.views.scene import (
    Action,
    Circle,
    Flight,
    Group,
    Legend,
    Mark,
    Path,
    Rect,
    Scene,
    Text,
    label,
    walk,
)

from .conftest import cursor, full

pytestmark = pytest.mark.browser


def scene(*marks: Mark, **given: Any) -> Scene:
    return Scene(view="test", title="Test", height=300, marks=list(marks), **given)


def delta(seq: int, *marks: Mark, at: dict[str, Any] | None = None, **given: Any) -> dict[str, Any]:
    return {"op": "delta", "seq": seq, "set": msgspec.to_builtins(marks), "cursor": at or cursor(), **given}


def brick(key: str, x: float, y: float = 150, **given: Any) -> Rect:
    return Rect(key=key, x=x, y=y, w=20, h=20, classes="fill flight", title=f"Brick {key}.", **given)


def flight(key: str, **given: Any) -> Flight:
    return Flight(
        key=key,
        **{"d": "M100 200H700", "x": 710, "y": 200, "t0": 1.0, "t1": 1.0004, "title": "A message.", **given},
    )


# --- the keyed join ---------------------------------------------------------------------------


def test_every_key_and_class_of_the_scene_is_drawn(open_stage):
    picture = scene(
        brick("a", 50),
        Circle(key="b", x=100, y=100, r=5, classes="edge stored"),
        Path(key="c", d="M10 10L20 20", classes="edge line", width=2, dash="4 3", opacity=0.5),
        Group(key="g", x=10, y=20, marks=[label("g/t", 1, 2, "words", "t12 middle"), brick("g/b", 3)]),
    )
    stage = open_stage(full(picture))
    for mark in walk(picture.marks):
        drawn = stage.mark(mark.key)
        assert drawn.count() == 1, mark.key
        assert set((drawn.get_attribute("class") or "").split()) >= set(mark.classes.split())
    assert stage.attribute("c", "stroke-dasharray") == "4 3"
    assert stage.attribute("c", "stroke-width") == "2"
    assert stage.attribute("c", "opacity") == "0.5"
    assert stage.attribute("g", "transform") == "translate(10 20)"
    assert stage.attribute("g/t", "class") == "middle"
    assert stage.mark("g/t").locator("tspan").inner_html() == "words"
    assert stage.attribute("a", "aria-label") == "Brick a."
    assert stage.errors == []


def test_a_changed_mark_moves_and_is_not_made_anew(open_stage):
    stage = open_stage(full(scene(brick("a", 50), brick("b", 80))))
    stage.page.evaluate("document.querySelector('[data-key=a]').mine = true")
    seen = stage.page.evaluate(
        """async message => {
             window.m.emit(message);
             const xs = [];
             for (let i = 0; i < 25; i++) {
               await nextFrame(1);
               xs.push(Number(document.querySelector('[data-key=a]').getAttribute('x')));
             }
             return xs;
           }""",
        delta(2, brick("a", 450)),
    )
    assert seen == sorted(seen)
    assert any(50 < x < 450 for x in seen), "it jumped"
    assert seen[-1] == 450
    assert stage.page.evaluate("document.querySelector('[data-key=a]').mine") is True
    assert stage.attribute("b", "x") == "80"


def test_groups_are_joined_by_key_too(open_stage):
    def group(*marks: Mark) -> Group:
        return Group(key="g", marks=list(marks))

    stage = open_stage(full(scene(group(brick("g/a", 1), brick("g/b", 30), label("g/t", 1, 1, "one")))))
    stage.page.evaluate("document.querySelector('[data-key=\"g/b\"]').mine = true")
    stage.emit(delta(2, group(label("g/t", 1, 1, "two"), brick("g/b", 300), brick("g/c", 60))))
    stage.settled()
    keys = stage.page.evaluate("[...document.querySelectorAll('[data-key=g] > *')].map(e => e.dataset.key)")
    assert keys == ["g/t", "g/b", "g/c"]
    assert stage.page.evaluate("document.querySelector('[data-key=\"g/b\"]').mine") is True
    assert stage.attribute("g/b", "x") == "300"
    assert stage.mark("g/t").text_content() == "two"


def test_a_path_morphs_only_into_a_path_of_the_same_shape(open_stage):
    stage = open_stage(full(scene(Path(key="p", d="M0 100L100 100", classes="edge ink"))))
    frames = """async message => {
      window.m.emit(message);
      const seen = new Set();
      for (let i = 0; i < 20; i++) {
        await nextFrame(1);
        seen.add(document.querySelector('[data-key=p]').getAttribute('d'));
      }
      return [...seen];
    }"""
    moved = stage.page.evaluate(frames, delta(2, Path(key="p", d="M0 100L100 200", classes="edge ink")))
    assert len(moved) > 3
    assert moved[-1] == "M0 100L100 200"
    bent = stage.page.evaluate(
        frames, delta(3, Path(key="p", d="M0 100A9 9 0 0 1 50 60", classes="edge ink"))
    )
    assert bent == ["M0 100A9 9 0 0 1 50 60"]
    flipped = stage.page.evaluate(
        frames, delta(4, Path(key="p", d="M0 100A9 9 0 0 0 50 60", classes="edge ink"))
    )
    assert flipped == ["M0 100A9 9 0 0 0 50 60"], "half an arc flag is not a path"
    stage.settled()
    assert stage.page.locator(".nl-picture path.nl-gone").count() == 0


def test_marks_leave_come_back_and_keep_their_order(open_stage):
    stage = open_stage(full(scene(brick("a", 1), brick("b", 30), brick("c", 60))))
    stage.emit(
        {**delta(2), "del": ["b"], "order": ["a", "c"]},
        delta(3, brick("b", 90), order=["b", "c", "a"]),
    )
    stage.settled()
    keys = (
        "[...document.querySelectorAll('.nl-world > g:first-of-type > [data-key]')].map(e => e.dataset.key)"
    )
    assert stage.page.evaluate(keys) == ["b", "c", "a"]


def test_a_mark_that_changes_its_kind_is_replaced(open_stage):
    stage = open_stage(full(scene(brick("a", 1))))
    stage.emit(delta(2, Circle(key="a", x=5, y=60, r=4)))
    stage.settled()
    assert stage.page.evaluate("document.querySelector('[data-key=a]').tagName") == "circle"


def test_arrow_heads_are_shown_only_while_nothing_moves(open_stage):
    arrow = Path(key="w", d="M10 100L200 100", classes="edge flight", width=2.5, arrow=True)
    stage = open_stage(full(scene(arrow)))
    head = stage.page.locator("[data-key=w] .nl-head")
    assert not head.is_visible()
    stage.emit(delta(2, at=cursor("paused")))
    assert head.is_visible()
    assert head.get_attribute("d") == "M192.00 104.50L200 100L192.00 95.50"


# --- flights ----------------------------------------------------------------------------------

PLACES = """async ([message, key, frames]) => {
  window.m.emit(message);
  const xs = [];
  for (let i = 0; i < frames; i++) {
    const el = document.querySelector(`[data-key="${key}"]`);
    xs.push(Number(/translate\\(([-\\d.]+)/.exec(el.getAttribute('transform'))[1]));
    await nextFrame(1);
  }
  return xs;
}"""


def test_a_flight_travels_once_then_rests(open_stage):
    stage = open_stage(full(scene()))
    message = delta(2, flights=msgspec.to_builtins([flight("f")]))
    xs = stage.page.evaluate(PLACES, [message, "f", 40])
    assert xs[0] == 100
    assert xs == sorted(xs)
    assert len({x for x in xs if 100 < x < 700}) > 5, "it jumped"
    stage.settled()
    assert stage.attribute("f", "transform") == "translate(710 200)"
    # The same key again is the same message: it stays where it is.
    again = stage.page.evaluate(PLACES, [{**message, "seq": 3}, "f", 5])
    assert again == [710] * 5


def test_copies_of_one_message_are_one_dot_until_their_ways_part(open_stage):
    stage = open_stage(full(scene()))
    flights = [
        flight("near", d="M100 200H400V150", x=400, y=150, group="m", t1=1.5),
        flight("far", d="M100 200H400V280H800", x=800, y=280, group="m", t1=1.5),
    ]
    places = stage.page.evaluate(
        """async message => {
             window.m.emit(message);
             const seen = [];
             for (let i = 0; i < 12; i++) {
               const dots = ['near', 'far'].map(k => document.querySelector(`[data-key=${k}]`));
               seen.push(dots.map(dot => dot.getAttribute('transform')));
               await nextFrame(1);
             }
             return seen;
           }""",
        delta(2, flights=msgspec.to_builtins(flights)),
    )
    on_trunk = [(a, b) for a, b in places if a.endswith(" 200)") and b.endswith(" 200)")]
    assert len(on_trunk) > 2
    assert all(a == b for a, b in on_trunk)


def test_a_flight_that_is_gone_still_arrives(open_stage):
    stage = open_stage(full(scene()))
    stage.emit(delta(2, flights=msgspec.to_builtins([flight("f")])), {**delta(3), "gone": ["f"]})
    assert stage.mark("f").count() == 1
    stage.settled()
    assert stage.mark("f").count() == 0


def test_a_lost_flight_stops_on_its_way_with_a_cross(open_stage):
    stage = open_stage(full(scene()))
    lost = flight("f", end="lost", stop=0.5, x=400, y=200, classes="dead fill")
    xs = stage.page.evaluate(PLACES, [delta(2, flights=msgspec.to_builtins([lost])), "f", 40])
    assert max(xs) <= 400.5
    assert stage.page.locator("[data-key=f] .nl-cross").count() == 1


def test_while_paused_flights_are_at_rest(open_stage):
    stage = open_stage(full(scene(), at=cursor("paused")))
    message = delta(2, flights=msgspec.to_builtins([flight("f")]), at=cursor("paused"))
    assert stage.page.evaluate(PLACES, [message, "f", 3]) == [710] * 3


def test_in_a_replay_flights_are_as_slow_as_it_is(open_stage):
    """Half a second at least in slow motion, and their own time by its factor."""
    stage = open_stage(full(scene(), at=cursor("replay", speed=0.01)))
    began = stage.page.evaluate("performance.now()")
    stage.emit(
        delta(2, flights=msgspec.to_builtins([flight("f", t1=1.015)]), at=cursor("replay", speed=0.01))
    )
    stage.wait("() => !document.querySelector('.nl-travels')")
    assert 1_400 < stage.page.evaluate("performance.now()") - began < 3_000
    stage = open_stage(full(scene(), at=cursor("replay", speed=0.01)))
    lone = flight("f", t1=1.0001, group="g", delay=1.0)
    began = stage.page.evaluate("performance.now()")
    stage.emit(delta(2, flights=msgspec.to_builtins([lone]), at=cursor("replay", speed=0.01)))
    stage.wait("() => !document.querySelector('.nl-travels')")
    assert 450 < stage.page.evaluate("performance.now()") - began < 900, "what it waits for was here before"


def test_a_hollow_dot_keeps_its_outline_and_a_sign_stands_in_it(open_stage):
    hollow = flight("f", classes="flight edge base-ground", sign="+")
    stage = open_stage(full(scene(flights=[hollow]), at=cursor("paused")))
    assert stage.page.evaluate(
        "getComputedStyle(document.querySelector('[data-key=f] circle:nth-of-type(2)')).stroke"
    ) == stage.page.evaluate("getComputedStyle(document.querySelector('[data-key=f] .edge')).stroke")
    assert stage.mark("f").locator("text.nl-in").text_content() == "+"
    assert stage.mark("f").locator("circle").count() == 2


def test_nothing_moves_off_screen(open_stage):
    stage = open_stage(full(scene(brick("a", 50))), height=400)
    stage.page.evaluate("document.body.style.paddingTop = '3000px'")
    stage.page.wait_for_timeout(150)
    message = delta(2, brick("a", 450), flights=msgspec.to_builtins([flight("f")]))
    assert stage.page.evaluate(PLACES, [message, "f", 1]) == [710]
    assert stage.attribute("a", "x") == "450"


def test_reduced_motion_shows_numbers_instead_of_travel(open_stage):
    stage = open_stage(full(scene(brick("a", 50))), calm=True)
    two = [flight("late", t0=2.0, t1=2.1, y=250), flight("early")]
    message = delta(2, brick("a", 450), flights=msgspec.to_builtins(two))
    assert stage.page.evaluate(PLACES, [message, "early", 2]) == [710, 710]
    assert stage.attribute("a", "x") == "450"
    badge = stage.page.locator("[data-key=early] .nl-badge")
    assert badge.is_visible()
    assert badge.text_content() == "1"
    assert stage.page.locator("[data-key=late] .nl-badge").text_content() == "2"


# --- foreign text -----------------------------------------------------------------------------

HOSTILE = [
    '<img src=x onerror="window.hacked=1">',
    "</script><script>window.hacked=1</script>",
    "</text></svg><iframe srcdoc='<script>parent.hacked=1</script>'>",
    "<svg onload=window.hacked=1>",
    "javascript:window.hacked=1",
    "a\u0000b\u0007c\u202ed",
    "&lt;b&gt; &amp; \"quotes\" 'single' {{x}} ${1}",
]


def test_hostile_text_stays_text(open_stage):
    marks: list[Mark] = []
    for i, text in enumerate(HOSTILE):
        marks.append(
            Group(
                key=f"k{i}",
                title=text,
                state={text: text, "list": [text], "nested": {text: text}},
                actions=[Action(text, text)],
                marks=[
                    label(f"k{i}/t", 30, 100 + 25 * i, text),
                    Rect(key=f"k{i}/{text}", x=1, y=80, w=9, h=9, classes=text),
                ],
            )
        )
    picture = scene(
        *marks,
        lab=HOSTILE[0],
        servers=[(HOSTILE[0], HOSTILE[1])],
        sources=HOSTILE[1],
        sentence=[(HOSTILE[0], "")],
        note=[(HOSTILE[2], "mono")],
        legend=[Legend("fill flight", "circle", HOSTILE[0], 1)],
        controls=[Action(HOSTILE[0], HOSTILE[1])],
        flights=[flight(HOSTILE[0], title=HOSTILE[0], label=HOSTILE[1], end="lost")],
    )
    stage = open_stage(full(picture, at=cursor(selection="k0")))
    stage.emit(
        {"op": "table", "columns": [HOSTILE[0], "b"], "rows": [HOSTILE[1:3]], "keys": [HOSTILE[0]]},
        {
            "op": "track", "head": 9, "t0": 0, "t1": 9, "pubs": [[1, 1.0, 5]],
            "signs": [{"n": 1, "t": 4, "glyph": HOSTILE[0], "text": HOSTILE[0]}],
        },
        {"op": "said", "line": HOSTILE[0], "error": HOSTILE[1]},
    )  # fmt: skip
    stage.page.keyboard.press("Tab")
    stage.page.keyboard.press("t")
    for i in range(len(HOSTILE)):
        stage.mark(f"k{i}").first.focus()
        stage.page.keyboard.press("Enter")
        stage.page.keyboard.press("Escape")
    stage.mark("k0").hover()
    stage.settled()
    assert stage.page.evaluate("window.hacked") is None
    root = "document.querySelector('.natslab')"
    for name in ("img", "script", "iframe", "svg svg", "[onload]", "[onerror]", "[href]", "foreignObject"):
        assert stage.page.evaluate(f"{root}.querySelectorAll('{name}').length") == 0, name
    assert stage.mark("k0/t").text_content() == HOSTILE[0]
    assert stage.mark("k5/t").text_content() == "a\ufffdb\ufffdc\u202ed"


def test_classes_of_a_scene_cannot_be_the_stages_own(open_stage):
    classes = "flight nl-card natslab a;b{} <x> ../x X9 fill expression(1)"
    stage = open_stage(full(scene(Rect(key="a", x=1, y=60, w=9, h=9, classes=classes))))
    assert stage.attribute("a", "class") == "flight fill"


def test_numbers_that_are_none_do_not_break_the_picture(open_stage):
    message = full(scene(brick("a", 50)))
    message["scene"]["marks"] += [
        {"kind": "rect", "key": "x", "x": "1;alert(1)", "y": None, "w": -5, "h": 1e400, "width": "9"},
        {"kind": "circle", "key": "y", "r": -1},
        {"kind": "path", "key": "z", "d": "M0 0L nonsense", "arrow": True},
        {"kind": "text", "key": "t", "x": 1, "y": 2},
        {"kind": "group", "key": "g"},
    ]
    stage = open_stage(message)
    assert stage.attribute("x", "x") == "0"
    assert stage.attribute("x", "width") == "0"
    assert stage.attribute("a", "x") == "50"


# --- what was missed --------------------------------------------------------------------------


def test_it_says_hello_and_asks_again_when_a_frame_was_missed(open_stage):
    stage = open_stage()
    assert stage.sent() == [{"op": "hello"}]
    stage.emit(full(scene(brick("a", 1)), seq=7))
    stage.forget()
    stage.emit(delta(9, brick("a", 400)), delta(10, brick("a", 500)), delta(11, brick("a", 600)))
    assert stage.sent() == [{"op": "hello"}], "once, not for every frame"
    assert stage.attribute("a", "x") == "1", "a frame out of order must not be shown"
    stage.emit(full(scene(brick("a", 30)), seq=12), delta(13, brick("b", 60)))
    stage.settled()
    assert stage.attribute("a", "x") == "30"
    assert stage.mark("b").count() == 1
    stage.forget()
    stage.emit(delta(13, brick("c", 1)), delta(12, brick("c", 1)))
    assert stage.sent() == []
    assert stage.mark("c").count() == 0, "an old frame must not be shown twice"


def test_two_views_of_one_model(open_stage):
    stage = open_stage(full(scene(brick("a", 1))))
    stage.page.evaluate(
        """() => {
             const second = document.createElement('div');
             document.body.append(second);
             window.endSecond = window.stageModule.render({ model: window.m, el: second });
           }"""
    )
    stage.emit(full(scene(brick("a", 5)), seq=2), delta(3, brick("a", 9)))
    stage.settled()
    assert stage.mark("a").count() == 2
    stage.page.evaluate("window.endSecond()")
    stage.emit(delta(4, brick("a", 77)))
    stage.settled()
    assert stage.attribute("a", "x") == "77"


def test_painting_is_reported_only_when_measured(open_stage):
    for measure in (False, True):
        stage = open_stage(full(scene(brick("a", 1))), measure=measure)
        stage.emit(delta(2, brick("a", 9)))
        stage.page.evaluate("nextFrame(3)")
        assert [m["seq"] for m in stage.sent("painted")] == ([1, 2] if measure else [])


# --- the text of the picture ------------------------------------------------------------------


def test_the_sentence_is_announced_politely(open_stage):
    stage = open_stage(full(scene(sentence=[("One.", "")])))
    log = stage.page.locator("[role=log]")
    assert log.get_attribute("aria-live") == "polite"
    assert log.text_content() == "One."
    for i in range(2, 6):
        stage.emit(delta(i, head={"said": f"Number {i}."}))
    assert log.text_content() == "One.", "not more than one announcement in two seconds"
    stage.wait("document.querySelector('[role=log]').textContent === 'Number 5.'")
    assert stage.root.get_attribute("aria-label") == "Test: Number 5."


def test_a_text_mark_keeps_its_spaces(open_stage):
    stage = open_stage(full(scene(Text(key="t", x=30, y=100, runs=[("a  b ", "mono"), ("c", "")]))))
    assert stage.mark("t").text_content() == "a  b c"
    assert stage.attribute("t", "xml:space") == "preserve"


def test_a_stage_that_cannot_follow_says_so(open_stage):
    """Frames that wait in the browser show an ever older past; the kernel must send fewer."""
    stage = open_stage(full(scene(brick("a", 100))))
    for seq in range(2, 6):
        stage.emit({"op": "delta", "seq": seq, "cursor": cursor(now=107.5 + seq)})
    assert stage.sent("behind") == []
    # The kernel made these earlier than the ones before, for the time that they took to come.
    stage.emit({"op": "delta", "seq": 6, "cursor": cursor(now=110.0)})
    assert len(stage.sent("behind")) == 1
    stage.emit({"op": "delta", "seq": 7, "cursor": cursor(now=110.1)})
    assert len(stage.sent("behind")) == 1  # not with every frame
