"""What each server says of its connections to other servers: routes, gateways, leafnodes."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any, Literal, TypeAlias

from natslab.servers.fleet import Fleet
from natslab.sources.durations import seconds
from natslab.tape.event import Snap
from natslab.tape.tape import Tape

EVERY, SELDOM = 1.0, 5.0  # seconds between two that differ in counts alone: with and without a view open
SUBJECTS = 100  # of a leafnode that are told

What: TypeAlias = Literal["routez", "gatewayz", "leafz"]

_OF: dict[str, What] = {"route": "routez", "gateway": "gatewayz", "leafnode": "leafz"}
_COUNTS = ("in_msgs", "out_msgs", "in_bytes", "out_bytes")


class Between:
    """Puts a Snap routez, gatewayz or leafz on the tape when a connection came or went, or counts changed.

    Servers are named as the lab names them; "" is one that the lab does not know.
    """

    def __init__(self, fleet: Fleet, tape: Tape) -> None:
        self._fleet = fleet
        self._tape = tape
        self._asked: dict[str, float] = {}  # server -> when
        self._told: dict[tuple[str, What], tuple[float, list[dict[str, Any]]]] = {}

    def due(self, server: str) -> list[What]:
        """What that server is to be asked now; counts as asked."""
        now = time.monotonic()
        if len(self._fleet.servers) < 2 or now - self._asked.get(server, 0.0) < EVERY - 0.05:
            return []
        self._asked[server] = now
        types = {pair.type for pair in self._fleet.topology.pairs if server in (pair.a, pair.b)}
        return [what for type, what in _OF.items() if type in types]

    def heard(self, server: str, what: What, said: dict[str, Any], *, watched: bool) -> None:
        """The server's answer."""
        links = sorted(self._links(what, said), key=lambda link: (link["to"], link.get("account", "")))
        at, before = self._told.get((server, what), (0.0, []))
        now = time.monotonic()
        late = now - at >= (EVERY if watched else SELDOM) - 0.05 and _only(before, *_COUNTS) != _only(
            links, *_COUNTS
        )
        if (
            at
            and not late
            and _only(before, "to", "account", "subjects") == _only(links, "to", "account", "subjects")
        ):
            return
        self._told[server, what] = now, links
        self._tape.append(
            Snap(t=self._tape.now(), source="monitor", place=server, what=what, data={"links": links})
        )

    def _links(self, what: What, said: dict[str, Any]) -> Iterator[dict[str, Any]]:
        if what == "routez":
            for route in said.get("routes") or []:
                yield self._link("route", str(route.get("remote_name", "")), [route])
        elif what == "gatewayz":
            ways = [*(said.get("outbound_gateways") or {}).values()]
            ways += [way for ways_in in (said.get("inbound_gateways") or {}).values() for way in ways_in]
            found: dict[str, list[dict[str, Any]]] = {}
            for way in ways:
                connection = way.get("connection") or {}
                found.setdefault(self._name(str(connection.get("name", ""))), []).append(connection)
            for name, connections in found.items():
                yield self._link("gateway", name, connections)
        else:
            for leaf in said.get("leafs") or []:
                wants = [str(subject) for subject in leaf.get("subscriptions_list") or []]
                # What begins so is between servers.
                wants = sorted({subject for subject in wants if not subject.startswith(("$", "_"))})
                link = self._link("leafnode", str(leaf.get("name", "")), [leaf])
                yield link | {"account": str(leaf.get("account", "")), "subjects": wants[:SUBJECTS]}

    def _link(self, type: str, to: str, connections: list[dict[str, Any]]) -> dict[str, Any]:
        counts = {key: sum(int(one.get(key, 0)) for one in connections) for key in _COUNTS}
        rtt = min((seconds(str(one.get("rtt", ""))) for one in connections), default=0.0)
        known = to if to in self._fleet.servers else ""
        return {"to": known, "type": type, **counts, "rtt": round(rtt, 6)}

    def _name(self, id: str) -> str:
        """A gateway names the other server by its id, which is new at every start."""
        return next((server.name for server in self._fleet.servers.values() if server.id == id), "")


def _only(links: list[dict[str, Any]], *keys: str) -> list[dict[str, Any]]:
    return [{key: link.get(key) for key in keys} for link in links]
