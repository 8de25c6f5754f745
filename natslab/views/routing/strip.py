"""The strip under the routing picture: the server's own steps, with microseconds."""

from __future__ import annotations

from natslab.views.routing.journey import journey_of
from natslab.views.routing.rows import beside
from natslab.views.routing.state import State
from natslab.views.routing.steps import Step, draw_step, steps_of
from natslab.views.routing.verdicts import Shown
from natslab.views.scene import Circle, Mark, Path, Text, label
from natslab.views.wording import amount, count_of, fit, listed, plain, wide


def strip_of(state: State, shown: Shown, bottom: float, right: float) -> tuple[list[Mark], float]:
    """The server's trace under the picture, and the height of everything."""
    y = bottom + 30.5
    message = shown.message
    places = len({h.place for h in message.hops}) if message is not None else 0
    name = "The servers' trace" if places > 1 else "The server's trace"
    if message is None:
        if shown.burst is None:
            words = "appears here with the first message"
        else:
            name, words = "Not traced", _counted(state, shown, right - 136)
        runs = beside([(name, "t12 w5")], [(words, "t12 ink3")])
        return [Text(key="trace/title", x=24, y=y, runs=runs)], bottom + 106
    differs = [plain(v.sub.client) for v in shown.differs]
    if message.error:
        verdict = ""
    elif message.torn:
        verdict = "is not complete"
    elif shown.missed:
        verdict = "agrees with the matcher, where it went"
    elif differs:
        verdict = (
            f"differs from the matcher: {fit(listed(sorted(set(differs))), min(240, right - 330), 't12')}"
        )
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

    if places > 1:
        told = f"{count_of(message.deliveries, 'delivery', 'deliveries')}, {count_of(places, 'server')}"
        if end + 14 + wide(told, "t11") <= right:
            marks.append(label("trace/deliveries", end + 14, y, told, "t11 ink3"))
        ways, low = journey_of(message, y + 34, right)
        return [*marks, *ways], low + 60
    steps = steps_of(message)
    if not steps:
        marks.append(label("trace/none", 24, y + 34, "The server reported no step.", "t12 ink3"))
        return marks, bottom + 106
    most = 2
    per = 6 if len(steps) <= 6 else 9
    pitch = 148.0 if per == 6 else 96.0
    if right < 600:
        per, pitch, most = 4, 108.0, 3
    more = len(steps) - most * per
    if more > 0:
        steps = steps[: most * per - 1]
        more += 1
    lines = [steps[i : i + per] for i in range(0, len(steps), per)]
    first = message.hops[0].t
    base = y + 34
    for line, part in enumerate(lines):
        ly = base + 66 * line
        last = line == len(lines) - 1
        x_end = 30 + pitch * (len(part) - 1 + (1 if last and more > 0 else 0))
        x0, x1 = (30.0 if line == 0 else 14.0), (x_end if last else right)
        if x1 > x0:
            look = "dead" if message.error else "flight"
            marks.append(
                Path(
                    key=f"trace/line{line}", d=f"M{x0:g} {ly:g}H{x1:g}", classes=f"edge {look} none", width=2
                )
            )
        if line == 0:
            _bracket(marks, part, message.deliveries, pitch, ly, end, right)
        for i, step in enumerate(part):
            marks.append(
                draw_step(
                    step, 30 + pitch * i, ly, pitch, first, right if step is part[-1] and message.error else 0
                )
            )
        if last and more > 0:
            at = 30 + pitch * len(part)
            marks.append(
                Circle(key="trace/more/dot", x=at, y=ly, r=5.5, classes="edge flight base-ground", width=2)
            )
            marks.append(label("trace/more", at - 5, ly + 22, f"×{amount(more)} more", "t12 ink2"))
    return marks, base + 66 * (len(lines) - 1) + 60


def _bracket(
    marks: list[Mark], part: list[Step], count: int, pitch: float, y: float, free: float, right: float
) -> None:
    """A bracket over the deliveries of the first line of the strip, with how many there are in all."""
    at = [i for i, s in enumerate(part) if s.delivery]
    if len(at) < 2:
        return
    x0, x1 = 25 + pitch * at[0], min(right, 25 + pitch * at[-1] + min(pitch - 12, 96))
    words = count_of(count, "delivery", "deliveries")
    half = wide(words, "t11") / 2
    x = max((x0 + x1) / 2, free + 12 + half)
    if x + half > x1:
        return  # the words would stand beside it; the legend has the number
    top = y - 22.5
    d = f"M{x0:g} {top + 4.5:g}V{top:g}H{x1:g}V{top + 4.5:g}"
    marks.append(Path(key="trace/bracket", d=d, classes="edge line none"))
    marks.append(label("trace/deliveries", x, y - 34, words, "t11 ink3 middle"))


def _counted(state: State, shown: Shown, room: float) -> str:
    """A burst in one line, about `room` px long."""
    burst = shown.burst
    assert burst is not None
    who = listed([plain(p) for p in sorted(burst.publishers)][:3]) if burst.publishers else "nobody"
    got = sorted((v for v in shown.verdicts if v.got), key=lambda v: (-v.sub.burst, v.sub.client))
    words = f"{amount(burst.count)} published by {who}"
    parts = [f"{amount(v.sub.burst)} received by {plain(v.sub.client)}" for v in got]
    kept = 0
    for part in parts:
        if wide(f"{words}; {part}, and more", "t12") > room:
            break
        words += f"; {part}"
        kept += 1
    if kept < len(parts):
        words += ", and more"
    return fit(words, room + 20, "t12")
