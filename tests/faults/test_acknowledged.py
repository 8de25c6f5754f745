"""What a stream of three replicas has acknowledged is there, whatever happens to servers and wires meanwhile.

Publishers with and without message ids, who try again or do not, and a consumer, while servers are killed,
stopped, frozen, cut off and asked to step down at random. In the end every acknowledged message is there
exactly once and in order, the views say what the leaders say, and the tape explains every publish that was
not acknowledged: what came back, what was wrong just then, and whether it was stored all the same.
"""

from __future__ import annotations

import asyncio
import os
from collections import Counter
from collections.abc import Iterator

import nats.errors
import pytest

from natslab.errors import NatslabError
from natslab.lab import Lab
from natslab.loop import loop, run
from natslab.tape.event import End, Event, Leader, Link, Mark, Server, Store
from tests.clusters import agrees, ask, events, led, told_once
from tests.faults.chaos import Chaos
from tests.faults.history import Publisher, contents, explained, judge

SEED = int(os.environ.get("NATSLAB_SEED", "20"))
AFTER = 20.0  # seconds after its end in which a fault may still be felt: measured up to 18 after a cut


@pytest.fixture
def lab() -> Iterator[Lab]:
    with Lab.up(servers=3, name="faults") as up:
        yield up


async def work(lab: Lab, going: asyncio.Event) -> None:
    """A worker who acknowledges most of what comes, and is sure of it or not."""
    client = await lab.client("worker")
    while going.is_set():
        try:
            sub = await client.jetstream().pull_subscribe_bind("worker", stream="ORDERS")
            while going.is_set():
                for msg in await sub.fetch(20, timeout=1):
                    await msg.ack()
        except (NatslabError, nats.errors.Error, OSError):
            await asyncio.sleep(0.1)


def troubles(told: list[Event]) -> list[tuple[float, float]]:
    """When something was wrong, by the tape: a server did not run, a wire was not whole, nobody led."""
    out: list[tuple[float, float]] = []
    since: dict[str, float] = {}
    for e in told:
        what, bad = "", False
        if isinstance(e, Server):
            what, bad = e.name, e.state != "up"
        elif isinstance(e, Link):
            what, bad = f"{e.a} {e.b}", e.state != "open" or not e.connected
        elif isinstance(e, Leader):
            out.append((e.t - 1.0, e.t + 1.0))  # another one from here on
            what, bad = e.group, not e.leader
        if bad:
            since.setdefault(what, e.t)
        elif what in since:
            out.append((since.pop(what), e.t + AFTER))
    return out + [(t, float("inf")) for t in since.values()]


@pytest.mark.timeout(420)
@pytest.mark.parametrize(
    ("seconds", "seed"),
    [(30, SEED), *(pytest.param(180, SEED + n, marks=pytest.mark.soak) for n in (1, 2))],
)
def test_what_was_acknowledged_is_there(lab: Lab, seconds: float, seed: int) -> None:
    body = {"name": "ORDERS", "subjects": ["orders.>"], "num_replicas": 3}
    ask(lab, "STREAM.CREATE.ORDERS", body)
    config = {"durable_name": "worker", "ack_policy": "explicit", "ack_wait": int(5e9)}
    ask(lab, "CONSUMER.CREATE.ORDERS.worker", {"stream_name": "ORDERS", "config": config})
    led(lab, "ORDERS", "worker")
    publishers = [
        Publisher("steady", "n1", ids=True, again=True),
        Publisher("sure", "n2", ids=True, again=True),
        Publisher("once", "n3", ids=False, again=False),
        Publisher("twice", "n1", ids=False, again=True),
    ]
    going = asyncio.Event()
    going.set()
    pause = 0.01 * max(1.0, seconds / 30)
    for one in publishers:
        run(one.connect(lab))
    tasks = [
        asyncio.run_coroutine_threadsafe(one.run("orders", going, pause), loop().asyncio)
        for one in publishers
    ]
    run(lab.client("worker"))
    working = asyncio.run_coroutine_threadsafe(work(lab, going), loop().asyncio)
    chaos = Chaos(lab, "ORDERS", seed)
    chaos.run(seconds)
    chaos.mend()
    led(lab, "ORDERS")
    loop().asyncio.call_soon_threadsafe(going.clear)
    for task in (*tasks, working):
        task.result(60)

    said = f"seed {seed}: {'; '.join(chaos.said)}"
    led(lab, "ORDERS", "worker")
    agrees(lab, "ORDERS", "worker", timeout=30)
    told_once(lab, "ORDERS", acks_too=False)
    told = events(lab)
    there = run(contents(lab, "ORDERS"))
    read = {e.seq: e.payload for e in told if isinstance(e, Store) and not e.client and e.stream == "ORDERS"}
    assert read == there, said
    bad = troubles(told)
    total: Counter[str] = Counter()
    for one in publishers:
        judge(one, there)
        total.update(explained(one, told))
    print(f"{dict(total)}, {len(there)} stored; {said}")
    assert total["stored"] > 10 * seconds, f"{dict(total)}; {said}"
    labels = {one.client.label for one in publishers}
    for end in [e for e in told if isinstance(e, End) and e.of == "request" and e.client in labels]:
        near = any(a <= end.t and end.t - end.took <= b for a, b in bad)
        assert near, f"nothing explains {end}; {said}"
    assert not [e for e in told if isinstance(e, Mark) and not e.ok]
