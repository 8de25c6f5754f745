"""`nats consumer`: make consumers and change them."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from natslab.commands.config_body import CONSUMER as FIELDS
from natslab.commands.config_body import agree, read_config, read_file, shown
from natslab.commands.connect import Line
from natslab.commands.consumer_config import (
    EDITABLE,
    FIXED,
    apply,
    filled,
    matches_nothing,
    oddities,
    settings,
)
from natslab.commands.consumer_find import info, maybe, missing, pick
from natslab.commands.flags import FILE, flag, switch
from natslab.commands.jsnames import check_name, pick_stream
from natslab.commands.jsresults import CONSUMER_INFO, Change, ConsumerInfo, changes
from natslab.commands.replicas import NEW, calm
from natslab.commands.results import Result, Text, one_line
from natslab.commands.tree import NATS, impossible
from natslab.errors import CommandError, NatslabError
from natslab.servers.jsapi import Api, JetStreamError

CONSUMER = NATS.group(
    "consumer", "con", "obs", "c", says="Consumers: cursors on a stream that the server keeps."
)
CONSUMER.params.append(
    click.Option(["--all/--no-all", "-a"], default=False, help="accepted; nothing is asked here")
)

_CANNOT = 10012  # "... can not be updated"


class Made(ConsumerInfo):
    """A consumer that was just made."""

    @property
    def title(self) -> str:
        """Consumer STREAM > NAME was created."""
        return f"Consumer {one_line(self.stream_name)} > {one_line(self.name)} was created"


@CONSUMER.verb(
    "add", "create", "new", body=True,
    example="%js consumer add ORDERS billing --pull --ack explicit --wait 10s --max-deliver 4 --defaults",
)  # fmt: skip
@click.argument("stream", required=False)
@click.argument("consumer", required=False)
@flag("--config", type=FILE, help="take the configuration from this file, JSON or YAML")
@switch("--validate", help="only check the configuration")
@flag("--output", type=FILE, help="write the configuration to this file and do nothing else")
@settings()
@switch("--defaults", help="accepted; what is not said has its default")
async def add(
    line: Line,
    stream: str | None,
    consumer: str | None,
    config: Path | None,
    validate: bool,
    output: Path | None,
    defaults: bool,
    **flags: Any,
) -> Result:
    """Make a consumer; one that is there gets this configuration, and the difference is shown.

    %%js consumer add STREAM CONSUMER takes the configuration from the cell body, in YAML or JSON.
    Flags add to it.
    """
    base: dict[str, Any] = {}
    if config is not None and line.body is not None:
        raise CommandError("There is a configuration in the cell body and in --config.", "Use one of them.")
    if line.body is not None:
        base = read_config(line.body, FIELDS, "consumer")
    elif config is not None:
        base = read_file(config, FIELDS, "consumer")
    inside = dict(base)
    wanted = apply(flags, base)
    if line.body is not None:
        agree(inside, wanted, FIELDS)
    wanted = _complete(wanted, consumer, flags["ephemeral"])
    if output is not None:
        return _written(wanted, output)
    if validate:
        return Text("The configuration can be used.", config=wanted)
    async with line.jetstream() as api:
        return await _put(api, await pick_stream(api, stream), wanted)


def _complete(config: dict[str, Any], name: str | None, ephemeral: bool) -> dict[str, Any]:
    """The configuration with its name, and with the defaults of the CLI."""
    inside = config.get("name") or config.get("durable_name")
    if name and inside and name != inside:
        raise CommandError(
            f"The line says {one_line(name, 60)} and the configuration says {one_line(inside, 60)}.",
            "Give the name once.",
        )
    name = name or inside
    if not name and not ephemeral:
        raise CommandError(
            "consumer add needs a name for the consumer.",
            "For example: %js consumer add ORDERS billing --pull --defaults; --ephemeral needs none.",
        )
    config.setdefault("ack_policy", "none" if config.get("deliver_subject") else "explicit")
    if name:
        check_name(name, "consumer")
        config["name"] = name
        if not ephemeral:
            config["durable_name"] = name
    if ephemeral:
        config.pop("durable_name", None)
    return config


def _written(config: dict[str, Any], path: Path) -> Text:
    try:
        path.write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")
    except OSError as e:
        raise CommandError(f"{path} cannot be written: {e.strerror}.", "Name another file.") from None
    return Text(f"The configuration is in {path}; nothing was made.", path=str(path), config=config)


async def _put(api: Api, stream: str, wanted: dict[str, Any]) -> Result:
    name = str(wanted.get("name", ""))
    before = await maybe(api, stream, name) if name else None
    if before is not None:
        return await _update(api, stream, wanted, before)
    made = await _create(api, stream, wanted, "create")
    made = await calm(api, f"CONSUMER.INFO.{stream}.{made['name']}", made, NEW)
    result = Made(made)
    result.notes += oddities(wanted, made["config"])
    result.warn(*await _deaf(api, stream, made["config"]))
    return result


async def _create(api: Api, stream: str, config: dict[str, Any], action: str) -> dict[str, Any]:
    name = config.get("name", "")
    subject = f"CONSUMER.CREATE.{stream}.{name}" if name else f"CONSUMER.CREATE.{stream}"
    try:
        made = await api.call(subject, {"stream_name": stream, "config": config, "action": action})
        made["config"].setdefault("name", made["name"])
        return made
    except JetStreamError as e:
        raise await missing(api, stream, str(name), e) from None


async def _update(api: Api, stream: str, wanted: dict[str, Any], before: dict[str, Any]) -> Result:
    old, name = before["config"], before["name"]
    if "pause_until" not in wanted and old.get("pause_until"):
        wanted["pause_until"] = old["pause_until"]  # resuming is `consumer resume`
    own = {k: v for k, v in old.get("metadata", {}).items() if k.startswith("_nats.")}
    if own:
        wanted["metadata"] = {**own, **wanted.get("metadata", {})}
    try:
        after = await _create(api, stream, wanted, "update")
    except JetStreamError as e:
        raise _refused(stream, name, wanted, old, e) from None
    result = Change(
        f"Consumer {one_line(stream)} > {one_line(name)}",
        after,
        changes(old, after["config"], FIELDS),
        FIELDS,
    )
    result.known = CONSUMER_INFO
    result.notes += oddities(wanted, after["config"])
    if result.diff.keys() & {"filter_subject", "filter_subjects"}:
        result.warn(*await _deaf(api, stream, after["config"]))
    return result


def _refused(
    stream: str, name: str, wanted: Mapping[str, Any], old: Mapping[str, Any], error: JetStreamError
) -> JetStreamError:
    """The refusal of an update, with the difference that was asked for."""
    diff = changes(filled(old), filled(wanted), FIELDS)
    fixed = sorted(diff.keys() & FIXED)
    if bool(old.get("deliver_subject")) != bool(wanted.get("deliver_subject")):
        fixed.append("deliver_subject")
    if not fixed and error.code != _CANNOT:
        return error
    parts = [
        f"{field} {shown(a, FIELDS.get(field))} -> {shown(b, FIELDS.get(field))}"
        + (" (cannot change)" if field in fixed else "")
        for field, (a, b) in sorted(diff.items())
    ]
    said = one_line(error.description, 100).rstrip(".")
    return JetStreamError(
        f"Consumer {one_line(name)} stays as it is: {said} (error {error.code}); "
        f"asked was {', '.join(parts) or 'nothing else'}.",
        f"Give it another name, or remove it first: %js consumer rm {stream} {one_line(name)} -f",
        error.code,
        error.status,
        error.description,
    )


async def _deaf(api: Api, stream: str, config: Mapping[str, Any]) -> list[str]:
    """Whether a filter can never match; the server takes such a consumer without a word (measured)."""
    if not (config.get("filter_subject") or config.get("filter_subjects")):
        return []
    with contextlib.suppress(NatslabError):
        of = (await api.call(f"STREAM.INFO.{stream}"))["config"]
        stored = [] if of.get("subject_transform") else of.get("subjects")  # a filter sees what is stored
        for one in matches_nothing(config, stored or []):
            there = ", ".join(map(one_line, of["subjects"][:5]))
            return [f"no message of {stream} can match the filter {one_line(one)}: its subjects are {there}."]
    return []


@CONSUMER.verb("edit", "update", body=True, example="%js consumer edit ORDERS billing --max-pending 1")
@click.argument("stream", required=False)
@click.argument("consumer", required=False)
@flag("--config", type=FILE, help="take the fields to change from this file, JSON or YAML")
@switch("--force", "-f", help="accepted; nothing is asked here")
@switch("--interactive", "-i", help="not possible here")
@switch("--dry-run", help="show the difference and change nothing")
@settings(EDITABLE)
async def edit(
    line: Line,
    stream: str | None,
    consumer: str | None,
    config: Path | None,
    force: bool,
    interactive: bool,
    dry_run: bool,
    **flags: Any,
) -> Result:
    """Change some fields of a consumer and show the difference; the others stay as they are."""
    if interactive:
        impossible(
            "There is no editor behind the magic.", "Use flags, or the cell body: %%js consumer edit …"
        )
    base: dict[str, Any] = {}
    if line.body is not None:
        base = read_config(line.body, FIELDS, "consumer")
    elif config is not None:
        base = read_file(config, FIELDS, "consumer")
    async with line.jetstream() as api:
        stream, consumer = await pick(api, stream, consumer)
        before = await info(api, stream, consumer)
        old: dict[str, Any] = before["config"]
        inside = dict(base)
        wanted = apply(flags, {**_kept(old, base), **base})
        if line.body is not None:
            agree(inside, wanted, FIELDS)
        if wanted.get("name", consumer) != consumer:
            raise CommandError("A consumer keeps its name.", f"%js consumer copy {stream} {consumer} NEW")
        if dry_run:
            diff = changes(filled(old), filled(wanted), FIELDS)
            result = Change(f"Consumer {one_line(stream)} > {one_line(consumer)}", before, diff, FIELDS)
            result.known = CONSUMER_INFO
            result.notes.append("nothing was changed (dry run).")
            return result
        return await _update(api, stream, wanted, before)


def _kept(old: Mapping[str, Any], base: Mapping[str, Any]) -> dict[str, Any]:
    """What stays of the old configuration: one kind of filter excludes the other."""
    kept = dict(old)
    if base.keys() & {"filter_subject", "filter_subjects"}:
        kept.pop("filter_subject", None)
        kept.pop("filter_subjects", None)
    return kept


@CONSUMER.verb("copy", "cp", example="%js consumer copy ORDERS billing billing2 --max-deliver 3")
@click.argument("stream")
@click.argument("source")
@click.argument("destination")
@settings()
async def copy(line: Line, stream: str, source: str, destination: str, **flags: Any) -> Result:
    """Make a consumer with the configuration of another; flags change it."""
    check_name(stream, "stream")
    check_name(source, "consumer")
    check_name(destination, "consumer")
    async with line.jetstream() as api:
        found = await info(api, stream, source)
        config = {
            k: v for k, v in found["config"].items() if k not in ("name", "durable_name", "pause_until")
        }
        config["metadata"] = {k: v for k, v in config.get("metadata", {}).items() if k[:6] != "_nats."}
        if flags["pull"]:
            config.pop("deliver_subject", None)
        wanted = _complete(apply(flags, config), destination, flags["ephemeral"])
        if await maybe(api, stream, destination) is not None:
            raise CommandError(
                f"{stream} has a consumer {destination} already.", "Copy to a name that is free."
            )
        made = await _create(api, stream, wanted, "create")
        result = Made(await calm(api, f"CONSUMER.INFO.{stream}.{made['name']}", made, NEW))
        result.notes += oddities(wanted, made["config"])
        return result
