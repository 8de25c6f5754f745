"""How each event changes what the topology view knows."""

from __future__ import annotations

from typing import Any

from natslab.tape.event import Conn, Event, Hop, Leader, Link, Quorum, Server, Snap, Store
from natslab.views.topology.state import (
    ACCOUNTS,
    CLIENTS,
    FLOWN,
    OWN,
    SAMPLES,
    SERVERS,
    STREAMS,
    WIRES,
    Account,
    Client,
    Meta,
    Node,
    Sample,
    State,
    Step,
    Wire,
    leader_of,
    natural,
    wire_of,
)
from natslab.views.view import fold_common

META = "_meta_"
LINKS = {"routez": "route", "gatewayz": "gateway", "leafz": "leafnode"}
#: Subjects of NATS itself, which every leafnode asks for.
MACHINERY = ("$", "_INBOX", "_NATSLAB", "_GR_", "_R_")
SUBJECTS = 40


def fold(state: State, event: Event) -> None:
    """Take one event into account."""
    fold_common(state, event)
    if isinstance(event, Server):
        _server(state, event)
    elif isinstance(event, Link):
        _link(state, event)
    elif isinstance(event, Conn):
        _conn(state, event)
    elif isinstance(event, Hop):
        _hop(state, event)
    elif isinstance(event, Leader):
        if event.group == META:
            _leader(state, event)
    elif isinstance(event, Quorum):
        if event.group == META:
            _meta(state, event.place).lost = event.lost
    elif isinstance(event, Store):
        _store(state, event)
    elif isinstance(event, Snap):
        _snap(state, event)


def _server(state: State, event: Server) -> None:
    node = state.nodes.get(event.name)
    if node is None:
        if event.state == "removed" or len(state.nodes) >= SERVERS:
            return
        node = state.nodes[event.name] = Node(name=event.name, since=event.t)
    if event.state != node.state:
        node.since = event.t
    node.state = event.state
    node.cluster, node.domain = event.cluster or node.cluster, event.domain or node.domain
    node.version = event.version or node.version
    if not node.live and event.state != "frozen":
        # What it said is over.
        node.says = ""
        state.reports.pop(event.name, None)
        for meta in state.meta.values():
            meta.said.pop(event.name, None)
        for wire in state.wires.values():
            wire.said.pop(event.name, None)
    if event.state == "removed":
        for label in [c.label for c in state.clients.values() if c.place == event.name]:
            del state.clients[label]
        for key in [k for k, w in state.wires.items() if event.name in (w.a, w.b) and not w.laid]:
            del state.wires[key]


def _link(state: State, event: Link) -> None:
    key = f"{event.a}>{event.b}"
    if event.state == "removed":
        state.wires.pop(key, None)
        return
    wire = state.wires.get(key)
    if wire is None:
        other = state.wires.pop(f"{event.b}>{event.a}", None)
        if len(state.wires) >= WIRES:
            return
        wire = state.wires[key] = Wire(a=event.a, b=event.b, since=event.t)
        if other is not None:
            wire.said, wire.subjects, wire.account = other.said, other.subjects, other.account
    if event.state != wire.state:
        wire.since = event.t
        passes = event.state in ("open", "delayed")
        if passes or not wire.blocked:
            wire.before = {} if passes else dict(state.kept.get(event.a, {}))
            wire.shut = event.t
    wire.laid, wire.type, wire.state = True, event.type, event.state
    wire.delay, wire.connected, wire.why = event.delay, event.connected, event.why


def _conn(state: State, event: Conn) -> None:
    if event.account in OWN:
        return
    client = state.clients.get(event.client)
    if event.state == "closed":
        state.clients.pop(event.client, None)
        return
    if client is None:
        if len(state.clients) >= CLIENTS:
            return
        client = state.clients[event.client] = Client(label=event.client, place=event.place)
    client.own = client.own or event.no > 0
    client.account = event.account or client.account
    client.place = event.place or client.place
    client.lost, client.why = event.state == "lost", event.why
    client.since, client.told, client.listed = event.t, True, False


def _meta(state: State, server: str) -> Meta:
    """The meta group of a server's domain."""
    node = state.nodes.get(server)
    domain = node.domain if node is not None else next(iter(state.meta), "")
    return state.meta.setdefault(domain, Meta())


def _leader(state: State, event: Leader) -> None:
    meta = _meta(state, event.leader or event.place)
    if event.term and event.term < meta.term:
        return
    meta.leader, meta.told, meta.led = event.leader, True, meta.led or bool(event.leader)
    meta.term = max(meta.term, event.term, *(term for term, _ in meta.said.values()), 0)


def _store(state: State, event: Store) -> None:
    """A message in a stream of a leafnode; it may be told after the wire was cut, and be older."""
    node = state.nodes.get(event.place)
    if node is None or event.client or event.code or not event.seq:
        return
    name = event.stream.removesuffix(f"@{node.domain}")
    streams = state.kept.setdefault(event.place, {})
    if name in streams or len(streams) < STREAMS:
        streams[name] = max(streams.get(name, 0), event.seq)
    for wire in state.wires.values():
        if wire.a == event.place and wire.blocked and event.t < wire.shut and name in streams:
            wire.before[name] = max(wire.before.get(name, 0), event.seq)


# --- reports of the servers -------------------------------------------------------------------


def _snap(state: State, event: Snap) -> None:
    data = event.data
    if event.what == "connz":
        _connections(state, event)
    elif event.what in LINKS:
        _links(state, event)
    elif event.what == "wire":
        wire = wire_of(state, str(data.get("a", "")), str(data.get("b", "")))
        if wire is not None:
            ab, ba = _int(data, "ab_msgs"), _int(data, "ba_msgs")
            if wire.a != data.get("a"):
                ab, ba = ba, ab
            _count(wire, "wire", Sample(event.t, ab, ba))
    elif event.what == "raft":
        if data.get("group") == META and event.place in state.nodes:
            leader = str(data.get("leader") or "")
            if data.get("state") == "LEADER":
                leader = event.place
            meta = _meta(state, event.place)
            if data.get("gone"):
                meta.said.pop(event.place, None)
                return
            meta.said[event.place] = (_int(data, "term"), leader)
            meta.led = meta.led or bool(leader)
            if leader and leader == leader_of(state, state.nodes[event.place].domain):
                meta.lost = False
    elif event.what == "jsz":
        streams = data.get("streams") or []
        state.kept[event.place] = {
            str(s.get("name", "")): _int(s, "last_seq") for s in streams if isinstance(s, dict)
        }
    elif event.what == "varz":
        if event.place in state.nodes:
            state.nodes[event.place].says = str((data.get("cluster") or {}).get("name", ""))
    elif event.what == "accountz":
        _account(state, data)


def _int(data: dict[str, Any], name: str) -> int:
    value = data.get(name)
    return int(value) if isinstance(value, (int, float)) else 0


def _connections(state: State, event: Snap) -> None:
    """The server's own list of clients; of those that tell of themselves it is only a moment late."""
    listed: set[str] = set()
    for row in event.data.get("connections") or []:
        label = str(row.get("client", ""))
        client = state.clients.get(label)
        if client is None and label and len(state.clients) < CLIENTS:
            client = state.clients[label] = Client(label=label, place=event.place, since=event.t)
        if client is not None and not client.told:
            client.place = event.place
        if client is not None and client.place == event.place:
            client.listed = True
        listed.add(label)
    for label, client in list(state.clients.items()):
        if client.place == event.place and client.listed and label not in listed and not client.lost:
            del state.clients[label]


def _links(state: State, event: Snap) -> None:
    """The server's own list of its routes, gateways or leafnode connections."""
    kind, here = LINKS[event.what], event.place
    found: dict[str, list[dict[str, Any]]] = {}
    for link in event.data.get("links") or []:
        if link.get("to") and link["to"] != here:
            found.setdefault(str(link["to"]), []).append(link)
    for to, links in found.items():
        wire = wire_of(state, here, to)
        if wire is None:
            if len(state.wires) >= WIRES:
                continue
            a, b = sorted((here, to), key=natural)
            wire = state.wires[f"{a}>{b}"] = Wire(a=a, b=b, type=kind, since=event.t)
        wire.said[here] = True
        out, in_ = (sum(_int(link, name) for link in links) for name in ("out_msgs", "in_msgs"))
        # One of the two ends counts: the first, as long as it tells.
        if wire.meter != "wire" and (here == wire.a or not wire.said.get(wire.a)):
            ab, ba = (out, in_) if here == wire.a else (in_, out)
            _count(wire, here, Sample(event.t, ab, ba))
        if kind == "leafnode":
            asked = {str(s) for link in links for s in link.get("subjects") or []}
            wire.subjects[here] = sorted(s for s in asked if not s.startswith(MACHINERY))[:SUBJECTS]
            wire.account = str(links[0].get("account") or wire.account)
    state.reports.setdefault(here, {})[event.what] = sorted(found, key=natural)
    for wire in state.wires.values():
        other = wire.b if wire.a == here else wire.a
        if wire.type == kind and here in (wire.a, wire.b) and other not in found:
            wire.said[here] = False


def _count(wire: Wire, meter: str, sample: Sample) -> None:
    last = wire.samples[-1] if wire.samples else sample
    # A connection that was made anew counts from nothing.
    if meter != wire.meter or sample.ab < last.ab or sample.ba < last.ba or sample.t < last.t:
        wire.samples = []
    wire.meter = meter
    wire.samples = [*wire.samples[1 - SAMPLES :], sample]


def _account(state: State, data: dict[str, Any]) -> None:
    name = str(data.get("account_name", ""))
    if not name or name in OWN or (name not in state.accounts and len(state.accounts) >= ACCOUNTS):
        return
    account = state.accounts.setdefault(name, Account(name=name))
    account.imports = [
        (
            str(one.get("type", "stream")),
            str(one.get("account", "")),
            str(one.get("subject", "")),
            str(one.get("local_subject") or one.get("to") or one.get("subject", "")),
        )
        for one in data.get("imports") or []
        if isinstance(one, dict)
    ]


# --- traced messages --------------------------------------------------------------------------


def _hop(state: State, event: Hop) -> None:
    """A step of a traced message: into a server, to the next one, to a client."""
    here = f"{event.id} {event.place}"
    if event.step == "in" and event.via == "client":
        state.depths[here] = 1
        _step(state, event, f"client/{event.client}", event.place, 0)
    elif event.step == "egress" and not event.error:
        depth = state.depths.get(here, 1)
        if event.via in ("route", "gateway", "leafnode"):
            state.depths[f"{event.id} {event.client}"] = depth + 1
            _step(state, event, event.place, event.client, depth)
        elif event.via == "client":
            _step(state, event, event.place, f"client/{event.client}", depth)
    while len(state.depths) > FLOWN:
        del state.depths[next(iter(state.depths))]


def _step(state: State, event: Hop, a: str, b: str, depth: int) -> None:
    state.steps.append(Step(event.id, event.n, event.t, a, b, depth))
    del state.steps[:-FLOWN]
