"""Room for words in the ring: the first place of several where they touch nothing."""

from __future__ import annotations

import re

from natslab.views.scene import Mark, Text, text_width

Spot = tuple[float, float, str]  # x, baseline, and how the text stands to x: "", middle or end
Runs = list[tuple[str, str]]


class Room:
    """Rectangles that are taken."""

    def __init__(self, left: float, right: float) -> None:
        self.left = left
        self.right = right
        self.taken: list[tuple[float, float, float, float]] = []

    def take(self, x0: float, y0: float, x1: float, y1: float) -> None:
        """Nothing may be written here."""
        self.taken.append((x0, y0, x1, y1))

    def free(self, x0: float, y0: float, x1: float, y1: float) -> bool:
        """Whether nothing was put there, and it is inside."""
        if x0 < self.left or x1 > self.right:
            return False
        return all(x1 <= a or c <= x0 or y1 <= b or d <= y0 for a, b, c, d in self.taken)

    def put(self, key: str, text: str, classes: str, spots: list[Spot]) -> Text | None:
        """Words at the first spot that has room; None if none has."""
        for x, y, how in spots:
            box = bounds([(text, classes)], x, y, how)
            if self.free(*box):
                self.take(*box)
                return Text(
                    key=key, x=round(x, 2), y=round(y, 2), runs=[(text, f"{classes} {how} halo".strip())]
                )
        return None

    def block(self, key: str, lines: Runs, spots: list[Spot]) -> list[Mark]:
        """Lines of one run each below each other, at the first spot that has room for all."""
        for x, y, how in spots:
            boxes = [bounds([line], x, y + 17 * i, how) for i, line in enumerate(lines)]
            if all(self.free(*box) for box in boxes):
                for box in boxes:
                    self.take(*box)
                return [
                    Text(key=f"{key}/{i}", x=round(x, 2), y=round(y + 17 * i, 2),
                         runs=[(text, f"{classes} {how} halo".strip())])
                    for i, (text, classes) in enumerate(lines)
                ]  # fmt: skip
        return []

    def lines(self, key: str, runs: Runs, detail: str, spot: Spot) -> list[Mark]:
        """A line of runs and a second one below it, kept inside; the room is taken."""
        x, y, how = spot
        marks: list[Mark] = []
        for i, (line, base) in enumerate(((runs, y), ([(detail, "t12 ink2")], y + 17))):
            if not line[0][0]:
                continue
            x0, y0, x1, y1 = bounds(line, x, base, how)
            shift = max(0.0, self.left - x0) - max(0.0, x1 - self.right)
            self.take(x0 + shift, y0, x1 + shift, y1)
            drawn = [(text, f"{classes} halo") for text, classes in line]
            drawn[0] = (drawn[0][0], f"{drawn[0][1]} {how}".strip())
            at = (round(x + shift, 2), round(base, 2))
            marks.append(Text(key=f"{key}{'/detail' if i else ''}", x=at[0], y=at[1], runs=drawn))
        return marks


def bounds(runs: Runs, x: float, y: float, how: str) -> tuple[float, float, float, float]:
    """The rectangle that a line of text needs."""
    wide = sum(text_width(text, classes) for text, classes in runs)
    size = max(int(m[1]) for _, c in runs for m in [re.search(r"t(\d\d)", c)] if m)
    left = x - (wide / 2 if how == "middle" else wide if how == "end" else 0)
    return left, y - 0.78 * size, left + wide, y + 0.24 * size


def short_names(peers: list[str], room: float) -> dict[str, str]:
    """Names that fit into a segment, and tell the members apart; "" where there are none."""
    for cut in (str, lambda p: p.rsplit("-", 1)[-1], initials):
        short = {p: cut(p) for p in peers}
        if len(set(short.values())) == len(peers) and all(
            text_width(s, "t12 w6") <= room for s in short.values()
        ):
            return short
    return dict.fromkeys(peers, "")


def initials(name: str) -> str:
    """The first letter of a cluster and the number of its server, e.g. E1 for EAST-n1."""
    return name[:1] + name[len(name.rstrip("0123456789")) :]
