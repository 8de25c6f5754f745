"""What a stream would lose by an update: the server removes what new limits leave no room for, unasked.

Measured on nats-server 2.15: with discard old an update applies max_msgs and max_bytes at once, with discard
new it leaves what is there; max_msgs_per_subject and max_age are applied with either.
"""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from typing import Any

from natslab.commands.config_body import span
from natslab.commands.server import size
from natslab.servers.jsapi import Api


async def subjects_of(api: Api, stream: str, filter: str) -> dict[str, int]:
    """Subject -> messages; the server gives at most 100 000 a page."""
    counts: dict[str, int] = {}
    while True:
        said = await api.call(
            f"STREAM.INFO.{stream}", {"subjects_filter": filter or ">", "offset": len(counts)}
        )
        page = said["state"].get("subjects") or {}
        counts |= page
        if not page or len(counts) >= said.get("total", 0):
            return counts


async def loss(api: Api, before: Mapping[str, Any], wanted: Mapping[str, Any]) -> str:
    """Which messages an update from the stream's info `before` to the configuration `wanted` would remove.

    A part of a sentence, e.g. "7 of 8 messages (max_msgs 1)"; "" when it removes none.
    """
    config, state = before["config"], before["state"]
    held = int(state["messages"])
    if not held:
        return ""
    found = []
    if wanted.get("discard", "old") == "old":
        most, room = int(wanted.get("max_msgs") or -1), int(wanted.get("max_bytes") or -1)
        if 0 < most < held:
            found.append(f"{held - most:,} of {_many(held)} (max_msgs {most})")
        if 0 < room < state["bytes"]:
            found.append(f"the oldest messages until at most {size(room)} of {size(state['bytes'])} are left")
    each, old = (int(c.get("max_msgs_per_subject") or -1) for c in (wanted, config))
    if each > 0 and (old <= 0 or each < old):
        counts = await subjects_of(api, config["name"], ">")
        if more := sum(max(0, n - each) for n in counts.values()):
            found.append(f"{more:,} of {_many(held)} (max_msgs_per_subject {each})")
    age, was = int(wanted.get("max_age") or 0), int(config.get("max_age") or 0)
    if age > 0 and (not was or age < was) and _age(state["first_ts"]) > age:
        found.append(f"every message older than {span(age)} (max_age)")
    return " and ".join(found)


def _many(n: int) -> str:
    return f"{n:,} message{'s' * (n != 1)}"


def _age(stored: str) -> int:
    """Nanoseconds since then."""
    then = datetime.datetime.fromisoformat(stored)
    return round((datetime.datetime.now(datetime.UTC) - then).total_seconds() * 1e9)
