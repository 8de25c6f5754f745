import asyncio
import time
from typing import Any

import nats

from natslab.loop import run
from natslab.servers.config import User
from natslab.servers.topology import cluster
from natslab.tape.event import Conn, End, Event, Hop, Pub, Snap
from tests.watching import Watched, watching


def way(w: Watched, message: str) -> list[tuple[str, ...]]:
    """The steps of a message, in few words."""
    return [
        tuple(
            x
            for x in (h.step, h.via, h.client, h.subject, h.sub, h.queue, h.to, h.stream, h.error, h.hop)
            if x
        )
        for h in w.all(Hop, id=message)
    ]


def test_who_got_a_message() -> None:
    async def go() -> None:
        async with watching(mappings={"old.*": "new.{{wildcard(1)}}"}) as w:
            a, b, c = [await w.connect(name) for name in "abc"]
            stranger = await nats.connect(**w.fleet.login(), name="stranger")
            nameless = await nats.connect(**w.fleet.login())
            await b.subscribe("new.>")
            await b.subscribe("new.>")
            await c.subscribe("new.*", queue="q")
            await stranger.subscribe("new.x")
            await nameless.subscribe("new.x")
            for client in (stranger, nameless):
                for _ in range(2):
                    await client.flush()
                    await client.flush()  # one is no barrier
            await w.hub.sync()
            await a.publish("old.x", b"")
            await a.publish("elsewhere", b"")
            assert await w.settle()
            steps = way(w, "c/1/1")
            assert steps[:2] == [
                ("in", "client", "a", "old.x"),
                ("map", "client", "old.x", "new.x"),
            ]
            assert sorted(steps[2:]) == sorted(
                [
                    ("egress", "client", "b", "new.x", "new.>"),
                    ("egress", "client", "b", "new.x", "new.>"),
                    ("egress", "client", "c", "new.x", "new.*", "q"),
                    ("egress", "client", "stranger", "new.x", "new.x"),
                    ("egress", "client", f"cid {nameless.client_id}", "new.x", "new.x"),
                ]
            )
            ends = {e.id: e for e in w.all(End, of="trace")}
            assert (ends["c/1/1"].outcome, ends["c/1/1"].count) == ("delivered", 5)
            assert (ends["c/1/2"].outcome, ends["c/1/2"].count) == ("nobody", 0)
            assert 0 <= ends["c/1/1"].took < 0.1 and ends["c/1/1"].client == "a"
            hops = w.all(Hop)
            assert {h.place for h in hops} == {"n1"} and {h.how for h in hops} == {"observed"}
            assert hops[0].account == "A" and hops[0].cid == a.client_id
            assert abs(hops[0].t - w.all(Pub)[0].t) < 0.5  # the server's clock, in tape seconds
            await stranger.close()
            await nameless.close()

    run(go())


def test_causes_come_before_effects() -> None:
    async def go() -> list[Event]:
        async with watching() as w:
            a = await w.connect("a")
            await a.subscribe("x")
            for _ in range(300):
                await a.publish("x")
                await asyncio.sleep(0.001)
            assert await w.settle()
            return w.tape.between(0, w.tape.head)

    events = run(go())
    at: dict[tuple[str, str], int] = {}
    for e in events:
        if isinstance(e, Pub | Hop | End):
            what = e.step if isinstance(e, Hop) else type(e).__name__
            at.setdefault((e.id, what), e.n)
    ids = {e.id for e in events if isinstance(e, Pub)}
    assert len(ids) == 300
    for message in ids:
        order = [at[(message, what)] for what in ("Pub", "in", "egress", "End")]
        assert order == sorted(order)


def test_the_queue_member_is_the_one_that_got_it() -> None:
    async def go() -> None:
        async with watching() as w:
            a = await w.connect("a")
            got: dict[str, list[bytes]] = {name: [] for name in ("m1", "m2", "m3")}
            for name, box in got.items():
                member = await w.connect(name)

                async def put(msg: Any, box: list[bytes] = box) -> None:
                    box.append(msg.data)

                await member.subscribe("work", queue="q", cb=put)
            await w.hub.sync()
            for i in range(60):
                await a.publish("work", b"%d" % i)
            assert await w.settle()
            chosen: dict[str, list[bytes]] = {name: [] for name in got}
            number = {p.id: p.payload for p in w.all(Pub)}
            for h in w.all(Hop, step="egress"):
                assert h.queue == "q"
                chosen[h.client].append(number[h.id])
            assert chosen == got

    run(go())


def test_a_publish_that_is_not_allowed() -> None:
    async def go() -> None:
        async with watching() as w:
            import dataclasses

            server = w.fleet.servers["n1"]
            account = server.config.account("A")
            users = tuple(
                User(u.name, u.password, publish_deny=("secret",), subscribe_deny=u.subscribe_deny)
                if u.name == "app"
                else u
                for u in account.users
            )
            await server.reload(server.config.with_account(dataclasses.replace(account, users=users)))
            a = await w.connect("a")
            deadline = time.monotonic() + 5
            while not w.all(End, outcome="refused"):  # the new permissions are in force a moment later
                assert time.monotonic() < deadline
                await a.publish("secret", b"")
                assert await w.settle()
            assert w.all(End)[-1].count == 0
            assert "ermission" in w.all(Hop)[-1].error
            assert any("secret" in c.why for c in w.all(Conn, client="a", state="open"))

    run(go())


def test_a_stream_gets_no_traced_message() -> None:
    """Stored messages would keep the header for ever; the monitor says what a stream captures."""

    async def go() -> None:
        async with watching(mappings={"in.*": "s.{{wildcard(1)}}"}) as w:
            a = await w.connect("a")
            await a.jetstream().add_stream(name="S", subjects=["s.>"])
            deadline = time.monotonic() + 5
            while not any(s.data["streams"] for s in w.all(Snap, what="jsz")):
                assert time.monotonic() < deadline
                await asyncio.sleep(0.005)
            await a.publish("s.1", b"")
            await a.publish("in.2", b"")
            await a.publish("t.1", b"")
            assert await w.settle()
            assert [(p.subject, p.traced) for p in w.all(Pub) if not p.subject.startswith("$")] == [
                ("s.1", False),
                ("in.2", False),
                ("t.1", True),
            ]
            for seq in (1, 2):
                assert (await a.jetstream().get_msg("S", seq)).headers is None
            # Before the monitor knew, one could be traced: the store is a step of its way.
            w.hub.traceable = lambda subject: True
            await a.publish("s.3", b"")
            assert await w.settle()
            (stored,) = w.all(Hop, step="store")
            assert (stored.stream, stored.subject, stored.via) == ("S", "s.3", "client")
            assert [(e.outcome, e.count) for e in w.all(End)][-1] == ("delivered", 0)
            # It keeps the header, as "trace disabled" (ADR-41); a subscriber does not see it.
            assert (await a.jetstream().get_msg("S", 3)).headers == {"Nats-Trace-Dest": "trace disabled"}
            sub = await a.jetstream().pull_subscribe("s.3", "C")
            assert [m.headers for m in await sub.fetch(1, timeout=5)] == [None]

    run(go())


def test_no_end_is_invented() -> None:
    async def go() -> None:
        async with watching() as w:
            a = await w.connect("a")
            await w.fleet.servers["n1"].freeze()
            await a.publish("x")
            await a._flush_pending()
            began = time.monotonic()
            assert await w.traces.settled(5) is False
            assert 0.5 < time.monotonic() - began < 3  # patience is one second, not five
            assert len(w.all(Pub)) == 1 and w.all(Hop) == w.all(End) == []
            await w.fleet.servers["n1"].thaw()
            deadline = time.monotonic() + 5
            while not w.all(End):  # it does arrive, late, and then it is a fact
                assert time.monotonic() < deadline
                await asyncio.sleep(0.01)
            assert await w.traces.settled() is True

    run(go())


def test_foreign_text_on_the_trace_subject_is_ignored() -> None:
    async def go() -> None:
        async with watching() as w:
            a = await w.connect("a")
            for junk in (
                b"",
                b"{",
                b"[]",
                b'{"server":{}}',
                b'{"server":{"name":1},"request":{},"events":[]}',
            ):
                await a.publish("_NATSLAB.1.99", junk)
            await a.publish("x")
            await w.settle()
            assert {h.id for h in w.all(Hop)} <= {f"c/1/{n}" for n in range(1, 7)}
            assert [e.id for e in w.all(End)][-1] == "c/1/6"

    run(go())


# --- two servers ----------------------------------------------------------------------------------


def test_a_way_over_two_servers() -> None:
    """Each server reports its part, and each report is told once although every server's watcher hears it."""

    async def go() -> None:
        async with watching(topology=cluster(2)) as w:
            a, b, c = await w.connect("a", "n1"), await w.connect("b", "n2"), await w.connect("c", "n1")
            got: list[bytes] = []

            async def put(msg: Any) -> None:
                got.append(msg.data)
                assert msg.headers is None

            await b.subscribe("x.*", cb=put)
            await c.subscribe("x.>", cb=put)
            deadline = time.monotonic() + 10
            while len(got) < 2:  # until the interest has reached n1
                assert time.monotonic() < deadline
                got.clear()
                await a.publish("x.probe", b"probe")
                await w.hub.sync()
                await asyncio.sleep(0.01)
            for i in range(20):
                await a.publish(f"x.{i}", b"1")
            assert await w.settle()
            for pub in w.all(Pub)[-20:]:
                hops = w.all(Hop, id=pub.id)
                first = [h for h in hops if h.place == "n1"]
                second = [h for h in hops if h.place == "n2"]
                assert hops == first + second  # the cause before the effect, whichever came first
                assert [(h.step, h.via, h.client) for h in first if h.step == "in"] == [("in", "client", "a")]
                (link,) = [h for h in first if h.via == "route"]
                assert (link.step, link.client, link.hop) == ("egress", "n2", "1")
                assert ("egress", "client", "c") in [(h.step, h.via, h.client) for h in first]
                assert [(h.step, h.via, h.client, h.hop) for h in second] == [
                    ("in", "route", "n1", "1"),
                    ("egress", "client", "b", ""),
                ]
                (end,) = w.all(End, id=pub.id)
                assert (end.outcome, end.count, end.client) == ("delivered", 2, "a")

    run(go())


def test_a_part_that_comes_late() -> None:
    """Over a wire that is delayed, and one that is held until after the rest was told."""

    async def go() -> None:
        async with watching(topology=cluster(2)) as w:
            a, b = await w.connect("a", "n1"), await w.connect("b", "n2")
            await b.subscribe("x")
            end = time.monotonic() + 10
            while not w.all(Hop, place="n2"):  # until the interest has reached n1
                assert time.monotonic() < end
                await a.publish("x")
                await w.settle()

            async def way(seconds: float) -> list[str]:
                await asyncio.sleep(seconds)
                await a.publish("nobody")  # what came by then is looked at
                await w.settle()
                w.clients.flush()
                id = [p.id for p in w.all(Pub) if p.subject == "x"][-1]
                return [h.place for h in w.all(Hop, id=id)] + [e.outcome for e in w.all(End, id=id)]

            wire = w.fleet.link("n1", "n2")
            await wire.delay_by(1.2)
            await a.publish("x")
            assert await way(2.0) == ["n1", "n1", "n2", "n2", "delivered"]
            await wire.heal()
            await wire.hold()
            await a.publish("x")
            assert await way(1.2) == ["n1", "n1"]
            await wire.heal()
            assert await way(0.3) == ["n1", "n1", "n2", "n2", "delivered"]

    run(go())
