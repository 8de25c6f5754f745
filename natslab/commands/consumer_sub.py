"""Live handles on streams: `nats consumer sub`, and `nats sub` with the flags that name a stream."""

from __future__ import annotations

from typing import Any

import click

from natslab.commands.connect import Line
from natslab.commands.consumer import CONSUMER
from natslab.commands.consumer_find import info, maybe, missing, pick
from natslab.commands.flags import COUNT, DURATION, flag, seconds, switch
from natslab.commands.handle import Handle
from natslab.commands.jsnames import check_name
from natslab.commands.live import Subscribed
from natslab.commands.reading import Direct, Ordered, Pulled, Pushed, Reader, Start, since, stream_of
from natslab.commands.results import one_line
from natslab.commands.tree import impossible
from natslab.errors import CommandError
from natslab.servers.jsapi import Api, JetStreamError

#: Flags of `sub` that say where in a stream it begins, with the delivery policy each means.
_STARTS = {
    "start_sequence": "by_start_sequence",
    "all": "all",
    "new": "new",
    "last": "last",
    "since": "by_start_time",
    "last_per_subject": "last_per_subject",
}
_OTHERS = ("durable", "terminate_at_end", "stream", "direct")
_NOT_WITH = {
    "inbox": "--inbox listens to a new subject, and no stream has it.",
    "match_replies": "--match-replies goes with requests, and a stream holds none.",
}


def asked(flags: dict[str, Any]) -> bool:
    """Whether the flags of `sub` ask for a stream."""
    return any(flags[name] for name in (*_STARTS, *_OTHERS))


async def reader_for(
    line: Line, subjects: tuple[str, ...], flags: dict[str, Any], limit: int, api: Api
) -> Reader:
    """The reader that the flags of `sub` ask for. Raises NatslabError when they make no sense.

    `limit`: messages after which it need ask for no more; 0 = never.
    """
    reader = await _reader(line, subjects, flags, api)
    reader.limit = 0 if flags["ignore_subject"] else limit
    return reader


async def _reader(line: Line, subjects: tuple[str, ...], flags: dict[str, Any], api: Api) -> Reader:
    for name, why in _NOT_WITH.items():
        if flags[name]:
            raise CommandError(why, f"Leave out --{name.replace('_', '-')}.")
    stream, durable = flags["stream"], flags["durable"]
    if not subjects and not stream:
        raise CommandError(
            "subscribe needs a subject or --stream.", "For example: %nats sub --stream ORDERS --all"
        )
    start = _start(subjects, flags)
    if stream:
        check_name(stream, "stream")
    if durable:
        check_name(durable, "consumer")
        if flags["direct"]:
            raise CommandError("--direct uses no consumer, and --durable names one.", "Use one of them.")
    elif flags["queue"]:
        raise CommandError(
            "An ordered reader shares with nobody, so it is in no queue group.",
            "Readers of one --durable share its messages; or leave out --queue.",
        )
    if not stream:
        stream = await stream_of(api, subjects)
    if durable:
        return await _durable(line, api, stream, durable, start, flags)
    reader = Direct(line, stream, start) if flags["direct"] else Ordered(line, stream, start)
    flags["ack"] = False  # there is nothing to acknowledge
    return reader


def _start(subjects: tuple[str, ...], flags: dict[str, Any]) -> Start:
    said = [name for name in _STARTS if flags[name]]
    if len(said) > 1:
        both = " and ".join(f"--{name.replace('_', '-')}" for name in said[:2])
        raise CommandError(f"{both} exclude each other.", "Use one of them.")
    name = said[0] if said else "all"
    start = Start(_STARTS[name], subjects, flags["terminate_at_end"])
    if name == "start_sequence":
        text = str(flags[name])
        if not (text.isascii() and text.isdecimal() and 0 < int(text[:20]) < 2**63):
            raise CommandError(
                f"--start-sequence: {one_line(text, 60)!r} is no sequence.", "It is a number from 1."
            )
        start.more["opt_start_seq"] = int(text)
    elif name == "since":
        ago = seconds(flags[name])
        if ago is None:
            raise CommandError(
                f"--since: {one_line(flags[name], 60)!r} is not a duration.", "Write 10m or 1h."
            )
        start.more = since(ago)
    return start


async def _durable(
    line: Line, api: Api, stream: str, durable: str, start: Start, flags: dict[str, Any]
) -> Reader:
    about = await maybe(api, stream, durable)
    notes = []
    if about is None:
        config = {**start.config(), "name": durable, "durable_name": durable, "ack_policy": "explicit"}
        try:
            about = await api.call(
                f"CONSUMER.CREATE.{stream}.{durable}",
                {"stream_name": stream, "config": config, "action": "create"},
            )
        except JetStreamError as e:
            raise await missing(api, stream, durable, e) from None
        notes.append(f"the durable consumer {durable} was made; it stays when this ends.")
    else:
        if any(flags[name] for name in _STARTS):
            notes.append(f"{durable} was there already and goes on where it was.")
        there = about["config"]
        filters = there.get("filter_subjects") or [there.get("filter_subject")]
        if start.subjects and sorted(start.subjects) != sorted(filter(None, filters)):
            shown = ", ".join(filter(None, filters)) or "everything"
            notes.append(f"{durable} was there already and takes {one_line(shown)}.")
    if about["config"]["ack_policy"] == "none":
        flags["ack"] = False
    elif not flags["ack"]:
        notes.append("without --ack nothing is acknowledged, and everything comes again.")
    reader: Reader
    if about["config"].get("deliver_subject"):
        reader = Pushed(line, stream, durable, flags["queue"], start.at_end)
    else:
        reader = Pulled(line, stream, durable, start.at_end)
    reader.notes = notes
    return reader


@CONSUMER.verb("sub", example="%js consumer sub ORDERS billing --count 3 --wait 2s")
@click.argument("stream", required=False)
@click.argument("consumer", required=False)
@switch("--ack", default=True, help="acknowledge each message (the default)")
@switch("--raw", "-r", help="show only the payloads")
@flag("--deliver-group", help="the queue group of a push consumer")
@flag("--count", type=COUNT, help="end after so many messages")
@flag(
    "--wait", type=DURATION, help="with --count: wait for them so long; without: until nothing came so long"
)
async def sub(
    line: Line,
    stream: str | None,
    consumer: str | None,
    ack: bool,
    raw: bool,
    deliver_group: str | None,
    count: int | None,
    wait: float | None,
) -> Handle:
    """Take the messages of a consumer, and go on: they gather in the handle."""
    flags: dict[str, Any] = {
        **dict.fromkeys(
            ("translate", "dump", "match_replies", "timestamp", "delta_time", "subjects_only", "headers_only")
        ),
        "ignore_subject": (),
        "ack": ack,
        "raw": raw,
    }
    what = " > ".join(one_line(name) for name in (stream, consumer) if name)
    handle = Subscribed(line, f"consumer sub {what}".rstrip(), count or 0, flags)

    async def make(api: Api) -> Reader:
        name, of = await pick(api, stream, consumer)
        config = (await info(api, name, of))["config"]
        if config["ack_policy"] == "none":
            flags["ack"] = False
        reader: Reader
        if config.get("deliver_subject"):
            reader = Pushed(line, name, of, deliver_group)
        elif deliver_group is not None:
            impossible(
                f"{of} is a pull consumer and has no queue group: everybody who asks shares it.",
                "Leave out --deliver-group.",
            )
        else:
            reader = Pulled(line, name, of)
        reader.limit = handle.limit
        return reader

    await handle.read(make)
    await handle.waited(wait)
    return handle
