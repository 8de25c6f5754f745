"""What the acks view knows: streams, their consumers, and the life of every message at each consumer."""

from __future__ import annotations

from typing import Any

import msgspec

from natslab.tape.subject import matches
from natslab.views.acks.once import once
from natslab.views.view import ViewState

KNOWN = 5_000  # sequences known singly, over all consumers
LEAST = 50  # of those, a consumer has at least so many
ATTEMPTS = 8  # attempts of one message that are kept
RUNS = 2_000  # runs of pending messages that are not known singly
GAPS = 2_000  # runs of sequences that a stream lost
LAG = 0.5  # seconds by which a report may be older than the events before it
STILL = 1.5  # seconds without news after which counters and cells must agree

#: A cell's states. The first three are the server's "ack pending".
WAITING = ("flight", "nak", "expired")
SETTLED = ("acked", "terminated", "removed")
LATE = 2.0  # seconds in which the news that a message left the stream explains why it is not waited for


class Attempt(msgspec.Struct, omit_defaults=True, gc=False):
    """One delivery of one message, and what became of it."""

    n: int
    t: float  # tape seconds of the delivery; below 0 where nobody saw when
    client: str = ""  # who got it, where it is a client of this lab
    reply: str = ""
    cseq: int = 0
    pending: int = 0
    held: bool = False
    inferred: bool = False  # only the consumer's counters told of it
    wpi: list[float] = []
    end: str = ""  # acked | nak | terminated | removed | expired; "" while it is open
    ended: float = 0.0
    delay: float = 0.0  # of a nak
    by: str = ""  # who answered
    wire: str = ""
    reason: str = ""

    @property
    def since(self) -> float:
        """When its time to answer began: at the delivery, or at the last +WPI."""
        return self.wpi[-1] if self.wpi else self.t


class Cell(msgspec.Struct, omit_defaults=True, gc=False):
    """One message at one consumer."""

    seq: int
    state: str = "flight"  # flight | nak | expired | acked | terminated | removed | exhausted
    attempt: int = 1  # deliveries so far
    attempts: list[Attempt] = []
    t: float = 0.0  # tape seconds of the newest news
    guessed: bool = False  # its state follows from the server's counters; nobody saw why

    @property
    def last(self) -> Attempt | None:
        """The newest delivery that anybody saw, when it is the current one."""
        return self.attempts[-1] if self.attempts and self.attempts[-1].n == self.attempt else None

    @property
    def waits(self) -> bool:
        """Whether the server waits for an ack of it."""
        return self.state in WAITING


class Totals(msgspec.Struct):
    """What the cells of a consumer say, in the server's own counters."""

    flight: int
    retry: int
    stored: int
    redelivered: int
    acked: int
    terminated: int
    exhausted: int
    removed: int = 0

    @property
    def ack_pending(self) -> int:
        """The server's num_ack_pending."""
        return self.flight + self.retry


class Consumer(msgspec.Struct, omit_defaults=True):
    """One consumer: its configuration as far as acks go, and its messages."""

    stream: str
    name: str
    place: str = ""  # the server whose word it is: its leader
    ack: str = "explicit"  # explicit | all | none | flow_control
    ack_wait: float = 30.0  # seconds
    backoff: list[float] = []
    max_deliver: int = -1
    limit: int = -1  # max_ack_pending
    filters: list[str] = []
    push: bool = False
    memory: bool = False
    paused: bool = False
    first: int = 0  # its first sequence; 0 = not known
    newest: bool = False  # of what was stored when it was made it is for each subject's last one only ...
    since: int = 0  # ... and it was made when this, or less, was stored
    left: int = 0  # what it has not handed out yet, in the server's words
    floor: int = 0
    delivered: int = 0
    dseq: int = 0  # deliveries so far, attempts of all messages
    repeats: int = 0  # of these, those that were not a message's first
    told: int = 0  # of these, those that an event or the state file told of
    cells: dict[int, Cell] = {}
    waiting: int = 0  # cells the server waits for
    runs: list[list[int]] = []  # pending ones that are not known singly: [first, last]
    beyond: int = 0  # pending ones of which only the count is known: they come after `horizon`
    horizon: int = 0
    again: int = 0  # redelivered ones that are not known singly
    says: dict[str, int] = {}  # the server's counters ...
    says_t: float = -1.0  # ... and when it gave them
    file_t: float = -1.0  # when its state file was read last; below 0 = never
    file_pending: int = 0
    file_dseq: int = 0  # deliveries that it counted
    doubts: dict[int, str] = {}  # where the file, perhaps older, disagreed: sequence -> its state there
    clients: dict[str, int] = {}  # who got how many
    changed: float = -9.0  # tape seconds of the newest event about it

    @property
    def key(self) -> str:
        """Its place in `state.consumers`."""
        return f"{self.stream}/{self.name}"

    @property
    def pending(self) -> int:
        """Messages that wait for an ack, as the cells say."""
        return self.waiting + sum(b - a + 1 for a, b in self.runs) + self.beyond

    @property
    def reconstructed(self) -> bool:
        """Whether there is no state file, so that everything here follows from events and counters."""
        return self.memory and self.file_t < 0

    def wait(self, attempt: int) -> float:
        """Seconds to answer that attempt: ack_wait, or what backoff says of it."""
        return self.backoff[min(attempt, len(self.backoff)) - 1] if self.backoff else self.ack_wait

    def deadline(self, cell: Cell) -> float | None:
        """When the time to answer ends, in tape seconds; None where that is not known."""
        last = cell.last
        if cell.state != "flight" or last is None or last.t < 0:
            return None
        return last.since + self.wait(cell.attempt)

    def due(self, cell: Cell) -> float | None:
        """When the next attempt may come, in tape seconds; None where that is not known."""
        last = cell.last
        if cell.state == "nak" and last is not None:
            return last.ended + last.delay
        if cell.state == "expired":
            return last.ended if last is not None else cell.t
        return self.deadline(cell)

    def shown(self, cell: Cell, now: float) -> str:
        """The state of a cell at that moment: one whose time is over is expired, told or not."""
        if cell.state != "flight":
            return cell.state
        end = self.deadline(cell)
        return "expired" if end is not None and now > end + 0.05 else cell.state

    def last_chance(self, cell: Cell) -> bool:
        """Whether no further attempt comes after this one."""
        return 0 < self.max_deliver <= cell.attempt

    def wants(self, subject: str) -> bool:
        """Whether a message to that subject is one for it."""
        return not self.filters or any(matches(f, subject) for f in self.filters)


class Stream(msgspec.Struct, omit_defaults=True):
    """One stream: which sequences there are."""

    name: str
    first: int = 1
    last: int = 0
    memory: bool = False
    retention: str = "limits"
    subjects: dict[int, str] = {}  # of the newest sequences
    gaps: list[list[int]] = []  # lost sequences, [first, last], in order
    says: int = -1  # messages, by the server's report
    says_t: float = -1.0
    active: float = 0.0  # tape seconds of the newest event

    @property
    def messages(self) -> int:
        """How many messages it holds, as the events say."""
        return self.within(self.first, self.last)

    def within(self, a: int, b: int) -> int:
        """How many messages it holds from `a` to `b`."""
        a, b = max(a, self.first), min(b, self.last)
        if b < a:
            return 0
        return b - a + 1 - sum(max(0, min(b, y) - max(a, x) + 1) for x, y in self.gaps)

    def holds(self, seq: int) -> bool:
        """Whether that message is there."""
        return self.first <= seq <= self.last and not any(a <= seq <= b for a, b in self.gaps)


class State(ViewState, kw_only=True):
    """All consumers, or those that `of` names: a stream, and one of its consumers."""

    streams: dict[str, Stream] = {}
    consumers: dict[str, Consumer] = {}  # "ORDERS/billing"
    deleted: dict[str, str] = {}  # stream -> the consumer that went last

    def consumer(self, stream: str, name: str) -> Consumer:
        """That consumer; KeyError when there is none."""
        return self.consumers[f"{stream}/{name}"]

    def of_stream(self, stream: str) -> list[Consumer]:
        """The consumers of a stream, in the order in which they came."""
        return [c for c in self.consumers.values() if c.stream == stream]

    def status(self, consumer: Consumer, seq: int) -> str:
        """What a message is to a consumer: a cell's state, stored, settled, or "" where it is not its."""
        cell = consumer.cells.get(seq)
        if cell is not None:
            return cell.state
        if any(a <= seq <= b for a, b in consumer.runs):
            return "flight"
        stream = self.streams[consumer.stream]
        subject = stream.subjects.get(seq)
        if seq < consumer.first or (consumer.filters and (subject is None or not consumer.wants(subject))):
            return ""
        if consumer.newest and seq <= consumer.since and seq not in newest_of(self, consumer):
            return ""
        if seq > consumer.delivered:
            return "stored" if stream.holds(seq) else ""
        if not consumer.first:
            return ""
        if stream.holds(seq) or (stream.retention != "limits" and seq <= stream.last):
            return "settled"
        return ""

    def stored(self, consumer: Consumer) -> int:
        """Messages that it has not handed out yet: the server's num_pending."""
        if consumer.newest:
            return consumer.left
        stream = self.streams[consumer.stream]
        start = max(consumer.delivered + 1, consumer.first, stream.first)
        if not consumer.filters:
            return stream.within(start, stream.last)
        ours = [s for s, subject in stream.subjects.items() if s >= start and consumer.wants(subject)]
        if sum(1 for s in stream.subjects if s >= start and stream.holds(s)) < stream.within(
            start, stream.last
        ):
            return consumer.says.get("stored", 0)  # not every subject is known: only the server can tell
        return sum(1 for s in ours if stream.holds(s))

    def totals(self, stream: str, consumer: str) -> Totals:
        """What the cells say of a consumer; at rest they are the server's counters."""
        return totals_of(self, self.consumer(stream, consumer))


@once
def totals_of(state: State, consumer: Consumer) -> Totals:
    """What the cells say, every message counted once."""
    count = dict.fromkeys((*WAITING, *SETTLED, "exhausted"), 0)
    again = consumer.again
    for cell in consumer.cells.values():
        count[consumer.shown(cell, state.now)] += 1
        again += cell.attempt > 1 and cell.state not in SETTLED
    single = consumer.waiting
    return Totals(
        flight=count["flight"] + consumer.pending - single,
        retry=count["nak"] + count["expired"],
        stored=state.stored(consumer),
        redelivered=again,
        acked=count["acked"] + settled_of(state, consumer),
        terminated=count["terminated"],
        exhausted=count["exhausted"],
        removed=count["removed"],
    )


@once
def settled_of(state: State, consumer: Consumer) -> int:
    """Messages that the consumer is done with and that have no cell any more."""
    stream = state.streams[consumer.stream]
    a, b = max(consumer.first, 1), consumer.delivered
    cells = sum(1 for s in consumer.cells if a <= s <= b)
    runs = consumer.pending - consumer.waiting
    if consumer.newest or not consumer.first or (consumer.filters and not _all_known(stream, a, b)):
        # Which ones it handed out is not known, but how many.
        return max(0, consumer.dseq - consumer.repeats - len(consumer.cells) - runs)
    if consumer.filters:
        return sum(
            1
            for s, subject in stream.subjects.items()
            if a <= s <= b and s not in consumer.cells and consumer.wants(subject) and stream.holds(s)
        ) - (runs if runs else 0)
    there = stream.within(a, b) + (0 if stream.retention == "limits" else b - a + 1 - stream.within(a, b))
    lost = (
        0
        if stream.retention != "limits"
        else sum(1 for s in consumer.cells if a <= s <= b and not stream.holds(s))
    )
    return max(0, there + lost - cells - runs)


def _all_known(stream: Stream, a: int, b: int) -> bool:
    """Whether it is known what subject each message from `a` to `b` had."""
    if stream.retention != "limits" or sum(a <= s <= b for s in stream.subjects) < stream.within(a, b):
        return False
    return sum(1 for s in stream.subjects if a <= s <= b and stream.holds(s)) == stream.within(a, b)


@once
def newest_of(state: State, consumer: Consumer) -> frozenset[int]:
    """Of what was stored when it was made, the messages that are surely each the last of their subject."""
    stream = state.streams[consumer.stream]
    found: dict[str, int] = {}
    above = consumer.since + 1
    for seq in sorted((s for s in stream.subjects if s <= consumer.since), reverse=True):
        if stream.within(seq + 1, above - 1):
            break  # of what subject these are is not known
        found.setdefault(stream.subjects[seq], seq)
        above = seq
    return frozenset(found.values())


def start(of: tuple[str, ...] = ()) -> State:
    """`of`: a stream, or a stream and one of its consumers; without any, everything there is."""
    return State(of=of)


def wanted(state: State, stream: str, consumer: str = "") -> bool:
    """Whether the view is about that stream or consumer.

    Without `of`, streams that other things are made of (buckets, MQTT) stay away.
    """
    if not state.of:
        return not stream.startswith(("KV_", "OBJ_", "$"))
    return state.of[0] == stream and (len(state.of) < 2 or not consumer or consumer in state.of[1:])


def seconds(value: Any) -> float:
    """A duration of the server's, nanoseconds, in seconds."""
    return float(value or 0) / 1e9
