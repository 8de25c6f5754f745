"""The attempts of one consumer that wait for an answer, and when the server gives up waiting.

The server tells nobody that ack_wait passed; it follows from the delivery and the configuration: an
attempt waits ack_wait, or the n-th attempt backoff[n-1] (the last one for all that follow), and +WPI
begins the wait anew (measured with nats-server 2.15.1: backoff beats ack_wait; a server that was frozen
does it when it runs again; one that was restarted knows only when the message was stored, and counts from
there).
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

SEEN = 20_000  # deliveries that are remembered


@dataclass(slots=True)
class Attempt:
    """One delivery without an answer so far; times in tape seconds."""

    seq: int
    cseq: int
    attempt: int
    at: float
    client: str
    due: float = math.inf  # when its wait is over
    over: bool = False  # expired, and not handed out again


class Attempts:
    """What one consumer handed out and nobody answered."""

    def __init__(self) -> None:
        self.open: dict[int, Attempt] = {}
        self._seen: dict[int, None] = {}
        self._done: dict[int, Attempt] = {}
        self._heap: list[tuple[float, int]] = []
        self._waits: list[float] | None = None

    def configure(self, config: dict[str, Any]) -> None:
        """The consumer's configuration in the server's words, at first and when it changed."""
        if config.get("ack_policy") == "none":
            waits = [math.inf]
        else:
            waits = [int(ns) / 1e9 for ns in config.get("backoff") or [config.get("ack_wait") or 0]]
            waits = [wait or math.inf for wait in waits]
        if waits != self._waits:
            self._waits = waits
            for one in self.open.values():
                self._wait(one, one.at)

    def seen(self, cseq: int) -> bool:
        """Whether that delivery is known."""
        return cseq in self._seen

    def deliver(self, seq: int, cseq: int, attempt: int, at: float, client: str) -> None:
        """It was handed out."""
        known = self.open.get(seq)
        if cseq:
            self._seen[cseq] = None
            if len(self._seen) > SEEN:
                del self._seen[next(iter(self._seen))]
        if known is not None and known.attempt >= attempt:
            return  # told before, by another source
        one = self.open[seq] = Attempt(seq, cseq, attempt, at, client)
        self._done.pop(seq, None)
        self._wait(one, at)

    def answer(self, seq: int, verb: str, at: float, *, below: bool = False) -> None:
        """It was answered; `below`: and with it all before it."""
        if below and verb == "ack":
            for other in [other for other in self.open if other <= seq]:
                self._end(other)
            return
        one = self.open.get(seq)
        if one is None:
            return
        if verb == "wpi":
            one.over = False
            self._wait(one, at)
        elif verb == "nak":
            one.due = math.inf
        elif verb == "expired":
            one.over, one.due = True, math.inf
        else:
            self._end(seq)

    def lost(self, pending: Iterable[int]) -> list[int]:
        """Open again what was answered and is in `pending` all the same: no answer has reached the server.

        Gives back their sequences.
        """
        again = [seq for seq in pending if seq in self._done]
        for seq in again:
            one = self.open[seq] = self._done.pop(seq)
            self._wait(one, one.at)
        return again

    def none(self, before: float) -> None:
        """Nothing that was handed out before then waits any more, by the server's count."""
        for seq in [seq for seq, one in self.open.items() if one.at < before]:
            del self.open[seq]

    def restarted(self, now: float, stored: dict[int, float]) -> None:
        """The server began anew: it takes the time at which a message was stored for that of its delivery."""
        for seq, one in self.open.items():
            if one.due < math.inf and seq in stored:
                self._wait(one, stored[seq], now)

    def due(self, now: float) -> list[Attempt]:
        """Those whose wait was over at `now`; each is given once."""
        out = []
        while self._heap and self._heap[0][0] <= now:
            at, seq = heapq.heappop(self._heap)
            one = self.open.get(seq)
            if one is not None and one.due == at and not one.over:
                out.append(one)
        return out

    def _end(self, seq: int) -> None:
        self._done[seq] = self.open.pop(seq)
        if len(self._done) > SEEN:
            del self._done[next(iter(self._done))]

    def _wait(self, one: Attempt, since: float, least: float = 0.0) -> None:
        waits = self._waits
        if waits is None:
            return
        one.due = max(least, since + waits[min(max(one.attempt, 1), len(waits)) - 1])
        if one.due < math.inf:
            heapq.heappush(self._heap, (one.due, one.seq))
