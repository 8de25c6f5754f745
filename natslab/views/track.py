"""What the scrubber shows of a tape: publishes as bars, what became of them as ticks, faults as signs."""

from __future__ import annotations

from typing import Any

from natslab.tape.event import Ack, Deliver, Drop, Many, Mark, Pub, Server
from natslab.tape.tape import Tape

BINS = 280  # bars on the scrubber


class Track:
    """One scrubber's picture of one tape; each call of `painted` reads only what is new."""

    def __init__(self, tape: Tape) -> None:
        self._tape = tape
        self._n = tape.first
        before = tape.between(self._n - 1, self._n)
        self._t0 = before[0].t if before else 0.0
        self._bars: list[list[float]] = []  # n, t, count
        self._beats: list[list[float]] = []  # n, t: something happened to messages that were there already
        self._signs: list[dict[str, Any]] = []
        self._states: dict[str, str] = {}  # of each server
        self._t1 = 0.0

    def painted(self) -> dict[str, Any]:
        """The message to the stage."""
        tape = self._tape
        for event in tape.between(self._n, tape.head):
            self._n = event.n
            self._t1 = max(self._t1, event.t)
            if isinstance(event, Pub):
                self._bar(event.n, event.t, 1)
            elif isinstance(event, Many) and event.way == "pub":
                self._bar(event.n, event.t, event.count)
            elif isinstance(event, (Deliver, Ack, Drop)):
                self._beat(event.n, event.t)
            elif isinstance(event, Server) and event.state in ("down", "frozen", "up"):
                glyph = {"down": "✕", "frozen": "‖", "up": "↑"}[event.state]
                if event.state == "up" and self._states.get(event.name) == "frozen":
                    glyph = "▶"
                self._states[event.name] = event.state
                self._sign(event.n, event.t, glyph, f"{event.name} is {event.state}", event.name)
            elif isinstance(event, Mark) and event.what in ("check", "bet"):
                self._sign(event.n, event.t, "✓" if event.what == "check" else "?", event.text)
        while len(self._bars) > 2 * BINS:
            pairs = (self._bars[i : i + 2] for i in range(0, len(self._bars), 2))
            self._bars = [[*pair[-1][:2], sum(bar[2] for bar in pair)] for pair in pairs]
        while len(self._beats) > 2 * BINS:
            self._beats = self._beats[1::2]
        return {
            "op": "track", "n0": tape.first, "head": tape.head,
            "t0": round(self._t0, 3), "t1": round(max(self._t1, tape.now()), 3),
            "pubs": self._bars, "beats": self._beats, "signs": self._signs,
        }  # fmt: skip

    def _bar(self, n: int, t: float, count: int) -> None:
        if self._bars and t - self._bars[-1][1] < 0.02:
            self._bars[-1][0] = n
            self._bars[-1][2] += count
        else:
            self._bars.append([n, round(t, 3), count])

    def _beat(self, n: int, t: float) -> None:
        if self._beats and t - self._beats[-1][1] < 0.1:
            self._beats[-1][0] = n
        else:
            self._beats.append([n, round(t, 3)])

    def _sign(self, n: int, t: float, glyph: str, text: str, name: str = "") -> None:
        self._signs.append({"n": n, "t": round(t, 3), "glyph": glyph, "text": text[:80], "name": name[:20]})
        del self._signs[:-60]
