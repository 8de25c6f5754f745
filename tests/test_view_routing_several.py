"""The routing view of a message that visits several servers."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from natslab.lab import Lab
from natslab.tape.event import (
    Conn,
    End,
    Hop,
    Pub,
    Server,
)
from natslab.views import routing
from natslab.views.scene import Path, walk
from tests.pictures import check, keyed
from tests.routings import Story, texts

# --- several servers ----------------------------------------------------------------------------


class Several(Story):
    """The same with servers that pass messages on by routes, gateways and leafnodes."""

    def __init__(self, **servers: str) -> None:
        super().__init__(up=False)
        for name, cluster in servers.items():
            self.add(Server(name=name.replace("_", "-"), state="up", cluster=cluster))

    def at(self, client: str, place: str, subject: str = "", queue: str = "") -> Several:
        self.add(Conn(client=client, place=place, no=1))
        if subject:
            self.sub(client, subject, queue)
        return self

    def passes(self, publisher: str, subject: str, *ways: tuple[str, str, str], complete: bool = True) -> str:
        """A message: (where, by what, to whom), each in the order in which the servers tell of it."""
        self.ids += 1
        id, t = f"c/1/{self.ids}", self.t + 0.5
        self.t = t
        places = self.state.places
        self.add(Pub(id=id, client=publisher, subject=subject, traced=True))
        self.add(Hop(id=id, step="in", client=publisher, place=places[publisher], subject=subject, t=t))
        links: dict[str, str] = {places[publisher]: ""}
        where, by = places[publisher], {}
        for i, (place, via, to) in enumerate(ways):
            t += 30e-6
            if place != where:
                self.add(
                    Hop(id=id, step="in", via=by[place], client=where, place=place, hop=links[place], t=t)
                )
                where = place
            if via == "client":
                sub = next(s for s in self.subs if s.client == to)
                self.add(
                    Hop(id=id, step="egress", client=to, place=place, sub=sub.subject, queue=sub.queue, t=t)
                )
            else:
                links[to], by[to] = str(i + 1), via
                self.add(Hop(id=id, step="egress", via=via, client=to, place=place, hop=links[to], t=t))
        count = sum(via == "client" for _, via, _ in ways)
        if complete:
            self.add(
                End(
                    of="trace",
                    id=id,
                    outcome="delivered" if count else "nobody",
                    count=count,
                    took=t - self.t,
                )
            )
        return id


def routed() -> Several:
    """One message that came in at n1 and went on by two routes."""
    story = Several(n1="C1", n2="C1", n3="C1").at("shop", "n1").at("audit", "n1", "orders.>")
    story.at("billing", "n2", "orders.*").at("w1", "n1", "orders.new", "workers").at(
        "w3", "n3", "orders.new", "workers"
    )
    ways = ("n1", "client", "audit"), ("n1", "route", "n2"), ("n1", "route", "n3")
    story.passes("shop", "orders.new", *ways, ("n2", "client", "billing"), ("n3", "client", "w3"))
    return story


def bridged() -> Several:
    """Through a gateway and from there by a route; and through two leafnode connections."""
    story = Several(EAST_n1="EAST", EAST_n2="EAST", WEST_n1="WEST", WEST_n2="WEST", edge1="")
    story.at("shop", "EAST-n1").at("a", "EAST-n1", "x.>").at("b", "EAST-n2", "x.*").at("c", "WEST-n1", "x.y")
    story.at("d", "WEST-n2", "x.y").at("e", "edge1", "x.y")
    onward = [("route", "EAST-n2"), ("gateway", "WEST-n1"), ("leafnode", "edge1")]
    ways = [("EAST-n1", "client", "a"), *(("EAST-n1", via, to) for via, to in onward)]
    ways += [("EAST-n2", "client", "b"), ("WEST-n1", "client", "c"), ("WEST-n1", "route", "WEST-n2")]
    story.passes("shop", "x.y", *ways, ("WEST-n2", "client", "d"), ("edge1", "client", "e"))
    return story


def test_a_message_that_went_by_routes_has_a_line_for_each_server() -> None:
    story = routed()
    scene = check(routing, story.state)
    assert routing.describe(story.state) == (
        "orders.new reached 3 of 4 subscriptions: audit, billing and one worker, w3.",
        "It came in at n1 and went by route to n2 and n3.",
    )
    assert {"n1 from shop", "⇒ n2", "⇒ n3", "n2 by route", "→ w3 of workers", "in at n1"} <= set(texts(scene))
    assert {"3 deliveries, 3 servers", "audit\u2002\u2002at n1", "billing\u2002\u2002at n2"} <= set(
        texts(scene)
    )
    ways = [m for m in walk(scene.marks) if m.key.startswith("trace/way")]
    assert sorted(m.key for m in ways) == ["trace/way1", "trace/way2"]
    assert {i.word: i.count for i in scene.legend} == {"delivered": 3, "routes": 2, "not reached": 1}
    assert not routing.describe(story.state)[1].startswith("Δ")


def test_ways_by_gateway_and_leafnode_look_different() -> None:
    scene = check(routing, bridged().state)
    marks = keyed(scene)
    assert {"⇒ EAST-n2", "⇝ WEST-n1", "⤳ edge1", "⇒ WEST-n2"} <= set(texts(scene))
    twins = [k for k in marks if k.startswith("trace/way") and k.endswith("/twin")]
    dashed = [m for k, m in marks.items() if k.startswith("trace/way") and isinstance(m, Path) and m.dash]
    assert len(twins) == 1 and len(dashed) == 1
    assert routing.describe(bridged().state)[1] == "It came in at EAST-n1 and went on to 4 servers."


def test_a_message_that_stayed_and_one_that_did_not_come_everywhere() -> None:
    story = routed()
    story.passes("shop", "orders.new", ("n1", "client", "audit"), ("n1", "client", "w1"))
    check(routing, story.state)
    # Billing asks for it at n2, and the wire there is cut: that is no quarrel of trace and matcher.
    assert routing.describe(story.state)[1] == "It came in at n1 and stayed there; n2 did not get it."
    assert "billing\u2002\u2002n2 did not get it" in texts(routing.draw(story.state))
    story.passes("shop", "lost.x")
    assert routing.describe(story.state)[1].startswith(
        "It came in at n1 and stayed there: no other server asks"
    )


def test_a_trace_of_which_a_servers_part_is_missing_is_drawn() -> None:
    story = routed()
    story.passes("shop", "orders.new", ("n1", "client", "audit"), ("n1", "route", "n2"), complete=False)
    story.t += 3
    story.passes("shop", "orders.new", ("n1", "client", "audit"), complete=False)
    assert "is not complete" in " ".join(texts(check(routing, story.state)))


def test_many_deliveries_of_a_server_are_one_step() -> None:
    story = Several(n1="C1", n2="C1").at("shop", "n1")
    for i in range(14):
        story.at(f"c{i}", "n2" if i > 5 else "n1", "x")
    ways = [("n1", "client", f"c{i}") for i in range(6)] + [("n1", "route", "n2")]
    story.passes("shop", "x", *ways, *(("n2", "client", f"c{i}") for i in range(6, 14)))
    assert {"→ 6 clients", "→ 8 clients"} <= set(texts(check(routing, story.state)))


SOME_WAY = st.tuples(
    st.integers(0, 8),
    st.integers(0, 8),
    st.sampled_from(["route", "gateway", "leafnode"]),
    st.integers(0, 12),
)


@given(st.lists(SOME_WAY, max_size=14), st.booleans())
@settings(max_examples=100, deadline=None)
def test_any_way_through_servers_leaves_a_picture(
    steps: list[tuple[int, int, str, int]], complete: bool
) -> None:
    names = [f"a-server-{i}" if i % 3 == 2 else f"n{i}" for i in range(9)]
    story = Several(**dict.fromkeys((n.replace("-", "_") for n in names), "C1")).at("shop", names[0])
    for i in range(13):
        story.at(f"c{i}", names[i % 9], "x" if i % 2 else "x.y")
    ways, known = [], {names[0]}
    for a, b, via, clients in steps:
        if names[a] not in known:
            continue
        ways += [(names[a], "client", f"c{i}") for i in range(clients)]
        if names[b] not in known:
            ways.append((names[a], via, names[b]))
            known.add(names[b])
    ordered = sorted(ways, key=lambda w: names.index(w[0]))
    reach, kept = {names[0]}, []
    for way in ordered:
        if way[0] in reach:
            kept.append(way)
            reach |= {way[2]} if way[1] != "client" else set()
    story.passes("shop", "x", *kept, complete=complete)
    story.t += 3
    story.pub("shop", "y")
    story.state.selection = "msg/c/1/1"
    check(routing, story.state)


async def _placed(lab: Lab, *rows: tuple[str, str, str]) -> dict[str, Any]:
    """Clients by name, each connected to a server and subscribed."""
    clients = {}
    for name, server, subject in rows:
        client = clients[name] = await lab.hub.connect(name, lab.fleet.login(name=server))
        if subject:
            await client.subscribe(subject)
        await client.flush()
    return clients


def test_a_real_message_through_routes() -> None:
    with Lab.up(servers=3) as lab:
        clients = lab.do(
            _placed(
                lab,
                ("a", "n1", "orders.>"),
                ("b", "n2", "orders.>"),
                ("c", "n3", "orders.*"),
                ("shop", "n1", ""),
            )
        )
        view = lab.view("routing")

        def sent() -> list[str]:
            lab.do(clients["shop"].publish("orders.new", b""))
            check(routing, view.state)
            return view.state.last.receivers if view.state.last is not None else []

        _eventually(lambda: sent() == ["a", "b", "c"])
        last = view.state.last
        assert last is not None and not last.torn
        assert {(h.place, h.client) for h in last.hops if h.via == "route" and h.step == "egress"} == {
            ("n1", "n2"),
            ("n1", "n3"),
        }
        assert "It came in at n1 and went by route to n" in routing.describe(view.state)[1]
        lab.isolate("n3")
        # Until n1 has noticed it sends to n3 too, and that does not arrive.
        _eventually(
            lambda: (
                sent() == ["a", "b"]
                and routing.describe(view.state)[1]
                == "It came in at n1 and went by route to n2; n3 did not get it."
            )
        )


def test_a_real_message_through_leafnodes() -> None:
    with Lab.leafnodes(edges=("edge1", "edge2")) as lab:
        clients = lab.do(
            _placed(
                lab, ("a", "hub", "s.>"), ("b", "edge2", "s.*"), ("c", "edge1", "s.t"), ("probe", "edge1", "")
            )
        )
        view = lab.view("routing")

        def sent() -> list[str]:
            lab.do(clients["probe"].publish("s.t", b""))
            check(routing, view.state)
            return view.state.last.receivers if view.state.last is not None else []

        # Watched or not, a message crosses: a server drops one whose trace may not be told.
        _eventually(lambda: sent() == ["a", "b", "c"])
        received = view.state.received
        assert received["a"] > 0 and received["b"] > 0
        assert routing.describe(view.state)[1] == (
            "It came in at edge1 and went by leafnode to hub; from hub by leafnode to edge2."
        )


def _eventually(holds: Callable[[], object], timeout: float = 8.0) -> None:
    ends = time.monotonic() + timeout
    while not holds():
        assert time.monotonic() < ends
        time.sleep(0.1)
