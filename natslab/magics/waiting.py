"""What a long line waits for, shown while it lasts and gone afterwards."""

from __future__ import annotations

import itertools
import sys
from typing import Any

_numbers = itertools.count(1)


class Waiting:
    """Shows one line where a person looks on, and nowhere else.

    A notebook that is run by a program (nbval, nbclient) allows no questions to a person: there nothing
    is shown, so that no output depends on how busy a machine was. Where it is shown, taking it away leaves
    an empty output, which is not seen: to clear would take away what else the cell has shown.
    """

    def __init__(self, ip: Any) -> None:
        self._ip = ip
        self._shown = 0
        self._at = ""  # the output that shows it; one of its own each time, or all of a page would change

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
        from IPython.display import display, update_display

        show = update_display if self._at else display
        self._at = self._at or f"natslab-waiting-{next(_numbers)}"
        show({"text/plain": said}, raw=True, display_id=self._at)  # type: ignore[no-untyped-call]
        if not said:
            self._at = ""
