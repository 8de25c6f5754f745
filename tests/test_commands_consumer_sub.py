"""Live handles on streams, on a real server."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator

import pytest

import natslab
from natslab.errors import CommandError, Timeout
from natslab.lab import Lab
from natslab.servers.jsapi import JetStreamError
from tests.streams import Bench

_numbers = itertools.count(1)


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    with natslab.Lab.up() as up:
        yield up


@pytest.fixture
def go(lab: Lab) -> Iterator[Bench]:
    """Runs lines; a stream of its own with six messages: a a a b b b."""
    bench = Bench(lab, f"SUB{next(_numbers)}")
    bench.api(
        "STREAM.CREATE.{S}",
        {"name": bench.stream, "subjects": [f"{bench.subject}.>"], "allow_direct": True},
    )
    bench.fill_with(3, "a")
    bench.fill_with(3, "b")
    yield bench
    for handle in list(lab.jobs.values()):
        handle.stop()


def seqs(handle: object) -> list[int]:
    return [m.seq for m in handle]  # type: ignore[attr-defined]


class TestOrdered:
    @pytest.mark.parametrize(
        ("flags", "want"),
        [
            ("--stream {S} -T", [1, 2, 3, 4, 5, 6]),
            ("{s}.> --all -T", [1, 2, 3, 4, 5, 6]),
            ("{s}.b --all --terminate-at-end", [4, 5, 6]),
            ("{s}.a {s}.b --all -T", [1, 2, 3, 4, 5, 6]),
            ("--stream {S} --last -T", [6]),
            ("--stream {S} --last-per-subject -T", [3, 6]),
            ("--stream {S} --start-sequence 5 -T", [5, 6]),
            ("--stream {S} --since 1h -T", [1, 2, 3, 4, 5, 6]),
            ("--stream {S} --new -T", []),
            ("--stream {S} {s}.none -T", []),
            ("--stream {S} --count 2 --wait 5s", [1, 2]),
            ("--stream {S} -I {s}.a -T", [4, 5, 6]),
            ("--stream {S} --direct -T", [1, 2, 3, 4, 5, 6]),
            ("{s}.b --direct --all -T", [4, 5, 6]),
            ("--stream {S} --direct --start-sequence 1 --count 1 --wait 5s", [1]),
            ("--stream {S} --direct --last-per-subject -T", [3, 6]),
            ("{s}.a --direct --last -T", [3]),
            ("--stream {S} --direct --since 1h -T", [1, 2, 3, 4, 5, 6]),
        ],
    )
    def test_what_is_read(self, go: Bench, flags: str, want: list[int]) -> None:
        handle = go(f"sub {flags}")
        assert seqs(handle) == want
        assert handle.ended
        assert go("con ls {S}").names == []

    def test_its_text(self, go: Bench) -> None:
        shown = repr(go("sub --stream {S} --last -T --as me"))
        assert shown == f"sub stream {go.stream} as me: 1 message\n#1  [6] {go.subject}.b  m3"
        assert repr(go("sub --stream {S} --last -T --raw")) == "m3"

    def test_it_goes_on(self, go: Bench) -> None:
        handle = go("sub --stream {S} --new")
        assert not handle.ended
        go.fill_with(2, "c")
        handle.wait(count=2)
        assert seqs(handle) == [7, 8]
        handle.stop()
        assert handle.ended
        assert go("con ls {S}").names == []
        assert handle.id not in go.lab.jobs

    def test_direct_goes_on(self, go: Bench) -> None:
        handle = go("sub --stream {S} --direct --new --count 1")
        go.fill_with(1, "c")
        handle.wait()
        assert seqs(handle) == [7]

    def test_its_consumer_is_deleted_under_it(self, go: Bench) -> None:
        handle = go("sub --stream {S} --all")
        handle.wait(count=6)
        (name,) = go("con ls {S}").names
        go(f"con rm {{S}} {name} -f")
        go.fill_with(1, "c")
        handle.wait(count=7)
        assert seqs(handle) == [1, 2, 3, 4, 5, 6, 7]

    def test_the_server_restarts(self, go: Bench) -> None:
        handle = go("sub --stream {S} --all")
        handle.wait(count=6)
        go.lab.server("n1").restart()
        go.fill_with(1, "c")
        handle.wait(timeout=20, count=7)
        assert seqs(handle) == [1, 2, 3, 4, 5, 6, 7]

    def test_the_stream_is_deleted(self, go: Bench, wait_for: Callable[..., float]) -> None:
        handle = go("sub --stream {S} --all")
        handle.wait(count=6)
        go.api("STREAM.DELETE.{S}")
        wait_for(lambda: handle.ended)
        assert handle.why == f"the stream {go.stream} was deleted"

    def test_a_report(self, go: Bench) -> None:
        report = go("sub --stream {S} -T --report-subjects")
        assert report.table()[1] == [[f"{go.subject}.a", "3", "6"], [f"{go.subject}.b", "3", "6"]]

    @pytest.mark.parametrize(
        ("line", "what"),
        [
            ("sub nobody.has.this --all", "No stream has messages on nobody.has.this"),
            ("sub --all", "subject or --stream"),
            ("sub --stream {S} --all --new", "exclude each other"),
            ("sub --stream {S} --start-sequence x", "is no sequence"),
            ("sub --stream {S} --since long", "is not a duration"),
            ("sub --stream {S} --queue q", "in no queue group"),
            ("sub --stream {S} --direct --durable d", "uses no consumer"),
            ("sub --stream {S} --match-replies", "a stream holds none"),
            ("sub --inbox --stream {S}", "no stream has it"),
            ("sub {s}.a {s}.b --direct --all", "reads one subject"),
            ("sub --stream 'a b'", "cannot be the name of a stream"),
        ],
    )
    def test_lines_that_make_no_sense(self, go: Bench, line: str, what: str) -> None:
        with pytest.raises(CommandError) as caught:
            go(line)
        assert what in caught.value.what
        assert go.lab.jobs == {}

    def test_unknown_and_not_allowed(self, go: Bench) -> None:
        with pytest.raises(JetStreamError, match="There is no stream"):
            go(f"sub --stream {go.stream}X --all")
        go.api("STREAM.UPDATE.{S}", {"name": go.stream, "subjects": [f"{go.subject}.>"]})
        with pytest.raises(CommandError, match="allows no direct reads"):
            go("sub --stream {S} --direct")
        with pytest.raises(Timeout):
            go("sub --stream {S} --new --count 1 --wait 50ms")
        assert go.lab.jobs == {}


class TestDurable:
    def test_made_and_gone_on_with(self, go: Bench) -> None:
        first = go("sub --stream {S} --durable d --ack --count 2 --wait 5s")
        assert seqs(first) == [1, 2]
        assert first.notes == ["the durable consumer d was made; it stays when this ends."]
        second = go("sub --stream {S} --durable d --ack -T")
        assert seqs(second) == [3, 4, 5, 6]
        info = go.info("d")
        assert (info["num_ack_pending"], info["ack_floor"]["stream_seq"]) == (0, 6)
        go("sub --stream {S} --durable d --ack -T")

    def test_two_share(self, go: Bench) -> None:
        go("con add {S} d")
        one = go("sub --stream {S} --durable d --ack --count 3 --wait 5s")
        two = go("sub --stream {S} --durable d --ack --count 3 --wait 5s")
        assert seqs(one) + seqs(two) == [1, 2, 3, 4, 5, 6]

    def test_without_ack_it_says_so(self, go: Bench) -> None:
        handle = go("sub --stream {S} --durable d --all -T")
        assert any("without --ack nothing is acknowledged" in n for n in handle.notes)
        assert go.info("d")["num_ack_pending"] == 6
        other = go("sub {s}.a --durable d --ack --new --count 1")
        assert any("was there already and goes on where it was" in n for n in other.notes)
        assert any("takes everything" in n for n in other.notes)


class TestConsumerSub:
    def test_pull(self, go: Bench) -> None:
        go("con add {S} c")
        handle = go("con sub {S} c --count 2 --wait 5s")
        assert seqs(handle) == [1, 2]
        assert [m.attempt for m in handle] == [1, 1]
        info = go.info("c")
        assert (info["num_ack_pending"], info["ack_floor"]["stream_seq"], info["num_pending"]) == (0, 2, 4)
        rest = go("con sub {S} c --no-ack --raw")
        rest.wait(count=4)
        assert repr(rest) == "m3\nm1\nm2\nm3"
        assert go.info("c")["num_ack_pending"] == 4

    def test_quiet(self, go: Bench) -> None:
        go("con add {S} c --filter {s}.a")
        handle = go("con sub {S} c --wait 100ms")
        assert (seqs(handle), handle.ended) == ([1, 2, 3], True)

    def test_push(self, go: Bench) -> None:
        go("con add {S} p --target out.{s} --ack explicit --heartbeat 100ms --flow-control")
        handle = go("con sub {S} p --count 6 --wait 5s")
        assert seqs(handle) == [1, 2, 3, 4, 5, 6]
        assert go.info("p")["num_ack_pending"] == 0

    def test_a_push_group(self, go: Bench, wait_for: Callable[..., float]) -> None:
        go("con add {S} p --target out.{s} --deliver-group g --ack explicit")
        with pytest.raises(CommandError, match="delivers to the queue group g, not to h"):
            go("con sub {S} p --deliver-group h")
        one, two = go("con sub {S} p --deliver-group g"), go("con sub {S} p")
        go.fill_with(20, "c")
        wait_for(lambda: one.count + two.count == 26)
        assert sorted(seqs(one) + seqs(two)) == list(range(1, 27))

    @pytest.mark.parametrize("how", ["", "--target out.{s} --ack explicit"])
    @pytest.mark.parametrize("deleted", ["consumer c", "stream {S}"])
    def test_deleted_under_it(
        self, go: Bench, wait_for: Callable[..., float], how: str, deleted: str
    ) -> None:
        go(f"con add {{S}} c {how}")
        handle = go("con sub {S} c")
        handle.wait(count=6)
        go("con rm {S} c -f" if "consumer" in deleted else "stream rm {S} -f")
        wait_for(lambda: handle.ended)
        assert handle.why == go.fill(f"the {deleted} was deleted")
        assert repr(handle).splitlines()[0].endswith(f"6 messages; it ended: {handle.why}")
        assert handle.stop().why == handle.why == handle.json()["why"]

    @pytest.mark.parametrize("how", ["--all", "--all --direct"])
    def test_the_stream_is_deleted_under_a_reader(
        self, go: Bench, wait_for: Callable[..., float], how: str
    ) -> None:
        handle = go(f"sub --stream {{S}} {how}")
        handle.wait(count=6)
        go("stream rm {S} -f")
        wait_for(lambda: handle.ended)
        assert handle.why == go.fill("the stream {S} was deleted")

    def test_an_ordinary_end_is_not_said(self, go: Bench) -> None:
        go("con add {S} c")
        assert "it ended" not in repr(go("con sub {S} c --count 2 --wait 5s"))
        assert "it ended" not in repr(go("con sub {S} c").stop())

    def test_no_place_in_a_priority_group(self, go: Bench) -> None:
        go("con add {S} c --pinned-groups jobs")
        with pytest.raises(CommandError) as caught:
            go("con sub {S} c")
        assert caught.value.hint == f"%js consumer next {go.stream} c --group jobs"
        go("con add {S} d")
        with pytest.raises(CommandError, match="has no queue group"):
            go("con sub {S} d --deliver-group x")
