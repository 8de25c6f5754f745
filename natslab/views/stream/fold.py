"""How each event changes what the stream view knows."""

from __future__ import annotations

import re
from typing import Any

from natslab.tape.event import Ack, Deliver, Drop, Event, Server, Snap, Store
from natslab.views.stream.reasons import guess
from natslab.views.stream.state import (
    ANSWERS,
    BLOCK,
    GONE,
    HANDS,
    LEAST,
    RANGES,
    SLOTS,
    SUBJECTS,
    WINDOW,
    Answer,
    Gone,
    Hand,
    Limits,
    Range,
    Reader,
    Slot,
    State,
    Stream,
)
from natslab.views.view import fold_common

_UNITS = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}
_SINGLY = 40  # of a range that came at once, its newest are told singly all the same


def fold(state: State, event: Event) -> None:
    """Take one event into account."""
    fold_common(state, event)
    if isinstance(event, Store):
        if _wanted(state, event.stream):
            _store(state, _stream(state, event.stream), event)
    elif isinstance(event, Drop):
        if event.stream in state.streams:
            _drop(state.streams[event.stream], event)
    elif isinstance(event, Deliver):
        if event.stream in state.streams:
            _deliver(state.streams[event.stream], event)
    elif isinstance(event, Ack):
        if event.stream in state.streams:
            _ack(state.streams[event.stream], event)
    elif isinstance(event, Snap):
        _snap(state, event)
    elif isinstance(event, Server) and event.state == "up":
        for stream in state.streams.values():
            stream.again = stream.again or (stream.limits.replicas == 1 and stream.place in ("", event.name))


def _wanted(state: State, name: str) -> bool:
    return bool(name) and (not state.of or name in state.of)


def _stream(state: State, name: str) -> Stream:
    if name not in state.streams:
        state.streams[name] = Stream(name=name)
    return state.streams[name]


# --- what comes -------------------------------------------------------------------------------


def _store(state: State, stream: Stream, event: Store) -> None:
    if stream.ended:
        if event.t < stream.ended:
            return  # it went with the one that was deleted
        stream.renewed = True
    if event.client or event.code:
        _answer(stream, event)
    if event.code or event.error:
        stream.refused += 1
        return
    if event.duplicate:
        stream.duplicates += 1
        stream.ids = True
        if event.seq in stream.slots:
            stream.slots[event.seq].twice += 1
        return
    if event.seq <= 0:
        return
    stream.exists, stream.lost = True, False
    if event.count > 1:
        _many(state, stream, event)
    else:
        _one(state, stream, event)
    _bound(state, stream)


def _answer(stream: Stream, event: Store) -> None:
    what = "refused" if event.code or event.error else "duplicate" if event.duplicate else "stored"
    before = stream.answers.pop(event.subject, None)
    again = before is not None and (before.what, before.code) == (what, event.code) and what != "stored"
    stream.answers[event.subject] = Answer(
        subject=event.subject,
        what=what,
        seq=event.seq,
        client=event.client,
        code=event.code,
        error=event.error[:200],
        t=event.t,
        count=before.count + 1 if again and before is not None else 1,
    )
    while len(stream.answers) > ANSWERS:
        del stream.answers[next(iter(stream.answers))]


def _one(state: State, stream: Stream, event: Store) -> None:
    seq, known = event.seq, stream.slots.get(event.seq)
    headers = {k.lower(): v for k, v in event.headers}
    if known is None:
        if _went(stream, event):
            return
        known = Slot(seq, event.subject, event.t, event.size)
        answer = stream.answers.get(event.subject)
        if answer is not None and answer.what == "duplicate" and answer.seq == seq:
            known.twice = answer.count  # the answer came before the message was read from the stream
        _arrive(stream, seq, event.t)
        ordered = not stream.slots or seq > next(reversed(stream.slots))
        stream.slots[seq] = known
        if not ordered:
            stream.slots = dict(sorted(stream.slots.items()))
        _count(stream, event.subject, 1)
        for reader in stream.readers.values():
            if reader.exact < event.n and seq > reader.delivered and reader.wants(event.subject):
                reader.due += 1
    elif not event.client:
        # Read from the stream itself: that is more exact than what a client heard.
        known.t, known.size = event.t, event.size
    known.client = event.client or known.client
    known.id = headers.get("nats-msg-id", known.id)[:100]
    known.marker = headers.get("nats-marker-reason", known.marker)[:40]
    if "nats-ttl" in headers:
        known.ttl = _ttl(headers["nats-ttl"])
    stream.ids = stream.ids or bool(known.id)


def _went(stream: Stream, event: Store) -> bool:
    """Whether the message is known to be gone already; then its subject is filled in."""
    if event.seq > stream.last_seq:
        return False
    for gone in reversed(stream.gone):
        if gone.seq <= event.seq <= gone.last:
            if gone.seq == gone.last:
                gone.subject = gone.subject or event.subject
            stream.last_seq = max(stream.last_seq, event.seq)
            return True
    if any(r.first <= event.seq <= r.last for r in stream.ranges):
        return True  # counted
    if event.seq < stream.first_seq and event.seq <= stream.last_seq:
        slot = Slot(event.seq, event.subject, event.t, event.size)
        _goes(
            stream,
            Gone(event.seq, event.seq, guess(stream, slot, event.t), event.subject, event.t, guessed=True),
        )
        return True
    return False


def _arrive(stream: Stream, seq: int, t: float, count: int = 1) -> None:
    """Messages up to `seq` came: either the newest report counts them already, or not."""
    if seq <= stream.last_seq and stream.missing > 0:
        stream.missing -= min(stream.missing, count)
    stream.last_seq = max(stream.last_seq, seq)
    stream.changed = max(stream.changed, t)


def _many(state: State, stream: Stream, event: Store) -> None:
    first, last = event.seq - event.count + 1, event.seq
    known = [s for s in stream.slots if first <= s <= last]
    fresh = event.count - len(known)
    if fresh <= 0:
        return
    _arrive(stream, last, event.t, fresh)
    _count(stream, event.subject, fresh)
    tail = max(first, last - _SINGLY + 1) if event.subject else last + 1
    for seq in range(tail, last + 1):
        stream.slots.setdefault(seq, Slot(seq, event.subject, event.t, event.size // event.count))
    counted = sum(first <= s < tail for s in known)
    if tail > first and tail - first > counted:
        stream.ranges.append(Range(first, tail - 1, {event.subject: tail - first - counted}, event.t))
    stream.slots = dict(sorted(stream.slots.items()))


def _count(stream: Stream, subject: str, by: int) -> None:
    if subject not in stream.subjects and len(stream.subjects) >= SUBJECTS:
        spare = next((s for s, n in stream.subjects.items() if n <= 0), None)
        if spare is None:
            return
        del stream.subjects[spare]
    stream.subjects[subject] = max(0, stream.subjects.get(subject, 0) + by)


def _bound(state: State, stream: Stream) -> None:
    """The oldest of too many messages are only counted from now on."""
    most = max(LEAST, SLOTS // max(1, len(state.streams)))
    if len(stream.slots) <= most:
        return
    oldest = [stream.slots.pop(seq) for seq in list(stream.slots)[: max(1, most // 5)]]
    for slot in oldest:
        block = stream.ranges[-1] if stream.ranges else None
        if block is None or slot.seq - block.first >= BLOCK or block.last >= slot.seq:
            block = Range(slot.seq, slot.seq)
            stream.ranges.append(block)
        block.last, block.t = slot.seq, slot.t
        block.subjects[slot.subject] = block.subjects.get(slot.subject, 0) + 1
    stream.ranges.sort(key=lambda r: r.first)
    while len(stream.ranges) > RANGES:
        merged: list[Range] = []
        for a, b in zip(stream.ranges[::2], [*stream.ranges[1::2], None], strict=False):
            if b is not None:
                a.last, a.t = b.last, b.t
                for subject, n in b.subjects.items():
                    a.subjects[subject] = a.subjects.get(subject, 0) + n
            merged.append(a)
        stream.ranges = merged


def _ttl(text: str) -> float:
    """Seconds of a Nats-TTL header: a Go duration, seconds, or "never"."""
    if text.strip().lower() == "never":
        return -1.0
    parts = re.findall(r"([0-9.]+)(ns|us|µs|ms|s|m|h)", text)
    try:
        return sum(float(n) * _UNITS[unit] for n, unit in parts) if parts else float(text)
    except ValueError:
        return 0.0


# --- what goes --------------------------------------------------------------------------------


def _drop(stream: Stream, event: Drop) -> None:
    first, last = event.seq, max(event.seq, event.last)
    if first <= 0:
        # It is not known which: the oldest of those that are only counted.
        if not stream.ranges:
            stream.hint = event.why
            return
        first, last = stream.ranges[0].first, _nth(stream, event.count)
    told = event.how == "inferred"
    stream.changed = max(stream.changed, event.t)
    few = last - first < len(stream.slots)
    seqs = [s for s in range(first, last + 1) if s in stream.slots] if few else [*stream.slots]
    here = [stream.slots.pop(s) for s in seqs if first <= s <= last]
    counted = _cut(stream, first, last) if stream.ranges and first <= stream.ranges[-1].last else {}
    found = len(here) + sum(counted.values())
    for slot in here:
        _goes(stream, Gone(slot.seq, slot.seq, event.why, slot.subject, event.t, 1, told))
    if counted:
        subject = next(iter(counted)) if len(counted) == 1 else ""
        _goes(stream, Gone(first, last, event.why, subject, event.t, sum(counted.values()), told))
    for subject, n in counted.items():
        _count(stream, subject, -n)
    for slot in here:
        _count(stream, slot.subject, -1)
    if stream.missing < 0:
        stream.missing += min(found, -stream.missing)  # the report said so before
    if found < event.count:
        _unseen(stream, event, first, last, found)


def _unseen(stream: Stream, event: Drop, first: int, last: int, found: int) -> None:
    """The rest of what went: either a report said so before, or it came and went in between."""
    explained = found
    for gone in stream.gone:
        if first <= gone.seq and gone.last <= last and gone.guessed:
            _rename(stream, gone, event.why)
            explained += gone.count
    unknown = event.count - explained
    if unknown <= 0 or any(g.seq <= first and last <= g.last for g in stream.gone):
        return
    if stream.missing > 0 and last <= stream.last_seq:
        stream.missing -= min(unknown, stream.missing)
    end = last if event.last or event.count == 1 else first + event.count - 1
    stream.last_seq = max(stream.last_seq, end)
    _goes(stream, Gone(first, last, event.why, "", event.t, unknown, event.how == "inferred"))


def _nth(stream: Stream, count: int) -> int:
    """The sequence up to which the ranges count so many messages."""
    for block in stream.ranges:
        if block.count >= count:
            return block.last - (block.count - count)
        count -= block.count
    return stream.ranges[-1].last


def _goes(stream: Stream, gone: Gone) -> None:
    stream.gone.append(gone)
    stream.reasons[gone.why] = stream.reasons.get(gone.why, 0) + gone.count
    del stream.gone[:-GONE]


def _rename(stream: Stream, gone: Gone, why: str) -> None:
    stream.reasons[gone.why] -= gone.count
    if not stream.reasons[gone.why]:
        del stream.reasons[gone.why]
    gone.why, gone.guessed = why, False
    stream.reasons[why] = stream.reasons.get(why, 0) + gone.count


def _cut(stream: Stream, first: int, last: int) -> dict[str, int]:
    """Take messages out of the ranges; gives back how many of each subject."""
    out: dict[str, int] = {}
    for block in stream.ranges:
        a, b = max(first, block.first), min(last, block.last)
        if a > b:
            continue
        span, left = block.last - block.first + 1, b - a + 1
        take = block.count if left == span else round(block.count * left / span)
        for subject in list(block.subjects):
            n = min(block.subjects[subject], take)
            block.subjects[subject] -= n
            take -= n
            out[subject] = out.get(subject, 0) + n
            if not block.subjects[subject]:
                del block.subjects[subject]
        if a == block.first:
            block.first = b + 1
        elif b == block.last:
            block.last = a - 1
    stream.ranges = [r for r in stream.ranges if r.subjects and r.first <= r.last]
    return {s: n for s, n in out.items() if n}


# --- who reads --------------------------------------------------------------------------------


def _deliver(stream: Stream, event: Deliver) -> None:
    reader = stream.readers.setdefault(event.consumer, Reader(name=event.consumer))
    hand = reader.hands.pop(event.seq, None)
    # What follows from the consumer's file tells of nothing to come, and its reports may have been sooner.
    told, counted = event.how != "inferred", event.seq <= reader.delivered
    if hand is None and event.seq > reader.floor and (told or not counted):
        reader.out += reader.ack != "none"
    client = event.client or (hand.client if hand is not None else "")
    reader.hands[event.seq] = Hand(client, "out", event.t, event.attempt, event.held)
    reader.delivered = max(reader.delivered, event.seq)
    if told:
        reader.due = event.pending
    elif not counted:
        reader.due = max(0, reader.due - 1)
    while len(reader.hands) > HANDS:
        del reader.hands[next(iter(reader.hands))]


def _ack(stream: Stream, event: Ack) -> None:
    reader = stream.readers.setdefault(event.consumer, Reader(name=event.consumer))
    if event.verb == "wpi":
        if event.seq in reader.hands:
            reader.hands[event.seq].t = event.t
        return
    upto = [event.seq]
    if reader.ack == "all" and event.verb == "ack":
        upto = [s for s in reader.hands if s <= event.seq] or upto
        reader.floor = max(reader.floor, event.seq)
    for seq in upto:
        hand = reader.hands.setdefault(seq, Hand(event.client, "out", event.t, event.attempt))
        if hand.state in ("acked", "term"):
            continue
        hand.state = "acked" if event.verb == "ack" else event.verb
        if event.verb in ("ack", "term", "exhausted"):
            reader.out = max(0, reader.out - 1)
    while (reader.floor + 1 in reader.hands) and reader.hands[reader.floor + 1].state in ("acked", "term"):
        reader.floor += 1


# --- what the server reports ------------------------------------------------------------------


def _snap(state: State, event: Snap) -> None:
    data = event.data
    if event.what == "stream" and _wanted(state, str(data.get("name", ""))):
        _report(state, event, str(data["name"]))
    elif event.what == "advisory":
        if (
            data.get("action") == "delete"
            and not data.get("consumer")
            and data.get("stream") in state.streams
        ):
            # A report says so later: by then one of that name may be there again.
            _end(state, str(data["stream"]), event.t)
    elif event.what in ("consumer", "pending") and str(data.get("stream", "")) in state.streams:
        stream = state.streams[str(data["stream"])]
        name = str(data.get("name" if event.what == "consumer" else "consumer", ""))
        if data.get("gone"):
            stream.readers.pop(name, None)
        elif name:
            reader = stream.readers.setdefault(name, Reader(name=name))
            (_consumer if event.what == "consumer" else _pending)(reader, event)


def _report(state: State, event: Snap, name: str) -> None:
    data = event.data
    if data.get("gone"):
        if name in state.streams and state.streams[name].renewed:
            state.streams[name].ended, state.streams[name].renewed = 0.0, False
        elif name in state.streams:
            _end(state, name, 0.0)
        return
    stream = _stream(state, name)
    stream.exists, stream.lost = True, False
    stream.limits, stream.place = limits_of(data), event.place
    for gone in reversed(stream.gone):
        if gone.why.startswith("new ") and not gone.limit:
            gone.limit = _lowered(stream.limits, gone.why)
    stream.by_events = data.get("kept") == "events"
    counts = data.get("state") or {}
    stream.bytes = int(counts.get("bytes", 0))
    stream.told = int(counts.get("messages", 0))
    stream.first_seq, last = int(counts.get("first_seq", 0)), int(counts.get("last_seq", 0))
    stream.reported = event.t
    if stream.again:
        stream.again = False
        for slot in [s for s in stream.slots.values() if s.seq > last and s.t < event.t]:
            _leave(stream, slot, "restart", event.t)
        stream.last_seq = min(stream.last_seq, max(last, *stream.slots, 0)) if stream.slots else last
    for slot in [s for s in stream.slots.values() if s.seq < stream.first_seq]:
        _leave(stream, slot, guess(stream, slot, event.t), event.t)
    counted = _cut(stream, 0, stream.first_seq - 1)
    for subject, n in counted.items():
        _count(stream, subject, -n)
    if counted:
        _goes(
            stream, Gone(1, stream.first_seq - 1, stream.hint, "", event.t, sum(counted.values()), True, True)
        )
    newer = sum(s > last for s in reversed(stream.slots)) + sum(
        r.count for r in stream.ranges if r.first > last
    )
    stream.missing = stream.told - (stream.counted - newer)
    stream.last_seq = max(stream.last_seq, last)


def _lowered(limits: Limits, why: str) -> int:
    if why == "new max_msgs":
        return limits.msgs
    return limits.bytes if why == "new max_bytes" else limits.per_subject


def _end(state: State, name: str, ended: float) -> None:
    """What a stream kept went with it; that it was there is still worth a word."""
    was = state.streams[name]
    lost = was.again and not ended and was.limits.storage == "memory"
    state.streams[name] = Stream(name=name, limits=was.limits, exists=False, lost=lost, ended=ended)


def _leave(stream: Stream, slot: Slot, why: str, t: float) -> None:
    del stream.slots[slot.seq]
    _count(stream, slot.subject, -1)
    _goes(stream, Gone(slot.seq, slot.seq, why, slot.subject, t, inferred=True, guessed=True))


def limits_of(data: dict[str, Any]) -> Limits:
    """The limits of a stream's report, in the server's field names."""
    config = data.get("config") or {}

    def number(key: str) -> int:
        return max(0, int(config.get(key) or 0))

    return Limits(
        subjects=[str(s) for s in config.get("subjects") or []],
        retention=str(config.get("retention", "limits")),
        storage=str(config.get("storage", "file")),
        replicas=max(1, number("num_replicas")),
        discard=str(config.get("discard", "old")),
        per_subject_too=bool(config.get("discard_new_per_subject")),
        msgs=number("max_msgs"),
        bytes=number("max_bytes"),
        age=number("max_age") / 1e9,
        per_subject=number("max_msgs_per_subject"),
        consumers=number("max_consumers"),
        window=number("duplicate_window") / 1e9 if "duplicate_window" in config else WINDOW,
        first=max(1, number("first_seq")),
        sealed=bool(config.get("sealed")),
        mirror=str((config.get("mirror") or {}).get("name", "")),
        sources=[str(s.get("name", "")) for s in config.get("sources") or []],
    )


def _consumer(reader: Reader, event: Snap) -> None:
    data, config = event.data, event.data.get("config") or {}
    delivered, floor = (int((data.get(k) or {}).get("stream_seq", 0)) for k in ("delivered", "ack_floor"))
    if reader.began < 0:
        reader.began = floor if delivered else max(floor, 0)
    reader.delivered, reader.floor = max(reader.delivered, delivered), max(reader.floor, floor)
    if delivered < reader.delivered and not reader.hands:
        reader.delivered = delivered
    reader.out = int(data.get("num_ack_pending", 0))
    reader.due = int(data.get("num_pending", 0))
    reader.pulls = int(data.get("num_waiting", 0))
    reader.ack = str(config.get("ack_policy", "explicit"))
    reader.wait = int(config.get("ack_wait") or 0) / 1e9 or 30.0
    one = [config["filter_subject"]] if config.get("filter_subject") else []
    reader.filters = [str(f) for f in config.get("filter_subjects") or one]
    reader.paused = bool(data.get("paused"))
    reader.exact = event.n
    for seq, hand in reader.hands.items():
        if seq <= floor and hand.state == "out":
            hand.state = "acked"


def _pending(reader: Reader, event: Snap) -> None:
    """The consumer's own file says who waits: it also knows of clients that are not the lab's."""
    data = event.data
    floor, delivered = int(data["floor"][1]), int(data["delivered"][1])
    waits = {int(p[0]) for p in data.get("pending") or []}
    tried = {int(r[0]) for r in data.get("redelivered") or []}
    reader.floor, reader.delivered = max(reader.floor, floor), max(reader.delivered, delivered)
    for seq in sorted(waits)[:HANDS]:
        if seq not in reader.hands:
            reader.hands[seq] = Hand("", "out", event.t)
    if not data.get("left_out") and not data.get("left_out_again"):
        for seq, hand in reader.hands.items():
            if hand.state == "out" and seq <= delivered and seq not in waits and seq not in tried:
                hand.state = "acked"
