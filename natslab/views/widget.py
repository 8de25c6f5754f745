"""The widget that shows a view live in a notebook."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import anywidget
import traitlets

from natslab.views.frames import Frames
from natslab.views.player import Player
from natslab.views.scene import STATIC


@cache
def _stylesheets() -> str:
    return "\n".join((STATIC / name).read_text(encoding="utf-8") for name in ("stage.css", "chrome.css"))


class Stage(anywidget.AnyWidget):
    """One live view. Parameters as `Frames`, which does the work."""

    _esm = STATIC / "stage.js"
    _css = traitlets.Unicode("").tag(sync=True)
    view = traitlets.Unicode("").tag(sync=True)
    of = traitlets.List(traitlets.Unicode()).tag(sync=True)  # what narrows it
    measure = traitlets.Bool(False).tag(sync=True)

    def __init__(
        self,
        player: Player,
        act: Callable[[str], None] | None = None,
        watched: Callable[[int], None] | None = None,
    ) -> None:
        super().__init__(view=player.name, of=list(player.of), _css=_stylesheets())
        # Newer ipykernels answer on the shell that last published on a comm, the main one,
        # which a running cell blocks; the front end opened a subshell for just this.
        if hasattr(self.comm, "_reply_subshell_for"):
            self.comm._reply_subshell_for = lambda data, default: default
        self.frames = Frames(player, self.send, act, watched)
        self.on_msg(self._said)

    def _said(self, widget: object, content: dict[str, Any], buffers: object) -> None:
        self.frames.heard(content)

    def __repr__(self) -> str:
        return f"[{self.view}] the live view"

    def close(self) -> None:
        """Stop sending and close the comm."""
        frames = getattr(self, "frames", None)
        if frames is not None:
            frames.end()
        super().close()
