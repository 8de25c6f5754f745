"""Counting the messages of a client that is too fast to report each one, exactly and nearly for free.

The client's thread only ever adds to a tally; another thread reads it and remembers what it has
read. So no lock is needed, and no message is lost or counted twice when either side goes on at any
moment: the sum of all that was read is the sum of all that was added.
"""

from __future__ import annotations

import time
from collections import deque

from natslab.servers.report import Bulk, Stored, Way

WINDOW = 0.1  # seconds that one Bulk report covers
LIMIT = 2000  # messages a second that are still reported one by one
SAMPLES = 3  # subjects that a Bulk report names
RUNS = 100  # runs of stored messages of one client and window that are told apart
SUBJECTS = 64  # tallies of one client and way; the rest shares one, called ">"


class Tally:
    """Messages of one subject or subscription, ever increasing."""

    __slots__ = ("bytes", "count", "first", "key", "queue", "read", "read_bytes", "sid", "subject")

    def __init__(self, key: object, subject: str, sid: int, queue: str) -> None:
        self.key = key
        self.subject = subject
        self.sid = sid
        self.queue = queue
        self.count = 0
        self.bytes = 0
        self.first: tuple[str, ...] = ()
        self.read = 0
        self.read_bytes = 0


class Meter:
    """One client, one way."""

    def __init__(self, client: str, way: Way) -> None:
        self.client = client
        self.way = way
        self.hot = False
        # What the client's hot path looks at: tallies whose samples are complete.
        self.fast: dict[object, Tally] = {}
        self._tallies: dict[object, Tally] = {}
        self._window = 0.0
        self._singles = 0
        self._read_at = time.time()
        # A whole window must pass before the rate is judged anew.
        self._judged_at = self._read_at
        self._sum = 0

    def single(self, now: float) -> bool:
        """Whether this message, at `now` (time.time()), is to be reported by itself."""
        if self.hot:
            return False
        if not 0 <= now - self._window < WINDOW:
            self._window = now
            self._singles = 0
        self._singles += 1
        if self._singles <= LIMIT * WINDOW:
            return True
        self.hot = True
        self._judged_at, self._sum = now, 0
        return False

    def add(
        self,
        key: object,
        subject: str,
        size: int,
        *,
        pattern: str = "",
        sid: int = 0,
        queue: str = "",
        count: int = 1,
        fast: bool = True,
    ) -> None:
        """Count `count` messages of `size` bytes in all on `subject`; the client's thread only.

        `fast`: whether the next ones may be counted in `self.fast` without a call.
        """
        tally = self._tallies.get(key)
        if tally is None:
            if len(self._tallies) >= SUBJECTS and self.way == "pub":
                key, fast = ">", False
                tally = self._tallies.get(key) or Tally(key, ">", 0, "")
            else:
                tally = Tally(key, pattern or subject, sid, queue)
            self._tallies[key] = tally
        tally.count += count
        tally.bytes += size
        if len(tally.first) < SAMPLES and subject not in tally.first:
            tally.first = (*tally.first, subject)
        elif fast and self.hot:
            self.fast[key] = tally

    def cool(self) -> None:
        """The rush is over: judge the next messages anew."""
        self.hot = False
        self.fast.clear()
        self._window, self._sum = 0.0, 0

    def collect(self, now: float, *, force: bool = False) -> list[Bulk]:
        """What was counted since the last time; one reading thread at a time.

        At most once in a window, unless `force`.
        """
        passed = now - self._read_at
        if 0 <= passed < WINDOW and not force:
            return []
        out = []
        for tally in tuple(self._tallies.values()):
            # The count is read before the bytes, and the client adds to them in this order, so at
            # worst the bytes of one message fall into the next report.
            count, size = tally.count - tally.read, tally.bytes - tally.read_bytes
            if count <= 0:
                continue
            tally.read += count
            tally.read_bytes += size
            first, tally.first = tally.first, ()
            self._sum += count
            out.append(
                Bulk(
                    at=now,
                    client=self.client,
                    way=self.way,
                    subject=tally.subject,
                    sid=tally.sid,
                    queue=tally.queue,
                    count=count,
                    bytes=size,
                    since=self._read_at,
                    first=first,
                )
            )
        self._read_at = now
        if not 0 <= now - self._judged_at < WINDOW:
            if self._sum <= LIMIT * (now - self._judged_at):
                self.hot = False
            self._judged_at, self._sum = now, 0
        self.fast.clear()  # the next window has its own samples
        return out


class Run:
    """Messages that a stream stored one after the other, ever increasing."""

    __slots__ = ("bytes", "count", "first", "last", "read", "read_bytes", "stream", "subject")

    def __init__(self, stream: str, subject: str, first: int) -> None:
        self.stream = stream
        self.subject = subject
        self.first = first
        self.last = 0  # set when there are too many runs to tell each: then only the count is exact
        self.count = 0
        self.bytes = 0
        self.read = 0
        self.read_bytes = 0


class Stores:
    """What streams answered to a client that publishes too fast to report each answer."""

    def __init__(self, client: str) -> None:
        self.client = client
        self._runs: deque[Run] = deque()
        self._current: dict[str, Run] = {}
        # Nothing new was stored: (stream, code, error) -> how often, how often reported.
        self._others: dict[tuple[str, int, str], list[int]] = {}
        self._read_at = time.time()

    def add(self, stream: str, subject: str, seq: int, size: int) -> None:
        """A message of `size` bytes was stored as `seq`; the client's thread only."""
        run = self._current.get(stream)
        if run is None or run.last or seq != run.first + run.count:
            if run is not None and len(self._runs) > RUNS:
                run.last = seq
            else:
                # Known as the current one before it is queued: the reader drops all others.
                run = self._current[stream] = Run(stream, subject, seq)
                self._runs.append(run)
        if run.subject != subject:
            run.subject = ""
        run.count += 1
        run.bytes += size

    def other(self, stream: str, code: int, error: str) -> None:
        """A message was refused, or with code 0 was there already; the client's thread only."""
        self._others.setdefault((stream, code, error), [0, 0])[0] += 1

    def cool(self) -> None:
        """Whoever publishes decides what is told singly."""

    def collect(self, now: float, *, force: bool = False) -> list[Stored]:
        """As Meter.collect."""
        if 0 <= now - self._read_at < WINDOW and not force:
            return []
        self._read_at = now
        out = []
        for _ in range(len(self._runs)):
            run = self._runs.popleft()
            goes_on = self._current.get(run.stream) is run
            count, size = run.count - run.read, run.bytes - run.read_bytes
            run.read += count
            run.read_bytes += size
            if count > 0:
                seq = run.last or run.first + run.read - 1
                out.append(
                    Stored(
                        at=now,
                        client=self.client,
                        stream=run.stream,
                        subject=run.subject,
                        seq=seq,
                        count=count,
                        size=size,
                    )
                )
            if goes_on:
                self._runs.append(run)
        for (stream, code, error), counted in tuple(self._others.items()):
            new = counted[0] - counted[1]
            if new > 0:
                counted[1] += new
                out.append(
                    Stored(
                        at=now,
                        client=self.client,
                        stream=stream,
                        count=new,
                        duplicate=not code,
                        code=code,
                        error=error,
                    )
                )
        return out
