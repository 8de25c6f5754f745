"""`nats consumer`: look at consumers."""

from __future__ import annotations

import datetime
import re
from typing import Any

import click

from natslab import lab as labs
from natslab.commands.config_body import span
from natslab.commands.connect import Line
from natslab.commands.consumer import CONSUMER
from natslab.commands.consumer_find import consumers, info, pick
from natslab.commands.consumer_find import names as names_of
from natslab.commands.flags import DURATION, NUMBER, flag, switch, together
from natslab.commands.jsnames import pick_stream
from natslab.commands.jsresults import CONSUMER_INFO, ConsumerInfo, Listing, Names, Pairs, consumer_state
from natslab.commands.results import Result, one_line
from natslab.commands.tree import impossible
from natslab.errors import CommandError
from natslab.servers.jsapi import Api

_SELECT = switch("--no-select", help="accepted; nothing is asked here")
_JSON = switch("--json", "-j", help="show the facts as JSON")


@CONSUMER.verb("ls", "list", example="%js consumer ls ORDERS", mark="")
@click.argument("stream", required=False)
@_JSON
@switch("--names", "-n", help="show only the names")
@_SELECT
async def ls(line: Line, stream: str | None, names: bool, no_select: bool) -> Result:
    """List the consumers of a stream."""
    async with line.jetstream() as api:
        stream = await pick_stream(api, stream)
        empty = f"{one_line(stream)} has no consumers."
        if names:
            return Names(await names_of(api, stream), empty)
        return _listed(stream, await consumers(api, stream), empty)


def _listed(stream: str, found: list[dict[str, Any]], empty: str) -> Listing:
    rows = [
        [
            c["name"],
            c["config"].get("description", ""),
            "Push" if c["config"].get("deliver_subject") else "Pull",
            str(c["num_ack_pending"]),
            str(c["num_pending"]),
        ]
        for c in found
    ]
    columns = ["Name", "Description", "Mode", "Ack Pending", "Unprocessed"]
    return Listing(f"Consumers of {one_line(stream)}", columns, rows, found, CONSUMER_INFO, empty)


@CONSUMER.verb("info", "nfo", example="%js consumer info ORDERS billing", mark="")
@click.argument("stream", required=False)
@click.argument("consumer", required=False)
@_JSON
@_SELECT
async def info_(line: Line, stream: str | None, consumer: str | None, no_select: bool) -> ConsumerInfo:
    """Show how a consumer is configured and how far it is."""
    async with line.jetstream() as api:
        stream, consumer = await pick(api, stream, consumer)
        return ConsumerInfo(await info(api, stream, consumer))


class ConsumerState(ConsumerInfo):
    """How far a consumer is, without its configuration."""

    @property
    def title(self) -> str:
        """State for Consumer STREAM > NAME."""
        return f"State for Consumer {one_line(self.stream_name)} > {one_line(self.name)}"

    def sections(self) -> dict[str, Pairs]:
        """Only the state."""
        return {"": consumer_state(self)}


@CONSUMER.verb("state", example="%js consumer state ORDERS billing", mark="")
@click.argument("stream", required=False)
@click.argument("consumer", required=False)
@_JSON
@_SELECT
async def state(line: Line, stream: str | None, consumer: str | None, no_select: bool) -> ConsumerState:
    """Show how far a consumer is."""
    async with line.jetstream() as api:
        stream, consumer = await pick(api, stream, consumer)
        return ConsumerState(await info(api, stream, consumer))


@CONSUMER.verb("report", example="%js consumer report ORDERS", mark="")
@click.argument("stream", required=False)
@switch("--raw", "-r", help="show bare numbers")
@switch("--leaders", "-l", help="accepted; leaders are shown in a cluster")
async def report(line: Line, stream: str | None, raw: bool, leaders: bool) -> Listing:
    """Show all consumers of a stream side by side."""
    async with line.jetstream() as api:
        stream = await pick_stream(api, stream)
        found = await consumers(api, stream)
    title = (
        f"Consumer report for {one_line(stream)} with {len(found)} consumer{'s' if len(found) != 1 else ''}"
    )
    columns = [
        "Consumer", "Mode", "Ack Policy", "Ack Wait", "Ack Pending", "Redelivered", "Unprocessed",
        "Ack Floor", "API Level", "Cluster",
    ]  # fmt: skip
    rows = [_report_row(c, raw) for c in found]
    return Listing(title, columns, rows, found, CONSUMER_INFO, f"{one_line(stream)} has no consumers.")


def _report_row(about: dict[str, Any], raw: bool) -> list[str]:
    config = about["config"]

    def number(n: int) -> str:
        return str(n) if raw else f"{n:,}"

    wait = config.get("ack_wait", 0)
    return [
        about["name"],
        "Push" if config.get("deliver_subject") else "Pull",
        config["ack_policy"].capitalize(),
        span(wait) if wait else "",
        number(about["num_ack_pending"]),
        number(about["num_redelivered"]),
        number(about["num_pending"]),
        number(about["ack_floor"]["stream_seq"]),
        config.get("metadata", {}).get("_nats.req.level", "0"),
        _cluster(about.get("cluster") or {}),
    ]


def _cluster(cluster: dict[str, Any]) -> str:
    peers = [str(p["name"]) for p in cluster.get("replicas") or []]
    leader = cluster.get("leader", "")
    if not peers:
        return str(leader)
    return ", ".join(sorted([f"{leader}*" if leader else "", *peers])).strip(", ")


#: The flags that say which consumers.
filtering = together(
    switch("--pull", help="pull consumers"),
    switch("--push", help="push consumers"),
    switch("--bound", help="push consumers with a subscriber"),
    flag("--waiting", type=NUMBER, help="at most so many waiting pull requests"),
    flag("--ack-pending", type=NUMBER, help="at most so many messages waiting for their ack"),
    flag("--pending", type=NUMBER, help="at most so many unprocessed messages"),
    flag("--idle", type=DURATION, help="nothing handed out for so long"),
    flag("--created", type=DURATION, help="made longer ago than this"),
    flag("--replicas", type=NUMBER, help="at most so many replicas"),
    flag("--leader", help="led by a server whose name matches this expression"),
    switch("--pinned", help="pinned to a client"),
    switch("--invert", help="those that do not match"),
    flag("--expression", help="not possible here"),
)


@CONSUMER.verb("find", "query", example="%js consumer find ORDERS --ack-pending 10", mark="")
@click.argument("stream", required=False)
@filtering
@flag("--api-level", type=NUMBER, help="needs at least this API level")
async def find(line: Line, stream: str | None, **flags: Any) -> Result:
    """Find the consumers of a stream that match all of the flags."""
    async with line.jetstream() as api:
        stream, match = await matching(api, stream, flags)
    return _listed(stream, match, f"No consumer of {one_line(stream)} matches.")


async def matching(api: Api, stream: str | None, flags: dict[str, Any]) -> tuple[str, list[dict[str, Any]]]:
    """The stream that is meant, and its consumers that match all of the flags."""
    if flags["expression"]:
        impossible(
            "natslab does not have the expression language of the CLI.",
            "Filter in Python: cs = %js consumer ls, and then [c for c in cs if c.num_pending > 5]",
        )
    if flags["pull"] and flags["push"]:
        raise CommandError("--pull and --push exclude each other.", "Use one of them.")
    try:
        leader = re.compile(flags["leader"] or "")
    except (re.error, OverflowError, RecursionError) as e:
        raise CommandError(
            f"--leader is no regular expression: {e}.", "A name matches itself: --leader n1"
        ) from None
    stream = await pick_stream(api, stream)
    now = datetime.datetime.now(datetime.UTC)
    said = {"api_level": None, **flags}
    found = await consumers(api, stream)
    return stream, [c for c in found if _matches(c, said, leader, now) != flags["invert"]]


def _matches(
    about: dict[str, Any], flags: dict[str, Any], leader: re.Pattern[str], now: datetime.datetime
) -> bool:
    config = about["config"]
    push = bool(config.get("deliver_subject"))
    cluster = about.get("cluster") or {}
    pinned = any(g.get("pinned_client_id") for g in about.get("priority_groups") or [])
    level = int(config.get("metadata", {}).get("_nats.req.level", 0))
    last = about["delivered"].get("last_active", about["created"])
    tests = [
        not flags["pull"] or not push,
        not flags["push"] or push,
        not flags["bound"] or bool(about.get("push_bound")),
        not flags["pinned"] or pinned,
        flags["leader"] is None or leader.search(cluster.get("leader", "")) is not None,
        flags["api_level"] is None or level >= flags["api_level"],
        flags["idle"] is None or _age(last, now) >= flags["idle"],
        flags["created"] is None or _age(about["created"], now) >= flags["created"],
    ]
    tests += [
        flags[name] is None or about[field] <= flags[name]
        for name, field in (
            ("waiting", "num_waiting"), ("ack_pending", "num_ack_pending"), ("pending", "num_pending"),
        )
    ]  # fmt: skip
    tests.append(flags["replicas"] is None or max(1, config.get("num_replicas", 1)) <= flags["replicas"])
    return all(tests)


_FRACTION = re.compile(r"(\.\d{1,6})\d*")


def _age(text: str, now: datetime.datetime) -> float:
    at = datetime.datetime.fromisoformat(_FRACTION.sub(r"\1", text))
    return (now - at).total_seconds()


@CONSUMER.verb("graph", example="%js consumer graph ORDERS billing", mark="")
@click.argument("stream", required=False)
@click.argument("consumer", required=False)
async def graph(line: Line, stream: str | None, consumer: str | None) -> Any:
    """Show the live picture of a consumer: what it handed out, and what became of it."""
    if line.elsewhere:
        impossible("Only the lab has pictures.", "Leave out --server.")
    async with line.jetstream() as api:
        stream, consumer = await pick(api, stream, consumer)
        await info(api, stream, consumer)
    return labs.current().view("acks", stream, consumer)
