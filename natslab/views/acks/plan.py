"""Which sequences and which consumers the picture shows, and where."""

from __future__ import annotations

import bisect
import math
from collections.abc import Callable

import msgspec

from natslab.views.acks.facts import blocking, exhausted, focus, selected, trouble
from natslab.views.acks.once import once
from natslab.views.acks.state import KNOWN, Consumer, State, Stream
from natslab.views.scene import NARROW, WIDTH, text_width
from natslab.views.wording import amount

LEFT, GRID = 112.0, 118.0  # the settled ground, the first column
RIGHT, SLIM = 742.0, NARROW - 30.0  # the end of the last column, also in a narrow picture
PITCHES = (25.0, 21.0, 17.0, 14.0, 12.0, 10.0)  # from column to column
GAP = 30.0  # a column that stands for sequences left out
CONTEXT = 6  # settled columns before the lowest floor
MOST = 60  # columns shown singly
LANES, BANDS = 4, 10  # consumers as lanes; of more, bands
ROWS = 5  # attempts of a message shown one below the other


class Column(msgspec.Struct, array_like=True):
    """One sequence, or those from `a` to `b` that are left out."""

    a: int
    b: int
    x: float = 0.0  # its left edge
    w: float = 0.0

    @property
    def middle(self) -> float:
        """Where its marks stand."""
        return self.x + self.w / 2


class Plan(msgspec.Struct):
    """The columns and lanes of one picture."""

    stream: Stream
    lanes: list[Consumer]  # from top to bottom, the expanded one last
    bands: list[Consumer]  # further ones, above the lanes, in one thin row each
    more: list[Consumer]  # those that are only counted
    columns: list[Column]
    pitch: float
    how: str  # cells | mosaic
    right: float  # where the columns end
    size: int = 1  # mosaic: sequences of one column
    before: int = 0  # sequences up to this one stand left of the first column

    @property
    def expanded(self) -> Consumer | None:
        """The consumer whose attempts have rows."""
        return self.lanes[-1] if self.lanes else None

    @property
    def width(self) -> int:
        """Of the picture: narrow for as few consumers as have a lane each."""
        return WIDTH if self.right == RIGHT else NARROW

    @property
    def r(self) -> float:
        """The radius of a cell."""
        return min(8.0, round(self.pitch * 0.36, 2))

    def edge(self, seq: int) -> float:
        """Where a line right of that sequence stands."""
        columns = self.columns
        if not columns or seq < columns[0].a:
            return columns[0].x if columns else GRID
        i = bisect.bisect_right([c.a for c in columns], seq) - 1
        c = columns[i]
        return c.x + c.w * min(1.0, (seq - c.a + 1) / (c.b - c.a + 1))

    def column(self, seq: int) -> Column | None:
        """The column of a sequence that is shown singly."""
        i = bisect.bisect_right([c.a for c in self.columns], seq) - 1
        found = self.columns[i] if i >= 0 else None
        return found if found is not None and found.a == found.b == seq else None

    @property
    def singles(self) -> list[Column]:
        """The columns of one sequence each."""
        return [c for c in self.columns if c.a == c.b]


@once
def plan_of(state: State) -> Plan | None:
    """The picture of the stream in focus; None when there is nothing to draw."""
    name = focus(state)
    stream = state.streams.get(name)
    if stream is None:
        return None
    lanes, bands, more = _lanes(state, name)
    if not lanes:
        return None
    drawn = [*bands, *lanes]
    right = RIGHT if bands or state.width == WIDTH else SLIM
    top = max([stream.last, *(c.delivered for c in drawn)])
    if not top:
        return None
    known = sum(len(c.cells) for c in drawn)
    if not any(c.runs or c.beyond for c in drawn) and known <= KNOWN:
        plan = _cells(state, stream, lanes, bands, more, top, right)
        if plan is not None:
            return plan
    return _mosaic(stream, lanes, bands, more, top, right)


def _lanes(state: State, name: str) -> tuple[list[Consumer], list[Consumer], list[Consumer]]:
    consumers = state.of_stream(name)
    if not consumers:
        return [], [], []
    chosen = selected(state)
    worst = max(consumers, key=lambda c: trouble(state, c))
    expanded = next((c for c in consumers if chosen and c.name == chosen[2]), worst)
    others = [c for c in consumers if c is not expanded]
    if len(consumers) <= LANES:
        return [*others, expanded], [], []
    others.sort(key=lambda c: -trouble(state, c))
    bands = others[:BANDS]
    return [expanded], bands[::-1], others[BANDS:]


def _interesting(state: State, stream: Stream, drawn: list[Consumer], top: int) -> list[int] | None:
    """Sequences that must be seen; None when they are too many."""
    seqs: set[int] = {top}
    for consumer in drawn:
        for line in (consumer.floor, consumer.delivered):
            seqs.update(s for s in (line, line + 1) if stream.first <= s <= top)
        for seq, cell in consumer.cells.items():
            if cell.waits or cell.state == "exhausted" or (seq > consumer.floor and (
                cell.state in ("terminated", "removed") or cell.attempt > 1
            )):  # fmt: skip
                seqs.add(seq)
        if len(seqs) > 4 * MOST:
            return None
    chosen = selected(state)
    if chosen is not None and chosen[0] == stream.name and 0 < chosen[1] <= top:
        seqs.add(chosen[1])
    return sorted(seqs)


def _cells(
    state: State, stream: Stream, lanes: list[Consumer], bands: list[Consumer], more: list[Consumer],
    top: int, right: float,
) -> Plan | None:  # fmt: skip
    seqs = _interesting(state, stream, [*bands, *lanes], top)
    if seqs is None:
        return None
    low = seqs[0]
    bottom = max(1, min(stream.first, low))
    starts = sorted(
        {max(bottom, low - n) for n in (0, 1, 2, CONTEXT)} | ({bottom} if top - bottom < MOST else set())
    )
    plan: Plan | None = None

    def fits(pitch: float, columns: list[Column]) -> bool:
        nonlocal plan
        if not columns or len(columns) > MOST:
            return False
        tried = Plan(stream, lanes, bands, more, columns, pitch, "cells", right)
        tried.before = columns[0].a - 1 if columns[0].a > bottom else 0
        if _place(tried):
            plan = tried
        return plan is not None

    for start in starts:
        if top - start < MOST and fits(PITCHES[0], [Column(s, s) for s in range(start, top + 1)]):
            return plan
    squeezed = _squeeze(seqs, low, top)
    for pitch in PITCHES:
        if fits(pitch, squeezed):
            return plan
        start = max(bottom, low - 1)
        if top - start < MOST and fits(pitch, [Column(s, s) for s in range(start, top + 1)]):
            return plan
    return None


def _squeeze(seqs: list[int], low: int, top: int) -> list[Column]:
    """The interesting sequences with a neighbour on each side; what lies between is left out."""
    shown: set[int] = set()
    for seq in seqs:
        shown.update(s for s in (seq - 1, seq, seq + 1) if low <= s <= top)
    columns: list[Column] = []
    for seq in sorted(shown):
        end = columns[-1].b if columns else seq - 1
        if seq - end - 1 > 2:
            columns.append(Column(end + 1, seq - 1))
        else:
            columns += [Column(s, s) for s in range(end + 1, seq)]
        columns.append(Column(seq, seq))
    return columns


def _place(plan: Plan) -> bool:
    """Give the columns their places; False where they, and the words at the lines, find no room."""
    x = 0.0
    for column in plan.columns:
        column.x = x
        column.w = plan.pitch if column.a == column.b else GAP
        x += column.w
    shift = GRID
    for consumer in plan.lanes:
        room = shift + plan.edge(consumer.floor) - LEFT
        shift += max(0.0, floor_room(plan, consumer) - room)
    for column in plan.columns:
        column.x = round(column.x + shift, 2)
    end = plan.right + 2
    lines = [plan.edge(c.delivered) + delivered_room(c) for c in plan.lanes]
    return x + shift <= plan.right + 1 and all(line <= end for line in lines)


def floor_room(plan: Plan, consumer: Consumer) -> float:
    """Pixels that the words left of the floor line need."""
    words = text_width("ack floor ", "t12") + text_width(amount(consumer.floor), "t12 w6") + 14
    if (
        plan.how == "cells"
        and consumer is plan.expanded
        and any(s == consumer.floor + 1 for s in blocking(consumer))
    ):
        words = max(words, text_width("blocks the floor", "t11") + 14)
    return words


def delivered_room(consumer: Consumer) -> float:
    """Pixels that the words right of the delivered line need."""
    return text_width("delivered ", "t12") + text_width(amount(consumer.delivered), "t12 w6") + 8


def _mosaic(
    stream: Stream, lanes: list[Consumer], bands: list[Consumer], more: list[Consumer],
    top: int, end: float,
) -> Plan:  # fmt: skip
    """So many sequences that each column stands for a number of them."""
    drawn = [*bands, *lanes]
    held = [
        seq - 1 for c in drawn for seq, cell in c.cells.items() if cell.waits or cell.state == "exhausted"
    ]
    low = max(0, min([c.floor for c in drawn] + held + [top]))
    first = max(1, min(stream.first, low + 1))
    start = max(first, low + 1 - max(1, (top - low) // 8)) if low > first else first
    tried = Plan(stream, lanes, bands, more, [], 10.0, "mosaic", end)
    left = max(floor_room(tried, c) for c in lanes) - (GRID - LEFT)
    right = max(delivered_room(c) for c in lanes)
    # Without room beside the bars if the words at the lines find it over them, else with it.
    for pads in ((0.0, 0.0), (left, 0.0), (0.0, right), (left, right)):
        plan = _bars(tried, start, top, *pads)
        fits = all(
            plan.edge(c.floor) - LEFT >= floor_room(plan, c)
            and plan.edge(c.delivered) + delivered_room(c) <= end + 2
            for c in lanes
        )
        if fits:
            break
    plan.before = plan.columns[0].a - 1 if plan.columns[0].a > first else 0
    return plan


def _bars(plan: Plan, start: int, top: int, left: float, right: float) -> Plan:
    """The columns of a mosaic with so many pixels left free at both sides."""
    room = plan.right - GRID - left - right
    size = _nice((top - start + 1) / max(1, int(room / 9)))
    a = (start - 1) // size * size + 1
    pitch = min(25.0, math.floor(room / math.ceil((top - a + 1) / size) * 4) / 4)
    columns, x = [], GRID + left
    while a <= top:
        columns.append(Column(a, a + size - 1, round(x, 2), pitch))
        a, x = a + size, x + pitch
    return msgspec.structs.replace(plan, columns=columns, pitch=pitch, size=size)


def _nice(least: float) -> int:
    scale = 1
    while True:
        for tenths in (10, 15, 20, 25, 30, 40, 50, 80):
            if scale * tenths % 10 == 0 and scale * tenths >= 10 * least:
                return scale * tenths // 10
        scale *= 10


def attempts_of(consumer: Consumer, plan: Plan, waits: Callable[[int], bool]) -> int:
    """Rows that the attempts of the shown messages need; `waits` says whether a next one is awaited."""
    most = 1
    for column in plan.singles:
        cell = consumer.cells.get(column.a)
        if cell is not None and (column.a > consumer.floor or cell.state == "exhausted"):
            more = waits(column.a) and not consumer.last_chance(cell)
            most = max(most, cell.attempt + more)
    return min(most, ROWS)


__all__ = ["Column", "Plan", "attempts_of", "delivered_room", "exhausted", "floor_room", "plan_of"]
