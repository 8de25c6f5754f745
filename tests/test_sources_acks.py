"""What becomes of deliveries, told as the server itself reports it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any

import nats
import nats.errors
import pytest
from nats.js.api import ConsumerConfig, StorageType

from natslab.loop import run
from natslab.sources.ackreply import parse
from natslab.sources.acks import answer
from natslab.sources.statefile import State, decode
from natslab.tape.event import Ack, Deliver, Snap, Store
from tests.watching import Watched, watching

BOTH = pytest.mark.parametrize("storage", [StorageType.FILE, StorageType.MEMORY], ids=["file", "memory"])


async def until(condition: Callable[[], object], timeout: float = 5.0) -> None:
    end = time.monotonic() + timeout
    while not condition():
        assert time.monotonic() < end, f"not within {timeout} s"
        await asyncio.sleep(0.005)


async def start(w: Watched, count: int, storage: StorageType = StorageType.FILE, **config: Any) -> Any:
    """A stream S with so many messages, a consumer C, and a pull subscription of a client of ours."""
    js = (await w.connect("a")).jetstream()
    await js.add_stream(name="S", subjects=["s.>"], storage=storage)
    for i in range(count):
        await js.publish(f"s.{i + 1}", b"x")
    await js.add_consumer("S", ConsumerConfig(durable_name="C", **({"ack_policy": "explicit"} | config)))
    return await js.pull_subscribe_bind("C", "S")


def story(w: Watched, seq: int, consumer: str = "C") -> list[str]:
    """What became of one message, in order."""
    out = []
    for e in w.tape.between(0, w.tape.head):
        if isinstance(e, Deliver) and (e.consumer, e.seq) == (consumer, seq):
            out.append(f"deliver {e.attempt}" + ("" if e.how == "observed" else "?"))
        elif isinstance(e, Ack) and (e.consumer, e.seq) == (consumer, seq):
            out.append(f"{e.verb} {e.attempt}" + ("" if e.how == "observed" else "?"))
    return out


def newest(w: Watched, what: str, consumer: str = "C") -> dict[str, Any]:
    return [
        s.data for s in w.all(Snap, what=what) if consumer in (s.data.get("consumer"), s.data.get("name"))
    ][-1]


@BOTH
def test_every_answer_by_whom(storage: StorageType) -> None:
    async def go() -> None:
        async with watching() as w:
            sub = await start(w, 5, storage, sample_freq="100")
            one, two, three, four, five = await sub.fetch(5)
            await one.ack()
            await two.nak(delay=0.3)
            await three.in_progress()
            await three.term()
            await four.ack_sync()
            await five._client.publish(five.reply, b"+TERM no use")
            assert await w.jetstream()
            told = {(e.seq, e.verb): e for e in w.all(Ack)}
            assert set(told) == {(1, "ack"), (2, "nak"), (3, "wpi"), (3, "term"), (4, "ack"), (5, "term")}
            assert {e.client for e in told.values()} == {"a"}
            assert told[2, "nak"].delay == 0.3 and told[2, "nak"].wire.startswith("-NAK {")
            assert told[5, "term"].reason == "no use"
            assert 0 < told[1, "ack"].took < 5 and told[1, "ack"].how == "observed"
            assert [(e.seq, e.cseq, e.attempt, e.client, e.pending) for e in w.all(Deliver)] == [
                (i, i, 1, "a", 5 - i) for i in range(1, 6)
            ]
            said = newest(w, "consumer")
            assert (said["num_ack_pending"], said["delivered"]["consumer_seq"]) == (1, 5)
            if storage is StorageType.FILE:
                said = newest(w, "pending")
                assert [p[:2] for p in said["pending"]] == [[2, 2]] and said["delivered"] == [5, 5]
            (again,) = await sub.fetch(1, timeout=5)
            await again.ack()
            assert await w.jetstream()
            assert story(w, 2) == ["deliver 1", "nak 1", "deliver 2", "ack 2"]
            assert newest(w, "consumer")["ack_floor"] == {"consumer_seq": 6, "stream_seq": 5}

    run(go())


@BOTH
def test_waits_that_end(storage: StorageType) -> None:
    async def go() -> None:
        async with watching() as w:
            sub = await start(w, 2, storage, backoff=[0.3, 0.6], max_deliver=3, ack_wait=30)
            await sub.fetch(2)
            began = w.all(Deliver, seq=1)
            await until(lambda: len(w.all(Ack, verb="expired")) == 2)
            began = w.all(Deliver, seq=1)
            (first,) = w.all(Ack, verb="expired", seq=1)
            assert first.how == "inferred" and abs(first.t - began[0].t - 0.3) < 0.01
            one, _ = await sub.fetch(2)
            await one.in_progress()
            await until(lambda: len(w.all(Ack, verb="expired")) == 4)
            wpi = w.all(Ack, verb="wpi")[0]
            second = w.all(Ack, verb="expired", seq=wpi.seq)[1]
            assert abs(second.t - wpi.t - 0.6) < 0.01
            await sub.fetch(2)
            await until(lambda: len(w.all(Ack, verb="expired")) == 6)
            with pytest.raises(nats.errors.TimeoutError):
                await sub.fetch(1, timeout=0.2)
            await until(lambda: len(w.all(Ack, verb="exhausted")) == 2)
            assert await w.jetstream()
            other = 3 - wpi.seq
            assert story(w, other) == [
                "deliver 1",
                "expired 1?",
                "deliver 2",
                "expired 2?",
                "deliver 3",
                "expired 3?",
                "exhausted 3",
            ]
            assert newest(w, "consumer")["num_ack_pending"] == 0
            types = {s.data["type"] for s in w.all(Snap, what="advisory")}
            assert "io.nats.jetstream.advisory.v1.max_deliver" in types

    run(go())


def test_a_redelivery_that_comes_at_once_is_told_after_the_end_of_the_wait() -> None:
    async def go() -> None:
        async with watching() as w:
            sub = await start(w, 1, ack_wait=0.3)
            await sub.fetch(1)
            (again,) = await sub.fetch(1, timeout=5)  # waits for it
            await again.nak()
            (last,) = await sub.fetch(1, timeout=5)
            await last.ack()
            assert await w.jetstream()
            assert story(w, 1) == ["deliver 1", "expired 1?", "deliver 2", "nak 2", "deliver 3", "ack 3"]

    run(go())


def test_what_others_do() -> None:
    """A client that is not ours: its answers are heard, its deliveries follow from them or the state file."""

    async def go() -> None:
        async with watching() as w:
            await start(w, 3, ack_wait=0.5)
            alone = await nats.connect(**w.fleet.login(), name="alone")
            sub = await alone.jetstream().pull_subscribe_bind("C", "S")
            messages = await sub.fetch(3)
            await messages[0].ack()
            await until(lambda: len(w.all(Deliver)) == 3)
            assert story(w, 1) == ["deliver 1?", "ack 1"] and story(w, 2) == ["deliver 1?"]
            assert {e.client for e in w.all(Deliver)} | {e.client for e in w.all(Ack)} == {""}
            await until(lambda: len(w.all(Ack, verb="expired")) == 2)
            messages = await sub.fetch(2)
            await until(lambda: len(w.all(Deliver)) == 5)
            assert story(w, 2) == ["deliver 1?", "expired 1?", "deliver 2?"]
            for message in messages:
                await message.ack()
            assert await w.jetstream()
            assert newest(w, "pending")["pending"] == []
            await alone.close()

    run(go())


def test_a_frozen_server_lets_nothing_expire() -> None:
    async def go() -> None:
        async with watching() as w:
            sub = await start(w, 1, ack_wait=0.4)
            await sub.fetch(1)
            assert await w.jetstream()
            server = w.fleet.servers["n1"]
            await server.freeze()
            await asyncio.sleep(0.8)
            assert w.all(Ack) == []
            thawed = w.tape.now()
            await server.thaw()
            await until(lambda: w.all(Ack))
            (expired,) = w.all(Ack)
            assert expired.verb == "expired" and expired.t >= thawed

    run(go())


@pytest.mark.parametrize("how", ["kill", "restart"])
def test_a_server_that_begins_anew(how: str) -> None:
    """It counts the wait from when the message was stored (measured)."""

    async def go() -> None:
        async with watching() as w:
            sub = await start(w, 3, ack_wait=2)
            await asyncio.sleep(2.1)
            messages = await sub.fetch(2)
            await messages[0].ack()
            assert await w.jetstream()
            server = w.fleet.servers["n1"]
            if how == "kill":
                await server.kill()
                await server.start()
            else:
                await server.restart()
            up = w.tape.now()
            await w.hub.reconnected(5)
            again = await sub.fetch(2, timeout=5)
            assert w.tape.now() - up < 1.5
            for message in again:
                await message.ack()
            assert await w.jetstream()
            assert story(w, 1) == ["deliver 1", "ack 1"]
            assert story(w, 2) == ["deliver 1", "expired 1?", "deliver 2", "ack 2"]
            assert story(w, 3) == ["deliver 1", "ack 1"]
            assert newest(w, "consumer")["ack_floor"]["stream_seq"] == 3

    run(go())


def test_another_consumer_of_the_same_name() -> None:
    async def go() -> None:
        async with watching() as w:
            sub = await start(w, 2, ack_wait=0.4)
            js = sub._js
            await sub.fetch(2)
            assert await w.jetstream()
            await js.delete_consumer("S", "C")
            await js.add_consumer("S", ConsumerConfig(durable_name="C", ack_policy="explicit", ack_wait=30))
            assert await w.jetstream()
            said = [s.data for s in w.all(Snap, what="consumer")]
            assert {"stream": "S", "name": "C", "gone": True} in said
            assert said[-1]["delivered"]["consumer_seq"] == 0
            await asyncio.sleep(0.6)
            assert w.all(Ack) == []  # nobody waits for those any more

    run(go())


def test_acks_for_all_before_and_for_none() -> None:
    async def go() -> None:
        async with watching() as w:
            sub = await start(w, 4, ack_policy="all", ack_wait=0.4)
            messages = await sub.fetch(4)
            await messages[2].ack()
            await until(lambda: w.all(Ack, verb="expired"))
            assert [e.seq for e in w.all(Ack, verb="expired")] == [4]
            js = sub._js
            await js.add_consumer("S", ConsumerConfig(durable_name="N", ack_policy="none", ack_wait=0.1))
            await (await js.pull_subscribe_bind("N", "S")).fetch(4)
            assert await w.jetstream()
            await asyncio.sleep(0.3)
            assert w.all(Ack, consumer="N") == [] and len(w.all(Deliver, consumer="N")) == 4

    run(go())


def test_causes_come_before_effects() -> None:
    async def go() -> None:
        async with watching() as w:
            sub = await start(w, 0)
            js = sub._js
            assert await w.jetstream()
            for i in range(60):
                await js.publish(f"s.{i}", b"")
                (message,) = await sub.fetch(1, timeout=5)
                await message.ack()
            assert await w.jetstream()
            for seq in range(1, 61):
                stored = min(e.n for e in w.all(Store, seq=seq))
                (delivered,) = w.all(Deliver, seq=seq)
                (acked,) = w.all(Ack, seq=seq)
                assert stored < delivered.n < acked.n

    run(go())


def test_a_consumer_that_is_too_fast() -> None:
    async def go() -> None:
        async with watching() as w:
            a = await w.connect("a")
            js = a.jetstream()
            sub = await start(w, 1, max_ack_pending=50_000)
            other = await js.add_consumer("S", ConsumerConfig(durable_name="SLOW", ack_policy="explicit"))
            assert other.name == "SLOW"
            for _ in range(3):
                await a.publish_many("s.x", b"", 5_000)
                await js.publish("s.y", b"")
            slow = await js.pull_subscribe_bind("SLOW", "S")
            assert await w.jetstream(10)
            done = 0
            while done < 15_000:
                for message in await sub.fetch(500, timeout=5):
                    await message.ack()
                    done += 1
            hot = [s for s in w.all(Snap, what="pending") if s.data.get("singly") is False]
            assert hot or len(w.all(Ack, consumer="C")) > 5_000  # or this machine is too slow for it
            (message,) = await slow.fetch(1, timeout=5)
            await message.ack()
            assert await w.jetstream(10)
            assert story(w, 1, "SLOW") == ["deliver 1", "ack 1"]  # the other one is told all the time
            assert w.all(Ack, verb="expired") == []
            floor = newest(w, "pending")["floor"]
            assert floor == list(newest(w, "consumer")["ack_floor"].values())
            if hot:
                await until(lambda: "singly" not in newest(w, "pending"), 10)
                await js.publish("s.z", b"")
                for message in await sub.fetch(10, timeout=5):
                    await message.ack()
                assert await w.jetstream()
                last = newest(w, "consumer")["delivered"]["stream_seq"]
                assert story(w, last)[-1] == "ack 1"

    run(go())


def test_bodies_of_acks() -> None:
    assert answer(b"") == answer(b"+ACK") == answer(b'+NXT {"batch":5}') == {"verb": "ack"}
    assert answer(b"-NAK") == {"verb": "nak", "delay": 0.0}
    assert answer(b'-NAK {"delay": 1500000000}') == {"verb": "nak", "delay": 1.5}
    assert answer(b"-NAK 1m30s") == {"verb": "nak", "delay": 90.0}
    assert answer(b'-NAK {"delay": [') == answer(b'-NAK {"delay": {}}') == {"verb": "nak", "delay": 0.0}
    assert answer(b"+WPI") == {"verb": "wpi"}
    assert answer(b"+TERM so what") == {"verb": "term", "reason": "so what"}
    assert answer(b"hello") is None


def test_reply_subjects() -> None:
    short = parse("$JS.ACK.S.C.2.3.4.1700000000000000000.5")
    assert short == ("S", "C", 2, 3, 4, 1.7e9, 5)
    assert parse("$JS.ACK._.HASH.S.C.2.3.4.1700000000000000000.5") == short
    assert parse("$JS.ACK.hub.HASH.S.C.2.3.4.1700000000000000000.5.x9") == short
    for other in ("_INBOX.x", "$JS.ACK.S.C", "$JS.ACK.S.C.a.3.4.1.5", "$JS.ACK.S.C.2.3.4.1.٥"):
        assert parse(other) is None


def test_state_files() -> None:
    assert decode(bytes([22, 2, 0, 0, 3, 3, 0, 0])) == State((0, 0), (3, 3), {}, {})
    whole = bytes([22, 2, 1, 1, 5, 4, 1, 20, 2, 3, 4, 1, 2, 7])
    assert decode(whole) == State((1, 1), (5, 4), {3: (4, 8)}, {3: 7})
    for end in range(len(whole)):
        with pytest.raises(ValueError, match="state"):
            decode(whole[:end])
    with pytest.raises(ValueError, match="format"):
        decode(b"\x16\x01" + whole[2:])
