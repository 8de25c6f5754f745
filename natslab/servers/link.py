"""A wire between two servers that is ours: it can be cut, held and delayed, and heard.

Each end dials a port of the link, which goes on to where the other server listens now. So a server
that comes back on another port is found again. Bytes pass in another process (carrier.py), so that they
do so whatever this one computes; here is what can be done with the wire, and who hears it.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable

from natslab.errors import LabError
from natslab.servers.carrier import Carrier
from natslab.servers.door import Port
from natslab.servers.framing import ALL, Frame
from natslab.servers.relay import Counts, State
from natslab.servers.topology import WireType


class Link:
    """The wire between the servers `a` and `b`, carried by `carrier`. Lives on natslab's loop.

    `changed` hears of each change of `state`, `delay` and `connected`.
    """

    def __init__(
        self, a: str, b: str, type: WireType, carrier: Carrier, changed: Callable[[Link], None]
    ) -> None:
        self.a = a
        self.b = b
        self.type: WireType = type
        self.state: State = "open"
        self.delay = 0.0  # seconds each way, while delayed
        self.connected = False  # whether both servers speak on a connection through it
        self._carrier = carrier
        self._changed = changed
        self._hearers: list[tuple[Callable[[Frame], None], bytes]] = []
        self._ports = {name: Port() for name in ((a,) if type == "leafnode" else (a, b))}
        self._busy = asyncio.Lock()
        carrier.add(self)

    def __repr__(self) -> str:
        return f"<Link {self.a} {self.b} {self.state}>"

    @property
    def names(self) -> tuple[str, str]:
        """Both servers."""
        return self.a, self.b

    @property
    def said(self) -> str:
        """The link in a sentence."""
        return f"the wire between {self.a} and {self.b}"

    @property
    def ports(self) -> dict[str, int]:
        """The ports on 127.0.0.1 at which each server finds the other."""
        return {name: port.number for name, port in self._ports.items()}

    @property
    def wanted(self) -> tuple[bytes, ...]:
        """How the messages begin that somebody listens to (framing.account)."""
        return tuple({want for _, want in self._hearers})

    def port(self, dials: str) -> int:
        """The port on 127.0.0.1 that the server `dials` finds the other at; stays as long as the link."""
        return self._ports[dials].number

    def listen(self, heard: Callable[[Frame], None], want: bytes = ALL) -> Callable[[], None]:
        """Call `heard` soon after each message that comes in, passed on or not; returns what ends that.

        `want`: which messages (framing.account), which costs less than to look at all. What nobody
        listens to is only counted.
        """
        one = (heard, want)
        self._hearers.append(one)
        self._carrier.want(self)

        def end() -> None:
            with contextlib.suppress(ValueError):
                self._hearers.remove(one)
                self._carrier.want(self)

        return end

    async def counts(self) -> Counts:
        """Messages and bytes each way so far. What came before has been heard when this returns."""
        return await self._carrier.counts(self)

    # what can be done to it

    async def open(self) -> None:
        """Begin to accept connections."""
        await self._carrier.turn(self, "open")

    async def cut(self) -> None:
        """Reset what goes through it and refuse what comes. Raises LabError when it is cut."""
        async with self._busy:
            self._refuse("cut", hint=self._heal_hint)
            await self._carrier.turn(self, "cut")

    async def hold(self) -> None:
        """Pass nothing on, but keep connections and bytes. Raises LabError when it is cut or held."""
        async with self._busy:
            self._refuse("cut", "held", hint=self._heal_hint)
            await self._carrier.turn(self, "held")

    async def delay_by(self, seconds: float) -> None:
        """Pass everything on so much later, each way. Raises LabError when it is cut."""
        async with self._busy:
            self._refuse("cut", hint=self._heal_hint)
            await self._carrier.turn(self, "delayed", seconds)

    async def heal(self) -> None:
        """Be an ordinary wire again; what waited goes on. Raises LabError when it is one."""
        async with self._busy:
            self._refuse("open", hint="Nothing has to be healed there.")
            await self._carrier.turn(self, "open")

    async def remove(self) -> None:
        """End for good."""
        async with self._busy:
            if self.state != "removed":
                await self._carrier.remove(self)
                for port in self._ports.values():
                    port.release()

    async def restore(self) -> None:
        """Be what it was, carried by a new process."""
        async with self._busy:
            if self.state not in ("cut", "removed"):
                await self._carrier.turn(self, self.state, self.delay)

    # how

    @property
    def _heal_hint(self) -> str:
        return f"`%natslab heal {self.a} {self.b}` makes it whole again."

    def _refuse(self, *states: State, hint: str) -> None:
        if self.state in states:
            said = {"open": "whole"}.get(self.state, self.state)
            raise LabError(f"{self.said[0].upper()}{self.said[1:]} is {said} already.", hint)

    # the carrier calls

    def turned(self, state: State, delay: float, connected: bool) -> None:
        """It is so now."""
        self.state, self.delay, self.connected = state, delay, connected
        self._changed(self)

    def came(self, src: str, dst: str, line: bytes, body: bytes, at: float) -> None:
        """A message has come in."""
        try:
            frame = Frame(self, src, dst, line, body, at)
        except ValueError:  # counted, and not understood
            return
        for heard, want in tuple(self._hearers):
            if not line.startswith(want, 5):
                continue
            try:
                heard(frame)
            except Exception as e:
                asyncio.get_running_loop().call_exception_handler(
                    {"message": "a listener of a link raised", "exception": e}
                )
