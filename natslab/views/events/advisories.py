"""What the servers' announcements and counters mean, as entries of the events view."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec

#: Actions of the announcements about a stream or a consumer.
_ACTIONS = {"create": "created", "delete": "deleted", "modify": "changed"}
#: Other announcements: the last word of their type -> kind and verb.
_OTHERS = {
    "snapshot_create": ("stream", "backup begun"),
    "snapshot_complete": ("stream", "backup made"),
    "restore_create": ("stream", "restore begun"),
    "restore_complete": ("stream", "restored"),
    "stream_batch_abandoned": ("stream", "batch abandoned"),
    "consumer_group_pinned": ("consumer", "pinned"),
    "consumer_group_unpinned": ("consumer", "unpinned"),
    "server_out_of_space": ("health", "out of storage"),
    "server_out_of_storage": ("health", "out of storage"),
    "api_limit_reached": ("health", "busy"),
    "domain_leader_elected": ("leader", "leads"),
}
#: Counters of a server that mean something when they grow.
_COUNTERS = {"slow_consumers": "slow consumer", "stalled_clients": "stalled", "stale_connections": "stale"}


class Found(msgspec.Struct):
    """What an announcement tells."""

    kind: str
    verb: str
    item: str
    where: str = ""  # a server
    about: str = ""
    note: str = ""
    count: int = 1
    names: tuple[str, ...] = ()


def advisory(data: dict[str, Any]) -> Found | None:
    """What an announcement means; None for those that other events tell better."""
    kind = str(data.get("type", "")).rpartition(".")[2]
    stream, consumer = str(data.get("stream") or ""), str(data.get("consumer") or "")
    of = f"{stream} {consumer}" if consumer else stream
    names = tuple(n for n in (stream, consumer) if n)
    if kind in ("stream_action", "consumer_action"):
        verb = _ACTIONS.get(str(data.get("action", "")))
        what = "consumer" if kind == "consumer_action" else "stream"
        return Found(what, verb, of, names=names) if verb and of else None
    if kind in (
        "stream_leader_elected",
        "consumer_leader_elected",
        "stream_quorum_lost",
        "consumer_quorum_lost",
    ):
        group = f"consumer {of}" if consumer else f"stream {of}"
        if kind.endswith("lost"):
            return Found("leader", "quorum lost", group, names=names)
        return Found("leader", "leads", group, str(data.get("leader") or ""), names=names)
    if kind == "consumer_pause":
        return Found("consumer", "paused" if data.get("paused") else "goes on", of, names=names)
    if kind == "api_audit":
        return _audit(data)
    if kind == "domain_leader_elected":
        return None  # its leader is a peer id; the RAFT events name it
    if kind in _OTHERS:
        group, verb = _OTHERS[kind]
        note = str(data.get("reason") or data.get("client_id") or "")
        return Found(group, verb, of or str(data.get("server") or ""), note=note, names=names)
    return None


def _audit(data: dict[str, Any]) -> Found | None:
    """A request that changed something of which there is no other announcement."""
    parts = str(data.get("subject", "")).removeprefix("$JS.API.").split(".")
    who = str(data.get("client") or "")
    match parts:
        case ["STREAM", "PURGE", stream]:
            count = int(data.get("purged") or 0)
            return Found("stream", "purged", stream, note=str(count), names=(stream, who))
        case ["STREAM", "MSG", "DELETE", stream]:
            return Found("stream", "message deleted", stream, names=(stream, who))
        case ["STREAM", "LEADER", "STEPDOWN", stream]:
            return Found("leader", "asked to step down", f"stream {stream}", names=(stream, who))
        case ["CONSUMER", "LEADER", "STEPDOWN", stream, consumer]:
            return Found(
                "leader", "asked to step down", f"consumer {stream} {consumer}", names=(stream, consumer)
            )
        case ["META", "LEADER", "STEPDOWN"]:
            return Found("leader", "asked to step down", "meta", names=(who,))
        case ["STREAM", "PEER", "REMOVE", stream]:
            return Found("stream", "replica removed", stream, names=(stream, who))
    return None


def health(known: dict[str, dict[str, int]], server: str, data: dict[str, Any]) -> Iterator[tuple[str, int]]:
    """The counters of a server that grew since it was heard last: what that means, and by how much."""
    before = known.get(server)
    now = {name: int(data.get(name) or 0) for name in _COUNTERS}
    known[server] = now
    for name, verb in _COUNTERS.items():
        # A server that was started again counts from nothing.
        grown = now[name] - (before or {}).get(name, 0)
        if grown > 0 and before is not None:
            yield verb, grown
