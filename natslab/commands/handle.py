"""What a live verb returns: a handle that fills in the background and prints nothing."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import queue
import random
import threading
import time
import weakref
from collections import deque
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import nats.errors
from nats.aio.client import Client
from nats.aio.msg import Msg

from natslab import lab as labs
from natslab.commands import trouble
from natslab.commands.connect import Line, error_after
from natslab.commands.interest import spread
from natslab.commands.reading import Reader
from natslab.commands.results import Message, Result, one_line, rows_text, with_headers
from natslab.errors import HandlerError, LabError, NatslabError, Timeout
from natslab.loop import loop, run
from natslab.servers.client import Client as LabClient
from natslab.servers.jsapi import Api

KEPT = 100_000  # messages a handle keeps; its count goes on
SHOWN = 20  # messages its text shows

#: Handles of a kernel without a lab (their connections lead elsewhere).
_alone: dict[int, Handle] = {}
_numbers: weakref.WeakKeyDictionary[Any, itertools.count[int]] = weakref.WeakKeyDictionary()
_alone_numbers = itertools.count(1)
_names: weakref.WeakKeyDictionary[Any, dict[str, int]] = weakref.WeakKeyDictionary()


def jobs() -> dict[int, Handle]:
    """Every live verb of this kernel that runs now, by number."""
    try:
        return labs.current().jobs
    except LabError:
        return _alone


def next_name(kind: str) -> str:
    """sub1, sub2, ... ; counted anew in each lab."""
    try:
        lab = labs.current()
    except LabError:
        return f"{kind}1"
    counted = _names.setdefault(lab, {})
    while True:
        counted[kind] = counted.get(kind, 0) + 1
        name = f"{kind}{counted[kind]}"
        if name not in lab.hub.clients:
            return name


def _where_to_look() -> str:
    """A hint for who waits in vain."""
    with contextlib.suppress(LabError):
        for link in labs.current().fleet.links.values():
            if link.state in ("cut", "held"):
                return f"{link.said[:1].upper()}{link.said[1:]} is {link.state}: %natslab picture topology"
    return "Did the publisher use that subject? %natslab picture routing shows who published what."


class Handle(Result):
    """A subscription of its own connection that goes on in the background.

    Parameters
    ----------
    line: the line that began it.
    kind: the verb.
    what: what it does, for its text.
    limit: messages after which it ends by itself; 0 = never.
    """

    def __init__(self, line: Line, kind: str, what: str, limit: int = 0) -> None:
        super().__init__()
        self.line = line.text
        self.kind = kind
        self.what = what
        self.name = ""
        self.limit = limit
        self.count = 0
        self.id = 0
        self.ended = False
        self.why = ""  # it ended
        self.broken = False  # it ended because it could not go on, as `why` says
        self.subject = ""  # what was subscribed to first
        self._messages: deque[Message] = deque(maxlen=KEPT)
        self._news = asyncio.Event()
        self._closed = asyncio.Event()
        self._client: Client | None = None
        self._subscriptions: list[Any] = []
        self._place = line
        self._registry: dict[int, Handle] = {}
        self._last = time.monotonic()

    # what it holds

    @property
    def messages(self) -> list[Message]:
        """What came so far, in order of arrival (at most the newest 100 000)."""
        return list(self._messages)

    @property
    def subjects(self) -> dict[str, int]:
        """How many of them came on each subject."""
        counted: dict[str, int] = {}
        for message in list(self._messages):
            counted[message.subject] = counted.get(message.subject, 0) + 1
        return counted

    def __len__(self) -> int:
        return self.count

    def __bool__(self) -> bool:
        return True

    def __iter__(self) -> Iterator[Message]:
        return iter(self.messages)

    def __getitem__(self, i: int) -> Message:
        return self.messages[i]

    # waiting and ending

    def wait(self, timeout: float = 5.0, count: int = 0) -> Handle:
        """Wait until it has ended, or until it holds `count` messages; returns the handle.

        Raises Timeout after `timeout` seconds.
        """
        run(self.until(timeout, count))
        return self

    async def until(self, timeout: float, count: int = 0) -> None:
        """`wait` for natslab's own loop."""
        end = time.monotonic() + timeout
        while not self.ended and not (count and self.count >= count):
            self._news.clear()
            try:
                async with asyncio.timeout(max(0.0, end - time.monotonic())):
                    await self._news.wait()
            except TimeoutError:
                wanted = count or self.limit
                of = f" of {wanted}" if wanted else ""
                raise Timeout(
                    f"{self.what}: {self.count}{of} messages came within {timeout:g} s.",
                    _where_to_look(),
                ) from None
        if count and self.count < count:
            raise Timeout(
                f"{self.what} ended after {self.count} of {count} messages.", f"It ended because {self.why}."
            )

    async def until_quiet(self, timeout: float) -> None:
        """Wait until nothing came for `timeout` seconds, then end it (the CLI's `sub --wait`)."""
        self._last = time.monotonic()
        while not self.ended and (left := self._last + timeout - time.monotonic()) > 0:
            self._news.clear()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(left):
                    await self._news.wait()
        await self.finish(f"nothing came for {timeout:g} s")

    async def waited(self, wait: float | None, to_end: float | None = None) -> None:
        """The flag `--wait` of a live verb: until it has ended, or until nothing came for so long.

        `to_end`: it ends by itself, and this is how long to wait for that when `wait` is None.
        """
        long = to_end if wait is None else wait
        if long is None:
            return
        try:
            if to_end is not None or self.limit:
                await self.until(long)
            else:
                await self.until_quiet(long)
        except BaseException:
            # The command failed or was interrupted, and nobody holds the handle.
            await asyncio.shield(self.finish("the wait was over"))
            raise

    def stop(self) -> Handle:
        """End it; what it holds stays."""
        if loop().inside():
            loop().spawn(self.finish("it was stopped"))
        elif not self.ended:
            run(self.finish("it was stopped"))
        return self

    async def finish(self, why: str) -> None:
        """End it, on natslab's loop."""
        if self.why:
            await self._closed.wait()
            return
        self.why = why
        client, self._client = self._client, None
        try:
            # Afterwards the server sends it nothing more, and what it had sent has arrived.
            with contextlib.suppress(Exception):
                async with asyncio.timeout(1.0):
                    if client is not None and client.is_connected:
                        for subscription in self._subscriptions:
                            await subscription.unsubscribe()
                        await sync(client)
        finally:
            if client is not None:
                # A frozen server lets nobody go; the rest of the closing then happens later.
                await asyncio.wait({asyncio.ensure_future(client.close())}, timeout=1.0)
            self.ended = True
            self._registry.pop(self.id, None)
            self._ended()
            self._news.set()
            self._closed.set()

    def _ended(self) -> None:
        """For what a kind of handle must do at its end."""

    # beginning

    async def begin(self, subjects: list[str], queue_group: str = "", default: str = "") -> None:
        """Connect, subscribe and wait until the server knows it."""
        line = self._place
        client = await self._connect(default)
        try:
            before = client.last_error
            self.subject = subjects[0] if subjects else client.new_inbox()
            for subject in subjects or [self.subject]:
                sub = await client.subscribe(subject, queue=queue_group, cb=self._receiver(subject))
                self._subscriptions.append(sub)
                if self.limit and self._server_limit(subjects):
                    await sub.unsubscribe(limit=self.limit)
            await self._more(client)
            async with asyncio.timeout(line.timeout):
                await sync(client)
            if (error := error_after(client, before)) is not None:
                raise trouble.sentence(error, doing=self.what, where=line.where)
            if isinstance(client, LabClient) and not line.elsewhere:
                await spread(line.lab.fleet, client.server, (s.subject for s in self._subscriptions))
        except BaseException:
            await self._abandon(client)
            raise
        self.register()

    async def read(self, make: Callable[[Api], Awaitable[Reader]], default: str = "") -> None:
        """Connect, and let the reader that `make` gives bring the messages of a stream."""
        client = await self._connect(default)
        try:
            reader = await make(self._place.api(client))
            self.subject = reader.stream
            await reader.start(client)
            async with asyncio.timeout(self._place.timeout):
                await sync(client)
        except BaseException:
            await self._abandon(client)
            raise
        self.notes += reader.notes
        self._subscriptions.append(reader)
        self.register()

        def ended(why: str) -> None:
            self.broken = reader.broken
            loop().spawn(self.finish(why))

        reader.go(self._read, ended)

    async def _connect(self, default: str) -> Client:
        self.name = self._place.name(default or next_name(self.kind))
        client = self._client = await self._place.open(self.name)
        self.name = getattr(client, "label", self.name)
        return client

    async def _abandon(self, client: Client) -> None:
        self._client = None
        with contextlib.suppress(Exception):
            await asyncio.shield(client.close())

    async def _read(self, message: Message) -> None:
        if not (self.ended or (self.limit and self.count >= self.limit)):
            await self._got(message)

    def register(self) -> None:
        """Give it a number and list it among the jobs."""
        self._registry = jobs()
        try:
            counter = _numbers.setdefault(labs.current(), itertools.count(1))
        except LabError:
            counter = _alone_numbers
        self.id = next(counter)
        self._registry[self.id] = self

    def _server_limit(self, subjects: list[str]) -> bool:
        """Whether the server itself can end it after `limit` messages."""
        return len(subjects) == 1

    async def _more(self, client: Client) -> None:
        """For further subscriptions of a kind of handle."""

    def _receiver(self, subject: str) -> Callable[[Msg], Any]:
        async def received(msg: Msg) -> None:
            if self.ended or (self.limit and self.count >= self.limit):
                return
            await self._got(
                Message(msg.subject, msg.data, dict(msg.headers or {}), msg.reply, subject, time.time())
            )

        return received

    async def _got(self, message: Message) -> None:
        self._keep(message)
        if self.limit and self.count >= self.limit:
            self._finish_soon()

    def _keep(self, message: Message) -> None:
        self._messages.append(message)
        self.count += 1
        self._last = time.monotonic()
        self._news.set()

    def _finish_soon(self) -> None:
        # Not from here: the connection cannot be closed inside its own callback.
        loop().spawn(self.finish(f"{self.limit} message{'s' if self.limit != 1 else ''} came"))

    # what a cell shows

    def text(self) -> str:
        """What it does, how many messages came, and the newest of them."""
        shown = self.messages[-SHOWN:]
        lines = [self._lead() + (f"; it ended: {one_line(self.why)}" if self.broken else "")]
        if self.count > len(shown):
            lines.append(f"… {self.count - len(shown)} before these")
        first = self.count - len(shown) + 1
        cells = [[f"#{first + i}", *self._row(m, first + i)] for i, m in enumerate(shown)]
        widths = [max((len(r[i]) for r in cells), default=0) for i in range(2)]
        lines += ["  ".join([r[0].ljust(widths[0]), r[1].ljust(widths[1]), *r[2:]]).rstrip() for r in cells]
        return "\n".join(lines)

    def _lead(self) -> str:
        count = f"{self.count} message{'s' if self.count != 1 else ''}"
        return f"{self.what} as {self.name}: {count}"

    def _row(self, message: Message, _number: int) -> list[str]:
        return [one_line(message.subject), with_headers(message)]

    def table(self) -> tuple[list[str], list[list[str]]]:
        """The newest messages."""
        shown = self.messages[-SHOWN:]
        first = self.count - len(shown) + 1
        return ["#", "Subject", "Message"], [
            [str(first + i), *self._row(m, first + i)] for i, m in enumerate(shown)
        ]

    def json(self) -> Any:
        """What it does and every message it keeps."""
        return {
            "id": self.id,
            "verb": self.kind,
            "name": self.name,
            "count": self.count,
            "ended": self.ended,
            **({"why": self.why} if self.broken else {}),
            "messages": [m.facts() for m in self.messages],
        }


async def sync(client: Client) -> None:
    """Wait until the server has processed all that was sent: two round trips (one is no barrier)."""
    if isinstance(client, LabClient):
        await client.sync()
        return
    for _ in range(2):
        while not await _answered(client):
            await asyncio.sleep(0.02)


async def _answered(client: Client) -> bool:
    """Whether the server answered a PING; not so when the connection was lost meanwhile."""
    if client.is_closed:
        raise nats.errors.ConnectionClosedError
    if not client.is_connected:
        return False
    before = client.stats["reconnects"]
    pong: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
    await client._send_ping(pong)
    while not pong.done() and client.is_connected and client.stats["reconnects"] == before:
        # Not to be cancelled: a PONG for a cancelled waiter ends nats-py's reading (measured).
        await asyncio.wait({pong}, timeout=0.1)
    return pong.done()


class Worker:
    """One thread of the person's own code: handlers run there, one message after the other."""

    def __init__(self, name: str) -> None:
        self._jobs: queue.SimpleQueue[tuple[Callable[[], Any], asyncio.Future[Any]] | None] = (
            queue.SimpleQueue()
        )
        self._loop = loop().asyncio
        # A daemon: a handler that sleeps for ever must not keep the kernel.
        threading.Thread(target=self._work, name=name, daemon=True).start()

    async def call(self, job: Callable[[], Any]) -> Any:
        """Run `job` there and wait for what it returns or raises."""
        future: asyncio.Future[Any] = self._loop.create_future()
        self._jobs.put((job, future))
        return await future

    def end(self) -> None:
        """Let the thread go when its present job is done."""
        self._jobs.put(None)

    def _work(self) -> None:
        while (job := self._jobs.get()) is not None:
            try:
                result, error = job[0](), None
            except BaseException as e:  # whatever the person's code does, the thread goes on
                result, error = None, e
            with contextlib.suppress(RuntimeError):  # the loop is closed: the process ends
                self._loop.call_soon_threadsafe(_settle, job[1], result, error)


def _settle(future: asyncio.Future[Any], result: Any, error: BaseException | None) -> None:
    if future.done():
        return
    if error is None:
        future.set_result(result)
    else:
        future.set_exception(
            error
            if isinstance(error, Exception)
            else HandlerError(f"The handler raised {type(error).__name__}.")
        )


Answer = tuple[bytes, dict[str, str]] | None


class Replies(Handle):
    """What `reply` returns: it answers each request, and keeps request and answer.

    Parameters
    ----------
    answer: makes the answer to a request: payload and headers, or None for no answer.
    pause: up to so many seconds, by chance, before each answer.
    """

    def __init__(
        self, line: Line, what: str, limit: int, answer: Callable[[Message, int], Any], pause: float
    ) -> None:
        super().__init__(line, "reply", what, limit)
        self.answers: list[bytes | None] = []  # one for each request; None: it was not answered
        self.errors: list[HandlerError] = []
        self.output: list[str] = []  # what the handler printed, line by line
        self._answer = answer
        self._pause = pause
        self.worker: Worker | None = None

    async def _got(self, message: Message) -> None:
        number = self.count
        if self._pause:
            await asyncio.sleep(random.random() * self._pause)
        answer: Answer = None
        try:
            answer = await self._answer(message, number)
        except NatslabError as e:
            error = e if isinstance(e, HandlerError) else HandlerError(e.what, e.hint)
            answer = self._failed(error, e.what)
        except Exception as e:
            words = f"{type(e).__name__}: {trouble.said(e)}" if str(e) else type(e).__name__
            answer = self._failed(
                HandlerError(f"The handler raised {words}.", "h.errors has them all."), words
            )
            self.errors[-1].__cause__ = e
        if answer is not None and message.reply and self._client is not None:
            payload, headers = answer
            try:
                await self._client.publish(message.reply, payload, headers=headers or None)
            except (NatslabError, nats.errors.Error) as e:
                what = e.what if isinstance(e, NatslabError) else trouble.said(e)
                self.errors.append(HandlerError(f"The answer could not be sent: {what}", "Send less."))
                answer = None
        self.answers.append(answer[0] if answer is not None and message.reply else None)
        self._keep(message)
        if self.limit and self.count >= self.limit:
            self._finish_soon()

    def _failed(self, error: HandlerError, words: str) -> Answer:
        self.errors.append(error)
        # ADR-32: how a service says that it failed.
        return b"", {"Nats-Service-Error": one_line(words), "Nats-Service-Error-Code": "500"}

    def _ended(self) -> None:
        if self.worker is not None:
            self.worker.end()

    def _lead(self) -> str:
        count = f"{self.count} request{'s' if self.count != 1 else ''}"
        failed = f", {len(self.errors)} failed" if self.errors else ""
        return f"{self.what} as {self.name}: {count}{failed}"

    def _row(self, message: Message, number: int) -> list[str]:
        answer = self.answers[number - 1]
        said = one_line(answer) if answer is not None else "(no answer)"
        return [one_line(message.subject), f"{with_headers(message)} → {said}"]

    def json(self) -> Any:
        """Every request with its answer."""
        facts = super().json()
        facts["answers"] = [one_line(a) if a is not None else None for a in self.answers]
        facts["errors"] = [e.what for e in self.errors]
        return facts


class Report(Handle):
    """`sub --report-subjects`: counts instead of messages."""

    def __init__(self, line: Line, what: str, limit: int, top: int, by_pattern: bool) -> None:
        super().__init__(line, "sub", what, limit)
        self.top = top
        self.by_pattern = by_pattern
        self._counts: dict[str, list[int]] = {}

    async def _got(self, message: Message) -> None:
        counted = self._counts.setdefault(message.pattern if self.by_pattern else message.subject, [0, 0])
        counted[0] += 1
        counted[1] += len(message.data)
        await super()._got(message)

    def table(self) -> tuple[list[str], list[list[str]]]:
        """Subjects, messages and bytes; the busiest first."""
        busiest = sorted(self._counts.items(), key=lambda kv: (-kv[1][0], kv[0]))[: self.top]
        what = "Subscription" if self.by_pattern else "Subject"
        return [what, "Messages", "Bytes"], [[one_line(s), str(n), str(b)] for s, (n, b) in busiest]

    def text(self) -> str:
        """The table."""
        return f"{self._lead()}\n\n{rows_text(*self.table())}".rstrip()
