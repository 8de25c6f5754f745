"""What travels from a player to a stage: scenes as frames, and the stage's wishes back.

At most ten frames a second and 64 KB a frame, only what changed; a full scene (at most 256 KB)
when the stage asks for one. To a browser that cannot draw so many they become fewer.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable
from typing import Any

import msgspec

from natslab.errors import NatslabError
from natslab.loop import loop
from natslab.tape.event import Many, Mark, Pub, Server
from natslab.views.player import Player
from natslab.views.scene import FOOT, Scene, header, headline, legend_marks, walk

PERIOD = 0.1  # seconds between two frames
SLOWEST = 1.0  # the same, to a browser that is behind
EASE = 2.0  # seconds without complaint after which frames become more frequent again
FRAME = 64_000  # bytes of a frame
FULL = 256_000  # bytes of a full scene
TRACK_PERIOD = 0.5  # seconds between two pictures of the scrubber
BINS = 280  # bars on the scrubber

_json = msgspec.json.Encoder()


class Frames:
    """Sends what a view looks like to one stage, and does what the stage asks for.

    Lives on natslab's loop; `heard` and `end` may be called from any thread.

    Parameters
    ----------
    player: the view and its tape.
    send: takes one frame to the stage.
    act: runs the line of an action that was clicked, off the loop; what it raises is shown.
    watched: told +1 when the stage opens and -1 when it closes.
    """

    def __init__(
        self,
        player: Player,
        send: Callable[[dict[str, Any]], None],
        act: Callable[[str], None] | None = None,
        watched: Callable[[int], None] | None = None,
    ) -> None:
        self._player = player
        self._out = send
        self._cursor = player.tape.cursor
        self._act = act
        self._watched = watched or (lambda by: None)
        self._seq = 0
        self._sent: dict[str, bytes] = {}  # key -> mark as the stage has it
        self._order: list[str] = []
        self._flights: dict[str, bytes] = {}
        self._strip: dict[str, Any] = {}
        self._scene: Scene | None = None
        self._table_open = False
        self._track_sent = (0.0, -1)
        self._track = _Track()
        self._period = PERIOD
        self._eased = 0.0
        self._awake = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._unlisten: list[Callable[[], None]] = []

    def heard(self, message: dict[str, Any]) -> None:
        """The stage said something."""
        loop().post(self._heard, message)

    def end(self) -> None:
        """Stop sending."""
        if self._task is not None:
            loop().post(self._end)

    # --- from the stage, on the loop ---------------------------------------------------------

    def _heard(self, message: dict[str, Any]) -> None:
        op, cursor = message.get("op"), self._cursor
        if op == "hello":
            self._begin()
            self._forget()
        elif op == "behind":
            self._period = min(SLOWEST, 2 * self._period)
            self._eased = time.monotonic()
            return
        elif op == "seek":
            cursor.seek(int(message.get("n", 0)))
        elif op == "step":
            cursor.step(1 if message.get("by", 1) > 0 else -1, bool(message.get("burst")))
        elif op == "mode":
            {"live": cursor.live, "paused": cursor.pause, "replay": cursor.replay}.get(
                str(message.get("mode")), cursor.live
            )()
        elif op == "speed":
            cursor.speed = min(1.0, max(0.001, float(message.get("speed", 1))))
        elif op == "table":
            self._table_open = bool(message.get("open"))
        elif op == "select":
            cursor.select(str(message.get("key", ""))[:300])
        elif op == "act":
            self._do(str(message.get("key", "")), int(message.get("i", 0)))
        elif op == "painted":
            return  # only for who measures
        self._awake.set()

    def _do(self, key: str, i: int) -> None:
        """Run an action of our own scene; the stage only points at it."""
        scene = self._scene
        if scene is None or self._act is None or self._cursor.mode != "live" or self._player.tape.over:
            return
        actions = scene.controls
        if key:
            actions = next((m.actions for m in walk(scene.marks) if m.key == key), [])
        if 0 <= i < len(actions):
            line, act = actions[i].line, self._act

            def run() -> None:
                try:
                    act(line)
                except NatslabError as e:
                    loop().post(self._send, {"op": "said", "line": line, "error": str(e)})

            loop().asyncio.run_in_executor(None, run)

    # --- to the stage, on the loop -----------------------------------------------------------

    def _begin(self) -> None:
        if self._task is None:
            self._unlisten = [
                self._player.tape.listen(self._awake.set),
                self._cursor.listen(lambda: loop().post(self._awake.set)),
            ]
            self._task = loop().spawn(self._pump())
            self._watched(1)

    def _end(self) -> None:
        if self._task is not None:
            self._task.cancel()
            self._task = None
            for stop in self._unlisten:
                stop()
            self._watched(-1)

    def _forget(self) -> None:
        """The stage has nothing: the next frame is a full scene."""
        self._sent, self._order, self._flights, self._strip = {}, [], {}, {}
        self._scene, self._track_sent = None, (0.0, -1)

    async def _pump(self) -> None:
        while True:
            if self._cursor.mode == "replay":
                self._cursor.walk()
            elif self._cursor.mode == "live" and not self._player.tape.over:
                # Without events the clock of a live view still goes on, twice a second.
                # timeout and not wait_for, which in Python 3.11 can swallow a cancellation.
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(0.5):
                        await self._awake.wait()
            else:
                await self._awake.wait()
            self._awake.clear()
            began = time.monotonic()
            try:
                self._frame()
            except Exception as e:
                # A fault of the view, not of the person: say so and go on with what comes next.
                error = f"This picture could not be drawn: {type(e).__name__}."
                self._send({"op": "said", "line": self._player.name, "error": error})
            took = time.monotonic() - began
            if self._period > PERIOD and began - self._eased > EASE:
                self._period = max(PERIOD, self._period / 2)
                self._eased = began
            # Whatever a picture costs, half of the time is left for the lab.
            await asyncio.sleep(max(self._period - took, took))

    def _frame(self) -> None:
        cursor = self._cursor
        n = cursor.n
        live = cursor.mode == "live"
        scene = self._player.scene(
            n,
            now=self._player.tape.now() if live else None,
            mode=cursor.mode,
            selection=cursor.selection,
        )
        marks = [*headline(scene), *scene.marks]
        encoded = {m.key: _json.encode(m) for m in marks}
        flights = {f.key: _json.encode(f) for f in scene.flights}
        strip = self._strip_of(scene)
        where = {
            "mode": cursor.mode, "n": n, "head": self._player.tape.head, "t": round(cursor.t, 3),
            "now": round(self._player.tape.now(), 3), "speed": cursor.speed, "selection": cursor.selection,
            "over": self._player.tape.over,
        }  # fmt: skip
        full = self._scene is None
        room = FULL if full else FRAME
        room -= 4_000 + sum(len(d) for k, d in flights.items() if self._flights.get(k) != d)
        changed: dict[str, bytes] = {}
        for key, data in encoded.items():
            if self._sent.get(key) != data:
                # What does not fit stays different and travels in the next frame.
                if (room := room - len(data)) < 0:
                    self._awake.set()
                    break
                changed[key] = data
        marks_now = [msgspec.Raw(d) for d in changed.values()]
        frame: dict[str, Any]
        if full:
            flying = [msgspec.Raw(f) for f in flights.values()]
            frame = {"op": "scene", "full": True, "cursor": where,
                     "scene": {**strip, "marks": marks_now, "flights": flying}}  # fmt: skip
        else:
            gone = [k for k in self._sent if k not in encoded]
            frame = {
                "op": "delta", "cursor": where, **self._strip_change(strip),
                "set": marks_now, "del": gone,
                "flights": [msgspec.Raw(d) for k, d in flights.items() if self._flights.get(k) != d],
                "gone": [k for k in self._flights if k not in flights],
            }  # fmt: skip
            for key in gone:
                del self._sent[key]
        self._sent.update(changed)
        order = [k for k in encoded if k in self._sent]
        if not full and order != self._order:
            frame["order"] = order
        self._order, self._flights, self._strip, self._scene = order, flights, strip, scene
        self._send(frame)
        self._side_frames(n)

    def _strip_of(self, scene: Scene) -> dict[str, Any]:
        """Everything of a scene that is not a mark or a flight, as plain JSON."""
        said = "".join(t for t, _ in scene.sentence) + " " + "".join(t for t, _ in scene.note)
        return {
            "view": scene.view, "title": scene.title, "height": scene.height, "foot": FOOT,
            "lab": scene.lab, "said": said.strip(),
            "head": msgspec.to_builtins(header(scene)),
            "legend": msgspec.to_builtins(legend_marks(scene)),
            "controls": msgspec.to_builtins(scene.controls) if self._act is not None else [],
        }  # fmt: skip

    def _strip_change(self, strip: dict[str, Any]) -> dict[str, Any]:
        """What of it changed: plain values together, lists of marks and buttons by themselves."""
        changed = {k: v for k, v in strip.items() if self._strip.get(k) != v}
        out: dict[str, Any] = {}
        for key, name in (("head", "hd"), ("legend", "legend"), ("controls", "controls")):
            if key in changed:
                out[name] = changed.pop(key)
        return {**out, "head": changed} if changed else out

    def _side_frames(self, n: int) -> None:
        at, head = self._track_sent
        if head != self._player.tape.head and time.monotonic() - at >= TRACK_PERIOD:
            self._track_sent = (time.monotonic(), self._player.tape.head)
            self._send(self._track.painted(self._player))
        elif head != self._player.tape.head:
            loop().asyncio.call_later(TRACK_PERIOD, self._awake.set)
        if self._table_open:
            table = self._player.table(n, selection=self._cursor.selection)
            self._send({"op": "table", **msgspec.to_builtins(table)})

    def _send(self, frame: dict[str, Any]) -> None:
        if frame["op"] in ("scene", "delta"):
            self._seq += 1
            frame["seq"] = self._seq
        self._out(msgspec.json.decode(_json.encode(frame)))


class _Track:
    """What the scrubber shows: publishes as bars, marks and faults as signs."""

    def __init__(self) -> None:
        self._n = 0
        self._bars: list[list[float]] = []  # n, t, count
        self._signs: list[dict[str, Any]] = []
        self._states: dict[str, str] = {}  # of each server
        self._t1 = 0.0

    def painted(self, player: Player) -> dict[str, Any]:
        tape = player.tape
        for event in tape.between(self._n, tape.head):
            self._n = event.n
            self._t1 = max(self._t1, event.t)
            if isinstance(event, Pub):
                self._bar(event.n, event.t, 1)
            elif isinstance(event, Many) and event.way == "pub":
                self._bar(event.n, event.t, event.count)
            elif isinstance(event, Server) and event.state in ("down", "frozen", "up"):
                glyph = {"down": "✕", "frozen": "‖", "up": "↑"}[event.state]
                if event.state == "up" and self._states.get(event.name) == "frozen":
                    glyph = "▶"
                self._states[event.name] = event.state
                self._sign(event.n, event.t, glyph, f"{event.name} is {event.state}", event.name)
            elif isinstance(event, Mark) and event.what in ("check", "bet"):
                self._sign(event.n, event.t, "✓" if event.what == "check" else "?", event.text)
        if len(self._bars) > 2 * BINS:
            pairs = (self._bars[i : i + 2] for i in range(0, len(self._bars), 2))
            self._bars = [[*pair[-1][:2], sum(bar[2] for bar in pair)] for pair in pairs]
        return {
            "op": "track", "head": tape.head, "t0": 0.0, "t1": round(max(self._t1, tape.now()), 3),
            "pubs": self._bars, "signs": self._signs,
        }  # fmt: skip

    def _bar(self, n: int, t: float, count: int) -> None:
        if self._bars and t - self._bars[-1][1] < 0.02:
            self._bars[-1][0] = n
            self._bars[-1][2] += count
        else:
            self._bars.append([n, round(t, 3), count])

    def _sign(self, n: int, t: float, glyph: str, text: str, name: str = "") -> None:
        self._signs.append({"n": n, "t": round(t, 3), "glyph": glyph, "text": text[:80], "name": name[:20]})
        del self._signs[:-60]
