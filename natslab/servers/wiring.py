"""The wires of one lab: laid, found by the servers that they join, cut and healed together."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable

from natslab.errors import LabError, joined
from natslab.listeners import Listeners
from natslab.servers.link import Link, Where
from natslab.servers.topology import Wire

_SOME = "Start a lab that has some: %natslab down, then %natslab up --servers 3"


class Wiring:
    """Every Link of one lab. Lives on natslab's loop; `where` tells links where servers listen."""

    def __init__(self, where: Where) -> None:
        #: By the names of the servers that they join, in the order of the lab.
        self.links: dict[tuple[str, str], Link] = {}
        self._where = where
        self._hearers: Listeners[[Link]] = Listeners()

    def lay(self, wires: Iterable[Wire]) -> list[Link]:
        """Make the links that are not there yet; they have ports, and refuse until they are opened."""
        made = []
        for wire in wires:
            if (wire.a, wire.b) not in self.links:
                link = self.links[wire.a, wire.b] = Link(
                    wire.a, wire.b, wire.type, self._where, self._changed
                )
                made.append(link)
        return made

    async def open(self, laid: Iterable[Link]) -> None:
        """Open those that were laid."""
        for link in laid:
            await link.open()
            self._changed(link)

    async def remove(self, name: str | None = None) -> None:
        """Take away the wires of a server, or all."""
        for pair in [pair for pair in self.links if name is None or name in pair]:
            await self.links.pop(pair).remove()

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
        ends = [link.b if link.a == a else link.a for link in self.of(a)]
        raise LabError(f"No wire joins {a} and {b}.", f"From {a} one can cut what leads to {joined(ends)}.")

    def of(self, name: str | None = None) -> list[Link]:
        """Every wire of that server, or of the lab. Raises LabError when there is none."""
        found = [link for pair, link in self.links.items() if name is None or name in pair]
        if not found:
            raise LabError(f"{name or 'This lab'} has no wires that can be changed.", _SOME)
        return found

    def listen(self, heard: Callable[[Link], None]) -> Callable[[], None]:
        """Call `heard` at each change of a wire: state, delay, whether it connects."""
        return self._hearers.add(heard)

    # several at once

    async def heal(self, *names: str) -> list[Link]:
        """Heal the wire between two servers, or all of one, or all; returns those that needed it.

        Raises LabError when none did.
        """
        if len(names) > 2:
            raise LabError("A wire has two ends.", "Name two servers, one, or none for all wires.")
        links = [self.link(*names)] if len(names) == 2 else self.of(*names)
        hurt = [link for link in links if link.state != "open"]
        if not hurt:
            whole = {0: "Every wire", 1: f"Every wire of {names[0] if names else ''}"}.get(len(names))
            whole = whole or f"The wire between {names[0]} and {names[1]}"
            raise LabError(f"{whole} is whole: there is nothing to heal.", "See: %natslab status")
        for link in hurt:
            await link.heal()
        return hurt

    async def isolate(
        self, name: str, change: Callable[[Link], Awaitable[None]], but: tuple[str, ...]
    ) -> list[Link]:
        """Change every wire of a server whose state is none of `but`; returns them. Raises LabError."""
        links = self.of(name)
        ready = [link for link in links if link.state not in but]
        if not ready:
            raise LabError(
                f"Every wire of {name} is {links[0].state} already.", f"Heal them first: %natslab heal {name}"
            )
        for link in ready:
            await change(link)
        return ready

    def _changed(self, link: Link) -> None:
        for heard in self._hearers:
            try:
                heard(link)
            except Exception as e:
                asyncio.get_running_loop().call_exception_handler(
                    {"message": "a listener of wires raised", "exception": e}
                )
