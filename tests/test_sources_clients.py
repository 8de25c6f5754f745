import asyncio

import nats.errors
import pytest
from nats.aio.msg import Msg
from nats.js.errors import NoStreamResponseError

from natslab.loop import run
from natslab.sources.clients import Clients
from natslab.tape.event import Conn, Drop, End, Event, Many, Pub, Recv, Server, Sub
from tests.watching import watching


def test_a_request_on_the_tape() -> None:
    async def go() -> list[Event]:
        async with watching() as w:
            a, b = await w.connect("a"), await w.connect("b")

            async def answer(msg) -> None:  # type: ignore[no-untyped-def]
                await msg.respond(b"yes")

            sub = await b.subscribe("q.*", queue="g", cb=answer)
            await sub.unsubscribe(limit=1)
            await w.hub.sync()
            await a.request("q.1", b"?" * 300, timeout=3, headers={"K": "v"})
            await w.settle()
            ends = w.all(End, of="request")
            assert [(e.id, e.client, e.outcome, e.count) for e in ends] == [("c/1/1", "a", "answered", 1)]
            assert 0 < ends[0].took < 3
            asked, given = w.all(Pub)
            assert (asked.size, asked.payload, asked.headers, asked.timeout) == (
                300,
                b"?" * 256,
                [("K", "v")],
                3.0,
            )
            assert asked.traced and not asked.dry and given.subject == asked.reply
            got, back = w.all(Recv)
            assert (got.id, got.client, got.pattern, got.queue, got.reply) == (
                asked.id,
                "b",
                "q.*",
                "g",
                asked.reply,
            )
            assert (back.id, back.client, back.size) == (given.id, "a", 3)
            assert [(s.state, s.limit) for s in w.all(Sub, client="b")] == [
                ("open", 0),
                ("open", 1),
                ("closed", 1),
            ]
            opened = w.all(Conn, client="a")[0]
            assert (opened.no, opened.account, opened.state) == (1, "A", "open") and opened.cid > 0
            return w.tape.between(0, w.tape.head)

    events = run(go())
    mine = [e for e in events if e.source == "clients"]
    assert {e.place for e in mine} == {"n1"} and {e.how for e in mine} == {"observed"}
    assert all(0 <= e.t < 60 for e in events)
    assert [e.t for e in mine] == sorted(e.t for e in mine)
    assert [e.n for e in events] == list(range(1, len(events) + 1))


def test_the_tape_follows_by_itself_and_at_once_on_flush() -> None:
    async def go() -> None:
        async with watching() as w:
            a = await w.connect("a")
            await a.publish("x")
            w.clients.flush()
            assert len(w.all(Pub)) == 1  # no waiting
            await a.publish("x")
            began = asyncio.get_running_loop().time()
            while len(w.all(Pub)) < 2:
                assert asyncio.get_running_loop().time() - began < 1
                await asyncio.sleep(0.005)

    run(go())


def test_a_fast_publisher_on_the_tape() -> None:
    async def go() -> None:
        async with watching() as w:
            a, b = await w.connect("a"), await w.connect("b")
            await b.subscribe("x.*", queue="g")
            await w.hub.sync()
            for i in range(30_000):
                await a.publish(f"x.{i % 2}", b"." * 10)
            await a.publish_many("x.many", b"." * 10, 30_000)
            await w.settle()
            await w.settle()
            assert w.passed("pub", "a") == w.passed("recv", "b") == 60_000
            sent, got = w.all(Many, way="pub"), w.all(Many, way="recv")
            assert {m.subject for m in sent} == {"x.0", "x.1", "x.many"}
            assert {(m.subject, m.sid, m.queue, m.client) for m in got} == {("x.*", 1, "g", "b")}
            assert sum(m.bytes for m in sent) == 10 * sum(m.count for m in sent)
            assert all(m.since <= m.t and m.first for m in sent + got)
            # The ones that came singly were traced and arrived with their identity.
            assert {p.id for p in w.all(Pub) if p.traced} >= {r.id for r in w.all(Recv)} - {""}
            connz = (await w.fleet.ask("n1", "connz", account="A"))["connections"]
            assert [c["in_msgs"] for c in connz if c["name"] == "a"] == [60_000]
            assert [c["out_msgs"] for c in connz if c["name"] == "b"] == [60_000]

    run(go())


def test_what_a_slow_handler_drops() -> None:
    async def go() -> None:
        async with watching() as w:
            a, b = await w.connect("a"), await w.connect("b")
            gate = asyncio.Event()

            async def slow(msg) -> None:  # type: ignore[no-untyped-def]
                await gate.wait()

            await b.subscribe("x", cb=slow, pending_msgs_limit=5)
            await w.hub.sync()
            for _ in range(50):
                await a.publish("x")
            await w.settle()
            drops = w.all(Drop, client="b")
            assert 44 <= sum(d.count for d in drops) <= 45
            assert "slow consumer" in drops[0].why and "x" in drops[0].why
            gate.set()

    run(go())


def test_losing_and_finding_the_server_again() -> None:
    async def go() -> None:
        async with watching() as w:
            a = await w.connect("a")
            server = w.fleet.servers["n1"]
            await server.kill()
            await server.start()
            await w.hub.reconnected(5)
            assert a.is_connected
            await a.close()
            w.clients.flush()
            states = [(c.state, c.place) for c in w.all(Conn, client="a")]
            assert states == [("open", "n1"), ("lost", "n1"), ("open", "n1"), ("closed", "n1")]
            known = [s.state for s in w.all(Server, name="n1")]
            assert known[0] == "up" and known[-1] == "up" and "down" in known
            down = next(s for s in w.all(Server) if s.state == "down")
            assert down.source == "servers" and down.version and 0 < down.t < 30

    run(go())


def test_stopped_sources_append_nothing_and_lose_nothing() -> None:
    async def go() -> None:
        async with watching(sources=False) as w:
            source = Clients(w.fleet, w.hub, w.tape)
            await source.start()
            a = await w.connect("a")
            await a.publish("x")
            await source.stop()
            assert len(w.all(Pub)) == 1  # what was reported before the end
            head = w.tape.head
            await a.publish("x")
            w.hub.flush()
            assert w.tape.head == head
            await source.start()
            await source.stop()
            assert len(w.all(Pub)) == 2

    run(go())


@pytest.mark.parametrize("flag", ["true", "1"])
def test_a_dry_run(flag: str) -> None:
    async def go() -> None:
        async with watching() as w:
            a, b = await w.connect("a"), await w.connect("b")
            await b.subscribe("x")
            await w.hub.sync()
            await a.publish("x", headers={"Nats-Trace-Only": flag})
            await w.settle()
            assert [p.dry for p in w.all(Pub)] == [True]
            assert w.all(Recv) == []
            assert [(e.outcome, e.count) for e in w.all(End)] == [("delivered", 1)]

    run(go())


def test_an_answer_that_says_it_failed() -> None:
    async def go() -> None:
        async with watching() as w:
            a, b = await w.connect("a"), await w.connect("b")

            async def fail(msg: Msg) -> None:
                headers = {"Nats-Service-Error": "no price", "Nats-Service-Error-Code": "404"}
                await msg._client.publish(msg.reply, b"", headers=headers)

            await b.subscribe("price", cb=fail)
            await w.hub.sync()
            await a.request("price", timeout=5)
            await a.gather("price", replies=1, timeout=5)
            await w.settle()
            told = [(e.outcome, e.count, e.error) for e in w.all(End, of="request")]
            assert told == [("error", 1, "404 no price")] * 2

    run(go())


def test_a_publish_that_no_stream_answers() -> None:
    """What a stream says is told as Store; that none said anything is told as the end of a request."""

    async def go() -> None:
        async with watching() as w:
            a, b = await w.connect("a"), await w.connect("b")

            async def silent(msg: Msg) -> None:
                pass

            await b.subscribe("deaf", cb=silent)
            await w.hub.sync()
            with pytest.raises(NoStreamResponseError):
                await a.jetstream().publish("nobody", b"x")
            with pytest.raises(nats.errors.TimeoutError):
                await a.jetstream().publish("deaf", b"x", timeout=0.1)
            await a.jetstream().add_stream(name="S", subjects=["s"])
            await a.jetstream().publish("s", b"x")
            await w.settle()
            published = {p.id: p.subject for p in w.all(Pub) if p.subject in ("nobody", "deaf", "s")}
            ends = [(published[e.id], e.outcome) for e in w.all(End, of="request") if e.id in published]
            assert ("deaf", "timeout") in ends
            assert ("nobody", "no responders") in ends
            assert not [subject for subject, _ in ends if subject == "s"]

    run(go())
