"""The raft view on three real servers: what it tells is what they did, what it knows is what they say."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from natslab.commands.run import parse
from natslab.views import raft
from natslab.views.raft.state import up
from natslab.views.scene import walk
from tests.pictures import check
from tests.replicas import Trio, play, trio


@pytest.fixture(scope="module")
def three() -> Iterator[Trio]:
    with trio() as made:
        yield made


def agrees(three: Trio) -> bool:
    """Whether each server says of itself what the view knows of it."""
    state, group = three.state, three.group
    for name in group.peers:
        if not up(state, name):
            continue
        said, one = three.says(name), group.members[name]
        mine = (one.role, one.term, one.log.last, one.log.term(one.log.last), one.commit)
        theirs = tuple(said.get(key, 0) for key in ("state", "term", "pindex", "pterm", "committed"))
        if mine != (theirs[0].lower(), *theirs[1:]):
            return False
    return True


def test_a_leader_is_cut_off_one_dies_one_freezes(three: Trio) -> None:
    play(three)
    three.until(lambda: agrees(three))
    check(raft, three.state)
    group = three.group
    assert all(m.log.agrees(group.members[group.leader].log) == group.last for m in group.members.values())
    assert sum(e.messages for e in group.entries.values() if e.done >= 0) == 6, "one of seven was not stored"
    stored = [s for e in group.entries.values() for s in e.seqs]
    assert stored == sorted(stored)
    assert [line.text for line in group.story if line.what == "server"][-1].endswith("goes on")
    film = parse("natslab picture raft ORDERS --film").run()
    assert re.match(
        r"\[raft\] n\d is dead; n\d asks for votes in term \d+, n\d grants, and n\d leads", repr(film)
    )
    assert [row.split()[1] for row in repr(film).split("\n")[3:]] == ["healthy", "silence", "votes", "after"]


def test_a_step_down_takes_no_time(three: Trio) -> None:
    before = three.leader
    term = three.group.term
    parse("js stream cluster step-down ORDERS").run()
    three.elected(before)
    group = three.group
    won = next(e for e in reversed(group.elections) if e.won)
    assert (won.before, won.term) == (before, term + 1)
    assert f"{before} steps down" in [line.text for line in group.story]
    assert f"{won.who} asks for votes in term {term + 1}: {before} hands over to it" in three.told()
    scene = raft.draw(three.state)
    assert scene.burst is not None
    assert not scene.burst.auto
    three.until(lambda: agrees(three))


def test_every_line_of_the_picture_can_be_typed(three: Trio) -> None:
    state = three.state
    for seen in (raft.draw(state),):
        lines = {action.line for mark in walk(seen.marks) for action in mark.actions}
        assert {"natslab kill n1", "natslab cut n1 n2", "js stream cluster step-down ORDERS"} <= lines
        for line in lines:
            parse(line)  # raises where there is no such line
    first, second = three.group.peers[:2]
    parse(f"natslab cut {first} {second}").run()
    state = three.state
    (wire,) = [m for m in walk(raft.draw(state).marks) if m.key == f"link/{first}|{second}"]
    assert [a.line for a in wire.actions] == [f"natslab heal {first} {second}"]
    parse(wire.actions[0].line).run()
    three.until(lambda: three.state.wires[f"{first}|{second}"].connected)


def test_the_majority_is_lost_and_comes_back(three: Trio) -> None:
    three.even()
    leader = three.leader
    first, second = three.followers
    three.lab.server(first).kill()
    three.lab.server(second).freeze()
    assert not three.publish(leader, timeout=1.0)
    assert "No majority: nobody reaches another, 2 of 3 are needed." in three.view.describe()
    three.until(lambda: "1 entry waits" in three.view.describe())
    three.until(lambda: "got no answer" in three.told())
    check(raft, three.state)
    three.until(lambda: three.group.lost, 40)
    three.lab.server(second).thaw()
    three.until(lambda: not three.group.lost, 40)
    three.lab.server(first).restart()
    three.even()
    three.until(lambda: agrees(three))


def test_the_meta_group_and_a_consumer_have_rings_of_their_own(three: Trio) -> None:
    parse("js consumer add ORDERS billing --pull --defaults --replicas 3").run()
    billing = three.lab.view("raft", "ORDERS", "billing")
    three.until(lambda: "leads ORDERS > billing in term" in billing.describe())
    check(raft, billing.state)
    every = three.lab.view("raft")
    three.until(lambda: "leads ORDERS in term" in every.describe())
    scene = check(raft, every.state)
    meta = three.lab.view("raft", "meta")
    three.until(lambda: "leads the meta group in term" in meta.describe())
    assert "Two more groups" in [t for m in walk(scene.marks) for t, _ in getattr(m, "runs", [])]
    picture = three.lab.view("raft", "ORDERS").picture()
    assert repr(picture).startswith("[raft] ")
    assert "Known to leader" in repr(picture)


@pytest.mark.soak
@pytest.mark.timeout(900)
def test_silence_votes_leader_in_that_order_every_time() -> None:
    with trio() as three:
        for _ in range(20):
            dead = three.leader
            n = three.group.lines
            three.lab.server(dead).kill()
            three.elected(dead)
            assert three.publish()
            new = [line for line in three.group.story if line.id > n]
            kinds = [line.what for line in new]
            assert kinds.index("server") < kinds.index("ask") < kinds.index("grant"), three.told()
            assert kinds.index("grant") < len(kinds) - 1 - kinds[::-1].index("lead"), three.told()
            won = next(e for e in reversed(three.group.elections) if e.won)
            assert won.who == three.leader
            assert len(won.granted()) >= 2
            three.lab.server(dead).restart()
            three.even()
            three.until(lambda: agrees(three))
