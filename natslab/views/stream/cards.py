"""Several streams: a card each, so that what they keep of the same messages can be compared."""

from __future__ import annotations

import shlex

from natslab.views import scene as sc
from natslab.views.marks import rect
from natslab.views.scene import WIDTH, Action, Mark, Text, label
from natslab.views.stream import glyphs
from natslab.views.stream.belt import Row, reader_rows
from natslab.views.stream.plan import CARD, END, LABEL, READERS, Column, belt_of, columns_of, gone_at
from natslab.views.stream.reasons import LONG
from natslab.views.stream.state import State, Stream
from natslab.views.stream.words import (
    CARDS,
    KINDS,
    ended,
    given_up,
    limits_in_words,
    size_of,
    unwanted,
    waits,
)
from natslab.views.wording import amount, count_of, fit, listed, short_name, wide

TOP = 122.5
GAP = 24.0
ROWS, SLOT, FOOT = 83.5, 92.5, 57.0  # first row of consumers; slots below them; the rest of a card
LEAD = 2


class Cards:
    """The marks of several streams."""

    def __init__(self, state: State) -> None:
        self.state = state
        self.shown = state.shown[:CARDS]
        # What is worth comparing over many messages gets the whole width, one below the other.
        found = [columns_of(s, 13, LEAD) for s in self.shown]
        few = all(len(cs) <= 10 and all(c.kind != "rest" for c in cs) for cs in found)
        self.wide = len(self.shown) <= 4 and not few
        self.narrow = state.width != WIDTH  # one below the other
        self.width = END - LABEL if self.wide else CARD
        if self.narrow:
            self.width = state.width - 2 * LABEL
        self.columns: dict[str, list[Column]] = {}
        # One width for all names, so that columns of several cards stand below each other.
        names = [r.name for s in self.shown if s.limits.retention != "workqueue" for r in s.readers.values()]
        self.room = max(58.0, min(110.0, max([wide(fit(n, 110, "t12"), "t12") for n in names] or [0]) + 10))
        self.height = TOP

    def rows(self, stream: Stream) -> int:
        """Lines above the slots of a card."""
        if stream.limits.retention == "workqueue":
            return 2
        return min(len(stream.readers), READERS) + (len(stream.readers) > READERS)

    def everything(self) -> list[Mark]:
        """All marks, in drawing order."""
        # All of them together, for the row of the table.
        marks: list[Mark] = [sc.Group(key="streams", marks=[])] if len(self.state.shown) > 1 else []
        y, per = TOP, 1 if self.wide or self.narrow else 2
        for i in range(0, len(self.shown), per):
            pair = self.shown[i : i + per]
            rows = max(self.rows(s) for s in pair)
            said = any(any(self.captions(s, columns_of(s, 13, LEAD))) for s in pair)
            high = SLOT + 22 * rows + (FOOT if said or not self.wide else FOOT - 18)
            for j, stream in enumerate(pair):
                marks += self.card(stream, LABEL + 0.5 + j * (CARD + GAP), y, high, rows)
            y += high + GAP
        self.height = y - 6
        hidden = len(self.state.shown) - len(self.shown)
        if hidden > 0:
            names = listed([short_name(s.name, 20) for s in self.state.shown[CARDS : CARDS + 6]])
            words = f"{hidden} more: {names}" + (" …" if hidden > 6 else "")
            room = self.state.width - 2 * LABEL
            marks.append(label("more/streams", LABEL, y + 6, fit(words, room, "t12"), "t12 ink3"))
            self.height += 24
        return marks

    def card(self, stream: Stream, x: float, y: float, high: float, rows: int) -> list[Mark]:
        """One stream."""
        key, w = f"stream/{stream.name}", self.width - 1
        kind = KINDS.get(stream.limits.retention, stream.limits.retention)
        name = fit(stream.name, w - 240, "t14 w6")
        frame: list[Mark] = [
            rect(f"{key}/card", x, y, w, high, "edge line none", 10),
            Text(
                key=f"{key}/name", x=x + 19.5, y=y + 29.5, runs=[(name, "t14 w6"), (f"   {kind}", "t14 ink3")]
            ),
            label(f"{key}/how", x + 19.5, y + 50.5, fit(self.how(stream), w - 40, "t12"), "t12 ink2"),
        ]
        if stream.exists:
            total = f"{amount(stream.messages)} of {amount(stream.came)}" if stream.came else "empty"
            frame.append(label(f"{key}/total", x + w - 20, y + 29.5, total, "t13 num w6 end"))
        title = f"{short_name(stream.name, 40)}: {limits_in_words(stream)}; {size_of(stream)}."
        actions = [Action(f"js stream purge {shlex.quote(stream.name)} -f", "Remove all messages")]
        marks: list[Mark] = [
            sc.Group(key=key, marks=frame, title=title, actions=actions if stream.exists else [],
                     state={"messages": stream.messages, "bytes": stream.bytes})
        ]  # fmt: skip
        if not stream.exists:
            return marks
        belt = belt_of(stream, x + 19.5 + self.room + 10, x + w - 18, 0, LEAD)
        self.columns[stream.name] = belt.columns
        row = Row(self.state, stream, belt)
        readers, _ = reader_rows(row, y + ROWS, x + 19.5, self.room, 0.0)
        centre = y + SLOT + 22 * rows
        marks += readers
        marks.append(label(f"row/{stream.name}/slot", x + 19.5, centre + 4, "slot", "t12 ink3"))
        for c in belt.columns:
            if c.kind == "slot":
                marks.append(row.slot(c, centre))
                if stream.slots[c.first].twice:
                    marks.append(glyphs.twin(f"{row.key(c.first)}/twice", c.x, centre + 18, 3.5, 3.6, 1.25))
            elif c.kind == "gone":
                marks.append(row.ghost(c, centre))
            elif c.kind == "gap":
                marks.append(row.gap(c, centre, centre))
            else:
                k = f"rest/{stream.name}/{c.first}"
                words = f"{amount(c.first)} to {amount(c.last)}"
                bars = row.histogram(c, centre + 13, {*stream.subjects, ""}, f"{k}/bars")
                marks.append(sc.Group(key=k, title=f"{words} are not drawn singly.", marks=[
                    label(f"{k}/words", c.x, centre + 4 if not bars else centre + 30,
                          fit(words, c.w + 10, "t11"), "t11 ink3 middle")]))  # fmt: skip
                marks += bars
        left, right = self.captions(stream, belt.columns)
        start, foot = belt.columns[0].x - belt.box / 2 if belt.columns else x + 100, centre + 37
        room = x + w - 20 - start
        left = fit(left, room, "t11") if left else ""
        end = max(belt.right, start + wide(left, "t11") + wide(right, "t11") + 14)
        if any(c.kind == "rest" for c in belt.columns):
            foot += 6
        if left:
            marks.append(label(f"row/{stream.name}/went", start, foot, left, "t11 num ink2"))
        if right and end <= x + w - 18:
            marks.append(label(f"row/{stream.name}/waits", end, foot, right, "t11 num ink2 end"))
        return marks

    def how(self, stream: Stream) -> str:
        """What empties a slot here."""
        if not stream.exists:
            return f"It {ended(stream)}, and its messages with it."
        if stream.limits.retention == "workqueue":
            return "A slot empties when its worker acks."
        if stream.limits.retention == "interest":
            return (
                "A slot falls when its last tab is torn."
                if stream.readers
                else "Nobody is interested: nothing is kept."
            )
        words = limits_in_words(stream).removeprefix("limits").removeprefix(", ")
        return f"A slot falls to a limit: {words}." if words else "Without a limit nothing falls."

    def captions(self, stream: Stream, columns: list[Column]) -> tuple[str, str]:
        """What went and why, and what waits for what; of what is drawn."""
        by_reason: dict[str, list[int]] = {}
        known = gone_at(stream)
        for c in columns:
            if c.kind == "gone" and c.first in known:
                by_reason.setdefault(known[c.first].why, []).append(c.first)
        parts = []
        for why, seqs in by_reason.items():
            words = LONG.get(why, short_name(why, 20))
            if why == "acked" and stream.limits.retention == "interest" and len(stream.readers) > 1:
                words = "acked by both" if len(stream.readers) == 2 else "acked by all"
            parts.append(f"{spans(seqs)} {words if len(seqs) > 1 else words.replace('their', 'its')}")
        left = "; ".join(parts)
        right = ""
        if stream.limits.retention == "workqueue":
            idle = [s for s in stream.slots.values() if not waits(stream, s)]
            lost = [s.seq for s in idle if given_up(stream, s)]
            nobody = [s.seq for s in idle if unwanted(stream, s)]
            due = [s.seq for s in idle if s.seq not in {*lost, *nobody}]
            said = [
                f"{spans(seqs)} {one if len(seqs) == 1 else many}"
                for seqs, one, many in (
                    (due, "waits for a pull", "wait for a pull"),
                    (nobody, "waits for a consumer", "wait for a consumer"),
                    (lost, "was given up", "were given up"),
                )
                if seqs
            ]
            right = "; ".join(said)
        elif stream.limits.retention == "interest" and stream.slots and stream.readers:
            right = f"{count_of(stream.messages, 'message')} with a tab left"
        elif stream.missing > 0 and stream.by_events:
            right = f"{count_of(stream.missing, 'message')} only counted"
        return left, right


def spans(seqs: list[int]) -> str:
    """Sequences as people say them: "21, 22, 24", "26 to 28"."""
    runs: list[list[int]] = []
    for s in seqs:
        if runs and s == runs[-1][1] + 1:
            runs[-1][1] = s
        else:
            runs.append([s, s])
    parts = [str(a) if a == b else f"{a}, {b}" if b == a + 1 else f"{a} to {b}" for a, b in runs]
    return ", ".join(parts[:4]) + (" …" if len(parts) > 4 else "")
