import asyncio
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nats
import pytest
from nats.aio.msg import Msg

from natslab.errors import LabError, ServerError
from natslab.loop import run
from natslab.servers.fleet import Fleet
from natslab.servers.topology import single

WaitFor = Callable[..., float]


def test_monitoring_over_the_system_account(fleet: Fleet) -> None:
    assert run(fleet.ask("n1", "varz"))["server_name"] == "n1"
    assert run(fleet.ask("n1", "jsz", accounts=True))["account_details"] is not None
    for key in ("acc", "account"):
        one = run(fleet.ask("n1", "accountz", **{key: "A"}))
        assert one["account_detail"]["account_name"] == "A"
        subs = run(fleet.ask("n1", "subsz", subscriptions=True, **{key: "A"}))["subscriptions_list"]
        assert {sub["account"] for sub in subs} == {"A"}
        assert run(fleet.ask("n1", "connz", **{key: "A"}))["connections"] == []
    assert run(fleet.ask("n1", "statsz"))["connections"] == 1
    conns = run(fleet.ask("n1", "connz", auth=True))["connections"]
    assert [(c["name"], c["account"]) for c in conns] == [("natslab sys", "SYS")]
    assert run(fleet.ask("n1", "healthz"))["status"] == "ok"
    with pytest.raises(ServerError, match=r"refused jsz: .*bool"):
        run(fleet.ask("n1", "jsz", accounts=1))
    with pytest.raises(LabError, match="no server 'n2'"):
        run(fleet.ask("n2", "varz"))


def test_starting_makes_no_connections(fleet: Fleet) -> None:
    """Nobody but those who asked: the system connection is the one that asks here."""
    assert run(fleet.ask("n1", "varz"))["total_connections"] == 1


def test_the_watcher_sees_what_the_learner_may_not(fleet: Fleet) -> None:
    async def go() -> tuple[list[str], list[str]]:
        watched: list[str] = []
        seen: list[str] = []

        async def watch(msg: Msg) -> None:
            watched.append(msg.subject)

        async def see(msg: Msg) -> None:
            seen.append(msg.subject)

        watcher = await fleet.watcher()
        for subject in ("_NATSLAB.>", "A.$JS.EVENT.>", "A.$JS.ACK.>"):
            await watcher.subscribe(subject, cb=watch)
        await watcher.flush()
        await watcher.flush()  # one is no barrier
        learner = await nats.connect(**fleet.login())
        await learner.subscribe(">", cb=see)
        js = learner.jetstream()
        await js.add_stream(name="S", subjects=["s"])
        await learner.publish("hello", b"", headers={"Nats-Trace-Dest": "_NATSLAB.1.1"})
        await js.publish("s", b"x")
        sub = await js.pull_subscribe("s", "C")
        for msg in await sub.fetch(1):
            await msg.ack()
        for client in (learner, watcher):
            await client.flush()
            await client.flush()
        end = time.monotonic() + 3
        while not {"$JS.EVENT", "$JS.ACK.S", "_NATSLAB."} <= {_kind(s) for s in watched}:
            assert time.monotonic() < end, watched
            await asyncio.sleep(0.01)
        await learner.close()
        return watched, seen

    watched, seen = run(go())
    assert "_NATSLAB.1.1" in watched
    assert "hello" in seen
    assert not [subject for subject in seen if subject.startswith("_NATSLAB")]


def _kind(subject: str) -> str:
    return subject.removeprefix("A.")[:9]


def test_the_learner_may_not_subscribe_to_traces(fleet: Fleet) -> None:
    async def go() -> list[str]:
        said: list[str] = []

        async def heard(e: Exception) -> None:
            said.append(str(e))

        client = await nats.connect(**fleet.login(), error_cb=heard)
        await client.subscribe("_NATSLAB.1.>")
        await client.flush()
        await client.flush()
        await client.close()
        return said

    assert any("permissions violation" in said.lower() for said in run(go()))


def test_nobody_is_there_is_still_told(fleet: Fleet) -> None:
    """The watcher's imports do not count as interest: a request still gets "no responders"."""

    async def go() -> None:
        watcher = await fleet.watcher()
        await watcher.subscribe("_NATSLAB.>")
        await watcher.subscribe("A.$JS.ACK.>")
        await watcher.flush()
        await watcher.flush()  # one is no barrier
        client = await nats.connect(**fleet.login())
        try:
            with pytest.raises(nats.errors.NoRespondersError):
                await client.request("nobody.here", b"", timeout=2)
        finally:
            await client.close()

    run(go())


def test_connections_come_back_after_a_restart(fleet: Fleet, wait_for: WaitFor) -> None:
    got: list[str] = []

    async def watch() -> Any:
        watcher = await fleet.watcher()

        async def heard(msg: Msg) -> None:
            got.append(msg.subject)

        await watcher.subscribe("_NATSLAB.>", cb=heard)
        await fleet.system()
        return watcher

    watcher = run(watch())
    run(fleet.servers["n1"].kill())
    wait_for(lambda: not watcher.is_connected)
    run(fleet.servers["n1"].start())
    assert run(fleet.ask("n1", "varz"))["server_name"] == "n1"
    wait_for(lambda: watcher.is_connected)

    async def publish() -> None:
        client = await nats.connect(**fleet.login())
        await client.publish("_NATSLAB.9.9", b"")
        await client.close()

    run(publish())
    wait_for(lambda: "_NATSLAB.9.9" in got)
    assert run(_same(fleet)) is watcher


async def _same(fleet: Fleet) -> Any:
    return await fleet.watcher()


def test_ask_at_once_makes_one_connection(fleet: Fleet) -> None:
    async def go() -> list[Any]:
        return await asyncio.gather(*(fleet.ask("n1", "varz") for _ in range(5)))

    assert [varz["connections"] for varz in run(go())] == [1] * 5


def test_no_server_up(fleet: Fleet) -> None:
    run(fleet.servers["n1"].kill())
    with pytest.raises(ServerError, match="No server"):
        run(fleet.watcher())


def test_first_connection_to_a_frozen_server(fleet: Fleet) -> None:
    run(fleet.servers["n1"].freeze())
    with pytest.raises(ServerError, match="answers"):
        run(fleet.system())
    run(fleet.servers["n1"].thaw())
    assert run(fleet.ask("n1", "varz"))["server_name"] == "n1"


def test_stop_leaves_nothing(alive: Callable[[int], bool]) -> None:
    fleet = run(Fleet.start(single()))
    run(fleet.watcher())
    pid = fleet.servers["n1"].pid
    assert fleet.folder.is_dir()
    run(fleet.stop())
    assert not alive(pid)
    assert not fleet.folder.exists()
    run(fleet.stop())  # twice is no harm
    with pytest.raises(ServerError):
        run(fleet.watcher())


def test_a_failed_start_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    store = tmp_path / "store"
    for _ in range(2):  # the second time the lock is free
        with pytest.raises(ServerError):
            run(Fleet.start(single(mappings={"a..b": "c"}), store=store))
    assert [path.name for path in tmp_path.iterdir()] == ["store"]


def test_store_outlives_the_lab(tmp_path: Path) -> None:
    async def publish(fleet: Fleet, say: bytes | None) -> int:
        client = await nats.connect(**fleet.login())
        js = client.jetstream()
        if say is not None:
            await js.add_stream(name="S", subjects=["s"])
            await js.publish("s", say)
        messages = (await js.stream_info("S")).state.messages
        await client.close()
        return messages

    first = run(Fleet.start(single(), store=tmp_path))
    assert run(publish(first, b"x")) == 1
    run(first.stop())
    second = run(Fleet.start(single(store=tmp_path)))
    assert run(publish(second, None)) == 1
    run(second.stop())
    assert first.url() != second.url()


def test_descriptions_compare() -> None:
    assert single(mappings={"a": "b"}) == single(mappings={"a": "b"})
    assert single() != single(http=True)


def test_mappings_from_the_start() -> None:
    fleet = run(Fleet.start(single(mappings={"in": "out"})))

    async def go() -> str:
        client = await nats.connect(**fleet.login())
        sub = await client.subscribe("out")
        await client.publish("in", b"")
        subject = (await sub.next_msg(timeout=2)).subject
        await client.close()
        return subject

    try:
        assert run(go()) == "out"
    finally:
        run(fleet.stop())


def test_listening_can_end(fleet: Fleet) -> None:
    heard: list[str] = []
    stop = fleet.listen(lambda change: heard.append(change.state))
    run(fleet.servers["n1"].freeze())
    stop()
    stop()
    run(fleet.servers["n1"].thaw())
    assert heard == ["frozen"]
