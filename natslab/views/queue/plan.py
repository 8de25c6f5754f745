"""What stands where in the queue picture, and its scale."""

from __future__ import annotations

import math
from typing import NamedTuple

import msgspec

from natslab.views.queue.state import Group, Lane, State, copies_of
from natslab.views.scene import NARROW, WIDTH, text_width
from natslab.views.wording import amount, short_name, wide


class Places(NamedTuple):
    """What stands where, from left to right."""

    source: float  # the ports of the publishers
    trunk: float
    gate: float  # where a group begins
    split: float
    port: float  # of the members
    names: float  # they begin
    most: float  # room for a name
    right: float  # at most to here go bricks, bands and words
    end: float  # counts end here


WIDE = Places(129.0, 150.0, 168.5, 190.0, 226.0, 238.0, 150.0, 816.0, 862.0)
CLOSE = Places(94.0, 104.0, 112.0, 123.0, 138.0, 147.0, 74.0, NARROW - 40.0, NARROW - 34.0)

PITCH, SLIM, LEAST = 22.0, 8.9, 3.5  # one message: as a numbered brick, a slim one, the least of a copy
COPY = (SLIM, 7.2, 5.9, 4.9, 4.1, LEAST)
NEAR = 19.0  # a numbered brick in a narrow picture
LANE, TIGHT = 52.0, 20.0  # lane to lane
TOP = 168.0  # of the first lane's middle
SEAT = 46.0  # publisher to publisher
MANY = 12  # more members than this: sorted tight lanes
SHOWN = 30  # of the tight lanes; the middle ones are counted
PLAIN, SEATS = 5, 3  # plain subscribers and publishers shown singly


class Plan(msgspec.Struct):
    """The scale of one picture."""

    x0: float  # bricks begin
    right: float  # bricks, bands and words end
    unit: float  # pixels per message
    how: str  # numbered | slim | bar
    tight: bool
    at: Places

    def x(self, messages: float) -> float:
        """Where so many messages end."""
        return self.x0 + messages * self.unit


def tight(state: State) -> bool:
    """Whether there are so many members that their lanes are sorted and close together."""
    return sum(len(g.lanes) for g in state.groups.values()) > MANY


def order(state: State, group: Group) -> tuple[list[Lane], list[Lane]]:
    """Lanes from top to bottom, and those that are only counted."""
    lanes = list(group.lanes.values())
    if not tight(state):
        return lanes, []
    lanes.sort(key=lambda lane: (-lane.count, lane.label))
    if len(lanes) <= SHOWN:
        return lanes, []
    half = SHOWN // 2
    return lanes[:half] + lanes[-half:], lanes[half:-half]


def plan_of(state: State) -> Plan:
    """The largest scale at which everything fits."""
    at = WIDE if state.width == WIDTH else CLOSE
    lanes = [lane for group in state.groups.values() for lane in group.lanes.values()]
    others = list(copies_of(state).values())
    narrow = tight(state)
    longest = max((wide(short_name(lane.label), "t14 w6") for lane in lanes + others), default=0)
    if len(state.clusters) > 1 and not narrow:
        # Under its name a lane has the server.
        places = [state.places.get(lane.client, "") for lane in lanes + others]
        longest = max([longest, *(wide(f"at {short_name(place)}", "t11") for place in places if place)])
    x0 = at.names + min(max(longest + 9, 50), at.most)
    most = max((lane.count for lane in lanes + others), default=0)
    right = min(at.right, at.end - text_width(amount(most), "t20 w6") - 14)
    reach = max(
        [lane.mean + 2 * lane.sigma for lane in lanes if lane.var > 0] + [la.count for la in lanes] + [1]
    )
    numbers = max((brick.n for lane in lanes for brick in lane.bricks), default=0)
    pitch = (PITCH if at is WIDE else NEAR) if numbers < 1000 else PITCH + 8
    singly = not narrow and all(lane.count == len(lane.bricks) for lane in lanes)
    if singly and reach * pitch <= right - x0:
        return Plan(x0, right, pitch, "numbered", narrow, at)
    if singly and reach * SLIM <= right - x0:
        return Plan(x0, right, SLIM, "slim", narrow, at)
    # In steps, so that the bars grow most of the time instead of always being rescaled.
    scale = 10 ** math.floor(math.log10(reach))
    top = next(scale * f for f in (1, 1.2, 1.5, 2, 2.5, 3, 4, 5, 6, 8, 10) if scale * f >= reach)
    return Plan(x0, right, (right - x0) / top, "bar", narrow, at)
