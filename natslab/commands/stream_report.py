"""`nats stream report`, `find`, `gaps` and `graph`: many streams, or one stream's shape."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import click

from natslab.commands.connect import Line
from natslab.commands.flags import DURATION, FILE, NUMBER, Number, flag, switch, together
from natslab.commands.jsnames import is_internal, unshown
from natslab.commands.jsresults import STREAM_INFO, Info, Listing, Names, Pairs
from natslab.commands.results import Result, one_line, rows_text
from natslab.commands.server import size
from natslab.commands.stream import (
    ALL,
    JSON,
    STREAM,
    info_of,
    listed,
    not_there,
    table,
)
from natslab.commands.stream_loss import subjects_of
from natslab.commands.tree import impossible
from natslab.servers.disk import write
from natslab.servers.jsapi import Api

COLUMNS = [
    "Stream", "Storage", "Placement", "Consumers", "Messages", "Bytes", "Lost", "Deleted", "API Level",
    "Replicas",
]  # fmt: skip


class StreamReport(Listing):
    """One row a stream, and below it what is copied from where."""

    def __init__(self, streams: list[dict[str, Any]], raw: bool, leaders: bool, empty: str) -> None:
        super().__init__(
            "Stream Report",
            COLUMNS,
            [_row(s, raw) for s in streams],
            streams,
            STREAM_INFO,
            empty,
        )
        self.copies = [row for s in streams for row in _copies(s)]
        self.leads = _leaders(streams) if leaders else []

    def text(self) -> str:
        """The tables, one below the other."""
        parts = [super().text()]
        if self.copies and self.rows:
            heads = [
                "Stream",
                "Kind",
                "API Prefix",
                "Source Stream",
                "Filters and Transforms",
                "Lag",
                "Error",
            ]
            parts.append("Replication Report\n\n" + rows_text(heads, self.copies))
        if self.leads:
            heads = ["Server", "Leader of Streams"]
            parts.append("Leaders\n\n" + rows_text(heads, self.leads))
        return "\n\n".join(parts)


def _row(info: dict[str, Any], raw: bool) -> list[str]:
    config, state = info["config"], info["state"]
    number: Callable[[int], str] = str if raw else "{:,}".format
    lost = (state.get("lost") or {}).get("msgs") or []
    return [
        config["name"],
        config["storage"].capitalize(),
        _placement(config.get("placement") or {}),
        number(state["consumer_count"]),
        number(state["messages"]),
        str(state["bytes"]) if raw else size(state["bytes"]),
        number(len(lost)),
        number(state.get("num_deleted", 0)),
        (config.get("metadata") or {}).get("_nats.req.level", ""),
        _replicas(info.get("cluster") or {}),
    ]


def _placement(where: dict[str, Any]) -> str:
    return " ".join(
        [*([f"cluster: {where['cluster']}"] if where.get("cluster") else []),
         *([f"tags: {', '.join(where['tags'])}"] if where.get("tags") else [])]
    )  # fmt: skip


def _replicas(cluster: dict[str, Any]) -> str:
    leader = cluster.get("leader", "")
    names = [f"{leader}*"] if leader else []
    for one in cluster.get("replicas") or []:
        names.append(one["name"] + ("!" if one.get("offline") or not one.get("current") else ""))
    return ", ".join(sorted(names))


def _copies(info: dict[str, Any]) -> Iterator[list[str]]:
    config = info["config"]
    kinds = [("Mirror", [info.get("mirror")], [config.get("mirror")])]
    kinds.append(("Source", info.get("sources") or [], config.get("sources") or []))
    for kind, states, wanted in kinds:
        lag = {s["name"]: s for s in states if s}
        for one in wanted:
            if not one:
                continue
            state = lag.get(one["name"], {})
            moves = [
                f"{m.get('src', '')} to {m.get('dest', '')}" for m in one.get("subject_transforms") or []
            ]
            yield [
                config["name"],
                kind,
                (one.get("external") or {}).get("api", ""),
                one["name"],
                ", ".join([*([one["filter_subject"]] if one.get("filter_subject") else []), *moves]),
                f"{state.get('lag', 0):,}",
                (state.get("error") or {}).get("description", ""),
            ]


def _leaders(streams: Iterable[dict[str, Any]]) -> list[list[str]]:
    counts: dict[str, int] = {}
    for one in streams:
        if (leader := (one.get("cluster") or {}).get("leader")) is not None:
            counts[leader or "none"] = counts.get(leader or "none", 0) + 1
    return [[name, f"{n:,}"] for name, n in sorted(counts.items())]


_BY: dict[str, Callable[[dict[str, Any]], Any]] = {
    "consumers": lambda s: -s["state"]["consumer_count"],
    "messages": lambda s: -s["state"]["messages"],
    "storage": lambda s: s["config"]["storage"],
}


@STREAM.verb("report", example="%js stream report", mark="")
@flag("--subject", help="only those that take messages to this subject")
@flag("--cluster", help="only those in this cluster")
@switch("--consumers", "-o", help="most consumers first")
@switch("--messages", "-m", help="most messages first")
@switch("--name", "-n", help="by name, as without any of these")
@switch("--storage", "-t", help="by storage")
@switch("--raw", "-r", help="plain numbers")
@flag("--dot", type=FILE, help="write what is copied from where to this file, for graphviz")
@switch("--leaders", "-l", help="how many streams each server leads")
@ALL
async def report(
    line: Line, subject: str | None, cluster: str | None, raw: bool, dot: Path | None, leaders: bool,
    all: bool, name: bool, **by: bool,
) -> StreamReport:  # fmt: skip
    """Show all streams with their numbers."""
    silent: list[str] = []
    async with line.jetstream() as api:
        streams = await listed(api, subject, silent)
    shown = [
        s
        for s in streams
        if (all or not is_internal(s["config"]["name"]))
        and (not cluster or (s.get("cluster") or {}).get("name") == cluster)
    ]
    for key, order in _BY.items():
        if by.get(key):
            shown.sort(key=order)
    made = StreamReport(shown, raw, leaders, "No stream answers" if silent else "There is no stream")
    if len(shown) < len(streams) and not cluster:
        made.notes.append(unshown(len(streams) - len(shown)))
    made.warn(*not_there(silent))
    if dot is not None:
        write(dot, _dot(made))
        made.notes.append(f"the graph was written to {dot}.")
    return made


def _dot(made: StreamReport) -> str:
    def quoted(text: str) -> str:
        return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'

    edges = [f"  {quoted(row[3])} -> {quoted(row[0])} [label={quoted(row[1])}];" for row in made.copies]
    nodes = [f"  {quoted(row[0])};" for row in made.rows]
    return "\n".join(["digraph streams {", "  rankdir=LR;", *nodes, *edges, "}", ""])


#: The flags that say which streams.
filtering = together(
    flag("--server-name", help="with a replica on this server"),
    flag("--cluster", help="in this cluster"),
    switch("--empty", help="without a message"),
    flag("--idle", type=DURATION, help="without a new message or delivery for so long"),
    flag("--created", type=DURATION, help="made so long ago or longer"),
    flag("--consumers", type=Number(-1), default="-1", help="with at most so many consumers"),
    flag("--subject", help="that take messages to this subject"),
    flag("--replicas", type=NUMBER, help="with at most so many replicas"),
    switch("--sourced", help="that copy from others"),
    switch("--mirrored", help="that mirror another"),
    flag("--leader", help="led by this server"),
)


@STREAM.verb("find", "query", example="%js stream find --subject orders.new", mark="")
@filtering
@switch("--names", "-n", help="only the names")
@switch("--invert", help="the others")
@flag("--expression", help="not possible here")
@flag("--api-level", type=NUMBER, help="that need at least this level of the API")
async def find(
    line: Line, names: bool, invert: bool, expression: str | None, api_level: int | None, **said: Any
) -> Listing:
    """List the streams for which everything that is asked is so."""
    async with line.jetstream() as api:
        chosen, asked = await matching(api, {**said, "expression": expression}, invert, api_level)
    empty = "No stream matches" if asked else "There is no stream"
    return Names([s["config"]["name"] for s in chosen], empty) if names else table(chosen, empty)


async def matching(
    api: Api, said: dict[str, Any], invert: bool, api_level: int | None = None
) -> tuple[list[dict[str, Any]], bool]:
    """The streams for which everything that the flags in `said` ask is so, and whether they ask anything."""
    if said["expression"]:
        impossible(
            "natslab does not read the CLI's expressions.",
            "In Python: [s for s in result if s.state.messages > 10], with %js stream ls",
        )
    streams = await listed(api)
    taking = None
    if said["subject"]:
        taking = set(await api.pages("STREAM.NAMES", "streams", {"subject": said["subject"]}))
    tests = list(_tests(said, taking))
    if api_level is not None:
        tests.append(
            lambda s: int((s["config"].get("metadata") or {}).get("_nats.req.level") or 0) >= api_level
        )
    return [s for s in streams if all(test(s) for test in tests) != invert], bool(tests)


def _tests(said: dict[str, Any], taking: set[str] | None) -> Iterator[Callable[[dict[str, Any]], bool]]:
    """One test for each flag that was given; those of the CLI: at most so many, so long or longer."""
    if said["server_name"]:
        yield lambda s: said["server_name"] in _replicas(s.get("cluster") or {}).replace("*", "").split(", ")
    if said["cluster"]:
        yield lambda s: (s.get("cluster") or {}).get("name") == said["cluster"]
    if said["empty"]:
        yield lambda s: s["state"]["messages"] == 0
    if said["idle"] is not None:
        yield lambda s: _age(s, s["state"].get("last_ts")) >= said["idle"]
    if said["created"] is not None:
        yield lambda s: _age(s, s.get("created")) >= said["created"]
    if said["consumers"] >= 0:
        yield lambda s: s["state"]["consumer_count"] <= said["consumers"]
    if taking is not None:
        yield lambda s: s["config"]["name"] in taking
    if said["replicas"] is not None:
        yield lambda s: s["config"]["num_replicas"] <= said["replicas"]
    if said["sourced"]:
        yield lambda s: bool(s["config"].get("sources"))
    if said["mirrored"]:
        yield lambda s: bool(s["config"].get("mirror"))
    if said["leader"]:
        yield lambda s: (s.get("cluster") or {}).get("leader") == said["leader"]


def _age(info: dict[str, Any], stamp: str | None) -> float:
    """Seconds since the stamp, by the server's clock; what never happened is as old as the stream."""
    if not stamp or stamp.startswith("0001-"):
        stamp = info.get("created", "")
    now = info.get("ts") or datetime.datetime.now(datetime.UTC).isoformat()
    return (_time(now) - _time(stamp)).total_seconds()


def _time(stamp: str) -> datetime.datetime:
    # The server writes nanoseconds; Python reads microseconds.
    whole, _, rest = stamp.rstrip("Z").partition(".")
    found = datetime.datetime.fromisoformat(f"{whole}.{(rest + '000000')[:6]}" if "+" not in stamp else stamp)
    return found if found.tzinfo else found.replace(tzinfo=datetime.UTC)


@STREAM.verb("gaps", example="%js stream gaps ORDERS", mark="")
@click.argument("stream", required=False)
@switch("--force", "-f", help="accepted: nothing is ever asked")
@switch("--progress", default=True, help="accepted: it is quick")
@JSON
async def gaps(line: Line, stream: str | None, force: bool, progress: bool) -> Listing:
    """List the sequences between the first and the last message that are empty."""
    async with line.jetstream() as api:
        info = await info_of(api, stream, deleted_details=True)
    found = list(runs(info.state.deleted))
    made = Listing(
        "",
        ["First", "Last", "Messages"],
        [[f"{a:,}", f"{b:,}", f"{b - a + 1:,}"] for a, b in found],
        [{"name": str(a), "first": a, "last": b, "messages": b - a + 1} for a, b in found],
        empty=f"Stream {info.name} has no gaps",
    )
    missing = info.state.num_deleted - sum(b - a + 1 for a, b in found)
    if missing > 0:
        made.notes.append(f"{missing:,} more were removed; the server does not say which.")
    return made


def runs(numbers: Iterable[int]) -> Iterator[tuple[int, int]]:
    """Consecutive numbers as (first, last)."""
    first = last = None
    for n in sorted(numbers):
        if last is not None and n == last + 1:
            last = n
            continue
        if first is not None and last is not None:
            yield first, last
        first = last = n
    if first is not None and last is not None:
        yield first, last


class Bars(Info):
    """Bars of text: how full a stream is, and its subjects."""

    known = STREAM_INFO

    def __init__(self, facts: dict[str, Any], subjects: dict[str, int]) -> None:
        super().__init__(facts)
        self.subjects = subjects

    @property
    def title(self) -> str:
        """The stream."""
        return f"Stream {one_line(self.config.name)}"

    def sections(self) -> dict[str, Pairs]:
        """Against its limits; the largest subjects."""
        config, state = self.config, self.state
        limits: Pairs = []
        for name, used, most, show in (
            ("Messages", state.messages, config.max_msgs, "{:,}".format),
            ("Bytes", state.bytes, config.max_bytes, size),
            ("Consumers", state.consumer_count, config.max_consumers, "{:,}".format),
        ):
            said = (
                f"{show(used)} of {show(most)}  {bar(used, most)}" if most > 0 else f"{show(used)}, no limit"
            )
            limits.append((name, said))
        top = sorted(self.subjects.items(), key=lambda one: (-one[1], one[0]))[:10]
        most = max((n for _, n in top), default=0)
        pairs = [(one_line(s, 40), f"{bar(n, most)} {n:,}") for s, n in top]
        return {"Limits": limits, "Messages of each subject": pairs}


_WIDTH = 30


def bar(part: float, whole: float) -> str:
    """A bar of text, full when `part` is `whole`; the least thing that is not nothing is seen."""
    filled = min(_WIDTH, round(_WIDTH * part / whole)) if whole > 0 else 0
    filled = max(filled, 1) if part > 0 else 0
    return "█" * filled + "░" * (_WIDTH - filled)


@STREAM.verb("graph", example="%js stream graph ORDERS", mark="")
@click.argument("stream", required=False)
async def graph(line: Line, stream: str | None) -> Result:
    """Show as bars how full a stream is and what its subjects hold; %natslab view stream is live."""
    async with line.jetstream() as api:
        info = await info_of(api, stream)
        subjects = await subjects_of(api, info.name, ">") if info.state.num_subjects <= 10_000 else {}
    return Bars(info.facts, subjects)
