"""`nats server check`: stream, consumer, message, jetstream and kv."""

from __future__ import annotations

import base64
import time
from collections.abc import Mapping, Sequence
from typing import Any

from natslab.commands.check_result import Check, Perf
from natslab.commands.connect import Line
from natslab.commands.consumer_find import info as consumer_info
from natslab.commands.flags import DURATION, NUMBER, Number, flag, seconds, switch
from natslab.commands.jsnames import check_name
from natslab.commands.results import one_line
from natslab.commands.server_check import CHECK, expression, span
from natslab.commands.stream import info_of, listed
from natslab.errors import ClientError
from natslab.servers.direct import moment
from natslab.servers.jsapi import Api, JetStreamError
from natslab.servers.keyvalue import KeyValue, check_bucket, check_key

_OFF = Number(-1)
_NO_MESSAGE = 10037


@CHECK.verb("stream", example="%nats server check stream --stream ORDERS --peer-expect 3", mark="")
@flag("--stream", required=True, help="this stream")
@flag("--lag-critical", type=NUMBER, help="critical when a source or mirror lags by so many messages")
@flag("--seen-critical", type=DURATION, help="critical when one was not heard of for so long")
@flag("--min-sources", type=NUMBER, help="at least so many sources")
@flag("--max-sources", type=NUMBER, help="at most so many sources")
@flag("--peer-expect", type=NUMBER, help="so many replicas")
@flag("--peer-lag-critical", type=NUMBER, help="critical when a replica lags by so many operations")
@flag("--peer-seen-critical", type=DURATION, help="critical when one was not heard of for so long")
@flag("--msgs-warn", type=NUMBER, help="warn when it holds no more messages than this")
@flag("--msgs-critical", type=NUMBER, help="critical")
@flag(
    "--subjects-warn", type=_OFF, help="warn at so many subjects; no more than these, when critical is less"
)
@flag("--subjects-critical", type=_OFF, help="critical")
async def stream(line: Line, stream: str, **said: Any) -> Check:
    """Look at a stream: replicas, messages, subjects, and how far it is behind what it copies.

    Metadata of the stream says it too: io.nats.monitor.lag-critical and so on, for what the line leaves out.
    """
    check = Check(check_name(stream, "stream"), "stream", said)
    async with line.jetstream() as api:
        try:
            info = (await info_of(api, stream)).facts
        except ClientError as e:
            check.say("critical", e.what.rstrip("."))
            return check.done()
    said = _with_metadata(said, info["config"].get("metadata") or {})
    _replicas(check, info.get("cluster") or {}, said)
    messages = int(info["state"]["messages"])
    if said["msgs_warn"] or said["msgs_critical"]:
        check.perf.append(
            _perf("messages", messages, "Messages stored", said["msgs_warn"], said["msgs_critical"])
        )
        check.limits(f"{messages:,} messages", messages, said["msgs_warn"], said["msgs_critical"], False)
    subjects = int(info["state"].get("num_subjects") or 0)
    warn, crit = said["subjects_warn"] or 0, said["subjects_critical"] or 0
    if warn > 0 or crit > 0:
        check.perf.append(_perf("subjects", subjects, "Subjects of stored messages", warn, crit))
        check.limits(f"{subjects:,} subjects", subjects, warn, crit, more_is_worse=warn < crit)
    _sources(check, info, said)
    return check.done()


def _perf(name: str, value: float, help: str, warn: float | None = 0, crit: float | None = 0) -> Perf:
    return Perf(name, value, help, "", warn or 0, crit or 0)


def _with_metadata(said: Mapping[str, Any], metadata: Mapping[str, str]) -> dict[str, Any]:
    """What the line leaves out, from the metadata io.nats.monitor.* of the stream or consumer."""
    out = dict(said)
    for key, text in metadata.items():
        name = key.removeprefix("io.nats.monitor.").replace("-", "_")
        if key.startswith("io.nats.monitor.") and name in out and not (out[name] or 0) > 0:
            found = seconds(text)
            out[name] = found if "seen" in name or "last" in name else int(found or 0)
    return out


def _replicas(check: Check, cluster: Mapping[str, Any], said: Mapping[str, Any]) -> None:
    expect = said["peer_expect"]
    if not cluster.get("name"):
        if expect and expect > 1:
            check.say("critical", "it is not in a cluster")
        return
    if not cluster.get("leader"):
        check.say("critical", "no leader")
        return
    peers = cluster.get("replicas") or []
    n = len(peers) + 1
    if expect is not None:
        check.perf.append(_perf("peers", n, "Replicas", expect, expect))
        check.say(
            "ok" if n == expect else "critical", f"{n} replicas" + (f" of {expect}" if n != expect else "")
        )
    lag, seen = said["peer_lag_critical"], said["peer_seen_critical"]
    _count(check, [p for p in peers if p.get("offline")], "replicas offline", "")
    if lag:
        _count(
            check, [p for p in peers if int(p.get("lag") or 0) >= lag], "replicas lag", "replicas are current"
        )
    if seen:
        late = [p for p in peers if int(p.get("active") or 0) >= seen * 1e9]
        _count(check, late, f"replicas not heard of for {span(seen)}", "replicas are active")


def _count(check: Check, wrong: Sequence[Any], bad: str, good: str) -> None:
    if wrong:
        check.say("critical", f"{len(wrong)} {bad}")
    elif good:
        check.say("ok", good)


def _sources(check: Check, info: Mapping[str, Any], said: Mapping[str, Any]) -> None:
    mirror = [info["mirror"]] if info.get("mirror") else []
    sources = info.get("sources") or []
    least, most = said["min_sources"], said["max_sources"]
    n = len(sources)
    if least is not None or most is not None:
        check.perf.append(_perf("sources", n, "Sources", least, most))
        wrong = (least and n < least) or (most and n > most)
        check.say("critical" if wrong else "ok", f"{n} source{'' if n == 1 else 's'}")
    lag, seen = said["lag_critical"], said["seen_critical"]
    for kind, origins in (("mirror", mirror), ("sources", sources)):
        if not origins:
            continue
        if lag:
            behind = [o for o in origins if int(o.get("lag") or 0) >= lag]
            check.perf.append(_perf(f"{kind}_lagged", len(behind), f"Of the {kind}, how many lag"))
            _count(check, behind, f"of the {kind} lag by {lag} or more", f"{kind} current")
        if seen:
            # -1 is never.
            late = [o for o in origins if not 0 <= int(o.get("active") or 0) < seen * 1e9]
            check.perf.append(_perf(f"{kind}_inactive", len(late), f"Of the {kind}, how many are silent"))
            _count(check, late, f"of the {kind} not heard of for {span(seen)}", f"{kind} active")


@CHECK.verb(
    "consumer", mark="",
    example="%nats server check consumer --stream ORDERS --consumer W --outstanding-ack-critical 10",
)  # fmt: skip
@flag("--stream", required=True, help="of this stream")
@flag("--consumer", required=True, help="this consumer")
@flag("--outstanding-ack-critical", type=_OFF, default=-1, help="critical at so many messages without an ack")
@flag("--waiting-critical", type=_OFF, default=-1, help="critical at so many waiting pulls")
@flag("--unprocessed-critical", type=_OFF, default=-1, help="critical at so many messages not handed out")
@flag(
    "--last-delivery-critical",
    type=DURATION,
    default="0s",
    help="critical when nothing was handed out for so long",
)
@flag("--last-ack-critical", type=DURATION, default="0s", help="critical when no ack came for so long")
@flag("--redelivery-critical", type=_OFF, default=-1, help="critical at so many redelivered messages")
@switch("--pinned", help="each priority group must be pinned to a client")
async def consumer(line: Line, stream: str, consumer: str, pinned: bool, **said: Any) -> Check:
    """Look at a consumer: how much waits, and since when nothing moves.

    Metadata of the consumer says it too: io.nats.monitor.waiting-critical and so on.
    """
    check = Check(f"{check_name(stream, 'stream')}_{check_name(consumer, 'consumer')}", "consumer", said)
    async with line.jetstream() as api:
        try:
            info = await consumer_info(api, stream, consumer)
        except ClientError as e:
            check.say("critical", e.what.rstrip("."))
            return check.done()
    said = _with_metadata(said, info["config"].get("metadata") or {})
    for name, field, words, limit in (
        ("ack_pending", "num_ack_pending", "Ack Pending", "outstanding_ack_critical"),
        ("pull_waiting", "num_waiting", "Waiting Pulls", "waiting_critical"),
        ("pending", "num_pending", "Unprocessed Messages", "unprocessed_critical"),
        ("redelivered", "num_redelivered", "Redelivered", "redelivery_critical"),
    ):
        value, crit = int(info[field]), max(0, said[limit] or 0)
        check.perf.append(_perf(name, value, words, 0, crit))
        check.limits(f"{words}: {value:,}", value, None, crit)
    for name, field, words, limit in (
        ("last_delivery", "delivered", "delivery", "last_delivery_critical"),
        ("last_ack", "ack_floor", "ack", "last_ack_critical"),
    ):
        stamp = (info.get(field) or {}).get("last_active")
        ago = time.time() - moment(stamp).timestamp() if stamp else None
        crit = said[limit] or 0
        if ago is not None:
            check.perf.append(Perf(name, ago, f"Seconds since the last {words}", "s", 0, crit, steady=False))
        if crit > 0:
            late = ago is None or ago >= crit
            what = f"no {words} for {span(crit)}" if late and ago is not None else f"no {words} yet"
            check.say("critical" if late else "ok", what if late else f"{words} within {span(crit)}")
    if pinned:
        groups = info.get("priority_groups") or []
        free = [g["group"] for g in groups if not g.get("pinned_client_id")]
        if not groups or free:
            check.say("critical", f"not pinned: {', '.join(free)}" if free else "it pins nobody")
        else:
            check.say("ok", f"{len(groups)} pinned")
    if check.ok and not check.oks:
        check.say("ok", "it is there")
    return check.done()


@CHECK.verb(
    "message",
    example="%nats server check message --stream ORDERS --subject orders.eu --age-critical 1h",
    mark="",
)
@flag("--stream", required=True, help="in this stream")
@flag("--subject", default=">", show_default=True, help="the last message to this subject")
@flag("--age-warn", type=DURATION, help="warn when it is so old")
@flag("--age-critical", type=DURATION, help="critical")
@flag("--content", default=".", show_default=True, help="its payload must match this expression")
@switch("--body-timestamp", help="its payload is a unix time, which is its age")
async def message(
    line: Line, stream: str, subject: str, age_warn: float | None, age_critical: float | None, content: str,
    body_timestamp: bool, **said: Any,
) -> Check:  # fmt: skip
    """Look at the last message of a subject: how old it is, and what is in it."""
    check = Check("Stream Message", "message", said)
    wanted = expression(content, "--content")
    async with line.jetstream() as api:
        try:
            found = (
                await api.call(f"STREAM.MSG.GET.{check_name(stream, 'stream')}", {"last_by_subj": subject})
            )["message"]
        except JetStreamError as e:
            check.say("critical", "no message found" if e.code == _NO_MESSAGE else e.what.rstrip("."))
            return check.done()
    data = base64.b64decode(found.get("data") or "")
    at = moment(found["time"]).timestamp()
    if body_timestamp:
        try:
            at = float(int(data.strip()))
        except ValueError:
            check.say("critical", "the payload is no unix time")
            return check.done()
    age = time.time() - at
    check.perf += [
        Perf(
            "age", age, "Age of the message in seconds", "s", age_warn or 0, age_critical or 0, steady=False
        ),
        Perf("size", len(data), "Size of the message", "B"),
    ]
    for level, limit in (("critical", age_critical), ("warning", age_warn)):
        if limit and age > limit:
            check.say(level, f"older than {span(limit)}")
            break
    if wanted.search(data.decode("utf-8", "replace")) is None:
        check.say("critical", f"does not match {content}")
    if check.ok:
        check.say("ok", f"valid message on {one_line(stream)} > {one_line(subject)}")
    return check.done()


@CHECK.verb("jetstream", "js", example="%nats server check jetstream", mark="")
@flag("--mem-warn", type=_OFF, default=75, show_default=True, help="warn at so many percent of memory")
@flag("--mem-critical", type=_OFF, default=90, show_default=True, help="critical")
@flag("--store-warn", type=_OFF, default=75, show_default=True, help="warn at so many percent of storage")
@flag("--store-critical", type=_OFF, default=90, show_default=True, help="critical")
@flag("--streams-warn", type=_OFF, default=-1, help="warn at so many percent of the streams that are allowed")
@flag("--streams-critical", type=_OFF, default=-1, help="critical")
@flag(
    "--consumers-warn",
    type=_OFF,
    default=-1,
    help="warn at so many percent of the consumers that are allowed",
)
@flag("--consumers-critical", type=_OFF, default=-1, help="critical")
@switch("--replicas", default=True, help="look at the replicas of all streams too")
@flag(
    "--replica-seen-critical",
    type=DURATION,
    default="5s",
    show_default=True,
    help="critical when one was not heard of",
)
@flag(
    "--replica-lag-critical",
    type=NUMBER,
    default=200,
    show_default=True,
    help="critical when one lags by more",
)
async def jetstream(
    line: Line, replicas: bool, replica_seen_critical: float, replica_lag_critical: int, **said: Any
) -> Check:
    """Look at what the account uses of JetStream, and whether the replicas of its streams are well."""
    check = Check("JetStream", "jetstream", said)
    async with line.jetstream() as api:
        try:
            info = await api.call("INFO")
            silent: list[str] = []
            streams = await listed(api, None, silent) if replicas else []
        except ClientError as e:
            check.say("critical", f"JetStream is not available: {e.what.rstrip('.')}")
            return check.done()
    limits = info.get("limits") or {}
    for name, field, limit, unit, flags in (
        ("memory", "memory", "max_memory", "B", "mem"),
        ("storage", "storage", "max_storage", "B", "store"),
        ("streams", "streams", "max_streams", "", "streams"),
        ("consumers", "consumers", "max_consumers", "", "consumers"),
    ):
        used, most = int(info.get(field) or 0), int(limits.get(limit) or -1)
        share = int(100 * used / most) if most > 0 else 0
        warn, crit = said[f"{flags}_warn"], said[f"{flags}_critical"]
        check.perf += [
            Perf(name, used, f"{name.capitalize()} in use", unit),
            Perf(
                f"{name}_pct",
                share,
                f"{name.capitalize()} in use, in percent",
                "%",
                max(0, warn),
                max(0, crit),
            ),
        ]
        if warn >= 0 and crit >= 0 and share > warn:
            check.say("critical" if share > crit else "warning", f"{share}% {name}")
    if replicas:
        _health(check, streams, silent, replica_seen_critical, replica_lag_critical)
    if check.ok:
        check.say("ok", f"{_many(info, 'stream')}, {_many(info, 'consumer')}")
    return check.done()


def _many(info: Mapping[str, Any], what: str) -> str:
    n = int(info.get(f"{what}s") or 0)
    return f"{n:,} {what}{'' if n == 1 else 's'}"


def _health(
    check: Check, streams: Sequence[Mapping[str, Any]], silent: Sequence[str], seen: float, lag: int
) -> None:
    """Whether each stream with several replicas has them all, and all are well."""
    wrong: dict[str, list[str]] = {
        "no_leader": list(silent),
        "missing_replicas": [],
        "lagged": [],
        "not_seen": [],
        "fail": [],
    }
    for one in streams:
        name, wanted = one["config"]["name"], int(one["config"].get("num_replicas") or 1)
        cluster = one.get("cluster") or {}
        peers = cluster.get("replicas") or []
        if wanted == 1:
            continue
        if not cluster.get("leader"):
            wrong["no_leader"].append(name)
        elif len(peers) + 1 != wanted:
            wrong["missing_replicas"].append(name)
        elif any(p.get("offline") for p in peers):
            wrong["fail"].append(name)
        elif any(int(p.get("active") or 0) > seen * 1e9 for p in peers):
            wrong["not_seen"].append(name)
        elif any(int(p.get("lag") or 0) > lag for p in peers):
            wrong["lagged"].append(name)
    bad = sorted({n for names in wrong.values() for n in names})
    check.perf.append(
        Perf("replicas_ok", len(streams) + len(silent) - len(bad), "Streams whose replicas are well")
    )
    for key, names in wrong.items():
        check.perf.append(
            Perf(f"replicas_{key}", len(names), f"Streams with replicas: {key.replace('_', ' ')}")
        )
    if bad:
        check.say("critical", f"{len(bad)} unhealthy stream{'' if len(bad) == 1 else 's'}: {', '.join(bad)}")


@CHECK.verb("kv", example="%nats server check kv --bucket CFG --key lock", mark="")
@flag("--bucket", required=True, help="this bucket")
@flag(
    "--values-critical",
    type=_OFF,
    default=-1,
    help="critical at so many values; no more than these, when it is less than warn",
)
@flag("--values-warn", type=_OFF, default=-1, help="warn")
@flag("--key", help="this key must have a value")
async def kv(
    line: Line, bucket: str, values_critical: int, values_warn: int, key: str | None, **said: Any
) -> Check:
    """Look at a bucket: how many values it holds, and whether a key has one."""
    check = Check(check_bucket(bucket), "kv", said)
    if key is not None:
        check_key(key)
    async with line.jetstream() as api:
        try:
            store = await KeyValue.open(api, bucket)
            values = int(store.info["state"]["messages"])
            there = key is None or await _has(api, bucket, key)
        except ClientError as e:
            check.say("critical", e.what.rstrip("."))
            return check.done()
    warn, crit = max(0, values_warn), max(0, values_critical)
    check.perf.append(_perf("values", values, "Values stored", warn, crit))
    check.limits(f"{values:,} values", values, warn, crit, more_is_worse=not warn or not crit or warn < crit)
    if key is not None:
        check.say(
            "ok" if there else "critical", f"{one_line(key)} {'has a value' if there else 'has no value'}"
        )
    if check.ok and not check.oks:
        check.say("ok", f"{values:,} values")
    return check.done()


async def _has(api: Api, bucket: str, key: str) -> bool:
    try:
        found = await api.call(f"STREAM.MSG.GET.KV_{bucket}", {"last_by_subj": f"$KV.{bucket}.{key}"})
    except JetStreamError as e:
        if e.code != _NO_MESSAGE:
            raise
        return False
    headers = base64.b64decode(found["message"].get("hdrs") or "")
    return b"KV-Operation:" not in headers and b"Nats-Marker-Reason:" not in headers
