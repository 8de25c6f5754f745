"""Scenes: geometry, stills, and foreign text that stays text."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from natslab.views import scene as sc

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
