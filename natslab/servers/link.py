"""A wire between two servers that is ours: it can be cut, held and delayed, and heard.

Each end dials a port of the link, which goes on to where the other server listens now. So a server
that comes back on another port is found again. Bytes are passed on first and looked at afterwards.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Literal, TypeAlias

from natslab.errors import LabError
from natslab.servers.call import Call, End
from natslab.servers.door import LOCALHOST, Door
from natslab.servers.framing import ALL, Frame
from natslab.servers.topology import WireType

State: TypeAlias = Literal["open", "cut", "held", "delayed", "removed"]
Where: TypeAlias = Callable[[str, WireType], Awaitable[int | None]]

_DIAL = 2.0  # seconds
_HANDSHAKE = 0.25  # seconds that one call may keep the other end's from beginning; measured 0.01
_READ = 128 * 1024  # bytes at once


@dataclass
class Counts:
    """What came into a link so far, each way; exact. A message is counted when all of it is there."""

    ab_msgs: int = 0
    ba_msgs: int = 0
    ab_bytes: int = 0
    ba_bytes: int = 0


class Link:
    """The wire between the servers `a` and `b`. Lives on natslab's loop.

    `where(name, type)` says at which port a server listens; it may wait while the server starts, and
    None is nowhere. `changed` hears of each change of `state`, `delay` and `connected`.
    """

    def __init__(self, a: str, b: str, type: WireType, where: Where, changed: Callable[[Link], None]) -> None:
        self.a = a
        self.b = b
        self.type: WireType = type
        self.state: State = "open"
        self.delay = 0.0  # seconds each way, while delayed
        self.connected = False  # whether both servers speak on a connection through it
        self._where = where
        self._changed = changed
        self._hearers: list[tuple[Callable[[Frame], None], bytes]] = []
        self.wanted: tuple[bytes, ...] = ()  # which messages somebody listens to
        # Used up at once. Without it asyncio takes 256 kB from the system for each reading (measured).
        self.buffer = memoryview(bytearray(_READ))
        self._doors = {a: Door()} if type == "leafnode" else {a: Door(), b: Door()}
        self._calls: set[Call] = set()
        self._past = Counts()
        self._busy = asyncio.Lock()
        self._one = asyncio.Lock()

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
    def counts(self) -> Counts:
        """Messages and bytes each way so far."""
        past = self._past
        total = Counts(past.ab_msgs, past.ba_msgs, past.ab_bytes, past.ba_bytes)
        for call in self._calls:
            call.add_to(total)
        return total

    def port(self, dials: str) -> int:
        """The port on 127.0.0.1 that the server `dials` finds the other at; stays as long as the link."""
        return self._doors[dials].port

    def listen(self, heard: Callable[[Frame], None], want: bytes = ALL) -> Callable[[], None]:
        """Call `heard` with each message that comes in, passed on already or not; returns what ends that.

        `want`: which messages (framing.account), which costs less than to look at all. What nobody
        listens to is only counted.
        """
        one = (heard, want)
        self._hearers.append(one)
        self._want()

        def end() -> None:
            with contextlib.suppress(ValueError):
                self._hearers.remove(one)
            self._want()

        return end

    def _want(self) -> None:
        self.wanted = tuple({want for _, want in self._hearers})

    # what can be done to it

    async def open(self) -> None:
        """Begin to accept connections."""
        for name, door in self._doors.items():
            far = self.b if name == self.a else self.a
            await door.open(lambda near=name, far=far: self._called(near, far))  # type: ignore[misc]

    async def cut(self) -> None:
        """Reset what goes through it and refuse what comes. Raises LabError when it is cut."""
        async with self._busy:
            self._refuse("cut", hint=self._heal_hint)
            for door in self._doors.values():
                door.close()
            self._end("cut")

    async def hold(self) -> None:
        """Pass nothing on, but keep connections and bytes. Raises LabError when it is cut or held."""
        self._refuse("cut", "held", hint=self._heal_hint)
        self._set("held")

    async def delay_by(self, seconds: float) -> None:
        """Pass everything on so much later, each way. Raises LabError when it is cut."""
        self._refuse("cut", hint=self._heal_hint)
        self._set("delayed", seconds)

    async def heal(self) -> None:
        """Be an ordinary wire again; what waited goes on. Raises LabError when it is one."""
        async with self._busy:
            self._refuse("open", hint="Nothing has to be healed there.")
            if self.state == "cut":
                await self.open()
            self._set("open")

    async def remove(self) -> None:
        """End for good."""
        async with self._busy:
            for door in self._doors.values():
                door.release()
            if self.state != "removed":
                self._end("removed")

    # how

    @property
    def _heal_hint(self) -> str:
        return f"`%natslab heal {self.a} {self.b}` makes it whole again."

    def _refuse(self, *states: State, hint: str) -> None:
        if self.state in states:
            said = {"open": "whole"}.get(self.state, self.state)
            raise LabError(f"{self.said[0].upper()}{self.said[1:]} is {said} already.", hint)

    def _set(self, state: State, delay: float = 0.0) -> None:
        self.state, self.delay = state, delay
        for call in tuple(self._calls):
            call.turn()
        self._changed(self)

    def _end(self, state: State) -> None:
        self.connected = False  # told together with the state
        self.state, self.delay = state, 0.0
        for call in tuple(self._calls):
            call.reset()
        self._changed(self)

    def _called(self, near: str, far: str) -> asyncio.BaseProtocol:
        call = Call(self, near, far)
        self._calls.add(call)
        return call.near

    async def reach(self, call: Call) -> None:
        """Connect a call to the server that it is for; ends it when that is nowhere."""
        try:
            if self.type != "route":
                await self._reach(call)
                return
            # Both servers of a route dial, and keep one connection. When both dials are under way at
            # once each may keep the other, so that none is left for a second (measured).
            async with self._one:
                if await self._reach(call):
                    with contextlib.suppress(TimeoutError):
                        async with asyncio.timeout(_HANDSHAKE):
                            await call.known.wait()
        except OSError:  # also a timeout
            call.reset()

    async def _reach(self, call: Call) -> bool:
        port = await self._where(call.far.name, self.type)
        if port and call in self._calls:
            async with asyncio.timeout(_DIAL):
                await asyncio.get_running_loop().create_connection(lambda: call.far, LOCALHOST, port)
            if call in self._calls:
                return True
        call.reset()
        return False

    def look(self) -> None:
        """Whether it connects the two now; tells when that has changed."""
        connected = any(call.speaks for call in self._calls)
        if connected != self.connected:
            self.connected = connected
            self._changed(self)

    def ended(self, call: Call) -> None:
        """A connection is gone on both sides."""
        if call in self._calls:
            call.add_to(self._past)
            self._calls.discard(call)
            self.look()

    def came(self, end: End, line: bytes, body: bytes) -> None:
        """A message came from the server of `end`."""
        frame = Frame(self, end.name, end.other.name, line, body, time.time())
        for heard, want in tuple(self._hearers):
            if not line.startswith(want, 5):
                continue
            try:
                heard(frame)
            except Exception as e:
                asyncio.get_running_loop().call_exception_handler(
                    {"message": "a listener of a link raised", "exception": e}
                )
