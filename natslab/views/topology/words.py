"""The topology view in a sentence: what is wrong, else what is connected; what that means in the note."""

from __future__ import annotations

from collections.abc import Iterator

from natslab.views.scene import shorten, text_width
from natslab.views.topology.labels import named, span
from natslab.views.topology.seen import Seen, hub_of, seen, up_of, waiting
from natslab.views.topology.sides import Group, between, sides_of, voters
from natslab.views.topology.state import Meta, Node, State, Wire, leader_of, natural
from natslab.views.view import unheard
from natslab.views.wording import NOTE, SENTENCE, count_of, in_words, listed, plain, short_name

ROOM = 852.0  # pixels of a line
Said = tuple[str, str]  # the sentence, and what it means


def describe(state: State) -> tuple[str, str]:
    """What is wrong, else what is connected; what that means in the note. No times and no rates."""
    return words_of(seen(state))


def words_of(all_: Seen) -> tuple[str, str]:
    """The sentence and the note for what is shown."""
    state = all_.state
    if not all_.nodes and state.of and state.nodes:
        return f"There is no server or cluster called {short_name(state.of[0], 30)}.", there_are(state)
    if unheard(state):
        return unheard(state), _gone(all_)
    if not all_.nodes:
        return "There is no server yet.", "Start one: %natslab up"
    said = list(_findings(all_)) or [_calm(all_)]
    sentence, notes = said[0][0], [said[0][1]]
    if len(said) > 1 and text_width(f"{sentence} {said[1][0]}", "t16") <= ROOM:
        sentence = f"{sentence} {said[1][0]}"
        notes.append(said[1][1])
    note = ""
    for piece in filter(None, notes):
        if len(f"{note} {piece}") <= NOTE:
            note = f"{note} {piece}".strip()
    return shorten(sentence, ROOM, "t16"), shorten(note, ROOM, "t13")


def there_are(state: State) -> str:
    """The servers and clusters that there are, where none of them was meant."""
    there = {n.cluster or n.name for n in state.nodes.values() if n.state != "removed"}
    names = named(sorted(there, key=natural), 6) if there else ""
    return f"There {'is' if len(there) == 1 else 'are'} {names}." if names else ""


def _gone(all_: Seen) -> str:
    frozen = [n.name for n in all_.nodes if n.state == "frozen"]
    if frozen:
        return (
            f"Connections stay open and nothing answers. Let it go on: %natslab thaw {short_name(frozen[0])}"
        )
    down = [n.name for n in all_.nodes if n.state == "down"]
    return f"Start it again: %natslab restart {short_name(down[0])}" if len(down) == 1 else ""


def _are(names: list[str]) -> str:
    return "is" if len(names) == 1 else "are"


# --- what is not as it should be --------------------------------------------------------------


def _findings(all_: Seen) -> Iterator[Said]:
    """What is not as it should be, each with what it means; the worst first."""
    told: set[str] = set()
    for group in all_.groups:
        yield from _fallen(all_, group, told)
    yield from _strays(all_)
    yield from _bridges(all_, told)
    yield from _tethers(all_, told)
    alone = [w for w in all_.wires if w.blocked and w.key not in told]
    if alone:
        yield _single(alone)
    yield from _servers(all_)
    yield from _meta(all_)
    slow = [w for w in all_.wires if w.state == "delayed"]
    if slow:
        who = f"between {short_name(slow[0].a, 20)} and {short_name(slow[0].b, 20)}"
        more = f" and on {count_of(len(slow) - 1, 'more wire')}" if len(slow) > 1 else ""
        means = "That much each way: an answer comes twice as late."
        yield f"What passes {who}{more} takes {span(slow[0].delay)} longer.", means
    lost = sum(c.lost for c in all_.state.clients.values())
    if lost:
        yield f"{count_of(lost, 'client')} {'looks' if lost == 1 else 'look'} for another server.", ""


def word_of(wires: list[Wire]) -> str:
    """Whether some wires are cut or only held."""
    return "held" if all(w.state == "held" for w in wires) else "cut"


def _fallen(all_: Seen, group: Group, told: set[str]) -> Iterator[Said]:
    """A cluster in parts."""
    sides = sides_of(group, all_.wires) if group.cluster else []
    if len(sides) < 2:
        return
    inside = [w for w in all_.wires if w.blocked and w.a in group.names and w.b in group.names]
    told.update(w.key for w in inside)
    small, large = sides[-1], sides[0]
    said = f"{named(small)} {_are(small)} cut off from {named(large)}."
    if len(sides) > 2:
        parts = listed([named(side, 3) for side in sides[:4]])
        said = f"{short_name(group.name, 20)} is in {len(sides)} parts: {parts}."
        if len(said) > SENTENCE:
            said = f"{short_name(group.name, 20)} is in {len(sides)} parts."
    elif word_of(inside) == "held":
        said = f"{named(small)} {_are(small)} kept from {named(large)}: the wires are held."
    count = voters(group.domain, all_.groups)
    can = next((s for s in sides if 2 * len(s) > count), [])
    means = f"No part has more than half of the {count} servers: JetStream waits, core NATS goes on in each."
    if can:
        means = f"{named(can)} {_are(can)} {len(can)} of {count}, a majority: JetStream can go on there only."
    yield said, means


def _strays(all_: Seen) -> Iterator[Said]:
    """Servers that are in a cluster of another name than the lab gave them, by their own word."""
    for group in all_.groups:
        others = sorted({n.cluster for n in group.nodes if n.cluster != group.name}, key=natural)
        if not group.cluster or not others:
            continue
        who, does = named(group.names), "says" if len(group.nodes) == 1 else "say"
        where = f"cluster {short_name(group.name, 20)}, not in {short_name(others[0], 20)}"
        count = sum(g.cluster for g in all_.groups)
        means = "Only servers that give one name of their cluster make routes: look into %natslab conf"
        it = "it is" if len(group.nodes) == 1 else "they are"
        yield (
            f"{who} {does} that {it} in {where}: there are {in_words(count)} clusters.",
            f"{means} {short_name(group.names[0], 20)}",
        )


def _bridges(all_: Seen, told: set[str]) -> Iterator[Said]:
    """Clusters between which no gateway lets anything through, or only some."""
    core = [g for g in all_.groups if not g.leaf]
    for i, a in enumerate(core):
        for b in core[i + 1 :]:
            wires = [w for w in between(all_.wires, a, b) if w.type == "gateway"]
            shut = [w for w in wires if w.blocked]
            if not shut:
                continue
            told.update(w.key for w in shut)
            names = f"{short_name(a.name, 20)} and {short_name(b.name, 20)}"
            if len(shut) < len(wires):
                are = "is" if len(shut) == 1 else "are"
                said = f"{len(shut)} of {len(wires)} wires between {names} {are} {word_of(shut)}."
                yield said, "The gateways can still use the others."
            elif word_of(shut) == "held":
                yield f"{names} are kept from each other: the gateways are held.", _majority(all_, a, b)
            else:
                yield f"{names} are cut off from each other.", _majority(all_, a, b)


def _majority(all_: Seen, a: Group, b: Group) -> str:
    count = voters(a.domain, all_.groups)
    for group in (a, b):
        alive = sum(node.live for node in group.nodes)
        if 2 * alive > count:
            who = short_name(group.name, 20)
            return f"{who} has {alive} of {count} servers: only there streams can be made or changed."
    return f"Neither has more than half of the {count} servers: no stream can be made or changed."


def _tethers(all_: Seen, told: set[str]) -> Iterator[Said]:
    """Leafnodes that do not reach their hub."""
    for leaf in [g for g in all_.groups if g.leaf]:
        hub = hub_of(all_, leaf)
        wires = between(all_.wires, leaf, hub) if hub is not None else []
        shut = [w for w in wires if w.blocked]
        if hub is None or not shut or len(shut) < len(wires):
            continue
        told.update(w.key for w in shut)
        who, whom, lost = short_name(leaf.name, 20), short_name(hub.name, 20), up_of(shut[0])
        what = ""
        if 0 < len(lost) < 3:
            names = listed([short_name(subject, 24) for subject in lost])
            what = f": {names} no longer {'reaches' if len(lost) == 1 else 'reach'} {whom}"
        elif lost:
            what = f": {len(lost)} subjects, like {short_name(lost[0], 20)}, no longer reach {whom}"
        said = f"{who} is cut off from {whom}{what}."
        if word_of(shut) == "held":
            said = f"{who} is kept from {whom}: the wire is held."
        count = waiting(all_.state, shut[0])
        means = "Its clients still hear each other."
        if leaf.domain and leaf.domain != hub.domain:
            since = f": {count_of(count, 'message')} since then" if count > 0 else ""
            means = f"Its own JetStream goes on storing{since}."
        yield said if len(said) <= SENTENCE else f"{who} is cut off from {whom}.", means


def _single(wires: list[Wire]) -> Said:
    """Wires that let nothing through while no part is kept from another as a whole."""
    wire = wires[0]
    a, b = short_name(wire.a, 20), short_name(wire.b, 20)
    means = f"A message takes one route at most: clients of {a} and {b} do not hear each other."
    if len(wires) > 1:
        mixed = {w.state for w in wires} == {"cut", "held"}
        word = "cut or held" if mixed else wire.state
        return f"{len(wires)} wires are {word}.", means if wire.type == "route" else ""
    return f"The wire between {a} and {b} is {wire.state}.", means if wire.type == "route" else ""


def left_of(all_: Seen, domain: str) -> tuple[int, int]:
    """How many servers of the meta group of a domain serve, and how many there are."""
    alive = sum(n.live for g in all_.groups if g.cluster for n in g.nodes if n.domain == domain)
    return alive, voters(domain, all_.groups)


def _servers(all_: Seen) -> Iterator[Said]:
    words = {"lame duck": "leaving", "starting": "starting", "down": "down", "frozen": "frozen"}
    found: dict[str, list[Node]] = {}
    for node in all_.nodes:
        if node.state in words:
            found.setdefault(node.state, []).append(node)
    for state in ("down", "frozen", "lame duck", "starting"):
        nodes = found.get(state, [])
        if not nodes:
            continue
        names = [n.name for n in nodes]
        means = ""
        group = next(g for g in all_.groups if nodes[0] in g.nodes)
        if state == "frozen":
            means = "Frozen is not down: connections stay open, so that nobody notices at once."
        elif state == "lame duck":
            means = "It sends its clients away, one by one, and then ends."
        elif state == "down" and group.cluster and len(group.nodes) > 1:
            alive, count = left_of(all_, group.domain)
            means = f"{alive} of {count} servers are left, "
            means += (
                "a majority: JetStream goes on." if 2 * alive > count else "no majority: JetStream waits."
            )
        yield f"{named(names)} {_are(names)} {words[state]}.", means


def _meta(all_: Seen) -> Iterator[Said]:
    for domain, meta in all_.state.meta.items():
        groups = [g for g in all_.groups if g.cluster and g.domain == domain]
        if groups and (meta.lost or not any(all_.leads(g) for g in groups)) and not all_.state.of:
            if not meta.lost and leader_of(all_.state, domain):
                yield (
                    "The meta group waits for a new leader.",
                    "Until there is one, no stream can be made or changed.",
                )
            else:
                yield _unled(all_, domain, meta)


def _unled(all_: Seen, domain: str, meta: Meta) -> Said:
    """Nobody leads the meta group: not yet, or no more."""
    alive, count = left_of(all_, domain)
    if meta.led or meta.lost or 2 * alive <= count:
        return "Nobody leads the meta group.", "Until somebody does, no stream can be made or changed."
    if count == 1:
        return "JetStream of a cluster waits for a second server.", "Add one: %natslab add"
    return (
        "The servers are electing a leader for JetStream's meta group.",
        "It decides what streams there are; until it is elected, none can be made or changed.",
    )


# --- what is connected ------------------------------------------------------------------------


def _calm(all_: Seen) -> Said:
    leafs = [g for g in all_.groups if g.leaf]
    core = [g for g in all_.groups if not g.leaf]
    clusters = [g for g in core if g.cluster]
    if leafs and core:
        hubs = {hub.name for hub in (hub_of(all_, g) for g in leafs) if hub is not None}
        names, reach = named([g.name for g in leafs], 3), "reaches" if len(leafs) == 1 else "reach"
        hub = short_name(next(iter(hubs)), 20) if len(hubs) == 1 else "their hubs"
        there = all(any(w.there for w in all_.wires if {w.a, w.b} & set(g.names)) for g in leafs)
        if not there:
            reach = "does not reach" if len(leafs) == 1 else "do not all reach"
        means = "A leafnode dials out. Only what the other side asks for passes."
        return f"{names} {reach} {hub}{_clients(all_)}.", means if there else _why(all_)
    if len(clusters) > 1:
        names = named([g.name for g in clusters], 3)
        if any(w.type == "gateway" and w.there for w in all_.wires):
            means = "Through a gateway passes only what the other cluster asks for."
            return f"{names} are joined by gateways{_clients(all_)}.", means
        return f"{names} are {len(clusters)} clusters that do not know each other.", _why(all_)
    if clusters and len(clusters[0].nodes) > 1:
        return _mesh(all_, clusters[0])
    name, count = short_name(all_.nodes[0].name, 20), all_.count
    if len(all_.nodes) > 1:
        return f"{count_of(len(all_.nodes), 'server')} that do not know each other{_clients(all_)}.", ""
    if not count:
        return f"One server, {name}, and no client yet.", "Connect one: %nats sub 'orders.>' --as billing"
    means = "Clients never talk to each other: everything goes through the server."
    return f"One server, {name}, with {count_of(count, 'client')}.", means


def _mesh(all_: Seen, group: Group) -> Said:
    size, name = len(group.nodes), short_name(group.name, 20)
    routes = [w for w in all_.wires if w.type == "route"]
    if not routes:
        return f"{size} servers in cluster {name}{_clients(all_)}.", ""
    there, mesh = sum(w.there for w in routes), size * (size - 1) // 2
    if all_.state.of and there < mesh:
        return f"{size} servers of cluster {name}{_clients(all_)}.", ""
    if there < mesh:
        means = _why(all_) or "Every server makes a route to every other one."
        return f"{size} servers, and {there} of {mesh} routes between them{_clients(all_)}.", means
    other = "the other" if size == 2 else "every other"
    means = "Nobody relays: a message takes one route at most."
    return f"{size} servers, each with a route to {other}{_clients(all_)}.", means


def _clients(all_: Seen) -> str:
    count = all_.count
    return f"; {count_of(count, 'client is', 'clients are')} connected" if count else "; no client yet"


def _why(all_: Seen) -> str:
    """What a wire without a connection says of itself."""
    text = plain(next((w.why for w in all_.wires if not w.there and w.why), ""))
    return f"{text[0].upper()}{text[1:]}." if text else ""
