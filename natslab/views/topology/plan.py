"""What stands where in the topology picture. A place depends on the names alone: it is a memory."""

from __future__ import annotations

from itertools import pairwise

import msgspec

from natslab.views.layout import Point
from natslab.views.scene import NARROW, WIDTH
from natslab.views.topology.curve import Curve, Elbow
from natslab.views.topology.sides import Group, between
from natslab.views.topology.state import Node, State, Wire, natural

LABELS, LEFT = 24.0, 112.0  # x: names of the rows, everything else
CLIENTS = 170.0  # baseline of the lowest line of clients
TOP, AXIS = 198.0, 70.0  # of the panels; from there to the middle of the servers
MARGIN = 12.0  # from a cluster to the outline of its supercluster
ROW = 100.0  # from one panel to the next one below: room for clients
PITCH = (46.0, 58.0, 170.0)  # server to server: where it is crowded, the least and the most otherwise
GATEWAY, TETHER, APART = (100.0, 150.0), (112.0, 170.0), (56.0, 120.0)  # gaps: the least, the most
CLOSE = 60.0  # the least between clusters in a narrow picture
BOWS = 5  # in a cluster of more servers there is no room for numbers at the bent wires
LONE = 140.0  # the width of a panel with one server
CORE, LEAFS, GROUPS = 7, 6, 3  # servers of a cluster, leafnodes, clusters that are drawn
LANE, LINES, LINE = 80.0, 4, 15.0  # a column of clients' names, lines in it, line to line


class Box(msgspec.Struct):
    """The panel of a group."""

    group: Group
    nodes: list[Node]  # those that are drawn
    side: str  # core | left | right
    row: int = 0
    x: float = 0.0
    w: float = 0.0
    top: float = TOP
    axis: float = TOP + AXIS
    title: float = 0.0  # baseline; the note is NOTE below
    bottom: float = 0.0

    @property
    def end(self) -> float:
        """Its right side."""
        return self.x + self.w

    @property
    def middle(self) -> float:
        """Between its sides."""
        return self.x + self.w / 2

    @property
    def hidden(self) -> int:
        """Servers for which there is no room."""
        return len(self.group.nodes) - sum(node.state != "removed" for node in self.nodes)


NOTE, R = 17.0, 26.0


class Plan(msgspec.Struct):
    """Every place of one picture."""

    boxes: list[Box]
    places: dict[str, tuple[float, float]]  # of the servers
    r: float  # of a server that has neighbours in its panel
    pitch: float
    labels: bool  # whether the rows have their names at the left
    outline: tuple[float, float, float, float] | None  # x, y, w, h of the supercluster
    bottom: float
    rest: list[Group]  # groups for which there is no room
    width: int  # of the picture: narrow only where there is room for all of it

    @property
    def right(self) -> float:
        """Where everything ends."""
        return self.width - LABELS

    def box(self, name: str) -> Box | None:
        """The panel that holds a server."""
        return next((b for b in self.boxes if any(n.name == name for n in b.nodes)), None)

    def gap(self, one: Box, other: Box) -> tuple[float, float]:
        """From where to where there is room beside the left one of two panels, outside a supercluster."""
        left, right = (one, other) if one.x < other.x else (other, one)
        x0, x1 = left.end, min([b.x for b in self.boxes if b.x > left.x] or [right.x])
        if self.outline is not None and left.side != right.side:
            ox, _, ow, _ = self.outline
            x0 = ox + ow if left.side == "core" else x0
            x1 = ox if right.side == "core" else x1
        return x0, x1

    def radius(self, name: str) -> float:
        """The radius of a server's circle."""
        box = self.box(name)
        return R if box is not None and len(box.nodes) == 1 else self.r

    def room(self, name: str) -> float:
        """How wide the clients of a server may stand."""
        box = self.box(name)
        if box is None:
            return 0.0
        if len(box.nodes) > 1:
            return self.pitch
        return min(
            2 * (self.right - box.middle),
            2 * (box.middle - (LEFT if self.width == WIDTH else LABELS)),
            max(box.w + 24, 40.0 if len(self.boxes) > 1 else 900.0),
        )


def plan_of(state: State, groups: list[Group], wires: list[Wire]) -> Plan:
    """The largest picture for which there is room."""
    leafs = [g for g in groups if g.leaf]
    core = [g for g in groups if not g.leaf]
    rest = core[GROUPS:] + leafs[LEAFS:]
    boxes = [Box(g, _drawn(state, g), "core") for g in core[:GROUPS]]
    beside = [Box(g, _drawn(state, g), "left", i) for i, g in enumerate(leafs[:LEAFS])]
    joined = any(w.type == "gateway" for w in wires)
    close = state.width != WIDTH and not any(a.imports for a in state.accounts.values())
    close = close and _width([*boxes, *beside], PITCH[0], wires, joined, True) <= NARROW - 2 * LABELS
    if not close:
        for i, box in enumerate(beside):
            box.side, box.row = "right" if i % 2 else "left", i // 2
    boxes += beside
    width = NARROW if close else WIDTH
    right, labels = width - LABELS, not close
    while not close:
        need = _width(boxes, PITCH[1], wires, joined)
        if need <= right - LEFT:
            break
        labels = False
        if need <= right - LABELS or _width(boxes, PITCH[0], wires, joined) <= right - LABELS:
            break
        largest = max((b for b in boxes), key=lambda b: len(b.nodes))
        if len(largest.nodes) < 3:
            boxes.remove(max((b for b in boxes if b.side != "core"), key=lambda b: b.row, default=boxes[-1]))
        else:
            largest.nodes = largest.nodes[:-1]
    start = LEFT if labels else LABELS
    room = right - start
    pitch = next(
        (
            p
            for p in range(int(PITCH[2]), int(PITCH[0]), -1)
            if _width(boxes, p, wires, joined, close) <= room
        ),
        PITCH[0],
    )
    return _place(boxes, float(pitch), start, width, wires, joined, labels, rest)


def _drawn(state: State, group: Group) -> list[Node]:
    """The servers of a group, with those that were removed where others come after them."""
    alive = group.nodes[:CORE]
    if not group.cluster or not alive:
        return alive
    gone = [n for n in state.nodes.values() if n.state == "removed" and n.cluster == group.name]
    last = natural(alive[-1].name)
    kept = [n for n in gone if natural(n.name) < last]
    return sorted([*alive, *kept], key=lambda n: natural(n.name))[:CORE]


def _pad(pitch: float) -> float:
    return 52.0 if pitch >= 84 else 40.0


def _box_width(box: Box, pitch: float) -> float:
    if len(box.nodes) == 1:
        return LONE
    return max(2 * _pad(pitch) + pitch * (len(box.nodes) - 1), 130.0)


def _line(boxes: list[Box]) -> list[Box]:
    """The panels on the first axis, from left to right."""
    first = [b for b in boxes if b.row == 0]
    return [b for side in ("left", "core", "right") for b in first if b.side == side]


def _gap(a: Box, b: Box, wires: list[Wire], close: bool) -> tuple[float, float]:
    if a.side != b.side:
        return TETHER
    least, most = GATEWAY if any(w.type == "gateway" for w in between(wires, a.group, b.group)) else APART
    return (min(least, CLOSE) if close else least), most


def _width(boxes: list[Box], pitch: float, wires: list[Wire], joined: bool, close: bool = False) -> float:
    line = _line(boxes)
    gaps = sum(_gap(a, b, wires, close)[0] for a, b in pairwise(line))
    return sum(_box_width(b, pitch) for b in line) + gaps + (2 * MARGIN if joined else 0)


def bow(count: int, distance: int) -> float:
    """How deep a wire hangs that passes `distance` - 1 servers, in a cluster of `count`."""
    if distance < 2:
        return 0.0
    return 52.0 + 32 * (distance - 2) if count <= BOWS else 46.0 + 16 * (distance - 2)


def _place(
    boxes: list[Box],
    pitch: float,
    start: float,
    width: int,
    wires: list[Wire],
    joined: bool,
    labels: bool,
    rest: list[Group],
) -> Plan:
    line = _line(boxes)
    close = width != WIDTH
    gaps = [_gap(a, b, wires, close) for a, b in pairwise(line)]
    free = width - LABELS - start - _width(boxes, pitch, wires, joined, close)
    grown = [min(most - least, free / len(gaps)) for least, most in gaps] if gaps else []
    grown = [max(0.0, g) for g in grown]
    x = start + max(0.0, free - sum(grown)) / 2
    if not gaps:
        # One panel stands in the middle of the picture, as far as the names of the rows allow.
        x = max(start, (width - _box_width(line[0], pitch)) / 2) if line else start
    r = R if pitch >= 84 else 20.0 if pitch >= 56 else 17.0
    deep = max([bow(len(b.nodes), len(b.nodes) - 1) for b in line] or [0.0])
    aside = 16.0 if any(b.group.leaf for b in boxes) else 0.0  # a line for what waits in a leafnode
    title = TOP + AXIS + max(R + 38 + aside, deep + 34 if deep else 0.0)
    places: dict[str, tuple[float, float]] = {}
    for i, box in enumerate(line):
        if joined and box.side == "core" and (i == 0 or line[i - 1].side != "core"):
            x += MARGIN
        box.x, box.w, box.title, box.bottom = x, _box_width(box, pitch), title, title + NOTE + 15
        x += box.w
        if joined and box.side == "core" and (i + 1 == len(line) or line[i + 1].side != "core"):
            x += MARGIN
        if i < len(gaps):
            x += gaps[i][0] + grown[i]
    bottom = title + NOTE + 15
    core = [b for b in line if b.side == "core"]
    outline = None
    if joined and len(core) > 1:
        below = 44.0 if len(core) > 2 else MARGIN
        outline = (
            core[0].x - MARGIN,
            TOP - MARGIN,
            core[-1].end - core[0].x + 2 * MARGIN,
            bottom - TOP + MARGIN + below,
        )
        bottom += below
    for row in range(1, 1 + max([b.row for b in boxes] or [0])):
        top = bottom + ROW
        for box in boxes:
            if box.row == row:
                above = next(b for b in line if b.side == box.side)
                box.x, box.w = above.x, above.w
                box.top, box.axis = top, top + 30 + R
                box.title = box.axis + R + 34 + aside
                box.bottom = box.title + NOTE + 15
        bottom = top + 2 * R + 64 + aside + NOTE + 15
    for box in boxes:
        first = box.middle - pitch * (len(box.nodes) - 1) / 2
        for i, node in enumerate(box.nodes):
            places[node.name] = (round(first + pitch * i, 2), box.axis)
    return Plan(boxes, places, r, pitch, labels, outline, bottom, rest, width)


def curve_of(plan: Plan, wire: Wire) -> Curve | Elbow | None:
    """The line of a wire between two servers that are drawn, from circle to circle."""
    a, b = plan.places.get(wire.a), plan.places.get(wire.b)
    one, other = plan.box(wire.a), plan.box(wire.b)
    if a is None or b is None or one is None or other is None:
        return None
    if one.row != other.row:
        return _elbow(plan, one, other, a, b)
    flip = a[0] > b[0]
    if flip:
        a, b = b, a
    ra, rb = (plan.radius(n) for n in ((wire.b, wire.a) if flip else (wire.a, wire.b)))
    steps = 1 + sum(a[0] < x < b[0] and y == a[1] for x, y in plan.places.values())
    if steps == 1:
        curve = Curve.straight((a[0] + ra, a[1]), (b[0] - rb, b[1]))
    else:
        count = len(one.nodes) if one is other else BOWS
        sa, sb = ra * 0.72, rb * 0.72
        low = a[1] + (bow(count, steps) - 0.25 * sa) * 4 / 3
        lean = min(0.3 * (b[0] - a[0]), 60.0)
        start, end = (a[0] + sa, a[1] + sa), (b[0] - sb, b[1] + sb)
        curve = Curve(start, (start[0] + lean, low), (end[0] - lean, low), end)
    return Curve(*reversed(curve.points)) if flip else curve


def _elbow(plan: Plan, one: Box, other: Box, a: Point, b: Point) -> Elbow:
    """From a leafnode on a lower line to the panel of its hub, below the hub's server."""
    upper, lower = (one, other) if one.row < other.row else (other, one)
    up, low = (a, b) if upper is one else (b, a)
    left = lower.side == "left"
    # Those of several lines stand beside each other.
    x = round(up[0] + (-12.0 if left else 12.0) * lower.row, 2)
    start = (low[0] + (R if left else -R), low[1])
    return Elbow(start, (x, upper.bottom), flip=lower is other)
