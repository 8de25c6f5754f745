"""Servers that are joined by gateways or as leafnodes, over wires of ours."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Callable, Coroutine, Iterator
from typing import Any

import nats
import nats.js.errors
import pytest
from nats.aio.msg import Msg

from natslab.loop import run
from natslab.servers.fleet import Fleet
from natslab.servers.framing import Frame
from natslab.servers.topology import leafnodes, supercluster

WaitFor = Callable[..., float]


@pytest.fixture(scope="module")
def hub() -> Iterator[Fleet]:
    fleet = run(Fleet.start(leafnodes("hub", ("edge1",))))
    try:
        run(fleet.ready())
        yield fleet
    finally:
        run(fleet.stop())


async def _both(fleet: Fleet, a: str, b: str) -> tuple[Any, Any]:
    return await nats.connect(**fleet.login(name=a)), await nats.connect(**fleet.login(name=b))


def test_the_ports_are_those_that_the_servers_say(hub: Fleet) -> None:
    """Read from the log, because the file of ports does not have them."""
    assert hub.servers["hub"].inner == {"leafnode": run(hub.ask("hub", "varz"))["leaf"]["port"]}
    assert hub.servers["edge1"].inner == {}


def test_clients_go_to_the_hub(hub: Fleet) -> None:
    assert len(hub.login()["servers"]) == 1
    assert hub.login()["servers"] == hub.login(name="hub")["servers"]


def test_a_message_crosses_to_the_hub(hub: Fleet) -> None:
    heard: list[Frame] = []

    async def go() -> bytes:
        edge, main = await _both(hub, "edge1", "hub")
        sub = await main.subscribe("up.*")
        await main.flush()
        await asyncio.sleep(0.1)
        stop = hub.link("hub", "edge1").listen(heard.append)
        await edge.publish("up.now", b"x\r\ny", headers={"K": "v"})
        data = (await sub.next_msg(2)).data
        await hub.link("hub", "edge1").counts()  # what has crossed has been heard
        stop()
        await edge.close()
        await main.close()
        return data

    assert run(go()) == b"x\r\ny"
    frame = next(frame for frame in heard if frame.subject == "up.now")
    assert (frame.src, frame.dst, frame.account, frame.payload) == ("edge1", "hub", "", b"x\r\ny")
    assert frame.header.startswith(b"NATS/1.0")


def test_each_has_its_own_jetstream(hub: Fleet) -> None:
    async def go() -> tuple[list[str], list[str], list[str]]:
        edge, main = await _both(hub, "edge1", "hub")
        await edge.jetstream().add_stream(name="EDGE", subjects=["edge.only"])
        await main.jetstream().add_stream(name="HUB", subjects=["hub.only"])
        own = [one.config.name for one in await main.jetstream().streams_info()]
        far = [one.config.name for one in await main.jetstream(domain="edge1").streams_info()]
        edges = [one.config.name for one in await edge.jetstream(domain="hub").streams_info()]
        await edge.close()
        await main.close()
        return own, far, edges

    assert run(go()) == (["HUB"], ["EDGE"], ["HUB"])


def test_a_message_that_is_traced_crosses_both_ways(hub: Fleet) -> None:
    """A server drops a message whose trace it may not tell: so traces may cross, and both sides hear them."""
    seen: list[tuple[str, str]] = []

    async def go() -> None:
        for name in ("hub", "edge1"):
            watcher = await hub.watcher(name)

            async def hear(msg: Msg, name: str = name) -> None:
                seen.append((name, msg.subject))

            await watcher.subscribe("_NATSLAB.>", cb=hear)
            await watcher.flush()
            await watcher.flush()
        edge, main = await _both(hub, "edge1", "hub")
        for i, (one, other) in enumerate(((edge, main), (main, edge))):
            sub = await other.subscribe(f"somebody.{i}")
            await other.flush()
            await asyncio.sleep(0.1)
            await one.publish(f"somebody.{i}", b"", headers={"Nats-Trace-Dest": f"_NATSLAB.1.{i}"})
            await sub.next_msg(2)
        await asyncio.sleep(0.2)
        await edge.close()
        await main.close()

    run(go())
    # Two servers tell their part of each, and each part is heard at both.
    assert sorted(seen) == sorted(
        (name, f"_NATSLAB.1.{i}") for name in ("hub", "edge1") for i in (0, 1) for _ in (0, 1)
    )


def test_what_was_stored_while_cut_comes_after(hub: Fleet, wait_for: WaitFor) -> None:
    link = hub.link("edge1", "hub")

    async def go(do: Callable[[Any, Any], Coroutine[Any, Any, Any]]) -> Any:
        edge, main = await _both(hub, "edge1", "hub")
        try:
            return await do(edge, main)
        finally:
            await edge.close()
            await main.close()

    async def source(edge: Any, main: Any) -> None:
        await edge.jetstream().add_stream(name="OUT", subjects=["out"])
        await edge.jetstream().publish("out", b"x")
        config = {
            "name": "IN",
            "storage": "file",
            "retention": "limits",
            "num_replicas": 1,
            "sources": [{"name": "OUT", "external": {"api": "$JS.edge1.API"}}],
        }
        await main.request("$JS.API.STREAM.CREATE.IN", json.dumps(config).encode())

    async def publish(edge: Any, main: Any) -> None:
        for _ in range(10):
            await edge.jetstream().publish("out", b"x")

    async def count(edge: Any, main: Any) -> int:
        return int((await main.jetstream().stream_info("IN")).state.messages)

    run(go(source))
    wait_for(lambda: run(go(count)) == 1)
    run(link.cut())
    run(go(publish))
    assert run(go(count)) == 1 and not link.connected
    run(link.heal())
    wait_for(lambda: run(go(count)) == 11, 15)


def test_two_clusters(wait_for: WaitFor) -> None:
    fleet = run(Fleet.start(supercluster({"EAST": 1, "WEST": 1})))
    link = fleet.link("EAST-n1", "WEST-n1")

    def outbound(name: str) -> list[str]:
        return list(run(fleet.ask(name, "gatewayz"))["outbound_gateways"] or {})

    try:
        run(fleet.ready())
        assert link.type == "gateway" and link.connected
        for name, server in fleet.servers.items():
            varz = run(fleet.ask(name, "varz"))
            assert server.inner["gateway"] == varz["gateway"]["port"] or varz["gateway"]["port"] == 1
        assert outbound("EAST-n1") == ["WEST"] and outbound("WEST-n1") == ["EAST"]
        rows = run(fleet.ask("EAST-n1", "gatewayz"))["outbound_gateways"]
        assert rows["WEST"]["connection"]["port"] == link.port("EAST-n1"), "it goes through the wire"
        assert len(fleet.login()["servers"]) == 1

        async def far() -> str:
            east = await nats.connect(**fleet.login())
            info = await east.jetstream().add_stream(name="W", subjects=["w"], placement={"cluster": "WEST"})  # type: ignore[arg-type]
            for _ in range(100):  # the interest has to cross first
                with contextlib.suppress(nats.js.errors.NoStreamResponseError):
                    await east.jetstream().publish("w", b"x")
                    break
                await asyncio.sleep(0.02)
            else:
                raise AssertionError("nothing crosses")
            await east.close()
            assert info.cluster is not None
            return str(info.cluster.leader)

        assert run(far()) == "WEST-n1"
        run(link.cut())
        wait_for(lambda: not outbound("EAST-n1") and not outbound("WEST-n1"))
        run(link.heal())
        wait_for(lambda: outbound("EAST-n1") == ["WEST"] and outbound("WEST-n1") == ["EAST"], 10)
        wait_for(lambda: link.connected)
    finally:
        run(fleet.stop())


def test_a_hub_that_is_a_cluster(wait_for: WaitFor) -> None:
    fleet = run(Fleet.start(leafnodes("main", ("edge1",), servers=2)))
    heard: list[Frame] = []
    try:
        run(fleet.ready())
        leafs = [link for link in fleet.links.values() if link.type == "leafnode"]
        wait_for(lambda: sum(link.connected for link in leafs) == 1)

        async def go() -> bytes:
            near = next(link.b for link in leafs if link.connected)
            other = next(name for name in ("n1", "n2") if name != near)
            edge, main = await _both(fleet, "edge1", other)
            sub = await main.subscribe("far.away")
            await main.flush()
            await asyncio.sleep(0.3)
            stop = fleet.link("n1", "n2").listen(heard.append)
            await edge.publish("far.away", b"hello", headers={"K": "v"})
            data = (await sub.next_msg(2)).data
            await fleet.link("n1", "n2").counts()  # what has crossed has been heard
            stop()
            await edge.close()
            await main.close()
            return data

        assert run(go()) == b"hello"
        frame = next(frame for frame in heard if frame.subject == "far.away")
        assert (frame.account, frame.payload) == ("A", b"hello"), frame
    finally:
        run(fleet.stop())
