"""The topology view as a table."""

from __future__ import annotations

from collections.abc import Iterator

from natslab.views.topology.labels import named, standing, totals
from natslab.views.topology.seen import Seen, accounts_of, bundles, rate, seen, singles, up_of, waiting
from natslab.views.topology.sides import Group, sides_of, voters
from natslab.views.topology.state import Node, State, Wire
from natslab.views.topology.words import left_of, there_are, word_of, words_of
from natslab.views.view import Table
from natslab.views.wording import amount, count_of, listed, plain


def table(state: State) -> Table:
    """A row per server, per wire or pair of clusters, per account; and all together."""
    found = Table(columns=["what", "kind", "state", "clients", "per second", "note"], rows=[], keys=[])
    all_ = seen(state)

    def row(key: str, *cells: str) -> None:
        found.rows.append([plain(c) for c in cells])
        found.keys.append(key)

    if not all_.nodes:
        if state.of and state.nodes:
            row("nothing/", state.of[0], "", "not there", "", "", there_are(state))
        return found

    for box in all_.plan.boxes:
        for node in box.nodes:
            clients = amount(len(all_.clients(node.name))) if node.state != "removed" else ""
            facts = "; ".join(_facts(all_, box.group, node))
            row(f"srv/{node.name}", node.name, _kind(box.group), node.state, clients, "", facts)
    for a, b, wires in bundles(all_):
        there = sum(w.there for w in wires)
        name, pace = f"{a.name} – {b.name}", _pace(all_, *wires)
        note = count_of(there, "connection")
        row(f"gw/{a.name}>{b.name}", name, "gateways", _stands(wires), "", pace, note)
    for wire in singles(all_):
        row(wire.key, f"{wire.a} – {wire.b}", wire.type, standing(wire), "", _pace(all_, wire),
            ", ".join(_notes(state, wire)))  # fmt: skip
    for name in accounts_of(state):
        count = sum(c.account == name for c in state.clients.values())
        row(f"acct/{name}", name, "account", "", amount(count), "", _imports(state, name))
    row("total/", "all", "", "", amount(all_.count), "", ", ".join(_all(all_)))
    return found


def _stands(wires: list[Wire]) -> str:
    """What the gateways between two clusters do."""
    shut, slow = [w for w in wires if w.blocked], [w for w in wires if w.state == "delayed"]
    if shut:
        return f"{len(shut)} of {len(wires)} {word_of(shut)}"
    if slow:
        return standing(slow[0])
    return "open" if any(w.there for w in wires) else "not connected"


def _kind(group: Group) -> str:
    if group.cluster:
        return f"server of {group.name}"
    return "leafnode" if group.leaf else "server"


def _facts(all_: Seen, group: Group, node: Node) -> Iterator[str]:
    if all_.leads(group) == node.name:
        yield "leads meta"
    if node.says and node.says != node.cluster:
        yield f"says cluster {node.says}"
    if node.domain:
        yield f"domain {node.domain}"
    names = [c.label for c in all_.clients(node.name)]
    if names and node.state != "removed":
        yield named(names)


def _notes(state: State, wire: Wire) -> Iterator[str]:
    subjects = up_of(wire)
    if subjects:
        many = f"{len(subjects)} subjects like " if len(subjects) > 4 else ""
        yield f"{many}{listed(subjects[:4])} to {wire.b}"
    if 2 < len(subjects) < 5:
        yield count_of(len(subjects), "subject")
    if waiting(state, wire) > 0:
        yield f"{amount(waiting(state, wire))} stored since"
    if wire.why:
        yield wire.why


def _pace(all_: Seen, *wires: Wire) -> str:
    found = rate(all_, *wires)
    if found is None:
        return ""
    there, back = (amount(round(r)) for r in found)
    return f"{there} →, {back} ←"


def _imports(state: State, name: str) -> str:
    account = state.accounts.get(name)
    imports = account.imports[:4] if account is not None else []
    return ", ".join(f"{kind} {subject} of {other}" for kind, other, subject, _ in imports)


def _all(all_: Seen) -> Iterator[str]:
    """What there is to say of all together; every number of the sentence that is in no other row."""
    yield totals(all_)
    hidden = [n.name for n in all_.nodes if n.name not in all_.plan.places]
    if hidden:
        yield f"{count_of(len(hidden), 'server')} not drawn: {listed(hidden)}"
        yield " ".join(words_of(all_))
    clusters = [g for g in all_.groups if g.cluster]
    shut = [w for w in all_.wires if w.blocked]
    if len(clusters) > 1:
        yield f"{len(clusters)} clusters"
    if clusters and len(all_.groups) > 1:
        yield ", ".join(f"{len(group.nodes)} in {group.name}" for group in clusters)
    for group in clusters:
        sides = sides_of(group, all_.wires)
        if len(sides) > 1:
            sizes = listed([str(len(s)) for s in sides])
            yield f"{group.name} in {len(sides)} parts: {sizes} of {voters(group.domain, all_.groups)}"
        elif any(w.type == "gateway" for w in shut):
            yield f"{sum(n.live for n in group.nodes)} up in {group.name}"
    for domain in sorted({g.domain for g in clusters}):
        alive, count = left_of(all_, domain)
        if alive < count or any(w.type == "gateway" for w in shut):
            yield f"{alive} of {count} in the meta group"
    routes = [w for w in all_.wires if w.type == "route"]
    there = sum(w.there for w in routes)
    size = len(clusters[0].nodes) if len(clusters) == 1 else 0
    if there < size * (size - 1) // 2:
        yield f"{there} of {size * (size - 1) // 2} routes"
    if shut:
        yield f"{count_of(len(shut), 'wire')} {word_of(shut)}"
    lost = sum(c.lost for c in all_.state.clients.values())
    if lost:
        yield f"{count_of(lost, 'client')} without a server"
    slow = [w for w in all_.wires if w.state == "delayed"]
    if len(slow) > 1:
        yield f"1 and {len(slow) - 1} wires delayed"
