"""Gateways in the topology picture: the connections of two clusters as one line each way."""

from __future__ import annotations

from natslab.views import scene as sc
from natslab.views.scene import Action, Mark, Path, label, text_width
from natslab.views.topology.curve import Curve
from natslab.views.topology.labels import span
from natslab.views.topology.plan import NOTE, Box
from natslab.views.topology.seen import Seen, bundles, rate
from natslab.views.topology.state import Wire
from natslab.views.topology.walls import LABEL, Walls, heal, wall
from natslab.views.topology.wires import Rates, changes, cross, width_of
from natslab.views.topology.words import word_of
from natslab.views.wording import amount, count_of, plain

APART = 8.0  # each of the two lines from the axis


def gateways(all_: Seen, walls: Walls) -> list[Mark]:
    """Every pair of clusters with gateways between them."""
    core = [b for b in all_.plan.boxes if b.side == "core"]
    found: list[Mark] = []
    for a, b, wires in bundles(all_):
        one = next(box for box in core if box.group is a)
        other = next(box for box in core if box.group is b)
        near = core.index(other) - core.index(one) == 1
        found.append(_pair(all_, walls, one, other, wires, near))
    return found


def _pair(all_: Seen, walls: Walls, a: Box, b: Box, wires: list[Wire], near: bool) -> Mark:
    key = f"gw/{a.group.name}>{b.group.name}"
    rates = rate(all_, *wires)
    there, shut = sum(w.there for w in wires), [w for w in wires if w.blocked]
    look, dash = "edge ink2", ""
    if any(w.state == "delayed" for w in wires):
        look = "edge retry"
    elif not there and not shut:
        look, dash = "edge line", "4 4"
    whole = bool(shut) and len(shut) == len(wires)
    if near:
        marks = _lines(key, a, b, wires, rates, f"{look} none", dash, whole)
    else:
        marks = _below(key, a, b, wires, rates, f"{look} none", dash or "7 5" * whole)
    if whole and near:
        x = round((a.end + b.x) / 2, 2)
        y = a.top + 4, a.axis + 42
        walls.marks.append(wall(f"wall/{key[3:]}", all_.state.now, x, y, shut, a.top - LABEL, _ends(a, b)))
    title = f"Gateways between {plain(a.group.name)} and {plain(b.group.name)}: {_said(wires)}."
    if rates is not None:
        from_, back = (count_of(round(r), "message") for r in rates)
        title += f" {from_} per second from {plain(a.group.name)}, {back} back."
    return sc.Group(
        key=key,
        marks=marks,
        title=title,
        state={"connections": there},
        actions=_actions(wires, _ends(a, b)),
        classes="menu" if any(w.laid for w in wires) else "",
    )


def _said(wires: list[Wire]) -> str:
    """What they do, in a few words."""
    shut = [w for w in wires if w.blocked]
    if shut and len(shut) < len(wires):
        return f"{len(shut)} of {len(wires)} {word_of(shut)}"
    slow = next((w for w in wires if w.state == "delayed"), None)
    if slow is not None:
        return f"+{span(slow.delay)} each way"
    there = sum(w.there for w in wires)
    return count_of(there, "connection") if there else "no connection"


def _ends(a: Box, b: Box) -> tuple[str, str]:
    """The two clusters, as a line names them."""
    return a.group.name, b.group.name


def _actions(wires: list[Wire], ends: tuple[str, str]) -> list[Action]:
    """What a person may do to all wires between the two clusters."""
    changed = [w for w in wires if w.state != "open"]
    if changed:
        return [heal(changed, ends)]
    return changes(*ends) if any(w.laid for w in wires) else []


def _lines(
    key: str, a: Box, b: Box, wires: list[Wire], rates: Rates, look: str, dash: str, whole: bool
) -> list[Mark]:
    """Side by side: in the gap between them."""
    x0, x1 = a.end + 4, b.x - 4
    x = round((x0 + x1) / 2, 2)
    marks: list[Mark] = []
    for i, y in enumerate((a.axis - APART, a.axis + APART)):
        one = None if rates is None else rates[i]
        width = max(2.0, width_of((one or 0.0, 0.0)))
        pieces = [(x0, x - 14), (x + 7, x1)] if whole else [(x0, x1)]
        d = "".join(f"M{p:g} {y:g}H{q:g}" for p, q in pieces)
        marks.append(Path(key=f"{key}/way{i}", d=d, width=width, classes=look, dash=dash))
        if whole and word_of(wires) == "cut":
            marks.append(cross(f"{key}/cross{i}", x - 10, y))
        if one is not None and round(one) > 0:
            words = f"← {amount(round(one))}" if i else f"{amount(round(one))} →"
            at = y + 19 if i else y - 11
            marks.append(label(f"{key}/rate{i}", x, at, words, "t12 w6 num middle"))
    marks.append(label(f"{key}/word", x, a.title, "gateways", "t12 middle"))
    if text_width(_said(wires), "t11") <= x1 - x0 + 4:
        marks.append(label(f"{key}/note", x, a.title + NOTE, _said(wires), "t11 ink3 middle"))
    return marks


def _below(key: str, a: Box, b: Box, wires: list[Wire], rates: Rates, look: str, dash: str) -> list[Mark]:
    """Not neighbours: below those between them."""
    y = a.bottom
    curve = Curve((a.middle, y), (a.middle + 30, y + 36), (b.middle - 30, y + 36), (b.middle, y))
    words = _said(wires)
    if rates is not None and round(sum(rates)) > 0:
        words = f"{amount(round(rates[0]))} →, ← {amount(round(rates[1]))}"
    x, low = curve.at(0.5)
    return [
        Path(key=f"{key}/way", d=curve.path(), width=max(2.0, width_of(rates)), classes=look, dash=dash),
        label(f"{key}/rate", x, low - 7, words, "t11 ink2 num middle"),
    ]
