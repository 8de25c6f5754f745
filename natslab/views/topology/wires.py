"""Wires between servers in the topology picture: routes, and the tethers of leafnodes."""

from __future__ import annotations

import math
import shlex

from natslab.views import scene as sc
from natslab.views.marks import rect
from natslab.views.scene import Action, Mark, Path, label, text_width
from natslab.views.topology.curve import Curve, Elbow
from natslab.views.topology.labels import span, standing
from natslab.views.topology.plan import BOWS, Box, curve_of
from natslab.views.topology.seen import Seen, down_of, rate, singles, up_of, waiting
from natslab.views.topology.state import Wire
from natslab.views.topology.walls import Walls, heal
from natslab.views.wording import amount, count_of, fit, listed, plain, short_name

DELAY = "200ms"  # what the button asks for
LINES, LINE = 3, 15.0  # of subjects under a leafnode's wire: at most, and from one to the next
NEAR = 11.0  # two crosses closer than that are one

Rates = tuple[float, float] | None


def width_of(rates: Rates) -> float:
    """The width of a line: log10 of the messages per second, at least 1."""
    return round(max(1.0, math.log10(max(1.0, sum(rates)))), 2) if rates is not None else 1.0


def cross(key: str, x: float, y: float) -> Mark:
    """What was on the wire is lost here."""
    x, y = round(x, 2), round(y, 2)
    d = f"M{x - 4.5:g} {y - 4.5:g}L{x + 4.5:g} {y + 4.5:g}M{x + 4.5:g} {y - 4.5:g}L{x - 4.5:g} {y + 4.5:g}"
    return Path(key=key, d=d, width=2, classes="edge dead round")


def wires(all_: Seen, walls: Walls) -> list[Mark]:
    """Every wire that is drawn singly."""
    live = {n.name for n in all_.nodes if n.live}
    crossed: list[tuple[float, float]] = []
    marks: list[Mark] = []
    for wire in singles(all_):
        curve = curve_of(all_.plan, wire)
        if curve is not None:
            marks.append(_wire(all_, walls, wire, curve, {wire.a, wire.b} <= live, crossed))
    return marks


def _wire(
    all_: Seen, walls: Walls, wire: Wire, curve: Curve | Elbow, ends: bool, crossed: list[tuple[float, float]]
) -> Mark:
    rates = rate(all_, wire)
    look, width, dash = "edge ink2", width_of(rates), ""
    if wire.type == "leafnode":
        width, dash = max(1.5, width), "3 3"
    if wire.state == "delayed":
        look, width = "edge retry", max(2.0, width)
    if not ends or not (wire.there or wire.blocked):
        look, width, dash = "edge line", 1.0, dash or "4 4"
    if wire.blocked:
        walls.stand(wire, curve)
    marks: list[Mark] = []
    for i, x in enumerate(walls.gates.get(wire.key, [])):
        # It goes through the wall, which is open there.
        a, b = sorted((curve.part(x - 9), curve.part(x + 9)))
        marks.append(Path(key=f"{wire.key}/gate{i}", d=curve.path(a, b), width=11, classes="edge panel none"))
    pieces, lost = _pieces(wire, curve, walls)
    for i, (t0, t1) in enumerate(pieces):
        key = f"{wire.key}/line{i or ''}"
        marks.append(Path(key=key, d=curve.path(t0, t1), width=width, classes=f"{look} none", dash=dash))
    if lost is not None and wire.state == "cut":
        x, y = curve.at(lost)
        if all(abs(x - p) + abs(y - q) > NEAR for p, q in crossed):
            crossed.append((x, y))
            marks.append(cross(f"{wire.key}/cross", x, y))
    marks += _number(all_, wire, curve, rates)
    if wire.type == "leafnode":
        marks += _tether(all_, wire)
    return sc.Group(
        key=wire.key,
        marks=marks,
        title=_title(wire, rates),
        state=_facts(wire, rates),
        actions=actions(wire),
        classes="menu" if wire.laid else "",
        light=[f"srv/{wire.a}", f"srv/{wire.b}"],
    )


def _pieces(wire: Wire, curve: Curve | Elbow, walls: Walls) -> tuple[list[tuple[float, float]], float | None]:
    """Which parts of a wire are drawn, and where it is crossed out."""
    if not wire.blocked:
        return [(0.0, 1.0)], None
    (x0, _), (x1, _) = curve.ends
    right = 1 if x1 > x0 else -1
    pieces, at = [], 0.0
    stops = sorted(walls.stops[wire.key], key=lambda x: x * right)
    for x in stops:
        # The cross stands at the left of the wall.
        before, after = (14, 7) if right > 0 else (7, 14)
        pieces.append((at, curve.part(x - right * before)))
        at = curve.part(x + right * after)
    pieces.append((at, 1.0))
    return [(a, b) for a, b in pieces if b - a > 0.01], curve.part(stops[0] - 10)


def _number(all_: Seen, wire: Wire, curve: Curve | Elbow, rates: Rates) -> list[Mark]:
    """Messages per second, or by how much it is delayed, beside the line."""
    words = ""
    if rates is not None and sum(rates) >= 0.5:
        words = amount(round(sum(rates)))
    if wire.state == "delayed":
        words = f"+{span(wire.delay)}"
    box, other = all_.plan.box(wire.a), all_.plan.box(wire.b)
    (x0, y0), (x1, y1) = curve.ends
    x, y = curve.at(0.5)
    room = abs(x1 - x0) + 2
    if isinstance(curve, Elbow):
        a, b = all_.plan.gap(box, other) if box is not None and other is not None else (x0, x1)
        x, y, room = (a + b) / 2, max(y0, y1), b - a
    flat = isinstance(curve, Elbow) or abs(y - y0) < 1
    if flat and not isinstance(curve, Elbow):
        # The leader's second ring and its sign take some of the room.
        leaders = {all_.leads(g) for g in all_.groups}
        left, right = (wire.a, wire.b) if x0 < x1 else (wire.b, wire.a)
        low, high = min(x0, x1) + 13 * (left in leaders), max(x0, x1) - 6 * (right in leaders)
        x, room = (low + high) / 2, high - low + 2
    if not flat:
        clear = box is not None and box is other and len(box.nodes) <= BOWS
        room = all_.plan.pitch - 6 if clear else 0.0
    if not words or text_width(words, "t11") > room:
        return []
    strong, what = (" w6", "late") if wire.state == "delayed" else (" ink2", "rate")
    return [label(f"{wire.key}/{what}", x, y - 9 if flat else y + 15, words, f"t11 num middle{strong}")]


# --- leafnodes --------------------------------------------------------------------------------


def _tether(all_: Seen, wire: Wire) -> list[Mark]:
    """What passes through a leafnode's wire, under it; what is stored behind the wall."""
    one, other = all_.plan.box(wire.a), all_.plan.box(wire.b)
    if one is None or other is None or one is other or one.group.leaf == other.group.leaf:
        return []
    leaf = one if one.group.leaf else other
    x0, x1 = all_.plan.gap(one, other)
    away = "→" if leaf.side == "left" else "←"
    back = "←" if leaf.side == "left" else "→"
    up, down = (up_of(wire), down_of(wire)) if leaf is one else (down_of(wire), up_of(wire))
    marks: list[Mark] = []
    lines = [(subjects, sign) for subjects, sign in ((up, away), (down, back)) if subjects]
    struck = " strike ink3" if wire.blocked else ""
    for i, (text, more) in enumerate(_asked(lines, x1 - x0 - 12)):
        runs = [(text, f"t11 mono{struck} middle"), (more, "t11 ink3")]
        at = round((x0 + x1) / 2, 2), leaf.title + LINE * i
        marks.append(sc.Text(key=f"{wire.key}/subject{i}", x=at[0], y=at[1], runs=runs))
    count = waiting(all_.state, wire)
    if count > 0 and leaf.group.domain and leaf is one:
        marks += _stored(wire, leaf, count)
    return marks


def _asked(lines: list[tuple[list[str], str]], room: float) -> list[tuple[str, str]]:
    """Subjects and the way they go, in LINES lines at most: as many subjects as there is room for."""
    needs = [len(_wrapped(subjects, sign, room, LINES)) for subjects, sign in lines]
    # Each way has a line at least, and the first what the second leaves.
    second = min(needs[1], LINES - 1 if needs[0] == 1 else 1) if len(needs) > 1 else 0
    shares = [LINES - second, second]
    return [
        one
        for (subjects, sign), most in zip(lines, shares, strict=False)
        for one in _wrapped(subjects, sign, room, most)
    ]


def _wrapped(subjects: list[str], sign: str, room: float, most: int) -> list[tuple[str, str]]:
    """Subjects in lines of that width, each with the sign; in the last how many more there are."""
    out: list[tuple[str, str]] = []
    rest = subjects
    while rest and len(out) < most:
        for take in range(len(rest), 0, -1):
            more = len(rest) - take if len(out) == most - 1 else 0
            text, tail = ", ".join(rest[:take]), f" +{more} {sign}" if more else f" {sign}"
            if take == 1 or text_width(text, "t11 mono") + text_width(tail, "t11") <= room:
                out.append((fit(text, room - text_width(tail, "t11"), "t11 mono"), tail))
                rest = rest[take:]
                break
    return out


def _stored(wire: Wire, leaf: Box, count: int) -> list[Mark]:
    """What was stored at a leafnode since its wire lets nothing through."""
    y, slots = leaf.title - 19, min(2, count)
    number, word = amount(count), " stored"
    wide = text_width(number, "t12 w6") + text_width(word, "t11")
    if 13 * slots + 4 + wide > leaf.w - 26:
        slots, word = 0, ""
    marks: list[Mark] = [
        rect(
            f"{wire.key}/slot{i}",
            leaf.x + 15 + 13 * i,
            y - 10,
            11,
            11,
            "stored edge base-ground",
            2.5,
            width=1.5,
        )
        for i in range(slots)
    ]
    x = leaf.x + 15 + (13 * slots + 4 if slots else 0)
    marks.append(
        sc.Text(
            key=f"{wire.key}/stored", x=round(x, 2), y=y, runs=[(number, "t12 w6 num"), (word, "t11 ink2")]
        )
    )
    return marks


# --- words ------------------------------------------------------------------------------------


def _title(wire: Wire, rates: Rates) -> str:
    a, b = short_name(wire.a, 30), short_name(wire.b, 30)
    words = f"The {wire.type} between {a} and {b} is {standing(wire)}."
    if wire.type == "leafnode":
        words += f" {a} dials {b}, and never the other way."
    if rates is not None:
        words += (
            f" {count_of(round(rates[0]), 'message')} per second from {a}, {amount(round(rates[1]))} back,"
            " the servers' own included."
        )
    if up_of(wire):
        words += f" {b} asks {a} for {listed(up_of(wire)[:6])}."
    if down_of(wire):
        words += f" {a} asks {b} for {listed(down_of(wire)[:6])}."
    if wire.why:
        words += f" {plain(wire.why)}."
    return words


def _facts(wire: Wire, rates: Rates) -> dict[str, object]:
    facts: dict[str, object] = {"state": standing(wire)}
    if rates is not None:
        facts["per second"] = f"{amount(round(rates[0]))} there, {amount(round(rates[1]))} back"
    if wire.account:
        facts["account"] = plain(wire.account)
    return facts


def actions(wire: Wire) -> list[Action]:
    """What a person may do to a wire of the lab."""
    if not wire.laid:
        return []
    return changes(wire.a, wire.b) if wire.state == "open" else [heal([wire])]


def changes(a: str, b: str) -> list[Action]:
    """What a person may do to what joins two servers or two clusters."""
    pair = f"{shlex.quote(a)} {shlex.quote(b)}"
    return [
        Action(f"natslab cut {pair}", "Cut", "X", "┇", cross=True),
        Action(f"natslab hold {pair}", "Hold", "H", "‖"),
        Action(f"natslab delay {pair} {DELAY}", "Delay 0.2 s", "D", "…"),
    ]
