"""What servers report of their groups, held against what was seen on the wires."""

from __future__ import annotations

from typing import Any

from natslab.tape.event import Snap
from natslab.views.raft import story
from natslab.views.raft.protocol import asks, caught_up, close, lead, member
from natslab.views.raft.publishes import reported
from natslab.views.raft.state import LAG, LISTED, META, Group, State, Stream, natural


def group(state: State, name: str) -> Group | None:
    """The group of that name; None when there are too many."""
    found = state.groups.get(name)
    if found is None and name and len(state.groups) < LISTED:
        found = state.groups[name] = Group(name=name)
        if name == META:
            found.type = "meta"
    return found


def says_what(state: State, event: Snap) -> None:
    """Of what a group is the group, and who is in it."""
    data = event.data
    one = group(state, str(data.get("group", "")))
    if one is None:
        return
    if data.get("gone"):
        state.groups.pop(one.name, None)
        return
    one.type, one.by = str(data.get("type") or one.type), str(data.get("by") or one.by)
    one.stream, one.consumer = str(data.get("stream") or ""), str(data.get("consumer") or "")
    peers = [str(p) for p in data.get("peers") or []]
    if peers and peers != one.peers:
        if one.peers and one.told >= 0 and one.type != "meta":
            _moved(one, event, peers)
        one.peers = peers
        one.members = {name: one.members[name] for name in one.members if name in peers}
        if one.leader not in peers:
            one.leader = ""
    for name in one.peers:
        member(one, name)
    # A stream that is made again under its name has a group of its own.
    for other in list(state.groups.values()):
        if other is not one and other.type == one.type and (other.stream, other.consumer) == (
            one.stream, one.consumer,
        ):  # fmt: skip
            del state.groups[other.name]


def _moved(one: Group, event: Snap, peers: list[str]) -> None:
    for name in sorted(set(peers) - set(one.peers)):
        story.tell(one, event, f"{name} is a replica now", "peers", [name])
    for name in sorted(set(one.peers) - set(peers)):
        story.tell(one, event, f"{name} is no replica any more", "peers", [name])


def says_raft(state: State, event: Snap) -> None:
    """A server's own report of its part in a group."""
    data, name = event.data, event.place
    one = group(state, str(data.get("group", "")))
    if one is None or not name:
        return
    mine = member(one, name)
    if data.get("gone"):
        mine.role = ""  # it starts, or it is no member any more
        return
    mine.seen = event.t
    one.active = event.t
    one.needed = int(data.get("quorum_needed") or 0)
    others: dict[str, Any] = data.get("peers") or {}
    if len(one.peers) < 1 + len(others):
        one.peers = sorted({name, *others, *one.peers}, key=natural)
    role, term = str(data.get("state", "")).lower(), int(data.get("term") or 0)
    if term >= mine.term:
        if term > mine.term:
            mine.voted = ""
        mine.voted = str(data.get("voted_for") or mine.voted)
        _role(state, one, event, role, term)
        leader = str(data.get("leader") or "")
        if leader and leader != name and term >= one.term and leader in one.peers and not one.leader:
            lead(state, one, event, leader, term)
    before = mine.log.last
    _log(one, event)
    if role == "leader" and 0 < before < mine.log.last and int(data.get("pterm") or 0) == term:
        reported(state, one, name, before + 1, mine.log.last, event)
    if role == "leader" and name == one.leader:
        for other, said in others.items():
            if isinstance(said, dict) and said.get("known", True):
                one.known[other] = max(one.known.get(other, 0), int(said.get("index") or 0))


def _role(state: State, one: Group, event: Snap, role: str, term: int) -> None:
    mine = one.members[event.place]
    if role == "leader":
        lead(state, one, event, mine.name, term)
    elif role == "candidate":
        if term > one.term or mine.role == "candidate":
            mine.role = "candidate"
            mine.term = term
            asks(state, one, event, mine.name, term)
    elif role == "follower":
        if mine.role == "leader" and term > mine.term:
            story.tell(one, event, f"{mine.name} hears of term {term} and follows", "follow", [mine.name])
        mine.role = "follower"
        for election in one.elections:
            if election.who == mine.name:
                close(election, event)
    mine.term = max(mine.term, term)


def _log(one: Group, event: Snap) -> None:
    data, mine = event.data, one.members[event.place]
    index, term = int(data.get("pindex") or 0), int(data.get("pterm") or 0)
    log = mine.log
    log.first = int(data.get("first") or 0)
    older = event.t - mine.moved < LAG  # what was seen may be newer than the report
    if index > log.last:
        log.put(index, term)
    elif index == log.last and term and log.term(index) != term:
        if log.term(index) and mine.commit < index:
            story.dropped(one, event, mine.name, index, index, log.term(index))
        log.put(index, term)
    elif index < log.last:
        if mine.shorter or not older:
            if mine.commit <= index:
                story.dropped(one, event, mine.name, index + 1, log.last, log.term(log.last))
            log.put(index, term)
        mine.shorter = not mine.shorter
    else:
        mine.shorter = False
    leader = one.members.get(one.leader)
    if leader is not None and leader is not mine:
        caught_up(one, event, mine, leader)
    commit = int(data.get("committed") or 0)
    if commit > mine.commit or not older:
        mine.commit = commit


def says_stream(state: State, event: Snap) -> None:
    """A stream's configuration, or that it is gone."""
    data = event.data
    name = str(data.get("name", ""))
    if data.get("gone"):
        state.streams.pop(name, None)
        for one in [g for g in state.groups.values() if g.stream == name]:
            del state.groups[one.name]
        return
    config = data.get("config") or {}
    if name and (name in state.streams or len(state.streams) < LISTED):
        state.streams[name] = Stream(
            name=name,
            replicas=int(config.get("num_replicas") or 1),
            subjects=[str(s) for s in config.get("subjects") or []][:50],
            place=event.place,
        )
