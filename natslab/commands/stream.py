"""`nats stream`: making, changing, showing and removing streams."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from natslab.commands.config_body import STREAM as FIELDS
from natslab.commands.config_body import agree
from natslab.commands.connect import Line
from natslab.commands.flags import FILE, NUMBER, flag, switch
from natslab.commands.jsnames import check_name, is_internal, pick_stream, unshown
from natslab.commands.jsresults import (
    STREAM_INFO,
    Change,
    Listing,
    Names,
    StreamInfo,
    StreamState,
    changes,
    difference,
)
from natslab.commands.replicas import NEW, SOON, calm, made_of
from natslab.commands.results import Result, Text, one_line
from natslab.commands.server import size
from natslab.commands.stream_flags import (
    FILE_OF_CONFIG,
    check,
    configured,
    configuring,
    given,
    odd_limits,
    wanted,
)
from natslab.commands.stream_loss import loss, subjects_of
from natslab.commands.tree import NATS, impossible
from natslab.errors import CommandError, joined
from natslab.servers.disk import write
from natslab.servers.jsapi import Api, JetStreamError
from natslab.servers.subject import check_subject

STREAM = NATS.group("stream", "str", "st", "ms", "s", says="Streams: what JetStream stores.")

FORCE = switch("--force", "-f", help="do it without being asked")
ALL = switch("--all", "-a", help="also the streams of buckets")
DRY_RUN = switch("--dry-run", help="show the request and do nothing")
#: The CLI's letter for --json; natslab's own --json has none.
JSON = switch("--json", "-j", help="show the facts as JSON")


class Request(Result):
    """What would be asked of the JetStream API; nothing was."""

    def __init__(self, subject: str, body: Mapping[str, Any]) -> None:
        super().__init__()
        self.subject = subject
        self.body = dict(body)

    def text(self) -> str:
        """Subject and body."""
        return f"Nothing was done (dry run). The request would be:\n\n{self.subject}\n{_indented(self.body)}"

    def json(self) -> Any:
        """Subject and body."""
        return {"subject": self.subject, "request": self.body}


def _indented(body: Mapping[str, Any]) -> str:
    return json.dumps(body, indent=2, ensure_ascii=False)


async def info_of(api: Api, name: str | None, **ask: Any) -> StreamInfo:
    """The info of the stream that is named, or of the only one there is."""
    stream = await pick_stream(api, name)
    subject = f"STREAM.INFO.{stream}"
    return StreamInfo(await calm(api, subject, await api.call(subject, ask or None), SOON))


async def found(api: Api, name: str) -> dict[str, Any] | None:
    """The info of a stream, or None when there is none of that name."""
    try:
        return await api.call(f"STREAM.INFO.{name}")
    except JetStreamError as e:
        if e.code == 10059:
            return None
        raise


@STREAM.verb("add", "create", "new", example="%js stream add ORDERS --subjects 'orders.>'", body=True)
@click.argument("stream", required=False)
@FILE_OF_CONFIG
@switch("--validate", help="only check the configuration")
@flag("--output", type=FILE, help="write the configuration to this file and do nothing else")
@configuring("a")
@JSON
@switch("--defaults", help="accepted: what is not said is as the CLI's default")
@switch("--force", "-f", help="on a stream that is there: also when messages go by it")
@DRY_RUN
async def add(
    line: Line, stream: str | None, validate: bool, output: Path | None, defaults: bool, force: bool,
    dry_run: bool, **said: Any,
) -> Result:  # fmt: skip
    """Make a stream, or change one to be exactly like this.

    What is not said is as the server's default. When the stream is there it is updated, and what changed
    is shown; a field that cannot change refuses all of it, and so does one by which messages go, without -f.
    """
    config = wanted(stream, line.body, said)
    name = check_name(config["name"], "stream")
    check(config)
    if validate:
        return Text(f"The configuration of stream {name} can be read", valid=True, config=config)
    if output is not None:
        write(output, _indented(config) + "\n")
        return Text(f"The configuration of stream {name} was written to {output}", file=str(output))
    if dry_run:
        return Request(f"$JS.API.STREAM.CREATE.{name}", config)
    async with line.jetstream() as api:
        return await create(api, config, force)


async def create(api: Api, wanted: dict[str, Any], force: bool) -> Result:
    """Make the stream that is `wanted`, or change the one of that name, all or nothing."""
    name = wanted["name"]
    before = await found(api, name)
    if before is None:
        made = StreamInfo(await made_of(api, wanted))
        made.heading = f"Stream {name} was created"
        await _remark(api, made, bool(wanted.get("subjects")))
        return made
    return await update(api, before, wanted, force)


async def _remark(api: Api, made: StreamInfo, said: bool) -> None:
    """Say what a person may not have meant."""
    config = made.config
    made.warn(*odd_limits(made.facts["config"]))
    if config.subjects == [made.name] and not said:
        made.notes.append(
            f"it takes messages to the subject {one_line(made.name)} only; --subjects says others."
        )
    origins = [config.mirror] if config.get("mirror") else config.sources
    for one in origins:
        if not one.get("external") and await found(api, one.name) is None:
            made.warn(f"there is no stream {one_line(one.name)} yet; nothing comes until there is.")


async def update(api: Api, before: dict[str, Any], wanted: dict[str, Any], force: bool) -> Change:
    """Change the stream; the difference is in the result, or in the hint of the refusal.

    Without `force` a change by which messages go raises CommandError.
    """
    name = wanted["name"]
    asked = changes(before["config"], _server_filled(before["config"], wanted), FIELDS)
    if not asked:
        return Change(f"Stream {name}", before, {}, FIELDS, STREAM_INFO)
    if not force and (gone := await loss(api, before, wanted)):
        raise CommandError(
            f"This would remove {gone} from stream {name} for good.",
            "Nothing was done. To do it, write the line again with -f",
        )
    try:
        after = await api.call(f"STREAM.UPDATE.{name}", wanted)
    except JetStreamError as e:
        if e.code not in (10052, 10055, 10061, 10069):
            raise
        fields = "; ".join(text.strip() for text in difference(asked, FIELDS))
        reason = e.description.removeprefix("stream configuration update ").rstrip(".")
        e.what = f"Stream {name} stays as it is, because the server refuses: {reason} (error {e.code})."
        e.hint = f"Asked for: {fields}. Leave out what cannot change, or remove the stream and make it anew."
        e.args = (e.what, e.hint)
        raise
    diff = changes(before["config"], after["config"], FIELDS)
    if "num_replicas" in diff:
        replicas = int(after["config"].get("num_replicas") or 1)
        after = await calm(api, f"STREAM.INFO.{name}", after, NEW, replicas)
    made = Change(f"Stream {name}", after, diff, FIELDS, STREAM_INFO)
    if any(field.startswith("max_") for field in diff):
        made.warn(*odd_limits(after["config"]))
    return made


#: What the server fills in when a request does not say it, beside empty values.
_FILLED = {"num_replicas": 1, "duplicate_window": None, "max_consumers": -1}


def _server_filled(before: Mapping[str, Any], wanted: Mapping[str, Any]) -> dict[str, Any]:
    out = {**wanted}
    for field, value in _FILLED.items():
        out.setdefault(field, before.get(field) if value is None else value)
    if not any(out.get(k) for k in ("subjects", "mirror", "sources")):
        out["subjects"] = [out["name"]]
    return out


@STREAM.verb("ls", "list", "l", example="%js stream ls", mark="")
@flag("--subject", help="only those that take messages to this subject")
@switch("--names", "-n", help="only the names")
@ALL
@JSON
async def ls(line: Line, subject: str | None, names: bool, all: bool) -> Listing:
    """List the streams."""
    silent: list[str] = []
    async with line.jetstream() as api:
        streams = await listed(api, subject, silent)
    shown = [s for s in streams if all or not is_internal(s["config"]["name"])]
    empty = "There is no stream" + (f" that takes {subject}" if subject else "")
    empty = "No stream answers" if silent else empty
    result = Names([s["config"]["name"] for s in shown], empty) if names else table(shown, empty)
    hidden = len(streams) - len(shown)
    if hidden:
        result.notes.append(unshown(hidden))
    result.warn(*not_there(silent))
    return result


def table(streams: list[dict[str, Any]], empty: str) -> Listing:
    """Streams as `ls` shows them."""
    return Listing(
        "",
        ["Name", "Description", "Messages", "Size"],
        [
            [
                s["config"]["name"],
                s["config"].get("description", ""),
                f"{s['state']['messages']:,}",
                size(s["state"]["bytes"]),
            ]
            for s in streams
        ],
        streams,
        STREAM_INFO,
        empty,
    )


async def listed(
    api: Api, subject: str | None = None, silent: list[str] | None = None
) -> list[dict[str, Any]]:
    """The info of every stream, by name; into `silent` go the names of those that nobody leads."""
    streams = await api.pages("STREAM.LIST", "streams", {"subject": subject} if subject else None, silent)
    return sorted(streams, key=lambda s: str(s["config"]["name"]))


def not_there(silent: list[str]) -> list[str]:
    """A note about the streams that nobody leads."""
    if not silent:
        return []
    they = "has no leader and is" if len(silent) == 1 else "have no leader and are"
    return [f"{joined(sorted(silent))} {they} not in the list; %natslab status shows the servers."]


@STREAM.verb("info", "nfo", "i", example="%js stream info ORDERS", mark="")
@click.argument("stream", required=False)
@JSON
@switch("--state", help="only the state")
@switch("--no-select", help="accepted: nothing is ever asked")
async def info(line: Line, stream: str | None, state: bool, no_select: bool) -> Result:
    """Show how a stream is configured and what it holds."""
    async with line.jetstream() as api:
        made = await info_of(api, stream)
    return StreamState(made.name, made.facts["state"]) if state else made


@STREAM.verb("state", example="%js stream state ORDERS", mark="")
@click.argument("stream", required=False)
@JSON
@switch("--no-select", help="accepted: nothing is ever asked")
async def state(line: Line, stream: str | None, no_select: bool) -> StreamState:
    """Show what a stream holds."""
    async with line.jetstream() as api:
        made = await info_of(api, stream)
    return StreamState(made.name, made.facts["state"])


@STREAM.verb("subjects", "subj", example="%js stream subjects ORDERS 'orders.eu.>'", mark="")
@click.argument("stream", required=False)
@click.argument("filter", required=False, default=">")
@JSON
@flag(
    "--sort", type=click.Choice(["name", "subjects", "messages", "count"]), default="messages",
    show_default=True, help="in which order",
)  # fmt: skip
@switch("--reverse", "-R", help="the other way round")
@switch("--names", help="only the subjects")
async def subjects(
    line: Line, stream: str | None, filter: str, sort: str, reverse: bool, names: bool
) -> Listing:
    """List the subjects of a stream's messages, and how many messages each has."""
    async with line.jetstream() as api:
        counts = await subjects_of(api, await pick_stream(api, stream), filter)
    rows = sorted(counts.items())
    if sort in ("messages", "count"):
        rows.sort(key=lambda row: -row[1])
    if reverse:
        rows.reverse()
    empty = "The stream has no message" + ("" if filter == ">" else f" to {filter}")
    if names:
        return Names([s for s, _ in rows], empty)
    return Listing(
        "",
        ["Subject", "Messages"],
        [[s, f"{n:,}"] for s, n in rows],
        [{"name": s, "messages": n} for s, n in rows],
        empty=empty,
    )


@STREAM.verb("edit", "update", example="%js stream edit ORDERS --max-msgs 100", body=True)
@click.argument("stream", required=False)
@FILE_OF_CONFIG
@FORCE
@switch("--interactive", "-i", help="not possible: there is no editor behind the magic")
@switch("--dry-run", help="show what would change and do nothing")
@configuring("e")
@JSON
async def edit(
    line: Line, stream: str | None, config: Path | None, force: bool, interactive: bool, dry_run: bool,
    **said: Any,
) -> Result:  # fmt: skip
    """Change fields of a stream; the others stay."""
    if interactive:
        impossible(
            "There is no editor behind the magic.", "Say what is to change with flags, or in the cell body."
        )
    fields = given(line.body, config)
    async with line.jetstream() as api:
        name = await pick_stream(api, stream or fields.get("name"))
        before = await api.call(f"STREAM.INFO.{name}")
        if fields.get("name", name) != name:
            raise CommandError(f"Stream {name} cannot be renamed to {fields['name']}.", "Leave out the name.")
        if fields.get("subjects") == [] and before["config"].get("subjects"):
            raise CommandError(
                "The list of subjects is empty, and the server would take the stream's name instead.",
                "Name one, or leave the field out: subjects: ['orders.>']",
            )
        wanted = configured({**before["config"], **fields}, said)
        if line.body is not None:
            agree(fields, wanted, FIELDS)
        check(wanted)
        if dry_run:
            asked = changes(before["config"], wanted, FIELDS)
            lines = "\n".join(difference(asked, FIELDS))
            return Text(
                f"Nothing was done (dry run). This would change:\n\n{lines}" if asked
                else "Nothing was done (dry run), and nothing would change",
                changes={k: list(v) for k, v in asked.items()},
            )  # fmt: skip
        return await update(api, before, wanted, force)


@STREAM.verb("rm", "delete", "del", example="%js stream rm ORDERS -f")
@click.argument("stream", required=False)
@FORCE
@DRY_RUN
async def rm(line: Line, stream: str | None, force: bool, dry_run: bool) -> Result:
    """Remove a stream with its messages and consumers."""
    async with line.jetstream() as api:
        before = await info_of(api, stream)
        name = before.name
        if dry_run:
            return Request(f"$JS.API.STREAM.DELETE.{name}", {})
        n, c = before.state.messages, before.state.consumer_count
        held = f"{_many(n, 'message')} and {_many(c, 'consumer')}"
        _forced(force, f"rm would remove stream {name} with {held} for good.", f"%js stream rm {name} -f")
        await api.call(f"STREAM.DELETE.{name}")
    return Text(f"Stream {name} was removed", stream=name, messages=n, consumers=c)


def _many(n: int, what: str) -> str:
    return f"{n:,} {what}{'' if n == 1 else 's'}"


def _forced(force: bool, what: str, line: str) -> None:
    """What the CLI would ask is a flag here, because a cell has no prompt."""
    if not force:
        raise CommandError(what, f"Nothing was done. To do it: {line}")


@STREAM.verb("purge", example="%js stream purge ORDERS --subject orders.eu.new --keep 3 -f")
@click.argument("stream", required=False)
@JSON
@FORCE
@flag("--subject", help="only messages to this subject")
@flag("--seq", type=NUMBER, help="only messages before this sequence")
@flag("--keep", type=NUMBER, help="keep so many")
@DRY_RUN
async def purge(
    line: Line, stream: str | None, force: bool, subject: str | None, seq: int | None, keep: int | None,
    dry_run: bool,
) -> Result:  # fmt: skip
    """Remove messages and keep the stream; its sequence goes on."""
    if seq is not None and keep is not None:
        raise CommandError("--seq and --keep are two ways to say what stays.", "Use one of them.")
    if subject is not None:
        check_subject(subject, wildcards=True)
    ask = {"filter": subject, "seq": seq, "keep": keep}
    body = {k: v for k, v in ask.items() if v is not None}
    async with line.jetstream() as api:
        before = await info_of(api, stream)
        name = before.name
        if dry_run:
            return Request(f"$JS.API.STREAM.PURGE.{name}", body)
        which = f"messages to {subject}" if subject else "messages"
        said = "".join(
            [
                f" before {seq}" if seq is not None else "",
                f" but the last {keep}" if keep is not None else "",
                f", {before.state.messages:,} in all," if not body else "",
            ]
        )
        _forced(
            force, f"purge would remove {which}{said} of stream {name} for good.", f"%js {_again(line)} -f"
        )
        answer = await api.call(f"STREAM.PURGE.{name}", body)
        after = await info_of(api, name)
    made = StreamState(name, after.facts["state"])
    made.facts["purged"] = answer.get("purged", 0)
    made.heading = (
        f"{_many(made.purged, 'message')} of stream {name} {'was' if made.purged == 1 else 'were'} removed"
    )
    if subject and not made.purged:
        made.notes.append(f"nothing was there on {one_line(subject)}.")
    return made


def _again(line: Line) -> str:
    """The line as typed, without the tree's name."""
    return line.text.removeprefix("nats ").strip()


@STREAM.verb("rmm", example="%js stream rmm ORDERS 7 -f")
@click.argument("stream", required=False)
@click.argument("id", required=False, type=NUMBER)
@FORCE
@DRY_RUN
async def rmm(line: Line, stream: str | None, id: int | None, force: bool, dry_run: bool) -> Result:
    """Remove one message; its sequence stays empty."""
    if id is None and stream is not None and stream.isdecimal():
        id, stream = int(stream), None
    if id is None:
        raise CommandError("rmm needs the sequence of a message.", "For example: %js stream rmm ORDERS 7 -f")
    async with line.jetstream() as api:
        name = await pick_stream(api, stream)
        if dry_run:
            return Request(f"$JS.API.STREAM.MSG.DELETE.{name}", {"seq": id})
        try:
            there = (await api.call(f"STREAM.MSG.GET.{name}", {"seq": id}))["message"]
        except JetStreamError as e:
            if e.code == 10037:
                last = (await api.call(f"STREAM.INFO.{name}"))["state"]["last_seq"]
                e.what = (
                    f"There is no message {id} in stream {name}, whose last sequence is {last} (error 10037)."
                )
                e.args = (e.what, e.hint)
            raise
        subject = one_line(there["subject"], 60)
        _forced(
            force,
            f"rmm would remove message {id} ({subject}) of stream {name} for good.",
            f"%js stream rmm {name} {id} -f",
        )
        await api.call(f"STREAM.MSG.DELETE.{name}", {"seq": id})
    return Text(f"Message {id} of stream {name} was removed", stream=name, seq=id)


@STREAM.verb("copy", "cp", example="%js stream copy ORDERS COPY --subjects 'c.>'")
@click.argument("source")
@click.argument("destination")
@configuring("a")
@JSON
@DRY_RUN
async def copy(line: Line, source: str, destination: str, dry_run: bool, **said: Any) -> Result:
    """Make a stream with the configuration of another one; its messages are not copied."""
    check_name(destination, "stream")
    async with line.jetstream() as api:
        config = (await info_of(api, source)).facts["config"]
        base = {k: v for k, v in config.items() if k != "name"}
        own = {k: v for k, v in (base.pop("metadata", None) or {}).items() if not k.startswith("_nats.")}
        base.pop("sealed", None)
        wanted = configured({"name": destination, **base, **({"metadata": own} if own else {})}, said)
        check(wanted)
        if dry_run:
            return Request(f"$JS.API.STREAM.CREATE.{destination}", wanted)
        if await found(api, destination) is not None:
            raise CommandError(
                f"Stream {destination} is there already.",
                f"Take another name, or change it: %js stream edit {destination}",
            )
        made = StreamInfo(await made_of(api, wanted))
    made.heading = f"Stream {destination} was created"
    return made


@STREAM.verb("seal", example="%js stream seal ORDERS -f")
@click.argument("stream")
@FORCE
@DRY_RUN
async def seal(line: Line, stream: str, force: bool, dry_run: bool) -> Result:
    """Close a stream for ever: nothing is added, changed or removed any more."""
    async with line.jetstream() as api:
        before = (await info_of(api, stream)).facts
        wanted = {**before["config"], "sealed": True}
        if dry_run:
            return Request(f"$JS.API.STREAM.UPDATE.{stream}", wanted)
        _forced(force, f"seal would close stream {stream} for ever.", f"%js stream seal {stream} -f")
        change = await update(api, before, wanted, force)
    change.what = f"Stream {stream}"
    return change
