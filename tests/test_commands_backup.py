"""A stream as a folder and back: everything comes back, and nothing that is there is lost."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import natslab
from natslab.commands import parse
from natslab.commands.backup import DATA, META
from natslab.errors import CommandError, NatslabError, ServerError
from natslab.lab import Lab
from natslab.servers.jsapi import Api

Go = Callable[..., Any]


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    with natslab.Lab.up() as up:
        yield up


@pytest.fixture
def go(lab: Lab) -> Iterator[Go]:
    def run(line: str) -> Any:
        return parse(line).run()

    yield run
    for name in run("js stream ls --names").names:
        run(f"js stream rm {name} -f")


@pytest.fixture
def orders(go: Go, lab: Lab) -> None:
    """1 000 messages with headers, gaps, and a consumer that has some in flight."""
    go("js stream add ORDERS --subjects 'orders.>' --max-age 1d --metadata a:b")
    go("pub 'orders.{{Count}}' 'order {{Count}}' --count 1000 -H 'No:{{Count}}' -H Region:eu")

    async def consume() -> None:
        client = await lab.client("you")
        api = Api(client)
        config = {"name": "W", "durable_name": "W", "ack_policy": "explicit", "filter_subject": "orders.*"}
        await api.call("CONSUMER.CREATE.ORDERS.W", {"stream_name": "ORDERS", "config": config})
        sub = await client.jetstream().pull_subscribe_bind("W", "ORDERS")
        for n, message in enumerate(await sub.fetch(10, timeout=5)):
            if n < 7:
                await message.ack_sync()

    while go("js stream state ORDERS").messages < 1000:
        pass
    lab.do(consume())
    for seq in (5, 6, 500):
        go(f"js stream rmm ORDERS {seq} -f")


def refusal(go: Go, line: str) -> NatslabError:
    with pytest.raises(NatslabError) as caught:
        go(line)
    assert "\n" not in caught.value.what
    return caught.value


def consumer(lab: Lab) -> dict[str, Any]:
    async def ask() -> dict[str, Any]:
        return await Api(await lab.client("you")).call("CONSUMER.INFO.ORDERS.W")

    said = lab.do(ask())
    fields = ("delivered", "ack_floor", "num_ack_pending", "num_pending")
    out = {k: said[k] for k in fields}
    for k in ("delivered", "ack_floor"):
        out[k] = {a: b for a, b in out[k].items() if a != "last_active"}
    return out | {"config": {k: v for k, v in said["config"].items() if k != "metadata"}}


@pytest.mark.usefixtures("orders")
def test_every_message_and_consumer_comes_back(go: Go, lab: Lab, tmp_path: Path) -> None:
    before, worker = go("js stream view ORDERS 2000"), consumer(lab)
    config = go("js stream info ORDERS").facts["config"]
    gaps = [(g.first, g.last) for g in go("js stream gaps ORDERS")]
    made = go(f"js stream backup ORDERS {tmp_path / 'b'} --check")
    assert (made.messages, made.consumers, made.stream) == (997, 1, "ORDERS")
    assert repr(made).startswith("Stream ORDERS was written to ")
    assert {p.name for p in (tmp_path / "b").iterdir()} == {META, DATA}
    assert json.loads((tmp_path / "b" / META).read_text())["config"]["name"] == "ORDERS"

    go("js stream rm ORDERS -f")
    back = go(f"js stream restore {tmp_path / 'b'}")
    assert back.state.messages == 997
    assert repr(back).startswith("Stream ORDERS was restored from ")
    after = go("js stream view ORDERS 2000")
    assert len(after) == 997
    assert [m.facts() for m in after] == [m.facts() for m in before]
    assert after[900].headers["Region"] == "eu"
    assert [(g.first, g.last) for g in go("js stream gaps ORDERS")] == gaps
    assert go("js stream info ORDERS").facts["config"] == config
    assert consumer(lab) == worker


@pytest.mark.usefixtures("orders")
def test_without_consumers(go: Go, tmp_path: Path) -> None:
    go(f"js stream backup ORDERS {tmp_path / 'b'} --no-consumers")
    go("js stream rm ORDERS -f")
    assert go(f"js stream restore {tmp_path / 'b'}").state.consumer_count == 0


@pytest.mark.usefixtures("orders")
def test_small_chunks(go: Go, tmp_path: Path) -> None:
    go(f"js stream backup ORDERS {tmp_path / 'b'} --chunk-size 1KB --window-size 4KB")
    go("js stream rm ORDERS -f")
    assert go(f"js stream restore {tmp_path / 'b'} --no-progress").state.messages == 997


@pytest.mark.usefixtures("orders")
def test_what_is_there_is_not_written_over(go: Go, tmp_path: Path) -> None:
    target = tmp_path / "b"
    go(f"js stream backup ORDERS {target}")
    held = {p.name: p.read_bytes() for p in target.iterdir()}
    error = refusal(go, f"js stream backup ORDERS {target}")
    assert isinstance(error, CommandError)
    assert "holds a backup already" in error.what
    assert {p.name: p.read_bytes() for p in target.iterdir()} == held
    error = refusal(go, f"js stream restore {target}")
    assert "Stream ORDERS is there already" in error.what
    assert go("js stream state ORDERS").messages == 997
    (tmp_path / "file").write_text("mine")
    assert "is there already" in refusal(go, f"js stream backup ORDERS {tmp_path / 'file'}").what
    assert (tmp_path / "file").read_text() == "mine"
    (tmp_path / "empty").mkdir()
    go(f"js stream backup ORDERS {tmp_path / 'empty'}")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["b", "empty", "file"]


@pytest.mark.usefixtures("orders")
def test_a_broken_backup(go: Go, tmp_path: Path) -> None:
    target = tmp_path / "b"
    go(f"js stream backup ORDERS {target}")
    go("js stream rm ORDERS -f")
    whole = (target / DATA).read_bytes()
    for data in (whole[: len(whole) // 2], b"hello", whole[:10] + bytes(50) + whole[60:]):
        (target / DATA).write_bytes(data)
        error = refusal(go, f"js stream restore {target}")
        assert "was not restored" in error.what
        assert "(error 10062)" in error.what
        assert go("js stream ls").names == []
    (target / DATA).write_bytes(b"")
    assert "stream.tar.s2 is missing or empty" in refusal(go, f"js stream restore {target}").what
    for text in ("{", "[]", '{"config": 3}', '{"config": {}, "state": {}}'):
        (target / META).write_text(text)
        refusal(go, f"js stream restore {target}")
    (target / META).unlink()
    assert "is no backup" in refusal(go, f"js stream restore {target}").what
    assert "There is no folder" in refusal(go, f"js stream restore {tmp_path / 'none'}").what
    assert go("js stream ls").names == []


@pytest.mark.usefixtures("orders")
def test_other_ways_to_restore(go: Go, tmp_path: Path) -> None:
    go(f"js stream backup ORDERS {tmp_path / 'b'}")
    go("js stream rm ORDERS -f")
    assert "one server" in refusal(go, f"js stream restore {tmp_path / 'b'} --replicas 3").what
    (tmp_path / "c.yaml").write_text("description: restored\n")
    back = go(f"js stream restore {tmp_path / 'b'} --replicas 1 --config {tmp_path / 'c.yaml'}")
    assert (back.config.description, back.state.messages) == ("restored", 997)


@pytest.mark.usefixtures("orders")
def test_a_frozen_server(go: Go, lab: Lab, tmp_path: Path) -> None:
    lab.server("n1").freeze()
    try:
        error = refusal(go, f"js stream backup ORDERS {tmp_path / 'b'} --timeout 300ms")
        assert isinstance(error, ServerError)
    finally:
        lab.server("n1").thaw()
    assert list(tmp_path.iterdir()) == []
    assert go("js stream state ORDERS").messages == 997


def test_a_stream_that_is_not_there(go: Go, tmp_path: Path) -> None:
    assert "There is no stream NOPE" in refusal(go, f"js stream backup NOPE {tmp_path / 'b'}").what
    assert list(tmp_path.iterdir()) == []
