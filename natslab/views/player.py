"""One view on one tape: folds events into a state, and can be at any moment of the tape."""

from __future__ import annotations

import threading
from typing import Any

import msgspec

from natslab.tape.tape import Tape
from natslab.views import view as views
from natslab.views.scene import Scene
from natslab.views.view import ViewState

STRIDE = 1_000  # events between two keyframes


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
        with self._lock:
            state = self._seek(n)
            state.mode, state.selection = mode, selection
            if now is not None and now > state.now:
                state.now = now
            scene: Scene = self.view.draw(state)
            scene.view, scene.mode, scene.now = self.name, mode, state.now
            return scene

    def describe(self, n: int | None = None) -> tuple[str, str]:
        """The sentence and the note right after event `n`."""
        with self._lock:
            words: tuple[str, str] = self.view.describe(self._seek(n))
            return words

    def table(self, n: int | None = None) -> views.Table:
        """The table right after event `n`."""
        with self._lock:
            table: views.Table = self.view.table(self._seek(n))
            return table

    def dot(self, n: int | None = None) -> str | None:
        """The view as a graph in DOT, or None where it is not a graph."""
        with self._lock:
            draw = getattr(self.view, "dot", None)
            return None if draw is None else str(draw(self._seek(n)))

    def _seek(self, n: int | None) -> ViewState:
        target = self.tape.head if n is None else max(0, min(n, self.tape.head))
        if target < self._n:
            start = max(k for k in self._keyframes if k <= target)
            self._state = self._decoder.decode(self._keyframes[start])
            self._n = start
        while self._n < target:
            step = min(target, (self._n // STRIDE + 1) * STRIDE)
            for event in self.tape.between(self._n, step):
                self.view.fold(self._state, event)
            self._n = step
            if step % STRIDE == 0 and step not in self._keyframes:
                self._keyframes[step] = self._encoder.encode(self._state)
        return self._state
