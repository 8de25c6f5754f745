"""The life card of one message at one consumer: its attempts as teeth of time, and its ack subject."""

from __future__ import annotations

from natslab.views.acks import facts
from natslab.views.acks.glyphs import glyph, n
from natslab.views.acks.lanes import answers
from natslab.views.acks.state import Attempt, Cell, Consumer, State
from natslab.views.acks.words import STATES, attempt_words
from natslab.views.marks import rect
from natslab.views.scene import WIDTH, Group, Mark, Path, Text, label, text_width
from natslab.views.wording import amount, fit, plain, short_name

LEFT, X0 = 24.0, 44.0  # the card and its words begin
AFTER = 104.0  # from the end of the time line to that of the card
DOWN, MORE = 28.0, 40.0  # more in a narrow picture: for the buttons, and for the second half of the subject
TALL = 30.0  # a tooth that is full
TOKENS = ("ack subject", "stream", "consumer", "attempt", "sequence", "delivery", "stored at, ns", "to come")


class Card:
    """The card of the selected cell from `top` on; `bottom` is where it ends."""

    def __init__(self, state: State, consumer: Consumer, seq: int, width: int, top: float) -> None:
        self.state = state
        self.right = width - LEFT
        self.narrow = width != WIDTH
        self.consumer = consumer
        self.seq = seq
        self.cell = consumer.cells.get(seq)
        self.key = f"card/{consumer.stream}/{seq}@{consumer.name}"
        self.top = top
        has_life = self.cell is not None and any(a.t >= 0 for a in self.cell.attempts)
        self.inner = top  # what is below the title counts from here
        if self.narrow and answers(consumer, self.cell):
            self.inner += DOWN
        self.bottom = self.inner + (190 if has_life else 76) + (MORE if has_life and self.narrow else 0)
        self.has_life = has_life

    def marks(
        self,
        place: tuple[float, float] | None,
        below: float = 17,
        gap: tuple[float, float] | None = None,
    ) -> list[Mark]:
        """Everything, with a caret to the cell at `place`, from so many pixels below it; not in the gap."""
        top, low, right = self.top, self.bottom, self.right
        caret, line = "", []
        if place is not None:
            x = min(max(place[0], LEFT + 24), self.right - 24)
            caret = f"H{n(x - 9)}L{n(x)} {n(top - 9)}L{n(x + 9)} {n(top)}"
            through = f"V{n(gap[0])}M{n(place[0])} {n(gap[1])}" if gap is not None else ""
            line = [
                Path(key=f"{self.key}/caret", d=f"M{n(place[0])} {n(place[1] + below)}{through}V{n(top - 9)}",
                     classes="edge ink none", width=1.25)
            ]  # fmt: skip
        box = (
            f"M34 {n(top)}{caret}H{n(right - 10)}A10 10 0 0 1 {n(right)} {n(top + 10)}V{n(low - 10)}"
            f"A10 10 0 0 1 {n(right - 10)} {n(low)}"
            f"H34A10 10 0 0 1 24 {n(low - 10)}V{n(top + 10)}A10 10 0 0 1 34 {n(top)}Z"
        )
        marks: list[Mark] = [
            *line,
            Path(key=f"{self.key}/box", d=box, classes="edge line base-raised shadow"),
        ]
        marks += self.head()
        why = fit(self.why(), self.right - X0 - 12, "t12") if self.narrow else self.why()
        if self.has_life:
            marks += self.life()
            marks += self.subject()
        else:
            marks.append(label(f"{self.key}/why", X0, self.inner + 58, why, "t12 ink2"))
        return marks

    def head(self) -> list[Mark]:
        """The title, and the buttons where the lab holds the message."""
        y, cell = self.top + 30, self.cell
        buttons: list[Mark] = []
        x, line_ = self.right - 20.5, y + (self.inner - self.top)
        actions = answers(self.consumer, cell)
        for action in reversed(actions):
            wide = text_width(action.label, "mono t11") + 20.5
            x -= wide
            key = f"{self.key}/{action.label}"
            buttons.append(
                Group(
                    key=key,
                    classes="button",
                    actions=[action],
                    marks=[
                        rect(f"{key}/box", x, line_ - 17.5, wide, 25, "edge line base-raised", 6),
                        label(f"{key}/word", x + wide / 2, line_ - 1, action.label, "mono t11 middle"),
                    ],
                )
            )
            x -= 8.6
        if self.narrow:
            x = self.right
        elif not actions and cell is not None and cell.waits and not self.consumer.push:
            line = f"%js consumer next {plain(self.consumer.stream)} {plain(self.consumer.name)} --hold"
            wide = text_width(line, "mono t11")
            words = text_width("to answer it yourself: ", "t11")
            if wide + words < 420:
                x = self.right - 20 - wide
                buttons.append(
                    label(f"{self.key}/hint", x - words, y - 1, "to answer it yourself: ", "t11 ink3")
                )
                buttons.append(label(f"{self.key}/hint/line", x, y - 1, line, "mono t11 ink2"))
                x -= words
        title = f"Message {amount(self.seq)} for {short_name(self.consumer.name)}"
        runs = [(title, "t13 w6")]
        if cell is not None:
            runs.append((f"\u2002attempt {attempt_words(self.consumer, cell.attempt)}", "t13"))
        room = x - X0 - sum(text_width(t, c) for t, c in runs) - 20
        subject = self.state.streams[self.consumer.stream].subjects.get(self.seq, "")
        if subject and room > 50:
            runs.append(("\u2002" + fit(subject, room - 20, "mono t12"), "mono t12 ink3"))
        return [Text(key=f"{self.key}/title", x=X0, y=y, runs=runs), *buttons]

    def why(self) -> str:
        """Why there is no life to show."""
        name, cell = short_name(self.consumer.name), self.cell
        status = self.state.status(self.consumer, self.seq)
        if cell is not None:
            words = STATES[self.consumer.shown(cell, self.state.now)]
            return (
                f"It is {words}; only the server’s counters told of it, so who got it and when is not known."
            )
        if status == "stored":
            return f"It is stored: {name} has not handed it out yet."
        if status == "settled":
            return f"It is settled: at or below {name}’s ack floor. Nobody saw how."
        return f"It is not one of {name}’s messages."

    # --- the teeth -------------------------------------------------------------------------------

    def life(self) -> list[Mark]:
        """One tooth for each delivery and each +WPI, on one line of time."""
        cell, consumer = self.cell, self.consumer
        assert cell is not None
        attempts = [a for a in cell.attempts if a.t >= 0]
        now, base = self.state.now, self.inner + 106
        spans = [(a, *self.span(a)) for a in attempts]
        end = max(finish for _, _, finish in spans)
        waiting = cell.state == "nak" and cell.last is not None and cell.last.delay > 0
        if waiting and cell.last is not None:
            end = max(end, cell.last.ended + cell.last.delay)
        least = 0.4 * consumer.wait(attempts[-1].n) if len(attempts) == 1 else 0.0
        until = max(now, end) if cell.waits else end
        held = [(a.t, finish) for a, _, finish in spans]
        scale = _Scale(held, end, until, least, self.right - AFTER)
        marks: list[Mark] = []
        glyphs = 0.0
        above: list[tuple[float, list[tuple[str, str]], str]] = []
        below: list[tuple[float, str, str, str]] = []
        for i, (a, stop, _) in enumerate(spans):
            marks += self.teeth(a, stop, scale, base)
            key = f"{self.key}/{a.n}"
            verb = "delivered" if a.n == 1 else "delivered again"
            to = f" to {short_name(a.client)}" if a.client else ""
            wait = f": {consumer.wait(a.n):g} s to answer" if i == 0 and consumer.ack != "none" else ""
            above.append((scale(a.t), [(verb, "t12 w6"), (to + wait, "t12 ink3")], f"{key}/verb"))
            below.append((scale(a.t), f"{a.t:.2f}", "t11 ink3 num", f"{key}/at"))
            for k, t in enumerate(a.wpi):
                above.append(
                    (scale(t), [("+WPI", "mono t12 w6"), (" refills", "t12 ink3")], f"{key}/wpi/{k}")
                )
                if scale(t) - scale(a.t) > 30:
                    below.append((scale(t), f"{t:.2f}", "t11 ink3 middle num", f"{key}/wpi/{k}/at"))
            if a.end:
                shown = a.end
                x = scale(stop)
                if x - glyphs >= 26:  # where attempts are dense, their ends are too
                    marks += glyph(f"{key}/end", shown, max(x, X0 + 9), base - 9.5, 7)
                    glyphs = x
                words = self.ending(a)
                below.append(
                    (x, words, "t11 ink2 end" if shown == "expired" else "t11 ink2 middle", f"{key}/ended")
                )
        line_end = scale(max(end, now)) if cell.waits else scale(end)
        marks.append(
            Path(
                key=f"{self.key}/line",
                d=f"M{X0:g} {n(base + 0.5)}H{n(max(line_end, X0 + 40))}",
                classes="edge ink3",
            )
        )
        last = attempts[-1]
        deadline = consumer.deadline(cell)
        if cell.state == "flight" and deadline is not None and deadline > now and last.n == cell.attempt:
            x, mx = scale(now), scale(deadline)
            high = TALL * (deadline - now) / consumer.wait(last.n)
            marks.append(
                Path(key=f"{self.key}/coming", classes="edge flight none dash", width=1.75,
                     d=f"M{n(x)} {n(base - high)}L{n(mx)} {n(base)}")
            )  # fmt: skip
            below.append((mx, f"{deadline:.2f}", "t11 ink3 middle num", f"{self.key}/deadline"))
            words = "gives up" if consumer.last_chance(cell) else f"attempt {cell.attempt + 1}"
            if mx + 12 + text_width(words, "t12") < self.right - 8:
                marks.append(label(f"{self.key}/then", mx + 12, base + 4, words, "t12 ink3"))
        if waiting and cell.last is not None:
            due = cell.last.ended + cell.last.delay
            mx = scale(due)
            below.append((mx, f"{due:.2f}", "t11 ink3 middle num", f"{self.key}/due"))
            if mx + 12 + text_width("again", "t12") < self.right - 8:
                marks.append(label(f"{self.key}/then", mx + 12, base + 4, "again", "t12 ink3"))
        if cell.waits:
            x = scale(now)
            marks.append(
                Path(
                    key=f"{self.key}/now",
                    d=f"M{n(x)} {n(base - 34)}V{n(base + 5)}",
                    classes="edge ink none",
                    width=2,
                )
            )
            below.insert(0, (x, "now", "t11 w6 middle", f"{self.key}/now/word"))
        if cell.state == "exhausted":
            x = max(scale(end) + 22, X0)
            marks += glyph(f"{self.key}/dead", "exhausted", x, base - 9.5, 7)
            if x + 14 + text_width("never again", "t12") < self.right - 8:
                marks.append(label(f"{self.key}/never", x + 14, base - 5, "never again", "t12 ink3"))
        marks += _spread(above, self.inner + 66, self.right)
        return [*marks, *_under(below, self.inner + 125, self.right)]

    def span(self, a: Attempt) -> tuple[float, float]:
        """When an attempt ended, and the latest moment that belongs to it on the line."""
        wait = self.consumer.wait(a.n)
        if a.end:
            stop = min(a.ended, a.since + wait) if a.end == "expired" else a.ended
            return max(stop, a.t), max(stop, a.t)
        newest = self.cell is not None and a.n == self.cell.attempt
        full = a.since + wait
        if newest and self.cell is not None and self.cell.waits:
            return min(self.state.now, full), max(full, a.t)
        if newest and self.cell is not None and not self.cell.waits:
            return min(max(self.cell.t, a.t), full), min(max(self.cell.t, a.t), full)
        return full, full

    def teeth(self, a: Attempt, stop: float, scale: _Scale, base: float) -> list[Mark]:
        """The blue saw of one attempt: its height is the time left."""
        wait = max(0.001, self.consumer.wait(a.n))
        points: list[tuple[float, float]] = [(scale(a.t), base)]
        start = a.t
        for t in [*[w for w in a.wpi if w <= stop], None]:
            until = stop if t is None else t
            points.append((scale(start), base - TALL))
            points.append((scale(until), base - TALL * max(0.0, 1 - (until - start) / wait)))
            start = until
        points.append((scale(stop), base))
        d = "M" + "L".join(f"{n(x)} {n(y)}" for x, y in points) + "Z"
        return [
            Path(
                key=f"{self.key}/{a.n}/saw", d=d, classes="flight fill" + (" inferred" if a.inferred else "")
            )
        ]

    def ending(self, a: Attempt) -> str:
        """How an attempt ended, for under the line."""
        at = f"{a.ended:.2f}"
        by = f" by {short_name(a.by)}" if a.by else ""
        if a.end == "expired":
            what = "backoff" if self.consumer.backoff else "ack_wait"
            return f"{what} ends in silence\u2002≈ {a.since + self.consumer.wait(a.n):.2f}"
        if a.end == "nak":
            delay = f", {a.delay:g} s later" if a.delay else ""
            return f"-NAK{by}{delay} {at}"
        if a.end == "removed":
            return f"removed from the stream {at}"
        if a.end == "terminated":
            reason = f": {short_name(a.reason, 24)}" if a.reason else ""
            return f"+TERM{by}{reason} {at}"
        return f"+ACK{by} {at}" if self.consumer.ack != "none" else at

    # --- the subject -----------------------------------------------------------------------------

    def subject(self) -> list[Mark]:
        """The ack subject taken apart, one label per token."""
        cell = self.cell
        assert cell is not None
        y = self.inner + 155
        last = next((a for a in reversed(cell.attempts) if a.reply), None)
        parts = last.reply.split(".") if last is not None else []
        if len(parts) != 9:
            words = "Its ack subject was not seen: it went to a client that is not the lab’s."
            words = fit(words, self.right - X0, "t12") if self.narrow else words
            return [label(f"{self.key}/unseen", X0, y + 8, words, "t12 ink3")]
        tokens = [f"{parts[0]}.{parts[1]}", *parts[2:]]
        half = 4 if self.narrow else len(tokens)
        marks: list[Mark] = []
        for k in range(0, len(tokens), half):
            marks += self.tokens(tokens, k, k + half, y + MORE * (k > 0))
        return marks

    def tokens(self, tokens: list[str], first: int, end: int, y: float) -> list[Mark]:
        """Some of its tokens on one line."""
        room = self.right - 20 - X0
        marks: list[Mark] = []
        most = 200.0
        shown = list(zip(tokens, TOKENS, strict=True))[first:end]
        for most in (200.0, 120.0, 80.0, 50.0):
            wide = [max(text_width(f"{fit(t, most, 'mono t12')}.", "mono t12"), text_width(w, "t11"))
                    for t, w in shown]  # fmt: skip
            if sum(wide) + 18 * (len(shown) - 1) <= room:
                break
        space = max(6.0, min(20.0, (room - sum(wide)) / (len(shown) - 1)))
        x = X0
        for i, (token, word) in enumerate(shown, first):
            key = f"{self.key}/token/{i}"
            bold = (
                "mono t12 ink3"
                if i == 0
                else "mono t12 w6"
                if word in ("attempt", "sequence", "delivery", "to come")
                else "mono t12"
            )
            runs = [(fit(token, most, "mono t12"), bold)]
            if i < len(tokens) - 1:
                runs.append((".", "mono t12 ink3"))
            marks.append(Text(key=key, x=round(x, 2), y=y, runs=runs))
            marks.append(label(f"{key}/word", x, y + 16, word, "t11 ink3"))
            x += wide[i - first] + space
        return marks


class _Scale:
    """Tape seconds to pixels; long times in which nobody holds the message are cut short."""

    def __init__(
        self, spans: list[tuple[float, float]], end: float, now: float, least: float, right: float
    ) -> None:
        self.right = right
        held = sum(b - a for a, b in spans) or 1.0
        self.points: list[tuple[float, float]] = []  # (seconds, units)
        at, units = spans[0][0], 0.0
        self.points.append((at, units))
        for a, b in spans:
            if a > at:
                units += min(a - at, 0.12 * held)
                self.points.append((a, units))
                at = a
            if b > at:
                units += b - at
                self.points.append((b, units))
                at = b
        for t in sorted({end, max(end, now)}):
            if t > at:
                units += min(t - at, 0.25 * held) if t != end else t - at
                self.points.append((t, units))
                at = t
        self.whole = max(units, least, 0.001)

    def __call__(self, t: float) -> float:
        before = self.points[0]
        for point in self.points[1:]:
            if t <= point[0]:
                share = (t - before[0]) / (point[0] - before[0]) if point[0] > before[0] else 0
                units = before[1] + max(0.0, share) * (point[1] - before[1])
                return X0 + (self.right - X0) * units / self.whole
            before = point
        return self.right


def _spread(wants: list[tuple[float, list[tuple[str, str]], str]], y: float, right: float) -> list[Mark]:
    """Words above the teeth, each where it begins; shortened or left out where the next one begins."""
    marks: list[Mark] = []
    taken: list[tuple[float, float]] = []
    starts = sorted(x for x, _, _ in wants)
    # Deliveries first; a refill has its word where they leave room.
    for x, runs, key in sorted(wants, key=lambda w: ("/wpi/" in w[2], w[0])):
        limit = min([s - 6 for s in starts if s > x + 60], default=right - 10)
        for k in range(len(runs), 0, -1):
            end = x + sum(text_width(t, c) for t, c in runs[:k])
            if end <= limit and not any(a < end + 4 and x - 4 < b for a, b in taken):
                marks.append(Text(key=key, x=round(x, 2), y=y, runs=runs[:k]))
                taken.append((x, end))
                break
    return marks


def _under(wants: list[tuple[float, str, str, str]], y: float, right: float) -> list[Mark]:
    """Words under the line, the first ones first, where they do not touch."""
    marks: list[Mark] = []
    taken: list[tuple[float, float]] = []
    for x, text, classes, key in wants:
        wide = text_width(text, classes)
        a = x - wide if "end" in classes.split() else x - wide / 2 if "middle" in classes.split() else x
        short = text.rsplit("\u2002", 1)[-1] if "\u2002" in text else text.rsplit(" ", 1)[-1]
        bare = " ".join(c for c in classes.split() if c not in ("middle", "end"))
        tries = []
        for words in dict.fromkeys((text, short)):
            wide = text_width(words, classes)
            a = x - wide if "end" in classes.split() else x - wide / 2 if "middle" in classes.split() else x
            tries.append((a, wide, words))
            # Beside what stands there already, if that is near.
            tries += [
                (q + 10, wide, words) for p, q in taken if p < a + wide + 4 and a - 4 < q and q + 10 - x < 60
            ]
        for at, wide, words in tries:
            a = min(max(at, X0), right - 12 - wide)
            if not any(p < a + wide + 4 and a - 4 < q for p, q in taken):
                taken.append((a, a + wide))
                marks.append(label(key, a, y, words, bare))
                break
    return marks


def card_of(state: State, width: int, top: float) -> Card | None:
    """The card of the selected cell, if one is selected and its consumer is there."""
    chosen = facts.selected(state)
    if chosen is None or not chosen[2]:
        return None
    return Card(state, state.consumer(chosen[0], chosen[2]), chosen[1], width, top)


__all__ = ["Card", "Cell", "card_of"]
