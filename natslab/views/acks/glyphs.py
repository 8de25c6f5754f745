"""The glyphs of the acks picture: a message's state as a shape, its time as a level."""

from __future__ import annotations

import math

from natslab.views.scene import Circle, Mark, Path, label


def n(value: float) -> str:
    """A coordinate, short."""
    text = f"{value:.2f}".rstrip("0").rstrip(".")
    return "0" if text == "-0" else text


def glyph(
    key: str, state: str, x: float, y: float, r: float, *, level: float | None = None, small: bool = False
) -> list[Mark]:
    """The mark of a state around (x, y).

    `level`: 0 to 1, how much of its time a delivered message has left, or a nak of its delay; None
    where that is not known. `small`: settled, so that it recedes.
    """
    if state in ("acked", "settled"):
        return _done(key, x, y, r * 0.72 if small else r * 1.05, tick=not small and r >= 6)
    if state in ("terminated", "exhausted"):
        return _dead(key, state, x, y, r * 0.73 if small else r * 0.975)
    if state in ("nak", "expired"):
        return _retry(key, state, x, y, r, level)
    if state == "flight":
        return _flight(key, x, y, r, level)
    if state == "removed":
        return [Circle(key=f"{key}/o", x=x, y=y, r=round(r * 0.72, 2), classes="line fill")]
    if state == "unseen":
        return [Circle(key=f"{key}/o", x=x, y=y, r=r * 0.75, classes="edge ink3 base-ground", dash="2 2")]
    return [
        Circle(key=f"{key}/o", x=x, y=y, r=round(r * 0.75, 2), classes="edge stored base-ground", width=1.75)
    ]


def _done(key: str, x: float, y: float, r: float, *, tick: bool) -> list[Mark]:
    marks: list[Mark] = [Circle(key=f"{key}/o", x=x, y=y, r=round(r, 2), classes="done fill")]
    if tick:
        s = r / 8.4
        d = (
            f"M{n(x - 3.6 * s)} {n(y + 0.2 * s)}L{n(x - s)} {n(y + 2.9 * s)}"
            f"L{n(x + 3.9 * s)} {n(y - 2.7 * s)}"
        )
        marks.append(Path(key=f"{key}/tick", d=d, width=1.7, classes="edge ground round none"))
    return marks


def _dead(key: str, state: str, x: float, y: float, half: float) -> list[Mark]:
    d = _square(x, y, half, min(2.5, half / 2))
    marks: list[Mark] = [Path(key=f"{key}/o", d=d, classes="dead fill")]
    if state == "terminated":
        a = half * 0.42
        cross = f"M{n(x - a)} {n(y - a)}L{n(x + a)} {n(y + a)}M{n(x + a)} {n(y - a)}L{n(x - a)} {n(y + a)}"
        marks.append(
            Path(key=f"{key}/x", d=cross, width=max(1.2, half / 4.2), classes="edge ground round none")
        )
    else:
        marks.append(
            Path(key=f"{key}/bang", d=f"M{n(x)} {n(y - half * 0.54)}V{n(y + half * 0.1)}",
                 width=max(1.3, half / 4), classes="edge ground round none")
        )  # fmt: skip
        marks.append(
            Circle(
                key=f"{key}/dot",
                x=x,
                y=round(y + half * 0.52, 2),
                r=round(half / 6, 2),
                classes="fill ground",
            )
        )
    return marks


def _square(x: float, y: float, h: float, r: float) -> str:
    """A square with round corners as a path, so that a ring around it is round."""
    a, b, c, d = x - h, x + h, y - h, y + h
    arc = f"A{n(r)} {n(r)} 0 0 1"
    return (
        f"M{n(a + r)} {n(c)}H{n(b - r)}{arc} {n(b)} {n(c + r)}V{n(d - r)}{arc} {n(b - r)} {n(d)}"
        f"H{n(a + r)}{arc} {n(a)} {n(d - r)}V{n(c + r)}{arc} {n(a + r)} {n(c)}Z"
    )


def triangle(x: float, y: float, r: float) -> str:
    """A triangle that stands around (x, y)."""
    return f"M{n(x)} {n(y - 0.98 * r)}L{n(x + 1.04 * r)} {n(y + 0.8 * r)}L{n(x - 1.04 * r)} {n(y + 0.8 * r)}Z"


def _retry(key: str, state: str, x: float, y: float, r: float, level: float | None) -> list[Mark]:
    width = 1.75 if r >= 6 else 1.25
    if state == "expired":
        marks: list[Mark] = [
            Path(key=f"{key}/o", d=triangle(x, y, r), classes="retry fill edge inferred round", width=width)
        ]
        if r >= 6:
            marks.append(label(f"{key}/about", x + 0.66 * r, y - 4, "≈", "t12 ink2"))
        return marks
    if level is None or level <= 0.02:
        return [Path(key=f"{key}/o", d=triangle(x, y, r), classes="retry fill edge round", width=width)]
    # What is left of the delay is the hollow part at the top.
    top, low = y - 0.98 * r, y + 0.8 * r
    cut = top + (low - top) * min(1.0, level)
    half = 1.04 * r * (cut - top) / (low - top)
    foot = 1.04 * r
    full = f"M{n(x - half)} {n(cut)}L{n(x + half)} {n(cut)}L{n(x + foot)} {n(low)}L{n(x - foot)} {n(low)}Z"
    return [
        Path(key=f"{key}/o", d=triangle(x, y, r), classes="retry edge base-ground round", width=width),
        Path(key=f"{key}/level", d=full, classes="retry fill level"),
    ]


def _flight(key: str, x: float, y: float, r: float, level: float | None) -> list[Mark]:
    ring = Circle(
        key=f"{key}/o", x=x, y=y, r=r, classes="flight edge base-ground", width=1.75 if r >= 6 else 1.25
    )
    if level is None:
        return [ring, Circle(key=f"{key}/level", x=x, y=y, r=r, classes="flight fill inferred")]
    level = min(1.0, max(0.0, level))
    if level >= 0.985:
        return [ring, Circle(key=f"{key}/level", x=x, y=y, r=r, classes="flight fill")]
    if level <= 0.015:
        return [ring]
    height = y + r - 2 * r * level  # where the surface is
    half = math.sqrt(max(0.0, r * r - (height - y) ** 2))
    large = 1 if level > 0.5 else 0
    d = f"M{n(x - half)} {n(height)}A{n(r)} {n(r)} 0 {large} 0 {n(x + half)} {n(height)}Z"
    return [ring, Path(key=f"{key}/level", d=d, classes="flight fill level")]


def refill(key: str, x: float, y: float) -> list[Mark]:
    """The sign of a +WPI at the upper right of a cell."""
    cx, cy = x + 10.5, y - 10
    return [
        Path(key=f"{key}/wpi", d=f"M{n(cx + 3.64)} {n(cy - 2.1)}A4.2 4.2 0 1 1 {n(cx - 0.37)} {n(cy - 4.18)}",
             classes="edge ink none round", width=1.25),
        Path(key=f"{key}/wpi/head", classes="fill ink",
             d=f"M{n(cx - 1.37)} {n(cy - 6.98)}L{n(cx + 2.23)} {n(cy - 3.98)}"
               f"L{n(cx - 1.77)} {n(cy - 1.38)}Z"),
    ]  # fmt: skip
