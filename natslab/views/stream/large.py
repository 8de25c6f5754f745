"""One stream, large: shelves, blades, gate, answers, gauges, cursors."""

from __future__ import annotations

import shlex

from natslab.views import scene as sc
from natslab.views.marks import RECENTLY
from natslab.views.scene import WIDTH, Action, Flight, Mark, Text, label
from natslab.views.stream import glyphs
from natslab.views.stream.belt import Row, place_reasons, reader_rows
from natslab.views.stream.plan import (
    ASIDE,
    GAUGE,
    LABEL,
    SHELF,
    SLIM,
    TOP,
    WIDE,
    Column,
    belt_of,
    shelves_of,
)
from natslab.views.stream.reasons import SHORT, made_room
from natslab.views.stream.state import WINDOW, Answer, Gone, Slot, State, Stream
from natslab.views.stream.words import (
    KINDS,
    bytes_of,
    fate_of,
    limit_of,
    limits_in_words,
    next_to_fall,
    size_of,
    time_of,
)
from natslab.views.wording import amount, count_of, fit, short_name, wide


def _above(y: float) -> tuple[float, str, bool]:
    """Where the reason of a ghost stands over the shelf at `y`: baseline, type, whether with a stem."""
    return (142, "t12", True) if y == SHELF else (y - 17, "t11", False)


class Large:
    """The marks of one stream over the whole width."""

    def __init__(self, state: State, stream: Stream) -> None:
        self.state = state
        self.stream = stream
        self.at = WIDE if state.width == WIDTH else SLIM
        self.named, self.rest = shelves_of(stream)
        limits = stream.limits
        self.blades = [("max_age", time_of(limits.age))] if limits.age else []
        if limits.discard == "old":
            self.blades += [("max_msgs", amount(limits.msgs))] if limits.msgs else []
            self.blades += [("max_bytes", bytes_of(limits.bytes))] if limits.bytes else []
        self.gated = limits.discard == "new" and bool(limits.msgs or limits.bytes or limits.per_subject)
        # Subjects are foreign text of any length: the labels take from the belt what they need.
        names = [*self.named, f"{len(self.rest)} more"]
        most = max([0, *stream.subjects.values()])
        need = max([wide(fit(s, self.at.name, "mono t12"), "mono t12") for s in names])
        need = max(need, wide(count_of(most, "message"), "t11"))
        self.x0 = max(120.0, min(LABEL + self.at.name + 4, LABEL + need + 14))
        if limits.per_subject and limits.per_subject <= 10:
            size = wide(f"{limits.per_subject} of {limits.per_subject}", "t11 w6")
            pips = LABEL + size + 8 + 7 * limits.per_subject + 8
            self.x0 = max(self.x0, min(LABEL + self.at.name + 4, pips))
        if self.blades:
            label_room = max(wide(f"{n} {v}", "t12") + 12 for n, v in self.blades) + LABEL
            lead = stream.first > limits.first
            self.x0 = max(self.x0, label_room - (40 if lead else 0))
        self.belt = belt_of(stream, self.x0, self.at.right, len(self.blades))
        self.row = Row(state, stream, self.belt, 17.0 if self.at is SLIM else 0.0)
        rows = max(1, len(self.named) + bool(self.rest))
        self.bottom = SHELF + self.at.step * (rows - 1) + self.at.under
        self.height = self.bottom

    def shelf(self, subject: str) -> float:
        """The centre of the shelf that a subject stands on."""
        if subject in self.named:
            return SHELF + self.at.step * self.named.index(subject)
        return SHELF + self.at.step * len(self.named) if self.rest else SHELF

    def everything(self) -> list[Mark]:
        """All marks, in drawing order."""
        marks = [self.frame(), *self.boards(), *self.messages(), *self.edges(), *self.answers()]
        y = self.bottom + 18
        low = y + 16 * max(0, len(self.blades) - 1)
        if self.window():
            under = y + 16 * max(0, len(self.blades) - 2)  # the blades' words
            marks += self.window_marks(under + 20)
            low = max(low, under + 30)
        narrow = self.at is SLIM
        gauges, gauge_low = ([], 0.0) if narrow else self.gauges(y)
        marks += gauges
        readers: list[Mark] = []
        if self.stream.readers or self.stream.limits.retention == "workqueue":
            # The cursors' words stand under the gauges, or in a narrow picture under each cursor.
            start = max(low + 30, gauge_low + 10)
            words = self.x0 if narrow else self.at.notes
            readers, low = reader_rows(self.row, start, LABEL, self.x0 - LABEL - 8, words)
        if narrow:
            gauges, gauge_low = self.gauges(low + 30)
            readers += gauges
        self.height = max(low, gauge_low) + 16
        return marks + readers

    def frame(self) -> Mark:
        """The stream itself: its limits as words."""
        stream, key = self.stream, f"stream/{self.stream.name}"
        limits = stream.limits
        inside: list[Mark] = []
        words = (
            f"{amount(limits.per_subject)} per subject"
            if limits.per_subject
            else KINDS.get(limits.retention, "")
        )
        inside.append(label(f"{key}/per", LABEL, 142, words, "t11 ink3"))
        if runs := self.discards():
            inside.append(Text(key=f"{key}/discard", x=self.discard_end(), y=142, runs=runs))
        title = f"{short_name(stream.name, 40)}: {limits_in_words(stream)}; {size_of(stream)}."
        name = shlex.quote(stream.name)
        actions = [Action(f"js stream purge {name} -f", "Remove all messages")]
        return sc.Group(key=key, marks=inside, title=title, actions=actions,
                        state={"messages": stream.messages, "bytes": stream.bytes})  # fmt: skip

    def discards(self) -> list[tuple[str, str]]:
        """What gives way when a limit is reached: runs of text."""
        limits = self.stream.limits
        if not (limits.msgs or limits.bytes or limits.per_subject):
            return []
        each = [(" per subject", "t12 ink2")] if limits.per_subject_too else []
        return [("discard ", "t12 ink2 end"), (limits.discard, "t12 w6"), *each]

    def discard_end(self) -> float:
        """Where those words end: at the gate, or left of a blade that stands there."""
        end, size = self.at.right + 2, wide("".join(t for t, _ in self.discards()), "t12 w6")
        for x in sorted(self.belt.blades, reverse=True):
            if end - size - 4 < x + 4 and x - 4 < end:
                end = round(x - 10, 2)
        return end

    def boards(self) -> list[Mark]:
        """One shelf per subject."""
        stream, marks, right = self.stream, [], self.at.right + 4
        most = stream.limits.per_subject
        if not self.named and not self.rest:
            waits = stream.limits.subjects[0] if stream.limits.subjects else ""
            board = glyphs.ways("shelf/none", f"M{self.x0 - 4:g} {SHELF + 17.5:g}H{right:g}", "edge line")
            name = fit(waits, self.x0 - LABEL - 8, "mono t12")
            return [board, label("shelf/waits", LABEL, SHELF - 1, name, "mono t12 ink3")]
        for subject in [*self.named, *([""] if self.rest else [])]:
            own = subject in self.named
            y = self.shelf(subject) if own else SHELF + self.at.step * len(self.named)
            key = f"shelf/{stream.name}/{subject}" if own else f"shelf/{stream.name}"
            n = stream.subjects.get(subject, 0) if own else sum(stream.subjects.get(s, 0) for s in self.rest)
            words = subject if own else f"×{len(self.rest)} more"
            kind = "mono t12" if own else "t12 ink2"
            inside: list[Mark] = [
                label(f"{key}/name", LABEL, y - 1, fit(words, self.x0 - LABEL - 8, kind), kind),
                glyphs.ways(f"{key}/board", f"M{self.x0 - 4:.2f} {y + 17.5:g}H{right:g}", "edge line"),
            ]
            if most and own:
                text = f"{amount(n)} of {amount(most)}"
                inside.append(
                    label(f"{key}/size", LABEL, y + 15, text, "t11 num " + ("w6" if n >= most else "ink2"))
                )
                x = LABEL + wide(f"{amount(most)} of {amount(most)}", "t11 w6") + 8
                if most <= int((self.x0 - 8 - x) / 7):
                    inside += glyphs.pips(f"{key}/pip", x, y + 6.5, n, most)
                elif self.x0 - 12 - x > 16:
                    inside += glyphs.bar(f"{key}/bar", x, y + 9, self.x0 - 12 - x, n / most)
            else:
                inside.append(label(f"{key}/size", LABEL, y + 15, count_of(n, "message"), "t11 num ink2"))
            title = f"{short_name(subject, 80) if own else words}: {count_of(n, 'message')}"
            title += f", {amount(most)} fit on its shelf." if most and own else "."
            line = f"js stream purge {shlex.quote(stream.name)} --subject {shlex.quote(subject)} -f"
            marks.append(
                sc.Group(
                    key=key, marks=inside, title=title, state={"messages": n},
                    actions=[Action(line, f"Purge {short_name(subject, 24)}")] if own and subject else [],
                )
            )  # fmt: skip
        return list(marks)

    def messages(self) -> list[Mark]:
        """Slots, ghosts, gaps and what is not drawn, each on its shelf."""
        stream, row = self.stream, self.row
        marks: list[Mark] = []
        rows = [self.shelf(s) for s in self.named]
        rows += [SHELF + self.at.step * len(self.named)] if self.rest else []
        taken: list[tuple[float, float, float]] = []
        signs: list[tuple[float, float, float]] = []  # over slots
        words = "".join(t for t, _ in self.discards())
        if words:
            signs.append((self.discard_end() - wide(words, "t12 w6"), self.discard_end() + 39, SHELF))
        for x in self.belt.blades:
            cut = [(x - 4, x + 4, y) for y in rows]
            taken, signs = [*taken, *cut], [*signs, *cut]
        ghosts: dict[float, list[tuple[Column, float, str]]] = {}  # by shelf
        for c in self.belt.columns:
            if c.kind == "slot":
                y = self.shelf(stream.slots[c.first].subject)
                marks.append(row.slot(c, y))
                taken.append((c.x - c.w / 2, c.x + c.w / 2, y))
                if stream.slots[c.first].twice:
                    over = y - row.high / 2 - 5.8
                    marks.append(glyphs.twin(f"{row.key(c.first)}/twice", c.x, over, 3.5, 3.6, 1.25))
                    signs.append((c.x - 5, c.x + 5, y))
            elif c.kind == "gone":
                gone = row.known.get(c.first)
                y = self.shelf(gone.subject if gone is not None else "")
                marks.append(row.ghost(c, y))
                taken.append((c.x - c.w / 2, c.x + c.w / 2, y))
                words = self.reason(c, gone)
                on_it = ghosts.setdefault(y, [])
                if on_it and on_it[-1][2] == words:
                    on_it.pop()  # of several in a row with one reason the last says it
                on_it.append((c, y, words))
            elif c.kind == "gap":
                # Several subjects: it goes through all their shelves.
                names = {row.known[s].subject for s in range(c.first, c.last + 1) if s in row.known}
                spans = [self.shelf(names.pop())] if len(names) == 1 else rows or [SHELF]
                marks.append(row.gap(c, spans[0], spans[-1]))
                band = [(c.x - c.w / 2, c.x + c.w / 2, y) for y in spans]
                taken += band
                signs += band[1:]
            else:
                marks += self.undrawn(c)
                taken += [(c.x - c.w / 2, c.x + c.w / 2, y) for y in rows]
        due = next_to_fall(stream)
        if due is not None and (falling := self.falling(due, taken, signs)) is not None:
            marks.append(falling)
        flat = [g for on_it in ghosts.values() for g in on_it]
        marks += place_reasons(row, flat, taken, signs, _above)
        return marks

    def reason(self, column: Column, gone: Gone | None) -> str:
        """What stands beside a message that is gone; "" where a blade says it."""
        if gone is None or (
            gone.why in {name for name, _ in self.blades} and column.first < self.stream.first
        ):
            return ""
        by = made_room(self.stream, gone)
        words = f"{column.first} made room for {by}" if by else SHORT.get(gone.why, short_name(gone.why, 14))
        return f"≈ {words}" if gone.guessed and words else words

    def undrawn(self, column: Column) -> list[Mark]:
        """What is not drawn singly: how it lies on each shelf, and a sentence above."""
        key = f"rest/{self.stream.name}/{column.first}"
        marks: list[Mark] = []
        for subject in self.named:
            y = self.shelf(subject) + 17.5
            marks += self.row.histogram(column, y, {subject}, f"{key}/{subject}")
        if self.rest:
            marks += self.row.histogram(
                column, SHELF + self.at.step * len(self.named) + 17.5, set(self.rest), f"{key}/"
            )
        words = f"{amount(column.first)} to {amount(column.last)} not drawn"
        inside: list[Mark] = [label(f"{key}/words", column.x, 160, words, "t11 ink3 middle")]
        return [
            sc.Group(key=key, marks=inside, title=f"{words}: {count_of(self.hidden(column), 'message')}.",
                     state={"messages": self.hidden(column)}),
            *marks,
        ]  # fmt: skip

    def hidden(self, column: Column) -> int:
        """Messages that one column stands for."""
        stream = self.stream
        singly = sum(column.first <= s <= column.last for s in stream.slots)
        return singly + sum(r.count for r in stream.ranges if column.first <= r.first <= column.last)

    def falling(
        self, due: Slot, taken: list[tuple[float, float, float]], signs: list[tuple[float, float, float]]
    ) -> Mark | None:
        """The seconds that are left of the next to fall, beside it where there is room."""
        column = next((c for c in self.belt.columns if c.kind == "slot" and c.first == due.seq), None)
        if column is None:
            return None
        words = time_of(max(0.0, self.stream.expires(due) - self.state.now))
        y, x = self.shelf(due.subject), column.x + column.w / 2 + 5
        end = x + wide(words, "t12 w6")
        key = f"{self.row.key(due.seq)}/left"
        if all(not (cy == y and a < end + 3 and x - 2 < b) for a, b, cy in taken) and end < self.at.right:
            taken.append((x, end, y))
            return label(key, x, y + 4, words, "t12 num w6")
        x = column.x - column.w / 2
        for a, b, cy in sorted(signs):
            if cy == y and a < x + wide(words, "t11 w6") + 3 and x - 3 < b:
                x = b + 4  # beside the sign of a duplicate, not over it
        end = x + wide(words, "t11 w6")
        if end > self.state.width:
            return None
        signs.append((x, end, y))
        return label(key, x, y - 17, words, "t11 num w6")

    # --- edges -------------------------------------------------------------------------------

    def edges(self) -> list[Mark]:
        """Blades at the left, the gate at the right, first and last below."""
        stream, belt = self.stream, self.belt
        marks: list[Mark] = []
        y = self.bottom + 18
        name = shlex.quote(stream.name)
        for i, ((what, value), x) in enumerate(zip(self.blades, belt.blades, strict=True)):
            key, flag = f"blade/{stream.name}/{what}", what.replace("_", "-")
            end = max(belt.blades[0] - 9, LABEL + wide(f"{what} {value}", "t12"))
            if not i and stream.messages:  # "first" stands beside it, and not right of the belt
                end = min(end, self.at.right - wide(f"first {amount(stream.first)}", "t12 w6") - 10)
            runs = [(f"{what} ", "t12 ink2 end"), (value, "t12 num w6")]
            wedge = f"M{x - 3:.2f} {TOP:g}H{x + 3:.2f}L{x + 0.4:.2f} {self.bottom:g}Z"
            marks.append(
                sc.Group(
                    key=key,
                    marks=[
                        glyphs.ways(f"{key}/wedge", wedge, "ink fill"),
                        Text(key=f"{key}/words", x=round(end, 2), y=y + 16 * i, runs=runs),
                    ],
                    title=f"{what} {value} cuts here, the oldest first. To change it: "
                    f"%js stream edit {name} --{flag} …",
                    state={"limit": what, "value": value},
                )
            )  # fmt: skip
        if self.gated:
            marks.append(self.gate())
        if stream.messages:
            first, last = amount(stream.first), amount(stream.last)
            one = f"last/{stream.name}"
            size = wide(f"first {first}", "t12 w6")
            x = min(belt.left, self.at.right - size)
            marks.append(
                Text(
                    key=f"first/{stream.name}",
                    x=round(x, 2),
                    y=y,
                    runs=[("first ", "t12 ink2"), (first, "t12 num w6")],
                )
            )
            start = x + size + 16 + wide(f"last {last}", "t12 w6")
            end = max(start, belt.right)
            if stream.first != stream.last and end <= self.at.right + 13:
                marks.append(
                    Text(
                        key=one, x=round(end, 2), y=y, runs=[("last ", "t12 ink2 end"), (last, "t12 num w6")]
                    )
                )
        elif stream.came and belt.left + wide(f"next {amount(stream.last + 1)}", "t12 w6") < self.at.right:
            marks.append(
                Text(
                    key=f"last/{stream.name}",
                    x=round(belt.left, 2),
                    y=y,
                    runs=[("next ", "t12 ink2"), (amount(stream.last + 1), "t12 num w6")],
                )
            )
        return list(marks)

    def gate(self) -> Mark:
        """Shut where the next message would be refused."""
        stream, key = self.stream, f"gate/{self.stream.name}"
        rows = [(s, self.shelf(s)) for s in self.named] or [("", SHELF)]
        if self.rest:
            rows.append(("", SHELF + self.at.step * len(self.named)))
        parts, top = [], TOP
        for subject, y in rows:
            if stream.lets_in(subject):
                parts.append(f"M{self.at.gate:g} {top:g}V{y - 15:g}")
                top = y + 15
        parts.append(f"M{self.at.gate:g} {top:g}V{self.bottom:g}")
        shut = [s for s in self.named if not stream.lets_in(s)]
        words = f"shut for {', '.join(short_name(s, 24) for s in shut[:4])}" if shut else "open"
        return sc.Group(
            key=key,
            marks=[glyphs.ways(f"{key}/bar", "".join(parts), "edge ink none", 3)],
            title=f"discard new: a full stream refuses what comes. The gate is {words}.",
            state={"shut": len(shut)},
        )

    # --- what the server said ----------------------------------------------------------------

    def newest(self) -> dict[float, Answer]:
        """The newest answer on each shelf."""
        out: dict[float, Answer] = {}
        for answer in self.stream.answers.values():
            if answer.subject in self.named or self.rest:
                y = self.shelf(answer.subject)
                if y not in out or answer.t >= out[y].t:
                    out[y] = answer
        return out

    def answers(self) -> list[Mark]:
        """The newest publish answer of each shelf; an arrow shows where the last message went in."""
        marks: list[Mark] = []
        found = self.newest()
        latest = max((a.t for a in found.values()), default=0.0)
        narrow = self.at is SLIM
        for y, answer in found.items():
            key = f"answer/{self.stream.name}/{answer.subject}"
            inside: list[Mark] = []
            x, line = (self.x0 + 4, y + ASIDE) if narrow else (self.at.sign, y)
            if answer.what == "stored":
                inside += glyphs.hand(key, "acked", x, line, 1, 8)
                name, why = f"stored as {amount(answer.seq)}", self.stored(answer)
                fresh = self.state.mode == "live" and answer.t >= self.state.now - RECENTLY
                shut = self.gated and not self.stream.lets_in(answer.subject)  # it shut behind the message
                if (
                    answer.t == latest and answer.seq in self.stream.slots and not fresh
                    and not shut and not narrow
                ):  # fmt: skip
                    way = f"M{x - 9:g} {y:g}H{self.at.right + 6:g}"
                    inside.append(glyphs.ways(f"{key}/way", way, "edge ink none", 1.25, arrow=True))
            elif answer.what == "duplicate":
                inside.append(glyphs.twin(f"{key}/sign", x, line, 5, 5.2, 2))
                name, why = f"duplicate of {amount(answer.seq)}", "same Nats-Msg-Id"
            else:
                inside += glyphs.cross(key, x, line)
                name = "refused" if answer.count == 1 else f"refused {amount(answer.count)} times"
                why = f"error {answer.code}, {limit_of(answer)}"
            name_, x = fit(name, self.at.end - x - 19, "t13 w6"), x + 19
            inside.append(label(f"{key}/name", x, line + (4.5 if narrow else -2), name_, "t13 w6"))
            x += wide(name_, "t13 w6") + 8 if narrow else 0
            why_ = fit(why, self.at.end - x, "t12")
            inside.append(label(f"{key}/why", x, line + (4.5 if narrow else 14), why_, "t12 ink3"))
            who = f" to {short_name(answer.client)}" if answer.client else ""
            marks.append(
                sc.Group(
                    key=key, marks=inside,
                    title=f"The server's answer{who}, {short_name(answer.subject, 60)}: {name}, {why}.",
                    state={"answer": answer.what, "seq": answer.seq, "code": answer.code},
                    light=[self.row.key(answer.seq)] if answer.seq else [],
                )
            )  # fmt: skip
        return marks

    def stored(self, answer: Answer) -> str:
        """What became of the message, or who sent it."""
        room = [g.seq for g in self.stream.gone[-20:] if made_room(self.stream, g) == answer.seq]
        if room:
            return f"{amount(room[-1])} made room"
        if answer.seq not in self.stream.slots:
            fate = fate_of(self.stream, answer.seq)
            return "gone" if fate == "gone" else f"gone: {fate}"
        return f"from {short_name(answer.client)}" if answer.client else ""

    # --- gauges ------------------------------------------------------------------------------

    def window(self) -> bool:
        """Whether the duplicate window is worth drawing: ids are in use, or it was set."""
        return self.stream.limits.window > 0 and bool(self.stream.slots) and (
            self.stream.ids or self.stream.limits.window != WINDOW)  # fmt: skip

    def window_marks(self, y: float) -> list[Mark]:
        """A bracket over the slots whose ids are still remembered."""
        stream, key = self.stream, f"window/{self.stream.name}"
        since = self.state.now - stream.limits.window
        inside = [c for c in self.belt.columns if c.kind == "slot" and stream.slots[c.first].t >= since]
        words = f"duplicate window {time_of(stream.limits.window)}"
        title = "A second message with an id of the last "
        title += f"{time_of(stream.limits.window)} is not stored."
        half = wide(words, "t12") / 2 + 8
        if not inside:
            x = round(min(self.belt.left, self.at.right - wide(f"{words}: over for all", "t12")), 2)
            over = label(f"{key}/words", x, y + 10, f"{words}: over for all", "t12 ink2")
            return [sc.Group(key=key, title=title, marks=[over])]
        a, b = inside[0].x - inside[0].w / 2, inside[-1].x + inside[-1].w / 2
        middle = min(max((a + b) / 2, self.belt.left + half), self.at.right - half)
        marks: list[Mark]
        if b - a > 2 * half + 16:
            d = f"M{a:.2f} {y:g}V{y + 6:g}H{middle - half:.2f}M{middle + half:.2f} {y + 6:g}H{b:.2f}V{y:g}"
            marks = [label(f"{key}/words", middle, y + 10, words, "t12 ink2 middle")]
        else:
            d = f"M{a:.2f} {y:g}V{y + 6:g}H{b:.2f}V{y:g}"
            x = b + 8 if b + 8 + 2 * half < self.at.right else a - 8
            marks = [label(f"{key}/words", x, y + 10, words, "t12 ink2" + ("" if x > b else " end"))]
        return [
            sc.Group(
                key=key, marks=[glyphs.ways(f"{key}/bracket", d, "edge ink none", 1.25), *marks], title=title
            )
        ]

    def gauges(self, y: float) -> tuple[list[Mark], float]:
        """How much of each limit of the whole stream is used."""
        stream, limits = self.stream, self.stream.limits
        rows: list[tuple[str, str, str, float, str]] = []
        n = stream.messages
        if limits.msgs:
            rows.append(("messages", amount(n), f" of {amount(limits.msgs)}", n / limits.msgs, "max-msgs"))
        else:
            rows.append(("messages", amount(n), "", -1, "max-msgs"))
        if limits.bytes:
            used, most = bytes_of(stream.bytes).split(), bytes_of(limits.bytes).split()
            size = used[0] if used[1] == most[1] else " ".join(used)
            rows.append(("bytes", size, f" of {' '.join(most)}", stream.bytes / limits.bytes, "max-bytes"))
        else:
            rows.append(("bytes", bytes_of(stream.bytes), "", -1, "max-bytes"))
        if limits.consumers:
            k = len(stream.readers)
            rows.append(
                (
                    "consumers",
                    amount(k),
                    f" of {amount(limits.consumers)}",
                    k / limits.consumers,
                    "max-consumers",
                )
            )
        marks: list[Mark] = []
        name = shlex.quote(stream.name)
        for what, value, of, share, flag in rows:
            key = f"gauge/{stream.name}/{what}"
            inside: list[Mark] = [
                label(f"{key}/what", self.at.notes, y, what, "t12 ink3"),
                Text(key=f"{key}/value", x=self.at.notes + GAUGE, y=y,
                     runs=[(value, "t12 num w6 end"), *([(of, "t12 num ink2")] if of else [])]),
            ]  # fmt: skip
            if share >= 0:
                inside += glyphs.bar(f"{key}/bar", self.at.notes, y + 6, GAUGE, share)
            limit = f"{value}{of}" if of else f"{value}, no limit"
            line = f"To change it: %js stream edit {name} --{flag} …"
            marks.append(
                sc.Group(key=key, marks=inside, title=f"{what}: {limit}. {line}", state={what: value})
            )
            y += 30 if share >= 0 else 20
        if stream.differs and self.state.now > max(stream.reported, stream.changed) + 1:
            words = f"the slots say {amount(stream.counted)}"
            key = f"differs/{stream.name}"
            d = f"M{self.at.notes + 5:g} {y - 9:g}L{self.at.notes + 10:g} {y:g}H{self.at.notes:g}Z"
            marks.append(
                sc.Group(
                    key=key, title="The server's count and the messages seen one by one disagree.",
                    marks=[
                        glyphs.ways(f"{key}/sign", d, "dead edge none", 1.5),
                        label(f"{key}/words", self.at.notes + 16, y, words, "t12 ink2"),
                    ],
                )
            )  # fmt: skip
            y += 20
        return marks, y - 12

    # --- flights -----------------------------------------------------------------------------

    def flights(self) -> list[Flight]:
        """The newest answers travel while they are new: through the opening, or to the gate and back."""
        out: list[Flight] = []
        if self.state.mode != "live":
            return out
        for y, answer in self.newest().items():
            if answer.t < self.state.now - RECENTLY:
                continue
            name, key = (
                self.stream.name,
                f"fly/{self.stream.name}/{answer.subject}/{answer.seq}/{answer.count}",
            )
            column = next((c for c in self.belt.columns if c.kind == "slot" and c.first == answer.seq), None)
            flight = Flight(key=key, d="", x=self.at.gate + 9, y=y, t0=answer.t, t1=answer.t, r=5)
            if answer.what == "stored" and column is not None:
                flight.x = round(column.x + column.w / 2 + 8, 2)
                flight.d = f"M{self.at.start:g} {y:g}H{flight.x:g}"
                flight.title = f"Message {answer.seq} goes into {short_name(name)}."
            elif answer.what == "refused":
                flight.d = f"M{self.at.start:g} {y:g}H{self.at.gate + 6:g}"
                flight.end, flight.classes = "refused", "dead fill"
                flight.title = f"{short_name(answer.subject, 60)} was refused."
            else:
                continue
            out.append(flight)
        return out
