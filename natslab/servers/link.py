"""A wire between two servers that is ours: it can be cut, held and delayed, and heard.

Each end dials a port of the link, which goes on to where the other server listens now. So a server
that comes back on another port is found again. Bytes are passed on first and looked at afterwards.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
import time
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Literal, TypeAlias, cast

from natslab.errors import LabError
from natslab.servers.framing import ALL, Frame, Framer
from natslab.servers.topology import WireType

State: TypeAlias = Literal["open", "cut", "held", "delayed", "removed"]
Where: TypeAlias = Callable[[str, WireType], Awaitable[int | None]]

LOCALHOST = "127.0.0.1"
_MOST = 8 * 1024 * 1024  # bytes that wait in one direction before the sender has to
_DIAL = 2.0  # seconds
_HANDSHAKE = 0.25  # seconds that one call may keep the other end's from beginning; measured 0.01
_RESET = struct.pack("ii", 1, 0)  # SO_LINGER: closing is a reset


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
        self._doors = {a: _Door()} if type == "leafnode" else {a: _Door(), b: _Door()}
        self._calls: set[_Call] = set()
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

    def _called(self, near: str, far: str) -> asyncio.Protocol:
        call = _Call(self, near, far)
        self._calls.add(call)
        return call.near

    async def reach(self, call: _Call) -> None:
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

    async def _reach(self, call: _Call) -> bool:
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

    def ended(self, call: _Call) -> None:
        """A connection is gone on both sides."""
        if call in self._calls:
            call.add_to(self._past)
            self._calls.discard(call)
            self.look()

    def came(self, end: _End, line: bytes, body: bytes) -> None:
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


class _Door:
    """A port that is ours all the time, and open or shut: shut, a connection is refused."""

    def __init__(self) -> None:
        # Bound and never listening, so that nobody else gets the port while the door is shut.
        self._keeper = _bound(0)
        self.port: int = self._keeper.getsockname()[1]
        self._server: asyncio.Server | None = None

    async def open(self, called: Callable[[], asyncio.Protocol]) -> None:
        if self._server is None:
            self._server = await asyncio.get_running_loop().create_server(called, sock=_bound(self.port))

    def close(self) -> None:
        if self._server is not None:
            self._server.close()
            self._server = None

    def release(self) -> None:
        self.close()
        self._keeper.close()


def _bound(port: int) -> socket.socket:
    # With the protocol said, or asyncio sets no TCP_NODELAY: each answer would come 40 ms later (measured).
    made = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    made.bind((LOCALHOST, port))
    return made


class _Call:
    """One connection through a link: the end that dialled, and the one it reaches."""

    def __init__(self, link: Link, near: str, far: str) -> None:
        self.link = link
        self.near = _End(self, near)
        self.far = _End(self, far)
        self.near.other, self.far.other = self.far, self.near
        self.reaching: asyncio.Task[None] | None = None
        self.known = asyncio.Event()  # both have agreed to it, or it is over

    @property
    def speaks(self) -> bool:
        """Whether both servers have said something and neither has gone."""
        return self.near.bytes > 0 < self.far.bytes and not (self.near.lost or self.far.lost)

    def add_to(self, counts: Counts) -> None:
        for end in (self.near, self.far):
            if end.name == self.link.a:
                counts.ab_msgs += end.framer.messages
                counts.ab_bytes += end.bytes
            else:
                counts.ba_msgs += end.framer.messages
                counts.ba_bytes += end.bytes

    def turn(self) -> None:
        """The link's state has changed."""
        for end in (self.near, self.far):
            end.clear = False
            end.pump()

    def reset(self) -> None:
        """End both sides at once, without a word and with what was on the way."""
        self.known.set()
        if self.reaching is not None and self.reaching is not asyncio.current_task():
            self.reaching.cancel()
        for end in (self.near, self.far):
            end.abort()
        self.link.ended(self)


class _End(asyncio.Protocol):
    """Where one server is connected to the link: what it says goes to the other end."""

    other: _End

    def __init__(self, call: _Call, name: str) -> None:
        self.call = call
        self.link = call.link
        self.name = name
        self.transport: asyncio.Transport | None = None
        self.bytes = 0  # that this server has said
        self.lost = False
        self.agreed = False  # it says what it is interested in: to it, this is the connection of the two
        self.clear = False  # nothing waits: what comes is passed on at once
        self.framer = Framer()
        self._waiting: deque[tuple[float, bytes]] = deque()  # (loop time when it came, what)
        self._size = 0
        self._timer: asyncio.TimerHandle | None = None
        self._stopped: set[str] = set()  # why this server is not read

    # asyncio calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        if self is self.call.near:
            self.call.reaching = asyncio.get_running_loop().create_task(self.link.reach(self.call))
        self.pump()
        self.other.pump()

    def data_received(self, data: bytes) -> None:
        first = not self.bytes
        self.bytes += len(data)
        if self.clear:
            self.other.transport.write(data)  # type: ignore[union-attr]
        else:
            self._waiting.append((asyncio.get_running_loop().time(), data))
            self._size += len(data)
            if self._size > _MOST:
                self._stop("waiting")
            self.pump()
        self.framer.feed(data, self.link.wanted, self._came)
        if first:
            self.link.look()
        if not self.agreed and b"RS+ " in data:
            self.agreed = True
            if self.other.agreed:
                self.call.known.set()

    def _came(self, line: bytes, body: bytes) -> None:
        self.link.came(self, line, body)

    def pause_writing(self) -> None:
        self.other._stop("full")

    def resume_writing(self) -> None:
        self.other._go("full")

    def connection_lost(self, exc: Exception | None) -> None:
        self.lost = True
        self.clear = False
        self.call.known.set()
        if self.other.transport is None:
            self.call.reset()
            return
        self._waiting.append((asyncio.get_running_loop().time(), b""))  # its end takes as long as its words
        self.link.look()
        self.pump()

    # ours

    def pump(self) -> None:
        """Pass on what may go now, and arrange for the rest; the end of this server comes last."""
        link, out = self.link, self.other.transport
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self.clear or out is None or link.state in ("held", "cut", "removed"):
            return
        if self.other.lost:
            self._waiting.clear()
        delay = link.delay
        now = asyncio.get_running_loop().time()
        while self._waiting:
            at, data = self._waiting[0]
            if at + delay > now:
                self._timer = asyncio.get_running_loop().call_at(at + delay, self.pump)
                return
            self._waiting.popleft()
            self._size -= len(data)
            out.write(data)
        self._go("waiting")
        if self.lost:
            out.close()
            if self.other.lost:
                self.link.ended(self.call)
        else:
            self.clear = link.state == "open"

    def abort(self) -> None:
        self.lost = True
        self.clear = False
        self._waiting.clear()
        if self._timer is not None:
            self._timer.cancel()
        if self.transport is not None:
            with contextlib.suppress(OSError):
                self.transport.get_extra_info("socket").setsockopt(
                    socket.SOL_SOCKET, socket.SO_LINGER, _RESET
                )
            self.transport.abort()

    def _stop(self, why: str) -> None:
        if not self._stopped and self.transport is not None and not self.lost:
            self.transport.pause_reading()
        self._stopped.add(why)

    def _go(self, why: str) -> None:
        if why in self._stopped:
            self._stopped.discard(why)
            if not self._stopped and self.transport is not None and not self.lost:
                self.transport.resume_reading()
