"""The journal: every event of a tape on disk, one JSON object a line, within a limit.

It is kept in two parts without a name, so that they are gone when the process is gone, however it
ended. When the newer part has grown to half of the limit the older one is let go; of what was in it
only what still held then stays: servers, wires, leaders, connections, subscriptions and the newest reports.
"""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterator
from typing import IO, Any

import msgspec

from natslab.tape.event import Conn, Event, Leader, Link, Quorum, Server, Snap, Sub

LIMIT = 256_000_000  # bytes on disk
STRIDE = 250  # events between two remembered places
BUFFER = 1 << 18  # bytes that are written at once; the file lives no longer than the process

_encoder = msgspec.json.Encoder()
_decoder: msgspec.json.Decoder[Event] = msgspec.json.Decoder(Event)


class Journal:
    """Events on disk, in order of their numbers. A disk that is full ends it, but stops nobody."""

    def __init__(self) -> None:
        self.cut = 0  # events up to this one were let go, but for what still held
        self._stood: list[Event] = []  # that is these
        self._standing = _Standing()
        self._old: _Part | None = None
        self._new: _Part | None = _Part([])

    @property
    def open(self) -> bool:
        """Whether it still takes events."""
        return self._new is not None

    def append(self, event: Event) -> None:
        """Write one event; its number must be larger than all before."""
        if self._new is None:
            return
        try:
            self._new.append(event)
        except (OSError, ValueError):
            self.close()
            return
        self._standing.note(event)
        if self._new.size > LIMIT // 2:
            if self._old is not None:
                self._old.close()
                self.cut, self._stood = self._new.begin, self._new.stood
            self._old, self._new = self._new, _Part(self._standing.events())
            self._new.begin = event.n

    def between(self, a: int, b: int) -> Iterator[Event]:
        """The events with a < n <= b that are still here."""
        if a < self.cut:
            yield from (e for e in self._stood if a < e.n <= b)
        for part in (self._old, self._new):
            if part is not None and b > part.begin:
                yield from part.between(max(a, self.cut), b)

    def copy(self, out: IO[bytes]) -> None:
        """Write every event that is here to `out`."""
        for event in self._stood:
            out.write(_encoder.encode(event) + b"\n")
        for part in (self._old, self._new):
            if part is not None:
                part.copy(out)

    def close(self) -> None:
        """Let go of the disk."""
        for part in (self._old, self._new):
            if part is not None:
                part.close()
        self._old = self._new = None


class _Part:
    """One file of the journal."""

    def __init__(self, stood: list[Event]) -> None:
        self.begin = 0  # the newest event before it
        self.stood = stood  # what held then
        self.size = 0
        self._count = 0
        self._file = tempfile.TemporaryFile(prefix="natslab-", buffering=BUFFER)  # noqa: SIM115
        self._places: list[tuple[int, int]] = []  # every STRIDE-th event, and where it begins

    def append(self, event: Event) -> None:
        if self._count % STRIDE == 0:
            self._places.append((event.n, self.size))
        self._count += 1
        self.size += self._file.write(_encoder.encode(event) + b"\n")

    def between(self, a: int, b: int) -> list[Event]:
        start = next((place for n, place in reversed(self._places) if n <= a + 1), 0)
        out = []
        try:
            self._file.seek(start)
            for line in self._file:
                event = _decoder.decode(line)
                if event.n > b:
                    break
                if event.n > a:
                    out.append(event)
        finally:
            self._file.seek(0, os.SEEK_END)
        return out

    def copy(self, out: IO[bytes]) -> None:
        try:
            self._file.seek(0)
            while block := self._file.read(1 << 20):
                out.write(block)
        finally:
            self._file.seek(0, os.SEEK_END)

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._file.close()


class _Standing:
    """What still holds: what a view that begins now has to know of the time before."""

    def __init__(self) -> None:
        self._facts: dict[tuple[Any, ...], Event] = {}
        self._subs: dict[str, dict[int, Event]] = {}

    def note(self, event: Event) -> None:
        if isinstance(event, Snap):
            self._report(event)
        elif isinstance(event, Sub):
            subs = self._subs.setdefault(event.client, {})
            if event.state == "open":
                subs[event.sid] = event
            else:
                subs.pop(event.sid, None)
        elif isinstance(event, Conn):
            self._set(("conn", event.client), event, event.state != "closed")
            if event.state == "closed":
                self._subs.pop(event.client, None)
        elif isinstance(event, Server):
            self._facts["server", event.name] = event
        elif isinstance(event, Link):
            self._set(("link", event.a, event.b), event, event.state != "removed")
        elif isinstance(event, Leader):
            self._facts["leader", event.group] = event
        elif isinstance(event, Quorum):
            self._set(("quorum", event.group), event, event.lost)

    def _report(self, event: Snap) -> None:
        data, what = event.data, event.what
        key: tuple[Any, ...]
        if what == "group":
            group = data.get("group")
            self._set(("snap", what, group), event, not data.get("gone"))
            if data.get("gone"):
                reports = [k for k in self._facts if k[:2] == ("snap", "raft") and k[-1] == group]
                for key in (("leader", group), ("quorum", group), *reports):
                    self._facts.pop(key, None)
            return
        named = data.get("name") or data.get("consumer") or data.get("group") or data.get("b") or ""
        key = ("snap", what, event.place, data.get("stream") or "", named)
        self._set(key, event, not data.get("gone") and what != "advisory")

    def _set(self, key: tuple[Any, ...], event: Event, holds: bool) -> None:
        if holds:
            self._facts[key] = event
        else:
            self._facts.pop(key, None)

    def events(self) -> list[Event]:
        subs = (e for of in self._subs.values() for e in of.values())
        return sorted([*self._facts.values(), *subs], key=lambda e: e.n)
