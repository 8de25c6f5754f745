"""The reply subject of a JetStream delivery, which says everything about the attempt.

Nine tokens: $JS.ACK.<stream>.<consumer>.<attempt>.<stream seq>.<consumer seq>.<ns>.<pending>.
With a domain and an account hash before the stream it has eleven, or twelve with a random last one
(ADR-15; nats-server 2.15.1 sends nine).
"""

from __future__ import annotations

from typing import NamedTuple

PREFIX = "$JS.ACK."


class Attempt(NamedTuple):
    """One delivery of one message by one consumer."""

    stream: str
    consumer: str
    attempt: int
    seq: int  # in the stream
    cseq: int  # in the consumer
    at: float  # when the message was stored, unix seconds
    pending: int  # messages the consumer had not handed out yet


def parse(reply: str) -> Attempt | None:
    """The attempt that `reply` names; None when it is not such a subject."""
    if not reply.startswith(PREFIX):
        return None
    tokens = reply.split(".")
    if len(tokens) == 9:
        named = tokens[2:]
    elif len(tokens) in (11, 12):
        named = tokens[4:11]
    else:
        return None
    stream, consumer, *numbers = named
    if not all(number.isascii() and number.isdecimal() for number in numbers):
        return None
    attempt, seq, cseq, ns, pending = map(int, numbers)
    return Attempt(stream, consumer, attempt, seq, cseq, ns / 1e9, pending)
