"""What the queue view knows: groups, their members, and what each got."""

from __future__ import annotations

import math
from collections.abc import Iterator

import msgspec

from natslab.tape.subject import matches, overlaps
from natslab.views.view import ViewState

# Limits of what is remembered singly; counts go on for ever.
BRICKS, RECENT, LANES, CLIENTS, PLACES = 2_000, 1_000, 200, 50, 2_000
ENOUGH = 5.0  # messages a member should expect before chance can be judged
HARDLY = 0.001  # a draw this improbable is called unfair
UNEVEN = 0.05


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
    foreign: bool = False  # not a client of this lab, so that only the server tells of it
    told: int = 0  # of a foreign one: messages that traces name
    served: dict[int, int] = {}  # of a foreign one: sid -> messages that the server counted
    past: int = 0  # the same of subscriptions that ended
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
    mixed: bool = False  # it had a foreign member: counts are from two sources, so chance is not judged
    last: float = 0.0  # tape seconds of the newest arrival
    #: Some members are reached through leafnodes: those of the server that has the message come first, and
    #: the others do not make the draw among them even (measured), so chance is not judged.
    apart: bool = False

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
        """Chance that a fair draw is at least this uneven; None when there are too few messages, or when
        one of the members is not a client of this lab.

        Degrees of freedom are the mean that `chi2` has in fair draws, sum of var/mean: k - 1 for
        members that were there all the time. Wilson and Hilferty's approximation.
        """
        lanes = self._judged()
        if self.mixed or self.apart or not lanes:
            return None
        free = sum(lane.var / lane.mean for lane in lanes)
        spread = 2 / (9 * free)
        z = ((self.chi2 / free) ** (1 / 3) - (1 - spread)) / math.sqrt(spread)
        return 0.5 * math.erfc(z / math.sqrt(2))

    @property
    def fair(self) -> bool | None:
        """Whether chance explains the shares; None when that cannot be judged, as with `p`."""
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
    places: dict[str, str] = {}  # client -> the server that it is connected to
    clusters: dict[str, str] = {}  # server -> its cluster

    @property
    def shares(self) -> dict[str, dict[str, int]]:
        """Messages sent to each member of each group."""
        return {name: group.members for name, group in self.groups.items()}

    @property
    def plain(self) -> dict[str, int]:
        """Copies that each plain subscriber received of the groups' messages."""
        return {name: lane.count for name, lane in copies_of(self).items()}


def home_of(state: State, client: str) -> str:
    """Where a member counts as near: the cluster of its server, or a server alone; "" if it is not known."""
    place = state.places.get(client, "")
    return state.clusters.get(place) or place


def homes_of(state: State, group: Group) -> list[str]:
    """Where the members are that can be chosen now, sorted."""
    return sorted({home_of(state, lane.client) for lane in group.lanes.values() if lane.alive} - {""})


def start(of: tuple[str, ...] = ()) -> State:
    """`of`: queue groups or subjects; without any, every group of the lab."""
    return State(of=of)


def lanes_of(state: State) -> Iterator[tuple[Group | None, Lane]]:
    """Every lane with its group; plain subscribers have none."""
    for group in state.groups.values():
        for lane in group.lanes.values():
            yield group, lane
    for lane in state.copies.values():
        yield None, lane


def patterns_of(group: Group) -> set[str]:
    """Every pattern that a member ever had."""
    return {p for lane in group.lanes.values() for p in lane.patterns}


def copies_of(state: State) -> dict[str, Lane]:
    """Plain subscribers that hear what a shown group hears."""
    patterns = {p for group in state.groups.values() for p in patterns_of(group)}
    return {
        name: lane
        for name, lane in state.copies.items()
        if (lane.alive or lane.count) and any(overlaps(p, q) for p in lane.patterns for q in patterns)
    }


def meant(group: Group, subject: str) -> bool:
    """Whether a message to `subject` is one for the group, even if no member is there."""
    return any(matches(p, subject) for lane in group.lanes.values() for p in lane.patterns)
