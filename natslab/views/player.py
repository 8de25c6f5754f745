"""One view on one tape: folds events into a state, and can be at any moment of the tape."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from typing import Any

import msgspec

from natslab.tape.tape import Tape
from natslab.views import view as views
from natslab.views.scene import Scene
from natslab.views.view import ViewState

STRIDE = 1_000  # events between two keyframes, at first
KEYFRAMES = 64  # of so many every other one goes, and later ones lie twice as far apart


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
        self._keyframes: dict[int, bytes] = {0: self._encoder.encode(self._state)}
        self._stride = STRIDE

    def at(self, n: int | None = None) -> Any:
        """A copy of the state right after event `n` (default: the newest)."""
        with self._lock:
            return self._decoder.decode(self._encoder.encode(self._seek(n)))

    def scene(
        self, n: int | None = None, *, now: float | None = None, mode: str = "live", selection: str = ""
    ) -> Scene:
        """The picture right after event `n` (default: the newest).

        `now` is the shown moment in tape seconds, by default that of the last event.
        """
        with self._looked_at(n, now, mode, selection) as state:
            scene: Scene = self.view.draw(state)
            scene.view, scene.mode, scene.now = self.name, mode, state.now
            return scene

    def describe(self, n: int | None = None) -> tuple[str, str]:
        """The sentence and the note right after event `n`."""
        with self._lock:
            words: tuple[str, str] = self.view.describe(self._seek(n))
            return words

    def table(self, n: int | None = None, *, selection: str = "") -> views.Table:
        """The table right after event `n`."""
        with self._looked_at(n, None, "live", selection) as state:
            table: views.Table = self.view.table(state)
            return table

    def dot(self, n: int | None = None) -> str | None:
        """The view as a graph in DOT, or None where it is not a graph."""
        with self._lock:
            draw = getattr(self.view, "dot", None)
            return None if draw is None else str(draw(self._seek(n)))

    @contextlib.contextmanager
    def _looked_at(self, n: int | None, now: float | None, mode: str, selection: str) -> Iterator[ViewState]:
        """The state right after event `n` as one person looks at it; it stays as the events made it."""
        with self._lock:
            state = self._seek(n)
            kept = state.now, state.mode, state.selection
            state.now, state.mode, state.selection = max(state.now, now or 0.0), mode, selection
            try:
                yield state
            finally:
                state.now, state.mode, state.selection = kept

    def _seek(self, n: int | None) -> ViewState:
        target = self.tape.head if n is None else max(0, min(n, self.tape.head))
        if target < self._n:
            start = max(k for k in self._keyframes if k <= target)
            self._state = self._decoder.decode(self._keyframes[start])
            self._n = start
        while self._n < target:
            step = min(target, (self._n // self._stride + 1) * self._stride)
            for event in self.tape.between(self._n, step):
                self.view.fold(self._state, event)
            self._n = step
            if step % self._stride == 0 and step not in self._keyframes:
                self._keyframes[step] = self._encoder.encode(self._state)
                if len(self._keyframes) > KEYFRAMES:
                    self._stride *= 2
                    self._keyframes = {k: v for k, v in self._keyframes.items() if k % self._stride == 0}
        return self._state
