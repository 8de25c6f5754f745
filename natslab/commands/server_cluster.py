"""`nats server cluster` (also `raft`): the meta group, which decides where streams are; and connections."""

from __future__ import annotations

import asyncio
import math
import time
from typing import Any

import click

from natslab.commands.connect import Line
from natslab.commands.flags import DURATION, flag, many, seconds, switch
from natslab.commands.leading import Lead, Led, until
from natslab.commands.results import Text, one_line
from natslab.commands.server import SERVER
from natslab.commands.server_ask import Answer, Servers
from natslab.commands.server_report import OURS
from natslab.commands.server_request import tell
from natslab.errors import CommandError, Timeout, there
from natslab.servers.jsapi import Api

CLUSTER = SERVER.group(
    "cluster", "r", "raft", says="The meta group of JetStream, and connections in a cluster."
)

_FORCE = switch("--force", "-f", help="do it without being asked")
_JSON = switch("--json", "-j", help="show the facts as JSON")
_SETTLE = 12.0  # seconds until the servers have elected somebody


async def _meta(servers: Servers) -> tuple[Lead, dict[str, Any]]:
    """Who leads the meta group, as itself says; of two, who was elected last. With its report."""
    answers = await servers.ask("RAFTZ")
    best: dict[str, Any] = {}
    where: Answer | None = None
    for one in answers:
        for account in one.facts.values():
            group = account.get("_meta_") if isinstance(account, dict) else None
            if group and group.get("state") == "LEADER" and group.get("term", 0) > best.get("term", -1):
                best, where = group, one
    if where is None:
        known = any(isinstance(a, dict) and "_meta_" in a for one in answers for a in one.facts.values())
        return Lead(cluster="?" if known else ""), {}
    peers = sorted({where.name, *(str(p.get("name", "")) for p in (best.get("peers") or {}).values())} - {""})
    return Lead(where.name, str(best.get("term", "")), tuple(peers), where.cluster or "?"), best


def _alone() -> CommandError:
    return CommandError(
        "There is no meta group: a server alone decides alone.", "In a cluster: %natslab up --servers 3"
    )


def _api(line: Line, system: Any) -> Api:
    """The API of the system account, which has neither prefix nor domain."""
    return Api(system, timeout=line.timeout, heard=line.heard())


@CLUSTER.verb(
    "step-down", "stepdown", "sd", "elect", "down", "d", example="%nats server raft step-down --host n2"
)  # fmt: skip
@flag("--cluster", help="the next leader should be in this cluster")
@many("--tags", help="… on a server with this tag")
@flag("--host", help="… on this server")
@_JSON
@_FORCE
async def step_down(
    line: Line, cluster: str | None, tags: tuple[str, ...], host: str | None, force: bool
) -> Led:
    """Let another server lead the meta group, and wait until it does."""
    servers = Servers(line)

    async def look(_: float) -> Lead:
        return (await _meta(servers))[0]

    before = await look(0.0)
    if not before.cluster:
        raise _alone()
    before = (
        before if before.leader else await until(look, lambda now: bool(now.leader), line.timeout) or before
    )
    if not before.leader:
        raise Timeout(
            "Nobody leads the meta group, so nobody can step down.",
            "%natslab status shows the servers.",
            "META.LEADER.STEPDOWN",
        )
    if host is not None and host not in before.peers:
        raise CommandError(f"{one_line(host, 40)} is not in the meta group.", there(before.peers))
    if host == before.leader:
        return Led("the meta group", host, host, 0.0)
    place = {"cluster": cluster, "tags": list(tags), "preferred": host}
    place = {k: v for k, v in place.items() if v}
    began = time.monotonic()
    async with line.system() as system:
        await _api(line, system).call("META.LEADER.STEPDOWN", {"placement": place} if place else None)
    after = await until(
        look, lambda lead: bool(lead.leader) and int(lead.since) > int(before.since), line.election
    )
    if after is None:
        raise Timeout(
            f"{before.leader} stepped down, and nobody leads the meta group since.",
            "An election takes up to 10 s; %nats server report jetstream shows who leads.",
            "META.LEADER.STEPDOWN",
        )
    made = Led("the meta group", before.leader, after.leader, time.monotonic() - began)
    if host and after.leader != host:
        made.notes.append(f"{host} was preferred, and the servers elected {after.leader}.")
    return made


@CLUSTER.verb("peer-remove", "rm", "pr", example="%nats server raft peer-remove n3 -f", mark="fault")
@click.argument("name")
@_FORCE
@_JSON
async def peer_remove(line: Line, name: str, force: bool) -> Text:
    """Take a server that will not come back out of the meta group; its replicas go to others.

    What has its only replica there is lost. A server that is up when it is removed has no JetStream from
    then on.
    """
    servers = Servers(line)
    lead, group = await _meta(servers)
    if not lead.cluster:
        raise _alone()
    if not lead.leader:
        raise Timeout(
            "Nobody leads the meta group, so nobody can be removed.",
            "%natslab status shows the servers.",
            "SERVER.REMOVE",
        )
    ids = {str(p.get("name", "")): id for id, p in (group.get("peers") or {}).items()}
    peer = name if name in ids else next((n for n, id in ids.items() if id == name), None)
    if name == lead.leader or name == group.get("id"):
        raise CommandError(
            f"{lead.leader} leads the meta group, and its leader cannot be removed.",
            "Let another lead first: %nats server raft step-down",
        )
    if peer is None:
        raise CommandError(f"{one_line(name, 40)} is not in the meta group.", there(lead.peers))
    if not force:
        raise CommandError(
            f"peer-remove would take {peer} out of JetStream; what has its only replica there is lost.",
            f"Nothing was done. To do it: %nats server raft peer-remove {peer} -f",
        )
    async with line.system() as system:
        await _api(line, system).call("SERVER.REMOVE", {"peer": peer})

    async def look(_: float) -> Lead:
        return (await _meta(servers))[0]

    after = await until(look, lambda now: bool(now.leader) and peer not in now.peers, _SETTLE)
    made = Text(
        f"{peer} was removed from the meta group", removed=peer, peers=list(after.peers if after else ())
    )
    if after is not None:
        n = len(after.peers)
        made.notes.append(f"{n} server{'s' if n != 1 else ''} decide now, and {n // 2 + 1} must agree.")
    return made


@CLUSTER.verb("balance", example="%nats server cluster balance 5s -f", mark="fault")
@click.argument("duration", required=False, type=DURATION, default="2m")
@flag("--server-name", help="only connections to this server")
@flag("--cluster", help="only connections to servers of this cluster")
@flag("--idle", type=DURATION, help="only those that have been idle for so long")
@flag("--account", help="only those of this account")
@flag("--subject", help="only those that subscribe to what matches this subject; needs --account")
@many("--kind", type=click.Choice(["Client", "Leafnode"]), default=("Client",), help="only this kind")
@_FORCE
async def balance(
    line: Line, duration: float, server_name: str | None, cluster: str | None, idle: float | None,
    account: str | None, subject: str | None, kind: tuple[str, ...], force: bool,
) -> Text:  # fmt: skip
    """Disconnect clients of the servers that have most, spread over `duration`; they connect elsewhere.

    natslab's own connections, which record what happens, stay.
    """
    if subject and not account:
        raise CommandError("--subject needs the account too.", "Add --account A, the learner's.")
    if not force:
        raise CommandError(
            "balance would disconnect clients, whatever they are doing.",
            "Nothing was done. To do it: %nats server cluster balance -f",
        )
    servers = Servers(line, host=server_name, cluster=cluster)
    body = {"auth": True, "acc": account, "filter_subject": subject, "limit": 16_384}
    answers = await servers.ask("CONNZ", {k: v for k, v in body.items() if v})
    held = {a.name: [c for c in a.facts.get("connections") or [] if _movable(c, kind, idle)] for a in answers}
    ids = {a.name: a.id for a in answers}
    total = sum(map(len, held.values()))
    most = math.ceil(total / len(held)) if held else 0
    away = [(name, c) for name, them in sorted(held.items()) for c in them[: max(0, len(them) - most)]]
    moved = []
    for i, (name, one) in enumerate(away):
        if i:
            await asyncio.sleep(duration / len(away))
        await tell(line, ids[name], "KICK", {"cid": one["cid"]}, name)
        moved.append({"server": name, "name": one.get("name", ""), "cid": one["cid"]})
    n = len(moved)
    they = "was" if n == 1 else "were"
    said = (
        f"{n} of {total} connections {they} sent away, so that no server has more than {most}"
        if n
        else f"{total} connections are spread evenly: no server has more than {most}"
    )
    return Text(said, moved=moved, before={name: len(them) for name, them in held.items()})


def _movable(connection: dict[str, Any], kind: tuple[str, ...], idle: float | None) -> bool:
    if str(connection.get("name", "")).startswith(OURS):
        return False
    if str(connection.get("kind") or "Client") not in kind:
        return False
    return idle is None or (seconds(str(connection.get("idle", "0s"))) or 0.0) >= idle
