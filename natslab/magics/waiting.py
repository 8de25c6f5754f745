"""What a long line waits for, shown while it lasts and gone afterwards."""

from __future__ import annotations

import sys
from typing import Any


class Waiting:
    """Shows one line where a person looks on, and nowhere else.

    A notebook that is run by a program (nbval, nbclient) allows no questions to a person: there nothing
    is shown, so that no output depends on how busy a machine was. Taking the line away clears what the
    cell has shown before; an output that stays, if only an empty one, would be stored with the notebook.
    """

    def __init__(self, ip: Any) -> None:
        self._ip = ip
        self._shown = 0

    def __call__(self, said: str) -> None:
        """Show it in place of the last; "" takes it away."""
        kernel = getattr(self._ip, "kernel", None)
        if kernel is not None:
            if getattr(kernel, "_allow_stdin", False):
                self._in_notebook(said)
        elif sys.stderr.isatty():
            print(f"\r{said.ljust(self._shown)}", end="" if said else "\r", file=sys.stderr, flush=True)
            self._shown = len(said)

    def _in_notebook(self, said: str) -> None:
        from IPython.display import clear_output, display, update_display

        if not said:
            clear_output()  # type: ignore[no-untyped-call]
            self._shown = 0
            return
        bundle = {"text/plain": said}
        show = update_display if self._shown else display
        show(bundle, raw=True, display_id="natslab-waiting")  # type: ignore[no-untyped-call]
        self._shown = len(said)
