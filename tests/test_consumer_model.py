"""Consumer semantics as a model: whatever is done, the acks view says what the server says.

Random publishes, fetches, acks, naks, terms, progress notes, waits, pauses, restarts and new beginnings
against a real server, for consumers of all, of what is new, of each subject's last, and of one subject.
After each step, at quiescence, the totals that the view folded from events equal the server's own.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import os
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, note, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)
from nats.aio.msg import Msg

from natslab.lab import Lab
from natslab.loop import run
from tests.agreeing import agree, call

ACK_WAIT = 0.4  # seconds
MAX_DELIVER = 3
EXAMPLES = 200 if os.environ.get("NATSLAB_SOAK") else 25

_numbers = itertools.count(1)


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    with Lab.up(name="model") as up:
        yield up


async def _pull(lab: Lab, stream: str, consumer: str, batch: int) -> list[Msg]:
    """What the consumer has right now, at most `batch`: a pull that waits for nothing."""
    client = await lab.client("worker")
    inbox = client.new_inbox()
    sub = await client.subscribe(inbox)
    body = json.dumps({"batch": batch, "no_wait": True}).encode()
    await client.publish(f"$JS.API.CONSUMER.MSG.NEXT.{stream}.{consumer}", body, reply=inbox)
    got: list[Msg] = []
    try:
        while len(got) < batch:
            msg = await sub.next_msg(3)
            if (msg.headers or {}).get("Status"):
                break
            got.append(msg)
    finally:
        await sub.unsubscribe()
    return got


class Consumers(RuleBasedStateMachine):
    """One stream with one consumer; `lab` is set by the test."""

    lab: Lab
    storage = "file"
    replicas = 1

    def __init__(self) -> None:
        super().__init__()
        n = next(_numbers)
        self.stream, self.consumer = f"S{n}", f"C{n}"
        self.published = 0
        self.config: dict[str, Any] = {}
        self.paused = False
        self.attempts: dict[int, int] = {}  # sequence -> the newest attempt that came
        self.held: dict[int, Msg] = {}  # the newest delivery of what is not settled
        self.over: set[int] = set()  # acked or terminated, and the server said so
        self.restarts = 0
        self.recounts = False  # who leads it began to do so after it was made
        self.log: list[str] = []

    @initialize(
        before=st.integers(0, 4),
        deliver=st.sampled_from(["all", "new", "last_per_subject"]),
        ack=st.sampled_from(["explicit", "explicit", "all"]),
        one=st.booleans(),
        max_ack_pending=st.sampled_from([3, 1000]),
        backoff=st.booleans(),
    )
    def start(
        self, before: int, deliver: str, ack: str, one: bool, max_ack_pending: int, backoff: bool
    ) -> None:
        self.config = {
            "durable_name": self.consumer,
            "deliver_policy": deliver,
            "filter_subject": f"{self.stream}.a" if one else f"{self.stream}.>",
            "ack_policy": ack,
            "ack_wait": int(ACK_WAIT * 1e9),
            "max_deliver": MAX_DELIVER,
            "max_ack_pending": max_ack_pending,
        }
        if backoff:
            self.config["backoff"] = [int(ACK_WAIT * 1e9), int(2 * ACK_WAIT * 1e9)]
        stream = {"name": self.stream, "subjects": [f"{self.stream}.>"], "storage": self.storage}
        self.ask(f"STREAM.CREATE.{self.stream}", stream | {"num_replicas": self.replicas})
        for i in range(before):
            self.publish(1, "ab"[i % 2])
        self._make()

    def _make(self) -> None:
        self.log.append(f"a consumer of {self.config}")
        body = {"stream_name": self.stream, "config": self.config}
        self.ask(f"CONSUMER.CREATE.{self.stream}.{self.consumer}", body)

    def ask(self, subject: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        return run(call(self.lab, subject, body))

    def teardown(self) -> None:
        self.ask(f"STREAM.DELETE.{self.stream}")

    # --- what may happen --------------------------------------------------------------------

    @rule(count=st.integers(1, 4), to=st.sampled_from("ab"))
    def publish(self, count: int, to: str) -> None:
        async def all_of_them() -> None:
            js = (await self.lab.client("writer")).jetstream()
            for _ in range(count):
                self.published += 1
                self.log.append(f"publish {self.published} to {to}")
                ack = await js.publish(f"{self.stream}.{to}", b"x")
                assert ack.seq == self.published

        run(all_of_them())

    @rule(batch=st.integers(1, 4))
    def fetch(self, batch: int) -> None:
        self._fetch(batch)

    def _fetch(self, batch: int) -> list[Msg]:
        if self.paused:
            return []
        got = run(_pull(self.lab, self.stream, self.consumer, batch))
        for msg in got:
            seq, attempt = msg.metadata.sequence.stream, msg.metadata.num_delivered
            assert seq not in self.over, "an acked message never comes again"
            assert attempt == self.attempts.get(seq, 0) + 1, "each delivery counts, and none twice"
            assert attempt <= MAX_DELIVER
            self.log.append(f"got {seq}, attempt {attempt}")
            self.attempts[seq] = attempt
            self.held[seq] = msg
        return got

    # What may be answered depends on a real server: rules always take the same data, and choose with it.

    def _choose(self, which: int) -> int | None:
        return sorted(self.held)[which % len(self.held)] if self.held else None

    @rule(which=st.integers(0, 9))
    def ack(self, which: int) -> None:
        if (seq := self._choose(which)) is not None:
            self.log.append(f"ack {seq}")
            run(self.held.pop(seq).ack_sync(timeout=3))
            self.over.add(seq)
            if self.config["ack_policy"] == "all":
                self.over |= {s for s in self.attempts if s < seq}
                self.held = {s: msg for s, msg in self.held.items() if s > seq}

    @rule(which=st.integers(0, 9), delay=st.sampled_from([0.0, 0.1]))
    def nak(self, which: int, delay: float) -> None:
        self._answer(which, b'-NAK {"delay": %d}' % int(delay * 1e9) if delay else b"-NAK")

    @rule(which=st.integers(0, 9))
    def term(self, which: int) -> None:
        if (seq := self._answer(which, b"+TERM broken")) is not None:
            self.over.add(seq)
            del self.held[seq]

    @rule(which=st.integers(0, 9))
    def progress(self, which: int) -> None:
        self._answer(which, b"+WPI")

    def _answer(self, which: int, body: bytes) -> int | None:
        seq = self._choose(which)

        async def send(reply: str) -> None:
            client = await self.lab.client("worker")
            await client.publish(reply, body)
            await client.sync()

        if seq is not None:
            self.log.append(f"{body.decode()} {seq}")
            run(send(self.held[seq].reply))
        return seq

    @rule()
    def wait(self) -> None:
        """Ask until something that was not answered comes again."""
        if self.paused or not any(n < MAX_DELIVER for s, n in self.attempts.items() if s in self.held):
            return
        for _ in range(200):
            got = self._fetch(1)
            if got and got[0].metadata.num_delivered > 1:
                return
            run(_breathe())

    @rule()
    def pause(self) -> None:
        """Nothing is handed out while it is paused; or that is over."""
        self.paused = not self.paused
        self.log.append("pause" if self.paused else "resume")
        until = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
        body = {"pause_until": until} if self.paused else {}
        self.ask(f"CONSUMER.PAUSE.{self.stream}.{self.consumer}", body)

    @rule(batch=st.integers(0, 3))
    def begin_anew(self, batch: int) -> None:
        """Another consumer of the same name knows nothing of the first one's messages."""
        self.log.append("delete")
        self.ask(f"CONSUMER.DELETE.{self.stream}.{self.consumer}")
        self.attempts, self.held, self.over, self.paused = {}, {}, set(), False
        self._make()
        if batch:
            self._fetch(batch)

    @rule(hard=st.booleans())
    def restart(self, hard: bool) -> None:
        if self.storage != "file" or self.restarts:
            return  # memory does not survive
        self.restarts += 1
        self.log.append("kill" if hard else "restart")
        self.recounts = True
        self._restart(hard)

    def _restart(self, hard: bool) -> None:
        server = self.lab.server("n1")
        if hard:
            server.kill()
            server.start()
        else:
            server.restart()

    # --- what must hold ---------------------------------------------------------------------

    @invariant()
    def the_view_says_what_the_server_says(self) -> None:
        note("; ".join(self.log))
        if self.config:
            self._agrees()

    def _agrees(self) -> None:
        self.lab.settle(3)
        said = agree(self.lab, self.stream, self.consumer)
        state = self.lab.view("acks", self.stream).state
        one, totals = state.consumer(self.stream, self.consumer), state.totals(self.stream, self.consumer)
        known = totals.ack_pending + totals.acked + totals.terminated + totals.exhausted
        assert known == len(self.attempts), "what was handed out is known, and nothing else"
        assert one.paused == self.paused
        status = {seq: state.status(one, seq) for seq in range(1, self.published + 1)}
        assert all(status[seq] not in ("", "stored") for seq in self.attempts)
        assert all(status[seq] in ("", "stored") for seq in status if seq not in self.attempts)
        stored = list(status.values()).count("stored")
        if self.config["deliver_policy"] != "last_per_subject":
            assert stored == said["num_pending"]
        elif not self.recounts:  # a server that was restarted counts the last ones only (measured: 2.15.1)
            assert stored <= said["num_pending"]


async def _breathe() -> None:
    await asyncio.sleep(0.02)


def play(machine: type[Consumers], examples: int, **of: Any) -> None:
    """Run the machine with these attributes, e.g. its lab, so often."""
    run_state_machine_as_test(  # type: ignore[no-untyped-call]
        type(machine.__name__, (machine,), of),
        settings=settings(
            max_examples=examples,
            stateful_step_count=10,
            deadline=None,
            database=None,
            phases=[Phase.generate],  # a real server does not do the same twice: nothing to shrink
            suppress_health_check=list(HealthCheck),
        ),
    )


@pytest.mark.timeout(120 + 5 * EXAMPLES)
@pytest.mark.parametrize("storage", ["file", "memory"])
def test_the_view_and_the_server_agree_whatever_is_done(lab: Lab, storage: str) -> None:
    play(Consumers, EXAMPLES, lab=lab, storage=storage)
