"""The verbs for several servers where there are several clusters, leafnodes, or a server less."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import natslab
from natslab.commands import parse
from natslab.errors import NatslabError, NoResponders
from natslab.lab import Lab
from natslab.loop import run
from natslab.magics.complete import complete


def go(line: str, body: str | None = None) -> Any:
    return parse(line, body).run()


def refusal(line: str) -> NatslabError:
    with pytest.raises(NatslabError) as caught:
        go(line)
    assert "\n" not in caught.value.what
    return caught.value


class TestSupercluster:
    @pytest.fixture(scope="class")
    def lab(self) -> Iterator[Lab]:
        with Lab.supercluster({"EAST": 2, "WEST": 2}) as up:
            yield up

    def test_reports(self, lab: Lab) -> None:
        names = ["EAST-n1", "EAST-n2", "WEST-n1", "WEST-n2"]
        assert [(r["name"], r["cluster"]) for r in go("server ls")] == [(n, n[:4]) for n in names]
        gates = go("server report gateways")
        assert gates.columns == ["Server", "Name", "Kind", "Connection"]
        other = {"EAST": "WEST", "WEST": "EAST"}
        outbound = [row for row in gates.rows if row[2] == "Outbound"]
        assert outbound == [[n, n[:4], "Outbound", other[n[:4]]] for n in names]
        for row in gates:
            if row["kind"] == "Outbound":
                own = run(lab.fleet.ask(row["server"], "gatewayz"))["outbound_gateways"]
                assert list(own) == [row["cluster"]]
                assert row["to"] in names
        assert len(go("server report gateways --filter-name WEST --cluster EAST").rows) >= 2
        assert [row[0] for row in go("server report jetstream --cluster WEST").rows if row[0]] and all(
            row[1] == "WEST" for row in go("server report jetstream --cluster WEST").rows[:2]
        )
        routes = go("server report routes").rows
        assert [(r[0], r[2]) for r in routes] == [
            ("EAST-n1", "EAST-n2"), ("EAST-n2", "EAST-n1"), ("WEST-n1", "WEST-n2"), ("WEST-n2", "WEST-n1"),
        ]  # fmt: skip
        assert go("server request gateways --accounts")["EAST-n1"].data.outbound_gateways.WEST

    def test_placement(self, lab: Lab) -> None:
        made = go("js stream add ORDERS --subjects 'orders.>' --replicas 2 --cluster WEST --defaults")
        assert made.cluster.name == "WEST"
        row = go("js stream report").rows[0]
        assert row[2] == "cluster: WEST"
        assert {n.rstrip("*") for n in row[-1].split(", ")} == {"WEST-n1", "WEST-n2"}
        assert go("js stream report --cluster EAST").rows == []
        error = refusal("js stream add X --subjects x --replicas 3 --cluster WEST --defaults")
        assert "cluster WEST has 2 servers" in error.what
        error = refusal("js stream add X --subjects x --replicas 3 --defaults")
        assert "no cluster has more than 2 servers" in error.what
        error = refusal("js stream add X --subjects x --cluster NORTH --defaults")
        assert error.hint == "There are EAST and WEST."
        moved = go("js stream edit ORDERS --cluster EAST -f")
        assert "placement: {cluster: WEST} -> {cluster: EAST}" in repr(moved)

    def test_the_meta_leader_in_a_cluster(self, lab: Lab) -> None:
        for cluster in ("WEST", "EAST"):
            if not go("server report jetstream --full").rows:
                continue
            leader = next(r[0] for r in go("server report jetstream").rows if r[0].endswith("*"))
            if leader.startswith(cluster):
                continue
            assert go(f"server raft step-down --cluster {cluster}").leader.startswith(f"{cluster}-")

    @pytest.fixture(autouse=True)
    def whole(self, lab: Lab) -> Iterator[None]:
        yield
        if any(link.state != "open" for link in lab.fleet.links.values()):
            lab.heal()

    def test_all_wires_between_two_clusters(self, lab: Lab, wait_for: Callable[..., float]) -> None:
        """Named by their clusters; each goes on with its own streams, and neither can make another."""
        for cluster in ("EAST", "WEST"):
            go(f"js stream add {cluster} --subjects {cluster} --replicas 2 --cluster {cluster} --defaults")
        between = {pair for pair in lab.fleet.links if pair[0][:4] != pair[1][:4]}
        assert len(between) == 4
        said = go("natslab cut EAST WEST")
        assert repr(said) == (
            "The 4 wires between EAST and WEST are cut. Clients use the streams of their own cluster; "
            "none can be made or changed: that takes 3 of all 4 servers. Heal: %natslab heal EAST WEST"
        )
        states = {pair: link.state for pair, link in lab.fleet.links.items()}
        assert {pair for pair, state in states.items() if state == "cut"} == between
        for name in ("EAST-n1", "WEST-n2"):
            wait_for(lambda name=name: not run(lab.fleet.ask(name, "gatewayz"))["outbound_gateways"])
            assert run(lab.fleet.ask(name, "routez"))["num_routes"] == 1, "nothing else was cut"
            assert go(f"pub {name[:4]} x -J --on {name}").seq == 1
        error = refusal("pub EAST x -J --on WEST-n1")
        assert error.what.startswith(
            "Stream EAST decides nothing without 2 of its 2 servers, and none is there"
        )
        assert error.hint == "%natslab heal; or ask the others, who decide: --on EAST-n1"
        error = refusal("js stream add NEW --subjects new --defaults --on EAST-n1 --timeout 1s")
        assert "without 3 of its 4 servers" in error.what and "cut off from EAST-n1" in error.what
        assert refusal("natslab cut WEST EAST").what == "Every wire between WEST and EAST is cut already."
        assert refusal("natslab cut WEST EAST").hint == "Make it whole first: %natslab heal WEST EAST"
        assert repr(go("natslab heal WEST EAST")) == "The 4 wires between WEST and EAST are whole again."
        assert {link.state for link in lab.fleet.links.values()} == {"open"}
        wait_for(lambda: "WEST" in run(lab.fleet.ask("EAST-n1", "gatewayz"))["outbound_gateways"], 10)

    def test_a_cluster_and_a_server(self, lab: Lab) -> None:
        said = repr(go("natslab cut --isolate EAST"))
        assert said.startswith("EAST is isolated: its wires to WEST are cut. Clients use the streams of")
        assert said.endswith(" Heal: %natslab heal EAST")
        assert repr(go("natslab heal WEST")) == "The wires of WEST to EAST are whole again."
        assert repr(go("natslab hold EAST-n1 WEST")) == (
            "The 2 wires between EAST-n1 and WEST are held. Heal: %natslab heal EAST-n1 WEST"
        )
        assert repr(go("natslab delay EAST WEST 20ms")) == (
            "The 4 wires between EAST and WEST are 20 ms long each way now. Heal: %natslab heal EAST WEST"
        )
        assert repr(go("natslab heal")) == "Every wire is whole again."
        assert refusal("natslab heal EAST WEST").what == (
            "Every wire between EAST and WEST is whole: there is nothing to heal."
        )
        error = refusal("natslab cut EAST NORTH")
        assert error.what == "There is neither a server nor a cluster called 'NORTH' in this lab."
        assert error.hint == "There are EAST, WEST, EAST-n1, EAST-n2, WEST-n1 and WEST-n2."
        assert refusal("natslab cut EAST EAST").what == "EAST has no wires to itself."

    def test_a_click_on_the_gateways_means_all(self, lab: Lab, wait_for: Callable[..., float]) -> None:
        def lines() -> list[str]:
            lab.settle()
            marks = lab.view("topology").scene().marks
            return [a.line for m in marks if m.key == "gw/EAST>WEST" for a in m.actions]

        want = ["natslab cut EAST WEST", "natslab hold EAST WEST", "natslab delay EAST WEST 200ms"]
        wait_for(lambda: lines() == want, 10)
        go(lines()[0])
        assert lines() == ["natslab heal EAST WEST"]
        go(lines()[0])
        assert lines() == want

    def test_completion(self, lab: Lab) -> None:
        def words(text: str) -> list[str]:
            return [word for word, _ in complete("natslab", text)[0] if "(" not in word and word != "meta"]

        assert words("cut ") == ["EAST", "WEST", *lab.servers]
        assert words("cut EAST ") == ["WEST", "WEST-n1", "WEST-n2"]
        assert words("cut EAST-n1 ") == ["WEST", "EAST-n2", "WEST-n1", "WEST-n2"]
        assert words("cut --isolate W") == ["WEST", "WEST-n1", "WEST-n2"]


class TestLeafnodes:
    @pytest.fixture(scope="class")
    def lab(self) -> Iterator[Lab]:
        with Lab.leafnodes("hub", ("edge1", "edge2")) as up:
            yield up

    def test_each_is_asked_by_itself(self, lab: Lab, wait_for: Callable[..., float]) -> None:
        wait_for(lambda: len(go("server report leafnodes").rows) == 2)
        made = go("server report leafnodes")
        assert made.columns == ["Server", "Name", "Account", "Compressed", "Spoke"]
        assert made.rows == [["hub", "edge1", "A", "no", "no"], ["hub", "edge2", "A", "no", "no"]]
        assert made.notes[0] == "edge1 did not answer: it is a system of its own. --on edge1 asks it."
        edge = go("server report leafnodes --on edge2")
        assert [row[0] for row in edge.rows] == ["edge2"]
        assert edge.rows[0][-1] == "yes"
        assert [r["state"] for r in go("server ls")] == ["a system of its own"] * 2 + ["up"]
        assert go("server info edge1").name == "edge1"
        assert go("server report jetstream").columns[2] == "Domain"
        assert refusal("server raft step-down").what.startswith("There is no meta group")

    def test_domains(self, lab: Lab) -> None:
        go("js stream add E --subjects e --defaults --js-domain edge1")
        assert go("js stream ls --names --js-domain edge1").names == ["E"]
        assert go("js stream ls --names --js-domain hub").names == []
        error = refusal("js stream ls --js-domain nope")
        assert isinstance(error, NoResponders)
        assert error.what == "There is no JetStream domain 'nope'."
        assert error.hint == "There are hub, edge1 and edge2."

    def test_a_domain_behind_a_wire_that_is_cut(self, lab: Lab, wait_for: Callable[..., float]) -> None:
        lab.cut("edge1", "hub")
        error = refusal("js stream ls --js-domain edge1 --on hub --timeout 500ms")
        assert error.what == (
            "The JetStream domain edge1 is that of edge1, and the wire between edge1 and hub is cut."
        )
        assert "--on edge1" in error.hint
        assert go("js stream ls --names --on edge1").names == ["E"]
        lab.heal()
        wait_for(lambda: len(go("server report leafnodes").rows) == 2)
        lab.server("edge1").kill()
        error = refusal("js stream ls --js-domain edge1 --on hub --timeout 500ms")
        assert error.what == "The JetStream domain edge1 is that of edge1, which is down."
        assert error.hint == "%natslab restart edge1"


class TestRemoval:
    @pytest.fixture(scope="class")
    def lab(self) -> Iterator[Lab]:
        with natslab.Lab.up(servers=3) as up:
            yield up

    def test_a_server_that_is_up(self, lab: Lab) -> None:
        go("js stream add ORDERS --subjects 'orders.>' --replicas 2 --defaults -q")
        leader = next(r[0] for r in go("server report jetstream").rows if r[0].endswith("*")).rstrip("*")
        gone = next(n for n in lab.servers if n != leader)
        made = go(f"server raft peer-remove {gone} -f")
        assert repr(made) == (
            f"{gone} was removed from the meta group\nNote: 2 servers decide now, and 2 must agree."
        )
        left = sorted(set(lab.servers) - {gone})
        assert made.facts["peers"] == left
        meta = run(lab.fleet.ask(leader, "jsz"))["meta_cluster"]
        assert (meta["cluster_size"], [r["name"] for r in meta["replicas"]]) == (
            2, [n for n in left if n != leader],
        )  # fmt: skip
        sick = [row for row in go("server report health").rows if "JetStream not enabled" in row[-1]]
        assert len(sick) == 1
        error = refusal("js stream add THREE --subjects three --replicas 3 --defaults")
        assert "and JetStream has 2 servers" in error.what
        assert refusal(f"server raft peer-remove {gone} -f").what == f"{gone} is not in the meta group."


class TestFlagsOfEveryShape:
    """What `up` may be told holds for a supercluster and for leafnodes too."""

    @pytest.mark.parametrize("shape", ["super EAST=1 WEST=1", "leaf hub edge1"])
    def test_they_reach_the_servers(self, shape: str, tmp_path: Path) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        flags = f"--store {tmp_path / 'kept'} --port {port} --http --no-watch --no-wires --max-payload 64k"
        try:
            go(f"natslab {shape} {flags}")
            lab = natslab.current()
            first, second = lab.servers
            assert lab.fleet.servers[first].port == port != lab.fleet.servers[second].port
            for name in (first, second):
                said = lab.server(name).report("varz")
                assert said["max_payload"] == 64 * 1024
                with socket.create_connection(("127.0.0.1", lab.fleet.servers[name].http or 0), 2):
                    pass
                assert Path(said["jetstream"]["config"]["store_dir"]).is_relative_to(tmp_path / "kept" / name)
            assert not lab.fleet.links
            assert repr(go(f"natslab {shape} {flags}")).startswith("The lab is already up")
            assert refusal(f"natslab {shape}").what == "Another lab is up in this kernel."
            go("pub a b")
            assert not [e for e in lab.tape.between(0, lab.tape.head) if type(e).__name__ != "Mark"]
        finally:
            go("natslab down")

    @pytest.mark.parametrize(("shape", "where"), [("super EAST=1 WEST=1", "WEST-n1"), ("leaf hub e", "e")])
    def test_streams_are_kept(self, shape: str, where: str, tmp_path: Path) -> None:
        line = f"natslab {shape} --store {tmp_path}"
        domain = "--js-domain e" if "leaf" in shape else ""
        place = "" if domain else "--cluster WEST"
        try:
            go(line)
            go(f"js stream add KEPT --subjects kept --defaults {place} {domain}")
            go(f"pub kept x -J --on {where}")
            go("natslab down")
            go(line)
            end = time.monotonic() + 30
            while True:  # its servers elect
                try:
                    assert go(f"js stream info KEPT {domain} --timeout 2s").state.messages == 1
                    return
                except NatslabError:
                    assert time.monotonic() < end
                    time.sleep(0.1)
        finally:
            go("natslab down")

    @pytest.mark.parametrize("shape", ["up", "super EAST=1 WEST=1", "leaf hub edge1"])
    def test_what_makes_no_sense(self, shape: str) -> None:
        assert refusal(f"natslab {shape} --port 99999").what == "99999 is not a port."
        assert refusal(f"natslab {shape} --max-payload 1G").what.startswith("--max-payload must be")
        assert natslab.lab._current is None
