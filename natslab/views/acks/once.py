"""Facts that a picture needs often are found once for each picture."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from typing import Any, TypeVar, cast

F = TypeVar("F", bound=Callable[..., Any])

_known: ContextVar[dict[Any, Any] | None] = ContextVar("known", default=None)


@contextlib.contextmanager
def picture() -> Iterator[None]:
    """Within this the state does not change, so what was found of it is kept."""
    if _known.get() is not None:
        yield
        return
    token = _known.set({})
    try:
        yield
    finally:
        _known.reset(token)


def once(find: F) -> F:
    """`find`, whose arguments are a state and parts of it, remembers its results during one picture."""

    @functools.wraps(find)
    def found(*of: Any) -> Any:
        known = _known.get()
        if known is None:
            return find(*of)
        key = (find, *(id(part) for part in of))
        if key not in known:
            known[key] = find(*of)
        return known[key]

    return cast(F, found)


def drawn(find: F) -> F:
    """A function of a state that is one picture."""

    @functools.wraps(find)
    def told(*of: Any) -> Any:
        with picture():
            return find(*of)

    return cast(F, told)
