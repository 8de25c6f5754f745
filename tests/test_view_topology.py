"""The topology view: servers, what connects them, who is connected to them, what lets nothing through."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import combinations
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from natslab.tape.event import Conn, Event, Hop, Leader, Link, Server, Snap, Store
from natslab.views import topology
from natslab.views.scene import Path, Scene, Text, to_svg, walk
from natslab.views.topology.sides import groups_of, shown_of
from natslab.views.topology.state import FLOWN, SAMPLES, SERVERS
from tests.pictures import check, keyed


class Story:
    """Events of servers as a lab would put them on its tape."""

    def __init__(self, *of: str) -> None:
        self.state = topology.start(of)
        self.t = 0.0
        self.n = 0
        self.no = 0
        self.crossed: dict[tuple[str, str], list[int]] = {}

    def tell(self, event: Event, after: float = 0.01) -> Story:
        self.t += after
        self.n += 1
        event.t, event.n = self.t, self.n
        topology.fold(self.state, event)
        return self

    def server(self, *names: str, state: Any = "up", cluster: str = "", domain: str = "") -> Story:
        for name in names:
            self.tell(Server(name=name, state=state, version="2.15.1", cluster=cluster, domain=domain))
        return self

    def link(self, a: str, b: str, state: Any = "open", kind: Any = "route", **more: Any) -> Story:
        more.setdefault("connected", state in ("open", "delayed", "held"))
        return self.tell(Link(a=a, b=b, type=kind, state=state, **more))

    def mesh(self, names: Iterable[str], kind: Any = "route") -> Story:
        for a, b in combinations(names, 2):
            self.link(a, b, kind=kind)
        return self

    def conn(self, client: str, place: str, state: Any = "open", account: str = "A") -> Story:
        self.no += 1
        return self.tell(Conn(client=client, place=place, state=state, account=account, no=self.no))

    def wire(self, a: str, b: str, ab: int, ba: int) -> Story:
        """A second in which so many messages crossed."""
        for _ in range(2):
            counts = self.crossed.setdefault((a, b), [0, 0])
            self.tell(Snap(what="wire", data={"a": a, "b": b, "ab_msgs": counts[0], "ba_msgs": counts[1]}), 0)
            counts[0] += ab
            counts[1] += ba
            self.t += 1
        self.t -= 1
        return self

    def leader(self, name: str, term: int = 1) -> Story:
        return self.tell(Leader(group="_meta_", leader=name, term=term, place=name))

    def isolate(self, name: str, state: Any = "cut") -> Story:
        for wire in list(self.state.wires.values()):
            if name in (wire.a, wire.b):
                self.link(wire.a, wire.b, state, wire.type)
        return self

    def split(self, one: Iterable[str], other: Iterable[str], state: Any = "cut") -> Story:
        sides = set(one), set(other)
        for wire in list(self.state.wires.values()):
            if (wire.a in sides[0]) != (wire.b in sides[0]) and {wire.a, wire.b} <= sides[0] | sides[1]:
                self.link(wire.a, wire.b, state, wire.type)
        return self

    def rates(self, **each: tuple[int, int]) -> Story:
        """`n1_n2=(10, 20)`: messages of the last second there and back."""
        began = self.t
        for pair, (ab, ba) in each.items():
            a, b = (part.replace("0", "-") for part in pair.split("_"))
            self.t = began
            self.wire(a, b, ab, ba)
        return self


def texts(scene: Scene) -> list[str]:
    return ["".join(t for t, _ in m.runs) for m in walk(scene.marks) if isinstance(m, Text)]


def alone(clients: int = 3) -> Story:
    story = Story().server("n1")
    for i in range(clients):
        story.conn(["shop", "billing", "audit", "web", "desk", "w1", "w2"][i % 7] + str(i // 7 or ""), "n1")
    return story


def cluster(n: int = 3) -> Story:
    names = [f"n{i + 1}" for i in range(n)]
    story = Story().server(*names, cluster="C1").mesh(names).leader("n2")
    for i, client in enumerate(("shop", "billing", "audit", "w1", "w2")):
        story.conn(client, names[i % min(n, 3)])
    return story


def busy(n: int = 3) -> Story:
    story = cluster(n)
    pace = iter([860, 12, 95, 40, 310, 7, 22, 1240, 64, 5] * 3)
    return story.rates(**{f"{w.a}_{w.b}": (next(pace), 3) for w in list(story.state.wires.values())})


def isolated() -> Story:
    story = busy().isolate("n3")
    story.t += 4.2
    return story.conn("audit", "n3", "lost").leader("n2", 2)


def partition() -> Story:
    story = cluster(5).split(("n1", "n2"), ("n3", "n4", "n5"))
    story.t += 12
    return story.leader("n4", 2)


def scattered() -> Story:
    return cluster(5).split(("n1", "n4"), ("n2", "n3", "n5"), "held").leader("n3", 3)


def frozen() -> Story:
    return busy().server("n3", state="frozen")


def killed() -> Story:
    story = busy().server("n2", state="down")
    for wire in list(story.state.wires.values()):
        if "n2" in (wire.a, wire.b):
            story.link(wire.a, wire.b, connected=False, why="n2 is down")
    story.conn("billing", "n2", "lost").conn("w2", "n1")
    return story.leader("n1", 2)


def one_wire() -> Story:
    return busy().link("n1", "n2", "cut", connected=False)


def delayed() -> Story:
    return busy().link("n1", "n3", "delayed", delay=0.2)


def supercluster(leaf: bool = False, clusters: Iterable[str] = ("EAST", "WEST"), n: int = 3) -> Story:
    story = Story()
    groups = [[f"{c}-n{i + 1}" for i in range(n)] for c in clusters]
    for c, names in zip(clusters, groups, strict=True):
        story.server(*names, cluster=c)
    if leaf:
        story.server("edge1", domain="EDGE1")
    for names in groups:
        story.mesh(names)
    for one, other in combinations(groups, 2):
        for a in one:
            for b in other:
                story.link(a, b, kind="gateway", connected=a[-1] == b[-1])
    if leaf:
        story.link("edge1", groups[0][0], kind="leafnode")
        data = [{"to": groups[0][0], "type": "leafnode", "subjects": ["sensors.>"], "account": "A"}]
        story.tell(Snap(what="leafz", place="edge1", data={"links": data}))
        for i in range(8):
            story.conn(f"sensor{i}", "edge1")
    story.leader(groups[0][1])
    for i in range(12):
        story.conn(f"c{i}", groups[0][0])
    for i, names in enumerate(groups):
        for k, name in enumerate(names):
            for j in range((3 * i + 2 * k + 3) % 7 + 2):
                story.conn(f"{name} {j}", name)
    first = {f"{a.replace('-', '0')}_{b.replace('-', '0')}": (860, 0) for a, b in combinations(groups[0], 2)}
    gates = {
        f"{a.replace('-', '0')}_{b.replace('-', '0')}": (413, 103) for a, b in zip(*groups[:2], strict=True)
    }
    return story.rates(**first, **gates)


def leafs(n: int = 2, cut: str = "", hub: int = 1) -> Story:
    names = ["hub"] if hub == 1 else [f"hub{i + 1}" for i in range(hub)]
    story = Story().server(*names, cluster="" if hub == 1 else "HUB", domain="HUB")
    if hub > 1:
        story.mesh(names).leader(names[0])
    for i in range(n):
        edge, to = f"edge{i + 1}", names[i % len(names)]
        story.server(edge, domain=f"EDGE{i + 1}").link(edge, to, kind="leafnode")
        up = {
            "to": to,
            "type": "leafnode",
            "subjects": [f"sensors.{i + 1}.>", "$JS.API.>", "alarms"],
            "account": "A",
        }
        down = {"to": edge, "type": "leafnode", "subjects": ["orders.eu.*"], "account": "A"}
        story.tell(Snap(what="leafz", place=edge, data={"links": [up]}))
        story.tell(Snap(what="leafz", place=to, data={"links": [down]}))
        for k in range(i + 2):
            story.conn(f"sensor{i}.{k}", edge)
        story.tell(Snap(what="jsz", place=edge, data={"streams": [{"name": "S", "last_seq": 100}]}))
    story.conn("collector", names[0])
    if cut:
        story.link(cut, names[0], "cut", "leafnode")
        story.t += 4.2
        story.tell(Snap(what="jsz", place=cut, data={"streams": [{"name": "S", "last_seq": 131}]}))
    return story


def crowd() -> Story:
    story = cluster()
    for i in range(40):
        story.conn(f"client {i}", f"n{i % 4 % 3 + 1}")
    return story


def long_names() -> Story:
    long = "a-server-with-a-rather-long-name"
    names = [f"{long}-{i}" for i in range(3)]
    story = (
        Story().server(*names, cluster="the-cluster-of-the-north-western-region").mesh(names).leader(names[1])
    )
    return story.conn("a client whose name is as long as a sentence of this kind can be", names[0])


def traced() -> Story:
    story = cluster()
    story.tell(Hop(id="c/1/1", step="in", client="shop", place="n1", subject="orders.new"), 1)
    story.tell(Hop(id="c/1/1", step="egress", via="route", client="n2", place="n1", hop="1"))
    story.tell(Hop(id="c/1/1", step="in", via="route", client="n1", place="n2", hop="1"))
    return story.tell(Hop(id="c/1/1", step="egress", client="billing", place="n2"))


def accounts() -> Story:
    story = supercluster()
    for name, imports in (("A", []), ("AUDIT", [
        {"type": "stream", "account": "A", "subject": "orders.>", "local_subject": "shop.orders.>"}
    ])):  # fmt: skip
        data = {"account_name": name, "imports": imports}
        story.tell(Snap(what="accountz", place="EAST-n1", data=data))
    return story.conn("auditor", "WEST-n2", account="AUDIT").conn("auditor2", "EAST-n2", account="AUDIT")


def strangers() -> Story:
    """Two clusters by mistake: n3 was given another name."""
    story = Story().server("n1", "n2", cluster="C1").server("n3", cluster="C2").link("n1", "n2")
    why = "the cluster names differ"
    return story.link("n1", "n3", connected=False, why=why).link("n2", "n3", connected=False, why=why)


def bridge_cut() -> Story:
    story = supercluster()
    names = [f"EAST-n{i}" for i in (1, 2, 3)], [f"WEST-n{i}" for i in (1, 2, 3)]
    story.split(*names)
    story.t += 3
    return story


PICTURES: dict[str, Callable[[], Story]] = {
    "empty": Story,
    "alone": alone,
    "alone, nobody": lambda: alone(0),
    "alone, many": lambda: alone(31),
    "two": lambda: cluster(2),
    "three": busy,
    "five": lambda: busy(5),
    "seven": lambda: busy(7),
    "isolated": isolated,
    "held": lambda: busy().isolate("n2", "held"),
    "partition": partition,
    "scattered": scattered,
    "frozen": frozen,
    "killed": killed,
    "one wire": one_wire,
    "delayed": delayed,
    "supercluster": supercluster,
    "supercluster, leaf": lambda: supercluster(leaf=True),
    "three clusters": lambda: supercluster(clusters=("EAST", "NORTH", "WEST"), n=2),
    "bridge cut": bridge_cut,
    "one leaf": lambda: leafs(1),
    "leafs": lambda: leafs(2),
    "leaf cut": lambda: leafs(2, cut="edge1"),
    "three leafs": lambda: leafs(3, cut="edge3"),
    "hub cluster": lambda: leafs(2, hub=3),
    "crowd": crowd,
    "long names": long_names,
    "traced": traced,
    "accounts": accounts,
    "strangers": strangers,
}


@pytest.mark.parametrize("name", PICTURES)
def test_the_picture_holds(name: str) -> None:
    story = PICTURES[name]()
    for later in (0, 3):
        story.state.now += later
        scene = check(topology, story.state)
        assert scene.sentence
        assert len(to_svg(scene)) < 200_000
    topology.dot(story.state)


# --- what it says -----------------------------------------------------------------------------


def test_one_server_has_its_clients_above_it_each_with_a_line() -> None:
    story = alone()
    scene = check(topology, story.state)
    assert {"audit", "billing", "shop", "n1", "version 2.15.1"} <= set(texts(scene))
    assert sum(m.key.startswith("stem/") for m in scene.marks) == 3
    assert topology.describe(story.state) == (
        "One server, n1, with 3 clients.",
        "Clients never talk to each other: everything goes through the server.",
    )
    assert topology.describe(alone(0).state)[1] == "Connect one: %nats sub 'orders.>' --as billing"
    story.server("n1", state="down")
    assert topology.describe(story.state) == ("No server is up.", "Start it again: %natslab restart n1")


def test_a_cluster_is_a_mesh_and_its_meta_leader_has_a_second_ring() -> None:
    story = busy()
    scene = check(topology, story.state)
    marks = keyed(scene)
    assert [k for k in marks if k.endswith("/leads")] == ["srv/n2/leads"]
    assert {"863", "98", "15", "C1", "3 servers, n2 leads meta"} <= set(texts(scene))
    widths = {k: m.width for k, m in marks.items() if isinstance(m, Path) and k.endswith("/line")}
    assert widths == {"wire/n1>n2/line": 2.94, "wire/n1>n3/line": 1.18, "wire/n2>n3/line": 1.99}
    assert topology.describe(story.state)[0] == (
        "3 servers, each with a route to every other; 5 clients are connected."
    )
    assert topology.leader_of(story.state, "") == "n2"


def test_rates_come_from_successive_counts_and_end_when_nobody_counts() -> None:
    story = cluster(2)
    wire = story.state.wires["n1>n2"]
    story.wire("n1", "n2", 500, 20)
    assert wire.rates(story.t) == (500, 20)
    for _ in range(4):  # faster reports are taken over a window of their own, not from one to the next
        story.t += 0.25
        story.tell(Snap(what="wire", data={"a": "n1", "b": "n2", "ab_msgs": 500, "ba_msgs": 20}), 0)
    assert wire.rates(story.t) == (0, 0)
    assert wire.rates(story.t + 10) is None
    story.tell(Snap(what="wire", data={"a": "n1", "b": "n2", "ab_msgs": 3, "ba_msgs": 0}), 0)
    assert wire.rates(story.t) is None  # a connection made anew counts from nothing


def test_an_isolated_server_stands_behind_a_wall() -> None:
    story = isolated()
    scene = check(topology, story.state)
    marks = keyed(scene)
    assert [k for k in marks if k.startswith("wall/") and k.count("/") == 1] == ["wall/n2|n3"]
    assert {"cut", "4.2 s ago"} <= set(texts(scene))
    assert {k for k in marks if k.endswith("/cross")} == {"wire/n1>n3/cross", "wire/n2>n3/cross"}
    assert topology.sides(story.state) == [["n1", "n2"], ["n3"]]
    assert topology.describe(story.state) == (
        "n3 is cut off from n1 and n2. 1 client looks for another server.",
        "n1 and n2 are 2 of 3, a majority: JetStream can go on there only.",
    )
    assert next(i.count for i in scene.legend if i.word == "cut") == 2


def test_a_partition_without_a_majority_says_so() -> None:
    story = cluster(4).split(("n1", "n2"), ("n3", "n4"))
    assert topology.describe(story.state) == (
        "n3 and n4 are cut off from n1 and n2.",
        "No part has more than half of the 4 servers: JetStream waits, core NATS goes on in each.",
    )
    parts = cluster(3).mesh(()).split(("n1",), ("n2", "n3")).link("n2", "n3", "cut")
    assert topology.describe(parts.state)[0] == "C1 is in 3 parts: n1, n2 and n3."


def test_a_wall_is_open_for_wires_that_are_whole() -> None:
    story = scattered()
    marks = {m.key for m in walk(check(topology, story.state).marks)}
    assert {"wall/n1|n2", "wall/n3|n4", "wall/n4|n5"} <= marks
    assert {"wire/n1>n4/gate0", "wire/n1>n4/gate1", "wire/n2>n5/gate0"} <= marks
    assert not any(k.endswith("/cross") for k in marks)  # held: nothing is lost


def test_one_wire_that_is_cut_is_no_partition() -> None:
    story = one_wire()
    assert topology.sides(story.state) == [["n1", "n2", "n3"]]
    assert topology.describe(story.state) == (
        "The wire between n1 and n2 is cut.",
        "A message takes one route at most: clients of n1 and n2 do not hear each other.",
    )


def test_a_killed_server_keeps_its_place_and_its_clients_look_for_another() -> None:
    before = {b.key: (b.x, b.y) for b in topology.draw(busy().state).marks if b.key.startswith("srv/")}
    story = killed()
    scene = check(topology, story.state)
    assert {b.key: (b.x, b.y) for b in scene.marks if b.key.startswith("srv/")} == before
    assert topology.describe(story.state) == (
        "n2 is down. 1 client looks for another server.",
        "2 of 3 servers are left, a majority: JetStream goes on.",
    )
    story.conn("billing", "n3")
    assert story.state.connected == {"n1": ["shop", "w1", "w2"], "n2": [], "n3": ["audit", "billing"]}
    story.server("n1", state="down")
    assert topology.describe(story.state)[1] == "1 of 3 servers are left, no majority: JetStream waits."


def test_a_removed_server_leaves_its_place_empty() -> None:
    story = cluster(4)
    places = {m.key: m.x for m in topology.draw(story.state).marks if m.key.startswith("srv/")}
    story.server("n2", state="removed")
    for other in ("n1", "n3", "n4"):
        story.tell(Link(a=min("n2", other), b=max("n2", other), state="removed"))
    scene = check(topology, story.state)
    assert {m.key: m.x for m in scene.marks if m.key.startswith("srv/")} == places
    assert "n2" not in [name for name, _ in scene.servers]
    story.server("n4", state="removed")
    assert "srv/n4" not in {m.key for m in check(topology, story.state).marks}


def test_places_do_not_depend_on_the_order_of_events() -> None:
    names = [f"n{i}" for i in (10, 2, 1)]
    mixed = Story().server(*names, cluster="C1").mesh(sorted(names, key=lambda n: int(n[1:])))
    assert [m.key for m in topology.draw(mixed.state).marks if m.key.startswith("srv/")] == [
        "srv/n1",
        "srv/n2",
        "srv/n10",
    ]


def test_a_leafnode_that_is_cut_off_says_what_no_longer_reaches_its_hub() -> None:
    story = leafs(2, cut="edge1")
    scene = check(topology, story.state)
    assert topology.describe(story.state) == (
        "edge1 is cut off from hub: alarms and sensors.1.> no longer reach hub.",
        "Its own JetStream goes on storing: 31 messages since then.",
    )
    assert {"31 stored", "edge1", "EDGE1 domain"} <= set(texts(scene))
    assert ("sensors.1.>", "mono") in scene.sentence
    struck = [t for m in walk(scene.marks) if isinstance(m, Text) for t, c in m.runs if "strike" in c]
    assert struck == ["alarms, sensors.1.>", "orders.eu.*"]
    story.link("edge1", "hub", kind="leafnode")
    assert topology.describe(story.state)[0] == "edge1 and edge2 reach hub; 6 clients are connected."


def test_what_was_stored_before_the_cut_is_not_counted_however_late_it_is_told() -> None:
    story = leafs(1)
    before = story.t
    story.link("edge1", "hub", "cut", "leafnode")

    def store(seq: int, t: float) -> None:
        story.t = max(story.t, t)
        topology.fold(story.state, Store(stream="S", seq=seq, place="edge1", t=t))

    store(101, before)
    for seq in range(102, 107):
        store(seq, story.t + 0.01)
    story.tell(Snap(what="jsz", place="edge1", data={"streams": [{"name": "S", "last_seq": 106}]}))
    assert topology.describe(story.state)[1] == "Its own JetStream goes on storing: 5 messages since then."
    check(topology, story.state)
    story.link("edge1", "hub", "open", "leafnode").link("edge1", "hub", "held", "leafnode")
    assert topology.describe(story.state)[1] == "Its own JetStream goes on storing."


def test_a_leafnode_says_whom_it_dials_and_its_wire_shows_the_subjects_there_is_room_for() -> None:
    story = leafs(1)
    scene = check(topology, story.state)
    told = texts(scene)
    assert {"leafnode, dials hub", "alarms, sensors.1.> →", "orders.eu.* ←"} <= set(told)
    assert "under wires: what passes, → towards who asks for it" in told
    assert "edge1 dials hub" in keyed(scene)["wire/edge1>hub"].title
    subjects = [f"meters.{i}.>" for i in range(9)]
    data = {"links": [{"to": "hub", "type": "leafnode", "subjects": subjects, "account": "A"}]}
    story.tell(Snap(what="leafz", place="edge1", data=data))
    lines = [t for t in texts(check(topology, story.state)) if t.startswith("meters.")]
    assert len(lines) == 2 and lines[1].endswith("+7 →")
    assert "orders.eu.* ←" in texts(topology.draw(story.state))
    assert not any("under wires" in t for t in texts(topology.draw(busy().state)))


def test_a_server_that_says_another_cluster_stands_outside() -> None:
    story = cluster()
    for name in ("n1", "n2", "n3"):
        says = "CI" if name == "n3" else "C1"
        story.tell(Snap(what="varz", place=name, data={"cluster": {"name": says}}))
    assert [g.name for g in groups_of(*shown_of(story.state))] == ["C1"], "its routes are still there"
    for other in ("n1", "n2"):
        story.link(other, "n3", connected=False)
    assert topology.describe(story.state) == (
        "n3 says that it is in cluster CI, not in C1: there are two clusters.",
        "Only servers that give one name of their cluster make routes: look into %natslab conf n3",
    )
    scene = check(topology, story.state)
    assert "n3 says cluster CI" in texts(scene)
    boxes = {k: m for k, m in keyed(scene).items() if k in ("group/C1/box", "group/CI/box")}
    x = keyed(scene)["srv/n3"].x
    assert boxes["group/CI/box"].x < x < boxes["group/CI/box"].x + boxes["group/CI/box"].w
    assert x > boxes["group/C1/box"].x + boxes["group/C1/box"].w
    story.tell(Snap(what="varz", place="n3", data={"cluster": {"name": "C1"}}))
    assert [g.name for g in groups_of(*shown_of(story.state))] == ["C1"]


def test_before_the_first_leader_of_the_meta_group_there_is_an_election_and_no_alarm() -> None:
    story = Story().server("n1", "n2", "n3", cluster="C1").mesh(("n1", "n2", "n3"))
    story.tell(Snap(what="raft", place="n1", data={"group": "_meta_", "term": 0, "leader": ""}))
    assert topology.describe(story.state) == (
        "The servers are electing a leader for JetStream's meta group.",
        "It decides what streams there are; until it is elected, none can be made or changed.",
    )
    legend = {item.word for item in check(topology, story.state).legend}
    assert "L: leads the meta group" not in legend
    story.leader("n2")
    assert "L: leads the meta group" in {item.word for item in check(topology, story.state).legend}
    story.tell(Leader(group="_meta_", leader="", term=2))
    assert topology.describe(story.state)[0] == "Nobody leads the meta group."
    alone = Story().server("n1", cluster="C1")
    alone.tell(Snap(what="raft", place="n1", data={"group": "_meta_", "term": 0, "leader": ""}))
    assert topology.describe(alone.state) == (
        "JetStream of a cluster waits for a second server.",
        "Add one: %natslab add",
    )
    check(topology, alone.state)


def test_numbers_at_the_wires_say_that_the_servers_own_talk_is_in_them() -> None:
    assert (
        "at the wires: messages a second, the servers' own talk included; thicker = ten times more"
        in texts(check(topology, busy().state))
    )


def test_clusters_that_are_cut_off_from_each_other() -> None:
    story = supercluster()
    assert {"1239 →", "← 309", "3 connections"} <= set(texts(check(topology, story.state)))
    story.link("EAST-n1", "WEST-n1", "cut", "gateway")
    assert topology.describe(story.state)[0] == "1 of 9 wires between EAST and WEST is cut."
    story = bridge_cut()
    assert topology.describe(story.state) == (
        "EAST and WEST are cut off from each other.",
        "Neither has more than half of the 6 servers: no stream can be made or changed.",
    )


def test_a_cut_off_leader_that_does_not_know_it_is_not_believed() -> None:
    story = cluster()
    for name, term, leader in (("n1", 2, "n1"), ("n2", 1, "n2"), ("n3", 2, "n1")):
        data = {"group": "_meta_", "term": term, "leader": leader}
        story.tell(Snap(what="raft", place=name, data=data))
    assert topology.leader_of(story.state, "") == "n1"
    story.tell(Leader(group="_meta_", leader="", term=3))
    assert topology.describe(story.state)[0] == "Nobody leads the meta group."
    check(topology, story.state)


def test_without_wires_of_the_lab_the_servers_own_reports_tell_of_routes() -> None:
    story = Story().server("n1", "n2", "n3", cluster="C1")
    for name, others in (("n1", "23"), ("n2", "13"), ("n3", "12")):
        links = [{"to": f"n{i}", "type": "route", "in_msgs": 5, "out_msgs": 7} for i in others]
        story.tell(Snap(what="routez", place=name, data={"links": links}))
    assert story.state.routes == {"n1": ["n2", "n3"], "n2": ["n1", "n3"], "n3": ["n1", "n2"]}
    assert [w.there for w in story.state.wires.values()] == [True] * 3
    scene = check(topology, story.state)
    assert not any(m.actions for m in scene.marks if m.key.startswith("wire/"))
    story.server("n3", state="down")
    for name, other in (("n1", "n2"), ("n2", "n1")):
        story.tell(Snap(what="routez", place=name, data={"links": [{"to": other}]}))
    assert {k: w.there for k, w in story.state.wires.items()} == {
        "n1>n2": True,
        "n1>n3": False,
        "n2>n3": False,
    }


def test_the_view_can_be_narrowed_to_a_server_or_a_cluster() -> None:
    for of, servers, wires in (
        ("EAST", 3, {"wire/EAST-n1>EAST-n2", "wire/EAST-n1>EAST-n3", "wire/EAST-n2>EAST-n3"}),
        ("n2", 3, {"wire/n1>n2", "wire/n2>n3"}),
    ):
        story = supercluster() if of == "EAST" else cluster()
        story.state.of = (of,)
        marks = [m.key for m in check(topology, story.state).marks]
        assert sum(k.startswith("srv/") for k in marks) == servers
        assert {k for k in marks if k.startswith("wire/")} == wires
    story.state.of = ("nowhere",)
    assert topology.describe(story.state) == ("There is no server or cluster called nowhere.", "There is C1.")


def test_buttons_are_lines_a_person_would_type() -> None:
    marks = {m.key: m for m in topology.draw(busy().state).marks}
    assert [a.line for a in marks["srv/n1"].actions] == [
        "natslab kill n1",
        "natslab freeze n1",
        "natslab restart n1",
        "natslab cut --isolate n1",
    ]
    assert [a.line for a in marks["wire/n1>n3"].actions] == [
        "natslab cut n1 n3",
        "natslab hold n1 n3",
        "natslab delay n1 n3 200ms",
    ]
    assert [m.key for m in marks.values() if any(a.cross for a in m.actions)] == [
        key for key in marks if key.startswith("wire/")
    ], "a line that is drawn across them cuts wires, and nothing else"
    assert [a.line for a in marks["client/shop"].actions] == ["natslab kill shop"]
    scene = topology.draw(isolated().state)
    marks = {m.key: m for m in scene.marks}
    assert [a.line for a in marks["wire/n1>n3"].actions] == ["natslab heal n1 n3"]
    assert [a.line for a in marks["wall/n2|n3"].actions] == ["natslab heal"]
    assert [a.line for a in scene.controls] == ["natslab add", "natslab heal"]
    marks = {m.key: m for m in topology.draw(frozen().state).marks}
    assert [a.line for a in marks["srv/n3"].actions] == ["natslab thaw n3", "natslab kill n3"]
    down = topology.draw(killed().state)
    assert down.controls[-1].line == "natslab restart n2"


def test_messages_travel_along_the_ways_that_the_servers_traced() -> None:
    flights = topology.draw(traced().state).flights
    assert [f.title for f in flights] == [
        "A message from shop to n1.",
        "A message from n1 to n2.",
        "A message from n2 to billing.",
    ]
    assert [f.delay for f in flights] == [0.0, 0.33, 0.67]
    later = traced().state
    later.now += 5
    assert not topology.draw(later).flights


def test_clients_are_names_then_dots_then_a_number() -> None:
    def keys(count: int) -> list[str]:
        story = cluster(5)
        for i in range(count):
            story.conn(f"many {i:02}", "n5")
        return [k.key for k in walk(check(topology, story.state).marks) if k.key.startswith("client/many")]

    assert sum(k.endswith("/name") for k in keys(4)) == 4
    assert (sum(k.endswith("/dot") for k in keys(16)), sum(k.endswith("/name") for k in keys(16))) == (16, 0)
    assert sum(k.endswith("/dot") for k in keys(30)) == 4


def test_a_servers_list_of_clients_reconciles_what_events_told() -> None:
    story = Story().server("n1")
    rows = [{"client": "stranger", "cid": 7}, {"client": "shop", "cid": 8}]
    story.tell(Snap(what="connz", place="n1", data={"connections": rows}))
    story.conn("late", "n1")
    assert story.state.connected == {"n1": ["late", "shop", "stranger"]}
    story.tell(Snap(what="connz", place="n1", data={"connections": rows[1:]}))
    assert story.state.connected == {"n1": ["late", "shop"]}


def test_several_accounts_are_planes() -> None:
    scene = check(topology, accounts().state)
    assert {"A", "AUDIT", "orders.>", "shop.orders.>"} <= set(texts(scene))
    assert not any(m.key.startswith("acct/") for m in topology.draw(busy().state).marks)


def test_as_a_graph() -> None:
    graph = topology.dot(isolated().state)
    assert '"n1" -- "n3" [label="cut", style=dashed];' in graph
    assert 'subgraph cluster_0 { label="C1";' in graph


def test_state_stays_small() -> None:
    story = Story()
    for i in range(500):
        story.server(f"n{i}", cluster="C1").link("n0", f"n{i}")
        story.conn(f"c{i}", "n1")
        story.tell(Hop(id=f"c/1/{i}", step="in", client="c1", place="n1"))
        story.tell(Snap(what="wire", data={"a": "n0", "b": "n1", "ab_msgs": i, "ba_msgs": i}))
    state = story.state
    assert len(state.nodes) <= SERVERS and len(state.steps) <= FLOWN and len(state.depths) <= FLOWN
    assert len(state.wires["n0>n1"].samples) <= SAMPLES
    scene = check(topology, state)
    assert len(to_svg(scene)) < 200_000


NAMES = [
    "n1",
    "n2",
    "n3",
    "n10",
    "EAST-n1",
    "EAST-n2",
    "WEST-n1",
    "hub",
    "edge1",
    "edge2",
    "edge3",
    "長い名前のサーバー",
]
CLUSTERS = ["", "", "C1", "C1", "EAST", "WEST", "a cluster with a name that is far too long for a panel"]


@st.composite
def events(draw: st.DrawFn) -> Event:
    a, b = draw(st.sampled_from(NAMES)), draw(st.sampled_from(NAMES))
    number = draw(st.integers(0, 9_999_999))
    match draw(st.integers(0, 9)):
        case 0 | 1:
            state = draw(
                st.sampled_from(["starting", "up", "up", "up", "down", "frozen", "lame duck", "removed"])
            )
            home = draw(st.sampled_from(CLUSTERS))
            return Server(name=a, state=state, cluster=home, domain=draw(st.sampled_from(["", "", "D1", a])))
        case 2 | 3:
            if a == b:
                b = "n1" if a != "n1" else "n2"
            kind = draw(st.sampled_from(["route", "route", "gateway", "leafnode"]))
            state = draw(st.sampled_from(["open", "open", "cut", "held", "delayed", "removed"]))
            return Link(
                a=a, b=b, type=kind, state=state, delay=number % 7000 / 1000, connected=bool(number % 2)
            )
        case 4 | 5:
            state = draw(st.sampled_from(["open", "open", "open", "lost", "closed"]))
            name = f"client {number % 40}" + "\u202eöß" * (number % 3)
            return Conn(
                client=name, place=a, state=state, account=draw(st.sampled_from(["A", "A", "B", "SYS"]))
            )
        case 6:
            links = [
                {
                    "to": b,
                    "out_msgs": number,
                    "in_msgs": 3,
                    "subjects": ["sensors.>", "$JS.x", "a.b.c"][: number % 4],
                }
            ]
            return Snap(
                what=draw(st.sampled_from(["routez", "gatewayz", "leafz"])), place=a, data={"links": links}
            )
        case 7:
            return Snap(
                what="wire", place=a, data={"a": a, "b": b, "ab_msgs": number, "ba_msgs": number // 9}
            )
        case 8:
            what, data = draw(st.sampled_from([
                ("raft", {"group": "_meta_", "term": number % 5, "leader": b, "state": "FOLLOWER"}),
                ("jsz", {"streams": [{"name": "S", "last_seq": number}]}),
                ("connz", {"connections": [{"client": f"client {number % 7}"}]}),
                ("varz", {"cluster": {"name": CLUSTERS[number % len(CLUSTERS)]}}),
                ("accountz", {"account_name": "AB"[number % 2], "imports": [
                    {"type": "service", "account": "A", "subject": "a.>", "local_subject": "b.>"}]}),
            ]))  # fmt: skip
            return Snap(what=what, place=a, data=data)
        case _:
            if number % 2:
                return Leader(group="_meta_", leader=draw(st.sampled_from(["", a])), term=number % 5, place=a)
            step, via = draw(st.sampled_from([("in", "client"), ("egress", "route"), ("egress", "client")]))
            return Hop(id=f"c/1/{number % 3}", step=step, via=via, client=b, place=a)


@given(st.lists(events(), max_size=60), st.sampled_from([(), (), ("n1",), ("EAST",)]))
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_any_story_leaves_a_picture(told: list[Event], of: tuple[str, ...]) -> None:
    story = Story(*of)
    for event in told:
        story.tell(event, 0.1)
    check(topology, story.state)
