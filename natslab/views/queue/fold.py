"""How each event changes what the queue view knows."""

from __future__ import annotations

import math
from collections import Counter
from itertools import pairwise

from natslab.tape.event import Conn, Drop, Event, Hop, Many, Pub, Recv, Server, Snap, Sub
from natslab.tape.subject import matches, overlaps
from natslab.views.queue.state import (
    BRICKS,
    CLIENTS,
    LANES,
    PLACES,
    RECENT,
    Brick,
    Due,
    Group,
    Lane,
    Message,
    Publisher,
    State,
    home_of,
    homes_of,
    lanes_of,
    meant,
    patterns_of,
)
from natslab.views.view import fold_common


def fold(state: State, event: Event) -> None:
    """Take one event into account."""
    fold_common(state, event)
    if isinstance(event, Sub):
        _sub(state, event)
    elif isinstance(event, Conn):
        _conn(state, event)
    elif isinstance(event, Pub):
        if not event.dry:
            _pub(state, event)
    elif isinstance(event, Recv):
        _recv(state, event)
    elif isinstance(event, Hop):
        _hop(state, event)
    elif isinstance(event, Many):
        _many(state, event)
    elif isinstance(event, Drop):
        _drop(state, event)
    elif isinstance(event, Snap) and event.what == "connz":
        _snap(state, event)
    elif isinstance(event, Server):
        state.clusters[event.name] = event.cluster


def _wanted(state: State, queue: str, pattern: str) -> bool:
    return not state.of or any(o == queue or overlaps(o, pattern) for o in state.of)


def _sub(state: State, event: Sub) -> None:
    if event.state == "closed":
        for group, lane in lanes_of(state):
            if lane.client == event.client and event.sid in lane.subs:
                del lane.subs[event.sid]
                if not lane.subs and not lane.gone:
                    _leave(state, group, lane, "left", event.t)
        return
    if _private(event.subject):
        return
    if any(
        lane.client == event.client and event.sid in lane.subs and not lane.gone
        for _, lane in lanes_of(state)
    ):
        return  # it only got a limit
    group = None
    if not event.queue:
        lane = _home(state.copies, event.client, event.subject)
    elif _wanted(state, event.queue, event.subject):
        group = state.groups.setdefault(event.queue, Group(name=event.queue))
        known = len(group.lanes)
        lane = _home(group.lanes, event.client, event.subject)
        if len(group.lanes) > known:
            lane.came = group.seen
            _forget(group)
    else:
        return
    lane.past += sum(lane.served.pop(sid) for sid in list(lane.served) if sid not in lane.subs)
    lane.subs[event.sid] = event.subject
    if event.subject not in lane.patterns:
        lane.patterns = [*lane.patterns[-9:], event.subject]
    if lane.gone or lane.opened == 0:
        lane.opened, lane.closed = event.t, math.inf
    lane.gone, lane.foreign = "", event.source == "monitor" or event.client in state.strangers
    if group is not None and not group.apart:
        homes = homes_of(state, group)
        group.apart = len(homes) > 1 and any(home in state.clusters for home in homes)
        if group.apart:
            _forget_draws(group)
    if lane.foreign and group is not None:
        _mix(group)


def _mix(group: Group) -> None:
    """A member is not a client of this lab: what a fair draw gives each is not known any more."""
    group.mixed = True
    _forget_draws(group)


def _forget_draws(group: Group) -> None:
    for lane in group.lanes.values():
        lane.mean = lane.var = 0.0


def _home(lanes: dict[str, Lane], client: str, pattern: str) -> Lane:
    """The lane for a new subscription: the client's own, or another where the two would overlap."""
    name, number = client, 1
    while name in lanes:
        lane = lanes[name]
        if lane.client == client and (lane.gone or not any(overlaps(pattern, p) for p in lane.subs.values())):
            return lane
        number += 1
        name = f"{client}·{number}"
    lanes[name] = Lane(label=name, client=client)
    return lanes[name]


def _forget(group: Group) -> None:
    """Many short-lived members: the oldest that are gone and got nothing, then the oldest gone, go."""
    if len(group.lanes) <= LANES:
        return
    gone = [lane for lane in group.lanes.values() if not lane.alive]
    if gone:
        first = min(gone, key=lambda lane: lane.count > 0)
        group.total -= first.count
        del group.lanes[first.label]


def _conn(state: State, event: Conn) -> None:
    if event.place and (event.client in state.places or len(state.places) < PLACES):
        state.places[event.client] = event.place
    if event.state != "open":
        state.strangers.pop(event.client, None)
    elif not event.no and len(state.strangers) < CLIENTS:
        state.strangers[event.client] = True
    for group, lane in lanes_of(state):
        if lane.client != event.client:
            continue
        if event.state == "open":
            if lane.gone == "lost" and lane.subs:
                lane.gone, lane.opened, lane.closed = "", event.t, math.inf
        elif not lane.gone:
            _leave(state, group, lane, event.state, event.t)
        if event.state == "closed":
            lane.subs.clear()


def _leave(state: State, group: Group | None, lane: Lane, how: str, t: float) -> None:
    lane.gone, lane.closed = how, t
    if group is not None:
        lane.went = group.seen
    for brick in lane.bricks:
        if brick.state == "way":
            _lose(lane, brick)


def _lose(lane: Lane, brick: Brick) -> None:
    brick.state = "lost"
    lane.lost += 1
    if brick.n:
        lane.numbers = [*lane.numbers[-19:], brick.n]


def _pub(state: State, event: Pub) -> None:
    if _private(event.subject):
        return
    due = {}
    for group in state.groups.values():
        among = _among(group, event.subject)
        if among:
            group.issued += 1
            due[group.name] = Due(n=group.issued, among=among)
        elif meant(group, event.subject):
            group.missed += 1
    if due:
        _publisher(state, event.client, event.subject, 1)
        state.twice += len(due) > 1
        _remember(state, Message(event.id, event.client, event.subject, event.t, due))


def _among(group: Group, subject: str) -> list[str]:
    return [
        lane.label
        for lane in group.lanes.values()
        if lane.alive
        for pattern in (lane.patterns if lane.foreign else lane.subs.values())
        if matches(pattern, subject)
    ]


def _publisher(state: State, client: str, subject: str, count: int) -> None:
    known = state.publishers.get(client)
    if known is None:
        if len(state.publishers) >= CLIENTS:
            return
        known = state.publishers[client] = Publisher(client=client, subjects=[])
    known.subjects = [*[s for s in known.subjects if s != subject][-7:], subject]
    known.count += count


def _remember(state: State, message: Message) -> None:
    state.messages[message.id] = message
    state.newest = message.id
    if len(state.messages) > RECENT:
        del state.messages[next(iter(state.messages))]


def _recv(state: State, event: Recv) -> None:
    message = state.messages.get(event.id) if event.id else None
    if not event.queue:
        lane = _lane(state.copies, event.client, event.sid)
        if lane is None or _private(event.subject):
            return
        wanted = any(meant(g, event.subject) for g in state.groups.values())
        if message is None and (event.id or not wanted):
            return
        if any(brick.id == event.id for brick in lane.bricks):
            return
        lane.count += 1
        n = min(d.n for d in message.due.values()) if message and message.due else 0
        _lay(state, lane, Brick(event.id or f"{lane.label}#{lane.count}", n, "here",
                                message.t if message else event.t, event.t))  # fmt: skip
        return
    group = state.groups.get(event.queue)
    lane = _lane(group.lanes, event.client, event.sid) if group else None
    if group and lane:
        _land(state, group, lane, event.id, event.subject, event.t, "here")


def _hop(state: State, event: Hop) -> None:
    if event.step != "egress" or event.via != "client" or not event.queue:
        return
    group, message = state.groups.get(event.queue), state.messages.get(event.id)
    if group is None or message is None:
        return
    who = event.client or f"cid {event.cid}"
    lanes = [lane for lane in group.lanes.values() if lane.client == who]
    if not lanes:
        lane = _home(group.lanes, who, event.sub)
        lane.foreign, lane.opened, lane.came = True, event.t, max(0, group.seen - 1)
        lane.patterns = [event.sub or event.subject]
        lanes = [lane]
        _mix(group)
    # Several subscriptions of one client look alike in a trace; its own report tells them apart.
    alive = [lane for lane in lanes if lane.alive]
    if len(alive) > 1:
        return
    lane = alive[0] if alive else lanes[-1]
    if lane.foreign and lane.gone:
        lane.gone, lane.opened, lane.closed = "", event.t, math.inf
    how = "here" if lane.foreign and not event.error else "way"
    _land(state, group, lane, event.id, event.subject or message.subject, event.t, how)
    if event.error or lane.gone:
        for brick in lane.bricks[-50:]:
            if brick.id == event.id and brick.state == "way":
                _lose(lane, brick)


def _land(state: State, group: Group, lane: Lane, id: str, subject: str, t: float, how: str) -> None:
    """News that `lane` was chosen for a message ("way"), or received it ("here")."""
    message = state.messages.get(id) if id else None
    if message is None and id:
        # Published before the group existed as far as we know, or mapped to another subject.
        message = Message(id, "", subject, t, {})
        _remember(state, message)
    due = message.due.get(group.name) if message else None
    brick = next((b for b in reversed(lane.bricks) if id and b.id == id), None)
    if brick is not None:
        if how == "here" and brick.state != "here":
            if brick.state == "lost":
                lane.lost -= 1
                lane.numbers = [n for n in lane.numbers if n != brick.n]
            brick.state, brick.t = "here", t
        return
    if due is not None and due.to == lane.label:
        return  # only counted by now
    if due is None:
        due = Due(n=0, among=_among(group, subject))
        if message is not None:
            group.issued += 1
            due.n = group.issued
            state.twice += len(message.due) == 1
            message.due[group.name] = due
    among = due.among if lane.label in due.among else [*due.among, lane.label]
    due.to, due.among = lane.label, []
    # Members in the publisher's own cluster come first: the draw was among those of one cluster.
    home = home_of(state, lane.client)
    among = [n for n in among if n not in group.lanes or home_of(state, group.lanes[n].client) == home]
    for name, weight in Counter(among).items():
        if name in group.lanes and not group.mixed and not group.apart:
            p = weight / len(among)
            group.lanes[name].mean += p
            group.lanes[name].var += p * (1 - p)
    group.last = max(group.last, t)
    if lane.foreign:
        lane.told += 1
        _counted(group, lane)
    else:
        group.total += 1
        lane.count += 1
    key = id or f"{group.name}#{group.total}"
    _lay(state, lane, Brick(key, due.n, how, message.t if message else t, t))


def _lay(state: State, lane: Lane, brick: Brick) -> None:
    """Put a brick in order of publishing; a long lane keeps only its newest."""
    at = len(lane.bricks)
    while at and brick.n and lane.bricks[at - 1].n > brick.n:
        at -= 1
    lane.bricks.insert(at, brick)
    room = max(24, min(160, BRICKS // (1 + sum(1 for _ in lanes_of(state)))))
    if len(lane.bricks) > room:
        del lane.bricks[: len(lane.bricks) - room]


def _many(state: State, event: Many) -> None:
    if event.count <= 0 or _private(event.subject):
        return
    if event.way == "pub":
        groups = 0
        for group in state.groups.values():
            if _among(group, event.subject):
                group.issued += event.count
                groups += 1
            elif meant(group, event.subject):
                group.missed += event.count
        if groups:
            _publisher(state, event.client, event.subject, event.count)
            state.twice += event.count if groups > 1 else 0
    elif event.queue:
        found = state.groups.get(event.queue)
        lane = _lane(found.lanes, event.client, event.sid) if found else None
        if found and lane:
            if not found.mixed and not found.apart:
                _share(state, found, lane, event)
            lane.count += event.count
            lane.bulk += event.count
            found.total += event.count
            found.bulk += event.count
            found.last = max(found.last, event.t)
    else:
        lane = _lane(state.copies, event.client, event.sid)
        if lane and any(overlaps(event.subject, p) for g in state.groups.values() for p in patterns_of(g)):
            lane.count += event.count
            lane.bulk += event.count


def _share(state: State, group: Group, lane: Lane, event: Many) -> None:
    """What a fair draw gives each member of messages spread evenly over the event's window."""

    def opened(member: Lane) -> float:
        # The window may begin before the first message; who was there by then was there for all of them.
        return member.opened if member.came else 0.0

    begin, end = max(event.since, opened(lane)), min(event.t, lane.closed)
    if begin >= end:
        begin = end = event.t
    home = home_of(state, lane.client)
    near = [o for o in group.lanes.values() if home_of(state, o.client) == home]
    rivals = [o for o in near if any(overlaps(event.subject, p) for p in o.patterns)]
    edges = {begin, end, *(opened(o) for o in rivals), *(o.closed for o in rivals)}
    cuts = sorted(e for e in edges if begin <= e <= end)
    for a, b in list(pairwise(cuts)) or [(begin, end)]:
        there = [o for o in rivals if opened(o) <= a and o.closed >= b] or [lane]
        n = event.count * ((b - a) / (end - begin) if end > begin else 1.0)
        for other in there:
            other.mean += n / len(there)
            other.var += n / len(there) * (1 - 1 / len(there))


def _snap(state: State, event: Snap) -> None:
    """What the server counted for subscriptions of clients that are not this lab's."""
    for conn in event.data.get("connections") or []:
        client = str(conn.get("client", ""))
        for said in conn.get("subscriptions") or []:
            group = state.groups.get(str(said.get("qgroup", "")))
            for lane in (group.lanes if group else state.copies).values():
                if lane.client != client or not lane.foreign:
                    continue
                sid = _sid(lane, str(said.get("sid", "")), str(said.get("subject", "")))
                if sid is not None:
                    lane.served[sid] = int(said.get("msgs", 0))
                    _counted(group, lane)


def _sid(lane: Lane, sid: str, pattern: str) -> int | None:
    """The lane's number of a subscription; clients other than nats-py may use words for theirs."""
    found = (s for s, p in lane.subs.items() if (str(s) == sid if sid.isdecimal() else p == pattern))
    return next(found, None)


def _counted(group: Group | None, lane: Lane) -> None:
    """A foreign lane got what the server counted, or what traces named since."""
    count = max(lane.told, lane.past + sum(lane.served.values()), lane.count)
    bulk = count - lane.told
    if group is not None:
        group.total += count - lane.count
        group.bulk += bulk - lane.bulk
    lane.count, lane.bulk = count, bulk


def _drop(state: State, event: Drop) -> None:
    """A client threw away the message that it received last, because its handler is too slow."""
    lanes = [lane for group, lane in lanes_of(state) if group and lane.client == event.client and lane.count]
    if not lanes:
        return
    lane = max(lanes, key=lambda la: max((b.t for b in la.bricks), default=0.0))
    lane.slow = True
    here = [b for b in lane.bricks if b.state == "here" and (not event.id or b.id == event.id)]
    if here and lane.count == len(lane.bricks):
        _lose(lane, max(here, key=lambda b: b.t))
    else:
        lane.lost = min(lane.count, lane.lost + event.count)


def _lane(lanes: dict[str, Lane], client: str, sid: int) -> Lane | None:
    """The lane of a subscription; after its end, the client's newest."""
    found = None
    for lane in lanes.values():
        if lane.client == client:
            if sid in lane.subs:
                return lane
            found = lane
    return found


def _private(subject: str) -> bool:
    return subject.startswith(("_INBOX.", "_NATSLAB.", "$"))
