"""Who wants to hear of something."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Generic, ParamSpec

P = ParamSpec("P")


class Listeners(Generic[P]):
    """Functions to call when something happens; one may leave while they are called."""

    def __init__(self) -> None:
        self._all: list[Callable[P, None]] = []

    def __iter__(self) -> Iterator[Callable[P, None]]:
        return iter(tuple(self._all))

    def add(self, heard: Callable[P, None]) -> Callable[[], None]:
        """From now on `heard` is called; returns what ends that, and may be called twice."""
        self._all.append(heard)

        def stop() -> None:
            with contextlib.suppress(ValueError):
                self._all.remove(heard)

        return stop

    def tell(self, *args: P.args, **kwargs: P.kwargs) -> None:
        """Call them all, in the order in which they came."""
        for heard in self:
            heard(*args, **kwargs)
