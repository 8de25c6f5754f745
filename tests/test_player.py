"""A view plays a tape: at any moment, forwards and backwards, the same."""

from __future__ import annotations

import msgspec
import pytest

from natslab.errors import CommandError
from natslab.tape.event import Event
from natslab.tape.tape import Tape
from natslab.views import player as player_module
from natslab.views import view as views
from natslab.views.player import BATCH, READ, Player
from natslab.views.scene import to_svg, unknown_classes
from tests import lives


def life(seed: int, messages: int) -> list[Event]:
    return list(lives.core(seed, messages))


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
    there = [1, 17, BATCH - 1, BATCH, BATCH + 1, 777, READ, READ + 1, tape.head]
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
    monkeypatch.setattr(player_module, "WORTH", 0.0)
    monkeypatch.setattr(player_module, "MOST", 0.0)
    monkeypatch.setattr(player_module, "KEPT", 300_000)
    monkeypatch.setattr(player_module, "SQUEEZED", 200_000)
    tape = Tape()
    for event in life(5, 400):
        tape.append(event)
    player = Player(tape, "queue")
    most = 0
    for n in range(0, tape.head + 1, 3):
        player.at(n)
        kept = sum(map(len, player._keyframes.values()))
        assert kept == player._size <= 300_000 + len(player._keyframes[player._places[-1]])
        assert player._places == sorted(player._keyframes)
        most = max(most, len(player._keyframes))
    assert 8 < len(player._keyframes) < most, "some were let go"
    assert player._squeezed, "and some were compressed"
    for n in (tape.head, 5, tape.head // 2, 1, tape.head - 1, tape.head // 3):
        assert msgspec.json.encode(player.at(n)) == msgspec.json.encode(Player(tape, "queue").at(n))


def test_a_step_back_folds_only_what_is_since_the_nearest_keyframe(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(player_module, "WORTH", 0.0)
    monkeypatch.setattr(player_module, "MOST", 0.0)
    tape = Tape()
    for event in life(6, 2_000):
        tape.append(event)
    player = Player(tape, "requests")
    player.at()
    folded: list[int] = []
    fold = player.view.fold
    monkeypatch.setattr(
        player.view, "fold", lambda state, event: (folded.append(event.n), fold(state, event))
    )
    for n in (5_555, 5_554, 1_234, 9_000, 9_001):
        folded.clear()
        player.at(n)
        assert len(folded) <= 2 * BATCH, "forwards too it starts at a keyframe"


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
