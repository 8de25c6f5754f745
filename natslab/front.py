"""What the place where a person types does for a lab: run a line, put a view beside, tell what is waited for.

Whoever has such a place says so with `use`. Where nobody has, views stay in their cells and waiting is
silent; what runs the lines of buttons then is said with `otherwise`.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from natslab.loop import run

if TYPE_CHECKING:
    from natslab.views.show import View

T = TypeVar("T")

MOMENT = 1.5  # seconds that a person waits without being told for what


@dataclass(frozen=True)
class Front:
    """What there is.

    `act` runs the line behind a button; `dock(view, side)` puts a live view beside the notebook and says
    whether it did; `tell` shows what is waited for, and takes it away again ("").
    """

    act: Callable[[str], object] | None = None
    dock: Callable[[View, str], bool] | None = None
    tell: Callable[[str], None] | None = None


_plain = _front = Front()


def use(front: Front | None) -> None:
    """From now on it is that one, or none."""
    global _front
    _front = front or _plain


def otherwise(plain: Front) -> None:
    """What there is while nobody uses one: plain Python."""
    global _front, _plain
    if _front is _plain:
        _front = plain
    _plain = plain


def act(line: str) -> None:
    """Run the line behind a button of a live view."""
    if _front.act is not None:
        _front.act(line)


def dock(view: View, side: str) -> bool:
    """Put a live view beside the notebook; False where there is no workbench that could."""
    return _front.dock is not None and _front.dock(view, side)


class Waiting:
    """What a long operation waits for, shown when it lasts longer than a moment."""

    def __init__(self) -> None:
        self.what = ""
        self._told = ""

    def waits(self, what: str) -> None:
        """Told on the loop."""
        self.what = what

    def run(self, coro: Coroutine[Any, Any, T]) -> T:
        """Run it on the loop, telling the person what it waits for."""
        try:
            return run(coro, waiting=self._tell)
        finally:
            if self._told and _front.tell is not None:
                _front.tell("")

    def _tell(self, seconds: float) -> None:
        if seconds > MOMENT and self.what not in ("", self._told) and _front.tell is not None:
            self._told = self.what
            _front.tell(f"Waiting: {self.what}.")
