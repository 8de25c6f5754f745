"""Who gets a message, and why: publishers, the tree of subscribed patterns, subscriptions.

Two layers lie over each other. The evidence is the server's own trace of the message; the rule is our
matcher applied to the subscriptions that existed then. Where they differ the picture says so with a Δ.
Messages that the server did not trace are counted on the ways they took, never drawn singly.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import msgspec

from natslab.tape.event import Base, Conn, End, Event, Hop, Many, Pub, Recv, Snap, Store, Sub
from natslab.tape.subject import matches, tokens
from natslab.views.layout import Point, around, columns, fit, isolate, plain, straight, wide
from natslab.views.scene import (
    Circle,
    Flight,
    Group,
    Legend,
    Mark,
    Path,
    Rect,
    Scene,
    Text,
    label,
    points_path,
)
from natslab.views.view import Table, ViewState, fold_common

TITLE = "Routing"
SOURCES = "seen by the server's message trace"

RECENT = 50  # traced messages that are kept
PENDING = 200  # messages whose trace is not complete yet
HOPS = 256  # hops kept of one message; all are counted
ROWS = 14  # subscriptions drawn singly; of more, the busiest twelve
TABLE = 50  # subscriptions in a row of their own in the table
GAP = 1.0  # seconds of silence that end a burst of counted messages

#: Subjects that carry the machinery of NATS; shown only if the view is asked for them.
PLUMBING = ("_INBOX.", "_NATSLAB.", "$JS.", "$SYS.", "$SRV.", "$NRG.")

Run = tuple[str, str]


# --- state ----------------------------------------------------------------------------------


class Subscription(msgspec.Struct, omit_defaults=True):
    """One subscription of one client."""

    client: str  # the client's label
    sid: int
    subject: str  # the pattern it asked for
    queue: str = ""
    limit: int = 0  # ends by itself after so many messages
    received: int = 0  # messages delivered to it, bulk included
    burst: int = 0  # of these, in the present burst of counted messages
    spans: list[tuple[int, int]] = []  # event numbers between which the server knew it; 0 = still
    was: int = 0  # another one has taken its place (client, sid) since

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
        return sorted(h.client for h in self.hops if _delivery(h))

    @property
    def stored_in(self) -> list[str]:
        """The streams that took a copy, in the server's order."""
        return [h.stream for h in self.hops if h.step == "store" and not h.error]


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
    streams: dict[str, int] = {}  # copies that streams acknowledged

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
    received: dict[str, int] = {}
    published: int = 0
    publishers: dict[str, Publisher] = {}
    pending: dict[str, Message] = {}
    messages: list[Message] = []
    burst: Burst = msgspec.field(default_factory=Burst)
    rules: dict[str, dict[str, list[tuple[str, int]]]] = {}  # account -> source -> (destination, percent)
    branches: dict[str, dict[str, int]] = {}  # source -> destination -> messages seen to take it
    streams: dict[str, Stream] = {}
    accounts: dict[str, str] = {}

    @property
    def last(self) -> Message | None:
        """The newest traced message."""
        return self.messages[-1] if self.messages else None

    @property
    def subscriptions(self) -> list[Subscription]:
        """The open subscriptions, sorted by client, subject, queue."""
        return sorted((s for s in self.subs.values() if s.open and not self.hides(s.subject)), key=_by_name)

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

    def wants(self, *subjects: str) -> bool:
        """Whether a message with one of these subjects is shown."""
        if any(self.hides(s) for s in subjects):
            return False
        return not self.of or any(matches(o, s) for o in self.of for s in subjects)


def start(of: tuple[str, ...]) -> State:
    """The state before anything happened; `of` = subjects or patterns of the messages to show."""
    return State(of=tuple(of))


def _by_name(s: Subscription) -> tuple[str, str, str, int]:
    return (s.client, s.subject, s.queue, s.sid)


def _delivery(hop: Hop) -> bool:
    return hop.step == "egress" and hop.via not in ("route", "gateway", "leafnode") and not hop.error


# --- fold -----------------------------------------------------------------------------------


def fold(state: State, event: Event) -> None:
    """Take one event into the state."""
    fold_common(state, event)
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
        if event.id and not event.error and state.burst.count and event.stream:
            state.burst.streams[event.stream] = state.burst.streams.get(event.stream, 0) + 1
    elif isinstance(event, Snap):
        _snap(state, event)


def _sub(state: State, event: Sub) -> None:
    key = f"sub/{event.client}/{event.sid}"
    known = state.subs.get(key)
    if event.state == "closed":
        if known is not None:
            _close(known, event.n)
        return
    if not state.hides(event.subject):
        state.received.setdefault(event.client, 0)
    if known is not None and known.open:
        known.limit = event.limit
        return
    if known is not None:
        known.was = known.spans[-1][1]
        state.subs[known.key] = known
    guess = f"sub/{event.client}/{_unknown(event.subject, event.queue)}"
    seen = state.subs.pop(guess, None)
    state.subs[key] = Subscription(
        client=event.client, sid=event.sid, subject=event.subject, queue=event.queue, limit=event.limit,
        spans=[(seen.spans[0][0] if seen else event.n, 0)],
    )  # fmt: skip


def _close(sub: Subscription, n: int) -> None:
    if sub.open:
        sub.spans[-1] = (sub.spans[-1][0], n)


def _conn(state: State, event: Conn) -> None:
    if event.account:
        state.accounts[event.client] = event.account
    for sub in state.subs.values():
        if sub.client != event.client:
            continue
        if event.state == "open" and not sub.open and sub.limit < 0:
            sub.limit = -sub.limit - 1
            sub.spans = [*sub.spans[-3:], (event.n, 0)]
        elif event.state == "lost" and sub.open:
            # A negative limit remembers that it comes back with its connection.
            _close(sub, event.n)
            sub.limit = -sub.limit - 1
        elif event.state == "closed":
            _close(sub, event.n)
            sub.limit = max(0, sub.limit)
    if event.state == "closed":
        state.accounts.pop(event.client, None)


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
    if event.step == "in" and not message.published_as:
        message.publisher, message.published_as = event.client, event.subject
    if len(message.hops) < HOPS:
        message.hops.append(event)
    if event.step == "store" and not event.error and not message.dry:
        stream = state.streams.setdefault(event.stream, Stream())
        stream.messages += 1
        stream.last += 1
    if _delivery(event):
        message.deliveries += 1
        asked = (event.client, event.sub, event.queue)
        if len(state.subs) < 1000 and not any(
            (s.client, s.subject, s.queue) == asked for s in state.subs.values()
        ):
            # A client that is not the lab's own: only the trace knows it.
            sub = Subscription(
                client=event.client, sid=_unknown(event.sub, event.queue), subject=event.sub,
                queue=event.queue, spans=[(message.n, 0)],
            )  # fmt: skip
            state.subs[sub.key] = sub


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
        if sub.spans[-1][1] < oldest or i >= 100:
            del state.subs[sub.key]


def _branch(state: State, message: Message) -> None:
    step = next((h for h in message.hops if h.step == "map"), None)
    source = _rule(state, message)[0]
    if not source and step is None:
        return
    source = source or message.published_as
    if source not in state.branches and len(state.branches) >= PENDING:
        return
    taken = state.branches.setdefault(source, {})
    to = step.to if step is not None else message.published_as
    name = next((d for d, _ in _rule(state, message)[1] if _fills(d, to)), to)
    if name in taken or len(taken) < PENDING:
        taken[name] = taken.get(name, 0) + 1


def _rule(state: State, message: Message) -> tuple[str, list[tuple[str, int]]]:
    """The declared mapping that applies to a message: its source and destinations."""
    for rules in state.rules.values():
        best = [s for s in rules if matches(s, message.published_as)]
        if best:
            # The server takes the most literal source.
            source = max(best, key=lambda s: (s == message.published_as, -s.count("*"), len(s)))
            return source, rules[source]
    return "", []


def _fills(template: str, subject: str) -> bool:
    """Whether `subject` can come from the destination `template` of a mapping."""
    if template == subject:
        return True
    pattern = re.sub(r"\\\{\\\{.*?\\\}\\\}|\\\$\d+", "[^.]+", re.escape(template))
    return re.fullmatch(pattern, subject) is not None


def _recv(state: State, event: Recv) -> None:
    sub = state.subs.get(f"sub/{event.client}/{event.sid}")
    if event.status or state.hides(sub.subject if sub else event.pattern or event.subject):
        return
    _count(state, event.client, sub, 1, burst=not event.id)


def _count(state: State, client: str, sub: Subscription | None, count: int, burst: bool) -> None:
    state.received[client] = state.received.get(client, 0) + count
    if sub is not None:
        sub.received += count
        if burst:
            sub.burst += count


def _many(state: State, event: Many) -> None:
    if event.way == "recv":
        sub = state.subs.get(f"sub/{event.client}/{event.sid}")
        if state.hides(sub.subject if sub else event.subject):
            return
        if event.t - state.burst.t > GAP:
            _burst(state, event)
        _count(state, event.client, sub, event.count, burst=True)
        return
    if state.hides(event.subject):
        return
    _publisher(state, event.client, event.subject, event.count)
    if state.wants(event.subject):
        _burst(state, event)
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
        for account in event.data.get("account_details") or []:
            for s in account.get("stream_detail") or []:
                facts, config = s.get("state") or {}, s.get("config") or {}
                if s.get("name") in state.streams or config.get("subjects"):
                    state.streams[str(s.get("name"))] = Stream(
                        subjects=[str(x) for x in config.get("subjects") or []],
                        messages=int(facts.get("messages", 0)),
                        last=int(facts.get("last_seq", 0)),
                    )


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


# --- verdicts: the rule and the evidence ----------------------------------------------------


@dataclass
class Verdict:
    """One subscription and the shown message."""

    sub: Subscription
    there: bool  # it existed when the message was published
    matched: bool  # the rule: our matcher
    got: bool  # the evidence: the server's trace, or the clients' counts
    order: int = 0  # of several deliveries
    fail: int = -1  # the token of the pattern that did not match
    why: list[Run] = field(default_factory=list)  # why not; classes "" or "mono"
    short: list[Run] = field(default_factory=list)
    note: str = ""  # "chosen, 1 of 3"
    differs: bool = False

    @property
    def reason(self) -> str:
        return "".join(t for t, _ in self.why) or self.note

    @property
    def word(self) -> str:
        """For the table."""
        if self.sub.queue and self.matched:
            word = "chosen" if self.got else "not chosen"
        else:
            word = "yes" if self.got or self.matched else "no"
        return f"Δ {word}" if self.differs else word


@dataclass
class Shown:
    """The message or burst that the picture is about, with a verdict for each subscription."""

    message: Message | None
    burst: Burst | None
    subject: str
    verdicts: list[Verdict]
    hidden: int  # subscriptions of the machinery

    @property
    def there(self) -> int:
        return sum(v.there for v in self.verdicts)

    @property
    def reached(self) -> int:
        return self.message.deliveries if self.message else sum(v.got for v in self.verdicts)

    @property
    def differs(self) -> list[Verdict]:
        return [v for v in self.verdicts if v.differs]

    @property
    def key(self) -> str:
        return f"msg/{self.message.id}" if self.message else "burst" if self.burst else "field"


def _shown(state: State) -> Shown:
    message, burst = state.last, None
    chosen = next((m for m in state.messages if f"msg/{m.id}" == state.selection), None)
    if chosen is not None:
        message = chosen
    elif state.burst.count and (message is None or state.burst.n > message.n):
        message, burst = None, state.burst
    hidden = sum(1 for s in state.subs.values() if s.open and state.hides(s.subject))
    subs = [s for s in state.subs.values() if not state.hides(s.subject)]
    if message is not None:
        return Shown(message, None, message.subject, _traced(state, message, subs), hidden)
    subject = burst.subject if burst is not None else ""
    verdicts = []
    for sub in subs:
        if not sub.open and not (burst and sub.burst):
            continue
        v = Verdict(
            sub, True, bool(subject) and matches(sub.subject, subject), burst is not None and sub.burst > 0
        )
        if burst is not None:
            if v.got:
                v.note = f"+{amount(sub.burst)}"
            elif not v.matched:
                _why_not(v, subject)
        verdicts.append(v)
    return Shown(None, burst, subject, verdicts, hidden)


def _traced(state: State, message: Message, subs: list[Subscription]) -> list[Verdict]:
    subject = message.subject
    routed = not message.error and not message.lost
    crossed = any(h.step in ("export", "import") for h in message.hops)
    home = state.accounts.get(message.publisher, "")
    egress = [h for h in message.hops if h.step == "egress" and h.via not in ("route", "gateway", "leafnode")]
    order = {id(h): i for i, h in enumerate(egress)}
    waiting: dict[tuple[str, str, str], list[Hop]] = {}
    for hop in egress:
        waiting.setdefault((hop.client, hop.sub, hop.queue), []).append(hop)

    out: list[Verdict] = []
    for sub in sorted(subs, key=lambda s: (not s.there(message.n), s.was, s.sid)):
        there = sub.there(message.n)
        hops = waiting.get((sub.client, sub.subject, sub.queue), [])
        hop = hops.pop(0) if hops else None
        if not there and not sub.open and hop is None:
            continue
        away = state.accounts.get(sub.client, home)
        same = crossed or not home or not away or away == home
        rule = routed and there and same and matches(sub.subject, subject)
        v = Verdict(sub, there or hop is not None, rule, hop is not None and not hop.error)
        if hop is not None:
            v.order = order[id(hop)]
        if hop is not None and hop.error:
            v.why = [(hop.error, "")]
        elif v.got:
            v.note = "" if sub.open else "left since"
        elif not there:
            v.why = [("was away" if sub.spans[0][0] < message.n else "joined later", "")]
        elif not same:
            v.why = [("is in another account", "")]
        elif routed and not rule:
            _why_not(v, subject)
        out.append(v)

    whole = len(egress) == sum(h.step == "egress" for h in message.hops) and len(message.hops) < HOPS
    members: dict[tuple[str, str], list[Verdict]] = {}
    for v in out:
        if v.sub.queue:
            members.setdefault((v.sub.subject, v.sub.queue), []).append(v)
    for group in members.values():
        alive = sum(v.there for v in group)
        served = any(v.got or (v.why and v.matched) for v in group)
        for v in group:
            if v.got:
                v.note = f"chosen, 1 of {alive}" + (f", {v.note}" if v.note else "")
            v.differs = whole and not message.dry and (v.got and not v.matched or v.matched and not served)
    for v in out:
        if not v.sub.queue and whole and not crossed:
            spent = 0 < v.sub.limit <= v.sub.received
            if v.matched and not v.got and not v.why and spent:
                v.why = [(f"had the {amount(v.sub.limit)} it asked for", "")]
            v.differs = v.got and not v.matched or v.matched and not v.got and not v.why
        if v.differs and not v.why:
            v.why = [("the matcher says no" if v.got else "matches, yet not delivered", "")]
    return out


def _why_not(v: Verdict, subject: str) -> None:
    """Fill in why a pattern does not match, and at which of its tokens."""
    wanted, given = tokens(v.sub.subject), tokens(subject)
    for i, want in enumerate(wanted):
        if i >= len(given):
            v.fail = i
            if want == ">":
                v.why = [("wants more after ", ""), (given[-1], "mono")]
            else:
                v.why = [(f"wants {_count_of(len(wanted), 'token')}, got {len(given)}", "")]
            v.short = [("too short", "")]
            return
        if want not in ("*", ">", given[i]):
            v.fail = i
            v.why = [("wants ", ""), (want, "mono"), (", got ", ""), (given[i], "mono")]
            v.short = [("wants ", ""), (want, "mono")]
            return
    v.fail = len(wanted) - 1
    v.why = [(f"wants {_count_of(len(wanted), 'token')}, got {len(given)}", "")]
    v.short = [("too long", "")]


# --- words ----------------------------------------------------------------------------------


def amount(n: int) -> str:
    """A whole number as people write it: 10 000."""
    return f"{n:,}".replace(",", " ")


def _count_of(n: int, one: str, many: str = "") -> str:
    return f"{amount(n)} {one if n == 1 else many or one + 's'}"


def _listed(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def _names(shown: Shown) -> list[str]:
    """Who got it, in words: plain subscribers, then the chosen members of queue groups."""
    got = [v for v in shown.verdicts if v.got]
    out = []
    for name, n in sorted(Counter(v.sub.client for v in got if not v.sub.queue).items()):
        out.append(name if n == 1 else f"{name} twice" if n == 2 else f"{name} several times")
    for v in sorted((v for v in got if v.sub.queue), key=lambda v: (v.sub.queue, v.sub.client)):
        queue, name = v.sub.queue, v.sub.client
        if shown.burst is not None:
            out.append(name)
        elif queue.isalpha() and queue.endswith("s") and not queue.endswith("ss"):
            out.append(f"one {queue[:-1]}, {name}")
        else:
            out.append(f"{name} of {queue}")
    return [plain(n) if len(n) <= 40 else fit(n, 300, "t16") for n in out]


def _sentence(state: State, shown: Shown) -> list[Run]:
    if not state.servers and not state.subs and not state.published:
        return [("There is no server yet.", "")]
    if shown.message is None and shown.burst is None:
        n = len(shown.verdicts)
        about = f" to {fit(_listed(list(state.of)), 240, 't16')}" if state.of else ""
        if not n:
            return [(f"Nobody subscribes yet, and nothing was published{about}.", "")]
        waits = "subscription waits" if n == 1 else "subscriptions wait"
        return [(f"Nothing was published{about} yet: {amount(n)} {waits}.", "")]
    if shown.burst is not None:
        burst = shown.burst
        words = [(f"{_count_of(burst.count, 'message')} to ", "")]
        if len(burst.subjects) == 1:
            words.append((fit(shown.subject, 330, "t15 mono"), "mono"))
        else:
            words.append(
                (f"{len(burst.subjects)}{'+' if len(burst.subjects) >= RECENT else ''} subjects", "")
            )
        return [*words, (", counted, not drawn singly.", "")]
    message = shown.message
    assert message is not None
    routed = message.outcome not in ("refused", "lost")
    subject = (fit(shown.subject if routed else message.published_as, 330, "t15 mono"), "mono")
    if message.outcome == "refused":
        return [("The server refused ", ""), subject, (".", "")]
    if message.outcome == "lost":
        return [subject, (" was lost in a mapping.", "")]
    verb = "would reach" if message.dry else "reached"
    if not shown.there:
        return [subject, (f" {verb} nobody: there is no subscription.", "")]
    if not shown.reached:
        if shown.there == 1:
            return [subject, (f" {verb} nobody: the 1 subscription does not want it.", "")]
        return [subject, (f" {verb} none of {_count_of(shown.there, 'subscription')}.", "")]
    head = f" {verb} {amount(shown.reached)} of {_count_of(shown.there, 'subscription')}: "
    room = 846 - wide(*subject[:1], "t15 mono") - wide(head, "t16")
    names = _names(shown)
    kept = list(names)
    while (
        len(kept) > 1 and wide(_listed(kept if len(kept) == len(names) else [*kept, "others"]), "t16") > room
    ):
        kept.pop()
    tail = _listed(kept if len(kept) == len(names) else [*kept, "others"])
    return [subject, (f"{head}{fit(tail, room, 't16')}.", "")]


def _note(state: State, shown: Shown) -> list[Run]:
    """The second line: what happened on the way, in pieces as long as they fit."""
    pieces: list[list[Run]] = []
    message = shown.message
    down = [
        f"{n} is {s}" for n, s in sorted(state.servers.items()) if s not in ("up", "starting", "lame duck")
    ]
    if down:
        pieces.append([(f"{_listed(down)} now.", "")])
    if not state.servers and not state.subs and not state.published:
        pieces.append([("Start one: ", ""), ("%natslab up", "mono")])
    elif message is None and shown.burst is None:
        what = "one" if not shown.verdicts else "a message"
        pieces.append([("This picture follows each message from its publisher to whoever subscribed.", "")])
        pieces.append([(f"Publish {what}: ", ""), ("%nats pub orders.new hello", "mono")])
    elif shown.burst is not None:
        pieces.append([("Tracing each would slow it down; the clients count exactly.", "")])
        if shown.burst.streams:
            pieces.append([(f"Stored in {plain(_listed(sorted(shown.burst.streams)))}.", "")])
        if not shown.reached:
            pieces.append([("Nobody received one.", "")])
    elif message is not None:
        pieces += _story(state, shown, message)
    out: list[Run] = []
    room = 852.0
    for piece in pieces:
        run = ([(" ", "")] if out else []) + piece
        need = sum(wide(t, "t12 mono" if "mono" in c else "t13") for t, c in run)
        if need <= room:
            out += run
            room -= need
        elif not out:
            out = [(fit("".join(t for t, _ in piece), room, "t13"), "")]
            room = 0
    return out


def _story(state: State, shown: Shown, message: Message) -> list[list[Run]]:
    pieces: list[list[Run]] = []
    stored = [plain(s) for s in message.stored_in]
    copy = f"a copy is stored in {_listed(stored)}" if stored else ""
    if message.dry and copy:
        copy = f"a copy would be stored in {_listed(stored)}"
    if message.outcome == "refused":
        return [[(f"In its words: {message.error}", "")]]
    if message.outcome == "lost":
        words = "The weights of its destinations leave a rest, and this message fell into it; nothing told the publisher."
        return [[(words, "")]]
    if shown.differs:
        who = sorted({plain(v.sub.client) for v in shown.differs})
        pieces.append([(f"Δ The server's trace and the matcher differ: {_listed(who[:4])}.", "")])
    if message.dry:
        pieces.append([("A dry run: nothing was delivered or stored.", "")])
    if message.mapped_to:
        piece = [("It was published as ", ""), (fit(message.published_as, 240, "t12 mono"), "mono")]
        pieces.append([*piece, (f", mapped on the way in{', and ' + copy if copy else ''}.", "")])
    if not shown.reached:
        if copy:
            if not message.mapped_to:
                pieces.append([(f"Nobody was listening, but {copy}.", "")])
        elif message.dry:
            pass
        elif message.reply:
            pieces.append(
                [("Nobody was listening, and the server told the requester so at once: no responders.", "")]
            )
        else:
            pieces.append(
                [("Nobody was listening: the message is gone, and nothing told the publisher.", "")]
            )
    elif copy and not message.mapped_to:
        pieces.append([(f"{copy[0].upper()}{copy[1:]}.", "")])
    refused = sorted({(h.stream, h.error) for h in message.hops if h.step == "store" and h.error})
    for stream, error in refused:
        pieces.append([(f"{plain(stream)} did not store it: {plain(error)}.", "")])
    return pieces


def describe(state: State) -> tuple[str, str]:
    """Who got the message, and what happened to it on the way."""
    shown = _shown(state)
    return "".join(t for t, _ in _sentence(state, shown)), "".join(t for t, _ in _note(state, shown))


def table(state: State) -> Table:
    """One row for each subscription, and one for the message."""
    shown = _shown(state)
    plan = _plan(state, shown)
    known = bool(shown.message or shown.burst)
    rows, keys = [], []
    ordered = sorted(shown.verdicts, key=lambda v: _by_name(v.sub))
    for v in ordered[:TABLE]:
        rows.append(
            [
                v.sub.client,
                v.sub.subject,
                v.sub.queue,
                v.word if known else "",
                amount(v.sub.received),
                v.reason,
            ]
        )
        keys.append(plan.keys[v.sub.key])
    rest = ordered[TABLE:]
    if rest:
        some = f"{amount(sum(v.got for v in rest))} of {amount(len(rest))}" if known else ""
        rows.append(
            [f"{amount(len(rest))} more", "", "", some, amount(sum(v.sub.received for v in rest)), ""]
        )
        keys.append(plan.keys[rest[0].sub.key])
    note = "".join(t for t, _ in _note(state, shown))
    reached = f"{amount(shown.reached)} of {amount(shown.there)}" if rows else ""
    if shown.burst is not None:
        note = f"{_count_of(shown.burst.count, 'message')} to {_count_of(len(shown.burst.subjects), 'subject')}. {note}"
    if rows or known:
        total = amount(sum(v.sub.received for v in shown.verdicts))
        subject = shown.subject or (shown.message.published_as if shown.message else "")
        rows.append(["all", subject, "", reached, total, note if known else ""])
        keys.append(shown.key)
    return Table(["subscription", "subject", "queue", "matched", "received", "why"], rows, keys)


# --- the plan: what is where ----------------------------------------------------------------

BOX_X, BOX_R, TOP = 148.5, 616.5, 116.5
TREE_R = 590.0  # right edge of the last column
PORT, TEXT, RIGHT = 652.0, 668.0, 876.0
PUB_PORT = 129.0
CARD_X, CARD_R = 164.5, 354.5
PITCH = 46  # of rows with two lines
MEMBER = 24  # of rows with one line


@dataclass
class Leaf:
    """One pattern with one queue group (or none), and its subscriptions at the right."""

    pattern: str
    queue: str
    verdicts: list[Verdict]
    more: list[Verdict] = field(default_factory=list)  # counted in one line
    top: float = 0.0
    height: float = 0.0
    y: float = 0.0  # of its port
    taken: bool = False
    lights: list[str] = field(default_factory=list)
    points: list[Point] = field(default_factory=list)  # from the entry to its port

    @property
    def key(self) -> str:
        return f"queue/{self.pattern}/{self.queue}" if self.queue else f"leaf/{self.pattern}"

    @property
    def lines(self) -> int:
        return len(self.verdicts) + bool(self.more)

    @property
    def size(self) -> int:
        return len(self.verdicts) + len(self.more)

    def line_y(self, i: int) -> float:
        """Middle of its i-th line."""
        if self.queue:
            return self.top + 64 + MEMBER * i
        if self.lines == 1:
            return self.y
        return self.top + 33 + MEMBER * i


@dataclass
class Node:
    """One pill: a token, or several that nothing branches between."""

    prefix: list[str]
    text: str
    kind: str  # literal star rest root
    col: int
    nodes: dict[str, Node] = field(default_factory=dict)
    leaves: list[Leaf] = field(default_factory=list)
    y: float = 0.0
    left: float = 0.0
    right: float = 0.0
    walked: bool = False  # the subject fits so far
    taken: bool = False  # the message went this way

    @property
    def key(self) -> str:
        return f"node/{'.'.join(self.prefix)}"

    def sorted_nodes(self) -> list[Node]:
        ranks = {"literal": 0, "star": 1, "rest": 2}
        return sorted(self.nodes.values(), key=lambda n: (ranks[n.kind], n.text))

    def all_leaves(self) -> list[Leaf]:
        return self.leaves + [leaf for n in self.sorted_nodes() for leaf in n.all_leaves()]


@dataclass
class Plan:
    """Where everything stands."""

    root: Node
    leaves: list[Leaf]
    rest: list[Verdict]  # subscriptions whose pattern is not drawn
    rest_y: float
    lefts: list[float]
    widths: list[float]
    groups: list[tuple[int, int]]
    gap: float
    entry: float  # x of the trunk where all ways into the tree begin
    card: bool
    card_h: float
    low: bool  # the subject stands on a line of its own
    bottom: float  # of the rows
    keys: dict[str, str]  # subscription -> mark that shows or counts it


def _plan(state: State, shown: Shown) -> Plan:
    verdicts = sorted(shown.verdicts, key=lambda v: _by_name(v.sub))
    if len(verdicts) > ROWS:
        ranked = sorted(verdicts, key=lambda v: (-v.sub.received, *_by_name(v.sub)))
        drawn = {v.sub.key for v in ranked[: ROWS - 2]}
    else:
        drawn = {v.sub.key for v in verdicts}
    by_leaf: dict[tuple[str, str], Leaf] = {}
    for v in verdicts:
        if v.sub.key in drawn:
            leaf = by_leaf.setdefault((v.sub.subject, v.sub.queue), Leaf(v.sub.subject, v.sub.queue, []))
            leaf.verdicts.append(v)
    keys = {key: key for key in drawn}
    rest: list[Verdict] = []
    for v in verdicts:
        if v.sub.key in drawn:
            continue
        home = by_leaf.get((v.sub.subject, v.sub.queue))
        if home is not None:
            home.more.append(v)
            keys[v.sub.key] = f"{home.key}/more"
        else:
            rest.append(v)
            keys[v.sub.key] = "sub/more"

    lost = shown.message is not None and shown.message.outcome in ("refused", "lost")
    given = (
        tokens(shown.message.published_as if lost and shown.message else shown.subject)
        if shown.subject
        else []
    )
    deep = max([len(tokens(m.subject)) for m in state.messages] + [len(given), 1])
    patterns = [tokens(p) for p, _ in by_leaf]
    depth = max([len(p) for p in patterns] + [deep])
    card = any(state.rules.values()) or bool(state.branches)
    left = CARD_R + 23 if card else BOX_X + 38
    room = TREE_R - left
    groups = _groups([*patterns, *([given] if given else [])], depth, max(1, int((room + 16) // 60)))
    wants = []
    for a, b in groups:
        texts = [".".join(p[a:b]) for p in patterns if len(p) > a and p[a] != ">"]
        pill = max([wide(t, "t12 mono") + 22 for t in texts] or [0.0])
        token = wide(".".join(given[a:b]), "t14 mono") if len(given) > a else 0.0
        wants.append(min(150.0, max(50.0, pill, min(token, 96.0))))
    widths, gap = columns(wants, room, (16.0, 44.0))
    lefts = []
    x = TREE_R + gap
    for w in reversed(widths):
        x -= gap + w
        lefts.insert(0, x)
    entry = lefts[0] - min(14.0, gap / 2)

    root = Node([], "", "root", -1)
    for leaf in by_leaf.values():
        node = root
        parts = tokens(leaf.pattern)
        for col, (a, b) in enumerate(groups):
            part = parts[a:b]
            if not part:
                break
            text = ".".join(part)
            kind = "rest" if part[-1] == ">" and b >= len(parts) else "star" if "*" in part else "literal"
            if text not in node.nodes:
                node.nodes[text] = Node(parts[:b], text, kind, col)
            node = node.nodes[text]
        node.leaves.append(leaf)

    low = lefts[0] - 14 < BOX_X + 120
    card_h = _card_height(state, shown) if card else 0.0
    top = (194.0 if low else 180.0) + 4
    leaves = _stack(root, top)
    for node in _walk(root):
        _place(node, lefts, widths)
        node.walked = bool(given) and not lost and _walks(node.prefix, given)
    _height(root)
    if card and root.y - card_h / 2 < top - 2:
        down = top - 2 - (root.y - card_h / 2)
        leaves = _stack(root, top + down)
        _height(root)
    bottom = max([leaf.top + leaf.height for leaf in leaves] + [top + PITCH])
    rest_y = 0.0
    if rest:
        rest_y = bottom + 20
        bottom = rest_y + 22
    if not leaves:
        root.y = top + 60
        bottom = top + 120
    if card:
        bottom = max(bottom, root.y + card_h / 2 + 6)
    plan = Plan(
        root, leaves, rest, rest_y, lefts, widths, groups, gap, entry, card, card_h, low, bottom, keys
    )
    _routes(plan)
    return plan


def _groups(patterns: list[list[str]], depth: int, most: int) -> list[tuple[int, int]]:
    """Columns as ranges of tokens: single ones, or where there are too many, merged where least branches."""
    groups = [(i, i + 1) for i in range(depth)]
    sizes = [len({tuple(p[:d]) for p in patterns if len(p) >= d}) for d in range(depth + 1)]
    while len(groups) > most:
        i = min(
            range(len(groups) - 1),
            key=lambda i: (sizes[groups[i + 1][1]] - sizes[groups[i][1]], groups[i + 1][1] - groups[i][0], i),
        )
        groups[i : i + 2] = [(groups[i][0], groups[i + 1][1])]
    return groups


def _walks(prefix: list[str], given: list[str]) -> bool:
    if prefix and prefix[-1] == ">":
        return len(given) >= len(prefix) and _walks(prefix[:-1], given)
    return len(given) >= len(prefix) and all(p in ("*", g) for p, g in zip(prefix, given, strict=False))


def _walk(node: Node) -> list[Node]:
    return [node, *(n for child in node.sorted_nodes() for n in _walk(child))]


def _place(node: Node, lefts: list[float], widths: list[float]) -> None:
    if node.kind == "root":
        return
    node.left = lefts[node.col]
    node.right = TREE_R if node.kind == "rest" else node.left + widths[node.col]


def _stack(root: Node, top: float) -> list[Leaf]:
    """Give every leaf its rows, one under the other in the order of the tree."""
    for node in _walk(root):
        node.leaves.sort(key=lambda leaf: leaf.queue)
    y = top
    before = ""
    for leaf in root.all_leaves():
        if leaf.queue:
            leaf.top = y + (6 if before else 2)
            leaf.height = 52 + MEMBER * leaf.lines + 6
            y = leaf.top + leaf.height + 8
        elif leaf.lines == 1:
            leaf.top, leaf.height = y, PITCH
            y += PITCH
        else:
            leaf.top = y + (4 if before == "fan" else 0)
            leaf.height = 20 + MEMBER * leaf.lines + 8
            y = leaf.top + leaf.height
        before = "queue" if leaf.queue else "row" if leaf.lines == 1 else "fan"
        leaf.y = leaf.top + PITCH / 2
        if leaf.queue or leaf.lines > 1:
            leaf.y = (leaf.line_y(0) + leaf.line_y(leaf.lines - 1)) / 2
    return root.all_leaves()


def _height(node: Node) -> None:
    """A pill stands at the height of its heaviest branch, so that places depend only on who subscribes."""
    branches: list[tuple[int, float]] = [(leaf.size, leaf.y) for leaf in node.leaves]
    for child in node.sorted_nodes():
        _height(child)
        branches.append((sum(leaf.size for leaf in child.all_leaves()), child.y))
    if branches:
        middle = (branches[0][1] + branches[-1][1]) / 2
        node.y = min(branches, key=lambda b: (-b[0], abs(b[1] - middle), b[1]))[1]


def _routes(plan: Plan) -> None:
    """The way of each leaf from the entry to its port, and which pills lie on a way that was taken."""

    def go(node: Node, points: list[Point], lights: list[str]) -> bool:
        x = plan.entry if node.kind == "root" else node.right + _half(plan, node)
        for leaf in node.leaves:
            leaf.points = [*points, (x, node.y), (x, leaf.y), (PORT, leaf.y)]
            leaf.lights = [*lights, f"way/{leaf.key}"]
            leaf.taken = any(v.got for v in (*leaf.verdicts, *leaf.more))
        taken = any(leaf.taken for leaf in node.leaves)
        for child in node.sorted_nodes():
            way = [*points, (x, node.y), (x, child.y), (child.right, child.y)]
            taken = go(child, way, [*lights, f"way/{child.key}", child.key]) or taken
        node.taken = taken
        return taken

    go(plan.root, [(plan.entry, plan.root.y)], ["way/in"])


def _half(plan: Plan, node: Node) -> float:
    """How far right of a pill its trunk stands."""
    return 14.0 if node.right >= TREE_R - 0.01 else plan.gap / 2


# --- draw -----------------------------------------------------------------------------------


def draw(state: State) -> Scene:
    """The picture of the shown message."""
    shown = _shown(state)
    plan = _plan(state, shown)
    pubs = _pub_rows(state, shown, plan)
    low = max([plan.bottom] + [y + 30 for _, y in pubs])
    streams = _stream_rows(state, shown)
    band = low + 8
    bottom = band + 50 * len(streams) + (8 if streams else 4)

    thin: list[Mark] = []
    thick: list[Mark] = []
    things: list[Mark] = []
    _tree(plan, shown, thin, thick, things)
    _rows(plan, shown, thin, thick, things)
    _publishers(state, shown, plan, pubs, thin, thick, things)
    _streams(state, shown, plan, streams, band, thin, thick, things)
    things += _card(state, shown, plan)
    box = [
        Rect(
            key="srv/box",
            x=BOX_X,
            y=TOP,
            w=BOX_R - BOX_X,
            h=round(bottom - TOP, 2),
            r=12,
            classes="edge hair base-floor",
        ),
        *_heads(state, shown, plan, pubs),
    ]
    strip, height = _strip(state, shown, bottom)
    return Scene(
        view="routing",
        title=TITLE,
        height=round(height, 2),
        now=state.now,
        mode=state.mode,
        lab=state.lab,
        servers=sorted(state.servers.items()),
        sources=SOURCES,
        sentence=_sentence(state, shown),
        note=_note(state, shown),
        marks=[*box, *thin, *thick, *things, *strip],
        flights=_flights(shown, plan, pubs),
        legend=_legend(shown),
    )


def _way(key: str, points: list[Point], taken: bool, **more: Any) -> Path:
    r = 8 if key.startswith("way/sub/") else 10
    return Path(
        key=key,
        d=points_path(straight(points), r),
        classes="way edge flight" if taken else "way edge line",
        width=3 if taken else 1,
        **more,
    )


def _heads(state: State, shown: Shown, plan: Plan, pubs: list[tuple[str, float]]) -> list[Mark]:
    """The line of small headings, and the subject over the columns of its tokens."""
    y = 157.0 if not plan.low else 139.0
    n = len(state.publishers)
    server = next(iter(sorted(state.servers)), "")
    words = f"nats-server {server}" if server else "no server"
    marks: list[Mark] = [
        label("head/pubs", 24, y, _count_of(n, "publisher") if n else "no publisher yet", "t11 ink3"),
        label("srv/name", 162, y, fit(words, 130 if not plan.low else 420, "t11"), "t11 ink3"),
        label("head/subs", TEXT, y, _count_of(len(shown.verdicts), "subscription"), "t11 ink3"),
    ]
    if shown.hidden:
        words = f"and {_count_of(shown.hidden, 'inbox', 'inboxes')}" if len(shown.verdicts) < 100 else ""
        x = TEXT + wide(_count_of(len(shown.verdicts), "subscription"), "t11") + 6
        if words and x + wide(words, "t11") < RIGHT - 64:
            marks.append(
                label(
                    "head/hidden", x, y, words, "t11 ink3", title="Subscriptions of the machinery; not drawn."
                )
            )
    if state.published and shown.verdicts:
        marks.append(label("head/received", RIGHT, y, "received", "t11 ink3 end"))

    top = 148.5 if plan.low else 136.5
    first = plan.lefts[0]
    named = first - 76 > BOX_X + 112
    left = first - 76 if named else first - 14
    right = TREE_R + 10
    base = top + 21.5
    inner: list[Mark] = [
        Rect(key="field/box", x=left, y=top, w=right - left, h=33, r=8, classes="edge line base-ground")
    ]
    given = tokens(shown.subject) if shown.subject else []
    lost = shown.message is not None and shown.message.outcome in ("refused", "lost")
    if lost and shown.message is not None:
        given = tokens(shown.message.published_as)
    if named:
        inner.append(label("field/label", left + 14, base - 1, "subject", "t11 ink3"))
    if given:
        inner += _subject_tokens(plan, given, base)
    else:
        inner.append(label("field/none", (first + right) / 2 - 5, base - 1, "none yet", "t12 ink3 middle"))
    what = f"The subject of the shown message: {plain('.'.join(given))}" if given else "No message yet."
    marks.append(
        Group(
            key=shown.key, marks=inner, title=what, state={"subject": shown.subject, "reached": shown.reached}
        )
    )
    return marks


def _subject_tokens(plan: Plan, given: list[str], base: float) -> list[Mark]:
    texts = [".".join(given[a:b]) for a, b in plan.groups if given[a:b]]
    if len(plan.groups) and len(given) > plan.groups[-1][1]:
        texts[-1] += "." + ".".join(given[plan.groups[-1][1] :])
    for size in ("t16", "t15", "t14", "t13", "t12"):
        type_ = f"{size} mono w6"
        if all(wide(t, type_) <= plan.widths[i] + plan.gap - 14 for i, t in enumerate(texts)):
            break
    marks: list[Mark] = []
    for i, text in enumerate(texts):
        middle = plan.lefts[i] + plan.widths[i] / 2
        room = plan.widths[i] + min(plan.gap - 12, 20 if i else 12)
        marks.append(label(f"field/{i}", middle, base, fit(text, room, type_), f"{type_} middle"))
        if i + 1 < len(texts):
            dot = plan.lefts[i] + plan.widths[i] + plan.gap / 2
            marks.append(label(f"field/dot{i}", dot, base, ".", f"{size} mono w6 ink3 middle"))
    return marks


def _tree(plan: Plan, shown: Shown, thin: list[Mark], thick: list[Mark], things: list[Mark]) -> None:
    known = bool(shown.message or shown.burst)
    for node in _walk(plan.root):
        x0 = plan.entry if node.kind == "root" else node.right
        trunk = plan.entry if node.kind == "root" else node.right + _half(plan, node)
        below = node.all_leaves()
        rows = [v.sub.key for leaf in below for v in leaf.verdicts]
        for child in node.sorted_nodes():
            points = [(x0, node.y), (trunk, node.y), (trunk, child.y), (child.left, child.y)]
            lights = [v.sub.key for leaf in child.all_leaves() for v in leaf.verdicts]
            (thick if child.taken else thin).append(
                _way(f"way/{child.key}", points, child.taken, light=lights)
            )
        for leaf in node.leaves:
            points = [(x0, node.y), (trunk, node.y), (trunk, leaf.y)]
            end = PORT if leaf.queue or leaf.lines == 1 else FAN
            (thick if leaf.taken else thin).append(
                _way(
                    f"way/{leaf.key}",
                    [*points, (end, leaf.y)],
                    leaf.taken,
                    light=[v.sub.key for v in leaf.verdicts],
                )
            )
        if node.kind != "root":
            things.append(_pill(node, known, sum(leaf.size for leaf in below), rows))


def _pill(node: Node, known: bool, below: int, rows: list[str]) -> Group:
    w = round(node.right - node.left, 2)
    if node.taken:
        look, ink, width = "edge flight base-ground", "t12 mono w6", 2.0
    elif node.walked and known:
        look, ink, width = "edge ink3 base-ground", "t12 mono ink2", 1.0
    else:
        look, ink, width = "edge line base-ground", "t12 mono ink3" if known else "t12 mono ink2", 1.0
    key = node.key
    marks: list[Mark]
    if node.kind == "rest":
        d = f"M13 -13H{w - 10:g}L{w:g} 0L{w - 10:g} 13H13A13 13 0 0 1 13 -13Z"
        marks = [Path(key=f"{key}/box", d=d, classes=look + " round", width=width)]
        text = fit(node.text, w - 30, "t12 mono")
        marks.append(label(f"{key}/text", 20, 4.5, text, ink))
        x = 20 + wide(text, "t12 mono") + 12
        if x + wide("all the rest", "t11") < w - 12:
            marks.append(label(f"{key}/words", x, 4, "all the rest", "t11 ink3"))
    else:
        dash = "4 3" if node.kind == "star" else ""
        r = 13.0 if node.kind == "star" else 7.0
        marks = [Rect(key=f"{key}/box", x=0, y=-13, w=w, h=26, r=r, classes=look, width=width, dash=dash)]
        base = 6.0 if node.text == "*" else 4.5
        marks.append(label(f"{key}/text", w / 2, base, fit(node.text, w - 10, "t12 mono"), ink + " middle"))
    what = plain(".".join(node.prefix))
    return Group(
        key=key,
        x=round(node.left, 2),
        y=round(node.y, 2),
        marks=marks,
        title=f"{what}: {_count_of(below, 'subscription')} from here on.",
        state={"pattern": what, "subscriptions": below},
        light=rows,
    )


FAN = 624.0  # trunk of several plain subscriptions to one pattern
HULL = 678.0  # trunk inside a queue group
MEMBER_PORT, MEMBER_TEXT = 706.0, 720.0


def _rows(plan: Plan, shown: Shown, thin: list[Mark], thick: list[Mark], things: list[Mark]) -> None:
    known = bool(shown.message or shown.burst)
    for leaf in plan.leaves:
        if leaf.queue:
            _hull(leaf, known, thin, thick, things)
        elif leaf.lines == 1 and leaf.verdicts:
            things.append(_row(leaf, leaf.verdicts[0], known))
        else:
            things.append(_head(leaf, "", known))
            for i in range(leaf.lines):
                y = leaf.line_y(i)
                v = leaf.verdicts[i] if i < len(leaf.verdicts) else None
                got = v.got if v else any(m.got for m in leaf.more)
                key = v.sub.key if v else f"{leaf.key}/more"
                points = [(FAN, leaf.y), (FAN, y), (PORT, y)]
                (thick if got else thin).append(_way(f"way/{key}", points, got))
                things.append(_line(leaf, v, y, PORT, TEXT, RIGHT, known))
    if plan.rest:
        got = [v for v in plan.rest if v.got]
        y = plan.rest_y
        points = [(plan.entry, plan.root.y), (plan.entry, y), (PORT, y)]
        (thick if got else thin).append(_way("way/sub/more", points, bool(got)))
        total = amount(sum(v.sub.received for v in plan.rest))
        words: list[Run] = [(f"×{amount(len(plan.rest))} more", "t13 w6" if got else "t13 ink3")]
        if got:
            words.append((f"  {amount(len(got))} reached", "t11 ink2"))
        things.append(
            Group(
                key="sub/more",
                x=PORT,
                y=round(y, 2),
                marks=[
                    _port("sub/more", bool(got)),
                    Text(key="sub/more/name", x=TEXT - PORT, y=4.5, runs=words),
                    label("sub/more/count", RIGHT - PORT, 4.5, total, "t11 num ink3 end"),
                ],
                title=f"{_count_of(len(plan.rest), 'more subscription')} with other patterns.",
                light=["way/sub/more", "way/in"],
            )
        )


def _port(key: str, on: bool, known: bool = True) -> Circle:
    strong = on or not known
    return Circle(
        key=f"{key}/port",
        x=0,
        y=0,
        r=4.5,
        classes=f"edge {'ink2' if strong else 'ink3'} base-ground",
        width=1.5 if strong else 1,
    )


def _reason(v: Verdict, room: float) -> list[Run]:
    """Why not, in the longest form that fits `room` pixels."""
    for words in (v.why, v.short, [("no match", "")] if v.fail >= 0 else []):
        runs = [(isolate(plain(t)), "t11 mono ink2" if c else "t11 ink2") for t, c in words]
        if runs and sum(wide(t, c) for t, c in runs) <= room:
            return runs
    text = "".join(t for t, _ in v.why) or v.note
    return [(fit(text, room, "t11"), "t11 ink2")] if text and room > 30 else []


def _pattern(pattern: str, fail: int, room: float, ink: str) -> list[Run]:
    """A pattern in `room` pixels; the token that failed is underlined and stays visible."""
    size = "t12 mono" if wide(pattern, "t12 mono") <= room else "t11 mono"
    classes = f"{size} {ink}"
    parts = tokens(pattern)
    if fail < 0 or fail >= len(parts):
        return [(fit(pattern, room, size), classes)]
    before = ".".join(parts[:fail]) + ("." if fail else "")
    after = ("." if fail + 1 < len(parts) else "") + ".".join(parts[fail + 1 :])
    if wide(pattern, size) > room:
        one = wide("x", size)
        failed = fit(parts[fail], room * 0.6, size)
        left = room - wide(failed, size)
        tail = fit(after, max(one, left * 0.4), size) if after else ""
        left -= wide(tail, size)
        before = before if wide(before, size) <= left else fit(before, max(one, left), size)
        runs = [(before, classes), (failed, f"{classes} under"), (tail, classes)]
        if wide(before, size) > left + one:
            runs = [(failed, f"{classes} under"), (tail, classes)]
    else:
        runs = [
            (isolate(plain(before)), classes),
            (isolate(plain(parts[fail])), f"{classes} under"),
            (isolate(plain(after)), classes),
        ]
    return [(t, c) for t, c in runs if t]


def _head(leaf: Leaf, name: str, known: bool) -> Group:
    """The heading over several subscriptions: the queue's name, the pattern, why it does not match."""
    first = (leaf.verdicts or leaf.more)[0]
    got = leaf.taken
    right = RIGHT - 12 if leaf.queue else RIGHT
    ink = "ink2" if got or not known else "ink3"
    marks: list[Mark] = []
    missed = [v for v in leaf.verdicts if v.fail >= 0]
    why = missed[0] if missed and not got else None
    base = leaf.top + 14.0
    if name:
        text = fit(name, 110 if why else right - TEXT, "t14")
        runs: list[Run] = [(text, "t14 w6" if got or not known else "t14 ink3")]
        marks.append(Text(key=f"{leaf.key}/name", x=TEXT, y=leaf.top + 22, runs=runs))
        x = TEXT + wide(text, "t14") + 8
        reason = _reason(why, right - x) if why else []
        if reason:
            marks.append(Text(key=f"{leaf.key}/why", x=round(x, 2), y=leaf.top + 22, runs=reason))
        base = leaf.top + 39
        room = right - TEXT
    else:
        reason = _reason(why, 118) if why else []
        room = right - TEXT - sum(wide(t, c) for t, c in reason) - (8 if reason else 0)
    pattern = _pattern(leaf.pattern, first.fail if why else -1, room, ink)
    marks.append(Text(key=f"{leaf.key}/subject", x=TEXT, y=base, runs=pattern))
    if reason and not name:
        x = TEXT + sum(wide(t, c) for t, c in pattern) + 8
        marks.append(Text(key=f"{leaf.key}/why", x=round(x, 2), y=base, runs=reason))
    what = f"The queue group {plain(leaf.queue)}" if leaf.queue else "These subscriptions"
    verb = "ask" if not leaf.queue else "asks"
    return Group(
        key=f"{leaf.key}/head",
        marks=marks,
        title=f"{what} {verb} for {plain(leaf.pattern)}: {_count_of(leaf.size, 'subscription')}.",
        light=leaf.lights,
    )


def _row(leaf: Leaf, v: Verdict, known: bool) -> Group:
    """One subscription: its name over its subject, and why it was not reached."""
    key = v.sub.key
    strong = v.got or not known
    marks: list[Mark] = [_port(key, v.got, known)]
    x0 = TEXT - PORT
    width = RIGHT - TEXT
    said = bool(v.why or v.note)
    name = fit(v.sub.client, 112 if said and wide(v.sub.client, "t14") > 90 else width, "t14")
    marks.append(label(f"{key}/name", x0, -4, name, "t14 w6" if strong else "t14 ink3"))
    _aside(marks, v, key, x0 + wide(name, "t14") + 8, width - wide(name, "t14") - 8, -4)
    count = _tally(v, known)
    marks.append(label(f"{key}/count", RIGHT - PORT, 13, count, "t11 num ink3 end"))
    room = width - wide(count, "t11") - 10
    runs = _pattern(v.sub.subject, v.fail, room, "ink2" if strong else "ink3")
    marks.append(Text(key=f"{key}/subject", x=x0, y=13, runs=runs))
    return Group(
        key=key,
        x=PORT,
        y=round(leaf.y, 2),
        marks=marks,
        title=_told(v, known),
        state=_facts(v),
        light=leaf.lights,
    )


def _aside(marks: list[Mark], v: Verdict, key: str, x: float, room: float, y: float) -> None:
    """What is said beside a name: a Δ, the reason, or a note."""
    if v.differs:
        d = f"M{x + 5:g} {y - 9:g}L{x + 10:g} {y - 4:g}L{x + 5:g} {y + 1:g}L{x:g} {y - 4:g}Z"
        marks.append(
            Path(key=f"{key}/delta", d=d, classes="fill dead", title="The trace and the matcher differ.")
        )
        x, room = x + 15, room - 15
    runs = _reason(v, room)
    if runs:
        marks.append(Text(key=f"{key}/why", x=round(x, 2), y=y, runs=runs))


def _tally(v: Verdict, known: bool) -> str:
    return amount(v.sub.received) if known or v.sub.received else ""


def _line(
    leaf: Leaf, v: Verdict | None, y: float, port: float, text: float, right: float, known: bool
) -> Group:
    """One of several subscriptions to the same pattern, on one line; without `v` the ones that are only counted."""
    if v is None:
        got = any(m.got for m in leaf.more)
        key = f"{leaf.key}/more"
        name, count = f"×{amount(len(leaf.more))} more", amount(sum(m.sub.received for m in leaf.more))
        title = f"{_count_of(len(leaf.more), 'more subscription')} to {plain(leaf.pattern)}."
        facts: dict[str, Any] = {"count": len(leaf.more)}
    else:
        got, key, name, count = v.got, v.sub.key, v.sub.client, _tally(v, known)
        title, facts = _told(v, known), _facts(v)
    strong = got or not known
    marks: list[Mark] = [_port(key, got, known)]
    x0 = text - port
    room = right - text - wide(count, "t11") - 10
    said = v is not None and v.fail < 0 and bool(v.why or v.note)
    name = fit(name, min(room, 96.0) if said else room, "t13")
    marks.append(label(f"{key}/name", x0, 4.5, name, "t13 w6" if strong else "t13 ink3"))
    used = wide(name, "t13") + 8
    if v is not None and said:
        _aside(marks, v, key, x0 + used, room - used, 4.5)
    marks.append(label(f"{key}/count", right - port, 4.5, count, "t11 num ink3 end"))
    lights = [*leaf.lights, f"way/{key}"]
    return Group(key=key, x=port, y=round(y, 2), marks=marks, title=title, state=facts, light=lights)


def _hull(leaf: Leaf, known: bool, thin: list[Mark], thick: list[Mark], things: list[Mark]) -> None:
    """A queue group: a hull with a port on its edge, and a way to each member of which one is taken."""
    things.append(
        Rect(
            key=leaf.key, x=PORT + 0.5, y=leaf.top + 0.5, w=RIGHT - PORT - 1, h=leaf.height - 1, r=12,
            classes="edge line none", title=f"The queue group {plain(leaf.queue)}: one member gets each message.",
            light=leaf.lights,
        )
    )  # fmt: skip
    things.append(_head(leaf, leaf.queue, known))
    for i in range(leaf.lines):
        y = leaf.line_y(i)
        v = leaf.verdicts[i] if i < len(leaf.verdicts) else None
        got = v.got if v else any(m.got for m in leaf.more)
        key = v.sub.key if v else f"{leaf.key}/more"
        points = [(PORT, leaf.y), (HULL, leaf.y), (HULL, y), (MEMBER_PORT, y)]
        (thick if got else thin).append(_way(f"way/{key}", points, got))
        things.append(_line(leaf, v, y, MEMBER_PORT, MEMBER_TEXT, RIGHT - 12, known))
    port = _port(leaf.key, leaf.taken, known)
    things.append(
        Circle(
            key=f"{leaf.key}/port", x=PORT, y=round(leaf.y, 2), r=4.5, classes=port.classes, width=port.width
        )
    )


def _told(v: Verdict, known: bool) -> str:
    """A row as a sentence."""
    who = f"{plain(v.sub.client)} asked for {plain(v.sub.subject)}"
    if v.sub.queue:
        who += f" in the queue group {plain(v.sub.queue)}"
    so_far = f"{_count_of(v.sub.received, 'message')} so far."
    if not known:
        return f"{who}; {so_far}"
    if v.got:
        return f"{who} and got it; {so_far}"
    why = f": {plain(v.reason)}" if v.reason else ""
    return f"{who} and did not get it{why}; {so_far}"


def _facts(v: Verdict) -> dict[str, Any]:
    return {
        "client": v.sub.client,
        "subject": v.sub.subject,
        "queue": v.sub.queue,
        "matched": v.word,
        "received": v.sub.received,
    }


# --- publishers, mapping, streams -----------------------------------------------------------

PUBS = 5  # publishers drawn singly


def _active(shown: Shown) -> list[str]:
    if shown.message is not None:
        return [shown.message.publisher]
    return list(shown.burst.publishers) if shown.burst is not None else []


def _pub_rows(state: State, shown: Shown, plan: Plan) -> list[tuple[str, float]]:
    """The publishers that are drawn, with their places; "" stands for all the others."""
    names = list(state.publishers)
    for name in _active(shown):
        if name not in names and shown.message is not None:
            names.append(name)
    if len(names) > PUBS:
        active = _active(shown)
        ranked = sorted(names, key=lambda n: (n not in active, -state.publishers.get(n, Publisher()).count))
        kept = set(ranked[: PUBS - 1])
        names = [*[n for n in names if n in kept], ""]
    top = 208.0 if plan.low else 196.0
    pitch = 56.0
    if plan.card and len(names) > 1:
        pitch = max(pitch, plan.card_h / 2 + 16)
    return list(zip(names, around(len(names), plan.root.y, pitch, top, plan.bottom + 400), strict=True))


def _into(state: State, shown: Shown, plan: Plan, name: str, y: float) -> list[Point]:
    """The way of a publisher to the entry of the tree: through the mapping, or past it."""
    root = plan.root.y
    message = shown.message
    if message is not None and message.publisher == name:
        mapped = bool(message.mapped_to) or message.lost
    else:
        mapped = name in state.publishers and state.publishers[name].mapped
    start = (PUB_PORT, y)
    if plan.card and mapped and abs(y - root) > 1:
        return [start, (BOX_X + 8, y), (BOX_X + 8, root), (plan.entry, root)]
    return [start, (plan.entry, y), (plan.entry, root)]


def _publishers(
    state: State, shown: Shown, plan: Plan, pubs: list[tuple[str, float]],
    thin: list[Mark], thick: list[Mark], things: list[Mark],
) -> None:  # fmt: skip
    active = _active(shown)
    message = shown.message
    drawn = {name for name, _ in pubs}
    known = bool(shown.message or shown.burst)
    for name, y in pubs:
        key = f"pub/{name}" if name else "pub/more"
        who = state.publishers.get(name, Publisher())
        on = name in active or (not name and any(a not in drawn for a in active))
        points = _into(state, shown, plan, name, y)
        if message is not None and on and message.outcome in ("refused", "lost"):
            end = BOX_X if message.outcome == "refused" else CARD_R
            thin.append(_way(f"way/in/{name}", points, False))
            thick.append(_way(f"way/in/{name}/part", _cut(points, end), True))
        else:
            (thick if on else thin).append(_way(f"way/in/{name}", points, on))
        if name:
            subject = message.published_as if message is not None and on else who.subject
            title, second = plain(name), fit(subject, 96, "t11 mono")
            told = f"{title} published {_count_of(who.count, 'message')}, the last to {plain(subject)}."
        else:
            others = [p for n, p in state.publishers.items() if n not in drawn]
            title, second = f"×{len(others)} more", ""
            told = f"{_count_of(len(others), 'more publisher')}: {_count_of(sum(p.count for p in others), 'message')}."
        things.append(
            Group(
                key=key,
                x=24,
                y=round(y, 2),
                marks=[
                    Circle(
                        key=f"{key}/port",
                        x=PUB_PORT - 24,
                        y=0,
                        r=4.5,
                        classes=f"edge {'ink2' if on else 'ink3'} base-ground",
                        width=1.5 if on else 1,
                    ),
                    label(
                        f"{key}/name",
                        0,
                        -4,
                        fit(title, 96, "t14"),
                        "t14 w6" if on or not known else "t14 ink3",
                    ),
                    label(f"{key}/subject", 0, 13, second, "t11 mono ink2" if on else "t11 mono ink3"),
                ],
                title=told,
                state={"client": name, "published": who.count},
                light=[f"way/in/{name}"],
            )
        )


def _cut(points: list[Point], x: float) -> list[Point]:
    """The first part of a way, up to where it reaches `x`."""
    out = [points[0]]
    for p in points[1:]:
        if p[0] >= x:
            return [*out, (x, out[-1][1])]
        out.append(p)
    return out


def _shares(state: State, message: Message) -> list[tuple[str, int | None, int]]:
    """Destinations of the mapping that met a message: name, declared percent, messages seen."""
    source, declared = _rule(state, message)
    seen = state.branches.get(source or message.published_as, {})
    out: list[tuple[str, int | None, int]] = [(d, w, seen.get(d, 0)) for d, w in declared]
    left = 100 - sum(w for _, w in declared)
    if declared and left > 0:
        out.append(("", left, seen.get("", 0)))
    out += [(d, None, n) for d, n in sorted(seen.items()) if d not in {x for x, _, _ in out}]
    return out


def _mapped(shown: Shown) -> Message | None:
    """The shown message, if a mapping met it."""
    message = shown.message
    return message if message is not None and any(h.step == "map" for h in message.hops) else None


def _card_height(state: State, shown: Shown) -> float:
    """The room of the tallest mapping there is, so that rows keep their places."""
    most = max([len(d) for rules in state.rules.values() for d in rules.values()] + [1])
    most = max([most] + [len(b) for b in state.branches.values()])
    message = _mapped(shown)
    if message is not None:
        most = max(most, len(_shares(state, message)))
    return 73.0 if most == 1 else 46.0 + 33.0 * min(most, 4) + (16 if most > 4 else 0)


def _card(state: State, shown: Shown, plan: Plan) -> list[Mark]:
    """What a mapping did to the shown message: declared, and observed."""
    message = _mapped(shown)
    if message is None:
        return []
    source = _rule(state, message)[0] or message.published_as
    shares = _shares(state, message)
    to = next(h.to for h in message.hops if h.step == "map")
    taken = next((d for d, _, _ in shares if _fills(d, to)), to)
    x, room = 11.0, CARD_R - CARD_X - 22
    single = len(shares) <= 1
    height = 73.0 if single else 46.0 + 33.0 * min(len(shares), 4) + (16 if len(shares) > 4 else 0)
    key = f"map/{source}"
    marks: list[Mark] = [
        Rect(key=f"{key}/box", x=0, y=0, w=CARD_R - CARD_X, h=height, r=8, classes="edge line base-ground"),
        label(f"{key}/word", x, 20, "mapping", "t11 ink3"),
    ]
    before, after = _changed(source, taken)
    runs = _runs(before, room - 20, "t11 mono ink2", "strike")
    marks.append(Text(key=f"{key}/from", x=x, y=39, runs=runs))
    marks.append(label(f"{key}/arrow", x + sum(wide(t, c) for t, c in runs) + 6, 39, "⇒", "t12 ink3"))
    if single:
        marks.append(Text(key=f"{key}/to", x=x, y=57, runs=_runs(after, room, "t11 mono", "w6")))
    else:
        total = sum(n for _, _, n in shares)
        for i, (name, percent, n) in enumerate(shares[:4]):
            y = 58 + 33 * i
            on = name == taken
            text = fit(name, room, "t11 mono") if name else "nowhere: lost"
            look = ("t11 mono" if name else "t11") + (" w6" if on else " ink3")
            marks.append(label(f"{key}/to{i}", x, y, text, look))
            did = f"seen {round(100 * n / total)} %" if total else "not seen yet"
            said = f"declared {percent} %, {did}" if percent is not None else did
            marks.append(label(f"{key}/share{i}", x, y + 14, said, "t11 ink2 num" if on else "t11 ink3 num"))
        if len(shares) > 4:
            marks.append(label(f"{key}/more", x, 58 + 33 * 4, f"and {len(shares) - 4} more", "t11 ink3"))
    told = f"The mapping of {plain(source)} made {plain(message.published_as)} into {plain(to) or 'nothing'}."
    y = round(plan.root.y - height / 2, 2)
    return [Group(key=key, x=CARD_X, y=y, marks=marks, title=told, state={"from": source, "to": to})]


def _changed(source: str, to: str) -> tuple[list[tuple[str, bool]], list[tuple[str, bool]]]:
    """The tokens before and after, each with whether the mapping replaced it."""
    a, b = tokens(source), re.split(r"\.(?![^{]*\}\})", to) if to else []
    before = [(t, t not in ("*", ">") and (i >= len(b) or b[i] != t)) for i, t in enumerate(a)]
    after = [
        (t, "{{" not in t and not t.startswith("$") and (i >= len(a) or a[i] != t)) for i, t in enumerate(b)
    ]
    return before, after


def _runs(parts: list[tuple[str, bool]], room: float, classes: str, mark: str) -> list[Run]:
    """Tokens joined by dots, the marked ones with the class `mark`."""
    whole = ".".join(t for t, _ in parts)
    if wide(whole, classes) > room or any(not c.isprintable() for c in whole):
        return [(fit(whole, room, classes), classes)]
    out: list[Run] = []
    for i, (text, marked) in enumerate(parts):
        if i:
            out.append((".", classes))
        out.append((isolate(text), f"{classes} {mark}" if marked else classes))
    return out or [("nowhere", "t11 ink2")]


def _stream_rows(state: State, shown: Shown) -> list[str]:
    """Streams that took a copy of the shown message, or of any that is still kept."""
    names = {s for m in state.messages for s in m.stored_in}
    if shown.burst is not None:
        names |= set(shown.burst.streams)
    here = set(shown.message.stored_in) if shown.message is not None else set()
    kept = sorted(names, key=lambda n: (n not in here, n))[:3]
    return sorted(kept)


SLOT, SLOTS = 22, 12


def _streams(
    state: State, shown: Shown, plan: Plan, names: list[str], band: float,
    thin: list[Mark], thick: list[Mark], things: list[Mark],
) -> None:  # fmt: skip
    here = shown.message.stored_in if shown.message is not None else []
    if shown.burst is not None:
        here = list(shown.burst.streams)
    newest = TREE_R - 9
    for i, name in enumerate(names):
        stream = state.streams.get(name, Stream())
        y = band + 32 + 50 * i
        got = name in here
        turn = newest - SLOT * SLOTS - 6 if i else newest
        points = [(plan.entry, plan.root.y), (plan.entry, band + 6)]
        if i:
            points = [(plan.entry, plan.root.y), (plan.entry, y - 15), (newest, y - 15), (newest, y - 9)]
        else:
            points += [(turn, band + 6), (turn, y - 9)]
        (thick if got else thin).append(_way(f"way/store/{name}", points, got))
        count = max(stream.messages, 1)
        slots = min(SLOTS, count)
        marks: list[Mark] = []
        for k in range(slots):
            x = newest - SLOT * k
            filled = got and k == 0
            marks.append(
                Rect(
                    key=f"msg/{name}/{max(stream.last, count) - k}", x=x - 8.25, y=-8.25, w=16.5, h=16.5, r=3, width=1.5,
                    classes="fill edge stored" if filled else "edge stored base-ground",
                )
            )  # fmt: skip
        text = fit(name, 110, "t14")
        what = ", ".join(stream.subjects)
        runs: list[Run] = [(_count_of(stream.messages, "message"), "t11 ink3")]
        if what:
            runs += [(" of ", "t11 ink3")]
            runs += [(fit(what, 110 - sum(wide(t, c) for t, c in runs) + 14, "t11 mono"), "t11 mono ink3")]
        marks.append(label(f"stream/{name}/name", 162, 1, text, "t14 w6" if got else "t14 ink3"))
        marks.append(Text(key=f"stream/{name}/what", x=162, y=17, runs=runs))
        things.append(
            Group(
                key=f"stream/{name}",
                y=round(y, 2),
                marks=marks,
                title=f"The stream {plain(name)} keeps a copy of {plain(what) or 'what it captures'}: "
                f"{_count_of(stream.messages, 'message')}.",
                state={"stream": name, "messages": stream.messages},
                light=[f"way/store/{name}"],
            )
        )


# --- the trace strip ------------------------------------------------------------------------

ARROWS = {"route": "⇒", "gateway": "⇝", "leafnode": "⤳"}


@dataclass
class Step:
    """One step of the trace as it is drawn."""

    key: str
    look: str  # flight stored dead none
    word: str
    detail: str
    t: float
    delivery: bool = False
    title: str = ""


def _steps(message: Message) -> list[Step]:
    out: list[Step] = []
    for i, hop in enumerate(message.hops):
        key = f"hop/{message.id}/{i}"
        step = Step(key, "flight", hop.step, "", hop.t)
        if hop.step == "in":
            step.detail = f"from {hop.client or message.publisher}"
            if hop.error:
                step.look, step.word, step.detail = "dead", "refused", hop.error
        elif hop.step == "map":
            if not hop.to:
                step.look, step.word, step.detail = "dead", "lost", "in the mapping"
            elif hop.to == message.published_as:
                step.word, step.detail = "kept", "by the mapping"
            else:
                step.word, step.detail = "mapped", _short_change(message.published_as, hop.to)
        elif hop.step == "store":
            step.look, step.word, step.detail = "stored", "stored", hop.stream
            if hop.error:
                step.look, step.word, step.detail = "dead", "not stored", hop.error
        elif hop.step == "egress":
            step.word = f"{ARROWS.get(hop.via, '→')} {hop.client}"
            step.detail = f"of {hop.queue}" if hop.queue else ""
            step.delivery = _delivery(hop)
            if hop.error:
                step.look, step.detail = "none", hop.error
        else:
            step.detail = f"{hop.account} {hop.to}".strip()
        step.title = plain(f"{step.word} {step.detail}".strip())
        out.append(step)
    return out


def _short_change(before: str, after: str) -> str:
    a, b = tokens(before), tokens(after)
    if len(a) == len(b):
        changed = [(x, y) for x, y in zip(a, b, strict=True) if x != y]
        if len(changed) == 1:
            return f"{changed[0][0]} ⇒ {changed[0][1]}"
    return f"⇒ {after}"


def _micro(seconds: float, first: bool) -> str:
    us = max(0, round(seconds * 1e6))
    if first:
        return "0 µs"
    return f"+{amount(us)} µs" if us < 10_000 else f"+{amount(us // 1000)} ms"


def _strip(state: State, shown: Shown, bottom: float) -> tuple[list[Mark], float]:
    """The server's trace under the picture, and the height of everything."""
    y = bottom + 30.5
    message = shown.message
    name = "The server's trace"
    if message is None:
        if shown.burst is None:
            words = "appears here with the first message"
        else:
            name, words = "Not traced", _counted(state, shown)
        runs: list[Run] = [(name, "t12 w5"), (f"  {words}", "t12 ink3")]
        return [Text(key="trace/title", x=24, y=y, runs=runs)], bottom + 100
    differs = [plain(v.sub.client) for v in shown.differs]
    if message.error:
        verdict = ""
    elif differs:
        verdict = f"differs from the matcher: {fit(_listed(sorted(set(differs))), 240, 't12')}"
    else:
        verdict = "agrees with the matcher"
    marks: list[Mark] = []
    x = 24.0 + wide(name, "t12") + 8
    marks.append(label("trace/title", 24, y, name, "t12 w5"))
    if differs:
        d = f"M{x + 5:g} {y - 9:g}L{x + 10:g} {y - 4:g}L{x + 5:g} {y + 1:g}L{x:g} {y - 4:g}Z"
        marks.append(
            Path(key="trace/delta", d=d, classes="fill dead", title="The trace and the matcher differ.")
        )
        x += 15
    if verdict:
        marks.append(label("trace/verdict", x, y, verdict, "t12 ink2" if differs else "t12 ink3"))
    end = x + wide(verdict, "t12")

    steps = _steps(message)
    if not steps:
        marks.append(label("trace/none", 24, y + 28, "The server reported no step.", "t12 ink3"))
        return marks, bottom + 100
    per = 6 if len(steps) <= 6 else 9
    pitch = 148.0 if per == 6 else 96.0
    more = len(steps) - 2 * per
    if more > 0:
        steps = steps[: 2 * per - 1]
        more += 1
    lines = [steps[i : i + per] for i in range(0, len(steps), per)]
    first = message.hops[0].t
    base = y + 28
    for line, part in enumerate(lines):
        ly = base + 66 * line
        last = line == len(lines) - 1
        x_end = 30 + pitch * (len(part) - 1 + (1 if last and more > 0 else 0))
        x0, x1 = (30.0 if line == 0 else 14.0), (x_end if last else WIDTH_END)
        if x1 > x0:
            look = "dead" if message.error else "flight"
            marks.append(
                Path(
                    key=f"trace/line{line}", d=f"M{x0:g} {ly:g}H{x1:g}", classes=f"edge {look} none", width=2
                )
            )
        _bracket(marks, part, line, pitch, ly, end)
        for i, step in enumerate(part):
            marks.append(
                _step(step, 30 + pitch * i, ly, pitch, first, step is part[-1] and message.error != "")
            )
        if last and more > 0:
            at = 30 + pitch * len(part)
            marks.append(
                Circle(key="trace/more/dot", x=at, y=ly, r=5.5, classes="edge flight base-ground", width=2)
            )
            marks.append(label("trace/more", at - 5, ly + 22, f"×{amount(more)} more", "t12 ink2"))
    return marks, base + 66 * (len(lines) - 1) + 60


WIDTH_END = 876.0


def _bracket(marks: list[Mark], part: list[Step], line: int, pitch: float, y: float, free: float) -> None:
    """A bracket over the deliveries of one line of the strip."""
    at = [i for i, s in enumerate(part) if s.delivery]
    if len(at) < 2 or line:
        return
    x0, x1 = 25 + pitch * at[0], min(WIDTH_END, 25 + pitch * at[-1] + min(pitch - 12, 96))
    words = f"{len(at)} deliveries"
    half = wide(words, "t11") / 2
    if max((x0 + x1) / 2 - half, x0) < free + 12:
        x = max((x0 + x1) / 2, free + 12 + half)
    else:
        x = (x0 + x1) / 2
    top = y - 23.5
    marks.append(
        Path(
            key="trace/bracket",
            d=f"M{x0:g} {top + 4.5:g}V{top:g}H{x1:g}V{top + 4.5:g}",
            classes="edge line none",
        )
    )
    if x + half <= WIDTH_END:
        marks.append(label("trace/deliveries", x, y - 28, words, "t11 ink3 middle"))


def _step(step: Step, x: float, y: float, pitch: float, first: float, whole: bool) -> Group:
    glyph: Mark
    if step.look == "stored":
        glyph = Rect(key=f"{step.key}/dot", x=-7, y=-7, w=14, h=14, r=3, classes="fill stored halo")
    elif step.look == "dead":
        glyph = Rect(key=f"{step.key}/dot", x=-6.5, y=-6.5, w=13, h=13, r=3, classes="fill dead halo")
    elif step.look == "none":
        glyph = Circle(key=f"{step.key}/dot", x=0, y=0, r=5, classes="edge ink3 base-ground", width=1.5)
    else:
        glyph = Circle(key=f"{step.key}/dot", x=0, y=0, r=5.5, classes="fill flight halo")
    room = WIDTH_END - x - 10 if whole else pitch - 12
    word = fit(step.word, room if not step.detail else room * 0.75, "t12")
    runs: list[Run] = [(word, "t12 w6")]
    left = room - wide(word, "t12") - 8
    if step.detail and left > 24:
        runs.append((" " + fit(step.detail, left, "t12"), "t12 ink2"))
    marks: list[Mark] = [
        glyph,
        Text(key=f"{step.key}/word", x=-5, y=22, runs=runs),
        label(f"{step.key}/time", -5, 38, _micro(step.t - first, step.t == first), "t11 mono ink3"),
    ]
    return Group(key=step.key, x=round(x, 2), y=round(y, 2), marks=marks, title=step.title)


def _counted(state: State, shown: Shown) -> str:
    """A burst in one line."""
    burst = shown.burst
    assert burst is not None
    who = _listed([plain(p) for p in sorted(burst.publishers)][:3]) if burst.publishers else "nobody"
    got = sorted((v for v in shown.verdicts if v.got), key=lambda v: (-v.sub.burst, v.sub.client))
    words = f"{amount(burst.count)} published by {who}"
    parts = [f"{amount(v.sub.burst)} received by {plain(v.sub.client)}" for v in got]
    kept = 0
    for part in parts:
        if wide(f"{words}; {part}, and more", "t12") > 740:
            break
        words += f"; {part}"
        kept += 1
    if kept < len(parts):
        words += ", and more"
    return fit(words, 760, "t12")


# --- flights and legend ---------------------------------------------------------------------


def _flights(shown: Shown, plan: Plan, pubs: list[tuple[str, float]]) -> list[Flight]:
    """The shown message on its way: to the fork, and from there a copy to each receiver."""
    message = shown.message
    if message is None:
        return []
    places = dict(pubs)
    y = places.get(message.publisher, places.get("", plan.root.y))
    root = (plan.entry, plan.root.y)
    group = f"msg/{message.id}"
    way: list[Point] = [(PUB_PORT, y), (plan.entry, y), root]
    if plan.card and message.mapped_to and abs(y - root[1]) > 1:
        way = [(PUB_PORT, y), (BOX_X + 8, y), (BOX_X + 8, root[1]), root]
    t0, t1 = message.t, message.t + message.took
    if not shown.reached and not message.stored_in:
        lost = message.outcome
        stop: Point = {"refused": (BOX_X, y), "lost": (CARD_R, root[1])}.get(lost, root)
        d = points_path(straight(_cut(way, stop[0]) if lost == "refused" else [*way[:-1], stop]))
        word = {"refused": "refused", "lost": "lost"}.get(lost, "gone")
        return [
            Flight(
                key=f"fly/{message.id}", d=d, x=round(stop[0], 2), y=round(stop[1], 2), t0=t0, t1=t1, group=group,
                end="refused" if lost == "refused" else "lost", classes="dead fill", label=word,
                title=f"{plain(message.published_as)} ended here.",
            )
        ]  # fmt: skip
    ends: list[tuple[int, str, list[Point], float]] = []
    for leaf in plan.leaves:
        for i, v in enumerate(leaf.verdicts):
            if not v.got:
                continue
            line = leaf.line_y(i)
            points = leaf.points
            rest = PORT
            if leaf.queue:
                points = [*points, (HULL, leaf.y), (HULL, line), (MEMBER_PORT, line)]
                rest = MEMBER_PORT
            elif leaf.lines > 1:
                points = [*points[:-1], (FAN, leaf.y), (FAN, line), (PORT, line)]
            ends.append((v.order, v.sub.key, points, rest))
    ends.sort()
    if not ends:
        return []
    fork = _fork([points for _, _, points, _ in ends]) if len(ends) > 1 else [root]
    d = points_path(straight([*way, *fork]))
    out: list[Flight] = []
    for i, (_, key, points, rest) in enumerate(ends):
        inner = rest == MEMBER_PORT or points[-2][0] == FAN
        x = rest - 15 if inner else rest - 20 - 8 * min(i, 1)
        copy = [fork[-1], *points[_after(points, fork[-1]) :]]
        out.append(
            Flight(
                key=f"fly/{message.id}/{key}", d=points_path(straight(copy)), x=x, y=points[-1][1], t0=t0, t1=t1,
                group=group, delay=round(min(0.8, 0.4 + 0.06 * i), 2), title=f"A copy for {plain(key.split('/')[1])}.",
            )
        )  # fmt: skip
    # In a still it rests under the first copy: one message, drawn where it arrived.
    out.insert(
        0,
        Flight(
            key=f"fly/{message.id}",
            d=d,
            x=out[0].x,
            y=out[0].y,
            t0=t0,
            t1=t1,
            group=group,
            title="On its way in.",
        ),
    )
    return out


def _fork(ways: list[list[Point]]) -> list[Point]:
    """The part that all ways share, as points."""
    shared: list[Point] = []
    for points in zip(*ways, strict=False):
        if len(set(points)) > 1:
            break
        shared.append(points[0])
    return shared or [ways[0][0]]


def _after(points: list[Point], fork: Point) -> int:
    return max(i for i, p in enumerate(points) if p == fork) + 1 if fork in points else 1


def _legend(shown: Shown) -> list[Legend]:
    out: list[Legend] = []
    message = shown.message
    if message is None and shown.burst is None:
        return out
    if message is not None and message.deliveries:
        out.append(Legend("flight fill", "circle", "delivered", message.deliveries))
    missed = sum(1 for v in shown.verdicts if not v.got)
    if shown.burst is not None:
        out.append(Legend("flight edge", "line", "a way with counted messages"))
    if message is not None and message.stored_in:
        out.append(Legend("stored fill", "square", "stored", len(message.stored_in)))
    if message is not None and not message.deliveries and not message.stored_in:
        out.append(
            Legend("dead fill", "circle", message.outcome if message.outcome != "nobody" else "gone", 1)
        )
    if missed:
        out.append(Legend("ink3 edge base-ground", "ring", "not reached", missed))
    if shown.differs:
        out.append(Legend("dead fill", "diamond", "trace and matcher differ", len(shown.differs)))
    return out


# --- DOT ------------------------------------------------------------------------------------


def dot(state: State) -> str:
    """The same as a graph in DOT: publishers, the tree of patterns, subscriptions."""
    shown = _shown(state)
    plan = _plan(state, shown)
    active = set(_active(shown))
    out = ["digraph routing {", "  rankdir=LR; node [shape=box, style=rounded, fontsize=11];"]

    def edge(a: str, b: str, on: bool) -> None:
        out.append(f"  {_quoted(a)} -> {_quoted(b)}{' [penwidth=3]' if on else ''};")

    out.append(f"  {_quoted('server')} [label={_quoted(next(iter(sorted(state.servers)), 'server'))}];")
    for name in state.publishers:
        out.append(f"  {_quoted('pub/' + name)} [label={_quoted(name)}, shape=plain];")
        edge("pub/" + name, "server", name in active)
    for node in _walk(plan.root):
        here = node.key if node.kind != "root" else "server"
        for child in node.sorted_nodes():
            style = ', style="rounded,dashed"' if child.kind == "star" else ""
            out.append(f"  {_quoted(child.key)} [label={_quoted(child.text)}{style}];")
            edge(here, child.key, child.taken)
        for leaf in node.leaves:
            for v in (*leaf.verdicts, *leaf.more):
                name = v.sub.client + (f" ({leaf.queue})" if leaf.queue else "")
                out.append(f"  {_quoted(v.sub.key)} [label={_quoted(name)}, shape=plain];")
                edge(here, v.sub.key, v.got)
    if plan.rest:
        out.append(f"  {_quoted('sub/more')} [label={_quoted(f'{len(plan.rest)} more')}, shape=plain];")
        edge("server", "sub/more", any(v.got for v in plan.rest))
    return "\n".join([*out, "}"]) + "\n"


def _quoted(text: str) -> str:
    return '"' + plain(text).replace("\\", "\\\\").replace('"', '\\"') + '"'
