"""A view beside the notebook: a stage of the workbench's own, fed over a comm `natslab.view`.

It outlives its lab: while there is none it says so, and the next one's view takes its place.

    kernel -> browser   stage {esm, css}        the stage of this natslab, sent once
                        sorry {what, hint}      why there is no picture
                        fresh                   another lab: what follows begins anew
                        and the frames of views/frames.py
    browser -> kernel   what a stage says
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any

from natslab import lab as labs
from natslab.errors import NatslabError
from natslab.lab import Lab
from natslab.loop import loop
from natslab.magics.panel.comms import data_of, let_go
from natslab.views.frames import Frames
from natslab.views.page import stylesheet
from natslab.views.scene import STATIC


class Docked:
    """One place beside a notebook. Lives on natslab's loop; its comm speaks from other threads."""

    def __init__(
        self, comm: Any, view: str, of: tuple[str, ...], client: str, ended: Callable[[Docked], None]
    ) -> None:
        self.key = (client, view, *of)
        self._comm = comm
        self._view = view
        self._of = of
        self._ended = ended
        self._lab: Lab | None = None
        self._frames: Frames | None = None
        self._sent = False
        self._said = ""
        comm.on_msg(lambda m: self._heard(data_of(m)))
        comm.on_close(lambda m: loop().post(self.end))

    def _heard(self, message: dict[str, Any]) -> None:
        frames = self._frames
        if frames is not None:
            frames.heard(message)

    def follow(self) -> None:
        """Show the view of the lab there is; of one that is gone the last picture stays."""
        try:
            lab = labs.current()
            if lab is self._lab:
                return
            view = lab.view(self._view, *self._of)
        except NatslabError as e:
            if self._frames is None and e.what != self._said:
                self._said = e.what
                self._send({"op": "sorry", "what": e.what, "hint": e.hint})
            return
        self._leave()
        self._lab, self._said = lab, ""
        if not self._sent:
            self._sent = True
            esm = (STATIC / "stage.js").read_text(encoding="utf-8")
            self._send({"op": "stage", "esm": esm, "css": stylesheet()})
        self._send({"op": "fresh"})
        self._frames = view.frames(self._send)

    def _leave(self) -> None:
        if self._frames is not None:
            self._frames.end()
            self._frames = None

    def end(self) -> None:
        """The page has closed it, or is gone."""
        self._leave()
        let_go(self._comm)
        self._lab = None
        self._ended(self)

    def close(self) -> None:
        """The kernel has no more to say."""
        with contextlib.suppress(Exception):
            self._comm.close()
        self.end()

    def _send(self, frame: dict[str, Any]) -> None:
        with contextlib.suppress(Exception):  # the page may be gone
            self._comm.send(frame)
