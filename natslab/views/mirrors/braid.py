"""Several sources of one stream: how their messages came together, and how many of each."""

from __future__ import annotations

import math
from itertools import pairwise

from natslab.views import scene as sc
from natslab.views.marks import rect
from natslab.views.mirrors.plan import GAP, NAMES, SLOT, Places, fits, slot_for
from natslab.views.mirrors.state import Link, Stream
from natslab.views.scene import Mark, Path, Text, label, text_width
from natslab.views.wording import amount, count_of, fit, short_name

STRAND = 34.0  # source to source


def braid_of(stream: Stream, places: Places, top: float) -> tuple[list[Mark], float]:
    """The marks from `top` on, and where they end.

    Columns are the stream's own sequence, rows its sources; a thread runs through the messages in order.
    """
    links = [li for li in stream.links if not li.mirror and li.cut == math.inf]
    came = sorted((own, seq, i) for i, li in enumerate(links) for seq, own in li.pairs)
    wide = slot_for([n for own, seq, _ in came for n in (own, seq)])
    pitch = wide + GAP
    came = came[-fits(places, wide) :]
    title = f"{short_name(stream.name, 40)}\u2002"
    words = f"{count_of(len(links), 'source')} in one stream: its own numbers above, theirs in the slots"
    words = fit(words, places.end - NAMES - text_width(title, "t14 w6"), "t12")
    marks: list[Mark] = [
        Path(
            key=f"braid/{stream.name}/line", d=f"M{NAMES:g} {top - 12:g}H{places.end:g}", classes="edge hair"
        ),
        Text(key=f"braid/{stream.name}", x=NAMES, y=top + 14, runs=[(title, "t14 w6"), (words, "t12 ink3")]),
    ]
    first = top + 68
    ys = [first + i * STRAND for i in range(len(links))]
    taken = math.inf
    for at in reversed(range(len(came))):
        number, x = amount(came[at][0]), places.grid + at * pitch + wide / 2
        half = text_width(number, "t11") / 2 + 3
        if x + half < taken:
            taken = x - half
            marks.append(
                label(f"braid/{stream.name}/head/{number}", x, first - 22, number, "t11 ink3 num middle")
            )
    if len(came) > 1:
        marks.append(
            _thread(stream.name, [(places.grid + i * pitch + wide / 2, ys[c[2]]) for i, c in enumerate(came)])
        )
    for at, (own, seq, row) in enumerate(came):
        marks.append(_slot(stream, links[row], own, seq, places.grid + at * pitch, ys[row], wide))
    for link, y in zip(links, ys, strict=True):
        marks.append(_strand(stream, link, places, y))
    if not came:
        words = f"{count_of(stream.messages, 'message')}, told only in sum" if stream.messages else "empty"
        marks.append(label(f"braid/{stream.name}/none", places.grid, first + 4, words, "t12 ink3"))
    bottom = ys[-1] + 26
    rest = beside(stream)
    if rest:
        rest = fit(rest, places.end - places.grid, "t12")
        marks.append(label(f"braid/{stream.name}/rest", places.grid, bottom + 6, rest, "t12 ink3"))
        bottom += 20
    return marks, bottom


def beside(stream: Stream) -> str:
    """What is in the stream beside the messages whose origin is known; "" if nothing is."""
    parts = []
    if stream.own:
        parts.append(f"{count_of(stream.own, 'message')} written here")
    if stream.rushed:
        parts.append(f"{count_of(stream.rushed, 'message')} came in a rush: only counted")
    return ", ".join(parts)


def _thread(name: str, points: list[tuple[float, float]]) -> Path:
    """A line through the messages in the order in which they came, bending between the rows."""
    d = f"M{points[0][0]:g} {points[0][1]:g}"
    for (x0, y0), (x1, y1) in pairwise(points):
        middle = (x0 + x1) / 2
        d += f"L{x1:g} {y1:g}" if y0 == y1 else f"C{middle:g} {y0:g} {middle:g} {y1:g} {x1:g} {y1:g}"
    return Path(key=f"braid/{name}/thread", d=d, width=1.5, classes="edge line way")


def _slot(stream: Stream, link: Link, own: int, seq: int, x: float, y: float, wide: float) -> Mark:
    """One message in the row of its source, with the number it has there."""
    key, text = f"braid/{stream.name}/msg/{own}", str(seq)
    here = stream.has(own)
    shape, width = ("stored edge base-ground", 1.75) if here else ("ghost base-ground", 1.0)
    inside: list[Mark] = [rect(f"{key}/box", 0, 0, wide, SLOT, shape, 5, width=width)]
    inside.append(label(f"{key}/n", wide / 2, 15, text, f"t11 num middle{'' if here else ' ink3'}"))
    return sc.Group(
        key=key,
        x=round(x, 2),
        y=y - SLOT / 2,
        marks=inside,
        title=f"Message {own} of {short_name(stream.name, 40)} was {seq} of {short_name(link.origin, 40)}.",
        state={"what": "here" if here else "gone"},
        light=[f"msg/{stream.name}/{own}", f"msg/{link.origin}/{seq}"],
    )


def _strand(stream: Stream, link: Link, places: Places, y: float) -> Mark:
    """A source of the braid: its name, and how many came from it."""
    key = f"braid/{stream.name}/{link.index}"
    inside: list[Mark] = [
        label(f"{key}/name", NAMES, y + 4, fit(link.origin, places.grid - NAMES - 20, "t13"), "t13")
    ]
    if link.carried:
        inside.append(label(f"{key}/count", places.side, y + 6, amount(link.carried), "t20 w6 num"))
        x = places.side + text_width(amount(link.carried), "t20 w6") + 6
        inside.append(label(f"{key}/word", x, y + 5, "came", "t12 ink3"))
    name = short_name(link.origin, 40)
    title = f"{count_of(link.carried, 'message')} of {short_name(stream.name, 40)} came from {name}."
    return sc.Group(key=key, marks=inside, title=title, state={"came": link.carried})
