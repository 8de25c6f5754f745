"""One view on one tape: folds events into a state, and can be at any moment of the tape."""

from __future__ import annotations

import bisect
import contextlib
import gc
import itertools
import threading
import time
import zlib
from collections.abc import Iterator
from typing import Any

import msgspec

from natslab.tape.event import Event
from natslab.tape.tape import Tape
from natslab.views import view as views
from natslab.views.scene import WIDTH, Scene
from natslab.views.view import ViewState

BATCH = 50  # events between two looks at the clock
READ = 2_000  # events that are taken from the tape at once
WORTH = 0.008  # seconds of folding between two keyframes, at first
RATIO = 6  # so much longer than the making of a keyframe the folding must be that it spares,
MOST = 2 * WORTH  # up to here
KEPT = 24_000_000  # bytes of keyframes; above that every other one goes, and later ones lie further apart
AHEAD = 100  # events between two looks for where a step ends
SQUEEZED = KEPT // 2  # bytes above which old ones are compressed


class Player:
    """A view that plays a tape.

    Parameters
    ----------
    tape: what happened.
    name: the view's module name, e.g. "routing"; CommandError when there is none.
    of: what narrows the view, e.g. a subject.
    """

    def __init__(self, tape: Tape, name: str, of: tuple[str, ...] = ()) -> None:
        self.tape = tape
        self.name = name
        self.of = of
        self.view = views.load(name)
        self._lock = threading.RLock()
        self._encoder = msgspec.msgpack.Encoder()
        self._decoder = msgspec.msgpack.Decoder(self.view.State)
        self._state: ViewState = self.view.start(of)
        self._state.lab = tape.lab
        self._n = 0
        self._cut = 0
        # Places of the tape in order, and the state there.
        self._places: list[int] = [0]
        self._keyframes: dict[int, bytes] = {0: self._encoder.encode(self._state)}
        self._size = len(self._keyframes[0])  # bytes of all keyframes
        self._squeezed: set[int] = set()
        self._worth = self._due = WORTH
        self._spent = 0.0  # seconds of folding since the last keyframe

    def at(self, n: int | None = None) -> Any:
        """A copy of the state right after event `n` (default: the newest)."""
        with self._lock:
            return self._decoder.decode(self._encoder.encode(self._seek(n)))

    def scene(
        self,
        n: int | None = None,
        *,
        now: float | None = None,
        mode: str = "live",
        selection: str = "",
        width: int = WIDTH,
    ) -> Scene:
        """The picture right after event `n` (default: the newest).

        `now` is the shown moment in tape seconds, by default that of the last event. `width` is the
        room, WIDTH or NARROW; a view that cannot be narrow is WIDTH all the same.
        """
        with self._looked_at(n, now, mode, selection, width) as state:
            scene: Scene = self.view.draw(state)
            scene.view, scene.mode, scene.now = self.name, mode, state.now
            return scene

    def describe(self, n: int | None = None) -> tuple[str, str]:
        """The sentence and the note right after event `n`."""
        with self._lock:
            words: tuple[str, str] = self.view.describe(self._seek(n))
            return words

    def table(self, n: int | None = None, *, selection: str = "", width: int = WIDTH) -> views.Table:
        """The table right after event `n`, of what a picture so wide shows."""
        with self._looked_at(n, None, "live", selection, width) as state:
            table: views.Table = self.view.table(state)
            return table

    def dot(self, n: int | None = None) -> str | None:
        """The view as a graph in DOT, or None where it is not a graph."""
        with self._lock:
            draw = getattr(self.view, "dot", None)
            return None if draw is None else str(draw(self._seek(n)))

    def stop(self, n: int, by: int, far: bool = False) -> int | None:
        """The event where a step on from `n` ends, or back from it (`by` < 0); a `far` one ends at a turn.

        None where the view goes from event to event.
        """
        stops = getattr(self.view, "stops", None)
        if stops is None:
            return None
        known: list[tuple[int, bool]]
        with self._lock:
            if by < 0:
                known = [(at, turn) for at, turn in stops(self._seek(n)) if at < n]
                oldest = known[0][0] if known else self.tape.first
                return max((at for at, turn in known if turn or not far), default=oldest)
            head, found = self.tape.head, None
            for place in itertools.chain(range(n + AHEAD, head, AHEAD), [head]):
                known = [(at, turn) for at, turn in stops(self._seek(place)) if at > n]
                found = next((at for at, turn in known if turn or not far), None)
                if found is not None and found < known[-1][0]:
                    return found  # what comes after it is another
            return head if found is None else found

    def stops(self) -> list[tuple[int, bool]]:
        """Every event where a step ends, and whether it is a turn; none where the view has no such."""
        stops = getattr(self.view, "stops", None)
        if stops is None:
            return []
        found: dict[int, bool] = {}
        with self._lock:
            head = self.tape.head
            for place in itertools.chain(range(self.tape.first + AHEAD, head, AHEAD), [head]):
                found.update(stops(self._seek(place)))
        return sorted(found.items())

    @contextlib.contextmanager
    def _looked_at(
        self, n: int | None, now: float | None, mode: str, selection: str, width: int = WIDTH
    ) -> Iterator[ViewState]:
        """The state right after event `n` as one person looks at it; it stays as the events made it."""
        with self._lock:
            state = self._seek(n)
            kept = state.now, state.mode, state.selection, state.width
            state.now, state.mode, state.selection = max(state.now, now or 0.0), mode, selection
            state.width = width
            try:
                yield state
            finally:
                state.now, state.mode, state.selection, state.width = kept

    def _seek(self, n: int | None) -> ViewState:
        head = self.tape.head
        target = head if n is None else max(0, min(n, head))
        if self._cut != self.tape.cut:
            self._let_go(self.tape.cut)
        start = self._places[bisect.bisect_right(self._places, target) - 1]
        if target < self._n or start > self._n:
            self._go_on_from(start)
        while self._n < target:
            step = min(target, self._n + READ)
            events = self.tape.between(self._n, step)
            for i in range(0, len(events), BATCH):
                self._fold(events[i : i + BATCH])
            self._n = step
        return self._state

    def _let_go(self, cut: int) -> None:
        """The tape no longer has what led to these states: views that open now cannot know it either."""
        self._cut = cut
        self._drop([n for n in self._places if 0 < n < cut])
        if self._n < cut:
            self._go_on_from(0)

    def _go_on_from(self, n: int) -> None:
        data = self._keyframes[n]
        # It makes many objects at once and no garbage: to look for some costs three times as much (measured).
        collects = gc.isenabled()
        gc.disable()
        try:
            self._state = self._decoder.decode(zlib.decompress(data) if n in self._squeezed else data)
        finally:
            if collects:
                gc.enable()
        self._n, self._spent = n, 0.0

    def _fold(self, events: list[Event]) -> None:
        """Fold on, and keep what it led to where folding up to here again would take long."""
        fold, state = self.view.fold, self._state
        began = time.perf_counter()
        for event in events:
            fold(state, event)
        self._n = events[-1].n
        self._spent += time.perf_counter() - began
        if self._spent >= self._due:
            if self._n > self._places[-1]:
                self._keep()
            self._spent = 0.0

    def _keep(self) -> None:
        began = time.perf_counter()
        data = self._encoder.encode(self._state)
        took = time.perf_counter() - began
        self._places.append(self._n)
        self._put(self._n, data)
        if self._size > SQUEEZED:
            plain = (n for n in self._places if n not in self._squeezed)
            for n in list(itertools.islice(plain, 2)):
                self._put(n, zlib.compress(self._keyframes[n], 1))
                self._squeezed.add(n)
        if self._size > KEPT:
            self._worth *= 2
            self._drop(self._places[1::2])
        self._due = max(self._worth, min(RATIO * took, MOST))

    def _put(self, n: int, data: bytes) -> None:
        self._size += len(data) - len(self._keyframes.get(n, b""))
        self._keyframes[n] = data

    def _drop(self, gone: list[int]) -> None:
        for n in gone:
            self._size -= len(self._keyframes.pop(n))
        self._squeezed.difference_update(gone)
        self._places = [n for n in self._places if n in self._keyframes]
