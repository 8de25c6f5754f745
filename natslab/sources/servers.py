"""Servers that start, go down, freeze: as the lab's own process control sees it."""

from __future__ import annotations

import time
from collections.abc import Callable

from natslab.servers.fleet import Fleet
from natslab.servers.hub import Hub
from natslab.servers.server import Change
from natslab.tape.event import Server
from natslab.tape.tape import Tape


class Servers:
    """Puts each server's state on the tape, at the start and whenever it changes."""

    def __init__(self, fleet: Fleet, hub: Hub, tape: Tape) -> None:
        self._fleet = fleet
        self._tape = tape
        self._stop: Callable[[], None] | None = None

    async def start(self) -> None:
        """Begin, with the state of every server as it is now."""
        for server in self._fleet.servers.values():
            self._heard(Change(server.name, server.state, server.version, "", time.time()))
        self._stop = self._fleet.listen(self._heard)

    async def stop(self) -> None:
        """End."""
        if self._stop is not None:
            self._stop()
            self._stop = None

    def _heard(self, change: Change) -> None:
        self._tape.append(
            Server(
                t=change.at - self._tape.started,
                source="servers",
                place=change.name,
                name=change.name,
                state=change.state,
                version=change.version,
                why=change.why,
                cluster=self._fleet.topology.cluster_of(change.name),
                domain=self._fleet.topology.domain_of(change.name),
            )
        )
