"""Fetching from consumers, on a real server: what comes, what does not come and why."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator

import pytest

import natslab
from natslab.errors import ClientError, CommandError, NatslabError, ServerError, Timeout
from natslab.lab import Lab
from natslab.servers.jsapi import JetStreamError
from tests.streams import Bench

_numbers = itertools.count(1)


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    with natslab.Lab.up() as up:
        yield up


@pytest.fixture
def go(lab: Lab) -> Bench:
    """Runs lines; a stream of its own for each test."""
    bench = Bench(lab, f"NXT{next(_numbers)}")
    bench.api("STREAM.CREATE.{S}", {"name": bench.stream, "subjects": [f"{bench.subject}.>"]})
    return bench


class TestFetch:
    def test_one_is_acknowledged(self, go: Bench) -> None:
        go("pub {s}.a hello -J -H Region:eu")
        go.fill_with(1)
        go("con add {S} c")
        got = go("con next {S} c")
        message = got[0]
        assert (message.seq, message.attempt, message.pending, message.cseq) == (1, 1, 1, 1)
        assert (message.subject, message.data, message.headers) == (
            f"{go.subject}.a",
            b"hello",
            {"Region": "eu"},
        )
        assert (got.status, got.why, got.answer, message.answer) == (200, "", "ack", "ack")
        info = go.info("c")
        assert (info["num_ack_pending"], info["ack_floor"]["stream_seq"]) == (0, 1)
        lead, _, head, row = repr(got).splitlines()
        assert lead == f"1 message from c on {go.stream}, acknowledged"
        assert head.split() == ["Seq", "Attempt", "Subject", "Message", "Pending"]
        assert row.split() == ["1", "1", f"{go.subject}.a", "hello", "(Region:", "eu)", "1"]
        assert repr(go("con next {S} c --raw")) == "m1"

    def test_no_answer_nak_and_term(self, go: Bench) -> None:
        go.fill_with(3)
        go("con add {S} c")
        left = go("con next {S} c --no-ack")
        assert (left.seqs, go.info("c")["num_ack_pending"]) == ([1], 1)
        assert "not answered" in repr(left)
        refused = go("con next {S} c --nak")
        assert "refused (nak): it comes again" in repr(refused)
        again = go("con next {S} c --term")
        assert (again.seqs, again[0].attempt) == (refused.seqs, 2)
        assert "terminated: it does not come again" in repr(again)
        assert go("con next {S} c").seqs == [3]
        assert go.info("c")["num_ack_pending"] == 1

    def test_many_and_why_no_more(self, go: Bench) -> None:
        go.fill_with(3)
        go("con add {S} c")
        got = go("con next {S} c --count 5")
        assert got.seqs == [1, 2, 3]
        assert (got.status, got.why) == (404, "nothing more is there (404)")
        assert repr(got).endswith("\nNote: nothing more is there (404).")
        nothing = go("con next {S} c --wait 50ms")
        assert not nothing
        assert (nothing.status, nothing.why) == (408, "nothing is there (408)")
        assert repr(nothing) == f"No message from c on {go.stream}: nothing is there (408)"
        assert nothing.json()["messages"] == []
        assert go("con next {S} c --wait 0s").why.startswith("nothing is there")

    def test_waiting_for_all_of_them(self, go: Bench) -> None:
        go.fill_with(1)
        go("con add {S} c")
        later = go.later("con next {S} c --count 3 --wait 5s")
        while not go.info("c")["num_waiting"]:
            pass
        go.fill_with(2, "b")
        assert later.result().seqs == [1, 2, 3]

    def test_a_filter_that_matches_nothing(self, go: Bench) -> None:
        go.fill_with(2)
        go("con add {S} c --filter {s}.none")
        assert go("con next {S} c --wait 50ms").why == "nothing is there (408)"

    def test_two_fetchers_share(self, go: Bench) -> None:
        go.fill_with(6)
        go("con add {S} c")
        one = go("con next {S} c --count 2 --as alice")
        two = go("con next {S} c --count 2 --as bob")
        three = go("con next {S} c --count 2 --as alice")
        assert one.seqs + two.seqs + three.seqs == [1, 2, 3, 4, 5, 6]
        assert go.info("c")["ack_floor"]["stream_seq"] == 6

    def test_max_ack_pending(self, go: Bench) -> None:
        go.fill_with(6)
        go("con add {S} c --max-pending 3")
        got = go("con next {S} c --count 5 --no-ack")
        assert got.seqs == [1, 2, 3]
        assert got.why == "max_ack_pending is 3, and 3 wait for their ack"
        full = go("con next {S} c --count 5 --wait 50ms")
        assert (len(full), full.why) == (0, "max_ack_pending is 3, and 3 wait for their ack (408)")

    def test_max_deliver_exhausted(self, go: Bench) -> None:
        go.fill_with(2)
        go("con add {S} c --max-deliver 2")
        assert [go("con next {S} c --nak")[0].attempt for _ in range(2)] == [1, 2]
        assert go("con next {S} c --count 3").seqs == [2]

    def test_redelivered_after_the_ack_wait(self, go: Bench) -> None:
        go.fill_with(1)
        go("con add {S} c --wait 100ms")
        go("con next {S} c --no-ack")
        again = go("con next {S} c --wait 5s")
        assert (again.seqs, again[0].attempt) == ([1], 2)

    def test_ack_policies(self, go: Bench) -> None:
        go.fill_with(3)
        go("con add {S} none --ack none")
        got = go("con next {S} none --count 2")
        assert (got.seqs, got.answer) == ([1, 2], "no acks")
        assert "wants no acks" in repr(got)
        go("con add {S} all --ack all")
        go("con next {S} all --count 2 --no-ack")
        go("con next {S} all")
        assert go.info("all")["ack_floor"]["stream_seq"] == 3

    def test_headers_only_and_odd_payloads(self, go: Bench) -> None:
        go("pub {s}.a '<b>&\x1b[31m' -J")
        go("con add {S} c")
        go("con add {S} h --headers-only")
        assert "\x1b" not in repr(go("con next {S} c"))
        assert go("con next {S} h")[0].headers["Nats-Msg-Size"] == "9"

    def test_trace_shows_the_wire(self, go: Bench) -> None:
        go.fill_with(1)
        go("con add {S} c")
        shown = repr(go("con next {S} c --count 2 --trace"))
        assert f">>> $JS.API.CONSUMER.MSG.NEXT.{go.stream}.c" in shown
        assert '{"batch": 2, "expires": 200000000, "no_wait": true}' in shown
        assert "<<< 404 No Messages" in shown

    def test_limits_of_the_consumer(self, go: Bench) -> None:
        go.fill_with(3)
        go("con add {S} c --max-pull-batch 2 --max-pull-expire 1s")
        with pytest.raises(ClientError, match="Exceeded MaxRequestBatch of 2"):
            go("con next {S} c --count 3 --wait 1s")
        with pytest.raises(ClientError, match="Exceeded MaxRequestExpires of 1s"):
            go("con next {S} c --wait 3s")

    def test_lines_that_make_no_sense(self, go: Bench) -> None:
        go("con add {S} push --target out.{s}")
        with pytest.raises(ClientError, match=f"publishes its messages to out.{go.subject}"):
            go("con next {S} push")
        go("con add {S} c")
        for line in ("con next {S} c --nak --term", "con next {S} c --hold --nak", "con next {S} c --count 0",
                     "con next {S} c --count 9999999", "con next {S} 'c c'", "con next {S}"):  # fmt: skip
            with pytest.raises(CommandError):
                go(line)
        with pytest.raises(JetStreamError, match="no consumer d"):
            go("con next {S} d")


class TestPriorityGroups:
    def test_overflow(self, go: Bench) -> None:
        go.fill_with(3)
        go("con add {S} c --overflow-groups g")
        little = go("con next {S} c --group g --min-pending 10 --wait 50ms")
        assert (len(little), little.why) == (0, "too little is waiting for an overflow client (408)")
        assert go("con next {S} c --group g --min-pending 2").seqs == [1]
        assert go("con next {S} c --group g --no-ack").seqs == [2]
        assert not go("con next {S} c --group g --min-ack-pending 2 --wait 50ms")
        assert go("con next {S} c --group g --min-ack-pending 1").seqs == [3]

    def test_prioritized(self, go: Bench, wait_for: Callable[..., float]) -> None:
        go("con add {S} c --prioritized-groups g")
        last = go.later("con next {S} c --group g --priority 5 --as late --wait 5s")
        wait_for(lambda: go.info("c")["num_waiting"] == 1)
        first = go.later("con next {S} c --group g --priority 1 --as early --wait 5s")
        wait_for(lambda: go.info("c")["num_waiting"] == 2)
        go.fill_with(1)
        assert first.result().seqs == [1]
        go.fill_with(1)
        assert last.result().seqs == [2]
        with pytest.raises(ClientError, match="Priority must be between"):
            go("con next {S} c --group g --priority 10")

    def test_the_pin_is_no_part_of_the_text(self, go: Bench) -> None:
        go.fill_with(1)
        go("con add {S} c --pinned-groups g")
        got = go("con next {S} c --group g")
        assert got.pin == got[0].headers["Nats-Pin-Id"]
        assert got.pin not in repr(got)


class TestTrouble:
    def test_the_consumer_is_deleted_while_it_is_fetched_from(
        self, go: Bench, wait_for: Callable[..., float]
    ) -> None:
        go("con add {S} c")
        waiting = go.later("con next {S} c --count 2 --wait 30s")
        wait_for(lambda: go.info("c")["num_waiting"] == 1)
        go("con rm {S} c -f")
        with pytest.raises(ClientError, match="c was deleted while it was fetched from"):
            waiting.result()

    def test_deleted_after_some_came(self, go: Bench, wait_for: Callable[..., float]) -> None:
        go.fill_with(1)
        go("con add {S} c")
        waiting = go.later("con next {S} c --count 2 --wait 30s --no-ack")
        wait_for(lambda: go.info("c")["delivered"]["stream_seq"] == 1)
        go("con rm {S} c -f")
        got = waiting.result()
        assert (got.seqs, got.status, got.why) == ([1], 409, "then the consumer was deleted (409)")

    @pytest.mark.parametrize(
        ("how", "says"),
        [
            ("", "2 messages had come before, and no ack is known to have arrived: they come again after"),
            ("--hold", "2 messages had come before, and they are held."),
        ],
    )
    def test_what_had_come_is_said(
        self, go: Bench, wait_for: Callable[..., float], how: str, says: str
    ) -> None:
        go.fill_with(2)
        go("con add {S} c")
        waiting = go.later(f"con next {{S}} c --count 3 --wait 30s {how}")
        wait_for(lambda: go.info("c")["num_ack_pending"] == 2)
        go.lab.server("n1").kill()
        try:
            with pytest.raises(ServerError) as caught:
                waiting.result()
        finally:
            go.lab.server("n1").start()
            go.lab.held.clear()
        assert caught.value.what.startswith(f"n1 went down. {says}")

    def test_without_wait_it_takes_what_is_there(self, go: Bench) -> None:
        go("con add {S} c")
        asked = go("con next {S} c --trace")
        assert (len(asked), asked.why) == (0, f"nothing is there ({asked.status})")
        assert '"expires": 200000000, "no_wait": true' in repr(asked)
        go("con pause {S} c 1h -f")
        paused = go("con next {S} c --wait 9m --trace")  # at once: the pause is longer than the wait
        assert paused.why.startswith("the consumer is paused")
        assert '"expires": 200000000, "no_wait": true' in repr(paused)

    def test_the_stream_is_deleted_meanwhile(self, go: Bench, wait_for: Callable[..., float]) -> None:
        go("con add {S} c")
        waiting = go.later("con next {S} c --wait 30s")
        wait_for(lambda: go.info("c")["num_waiting"] == 1)
        go.api("STREAM.DELETE.{S}")
        with pytest.raises(NatslabError, match="deleted"):
            waiting.result()

    def test_the_server_is_killed_frozen_and_back(self, go: Bench, wait_for: Callable[..., float]) -> None:
        go.fill_with(2)
        go("con add {S} c")
        go("con next {S} c")
        go("con next {S} c --hold")
        # What was handed out less than 100 ms before a SIGKILL is forgotten (measured): wait for its file.
        state = next(go.lab.fleet.folder.rglob(f"{go.stream}/obs/c/o.dat"))
        wait_for(lambda: state.read_bytes()[5] == 2)  # the stream sequence that was delivered last
        waiting = go.later("con next {S} c --count 3 --wait 30s")
        wait_for(lambda: go.info("c")["num_waiting"] == 1)
        go.lab.server("n1").kill()
        with pytest.raises(ServerError, match="n1 went down") as caught:
            waiting.result()
        assert "before" not in caught.value.what
        assert list(go.lab.held) == [(go.stream, "c", 2)]
        for line in ("con next {S} c", "natslab ack {S} c 2", "natslab term {S} c 2"):
            with pytest.raises(ServerError, match="n1 is down"):
                go(line)
        go.lab.server("n1").start()
        assert repr(go("natslab ack {S} c 2")) == f"{go.stream} 2 of c: acknowledged"
        info = go.info("c")
        assert (info["num_ack_pending"], info["ack_floor"]["stream_seq"]) == (0, 2)
        go.lab.server("n1").freeze()
        try:
            with pytest.raises((Timeout, ServerError), match="frozen"):
                go("con next {S} c --wait 50ms --timeout 300ms")
        finally:
            go.lab.server("n1").thaw()
        assert go("con next {S} c --wait 50ms").status == 408
