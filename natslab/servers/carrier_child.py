"""The process that carries the wires of one lab.

Run by `python -I -S`. It speaks with natslab over a socket, and ends when that ends. Words
`{"id": 1, "op": ..., "link": 3, ...}` are answered by `{"id": 1, ...}`, unless the id is 0. Unasked it tells
messages between servers that are wanted, what becomes of a link, and `{"dial": 1, "link": 3, "name": "n2"}`:
at which port is n2 now?
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import os
import time
from typing import Any

from natslab.servers.parcel import AB, BA, Cutter, message, words
from natslab.servers.relay import Relay

#: So many times after so many seconds of quiet natslab is woken at once for what it listens to, and then
#: every so many seconds: to be woken for each message of many costs half of them (measured).
_TIMES, _QUIET, _LATER = 20, 0.05, 0.01
_READ = 64 * 1024  # bytes at once
_MOST = 16 * 1024 * 1024  # bytes that natslab has not read before the servers have to wait


class Process(asyncio.BufferedProtocol):
    """All relays of this process, and how it speaks with natslab."""

    def __init__(self) -> None:
        self.gone = asyncio.Event()
        self._relays: dict[int, Relay] = {}
        self._numbers: dict[Relay, int] = {}
        self._dials: dict[int, asyncio.Future[int | None]] = {}
        self._no = itertools.count(1)
        self._transport: Any = None
        self._cutter = Cutter(self._heard)
        self._buffer = memoryview(bytearray(_READ))
        self._out: list[bytes] = []
        self._timer: asyncio.TimerHandle | None = None
        self._last = 0.0  # loop time of the last message that was wanted
        self._woken = 0  # times since it was quiet
        self._tasks: set[asyncio.Task[None]] = set()

    # asyncio calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """There it is."""
        self._transport = transport
        self._transport.set_write_buffer_limits(high=_MOST)

    def get_buffer(self, sizehint: int) -> memoryview:
        """Where the next bytes go."""
        return self._buffer

    def buffer_updated(self, nbytes: int) -> None:
        """Natslab has said something."""
        self._cutter.feed(bytes(self._buffer[:nbytes]))

    def connection_lost(self, exc: Exception | None) -> None:
        """Natslab is gone."""
        self.gone.set()

    def pause_writing(self) -> None:
        """Natslab does not read; nothing is to be lost, so the servers wait."""
        self._each("stop")

    def resume_writing(self) -> None:
        """It has read."""
        self._each("go")

    # to natslab

    def _each(self, what: str) -> None:
        for relay in self._relays.values():
            for call in relay.calls:
                for end in (call.near, call.far):
                    getattr(end, what)("unheard")

    def _say(self, **said: object) -> None:
        """At once, after what waits."""
        self._out.append(words(**said))
        self._flush()

    def _flush(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._out:
            self._transport.write(b"".join(self._out))
            self._out.clear()

    def _came(self, relay: Relay, src: str, line: bytes, body: bytes) -> None:
        kind = AB if src == relay.a else BA
        self._out.append(message(kind, self._numbers[relay], time.time(), line, body))
        loop = asyncio.get_running_loop()
        now = loop.time()
        if now - self._last > _QUIET:
            self._woken = 0
        self._last = now
        if self._timer is None:
            self._woken += 1
            self._timer = loop.call_later(0 if self._woken <= _TIMES else _LATER, self._flush)

    def _changed(self, relay: Relay) -> None:
        number = self._numbers[relay]
        self._say(link=number, state=relay.state, delay=relay.delay, connected=relay.connected)

    async def _ask(self, relay: Relay, name: str) -> int | None:
        no = next(self._no)
        answer: asyncio.Future[int | None] = asyncio.get_running_loop().create_future()
        self._dials[no] = answer
        try:
            self._say(dial=no, link=self._numbers[relay], name=name)
            return await answer
        finally:
            del self._dials[no]

    # from natslab

    def _heard(self, kind: int, link: int, at: float, line: bytes, body: bytes) -> None:
        said = json.loads(line)
        no, op, number = said.pop("id"), said.pop("op"), said.pop("link")
        if op == "lay":
            self._lay(number, said["names"], said["ports"], said["once"])
        elif op == "dialled":
            answer = self._dials.get(said["dial"])
            if answer is not None and not answer.done():
                answer.set_result(said["port"])
        elif op == "want":
            self._relays[number].wanted = tuple(one.encode() for one in said["want"])
        elif op == "turn":
            task = asyncio.get_running_loop().create_task(self._turn(no, self._relays[number], **said))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        elif op == "sync":
            self._say(id=no)
        else:
            counts = self._relays[number].counts
            self._say(id=no, counts=[counts.ab_msgs, counts.ba_msgs, counts.ab_bytes, counts.ba_bytes])

    def _lay(self, number: int, names: list[str], ports: dict[str, int], once: bool) -> None:
        async def where(name: str) -> int | None:
            return await self._ask(relay, name)

        a, b = names
        relay = Relay(ports, (a, b), once=once, where=where, changed=self._changed, came=self._came)
        self._relays[number] = relay
        self._numbers[relay] = number

    async def _turn(self, no: int, relay: Relay, state: Any, delay: float) -> None:
        await relay.turn(state, delay)
        self._say(id=no)


async def carry(path: str) -> None:
    """Carry wires until natslab, which listens at `path`, is gone."""
    process = Process()
    await asyncio.get_running_loop().create_unix_connection(lambda: process, path)
    await process.gone.wait()


def main(path: str) -> None:
    """The same, as a process; nothing has to be put in order at its end."""
    with contextlib.suppress(AttributeError, OSError):  # Linux: what comes in does not push a server aside
        os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))
    asyncio.run(carry(path))
    os._exit(0)
