"""Held messages and what is said about them, on a real server."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator

import pytest

import natslab
from natslab.errors import ClientError, CommandError
from natslab.lab import Lab
from natslab.magics.complete import complete
from natslab.tape.event import Ack, Deliver, Mark
from tests.streams import Bench

_numbers = itertools.count(1)


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    with natslab.Lab.up() as up:
        yield up


@pytest.fixture
def go(lab: Lab) -> Iterator[Bench]:
    """Runs lines; a stream of its own for each test, and nothing held."""
    bench = Bench(lab, f"HLD{next(_numbers)}")
    bench.api("STREAM.CREATE.{S}", {"name": bench.stream, "subjects": [f"{bench.subject}.>"]})
    yield bench
    lab.held.clear()


def pending(go: Bench, consumer: str = "c") -> int:
    return int(go.info(consumer)["num_ack_pending"])


def test_held_and_answered_one_by_one(go: Bench) -> None:
    go.fill_with(4)
    go("con add {S} c")
    got = go("con next {S} c --count 4 --hold")
    assert got.seqs == [1, 2, 3, 4]
    assert "held: %natslab ack, nak, wpi or term answers one" in repr(got)
    assert go.lab.hub.clients["hold"].holds is True
    assert sorted(go.lab.held) == [(go.stream, "c", n) for n in (1, 2, 3, 4)]
    assert [row[2] for row in go("natslab held").rows] == ["1", "2", "3", "4"]
    assert pending(go) == 4

    assert repr(go("natslab ack {S} c 2")) == f"{go.stream} 2 of c: acknowledged"
    assert pending(go) == 3
    assert go.info("c")["ack_floor"]["stream_seq"] == 0
    go("natslab ack {S} c 1")
    assert go.info("c")["ack_floor"]["stream_seq"] == 2
    assert (
        repr(go("natslab wpi {S} c 3")) == f"{go.stream} 3 of c: work in progress; its ack wait begins anew"
    )
    assert (go.stream, "c", 3) in go.lab.held
    assert pending(go) == 2
    ended = go("natslab term {S} c 3 --reason 'bad order'")
    assert repr(ended) == f"{go.stream} 3 of c: terminated; it does not come again"
    assert ended.facts["wire"] == "+TERM bad order"
    assert pending(go) == 1
    go("natslab nak {S} c 4")
    assert go.lab.held == {}
    assert repr(go("natslab held")) == "Nothing is held."
    again = go("con next {S} c --hold")
    assert (again.seqs, again[0].attempt) == ([4], 2)
    assert go.lab.held[(go.stream, "c", 4)].attempt == 2


def test_nak_with_a_delay(go: Bench) -> None:
    go.fill_with(1)
    go("con add {S} c")
    go("con next {S} c --hold")
    said = go("natslab nak {S} c 1 --delay 1h")
    assert repr(said) == f"{go.stream} 1 of c: refused; it comes again, not before 1h from now"
    assert said.facts["wire"] == '-NAK {"delay": 3600000000000}'
    nothing = go("con next {S} c --wait 50ms")
    assert (len(nothing), nothing.why) == (0, "nothing new, and 1 message waits for an ack (408)")


def test_nak_with_a_delay_that_passes(go: Bench) -> None:
    go.fill_with(1)
    go("con add {S} c")
    go("con next {S} c --hold")
    go("natslab nak {S} c 1 --delay 50ms")
    assert go("con next {S} c --wait 5s")[0].attempt == 2


def test_the_reason_reaches_the_advisory(go: Bench) -> None:
    go.fill_with(1)
    go("con add {S} c")
    go("con next {S} c --hold")
    heard = go("events --js-advisory --no-srv-advisory --filter 'no such customer' --count 1")
    go("natslab term {S} c 1 --reason 'no such customer'")
    heard.wait()
    assert "no such customer" in str(heard.json())


def test_ack_all_lets_go_of_what_is_before(go: Bench) -> None:
    go.fill_with(3)
    go("con add {S} c --ack all")
    go("con next {S} c --count 3 --hold")
    said = go("natslab ack {S} c 2")
    assert said.notes == ["the consumer's ack policy is all: everything up to 2 is acknowledged."]
    assert sorted(go.lab.held) == [(go.stream, "c", 3)]
    assert go.info("c")["ack_floor"]["stream_seq"] == 2


def test_no_acks_no_holding(go: Bench) -> None:
    go.fill_with(1)
    go("con add {S} c --ack none")
    got = go("con next {S} c --hold")
    assert (got.seqs, go.lab.held) == ([1], {})
    assert "wants no acks" in repr(got)


def test_what_is_not_held(go: Bench) -> None:
    with pytest.raises(CommandError) as caught:
        go("natslab ack {S} c 7")
    assert caught.value.what == f"{go.stream} 7 of c is not held."
    assert caught.value.hint == f"Nothing is. Fetch and hold: %js consumer next {go.stream} c --hold"
    go.fill_with(1)
    go("con add {S} c")
    go("con next {S} c --hold")
    for verb in ("ack", "nak", "wpi", "term"):
        with pytest.raises(CommandError) as caught:
            go(f"natslab {verb} {{S}} c 7")
        assert caught.value.hint == f"Held are {go.stream} c 1."
    for line in ("natslab ack {S} c", "natslab ack {S} c x", "natslab term {S} c", "natslab term --reason x"):
        with pytest.raises(CommandError):
            go(line)


def test_acknowledged_by_another_meanwhile(go: Bench) -> None:
    go.fill_with(2)
    go("con add {S} c --wait 50ms")
    go("con next {S} c --hold")
    other = go("con next {S} c --wait 5s --as bob")
    assert (other.seqs, other[0].attempt) in (([2], 1), ([1], 2))
    while other.seqs != [1]:
        other = go("con next {S} c --wait 5s --as bob")
    said = go("natslab ack {S} c 1")
    assert said.words == f"{go.stream} 1 of c: too late for the ack"
    assert "it changed nothing: 1 was not waiting for an answer any more" in said.notes[0]
    assert go.lab.held == {}


def test_given_up_at_its_last_attempt(go: Bench) -> None:
    go.fill_with(1)
    go("con add {S} c --wait 50ms --max-deliver 1")
    go("con next {S} c --hold")
    later = go("con next {S} c --wait 200ms")
    assert later.why == "nothing is there (408)"
    assert pending(go) == 0
    assert repr(go("natslab ack {S} c 1")).startswith(f"{go.stream} 1 of c: too late for the ack\n")
    assert go.info("c")["ack_floor"]["stream_seq"] == 0  # the server's floor does not pass it (measured)


def test_what_the_run_is_on_the_tape(go: Bench) -> None:
    go.fill_with(1)
    go("con add {S} c")
    go("con next {S} c --hold")
    go("natslab term {S} c 1")
    go.lab.settle()
    marks = [e for e in go.lab.tape.between(0, go.lab.tape.head) if isinstance(e, Mark)]
    assert [m.what for m in marks if m.text == f"natslab term {go.stream} c 1"] == ["run"]


def test_completing_a_held_sequence(go: Bench) -> None:
    go.fill_with(2)
    go("con add {S} c")
    go("con next {S} c --count 2 --hold")
    assert [word for word, _ in complete("natslab", f"ack {go.stream} c ")[0]] == ["1", "2"]
    assert [word for word, _ in complete("natslab", f"ack {go.stream} ")[0]] == ["c"]


def test_late_but_the_first(go: Bench, wait_for: Callable[..., float]) -> None:
    go.fill_with(1)
    go("con add {S} c --wait 50ms")
    go("con next {S} c --hold")
    other = go("con next {S} c --wait 5s --no-ack --as bob")
    assert other[0].attempt == 2
    said = go("natslab ack {S} c 1")
    assert said.notes == [
        "its ack wait (50ms) was over: it was handed out again or about to be, "
        "and this answer counts for that too."
    ]
    assert pending(go) == 0


def test_the_consumer_is_gone(go: Bench) -> None:
    go.fill_with(2)
    go("con add {S} c")
    go("con next {S} c --count 2 --hold")
    go("con rm {S} c -f")
    with pytest.raises(ClientError) as caught:
        go("natslab ack {S} c 1")
    assert caught.value.what == "The consumer c is gone: nobody takes answers for what it handed out."
    assert go.lab.held == {}


def test_the_consumer_was_reset(go: Bench) -> None:
    go.fill_with(1)
    go("con add {S} c")
    go("con next {S} c --hold")
    go("con reset {S} c -f")
    with pytest.raises(ClientError, match="knows nothing of the delivery"):
        go("natslab ack {S} c 1")
    assert go.lab.held == {}


def test_the_holder_is_gone(go: Bench) -> None:
    go.fill_with(1)
    go("con add {S} c --wait 50ms")
    go("con next {S} c --hold")
    go("natslab kill hold")
    with pytest.raises(ClientError, match="The client that held"):
        go("natslab ack {S} c 1")
    assert go("con next {S} c --wait 5s --hold")[0].attempt == 2
    go("natslab ack {S} c 1")
    assert pending(go) == 0


def test_another_client_may_hold(go: Bench) -> None:
    go.fill_with(2)
    go("con add {S} c")
    go("con next {S} c --hold --as alice")
    assert go.lab.hub.clients["alice"].holds is False  # only while it fetched
    go("natslab ack {S} c 1")
    assert pending(go) == 0


def test_term_still_ends_a_server(go: Bench) -> None:
    assert "n1 has ended" in repr(go("natslab term n1"))
    go("natslab restart n1")
    assert go("con ls {S}").names == []


def test_what_the_tape_tells(go: Bench) -> None:
    go.fill_with(2)
    go("con add {S} c")
    go("con next {S} c --hold")
    go("con next {S} c --as bob")
    go("natslab nak {S} c 1 --delay 1h")
    go.lab.settle(timeout=3.0)
    events = [
        e
        for e in go.lab.tape.between(0, go.lab.tape.head)
        if isinstance(e, (Ack, Deliver)) and e.stream == go.stream
    ]
    given = [(e.seq, e.client, e.held) for e in events if isinstance(e, Deliver)]
    assert given == [(1, "hold", True), (2, "bob", False)]
    said = [(e.seq, e.verb, e.client, e.delay) for e in events if isinstance(e, Ack)]
    assert said == [(2, "ack", "bob", 0.0), (1, "nak", "hold", 3600.0)]
