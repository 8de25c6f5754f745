"""Three real servers whose routes are ours."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from typing import Any

import nats
import pytest

from natslab.loop import run
from natslab.servers.fleet import Fleet
from natslab.servers.topology import cluster

WaitFor = Callable[..., float]


@pytest.fixture(scope="module")
def three() -> Iterator[Fleet]:
    """A cluster of three, ready."""
    fleet = run(Fleet.start(cluster(3)))
    try:
        run(fleet.ready())
        yield fleet
    finally:
        run(fleet.stop())


def routes(fleet: Fleet, name: str) -> set[str]:
    """The servers that this one has a route to, as it says itself."""
    return {one["remote_name"] for one in run(fleet.ask(name, "routez")).get("routes") or []}


def test_it_is_complete_when_it_is_ready(three: Fleet) -> None:
    leader = run(three.ask("n1", "jsz"))["meta_cluster"]["leader"]
    meta = run(three.ask(leader, "jsz"))["meta_cluster"]
    assert meta["cluster_size"] == 3
    assert [one["current"] for one in meta["replicas"]] == [True, True]

    async def store() -> int:
        client = await nats.connect(**three.login())
        js = client.jetstream()
        await js.add_stream(name="FIRST", subjects=["first"], num_replicas=3)
        try:
            return (await js.publish("first", b"x")).seq
        finally:
            await js.delete_stream("FIRST")
            await client.close()

    assert run(store()) == 1


def test_cut_and_healed(three: Fleet, wait_for: WaitFor) -> None:
    try:
        for link in three.wiring.of("n1"):
            run(link.cut())
        wait_for(lambda: not routes(three, "n1"))
        assert routes(three, "n2") == {"n3"}
        assert not three.link("n2", "n1").connected
        assert three.link("n2", "n3").connected
    finally:
        run(three.wiring.heal())
    wait_for(lambda: routes(three, "n1") == {"n2", "n3"}, 10)
    wait_for(lambda: all(link.connected for link in three.links.values()))


def test_a_message_crosses(three: Fleet) -> None:
    heard: list[Any] = []

    async def cross() -> bytes:
        there = await nats.connect(**three.login(name="n2"))
        here = await nats.connect(**three.login(name="n1"))
        stop = three.link("n1", "n2").listen(heard.append)
        sub = await there.subscribe("far.*")
        await there.flush()
        await asyncio.sleep(0.1)  # the interest crosses too
        await here.publish("far.away", b"one\r\ntwo", reply="back", headers={"K": "v"})
        data = (await sub.next_msg(2)).data
        stop()
        await here.close()
        await there.close()
        return data

    assert run(cross()) == b"one\r\ntwo"
    frame = next(one for one in heard if one.subject == "far.away")
    assert (frame.src, frame.dst, frame.verb, frame.account) == ("n1", "n2", "HMSG", "A")
    assert (frame.reply, frame.payload) == ("back", b"one\r\ntwo")
    assert frame.header.startswith(b"NATS/1.0\r\nK: v")
