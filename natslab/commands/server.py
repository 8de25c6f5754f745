"""`nats server`: what the servers say about themselves, over the system account."""

from __future__ import annotations

from typing import Any

import click

from natslab.commands.absence import absent, states_of
from natslab.commands.connect import Line
from natslab.commands.flags import NUMBER, flag, switch
from natslab.commands.mapping import Mapping
from natslab.commands.results import Facts, Rows, Text
from natslab.commands.server_ask import Servers, no_archive
from natslab.commands.tree import NATS
from natslab.errors import CommandError, ServerError, there
from natslab.servers.subject import check_subject

SERVER = NATS.group("server", "srv", "sys", "system", says="What the servers say about themselves.")

_SORTS = [
    "name", "cluster", "conns", "conn", "subs", "sub", "routes", "route", "gw", "mem", "cpu", "slow",
    "uptime", "rtt",
]  # fmt: skip
_KEYS = {
    "conns": "connections", "conn": "connections", "subs": "subscriptions", "sub": "subscriptions",
    "route": "routes", "gw": "gateways", "slow": "slow_consumers",
}  # fmt: skip


async def _varz(line: Line, expect: int = 0) -> list[dict[str, Any]]:
    """One record for every server: what it says, or for a silent server of the lab only its state."""
    states = states_of(line)
    away = absent(line)
    answers = [] if states and len(away) == len(states) else await Servers(line, expect).ask("VARZ")
    away = absent(line)  # now it is known which server was asked
    out = []
    for answer in answers:
        data = answer.facts
        out.append(
            {
                "name": answer.name,
                "state": states.pop(answer.name, "up"),
                "cluster": answer.cluster,
                "version": answer.server.get("ver", ""),
                "jetstream": bool(answer.server.get("jetstream")),
                "domain": answer.server.get("domain", ""),
                "connections": data.get("connections", 0),
                "subscriptions": data.get("subscriptions", 0),
                "routes": data.get("routes", 0),
                "gateways": len((data.get("gateway") or {}).get("gateways") or {}),
                "slow_consumers": data.get("slow_consumers", 0),
                "mem": data.get("mem", 0),
                "cpu": data.get("cpu", 0),
                "cores": data.get("cores", 0),
                "uptime": data.get("uptime", ""),
                "rtt": round(answer.rtt, 6),
                "id": answer.id,
                "varz": data,
            }
        )
    out += [{"name": name, "state": away.get(name, f"{state}, no answer")} for name, state in states.items()]
    return sorted(out, key=lambda r: str(r["name"]))


@SERVER.verb("list", "ls", example="%nats server list", mark="")
@click.argument("expect", type=NUMBER, required=False)
@switch("--json", "-j", help="show everything as JSON")
@flag("--sort", type=click.Choice(_SORTS), default="name", show_default=True, help="sort by this")
@switch("--reverse", "-R", help="the other way round")
@switch("--compact", default=True, help="accepted; names are short here")
@flag("--archive", help="not possible yet")
async def list_servers(
    line: Line, expect: int | None, sort: str, reverse: bool, compact: bool, archive: str | None
) -> Rows:
    """List the servers; --json has connections, memory and so on too."""
    no_archive(archive)
    records = await _varz(line, expect or 0)
    key = _KEYS.get(sort, sort)
    records.sort(key=lambda r: (_rank(r.get(key)), str(r["name"])), reverse=reverse)
    rows = [
        [
            r["name"],
            r.get("cluster", ""),
            _yes(r["jetstream"]) if "jetstream" in r else "-",
            r["state"],
            *(str(r.get(k, "-")) for k in ("routes", "gateways", "slow_consumers")),
        ]
        for r in records
    ]
    result = Rows("", ["Name", "Cluster", "JS", "State", "Routes", "GWs", "Slow"], rows, records)
    if expect and len(records) < expect:
        result.notes.append(f"{expect} servers were expected, {len(records)} answered.")
    return result


def _rank(value: Any) -> tuple[int, float, str]:
    if isinstance(value, (int, float)):
        return 0, float(value), ""
    return 1, 0.0, str(value or "")


@SERVER.verb("ping", example="%nats server ping", mark="")
@click.argument("expect", type=NUMBER, required=False)
@switch("--graph", help="accepted; there is no graph in a notebook")
@switch("--id", help="show the servers' ids")
async def ping(line: Line, expect: int | None, graph: bool, id: bool) -> Rows:
    """Ask every server for a sign of life; the times are in the result."""
    records = await _varz(line, expect or 0)
    columns = ["Name", "Answer", *(["Id"] if id else [])]
    rows = [
        [r["name"], "yes" if "rtt" in r else f"no ({r['state']})", *([r.get("id", "")] if id else [])]
        for r in records
    ]
    facts = [
        {"name": r["name"], "state": r["state"], "rtt": r.get("rtt"), "id": r.get("id", "")} for r in records
    ]
    result = Rows("", columns, rows, facts)
    if graph:
        result.notes.append(
            "a graph in a terminal makes no sense here; the times are in the result (.json())."
        )
    if expect and len(records) < expect:
        result.notes.append(f"{expect} servers were expected, {len(records)} answered.")
    return result


@SERVER.verb("info", "i", example="%nats server info n1", mark="")
@click.argument("server", required=False)
@flag("--archive", help="not possible yet")
async def info(line: Line, server: str | None, archive: str | None) -> Facts:
    """Show what one server says about itself; --json has everything."""
    no_archive(archive)
    states = states_of(line)
    if states:
        if server and server not in states and len(server) < 40:
            line.lab.server(server)  # raises, with the names there are
        for name, state in states.items():
            if state in ("down", "frozen") and (server == name or (not server and len(states) == 1)):
                verb = "restart" if state == "down" else "thaw"
                raise ServerError(f"{name} is {state}.", f"%natslab {verb} {name}")
    if server in states:
        line.common = {**line.common, "on": server}  # itself, on whichever side of a cut wire
    records = [r for r in await _varz(line) if "varz" in r]
    wanted = server or line.on
    found = next((r for r in records if not wanted or wanted in (r["name"], r["id"])), None)
    if found is None:
        names = [str(r["name"]) for r in records]
        raise CommandError(f"There is no server called {wanted!r}.", there(names))
    return _info(found)


def _info(record: dict[str, Any]) -> Facts:
    varz = record["varz"]
    js = (varz.get("jetstream") or {}).get("config") or {}
    sections = {
        f"Server {record['name']}": [
            ("Version", str(record["version"])),
            ("State", str(record["state"])),
            *([("Cluster", str(record["cluster"]))] if record["cluster"] else []),
            ("Auth required", _yes(varz.get("auth_required"))),
            ("TLS required", _yes(varz.get("tls_required"))),
        ],
        "Limits": [
            ("Max connections", f"{varz.get('max_connections', 0):,}"),
            ("Max payload", size(varz.get("max_payload", 0))),
            ("Max control line", size(varz.get("max_control_line", 0))),
            ("Max pending", size(varz.get("max_pending", 0))),
        ],
    }
    if js:
        sections["JetStream"] = [
            *([("Domain", str(js["domain"]))] if js.get("domain") else []),
            ("Max memory", size(js.get("max_memory", 0))),
            ("Max storage", size(js.get("max_storage", 0))),
        ]
    return Facts(sections, {**{k: v for k, v in record.items() if k != "varz"}, "varz": varz})


def _yes(value: Any) -> str:
    return "yes" if value else "no"


def size(number: int) -> str:
    """Bytes as the CLI writes them."""
    value = float(number)
    for unit in ("B", "KiB", "MiB", "GiB", "TiB"):
        if value < 1024 or unit == "TiB":
            break
        value /= 1024
    return f"{value:.0f} {unit}" if unit == "B" or value >= 10 else f"{value:.1f} {unit}"


@SERVER.verb(
    "mappings",
    "mapping",
    mark="",
    example='%nats server mapping "ord.*.*" "shop.{{wildcard(2)}}.{{wildcard(1)}}" ord.1.2',
)
@click.argument("source", required=False)
@click.argument("dest", required=False)
@click.argument("subject", required=False)
def mappings(line: Line, source: str | None, dest: str | None, subject: str | None) -> Text:
    """Try a subject mapping, here: no server is asked and nothing is changed."""
    if not source or not dest:
        raise CommandError(
            "mappings needs a source and a destination.",
            'For example: %nats server mapping "ord.*" "shop.{{wildcard(1)}}" ord.1',
        )
    made = Mapping(source, dest)
    if subject is None:
        return Text(
            f"{source} → {dest} is a good mapping; add a subject to see where it goes.",
            source=source,
            dest=dest,
        )
    to = made.apply(subject)
    if to is None:
        raise CommandError(
            f"{subject} does not match {source}.", "The mapping would leave this subject alone."
        )
    try:
        check_subject(to)
    except CommandError as e:
        raise CommandError(f"{subject} would become {to!r}, which is no subject.", e.what) from None
    return Text(to, source=source, dest=dest, subject=subject, to=to)
