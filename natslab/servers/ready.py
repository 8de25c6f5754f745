"""Waiting until servers that belong together work together: before, JetStream refuses to create anything."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import nats.errors
from nats.aio.msg import Msg

from natslab.errors import ServerError, joined
from natslab.servers.reach import middle, reached, states, wires

if TYPE_CHECKING:
    from natslab.servers.fleet import Fleet

STEP = 0.01  # seconds between two looks, while nobody else has anything to do
_INTRODUCED = 2.0  # seconds; measured 0.002
PATIENCE = 60.0  # seconds; measured 0.3 for 3 servers, 9 for two clusters


async def ready(fleet: Fleet, waits: Callable[[str], None], patience: float = PATIENCE) -> None:
    """Wait until JetStream's meta group has every server of the clusters, and every leafnode its hub.

    Servers that are down, or cut off from most others, are not waited for. `waits` is told what
    is waited for whenever that changes.

    Raises ServerError after `patience` seconds.
    """
    end = time.monotonic() + patience
    told = ""
    while True:
        missing = await _missing_of_meta(fleet) or await _missing_of_leafs(fleet)
        if not missing:
            await _introduced(fleet)
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


def running(fleet: Fleet, names: list[str]) -> list[str]:
    """Those of the servers that can answer."""
    return [name for name in names if fleet.servers[name].state in ("up", "lame duck")]


async def meta(fleet: Fleet, name: str) -> dict[str, Any]:
    """What a server says of JetStream's meta group (its jsz); empty when it says nothing."""
    with contextlib.suppress(ServerError):
        said: dict[str, Any] = (await fleet.ask(name, "jsz")).get("meta_cluster") or {}
        return said
    return {}


async def _missing_of_meta(fleet: Fleet) -> str:
    clustered = [name for names in fleet.topology.clusters.values() for name in names]
    together = reached(middle(fleet), states(fleet), wires(fleet))
    names = [name for name in running(fleet, clustered) if name in together]
    if len(clustered) < 2 or not names:
        return ""  # one alone waits for a second in vain
    leader = (await meta(fleet, names[0])).get("leader", "")
    if leader not in fleet.servers:
        return _NO_LEADER
    said = await meta(fleet, leader)
    if said.get("leader") != leader:
        return _NO_LEADER
    # Only the leader knows who follows it, and each server itself whether it has caught up: what it is
    # asked before that is lost (measured).
    replicas = said.get("replicas") or []
    current = {one["name"] for one in replicas if one.get("current") and not one.get("offline")}
    healthy = await asyncio.gather(*(_is_healthy(fleet, name) for name in names))
    late = [
        name for name, well in zip(names, healthy, strict=True) if not well or name not in current | {leader}
    ]
    if late:
        return f"{joined(late)} {'is' if len(late) == 1 else 'are'} not in JetStream's meta group yet"
    if said.get("cluster_size", 0) < len(names):
        return "JetStream's meta group is not complete yet"
    return ""


async def _introduced(fleet: Fleet) -> None:
    """Let every server tell the others how much room it has, and wait until the meta leader has heard it.

    They do by themselves, now and then; until then the leader gives a server that has just come nothing
    to keep ("peer offline", measured).
    """
    names = running(fleet, [name for members in fleet.topology.clusters.values() for name in members])
    if len(names) < 2:
        return
    leader = (await meta(fleet, names[0])).get("leader", names[0])
    missing = {fleet.servers[name].id for name in names}
    heard = asyncio.Event()

    async def hear(msg: Msg) -> None:
        missing.discard(msg.subject.split(".")[2])
        if not missing:
            heard.set()

    with contextlib.suppress(ServerError, TimeoutError, nats.errors.Error):
        system = await fleet.system(leader)
        sub = await system.subscribe("$SYS.SERVER.*.STATSZ", cb=hear)
        try:
            async with asyncio.timeout(_INTRODUCED):
                await system.publish("$SYS.REQ.SERVER.PING.STATSZ", b"")  # no reply: tell everybody
                await heard.wait()
                await asyncio.sleep(STEP)  # the leader reads it when we do
        finally:
            await sub.unsubscribe()


_NO_LEADER = "no server leads JetStream's meta group yet"


async def _is_healthy(fleet: Fleet, name: str) -> bool:
    with contextlib.suppress(ServerError):
        return bool((await fleet.ask(name, "healthz")).get("status") == "ok")
    return False


async def _missing_of_leafs(fleet: Fleet) -> str:
    leafs = running(fleet, list(fleet.topology.hubs))
    late = []
    for name in leafs:
        hubs = running(fleet, list(fleet.topology.hubs[name]))
        # A leafnode says of itself whether it has its hub.
        if hubs and not (await fleet.ask(name, "leafz")).get("leafs"):
            late.append(name)
    return f"{joined(late)} {'is' if len(late) == 1 else 'are'} not connected to the hub yet" if late else ""
