"""Publishes that want to know whether their message was stored, and the entries they became."""

from __future__ import annotations

from natslab.tape.event import Conn, End, Event, Pub, Store
from natslab.tape.subject import matches as subject_matches
from natslab.views.raft import story
from natslab.views.raft.state import ASKS, Ask, Group, Line, State, matches

SOON = 2.0  # seconds within which a publish becomes an entry


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
    if group is None or not event.reply or event.timeout <= 0 or event.dry:
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
    waiting = sorted((a for a in state.asks.values() if not a.index and a.outcome != "refused"),
                     key=lambda a: a.t)  # fmt: skip
    entries = [e for e in group.entries.values() if e.asked < e.messages]
    for ask in waiting:
        for entry in entries:
            if entry.asked < entry.messages and ask.t - 0.002 <= entry.t <= ask.t + SOON:
                ask.index, ask.term = entry.index, entry.term
                entry.asked += 1
                break


def answered(state: State, event: Store) -> None:
    """A stream told a client that its message is stored, or that it is not."""
    ask = state.asks.get(event.id)
    group = group_of(state, ask.subject) if ask is not None else None
    if ask is None or group is None:
        return
    ask.ended = event.t
    if event.code or event.error:
        _refused(group, ask, event, event.error or f"error {event.code}")
        return
    ask.outcome = "stored"
    entry = group.entries.get(f"{ask.index}/{ask.term}")
    if entry is not None and event.seq and not event.duplicate:
        entry.seqs.append(event.seq)
    del state.asks[ask.id]


def ended(state: State, event: End) -> None:
    """A request was over without an answer of a stream."""
    ask = state.asks.get(event.id)
    group = group_of(state, ask.subject) if ask is not None else None
    if ask is None or group is None or ask.outcome or event.of != "request":
        return
    if event.outcome == "timeout":
        _timeout(group, ask, event)
    elif event.outcome == "no responders":
        _refused(group, ask, event, "no leader")
    elif event.outcome == "answered":
        del state.asks[ask.id]


def expire(state: State, event: Event) -> None:
    """Publishers whose time is over have given up, without telling anybody."""
    for ask in list(state.asks.values()):
        if not ask.outcome and event.t > ask.t + ask.timeout:
            group = group_of(state, ask.subject)
            if group is not None:
                _timeout(group, ask, event)


def _timeout(group: Group, ask: Ask, event: Event) -> None:
    ask.outcome, ask.ended = "timeout", event.t
    entry = group.entries.get(f"{ask.index}/{ask.term}")
    more = story.before(group, "timeout")
    text = f"a publish{at(ask)} got no answer"
    if entry is not None and entry.done < 0:
        text += f": {entry.index} is not committed"
    if more is not None:
        text = f"{_many(more)} publishes got no answer"
    story.tell_with(group, event, "timeout", [*(more.of if more else []), ask.id], text)


def _many(line: Line) -> str:
    return str(len(line.of) + 1)


def at(ask: Ask) -> str:
    """Where it was published, as an addition to a sentence."""
    return f" at {ask.place}" if ask.place else ""


def _refused(group: Group, ask: Ask, event: Store | End, why: str) -> None:
    ask.outcome, ask.ended, ask.why = "refused", event.t, why
    line = story.before(group, "refused")
    text = f"a publish{at(ask)} is refused: {why}" if line is None else f"{_many(line)} publishes are refused"
    story.tell_with(group, event, "refused", [*(line.of if line else []), ask.id], text)
