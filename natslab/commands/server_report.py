"""`nats server report`: health, connections, accounts, processor and memory, side by side."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import click

from natslab.commands.columns import Column, Part, Report, full, largest, ordered, shown
from natslab.commands.connect import Line
from natslab.commands.flags import NUMBER, flag, switch
from natslab.commands.results import one_line
from natslab.commands.server import SERVER, size
from natslab.commands.server_ask import LIMIT, Answer, Servers, limiting, no_archive
from natslab.commands.stream_report import bar
from natslab.commands.tree import impossible
from natslab.errors import CommandError

REPORT = SERVER.group(
    "report",
    "rep",
    says="Reports about all servers, side by side.",
    own=switch("--reverse", "-R", help="the other way round"),
)

JSON = switch("--json", "-j", help="show the facts as JSON")
_TOP = flag("--top", type=NUMBER, default=1000, show_default=True, help="only the so many largest")
_ALL = switch("--all", "-a", help="also natslab's own connections, which record what happens")
_MOST = 16_384  # connections of one server in one answer
OURS = "natslab "  # what the names of natslab's own connections begin with


def asked(line: Line, limit: int | None, said: dict[str, Any]) -> Servers:
    """The servers that a report's flags name."""
    no_archive(said.get("archive"), said.get("watch"))
    return Servers(line, limit, said.get("host"), said.get("cluster"), said.get("tags", ()))


def many(n: int, what: str) -> str:
    """1 server, 2 servers."""
    return f"{n:,} {what}{'' if n == 1 else 's'}"


# --- health ----------------------------------------------------------------------------------------


@REPORT.verb("health", example="%nats server report health", mark="")
@LIMIT
@switch("--js-enabled", "-J", help="JetStream must be on")
@switch("--server-only", "-S", help="leave out streams and consumers")
@flag("--account", help="only this account")
@flag("--stream", help="only this stream")
@flag("--consumer", help="only this consumer")
@limiting
async def health(
    line: Line, limit: int | None, reverse: bool, js_enabled: bool, server_only: bool, account: str | None,
    stream: str | None, consumer: str | None, **said: Any,
) -> Report:  # fmt: skip
    """Ask every server whether it is well, and what is not."""
    servers = asked(line, limit, said)
    answers = await servers.raw("HEALTHZ", health_body(js_enabled, server_only, account, stream, consumer))
    rows: list[list[str]] = []
    for one in ordered(answers, [], None, reverse, lambda a: a.name):
        status = f"{one.facts.get('status', 'error')} ({one.facts.get('status_code', '?')})"
        rows.append([one.name, one.cluster, str(one.server.get("domain", "")), status, "", one.error])
        errors = one.facts.get("errors") or []
        rows += [["", "", "", "", str(e.get("type", "")), str(e.get("error", ""))] for e in errors]
    columns = ["Server", "Cluster", "Domain", "Status", "Type", "Error"]
    made = Report([Part("Health Report", columns, rows)], [a.json() for a in answers])
    made.notes += servers.silent(answers)
    return made


def health_body(
    js_enabled: bool,
    server_only: bool,
    account: str | None,
    stream: str | None,
    consumer: str | None,
    details: bool = True,
) -> dict[str, Any]:
    """The request for HEALTHZ."""
    if consumer and not stream:
        raise CommandError("--consumer needs the stream too.", "Add --stream NAME")
    if (stream or consumer) and not account:
        account = "A"  # the learner's
    body = {
        "js-enabled-only": js_enabled,
        "js-server-only": server_only,
        "account": account,
        "stream": stream,
        "consumer": consumer,
        "details": details,
    }
    return {k: v for k, v in body.items() if v}


# --- connections and accounts -----------------------------------------------------------------------


class _Connection:
    """One connection of one server."""

    def __init__(self, server: Answer, facts: dict[str, Any]) -> None:
        self.server = server
        self.facts = facts

    def number(self, key: str) -> int:
        return int(self.facts.get(key) or 0)

    @property
    def name(self) -> str:
        return str(self.facts.get("name") or self.facts.get("mqtt_client") or "")

    @property
    def cid(self) -> str:
        kind = str(self.facts.get("kind") or "Client")
        return f"{'' if kind == 'Client' else kind[0]}{self.facts.get('cid', '')}"

    def json(self) -> dict[str, Any]:
        return {**self.facts, "server": self.server.server}


def _count(head: str, key: str, sort: str, bytes: bool = False) -> Column:
    show = size if bytes else "{:,}".format
    return Column(
        head, lambda c: show(c.number(key)), steady=False, keys=(sort,), rank=lambda c: c.number(key)
    )


_CONNECTION = [
    Column("CID", lambda c: c.cid, steady=False, keys=("cid",), rank=lambda c: c.number("cid")),
    Column("Name", lambda c: one_line(c.name, 40)),
    Column("Server", lambda c: c.server.name),
    Column("Cluster", lambda c: c.server.cluster),
    Column("IP", lambda c: f"{c.facts.get('ip', '')}:{c.facts.get('port', '')}", steady=False),
    Column("Account", lambda c: one_line(str(c.facts.get("account", "")), 46)),
    Column(
        "Uptime", lambda c: str(c.facts.get("uptime", "")), steady=False, keys=("uptime",),
        rank=lambda c: _newest_first(str(c.facts.get("start", ""))),
    ),
    _count("In Msgs", "in_msgs", "in-msgs"),
    _count("Out Msgs", "out_msgs", "out-msgs"),
    _count("In Bytes", "in_bytes", "in-bytes", bytes=True),
    _count("Out Bytes", "out_bytes", "out-bytes", bytes=True),
    _count("Subs", "subscriptions", "subs"),
]  # fmt: skip
_REASON = Column("Reason", lambda c: str(c.facts.get("reason", "")))


def _newest_first(stamp: str) -> tuple[int, ...]:
    return tuple(-ord(c) for c in stamp)


_SORTS = ["in-bytes", "out-bytes", "in-msgs", "out-msgs", "uptime", "cid", "subs"]


@REPORT.verb(
    "connections", "conn", "connz", "conns", example="%nats server report connections --top 5", mark=""
)
@LIMIT
@flag("--account", help="only this account")
@flag("--sort", type=click.Choice(_SORTS), default="subs", show_default=True, help="sort by this")
@_TOP
@flag("--subject", help="only those that subscribe to what matches this subject")
@flag("--username", help="only this user")
@flag(
    "--state", type=click.Choice(["open", "closed", "all"]), default="open", show_default=True,
    help="open ones, or those that were",
)  # fmt: skip
@flag("--closed-reason", help="only those that were closed for a reason that matches this expression")
@flag("--filter", help="not possible here")
@limiting
@full
@_ALL
@JSON
async def connections(
    line: Line, limit: int | None, sort: str, top: int, state: str, closed_reason: str | None,
    filter: str | None, reverse: bool, full: bool, all: bool, **said: Any,
) -> Report:  # fmt: skip
    """Show the connections of all servers; which is on which server."""
    if filter:
        impossible(
            "natslab does not read the CLI's expressions.",
            "found = %nats server report connections, and then [c for c in found if c['in_msgs'] > 10]",
        )
    servers = asked(line, limit, said)
    answers, found, hidden = await _connections(servers, said, all, state, closed_reason)
    given = "sort" in line.given
    made = _connection_report(found, sort, top, reverse, full, state != "open", given)
    made.notes += [*hidden, *servers.silent(answers)]
    return made


async def _connections(
    servers: Servers, said: dict[str, Any], all: bool, state: str = "open", reason: str | None = None
) -> tuple[list[Answer], list[_Connection], list[str]]:
    """What the servers answered, the connections, and a note where natslab's own are left out."""
    body = {
        "auth": True,
        "subscriptions": True,
        "limit": _MOST,
        "state": ["open", "closed", "all"].index(state),
        "acc": said.get("account"),
        "user": said.get("username"),
        "filter_subject": said.get("subject"),
    }
    answers = await servers.ask("CONNZ", {k: v for k, v in body.items() if v})
    found = [_Connection(a, c) for a in answers for c in a.facts.get("connections") or []]
    if reason is not None:
        try:
            wanted = re.compile(reason, re.IGNORECASE)
        except (re.error, OverflowError, RecursionError) as e:
            raise CommandError(
                f"--closed-reason is no regular expression: {e}.", "For example: --closed-reason kicked"
            ) from None
        found = [c for c in found if wanted.search(str(c.facts.get("reason", "")))]
    if all or servers.line.elsewhere:
        return answers, found, []
    ours = [c for c in found if c.name.startswith(OURS)]
    hidden = ["natslab's own connections are not shown; --all shows them."] if ours else []
    # Who has not said yet who it is may be one of ours too, or knocks at the wrong door.
    nobody = [c for c in found if state == "open" and not c.facts.get("account")]
    return answers, [c for c in found if c not in ours and c not in nobody], hidden


def _connection_report(
    found: Sequence[_Connection], sort: str, most: int, reverse: bool, full: bool, reasons: bool, given: bool
) -> Report:
    rows = ordered(found, _CONNECTION, sort, reverse, lambda c: (c.name, c.server.name, c.number("cid")))
    rows = largest(rows, most, reverse)
    if not given and not full:  # in the order of what is seen
        rows = sorted(rows, key=lambda c: (c.name, c.server.name, c.number("cid")), reverse=reverse)
    columns = [*shown(_CONNECTION, full, sort if given else None), *([_REASON] if reasons else [])]
    title = f"Top {len(rows):,} Connections out of {len(found):,} by {sort}"
    counts: dict[tuple[str, str], int] = {}
    for one in found:
        key = one.server.name, one.server.cluster
        counts[key] = counts.get(key, 0) + 1
    each = [[name, cluster, f"{n:,}"] for (name, cluster), n in sorted(counts.items())]
    return Report(
        [
            Part.of(title, columns, rows),
            Part("Connections per server", ["Server", "Cluster", "Connections"], each),
        ],
        [c.json() for c in rows],
        "There is no connection of that kind",
    )


class _Account:
    """What the connections of one account did together."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.connections: list[_Connection] = []

    def number(self, key: str) -> int:
        return sum(c.number(key) for c in self.connections)

    def json(self) -> dict[str, Any]:
        return {
            "account": self.name,
            "connections": len(self.connections),
            "in_msgs": self.number("in_msgs"),
            "out_msgs": self.number("out_msgs"),
            "in_bytes": self.number("in_bytes"),
            "out_bytes": self.number("out_bytes"),
            "subscriptions": self.number("subscriptions"),
            "server": sorted({c.server.name for c in self.connections}),
        }


_ACCOUNT = [
    Column("Account", lambda a: one_line(a.name, 46)),
    Column(
        "Connections", lambda a: f"{len(a.connections):,}", keys=("conns",), rank=lambda a: len(a.connections)
    ),
    _count("In Msgs", "in_msgs", "in-msgs"),
    _count("Out Msgs", "out_msgs", "out-msgs"),
    _count("In Bytes", "in_bytes", "in-bytes", bytes=True),
    _count("Out Bytes", "out_bytes", "out-bytes", bytes=True),
    _count("Subs", "subscriptions", "subs"),
]


@REPORT.verb("accounts", "acct", example="%nats server report accounts", mark="")
@click.argument("account", required=False)
@LIMIT
@flag(
    "--sort", type=click.Choice(["in-bytes", "out-bytes", "in-msgs", "out-msgs", "conns", "subs"]),
    default="subs", show_default=True, help="sort by this",
)  # fmt: skip
@_TOP
@limiting
@full
@_ALL
@JSON
async def accounts(
    line: Line, account: str | None, limit: int | None, sort: str, top: int, reverse: bool, full: bool,
    all: bool, **said: Any,
) -> Report:  # fmt: skip
    """Show what the connections of each account do; of one account each connection."""
    servers = asked(line, limit, said)
    answers, found, hidden = await _connections(servers, {"account": account}, all)
    given = "sort" in line.given
    if account is not None:
        if not found:
            raise CommandError(
                f"The account {one_line(account, 40)} has no connection.",
                "Which there are: %nats server report accounts",
            )
        made = _connection_report(found, sort, top, reverse, full, False, given)
        made.notes += [*hidden, *servers.silent(answers)]
        return made
    by: dict[str, _Account] = {}
    for one in found:
        name = str(one.facts.get("account", ""))
        by.setdefault(name, _Account(name)).connections.append(one)
    rows = largest(ordered(by.values(), _ACCOUNT, sort, reverse, lambda a: a.name), top, reverse)
    if not given and not full:
        rows.sort(key=lambda a: a.name, reverse=reverse)
    columns = shown(_ACCOUNT, full, sort if given else None)
    made = Report(
        [Part.of(f"{many(len(rows), 'Account')} Overview", columns, rows)],
        [a.json() for a in rows],
        "No account has a connection",
    )
    made.notes += [*hidden, *servers.silent(answers)]
    return made


# --- processor and memory ---------------------------------------------------------------------------


class Usage(Report):
    """A bar for each server; `.usage` maps its name to the number."""

    def __init__(self, title: str, usage: dict[str, float], show: Any) -> None:
        self.usage = usage
        most = max(usage.values(), default=0)
        rows = [[name, f"{bar(n, most)} {show(n)}"] for name, n in usage.items()]
        super().__init__([Part(title, ["Server", "Usage"], rows)], usage)


async def _usage(line: Line, limit: int | None, said: dict[str, Any], key: str, reverse: bool) -> Any:
    servers = asked(line, limit, said)
    answers = await servers.ask("STATSZ")
    usage = {a.name: float(a.facts.get(key) or 0) for a in answers}
    usage = dict(sorted(usage.items(), reverse=reverse))
    made = (
        Usage("Memory Usage", usage, lambda n: size(int(n)))
        if key == "mem"
        else Usage("CPU Usage", usage, lambda n: f"{n:g} %")
    )
    made.notes += servers.silent(answers)
    return made


@REPORT.verb("cpu", example="%nats server report cpu", mark="")
@LIMIT
@limiting
@JSON
async def cpu(line: Line, limit: int | None, reverse: bool, **said: Any) -> Usage:
    """Show how much of a processor each server uses; it differs from run to run."""
    made: Usage = await _usage(line, limit, said, "cpu", reverse)
    return made


@REPORT.verb("mem", example="%nats server report mem", mark="")
@LIMIT
@limiting
@JSON
async def mem(line: Line, limit: int | None, reverse: bool, **said: Any) -> Usage:
    """Show how much memory each server uses; it differs from run to run."""
    made: Usage = await _usage(line, limit, said, "mem", reverse)
    return made
