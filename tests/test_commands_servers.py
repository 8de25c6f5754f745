"""%natslab where there are several servers: starting them, faults, wires, who is meant by a word."""

from __future__ import annotations

import configparser
import re
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import natslab
from natslab import front
from natslab.commands import parse
from natslab.errors import NatslabError, Timeout
from natslab.lab import Lab
from natslab.magics.complete import complete
from natslab.tape import event

WaitFor = Callable[..., float]


def go(line: str) -> Any:
    return parse(line).run()


def says(line: str) -> str:
    return repr(go(line))


def passed_over(text: str) -> str:
    """What is left of a result for the comparison of a notebook's outputs."""
    rules = configparser.RawConfigParser()
    rules.read(Path(__file__).parents[1] / "notebooks" / "sanitize.cfg")
    rule = rules["server that was called by what it does"]
    return re.sub(rule["regex"], rule["replace"], text)


def refusal(line: str) -> tuple[str, str]:
    """The sentence and the hint that a line gives in place of a result."""
    with pytest.raises(NatslabError) as refused:
        go(line)
    assert refused.value.what.endswith((".", "?")) and refused.value.hint
    return refused.value.what, refused.value.hint


@pytest.fixture(scope="module")
def three() -> Iterator[Lab]:
    try:
        assert says("natslab up --servers 3") == "The lab is up: n1, n2 and n3."
        go("nats stream add ORDERS --subjects 'orders.>' --replicas 3 --defaults")
        go("nats stream add ALONE --subjects alone --replicas 1 --defaults")
        go("nats consumer add ORDERS W --pull --defaults")
        yield natslab.current()
    finally:
        go("natslab down")


@pytest.fixture
def lab(three: Lab, wait_for: WaitFor) -> Lab:
    """With nothing broken, and every stream led."""
    servers = three.fleet.servers

    def whole() -> bool:
        three.do(three.fleet.ready())
        return bool(three.leader("ORDERS") and three.leader("ORDERS", "W") and three.leader("ALONE"))

    def tried() -> bool:
        try:
            return whole()
        except NatslabError:
            return False

    assert [server.state for server in servers.values()] == ["up"] * 3
    wait_for(tried, 30)
    return three


def test_up_again_says_so(lab: Lab) -> None:
    assert says("natslab up --servers 3") == "The lab is already up: n1, n2 and n3."
    assert refusal("natslab up --servers 5")[0] == "Another lab is up in this kernel."
    assert refusal("natslab super EAST=1 WEST=1")[0] == "Another lab is up in this kernel."


def test_who_is_meant(lab: Lab) -> None:
    leader = lab.leader("ORDERS")
    assert lab.followers("ORDERS") == [name for name in lab.servers if name != leader]
    for word, name in (("leader(ORDERS)", leader), ("'leader( ORDERS )'", leader), ("meta", lab.leader())):
        # A line that changes nothing says whom it means.
        assert go(f"natslab conf {word}").json()["server"] == name
    assert go("natslab conf 'follower(ORDERS)'").json()["server"] == lab.followers("ORDERS")[0]
    assert go("natslab conf leader(ORDERS,W)").json()["server"] == lab.leader("ORDERS", "W")
    go("nats pub orders.new x --on leader(ORDERS)")


@pytest.mark.parametrize(
    ("line", "say"),
    [
        ("natslab kill n9", "neither a server nor a client called 'n9'"),
        ("natslab kill leader(NONE)", "no stream called 'NONE'"),
        ("natslab kill leader(ORDERS,X)", "no consumer called 'X'"),
        ("natslab kill leader(", "says no server"),
        ("natslab kill follower(ALONE)", "ALONE has no followers"),
        ("natslab freeze", "Which server?"),
        ("natslab cut n1", "two servers"),
        ("natslab cut n1 n2 n3", "two servers"),
        ("natslab cut n1 n1", "no wire to itself"),
        ("natslab cut n1 n9", "no server called 'n9'"),
        ("natslab cut --isolate n9", "no server called 'n9'"),
        ("natslab cut n2 --isolate n1", "stands beside it"),
        ("natslab cut --isolate C1", "No wire leads away from C1"),
        ("natslab delay n1 n2", "is no time"),
        ("natslab delay n1 n2 0s", "delay of nothing"),
        ("natslab delay n1 n2 2m", "more than servers bear"),
        ("natslab delay", "two servers and a time"),
        ("natslab heal", "nothing to heal"),
        ("natslab heal n1 n2", "nothing to heal"),
        ("natslab heal n1 n2 n3", "two ends"),
        ("natslab remove", "Which server?"),
        ("natslab remove n9", "no server called 'n9'"),
        ("natslab add n1", "'n1' already"),
        ("natslab add --cluster X", "no cluster 'X'"),
        ("nats stream add TOO --subjects too --replicas 5 --defaults", "5"),
    ],
)
def test_wrong_input(lab: Lab, line: str, say: str) -> None:
    assert say in refusal(line)[0]
    assert len(lab.servers) == 3
    assert [link.state for link in lab.fleet.links.values()] == ["open"] * 3


def test_a_stream_is_not_lost_with_its_server(lab: Lab) -> None:
    holder = lab.leader("ALONE")
    assert refusal(f"natslab remove {holder}")[0] == f"Only {holder} has ALONE, which would be lost."


def test_wires(lab: Lab, wait_for: WaitFor) -> None:
    head = lab.tape.head
    assert says("natslab cut n2 n1") == "The wire between n2 and n1 is cut. Heal: %natslab heal n2 n1"
    assert refusal("natslab cut n1 n2")[0] == "The wire between n1 and n2 is cut already."
    assert refusal("natslab hold n1 n2")[0] == "The wire between n1 and n2 is cut already."
    assert ["n1-n2", "wire, cut"] in go("natslab status").rows
    assert says("natslab heal n1 n2") == (
        "The wire between n1 and n2 is whole again. Replicas that were cut off catch up in up to 18 s."
    )
    assert says("natslab hold n1 n3") == "The wire between n1 and n3 is held. Heal: %natslab heal n1 n3"
    assert says("natslab delay n1 n3 80ms") == (
        "The wire between n1 and n3 is 80 ms long each way now. Heal: %natslab heal n1 n3"
    )
    assert says("natslab heal") == "Every wire is whole again."
    assert says("natslab delay --isolate n2 20ms") == (
        "The wires of n2 to n1 and n3 are 20 ms long each way now. Heal: %natslab heal n2"
    )
    assert says("natslab heal n2") == "The wires of n2 to n1 and n3 are whole again."
    wait_for(lambda: all(link.connected for link in lab.fleet.links.values()), 10)
    told = [
        (one.a, one.b, one.state, one.delay)
        for one in lab.tape.between(head, lab.tape.head)
        if isinstance(one, event.Link)
    ]
    states = list(dict.fromkeys(one for one in told if set(one[:2]) == {"n1", "n3"}))
    assert states == [
        ("n1", "n3", "held", 0.0),
        ("n1", "n3", "delayed", 0.08),
        ("n1", "n3", "open", 0.0),
    ]
    marks = [one for one in lab.tape.between(head, lab.tape.head) if isinstance(one, event.Mark)]
    faults = [one.text for one in marks if one.what == "fault"]
    assert "natslab cut n2 n1" in " ".join(faults)


def test_who_waits_in_vain_is_told_of_the_wire(lab: Lab) -> None:
    heard = go("nats sub vain --on n3")
    try:
        with pytest.raises(Timeout) as late:
            heard.wait(count=1, timeout=0.05)
        assert "%natslab picture routing" in late.value.hint
        go("natslab cut n1 n3")
        with pytest.raises(Timeout) as late:
            heard.wait(count=1, timeout=0.05)
        assert late.value.hint == "The wire between n1 and n3 is cut: %natslab picture topology"
    finally:
        heard.stop()
        go("natslab heal")


def test_isolated_and_healed(lab: Lab) -> None:
    old = lab.leader("ORDERS")
    others = " and ".join(name for name in lab.servers if name != old)
    first = says("natslab cut --isolate 'leader(ORDERS)'")
    assert first == (
        f"{old}, the leader of ORDERS, is isolated: its wires to {others} are cut. "
        f"If it led anything, the others have another leader in 3 to 11 s. Heal: %natslab heal {old}"
    )
    assert passed_over(first) == "SERVER the leader of ORDERS"
    healed = says("natslab heal")
    assert healed == "Every wire is whole again. Replicas that were cut off catch up in up to 18 s."
    assert says("natslab cut --isolate n1") == (
        "n1 is isolated: its wires to n2 and n3 are cut. "
        "If it led anything, the others have another leader in 3 to 11 s. Heal: %natslab heal n1"
    )
    what, hint = refusal("natslab cut --isolate n1")
    assert what == "Every wire of n1 is cut already." and "%natslab heal n1" in hint
    go("natslab heal n1")


def test_a_fault_says_what_follows(lab: Lab) -> None:
    followers = lab.followers("ORDERS")
    assert says(f"natslab freeze {followers[0]}") == (
        f"{followers[0]} is frozen. What it led gets another leader in 3 to 11 s. "
        f"Let it go on: %natslab thaw {followers[0]}"
    )
    assert says("natslab thaw") == f"{followers[0]}, which was frozen, goes on."
    ended = says("natslab term 'follower(ORDERS)'")
    (one,) = [name for name in lab.servers if lab.fleet.servers[name].state == "down"]
    assert one in followers and ended == (
        f"{one}, a follower of ORDERS, has ended. What it led gets another leader at once. "
        f"Start it again: %natslab restart {one}"
    )
    left = [name for name in lab.servers if lab.fleet.servers[name].state == "up"]
    assert says(f"natslab kill {left[0]}") == (
        f"{left[0]} is dead. 1 of 3 is left, no majority: JetStream takes nothing there. "
        f"Start it again: %natslab restart {left[0]}"
    )
    what, hint = refusal(f"natslab kill {left[1]}")
    assert what == f"{left[1]} is the last server that runs: nothing would answer any more."
    assert "--force" in hint and lab.fleet.servers[left[1]].state == "up"
    assert refusal("natslab restart")[0].startswith("Which server?")
    go(f"natslab restart {left[0]}")
    assert says("natslab restart") == (
        f"{one}, which was down, is up again. It catches up with the others in up to 3 s."
    )


def test_words_that_mean_no_server(lab: Lab) -> None:
    assert refusal("natslab kill n7") == (
        "There is neither a server nor a client called 'n7' here.", "There are n1, n2, n3 and you."
    )  # fmt: skip
    assert refusal("natslab freeze n2 n3")[1] == "One at a time: %natslab freeze n3"
    assert refusal("natslab isolate n1")[1] == "To cut all wires of a server: %natslab cut --isolate n1"
    assert refusal("natslab kill 'leader(FOO)'")[0] == "There is no stream called 'FOO'."
    assert {server.state for server in lab.fleet.servers.values()} == {"up"}


def test_completion(lab: Lab) -> None:
    def words(text: str) -> list[str]:
        return [word for word, _ in complete("natslab", text)[0]]

    assert words("kill n") == ["n1", "n2", "n3"]
    assert words("kill leader(") == ["leader(ALONE)", "leader(ORDERS)", "leader(ORDERS,W)"]
    assert words("freeze fol") == ["follower(ALONE)", "follower(ORDERS)"]
    assert words("restart m") == ["meta"]
    assert words("cut n1 n") == ["n2", "n3"]
    assert words("cut --isolate n") == ["n1", "n2", "n3"]
    assert words("add --cluster ") == ["C1"]


def test_a_server_more_and_less(lab: Lab) -> None:
    head = lab.tape.head
    assert says("natslab add") == (
        "n4 has joined: n1, n2, n3 and n4.\n"
        "Note: 4 servers need 3 for a majority: no more than 1 may be lost, as with 3."
    )
    assert says("natslab remove n4") == "n4 is no longer in the lab. n1, n2 and n3 are left."
    told = [
        (one.name, one.state)
        for one in lab.tape.between(head, lab.tape.head)
        if isinstance(one, event.Server)
    ]
    assert told[0] == ("n4", "starting") and told[-1] == ("n4", "removed")
    links = [one for one in lab.tape.between(head, lab.tape.head) if isinstance(one, event.Link)]
    gone = [one for one in links if one.state == "removed"]
    assert {(one.a, one.b) for one in gone} == {("n1", "n4"), ("n2", "n4"), ("n3", "n4")}


def test_the_other_shapes() -> None:
    """After the lab of the module: only one is up at a time."""
    if natslab.lab._current is not None:
        go("natslab down")
    shapes = [
        (
            "natslab up --cluster",
            "The lab is up: n1.\nNote: JetStream of a cluster waits for a second server: %natslab add",
        ),
        (
            "natslab up --servers 2 --no-wires",
            "The lab is up: n1 and n2.\nNote: 2 servers need 2 for a majority: none may be lost, as with 1.",
        ),
        ("natslab leaf hub edge1", "The lab is up: hub and edge1."),
        ("natslab super EAST=1 WEST=1", "The lab is up: EAST-n1 and WEST-n1."),
    ]
    for line, want in shapes:
        try:
            assert says(line) == want
            assert says(line).startswith("The lab is already up")
            if "no-wires" in line:
                assert "no wires" in refusal("natslab cut n1 n2")[0]
            if "leaf" in line:
                assert says("natslab cut edge1 hub").startswith("The wire between edge1 and hub is cut.")
                assert says("natslab heal") == "Every wire is whole again."
        finally:
            go("natslab down")


@pytest.mark.parametrize(
    ("line", "say"),
    [
        ("natslab up --servers 10", "10 servers is not possible"),
        ("natslab super", "two clusters at least"),
        ("natslab super EAST", "does not say how many"),
        ("natslab super EAST=x WEST=1", "does not say how many"),
        ("natslab super EAST=3 EAST=3", "there twice"),
        ("natslab super EAST=3", "two clusters at least"),
        ("natslab super EAST=9 WEST=9", "more than this lab holds"),
        ("natslab super 1=1 2=1", "cannot name a cluster"),
        ("natslab leaf", "a hub and an edge"),
        ("natslab leaf hub", "has no leafnodes"),
        ("natslab leaf hub hub", "one name"),
        ("natslab leaf a/b c", "cannot name a server"),
    ],
)
def test_shapes_that_make_no_sense(line: str, say: str) -> None:
    if natslab.lab._current is not None:
        go("natslab down")
    assert say in refusal(line)[0]
    assert natslab.lab._current is None


def test_what_is_waited_for_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """In the thread of who waits, when it lasts, and taken away afterwards."""
    if natslab.lab._current is not None:
        go("natslab down")
    told: list[tuple[str, int]] = []
    front.use(front.Front(tell=lambda said: told.append((said, threading.get_ident()))))
    monkeypatch.setattr(front, "MOMENT", 0.0)
    began = time.monotonic()
    try:
        go("natslab super EAST=1 WEST=1")  # elects no leader within a second
        assert time.monotonic() - began > 0.5
        assert told[0][0].startswith("Waiting: ") and told[-1][0] == ""
        assert {thread for _, thread in told} == {threading.get_ident()}
    finally:
        front.use(None)
        go("natslab down")
