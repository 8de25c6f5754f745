"""Who is kept apart from whom: groups of servers, and what wires that let nothing through make of them."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from natslab.views.topology.state import Node, State, Wire, natural


class Group(msgspec.Struct):
    """A cluster, or one server that is in none."""

    name: str
    nodes: list[Node]
    cluster: bool
    leaf: bool = False  # it dials out to others, and nobody dials in to it

    @property
    def names(self) -> list[str]:
        """Its servers."""
        return [node.name for node in self.nodes]

    @property
    def domain(self) -> str:
        """Its JetStream domain."""
        return next((node.domain for node in self.nodes if node.domain), "")


def shown_of(state: State) -> tuple[list[Node], list[Wire]]:
    """The servers and wires that the view shows; a server that it names brings its neighbours."""
    nodes = {name: node for name, node in state.nodes.items() if node.state != "removed"}
    wires = [w for w in state.wires.values() if w.a in nodes and w.b in nodes]
    if state.of:
        whole = {n for n, node in nodes.items() if node.cluster in state.of or node.domain in state.of}
        named = {n for n in nodes if n in state.of}
        wires = [w for w in wires if {w.a, w.b} & named or (w.a in whole and w.b in whole)]
        kept = whole | named | {n for w in wires for n in (w.a, w.b)}
        nodes = {n: node for n, node in nodes.items() if n in kept}
    return sorted(nodes.values(), key=lambda n: natural(n.name)), sorted(
        wires, key=lambda w: (natural(w.a), natural(w.b))
    )


def groups_of(nodes: list[Node], wires: list[Wire]) -> list[Group]:
    """Clusters and single servers, by name; the leafnodes after all others."""
    found: dict[str, Group] = {}
    for node in nodes:
        cluster = _cluster(node, nodes, wires)
        key = f"cluster {cluster}" if cluster else f"server {node.name}"
        group = found.setdefault(key, Group(cluster or node.name, [], bool(cluster)))
        group.nodes.append(node)
    home = {node.name: key for key, group in found.items() for node in group.nodes}
    dials = [w for w in wires if w.type == "leafnode" and home[w.a] != home[w.b]]
    out, into = {home[w.a] for w in dials}, {home[w.b] for w in dials}
    for key, group in found.items():
        group.leaf = key in out - into
    return sorted(found.values(), key=lambda g: (g.leaf, natural(g.name)))


def _cluster(node: Node, nodes: list[Node], wires: list[Wire]) -> str:
    """The cluster of a server: the lab's, unless it says another and has no route into the lab's."""
    if not node.cluster or node.says in ("", node.cluster):
        return node.cluster
    others = {n.name for n in nodes if n.cluster == node.cluster and n.says != node.says}
    routes = [{w.a, w.b} for w in wires if w.type == "route" and w.there]
    return node.cluster if any(node.name in ends and ends & others for ends in routes) else node.says


def parts(names: Iterable[str], wires: list[Wire]) -> list[list[str]]:
    """Servers that no blocked wire keeps apart, the larger parts first."""
    left, out = list(names), []
    near: dict[str, set[str]] = {name: set() for name in left}
    known = {frozenset((w.a, w.b)) for w in wires if w.blocked}
    for a in left:
        near[a] = {b for b in left if b != a and frozenset((a, b)) not in known}
    while left:
        todo, part = [left[0]], []
        while todo:
            at = todo.pop()
            if at in left:
                left.remove(at)
                part.append(at)
                todo += near[at]
        out.append(sorted(part, key=natural))
    return sorted(out, key=lambda p: (-len(p), natural(p[0])))


def sides_of(group: Group, wires: list[Wire]) -> list[list[str]]:
    """The parts into which a cluster has fallen because wires are cut or held; one if it has not.

    Servers that do not run are on no side.
    """
    alive = [node.name for node in group.nodes if node.live]
    return parts(alive, [w for w in wires if w.type == "route"])


def between(wires: list[Wire], a: Group, b: Group) -> list[Wire]:
    """The wires from one group to another."""
    here, there = set(a.names), set(b.names)
    return [w for w in wires if (w.a in here and w.b in there) or (w.a in there and w.b in here)]


def voters(domain: str, groups: list[Group]) -> int:
    """How many servers take part in the meta group of a domain."""
    return sum(node.domain == domain for group in groups if group.cluster for node in group.nodes)


def sides(state: State, cluster: str = "") -> list[list[str]]:
    """The parts of a cluster, or of the only one, that do not hear each other; one while it is whole."""
    groups = [g for g in groups_of(*shown_of(state)) if g.cluster and cluster in ("", g.name)]
    return sides_of(groups[0], list(state.wires.values())) if groups else []
