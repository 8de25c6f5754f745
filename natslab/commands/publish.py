"""`nats publish`: core, to a stream, as one atomic batch, on a schedule."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import click
from nats.aio.client import Client
from nats.nuid import NUID

from natslab.commands.connect import Line, error_after
from natslab.commands.flags import COUNT, DURATION, flag, switch
from natslab.commands.handle import sync
from natslab.commands.outgoing import HEADER, Outgoing, no_stdin
from natslab.commands.results import Ack, Published, one_line
from natslab.commands.schedule import Schedule
from natslab.commands.trace import follow
from natslab.commands.tree import NATS
from natslab.errors import ClientError, CommandError
from natslab.servers.client import Client as LabClient
from natslab.servers.storing import Heard, PubAck, store, store_batch
from natslab.servers.subject import check_subject

BULK = 2000  # more messages than this in one line are sent as fast as possible and only counted


@NATS.verb(
    "publish", "pub", example="%nats pub orders.new 'order {{Count}}' --count 3 -H Region:eu", body=True
)
@click.argument("subject")
@click.argument("body", required=False)
@flag("--reply", help="subject for answers")
@HEADER
@switch("--atomic", help="all messages or none: one batch of a stream; implies -J")
@flag("--count", type=COUNT, default=1, show_default=True, help="so many messages")
@switch("--force-stdin", help="take the payload from the cell body")
@switch("--jetstream", "-J", help="wait for the stream's acknowledgement")
@switch("--quiet", "-q", help="show nothing")
@flag("--schedule-after", help="the stream publishes it after so long: 30s; implies -J")
@flag("--schedule-at", help="… at this time: 2026-12-31T23:59:59Z")
@flag("--schedule-cron", help="… by six cron fields, seconds first ('0 30 9 * * *'), or @hourly")
@flag("--schedule-dest", help="the subject to which the stream publishes it; one of the stream's own")
@flag("--schedule-every", help="… again and again: 5s; 1s at least")
@flag("--schedule-source", help="publish the last message of this subject instead of the payload")
@flag("--schedule-ttl", help="what it publishes lives so long")
@flag(
    "--send-on", type=click.Choice(["newline", "eof"]), default="eof", show_default=True,
    help="newline: each line of the cell body is a message",
)  # fmt: skip
@flag("--sleep", type=DURATION, help="pause between messages")
@switch("--templates", default=True, help="fill in {{Count}}, {{Time}}, {{ID}}, {{Random 1 9}} and so on")
@switch("--dry-run", help="let the server route it without delivering it, and show the way")
async def publish(
    line: Line,
    subject: str,
    body: str | None,
    reply: str | None,
    header: tuple[str, ...],
    atomic: bool,
    count: int,
    force_stdin: bool,
    jetstream: bool,
    send_on: str,
    sleep: float | None,
    templates: bool,
    dry_run: bool,
    **schedule: Any,
) -> Published:
    """Publish messages.

    The payload is the argument or the cell body (%%nats pub SUBJECT), byte for byte. Templates in
    subject, payload and headers: {{Count}} {{Time}} {{TimeStamp}} {{Unix}} {{UnixNano}} {{ID}}
    {{Random 10 100}}.

    With -J a stream must take the message and say so. It heeds the headers Nats-Msg-Id (the same id
    again is a duplicate), Nats-Expected-Last-Sequence, Nats-Expected-Last-Subject-Sequence,
    Nats-Expected-Last-Msg-Id and Nats-Expected-Stream.
    """
    planned = Schedule.of(subject, schedule)
    if atomic and planned is not None:
        raise CommandError("A batch cannot be scheduled.", "Use --atomic or a --schedule flag, not both.")
    if atomic and sleep:
        raise CommandError("A batch waits for nothing between its messages.", "Leave out --sleep.")
    no_stdin(line, force_stdin, body)
    extra = () if planned is None else planned.header
    out = Outgoing(line, subject, body, (*header, *extra), templates=templates, send_on=send_on)
    if reply:
        check_subject(reply)
        if jetstream or atomic or planned is not None:
            raise CommandError(
                "The stream answers to the reply subject, so it cannot be given with -J.",
                "Leave out --reply.",
            )
    total = count * out.per_count
    async with line.client() as client:
        before = client.last_error
        if dry_run:
            to, payload, headers = next(out.messages(1))
            preview = await follow(line, client, to, payload, headers, deliver=False)
            result = Published(to, 0, 0, preview=preview)
        elif atomic:
            result = await _batch(line, client, out, subject, count)
        elif jetstream or planned is not None:
            result = await _stored(line, client, out, subject, count, sleep)
            result.plan = planned.words if planned is not None else ""
        else:
            sent = await _sent(client, out, count, total, reply or "", sleep)
            async with asyncio.timeout(line.timeout):
                await sync(client)
            if (error := error_after(client, before)) is not None:
                raise error
            result = Published(subject, total, sent)
    result.notes += out.notes
    return result


async def _sent(
    client: Client, out: Outgoing, count: int, total: int, reply: str, sleep: float | None
) -> int:
    size = 0
    headers = out.headers
    if (
        total > BULK
        and not sleep
        and isinstance(client, LabClient)
        and out.constant_subject
        and headers is not None
    ):
        same = out.constant
        if same is not None:
            await client.publish_many(out.subject, same, count, reply, headers or None)
            return len(same) * count

        def counted() -> Iterator[bytes]:
            nonlocal size
            for payload in out.payloads(count):
                size += len(payload)
                yield payload

        await client.publish_many(out.subject, counted(), total, reply, headers or None)
        return size
    for n, (subject, payload, head) in enumerate(out.messages(count), 1):
        await client.publish(subject, payload, reply=reply, headers=head or None)
        size += len(payload)
        if sleep and n < total:
            await asyncio.sleep(sleep)
        elif n % 500 == 0:
            await asyncio.sleep(0)
    return size


async def _stored(
    line: Line, client: Client, out: Outgoing, subject: str, count: int, sleep: float | None
) -> Published:
    acks: list[Ack] = []
    size = 0
    for to, payload, headers in out.messages(count):
        if acks and sleep:
            await asyncio.sleep(sleep)
        try:
            ack = await store(client, to, payload, headers or None, line.timeout, _heard(line))
        except ClientError as e:
            raise _so_far(e, len(acks)) from None
        acks.append(_ack(ack))
        size += len(payload)
    return Published(subject, len(acks), size, acks)


async def _batch(line: Line, client: Client, out: Outgoing, subject: str, count: int) -> Published:
    messages = list(out.messages(count))
    ack = await store_batch(client, messages, NUID().next().decode(), line.timeout, _heard(line))
    size = sum(len(payload) for _, payload, _ in messages)
    return Published(subject, len(messages), size, [_ack(ack)], batch=ack.batch)


def _heard(line: Line) -> Heard | None:
    def heard(subject: str, _payload: bytes, answer: bytes) -> None:
        line.trace.extend([f">>> {subject}", f"<<< {one_line(answer)}"])

    return heard if line.trace_on else None


def _so_far(error: ClientError, stored: int) -> ClientError:
    if stored:
        so_far = (
            f"{stored} message{'s' if stored != 1 else ''} before it {'are' if stored != 1 else 'is'} stored."
        )
        error.hint = f"{error.hint} {so_far}".strip()
        error.args = (error.what, error.hint)
    return error


def _ack(ack: PubAck) -> Ack:
    return Ack(ack.stream, ack.seq, ack.duplicate, ack.domain, ack.val)
