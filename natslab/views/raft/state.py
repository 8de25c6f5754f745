"""What the raft view knows: RAFT groups, their members and logs, elections, and wires between servers."""

from __future__ import annotations

import bisect
import re

import msgspec

from natslab.views.view import ViewState

META = "_meta_"
GROUPS = 24  # groups that are known in all detail, where none was asked for
LISTED = 400  # groups that are known at all
ENTRIES = 120  # entries of a log that are known singly
RUNS = 40  # stretches of a log with one term each
ELECTIONS = 8  # of one group
STORY = 14  # sentences
STOPS = 60  # of them, for who goes back step by step
TWICE = 40  # indexes that two entries had
FLOWN = 40  # messages of a group that are kept to be drawn
ASKS = 40  # publishes that may still be answered, or were not stored
EARLIEST, LATEST = 4.0, 9.0  # seconds of silence after which a follower asks for votes (2.15)
LAG = 1.0  # seconds by which a server's report may be older than what was seen since


class Wire(msgspec.Struct, omit_defaults=True):
    """What is between two servers of the lab."""

    a: str
    b: str
    state: str = "open"  # open | cut | held | delayed
    delay: float = 0.0  # seconds, each way
    since: float = 0.0  # tape seconds when it came into this state
    connected: bool = False
    laid: bool = False  # it had a connection before

    @property
    def carries(self) -> bool:
        """Whether a message gets through, both servers being well."""
        return self.state in ("open", "delayed") and (self.connected or not self.laid)


class Log(msgspec.Struct, omit_defaults=True):
    """A server's log as far as it is known: stretches of entries that have the same term."""

    first: int = 0  # what it still has begins here; 0: not known
    last: int = 0
    runs: list[tuple[int, int]] = []  # (first index, term), in order; the last one ends at `last`

    def term(self, index: int) -> int:
        """The term of an entry; 0 where it has none or it is not known."""
        if not 0 < index <= self.last:
            return 0
        at = bisect.bisect_right(self.runs, index, key=lambda run: run[0]) - 1
        return self.runs[at][1] if at >= 0 else 0

    def put(self, index: int, term: int) -> None:
        """Its last entry is this one: what it had from there on is gone, gaps before it are not known."""
        if index <= 0:
            self.last, self.runs = 0, []
            return
        if index <= self.last:
            self.cut(index - 1)
        # Terms never fall: between two entries of one term there is no other.
        if not self.runs or self.runs[-1][1] != term:
            if self.runs and index > self.last + 1:
                self.runs.append((self.last + 1, 0))
            self.runs.append((index, term))
        self.last = index
        del self.runs[:-RUNS]

    def cut(self, last: int) -> None:
        """Nothing after `last` is left."""
        if last < self.last:
            self.last = max(0, last)
            while self.runs and self.runs[-1][0] > self.last:
                self.runs.pop()

    def like(self, other: Log, last: int) -> None:
        """Up to `last` it is a copy of `other`, and nothing comes after that."""
        kept = [run for run in other.runs if run[0] <= last]
        if kept and self.runs and kept[0][0] > self.runs[0][0]:
            kept = [run for run in self.runs if run[0] < kept[0][0]] + kept
        self.runs, self.last = kept[-RUNS:], last

    def agrees(self, other: Log) -> int:
        """Up to where two logs are known to be the same; what is not known of one does not differ."""
        last = min(self.last, other.last)
        for index in sorted({r[0] for r in (*self.runs, *other.runs) if r[0] <= last} | {last}):
            mine, theirs = self.term(index), other.term(index)
            if mine and theirs and mine != theirs:
                return index - 1
        return last


class Member(msgspec.Struct, omit_defaults=True):
    """One server's part in a group."""

    name: str
    role: str = ""  # leader | candidate | follower; "" while it is not known
    term: int = 0
    voted: str = ""  # for whom, in that term
    heard: float = -1.0  # tape seconds when the last append came to it; -1: none was seen
    commit: int = 0  # up to where it knows that entries are committed
    log: Log = msgspec.field(default_factory=Log)
    seen: float = -1.0  # tape seconds of the newest that is known of it; -1: nothing
    moved: float = -1.0  # tape seconds when its log was last seen to change
    shorter: bool = False  # its last report had less than what was seen
    thawed: float = -1.0  # tape seconds when it went on after it was frozen


class Answer(msgspec.Struct, omit_defaults=True):
    """What became of one request for a vote."""

    asked: float = -1.0  # tape seconds when it came to the voter; -1: it did not
    lost: bool = False  # it was sent and did not arrive
    ok: bool | None = None  # the vote; None: none was seen
    comes: float = -1.0  # tape seconds when the answer is with the candidate; -1: it does not get there
    why: str = ""  # of a refusal, as far as it is known
    rpc: str = ""  # names the request


class Election(msgspec.Struct, omit_defaults=True):
    """One server asks for votes in one term."""

    term: int
    who: str
    n: int  # event of the first request
    t: float
    silence: float = -1.0  # seconds that it had heard nothing; -1: not known
    before: str = ""  # who led until then
    answers: dict[str, Answer] = {}
    won: bool = False
    over: bool = False
    end: int = 0  # event with which it was settled
    settled: int = 0  # event by which the new leader had its first entry acknowledged

    def knows(self, now: float) -> list[str]:
        """Whose votes the candidate knows that it has, its own included."""
        return [self.who, *(v for v, a in self.answers.items() if a.ok and 0 <= a.comes <= now)]

    def granted(self) -> list[str]:
        """Who voted for it, whether it knows that or not."""
        return [self.who, *(v for v, a in self.answers.items() if a.ok)]


class Entry(msgspec.Struct, omit_defaults=True):
    """What one append put into the log, under one index."""

    index: int
    term: int
    by: str  # the leader that made it
    t: float = 0.0
    count: int = 1  # entries in it
    ops: list[str] = []
    messages: int = 0  # of them, messages that were published to the stream
    asked: int = 0  # of these, those whose publishers wait or waited for an answer
    guess: bool = False  # nobody saw it being sent: its leader's report says that it is there
    late: bool = False  # the story tells that it is not committed
    seqs: list[int] = []  # what publishers were told that they are, as far as answers were seen
    done: float = -1.0  # tape seconds when it was first known to be committed


class Message(msgspec.Struct, omit_defaults=True):
    """A message of the protocol, to be drawn."""

    n: int
    t: float
    what: str
    a: str
    b: str
    term: int
    index: int = 0
    entries: int = 0
    ok: bool = False
    count: int = 1
    comes: float = -1.0  # tape seconds when it is there; -1: it is not
    lost: str = ""
    answered: bool = False
    to: int = 0  # of an answer: event of the request
    guess: bool = False  # nobody saw both its ends

    @property
    def asks(self) -> bool:
        """Whether it is a request, and no answer."""
        return self.what not in ("voted", "appended")


class Lost(msgspec.Struct, omit_defaults=True):
    """What did not come through a wire in one direction since it is as it is."""

    heartbeats: int = 0
    appends: int = 0
    votes: int = 0
    answers: int = 0
    others: int = 0

    @property
    def total(self) -> int:
        """All of them."""
        return self.heartbeats + self.appends + self.votes + self.answers + self.others


class Line(msgspec.Struct, omit_defaults=True):
    """One sentence of the story."""

    id: int  # counts them
    n: int  # event with which all of it had happened
    t: float
    text: str
    until: float = 0.0  # tape seconds of the newest that it tells of
    what: str = ""  # lines of one kind that follow each other may become one
    of: list[str] = []  # what it tells of: servers, wires, numbers
    term: int = 0  # of the entries that it tells of


class Group(msgspec.Struct, omit_defaults=True):
    """One RAFT group: the servers that hold the replicas of one thing."""

    name: str
    type: str = ""  # meta | stream | consumer
    stream: str = ""
    consumer: str = ""
    by: str = ""  # how its messages become known: wire, system account, monitoring
    peers: list[str] = []
    members: dict[str, Member] = {}
    needed: int = 0  # for a quorum, in the servers' words; 0: not told
    leader: str = ""  # who won the newest term that has a leader; "" when nobody is known to lead
    term: int = 0  # of that leader
    since: float = 0.0  # tape seconds when it was known to lead
    lost: bool = False  # a server said that the quorum is lost
    handed: float = -1.0  # tape seconds when the leader last put into the log that another is to lead
    known: dict[str, int] = {}  # up to where the leader knows that each follower has its log
    coming: list[tuple[float, str, int]] = []  # the same of answers on their way: tape seconds when there
    elections: list[Election] = []
    entries: dict[str, Entry] = {}  # by "index/term"
    told: int = -1  # up to where the story tells that entries are committed; -1: it has not begun
    flown: list[Message] = []
    gone: dict[str, Lost] = {}  # "n1>n2" -> what did not arrive
    twice: list[int] = []  # indexes that two entries had, of two terms
    story: list[Line] = []  # in the order of time
    lines: int = 0  # sentences that there were
    stops: list[tuple[int, int, bool]] = []  # event and line of each, and whether it is a turn of the story
    active: float = 0.0  # tape seconds of the last news

    @property
    def quorum(self) -> int:
        """How many members it takes to elect and to commit."""
        return self.needed or len(self.peers) // 2 + 1

    @property
    def commit(self) -> int:
        """The highest index that any member knows to be committed."""
        return max((m.commit for m in self.members.values()), default=0)

    @property
    def last(self) -> int:
        """The highest index in any log."""
        return max((m.log.last for m in self.members.values()), default=0)

    @property
    def title(self) -> str:
        """What it is the group of, in words."""
        if self.type == "consumer" and self.consumer:
            return f"{self.stream} > {self.consumer}"
        return self.stream or ("Meta group" if self.type == "meta" else self.name)


class Stream(msgspec.Struct, omit_defaults=True):
    """What of a stream's configuration matters here."""

    name: str
    replicas: int = 1
    subjects: list[str] = []
    place: str = ""  # the only server that has it, where it has one replica


class Ask(msgspec.Struct, omit_defaults=True):
    """A publish that wants to know whether its message was stored."""

    id: str
    client: str
    place: str  # the server that its client is connected to
    subject: str
    t: float
    timeout: float  # seconds that it waits; 0: not known
    outcome: str = ""  # timeout | refused | stored (its entry is not known yet); "" while it waits
    seq: int = 0  # in the stream, once it is stored
    ended: float = 0.0
    why: str = ""
    index: int = 0  # of the entry that it is in; 0: it is in none, or that is not known
    term: int = 0


class State(ViewState, kw_only=True):
    """The RAFT groups of a lab; `of` names one: a stream, a stream and a consumer, or meta."""

    groups: dict[str, Group] = {}
    wires: dict[str, Wire] = {}  # by pair_of
    streams: dict[str, Stream] = {}
    places: dict[str, str] = {}  # client -> the server it is connected to
    asks: dict[str, Ask] = {}  # by id

    def group(self, stream: str = "", consumer: str = "") -> Group:
        """The group of a stream or a consumer, or the meta group. KeyError if there is none."""
        for group in self.groups.values():
            if group.stream == stream and group.consumer == consumer and group.type:
                return group
        raise KeyError(f"{stream} {consumer}".strip() or META)


def natural(name: str) -> list[tuple[int, str]]:
    """An order in which n2 comes before n10."""
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in re.split(r"(\d+)", name)]


def pair_of(a: str, b: str) -> str:
    """The key of the wire between two servers, in whatever order."""
    return f"{min(a, b)}|{max(a, b)}"


def parted(peers: list[str], broken: set[str]) -> list[list[str]]:
    """The parts that no whole wire joins any more, but for the largest; the smallest first."""
    parts: list[list[str]] = []
    left = list(peers)
    while left:
        part, grown = [left.pop(0)], True
        while grown:
            near = [p for p in left if any(pair_of(p, q) not in broken for q in part)]
            grown = bool(near)
            part += near
            left = [p for p in left if p not in near]
        parts.append(sorted(part, key=peers.index))
    return sorted(parts, key=len)[:-1]


def start(of: tuple[str, ...] = ()) -> State:
    """`of`: a stream, a stream and a consumer, or meta; without any, the one stream or else the meta group,
    with the other groups below it, or a list of all."""
    return State(of=of)


def up(state: State, name: str) -> bool:
    """Whether a server runs and can answer."""
    return state.servers.get(name, "up") in ("up", "lame duck")


def wire(state: State, a: str, b: str) -> Wire | None:
    """The wire between two servers, where there is one of ours."""
    return state.wires.get(pair_of(a, b))


def talk(state: State, a: str, b: str) -> bool:
    """Whether messages get from one to the other."""
    between = wire(state, a, b)
    return up(state, a) and up(state, b) and (between is None or between.carries)


def reach(state: State, group: Group, name: str) -> list[str]:
    """The members of a group that one of them reaches, itself included; none when it is not up itself."""
    if not up(state, name):
        return []
    return [p for p in group.peers if p == name or talk(state, name, p)]


def leaders(state: State, group: Group) -> list[Member]:
    """Who says now that it leads, the highest term first."""
    found = [m for m in group.members.values() if m.role == "leader" and up(state, m.name)]
    return sorted(found, key=lambda m: -m.term)


def leader_of(state: State, group: Group) -> Member | None:
    """Who leads in the newest term, as far as it is up."""
    found = leaders(state, group)
    return found[0] if found and found[0].term >= group.term else None


def known_by_leader(group: Group, name: str, now: float) -> int:
    """Up to where the leader knows that a follower has its log."""
    arrived = (index for t, who, index in group.coming if who == name and t <= now)
    return max(group.known.get(name, 0), *arrived, 0)


def candidate(group: Group) -> Election | None:
    """The election that is going on."""
    last = group.elections[-1] if group.elections else None
    return last if last is not None and not last.over and last.who in group.peers else None


def wanted(state: State, group: Group) -> bool:
    """Whether it is known in all detail: the one that was asked for, or one of the first ones."""
    if not state.of:
        return group.type == "meta" or len(state.groups) <= GROUPS
    return not group.type or matches(state.of, group)


def matches(of: tuple[str, ...], group: Group) -> bool:
    """Whether `of` names that group."""
    if of[:1] == ("meta",) and group.type == "meta":
        return True
    return group.stream == of[0] and group.consumer == (of[1] if len(of) > 1 else "")
