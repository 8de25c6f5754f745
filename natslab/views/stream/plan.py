"""Where a stream's messages stand: a column for each, left the oldest, and what is left out."""

from __future__ import annotations

import bisect
from typing import Literal, NamedTuple

from natslab.views.scene import NARROW, text_width
from natslab.views.stream.state import Gone, Stream

# The large picture (pixels, design measures).
LABEL, END = 24.0, 876.0
TOP, SHELF = 132.0, 178.0  # top of blade and gate, centre of the first shelf
SHELVES = 6  # of more subjects the rest shares the last one
PITCH, TIGHT, BOX = 38.0, 26.25, 26.0
BLADE = 12.0  # room of a blade
READERS = 6
REST = 3.4  # columns' worth of room for what is not drawn singly
LEAD = 3  # messages gone at the left that are still drawn
CARD = 414.0
COLUMNS = 24


class Places(NamedTuple):
    """What stands where in a picture of one stream; in a narrow one the notes stand below."""

    name: float  # room for a subject
    right: float  # the shelves end
    gate: float
    notes: float  # words at the right begin
    end: float  # answers end
    sign: float  # of an answer
    start: float  # flights begin
    step: float  # shelf to shelf
    under: float  # from the last shelf to the ends of blades and gate


WIDE = Places(168.0, 659.0, 671.0, 687.0, END, 695.0, 712.0, 48.0, 34.0)
SLIM = Places(92.0, 430.0, 442.0, LABEL, NARROW - LABEL, 0.0, 466.0, 72.0, 58.0)
GAUGE = 189.0  # how wide gauges and a consumer's words are
ASIDE = 37.0  # from a shelf to its answer below it


class Column(NamedTuple):
    """One column: a message, one that is gone, a gap, or messages that are not drawn singly."""

    kind: Literal["slot", "gone", "gap", "rest"]
    first: int
    last: int
    x: float = 0.0  # its centre
    w: float = 0.0


class Belt(NamedTuple):
    """All columns of one stream, laid out."""

    columns: list[Column]
    blades: list[float]  # centre of each
    left: float  # of the first kept message, or of where it would be
    right: float
    pitch: float
    box: float

    def after(self, seq: int) -> float:
        """The edge behind the message `seq`: where a cursor that handed it out stands."""
        x = self.left - 3
        for c in self.columns:
            if c.last <= seq:
                x = c.x + c.w / 2 + (self.pitch - self.box) / 2
            elif c.first <= seq:
                return c.x - c.w / 2 + c.w * (seq - c.first + 1) / (c.last - c.first + 1)
            else:
                break
        return max(x, self.left - 3)


def gone_at(stream: Stream) -> dict[int, Gone]:
    """Messages that are known to be gone singly, by sequence."""
    return {g.seq: g for g in stream.gone if g.seq == g.last}


def columns_of(stream: Stream, most: int, lead: int = LEAD) -> list[Column]:
    """At most `most` columns' worth: the oldest few, the newest, and what lies between as one."""
    kept = list(stream.slots)
    start = stream.limits.first
    head: list[Column] = []
    if stream.ranges:
        a, b = stream.ranges[0].first, max(r.last for r in stream.ranges)
        kept = [s for s in kept if s > b]
        head = [Column("rest", a, b)]
    oldest = head[0].first if head else kept[0] if kept else stream.last_seq + 1
    before = oldest - start if stream.came <= most else max(0, min(lead, oldest - start))
    runs = _runs(kept, stream.last_seq) if kept or head else []
    if not kept and not head:
        before = min(most, oldest - start)
        # Nothing is kept: what went is all there is to show.
        return [Column("gone", s, s) for s in range(oldest - before, oldest)]
    room = most - before - (int(REST + 1) if head else 0)
    if len(kept) + len(runs) > room:
        few = [] if head else kept[:3]
        cost = len(few) + (0 if head else int(REST + 1))
        keep = max(1, room - cost)
        newest = kept[len(few) :][-keep:]
        while len(newest) > 1 and len(newest) + len(_runs(newest, stream.last_seq)) > keep:
            newest = newest[1:]
        hidden = [s for s in kept if s not in few and s < newest[0]]
        if hidden or head:
            a = head[0].first if head else hidden[0]
            b = max(hidden[-1] if hidden else 0, head[0].last if head else 0)
            head = [*_columns(few, few[-1] if few else 0, 0), Column("rest", a, b)]
            kept = newest
        runs = _runs(kept, stream.last_seq)
    spare = max(0, room - len(kept) - len(runs))
    body = _columns(kept, stream.last_seq, spare)
    return [Column("gone", s, s) for s in range(oldest - before, oldest)] + head + body


def _runs(kept: list[int], last: int) -> list[tuple[int, int]]:
    """What is missing between the messages that are kept, and behind them."""
    ends = [*kept[1:], last + 1]
    return [(a + 1, b - 1) for a, b in zip(kept, ends, strict=True) if b - a > 1] if kept else []


def _columns(kept: list[int], last: int, spare: int) -> list[Column]:
    """The messages `kept`; gaps among them singly as far as `spare` more columns reach, the newest first."""
    out: list[Column] = [Column("slot", s, s) for s in kept]
    for a, b in reversed(_runs(kept, last)):
        single = min(b - a, spare) if b == last else b - a if b - a <= spare else 0
        spare -= single
        if single == b - a:
            out += [Column("gone", s, s) for s in range(a, b + 1)]
        else:
            cut = b - single
            out += [Column("gap", a, cut), *(Column("gone", s, s) for s in range(cut + 1, b + 1))]
    return sorted(out, key=lambda c: c.first)


def belt_of(stream: Stream, x0: float, right: float, blades: int, lead: int = LEAD) -> Belt:
    """The columns of `stream` between `x0` and `right`; so many blades stand before the first kept."""
    number = text_width(str(max(1, stream.last_seq)), "t11 num")
    room = right - x0 - BLADE * blades
    most = max(4, min(COLUMNS, int(room / max(22.0, number + 4.4))))
    columns = columns_of(stream, most, lead)
    units = sum(REST if c.kind == "rest" else 1 for c in columns) or 1
    pitch = min(max(PITCH, number + 8), room / units)
    box = min(max(BOX if pitch > 32 else 22.0, number + 5), pitch - (4.25 if pitch > TIGHT - 0.5 else 2.4))
    oldest = next((c for c in columns if c.kind != "gone"), None)
    first = oldest.first if oldest else stream.last_seq + 1
    placed: list[Column] = []
    edges: list[float] = []
    x, left = x0, 0.0
    for c in columns:
        if c.first >= first and not left:
            edges = [x + BLADE * i + (BLADE - pitch + box) / 2 for i in range(blades)]
            x += BLADE * blades
            left = x
        w = pitch * REST if c.kind == "rest" else pitch
        placed.append(c._replace(x=x + w / 2 - (pitch - box) / 2, w=w - pitch + box))
        x += w
    if not left:
        edges = [x + BLADE * i + (BLADE - pitch + box) / 2 for i in range(blades)]
        left = x + BLADE * blades
    return Belt(placed, edges, left, x - (pitch - box), pitch, box)


def shelves_of(stream: Stream) -> tuple[list[str], list[str]]:
    """Subjects with a shelf of their own, in order of appearance, and those that share the last one."""
    found = stream.shelves()
    if len(found) <= SHELVES:
        return found, []
    news = {a.subject: a.t for a in stream.answers.values()}
    rank = sorted(found, key=lambda s: (-stream.subjects.get(s, 0), -news.get(s, 0.0)))
    top = set(rank[: SHELVES - 1])
    return [s for s in found if s in top], [s for s in found if s not in top]


def spread(stream: Stream, column: Column, subjects: set[str] | None, parts: int) -> list[int]:
    """How many messages of these subjects stand in each part of a column that is not drawn singly.

    `subjects` None means those that no shelf names. Counts of a range are spread evenly over it.
    """
    out = [0.0] * parts
    span = column.last - column.first + 1
    seqs = list(stream.slots)
    for seq in seqs[bisect.bisect_left(seqs, column.first) : bisect.bisect_right(seqs, column.last)]:
        if subjects is None or stream.slots[seq].subject in subjects:
            out[(seq - column.first) * parts // span] += 1
    for block in stream.ranges:
        n = sum(v for s, v in block.subjects.items() if subjects is None or s in subjects)
        wide = block.last - block.first + 1
        for i in range(parts):
            a, b = column.first + span * i / parts, column.first + span * (i + 1) / parts
            over = min(b, block.last + 1) - max(a, block.first)
            if over > 0:
                out[i] += n * over / wide
    return [round(n) for n in out]
