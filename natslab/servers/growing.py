"""A lab that gets a server more or a server less while it runs."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import json
import shutil
import time
from typing import TYPE_CHECKING, Any

from natslab.errors import LabError, ServerError, joined, there
from natslab.servers.reach import middle, reached, states, wires
from natslab.servers.ready import meta, running
from natslab.servers.topology import MOST

if TYPE_CHECKING:
    from natslab.servers.fleet import Fleet
    from natslab.servers.server import Server

_ANSWER = 0.3  # seconds; asked while the leader changes, nobody answers
_GONE = 10.0  # seconds until the others have taken a server out of their group; measured below 0.1


async def add(fleet: Fleet, name: str | None = None, cluster: str | None = None) -> Server:
    """Start one more server: of that cluster (the first), or another leafnode; returns it when it is in.

    Raises LabError when it has no place, ServerError when it does not start; then all is as it was.
    """
    old = fleet.topology
    if not old.clusters and not old.hubs:
        raise LabError(
            f"{old.names[0]} was started alone, and is no cluster that another server could join.",
            "A lab that can grow: %natslab down, then %natslab up --cluster",
        )
    if len(old.names) >= MOST:
        raise LabError(f"This lab has {len(old.names)} servers, and holds no more.", "Remove one first.")
    if cluster is not None and cluster not in old.clusters:
        raise LabError(f"There is no cluster {cluster!r}.", there(old.clusters))
    # A name in a lab with leafnodes is a leafnode's, unless the cluster is said.
    into = cluster or ("" if old.hubs and (name or not old.clusters) else next(iter(old.clusters), ""))
    name = name or fleet.fresh_name(into)
    if name in old.names:
        raise LabError(f"There is a server {name!r} already.", "Choose another name, or give none.")
    if into:
        await _decided(fleet, _no_leader(name, "join", "take it in"))
    new = old.with_server(name, into)
    fleet.topology = new
    try:
        links = fleet.wiring.lay(new.links)
        await fleet.wiring.open(links)
        server = fleet.make(name)
        await server.start()
    except BaseException:
        await asyncio.shield(asyncio.ensure_future(_undo(fleet, name)))
        fleet.topology = old
        raise
    await _tell_the_others(fleet, but=name)
    return server


async def _undo(fleet: Fleet, name: str) -> None:
    server = fleet.servers.pop(name, None)
    if server is not None and server.pid:
        with contextlib.suppress(LabError):
            await server.kill()
    await fleet.wiring.remove(name)


async def remove(fleet: Fleet, name: str, *, force: bool = False) -> list[str]:
    """Take a server away for good; returns the streams that have fewer replicas than they should.

    Its group of JetStream servers forgets it first, so that it is no vote that is missing. Raises LabError
    when the lab could not be without it, or, unless `force`, when a stream would be lost with it.
    """
    server = fleet.server(name)
    old = fleet.topology
    if len(fleet.servers) == 1:
        raise LabError(f"{name} is the last server of this lab.", "%natslab down ends the lab.")
    if name in {hub for hubs in old.hubs.values() for hub in hubs} and len(old.home) == 1:
        raise LabError(f"{name} is the hub of the leafnodes.", "%natslab down ends the lab.")
    cluster = old.cluster_of(name)
    if cluster and len(old.clusters[cluster]) == 1:
        raise LabError(f"{name} is the last server of {cluster}.", "%natslab down ends the lab.")
    lost, short = await _streams_of(fleet, name)
    if lost and not force:
        raise LabError(
            f"Only {name} has {joined(lost)}, which would be lost.",
            "Give it more replicas first, or say --force.",
        )
    if cluster:
        await _leave(fleet, server)
    fleet.topology = old.without(name)
    if server.state != "down":
        await server.stop()  # politely: what it leads gets another leader at once
    await asyncio.gather(*fleet.own.close(name), return_exceptions=True)
    await fleet.wiring.remove(name)
    del fleet.servers[name]
    server.removed()
    await asyncio.to_thread(shutil.rmtree, server.folder, ignore_errors=True)
    await _tell_the_others(fleet, but=name)
    if cluster:
        await _replaced(fleet, set(short))
    return short


async def _leave(fleet: Fleet, server: Server) -> None:
    """Take it out of JetStream's meta group. Raises LabError when that has no leader who could do it."""
    await _decided(fleet, _no_leader(server.name))
    clustered = [one for members in fleet.topology.clusters.values() for one in members]
    left = running(fleet, [one for one in clustered if one != server.name])
    size = max([0, *[int((await meta(fleet, one)).get("cluster_size", 0)) for one in left]])
    if len(running(fleet, clustered)) <= size // 2:
        raise _no_leader(server.name)
    if server.state in ("up", "lame duck") and len(left) > size // 2:
        # It goes politely, so that what it leads has another leader at once, and is forgotten then. Of
        # two servers the other alone could not decide that.
        await server.stop()
        try:
            await _forget(fleet, server.name, left)
        except BaseException:
            await asyncio.shield(asyncio.ensure_future(server.start()))
            raise
    else:
        await _forget(fleet, server.name, left)


async def _streams_of(fleet: Fleet, name: str) -> tuple[list[str], list[str]]:
    """Streams that only this server has, and those that then have a replica less than they should."""
    lost, short = set(), set()
    # All replicas of a stream are in one cluster.
    near = fleet.topology.clusters.get(fleet.topology.cluster_of(name), ())
    others = len(running(fleet, [one for one in near if one != name]))
    for one in running(fleet, list(fleet.servers)):
        for stream in await _reported(fleet, one):
            wanted = int((stream.get("config") or {}).get("num_replicas", 1))
            group = stream.get("cluster") or {}
            peers = {group.get("leader", "")} | {r.get("name") for r in group.get("replicas") or []}
            if name not in peers and one != name:
                continue
            if wanted == 1 and (one == name or group.get("leader") == name):
                lost.add(str(stream["name"]))
            elif wanted > others:
                short.add(str(stream["name"]))
    return sorted(lost), sorted(short)


async def _forget(fleet: Fleet, name: str, left: list[str]) -> None:
    end = time.monotonic() + _GONE
    while time.monotonic() < end:
        for one in left:
            leader = (await meta(fleet, one)).get("leader", "")
            if not leader:
                continue
            with contextlib.suppress(ServerError):  # that leader has just gone
                # A leader that takes itself out answers nobody.
                ask = "META.LEADER.STEPDOWN" if leader == name else "SERVER.REMOVE"
                body = b"" if leader == name else json.dumps({"peer": name}).encode()
                connection = await fleet.system(one)
                said = await fleet.own.request(connection, f"$JS.API.{ask}", body, one, _ANSWER)
                if leader != name and ("error" not in said or "not a member" in str(said["error"])):
                    return
        await asyncio.sleep(0.02)
    raise _no_leader(name)


async def _decided(fleet: Fleet, otherwise: LabError) -> None:
    """Raise `otherwise` when no majority of JetStream's servers is up and joined."""
    clustered = [one for members in fleet.topology.clusters.values() for one in members]
    together = reached(middle(fleet), states(fleet), wires(fleet)) & set(clustered)
    size = max([0, *[int((await meta(fleet, one)).get("cluster_size", 0)) for one in together]])
    if len(clustered) > 1 and len(together) <= (size or len(clustered)) // 2:
        raise otherwise


def _no_leader(name: str, act: str = "be removed", do: str = "do it") -> LabError:
    return LabError(
        f"{name} cannot {act} now: JetStream's servers have no leader who could {do}.",
        "A majority of them must be up and joined; see: %natslab status",
    )


async def _replaced(fleet: Fleet, short: set[str]) -> None:
    """Wait until other servers have what the streams need; those in `short` get less than they want."""
    end = time.monotonic() + _GONE
    while time.monotonic() < end:
        if not await _lagging(fleet, short):
            return
        await asyncio.sleep(0.05)


async def _lagging(fleet: Fleet, short: set[str]) -> set[str]:
    """Streams without a leader, or with a replica that is missing or behind."""
    seen, whole = set(), set()
    for one in running(fleet, list(fleet.servers)):
        for stream in await _reported(fleet, one):
            name, group = str(stream["name"]), stream.get("cluster") or {}
            seen.add(name)
            replicas = group.get("replicas") or []
            wanted = int((stream.get("config") or {}).get("num_replicas", 1))
            enough = name in short or len(replicas) + 1 >= wanted
            if enough and group.get("leader") == one and all(r.get("current") for r in replicas):
                whole.add(name)
    return seen - whole


async def _reported(fleet: Fleet, server: str) -> list[dict[str, Any]]:
    """The streams that a server reports; none when it does not answer."""
    try:
        return await fleet.streams(server, config=True)
    except ServerError:
        return []


async def _tell_the_others(fleet: Fleet, but: str) -> None:
    """Give every server the routes that lead to the others now; those that cannot be told have them later.

    A configuration that a person wrote is left alone, and so is what a running server cannot change.
    """
    new = fleet.configs()
    for name, server in fleet.servers.items():
        if name == but or new[name].cluster == server.config.cluster:
            continue
        changed = dataclasses.replace(server.config, cluster=new[name].cluster)
        if server.state == "up" and not server.own_text:
            with contextlib.suppress(ServerError):
                await server.reload(changed)
                continue
        server.config = changed
