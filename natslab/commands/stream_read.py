"""`nats stream view` and `get`: messages out of a stream, without a consumer."""

from __future__ import annotations

import base64
import datetime
from collections.abc import Iterator
from typing import Any

import click

from natslab.commands.connect import Line
from natslab.commands.external import Program
from natslab.commands.flags import COUNT, DURATION, NUMBER, flag, switch
from natslab.commands.jsnames import pick_stream
from natslab.commands.results import Message, Result, decoded, one_line, plain
from natslab.commands.stream import JSON, STREAM
from natslab.errors import CommandError
from natslab.servers.headers import without_trace
from natslab.servers.jsapi import Api, JetStreamError
from natslab.servers.subject import check_subject


class StoredMessage(Message):
    """A message as a stream keeps it: `.seq`, `.subject`, `.data`, `.headers`, `.time`."""

    __slots__ = ("seq", "time")

    def __init__(self, facts: dict[str, Any]) -> None:
        # The header of a trace is the lab's, not who published.
        block, _ = without_trace(base64.b64decode(facts.get("hdrs") or ""))
        super().__init__(facts["subject"], base64.b64decode(facts.get("data") or ""), _headers(block))
        self.seq = int(facts["seq"])
        self.time = str(facts.get("time", ""))

    def facts(self) -> dict[str, Any]:
        """For JSON."""
        return {"seq": self.seq, "time": self.time, **super().facts()}

    def __repr__(self) -> str:
        headers = f", headers={self.headers!r}" if self.headers else ""
        return f"StoredMessage({self.seq}, {self.subject!r}, {self.data!r}{headers})"


def _headers(block: bytes) -> dict[str, str]:
    lines = decoded(block).split("\r\n")[1:]
    pairs = (line.split(":", 1) for line in lines if ":" in line)
    return {name: value.strip() for name, value in pairs}


class Stored(Result):
    """Messages of a stream, in order."""

    def __init__(self, stream: str, messages: list[StoredMessage], *, raw: bool = False) -> None:
        super().__init__()
        self.stream = stream
        self.messages = messages
        self.raw = raw
        self.more = False  # whether there were more than were asked for

    def text(self) -> str:
        """Sequence and subject, headers, payload of each; with --raw payloads only."""
        if not self.messages:
            return f"No message of stream {one_line(self.stream)} matches"
        if self.raw:
            return "\n".join(plain(m.text) for m in self.messages)
        return "\n\n".join(map(_shown, self.messages))

    def table(self) -> tuple[list[str], list[list[str]]] | None:
        """Sequence, subject, headers, payload."""
        if self.raw:
            return None
        return ["#", "Subject", "Headers", "Payload"], [
            [str(m.seq), m.subject, ", ".join(f"{k}: {v}" for k, v in m.headers.items()), decoded(m.data)]
            for m in self.messages
        ]

    def json(self) -> Any:
        """Everything about each."""
        return [m.facts() for m in self.messages]

    def __len__(self) -> int:
        return len(self.messages)

    def __iter__(self) -> Iterator[StoredMessage]:
        return iter(self.messages)

    def __getitem__(self, i: int) -> StoredMessage:
        return self.messages[i]


class One(Stored):
    """One message: its attributes are those of the message."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_") or "messages" not in self.__dict__:
            raise AttributeError(name)
        return getattr(self.__dict__["messages"][0], name)

    def json(self) -> Any:
        """Everything about it."""
        return self.messages[0].facts()


def _shown(message: StoredMessage) -> str:
    lines = [f"[{message.seq}] Subject: {one_line(message.subject)}"]
    lines += [f"  {one_line(f'{k}: {v}')}" for k, v in message.headers.items()]
    body = plain(message.text)
    return "\n".join([*lines, "", body if len(body) <= 2000 else body[:2000] + "…"]).rstrip("\n")


_MOST = 10_000


@STREAM.verb("view", example="%js stream view ORDERS 10 --subject 'orders.eu.>'", mark="")
@click.argument("stream", required=False)
@click.argument("size", required=False, type=COUNT, default="10")
@flag("--id", type=NUMBER, help="begin with this sequence")
@flag("--since", type=DURATION, help="only messages that are not older")
@switch("--raw", help="only the payloads")
@flag("--translate", metavar="COMMAND", help="show the payload as this program changes it")
@flag("--subject", help="only messages to this subject")
async def view(
    line: Line, stream: str | None, size: int, id: int | None, since: float | None, raw: bool,
    translate: str | None, subject: str | None,
) -> Stored:  # fmt: skip
    """Show messages of a stream, from the first one on; nothing is consumed."""
    if id is not None and since is not None:
        raise CommandError("--id and --since are two ways to say where to begin.", "Use one of them.")
    if subject is not None:
        check_subject(subject, wildcards=True)
    if stream is not None and stream.isdecimal() and size == 10:
        size, stream = max(1, int(stream)), None
    if size > _MOST:
        raise CommandError(f"{size:,} messages are too many to show.", f"At most {_MOST:,}.")
    body: dict[str, Any] = {"next_by_subj": subject or ">"}
    if since is not None:
        # `start_time` finds the first one; the sequence goes on from there.
        at = datetime.datetime.now(datetime.UTC) - datetime.timedelta(seconds=since)
        body["start_time"] = at.isoformat().replace("+00:00", "Z")
    else:
        body["seq"] = max(1, id or 1)
    async with line.jetstream() as api:
        name = await pick_stream(api, stream)
        messages: list[StoredMessage] = []
        while len(messages) <= size:
            found = await _next(api, name, body)
            if found is None:
                break
            messages.append(found)
            body = {"next_by_subj": body["next_by_subj"], "seq": found.seq + 1}
    made = Stored(name, messages[:size], raw=raw)
    await _translated(made, translate)
    made.more = len(messages) > size
    if made.more and not raw:
        made.notes.append(f"there are more; go on with --id {messages[size].seq}")
    return made


async def _next(api: Api, stream: str, body: dict[str, Any]) -> StoredMessage | None:
    try:
        said = await api.call(f"STREAM.MSG.GET.{stream}", body)
    except JetStreamError as e:
        if e.code == 10037:
            return None
        raise
    return StoredMessage(said["message"])


@STREAM.verb("get", example="%js stream get ORDERS 5", mark="")
@click.argument("stream", required=False)
@click.argument("id", required=False, type=NUMBER)
@flag("--last-for", "-S", help="the newest message to this subject")
@JSON
@flag("--translate", metavar="COMMAND", help="show the payload as this program changes it")
async def get(
    line: Line, stream: str | None, id: int | None, last_for: str | None, translate: str | None
) -> One:
    """Show one message of a stream, by its sequence or as the newest of its subject."""
    if stream is not None and stream.isdecimal() and id is None and last_for is None:
        id, stream = int(stream), None
    if (id is None) == (last_for is None):
        raise CommandError(
            "get needs the sequence of a message or a subject, one of the two.",
            "For example: %js stream get ORDERS 5, or --last-for orders.new",
        )
    if last_for is not None:
        check_subject(last_for, wildcards=True)
    if id == 0:
        raise CommandError("No message has the sequence 0.", "The first one is 1.")
    body = {"seq": id} if id is not None else {"last_by_subj": last_for}
    async with line.jetstream() as api:
        name = await pick_stream(api, stream)
        try:
            said = await api.call(f"STREAM.MSG.GET.{name}", body)
        except JetStreamError as e:
            if e.code == 10037:
                await _explained(api, name, e, id, last_for)
            raise
    made = One(name, [StoredMessage(said["message"])])
    await _translated(made, translate)
    return made


async def _explained(
    api: Api, stream: str, error: JetStreamError, id: int | None, subject: str | None
) -> None:
    """Say why the message is not there: not yet, no longer, or never."""
    state = (await api.call(f"STREAM.INFO.{stream}"))["state"]
    first, last = state["first_seq"], state["last_seq"]
    if subject is not None:
        what, hint = f"to {one_line(subject)}", f"Its subjects: %js stream subjects {stream}"
    elif id is not None and id > last:
        what, hint = str(id), f"The last one is {last}." if last else "Nothing was stored yet."
    elif id is not None and id < first:
        what, hint = str(id), f"It is gone: the first one is {first}."
    else:
        what, hint = str(id), f"It was removed: %js stream gaps {stream}"
    error.what = f"Stream {stream} has no message {what} (error {error.code})."
    error.hint = hint
    error.args = (error.what, hint)


async def _translated(made: Stored, command: str | None) -> None:
    if command is None:
        return
    program = Program(command)
    for message in made.messages:
        _, message.data = await program.run(message.subject, message.data, stdin=message.data)
