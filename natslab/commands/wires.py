"""`%natslab cut hold delay heal`: what can happen to the wires between servers."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import click

from natslab import lab as labs
from natslab.commands.connect import Line
from natslab.commands.flags import flag
from natslab.commands.flags import seconds as duration
from natslab.commands.results import Text
from natslab.commands.tree import NATSLAB
from natslab.errors import CommandError, joined
from natslab.servers.link import Link

_SERVERS = click.argument("servers", nargs=-1)
_ISOLATE = flag("--isolate", metavar="SERVER", help="all wires of this server")


@NATSLAB.verb("cut", example="%natslab cut n1 n2", mark="fault")
@_SERVERS
@_ISOLATE
def cut(line: Line, servers: tuple[str, ...], isolate: str | None) -> Text:
    """Cut the wire between two servers: its connections are reset and new ones refused."""
    links = _change("cut", servers, isolate, Link.cut, ("cut",))
    return _said(f"{_names(links)} {_are(links)} cut. Heal: {_heal(links, isolate)}", links)


@NATSLAB.verb("hold", example="%natslab hold n1 n2", mark="fault")
@_SERVERS
@_ISOLATE
def hold(line: Line, servers: tuple[str, ...], isolate: str | None) -> Text:
    """Let nothing through a wire: its connections stay open, as when a network loses everything."""
    links = _change("hold", servers, isolate, Link.hold, ("cut", "held"))
    return _said(f"{_names(links)} {_are(links)} held. Heal: {_heal(links, isolate)}", links)


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

    async def late(link: Link) -> None:
        await link.delay_by(seconds)

    links = _change("delay", servers[:-1], isolate, late, ("cut",))
    return _said(
        f"{_names(links)} {_are(links)} {seconds * 1000:g} ms long each way. Heal: {_heal(links, isolate)}",
        links,
    )


@NATSLAB.verb("heal", example="%natslab heal n1 n2", mark="fault")
@_SERVERS
@_ISOLATE
def heal(line: Line, servers: tuple[str, ...], isolate: str | None) -> Text:
    """Make a wire whole again: the one between two servers, all of one server, or all."""
    lab = labs.current()
    if isolate is not None:
        servers = (*servers, isolate)
    healed = lab.heal(*servers)
    links = [lab.fleet.link(a, b) for a, b in healed]
    return _said(f"{_names(links)} {_are(links)} whole again.", links)


def _change(
    verb: str,
    servers: tuple[str, ...],
    isolate: str | None,
    change: Callable[[Link], Awaitable[None]],
    but: tuple[str, ...],
) -> list[Link]:
    lab = labs.current()
    if isolate is not None:
        if servers:
            raise CommandError(
                f"--isolate {isolate} means all wires of {isolate}, and {joined(servers)} stands beside it.",
                "Leave out one of them.",
            )
        lab.server(isolate)
        return lab.do(lab.fleet.wiring.isolate(isolate, change, but))
    if len(servers) != 2:
        raise CommandError(
            f"{verb} needs two servers.", f"For example: %natslab {verb} n1 n2, or all of one: --isolate n1"
        )
    for name in servers:
        lab.server(name)
    link = lab.fleet.link(*servers)

    async def one() -> list[Link]:
        await change(link)
        return [link]

    return lab.do(one())


def _names(links: list[Link]) -> str:
    if len(links) == 1:
        return f"The wire between {links[0].a} and {links[0].b}"
    return f"The wires {joined(f'{link.a}-{link.b}' for link in links)}"


def _are(links: list[Link]) -> str:
    return "is" if len(links) == 1 else "are"


def _heal(links: list[Link], isolate: str | None) -> str:
    return f"%natslab heal {isolate}" if isolate else f"%natslab heal {links[0].a} {links[0].b}"


def _said(text: str, links: list[Link]) -> Text:
    facts: list[dict[str, Any]] = [
        {"a": link.a, "b": link.b, "type": link.type, "state": link.state, "delay": link.delay}
        for link in links
    ]
    return Text(text, wires=facts)
