"""A stream of a million messages with a hundred consumers: frames stay small and totals exact."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import msgspec
import pytest

from natslab.lab import Lab
from natslab.loop import run
from natslab.views.frames import FRAME, FULL, Frames
from natslab.views.player import Player
from tests.agreeing import agree, call


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    with Lab.up(name="scale") as up:
        yield up


@pytest.mark.parametrize(
    ("messages", "consumers"),
    [(50_000, 40), pytest.param(1_000_000, 100, marks=[pytest.mark.soak, pytest.mark.timeout(600)])],
)
def test_many_messages_and_consumers(
    lab: Lab, wait_for: Callable[..., float], messages: int, consumers: int
) -> None:
    name = f"BIG{messages}"
    frames: dict[str, list[dict[str, Any]]] = {"acks": [], "stream": []}
    stages = [
        Frames(Player(lab.tape, view, (name,)), frames[view].append, watched=lab._monitor.watch)
        for view in frames
    ]
    run(call(lab, f"STREAM.CREATE.{name}", {"name": name, "subjects": [f"{name}.>"], "storage": "file"}))
    for n in range(consumers):
        run(
            call(
                lab,
                f"CONSUMER.CREATE.{name}.c{n:03}",
                {
                    "stream_name": name,
                    "config": {"durable_name": f"c{n:03}", "ack_policy": "explicit", "ack_wait": int(60e9)},
                },
            )
        )
    for stage in stages:
        stage.heard({"op": "hello"})
    begun = time.monotonic()

    async def fill() -> None:
        client = await lab.client("writer")
        js = client.jetstream()
        for _ in range(0, messages, 5_000):
            # A stream drops what comes too fast without asking: the last of each lot waits for its PubAck.
            await client.publish_many(f"{name}.a", b"x" * 16, 4_999)
            await js.publish(f"{name}.a", b"x" * 16, timeout=30)

    run(fill())

    async def work() -> None:
        client = await lab.client("worker")
        js = client.jetstream()
        for n in range(consumers):
            sub = await js.pull_subscribe_bind(f"c{n:03}", stream=name)
            got = await sub.fetch(n + 1, timeout=5)
            for msg in got[: n // 2]:
                await msg.ack()
            await sub.unsubscribe()
        await client.sync()

    wait_for(lambda: run(call(lab, f"STREAM.INFO.{name}"))["state"]["messages"] == messages, 120)
    run(work())
    lab.settle(10)

    state = lab.view("acks", name).state
    for n in range(consumers):
        said = agree(lab, name, f"c{n:03}", each=False, state=state)
        assert said["num_pending"] == messages - n - 1
    assert lab.view("stream", name).state.streams[name].messages == messages

    for stage in stages:
        stage.end()
    took = time.monotonic() - begun
    for view, sent in frames.items():
        scenes = [f for f in sent if f["op"] in ("scene", "delta")]
        assert scenes, view
        assert len(scenes) <= 10 * took + 2, f"{view}: at most ten frames a second"
        for frame in scenes:
            size = len(msgspec.json.encode(frame))
            assert size <= (FULL if frame["op"] == "scene" else FRAME), f"{view}: {size} bytes"
    run(call(lab, f"STREAM.DELETE.{name}"))
