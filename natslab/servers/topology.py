"""Which servers a lab has: a pure description, turned into configurations and the wires between them."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, TypeAlias

from natslab.errors import LabError
from natslab.servers import config
from natslab.servers.config import Config, Logins, Target
from natslab.servers.joining import RANDOM, Cluster, Gateway, Leafs, Remote

WireType: TypeAlias = Literal["route", "gateway", "leafnode"]
Ports: TypeAlias = Callable[[WireType, str, str], int]

CLUSTER = "C1"  # what a lab's only cluster is called
MOST = 9  # servers in one lab


@dataclass(frozen=True)
class Wire:
    """What joins two servers: routes and gateways in the order of the lab, a leafnode (a) to its hub (b)."""

    a: str
    b: str
    type: WireType = "route"


@dataclass(frozen=True)
class Topology:
    """Servers by name, in order, and what they have in common. Equal descriptions are equal labs.

    `port` is the first server's on 127.0.0.1 (None: the system picks). `store` is a folder that
    outlives the lab, with one folder per server in it (None: a temporary one). `http` opens the
    unauthenticated monitoring port. `max_payload` is bytes.
    """

    names: tuple[str, ...]
    port: int | None = None
    max_payload: int = config.MB
    mappings: Mapping[str, tuple[Target, ...]] = field(default_factory=dict)  # of the learner's account
    store: Path | None = None
    http: bool = False
    clusters: Mapping[str, tuple[str, ...]] = field(default_factory=dict)  # name -> its servers
    hubs: Mapping[str, tuple[str, ...]] = field(default_factory=dict)  # leafnode -> servers of its hub
    wires: bool = True  # what joins two servers goes through a Link of ours

    @property
    def pairs(self) -> tuple[Wire, ...]:
        """What joins two servers: in a cluster, between clusters, from a leafnode to its hub."""
        routes = [Wire(a, b) for names in self.clusters.values() for a, b in itertools.combinations(names, 2)]
        gateways = [
            Wire(a, b, "gateway")
            for one, other in itertools.combinations(self.clusters.values(), 2)
            for a, b in itertools.product(one, other)
        ]
        leafs = [Wire(leaf, hub, "leafnode") for leaf, hubs in self.hubs.items() for hub in hubs]
        return (*routes, *gateways, *leafs)

    @property
    def links(self) -> tuple[Wire, ...]:
        """The pairs that a Link joins: all of them, or with `wires` off none."""
        return self.pairs if self.wires else ()

    @property
    def home(self) -> tuple[str, ...]:
        """The servers that clients connect to when nobody says otherwise: one cluster, no leafnodes."""
        first = next(iter(self.clusters.values()), self.names)
        return tuple(name for name in first if name not in self.hubs)

    def cluster_of(self, name: str) -> str:
        """The cluster of a server; "" for a server alone."""
        return next((cluster for cluster, names in self.clusters.items() if name in names), "")

    def domain_of(self, name: str) -> str:
        """The JetStream domain of a server: where there are leafnodes its cluster's or its own name."""
        return (self.cluster_of(name) or name) if self.hubs and name in self.names else ""

    def types_of(self, name: str) -> tuple[WireType, ...]:
        """What other servers may connect to that server as."""
        cluster = self.cluster_of(name)
        found: list[WireType] = []
        if cluster:
            found.append("route")
        if cluster and len(self.clusters) > 1:
            found.append("gateway")
        if any(name in hubs for hubs in self.hubs.values()):
            found.append("leafnode")
        return tuple(found)

    def with_server(self, name: str, cluster: str = "") -> Topology:
        """The same with a server more: in that cluster, or another leafnode of the hub."""
        names = (*self.names, name)
        if not cluster:
            return dataclasses.replace(self, names=names, hubs={**self.hubs, name: self.home})
        clusters = {
            one: (*members, name) if one == cluster else members for one, members in self.clusters.items()
        }
        hubs = {
            leaf: (*to, name) if set(to) == set(self.clusters[cluster]) else to
            for leaf, to in self.hubs.items()
        }
        return dataclasses.replace(self, names=names, clusters=clusters, hubs=hubs)

    def without(self, name: str) -> Topology:
        """The same with a server less."""
        clusters = {
            one: tuple(member for member in members if member != name)
            for one, members in self.clusters.items()
        }
        hubs = {
            leaf: tuple(hub for hub in to if hub != name) for leaf, to in self.hubs.items() if leaf != name
        }
        names = tuple(one for one in self.names if one != name)
        return dataclasses.replace(self, names=names, clusters=clusters, hubs=hubs)

    def configs(
        self, logins: Logins, folder: Path, store: Path | None, dial: Ports | None = None
    ) -> dict[str, Config]:
        """The configuration of each server; its files are in `folder`/NAME, its store in `store`/NAME.

        `dial(type, a, b)` is the port at which `a` finds `b`. Without wires that is where `b` listens.
        """
        dial = dial or _nowhere
        accounts = config.lab_accounts(logins, self.mappings)
        hub_accounts = config.lab_accounts(logins, self.mappings, leafs=True)
        made = {}
        for name in self.names:
            types = self.types_of(name)
            own = {type: RANDOM if self.wires else dial(type, name, name) for type in types}
            hubs = tuple(dial("leafnode", name, hub) for hub in self.hubs.get(name, ()))
            made[name] = Config(
                name=name,
                accounts=hub_accounts if "leafnode" in types else accounts,
                store=(store / name) if store else (folder / name / "store"),
                log=folder / name / "log",
                port=self.port if self.port is not None and name == self.names[0] else RANDOM,
                http=RANDOM if self.http else None,
                max_payload=self.max_payload,
                cluster=self._cluster(name, logins, dial, own["route"]) if "route" in own else None,
                gateway=self._gateway(name, logins, dial, own["gateway"]) if "gateway" in own else None,
                leafs=Leafs(own["leafnode"]) if "leafnode" in own else None,
                remote=Remote(hubs, logins.peer) if hubs else None,
                domain=self.domain_of(name),
            )
        return made

    def _cluster(self, name: str, logins: Logins, dial: Ports, port: int) -> Cluster:
        cluster = self.cluster_of(name)
        others = tuple(dial("route", name, other) for other in self.clusters[cluster] if other != name)
        return Cluster(cluster, logins.peer, others, port, hidden=self.wires)

    def _gateway(self, name: str, logins: Logins, dial: Ports, port: int) -> Gateway:
        own = self.cluster_of(name)
        remotes = {
            cluster: tuple(dial("gateway", name, other) for other in names)
            for cluster, names in self.clusters.items()
            if cluster != own
        }
        return Gateway(logins.peer, remotes, port, hidden=self.wires)


def _nowhere(type: WireType, a: str, b: str) -> int:
    raise LabError(f"Nobody said where {a} finds {b}.", "Give the ports.")


def single(**common: object) -> Topology:
    """One server, n1. For `common` see `_made`."""
    return _made(("n1",), common)


def cluster(servers: int = 3, *, name: str = CLUSTER, wires: bool = True, **common: object) -> Topology:
    """One cluster of so many servers: n1, n2, ... Raises LabError for a number that makes no sense.

    One server alone has no JetStream until a second comes: it expects one.
    """
    if not 1 <= servers <= MOST:
        raise LabError(
            f"A cluster of {servers} servers is not possible here.",
            f"Choose 1 to {MOST}; 3 is usual, and 5 where two may fail at once.",
        )
    names = tuple(f"n{i}" for i in range(1, servers + 1))
    return _made(names, common, clusters={name: names}, wires=wires)


def supercluster(sizes: Mapping[str, int], *, wires: bool = True, **common: object) -> Topology:
    """Clusters joined by gateways: `{"EAST": 3, "WEST": 3}` has EAST-n1, EAST-n2, ... Raises LabError."""
    if len(sizes) < 2:
        raise LabError("A supercluster has two clusters at least.", "For example: EAST=3 WEST=3")
    for name, size in sizes.items():
        _check_name(name, "cluster")
        if size < 1:
            raise LabError(f"A cluster of {size} servers is none.", f"Give {name} 1 or 3.")
    if sum(sizes.values()) > MOST:
        raise LabError(
            f"{sum(sizes.values())} servers are more than this lab holds.", f"Choose {MOST} or fewer in all."
        )
    clusters = {name: tuple(f"{name}-n{i}" for i in range(1, size + 1)) for name, size in sizes.items()}
    names = tuple(itertools.chain.from_iterable(clusters.values()))
    return _made(names, common, clusters=clusters, wires=wires)


def leafnodes(
    hub: str = "hub",
    edges: Sequence[str] = ("edge1",),
    *,
    servers: int = 1,
    wires: bool = True,
    **common: object,
) -> Topology:
    """A hub and leafnodes that connect to it, each with a JetStream domain of its name. Raises LabError.

    With more than one of `servers` the hub is a cluster of that name: n1, n2, ...
    """
    names = (hub, *edges)
    if not edges:
        raise LabError("A hub alone has no leafnodes.", "Name an edge too: hub edge1")
    for name in names:
        _check_name(name, "server")
    hubs = tuple(f"n{i}" for i in range(1, servers + 1)) if servers > 1 else (hub,)
    if len({*names, *hubs}) < len({*hubs, hub}) + len(edges):
        raise LabError("Two servers cannot have one name.", "Give each its own: hub edge1 edge2")
    names = (*hubs, *edges)
    if len(names) > MOST:
        raise LabError(f"{len(names)} servers are more than this lab holds.", f"Choose {MOST} or fewer.")
    clusters = {hub: hubs} if servers > 1 else {}
    return _made(names, common, clusters=clusters, hubs=dict.fromkeys(edges, hubs), wires=wires)


def _check_name(name: str, of: str) -> None:
    plain = name.isascii() and name.replace("-", "").replace("_", "").isalnum() and len(name) <= 32
    if not plain or not name[0].isalpha():
        raise LabError(
            f"{name!r} cannot name a {of}.", "Use a short word of letters, digits, - and _: EAST, edge1"
        )


def _made(names: Iterable[str], common: Mapping[str, object], **own: object) -> Topology:
    """Of what labs have in common: port, max_payload, store (a path), http, and mappings.

    A mapping leads to one subject, or to weighted targets.
    """
    mappings: Mapping[str, str | tuple[Target, ...]] = common.get("mappings") or {}  # type: ignore[assignment]
    targets = {source: (Target(to),) if isinstance(to, str) else tuple(to) for source, to in mappings.items()}
    made = Topology(names=tuple(names), **own)  # type: ignore[arg-type]
    store = common.get("store")
    kept = Path(store) if store is not None else None  # type: ignore[arg-type]
    return dataclasses.replace(made, **{**common, "store": kept, "mappings": targets})  # type: ignore[arg-type]
