"""Every server of one lab, the wires between them, and natslab's own connections to them."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import itertools
import json
import random
import shutil
import socket
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from nats.aio.client import Client

from natslab.errors import LabError, ServerError
from natslab.listeners import Listeners
from natslab.servers import binary, growing
from natslab.servers import supervisor as supervisors
from natslab.servers.carrier import Carrier
from natslab.servers.config import Config, Logins
from natslab.servers.link import Link
from natslab.servers.own import Own
from natslab.servers.ready import ready
from natslab.servers.server import Change, Server
from natslab.servers.supervisor import Supervisor
from natslab.servers.topology import Topology, WireType
from natslab.servers.wiring import End, Wiring

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
        self._program = program
        self._hearers: Listeners[[Change]] = Listeners()
        self.own = Own(self._login)
        self._stopped = False
        self.wiring = Wiring(Carrier(self._where, supervisor, folder))
        self.wiring.lay(topology.links)
        self._fixed: dict[tuple[WireType, str], int] = {}  # where servers listen that no wire leads to
        self._used = set(topology.names)  # names that were ever given
        self._growing = asyncio.Lock()
        self.servers: dict[str, Server] = {}
        for name in topology.names:
            self.make(name)

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

    async def ready(self, waits: Callable[[str], None] = lambda what: None) -> None:
        """Wait until several servers work as one: JetStream's meta group is full, leafnodes are connected.

        `waits` is told what is waited for. Raises ServerError when it takes more than a minute.
        """
        if len(self.topology.names) > 1:
            await ready(self, waits)

    async def stop(self) -> None:
        """End every server and remove the folder of the lab; a store folder of the person stays."""
        if not self._stopped:
            self._stopped = True
            # An interrupt must not leave half a lab.
            await asyncio.shield(asyncio.ensure_future(self._stop()))

    def login(self, role: str = "app", name: str | None = None) -> dict[str, Any]:
        """For `nats.connect(**login)`: servers, or the one called `name`, a user and its password.

        Without a name the servers of one cluster, so that a client fails over, and no leafnode.

        `role` is app (the learner), sys (the system account) or watcher. Raises LabError.
        """
        if role not in _USERS:
            raise LabError(f"There is no user {role!r}.", f"The users are {', '.join(_USERS)}.")
        names = self.topology.home if name is None else [name]
        servers = [self.server(one) for one in names]
        # Those first that answer: clients go from one to the next.
        servers.sort(key=lambda server: server.state not in ("up", "lame duck"))
        return self._login(role, servers)

    def url(self, name: str | None = None) -> str:
        """One server (or the first) with the learner's credentials in it. Raises LabError."""
        server = next(iter(self.servers.values())) if name is None else self.server(name)
        return f"nats://app:{self._logins.app}@127.0.0.1:{server.port}"

    def server(self, name: str) -> Server:
        """The server of that name. Raises LabError when there is none."""
        if name not in self.servers:
            raise LabError(f"There is no server {name!r}.", f"The servers are {', '.join(self.servers)}.")
        return self.servers[name]

    async def streams(self, server: str, **body: Any) -> list[dict[str, Any]]:
        """The streams that a server has a part in, of all accounts or of `account=`: its own report (jsz).

        `body` asks for more of each, e.g. config=True. Raises ServerError as `ask` does.
        """
        said = await self.ask(server, "jsz", accounts=True, streams=True, **body)
        accounts = said.get("account_details") or []
        return [stream for account in accounts for stream in account.get("stream_detail") or []]

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
        answer = await self._request(server, subject, json.dumps(body).encode() if body else b"")
        if error := answer.get("error"):
            raise ServerError(
                f"Server {server} refused {what}: {error.get('description', error)}.",
                "Look at the names of the options.",
            )
        data: dict[str, Any] = answer.get("data") or answer.get("statsz") or answer
        return data

    async def system(self, name: str | None = None) -> Client:
        """The connection to the system account: made on first use, kept, reconnects for ever.

        With a `name` it stays with that server: its own side, when wires are cut. Without, it goes to
        another when its server ends. Raises ServerError when no server answers, LabError for no server.
        """
        return await self._connection("sys", name)

    async def watcher(self, name: str | None = None) -> Client:
        """The connection to the account LAB, which sees A.$JS.EVENT.>, A.$JS.ACK.> and _NATSLAB.>.

        Made on first use, kept, reconnects for ever; `name` as in `system`. Raises ServerError when no
        server answers.
        """
        return await self._connection("watcher", name)

    # growing

    async def add(
        self,
        name: str | None = None,
        cluster: str | None = None,
        waits: Callable[[str], None] = lambda what: None,
    ) -> Server:
        """Start one more server, as `growing.add`; returns it when JetStream's meta group has it."""
        async with self._growing:
            server = await growing.add(self, name, cluster)
        await self.ready(waits)
        return server

    async def remove(self, name: str, *, force: bool = False) -> list[str]:
        """Take a server away for good, as `growing.remove`."""
        async with self._growing:
            return await growing.remove(self, name, force=force)

    def configs(self) -> dict[str, Config]:
        """What the description says that the servers' configurations are."""
        return self.topology.configs(self._logins, self.folder, self.store, self._dial)

    def make(self, name: str) -> Server:
        """A new server of the description; not started."""
        self._used.add(name)
        request = functools.partial(self._request, name)
        made = Server(
            self.configs()[name], self._program, self._supervisor, self.store, request, self._changed
        )
        self.servers[name] = made
        return made

    def fresh_name(self, cluster: str) -> str:
        """A name that no server of this lab ever had: n4, WEST-n4, edge2."""
        stem = "edge" if not cluster else f"{cluster}-n" if len(self.topology.clusters) > 1 else "n"
        return next(name for name in (f"{stem}{i}" for i in itertools.count(1)) if name not in self._used)

    @property
    def links(self) -> dict[tuple[str, str], Link]:
        """The wires by the names of the servers that they join, in the order of the lab."""
        return self.wiring.links

    def link(self, a: str, b: str) -> Link:
        """The wire between two servers, in any order. Raises LabError when there is none."""
        for name in (a, b):
            self.server(name)
        return self.wiring.link(a, b)

    def end(self, name: str) -> End:
        """A server, or where none is called so a cluster, as the end of wires. Raises LabError."""
        cluster = self.topology.clusters.get(name, ())
        if name not in self.servers and cluster:
            return End(name, frozenset(cluster), cluster=True)
        return End.server(self.server(name).name)

    def listen_links(self, heard: Callable[[Link], None]) -> Callable[[], None]:
        """Call `heard` on the loop at each change of a wire: state, delay, whether it connects."""
        return self.wiring.listen(heard)

    async def caught_up(self) -> None:
        """Wait until whoever listens to wires has heard all that has crossed them so far."""
        await self.wiring.carrier.sync()

    def listen(self, heard: Callable[[Change], None]) -> Callable[[], None]:
        """Call `heard` on the loop at each change of a server's state; returns what ends that."""
        return self._hearers.add(heard)

    # how

    def _login(self, role: str, servers: Iterable[Server]) -> dict[str, Any]:
        return {
            "servers": [f"nats://127.0.0.1:{server.port}" for server in servers],
            "user": role,
            "password": getattr(self._logins, role),
        }

    def _dial(self, type: WireType, a: str, b: str) -> int:
        """The port at which `a` finds `b`: that of their wire, or where `b` itself will listen."""
        link = self.wiring.find(a, b)
        if link is not None:
            return link.port(a)
        if (type, b) not in self._fixed:
            self._fixed[type, b] = _free_port()
        return self._fixed[type, b]

    async def _where(self, name: str, type: WireType) -> int | None:
        """Where a server listens for others; waits while it starts."""
        server = self.servers.get(name)
        if server is None:
            return None
        await server.started()
        return server.inner.get(type) if server.pid else None

    async def _connection(self, role: str, name: str | None) -> Client:
        if name is not None:
            self.server(name)
        return await self.own.connection(role, self.servers, name)

    async def _request(self, server: str, subject: str, body: bytes) -> dict[str, Any]:
        connection = await self._connection("sys", server)
        return await self.own.request(connection, subject, body, server)

    async def _start(self) -> None:
        starts: list[asyncio.Future[None]] = []
        try:
            await self.wiring.open(self.links.values())
            starts = [asyncio.ensure_future(server.start()) for server in self.servers.values()]
            await asyncio.gather(*starts)
        except BaseException:
            for start in starts:
                start.cancel()
            await asyncio.gather(*starts, return_exceptions=True)
            await asyncio.gather(*(self._end(server) for server in self.servers.values()))
            await self.wiring.remove()
            raise

    async def _stop(self) -> None:
        closing = self.own.close()
        await self.wiring.remove()  # before the servers see each other go
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


def _free_port() -> int:
    """A port below those that the system gives to whoever connects: one of these would soon be taken."""
    for port in iter(lambda: random.randrange(20_000, 32_768), 0):
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            break
    return port


async def _clear(supervisor: Supervisor, folder: Path | None, store: Path | None) -> None:
    if folder is not None:
        try:
            await supervisor.remove_folder(folder)
        except ServerError:
            shutil.rmtree(folder, ignore_errors=True)
    if store is not None:
        with contextlib.suppress(ServerError):
            await supervisor.unlock(store)
