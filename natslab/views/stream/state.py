"""What the stream view knows: what each stream keeps, what left it, and why."""

from __future__ import annotations

from collections import Counter

import msgspec

from natslab.tape.subject import matches
from natslab.views.view import ViewState

# Limits of what is remembered singly; counts go on for ever.
SLOTS = 5_000  # messages, of all streams together
LEAST = 250  # of one stream, however many there are
GONE = 300  # messages that left one stream
BLOCK = 1_000  # messages of a range that was told singly before
RANGES = 400
SUBJECTS = 1_000
ANSWERS = 200
HANDS = 500  # deliveries of one consumer
WINDOW = 120.0  # seconds for which a server remembers message ids unless told otherwise


class Limits(msgspec.Struct, omit_defaults=True):
    """What a stream was told to keep; 0 = no limit. Times in seconds."""

    subjects: list[str] = []
    retention: str = "limits"  # limits | workqueue | interest
    storage: str = "file"
    replicas: int = 1
    discard: str = "old"
    per_subject_too: bool = False  # discard_new_per_subject
    msgs: int = 0
    bytes: int = 0
    age: float = 0.0
    per_subject: int = 0
    consumers: int = 0
    window: float = WINDOW
    first: int = 1  # the sequence that it began with
    sealed: bool = False
    mirror: str = ""
    sources: list[str] = []


class Slot(msgspec.Struct, omit_defaults=True, array_like=True):
    """A message that a stream keeps."""

    seq: int
    subject: str = ""
    t: float = 0.0  # tape seconds when it was stored
    size: int = 0  # bytes of payload
    id: str = ""  # its Nats-Msg-Id
    ttl: float = 0.0  # seconds of its own; 0 = none, -1 = never
    twice: int = 0  # how often it came again and was not stored
    client: str = ""  # who published it, where that is known
    marker: str = ""  # the server wrote it in place of what it removed, and why


class Gone(msgspec.Struct, omit_defaults=True, array_like=True):
    """A message that left a stream, or several next to each other that were not known singly."""

    seq: int
    last: int
    why: str = ""  # as in the event Drop; "" where it is not known
    subject: str = ""
    t: float = 0.0
    count: int = 1  # how many of them were there
    inferred: bool = False  # nobody said so: it follows from the limits, or from who acked
    guessed: bool = False  # no source told of it either: this view found it out from a report
    limit: int = 0  # the limit that was lowered, where it fell to that


class Range(msgspec.Struct, omit_defaults=True, array_like=True):
    """Messages that a stream keeps and that are only counted."""

    first: int
    last: int
    subjects: dict[str, int] = {}
    t: float = 0.0  # of the newest

    @property
    def count(self) -> int:
        """How many."""
        return sum(self.subjects.values())


class Answer(msgspec.Struct, omit_defaults=True):
    """What the server said to the newest JetStream publish of a subject."""

    subject: str
    what: str  # stored | duplicate | refused
    seq: int = 0
    client: str = ""
    code: int = 0
    error: str = ""
    t: float = 0.0
    count: int = 1  # how often the same was said in a row


class Hand(msgspec.Struct, omit_defaults=True, array_like=True):
    """A message in the hands of a consumer's client."""

    client: str
    state: str  # out | acked | nak | term | expired | exhausted
    t: float  # when it was handed out, or since when its time runs
    attempt: int = 1
    held: bool = False  # the lab keeps it, so that a line can answer


class Reader(msgspec.Struct, omit_defaults=True):
    """A consumer: a cursor over the stream."""

    name: str
    delivered: int = 0  # sequence in the stream
    floor: int = 0  # everything up to here is settled
    began: int = -1  # its floor when it was first seen; -1 = not yet
    out: int = 0  # waiting for an ack
    due: int = 0  # not handed out yet
    pulls: int = 0  # waiting for messages
    ack: str = "explicit"
    wait: float = 30.0
    filters: list[str] = []
    paused: bool = False
    exact: int = 0  # n of the newest report
    hands: dict[int, Hand] = {}

    def wants(self, subject: str) -> bool:
        """Whether a message with this subject is for it."""
        return not self.filters or any(matches(f, subject) for f in self.filters)

    def settled(self, seq: int) -> bool:
        """Whether it is done with a message, as far as is known."""
        if self.ack == "none":
            return seq <= self.delivered
        hand = self.hands.get(seq)
        if hand is not None and hand.state == "exhausted":
            return False  # the floor may pass it: giving up is no answer
        return seq <= self.floor or (hand is not None and hand.state in ("acked", "term"))


class Stream(msgspec.Struct, omit_defaults=True):
    """One stream.

    For lessons: `messages`, `bytes`, `first`, `last`, `came`, `kept`, `slots`, `removed`, `reasons`,
    `answers`, `refused`, `duplicates`, `per_subject`, `readers`, `full`.
    """

    name: str
    place: str = ""  # the server whose word it is: its leader
    limits: Limits = msgspec.field(default_factory=Limits)
    slots: dict[int, Slot] = {}  # by sequence, oldest first
    ranges: list[Range] = []
    subjects: dict[str, int] = {}  # messages of each subject, in order of appearance
    gone: list[Gone] = []  # the newest, in the order in which they went
    reasons: dict[str, int] = {}  # why messages went -> how many
    answers: dict[str, Answer] = {}  # by subject, the newest last
    refused: int = 0
    duplicates: int = 0
    readers: dict[str, Reader] = {}
    bytes: int = 0  # as the server counts them, headers and subjects included
    told: int = 0  # messages in the server's newest report
    missing: int = 0  # what that report counts and nothing else tells of; negative: the other way round
    reported: float = -1.0  # tape seconds of that report
    changed: float = -1.0  # of the newest message that came or went
    first_seq: int = 0  # of the newest report
    last_seq: int = 0  # highest sequence ever given
    ids: bool = False  # some message had a Nats-Msg-Id
    by_events: bool = False  # its messages are known from events alone
    exists: bool = True
    lost: bool = False  # it was in the memory of the only server that had it, which started again
    ended: float = 0.0  # when one of this name was deleted, which no report has said yet
    renewed: bool = False  # and messages came since
    hint: str = ""  # why messages went of which it is not known which
    again: bool = False  # the only server that has it started again since the newest report

    @property
    def counted(self) -> int:
        """Messages that are known to be there, singly or in ranges."""
        return len(self.slots) + sum(r.count for r in self.ranges)

    @property
    def messages(self) -> int:
        """How many messages it keeps: the server's count, and what came and went since."""
        return max(0, self.counted + self.missing)

    @property
    def first(self) -> int:
        """Sequence of the oldest message; of an empty stream the one that the next message gets."""
        known = [self.last_seq + 1, *list(self.slots)[:1], *(r.first for r in self.ranges[:1])]
        if self.missing > 0 and self.first_seq:
            known.append(self.first_seq)
        return min(known)

    @property
    def last(self) -> int:
        """The highest sequence that it gave, whether or not that message is still there."""
        return self.last_seq

    @property
    def came(self) -> int:
        """How many messages were ever stored: sequences are never given twice."""
        return max(0, self.last_seq - self.limits.first + 1)

    @property
    def kept(self) -> list[int]:
        """Sequences of the messages that are known singly."""
        return list(self.slots)

    @property
    def removed(self) -> dict[int, str]:
        """Why messages went, of the newest: sequence -> reason."""
        return {seq: g.why for g in self.gone for seq in range(g.seq, g.last + 1) if g.last - g.seq < GONE}

    @property
    def per_subject(self) -> dict[str, int]:
        """How many messages of each subject it keeps."""
        return {s: n for s, n in self.subjects.items() if n}

    @property
    def full(self) -> str:
        """The limit of the whole stream that is reached: max_msgs, max_bytes or ""."""
        if self.limits.msgs and self.messages >= self.limits.msgs:
            return "max_msgs"
        if (
            self.limits.bytes
            and self.messages
            and self.bytes + self.bytes / self.messages > self.limits.bytes
        ):
            return "max_bytes"
        return ""

    @property
    def differs(self) -> int:
        """Messages of the server's count less those known otherwise, once both had time to agree.

        What is known from events alone may lack what others published; that is no disagreement.
        """
        return 0 if self.by_events and self.missing > 0 else self.missing

    def expires(self, slot: Slot) -> float:
        """Tape seconds when its age removes a message; 0 = never."""
        ages = [a for a in (self.limits.age if slot.ttl >= 0 else 0.0, max(0.0, slot.ttl)) if a]
        return slot.t + min(ages) if ages else 0.0

    def lets_in(self, subject: str) -> bool:
        """Whether a message of that subject would be stored now, by the limits of discard new."""
        if self.limits.discard != "new":
            return True
        at_its_limit = (
            bool(self.limits.per_subject) and self.subjects.get(subject, 0) >= self.limits.per_subject
        )
        if at_its_limit:
            # Measured on 2.15.1: it replaces its own oldest even while the stream is full.
            return not self.limits.per_subject_too
        return not self.full

    def shelves(self) -> list[str]:
        """Subjects worth a shelf: those with messages, refusals or recent losses."""
        named = [s for s, n in self.subjects.items() if n]
        named += [a.subject for a in self.answers.values()] + [g.subject for g in self.gone if g.subject]
        known = set(named)
        return list(dict.fromkeys([*(s for s in self.subjects if s in known), *named]))

    def gap_reasons(self) -> Counter[str]:
        """Why messages went, unknown ones under ""; exact."""
        found = Counter(self.reasons)
        lost = self.came - self.messages - sum(found.values())
        if lost > 0:
            found[""] += lost
        return found


class State(ViewState, kw_only=True):
    """All streams of the lab, or those that `of` names."""

    streams: dict[str, Stream] = {}

    @property
    def shown(self) -> list[Stream]:
        """Streams to draw: in the order of `of`, else by name."""
        if self.of:
            return [self.streams[name] for name in dict.fromkeys(self.of) if name in self.streams]
        # A report names several new ones in any order: their names give the same picture each time.
        return [s for _, s in sorted(self.streams.items()) if s.exists]


def start(of: tuple[str, ...] = ()) -> State:
    """`of`: names of streams; without any, every stream there is."""
    return State(of=of)
