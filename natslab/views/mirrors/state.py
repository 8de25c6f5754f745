"""What the mirrors view knows: streams, who copies whom, and how far each copy is."""

from __future__ import annotations

import math
from collections.abc import Iterator

import msgspec

from natslab.tape.subject import matches
from natslab.views.view import ViewState

# Limits of what is remembered singly; counts go on for ever.
STREAMS, MISSING, RECENT, BOUNCES, WIRES = 300, 500, 64, 20, 400


class Link(msgspec.Struct, omit_defaults=True):
    """One copy reads one origin."""

    copy: str
    origin: str
    mirror: bool = False  # a mirror keeps sequence numbers; a source gives its own
    index: int = 0  # of the sources of that copy
    filter: str = ""
    transforms: list[tuple[str, str]] = []  # subject as it was -> as it becomes
    late: bool = False  # it does not begin with the first message of the origin
    external: str = ""  # the API prefix of another domain or account
    lag: int = 0  # messages it has not copied yet, as the server says
    peak: int = 0  # the most that ever were
    error: str = ""  # the server's own words
    told: float = 0.0  # tape seconds of the server's last report of it
    moved: float = -math.inf  # tape seconds at which something came through last
    reached: int = 0  # the last sequence of the origin that came through, where messages tell it
    carried: int = 0  # messages that were seen to come through
    pairs: list[tuple[int, int]] = []  # the newest of them: (origin's sequence, copy's)
    cut: float = math.inf  # it copies no more since: promoted, or the source was taken away

    @property
    def patterns(self) -> list[str]:
        """What it takes; everything when empty."""
        return [self.filter] if self.filter else [a for a, _ in self.transforms]

    @property
    def name(self) -> str:
        """The last part of the keys of its marks."""
        return f"{self.copy}/{self.index}" if self.index else self.copy

    def takes(self, subject: str) -> bool:
        """Whether a message to `subject` is one for the copy."""
        return not self.patterns or any(matches(p, subject) for p in self.patterns)


class Stream(msgspec.Struct, omit_defaults=True):
    """One stream, as an origin or as a copy."""

    name: str
    place: str = ""  # the server whose word it is: its leader
    known: bool = False  # the server said that it is there
    subjects: list[str] = []
    first: int = 0
    last: int = 0
    messages: int = 0
    missing: dict[int, str] = {}  # sequences inside it that are gone, with the reason
    recent: dict[int, str] = {}  # subjects of the newest messages
    singly: int = 0  # the newest sequence that was told singly
    own: int = 0  # messages that were written into it, not copied
    rushed: int = 0  # messages that came so fast that they are only counted
    links: list[Link] = []  # what it copies; one for a mirror
    early: list[tuple[str, int, float]] = []  # told before its links were: source header, sequence, time
    gone: float = math.inf

    @property
    def mirror(self) -> bool:
        """Whether it is a mirror now."""
        return any(li.mirror and li.cut == math.inf for li in self.links)

    def has(self, seq: int) -> bool:
        """Whether the message is in it, as far as is known."""
        return 0 < self.first <= seq <= self.last and seq not in self.missing and self.gone == math.inf


class Wire(msgspec.Struct, omit_defaults=True):
    """A wire between two servers of the lab."""

    a: str
    b: str
    type: str = "route"  # route | gateway | leafnode
    state: str = "open"  # open | cut | held | delayed

    @property
    def blocked(self) -> bool:
        """Whether somebody has seen to it that nothing passes."""
        return self.state in ("cut", "held")


class Bounce(msgspec.Struct, omit_defaults=True):
    """Somebody tried to write into a copy."""

    stream: str
    code: int
    error: str = ""
    client: str = ""
    subject: str = ""
    t: float = 0.0


class State(ViewState, kw_only=True):
    """All streams of the lab; those that `of` names with what they copy and who copies them."""

    streams: dict[str, Stream] = {}
    bounces: list[Bounce] = []
    bounced: int = 0
    wires: dict[str, Wire] = {}  # "a>b"
    domains: dict[str, str] = {}  # server -> its JetStream domain

    @property
    def links(self) -> list[Link]:
        """Every copy's reading of an origin, former ones included."""
        return list(links_of(self))


def start(of: tuple[str, ...] = ()) -> State:
    """`of`: streams; without any, every stream that copies or is copied."""
    return State(of=of)


def links_of(state: State) -> Iterator[Link]:
    """Every link that the view shows."""
    for stream in state.streams.values():
        for link in stream.links:
            if not state.of or link.copy in state.of or link.origin in state.of:
                yield link


def domain_in(external: str) -> str:
    """The JetStream domain that an API prefix leads to; "" where it is another prefix."""
    parts = external.split(".")
    return parts[1] if len(parts) == 3 and (parts[0], parts[2]) == ("$JS", "API") else ""


def origin_of(state: State, link: Link) -> Stream | None:
    """The stream that is read, where it is one whose own report is heard; else None.

    An `external` one is looked for in its JetStream domain; what another prefix leads to is not known.
    """
    if not link.external:
        return state.streams.get(link.origin)
    domain, origin = domain_in(link.external), state.streams.get(link.origin)
    if not domain or origin is None:
        return None
    return origin if state.domains.get(origin.place, "") == domain else None


def counted(state: State, link: Link) -> bool:
    """Whether `behind` follows from what both streams hold, and not from the word of the copy's server."""
    origin, copy = origin_of(state, link), state.streams.get(link.copy)
    if link.cut < math.inf or origin is None or copy is None or not origin.known or link.patterns:
        return False
    if link.mirror:
        return True
    return not copy.last if not link.reached else copy.singly == copy.last


def behind(state: State, link: Link) -> int:
    """How many messages the copy lacks now.

    The server counts that when something comes through, and cannot while the origin is out of its reach;
    of a copy of everything the sequences tell more.
    """
    if link.cut < math.inf:
        return 0
    if not counted(state, link):
        return link.lag
    origin, copy = state.streams[link.origin], state.streams[link.copy]
    have = copy.last if link.mirror else link.reached
    if not have and link.late:
        return link.lag
    have = max(have, origin.first - 1)
    lacks = max(0, origin.last - have - sum(have < seq <= origin.last for seq in origin.missing))
    return lacks if link.mirror else max(link.lag, lacks)


def parted(state: State, link: Link) -> str:
    """Why nothing can come from the origin to the copy now, by the wires and servers of the lab; else ""."""
    origin, copy = origin_of(state, link), state.streams.get(link.copy)
    if link.cut < math.inf or origin is None or copy is None or not origin.place or not copy.place:
        return ""
    if origin.place == copy.place:
        return ""
    for server in (origin.place, copy.place):
        if (is_ := state.servers.get(server, "up")) in ("down", "frozen"):
            return f"{server} is {is_}"
    near, ends = _near(state, copy.place), {origin.place, copy.place}
    shut = [w for w in state.wires.values() if w.blocked]
    direct = [w for w in shut if {w.a, w.b} == ends]
    # Between routes nobody relays.
    if origin.place in near and not any(w.type == "route" for w in direct):
        return ""
    shut = direct or [w for w in shut if (w.a in near) != (w.b in near)]
    if not shut:
        return ""
    word = "held" if all(w.state == "held" for w in shut) else "cut"
    if len(shut) > 1:
        return f"{len(shut)} wires between {copy.place} and {origin.place} are {word}"
    return f"the wire between {shut[0].a} and {shut[0].b} is {word}"


def _near(state: State, server: str) -> set[str]:
    """The servers to which a message can get from that one."""
    found, todo = {server}, [server]
    while todo:
        at = todo.pop()
        for wire in state.wires.values():
            if at in (wire.a, wire.b) and not wire.blocked:
                other = wire.b if at == wire.a else wire.a
                if other not in found and state.servers.get(other, "up") not in ("down", "frozen"):
                    found.add(other)
                    todo.append(other)
    return found


def reached(state: State, link: Link) -> int:
    """The last sequence of the origin that the copy has, or has passed over."""
    origin, copy = state.streams.get(link.origin), state.streams.get(link.copy)
    if link.mirror and copy is not None and not link.patterns:
        return copy.last
    if origin is None:
        return link.reached
    if parted(state, link) and not counted(state, link):
        alone = copy is not None and not copy.own and sum(li.cut == math.inf for li in copy.links) == 1
        return max(link.reached, min(origin.last, copy.last) if alone and copy is not None else 0)
    return max(link.reached, origin.last - behind(state, link))


def spared(state: State, link: Link) -> int:
    """How many messages the copy still has although they are gone upstream."""
    origin, copy = origin_of(state, link), state.streams.get(link.copy)
    if origin is None or copy is None or not origin.known or link.cut < math.inf:
        return 0
    if link.mirror and not link.patterns:
        early = max(0, copy.last - origin.last)  # the report of the origin is the older one
        return max(0, copy.messages - origin.messages + behind(state, link) - early)
    return sum(not origin.has(a) and copy.has(b) for a, b in link.pairs)


def loops(state: State) -> set[tuple[str, str]]:
    """Links (copy, origin) that lie on a circle: what goes in may come back."""
    reads: dict[str, set[str]] = {}
    for link in links_of(state):
        if link.cut == math.inf:
            reads.setdefault(link.copy, set()).add(link.origin)

    def leads(start: str, goal: str) -> bool:
        seen, todo = set(), [start]
        while todo:
            at = todo.pop()
            if at == goal:
                return True
            if at not in seen:
                seen.add(at)
                todo += reads.get(at, ())
        return False

    return {(copy, origin) for copy, many in reads.items() for origin in many if leads(origin, copy)}


def trouble(state: State, link: Link) -> str:
    """What keeps the copy from its origin: the server's words, or that it is gone; "" if nothing does."""
    if link.cut < math.inf:
        return ""
    origin = state.streams.get(link.origin) or Stream(name=link.origin)
    if origin.gone < math.inf:
        return "it was deleted"
    if link.error:
        return link.error
    if not origin.known and not link.external and link.told and state.now - link.told > 1:
        return "it is not there"
    return parted(state, link)


def urgency(state: State, link: Link) -> tuple[bool, int, int]:
    """Sorts what a person must see first: trouble, then lag, then what is kept."""
    return not trouble(state, link), -behind(state, link), -spared(state, link)
