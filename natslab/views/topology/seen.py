"""What one topology picture is made of: the shown servers and wires, in groups, with their places."""

from __future__ import annotations

import msgspec

from natslab.views.topology.plan import Plan, plan_of
from natslab.views.topology.sides import Group, between, groups_of, shown_of
from natslab.views.topology.state import OWN, Client, Node, State, Wire, leader_of, natural
from natslab.views.wording import plain


class Seen(msgspec.Struct):
    """Everything that is shown."""

    state: State
    nodes: list[Node]
    wires: list[Wire]
    groups: list[Group]
    plan: Plan

    def clients(self, server: str) -> list[Client]:
        """The clients of a server, by name."""
        found = [c for c in self.state.clients.values() if c.place == server]
        return sorted(found, key=lambda c: natural(c.label))

    def leads(self, group: Group) -> str:
        """The server of a cluster that leads the meta group, if one of its does."""
        name = leader_of(self.state, group.domain) if group.cluster else ""
        return name if any(n.name == name and n.state != "down" for n in group.nodes) else ""

    @property
    def count(self) -> int:
        """How many clients there are."""
        return sum(len(self.clients(n.name)) for n in self.nodes)


def seen(state: State) -> Seen:
    """Everything that is shown of a state."""
    nodes, wires = shown_of(state)
    groups = groups_of(nodes, wires)
    return Seen(state, nodes, wires, groups, plan_of(state, groups, wires))


def bundles(all_: Seen) -> list[tuple[Group, Group, list[Wire]]]:
    """Gateways, which are drawn together for each pair of clusters; the first is the left one."""
    core = [b.group for b in all_.plan.boxes if b.side == "core"]
    out = []
    for i, a in enumerate(core):
        for b in core[i + 1 :]:
            wires = [w for w in between(all_.wires, a, b) if w.type == "gateway"]
            if wires:
                out.append((a, b, [_turned(w, a) for w in wires]))
    return out


def _turned(wire: Wire, a: Group) -> Wire:
    """The same wire with its end in `a` named first."""
    if wire.a in a.names:
        return wire
    samples = [type(s)(s.t, s.ba, s.ab) for s in wire.samples]
    return msgspec.structs.replace(wire, a=wire.b, b=wire.a, samples=samples)


def singles(all_: Seen) -> list[Wire]:
    """Wires that are drawn singly: those between drawn servers, gateways between clusters left out."""
    box = {node.name: b for b in all_.plan.boxes for node in b.nodes}
    drawn = [w for w in all_.wires if w.a in box and w.b in box]
    return [w for w in drawn if w.type != "gateway" or box[w.a].side != "core" or box[w.b].side != "core"
            or box[w.a] is box[w.b]]  # fmt: skip


def accounts_of(state: State) -> list[str]:
    """The learner's accounts, if there are several."""
    names = set(state.accounts) | {c.account for c in state.clients.values()}
    names -= {*OWN, ""}
    return sorted(names, key=natural) if len(names) > 1 else []


def rate(all_: Seen, *wires: Wire) -> tuple[float, float] | None:
    """Messages per second on some wires, there and back; None where nothing can pass or nobody counts."""
    live = {n.name for n in all_.nodes if n.live}
    open_ = [w for w in wires if w.there and not w.blocked and {w.a, w.b} <= live]
    found = [r for r in (w.rates(all_.state.now) for w in open_) if r is not None]
    return (sum(r[0] for r in found), sum(r[1] for r in found)) if found else None


def up_of(wire: Wire) -> list[str]:
    """The subjects that the hub asked the leafnode for."""
    return [plain(s) for s in wire.subjects.get(wire.a, [])]


def down_of(wire: Wire) -> list[str]:
    """The subjects that the leafnode asked the hub for."""
    return [plain(s) for s in wire.subjects.get(wire.b, [])]


def waiting(state: State, wire: Wire) -> int:
    """Messages that a leafnode stored since its wire lets nothing through; -1 where that is not known."""
    if not wire.blocked or wire.a not in state.kept:
        return -1
    return sum(max(0, last - wire.before.get(name, 0)) for name, last in state.kept[wire.a].items())


def hub_of(all_: Seen, leaf: Group) -> Group | None:
    """The group that a leafnode has wires to."""
    return next((g for g in all_.groups if g is not leaf and between(all_.wires, leaf, g)), None)
