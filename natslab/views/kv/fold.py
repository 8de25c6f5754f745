"""How each event changes what the KV view knows."""

from __future__ import annotations

import math
import re
from typing import Any

from natslab.tape.event import Conn, Deliver, Drop, Event, Snap, Store, Sub
from natslab.views.kv.state import (
    ENTRIES,
    GHOSTS,
    INBOXES,
    STREAM,
    TRIES,
    WATCHERS,
    Bucket,
    Entry,
    Key,
    State,
    Try,
    Watcher,
)
from natslab.views.view import fold_common
from natslab.views.wording import plain

VALUE = 60  # characters of a value that are remembered
#: Why a message left its stream -> why a revision is gone.
REASONS = {
    "max_msgs_per_subject": "history",
    "max_age": "expired",
    "ttl": "expired",
    "marker": "expired",
    "rollup": "purged",
    "purged": "purged",
    "deleted": "erased",
    "max_bytes": "full",
    "max_msgs": "full",
    "new max_msgs_per_subject": "history",
    "new max_bytes": "full",
    "new max_msgs": "full",
}
_UNITS = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 0.001, "us": 1e-6, "µs": 1e-6, "ns": 1e-9}


def fold(state: State, event: Event) -> None:
    """Take one event into account."""
    fold_common(state, event)
    if isinstance(event, Store):
        bucket = _bucket(state, event.stream or _stream_of(event.subject))
        if bucket is not None:
            (_refuse if event.code else _store)(state, bucket, event)
    elif isinstance(event, Drop):
        bucket = _bucket(state, event.stream, known=True)
        if bucket is not None and event.seq:
            _drop(bucket, event)
    elif isinstance(event, Deliver):
        bucket = _bucket(state, event.stream, known=True)
        if bucket is not None:
            _deliver(state, bucket, event)
    elif isinstance(event, Snap):
        if event.what == "stream":
            _stream(state, event.data, event.t, event.place)
        elif event.what == "consumer":
            _consumer(state, event.data, event.t)
    elif isinstance(event, Sub):
        _sub(state, event)
    elif isinstance(event, Conn) and event.state == "closed":
        for inbox in [i for i, client in state.inboxes.items() if client == event.client]:
            _closed(state, inbox, event.t)


def _bucket(state: State, stream: str, *, known: bool = False) -> Bucket | None:
    """The bucket that the stream holds, if this view shows it."""
    if not stream.startswith(STREAM):
        return None
    name = stream[len(STREAM) :]
    if state.of and not any(o.split("/", 1)[0] == name for o in state.of):
        return None
    if name not in state.buckets:
        if known:
            return None
        state.buckets[name] = Bucket(name=name)
    return state.buckets[name]


def _wanted(state: State, bucket: Bucket, key: str) -> bool:
    """Whether the view shows the key: it may be narrowed to some of the bucket's."""
    return not state.of or any(o in (bucket.name, f"{bucket.name}/{key}") for o in state.of)


def _stream_of(subject: str) -> str:
    """The stream of a bucket's subject: an answer that refuses does not name it."""
    parts = subject.split(".", 2)
    return STREAM + parts[1] if len(parts) == 3 and parts[0] == "$KV" else ""


def key_of(subject: str) -> str:
    """The key of a subject `$KV.<bucket>.<key>`; a mirrored bucket keeps the origin's subjects."""
    parts = subject.split(".", 2)
    return parts[2] if len(parts) == 3 and parts[0] == "$KV" else subject


def text_of(payload: bytes, size: int) -> str:
    """A value as text; what is no text becomes its length."""
    raw = payload[: 4 * VALUE]
    text = raw.decode("utf-8", "ignore" if len(payload) > len(raw) or size > len(payload) else "replace")
    odd = sum(c == "\ufffd" or (not c.isprintable() and c not in "\n\r\t") for c in text)
    if odd * 5 > len(text):
        return f"{size} bytes"
    text = plain(re.sub(r"\s+", " ", text.strip()))
    return text if len(text) <= VALUE and size <= len(raw) else text[: VALUE - 1] + "…"


def seconds(duration: str) -> float:
    """A duration as in Nats-TTL: "90", "1h30m", "never"; 0 for what is none."""
    if duration.isdigit():
        return float(duration)
    found = re.findall(r"(\d+(?:\.\d+)?)(h|ms|us|µs|ns|m|s)", duration)
    return sum(float(n) * _UNITS[unit] for n, unit in found)


def _headers(event: Store) -> dict[str, str]:
    return {name.lower(): value for name, value in event.headers}


def _whole(text: str) -> int:
    return int(text) if text.isdigit() else -1


def _store(state: State, bucket: Bucket, event: Store) -> None:
    if event.duplicate or not event.seq:
        return
    bucket.gone = math.inf
    headers = _headers(event)
    if event.count > 1:
        if event.seq > bucket.singly:
            bucket.counted += event.count - sum(event.seq - event.count < rev for rev in bucket.where)
        bucket.rush = max(bucket.rush, event.seq)
        bucket.rev = max(bucket.rev, event.seq)
        state.last = bucket.name
        return
    if not event.client:
        bucket.singly = max(bucket.singly, event.seq)
    name = key_of(event.subject)
    if not _wanted(state, bucket, name):
        bucket.rev = max(bucket.rev, event.seq)
        return
    if event.seq in bucket.where:
        known = bucket.keys[bucket.where[event.seq]]
        entry = next(e for e in known.entries if e.rev == event.seq)
        if not entry.client and event.client:
            entry.client = event.client
            for attempt in bucket.tries:
                attempt.client = event.client if attempt.rev == entry.rev else attempt.client
        if not event.client and headers.get("nats-ttl"):
            entry.ttl = seconds(headers["nats-ttl"])  # as it is stored: the server may have raised it
        if not entry.value and event.payload:
            entry.value, entry.size = text_of(event.payload, event.size), event.size
        return
    reason = headers.get("nats-marker-reason", "")
    op = {"DEL": "del", "PURGE": "purge"}.get(headers.get("kv-operation", "").upper(), "put")
    if reason:
        op = "purge" if reason == "Purge" else "marker"
    entry = Entry(
        rev=event.seq,
        op=op,
        value=reason if reason else text_of(event.payload, event.size) if op == "put" else "",
        size=event.size,
        t=event.t,
        client=event.client,
        ttl=seconds(headers.get("nats-ttl", "")),
        expected=_whole(headers.get("nats-expected-last-subject-sequence", "")),
    )
    if event.seq <= bucket.rush:
        bucket.counted = max(0, bucket.counted - 1)  # a source that reads the stream tells it after all
    if event.seq < bucket.first:
        entry.why, entry.gone = "gone", event.t
    key = bucket.keys.setdefault(name, Key(name=name))
    newest = not key.entries or key.entries[-1].rev < entry.rev
    at = len(key.entries)
    while at and key.entries[at - 1].rev > entry.rev:
        at -= 1
    key.entries.insert(at, entry)
    key.written += 1
    bucket.where[entry.rev] = name
    bucket.rev = max(bucket.rev, entry.rev)
    if newest:
        bucket.last, state.last = name, bucket.name
    if op == "marker":  # it also is a rollup
        _cut(key, entry.rev, "expired" if reason == "MaxAge" else "erased", event.t)
    elif op == "purge" or headers.get("nats-rollup", "").lower() == "sub":
        _cut(key, entry.rev, "purged", event.t)
    _depth(bucket, key, event.t)
    if entry.expected >= 0:
        _try(bucket, Try(0, name, entry.expected, rev=entry.rev, client=event.client, value=entry.value,
                         t=event.t))  # fmt: skip
    if len(bucket.where) > ENTRIES:
        _forget(bucket)


def _lose(entry: Entry, why: str, t: float) -> None:
    # What the server says later of a revision that we knew must go is only the same news.
    if entry.kept:
        entry.why, entry.gone = why, t


def _cut(key: Key, rev: int, why: str, t: float) -> None:
    """All revisions before `rev` are gone."""
    key.earlier = 0
    for entry in key.entries:
        if entry.rev < rev:
            _lose(entry, why, t)


def _depth(bucket: Bucket, key: Key, t: float) -> None:
    """The bucket keeps so many revisions of a key; and we remember only the newest that are gone."""
    if bucket.history:
        over = key.kept - bucket.history
        shrunk = min(max(0, over), key.earlier)
        key.earlier -= shrunk
        for entry in key.entries:
            if over - shrunk <= 0:
                break
            if entry.kept:
                _lose(entry, "history", t)
                over -= 1
    gone = [e for e in key.entries if not e.kept]
    if len(gone) > GHOSTS:
        old = {e.rev for e in gone[:-GHOSTS]}
        key.entries = [e for e in key.entries if e.rev not in old]
        for rev in old:
            del bucket.where[rev]


def _forget(bucket: Bucket) -> None:
    """The oldest revisions, gone ones first, are from now on only counted."""
    goal = ENTRIES * 9 // 10
    entries = {e.rev: e for key in bucket.keys.values() for e in key.entries}
    order = sorted(entries, key=lambda rev: (entries[rev].kept, rev))
    old = set(order[: len(order) - goal])
    for name in {bucket.where[rev] for rev in old}:
        key = bucket.keys[name]
        key.earlier += sum(e.kept for e in key.entries if e.rev in old)
        key.entries = [e for e in key.entries if e.rev not in old]
        if not key.entries:
            del bucket.keys[name]
    for rev in old:
        del bucket.where[rev]


def _try(bucket: Bucket, attempt: Try) -> None:
    bucket.asked += 1
    bucket.refused += not attempt.ok
    attempt.n = bucket.asked
    bucket.tries = [*bucket.tries[1 - TRIES :], attempt]


def _refuse(state: State, bucket: Bucket, event: Store) -> None:
    name = key_of(event.subject)
    if not _wanted(state, bucket, name):
        return
    headers = _headers(event)
    if len(bucket.keys) < ENTRIES:
        bucket.keys.setdefault(name, Key(name=name))
    key = bucket.keys.get(name)
    latest = key.entries[-1].rev if key and key.entries else 0
    found = re.search(r"sequence: (\d+)", event.error)
    _try(
        bucket,
        Try(
            n=0,
            key=name,
            expected=_whole(headers.get("nats-expected-last-subject-sequence", "")),
            actual=int(found.group(1)) if found else latest,
            code=event.code,
            error=plain(event.error)[:120],
            client=event.client,
            value=text_of(event.payload, event.size),
            t=event.t,
        ),
    )
    bucket.last, state.last = name, bucket.name


def _drop(bucket: Bucket, event: Drop) -> None:
    last = max(event.last, event.seq)
    span = range(event.seq, last + 1)
    revs = [r for r in bucket.where if r in span] if len(span) > len(bucket.where) else span
    why = REASONS.get(event.why, "gone")
    touched = set()
    for rev in revs:
        name = bucket.where.get(rev)
        if name is None:
            continue
        touched.add(name)
        for entry in bucket.keys[name].entries:
            if entry.rev == rev:
                _lose(entry, why, event.t)
    for name in touched:
        _depth(bucket, bucket.keys[name], event.t)


def _stream(state: State, data: dict[str, Any], t: float, place: str) -> None:
    bucket = _bucket(state, str(data.get("name", "")), known=bool(data.get("gone")))
    if bucket is None:
        return
    if data.get("gone"):
        bucket.gone = t
        for watcher in bucket.watchers.values():
            watcher.gone = min(watcher.gone, t)
        state.last = bucket.name
        return
    if bucket.gone < t:  # another bucket of the same name
        bucket = state.buckets[bucket.name] = Bucket(name=bucket.name)
    config, now = data.get("config") or {}, data.get("state") or {}
    bucket.place = place
    bucket.history = max(0, int(config.get("max_msgs_per_subject") or 0))
    bucket.ttl = float(config.get("max_age") or 0) / 1e9
    bucket.marker = float(config.get("subject_delete_marker_ttl") or 0) / 1e9
    bucket.ttls = bool(config.get("allow_msg_ttl"))
    bucket.mirror = str((config.get("mirror") or {}).get("name", ""))
    bucket.told = int(now.get("num_subjects") or 0)
    bucket.messages = int(now.get("messages") or 0)
    bucket.rev = max(bucket.rev, int(now.get("last_seq") or 0))
    bucket.first = max(bucket.first, int(now.get("first_seq") or 0))
    state.last = state.last or bucket.name
    for key in bucket.keys.values():
        for entry in key.entries:
            if entry.rev >= bucket.first:
                break
            _lose(entry, "gone", t)
        _depth(bucket, key, t)


def _consumer(state: State, data: dict[str, Any], t: float) -> None:
    bucket = _bucket(state, str(data.get("stream", "")), known=True)
    name, config = str(data.get("name", "")), data.get("config") or {}
    if bucket is None:
        return
    if data.get("gone"):
        if name in bucket.watchers:
            bucket.watchers[name].gone = min(bucket.watchers[name].gone, t)
        return
    inbox = str(config.get("deliver_subject") or "")
    if config.get("sourcing") or config.get("direct") or inbox.startswith("$JS."):
        return  # a copy of the bucket reads it: that is the mirrors view's
    watcher = _watcher(bucket, name, t)
    watcher.inbox = inbox or watcher.inbox
    # nats-py leaves the consumer of a stopped watcher to the server, which removes it minutes later.
    watcher.gone = math.inf if data.get("push_bound", True) or not inbox else min(watcher.gone, t)
    patterns = [config.get("filter_subject") or "", *(config.get("filter_subjects") or [])]
    names = [key_of(p) for p in patterns if p]
    watcher.pattern = "" if ">" in names else ", ".join(names)
    watcher.client = watcher.client or state.inboxes.get(inbox, "")
    delivered = data.get("delivered") or {}
    watcher.rev = max(watcher.rev, int(delivered.get("stream_seq") or 0))
    watcher.told = max(watcher.told, int(delivered.get("consumer_seq") or 0))
    if watcher.done < 0 and not data.get("num_pending"):
        watcher.done = watcher.rev


def _watcher(bucket: Bucket, name: str, t: float) -> Watcher:
    watcher = bucket.watchers.get(name)
    if watcher is None:
        bucket.watched += 1
        watcher = bucket.watchers[name] = Watcher(consumer=name, no=bucket.watched, came=t)
        if len(bucket.watchers) > WATCHERS:
            first = min(bucket.watchers.values(), key=lambda w: (w.gone, w.no))
            del bucket.watchers[first.consumer]
    return watcher


def _deliver(state: State, bucket: Bucket, event: Deliver) -> None:
    watcher = _watcher(bucket, event.consumer, event.t)
    watcher.client = event.client or watcher.client
    watcher.rev = max(watcher.rev, event.seq)
    watcher.told = max(watcher.told + 1, event.cseq)
    if watcher.done < 0 and not event.pending and event.how == "observed":
        watcher.done = event.seq


def _sub(state: State, event: Sub) -> None:
    if not event.subject.startswith("_INBOX."):
        return
    if event.state == "closed":
        _closed(state, event.subject, event.t)
        return
    state.inboxes[event.subject] = event.client
    if len(state.inboxes) > INBOXES:
        del state.inboxes[next(iter(state.inboxes))]
    for bucket in state.buckets.values():
        for watcher in bucket.watchers.values():
            if watcher.inbox == event.subject and not watcher.client:
                watcher.client = event.client


def _closed(state: State, inbox: str, t: float) -> None:
    """Nobody listens on the inbox any more."""
    state.inboxes.pop(inbox, None)
    for bucket in state.buckets.values():
        for watcher in bucket.watchers.values():
            if watcher.inbox == inbox:
                watcher.gone = min(watcher.gone, t)
