"""A cluster that grows from one server and shrinks again, with a stream that keeps what it has."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable
from typing import Any

import nats
import nats.js.errors
import pytest
from nats.js.client import JetStreamContext

from natslab.errors import LabError, ServerError
from natslab.loop import run
from natslab.servers.fleet import Fleet
from natslab.servers.topology import Topology, cluster, leafnodes, single

WaitFor = Callable[..., float]


async def _quiet(_: Exception) -> None:
    pass


@contextlib.asynccontextmanager
async def jetstream(fleet: Fleet) -> AsyncIterator[JetStreamContext]:
    client = await nats.connect(**fleet.login(), error_cb=_quiet)
    try:
        yield client.jetstream(timeout=10)
    finally:
        await client.close()


def meta_size(fleet: Fleet) -> int:
    said = [run(fleet.ask(name, "jsz")).get("meta_cluster") or {} for name in fleet.servers]
    return max(int(one.get("cluster_size", 0)) for one in said)


def test_from_one_to_four_and_back(alive: Callable[[int], bool], wait_for: WaitFor) -> None:
    fleet = run(Fleet.start(cluster(1)))
    states: list[tuple[str, str]] = []
    wires: list[tuple[str, str, str]] = []
    fleet.listen(lambda change: states.append((change.name, change.state)))
    fleet.listen_links(lambda link: wires.append((link.a, link.b, link.state)))
    try:
        run(fleet.ready())  # nobody is waited for
        for name in ("n2", "n3", "n4"):
            assert run(fleet.add()).name == name
        assert fleet.topology == cluster(4) and meta_size(fleet) == 4
        assert len(fleet.links) == 6

        async def fill() -> None:
            async with jetstream(fleet) as js:
                await js.add_stream(name="KEPT", subjects=["kept"], num_replicas=3)
                for _ in range(20):
                    await js.publish("kept", b"x")
                await js.add_stream(name="ALONE", subjects=["alone"], num_replicas=1)

        run(fill())
        holder = next(name for name in fleet.servers if _has(fleet, name, "ALONE"))
        with pytest.raises(LabError, match=r"Only .* has ALONE"):
            run(fleet.remove(holder))
        assert len(fleet.servers) == 4, "nothing was lost"
        gone = next(name for name in fleet.servers if _has(fleet, name, "KEPT") and name != holder)
        pid, folder = fleet.servers[gone].pid, fleet.servers[gone].folder
        assert run(fleet.remove(gone)) == []
        assert not alive(pid) and gone not in fleet.servers and not folder.exists()
        assert states[-1] == (gone, "removed") or (gone, "removed") in states
        assert len([one for one in wires if one[2] == "removed"]) == 3
        assert meta_size(fleet) == 3 and len(fleet.links) == 3

        async def whole() -> tuple[int, int]:
            async with jetstream(fleet) as js:
                await js.publish("kept", b"x")
                info = await js.stream_info("KEPT")
                assert info.cluster is not None
                return info.state.messages, len(info.cluster.replicas or [])

        assert run(whole()) == (21, 2), "another server has taken the replica"
        assert run(fleet.add()).name == "n5", "a name is not given twice"
    finally:
        run(fleet.stop())


def _has(fleet: Fleet, name: str, stream: str) -> bool:
    said = run(fleet.ask(name, "jsz", accounts=True, streams=True))
    return any(
        one["name"] == stream
        for account in said.get("account_details") or []
        for one in account.get("stream_detail") or []
    )


def test_a_server_alone_cannot_be_joined(fleet: Fleet) -> None:
    with pytest.raises(LabError, match="started alone") as refused:
        run(fleet.add())
    assert refused.value.hint.endswith("%natslab up --cluster")
    with pytest.raises(LabError, match="last server"):
        run(fleet.remove("n1"))
    assert fleet.topology == single()


def test_the_first_one_is_asked_itself_also_after_others_joined(wait_for: WaitFor) -> None:
    fleet = run(Fleet.start(cluster(1)))
    try:
        run(fleet.ask("n1", "varz"))
        known = run(fleet.system())
        run(fleet.add())
        assert run(fleet.system()) is known, "it was there before"
        assert run(fleet.system("n1")) is not known, "which goes elsewhere when n1 ends"
        run(fleet.servers["n1"].stop())
        wait_for(lambda: known._server_info["server_name"] == "n2" and known.is_connected)
        run(fleet.servers["n1"].start())
        assert run(fleet.ask("n1", "varz"))["server_name"] == "n1"
        assert run(fleet.system("n1"))._server_info["server_name"] == "n1"
    finally:
        run(fleet.stop())


def test_two_become_one_that_works() -> None:
    fleet = run(Fleet.start(cluster(2)))
    try:
        run(fleet.ready())
        for wrong, say in (("n3", "no server 'n3'"),):
            with pytest.raises(LabError, match=say):
                run(fleet.remove(wrong))
        with pytest.raises(LabError, match="no cluster 'C2'"):
            run(fleet.add(cluster="C2"))
        with pytest.raises(LabError, match="'n2' already"):
            run(fleet.add("n2"))
        run(fleet.remove("n2"))

        async def store() -> Any:
            async with jetstream(fleet) as js:
                await js.add_stream(name="S", subjects=["s"])
                return (await js.publish("s", b"x")).seq

        assert run(store()) == 1
        with pytest.raises(LabError, match="last server"):
            run(fleet.remove("n1"))
    finally:
        run(fleet.stop())


def test_a_server_joins_those_that_are_together_while_another_is_cut_off(wait_for: WaitFor) -> None:
    fleet = run(Fleet.start(cluster(3)))

    async def cut_off() -> None:
        for other in ("n1", "n2"):
            await fleet.link("n3", other).cut()

    try:
        run(fleet.ready())
        run(cut_off())
        assert run(fleet.add()).name == "n4"

        def known(name: str) -> bool:
            """A follower knows of it a moment after the leader does."""
            replicas = run(fleet.ask(name, "jsz"))["meta_cluster"]
            return replicas["cluster_size"] == 4 and replicas["leader"] in ("n1", "n2", "n4")

        wait_for(lambda: all(map(known, ("n1", "n2", "n4"))), 5)
    finally:
        run(fleet.stop())


@pytest.mark.parametrize("description", [cluster(1, wires=False), cluster(3, wires=False)], ids=["1", "3"])
def test_without_wires(description: Topology, wait_for: WaitFor) -> None:
    """Servers find each other directly, and also after each was started again."""
    fleet = run(Fleet.start(description))
    try:
        run(fleet.ready())
        for name in (run(fleet.add()).name, run(fleet.add()).name):
            assert fleet.servers[name].state == "up"
        count = len(fleet.servers)
        assert meta_size(fleet) == count and not fleet.links

        async def fill() -> None:
            async with jetstream(fleet) as js:
                await js.add_stream(name="KEPT", subjects=["kept"], num_replicas=3)
                await js.publish("kept", b"x")

        run(fill())
        for server in fleet.servers.values():
            run(server.restart())
        run(fleet.ready())
        for name in fleet.servers:
            wait_for(lambda name=name: run(fleet.ask(name, "routez"))["num_routes"] == count - 1)

        async def kept() -> bool:
            async with jetstream(fleet) as js:
                with contextlib.suppress(nats.errors.Error, nats.js.errors.Error):
                    return (await js.stream_info("KEPT")).state.messages == 1
            return False

        wait_for(lambda: run(kept()), 30)  # all were started at once, and elect
    finally:
        run(fleet.stop())


def test_without_a_majority_nothing_is_removed_or_added() -> None:
    fleet = run(Fleet.start(cluster(3)))
    try:
        run(fleet.ready())
        for name in ("n1", "n2"):
            run(fleet.servers[name].kill())
        for act, say in ((fleet.remove("n1"), "cannot be removed now"), (fleet.add(), "n4 cannot join now")):
            began = time.monotonic()
            with pytest.raises(LabError, match=say):
                run(act)
            assert time.monotonic() - began < 2, "it is known at once"
        assert set(fleet.servers) == {"n1", "n2", "n3"} and len(fleet.links) == 3
    finally:
        run(fleet.stop())


def test_one_that_does_not_start_leaves_all_as_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    fleet = run(Fleet.start(cluster(2)))
    try:
        run(fleet.ready())
        monkeypatch.setattr(fleet, "_program", fleet.folder / "nothing")
        with pytest.raises(ServerError):
            run(fleet.add())
        assert set(fleet.servers) == {"n1", "n2"} and list(fleet.links) == [("n1", "n2")]
        assert fleet.topology == cluster(2)
        monkeypatch.undo()
        assert run(fleet.add()).name == "n4"
    finally:
        run(fleet.stop())


def test_one_leafnode_more(wait_for: WaitFor) -> None:
    fleet = run(Fleet.start(leafnodes("hub", ("edge1",))))
    try:
        run(fleet.ready())
        assert run(fleet.add()).name == "edge2"
        assert run(fleet.add("shop")).name == "shop"
        assert {pair[1] for pair in fleet.links} == {"hub"} and len(fleet.links) == 3

        async def cross() -> bytes:
            hub, edge = await nats.connect(**fleet.login()), await nats.connect(**fleet.login(name="shop"))
            sub = await hub.subscribe("from.shop")
            await hub.flush()
            await asyncio.sleep(0.2)
            await edge.publish("from.shop", b"x")
            data = (await sub.next_msg(2)).data
            await hub.close()
            await edge.close()
            return data

        assert run(cross()) == b"x"
        with pytest.raises(LabError, match="hub of the leafnodes"):
            run(fleet.remove("hub"))
        run(fleet.remove("edge1"))
        assert set(fleet.servers) == {"hub", "edge2", "shop"}
    finally:
        run(fleet.stop())
