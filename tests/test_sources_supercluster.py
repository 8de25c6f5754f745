"""Two clusters joined by gateways: a stream moves from one to the other, and messages cross."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator

import pytest

from natslab.lab import Lab
from natslab.loop import run
from natslab.tape.event import Drop, End, Hop, Pub, Snap
from tests.clusters import Group, agrees, ask, events, led, told_once


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    with Lab.supercluster({"EAST": 2, "WEST": 2}, name="super") as up:
        yield up


@pytest.mark.soak
@pytest.mark.timeout(180)
def test_a_stream_moves(lab: Lab) -> None:
    go = Group(lab, "MOVED")
    go.make("c", replicas=2, placement={"cluster": "EAST"})
    go.fill_with(5)
    go("con next {S} c --count 2 --ack")
    agrees(lab, go.stream, "c")
    body = {"name": go.stream, "subjects": [f"{go.subject}.>"], "num_replicas": 2}
    ask(lab, f"STREAM.UPDATE.{go.stream}", body | {"placement": {"cluster": "WEST"}})
    end = time.monotonic() + 60
    while not led(lab, go.stream).startswith("WEST"):
        assert time.monotonic() < end
        time.sleep(0.1)
    go.fill_with(5)
    go("con next {S} c --count 2 --ack")
    agrees(lab, go.stream, "c", timeout=30)
    told_once(lab, go.stream)
    assert not [e for e in events(lab) if isinstance(e, Drop) and e.stream == go.stream]
    told = [e for e in events(lab) if isinstance(e, Snap) and e.what in ("stream", "consumer")]
    assert not [e for e in told if e.data.get("gone")]


@pytest.mark.soak
def test_a_message_crosses(lab: Lab) -> None:
    async def send() -> None:
        a = await lab.hub.connect("east", lab.fleet.login(name="EAST-n1"))
        b = await lab.hub.connect("west", lab.fleet.login(name="WEST-n2"))
        await b.subscribe("over.*")
        await b.sync()
        for _ in range(20):  # a gateway learns who wants what while messages come
            await a.publish("over.1")
            await a.sync()
            await asyncio.sleep(0.1)

    run(send())
    lab.settle(2)
    id = [e.id for e in events(lab) if isinstance(e, Pub) and e.client == "east"][-1]
    way = [(h.place, h.step, h.via) for h in events(lab) if isinstance(h, Hop) and h.id == id]
    assert way[:2] == [("EAST-n1", "in", "client"), ("EAST-n1", "egress", "gateway")]
    assert way[-1] == ("WEST-n2", "egress", "client")
    assert [e.outcome for e in events(lab) if isinstance(e, End) and e.id == id] == ["delivered"]
    said = [e.data["links"] for e in events(lab) if isinstance(e, Snap) and e.what == "gatewayz"]
    assert any(link["to"].startswith("WEST") for links in said for link in links)
