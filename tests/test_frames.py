"""Frames follow what the stage can bear."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from natslab.loop import loop
from natslab.tape.event import Ack, Pub, Sub
from natslab.tape.tape import Tape
from natslab.views.frames import PERIOD, Frames
from natslab.views.player import Player
from natslab.views.scene import NARROW, WIDTH, Scene
from natslab.views.track import BINS, Track
from tests.rafts import Rig


class Wire:
    """A stage that hears frames, on a tape on which something happens all the time."""

    def __init__(self) -> None:
        self.tape = Tape()
        self.at: list[float] = []  # when frames came
        self.over = False  # what the newest frame says of the tape
        self.frames = Frames(Player(self.tape, "routing"), self._send)
        self.frames.heard({"op": "hello"})

    def _send(self, frame: dict[str, Any]) -> None:
        if frame["op"] in ("scene", "delta"):
            self.at.append(time.monotonic())
            self.over = frame["cursor"]["over"]

    def busy(self, seconds: float) -> list[float]:
        """Events for so many seconds; the frames of that time."""
        since, end = len(self.at), time.monotonic() + seconds
        while time.monotonic() < end:
            event = Pub(id="c/1/1", client="a", subject="x", t=self.tape.now())
            loop().post(self.tape.append, event)
            time.sleep(0.01)
        return self.at[since:]

    def close(self) -> None:
        self.frames.end()
        self.tape.close()


@pytest.fixture
def wire() -> Iterator[Wire]:
    opened = Wire()
    yield opened
    opened.close()


@pytest.mark.parametrize("later", [0.0, 0.02, 0.05, 0.09, 0.11, 0.3])
def test_the_end_of_a_tape_is_told_whenever_it_comes(
    wire: Wire, wait_for: Callable[..., float], later: float
) -> None:
    wait_for(lambda: wire.at)
    loop().post(wire.tape.append, Pub(id="c/1/1", client="a", subject="x", t=wire.tape.now()))
    time.sleep(later)
    wire.tape.close()
    wait_for(lambda: wire.over, 3)


def test_never_more_than_ten_a_second(wire: Wire, wait_for: Callable[..., float]) -> None:
    wait_for(lambda: wire.at)
    at = wire.busy(2.0)
    assert 6 <= len(at) <= 2.0 / PERIOD + 1


def test_a_stage_that_is_behind_gets_fewer_until_it_has_caught_up(
    wire: Wire, wait_for: Callable[..., float]
) -> None:
    wait_for(lambda: wire.at)
    wire.busy(0.3)
    for _ in range(2):
        wire.frames.heard({"op": "behind"})
    wire.busy(0.15)
    at = wire.busy(1.2)
    assert 1 <= len(at) <= 4
    wire.busy(4.5)  # twice EASE and some
    at = wire.busy(1.0)
    assert len(at) >= 5


def test_the_lab_has_most_of_the_time(wire: Wire, wait_for: Callable[..., float]) -> None:
    wait_for(lambda: wire.at)
    draw = wire.frames._player.scene

    def slow(*args: Any, **keys: Any) -> Any:
        time.sleep(0.15)
        return draw(*args, **keys)

    wire.frames._player.scene = slow  # type: ignore[method-assign]
    wire.busy(0.3)
    assert 1 <= len(wire.busy(2.0)) <= 2.0 / 0.75 + 1


def test_one_picture_that_took_long_delays_no_other(wire: Wire, wait_for: Callable[..., float]) -> None:
    wait_for(lambda: wire.at)
    draw, once = wire.frames._player.scene, [0.6]

    def slow(*args: Any, **keys: Any) -> Any:
        if once:
            time.sleep(once.pop())
        return draw(*args, **keys)

    wire.busy(0.3)
    wire.frames._player.scene = slow  # type: ignore[method-assign]
    at = wire.busy(2.0)
    assert not once and max(b - a for a, b in itertools.pairwise(at)) < 1.5  # it was 3 s


def test_a_stage_gets_the_picture_that_it_has_room_for(wait_for: Callable[..., float]) -> None:
    tape = Tape()
    for known in (True, False):
        player, got = Player(tape, "raft"), list[dict[str, Any]]()
        if not known:
            wide = Scene(view="raft", title="RAFT", height=200)
            player.view = SimpleNamespace(draw=lambda state, wide=wide: wide, fold=None)
        frames = Frames(player, got.append)
        for hello, narrow in (({}, False), ({"narrow": True}, True), ({}, False)):
            del got[:]
            frames.heard({"op": "hello", **hello})
            wait_for(lambda got=got: any(f["op"] == "scene" for f in got))
            scene = next(f["scene"] for f in got if f["op"] == "scene")
            assert scene.get("width", WIDTH) == (NARROW if narrow and known else WIDTH)
            assert ("top" in scene) is (narrow and known)
        assert player.at().width == WIDTH, "the room is one person's, and not of the state"
        assert player.scene().width == WIDTH
        frames.end()
    tape.close()


def test_a_step_ends_where_the_view_has_something_to_show(wait_for: Callable[..., float]) -> None:
    rig = Rig().healthy()
    rig.server("n1", "down", "kill")
    tape = Tape()
    for event in rig.events:
        tape.append(event)
    died = tape.head
    for _ in range(9):
        tape.append(Sub(client="w1", sid=1, subject="orders.*"))
    for view, ends in (("raft", died), ("routing", tape.head - 1)):
        frames = Frames(Player(tape, view), lambda frame: None)
        tape.cursor.live()
        frames.heard({"op": "step", "by": -1, "burst": False})
        wait_for(lambda ends=ends: tape.cursor.n == ends and tape.cursor.mode == "paused")
    tape.close()


def test_a_stage_without_a_lab_has_no_buttons(wait_for: Callable[..., float]) -> None:
    tape = Tape()
    tape.append(Sub(client="w1", sid=1, subject="orders.*", queue="workers"))
    for act, there in ((None, False), (print, True)):
        got: list[dict[str, Any]] = []
        frames = Frames(Player(tape, "queue"), got.append, act)
        frames.heard({"op": "hello"})
        wait_for(lambda got=got: got)
        assert bool(got[0]["scene"]["controls"]) is there
        frames.end()
    tape.close()


@pytest.mark.parametrize("bursts", [2 * BINS + 1, 2 * BINS + 2, 5 * BINS + 3])
def test_every_publish_is_on_the_scrubber(bursts: int) -> None:
    tape = Tape()
    track = Track(tape)
    for i in range(bursts):
        tape.append(Pub(id=f"c/1/{i}", client="a", subject="x", t=float(i)))
        if i % 50 == 49:
            track.painted()
    pubs = track.painted()["pubs"]
    assert sum(count for _, _, count in pubs) == bursts
    assert len(pubs) <= 2 * BINS
    assert pubs[-1][:2] == [bursts, bursts - 1.0]
    tape.close()


def test_a_view_that_cannot_be_drawn_says_so_and_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[dict[str, Any]] = []
    tape = Tape()
    player = Player(tape, "routing")
    drawn, broken = player.scene, [True]

    def scene(*args: Any, **options: Any) -> Any:
        if broken[0]:
            raise KeyError("a fault")
        return drawn(*args, **options)

    monkeypatch.setattr(player, "scene", scene)
    frames = Frames(player, said.append)
    frames.heard({"op": "hello"})

    def wait(op: str) -> None:
        end = time.monotonic() + 5
        while not any(f["op"] == op for f in said):
            assert time.monotonic() < end, said
            time.sleep(0.01)

    wait("said")
    broken[0] = False
    wait("scene")
    frames.end()
    tape.close()


def test_what_becomes_of_messages_is_on_the_scrubber_too() -> None:
    tape = Tape()
    track = Track(tape)
    for i in range(5 * BINS):
        tape.append(Ack(stream="ORDERS", consumer="billing", seq=i, verb="ack", t=i / 5))
        beats = track.painted()["beats"]
        assert len(beats) <= 2 * BINS
    assert len(beats) > BINS / 2
    assert beats[-1] == [tape.head, (tape.head - 1) / 5]
    tape.close()
