"""Deterministic places: the same input always lands at the same spot."""

from __future__ import annotations

from collections.abc import Sequence

Point = tuple[float, float]


def columns(wants: Sequence[float], room: float, gaps: tuple[float, float]) -> tuple[list[float], float]:
    """Widths of columns side by side in `room` pixels, and the gap between them.

    Each gets what it `wants` if that leaves at least the smaller of `gaps` between them; the gap
    grows up to the larger. Otherwise the widest columns give way first.
    """
    if not wants:
        return [], gaps[1]
    least, most = gaps
    left = room - sum(wants)
    if left >= least * (len(wants) - 1):
        return list(wants), min(most, left / max(1, len(wants) - 1))
    room -= least * (len(wants) - 1)
    low, high = 0.0, max(wants)
    for _ in range(24):
        cap = (low + high) / 2
        if sum(min(w, cap) for w in wants) > room:
            high = cap
        else:
            low = cap
    return [min(w, low) for w in wants], least


def around(count: int, centre: float, pitch: float, top: float, bottom: float) -> list[float]:
    """Places of `count` things below each other, a middle one at `centre`, inside `top` to `bottom`."""
    first = centre - pitch * ((count - 1) // 2)
    first = min(first, bottom - pitch * (count - 1))
    return [max(first, top) + pitch * i for i in range(count)]


def straight(points: Sequence[Point]) -> list[Point]:
    """The same line without points that lie between their neighbours."""
    out: list[Point] = []
    for p in points:
        if out and abs(p[0] - out[-1][0]) < 0.01 and abs(p[1] - out[-1][1]) < 0.01:
            continue
        if len(out) >= 2:
            (ax, ay), (bx, by) = out[-2], out[-1]
            if max(abs(ax - bx), abs(bx - p[0])) < 0.01 or max(abs(ay - by), abs(by - p[1])) < 0.01:
                out.pop()
        out.append(p)
    return out
