"""`nats counter`: subjects of a stream that adds up what is published to them (ADR-49).

Values are whole numbers of any size; they go over the wire as texts.
"""

from __future__ import annotations

import json
import re
from typing import Any

import click

from natslab.commands.connect import Line
from natslab.commands.flags import flag, switch
from natslab.commands.jsnames import check_name
from natslab.commands.jsresults import Info, Listing, Pairs
from natslab.commands.results import Result, Text, one_line
from natslab.commands.tree import NATS
from natslab.errors import ClientError, CommandError
from natslab.errors import there as there_are
from natslab.servers.direct import Kept, Reader
from natslab.servers.jsapi import Api, JetStreamError
from natslab.servers.storing import store
from natslab.servers.subject import check_subject

COUNTER = NATS.group("counter", "ctr", says="Counters: streams that add up what is published to a subject.")

STREAM = flag("--stream", help="the stream; found by the subject when left out")
_NUMBER = re.compile(r"[+-]?\d{1,1000}")


class Count(Text):
    """A counter's value: `.value` is an int of any size, `.subject` and `.stream` say whose."""

    def __init__(self, words: str, stream: str, subject: str, value: int, seq: int) -> None:
        super().__init__(words, stream=stream, subject=subject, value=str(value), seq=seq)
        self.stream = stream
        self.subject = subject
        self.value = value
        self.seq = seq

    def __int__(self) -> int:
        return self.value


class Counted(Info):
    """A counter with where its value comes from: `.value`, `.increment`, `.sources`."""

    def __init__(self, stream: str, subject: str, value: int, increment: str, sources: Any) -> None:
        super().__init__({"stream": stream, "subject": subject, "value": value, "increment": increment})
        self.sources: dict[str, dict[str, str]] = sources
        self.facts["sources"] = sources

    @property
    def title(self) -> str:
        """Whose value it is."""
        return f"Counter {one_line(str(self.facts['subject']))}"

    def sections(self) -> dict[str, Pairs]:
        """Value, last increment, and what each source stream contributes."""
        rows = [
            ("Value", str(self.facts["value"])),
            ("Increment", self.facts["increment"]),
            ("Stream", self.facts["stream"]),
        ]
        found: dict[str, Pairs] = {"": rows}
        parts = [
            (one_line(f"{stream} {subject}"), str(value))
            for stream, subjects in sorted(self.sources.items())
            for subject, value in sorted(subjects.items())
        ]
        return {**found, "Sources": parts} if parts else found


def _amount(text: str, sign: str) -> str:
    plain = text.strip().replace("_", "")
    if not _NUMBER.fullmatch(plain):
        raise CommandError(
            f"{one_line(text, 60)!r} is not a whole number.", "A counter takes whole numbers: 1, 10, -3"
        )
    number = int(plain) * (-1 if sign == "-" else 1)
    return f"{number:+d}"


async def _stream(api: Api, subject: str, name: str | None) -> dict[str, Any]:
    """The configuration of the counter stream that has the subject. Raises CommandError, ClientError."""
    if name is None:
        found = await api.pages("STREAM.NAMES", "streams", {"subject": subject})
        if not found:
            raise ClientError(
                f"No stream takes the subject {one_line(subject, 60)}.",
                "Make one that counts: %js stream add HITS --subjects 'hits.>' --allow-counter",
            )
        if len(found) > 1:
            raise CommandError(
                f"Several streams have {one_line(subject, 60)}.",
                f"Say which: --stream {found[0]}",
            )
        name = str(found[0])
    config: dict[str, Any] = (await api.call(f"STREAM.INFO.{check_name(name, 'stream')}"))["config"]
    if not config.get("allow_msg_counter"):
        raise ClientError(
            f"The stream {name} does not count.",
            "Only a new stream can: %js stream add NAME --subjects SUBJECT --allow-counter",
        )
    return config


def _value(kept: Kept, stream: str) -> int:
    try:
        return int(json.loads(kept.data)["val"])
    except (ValueError, TypeError, KeyError):
        raise ClientError(
            f"The last message of {one_line(kept.subject, 60)} in {stream} is no counter.",
            f"See it: %js stream get {stream} {kept.seq}",
        ) from None


def _check(subject: str) -> None:
    check_subject(subject)
    if any(token in ("*", ">") for token in subject.split(".")):
        raise CommandError(
            f"{one_line(subject, 60)} has a wildcard, and a counter is one subject.",
            "Which there are: %js counter ls",
        )


async def _last(line: Line, subject: str, stream: str | None) -> tuple[str, Kept]:
    _check(subject)
    async with line.jetstream() as api:
        config = await _stream(api, subject, stream)
        kept = await Reader(api, config).last(subject)
    if kept is None:
        raise ClientError(
            f"There is no counter {one_line(subject, 60)} in stream {config['name']} yet.",
            f"Begin it: %js counter incr {one_line(subject, 60)} 1",
        )
    return str(config["name"]), kept


@COUNTER.verb("get", "g", example="%js counter get hits", mark="")
@click.argument("subject")
@STREAM
async def get(line: Line, subject: str, stream: str | None) -> Count:
    """Show the value of a counter."""
    name, kept = await _last(line, subject, stream)
    value = _value(kept, name)
    return Count(str(value), name, subject, value, kept.seq)


@COUNTER.verb("view", "v", example="%js counter view hits", mark="")
@click.argument("subject")
@STREAM
async def view(line: Line, subject: str, stream: str | None) -> Counted:
    """Show the value of a counter, its last increment, and what other streams contribute."""
    name, kept = await _last(line, subject, stream)
    try:
        sources = json.loads(kept.headers.get("Nats-Counter-Sources", "{}"))
    except ValueError:
        sources = {}
    return Counted(name, subject, _value(kept, name), kept.headers.get("Nats-Incr", ""), sources)


@COUNTER.verb("increment", "incr", "inc", "i", example="%js counter incr hits 10")
@click.argument("subject")
@click.argument("value")
async def increment(line: Line, subject: str, value: str) -> Count:
    """Add to a counter, and show its value then."""
    return await _add(line, subject, _amount(value, "+"))


@COUNTER.verb("decrement", "decr", "dec", "d", example="%js counter decr hits 10")
@click.argument("subject")
@click.argument("value")
async def decrement(line: Line, subject: str, value: str) -> Count:
    """Take away from a counter, and show its value then."""
    return await _add(line, subject, _amount(value, "-"))


async def _add(line: Line, subject: str, amount: str) -> Count:
    _check(subject)
    async with line.jetstream() as api:
        try:
            # The stream adds by itself, so nothing is read before: two who add at once both count.
            ack = await store(api.client, subject, b"", {"Nats-Incr": amount}, line.timeout, heard=api.heard)
        except JetStreamError as e:
            if e.code == 10168:
                await _stream(api, subject, None)
            raise
        if not ack.val:
            raise ClientError(
                f"The stream {ack.stream} stored it, but does not count.",
                "Only a new stream can: %js stream add NAME --subjects SUBJECT --allow-counter",
            )
    return Count(ack.val, ack.stream, subject, int(ack.val), ack.seq)


@COUNTER.verb("list", "l", "ls", example="%js counter ls --stream HITS", mark="")
@click.argument("subject", required=False)
@STREAM
@switch("--json", help="show the facts as JSON")
async def ls(line: Line, subject: str | None, stream: str | None) -> Result:
    """List the counters of a stream, with their values."""
    if subject is not None:
        check_subject(subject, wildcards=True)
    async with line.jetstream() as api:
        if subject is None and stream is None:
            streams = [s["config"] for s in await api.pages("STREAM.LIST", "streams")]
            counting = sorted(s["name"] for s in streams if s.get("allow_msg_counter"))
            if len(counting) != 1:
                what = "Which stream?" if counting else "No stream counts yet."
                there = f"{there_are(counting)} Name one: --stream {counting[0]}" if counting else ""
                raise CommandError(
                    what, there or "Make one: %js stream add HITS --subjects 'hits.>' --allow-counter"
                )
            stream = counting[0]
        config = await _stream(api, subject or ">", stream)
        found = await Reader(api, config).lasts(subject or ">")
    name = str(config["name"])
    facts = [{"subject": kept.subject, "value": str(_value(kept, name))} for kept in found]
    empty = f"Stream {name} has no counter" + (f" that matches {one_line(subject)}" if subject else " yet")
    return Listing("", ["Counter", "Value"], [[f["subject"], f["value"]] for f in facts], facts, empty=empty)
