"""The acks picture: sequences across, consumers down, a mark for what each message is to each of them."""

from __future__ import annotations

from natslab.views.acks import margin
from natslab.views.acks.card import card_of
from natslab.views.acks.lanes import Lanes
from natslab.views.acks.once import drawn
from natslab.views.acks.plan import Plan, plan_of
from natslab.views.acks.state import State, totals_of
from natslab.views.acks.words import bare, describe, other_words, others, timed
from natslab.views.scene import WIDTH, Group, Legend, Mark, Scene, label, shorten
from natslab.views.view import blank
from natslab.views.wording import amount, count_of, short_name

TITLE = "Acks"
SOURCES = "seen in state file, advisories and acks"


@drawn
def draw(state: State) -> Scene:
    """The lanes of one stream's consumers, the server's counters, and the card of the selected cell."""
    sentence, note = timed(state)
    sentence = describe(state)[0]
    plan = plan_of(state)
    rebuilt = plan is not None and all(c.reconstructed for c in [*plan.lanes, *plan.bands])
    sources = "reconstructed from events: a memory consumer has no state file" if rebuilt else SOURCES
    scene = blank(state, "acks", TITLE, sources, sentence, note)
    scene.width = state.width if plan is None else plan.width
    if plan is None:
        scene.marks = [_bare(state, name, 142 + 22 * i) for i, name in enumerate(bare(state))]
        scene.height += 22 * len(scene.marks)
        return scene
    lanes = Lanes(state, plan)
    drawn = [*plan.bands, *plan.lanes]
    content, lines = lanes.everything(), lanes.boundaries()
    over = [*content, *lines] if plan.how == "mosaic" else [*lines, *content]
    beside = plan.width == WIDTH
    said = margin.heading(state, drawn) if beside else lanes.counters()
    marks = [lanes.ground(), *lanes.axis(), *over, *said]
    bottom = lanes.bottom
    left = left_out(state, plan)
    card = card_of(state, plan.width, bottom + 24)
    if card is not None:
        key = f"msg/{card.consumer.stream}/{card.seq}@{card.consumer.name}"
        # Its line does not go through the counters below a lane.
        says = lanes.says.get(card.consumer.key)
        gap = (says - 6, bottom + 2) if says is not None else None
        marks += card.marks(lanes.places.get(key), 28 if key in lanes.below else 17, gap)
        bottom = card.bottom
    if left:
        bottom += 22
        left = shorten(left, min(700, plan.width - 48), "t12")
        marks.append(label("left-out", 24, bottom, left, "t12 ink3"))
    for name in others(state, plan.stream.name):
        bottom += 22
        marks.append(_other(state, plan.width, name, bottom))
    scene.marks, scene.height, scene.legend = marks, bottom + 22, legend(state, plan)
    return scene


def _bare(state: State, name: str, y: float) -> Mark:
    """A stream of which no consumer has anything to show."""
    key, stream = f"stream/{name}", state.streams[name]
    words = f"{short_name(name, 40)}: {count_of(stream.messages, 'message')}, {other_words(state, name)}"
    cut = shorten(words, state.width - 48, "t12")
    return Group(key=key, title=f"{words}.", marks=[label(f"{key}/words", 24, y, cut, "t12 ink3")])


def left_out(state: State, plan: Plan) -> str:
    """What the columns do not show."""
    parts = []
    if plan.before:
        first = max(1, min(plan.stream.first, plan.before))
        parts.append(f"{amount(first)} to {amount(plan.before)} are settled and not shown")
    gaps = [c for c in plan.columns if c.a != c.b] if plan.how == "cells" else []
    if gaps:
        words = ", ".join(f"{amount(c.a)} to {amount(c.b)}" for c in gaps[:4])
        parts.append(f"… stands for {words}" + (" and more" if len(gaps) > 4 else ""))
    if plan.how == "mosaic" and plan.size > 1:
        parts.append(f"each column is {amount(plan.size)} sequences")
    rebuilt = [c for c in plan.lanes if c.reconstructed]
    if rebuilt and len(rebuilt) < len(plan.lanes):
        parts.append(
            f"{', '.join(short_name(c.name) for c in rebuilt)}: reconstructed from events, in memory"
        )
    return "; ".join(parts)


def _other(state: State, width: int, name: str, y: float) -> Mark:
    key = f"stream/{name}"
    words = f"Also {short_name(name, 30)}: {other_words(state, name)}"
    return Group(
        key=key,
        title=f"{words}. See it: %natslab view acks {short_name(name, 60)}",
        marks=[label(f"{key}/words", 24, y, shorten(words, min(700, width - 48), "t12"), "t12 ink3")],
    )


def legend(state: State, plan: Plan) -> list[Legend]:
    """The states that are there now, counted over the drawn consumers."""
    totals = [totals_of(state, c) for c in [*plan.lanes, *plan.bands]]
    inferred = naks = 0
    for consumer in [*plan.lanes, *plan.bands]:
        for cell in consumer.cells.values():
            inferred += consumer.shown(cell, state.now) == "expired"
            if consumer is plan.expanded and plan.how == "cells" and cell.seq > consumer.floor:
                inferred += sum(a.end == "expired" and a.n < cell.attempt for a in cell.attempts)
                naks += sum(a.end == "nak" and a.n < cell.attempt for a in cell.attempts)
    # A triangle of an attempt before has a word too, when no message waits as one now.
    retry = sum(t.retry for t in totals) or naks or inferred
    entries = [
        Legend("done fill", "tick", "acked", sum(t.acked for t in totals)),
        Legend("flight fill", "half", "delivered, draining", sum(t.flight for t in totals)),
        Legend("retry fill", "triangle", "nak or time-out", retry),
        Legend("dead fill", "cross", "given up", sum(t.terminated + t.exhausted for t in totals)),
        Legend("line fill", "circle", "removed", sum(t.removed for t in totals)),
        Legend("stored edge none", "ring", "stored", sum(t.stored for t in totals)),
        Legend("retry fill inferred", "triangle", "≈ inferred", inferred),
    ]
    return [e for e in entries if e.count]
