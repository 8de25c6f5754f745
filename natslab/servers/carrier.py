"""The process that carries the wires of one lab, and our hold on it.

It is not the kernel's, where every message would wait for whatever a cell computes, and RAFT's heartbeats
with it. The supervisor starts it, as it does the servers: it ends with them, and Linux gives servers and
wires their processor time together. (In a session of its own the relay comes first whenever something is
there to relay, and three replicas stored 3 500 messages a second in place of 11 000; measured on two cores.)
When it dies before, the wires break, and another takes over.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import secrets
import signal
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias, cast

import natslab
from natslab.errors import LabError, ServerError
from natslab.servers.parcel import AB, WORDS, Cutter, words
from natslab.servers.relay import Counts, State
from natslab.servers.supervisor import Supervisor
from natslab.servers.topology import WireType

if TYPE_CHECKING:
    from natslab.servers.link import Link

Where: TypeAlias = Callable[[str, WireType], Awaitable[int | None]]

_CHILD = """\
import sys
sys.path.append(sys.argv[1])
from natslab.servers import carrier_child
carrier_child.main(sys.argv[2])
"""
_ANSWER = 5.0  # seconds; an answer takes 0.2 ms, and 80 ms while the process still starts
_AGAIN = 0.5  # seconds before another takes over
_READ = 256 * 1024  # bytes at once


class Carrier(asyncio.BufferedProtocol):
    """Such a process, started when the first wire opens. Lives on natslab's loop.

    `where(name, type)` says at which port a server listens; it may wait while the server starts, and
    None is nowhere. In `folder`, a private one, the two meet.
    """

    def __init__(self, where: Where, supervisor: Supervisor, folder: Path) -> None:
        self._where = where
        self._supervisor = supervisor
        self._folder = folder
        self._links: dict[int, Link] = {}
        self._numbers: dict[Link, int] = {}
        self._last = 0
        #: The process id; 0 when there is none.
        self.pid = 0
        self._gone: asyncio.Future[None] | None = None  # when the process is
        self._there: asyncio.Future[None] | None = None  # when it has called
        self._transport: asyncio.Transport | None = None
        self._cutter = Cutter(self._came)
        self._buffer = memoryview(bytearray(_READ))
        self._asked: dict[int, asyncio.Future[dict[str, Any]]] = {}
        self._no = 0
        self._starting = asyncio.Lock()
        self._closed = False
        self._tasks: set[asyncio.Task[None]] = set()

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

    async def sync(self) -> None:
        """Wait until all that has crossed a wire so far was heard."""
        if self._transport is not None:
            with contextlib.suppress(LabError):
                await self._ask("sync")

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
            await self._end()

    # the process

    async def _ask(self, op: str, link: Link | None = None, **body: object) -> dict[str, Any]:
        async with self._starting:
            if self._closed or (link is not None and link not in self._numbers):
                what = "A wire of this lab" if link is None else f"{link.said[0].upper()}{link.said[1:]}"
                raise LabError(f"{what} is no more.", "See: %natslab status")
            if self._transport is None:
                await self._start()
        self._no += 1
        no = self._no
        answer: asyncio.Future[dict[str, Any]] = asyncio.get_running_loop().create_future()
        self._asked[no] = answer
        try:
            self._say(no, op, 0 if link is None else self._numbers[link], **body)
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
        """Start the process, and make there what links there are."""
        loop = asyncio.get_running_loop()
        there = self._there = loop.create_future()
        gone: asyncio.Future[None] = loop.create_future()

        def heard(what: str, code: int) -> None:
            if what in ("exited", "lost") and not gone.done():
                gone.set_result(None)

        # A name of its own for each: one that is late does not take another's place.
        path = self._folder / f"wires-{secrets.token_hex(4)}"
        root = str(Path(natslab.__file__).parents[1])
        try:
            server = await loop.create_unix_server(lambda: self, str(path))
        except OSError as e:
            raise ServerError(
                f"The wires of this lab cannot be reached in {self._folder}: {e}.",
                "Let TMPDIR be a folder with a shorter name, and try again.",
            ) from None
        self._cutter = Cutter(self._came)
        try:
            # -I -S: nothing of the person's environment
            argv = [sys.executable, "-I", "-S", "-c", _CHILD, root, str(path)]
            self.pid = await self._supervisor.start(argv, self._folder / "wires", None, heard)
            self._gone = gone
            await asyncio.wait({there, gone}, timeout=_ANSWER, return_when=asyncio.FIRST_COMPLETED)
            if not there.done():
                await self._end()
                said = (self._folder / "wires").read_text(errors="replace").strip().split("\n")[-1]
                raise ServerError(
                    f"The process that carries the wires did not start: {said or 'it does not answer'}.",
                    "End other programs, and try again.",
                )
        finally:
            server.close()
            path.unlink(missing_ok=True)
        for link in self._numbers:
            self._lay(link)
            self.want(link)

    def _lay(self, link: Link) -> None:
        once = link.type == "route"
        self._say(0, "lay", self._numbers[link], names=link.names, ports=link.ports, once=once)

    async def _end(self) -> None:
        transport, self._transport = self._transport, None
        if transport is not None:
            transport.abort()
        pid, gone, self.pid, self._gone = self.pid, self._gone, 0, None
        await self._kill(pid, gone)

    async def _kill(self, pid: int, gone: asyncio.Future[None] | None) -> None:
        if gone is not None:
            with contextlib.suppress(ServerError):  # the supervisor is dead, and so is this
                await self._supervisor.signal(pid, signal.SIGKILL)
                await gone

    # asyncio calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """There it is."""
        self._transport = cast(asyncio.Transport, transport)
        if self._there is not None and not self._there.done():
            self._there.set_result(None)

    def get_buffer(self, sizehint: int) -> memoryview:
        """Where the next bytes go."""
        return self._buffer

    def buffer_updated(self, nbytes: int) -> None:
        """The process has said something."""
        self._cutter.feed(bytes(self._buffer[:nbytes]))

    def connection_lost(self, exc: Exception | None) -> None:
        """It is dead: its connections were reset, and its ports refuse."""
        if self._closed or self._transport is None:
            return
        self._transport = None
        pid, gone, self.pid, self._gone = self.pid, self._gone, 0, None
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
        self._later(self._take_over(pid, gone))

    async def _take_over(self, pid: int, gone: asyncio.Future[None] | None) -> None:
        await self._kill(pid, gone)
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
