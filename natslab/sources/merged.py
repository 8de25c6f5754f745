"""What several servers say of streams and consumers, as one report: each by the word of its leader.

Every server lists that of which it has a replica (measured with nats-server 2.15.1), and only the leader's
counters are true. A leader says since when it leads and nobody else does; one that was cut off goes on saying
so after the others have chosen another one, which leads since later. What has a single replica has neither
group nor time: its server is its leader. A server that has just started knows no groups either, for a moment:
it lists things without a leader, or as if it had the only replica.

Streams of two JetStream domains may have one name: the one that was seen first keeps it, another is told as
NAME@DOMAIN.
"""

from __future__ import annotations

import contextlib
import functools
import math
import time
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, NamedTuple, TypeAlias

DOUBT = 1.0  # seconds in which most replicas must be gone before the thing is, while others still have it
KEPT = 1_000  # things that are gone and of which it is remembered

Key: TypeAlias = tuple[str, ...]  # (stream,) or (stream, consumer)
_Rows: TypeAlias = dict[Key, dict[str, dict[str, Any]]]  # who says what of it


class Answer(NamedTuple):
    """What one server said: its `stream_detail`, and whether it is one of a cluster."""

    streams: list[dict[str, Any]]
    clustered: bool = False


class Told(NamedTuple):
    """One stream or consumer by its leader's word."""

    key: Key
    place: str  # the leader
    since: float  # since when it leads, unix seconds; infinite where nobody else can
    made: str  # when it was created, in the server's words
    said: dict[str, Any]  # what the leader says; of a stream's `consumer_detail` those of that server
    stream: dict[str, Any]  # the stream in the words of the same server


class Report(NamedTuple):
    """A stream comes before its consumers. Of what is in neither list nobody who leads it has answered."""

    there: list[Told]
    gone: list[Key]


class _One:
    """One stream or consumer as it is followed."""

    def __init__(self, made: str) -> None:
        self.made = made
        self.place = ""
        self.since = -math.inf  # since when that server leads, unix seconds
        self.peers: frozenset[str] = frozenset()
        self.has: set[str] = set()  # servers that have it
        self.left: set[str] = set()  # servers that had it and do not any more
        self.doubted = math.inf  # since when most of its servers do not have it

    def leads(self, place: str, since: float, peers: frozenset[str]) -> None:
        self.place, self.since, self.peers = place, since, peers
        self.has &= peers
        self.left &= peers

    def over(self, now: float) -> bool:
        """Whether it is gone, by what its servers say."""
        if not self.has:
            return True
        if 2 * len(self.left) <= len(self.peers):
            self.doubted = math.inf
            return False
        self.doubted = min(self.doubted, now)
        return now - self.doubted >= DOUBT


class Merger:
    """Puts together what the servers say, report by report."""

    def __init__(self) -> None:
        self._known: dict[Key, _One] = {}
        self._over: dict[Key, tuple[str, float]] = {}  # gone: when it was made, when that was seen
        self._spoke: set[Key] = set()  # by their leaders, in the newest report

    def leader(self, key: Key) -> str:
        """The server that led it when that was heard last; "" when it is not known."""
        one = self._known.get(key)
        return one.place if one is not None else ""

    def peers(self, key: Key) -> frozenset[str]:
        """The servers that have it, as its leader said last."""
        one = self._known.get(key)
        return one.peers if one is not None else frozenset()

    def mute(self) -> list[Key]:
        """What is there, and whose leader was not among those that answered last."""
        return [key for key in self._known if key not in self._spoke]

    def merge(self, answers: Mapping[str, Answer], now: float | None = None) -> Report:
        """What follows from these answers; a server that is not in them said nothing."""
        now = time.time() if now is None else now
        rows: _Rows = {}
        for server, answer in answers.items():
            for stream in answer.streams:
                name = str(stream["name"])
                rows.setdefault((name,), {})[server] = stream
                for consumer in stream.get("consumer_detail") or []:
                    rows.setdefault((name, str(consumer["name"])), {})[server] = consumer
        self._spoke = set()
        order = sorted(rows, key=lambda key: (key[0], len(key)))
        there = [told for key in order if (told := self._leader(key, rows, answers)) is not None]
        gone: list[Key] = []
        for key, one in tuple(self._known.items()):
            for server in answers:
                said = rows.get(key, {}).get(server)
                if said is not None and str(said.get("created", "")) == one.made:
                    one.has.add(server)
                    one.left.discard(server)
                elif server in one.has:
                    one.has.discard(server)
                    one.left.add(server)
            if one.over(now):
                gone.append(key)
        streams = {key[0] for key in gone if len(key) == 1}
        gone += [key for key in self._known if key[0] in streams and key not in gone]
        for key in gone:
            self._forget(key, now)
        return Report([told for told in there if told.key in self._known], gone)

    def _leader(self, key: Key, rows: _Rows, answers: Mapping[str, Answer]) -> Told | None:
        """The word of the one that leads, if it is among them."""
        claims = {
            server: since
            for server, said in rows[key].items()
            if (since := _since(server, said, rows[key[:1]][server], answers[server].clustered)) is not None
        }
        if not claims:
            return None
        server = next(iter(claims))
        if len(claims) > 1:
            server = max(claims, key=lambda name: (_seconds(rows[key][name].get("created")), claims[name]))
        since, said = claims[server], rows[key][server]
        made = str(said.get("created", ""))
        one = self._known.get(key)
        if one is None:
            before, ended = self._over.get(key, ("", 0.0))
            if before == made and since < ended:
                return None  # a server that was cut off does not know that it is gone
            one = self._known[key] = _One(made)
            one.has.add(server)
        elif one.made != made:
            if _seconds(made) < _seconds(one.made):
                return None
            one = self._known[key] = _One(made)
            one.has.add(server)
        elif since < one.since and (one.place not in answers or one.place in claims):
            return None  # its time is over
        cluster = said.get("cluster") or {}
        replicas = {str(peer.get("name", "")) for peer in cluster.get("replicas") or []}
        one.leads(server, since, frozenset({server, *replicas}))
        self._spoke.add(key)
        return Told(key, server, since, made, said, rows[key[:1]][server])

    def _forget(self, key: Key, now: float) -> None:
        one = self._known.pop(key)
        self._over[key] = one.made, now
        self._spoke.discard(key)
        while len(self._over) > KEPT:
            del self._over[next(iter(self._over))]


class Domains:
    """The same for servers of several JetStream domains.

    Parameters
    ----------
    domain: says in which domain a server is.
    """

    def __init__(self, domain: Callable[[str], str]) -> None:
        self._domain = domain
        self._mergers: dict[str, Merger] = {}
        self._names: dict[str, tuple[str, str]] = {}  # as it is told -> domain, name

    def leader(self, key: Key) -> str:
        """The server that led it when that was heard last; "" when it is not known."""
        merger, key = self._find(key)
        return merger.leader(key)

    def peers(self, key: Key) -> frozenset[str]:
        """The servers that have it, as its leader said last."""
        merger, key = self._find(key)
        return merger.peers(key)

    def mute(self) -> list[Key]:
        """What is there, and whose leader was not among those that answered last."""
        return [self._label(domain, key) for domain, merger in self._mergers.items() for key in merger.mute()]

    def told_as(self, domain: str, stream: str) -> str:
        """What the stream of that domain is called."""
        if self._names.get(stream) == (domain, stream):
            return stream
        found = (name for name, of in tuple(self._names.items()) if of == (domain, stream))
        return next(found, stream)

    def merge(self, answers: Mapping[str, Answer]) -> Report:
        """What follows from these answers; a server that is not in them said nothing."""
        there: list[Told] = []
        gone: list[Key] = []
        for domain in dict.fromkeys(map(self._domain, answers)):
            merger = self._mergers.setdefault(domain, Merger())
            report = merger.merge(
                {name: said for name, said in answers.items() if self._domain(name) == domain}
            )
            gone += [self._label(domain, key) for key in report.gone]
            there += [told._replace(key=self._label(domain, told.key)) for told in report.there]
            for key in report.gone:
                if len(key) == 1:
                    self._names.pop(self.told_as(domain, key[0]), None)
        return Report(there, gone)

    def _find(self, key: Key) -> tuple[Merger, Key]:
        domain, name = self._names.get(key[0], ("", key[0])) if key else ("", "")
        return self._mergers.get(domain) or Merger(), (name, *key[1:])

    def _label(self, domain: str, key: Key) -> Key:
        name = self.told_as(domain, key[0])
        if self._names.get(name) != (domain, key[0]):
            if name in self._names:
                name = f"{name}@{domain}"
            self._names[name] = domain, key[0]
        return (name, *key[1:])


def _since(server: str, said: dict[str, Any], stream: dict[str, Any], clustered: bool) -> float | None:
    """Since when that server leads, by its own word; None when it does not say that it leads."""
    cluster = said.get("cluster") or {}
    if not clustered:
        return math.inf
    if cluster.get("leader") != server:
        return None
    if "raft_group" not in cluster:
        # It has the only replica; or it has just started and does not know yet who else has one.
        return math.inf if _replicas(said, stream) == 1 else None
    return _seconds(cluster.get("leader_since")) or None


def _replicas(said: dict[str, Any], stream: dict[str, Any]) -> int:
    """How many there should be; a consumer has as many as its stream, or one when it is ephemeral."""
    config, whole = said.get("config") or {}, stream.get("config") or {}
    if number := int(config.get("num_replicas") or 0):
        return number
    if (
        "stream_name" in said
        and not config.get("durable_name")
        and whole.get("retention", "limits") == "limits"
    ):
        return 1
    return int(whole.get("num_replicas") or 1)


@functools.lru_cache(maxsize=10_000)
def _seconds(stamp: object) -> float:
    with contextlib.suppress(ValueError, TypeError):
        return datetime.fromisoformat(str(stamp)).timestamp()
    return 0.0
