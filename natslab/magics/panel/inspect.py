"""One thing of a lab in detail, in the server's own field names; from what the sources have heard."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from natslab.commands.results import one_line
from natslab.magics.panel.facts import Facts as Known

_VARZ = (
    "version", "start", "port", "mem", "cpu", "connections", "total_connections", "subscriptions",
    "in_client_msgs", "out_client_msgs", "in_client_bytes", "out_client_bytes", "slow_consumers",
    "stalled_clients", "stale_connections", "max_payload", "max_connections", "routes", "leafnodes",
)  # fmt: skip
_CONN = (
    "cid", "start", "last_activity", "rtt", "lang", "version", "authorized_user", "in_msgs", "out_msgs",
    "in_bytes", "out_bytes", "pending_bytes", "stalls",
)  # fmt: skip
_MOST = 60  # facts
_UNSET: tuple[object, ...] = (None, "", [], {}, -1, False, 0)

Facts = list[list[str]]  # a word and its value, each


def inspect(known: Known, kind: str, name: str, of: str = "") -> Facts:
    """What is known of a server, stream, consumer (`of` a stream) or client (`of` a server); empty when
    it is not there any more.
    """
    heard = known.lab.monitor.heard
    if kind == "server" and name in heard:
        return list(_facts(heard[name].varz, _VARZ))
    if kind == "client" and of in heard:
        for one in heard[of].connections:
            if str(one.get("cid")) == name:
                subjects = sorted(
                    str(sub.get("subject", "")) for sub in one.get("subscriptions_list_detail") or []
                )
                return [*_facts(one, _CONN), *(["subscribes to", one_line(s, 120)] for s in subjects[:20])]
    if kind == "stream" and (told := known.told(name)) is not None:
        return [*_facts(told.said.get("config") or {}), *_facts(told.said.get("state") or {})]
    if kind == "consumer" and (told := known.told(of, name)) is not None:
        state = {key: value for key, value in told.said.items() if key not in ("config", "name", "ts")}
        return [*_facts(told.said.get("config") or {}), *_facts(state)]
    return []


def _facts(data: Mapping[str, Any], keys: tuple[str, ...] = ()) -> Iterator[list[str]]:
    """What is set, in order; the rest is at its default."""
    shown = 0
    for key in keys or data:
        value = data.get(key)
        if key == "metadata" or (not keys and value in _UNSET) or value is None:
            continue
        shown += 1
        if shown > _MOST:
            return
        yield [one_line(key, 60), _said(key, value)]


def _said(key: str, value: Any) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{one_line(str(k), 60)} {_said('', v)}" for k, v in list(value.items())[:8])
    if isinstance(value, list):
        return ", ".join(_said("", one) for one in value[:12]) + (" …" if len(value) > 12 else "")
    if key in ("ack_wait", "max_age", "duplicate_window", "inactive_threshold") and isinstance(value, int):
        return f"{value / 1e9:g} s"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return one_line(str(value), 200)
