"""Publishes that want to know whether their message was stored, and the entries they became."""

from __future__ import annotations

from natslab.tape.event import Conn, End, Event, Pub, Snap, Store
from natslab.tape.subject import matches as subject_matches
from natslab.views.raft import story
from natslab.views.raft.state import ASKS, ENTRIES, Ask, Entry, Group, Line, State, matches

SOON = 2.0  # seconds within which a publish becomes an entry
LOOK = 30  # entries behind the newest committed one that are looked at
LATE = 1.0  # seconds after which it is news that an entry is not committed


def connected(state: State, event: Conn) -> None:
    """A client came to a server, or went."""
    if event.state == "open":
        state.places[event.client] = event.place
        if len(state.places) > 500:
            del state.places[next(iter(state.places))]
    else:
        state.places.pop(event.client, None)


def published(state: State, event: Pub) -> None:
    """A client published a message; it waits for the answer of the stream that has the subject."""
    group = group_of(state, event.subject)
    if group is None or not event.reply or event.dry:
        return
    state.asks[event.id] = Ask(
        id=event.id,
        client=event.client,
        place=state.places.get(event.client, ""),
        subject=event.subject,
        t=event.t,
        timeout=event.timeout,
    )
    while len(state.asks) > ASKS:
        old = next((k for k, a in state.asks.items() if a.outcome), next(iter(state.asks)))
        del state.asks[old]
    made(state, group)


def group_of(state: State, subject: str) -> Group | None:
    """The group of the stream that has a subject, if it is one that is looked at."""
    for stream in state.streams.values():
        if any(subject_matches(pattern, subject) for pattern in stream.subjects):
            found = [g for g in state.groups.values() if g.stream == stream.name and g.type == "stream"]
            return next((g for g in found if not state.of or matches(state.of, g)), None)
    return None


def made(state: State, group: Group) -> None:
    """Entries came, or publishes: find which is which, in their order.

    A client's own word may come a little later than the entry that its message became.
    """
    entries = [e for e in group.entries.values() if e.asked < e.messages or (e.guess and not e.messages)]
    if not entries:
        return
    waiting = [a for a in state.asks.values() if not a.index and a.outcome != "refused"]
    for ask in sorted(waiting, key=lambda a: a.t):
        for entry in entries:
            if entry.guess and not entry.messages and ask.place == entry.by and ask.t <= entry.t:
                entry.messages = 1
            elif entry.asked >= entry.messages or not ask.t - 0.002 <= entry.t <= ask.t + SOON:
                continue
            ask.index, ask.term = entry.index, entry.term
            entry.asked += 1
            if ask.outcome == "stored":
                entry.seqs.append(ask.seq)
                del state.asks[ask.id]
            break


def reported(state: State, group: Group, leader: str, first: int, last: int, event: Snap) -> None:
    """A leader says that its log is longer, and nobody saw it send what is new: it reaches nobody."""
    term = int(event.data.get("term") or 0)
    for index in range(max(first, last - 50), last + 1):
        key = f"{index}/{term}"
        if key not in group.entries:
            story.again(group, index, index)
            group.entries[key] = Entry(index=index, term=term, by=leader, t=event.t, count=0, guess=True)
    while len(group.entries) > ENTRIES:
        del group.entries[next(iter(group.entries))]
    made(state, group)


def answered(state: State, event: Store) -> None:
    """A stream told a client that its message is stored, or that it is not."""
    ask = state.asks.get(event.id)
    group = group_of(state, ask.subject) if ask is not None else None
    if ask is None or group is None:
        return
    if event.code or event.error:
        _refused(group, ask, event, event.error or f"error {event.code}")
        return
    if event.seq and not event.duplicate and not ask.index:
        ask.outcome, ask.seq, ask.ended = "stored", event.seq, event.t  # its entry is told of later
        made(state, group)
        return
    entry = group.entries.get(f"{ask.index}/{ask.term}")
    if entry is not None and event.seq and not event.duplicate:
        entry.seqs.append(event.seq)
    del state.asks[ask.id]


def ended(state: State, event: End) -> None:
    """A publisher got no answer of a stream, or gave up."""
    ask = state.asks.get(event.id)
    group = group_of(state, ask.subject) if ask is not None else None
    if ask is None or group is None or ask.outcome or event.of != "request":
        return
    if event.outcome == "timeout":
        ask.outcome, ask.ended = "timeout", event.t
        many = _many(story.before(group, event, "timeout"))
        text = f"{many} publishes got no answer" if many > 1 else f"a publish{at(ask)} got no answer"
        story.tell_with(group, event, "timeout", [str(many)], text)
    elif event.outcome == "no responders":
        _refused(group, ask, event, "no leader")
    elif event.outcome == "answered":
        del state.asks[ask.id]


def late(group: Group, event: Event) -> None:
    """Entries with messages that are not committed though it is some time since they were made."""
    found = []
    for entry in reversed(group.entries.values()):
        if entry.done >= 0 and entry.index + LOOK < group.told:
            break
        if not entry.late and entry.done < 0 and entry.messages and event.t - entry.t > LATE:
            found.append(entry)
    for entry in reversed(found):
        have = [m.name for m in group.members.values() if m.log.term(entry.index) == entry.term]
        if not have:
            continue
        entry.late = True
        more, of = story.before(group, event, "late"), [*have, str(entry.index)]
        too = more is not None and more.of == [*have, str(entry.index - 1)]
        story.tell(group, event, story.late(group, of, entry.term, too), "late", of, entry.term)


def _many(line: Line | None) -> int:
    """Of how many a line tells together with one more."""
    return 1 if line is None else int(line.of[0]) + 1


def at(ask: Ask) -> str:
    """Where it was published, as an addition to a sentence."""
    return f" at {ask.place}" if ask.place else ""


def _refused(group: Group, ask: Ask, event: Store | End, why: str) -> None:
    ask.outcome, ask.ended, ask.why = "refused", event.t, why
    many = _many(story.before(group, event, "refused"))
    text = f"{many} publishes are refused" if many > 1 else f"a publish{at(ask)} is refused: {why}"
    story.tell_with(group, event, "refused", [str(many)], text)
