"""How each event becomes an entry of the events view, or adds to one."""

from __future__ import annotations

from collections.abc import Iterable

from natslab.tape.event import Ack, Base, Conn, Drop, Event, Leader, Link, Mark, Quorum, Server, Snap
from natslab.views.events.advisories import advisory, health
from natslab.views.events.state import (
    CLIENTS,
    GROUPS,
    ITEMS,
    KEPT,
    LATE,
    LIVES,
    NEAR,
    TOGETHER,
    WIRES,
    Entry,
    Life,
    State,
    wants,
)
from natslab.views.view import fold_common
from natslab.views.wording import plain

META = "_meta_"
SOON = 0.05  # seconds in which the end of a server is seen at its connections before it is seen itself


def fold(state: State, event: Event) -> None:
    """Take one event into account."""
    fold_common(state, event)
    if isinstance(event, Snap):
        _snap(state, event)
    elif isinstance(event, Conn):
        _conn(state, event)
    elif isinstance(event, Ack):
        _ack(state, event)
    elif isinstance(event, Server):
        _server(state, event)
    elif isinstance(event, Link):
        _link(state, event)
    elif isinstance(event, Leader):
        leads(state, event, _group(state, event.group), event.leader)
    elif isinstance(event, Quorum):
        quorum(state, event, _group(state, event.group), event.lost)
    elif isinstance(event, Drop):
        if event.client and event.why.startswith("slow consumer"):
            tell(state, event, "client", "dropped", event.client, count=event.count, places=[event.place])
    elif isinstance(event, Mark):
        _mark(state, event)


def tell(
    state: State,
    event: Base,
    kind: str,
    verb: str,
    item: str,
    *,
    count: int = 1,
    places: Iterable[str] = (),
    about: str = "",
    note: str = "",
    names: Iterable[str] = (),
) -> None:
    """Add to an entry of just now that tells the same, or make one. `names`: of whom else it tells."""
    where = [p for p in dict.fromkeys(places) if p]
    if not wants(state, kind, (item, *where, *names)):
        return
    note = plain(note)[:160]
    state.total += count
    state.counts[kind] = state.counts.get(kind, 0) + count
    # Who leads stands where it came about: what was between may be its cause.
    for entry in reversed(state.entries[-(1 if kind == "leader" else NEAR) :]):
        same = (entry.kind, entry.verb, entry.about, entry.note) == (kind, verb, about, note)
        if same and abs(event.t - entry.last) <= TOGETHER:
            entry.count += count
            entry.last = max(entry.last, event.t)
            entry.guess = entry.guess or event.how == "inferred"
            if item not in entry.items and len(entry.items) < ITEMS:
                entry.items.append(item)
            entry.places += [p for p in where if p not in entry.places]
            return
        if entry.kind == kind and item in entry.items:
            break  # what happened to the same in between is not passed over
    entry = Entry(
        n=event.n,
        t=event.t,
        last=event.t,
        kind=kind,
        verb=verb,
        items=[item],
        count=count,
        places=where,
        about=about,
        note=note,
        guess=event.how == "inferred",
    )
    # Some sources tell a moment late; all have the same clock.
    at = len(state.entries)
    for i in range(at - 1, max(-1, at - 1 - LATE), -1):
        if _after(state.entries[i], entry):
            at = i
        elif not _death(entry):
            break  # what a death led to may stand before other news
    state.entries.insert(at, entry)
    del state.entries[:-KEPT]


def _death(entry: Entry) -> bool:
    return entry.kind == "server" and entry.verb == "down"


def _after(other: Entry, entry: Entry) -> bool:
    """Whether `other` belongs after `entry`: it is later, or what `entry` led to and was noticed first."""
    if _led_to(entry, other):
        return True
    return other.t > entry.t and not _led_to(other, entry)


def _led_to(death: Entry, other: Entry) -> bool:
    """Whether a server's death did that. Its clients may be with another before anybody is told of it."""
    if not _death(death) or abs(other.t - death.t) >= SOON:
        return False
    lost = other.verb == "lost" and bool(set(death.places) & set(other.places))
    return lost or (other.kind, other.verb) == ("client", "moved")


# --- servers and wires ------------------------------------------------------------------------


def _server(state: State, event: Server) -> None:
    name, before = event.name, state.known.get(event.name, "")
    state.clusters[name] = event.cluster or state.clusters.get(name, "")
    if event.state == "starting":
        state.known.setdefault(name, "starting")
        return
    if event.state == before:
        return
    state.known[name] = event.state
    state.lives.append(Life(event.n, name, event.state))
    del state.lives[:-LIVES]
    verb: str = event.state
    if event.state == "up":
        verb = {"down": "again", "frozen": "goes on", "removed": "again"}.get(before, "up")
    note = event.version if verb == "up" else event.why
    tell(state, event, "server", verb, name, places=[name], note=note, names=[event.cluster])


def _link(state: State, event: Link) -> None:
    key = f"{event.a}>{event.b}"
    before, was = state.wires.get(key, ("", False))
    if event.state == "removed":
        state.wires.pop(key, None)
        return
    if len(state.wires) < WIRES or key in state.wires:
        state.wires[key] = event.state, event.connected
    verb, note = "", ""
    if event.state in ("cut", "held", "delayed") and event.state != before:
        verb = event.state
        if verb == "delayed":
            note = f"{1000 * event.delay:.0f} ms" if event.delay < 0.9995 else f"{event.delay:g} s"
    elif event.state == "open" and before in ("cut", "held", "delayed"):
        verb = "healed"
    elif event.connected and not was:
        verb = "connected"
    elif was and not event.connected:
        verb, note = "lost", event.why
    if verb:
        about = event.type if verb in ("connected", "lost") else ""
        tell(state, event, "wire", verb, key, places=[event.a, event.b], about=about, note=note)


# --- clients ----------------------------------------------------------------------------------


def _conn(state: State, event: Conn) -> None:
    if event.account in ("SYS", "LAB"):
        return
    before = state.clients.get(event.client, ("", ""))[1]
    verb = {"open": "connected", "lost": "lost", "closed": "closed"}[event.state]
    if event.state == "open" and before == "lost":
        verb = "moved"
    if event.state == "closed":
        state.clients.pop(event.client, None)
    elif event.client in state.clients or len(state.clients) < CLIENTS:
        state.clients[event.client] = event.place, event.state
    tell(state, event, "client", verb, event.client, places=[event.place], note=event.why)


# --- messages that did not simply pass ----------------------------------------------------------


def _ack(state: State, event: Ack) -> None:
    if event.verb not in ("nak", "term", "exhausted", "expired") or event.removed:
        return
    note = event.reason if event.verb == "term" else ""
    if event.verb == "exhausted":
        note = str(event.attempt)
    tell(
        state,
        event,
        "message",
        event.verb,
        str(event.seq),
        places=[event.place],
        about=f"{event.stream} {event.consumer}",
        note=note,
        names=(event.stream, event.consumer, event.client),
    )


# --- RAFT -------------------------------------------------------------------------------------


def _group(state: State, group: str) -> str:
    """What a group is for, or the group itself as long as nothing tells."""
    return "meta" if group == META else state.groups.get(group, group)


def leads(state: State, event: Base, what: str, leader: str) -> None:
    """Somebody leads a group, or nobody does any more."""
    before = state.leaders.get(what)
    if before == leader or (before is None and not leader):
        return
    if what in state.leaders or len(state.leaders) < GROUPS:
        state.leaders[what] = leader
    names = what.split(" ")[1:]
    tell(
        state,
        event,
        "leader",
        "leads" if leader else "nobody",
        what,
        places=[leader or event.place],
        about=leader,
        names=names,
    )


def quorum(state: State, event: Base, what: str, lost: bool) -> None:
    """A group lost its quorum or has it again."""
    if state.unsafe.get(what, False) == lost:
        return
    if what in state.unsafe or len(state.unsafe) < GROUPS:
        state.unsafe[what] = lost
    verb = "quorum lost" if lost else "quorum back"
    tell(state, event, "leader", verb, what, places=[event.place], names=what.split(" ")[1:])


def _named(state: State, group: str, what: str) -> None:
    """It is known now what a group is for: what was told of it by its id is told by that, and once."""
    told = [entry for entry in state.entries if entry.kind == "leader"]
    for entry in [entry for entry in told if group in entry.items]:
        same = [e for e in told if (e.verb, e.about) == (entry.verb, entry.about) and what in e.items]
        if not any(abs(e.t - entry.t) <= TOGETHER for e in same):
            entry.items[entry.items.index(group)] = what
            continue
        entry.items.remove(group)
        entry.count -= 1
        state.total -= 1
        state.counts["leader"] -= 1
        if not entry.items:
            state.entries.remove(entry)


def _snap(state: State, event: Snap) -> None:
    data = event.data
    if event.what == "group":
        group, stream, consumer = (str(data.get(k) or "") for k in ("group", "stream", "consumer"))
        if group == META or data.get("gone") or not stream or len(state.groups) >= GROUPS:
            return
        what = state.groups[group] = f"consumer {stream} {consumer}" if consumer else f"stream {stream}"
        if group in state.leaders:
            state.leaders.setdefault(what, state.leaders.pop(group))
        if group in state.unsafe:
            state.unsafe.setdefault(what, state.unsafe.pop(group))
        _named(state, group, what)
    elif event.what == "advisory":
        found = advisory(data)
        if found is None:
            return
        if found.kind == "leader" and found.verb in ("leads", "quorum lost"):
            what = found.item
            if found.verb == "leads":
                leads(state, event, what, found.where)
            elif (leader := state.leaders.get(what, "")) and leader != event.place:
                tell(state, event, "leader", "stood down", what, places=[event.place], about=leader,
                     names=found.names)  # fmt: skip
            else:
                quorum(state, event, what, True)
            return
        places = [found.where or event.place]
        tell(state, event, found.kind, found.verb, found.item, count=found.count, places=places,
             about=found.about, note=found.note, names=found.names)  # fmt: skip
    elif event.what == "varz":
        for verb, count in health(state.health, event.place, data):
            tell(state, event, "health", verb, event.place, count=count, places=[event.place])


# --- what a person did ------------------------------------------------------------------------


def _mark(state: State, event: Mark) -> None:
    if event.what == "run":
        return
    text = plain(event.text)[:160]
    kind = "fault" if event.what == "fault" else "check"
    if kind == "fault" and not event.ok:
        # The line was told when it began; now it is known that it was refused.
        for entry in reversed(state.entries[-20:]):
            if entry.kind == "fault" and entry.items == [text] and entry.verb == "did":
                entry.verb = "refused"
                return
    verb = "did" if event.ok else "refused"
    if kind == "check":
        verb = event.what if event.ok else "failed"
    tell(state, event, kind, verb, text, names=text.split(), about=str(event.n))
