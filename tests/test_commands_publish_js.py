"""Publishing to streams by the line, on a real server: acknowledgements, batches, schedules."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest

import natslab
from natslab.commands import parse
from natslab.errors import ClientError, CommandError, NoResponders
from natslab.lab import Lab
from natslab.loop import run
from natslab.servers.jsapi import Api, JetStreamError
from natslab.tape import event

Go = Callable[..., Any]


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    with natslab.Lab.up() as up:
        yield up


@pytest.fixture
def go(lab: Lab) -> Iterator[Go]:
    yield lambda line, body=None: parse(line, body).run()
    for handle in list(lab.jobs.values()):
        handle.stop()


@pytest.fixture
def stream(lab: Lab) -> Iterator[Callable[..., str]]:
    """`stream("S", allow_atomic=True)`: a stream of the subjects s.>; gone after the test."""
    made: list[str] = []

    async def call(subject: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        return await Api(await lab.client("maker")).call(subject, body)

    def make(name: str, **config: Any) -> str:
        subjects = {} if "subjects" in config else {"subjects": [f"{name.lower()}.>"]}
        run(call(f"STREAM.CREATE.{name}", {"name": name, "storage": "memory", **subjects, **config}))
        made.append(name)
        return name

    yield make
    for name in made:
        run(call(f"STREAM.DELETE.{name}"))


def stores(lab: Lab, stream: str) -> list[event.Store]:
    """What the clients of the lab were answered by that stream, in order."""
    lab.settle()
    events = lab.tape.between(0, lab.tape.head)
    return [e for e in events if isinstance(e, event.Store) and e.client and e.stream == stream]


class TestStored:
    def test_where_it_is(self, go: Go, lab: Lab, stream: Callable[..., str]) -> None:
        stream("ONE")
        result = go("pub one.a hello -J -H Nats-Msg-Id:7 -H Other:x")
        assert repr(result) == "Published 5 bytes to one.a\nStored in stream ONE with sequence 1"
        (told,) = stores(lab, "ONE")
        assert (told.client, told.subject, told.seq, told.size, told.payload) == (
            "you",
            "one.a",
            1,
            5,
            b"hello",
        )
        assert told.headers == [("Nats-Msg-Id", "7")]
        pub = next(
            e for e in lab.tape.between(0, lab.tape.head) if isinstance(e, event.Pub) and e.id == told.id
        )
        assert pub.subject == "one.a" and not pub.traced

    def test_a_duplicate(self, go: Go, lab: Lab, stream: Callable[..., str]) -> None:
        stream("TWO")
        go("pub two.a hello -J -H Nats-Msg-Id:1")
        again = go("pub two.a hello -J -H Nats-Msg-Id:1")
        assert again.duplicate and again.seq == 1
        assert repr(again).endswith("Duplicate of sequence 1 in stream TWO: not stored again")
        assert [e.duplicate for e in stores(lab, "TWO")] == [False, True]
        many = go("pub two.a x -J --count 20 -H 'Nats-Msg-Id:{{Count}}'")
        assert repr(many).splitlines()[1:] == [
            "Stored in stream TWO with sequences 2 to 20",
            "1 were duplicates and not stored again",
        ]

    @pytest.mark.parametrize(
        ("header", "code", "say"),
        [
            ("Nats-Expected-Last-Sequence:9", 10071, "Sequence 9 was expected, but the last message of the "
             "stream has sequence 1.* Nothing with sequence 9 was stored there yet"),
            ("Nats-Expected-Last-Sequence:0", 10071, "Sequence 0 was expected, but the last message of the "
             "stream has sequence 1.* Somebody published in between"),
            ("Nats-Expected-Last-Subject-Sequence:9", 10071, "last message on three.a has sequence 1"),
            ("Nats-Expected-Last-Msg-Id:9", 10070, "expected to be 9, but it is first"),
            ("Nats-Expected-Stream:ORDERS", 10060, "meant for the stream ORDERS"),
        ],
    )  # fmt: skip
    def test_expectations(
        self, go: Go, lab: Lab, stream: Callable[..., str], header: str, code: int, say: str
    ) -> None:
        stream("THREE")
        go("pub three.a hello -J -H Nats-Msg-Id:first")
        with pytest.raises(JetStreamError, match=str(code)) as caught:
            go(f"pub three.a hello -J -H {header}")
        assert caught.value.code == code and caught.value.hint
        assert re.search(say, f"{caught.value.what} {caught.value.hint}")
        refused = stores(lab, "THREE")[-1]
        assert (refused.code, refused.seq, refused.client) == (code, 0, "you") and refused.error

    def test_expectations_where_nothing_is(self, go: Go, stream: Callable[..., str]) -> None:
        stream("VOID")
        with pytest.raises(JetStreamError, match=r"there is no message on void\.a") as caught:
            go("pub void.a x -J -H Nats-Expected-Last-Subject-Sequence:4")
        assert "in between" not in caught.value.hint
        go("pub void.a x -J")
        with pytest.raises(JetStreamError, match="to be abc, but its last message has none") as caught:
            go("pub void.a x -J -H Nats-Expected-Last-Msg-Id:abc")
        assert "in between" not in caught.value.hint

    def test_what_was_stored_before_a_refusal_is_said(self, go: Go, stream: Callable[..., str]) -> None:
        stream("FULL", max_msgs=2, discard="new")
        with pytest.raises(JetStreamError, match="10077") as caught:
            go("pub full.a x -J --count 5")
        assert "2 messages before it are stored" in caught.value.hint

    def test_wrong_lines(self, go: Go) -> None:
        with pytest.raises(NoResponders, match="No stream takes messages on nowhere"):
            go("pub nowhere x -J")
        with pytest.raises(CommandError, match="cannot be given with -J"):
            go("pub nowhere x -J --reply here")

    def test_thousands_are_counted_exactly(self, go: Go, lab: Lab, stream: Callable[..., str]) -> None:
        stream("MANY")

        async def both() -> None:
            a, b = await lab.client("fast"), await lab.client("faster")
            one, two = a.jetstream(), b.jetstream()
            for _ in range(2500):
                await one.publish_async("many.a", b"12345")
                await two.publish_async("many.b", b"1")
            await one.publish_async_completed()
            await two.publish_async_completed()

        lab.do(both())
        told = stores(lab, "MANY")
        for client, size in (("fast", 12500), ("faster", 2500)):
            own = [e for e in told if e.client == client]
            assert sum(e.count for e in own) == 2500
            assert sum(e.size for e in own) == size
            assert len(own) < 2500
        assert max(e.seq for e in told) == 5000

    def test_acks_and_the_api_are_no_publishes(self, go: Go, lab: Lab, stream: Callable[..., str]) -> None:
        stream("QUIET")
        go("pub quiet.a x -J")
        lab.settle()
        before = lab.tape.head

        async def consume() -> None:
            js = (await lab.client("worker")).jetstream()
            sub = await js.pull_subscribe("quiet.>", "C")
            (message,) = await sub.fetch(1)
            await message.ack()
            assert lab.hub.ackers.get(message.reply, "worker") == "worker"
            await sub.unsubscribe()

        lab.do(consume())
        lab.settle()
        since = lab.tape.between(before, lab.tape.head)
        assert not [e for e in since if isinstance(e, event.Pub)]
        received = [e for e in since if isinstance(e, event.Recv)]
        assert [(e.subject, e.client) for e in received] == [("quiet.a", "worker")]
        assert not [e for e in since if isinstance(e, event.End)]


class TestAtomic:
    def test_all(self, go: Go, lab: Lab, stream: Callable[..., str]) -> None:
        stream("ALL", allow_atomic=True)
        result = go("%%nats pub 'all.{{Count}}' --atomic --send-on newline", "one\ntwo\nthree")
        assert repr(result).splitlines() == [
            "Published 3 messages to all.{{Count}}",
            "Stored in stream ALL as one batch, with sequences 1 to 3",
        ]
        assert result.batch and result.seq == 3
        told = stores(lab, "ALL")
        assert [(e.seq, e.payload, e.count) for e in told] == [
            (1, b"one", 1),
            (2, b"two", 1),
            (3, b"three", 1),
        ]
        assert {dict(e.headers)["Nats-Batch-Id"] for e in told} == {result.batch}
        assert repr(go("pub all.x only --atomic")).endswith("as one batch, with sequence 4")

    def test_or_none(self, go: Go, lab: Lab, stream: Callable[..., str]) -> None:
        stream("NONE", allow_atomic=True)
        with pytest.raises(JetStreamError, match="10071"):
            go("pub none.a 'n {{Count}}' --atomic --count 3 -H Nats-Expected-Last-Sequence:5")
        with pytest.raises(JetStreamError, match="10201"):
            go("pub none.a 'n {{Count}}' --atomic --count 3 -H Nats-Msg-Id:same")
        with pytest.raises(JetStreamError, match="10199"):
            go("pub none.a x --atomic --count 1001")
        stream("PLAIN")
        with pytest.raises(JetStreamError, match="10174") as caught:
            go("pub plain.a x --atomic --count 2")
        assert "%js stream edit PLAIN --allow-batch" in caught.value.hint
        with pytest.raises(ClientError, match="No stream"):
            go("pub nowhere.a x --atomic")
        with pytest.raises(CommandError, match="waits for nothing"):
            go("pub none.a x --atomic --sleep 1s")
        assert not [e for e in stores(lab, "NONE") if e.seq]
        info = go("req $JS.API.STREAM.INFO.NONE ''").value
        assert info["state"]["messages"] == 0


class TestSchedule:
    def test_later(self, go: Go, stream: Callable[..., str], wait_for: Callable[..., float]) -> None:
        stream("PLAN", allow_msg_schedules=True, allow_msg_ttl=True)
        result = go("pub plan.job tick --schedule-after 10ms --schedule-dest plan.out --schedule-ttl 5s")
        assert repr(result) == (
            "Published 4 bytes to plan.job\nStored in stream PLAN with sequence 1\n"
            "Scheduled: it is published to plan.out after 10ms and lives 5s"
        )
        assert result.seq == 1
        stored = go("req $JS.API.STREAM.MSG.GET.PLAN '{\"seq\": 1}'").value["message"]
        assert stored["subject"] == "plan.job"

        def came() -> Any:
            return go('req $JS.API.STREAM.MSG.GET.PLAN \'{"last_by_subj": "plan.out"}\'').value.get("message")

        wait_for(came)
        message = came()
        assert base64.b64decode(message["data"]) == b"tick"
        assert b"Nats-Scheduler: plan.job" in base64.b64decode(message["hdrs"])

    @pytest.mark.parametrize(
        ("flags", "header"),
        [
            ("--schedule-every 90s", "@every 90s"),
            ("--schedule-every 1500ms", "@every 1500ms"),
            ("--schedule-cron '0 30 9 * * *'", "0 30 9 * * *"),
            ("--schedule-cron @hourly", "@hourly"),
            ("--schedule-at 2030-01-01T12:00:00+01:00", "@at 2030-01-01T11:00:00Z"),
        ],
    )
    def test_rules(self, go: Go, lab: Lab, stream: Callable[..., str], flags: str, header: str) -> None:
        stream("RULE", allow_msg_schedules=True)
        go(f"pub rule.job '' {flags} --schedule-dest rule.out --schedule-source rule.in")
        assert dict(stores(lab, "RULE")[-1].headers) == {
            "Nats-Schedule": header,
            "Nats-Schedule-Target": "rule.out",
            "Nats-Schedule-Source": "rule.in",
        }

    @pytest.mark.parametrize(
        ("flags", "say"),
        [
            ("--schedule-every 2s", "needs the subject"),
            ("--schedule-dest a.b", "says nothing about when"),
            ("--schedule-every 2s --schedule-after 1s --schedule-dest a.b", "exclude each other"),
            ("--schedule-every 2s --schedule-dest no.a", "kept on no.a"),
            ("--schedule-every 2s --schedule-dest 'a b'", "white space"),
            ("--schedule-every often --schedule-dest a.b", "not a duration"),
            ("--schedule-every 100ms --schedule-dest a.b", "shortest is 1s"),
            ("--schedule-at soon --schedule-dest a.b", "is no time"),
            ("--schedule-cron '* * * * *' --schedule-dest a.b", "six are needed"),
            ("--schedule-every 2s --schedule-dest a.b --schedule-ttl 0s", "no lifetime"),
            ("--schedule-every 2s --schedule-dest a.b --atomic", "cannot be scheduled"),
        ],
    )
    def test_wrong_lines(self, go: Go, flags: str, say: str) -> None:
        with pytest.raises(CommandError, match=say) as caught:
            go(f"pub no.a x {flags}")
        assert caught.value.hint

    @pytest.mark.parametrize(
        ("config", "flags", "code"),
        [
            ({}, "--schedule-every 2s --schedule-dest sno.b", 10188),
            ({"allow_msg_schedules": True}, "--schedule-every 2s --schedule-dest other", 10190),
            ({"allow_msg_schedules": True}, "--schedule-cron 'a b c d e f' --schedule-dest sno.b", 10189),
            (
                {"allow_msg_schedules": True},
                "--schedule-every 2s --schedule-dest sno.b --schedule-ttl 9s",
                10166,
            ),
        ],
    )
    def test_refusals(
        self, go: Go, stream: Callable[..., str], config: dict[str, Any], flags: str, code: int
    ) -> None:
        stream("SNO", **config)
        with pytest.raises(JetStreamError) as caught:
            go(f"pub sno.a x {flags}")
        assert caught.value.code == code
        assert json.dumps(caught.value.what) and "Traceback" not in str(caught.value)
