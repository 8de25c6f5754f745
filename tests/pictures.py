"""What every view must hold, whatever it shows: for the tests of views.

from pictures import check
check(routing, state)          # vocabulary, keys, numbers, rows, equal bytes, legible text
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple
from xml.etree import ElementTree

import msgspec

from natslab.views.scene import (
    HEAD,
    NARROW,
    Circle,
    Group,
    Mark,
    Path,
    Rect,
    Scene,
    Text,
    header,
    headline,
    path_points,
    text_width,
    to_svg,
    unknown_classes,
    walk,
)


class Box(NamedTuple):
    """Where a line of text stands: left, top, right, bottom."""

    key: str
    text: str
    x0: float
    y0: float
    x1: float
    y1: float


def text_boxes(scene: Scene) -> list[Box]:
    """The room of each line of text in the widest common font, header and labels of flights included."""
    boxes = list(_boxes(header(scene), 0, scene.top - HEAD))
    boxes += _boxes([*headline(scene), *scene.marks], 0, 0)
    for flight in scene.flights:
        if flight.label:
            half = text_width(flight.label, "t11") / 2
            base = flight.y - flight.r - 7
            boxes.append(Box(flight.key, flight.label, flight.x - half, base - 8, flight.x + half, base + 2))
    return boxes


def _boxes(marks: Iterable[Mark], dx: float, dy: float) -> Iterator[Box]:
    for mark in marks:
        if isinstance(mark, Group):
            yield from _boxes(mark.marks, dx + mark.x, dy + mark.y)
        elif isinstance(mark, Text) and any(text for text, _ in mark.runs):
            wide = sum(text_width(text, classes) for text, classes in mark.runs)
            size = max(
                [int(c[1:]) for _, classes in mark.runs for c in classes.split() if re.fullmatch(r"t\d\d", c)]
                or [13]
            )
            names = mark.classes.split() + (mark.runs[0][1].split() if mark.runs else [])
            left = mark.x + dx - (wide / 2 if "middle" in names else wide if "end" in names else 0)
            base = mark.y + dy
            text = "".join(text for text, _ in mark.runs)
            yield Box(mark.key, text, left, base - 0.74 * size, left + wide, base + 0.18 * size)


def assert_legible(scene: Scene) -> None:
    """No line of text touches another, and none leaves the picture."""
    width, top = scene.width, scene.top - HEAD
    boxes = text_boxes(scene)
    for box in boxes:
        assert box.x0 >= 0 and box.x1 <= width + 0.5, f"{box.key} {box.text!r} leaves the picture: {box[2:]}"
        assert box.y0 >= top and box.y1 <= scene.height + 0.5, (
            f"{box.key} {box.text!r} leaves the picture: {box[2:]}"
        )
    boxes.sort(key=lambda b: b.x0)
    for i, a in enumerate(boxes):
        for b in boxes[i + 1 :]:
            if b.x0 >= a.x1 - 0.5:
                break
            if min(a.y1, b.y1) - max(a.y0, b.y0) > 1:
                raise AssertionError(f"{a.key} {a.text!r} {a[2:]} and {b.key} {b.text!r} {b[2:]} overlap")


def numbers(text: str) -> set[str]:
    """Every number in a text; 10 000 is one."""
    return {n.replace(" ", "") for n in re.findall(r"\d{1,3}(?: \d{3})+(?!\d)|\d+", text)}


def keyed(scene: Scene) -> dict[str, Any]:
    """Every mark of a picture, also those inside others, by its key."""
    return {mark.key: mark for mark in walk(scene.marks)}


def keys(scene: Scene) -> Counter[str]:
    """How often each key of a mark or flight occurs."""
    return Counter([m.key for m in walk(scene.marks)] + [f.key for f in scene.flights])


def check(view: Any, state: Any, *, timed: bool = False) -> Scene:
    """Hold `view` against what every view promises, in this state; gives back the scene.

    `timed`: the headline of the picture also tells times, which words and table leave out.
    """
    scene: Scene = view.draw(state)
    assert unknown_classes(scene) == set()
    doubled = [key for key, n in keys(scene).items() if n > 1]
    assert not doubled, f"keys twice: {doubled}"

    table = view.table(state)
    assert all(len(row) == len(table.columns) for row in table.rows)
    assert len(table.keys) == len(table.rows)
    missing = [key for key in table.keys if key not in keys(scene)]
    assert not missing, f"rows without a mark: {missing}"

    words = " ".join(view.describe(state))
    assert words.strip() and "\n" not in words
    assert timed or "".join(t for t, _ in scene.sentence) == view.describe(state)[0]
    whole = re.sub(r"\S+…|…\S+", "", words)  # of a name that was cut, a number may be cut as well
    lost = numbers(whole) - numbers(table.text()) - numbers(" ".join(c for row in table.rows for c in row))
    assert not lost, f"numbers of the sentence that the table lacks: {lost} in {words!r}"

    svg = to_svg(scene)
    again = msgspec.msgpack.decode(msgspec.msgpack.encode(state), type=type(state))
    assert again == state
    assert to_svg(view.draw(again)) == svg
    assert view.describe(again) == view.describe(state)
    ElementTree.fromstring(svg)
    assert_legible(scene)
    check_narrow(view, again)
    return scene


def check_narrow(view: Any, state: Any) -> None:
    """The same for the picture of a narrow place, where the view knows one."""
    state.width = NARROW
    scene: Scene = view.draw(state)
    if scene.width != NARROW:
        return
    assert unknown_classes(scene) == set()
    doubled = [key for key, n in keys(scene).items() if n > 1]
    assert not doubled, f"keys twice, narrow: {doubled}"
    missing = [key for key in view.table(state).keys if key not in keys(scene)]
    assert not missing, f"rows without a mark, narrow: {missing}"
    svg = to_svg(scene)
    assert to_svg(view.draw(state)) == svg
    ElementTree.fromstring(svg)
    assert_legible(scene)
    assert_inside(scene)


def assert_inside(scene: Scene) -> None:
    """No mark leaves the picture at its sides."""
    for mark, dx in _placed(scene.marks, 0):
        if isinstance(mark, Rect):
            ends = [mark.x, mark.x + mark.w]
        elif isinstance(mark, Circle):
            ends = [mark.x - mark.r, mark.x + mark.r]
        elif isinstance(mark, Path):
            ends = [x for x, _ in path_points(mark.d)]
        else:
            continue
        out = [x + dx for x in ends if not -0.5 <= x + dx <= scene.width + 0.5]
        assert not out, f"{mark.key} leaves the picture: {out}"
    for flight in scene.flights:
        assert flight.r - 0.5 <= flight.x <= scene.width - flight.r + 0.5, f"{flight.key} leaves the picture"


def _placed(marks: Iterable[Mark], dx: float) -> Iterator[tuple[Mark, float]]:
    for mark in marks:
        yield mark, dx
        if isinstance(mark, Group):
            yield from _placed(mark.marks, dx + mark.x)
