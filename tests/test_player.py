"""A view plays a tape: at any moment, forwards and backwards, the same."""

from __future__ import annotations

import random

import msgspec
import pytest

from natslab.errors import CommandError
from natslab.tape.event import Conn, End, Event, Hop, Many, Pub, Recv, Server, Sub
from natslab.tape.tape import Tape
from natslab.views import player as player_module
from natslab.views import view as views
from natslab.views.player import KEYFRAMES, STRIDE, Player
from natslab.views.scene import to_svg, unknown_classes


def life(seed: int, messages: int) -> list[Event]:
    """What a small lab could have done: some clients, who come and go, and messages."""
    dice = random.Random(seed)
    out: list[Event] = [Server(name="n1", state="up", version="2.15.1")]
    out += [Conn(client=f"w{i}", no=i, place="n1") for i in range(1, 5)]
    out += [
        Sub(
            client=f"w{i}",
            sid=1,
            subject=dice.choice(["jobs", "jobs", "*", ">"]),
            queue=dice.choice(["", "q"]),
        )
        for i in range(1, 5)
    ]
    for n in range(messages):
        t = n / 50
        to = dice.randint(1, 4)
        out.append(Pub(id=f"c/9/{n}", client="shop", subject="jobs", size=3, traced=True, t=t))
        out.append(Hop(id=f"c/9/{n}", step="in", client="shop", subject="jobs", place="n1", t=t))
        out.append(
            Hop(
                id=f"c/9/{n}", step="egress", client=f"w{to}", sub="jobs", queue="q", place="n1", t=t + 0.0001
            )
        )
        out.append(
            Recv(id=f"c/9/{n}", client=f"w{to}", sid=1, subject="jobs", pattern="jobs", queue="q", t=t)
        )
        out.append(End(of="trace", id=f"c/9/{n}", outcome="delivered", count=1, t=t + 0.001))
        if n % 40 == 39:
            out.append(
                Many(client="w1", way="recv", subject="jobs", sid=1, queue="q", count=500, bytes=1500, t=t)
            )
    return out


@pytest.fixture(scope="module")
def tape() -> Tape:
    tape = Tape()
    for event in life(1, 700):
        tape.append(event)
    return tape


@pytest.mark.parametrize("name", views.names())
def test_a_replayed_journal_gives_the_live_state(
    name: str, tape: Tape, tmp_path_factory: pytest.TempPathFactory
) -> None:
    live = Player(tape, name)
    for n in range(0, tape.head + 1, 7):  # as it grew
        live.at(n)
    path = tape.save(tmp_path_factory.mktemp("tape") / "run.tape")
    replayed = Player(Tape.open(path), name)
    assert msgspec.json.encode(live.at()) == msgspec.json.encode(replayed.at())
    assert to_svg(live.scene()) == to_svg(replayed.scene())


@pytest.mark.parametrize("name", views.names())
def test_seeking_back_gives_the_state_of_then(name: str, tape: Tape) -> None:
    assert tape.head > 3 * STRIDE
    there = [1, 17, STRIDE - 1, STRIDE, STRIDE + 1, 2 * STRIDE + 500, tape.head]
    fresh = {n: msgspec.json.encode(Player(tape, name).at(n)) for n in there}
    player = Player(tape, name)
    player.at()
    for n in [*reversed(there), *there]:
        assert msgspec.json.encode(player.at(n)) == fresh[n], n


@pytest.mark.parametrize("name", views.names())
def test_a_state_that_was_handed_out_does_not_change(name: str) -> None:
    tape = Tape()
    for event in life(2, 20):
        tape.append(event)
    player = Player(tape, name)
    before = player.at()
    kept = msgspec.json.encode(before)
    for event in life(3, 20):
        tape.append(event)
    player.at()
    assert msgspec.json.encode(before) == kept


@pytest.mark.parametrize("name", views.names())
def test_looking_changes_nothing_that_is_known(name: str, tape: Tape) -> None:
    player = Player(tape, name)
    known, told, rows = msgspec.json.encode(player.at()), player.describe(), player.table()
    message = player.at().messages[0].id if name == "routing" else "c/9/1"
    player.scene(now=9_999.0, mode="paused", selection=f"msg/{message}")
    assert msgspec.json.encode(player.at()) == known
    assert (player.describe(), player.table()) == (told, rows)
    assert player.scene(now=9_999.0).now == 9_999.0


def test_a_long_tape_has_few_keyframes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(player_module, "STRIDE", 10)
    tape = Tape()
    for event in life(5, 400):
        tape.append(event)
    player = Player(tape, "queue")
    for n in range(0, tape.head + 1, 3):
        player.at(n)
        assert len(player._keyframes) <= KEYFRAMES
    assert len(player._keyframes) > KEYFRAMES // 4
    for n in (tape.head, 5, tape.head // 2, 1, tape.head - 1):
        assert msgspec.json.encode(player.at(n)) == msgspec.json.encode(Player(tape, "queue").at(n))


@pytest.mark.parametrize("name", views.names())
def test_an_empty_tape_is_a_sentence_and_a_picture(name: str) -> None:
    player = Player(Tape(), name)
    sentence, _ = player.describe()
    assert sentence.endswith(".")
    scene = player.scene()
    assert unknown_classes(scene) == set()
    assert to_svg(scene)


def test_an_unknown_view_is_refused_with_the_nearest_name() -> None:
    with pytest.raises(CommandError, match="rooting") as e:
        Player(Tape(), "rooting")
    assert "routing" in e.value.hint
