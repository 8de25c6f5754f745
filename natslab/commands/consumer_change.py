"""`nats consumer`: remove, reset, pause, resume, unpin."""

from __future__ import annotations

from typing import Any

import click

from natslab.commands.connect import Line
from natslab.commands.consumer import CONSUMER
from natslab.commands.consumer_config import stamp
from natslab.commands.consumer_config import until as time_of
from natslab.commands.consumer_find import info, missing, pick
from natslab.commands.consumer_show import ConsumerState
from natslab.commands.flags import NUMBER, flag, seconds, switch
from natslab.commands.results import Result, Text, one_line
from natslab.errors import CommandError
from natslab.servers.jsapi import Api, JetStreamError

_FORCE = switch("--force", "-f", help="do it without being asked")


async def _call(
    api: Api, what: str, stream: str, consumer: str, body: dict[str, Any] | None = None
) -> dict[str, Any]:
    try:
        return await api.call(f"CONSUMER.{what}.{stream}.{consumer}", body)
    except JetStreamError as e:
        raise await missing(api, stream, consumer, e) from None


def _forced(force: bool, what: str, again: str) -> None:
    """What the CLI would ask is a flag here, because a cell has no prompt."""
    if not force:
        raise CommandError(f"{what}.", f"Nothing was done. To do it: %js consumer {again} -f")


def _holds(about: dict[str, Any]) -> str:
    """What a consumer knows that nobody else does."""
    n, floor = about["num_ack_pending"], about["ack_floor"]["stream_seq"]
    waiting = f"{n:,} message{'s' if n != 1 else ''} waiting for an ack"
    return f"its place (ack floor {floor:,}) and {waiting}"


@CONSUMER.verb("rm", "delete", "del", example="%js consumer rm ORDERS billing -f")
@click.argument("stream", required=False)
@click.argument("consumer", required=False)
@_FORCE
async def rm(line: Line, stream: str | None, consumer: str | None, force: bool) -> Text:
    """Remove a consumer, with what it knows of handed out and acknowledged messages."""
    async with line.jetstream() as api:
        stream, consumer = await pick(api, stream, consumer)
        about = await info(api, stream, consumer)
        _forced(force, f"rm would remove consumer {consumer} with {_holds(about)}", f"rm {stream} {consumer}")
        await _call(api, "DELETE", stream, consumer)
    return Text(
        f"Consumer {one_line(stream)} > {one_line(consumer)} was removed", stream=stream, name=consumer
    )


@CONSUMER.verb("reset", example="%js consumer reset ORDERS billing --sequence 10 -f")
@click.argument("stream", required=False)
@click.argument("consumer", required=False)
@flag("--sequence", type=NUMBER, help="go on from this sequence; without: from its ack floor")
@_FORCE
async def reset(
    line: Line, stream: str | None, consumer: str | None, sequence: int | None, force: bool
) -> Result:
    """Let a consumer forget what it handed out, and go on from its ack floor or from a sequence."""
    async with line.jetstream() as api:
        stream, consumer = await pick(api, stream, consumer)
        about = await info(api, stream, consumer)
        again = f"reset {stream} {consumer}" + (f" --sequence {sequence}" if sequence else "")
        _forced(force, f"reset would make {consumer} forget {_holds(about)}", again)
        after = await _call(api, "RESET", stream, consumer, {"seq": sequence} if sequence else None)
        result = ConsumerState(after)
        last = (await api.call(f"STREAM.INFO.{stream}"))["state"]["last_seq"]
    start = int(after.get("reset_seq", 0))
    result.notes.append(f"it begins again at sequence {start:,}; what it had handed out is forgotten.")
    if start > last + 1:
        result.notes.append(f"the last sequence of {stream} is {last:,}: it waits until {start:,} is there.")
    return result


@CONSUMER.verb("pause", example="%js consumer pause ORDERS billing 30s -f")
@click.argument("stream", required=False)
@click.argument("consumer", required=False)
@click.argument("until", required=False)
@_FORCE
async def pause(line: Line, stream: str | None, consumer: str | None, until: str | None, force: bool) -> Text:
    """Hand out nothing for a duration, or until a time; acks are still taken."""
    if not until:
        raise CommandError(
            "consumer pause needs a duration or a time.",
            f"For example: %js consumer pause {stream or 'ORDERS'} {consumer or 'billing'} 30s",
        )
    at = time_of(until, "until")
    async with line.jetstream() as api:
        stream, consumer = await pick(api, stream, consumer)
        said = await _call(api, "PAUSE", stream, consumer, {"pause_until": at})
    name = f"Consumer {one_line(stream)} > {one_line(consumer)}"
    if not said.get("paused"):
        return Text(f"{name} is not paused: {one_line(until, 60)} is over already", **_facts(said))
    how = "until" if seconds(until) is None else "for"
    return Text(f"{name} is paused {how} {one_line(until, 60)}", **_facts(said))


def _facts(said: dict[str, Any]) -> dict[str, Any]:
    return {k: said[k] for k in ("paused", "pause_until", "pause_remaining") if k in said}


@CONSUMER.verb("resume", example="%js consumer resume ORDERS billing -f")
@click.argument("stream", required=False)
@click.argument("consumer", required=False)
@_FORCE
async def resume(line: Line, stream: str | None, consumer: str | None, force: bool) -> Text:
    """End a pause."""
    async with line.jetstream() as api:
        stream, consumer = await pick(api, stream, consumer)
        before = await info(api, stream, consumer)
        said = await _call(api, "PAUSE", stream, consumer, {"pause_until": stamp(-1)})
    name = f"Consumer {one_line(stream)} > {one_line(consumer)}"
    return Text(f"{name} goes on" if before.get("paused") else f"{name} was not paused", **_facts(said))


@CONSUMER.verb("unpin", example="%js consumer unpin ORDERS billing jobs -f")
@click.argument("stream", required=False)
@click.argument("consumer", required=False)
@click.argument("group", required=False)
@_FORCE
async def unpin(line: Line, stream: str | None, consumer: str | None, group: str | None, force: bool) -> Text:
    """Take a priority group away from the client it is pinned to; the next that asks gets it."""
    async with line.jetstream() as api:
        stream, consumer = await pick(api, stream, consumer)
        about = await info(api, stream, consumer)
        groups = list(about["config"].get("priority_groups") or [])
        if about["config"].get("priority_policy") != "pinned_client" or not groups:
            raise CommandError(
                f"{consumer} pins nobody.",
                "Only a consumer made with --pinned-groups does: %js consumer info shows.",
            )
        if group is None and len(groups) == 1:
            group = str(groups[0])
        if group is None or group not in groups:
            what = f"has no group {one_line(group, 40)}" if group else "has several groups"
            raise CommandError(f"{consumer} {what}.", f"It has {', '.join(groups)}.")
        pinned = {g["group"] for g in about.get("priority_groups") or [] if g.get("pinned_client_id")}
        await _call(api, "UNPIN", stream, consumer, {"group": group})
    said = "was unpinned" if group in pinned else "was pinned to nobody"
    return Text(
        f"The group {one_line(group)} of {one_line(stream)} > {one_line(consumer)} {said}", group=group
    )
