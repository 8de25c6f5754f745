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
from natslab.views.deltas import FRAME as FRAME
from natslab.views.deltas import FULL as FULL
from natslab.views.deltas import Deltas
from natslab.views.player import Player
from natslab.views.scene import NARROW, WIDTH, walk
from natslab.views.track import Track

PERIOD = 0.1  # seconds between two frames
SCRUB = 0.05  # the same, while somebody goes through the past
SLOWEST = 1.0  # the same, to a browser that is behind
EASE = 2.0  # seconds without complaint after which frames become more frequent again
TRACK_PERIOD = 0.5  # seconds between two pictures of the scrubber

_json = msgspec.json.Encoder()

_drawing = 0  # stages that are open; all of them draw on the one loop


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
        self._width = WIDTH  # of the picture that the stage has room for
        self._over = False  # the stage knows that the lab is gone
        self._deltas = Deltas(controls=act is not None)
        self._table_open = False
        self._track_sent = (0.0, -1)
        self._track = Track(player.tape)
        self._period = PERIOD
        self._eased = 0.0
        self._took = 0.0  # seconds that the last picture took
        self._awake = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._unlisten: list[Callable[[], None]] = []

    def heard(self, message: dict[str, Any]) -> None:
        """The stage said something."""
        loop().post(self._heard, message)

    @property
    def open(self) -> bool:
        """Whether a stage has asked for frames and was not closed since."""
        return self._task is not None

    def end(self) -> None:
        """Stop sending."""
        if self._task is not None:
            loop().post(self._end)

    # --- from the stage, on the loop ---------------------------------------------------------

    def _heard(self, message: dict[str, Any]) -> None:
        op, cursor = message.get("op"), self._cursor
        if op == "hello":
            self._width = NARROW if message.get("narrow") else WIDTH
            self._begin()
            self._forget()
        elif op == "behind":
            self._period = min(SLOWEST, 2 * self._period)
            self._eased = time.monotonic()
            return
        elif op == "seek":
            cursor.seek(int(message.get("n", 0)))
        elif op == "step":
            self._step(1 if message.get("by", 1) > 0 else -1, bool(message.get("burst")))
        elif op == "mode":
            {"live": cursor.live, "paused": cursor.pause, "replay": cursor.replay}.get(
                str(message.get("mode")), cursor.live
            )()
        elif op == "slow":
            self._slow(bool(message.get("auto")))
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

    def _step(self, by: int, far: bool) -> None:
        """To where something else is to be seen in this view."""
        n = self._player.stop(self._cursor.n, by, far)
        if n is None:
            self._cursor.step(by, far)
        else:
            self._cursor.seek(n)

    def _slow(self, auto: bool) -> None:
        """Slow motion of what our own scene offers; `auto`: nobody asked for it."""
        burst = self._deltas.scene.burst if self._deltas.scene is not None else None
        if burst is not None and (burst.auto or not auto):
            self._cursor.slow(burst.first, burst.last, burst.words, burst.key if auto else "")

    def _do(self, key: str, i: int) -> None:
        """Run an action of our own scene; the stage only points at it."""
        scene = self._deltas.scene
        if scene is None or self._act is None or self._cursor.mode != "live" or self._player.tape.over:
            return
        actions = scene.controls
        if key:
            actions = next((m.actions for m in walk(scene.marks) if m.key == key), [])
        if 0 <= i < len(actions):
            line, act = actions[i].line, self._act

            def run() -> None:
                error = ""
                try:
                    act(line)
                except NatslabError as e:
                    error = str(e)
                except Exception as e:  # a fault of ours must not leave the button waiting
                    error = f"This could not be done: {type(e).__name__}."
                loop().post(self._send, {"op": "said", "line": line, "error": error})

            loop().asyncio.run_in_executor(None, run)

    # --- to the stage, on the loop -----------------------------------------------------------

    def _begin(self) -> None:
        global _drawing
        if self._task is None:
            self._unlisten = [
                self._player.tape.listen(self._awake.set),
                self._cursor.listen(lambda: loop().post(self._awake.set)),
            ]
            self._task = loop().spawn(self._pump())
            _drawing += 1
            self._watched(1)

    def _end(self) -> None:
        global _drawing
        if self._task is not None:
            self._task.cancel()
            self._task = None
            _drawing -= 1
            for stop in self._unlisten:
                stop()
            self._watched(-1)

    def _forget(self) -> None:
        """The stage has nothing: the next frame is a full scene."""
        self._deltas.forget()
        self._track_sent = (0.0, -1)

    async def _pump(self) -> None:
        while True:
            if self._cursor.mode == "replay":
                self._cursor.walk()
            elif self._cursor.mode == "live" and not self._over:
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
            # One that took long by itself (the collector of garbage, another process) is not what they cost.
            cost, self._took = min(took, self._took), took
            if self._period > PERIOD and began - self._eased > EASE:
                self._period = max(PERIOD, self._period / 2)
                self._eased = began
            # Whatever pictures cost, the lab has all but a fifth of the time, however many are open.
            calm = self._cursor.mode == "live" or self._period > PERIOD
            await asyncio.sleep(max((self._period if calm else SCRUB) - took, cost * (5 * _drawing - 1)))

    def _frame(self) -> None:
        cursor = self._cursor
        n = cursor.n
        live = cursor.mode == "live"
        scene = self._player.scene(
            n,
            now=self._player.tape.now() if live else cursor.t if cursor.mode == "replay" else None,
            mode=cursor.mode,
            selection=cursor.selection,
            width=self._width,
        )
        frame = self._deltas.frame(scene)
        if self._deltas.left_out:
            self._awake.set()
        tape = self._player.tape
        frame["cursor"] = {
            "mode": cursor.mode, "n": n, "first": tape.first, "head": tape.head, "t": round(cursor.t, 3),
            "now": round(tape.now(), 3), "speed": cursor.speed, "selection": cursor.selection,
            "shows": cursor.shows, "over": tape.over, "recorded": tape.recorded,
        }  # fmt: skip
        self._over = bool(frame["cursor"]["over"])
        self._send(frame)
        self._side_frames(n)

    def _side_frames(self, n: int) -> None:
        at, head = self._track_sent
        if head != self._player.tape.head and time.monotonic() - at >= TRACK_PERIOD:
            self._track_sent = (time.monotonic(), self._player.tape.head)
            scene = self._deltas.scene
            self._send(self._track.painted(scene.leads if scene is not None else ""))
        elif head != self._player.tape.head:
            loop().asyncio.call_later(TRACK_PERIOD, self._awake.set)
        if self._table_open:
            table = self._player.table(n, selection=self._cursor.selection, width=self._width)
            self._send({"op": "table", **msgspec.to_builtins(table)})

    def _send(self, frame: dict[str, Any]) -> None:
        if frame["op"] in ("scene", "delta"):
            self._seq += 1
            frame["seq"] = self._seq
        self._out(msgspec.json.decode(_json.encode(frame)))
