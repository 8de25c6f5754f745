"""Filmstrips: a few moments side by side, each as it really was."""

from __future__ import annotations

import re

import msgspec
import pytest

from natslab.errors import CommandError
from natslab.tape.event import Server, Snap
from natslab.tape.tape import Tape
from natslab.views.film import WIDE, Strip, strip
from natslab.views.player import Player
from natslab.views.raft import focus as facts
from natslab.views.scene import Path, Text, to_svg, unknown_classes, walk
from natslab.views.show import View
from tests.pictures import assert_legible, keys, numbers
from tests.rafts import Rig, meta
from tests.replicas import TAPE

CUT_OFF = 100  # event of the real run: the leader was cut off, and another one leads


@pytest.fixture(scope="module")
def real() -> Player:
    return Player(Tape.open(TAPE), "raft", ("ORDERS",))


def told(rig: Rig) -> Player:
    """The events of a rig on a tape."""
    tape = Tape()
    for event in rig.events:
        tape.append(event)
    return Player(tape, "raft", rig.state.of)


def held(made: Strip) -> Strip:
    """What every filmstrip promises."""
    scene = made.scene
    assert unknown_classes(scene) == set()
    assert [key for key, count in keys(scene).items() if count > 1] == []
    assert_legible(scene)
    for flight in scene.flights:
        assert 24 <= flight.x <= 876
        assert (flight.x - 24) % (WIDE + 20) < WIDE, "a message in its frame"
    svg = to_svg(scene, patterns=True)
    assert len(svg) < 60_000
    assert numbers(made.sentence) <= numbers(made.table.text())
    assert not re.search(r"\d\.\d", made.sentence + made.table.text()), "times are in the picture only"
    return made


def words(made: Strip) -> list[str]:
    return [row[1] for row in made.table.rows]


def texts(made: Strip) -> str:
    return " ".join("".join(t for t, _ in m.runs) for m in walk(made.scene.marks) if isinstance(m, Text))


def test_a_death_is_healthy_silence_votes_after(real: Player) -> None:
    made = held(strip(real))
    assert made.sentence == "n1 is dead; n2 asks for votes in term 3, n3 grants, and n2 leads with 2 of 3."
    assert "after 7.9 s n2 asks" in made.scene.sentence[0][0]
    assert words(made) == ["healthy", "silence", "votes", "after"]
    assert [row[2:6] for row in made.table.rows] == [
        ["n1", "2", "6", "2 of 3"],
        ["nobody", "2", "6", "-"],
        ["nobody", "3", "6", "2 of 3"],
        ["n2", "3", "7", "2 of 3"],
    ]
    assert "n2 and n3 wait" in texts(made)


def test_a_partition_has_two_leaders_and_an_entry_that_will_go(real: Player) -> None:
    made = held(strip(real, CUT_OFF))
    assert made.sentence.startswith("The wires of n3 are cut; n1 asks for votes in term 2, n2 grants")
    assert made.table.rows[3][-1].startswith("Two servers say leader. Only n1 counts")
    assert "old term" in texts(made)
    keyed = {m.key: m for m in walk(made.scene.marks)}
    assert "frame/4/log/n3/divergent" in keyed
    assert "frame/4/log/n1/divergent" not in keyed
    assert [f"frame/{i}/wall/n3" in keyed for i in (1, 2, 3, 4)] == [False, True, True, True]


def test_every_frame_is_what_was_then(real: Player) -> None:
    made = strip(real)
    keyed = {m.key: m for m in walk(made.scene.marks)}
    assert made.at == sorted(made.at)
    for i, n in enumerate(made.at):
        state = real.at(n)
        assert made.table.rows[i][-1] == real.describe(n)[0]
        time = keyed[f"frame/{i + 1}/time"]
        assert isinstance(time, Text)
        assert time.runs[0][0] == f"{state.now:.3f} s"
        group = state.group("ORDERS")
        for name in group.peers:
            term = keyed.get(f"frame/{i + 1}/srv/{name}/term")
            if isinstance(term, Text):
                assert term.runs[0][0] == str(group.members[name].term)
            kinds = [facts.cell(state, group, group.members[name], i + 1) for i in range(group.last)]
            for kind in ("committed", "stored", "divergent", "missing"):
                cells = keyed.get(f"frame/{i + 1}/log/{name}/{kind}")
                drawn = cells.d.count("M") if isinstance(cells, Path) else 0
                assert drawn == kinds.count(kind), (i, name, kind)


def test_at_every_moment_there_is_a_film_or_a_sentence(real: Player) -> None:
    made, said = 0, set()
    for n in range(1, real.tape.head + 1):
        try:
            held(strip(real, n))
            made += 1
        except CommandError as e:
            said.add(e.what.split(":")[0])
    assert made > 50
    assert "No other server has taken over ORDERS yet" in said
    assert "There is no stream ORDERS." in said
    assert len(said) < 5, said


@pytest.mark.parametrize("servers", [3, 5, 7])
def test_more_servers_are_a_smaller_ring(servers: int) -> None:
    rig = Rig(servers).healthy(12)
    rig.isolate("n1")
    rig.publish(answer=False)
    for _ in range(4):
        rig.wait(1)
        rig.heartbeat("n1", 1)
    rig.wait(2.5)
    rig.elect("n2", 2)
    rig.publish()
    made = held(strip(told(rig)))
    assert words(made) == ["healthy", "silence", "votes", "after"]
    assert f"leads with {servers - 1} of {servers}." in made.sentence
    assert sum(
        m.key.startswith("frame/3/log/") and m.key.count("/") == 3 for m in walk(made.scene.marks)
    ) == (servers)


def test_a_hand_over_has_no_silence() -> None:
    rig = Rig().healthy()
    rig.append(ops=["leader transfer"])
    rig.elect("n3", 2)
    made = held(strip(told(rig)))
    assert words(made) == ["healthy", "votes", "after"]
    assert made.sentence.startswith("n1 steps down; n3 asks for votes in term 2")


def test_an_election_that_the_story_no_longer_tells_of_has_its_frames() -> None:
    rig = Rig().healthy()
    rig.server("n1", "down", "kill")
    rig.wait(6)
    rig.elect("n2", 2)
    for _ in range(12):
        rig.server("n1", "up")
        rig.server("n1", "down")
    made = held(strip(told(rig)))
    assert made.sentence == "n2 asks for votes in term 2, n3 grants, and n2 leads with 2 of 3."
    assert words(made) == ["healthy", "silence", "votes", "after"]
    assert made.table.rows[0][2] == "n1"


def test_a_death_before_the_group_had_a_name_begins_with_the_silence() -> None:
    rig = Rig().healthy()
    named = [e for e in rig.events if isinstance(e, Snap) and e.what in ("group", "stream")]
    rig.events = [e for e in rig.events if e not in named]
    rig.server("n1", "down", "kill")
    rig.events += [msgspec.structs.replace(e, t=rig.t) for e in named]
    rig.wait(6)
    rig.elect("n2", 2)
    assert words(held(strip(told(rig)))) == ["silence", "votes", "after"]


def test_without_a_name_all_frames_are_of_one_group() -> None:
    rig = Rig(of=()).healthy()
    rig.server("n1", "down", "kill")
    rig.wait(6)
    meta(rig, 0)
    rig.elect("n3", 2)
    made = held(strip(told(rig)))
    assert "n3 asks for votes in term 2" in made.sentence
    assert [row[2] for row in made.table.rows] == ["n1", "nobody", "nobody", "n3"]
    assert "ORDERS on n1, n2 and n3." in made.scene.note[0][0]


def test_names_of_any_length_stay_in_their_frame() -> None:
    rig = Rig()
    names = {"n1": "EAST-frankfurt-am-main-n1", "n2": "EAST-frankfurt-am-main-n2", "n3": "WEST-n3"}
    rig = Rig(peers=list(names.values()))
    rig.names = list(names.values())
    for name in rig.names:
        rig.tell(Server(name=name, state="up"))
    for i, a in enumerate(rig.names):
        for b in rig.names[i + 1 :]:
            rig.link(a, b, "open")
    rig.healthy()
    rig.isolate(rig.names[0])
    rig.wait(6)
    rig.elect(rig.names[1], 2)
    held(strip(told(rig)))


def test_what_has_no_film_says_so() -> None:
    with pytest.raises(CommandError, match="No other server has taken over ORDERS yet"):
        strip(told(Rig().healthy()))
    with pytest.raises(CommandError, match="The routing view has no filmstrip"):
        View(Tape(), "routing").film()
    many = Rig(9).healthy(2)
    with pytest.raises(CommandError, match="One RAFT group, and it has a leader"):
        strip(told(many))


def test_a_view_has_it_as_a_still() -> None:
    picture = View(Tape.open(TAPE), "raft", ("ORDERS",)).film()
    bundle = picture._repr_mimebundle_()
    assert set(bundle) == {"text/plain", "image/svg+xml"}
    assert bundle["text/plain"].startswith("[raft] n1 is dead; n2 asks for votes in term 3")
    assert bundle["image/svg+xml"].startswith('<svg class="natslab patterns" data-view="raft"')
