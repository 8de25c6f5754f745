"""`%natslab ack`, `nak`, `wpi`, `term`, `held`: answer what `%js consumer next --hold` keeps."""

from __future__ import annotations

import json
import time
from typing import Any

import click

from natslab import lab as labs
from natslab.commands.config_body import span
from natslab.commands.connect import Line
from natslab.commands.consumer_find import NO_CONSUMER, NO_STREAM
from natslab.commands.flags import COUNT, DURATION, flag
from natslab.commands.pulling import StreamMessage, answer
from natslab.commands.results import Rows, Text, one_line, with_headers
from natslab.commands.tree import NATSLAB
from natslab.errors import ClientError, CommandError
from natslab.lab import Lab
from natslab.servers.jsapi import Api, JetStreamError

_PATIENCE = 1.0  # seconds for the server's word on an answer; it takes well below a millisecond


def _place(verb: Any) -> Any:
    for argument in (
        click.argument("seq", type=COUNT),
        click.argument("consumer"),
        click.argument("stream"),
    ):
        verb = argument(verb)
    return verb


@NATSLAB.verb("ack", example="%natslab ack ORDERS billing 7")
@_place
async def ack(line: Line, stream: str, consumer: str, seq: int) -> Text:
    """Acknowledge a held message: the consumer is done with it."""
    return await _answer(line, "ack", b"", stream, consumer, seq)


@NATSLAB.verb("nak", example="%natslab nak ORDERS billing 7 --delay 5s")
@_place
@flag("--delay", type=DURATION, help="not again before so long")
async def nak(line: Line, stream: str, consumer: str, seq: int, delay: float | None) -> Text:
    """Refuse a held message: the consumer hands it out again."""
    body = b"-NAK"
    if delay:
        body += b" " + json.dumps({"delay": round(delay * 1e9)}).encode()
    return await _answer(line, "nak", body, stream, consumer, seq, delay=delay or 0.0)


@NATSLAB.verb("wpi", example="%natslab wpi ORDERS billing 7")
@_place
async def wpi(line: Line, stream: str, consumer: str, seq: int) -> Text:
    """Say that work on a held message goes on (work in progress): its ack wait begins anew."""
    return await _answer(line, "wpi", b"+WPI", stream, consumer, seq)


async def term_message(line: Line, stream: str, consumer: str, seq: int, reason: str | None) -> Text:
    """`%natslab term STREAM CONSUMER SEQ`: the consumer gives up on a held message, and may know why."""
    body = f"+TERM {reason}" if reason else "+TERM"
    return await _answer(line, "term", body.encode("utf-8", "surrogateescape"), stream, consumer, seq)


@NATSLAB.verb("held", example="%natslab held", mark="")
def held(line: Line) -> Rows:
    """List the messages that were fetched with --hold and not answered yet."""
    found = sorted(labs.current().held.items())
    rows = [
        [stream, consumer, str(seq), str(m.attempt), one_line(m.subject), with_headers(m)]
        for (stream, consumer, seq), m in found
    ]
    columns = ["Stream", "Consumer", "Seq", "Attempt", "Subject", "Message"]
    return Rows("" if rows else "Nothing is held.", columns, rows, [m.facts() for _, m in found])


async def _answer(
    line: Line, verb: str, body: bytes, stream: str, consumer: str, seq: int, delay: float = 0.0
) -> Text:
    lab = labs.current()
    message = lab.held.get((stream, consumer, seq))
    if message is None:
        raise _not_held(lab, stream, consumer, seq)
    line.alive()
    name = f"{one_line(stream)} {seq} of {one_line(consumer)}"
    api = Api(message.client if not message.client.is_closed else await lab.client("you"))
    before = await _about(api, lab, message)
    if message.client.is_closed:
        del lab.held[(stream, consumer, seq)]
        raise ClientError(
            f"The client that held {name} is gone, and with it the message.",
            "The consumer hands it out again when its ack wait is over.",
        )
    taken = await answer(message, body, _PATIENCE)
    after = await _about(api, lab, message)
    late = time.time() - message.at
    if verb != "wpi" or not taken:
        lab.held.pop((stream, consumer, seq), None)
    else:
        message.at = time.time()
    if not taken:
        raise ClientError(
            f"The server knows nothing of the delivery of {name} any more, and took no {verb}.",
            "The consumer was reset, or the server was killed before it wrote that down; fetch it again.",
        )
    result = Text(
        f"{name}: {_SAID[verb]}" + (f", not before {span(round(delay * 1e9))} from now" if delay else ""),
        stream=stream,
        consumer=consumer,
        seq=seq,
        verb=verb,
        wire=body.decode("utf-8", "replace"),
    )
    config = after["config"]
    wait = _wait(config, message.attempt)
    if verb == "ack" and config["ack_policy"] == "all":
        freed = [k for k in lab.held if k[:2] == (stream, consumer) and k[2] < seq]
        for key in freed:
            del lab.held[key]
        result.notes.append(f"the consumer's ack policy is all: everything up to {seq} is acknowledged.")
    if before["ack_floor"]["stream_seq"] >= seq or _unchanged(verb, before, after):
        result.words = f"{name}: too late for the {verb}"
        kept = (await api.call(f"STREAM.INFO.{stream}"))["config"].get("retention", "limits") == "limits"
        result.notes.append((_VAIN if kept else _TAKEN).format(seq=seq, stream=one_line(stream)))
    elif wait and late > wait:
        result.notes.append(
            f"its ack wait ({span(round(wait * 1e9))}) was over: it was handed out again or about to be, "
            "and this answer counts for that too."
        )
    return result


_SAID = {
    "ack": "acknowledged",
    "nak": "refused; it comes again",
    "wpi": "work in progress; its ack wait begins anew",
    "term": "terminated; it does not come again",
}
_OVER = "acknowledged, given up, or removed from the stream before"
_VAIN = f"it changed nothing: {{seq}} was not waiting for an answer any more ({_OVER})."
_TAKEN = (
    f"{{seq}} was not waiting for an answer any more ({_OVER}); {{stream}} drops what is "
    "acknowledged, and so it drops {seq} if it still had it."
)


def _unchanged(verb: str, before: dict[str, Any], after: dict[str, Any]) -> bool:
    """Whether an answer that ends a message ended none, as far as the consumer's counts can tell."""
    return (
        verb in ("ack", "term")
        and before["num_ack_pending"] == after["num_ack_pending"]
        and before["delivered"]["consumer_seq"] == after["delivered"]["consumer_seq"]
    )


def _wait(config: dict[str, Any], attempt: int) -> float:
    steps = config.get("backoff") or [config.get("ack_wait", 0)]
    return float(steps[min(attempt, len(steps)) - 1]) / 1e9


async def _about(api: Api, lab: Lab, message: StreamMessage) -> dict[str, Any]:
    """CONSUMER.INFO of the message's consumer. Raises ClientError, and lets go of it, when that is gone."""
    try:
        return await api.call(f"CONSUMER.INFO.{message.stream}.{message.consumer}")
    except JetStreamError as e:
        if e.code not in (NO_CONSUMER, NO_STREAM):
            raise
        for key in [k for k in lab.held if k[:2] == (message.stream, message.consumer)]:
            del lab.held[key]
        what = "consumer" if e.code == NO_CONSUMER else "stream"
        name = message.consumer if e.code == NO_CONSUMER else message.stream
        raise ClientError(
            f"The {what} {name} is gone: nobody takes answers for what it handed out.",
            "What was held of it is let go.",
        ) from None


def _not_held(lab: Lab, stream: str, consumer: str, seq: int) -> CommandError:
    stream, consumer = one_line(stream, 60), one_line(consumer, 60)
    there = sorted(lab.held)
    shown = ", ".join(f"{s} {c} {n}" for s, c, n in there[:10]) + (", …" if len(there) > 10 else "")
    return CommandError(
        f"{stream} {seq} of {consumer} is not held.",
        f"Held are {shown}."
        if there
        else f"Nothing is. Fetch and hold: %js consumer next {stream} {consumer} --hold",
    )
