"""Looking changes nothing: the same programs with every source on, and with none."""

import asyncio
import contextlib
import time
from collections import Counter
from typing import Any

import nats
import nats.errors
import nats.js.errors
import pytest
from nats.aio.msg import Msg
from nats.js.api import ConsumerConfig

from natslab.loop import run
from natslab.servers.client import TooLarge
from natslab.servers.topology import cluster
from tests.watching import Watched, watching

BOTH = pytest.mark.parametrize("sources", [True, False], ids=["watched", "alone"])


async def outcomes(w: Watched) -> dict[str, Any]:
    """What a learner can notice."""
    told: dict[str, Any] = {}
    if w.monitor._task is not None:
        w.monitor.watch(1)
    a, b = await w.connect("a"), await w.connect("b")
    alone = await nats.connect(**w.fleet.login(), name="alone")
    got: list[tuple[str, str, bytes, Any]] = []
    everything: list[str] = []

    async def put(msg: Msg) -> None:
        got.append((msg.subject, msg.reply, msg.data, msg.headers))

    async def see(msg: Msg) -> None:
        everything.append(msg.subject)

    async def answer(msg: Msg) -> None:
        await msg.respond(b"yes")

    async def mute(msg: Msg) -> None:
        pass

    await b.subscribe("x.>", cb=put)
    await b.subscribe("q", cb=answer)
    await b.subscribe("mute", cb=mute)
    # A subscriber to everything must not see how we look. It would be a responder to every request,
    # so it comes and goes.
    spy = await alone.subscribe(">", cb=see)
    for _ in range(2):
        await alone.flush()
        await alone.flush()  # one is no barrier
    await w.hub.sync()
    for i in range(20):
        await a.publish(
            f"x.{i}", b"%d" % i, reply="r" if i % 2 else "", headers={"K": "v"} if i % 3 else None
        )
    await w.hub.sync()
    await asyncio.sleep(0.3)  # a poll or two
    for _ in range(2):
        await alone.flush()
        await alone.flush()  # one is no barrier
    told["everything"] = sorted(everything)
    await spy.unsubscribe()
    for _ in range(2):
        await alone.flush()
        await alone.flush()  # one is no barrier

    # Requests.
    reply = await a.request("q", b"?", timeout=5)
    told["answer"] = (reply.data, reply.headers)
    answers = await a.gather("q", replies=1, timeout=5)
    told["answers"] = [(m.data, m.headers) for m in answers]
    began = time.monotonic()
    for subject in ("nobody", "$SRV.PING"):
        with pytest.raises(nats.errors.NoRespondersError):
            await a.request(subject, timeout=5)
    told["nobody is quick"] = time.monotonic() - began < 1
    with pytest.raises(nats.errors.TimeoutError):
        await a.request("mute", timeout=0.05)

    # The largest message, with and without a header of its own.
    header = len("NATS/1.0\r\n\r\n") + len("K: v\r\n")
    for size in (1024, 1023, 1024 - 40):
        await a.publish("x.large", b"." * size)
    await a.publish("x.large", b"." * (1024 - header), headers={"K": "v"})
    with pytest.raises(TooLarge):
        await a.publish("x.large", b"." * 1025)
    await w.hub.sync()
    told["still connected"] = a.is_connected
    told["deliveries"] = list(got)

    # A stream keeps what it was given, and no more.
    js = a.jetstream()
    await js.add_stream(name="S", subjects=["s.>"])
    await js.publish("s.1", b"one")
    await js.publish("s.2", b"two", headers={"K": "v"})
    info = await js.stream_info("S")
    told["stream"] = (info.state.messages, info.state.bytes)
    sub = await js.pull_subscribe("s.>", "C")
    fetched = await sub.fetch(2, timeout=5)
    told["fetched"] = [(m.data, m.headers) for m in fetched]
    for m in fetched:
        await m.ack_sync()

    # A consumer whose messages are sent back, run out of time, and are given up.
    # Its filter: the last pull may still wait at the server when s.3 comes.
    config = ConsumerConfig(
        durable_name="R", ack_policy="explicit", ack_wait=0.2, max_deliver=2, filter_subjects=["s.1", "s.2"]
    )
    await js.add_consumer("S", config)
    again = await js.pull_subscribe_bind("R", "S")
    one, two = await again.fetch(2, timeout=5)
    await one.nak(delay=0.1)
    await two.term()
    (one,) = await again.fetch(1, timeout=5)
    told["again"] = (one.metadata.sequence, one.metadata.num_delivered)
    with pytest.raises(nats.errors.TimeoutError):
        await again.fetch(1, timeout=0.5)
    await js.publish("s.3", b"three")
    await js.delete_msg("S", 1)
    consumer = await js.consumer_info("S", "R")
    told["consumer"] = [
        (at.consumer_seq, at.stream_seq) for at in (consumer.delivered, consumer.ack_floor) if at is not None
    ]
    told["waiting"] = consumer.num_ack_pending, consumer.num_redelivered
    told["consumers"] = sorted(c.name for c in await js.consumers_info("S"))
    # Nothing of natslab's is in the account: no stream, no consumer, no request to the API.
    jsz = await w.fleet.ask("n1", "jsz", account="A", accounts=True)
    (account,) = jsz["account_details"]
    told["API"] = account["api"]["total"], account["storage"], account["memory"]
    told["errors"] = [str(e) for c in (a, b) for e in c.mishaps]
    varz = await w.fleet.ask("n1", "varz")
    told["slow consumers"] = varz["slow_consumers"]
    await alone.close()
    await w.fleet.servers["n1"].stop()
    folder = w.fleet.servers["n1"].config.store / "jetstream" / "A" / "streams" / "S"
    told["files"] = sorted(
        (str(p.relative_to(folder)), p.stat().st_mode) for p in folder.rglob("*") if p.is_file()
    )
    return told


def test_the_same_with_and_without() -> None:
    async def once(sources: bool) -> dict[str, Any]:
        async with watching(sources=sources, max_payload=1024) as w:
            return await outcomes(w)

    alone, watched = run(once(False)), run(once(True))
    assert alone == watched
    assert alone["everything"] == sorted(f"x.{i}" for i in range(20))
    assert len(alone["deliveries"]) == 24 and alone["errors"] == []


@BOTH
def test_the_queue_stays_a_fair_draw(sources: bool) -> None:
    """1 000 messages to four members: each gets 250 +- 4 sigma (sigma 13.7)."""

    async def go() -> None:
        async with watching(sources=sources) as w:
            a = await w.connect("a")
            shares: Counter[str] = Counter()
            for name in ("m1", "m2", "m3", "m4"):
                member = await w.connect(name)

                async def take(msg: Msg, name: str = name) -> None:
                    shares[name] += 1

                await member.subscribe("work", queue="q", cb=take)
            await w.hub.sync()
            for i in range(1_000):
                await a.publish("work", b"")
                if i % 20 == 0:
                    await asyncio.sleep(0.01)  # below 2 000/s: every message is traced
            await w.hub.sync()
            assert sum(shares.values()) == 1_000
            assert all(195 <= share <= 305 for share in shares.values()), shares

    run(go())


# --- three servers --------------------------------------------------------------------------------


async def outcomes_of_three(w: Watched) -> dict[str, Any]:
    """What learners on three servers can notice."""
    told: dict[str, Any] = {}
    a, b, c = [await w.connect(f"at {name}", name) for name in w.fleet.servers]
    got: list[tuple[str, str, bytes, Any]] = []
    everything: list[str] = []

    async def put(msg: Msg) -> None:
        got.append((msg.subject, msg.reply, msg.data, msg.headers))

    async def see(msg: Msg) -> None:
        everything.append(msg.subject)

    async def answer(msg: Msg) -> None:
        await msg.respond(b"yes")

    alone = await nats.connect(**w.fleet.login(name="n3"), name="alone", allow_reconnect=False)
    spy = await alone.subscribe(">", cb=see)
    await b.subscribe("x.>", cb=put)
    await c.subscribe("x.*", queue="q", cb=put)
    await c.subscribe("ask", cb=answer)
    end = time.monotonic() + 20
    while {s for s, *_ in got} != {"x.probe"} or len(got) < 2 or "x.probe" not in everything:
        assert time.monotonic() < end  # interest takes a moment to be known to all
        got.clear()
        await a.publish("x.probe")
        await w.hub.sync()
        await asyncio.sleep(0.05)
    got.clear()
    everything.clear()
    for i in range(20):
        await a.publish(f"x.{i}", b"%d" % i, headers={"K": "v"} if i % 3 else None)
    while len(got) < 40 or len(everything) < 20:
        assert time.monotonic() < end
        await w.hub.sync()
        await asyncio.sleep(0.05)
    await asyncio.sleep(0.3)  # a poll or two
    told["deliveries"], told["everything"] = sorted(got, key=repr), sorted(everything)
    await spy.unsubscribe()
    await alone.close()

    reply = await a.request("ask", b"?", timeout=5)
    told["answer"] = (reply.data, reply.headers)
    began = time.monotonic()
    for client in (a, b, c):
        with pytest.raises(nats.errors.NoRespondersError):
            await client.request("nobody", timeout=5)
    told["nobody is quick"] = time.monotonic() - began < 1

    js = a.jetstream(timeout=20)
    await js.add_stream(name="S", subjects=["s.>"], num_replicas=3)
    for n in range(4):
        for _ in range(100):
            try:
                told["stored", n] = (await js.publish(f"s.{n}", b"%d" % n)).seq
                break
            except nats.errors.Error:  # its leader is being chosen
                await asyncio.sleep(0.1)
    info = await js.stream_info("S")
    told["stream"] = (info.state.messages, info.state.bytes)
    config = ConsumerConfig(durable_name="C", ack_policy="explicit", ack_wait=30, filter_subject="s.>")
    await js.add_consumer("S", config)
    sub = await b.jetstream(timeout=20).pull_subscribe_bind("C", "S")
    for _ in range(100):
        with contextlib.suppress(
            nats.js.errors.ServiceUnavailableError
        ):  # b's server has not heard of it yet
            one, two, three, four = await sub.fetch(4, timeout=20)
            break
        await asyncio.sleep(0.1)
    told["fetched"] = [(m.data, m.headers) for m in (one, two, three, four)]
    await one.ack_sync(timeout=5)
    await two.nak()
    await three.term()
    (again,) = await sub.fetch(1, timeout=5)
    told["again"] = (again.data, again.metadata.num_delivered)
    await again.ack_sync(timeout=5)
    await b.sever()  # its pulls must not take what comes next
    await asyncio.sleep(0.1)
    await js.publish("s.5", b"5")
    said = await js.consumer_info("S", "C")
    told["consumer"] = (said.num_ack_pending, said.num_redelivered, said.num_pending)
    told["consumers"] = [one.name for one in await js.consumers_info("S")]
    told["errors"] = [str(e) for client in (a, c) for e in client.mishaps]
    return told


def test_the_same_with_and_without_on_three_servers() -> None:
    async def once(sources: bool) -> dict[str, Any]:
        async with watching(sources=sources, topology=cluster(3)) as w:
            return await outcomes_of_three(w)

    alone, watched = run(once(False)), run(once(True))
    assert alone == watched
    assert alone["everything"] == sorted(f"x.{i}" for i in range(20))
    assert alone["consumer"] == (1, 0, 1) and alone["errors"] == []
