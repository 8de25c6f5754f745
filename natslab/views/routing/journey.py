"""The strip under the routing picture where a message visited several servers: a line for each of them."""

from __future__ import annotations

from dataclasses import dataclass, field

from natslab.tape.event import Hop
from natslab.views.routing.state import LINKS, Message, is_delivery
from natslab.views.routing.steps import Step, draw_step, step_of
from natslab.views.scene import Mark, Path, label
from natslab.views.wording import amount, count_of, plain, short_name, wide

LINE, FIRST = 58.0, 30.0  # from one server's line to the next; x of the first step
WIDE, NARROW = 148.0, 92.0  # step to step
LINES = 6  # servers that have a line
HOW = {"route": "by route", "gateway": "by gateway", "leafnode": "by leafnode"}


@dataclass
class Part:
    """What one server did with the message."""

    place: str
    link: str  # how the servers name the way to it; "" where it was published
    via: str
    hops: list[tuple[int, Hop]] = field(default_factory=list)
    steps: list[Step] = field(default_factory=list)
    ways: dict[int, str] = field(default_factory=dict)  # step -> the way that leaves there
    column: int = 0
    row: int = 0
    parent: tuple[Part, int] | None = None


def parts_of(message: Message) -> list[Part]:
    """The servers that a message visited, in the order in which they told of it."""
    found: list[Part] = []
    for i, hop in enumerate(message.hops):
        if hop.step == "in" or not found:
            found.append(Part(hop.place, hop.hop if hop.step == "in" else "", hop.via))
        part = next((p for p in reversed(found) if p.place == hop.place), found[-1])
        part.hops.append((i, hop))
    return found


def journey_of(message: Message, y: float, end: float) -> tuple[list[Mark], float]:
    """The lines of a message that visited several servers, and where they end."""
    parts = parts_of(message)
    for part in parts:
        _steps(message, part, False)
    _arrange(parts)
    columns = max(p.column + len(p.steps) for p in parts)
    if FIRST + columns * NARROW > end:
        for part in parts:
            _steps(message, part, True)
        _arrange(parts)
        columns = max(p.column + len(p.steps) for p in parts)
    pitch = min(WIDE, max(NARROW, (end - FIRST + 20) / columns))
    most = max(1, int((end - FIRST + 20) / pitch))
    shown = [p for p in parts if p.row < LINES and p.column < most]
    for part in shown:
        _shorten(part, pitch)
    first = message.hops[0].t
    marks: list[Mark] = []
    for part in shown:
        marks += _line(message, part, y, pitch, most)
    for part in shown:
        for i, step in enumerate(part.steps[: most - part.column]):
            x = FIRST + pitch * (part.column + i)
            marks.append(draw_step(step, x, y + LINE * part.row, pitch, first, 0))
    low = y + LINE * max(p.row for p in shown)
    if len(shown) < len(parts):
        words = f"and {count_of(len(parts) - len(shown), 'more server')}"
        marks.append(label("trace/servers", FIRST - 5, low + 58, words, "t12 ink2"))
        low += 22
    return marks, low


def _steps(message: Message, part: Part, few: bool) -> None:
    """What is drawn of a part; `few`: of its clients only how many there are."""
    part.steps, part.ways = [], {}
    clients = [(i, hop) for i, hop in part.hops if is_delivery(hop)]
    for i, hop in part.hops:
        if few and len(clients) > 2 and is_delivery(hop):
            if hop is clients[0][1]:
                names = ", ".join(short_name(h.client, 20) for _, h in clients[:8])
                word = f"→ {amount(len(clients))} clients"
                part.steps.append(
                    Step(f"hop/{message.id}/{i}", "flight", word, "", hop.t, True, f"To {names}.")
                )
            continue
        step = step_of(message, i, hop)
        if hop.step == "in" and not hop.error:
            step.word = plain(part.place)
            if part.link or hop.via in LINKS:
                step.detail = HOW.get(hop.via, "")
            step.title = f"{plain(part.place)} has it, {step.detail}."
        if hop.step == "egress" and hop.via in LINKS and not hop.error:
            part.ways[len(part.steps)] = hop.hop
        part.steps.append(step)


def _shorten(part: Part, pitch: float) -> None:
    """How a server got it is said where there is room; the way that leads there shows it too."""
    step = part.steps[0]
    if step.look == "flight" and wide(step.word, "t12 w6") + wide(f" {step.detail}", "t12") > pitch - 12:
        step.detail = ""


def _arrange(parts: list[Part]) -> None:
    """Each part begins under the step that led to it; those that begin further right stand higher."""
    root = parts[0]
    left = parts[1:]
    root.column = root.row = 0
    rows = 0
    todo = [root]
    while todo:
        part = todo.pop()
        part.row = rows
        rows += 1
        below = []
        for i, link in part.ways.items():
            child = next((p for p in left if p.link == link and link), None)
            if child is not None:
                left.remove(child)
                child.parent, child.column = (part, i), part.column + i
                below.append(child)
        todo += sorted(below, key=lambda p: p.column)
    for part in left:  # what led to it is not known
        part.parent, part.column, part.row = None, 0, rows
        rows += 1


def _line(message: Message, part: Part, y: float, pitch: float, most: int) -> list[Mark]:
    """The line through the steps of one server, and the way that led to it."""
    key, low = f"trace/line{part.row}", y + LINE * part.row
    x0 = FIRST + pitch * part.column
    x1 = FIRST + pitch * (min(part.column + len(part.steps), most) - 1)
    look = "dead" if message.error else "flight"
    marks: list[Mark] = []
    if part.parent is not None:
        top = y + LINE * part.parent[0].row
        # Beside the words of the step above.
        lanes = (-12.5, -9.0) if part.via == "gateway" else (-11.0,)
        for i, dx in enumerate(lanes):
            x = round(x0 + dx, 2)
            turn = 8 - (3 if i else 0)
            d = f"M{x:g} {top:g}V{low - turn:g}A{turn} {turn} 0 0 0 {x + turn:g} {low:g}H{x0:g}"
            dash = "4 3" if part.via == "leafnode" else ""
            where = f"trace/way{part.row}{'/twin' if i else ''}"
            marks.append(
                Path(
                    key=where,
                    d=d,
                    width=2 if len(lanes) == 1 else 1.5,
                    dash=dash,
                    classes=f"edge {look} none",
                )
            )
    if x1 > x0:
        marks.append(Path(key=key, d=f"M{x0:g} {low:g}H{x1:g}", width=2, classes=f"edge {look} none"))
    return marks
