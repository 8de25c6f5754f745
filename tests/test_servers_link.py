"""A wire of ours between two servers, here between two plain sockets: every byte, in order, or not at all."""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import signal
import socket
import threading
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from natslab.errors import LabError
from natslab.loop import loop, run
from natslab.servers.carrier import Carrier
from natslab.servers.framing import Frame, Framer, account
from natslab.servers.link import Link
from natslab.servers.parcel import AB, WORDS, Cutter, message, words
from natslab.servers.supervisor import Supervisor, supervisor
from natslab.servers.topology import WireType


class Pair:
    """A link from "a" to "b" with both ends connected: what "a" writes, "b" should read."""

    link: Link
    carrier: Carrier
    a: tuple[asyncio.StreamReader, asyncio.StreamWriter]
    b: tuple[asyncio.StreamReader, asyncio.StreamWriter]

    def __init__(self) -> None:
        self.changes: list[tuple[str, bool]] = []
        self.accepted: asyncio.Queue[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = asyncio.Queue()

    async def dial(self) -> None:
        self.a = await asyncio.open_connection("127.0.0.1", self.link.port("a"), limit=1 << 26)
        self.b = await asyncio.wait_for(self.accepted.get(), 2)

    async def cross(self, data: bytes, timeout: float = 5.0) -> bytes:
        self.a[1].write(data)
        return await asyncio.wait_for(self.b[0].readexactly(len(data)), timeout)


@contextlib.asynccontextmanager
async def pair(type: WireType = "route", dial: bool = True) -> AsyncIterator[Pair]:
    made = Pair()

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await made.accepted.put((reader, writer))

    server = await asyncio.start_server(accept, "127.0.0.1", 0, limit=1 << 26)
    port = server.sockets[0].getsockname()[1]

    async def where(name: str, type: WireType) -> int | None:
        return port if name == "b" else None

    own = Supervisor()  # of this test's loop
    folder = await own.make_folder()
    made.carrier = Carrier(where, own, folder)
    made.link = Link(
        "a", "b", type, made.carrier, lambda link: made.changes.append((link.state, link.connected))
    )
    await made.link.open()
    try:
        if dial:
            await made.dial()
        yield made
    finally:
        await made.link.remove()
        await made.carrier.close()
        server.close()
        await own.remove_folder(folder)
        own.close()


async def written(writer: asyncio.StreamWriter, most: int = 200_000_000) -> int:
    """How many bytes it takes within a second."""
    writer.transport.set_write_buffer_limits(high=1)
    sent = 0
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(1.0):
            while sent < most:
                writer.write(bytes(100_000))
                await writer.drain()
                sent += 100_000
    return sent


def go(test: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Run it on a loop of its own, so that nothing of it stays."""
    asyncio.run(asyncio.wait_for(test(), 20))


def test_bytes_pass_both_ways_and_are_counted() -> None:
    async def test() -> None:
        async with pair() as p:
            data = random.Random(1).randbytes(3_000_000)
            assert await p.cross(data) == data
            p.b[1].write(b"back")
            assert await p.a[0].readexactly(4) == b"back"
            counts = await p.link.counts()
            assert (counts.ab_bytes, counts.ba_bytes) == (3_000_000, 4)
            assert p.link.connected and p.changes == [("open", False), ("open", True)]

    go(test)


def test_counts_stay_when_a_connection_ends() -> None:
    async def test() -> None:
        async with pair() as p:
            await p.cross(b"RMSG A s 2\r\nhi\r\n")
            p.a[1].close()
            assert await p.b[0].read() == b""
            await p.dial()
            await p.cross(b"RMSG A s 2\r\nho\r\n")
            counts = await p.link.counts()
            assert (counts.ab_msgs, counts.ab_bytes) == (2, 32)

    go(test)


def test_cut_resets_and_refuses() -> None:
    async def test() -> None:
        async with pair() as p:
            await p.cross(b"x")
            p.b[1].write(b"y")
            await p.a[0].readexactly(1)
            await p.link.cut()
            for reader, _ in (p.a, p.b):
                with pytest.raises(ConnectionResetError):
                    await reader.read(1)
            for name in ("a", "b"):
                with pytest.raises(ConnectionRefusedError):
                    await asyncio.open_connection("127.0.0.1", p.link.port(name))
            assert p.changes == [("open", False), ("open", True), ("cut", False)]
            with pytest.raises(LabError, match="cut already"):
                await p.link.cut()
            port = p.link.port("a")
            await p.link.heal()
            assert p.link.port("a") == port
            await p.dial()
            assert await p.cross(b"again") == b"again"

    go(test)


def test_hold_keeps_sockets_and_bytes() -> None:
    async def test() -> None:
        async with pair() as p:
            await p.cross(b"before")
            await p.link.hold()
            p.a[1].write(b"held")
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(p.b[0].read(1), 0.2)
            with pytest.raises(LabError, match="held already"):
                await p.link.hold()
            p.a[1].write(b" and more")
            await p.link.heal()
            assert await asyncio.wait_for(p.b[0].readexactly(13), 2) == b"held and more"
            assert await p.cross(b"after") == b"after"

    go(test)


def test_what_is_held_comes_before_the_end() -> None:
    async def test() -> None:
        async with pair() as p:
            await p.link.hold()
            p.a[1].write(b"last words")
            p.a[1].close()
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(p.b[0].read(), 0.2)
            await p.link.heal()
            assert await asyncio.wait_for(p.b[0].read(), 2) == b"last words"

    go(test)


def test_a_held_connection_can_be_cut() -> None:
    async def test() -> None:
        async with pair() as p:
            await p.link.hold()
            p.a[1].write(b"lost")
            await p.link.cut()
            with pytest.raises(ConnectionResetError):
                await p.b[0].read(1)
            with pytest.raises(LabError, match="is cut already"):
                await p.link.hold()

    go(test)


def test_delay_is_real_and_keeps_the_order() -> None:
    async def test() -> None:
        async with pair() as p:
            await p.link.delay_by(0.15)
            assert (p.link.state, p.link.delay) == ("delayed", 0.15)
            began = time.monotonic()
            rest = random.Random(2)
            data = rest.randbytes(200_000)
            sent = 0
            while sent < len(data):
                step = rest.randrange(1, 20_000)
                p.a[1].write(data[sent : sent + step])
                sent += step
                await asyncio.sleep(0.005)
                if sent > 100_000 and p.link.delay > 0.1:
                    await p.link.delay_by(0.05)  # what comes later must not overtake
            assert await p.b[0].readexactly(len(data)) == data
            assert time.monotonic() - began >= 0.15
            began = time.monotonic()
            p.b[1].write(b"pong")
            await p.a[0].readexactly(4)
            assert 0.05 <= time.monotonic() - began < 0.5
            await p.link.heal()
            began = time.monotonic()
            await p.cross(b"quick")
            assert time.monotonic() - began < 0.05

    go(test)


def test_what_was_delayed_comes_at_once_when_healed() -> None:
    async def test() -> None:
        async with pair() as p:
            await p.link.delay_by(30)
            p.a[1].write(b"slow")
            await asyncio.sleep(0.05)
            await p.link.heal()
            assert await asyncio.wait_for(p.b[0].readexactly(4), 1) == b"slow"

    go(test)


def test_a_slow_reader_makes_the_writer_wait() -> None:
    async def test() -> None:
        async with pair() as p:
            p.b[0]._transport.pause_reading()  # type: ignore[attr-defined]
            await written(p.a[1])
            await written(p.a[1])
            # What waits, waits with the writer and in the system's buffers, and not with us.
            assert (await p.link.counts()).ab_bytes < 30_000_000

    go(test)


def test_held_bytes_have_an_end() -> None:
    async def test() -> None:
        async with pair() as p:
            await p.link.hold()
            while await written(p.a[1]):
                pass
            kept = (await p.link.counts()).ab_bytes
            assert 8_000_000 < kept < 12_000_000
            await p.link.heal()
            assert len(await p.b[0].readexactly(kept)) == kept

    go(test)


def test_nobody_there_ends_the_call() -> None:
    async def test() -> None:
        async with pair() as p:
            reader, _ = await asyncio.open_connection("127.0.0.1", p.link.port("b"))
            with pytest.raises(ConnectionResetError):
                await reader.read(1)

    go(test)


def test_a_leafnode_is_only_dialled_from_the_leaf() -> None:
    async def test() -> None:
        async with pair("leafnode") as p:
            assert await p.cross(b"x") == b"x"
            with pytest.raises(KeyError):
                p.link.port("b")

    go(test)


def test_healing_what_is_whole() -> None:
    async def test() -> None:
        async with pair() as p:
            with pytest.raises(LabError, match="whole already"):
                await p.link.heal()

    go(test)


# --- messages -----------------------------------------------------------------------------------

ODD = [
    b"INFO {\"a\": 1}\r\n",
    b"RMSG A s 0\r\n\r\n",
    b"PING\r\n",
    b"RMSG SYS $NRG.V.x _INBOX.1 12\r\nRMSG A s 5\r\n\r\n",  # a payload that looks like a line
    b"HMSG A far.away back 18 23\r\nNATS/1.0\r\nK: v\r\n\r\none\r\n\r\n",
    b"RMSG A q + back left right 2\r\nhi\r\n",
    b"RMSG A q | left right 2\r\nho\r\n",
    b"LMSG EDGE A s 0 4\r\n\r\n\r\n\r\n",
    b"RS+ A foo.* bar 1\r\n",
    b"PONG\r\n",
]  # fmt: skip
WHAT = [
    ("RMSG", "A", "s", "", b"", b""),
    ("RMSG", "SYS", "$NRG.V.x", "_INBOX.1", b"", b"RMSG A s 5\r\n"),
    ("HMSG", "A", "far.away", "back", b"NATS/1.0\r\nK: v\r\n\r\n", b"one\r\n"),
    ("RMSG", "A", "q", "back", b"", b"hi"),
    ("RMSG", "A", "q", "", b"", b"ho"),
    ("LMSG", "A", "s", "", b"", b"\r\n\r\n"),
]


class FakeLink:
    type = "route"


def framed(
    chunks: list[bytes], wanted: Callable[[int], tuple[bytes, ...]] = lambda at: (b"",)
) -> tuple[int, list[Frame]]:
    frames: list[Frame] = []
    link: Any = FakeLink()
    framer = Framer()
    for at, chunk in enumerate(chunks):
        framer.feed(
            chunk, wanted(at), lambda line, body: frames.append(Frame(link, "a", "b", line, body, 0.0))
        )
    return framer.messages, frames


def said(frames: list[Frame]) -> list[tuple[str, str, str, str, bytes, bytes]]:
    return [(f.verb, f.account, f.subject, f.reply, f.header, f.payload) for f in frames]


def test_messages_are_cut_by_their_sizes() -> None:
    count, frames = framed([b"".join(ODD)])
    assert count == len(WHAT) and said(frames) == WHAT
    assert [frame.size for frame in frames] == [0, 12, 23, 2, 2, 4]


def test_split_at_every_byte() -> None:
    data = b"".join(ODD)
    for at in range(len(data)):
        count, frames = framed([data[:at], data[at:]])
        assert (count, said(frames)) == (len(WHAT), WHAT), at
    count, frames = framed([data[at : at + 1] for at in range(len(data))])
    assert (count, said(frames)) == (len(WHAT), WHAT)


def test_counted_alike_when_nobody_listens() -> None:
    data = b"".join(ODD)
    for step in (1, 2, 3, 7, len(data)):
        chunks = [data[at : at + step] for at in range(0, len(data), step)]
        assert framed(chunks, lambda at: ()) == (len(WHAT), []), step


def test_listening_may_begin_and_end_anywhere() -> None:
    data = b"".join(ODD)
    chunks = [data[at : at + 1] for at in range(len(data))]
    for begin in range(len(data)):
        count, frames = framed(chunks, lambda at, begin=begin: (b"",) if at >= begin else ())  # type: ignore[misc]
        assert count == len(WHAT)
        assert said(frames) == WHAT[len(WHAT) - len(frames) :], begin
        count, frames = framed(chunks, lambda at, begin=begin: (b"",) if at < begin else ())  # type: ignore[misc]
        assert count == len(WHAT) and said(frames) == WHAT[: len(frames)], begin


def test_messages_of_one_account() -> None:
    data = b"".join(ODD)
    for step in (1, 5, len(data)):
        chunks = [data[at : at + step] for at in range(0, len(data), step)]
        count, frames = framed(chunks, lambda at: (account("SYS"),))
        assert count == len(WHAT) and said(frames) == [WHAT[1]]


@given(st.lists(st.binary(max_size=300), max_size=20), st.data())
@settings(max_examples=60, deadline=None)
def test_any_payload(payloads: list[bytes], data: st.DataObject) -> None:
    stream = b"".join(b"RMSG A s %d\r\n%b\r\n" % (len(body), body) for body in payloads)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=10)))
    chunks = [stream[a:b] for a, b in zip([0, *cuts], [*cuts, len(stream)], strict=True)]
    count, frames = framed(chunks)
    assert count == len(payloads) and [frame.payload for frame in frames] == payloads


@given(st.lists(st.tuples(st.binary(max_size=99), st.binary(max_size=300)), max_size=20), st.data())
@settings(max_examples=60, deadline=None)
def test_parcels_come_as_they_were_sent(sent: list[tuple[bytes, bytes]], data: st.DataObject) -> None:
    stream = b"".join(message(AB, n, n / 2, *one) for n, one in enumerate(sent)) + words(op="end")
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=20)))
    got: list[Any] = []
    cutter = Cutter(lambda *parcel: got.append(parcel))
    for a, b in zip([0, *cuts], [*cuts, len(stream)], strict=True):
        cutter.feed(stream[a:b])
    assert got[:-1] == [(AB, n, n / 2, *one) for n, one in enumerate(sent)]
    assert got[-1] == (WORDS, 0, 0.0, b'{"op": "end"}', b"")


def test_a_listener_hears_and_one_that_raises_harms_nobody() -> None:
    async def test() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda *_: None)
        async with pair() as p:
            heard: list[Frame] = []

            def bad(frame: Frame) -> None:
                raise RuntimeError

            end_bad = p.link.listen(bad)
            end = p.link.listen(heard.append)
            await p.link.counts()  # what is asked later is done later
            data = b"RMSG A s 2\r\nhi\r\n"
            assert await p.cross(data) == data
            await p.link.counts()
            assert [(f.src, f.dst, f.payload) for f in heard] == [("a", "b", b"hi")]
            end()
            assert await p.cross(data) == data
            end_bad()
            await p.link.counts()
            assert len(heard) == 1 and not p.link.wanted

    go(test)


@pytest.mark.parametrize(
    "line", [b"RMSG", b"RMSG 0", b"RMSG A 0", b"HMSG A s 0", b"HMSG A s x 0", b"LMSG A 0"]
)
def test_a_line_that_lacks_words_is_no_message(line: bytes) -> None:
    link: Any = FakeLink()
    with pytest.raises(ValueError, match=r"lacks words|invalid literal"):
        Frame(link, "a", "b", line, b"", 0.0)


@pytest.mark.parametrize("strange", [b"RMSG A s what\r\n", b"RMSG A s -99999\r\n", b"RMSG A s\r\n"])
def test_what_is_not_understood_passes_all_the_same(strange: bytes) -> None:
    async def test() -> None:
        async with pair() as p:
            heard: list[Frame] = []
            p.link.listen(heard.append)
            await p.link.counts()
            for data in (
                b"RMSG A s 2\r\nhi\r\n",
                b"RMSG A 0\r\n\r\n",
                strange,
                b"RMSG A s 2\r\nho\r\n",
                b"\xff" * 99,
            ):
                assert await p.cross(data) == data
            await p.link.counts()
            assert [frame.payload for frame in heard] == [b"hi"]

    go(test)


def test_nothing_is_lost_when_natslab_reads_late() -> None:
    """The servers wait for it then, so that what they say can be told."""

    async def test() -> None:
        async with pair() as p:
            heard: list[bytes] = []
            p.link.listen(lambda frame: heard.append(frame.payload[:8]))
            await p.link.counts()
            transport = p.carrier._transport
            assert transport is not None
            transport.pause_reading()
            body = bytes(999_992)
            sent = 0
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(3):
                    while sent < 400:
                        p.a[1].write(b"RMSG A s 1000000\r\n%08d%b\r\n" % (sent, body))
                        sent += 1
                        await p.a[1].drain()
                        await asyncio.wait_for(p.b[0].readexactly(1_000_020), 0.5)
            assert 16 < sent < 100
            transport.resume_reading()
            async with asyncio.timeout(5):
                while len(heard) < sent:
                    await asyncio.sleep(0.01)
            assert heard == [b"%08d" % n for n in range(sent)]

    go(test)


def test_another_process_takes_over(alive: Callable[[int], bool]) -> None:
    async def test() -> None:
        async with pair() as p:
            heard: list[Frame] = []
            p.link.listen(heard.append)
            await p.cross(b"x")
            p.b[1].write(b"y")
            await p.a[0].readexactly(1)
            await p.link.hold()
            first = p.carrier.pid
            os.kill(first, signal.SIGKILL)
            with contextlib.suppress(ConnectionResetError):
                assert await p.a[0].read() == b""
            async with asyncio.timeout(5):
                while True:
                    with contextlib.suppress(OSError):
                        await p.dial()
                        break
                    await asyncio.sleep(0.02)
            assert p.carrier.pid != first and not alive(first)
            assert p.link.state == "held" and p.changes[-1] == ("held", False)
            p.a[1].write(b"RMSG A s 2\r\nhi\r\n")
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(p.b[0].read(1), 0.2)
            await p.link.heal()
            await p.link.counts()
            assert await p.b[0].readexactly(16) == b"RMSG A s 2\r\nhi\r\n"
            assert [frame.payload for frame in heard] == [b"hi"]

    go(test)


def test_a_closed_carrier_leaves_no_process(alive: Callable[[int], bool]) -> None:
    async def test() -> None:
        async with pair() as p:
            pid = p.carrier.pid
            assert alive(pid)
            await p.link.remove()
            await p.carrier.close()
            assert not alive(pid) and p.carrier.pid == 0
            with pytest.raises(LabError, match="is no more"):
                await p.link.hold()

    go(test)


def test_bytes_pass_whatever_natslab_computes() -> None:
    busy, done = threading.Event(), threading.Event()

    def compute() -> None:
        busy.set()
        done.wait(10)

    with socket.create_server(("127.0.0.1", 0)) as there:

        async def where(name: str, type: WireType) -> int | None:
            return int(there.getsockname()[1])

        async def begin() -> tuple[Carrier, Link]:
            one = supervisor()
            carrier = Carrier(where, one, await one.make_folder())
            link = Link("a", "b", "route", carrier, lambda link: None)
            await link.open()
            return carrier, link

        carrier, link = run(begin())
        try:
            with socket.create_connection(("127.0.0.1", link.port("a"))) as a, there.accept()[0] as b:
                loop().post(compute)
                assert busy.wait(5)
                b.settimeout(5)
                for _ in range(100):
                    a.sendall(b"x")
                    assert b.recv(1) == b"x"
        finally:
            done.set()
            run(link.remove())
            run(carrier.close())
