"""The tape keeps every event in order, in memory and on disk; its cursor moves all views."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from natslab.errors import LabError
from natslab.tape import cursor as cursors
from natslab.tape.event import Mark, Pub
from natslab.tape.tape import RING, Tape


def filled(count: int, tape: Tape | None = None) -> Tape:
    tape = tape or Tape()
    for i in range(count):
        tape.append(Pub(id=f"c/1/{i + 1}", client="shop", subject=f"orders.{i % 7}", size=i % 11, t=i / 100))
    return tape


def test_numbers_are_the_order_of_appending() -> None:
    tape = filled(10)
    assert [e.n for e in tape.between(0, 10)] == list(range(1, 11))
    assert tape.head == 10
    tape.close()


@pytest.fixture(scope="module")
def long_tape() -> Tape:
    return filled(RING + 3_333)


@settings(max_examples=60, deadline=None)
@given(a=st.integers(-5, RING + 4_000), size=st.integers(0, 3_000))
def test_between_is_exact_across_memory_and_journal(long_tape: Tape, a: int, size: int) -> None:
    events = long_tape.between(a, a + size)
    low, high = max(a, 0), min(a + size, long_tape.head)
    assert [e.n for e in events] == list(range(low + 1, high + 1))
    assert all(e.id == f"c/1/{e.n}" for e in events if isinstance(e, Pub))


def test_saved_and_opened_it_is_the_same(tmp_path: Path) -> None:
    tape = filled(2_500)
    tape.append(Mark(what="check", text="<script>alert(1)</script>\nline", ok=False))
    tape.save(tmp_path / "run.tape")
    again = Tape.open(tmp_path / "run.tape")
    assert again.head == tape.head
    assert again.started == tape.started
    assert again.between(0, again.head) == tape.between(0, tape.head)


def test_a_torn_last_line_is_ignored(tmp_path: Path) -> None:
    tape = filled(5)
    path = tape.save(tmp_path / "run.tape")
    path.write_bytes(path.read_bytes()[:-9])
    assert Tape.open(path).head == 4


@pytest.mark.parametrize("content", [b"", b"hello", b'{"kind":"tape","format":99,"started":1,"lab":"x"}\n'])
def test_what_is_no_tape_is_refused_in_words(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "x.tape"
    path.write_bytes(content)
    with pytest.raises(LabError) as e:
        Tape.open(path)
    assert e.value.hint


def test_the_journal_has_no_name_and_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    tape = filled(3_000)
    assert list(tmp_path.iterdir()) == []
    tape.close()
    assert len(tape.between(0, 3_000)) == 3_000
    with pytest.raises(LabError):
        tape.save(tmp_path / "late.tape")


def test_a_full_disk_does_not_stop_the_tape() -> None:
    tape = Tape()
    assert tape._journal._new is not None
    tape._journal._new._file = open("/dev/full", "wb", buffering=0)  # type: ignore[assignment]  # noqa: SIM115
    filled(5_000, tape)
    assert tape.head == 5_000
    assert len(tape.between(0, 5_000)) == 5_000


def test_the_cursor_pauses_seeks_and_comes_back() -> None:
    tape = filled(20)
    cursor = tape.cursor
    heard: list[int] = []
    cursor.listen(lambda: heard.append(cursor.n))
    assert cursor.n == 20
    cursor.pause()
    filled(5, tape)
    assert cursor.n == 20
    cursor.seek(7)
    assert (cursor.mode, cursor.n) == ("paused", 7)
    cursor.step(-1)
    assert cursor.n == 6
    cursor.live()
    assert (cursor.mode, cursor.n) == ("live", 25)
    assert heard == [20, 7, 6, 25]


def test_a_burst_is_a_step() -> None:
    tape = Tape()
    for t in (0.0, 0.01, 0.02, 5.0, 5.01, 9.0):
        tape.append(Mark(what="run", t=t))
    tape.cursor.seek(1)
    tape.cursor.step(1, burst=True)
    assert tape.cursor.n == 3
    tape.cursor.step(1, burst=True)
    assert tape.cursor.n == 5
    tape.cursor.step(-1, burst=True)
    assert tape.cursor.n == 3


def test_a_replay_walks_to_the_end_and_becomes_live() -> None:
    tape = filled(30)
    cursor = tape.cursor
    cursor.seek(0)
    cursor.replay()
    seen = []
    while cursor.mode == "replay":
        if cursor.walk():
            seen.append(cursor.n)
    assert seen == sorted(seen)
    assert cursor.n == 30


def test_slow_motion_shows_a_part_and_then_what_is_now(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [100.0]
    monkeypatch.setattr(cursors.time, "monotonic", lambda: clock[0])
    tape = Tape()
    for t in (0.0, 5.0, 5.001, 5.002, 5.003, 5.004, 9.0, 9.5):
        tape.append(Mark(what="run", t=t))
    cursor = tape.cursor
    cursor.speed = 0.5
    cursor.slow(1, 6, "the election of term 4", once="election/4")
    assert (cursor.mode, cursor.n, cursor.speed) == ("replay", 1, 0.001)
    assert cursor.shows == "the election of term 4"
    seen, last = [], 0.0
    while cursor.mode == "replay":
        clock[0] += 0.1
        cursor.walk()
        seen.append(cursor.n)
        assert cursor.mode == "live" or cursor.t >= last, "the shown time goes on between events, too"
        last = cursor.t if cursor.mode == "replay" else last
    assert sorted(set(seen[:-1])) == [1, 2, 3, 4, 5, 6]
    assert 40 < len(seen) < 80, "about five seconds, and a rest at its end"
    assert (cursor.mode, cursor.n, cursor.speed, cursor.shows) == ("live", 8, 0.5, "")
    cursor.slow(1, 6, once="election/4")
    assert cursor.mode == "live", "by itself only once"
    cursor.slow(1, 6)
    assert cursor.mode == "replay"
    cursor.seek(3)
    assert (cursor.mode, cursor.speed) == ("paused", 0.5)
    cursor.slow(1, 6, once="election/5")
    assert cursor.mode == "paused", "not to who looks at the past"
    tape.close()


def test_the_clock_of_a_tape_that_is_over_stands(tmp_path: Path) -> None:
    tape = filled(50)
    path = tape.save(tmp_path / "a.tape")
    tape.close()
    stood = tape.now()
    old = Tape.open(path)
    assert tape.now() == stood, "its lab is gone"
    assert old.now() == 0.49, "the moment of its last event, whenever it is opened"
    again = Tape.open(old.save(tmp_path / "b.tape"))
    assert again.started == old.started == tape.started
    assert again.between(0, 50) == old.between(0, 50)
