"""What a wire does with bytes: passes them on, holds, delays or refuses them, and looks at them afterwards.

Runs in the process that carries the wires (carrier_child.py), and knows nothing of the rest.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Literal, TypeAlias

from natslab.servers.call import Call, End
from natslab.servers.door import LOCALHOST, Door

State: TypeAlias = Literal["open", "cut", "held", "delayed", "removed"]

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


class Relay:
    """A wire between the servers `a` and `b`, cut at first.

    `ports` are those of ours at which each server finds the other; a leafnode's hub finds nobody.
    `where(name)` says at which port a server listens, and may take its time; None is nowhere.
    `changed` hears of each change of `state`, `delay` and `connected`, and `came(from, line, body)` gets
    each message that is `wanted`.
    """

    def __init__(
        self,
        ports: dict[str, int],
        names: tuple[str, str],
        *,
        once: bool,
        where: Callable[[str], Awaitable[int | None]],
        changed: Callable[[Relay], None],
        came: Callable[[Relay, str, bytes, bytes], None],
    ) -> None:
        self.a, self.b = names
        self.state: State = "cut"
        self.delay = 0.0  # seconds each way, while delayed
        self.connected = False  # whether both servers speak on a connection through it
        self.wanted: tuple[bytes, ...] = ()  # how the messages begin that somebody listens to (framing)
        # Used up at once. Without it asyncio takes 256 kB from the system for each reading (measured).
        self.buffer = memoryview(bytearray(_READ))
        self.calls: set[Call] = set()
        self._where = where
        self._changed = changed
        self._came = came
        self._doors = {name: Door(port) for name, port in ports.items()}
        self._past = Counts()
        # Both servers of a route dial, and keep one connection. When both dials are under way at
        # once each may keep the other, so that none is left for a second (measured).
        self._one = asyncio.Lock() if once else None

    @property
    def counts(self) -> Counts:
        """Messages and bytes each way so far."""
        past = self._past
        total = Counts(past.ab_msgs, past.ba_msgs, past.ab_bytes, past.ba_bytes)
        for call in self.calls:
            call.add_to(total)
        return total

    async def turn(self, state: State, delay: float = 0.0) -> None:
        """Be in that state from now on; what waited goes on as soon as it may."""
        if state in ("cut", "removed"):
            for door in self._doors.values():
                door.close()
            self.connected = False  # told together with the state
            self.state, self.delay = state, 0.0
            for call in tuple(self.calls):
                call.reset()
        else:
            for name, door in self._doors.items():
                far = self.b if name == self.a else self.a
                await door.open(lambda near=name, far=far: self._called(near, far))  # type: ignore[misc]
            self.state, self.delay = state, delay
            for call in tuple(self.calls):
                call.turn()
        self._changed(self)

    def _called(self, near: str, far: str) -> asyncio.BaseProtocol:
        call = Call(self, near, far)
        self.calls.add(call)
        return call.near

    async def reach(self, call: Call) -> None:
        """Connect a call to the server that it is for; ends it when that is nowhere."""
        try:
            if self._one is None:
                await self._reach(call)
                return
            async with self._one:
                if await self._reach(call):
                    with contextlib.suppress(TimeoutError):
                        async with asyncio.timeout(_HANDSHAKE):
                            await call.known.wait()
        except OSError:  # also a timeout
            call.reset()

    async def _reach(self, call: Call) -> bool:
        port = await self._where(call.far.name)
        if port and call in self.calls:
            async with asyncio.timeout(_DIAL):
                await asyncio.get_running_loop().create_connection(lambda: call.far, LOCALHOST, port)
            if call in self.calls:
                return True
        call.reset()
        return False

    def look(self) -> None:
        """Whether it connects the two now; tells when that has changed."""
        connected = any(call.speaks for call in self.calls)
        if connected != self.connected:
            self.connected = connected
            self._changed(self)

    def ended(self, call: Call) -> None:
        """A connection is gone on both sides."""
        if call in self.calls:
            call.add_to(self._past)
            self.calls.discard(call)
            self.look()

    def came(self, end: End, line: bytes, body: bytes) -> None:
        """A message came from the server of `end`."""
        self._came(self, end.name, line, body)
