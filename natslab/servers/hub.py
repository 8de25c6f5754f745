"""The Hub of a lab: every client, what they report, and which connection of a server is whose."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import threading
import time
from collections import deque
from collections.abc import Callable, Collection
from typing import Any

from natslab.servers import report
from natslab.servers.client import Client
from natslab.servers.connection import Connection
from natslab.servers.meter import Meter, Stores

GRACE = 2.0  # seconds in which a closed connection is still known as ours
UNREAD = 100_000  # reports that are kept when nobody takes them
ANSWERED = 20_000  # answers to deliveries of which it is known who sent them
ASKED = 500  # requests that are remembered until they are announced
ANNOUNCED = 10.0  # seconds in which one is; else nobody took it


def _no_dollar(subject: str) -> bool:
    return not subject.startswith("$")


class Hub:
    """Every client of one lab, and what they report; any thread may use it.

    Parameters
    ----------
    trace: whether single publishes ask the server for a trace; can be changed at any time.
    """

    def __init__(self, trace: bool = True) -> None:
        self.trace = trace
        self.clients: dict[str, Client] = {}
        #: Whether messages to this subject may be traced: not what a stream would store.
        self.traceable: Callable[[str], bool] = _no_dollar
        #: Told the subjects of a stream that a client of this lab has just made; a source sets it.
        self.captured: Callable[[list[str]], None] = lambda subjects: None
        #: What the stream of a JetStream domain is called in reports; a source sets it.
        self.called: Callable[[str, str], str] = lambda domain, stream: stream
        #: Hands the reports over now; a source sets it.
        self.flush: Callable[[], None] = lambda: None
        #: Traced messages whose trace was not yet seen: id -> when published (time.time()).
        self.awaited: dict[str, float] = {}
        #: Who answered a delivery last: the reply subject ($JS.ACK. ...) -> label of the client.
        self.ackers: dict[str, str] = {}
        #: Requests to JetStream's API that may change something: subject, client, body, time.time().
        self._requests: deque[tuple[str, str, bytes, float]] = deque(maxlen=ASKED)
        self._login: tuple[object, object] | None = None
        self._account = ""
        # Bounded only for a lab that nobody watches; a source takes them 20 times a second.
        self._reports: deque[report.Report] = deque(maxlen=UNREAD)
        self.tell = self._reports.append
        self._lock = threading.Lock()
        self._numbers = itertools.count(1)
        self._labels: set[str] = set()
        self._meters: dict[int, tuple[Meter, Meter, Meter, Stores]] = {}
        self._own: dict[tuple[str, int], str] = {}
        self._past: dict[tuple[str, int], tuple[str, float]] = {}
        self._strangers: dict[tuple[str, int], tuple[str, str]] = {}

    def trust(self, login: dict[str, Any], account: str) -> None:
        """Clients with this user and password are in `account` and may ask for traces."""
        self._login = (login.get("user"), login.get("password"))
        self._account = account

    # --- clients ----------------------------------------------------------------------------

    async def connect(self, name: str, login: dict[str, Any], **options: Any) -> Client:
        """A connection called `name` on the running loop; `login` and `options` as for nats.connect.

        Its label is the name, or `name#2`, `name#3`, ... while that is in use. It reconnects for
        ever. Raises ClientError when no server can be reached or the login is refused.
        """
        merged = {**login, **options}
        known = self._login is not None and self._login == (merged.get("user"), merged.get("password"))
        plain = not any(merged.get(k) for k in ("token", "user_credentials", "nkeys_seed", "nkeys_seed_str"))
        label = self._reserve(name)
        client = Client(self, label, known and plain, self._account if known and plain else "")
        try:
            await client.open(login, {**options, "name": name})
        except BaseException:
            with self._lock:
                if not client.no:
                    self._labels.discard(label)
            raise
        return client

    def _reserve(self, name: str) -> str:
        with self._lock:
            label = name
            for n in itertools.count(2):
                if label not in self._labels:
                    break
                label = f"{name}#{n}"
            self._labels.add(label)
            return label

    def admit(self, client: Client) -> None:
        """A client connected for the first time; gives it its number."""
        with self._lock:
            client.no = next(self._numbers)
            self.clients[client.label] = client
            self._meters[client.no] = (client._out, client._in, client._lost, client._stores)

    def dismiss(self, client: Connection) -> None:
        """A client closed for good."""
        with self._lock:
            self.clients.pop(client.label, None)
            self._labels.discard(client.label)
        self.release(client)

    def on_this_loop(self) -> list[Client]:
        """The open clients that live on the running loop."""
        here = asyncio.get_running_loop()
        return [c for c in tuple(self.clients.values()) if c.loop is here]

    async def sync(self, timeout: float = 2.0, without: Collection[str] = ()) -> None:
        """Wait until the server has processed what the clients of this loop sent.

        Clients without a connection, or without an answer in `timeout` seconds, are left alone, and so are
        those that are connected to one of the servers in `without`.
        """
        ready = [c for c in self.on_this_loop() if c.is_connected and c.server not in without]
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout):
                # What one has sent by the first round has reached the others' handlers by the second.
                for _ in range(2):
                    await asyncio.gather(*(c.sync(timeout) for c in ready), return_exceptions=True)

    def push(self) -> None:
        """Hand over what clients of this thread's loop have buffered; from a cell, before it waits for us."""
        here = threading.get_ident()
        for client in tuple(self.clients.values()):
            if client.thread == here:
                client.push()

    async def reconnected(self, timeout: float) -> None:
        """Wait until the clients of this loop are connected again, at most `timeout` seconds."""
        end = time.monotonic() + timeout
        while time.monotonic() < end and not all(c.is_connected or c.is_closed for c in self.on_this_loop()):
            await asyncio.sleep(0.01)

    async def close(self) -> None:
        """Close every client; those of other loops are told to, and do it when their loop runs."""
        here = asyncio.get_running_loop()
        own = []
        for client in tuple(self.clients.values()):
            if client.loop is here:
                own.append(client.close())
            elif not client.loop.is_closed():
                client.loop.call_soon_threadsafe(_close_soon, client)
        await asyncio.gather(*own, return_exceptions=True)

    def acked(self, reply: str, client: str) -> None:
        """The client of that label answered a delivery, on its reply subject."""
        self.ackers[reply] = client
        if len(self.ackers) > ANSWERED:
            for old in list(self.ackers)[: ANSWERED // 2]:
                self.ackers.pop(old, None)

    def asked(self, subject: str, client: str, body: bytes) -> None:
        """The client of that label asked JetStream's API for something."""
        self._requests.append((subject, client, body, time.time()))

    def request_of(self, subject: str, client: str) -> bytes | None:
        """The body of the oldest request of that client to that subject, once; None when none is known.

        In a cluster the servers announce who asked, and not for what (measured).
        """
        for one in tuple(self._requests):
            if one[:2] == (subject, client):
                with contextlib.suppress(ValueError):
                    self._requests.remove(one)
                if time.time() - one[3] < ANNOUNCED:
                    return one[2]
        return None

    # --- reports ----------------------------------------------------------------------------

    def turn(self) -> None:
        """Report what was counted so far, so that what is told next comes after it."""
        with self._lock:
            self._reports.extend(self._counted(time.time(), force=True))

    def cool(self) -> None:
        """All is quiet: the next messages are reported one by one again, without waiting a window."""
        for meters in tuple(self._meters.values()):
            for meter in meters:
                meter.cool()

    def _counted(self, now: float, *, force: bool) -> list[report.Report]:
        out: list[report.Report] = []
        for way in (0, 1, 2, 3):  # a publish comes before its delivery
            for meters in self._meters.values():
                out += meters[way].collect(now, force=force)
        return out

    def drain_reports(self, *, force: bool = True) -> list[report.Report]:
        """What happened since the last call, in order.

        `force`: also the counts of the window that is not over yet.
        """
        for client in tuple(self.clients.values()):
            if client.loop.is_closed():
                client.orphaned()
        out: list[report.Report] = []
        with self._lock:
            now = time.time()
            # Not longer than what is there now: fast clients must not keep us here.
            for _ in range(len(self._reports)):
                said = self._reports.popleft()
                if isinstance(said, report.Connection) and said.state == "closed":
                    for meter in self._meters.pop(said.no, ()):
                        out += meter.collect(now, force=True)
                elif isinstance(said, report.Published) and said.traced:
                    self.awaited[said.id] = said.at
                out.append(said)
            out += self._counted(now, force=force)
            for message, at in tuple(self.awaited.items()):
                if now - at < 60:
                    break
                del self.awaited[message]
        return out

    # --- who is who -------------------------------------------------------------------------

    def claim(self, server: str, cid: int, client: Connection) -> None:
        """The server's connection `cid` is this client."""
        with self._lock:
            self._own[(server, cid)] = client.label
            stranger = self._strangers.pop((server, cid), None)
            if stranger is not None:
                self._labels.discard(stranger[1])
        client.claimed = (server, cid)

    def release(self, client: Connection) -> None:
        """The connection of this client is gone; its number may come again when the server restarts."""
        with self._lock:
            now = time.time()
            if self._own.pop(client.claimed, None) is not None:
                self._past[client.claimed] = (client.label, now)
            for key, (_, at) in tuple(self._past.items()):
                if now - at > GRACE:
                    del self._past[key]

    def is_own(self, server: str, cid: int) -> bool:
        """Whether the server's connection `cid` is, or was a moment ago, a client of this hub."""
        return bool(self._own_label((server, cid)))

    def _own_label(self, key: tuple[str, int]) -> str:
        label = self._own.get(key)
        if label is None:
            label, at = self._past.get(key, ("", 0.0))
            # What a server says of a connection that is gone arrives a moment later.
            label = label if time.time() - at < GRACE else ""
        return label

    def name_of(self, server: str, cid: int, name: str = "") -> str:
        """The label of the server's connection `cid`: a client of this hub, or a stranger.

        A stranger is labelled with its connection name, `#2` and so on appended while that is in
        use, or `cid 15`.
        """
        key = (server, cid)
        with self._lock:
            own = self._own_label(key)
            if own:
                return own
            known = self._strangers.get(key)
            if known is not None and known[0] == name:
                return known[1]
            if known is not None:
                self._labels.discard(known[1])
        label = self._reserve(name or f"cid {cid}")
        with self._lock:
            self._strangers[key] = (name, label)
        return label

    def strangers(self, server: str) -> list[int]:
        """The connections of that server that have a label and are not this hub's."""
        return [cid for where, cid in tuple(self._strangers) if where == server]

    def forget(self, server: str, cid: int) -> None:
        """The server has no such connection any more."""
        with self._lock:
            known = self._strangers.pop((server, cid), None)
            if known is not None:
                self._labels.discard(known[1])


def _close_soon(client: Client) -> None:
    task = client.loop.create_task(client.close())
    _closing.add(task)
    task.add_done_callback(_closing.discard)


_closing: set[asyncio.Task[None]] = set()
