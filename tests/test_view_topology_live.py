"""The topology view on real servers: it draws what they report."""

from __future__ import annotations

from collections.abc import Callable

from nats.js import JetStreamContext

from natslab.lab import Lab
from natslab.views import topology
from natslab.views.topology.state import State
from tests.pictures import check


def told(lab: Lab) -> State:
    """The state once its picture was held to its promises."""
    state: State = lab.view("topology").state
    check(topology, state)
    return state


def peers(lab: Lab, server: str) -> list[str]:
    """The servers that one reports a route to, asked here and now."""
    routes = lab.server(server).report("routez").get("routes") or []
    return sorted({str(r["remote_name"]) for r in routes})


def drawn(state: State, server: str, kind: str = "route") -> list[str]:
    """The servers that the view has a connection to from that one."""
    there = [w for w in state.wires.values() if w.there and w.type == kind and server in (w.a, w.b)]
    return sorted(w.b if w.a == server else w.a for w in there)


def listed(lab: Lab, server: str) -> list[str]:
    """The learner's clients of a server, asked here and now."""
    report = lab.server(server).report("connz", acc="A", auth=True)
    return sorted(str(c.get("name", "")) for c in report.get("connections") or [])


def test_a_real_cluster_is_drawn_as_its_servers_report_it(wait_for: Callable[..., float]) -> None:
    with Lab.up(servers=3) as lab:
        names = list(lab.servers)
        for i in range(6):
            lab.do(lab.client(f"client{i}"))

        def agrees() -> bool:
            state = told(lab)
            up = [n for n in names if lab.server(n).state == "up"]
            return all(
                drawn(state, n) == peers(lab, n) and state.connected[n] == listed(lab, n) for n in up
            ) and not any(c.lost for c in state.clients.values())

        wait_for(agrees, 10)
        state = told(lab)
        assert sum(len(c) for c in state.connected.values()) == 6
        assert topology.leader_of(state, "") in names
        assert topology.describe(state)[0] == (
            "3 servers, each with a route to every other; 6 clients are connected."
        )
        lab.isolate("n3")
        wait_for(agrees, 10)
        state = told(lab)
        assert topology.sides(state) == [["n1", "n2"], ["n3"]]
        assert topology.describe(state)[0].startswith("n3 is cut off from n1 and n2.")
        lab.heal()
        wait_for(lambda: agrees() and drawn(told(lab), "n3") == ["n1", "n2"], 15)
        lab.hold("n1", "n2")
        assert "The wire between n1 and n2 is held." in topology.describe(told(lab))[0]
        lab.heal()
        lab.server("n2").kill()
        wait_for(agrees, 15)
        state = told(lab)
        assert state.connected["n2"] == [] and sum(len(c) for c in state.connected.values()) == 6
        assert topology.describe(state)[0].startswith("n2 is down.")
        assert topology.describe(state)[1].startswith(
            "2 of 3 servers are left, a majority: JetStream goes on."
        )
        lab.server("n2").start()
        wait_for(lambda: agrees() and drawn(told(lab), "n2") == ["n1", "n3"], 15)


def test_real_leafnodes_reach_their_hub_until_they_are_cut_off(wait_for: Callable[..., float]) -> None:
    with Lab.leafnodes(edges=("edge1", "edge2")) as lab:
        wait_for(lambda: drawn(told(lab), "hub", "leafnode") == ["edge1", "edge2"], 10)
        assert topology.describe(told(lab))[0] == "edge1 and edge2 reach hub; no client yet."
        leafs = lab.server("hub").report("leafz").get("leafs") or []
        assert sorted(leaf["name"] for leaf in leafs) == ["edge1", "edge2"]
        lab.cut("edge2", "hub")
        wait_for(lambda: drawn(told(lab), "hub", "leafnode") == ["edge1"], 10)
        assert topology.describe(told(lab))[0].startswith("edge2 is cut off from hub")
        lab.heal()
        wait_for(lambda: drawn(told(lab), "hub", "leafnode") == ["edge1", "edge2"], 10)


def test_a_real_server_with_another_name_of_its_cluster_stands_outside(
    wait_for: Callable[..., float],
) -> None:
    with Lab.up(servers=3) as lab:
        wait_for(lambda: drawn(told(lab), "n3") == ["n1", "n2"], 10)
        n3 = lab.server("n3")
        right = n3.conf()
        n3.reload(right.replace('name: "C1"', 'name: "CI"'))
        n3.restart()
        said = "n3 says that it is in cluster CI, not in C1: there are two clusters."
        wait_for(lambda: topology.describe(told(lab))[0] == said, 15)
        names = {s: lab.server(s).report("varz")["cluster"]["name"] for s in lab.servers}
        assert {n: node.says for n, node in told(lab).nodes.items()} == names
        n3.reload(right)
        wait_for(lambda: topology.describe(told(lab))[0].startswith("3 servers, each with a route"), 15)


def test_a_real_leafnode_counts_what_it_stored_after_the_cut_alone(wait_for: Callable[..., float]) -> None:
    with Lab.leafnodes(edges=("edge1",)) as lab:

        async def sensor() -> JetStreamContext:
            return (await lab.connect("sensor", servers=[lab.server("edge1").url])).jetstream()

        js = lab.do(sensor())
        lab.do(js.add_stream(name="EDGE", subjects=["sensors.>"]))
        wait_for(lambda: "EDGE" in told(lab).kept.get("edge1", {}), 10)
        lab.do(js.publish("sensors.a", b"just before"))
        lab.cut("edge1", "hub")
        for i in range(5):
            lab.do(js.publish("sensors.a", b"%d" % i))

        def counted() -> bool:
            lab.settle()
            return told(lab).kept["edge1"] == {"EDGE": 6}

        wait_for(counted, 10)
        assert topology.describe(told(lab))[1] == "Its own JetStream goes on storing: 5 messages since then."
