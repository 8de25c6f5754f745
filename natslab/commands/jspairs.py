"""Streams and consumers in names and values, as the CLI's info shows them.

No times, ids or ports, so that the text stays the same from run to run; names are sorted.
"""

from __future__ import annotations

from typing import Any

from natslab.commands.config_body import span
from natslab.commands.jsnode import Node
from natslab.commands.server import size

Pairs = list[tuple[str, str]]


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


def origins(info: Any) -> Pairs:
    """What a stream copies from; `info` is its StreamInfo."""
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


def cluster_pairs(cluster: Node) -> Pairs:
    """Who leads and who follows; nothing where there is one server."""
    if not cluster.name:
        return []
    pairs = [("Name", cluster.name), ("Leader", cluster.leader or "none")]
    for one in sorted(cluster.replicas, key=lambda r: str(r.get("name", ""))):
        # How many operations, and how long ago it was seen, changes by itself: that is in the facts.
        state = [str(one.get("name", "")), "current" if one.get("current") else "outdated"]
        state += [*(["OFFLINE"] if one.get("offline") else []), *(["behind"] if one.get("lag") else [])]
        pairs.append(("Replica", ", ".join(state)))
    if wanted := cluster.get("desired"):
        names = sorted(str(r.get("name", "")) for r in wanted.get("replicas") or [])
        pairs.append(("Moving", f"to {', '.join(names)}"))
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


def consumer_state(info: Any) -> Pairs:
    """How far a consumer is, from its ConsumerInfo; what changes by itself is not in it."""
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
