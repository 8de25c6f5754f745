"""The topology view: servers, what connects them, who is connected to them, what lets nothing through."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import combinations
from typing import Any

import pytest

from natslab.tape.event import Conn, Event, Hop, Leader, Link, Server, Snap
from natslab.views import topology
from natslab.views.scene import Scene, Text, to_svg, walk
from tests.pictures import check


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
