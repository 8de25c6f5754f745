"""Hearing what is published on every server of a lab, and telling it once.

A connection to one server hears the whole cluster, but only its own side when wires are cut, and nothing
while that server is down or frozen. So there is one to each. Measured with three servers: all of them hear
each ack, announcement and trace exactly once, in the same words.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

import nats.errors
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.aio.subscription import Subscription

from natslab.errors import NatslabError
from natslab.servers.fleet import Fleet
from natslab.servers.server import Change

KEPT = 50_000  # messages of which it is remembered who heard them
PATIENCE = 0.5  # seconds for the servers to take a subscription or to say that they did

Heard = Callable[[Msg], Awaitable[None]]
Connect = Callable[[str], Awaitable[Client]]

_FAILURES = (NatslabError, nats.errors.Error, OSError, TimeoutError)
_LISTENS = ("up", "lame duck")


class Ear:
    """One subject on every server; `heard` gets each message once."""

    def __init__(self, subject: str, heard: Heard) -> None:
        self.subject = subject
        self.subs: dict[str, Subscription] = {}
        self._heard = heard
        self._counts: dict[int, bytearray] = {}
        self._numbers: dict[str, int] = {}  # server -> place in a count
        self._opening: set[str] = set()

    async def open(self, server: str, client: Client) -> None:
        """Listen on that server as well, if that is not done."""
        if server in self.subs or server in self._opening:
            return
        number = self._numbers.setdefault(server, len(self._numbers))

        async def hear(msg: Msg) -> None:
            if self._first(number, msg):
                await self._heard(msg)

        self._opening.add(server)
        try:
            self.subs[server] = await client.subscribe(self.subject, cb=hear)
        finally:
            self._opening.discard(server)

    async def close(self, server: str) -> None:
        """Listen there no longer."""
        sub = self.subs.pop(server, None)
        if sub is not None:
            with contextlib.suppress(Exception):  # the connection may be gone
                await sub.unsubscribe()

    def _first(self, number: int, msg: Msg) -> bool:
        """Whether no other server has told of this one.

        The same message may come twice (+WPI, e.g.): the n-th that one server tells of is the n-th of all.
        """
        if len(self._numbers) == 1:
            return True
        key = hash((msg.subject, msg.data))
        counts = self._counts.get(key)
        if counts is None:
            counts = self._counts[key] = bytearray(len(self._numbers))
            if len(self._counts) > KEPT:
                for old in list(self._counts)[: KEPT // 4]:
                    del self._counts[old]
        if number >= len(counts):
            counts.extend(bytes(number + 1 - len(counts)))
        most = max(counts)
        if counts[number] < 255:
            counts[number] += 1
        return counts[number] > most


class Ears:
    """Everything that one source listens to.

    Parameters
    ----------
    connect: gives the connection to a server, by its name, e.g. `fleet.watcher`.
    """

    def __init__(self, fleet: Fleet, connect: Connect) -> None:
        self._fleet = fleet
        self._connect = connect
        self._ears: list[Ear] = []
        self._stop: Callable[[], None] | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    async def listen(self, subject: str, heard: Heard, *, wait: bool = True) -> Ear:
        """Call `heard` with every message to that subject; `wait` until the servers know that.

        Raises ServerError when no server answers.
        """
        if self._stop is None:
            self._stop = self._fleet.listen(self._changed)
        ear = Ear(subject, heard)
        self._ears.append(ear)
        try:
            await self._on_each(lambda server: self._open(ear, server))
            if wait:
                await self.flush()
        except BaseException:
            self.leave(ear)
            raise
        self._complete(ear)
        return ear

    def leave(self, ear: Ear) -> None:
        """Listen to that no longer; what was on its way is still heard."""
        with contextlib.suppress(ValueError):
            self._ears.remove(ear)
        for sub in ear.subs.values():
            self._begin(_drain(sub))
        ear.subs.clear()

    async def stop(self) -> None:
        """Listen to nothing any more."""
        if self._stop is not None:
            self._stop()
            self._stop = None
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for ear in self._ears:
            for server in tuple(ear.subs):
                await ear.close(server)
        self._ears.clear()

    async def flush(self) -> None:
        """Wait until what was published before has been heard from every server that answers.

        Raises ServerError or a nats error when none does.
        """
        await self._on_each(self._flush)

    async def _on_each(self, do: Callable[[str], Awaitable[None]]) -> None:
        """Do something on every server that listens; raises the first's error when all fail."""
        names = self._listening() or list(self._fleet.servers)[:1]  # that one says why not
        done = await asyncio.gather(*(do(name) for name in names), return_exceptions=True)
        failed = [one for one in done if isinstance(one, BaseException)]
        for one in failed:
            if len(failed) == len(done) or not isinstance(one, _FAILURES):
                raise one

    async def _flush(self, server: str) -> None:
        client = await self._connect(server)
        async with asyncio.timeout(PATIENCE if len(self._fleet.servers) > 1 else None):
            for _ in range(2):  # one is no barrier
                await client.flush()

    async def _open(self, ear: Ear, server: str) -> None:
        client = await self._connect(server)
        await ear.open(server, client)
        if ear not in self._ears:
            await ear.close(server)  # nobody wants it any more

    def _changed(self, change: Change) -> None:
        """A connection comes back by itself; here is the first one to a server that was not there before."""
        if change.state == "removed":
            for ear in self._ears:
                ear.subs.pop(change.name, None)
        if change.state == "up":
            for ear in self._ears:
                self._complete(ear)

    def _complete(self, ear: Ear) -> None:
        """Listen also where that was not possible at first."""
        for server in self._listening():
            if server not in ear.subs:
                self._begin(self._late(ear, server))

    def _listening(self) -> list[str]:
        return [name for name, server in self._fleet.servers.items() if server.state in _LISTENS]

    def _begin(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _late(self, ear: Ear, server: str) -> None:
        while server not in ear.subs and ear in self._ears:
            it = self._fleet.servers.get(server)
            if it is None or it.state not in _LISTENS:
                return  # until it is up again
            with contextlib.suppress(*_FAILURES):
                await self._open(ear, server)
                return
            await asyncio.sleep(PATIENCE)


async def _drain(sub: Subscription) -> None:
    with contextlib.suppress(Exception):  # the connection may be gone
        await sub.drain()  # type: ignore[no-untyped-call]
