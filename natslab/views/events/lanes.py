"""The lanes of the events picture: one per server, with what became of it and where things happened."""

from __future__ import annotations

from typing import NamedTuple

import msgspec

from natslab.views import scene as sc
from natslab.views.events.state import Entry, State
from natslab.views.scene import NARROW, WIDTH, Mark, Path, label, text_width
from natslab.views.wording import fit, plain

MOST = 9


class Places(NamedTuple):
    """What stands where, from left to right."""

    time: float  # times end
    axis: float
    first: float  # the lanes begin
    pitch: float  # lane to lane
    gap: float  # from the lanes to the signs
    end: float  # words end


WIDE, SLIM = Places(84.0, 96.0, 118.0, 24.0, 22.0, 876.0), Places(72.0, 82.0, 93.0, 18.0, 14.0, NARROW - 24.0)


def places(state: State) -> Places:
    """The places of a picture of this width."""
    return WIDE if state.width == WIDTH else SLIM


STATES = {"up": "", "lame duck": "", "frozen": "2 3", "starting": "2 3"}


class Lane(msgspec.Struct):
    """One server's line."""

    name: str
    text: str
    x: float


def lanes_of(state: State) -> tuple[list[Lane], float]:
    """A lane per server that there is or was, in the order of their names, and where they end."""
    names = sorted(state.known, key=lambda n: (state.clusters.get(n, ""), _natural(n)))[:MOST]
    texts = [_short(state, n) for n in names]
    at = places(state)
    most = 52.0 if at is WIDE else min(40.0, 140.0 / max(1, len(texts)))
    wide = max([at.pitch, *(min(text_width(t, "t11") + 8, most) for t in texts)])
    lanes = [
        Lane(name, fit(text, wide - 6, "t11"), round(at.first + wide * (i + 0.5), 2))
        for i, (name, text) in enumerate(zip(names, texts, strict=True))
    ]
    return lanes, at.first + wide * len(lanes)


def _natural(name: str) -> tuple[str, int]:
    head = name.rstrip("0123456789")
    tail = name[len(head) :][:9]
    return head, int(tail) if tail.isascii() and tail.isdecimal() else 0


def _short(state: State, name: str) -> str:
    cluster = state.clusters.get(name, "")
    return plain((name.removeprefix(f"{cluster}-") if cluster else name) or name)


def several(state: State, lanes: list[Lane]) -> bool:
    """Whether the lanes are of several clusters."""
    return len({state.clusters.get(lane.name, "") for lane in lanes} - {""}) > 1


def heads(state: State, lanes: list[Lane], y: float) -> list[Mark]:
    """The names over the lanes; over those of several clusters also the clusters'."""
    marks: list[Mark] = [
        label(
            f"lane/{lane.name}/name",
            lane.x,
            y,
            lane.text,
            "t11 ink2 middle",
            title=f"Server {plain(lane.name)}.",
        )
        for lane in lanes
    ]
    groups: dict[str, list[Lane]] = {}
    for lane in lanes:
        groups.setdefault(state.clusters.get(lane.name, ""), []).append(lane)
    if several(state, lanes):
        for name, group in groups.items():
            room = group[-1].x - group[0].x + places(state).pitch - 4
            text = fit(name, room, "t11")
            if name and text_width(text, "t11") <= room:
                marks.append(
                    label(
                        f"lane/{name}/cluster",
                        (group[0].x + group[-1].x) / 2,
                        y - 14,
                        text,
                        "t11 ink3 middle",
                    )
                )
    return marks


def lines(
    state: State, lanes: list[Lane], shown: list[Entry], rows: list[float], top: float, end: float
) -> list[Mark]:
    """What became of each server: a line while it is up, dotted while it is frozen, none while it is down."""
    marks: list[Mark] = []
    for lane in lanes:
        at, now = top, _before(state, lane.name, shown[0].n)
        n = 0
        for life in state.lives:
            if life.name != lane.name or life.n < shown[0].n:
                continue
            y = next(
                (row for e, row in zip(reversed(shown), reversed(rows), strict=True) if e.n <= life.n), top
            )
            marks += _stretch(f"lane/{lane.name}/{n}", lane.x, at, y, now)
            at, now, n = max(at, y), life.state, n + 1
        marks += _stretch(f"lane/{lane.name}/{n}", lane.x, at, end, now)
    return marks


def _before(state: State, name: str, n: int) -> str:
    """What a server was right before event `n`."""
    known = [life.state for life in state.lives if life.name == name and life.n < n]
    if known:
        return known[-1]
    later = any(life.name == name for life in state.lives)
    return "" if later else state.known.get(name, "")


def _stretch(key: str, x: float, y0: float, y1: float, state: str) -> list[Mark]:
    if state not in STATES or y1 - y0 < 1:
        return []
    dash = STATES[state]
    return [Path(key=key, d=f"M{x:g} {y0:g}V{y1:g}", width=1.5, dash=dash, classes="edge line none")]


def spots(key: str, entry: Entry, lanes: list[Lane], y: float) -> list[Mark]:
    """Where an entry happened: a dot in the lane of each server, joined for what joins servers."""
    xs = [lane.x for lane in lanes if lane.name in entry.places]
    marks: list[Mark] = []
    if entry.kind == "wire" and len(xs) > 1:
        shut = entry.verb in ("cut", "held", "lost")
        marks.append(
            Path(key=f"{key}/join", d=f"M{min(xs):g} {y:g}H{max(xs):g}", width=1.5, classes="edge ink2 none",
                 dash="3 3" if shut else "")
        )  # fmt: skip
    strong = entry.kind in ("server", "wire", "leader", "health")
    for i, x in enumerate(xs):
        classes = "fill ink" if strong else "fill ink2"
        if entry.kind == "server" and entry.verb in ("down", "removed"):
            d = f"M{x - 3:g} {y - 3:g}L{x + 3:g} {y + 3:g}M{x + 3:g} {y - 3:g}L{x - 3:g} {y + 3:g}"
            marks.append(Path(key=f"{key}/spot{i}", d=d, width=2, classes="edge ink round"))
        else:
            marks.append(sc.Circle(key=f"{key}/spot{i}", x=x, y=y, r=3.5 if strong else 2.7, classes=classes))
    return marks
