"""Pages that carry drawn scenes: what is in them, in how much room, and that foreign text stays text."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import msgspec
import pytest

from natslab.errors import CommandError, LabError
from natslab.tape.event import Pub, Sub
from natslab.tape.tape import Tape
from natslab.views import page as pages
from natslab.views import view as views
from natslab.views.player import Player
from natslab.views.recording import Recording
from natslab.views.scene import headline
from tests import lives
from tests.replicas import TAPE

EVIL = "</script><script>alert(1)</script><!--<b>&amp;\u2028"


@pytest.fixture(scope="module")
def tape() -> Tape:
    tape = Tape()
    for event in lives.core(3, 300):
        tape.append(event)
    return tape


def replayed(reel: dict[str, Any], upto: int) -> dict[str, Any]:
    """Marks as a page shows them at an event."""
    marks: dict[str, Any] = {}
    for frame in json.loads(msgspec.json.encode(reel["frames"])):
        if frame["n"] > upto:
            break
        if "scene" in frame:
            marks = {m["key"]: m for m in frame["scene"]["marks"]}
        for key in frame.get("del", []):
            marks.pop(key, None)
        marks.update({m["key"]: m for m in frame.get("set", [])})
    return marks


@pytest.mark.parametrize("name", views.names())
def test_a_page_shows_what_the_view_showed(name: str, tape: Tape) -> None:
    player = Player(tape, name)
    reel = pages.reel(player, [700])
    assert len(reel["frames"]) <= pages.MOST
    assert len(msgspec.json.encode(reel["frames"])) <= pages.BUDGET
    for n in (0, 700, tape.head):
        scene = player.scene(n, mode="paused")
        drawn = {m.key: m for m in [*headline(scene), *scene.marks]}
        assert msgspec.json.decode(msgspec.json.encode(drawn)) == replayed(reel, n), n
        table = player.table(n)
        rows = next((f["rows"] for f in reversed(reel["frames"]) if f["n"] <= n and "rows" in f), [])
        assert [list(reel["rows"][i][1]) for i in rows] == table.rows


def test_the_pictures_lie_where_something_changes() -> None:
    tape = Tape()
    for i in range(5_000):
        # A long time in which nothing is to be seen, between two short ones.
        event = (
            Sub(client=f"w{i}", sid=1, subject="x")
            if i < 20 or i > 4_980
            else Pub(id="", client="a", subject="")
        )
        tape.append(event)
    reel = pages.reel(Player(tape, "queue", ("none",)), most=60)
    assert len(reel["frames"]) == 1, "nothing that this view knows changes"
    places = [f["n"] for f in pages.reel(Player(tape, "routing"), most=60)["frames"]]
    assert places == sorted(set(places))
    assert len(places) > 3
    assert places[-1] > 4_900


def test_a_page_has_a_picture_wherever_a_step_through_the_story_ends() -> None:
    player = Player(Tape.open(TAPE), "raft", ("ORDERS",))
    reel = pages.reel(player)
    places = [frame["n"] for frame in reel["frames"]]
    assert len(reel["stops"]) > 20 and any(turn for _, turn in reel["stops"])
    n, walked = player.tape.first, list[int]()
    while (n := player.stop(n, 1) or 0) < player.tape.head:  # as with a kernel
        walked.append(n)
    assert set(walked) <= {at for at, _ in reel["stops"]}
    shown = {next(p for p in reversed(places) if p <= at) for at, _ in reel["stops"]}
    assert len(shown) > 0.8 * len(reel["stops"]), (
        "each has a picture of its own, where it shows something new"
    )
    assert "stops" not in pages.reel(Player(player.tape, "topology"))


class Scripts(HTMLParser):
    """The scripts and foreign elements of a page."""

    def __init__(self) -> None:
        super().__init__()
        self.scripts: list[dict[str, str | None]] = []
        self.texts: list[str] = []
        self.tags: set[str] = set()
        self._inside = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        if tag == "script":
            self.scripts.append(dict(attrs))
            self.texts.append("")
            self._inside = True

    def handle_endtag(self, tag: str) -> None:
        self._inside = self._inside and tag != "script"

    def handle_data(self, data: str) -> None:
        if self._inside:
            self.texts[-1] += data


def test_foreign_text_does_not_become_a_script(tmp_path: Path) -> None:
    tape = Tape(lab=EVIL)
    tape.append(Sub(client=EVIL, sid=1, subject="orders.>", queue=EVIL))
    tape.append(Pub(id="c/1/1", client=EVIL, subject=f"orders.{EVIL}", payload=EVIL.encode(), traced=True))
    text = Recording(tape).export(tmp_path / "page.html", ["routing", "queue"]).read_text(encoding="utf-8")
    page = Scripts()
    page.feed(text)
    kinds = [s.get("type") for s in page.scripts]
    assert kinds == ["application/json"] * 3 + [None], "the tape, two views, and the stage"
    assert all(json.loads(t) for t in page.texts[:3])
    assert "alert(1)" in page.texts[1], "it is there, as text"
    assert "b" not in page.tags
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', text)
    assert policy is not None
    assert "default-src 'none'" in policy[1]
    assert "script-src 'sha256-" in policy[1]
    assert "unsafe-eval" not in policy[1]


def test_what_cannot_be_exported_is_said(tmp_path: Path) -> None:
    rec = Recording(Tape())
    with pytest.raises(LabError, match="No view"):
        rec.export(tmp_path / "page.html")
    with pytest.raises(CommandError, match="rooting"):
        rec.export(tmp_path / "page.html", ["rooting"])
    with pytest.raises(LabError, match="cannot be written"):
        rec.export(tmp_path / "there" / "page.html", ["routing"])
    rec.view("requests")
    assert rec.export(tmp_path / "page.html").exists(), "those that were opened"


def test_a_kernel_notes_what_it_shows_only_when_it_is_asked(
    tape: Tape, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    view = Recording(tape).view("queue")
    assert pages.PLACE not in view.picture()._repr_mimebundle_()
    note = tmp_path / "scenes.json"
    monkeypatch.setenv(pages.NOTE, str(note))
    monkeypatch.setattr(pages, "_noted", None)
    place = view.picture()._repr_mimebundle_()[pages.PLACE]
    assert place["to"] == tape.head
    pages.write()
    carried = json.loads(note.read_text())
    assert set(carried) == {place["tape"], place["reel"]}
