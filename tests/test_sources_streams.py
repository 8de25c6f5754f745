"""What streams keep and lose, told as the server itself reports it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nats
import pytest
from nats.js.api import RetentionPolicy, StorageType, StoreCompression

from natslab.loop import run
from natslab.sources.blocks import MESSAGE, Blocks, opened
from natslab.tape.event import Deliver, Drop, Snap, Store
from tests.watching import Watched, watching

BOTH = pytest.mark.parametrize("storage", [StorageType.FILE, StorageType.MEMORY], ids=["file", "memory"])
S = "S"


async def until(condition: Callable[[], object], timeout: float = 5.0) -> None:
    end = asyncio.get_running_loop().time() + timeout
    while not condition():
        assert asyncio.get_running_loop().time() < end, f"not within {timeout} s"
        await asyncio.sleep(0.005)


async def make(js: Any, name: str = S, **config: Any) -> None:
    await js.add_stream(name=name, subjects=[f"{name.lower()}.>"], **config)


async def put(js: Any, *subjects: str, **options: Any) -> None:
    for subject in subjects:
        await js.publish(subject, b"x", **options)


async def raw(js: Any, subject: str, **body: Any) -> dict[str, Any]:
    answer = await js._nc.request(f"$JS.API.{subject}", json.dumps(body).encode(), timeout=5)
    said: dict[str, Any] = json.loads(answer.data)
    assert "error" not in said, said
    return said


def present(w: Watched, stream: str = S) -> set[int]:
    """The sequences that are there, by what the tape says."""
    there: set[int] = set()
    for e in w.tape.between(0, w.tape.head):
        if isinstance(e, Store) and e.stream == stream and not e.code and not e.duplicate:
            there |= set(range(e.seq - e.count + 1, e.seq + 1))
        elif isinstance(e, Drop) and e.stream == stream:
            there -= set(range(e.seq, max(e.seq, e.last) + 1))
        elif isinstance(e, Snap) and e.what == "stream" and e.data == {"name": stream, "gone": True}:
            there.clear()
    return there


async def really(w: Watched, js: Any, stream: str = S) -> set[int]:
    """The same by the server's word."""
    said = await raw(js, f"STREAM.INFO.{stream}", deleted_details=True)
    state = said["state"]
    span = range(state["first_seq"], state["last_seq"] + 1) if state["messages"] else range(0)
    found = set(span) - set(state.get("deleted") or [])
    assert len(found) == state["messages"]
    return found


def whys(w: Watched, stream: str = S) -> dict[int, tuple[str, str]]:
    told: dict[int, tuple[str, str]] = {}
    for drop in w.all(Drop, stream=stream):
        span = range(drop.seq, max(drop.seq, drop.last) + 1)
        assert drop.count < len(span) or not told.keys() & set(span), f"{span} went twice"
        for seq in span:
            told.setdefault(seq, (drop.why, drop.how))
    return told


async def agree(w: Watched, js: Any, stream: str = S) -> None:
    assert await w.jetstream(), "not settled"
    assert present(w, stream) == await really(w, js, stream)


def test_every_message_with_the_servers_own_stamp() -> None:
    async def go() -> None:
        async with watching() as w:
            js = (await w.connect("a")).jetstream()
            await make(js)
            await js.publish("s.1", b"one")
            await js.publish("s.2", b"y" * 1000, headers={"Nats-Msg-Id": "m", "Other": "no"})
            alone = await nats.connect(**w.fleet.login(), name="alone")
            await alone.jetstream().publish("s.3", b"", headers={"KV-Operation": "DEL"})
            await agree(w, js)
            told = w.all(Store, source="streams")
            assert [(e.seq, e.subject, e.size, e.payload, e.headers, e.client) for e in told] == [
                (1, "s.1", 3, b"one", [], ""),
                (2, "s.2", 1000, b"y" * 256, [("Nats-Msg-Id", "m")], ""),
                (3, "s.3", 0, b"", [("KV-Operation", "DEL")], ""),
            ]
            stored = (await js.get_msg(S, 2)).time
            assert stored is not None and abs(stored.timestamp() - w.tape.started - told[1].t) < 0.001
            assert w.all(Snap, what="stream")[-1].data["kept"] == "file"
            assert {e.seq for e in w.all(Store, client="a")} == {1, 2}
            await alone.close()

    run(go())


@BOTH
def test_limits(storage: StorageType) -> None:
    async def go() -> None:
        async with watching() as w:
            js = (await w.connect("a")).jetstream()
            await make(js, "M", max_msgs=3, storage=storage)
            await put(js, *(f"m.{i}" for i in range(6)))
            await agree(w, js, "M")
            assert whys(w, "M") == dict.fromkeys((1, 2, 3), ("max_msgs", "inferred"))
            await make(js, "K", max_msgs_per_subject=1, storage=storage)
            await put(js, "k.1", "k.2", "k.1", "k.3", "k.2", "k.2")
            await agree(w, js, "K")
            assert whys(w, "K") == dict.fromkeys((1, 2, 5), ("max_msgs_per_subject", "inferred"))
            await make(js, "B", max_bytes=150, storage=storage)
            for i in range(6):
                await js.publish(f"b.{i}", b"x" * 10)
                if storage is StorageType.MEMORY:
                    await w.jetstream()  # only the counters tell
            await agree(w, js, "B")
            assert set(whys(w, "B").values()) == {("max_bytes", "inferred")}
            await make(js, "U", storage=storage)
            await put(js, *(f"u.{i}" for i in range(5)))
            await js.update_stream(name="U", subjects=["u.>"], storage=storage, max_msgs=2)
            await agree(w, js, "U")
            assert set(whys(w, "U")) == {1, 2, 3}

    run(go())


@BOTH
def test_age_ttl_marker_and_rollup(storage: StorageType) -> None:
    async def go() -> None:
        async with watching() as w:
            js = (await w.connect("a")).jetstream()
            await make(js, "A", max_age=0.4, storage=storage)
            await raw(
                js,
                "STREAM.CREATE.T",
                name="T",
                subjects=["t.>"],
                storage=storage.value,
                allow_msg_ttl=True,
                allow_rollup_hdrs=True,
                subject_delete_marker_ttl=1_000_000_000,
            )
            await put(js, "a.1", "a.2", "t.0")
            await js.publish("t.1", b"x", headers={"Nats-TTL": "1s"})
            assert await w.jetstream()
            await until(lambda: whys(w, "A").keys() == {1, 2})
            assert set(whys(w, "A").values()) == {("max_age", "inferred")}
            await until(lambda: 2 in whys(w, "T"))
            assert whys(w, "T")[2] == ("ttl", "inferred")
            if storage is StorageType.FILE:  # what the server itself stores nobody else tells
                marker = w.all(Store, stream="T", seq=3)[0]
                assert ("Nats-Marker-Reason", "MaxAge") in marker.headers
                await until(lambda: 3 in whys(w, "T"))
                assert whys(w, "T")[3] == ("marker", "inferred")
            else:
                await until(lambda: _messages(w, "T") == 1)
            await put(js, "t.5", "t.5")
            await js.publish("t.5", b"z", headers={"Nats-Rollup": "sub"})
            await js.publish("t.6", b"z", headers={"Nats-Rollup": "all"})
            assert await w.jetstream()
            told = whys(w, "T")
            assert {told[seq] for seq in (1, 4, 5, 6)} == {("rollup", "inferred")}
            assert max(present(w, "T")) == 7

    run(go())


def _messages(w: Watched, stream: str) -> int:
    (*_, snap) = [s for s in w.all(Snap, what="stream") if s.data["name"] == stream]
    count: int = snap.data["state"]["messages"]
    return count


@BOTH
def test_acked_and_no_interest(storage: StorageType) -> None:
    async def go() -> None:
        async with watching() as w:
            js = (await w.connect("a")).jetstream()
            await make(js, "W", retention=RetentionPolicy.WORK_QUEUE, storage=storage)
            await put(js, *(f"w.{i}" for i in range(5)))
            messages = await (await js.pull_subscribe("w.>", "C")).fetch(5)
            for i in (2, 0, 4):
                await messages[i].ack()
                await agree(w, js, "W")
            await messages[1].term()
            await agree(w, js, "W")
            acked = dict.fromkeys((1, 3, 5), ("acked", "inferred"))
            assert whys(w, "W") == {2: ("terminated", "inferred"), **acked}
            await make(js, "I", retention=RetentionPolicy.INTEREST, storage=storage)
            await put(js, "i.a")
            assert await w.jetstream()
            assert whys(w, "I") == {1: ("no interest", "inferred")}
            consumer = await js.pull_subscribe("i.a", "C")
            await put(js, "i.a", "i.a")
            await (await consumer.fetch(2))[1].ack()
            await agree(w, js, "I")
            await js.delete_consumer("I", "C")
            await agree(w, js, "I")
            assert whys(w, "I")[3] == ("acked", "inferred")
            assert whys(w, "I")[2] == ("consumer deleted", "inferred")
            assert w.all(Snap, what="consumer")[-1].data == {"stream": "I", "name": "C", "gone": True}

    run(go())


@BOTH
def test_who_deletes_and_purges_is_heard(storage: StorageType) -> None:
    async def go() -> None:
        async with watching() as w:
            js = (await w.connect("a")).jetstream()
            await make(js, storage=storage)
            await put(js, "s.1", "s.2", "s.1", "s.2", "s.1", "s.3", "s.4")
            await js.delete_msg(S, 3)
            await js.purge_stream(S, subject="s.2")
            await agree(w, js)
            assert whys(w) == {
                2: ("purged", "observed"),
                3: ("deleted", "observed"),
                4: ("purged", "observed"),
            }
            await js.purge_stream(S, seq=6)
            await agree(w, js)
            await js.purge_stream(S)
            await agree(w, js)
            assert {seq: why for seq, (why, _) in whys(w).items() if seq not in (3,)} == dict.fromkeys(
                (1, 2, 4, 5, 6, 7), "purged"
            )
            await put(js, "s.1")
            await agree(w, js)
            assert present(w) == {8}

    run(go())


@BOTH
def test_another_stream_of_the_same_name(storage: StorageType) -> None:
    async def go() -> None:
        async with watching() as w:
            js = (await w.connect("a")).jetstream()
            await make(js, storage=storage)
            await put(js, "s.1", "s.2", "s.3")
            await agree(w, js)
            await js.delete_stream(S)
            await make(js, storage=storage)
            await put(js, "s.4")
            assert await w.jetstream()
            said = [s.data for s in w.all(Snap, what="stream")]
            assert {"name": S, "gone": True} in said
            gone = said.index({"name": S, "gone": True})
            assert said[-1]["state"]["last_seq"] == 1 and gone < len(said) - 1
            if storage is StorageType.FILE:
                assert [e.subject for e in w.all(Store, source="streams", seq=1)] == ["s.1", "s.4"]
            await js.delete_stream(S)
            await until(lambda: w.all(Snap, what="stream")[-1].data == {"name": S, "gone": True})

    run(go())


@pytest.mark.parametrize("how", ["kill", "restart"])
def test_a_server_that_begins_anew(how: str) -> None:
    async def go() -> None:
        async with watching() as w:
            js = (await w.connect("a")).jetstream()
            await make(js)
            await put(js, *(f"s.{i}" for i in range(20)))
            await js.delete_msg(S, 5)
            await agree(w, js)
            server = w.fleet.servers["n1"]
            if how == "kill":
                await server.kill()
                await server.start()
            else:
                await server.restart()
            await w.hub.reconnected(5)
            await js.delete_msg(S, 7)
            await put(js, "s.21")
            await agree(w, js)
            assert present(w) == set(range(1, 22)) - {5, 7}
            assert set(whys(w)) == {5, 7}
            told = [e.seq for e in w.all(Store, source="streams")]
            assert told == sorted(set(told)) and set(told) >= set(range(1, 22)) - {5}  # nothing twice

    run(go())


def test_what_was_there_before_is_told_once(tmp_path: Path) -> None:
    """A store that outlived its lab: what is in it, and not what had gone."""

    async def go(first: bool) -> None:
        async with watching(store=tmp_path / "store") as w:
            js = (await w.connect("a")).jetstream()
            if first:
                await make(js, max_msgs=10)
                await put(js, *(f"s.{i}" for i in range(30)))
                await js.delete_msg(S, 25)
            await agree(w, js)
            assert present(w) == set(range(21, 31)) - {25}
            assert all(e.t >= 0 for e in w.all(Store))
            if not first:
                assert {e.seq for e in w.all(Drop)} <= {25}

    run(go(True))
    run(go(False))


def test_more_than_can_be_told_singly_is_counted() -> None:
    async def go() -> None:
        async with watching() as w:
            a = await w.connect("a")
            js = a.jetstream()
            await make(js)
            assert await w.jetstream()
            for _ in range(6):
                await a.publish_many("s.x", b"12345", 5_000)
                await js.publish("s.y", b"")  # the server is not overrun
            assert await w.jetstream(10)
            told = w.all(Store, source="streams")
            last = 0
            for e in told:
                assert e.seq - e.count == last, "a gap, or twice"
                last = e.seq
            (*_, snap) = w.all(Snap, what="stream")
            assert last == snap.data["state"]["last_seq"] == 30_006
            assert sum(e.size for e in told) == 150_000
            assert len(told) < 10_000

    run(go())


def test_what_a_server_packs_is_not_taken_for_deleted() -> None:
    """A packed block may be there before anybody read it."""

    async def go() -> None:
        async with watching() as w:
            a = await w.connect("a")
            js = a.jetstream()
            await make(js, max_bytes=120_000, compression=StoreCompression.S2)
            blocks = w.fleet.servers["n1"].config.store / "jetstream" / "A" / "streams" / S / "msgs"
            await a.publish_many("s.x", b"0123456789" * 8, 1_000)

            def packed() -> bool:
                return any(b.read_bytes().startswith(b"cmp") for b in blocks.glob("*.blk"))

            await until(packed)
            assert await w.jetstream(10)
            assert w.all(Drop) == []
            assert sum(e.count for e in w.all(Store, source="streams")) == 1_000

    run(go())


def test_memory_is_known_by_what_clients_tell_and_the_counters() -> None:
    async def go() -> None:
        async with watching() as w:
            js = (await w.connect("a")).jetstream()
            await make(js, storage=StorageType.MEMORY)
            await put(js, "s.1", "s.2")
            alone = await nats.connect(**w.fleet.login(), name="alone")
            for i in range(3):
                await alone.jetstream().publish(f"s.{i}", b"strange")
            await put(js, "s.6")
            await agree(w, js)
            assert w.all(Snap, what="stream")[-1].data["kept"] == "events"
            unknown = w.all(Store, source="streams")  # one, unless a report was made between them
            assert (unknown[-1].seq, sum(one.count for one in unknown)) == (5, 3)
            assert {one.subject for one in unknown} == {""}
            # A delivery tells what its message was.
            await alone.jetstream().publish("s.7", b"strange")
            consumer = await js.pull_subscribe("s.7", "C")
            await consumer.fetch(1)
            await w.settle()
            (found,) = w.all(Store, source="streams", subject="s.7")
            assert (found.seq, found.size) == (7, 7)
            assert found.n < w.all(Deliver, seq=7)[0].n
            await alone.close()

    run(go())


def test_nothing_new_appends_nothing() -> None:
    async def go() -> None:
        async with watching() as w:
            js = (await w.connect("a")).jetstream()
            await make(js)
            await js.add_stream(name="COPY", mirror=nats.js.api.StreamSource(name=S))
            await put(js, "s.1")
            await js.pull_subscribe("s.>", "C")
            await until(lambda: w.all(Store, stream="COPY"))
            assert await w.jetstream()
            head = -1
            for _ in range(5):  # state files and advisories may still be on their way
                if head == w.tape.head:
                    break
                await asyncio.sleep(0.3)
                await w.monitor.poll()
                head = w.tape.head
                for _ in range(20):
                    await w.monitor.poll()
                w.acks.look()
                w.streams.catch_up()
            assert w.tape.head == head, w.tape.between(head, w.tape.head)

    run(go())


def test_the_files_are_only_read(tmp_path: Path) -> None:
    async def go() -> None:
        async with watching(sources=False) as w:
            js = (await w.connect("a")).jetstream()
            await make(js)
            await put(js, *(f"s.{i}" for i in range(50)))
            await js.delete_msg(S, 7)
            await w.fleet.servers["n1"].stop()
            folder = w.fleet.servers["n1"].config.store / "jetstream" / "A" / "streams" / S

            def print_() -> dict[str, tuple[int, int, bytes]]:
                return {
                    str(p): (p.stat().st_mtime_ns, p.stat().st_mode, p.read_bytes())
                    for p in sorted(folder.rglob("*"))
                    if p.is_file()
                }

            before = print_()
            blocks = Blocks(folder)
            found = blocks.read()
            assert len([r for r in found if r.kind == MESSAGE]) == 49 and not blocks.news()
            assert opened(found[0]).subject == "s.0"
            assert blocks.read() == [] and blocks.created()
            assert print_() == before

    run(go())


def test_a_file_of_another_format_is_not_believed(tmp_path: Path) -> None:
    (tmp_path / "msgs").mkdir()
    (tmp_path / "msgs" / "1.blk").write_bytes(b"\xff\xff\xff\x7f" * 16)
    with pytest.raises(ValueError, match="record"):
        Blocks(tmp_path).read()
    (tmp_path / "meta.key").write_bytes(b"")
    assert not Blocks(tmp_path).readable
