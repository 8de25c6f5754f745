"""A sign for each kind of thing that happens."""

from __future__ import annotations

from natslab.views import scene as sc
from natslab.views.events.state import Entry
from natslab.views.scene import Mark, Path, label


def sign(key: str, entry: Entry, x: float, y: float) -> list[Mark]:
    """The sign of an entry around (x, y), 14 pixels wide."""
    kind, verb = entry.kind, entry.verb
    if kind == "server":
        return _server(key, verb, x, y)
    if kind == "wire":
        return _wire(key, verb, x, y)
    if kind == "client":
        return _client(key, verb, x, y)
    if kind == "leader":
        return _leader(key, verb, x, y)
    if kind == "message":
        return _message(key, verb, x, y)
    if kind in ("stream", "consumer"):
        return _stored(key, kind, verb, x, y)
    if kind == "fault":
        d = f"M{x - 3:g} {y - 4.5:g}L{x + 2:g} {y:g}L{x - 3:g} {y + 4.5:g}"
        return [Path(key=f"{key}/sign", d=d, width=2, classes="edge ink round none")]
    if kind == "health":
        d = f"M{x:g} {y - 6.5:g}L{x + 7:g} {y + 5.5:g}H{x - 7:g}Z"
        return [
            Path(key=f"{key}/sign", d=d, width=1.5, classes="edge ink base-ground round"),
            label(f"{key}/sign/text", x, y + 4, "!", "t11 w6 middle"),
        ]
    text = {"check": "✓", "bet": "?"}.get(verb, "✕")
    return [label(f"{key}/sign/text", x, y + 4.5, text, "t13 w6 middle")]


def _cross(x: float, y: float, r: float) -> str:
    return f"M{x - r:g} {y - r:g}L{x + r:g} {y + r:g}M{x + r:g} {y - r:g}L{x - r:g} {y + r:g}"


def _server(key: str, verb: str, x: float, y: float) -> list[Mark]:
    if verb == "down":
        return [Path(key=f"{key}/sign", d=_cross(x, y, 4), width=2.5, classes="edge ink round")]
    if verb == "frozen":
        d = f"M{x - 3:g} {y - 5:g}V{y + 5:g}M{x + 3:g} {y - 5:g}V{y + 5:g}"
        return [Path(key=f"{key}/sign", d=d, width=2.5, classes="edge ink round")]
    if verb in ("lame duck", "removed"):
        return [sc.Circle(key=f"{key}/sign", x=x, y=y, r=5, width=1.5, classes="edge ink2 none", dash="3 2")]
    if verb == "goes on":
        d = f"M{x - 3.5:g} {y - 5:g}L{x + 5:g} {y:g}L{x - 3.5:g} {y + 5:g}Z"
        return [Path(key=f"{key}/sign", d=d, classes="fill ink")]
    return [sc.Circle(key=f"{key}/sign", x=x, y=y, r=5, classes="fill ink")]


def _wire(key: str, verb: str, x: float, y: float) -> list[Mark]:
    if verb in ("cut", "held"):
        marks: list[Mark] = [
            Path(
                key=f"{key}/sign",
                d=f"M{x - 7:g} {y:g}H{x - 3:g}M{x + 3:g} {y:g}H{x + 7:g}",
                width=1.5,
                classes="edge ink2",
            ),
            Path(
                key=f"{key}/sign/wall",
                d=f"M{x:g} {y - 7:g}V{y + 7:g}",
                width=2.5,
                dash="4 2",
                classes="edge ink",
            ),
        ]
        return marks
    if verb == "delayed":
        return [Path(key=f"{key}/sign", d=f"M{x - 7:g} {y:g}H{x + 7:g}", width=2.5, classes="edge retry")]
    dash = "3 3" if verb == "lost" else ""
    ink = "ink" if verb == "healed" else "ink2"
    return [
        Path(key=f"{key}/sign", d=f"M{x - 7:g} {y:g}H{x + 7:g}", width=2, dash=dash, classes=f"edge {ink}")
    ]


def _client(key: str, verb: str, x: float, y: float) -> list[Mark]:
    if verb == "dropped":
        return [Path(key=f"{key}/sign", d=_cross(x, y, 4), width=2, classes="edge dead round")]
    look, r = ("edge ink2 none", 3.2) if verb in ("lost", "closed") else ("fill ink2", 3.5)
    return [sc.Circle(key=f"{key}/sign", x=x, y=y, r=r, width=1.5, classes=look)]


def _stored(key: str, kind: str, verb: str, x: float, y: float) -> list[Mark]:
    gone = verb in ("deleted", "message deleted", "purged")
    look = "ghost" if gone else "stored edge base-ground"
    marks: list[Mark] = [
        sc.Rect(key=f"{key}/sign", x=x - 6, y=y - 6, w=12, h=12, r=3, width=1 if gone else 1.75, classes=look)
    ]
    if kind == "consumer":
        marks.append(
            sc.Circle(key=f"{key}/sign/in", x=x, y=y, r=2.5, classes="fill ink3" if gone else "fill ink2")
        )
    return marks


def _leader(key: str, verb: str, x: float, y: float) -> list[Mark]:
    dash = "3 2" if verb in ("nobody", "quorum lost", "asked to step down", "stood down") else ""
    marks: list[Mark] = [
        sc.Circle(key=f"{key}/sign", x=x, y=y, r=6.5, width=1.25, dash=dash, classes="edge ink none")
    ]
    if verb == "quorum lost":
        return [
            *marks,
            Path(key=f"{key}/sign/cross", d=_cross(x, y, 2.5), width=1.75, classes="edge ink round"),
        ]
    if verb != "nobody":
        marks.append(sc.Circle(key=f"{key}/sign/in", x=x, y=y, r=3.5, width=1.25, classes="edge ink none"))
    return marks


def _message(key: str, verb: str, x: float, y: float) -> list[Mark]:
    if verb in ("nak", "expired"):
        guess = " inferred" if verb == "expired" else ""
        d = f"M{x:g} {y - 6:g}L{x + 6.5:g} {y + 5.5:g}H{x - 6.5:g}Z"
        return [Path(key=f"{key}/sign", d=d, classes=f"fill retry{guess}")]
    box = sc.Rect(key=f"{key}/sign", x=x - 6, y=y - 6, w=12, h=12, r=2.5, classes="fill dead")
    if verb == "term":
        return [
            box,
            Path(key=f"{key}/sign/cross", d=_cross(x, y, 2.6), width=1.5, classes="edge ground round"),
        ]
    return [box, label(f"{key}/sign/text", x, y + 4, "!", "t11 w6 on dead middle")]
