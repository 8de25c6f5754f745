"""Queue group: who of a group got which message, and was that fair?

A group's lanes are its members. Each message of the group goes to one of the members whose
subscription matches, chosen at random (measured on 2.15.1: binomial, not round robin). So a fair
share is not n/k but a band around it: `mean` sums 1/k over the messages that were sent while the
member was one of k, `var` sums (1/k)(1 - 1/k), and 19 of 20 fair draws end within two sigma.

For lessons:

    state.groups["workers"].members      {"w1": 17, "w2": 12}      messages sent to each member
    state.groups["workers"].total        48                        their sum
    state.groups["workers"].expected     {"w1": (14.0, 3.1), ...}  mean and sigma of a fair draw
    state.groups["workers"].lost         [23]                      numbers of lost messages
    state.groups["workers"].chi2, .p     of the shares; `p` is the chance of a draw this uneven
    state.groups["workers"].fair         True, False, or None: too few to judge
    state.shares                         {"workers": {"w1": 17, ...}}
    state.plain                          {"audit": 48}             copies for plain subscribers
    state.twice                          messages that more than one group handled
"""

from __future__ import annotations

import math
import shlex
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any

import msgspec

from natslab.tape.event import Conn, Drop, Event, Hop, Many, Pub, Recv, Sub
from natslab.tape.subject import matches, overlaps
from natslab.views import scene as sc
from natslab.views.layout import fit, isolate, plain, wide
from natslab.views.scene import Action, Flight, Legend, Mark, Scene, label, points_path, shorten, text_width
from natslab.views.view import Table, ViewState, fold_common

TITLE = "Queue group"
SOURCES = "seen by this lab's clients and the server's trace"

# Limits of what is remembered singly; counts go on for ever.
BRICKS, RECENT, LANES, CLIENTS = 2_000, 1_000, 200, 50
ENOUGH = 5.0  # messages a member should expect before chance can be judged
HARDLY = 0.001  # a draw this improbable is called unfair
UNEVEN = 0.05


# --- what is known ---------------------------------------------------------------------------


class Brick(msgspec.Struct, array_like=True):
    """One message in one lane."""

    id: str
    n: int  # its number in order of publishing; 0 = not known
    state: str  # way: sent to the member | here: received | lost
    sent: float
    t: float  # tape seconds of the newest news about it


class Lane(msgspec.Struct, omit_defaults=True):
    """What one member, or one plain subscriber, got."""

    label: str
    client: str
    subs: dict[int, str] = {}  # open subscriptions: sid -> pattern
    patterns: list[str] = []  # every pattern it ever had
    count: int = 0  # messages sent to it, lost ones included
    lost: int = 0
    numbers: list[int] = []  # of the lost ones, the newest 20
    mean: float = 0.0
    var: float = 0.0
    bricks: list[Brick] = []
    bulk: int = 0  # of `count`, how many were only counted
    gone: str = ""  # left: unsubscribed | closed | lost: its connection
    came: int = 0  # it came after so many messages of the group
    went: int = 0
    opened: float = 0.0
    closed: float = math.inf
    foreign: bool = False  # not a client of this lab, so that only the server's trace tells of it
    slow: bool = False  # it threw messages away, because its handler was too slow

    @property
    def alive(self) -> bool:
        """Whether the server can choose it now."""
        return not self.gone and (bool(self.subs) or self.foreign)

    @property
    def sigma(self) -> float:
        """Standard deviation of a fair draw."""
        return math.sqrt(max(0.0, self.var))


class Group(msgspec.Struct, omit_defaults=True):
    """One queue group: its members and what they shared."""

    name: str
    lanes: dict[str, Lane] = {}
    issued: int = 0  # messages published for it while it had members
    total: int = 0  # messages that a member was chosen for
    bulk: int = 0
    missed: int = 0  # messages published while it had no member
    last: float = 0.0  # tape seconds of the newest arrival

    @property
    def members(self) -> dict[str, int]:
        """Messages sent to each member, lost ones included; members that are gone stay."""
        return {lane.label: lane.count for lane in self.lanes.values()}

    @property
    def alive(self) -> list[str]:
        """Members that the server can choose now."""
        return [lane.label for lane in self.lanes.values() if lane.alive]

    @property
    def expected(self) -> dict[str, tuple[float, float]]:
        """Mean and sigma of a fair draw for each member, over its own lifetime."""
        return {lane.label: (lane.mean, lane.sigma) for lane in self.lanes.values()}

    @property
    def lost(self) -> list[int]:
        """Numbers of the messages that were sent to a member and never arrived."""
        return sorted(n for lane in self.lanes.values() for n in lane.numbers)

    @property
    def losses(self) -> int:
        """How many messages were lost, those without a number included."""
        return sum(lane.lost for lane in self.lanes.values())

    @property
    def seen(self) -> int:
        """How many messages there were for the group, as far as is known."""
        return max(self.issued, self.total)

    def _judged(self) -> list[Lane]:
        lanes = [lane for lane in self.lanes.values() if lane.mean >= ENOUGH and lane.var > 0]
        return lanes if len(lanes) > 1 else []

    @property
    def chi2(self) -> float:
        """Pearson's statistic over the members that expect at least five messages."""
        return sum((lane.count - lane.mean) ** 2 / lane.mean for lane in self._judged())

    @property
    def p(self) -> float | None:
        """Chance that a fair draw is at least this uneven; None when there are too few messages.

        Degrees of freedom are the mean that `chi2` has in fair draws, sum of var/mean: k - 1 for
        members that were there all the time. Wilson and Hilferty's approximation.
        """
        lanes = self._judged()
        if not lanes:
            return None
        free = sum(lane.var / lane.mean for lane in lanes)
        spread = 2 / (9 * free)
        z = ((self.chi2 / free) ** (1 / 3) - (1 - spread)) / math.sqrt(spread)
        return 0.5 * math.erfc(z / math.sqrt(2))

    @property
    def fair(self) -> bool | None:
        """Whether chance explains the shares; None when there are too few messages to judge."""
        p = self.p
        return None if p is None else p >= HARDLY


class Due(msgspec.Struct, array_like=True):
    """One message and one group that should get it."""

    n: int
    among: list[str]  # the members it could go to, named once per matching subscription
    to: str = ""  # the member that was chosen


class Message(msgspec.Struct, array_like=True):
    """A published message that at least one group should get."""

    id: str
    client: str
    subject: str
    t: float
    due: dict[str, Due]


class Publisher(msgspec.Struct):
    """Who publishes for the groups."""

    client: str
    subjects: list[str]  # the newest last
    count: int = 0


class State(ViewState, kw_only=True):
    """All groups of the lab, or those that `of` names by group or subject."""

    groups: dict[str, Group] = {}
    copies: dict[str, Lane] = {}  # plain subscribers
    publishers: dict[str, Publisher] = {}
    messages: dict[str, Message] = {}  # the newest, by id
    newest: str = ""  # id of the newest message
    twice: int = 0
    strangers: dict[str, bool] = {}  # open connections that are not the lab's own

    @property
    def shares(self) -> dict[str, dict[str, int]]:
        """Messages sent to each member of each group."""
        return {name: group.members for name, group in self.groups.items()}

    @property
    def plain(self) -> dict[str, int]:
        """Copies that each plain subscriber received of the groups' messages."""
        return {name: lane.count for name, lane in _plain(self).items()}


def start(of: tuple[str, ...] = ()) -> State:
    """`of`: queue groups or subjects; without any, every group of the lab."""
    return State(of=of)


def _private(subject: str) -> bool:
    return subject.startswith(("_INBOX.", "_NATSLAB.", "$"))


# --- fold ------------------------------------------------------------------------------------


def fold(state: State, event: Event) -> None:
    """Take one event into account."""
    fold_common(state, event)
    if isinstance(event, Sub):
        _sub(state, event)
    elif isinstance(event, Conn):
        _conn(state, event)
    elif isinstance(event, Pub):
        if not event.dry:
            _pub(state, event)
    elif isinstance(event, Recv):
        _recv(state, event)
    elif isinstance(event, Hop):
        _hop(state, event)
    elif isinstance(event, Many):
        _many(state, event)
    elif isinstance(event, Drop):
        _drop(state, event)


def _wanted(state: State, queue: str, pattern: str) -> bool:
    return not state.of or any(o == queue or overlaps(o, pattern) for o in state.of)


def _sub(state: State, event: Sub) -> None:
    if event.state == "closed":
        for group, lane in _lanes(state):
            if lane.client == event.client and event.sid in lane.subs:
                del lane.subs[event.sid]
                if not lane.subs and not lane.gone:
                    _leave(state, group, lane, "left", event.t)
        return
    if _private(event.subject):
        return
    if any(
        lane.client == event.client and event.sid in lane.subs and not lane.gone for _, lane in _lanes(state)
    ):
        return  # it only got a limit
    if not event.queue:
        lane = _home(state.copies, event.client, event.subject)
    elif _wanted(state, event.queue, event.subject):
        group = state.groups.setdefault(event.queue, Group(name=event.queue))
        known = len(group.lanes)
        lane = _home(group.lanes, event.client, event.subject)
        if len(group.lanes) > known:
            lane.came = group.seen
            _forget(group)
    else:
        return
    lane.subs[event.sid] = event.subject
    if event.subject not in lane.patterns:
        lane.patterns = [*lane.patterns[-9:], event.subject]
    if lane.gone or lane.opened == 0:
        lane.opened, lane.closed = event.t, math.inf
    lane.gone, lane.foreign = "", event.client in state.strangers


def _home(lanes: dict[str, Lane], client: str, pattern: str) -> Lane:
    """The lane for a new subscription: the client's own, or another where the two would overlap."""
    name, number = client, 1
    while name in lanes:
        lane = lanes[name]
        if lane.client == client and (lane.gone or not any(overlaps(pattern, p) for p in lane.subs.values())):
            return lane
        number += 1
        name = f"{client}·{number}"
    lanes[name] = Lane(label=name, client=client)
    return lanes[name]


def _forget(group: Group) -> None:
    """Many short-lived members: the oldest that are gone and got nothing, then the oldest gone, go."""
    if len(group.lanes) <= LANES:
        return
    gone = [lane for lane in group.lanes.values() if not lane.alive]
    if gone:
        first = min(gone, key=lambda lane: lane.count > 0)
        group.total -= first.count
        del group.lanes[first.label]


def _conn(state: State, event: Conn) -> None:
    if event.state != "open":
        state.strangers.pop(event.client, None)
    elif not event.no and len(state.strangers) < CLIENTS:
        state.strangers[event.client] = True
    for group, lane in _lanes(state):
        if lane.client != event.client:
            continue
        if event.state == "open":
            if lane.gone == "lost" and lane.subs:
                lane.gone, lane.opened, lane.closed = "", event.t, math.inf
        elif not lane.gone:
            _leave(state, group, lane, event.state, event.t)
        if event.state == "closed":
            lane.subs.clear()


def _leave(state: State, group: Group | None, lane: Lane, how: str, t: float) -> None:
    lane.gone, lane.closed = how, t
    if group is not None:
        lane.went = group.seen
    for brick in lane.bricks:
        if brick.state == "way":
            _lose(lane, brick)


def _lose(lane: Lane, brick: Brick) -> None:
    brick.state = "lost"
    lane.lost += 1
    if brick.n:
        lane.numbers = [*lane.numbers[-19:], brick.n]


def _pub(state: State, event: Pub) -> None:
    if _private(event.subject):
        return
    due = {}
    for group in state.groups.values():
        among = _among(group, event.subject)
        if among:
            group.issued += 1
            due[group.name] = Due(n=group.issued, among=among)
        elif _meant(group, event.subject):
            group.missed += 1
    if due:
        _publisher(state, event.client, event.subject, 1)
        state.twice += len(due) > 1
        _remember(state, Message(event.id, event.client, event.subject, event.t, due))


def _among(group: Group, subject: str) -> list[str]:
    return [
        lane.label
        for lane in group.lanes.values()
        if lane.alive
        for pattern in (lane.patterns if lane.foreign else lane.subs.values())
        if matches(pattern, subject)
    ]


def _meant(group: Group, subject: str) -> bool:
    return any(matches(p, subject) for lane in group.lanes.values() for p in lane.patterns)


def _publisher(state: State, client: str, subject: str, count: int) -> None:
    known = state.publishers.get(client)
    if known is None:
        if len(state.publishers) >= CLIENTS:
            return
        known = state.publishers[client] = Publisher(client=client, subjects=[])
    known.subjects = [*[s for s in known.subjects if s != subject][-7:], subject]
    known.count += count


def _remember(state: State, message: Message) -> None:
    state.messages[message.id] = message
    state.newest = message.id
    if len(state.messages) > RECENT:
        del state.messages[next(iter(state.messages))]


def _recv(state: State, event: Recv) -> None:
    message = state.messages.get(event.id) if event.id else None
    if not event.queue:
        lane = _lane(state.copies, event.client, event.sid)
        if lane is None or _private(event.subject):
            return
        meant = next((g for g in state.groups.values() if _meant(g, event.subject)), None)
        if message is None and (event.id or meant is None):
            return
        if any(brick.id == event.id for brick in lane.bricks):
            return
        lane.count += 1
        n = min(d.n for d in message.due.values()) if message and message.due else 0
        _lay(state, lane, Brick(event.id or f"{lane.label}#{lane.count}", n, "here",
                                message.t if message else event.t, event.t))  # fmt: skip
        return
    group = state.groups.get(event.queue)
    lane = _lane(group.lanes, event.client, event.sid) if group else None
    if group and lane:
        _land(state, group, lane, event.id, event.subject, event.t, "here")


def _hop(state: State, event: Hop) -> None:
    if event.step != "egress" or event.via != "client" or not event.queue:
        return
    group, message = state.groups.get(event.queue), state.messages.get(event.id)
    if group is None or message is None:
        return
    who = event.client or f"cid {event.cid}"
    lanes = [lane for lane in group.lanes.values() if lane.client == who]
    if not lanes:
        lane = _home(group.lanes, who, event.sub)
        lane.foreign, lane.opened, lane.came = True, event.t, max(0, group.seen - 1)
        lane.patterns = [event.sub or event.subject]
        lanes = [lane]
    # Several subscriptions of one client look alike in a trace; its own report tells them apart.
    alive = [lane for lane in lanes if lane.alive]
    if len(alive) > 1:
        return
    lane = alive[0] if alive else lanes[-1]
    if lane.foreign and lane.gone:
        lane.gone, lane.opened, lane.closed = "", event.t, math.inf
    how = "here" if lane.foreign and not event.error else "way"
    _land(state, group, lane, event.id, event.subject or message.subject, event.t, how)
    if event.error or lane.gone:
        for brick in lane.bricks[-50:]:
            if brick.id == event.id and brick.state == "way":
                _lose(lane, brick)


def _land(state: State, group: Group, lane: Lane, id: str, subject: str, t: float, how: str) -> None:
    """News that `lane` was chosen for a message ("way"), or received it ("here")."""
    message = state.messages.get(id) if id else None
    if message is None and id:
        # Published before the group existed as far as we know, or mapped to another subject.
        message = Message(id, "", subject, t, {})
        _remember(state, message)
    due = message.due.get(group.name) if message else None
    brick = next((b for b in reversed(lane.bricks) if id and b.id == id), None)
    if brick is not None:
        if how == "here" and brick.state != "here":
            if brick.state == "lost":
                lane.lost -= 1
                lane.numbers = [n for n in lane.numbers if n != brick.n]
            brick.state, brick.t = "here", t
        return
    if due is not None and due.to == lane.label:
        return  # only counted by now
    if due is None:
        due = Due(n=0, among=_among(group, subject))
        if message is not None:
            group.issued += 1
            due.n = group.issued
            state.twice += len(message.due) == 1
            message.due[group.name] = due
    among = due.among if lane.label in due.among else [*due.among, lane.label]
    due.to, due.among = lane.label, []
    for name, weight in Counter(among).items():
        if name in group.lanes:
            p = weight / len(among)
            group.lanes[name].mean += p
            group.lanes[name].var += p * (1 - p)
    group.total += 1
    group.last = max(group.last, t)
    lane.count += 1
    key = id or f"{group.name}#{group.total}"
    _lay(state, lane, Brick(key, due.n, how, message.t if message else t, t))


def _lay(state: State, lane: Lane, brick: Brick) -> None:
    """Put a brick in order of publishing; a long lane keeps only its newest."""
    at = len(lane.bricks)
    while at and brick.n and lane.bricks[at - 1].n > brick.n:
        at -= 1
    lane.bricks.insert(at, brick)
    room = max(24, min(160, BRICKS // (1 + sum(1 for _ in _lanes(state)))))
    if len(lane.bricks) > room:
        del lane.bricks[: len(lane.bricks) - room]


def _many(state: State, event: Many) -> None:
    if event.count <= 0 or _private(event.subject):
        return
    if event.way == "pub":
        groups = 0
        for group in state.groups.values():
            if _among(group, event.subject):
                group.issued += event.count
                groups += 1
            elif _meant(group, event.subject):
                group.missed += event.count
        if groups:
            _publisher(state, event.client, event.subject, event.count)
            state.twice += event.count if groups > 1 else 0
    elif event.queue:
        found = state.groups.get(event.queue)
        lane = _lane(found.lanes, event.client, event.sid) if found else None
        if found and lane:
            _share(found, lane, event)
            lane.count += event.count
            lane.bulk += event.count
            found.total += event.count
            found.bulk += event.count
            found.last = max(found.last, event.t)
    else:
        lane = _lane(state.copies, event.client, event.sid)
        if lane and any(overlaps(event.subject, p) for g in state.groups.values() for p in _patterns(g)):
            lane.count += event.count
            lane.bulk += event.count


def _share(group: Group, lane: Lane, event: Many) -> None:
    """What a fair draw gives each member of messages spread evenly over the event's window."""

    def opened(member: Lane) -> float:
        # The window may begin before the first message; who was there by then was there for all of them.
        return member.opened if member.came else 0.0

    begin, end = max(event.since, opened(lane)), min(event.t, lane.closed)
    if begin >= end:
        begin = end = event.t
    rivals = [o for o in group.lanes.values() if any(overlaps(event.subject, p) for p in o.patterns)]
    edges = {begin, end, *(opened(o) for o in rivals), *(o.closed for o in rivals)}
    cuts = sorted(e for e in edges if begin <= e <= end)
    for a, b in list(pairwise(cuts)) or [(begin, end)]:
        there = [o for o in rivals if opened(o) <= a and o.closed >= b] or [lane]
        n = event.count * ((b - a) / (end - begin) if end > begin else 1.0)
        for other in there:
            other.mean += n / len(there)
            other.var += n / len(there) * (1 - 1 / len(there))


def _drop(state: State, event: Drop) -> None:
    """A client threw away the message that it received last, because its handler is too slow."""
    lanes = [lane for group, lane in _lanes(state) if group and lane.client == event.client and lane.count]
    if not lanes:
        return
    lane = max(lanes, key=lambda la: max((b.t for b in la.bricks), default=0.0))
    lane.slow = True
    here = [b for b in lane.bricks if b.state == "here" and (not event.id or b.id == event.id)]
    if here and lane.count == len(lane.bricks):
        _lose(lane, max(here, key=lambda b: b.t))
    else:
        lane.lost = min(lane.count, lane.lost + event.count)


def _lane(lanes: dict[str, Lane], client: str, sid: int) -> Lane | None:
    """The lane of a subscription; after its end, the client's newest."""
    found = None
    for lane in lanes.values():
        if lane.client == client:
            if sid in lane.subs:
                return lane
            found = lane
    return found


def _lanes(state: State) -> Iterator[tuple[Group | None, Lane]]:
    for group in state.groups.values():
        for lane in group.lanes.values():
            yield group, lane
    for lane in state.copies.values():
        yield None, lane


def _patterns(group: Group) -> set[str]:
    return {p for lane in group.lanes.values() for p in lane.patterns}


def _plain(state: State) -> dict[str, Lane]:
    """Plain subscribers that hear what a shown group hears."""
    patterns = {p for group in state.groups.values() for p in _patterns(group)}
    return {
        name: lane
        for name, lane in state.copies.items()
        if (lane.alive or lane.count) and any(overlaps(p, q) for p in lane.patterns for q in patterns)
    }


# --- words -----------------------------------------------------------------------------------

_COUNTS = "no one two three four five six seven eight nine ten eleven twelve".split()


def amount(n: int) -> str:
    """A whole number as people write it: 1000, 10 000."""
    return f"{n:,}".replace(",", " ") if n >= 10_000 else str(n)


def _messages(n: int) -> str:
    return f"{amount(n)} message{'' if n == 1 else 's'}"


def _word(n: int) -> str:
    return _COUNTS[n] if n < len(_COUNTS) else str(n)


def _name(text: str, most: int = 18) -> str:
    """Foreign text as a short name on one line."""
    clean = plain(text)
    return isolate(clean if len(clean) <= most else clean[: most - 1] + "…")


def _list(items: Sequence[str]) -> str:
    return items[0] if len(items) == 1 else ", ".join(items[:-1]) + " and " + items[-1]


def _verb(lane: Lane) -> str:
    if lane.lost and not lane.slow:
        return "died"
    return "lost its connection" if lane.gone == "lost" else "left"


def _range(lane: Lane) -> str:
    """A fair share with its two sigma: "14 ± 6"."""
    if lane.mean < ENOUGH:
        return f"{lane.mean:.1f} ± {2 * lane.sigma:.1f}"
    return f"{amount(round(lane.mean))} ± {amount(round(2 * lane.sigma))}"


def _there(group: Group) -> list[Lane]:
    """Members worth a word: those that are there, and those that got something."""
    return [lane for lane in group.lanes.values() if lane.count or lane.alive]


def _spread(lanes: Sequence[Lane]) -> str:
    low, high = min(lane.count for lane in lanes), max(lane.count for lane in lanes)
    return f"{amount(low)} to {amount(high)} each" if low < high else f"{amount(low)} each"


def describe(state: State) -> tuple[str, str]:
    """The shares and whether chance explains them; deaths, losses, and a second group in the note."""
    groups = list(state.groups.values())
    if not groups:
        if state.servers and "up" not in state.servers.values():
            return "No server is up.", "Queue groups appear here when one is."
        if state.of:
            return f"No queue group yet for {_list([_name(o, 30) for o in state.of])}.", ""
        return (
            "No queue group yet: nobody subscribes with a queue name.",
            "A subscription without a queue name gets its own copy of every message.",
        )
    sentence = _sentence(groups[0]) if len(groups) == 1 else _several(state, groups)
    note = ""
    for piece in _notes(state, groups):
        if not note or len(note) + 1 + len(piece) <= NOTE:
            note = f"{note} {piece}".strip()
    return sentence, note


def _sentence(group: Group) -> str:
    name, lanes, messages = _name(group.name), _there(group), _messages(group.total)
    if not group.total:
        k = len(group.alive)
        return f"{name} has {f'{k} members'[: None if k != 1 else -1]} and no message yet."
    if len(lanes) == 1:
        return f"{_name(lanes[0].label)} is alone in {name}: it got {'all ' * (group.total > 1)}{messages}."
    if group.total == 1:
        got = next(lane.label for lane in lanes if lane.count)
        return f"{name} shared 1 message: {_name(got)} got it."
    counts = _list([amount(lane.count) for lane in lanes])
    if not any(lane.var > 0 for lane in lanes):
        one = f"{name} handled {messages}, one member at a time"
        return _first(f"{one}: {counts}.", f"{one}.")
    verdict = "Too few to judge."
    if group.fair is False:
        verdict = "That is unlikely to be chance."
    elif group.fair:
        verdict = "That is a fair draw." if (group.p or 0) >= UNEVEN else "Lopsided, but chance does that."
    return _first(
        f"{name} shared {messages}{'' if group.fair is False else ' by chance'}: {counts}. {verdict}",
        f"{len(lanes)} members of {name} shared {messages}, {_spread(lanes)}. {verdict}",
        f"{len(lanes)} members shared {messages}. {verdict}",
    )


def _first(*sentences: str) -> str:
    """The first that fits into the picture, else the last."""
    return next((s for s in sentences if len(s) <= SENTENCE), sentences[-1])


def _several(state: State, groups: list[Group]) -> str:
    some = f"{_word(len(groups)).capitalize()} groups"
    named = f"{some}, {_list([_name(g.name, 14) for g in groups])}" if len(groups) < 4 else some
    handled = [g for g in groups if g.issued]
    if not any(g.total for g in groups):
        end = f"no message yet for {'both' if len(groups) == 2 else 'any'}."
    elif len(handled) > 1 and all(g.issued == state.twice for g in handled):
        end = f"every message was handled {'twice' if len(handled) == 2 else f'{_word(len(handled))} times'}."
    elif state.twice:
        end = "some messages were handled more than once."
    else:
        end = f"they shared {_list([amount(g.total) for g in groups])} messages."
    return _first(f"{named}: {end}", f"{some}: {end}", f"{some} share messages.")


def _notes(state: State, groups: list[Group]) -> Iterator[str]:
    """What else is worth saying, the most important first."""
    near = [(a.name, b.name) for i, a in enumerate(groups) for b in groups[i + 1 :] if _typo(a.name, b.name)]
    if near:
        a, b = (_name(n, 14) for n in near[0])
        yield f"{a} and {b} differ in one letter: another name is another group."
    elif len(groups) > 1 and state.twice:
        yield "Each group gets every message once; its members share."
    lanes = [(g, lane) for g in groups for lane in g.lanes.values()]
    hurt = [(g, lane) for g, lane in lanes if lane.lost]
    if len(hurt) == 1:
        yield _loss(*hurt[0])
    elif hurt:
        total = _list([amount(g.losses) for g in groups if g.losses])
        who = f" with {_list([_name(lane.label, 12) for _, lane in hurt])}" if len(hurt) < 5 else ""
        yield f"{total} messages were lost{who}: core NATS never sends again."
    for group in groups:
        if len(groups) == 1 and group.fair is False:
            yield f"χ² is {group.chi2:.0f}: fewer than one fair draw in 1000 is as uneven."
        elif len(groups) == 1 and group.p is not None and group.p < UNEVEN:
            yield f"About one fair draw in {1 / group.p:.0f} is as uneven."
        if group.missed:
            it = "it" if group.missed == 1 else "them"
            yield f"{_messages(group.missed)} came while {_name(group.name)} was empty: nobody got {it}."
        if _missing(state, group):
            yield f"{_messages(_missing(state, group))} of {amount(group.issued)} reached no member."
    left = [(g, lane) for g, lane in lanes if lane.gone and not lane.lost]
    if left and not any(g.alive for g in groups):
        yield "All members have left." if len(left) > 1 else "It has left."
    elif len(left) == 1:
        group, lane = left[0]
        heirs = any(o.alive and o.opened <= lane.closed for o in group.lanes.values())
        after = "; the others took over" if group.seen > lane.went and heirs else ""
        yield f"{_name(lane.label)} {_verb(lane)} after message {amount(lane.went)}{after}."
    elif 1 < len(left) < 5:
        yield f"{_list([_name(lane.label, 12) for _, lane in left])} left."
    late = [lane for _, lane in lanes if lane.came and lane.alive]
    if len(late) == 1:
        yield f"{_name(late[0].label)} came after message {amount(late[0].came)}."
    if any(g.bulk for g in groups):
        yield "Counted in bulk: who got which message is not known."
    elif len(groups) == 1 and len(groups[0].alive) > 1 and not left:
        yield "Each message goes to one member, chosen at random."


def _loss(group: Group, lane: Lane) -> str:
    name = _name(lane.label)
    what = f"{_messages(lane.lost)} were" if lane.lost > 1 else "One message was"
    if lane.lost == 1 and lane.numbers:
        what = f"Message {lane.numbers[0]} was"
    if lane.slow:
        return f"{name} was too slow: {what[0].lower()}{what[1:]} thrown away unread."
    start = f"{name} {_verb(lane)} after message {amount(lane.went)}. " if lane.gone else ""
    its, are = ("its", "is") if lane.lost == 1 else ("their", "are")
    end = "lost: core NATS never sends again."
    long = f"{start}{what} on {its} way to {'it' if start else name} and {are} {end}"
    return long if len(long) <= NOTE else f"{start}{what} {end}"


def _missing(state: State, group: Group) -> int:
    """Messages counted out but never in, when all that was under way must have arrived."""
    return group.issued - group.total if group.bulk and state.now > group.last + 1 else 0


def _typo(a: str, b: str) -> bool:
    """Whether one letter more, less or other, or its case, makes one name of the other."""
    if a == b or min(len(a), len(b)) < 3:
        return False
    if a.lower() == b.lower():
        return True
    short, long = sorted((a, b), key=len)
    if len(long) - len(short) == 1:
        return any(long[:i] + long[i + 1 :] == short for i in range(len(long)) if not long[i].isdigit())
    odd = [(x, y) for x, y in zip(a, b, strict=False) if x != y]
    # w1 and w2 are two names, not a slip.
    return len(a) == len(b) and len(odd) == 1 and not (odd[0][0] + odd[0][1]).isdigit()


def table(state: State) -> Table:
    """One row per group, member and plain subscriber, in the order of the lanes."""
    found = Table(
        columns=["group", "member", "messages", "lost", "fair share", "what happened"], rows=[], keys=[]
    )

    def row(key: str, *cells: str) -> None:
        found.rows.append(list(cells))
        found.keys.append(key)

    for group in state.groups.values():
        name, k = group.name, len(_there(group))
        lost = amount(group.losses) if group.losses else ""
        members = f"{k} member{'' if k == 1 else 's'}"
        row(f"hull/{name}", name, members, amount(group.total), lost, "", _verdict(state, group))
        shown, rest = _order(state, group)
        for lane in shown:
            share, key = _range(lane) if lane.var > 0 else "", f"lane/{name}/{lane.label}"
            row(key, name, lane.label, amount(lane.count), _losses(lane), share, _fate(lane))
        if rest:
            hidden = sum(lane.lost for lane in rest)
            lost = amount(hidden) if hidden else ""
            total = amount(sum(lane.count for lane in rest))
            row(f"more/{name}", name, f"{len(rest)} more", total, lost, "", _spread(rest))
    lanes = list(_plain(state).values())
    for lane in lanes[:PLAIN]:
        fate = ", ".join(s for s in ("a copy of each", _fate(lane)) if s)
        row(f"plain/{lane.label}", "", lane.label, amount(lane.count), _losses(lane), "", fate)
    if len(lanes) > PLAIN:
        rest = lanes[PLAIN:]
        row("more/", "", f"{len(rest)} more", amount(sum(lane.count for lane in rest)), "", "", "copies")
    return found


def _losses(lane: Lane) -> str:
    numbers = ", ".join(amount(n) for n in lane.numbers)
    if lane.lost == len(lane.numbers) == 1 or not lane.lost:
        return numbers
    return f"{amount(lane.lost)} ({numbers})" if numbers else amount(lane.lost)


def _fate(lane: Lane) -> str:
    if lane.gone:
        return f"{_verb(lane)} after message {amount(lane.went)}"
    return f"came after message {amount(lane.came)}" if lane.came else ""


def _verdict(state: State, group: Group) -> str:
    parts = []
    if group.p is not None:
        words = "a fair draw"
        if group.fair is False:
            words = "fewer than 1 fair draw in 1000 is as uneven"
        elif group.p < UNEVEN:
            words = f"about 1 fair draw in {1 / group.p:.0f} is as uneven"
        parts.append(f"{_spread(_there(group))}, χ² {group.chi2:.0f}: {words}")
    if group.missed:
        parts.append(f"{amount(group.missed)} while it was empty")
    if _missing(state, group):
        parts.append(f"{amount(_missing(state, group))} of {amount(group.issued)} reached no member")
    return "; ".join(parts)


def dot(state: State) -> str:
    """Publishers, groups, members and how many messages went where."""

    def node(*parts: str) -> str:
        return '"' + plain("/".join(parts)).replace("\\", "\\\\").replace('"', '\\"') + '"'

    lines = ["digraph queue {", "  rankdir=LR; node [shape=box, style=rounded];"]
    lines += [f"  {node('pub', p)} [label={node(p)}, shape=plaintext];" for p in state.publishers]
    for g in state.groups.values():
        lines.append(f"  {node('group', g.name)} [label={node(g.name)}, shape=hexagon];")
        lines += [f"  {node('pub', p)} -> {node('group', g.name)};" for p in state.publishers]
        for lane in g.lanes.values():
            member, gone = node("lane", g.name, lane.label), ", style=dashed" if lane.gone else ""
            lines.append(f"  {member} [label={node(lane.label)}{gone}];")
            lines.append(f"  {node('group', g.name)} -> {member} [label={lane.count}{gone}];")
    for lane in _plain(state).values():
        lines.append(f"  {node('plain', lane.label)} [label={node(lane.label)}];")
        copies = f"-> {node('plain', lane.label)} [label={lane.count}];"
        lines += [f"  {node('pub', p)} {copies}" for p in state.publishers]
    return "\n".join([*lines, "}"])


# --- places ----------------------------------------------------------------------------------

NAMES = 238.0  # member names begin
PORT, SPLIT, GATE, TRUNK, SOURCE = 226.0, 190.0, 168.5, 150.0, 129.0
END = 862.0  # counts end here
PITCH, SLIM, LEAST = 22.0, 8.9, 3.5  # one message: as a numbered brick, a slim one, the least of a copy
COPY = (SLIM, 7.2, 5.9, 4.9, 4.1, LEAST)
LANE, TIGHT = 52.0, 20.0  # lane to lane
TOP = 168.0  # of the first lane's middle
SEAT = 46.0  # publisher to publisher
SENTENCE, NOTE = 85, 105  # characters that fit
MANY = 12  # more members than this: sorted tight lanes
SHOWN = 30  # of the tight lanes; the middle ones are counted
PLAIN, SEATS = 5, 3  # plain subscribers and publishers shown singly
RECENTLY = 1.5  # seconds for which a message's flight is offered

Point = tuple[float, float]


class _Plan(msgspec.Struct):
    """The scale of one picture."""

    x0: float  # bricks begin
    right: float  # bricks, bands and words end
    unit: float  # pixels per message
    how: str  # numbered | slim | bar
    tight: bool

    def x(self, messages: float) -> float:
        """Where so many messages end."""
        return self.x0 + messages * self.unit


def _tight(state: State) -> bool:
    return sum(len(g.lanes) for g in state.groups.values()) > MANY


def _order(state: State, group: Group) -> tuple[list[Lane], list[Lane]]:
    """Lanes from top to bottom, and those that are only counted."""
    lanes = list(group.lanes.values())
    if not _tight(state):
        return lanes, []
    lanes.sort(key=lambda lane: (-lane.count, lane.label))
    if len(lanes) <= SHOWN:
        return lanes, []
    half = SHOWN // 2
    return lanes[:half] + lanes[-half:], lanes[half:-half]


def _plan(state: State) -> _Plan:
    lanes = [lane for group in state.groups.values() for lane in group.lanes.values()]
    others = list(_plain(state).values())
    tight = _tight(state)
    longest = max((wide(_name(lane.label), "t14 w6") for lane in lanes + others), default=0)
    x0 = NAMES + min(max(longest + 9, 50), 150)
    most = max((lane.count for lane in lanes + others), default=0)
    right = min(816.0, END - text_width(amount(most), "t20 w6") - 14)
    reach = max(
        [lane.mean + 2 * lane.sigma for lane in lanes if lane.var > 0] + [la.count for la in lanes] + [1]
    )
    numbers = max((brick.n for lane in lanes for brick in lane.bricks), default=0)
    pitch = PITCH if numbers < 1000 else PITCH + 8
    singly = not tight and all(lane.count == len(lane.bricks) for lane in lanes)
    if singly and reach * pitch <= right - x0:
        return _Plan(x0, right, pitch, "numbered", tight)
    if singly and reach * SLIM <= right - x0:
        return _Plan(x0, right, SLIM, "slim", tight)
    # In steps, so that the bars grow most of the time instead of always being rescaled.
    scale = 10 ** math.floor(math.log10(reach))
    top = next(scale * f for f in (1, 1.2, 1.5, 2, 2.5, 3, 4, 5, 6, 8, 10) if scale * f >= reach)
    return _Plan(x0, right, (right - x0) / top, "bar", tight)


# --- picture ---------------------------------------------------------------------------------


def draw(state: State) -> Scene:
    """Publishers left, plain subscribers above, one hull per group with a lane per member."""
    sentence, note = describe(state)
    scene = Scene(
        view="queue",
        title=TITLE,
        height=130,
        now=state.now,
        mode=state.mode,
        lab=state.lab,
        servers=list(state.servers.items()),
        sources=SOURCES,
        sentence=[(shorten(sentence, 852, "t16"), "")],
        note=[(shorten(note, 852, "t13"), "")] if note else [],
        controls=_controls(state),
    )
    if state.groups:
        canvas = _Canvas(state)
        scene.marks, scene.height = canvas.everything(), canvas.bottom
        scene.flights, scene.legend = canvas.flights(), canvas.legend()
    return scene


def _controls(state: State) -> list[Action]:
    """Lines that make more happen with the first group."""
    group = next(iter(state.groups.values()), None)
    if group is None:
        return []
    patterns = [p for lane in group.lanes.values() for p in lane.patterns]
    published = [p.subjects[-1] for p in state.publishers.values()]
    literal = [p for p in patterns if "*" not in p and ">" not in p]
    out = []
    for subject in (published or literal)[-1:]:
        line = f"nats pub {shlex.quote(subject)} --count"
        out += [Action(f"{line} {n}", f"Publish {n}") for n in (10, 100, 1000)]
    for pattern in patterns[:1]:
        out.append(
            Action(f"nats sub {shlex.quote(pattern)} --queue {shlex.quote(group.name)}", "Add a member")
        )
    return out


def _rect(
    key: str, x: float, y: float, w: float, h: float, classes: str, r: float = 0, **more: Any
) -> sc.Rect:
    x, y, w, h = (round(v, 2) for v in (x, y, w, h))
    return sc.Rect(key=key, x=x, y=y, w=w, h=h, r=r, classes=classes, **more)


def _port(key: str, x: float, y: float, gone: bool, r: float = 4.5) -> list[Mark]:
    if not gone:
        return [sc.Circle(key=key, x=x, y=y, r=r, width=1.5, classes="edge ink2 base-ground")]
    d = round(r * 0.71, 2)
    cross = f"M{x - d:g} {y - d:g}L{x + d:g} {y + d:g}M{x + d:g} {y - d:g}L{x - d:g} {y + d:g}"
    return [
        sc.Circle(key=key, x=x, y=y, r=r, classes="edge ink3 base-ground"),
        sc.Path(key=f"{key}/gone", d=cross, width=1.5, classes="edge ink3 round"),
    ]


def _way(key: str, points: list[Point], classes: str, width: float = 1, dash: str = "") -> sc.Path:
    return sc.Path(key=key, d=points_path(points, 8), classes=f"{classes} way", width=width, dash=dash)


def _route(seat: float, to: Point) -> list[Point]:
    """From a publisher's port over the trunk."""
    x, y = to
    return (
        [(SOURCE, seat), to] if abs(seat - y) < 0.01 else [(SOURCE, seat), (TRUNK, seat), (TRUNK, y), (x, y)]
    )


def _same(a: Lane, b: Lane) -> bool:
    return abs(a.mean - b.mean) < 0.5 and abs(a.sigma - b.sigma) < 0.5


class _Canvas:
    """The marks of one picture, from top to bottom."""

    def __init__(self, state: State) -> None:
        self.state = state
        self.plan = _plan(state)
        self.plain = list(_plain(state).values())
        self.bottom = 0.0
        self.seats: dict[str, float] = {}  # publisher -> height of its port
        self.gates: dict[str, float] = {}  # group -> height of its gate
        self.places: dict[tuple[str, str], float] = {}  # (group or "", label) -> height of the lane
        self.copies: dict[str, list[str]] = {}  # message -> keys of its bricks
        for group, lane in _lanes(state):
            for brick in lane.bricks:
                self.copies.setdefault(brick.id, []).append(self.key(brick, lane, group))

    @staticmethod
    def key(brick: Brick, lane: Lane, group: Group | None) -> str:
        """A message in a lane; one client may be in two groups and a plain subscriber besides."""
        return f"msg/{brick.id}@{lane.label}" + (f"/{group.name}" if group else "/")

    def everything(self) -> list[Mark]:
        """All marks, in drawing order."""
        lanes: list[Mark] = []
        hulls: list[Mark] = []
        y = TOP
        for lane in self.plain[:PLAIN]:
            self.places["", lane.label] = y
            lanes += self.copy_lane(lane, y)
            y += LANE
        if len(self.plain) > PLAIN:
            rest = self.plain[PLAIN:]
            words = f"and {len(rest)} more plain subscribers: {amount(sum(la.count for la in rest))} copies"
            lanes.append(label("more/", NAMES, y - 8, words, "t12 ink3"))
            y += 24
        top = y + 48.5 - LANE if self.plain else 150.5
        for group in self.state.groups.values():
            top = self.hull(group, top, hulls, lanes) + 22
        self.bottom = top + 2
        signs = self.publishers(TOP if self.plain else next(iter(self.gates.values())))
        heads: list[Mark] = [
            label("head/bricks", self.plan.x0, 132, self.caption(), "t11 ink3"),
            label("head/count", END, 132, "messages", "t11 ink3 end"),
        ]
        if self.seats:
            heads.append(label("head/publisher", 24, 132, "publisher", "t11 ink3"))
        return [*heads, *hulls, *self.ways(), *signs, *lanes]

    def caption(self) -> str:
        if self.plan.how == "bar":
            return "how many messages each one got" + (", sorted" if self.plan.tight else "")
        numbered = any(b.n for group, lane in _lanes(self.state) if group for b in lane.bricks)
        return "each brick is one message" + (", numbered as it was published" if numbered else "")

    # publishers and ways

    def publishers(self, y: float) -> list[Mark]:
        """Who publishes, the newest one surely among them."""
        people = list(self.state.publishers.values())
        newest = self.state.messages.get(self.state.newest)
        if newest and newest.client not in [p.client for p in people[:SEATS]]:
            people.sort(key=lambda p: p.client != newest.client)
        marks: list[Mark] = []
        for i, person in enumerate(people[:SEATS]):
            seat = self.seats[person.client] = y + i * SEAT
            subject, key = person.subjects[-1], f"pub/{person.client}"
            marks.append(
                sc.Group(
                    key=key,
                    title=f"{_name(person.client)} published {_messages(person.count)}, "
                    f"the newest to {_name(subject, 80)}.",
                    state={"messages": person.count},
                    marks=[
                        label(f"{key}/name", 24, seat - 4, fit(person.client, 98, "t14 w6"), "t14 w6"),
                        label(
                            f"{key}/subject", 24, seat + 13, fit(subject, 118, "mono t11"), "mono t11 ink2"
                        ),
                        *_port(f"{key}/port", SOURCE, seat, False),
                    ],
                )
            )
            self.bottom = max(self.bottom, seat + 40)
        if len(people) > SEATS:
            last = y + SEATS * SEAT - 12
            marks.append(label("more/publishers", 24, last, f"and {len(people) - SEATS} more", "t12 ink3"))
            self.bottom = max(self.bottom, last + 24)
        return marks

    def way(self, group: str, lane: Lane) -> list[Point]:
        """The way to a lane: from its group's gate, or, for a plain subscriber, just its port."""
        y = self.places[group, lane.label]
        if not group:
            return [(PORT, y)]
        gate = self.gates[group]
        return (
            [(GATE, gate), (PORT, y)] if y == gate else [(GATE, gate), (SPLIT, gate), (SPLIT, y), (PORT, y)]
        )

    def ways(self) -> list[Mark]:
        """From the publishers to every port; the newest message's way is drawn strong."""
        state = self.state
        thin: list[Mark] = []
        for client, seat in self.seats.items():
            subjects = state.publishers[client].subjects
            for name, gate in self.gates.items():
                if any(_meant(state.groups[name], s) for s in subjects):
                    thin.append(_way(f"way/{client}>{name}", _route(seat, (GATE, gate)), "edge line"))
            for lane in self.plain[:PLAIN]:
                if any(matches(p, s) for p in lane.patterns for s in subjects):
                    way = _route(seat, (PORT, self.places["", lane.label]))
                    thin.append(_way(f"way/{client}>plain/{lane.label}", way, "edge line"))
        for group in state.groups.values():
            for lane in _order(state, group)[0]:
                dash = "4 3" if lane.gone else ""
                thin.append(
                    _way(f"way/{group.name}/{lane.label}", self.way(group.name, lane), "edge line", dash=dash)
                )
        strong: dict[str, Mark] = {}
        newest = state.messages.get(state.newest)
        if newest:
            for name, lane, _ in self.landings(newest):
                way = self.way(name, lane)
                if newest.client in self.seats:
                    key = f"taken/{name or lane.label}/"
                    strong[key] = _way(key, _route(self.seats[newest.client], way[0]), "edge flight", 3)
                if name:
                    key = f"taken/{name}/{lane.label}"
                    strong[key] = _way(key, way, "edge flight", 3)
        gates = [
            mark for name, gate in self.gates.items() for mark in _port(f"gate/{name}", GATE, gate, False)
        ]
        return [*thin, *strong.values(), *gates]

    def landings(self, message: Message) -> list[tuple[str, Lane, Brick]]:
        """The drawn lanes that got a copy of the message."""
        out = []
        for group, lane in _lanes(self.state):
            name = group.name if group else ""
            if (name, lane.label) in self.places:
                brick = next((b for b in reversed(lane.bricks) if b.id == message.id), None)
                if brick is not None:
                    out.append((name, lane, brick))
        return out

    def flights(self) -> list[Flight]:
        """At most the eight newest messages travel, while they are new; the newest large and numbered."""
        out: list[Flight] = []
        since = self.state.now - RECENTLY
        recent = [
            m for m in list(self.state.messages.values())[-8:] if m.t >= since and m.client in self.seats
        ]
        for message in recent:
            large = message is recent[-1] and not self.plan.tight
            for name, lane, brick in self.landings(message):
                if lane.gone and brick.state != "lost":
                    continue
                way = self.way(name, lane)
                flight = Flight(
                    key=f"fly/{message.id}@{lane.label}/{name}",
                    d=points_path([*_route(self.seats[message.client], way[0]), *way[1:]], 8),
                    x=PORT,
                    y=way[-1][1],
                    t0=message.t,
                    t1=brick.t,
                    r=8 if large else 5,
                    label=str(brick.n) if large and brick.n else "",
                    title=self.story(brick, lane, self.state.groups.get(name)),
                    group=f"msg/{message.id}",
                )
                if brick.state == "way":
                    flight.t1, flight.end, flight.x = None, "open", PORT - 22
                elif brick.state == "lost":
                    flight.end, flight.stop, flight.classes, flight.x = "lost", 0.9, "dead fill", PORT - 14
                out.append(flight)
        return out

    # lanes

    def head(self, key: str, lane: Lane, y: float, title: str) -> sc.Group:
        """Port, name and count of a lane."""
        tight = self.plan.tight and not key.startswith("plain/")
        size = "t12" if tight else "t14"
        name = fit(lane.label, self.plan.x0 - NAMES - 8, f"{size} w6")
        faint = " ink3" if lane.gone else ""
        return sc.Group(
            key=key,
            title=title,
            state={"messages": lane.count, "lost": lane.lost, "state": lane.gone or "open"},
            marks=[
                *_port(f"{key}/port", PORT, y, bool(lane.gone), 3 if tight else 4.5),
                label(f"{key}/name", NAMES, y + 4.5, name, size + (" ink3 strike" if lane.gone else " w6")),
                label(f"{key}/count", END, y + (4.5 if tight else 7), amount(lane.count),
                      f"{'t12' if tight else 't20'} w6 num end{faint}"),
            ],
        )  # fmt: skip

    def copy_lane(self, lane: Lane, y: float) -> list[Mark]:
        """A plain subscriber: a slim brick for each copy, or a comb that stands for many."""
        x0 = self.plan.x0
        words = "a copy of each" if not lane.gone else "left"
        room = END - text_width(amount(lane.count), "t20 w6") - 24 - text_width(words, "t12") - x0
        title = f"{_name(lane.label)} has no queue name: it got a copy of each, {_messages(lane.count)}."
        marks: list[Mark] = []
        n = len(lane.bricks)
        if n == lane.count and n * LEAST <= room:
            # In steps, so that a new copy moves the others seldom.
            pitch = next(p for p in COPY if n * p <= room)
            for i, brick in enumerate(lane.bricks):
                key = self.key(brick, lane, None)
                marks.append(
                    _rect(key, x0 + i * pitch, y - 10.5, pitch * 0.775, 20, "flight fill", pitch / 6,
                          title=self.story(brick, lane, None), state={"message": brick.n},
                          light=self.light(brick, key))
                )  # fmt: skip
            marks += self.ticks(lane, pitch, y)
            end = x0 + n * pitch
        else:
            # Its scale is not that of the members, so it does not look like their bars.
            most = max(la.count for la in self.plain)
            teeth = max(1, int(room * lane.count / most / LEAST))
            comb = "".join(f"M{x0 + 1.2 + i * LEAST:.1f} {y - 10.5:g}v20" for i in range(teeth)).replace(
                "v20", f"V{y + 9.5:g}"
            )
            marks.append(
                sc.Path(key=f"comb/{lane.label}", d=comb, width=2.4, classes="edge flight", title=title,
                        state={"messages": lane.count})
            )  # fmt: skip
            end = x0 + teeth * LEAST
        if lane.count:
            marks.append(label(f"plain/{lane.label}/words", end + 10, y + 4.5, words, "t12 ink2"))
        return [*marks, self.head(f"plain/{lane.label}", lane, y, title)]

    def ticks(self, lane: Lane, pitch: float, y: float) -> list[Mark]:
        """Numbers under the copies: lost ones bold, then the last, the first and quarters, where they fit."""
        bricks, n = lane.bricks, len(lane.bricks)
        if n < 4 or not any(b.n for b in bricks):
            return []
        lost = {b.id for group, la in _lanes(self.state) if group for b in la.bricks if b.state == "lost"}
        picked = [i for i, b in enumerate(bricks) if b.id in lost]
        picked += [n - 1, 0, *(round(n * q / 4) - 1 for q in (1, 2, 3))]
        used: list[Point] = []
        marks: list[Mark] = []
        for i in dict.fromkeys(picked):
            number, bold = str(bricks[i].n), bricks[i].id in lost
            x, half = self.plan.x0 + (i + 0.39) * pitch, text_width(number, "t11") / 2 + 4
            if not bricks[i].n or any(a < x + half and x - half < b for a, b in used):
                continue
            used.append((x - half, x + half))
            key = f"tick/{lane.label}/{number}"
            marks.append(label(key, x, y + 27, number, f"t11 num middle {'w6' if bold else 'ink3'}"))
            if bold:
                stem = f"M{x:.2f} {y + 11.5:g}V{y + 15.5:g}"
                marks.append(sc.Path(key=f"{key}/stem", d=stem, width=1.5, classes="edge ink"))
        return marks

    def hull(self, group: Group, top: float, hulls: list[Mark], lanes: list[Mark]) -> float:
        """One group from `top` on; returns its bottom."""
        plan = self.plan
        shown, rest = _order(self.state, group)
        step = TIGHT if plan.tight else LANE
        first = y = top + (66 if plan.tight else 73.5)
        for i, lane in enumerate(shown):
            if rest and i == SHOWN // 2:
                words = f"{len(rest)} more between, {_spread(rest)}"
                lanes.append(label(f"more/{group.name}", NAMES, y + 6, words, "t12 ink3"))
                y += 26
            self.places[group.name, lane.label] = y
            y += step
        last = y - step
        bottom = last + (24 if plan.tight else 43.5)
        self.gates[group.name] = (first + last) / 2
        name, words = _name(group.name, 30), "queue group: each message goes to one member"
        key = f"hull/{group.name}"
        hulls.append(
            _rect(key, GATE, top, 707, bottom - top, "edge line none", 12,
                  title=f"{name}: {_verdict(self.state, group) or words}.",
                  state={"messages": group.total, "lost": group.losses})
        )  # fmt: skip
        words = f"  {words}"
        runs = [
            (fit(group.name, 868 - plan.x0 - text_width(words, "t12"), "t14 w6"), "t14 w6"),
            (words, "t12 ink3"),
        ]
        hulls.append(sc.Text(key=f"{key}/name", x=round(plan.x0, 2), y=top + 24.5, runs=runs))
        hulls += self.bands(group, shown)
        for lane in shown:
            lanes += self.member(group, lane)
        return bottom

    def bands(self, group: Group, lanes: list[Lane]) -> list[Mark]:
        """Where fair draws end: one shape over neighbours that expect the same."""
        plan, half = self.plan, (TIGHT if self.plan.tight else 44) / 2
        runs: list[list[Lane]] = []
        for before, lane in zip([None, *lanes], lanes, strict=False):
            near = before and before.var > 0 and _same(before, lane)
            far = (
                before and self.places[group.name, lane.label] - self.places[group.name, before.label] > LANE
            )
            if lane.var > 0 and near and not far:
                runs[-1].append(lane)
            elif lane.var > 0:
                runs.append([lane])
        marks: list[Mark] = []
        for run in runs:
            lane = run[0]
            y0, y1 = (self.places[group.name, la.label] for la in (run[0], run[-1]))
            y0, y1 = y0 - half, y1 + half
            left, mean = plan.x(max(0.0, lane.mean - 2 * lane.sigma)), plan.x(lane.mean)
            right = min(plan.right, plan.x(lane.mean + 2 * lane.sigma))
            who = _list([_name(la.label) for la in run]) if len(run) < 6 else f"each of {len(run)} members"
            title = f"A fair share for {who} is {_range(lane)}: 19 of 20 fair draws end in here."
            key = f"band/{group.name}/{lane.label}"
            facts = {"mean": round(lane.mean, 2), "sigma": round(lane.sigma, 2)}
            marks.append(
                _rect(key, left, y0, right - left, y1 - y0, "panel2 fill", 6, title=title, state=facts)
            )
            marks.append(sc.Path(key=f"{key}/mean", d=f"M{mean:.2f} {y0:g}V{y1:g}", classes="edge ink3"))
            if run is runs[0]:
                words = [("expected ", "t11 ink3 middle"), (_range(lane), "t11 num")]
                middle = sum(text_width(t, c) for t, c in words) / 2
                x = min(max(mean, plan.x0 + middle), plan.right - middle)
                marks.append(sc.Text(key=f"{key}/expected", x=round(x, 2), y=y0 - 7, runs=words))
            elif not plan.tight and not _same(lane, runs[0][0]):
                marks += self.aside(key, lane, y0 + half, right)
        return marks

    def aside(self, key: str, lane: Lane, y: float, right: float) -> list[Mark]:
        """The fair share of a lane that differs from the first one's, where there is room for it."""
        words = _range(lane)
        room = text_width(words, "t11")
        taken = self.plan.x(lane.count) + 4
        if lane.lost:
            taken += text_width(self.loss(lane), "t12") + 14
        x = right - 10 if right - 10 - room > taken else max(right, taken) + 8 + room
        return [label(f"{key}/share", x, y + 4, words, "t11 num ink2 end")] if x <= self.plan.right else []

    def loss(self, lane: Lane) -> str:
        """The word beside a lane that lost messages."""
        if self.plan.how == "numbered":
            return "lost"
        return (
            f"lost {lane.numbers[0]}" if lane.lost == len(lane.numbers) == 1 else f"{amount(lane.lost)} lost"
        )

    def member(self, group: Group, lane: Lane) -> list[Mark]:
        """One member: halo, bricks or bar, head."""
        plan, y = self.plan, self.places[group.name, lane.label]
        key = f"lane/{group.name}/{lane.label}"
        title = f"{_name(lane.label)} got {amount(lane.count)} of {_messages(group.total)}"
        title += f"; a fair share is {_range(lane)}." if lane.var > 0 else "."
        if lane.gone:
            title += f" It {_verb(lane)} after message {amount(lane.went)}."
        if lane.lost:
            title += f" Lost: {_losses(lane)}."
        marks: list[Mark] = []
        if lane.count:
            high = {"numbered": 22, "slim": 20, "bar": 22}[plan.how] if not plan.tight else 12
            size = max(1.5, lane.count * plan.unit)
            gap = 2 if plan.how != "bar" else 0
            marks.append(
                _rect(
                    f"{key}/halo", plan.x0 - 2, y - high / 2 - 2, size + 4 - gap, high + 4, "ground fill", 5
                )
            )
            if plan.how == "bar":
                marks += self.bar(key, lane, y, size, high, title)
            else:
                marks += [self.brick(group, lane, b, plan.x(i), y) for i, b in enumerate(lane.bricks)]
            end = plan.x0 + size + 6 - gap
            if lane.lost and end + text_width(self.loss(lane), "t12") <= plan.right:
                marks.append(label(f"{key}/lost", end, y + 4.5, self.loss(lane), "t12 w6"))
        return [*marks, self.head(key, lane, y, title)]

    def bar(self, key: str, lane: Lane, y: float, size: float, high: float, title: str) -> list[Mark]:
        """Many messages as a length; what was lost at its end."""
        x0, top = self.plan.x0, y - high / 2
        marks: list[Mark] = [_rect(f"bar/{key}", x0, top, size, high, "flight fill", 3, title=title,
                                   state={"messages": lane.count})]  # fmt: skip
        if lane.lost:
            lost = min(size, max(2.0, lane.lost * self.plan.unit))
            words = f"{_name(lane.label)}: {_messages(lane.lost)} of {amount(lane.count)} never arrived."
            facts = {"lost": lane.lost}
            end = x0 + size - lost
            marks.append(
                _rect(f"bar/{key}/lost", end, top, lost, high, "dead fill", 2, title=words, state=facts)
            )
        return marks

    def brick(self, group: Group, lane: Lane, brick: Brick, x: float, y: float) -> Mark:
        """One message in a member's lane."""
        key = self.key(brick, lane, group)
        kind = {"here": "flight fill", "lost": "dead fill", "way": "flight edge base-ground"}[brick.state]
        edge = 1.5 if brick.state == "way" else 0.0  # its stroke stays inside
        size, high = self.plan.unit - 2, 22 if self.plan.how == "numbered" else 20
        more: dict[str, Any] = {"title": self.story(brick, lane, group), "light": self.light(brick, key),
                                "state": {"message": brick.n, "state": brick.state}}  # fmt: skip
        if self.plan.how == "slim":
            return _rect(
                key,
                x + edge / 2,
                y - 10 + edge / 2,
                size - edge,
                high - edge,
                kind,
                1.5,
                width=edge or 1,
                **more,
            )
        inside: list[Mark] = [
            _rect(f"{key}/box", edge / 2, edge / 2, size - edge, high - edge, kind, 3, width=edge or 1)
        ]
        if brick.n:
            on = "" if edge else f"on {kind.split()[0]} "
            inside.append(label(f"{key}/n", size / 2, 15, str(brick.n), f"{on}t11 w5 num middle"))
        return sc.Group(key=key, x=round(x, 2), y=y - 11, marks=inside, **more)

    def light(self, brick: Brick, key: str) -> list[str]:
        """The other copies of the same message."""
        return [other for other in self.copies[brick.id] if other != key]

    def story(self, brick: Brick, lane: Lane, group: Group | None) -> str:
        """What happened to one copy of one message, in a sentence."""
        message = self.state.messages.get(brick.id)
        start, who = f"Message {brick.n}" if brick.n else "A message", _name(lane.label)
        if message:
            start += f", {_name(message.subject, 80)}" + (
                f" from {_name(message.client)}" if message.client else ""
            )
        if brick.state == "lost":
            return f"{start}: sent to {who}, which never read it, and lost."
        if brick.state == "way":
            return f"{start}: on its way to {who}."
        took = f" after {1000 * (brick.t - brick.sent):.1f} ms" if brick.t > brick.sent else ""
        return f"{start}: {'delivered' if group else 'a copy'} to {who}{took}."

    def legend(self) -> list[Legend]:
        """The states that are there now; where bars stand for messages, the messages are counted."""
        lanes = [lane for _, lane in _lanes(self.state) if lane.count]
        lost = sum(lane.lost for lane in lanes)
        way = sum(brick.state == "way" for lane in lanes for brick in lane.bricks)
        here = sum(lane.count for lane in lanes) - lost - way
        out = [Legend("flight fill", "square", "delivered", here)] if here else []
        if way:
            out.append(Legend("flight edge none", "square", "on its way", way))
        if lost:
            out.append(Legend("dead fill", "square", "lost", lost))
        if any(lane.var > 0 for lane in lanes):
            out.append(Legend("panel2 fill", "square", "19 of 20 fair draws end in here"))
        return out
