"""A hub and a leafnode, each a JetStream domain: two streams may have one name."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from natslab.lab import Lab
from natslab.loop import run
from natslab.servers.jsapi import Api
from natslab.tape.event import Hop, Pub, Snap, Store
from tests.clusters import events, soon

WaitFor = Callable[..., float]


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    with Lab.leafnodes("hub", ("edge1",), name="leafs") as up:
        yield up


def test_two_streams_of_one_name(lab: Lab) -> None:
    async def make(server: str, subject: str, count: int) -> None:
        client = await lab.hub.connect(f"at {server}", lab.fleet.login(name=server))
        api = Api(client, timeout=5)
        await api.call("STREAM.CREATE.ORDERS", {"name": "ORDERS", "subjects": [f"{subject}.>"]})
        lab.monitor.wake()
        await lab.monitor.poll()
        config = {"durable_name": f"of-{server}", "ack_policy": "explicit"}
        body = {"stream_name": "ORDERS", "config": config}
        await api.call(f"CONSUMER.CREATE.ORDERS.of-{server}", body)
        for n in range(count):
            await client.store(f"{subject}.{n}", b"x")

    run(make("hub", "orders", 3))
    run(make("edge1", "local", 5))

    def check() -> None:
        one = lab.view("stream", "ORDERS").state.streams["ORDERS"]
        two = lab.view("stream", "ORDERS@edge1").state.streams["ORDERS@edge1"]
        assert [(s.place, s.messages, s.last, s.missing) for s in (one, two)] == [
            ("hub", 3, 3, 0),
            ("edge1", 5, 5, 0),
        ]
        acks = lab.view("acks", "ORDERS@edge1").state
        assert [c.name for c in acks.of_stream("ORDERS@edge1")] == ["of-edge1"]
        assert acks.totals("ORDERS@edge1", "of-edge1").stored == 5

    soon(lab, check)
    stored = [(e.stream, e.seq) for e in events(lab) if isinstance(e, Store) and e.client and e.seq]
    assert stored == [("ORDERS", n) for n in (1, 2, 3)] + [("ORDERS@edge1", n) for n in (1, 2, 3, 4, 5)]


def test_what_they_say_of_their_connection(lab: Lab, wait_for: WaitFor) -> None:
    async def listen() -> Any:
        client = await lab.hub.connect("listener", lab.fleet.login(name="edge1"))
        await client.subscribe("news.*")
        await client.sync()
        return client

    def newest(server: str) -> list[tuple[Any, ...]]:
        said = [e for e in events(lab) if isinstance(e, Snap) and (e.what, e.place) == ("leafz", server)]
        links = said[-1].data["links"] if said else []
        return [(li["to"], li["type"], li["account"], "news.*" in li["subjects"]) for li in links]

    client = run(listen())
    wait_for(lambda: newest("hub") == [("edge1", "leafnode", "A", True)])
    wait_for(lambda: newest("edge1") == [("hub", "leafnode", "A", False)])
    lab.cut("edge1", "hub")
    wait_for(lambda: newest("hub") == [] == newest("edge1"))
    lab.heal()
    wait_for(lambda: newest("hub") == [("edge1", "leafnode", "A", True)])

    async def send() -> None:
        sender = await lab.hub.connect("sender", lab.fleet.login(name="hub"))
        await sender.publish("news.1")
        await sender.sync()

    run(send())
    id = [e.id for e in events(lab) if isinstance(e, Pub) and e.client == "sender"] or [""]

    def way() -> bool:
        lab.settle()
        id[:] = [e.id for e in events(lab) if isinstance(e, Pub) and e.client == "sender"]
        steps = [(h.place, h.step, h.via) for h in events(lab) if isinstance(h, Hop) and h.id == id[0]]
        return steps == [
            ("hub", "in", "client"),
            ("hub", "egress", "leafnode"),
            ("edge1", "in", "leafnode"),
            ("edge1", "egress", "client"),
        ]

    wait_for(way)
    run(client.close())
