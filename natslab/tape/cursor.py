"""Where on a tape people look: all views of a lab share one cursor, so they move together."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Literal, TypeAlias

from natslab.listeners import Listeners

if TYPE_CHECKING:
    from natslab.tape.tape import Tape

Mode: TypeAlias = Literal["live", "paused", "replay"]

SLOW = 5.0  # seconds that slow motion takes, about
PACES = (1.0, 0.5, 0.2, 0.1, 0.05, 0.02, 0.01, 0.005, 0.002, 0.001)  # speeds of slow motion
REST = 1.2  # seconds for which its end is shown before the view is live again
BURST = 0.25  # events closer together than this belong to one burst, in seconds
IDLE = 1.0  # a replay waits no longer than this between two events, in seconds


class Cursor:
    """A place on a tape: the newest event (live), one that stands still (paused), or one that
    walks on by itself (replay).
    """

    def __init__(self, tape: Tape) -> None:
        self._tape = tape
        self._n = 0
        self.mode: Mode = "live"
        self.speed = 1.0
        self.selection = ""
        self._listeners: Listeners[[]] = Listeners()
        self._walked = 0.0  # wall clock of the last step of a replay
        self._t = 0.0  # tape seconds that the replay has reached
        self._end: tuple[int, float] | None = None  # event at which slow motion ends, and the speed before it
        self._slowed: set[str] = set()  # what was shown in slow motion by itself
        self.shows = ""  # what slow motion shows now, in words

    @property
    def n(self) -> int:
        """The newest event that is shown."""
        return self._tape.head if self.mode == "live" else self._within(self._n)

    @property
    def t(self) -> float:
        """Tape seconds of the shown moment."""
        if self.mode == "live":
            return self._tape.now()
        here = self._time(self.n)
        if self.mode != "replay" or self._n >= self._tape.head:
            return here
        return max(here, min(self._t, self._time(self._n + 1)))

    def live(self) -> None:
        """Follow the newest event."""
        self._stop()
        self.mode = "live"
        self._changed()

    def pause(self) -> None:
        """Stand still here; the servers go on."""
        self._n = self.n
        self.mode = "paused"
        self._changed()

    def slow(self, first: int, last: int, words: str = "", once: str = "") -> None:
        """Show the events after `first` up to `last` in slow motion, then be live again.

        `words` say what that is, e.g. "the election of term 4", to all who look.
        With `once`, a name, only if nothing of that name was shown so, and only to who is live.
        """
        if once:
            if once in self._slowed or self.mode != "live" or self._tape.over:
                return
            self._slowed.add(once)
        self._stop()
        first, last = self._within(first), self._within(last)
        lasts = max(0.0, self._time(last) - self._time(first + 1))
        self._end, self.shows = (last, self.speed), words
        self.speed = min(PACES, key=lambda pace: abs(pace - lasts / SLOW))
        self._n, self.mode = first, "paused"
        self.replay()
        self._t = min(self._t, self._time(first + 1))  # another source may have told of a later moment before

    def _stop(self) -> None:
        """Slow motion is over."""
        if self._end is not None:
            self.speed, self._end, self.shows = self._end[1], None, ""

    def seek(self, n: int) -> None:
        """Show the moment right after event `n`."""
        self._stop()
        self._n = self._within(n)
        self.mode = "paused"
        self._changed()

    def step(self, by: int, burst: bool = False) -> None:
        """Go `by` events on, or as many bursts of events."""
        n = self.n
        for _ in range(abs(by)):
            n = self._burst(n, 1 if by > 0 else -1) if burst else n + (1 if by > 0 else -1)
        self.seek(n)

    def replay(self) -> None:
        """Walk on from here in the tape's own time, times `speed`."""
        self._n = self.n
        self._t, self._walked = self._time(self._n), time.monotonic()
        self.mode = "replay"
        self._changed()

    def select(self, key: str) -> None:
        """Light up the entity `key` in every view."""
        self.selection = key
        self._changed()

    def walk(self) -> bool:
        """Move a replay on to the present moment; True when it moved. Ends live."""
        if self.mode != "replay":
            return False
        now = time.monotonic()
        self._t += (now - self._walked) * self.speed
        self._walked = now
        before = self._n
        if self._end is not None and self._n >= self._end[0]:
            if self._t >= self._time(self._n) + REST * self.speed:
                self.live()
            return True
        while self._n < (self._tape.head if self._end is None else self._end[0]):
            following = self._time(self._n + 1)
            if following - self._t > IDLE * self.speed:
                self._t = following - IDLE * self.speed
            if following > self._t:
                break
            self._n += 1
        if self._n >= self._tape.head and self._end is None:
            self.live()
            return True
        return self._n != before

    def listen(self, heard: Callable[[], None]) -> Callable[[], None]:
        """Call `heard()` when mode, place or selection change; returns how to stop."""
        return self._listeners.add(heard)

    def _within(self, n: int) -> int:
        return max(self._tape.first, min(n, self._tape.head))

    def _time(self, n: int) -> float:
        here = self._tape.between(n - 1, n)
        return here[0].t if here else 0.0

    def _burst(self, n: int, way: int) -> int:
        at = n + way
        while self._tape.first < at < self._tape.head:
            following = at + 1 if way > 0 else at
            if self._time(following) - self._time(following - 1) > BURST:
                return at if way > 0 else at - 1
            at += way
        return at

    def _changed(self) -> None:
        self._listeners.tell()
