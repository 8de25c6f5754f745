"""Every server of one lab, and natslab's own two connections to them."""

from __future__ import annotations

import asyncio
import contextlib
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nats
from nats.aio.client import Client

from natslab.errors import LabError, ServerError
from natslab.listeners import Listeners
from natslab.servers import binary
from natslab.servers import supervisor as supervisors
from natslab.servers.config import Logins
from natslab.servers.server import Change, Server
from natslab.servers.supervisor import Supervisor
from natslab.servers.topology import Topology

_ANSWER = 2.0  # seconds; monitoring answers take 1 ms, 26 ms with 1000 consumers
_USERS = ("app", "sys", "watcher")


class Fleet:
    """Every server of one lab. Lives on natslab's loop; `folder` is everything of it on disk."""

    def __init__(
        self, topology: Topology, program: Path, supervisor: Supervisor, folder: Path, store: Path | None
    ) -> None:
        self.topology = topology
        self.folder = folder
        self.store = store
        self._supervisor = supervisor
        self._logins = Logins.fresh()
        self._hearers: Listeners[[Change]] = Listeners()
        self._connections: dict[str, Client] = {}
        self._connecting = asyncio.Lock()
        self._stopped = False
        self.servers: dict[str, Server] = {
            name: Server(config, program, supervisor, store, self._request, self._changed)
            for name, config in topology.configs(self._logins, folder, store).items()
        }

    @classmethod
    async def start(
        cls, topology: Topology, *, supervisor: Supervisor | None = None, store: Path | None = None
    ) -> Fleet:
        """Start every server of `topology`, all at once, and wait until they accept clients.

        `store`, or the topology's, is a folder that outlives the lab. Raises ServerError when a
        server does not start (then none is left running), LabError when another lab has the store.
        """
        program = binary.find()
        supervisor = supervisor or supervisors.supervisor()
        store = store or topology.store
        if store is not None:
            store = store.expanduser().absolute()
            await supervisor.lock(store)
        folder: Path | None = None
        try:
            folder = await supervisor.make_folder()
            fleet = cls(topology, program, supervisor, folder, store)
            await fleet._start()
        except BaseException:
            await asyncio.shield(asyncio.ensure_future(_clear(supervisor, folder, store)))
            raise
        return fleet

    async def stop(self) -> None:
        """End every server and remove the folder of the lab; a store folder of the person stays."""
        if not self._stopped:
            self._stopped = True
            # An interrupt must not leave half a lab.
            await asyncio.shield(asyncio.ensure_future(self._stop()))

    def login(self, role: str = "app") -> dict[str, Any]:
        """For `nats.connect(**login)`: every server, a user and its password.

        `role` is app (the learner), sys (the system account) or watcher. Raises LabError.
        """
        if role not in _USERS:
            raise LabError(f"There is no user {role!r}.", f"The users are {', '.join(_USERS)}.")
        return {
            "servers": [f"nats://127.0.0.1:{server.port}" for server in self.servers.values()],
            "user": role,
            "password": getattr(self._logins, role),
        }

    def url(self, name: str | None = None) -> str:
        """One server (or the first) with the learner's credentials in it. Raises LabError."""
        server = next(iter(self.servers.values())) if name is None else self.server(name)
        return f"nats://app:{self._logins.app}@127.0.0.1:{server.port}"

    def server(self, name: str) -> Server:
        """The server of that name. Raises LabError when there is none."""
        if name not in self.servers:
            raise LabError(f"There is no server {name!r}.", f"The servers are {', '.join(self.servers)}.")
        return self.servers[name]

    async def ask(self, server: str, what: str, **body: Any) -> dict[str, Any]:
        """What a monitoring endpoint (varz connz subsz accountz jsz ...) says, over the system account.

        The body's keys are the JSON names of the server's options (account=, subscriptions=True,
        limit= ...; a boolean is no number). The server ignores names that it does not know.
        Raises ServerError when the server is down, does not answer (frozen?) or refuses.
        """
        it = self.server(server)
        if it.state in ("down", "starting"):
            raise ServerError(f"Server {server} is {it.state}.", f"`%natslab restart {server}` starts it.")
        if it.state == "frozen":
            raise ServerError(
                f"Server {server} is frozen: it does not answer.", f"`%natslab thaw {server}` ends that."
            )
        # One option with two names in the server's source: a wrong one would silently mean all accounts.
        account = "acc" if what.lower() == "connz" else "account"
        body = {account if key in ("acc", "account") else key: value for key, value in body.items()}
        subject = f"$SYS.REQ.SERVER.{it.id}.{what.upper()}"
        answer = await self._request(subject, json.dumps(body).encode() if body else b"")
        if error := answer.get("error"):
            raise ServerError(
                f"Server {server} refused {what}: {error.get('description', error)}.",
                "Look at the names of the options.",
            )
        data: dict[str, Any] = answer.get("data") or answer.get("statsz") or answer
        return data

    async def system(self) -> Client:
        """The connection to the system account: made on first use, kept, reconnects for ever.

        Raises ServerError when no server answers.
        """
        return await self._connection("sys")

    async def watcher(self) -> Client:
        """The connection to the account LAB, which sees A.$JS.EVENT.>, A.$JS.ACK.> and _NATSLAB.>.

        Made on first use, kept, reconnects for ever. Raises ServerError when no server answers.
        """
        return await self._connection("watcher")

    def listen(self, heard: Callable[[Change], None]) -> Callable[[], None]:
        """Call `heard` on the loop at each change of a server's state; returns what ends that."""
        return self._hearers.add(heard)

    # how

    async def _start(self) -> None:
        starts = [asyncio.ensure_future(server.start()) for server in self.servers.values()]
        try:
            await asyncio.gather(*starts)
        except BaseException:
            for start in starts:
                start.cancel()
            await asyncio.gather(*starts, return_exceptions=True)
            await asyncio.gather(*(self._end(server) for server in self.servers.values()))
            raise

    async def _stop(self) -> None:
        connections, self._connections = self._connections, {}
        closing = [asyncio.ensure_future(connection.close()) for connection in connections.values()]
        await asyncio.gather(*(self._end(server) for server in self.servers.values()))
        await asyncio.gather(*closing, return_exceptions=True)
        await _clear(self._supervisor, self.folder, self.store)

    async def _end(self, server: Server) -> None:
        """A store that goes with the lab needs no polite end, which can take seconds."""
        with contextlib.suppress(LabError):
            if self.store is None:
                await server.kill()
            else:
                await server.stop()

    def _changed(self, change: Change) -> None:
        for heard in self._hearers:
            try:
                heard(change)
            except Exception as e:
                asyncio.get_running_loop().call_exception_handler(
                    {"message": "a listener of server changes raised", "exception": e}
                )

    async def _connection(self, role: str) -> Client:
        async with self._connecting:  # two at once would make two
            known = self._connections.get(role)
            if known is not None and not known.is_closed:
                return known
            if self._stopped or all(server.state == "down" for server in self.servers.values()):
                raise ServerError("No server of this lab is up.", "`%natslab restart` starts them.")
            try:
                async with asyncio.timeout(_ANSWER):
                    made = await nats.connect(
                        **self.login(role),
                        name=f"natslab {role}",
                        error_cb=_quiet,  # without one nats-py prints tracebacks
                        max_reconnect_attempts=-1,
                        reconnect_time_wait=0.1,
                        connect_timeout=1,
                    )
            except (TimeoutError, OSError, nats.errors.Error) as e:
                raise ServerError(
                    f"No server of this lab answers: {e or 'timeout'}.",
                    "Is one frozen? `%natslab thaw` ends that.",
                ) from None
            self._connections[role] = made
            return made

    async def _request(self, subject: str, body: bytes) -> dict[str, Any]:
        system = await self.system()
        try:
            reply = await system.request(subject, body, timeout=_ANSWER)
        except nats.errors.NoRespondersError:
            raise ServerError(
                "No server of that id is there any more.", "Has it been restarted just now?"
            ) from None
        except nats.errors.Error as e:
            name = next(
                (one.name for one in self.servers.values() if one.id and one.id in subject), "of this lab"
            )
            raise ServerError(
                f"Server {name} does not answer ({str(e) or type(e).__name__}).",
                "Is it frozen? `%natslab thaw` ends that.",
            ) from None
        answer: dict[str, Any] = json.loads(reply.data)
        return answer


async def _clear(supervisor: Supervisor, folder: Path | None, store: Path | None) -> None:
    if folder is not None:
        try:
            await supervisor.remove_folder(folder)
        except ServerError:
            shutil.rmtree(folder, ignore_errors=True)
    if store is not None:
        with contextlib.suppress(ServerError):
            await supervisor.unlock(store)


async def _quiet(_: Exception) -> None:
    pass
