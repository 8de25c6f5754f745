"""What the routing view knows, and how each event changes it."""

from __future__ import annotations

import re
from typing import Any

import msgspec

from natslab.tape.event import Base, Conn, End, Event, Hop, Many, Pub, Recv, Snap, Store, Sub
from natslab.tape.subject import matches, overlaps
from natslab.views.view import ViewState, fold_common

RECENT = 50  # traced messages that are kept


PENDING = 200  # messages whose trace is not complete yet


HOPS = 256  # hops kept of one message; all are counted


PATIENCE = 2.0  # seconds after which the rest of a trace will not come
ENDED = 100  # ended subscriptions that are kept as long as a kept message may have met them
GAP = 1.0  # seconds of silence that end a burst of counted messages


#: Subjects that carry the machinery of NATS; shown only if the view is asked for them.
PLUMBING = ("_INBOX.", "_NATSLAB.", "$JS.", "$SYS.", "$SRV.", "$NRG.")


class Subscription(msgspec.Struct, omit_defaults=True):
    """One subscription of one client."""

    client: str  # the client's label
    sid: int
    subject: str  # the pattern it asked for
    queue: str = ""
    limit: int = 0  # ends by itself after so many messages
    told: int = 0  # deliveries that the server's traces name
    got: int = 0  # messages that carried an identity, as the client reports
    bulk: int = 0  # messages that were counted
    foreign: bool = False  # of a client that is not the lab's own: only the server tells of it
    burst: int = 0  # of these, in the present burst
    spans: list[tuple[int, int]] = []  # event numbers between which the server knew it; 0 = still
    since: float = 0.0  # when it began, or came back
    was: int = 0  # another one has taken its place (client, sid) since

    @property
    def received(self) -> int:
        """Messages it received; of a client that is not the lab's own, the deliveries that were traced."""
        # Never both: a traced message may be one of many that its receiver only counted.
        return self.told if self.foreign else self.got + self.bulk

    @property
    def key(self) -> str:
        """The key of its mark: `sub/<client>/<sid>`."""
        return f"sub/{self.client}/{self.sid}" + (f"/{self.was}" if self.was else "")

    @property
    def open(self) -> bool:
        """Whether the server knows it now."""
        return bool(self.spans) and self.spans[-1][1] == 0

    def there(self, n: int) -> bool:
        """Whether the server knew it at event `n` of the tape."""
        return any(a <= n and (b == 0 or n <= b) for a, b in self.spans)


class Message(msgspec.Struct, omit_defaults=True):
    """One traced message and what the server says it did with it."""

    id: str
    n: int  # event number of its publishing
    t: float
    publisher: str = ""
    published_as: str = ""  # the subject the publisher used
    reply: str = ""
    size: int = 0  # bytes of payload
    dry: bool = False  # only traced, neither delivered nor stored
    hops: list[Hop] = []  # the server's steps in its order, at most 256
    deliveries: int = 0  # exact
    verdict: str = ""
    took: float = 0.0
    torn: bool = False  # a part of its trace is missing

    @property
    def subject(self) -> str:
        """The subject it was routed by: the one it was mapped to, or as published."""
        for hop in reversed(self.hops):
            if hop.step in ("map", "import", "export") and hop.to:
                return hop.to
        return self.published_as

    @property
    def mapped_to(self) -> str:
        """The subject that a mapping gave it; "" if none changed it or a mapping lost it."""
        to = [h.to for h in self.hops if h.step == "map"]
        return to[-1] if to and to[-1] != self.published_as else ""

    @property
    def lost(self) -> bool:
        """Whether a mapping sent it nowhere."""
        return any(h.step == "map" and not h.to for h in self.hops)

    @property
    def error(self) -> str:
        """Why the server refused it, in the server's own words; "" if it did not."""
        return next((h.error for h in self.hops if h.step == "in" and h.error), "")

    @property
    def outcome(self) -> str:
        """delivered (to at least one), nobody, refused, or lost (in a mapping)."""
        if self.error:
            return "refused"
        if self.lost:
            return "lost"
        if self.deliveries:
            return "delivered"
        return self.verdict if self.verdict in ("nobody", "refused") else "nobody"

    @property
    def receivers(self) -> list[str]:
        """The labels of the clients it was delivered to, sorted; a label once per delivery."""
        return sorted(h.client for h in self.hops if is_delivery(h))

    @property
    def captured(self) -> list[str]:
        """The streams that want a copy, in the server's order."""
        return [h.stream for h in self.hops if h.step == "store" and not h.error]

    @property
    def stored_in(self) -> list[str]:
        """The streams that took a copy; none of a dry run."""
        return [] if self.dry else self.captured


class Publisher(msgspec.Struct, omit_defaults=True):
    """One client that published: how often, and the last subject it used."""

    count: int = 0
    subject: str = ""
    mapped: bool = False  # a mapping changed its last message


class Stream(msgspec.Struct, omit_defaults=True):
    """A stream that took copies."""

    subjects: list[str] = []
    messages: int = 0
    last: int = 0  # sequence of the newest message


class Burst(msgspec.Struct, omit_defaults=True):
    """Messages that were counted, not traced."""

    n: int = 0  # event number of the newest of them
    t: float = 0.0
    count: int = 0
    subjects: dict[str, int] = {}
    publishers: dict[str, int] = {}
    bulk: bool = False  # too many to trace each
    streams: list[str] = []  # that took copies

    @property
    def subject(self) -> str:
        """The subject most of them had."""
        return max(self.subjects, key=lambda s: self.subjects[s], default="")


class State(ViewState, kw_only=True):
    """What the routing view knows.

    For assertions in a notebook:

    `last`            the newest traced `Message`, or None: `.id .subject .published_as .publisher
                      .receivers .outcome .mapped_to .stored_in .hops .error`
    `messages`        the newest traced messages, oldest first, at most 50
    `subscriptions`   the open subscriptions sorted by client: `.client .subject .queue .received`
    `received`        label of a client -> messages delivered to it, bulk included
    `published`       messages published, bulk included
    `reached(subject)`  labels that the newest message to `subject` was delivered to

    `of` narrows `last` and `messages` to subjects that match one of its patterns. The machinery of NATS
    (inboxes, `$JS.`, `$SYS.`, `$SRV.`) is left out everywhere unless `of` names it.
    """

    subs: dict[str, Subscription] = {}
    asked: dict[str, list[str]] = {}  # client, pattern and queue group -> keys of `subs`
    received: dict[str, int] = {}
    published: int = 0
    publishers: dict[str, Publisher] = {}
    pending: dict[str, Message] = {}
    messages: list[Message] = []
    burst: Burst = msgspec.field(default_factory=Burst)
    rules: dict[str, dict[str, list[tuple[str, int]]]] = {}  # account -> source -> (destination, percent)
    branches: dict[str, dict[str, int]] = {}  # source -> destination -> messages seen to take it
    streams: dict[str, Stream] = {}
    accounts: dict[str, str] = {}  # client -> account
    strangers: list[str] = []  # clients that are not the lab's own

    @property
    def last(self) -> Message | None:
        """The newest traced message."""
        return self.messages[-1] if self.messages else None

    @property
    def subscriptions(self) -> list[Subscription]:
        """The open subscriptions, sorted by client, subject, queue."""
        shown = (s for s in self.subs.values() if s.open and not self.hides(s.subject))
        return sorted((s for s in shown if self.concerns(s.subject)), key=by_name)

    def reached(self, subject: str) -> list[str]:
        """Labels of the clients that the newest message to `subject` was delivered to, sorted.

        `subject` is the one it was published or routed by. Empty if nobody got it or there is none.
        """
        for message in reversed(self.messages):
            if subject in (message.subject, message.published_as):
                return message.receivers
        return []

    def hides(self, subject: str) -> bool:
        """Whether `subject` is machinery that this view leaves out."""
        head = next((p for p in PLUMBING if subject.startswith(p)), "")
        return bool(head) and not any(o.startswith(head) for o in self.of)

    def concerns(self, pattern: str) -> bool:
        """Whether a subscription to `pattern` could get a message that this view shows."""
        return not self.of or any(overlaps(o, pattern) for o in self.of)

    def wants(self, *subjects: str) -> bool:
        """Whether a message with one of these subjects is shown."""
        if any(self.hides(s) for s in subjects):
            return False
        return not self.of or any(matches(o, s) for o in self.of for s in subjects)


def start(of: tuple[str, ...]) -> State:
    """The state before anything happened; `of` = subjects or patterns of the messages to show."""
    return State(of=tuple(of))


def by_name(s: Subscription) -> tuple[str, str, str, int]:
    """The order of subscriptions in every list."""
    return (s.client, s.subject, s.queue, s.sid)


def is_delivery(hop: Hop) -> bool:
    """Whether a step of a trace put the message into a client's hands."""
    return hop.step == "egress" and hop.via not in ("route", "gateway", "leafnode") and not hop.error


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
        if not event.error and state.burst.count and event.stream:
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
    if event.step in ("export", "import") and message.id in state.pending:
        # The server ends the trace at the border unless the other account allows it.
        _finish(state, state.pending.pop(message.id))
    if event.step == "in" and not message.published_as:
        message.publisher, message.published_as = event.client, event.subject
    if len(message.hops) < HOPS:
        message.hops.append(event)
    if event.step == "store" and not event.error and not message.dry:
        stream = state.streams.setdefault(event.stream, Stream())
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


def rule_of(state: State, message: Message) -> tuple[str, list[tuple[str, int]]]:
    """The declared mapping that applies to a message: its source and destinations."""
    for rules in state.rules.values():
        best = [s for s in rules if matches(s, message.published_as)]
        if best:
            # The server takes the most literal source.
            source = max(best, key=lambda s: (s == message.published_as, -s.count("*"), len(s)))
            return source, rules[source]
    return "", []


def fills(template: str, subject: str) -> bool:
    """Whether `subject` can come from the destination `template` of a mapping."""
    if template == subject:
        return True
    pattern = re.sub(r"\\\{\\\{.*?\\\}\\\}|\\\$\d+", "[^.]+", re.escape(template))
    return re.fullmatch(pattern, subject) is not None


def _recv(state: State, event: Recv) -> None:
    sub = state.subs.get(f"sub/{event.client}/{event.sid}")
    if event.status or state.hides(sub.subject if sub else event.pattern or event.subject):
        return
    if event.id:
        _count(state, event.client, sub, got=1)
    else:
        _count(state, event.client, sub, bulk=1)


def _count(
    state: State, client: str, sub: Subscription | None, *, told: int = 0, got: int = 0, bulk: int = 0
) -> None:
    before = 0
    after = got + bulk
    if sub is not None:
        before = sub.received
        sub.told += told
        sub.got += got
        sub.bulk += bulk
        sub.burst += bulk
        after = sub.received
    state.received[client] = state.received.get(client, 0) + after - before


def _many(state: State, event: Many) -> None:
    if event.way == "recv":
        sub = state.subs.get(f"sub/{event.client}/{event.sid}")
        if state.hides(sub.subject if sub else event.subject):
            return
        if event.t - state.burst.t > GAP:
            _burst(state, event)
        _count(state, event.client, sub, bulk=event.count)
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
            sub.burst = 0
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
        before = state.streams
        state.streams = {}
        for s in event.data.get("streams") or []:
            name, subjects = str(s.get("name", "")), [str(x) for x in s.get("subjects") or []]
            now = Stream(
                subjects=subjects, messages=int(s.get("messages", 0)), last=int(s.get("last_seq", 0))
            )
            state.streams[name] = now
            if now.last > before.get(name, Stream()).last and any(
                matches(p, subject) for p in subjects for subject in state.burst.subjects
            ):
                _kept(state.burst, name)
    elif event.what == "connz":
        for conn in event.data.get("connections") or []:
            client = str(conn.get("client", ""))
            if client in state.strangers:
                _told(state, client, conn.get("subscriptions") or [])


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
