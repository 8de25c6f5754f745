"""A narrow place: the stage asks for another picture, and all of it is seen without scrolling sideways."""

from __future__ import annotations

from xml.etree import ElementTree

import pytest

from natslab.views import raft
from natslab.views.scene import NARROW, WIDTH, Path, Scene, header, headline, legend_marks, to_svg, walk
from tests.browser.stage.conftest import StagePage, full
from tests.rafts import Rig

pytestmark = pytest.mark.browser

#: What leaves the stage at its sides, what can be scrolled sideways, and how small the text is.
OUTSIDE = """() => {
  const frame = document.querySelector('.natslab').getBoundingClientRect();
  const drawn = '.nl-picture *, .nl-head-picture *, .nl-legend-picture *, .nl button, .nl kbd, .nl-track';
  return [...document.querySelectorAll(drawn)]
    .map(e => [e.dataset.key ?? e.className, e.getBoundingClientRect()])
    .filter(([, b]) => b.width && (b.left < frame.left - 1 || b.right > frame.right + 1))
    .map(([name]) => String(name));
}"""
SCROLLS = """() => [document.documentElement, ...document.querySelectorAll('.natslab, .natslab *')]
  .filter(e => e.scrollWidth > e.clientWidth + 1 && e.clientWidth
    && !['visible', 'hidden'].includes(getComputedStyle(e).overflowX)).map(e => String(e.className))"""
SMALLEST = """() => Math.min(...[...document.querySelectorAll('.nl-picture text, .nl-legend-picture text')]
  .flatMap(e => [...e.querySelectorAll('tspan'), e].map(
    part => parseFloat(getComputedStyle(part).fontSize) * (e.getScreenCTM()?.a ?? 1))))"""
UNDER = """() => {
  const buttons = document.querySelector('.nl-header-buttons').getBoundingClientRect();
  return [...document.querySelectorAll('.nl-head-picture [data-key]')]
    .filter(e => e.getBoundingClientRect().right > buttons.left).map(e => e.dataset.key);
}"""


def picture(servers: int = 3, width: int = NARROW) -> Scene:
    """An election in a cluster whose leader is cut off."""
    rig = Rig(servers).healthy()
    rig.isolate("n1")
    rig.wait(6)
    rig.ask("n2", 2)
    rig.state.width = width
    return raft.draw(rig.state)


def resized(stage: StagePage, width: int) -> list[dict[str, object]]:
    """What the stage says when it becomes so wide."""
    stage.forget()
    stage.page.set_viewport_size({"width": width + 60, "height": 900})
    stage.page.evaluate("width => document.getElementById('host').style.width = `${width}px`", width)
    stage.page.evaluate("nextFrame(4)")
    return stage.sent("hello")


@pytest.mark.parametrize("servers", [3, 5, 7])
@pytest.mark.parametrize("width", [440, 450, 530, 700])
def test_all_of_a_narrow_picture_is_seen(open_stage, width, servers):
    stage = open_stage(full(picture(servers)), width=width)
    assert stage.sent("hello") == [{"op": "hello", "narrow": True}]
    stage.root.focus()
    stage.settled()
    assert stage.page.evaluate(OUTSIDE) == []
    assert stage.page.evaluate(SCROLLS) == []
    assert stage.page.evaluate(UNDER) == []
    assert stage.page.evaluate(SMALLEST) >= 10
    assert stage.errors == []


def test_the_stage_draws_what_the_still_shows(open_stage):
    scene = picture()
    stage = open_stage(full(scene), width=450)
    stage.settled()
    drawn = stage.page.evaluate(
        "() => Object.fromEntries([...document.querySelectorAll('.natslab svg [data-key]')]"
        ".map(e => [e.dataset.key, [...e.classList].filter(c => !c.startsWith('nl-')).sort().join(' ')]))"
    )
    still = {
        e.attrib["data-key"]: " ".join(sorted(e.attrib.get("class", "").split()))
        for e in ElementTree.fromstring(to_svg(scene)).iter()
        if "data-key" in e.attrib
    }
    marks = list(walk([*header(scene), *headline(scene), *scene.marks, *legend_marks(scene)]))
    flights = {f.key for f in scene.flights}
    assert {m.key for m in marks} | flights == set(drawn) == set(still)
    # The stage draws an arrow and what moves as a group of shapes.
    grouped = flights | {m.key for m in marks if isinstance(m, Path) and m.arrow}
    assert {k: v for k, v in still.items() if k not in grouped} == {
        k: v for k, v in drawn.items() if k not in grouped
    }


def test_another_width_asks_for_another_picture_and_does_not_waver(open_stage):
    stage = open_stage(full(picture()), width=450)
    for width, said in (
        (700, None), (735, None), (760, {"op": "hello"}), (725, None), (710, {"op": "hello", "narrow": True}),
        (730, None), (900, {"op": "hello"}),
    ):  # fmt: skip
        assert resized(stage, width) == ([said] if said else []), width
    stage.emit(full(picture(width=WIDTH), seq=2))
    stage.settled()
    box = stage.page.evaluate("document.querySelector('.nl-picture').getAttribute('viewBox')")
    assert box.split()[:3] == ["0", "44", str(WIDTH)]
    assert stage.page.evaluate(OUTSIDE) == []
    resized(stage, 450)
    stage.emit(full(picture(), seq=3))
    stage.settled()
    assert stage.page.evaluate(OUTSIDE) == []


def test_a_view_that_is_always_wide_scrolls(open_stage):
    stage = open_stage(full(picture(width=WIDTH)), width=450)
    stage.settled()
    wide = stage.page.evaluate("document.querySelector('.nl-picture').getBoundingClientRect().width")
    assert wide == 720
    assert any("nl-scroll" in name for name in stage.page.evaluate(SCROLLS))
