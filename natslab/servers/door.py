"""A port on 127.0.0.1 that is ours all the time, and open or shut.

Two processes share it: one keeps the number, the other answers there.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable

LOCALHOST = "127.0.0.1"


class Port:
    """A number that nobody else gets, also while nobody answers there."""

    def __init__(self) -> None:
        self._keeper = _bound(0)  # and never listening
        self.number: int = self._keeper.getsockname()[1]

    def release(self) -> None:
        """Give it back."""
        self._keeper.close()


class Door:
    """Who answers at such a port; shut at first."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._server: asyncio.Server | None = None

    async def open(self, called: Callable[[], asyncio.BaseProtocol]) -> None:
        """Accept connections: `called` makes what each of them speaks with."""
        if self._server is None:
            self._server = await asyncio.get_running_loop().create_server(called, sock=_bound(self._port))

    def close(self) -> None:
        """Refuse them; those that are there stay."""
        if self._server is not None:
            self._server.close()
            self._server = None


def _bound(port: int) -> socket.socket:
    # With the protocol said, or asyncio sets no TCP_NODELAY: each answer would come 40 ms later (measured).
    made = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    made.bind((LOCALHOST, port))
    return made
