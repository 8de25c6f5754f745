"""The server's JSON with attributes: `info.state.messages`, `info.config.max_age`.

What the server leaves out because it is empty is there too, as 0, False, "" or []. Durations are
nanoseconds, as in the JSON.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from natslab.commands.config_body import CONSUMER, INT, STREAM, TEXT, Each, Kind, Known

_LOST: Known = {"msgs": Each("", [], "", INT), "bytes": INT}
STATE: Known = {
    "messages": INT,
    "bytes": INT,
    "first_seq": INT,
    "last_seq": INT,
    "num_subjects": INT,
    "num_deleted": INT,
    "consumer_count": INT,
    "deleted": Each("", [], "", INT),
    "subjects": Kind("", {}),
}
_CLUSTER: Known = {
    "name": TEXT,
    "leader": TEXT,
    "raft_group": TEXT,
    "replicas": Each("", [], "", {"name": TEXT, "current": Kind("", False), "lag": INT, "active": INT}),
}
_SOURCE: Known = {"name": TEXT, "lag": INT, "filter_subject": TEXT}
STREAM_INFO: Known = {
    "config": STREAM,
    "state": STATE,
    "cluster": _CLUSTER,
    "mirror": _SOURCE,
    "sources": Each("", [], "", _SOURCE),
    "alternates": Each("", []),
}
_SEQUENCE: Known = {"consumer_seq": INT, "stream_seq": INT}
CONSUMER_INFO: Known = {
    "stream_name": TEXT,
    "name": TEXT,
    "config": CONSUMER,
    "delivered": _SEQUENCE,
    "ack_floor": _SEQUENCE,
    "num_ack_pending": INT,
    "num_redelivered": INT,
    "num_waiting": INT,
    "num_pending": INT,
    "cluster": _CLUSTER,
    "push_bound": Kind("", False),
    "paused": Kind("", False),
    "pause_remaining": INT,
    "priority_groups": Each("", []),
}


class Node(Mapping[str, Any]):
    """A JSON object whose fields are attributes too; it compares and iterates as a dict."""

    def __init__(self, facts: Mapping[str, Any], known: Known | None = None) -> None:
        self._facts = facts
        self._known = known or {}

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") or "_facts" not in self.__dict__:
            raise AttributeError(name)
        return field(self._facts, name, self._known)

    def __getitem__(self, name: str) -> Any:
        return wrapped(self._facts[name], self._known.get(name))

    def __iter__(self) -> Iterator[str]:
        return iter(self._facts)

    def __len__(self) -> int:
        return len(self._facts)

    def __eq__(self, other: object) -> bool:
        return self._facts == (other._facts if isinstance(other, Node) else other)

    __hash__ = None  # type: ignore[assignment]

    def __dir__(self) -> list[str]:
        return sorted({*super().__dir__(), *self._facts, *self._known})

    def __repr__(self) -> str:
        return repr(dict(self._facts))


def wrapped(value: Any, known: Any = None) -> Any:
    """A JSON value with its fields as attributes."""
    if isinstance(value, dict):
        return Node(value, known if isinstance(known, Mapping) else None)
    if isinstance(value, list):
        inner = known.of if isinstance(known, Each) else None
        return [wrapped(v, inner) for v in value]
    return value


def field(facts: Mapping[str, Any], name: str, known: Known) -> Any:
    """The field `name`; its empty value when the server left it out. Raises AttributeError."""
    kind = known.get(name)
    if name in facts:
        return wrapped(facts[name], kind)
    if isinstance(kind, Mapping):
        return Node({}, kind)
    if isinstance(kind, Kind):
        return kind.zero.copy() if isinstance(kind.zero, (list, dict)) else kind.zero
    raise AttributeError(f"there is no {name!r} here; there is {', '.join(sorted({*facts, *known}))}")
