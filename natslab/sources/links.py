"""The wires between servers: what becomes of them, and how much crosses them."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from dataclasses import asdict

from natslab.errors import NatslabError
from natslab.servers.fleet import Fleet
from natslab.servers.hub import Hub
from natslab.servers.link import Link as Wire
from natslab.servers.relay import State
from natslab.servers.server import Change
from natslab.servers.topology import WireType
from natslab.tape.event import Link, Snap
from natslab.tape.tape import Tape

EVERY = 1.0  # seconds between two looks at the counts


class Links:
    """Puts a Link on the tape at the start and at each change, and a Snap "wire" when counts have changed."""

    def __init__(self, fleet: Fleet, hub: Hub, tape: Tape) -> None:
        self._fleet = fleet
        self._tape = tape
        self._told: dict[tuple[str, str], tuple[WireType, State, float, bool, str]] = {}
        self._counts: dict[tuple[str, str], dict[str, int]] = {}
        self._ends: list[Callable[[], None]] = []
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Begin, with the state of every wire as it is now."""
        for link in self._fleet.links.values():
            self._heard(link)
        self._ends = [self._fleet.listen_links(self._heard), self._fleet.listen(self._changed)]
        topology = self._fleet.topology
        if topology.wires and (topology.clusters or topology.hubs):
            self._task = asyncio.create_task(self._follow())

    async def stop(self) -> None:
        """End."""
        for end in self._ends:
            end()
        self._ends = []
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
            self._task = None

    async def poll(self) -> None:
        """Put the counts on the tape now, where they have changed; what was counted has been heard."""
        for pair, link in tuple(self._fleet.links.items()):
            try:
                counts = asdict(await link.counts())
            except NatslabError:  # it is going
                continue
            if counts != self._counts.get(pair):
                self._counts[pair] = counts
                data = {"a": link.a, "b": link.b, **counts}
                self._tape.append(
                    Snap(t=self._tape.now(), source="links", place=link.a, what="wire", data=data)
                )

    async def _follow(self) -> None:
        while True:
            await self.poll()
            await asyncio.sleep(EVERY)

    def _changed(self, change: Change) -> None:
        """A server's state is a reason why its wires do not connect."""
        for pair, link in tuple(self._fleet.links.items()):
            if change.name in pair:
                self._heard(link)

    def _heard(self, link: Wire) -> None:
        said = (link.type, link.state, link.delay, link.connected, self._why(link))
        if self._told.get(link.names) == said:
            return
        self._told[link.names] = said
        type, state, delay, connected, why = said
        self._tape.append(
            Link(
                t=self._tape.now(),
                source="links",
                place=link.a,
                a=link.a,
                b=link.b,
                type=type,
                state=state,
                delay=delay,
                connected=connected,
                why=why,
            )
        )

    def _why(self, link: Wire) -> str:
        if link.connected or link.state in ("cut", "removed"):
            return ""
        for name in link.names:
            server = self._fleet.servers.get(name)
            if server is not None and server.state in ("down", "starting"):
                return f"{name} is {server.state}"
        return ""
