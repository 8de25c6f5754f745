"""What the scrubber shows of a tape: publishes as bars, what became of them as ticks, faults as signs, and
who led a group as bands."""

from __future__ import annotations

from typing import Any

from natslab.tape.event import Ack, Deliver, Drop, Leader, Link, Many, Mark, Pub, Raft, Server
from natslab.tape.tape import Tape

BINS = 280  # bars on the scrubber
GROUPS = 400  # whose leaders are kept
TERMS = 60  # of one group
TOGETHER = 0.25  # seconds within which changes of several wires are one
_WIRES = {"cut": "┇", "held": "┆", "delayed": "…", "open": "="}


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
        self._wires: dict[tuple[str, str], str] = {}  # state of each wire
        self._changed: list[tuple[str, str]] = []  # wires of the newest sign
        self._leads: dict[str, list[dict[str, Any]]] = {}  # group -> bands
        self._t1 = 0.0

    def painted(self, group: str = "") -> dict[str, Any]:
        """The message to the stage; with the leaders of `group`."""
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
            elif isinstance(event, Raft):
                if event.entries or event.what in ("vote", "voted"):
                    self._beat(event.n, event.t)
            elif isinstance(event, Leader):
                self._leader(event)
            elif isinstance(event, Link):
                self._wire(event)
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
        bands = self._leads.get(group, [])
        elected = [
            {"n": b["n"], "t": b["t0"], "glyph": "◎", "text": b["text"], "name": ""} for b in bands[1:]
        ]
        signs = sorted([*self._signs, *elected], key=lambda s: (s["t"], s["n"])) if elected else self._signs
        return {
            "op": "track", "n0": tape.first, "head": tape.head,
            "t0": round(self._t0, 3), "t1": round(max(self._t1, tape.now()), 3),
            "pubs": self._bars, "beats": self._beats, "signs": signs, "bands": bands,
        }  # fmt: skip

    def _leader(self, event: Leader) -> None:
        """From now on somebody else leads, or nobody does."""
        bands = self._leads.get(event.group)
        if bands is None:
            if len(self._leads) >= GROUPS:
                return
            bands = self._leads[event.group] = []
        if bands and "t1" not in bands[-1]:
            if bands[-1]["name"] == event.leader and event.term in (0, bands[-1]["term"]):
                return
            bands[-1]["t1"] = round(event.t, 3)
        if event.leader:
            term = f", term {event.term}" if event.term else ""
            bands.append({
                "n": event.n, "t0": round(event.t, 3), "name": event.leader[:20], "term": event.term,
                "text": f"{event.leader[:20]} leads{term}",
            })  # fmt: skip
            del bands[:-TERMS]

    def _wire(self, event: Link) -> None:
        """A wire was cut, held, slowed or healed; what happens to several at once has one sign."""
        pair = (event.a, event.b)
        before = self._wires.get(pair, "open")
        if event.state == "removed":
            self._wires.pop(pair, None)
            return
        self._wires[pair] = event.state
        if event.state == before:
            return
        glyph = _WIRES[event.state]
        last = self._signs[-1] if self._signs else None
        if last and last["glyph"] == glyph and self._changed and event.t - last["t"] < TOGETHER:
            self._changed.append(pair)
            self._signs.pop()
        else:
            self._changed = [pair]
        common = sorted(set.intersection(*(set(p) for p in self._changed)))
        many = len(self._changed)
        name = "–".join(pair) if many == 1 else common[0] if common else f"{many} wires"
        what = {"cut": "cut", "held": "held", "delayed": "slow", "open": "whole again"}[event.state]
        text = f"the wire {name} is {what}" if many == 1 else f"the wires of {name} are {what}"
        if many > 1 and not common:
            text = f"{name} are {what}"
        self._sign(event.n, event.t, glyph, text, name)

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
