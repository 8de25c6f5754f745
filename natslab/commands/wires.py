"""`%natslab cut hold delay heal`: what can happen to the wires between servers."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import click

from natslab import lab as labs
from natslab.commands.connect import Line
from natslab.commands.flags import flag
from natslab.commands.flags import seconds as duration
from natslab.commands.places import Place, place
from natslab.commands.results import Text
from natslab.commands.tree import NATSLAB
from natslab.errors import CommandError, joined
from natslab.servers.link import Link

LONGEST = 30.0  # seconds; a leader's heartbeat comes each second, and servers wait 4 to 9 s for it
_SERVERS = click.argument("servers", nargs=-1)
_ISOLATE = flag("--isolate", metavar="SERVER", help="all wires of this server")


@NATSLAB.verb("cut", example="%natslab cut n1 n2", mark="fault")
@_SERVERS
@_ISOLATE
def cut(line: Line, servers: tuple[str, ...], isolate: str | None) -> Text:
    """Cut the wire between two servers: its connections are reset and new ones refused."""
    wires = _change("cut", servers, isolate, Link.cut, ("cut",))
    return wires.text(f"{wires.alone if isolate else wires.said} cut.{wires.led} Heal: {wires.heal}")


@NATSLAB.verb("hold", example="%natslab hold n1 n2", mark="fault")
@_SERVERS
@_ISOLATE
def hold(line: Line, servers: tuple[str, ...], isolate: str | None) -> Text:
    """Let nothing through a wire: its connections stay open, as when a network loses everything."""
    wires = _change("hold", servers, isolate, Link.hold, ("cut", "held"))
    return wires.text(f"{wires.alone if isolate else wires.said} held.{wires.led} Heal: {wires.heal}")


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

    wires = _change("delay", servers[:-1], isolate, late, ("cut",))
    return wires.text(f"{wires.said} {seconds * 1000:g} ms long each way now. Heal: {wires.heal}")


@NATSLAB.verb("heal", example="%natslab heal n1 n2", mark="fault")
@_SERVERS
@_ISOLATE
def heal(line: Line, servers: tuple[str, ...], isolate: str | None) -> Text:
    """Make a wire whole again: the one between two servers, all of one server, or all."""
    lab = labs.current()
    words = (*servers, isolate) if isolate is not None else servers
    places = [place(word, lab) for word in words]
    states = {link.names: link.state for link in lab.fleet.links.values()}
    healed = lab.heal(*(one.name for one in places))
    wires = Wires([lab.fleet.link(a, b) for a, b in healed], places)
    late = any(states[link.names] == "cut" and link.type == "route" for link in wires.links)
    after = " Who was cut off catches up in up to 18 s." if late else ""
    return wires.text(f"{wires.said} whole again.{after}")


class Wires:
    """Wires that were changed, in words: those between two places, all of one, or all there are.

    A server that was called by what it does stays so called: it is another one on another day.
    """

    def __init__(self, links: list[Link], places: list[Place]) -> None:
        self.links = links
        self.places = places

    @property
    def said(self) -> str:
        """The subject and verb of a sentence."""
        if not self.places:
            return "Every wire is"
        if len(self.places) == 2:
            return f"The wire between {self.places[0].said} and {self.places[1].said} is"
        return f"The {self._of(f' of {self.places[0].said}')}"

    @property
    def alone(self) -> str:
        """The same of one server that is cut off."""
        return f"{self.places[0].begins} is isolated: its {self._of('')}"

    def _of(self, whose: str) -> str:
        one, many = self.places[0], len(self.links) > 1
        ends = [link.b if link.a == one.name else link.a for link in self.links]
        to = "" if one.so_called else f" to {joined(ends)}"
        return f"wires{whose}{to} are" if many else f"wire{whose}{to} is"

    @property
    def led(self) -> str:
        """What follows when one server is cut off from its cluster, beginning with a blank."""
        topology = labs.current().fleet.topology
        members = topology.clusters.get(topology.cluster_of(self.places[0].name), ())
        if len(self.places) > 1 or len(members) < 2:
            return ""
        if len(members) - 1 > len(members) // 2:
            return " If it led anything, the others have another leader in 3 to 11 s."
        return " Neither side is a majority: JetStream takes nothing."

    @property
    def heal(self) -> str:
        """The line that makes them whole."""
        named = [] if any(one.so_called for one in self.places) else [one.name for one in self.places]
        return " ".join(["%natslab heal", *named])

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
    change: Callable[[Link], Awaitable[None]],
    but: tuple[str, ...],
) -> Wires:
    lab = labs.current()
    if isolate is not None:
        if servers:
            raise CommandError(
                f"--isolate {isolate} means all wires of {isolate}, and {joined(servers)} stands beside it.",
                "Leave out one of them.",
            )
        one = place(isolate, lab)
        return Wires(lab.do(lab.fleet.wiring.isolate(one.name, change, but)), [one])
    if len(servers) != 2:
        more = " 80ms" if verb == "delay" else ""
        raise CommandError(
            f"{verb} needs two servers{' and a time' if more else ''}.",
            f"For example: %natslab {verb} n1 n2{more}, or for all wires of one: --isolate n1{more}",
        )
    places = [place(word, lab) for word in servers]
    link = lab.fleet.link(*(one.name for one in places))

    async def once() -> None:
        await change(link)

    lab.do(once())
    return Wires([link], places)
