"""The strip under the routing picture: the server's own steps, with microseconds."""

from __future__ import annotations

from dataclasses import dataclass

from natslab.tape.subject import tokens
from natslab.views.routing.rows import beside
from natslab.views.routing.state import Message, State, is_delivery
from natslab.views.routing.verdicts import Run, Shown
from natslab.views.scene import Circle, Group, Mark, Path, Rect, Text, label
from natslab.views.wording import amount, count_of, fit, listed, plain, wide

ARROWS = {"route": "⇒", "gateway": "⇝", "leafnode": "⤳"}


@dataclass
class Step:
    """One step of the trace as it is drawn."""

    key: str
    look: str  # flight stored dead none
    word: str
    detail: str
    t: float
    delivery: bool = False
    title: str = ""


def _steps(message: Message) -> list[Step]:
    out: list[Step] = []
    for i, hop in enumerate(message.hops):
        key = f"hop/{message.id}/{i}"
        step = Step(key, "flight", hop.step, "", hop.t)
        if hop.step == "in":
            step.detail = f"from {hop.client or message.publisher}"
            if hop.error:
                step.look, step.word, step.detail = "dead", "refused", hop.error
        elif hop.step == "map":
            if not hop.to:
                step.look, step.word, step.detail = "dead", "lost", "in mapping"
            elif hop.to == message.published_as:
                step.word, step.detail = "kept", "by the mapping"
            else:
                step.word, step.detail = "mapped", _short_change(message.published_as, hop.to)
        elif hop.step == "store":
            step.look, step.word, step.detail = "stored", "stored", hop.stream
            if hop.error:
                step.look, step.word, step.detail = "dead", "not stored", hop.error
        elif hop.step == "egress":
            step.word = f"{ARROWS.get(hop.via, '→')} {hop.client}"
            step.detail = f"of {hop.queue}" if hop.queue else ""
            step.delivery = is_delivery(hop)
            if hop.error:
                step.look, step.detail = "none", hop.error
        else:
            step.detail = f"{hop.account} {hop.to}".strip()
        step.title = plain(f"{step.word} {step.detail}".strip())
        out.append(step)
    return out


def _short_change(before: str, after: str) -> str:
    a, b = tokens(before), tokens(after)
    if len(a) == len(b):
        changed = [(x, y) for x, y in zip(a, b, strict=True) if x != y]
        if len(changed) == 1:
            return f"{changed[0][0]} ⇒ {changed[0][1]}"
    return f"⇒ {after}"


def _micro(seconds: float, first: bool) -> str:
    us = max(0, round(seconds * 1e6))
    if first:
        return "0 µs"
    return f"+{amount(us)} µs" if us < 10_000 else f"+{amount(us // 1000)} ms"


def strip_of(state: State, shown: Shown, bottom: float) -> tuple[list[Mark], float]:
    """The server's trace under the picture, and the height of everything."""
    y = bottom + 30.5
    message = shown.message
    name = "The server's trace"
    if message is None:
        if shown.burst is None:
            words = "appears here with the first message"
        else:
            name, words = "Not traced", _counted(state, shown)
        runs = beside([(name, "t12 w5")], [(words, "t12 ink3")])
        return [Text(key="trace/title", x=24, y=y, runs=runs)], bottom + 106
    differs = [plain(v.sub.client) for v in shown.differs]
    if message.error:
        verdict = ""
    elif message.torn:
        verdict = "is not complete"
    elif differs:
        verdict = f"differs from the matcher: {fit(listed(sorted(set(differs))), 240, 't12')}"
    else:
        verdict = "agrees with the matcher"
    marks: list[Mark] = []
    x = 24.0
    if differs:
        d = f"M{x + 5:g} {y - 9:g}L{x + 10:g} {y - 4:g}L{x + 5:g} {y + 1:g}L{x:g} {y - 4:g}Z"
        marks.append(
            Path(key="trace/delta", d=d, classes="fill dead", title="The trace and the matcher differ.")
        )
        x += 15
    runs = beside([(name, "t12 w5")], [(verdict, "t12 ink2" if differs else "t12 ink3")] if verdict else [])
    marks.append(Text(key="trace/title", x=x, y=y, runs=runs))
    end = x + sum(wide(t, c) for t, c in runs)

    steps = _steps(message)
    if not steps:
        marks.append(label("trace/none", 24, y + 34, "The server reported no step.", "t12 ink3"))
        return marks, bottom + 106
    per = 6 if len(steps) <= 6 else 9
    pitch = 148.0 if per == 6 else 96.0
    more = len(steps) - 2 * per
    if more > 0:
        steps = steps[: 2 * per - 1]
        more += 1
    lines = [steps[i : i + per] for i in range(0, len(steps), per)]
    first = message.hops[0].t
    base = y + 34
    for line, part in enumerate(lines):
        ly = base + 66 * line
        last = line == len(lines) - 1
        x_end = 30 + pitch * (len(part) - 1 + (1 if last and more > 0 else 0))
        x0, x1 = (30.0 if line == 0 else 14.0), (x_end if last else WIDTH_END)
        if x1 > x0:
            look = "dead" if message.error else "flight"
            marks.append(
                Path(
                    key=f"trace/line{line}", d=f"M{x0:g} {ly:g}H{x1:g}", classes=f"edge {look} none", width=2
                )
            )
        if line == 0:
            _bracket(marks, part, message.deliveries, pitch, ly, end)
        for i, step in enumerate(part):
            marks.append(
                _step(step, 30 + pitch * i, ly, pitch, first, step is part[-1] and message.error != "")
            )
        if last and more > 0:
            at = 30 + pitch * len(part)
            marks.append(
                Circle(key="trace/more/dot", x=at, y=ly, r=5.5, classes="edge flight base-ground", width=2)
            )
            marks.append(label("trace/more", at - 5, ly + 22, f"×{amount(more)} more", "t12 ink2"))
    return marks, base + 66 * (len(lines) - 1) + 60


WIDTH_END = 876.0


def _bracket(marks: list[Mark], part: list[Step], count: int, pitch: float, y: float, free: float) -> None:
    """A bracket over the deliveries of the first line of the strip, with how many there are in all."""
    at = [i for i, s in enumerate(part) if s.delivery]
    if len(at) < 2:
        return
    x0, x1 = 25 + pitch * at[0], min(WIDTH_END, 25 + pitch * at[-1] + min(pitch - 12, 96))
    words = count_of(count, "delivery", "deliveries")
    half = wide(words, "t11") / 2
    x = max((x0 + x1) / 2, free + 12 + half)
    if x + half > x1:
        return  # the words would stand beside it; the legend has the number
    top = y - 22.5
    d = f"M{x0:g} {top + 4.5:g}V{top:g}H{x1:g}V{top + 4.5:g}"
    marks.append(Path(key="trace/bracket", d=d, classes="edge line none"))
    marks.append(label("trace/deliveries", x, y - 34, words, "t11 ink3 middle"))


def _step(step: Step, x: float, y: float, pitch: float, first: float, whole: bool) -> Group:
    glyph: Mark
    if step.look == "stored":
        glyph = Rect(key=f"{step.key}/dot", x=-7, y=-7, w=14, h=14, r=3, classes="fill stored halo")
    elif step.look == "dead":
        glyph = Rect(key=f"{step.key}/dot", x=-6.5, y=-6.5, w=13, h=13, r=3, classes="fill dead halo")
    elif step.look == "none":
        glyph = Circle(key=f"{step.key}/dot", x=0, y=0, r=5, classes="edge ink3 base-ground", width=1.5)
    else:
        glyph = Circle(key=f"{step.key}/dot", x=0, y=0, r=5.5, classes="fill flight halo")
    room = WIDTH_END - x - 10 if whole else pitch - (12 if pitch > 100 else 4)
    word = fit(step.word, room if not step.detail else room * 0.75, "t12 w6", 3)
    runs: list[Run] = [(word, "t12 w6")]
    left = room - wide(word, "t12 w6") - 8
    if step.detail and left > 24:
        runs.append((" " + fit(step.detail, left, "t12", 3), "t12 ink2"))
    marks: list[Mark] = [
        glyph,
        Text(key=f"{step.key}/word", x=-5, y=22, runs=runs),
        label(f"{step.key}/time", -5, 38, _micro(step.t - first, step.t == first), "t11 mono ink3"),
    ]
    return Group(key=step.key, x=round(x, 2), y=round(y, 2), marks=marks, title=step.title)


def _counted(state: State, shown: Shown) -> str:
    """A burst in one line."""
    burst = shown.burst
    assert burst is not None
    who = listed([plain(p) for p in sorted(burst.publishers)][:3]) if burst.publishers else "nobody"
    got = sorted((v for v in shown.verdicts if v.got), key=lambda v: (-v.sub.burst, v.sub.client))
    words = f"{amount(burst.count)} published by {who}"
    parts = [f"{amount(v.sub.burst)} received by {plain(v.sub.client)}" for v in got]
    kept = 0
    for part in parts:
        if wide(f"{words}; {part}, and more", "t12") > 740:
            break
        words += f"; {part}"
        kept += 1
    if kept < len(parts):
        words += ", and more"
    return fit(words, 760, "t12")
