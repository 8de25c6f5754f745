"""Who reaches whom, and the sentence about those who are missing: no server is needed for that."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from natslab.commands.leading import Lead
from natslab.commands.majority import sentence
from natslab.commands.spreading import spread
from natslab.servers.reach import Wire, reached

UP = {"n1": "up", "n2": "up", "n3": "up"}


def routes(*cut: tuple[str, str], state: str = "cut") -> list[Wire]:
    pairs = itertools.combinations(UP, 2)
    return [Wire(a, b, "route", state if (a, b) in cut else "open") for a, b in pairs]


def test_all_reach_all() -> None:
    assert reached("n2", UP, routes()) == set(UP)
    assert reached("n2", UP, []) == set(UP)  # without wires of ours


@pytest.mark.parametrize("state", ["down", "frozen", "starting", "removed"])
def test_a_server_that_sleeps_is_not_reached_and_reaches_nobody(state: str) -> None:
    states = {**UP, "n3": state}
    assert reached("n1", states, routes()) == {"n1", "n2"}
    assert reached("n3", states, routes()) == set()


@pytest.mark.parametrize("state", ["cut", "held", "removed"])
def test_a_dead_wire(state: str) -> None:
    between = routes(("n1", "n2"), ("n1", "n3"), state=state)
    assert reached("n1", UP, between) == {"n1"}
    assert reached("n3", UP, between) == {"n2", "n3"}


def test_a_slow_wire_is_a_wire() -> None:
    assert reached("n1", UP, routes(("n1", "n2"), state="delayed")) == set(UP)


def test_a_route_passes_nothing_on_to_another_route() -> None:
    """So a single cut wire leaves a server that two others reach and that cannot join them."""
    assert reached("n1", UP, routes(("n1", "n2"))) == {"n1", "n3"}
    assert reached("n3", UP, routes(("n1", "n2"))) == set(UP)


def test_between_clusters_one_gateway_is_enough() -> None:
    states = dict.fromkeys(("E1", "E2", "W1", "W2"), "up")
    between = [Wire("E1", "E2", "route", "open"), Wire("W1", "W2", "route", "open")]
    gates = [Wire(e, w, "gateway", "open") for e in ("E1", "E2") for w in ("W1", "W2")]
    assert reached("E1", states, [*between, *gates]) == set(states)
    one_cut = [Wire(g.a, g.b, g.type, "cut" if (g.a, g.b) == ("E1", "W2") else "open") for g in gates]
    assert reached("E1", states, [*between, *one_cut]) == set(states)
    all_cut = [Wire(g.a, g.b, g.type, "cut") for g in gates]
    assert reached("E1", states, [*between, *all_cut]) == {"E1", "E2"}


@pytest.mark.parametrize(
    ("members", "away", "what", "hint"),
    [
        (
            "n1 n2 n3",
            {"n2": "down", "n3": "frozen"},
            "JetStream decides nothing without 2 of its 3 servers, and n1 is alone: "
            "n2 is down and n3 is frozen.",
            "%natslab restart n2; %natslab thaw n3",
        ),
        (
            "n1 n2 n3",
            {"n2": "cut off from n1", "n3": "cut off from n1"},
            "JetStream decides nothing without 2 of its 3 servers, and n1 is alone: "
            "n2 and n3 are cut off from n1.",
            "%natslab heal",
        ),
        (
            "n1 n2 n3 n4 n5",
            {"n3": "down", "n4": "down", "n5": "down"},
            "JetStream decides nothing without 3 of its 5 servers, and only 2 are there: "
            "n3, n4 and n5 are down.",
            "%natslab restart n3; %natslab restart n4; %natslab restart n5",
        ),
        (
            "n1 n2 n3 n4",
            {"n2": "down", "n3": "down", "n4": "frozen"},
            "JetStream decides nothing without 3 of its 4 servers, and n1 is alone: "
            "n2 and n3 are down, and n4 is frozen.",
            "%natslab restart n2; %natslab restart n3; %natslab thaw n4",
        ),
        (  # a group of two, of which n1 is none
            "n2 n3",
            {"n2": "down"},
            "JetStream decides nothing without 2 of its 2 servers, and only 1 is there: n2 is down.",
            "%natslab restart n2",
        ),
        ("n2", {"n2": "down"}, "JetStream is only on n2: n2 is down.", "%natslab restart n2"),
        ("n1 n2 n3", {"n3": "down"}, "", ""),
        ("n1 n2 n3", {"n9": "down"}, "", ""),
        ("", {"n1": "down"}, "", ""),
    ],
)
def test_the_sentence(members: str, away: dict[str, str], what: str, hint: str) -> None:
    assert sentence("JetStream", members.split(), away, "n1") == ((what, hint) if what else None)


NAMES = ("n1", "n2", "n3", "n4")
LEADS = st.dictionaries(
    st.integers(0, 40).map(str),
    st.sets(st.sampled_from(NAMES), min_size=1).flatmap(
        lambda peers: st.sampled_from(sorted(peers)).map(
            lambda leader: Lead(leader, "since", tuple(sorted(peers)), "C1")
        )
    ),
    max_size=24,
)


@given(LEADS)
def test_after_spreading_nobody_leads_two_more_than_one_that_could(leads: dict[str, Lead]) -> None:
    moves = spread(leads)
    where = {name: lead.leader for name, lead in leads.items()}
    for move in moves:
        assert where[move.name] == move.source != move.target
        assert move.target in leads[move.name].peers
        where[move.name] = move.target
    counts = {n: list(where.values()).count(n) for n in NAMES}
    for name, leader in where.items():
        assert all(counts[leader] - counts[peer] <= 1 for peer in leads[name].peers)
    assert len({m.name for m in moves}) == len(moves)


def test_what_is_spread_stays() -> None:
    leads = {f"S{i}": Lead(f"n{i}", "", ("n1", "n2", "n3")) for i in (1, 2, 3)}
    assert spread(leads) == []
    assert spread({}) == []


def test_of_six_led_by_one_four_move() -> None:
    leads = {f"S{i}": Lead("n1", "", ("n1", "n2", "n3")) for i in range(6)}
    assert [(m.name, m.target) for m in spread(leads)] == [
        ("S0", "n2"), ("S1", "n3"), ("S2", "n2"), ("S3", "n3"),
    ]  # fmt: skip
