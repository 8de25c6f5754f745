"""What the JetStream views say that happened is what happened: against a real server, through the verbs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from natslab.commands.run import parse
from natslab.lab import Lab
from natslab.views import view as views
from natslab.views.view import load, names
from tests.pictures import check


class Desk:
    """A lab, what a person types in it, and what the views then say."""

    def __init__(self, lab: Lab, wait_for: Callable[..., float]) -> None:
        self.lab = lab
        self.wait = wait_for

    def do(self, *lines: str) -> Any:
        for line in lines:
            result = parse(line).run()
        self.lab.settle()
        return result

    def says(self, view: str, *of: str) -> str:
        """Sentence, note and table, once the picture was held to its promises."""
        module, state = load(view), self.lab.view(view, *of).state
        check(module, state)
        return "\n".join([*module.describe(state), module.table(state).text()])

    def until(self, part: str, view: str, *of: str) -> str:
        """What it says once that is part of it."""
        try:
            self.wait(lambda: part in self.says(view, *of), 8)
        except AssertionError:
            raise AssertionError(f"{part!r} is not in: {self.says(view, *of)}") from None
        return self.says(view, *of)


@pytest.fixture(scope="module")
def shared() -> Iterator[Lab]:
    with Lab.up() as lab:
        yield lab


@pytest.fixture
def desk(shared: Lab, wait_for: Callable[..., float]) -> Iterator[Desk]:
    """One lab for many tests, without a stream at the beginning."""
    desk = Desk(shared, wait_for)
    yield desk
    for name, one in desk.lab.view("stream").state.streams.items():
        if one.exists:
            desk.do(f"js stream rm {name} -f")


def offered(text: str) -> str:
    """The line that a view offers."""
    return next(part for part in text.splitlines() if "Make one: %" in part).partition("Make one: %")[2]


@pytest.mark.parametrize("view", ["acks", "stream"])
def test_the_line_that_a_view_of_no_stream_offers_makes_one(desk: Desk, view: str) -> None:
    line = offered(desk.says(view, "NEW"))
    desk.do(line)
    assert "Make one" not in desk.until("NEW", view, "NEW")
    assert desk.do("js stream info NEW").config.subjects == ["new.>"]
    desk.do("js stream rm NEW -f")
    assert offered(desk.until("Make one", "stream", "NEW")) == line


def test_a_marker_that_is_over_is_no_missing_marker(desk: Desk) -> None:
    desk.do("js kv add SESSIONS --marker-ttl 1s", "js kv create SESSIONS sue in --ttl 1s")
    words = desk.until("; its marker, revision 2, stayed 1 s and went too.", "kv", "SESSIONS")
    assert words.startswith("Key sue expired; ") and "no markers" not in words


def test_a_limit_below_what_is_out(desk: Desk) -> None:
    desk.do(
        "js stream add JOBS --subjects jobs --defaults",
        "js consumer add JOBS dd --pull --defaults",
        "nats pub jobs x -J --count 4",
        "js consumer next JOBS dd --count 3 --hold",
        "js consumer edit JOBS dd --max-pending 2 -f",
    )
    words = desk.until("dd is over its limit: 3 messages wait for an ack, 2 may.", "acks", "JOBS")
    assert "Nothing new is handed out until 2 of them are acked; 1 message waits." in words
    desk.do("natslab ack JOBS dd 1")
    words = desk.until("dd is full: 2 of 2 messages wait for an ack.", "acks", "JOBS")
    assert "until one is acked" in words


def test_a_shelf_has_a_name_and_its_messages_are_no_counts(desk: Desk) -> None:
    desk.do("js stream add LOGS --subjects logs.> --max-msgs-per-subject 3 --defaults")
    desk.do("nats pub logs.b x -J", "nats pub logs.a x -J --count 4")
    words = desk.until("keeps its newest", "stream", "LOGS")
    assert "A shelf of 3 keeps its newest: message 5 came to logs.a, message 2 made room." in words


def test_a_filter_that_matches_nothing(desk: Desk) -> None:
    desk.do(
        "js stream add JOBS --subjects jobs.> --defaults",
        "nats pub jobs.eu x -J",
        "js consumer add JOBS dd --filter jobs.us --pull --defaults",
    )
    words = desk.until("No message that is stored matches its filter, jobs.us.", "acks", "JOBS")
    assert "Fetch some" not in words
    desk.do("nats pub jobs.us x -J")
    desk.until("Fetch some: %js consumer next JOBS dd", "acks", "JOBS")


def test_every_view_is_named_where_views_are_named(desk: Desk) -> None:
    said = str(desk.do("natslab view --help"))
    assert not [name for name in names() if name not in said]
    recorded = repr(desk.lab.record())
    assert not [name for name in names() if f".view({name!r})" not in recorded]


def test_what_was_purged_was_not_acked(desk: Desk) -> None:
    desk.do(
        "js stream add JOBS --subjects jobs --defaults",
        "js consumer add JOBS dd --pull --defaults",
        "nats pub jobs x -J --count 6",
        "js consumer next JOBS dd --count 4 --hold",
        "natslab ack JOBS dd 2",
        "js stream rmm JOBS 3 -f",
    )
    words = desk.until("1 acked, 1 removed from the stream", "acks", "JOBS")
    assert "terminated" not in words and "dd waits for 2 acks." in words
    desk.do("js stream purge JOBS -f")
    words = desk.until("1 acked, 3 removed from the stream", "acks", "JOBS")
    assert words.startswith("Everything that dd handed out is acked or removed from the stream.")
    assert "removed from the stream before" in str(desk.do("natslab ack JOBS dd 1"))
    desk.do("nats pub jobs x -J", "js consumer next JOBS dd --ack")
    desk.until("2 acked, 3 removed from the stream", "acks", "JOBS")


def test_what_a_limit_took_away_was_not_acked(desk: Desk) -> None:
    desk.do(
        "js stream add JOBS --subjects jobs --max-msgs 3 --defaults",
        "js consumer add JOBS dd --pull --defaults",
        "nats pub jobs x -J --count 3",
        "js consumer next JOBS dd --count 2 --hold",
        "nats pub jobs x -J --count 2",
    )
    desk.until("2 removed from the stream", "acks", "JOBS")


def test_what_a_deleted_consumer_had_not_read_was_not_acked(desk: Desk) -> None:
    desk.do(
        "js stream add EV --subjects ev --retention interest --defaults",
        "js consumer add EV a --pull --defaults",
        "js consumer add EV b --pull --defaults",
        "nats pub ev x -J --count 4",
        "js consumer next EV a --count 2 --ack",
    )
    words = desk.until("a acked, waits for b", "stream", "EV")
    assert words.startswith("EV keeps all 4 messages: every consumer must be done with a message first.")
    desk.do("js consumer rm EV b -f")
    words = desk.until("EV keeps 2 of 4", "stream", "EV")
    assert words.startswith("EV keeps 2 of 4: 2 went when their consumer was deleted.")
    assert words.count("its consumer was deleted") == 2
    desk.do("js consumer next EV a --ack", "js consumer rm EV a -f")
    words = desk.until("EV is empty", "stream", "EV")
    assert "3 went when their consumer was deleted, 1 acked" in words and "had no consumer" not in words
    desk.do("nats pub ev x -J")
    desk.until("1 had no consumer", "stream", "EV")


@pytest.mark.parametrize("retention", ["work", "interest"])
def test_a_term_is_no_ack(desk: Desk, retention: str) -> None:
    desk.do(
        f"js stream add JOBS --subjects jobs --retention {retention} --defaults",
        "js consumer add JOBS dd --pull --defaults",
        "nats pub jobs x -J --count 3",
        "js consumer next JOBS dd --count 2 --hold",
        "natslab term JOBS dd 1",
    )
    words = desk.until("JOBS keeps 2 of 3: 1 terminated.", "stream", "JOBS")
    assert "acked." not in words.split("\n")[0]
    desk.do("natslab ack JOBS dd 2")
    desk.until("JOBS keeps 1 of 3: 1 terminated, 1 acked.", "stream", "JOBS")


def test_what_falls_to_a_lowered_limit_makes_no_room(desk: Desk) -> None:
    desk.do(
        "js stream add LOGS --subjects logs.> --defaults",
        "nats pub logs.a x -J --count 8",
    )
    desk.until("LOGS keeps all 8 messages", "stream", "LOGS")
    desk.do("js stream edit LOGS --max-msgs 3 -f")
    words = desk.until("LOGS keeps 3 of 8: 5 fell to the new max_msgs.", "stream", "LOGS")
    assert words.count("over the new limit of 3") == 5 and "made room" not in words
    desk.do("nats pub logs.a x -J")
    words = desk.until("made room for 9", "stream", "LOGS")
    assert words.count("over the new limit of 3") == 5
    desk.do("js stream edit LOGS --max-msgs-per-subject 1 -f")
    words = desk.until("2 fell to the new limit of the shelf", "stream", "LOGS")
    assert words.count("over the new limit of 1") == 2


def test_who_says_nothing_any_more_said_it_before(wait_for: Callable[..., float]) -> None:
    with Lab.up() as lab:
        desk = Desk(lab, wait_for)
        desk.do(
            "js stream add JOBS --subjects jobs --defaults",
            "js consumer add JOBS dd --pull --wait 1s --defaults",
            "js stream add COPY --mirror JOBS --defaults",
            "js kv add CFG",
            "js kv put CFG color blue",
            "nats pub jobs x -J --count 4",
            "js consumer next JOBS dd --count 2 --hold",
        )
        desk.until("Next deadline: message 1", "acks", "JOBS")
        for fault, state in (("freeze", "frozen"), ("kill", "down")):
            desk.do(f"natslab {fault} n1")
            for view in ("acks", "kv", "mirrors"):
                words = desk.says(view)
                assert words.split("\n")[1].startswith(f"n1 is {state}: this is what it said last."), words
                assert "deadline" not in words and "nobody pulls" not in words


@pytest.mark.parametrize("name", [name for name in names() if name != "routing"])
def test_an_empty_picture_of_a_frozen_server_says_that_it_is_frozen(name: str) -> None:
    view = views.load(name)
    state = view.start(())
    for server, said in (("frozen", "n1 is frozen."), ("down", "No server is up.")):
        state.servers = {"n1": server}
        assert view.describe(state)[0] == said
