"""Which servers of a lab can speak with which, by their states and the wires between them."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from natslab.servers.fleet import Fleet

#: Servers in these states take part in nothing.
ASLEEP = ("down", "frozen", "starting", "removed")
#: Wires in these states carry nothing.
_DEAD = ("cut", "held", "removed")


@dataclass(frozen=True)
class Wire:
    """What joins two servers, and how it is."""

    a: str
    b: str
    type: str  # route, gateway or leafnode
    state: str  # open, cut, held, delayed or removed


def reached(here: str, states: Mapping[str, str], wires: Iterable[Wire]) -> set[str]:
    """The servers that `here` can speak with, itself among them.

    In a cluster only what is joined directly is reached: servers pass nothing on from one route to
    another. A message for another cluster goes over one gateway and then over one route. A leafnode is
    joined to its hub by an account of the learner's, not by the system account: they do not reach each
    other. Servers without a wire of ours are joined.
    """
    awake = {name for name, state in states.items() if state not in ASLEEP}
    if here not in awake:
        return set()
    between = {frozenset((w.a, w.b)): w for w in wires}

    def alive(a: str, b: str) -> bool:
        wire = between.get(frozenset((a, b)))
        return wire is None or (wire.state not in _DEAD and wire.type != "leafnode")

    def apart(a: str, b: str) -> bool:
        wire = between.get(frozenset((a, b)))
        return wire is not None and wire.type == "gateway"

    def over(other: str) -> bool:
        return any(
            apart(here, way) and alive(here, way) and not apart(way, other) and alive(way, other)
            for way in awake - {here, other}
        )

    return {
        other
        for other in awake
        if other == here or alive(here, other) or (apart(here, other) and over(other))
    }


def wires(fleet: Fleet) -> list[Wire]:
    """The lab's wires; in a lab of leafnodes between all that are no cluster, because each is apart."""
    found = [Wire(link.a, link.b, link.type, link.state) for link in fleet.links.values()]
    if fleet.topology.hubs:
        laid = {frozenset((w.a, w.b)) for w in found}
        domain = fleet.topology.domain_of
        apart = [(a, b) for a, b in itertools.combinations(fleet.servers, 2) if domain(a) != domain(b)]
        found += [Wire(a, b, "leafnode", "open") for a, b in apart if frozenset((a, b)) not in laid]
    return found


def states(fleet: Fleet) -> dict[str, str]:
    """The lab's servers in their order, but for those that were taken away, and their states."""
    return {name: server.state for name, server in fleet.servers.items() if server.state != "removed"}


def middle(fleet: Fleet) -> str:
    """The server that reaches most others: of a partition one on the larger side; the first of equals."""
    known, between = states(fleet), wires(fleet)
    return max(known, key=lambda name: len(reached(name, known, between)), default="")
