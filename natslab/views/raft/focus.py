"""Which group the picture shows, who stands on which side of it, and what is not safe in it."""

from __future__ import annotations

import msgspec

from natslab.views.raft.state import (
    Entry,
    Group,
    Log,
    Member,
    State,
    leader_of,
    leaders,
    matches,
    natural,
    reach,
    up,
    wire,
)
from natslab.views.view import selected

RING = 7  # members that a ring has room for
MOST = 40  # groups in a list; what is well is left out first
FEW = 20  # groups up to which one of them is shown rather than a list
BELOW = 6  # groups that have a row under a ring


class Side(msgspec.Struct):
    """Members that reach each other; `hub` is the one that is counted from."""

    hub: str
    names: list[str]  # in reach of the hub, itself included
    silent: list[str]  # on this side of every cut, but frozen
    enough: bool


def focus(state: State) -> Group | None:
    """The group that is shown as a ring; None for a list of groups, or when there is none."""
    if state.of:
        found = [g for g in state.groups.values() if g.type and matches(state.of, g)]
        return found[-1] if found and 0 < len(found[-1].peers) <= RING else None
    chosen = [g for g in state.groups.values() if selected(state.selection, key_of(g))]
    if len(chosen) == 1 and 0 < len(chosen[0].peers) <= RING:
        return chosen[0]
    groups = listed(state)
    streams = [g for g in groups if g.type == "stream" and len(g.peers) > 1]
    # The one stream is what a lab with one stream is about; of several none is.
    first = streams[0] if len(streams) == 1 else groups[0] if groups and groups[0].type == "meta" else None
    if first is not None and len(groups) <= FEW and 0 < len(first.peers) <= RING:
        return first
    return None


def key_of(group: Group) -> str:
    """The key of a group's mark."""
    return f"group/{group.name}"


def listed(state: State) -> list[Group]:
    """All groups: the meta group, then streams with their consumers."""
    rank = {"meta": 0, "stream": 1, "consumer": 1}
    groups = [g for g in state.groups.values() if g.type and (not state.of or g.stream == state.of[0])]
    return sorted(
        groups,
        key=lambda g: (rank.get(g.type, 2), natural(g.stream), g.type != "stream", natural(g.consumer)),
    )


def sides(state: State, group: Group) -> list[Side]:
    """Who can reach whom, the side that can do more first. Members that are down are on no side."""
    left = [p for p in group.peers if up(state, p)]
    frozen = [p for p in group.peers if state.servers.get(p) == "frozen"]
    leading = [m.name for m in leaders(state, group)]
    out: list[Side] = []
    while left:
        # The leader counts for its side; else who reaches most.
        hub = min(left, key=lambda p: (p not in leading, leading.index(p) if p in leading else 0,
                                       -len(reach(state, group, p)), group.peers.index(p)))  # fmt: skip
        names = reach(state, group, hub)
        near = [p for p in frozen if _open(state, hub, p)]
        out.append(Side(hub, names, near, len(names) >= group.quorum))
        left = [p for p in left if p not in names]
    if not out and frozen:
        out = [Side("", [], frozen, False)]
    return sorted(out, key=lambda s: (-len(s.names), group.peers.index(s.hub) if s.hub else 0))


def _open(state: State, a: str, b: str) -> bool:
    """Whether the wire between two servers is whole, whatever they do."""
    between = wire(state, a, b)
    return between is None or between.state in ("open", "delayed")


def truth(state: State, group: Group) -> Member | None:
    """Whose log counts: that of the leader of the newest term."""
    return leader_of(state, group)


def old_leaders(state: State, group: Group) -> list[Member]:
    """Who says that it leads, in a term that is over."""
    newest = max([group.term, *(e.term for e in group.elections if e.won)], default=0)
    return [m for m in leaders(state, group) if m.term < newest]


def cell(state: State, group: Group, member: Member, index: int) -> str:
    """What an index is in a member's log: committed | stored | divergent | missing."""
    if index <= member.commit and index <= member.log.last:
        return "committed"
    if index > member.log.last:
        return "missing"
    right = truth(state, group)
    if right is None or right is member or index <= member.log.agrees(right.log):
        return "stored"
    # Beyond the end of the leader's log nothing differs yet, but what an old leader wrote will go.
    return "divergent" if index <= right.log.last or member.log.term(index) < right.term else "stored"


def tail(group: Group, member: Member) -> tuple[int, int]:
    """What of a member's log it does not know to be committed: first and last; (0, 0) for nothing."""
    first = max(member.commit, 0) + 1
    return (first, member.log.last) if first <= member.log.last else (0, 0)


def doomed(state: State, group: Group, member: Member) -> tuple[int, int]:
    """What of a member's log will go; (0, 0) for nothing."""
    first, last = tail(group, member)
    if not first:
        return 0, 0
    while first <= last and cell(state, group, member, first) != "divergent":
        first += 1
    return (first, last) if first <= last else (0, 0)


def holders(group: Group, index: int, term: int) -> list[str]:
    """Who has the entry of that index and term."""
    return [p for p in group.peers if p in group.members and group.members[p].log.term(index) == term]


def open_entries(state: State, group: Group) -> list[Entry]:
    """Entries that nobody knows to be committed and that a log still has, by index."""
    found = [e for e in group.entries.values() if e.done < 0 and holders(group, e.index, e.term)]
    return sorted(found, key=lambda e: (e.index, e.term))


def behind(state: State, group: Group) -> dict[str, int]:
    """How many entries each member lacks that the leader has; those that lack none are left out."""
    right = truth(state, group)
    if right is None:
        return {}
    logs = {p: group.members[p].log if p in group.members else Log() for p in group.peers}
    lacks = {name: right.log.last - log.agrees(right.log) for name, log in logs.items()}
    return {name: n for name, n in lacks.items() if n > 0 and name != right.name}


def chosen(state: State, groups: list[Group], most: int = MOST) -> list[Group]:
    """The groups that have a row: of too many, those in trouble first."""
    if len(groups) <= most:
        return groups
    trouble = sorted(groups, key=lambda g: -weight(state, g))[:most]
    names = {g.name for g in trouble}
    return [g for g in groups if g.name in names]


def weight(state: State, group: Group) -> int:
    """How much is the matter with a group."""
    if group.type == "meta":
        return 10**12
    return 10**9 if lack(state, group) else max(behind(state, group).values(), default=0)


def others(state: State, shown: Group) -> list[Group]:
    """The groups beside the one that is shown, where none was asked for."""
    return [] if state.of else [g for g in listed(state) if g is not shown]


def lack(state: State, group: Group) -> str:
    """What a group would need to commit anything; "" when it can."""
    right = leader_of(state, group)
    if len(group.peers) > 1 and (group.lost or not any(s.enough for s in sides(state, group))):
        return "no majority"
    if right is None:
        return "no leader"
    return "" if len(reach(state, group, right.name)) >= group.quorum else "a leader without a majority"
