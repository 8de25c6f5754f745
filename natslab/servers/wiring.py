"""The wires of one lab: laid, found by the servers that they join, cut and healed together."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass

from natslab.errors import LabError, joined
from natslab.listeners import Listeners
from natslab.servers.carrier import Carrier
from natslab.servers.link import Link
from natslab.servers.topology import Wire

_SOME = "Start a lab that has some: %natslab down, then %natslab up --servers 3"


@dataclass(frozen=True)
class End:
    """Where wires end: a server, or the servers of a cluster, of which those within do not count."""

    name: str
    names: frozenset[str]
    cluster: bool = False

    @classmethod
    def server(cls, name: str) -> End:
        """One server."""
        return cls(name, frozenset({name}))

    def has(self, server: str) -> bool:
        """Whether the server is there."""
        return server in self.names


class Wiring:
    """Every Link of one lab. Lives on natslab's loop."""

    def __init__(self, carrier: Carrier) -> None:
        #: By the names of the servers that they join, in the order of the lab.
        self.links: dict[tuple[str, str], Link] = {}
        #: The process that they run in.
        self.carrier = carrier
        self._hearers: Listeners[[Link]] = Listeners()

    def lay(self, wires: Iterable[Wire]) -> list[Link]:
        """Make the links that are not there yet; they have ports, and refuse until they are opened."""
        made = []
        for wire in wires:
            if (wire.a, wire.b) not in self.links:
                link = self.links[wire.a, wire.b] = Link(
                    wire.a, wire.b, wire.type, self.carrier, self._changed
                )
                made.append(link)
        return made

    async def open(self, laid: Iterable[Link]) -> None:
        """Open those that were laid."""
        for link in laid:
            await link.open()

    async def remove(self, name: str | None = None) -> None:
        """Take away the wires of a server, or all."""
        for pair in [pair for pair in self.links if name is None or name in pair]:
            await self.links.pop(pair).remove()
        if name is None:
            await self.carrier.close()

    def find(self, a: str, b: str) -> Link | None:
        """The wire between two servers, in any order."""
        return self.links.get((a, b)) or self.links.get((b, a))

    def link(self, a: str, b: str) -> Link:
        """The same. Raises LabError when there is none."""
        found = self.find(a, b)
        if found is not None:
            return found
        self.of()
        if a == b:
            raise LabError(f"{a} has no wire to itself.", "Name two servers.")
        ends = [link.b if link.a == a else link.a for link in self.of(End.server(a))]
        raise LabError(f"No wire joins {a} and {b}.", f"From {a} one can cut what leads to {joined(ends)}.")

    def between(self, a: End, b: End) -> list[Link]:
        """Every wire from one end to the other. Raises LabError when there is none."""
        if not a.cluster and not b.cluster:
            return [self.link(a.name, b.name)]
        self.of()
        if a == b:
            raise LabError(
                f"{a.name} has no wires to itself.", "Name two clusters, or a cluster and a server."
            )
        found = [
            link for (x, y), link in self.links.items() if (a.has(x) and b.has(y)) or (a.has(y) and b.has(x))
        ]
        if not found:
            raise LabError(f"No wire joins {a.name} and {b.name}.", "See: %natslab view topology")
        return found

    def of(self, end: End | None = None) -> list[Link]:
        """Every wire that leads away from there, or of the lab. Raises LabError when there is none."""
        found = [link for (x, y), link in self.links.items() if end is None or end.has(x) != end.has(y)]
        if not found and end is not None and end.cluster and self.links:
            raise LabError(f"No wire leads away from {end.name}.", "It is the only cluster; name a server.")
        if not found:
            raise LabError(f"{end.name if end else 'This lab'} has no wires that can be changed.", _SOME)
        return found

    def listen(self, heard: Callable[[Link], None]) -> Callable[[], None]:
        """Call `heard` at each change of a wire: state, delay, whether it connects."""
        return self._hearers.add(heard)

    # several at once

    async def heal(self, *ends: End) -> list[Link]:
        """Heal every wire between two ends, or that leads away from one, or all.

        Returns those that needed it. Raises LabError when none did.
        """
        links = self._of(*ends)
        hurt = [link for link in links if link.state != "open"]
        if not hurt:
            raise LabError(f"{_all(links, ends)} is whole: there is nothing to heal.", "See: %natslab status")
        for link in hurt:
            await link.heal()
        return hurt

    async def change(
        self, act: Callable[[Link], Awaitable[None]], but: tuple[str, ...], *ends: End
    ) -> list[Link]:
        """Change every wire between two ends, or that leads away from one, whose state is none of `but`.

        Returns them. Raises LabError when there is none.
        """
        links = self._of(*ends)
        ready = [link for link in links if link.state not in but]
        if not ready:
            state = links[0].state
            heal = " ".join(["%natslab heal", *(end.name for end in ends)])
            raise LabError(f"{_all(links, ends)} is {state} already.", f"Make it whole first: {heal}")
        for link in ready:
            await act(link)
        return ready

    def _of(self, *ends: End) -> list[Link]:
        if len(ends) > 2:
            raise LabError("A wire has two ends.", "Name two servers or clusters, one, or none.")
        return self.between(*ends) if len(ends) == 2 else self.of(*ends)

    def _changed(self, link: Link) -> None:
        for heard in self._hearers:
            try:
                heard(link)
            except Exception as e:
                asyncio.get_running_loop().call_exception_handler(
                    {"message": "a listener of wires raised", "exception": e}
                )


def _all(links: list[Link], ends: tuple[End, ...]) -> str:
    """These wires, as the subject of a sentence."""
    if len(ends) == 2:
        return f"{'The' if len(links) == 1 else 'Every'} wire between {ends[0].name} and {ends[1].name}"
    return f"Every wire of {ends[0].name}" if ends else "Every wire"
