"""What the RAFT peers of a lab say to each other, message by message, as events in a causal order.

A request is told before its answers, which carry the same `rpc`. An answer does not say which group it is
for: its subject is the inbox that the request named. Answers come in the order of the requests, but some
requests get none (those that a server ignores while it catches up).

At rest a group has one heartbeat a second to each follower. They are told singly, for it is their silence
that leads to an election; with more than MANY groups they are merged, but for the meta group's. At speed
(more than RATE appends in WINDOW between two servers in one group) everything but votes is merged, with exact
counts.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from math import inf
from typing import Literal, TypeAlias

from natslab.sources.raftwire import (
    PREFIX,
    Append,
    Appended,
    Message,
    Proposal,
    Vote,
    Voted,
    decode,
    plain,
)
from natslab.tape.event import How, Leader, Quorum, Raft

META = "_meta_"
MANY = 20  # groups; above, heartbeats are merged
WINDOW = 0.1  # seconds
RATE = 20  # appends in a window between two servers in one group that are told singly
LULL = 5.0  # seconds in which the heartbeats of many groups are merged
PATIENCE = 0.05  # seconds that an answer waits for its request, where two connections tell of them
FRESH = 3.0  # seconds; heartbeats come every second
OPEN = 4_096  # requests between two servers in one group that may wait for an answer
INBOXES = 8_192

What: TypeAlias = Literal["vote", "voted", "append", "appended", "catchup", "propose"]
_Key = tuple[str, str, str, str, str, bool]  # group, what, a, b, lost, has entries


@dataclass
class Group:
    """What is known of one group. Leader and term are those that were told last."""

    name: str
    leader: str = ""
    term: int = 0
    commit: int = 0
    needed: int = 0  # servers for a quorum; 0: not known
    peers: frozenset[str] = frozenset()  # names of servers; none: not known
    heard: float = -1e9  # when the last append in its term came
    claimed: float = -1e9  # when a server last said that it leads in its term
    before: tuple[str, int] = ("", 0)  # who led until a vote was asked for, and that term
    asked: float = -1e9  # when that was
    granted: set[str] = field(default_factory=set)  # who got a vote in this term
    answered: dict[str, float] = field(default_factory=dict)  # follower -> when it last stored for the leader
    lost: bool = False  # the quorum is
    lost_at: float = 0.0

    def quorum(self, since: float) -> bool:
        """Whether enough followers have answered the leader since then."""
        needed = self.needed or len(self.peers) // 2 + 1
        alive = sum(t > since for name, t in self.answered.items() if name != self.leader)
        return bool(self.leader) and needed > 1 and alive + 1 >= needed


@dataclass(slots=True)
class _Pace:
    """How fast two servers talk in one group."""

    since: float = 0.0
    count: int = 0  # appends since then
    fast: bool = False

    def quick(self, t: float, append: bool) -> bool:
        """One message more, at `t`: whether they are too fast to be told singly."""
        if not 0 <= t - self.since < WINDOW:
            self.fast = self.count > RATE and t - self.since < 2 * WINDOW
            self.since, self.count = t, 0
        self.count += append
        return self.fast or self.count > RATE


@dataclass(slots=True)
class _Way:
    """What one server asked another in one group; requests that wait for an answer are oldest first."""

    pace: _Pace  # of both directions
    # rpc, index before it and after it
    appends: deque[tuple[str, int, int]] = field(default_factory=lambda: deque(maxlen=OPEN))
    votes: deque[tuple[str, int]] = field(default_factory=lambda: deque(maxlen=8))  # rpc, term
    said: tuple[int, int] = (0, 0)  # term and commit of the last append
    stored: int = 0  # the index of the last answer


@dataclass(slots=True)
class _Heard:
    """A message, and who was seen to get it from whom."""

    src: str
    dst: str
    subject: str
    reply: str
    message: Message
    t: float
    how: How
    lost: str
    sure: bool


@dataclass(slots=True)
class _Told:
    """What is told of a message, besides how it was heard; the names are those of the event."""

    heard: _Heard
    group: str
    what: What
    a: str
    b: str
    term: int
    rpc: str
    index: int
    last_term: int = 0
    commit: int = 0
    entries: int = 0
    ops: tuple[str, ...] = ()
    ok: bool = False


@dataclass(slots=True)
class _Merged:
    """Messages of one kind from one server to another that are told as one event."""

    due: float
    count: int
    last: _Told


class Talk:
    """Turns messages into events.

    Parameters
    ----------
    tell: takes each event, in order.
    name: a server's name from its RAFT id; the id where there is none.
    patience: seconds that a message waits for what it follows from: an answer for its request, a leader's
        first append for the votes. 0 where one connection tells of both.

    Times are tape seconds and never go back by much.
    """

    def __init__(
        self,
        tell: Callable[[Raft | Leader | Quorum], None],
        name: Callable[[str], str],
        patience: float = 0.0,
    ) -> None:
        self.groups: dict[str, Group] = {}
        self.patience = patience
        self.told = 0  # messages of the protocol that became events, alone or merged
        self.unknown = 0  # that could not be read, or whose group is not known
        self._tell = tell
        self._name = name
        self._inboxes: OrderedDict[str, tuple[str, str]] = OrderedDict()  # -> group, who listens there
        self._ways: dict[tuple[str, str, str], _Way] = {}  # group, from, to
        self._merged: dict[_Key, _Merged] = {}  # in order of the first
        self._early: deque[tuple[float, _Heard]] = deque()
        self._numbers = 0

    # --- what comes ---------------------------------------------------------------------------

    def hear(
        self,
        src: str,
        dst: str,
        subject: str,
        reply: str,
        payload: bytes | memoryview,
        t: float,
        how: How = "observed",
        lost: str = "",
        sure: bool = True,
    ) -> None:
        """A message that came from `src` to `dst`; `src` is "" where that is not known.

        It is `sure` that `dst` wants it if it came on a route; elsewhere a server gets also what others
        there listen to, and only what is for a group that it is in is told.
        """
        subject, reply = plain(subject), plain(reply) if reply else reply
        message = decode(subject, payload)
        if message is None:
            self.unknown += subject.startswith(PREFIX)
            return
        heard = _Heard(src, dst, subject, reply, message, t, how, lost, sure)
        if not self._take(heard) and self.patience:
            self._early.append((t + self.patience, heard))

    @property
    def waiting(self) -> bool:
        """Whether something is to be told later: call `flush` now and then."""
        return bool(self._merged or self._early)

    def flush(self, t: float = inf, *, merged: bool = False) -> None:
        """Tell what has waited long enough at `t`; `merged`: and all that was merged."""
        while self._early and self._early[0][0] <= t:
            self._take(self._early.popleft()[1], last=True)
        for group, pair in {
            (key[0], frozenset(key[2:4])): None for key, one in self._merged.items() if merged or one.due <= t
        }:
            self._flush(group, pair)

    def forget(self, group: str) -> None:
        """The group is there no more."""
        self._flush(group)
        self.groups.pop(group, None)
        for key in [key for key in self._ways if key[0] == group]:
            del self._ways[key]

    def parted(self, a: str, b: str = "") -> None:
        """Nothing that one asked the other will be answered any more; without `b`, that any other asked."""
        for (_, one, other), way in self._ways.items():
            if a in (one, other) and (not b or b in (one, other)):
                way.appends.clear()
                way.votes.clear()

    def group(self, name: str) -> Group:
        """What is known of the group; made where it is new."""
        known = self.groups.get(name)
        if known is None:
            known = self.groups[name] = Group(name)
        return known

    # --- what others say ----------------------------------------------------------------------

    def claimed(self, group: str, leader: str, term: int, t: float, how: How = "inferred") -> None:
        """A server says of itself, at `t`, that it leads the group in that term."""
        known = self.group(group)
        if term >= known.term:
            known.claimed = t
        elif t - max(known.heard, known.asked, known.claimed) > 4 * FRESH:
            known.term = 0  # nobody has spoken in the later term for longer than an election takes
        self._leads(known, leader, term, t, how)

    def leaderless(self, group: str, term: int, t: float) -> None:
        """Every server of the group that answers says, at `t`, that nobody leads it."""
        known = self.group(group)
        if known.leader and term >= known.term and t - known.heard > FRESH / 2:
            self._leads(known, "", term, t, "inferred")

    def quorum(self, group: str, lost: bool, t: float, how: How, place: str = "") -> None:
        """It was said, or follows, that the group has lost its quorum or has it again.

        A leader that was cut off says so of its own side; while the others follow another, it is not so.
        """
        known = self.group(group)
        if lost == known.lost or (lost and known.quorum(t - FRESH)):
            return
        known.lost, known.lost_at = lost, t
        self._flush(group)
        self._tell(Quorum(t=t, source="raft", place=place, how=how, group=group, lost=lost))

    # --- one message --------------------------------------------------------------------------

    def _take(self, heard: _Heard, last: bool = False) -> bool:
        """Tell it; False if what it follows from may still come. `last`: that is not waited for."""
        message = heard.message
        if isinstance(message, Vote):
            self._vote(heard, message)
        elif isinstance(message, Append):
            return self._append(heard, message, last)
        elif isinstance(message, Proposal):
            self._propose(heard, message)
        else:
            return self._answer(heard, message, last)
        return True

    def _vote(self, heard: _Heard, vote: Vote) -> None:
        name, candidate = heard.subject.split(".", 2)[2], self._name(vote.candidate)
        group = self.group(name)
        self._inbox(heard.reply, name, candidate)
        if not _gets(group, candidate, heard):
            return
        rpc, dst = self._number(), heard.dst
        self._way(name, candidate, dst).votes.append((rpc, vote.term))
        self._flush(name)
        self._one(_Told(heard, name, "vote", candidate, dst, vote.term, rpc, vote.last_index, vote.last_term))
        if not heard.lost and vote.term > group.term:
            group.asked = heard.t
            group.granted.clear()
            if group.leader:
                group.before = (group.leader, group.term)
                self._leads(group, "", vote.term, heard.t, heard.how)
            group.term = vote.term
        self._retry(heard.reply)

    def _append(self, heard: _Heard, append: Append, last: bool) -> bool:
        leader = self._name(append.leader)
        what: What = "append"
        if heard.subject.startswith(PREFIX + "CR."):
            inbox = self._inboxes.get(heard.subject)
            if inbox is None:
                self.unknown += last or not self.patience
                return False
            (name, follower), what = inbox, "catchup"
            if follower != heard.dst:
                return True
        else:
            name = heard.subject.split(".", 2)[2]
        group = self.group(name)
        if what == "catchup":
            leader = heard.src or group.leader or leader  # named in it is who made the entry, in its term
        self._inbox(heard.reply, name, leader)
        if len(append.peers) > 1 and not heard.lost and append.term >= group.term and what == "append":
            group.peers = frozenset(self._name(peer) for peer in append.peers)
        if not _gets(group, leader, heard):
            return True
        asked = append.term == group.term and not group.leader and heard.t - group.asked < FRESH
        if asked and leader not in group.granted and self.patience and not last:
            return False  # it leads, so it was voted for; that is still on its way to us
        rpc, way = self._number(), self._way(name, leader, heard.dst)
        way.appends.append((rpc, append.prev_index, append.last))
        said = (append.term, append.commit)
        idle = not append.entries and way.said == said
        way.said = said
        _, term, commit, last_term, index, entries, ops, _ = append
        told = _Told(heard, name, what, leader, heard.dst, term, rpc, index, last_term, commit, entries, ops)
        self._put(told, way.pace, idle)
        if not heard.lost:
            self._led(group, leader, append, heard)
        self._retry(heard.reply)
        return True

    def _led(self, group: Group, leader: str, append: Append, heard: _Heard) -> None:
        """What follows from an append that went on its way."""
        again = not group.leader and (leader, append.term) == group.before
        if again and heard.t - group.asked > FRESH - 1:
            group.term = append.term  # a vote was asked for, and nothing came of it
        if append.term < group.term:
            return
        group.heard = max(group.heard, heard.t)
        self._leads(group, leader, append.term, heard.t, heard.how)
        if append.commit > group.commit:
            group.commit = append.commit
            if group.lost and heard.t > group.lost_at:
                self.quorum(group.name, False, heard.t, heard.how, leader)

    def _answer(self, heard: _Heard, message: Voted | Appended, last: bool) -> bool:
        inbox = self._inboxes.get(heard.subject)
        if inbox is None:
            self.unknown += last or not self.patience
            return False
        name, asker = inbox
        if asker != heard.dst:
            return True
        a = self._name(message.voter if isinstance(message, Voted) else message.peer)
        way = self._way(name, asker, a)
        rpc = _voted(way, message) if isinstance(message, Voted) else _appended(way, message)
        if not rpc and not last and self.patience:
            return False
        if isinstance(message, Voted):
            self._flush(name)
            self._one(_Told(heard, name, "voted", a, asker, message.term, rpc, 0, ok=message.granted))
            if message.granted and message.term == self.group(name).term:
                self.group(name).granted.add(asker)
                self._retry(f"{PREFIX}AE.{name}")
            return True
        if heard.reply.startswith(PREFIX + "CR."):
            self._inbox(heard.reply, name, a)  # where it wants what it misses
        idle = message.ok and way.stored == message.last
        way.stored = message.last
        told = _Told(heard, name, "appended", a, asker, message.term, rpc, message.last, ok=message.ok)
        self._put(told, way.pace, idle)
        group = self.group(name)
        if message.ok and asker == group.leader and not heard.lost:
            group.answered[a] = heard.t
            if group.lost and group.quorum(group.lost_at + WINDOW):
                self.quorum(name, False, heard.t, "inferred", asker)
        return True

    def _propose(self, heard: _Heard, proposal: Proposal) -> None:
        name = heard.subject.split(".", 2)[2]
        group = self.group(name)
        if heard.src and heard.dst == (group.leader or heard.dst):
            told = _Told(heard, name, "propose", heard.src, heard.dst, 0, "", 0, ops=(proposal.op,))
            self._put(told, self._way(name, heard.dst, heard.src).pace, False)

    def _leads(self, group: Group, leader: str, term: int, t: float, how: How) -> None:
        """From `t` on `leader` leads ("" is nobody), if nothing later is known."""
        known = bool(group.leader) if leader else not group.leader
        if term < group.term or (known and (term == group.term or not leader)):
            return
        group.leader, group.term = leader, term
        group.answered.clear()
        self._flush(group.name)
        self._tell(
            Leader(t=t, source="raft", place=leader, how=how, group=group.name, leader=leader, term=term)
        )

    def _retry(self, subject: str) -> None:
        """What waited and came on that subject may be told now."""
        if not self._early:
            return
        again = [one for one in self._early if one[1].subject == subject]
        if again:
            self._early = deque(one for one in self._early if one[1].subject != subject)
            for one in again:
                if not self._take(one[1]):
                    self._early.append(one)

    # --- what is remembered -------------------------------------------------------------------

    def _inbox(self, inbox: str, group: str, owner: str) -> None:
        if not inbox.startswith(PREFIX):
            return
        self._inboxes[inbox] = (group, owner)
        self._inboxes.move_to_end(inbox)
        if len(self._inboxes) > INBOXES:
            self._inboxes.popitem(last=False)

    def _way(self, group: str, a: str, b: str) -> _Way:
        way = self._ways.get((group, a, b))
        if way is None:
            back = self._ways.get((group, b, a))
            way = self._ways[group, a, b] = _Way(back.pace if back else _Pace())
        return way

    def _number(self) -> str:
        self._numbers += 1
        return str(self._numbers)

    # --- what goes out ------------------------------------------------------------------------

    def _put(self, told: _Told, pace: _Pace, idle: bool) -> None:
        """Tell it now or merged; `idle`: it says nothing new."""
        t = told.heard.t
        fast = pace.quick(t, told.what in ("append", "catchup"))
        if fast or (idle and len(self.groups) > MANY and told.group != META):
            self.told += 1
            key = (told.group, told.what, told.a, told.b, told.heard.lost, told.entries > 0)
            due = t + (WINDOW if fast else LULL)
            merged = self._merged.get(key)
            if merged is None:
                self._merged[key] = _Merged(due, 1, told)
            else:
                merged.due = min(merged.due, due)
                merged.count += 1
                merged.last = told
            return
        if self._merged:
            self._flush(told.group, frozenset((told.a, told.b)))
        self._one(told)

    def _flush(self, group: str, pair: frozenset[str] | None = None) -> None:
        """Tell what was merged of a group, or of two servers in it: what they asked, then the answers."""
        keys = [k for k in self._merged if k[0] == group and (pair is None or {k[2], k[3]} == pair)]
        for key in sorted(keys, key=lambda k: (k[1] == "appended", self._merged[k].last.heard.t)):
            merged = self._merged.pop(key)
            self._tell(_event(merged.last, merged.count))

    def _one(self, told: _Told) -> None:
        self.told += 1
        self._tell(_event(told, 1))


def _event(told: _Told, count: int) -> Raft:
    heard = told.heard
    return Raft(
        t=heard.t,
        source="raft",
        place=told.a,
        how=heard.how,
        group=told.group,
        what=told.what,
        a=told.a,
        b=told.b,
        term=told.term,
        rpc=told.rpc,
        index=told.index,
        last_term=told.last_term,
        commit=told.commit,
        entries=told.entries,
        ops=list(told.ops),
        ok=told.ok,
        count=count,
        lost=heard.lost,
    )


def _gets(group: Group, sender: str, heard: _Heard) -> bool:
    """Whether a request of `sender` to the group is for the server that got it."""
    peers, dst = group.peers, heard.dst
    unsure = peers and not heard.sure and group.name != META  # every server belongs to that one
    return dst != sender and (not unsure or dst in peers or sender not in peers)


def _voted(way: _Way, message: Voted) -> str:
    """The request that this answers: that of its term, or else the newest."""
    for i, (rpc, term) in enumerate(way.votes):
        if term == message.term:
            del way.votes[i]
            return rpc
    return way.votes.pop()[0] if way.votes else ""


def _appended(way: _Way, message: Appended) -> str:
    """The request that this answers; those before it will get no answer any more."""
    open = way.appends
    if not message.ok:
        return open.popleft()[0] if open else ""
    for i, (_, prev, last) in enumerate(open):
        # What it has already is confirmed with the index before.
        if message.last == last or (message.last == prev and i == 0):
            for _ in range(i):
                open.popleft()
            return open.popleft()[0]
    return ""
