"""`nats server config reload` and `nats server graph`."""

from __future__ import annotations

from typing import Any

import click

from natslab.commands.absence import states_of
from natslab.commands.connect import Line
from natslab.commands.flags import switch
from natslab.commands.results import Facts, Text, one_line
from natslab.commands.server import SERVER, size
from natslab.commands.server_ask import Answer, Servers
from natslab.commands.server_request import tell
from natslab.commands.stream_report import bar
from natslab.errors import CommandError, ServerError, there

CONFIG = SERVER.group("config", says="The configuration of servers.")


async def one_of(line: Line, servers: Servers, name: str, what: str) -> Answer:
    """The answer of the server with that name or id. Raises CommandError, or ServerError for a silent one."""
    state = states_of(line).get(name, "")
    if state in ("down", "frozen"):
        act = "restart" if state == "down" else "thaw"
        raise ServerError(f"{name} is {state}.", f"%natslab {act} {name}")
    answers = await servers.ask(what)
    for one in answers:
        if name in (one.name, one.id):
            return one
    raise CommandError(f"There is no server called {one_line(name, 60)!r}.", there([a.name for a in answers]))


@CONFIG.verb("reload", example="%nats server config reload n1 -f", mark="fault")
@click.argument("id")
@switch("--force", "-f", help="do it without being asked")
async def reload(line: Line, id: str, force: bool) -> Text:
    """Let a server read its configuration again; %natslab reload gives it a new one."""
    servers = Servers(line)
    one = await one_of(line, servers, id, "STATSZ")
    if not force:
        raise CommandError(
            f"reload would let {one.name} read its configuration again.",
            f"Nothing was done. To do it: %nats server config reload {one.name} -f",
        )
    await tell(line, one.id, "RELOAD", {}, one.name)
    return Text(f"{one.name} read its configuration again", server=one.name)


@SERVER.verb("graph", example="%nats server graph n1", mark="")
@click.argument("server")
@switch("--jetstream", "-j", help="what JetStream uses")
async def graph(line: Line, server: str, jetstream: bool) -> Facts:
    """Show as bars what a server uses at this moment; it differs from run to run."""
    servers = Servers(line)
    one = await one_of(line, servers, server, "VARZ")
    varz = one.facts
    js = varz.get("jetstream") or {}
    config, stats = js.get("config") or {}, js.get("stats") or {}
    pairs: list[tuple[str, str]] = []
    if jetstream:
        for head, used, most in (
            ("Memory", stats.get("memory", 0), config.get("max_memory", 0)),
            ("Storage", stats.get("storage", 0), config.get("max_storage", 0)),
        ):
            pairs.append((head, f"{bar(used, most)} {size(used)} of {size(most)}"))
        api = stats.get("api") or {}
        pairs.append(("API requests", f"{api.get('total', 0):,}"))
        pairs.append(("RAFT groups", f"{stats.get('ha_assets', 0):,}"))
    else:
        cores = max(1, int(varz.get("cores") or 1))
        most = int(varz.get("max_connections") or 0)
        held = int(varz.get("connections") or 0)
        pairs += [
            ("CPU", f"{bar(varz.get('cpu', 0), 100 * cores)} {varz.get('cpu', 0):g} %"),
            ("Memory", size(int(varz.get("mem") or 0))),
            ("Connections", f"{bar(held, most)} {held:,} of {most:,}"),
            ("Subscriptions", f"{varz.get('subscriptions', 0):,}"),
            ("Messages in", f"{varz.get('in_msgs', 0):,}"),
            ("Messages out", f"{varz.get('out_msgs', 0):,}"),
        ]
    facts: dict[str, Any] = {"name": one.name, "varz": varz}
    return Facts({f"Server {one.name}": pairs}, facts)
