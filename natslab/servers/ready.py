"""Waiting until servers that belong together work together: before, JetStream refuses to create anything."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from natslab.errors import ServerError, joined

if TYPE_CHECKING:
    from natslab.servers.fleet import Fleet

STEP = 0.01  # seconds between two looks, while nobody else has anything to do
PATIENCE = 60.0  # seconds; measured 0.3 for 3 servers, 9 for two clusters


async def ready(fleet: Fleet, waits: Callable[[str], None], patience: float = PATIENCE) -> None:
    """Wait until JetStream's meta group has every server of the clusters, and every leafnode its hub.

    Servers that are down are not waited for. `waits` is told what is waited for whenever that changes.
    Raises ServerError after `patience` seconds.
    """
    end = time.monotonic() + patience
    told = ""
    while True:
        missing = await _missing_of_meta(fleet) or await _missing_of_leafs(fleet)
        if not missing:
            return
        if missing != told:
            told = missing
            waits(missing)
        if time.monotonic() > end:
            raise ServerError(
                f"The servers did not get together within {patience:.0f} s: {missing}.",
                "`%natslab status` shows them, `%natslab log` what they say.",
            )
        await asyncio.sleep(STEP)


def _running(fleet: Fleet, names: list[str]) -> list[str]:
    return [name for name in names if fleet.servers[name].state in ("up", "lame duck")]


async def meta(fleet: Fleet, name: str) -> dict[str, Any]:
    """What a server says of JetStream's meta group (its jsz); empty when it says nothing."""
    with contextlib.suppress(ServerError):
        said: dict[str, Any] = (await fleet.ask(name, "jsz")).get("meta_cluster") or {}
        return said
    return {}


async def _missing_of_meta(fleet: Fleet) -> str:
    clustered = [name for names in fleet.topology.clusters.values() for name in names]
    names = _running(fleet, clustered)
    if not names:
        return ""
    leader = (await meta(fleet, names[0])).get("leader", "")
    if not leader or leader not in fleet.servers:
        return "no server leads JetStream's meta group yet"
    said = await meta(fleet, leader)
    if said.get("leader") != leader:
        return "no server leads JetStream's meta group yet"
    # Only the leader knows who follows it.
    current = {one["name"] for one in said.get("replicas") or [] if one.get("current")} | {leader}
    late = [name for name in names if name not in current]
    if late:
        return f"{joined(late)} {'is' if len(late) == 1 else 'are'} not in JetStream's meta group yet"
    if said.get("cluster_size", 0) < len(names):
        return "JetStream's meta group is not complete yet"
    return ""


async def _missing_of_leafs(fleet: Fleet) -> str:
    for hub in _running(fleet, sorted(set(fleet.topology.hubs.values()))):
        edges = _running(fleet, [edge for edge, to in fleet.topology.hubs.items() if to == hub])
        leafs = (await fleet.ask(hub, "leafz")).get("leafs") or []
        late = sorted(set(edges) - {str(leaf.get("name")) for leaf in leafs})
        if late:
            return f"{joined(late)} {'is' if len(late) == 1 else 'are'} not connected to {hub} yet"
    return ""
