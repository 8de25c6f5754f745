"""Three real servers whose routes are ours."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import nats
import pytest

from natslab.errors import LabError, ServerError
from natslab.loop import run
from natslab.servers import leaders
from natslab.servers.fleet import Fleet
from natslab.servers.supervisor import supervisor
from natslab.servers.topology import cluster
from tests.clusters import tcp_ports

WaitFor = Callable[..., float]


@pytest.fixture(scope="module")
def started() -> Iterator[Fleet]:
    fleet = run(Fleet.start(cluster(3)))
    try:
        run(fleet.ready())
        yield fleet
    finally:
        run(fleet.stop())


@pytest.fixture
def three(started: Fleet, wait_for: WaitFor) -> Fleet:
    """A cluster of three, with nothing broken."""
    wait_for(
        lambda: all(routes(started, name) == set(started.servers) - {name} for name in started.servers), 10
    )
    return started


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


def test_ready_lets_everybody_be_known(three: Fleet) -> None:
    """The meta leader gives nothing to keep to a server of which it has not heard how much room it has."""

    async def hear() -> set[str]:
        heard: set[str] = set()

        async def told(msg: Any) -> None:
            heard.add(msg.subject.split(".")[2])

        leader = (await three.ask("n1", "jsz"))["meta_cluster"]["leader"]
        system = await three.system(leader)
        sub = await system.subscribe("$SYS.SERVER.*.STATSZ", cb=told)
        await three.ready()
        await sub.unsubscribe()
        return heard

    assert run(hear()) == {server.id for server in three.servers.values()}


def through_links(fleet: Fleet) -> bool:
    """Whether each server's routes end at ports of ours, and not at another server's."""
    dialled = tcp_ports(fleet.wiring.carrier.pid)
    for name in fleet.servers:
        for route in run(fleet.ask(name, "routez")).get("routes") or []:
            link = fleet.link(name, route["remote_name"])
            if route["port"] not in {link.port(name), *dialled}:
                return False
    return True


def test_no_connection_bypasses_a_link(three: Fleet, wait_for: WaitFor) -> None:
    inner = {server.inner["route"] for server in three.servers.values()}
    assert len(inner) == 3 and not inner & {
        link.port(end) for link in three.links.values() for end in link.names
    }
    assert all(routes(three, name) == set(three.servers) - {name} for name in three.servers)
    wait_for(lambda: through_links(three))


def test_cut_and_healed(three: Fleet, wait_for: WaitFor) -> None:
    try:
        for link in three.wiring.of(three.end("n1")):
            run(link.cut())
        wait_for(lambda: not routes(three, "n1"))
        assert routes(three, "n2") == {"n3"}
        assert not three.link("n2", "n1").connected
        assert three.link("n2", "n3").connected
        time.sleep(1.5)  # servers try again each second
        assert not routes(three, "n1")
    finally:
        run(three.wiring.heal())
    wait_for(lambda: routes(three, "n1") == {"n2", "n3"}, 10)
    wait_for(lambda: all(link.connected for link in three.links.values()))
    wait_for(lambda: through_links(three))


def test_counts_are_the_servers_own(three: Fleet, wait_for: WaitFor) -> None:
    """Every message that a server counts on a route has been counted by its link."""
    link = three.link("n1", "n2")

    def counted() -> tuple[int, int, int]:
        """What the server sent on its route, and how many more the link has counted, each way."""
        rows = run(three.ask("n1", "routez"))["routes"]
        row = next(row for row in rows if row["remote_name"] == "n2")
        now = run(link.counts())
        return row["out_msgs"], now.ab_msgs - row["out_msgs"], now.ba_msgs - row["in_msgs"]

    def steady() -> bool:
        nonlocal before
        last, before = before, counted()
        return last[1:] == before[1:]

    # Earlier connections of the two are in the link's counts too.
    before = (0, -1, -1)
    wait_for(steady)

    async def publish() -> None:
        client = await nats.connect(**three.login(name="n1"))
        far = await nats.connect(**three.login(name="n2"))
        sub = await far.subscribe("count.me")
        await far.flush()
        await asyncio.sleep(0.1)
        for n in range(300):
            await client.publish("count.me", b"x" * n, headers={"n": str(n)} if n % 2 else None)
        for _ in range(300):
            await sub.next_msg(2)
        await client.close()
        await far.close()

    run(publish())

    def agree() -> bool:
        now = counted()
        return now[0] >= before[0] + 300 and now[1:] == before[1:]

    wait_for(agree)


def test_each_side_is_asked_by_itself(three: Fleet, wait_for: WaitFor) -> None:
    """A server that is cut off still answers, and a frozen one keeps nobody waiting."""
    try:
        for link in three.wiring.of(three.end("n3")):
            run(link.cut())
        assert run(three.ask("n3", "varz"))["server_name"] == "n3"
        run(three.servers["n3"].freeze())
        began = time.monotonic()
        for name in ("n1", "n2"):
            assert run(three.ask(name, "varz"))["server_name"] == name
        with pytest.raises(ServerError, match="n3 is frozen"):
            run(three.ask("n3", "varz"))
        assert time.monotonic() - began < 1
    finally:
        run(three.servers["n3"].thaw())
        run(three.wiring.heal())
    wait_for(lambda: routes(three, "n3") == {"n1", "n2"}, 10)


def test_the_system_connection_stays_with_its_server(three: Fleet, wait_for: WaitFor) -> None:
    async def pinned() -> Any:
        return await three.system("n2")

    connection = run(pinned())
    run(three.servers["n2"].kill())
    wait_for(lambda: not connection.is_connected)
    time.sleep(0.3)
    assert not connection.is_connected, "it went to another server"
    run(three.servers["n2"].start())
    wait_for(lambda: connection.is_connected)
    assert run(three.ask("n2", "varz"))["server_name"] == "n2"


def test_a_client_goes_to_another_server(three: Fleet, wait_for: WaitFor) -> None:
    """And the server that was killed is found again where it listens then."""
    inner = three.servers["n1"].inner["route"]

    async def follow() -> tuple[str, str]:
        client = await nats.connect(
            servers=three.login()["servers"][:1],  # the others it must hear of
            user="app",
            password=three.login()["password"],
            reconnect_time_wait=0.1,  # type: ignore[arg-type]
            max_reconnect_attempts=-1,
            error_cb=_quiet,
        )
        first = str(client._server_info["server_name"])
        await three.servers[first].kill()
        end = time.monotonic() + 5
        while client.is_connected and client._server_info["server_name"] == first:
            assert time.monotonic() < end
            await asyncio.sleep(0.01)
        while not client.is_connected:
            assert time.monotonic() < end
            await asyncio.sleep(0.01)
        second = str(client._server_info["server_name"])
        await client.close()
        return first, second

    first, second = run(follow())
    assert first == "n1" and second in ("n2", "n3")
    assert not three.link("n1", "n2").connected
    run(three.servers["n1"].start())
    wait_for(lambda: routes(three, "n1") == {"n2", "n3"}, 10)
    assert three.servers["n1"].inner["route"] != inner
    wait_for(lambda: through_links(three))


async def _quiet(_: Exception) -> None:
    pass


def test_the_meta_leader_and_a_streams_group(three: Fleet, wait_for: WaitFor) -> None:
    run(three.ready())

    async def make() -> str:
        client = await nats.connect(**three.login())
        js = client.jetstream()
        info = await js.add_stream(name="LED", subjects=["led"], num_replicas=3)
        await js.add_consumer("LED", durable_name="C")
        await client.close()
        assert info.cluster is not None
        return str(info.cluster.leader)

    led = run(make())
    group = run(leaders.group(three, "LED"))
    assert group.leader == led and set(group.followers) == set(three.servers) - {led}
    wait_for(lambda: run(leaders.group(three, "LED", "C")).leader in three.servers)
    assert run(leaders.meta(three)).leader == run(three.ask("n1", "jsz"))["meta_cluster"]["leader"]
    with pytest.raises(LabError, match="no stream called 'NONE'"):
        run(leaders.group(three, "NONE"))
    with pytest.raises(LabError, match="no consumer called 'NONE'"):
        run(leaders.group(three, "LED", "NONE"))


def test_one_that_was_cut_off_is_not_believed(three: Fleet, wait_for: WaitFor) -> None:
    """It goes on saying that it leads; who was elected later does."""
    old = run(leaders.group(three, "LED")).leader
    try:
        for link in three.wiring.of(three.end(old)):
            run(link.cut())

        def another() -> bool:
            try:
                return run(leaders.group(three, "LED")).leader != old
            except LabError:
                return False

        wait_for(another, 25)
        said = run(three.ask(old, "raftz", account="A"))["A"]
        group = run(three.ask(old, "jsz", accounts=True, streams=True, raft=True))["account_details"][0]
        ours = next(one for one in group["stream_detail"] if one["name"] == "LED")["stream_raft_group"]
        assert said[ours]["state"] == "LEADER", "it has given up already: nothing was shown"
    finally:
        run(three.wiring.heal())


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
        await three.link("n1", "n2").counts()  # what has crossed has been heard
        stop()
        await here.close()
        await there.close()
        return data

    assert run(cross()) == b"one\r\ntwo"
    frame = next(one for one in heard if one.subject == "far.away")
    assert (frame.src, frame.dst, frame.verb, frame.account) == ("n1", "n2", "HMSG", "A")
    assert (frame.reply, frame.payload) == ("back", b"one\r\ntwo")
    assert frame.header.startswith(b"NATS/1.0\r\nK: v")


@pytest.mark.parametrize("rounds", [2, pytest.param(30, marks=[pytest.mark.soak, pytest.mark.timeout(300)])])
def test_what_is_ready_takes_a_stream_at_once(rounds: int) -> None:
    """Before, a stream of all servers is refused (10005) or its request lost."""

    async def once(size: int) -> None:
        fleet = await Fleet.start(cluster(size))
        try:
            await fleet.ready()
            client = await nats.connect(**fleet.login())
            await client.jetstream(timeout=3).add_stream(name="ALL", subjects=["all"], num_replicas=size)
            await client.close()
        finally:
            await fleet.stop()

    for n in range(rounds):
        run(once((2, 3, 5)[n % 3]))


def test_stop_leaves_nothing(alive: Callable[[int], bool]) -> None:
    fleet = run(Fleet.start(cluster(3)))
    pids = [server.pid for server in fleet.servers.values()] + [fleet.wiring.carrier.pid]
    ports = [link.port(end) for link in fleet.links.values() for end in link.names]
    ports += [server.port for server in fleet.servers.values()]
    began = time.monotonic()
    run(fleet.stop())
    assert time.monotonic() - began < 2
    assert not [pid for pid in pids if alive(pid)]
    assert not fleet.folder.exists()
    for port in ports:
        with socket.socket() as probe:
            assert probe.connect_ex(("127.0.0.1", port)) != 0


def test_a_failed_start_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with pytest.raises(ServerError):
        run(Fleet.start(cluster(3, mappings={"a..b": "c"})))
    assert list(tmp_path.iterdir()) == []


def test_without_the_process_for_wires_nothing_starts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    supervisor()
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setattr("natslab.servers.carrier._CHILD", "raise SystemExit('no wires today')")
    with pytest.raises(ServerError, match="carries the wires did not start: no wires today"):
        run(Fleet.start(cluster(3)))
    long = tmp_path / ("a" * 99)
    long.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(long))
    with pytest.raises(ServerError, match="too long") as e:
        run(Fleet.start(cluster(3)))
    assert "TMPDIR" in e.value.hint
    assert list(tmp_path.iterdir()) == [long] and not list(long.iterdir())


def test_without_wires(wait_for: WaitFor) -> None:
    fleet = run(Fleet.start(cluster(2, wires=False)))
    try:
        run(fleet.ready())
        assert fleet.links == {}
        assert routes(fleet, "n1") == {"n2"}
        with pytest.raises(LabError, match="no wires"):
            fleet.link("n1", "n2")
    finally:
        run(fleet.stop())
