"""The process that carries the wires of one lab, and our hold on it.

It is not the kernel's, where every message would wait for whatever a cell computes, and RAFT's heartbeats
with it. It ends with the lab, and when the kernel is gone. When it dies before, the wires break, and another
takes over.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import socket
import subprocess
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import natslab
from natslab.errors import LabError, ServerError
from natslab.servers.parcel import AB, WORDS, Cutter, words
from natslab.servers.relay import Counts, State
from natslab.servers.topology import WireType

if TYPE_CHECKING:
    from natslab.servers.link import Link

Where: TypeAlias = Callable[[str, WireType], Awaitable[int | None]]

_CHILD = """\
import sys
sys.path.append(sys.argv[1])
from natslab.servers import carrier_child
carrier_child.main(int(sys.argv[2]), int(sys.argv[3]))
"""
_ANSWER = 5.0  # seconds; an answer takes 0.2 ms, and 80 ms while the process still starts
_AGAIN = 0.5  # seconds before another takes over
_READ = 256 * 1024  # bytes at once


class Carrier(asyncio.BufferedProtocol):
    """Such a process, started when the first wire opens. Lives on natslab's loop.

    `where(name, type)` says at which port a server listens; it may wait while the server starts, and
    None is nowhere.
    """

    def __init__(self, where: Where) -> None:
        self._where = where
        self._links: dict[int, Link] = {}
        self._numbers: dict[Link, int] = {}
        self._last = 0
        self._process: subprocess.Popen[bytes] | None = None
        self._transport: asyncio.Transport | None = None
        self._cutter = Cutter(self._came)
        self._buffer = memoryview(bytearray(_READ))
        self._asked: dict[int, asyncio.Future[dict[str, Any]]] = {}
        self._no = 0
        self._starting = asyncio.Lock()
        self._closed = False
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def pid(self) -> int | None:
        """The process id; None when there is none."""
        return None if self._process is None else self._process.pid

    # links

    def add(self, link: Link) -> None:
        """A new link; nothing is there until it turns."""
        self._last += 1
        self._links[self._last] = link
        self._numbers[link] = self._last
        self._lay(link)

    async def turn(self, link: Link, state: State, delay: float = 0.0) -> None:
        """Have it in that state; the link has been told when this returns. Raises ServerError."""
        await self._ask("turn", link, state=state, delay=delay)

    async def remove(self, link: Link) -> None:
        """Have it no more."""
        with contextlib.suppress(LabError):
            if self._transport is not None:
                await self.turn(link, "removed")
        if link.state != "removed":
            link.turned("removed", 0.0, False)
        self._links.pop(self._numbers.pop(link, 0), None)

    async def counts(self, link: Link) -> Counts:
        """What has passed since the process took over. Raises ServerError."""
        return Counts(*(await self._ask("counts", link))["counts"])

    def want(self, link: Link) -> None:
        """Somebody listens to other messages than before."""
        if self._transport is not None and link in self._numbers:
            self._say(0, "want", self._numbers[link], want=[one.decode() for one in link.wanted])

    async def close(self) -> None:
        """End the process, and every connection with it."""
        self._closed = True
        for task in tuple(self._tasks):
            task.cancel()
        async with self._starting:
            self._end()

    # the process

    async def _ask(self, op: str, link: Link, **body: object) -> dict[str, Any]:
        if self._closed or link not in self._numbers:
            raise LabError(f"{link.said[0].upper()}{link.said[1:]} is no more.", "See: %natslab status")
        async with self._starting:
            if self._transport is None:
                await self._start()
        self._no += 1
        no = self._no
        answer: asyncio.Future[dict[str, Any]] = asyncio.get_running_loop().create_future()
        self._asked[no] = answer
        try:
            self._say(no, op, self._numbers[link], **body)
            async with asyncio.timeout(_ANSWER):
                return await answer
        except TimeoutError:
            raise ServerError(
                "The process that carries the wires of this lab does not answer.",
                "Run `%natslab down`, then `%natslab up --servers 3`.",
            ) from None
        finally:
            self._asked.pop(no, None)

    def _say(self, no: int, op: str, link: int, **body: object) -> None:
        if self._transport is not None:
            self._transport.write(words(id=no, op=op, link=link, **body))

    async def _start(self) -> None:
        """Start the process and make there what links there are."""
        ours, its = socket.socketpair()
        root = str(Path(natslab.__file__).parents[1])
        with its:
            try:
                self._process = subprocess.Popen(  # noqa: ASYNC220, it takes 2 ms
                    # -I -S: nothing of the person's environment
                    [sys.executable, "-I", "-S", "-c", _CHILD, root, str(os.getpid()), str(its.fileno())],
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.DEVNULL,
                    pass_fds=[its.fileno()],
                    # As with the supervisor. In a session of its own three replicas stored 3 500 messages a
                    # second, and 11 000 in the servers' session (measured on two cores).
                    process_group=0,
                )
            except OSError as e:
                ours.close()
                raise ServerError(
                    f"The process that carries the wires did not start: {e.strerror}.",
                    "End other programs, and try again.",
                ) from None
        loop = asyncio.get_running_loop()
        self._cutter = Cutter(self._came)
        self._transport, _ = await loop.create_unix_connection(lambda: self, sock=ours)
        for link in self._numbers:
            self._lay(link)
            self.want(link)

    def _lay(self, link: Link) -> None:
        once = link.type == "route"
        self._say(0, "lay", self._numbers[link], names=link.names, ports=link.ports, once=once)

    def _end(self) -> None:
        process, self._process = self._process, None
        if self._transport is not None:
            self._transport.abort()
            self._transport = None
        if process is not None:
            process.kill()
            process.wait()  # a killed process is gone in a millisecond

    # asyncio calls

    def get_buffer(self, sizehint: int) -> memoryview:
        """Where the next bytes go."""
        return self._buffer

    def buffer_updated(self, nbytes: int) -> None:
        """The process has said something."""
        self._cutter.feed(bytes(self._buffer[:nbytes]))

    def connection_lost(self, exc: Exception | None) -> None:
        """It is dead: its connections were reset, and its ports refuse."""
        if self._closed:
            return
        self._end()
        for answer in self._asked.values():
            if not answer.done():
                answer.set_exception(
                    ServerError(
                        "The process that carries the wires of this lab has died.",
                        "Another takes over; try again.",
                    )
                )
        for link in tuple(self._numbers):
            if link.connected:
                link.turned(link.state, link.delay, False)
        self._later(self._take_over())

    async def _take_over(self) -> None:
        await asyncio.sleep(_AGAIN)
        for link in tuple(self._numbers):
            with contextlib.suppress(LabError):
                await link.restore()

    # what it says

    def _came(self, kind: int, number: int, at: float, line: bytes, body: bytes) -> None:
        if kind != WORDS:
            link = self._links.get(number)
            if link is not None:
                src, dst = link.names if kind == AB else link.names[::-1]
                link.came(src, dst, line, body, at)
            return
        said = json.loads(line)
        link = self._links.get(said.get("link", 0))
        if "id" in said:
            answer = self._asked.get(said["id"])
            if answer is not None and not answer.done():
                answer.set_result(said)
        elif link is None:
            return
        elif "dial" in said:
            self._later(self._dial(said["dial"], said["link"], link.type, said["name"]))
        else:
            link.turned(said["state"], said["delay"], said["connected"])

    async def _dial(self, dial: int, number: int, type: WireType, name: str) -> None:
        """A server wants to reach another."""
        port = None
        with contextlib.suppress(LabError):  # it did not start: nowhere
            port = await self._where(name, type)
        self._say(0, "dialled", number, dial=dial, port=port)

    def _later(self, coro: Any) -> None:
        task = asyncio.get_running_loop().create_task(coro)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
