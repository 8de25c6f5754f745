"""What the routing view knows: subscriptions, messages and their ways, publishers, streams."""

from __future__ import annotations

import re

import msgspec

from natslab.tape.event import Hop
from natslab.tape.subject import matches, overlaps
from natslab.views.view import ViewState

RECENT = 50  # traced messages that are kept
HOPS = 256  # hops kept of one message; all are counted
GAP = 1.0  # seconds of silence that end a burst of counted messages

#: What joins two servers.
LINKS = ("route", "gateway", "leafnode")
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
    run: int = 0  # of these, without a pause up to the last one
    run_t: float = -10.0  # when that last one came
    burst: int = 0  # of these, in the present burst
    spans: list[tuple[int, int]] = []  # event numbers between which the server knew it; 0 = still
    since: float = 0.0  # when it began, or came back
    was: int = 0  # another one has taken its place (client, sid) since

    @property
    def received(self) -> int:
        """Messages it received; of a client that is not the lab's own, what the server counted."""
        # Its report may be older than the newest trace.
        # Traces are not added: a traced message may be one of many that its receiver only counted.
        return max(self.told, self.got) if self.foreign else self.got + self.bulk

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
    passed_on: bool = False  # the rest of its trace is of another message

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
    servers: list[str] = []  # that have it


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
    rush: float = -10.0  # when messages that are counted in bulk came last
    publishers: dict[str, Publisher] = {}
    pending: dict[str, Message] = {}
    messages: list[Message] = []
    burst: Burst = msgspec.field(default_factory=Burst)
    rules: dict[str, dict[str, list[tuple[str, int]]]] = {}  # account -> source -> (destination, percent)
    branches: dict[str, dict[str, int]] = {}  # source -> destination -> messages seen to take it
    streams: dict[str, Stream] = {}
    accounts: dict[str, str] = {}  # client -> account
    places: dict[str, str] = {}  # client -> the server that it is connected to
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

    @property
    def speakers(self) -> list[str]:
        """Labels of the publishers that concern this view, by what they published last."""
        return [name for name, who in self.publishers.items() if self.wants(who.subject)]

    def wants(self, *subjects: str) -> bool:
        """Whether a message with one of these subjects is shown."""
        if any(self.hides(s) for s in subjects):
            return False
        return not self.of or any(matches(o, s) for o in self.of for s in subjects)


def start(of: tuple[str, ...] = ()) -> State:
    """The state before anything happened; `of` = subjects or patterns of the messages to show."""
    return State(of=of)


def by_name(s: Subscription) -> tuple[str, str, str, int]:
    """The order of subscriptions in every list."""
    return (s.client, s.subject, s.queue, s.sid)


def is_delivery(hop: Hop) -> bool:
    """Whether a step of a trace put the message into a client's hands."""
    return hop.step == "egress" and hop.via not in LINKS and not hop.error


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
