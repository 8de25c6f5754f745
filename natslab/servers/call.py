"""One connection through a link: bytes pass from end to end, at once or later, or wait."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import struct
import time
from collections import deque
from typing import TYPE_CHECKING, cast

from natslab.servers.framing import Framer

if TYPE_CHECKING:
    from natslab.servers.relay import Counts, Relay

_MOST = 8 * 1024 * 1024  # bytes that wait in one direction before the sender has to
#: A server that says more messages a second than so many, counted over so many seconds, is read so many
#: seconds later, so that more is passed on at once: on two processors each message that is stored three times
#: then costs the servers and the wires half as much. Ten publishers that wait for each ack do not say so much
#: (measured).
_BRISK, _WINDOW, _NAP = 8_000, 0.01, 0.0005
_RESET = struct.pack("ii", 1, 0)  # SO_LINGER: closing is a reset


class Call:
    """One connection through a link: the end that dialled, and the one it reaches."""

    def __init__(self, relay: Relay, near: str, far: str) -> None:
        self.relay = relay
        self.near = End(self, near)
        self.far = End(self, far)
        self.near.other, self.far.other = self.far, self.near
        self.reaching: asyncio.Task[None] | None = None
        self.known = asyncio.Event()  # both have agreed to it, or it is over

    @property
    def speaks(self) -> bool:
        """Whether both servers have said something and neither has gone."""
        return self.near.bytes > 0 < self.far.bytes and not (self.near.lost or self.far.lost)

    def add_to(self, counts: Counts) -> None:
        """Add what has passed here."""
        for end in (self.near, self.far):
            if end.name == self.relay.a:
                counts.ab_msgs += end.framer.messages
                counts.ab_bytes += end.bytes
            else:
                counts.ba_msgs += end.framer.messages
                counts.ba_bytes += end.bytes

    def turn(self) -> None:
        """The wire's state has changed."""
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
        self.relay.ended(self)


class End(asyncio.BufferedProtocol):
    """Where one server is connected to the link: what it says goes to the other end."""

    other: End

    def __init__(self, call: Call, name: str) -> None:
        self.call = call
        self.relay = call.relay
        self.name = name
        self.transport: asyncio.Transport | None = None
        self.bytes = 0  # that this server has said
        self.lost = False
        self.agreed = False  # it says what it is interested in: to it, this is the connection of the two
        self.clear = False  # nothing waits: what comes is passed on at once
        self.framer = Framer()
        self.strange = False  # what it says cannot be cut into messages
        self._waiting: deque[tuple[float, bytes]] = deque()  # (loop time when it came, what)
        self._size = 0
        self._timer: asyncio.TimerHandle | None = None
        self._stopped: set[str] = set()  # why this server is not read
        self._brisk = False  # it says much
        self._since, self._before = 0.0, 0  # loop time, and messages until then

    # asyncio calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The server has dialled, or was reached."""
        self.transport = cast(asyncio.Transport, transport)
        if self is self.call.near:
            self.call.reaching = asyncio.get_running_loop().create_task(self.relay.reach(self.call))
        self.pump()
        self.other.pump()

    def get_buffer(self, sizehint: int) -> memoryview:
        """Where the next bytes go."""
        # Who has something to do goes first, so that in a burst more is there to be passed on at once; where
        # processors are idle the second is nothing.
        if self._brisk:
            time.sleep(_NAP)
        else:
            os.sched_yield()
        return self.relay.buffer

    def buffer_updated(self, nbytes: int) -> None:
        """The server has said something: it is passed on, then looked at."""
        data = bytes(self.relay.buffer[:nbytes])
        first = not self.bytes
        self.bytes += len(data)
        now = asyncio.get_running_loop().time()
        if now - self._since > _WINDOW:
            self._brisk = self.framer.messages - self._before > _BRISK * (now - self._since)
            self._since, self._before = now, self.framer.messages
        if self.clear:
            self.other.transport.write(data)  # type: ignore[union-attr]
        else:
            self._waiting.append((now, data))
            self._size += len(data)
            if self._size > _MOST:
                self.stop("waiting")
            self.pump()
        if not self.strange:
            try:
                self.framer.feed(data, self.relay.wanted, self._came)
            except ValueError:  # no protocol that we know: passed on, and not understood
                self.strange = True
        if first:
            self.relay.look()
        if not self.agreed and b"RS+ " in data:
            self.agreed = True
            if self.other.agreed:
                self.call.known.set()

    def pause_writing(self) -> None:
        """This server reads too slowly for the other."""
        self.other.stop("full")

    def resume_writing(self) -> None:
        """It has caught up."""
        self.other.go("full")

    def connection_lost(self, exc: Exception | None) -> None:
        """The server has gone, or was reset."""
        self.lost = True
        self.clear = False
        self.call.known.set()
        if self.other.transport is None:
            self.call.reset()
            return
        self._waiting.append((asyncio.get_running_loop().time(), b""))  # its end takes as long as its words
        self.relay.look()
        self.pump()

    # ours

    def pump(self) -> None:
        """Pass on what may go now, and arrange for the rest; the end of this server comes last."""
        relay, out = self.relay, self.other.transport
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self.clear or out is None or relay.state in ("held", "cut", "removed"):
            return
        if self.other.lost:
            self._waiting.clear()
            self._size = 0
        delay = relay.delay
        now = asyncio.get_running_loop().time()
        while self._waiting:
            at, data = self._waiting[0]
            if at + delay > now:
                self._timer = asyncio.get_running_loop().call_at(at + delay, self.pump)
                return
            self._waiting.popleft()
            self._size -= len(data)
            out.write(data)
        self.go("waiting")
        if self.lost:
            out.close()
            if self.other.lost:
                self.relay.ended(self.call)
        else:
            self.clear = relay.state == "open"

    def abort(self) -> None:
        """End at once, by a reset; what waits is lost."""
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

    def _came(self, line: bytes, body: bytes) -> None:
        self.relay.came(self, line, body)

    def stop(self, why: str) -> None:
        """Do not read what this server says, for that reason."""
        if not self._stopped and self.transport is not None and not self.lost:
            self.transport.pause_reading()
        self._stopped.add(why)

    def go(self, why: str) -> None:
        """The reason is gone."""
        if why in self._stopped:
            self._stopped.discard(why)
            if not self._stopped and self.transport is not None and not self.lost:
                self.transport.resume_reading()
