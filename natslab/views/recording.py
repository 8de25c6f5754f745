"""What was recorded: a saved tape, or one block of a lab that goes on; its views need no server."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

from natslab.errors import LabError
from natslab.tape.event import Event
from natslab.tape.tape import Tape
from natslab.views.view import names

if TYPE_CHECKING:
    from natslab.views.show import View


class Recording:
    """A tape to look at, as often and wherever one likes."""

    def __init__(self, tape: Tape) -> None:
        self._tape = tape
        self._views: dict[tuple[str, ...], View] = {}

    @property
    def tape(self) -> Tape:
        """The tape. It also knows what was before the recorded block, so that its views draw rightly."""
        return self._tape

    @property
    def events(self) -> list[Event]:
        """What happened in it, in order."""
        return self.tape.between(self.tape.first, self.tape.head)

    def view(self, name: str, *of: str) -> View:
        """The view called `name`, as `Lab.view`. Raises CommandError for an unknown name."""
        from natslab.views.show import View

        key = (name, *of)
        if key not in self._views:
            self._views[key] = View(self.tape, name, of)
        return self._views[key]

    def save(self, path: str | Path) -> Path:
        """Write it to `path`; `natslab.open` shows it again. Raises LabError when that is not possible."""
        return self.tape.save(path)

    def export(self, path: str | Path, views: list[str | tuple[str, ...]] | None = None) -> Path:
        """Write one HTML page on which its views can be scrubbed without kernel and network.

        `views`: names, or tuples of a name and what narrows it; those that were opened when left out.
        """
        from natslab.views.page import export

        return export(path, self.tape, list(self._views.values()), self.view, views)

    def __repr__(self) -> str:
        return f"a recording; its views: {', '.join(f'.view({name!r})' for name in names())}"


class Block(Recording):
    """A recording of exactly one block of a running lab, from event to event.

    Parameters
    ----------
    tape: the lab's.
    settle: waits until what was done so far is on the tape.
    path: where the recording is saved when the block ends, if anywhere.
    """

    def __init__(self, tape: Tape, settle: Callable[[], None], path: str | Path | None = None) -> None:
        super().__init__(tape)
        self._source = tape
        self._settle = settle
        self._path = path
        self._first: int | None = None
        self._over = False

    def start(self) -> None:
        """Record from here on."""
        self._settle()
        self._first = self._source.head

    def stop(self) -> None:
        """The block is over; a second time does nothing. Raises LabError when it cannot be saved."""
        if self._first is not None and not self._over:
            self._settle()
            self._tape = self._source.part(self._first, self._source.head)
            self._over = True
            if self._path is not None:
                self._tape.save(self._path)

    @property
    def tape(self) -> Tape:
        """The tape of the block. Raises LabError while it is still being recorded."""
        if not self._over:
            raise LabError(
                "This recording is not over.", "End it first: leave the with block, or %natslab record off"
            )
        return self._tape

    @property
    def events(self) -> list[Event]:
        """What happened in it, in order; while it is being recorded, so far."""
        if self._over or self._first is None:
            return super().events if self._over else []
        return self._source.between(self._first, self._source.head)

    def __enter__(self) -> Block:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    async def __aenter__(self) -> Block:
        await asyncio.to_thread(self.start)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await asyncio.to_thread(self.stop)
