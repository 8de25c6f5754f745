"""Who leads what, as the servers say it of themselves; asked over monitoring, which leaves no trace."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from natslab.errors import LabError, NobodyLeads, ServerError, joined, there
from natslab.servers.config import LEARNER
from natslab.servers.ready import running

if TYPE_CHECKING:
    from natslab.servers.fleet import Fleet

_SOON = "An election takes 3 to 11 s; try again, or see: %natslab status"


@dataclass(frozen=True)
class Group:
    """The servers of a RAFT group, or the one that has it alone; `leader` is "" when nobody leads."""

    what: str
    leader: str
    followers: tuple[str, ...]  # in the order of the lab


async def meta(fleet: Fleet) -> Group:
    """JetStream's meta group. Raises NobodyLeads, LabError when there is none."""
    names = [name for members in fleet.topology.clusters.values() for name in members]
    if not names:
        raise LabError(
            "A server alone has no meta group.", "Start a cluster: %natslab down, %natslab up --servers 3"
        )
    said = await _ask(fleet, running(fleet, names), "raftz")
    claims = [
        (_since(group.get("leader_since")), name)
        for name, answer in said.items()
        if (group := (answer.get("SYS") or {}).get("_meta_", {})).get("state") == "LEADER"
    ]
    if not claims:
        raise NobodyLeads("Nobody leads the meta group now.", _SOON, "JetStream", names)
    leader = max(claims)[1]  # one that was cut off goes on saying that it leads
    return Group("the meta group", leader, tuple(name for name in names if name != leader))


async def group(fleet: Fleet, stream: str, consumer: str | None = None) -> Group:
    """The group of a stream, or of one of its consumers. Raises LabError when there is none, NobodyLeads."""
    what = f"{stream} > {consumer}" if consumer else stream
    claims: list[tuple[float, str, tuple[str, ...], str]] = []
    known: set[str] = set()
    members: set[str] = set()
    for name, answer in (await _ask(fleet, running(fleet, list(fleet.servers)), "jsz", **_ALL)).items():
        for found in _streams(answer):
            known.add(str(found["name"]))
            if found["name"] != stream:
                continue
            if consumer:
                mine = [c for c in found.get("consumer_detail") or [] if c["name"] == consumer]
                if not mine:
                    continue
                found = mine[0]
            # A server alone says nothing of a cluster; where nobody leads, only the leader is left out.
            cluster = found.get("cluster") or {"leader": name}
            domain = fleet.topology.domain_of(name)
            peers = {str(one["name"]) for one in cluster.get("replicas") or []}
            members |= {name, *peers}
            if cluster.get("leader") == name:
                order = tuple(one for one in fleet.servers if one in peers)
                claims.append((_since(cluster.get("leader_since")), name, order, domain))
            else:
                claims.append((-1.0, name, (), domain))
    if stream not in known:
        silent = [name for name in fleet.servers if name not in running(fleet, list(fleet.servers))]
        if silent:
            raise LabError(
                f"No server that runs has a stream called {stream!r}.",
                f"{joined(silent)} {'is' if len(silent) == 1 else 'are'} down or frozen: %natslab status",
            )
        hint = there(sorted(known)) if known else "There is none; make one: %js stream add NAME --replicas 3"
        raise LabError(f"There is no stream called {stream!r}.", hint)
    if not claims:
        raise LabError(f"{stream} has no consumer called {consumer!r}.", f"See: %js consumer ls {stream}")
    if len({domain for *_, domain in claims}) > 1:
        where = joined(sorted({domain for *_, domain in claims}))
        raise LabError(f"There is a {what} in each of {where}.", "Name the server instead.")
    since, leader, followers, _ = max(claims)
    if since < 0:
        of = f"Consumer {what}" if consumer else f"Stream {what}"
        raise NobodyLeads(f"Nobody leads {what} now.", _SOON, of, (n for n in fleet.servers if n in members))
    return Group(what, leader, followers)


_ALL = {"accounts": True, "streams": True, "consumer": True}


async def _ask(fleet: Fleet, names: list[str], what: str, **body: Any) -> dict[str, dict[str, Any]]:
    """What each server answers; those that do not are left out."""
    answers = await asyncio.gather(*(fleet.ask(name, what, **body) for name in names), return_exceptions=True)
    found = {}
    for name, answer in zip(names, answers, strict=True):
        if isinstance(answer, dict):
            found[name] = answer
        elif not isinstance(answer, ServerError):
            raise answer
    return found


def _streams(answer: dict[str, Any]) -> list[dict[str, Any]]:
    return [
        stream
        for account in answer.get("account_details") or []
        if account.get("name") == LEARNER
        for stream in account.get("stream_detail") or []
    ]


def _since(stamp: object) -> float:
    """When it began to lead, unix seconds; 0 where it is not said: it has it alone."""
    return datetime.fromisoformat(str(stamp)).timestamp() if stamp else 0.0
