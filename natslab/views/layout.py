"""Deterministic places, and text that fits: the same input always lands at the same spot."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence

from natslab.views.scene import text_width

Point = tuple[float, float]


def plain(text: str) -> str:
    """Foreign text for a picture: one line, nothing invisible, at most two accents on a letter."""
    out: list[str] = []
    accents = 0
    for c in text:
        accents = accents + 1 if unicodedata.category(c) in ("Mn", "Me") else 0
        if accents <= 2:
            out.append(c if c.isprintable() else "�")
    return "".join(out)


def isolate(text: str) -> str:
    """`text` with marks around it if it runs from right to left, so that it turns nothing else round."""
    if any(unicodedata.bidirectional(c) in ("R", "AL", "AN") for c in text):
        return f"\u2068{text}\u2069"
    return text


def wide(text: str, classes: str) -> float:
    """Room for `text` in pixels; characters of double width count twice."""
    double = sum(1 for c in text if c == "�" or unicodedata.east_asian_width(c) in "WF")
    return text_width(text, classes) * (1 + double / len(text)) if text else 0.0


def fit(text: str, room: float, classes: str, tail: int = 0) -> str:
    """Foreign text made plain and cut to `room` pixels with an ellipsis; its last `tail` characters stay."""
    text = plain(text)
    if wide(text, classes) > room:
        size = max(2, int(room / text_width("x", classes)) - 1)
        tail = min(tail, size // 2)
        end = text[len(text) - tail :] if tail else ""
        kept = text[: size - tail]
        while len(kept) > 1 and wide(f"{kept}…{end}", classes) > room:
            kept = kept[:-1]
        text = f"{kept}…{end}"
    return isolate(text)


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


def amount(n: int) -> str:
    """A whole number as people write it: 10 000."""
    return f"{n:,}".replace(",", " ")


def count_of(n: int, one: str, many: str = "") -> str:
    """`n` with its noun, e.g. "1 message", "2 messages"."""
    return f"{amount(n)} {one if n == 1 else many or one + 's'}"


def listed(names: list[str]) -> str:
    """At least one name, as in a sentence: "a, b and c"."""
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
