"""Who of several servers cannot be reached, why, and what JetStream cannot do without them.

A request that fails because servers are missing gets one sentence that names them, in place of the
server's own words, which are a timeout, "no responders" or "no leader".
"""

from __future__ import annotations

import datetime
import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import nats.errors

from natslab.commands.connect import Line
from natslab.commands.majority import away_from, other_side, reasons, remedies, sentence
from natslab.errors import (
    ClientError,
    LabError,
    NatslabError,
    NoResponders,
    ServerError,
    Timeout,
    there,
)
from natslab.servers.jsapi import JetStreamError
from natslab.servers.jserrors import named_in
from natslab.servers.reach import ASLEEP, middle, states
from natslab.tape.event import Snap, Store
from natslab.tape.subject import matches

#: JetStream's codes for what servers that are missing cause.
_LOST = (10007, 10008, 10009, 10118, 10119, 10194, 10195)
_NO_PEERS = 10005
#: Requests that change nothing; what a leader has taken of others it does once it has a majority again.
_ONLY_ASKS = re.compile(
    r"(STREAM|CONSUMER)\.(LIST|NAMES|INFO|MSG\.(GET|NEXT)|LEADER\.STEPDOWN)\b|INFO$|DIRECT\.|META\."
)
#: The verbs that ask JetStream.
_GROUPS = ("stream", "consumer", "kv", "object", "counter")


def states_of(line: Line) -> dict[str, str]:
    """The servers of the lab, when the line is about them, and their states."""
    return {} if line.elsewhere else states(line.lab.fleet)


def here_of(line: Line) -> str:
    """The server that the line speaks with, or would; one that is awake, if there is any."""
    used = str(line.common.get("on") or line.place)
    if states_of(line).get(used, ASLEEP[0]) not in ASLEEP:
        return used
    return middle(line.lab.fleet)


def absent(line: Line) -> dict[str, str]:
    """The servers of the lab that the line's own server cannot reach, each with the reason."""
    return away_from(line.lab.fleet, here_of(line)) if states_of(line) else {}


async def because(line: Line, error: NatslabError) -> NatslabError | None:
    """The error in other words, when it comes from servers of the lab that are missing or too few."""
    try:
        if line.elsewhere or len(states_of(line)) < 2:
            return None
        if isinstance(error, JetStreamError):
            if error.code == _NO_PEERS:
                return await _unplaceable(line, error)
            if error.code not in _LOST:
                return None
        elif not isinstance(error, (Timeout, NoResponders)) or not _of_jetstream(line, error):
            return None
        return _domain(line, error) or await _missing(line, error)
    except (LabError, ClientError, nats.errors.Error):
        return None


async def doubt(line: Line) -> str:
    """Why an answer of JetStream may be old: who gave it is cut off from a majority. "" when it is not.

    A server notices that it is alone only after some seconds, and answers direct gets also then (measured).
    """
    try:
        if line.path.split(" ")[1:2] not in [[group] for group in _GROUPS] or len(states_of(line)) < 2:
            return ""
        here, away = here_of(line), absent(line)
        cluster = line.lab.fleet.topology.cluster_of
        members = [name for name in states_of(line) if cluster(name) and cluster(name) == cluster(here)]
        cut = [name for name in members if away.get(name, "").startswith("cut off")]
        if cut and (stream := _named(line)):
            held_by = (await _group(line, stream, "", here)).members
            members = [name for name in members if name in held_by]
        left = [name for name in members if name not in away]
        if len(left) > len(members) // 2 or not set(members) & set(cut):
            return ""
        return f"{here} reaches {len(left)} of {len(members)} servers: what it says may be old."
    except (LabError, ClientError, nats.errors.Error):
        return ""  # the answer itself is there


def _of_jetstream(line: Line, error: NatslabError) -> bool:
    """Whether JetStream was asked, and not a responder of the learner's."""
    group = line.path.split(" ")[1:2]
    return bool(getattr(error, "subject", "")) or group[0] in _GROUPS if group else False


def _domain(line: Line, error: NatslabError) -> NatslabError | None:
    """Why the JetStream domain that the line names does not answer."""
    asked = str(line.common.get("js_domain") or line.common.get("domain") or "")
    topology = line.lab.fleet.topology
    domains = {topology.domain_of(n): n for n in states_of(line) if topology.domain_of(n)}
    if not asked or isinstance(error, JetStreamError):
        return None
    if asked not in domains:
        hint = there(domains) if domains else "Leave out --js-domain: this lab has none."
        return type(error)(f"There is no JetStream domain {asked!r}.", hint)
    name = domains[asked]
    state = states_of(line)[name]
    if state in ASLEEP:
        return type(error)(
            f"The JetStream domain {asked} is that of {name}, which is {state}.",
            remedies([name], {name: state})[0],
        )
    for link in line.lab.fleet.links.values():
        if name in (link.a, link.b) and link.state in ("cut", "held"):
            return type(error)(
                f"The JetStream domain {asked} is that of {name}, and {link.said} is {link.state}.",
                f"%natslab heal {link.a} {link.b}; or ask there: --on {name}",
            )
    return None


async def _missing(line: Line, error: NatslabError) -> NatslabError | None:
    there_are = states_of(line)
    here = here_of(line)
    away = absent(line)
    used = str(line.common.get("on") or line.place)
    if there_are.get(used) == "frozen":
        others = [n for n in there_are if n not in away]
        more = f"; or use another server: --on {others[0]}" if others else ""
        return ServerError(
            f"{used} is frozen, and this client is connected to it.",
            f"Let it go on: %natslab thaw {used}{more}",
        )
    code = f" (error {error.code})" if isinstance(error, JetStreamError) else ""
    domain_of = line.lab.fleet.topology.domain_of
    peers = {n for n in there_are if domain_of(n) == domain_of(here)}
    all_of = sorted(peers, key=list(there_are).index)
    group = await _group(line, *_about(line, error), here)
    members = [n for n in there_are if n in group.members]
    lost = sentence("JetStream", all_of, away, here)
    if lost is not None and not (members and set(members) <= set(away)):
        lost = lost[0], lost[1] + other_side(line.lab.fleet, all_of, here)
    elif (lost := sentence(f"Stream {group.stream}", members, away, here)) is not None:
        lost = lost[0], lost[1] + other_side(line.lab.fleet, members, here)
    elif members:
        lost = _election(line, group, [n for n in members if n in away], away)
    if lost is None and await _leaderless(line, here):
        lost = (
            "JetStream has no leader at the moment.",
            "Its servers elect one, which takes up to 10 s after a failure; then do it again.",
        )
    if lost is None and away and isinstance(error, Timeout):
        back = "; ".join(remedies(away, away))
        lost = f"{error.what[:-1]}: {reasons(away, away)}.", f"Do it again; or first: {back}"
    if lost is None:
        return None
    what, hint = lost
    if isinstance(error, Timeout) and error.subject and not _ONLY_ASKS.match(error.subject):
        hint = f"{hint.removesuffix('.')}. What was asked may still be done."
    return type(error)(*_arguments(error, what[:-1] + code + ".", hint))


def _election(
    line: Line, group: Group, gone: Sequence[str], away: Mapping[str, str]
) -> tuple[str, str] | None:
    """That nobody leads the stream, or nobody did when it was asked."""
    after = f", {gone[0]} being {away[gone[0]]}" if gone else ""
    if not group.leader or group.leader in away:
        return (
            f"Stream {group.stream} has no leader at the moment{after}.",
            "Its servers elect one, which takes up to 10 s after a failure; then do it again.",
        )
    if group.since and time.time() - group.since < line.timeout + 0.5:
        return (
            f"Stream {group.stream} had no leader when it was asked{after}; now {group.leader} leads it.",
            "Do it again.",
        )
    return None


async def _leaderless(line: Line, here: str) -> bool:
    """Whether `here` knows of nobody who leads the meta group."""
    meta = (await line.lab.fleet.ask(here, "jsz")).get("meta_cluster") or {}
    return bool(meta) and not meta.get("leader")


async def _meta(line: Line) -> set[str]:
    """The servers that take part in the meta group, as its leader says; none where nobody can say."""
    away = absent(line)
    for name in states_of(line):
        if name in away:
            continue
        meta = (await line.lab.fleet.ask(name, "jsz")).get("meta_cluster") or {}
        if meta.get("leader") == name:
            return {name, *(str(r.get("name", "")) for r in meta.get("replicas") or [])}
    return set()


def _arguments(error: NatslabError, what: str, hint: str) -> tuple[Any, ...]:
    if isinstance(error, JetStreamError):
        return what, hint, error.code, error.status, error.description
    return what, hint


# --- which stream it is about ----------------------------------------------------------------------


@dataclass(frozen=True)
class Group:
    """A stream, the servers that hold it, and who leads."""

    stream: str = ""
    members: tuple[str, ...] = ()
    leader: str = ""
    since: float = 0.0  # unix time


def _about(line: Line, error: NatslabError) -> tuple[str, str]:
    """The stream that was asked, or the subject that was published to."""
    subject = str(getattr(error, "subject", ""))
    stream = named_in(subject)[0] or _named(line)
    return stream, "" if stream else subject


def _named(line: Line) -> str:
    """The stream that the line names, or that is behind its bucket; "" for none."""
    stream = str(line.values.get("stream") or "")
    if not stream and line.values.get("bucket"):
        stream = ("OBJ_" if " object " in f" {line.path} " else "KV_") + str(line.values["bucket"])
    return stream


async def _group(line: Line, stream: str, subject: str, here: str) -> Group:
    """The stream, or the one that takes `subject`, by the monitoring of `here` or of another server.

    Not by the API, whose requests need a leader and are told to everybody.
    """
    fleet = line.lab.fleet
    away = absent(line)
    known: Group | None = None
    # Who is cut off knows too of what only they have.
    for name in sorted(states_of(line), key=lambda n: (n in away, n != here)):
        if states_of(line)[name] in ASLEEP or not (stream or subject):
            continue
        try:
            streams = await fleet.streams(name, config=True)
        except LabError:
            continue
        for one in streams:
            takes = (one.get("config") or {}).get("subjects") or []
            if one["name"] == stream or (subject and any(matches(s, subject) for s in takes)):
                cluster = one.get("cluster") or {}
                named = {r["name"] for r in cluster.get("replicas") or []}
                leader = cluster.get("leader", "")
                found = Group(one["name"], tuple(sorted(named | {name})), leader, _since(cluster))
                if leader == name:
                    return found  # only the leader says since when it leads
                known = known or found
    return known or _remembered(line, stream, subject)


def _remembered(line: Line, stream: str, subject: str) -> Group:
    """The same of a stream whose only server is down or frozen: as the tape has it."""
    asleep = [name for name, state in states_of(line).items() if state in ASLEEP]
    if not asleep or not (stream or subject):
        return Group()
    tape, newer = line.lab.tape, set()
    for event in reversed(tape.between(tape.first, tape.head)):
        if isinstance(event, Snap) and event.what == "stream" and event.data["name"] not in newer:
            name, config = event.data["name"], event.data.get("config") or {}
            newer.add(name)
            alone = event.place in asleep and config.get("num_replicas", 1) == 1
            takes = subject and any(matches(s, subject) for s in config.get("subjects") or [])
            if alone and (name == stream or takes) and not event.data.get("gone"):
                return Group(name, (event.place,), event.place)
        if not isinstance(event, Store) or event.code or event.stream in newer or len(asleep) > 1:
            continue
        # Stored a moment ago, and nobody who is awake has such a stream.
        if event.stream == stream or event.subject == subject:
            return Group(event.stream, (asleep[0],), asleep[0])
    return Group()


def _since(cluster: Mapping[str, Any]) -> float:
    """When its leader began to lead."""
    stamp = str(cluster.get("leader_since") or "")
    try:
        return datetime.datetime.fromisoformat(_FINE.sub(r"\1", stamp)).timestamp()
    except ValueError:
        return 0.0


_FINE = re.compile(r"(\.\d{1,6})\d*")  # the server writes nanoseconds


# --- where there is no room ------------------------------------------------------------------------

_TAGS = re.compile(r"tags not matched (\[.*\])")


async def _unplaceable(line: Line, error: JetStreamError) -> JetStreamError | None:
    """No suitable peers, in numbers of this lab."""
    if "no suitable peers" not in error.description:
        return None
    there_are = states_of(line)
    config = error.body.get("config") or error.body
    place = config.get("placement") or {}
    asked = int(config.get("num_replicas") or 1)
    away = absent(line)
    stream = named_in(error.subject)[0]
    what = f"Stream {stream}" if stream else "The stream"
    clusters = {n: line.lab.fleet.topology.cluster_of(n) for n in there_are}
    wanted = place.get("cluster", "")
    # All replicas of a stream are in one cluster.
    one = wanted or max(clusters.values(), key=list(clusters.values()).count)
    in_it = await _meta(line)
    names = [n for n in there_are if clusters[n] == one and (n in in_it or not in_it)]
    if wanted and not names:
        known = sorted({c for c in clusters.values() if c})
        said = f"{what} is to be in the cluster {wanted}, and there is no such cluster"
        return _again(error, said, there(known))
    if place.get("tags"):
        found = _TAGS.search(error.description)
        tags = found[1].strip("[]").replace("'", "") if found else ", ".join(place["tags"])
        return _again(
            error,
            f"{what} is to have {_replicas(asked)} on servers with the tag {tags}, and there are not as many",
            "Leave out --tag, or give the servers that tag in their configuration (server_tags).",
        )
    if asked > len(names):
        have = f"{len(names)} server{'s' if len(names) != 1 else ''}"
        several = len(set(clusters.values())) > 1
        lab = "JetStream" if in_it and len(in_it) < len(there_are) else "this lab"
        of = f"cluster {one}" if wanted else "no cluster" if several else lab
        more = "more than " if several and not wanted else ""
        return _again(
            error,
            f"{what} is to have {_replicas(asked)}, each on a server of its own, and {of} has {more}{have}",
            f"Ask for fewer: --replicas {_odd(len(names))}; or add servers: %natslab add",
        )
    gone = [n for n in names if n in away]
    if gone:
        why = reasons(gone, away)
        return _again(
            error,
            f"{what} is to have {_replicas(asked)}, and only {len(names) - len(gone)} of the {len(names)} "
            f"servers are there: {why}",
            "; ".join(remedies(gone, away)),
        )
    if "offline" in error.description:
        return _again(
            error,
            f"{what} is to have {_replicas(asked)}, and the leader has not seen all servers again yet",
            "After a fault that takes up to 20 s; then do it again.",
        )
    return None


def _again(error: JetStreamError, what: str, hint: str) -> JetStreamError:
    made = JetStreamError(f"{what} (error {error.code}).", hint, error.code, error.status, error.description)
    made.subject, made.body = error.subject, error.body
    return made


def _replicas(n: int) -> str:
    return f"{n} replica{'s' if n != 1 else ''}"


def _odd(n: int) -> int:
    """The most replicas that make sense on `n` servers: an even one more fails no later."""
    return max(1, min(5, n if n % 2 else n - 1))
