"""What stands where in the raft picture: servers on the ring, indexes in columns, rows below each other."""

from __future__ import annotations

import itertools
import math

import msgspec

from natslab.views.layout import Point
from natslab.views.raft import focus as facts
from natslab.views.raft.state import Entry, Group, State, up
from natslab.views.scene import NARROW, WIDTH, text_width
from natslab.views.wording import amount

RADIUS = 146.0
LEFT, NAMES, GRID, END = 24.0, 456.0, 504.0, 876.0  # ring begins; names, columns begin; all ends
RING_END, NEAR_END = 436.0, NARROW - 24.0  # the ring ends; everything ends in a narrow picture
HEAD, LANE, ROW, FIRST, APART = 137.0, 28.0, 32.0, 206.0, 10.0
CELL, PITCH, GAP = 22.0, 31.0, 20.0  # a cell, from column to column, a column that stands for several
COLUMNS = 8  # at most
WIDEST = 118.0  # a name
LINES, FEWER, LINE = 8, 5, 22.0  # sentences of the story, in a narrow picture, and their distance


class Column(msgspec.Struct, array_like=True):
    """One index, or those from `a` to `b` that are left out."""

    a: int
    b: int
    x: float = 0.0  # its middle


class Plan(msgspec.Struct):
    """The places of one picture."""

    places: dict[str, Point]  # of the members
    r: float  # of a member
    centre: Point
    right: float  # where the ring's part ends
    names: float  # where the names of the rows begin
    end: float  # where everything ends
    head: float  # baseline of the indexes
    columns: list[Column]
    grid: float  # where the first column begins
    lanes: list[tuple[str, list[Entry]]]  # rows of what was published: where, and what has a column
    rows: dict[str, float]  # middle of each member's row
    verdict: float  # where what stands right of the columns begins
    notes: float  # baseline of the words under the rows
    bars: float  # middle of the first quorum bar
    story: float  # baseline of the first sentence
    lines: int  # sentences of it
    bottom: float

    def x(self, index: int) -> float | None:
        """The middle of the column of an index; None if it has none."""
        return next((c.x for c in self.columns if c.a == c.b == index), None)


def plan_of(state: State, group: Group) -> Plan:
    """The places of the picture of one group: the logs right of the ring, or in a narrow one below it."""
    peers, narrow = group.peers, state.width != WIDTH
    places, r, centre = ring(peers, 14.0 if narrow else 0.0)
    low = max([places[p][1] for p in peers], default=300.0) + r + 90
    right, left, end, head = (RING_END, NAMES, END, HEAD)
    if narrow:
        low += -18 if len(peers) == 3 else 16  # the votes stand in a corner of three, else in a line below
        right, left, end, head = NEAR_END, LEFT, NEAR_END, low + 20
    grid = grid_of(peers) + left - NAMES
    columns = columns_of(state, group)
    x = grid
    for column in columns:
        wide = PITCH if column.a == column.b else GAP
        column.x = round(x + wide / 2 - (PITCH - CELL) / 2, 2)
        x += wide
    lanes = lanes_of(state, group, columns)
    y = head + FIRST - HEAD + LANE * (len(lanes) - 1)
    rows: dict[str, float] = {}
    apart = _parts(state, group)
    for i, name in enumerate(peers):
        rows[name] = y
        y += ROW + (APART if i + 1 in apart else 0)
    last = y - ROW
    notes = last + 35
    bars = notes + 56
    story = bars + (34 if len(peers) > 1 else 0) + 54
    count = FEWER if narrow else LINES
    return Plan(
        places, r, centre, right, left, end, head, columns, grid, lanes, rows,
        round(max(x, grid + 2 * PITCH) + 8, 2), notes, bars, story, count,
        max(story + LINE * (count - 1) + 8, low),
    )  # fmt: skip


def grid_of(peers: list[str]) -> float:
    """Where the first column begins: right of the names."""
    return max(GRID, NAMES + min(WIDEST, max([text_width(p, "t14 w6") for p in peers], default=0)) + 10)


def ring(peers: list[str], right: float = 0.0) -> tuple[dict[str, Point], float, Point]:
    """Places on the ring in the order of the names, clockwise; the radius of one, and the ring's centre.

    All of it stands `right` px further right than at the side of a wide picture.
    """
    n = len(peers)
    r, x = 30.0 if n < 5 else 28.0, 226.0 + right
    if n == 1:
        return {peers[0]: (x, 330.0)}, r, (x, 330.0)
    if n == 2:
        return {peers[0]: (x - 110, 330.0), peers[1]: (x + 110, 330.0)}, r, (x, 330.0)
    centre = (x, 350.0) if n == 3 else (x - 4, 352.0)
    start = -90.0 if n == 3 else -90 - 180 / n
    places = {}
    for i, name in enumerate(peers):
        angle = math.radians(start + 360 / n * i)
        places[name] = (
            round(centre[0] + RADIUS * math.cos(angle), 2),
            round(centre[1] + RADIUS * math.sin(angle), 2),
        )
    return places, r, centre


def _parts(state: State, group: Group) -> set[int]:
    """Before which rows a wall stands; none where the sides are not one after the other."""
    found = facts.sides(state, group)
    of = {name: i for i, side in enumerate(found) for name in (*side.names, *side.silent)}
    if len(of) < sum(len(side.names) + len(side.silent) for side in found):
        return set()  # somebody reaches both sides
    line = [of.get(p, -1) for p in group.peers]
    changes = {i for i in range(1, len(line)) if line[i] != line[i - 1] and -1 not in line[i - 1 : i + 1]}
    return changes if len(changes) == len(set(line) - {-1}) - 1 else set()


# --- columns ------------------------------------------------------------------------------------


def columns_of(state: State, group: Group) -> list[Column]:
    """The newest indexes, moved on in steps; further back only what differs, with gaps between."""
    top = group.last
    if not top:
        return []
    most = int((GRID + COLUMNS * PITCH + 1 - grid_of(group.peers)) / PITCH)
    start = max(1, -(-(top - most) // 4) * 4 + 1) if top > most else 1
    must = sorted(i for i in _interesting(state, group, top) if 0 < i <= top)
    if not must or must[0] >= start:
        return [Column(i, i) for i in range(start, top + 1)]
    if must[0] > top - most:
        return [Column(i, i) for i in range(top - most + 1, top + 1)]
    return _squeezed(must, top, most)


def _interesting(state: State, group: Group, top: int) -> set[int]:
    found = {top, top - 1}
    right = facts.truth(state, group)
    for one in group.members.values():
        if not one.log.last:
            continue
        first, last = facts.doomed(state, group, one)
        if first:
            found |= {first - 1, first, last}
        first, last = facts.tail(group, one)
        if first and (right is None or one is right):
            found |= {first, last}
        if up(state, one.name) and one.log.last < top:
            found.add(one.log.last)
    return found


def _squeezed(must: list[int], top: int, most: int) -> list[Column]:
    """At most so many columns: what must be seen, and the newest."""
    shown: set[int] = set()
    for index in [top, *must, *(i for m in must for i in (m + 1, m - 1)), *range(top - 1, 0, -1)]:
        tried = shown | {index}
        if 0 < index <= top and _room(tried) <= most * PITCH:
            shown = tried
        elif len(shown) >= most - 1:
            break
    columns: list[Column] = []
    for index in sorted(shown):
        end = columns[-1].b if columns else index - 1
        if index > end + 1:
            columns.append(Column(end + 1, index - 1))
        columns.append(Column(index, index))
    return columns


def _room(shown: set[int]) -> float:
    line = sorted(shown)
    gaps = sum(b - a > 1 for a, b in itertools.pairwise(line))
    return len(line) * PITCH + gaps * GAP


# --- lanes --------------------------------------------------------------------------------------


def lanes_of(state: State, group: Group, columns: list[Column]) -> list[tuple[str, list[Entry]]]:
    """What was put into the log, one row for each leader whose entries differ from the others'."""
    shown = {c.a for c in columns if c.a == c.b}
    right = facts.truth(state, group)
    here: list[Entry] = []
    apart: dict[str, list[Entry]] = {}
    for entry in sorted(group.entries.values(), key=lambda e: (e.index, -e.term)):
        if entry.index not in shown or not facts.holders(group, entry.index, entry.term):
            continue
        if (
            (right is not None and right.log.term(entry.index) not in (0, entry.term))
            or (here and here[-1].index == entry.index)
            or (right is not None and entry.index > right.log.last and entry.by != right.name)
        ):
            apart.setdefault(entry.by, []).append(entry)
        else:
            here.append(entry)
    lanes = [(right.name if right is not None and apart else "", here)]
    return [*lanes, *sorted(apart.items())][:3]


def visible(state: State, group: Group) -> list[Entry]:
    """Entries that are not committed and have a column."""
    lanes = lanes_of(state, group, columns_of(state, group))
    drawn = {(e.index, e.term) for _, lane in lanes for e in lane}
    return [e for e in facts.open_entries(state, group) if (e.index, e.term) in drawn]


def heading(index: int, i: int) -> str:
    """The number over a column; of long ones every third is told."""
    return amount(index) if index < 10_000 or i % 3 == 0 else ""
