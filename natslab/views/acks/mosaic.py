"""Many messages: each column a stacked bar of what its messages are, with exact counts."""

from __future__ import annotations

import bisect

from natslab.views.acks.plan import Plan
from natslab.views.acks.state import Consumer, State
from natslab.views.marks import rect
from natslab.views.scene import Group, Mark
from natslab.views.wording import amount, short_name

#: From the bottom of a bar to its top: what is over, what is in trouble, what is under way, what waits.
ORDER = ("done", "line", "dead", "retry", "flight", "stored")
_OF = {
    "acked": "done", "removed": "line", "settled": "done", "terminated": "dead", "exhausted": "dead",
    "nak": "retry", "expired": "retry", "flight": "flight", "stored": "stored",
}  # fmt: skip
WORDS = {
    "done": "acked", "line": "removed from the stream", "dead": "given up", "retry": "due again",
    "flight": "delivered", "stored": "stored",
}  # fmt: skip


def counts(state: State, plan: Plan, consumer: Consumer) -> list[dict[str, int]]:
    """How many messages of each column are what to a consumer."""
    columns, stream = plan.columns, plan.stream
    starts = [c.a for c in columns]
    out = [dict.fromkeys(ORDER, 0) for _ in columns]
    single = [0] * len(columns)
    for seq, cell in consumer.cells.items():
        i = bisect.bisect_right(starts, seq) - 1
        if i >= 0 and seq <= columns[i].b:
            out[i][_OF[consumer.shown(cell, state.now)]] += 1
            single[i] += seq <= consumer.delivered
    for a, b in consumer.runs:
        for i in range(max(0, bisect.bisect_right(starts, a) - 1), bisect.bisect_right(starts, b)):
            both = max(0, min(b, columns[i].b) - max(a, columns[i].a) + 1)
            out[i]["flight"] += both
            single[i] += both
    if consumer.beyond:
        # Where exactly they are is not known: after the last one that is, evenly.
        parts = [max(0, min(c.b, consumer.delivered) - max(c.a, consumer.horizon + 1) + 1) for c in columns]
        rest, left = sum(parts), consumer.beyond
        for i, part in enumerate(parts):
            if part:
                share = min(part, round(left * part / rest))
                out[i]["flight"] += share
                single[i] += share
                left, rest = left - share, rest - part
    for i, c in enumerate(columns):
        a = max(c.a, consumer.first)
        if consumer.filters or consumer.newest or not consumer.first:
            for seq in range(a, c.b + 1) if c.b - a < 5_000 else ():
                status = state.status(consumer, seq)
                if status in ("settled", "stored") and seq not in consumer.cells:
                    out[i][_OF[status]] += 1
            continue
        over = min(c.b, consumer.delivered)
        if over >= a:
            there = stream.within(a, over) if stream.retention == "limits" else over - a + 1
            out[i]["done"] += max(0, there - single[i])
        out[i]["stored"] += stream.within(max(a, consumer.delivered + 1), c.b)
    return out


def bars(state: State, plan: Plan, consumer: Consumer, top: float, high: float) -> list[Mark]:
    """The columns of one consumer between `top` and `top + high`."""
    marks: list[Mark] = []
    name = short_name(consumer.name)
    for column, count in zip(plan.columns, counts(state, plan, consumer), strict=True):
        total = sum(count.values())
        if not total:
            continue
        key = f"bar/{consumer.key}/{column.a}"
        y = top + high
        parts: list[Mark] = []
        # Trouble stays visible, however few they are.
        tall = {s: max(high * c / plan.size, 2.5 if s in ("dead", "retry", "flight") else 0.8) if c else 0.0
                for s, c in count.items()}  # fmt: skip
        over = sum(tall.values()) - high
        if over > 0:
            largest = max(tall, key=lambda s: tall[s])
            tall[largest] = max(2.5, tall[largest] - over)
        for state_name in ORDER:
            h = tall[state_name]
            if h:
                y -= h
                classes = f"{state_name} fill" + (" inferred" if state_name == "stored" else "")
                parts.append(rect(f"{key}/{state_name}", column.x + 0.75, y, column.w - 1.5, h, classes))
        said = ", ".join(f"{amount(count[s])} {WORDS[s]}" for s in ORDER if count[s])
        last = min(column.b, max(plan.stream.last, consumer.delivered))
        marks.append(
            Group(
                key=key,
                marks=parts,
                title=f"{amount(column.a)} to {amount(last)} for {name}: {said}.",
                state={WORDS[s]: c for s, c in count.items() if c},
            )
        )
    return marks
