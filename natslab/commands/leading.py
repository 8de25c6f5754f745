"""Who leads a stream or a consumer, and letting another server lead."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from natslab.commands.results import Result, one_line
from natslab.errors import CommandError, NoResponders, Timeout, there
from natslab.servers.jsapi import Api, JetStreamError

#: Seconds for the first look and for a late one: nobody answers while nobody leads, and a question that
#: came then is never answered.
FIRST, LATE = 0.06, 0.8
_NO_LEADER = 10008
PAUSE = 0.02  # seconds between two looks


@dataclass(frozen=True)
class Lead:
    """Who leads a group, since when, and who follows."""

    leader: str = ""
    since: str = ""
    peers: tuple[str, ...] = ()  # all servers of the group, the leader among them
    cluster: str = ""  # "" on a server alone

    @classmethod
    def of(cls, cluster: Mapping[str, Any]) -> Lead:
        """From the field `cluster` of an info."""
        leader = str(cluster.get("leader") or "")
        named = {str(r.get("name", "")) for r in cluster.get("replicas") or []}
        peers = sorted((named | {leader}) - {""})
        since, name = str(cluster.get("leader_since") or ""), str(cluster.get("name") or "")
        return cls(leader, since, tuple(peers), name)


class Led(Result):
    """That a server leads now: `.leader`, `.before`, and `.took`, the seconds until it was known.

    0 seconds: it did already.
    """

    def __init__(self, what: str, before: str, leader: str, took: float) -> None:
        super().__init__()
        self.what = what
        self.before = before
        self.leader = leader
        self.took = took

    def text(self) -> str:
        """Who leads; the time is in `.took` and with --json."""
        return f"{self.leader} leads {self.what} {'now' if self.took else 'already'}"

    def json(self) -> Any:
        """Before and after."""
        return {
            "of": self.what,
            "before": self.before,
            "leader": self.leader,
            "took": round(self.took, 6),
        }


def clustered(about: Mapping[str, Any]) -> bool:
    """Whether the info is of something in a cluster."""
    return bool((about.get("cluster") or {}).get("name"))


Look = Callable[[float], Awaitable[Lead]]


async def cluster_at(api: Api, subject: str, wait: float) -> dict[str, Any]:
    """The field `cluster` of the info at `subject` (STREAM.INFO.S, CONSUMER.INFO.S.C).

    {} when nobody answers within `wait` seconds, which is nobody leading.
    """
    try:
        said = await api.call(subject, timeout=min(wait, api.timeout))
    except (Timeout, NoResponders):
        return {}
    except JetStreamError as e:
        if e.code != _NO_LEADER:
            raise
        return {}
    return said.get("cluster") or {}


def look_at(api: Api, subject: str) -> Look:
    """Asks the info at `subject` who leads."""

    async def look(wait: float) -> Lead:
        return Lead.of(await cluster_at(api, subject, wait))

    return look


async def until(look: Look, enough: Callable[[Lead], bool], timeout: float) -> Lead | None:
    """The first look that is `enough`, or None after `timeout` seconds."""
    end = time.monotonic() + timeout
    wait = FIRST
    while True:
        lead = await look(wait)
        if enough(lead):
            return lead
        if time.monotonic() >= end:
            return None
        wait = min(wait * 1.5, LATE)
        await asyncio.sleep(PAUSE)


async def let_another_lead(
    api: Api,
    request: str,
    look: Look,
    what: str,
    preferred: str | None,
    more: str,
    clustered: bool,
    patience: float,
) -> Led:
    """Ask the leader to step down, and wait until the next one is known.

    Parameters
    ----------
    request: the subject of the step-down.
    look: who leads.
    what: "stream ORDERS".
    preferred: the server that should lead next.
    more: how `what` gets more replicas.
    clustered: whether its info says that it is in a cluster; a server alone says itself that it is alone.
    patience: seconds to wait for the next leader.

    Raises CommandError where nobody else can lead, Timeout when nobody does in time.
    """
    if not clustered:
        await api.call(request)
    before = await until(look, lambda lead: bool(lead.leader), api.timeout)
    if before is None:
        raise Timeout(
            f"Nobody leads {what}, so nobody can step down.", "%natslab status shows the servers.", request
        )
    _refuse(before, what, preferred, more)
    if preferred == before.leader:
        return Led(what, before.leader, before.leader, 0.0)
    began = time.monotonic()
    await api.call(request, {"placement": {"preferred": preferred}} if preferred else None)
    after = await until(
        look,
        lambda lead: bool(lead.leader) and (lead.leader, lead.since) != (before.leader, before.since),
        patience,
    )
    if after is None:
        raise Timeout(
            f"{before.leader} stepped down, and nobody leads {what} since.",
            "An election takes up to 10 s; %js stream info shows who leads.",
            request,
        )
    made = Led(what, before.leader, after.leader, time.monotonic() - began)
    if preferred and after.leader != preferred:
        made.notes.append(f"{preferred} was preferred, and the servers elected {after.leader}.")
    return made


def _refuse(lead: Lead, what: str, preferred: str | None, more: str) -> None:
    """Say no to what the server takes without doing it, or refuses in other words."""
    if len(lead.peers) < 2:
        raise CommandError(
            f"{what[0].upper()}{what[1:]} has one replica, on {lead.leader}, so no other server can lead it.",
            more,
        )
    if preferred is not None and preferred not in lead.peers:
        raise CommandError(
            f"{one_line(preferred, 40)} has no replica of {what}, so it cannot lead it.", there(lead.peers)
        )
