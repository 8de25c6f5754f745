"""natslab's own connections to the servers of a lab: by role, to one server or to any of them."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterable
from typing import Any

import nats.errors
from nats.aio.client import Client

from natslab.errors import ServerError
from natslab.servers.server import Server

ANSWER = 2.0  # seconds; monitoring answers take 1 ms, 26 ms with 1000 consumers


class _Own(Client):
    """nats-py's client, whose flush may be given up."""

    async def _process_pong(self) -> None:
        # As in `Connection`: a waiter that gave up would end nats-py's reading for ever (measured).
        if self._pongs and self._pongs[0].done():
            self._pongs[0] = asyncio.get_running_loop().create_future()
        await super()._process_pong()


class _Pinned(_Own):
    """A client that stays with the servers it was given, whatever they say of others."""

    async def _process_info(self, info: dict[str, Any], initial_connection: bool = False) -> None:
        info.pop("connect_urls", None)
        await super()._process_info(info, initial_connection)


class Own:
    """Made on first use and kept; each reconnects for ever. One that waits does not keep others waiting.

    `login` is what `nats.connect` needs for a role and some servers.
    """

    def __init__(self, login: Callable[[str, Iterable[Server]], dict[str, Any]]) -> None:
        self._login = login
        self._made: dict[tuple[str, str], Client] = {}
        self._locks: dict[tuple[str, str], asyncio.Lock] = {}
        self._closed = False

    async def connection(self, role: str, servers: dict[str, Server], name: str | None = None) -> Client:
        """The connection of that role to the server `name`, or to any. Raises ServerError."""
        if len(servers) == 1:
            name = None  # and should others join, it goes to them when this one ends
        key = (role, name or "")
        async with self._locks.setdefault(key, asyncio.Lock()):  # two at once would make two
            known = self._made.get(key)
            if known is not None and not known.is_closed:
                return known
            wanted = [servers[name]] if name else list(servers.values())
            if self._closed or all(server.state in ("down", "removed") for server in wanted):
                raise _down(wanted, len(servers))
            made = self._made[key] = await self._connect(role, wanted, pinned=len(wanted) < len(servers))
            return made

    async def _connect(self, role: str, servers: list[Server], *, pinned: bool) -> Client:
        # Those that can answer first: nats-py tries one after the other.
        ready = sorted(servers, key=lambda server: server.state not in ("up", "lame duck"))
        made = _Pinned() if pinned else _Own()
        try:
            async with asyncio.timeout(ANSWER):
                await made.connect(
                    **self._login(role, ready),
                    name=f"natslab {role}",
                    error_cb=_quiet,  # without one nats-py prints tracebacks
                    dont_randomize=True,
                    max_reconnect_attempts=-1,
                    reconnect_time_wait=0.1,  # type: ignore[arg-type]
                    connect_timeout=1,
                )
        except (TimeoutError, OSError, nats.errors.Error) as e:
            raise _silent(servers[0].name if pinned else "", str(e) or "timeout") from None
        return made

    async def request(
        self, connection: Client, subject: str, body: bytes, who: str, timeout: float = ANSWER
    ) -> dict[str, Any]:
        """The decoded answer to a request in the system account. Raises ServerError with `who` in it."""
        try:
            reply = await connection.request(subject, body, timeout=timeout)
        except nats.errors.NoRespondersError:
            raise ServerError(
                "No server of that id is there any more.", "Has it been restarted just now?"
            ) from None
        except nats.errors.Error as e:
            raise ServerError(
                f"Server {who} does not answer ({str(e) or type(e).__name__}).",
                "Is it frozen? `%natslab thaw` ends that.",
            ) from None
        answer: dict[str, Any] = json.loads(reply.data)
        return answer

    def close(self, name: str | None = None) -> list[asyncio.Task[None]]:
        """Begin to close those to the server `name`, or all for good; the tasks end when it is done."""
        if name is None:
            self._closed = True
        gone = [key for key in self._made if name is None or key[1] == name]
        return [asyncio.ensure_future(self._made.pop(key).close()) for key in gone]


def _down(wanted: list[Server], of: int) -> ServerError:
    if len(wanted) == 1 and of > 1:
        name = wanted[0].name
        return ServerError(f"Server {name} is {wanted[0].state}.", f"`%natslab restart {name}` starts it.")
    return ServerError("No server of this lab is up.", "`%natslab restart` starts them.")


def _silent(name: str, why: str) -> ServerError:
    said = f"Server {name} does not answer" if name else "No server of this lab answers"
    return ServerError(f"{said}: {why}.", "Is one frozen? `%natslab thaw` ends that.")


async def _quiet(_: Exception) -> None:
    pass
