"""What a view is: a module with a state and four pure functions over it.

    TITLE: str                                 shown in the header
    SOURCES: str                               "seen by the server's message trace"
    class State(ViewState): ...                msgspec structs, lists, dicts, tuples only
    def start(of: tuple[str, ...]) -> State    `of` narrows the view, e.g. to a subject or group
    def fold(state, event) -> None             may change the state; depends on nothing else
    def draw(state) -> Scene
    def describe(state) -> tuple[str, str]     the sentence, and the note under it ("" if none)
    def table(state) -> Table
    def dot(state) -> str                      optional: the same as a graph in DOT
    def moments(state), frame(state)           optional: a filmstrip, see film.py
    def stops(state) -> list[tuple[int, bool]] optional: where a step of the arrow keys ends

No clock, no randomness, no I/O in any of them: `state.now` is the only time. Every number in the
sentence occurs in the table, every row of the table has a mark of the same key in the picture or is
counted in one.

A step goes from one event to the next. A view in which most of them change little names those after
which something is to be seen: the newest that it knows, in order, each with whether it is a turn, where
a far step ends too. Of many of one kind in a row only the last is a stop.

`state.width` is the room that there is: WIDTH, or NARROW where less than 720 pixels are shown. A view
that can draw itself so says it in `Scene.width`; the picture of one that cannot is as wide as ever,
and scrolls sideways.
"""

from __future__ import annotations

import difflib
import html
import importlib
import pkgutil
import types
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import msgspec

from natslab.errors import CommandError
from natslab.tape.event import Event, Leader, Server, Snap
from natslab.views.scene import WIDTH, Scene, shorten
from natslab.views.wording import short_name

#: Modules of this package that are not views; every other one is.
_HOUSE = set(
    "view scene layout marks wording player film frames deltas track show widget recording page".split()
)


class ViewState(msgspec.Struct, kw_only=True):
    """What every view knows; `fold_common` keeps it."""

    now: float = 0.0  # tape seconds; set by the player
    mode: str = "live"
    of: tuple[str, ...] = ()
    selection: str = ""
    width: int = WIDTH  # of the picture
    lab: str = "lab"
    servers: dict[str, str] = {}  # name -> state
    raft_of: dict[str, str] = {}  # "ORDERS" or "ORDERS/billing" -> its RAFT group
    led_by: dict[str, str] = {}  # RAFT group -> the server that leads it, "" when nobody does


def fold_common(state: ViewState, event: Event) -> None:
    """The part of folding that all views share."""
    if event.t > state.now:
        state.now = event.t
    if isinstance(event, Server) and event.state == "removed":
        state.servers.pop(event.name, None)
    elif isinstance(event, Server):
        state.servers[event.name] = event.state
    elif isinstance(event, Leader):
        state.led_by[event.group] = event.leader
    elif isinstance(event, Snap) and event.what == "group":
        name = "/".join(filter(None, (event.data.get("stream"), event.data.get("consumer"))))
        before, state.raft_of[name] = state.raft_of.get(name), str(event.data["group"])
        if before is not None and before != state.raft_of[name]:
            state.led_by.pop(before, None)  # it was made anew


def unheard(state: ViewState) -> str:
    """The sentence while no server says anything: that none is up, or that they are frozen; else ""."""
    if not state.servers or any(s in ("up", "lame duck") for s in state.servers.values()):
        return ""
    frozen = [name for name, s in state.servers.items() if s == "frozen"]
    if len(frozen) == len(state.servers):
        return f"{frozen[0]} is frozen." if len(frozen) == 1 else "All servers are frozen."
    return "No server is up."


def unled(state: ViewState, names: Iterable[str]) -> list[str]:
    """Those of the streams ("ORDERS") and consumers ("ORDERS/billing") that nobody leads."""
    return [name for name in names if state.led_by.get(state.raft_of.get(name, ""), "?") == ""]


def silent(state: ViewState, places: Iterable[str] = (), names: Iterable[str] = ()) -> str:
    """For a note: that what is shown is not of now, because who said it is down or frozen; else "".

    `places` are the servers whose word it is; of others it does not matter what they do. `names` are the
    streams and consumers, as in `unled`: what nobody leads does nothing.
    """
    said = unheard(state)
    if not said and (left := unled(state, names)):
        name = short_name(left[0].rpartition("/")[2])
        return f"Nobody leads {name}: nothing comes or goes, and this is what was said last."
    if said and len(state.servers) > 1:
        return f"{said[:-1]}: this is what they said last."
    whose = state.servers if said or not state.servers else sorted(set(filter(None, places)))
    off = {name: state.servers.get(name, "no longer in this lab") for name in whose}
    off = {name: is_ for name, is_ in off.items() if is_ not in ("up", "lame duck")}
    if not off:
        return ""
    who = " and ".join(f"{name} is {is_}" for name, is_ in off.items())
    return f"{who}: this is what {'it' if len(off) == 1 else 'they'} said last."


def selected(selection: str, key: str) -> bool:
    """Whether the mark `key` is lit by a selection: it is the same thing, a part of it, or the whole of it.

    Parts follow after a `/` or `@`: `msg/ORDERS/5` lights `msg/ORDERS/5@billing` and the other way round.
    """
    a, b = sorted((selection, key), key=len)
    return bool(a) and b.startswith(a) and (len(a) == len(b) or b[len(a)] in "/@")


def blank(state: ViewState, view: str, title: str, sources: str, sentence: str = "", note: str = "") -> Scene:
    """A picture of `state` without marks: its header and its words, cut to their room."""
    return Scene(
        view=view,
        title=title,
        height=130,
        now=state.now,
        mode=state.mode,
        lab=state.lab,
        servers=list(state.servers.items()),
        sources=sources,
        sentence=[(shorten(sentence, 852, "t16"), "")] if sentence else [],
        note=[(shorten(note, 852, "t13"), "")] if note else [],
    )


class Table(msgspec.Struct):
    """The same facts in words: one row per entity, `keys` naming the mark of each row.

    `apart`: keys of rows at the top or the end that stay there when a person sorts the others.
    """

    columns: list[str]
    rows: list[list[str]]
    keys: list[str]
    apart: list[str] = []

    def text(self) -> str:
        """Aligned columns; numbers to the right."""
        if not self.rows:
            return ""
        cells = [[_plain(c) for c in row] for row in [self.columns, *self.rows]]
        widths = [max(len(row[i]) for row in cells) for i in range(len(self.columns))]
        right = [all(_number(row[i]) for row in cells[1:]) for i in range(len(widths))]
        lines = [
            "  ".join(c.rjust(w) if r else c.ljust(w) for c, w, r in zip(row, widths, right, strict=True))
            for row in cells
        ]
        return "\n".join(line.rstrip() for line in lines)

    def html(self, view: str) -> str:
        """A plain HTML table; every cell is escaped text."""
        head = "".join(f"<th>{html.escape(c)}</th>" for c in self.columns)
        body = "".join(
            "<tr>" + "".join(f"<td>{html.escape(_plain(c))}</td>" for c in row) + "</tr>" for row in self.rows
        )
        return (
            f'<table class="natslab" data-view="{html.escape(view)}">'
            f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
        )


def _number(text: str) -> bool:
    bare = "".join(text.split()).lstrip("-").replace(".", "", 1)  # thousands may stand apart
    return text in ("", "-") or bare.isdigit()


def _plain(text: str) -> str:
    """Foreign text on one line, control characters made visible."""
    return "".join(c if c.isprintable() else "�" for c in text)


def names() -> list[str]:
    """Every view there is: one module each."""
    here = str(Path(__file__).parent)
    return sorted(m.name for m in pkgutil.iter_modules([here]) if m.name not in _HOUSE)


def load(name: str) -> Any:
    """The view module called `name`; raises CommandError with the nearest name."""
    if name not in names():
        near = difflib.get_close_matches(name, names(), 1)
        hint = f"Did you mean {near[0]}?" if near else f"There are {', '.join(names())}."
        raise CommandError(f"There is no view called {name!r}.", hint)
    module: types.ModuleType = importlib.import_module(f"natslab.views.{name}")
    return module
