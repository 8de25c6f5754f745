"""Waiting until replicas have what was just made, changed or published."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from typing import Any

from natslab.commands.leading import FIRST, LATE, PAUSE
from natslab.errors import NoResponders, Timeout
from natslab.servers.jsapi import Api, JetStreamError

NEW = 3.0  # seconds in which the replicas of what was just made come up
SOON = 0.5  # seconds in which they have what was just published
_SEEN = 2e9  # nanoseconds since a replica was heard of, after which it is not just catching up


async def calm(
    api: Api, subject: str, said: dict[str, Any], patience: float, replicas: int = 0
) -> dict[str, Any]:
    """The info `said`, taken again until its replicas have caught up: what was just made or published.

    `subject` gives that info; `replicas` is how many there are to be, where that has just changed.
    After `patience` seconds it is shown as it is.
    """
    end = time.monotonic() + patience
    wait = FIRST
    while _restless(said.get("cluster") or {}, replicas) and time.monotonic() < end:
        await asyncio.sleep(PAUSE)
        try:
            again = await api.call(subject, timeout=min(wait, api.timeout))
        except (Timeout, NoResponders, JetStreamError):
            wait = min(wait * 1.5, LATE)
            continue
        said = {**said, **again}
    return said


def _restless(cluster: Mapping[str, Any], wanted: int) -> bool:
    """Whether a replica is catching up, and not merely gone."""
    found = 1 + len(cluster.get("replicas") or [])
    if cluster.get("name") and wanted and (found != wanted or cluster.get("desired")):
        return True
    if not cluster.get("raft_group"):
        return False
    return not cluster.get("leader") or any(
        not r.get("offline") and (not r.get("current") or r.get("lag")) and int(r.get("active") or 0) < _SEEN
        for r in cluster.get("replicas") or []
    )


async def made_of(api: Api, config: dict[str, Any]) -> dict[str, Any]:
    """Make the stream; its info once its replicas are there."""
    name = config["name"]
    return await calm(api, f"STREAM.INFO.{name}", await api.call(f"STREAM.CREATE.{name}", config), NEW)
