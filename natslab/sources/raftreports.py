"""What each server says of its RAFT groups when it is asked, and what a group is for.

A server's own report (`raftz`) is right about itself, not about others: a leader that was cut off says for
16 s and more that it leads, in the old term. So who leads is the one that says so in the highest term.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
import time
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal, TypeAlias

import nats.errors

from natslab.errors import NatslabError
from natslab.servers.config import LEARNER, SYS
from natslab.servers.fleet import Fleet
from natslab.sources.monitor import PATIENCE, QUICK, SLOW, Monitor
from natslab.sources.rafttalk import META, Talk
from natslab.sources.raftwire import peer_id
from natslab.tape.event import Snap
from natslab.tape.tape import Tape

By: TypeAlias = Literal["wire", "system account", "monitoring"]

DEAD = 10.0  # seconds of silence after which a server itself counts a peer as lost (its own constant)
STEPS = (2.5, 5.0, DEAD)  # seconds of a peer's silence; a report is another one when it passes one of these
_UNITS = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 1e-3, "µs": 1e-6, "us": 1e-6, "ns": 1e-9}
_PART = re.compile(r"(\d+(?:\.\d+)?)(h|ms|m|s|µs|us|ns)")


@dataclass
class _Known:
    """What the servers say of one group."""

    reports: dict[str, dict[str, Any]] = field(default_factory=dict)  # server -> what it said last
    stream: str = ""
    consumer: str = ""
    told: dict[str, Any] = field(default_factory=dict)
    headless: float | None = None  # since when nobody says that it leads


class RaftReports:
    """Asks every server at the pace of the monitor, and puts Snaps "group" and "raft" on the tape.

    A report is told when it changed. How long a peer has been silent changes all the time: that alone is told
    when it passes one of STEPS. `talk` hears who leads.
    """

    def __init__(self, fleet: Fleet, tape: Tape, monitor: Monitor, talk: Talk) -> None:
        self.by: By = "monitoring"
        self._fleet = fleet
        self._tape = tape
        self._monitor = monitor
        self._talk = talk
        self._known: dict[str, _Known] = {}
        self._told: dict[tuple[str, str], tuple[Any, ...]] = {}
        self._wake = asyncio.Event()
        self._one = asyncio.Lock()
        self._task: asyncio.Task[None] | None = None
        self._stopped = False

    async def start(self) -> None:
        """Begin."""
        self._stopped = False
        self._wake.set()
        self._task = asyncio.create_task(self._follow())

    async def stop(self) -> None:
        """End."""
        self._stopped = True
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
            self._task = None

    def wake(self) -> None:
        """Something changed: ask soon."""
        self._wake.set()

    def group_of(self, stream: str, consumer: str = "") -> str:
        """The group of a stream or a consumer; "" if it is not known or there is none."""
        for name, known in self._known.items():
            if (known.stream, known.consumer) == (stream, consumer):
                return name
        return ""

    async def poll(self) -> None:
        """Ask every server now; one that is down, frozen or slow is passed over."""
        async with self._one:
            names = [name for name, it in self._fleet.servers.items() if it.state in ("up", "lame duck")]
            began = self._tape.now()
            answers = await asyncio.gather(*(self._groups(name) for name in names))
            await self._fleet.caught_up()  # what led to a report is told before it
            said = {name: a for name, a in zip(names, answers, strict=True) if a is not None}
            new = [name for name, groups in said.items() if not groups.keys() <= self._known.keys()]
            if new or any(not known.stream for group, known in self._known.items() if group != META):
                await asyncio.gather(*(self._purposes(name) for name in said))
            for server, groups in said.items():
                for group, report in groups.items():
                    self._known.setdefault(group, _Known()).reports[server] = report
            self._gone(said)
            for group in sorted(self._known, key=lambda g: (g != META, g)):
                self._tell(group, said)
                self._conclude(group, said, began)

    async def _follow(self) -> None:
        cost = 0.0
        while not self._stopped:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(max(QUICK if self._monitor.watching else SLOW, 5 * cost)):
                    await self._wake.wait()
                await asyncio.sleep(max(0.02, 2 * cost))
            self._wake.clear()
            began = time.monotonic()
            await self.poll()
            cost = min(PATIENCE, time.monotonic() - began)

    async def _ask(self, server: str, what: str, **body: Any) -> dict[str, Any] | None:
        try:
            return await asyncio.wait_for(self._fleet.ask(server, what, **body), PATIENCE)
        except (NatslabError, nats.errors.Error, OSError, TimeoutError):
            return None

    async def _groups(self, server: str) -> dict[str, dict[str, Any]] | None:
        """What that server reports of each group it is in; None if it does not answer."""
        own, learners = await asyncio.gather(
            self._ask(server, "raftz"), self._ask(server, "raftz", account=LEARNER)
        )
        if own is None or learners is None:
            return None
        meta = (own.get(SYS) or {}).get(META)
        groups = dict(learners.get(LEARNER) or {})
        return (groups | {META: meta}) if meta else groups

    async def _purposes(self, server: str) -> None:
        """Which streams and consumers the groups are for."""
        said = await self._ask(
            server, "jsz", account=LEARNER, accounts=True, streams=True, consumer=True, raft=True
        )
        for account in (said or {}).get("account_details") or []:
            for stream in account.get("stream_detail") or []:
                name = str(stream.get("name", ""))
                of = [(str(stream.get("stream_raft_group", "")), "")]
                of += [
                    (str(one.get("raft_group", "")), str(one.get("name", "")))
                    for one in stream.get("consumer_raft_groups") or []
                ]
                for group, consumer in of:
                    known = self._known.get(group)
                    if known is None and group and "-R1" not in group:  # one server alone has no RAFT
                        known = self._known[group] = _Known()
                    if known is not None:
                        known.stream, known.consumer = name, consumer

    # --- what is told -------------------------------------------------------------------------

    def _gone(self, said: dict[str, dict[str, dict[str, Any]]]) -> None:
        """A group that no server has any more, or that one server has left."""
        for group, known in list(self._known.items()):
            has = {name for name, groups in said.items() if group in groups}
            left = [name for name in known.reports if name in said and name not in has]
            if not has and (left or not known.reports):
                del self._known[group]
                for server in [s for s, g in self._told if g == group]:
                    del self._told[server, group]
                if known.told:
                    self._snap("", "group", {"group": group, "gone": True})
                self._talk.forget(group)
                continue
            for name in left:
                del known.reports[name]
                self._told.pop((name, group), None)
                self._snap(name, "raft", {"group": group, "gone": True})

    def _tell(self, group: str, said: dict[str, dict[str, dict[str, Any]]]) -> None:
        known = self._known[group]
        if not known.reports:
            return
        peers = self._peers(known)
        self._talk.group(group).peers = frozenset(peers)
        data = {
            "group": group,
            "type": "meta" if group == META else "consumer" if group.startswith("C-") else "stream",
            "stream": known.stream,
            "consumer": known.consumer,
            "peers": peers,
            "by": self.by,
        }
        if data != known.told:
            known.told = data
            self._snap(self._speaker(known), "group", data)
        for server, report in known.reports.items():
            if server in said:
                told = self._report(group, server, report)
                mark = _mark(told)
                if self._told.get((server, group)) != mark:
                    self._told[server, group] = mark
                    self._snap(server, "raft", told)

    def _report(self, group: str, server: str, raw: dict[str, Any]) -> dict[str, Any]:
        """A server's report of a group, with names in place of ids."""
        peers: dict[str, Any] = raw.get("peers") or {}
        names = {id: str(peer.get("name") or self._name(id)) for id, peer in peers.items()}
        names[str(raw.get("id", ""))] = server
        wal = raw.get("wal") or {}
        return {
            "group": group,
            "state": str(raw.get("state", "")),
            "term": int(raw.get("term", 0)),
            "voted_for": self._called(names, raw.get("voted_for")),
            "leader": self._called(names, raw.get("leader")),
            "committed": int(raw.get("committed", 0)),
            "applied": int(raw.get("applied", 0)),
            "pindex": int(raw.get("pindex", 0)),
            "pterm": int(raw.get("pterm", 0)),
            "first": int(wal.get("first_seq", 0)),
            "last": int(wal.get("last_seq", 0)),
            "quorum_needed": int(raw.get("quorum_needed", 0)),
            "size": int(raw.get("size", 0)),
            "peers": {
                names[id]: {
                    "index": int(peer.get("last_replicated_index", 0)),
                    "seen": seconds(peer.get("last_seen")),
                    "known": bool(peer.get("known", False)),
                }
                for id, peer in sorted(peers.items(), key=lambda item: names[item[0]])
            },
        }

    def _called(self, names: dict[str, str], id: object) -> str:
        return (names.get(str(id)) or self._name(str(id))) if id else ""

    def _name(self, id: str) -> str:
        return next((name for name in self._fleet.servers if peer_id(name) == id), id)

    def _speaker(self, known: _Known) -> str:
        """Who knows best: the leader in the highest term, or who is in the highest term."""
        return max(
            known.reports,
            key=lambda name: (
                known.reports[name].get("state") == "LEADER",
                int(known.reports[name].get("term", 0)),
            ),
        )

    def _peers(self, known: _Known) -> list[str]:
        """Who is in the group, in the order of the lab."""
        speaker = self._speaker(known)
        raw = known.reports[speaker].get("peers") or {}
        found = {str(peer.get("name") or self._name(id)) for id, peer in raw.items() if peer.get("known")}
        order = list(self._fleet.servers)
        return sorted(
            found | {speaker}, key=lambda name: (order.index(name) if name in order else len(order), name)
        )

    def _snap(self, place: str, what: str, data: dict[str, Any]) -> None:
        self._tape.append(Snap(t=self._tape.now(), source="raft", place=place, what=what, data=data))

    # --- what follows from it -----------------------------------------------------------------

    def _conclude(self, group: str, said: dict[str, dict[str, dict[str, Any]]], t: float) -> None:
        """Who leads, and whether there is a quorum, by what was said at `t` or a moment later."""
        known, talk = self._known[group], self._talk
        fresh = {name: known.reports[name] for name in said if name in known.reports}
        if not fresh:
            return
        term = max(int(report.get("term", 0)) for report in fresh.values())
        leaders = [name for name, report in fresh.items() if report.get("state") == "LEADER"]
        state = talk.group(group)
        if leaders:
            leader = max(leaders, key=lambda name: int(fresh[name].get("term", 0)))
            report = fresh[leader]
            state.needed = int(report.get("quorum_needed", 0))
            talk.claimed(group, leader, int(report.get("term", 0)), t)
            known.headless = None
            if state.leader == leader:
                self._quorum(group, leader, report, t)
            return
        if any(report.get("leader") for report in fresh.values()):
            known.headless = None
            return
        talk.leaderless(group, term, t)
        known.headless = t if known.headless is None else known.headless
        if t - known.headless > DEAD:
            talk.quorum(group, True, t, "inferred")

    def _quorum(self, group: str, leader: str, report: dict[str, Any], t: float) -> None:
        ages = [
            seconds(peer.get("last_seen"))
            for peer in (report.get("peers") or {}).values()
            if peer.get("known")
        ]
        needed = int(report.get("quorum_needed", 0))
        since = _since(report.get("leader_since"), t + self._tape.started)
        if 1 + sum(age is not None and age < STEPS[0] for age in ages) >= needed:
            self._talk.quorum(group, False, t, "inferred", leader)
        elif since > DEAD and 1 + sum(age is not None and age <= DEAD for age in ages) < needed:
            self._talk.quorum(group, True, t, "inferred", leader)


def seconds(duration: object) -> float | None:
    """A duration in the server's words, e.g. "1m2.5s" or "641.6ms"; None for none."""
    if not isinstance(duration, str) or not duration:
        return None
    parts = _PART.findall(duration)
    if not parts:
        return None
    return float(f"{sum(float(number) * _UNITS[unit] for number, unit in parts):.3f}")


def _since(stamp: object, now: float) -> float:
    """Seconds from a server's stamp to `now` (time.time()); 0 where there is none."""
    with contextlib.suppress(ValueError):
        return now - datetime.fromisoformat(str(stamp)).timestamp()
    return 0.0


def _mark(report: dict[str, Any]) -> tuple[Any, ...]:
    """What makes one report another than the last: all of it, silences by the steps that they passed."""
    peers = tuple(
        (name, peer["index"], peer["known"], peer["seen"] is None or sum(peer["seen"] > s for s in STEPS))
        for name, peer in report["peers"].items()
    )
    return (*(value for key, value in report.items() if key != "peers"), peers)
