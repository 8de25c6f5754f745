"""The events picture: a line per thing that happened, newest last, with its time and its servers."""

from __future__ import annotations

from natslab.views import scene as sc
from natslab.views.events.lanes import SLIM, Places, heads, lanes_of, lines, places, several, spots
from natslab.views.events.signs import sign
from natslab.views.events.state import KINDS, Entry, State
from natslab.views.events.text import Run, detail, line_of, sentence_of, weight
from natslab.views.events.words import describe, key_of, older_of, shown_of
from natslab.views.marks import rect
from natslab.views.scene import Legend, Mark, Path, Scene, label, text_width
from natslab.views.view import blank
from natslab.views.wording import amount, fit, listed

TITLE = "Events"
SOURCES = "told by servers, clients and wires"
ROW, IDLE = 24.0, 26.0  # line to line; more where time passed
PAUSE = 5.0  # seconds without anything that are shown as such
SOON = 1.0  # seconds after another line for which only the difference is told


def draw(state: State) -> Scene:
    """The newest lines; lanes show where, the axis shows when."""
    scene = blank(state, "events", TITLE, SOURCES, *describe(state))
    scene.width = state.width
    spot = places(state)
    shown = shown_of(state)
    if not shown:
        if state.of:
            kinds = f"kinds of things: {', '.join(KINDS.values())}; or a name"
            scene.marks = [label("nothing/", 24, 124, fit(kinds, spot.end - 24, "t11"), "t11 ink3")]
        return scene
    lanes, left = lanes_of(state)
    head = 142.0 if several(state, lanes) else 128.0
    top = head + 24
    rows, gaps, y = _rows(shown, top, bool(older_of(state)))
    bottom = y + 4
    of = fit(listed(list(state.of)), 300, "t11") if state.of else ""
    marks: list[Mark] = [
        label("head/time", spot.time, head, "time", "t11 ink3 end"),
        *heads(state, lanes, head),
        label(
            "total/",
            spot.end,
            head,
            f"{amount(state.total)} {f'about {of}' if of else 'in all'}",
            "t11 ink3 end num",
        ),
    ]
    first, top = top, top - 16
    marks += lines(state, lanes, shown, rows, top, bottom)
    marks.append(Path(key="axis", d=f"M{spot.axis:g} {top:g}V{bottom:g}", classes="edge hair"))
    x = max(left, spot.axis + 8) + spot.gap
    if older_of(state):
        marks.append(label("more/", x + 16, first + 4, f"{amount(older_of(state))} before", "t12 ink3"))
    for key, at, seconds in gaps:
        marks += _gap(key, spot, at, seconds)
    before: Entry | None = None
    for entry, at in zip(shown, rows, strict=True):
        marks += _line(entry, spot, at, x, _when(entry, before), spots(key_of(entry), entry, lanes, at))
        before = entry
    scene.marks = marks
    scene.height = bottom + 16
    scene.legend = _legend(state)
    return scene


def _rows(
    shown: list[Entry], top: float, older: bool
) -> tuple[list[float], list[tuple[str, float, float]], float]:
    """Where each line stands, where nothing happened for a while, and where all ends."""
    y = top + (ROW if older else 0.0)
    rows, gaps = [], []
    for i, entry in enumerate(shown):
        idle = entry.t - shown[i - 1].last if i else 0.0
        if idle >= PAUSE:
            gaps.append((f"gap/{entry.n}/{entry.kind}", y - ROW / 2 + IDLE / 2, idle))
            y += IDLE
        rows.append(y)
        y += ROW
    return rows, gaps, y - ROW / 2


def clock(t: float) -> str:
    """Tape time: 01:23.4."""
    tenths = max(0, round(10 * t))
    return f"{tenths // 600:02}:{tenths // 10 % 60:02}.{tenths % 10}"


def _when(entry: Entry, before: Entry | None) -> str:
    """The time, or how soon after the line before."""
    if before is None or entry.t - before.t >= SOON:
        return clock(entry.t)
    ms = max(0, round(1000 * (entry.t - before.t)))
    return f"+{ms} ms"


def _gap(key: str, spot: Places, y: float, seconds: float) -> list[Mark]:
    """Time in which nothing happened, not drawn to scale."""
    x, words = spot.axis, f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.0f} min"
    zig = "L".join(f"{x + (3 if i % 2 else -3):g} {y - 8 + 4 * i:g}" for i in range(5))
    return [
        sc.Group(
            key=key,
            title=f"{words} in which nothing happened.",
            state={"seconds": round(seconds, 1)},
            marks=[
                Path(key=f"{key}/ground", d=f"M{x:g} {y - 11:g}V{y + 11:g}", width=9, classes="edge ground"),
                Path(key=f"{key}/zigzag", d=f"M{zig}", classes="edge ink3 round none"),
                label(f"{key}/words", spot.time, y + 4, words, "t11 ink3 end"),
            ],
        )
    ]


def _line(entry: Entry, spot: Places, y: float, x: float, when: str, where: list[Mark]) -> list[Mark]:
    key, strong = key_of(entry), weight(entry)
    marks: list[Mark] = []
    person = entry.kind in ("fault", "check")
    if person:
        marks.append(rect(f"{key}/band", x - 10, y - 11, spot.end - x + 10, 22, "panel2 fill", 5))
    marks += [
        label(f"{key}/time", spot.time, y + 4, when, "t11 mono ink3 end"),
        Path(key=f"{key}/tick", d=f"M{spot.axis - 2.5:g} {y:g}H{spot.axis + 2.5:g}", classes="edge ink3"),
        *where,
        *sign(key, entry, x, y),
        sc.Text(key=f"{key}/text", x=x + 16, y=y + 4.5, runs=_fitted(entry, spot, x + 20, strong)),
    ]
    facts: dict[str, object] = {"kind": entry.kind}
    if entry.count > 1:
        facts["how many"] = entry.count
    if entry.places:
        facts["where"] = ", ".join(entry.places)
    if detail(entry):
        facts["detail"] = detail(entry)
    guess = " Nobody said so: it follows from other events." if entry.guess else ""
    return [sc.Group(key=key, marks=marks, title=f"{sentence_of(entry)}{guess}", state=facts)]


def _fitted(entry: Entry, spot: Places, x: float, strong: int) -> list[Run]:
    """The line in its room, then the detail as far as it fits."""
    ink = "" if strong else " ink2"
    runs: list[Run] = []
    left = spot.end - x
    guess: list[Run] = [("≈ ", "")] if entry.guess else []
    for text, classes in [*guess, *line_of(entry)]:
        size = "t12" if "mono" in classes or spot is SLIM else "t13"
        style = f"{size} {classes}{ink if 'w6' not in classes else ''}".strip()
        cut = fit(text, left, style)
        if left < 14:
            return runs
        # Spaces at the ends of a run are part of the line.
        runs.append((cut, style))
        left -= text_width(cut, style)
    more = detail(entry)
    if entry.verb == "refused":
        more = "refused"
    if more and left > 60:
        runs.append((f"  {fit(more, left - 12, 't12')}", "t12 ink3"))
    return runs


def _legend(state: State) -> list[Legend]:
    """How many of each kind are told, in lines and before."""
    glyphs = {
        "server": Legend("fill ink", "circle", KINDS["server"]),
        "wire": Legend("edge ink2", "line", KINDS["wire"]),
        "client": Legend("fill ink2", "circle", KINDS["client"]),
        "stream": Legend("stored edge base-ground", "square", KINDS["stream"]),
        "consumer": Legend("stored edge base-ground", "square", KINDS["consumer"]),
        "leader": Legend("edge ink none", "ring", KINDS["leader"]),
        "message": Legend("fill retry", "triangle", KINDS["message"]),
        "health": Legend("edge ink base-ground", "triangle", KINDS["health"]),
    }
    return [
        Legend(item.classes, item.glyph, item.word, state.counts[kind])
        for kind, item in glyphs.items()
        if state.counts.get(kind)
    ]
