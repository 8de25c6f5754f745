"""`nats server report`: routes, gateways and leafnodes, as each server knows its own."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import click

from natslab.commands.columns import Column, Part, Report, full, ordered, shown
from natslab.commands.connect import Line
from natslab.commands.flags import flag
from natslab.commands.results import one_line
from natslab.commands.server import size
from natslab.commands.server_ask import LIMIT, Answer, limiting
from natslab.commands.server_report import REPORT, asked


@dataclass
class _Link:
    """One connection to another server, as `server` tells it."""

    server: Answer
    facts: dict[str, Any]
    name: str  # of the server at the other end
    kind: str = ""  # Inbound or Outbound, of a gateway
    cluster: str = ""  # at the other end of a gateway
    accounts: int = 0

    def number(self, key: str) -> int:
        return int(self.facts.get(key) or 0)

    def said(self, key: str) -> str:
        return str(self.facts.get(key, ""))

    @property
    def account(self) -> str:
        return one_line(self.said("account"), 23)

    @property
    def address(self) -> str:
        return f"{self.said('ip')}:{self.said('port')}"

    def json(self) -> dict[str, Any]:
        """What the server said, with the names of both ends."""
        return {"server": self.server.name, "to": self.name, **self.facts}


def _traffic(head: str, key: str, *sorts: str, bytes: bool = False) -> Column:
    show = size if bytes else "{:,}".format
    return Column(head, lambda r: show(r.number(key)), steady=False, keys=sorts, rank=lambda r: r.number(key))


_ROUTE = [
    Column("Server", lambda r: r.server.name, keys=("server",)),
    Column("Cluster", lambda r: r.server.cluster, keys=("cluster",)),
    Column("Name", lambda r: r.name, keys=("name",)),
    Column("Account", lambda r: r.account, keys=("account",)),
    Column("Address", lambda r: r.address, steady=False),
    Column("ID", lambda r: f"rid:{r.said('rid')}", steady=False),
    Column("Uptime", lambda r: r.said("uptime"), steady=False),
    Column("RTT", lambda r: r.said("rtt"), steady=False),
    _traffic("Subs", "subscriptions", "subs"),
    _traffic("Bytes In", "in_bytes", "in-bytes", bytes=True),
    _traffic("Bytes Out", "out_bytes", "out-bytes", bytes=True),
]


@REPORT.verb("routes", "route", example="%nats server report routes", mark="")
@LIMIT
@flag(
    "--sort", type=click.Choice(["server", "cluster", "name", "account", "subs", "in-bytes", "out-bytes"]),
    help="sort by this",
)  # fmt: skip
@limiting
@full
async def routes(
    line: Line, limit: int | None, sort: str | None, reverse: bool, full: bool, **said: Any
) -> Report:
    """Show which server is connected with which inside a cluster; each pair is there from both ends."""
    servers = asked(line, limit, said)
    answers = await servers.ask("ROUTEZ")
    found = [
        _Link(a, r, str(r.get("remote_name") or r.get("remote_id", "")))
        for a in answers
        for r in a.facts.get("routes") or []
    ]
    rows = ordered(found, _ROUTE, sort, reverse, lambda r: (r.server.name, r.name, r.account))
    made = Report(
        [Part.of("Cluster Report", shown(_ROUTE, full, sort), rows)],
        [r.json() for r in rows],
        "There are no routes: no server is connected with another of its cluster",
    )
    made.notes += servers.silent(answers)
    return made


_GATEWAY = [
    Column("Server", lambda g: g.server.name, keys=("server",)),
    Column(
        "Name",
        lambda g: g.server.cluster,
        keys=("cluster",),
        rank=lambda g: (g.server.cluster, g.server.name),
    ),
    Column("Port", lambda g: g.said("own_port"), steady=False),
    Column("Kind", lambda g: g.kind),
    Column("Connection", lambda g: g.cluster),
    Column("Address", lambda g: g.address, steady=False),
    Column("ID", lambda g: f"gid:{g.said('cid')}", steady=False),
    Column("Uptime", lambda g: g.said("uptime"), steady=False),
    Column("RTT", lambda g: g.said("rtt"), steady=False),
    Column(
        "Bytes", lambda g: size(g.number("in_bytes" if g.kind == "Inbound" else "out_bytes")), steady=False
    ),
    Column("Accounts", lambda g: f"{g.accounts:,}", steady=False),
]


@REPORT.verb("gateways", "super", "gateway", example="%nats server report gateways", mark="")
@LIMIT
@flag("--filter-name", help="only gateways to this cluster")
@flag(
    "--sort", type=click.Choice(["server", "cluster"]), default="cluster", show_default=True,
    help="sort by this",
)  # fmt: skip
@limiting
@full
async def gateways(
    line: Line, limit: int | None, filter_name: str | None, sort: str, reverse: bool, full: bool, **said: Any
) -> Report:
    """Show the connections between clusters: each server has one out to every other cluster."""
    servers = asked(line, limit, said)
    body = {"name": filter_name, "accounts": True}
    answers = await servers.ask("GATEWAYZ", {k: v for k, v in body.items() if v})
    names = {a.id: a.name for a in answers}
    found = [g for a in answers for g in _gateways(a, names)]
    rows = ordered(
        found, _GATEWAY, sort, reverse, lambda g: (g.server.name, g.kind, g.cluster, g.name, g.said("cid"))
    )
    made = Report(
        [Part.of("Super Cluster Report", shown(_GATEWAY, full), rows)],
        [{**g.json(), "kind": g.kind, "cluster": g.cluster} for g in rows],
        "There are no gateways: no cluster is connected with another",
    )
    made.notes += servers.silent(answers)
    return made


def _gateways(answer: Answer, names: dict[str, str]) -> Iterator[_Link]:
    port = answer.facts.get("port", "")
    inbound = answer.facts.get("inbound_gateways") or {}
    outbound = {name: [one] for name, one in (answer.facts.get("outbound_gateways") or {}).items()}
    for kind, gates in (("Inbound", inbound), ("Outbound", outbound)):
        for cluster, connections in gates.items():
            for one in connections:
                facts = {**(one.get("connection") or {}), "own_port": port}
                other = str(facts.get("name", ""))
                accounts = len(one.get("accounts") or [])
                yield _Link(answer, facts, names.get(other, other), kind, cluster, accounts)


_LEAF = [
    Column("Server", lambda r: r.server.name, keys=("server",)),
    Column("Name", lambda r: r.name, keys=("name",)),
    Column("Account", lambda r: r.account, keys=("account",)),
    Column("Address", lambda r: r.address, steady=False),
    Column("RTT", lambda r: r.said("rtt"), steady=False),
    _traffic("Msgs In", "in_msgs", "in-msgs"),
    _traffic("Msgs Out", "out_msgs", "out-msgs"),
    _traffic("Bytes In", "in_bytes", "in-bytes", bytes=True),
    _traffic("Bytes Out", "out_bytes", "out-bytes", bytes=True),
    _traffic("Subs", "subscriptions", "subs"),
    Column("Compressed", lambda r: "yes" if r.said("compression") not in ("", "off") else "no"),
    Column("Spoke", lambda r: "yes" if r.facts.get("is_spoke") else "no"),
]


@REPORT.verb("leafnodes", "leaf", "leafz", example="%nats server report leafnodes", mark="")
@LIMIT
@flag("--account", help="only this account")
@flag(
    "--sort",
    type=click.Choice(["server", "name", "account", "subs", "in-bytes", "out-bytes", "in-msgs", "out-msgs"]),
    help="sort by this",
)
@limiting
@full
async def leafnodes(
    line: Line, limit: int | None, account: str | None, sort: str | None, reverse: bool, full: bool,
    **said: Any,
) -> Report:  # fmt: skip
    """Show the leafnodes of each server, and, seen from a leafnode, its hub."""
    servers = asked(line, limit, said)
    answers = await servers.ask("LEAFZ", {"account": account} if account else None)
    names = {a.id: a.name for a in answers}
    found = []
    for one in answers:
        for leaf in one.facts.get("leafs") or []:
            other = str(leaf.get("name", ""))
            found.append(_Link(one, leaf, names.get(other, other)))
    rows = ordered(found, _LEAF, sort, reverse, lambda r: (r.server.name, r.name, r.account))
    made = Report(
        [Part.of("Leafnode Report", shown(_LEAF, full, sort), rows)],
        [r.json() for r in rows],
        "There are no leafnodes",
    )
    made.notes += servers.silent(answers)
    return made
