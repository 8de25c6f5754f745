"""The small signs of the KV picture: eyes, hourglasses, ticks and crosses."""

from __future__ import annotations

from natslab.views.marks import rect
from natslab.views.scene import Circle, Mark, Path


def _p(value: float) -> str:
    return f"{round(value, 2):g}"


def eye(key: str, x: float, y: float, open_: bool = True) -> list[Mark]:
    """An eye 20 wide around (x, y); closed when the watcher is gone."""
    lid = f"M{_p(x - 10)} {_p(y)}C{_p(x - 5)} {_p(y - 8)} {_p(x + 5)} {_p(y - 8)} {_p(x + 10)} {_p(y)}"
    low = f"C{_p(x + 5)} {_p(y + 8)} {_p(x - 5)} {_p(y + 8)} {_p(x - 10)} {_p(y)}Z"
    if not open_:
        shut = f"M{_p(x - 10)} {_p(y)}C{_p(x - 5)} {_p(y + 6)} {_p(x + 5)} {_p(y + 6)} {_p(x + 10)} {_p(y)}"
        return [Path(key=f"{key}/lid", d=shut, width=1.5, classes="edge ink3 none round")]
    return [
        Path(key=f"{key}/lid", d=lid + low, width=1.5, classes="edge ink base-ground round"),
        Circle(key=f"{key}/pupil", x=x, y=y, r=3, classes="fill ink"),
    ]


def cross(key: str, x: float, y: float, r: float, classes: str, width: float = 1.75) -> Path:
    """A ✕ of radius `r`."""
    d = f"M{_p(x - r)} {_p(y - r)}L{_p(x + r)} {_p(y + r)}M{_p(x - r)} {_p(y + r)}L{_p(x + r)} {_p(y - r)}"
    return Path(key=key, d=d, width=width, classes=f"{classes} round none")


def tick(key: str, x: float, y: float, classes: str, width: float = 1.75, r: float = 3.4) -> Path:
    """A ✓ around (x, y)."""
    d = f"M{_p(x - r)} {_p(y + 0.2)}L{_p(x - r / 4)} {_p(y + r * 0.75)}L{_p(x + r)} {_p(y - r * 0.75)}"
    return Path(key=key, d=d, width=width, classes=f"{classes} round none")


def accepted(key: str, x: float, y: float) -> list[Mark]:
    """✓ on a disc."""
    disc = Circle(key=f"{key}/disc", x=round(x, 2), y=y, r=7.5, classes="done fill")
    return [disc, tick(f"{key}/tick", x, y, "edge ground")]


def refused(key: str, x: float, y: float) -> list[Mark]:
    """✕ on a square."""
    box = rect(f"{key}/box", x - 7.5, y - 7.5, 15, 15, "dead fill", 2.5)
    return [box, cross(f"{key}/cross", x, y, 3, "edge ground")]


def hourglass(key: str, x: float, y: float, classes: str = "edge ink2") -> Path:
    """⧗, 8 wide and 11 high."""
    d = (
        f"M{_p(x - 4)} {_p(y - 5.5)}H{_p(x + 4)}L{_p(x - 4)} {_p(y + 5.5)}"
        f"H{_p(x + 4)}L{_p(x - 4)} {_p(y - 5.5)}Z"
    )
    return Path(key=key, d=d, width=1.25, classes=f"{classes} round none")


def arch(x0: float, y0: float, x1: float, y1: float, peak: float) -> str:
    """A path up from one point, along `peak`, and straight down onto another."""
    bend = min(12.0, abs(x1 - x0) / 2)
    up = f"M{_p(x0)} {_p(y0)}C{_p(x0)} {_p(peak)} {_p(x0)} {_p(peak)} {_p(x0 + bend)} {_p(peak)}"
    down = f"L{_p(x1 - bend)} {_p(peak)}C{_p(x1)} {_p(peak)} {_p(x1)} {_p(peak)} {_p(x1)} {_p(peak + 8)}"
    return f"{up}{down}L{_p(x1)} {_p(y1)}"
