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
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import msgspec

from natslab.errors import LabError
from natslab.tape.event import Mark, Server
from natslab.tape.tape import Tape
from natslab.views.deltas import Deltas, nothing_changed
from natslab.views.player import Player
from natslab.views.scene import STATIC, to_svg
from natslab.views.show import View
from natslab.views.track import Track

MOST = 300  # pictures of one view
LOOKED_AT = 900  # events at which it is found out how much changes
BUDGET = 3_000_000  # bytes of one view's pictures

_PAGE = """\
body { margin: 0; background: #fff; color: #1b1c1e; }
body { font: 15px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, sans-serif; }
main { max-width: 1000px; margin: 0 auto; padding: 24px 20px 64px; }
h1 { font-size: 20px; font-weight: 600; margin: 0 0 4px; }
p { margin: 0 0 20px; color: #55585d; }
figure { margin: 0 0 28px; }
@media (prefers-color-scheme: dark) { body { background: #111; color: #e8e9eb; } p { color: #a3a7ad; } }
"""


def reel(player: Player, last: int | None = None, most: int = MOST) -> dict[str, Any]:
    """What a page carries of one view up to event `last`: at most `most` pictures, and its table."""
    frames = _frames(player, _chosen(player, last, most))
    size = sum(len(msgspec.json.encode(f)) for f in frames)
    if size > BUDGET and most > 20:
        return reel(player, last, max(20, int(most * 0.9 * BUDGET / size)))
    pool: dict[tuple[str, tuple[str, ...]], int] = {}
    columns: list[str] = []
    before: list[int] = []
    for frame in frames:
        table = player.table(frame["n"])
        columns = table.columns
        rows = [
            pool.setdefault((key, tuple(row)), len(pool))
            for key, row in zip(table.keys, table.rows, strict=True)
        ]
        if rows != before or "scene" in frame:
            frame["rows"] = before = rows
    return {"frames": frames, "columns": columns, "rows": list(pool)}


def _chosen(player: Player, last: int | None, most: int) -> list[int]:
    """Events of the tape, among them the first and the last, between which about the same changes."""
    tape = player.tape
    first, last = tape.first, tape.head if last is None else min(last, tape.head)
    if last - first < most:
        return list(range(first, last + 1))
    step = max(1, (last - first) // (2 * LOOKED_AT // 3))
    told = [e.n for e in tape.between(first, last) if isinstance(e, (Server, Mark))][: LOOKED_AT // 3]
    places = sorted({*range(first, last, step), *told, last})
    deltas, total, changed = Deltas(bounded=False), 0, []
    for n in places:
        frame = deltas.frame(player.scene(n, mode="paused"))
        total += 0 if nothing_changed(frame) else 1 + sum(map(len, frame.get("set", ())))
        changed.append(total)
    wanted = {bisect.bisect_left(changed, total * i / (most - 2)) for i in range(most - 1)}
    return [places[i] for i in sorted({0, *(w for w in wanted if w < len(places)), len(places) - 1})]


def _frames(player: Player, places: list[int]) -> list[dict[str, Any]]:
    deltas, frames = Deltas(controls=False, bounded=False), []
    for n in places:
        scene = player.scene(n, mode="paused")
        frame = deltas.frame(scene)
        if nothing_changed(frame):
            continue
        kept = {k: v for k, v in frame.items() if k not in ("op", "full") and v not in ([], {})}
        frames.append({"n": n, "t": round(scene.now, 4), **kept})
    return frames


class Sheet:
    """Collects what one page carries: tapes and views, each once, and places that show them."""

    def __init__(self) -> None:
        self._tapes: dict[int, str] = {}
        self._reels: dict[tuple[int, str, tuple[str, ...]], tuple[str, Player]] = {}
        self._data: dict[str, Any] = {}

    def place(self, player: Player, to: int | None = None) -> str:
        """The element in which a page shows a view, up to event `to`."""
        tape = player.tape
        if id(tape) not in self._tapes:
            self._tapes[id(tape)] = f"natslab-tape-{len(self._tapes)}"
        key = (id(tape), player.name, player.of)
        if key not in self._reels:
            self._reels[key] = (f"natslab-reel-{len(self._reels)}", player)
        return place(self._reels[key][0], self._tapes[id(tape)], to)

    def carried(self) -> dict[str, Any]:
        """Everything that the places need, by the id under which they look for it."""
        players = {id(p.tape): p.tape for _, p in self._reels.values()}
        out: dict[str, Any] = {self._tapes[i]: Track(tape).painted() for i, tape in players.items()}
        out.update({name: reel(player) for name, player in self._reels.values()})
        return out


def place(name: str, tape: str, to: int | None = None) -> str:
    """The element in which a page shows the reel `name` of a tape."""
    until = "" if to is None else f' data-to="{to}"'
    return f'<div class="natslab-place" data-reel="{name}" data-tape="{tape}"{until}></div>'


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
    sheet, figures = Sheet(), []
    for one in views:
        player = one.player
        still = to_svg(player.scene(mode="paused"), patterns=True)
        words = html.escape(" ".join(s for s in player.describe() if s))
        figures.append(f"<noscript>{still}<p>{words}</p></noscript>{sheet.place(player)}")
    lead = "A recording: nothing here is live. Space goes on, ← and → go from event to event."
    text = page(f"NATS: {tape.lab}", lead, figures, sheet.carried())
    target = Path(path)
    try:
        target.write_text(text, encoding="utf-8")
    except OSError as e:
        raise LabError(f"{target} cannot be written: {e.strerror}.", "Choose another place.") from None
    return target
