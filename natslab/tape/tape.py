"""The tape: what happened in a lab, in order.

Memory holds the newest events; a journal on disk holds all of them, within a limit.
"""

from __future__ import annotations

import os
import threading
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path

import msgspec

from natslab.errors import LabError
from natslab.listeners import Listeners
from natslab.tape.cursor import Cursor
from natslab.tape.event import Event
from natslab.tape.journal import Journal

RING = 50_000  # events kept in memory
FORMAT = 1


class _Head(msgspec.Struct, tag="tape", tag_field="kind", omit_defaults=True):
    format: int
    started: float
    lab: str
    first: int = 0
    cut: int = 0


_encoder = msgspec.json.Encoder()
_decoder: msgspec.json.Decoder[Event] = msgspec.json.Decoder(Event)


class Tape:
    """Events in append order.

    Parameters
    ----------
    lab: the name of the lab it tells about.
    started: time.time() when it began; now when left out.
    """

    def __init__(self, lab: str = "lab", started: float | None = None) -> None:
        self.lab = lab
        self.started = time.time() if started is None else started
        self.recorded = False  # it was opened, or is a part of another: nothing will happen
        self.head = 0
        self.cursor = Cursor(self)
        self._first = 0
        self._cut = 0
        self._over: float | None = None  # tape seconds of its end
        self._ring: deque[Event] = deque(maxlen=RING)
        self._lock = threading.RLock()
        self._listeners: Listeners[[]] = Listeners()
        self._journal = Journal()

    def now(self) -> float:
        """Seconds since the tape began; of a tape that is over, until its end."""
        return time.time() - self.started if self._over is None else self._over

    @property
    def over(self) -> bool:
        """Whether its lab is gone, so that nothing more will happen."""
        return self._over is not None

    @property
    def first(self) -> int:
        """What is shown begins right after this event: 0, or where a recorded block began, or `cut`."""
        return max(self._first, self.cut)

    @property
    def cut(self) -> int:
        """Events up to this one are no longer kept, but for what still held: they were too many."""
        return max(self._cut, self._journal.cut)

    def append(self, event: Event) -> Event:
        """Put `event` at the end, number it, and tell who listens. Returns the same event."""
        with self._lock:
            event.n = self.head + 1
            self._take(event)
        self._listeners.tell()
        return event

    def _take(self, event: Event) -> None:
        self.head = event.n
        self._ring.append(event)
        self._journal.append(event)

    def between(self, a: int, b: int) -> list[Event]:
        """The events with a < n <= b, from memory or, for older ones, from the journal."""
        with self._lock:
            a, b = max(a, 0), min(b, self.head)
            if a >= b:
                return []
            ring = self._ring
            whole = len(ring) == self.head - ring[0].n + 1  # none was let go between them
            if whole and a + 1 >= ring[0].n:
                start = a + 1 - ring[0].n
                return [ring[i] for i in range(start, start + b - a)]
            if self._journal.open:
                return list(self._journal.between(a, b))
            return [e for e in ring if a < e.n <= b]

    def listen(self, heard: Callable[[], None]) -> Callable[[], None]:
        """Call `heard()` after each append, on the appending thread; returns how to stop."""
        return self._listeners.add(heard)

    def part(self, first: int, last: int) -> Tape:
        """A tape of its own that shows the events with first < n <= last; it knows what was before."""
        part = Tape(self.lab, self.started)
        part.recorded = True
        part._first, part._cut = max(first, self.first), self.cut
        for event in self.between(0, last):
            part._take(event)
        part.head = min(last, self.head)
        part._over = max((e.t for e in self.between(last - 1, last)), default=0.0)
        return part

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Copy all that is kept to `path`. Raises LabError when it cannot be written."""
        target = Path(path)
        with self._lock:
            if not self._journal.open:
                raise LabError("This tape has no journal any more.", "Save a tape before its lab goes down.")
            head = _Head(FORMAT, self.started, self.lab, self._first, self.cut)
            try:
                with target.open("wb") as out:
                    out.write(_encoder.encode(head) + b"\n")
                    self._journal.copy(out)
            except OSError as e:
                raise LabError(
                    f"The tape could not be saved to {target}: {e.strerror}.", "Choose another place."
                ) from None
        return target

    @classmethod
    def open(cls, path: str | os.PathLike[str]) -> Tape:
        """A saved tape, to be looked at; a torn last line is ignored.

        Raises LabError when the file is missing, is not a tape, or has events that are not understood.
        """
        source = Path(path)
        try:
            lines = source.read_bytes().split(b"\n")
        except OSError as e:
            raise LabError(f"The tape {source} cannot be read: {e.strerror}.", "Check the path.") from None
        try:
            head = msgspec.json.decode(lines[0], type=_Head)
        except msgspec.DecodeError:
            raise LabError(f"{source} is not a natslab tape.", "Save one with: %natslab save FILE") from None
        if head.format != FORMAT:
            raise LabError(
                f"{source} has tape format {head.format}, this natslab reads format {FORMAT}.",
                "Open it with the natslab that saved it.",
            )
        tape = cls(head.lab, head.started)
        tape.recorded = True
        tape._first, tape._cut = head.first, head.cut
        tape._over = 0.0
        for number, line in enumerate(lines[1:], 2):
            if not line:
                continue
            try:
                event = _decoder.decode(line)
            except msgspec.DecodeError:
                if number == len(lines):
                    break
                raise LabError(
                    f"{source} cannot be read: this natslab does not understand its line {number}.",
                    "Open it with the natslab that saved it.",
                ) from None
            event.n = max(event.n, tape.head + 1)
            tape._take(event)
            tape._over = max(tape._over, event.t)
        tape._first = min(tape._first, tape.head)
        return tape

    def close(self) -> None:
        """The lab is gone: let go of the journal. What is in memory stays readable."""
        with self._lock:
            if self._over is None:
                self._over = self.now()
            self._journal.close()

    def __del__(self) -> None:
        if hasattr(self, "_journal"):
            self.close()
