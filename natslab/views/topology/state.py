"""What the topology view knows: servers, the wires between them, who is connected where, accounts."""

from __future__ import annotations

import re

import msgspec

from natslab.views.view import ViewState

# Limits of what is remembered singly.
SERVERS, WIRES, CLIENTS, ACCOUNTS, STREAMS = 64, 400, 2_000, 40, 1_000
SAMPLES = 8  # counts of a wire that are kept
WINDOW = 1.2  # seconds over which messages per second are taken
FRESH = 3.0  # seconds after which a rate is not of now
FLOWN = 60  # steps of traced messages that are kept

#: The accounts of the lab itself.
OWN = ("SYS", "LAB")


class Node(msgspec.Struct, omit_defaults=True):
    """One server."""

    name: str
    state: str = "starting"  # as in the event Server
    cluster: str = ""
    domain: str = ""
    says: str = ""  # the cluster that it is in by its own word
    version: str = ""
    since: float = 0.0  # when it came into that state

    @property
    def live(self) -> bool:
        """Whether it serves."""
        return self.state in ("up", "lame duck")


class Sample(msgspec.Struct, array_like=True):
    """What crossed a wire up to a moment."""

    t: float
    ab: int
    ba: int


class Wire(msgspec.Struct, omit_defaults=True):
    """One wire, or one link that servers report where the lab has no wires of its own."""

    a: str
    b: str
    type: str = "route"  # route | gateway | leafnode
    state: str = "open"  # open | cut | held | delayed
    delay: float = 0.0  # seconds each way, while delayed
    connected: bool = False
    laid: bool = False  # it is a wire of the lab's, so that `connected` is told by it
    why: str = ""
    since: float = 0.0  # when it came into that state
    said: dict[str, bool] = {}  # server -> whether it reports the other one
    meter: str = ""  # who counts: "wire", or a server
    samples: list[Sample] = []
    subjects: dict[str, list[str]] = {}  # of a leafnode: server -> what the other side asks it for
    account: str = ""  # of a leafnode: the account that it binds
    shut: float = 0.0  # when it was cut or held
    before: dict[str, int] = {}  # stream at the leaf -> its last sequence then

    @property
    def key(self) -> str:
        """The key of its mark."""
        return f"wire/{self.a}>{self.b}"

    @property
    def blocked(self) -> bool:
        """Whether somebody has seen to it that nothing passes."""
        return self.state in ("cut", "held")

    @property
    def there(self) -> bool:
        """Whether there is a connection between the two."""
        return self.connected if self.laid else any(self.said.values())

    def rates(self, now: float) -> tuple[float, float] | None:
        """Messages per second from a to b and from b to a; None when nobody counts at the moment."""
        if len(self.samples) < 2 or now - self.samples[-1].t > FRESH:
            return None
        last = self.samples[-1]
        first = next((s for s in self.samples[:-1] if s.t >= last.t - WINDOW), self.samples[-2])
        took = last.t - first.t
        if took <= 0:
            return None
        return (last.ab - first.ab) / took, (last.ba - first.ba) / took


class Client(msgspec.Struct, omit_defaults=True):
    """One connection of a client."""

    label: str
    place: str  # the server
    own: bool = False  # a client of the lab's
    account: str = ""
    lost: bool = False  # it has lost its connection and looks for another server
    why: str = ""
    since: float = 0.0
    told: bool = False  # an event told of it; else only the server's list
    listed: bool = False  # the server's list has it


class Meta(msgspec.Struct, omit_defaults=True):
    """Who leads JetStream's meta group of one domain, as far as is known."""

    leader: str = ""
    term: int = 0
    lost: bool = False  # its quorum
    told: bool = False  # an event said so; else only `said`
    led: bool = False  # somebody has led it
    said: dict[str, tuple[int, str]] = {}  # server -> term, and who leads in its own words


class Account(msgspec.Struct, omit_defaults=True):
    """One account of the learner's."""

    name: str
    imports: list[tuple[str, str, str, str]] = []  # type, from which account, subject there, subject here


class Step(msgspec.Struct, array_like=True):
    """A step of a traced message from one mark to another."""

    id: str
    n: int  # of the event
    t: float
    a: str  # server, or client/LABEL
    b: str
    depth: int  # how many steps came before it


class State(ViewState, kw_only=True):
    """The servers of the lab and what connects them, or those that `of` names by server or cluster.

    For assertions in a notebook:

    `nodes`              name -> Node: `.state .cluster .domain`
    `wires`              "a>b" -> Wire: `.type .state .connected .there .blocked .rates(now)`
    `routes`             server -> the servers that it reports a route to; so `gateways`, `leafs`
    `connected`          server -> labels of the clients that are connected to it
    """

    nodes: dict[str, Node] = {}
    wires: dict[str, Wire] = {}
    clients: dict[str, Client] = {}
    meta: dict[str, Meta] = {}  # by domain
    accounts: dict[str, Account] = {}
    reports: dict[str, dict[str, list[str]]] = {}  # server -> routez gatewayz leafz -> other servers
    kept: dict[str, dict[str, int]] = {}  # server -> stream -> its last sequence
    steps: list[Step] = []
    depths: dict[str, int] = {}  # "id server" -> steps until a message came there; of the newest messages

    @property
    def routes(self) -> dict[str, list[str]]:
        """The servers that each one reports a route to, sorted."""
        return self._reported("routez")

    @property
    def gateways(self) -> dict[str, list[str]]:
        """The servers that each one reports a gateway connection to, sorted."""
        return self._reported("gatewayz")

    @property
    def leafs(self) -> dict[str, list[str]]:
        """The servers that each one reports a leafnode connection to, sorted."""
        return self._reported("leafz")

    def _reported(self, what: str) -> dict[str, list[str]]:
        return {name: said[what] for name, said in self.reports.items() if what in said}

    @property
    def connected(self) -> dict[str, list[str]]:
        """The clients that are connected to each server, sorted."""
        out: dict[str, list[str]] = {name: [] for name, node in self.nodes.items() if node.state != "removed"}
        for client in self.clients.values():
            if not client.lost:
                out.setdefault(client.place, []).append(client.label)
        return {name: sorted(labels) for name, labels in out.items()}


def start(of: tuple[str, ...] = ()) -> State:
    """`of`: servers, clusters or domains; without any, everything."""
    return State(of=of)


def wire_of(state: State, a: str, b: str) -> Wire | None:
    """The wire between two servers, however it is named."""
    return state.wires.get(f"{a}>{b}") or state.wires.get(f"{b}>{a}")


def natural(name: str) -> tuple[tuple[int, int, str], ...]:
    """Sorts n2 before n10."""
    return tuple(
        (0, int(part[:18]), part) if part.isdecimal() and part.isascii() else (1, 0, part)
        for part in re.split(r"(\d+)", name)
    )


def leader_of(state: State, domain: str) -> str:
    """Who leads the meta group of a domain: of several claims that of the highest term."""
    meta = state.meta.get(domain)
    if meta is None:
        return ""
    claims = [
        (term, who)
        for name, (term, who) in meta.said.items()
        if who and name in state.nodes and state.nodes[name].live
    ]
    best = max(claims, default=(0, ""))
    return meta.leader if meta.told and meta.term >= best[0] else best[1]
