"""Walls in the topology picture: where nothing passes because somebody has seen to it."""

from __future__ import annotations

import shlex
from itertools import pairwise

from natslab.views import scene as sc
from natslab.views.marks import rect
from natslab.views.scene import Action, Mark, Path, label, text_width
from natslab.views.topology.curve import Curve, Elbow
from natslab.views.topology.labels import age
from natslab.views.topology.plan import Box, bow
from natslab.views.topology.seen import Seen
from natslab.views.topology.sides import sides_of
from natslab.views.topology.state import Wire
from natslab.views.topology.words import word_of
from natslab.views.wording import listed, short_name

LABEL = 46.0  # from the name of a wall in a gap to the top of the panels


def since(now: float, wires: list[Wire]) -> str:
    """How long ago it was cut, or for how long it is held."""
    long = now - max((w.since for w in wires), default=now)
    if long < 0.95:
        return "just now"
    return f"{age(long)} ago" if word_of(wires) == "cut" else f"for {age(long)}"


def wall(
    key: str,
    now: float,
    x: float,
    y: tuple[float, float],
    wires: list[Wire],
    text: float,
    ends: tuple[str, ...] = (),
) -> Mark:
    """A wall from `y[0]` to `y[1]` across some wires, named at the baseline `text`, with its age.

    `ends`: the clusters that it parts, where these are all the wires between them.
    """
    word = word_of(wires)
    names = listed([f"{short_name(w.a, 20)} and {short_name(w.b, 20)}" for w in wires[:3]])
    more = f", and {len(wires) - 3} more" if len(wires) > 3 else ""
    return sc.Group(
        key=key,
        title=f"Nothing passes between {names}{more}.",
        state={"state": word, "wires": len(wires)},
        actions=[heal(wires, ends)],
        classes="menu",
        marks=[
            Path(key=f"{key}/line", d=f"M{x:g} {y[0]:g}V{y[1]:g}", width=3, classes="wall"),
            label(f"{key}/word", x, text, word, "t12 w6 middle"),
            label(f"{key}/age", x, text + 14, since(now, wires), "t11 ink2 middle"),
        ],
    )


def heal(wires: list[Wire], ends: tuple[str, ...] = ()) -> Action:
    """The line that ends it: of one wire, of all between two clusters (`ends`), or of all there are."""
    if not ends and len(wires) == 1:
        ends = wires[0].a, wires[0].b
    pair = "".join(f" {shlex.quote(end)}" for end in ends)
    keys = {"held": "H", "delayed": "D"}
    return Action(f"natslab heal{pair}", "Heal", keys.get(wires[0].state, "X") if wires else "X", "=")


def bar(wire: Wire, curve: Curve | Elbow, now: float) -> tuple[Mark, list[Mark]]:
    """A short wall across one wire, where others still lead round it; and its age, which lies over wires."""
    x, y = curve.at(0.5)
    (x0, y0), (x1, _) = curve.ends
    key, low = f"wall/{wire.a}|{wire.b}", y - y0 > 8
    line = Path(key=f"{key}/line", d=f"M{x:g} {y - 17:g}V{y + 17:g}", width=3, classes="wall")
    title = f"The wire between {short_name(wire.a, 20)} and {short_name(wire.b, 20)} is {wire.state}."
    one = sc.Group(
        key=key,
        marks=[line],
        title=title,
        state={"state": wire.state},
        actions=[heal([wire])],
        classes="menu",
    )
    words = f"{wire.state} {since(now, [wire])}"
    wide = text_width(words, "t11")
    if low:
        # Under a bent wire others may pass: beside the wall there is room, above the wire.
        ground = rect(f"{key}/ground", x + 17, y - 16, wide + 6, 13, "panel fill", 3)
        return one, [ground, label(f"{key}/age", x + 20, y - 6, words, "t11 ink2")]
    if wide < abs(x1 - x0) + 10:
        return one, [label(f"{key}/age", x, y - 24, words, "t11 ink2 middle")]
    return one, []


class Walls:
    """All walls of a picture, and where each wire meets them."""

    def __init__(self, all_: Seen) -> None:
        self.all = all_
        self.plan = all_.plan
        self.marks: list[Mark] = []
        self.over: list[Mark] = []  # words that lie over the wires
        self.stops: dict[str, list[float]] = {}  # key of a blocked wire -> x of the walls across it
        self.gates: dict[str, list[float]] = {}  # key of another wire -> x of the walls that it passes
        for box in self.plan.boxes:
            if box.group.cluster:
                self._inside(box)

    def _inside(self, box: Box) -> None:
        """Between the servers of a cluster that has fallen into parts."""
        parts = sides_of(box.group, self.all.wires)
        if len(parts) < 2:
            return
        side = {name: i for i, part in enumerate(parts) for name in part}
        drawn = [n.name for n in box.nodes if n.name in side]
        routes = [w for w in self.all.wires if w.a in self.plan.places and w.b in self.plan.places]
        routes = [w for w in routes if w.a in box.group.names and w.b in box.group.names]
        for left, right in pairwise(drawn):
            if side[left] == side[right]:
                continue
            x = self.plan.places[right][0] - self.plan.pitch / 2
            across = [w for w in routes if self._crosses(w, x)]
            for wire in across:
                (self.stops if wire.blocked else self.gates).setdefault(wire.key, []).append(x)
            shut = [w for w in across if w.blocked]
            deep = max([bow(len(box.nodes), self._steps(w)) for w in shut] or [0.0])
            y = box.top + 38, box.axis + max(30.0, deep + 12)
            self.marks.append(wall(f"wall/{left}|{right}", self.all.state.now, x, y, shut, box.top + 16))

    def _crosses(self, wire: Wire, x: float) -> bool:
        a, b = self.plan.places[wire.a][0], self.plan.places[wire.b][0]
        return min(a, b) < x < max(a, b)

    def _steps(self, wire: Wire) -> int:
        a, b = self.plan.places[wire.a][0], self.plan.places[wire.b][0]
        return max(1, round(abs(a - b) / self.plan.pitch))

    def stand(self, wire: Wire, curve: Curve | Elbow) -> None:
        """See that a blocked wire meets a wall: in the gap between two panels, or one of its own."""
        if wire.key in self.stops:
            return
        one, other = self.plan.box(wire.a), self.plan.box(wire.b)
        if one is None or other is None or one is other:
            self.stops[wire.key] = [curve.at(0.5)[0]]
            mark, words = bar(wire, curve, self.all.state.now)
            self.marks.append(mark)
            self.over += words
            return
        lower = one if one.row > other.row or (one.row == other.row and one.group.leaf) else other
        x0, x1 = self.plan.gap(one, other)
        x = round((x0 + x1) / 2, 2)
        self.stops[wire.key] = [x]
        y = lower.top + 4, lower.title - 22
        key = f"wall/{wire.a}|{wire.b}"
        self.marks.append(wall(key, self.all.state.now, x, y, [wire], lower.top - LABEL))
