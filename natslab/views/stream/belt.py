"""What is drawn of one stream on a line of columns: slots, ghosts, gaps, cursors, tabs and acks."""

from __future__ import annotations

import shlex
from collections.abc import Callable

from natslab.views import scene as sc
from natslab.views.marks import rect
from natslab.views.scene import Action, Mark, label
from natslab.views.stream import glyphs
from natslab.views.stream.plan import GAUGE, READERS, Belt, Column, gone_at, spread
from natslab.views.stream.state import Hand, Reader, Slot, State, Stream
from natslab.views.stream.words import fate_of, reader_of, slot_words, time_of
from natslab.views.wording import amount, count_of, fit, short_name, wide

PARTS = 12  # bars of a histogram


class Row:
    """Marks of one stream whose columns are already placed."""

    def __init__(self, state: State, stream: Stream, belt: Belt, down: float = 0.0) -> None:
        """`down`: how far below a consumer's row its words stand."""
        self.down = down
        self.state = state
        self.stream = stream
        self.belt = belt
        self.known = gone_at(stream)
        self.high = 26.0 if belt.pitch > 32 else 22.0

    def key(self, seq: int) -> str:
        """The key of a message's mark."""
        return f"msg/{self.stream.name}/{seq}"

    def lit(self, seq: int) -> bool:
        """Whether this message, or what a consumer makes of it, is selected anywhere."""
        key, chosen = self.key(seq), self.state.selection
        return chosen == key or chosen.startswith(f"{key}@")

    def light(self, seq: int) -> list[str]:
        """What lights up with a message: what its consumers make of it."""
        return [f"{self.key(seq)}@{r}" for r, reader in self.stream.readers.items() if seq in reader.hands]

    def slot(self, column: Column, y: float) -> Mark:
        """One kept message."""
        stream, slot = self.stream, self.stream.slots[column.first]
        key, due = self.key(slot.seq), stream.expires(slot)
        left = max(0.0, due - self.state.now) if due else 0.0
        life = max(0.001, due - slot.t) if due else 1.0
        inside = glyphs.slot(key, str(slot.seq), self.belt.box, self.high, left / life, self.lit(slot.seq))
        return sc.Group(
            key=key,
            x=round(column.x, 2),
            y=y,
            marks=inside,
            title=self.story(slot, left if due else -1),
            state={"seq": slot.seq, "subject": short_name(slot.subject, 80), "state": "kept"},
            light=self.light(slot.seq),
            life=[(slot.t, due or max(slot.t, self.state.now), "stored", "kept")],
            actions=[
                Action(
                    f"js stream rmm {shlex.quote(stream.name)} {slot.seq} -f", f"Delete message {slot.seq}"
                )
            ],
        )

    def story(self, slot: Slot, left: float) -> str:
        """A kept message in a sentence or two."""
        who = f" from {short_name(slot.client)}" if slot.client else ""
        parts = [f"Message {slot.seq}, {short_name(slot.subject, 80)}{who}, {count_of(slot.size, 'byte')}."]
        if left >= 0:
            age = max(0.0, self.state.now - slot.t)
            parts.append(f"{time_of(age)} old, it goes in {time_of(left)}.")
        if slot.id:
            parts.append(f"Nats-Msg-Id {short_name(slot.id, 40)}.")
        words = slot_words(self.stream, slot)
        if words:
            parts.append(f"{words[0].upper()}{words[1:]}.")
        return " ".join(parts)

    def ghost(self, column: Column, y: float) -> Mark:
        """One message that is gone."""
        gone, key = self.known.get(column.first), self.key(column.first)
        subject = f", {short_name(gone.subject, 80)}," if gone is not None and gone.subject else ""
        how = ", which follows from what is known" if gone is not None and gone.inferred and gone.why else ""
        strong = glyphs.strength(gone.t, self.state.now) if gone is not None else glyphs.LEFT
        return sc.Group(
            key=key,
            x=round(column.x, 2),
            y=y,
            marks=glyphs.ghost(
                key, str(column.first), self.belt.box, self.high, strong, self.lit(column.first)
            ),
            title=f"Message {column.first}{subject} is gone: {fate_of(self.stream, column.first)}{how}.",
            state={"seq": column.first, "state": "gone", "why": gone.why if gone is not None else ""},
            light=self.light(column.first),
        )

    def gap(self, column: Column, y: float, low: float) -> Mark:
        """Several messages in a row that are gone, from the shelf at `y` down to the one at `low`."""
        key, n = f"gap/{self.stream.name}/{column.first}", column.last - column.first + 1
        half, top = self.belt.box / 2, -self.high / 2 + 0.5
        reasons = {g.why for g in self.stream.gone if g.seq <= column.last and column.first <= g.last}
        why = fate_of(self.stream, column.last) if len(reasons) < 2 else "for several reasons"
        return sc.Group(
            key=key,
            x=round(column.x, 2),
            y=y,
            title=f"{amount(column.first)} to {amount(column.last)} are gone: {why}.",
            state={"messages": n, "state": "gone"},
            marks=[
                rect(
                    f"{key}/box", -half + 0.5, top, 2 * half - 1, low - y + self.high - 1, "ghost", 5,
                    opacity=glyphs.LEFT,
                ),
                label(f"{key}/n", 0, 4, fit(f"×{amount(n)}", 2 * half, "t11"), "t11 ink3 middle"),
            ],
        )  # fmt: skip

    def histogram(self, column: Column, y: float, subjects: set[str] | None, key: str) -> list[Mark]:
        """How the messages that are not drawn singly lie over the sequence; the board is at `y`."""
        counts = spread(self.stream, column, subjects, PARTS)
        most, step = max([1, *counts]), column.w / PARTS
        marks: list[Mark] = []
        for i, n in enumerate(counts):
            if n:
                high = max(2.0, 24 * n / max(most, 4))
                x = column.x - column.w / 2 + i * step
                marks.append(rect(f"{key}/{i}", x + 0.5, y - high, step - 1, high, "line fill", 1))
        n = sum(counts)
        title = (
            f"{count_of(n, 'message')} of {amount(column.first)} to {amount(column.last)}, not drawn singly."
        )
        return [sc.Group(key=key, marks=marks, title=title, state={"messages": n})] if marks else []

    # --- consumers ---------------------------------------------------------------------------

    def cursor(self, reader: Reader, y: float, name_x: float, room: float, end: float) -> Mark:
        """Where a consumer stands: acked up to the thick end, handed out up to the caret."""
        key, belt = f"reader/{self.stream.name}/{reader.name}", self.belt
        at, floor = belt.after(reader.delivered), belt.after(min(reader.floor, reader.delivered))
        start = belt.left - 3
        right = max(start, belt.right + 4)
        inside: list[Mark] = [
            label(f"{key}/name", name_x, y + 4, fit(reader.name, room, "t12"), "t12 ink2"),
            glyphs.ways(f"{key}/way", f"M{start:.2f} {y:g}H{right:.2f}", "edge hair"),
        ]
        if at > start:
            inside.append(glyphs.ways(f"{key}/handed", f"M{start:.2f} {y:g}H{at:.2f}", "edge ink3", 1.25))
        if floor > start and reader.ack != "none":
            inside.append(glyphs.ways(f"{key}/acked", f"M{start:.2f} {y:g}H{floor:.2f}", "edge ink", 3))
        inside.append(glyphs.caret(f"{key}/caret", at, y, up=bool(end)))
        words = reader_of(reader)
        if end:
            near = fit(reader_of(reader, short=True), GAUGE, "t11")
            inside.append(label(f"{key}/at", end, y + 4 + self.down, near, "t11 num ink2"))
        return sc.Group(
            key=key, marks=inside, title=f"Consumer {short_name(reader.name, 40)}: {words}.",
            state={"delivered": reader.delivered, "floor": reader.floor, "unacked": reader.out},
        )  # fmt: skip

    def tabs(self, reader: Reader, y: float, name_x: float, room: float) -> Mark:
        """A paper tab over each message that the consumer still wants, torn when it is done with it."""
        key, stream = f"reader/{self.stream.name}/{reader.name}", self.stream
        inside: list[Mark] = [label(f"{key}/name", name_x, y + 4, fit(reader.name, room, "t12"), "t12 ink3")]
        wide_ = min(18.4, self.belt.box - 3)
        for c in self.belt.columns:
            seq, slot, gone = c.first, stream.slots.get(c.first), self.known.get(c.first)
            subject = slot.subject if slot is not None else gone.subject if gone is not None else ""
            none = c.kind not in ("slot", "gone") or (
                gone is not None and gone.why not in ("acked", "terminated") and slot is None
            )
            if (
                none
                or not reader.wants(subject)
                or (c.kind == "gone" and gone is None)
                or seq <= reader.began
            ):
                continue
            torn = reader.settled(seq) or slot is None
            name = f"{self.key(seq)}@{reader.name}"
            said = "is done with" if torn else "still wants"
            inside.append(
                sc.Group(
                    key=name,
                    marks=glyphs.tab(name, round(c.x, 2), y, wide_, torn),
                    title=f"{short_name(reader.name)} {said} message {seq}.",
                    state={"seq": seq, "settled": torn},
                    light=[self.key(seq)],
                    opacity=glyphs.strength(gone.t, self.state.now)
                    if gone is not None and slot is None
                    else 1.0,
                )
            )
        return sc.Group(
            key=key, marks=inside, title=f"Consumer {short_name(reader.name, 40)}: {reader_of(reader)}.",
            state={"delivered": reader.delivered, "floor": reader.floor, "unacked": reader.out},
        )  # fmt: skip

    def hands(self, y_worker: float, y_ack: float, name_x: float) -> list[Mark]:
        """Which ack each message waits for, and who has it."""
        stream = self.stream
        marks: list[Mark] = [label(f"row/{stream.name}/worker", name_x, y_worker + 4, "worker", "t12 ink3"),
                  label(f"row/{stream.name}/ack", name_x, y_ack + 4, "ack", "t12 ink3")]  # fmt: skip
        run: list[tuple[Column, str]] = []

        def names() -> None:
            if run and run[0][1]:
                a, b = run[0][0], run[-1][0]
                room = b.x - a.x + self.belt.pitch - 4
                words = fit(run[0][1], room, "t12")
                marks.append(
                    label(f"{self.key(a.first)}/worker", (a.x + b.x) / 2, y_worker + 4, words, "t12 middle")
                )
            run.clear()

        before = 0
        for c in self.belt.columns:
            found = self.hand_of(c.first) if c.kind in ("slot", "gone") else None
            if found is None:
                names()
                continue
            reader, hand = found
            key, done = f"{self.key(c.first)}@{reader.name}", c.kind == "gone" or reader.settled(c.first)
            state_ = "acked" if done and hand.state == "out" else hand.state
            left = 1 - (self.state.now - hand.t) / max(0.001, reader.wait)
            marks.append(
                sc.Group(
                    key=key,
                    marks=glyphs.hand(
                        key, state_, round(c.x, 2), y_ack, left, min(7.4, self.belt.box / 2 - 2)
                    ),
                    title=self.held(reader, hand, c.first, state_, left),
                    state={"seq": c.first, "state": state_, "worker": short_name(hand.client)},
                    light=[self.key(c.first)],
                    actions=self.answers(reader, hand, c.first, state_),
                )
            )
            if run and (run[-1][1] != hand.client or c.first != before + 1):
                names()
            run.append((c, hand.client))
            before = c.first
        names()
        return marks

    def answers(self, reader: Reader, hand: Hand, seq: int, said: str) -> list[Action]:
        """What can be answered about a message that the lab holds."""
        if not hand.held or said != "out":
            return []
        where = f"{shlex.quote(self.stream.name)} {shlex.quote(reader.name)} {seq}"
        return [Action(f"natslab {verb} {where}", f"{verb} {seq}") for verb in ("ack", "nak", "wpi", "term")]

    def hand_of(self, seq: int) -> tuple[Reader, Hand] | None:
        """The consumer that handed a message out, and to whom."""
        for reader in self.stream.readers.values():
            if seq in reader.hands:
                return reader, reader.hands[seq]
        return None

    def held(self, reader: Reader, hand: Hand, seq: int, said: str, left: float) -> str:
        """What became of a message that was handed out, in a sentence."""
        who = short_name(hand.client) if hand.client else f"a client of {short_name(reader.name)}"
        if said == "acked":
            return f"{who} acked message {seq}."
        if said in ("term", "exhausted"):
            return f"Message {seq} is given up: {said}."
        if said in ("nak", "expired"):
            return f"Message {seq} comes again: {'nak' if said == 'nak' else 'its ack_wait passed'}."
        return f"{who} has message {seq} and {time_of(max(0.0, left * reader.wait))} left to ack it."


def reader_rows(row: Row, y: float, name_x: float, room: float, end: float) -> tuple[list[Mark], float]:
    """The consumers of one stream from `y` down, as its retention wants it; and the next row's place."""
    stream = row.stream
    readers = list(stream.readers.values())
    marks: list[Mark] = []
    if stream.limits.retention == "workqueue":
        marks += row.hands(y, y + 22, name_x)
        y += 44
        if not end:
            return marks + _hidden(row, readers, y), y
    for reader in readers[:READERS]:
        if stream.limits.retention == "interest" and not end:
            marks.append(row.tabs(reader, y, name_x, room))
        elif stream.limits.retention == "interest":
            marks.append(row.tabs(reader, y, name_x, room))
            words = fit(reader_of(reader, short=True), GAUGE, "t11")
            where = f"reader/{stream.name}/{reader.name}/at"
            marks.append(label(where, end, y + 4 + row.down, words, "t11 num ink2"))
        else:
            marks.append(row.cursor(reader, y, name_x, room, end))
        y += 22 + row.down
    if len(readers) > READERS:
        words = f"and {count_of(len(readers) - READERS, 'more consumer')}"
        marks.append(label(f"reader/{stream.name}", name_x, y + 4, words, "t12 ink3"))
        y += 22
    return marks, y


def _hidden(row: Row, readers: list[Reader], y: float) -> list[Mark]:
    """A card has no room for the cursors of a work queue: each is counted in an empty mark."""
    stream = row.stream
    marks: list[Mark] = []
    for reader in readers[:READERS]:
        key = f"reader/{stream.name}/{reader.name}"
        title = f"Consumer {short_name(reader.name, 40)}: {reader_of(reader)}."
        marks.append(sc.Group(key=key, marks=[], title=title, y=y))
    if len(readers) > READERS:
        marks.append(sc.Group(key=f"reader/{stream.name}", marks=[], y=y))
    return marks


def place_reasons(
    row: Row,
    ghosts: list[tuple[Column, float, str]],
    taken: list[tuple[float, float, float]],
    signs: list[tuple[float, float, float]],
    above: Callable[[float], tuple[float, str, bool]],
) -> list[Mark]:
    """The reason of each ghost beside it, else above it, else in its title alone.

    `ghosts`: column, centre of its shelf, words. `taken` and `signs`: (left, right, centre of the shelf)
    of what is on the shelves, and over slots. `above`: baseline over a shelf, type, whether with a stem.
    """
    marks: list[Mark] = []
    used: list[tuple[float, float, float]] = []
    for c, y, words in reversed(ghosts):
        if not words:
            continue
        key, a = f"{row.key(c.first)}/why", c.x + c.w / 2 + 4
        for kind in ("t12", "t11"):
            end = a + wide(words, kind)
            free = all(cy != y or x0 > end + 2 or x1 < a - 2 for x0, x1, cy in taken)
            if free and end <= row.belt.right + 4 and len(words) <= 14:
                marks.append(label(key, a, y + 4, words, f"{kind} ink2"))
                taken.append((a, end, y))
                break
        else:
            baseline, kind, stem = above(y)
            x = max(24.0, c.x - c.w / 2)
            end = x + wide(words, kind)
            free = all(cy != y or x0 > end + 6 or x1 < x - 6 for x0, x1, cy in [*used, *signs])
            if free and end <= row.belt.right + 4:
                marks.append(label(key, x, baseline, words, f"{kind} ink2"))
                used.append((x, end, y))
                if stem:
                    d = f"M{c.x:.2f} {baseline + 7:g}V{y - row.high / 2 - 3:g}"
                    marks.append(glyphs.ways(f"{key}/stem", d, "edge ink3"))
    return marks
