"""Marks that several views draw alike."""

from __future__ import annotations

from typing import Any

from natslab.views.scene import Circle, Rect

RECENTLY = 1.5  # seconds for which a message's flight is offered


def rect(key: str, x: float, y: float, w: float, h: float, classes: str, r: float = 0, **more: Any) -> Rect:
    """A rectangle on hundredths of a pixel."""
    x, y, w, h = (round(v, 2) for v in (x, y, w, h))
    return Rect(key=key, x=x, y=y, w=w, h=h, r=r, classes=classes, **more)


def port(key: str, x: float, y: float, strong: bool = True, r: float = 4.5) -> Circle:
    """Where a way begins or ends; not `strong` where nothing goes."""
    ink, width = ("ink2", 1.5) if strong else ("ink3", 1)
    return Circle(key=key, x=x, y=y, r=r, width=width, classes=f"edge {ink} base-ground")
