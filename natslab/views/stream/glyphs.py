"""Small marks of the stream picture: slots, ghosts, tabs, acks, gauges."""

from __future__ import annotations

import math
from typing import Any

from natslab.views import scene as sc
from natslab.views.marks import rect
from natslab.views.scene import Mark, Path, label

FADE = 2.0  # seconds in which what is gone fades
LEFT = 0.5  # of its strength is left of it then


def ways(key: str, d: str, classes: str, width: float = 1, **more: Any) -> Path:
    """A line or shape."""
    return Path(key=key, d=d, classes=classes, width=width, **more)


def slot(key: str, text: str, box: float, high: float, level: float, lit: bool) -> list[Mark]:
    """A message around (0, 0): its ground filled from below to `level` (0 to 1)."""
    x, y, r = -box / 2, -high / 2, 6 if high > 23 else 5
    inside: list[Mark] = [rect(f"{key}/ground", x, y, box, high, "ground fill", r)]
    if level > 0.02:
        inside.append(
            ways(
                f"{key}/level",
                _level(x + 0.9, y + 0.9, box - 1.8, high - 1.8, r - 0.9, level),
                "line fill level",
            )
        )
    inside.append(
        rect(f"{key}/box", x + 0.4, y + 0.4, box - 0.8, high - 0.8, "stored edge none", r, width=1.75)
    )
    inside.append(label(f"{key}/n", 0, 4, text, "t11 num middle"))
    if lit:
        inside.append(rect(f"{key}/ring", x - 3, y - 3, box + 6, high + 6, "ring", r + 3))
    return inside


def _level(x: float, y: float, w: float, h: float, r: float, level: float) -> str:
    """The lower part of a rounded box."""
    top, low = y + h * (1 - min(1.0, level)), y + h
    rr = min(r, low - top)
    up = max(0.0, r - (top - y))
    head = f"M{x:.2f} {top:.2f}H{x + w:.2f}"
    if up > 0.05:
        head = f"M{x:.2f} {top + up:.2f}A{up:.2f} {up:.2f} 0 0 1 {x + up:.2f} {top:.2f}H{x + w - up:.2f}"
        head += f"A{up:.2f} {up:.2f} 0 0 1 {x + w:.2f} {top + up:.2f}"
    return (
        f"{head}V{low - rr:.2f}A{rr:.2f} {rr:.2f} 0 0 1 {x + w - rr:.2f} {low:.2f}H{x + rr:.2f}"
        f"A{rr:.2f} {rr:.2f} 0 0 1 {x:.2f} {low - rr:.2f}Z"
    )


def ghost(key: str, text: str, box: float, high: float, strong: float, lit: bool) -> list[Mark]:
    """A message that is gone, around (0, 0); its number stays legible while its box fades."""
    x, y, r = -box / 2, -high / 2, 6 if high > 23 else 5
    inside: list[Mark] = [
        rect(f"{key}/box", x + 0.5, y + 0.5, box - 1, high - 1, "ghost", r, opacity=strong),
        label(f"{key}/n", 0, 4, text, "t11 num ink3 middle"),
    ]
    if lit:
        inside.append(rect(f"{key}/ring", x - 3, y - 3, box + 6, high + 6, "ring", r + 3))
    return inside


def strength(t: float, now: float) -> float:
    """How strongly something is drawn that went at `t`."""
    return round(1 - (1 - LEFT) * min(1.0, max(0.0, now - t) / FADE), 2)


def tab(key: str, x: float, y: float, w: float, torn: bool) -> list[Mark]:
    """A paper tab 12 high around (x, y): a consumer still wants the message, or is done with it."""
    if not torn:
        return [
            rect(f"{key}/tab", x - w / 2, y - 6.2, w, 12.4, "line fill", 2),
            rect(f"{key}/edge", x - w / 2, y - 6.2, w, 12.4, "stored edge none", 2, width=1.5),
        ]
    a, s = x - w / 2, w / 18.4
    teeth = [(0, 0.8), (3, 3.2), (6.2, -0.2), (9.2, 3.2), (12.4, -0.2), (15.4, 3.2), (18.4, 0.8)]
    d = f"M{a:.2f} {y + 6.2:.2f}" + "".join(f"L{a + s * tx:.2f} {y + ty:.2f}" for tx, ty in teeth)
    return [ways(f"{key}/torn", f"{d}L{a + w:.2f} {y + 6.2:.2f}Z", "edge ink3 none round")]


def hand(key: str, state: str, x: float, y: float, left: float, r: float = 7.4) -> list[Mark]:
    """What a slot waits for: a level of `left` (0 to 1) of the time for an ack, or what was answered."""
    if state == "acked":
        check = f"M{x - 3.33:.2f} {y + 0.2:.2f}L{x - 0.93:.2f} {y + 2.68:.2f}L{x + 3.61:.2f} {y - 2.5:.2f}"
        return [
            sc.Circle(key=f"{key}/sign", x=x, y=y, r=r + 0.4, classes="done fill"),
            ways(f"{key}/check", check, "edge ground round none", 1.7),
        ]
    if state in ("term", "exhausted", "refused"):
        return cross(key, x, y)
    if state in ("nak", "expired"):
        d = f"M{x:.2f} {y - r:.2f}L{x + r:.2f} {y + r * 0.8:.2f}H{x - r:.2f}Z"
        return [ways(f"{key}/sign", d, "retry fill" + (" inferred" if state == "expired" else ""))]
    return [
        sc.Circle(key=f"{key}/ground", x=x, y=y, r=r, classes="ground fill"),
        ways(f"{key}/level", _segment(x, y, r, left), "flight fill level"),
        sc.Circle(key=f"{key}/sign", x=x, y=y, r=r, width=1.75, classes="flight edge none"),
    ]


def _segment(x: float, y: float, r: float, level: float) -> str:
    """The lower part of a disc, filled to `level` of its height."""
    level = min(0.999, max(0.02, level))
    h = r - 2 * r * level  # of the surface over the centre, downwards positive
    half = math.sqrt(max(0.01, r * r - h * h))
    big = 1 if level > 0.5 else 0
    return f"M{x - half:.2f} {y + h:.2f}A{r:g} {r:g} 0 {big} 0 {x + half:.2f} {y + h:.2f}Z"


def cross(key: str, x: float, y: float) -> list[Mark]:
    """Refused, or given up."""
    a, b, top, low = x - 3.2, x + 3.2, y - 3.2, y + 3.2
    d = f"M{a:.2f} {top:.2f}L{b:.2f} {low:.2f}M{b:.2f} {top:.2f}L{a:.2f} {low:.2f}"
    return [
        rect(f"{key}/sign", x - 7.8, y - 7.8, 15.6, 15.6, "dead fill", 2.5),
        ways(f"{key}/cross", d, "edge ground round none", 1.9),
    ]


def twin(key: str, x: float, y: float, half: float, gap: float, width: float) -> Path:
    """An equals sign: the same message again."""
    d = f"M{x - half:.2f} {y - gap / 2:.2f}H{x + half:.2f}M{x - half:.2f} {y + gap / 2:.2f}H{x + half:.2f}"
    return ways(key, d, "edge ink round none", width)


def pips(key: str, x: float, y: float, n: int, most: int) -> list[Mark]:
    """A gauge of at most ten pips 5 wide and 9 high."""
    return [
        rect(f"{key}/{i}", x + 7 * i, y, 5, 9, ("ink" if i < n else "line") + " fill", 1) for i in range(most)
    ]


def bar(key: str, x: float, y: float, w: float, share: float) -> list[Mark]:
    """A gauge 4 high."""
    out: list[Mark] = [rect(f"{key}/all", x, y, w, 4, "line fill", 2)]
    if share > 0:
        out.append(rect(f"{key}/part", x, y, max(4.0, w * min(1.0, share)), 4, "ink fill", 2))
    return out


def caret(key: str, x: float, y: float, up: bool) -> Path:
    """A small triangle on the line at `y` that points up or down, to the slots."""
    tip, foot = (y - 5, y + 2.5) if up else (y + 5, y - 2.5)
    return ways(key, f"M{x:.2f} {tip:.2f}L{x + 4.5:.2f} {foot:.2f}H{x - 4.5:.2f}Z", "ink fill")
