"""Short words of the topology view: names, states, ages."""

from __future__ import annotations

from natslab.views.topology.seen import Seen, hub_of
from natslab.views.topology.sides import Group
from natslab.views.topology.state import Wire
from natslab.views.wording import count_of, listed, plain, short_name

LINKS = {"route": "route", "gateway": "gateway connection", "leafnode": "leafnode connection"}


def named(names: list[str], most: int = 4) -> str:
    """Servers in a sentence."""
    shown = [short_name(n, 20) for n in names[:most]]
    more = len(names) - len(shown)
    return listed([*shown, f"{more} more"] if more > 0 else shown)


def age(seconds: float) -> str:
    """How long something lasts: 4.2 s, 38 s, 3 min."""
    seconds = max(0.0, seconds)
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.0f} min"


def span(seconds: float) -> str:
    """A delay: 200 ms, 1.5 s."""
    return f"{1000 * seconds:.0f} ms" if seconds < 0.9995 else f"{seconds:g} s"


def inside(group: Group, name: str) -> str:
    """A server's name inside its cluster: n1 for EAST-n1."""
    return plain((name.removeprefix(f"{group.name}-") if group.cluster else name) or name)


def title_of(group: Group) -> tuple[str, str]:
    """The name of a panel, and a word beside it."""
    if group.cluster:
        return plain(group.name), ""
    if group.domain:
        return plain(group.domain), "domain"
    return ("leafnode" if group.leaf else "server"), ""


def notes_of(all_: Seen, group: Group) -> list[str]:
    """What stands under the name of a panel, the most important first."""
    if not group.cluster:
        if group.leaf:
            hub = hub_of(all_, group)
            dials = [f"dials {plain(hub.name)}"] if hub is not None else []
            return ["leafnode" if group.domain else "no domain", *dials]
        version = group.nodes[0].version
        return (
            ["hub"] if any(g.leaf for g in all_.groups) else [f"version {plain(version)}"] if version else []
        )
    out = [count_of(len(group.nodes), "server")]
    if any(n.cluster != group.name for n in group.nodes):
        says = "says" if len(group.nodes) == 1 else "say"
        out.insert(0, f"{named(group.names)} {says} cluster {plain(group.name)}")
    if all_.leads(group):
        out.append(f"{inside(group, all_.leads(group))} leads meta")
    if group.domain and group.domain != group.name:
        out.append(f"domain {plain(group.domain)}")
    return out


def standing(wire: Wire) -> str:
    """What a wire does, in a few words."""
    if wire.state == "delayed":
        return f"delayed {span(wire.delay)}"
    if wire.blocked:
        return wire.state
    return "open" if wire.there else "not connected"


def totals(all_: Seen) -> str:
    """How many of everything."""
    counts = [count_of(len(all_.nodes), "server")]
    for type_, one in LINKS.items():
        if any(w.type == type_ for w in all_.wires):
            counts.append(count_of(sum(w.there and w.type == type_ for w in all_.wires), one))
    return ", ".join(counts)
