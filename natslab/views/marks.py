"""Marks that several views draw alike."""

from __future__ import annotations

from typing import Any

from natslab.views.scene import Circle, Mark, Path, Rect

RECENTLY = 1.5  # seconds for which a message's flight is offered


def rect(key: str, x: float, y: float, w: float, h: float, classes: str, r: float = 0, **more: Any) -> Rect:
    """A rectangle on hundredths of a pixel."""
    x, y, w, h = (round(v, 2) for v in (x, y, w, h))
    return Rect(key=key, x=x, y=y, w=w, h=h, r=r, classes=classes, **more)


def port(key: str, x: float, y: float, gone: bool = False, r: float = 4.5) -> list[Mark]:
    """Where a way begins or ends; crossed out if nobody is there any more."""
    if not gone:
        return [Circle(key=key, x=x, y=y, r=r, width=1.5, classes="edge ink2 base-ground")]
    d = round(r * 0.71, 2)
    cross = f"M{x - d:g} {y - d:g}L{x + d:g} {y + d:g}M{x + d:g} {y - d:g}L{x - d:g} {y + d:g}"
    return [
        Circle(key=key, x=x, y=y, r=r, classes="edge ink3 base-ground"),
        Path(key=f"{key}/gone", d=cross, width=1.5, classes="edge ink3 round"),
    ]
