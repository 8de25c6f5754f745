"""Pages without a kernel: views as drawn scenes, with the stage that shows them, in one HTML file.

Folding and drawing are Python, so a page carries pictures: the first whole, then what changed, at
those events where most changes. What is written is data in `<script type="application/json">` with
no `<` in it, and the one script that may run is named by its hash: foreign text stays text.
"""

from __future__ import annotations

import base64
import bisect
import hashlib
import html
import itertools
import os
from collections.abc import Callable, Iterable
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from natslab.errors import LabError
from natslab.tape.event import Mark, Server
from natslab.tape.tape import Tape
from natslab.views.deltas import Deltas
from natslab.views.player import Player
from natslab.views.scene import STATIC, to_svg
from natslab.views.track import Track

if TYPE_CHECKING:
    from natslab.views.show import View

MOST = 300  # pictures of one view
LOOKED_AT = 600  # events at which it is found out how much changes
BUDGET = 3_000_000  # bytes of one view's pictures

NOTE = "NATSLAB_SCENES"  # the file to which a kernel writes what it showed
PLACE = "application/vnd.natslab.place+json"

_PAGE = """\
body { margin: 0; background: #fff; color: #1b1c1e; }
body { font: 15px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, sans-serif; }
main { max-width: 1000px; margin: 0 auto; padding: 24px 20px 64px; }
h1 { font-size: 20px; font-weight: 600; margin: 0 0 4px; }
p { margin: 0 0 20px; color: #55585d; }
figure { margin: 0 0 28px; }
@media (prefers-color-scheme: dark) { body { background: #111; color: #e8e9eb; } p { color: #a3a7ad; } }
"""


def reel(player: Player, moments: Iterable[int] = (), most: int = MOST) -> dict[str, Any]:
    """What a page carries of one view: at most `most` pictures, those at `moments` among them; its table;
    and where a step ends."""
    stops = player.stops()
    wanted = set(sorted(set(moments))[-most // 2 :])
    wanted.update([n for n, _ in stops][-max(1, most // 2 - len(wanted)) :])
    drawn = _drawn(player, wanted)
    frames = _chosen(drawn, wanted, most)
    while (size := sum(f.size for f in frames)) > BUDGET and most > 20:
        most = max(20, int(most * 0.9 * BUDGET / size))
        frames = _chosen(drawn, wanted, most)
    pool: dict[tuple[str, tuple[str, ...]], int] = {}
    columns: list[str] = []
    apart: set[str] = set()
    out: list[dict[str, Any]] = []
    before: list[int] = []
    for frame in frames:
        table = player.table(frame.n)
        columns = table.columns
        apart.update(table.apart)
        keyed = zip(table.keys, table.rows, strict=True)
        rows = [pool.setdefault((key, tuple(row)), len(pool)) for key, row in keyed]
        out.append(frame.told() if rows == before and out else {**frame.told(), "rows": rows})
        before = rows
    carried = {"frames": out, "columns": columns, "apart": sorted(apart), "rows": list(pool)}
    return {**carried, "stops": stops} if stops else carried


class _Frame:
    """What changed up to one event, since the frame before."""

    def __init__(self, n: int, t: float, told: dict[str, Any]) -> None:
        self.n = n
        self.t = t
        self._set = {_key(mark): mark for mark in told.pop("set", ())}
        self._del = dict.fromkeys(told.pop("del", ()))
        self._flights = {_key(flight): flight for flight in told.pop("flights", ())}
        self._gone = dict.fromkeys(told.pop("gone", ()))
        self._rest = {k: v for k, v in told.items() if k not in ("op", "full")}

    @property
    def size(self) -> int:
        """Bytes, about."""
        marks = sum(map(_length, self._set.values())) + sum(map(_length, self._flights.values()))
        scene = self._rest.get("scene")
        if scene is not None:
            marks += sum(map(_length, scene["marks"]))
        return marks + sum(len(k) + 3 for k in self._rest.get("order", ())) + 100

    @property
    def empty(self) -> bool:
        """Whether nothing changed."""
        return not (self._set or self._del or self._flights or self._gone or self._rest)

    def and_then(self, later: _Frame) -> _Frame:
        """Both in one."""
        both = _Frame(later.n, later.t, {})
        both._set = {k: v for k, v in self._set.items() if k not in later._del} | later._set
        both._del = {k: None for k in (self._del | later._del) if k not in later._set}
        both._flights = {k: v for k, v in self._flights.items() if k not in later._gone} | later._flights
        both._gone = {k: None for k in (self._gone | later._gone) if k not in later._flights}
        head = {**self._rest.get("head", {}), **later._rest.get("head", {})}
        both._rest = {**self._rest, **later._rest, **({"head": head} if head else {})}
        return both

    def told(self) -> dict[str, Any]:
        """As the page has it."""
        lists = {
            "set": list(self._set.values()), "del": list(self._del),
            "flights": list(self._flights.values()), "gone": list(self._gone),
        }  # fmt: skip
        return {"n": self.n, "t": round(self.t, 4), **{k: v for k, v in lists.items() if v}, **self._rest}


class _Keyed(msgspec.Struct):
    key: str


def _key(raw: msgspec.Raw) -> str:
    return msgspec.json.decode(raw, type=_Keyed).key


def _length(raw: msgspec.Raw) -> int:
    return len(memoryview(raw))


def _drawn(player: Player, wanted: set[int]) -> list[_Frame]:
    """The first picture, and what changed from there on at enough events of the tape."""
    tape = player.tape
    first, last = tape.first, tape.head
    told = [e.n for e in tape.between(first, last) if isinstance(e, (Server, Mark))][: LOOKED_AT // 4]
    step = max(1, (last - first) // (LOOKED_AT - len(told) - len(wanted)))
    places = sorted({*range(first, last, step), *told, *wanted, last})
    deltas = Deltas(controls=False, bounded=False)
    frames = []
    for n in places:
        scene = player.scene(n, mode="paused")
        frames.append(_Frame(n, scene.now, deltas.frame(scene)))
    return frames


def _chosen(drawn: list[_Frame], wanted: set[int], most: int) -> list[_Frame]:
    """At most `most` of them, between which about the same changes; what the others tell is in the next."""
    changed = list(itertools.accumulate(0 if f.empty else f.size for f in drawn[1:]))
    total = changed[-1] if changed else 0
    slots = max(1, most - 1 - len(wanted))
    ends = (
        {1 + bisect.bisect_left(changed, total * (i + 1) / slots) for i in range(slots)} if total else set()
    )
    if sum(not f.empty for f in drawn) <= most:
        ends = set(range(len(drawn)))
    frames, under_way = drawn[:1], None
    for i, frame in enumerate(drawn[1:], 1):
        under_way = frame if under_way is None else under_way.and_then(frame)
        if i in ends or frame.n in wanted or i == len(drawn) - 1:
            if not under_way.empty:
                frames.append(under_way)
            under_way = None
    return frames


class Sheet:
    """Collects what one page carries: tapes and views, each once, and places that show them."""

    def __init__(self) -> None:
        self._tapes: dict[int, str] = {}
        self._reels: dict[tuple[int, str, tuple[str, ...]], tuple[str, Player]] = {}
        self._moments: dict[str, set[int]] = {}

    def add(self, player: Player, to: int | None = None) -> dict[str, Any]:
        """What `place` wants to know of a view that is shown up to event `to`."""
        tape = player.tape
        if id(tape) not in self._tapes:
            self._tapes[id(tape)] = f"natslab-tape-{len(self._tapes)}"
        key = (id(tape), player.name, player.of)
        if key not in self._reels:
            self._reels[key] = (f"natslab-reel-{len(self._reels)}", player)
        name = self._reels[key][0]
        if to is not None:
            self._moments.setdefault(name, set()).add(to)
        return {"reel": name, "tape": self._tapes[id(tape)], "to": to}

    def carried(self) -> dict[str, Any]:
        """Everything that the places need, by the id under which they look for it."""
        players = {id(p.tape): p.tape for _, p in self._reels.values()}
        out: dict[str, Any] = {self._tapes[i]: Track(tape).painted() for i, tape in players.items()}
        out.update({name: reel(player, self._moments.get(name, ())) for name, player in self._reels.values()})
        return out


def place(reel: str, tape: str, to: int | None = None) -> str:
    """The element in which a page shows a view."""
    until = "" if to is None else f' data-to="{to}"'
    return f'<div class="natslab-place" data-reel="{reel}" data-tape="{tape}"{until}></div>'


_noted: Sheet | None = None


def note(player: Player, to: int | None = None) -> dict[str, Any]:
    """For the bundle of a picture: where its scenes will be, when this kernel runs for an export."""
    global _noted
    if not os.environ.get(NOTE):
        return {}
    _noted = _noted or Sheet()
    return {PLACE: _noted.add(player, to)}


def write() -> None:
    """Write the scenes of everything that this kernel showed to the file that asks for them."""
    if _noted is not None:
        Path(os.environ[NOTE]).write_bytes(msgspec.json.encode(_noted.carried()))


def data(carried: dict[str, Any]) -> str:
    """What a page carries, as elements that no browser takes for a script."""
    return "\n".join(
        f'<script type="application/json" id="{name}">{_json(content)}</script>'
        for name, content in carried.items()
    )


def _json(content: Any) -> str:
    text = msgspec.json.encode(content).decode()
    return text.replace("<", "\\u003c").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")


@cache
def script() -> str:
    """The stage for pages. Raises LabError when it was not built."""
    try:
        return (STATIC / "page.js").read_text(encoding="utf-8").strip().replace("</", "<\\/")
    except OSError:
        raise LabError("The stage was not built.", "In a checkout: python hatch_build.py") from None


def policy() -> str:
    """What a page may do: run the stage and nothing else, and load nothing from anywhere."""
    digest = base64.b64encode(hashlib.sha256(script().encode()).digest()).decode()
    rules = f"default-src 'none'; script-src 'sha256-{digest}'; style-src 'unsafe-inline'"
    rules += "; img-src data:; font-src data:"
    return f'<meta http-equiv="Content-Security-Policy" content="{rules}">'


def stylesheet() -> str:
    """The style of the stage."""
    return "\n".join((STATIC / name).read_text(encoding="utf-8") for name in ("stage.css", "chrome.css"))


def page(title: str, lead: str, figures: list[str], carried: dict[str, Any]) -> str:
    """A whole page."""
    name = html.escape(title)
    shown = "\n".join(f"<figure>{figure}</figure>" for figure in figures)
    return (
        f'<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n{policy()}\n'
        f'<meta name="viewport" content="width=device-width, initial-scale=1">\n<title>{name}</title>\n'
        f"<style>\n{_PAGE}{stylesheet()}</style>\n</head>\n<body>\n<main>\n<h1>{name}</h1>\n"
        f"<p>{html.escape(lead)}</p>\n{shown}\n</main>\n{data(carried)}\n<script>{script()}</script>\n"
        "</body>\n</html>\n"
    )


def export(
    path: str | Path,
    tape: Tape,
    opened: list[View],
    view: Callable[..., View],
    chosen: list[str | tuple[str, ...]] | None,
) -> Path:
    """Write a page of these views of one tape; those that were `opened` where none are `chosen`.

    Raises LabError when there is nothing to show or the page cannot be written.
    """
    views = opened
    if chosen is not None:
        views = [view(*([one] if isinstance(one, str) else one)) for one in chosen]
    if not views:
        raise LabError("No view was opened.", "Name some, for example: %natslab export page.html routing")
    target = Path(path)
    _write(target, "")  # before all the drawing
    sheet, figures = Sheet(), []
    for one in views:
        player = one.player
        still = to_svg(player.scene(mode="paused"), patterns=True)
        words = html.escape(" ".join(s for s in player.describe() if s))
        figures.append(f"<noscript>{still}<p>{words}</p></noscript>{place(**sheet.add(player))}")
    lead = "A recording: nothing here is live. Space goes on, ← and → go from event to event."
    text = page(f"NATS: {tape.lab}", lead, figures, sheet.carried())
    _write(target, text)
    return target


def _write(path: Path, text: str) -> None:
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as e:
        raise LabError(f"{path} cannot be written: {e.strerror}.", "Choose another place.") from None
