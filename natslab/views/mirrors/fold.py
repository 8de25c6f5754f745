"""How each event changes what the mirrors view knows."""

from __future__ import annotations

import hashlib
import math
import string
from typing import Any

from natslab.tape import event as events
from natslab.tape.event import Drop, Event, Server, Snap, Store
from natslab.views.mirrors.state import (
    BOUNCES,
    MISSING,
    RECENT,
    STREAMS,
    WIRES,
    Bounce,
    Link,
    State,
    Stream,
    Wire,
    behind,
    domain_in,
)
from natslab.views.view import fold_common
from natslab.views.wording import plain

_DIGITS = string.digits + string.ascii_uppercase + string.ascii_lowercase


def fold(state: State, event: Event) -> None:
    """Take one event into account."""
    fold_common(state, event)
    if isinstance(event, Store):
        if event.code:
            _refused(state, event)
        elif event.seq and not event.duplicate:
            _store(state, event)
    elif isinstance(event, Drop):
        if event.stream in state.streams and event.seq:
            _drop(state.streams[event.stream], event)
    elif isinstance(event, Snap) and event.what == "stream":
        _snap(state, event.data, event.t, event.place)
    elif isinstance(event, Server):
        state.domains[event.name] = event.domain or state.domains.get(event.name, "")
    elif isinstance(event, events.Link):
        _wire(state, event)


def _wire(state: State, event: events.Link) -> None:
    key = f"{event.a}>{event.b}"
    if event.state == "removed":
        state.wires.pop(key, None)
    elif key in state.wires or len(state.wires) < WIRES:
        state.wires[key] = Wire(a=event.a, b=event.b, type=event.type, state=event.state)


def _stream(state: State, name: str) -> Stream | None:
    known = state.streams.get(name)
    if known is None and len(state.streams) < STREAMS:
        known = state.streams[name] = Stream(name=name)
    return known


def _refused(state: State, event: Store) -> None:
    """A stream refused a message; one that was meant for a mirror bounced off it."""
    wanted = next((v for k, v in event.headers if k.lower() == "nats-expected-stream"), event.stream)
    stream = state.streams.get(wanted)
    if stream is None or not stream.links:
        return
    state.bounced += 1
    bounce = Bounce(
        stream=wanted,
        code=event.code,
        error=plain(event.error)[:120],
        client=event.client,
        subject=plain(event.subject)[:80],
        t=event.t,
    )
    state.bounces = [*state.bounces[1 - BOUNCES :], bounce]


def _store(state: State, event: Store) -> None:
    stream = _stream(state, event.stream)
    if stream is None:
        return
    if event.seq > stream.last:
        if event.t >= stream.gone:
            return
        stream.messages += event.count
        stream.last = event.seq
        stream.first = stream.first or event.seq - event.count + 1
    if event.count == 1:
        stream.singly = max(stream.singly, event.seq)
    if event.subject and event.count == 1:
        stream.recent[event.seq] = event.subject
        if len(stream.recent) > RECENT:
            del stream.recent[min(stream.recent)]
    header = next((v for k, v in event.headers if k.lower() == "nats-stream-source"), "")
    if header and not stream.known:
        stream.early = [*stream.early[1 - RECENT :], (header, event.seq, event.t)]
    elif header:
        _carried(stream, header, event.seq, event.t)
    elif stream.mirror:
        stream.links[0].moved = max(stream.links[0].moved, event.t)
    elif not event.client and event.count > 1:
        stream.rushed += event.count
    elif not event.client:
        stream.own += 1


def _carried(stream: Stream, header: str, own: int, t: float) -> None:
    """A sourced message says which of an origin it was: `NAME SEQ FILTER DESTINATION SUBJECT ...`."""
    parts = header.split(" ")
    if len(parts) < 2 or not parts[1].isdigit():
        return
    (name, _, mark), seq = parts[0].partition(":"), int(parts[1])
    mine = [li for li in stream.links if li.origin.partition("@")[0] == name]
    if len({li.external for li in mine}) > 1:
        mine = [li for li in mine if (_mark(li.external) if li.external else "") == mark] or mine
    if len(mine) > 1 and len(parts) > 2:
        mine = [li for li in mine if parts[2] in (li.filter, *(a for a, _ in li.transforms))] or mine
    if not mine:
        return
    link = mine[0]
    if any(b == own for _, b in link.pairs[-RECENT:]):
        return
    link.pairs = [*link.pairs[1 - RECENT :], (seq, own)]
    link.reached = max(link.reached, seq)
    link.carried += 1
    link.moved = max(link.moved, t)


def _mark(external: str) -> str:
    """What the server puts behind a stream's name for the API prefix through which it reads it (measured)."""
    return "".join(_DIGITS[byte % len(_DIGITS)] for byte in hashlib.sha256(external.encode()).digest()[:8])


def _drop(stream: Stream, event: Drop) -> None:
    last = max(event.last, event.seq)
    if last - event.seq < MISSING:
        for seq in range(event.seq, last + 1):
            stream.missing[seq] = event.why or "gone"
    while len(stream.missing) > MISSING:
        del stream.missing[next(iter(stream.missing))]


def _snap(state: State, data: dict[str, Any], t: float, place: str) -> None:
    name = str(data.get("name", ""))
    stream = _stream(state, name)
    if stream is None:
        return
    if data.get("gone"):
        stream.gone, stream.known, stream.links, stream.messages = t, False, [], 0
        if not any(li.origin == name for s in state.streams.values() for li in s.links):
            del state.streams[name]
        return
    if stream.gone < math.inf:
        stream = state.streams[name] = Stream(name=name)
    if "@" in name:
        for link in (li for s in state.streams.values() for li in s.links if li.external):
            link.origin = _called(state, link.origin, link.external)
    config, now = data.get("config") or {}, data.get("state") or {}
    before = stream.last
    stream.known, stream.place = True, place
    stream.subjects = [str(s) for s in config.get("subjects") or []]
    stream.first, stream.messages = int(now.get("first_seq") or 0), int(now.get("messages") or 0)
    newer = stream.last - int(now.get("last_seq") or 0)
    if newer > 0:
        stream.messages += newer  # that came after the server counted
    else:
        stream.last -= newer
    _links(state, stream, config, data, t)
    for header, own, at in stream.early:
        _carried(stream, header, own, at)
    stream.early = []
    if stream.mirror and stream.last > before:
        stream.links[0].moved = t
    for other in state.streams.values():
        for link in other.links:
            if name in (link.copy, link.origin):
                link.peak = max(link.peak, behind(state, link))


def _links(state: State, stream: Stream, config: dict[str, Any], data: dict[str, Any], t: float) -> None:
    mirror = config.get("mirror")
    wanted = [(mirror, True)] if mirror else [(s, False) for s in config.get("sources") or []]
    said = [data.get("mirror") or {}, *(data.get("sources") or [])]
    links = []
    for index, (one, whole) in enumerate(wanted):
        external = str((one.get("external") or {}).get("api", ""))
        fresh = Link(
            copy=stream.name,
            origin=_called(state, str(one.get("name", "")), external),
            mirror=whole,
            index=index,
            filter=str(one.get("filter_subject") or ""),
            transforms=_transforms(one),
            late=bool(one.get("opt_start_seq") or one.get("opt_start_time")),
            external=external,
        )
        link = next((li for li in stream.links if _same(li, fresh) and li.cut == math.inf), fresh)
        link.index = index
        for report in said:
            if _same(_like(state, fresh, report), fresh):
                _report(link, report, t)
                break
        links.append(link)
        _stream(state, link.origin)
    for link in stream.links:
        if link not in links:
            link.cut = min(link.cut, t)
            link.index = len(links)
            links.append(link)
    stream.links = links[: max(len(wanted) + 3, 1)]


def _transforms(one: dict[str, Any]) -> list[tuple[str, str]]:
    return [(str(t.get("src", "")), str(t.get("dest", ""))) for t in one.get("subject_transforms") or []]


def _called(state: State, name: str, external: str) -> str:
    """What the stream that is read is called here: NAME@DOMAIN where another domain has one of that name."""
    other = f"{name}@{domain_in(external)}"
    return other if other in state.streams else name


def _like(state: State, link: Link, report: dict[str, Any]) -> Link:
    """The link that the server reports on."""
    external = str((report.get("external") or {}).get("api", ""))
    return Link(
        copy=link.copy,
        origin=_called(state, str(report.get("name", "")), external),
        mirror=link.mirror,
        filter=str(report.get("filter_subject") or ""),
        transforms=_transforms(report),
        external=external,
    )


def _same(a: Link, b: Link) -> bool:
    return _identity(a) == _identity(b)


def _identity(link: Link) -> tuple[object, ...]:
    return link.origin, link.mirror, link.filter, link.transforms, link.external


def _report(link: Link, report: dict[str, Any], t: float) -> None:
    link.lag = int(report.get("lag") or 0)
    link.error = plain(str((report.get("error") or {}).get("description", "")))[:120]
    link.told = t
