"""What stands where in the mirrors picture: one block per origin, one scale per block."""

from __future__ import annotations

import math
from typing import NamedTuple

import msgspec

from natslab.views.mirrors.state import Link, State, Stream, links_of, reached, urgency
from natslab.views.scene import NARROW, WIDTH, text_width

NAMES = 24.0  # begin
SLOT, GAP = 22.0, 4.25
TITLE, ROW = 30.0, 66.0  # block's top to origin's middle; row to row
BLOCKS, COPIES = 5, 5  # shown singly


class Places(NamedTuple):
    """What stands where, from left to right."""

    trunk: float  # the pipe
    grid: float  # sequences begin
    side: float  # words at the right begin
    end: float

    @property
    def name(self) -> float:
        """Room for a name."""
        return self.trunk - NAMES - 12

    @property
    def room(self) -> float:
        """Room for the sequences."""
        return self.side - self.grid - 24


WIDE, SLIM = Places(152.0, 188.0, 716.0, 876.0), Places(110.0, 140.0, 346.0, NARROW - 24.0)


def places(state: State) -> Places:
    """The places of a picture of this width."""
    return WIDE if state.width == WIDTH else SLIM


class Block(msgspec.Struct):
    """One origin with its copies, on one scale of its sequences."""

    at: Places
    origin: str
    links: list[Link]
    rest: list[Link]
    low: int  # the first sequence of the scale
    high: int
    slots: bool  # each message singly
    slot: float = SLOT  # its width

    def x(self, seq: float) -> float:
        """Where the message of that sequence begins."""
        if self.slots:
            return round(self.at.grid + (seq - self.low) * (self.slot + GAP), 2)
        return round(self.at.grid + self.at.room * (seq - self.low) / max(1, self.high + 1 - self.low), 2)


def stream_of(state: State, name: str) -> Stream:
    """The stream, or an empty one that is not there."""
    return state.streams.get(name) or Stream(name=name)


def blocks(state: State) -> tuple[list[Block], list[Block]]:
    """Origins by name, an origin before its copies' own block; and those that are only counted."""
    groups: dict[str, list[Link]] = {}
    for link in links_of(state):
        groups.setdefault(link.origin, []).append(link)
    order = sorted(groups, key=lambda o: (_depth(state, o), o))
    worst = sorted(order, key=lambda o: min(urgency(state, li) for li in groups[o]))[:BLOCKS]
    made = {name: _block(state, name, groups[name]) for name in order}
    return [made[o] for o in order if o in worst], [made[o] for o in order if o not in worst]


def _depth(state: State, name: str) -> int:
    """How many copies lie before it; bounded, for there may be loops."""
    seen, at, depth = {name}, name, 0
    while True:
        origins = [li.origin for li in stream_of(state, at).links if li.cut == math.inf]
        if not origins or origins[0] in seen:
            return depth
        at, depth = origins[0], depth + 1
        seen.add(at)


def _block(state: State, name: str, links: list[Link]) -> Block:
    origin = stream_of(state, name)
    # Copies with trouble first, so that none of them is only counted.
    worst = sorted(links, key=lambda li: (urgency(state, li), li.copy, li.index))
    chosen = {(li.copy, li.index) for li in worst[:COPIES]}
    shown = sorted((li for li in links if (li.copy, li.index) in chosen), key=lambda li: (li.copy, li.index))
    rest = [li for li in links if (li.copy, li.index) not in chosen]
    firsts = [origin.first] if origin.last else []
    lasts = [origin.last]
    for link in shown:
        copy = stream_of(state, link.copy)
        if link.mirror and copy.last:
            firsts.append(copy.first)
            lasts.append(min(copy.last, origin.last or copy.last) if link.cut < math.inf else copy.last)
        elif link.pairs:
            firsts.append(min(a for a, _ in link.pairs))
        lasts.append(min(reached(state, link), max(lasts)) if link.cut < math.inf else reached(state, link))
    low, high = max(1, min(firsts or [1])), max([*lasts, 1])
    own = [b for li in shown for _, b in li.pairs]
    slot = slot_for([high, *own])
    at = places(state)
    return Block(at, name, shown, rest, low, high, high - low + 1 <= fits(at, slot), slot)


def slot_for(numbers: list[int]) -> float:
    """How wide a slot must be for such sequence numbers."""
    return max(SLOT, round(text_width(str(max(numbers, default=0)), "t11") + 7, 2))


def fits(at: Places, slot: float) -> int:
    """How many slots there is room for."""
    return int(at.room / (slot + GAP))


def braids(state: State) -> list[Stream]:
    """Streams with several sources: a block each for how they came together."""
    made = {li.copy for li in links_of(state)}
    return [
        s
        for name, s in sorted(state.streams.items())
        if name in made and sum(not li.mirror and li.cut == math.inf for li in s.links) > 1
    ][:BLOCKS]
