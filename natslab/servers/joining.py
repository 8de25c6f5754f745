"""What a server's configuration says of other servers: routes, gateways, leafnodes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from natslab.servers.quoting import quote

RANDOM = -1  # a port that the system picks


@dataclass(frozen=True)
class Cluster:
    """The cluster that a server is in: `routes` lead to the other servers, never to itself.

    `port` is where it listens itself. `hidden`: no server finds another but by its routes. Without
    routes it has one that leads nowhere: JetStream does not start in a cluster without any.
    """

    name: str
    password: str = field(repr=False)
    routes: tuple[int, ...] = ()  # ports on 127.0.0.1
    port: int = RANDOM
    hidden: bool = True


@dataclass(frozen=True)
class Gateway:
    """The way from a cluster to others: `remotes` are ports on 127.0.0.1 of each other cluster."""

    password: str = field(repr=False)
    remotes: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    port: int = RANDOM
    hidden: bool = True


@dataclass(frozen=True)
class Leafs:
    """Where leafnodes may connect, as the user `leaf` of the learner's account."""

    port: int = RANDOM


@dataclass(frozen=True)
class Remote:
    """A leafnode's connection to its hub: to one of these ports on 127.0.0.1, in the learner's account."""

    ports: tuple[int, ...]
    password: str = field(repr=False)


# Nobody listens there: what a server says of where it is leads nowhere, so that no other finds it so.
_NOWHERE = 'advertise: "127.0.0.1:1"'


def cluster_text(cluster: Cluster | None) -> list[str]:
    """The block `cluster` in a server's configuration."""
    if cluster is None:
        return []
    routes = ", ".join(
        quote(f"nats-route://peer:{cluster.password}@127.0.0.1:{port}") for port in cluster.routes or (1,)
    )
    return [
        "cluster {",
        f"  name: {quote(cluster.name)}",
        f'  listen: "127.0.0.1:{cluster.port}"',
        # Not no_advertise: with it clients never hear of the other servers (measured).
        *([f"  {_NOWHERE}"] if cluster.hidden else []),
        "  pool_size: -1",  # one connection for each pair of servers
        "  compression: off",
        f"  authorization {{ user: peer, password: {quote(cluster.password)} }}",
        f"  routes: [{routes}]",
        "}",
    ]


def gateway_text(gateway: Gateway | None, cluster: Cluster | None) -> list[str]:
    """The block `gateway`; its name is the cluster's."""
    if gateway is None or cluster is None:
        return []
    lines = [
        "gateway {",
        f"  name: {quote(cluster.name)}",
        f'  listen: "127.0.0.1:{gateway.port}"',
        *([f"  {_NOWHERE}"] if gateway.hidden else []),
        f"  authorization {{ user: peer, password: {quote(gateway.password)} }}",
        "  gateways: [",
    ]
    for name, ports in gateway.remotes.items():
        urls = ", ".join(quote(f"nats://peer:{gateway.password}@127.0.0.1:{port}") for port in ports)
        lines.append(f"    {{name: {quote(name)}, urls: [{urls}]}}")
    return [*lines, "  ]", "}"]


def leafnodes_text(leafs: Leafs | None, remote: Remote | None, account: str) -> list[str]:
    """The block `leafnodes`; `account` is the one that a connection to the hub belongs to."""
    if leafs is None and remote is None:
        return []
    lines = ["leafnodes {"]
    if leafs is not None:
        lines += [f'  listen: "127.0.0.1:{leafs.port}"', "  no_advertise: true", "  compression: off"]
    if remote is not None:
        urls = ", ".join(
            quote(f"nats-leaf://leaf:{remote.password}@127.0.0.1:{port}") for port in remote.ports
        )
        lines += [
            '  reconnect: "0.2s"',
            # Traces cross too and are told once: where they are denied, by a permission or by deny_imports,
            # servers drop the messages that carry the wish for one (measured).
            f"  remotes: [{{urls: [{urls}], account: {quote(account)}, compression: off}}]",
        ]
    return [*lines, "}"]
