"""What streams and consumers are, and what comes into them and goes, by the server's own report."""

from __future__ import annotations

import asyncio
import contextlib
import math
import re
import time
from collections import deque
from collections.abc import Callable
from datetime import datetime
from typing import Any

from natslab.servers.config import LEARNER
from natslab.servers.fleet import Fleet
from natslab.servers.hub import Hub
from natslab.servers.report import Delivered
from natslab.sources.ackreply import Attempt
from natslab.sources.blocks import ERASED, MESSAGE, TOMB, VERSIONS, Blocks, Raw, opened
from natslab.sources.book import Book, Gone, Known, Purge
from natslab.sources.merged import Key, Report, Told
from natslab.sources.monitor import Monitor
from natslab.tape.event import Ack, Deliver, Drop, Event, Snap, Store
from natslab.tape.tape import Tape

PACE = 0.1  # seconds between two looks at the files
STEP = 1 << 20  # bytes read before others have their turn; 10 ms
SINGLES = 2_000  # messages a second and stream that are told one by one
DROPS = 200  # removals that are told one by one at a time
PATIENCE = 0.3  # seconds that a removal waits for the request that explains it
CALM = 2.0  # seconds in which a new leader may still apply what the old one had

_STATE = ("messages", "bytes", "first_seq", "last_seq", "num_subjects", "num_deleted", "consumer_count")
_COUNTS = ("num_ack_pending", "num_redelivered", "num_waiting", "num_pending")
_ORIGIN = ("name", "lag", "filter_subject", "subject_transforms", "external", "error")
_REMOVAL = re.compile(r"\$JS(?:\.[^.]+)?\.API\.STREAM\.(?:PURGE|MSG\.DELETE)\.([^.]+)")
_TTL = re.compile(r"(\d+)(ms|s|m|h)?")
_UNIT = {"ms": 0.001, "s": 1.0, "": 1.0, "m": 60.0, "h": 3600.0}


class _Stream:
    """One stream as it is followed."""

    def __init__(self, place: str, made: str, config: dict[str, Any], blocks: Blocks | None) -> None:
        self.place = place  # its leader, whose files are read
        self.moved = -math.inf  # when the leader changed last
        self.made = made
        self.blocks = blocks  # None: its messages are known from events only
        self.book = Book(config, blind=blocks is None)
        self.allowance = float(SINGLES)
        self.allowed_at = time.monotonic()
        self.began = 0  # the sequence before the first that is told
        self.base = -1  # events only: everything up to here is told
        self.ahead: set[int] = set()  # events only: told, above the base
        self.last = 0  # last_seq of the last report
        self.held = 0  # messages of the last report
        self.short = 0  # reports in a row with a lower last_seq than what was read

    @property
    def agrees(self) -> bool:
        """Whether what was told is what the last report said."""
        told = self.base if self.blocks is None else self.book.last
        return (told >= self.last or not self.last) and self.book.settles(self.held, self.last)

    def singles(self, wanted: int) -> int:
        """How many of so many messages may be told one by one now."""
        now = time.monotonic()
        self.allowance = min(SINGLES, self.allowance + (now - self.allowed_at) * SINGLES)
        self.allowed_at = now
        some = min(wanted, int(self.allowance))
        self.allowance -= some
        return some


class Streams:
    """Puts on the tape what the streams are, what comes into them, and what goes and why.

    A Snap "stream" and a Snap "consumer" when the report (jsz) of its leader changed, which is their
    `place`. A Store for each message, read from the leader's files of a file stream; where that is not
    possible (memory storage, an encrypted store, a server whose format was not measured) only what clients
    report, and the counters. A Drop for what is gone: `how` is "observed" where the request that did it
    was seen.
    """

    def __init__(self, fleet: Fleet, hub: Hub, tape: Tape, monitor: Monitor) -> None:
        self._fleet = fleet
        self._hub = hub
        self._tape = tape
        self._monitor = monitor
        self._told: dict[Key, dict[str, Any]] = {}  # (stream,) or (stream, consumer) -> snap
        self._made: dict[Key, str] = {}  # the same -> when it was created
        self._places: dict[Key, str] = {}  # the same -> whose word the snap is
        # A report that is older than what clients tell proves nothing: it is told again when it is not.
        self._snapped: dict[Key, float] = {}  # the same -> when, tape seconds
        self._news: dict[Key, float] = {}  # consumers -> when something was handed out or answered last
        self._streams: dict[str, _Stream] = {}
        self._early: deque[Event] = deque(maxlen=10_000)  # of streams that were not reported yet
        self._over: dict[str, str] = {}  # deleted streams -> when they were created
        self._deserted: dict[Key, float] = {}  # consumers that are told, and whose deletion was said: when
        self._read = 0  # how far the tape was read
        self._stop: Callable[[], None] | None = None
        self._task: asyncio.Task[None] | None = None
        self._stopped = False

    async def start(self) -> None:
        """Begin."""
        self._stopped = False
        self._read = self._tape.head
        self._stop = self._monitor.read(self._heard)
        self._task = asyncio.create_task(self._follow())

    async def stop(self) -> None:
        """End."""
        self._stopped = True
        if self._stop is not None:
            self._stop()
            self._stop = None
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
            self._task = None

    def delivering(self, attempt: Attempt, said: Delivered) -> None:
        """A delivery is about to be put on the tape: first what is known of the message's arrival."""
        one = self._streams.get(attempt.stream)
        if one is None:
            return
        if one.blocks is not None:
            if one.book.last < attempt.seq:
                self._take(attempt.stream, one)
        elif one.base < attempt.seq and attempt.seq not in one.ahead:
            self._events()
            if attempt.seq not in one.ahead and one.base < attempt.seq:
                one.ahead.add(attempt.seq)
                gone = one.book.stored(attempt.seq, Known(said.subject, attempt.at))
                self._tape.append(
                    Store(
                        t=max(0.0, attempt.at - self._tape.started),
                        source="streams",
                        place=one.place,
                        stream=attempt.stream,
                        subject=said.subject,
                        seq=attempt.seq,
                        size=said.size,
                    )
                )
                self._drop(attempt.stream, one, gone)

    def catch_up(self, patience: float = PATIENCE) -> None:
        """Read what is in the files by now, and say why what is gone has gone.

        `patience`: seconds that a removal waits for the request that explains it.
        """
        if any(one.blocks is not None and one.blocks.news() for one in self._streams.values()):
            self._hub.flush()  # what clients published comes before what became of it
        self._events()
        for name, one in tuple(self._streams.items()):
            if one.blocks is not None:
                self._take(name, one)
            self._drop(name, one, one.book.settle(patience))

    def settled(self) -> bool:
        """Whether everything that the last report counts is on the tape.

        Not while a stream has no leader, unless it can have none.
        """
        waiting = [key[0] for key in self._monitor.mute() if not self._monitor.silenced(key)]
        there = [one for name, one in self._streams.items() if name not in waiting]
        return not self.behind and len(there) == len(self._streams) and all(one.agrees for one in there)

    @property
    def behind(self) -> bool:
        """Whether there is more in some file than was read."""
        return any(one.blocks is not None and one.blocks.more for one in self._streams.values())

    async def _follow(self) -> None:
        while not self._stopped:
            began = time.monotonic()
            self.catch_up()
            cost = time.monotonic() - began
            # Half of the time at most, and that only while there is a backlog.
            await asyncio.sleep(cost if self.behind else max(PACE, 5 * cost))

    # --- reports -----------------------------------------------------------------------------

    def _heard(self, report: Report) -> None:
        if report.there:
            self._hub.flush()  # what clients know of is not told as unknown
        self._events()
        there = {told.key: told for told in report.there if not self._ended(told)}
        gone = set(report.gone)
        for key in [key for key in self._told if key in gone or self._another(there.get(key))]:
            self._gone(key, self._since(there[key].made) if key in there else math.inf)
        for key, told in there.items():
            if len(key) > 1 and key[:1] not in self._told:
                continue  # its stream was deleted while this report was made
            data = _consumer(key[0], told.said) if len(key) > 1 else self._open_or_on(told, there)
            old = self._news.get(key, 0.0) > self._snapped.get(key, 0.0)
            if self._told.get(key) != data or self._places.get(key) != told.place or old:
                self._told[key], self._made[key], self._places[key] = data, told.made, told.place
                self._snapped[key] = self._tape.now()
                self._snap(told.place, "consumer" if len(key) > 1 else "stream", data)

    def _ended(self, told: Told) -> bool:
        """Whether it was deleted while this report was made."""
        return len(told.key) == 1 and self._over.get(told.key[0]) == told.made

    def _another(self, told: Told | None) -> bool:
        """Whether it is another one than the one of that name that was told."""
        return told is not None and self._made[told.key] != told.made

    def _open_or_on(self, told: Told, there: dict[Key, Told]) -> dict[str, Any]:
        """Take a stream's report into account; gives back what is told of it."""
        name, data = told.key[0], _stream(told.key[0], told.said)
        one = self._streams.get(name) or self._open(told.place, name, told.made, data)
        if one.place != told.place:
            self._move(name, one, told.place, data)
        one.book.configure(data["config"])
        data["kept"] = "events" if one.blocks is None else "file"
        if "cluster" in told.said:
            # The leader counts those consumers that are on its own server (measured).
            known = {key for key in (*self._told, *there) if key[0] == name and len(key) > 1}
            data["state"]["consumer_count"] = max(data["state"]["consumer_count"], len(known))
        self._reconcile(name, one, data["state"])
        return data

    def _gone(self, key: Key, by: float = math.inf) -> None:
        """It is gone, at the latest since that time of the tape; perhaps it was said when."""
        at = min(by, self._tape.now(), self._deserted.pop(key, math.inf))
        del self._told[key]
        del self._made[key]
        place = self._places.pop(key)
        self._snapped.pop(key, None)
        self._news.pop(key, None)
        if len(key) == 1:
            self._streams.pop(key[0], None)
            self._snap(place, "stream", {"name": key[0], "gone": True}, at)
        else:
            if key[0] in self._streams:
                self._streams[key[0]].book.deserted(key[1], time.time())
            self._snap(place, "consumer", {"stream": key[0], "name": key[1], "gone": True}, at)

    def _snap(self, server: str, what: str, data: dict[str, Any], at: float | None = None) -> None:
        t = self._tape.now() if at is None else at
        self._tape.append(Snap(t=t, source="streams", place=server, what=what, data=data))

    def _open(self, server: str, name: str, made: str, data: dict[str, Any]) -> _Stream:
        config, state = data["config"], data["state"]
        one = self._streams[name] = _Stream(server, made, config, self._blocks(server, config))
        if self._since(made) < 0:
            # It was there before the tape: what had gone by then is not told.
            one.began = int(state["first_seq"]) - 1
            one.base = one.began
        early, self._early = self._early, deque(maxlen=self._early.maxlen)
        since = self._since(made)
        for event in early:
            self._say(event, since)
        return one

    def _blocks(self, server: str, config: dict[str, Any]) -> Blocks | None:
        """That server's files of the stream, where they can be read."""
        at = self._fleet.servers[server]
        # A block may be packed before it is read: its messages would look as if they were removed.
        packed = config.get("compression", "none") not in ("", "none")
        if config.get("storage") != "file" or packed or not at.version.startswith(VERSIONS):
            return None
        blocks = Blocks(at.config.store / "jetstream" / LEARNER / "streams" / str(config["name"]))
        return blocks if blocks.readable else None

    def _move(self, name: str, one: _Stream, server: str, data: dict[str, Any]) -> None:
        """Another server leads the stream: its files go on where the other's were read up to."""
        one.place, one.moved = server, time.monotonic()
        if one.blocks is not None:
            one.blocks = self._blocks(server, data["config"])
            if one.blocks is None:
                one.base, one.book.blind = one.book.last, True
            else:
                one.blocks.after(one.book.last)

    def _since(self, stamp: str) -> float:
        with contextlib.suppress(ValueError):
            return datetime.fromisoformat(stamp).timestamp() - self._tape.started
        return 0.0

    def _reconcile(self, name: str, one: _Stream, state: dict[str, Any]) -> None:
        book, last = one.book, int(state["last_seq"])
        if one.blocks is not None:
            if one.blocks.more:
                return  # there is a backlog; the counters are ahead of it
            self._take(name, one)
        if one.blocks is None:
            self._missing(name, one, state)
        elif book.last < one.last <= last:
            # In no file that could be read, though the server had it one report ago.
            self._count(name, one, one.last, one.last - max(book.last, one.began))
        one.short = one.short + 1 if last < book.last and last == one.last else 0
        if one.short > 2 and time.monotonic() - one.moved > CALM:
            self._drop(name, one, [Gone(last + 1, book.last, book.last - last, "", "inferred")])
            one.book = book = Book(book.config, blind=one.blocks is None)
            book.messages, book.first, book.last = int(state["messages"]), int(state["first_seq"]), last
            one.base, one.ahead, one.short = last, set(), 0
        one.last, one.held = last, int(state["messages"])
        self._drop(name, one, book.settle(PATIENCE))
        if book.last or not int(state["messages"]):
            self._drop(name, one, book.reconcile(state))

    def _missing(self, name: str, one: _Stream, state: dict[str, Any]) -> None:
        """Of a stream that is known from events: tell what nobody told, up to the report before this."""
        if one.base < 0:
            one.base = 0
        start, told = one.base + 1, sorted(seq for seq in one.ahead if one.base < seq <= one.last)
        for seq in [*told, one.last + 1]:
            if start < seq:
                self._count(name, one, seq - 1, seq - start)
            start = seq + 1
        one.base = max(one.base, one.last)
        while one.base + 1 in one.ahead:
            one.base += 1
        one.ahead = {seq for seq in one.ahead if seq > one.base}

    def _count(self, name: str, one: _Stream, last: int, count: int) -> None:
        if count <= 0:
            return
        one.book.counted(last, count)
        self._tape.append(
            Store(t=self._tape.now(), source="streams", place=one.place, stream=name, seq=last, count=count)
        )

    # --- what clients and advisories tell ------------------------------------------------------

    def _events(self) -> None:
        """Read on in the tape: publishes that were answered, acks, and requests that remove messages."""
        head = self._tape.head
        if head == self._read:
            return
        found: list[Event] = []
        for event in self._tape.between(self._read, head):
            name = _deletes(event)
            if (name,) in self._told and event.t > self._since(self._made[(name,)]):
                # What comes from here on is about another stream, if it has this name.
                self._read_on(found)
                found = []
                self._over[name] = self._made[(name,)]
                for key in [key for key in self._told if key[0] == name and len(key) > 1]:
                    self._gone(key)
                self._gone((name,))
            if isinstance(event, Deliver | Ack):
                key = event.stream, event.consumer
                if key in self._told:
                    self._news[key] = max(self._news.get(key, 0.0), event.t)
            found.append(event)
        self._read = head
        self._read_on(found)

    def _read_on(self, found: list[Event]) -> None:
        # Answers to several clients may come out of order.
        stores = [e for e in found if isinstance(e, Store) and e.client and e.seq and not e.duplicate]
        for store in sorted(stores, key=lambda e: e.seq):
            self._say(store)
        for event in found:
            done = isinstance(event, Ack) and event.verb in ("ack", "term") and not event.removed
            said = isinstance(event, Snap) and event.what == "advisory"
            if done or (said and (_removes(event) or _deserts(event))):
                self._say(event)

    def _say(self, event: Event, since: float = -math.inf) -> None:
        """Tell the stream that `event` is about; `since` is when the one of that name was made."""
        name = _removes(event) or _deserts(event) or getattr(event, "stream", "")
        one = self._streams.get(name)
        if one is None:
            self._early.append(event)
        elif event.t < since:
            return  # it is about another stream, which had this name
        elif isinstance(event, Store):
            if one.blocks is None:
                self._told_by_client(one, event)
        elif isinstance(event, Ack):
            config = self._told.get((name, event.consumer), {}).get("config") or {}
            term = event.verb == "term"
            below = not term and config.get("ack_policy") == "all"
            one.book.done(event.seq, event.consumer, self._tape.started + event.t, term=term, below=below)
        elif isinstance(event, Snap) and _deserts(event):
            key = name, str(event.data["consumer"])
            if key in self._told and event.t > self._since(self._made[key]):
                self._deserted[key] = event.t
            one.book.deserted(str(event.data["consumer"]), self._tape.started + event.t)
        elif isinstance(event, Snap):
            self._removal(one, event)

    def _told_by_client(self, one: _Stream, store: Store) -> None:
        first = store.seq - store.count + 1
        if store.seq <= one.base or store.seq in one.ahead:
            return
        one.ahead.update(range(first, store.seq + 1))
        if store.count > 1:
            one.book.counted(store.seq, store.count)
            return
        headers = dict(store.headers)
        known = _known(store.subject, self._tape.started + store.t, 0, headers)
        self._roll(one, store.seq, store.subject, headers)
        self._drop(store.stream, one, one.book.stored(store.seq, known))

    def _removal(self, one: _Stream, event: Snap) -> None:
        """A request that deleted or purged, seen by its audit."""
        asked = event.data["request"]
        request = asked if isinstance(asked, dict) else {}
        seq = int(request.get("seq") or 0)
        if ".PURGE." in event.data["subject"]:
            purged = int(event.data.get("purged") or 0)
            at = event.t + self._tape.started
            one.book.purged(Purge(at, str(request.get("filter") or ""), seq, purged, asked is None))
        else:
            one.book.deleted(seq)
            if one.blocks is None and seq:
                one.book.erased(seq)

    # --- files -------------------------------------------------------------------------------

    def _take(self, name: str, one: _Stream) -> None:
        """Tell what is new in the files of a stream."""
        blocks = one.blocks
        if blocks is None or blocks.created() != one.made:
            return  # it is another stream of that name already: the next report says so
        try:
            found = blocks.read(STEP)
        except ValueError:
            one.blocks = None
            one.base, one.book.blind = one.book.last, True
            return
        if not found:
            return
        top = max(one.book.last, one.began)
        new = [raw for raw in found if raw.kind == MESSAGE and raw.seq > top]
        alone = one.singles(len(new))
        if len(new) > alone:
            self._bulk(name, one, new[: len(new) - alone])
        done = max(one.book.last, one.began)
        gone: list[Gone] = []
        for raw in found:
            if raw.seq > done:
                if not one.began:
                    # What an earlier sequence had is gone, without having been read.
                    one.book.missed(raw.seq if raw.kind == TOMB else raw.seq - 1)
                if raw.kind == MESSAGE:
                    self._drop(name, one, gone)
                    gone = self._one(name, one, raw)
                elif raw.kind == ERASED:
                    one.book.missed(raw.seq)
            if raw.kind == TOMB and (not blocks.again or raw.seq in one.book.known):
                one.book.erased(raw.seq)
        self._drop(name, one, gone)

    def _one(self, name: str, one: _Stream, raw: Raw) -> list[Gone]:
        message = opened(raw)
        headers = dict(message.headers)
        at = raw.at / 1e9
        self._tape.append(
            Store(
                t=max(0.0, at - self._tape.started),
                source="streams",
                place=one.place,
                stream=name,
                subject=message.subject,
                seq=raw.seq,
                size=raw.size,
                payload=message.payload,
                headers=message.headers,
            )
        )
        gone = one.book.stored(raw.seq, _known(message.subject, at, raw.length, headers))
        self._roll(one, raw.seq, message.subject, headers)
        return gone

    def _bulk(self, name: str, one: _Stream, new: list[Raw]) -> None:
        """More than can be told singly."""
        gone: list[Gone] = []
        if int(one.book.config.get("max_msgs_per_subject") or 0) > 0:
            # What each replaces must be known.
            for raw in new:
                message = opened(raw)
                known = _known(message.subject, raw.at / 1e9, raw.length, dict(message.headers))
                gone += one.book.stored(raw.seq, known)
        else:
            one.book.counted(new[-1].seq, len(new))
        self._tape.append(
            Store(
                t=max(0.0, new[-1].at / 1e9 - self._tape.started),
                source="streams",
                place=one.place,
                stream=name,
                seq=new[-1].seq,
                count=len(new),
                size=sum(raw.size for raw in new),
            )
        )
        self._drop(name, one, gone)

    def _roll(self, one: _Stream, seq: int, subject: str, headers: dict[str, str]) -> None:
        rollup = headers.get("Nats-Rollup")
        if rollup:
            one.book.rollup = (seq, subject if rollup == "sub" else "")

    def _drop(self, name: str, one: _Stream, gone: list[Gone]) -> None:
        if len(gone) > DROPS:
            # Only how many, for each reason.
            sums: dict[tuple[Any, ...], int] = {}
            for each in gone:
                sums[each[3:]] = sums.get(each[3:], 0) + each.number
            gone = [Gone(0, 0, number, *key) for key, number in sums.items()]
        for each in gone:
            self._tape.append(
                Drop(
                    t=self._tape.now(),
                    source="streams",
                    place=one.place,
                    how=each.how,
                    why=each.why,
                    stream=name,
                    seq=each.seq,
                    last=each.last if each.last > each.seq else 0,
                    count=each.number,
                )
            )


def _removes(event: Event) -> str:
    """The stream out of which the audited request took messages; "" when it is about something else."""
    data = event.data if isinstance(event, Snap) else {}
    found = _REMOVAL.fullmatch(str(data.get("subject", "")))
    return found[1] if found is not None and "request" in data else ""


def _deletes(event: Event) -> str:
    """The stream that was deleted, if the event is the server's word of it."""
    if not (isinstance(event, Snap) and event.what == "advisory"):
        return ""
    data = event.data
    gone = str(data.get("type", "")).endswith("stream_action") and data.get("action") == "delete"
    return str(data.get("stream", "")) if gone else ""


def _deserts(event: Event) -> str:
    """The stream of which the announced consumer was deleted; "" when it is about something else."""
    data = event.data if isinstance(event, Snap) else {}
    deleted = str(data.get("type", "")).endswith("consumer_action") and data.get("action") == "delete"
    return str(data.get("stream", "")) if deleted and data.get("consumer") else ""


def _known(subject: str, at: float, length: int, headers: dict[str, str]) -> Known:
    found = _TTL.fullmatch(headers.get("Nats-TTL", ""))
    ttl = int(found[1]) * _UNIT[found[2] or ""] if found is not None else 0.0
    return Known(subject, at, length, ttl, "Nats-Marker-Reason" in headers)


def _stream(name: str, said: dict[str, Any]) -> dict[str, Any]:
    """A stream's report without what changes by being looked at."""
    config, state = said.get("config") or {}, said.get("state") or {}
    data: dict[str, Any] = {
        "name": name,
        "config": config,
        "state": {key: state.get(key, 0) for key in _STATE},
        "kept": "events",
    }
    if mirror := said.get("mirror"):
        data["mirror"] = {key: mirror[key] for key in _ORIGIN if key in mirror}
    if sources := said.get("sources"):
        data["sources"] = [{key: one[key] for key in _ORIGIN if key in one} for one in sources]
    return data


def _consumer(stream: str, said: dict[str, Any]) -> dict[str, Any]:
    data: dict[str, Any] = {"stream": stream, "name": said["name"], "config": said.get("config") or {}}
    for key in ("delivered", "ack_floor"):
        pair = said.get(key) or {}
        data[key] = {part: pair.get(part, 0) for part in ("consumer_seq", "stream_seq")}
    data |= {key: said.get(key, 0) for key in _COUNTS}
    data |= {key: bool(said.get(key, False)) for key in ("paused", "push_bound")}
    return data
