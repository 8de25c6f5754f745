"""Small marks of the requests picture."""

from __future__ import annotations

from typing import Any

from natslab.views import scene as sc
from natslab.views.layout import Point
from natslab.views.scene import Mark, label


def stroke(key: str, a: Point, b: Point, classes: str, **more: Any) -> sc.Path:
    """A straight line."""
    return sc.Path(key=key, d=f"M{a[0]:.2f} {a[1]:.2f}L{b[0]:.2f} {b[1]:.2f}", classes=classes, **more)


def bar(key: str, x: float, y: float, end: float, **more: Any) -> sc.Rect:
    """A thin bar down a lifeline."""
    return sc.Rect(key=key, x=x - 2.5, y=y, w=5, h=round(end - y, 2), r=2.5, classes="flight fill", **more)


def sign_of(key: str, outcome: str, x: float, y: float) -> list[Mark]:
    """The glyph of an outcome around (x, y)."""
    if outcome == "answered":
        check = f"M{x - 3.25:g} {y + 0.25:g}L{x - 0.87:g} {y + 2.75:g}L{x + 3.38:g} {y - 2.37:g}"
        return [
            sc.Circle(key=f"{key}/sign", x=x, y=y, r=7.5, classes="done fill"),
            sc.Path(key=f"{key}/check", d=check, width=1.5, classes="edge ground round none"),
        ]
    if outcome in ("no responders", "ignored", "error"):
        cross = f"M{x - 3:g} {y - 3:g}L{x + 3:g} {y + 3:g}M{x + 3:g} {y - 3:g}L{x - 3:g} {y + 3:g}"
        return [
            sc.Rect(key=f"{key}/sign", x=x - 6.75, y=y - 6.75, w=13.5, h=13.5, r=1.5, classes="dead fill"),
            sc.Path(key=f"{key}/cross", d=cross, width=1.5, classes="edge ground round none"),
        ]
    if outcome == "waiting":
        return [sc.Circle(key=f"{key}/sign", x=x, y=y, r=6.5, width=2, classes="flight edge base-ground")]
    a, b, top, low = x - 7.5, x + 5, y - 7.5, y + 7.5
    box = (f"M{b:g} {top:g}H{a + 3:g}A3 3 0 0 0 {a:g} {top + 3:g}V{low - 3:g}"
           f"A3 3 0 0 0 {a + 3:g} {low:g}H{b:g}")  # fmt: skip
    return [
        sc.Rect(key=f"{key}/ground", x=a, y=top, w=15, h=15, classes="ground fill"),
        sc.Path(key=f"{key}/sign", d=box, width=1.5, classes="edge ink round none"),
        label(f"{key}/what", x + 0.8, y + 4.3, "?", "t12 w6 middle"),
    ]
