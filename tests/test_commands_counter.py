"""Counters by the line, on a real server."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

import natslab
from natslab.commands import parse
from natslab.errors import ClientError, CommandError, NoResponders
from natslab.lab import Lab
from natslab.loop import run
from natslab.servers.jsapi import Api
from natslab.servers.storing import PubAck

Go = Callable[..., Any]


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    with natslab.Lab.up() as up:
        yield up


def make(lab: Lab, name: str, **config: Any) -> None:
    async def call() -> None:
        subjects = {} if "sources" in config else {"subjects": [f"{name.lower()}.>"]}
        api = Api(await lab.client("maker"))
        await api.call(f"STREAM.CREATE.{name}", {"name": name, "storage": "memory", **subjects, **config})

    run(call())


@pytest.fixture
def go(lab: Lab) -> Iterator[Go]:
    """`go(line)`: run it; there is a counter stream C of the subjects c.>, and nothing after the test."""
    make(lab, "C", allow_msg_counter=True)
    yield lambda line, body=None: parse(line, body).run()

    async def clear() -> None:
        api = Api(await lab.client("maker"))
        for name in await api.pages("STREAM.NAMES", "streams"):
            await api.call(f"STREAM.DELETE.{name}")

    run(clear())


def test_up_and_down(go: Go) -> None:
    up = go("counter incr c.hits 10")
    assert repr(up) == "10" and (up.value, up.stream, up.seq) == (10, "C", 1)
    assert go("counter increment c.hits -- -3").value == 7
    assert repr(go("counter decr c.hits 20")) == "-13"
    assert int(go("counter get c.hits")) == -13
    assert go("counter d c.hits +1").value == -14


def test_numbers_of_any_size(go: Go) -> None:
    big = 10**60
    assert go(f"counter incr c.big {big}").value == big
    assert go(f"counter decr c.big {big - 1}").value == 1
    assert go("counter i c.big 9_000").value == 9001


def test_a_hundred_at_once_all_count(go: Go, lab: Lab) -> None:
    async def all_of_them() -> list[PubAck]:
        clients = [await lab.client(f"w{i}") for i in range(5)]
        adds = (clients[i % 5].store("c.many", headers={"Nats-Incr": "+1"}) for i in range(100))
        return await asyncio.gather(*adds)

    values = lab.do(all_of_them())
    assert sorted(int(ack.val) for ack in values) == list(range(1, 101))
    assert go("counter get c.many").value == 100
    with ThreadPoolExecutor(8) as threads:
        lines = list(threads.map(go, ["counter incr c.lines 1"] * 40))
    assert sorted(r.value for r in lines) == list(range(1, 41))


def test_view_and_list(go: Go, lab: Lab, wait_for: Callable[..., float]) -> None:
    assert repr(go("counter ls")) == "Stream C has no counter yet"
    go("counter incr c.b 2")
    go("counter incr c.a 1")
    go("counter incr c.a 5")
    table = go("counter ls")
    assert repr(table).splitlines() == ["Counter  Value", "c.a          6", "c.b          2"]
    assert go("counter ls c.b --stream C").facts == [{"subject": "c.b", "value": "2"}]
    assert repr(go("counter view c.a")).splitlines() == [
        "Counter c.a",
        "",
        "      Value: 6",
        "  Increment: +5",
        "     Stream: C",
    ]
    make(lab, "SUM", allow_msg_counter=True, sources=[{"name": "C"}])
    wait_for(lambda: len(go("counter ls --stream SUM")) == 2)
    viewed = go("counter view c.a --stream SUM")
    assert viewed.value == 6
    assert viewed.sources == {"C": {"c.a": "6"}}
    assert "C c.a: 6" in repr(viewed)


@pytest.mark.parametrize(
    ("line", "error", "say"),
    [
        ("counter get c.never", ClientError, "no counter c.never in stream C yet"),
        ("counter get nowhere", ClientError, "No stream takes the subject nowhere"),
        ("counter incr nowhere 1", NoResponders, "No stream takes messages on nowhere"),
        ("counter incr c.a 1.5", CommandError, "not a whole number"),
        ("counter incr c.a many", CommandError, "not a whole number"),
        ("counter incr c.a", CommandError, "needs a value"),
        ("counter get 'c.*'", CommandError, "wildcard"),
        ("counter get c.a --stream NO", ClientError, "NO"),
        ("counter get c.a --stream 'a b'", CommandError, "cannot be the name of a stream"),
    ],
)
def test_wrong_lines(go: Go, line: str, error: type[Exception], say: str) -> None:
    with pytest.raises(error, match=say) as caught:
        go(line)
    assert caught.value.hint  # type: ignore[attr-defined]


def test_a_stream_that_does_not_count(go: Go, lab: Lab) -> None:
    make(lab, "PLAIN")
    go("pub plain.a x -J")
    for line in ("counter incr plain.a 1", "counter get plain.a", "counter ls plain.a"):
        with pytest.raises(ClientError, match="The stream PLAIN does not count"):
            go(line)
    make(lab, "MORE", allow_msg_counter=True)
    with pytest.raises(CommandError, match="Which stream"):
        go("counter ls")


def test_what_is_no_increment(go: Go) -> None:
    with pytest.raises(ClientError, match="10169"):
        go("pub c.a x -J")
    published = go("pub c.a '' -J -H Nats-Incr:+4")
    assert repr(published).endswith("Stored in stream C with sequence 1, counter value 4")
