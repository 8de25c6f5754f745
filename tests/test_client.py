import asyncio
import contextlib
import itertools
import threading
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Any, TypeVar

import nats
import nats.errors
import pytest
from nats.aio.msg import Msg

from natslab.errors import ClientError, CommandError, NoResponders, Timeout
from natslab.loop import run
from natslab.servers import client as clients
from natslab.servers import report
from natslab.servers.client import Client, TooLarge, untraced
from natslab.servers.config import User
from natslab.servers.fleet import Fleet
from natslab.servers.hub import Hub
from natslab.servers.meter import Stores
from natslab.servers.topology import single

R = TypeVar("R", bound=report.Base)


class Lab:
    """A server and a hub, nobody watching: what was reported is here."""

    def __init__(self, fleet: Fleet) -> None:
        self.fleet = fleet
        self.hub = Hub()
        self.hub.trust(fleet.login(), "A")
        self.said: list[report.Report] = []

    async def connect(self, name: str, **options: Any) -> Client:
        return await self.hub.connect(name, self.fleet.login(), **options)

    def drain(self) -> list[report.Report]:
        self.said += self.hub.drain_reports()
        return self.said

    def all(self, kind: type[R], **fields: object) -> list[R]:
        def fits(r: report.Report) -> bool:
            return isinstance(r, kind) and all(getattr(r, k) == v for k, v in fields.items())

        return [r for r in self.drain() if fits(r)]  # type: ignore[misc]

    def passed(self, way: str, client: str, size: bool = False) -> int:
        """Messages, or bytes, that were reported: singly and in bulk."""
        single_ = self.all(report.Published if way == "pub" else report.Delivered, client=client)
        bulk = self.all(report.Bulk, way=way, client=client)
        if size:
            return sum(r.size for r in single_) + sum(b.bytes for b in bulk)
        return len(single_) + sum(b.count for b in bulk)


@contextlib.asynccontextmanager
async def lab(**options: Any) -> AsyncIterator[Lab]:
    fleet = await Fleet.start(single(**options))
    it = Lab(fleet)
    try:
        yield it
    finally:
        await it.hub.close()
        await fleet.stop()


async def until(condition: Callable[[], object], timeout: float = 5.0) -> None:
    end = time.monotonic() + timeout
    while not condition():
        assert time.monotonic() < end, f"not within {timeout} s"
        await asyncio.sleep(0.005)


def box() -> tuple[list[Msg], Callable[[Msg], Coroutine[Any, Any, None]]]:
    got: list[Msg] = []

    async def put(msg: Msg) -> None:
        got.append(msg)

    return got, put


def in_lab(test: Callable[[Lab], Coroutine[Any, Any, None]], **options: Any) -> None:
    async def go() -> None:
        async with lab(**options) as it:
            await test(it)

    run(go(), timeout=60)


# --- what is reported ---------------------------------------------------------------------------


def test_a_life_in_order() -> None:
    async def life(it: Lab) -> None:
        a = await it.connect("a")
        got, put = box()
        sub = await a.subscribe("x.*", queue="q", cb=put)
        await a.publish("x.1", b"hello", headers={"k": "v"})
        await until(lambda: got)
        await sub.unsubscribe()
        await a.close()
        said = it.drain()
        assert [type(r).__name__ for r in said] == [
            "Connection",
            "Subscription",
            "Published",
            "Delivered",
            "Subscription",
            "Connection",
        ]
        opened, _, pub, recv, unsub, closed = said
        assert isinstance(opened, report.Connection) and isinstance(closed, report.Connection)
        assert isinstance(pub, report.Published) and isinstance(recv, report.Delivered)
        assert isinstance(unsub, report.Subscription)
        assert (opened.no, opened.server, opened.account, opened.state) == (1, "n1", "A", "open")
        assert opened.cid > 0 and closed.state == "closed" and closed.why == ""
        assert (pub.subject, pub.size, pub.payload, pub.headers) == ("x.1", 5, b"hello", (("k", "v"),))
        assert pub.traced and pub.id == "c/1/1" == recv.id
        assert (recv.subject, recv.pattern, recv.queue, recv.sid) == ("x.1", "x.*", "q", 1)
        assert unsub.state == "closed"
        assert [r.at for r in said] == sorted(r.at for r in said)
        with pytest.raises(AttributeError):
            pub.subject = "y"  # type: ignore[misc]

    in_lab(life)


def test_nobody_sees_the_trace_header() -> None:
    async def go(it: Lab) -> None:
        a, b = await it.connect("a"), await it.connect("b")
        got, put = box()
        await b.subscribe("x.>", cb=put)
        await b.sync()
        await a.publish("x.1", b"1")
        await a.publish("x.2", b"2", headers={"K": "v"})
        await a.publish("x.3", b"3", headers={})
        await a.publish("x.4", b"4", headers={"Nats-Trace-Dest": "mine", "K": "v"})
        await until(lambda: len(got) == 4)
        assert [m.headers for m in got] == [None, {"K": "v"}, None, {"Nats-Trace-Dest": "mine", "K": "v"}]
        assert [r.id for r in it.all(report.Delivered)] == ["c/1/1", "c/1/2", "c/1/3", ""]
        assert [r.traced for r in it.all(report.Published)] == [True, True, True, False]

    in_lab(go)


def test_the_switch_and_what_is_never_traced() -> None:
    async def go(it: Lab) -> None:
        a = await it.connect("a")
        wire = await nats.connect(**it.fleet.login())
        raw, put = box()
        await wire.subscribe("*.*", cb=put)
        for _ in range(2):
            await wire.flush()
            await wire.flush()  # one is no barrier

        async def headers(**options: Any) -> Any:
            raw.clear()
            await a.publish("x.y", b"1", **options)
            await until(lambda: raw)
            return raw[0].headers

        assert await headers() == {"Nats-Trace-Dest": "_NATSLAB.1.1"}
        with untraced():
            assert await headers() is None
        it.hub.traceable = lambda subject: not subject.startswith("x.")
        assert await headers() is None
        it.hub.traceable = lambda subject: True
        it.hub.trace = False
        assert await headers() is None
        assert await headers(headers={"K": "v"}) == {"K": "v"}
        # A login that is not the lab's may lack the right to publish on _NATSLAB.>
        other = await it.hub.connect("other", it.fleet.login("watcher"))
        it.hub.trace = True
        await other.publish("x.y")
        assert it.all(report.Published, client="other")[0].traced is False
        await wire.close()

    in_lab(go)


def test_jetstream_stores_no_trace_header() -> None:
    async def go(it: Lab) -> None:
        a = await it.connect("a")
        js = a.jetstream()
        await js.add_stream(name="S", subjects=["s.>"])
        await js.publish("s.1", b"one")
        await (await js.publish_async("s.2", b"two"))
        kv = await js.create_key_value(bucket="B")
        await kv.put("k", b"v")
        for seq in (1, 2):
            assert (await js.get_msg("S", seq)).headers is None
        bare = await nats.connect(**it.fleet.login())
        await bare.jetstream().publish("s.1", b"one")
        await bare.close()
        first, _, third = [await it.fleet.ask("n1", "jsz", accounts=True, streams=True) for _ in range(3)]
        assert first == first and third
        assert not any(r.traced for r in it.all(report.Published) if not r.subject.startswith("_INBOX"))

    in_lab(go)


def test_what_is_held_says_so_and_who_acked_is_known() -> None:
    async def go(it: Lab) -> None:
        a = await it.connect("a")
        js = a.jetstream()
        await js.add_stream(name="S", subjects=["s.>"])
        await js.add_consumer("S", durable_name="C", ack_policy="explicit")
        for _ in range(3):
            await a.store("s.1", b"x", {"Nats-Msg-Id": "1", "Other": "y"} if _ < 2 else None)
        sub = await js.pull_subscribe_bind("C", stream="S")
        (first,) = await sub.fetch(1)
        a.holds = True
        (second,) = await sub.fetch(1)
        await first.ack()
        await second.nak()
        assert it.hub.ackers == {first.reply: "a", second.reply: "a"}
        told = it.all(report.Delivered, client="a")
        assert [(d.subject, d.held) for d in told] == [("s.1", False), ("s.1", True)]
        stored = it.all(report.Stored)
        assert [(s.seq, s.duplicate, s.headers) for s in stored] == [
            (1, False, (("Nats-Msg-Id", "1"),)),
            (1, True, (("Nats-Msg-Id", "1"),)),
            (2, False, ()),
        ]
        published = it.all(report.Published)
        assert [p.id for p in published] == [s.id for s in stored]
        assert not it.all(report.Outcome)

    in_lab(go)


def test_not_every_ack_is_remembered() -> None:
    hub = Hub()
    for i in range(50_000):
        hub.acked(f"$JS.ACK.S.C.1.{i}.{i}.0.0", "a")
    assert len(hub.ackers) <= 20_000
    assert "$JS.ACK.S.C.1.49999.49999.0.0" in hub.ackers


def test_runs_of_stored_messages_are_exact() -> None:
    stores = Stores("a")
    for seq in (1, 2, 3, 7, 8, 20):
        stores.add("S", "s.1", seq, 10)
    stores.add("T", "t.1", 1, 5)
    stores.add("S", "s.2", 21, 1)
    stores.other("S", 10077, "full")
    stores.other("S", 10077, "full")
    stores.other("S", 0, "")
    told = stores.collect(time.time(), force=True)
    assert [(s.stream, s.subject, s.seq, s.count, s.size, s.code, s.duplicate) for s in told] == [
        ("S", "s.1", 3, 3, 30, 0, False),
        ("S", "s.1", 8, 2, 20, 0, False),
        ("S", "", 21, 2, 11, 0, False),
        ("T", "t.1", 1, 1, 5, 0, False),
        ("S", "", 0, 2, 0, 10077, False),
        ("S", "", 0, 1, 0, 0, True),
    ]
    assert stores.collect(time.time(), force=True) == []
    stores.add("S", "s.2", 22, 1)
    assert [(s.seq, s.count) for s in stores.collect(time.time(), force=True)] == [(22, 1)]
    for seq in range(100, 10_000, 2):
        stores.add("S", "s.2", seq, 1)
    many = stores.collect(time.time(), force=True)
    assert len(many) < 150 and sum(s.count for s in many) == 4950 and max(s.seq for s in many) == 9998


# --- requests -----------------------------------------------------------------------------------


@pytest.mark.parametrize("old_style", [False, True])
def test_how_requests_end(old_style: bool) -> None:
    async def go(it: Lab) -> None:
        a, b = await it.connect("a"), await it.connect("b")
        late = asyncio.Event()

        async def answer(msg: Msg) -> None:
            await msg.respond(b"yes")

        async def answer_late(msg: Msg) -> None:
            await late.wait()
            await msg.respond(b"late")

        await b.subscribe("quick", cb=answer)
        await b.subscribe("slow", cb=answer_late)
        await b.sync()
        reply = await a.request("quick", b"?", timeout=2, old_style=old_style)
        assert reply.data == b"yes" and reply.headers is None
        began = time.monotonic()
        with pytest.raises(nats.errors.NoRespondersError):
            await a.request("nobody", timeout=5, old_style=old_style)
        assert time.monotonic() - began < 1
        with pytest.raises(nats.errors.TimeoutError):
            await a.request("slow", timeout=0.1, old_style=old_style)
        late.set()
        await it.hub.sync()
        asked = it.all(report.Published, client="a")
        assert [p.timeout for p in asked] == [2, 5, 0.1]
        ends = it.all(report.Outcome)
        assert [(e.id, e.outcome, e.count) for e in ends] == [
            (asked[0].id, "answered", 1),
            (asked[1].id, "no responders", 0),
            (asked[2].id, "timeout", 0),
        ]
        assert ends[2].took >= 0.1 > ends[0].took
        given = it.all(report.Published, client="b")
        assert [g.subject for g in given] == [asked[0].reply, asked[2].reply]
        assert [r.status for r in it.all(report.Delivered, client="a") if r.subject == asked[1].reply] == [
            "503"
        ]
        answers = it.all(report.Delivered, client="a", subject=asked[0].reply)
        assert [r.id for r in answers] == [given[0].id]
        # A late reply reaches the shared inbox of new requests only; it is told as a delivery.
        after = it.all(report.Delivered, client="a", subject=asked[2].reply)
        assert len(after) == (0 if old_style else 1)
        if after:
            assert it.said.index(after[0]) > it.said.index(ends[2])

    in_lab(go)


def test_gathering_answers() -> None:
    async def go(it: Lab) -> None:
        a = await it.connect("a")
        for name in "bcd":
            b = await it.connect(name)

            async def answer(msg: Msg, name: str = name) -> None:
                await msg.respond(name.encode())

            await b.subscribe("who", cb=answer)
        await it.hub.sync()
        assert len(await a.gather("who", b"?", replies=2, timeout=5)) == 2
        began = time.monotonic()
        everybody = await a.gather("who", headers={"K": "v"}, timeout=5, stall=0.2)
        assert {m.data for m in everybody} == {b"b", b"c", b"d"}
        assert time.monotonic() - began < 2
        assert len(await a.gather("who", replies=5, timeout=0.2)) == 3
        with pytest.raises(NoResponders, match="Nobody subscribes to none"):
            await a.gather("none", timeout=5)
        await a.subscribe("mute")
        assert await a.gather("mute", timeout=0.1) == []
        assert [(e.outcome, e.count) for e in it.all(report.Outcome)] == [
            ("answered", 2),
            ("answered", 3),
            ("timeout", 3),
            ("no responders", 0),
            ("timeout", 0),
        ]
        assert [p.timeout for p in it.all(report.Published, client="a")] == [5, 5, 0.2, 5, 0.1]
        open_ = {s.sid for s in it.all(report.Subscription, client="a", state="open")}
        assert open_ - {s.sid for s in it.all(report.Subscription, client="a", state="closed")} == {5}

    in_lab(go)


# --- names, limits, errors ----------------------------------------------------------------------


def test_labels_and_numbers() -> None:
    async def go(it: Lab) -> None:
        a, a2, a3 = [await it.connect("a") for _ in range(3)]
        assert [c.label for c in (a, a2, a3)] == ["a", "a#2", "a#3"]
        assert [c.no for c in (a, a2, a3)] == [1, 2, 3]
        assert set(it.hub.clients) == {"a", "a#2", "a#3"}
        await a2.close()
        assert set(it.hub.clients) == {"a", "a#3"}
        again = await it.connect("a")
        assert (again.label, again.no) == ("a#2", 4)
        names = [c["name"] for c in (await it.fleet.ask("n1", "connz", account="A"))["connections"]]
        assert names == ["a", "a", "a"]

    in_lab(go)


def test_the_end_of_a_limited_subscription() -> None:
    async def go(it: Lab) -> None:
        a = await it.connect("a")
        got, put = box()
        sub = await a.subscribe("x", cb=put)
        await sub.unsubscribe(limit=3)
        for _ in range(5):
            await a.publish("x")
        await a.sync()
        assert len(got) == 3
        kinds = [(r.state, r.limit) for r in it.all(report.Subscription)]
        assert kinds == [("open", 0), ("open", 3), ("closed", 3)]
        assert len(it.all(report.Delivered)) == 3
        assert isinstance(it.said[-1], report.Subscription | report.Published)

    in_lab(go)


def test_max_payload_to_the_byte() -> None:
    async def go(it: Lab) -> None:
        a, b = await it.connect("a"), await it.connect("b")
        got, put = box()
        await b.subscribe("x", cb=put)
        await b.sync()
        header = len("NATS/1.0\r\n\r\n") + len("K: v\r\n")
        await a.publish("x", b"." * 1024)
        await a.publish("x", b"." * (1024 - header), headers={"K": "v"})
        for size in range(1024 - 60, 1025):  # where the trace header begins not to fit
            await a.publish("x", b"." * size)
        with pytest.raises(TooLarge, match=r"1025 bytes.*1024"):
            await a.publish("x", b"." * 1025)
        with pytest.raises(nats.errors.MaxPayloadError):  # and what a nats-py program expects
            await a.publish("x", b"." * 1025)
        with pytest.raises(TooLarge, match=rf"headers \({header}\).*1025.*1024"):
            await a.publish("x", b"." * (1025 - header), headers={"K": "v"})
        with pytest.raises(TooLarge):
            await a.publish_many("x", b"." * 1025, 3)
        await it.hub.sync()
        assert a.is_connected
        assert [len(m.data) for m in got] == [1024, 1024 - header, *range(1024 - 60, 1025)]
        assert {r.traced for r in it.all(report.Published)} == {True, False}
        assert it.passed("pub", "a") == len(got) == it.passed("recv", "b")

    in_lab(go, max_payload=1024)


def test_what_cannot_be_published_is_not_reported() -> None:
    async def go(it: Lab) -> None:
        a = await it.connect("a")
        for subject, payload, headers in [
            ("a b", b"", None),
            ("", b"", None),
            ("x", "text", None),
            ("x", b"", {"bad key": "v"}),
            ("x", b"", {"K": 1}),
        ]:
            with pytest.raises((nats.errors.Error, TypeError, AttributeError)):
                await a.publish(subject, payload, headers=headers)  # type: ignore[arg-type]
        for subject in ("a b", "a..b", ""):
            with pytest.raises(CommandError):
                await a.publish_many(subject, b"", 3)
        with pytest.raises(ClientError, match="header name"):
            await a.publish_many("x", b"", 3, headers={"bad key": "v"})
        assert it.all(report.Published) == it.all(report.Bulk) == []

    in_lab(go)


def test_connecting_to_what_is_not_there(capfd: pytest.CaptureFixture[str]) -> None:
    async def go(it: Lab) -> None:
        login = it.fleet.login()
        began = time.monotonic()
        with pytest.raises(ClientError, match=r"refused the login of user app") as no:
            await it.hub.connect("x", {**login, "password": "wrong"})
        assert login["password"] not in str(no.value) and "wrong" not in str(no.value)
        with pytest.raises(ClientError, match=r"No server answers at 127\.0\.0\.1:1\."):
            await it.hub.connect("x", {**login, "servers": ["nats://127.0.0.1:1"]})
        # One of two answers: that is enough.
        two = await it.hub.connect(
            "x", {**login, "servers": ["nats://127.0.0.1:1", *login["servers"]]}, dont_randomize=True
        )
        assert (two.label, two.no) == ("x", 1)
        await two.close()
        await it.fleet.servers["n1"].freeze()
        with pytest.raises(ClientError, match="does not answer"):
            await it.hub.connect("x", login, connect_timeout=0.3)
        await it.fleet.servers["n1"].thaw()
        assert time.monotonic() - began < 10
        assert it.hub.clients == {}
        assert [r.state for r in it.all(report.Connection)] == ["open", "closed"]

    in_lab(go)
    assert capfd.readouterr() == ("", "")


def test_losing_the_server_prints_nothing_and_tells_the_user(capfd: pytest.CaptureFixture[str]) -> None:
    async def go(it: Lab) -> None:
        heard: list[str] = []

        async def error_cb(e: Exception) -> None:
            heard.append("error")

        async def disconnected_cb() -> None:
            heard.append("disconnected")

        async def closed_cb() -> None:
            heard.append("closed")

        a = await it.connect("a", error_cb=error_cb, disconnected_cb=disconnected_cb, closed_cb=closed_cb)
        b = await it.connect("b")

        async def broken(msg: Msg) -> None:
            raise ValueError("the learner's own")

        await b.subscribe("x", cb=broken)
        await b.sync()
        await a.publish("x")
        await until(lambda: b.mishaps)
        assert isinstance(b.mishaps[-1], ValueError)
        await it.fleet.servers["n1"].kill()
        await until(lambda: not a.is_connected and not b.is_connected)
        await it.fleet.servers["n1"].start()
        await it.hub.reconnected(5)
        assert a.is_connected and b.is_connected
        await a.close()
        assert heard[0] == "error" and heard[-2:] == ["disconnected", "closed"]
        states = [(r.client, r.state, r.why) for r in it.all(report.Connection)]
        assert states[:2] == [("a", "open", ""), ("b", "open", "")]
        assert ("b", "open", "ValueError: the learner's own") in states
        assert {s[:2] for s in states[3:5]} == {("a", "lost"), ("b", "lost")}
        assert all(why for _, state, why in states if state == "lost")
        assert {s[:2] for s in states[5:7]} == {("a", "open"), ("b", "open")}
        assert states[7:] == [("a", "closed", "")]

    in_lab(go)
    assert capfd.readouterr() == ("", "")


def test_a_frozen_server_delays_and_breaks_nothing(capfd: pytest.CaptureFixture[str]) -> None:
    async def go(it: Lab) -> None:
        a, b = await it.connect("a"), await it.connect("b")
        got, put = box()
        await b.subscribe("x", cb=put)
        await it.hub.sync()
        await it.fleet.servers["n1"].freeze()
        began = time.monotonic()
        await it.hub.sync(0.2)
        assert 0.15 < time.monotonic() - began < 1
        with pytest.raises(nats.errors.FlushTimeoutError):
            await a.sync(0.1)
        await a.publish("x", b"1")
        await it.fleet.servers["n1"].thaw()
        await until(lambda: got)
        for _ in range(3):  # the answers that nobody waits for any more did no harm
            await a.publish("x", b"2")
            await it.hub.sync()
        assert len(got) == 4
        assert [r.state for r in it.all(report.Connection)] == ["open", "open"]

    in_lab(go)
    assert capfd.readouterr() == ("", "")


def test_an_error_of_the_server_that_ends_the_connection() -> None:
    async def go(it: Lab) -> None:
        a = await it.connect("a")
        assert a._transport is not None
        a._transport.write(b"NONSENSE\r\n")
        await until(lambda: a.is_closed and not it.hub.clients)
        closed = it.all(report.Connection, state="closed")
        assert len(closed) == 1 and "protocol" in closed[0].why.lower()

    in_lab(go)


def test_losing_the_right_to_ask_for_traces_loses_no_message() -> None:
    async def go(it: Lab) -> None:
        a = await it.connect("a")
        b = await it.connect("b")
        got, put = box()
        await b.subscribe("x.*", cb=put)
        await it.hub.sync()
        server = it.fleet.servers["n1"]
        account = server.config.account("A")
        users = tuple(
            User(u.name, u.password, publish_allow=("x.>", "_INBOX.>"), subscribe_deny=u.subscribe_deny)
            if u.name == "app"
            else u
            for u in account.users
        )
        await server.reload(server.config.with_account(_with(account, users)))
        await it.hub.reconnected(5)
        for i in range(20):
            await a.publish(f"x.{i}", b"%d" % i)
        await until(lambda: len(got) == 20)
        await a.publish("x.20", b"20")
        await it.hub.sync()
        assert [m.data for m in got] == [b"%d" % i for i in range(21)]
        assert a.trace is False and it.all(report.Published)[-1].traced is False
        assert a.is_connected

    in_lab(go)


def _with(account: Any, users: Any) -> Any:
    import dataclasses

    return dataclasses.replace(account, users=users)


# --- counting -----------------------------------------------------------------------------------


def test_every_message_is_counted_once_at_every_speed() -> None:
    """Bursts around the limit of 2000/s, pauses, and a reader that takes reports all the while."""

    async def go(it: Lab) -> None:
        stop = threading.Event()

        def read() -> None:
            while not stop.wait(0.011):
                it.drain()

        reader = threading.Thread(target=read)
        a, b = await it.connect("a"), await it.connect("b")
        got = [0, 0]

        async def one(msg: Msg) -> None:
            got[0] += 1

        async def two(msg: Msg) -> None:
            got[1] += 1

        await b.subscribe("x.>", cb=one)
        await b.subscribe("x.*.y", queue="q", cb=two)
        await b.sync()
        reader.start()
        sent = size = both = 0
        try:
            for burst in (1, 199, 200, 201, 3, 1000, 20_000, 150, 5_000, 400, 1, 12_000):
                for i in range(burst):
                    subject = ("x.a.y", "x.b", "x.c", f"x.d{i % 2000}")[i % 4]
                    body = b"." * (i % 7)
                    await a.publish(subject, body, headers={"K": "v"} if i % 50 == 7 else None)
                    sent, size, both = sent + 1, size + len(body), both + (i % 4 == 0)
                await asyncio.sleep(0.0 if burst % 2 else 0.13)
            await it.hub.sync()
            await until(lambda: got == [sent, both], 20)
        finally:
            stop.set()
            reader.join()
        assert it.passed("pub", "a") == sent
        assert it.passed("pub", "a", size=True) == size
        assert it.passed("recv", "b") == sent + both
        queued = it.all(report.Bulk, way="recv", queue="q")
        assert queued and {(q.subject, q.sid) for q in queued} == {("x.*.y", 2)}
        bulks = it.all(report.Bulk, way="pub")
        assert bulks and {b.subject for b in bulks} > {"x.a.y", "x.b", "x.c", ">"}
        assert all(0 < len(b.first) <= 3 and b.since <= b.at for b in bulks)
        traced = it.all(report.Published)
        assert 200 < len(traced) < 5_000  # the slow ones singly
        assert len({r.id for r in traced}) == len(traced)

    in_lab(go)


@pytest.mark.parametrize("end", ["close", "kill"])
def test_the_count_survives_the_end_of_the_client(end: str) -> None:
    async def go(it: Lab) -> None:
        a = await it.connect("a")
        n = 0
        for _ in range(5_000):
            await a.publish("x", b"12345")
            n += 1
        if end == "close":
            await a.close()
        else:
            await it.fleet.servers["n1"].kill()
            with contextlib.suppress(nats.errors.Error):
                for _ in range(3_000):
                    await a.publish("x", b"12345")
                    n += 1
            await a.close()
        assert it.passed("pub", "a") == n
        assert it.passed("pub", "a", size=True) == 5 * n
        last = it.said[-1]
        assert isinstance(last, report.Connection) and last.state == "closed"

    in_lab(go)


def test_it_ends_also_when_it_has_just_lost_its_server() -> None:
    """Its reconnecting is cancelled while it waits for the end of the old transport."""

    async def go(it: Lab) -> None:
        a = await it.connect("a")
        waits = asyncio.ensure_future(a._transport.wait_closed())
        await asyncio.sleep(0)
        waits.cancel()
        await asyncio.sleep(0)
        await a.close()
        assert a.is_closed and it.passed("pub", "a") == 0
        last = it.said[-1]
        assert isinstance(last, report.Connection) and last.state == "closed"

    in_lab(go)


def test_a_name_used_again_does_not_mix_the_counts() -> None:
    async def go(it: Lab) -> None:
        for n in (3_000, 5_000):
            a = await it.connect("a")
            for _ in range(n):
                await a.publish("x")
            await a.close()
        assert it.passed("pub", "a") == 8_000
        closed = [
            i for i, r in enumerate(it.said) if isinstance(r, report.Connection) and r.state == "closed"
        ]
        first = it.said[: closed[0]]
        assert (
            sum(r.count if isinstance(r, report.Bulk) else isinstance(r, report.Published) for r in first)
            == 3_000
        )

    in_lab(go)


def test_a_client_whose_loop_is_gone() -> None:
    fleet = run(Fleet.start(single()))
    hub = Hub()
    try:
        kept: list[Client] = []

        async def forgetful() -> None:
            kept.append(await hub.connect("a", fleet.login()))

        asyncio.run(forgetful())
        last = hub.drain_reports()[-1]
        assert isinstance(last, report.Connection)
        assert (last.state, last.why) == ("closed", "its event loop was closed")
        assert hub.clients == {}
        with contextlib.suppress(Exception):
            kept[0]._transport._io_writer.transport._sock.close()  # type: ignore[union-attr]
    finally:
        run(hub.close())
        run(fleet.stop())


def test_bulk_reports_come_once_in_a_window() -> None:
    async def go(it: Lab) -> None:
        a = await it.connect("a")
        said: list[report.Report] = []
        end = time.monotonic() + 1.0
        while time.monotonic() < end:
            for _ in range(300):
                await a.publish("x", b"")
            said += it.hub.drain_reports(force=False)
            await asyncio.sleep(0.01)
        bulks = [r for r in said if isinstance(r, report.Bulk)]
        assert 5 <= len(bulks) <= 11
        assert len([r for r in said if isinstance(r, report.Published)]) == 200
        for earlier, later in itertools.pairwise(bulks):
            assert later.since == earlier.at

    in_lab(go)


def test_slow_handlers_drop_and_it_is_counted() -> None:
    async def go(it: Lab) -> None:
        a, b = await it.connect("a"), await it.connect("b")
        gate = asyncio.Event()

        async def slow(msg: Msg) -> None:
            await gate.wait()

        await b.subscribe("x", cb=slow, pending_msgs_limit=10)
        await b.sync()
        await a.publish_many("x", b"", 1_000)
        await it.hub.sync()
        assert it.passed("recv", "b") == 1_000
        dropped = sum(r.count for r in it.all(report.Bulk, way="drop", client="b", subject="x"))
        assert 985 <= dropped <= 990
        gate.set()

    in_lab(go)


# --- many at once -------------------------------------------------------------------------------


def test_publishing_many() -> None:
    async def go(it: Lab) -> None:
        a, b = await it.connect("a"), await it.connect("b")
        got, put = box()
        await b.subscribe("x", cb=put)
        await b.sync()
        await a.publish("x", b"first")
        assert await a.publish_many("x", (b"%d" % i for i in range(30_000)), headers={"K": "v"}) == 30_000
        assert await a.publish_many("x", [b"a", b"b", b"c"], 2, reply="r") == 2
        assert await a.publish_many("x", b"one") == 1
        assert await a.publish_many("x", b"none", 0) == 0
        await a.publish("x", b"last")
        await until(lambda: len(got) == 30_005, 20)
        assert [m.data for m in got] == [
            b"first",
            *(b"%d" % i for i in range(30_000)),
            b"a",
            b"b",
            b"one",
            b"last",
        ]
        assert {str(m.headers) for m in got[1:30_001]} == {"{'K': 'v'}"}
        assert [m.reply for m in got[-4:]] == ["r", "r", "", ""]
        assert it.passed("pub", "a") == 30_005 == it.passed("recv", "b")
        assert it.passed("pub", "a", size=True) == sum(len(m.data) for m in got)
        assert len(it.all(report.Published)) == 2

    in_lab(go)


def test_many_is_quicker_than_a_loop_of_nats_py() -> None:
    """200 000 messages; the aim is 1.5 times a bare loop, 10 times was measured."""

    async def go(it: Lab) -> None:
        a = await it.connect("a")
        bare = await nats.connect(**it.fleet.login())

        async def loop() -> None:
            for _ in range(200_000):
                await bare.publish("x", b"." * 64)
            for _ in range(2):
                await bare.flush()
                await bare.flush()  # one is no barrier

        async def many() -> None:
            await a.publish_many("x", b"." * 64, 200_000)
            await a.sync()

        async def took(run_: Callable[[], Coroutine[Any, Any, None]]) -> float:
            began = time.perf_counter()
            await run_()
            return time.perf_counter() - began

        slow = min([await took(loop) for _ in range(2)])
        fast = min([await took(many) for _ in range(2)])
        await bare.close()
        assert fast * 1.5 < slow, (fast, slow)
        assert it.passed("pub", "a") == 400_000

    in_lab(go)


def test_losing_the_server_while_publishing_many(capfd: pytest.CaptureFixture[str]) -> None:
    async def go(it: Lab) -> None:
        a = await it.connect("a")
        job = asyncio.ensure_future(a.publish_many("x", b"." * 1000, 100_000_000))
        await until(lambda: it.passed("pub", "a") > 10_000)
        await it.fleet.servers["n1"].kill()
        with pytest.raises(ClientError, match=r"lost after \d+ messages") as no:
            await job
        assert str(it.passed("pub", "a")) in no.value.what

    in_lab(go)
    assert capfd.readouterr() == ("", "")


# --- the learner's own loop ---------------------------------------------------------------------


def test_on_the_learners_loop() -> None:
    """A cell publishes and goes on without an await: push hands the message over all the same."""
    fleet = run(Fleet.start(single()))
    hub = Hub()
    hub.trust(fleet.login(), "A")
    try:

        async def cell() -> None:
            mine = await hub.connect("mine", fleet.login())
            await mine.publish("x", b"1")
            hub.push()
            # The loop of this thread stands still here, as it does while a cell runs.
            deadline = time.monotonic() + 5
            while True:
                conn = run(fleet.ask("n1", "connz", account="A"))["connections"][0]
                if conn["in_msgs"] == 1:
                    break
                assert time.monotonic() < deadline
            assert await asyncio.to_thread(run, _loops(hub)) == []
            await mine.close()

        asyncio.run(cell())
        assert [type(r).__name__ for r in hub.drain_reports()] == ["Connection", "Published", "Connection"]
    finally:
        run(hub.close())
        run(fleet.stop())


async def _loops(hub: Hub) -> list[Client]:
    return hub.on_this_loop()


def test_closing_reaches_clients_of_other_loops() -> None:
    fleet = run(Fleet.start(single()))
    hub = Hub()
    try:

        async def cell() -> None:
            mine = await hub.connect("mine", fleet.login())
            await asyncio.to_thread(run, hub.close())
            await until(lambda: mine.is_closed and not hub.clients)

        asyncio.run(cell())
    finally:
        run(fleet.stop())


def test_a_subject_that_is_no_text_does_not_end_the_reading() -> None:
    async def test(lab: Lab) -> None:
        client = await lab.connect("reader")
        got, heard = box()
        await client.subscribe(">", cb=heard)
        await client.sync()
        login = lab.fleet.login()
        port = int(login["servers"][0].rpartition(":")[2])
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        await reader.readline()
        connect = f'CONNECT {{"user":"app","pass":"{login["password"]}","verbose":false}}\r\n'
        writer.write(connect.encode() + b"PUB caf\xe9 1\r\nx\r\nPUB tea 1\r\ny\r\nPING\r\n")
        await reader.readuntil(b"PONG")
        await until(lambda: len(got) == 2)
        assert [m.subject for m in got] == ["caf\ufffd", "tea"]
        writer.close()

    in_lab(test)


def test_a_burst_into_a_frozen_server_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clients, "STALLED", 0.5)

    async def test(lab: Lab) -> None:
        client = await lab.connect("shop")
        server = lab.fleet.servers["n1"]
        await server.freeze()
        with pytest.raises(Timeout, match="taken nothing"):
            await client.publish_many("a", b"x" * 1000, 200_000)
        await server.thaw()
        await client.sync()
        assert client.is_connected

    in_lab(test)
