"""The steps of a trace: words, and a dot each."""

from __future__ import annotations

from dataclasses import dataclass

from natslab.tape.event import Hop
from natslab.tape.subject import tokens
from natslab.views.routing.state import Message, is_delivery
from natslab.views.routing.verdicts import Run
from natslab.views.scene import Circle, Group, Mark, Rect, Text, label
from natslab.views.wording import amount, fit, plain, wide

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


def step_of(message: Message, i: int, hop: Hop) -> Step:
    """The `i`-th step of a trace."""
    step = Step(f"hop/{message.id}/{i}", "flight", hop.step, "", hop.t)
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
    return step


def steps_of(message: Message) -> list[Step]:
    """Every step of a trace, in the server's order."""
    return [step_of(message, i, hop) for i, hop in enumerate(message.hops)]


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


def draw_step(step: Step, x: float, y: float, pitch: float, first: float, end: float) -> Group:
    """One step at its place; its words may go on to `end`, if there is one."""
    glyph: Mark
    if step.look == "stored":
        glyph = Rect(key=f"{step.key}/dot", x=-7, y=-7, w=14, h=14, r=3, classes="fill stored halo")
    elif step.look == "dead":
        glyph = Rect(key=f"{step.key}/dot", x=-6.5, y=-6.5, w=13, h=13, r=3, classes="fill dead halo")
    elif step.look == "none":
        glyph = Circle(key=f"{step.key}/dot", x=0, y=0, r=5, classes="edge ink3 base-ground", width=1.5)
    else:
        glyph = Circle(key=f"{step.key}/dot", x=0, y=0, r=5.5, classes="fill flight halo")
    room = end - x - 10 if end else pitch - (12 if pitch > 100 else 4)
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
