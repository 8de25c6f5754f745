"""The tape: what happened in a lab, in order.

Memory holds the newest events; a journal on disk holds all of them, one JSON object a line. The
journal is a file without a name, so that it is gone when the process is gone, however it ended.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
import threading
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import IO

import msgspec

from natslab.errors import LabError
from natslab.listeners import Listeners
from natslab.tape.cursor import Cursor
from natslab.tape.event import Event

RING = 50_000  # events kept in memory
STRIDE = 1_000  # events between two remembered places of the journal
FORMAT = 1


class _Head(msgspec.Struct, tag="tape", tag_field="kind"):
    format: int
    started: float
    lab: str


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
        self._over: float | None = None  # tape seconds of its end
        self.head = 0
        self.cursor = Cursor(self)
        self._ring: deque[Event] = deque(maxlen=RING)
        self._lock = threading.RLock()
        self._listeners: Listeners[[]] = Listeners()
        self._file: IO[bytes] | None = tempfile.TemporaryFile(prefix="natslab-")  # noqa: SIM115
        self._end = self._write(_encoder.encode(_Head(FORMAT, self.started, lab)) + b"\n")
        self._places = [self._end]  # where every STRIDE-th event begins

    def now(self) -> float:
        """Seconds since the tape began; of a tape that is over, until its end."""
        return time.time() - self.started if self._over is None else self._over

    @property
    def over(self) -> bool:
        """Whether its lab is gone, so that nothing more will happen."""
        return self._over is not None

    def append(self, event: Event) -> Event:
        """Put `event` at the end, number it, and tell who listens. Returns the same event."""
        with self._lock:
            self.head += 1
            event.n = self.head
            self._ring.append(event)
            if self._file is not None:
                if event.n % STRIDE == 0:
                    self._places.append(self._end)
                self._end += self._write(_encoder.encode(event) + b"\n")
        self._listeners.tell()
        return event

    def between(self, a: int, b: int) -> list[Event]:
        """The events with a < n <= b, from memory or, for older ones, from the journal."""
        with self._lock:
            a, b = max(a, 0), min(b, self.head)
            if a >= b:
                return []
            first = self._ring[0].n if self._ring else self.head + 1
            if a + 1 >= first:
                start = a + 1 - first
                if b - a > 2000 or start < len(self._ring) // 2:
                    return [self._ring[i] for i in range(start, b - first + 1)]
                out = []
                for event in reversed(self._ring):  # a deque is quick from its ends
                    if event.n <= a:
                        break
                    if event.n <= b:
                        out.append(event)
                return out[::-1]
            return self._read(a, b)

    def listen(self, heard: Callable[[], None]) -> Callable[[], None]:
        """Call `heard()` after each append, on the appending thread; returns how to stop."""
        return self._listeners.add(heard)

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Copy the whole journal to `path`. Raises LabError when it cannot be written."""
        target = Path(path)
        with self._lock:
            if self._file is None:
                raise LabError("This tape has no journal any more.", "Save a tape before its lab goes down.")
            try:
                self._file.seek(0)
                with target.open("wb") as out:
                    shutil.copyfileobj(self._file, out)
            except OSError as e:
                raise LabError(
                    f"The tape could not be saved to {target}: {e.strerror}.", "Choose another place."
                ) from None
            finally:
                self._file.seek(0, os.SEEK_END)
        return target

    @classmethod
    def open(cls, path: str | os.PathLike[str]) -> Tape:
        """A saved tape, to be looked at; a torn last line is ignored.

        Raises LabError when the file is missing or is not a tape.
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
        tape._over = 0.0
        for line in lines[1:]:
            try:
                event = _decoder.decode(line)
            except msgspec.DecodeError:
                break
            tape.append(event)
            tape._over = max(tape._over, event.t)
        return tape

    def close(self) -> None:
        """The lab is gone: let go of the journal. What is in memory stays readable."""
        with self._lock:
            self._over = self.now()
            if self._file is not None:
                self._file.close()
                self._file = None

    def __del__(self) -> None:
        self.close()

    def _write(self, data: bytes) -> int:
        assert self._file is not None
        try:
            return self._file.write(data)
        except OSError:
            # A full disk must not stop the lab: memory goes on, the journal ends here.
            with contextlib.suppress(OSError):
                self._file.close()
            self._file = None
            return 0

    def _read(self, a: int, b: int) -> list[Event]:
        if self._file is None:
            return [e for e in self._ring if a < e.n <= b]
        out = []
        try:
            self._file.seek(self._places[min((a + 1) // STRIDE, len(self._places) - 1)])
            for line in self._file:
                event = _decoder.decode(line)
                if event.n > b:
                    break
                if event.n > a:
                    out.append(event)
        finally:
            self._file.seek(0, os.SEEK_END)
        return out
