"""Scenes: geometry, stills, and foreign text that stays text."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from natslab.views import scene as sc
from tests.pictures import assert_legible

NASTY = '<script>alert("x")</script><img src=x onerror=alert(1)>&amp;\x00\x1b‮\ud800'


def sample(text: str = "orders.new") -> sc.Scene:
    return sc.Scene(
        view="routing",
        title="Routing",
        height=220,
        servers=[("n1", "up"), ("n2", "down"), ("n3", "frozen")],
        sources="seen by the server's message trace",
        sentence=[(text, "mono"), (" reached 2 of 3 subscriptions.", "")],
        note=[("Nobody else listens.", "")],
        marks=[
            sc.Rect(key="a", x=10, y=120, w=40, h=20, r=4, classes="edge flight base-ground", title=text),
            sc.Group(key="g", marks=[sc.label("g/t", 60, 130, text, "t12 mono")], title=text),
            sc.Path(
                key="p", d=sc.points_path([(10, 150), (40, 150), (40, 190)]), classes="edge line", arrow=True
            ),
        ],
        flights=[sc.Flight(key="f", d="M0 0L10 10", x=5, y=150, t0=1.0, label=text[:3], title=text)],
        legend=[sc.Legend("flight fill", "circle", "delivered", 2)],
    )


def test_a_still_is_well_formed_and_starts_as_the_sanitiser_expects() -> None:
    svg = sc.to_svg(sample())
    assert svg.startswith('<svg class="natslab" data-view="routing"')
    root = ET.fromstring(svg)
    keys = {e.attrib["data-key"] for e in root.iter() if "data-key" in e.attrib}
    assert {"a", "g", "g/t", "p", "f", "sentence", "note"} <= keys


def test_equal_scenes_give_equal_bytes() -> None:
    assert sc.to_svg(sample()) == sc.to_svg(sample())


def test_foreign_text_stays_text() -> None:
    svg = sc.to_svg(sample(NASTY))
    root = ET.fromstring(svg)  # so it is well formed
    tags = {e.tag.split("}")[1] for e in root.iter()}
    assert "script" not in tags
    assert "img" not in tags
    assert not [a for e in root.iter() for a in e.attrib if a.lower().startswith("on")]
    texts = "".join(root.itertext())
    assert '<script>alert("x")</script>' in texts


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=60))
def test_any_text_gives_a_well_formed_still(text: str) -> None:
    ET.fromstring(sc.to_svg(sample(text)))


def test_the_vocabulary_is_closed() -> None:
    assert sc.unknown_classes(sample()) == set()
    scene = sample()
    scene.marks.append(sc.Circle(key="x", x=1, y=1, r=1, classes="fill red"))
    assert sc.unknown_classes(scene) == {"red"}


def test_text_is_cut_with_an_ellipsis_and_fits() -> None:
    for classes in ("t11", "t12 mono", "t14 w6"):
        for width in (20, 60, 200):
            cut = sc.shorten("a.very.long.subject.that.does.not.fit.anywhere.at.all", width, classes)
            assert sc.text_width(cut, classes) <= width or len(cut) <= 2
    assert sc.shorten("short", 200, "t11") == "short"


def test_round_corners_follow_the_turn() -> None:
    d = sc.points_path([(0, 0), (20, 0), (20, 40), (60, 40)])
    assert d == "M0 0L10 0A10 10 0 0 1 20 10L20 30A10 10 0 0 0 30 40L60 40"
    assert sc.path_points(d)[-1] == (60, 40)


@pytest.mark.parametrize("theme", ["", "light", "dark"])
def test_the_theme_can_be_fixed(theme: str) -> None:
    svg = sc.to_svg(sample(), theme=theme, patterns=True)
    names = re.match(r'<svg class="([^"]*)"', svg)
    assert names
    assert names[1].split() == [c for c in ("natslab", theme, "patterns") if c]


def test_a_still_draws_only_the_flights_that_are_seen() -> None:
    def flight(key: str, x: float, r: float = 7, label: str = "") -> sc.Flight:
        return sc.Flight(key=key, d="M0 0L10 10", x=x, y=150, t0=1.0, r=r, label=label)

    scene = sample()
    scene.flights = [flight("under", 5), flight("wide", 9, 9), flight("named", 30, label="7")]
    scene.flights += [flight("beside", 20), flight("over", 5), flight("small", 9), flight("last", 30)]
    keys = {e.attrib.get("data-key") for e in ET.fromstring(sc.to_svg(scene)).iter()}
    assert {"wide", "named", "beside", "over", "small", "last"} <= keys
    assert "under" not in keys


def test_words_are_broken_between_words() -> None:
    runs = [("orders.eu", "t15 mono"), (" reached two of three subscriptions, and nobody else.", "t15")]
    lines = sc.wrapped(runs, 200, 2)
    assert len(lines) == 2
    assert "".join(t for t, _ in lines[-1]).endswith("…")
    for line in lines:
        assert sum(sc.text_width(t.rstrip(), c) for t, c in line) <= 200
    whole = sc.wrapped(runs, 400, 3)
    assert "".join(t for line in whole for t, _ in line) == "".join(t for t, _ in runs)
    assert lines[0][0] == runs[0]


@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(st.text(max_size=30), st.sampled_from(["t15", "t15 mono"])), max_size=4))
def test_broken_lines_fit_whatever_they_say(runs: list[tuple[str, str]]) -> None:
    lines = sc.wrapped(runs, 150, 2)
    assert len(lines) <= 2
    for line in lines:
        assert sum(sc.text_width(t.rstrip(), c) for t, c in line) <= 150 + 0.01


def narrow(text: str = "orders.new") -> sc.Scene:
    scene = sample(text)
    scene.width, scene.flights = sc.NARROW, []
    return scene


def test_a_narrow_picture_begins_higher_and_its_legend_has_lines() -> None:
    scene = narrow()
    scene.legend = [sc.Legend("flight fill", "circle", f"word {i}", i) for i in range(12)]
    legend = sc.legend_marks(scene)
    texts = [m for m in sc.walk(legend) if isinstance(m, sc.Text)]
    ends = [m.x + sum(sc.text_width(t, c) for t, c in m.runs) for m in texts]
    assert max(ends) <= sc.NARROW - 24
    assert sc.foot(legend) > sc.FOOT
    root = ET.fromstring(sc.to_svg(scene))
    x, y, w, h = (float(v) for v in root.attrib["viewBox"].split())
    assert (x, y, w) == (0, -sc.RISE, sc.NARROW)
    assert y + h == scene.height + sc.foot(legend)
    assert_legible(scene)


def test_a_long_headline_stays_above_a_narrow_picture() -> None:
    scene = narrow()
    scene.sentence = [("n1 leads the meta group in term 1, and of the others nobody knows anything.", "")]
    scene.note = [("word " * 30, "")]
    scene.marks = [sc.label("first", 24, 128, "Meta group", "t14 w6")]
    assert_legible(scene)
    told = [m for m in sc.headline(scene) if isinstance(m, sc.Group)]
    assert [(m.key, len(m.marks)) for m in told] == [("sentence", 2), ("note", 2)]
