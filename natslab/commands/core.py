"""Core NATS: subscribe, request, reply, trace, rtt, events."""

from __future__ import annotations

import asyncio
import functools
import re
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import click
import nats.errors
from nats.aio.client import Client
from nats.aio.msg import Msg

from natslab.commands import consumer_sub as streams
from natslab.commands import external, words
from natslab.commands.connect import Line, error_after
from natslab.commands.events import Events
from natslab.commands.flags import COUNT, DURATION, FILE, NUMBER, flag, many, switch
from natslab.commands.handle import Answer, Handle, Replies, Report, Worker
from natslab.commands.handler import Handler
from natslab.commands.live import Subscribed
from natslab.commands.outgoing import HEADER, Headers, Outgoing, header_of, no_stdin
from natslab.commands.results import Message, Reply, RoundTrips, Traced, one_line
from natslab.commands.templates import Template
from natslab.commands.trace import follow
from natslab.commands.tree import EATEN, NATS, impossible, looks_eaten
from natslab.errors import ClientError, CommandError, HandlerError, NoResponders, Timeout
from natslab.servers.client import Client as LabClient
from natslab.servers.subject import check_subject


@NATS.verb("subscribe", "sub", example="%nats sub 'orders.>' --queue workers --count 10")
@click.argument("subjects", nargs=-1)
@flag("--queue", help="join this queue group")
@flag("--durable", help="with a stream: use this consumer, made when it is not there")
@switch("--raw", "-r", help="show only the payloads")
@flag("--translate", help="run each payload through this program first")
@switch("--ack", help="acknowledge JetStream messages")
@switch("--match-replies", help="listen to the answers too, and show them with their requests")
@switch("--inbox", "-i", help="subscribe to a new inbox")
@flag("--count", type=COUNT, help="end after so many messages")
@flag("--dump", type=FILE, help="write each message to a file in this folder")
@switch("--headers-only", help="show only headers")
@switch("--subjects-only", help="show only subjects")
@flag("--start-sequence", help="read a stream from this sequence")
@switch("--all", help="read a stream from its first message")
@switch("--new", help="read only what comes into a stream from now on")
@switch("--last", help="read a stream from its last message")
@flag("--since", help="read a stream from so long ago (10m)")
@switch("--last-per-subject", help="read the last message of each subject")
@switch("--terminate-at-end", "-T", help="end at the end of the stream, and wait for it")
@flag("--stream", help="read this stream")
@many("--ignore-subject", "-I", help="leave out messages on this subject")
@flag(
    "--wait", type=DURATION, help="with --count: wait for them so long; without: until nothing came so long"
)
@switch("--report-subjects", help="count by subject")
@switch("--report-subscriptions", help="count by subscription")
@flag("--report-top", type=COUNT, default=10, show_default=True, help="show so many of them")
@switch("--timestamp", "-t", help="show when each came")
@switch("--delta-time", "-d", help="show the time since the one before")
@switch("--graph", help="not possible here")
@switch("--direct", help="read without a consumer (direct get)")
async def subscribe(line: Line, subjects: tuple[str, ...], **flags: Any) -> Handle:
    """Subscribe, and go on: the messages gather in the handle.

    h = %nats sub orders.new returns a handle at once: h.messages, h.count, h.wait(), h.stop().
    """
    _no_body(line, "subscribe")
    if flags["graph"]:
        impossible(
            "A graph in a terminal makes no sense in a notebook.", "See it live: %natslab view routing"
        )
    of_stream = streams.asked(flags)
    if not subjects and not flags["inbox"] and not of_stream:
        raise CommandError("subscribe needs a subject.", "For example: %nats sub 'orders.>'")
    if subjects and flags["inbox"]:
        raise CommandError("--inbox makes a subject of its own.", "Leave out the subject, or --inbox.")
    if flags["timestamp"] and flags["delta_time"]:
        raise CommandError("--timestamp and --delta-time exclude each other.", "Use one of them.")
    for subject in (*subjects, *flags["ignore_subject"]):
        check_subject(subject, wildcards=True)
    group = flags["queue"] or ""
    _check_group(group)
    of = f"stream {one_line(flags['stream'])}" if flags["stream"] else "an inbox"
    what = f"sub {' '.join(map(one_line, subjects)) or of}" + (f" in group {group}" if group else "")
    limit = flags["count"] or 0
    handle: Handle
    if flags["report_subjects"] or flags["report_subscriptions"]:
        handle = Report(line, what, limit, flags["report_top"], flags["report_subscriptions"])
    else:
        handle = Subscribed(line, what, limit, flags)
    if of_stream:
        await handle.read(functools.partial(streams.reader_for, line, subjects, flags, limit))
        await handle.waited(flags["wait"], line.timeout if flags["terminate_at_end"] else None)
        return handle
    if ">" in subjects:
        handle.notes.append(
            "this subscription hears inboxes too: while it is there, a request to nobody "
            "is not refused at once but times out."
        )
    await handle.begin(list(subjects), group)
    await handle.waited(flags["wait"])
    return handle


def _check_group(group: str) -> None:
    if group and (not group.isprintable() or " " in group or len(group) > 200):
        raise CommandError(f"{one_line(group, 60)!r} cannot be a queue group.", "Use a word without blanks.")


def _no_body(line: Line, verb: str) -> None:
    if line.body is not None:
        raise CommandError(f"{verb} takes no cell body.", f"Write it with one %: %nats {verb} …")


@NATS.verb("request", "req", example="%nats request help.please 'I need help'", body=True)
@click.argument("subject")
@click.argument("body", required=False)
@switch("--wait", "-w", default=True, hidden=True, help="wait for an answer")
@switch("--raw", "-r", help="show only the payloads")
@HEADER
@flag("--count", type=COUNT, default=1, show_default=True, help="so many requests, one after the other")
@flag("--replies", type=NUMBER, default=1, show_default=True, help="collect so many answers; 0: all in time")
@flag(
    "--reply-timeout", type=DURATION, default="300ms", show_default=True, help="longest gap between answers"
)
@switch("--wait-for-empty", help="collect answers until an empty one")
@flag("--translate", help="run each answer through this program first")
@switch("--force-stdin", help="take the payload from the cell body")
@flag(
    "--send-on", type=click.Choice(["newline", "eof"]), default="eof", show_default=True,
    help="newline: each line of the cell body is a request",
)  # fmt: skip
@switch("--templates", default=True, help="fill in {{Count}}, {{Time}}, {{ID}}, {{Random 1 9}} and so on")
async def request(
    line: Line,
    subject: str,
    body: str | None,
    wait: bool,
    raw: bool,
    header: tuple[str, ...],
    count: int,
    replies: int,
    reply_timeout: float,
    wait_for_empty: bool,
    translate: str | None,
    force_stdin: bool,
    send_on: str,
    templates: bool,
) -> Reply:
    """Ask, and show the answer.

    Fails at once when nobody subscribes to the subject (no responders), and after --timeout when
    nobody answers.
    """
    no_stdin(line, force_stdin, body)
    out = Outgoing(line, subject, body, header, templates=templates, send_on=send_on)
    program = external.Program(translate) if translate else None
    if not wait:
        impossible("A request without waiting is a publish.", f"%nats pub {subject} … --reply SUBJECT")
    result = Reply(subject, [], [], raw, 0 if wait_for_empty else replies)
    async with line.client() as client:
        for to, payload, headers in out.messages(count):
            before = client.last_error
            try:
                async for message, took in _answers(
                    line, client, to, payload, headers, replies, reply_timeout, wait_for_empty
                ):
                    if program is not None:
                        _, message.data = await program.run(message.subject, message.data, stdin=message.data)
                    result.replies.append(message)
                    result.times.append(took)
            except (nats.errors.NoRespondersError, NoResponders):
                raise NoResponders(
                    f"Nobody subscribes to {one_line(to)} (no responders).",
                    f"Start somebody who answers: %nats reply {one_line(to)} 'an answer'",
                ) from None
            except (nats.errors.TimeoutError, TimeoutError):
                if (error := error_after(client, before)) is not None:
                    raise error from None
                raise _unanswered(line, to) from None
    if not result.replies:
        raise _unanswered(line, subject)
    short = replies * count * out.per_count - len(result.replies)
    if replies and short > 0 and not wait_for_empty:
        result.notes.append(f"{len(result.replies)} of {len(result.replies) + short} answers came in time.")
    result.notes += out.notes
    return result


def _unanswered(line: Line, subject: str) -> Timeout:
    return Timeout(
        f"Nobody answered the request on {one_line(subject)} within {line.timeout:g} s.",
        "Somebody subscribes there (else the server says so at once) and is slow or silent.",
    )


async def _answers(
    line: Line,
    client: Client,
    subject: str,
    payload: bytes,
    headers: Headers,
    replies: int,
    gap: float,
    until_empty: bool,
) -> AsyncIterator[tuple[Message, float]]:
    begun = time.monotonic()
    if replies == 1 and not until_empty:
        msg = await client.request(subject, payload, timeout=line.timeout, headers=headers or None)
        yield _message(msg), time.monotonic() - begun
        return
    if isinstance(client, LabClient) and not until_empty:
        for msg in await client.gather(
            subject, payload, headers or None, replies, line.timeout, gap if replies else 0.0
        ):
            yield _message(msg), time.monotonic() - begun
        return
    inbox = client.new_inbox()
    sub = await client.subscribe(inbox)
    end = begun + line.timeout
    got = 0
    try:
        await client.publish(subject, payload, reply=inbox, headers=headers or None)
        while until_empty or not replies or got < replies:
            left = end - time.monotonic()
            if got and replies and not until_empty:
                left = min(left, gap)
            if left <= 0:
                break
            try:
                msg = await sub.next_msg(left)
            except nats.errors.TimeoutError:
                break
            if not msg.data and (msg.headers or {}).get("Status") == "503":
                raise nats.errors.NoRespondersError
            if until_empty and not msg.data:
                if not got:
                    raise ClientError(
                        f"The first answer on {subject} is empty.", "Leave out --wait-for-empty."
                    )
                break
            got += 1
            yield _message(msg), time.monotonic() - begun
    finally:
        if not client.is_closed:
            await sub.unsubscribe()


def _message(msg: Msg) -> Message:
    return Message(msg.subject, msg.data, dict(msg.headers or {}), msg.reply, "", time.time())


@NATS.verb("reply", example="%nats reply help.please 'OK, I can help'", body=True)
@click.argument("subject")
@click.argument("body", required=False)
@switch("--echo", help="answer with what was asked")
@flag("--command", help="run this program and answer with its output; {{1}} is a word of the subject, from 0")
@flag("--queue", "-q", default="NATS-RPLY-22", show_default=True, help="queue group")
@flag("--sleep", type=DURATION, help="pause up to so long, by chance, before each answer")
@HEADER
@flag("--count", type=COUNT, help="end after so many requests")
@flag(
    "--wait", type=DURATION, help="with --count: wait for them so long; without: until nothing came so long"
)
async def reply(
    line: Line,
    subject: str,
    body: str | None,
    echo: bool,
    command: str | None,
    queue: str,
    sleep: float | None,
    header: tuple[str, ...],
    count: int | None,
    wait: float | None,
) -> Replies:
    """Answer requests, and go on: the requests gather in the handle.

    The answer is the argument (with templates, {{Request}} is what was asked), an echo, a
    program's output, or what the Python of the cell body returns: %%nats reply SUBJECT with
    def handle(msg): return 'an answer'.
    """
    check_subject(subject, wildcards=True)
    _check_group(queue)
    ways = [
        n
        for n, v in (("a text", body), ("--echo", echo), ("--command", command), ("a cell body", line.body))
        if v
    ]
    if len(ways) > 1:
        raise CommandError(f"The answer is given twice: {ways[0]} and {ways[1]}.", "Use one of them.")
    headers = [(k, Template(v, request=True)) for k, v in map(header_of, header)]
    what = f"reply {one_line(subject)}" + (f" in group {queue}" if queue else "")
    notes: list[str] = []
    worker: Worker | None = None
    printed: list[str] = []
    if line.body is not None:
        handler = Handler(line.body, words.names(), printed.append)
        worker = Worker(f"natslab {subject[:40]}")
        answer = _by_handler(handler, worker, headers)
    elif command is not None:
        answer = _by_program(external.Program(command), headers)
    elif body:
        template = Template(body, request=True)
        notes += [f"{u} is no template of the CLI and is sent as it is." for u in template.unknown]
        if looks_eaten(body):
            notes.append(f"{one_line(body, 60)} is the answer. {EATEN}")
        answer = _by_template(template, headers)
    else:
        answer = _by_echo(headers)
    handle = Replies(line, what, count or 0, answer, sleep or 0.0)
    handle.worker, handle.output = worker, printed
    handle.notes += notes
    await handle.begin([subject], queue)
    await handle.waited(wait)
    return handle


Answering = Callable[[Message, int], Awaitable[Answer]]
Templates = list[tuple[str, Template]]


def _by_handler(handler: Handler, worker: Worker, headers: Templates) -> Answering:
    async def answer(message: Message, n: int) -> Answer:
        payload = await worker.call(lambda: handler(message))
        return None if payload is None else (payload, _filled(headers, n, message))

    return answer


def _by_program(program: external.Program, headers: Templates) -> Answering:
    async def answer(message: Message, n: int) -> Answer:
        code, output = await program.run(message.subject, message.data)
        if code != 0:
            raise HandlerError(
                f"{program.words[0]} ended with code {code}: {one_line(output, 100)}",
                "h.errors has them all.",
            )
        return output, _filled(headers, n, message)

    return answer


def _by_template(template: Template, headers: Templates) -> Answering:
    async def answer(message: Message, n: int) -> Answer:
        return words.as_bytes(template.render(n, message.text)), _filled(headers, n, message)

    return answer


def _by_echo(headers: Templates) -> Answering:
    async def answer(message: Message, n: int) -> Answer:
        # The counter is what the CLI's echo adds.
        return message.data, {**_filled(headers, n, message), **message.headers, "NATS-Reply-Counter": str(n)}

    return answer


def _filled(headers: Templates, n: int, message: Message) -> Headers:
    return {k: v.render(n, message.text) for k, v in headers}


@NATS.verb("trace", example="%nats trace orders.new --deliver")
@click.argument("subject")
@click.argument("payload", required=False)
@switch("--deliver", help="deliver the message too")
@switch("--timestamp", "-T", help="show the times")
@HEADER
async def trace(
    line: Line, subject: str, payload: str | None, deliver: bool, timestamp: bool, header: tuple[str, ...]
) -> Traced:
    """Show the way that a message takes through the servers, as they report it.

    Without --deliver the message is only routed: nobody gets it and no stream stores it.
    """
    out = Outgoing(line, subject, payload, header, templates=False, send_on="eof")
    async with line.client() as client:
        to, data, headers = next(out.messages(1))
        result = await follow(line, client, to, data, headers, deliver=deliver)
    result.timestamps = timestamp
    return result


@NATS.verb("rtt", example="%nats rtt 10")
@click.argument("iterations", type=COUNT, default=5)
@switch("--json", "-j", help="show the times as JSON")
async def rtt(line: Line, iterations: int) -> RoundTrips:
    """Measure round trips to the server; the times are in the result."""
    _no_body(line, "rtt")
    async with line.client() as client:
        times = [await _round_trip(client, line.timeout) for _ in range(iterations)]
        info = getattr(client, "_server_info", {})
    server = info.get("server_name") if not line.elsewhere else line.where
    return RoundTrips(str(server or line.where), times)


async def _round_trip(client: Client, timeout: float) -> float:
    pong: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
    begun = time.perf_counter()
    await client._send_ping(pong)
    # Not cancelled when the time is over: see handle.sync.
    done, _ = await asyncio.wait({pong}, timeout=timeout)
    if not done:
        raise nats.errors.TimeoutError
    return time.perf_counter() - begun


@NATS.verb("events", "event", "e", example="%nats events --js-advisory --count 1", mark="")
@switch("--all", "-a", help="all events")
@switch("--json", "-j", help="show the events as JSON")
@switch("--cloudevent", help="not possible yet")
@switch("--short", help="one line each")
@flag("--filter", default=".", show_default=True, help="only events that match this regular expression")
@switch("--js-metric", help="JetStream metrics")
@switch("--js-advisory", help="JetStream advisories")
@switch("--srv-advisory", default=True, help="what the server tells of connections")
@many("--subjects", help="what is published on these subjects")
@flag("--stream", help="not possible yet")
@flag("--since", help="not possible yet")
@flag("--count", type=COUNT, help="end after so many events")
@flag(
    "--wait", type=DURATION, help="with --count: wait for them so long; without: until nothing came so long"
)
async def events(line: Line, wait: float | None, **flags: Any) -> Events:
    """Listen to what servers and JetStream tell, and go on: the events gather in the handle."""
    _no_body(line, "events")
    if flags["cloudevent"]:
        impossible("natslab does not make CloudEvents.", "Leave out --cloudevent; h.json() has the events.")
    if flags["stream"] or flags["since"]:
        impossible("natslab cannot read events from a stream yet.", "Leave out --stream and --since.")
    try:
        pattern = re.compile(flags["filter"], re.IGNORECASE)
    except (re.error, OverflowError, RecursionError) as e:
        raise CommandError(
            f"--filter: {one_line(flags['filter'], 60)!r} is no regular expression: {e}.", ""
        ) from None
    for subject in flags["subjects"]:
        check_subject(subject, wildcards=True)
    handle = Events(line, flags, pattern)
    await handle.listen()
    await handle.waited(wait)
    return handle
