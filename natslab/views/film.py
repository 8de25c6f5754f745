"""A filmstrip: what happened last, in a few small pictures of moments that really were.

A view that has one offers two functions more than `view.py` asks for:

    def moments(state) -> Film      which moments of the tape, and in a sentence what happened
    def frame(state) -> Frame       one of them, small
"""

from __future__ import annotations

from typing import Any

import msgspec

from natslab.errors import CommandError
from natslab.tape.tape import Tape
from natslab.views import view as views
from natslab.views.marks import rect
from natslab.views.player import Player
from natslab.views.scene import Circle, Flight, Group, Mark, Scene, Text, label, wrapped
from natslab.views.view import Table, blank
from natslab.views.wording import listed

WIDE, GAP, LEFT, TOP = 198.0, 20.0, 24.0, 120.0  # of a frame, between two, of the first
LEAST, MOST = 3, 4  # frames
LINES, LINE = 3, 17.0  # of words under a frame
PAD = 14.0  # px between a frame's side and its words


class Moment(msgspec.Struct, frozen=True):
    """One moment: right after event `n`, or after the last event that is not later than `t`."""

    word: str  # e.g. "silence"
    n: int = 0
    t: float = 0.0  # tape seconds


class Film(msgspec.Struct):
    """What happened last. Without moments, the sentence says why there are none and the note what to do."""

    sentence: str  # without times
    timed: str = ""  # the same with times, for the picture
    note: str = ""
    sources: str = ""  # where the view says so itself
    moments: list[Moment] = []
    selection: str = ""  # key of what all frames are of


class Frame(msgspec.Struct):
    """One moment in a box that is WIDE px wide; y = 0 is under its head."""

    marks: list[Mark]
    height: float  # where the marks end
    words: str
    row: dict[str, str]  # the facts of its row in the table, by column; none = nothing there yet
    flights: list[Flight] = []


class Strip(msgspec.Struct):
    """A film that was made."""

    at: list[int]  # the events after which its frames are
    scene: Scene
    sentence: str
    table: Table


def strip(player: Player, n: int | None = None) -> Strip:
    """The filmstrip of a view after event `n` (default: the newest). Raises CommandError if it has none."""
    view = player.view
    if not hasattr(view, "moments"):
        films = [name for name in views.names() if hasattr(views.load(name), "moments")]
        raise CommandError(f"The {player.name} view has no filmstrip.", f"There is one of {listed(films)}.")
    tape, last = player.tape, player.at(n)
    film: Film = view.moments(last)
    at = [(m, m.n or _until(tape, m.t)) for m in film.moments]
    if not at:
        raise CommandError(film.sentence, film.note)
    at = [(m, n) for m, n in at if n >= tape.first][-MOST:]
    states = [player.at(n) for _, n in at]
    for state in states:
        state.mode, state.selection = "paused", film.selection
    made: list[Frame] = [view.frame(state) for state in states]
    known = [i for i, frame in enumerate(made) if frame.row]  # what was new had no name yet at first
    if len(known) < LEAST:
        raise CommandError("The tape has too little of what happened last to show in frames.", "Do it again.")
    at, states, frames = [at[i] for i in known], [states[i] for i in known], [made[i] for i in known]
    scene = blank(
        last, player.name, view.TITLE, film.sources or view.SOURCES, film.timed or film.sentence, film.note
    )
    high = max(frame.height for frame in frames)
    words = [wrapped([(frame.words, "t12 ink2")], WIDE - 2 * PAD, LINES) for frame in frames]
    low = high + 58 + LINE * max(map(len, words))
    for i, (frame, state) in enumerate(zip(frames, states, strict=True)):
        marks, flights = _box(i, at[i][0].word, frame, words[i], state.now, high, low)
        scene.marks += marks
        scene.flights += flights
    scene.height = TOP + low + 8
    columns = ["Frame", "Is", *frames[0].row, "What"]
    rows = [
        [str(i + 1), at[i][0].word, *frame.row.values(), view.describe(state)[0]]
        for i, (frame, state) in enumerate(zip(frames, states, strict=True))
    ]
    return Strip(
        [n for _, n in at],
        scene,
        film.sentence,
        Table(columns, rows, [f"frame/{i + 1}" for i in range(len(rows))]),
    )


def _until(tape: Tape, t: float) -> int:
    """The last event that is not later than `t`."""
    low, high = tape.first, tape.head
    while low < high:
        middle = (low + high + 1) // 2
        if tape.between(middle - 1, middle)[0].t <= t:
            low = middle
        else:
            high = middle - 1
    return low


def _box(
    i: int, word: str, frame: Frame, words: list[list[tuple[str, str]]], now: float, high: float, low: float
) -> tuple[list[Mark], list[Flight]]:
    """A frame with its number, word and time above it, and its words below; all ends at `low`."""
    key, x, y = f"frame/{i + 1}", LEFT + (WIDE + GAP) * i, TOP
    marks: list[Mark] = [
        rect(f"{key}/box", 0, 0, WIDE, low, "edge line none", 10),
        Circle(key=f"{key}/badge", x=PAD + 10, y=25, r=9, classes="fill ink"),
        label(f"{key}/number", PAD + 10, 29, str(i + 1), "t11 w6 ground middle"),
        label(f"{key}/word", PAD + 26, 30, word, "t14 w6"),
        label(f"{key}/time", WIDE - PAD, 29, f"{now:.3f} s", "mono t11 ink2 end"),
        Group(key=f"{key}/picture", y=44, marks=[_keyed(key, mark) for mark in frame.marks]),
    ]
    for j, runs in enumerate(words):
        marks.append(Text(key=f"{key}/words/{j}", x=PAD, y=high + 62 + LINE * j, runs=runs))
    flights = [
        msgspec.structs.replace(f, key=f"{key}/{f.key}", x=round(f.x + x, 2), y=round(f.y + y + 44, 2))
        for f in frame.flights
    ]
    return [Group(key=key, x=x, y=y, marks=marks, title=f"{word}: {frame.words}")], flights


def _keyed(key: str, mark: Mark) -> Mark:
    """The same mark under a key of this frame."""
    changed: dict[str, Any] = {"key": f"{key}/{mark.key}"}
    if isinstance(mark, Group):
        changed["marks"] = [_keyed(key, one) for one in mark.marks]
    return msgspec.structs.replace(mark, **changed)
