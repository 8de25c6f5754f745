"""The lanes: each consumer's cells, its two lines, and what is pending between them."""

from __future__ import annotations

import math
from typing import TypeAlias

from natslab.views.acks import facts, margin
from natslab.views.acks.glyphs import glyph, n, refill
from natslab.views.acks.mosaic import bars
from natslab.views.acks.plan import GRID, LEFT, ROWS, Plan, attempts_of
from natslab.views.acks.state import SETTLED, Attempt, Cell, Consumer, State, totals_of
from natslab.views.acks.words import STATES, attempt_words, lane_words, left_of, more_words, pins
from natslab.views.marks import rect
from natslab.views.scene import WIDTH, Action, Group, Mark, Path, Text, label, text_width
from natslab.views.wording import amount, fit, short_name

TOP = 149.0
HEAD, FIRST, NEXT = 21.0, 30.0, 40.0  # lane top to its name, name to first row, row to row
SECONDS = 5.0  # more below the first row, for the seconds
LANE = 99.0  # a lane with one row
BAND = 24.0
PIPS = 16
Box: TypeAlias = tuple[float, float, float, float]  # left, top, right, bottom


class Lanes:
    """All lanes of one picture; `bottom` is where they end."""

    def __init__(self, state: State, plan: Plan) -> None:
        self.state = state
        self.plan = plan
        self.names: dict[str, float] = {}  # consumer key -> baseline of its name
        self.rows: dict[str, list[float]] = {}  # -> where its rows are
        self.places: dict[str, tuple[float, float]] = {}  # cell key -> where its current mark is
        self.tops: list[tuple[Consumer, float, float]] = []  # lane, from, to
        self.below: set[str] = set()  # cells with words right under them
        self.says: dict[str, float] = {}  # consumer key -> where its counters begin, if that is below it
        self.bottom = TOP
        self._lay()

    def _lay(self) -> None:
        y = TOP
        for consumer in self.plan.bands:
            self.names[consumer.key] = y + 16
            self.rows[consumer.key] = [y + 12]
            self.tops.append((consumer, y, y + BAND))
            y += BAND
        if self.plan.more:
            y += BAND
        if self.plan.bands:
            y += 6
        for consumer in self.plan.lanes:
            name = y + HEAD
            self.names[consumer.key] = name
            rows = [name + FIRST]
            high = LANE
            if consumer is self.plan.expanded and self.plan.how == "cells":
                stuck = {c.seq for c in facts.stuck(self.state, consumer)}
                for i in range(1, attempts_of(consumer, self.plan, stuck.__contains__)):
                    rows.append(rows[-1] + NEXT + (SECONDS if i == 1 else 0))
            if consumer is self.plan.expanded:
                differs = len(facts.disagreements(self.state, consumer))
                high = max(rows[-1] + 20 - y, HEAD + margin.height(consumer, differs))
            self.rows[consumer.key] = rows
            if self.plan.width != WIDTH:
                self.says[consumer.key] = y + max(LANE, rows[-1] + 38 - y)
                high = self.says[consumer.key] - y + margin.LINE * (consumer is self.plan.lanes[0])
                high += 8 + margin.high(self.state, consumer, whole=consumer is self.plan.expanded)
            self.tops.append((consumer, y, y + high))
            y += high
        self.bottom = y

    def counters(self) -> list[Mark]:
        """The server's counters under each lane, where they do not stand beside it."""
        marks: list[Mark] = []
        for consumer, _, end in self.tops:
            y = self.says.get(consumer.key)
            if y is None:
                continue
            width, low = self.plan.width - 24.0, end + (2 if end == self.bottom else 0)
            key = f"says/{consumer.key}"
            marks.append(rect(f"{key}/ground", 12, y - 4, width, low - y + 4, "fill ground"))
            y += 10
            if consumer is self.plan.lanes[0]:
                marks += margin.heading(self.state, self.plan.lanes, margin.LEFT, y)
                y += margin.LINE + 6
            marks += margin.below(self.state, consumer, y, whole=consumer is self.plan.expanded)
        return marks

    # --- what lies under the cells ---------------------------------------------------------------

    def ground(self) -> Mark:
        """The settled ground left of the floor line."""
        floors = [self.plan.edge(c.floor) for c, _, _ in self.tops]
        shape = f"M{LEFT:g} {TOP:g}H{n(floors[0])}"
        for i in range(1, len(self.tops)):
            shape += f"V{n(self.jog(i, 0))}H{n(floors[i])}"
        return Path(key="settled", d=f"{shape}V{n(self.bottom)}H{LEFT:g}Z", classes="panel fill")

    def boundaries(self) -> list[Mark]:
        """The two lines through all lanes."""
        ends = [self.plan.edge(c.delivered) for c, _, _ in self.tops]
        floors = [self.plan.edge(c.floor) for c, _, _ in self.tops]
        thin, thick = f"M{n(ends[0])} {TOP:g}", f"M{n(floors[0])} {TOP:g}"
        for i in range(1, len(self.tops)):
            thick += f"V{n(self.jog(i, 0))}H{n(floors[i])}"
            thin += f"V{n(self.jog(i, 1))}H{n(ends[i])}"
        return [
            Path(key="delivered", d=f"{thin}V{n(self.bottom)}", classes="edge ink3 none",
                 title="The thin line stands after the last message that each consumer has handed out."),
            Path(key="floor", d=f"{thick}V{n(self.bottom)}", classes="edge ink none", width=3,
                 title="The thick line is the ack floor: all left of it is settled for that consumer."),
        ]  # fmt: skip

    def jog(self, i: int, line: int) -> float:
        """Where a line steps over into lane `i`; the two lines never lie on each other."""
        top = self.tops[i][1]
        band = self.tops[i][0] in self.plan.bands
        return top - 0.5 + (1.5 if line else 0) if band else top - 13 + 6 * line

    def axis(self) -> list[Mark]:
        """The sequences over the columns."""
        plan = self.plan
        chosen = facts.selected(self.state)
        marks: list[Mark] = [label("axis", 24, 136, "sequence", "t11 ink3")]
        if plan.how == "mosaic":
            return [*marks, *self._ranges()]
        picked = [c for c in plan.singles if chosen and chosen[1] == c.a and chosen[0] == plan.stream.name]
        order = [*picked, *plan.singles[-1:], *plan.singles[:1], *plan.singles]
        taken = [(c.middle - 7, c.middle + 7) for c in plan.columns if c.a != c.b]
        taken.append((plan.right + 4, plan.width))
        done: set[int] = set()
        for column in order:
            words = amount(column.a)
            half = text_width(words, "t11 w6" if column in picked else "t11") / 2 + 1.5
            x = column.middle
            if column.a in done or any(a < x + half and x - half < b for a, b in taken):
                continue
            done.add(column.a)
            key = f"col/{plan.stream.name}/{column.a}"
            if column in picked:
                wide = max(10.0, half + 3)
                marks.append(
                    Path(key=f"{key}/pill", classes="fill ink",
                         d=f"M{n(x - wide + 9)} 123H{n(x + wide - 9)}A9 9 0 0 1 {n(x + wide - 9)} 141"
                           f"H{n(x - wide + 9)}A9 9 0 0 1 {n(x - wide + 9)} 123Z")
                )  # fmt: skip
                marks.append(label(key, x, 136, words, "t11 w6 middle num ground"))
                taken.append((x - wide, x + wide))
            else:
                marks.append(label(key, x, 136, words, "t11 ink3 middle num"))
                taken.append((x - half, x + half))
        for column in plan.columns:
            if column.a != column.b:
                count = column.b - column.a + 1
                marks.append(
                    label(f"gap/{column.a}", column.middle, 136, "…", "t11 ink3 middle",
                          title=f"{amount(count)} messages, {amount(column.a)} to {amount(column.b)}, "
                                "are left out: nothing happens there.")
                )  # fmt: skip
        return marks

    def _ranges(self) -> list[Mark]:
        plan = self.plan
        marks: list[Mark] = []
        right = -1.0
        last = plan.columns[-1]
        for column in plan.columns:
            words = amount(column.a)
            wide = text_width(words, "t11")
            if column.x > right and (column.x + wide + 12 < last.x or column is plan.columns[0]):
                marks.append(
                    label(f"col/{plan.stream.name}/{column.a}", column.x, 136, words, "t11 ink3 num")
                )
                right = column.x + wide + 26
        top = max(plan.stream.last, max(c.delivered for c, _, _ in self.tops))
        end = last.x + last.w
        wide = text_width(amount(top), "t11")
        if end - wide > right - 16:
            marks.append(label(f"col/{plan.stream.name}/{top}", end, 136, amount(top), "t11 ink3 num end"))
        return marks

    # --- the lanes -------------------------------------------------------------------------------

    def everything(self) -> list[Mark]:
        """All lanes with what stands in them."""
        marks: list[Mark] = []
        for consumer in self.plan.bands:
            marks += self.band(consumer)
        if self.plan.more:
            marks.append(self.rest())
        for consumer in self.plan.lanes:
            marks += self.lane(consumer)
        return marks

    def head(self, consumer: Consumer, size: str) -> Mark:
        """A consumer's name, with what it is."""
        key, y = f"lane/{consumer.key}", self.names[consumer.key]
        title = f"Consumer {short_name(consumer.name, 60)}: {lane_words(self.state, consumer)}."
        readers = list(consumer.clients)
        marks: list[Mark] = [label(f"{key}/name", 24, y, fit(consumer.name, 84, f"{size} w6"), f"{size} w6")]
        band = consumer in self.plan.bands
        if readers:
            shared = len(readers) > 1
            title += f" Handed to {', '.join(short_name(r) for r in readers[:6])}" + (
                ": they share it, each message goes to one of them." if shared else "."
            )
            words = ("shared: " if shared else "to ") + ", ".join(readers)
            if shared and text_width(words, "t11") > 88:
                words = f"shared by {len(readers)}"
            if not band:
                marks.append(label(f"{key}/who", 24, y + 14, fit(words, 88, "t11"), "t11 ink3"))
        if consumer.filters:
            title += f" It wants {', '.join(short_name(f, 40) for f in consumer.filters[:3])}."
        if consumer.reconstructed:
            title += " Reconstructed from events: a memory consumer has no state file."
        if consumer.paused:
            title += " It is paused."
        totals = totals_of(self.state, consumer)
        return Group(
            key=key,
            marks=marks,
            title=title,
            state={
                "ack floor": consumer.floor, "delivered": consumer.delivered,
                "ack pending": totals.ack_pending, "redelivered": totals.redelivered,
                "stored": totals.stored,
            },
        )  # fmt: skip

    def band(self, consumer: Consumer) -> list[Mark]:
        """One thin row for one of many consumers."""
        y = self.rows[consumer.key][0]
        if self.plan.how == "mosaic":
            marks = bars(self.state, self.plan, consumer, y - 8, 16)
        else:
            marks = [
                m
                for seq in self.shown(consumer)
                for m in self.cell(consumer, seq, [y], min(5.0, self.plan.r))
            ]
        key = f"says/{consumer.key}"
        said = amount(consumer.says["pending"]) if consumer.says_t >= 0 else "-"
        return [
            *marks,
            self.head(consumer, "t12"),
            margin.row(f"{key}/ack pending", y + 4, "ack pending", said),
        ]

    def rest(self) -> Mark:
        """The consumers that have no place of their own, counted."""
        y = TOP + BAND * len(self.plan.bands) + 16
        pending = sum(c.says.get("pending", 0) for c in self.plan.more)
        return Group(
            key="more",
            title=f"{more_words(self.state, self.plan)}. They are only counted.",
            marks=[
                label("more/words", 24, y, f"{amount(len(self.plan.more))} more", "t12 ink3"),
                margin.row("more/pending", y, "ack pending", amount(pending)),
            ],
        )

    def lane(self, consumer: Consumer) -> list[Mark]:
        """A consumer with its words, lines and cells."""
        y, rows = self.names[consumer.key], self.rows[consumer.key]
        expanded = consumer is self.plan.expanded
        marks = [self.head(consumer, "t14"), *self.lines(consumer, y)]
        key = f"lane/{consumer.key}"
        if self.plan.how == "mosaic":
            marks += bars(self.state, self.plan, consumer, y + 24, 44)
            right = GRID
            for cell in pins(self.state, self.plan, consumer):
                x = max(self.plan.edge(cell.seq), right)
                right = x + 12
                marks += self.mark(consumer, cell.seq, cell, x, y + 17, 4.6)
        else:
            seqs = self.shown(consumer)
            for seq in seqs:
                marks += self.cell(consumer, seq, rows, self.plan.r)
            marks += self.gaps(consumer, rows[0])
            near, boxes = self.beside(consumer, seqs, rows)
            marks += [*near, *self.receivers(consumer, seqs, rows[0], boxes)]
            again = any((one := consumer.cells.get(seq)) is not None and one.attempt > 1 for seq in seqs)
            single = len(rows) == 1 and (again or len(self.plan.lanes) > 1)
            if expanded and not single:
                for i, row in enumerate(rows):
                    words = f"attempt {i + 1}"
                    if i + 1 == consumer.max_deliver:
                        words += f" of {consumer.max_deliver}"
                    elif i + 1 == ROWS:
                        words += " and on"
                    marks.append(label(f"{key}/row/{i + 1}", 24, row + 4, words, "t11 ink3"))
            else:
                marks.append(label(f"{key}/row", 24, rows[0] + 4, "all attempts", "t11 ink3"))
        if consumer.key not in self.says:
            lines = 4 if not expanded else 9
            marks += margin.counters(self.state, consumer, y, lines, whole=expanded)
        return marks

    def lines(self, consumer: Consumer, y: float) -> list[Mark]:
        """The words at the two lines, and the bracket between them."""
        plan, key = self.plan, f"lane/{consumer.key}"
        a, b = plan.edge(consumer.floor), plan.edge(consumer.delivered)
        marks: list[Mark] = [
            Text(key=f"{key}/floor", x=round(a - 9, 2), y=y,
                 runs=[("ack floor ", "t12 ink3 end"), (amount(consumer.floor), "t12 w6 num")]),
            Text(key=f"{key}/delivered", x=round(b + 8, 2), y=y,
                 runs=[("delivered ", "t12 ink3"), (amount(consumer.delivered), "t12 w6 num")]),
        ]  # fmt: skip
        if b - a >= 9:
            marks += self.bracket(consumer, a + 7, b - 6, y)
        return marks

    def bracket(self, consumer: Consumer, a: float, b: float, y: float) -> list[Mark]:
        """How many acks are awaited, of how many: between the two lines, as the server counts them."""
        key, count, limit = f"pending/{consumer.key}", consumer.pending, consumer.limit
        of = f"{amount(count)} of {amount(limit)}" if limit > 0 else amount(count)
        room = b - a - 2 * 8
        row = 7 * limit + 8 if 0 < limit <= PIPS else 0
        choices = [
            (f"{of} ack pending", row),
            (f"{of} ack pending", 0),
            (of, row),
            (of, 0),
            (amount(count), 0),
        ]
        words, pip = next(
            ((w, p) for w, p in choices if text_width(w, "t12") + p + 8 <= room), (choices[-1][0], 0)
        )
        wide = text_width(words, "t12") + (pip + 4 if pip else 0)
        left = (a + b - wide) / 2
        foot = f"M{n(a)} {n(y + 4)}V{n(y - 4)}"
        if left - 6 > a:
            foot += f"H{n(left - 6)}M{n(left + wide + 6)} {n(y - 4)}H{n(b)}V{n(y + 4)}"
        else:
            foot += f"M{n(b)} {n(y - 4)}V{n(y + 4)}"
        marks: list[Mark] = []
        if b - a >= text_width(words, "t12") + 4:
            marks = [
                Path(key=f"{key}/feet", d=foot, classes="edge ink none", width=1.25),
                label(f"{key}/words", left, y, words, "t12 num"),
            ]
        if pip:
            marks += margin.pips(key, left + text_width(words, "t12") + 10, y, count, limit)
        title = f"{amount(count)} delivered and not acked" + (
            f"; at {amount(limit)} nothing new is handed out." if limit > 0 else "."
        )
        return [
            Group(key=key, marks=marks, title=title, state={"ack pending": count, "max_ack_pending": limit})
        ]

    # --- cells -----------------------------------------------------------------------------------

    def shown(self, consumer: Consumer) -> list[int]:
        """The sequences in view that are this consumer's."""
        return [c.a for c in self.plan.singles if self.state.status(consumer, c.a)]

    def key(self, consumer: Consumer, seq: int) -> str:
        """The key of a cell."""
        return f"msg/{consumer.stream}/{seq}@{consumer.name}"

    def side(self, consumer: Consumer, seq: int) -> str:
        """The key of what belongs to a cell and is not the cell."""
        return f"try/{consumer.stream}/{seq}@{consumer.name}"

    def level(self, consumer: Consumer, cell: Cell, shown: str) -> float | None:
        """How much of its time a cell has left, 0 to 1."""
        last, now = cell.last, self.state.now
        if last is None or last.t < 0:
            return None
        if shown == "flight":
            return 1 - (now - last.since) / max(0.001, consumer.wait(cell.attempt))
        return 1 - (now - last.ended) / last.delay if shown == "nak" and last.delay > 0 else None

    def cell(self, consumer: Consumer, seq: int, rows: list[float], r: float) -> list[Mark]:
        """One message at one consumer: its current mark, and its earlier attempts above it."""
        column = self.plan.column(seq)
        assert column is not None
        x = column.middle
        cell = consumer.cells.get(seq)
        below = seq <= consumer.floor
        if cell is None or len(rows) == 1 or (below and cell.state != "exhausted"):
            return self.mark(consumer, seq, cell, x, rows[0], r)
        marks: list[Mark] = []
        current = min(cell.attempt, len(rows))
        known = {a.n: a for a in cell.attempts}
        for i in range(1, current):
            # With more attempts than rows the last row is the newest one, and the others are the first.
            attempt = known.get(i)
            marks += self.earlier(consumer, cell, i, attempt, x, rows[i - 1], r)
            stop = rows[i] - (18 if self.is_selected(consumer, seq) and i + 1 == current else 13)
            marks.append(
                Path(
                    key=f"{self.side(consumer, seq)}/{i}/link",
                    d=f"M{n(x)} {n(rows[i - 1] + 12)}V{n(stop)}",
                    classes="edge ink3",
                )
            )
        return [*marks, *self.mark(consumer, seq, cell, x, rows[current - 1], r)]

    def is_selected(self, consumer: Consumer, seq: int) -> bool:
        """Whether that cell is the selected one."""
        return facts.selected(self.state) == (consumer.stream, seq, consumer.name)

    def earlier(
        self,
        consumer: Consumer,
        cell: Cell,
        i: int,
        attempt: Attempt | None,
        x: float,
        y: float,
        r: float,
    ) -> list[Mark]:
        """An attempt that is over."""
        state = attempt.end if attempt is not None and attempt.end else "expired" if attempt else "unseen"
        if attempt is not None and attempt.end == "acked":
            state = "acked"
        side = f"{self.side(consumer, cell.seq)}/{i}"
        title = f"Message {amount(cell.seq)}, attempt {i}: "
        if attempt is None:
            title += "nobody saw it."
        else:
            title += f"handed to {short_name(attempt.client)}, " if attempt.client else ""
            title += f"{STATES[state]}."
        return [
            Group(
                key=side,
                marks=glyph(side, state, x, y, r),
                title=title,
            )
        ]

    def mark(
        self, consumer: Consumer, seq: int, cell: Cell | None, x: float, y: float, r: float
    ) -> list[Mark]:
        """The current mark of a message, and the signs beside it."""
        key = self.key(consumer, seq)
        self.places[key] = (x, y)
        below = seq <= consumer.floor
        status = (
            consumer.shown(cell, self.state.now) if cell is not None else self.state.status(consumer, seq)
        )
        level = self.level(consumer, cell, status) if cell is not None else None
        small = status in ("settled", *SETTLED) and below
        # The stage draws a ring around the mark, so signs beside it are none of it.
        drawn, side = glyph(key, status, x, y, r, level=level, small=small), self.side(consumer, seq)
        marks: list[Mark] = [m for m in drawn if not isinstance(m, Text)]
        signs: list[Mark] = [m for m in drawn if isinstance(m, Text)]
        if cell is not None and status == "flight" and cell.last is not None and cell.last.wpi and r >= 7:
            off = 4.5 if self.is_selected(consumer, seq) else 0
            signs += refill(side, x + off, y - off)
        state: dict[str, object] = {"state": STATES[status]}
        if cell is not None:
            state["attempt"] = attempt_words(consumer, cell.attempt)
            if cell.last is not None and cell.last.client:
                state["client"] = cell.last.client
        group = Group(
            key=key,
            classes="card",
            marks=marks,
            title=self.story(consumer, seq, cell, status),
            state=state,
            actions=answers(consumer, cell),
        )
        return [group, *signs]

    def story(self, consumer: Consumer, seq: int, cell: Cell | None, status: str) -> str:
        """What happened to a message at a consumer, in a sentence."""
        name, subject = short_name(consumer.name), self.plan.stream.subjects.get(seq, "")
        what = f"Message {amount(seq)}" + (f", {short_name(subject, 60)}," if subject else "")
        if cell is None:
            if status == "stored":
                return f"{what} is stored; {name} has not handed it out yet."
            return f"{what} is settled for {name}."
        last, to = cell.last, ""
        if last is not None and last.client:
            to = f" to {short_name(last.client)}"
        of = attempt_words(consumer, cell.attempt)
        words = f"{what} for {name}: attempt {of}{to}, {STATES[status]}"
        end = consumer.deadline(cell)
        if status == "flight" and end is not None:
            words += f", {left_of(end - self.state.now)} left"
        if status == "nak" and last is not None and last.delay:
            words += f", again in {left_of(last.ended + last.delay - self.state.now)}"
        if status == "expired":
            words += " (≈ inferred: the server tells nobody)"
        if status == "exhausted":
            words += "; it stays stored and is never delivered again"
        if last is not None and last.reason:
            words += f" ({short_name(last.reason, 60)})"
        return words + "."

    def beside(self, consumer: Consumer, seqs: list[int], rows: list[float]) -> tuple[list[Mark], list[Box]]:
        """Seconds left and attempts, under or beside the cells, where they fit; the most urgent first.

        And the boxes that are taken then.
        """
        plan, now = self.plan, self.state.now
        expanded = consumer is plan.expanded
        key = f"lane/{consumer.key}"
        wants: list[tuple[float, str, float, float, str, str]] = []  # urgency, key, x, y, text, classes
        dues = (consumer.due(c) for c in map(consumer.cells.get, seqs) if c is not None and c.waits)
        lefts = [due - now for due in dues if due is not None and due > now]
        minutes = min(lefts, default=0) >= 119.5  # of all that wait
        seconds = False
        for seq in seqs:
            cell = consumer.cells.get(seq)
            if cell is not None and cell.state in SETTLED and cell.attempt > 1:
                x, y = self.places[self.key(consumer, seq)]
                if y == rows[0]:  # else its attempts stand above it
                    times = f"{self.side(consumer, seq)}/times"
                    wants.append((math.inf, times, x, y + 23, f"×{cell.attempt}", "t11 ink2 middle"))
            if cell is None or not cell.waits:
                continue
            shown = consumer.shown(cell, now)
            due = consumer.due(cell)
            x, y = self.places[self.key(consumer, seq)]
            mine = f"{self.key(consumer, seq)}/left"
            if not expanded and cell.attempt > 1:
                badge = (
                    f"{cell.attempt}/{consumer.max_deliver}"
                    if consumer.max_deliver > 0
                    else f"×{cell.attempt}"
                )
                wants.append((0, mine, x, y + 23, badge, "t11 w6 middle"))
            elif shown in ("flight", "nak") and due is not None and due > now:
                left = due - now
                text = f"{left:.0f}" if left >= 9.95 else f"{left:.1f}"
                if left >= 119.5:
                    text = f"{left / 60:.0f}" + ("" if minutes else " min")
                if y == rows[0] or not expanded:
                    seconds = True
                    wants.append((left, mine, x, y + 23, text, "t11 ink2 middle num"))
                else:
                    ring = 12 if self.is_selected(consumer, seq) else 4
                    wants.append((left, mine, x + 8 + ring, y + 4, text, "t11 ink2 num"))
        marks: list[Mark] = []
        boxes: list[Box] = []
        for seq in seqs:
            x, y = self.places[self.key(consumer, seq)]
            boxes.append((x - plan.r - 1, y - plan.r, x + plan.r + 1, y + plan.r))
            known = consumer.cells.get(seq)
            if known is not None and known.state == "flight" and known.last is not None and known.last.wpi:
                boxes.append((x + 6, y - 23, x + 22, y - 5))  # the sign of a refill
        cells = consumer.cells
        for seq in seqs:
            if expanded and (cell := cells.get(seq)) is not None and seq > consumer.floor:
                x = self.places[self.key(consumer, seq)][0]
                for row in rows[: min(cell.attempt, len(rows))]:
                    boxes.append((x - plan.r - 1, row - plan.r, x + plan.r + 9, row + 2))
                for row in rows[: min(cell.attempt, len(rows)) - 1]:
                    boxes.append((x - 2, row, x + 2, row + 27))
        for line in (consumer.floor, consumer.delivered):
            boxes.append((plan.edge(line) - 1.5, rows[0], plan.edge(line) + 1.5, rows[-1] + 30))
        chosen = facts.selected(self.state)
        if chosen and (chosen[0], chosen[2]) == (consumer.stream, consumer.name) and chosen[1] in seqs:
            x, y = self.places[self.key(consumer, chosen[1])]
            boxes.append((x - 1.5, y + 27, x + 1.5, self.bottom))  # the line down to its card
        few = 2 if plan.pitch < 17 else len(wants)  # where cells are dense, it must be clear whose they are
        for _, mine, x, y, text, classes in sorted(wants)[:few]:
            wide = text_width(text, classes)
            middle = "middle" in classes
            for dx in (0, 5, -5, 8, -8) if middle else (0,):
                left = x + dx - (wide / 2 if middle else 0)
                box = (left, y - 8, left + wide, y + 2)
                if not _hits(box, boxes):
                    boxes.append(box)
                    marks.append(label(mine, x + dx, y, text, classes))
                    if middle:
                        self.below.add(mine.removesuffix("/left"))
                    break
        if seconds:
            unit = "minutes left" if minutes else "seconds left"
            marks.append(label(f"{key}/seconds", 24, rows[0] + 23, unit, "t11 ink3"))
        if expanded:
            ends = plan.edge(consumer.delivered)
            marks += self.asides(consumer, seqs, rows, [b for b in boxes if not b[0] < ends < b[2]])
        return marks, boxes

    def receivers(self, consumer: Consumer, seqs: list[int], row: float, boxes: list[Box]) -> list[Mark]:
        """Under the cells of a shared consumer: which client got which messages, where it is free."""
        if len(consumer.clients) < 2:
            return []
        runs: list[tuple[str, list[int]]] = []
        for seq in seqs:
            cell = consumer.cells.get(seq)
            last = cell.last if cell is not None and not cell.waits else None  # seconds stand there
            who = last.client if last is not None and self.places[self.key(consumer, seq)][1] == row else ""
            if (
                runs
                and runs[-1][0] == who
                and self.plan.pitch * 1.5 > self._x(seq) - self._x(runs[-1][1][-1])
            ):
                runs[-1][1].append(seq)
            else:
                runs.append((who, [seq]))
        marks: list[Mark] = []
        for who, of in runs:
            a, b = self._x(of[0]), self._x(of[-1])
            words = fit(who, b - a + self.plan.pitch - 2, "t11")
            if not who or (words != who and len(words) < 4):
                continue
            half, middle = text_width(words, "t11") / 2, (a + b) / 2
            box = (min(a - 5, middle - half), row + 13, max(b + 5, middle + half), row + 30)
            if _hits(box, boxes):
                continue
            boxes.append(box)
            key = f"{self.side(consumer, of[0])}/to"
            if b > a:
                d = f"M{n(a - 5)} {n(row + 12)}V{n(row + 15)}H{n(b + 5)}V{n(row + 12)}"
                marks.append(Path(key=f"{key}/span", d=d, classes="edge ink3 none"))
            marks.append(label(key, middle, row + 28, words, "t11 ink2 middle"))
        if marks and not any(c.waits for c in consumer.cells.values()):
            marks.append(label(f"lane/{consumer.key}/to", 24, row + 28, "handed to", "t11 ink3"))
        return marks

    def _x(self, seq: int) -> float:
        """The middle of a message's column."""
        column = self.plan.column(seq)
        assert column is not None
        return column.middle

    def asides(
        self,
        consumer: Consumer,
        seqs: list[int],
        rows: list[float],
        boxes: list[Box],
    ) -> list[Mark]:
        """Words in the expanded lane: what blocks the floor, what waits for a pull."""
        marks: list[Mark] = []
        for seq in facts.blocking(consumer)[:1]:
            place = self.places.get(self.key(consumer, seq))
            chosen = facts.selected(self.state)
            crossed = chosen is not None and chosen[2] == consumer.name and chosen[1] <= consumer.floor
            if seq == consumer.floor + 1 and place is not None and place[1] > rows[0] and not crossed:
                x = self.plan.edge(consumer.floor) - 9
                marks.append(label("blocks", x, place[1] + 4, "blocks the floor", "t11 ink2 end"))
        said = False
        for cell in facts.stuck(self.state, consumer):
            place = self.places.get(self.key(consumer, cell.seq))
            if place is None or consumer.last_chance(cell):
                continue
            x, y = place
            after = next((r for r in rows if r > y), None)
            if after is None:
                continue
            key = self.key(consumer, cell.seq)
            marks.append(
                Path(
                    key=f"{key}/wait", d=f"M{n(x)} {n(y + 13)}V{n(after - 9)}", classes="edge ink3 none dots"
                )
            )
            words = "waits for a pull"
            wide = text_width(words, "t11")
            for left in (x, x - wide / 2, x - wide) if not said else ():
                box = (left - 3, after - 6, left + wide + 3, after + 6)
                if left > GRID and not _hits(box, boxes):
                    marks.append(label("waits", left, after + 4, words, "t11 ink2 halo"))
                    said = True
                    break
        return marks

    def gaps(self, consumer: Consumer, y: float) -> list[Mark]:
        """What stands for sequences that are left out."""
        marks: list[Mark] = []
        for column in self.plan.columns:
            if column.a == column.b:
                continue
            x, key = column.middle, f"gap/{column.a}@{consumer.name}"
            middle = (column.a + column.b) // 2
            status = self.state.status(consumer, middle)
            ink = {"stored": "stored", "settled": "done", "acked": "done"}.get(status, "line")
            d = "".join(f"M{n(x + dx - 0.01)} {n(y)}H{n(x + dx + 0.01)}" for dx in (-6, 0, 6))
            words = STATES.get(status, "not its own")
            marks.append(
                Path(key=key, d=d, width=3.4, classes=f"edge {ink} none round",
                     title=f"{amount(column.a)} to {amount(column.b)} for {short_name(consumer.name)}: "
                           f"{words}.")
            )  # fmt: skip
        return marks


def _hits(box: Box, boxes: list[Box]) -> bool:
    """Whether a box lies over one of the others."""
    return any(a < box[2] and box[0] < c and b < box[3] and box[1] < d for a, b, c, d in boxes)


def answers(consumer: Consumer, cell: Cell | None) -> list[Action]:
    """What can be said for a message that the lab holds: the lines that a person would type."""
    last = cell.last if cell is not None else None
    if cell is None or last is None or not last.held or not cell.waits or consumer.ack == "none":
        return []
    to = f"{consumer.stream} {consumer.name} {cell.seq}"
    return [
        Action(f"natslab ack {to}", "+ACK"),
        Action(f"natslab nak {to}", "-NAK"),
        Action(f"natslab nak {to} --delay 5s", "-NAK 5s"),
        Action(f"natslab wpi {to}", "+WPI"),
        Action(f"natslab term {to}", "+TERM"),
    ]
