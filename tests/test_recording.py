"""A block of a lab that goes on, saved tapes, and what a journal keeps."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

import natslab
from natslab.commands import parse
from natslab.errors import CommandError, LabError
from natslab.tape import journal
from natslab.tape.event import Conn, Mark, Pub, Server, Snap, Store, Sub
from natslab.tape.tape import Tape
from natslab.views.player import Player
from tests import lives


@pytest.fixture(scope="module")
def lab() -> Iterator[natslab.Lab]:
    with natslab.Lab.up() as started:
        yield started


def run(line: str) -> object:
    return parse(line).run()


def subjects(recording: object) -> list[str]:
    return [e.subject for e in recording.events if isinstance(e, Pub)]  # type: ignore[attr-defined]


def test_a_recording_has_exactly_its_block(lab: natslab.Lab, tmp_path: Path) -> None:
    run("sub rec.* --as w1 --queue q -q")
    run("pub rec.before 1")
    with lab.record(tmp_path / "block.tape") as rec:
        assert subjects(rec) == []
        run("pub rec.in 2")
        run("pub rec.in 3")
        with pytest.raises(LabError, match="not over"):
            rec.view("queue")
    run("pub rec.after 4")
    lab.settle()
    assert subjects(rec) == ["rec.in", "rec.in"]
    assert "Recv" in {type(e).__name__ for e in rec.events}, "what came of the last publish is in it too"
    # Its views know who was there before, and go back to its beginning and no further.
    view = rec.view("queue", "q")
    assert view.state.shares == {"q": {"w1": 3}}
    cursor = rec.tape.cursor
    cursor.seek(0)
    assert cursor.n == rec.tape.first > 0
    assert view.at(cursor.n).shares == {"q": {"w1": 1}}
    assert lab.tape.cursor.mode == "live", "the lab's own views stay where they are"
    saved = natslab.open(tmp_path / "block.tape")
    assert subjects(saved) == subjects(rec)
    assert saved.tape.recorded
    assert msgspec.json.encode(saved.view("queue", "q").state) == msgspec.json.encode(view.state)


def test_a_block_that_fails_is_recorded_all_the_same(lab: natslab.Lab) -> None:
    block = lab.record()

    def fails() -> None:
        with block:
            run("pub oops 1")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fails()
    assert subjects(block) == ["oops"]


def test_a_block_of_a_coroutine(lab: natslab.Lab) -> None:
    async def work() -> object:
        client = await lab.connect("worker")
        async with lab.record() as rec:
            await client.publish("async.one", b"1")
        await client.publish("async.two", b"2")
        await client.close()
        return rec

    assert subjects(asyncio.run(work())) == ["async.one"]


def test_record_as_a_pair_of_lines(lab: natslab.Lab) -> None:
    with pytest.raises(CommandError, match="Nothing is being recorded"):
        run("natslab record off")
    run("natslab record on")
    with pytest.raises(CommandError, match="already"):
        run("natslab record on")
    run("pub pair 1")
    rec = run("natslab record off")
    run("pub pair.later 1")
    assert subjects(rec) == ["pair"]


def test_a_recording_outlives_its_lab() -> None:
    tape = Tape()
    for event in lives.core(2, 300):
        tape.append(event)
    part = tape.part(500, 900)
    state = Player(tape, "queue").at(900)
    tape.close()
    assert [e.n for e in part.between(part.first, part.head)] == list(range(501, 901))
    assert msgspec.json.encode(Player(part, "queue").at()) == msgspec.json.encode(state)
    assert part.now() == part.between(899, 900)[0].t


# --- the journal's limit --------------------------------------------------------------------


@pytest.fixture
def short(monkeypatch: pytest.MonkeyPatch) -> Tape:
    """A tape whose journal was too long, and whose memory is shorter still."""
    monkeypatch.setattr(journal, "LIMIT", 60_000)
    monkeypatch.setattr("natslab.tape.tape.RING", 100)
    tape = Tape()
    tape.append(Server(name="n1", state="up"))
    for client in ("stays", "leaves"):
        tape.append(Conn(client=client))
        tape.append(Sub(client=client, sid=1, subject="orders.>"))
    tape.append(Snap(what="stream", data={"name": "ORDERS", "state": {"messages": 1}}))
    tape.append(Snap(what="stream", data={"name": "OLD"}))
    tape.append(Snap(what="stream", data={"name": "OLD", "gone": True}))
    tape.append(Sub(client="leaves", sid=1, subject="orders.>", state="closed"))
    tape.append(Conn(client="leaves", state="closed"))
    for i in range(3_000):
        tape.append(Pub(id=f"c/1/{i}", client="stays", subject="orders.new", t=i / 100))
    return tape


def test_a_journal_that_is_too_long_lets_go_of_what_is_over(short: Tape, tmp_path: Path) -> None:
    assert 0 < short.cut < short.head
    kept = short.between(0, short.head)
    assert [e.n for e in kept if e.n > short.cut] == list(range(short.cut + 1, short.head + 1))
    before = [e for e in kept if e.n <= short.cut]
    assert [type(e).__name__ for e in before] == ["Server", "Conn", "Sub", "Snap"]
    assert before[3].data["name"] == "ORDERS"  # type: ignore[union-attr]
    path = short.save(tmp_path / "short.tape")
    assert path.stat().st_size < 90_000
    again = Tape.open(path)
    assert (again.cut, again.head, again.first) == (short.cut, short.head, short.cut)
    assert again.between(0, again.head) == kept


def test_views_of_a_cut_tape_know_what_still_held(short: Tape) -> None:
    short.cursor.seek(1)
    assert short.cursor.n == short.cut, "before that nothing is known"
    state = Player(short, "routing").at(short.head)
    assert [s.subject for s in state.subs.values() if s.open] == ["orders.>"]


def test_a_view_that_was_open_goes_on_when_the_tape_is_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal, "LIMIT", 60_000)
    monkeypatch.setattr("natslab.tape.tape.RING", 100)
    monkeypatch.setattr("natslab.views.player.WORTH", 0.0)
    tape = Tape()
    player = Player(tape, "queue")
    for i, event in enumerate(lives.core(4, 600)):
        tape.append(event)
        if i % 30 == 0:
            player.at()
    assert tape.cut
    live = player.at()
    assert sum(live.shares["q"].values()) > sum(Player(tape, "queue").at().shares["q"].values())
    player.at(tape.cut)
    assert all(n == 0 or n >= tape.cut for n in player._places)


def test_an_event_that_is_not_understood_is_said(tmp_path: Path) -> None:
    tape = Tape()
    tape.append(Mark(what="run", text="one"))
    tape.append(Store(stream="ORDERS", seq=1))
    path = tape.save(tmp_path / "new.tape")
    lines = path.read_bytes().split(b"\n")
    lines.insert(2, b'{"kind":"wormhole","n":2}')
    path.write_bytes(b"\n".join(lines))
    with pytest.raises(LabError, match="line 3") as e:
        Tape.open(path)
    assert "natslab that saved it" in e.value.hint
