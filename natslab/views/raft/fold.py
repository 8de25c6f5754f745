"""How each event changes what the raft view knows."""

from __future__ import annotations

from natslab.tape.event import Conn, End, Event, Leader, Link, Pub, Quorum, Raft, Server, Snap, Store
from natslab.views.raft import publishes, reports, story
from natslab.views.raft.protocol import arrive, close, lead, take
from natslab.views.raft.state import Group, State, Wire, pair_of, wanted
from natslab.views.view import fold_common


def fold(state: State, event: Event) -> None:
    """Take one event into account."""
    if isinstance(event, Server):
        _server(state, event)
    fold_common(state, event)
    if isinstance(event, Raft):
        _raft(state, event)
    elif isinstance(event, Link):
        _link(state, event)
    elif isinstance(event, Leader):
        _leader(state, event)
    elif isinstance(event, Quorum):
        _quorum(state, event)
    elif isinstance(event, Snap):
        _snap(state, event)
    elif isinstance(event, Pub):
        publishes.published(state, event)
    elif isinstance(event, Store):
        if event.client:
            publishes.answered(state, event)
    elif isinstance(event, End):
        publishes.ended(state, event)
    elif isinstance(event, Conn):
        publishes.connected(state, event)


def _raft(state: State, event: Raft) -> None:
    group = reports.group(state, event.group)
    if group is None or not wanted(state, group) or event.a == event.b:
        return
    group.active = event.t
    arrive(group, event.t)
    publishes.late(group, event)
    take(state, group, event)
    _commits(group, event)


def _commits(group: Group, event: Event) -> None:
    """Whether more is known to be committed than before."""
    now = group.commit
    if group.told < 0:
        group.told = now
        for entry in group.entries.values():
            if entry.index <= now:
                entry.done = event.t
        return
    if now <= group.told:
        return
    who = max(group.members.values(), key=lambda m: m.commit)
    first, group.told = group.told + 1, now
    story.committed(group, event, first, now, who.log)
    group.lost = False
    for entry in group.entries.values():
        if first <= entry.index <= now and who.log.term(entry.index) == entry.term:
            entry.done = event.t


def _snap(state: State, event: Snap) -> None:
    if event.what == "group":
        reports.says_what(state, event)
    elif event.what == "raft":
        reports.says_raft(state, event)
        group = state.groups.get(str(event.data.get("group", "")))
        if group is not None:
            _commits(group, event)
            publishes.late(group, event)
    elif event.what == "stream":
        reports.says_stream(state, event)


def _leader(state: State, event: Leader) -> None:
    group = reports.group(state, event.group)
    if group is None:
        return
    group.active = event.t
    if event.leader:
        lead(state, group, event, event.leader, event.term)


def _quorum(state: State, event: Quorum) -> None:
    group = reports.group(state, event.group)
    if group is None or group.lost == event.lost:
        return
    group.lost, group.active = event.lost, event.t
    if event.lost:
        said = f"{event.place or 'a server'} says that " if event.how == "observed" else ""
        story.tell(group, event, f"{said}the quorum is lost", "quorum")
    else:
        story.tell(group, event, "there is a quorum again", "quorum")


def _server(state: State, event: Server) -> None:
    was = state.servers.get(event.name, "")
    if event.state == was:
        return
    text = {
        "down": f"{event.name} is dead" if "kill" in event.why.lower() else f"{event.name} is down",
        "frozen": f"{event.name} is frozen",
        "lame duck": f"{event.name} sends its clients away",
        "removed": f"{event.name} is taken out of the lab",
        "up": f"{event.name} goes on" if was == "frozen" else f"{event.name} is back",
    }.get(event.state, "")
    if event.state == "removed":
        state.servers.pop(event.name, None)
    for group in state.groups.values():
        member = group.members.get(event.name)
        if member is None:
            continue
        if text and was:
            story.tell(group, event, text, "server", [event.name])
        if event.state == "up" and was == "frozen":
            member.thawed = event.t
        if event.state in ("down", "removed"):
            member.role, member.voted, member.heard = "", "", -1.0
        if event.state in ("down", "removed", "frozen"):
            for election in group.elections:
                if election.who == event.name:
                    close(election, event)


def _link(state: State, event: Link) -> None:
    key = pair_of(event.a, event.b)
    if event.state == "removed":
        state.wires.pop(key, None)
        return
    wire = state.wires.get(key)
    if wire is None:
        wire = state.wires[key] = Wire(a=event.a, b=event.b, state=event.state, since=event.t)
        changed = event.state != "open"
    else:
        changed = (wire.state, wire.delay) != (event.state, event.delay)
    if changed:
        wire.state, wire.since = event.state, event.t
        for group in _between(state, event):
            for way in (f"{event.a}>{event.b}", f"{event.b}>{event.a}"):
                group.gone.pop(way, None)
            story.wires(state, group, event, f"wire {event.state}", key)
    wire.delay, wire.connected = event.delay, event.connected
    wire.laid = wire.laid or event.connected


def _between(state: State, event: Link) -> list[Group]:
    """The groups with members at both ends."""
    return [g for g in state.groups.values() if event.a in g.peers and event.b in g.peers]
