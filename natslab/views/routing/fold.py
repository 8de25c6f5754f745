"""How each event changes what the routing view knows."""

from __future__ import annotations

from typing import Any

from natslab.tape.event import Base, Conn, End, Event, Hop, Many, Pub, Recv, Snap, Store, Sub
from natslab.tape.subject import matches
from natslab.views.routing.state import (
    GAP,
    HOPS,
    RECENT,
    Burst,
    Message,
    Publisher,
    State,
    Stream,
    Subscription,
    fills,
    is_delivery,
    rule_of,
)
from natslab.views.view import fold_common

PENDING = 200  # messages whose trace is not complete yet
PATIENCE = 2.0  # seconds after which the rest of a trace will not come
ENDED = 100  # ended subscriptions that are kept as long as a kept message may have met them


def fold(state: State, event: Event) -> None:
    """Take one event into the state."""
    fold_common(state, event)
    if state.pending:
        _overdue(state, event.t)
    if isinstance(event, Recv):
        _recv(state, event)
    elif isinstance(event, Hop):
        _hop(state, event)
    elif isinstance(event, Pub):
        _pub(state, event)
    elif isinstance(event, End):
        if event.of == "trace":
            _end(state, event)
    elif isinstance(event, Many):
        _many(state, event)
    elif isinstance(event, Sub):
        _sub(state, event)
    elif isinstance(event, Conn):
        _conn(state, event)
    elif isinstance(event, Store):
        # What is read from the stream itself may be of any client, of another time, or copied from elsewhere.
        captures = state.streams.get(event.stream, Stream()).subjects
        taken = event.subject in state.burst.subjects and any(matches(p, event.subject) for p in captures)
        here = taken or (event.client and not event.subject)
        if not event.error and here and state.burst.count:
            _kept(state.burst, event.stream)
    elif isinstance(event, Snap):
        _snap(state, event)


def _sub(state: State, event: Sub) -> None:
    key = f"sub/{event.client}/{event.sid}"
    known = state.subs.get(key)
    if event.state == "closed":
        if known is not None:
            _close(known, event.n)
            if len(state.subs) > 2 * ENDED:
                _forget(state)
        return
    if not state.hides(event.subject):
        state.received.setdefault(event.client, 0)
    if known is not None and known.open:
        known.limit = event.limit
        return
    if known is not None:
        _drop(state, known)
        known.was = known.spans[-1][1]
        if known.key in state.subs:
            _drop(state, state.subs[known.key])
        _keep(state, known)
    seen = state.subs.get(f"sub/{event.client}/{_unknown(event.subject, event.queue)}")
    if seen is not None:
        _drop(state, seen)
    _keep(
        state,
        Subscription(
            client=event.client,
            sid=event.sid,
            subject=event.subject,
            queue=event.queue,
            limit=event.limit,
            told=seen.told if seen else 0,
            foreign=event.source == "monitor",
            spans=[(seen.spans[0][0] if seen else event.n, 0)],
            since=event.t,
        ),
    )


def _keep(state: State, sub: Subscription) -> None:
    state.subs[sub.key] = sub
    state.asked.setdefault(f"{sub.client} {sub.subject} {sub.queue}", []).append(sub.key)


def _drop(state: State, sub: Subscription) -> None:
    del state.subs[sub.key]
    asked = f"{sub.client} {sub.subject} {sub.queue}"
    state.asked[asked].remove(sub.key)
    if not state.asked[asked]:
        del state.asked[asked]


def _close(sub: Subscription, n: int) -> None:
    if sub.open:
        sub.spans[-1] = (sub.spans[-1][0], n)


def _conn(state: State, event: Conn) -> None:
    if event.account:
        state.accounts[event.client] = event.account
    if event.place and event.state == "open":
        state.places[event.client] = event.place
    if event.state == "open" and not event.no and event.client not in state.strangers:
        state.strangers.append(event.client)
    for sub in state.subs.values():
        if sub.client != event.client:
            continue
        if event.state == "open" and not sub.open and sub.limit < 0:
            sub.limit = -sub.limit - 1
            sub.spans, sub.since = [*sub.spans[-3:], (event.n, 0)], event.t
        elif event.state == "lost" and sub.open:
            # A negative limit remembers that it comes back with its connection.
            _close(sub, event.n)
            sub.limit = -sub.limit - 1
        elif event.state == "closed":
            _close(sub, event.n)
            sub.limit = max(0, sub.limit)
    if event.state == "closed":
        state.accounts.pop(event.client, None)
        state.places.pop(event.client, None)
        if event.client in state.strangers:
            state.strangers.remove(event.client)


def _publisher(state: State, client: str, subject: str, count: int) -> Publisher:
    if client not in state.publishers and len(state.publishers) >= PENDING:
        del state.publishers[next(iter(state.publishers))]
    who = state.publishers.setdefault(client, Publisher())
    who.count += count
    who.subject = subject
    state.published += count
    return who


def _pub(state: State, event: Pub) -> None:
    if state.hides(event.subject):
        return
    if not event.dry:
        _publisher(state, event.client, event.subject, 1)
    if not event.traced:
        if state.wants(event.subject):
            _burst(state, event)
            _add(state.burst, event.client, event.subject, 1)
        return
    message = state.pending.get(event.id)
    if message is None:
        message = next((m for m in state.messages if m.id == event.id), None)
    if message is None:
        message = _pend(state, Message(id=event.id, n=event.n, t=event.t))
    message.publisher, message.published_as = event.client, event.subject
    message.reply, message.size, message.dry = event.reply, event.size, event.dry


def _pend(state: State, message: Message) -> Message:
    state.pending[message.id] = message
    if len(state.pending) > PENDING:
        del state.pending[next(iter(state.pending))]
    return message


def _hop(state: State, event: Hop) -> None:
    message = state.pending.get(event.id)
    if message is None:
        message = next((m for m in state.messages if m.id == event.id), None)
    if message is None:
        if state.hides(event.subject):
            return
        message = _pend(state, Message(id=event.id, n=event.n, t=event.t))
    if event.step == "in" and event.via == "client":
        # A client that is not the lab's leaves the trace header in what it answers or passes on.
        message.passed_on = any(h.step == "in" and h.via == "client" for h in message.hops)
    if message.passed_on:
        return
    if event.step in ("export", "import") and message.id in state.pending:
        # The server ends the trace at the border unless the other account allows it.
        _finish(state, state.pending.pop(message.id))
    if event.step == "in" and not message.published_as:
        message.publisher, message.published_as = event.client, event.subject
    if len(message.hops) < HOPS:
        message.hops.append(event)
    if event.step == "store" and not event.error and not message.dry:
        stream = state.streams.setdefault(event.stream, Stream(servers=[event.place]))
        stream.messages += 1
        stream.last += 1
    if is_delivery(event):
        message.deliveries += 1
        alike = state.asked.get(f"{event.client} {event.sub} {event.queue}", [])
        if not alike and len(state.subs) < 1000:
            # A client that is not the lab's own: only the trace knows it.
            guess = Subscription(
                client=event.client,
                sid=_unknown(event.sub, event.queue),
                subject=event.sub,
                queue=event.queue,
                foreign=True,
                spans=[(message.n, 0)],
            )
            _keep(state, guess)
            alike = [guess.key]
        met = [key for key in alike if state.subs[key].there(message.n)] or alike
        if len(met) == 1 and not message.dry:
            # Of several alike, the server does not say which.
            _count(state, event.client, state.subs[met[0]], told=1)


def _unknown(subject: str, queue: str) -> int:
    """A number for a subscription whose own is not known: negative, the same in every run."""
    out = 7
    for c in f"{subject} {queue}":
        out = (out * 31 + ord(c)) % 1_000_003
    return -out - 1


def _end(state: State, event: End) -> None:
    message = state.pending.pop(event.id, None)
    if message is None:
        return
    message.verdict, message.took = event.outcome, event.took
    _finish(state, message)


def _overdue(state: State, t: float) -> None:
    """A trace of which a part is missing will not be complete any more: show what is known."""
    message = next(iter(state.pending.values()))
    if t - message.t > PATIENCE:
        del state.pending[message.id]
        if message.hops:
            message.torn = True
            _finish(state, message)


def _finish(state: State, message: Message) -> None:
    who = state.publishers.get(message.publisher)
    if who is not None:
        who.mapped = bool(message.mapped_to) or message.lost
    _branch(state, message)
    if not state.wants(message.published_as, message.subject):
        return
    state.messages.append(message)
    del state.messages[:-RECENT]
    _forget(state)


def _forget(state: State) -> None:
    """Drop ended subscriptions that none of the kept messages could have met."""
    ended = [s for s in state.subs.values() if not s.open and s.limit >= 0]
    oldest = min((m.n for m in (*state.messages, *state.pending.values())), default=0)
    for i, sub in enumerate(sorted(ended, key=lambda s: -s.spans[-1][1])):
        if sub.spans[-1][1] < oldest or i >= ENDED:
            _drop(state, sub)


def _branch(state: State, message: Message) -> None:
    step = next((h for h in message.hops if h.step == "map"), None)
    source = rule_of(state, message)[0]
    if not source and step is None:
        return
    source = source or message.published_as
    if source not in state.branches and len(state.branches) >= PENDING:
        return
    taken = state.branches.setdefault(source, {})
    to = step.to if step is not None else message.published_as
    name = next((d for d, _ in rule_of(state, message)[1] if fills(d, to)), to)
    if name in taken or len(taken) < PENDING:
        taken[name] = taken.get(name, 0) + 1


def _recv(state: State, event: Recv) -> None:
    sub = state.subs.get(f"sub/{event.client}/{event.sid}")
    if event.status or state.hides(sub.subject if sub else event.pattern or event.subject):
        return
    if event.id:
        _count(state, event.client, sub, got=1)
    else:
        _count(state, event.client, sub, bulk=1, t=event.t)


def _count(
    state: State,
    client: str,
    sub: Subscription | None,
    *,
    told: int = 0,
    got: int = 0,
    bulk: int = 0,
    t: float = 0.0,
) -> None:
    before = 0
    after = got + bulk
    if sub is not None:
        before = sub.received
        sub.told += told
        sub.got += got
        sub.bulk += bulk
        sub.burst += bulk
        if bulk:
            sub.run = bulk if t - sub.run_t > GAP else sub.run + bulk
            sub.run_t = t
        after = sub.received
    state.received[client] = state.received.get(client, 0) + after - before


def _many(state: State, event: Many) -> None:
    if event.way == "recv":
        sub = state.subs.get(f"sub/{event.client}/{event.sid}")
        if state.hides(sub.subject if sub else event.subject):
            return
        if event.t - state.burst.t > GAP:
            _burst(state, event)
        state.rush = event.t
        _count(state, event.client, sub, bulk=event.count, t=event.t)
        return
    if state.hides(event.subject):
        return
    _publisher(state, event.client, event.subject, event.count)
    if state.wants(event.subject):
        _burst(state, event)
        state.burst.bulk = True
        _add(state.burst, event.client, event.subject, event.count)


def _burst(state: State, event: Base) -> None:
    """Counted traffic goes on, or begins after a pause."""
    if event.t - state.burst.t > GAP:
        state.burst = Burst()
        for sub in state.subs.values():
            # Receivers tell at once, a publisher when it has sent all: theirs can be here before.
            sub.burst = sub.run if event.t - sub.run_t <= GAP else 0
    state.burst.n, state.burst.t = event.n, max(event.t, state.burst.t)


def _add(burst: Burst, client: str, subject: str, count: int) -> None:
    burst.count += count
    for counts, name in ((burst.subjects, subject), (burst.publishers, client)):
        if name in counts or len(counts) < RECENT:
            counts[name] = counts.get(name, 0) + count


def _snap(state: State, event: Snap) -> None:
    if event.what == "accountz":
        detail = event.data.get("account_detail") or event.data
        if isinstance(detail, dict):
            rules = _weights(detail.get("mappings") or {})
            account = str(detail.get("account_name", ""))
            if rules or account in state.rules:
                state.rules[account] = rules
    elif event.what == "jsz":
        _streams(state, event.place, event.data.get("streams") or [])
    elif event.what == "connz":
        for conn in event.data.get("connections") or []:
            client = str(conn.get("client", ""))
            if client in state.strangers:
                _told(state, client, conn.get("subscriptions") or [])


def _streams(state: State, server: str, said: list[dict[str, Any]]) -> None:
    """The streams of which that server has a replica; their leader's counts are the true ones."""
    there = {str(s.get("name", "")): s for s in said}
    for name in [name for name, known in state.streams.items() if server in known.servers]:
        if name not in there:
            state.streams[name].servers.remove(server)
            if not state.streams[name].servers:
                del state.streams[name]
    for name, s in there.items():
        known = state.streams.get(name, Stream())
        if server not in known.servers:
            known.servers.append(server)
        if s.get("leader", "") not in ("", server) and known.subjects:
            continue
        before, known.last = known.last, int(s.get("last_seq", 0))
        known.subjects, known.messages = [str(x) for x in s.get("subjects") or []], int(s.get("messages", 0))
        state.streams[name] = known
        if known.last > before and any(
            matches(p, subject) for p in known.subjects for subject in state.burst.subjects
        ):
            _kept(state.burst, name)


def _kept(burst: Burst, stream: str) -> None:
    if stream not in burst.streams:
        burst.streams.append(stream)


def _told(state: State, client: str, subs: list[dict[str, Any]]) -> None:
    """What the server counted for a client that is not the lab's own and reports nothing itself."""
    for said in subs:
        sub = state.subs.get(f"sub/{client}/{said.get('sid')}")
        if sub is not None and not state.hides(sub.subject):
            _count(state, client, sub, got=int(said.get("msgs", 0)) - sub.got)


def _weights(mappings: dict[str, Any]) -> dict[str, list[tuple[str, int]]]:
    """Destinations with their share. The server reports running totals, sorted (measured, 2.15.1)."""
    out: dict[str, list[tuple[str, int]]] = {}
    for source, given in mappings.items():
        shares, before = [], 0
        for d in given:
            weight = int(d.get("weight", 100))
            shares.append((str(d.get("subject", "")), weight - before))
            before = weight
        out[source] = sorted(shares, key=lambda s: (-s[1], s[0]))
    return out
