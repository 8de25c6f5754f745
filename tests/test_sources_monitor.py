import asyncio
import time
from collections.abc import Callable
from typing import Any

import nats
import pytest

from natslab.loop import run
from natslab.tape.event import Conn, Server, Snap, Sub
from tests.watching import Watched, watching


async def until(condition: Callable[[], object], timeout: float = 5.0) -> None:
    end = time.monotonic() + timeout
    while not condition():
        assert time.monotonic() < end, f"not within {timeout} s"
        await asyncio.sleep(0.005)


def newest(w: Watched, what: str) -> dict[str, Any]:
    return w.all(Snap, what=what)[-1].data


def test_a_strangers_life() -> None:
    async def go() -> None:
        async with watching() as w:
            own = await w.connect("app")
            await own.subscribe("mine")
            stranger = await nats.connect(**w.fleet.login(), name="app")
            sub = await stranger.subscribe("x.*", queue="q")
            await stranger.flush()
            await stranger.flush()  # one is no barrier
            await until(lambda: w.all(Sub, source="monitor"))  # at once, not at the next poll
            (conn,) = w.all(Conn, source="monitor")
            assert (conn.client, conn.no, conn.cid, conn.account, conn.place, conn.state) == (
                "app#2",
                0,
                stranger.client_id,
                "A",
                "n1",
                "open",
            )
            (opened,) = w.all(Sub, source="monitor")
            assert (opened.client, opened.sid, opened.subject, opened.queue) == ("app#2", 1, "x.*", "q")
            await sub.unsubscribe()
            await stranger.subscribe("y", max_msgs=0)
            await stranger.flush()
            await stranger.flush()
            await w.monitor.poll()
            assert [(s.sid, s.subject, s.state) for s in w.all(Sub, source="monitor")] == [
                (1, "x.*", "open"),
                (1, "x.*", "closed"),
                (2, "y", "open"),
            ]
            await stranger.close()
            await until(lambda: w.all(Conn, source="monitor", state="closed"))
            (closed,) = w.all(Conn, source="monitor", state="closed")
            assert (closed.client, closed.how, closed.why) == ("app#2", "observed", "Client Closed")
            assert {c.client for c in w.all(Conn, source="clients")} == {"app"}
            # The name is free again.
            assert (await w.connect("app")).label == "app#2"

    run(go())


def test_own_clients_are_never_taken_for_strangers() -> None:
    """Clients come and go while the monitor polls as fast as it can."""

    async def go() -> None:
        async with watching() as w:
            over = asyncio.Event()

            async def poll() -> None:
                while not over.is_set():
                    await w.monitor.poll()

            polling = asyncio.create_task(poll())
            for _ in range(60):
                client = await w.connect("c")
                await client.subscribe("x")
                await client.close()
            over.set()
            await polling
            assert w.all(Conn, source="monitor") == w.all(Sub, source="monitor") == []
            assert len(w.all(Conn, source="clients", state="open")) == 60

    run(go())


def test_the_servers_own_counts() -> None:
    async def go() -> None:
        async with watching() as w:
            a, b = await w.connect("a"), await w.connect("b")
            await b.subscribe("x.*", queue="q")
            await b.subscribe("x.1")
            await w.hub.sync()
            for _ in range(20):
                await a.publish("x.1", b"12345")
            await a.publish_many("x.2", b"12345", 5_000)
            await w.hub.sync()
            await w.monitor.poll()
            rows = {c["client"]: c for c in newest(w, "connz")["connections"]}
            assert set(rows) == {"a", "b"}
            assert rows["a"]["in_msgs"] == 5_020 == w.passed("pub", "a")
            assert rows["b"]["subscriptions"] == [
                {"subject": "x.*", "qgroup": "q", "sid": "1", "msgs": 5_020},
                {"subject": "x.1", "sid": "2", "msgs": 20},
            ]
            assert rows["b"]["out_msgs"] == 5_040 == w.passed("recv", "b")

    run(go())


def test_mappings_and_streams() -> None:
    async def go() -> None:
        async with watching(mappings={"old.*": "new.{{wildcard(1)}}"}) as w:
            assert newest(w, "accountz") == {
                "account_name": "A",
                "mappings": {"old.*": [{"subject": "new.{{wildcard(1)}}", "weight": 100}]},
            }
            assert newest(w, "jsz") == {"streams": []}
            js = (await w.connect("a")).jetstream()
            await js.add_stream(name="S", subjects=["s.>"])
            await js.publish("s.1", b"x")
            await until(lambda: newest(w, "jsz")["streams"])  # told by the advisory
            await w.monitor.poll()
            (stream,) = newest(w, "jsz")["streams"]
            assert stream["name"] == "S" and stream["subjects"] == ["s.>"]
            assert (stream["messages"], stream["last_seq"], stream["consumer_count"]) == (1, 1, 0)
            assert w.hub.traceable("t") and not w.hub.traceable("s.1") and not w.hub.traceable("$JS.API.INFO")
            await js.delete_stream("S")
            await until(lambda: not newest(w, "jsz")["streams"])
            assert w.hub.traceable("s.1")

    run(go())


def test_nothing_new_appends_nothing() -> None:
    async def go() -> None:
        async with watching() as w:
            a = await w.connect("a")
            for i in range(30):
                await a.subscribe(f"x.{i}")
            stranger = await nats.connect(**w.fleet.login(), name="s")
            for i in range(30):
                await stranger.subscribe(f"x.{i}")
            await stranger.flush()
            await stranger.flush()
            await w.hub.sync()
            await w.monitor.poll()
            await asyncio.sleep(0.1)  # a wake-up that was on its way
            await w.monitor.poll()
            head = w.tape.head
            for _ in range(20):
                await w.monitor.poll()
            assert w.tape.head == head
            assert newest(w, "varz")["max_payload"] == 1024 * 1024
            await stranger.close()

    run(go())


def test_a_server_that_is_down_or_frozen_is_survived(capfd: pytest.CaptureFixture[str]) -> None:
    async def go() -> None:
        async with watching() as w:
            stranger = await nats.connect(**w.fleet.login(), name="s", error_cb=_quiet, allow_reconnect=False)
            await stranger.flush()
            await stranger.flush()  # one is no barrier
            await w.monitor.poll()
            server = w.fleet.servers["n1"]
            await server.freeze()
            await w.monitor.poll()  # one that had begun before may still wait for its answers
            began = time.monotonic()
            await w.monitor.poll()
            assert time.monotonic() - began < 0.5
            assert w.all(Conn, source="monitor", state="closed") == []  # nobody knows
            await server.thaw()
            await w.monitor.poll()
            await server.kill()
            await w.monitor.poll()
            (closed,) = w.all(Conn, source="monitor", state="closed")
            assert (closed.client, closed.how, closed.why) == ("s", "inferred", "server n1 is down")
            await server.start()
            assert [s.state for s in w.all(Server)][-1] == "up"
            # Connection ids begin anew: the first stranger is a new one.
            again = await nats.connect(**w.fleet.login(), name="t")
            await again.flush()
            await again.flush()  # one is no barrier
            began = time.monotonic()
            while not w.all(Conn, source="monitor", client="t"):
                assert time.monotonic() - began < 10
                await w.monitor.poll()
                await asyncio.sleep(0.01)
            await again.close()

    run(go())
    assert capfd.readouterr() == ("", "")


async def _quiet(_: Exception) -> None:
    pass


def test_an_open_view_makes_it_quicker() -> None:
    async def go() -> None:
        async with watching() as w:
            a = await w.connect("a")
            await a.subscribe("x")
            await w.hub.sync()

            async def snaps(seconds: float) -> int:
                seen = len(w.all(Snap, what="connz"))
                end = time.monotonic() + seconds
                while time.monotonic() < end:
                    await a.publish("x")
                    await asyncio.sleep(0.02)
                return len(w.all(Snap, what="connz")) - seen

            slow = await snaps(2.2)
            w.monitor.watch(1)
            assert w.monitor.watching == 1
            quick = await snaps(2.2)
            w.monitor.watch(-1)
            assert slow <= 4 < 6 <= quick <= 10

    run(go())


def test_a_huge_number_of_subscriptions_is_cut() -> None:
    async def go() -> None:
        async with watching() as w:
            a = await w.connect("a")
            for i in range(1_200):
                await a.subscribe(f"x.{i}")
            await w.hub.sync()
            await w.monitor.poll()
            data = newest(w, "connz")
            assert data["left_out"] == 200
            assert len(data["connections"][0]["subscriptions"]) == 1_000

    run(go())
