"""Connecting, losing the connection and closing it: what a client of a lab tells its Hub of that."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
import time
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine
from typing import TYPE_CHECKING, Any

import nats.errors
from nats.aio.client import Client as NatsClient

from natslab.errors import ClientError
from natslab.servers import report

if TYPE_CHECKING:
    from natslab.servers.hub import Hub


class _GiveUp(Exception):
    """Ends nats-py's own endless first connect."""

    def __init__(self, cause: Exception) -> None:
        self.cause = cause
        super().__init__(str(cause))


class Connection(NatsClient):
    """nats-py's client with a label, a number and an end; it reconnects for ever."""

    def __init__(self, hub: Hub, label: str, account: str) -> None:
        super().__init__()
        self.hub = hub
        self.label = label
        self.no = 0
        self.account = account
        self.server = ""
        self.claimed = ("", 0)
        self.loop = asyncio.get_running_loop()
        self.thread = threading.get_ident()
        #: The last errors that nats-py had nobody to tell, newest last.
        self.mishaps: deque[Exception] = deque(maxlen=20)
        self._user: dict[str, Callable[..., Awaitable[None]]] = {}
        self._phase = "connecting"
        self._tries = 0
        self._why = ""

    def __repr__(self) -> str:
        state = "closed" if self.is_closed else "open" if self.is_connected else "not connected"
        return f"client {self.label}: {state}"

    # What a client knows more of.

    def _admit(self) -> None:
        """Connected for the first time."""
        raise NotImplementedError

    def _dropped(self, e: nats.errors.SlowConsumerError) -> None:
        """A message was thrown away, because its handler is too slow."""
        raise NotImplementedError

    async def _complained(self, why: str) -> None:
        """The server said what was wrong; the connection lives."""
        raise NotImplementedError

    async def open(self, login: dict[str, Any], options: dict[str, Any]) -> None:
        """Connect; raises ClientError when no server can be reached or the login is refused."""
        for name in ("error_cb", "disconnected_cb", "closed_cb"):
            if options.get(name) is not None:
                self._user[name] = options[name]
        # A lab's servers are killed and started again all the time: never give up, and be quick.
        # And where there are several, go to the first: a picture should not depend on chance.
        merged: dict[str, Any] = {
            "max_reconnect_attempts": -1,
            "reconnect_time_wait": 0.25,
            "dont_randomize": True,
        }
        merged |= login | options
        merged |= {
            "error_cb": self._on_error,
            "disconnected_cb": self._on_disconnected,
            "closed_cb": self._on_closed,
        }
        try:
            await self.connect(**merged)
        except _GiveUp as gave_up:
            await self._abandon()
            raise self._refusal(gave_up.cause, merged) from None
        except (TimeoutError, OSError, nats.errors.Error) as e:
            await self._abandon()
            raise self._refusal(e, merged) from None
        except BaseException:
            await self._abandon()
            raise
        self._phase = "open"

    async def _abandon(self) -> None:
        self._phase = "abandoned"
        with contextlib.suppress(Exception):
            await self._close(NatsClient.CLOSED, False)

    def _refusal(self, cause: Exception, options: dict[str, Any]) -> ClientError:
        where = (
            " or ".join(sorted({f"{uri.hostname}:{uri.port}" for uri in self.servers})) or "an unknown place"
        )
        said = str(cause).removeprefix("nats: ").strip("'")
        if "authorization" in said.lower() or "authentication" in said.lower():
            user = options.get("user") or "(none)"
            return ClientError(
                f"The server at {where} refused the login of user {user}: {said}.",
                "Connect with lab.login, or check user and password.",
            )
        if isinstance(cause, ConnectionRefusedError):
            return ClientError(f"No server answers at {where}.", "Is it up? See: %natslab status")
        if isinstance(cause, TimeoutError | asyncio.TimeoutError):
            return ClientError(
                f"The server at {where} does not answer.",
                "It may be frozen or overloaded; see: %natslab status",
            )
        return ClientError(
            f"The connection to {where} failed: {said or type(cause).__name__}.", "See: %natslab status"
        )

    def _connect_command(self) -> bytes:
        # The server knows us from here on; whoever looks at its connections must know us before.
        self.server = str(self._server_info.get("server_name", ""))
        self.hub.claim(self.server, self._client_id or 0, self)
        return super()._connect_command()

    async def _process_connect_init(self) -> None:
        await super()._process_connect_init()
        if not self.no:
            self._admit()
        self._tell_state("open")

    async def _process_pong(self) -> None:
        # nats-py sets the result of a waiter that gave up meanwhile (a timeout, an interrupt), and the
        # exception ends its reading for ever (measured); so such a waiter gets one that can be set.
        if self._pongs and self._pongs[0].done():
            self._pongs[0] = asyncio.get_running_loop().create_future()
        await super()._process_pong()

    def _process_op_err(self, e: Exception) -> Coroutine[Any, Any, None]:
        self._why = words(e)
        return super()._process_op_err(e)

    async def _on_error(self, e: Exception) -> None:
        told = self._user.get("error_cb")
        if told is not None:
            await told(e)
        if self._phase == "connecting":
            # nats-py would go round its servers for minutes; a person wants to know now.
            self._tries += 1
            if self._tries >= max(1, len(self._server_pool)) or not isinstance(e, OSError):
                raise _GiveUp(e)
            return
        if isinstance(e, nats.errors.SlowConsumerError):
            self._dropped(e)
            return
        self.mishaps.append(e)
        if isinstance(e, OSError | nats.errors.UnexpectedEOF) or self._phase != "open":
            return  # the connection's loss is told when it is lost
        await self._complained(words(e))

    async def _on_disconnected(self) -> None:
        self.hub.release(self)
        if not self.is_closed:
            self._tell_state("lost", self._why)
        told = self._user.get("disconnected_cb")
        if told is not None:
            await told()

    async def _on_closed(self) -> None:
        self._end()
        told = self._user.get("closed_cb")
        if told is not None:
            await told()

    async def _close(self, status: int, do_cbs: bool = True) -> None:
        try:
            await super()._close(status, do_cbs)
        except OSError:
            # What was still buffered went nowhere: the connection is broken. nats-py has thrown the
            # buffer away and stopped half-way; the second time it comes to the end.
            self._status = NatsClient.DISCONNECTED
            with contextlib.suppress(OSError):
                await super()._close(status, do_cbs)
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if task is None or task.cancelling():
                raise
            # Nobody cancelled us: nats-py cancelled its reconnecting while that waited for the end of the
            # transport, and a future goes with the task that waits for it. The transport has ended.
            self._transport = None
            self._status = NatsClient.DISCONNECTED
            await super()._close(status, do_cbs)
        finally:
            if self.is_closed:
                self._end()

    async def sever(self) -> None:
        """End like a program that was killed: the connection is cut without a word, for good.

        What is on the wire at this instant is lost.
        """
        self._cut()
        if self._reading_task is not None:
            self._reading_task.cancel()  # nothing is counted after the end is told
        transport = getattr(self._transport, "_io_writer", None)
        if transport is not None:
            transport.transport.abort()
        with contextlib.suppress(Exception):
            await self.close()

    def sever_from_outside(self) -> None:
        """The same from another thread than its loop's, which may be busy: the server hears it at once."""
        self._cut()
        transport = getattr(self._transport, "_io_writer", None)
        if transport is not None:
            with contextlib.suppress(OSError):
                transport.get_extra_info("socket").shutdown(socket.SHUT_RDWR)
        with contextlib.suppress(RuntimeError):  # its loop has ended
            asyncio.run_coroutine_threadsafe(self.sever(), self.loop)

    def _cut(self) -> None:
        self.options["allow_reconnect"] = False
        self._end("its connection was cut")
        self._pending.clear()
        self._pending_data_size = 0

    def orphaned(self) -> None:
        """Its loop was closed under it, as at the end of `asyncio.run`: it can do nothing any more."""
        self._end("its event loop was closed")

    def _end(self, why: str = "") -> None:
        if self.no and self._phase != "closed":
            self._phase = "closed"
            self._tell_state("closed", why or (words(self._err) if self._err else ""))
            self.hub.dismiss(self)

    def _tell_state(self, state: Any, why: str = "") -> None:
        self.hub.turn()
        self.hub.tell(
            report.Connection(
                at=time.time(),
                client=self.label,
                no=self.no,
                state=state,
                server=self.server,
                cid=self._client_id or 0,
                account=self.account,
                why=why,
            )
        )


def words(e: Exception) -> str:
    """An error in the server's or nats-py's words, on one line."""
    text = str(e).removeprefix("nats: ").strip().replace("\n", " ")
    return (
        text
        if isinstance(e, nats.errors.Error | OSError) and text
        else f"{type(e).__name__}: {text}".rstrip(": ")
    )
