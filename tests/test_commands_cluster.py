"""Leaders and replicas by the line, on three real servers; what is said is held against what they report."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import natslab
from natslab.commands import parse
from natslab.commands.leading import Led
from natslab.errors import CommandError, NatslabError, NoResponders, Timeout
from natslab.lab import Lab
from natslab.loop import run
from natslab.magics.complete import complete
from natslab.servers.jsapi import JetStreamError
from natslab.tape.event import Store

Go = Callable[..., Any]
NAMES = ("n1", "n2", "n3")
ALONE = "JetStream decides nothing without 2 of its 3 servers, and n1 is alone: "


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    with natslab.Lab.up(servers=3) as up:
        yield up


@pytest.fixture
def go(lab: Lab) -> Iterator[Go]:
    """`go(line, body=None)`: run it; afterwards streams are removed, servers and wires are whole."""

    def run_line(line: str, body: str | None = None) -> Any:
        return parse(line, body).run()

    yield run_line
    for server in lab.servers.values():
        if server.state == "frozen":
            server.thaw()
        if server.state == "down":
            server.start()
    if any(link.state != "open" for link in lab.fleet.links.values()):
        lab.heal()
    run(lab.fleet.ready())
    for _ in range(60):
        try:
            run_line("js stream add READY --subjects ready --replicas 3 --defaults --timeout 2s")
            for name in run_line("js stream ls --names --all --timeout 2s").names:
                run_line(f"js stream rm {name} -f --timeout 2s")
            return
        except NatslabError:  # the servers agree again within some seconds
            time.sleep(0.5)
    raise AssertionError("the servers do not agree")


def refusal(go: Go, line: str) -> NatslabError:
    with pytest.raises(NatslabError) as caught:
        go(line)
    assert "\n" not in caught.value.what
    assert "\n" not in caught.value.hint
    return caught.value


def reported(lab: Lab, stream: str) -> dict[str, str]:
    """Each server that has a replica, and who leads the stream by its own word."""
    found = {}
    for name, server in lab.fleet.servers.items():
        if server.state != "up":
            continue
        said = run(lab.fleet.ask(name, "jsz", accounts=True, streams=True))
        for account in said.get("account_details") or []:
            for one in account.get("stream_detail") or []:
                if one["name"] == stream:
                    found[name] = one["cluster"].get("leader", "")
    return found


def other(lab: Lab, leader: str) -> str:
    return next(n for n in lab.fleet.servers if n != leader)


class TestReplicas:
    def test_a_stream_on_three_servers(self, lab: Lab, go: Go) -> None:
        made = go("js stream add ORDERS --subjects 'orders.>' --replicas 3 --defaults")
        assert set(reported(lab, "ORDERS")) == set(NAMES)
        leader = made.cluster.leader
        followers = sorted(set(NAMES) - {leader})
        assert [r.name for r in made.cluster.replicas if r.current] == followers
        text = repr(made)
        assert re.search(rf"^ *Leader: {leader}$", text, re.M)
        for name in followers:
            assert re.search(rf"^ *Replica: {name}, current$", text, re.M)
        assert "ago" not in text

    def test_info_waits_for_what_was_just_published(self, lab: Lab, go: Go) -> None:
        go("js stream add ORDERS --subjects 'orders.>' --replicas 3 --defaults")
        for _ in range(20):
            go("pub orders.a x -J --count 5")
            info = go("js stream info ORDERS")
            assert not [r for r in info.cluster.replicas if r.get("lag") or not r.current]

    def test_more_replicas_than_servers(self, lab: Lab, go: Go) -> None:
        error = refusal(go, "js stream add FIVE --subjects five --replicas 5 --defaults")
        assert isinstance(error, JetStreamError)
        assert error.code == 10005
        assert error.what == (
            "Stream FIVE is to have 5 replicas, each on a server of its own, and this lab has 3 servers "
            "(error 10005)."
        )
        assert error.hint.startswith("Ask for fewer: --replicas 3;")
        go("js stream add ORDERS --subjects 'orders.>' --defaults")
        assert "5 replicas" in refusal(go, "js stream edit ORDERS --replicas 5 -f").what
        assert "Stream KV_C is to have 5 replicas" in refusal(go, "js kv add C --replicas 5").what
        assert go("js stream info ORDERS").config.num_replicas == 1

    def test_places_that_are_not_there(self, lab: Lab, go: Go) -> None:
        error = refusal(go, "js stream add A --subjects a --replicas 3 --cluster WEST --defaults")
        assert error.what.startswith("Stream A is to be in the cluster WEST, and there is no such cluster")
        assert error.hint == "There is C1."
        error = refusal(go, "js stream add A --subjects a --tag ssd --tag eu --defaults")
        assert error.what.startswith("Stream A is to have 1 replica on servers with the tag ssd, and ")
        assert go("js stream add A --subjects a --replicas 3 --cluster C1 --defaults").config.placement == {
            "cluster": "C1"
        }

    def test_one_replica_becomes_three(self, lab: Lab, go: Go) -> None:
        go("js stream add ORDERS --subjects 'orders.>' --defaults -q")
        go("pub orders.a x -J --count 200")
        assert len(reported(lab, "ORDERS")) == 1
        changed = go("js stream edit ORDERS --replicas 3 -f")
        assert repr(changed) == "Stream ORDERS was updated\n\n  num_replicas: 1 -> 3"
        assert set(reported(lab, "ORDERS")) == set(NAMES)
        assert all(r["current"] for r in changed.cluster["replicas"])

    def test_reports_star_the_leader(self, lab: Lab, go: Go) -> None:
        leader = go("js stream add ORDERS --subjects 'orders.>' --replicas 3 --defaults").cluster.leader
        row = go("js stream report").rows[0]
        assert row[-1] == ", ".join(f"{n}*" if n == leader else n for n in NAMES)
        assert go("js stream report --leaders").leads == [[leader, "1"]]
        assert go(f"js stream find --leader {leader} --names").names == ["ORDERS"]
        assert go(f"js stream find --leader {other(lab, leader)} --names").names == []
        assert go(f"js stream find --server-name {other(lab, leader)} --names").names == ["ORDERS"]
        first = go("js consumer add ORDERS W --pull --defaults").cluster.leader
        row = go("js consumer report ORDERS").rows[0]
        assert row[-1] == ", ".join(f"{n}*" if n == first else n for n in NAMES)

    def test_a_bucket_tells_its_replicas(self, lab: Lab, go: Go) -> None:
        go("js kv add CFG --replicas 3")
        text = repr(go("js kv info CFG"))
        assert "Cluster Information:" in text
        assert len(re.findall(r"Replica: n\d, current", text)) == 2


class TestStepDown:
    def test_another_leads_and_keeps_what_is_stored(self, lab: Lab, go: Go) -> None:
        before = go("js stream add ORDERS --subjects 'orders.>' --replicas 3 --defaults").cluster.leader
        go("pub orders.a x -J --count 3")
        led = go("js stream cluster step-down ORDERS")
        assert isinstance(led, Led)
        assert led.before == before != led.leader
        assert repr(led) == f"{led.leader} leads stream ORDERS now"
        assert 0 < led.took < 10
        assert set(reported(lab, "ORDERS").values()) == {led.leader}
        assert go("js stream info ORDERS").state.messages == 3

    @pytest.mark.parametrize("verb", ["step-down", "stepdown", "sd", "elect", "down", "d"])
    def test_the_one_that_is_preferred(self, lab: Lab, go: Go, verb: str) -> None:
        before = go("js stream add ORDERS --subjects 'orders.>' --replicas 3 --defaults").cluster.leader
        wanted = other(lab, before)
        led = go(f"js stream cluster {verb} ORDERS --preferred {wanted}")
        assert led.leader == wanted
        assert not led.notes
        assert reported(lab, "ORDERS")[wanted] == wanted

    def test_who_cannot_lead(self, lab: Lab, go: Go) -> None:
        leader = go("js stream add ORDERS --subjects 'orders.>' --replicas 3 --defaults").cluster.leader
        error = refusal(go, "js stream cluster step-down ORDERS --preferred n9")
        assert error.what == "n9 has no replica of stream ORDERS, so it cannot lead it."
        assert error.hint == "There are n1, n2 and n3."
        led = go(f"js stream cluster step-down ORDERS --preferred {leader}")
        assert repr(led) == f"{leader} leads stream ORDERS already"
        assert go("js stream info ORDERS").cluster.leader == leader

    def test_one_replica(self, lab: Lab, go: Go) -> None:
        go("js stream add ONE --subjects one --defaults")
        error = refusal(go, "js stream cluster step-down ONE")
        assert "has one replica, on n" in error.what
        assert error.hint == "More replicas: %js stream edit ONE --replicas 3"

    def test_names_that_are_not_there(self, lab: Lab, go: Go) -> None:
        assert refusal(go, "js stream cluster step-down NOPE").what.startswith("There is no stream NOPE")
        go("js stream add ORDERS --subjects 'orders.>' --replicas 3 --defaults")
        assert refusal(go, "js consumer cluster step-down ORDERS X").what == "ORDERS has no consumer X."

    def test_a_consumer_goes_on_where_it_was(self, lab: Lab, go: Go) -> None:
        go("js stream add ORDERS --subjects 'orders.>' --replicas 3 --defaults")
        before = go("js consumer add ORDERS W --pull --defaults").cluster.leader
        go("pub orders.a x -J --count 5")
        assert [m.seq for m in go("js consumer next ORDERS W --count 2 --ack")] == [1, 2]
        wanted = other(lab, before)
        led = go(f"js consumer cluster down ORDERS W --preferred {wanted}")
        assert (led.before, led.leader) == (before, wanted)
        assert repr(led) == f"{wanted} leads consumer ORDERS > W now"
        assert go("js consumer info ORDERS W").cluster.leader == wanted
        assert [m.seq for m in go("js consumer next ORDERS W --count 2 --ack")] == [3, 4]

    def test_explained(self, lab: Lab, go: Go) -> None:
        said = go("js stream cluster step-down ORDERS --preferred n2 --explain").bytes
        assert (
            said[:2]
            == [
                "PUB $JS.API.STREAM.LEADER.STEPDOWN.ORDERS _INBOX.… 38",
                '{"placement": {"preferred": "n2"}}'.replace(": ", ": "),
            ]
            or said[1] == '{"placement": {"preferred": "n2"}}'
        )

    def test_traced(self, lab: Lab, go: Go) -> None:
        go("js stream add ORDERS --subjects 'orders.>' --replicas 3 --defaults")
        text = repr(go("js stream cluster step-down ORDERS --trace"))
        assert ">>> $JS.API.STREAM.LEADER.STEPDOWN.ORDERS" in text


class TestBalance:
    def test_leaders_are_spread(self, lab: Lab, go: Go) -> None:
        for i in range(6):
            go(f"js stream add S{i} --subjects s{i} --replicas 3 --defaults")
            if reported(lab, f"S{i}")["n1"] != "n1":
                go(f"js stream cluster step-down S{i} --preferred n1")
        made = go("js stream cluster balance")
        assert made.leaders == {"n1": 2, "n2": 2, "n3": 2}
        assert repr(made) == (
            "6 streams on 3 servers, each of which leads 2\n"
            "S0: n2 leads now, before it was n1\n"
            "S1: n3 leads now, before it was n1\n"
            "S2: n2 leads now, before it was n1\n"
            "S3: n3 leads now, before it was n1"
        )
        leads = [reported(lab, f"S{i}")["n1"] for i in range(6)]
        assert {n: leads.count(n) for n in NAMES} == made.leaders
        assert go("js stream cluster balance").moves == []

    def test_consumers_too(self, lab: Lab, go: Go) -> None:
        go("js stream add ORDERS --subjects 'orders.>' --replicas 3 --defaults")
        for i in range(3):
            if go(f"js consumer add ORDERS C{i} --pull --defaults").cluster.leader != "n2":
                go(f"js consumer cluster step-down ORDERS C{i} --preferred n2")
        made = go("js consumer cluster balance ORDERS")
        assert made.leaders == {"n1": 1, "n2": 1, "n3": 1}
        rows = {row[0]: row[-1] for row in go("js consumer report ORDERS").rows}
        assert sum("n2*" in cell for cell in rows.values()) == 1

    def test_nothing_to_spread(self, lab: Lab, go: Go) -> None:
        assert refusal(go, "js stream cluster balance").what == "No stream matches."
        go("js stream add ONE --subjects one --defaults")
        assert refusal(go, "js stream cluster balance").what.startswith("This stream has one replica only")
        go("js stream add ORDERS --subjects 'orders.>' --replicas 3 --defaults")
        assert go("js stream cluster balance").notes == ["1 with one replica stays where it is."]
        assert refusal(go, "js consumer cluster balance ORDERS").what == "No consumer of ORDERS matches."
        assert refusal(go, "js stream cluster balance --leader n9").what == "No stream matches."


class TestPeerRemove:
    def test_nobody_to_take_over(self, lab: Lab, go: Go) -> None:
        go("js stream add ORDERS --subjects 'orders.>' --replicas 3 --defaults")
        error = refusal(go, "js stream cluster peer-remove ORDERS n3")
        assert error.what == (
            "No server can take over the replica of stream ORDERS from n3: its 3 are on n1, n2 and n3, "
            "and no other server is there (error 10075)."
        )
        assert set(reported(lab, "ORDERS")) == set(NAMES)

    def test_another_server_takes_over(self, lab: Lab, go: Go) -> None:
        made = go("js stream add PAIR --subjects pair --replicas 2 --defaults")
        go("pub pair x -J --count 50")
        peers = {made.cluster.leader, made.cluster.replicas[0]["name"]}
        spare = (set(NAMES) - peers).pop()
        gone = made.cluster.replicas[0]["name"]
        removed = go(f"js stream cluster peer-remove PAIR {gone}")
        assert repr(removed) == f"The replica of stream PAIR on {gone} was removed, and {spare} has one now"
        info = go("js stream info PAIR")
        assert info.state.messages == 50
        assert {info.cluster.leader, *(r.name for r in info.cluster.replicas)} == (peers - {gone}) | {spare}
        assert set(reported(lab, "PAIR")) == (peers - {gone}) | {spare}

    def test_the_only_replica(self, lab: Lab, go: Go) -> None:
        peer = go("js stream add ONE --subjects one --defaults").cluster.leader
        go("pub one x -J --count 2")
        error = refusal(go, f"js stream cluster peer-remove ONE {peer}")
        assert error.what == (
            f"{peer} has the only replica of stream ONE: removing it would lose its 2 messages for good."
        )
        assert go("js stream info ONE").state.messages == 2

    def test_who_has_none(self, lab: Lab, go: Go) -> None:
        go("js stream add ORDERS --subjects 'orders.>' --replicas 3 --defaults")
        assert refusal(go, "js stream cluster peer-remove ORDERS n9").hint == "There are n1, n2 and n3."
        assert refusal(go, "js stream cluster peer-remove ORDERS").what == "From which server?"


class TestMeta:
    def leader(self, lab: Lab) -> str:
        found = {name: run(lab.fleet.ask(name, "raftz"))["SYS"]["_meta_"] for name in lab.fleet.servers}
        return next(n for n, group in found.items() if group["state"] == "LEADER")

    def test_step_down(self, lab: Lab, go: Go) -> None:
        before = self.leader(lab)
        led = go("server raft step-down")
        assert led.before == before != led.leader == self.leader(lab)
        assert repr(led) == f"{led.leader} leads the meta group now"
        wanted = other(lab, led.leader)
        assert go(f"server cluster elect --host {wanted}").leader == wanted == self.leader(lab)

    def test_who_cannot_lead(self, lab: Lab, go: Go) -> None:
        leader = self.leader(lab)
        assert refusal(go, "server raft step-down --host n9").what == "n9 is not in the meta group."
        led = go(f"server raft step-down --host {leader}")
        assert repr(led) == f"{leader} leads the meta group already"
        error = refusal(go, "server raft step-down --cluster WEST")
        assert error.what == (
            "No other server can lead the meta group: none is connected that is as was asked for "
            "(error 10005)."
        )
        assert self.leader(lab) == leader

    def test_removing_needs_force_and_a_name(self, lab: Lab, go: Go) -> None:
        leader = self.leader(lab)
        error = refusal(go, f"server raft peer-remove {leader} -f")
        assert error.what == f"{leader} leads the meta group, and its leader cannot be removed."
        one = other(lab, leader)
        error = refusal(go, f"server raft peer-remove {one}")
        assert error.hint == f"Nothing was done. To do it: %nats server raft peer-remove {one} -f"
        assert refusal(go, "server raft peer-remove n9 -f").what == "n9 is not in the meta group."
        assert run(lab.fleet.ask(leader, "jsz"))["meta_cluster"]["cluster_size"] == 3


class TestMissing:
    """Two of three are missing: nothing is decided, and the sentence says who and why."""

    def stream_on_n1(self, go: Go) -> None:
        go("js stream add ORDERS --subjects 'orders.>' --replicas 3 --defaults")
        go("pub orders.a x -J")

    def test_down_and_frozen(self, lab: Lab, go: Go) -> None:
        self.stream_on_n1(go)
        lab.server("n2").kill()
        lab.server("n3").freeze()
        what = f"{ALONE}n2 is down and n3 is frozen"
        for line in (
            "pub orders.a x -J",
            "js stream add X --subjects x --replicas 3 --defaults",
            "js consumer add ORDERS W --pull --defaults",
        ):
            error = refusal(go, f"{line} --on n1 --timeout 700ms")
            assert error.what.startswith(what), line
            assert error.hint.startswith("%natslab restart n2; %natslab thaw n3")
            if line.startswith("pub"):  # a leader may have it, and stores it when it has a majority again
                late = isinstance(error, Timeout)
                assert error.hint.endswith("What was asked may still be done.") == late
            assert isinstance(error, (Timeout, NoResponders, JetStreamError))
        listed = go("server ls")
        assert [(r["name"], r["state"]) for r in listed] == [("n1", "up"), ("n2", "down"), ("n3", "frozen")]
        notes = go("server report health").notes
        assert notes == ["n2 did not answer: it is down.", "n3 did not answer: it is frozen."]

    def test_every_verb_says_who_is_missing(self, lab: Lab, go: Go, tmp_path: Path) -> None:
        """Or answers all the same: nothing waits longer than it was told, and nothing is lost."""
        file = tmp_path / "file"
        file.write_text("x")
        self.stream_on_n1(go)
        for line in (
            "kv add CFG --replicas 3", "kv put CFG a 1", "object add FILES --replicas 3",
            f"object put FILES {file} --name f", "consumer add ORDERS W --pull --defaults",
        ):  # fmt: skip
            go(f"js {line}")
        for name in ("n2", "n3"):
            lab.server(name).kill()
        answered = []
        for line in (
            "pub orders.a x -J", "stream info ORDERS", "stream ls", "stream get ORDERS 1",
            "stream add X --subjects x --defaults", "stream edit ORDERS --max-msgs 9 -f", "stream report",
            "stream rm ORDERS -f", "stream cluster step-down ORDERS", "stream cluster balance",
            "consumer add ORDERS V --pull --defaults",
            "consumer next ORDERS W", "consumer info ORDERS W", "consumer ls ORDERS",
            "consumer cluster step-down ORDERS W", "kv get CFG a", "kv put CFG b 2", "kv add Y --replicas 3",
            "kv ls", f"object put FILES {file} --name g", f"object get FILES f -O {tmp_path}/out",
            "object ls FILES", "server report jetstream", "server raft step-down",
            "server check meta --expect 3 --lag-critical 10 --seen-critical 2s",
        ):  # fmt: skip
            began = time.monotonic()
            said: NatslabError | None = None
            try:
                go(f"{line} --on n1 --timeout 700ms")
                answered.append(line)
            except NatslabError as e:
                said = e
            assert time.monotonic() - began < 3, line
            if said is not None and "is being deleted" in said.what:
                # n1 still led the meta group when it was asked to, and tells of it before all have agreed.
                assert " ORDERS" in line
            elif said is not None:
                assert said.what.startswith(f"{ALONE}n2 and n3 are down"), line
                assert said.hint.startswith("%natslab restart n2; %natslab restart n3"), line
        assert "server report jetstream" in answered and "stream add X" not in " ".join(answered)
        for line in ("kill leader(ORDERS)", "freeze meta"):
            error = refusal(go, f"natslab {line}")
            if "Nobody leads" in error.what:  # a leader notices after some seconds that it is alone
                assert f"{ALONE}n2 and n3 are down" in error.what
                assert error.hint == "%natslab restart n2; %natslab restart n3"
            else:
                assert "last server that runs" in error.what
        assert refusal(go, "natslab add").what.startswith("n4 cannot join now: ")
        assert refusal(go, "natslab remove n3").what.startswith("n3 cannot be removed now: ")
        for name in ("n2", "n3"):
            lab.server(name).start()
        end = time.monotonic() + 30
        while True:
            try:
                assert repr(go("js stream get ORDERS 1")).endswith("\n\nx")
                assert repr(go("js kv get CFG a --raw")) == "1"
                assert go("pub orders.a x -J").seq >= 2
                return
            except NatslabError:
                assert time.monotonic() < end
                time.sleep(0.2)

    def test_a_leader_that_has_just_gone(self, lab: Lab, go: Go) -> None:
        self.stream_on_n1(go)
        gone = go("js stream info ORDERS").cluster.leader
        asked = other(lab, gone)
        lab.server(gone).kill()
        error = refusal(go, f"pub orders.a x -J --on {asked} --timeout 1s")
        assert error.what == f"Stream ORDERS has no leader at the moment, {gone} being down."
        error = refusal(go, f"js stream info ORDERS --on {asked} --timeout 1s")
        assert gone in error.what and "no leader" in error.what
        error = refusal(go, "natslab kill leader(ORDERS)")
        assert error.what == "Nobody leads ORDERS now." and "3 to 11 s" in error.hint

    @pytest.mark.parametrize("seen", [True, False])
    def test_a_stream_that_only_one_server_has(
        self, lab: Lab, go: Go, seen: bool, wait_for: Callable[..., float]
    ) -> None:
        """Nobody else reports it: the lab remembers, also of one that was made a moment ago."""
        go("js stream add ONE --subjects one --defaults")
        head = lab.tape.head
        go("pub one x -J")
        if seen:
            lab.settle(3)
        wait_for(lambda: any(isinstance(e, Store) for e in lab.tape.between(head, lab.tape.head)))
        holder = lab.leader("ONE")
        lab.server(holder).kill()
        for line in ("pub one x -J", "js stream info ONE", "js stream get ONE 1", "js stream purge ONE -f"):
            error = refusal(go, f"{line} --timeout 700ms")
            assert error.what == f"Stream ONE is only on {holder}: {holder} is down.", line
            assert error.hint == f"%natslab restart {holder}"
        error = refusal(go, "natslab kill leader(ONE)")
        assert error.what == "No server that runs has a stream called 'ONE'."
        assert error.hint == f"{holder} is down or frozen: %natslab status"
        error = refusal(go, "pub nowhere x -J --timeout 700ms")
        assert error.what == "No stream takes messages on nowhere."

    def test_cut_off(self, lab: Lab, go: Go) -> None:
        self.stream_on_n1(go)
        lab.isolate("n1")
        error = refusal(go, "js stream add X --subjects x --replicas 3 --defaults --on n1 --timeout 700ms")
        assert error.what.startswith(f"{ALONE}n2 and n3 are cut off from n1")
        assert error.hint.startswith("%natslab heal; or ask the others, who decide: --on n2")
        # From the other side it is n1 that is missing, and two decide.
        states = {r["name"]: r["state"] for r in go("server ls")}
        assert states == {"n1": "cut off from n2", "n2": "up", "n3": "up"}
        assert {r["name"]: r["state"] for r in go("server ls --on n1")}["n2"] == "cut off from n1"
        assert go("server report routes").notes == ["n1 did not answer: it is cut off from n2."]
        assert go("server info n1").name == "n1"

    def test_an_answer_of_one_that_is_cut_off_may_be_old(
        self, lab: Lab, go: Go, wait_for: Callable[..., float]
    ) -> None:
        self.stream_on_n1(go)
        if lab.leader("ORDERS") != "n1":
            go("js stream cluster step-down ORDERS --preferred n1")
        lab.isolate("n1")
        doubt = "n1 reaches 1 of 3 servers: what it says may be old."
        for line in ("stream info ORDERS", "stream get ORDERS 1"):  # it believes that it leads
            assert go(f"js {line} --on n1").notes == [doubt], line

        def sure() -> bool:
            try:
                return bool(go("js stream get ORDERS 1 --on n2").notes == [])
            except NatslabError:  # the others elect a leader
                return False

        wait_for(sure, 20)

    def test_a_frozen_server_and_a_client_that_is_connected_to_it(self, lab: Lab, go: Go) -> None:
        self.stream_on_n1(go)
        client = run(lab.client("you"))
        lab.server(client.server).freeze()
        error = refusal(go, "js stream info ORDERS --timeout 500ms")
        assert error.what == f"{client.server} is frozen, and this client is connected to it."
        assert f"%natslab thaw {client.server}" in error.hint
        assert "--on n" in error.hint

    def test_two_of_three_are_enough(self, lab: Lab, go: Go) -> None:
        self.stream_on_n1(go)
        wanted = go("js stream info ORDERS").cluster.leader
        victim = next(n for n in NAMES if n not in (wanted, run(lab.client("you")).server))
        lab.server(victim).kill()
        assert go("pub orders.a x -J").seq == 2
        silent = [n for n in go("server report jetstream").notes if "did not answer" in n]
        assert silent == [f"{victim} did not answer: it is down."]

    def test_a_responder_that_is_missing_is_no_matter_of_servers(self, lab: Lab, go: Go) -> None:
        lab.server("n2").kill()
        error = refusal(go, "request nobody.there x --timeout 500ms")
        assert "Nobody subscribes to nobody.there" in error.what


class TestWhere:
    def test_on(self, lab: Lab, go: Go) -> None:
        for name in NAMES:
            assert f"round trip to {name}" in repr(go(f"rtt 1 --on {name}"))
            assert go(f"server request variables --on {name} --name {name}")[name].data.server_name == name
        assert refusal(go, "js stream ls --on n9").hint == "There are n1, n2 and n3."

    def test_as(self, lab: Lab, go: Go) -> None:
        go("pub a b --as bob")
        assert "bob" in lab.hub.clients
        assert any(c["name"] == "bob" for c in go("server report connections"))


@pytest.mark.parametrize(
    ("text", "want"),
    [
        ("js stream cluster step-down ORDERS --preferred ", ["n1", "n2", "n3"]),
        ("js stream cluster peer-remove ORDERS ", ["n1", "n2", "n3"]),
        ("js stream cluster peer-remove ONE ", 1),
        ("js stream cluster step-down ", ["ONE", "ORDERS"]),
        ("js consumer cluster step-down ORDERS W --preferred n", ["n1", "n2", "n3"]),
        ("js consumer cluster step-down ORDERS ", ["W"]),
        ("nats server raft step-down --host ", ["n1", "n2", "n3"]),
        ("nats server raft peer-remove ", ["n1", "n2", "n3"]),
        ("nats server config reload n", ["n1", "n2", "n3"]),
        ("nats server info ", ["n1", "n2", "n3"]),
        ("nats rtt --on ", ["n1", "n2", "n3"]),
        ("nats server report jetstream --account ", ["A", "LAB", "SYS"]),
        ("nats server report routes --cluster ", ["C1"]),
        ("nats server request raft --group S", 2),
        ("nats server request variables --name ", ["n1", "n2", "n3"]),
        ("js stream find --leader ", ["n1", "n2", "n3"]),
    ],
)
def test_completion(lab: Lab, go: Go, text: str, want: list[str] | int) -> None:
    go("js stream add ORDERS --subjects 'orders.>' --replicas 3 --defaults")
    go("js stream add ONE --subjects one --defaults")
    go("js consumer add ORDERS W --pull --defaults")
    tree, _, rest = text.partition(" ")
    found = [word for word, _ in complete(tree, rest)[0]]
    if isinstance(want, int):
        assert len(found) == want
    else:
        assert sorted(found) == want


def test_the_refusals_are_of_the_line(lab: Lab, go: Go) -> None:
    for line in ("js stream cluster step-down A B", "js stream cluster peer-remove A B C", "server raft rm"):
        with pytest.raises(CommandError):
            go(line)


def test_a_trace_waits_for_the_first_server_s_report_though_a_later_one_comes_first(lab: Lab, go: Go) -> None:
    watched = run(lab.fleet.watcher())._server_info["server_name"]  # where the reports come together
    first, second = (name for name in NAMES if name != watched)
    go(f"sub news --as ear --on {second}")
    go(f"trace news --as mouth --on {first}")  # both are connected, and known everywhere
    lab.delay(first, watched, 0.3)
    result = go(f"trace news --as mouth --on {first}")
    assert [(h.server, h.step, h.name) for h in result.hops] == [
        (first, "in", "mouth"), (first, "egress", second), (second, "in", first), (second, "egress", "ear"),
    ]  # fmt: skip
    assert result.notes == []
