"""What the JetStream verbs return: the server's JSON with attributes, and a text that stays the same.

`info.state.messages` and `info.config.max_age` are the JSON fields. What the server leaves out because
it is empty is there too, as 0, False, "" or []. Durations are nanoseconds, as in the JSON.
The text has no times, ids, ports or sizes on disk; names are sorted.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from natslab.commands.config_body import CONSUMER, INT, STREAM, TEXT, Each, Kind, Known, shown, span
from natslab.commands.results import Result, Rows, one_line
from natslab.commands.server import size

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
_CLUSTER: Known = {"name": TEXT, "leader": TEXT, "replicas": Each("", [])}
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

Pairs = list[tuple[str, str]]


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


class Info(Result):
    """Facts about one thing, with headings; `facts` is the server's JSON.

    Subclasses say what the fields are (`known`) and which pairs a cell shows (`sections`).
    """

    known: Known = {}

    def __init__(self, facts: dict[str, Any]) -> None:
        super().__init__()
        self.heading = ""  # in place of the usual title: what was done
        self.facts = {k: v for k, v in facts.items() if k != "type"}

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_") or "facts" not in self.__dict__:
            raise AttributeError(name)
        return field(self.__dict__["facts"], name, self.known)

    def __getitem__(self, name: str) -> Any:
        return wrapped(self.facts[name], self.known.get(name))

    def __dir__(self) -> list[str]:
        return sorted({*super().__dir__(), *self.facts, *self.known})

    @property
    def title(self) -> str:
        """The line above."""
        return ""

    def sections(self) -> dict[str, Pairs]:
        """Heading -> names and values."""
        raise NotImplementedError

    def text(self) -> str:
        """Title, headings, names and values."""
        sections = {h: pairs for h, pairs in self.sections().items() if pairs}
        width = max((len(n) for pairs in sections.values() for n, _ in pairs), default=0)
        parts = [self.title] if self.title else []
        for heading, pairs in sections.items():
            parts.append(
                "\n".join(
                    [
                        *([f"{heading}:", ""] if heading else []),
                        *(f"{n.rjust(width + 2)}: {one_line(v)}" for n, v in pairs),
                    ]
                )
            )
        return "\n\n".join(parts)

    def table(self) -> tuple[list[str], list[list[str]]]:
        """All pairs."""
        return ["", ""], [[n, v] for pairs in self.sections().values() for n, v in pairs]

    def json(self) -> Any:
        """What the server said."""
        return self.facts

    def _lead(self) -> str:
        return self.title


class StreamInfo(Info):
    """A stream: `.config`, `.state`, `.cluster`, `.mirror`, `.sources`, as STREAM.INFO has them."""

    known = STREAM_INFO

    @property
    def name(self) -> str:
        """Its name."""
        return str(self.config.name)

    @property
    def title(self) -> str:
        """Information for Stream NAME, or what was done with it."""
        return self.heading or f"Information for Stream {one_line(self.name)}"

    def sections(self) -> dict[str, Pairs]:
        """What it holds, how it behaves, its limits, where it copies from, its state."""
        return {
            "": stream_basics(self.config),
            "Options": stream_options(self.config),
            "Limits": stream_limits(self.config),
            "Replication": _origins(self),
            "Cluster Information": _cluster(self.cluster),
            "State": stream_state(self.state),
        }


class StreamState(Info):
    """The state of a stream: `.messages`, `.first_seq`, …; the title names the stream."""

    known = STATE

    def __init__(self, stream: str, facts: dict[str, Any]) -> None:
        super().__init__(facts)
        self.stream = stream

    @property
    def title(self) -> str:
        """State for Stream NAME, or what was done with it."""
        return self.heading or f"State for Stream {one_line(self.stream)}"

    def sections(self) -> dict[str, Pairs]:
        """Messages and sequences."""
        return {"": stream_state(Node(self.facts, STATE))}


class ConsumerInfo(Info):
    """A consumer: `.config`, `.delivered`, `.ack_floor`, `.num_pending`, …, as CONSUMER.INFO has them."""

    known = CONSUMER_INFO

    @property
    def title(self) -> str:
        """Information for Consumer STREAM > NAME, or what was done with it."""
        return (
            self.heading or f"Information for Consumer {one_line(self.stream_name)} > {one_line(self.name)}"
        )

    def sections(self) -> dict[str, Pairs]:
        """How it is configured, and how far it is."""
        return {
            "Configuration": consumer_config(self.config),
            "Cluster Information": _cluster(self.cluster),
            "State": consumer_state(self),
        }


def limit(number: int, *, bytes: bool = False) -> str:
    """A limit; what is not positive is none."""
    if number <= 0:
        return "unlimited"
    return size(number) if bytes else f"{number:,}"


def title_case(word: str) -> str:
    """A word of the API as the CLI shows it: last_per_subject -> Last Per Subject."""
    return " ".join(part.capitalize() for part in word.split("_"))


def _yes(value: Any) -> str:
    return "true" if value else "false"


def stream_basics(config: Node) -> Pairs:
    """Description, subjects, replicas, storage, transforms, metadata."""
    pairs: Pairs = []
    if config.description:
        pairs.append(("Description", config.description))
    if config.subjects:
        pairs.append(("Subjects", ", ".join(config.subjects)))
    if config.sealed:
        pairs.append(("Sealed", "true"))
    pairs += [("Replicas", str(config.num_replicas)), ("Storage", title_case(config.storage))]
    if config.compression != "none":
        pairs.append(("Compression", config.compression))
    if config.first_seq > 1:
        pairs.append(("First Sequence", f"{config.first_seq:,}"))
    if config.get("placement"):
        where = config.placement
        if where.cluster:
            pairs.append(("Placement Cluster", where.cluster))
        if where.tags:
            pairs.append(("Placement Tags", ", ".join(sorted(where.tags))))
    if config.get("subject_transform"):
        move = config.subject_transform
        pairs.append(("Subject Transform", f"{move.src or '>'} to {move.dest}"))
    if config.get("republish"):
        move = config.republish
        what = "headers of " if move.headers_only else ""
        pairs.append(("Republishing", f"{what}{move.src or '>'} to {move.dest}"))
    pairs += _metadata(config)
    return pairs


def _metadata(config: Node) -> Pairs:
    # What begins with _nats. is the server's, with its version.
    own = {k: v for k, v in config.metadata.items() if not k.startswith("_nats.")}
    return [(f"Metadata {k}", v) for k, v in sorted(own.items())]


def stream_options(config: Node) -> Pairs:
    """Retention and what is allowed."""
    pairs: Pairs = [
        ("Retention", "WorkQueue" if config.retention == "workqueue" else title_case(config.retention)),
        ("Acknowledgments", _yes(not config.no_ack)),
        (
            "Discard Policy",
            "New Per Subject" if config.discard_new_per_subject else title_case(config.discard),
        ),
    ]
    if config.duplicate_window:
        pairs.append(("Duplicate Window", span(config.duplicate_window)))
    pairs += [
        ("Direct Get", _yes(config.allow_direct)),
        *([("Mirror Direct Get", "true")] if config.mirror_direct else []),
        ("Allows Atomic Batch Publish", _yes(config.allow_atomic)),
        *([("Allows Fast Batch Publish", "true")] if config.allow_batched else []),
        ("Allows Counters", _yes(config.allow_msg_counter)),
        ("Allows Msg Delete", _yes(not config.deny_delete)),
        ("Allows Per-Message TTL", _yes(config.allow_msg_ttl)),
        ("Allows Purge", _yes(not config.deny_purge)),
        ("Allows Schedules", _yes(config.allow_msg_schedules)),
        ("Allows Rollups", _yes(config.allow_rollup_hdrs)),
    ]
    if config.subject_delete_marker_ttl:
        pairs.append(("Subject Delete Markers TTL", span(config.subject_delete_marker_ttl)))
    if config.persist_mode not in ("", "default"):
        pairs.append(("Persist Mode", title_case(config.persist_mode)))
    return pairs


def stream_limits(config: Node) -> Pairs:
    """Every limit."""
    pairs: Pairs = [
        ("Maximum Messages", limit(config.max_msgs)),
        ("Maximum Per Subject", limit(config.max_msgs_per_subject)),
        ("Maximum Bytes", limit(config.max_bytes, bytes=True)),
        ("Maximum Age", span(config.max_age) if config.max_age else "unlimited"),
        ("Maximum Message Size", limit(config.max_msg_size, bytes=True)),
        ("Maximum Consumers", limit(config.max_consumers)),
    ]
    consumers = config.consumer_limits
    if consumers.inactive_threshold:
        pairs.append(("Consumer Inactive Threshold", span(consumers.inactive_threshold)))
    if consumers.max_ack_pending:
        pairs.append(("Consumer Max Ack Pending", f"{consumers.max_ack_pending:,}"))
    return pairs


def _origins(info: StreamInfo) -> Pairs:
    pairs: Pairs = []
    if info.config.get("mirror"):
        pairs.append(("Mirror", _origin(info.config.mirror)))
        if "mirror" in info.facts:
            pairs.append(("Mirror Lag", f"{info.mirror.lag:,}"))
    lags = {s.name: s.lag for s in info.sources}
    for one in sorted(info.config.sources, key=lambda s: (s.name, s.filter_subject)):
        lag = f", lag {lags[one.name]:,}" if one.name in lags else ""
        pairs.append(("Source", _origin(one) + lag))
    return pairs


def _origin(source: Node) -> str:
    said = str(source.name)
    if source.filter_subject:
        said += f" {source.filter_subject}"
    for move in source.subject_transforms:
        said += f", {move.src or '>'} to {move.dest}"
    if source.opt_start_seq:
        said += f", from sequence {source.opt_start_seq:,}"
    if source.get("external"):
        said += f", through {source.external.api}"
    return said


def _cluster(cluster: Node) -> Pairs:
    if not cluster.name:
        return []
    pairs = [("Name", cluster.name), ("Leader", cluster.leader)]
    for one in sorted(cluster.replicas, key=lambda r: str(r.get("name", ""))):
        state = "current" if one.get("current") else "behind"
        pairs.append(("Replica", f"{one.get('name', '')}, {'offline' if one.get('offline') else state}"))
    return pairs


def stream_state(state: Node) -> Pairs:
    """Messages, sequences, subjects, consumers."""
    return [
        ("Messages", f"{state.messages:,}"),
        ("Bytes", size(state.bytes)),
        ("First Sequence", f"{state.first_seq:,}"),
        ("Last Sequence", f"{state.last_seq:,}"),
        *([("Deleted Messages", f"{state.num_deleted:,}")] if state.num_deleted else []),
        ("Active Consumers", f"{state.consumer_count:,}"),
        *([("Number of Subjects", f"{state.num_subjects:,}")] if state.num_subjects else []),
    ]


def consumer_config(config: Node) -> Pairs:
    """What is configured; limits that are not set are left out where the CLI leaves them out."""
    pairs: Pairs = [("Name", config.name or config.durable_name)]
    if config.description:
        pairs.append(("Description", config.description))
    if config.deliver_subject:
        pairs.append(("Delivery Subject", config.deliver_subject))
    if config.deliver_group:
        pairs.append(("Delivery Queue Group", config.deliver_group))
    filters = config.filter_subjects or ([config.filter_subject] if config.filter_subject else [])
    if filters:
        pairs.append(("Filter Subject" + "s" * (len(filters) > 1), ", ".join(filters)))
    if not config.deliver_subject:
        pairs.append(("Pull Mode", "true"))
    start = config.deliver_policy
    said = title_case(start)
    if start == "by_start_sequence":
        said = f"From Sequence {config.opt_start_seq:,}"
    elif start == "by_start_time":
        said = "From a Time"
    pairs += [("Deliver Policy", said), ("Ack Policy", title_case(config.ack_policy))]
    if config.ack_policy != "none" and config.ack_wait:
        pairs.append(("Ack Wait", span(config.ack_wait)))
    pairs.append(("Replay Policy", title_case(config.replay_policy)))
    if config.max_deliver > 0:
        pairs.append(("Maximum Deliveries", f"{config.max_deliver:,}"))
    if config.backoff:
        pairs.append(("Backoff", ", ".join(map(span, config.backoff))))
    for name, value in (
        ("Sampling Rate", config.sample_freq),
        ("Rate Limit", f"{config.rate_limit_bps:,} bit/s" if config.rate_limit_bps else ""),
        ("Max Ack Pending", f"{config.max_ack_pending:,}" if config.max_ack_pending > 0 else ""),
        ("Max Waiting Pulls", f"{config.max_waiting:,}" if config.max_waiting else ""),
        ("Max Pull Batch", f"{config.max_batch:,}" if config.max_batch else ""),
        ("Max Pull Expire", span(config.max_expires) if config.max_expires else ""),
        ("Max Pull MaxBytes", size(config.max_bytes) if config.max_bytes else ""),
        ("Idle Heartbeat", span(config.idle_heartbeat) if config.idle_heartbeat else ""),
        ("Flow Control", "true" if config.flow_control else ""),
        ("Headers Only", "true" if config.headers_only else ""),
        ("Inactive Threshold", span(config.inactive_threshold) if config.inactive_threshold else ""),
        ("Priority Policy", title_case(config.priority_policy) if config.priority_groups else ""),
        ("Priority Groups", ", ".join(config.priority_groups)),
        ("Pinned TTL", span(config.priority_timeout) if config.priority_timeout else ""),
        ("Replicas", str(config.num_replicas) if config.num_replicas else ""),
        ("Memory Storage", "true" if config.mem_storage else ""),
    ):
        if value:
            pairs.append((name, str(value)))
    return pairs + _metadata(config)


def consumer_state(info: ConsumerInfo) -> Pairs:
    """How far it is; what changes by itself (waiting pulls, times) is in the attributes only."""
    config = info.config
    pending = f"{info.num_ack_pending:,}"
    if config.max_ack_pending > 0:
        pending += f" out of maximum {config.max_ack_pending:,}"
    pairs: Pairs = [
        ("Last Delivered Message", _sequences(info.delivered)),
        *([("Acknowledgment Floor", _sequences(info.ack_floor))] if config.ack_policy != "none" else []),
        *([("Outstanding Acks", pending)] if config.ack_policy != "none" else []),
        ("Redelivered Messages", f"{info.num_redelivered:,}"),
        ("Unprocessed Messages", f"{info.num_pending:,}"),
    ]
    if config.deliver_subject:
        pairs.append(("Active Interest", "Active" if info.push_bound else "No interest"))
    if info.paused:
        pairs.append(("Paused", "true"))
    return pairs


def _sequences(at: Node) -> str:
    return f"Consumer sequence: {at.consumer_seq:,} Stream sequence: {at.stream_seq:,}"


class Listing(Rows):
    """A table of things; iterating and indexing give the server's facts about each, as attributes.

    Parameters
    ----------
    title, columns, rows: what a cell shows; one row for each of `facts`, in the same order.
    facts: the server's JSON of each, or names.
    known: the table of the fields of each.
    empty: the sentence when there is none.
    """

    def __init__(
        self,
        title: str,
        columns: Sequence[str],
        rows: Sequence[Sequence[str]],
        facts: Sequence[Any],
        known: Known | None = None,
        empty: str = "",
    ) -> None:
        super().__init__(title, list(columns), [list(r) for r in rows], list(facts))
        self._known = known
        self._empty = empty

    def text(self) -> str:
        """The table, or the sentence that it is empty."""
        return super().text() if self.rows or not self._empty else self._empty

    @property
    def names(self) -> list[str]:
        """The name of each."""
        return [f if isinstance(f, str) else str(f.get("name") or f["config"]["name"]) for f in self.facts]

    def __iter__(self) -> Iterator[Any]:
        return (wrapped(f, self._known) for f in self.facts)

    def __getitem__(self, i: int) -> Any:
        return wrapped(self.facts[i], self._known)

    def __len__(self) -> int:
        return len(self.facts)


class Names(Listing):
    """Only names, one a line: `ls --names`."""

    def __init__(self, names: Sequence[str], empty: str = "") -> None:
        super().__init__("", ["Name"], [[n] for n in names], names, None, empty)

    def text(self) -> str:
        """One a line."""
        return "\n".join(map(one_line, self.facts)) or self._empty

    def table(self) -> tuple[list[str], list[list[str]]]:
        """The names are their own table."""
        return self.columns, []


class Change(Info):
    """What an update changed: `.diff` maps a field to its old and new value; facts are the info after it."""

    def __init__(
        self,
        what: str,
        facts: dict[str, Any],
        diff: Mapping[str, tuple[Any, Any]],
        known: Known,
        info_known: Known | None = None,
    ) -> None:
        super().__init__(facts)
        self.known = info_known or {}
        self.what = what
        self.diff = dict(diff)
        self.config_known = known

    def text(self) -> str:
        """One line a field: old -> new."""
        if not self.diff:
            return f"{self.what}: nothing changed"
        return "\n".join([f"{self.what} was updated", "", *difference(self.diff, self.config_known)])

    def table(self) -> tuple[list[str], list[list[str]]]:
        """Field, old, new."""
        return ["Field", "Before", "Now"], [
            [name, _shown(name, old, self.config_known), _shown(name, new, self.config_known)]
            for name, (old, new) in sorted(self.diff.items())
        ]

    @property
    def title(self) -> str:
        """What was done."""
        return f"{self.what} was updated" if self.diff else f"{self.what}: nothing changed"


def changes(before: Mapping[str, Any], after: Mapping[str, Any], known: Known) -> dict[str, tuple[Any, Any]]:
    """The fields that differ; a field that is left out is its empty value."""
    out: dict[str, tuple[Any, Any]] = {}
    for name, kind in known.items():
        zero = kind.zero if isinstance(kind, Kind) else None
        old, new = (_bare(name, one.get(name) or zero) for one in (before, after))
        if old != new:
            out[name] = (old, new)
    return out


def _bare(name: str, value: Any) -> Any:
    if name.startswith("max_") and isinstance(value, int) and value <= 0:
        return -1  # no limit, written in one way or another
    if name == "metadata" and isinstance(value, dict):
        value = {k: v for k, v in value.items() if not k.startswith("_nats.")}
    return None if value in ({}, []) else value


def difference(diff: Mapping[str, tuple[Any, Any]], known: Known) -> list[str]:
    """One line a field: `  max_msgs: unlimited -> 100`."""
    width = max((len(name) for name in diff), default=0)
    return [
        one_line(f"{name.rjust(width + 2)}: {_shown(name, old, known)} -> {_shown(name, new, known)}", 400)
        for name, (old, new) in sorted(diff.items())
    ]


def _shown(name: str, value: Any, known: Known) -> str:
    if name.startswith("max_") and isinstance(value, int) and value <= 0:
        return "unlimited"
    return one_line(shown(value, known.get(name)), 120)
