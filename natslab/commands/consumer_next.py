"""`nats consumer next`: fetch messages and say what became of them."""

from __future__ import annotations

import contextlib
from collections.abc import Awaitable, Callable
from typing import Any

import click

from natslab import lab as labs
from natslab.commands.connect import Line
from natslab.commands.consumer import CONSUMER
from natslab.commands.consumer_find import info
from natslab.commands.flags import COUNT, DURATION, NUMBER, flag, switch
from natslab.commands.jsnames import check_name
from natslab.commands.pulling import Ending, Pull, StreamMessage, answer
from natslab.commands.results import Result, one_line, plain, rows_text, with_headers
from natslab.errors import ClientError, CommandError, NatslabError
from natslab.servers.jsapi import Api

_PIN = ("Nats-Pin-Id",)  # differs from run to run
HOLDER = "hold"  # the lab's client that keeps what it fetches

_MOST = 100_000
_AT_LEAST = 0.2  # seconds of a request: a busy server needs some to hand out what is there; 0 = for ever


class Fetched(Result):
    """What `consumer next` brought: `.messages`, each with seq, attempt, subject, data, headers, pending.

    `.status` is the server's word on why no more came (404, 408, 409, 423), 200 when all came;
    `.pin` is the id of the pin of a priority group.
    """

    def __init__(self, stream: str, consumer: str, wanted: int, raw: bool = False) -> None:
        super().__init__()
        self.stream = stream
        self.consumer = consumer
        self.wanted = wanted
        self.raw = raw
        self.messages: list[StreamMessage] = []
        self.answer = ""  # ack, nak, term, hold, or "" for none
        self.status = 0
        self.why = ""  # no more came
        self.pin = ""

    def __len__(self) -> int:
        return len(self.messages)

    def __bool__(self) -> bool:
        return bool(self.messages)

    def __iter__(self) -> Any:
        return iter(self.messages)

    def __getitem__(self, i: int) -> StreamMessage:
        return self.messages[i]

    @property
    def data(self) -> bytes:
        """The payload of the first. Raises IndexError when none came."""
        return self.messages[0].data

    @property
    def seqs(self) -> list[int]:
        """Their sequences in the stream."""
        return [m.seq for m in self.messages]

    def _lead(self) -> str:
        n = len(self.messages)
        some = f"{n} message{'s' if n != 1 else ''}" if n else "No message"
        said = f"{some} from {one_line(self.consumer)} on {one_line(self.stream)}"
        if not n:
            return f"{said}: {self.why}" if self.why else said
        one, many = _SAID.get(self.answer, ("", ""))
        return said + (one if n == 1 else many or one)

    def text(self) -> str:
        """How many, and each on a line; with --raw the payloads and nothing else."""
        if self.raw and self.messages:
            return "\n".join(plain(m.text) for m in self.messages)
        return "\n\n".join([self._lead(), *([rows_text(*self.table())] if self.messages else [])])

    def table(self) -> tuple[list[str], list[list[str]]]:
        """Sequence, attempt, subject, payload, and what was still to come."""
        return ["Seq", "Attempt", "Subject", "Message", "Pending"], [
            [str(m.seq), str(m.attempt), m.subject, with_headers(m, hide=_PIN), str(m.pending)]
            for m in self.messages
        ]

    def json(self) -> Any:
        """Every message, and why no more came."""
        return {
            "stream": self.stream,
            "consumer": self.consumer,
            "status": self.status,
            **({"why": self.why} if self.why else {}),
            **({"pin": self.pin} if self.pin else {}),
            "messages": [m.facts() for m in self.messages],
        }


_SAID = {
    "ack": (", acknowledged", ""),
    "nak": (", refused (nak): it comes again", ", refused (nak): they come again"),
    "term": (", terminated: it does not come again", ", terminated: they do not come again"),
    "hold": (
        ", held: %natslab ack, nak, wpi or term answers it",
        ", held: %natslab ack, nak, wpi or term answers one",
    ),
    "none": (", not answered", ""),
    "no acks": ("; this consumer wants no acks", ""),
}
_BODY = {"ack": b"", "nak": b"-NAK", "term": b"+TERM"}


@CONSUMER.verb("next", example="%js consumer next ORDERS billing --count 3 --hold")
@click.argument("stream")
@click.argument("consumer")
@switch("--ack", default=True, help="acknowledge each message (the default); --no-ack leaves it open")
@switch("--nak", help="refuse each message: it comes again")
@switch("--term", help="terminate each message: it does not come again")
@switch("--raw", "-r", help="show only the payloads")
@flag("--wait", type=DURATION, help="for all of them, so long; without: take what is there")
@flag("--count", type=COUNT, default=1, show_default=True, help="so many messages")
@switch("--hold", help="keep them: %natslab ack, nak, wpi or term answers one")
@flag("--group", help="the priority group to ask for")
@flag("--id", "pin", help="the id of the pin, from .pin of an earlier result")
@flag("--min-pending", type=NUMBER, help="overflow group: only when so many messages are waiting")
@flag("--min-ack-pending", type=NUMBER, help="overflow group: only when so many wait for their ack")
@flag("--priority", type=NUMBER, help="prioritized group: 0 comes first, 9 last")
async def next_(
    line: Line,
    stream: str,
    consumer: str,
    ack: bool,
    nak: bool,
    term: bool,
    raw: bool,
    wait: float | None,
    count: int,
    hold: bool,
    group: str | None,
    pin: str | None,
    min_pending: int | None,
    min_ack_pending: int | None,
    priority: int | None,
) -> Fetched:
    """Fetch messages from a pull consumer, and acknowledge them unless told otherwise."""
    check_name(stream, "stream")
    check_name(consumer, "consumer")
    if sum((nak, term, hold)) > 1:
        raise CommandError("--nak, --term and --hold exclude each other.", "Use one of them.")
    if count > _MOST:
        raise CommandError(f"{count} messages at once are too many.", f"Fetch at most {_MOST:,}.")
    if hold and line.elsewhere:
        raise CommandError("Only the lab can hold messages.", "Leave out --server, or --hold.")
    say = "nak" if nak else "term" if term else "hold" if hold else "ack" if ack else "none"
    async with line.jetstream(HOLDER if hold else "you") as api:
        about = await info(api, stream, consumer)
        if about["config"].get("deliver_subject"):
            raise ClientError(
                f"{consumer} is a push consumer: the server publishes its messages to "
                f"{one_line(about['config']['deliver_subject'])}, and nobody fetches.",
                f"%js consumer sub {stream} {consumer}",
            )
        if about["config"]["ack_policy"] == "none":
            say = "no acks"
        result = Fetched(stream, consumer, count, raw)
        result.answer = say
        if wait and about.get("pause_remaining", 0) > wait * 1e9:
            wait = 0.0
        pull = Pull(
            _room(about, count) if wait is None else count,
            max(wait or 0.0, _AT_LEAST),
            now=not wait,
            group=group,
            id=pin,
            min_pending=min_pending,
            min_ack_pending=min_ack_pending,
            priority=priority,
        )
        wire = line.trace.append if line.trace_on else (lambda _: None)
        line.came = lambda: _open(result)
        with _holding(api.client, hold):
            ending = await pull.run(api, stream, consumer, _keeper(result, say == "hold"), wire)
        result.pin = ending.pin
        await _explain(api, result, ending, group, pull.wait)
        if result and result.why:
            result.notes.append(f"{result.why}.")
        await _say(result, say, line.timeout)
        return result


def _open(result: Fetched) -> str:
    """What is to be said of the messages that had come when the server went."""
    n = len(result)
    if not n:
        return ""
    came = f"{n} message{'s' * (n != 1)} had come"
    if result.answer == "no acks":
        return f"{came} before."
    it, comes = ("it", "comes") if n == 1 else ("they", "come")
    if result.answer == "hold":
        return f"{came} before, and {it} {'is' if n == 1 else 'are'} held."
    return f"{came} before, and no ack is known to have arrived: {it} {comes} again after the ack wait."


def _room(about: dict[str, Any], count: int) -> int:
    """How many can come at once: the server stops at max_ack_pending without a word (measured)."""
    most = about["config"].get("max_ack_pending", 0)
    room = most - about["num_ack_pending"]
    return min(count, room) if most > 0 and room > 0 else count


def _keeper(result: Fetched, hold: bool) -> Callable[[StreamMessage], Awaitable[bool]]:
    held = labs.current().held if hold else None

    async def heard(message: StreamMessage) -> bool:
        result.messages.append(message)
        if held is not None:
            message.answer = "held"
            held[(message.stream, message.consumer, message.seq)] = message
        return False

    return heard


@contextlib.contextmanager
def _holding(client: Any, hold: bool) -> Any:
    """While it fetches, the client says of what it gets that it is held."""
    if not hold:
        yield
        return
    before = getattr(client, "holds", False)
    client.holds = True
    try:
        yield
    finally:
        client.holds = before or getattr(client, "label", "") == HOLDER


async def _say(result: Fetched, say: str, timeout: float) -> None:
    """Answer every message; the last one waits for the server, which takes them in order."""
    body = _BODY.get(say)
    if body is None or not result.messages:
        return
    *rest, last = result.messages
    for message in rest:
        await message.client.publish(message.reply, body)
        message.answer = say
    if not await answer(last, body, timeout):
        raise ClientError(
            f"The server did not take the {say} of {result.consumer} within {timeout:g} s.",
            "Was the consumer deleted or reset meanwhile? %js consumer info shows.",
        )
    last.answer = say


async def _explain(api: Api, result: Fetched, ending: Ending, group: str | None, wait: float) -> None:
    """Why fewer came than were asked for; raises when the request made no sense."""
    stream, consumer = result.stream, result.consumer
    result.status = ending.status
    if len(result) >= result.wanted:
        result.status = 200
        return
    said = ending.said
    lowered = said.lower()
    if ending.status == 503:
        await info(api, stream, consumer)  # says which name is wrong
        raise ClientError(f"JetStream does not answer for {consumer}.", "%natslab status shows the server.")
    if "deleted" in lowered:
        if not result.messages:
            raise ClientError(
                f"{consumer} was deleted while it was fetched from.",
                f"%js consumer ls {stream} shows what is left.",
            )
        result.why = "then the consumer was deleted (409)"
        return
    if ending.status == 400:
        raise await _bad_request(api, stream, consumer, group, said)
    if ending.status == 409 and "exceeded" in lowered:
        raise ClientError(
            f"{consumer} refuses the request: {said} (409).",
            f"Ask for less, or change its limits: %js consumer info {stream} {consumer}",
        )
    if ending.status == 423:
        result.why = f"{group or 'the group'} is pinned to another client, and the id is not its (423)"
        return
    if ending.status == 409:
        result.why = f"the server ended the request: {said} (409)"
        return
    result.why = await _state(api, stream, consumer, ending, group, result, wait)


async def _bad_request(api: Api, stream: str, consumer: str, group: str | None, said: str) -> NatslabError:
    about = await info(api, stream, consumer)
    groups = about["config"].get("priority_groups") or []
    if "group" in said.lower() and groups:
        asked = (
            f"has no priority group {one_line(group, 40)}"
            if group
            else "has priority groups, and none was named"
        )
        return ClientError(f"{consumer} {asked} (400).", f"Name one: --group {groups[0]}")
    return ClientError(f"{consumer} refuses the request: {said} (400).", "Check the flags.")


async def _state(
    api: Api, stream: str, consumer: str, ending: Ending, group: str | None, result: Fetched, wait: float
) -> str:
    """What the consumer itself says about why nothing more came."""
    about = await info(api, stream, consumer)
    config = about["config"]
    most = config.get("max_ack_pending", 0)
    code = f" ({ending.status})" if ending.status in (404, 408) else ""
    if about.get("paused"):
        return f"the consumer is paused{code}"
    if most > 0 and about["num_ack_pending"] >= most:
        if not ending.status:
            ending.status = result.status = 408
        return f"max_ack_pending is {most}, and {about['num_ack_pending']} wait for their ack{code}"
    if about["num_pending"] == 0:
        later = about["num_ack_pending"] - sum(1 for _ in result.messages)
        if later > 0 and result.answer != "no acks":
            many = "messages wait" if later != 1 else "message waits"
            return f"nothing new, and {later} {many} for an ack{code}"
        return f"nothing {'more ' if result.messages else ''}is there{code}"
    if group and config.get("priority_policy") == "pinned_client":
        return f"the group {group} is pinned to another client{code}"
    if group and config.get("priority_policy") == "overflow":
        return f"too little is waiting for an overflow client{code}"
    return f"nothing more came within {wait:g} s{code}"
