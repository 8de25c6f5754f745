"""Live views without a browser: a comm that does what a kernel's does with each frame and keeps its size."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

import comm
from comm.base_comm import BaseComm

from natslab.views.show import View
from natslab.views.widget import Stage


class Frame:
    """One message to the browser."""

    def __init__(self, op: str, size: int) -> None:
        self.op = op
        self.size = size
        self.at = time.monotonic()


class RecordingComm(BaseComm):
    """Encodes every message, as the kernel would to sign and send it."""

    frames: dict[str, list[Frame]] = {}

    def publish_msg(
        self, msg_type: str, data: Any = None, metadata: Any = None, buffers: Any = None, **keys: Any
    ) -> None:
        if msg_type == "comm_msg" and data and data.get("method") == "custom":
            content = data["content"]
            size = len(json.dumps(content, separators=(",", ":"), ensure_ascii=False).encode())
            self.frames.setdefault(self.comm_id, []).append(Frame(content["op"], size))


def install() -> None:
    """Widgets made from now on send to a RecordingComm."""
    comm.create_comm = lambda *args, **keys: RecordingComm(*args, **keys)


def wait(condition: Callable[[], object], timeout: float = 20.0) -> None:
    """Poll until it is true."""
    end = time.monotonic() + timeout
    while not condition():
        if time.monotonic() > end:
            raise TimeoutError("the condition did not come true")
        time.sleep(0.002)


class Window:
    """A view that a browser has open."""

    def __init__(self, view: View) -> None:
        self.view = view
        self.stage = Stage(view.player, None, view._watched)
        self.comm_id: str = self.stage.comm.comm_id
        self.stage.frames.heard({"op": "hello"})
        wait(lambda: self.frames)

    @property
    def frames(self) -> list[Frame]:
        return RecordingComm.frames.get(self.comm_id, [])

    @property
    def scenes(self) -> list[Frame]:
        return [f for f in self.frames if f.op in ("scene", "delta")]

    def caught_up(self) -> bool:
        """Whether the newest event has been drawn and sent."""
        player = self.view.player
        return player._n == player.tape.head

    def close(self) -> None:
        self.stage.close()
