"""`nats server report jetstream` and `downgrade`: what each server stores, who leads, which API is needed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import click

from natslab.commands.columns import Column, Part, Report, full, ordered, shown
from natslab.commands.connect import Line
from natslab.commands.flags import NUMBER, flag, switch
from natslab.commands.results import one_line
from natslab.commands.server import size
from natslab.commands.server_ask import LIMIT, Answer, Servers, limiting, no_archive
from natslab.commands.server_report import REPORT, asked

_MOST = 10_000  # accounts of one server in one answer


@dataclass
class _Store:
    """What one server stores: of all accounts, or of one."""

    answer: Answer
    streams: int
    consumers: int
    messages: int
    bytes: int
    memory: int
    file: int

    @property
    def meta(self) -> dict[str, Any]:
        return self.answer.facts.get("meta_cluster") or {}

    @property
    def api(self) -> int:
        return int((self.answer.facts.get("api") or {}).get("total") or 0)

    @property
    def errors(self) -> int:
        return int((self.answer.facts.get("api") or {}).get("errors") or 0)

    @property
    def pending(self) -> int:
        return int(self.meta.get("pending") or 0)

    @property
    def domain(self) -> str:
        return str((self.answer.facts.get("config") or {}).get("domain") or "")

    @property
    def leads(self) -> bool:
        return bool(self.meta) and self.meta.get("leader") == self.answer.name

    @classmethod
    def of(cls, answer: Answer, account: str | None) -> _Store:
        said = answer.facts
        if account is None:
            return cls(
                answer,
                int(said.get("streams") or 0),
                int(said.get("consumers") or 0),
                int(said.get("messages") or 0),
                int(said.get("bytes") or 0),
                int(said.get("memory") or 0),
                int(said.get("storage") or 0),
            )
        one: dict[str, Any] = next(
            (a for a in said.get("account_details") or [] if a.get("name") == account), {}
        )
        streams = one.get("stream_detail") or []
        states = [s.get("state") or {} for s in streams]
        # What the account uses is told of the whole cluster; what is on this server its streams tell.
        held = {"memory": 0, "file": 0}
        for stream, state in zip(streams, states, strict=True):
            held[str((stream.get("config") or {}).get("storage", "file"))] += int(state.get("bytes") or 0)
        memory, file = held["memory"], held["file"]
        return cls(
            answer,
            len(states),
            sum(int(s.get("consumer_count") or 0) for s in states),
            sum(int(s.get("messages") or 0) for s in states),
            memory + file,
            memory,
            file,
        )


def _number(head: str, key: str, *sorts: str, steady: bool = True, bytes: bool = False) -> Column:
    show = size if bytes else "{:,}".format
    return Column(head, lambda s: show(getattr(s, key)), steady, sorts, rank=lambda s: getattr(s, key))


_COLUMNS = [
    Column(
        "Server", lambda s: s.answer.name + ("*" if s.leads else ""), keys=("name",),
        rank=lambda s: s.answer.name,
    ),
    Column("Cluster", lambda s: s.answer.cluster, keys=("cluster",)),
    Column("Domain", lambda s: s.domain),
    _number("Streams", "streams", "streams"),
    _number("Consumers", "consumers", "consumers"),
    _number("Messages", "messages", "msgs"),
    _number("Bytes", "bytes", "mbytes", "bytes", bytes=True),
    _number("Memory", "memory", "mem", bytes=True),
    _number("File", "file", "file", "store", bytes=True),
    _number("API Req", "api", "api", steady=False),
    _number("API Err", "errors", "err", steady=False),
    _number("Pending", "pending", steady=False),
]  # fmt: skip
_SORTS = [
    "name", "cluster", "streams", "consumers", "msgs", "mbytes", "bytes", "mem", "file", "store", "api",
    "err",
]  # fmt: skip


@REPORT.verb("jetstream", "jsz", "js", example="%nats server report jetstream", mark="")
@LIMIT
@flag("--account", help="only this account")
@flag("--sort", type=click.Choice(_SORTS), default="cluster", show_default=True, help="sort by this")
@switch("--compact", default=True, help="accepted; names are short here")
@switch("--leaders", "-l", help="how many streams and consumers each server leads")
@limiting
@full
async def jetstream(
    line: Line, limit: int | None, account: str | None, sort: str, compact: bool, leaders: bool,
    reverse: bool, full: bool, **said: Any,
) -> Report:  # fmt: skip
    """Show what each server stores, and the meta group that decides where; its leader is starred."""
    servers = asked(line, limit, said)
    body: dict[str, Any] = {"limit": _MOST} if account or leaders else {}
    if account:
        body |= {"account": account, "streams": True, "consumer": True, "config": True}
    elif leaders:
        body |= {"accounts": True, "streams": True, "consumer": True}
    answers = await servers.ask("JSZ", body)
    stores = [_Store.of(a, account) for a in answers]
    rows = ordered(stores, _COLUMNS, sort, reverse, lambda s: (s.answer.cluster, s.answer.name))
    columns = shown(_COLUMNS, full, sort)
    if not any(s.domain for s in stores):
        columns = [c for c in columns if c.head != "Domain"]
    title = "JetStream Summary" + (f" for Account {one_line(account, 40)}" if account else "")
    table = Part.of(title, columns, rows)
    table.rows.append(_total(columns, stores))
    parts = [table, *(_meta(s, full) for s in rows if s.leads)]
    if leaders:
        parts += _led(answers)
    made = Report(parts, [a.json() for a in answers])
    made.notes += servers.silent(answers)
    sizes = [int(s.meta.get("cluster_size") or 0) for s in stores if s.meta]
    if sizes and not servers.filter and not any(s.leads for s in stores):
        size, need = max(sizes), max(sizes) // 2 + 1
        made.warn(
            f"nobody leads the meta group: {len(answers)} of its {size} servers answered; it needs {need}."
        )
    return made


def _total(columns: Sequence[Column], stores: Sequence[_Store]) -> list[str]:
    """The last row: all servers together."""
    whole = _Store(
        Answer({}, 0.0),
        sum(s.streams for s in stores),
        sum(s.consumers for s in stores),
        sum(s.messages for s in stores),
        sum(s.bytes for s in stores),
        sum(s.memory for s in stores),
        sum(s.file for s in stores),
    )
    own = {
        "Server": "",
        "API Req": f"{sum(s.api for s in stores):,}",
        "API Err": f"{sum(s.errors for s in stores):,}",
        "Pending": f"{sum(s.pending for s in stores):,}",
    }
    return [own[c.head] if c.head in own else c.cell(whole) for c in columns]


def _meta(store: _Store, full: bool) -> Part:
    """The meta group, as its leader tells it."""
    meta = store.meta
    peers = [
        *(meta.get("replicas") or []),
        {"name": meta["leader"], "peer": meta.get("peer"), "current": True},
    ]
    columns = [
        Column("Connection Name", lambda p: str(p["name"])),
        Column("ID", lambda p: str(p.get("peer", "")), steady=False),
        Column("Leader", lambda p: "yes" if p["name"] == meta["leader"] else ""),
        Column("Current", lambda p: "true" if p.get("current") else "false"),
        Column("Online", lambda p: "false" if p.get("offline") else "true"),
        Column("Active", lambda p: f"{int(p.get('active') or 0) / 1e9:.2f}s", steady=False),
        Column("Lag", lambda p: f"{int(p.get('lag') or 0):,}", steady=False),
    ]
    return Part.of(
        "RAFT Meta Group Information",
        shown(columns, full),
        sorted(peers, key=lambda p: str(p["name"])),
    )


def _assets(answer: Answer) -> Iterator[tuple[str, dict[str, Any], list[dict[str, Any]]]]:
    """Account, stream and its consumers, of all that a server told."""
    for account in answer.facts.get("account_details") or []:
        for stream in account.get("stream_detail") or []:
            yield str(account.get("name", "")), stream, list(stream.get("consumer_detail") or [])


def _led(answers: Sequence[Answer]) -> list[Part]:
    """How many streams and consumers each server leads."""
    streams = dict.fromkeys((a.name for a in answers), 0)
    held = dict.fromkeys((a.name for a in answers), 0)
    for answer in answers:
        for _, stream, consumers in _assets(answer):
            streams[answer.name] += (stream.get("cluster") or {}).get("leader") == answer.name
            held[answer.name] += sum((c.get("cluster") or {}).get("leader") == answer.name for c in consumers)
    clusters = {a.name: a.cluster for a in answers}
    return [
        Part(
            title,
            ["Server", "Cluster", "Leaders"],
            [[name, clusters[name], f"{n:,}"] for name, n in counts.items()],
        )
        for title, counts in (("Stream Leaders", streams), ("Consumer Leaders", held))
    ]


@REPORT.verb("downgrade", example="%nats server report downgrade 1", mark="")
@click.argument("api", type=NUMBER)
@switch("--json", help="show the facts as JSON")
@switch("--all", help="also what would go on working")
@flag("--archive", help="not possible here")
async def downgrade(line: Line, api: int, all: bool, archive: str | None, reverse: bool) -> Report:
    """Find the streams and consumers that need a newer API level than `api`, and so a newer server."""
    no_archive(archive)
    servers = Servers(line)
    answers = await servers.ask(
        "JSZ", {"accounts": True, "streams": True, "consumer": True, "config": True, "limit": _MOST}
    )
    levels: dict[tuple[str, str, str], int] = {}
    for answer in answers:
        for account, stream, consumers in _assets(answer):
            levels[account, str(stream["name"]), ""] = _level(stream)
            for one in consumers:
                levels[account, str(stream["name"]), str(one["name"])] = _level(one)
    found = [(key, n) for key, n in sorted(levels.items(), reverse=reverse) if all or n > api]
    made = Report(
        [
            Part(
                f"What needs more than API level {api}" if not all else "API levels",
                ["Account", "Stream", "Consumer", "API Level"],
                [[*key, str(n)] for key, n in found],
            )
        ],
        [{"account": a, "stream": s, "consumer": c, "level": n} for (a, s, c), n in found],
        f"Nothing needs more than API level {api}" if levels else "There is no stream",
    )
    made.notes += servers.silent(answers)
    return made


def _level(asset: dict[str, Any]) -> int:
    metadata = (asset.get("config") or {}).get("metadata") or {}
    try:
        return int(metadata.get("_nats.req.level") or 0)
    except ValueError:
        return 0
