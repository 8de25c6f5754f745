"""Messages on their way that will be answered: requests, and publishes that a stream acknowledges."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from contextvars import ContextVar

from natslab.servers.report import Published


class Ask:
    """One of them: learns what was told of the message.

    Parameters
    ----------
    timeout: seconds that the asker waits; 0: it is a publish, and asks nobody to answer now.
    stored: a stream is to take it: it carries no trace header, which the stream would keep for ever.
    """

    __slots__ = ("at", "stored", "timeout", "told", "used")

    def __init__(self, timeout: float = 0.0, stored: bool = False) -> None:
        self.timeout = timeout
        self.stored = stored
        self.at = time.time()
        #: The report of the message; None while it is not sent, or when it was only counted.
        self.told: Published | None = None
        self.used = False

    @property
    def id(self) -> str:
        """The message's id, where it was told singly."""
        return self.told.id if self.told is not None else ""


# Both reach from a method called by a person to the one place where every message passes.
asking: ContextVar[Ask | None] = ContextVar("natslab_asking", default=None)
_untraced: ContextVar[bool] = ContextVar("natslab_untraced", default=False)


@contextlib.contextmanager
def untraced() -> Iterator[None]:
    """What is published inside carries no trace header: a stored message would keep it for ever."""
    token = _untraced.set(True)
    try:
        yield
    finally:
        _untraced.reset(token)


def is_untraced() -> bool:
    """Whether we are inside `untraced()`."""
    return _untraced.get()
