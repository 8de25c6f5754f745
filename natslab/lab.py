"""The lab: what a person holds. Real servers, their tape, its sources and its views."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Coroutine, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from natslab import front
from natslab.errors import CommandError, LabError, there
from natslab.listeners import Listeners
from natslab.loop import loop, run
from natslab.servers import leaders
from natslab.servers.client import Client
from natslab.servers.fleet import Fleet
from natslab.servers.hub import Hub
from natslab.servers.link import Link
from natslab.servers.server import LogLine, Server
from natslab.servers.topology import Topology, cluster, leafnodes, single, supercluster
from natslab.servers.wiring import End
from natslab.sources.acks import Acks
from natslab.sources.advisories import Advisories
from natslab.sources.clients import Clients
from natslab.sources.links import Links
from natslab.sources.monitor import Monitor
from natslab.sources.raft import RaftWire
from natslab.sources.servers import Servers
from natslab.sources.settling import settled
from natslab.sources.streams import Streams
from natslab.sources.trace import Traces
from natslab.tape.event import Mark
from natslab.tape.tape import Tape
from natslab.views.recording import Block, Recording

if TYPE_CHECKING:
    from natslab.views.show import View

T = TypeVar("T")

_current: Lab | None = None
_hearers: Listeners[[]] = Listeners()
_starting = threading.Lock()


def current() -> Lab:
    """The lab of this kernel. Raises LabError when there is none."""
    if _current is None:
        raise LabError("There is no lab in this kernel.", "Start one: %natslab up")
    return _current


def listen(heard: Callable[[], None]) -> Callable[[], None]:
    """Call `heard` when a lab of this kernel has started or is going down; returns what ends that."""
    return _hearers.add(heard)


class LabServer:
    """One server of a lab, to be used from a cell. Every method waits until it is done.

    Raises ServerError when the server is not in a state in which this makes sense.
    """

    def __init__(self, lab: Lab, server: Server) -> None:
        self._lab = lab
        self._server = server
        self.name = server.name

    def __repr__(self) -> str:
        return f"{self.name} is {self.state}"

    @property
    def state(self) -> str:
        """starting, up, down, frozen, or lame duck."""
        return self._server.state

    @property
    def pid(self) -> int:
        """Its process; 0 when there is none."""
        return self._server.pid

    @property
    def version(self) -> str:
        """What the server calls itself, e.g. "2.15.1"."""
        return self._server.version

    @property
    def url(self) -> str:
        """Its address with the learner's credentials."""
        return self._lab.fleet.url(self.name)

    def kill(self) -> None:
        """End it like a crash (SIGKILL)."""
        self._lab.do(self._server.kill())

    def stop(self) -> None:
        """Ask it to end (SIGTERM)."""
        self._lab.do(self._server.stop())

    def start(self) -> None:
        """Start it again after `kill` or `stop`, on the same port and store."""
        self._lab.do(self._server.start())
        self._lab.do(self._lab.reconnected())

    def restart(self) -> None:
        """Stop it, if it runs, and start it on the same port and store."""
        self._lab.do(self._server.restart())
        self._lab.do(self._lab.reconnected())

    def freeze(self) -> None:
        """Stop its clock (SIGSTOP): connections stay open, nothing answers."""
        self._lab.do(self._server.freeze())

    def thaw(self) -> None:
        """Let a frozen server go on (SIGCONT)."""
        self._lab.do(self._server.thaw())

    def lame_duck(self) -> None:
        """Ask it to send its clients away one by one and then end (SIGUSR2)."""
        self._lab.do(self._server.lame_duck())

    def reload(self, text: str | None = None) -> None:
        """Make it read its configuration again, or the new one `text`.

        Raises ServerError with the server's own reason when it refuses; the old one stays.
        """
        self._lab.do(self._server.reload(text))

    def report(self, what: str, **body: Any) -> dict[str, Any]:
        """What the server says of itself: varz, connz, subsz, jsz, accountz, ... in its own field names.

        `body` holds the options of that report, e.g. `report("subsz", subscriptions=True)`.
        Raises ServerError when it does not answer.
        """
        return self._lab.do(self._lab.fleet.ask(self.name, what, **body))

    def log(
        self, since: float | None = None, level: str | None = None, grep: str | None = None
    ) -> list[LogLine]:
        """Its log: the last `since` seconds, lines of `level` or worse, lines that hold `grep`."""
        start = None if since is None else time.time() - since
        return self._server.log(since=start, level=level, grep=grep)

    def conf(self) -> str:
        """Its configuration as it runs, passwords masked."""
        return self._server.conf()


class Lab:
    """Real nats-servers with a tape of what they do.

    Use `Lab.up`, as a context manager or until `down`; when the kernel ends in any way the
    servers and their folders go with it.
    """

    def __init__(self, fleet: Fleet, hub: Hub, tape: Tape, name: str, watch: bool) -> None:
        self.name = name
        self.fleet = fleet
        self.hub = hub
        self.tape = tape
        self.jobs: dict[int, Any] = {}
        #: What `consumer next --hold` fetched and nobody answered: (stream, consumer, sequence) -> message.
        self.held: dict[tuple[str, str, int], Any] = {}
        self._clients: dict[str, Client] = {}  # those of natslab's own loop, by the name they were asked for
        self._connecting = asyncio.Lock()
        self.recording: Block | None = None  # by %natslab record
        self._views: dict[tuple[str, ...], View] = {}
        self._followers = Servers(fleet, hub, tape)
        self._wires = Links(fleet, hub, tape)
        self._reports = Clients(fleet, hub, tape)
        self._traces = Traces(fleet, hub, tape)
        self._monitor = Monitor(fleet, hub, tape)
        self._raft = RaftWire(fleet, hub, tape, self._monitor)
        self._streams = Streams(fleet, hub, tape, self._monitor)
        self._acks = Acks(fleet, hub, tape, self._monitor)
        self._advisories = Advisories(fleet, hub, tape, self._acks, self._monitor)
        self._reports.delivering = (self._streams.delivering, self._acks.delivering)
        self._watch = watch
        self._started: list[Any] = []

    # --- up and down ------------------------------------------------------------------------

    @classmethod
    def up(
        cls,
        servers: int = 1,
        *,
        name: str = "lab",
        store: str | Path | None = None,
        port: int | None = None,
        watch: bool = True,
        wires: bool = True,
        clustered: bool = False,
        **options: Any,
    ) -> Lab:
        """Start a lab in this kernel, or give back the one that is up with the same description.

        Parameters
        ----------
        servers: how many; more than one are a cluster.
        name: what the pictures call it.
        store: a folder that keeps streams after the lab; a temporary one when left out.
        port: of the first server; the system picks one when left out.
        watch: whether sources record what happens; without them there are no pictures.
        wires: whether what joins the servers can be cut, held, delayed and heard.
        clustered: one server too is a cluster, so that others can be added.
        options: what topologies have in common besides: max_payload, mappings, http.

        Raises LabError when another lab is up, ServerError when a server does not start.
        """
        options |= {"store": store, "port": port}
        alone = servers == 1 and not clustered
        topology = single(**options) if alone else cluster(servers, wires=wires, **options)
        return cls._up(topology, name, watch)

    @classmethod
    def supercluster(
        cls,
        sizes: Mapping[str, int],
        *,
        name: str = "lab",
        watch: bool = True,
        wires: bool = True,
        **options: Any,
    ) -> Lab:
        """The same with clusters joined by gateways: `Lab.supercluster({"EAST": 3, "WEST": 3})`.

        `options` are those of `up`, store and port among them.
        """
        return cls._up(supercluster(sizes, wires=wires, **options), name, watch)

    @classmethod
    def leafnodes(
        cls,
        hub: str = "hub",
        edges: Sequence[str] = ("edge1",),
        *,
        servers: int = 1,
        name: str = "lab",
        watch: bool = True,
        wires: bool = True,
        **options: Any,
    ) -> Lab:
        """The same with a hub and leafnodes; each is a JetStream domain of its name.

        With more than one of `servers` the hub is a cluster of that name: n1, n2, ... `options` are those
        of `up`, store and port among them.
        """
        return cls._up(leafnodes(hub, edges, servers=servers, wires=wires, **options), name, watch)

    @classmethod
    def _up(cls, topology: Topology, name: str, watch: bool) -> Lab:
        global _current
        with _starting:  # a cell and the workbench may ask at once
            if _current is not None:
                if _current.fleet.topology == topology and _current.name == name:
                    return _current
                raise LabError("Another lab is up in this kernel.", "Stop it first: %natslab down")
            waiting = front.Waiting()
            _current = waiting.run(cls._start(topology, name, watch, waiting.waits))
            _hearers.tell()
            return _current

    @classmethod
    async def _start(cls, topology: Topology, name: str, watch: bool, waits: Callable[[str], None]) -> Lab:
        tape = Tape(lab=name)
        try:
            fleet = await Fleet.start(topology)
        except BaseException:
            tape.close()
            raise
        lab = cls(fleet, Hub(trace=watch), tape, name, watch)
        try:
            # Together: what the servers do to get ready is worth seeing.
            together = asyncio.ensure_future(fleet.ready(waits))
            try:
                await lab._open()
                await together
            finally:
                together.cancel()
        except BaseException:
            await lab._close()
            raise
        return lab

    async def _open(self) -> None:
        if self._watch:
            clustered = bool(self.fleet.topology.clusters)
            sources: tuple[Any, ...] = (
                self._followers,
                self._wires,
                *([self._raft] if clustered else []),
                self._reports,
                self._traces,
                self._acks,
                self._advisories,
                self._streams,
                self._monitor,
            )
            for source in sources:
                await source.start()
                self._started.append(source)

    async def _close(self) -> None:
        for handle in list(self.jobs.values()):
            handle.stop()
        # Who follows the servers comes first and stays to the end: that they went down is on the tape.
        for source in reversed(self._started[1:]):
            await source.stop()
        await self.hub.close()
        await self.fleet.stop()
        for source in self._started[:1]:
            await source.stop()
        self.tape.close()

    def down(self) -> None:
        """Stop every server and remove what the lab kept; its tape and views stay readable."""
        global _current
        if _current is self:
            _current = None
            _hearers.tell()
        run(self._close())

    def __enter__(self) -> Lab:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.down()

    def __repr__(self) -> str:
        servers = ", ".join(f"{s.name} {s.state}" for s in self.fleet.servers.values())
        return f"{self.name}: {servers}"

    # --- servers and connections --------------------------------------------------------------

    @property
    def url(self) -> str:
        """One server with the learner's credentials: any NATS client connects with it."""
        return self.fleet.url()

    @property
    def login(self) -> dict[str, Any]:
        """For `await nats.connect(**lab.login)`; such a client fails over to other servers."""
        return self.fleet.login()

    @property
    def servers(self) -> dict[str, LabServer]:
        """The servers by name."""
        return {name: LabServer(self, s) for name, s in self.fleet.servers.items()}

    def server(self, name: str) -> LabServer:
        """The server called `name`. Raises CommandError with the names there are."""
        if name not in self.fleet.servers:
            raise CommandError(f"There is no server called {name!r} in this lab.", there(self.fleet.servers))
        return LabServer(self, self.fleet.servers[name])

    def add(self, name: str | None = None, cluster: str | None = None) -> LabServer:
        """Start one more server: of that cluster, or another leafnode; named like the others if not said.

        Raises LabError when there is no place for it, ServerError when it does not start.
        """
        waiting = front.Waiting()
        return LabServer(self, waiting.run(self.fleet.add(name, cluster, waiting.waits)))

    def remove(self, name: str, *, force: bool = False) -> list[str]:
        """Take a server away for good; returns the streams that have fewer replicas than they should then.

        Raises LabError when the lab cannot be without it, or (unless `force`) streams would be lost.
        """
        self.server(name)
        return self.do(self.fleet.remove(name, force=force))

    def leader(self, stream: str | None = None, consumer: str | None = None) -> str:
        """The server that leads a stream, one of its consumers, or JetStream's meta group.

        Raises LabError when there is none.
        """
        return self._group(stream, consumer).leader

    def followers(self, stream: str | None = None, consumer: str | None = None) -> list[str]:
        """The other servers of that group."""
        return list(self._group(stream, consumer).followers)

    def _group(self, stream: str | None, consumer: str | None) -> leaders.Group:
        if stream is None:
            return self.do(leaders.meta(self.fleet))
        return self.do(leaders.group(self.fleet, stream, consumer))

    # --- wires ----------------------------------------------------------------------------------

    def cut(self, a: str, b: str) -> list[tuple[str, str]]:
        """Cut the wires between two servers or clusters: connections are reset, new ones refused.

        Returns which. Raises LabError when there is none, or none that is not cut.
        """
        return self.change(Link.cut, ("cut",), a, b)

    def hold(self, a: str, b: str) -> list[tuple[str, str]]:
        """Let nothing through the wires between two servers or clusters; their connections stay open.

        Returns which. Raises LabError as `cut`.
        """
        return self.change(Link.hold, ("cut", "held"), a, b)

    def delay(self, a: str, b: str, seconds: float) -> list[tuple[str, str]]:
        """Let everything between two servers or clusters arrive so much later, each way.

        Returns which wires. Raises LabError as `cut`.
        """
        return self.change(lambda link: link.delay_by(seconds), ("cut",), a, b)

    def heal(self, *names: str) -> list[tuple[str, str]]:
        """Make wires whole again: between two servers or clusters, all that lead away from one, or all.

        Returns which were healed. Raises LabError when none was in need of it.
        """
        return [link.names for link in self.do(self.fleet.wiring.heal(*map(self._end, names)))]

    def isolate(self, name: str) -> list[tuple[str, str]]:
        """Cut every wire that leads away from a server or cluster and is not cut yet.

        Returns which. Raises LabError.
        """
        return self.change(Link.cut, ("cut",), name)

    def change(
        self, act: Callable[[Link], Coroutine[Any, Any, None]], but: tuple[str, ...], *names: str
    ) -> list[tuple[str, str]]:
        """Do this to the wires between two servers or clusters, or all of one, whose state is none of `but`.

        Returns which. Raises LabError when there is none.
        """
        links = self.do(self.fleet.wiring.change(act, but, *map(self._end, names)))
        return [link.names for link in links]

    def _end(self, name: str) -> End:
        if name not in self.fleet.topology.clusters:
            self.server(name)
        return self.fleet.end(name)

    async def connect(self, name: str, **options: Any) -> Client:
        """A nats-py client called `name` on the caller's loop; the pictures show what it does.

        `options` are those of `nats.connect`.
        """
        return await self.hub.connect(name, self.fleet.login(), **options)

    async def client(self, name: str) -> Client:
        """The lab's own client called `name`, on natslab's loop: made once and kept."""
        async with self._connecting:  # two at once would make two
            known = self._clients.get(name)
            if known is None or known.is_closed:
                known = self._clients[name] = await self.hub.connect(name, self.fleet.login())
            return known

    def kill_client(self, label: str) -> None:
        """Cut the connection of a client of this lab without a word, as if its program died.

        Returns when the server has noticed. Raises CommandError when there is no such client.
        """
        client = self.hub.clients.get(label)
        if client is None:
            servers = list(self.fleet.servers)
            names = there([*servers, *sorted(self.hub.clients)], len(servers) + 6)
            raise CommandError(f"There is neither a server nor a client called {label!r} here.", names)
        run(self._sever(client))

    async def _sever(self, client: Client) -> None:
        place, cid = client.server, client.client_id
        if client.loop is loop().asyncio:
            await client.sever()
        else:
            client.sever_from_outside()
        self._reports.flush()
        server = self.fleet.servers.get(place)
        for _ in range(100):
            if server is None or server.state != "up":
                return
            report = await self.fleet.ask(place, "connz")
            if cid not in {c["cid"] for c in report.get("connections", [])}:
                return
            await asyncio.sleep(0.01)

    async def reconnected(self, timeout: float = 3.0) -> None:
        """Wait until the lab's own clients are connected again, at most `timeout` seconds."""
        await self.hub.reconnected(timeout)

    def do(self, coro: Coroutine[Any, Any, T]) -> T:
        """Run `coro` on natslab's loop and wait for it; an interrupt cancels it."""
        return run(coro)

    # --- what happened --------------------------------------------------------------------------

    def mark(self, what: Literal["run", "fault", "check", "bet"], text: str = "", ok: bool = True) -> None:
        """Put a sign on the tape: a line that ran, a fault, a check, a bet."""
        event = Mark(what=what, text=text, ok=ok, t=self.tape.now(), source="lab")
        loop().post(self.tape.append, event)

    def settle(self, timeout: float = 1.0) -> None:
        """Wait until everything that was published so far is on the tape, at most `timeout` seconds.

        Of streams and consumers: until their counters are those of the tape.
        """
        if loop().inside() or _current is not self:
            return
        self.hub.push()  # clients of the caller's loop cannot write while it waits here
        run(self._settle(timeout))

    async def _settle(self, timeout: float) -> None:
        end = time.monotonic() + timeout
        frozen = [name for name, server in self.fleet.servers.items() if server.state == "frozen"]
        await self.hub.sync(timeout, without=frozen)
        self._reports.flush()
        if await self._traces.settled(max(0.01, end - time.monotonic())):
            self.hub.cool()
        self._reports.flush()
        if self._watch:
            await settled(
                self.fleet,
                self._monitor,
                self._streams,
                self._acks,
                self._advisories,
                max(0.01, end - time.monotonic()),
            )
            await self.fleet.caught_up()
            self._raft.flush()

    def look(self) -> None:
        """Ask every server now what it would report by itself once a second."""
        if self._watch and _current is self:
            run(self._look())

    async def _look(self) -> None:
        await self._wires.poll()
        raft = [self._raft.poll()] if self._raft in self._started else []
        await asyncio.gather(self._monitor.poll(), *raft)

    def view(self, name: str, *of: str) -> View:
        """The view called `name`, one of `natslab.views.view.names()`; `of` narrows it, e.g. to a subject.

        Raises CommandError for an unknown name.
        """
        from natslab.views.show import View

        key = (name, *of)
        if key not in self._views:
            self._views[key] = View(
                self.tape, name, of, settle=self._settled_look, act=front.act, watched=self._monitor.watch
            )
        return self._views[key]

    @property
    def views(self) -> list[View]:
        """The views that were asked for so far."""
        return list(self._views.values())

    @property
    def monitor(self) -> Monitor:
        """What the servers said last; whoever reads it asks nobody."""
        return self._monitor

    @property
    def watched(self) -> bool:
        """Whether sources record what happens."""
        return self._watch

    def _settled_look(self) -> None:
        if all(server.state == "frozen" for server in self.fleet.servers.values()):
            self.settle(0.1)  # nobody answers; only what the lab's own clients did can still be told
            return
        self.look()
        self.settle()

    def save(self, path: str | Path) -> Path:
        """Write the tape to `path`; `natslab.open` shows it again without a server."""
        self.settle()
        return self.tape.save(path)

    def record(self, path: str | Path | None = None) -> Block:
        """Records exactly one block: `with lab.record() as rec:`; afterwards `rec.view("queue")`.

        With `path` it is saved there when the block ends. `async with` works too.
        """
        return Block(self.tape, self.settle, path)

    def export(self, path: str | Path, views: list[str | tuple[str, ...]] | None = None) -> Path:
        """Write one HTML page on which views can be scrubbed without kernel and network.

        `views`: names, or tuples of a name and what narrows it; those that were opened when left out.
        Raises LabError when it cannot be written or no view was opened.
        """
        from natslab.views.page import export

        self.settle()
        return export(path, self.tape, list(self._views.values()), self.view, views)


def open(path: str | Path) -> Recording:
    """A tape that `lab.save` or `Recording.save` wrote. Raises LabError when it cannot be read."""
    return Recording(Tape.open(path))
