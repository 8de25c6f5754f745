"""`%natslab cut hold delay heal`: what can happen to the wires between servers."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any

import click

from natslab import lab as labs
from natslab.commands.connect import Line
from natslab.commands.flags import flag
from natslab.commands.flags import seconds as duration
from natslab.commands.places import Side, side
from natslab.commands.results import Text
from natslab.commands.tree import NATSLAB
from natslab.errors import CommandError, joined
from natslab.servers.link import Link
from natslab.servers.reach import reached, states, wires

LONGEST = 30.0  # seconds; a leader's heartbeat comes each second, and servers wait 4 to 9 s for it
_SERVERS = click.argument("servers", nargs=-1)
_ISOLATE = flag(
    "--isolate", metavar="SERVER", help="all wires of this server, or from this cluster to others"
)


@NATSLAB.verb("cut", example="%natslab cut n1 n2", mark="fault")
@_SERVERS
@_ISOLATE
def cut(line: Line, servers: tuple[str, ...], isolate: str | None) -> Text:
    """Cut the wire between two servers: its connections are reset and new ones refused.

    Two clusters (EAST WEST) mean all wires between them.
    """
    made = _change("cut", servers, isolate, Link.cut, ("cut",))
    return made.text(f"{made.alone if isolate else made.said} cut.{made.led} Heal: {made.heal}")


@NATSLAB.verb("hold", example="%natslab hold n1 n2", mark="fault")
@_SERVERS
@_ISOLATE
def hold(line: Line, servers: tuple[str, ...], isolate: str | None) -> Text:
    """Let nothing through a wire: its connections stay open, as when a network loses everything."""
    made = _change("hold", servers, isolate, Link.hold, ("cut", "held"))
    return made.text(f"{made.alone if isolate else made.said} held.{made.led} Heal: {made.heal}")


@NATSLAB.verb("delay", example="%natslab delay n1 n2 80ms", mark="fault")
@_SERVERS
@_ISOLATE
def delay(line: Line, servers: tuple[str, ...], isolate: str | None) -> Text:
    """Let everything on a wire arrive later, each way: the last word says how much."""
    if not servers:
        raise CommandError("delay needs two servers and a time.", "For example: %natslab delay n1 n2 80ms")
    seconds = duration(servers[-1])
    if seconds is None:
        raise CommandError(
            f"{servers[-1]!r} is no time: the last word of delay says how long.",
            "For example: %natslab delay n1 n2 80ms",
        )
    if not seconds:
        raise CommandError("A delay of nothing is none.", "To end one: %natslab heal n1 n2")
    if seconds > LONGEST:
        raise CommandError(
            f"A delay of {seconds:g} s is more than servers bear: they would take each other for dead.",
            f"Choose {LONGEST:g}s at most, or cut the wire.",
        )

    async def late(link: Link) -> None:
        await link.delay_by(seconds)

    made = _change("delay", servers[:-1], isolate, late, ("cut",))
    return made.text(f"{made.said} {seconds * 1000:g} ms long each way now. Heal: {made.heal}")


@NATSLAB.verb("heal", example="%natslab heal n1 n2", mark="fault")
@_SERVERS
@_ISOLATE
def heal(line: Line, servers: tuple[str, ...], isolate: str | None) -> Text:
    """Make a wire whole again: the one between two servers, all of one server, or all."""
    lab = labs.current()
    words = (*servers, isolate) if isolate is not None else servers
    sides = [side(word, lab) for word in words]
    before = {link.names: link.state for link in lab.fleet.links.values()}
    healed = lab.heal(*(one.name for one in sides))
    made = Wires([lab.fleet.link(a, b) for a, b in healed], sides)
    late = any(before[link.names] == "cut" and link.type == "route" for link in made.links)
    after = " Replicas that were cut off catch up in up to 18 s." if late else ""
    return made.text(f"{made.said} whole again.{after}")


class Wires:
    """Wires that were changed, in words: those between two places, all of one, or all there are."""

    def __init__(self, links: list[Link], sides: list[Side]) -> None:
        self.links = links
        self.sides = sides

    @property
    def said(self) -> str:
        """The subject and verb of a sentence."""
        if not self.sides:
            return "Every wire is"
        if len(self.sides) == 2:
            which = "wire" if len(self.links) == 1 else f"{len(self.links)} wires"
            are = "is" if len(self.links) == 1 else "are"
            return f"The {which} between {' and '.join(one.begins for one in self.sides)} {are}"
        return f"The {self._of(f' of {self.sides[0].begins}')}"

    @property
    def alone(self) -> str:
        """The same of one server or cluster that is cut off."""
        return f"{self.sides[0].begins} is isolated: its {self._of('')}"

    def _of(self, whose: str) -> str:
        one, many = self.sides[0], len(self.links) > 1
        ends = [link.b if link.a in one.names else link.a for link in self.links]
        if len(one.names) > 1:
            cluster_of = labs.current().fleet.topology.cluster_of
            ends = list(dict.fromkeys(cluster_of(end) or end for end in ends))
        return f"wire{'s' if many else ''}{whose} to {joined(ends)} {'are' if many else 'is'}"

    @property
    def led(self) -> str:
        """What follows for the leaders, beginning with a blank."""
        topology = labs.current().fleet.topology
        if any(one.name in topology.clusters for one in self.sides):
            return self._decided
        members = topology.clusters.get(topology.cluster_of(self.sides[0].name), ())
        if len(self.sides) > 1 or len(members) < 2:
            return ""
        if len(members) - 1 > len(members) // 2:
            return " If it led anything, the others have another leader in 3 to 11 s."
        return " Neither side is a majority: JetStream takes nothing."

    @property
    def _decided(self) -> str:
        """What a cluster that is cut off means for JetStream's meta group, which is that of all clusters."""
        fleet = labs.current().fleet
        clusters = fleet.topology.clusters
        if len(clusters) < 2:
            return ""
        known, between = states(fleet), wires(fleet)
        clustered = {name for members in clusters.values() for name in members}
        need = len(clustered) // 2 + 1
        few = [
            cluster
            for cluster, members in clusters.items()
            if all(len(reached(name, known, between) & clustered) < need for name in members)
        ]
        if not few:
            return ""
        where = "" if len(few) == len(clusters) else f" in {joined(few)}"
        return (
            " Clients use the streams of their own cluster; none can be made or changed"
            f"{where}: that takes {need} of all {len(clustered)} servers."
        )

    @property
    def heal(self) -> str:
        """The line that makes them whole."""
        return " ".join(["%natslab heal", *(one.name for one in self.sides)])

    def text(self, said: str) -> Text:
        """The result of a line."""
        facts: list[dict[str, Any]] = [
            {"a": link.a, "b": link.b, "type": link.type, "state": link.state, "delay": link.delay}
            for link in self.links
        ]
        return Text(said, wires=facts)


def _change(
    verb: str,
    servers: tuple[str, ...],
    isolate: str | None,
    change: Callable[[Link], Coroutine[Any, Any, None]],
    but: tuple[str, ...],
) -> Wires:
    lab = labs.current()
    if isolate is not None and servers:
        raise CommandError(
            f"--isolate {isolate} means all wires of {isolate}, and {joined(servers)} stands beside it.",
            "Leave out one of them.",
        )
    if isolate is None and len(servers) != 2:
        more = " 80ms" if verb == "delay" else ""
        raise CommandError(
            f"{verb} needs two servers{' and a time' if more else ''}.",
            f"For example: %natslab {verb} n1 n2{more}, or for all wires of one: --isolate n1{more}",
        )
    sides = [side(word, lab) for word in (servers if isolate is None else (isolate,))]
    changed = lab.change(change, but, *(one.name for one in sides))
    return Wires([lab.fleet.link(a, b) for a, b in changed], sides)
