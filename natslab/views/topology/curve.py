"""Lines between two places, straight, bent or with a corner, and pieces of them."""

from __future__ import annotations

from itertools import pairwise

from natslab.views.layout import Point
from natslab.views.scene import points_path


class Curve:
    """A cubic Bézier curve."""

    def __init__(self, a: Point, b: Point, c: Point, d: Point) -> None:
        self.points = (a, b, c, d)

    @classmethod
    def straight(cls, a: Point, d: Point) -> Curve:
        """A straight line."""
        third = ((d[0] - a[0]) / 3, (d[1] - a[1]) / 3)
        return cls(a, (a[0] + third[0], a[1] + third[1]), (d[0] - third[0], d[1] - third[1]), d)

    def at(self, t: float) -> Point:
        """The place after the part `t` (0 to 1) of it."""
        u = 1 - t
        weights = (u * u * u, 3 * u * u * t, 3 * u * t * t, t * t * t)
        x = sum(w * p[0] for w, p in zip(weights, self.points, strict=True))
        y = sum(w * p[1] for w, p in zip(weights, self.points, strict=True))
        return x, y

    @property
    def ends(self) -> tuple[Point, Point]:
        """Where it begins and where it ends."""
        return self.points[0], self.points[3]

    def part(self, x: float) -> float:
        """After which part of it, from left to right or from right to left, it is at `x`."""
        low, high = 0.0, 1.0
        rising = self.points[3][0] >= self.points[0][0]
        for _ in range(30):
            middle = (low + high) / 2
            if (self.at(middle)[0] < x) == rising:
                low = middle
            else:
                high = middle
        return (low + high) / 2

    def path(self, t0: float = 0.0, t1: float = 1.0) -> str:
        """SVG of the piece between two parts of it."""
        a, b, c, d = self._piece(t0, t1)
        if self._flat:
            return f"M{_n(a[0])} {_n(a[1])}L{_n(d[0])} {_n(d[1])}"
        return f"M{_n(a[0])} {_n(a[1])}C{_n(b[0])} {_n(b[1])} {_n(c[0])} {_n(c[1])} {_n(d[0])} {_n(d[1])}"

    @property
    def _flat(self) -> bool:
        (ax, ay), (bx, by), (cx, cy), (dx, dy) = self.points
        return all(abs((dx - ax) * (y - ay) - (dy - ay) * (x - ax)) < 0.5 for x, y in ((bx, by), (cx, cy)))

    def _piece(self, t0: float, t1: float) -> tuple[Point, Point, Point, Point]:
        def blossom(r: float, s: float, t: float) -> Point:
            points = list(self.points)
            for v in (r, s, t):
                points = [(p[0] + (q[0] - p[0]) * v, p[1] + (q[1] - p[1]) * v) for p, q in pairwise(points)]
            return points[0]

        return blossom(t0, t0, t0), blossom(t0, t0, t1), blossom(t0, t1, t1), blossom(t1, t1, t1)


class Elbow:
    """A line that goes sideways from `a` and then up or down to `d`; `flip`: it is named from `d` to `a`."""

    def __init__(self, a: Point, d: Point, *, flip: bool = False) -> None:
        self.a, self.corner, self.d = a, (d[0], a[1]), d
        self.flip = flip
        self.across, self.down = abs(d[0] - a[0]), abs(d[1] - a[1])

    @property
    def ends(self) -> tuple[Point, Point]:
        """Where it begins and where it ends."""
        return (self.d, self.a) if self.flip else (self.a, self.d)

    def at(self, t: float) -> Point:
        """The place after the part `t` (0 to 1) of it."""
        return self._at(1 - t if self.flip else t)

    def _at(self, t: float) -> Point:
        gone, (x, y) = t * (self.across + self.down), self.a
        if gone <= self.across:
            return x + (gone if self.d[0] > x else -gone), y
        gone -= self.across
        return self.d[0], y + (gone if self.d[1] > y else -gone)

    def part(self, x: float) -> float:
        """After which part of it it is at `x`."""
        t = min(self.across, abs(x - self.a[0])) / max(1.0, self.across + self.down)
        return 1 - t if self.flip else t

    def path(self, t0: float = 0.0, t1: float = 1.0) -> str:
        """SVG of the piece between two parts of it."""
        if self.flip:
            t0, t1 = 1 - t1, 1 - t0
        turn = self.across / max(1.0, self.across + self.down)
        middle = [self.corner] if t0 < turn < t1 else []
        return points_path([self._at(t0), *middle, self._at(t1)])


def _n(value: float) -> str:
    text = f"{value:.2f}".rstrip("0").rstrip(".")
    return "0" if text == "-0" else text
