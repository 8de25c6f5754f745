"""What becomes of deliveries: the acks on the wire, and the consumers' own state."""

from __future__ import annotations

import asyncio
import contextlib
import json
import math
import time
from collections import deque
from collections.abc import Callable
from typing import Any, Literal

import nats.errors
from nats.aio.msg import Msg

from natslab.errors import NatslabError
from natslab.servers.config import LEARNER
from natslab.servers.fleet import Fleet
from natslab.servers.hub import Hub
from natslab.servers.report import Delivered
from natslab.servers.server import Change
from natslab.sources.ackreply import Attempt, parse
from natslab.sources.attempts import Attempts
from natslab.sources.blocks import VERSIONS
from natslab.sources.durations import seconds
from natslab.sources.ears import Ear, Ears
from natslab.sources.merged import Report, Told
from natslab.sources.monitor import Monitor
from natslab.sources.statefile import State, StateFile
from natslab.tape.event import Ack, Deliver, Snap
from natslab.tape.tape import Tape

DELAY = 0.01  # seconds that acks are collected before they are told, as traces are
YOUNG = 0.005  # seconds in which the server's own word on an ack (sampled) may still come
PACE = 0.1  # seconds between two looks at the state files
GRACE = 0.05  # seconds after the end of a wait in which an answer may still be on its way to us
UNSEEN = 0.25  # seconds after which a delivery that no client of ours told was to another's client
WIRE = 256  # characters of a body that are kept
MOST = 2_000  # entries of a list in a Snap
WINDOW, SINGLES = 0.1, 200  # seconds, and acks of one consumer in them that are told one by one
FORGET = 5.0  # seconds after which a consumer that no server reports is forgotten
GUESSES = 200  # deliveries to others that are told one by one at a time
LAP = 1.0  # seconds in which two subscriptions may hear the same
CALM = 1.0  # seconds in which a new leader's file may still lack what the old one's had
UNDERWAY = 1.0  # seconds in which an answer may still be on its way to the leader

_ALL = f"{LEARNER}.$JS.ACK.>"
Verb = Literal["nak", "term"]
_Key = tuple[str, str]  # stream, consumer


class _Consumer:
    """One consumer as it is followed."""

    def __init__(self, began: float) -> None:
        self.attempts = Attempts()
        self.began = began
        self.made = ""
        self.place = ""  # its leader
        self.since = math.inf  # since when that leads, unix seconds
        self.moved = -math.inf  # when the leader changed last
        self.file: StateFile | None = None  # the leader's
        self.state: State | None = None
        self.word = ("", math.inf)  # who told it: a leader, and since when it leads
        self.report: dict[str, Any] = {}  # the server's newest
        self.all = False  # an ack answers all before it
        self.window = 0.0
        self.acks = 0  # in this window
        self.sent: deque[int] = deque(maxlen=MOST)  # naks and terms that were told: consumer seqs
        self.hot = False  # too fast to be told singly
        self.told_hot = False
        self.rated = (0.0, 0)  # when the server's report was looked at, and its deliveries and acks by then
        self.answered = -math.inf  # when an answer was seen last, tape seconds ...
        self.sought = -math.inf  # ... and until when it was looked for those that got lost
        self.unseen: dict[int, float] = {}  # pending, told by no client: seq -> since when

    def single(self, now: float) -> bool:
        """Whether an ack at `now` is told by itself."""
        if not 0 <= now - self.window < WINDOW:
            self.window, self.acks = now, 0
        self.acks += 1
        return self.acks <= SINGLES

    def rate(self, now: float) -> float:
        """Deliveries and acks a second since the report before, by the server's counters."""
        done = sum(
            int((self.report.get(pair) or {}).get("consumer_seq", 0)) for pair in ("delivered", "ack_floor")
        )
        at, before = self.rated
        self.rated = now, done
        return (done - before) / max(now - at, 0.001)


class Acks:
    """Puts on the tape what became of deliveries.

    An Ack for every ack, nak, term and wpi that a client sent. A consumer with more than 2 000 of them
    a second is not listened to until it is slower: `singly` is False in its Snap "pending". That Snap is
    a consumer's own state file, when it changed. Inferred: an Ack "expired" when ack_wait (or backoff)
    passed, and a Deliver where only the state file or an answer tells of it; its client is not one of
    ours, or too fast to tell singly. A client that did not read for a while tells its own Deliver later:
    (stream, consumer, cseq) identifies it.
    """

    def __init__(self, fleet: Fleet, hub: Hub, tape: Tape, monitor: Monitor) -> None:
        self._fleet = fleet
        self._hub = hub
        self._tape = tape
        self._monitor = monitor
        # One subscription for all; while some consumer is too fast, one for each of the others.
        self._ears = Ears(fleet, fleet.watcher)
        self._all: Ear | None = None
        self._each: dict[_Key, Ear] = {}
        self._turning = False
        self._lapping = 0.0  # until when one may be heard on the old and the new subscription
        self._lapped: set[tuple[str, bytes]] = set()  # heard since that began
        self._heard: list[tuple[float, str, Attempt, bytes]] = []
        self._timer: asyncio.TimerHandle | None = None
        self._consumers: dict[_Key, _Consumer] = {}
        self._took: dict[tuple[str, str, int], float] = {}
        self._read = 0  # how far the tape was read
        self._up: dict[
            str, float
        ] = {}  # server -> since when it runs, tape seconds; missing while it does not
        self._frozen: set[str] = set()
        self._ends: list[Callable[[], None]] = []
        self._task: asyncio.Task[None] | None = None
        self._stopped = False

    async def start(self) -> None:
        """Begin. Raises ServerError when no server answers."""
        self._stopped = False
        self._read = self._tape.head
        self._all = await self._ears.listen(_ALL, self._hear)
        for server in self._fleet.servers.values():
            if server.state in ("up", "lame duck"):
                self._up[server.name] = self._tape.now()
        self._ends += [self._monitor.read(self._reported), self._fleet.listen(self._changed)]
        self._task = asyncio.create_task(self._follow())

    async def stop(self) -> None:
        """End, with what was heard so far on the tape."""
        self._stopped = True
        for end in self._ends:
            end()
        self._ends.clear()
        await self._ears.stop()
        self._all = None
        self._each.clear()
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
            self._task = None
        self.flush()

    # --- the wire ----------------------------------------------------------------------------

    async def _hear(self, msg: Msg) -> None:
        now = time.time()
        reply = msg.subject[len(LEARNER) + 1 :]
        attempt = parse(reply)
        if attempt is None:
            return
        one = self._of(attempt.stream, attempt.consumer)
        if one.hot:
            return
        if time.monotonic() < self._lapping:
            if (reply, msg.data) in self._lapped:
                return
            self._lapped.add((reply, msg.data))
        elif self._lapped:
            self._lapped.clear()
        if not one.single(now):
            one.hot = True
            self._look((attempt.stream, attempt.consumer))
            await self._turn()
            return
        self._heard.append((now, reply, attempt, msg.data))
        self._later()

    async def _turn(self) -> None:
        """Listen to all consumers, or to each that is not too fast."""
        hot = any(one.hot for one in self._consumers.values())
        wanted = {key for key, one in self._consumers.items() if not one.hot} if hot else set()
        if self._turning or (hot == (self._all is None) and wanted == self._each.keys()):
            return
        self._turning = True
        self._lapped.clear()
        try:
            # First the new ones: for a moment some are heard twice, and none is missed.
            self._lapping = math.inf
            for key in wanted - self._each.keys():
                subject = f"{LEARNER}.$JS.ACK.{key[0]}.{key[1]}.>"
                self._each[key] = await self._ears.listen(subject, self._hear, wait=False)
            if not hot and self._all is None:
                self._all = await self._ears.listen(_ALL, self._hear, wait=False)
            for key in self._each.keys() - wanted:
                self._ears.leave(self._each.pop(key))
            if hot and self._all is not None:
                ended, self._all = self._all, None
                self._ears.leave(ended)
        except (NatslabError, nats.errors.Error, OSError):
            pass  # again with the next look
        finally:
            self._turning = False
            self._lapping = time.monotonic() + LAP

    def _later(self) -> None:
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(DELAY, self._ripe)

    def _ripe(self) -> None:
        self._timer = None
        self._hub.flush()  # the delivery comes before its ack
        self._tell_until(time.time() - YOUNG)
        if self._heard:
            self._later()

    def flush(self) -> None:
        """Put what was heard so far on the tape."""
        if self._heard:
            self._hub.flush()
            self._tell_until(time.time())

    def measured(self, stream: str, consumer: str, cseq: int, seconds: float) -> None:
        """The server says how long that delivery waited for its ack."""
        self._took[stream, consumer, cseq] = seconds
        while len(self._took) > MOST:
            del self._took[next(iter(self._took))]

    def delivering(self, attempt: Attempt, said: Delivered) -> None:
        """A client's delivery is about to be put on the tape: first what became of the attempt before."""
        if attempt.attempt < 2:
            return
        self._events()
        self._tell_of(attempt)
        self._events()
        one = self._consumers.get((attempt.stream, attempt.consumer))
        before = one.attempts.open.get(attempt.seq) if one is not None else None
        at = said.at - self._tape.started
        if one is None or before is None or before.over or before.attempt >= attempt.attempt:
            return
        if before.due <= at + GRACE:  # else it was sent back, which is still to be heard
            self._expired(attempt.stream, attempt.consumer, one, before.seq, min(before.due, at))

    def _tell_of(self, attempt: Attempt) -> None:
        """Tell the answers to earlier attempts of this message."""
        theirs = [
            heard
            for heard in self._heard
            if heard[2][:2] == attempt[:2] and heard[2].seq == attempt.seq and heard[2].cseq < attempt.cseq
        ]
        for one in theirs:
            self._heard.remove(one)
            self._answered(*one)

    def confirmed(
        self, t: float, stream: str, consumer: str, seq: int, cseq: int, tries: int, verb: Verb, reason: str
    ) -> None:
        """The server announced a nak or a term; tell it, if it was not heard on the wire."""
        one = self._of(stream, consumer)
        if cseq in one.sent or one.hot or not one.single(time.time()):
            return
        self._events()
        if not one.attempts.seen(cseq):
            self._guess(stream, consumer, one, seq, cseq, tries, t)
        self._tape.append(
            Ack(
                t=t,
                source="acks",
                place=one.place,
                stream=stream,
                consumer=consumer,
                seq=seq,
                cseq=cseq,
                attempt=tries,
                verb=verb,
                reason=reason,
            )
        )

    def _tell_until(self, end: float) -> None:
        some = 0
        while some < len(self._heard) and self._heard[some][0] <= end:
            some += 1
        ready, self._heard = self._heard[:some], self._heard[some:]
        if ready:
            self._events()
        for heard in ready:
            self._answered(*heard)

    def _answered(self, at: float, reply: str, attempt: Attempt, body: bytes) -> None:
        said = answer(body)
        if said is None:
            return
        t = at - self._tape.started
        one = self._of(attempt.stream, attempt.consumer)
        stream, consumer, tries, seq, cseq = attempt[:5]
        if not one.attempts.seen(cseq):
            self._guess(stream, consumer, one, seq, cseq, tries, t)
        if said["verb"] in ("nak", "term"):
            one.sent.append(cseq)
        client = self._hub.ackers.get(reply, "")
        self._tape.append(
            Ack(
                t=t,
                source="acks",
                place=one.place,
                stream=stream,
                consumer=consumer,
                seq=seq,
                cseq=cseq,
                attempt=tries,
                client=client,
                took=self._took.pop((stream, consumer, cseq), 0.0),
                wire=body.decode(errors="replace")[:WIRE],
                **said,
            )
        )

    def _guess(
        self, stream: str, consumer: str, one: _Consumer, seq: int, cseq: int, tries: int, t: float
    ) -> None:
        one.attempts.deliver(seq, cseq, tries, t, "")
        self._tape.append(
            Deliver(
                t=t,
                source="acks",
                place=one.place,
                how="inferred",
                stream=stream,
                consumer=consumer,
                seq=seq,
                cseq=cseq,
                attempt=tries,
            )
        )

    def _expired(self, stream: str, consumer: str, one: _Consumer, seq: int, t: float) -> None:
        gone = one.attempts.open[seq]
        one.attempts.answer(seq, "expired", t)
        self._tape.append(
            Ack(
                t=t,
                source="acks",
                place=one.place,
                how="inferred",
                stream=stream,
                consumer=consumer,
                seq=seq,
                cseq=gone.cseq,
                attempt=gone.attempt,
                verb="expired",
                client=gone.client,
            )
        )

    # --- what others put on the tape ---------------------------------------------------------

    def _of(self, stream: str, consumer: str) -> _Consumer:
        one = self._consumers.get((stream, consumer))
        if one is None:
            one = self._consumers[stream, consumer] = _Consumer(self._tape.now())
        return one

    def _events(self) -> None:
        head = self._tape.head
        if head == self._read:
            return
        found = self._tape.between(self._read, head)
        self._read = head
        for event in found:
            if isinstance(event, Deliver):
                one = self._of(event.stream, event.consumer)
                if one.hot:
                    continue
                one.attempts.deliver(event.seq, event.cseq, event.attempt, event.t, event.client)
            elif isinstance(event, Ack):
                one = self._of(event.stream, event.consumer)
                one.attempts.answer(event.seq, event.verb, event.t, below=one.all)
                one.answered = max(one.answered, event.t)

    def _reported(self, report: Report) -> None:
        for told in report.there:
            if len(told.key) > 1:
                self._told(told)
        gone = set(report.gone)
        old = self._tape.now() - FORGET  # one that was answered is reported by then, or is gone
        for key, one in tuple(self._consumers.items()):
            if key in gone or (not one.made and one.began < old):
                del self._consumers[key]

    def _told(self, told: Told) -> None:
        """A consumer by its leader's word."""
        key, said = (told.key[0], told.key[1]), told.said
        one = self._consumers.get(key)
        if one is None or one.made not in ("", told.made):
            one = self._consumers[key] = _Consumer(self._tape.now())
        config = said.get("config") or {}
        one.all = config.get("ack_policy") == "all"
        one.attempts.configure(config)
        one.report = said
        if not one.made:
            one.made, one.place, one.since = told.made, told.place, told.since
            one.file = self._file(told)
        elif (one.place, one.since) != (told.place, told.since):
            self._moved(one, told)
        self._lost(key, one)
        if one.file is None and not said.get("num_ack_pending"):
            one.attempts.none(self._tape.now() - FORGET)
        if one.rate(time.monotonic()) < 2 * SINGLES / WINDOW and one.hot and one.told_hot:
            one.hot = False

    def _moved(self, one: _Consumer, told: Told) -> None:
        """Another server leads it, or the same one anew: it knows what the file says, as after a restart."""
        one.place, one.since, one.moved = told.place, told.since, time.monotonic()
        one.file = self._file(told)
        if told.since < math.inf:
            self._anew(one, told.since - self._tape.started)

    def _anew(self, one: _Consumer, now: float) -> None:
        """What leads a consumer began to do so at that time."""
        if one.state is not None:
            stored = {seq: at - self._tape.started for seq, (_, at) in one.state.pending.items()}
            one.attempts.restarted(now, stored)

    def _file(self, told: Told) -> StateFile | None:
        at = self._fleet.servers[told.place]
        config = told.said.get("config") or {}
        kept = (told.stream.get("config") or {}).get("storage") == "file" and not config.get("mem_storage")
        if not kept or not at.version.startswith(VERSIONS):
            return None
        copies = config.get("num_replicas") or (told.stream.get("config") or {}).get("num_replicas") or 1
        if copies > 1 and config.get("deliver_policy") == "last_per_subject":
            return None  # what is pending of what it began with is not in its file (measured, 2.15.1)
        folder = at.config.store / "jetstream" / LEARNER / "streams" / str(told.stream["name"])
        return None if (folder / "meta.key").exists() else StateFile(folder / "obs" / told.key[1])

    # --- state files and the end of waits ------------------------------------------------------

    async def _follow(self) -> None:
        while not self._stopped:
            began = time.monotonic()
            for key in tuple(self._consumers):
                self._look(key)
                await asyncio.sleep(0)
            await self._turn()
            self.expire()
            await asyncio.sleep(max(PACE, 5 * (time.monotonic() - began)))

    def look(self) -> None:
        """Read what the state files say by now."""
        for key in tuple(self._consumers):
            self._look(key)

    def _look(self, key: _Key) -> None:
        one = self._consumers.get(key)
        if one is None:
            return
        state = None
        if one.file is not None:
            try:
                state = one.file.changed()
            except ValueError:
                one.file = None
            if one.file is not None and state is not None and self._lags(one, state):
                one.file.again()
                state = None
        # That it is told singly again is said when it is listened to again.
        turned = one.hot != one.told_hot and (one.hot or self._all is not None or key in self._each)
        # The same from another leader is news: an ack that only the old one had is lost, though it was seen.
        word = (one.place, one.since)
        if turned or (state is not None and (state, word) != (one.state, one.word)):
            one.told_hot = one.hot if turned else one.told_hot
            one.word = word if state is not None else one.word
            self._pending(key, one, state)
        if one.hot:
            one.attempts = Attempts()  # nobody knows when these end
            one.attempts.configure(one.report.get("config") or {})
        if state is not None:
            one.state = state
            if not one.hot:
                self._compare(one, state)
        if one.unseen:
            self._others(key, one)

    def _lags(self, one: _Consumer, state: State) -> bool:
        """Whether a new leader's file is still older than what the old one's said."""
        known = one.state
        if known is None or time.monotonic() - one.moved > CALM or _agrees(one, state):
            return False
        return state.delivered[0] < known.delivered[0] or state.floor[0] < known.floor[0]

    def _pending(self, key: _Key, one: _Consumer, state: State | None) -> None:
        data: dict[str, Any] = {"stream": key[0], "consumer": key[1]}
        state = state or one.state
        if state is not None:
            pending = [[seq, cseq, at] for seq, (cseq, at) in sorted(state.pending.items())[:MOST]]
            redelivered = [[seq, count] for seq, count in sorted(state.redelivered.items())[:MOST]]
            data |= {
                "floor": list(state.floor),
                "delivered": list(state.delivered),
                "pending": pending,
                "redelivered": redelivered,
            }
            if left := len(state.pending) - len(pending):
                data["left_out"] = left
            if left := len(state.redelivered) - len(redelivered):
                data["left_out_again"] = left
        if one.told_hot:
            data["singly"] = False
        self._tape.append(Snap(t=self._tape.now(), source="acks", place=one.place, what="pending", data=data))

    def _lost(self, key: _Key, one: _Consumer) -> None:
        """Tell again what the leader waits for when it was answered, and no answer has reached it."""
        state = one.state
        if one.sought >= one.answered or self._tape.now() - one.answered < UNDERWAY:
            return
        if state is None or one.hot or not _agrees(one, state):
            return
        one.sought = one.answered
        if one.attempts.lost(state.pending):
            self._pending(key, one, state)

    def _compare(self, one: _Consumer, state: State) -> None:
        """What the state file has that nobody told, and the other way round."""
        self._hub.flush()
        self._events()
        now = self._tape.now()
        attempts = one.attempts
        unseen: dict[int, float] = {}
        for seq, (cseq, _) in state.pending.items():
            known = attempts.open.get(seq)
            tries = state.redelivered.get(seq, 0) + 1
            if (known is None and not attempts.seen(cseq)) or (known is not None and known.attempt < tries):
                unseen[seq] = one.unseen.get(seq, now)
                if len(unseen) >= GUESSES:
                    break
        one.unseen = unseen
        for seq in [
            seq
            for seq, known in attempts.open.items()
            if seq not in state.pending and known.cseq <= state.delivered[0] and now - known.at > UNSEEN
        ]:
            if seq not in state.redelivered:  # there an exhausted one stays
                del attempts.open[seq]

    def _others(self, key: _Key, one: _Consumer) -> None:
        """Deliveries that no client of ours told in a while: they were to somebody else's."""
        now = self._tape.now()
        self._events()
        for seq, since in tuple(one.unseen.items()):
            state = one.state
            if state is None or seq not in state.pending or one.attempts.open.get(seq) is not None:
                known = one.attempts.open.get(seq)
                tries = state.redelivered.get(seq, 0) + 1 if state is not None else 1
                if state is None or known is None or known.attempt >= tries:
                    del one.unseen[seq]
                    continue
            if now - since < UNSEEN:
                continue
            del one.unseen[seq]
            assert state is not None
            cseq, _ = state.pending[seq]
            tries = state.redelivered.get(seq, 0) + 1
            before = one.attempts.open.get(seq)
            if before is not None and not before.over and before.due <= now:
                self._expired(*key, one, seq, before.due)
            # The file keeps the number of the first delivery, and no time of any.
            self._guess(*key, one, seq, cseq if tries == 1 else 0, tries, since)

    def expire(self) -> None:
        """Tell whose wait is over; where the server runs, for a server that does not lets nothing pass."""
        now = self._tape.now()
        due = []
        self._events()
        for key, one in self._consumers.items():
            if one.place in self._up:
                due += [(key, one, gone.seq, gone.due) for gone in one.attempts.due(now - GRACE)]
        if not due:
            return
        self.flush()
        self._hub.flush()
        self._events()
        for key, one, seq, at in due:
            gone = one.attempts.open.get(seq)
            if gone is not None and gone.due == at and not gone.over:
                self._expired(*key, one, seq, max(at, self._up[one.place]))

    def _changed(self, change: Change) -> None:
        """A server changed state."""
        if change.state == "frozen":
            self._frozen.add(change.name)
        if change.state not in ("up", "lame duck"):
            self._up.pop(change.name, None)
            if change.state != "frozen":
                self._frozen.discard(change.name)
            return
        if change.name in self._up:
            return
        now = self._up[change.name] = change.at - self._tape.started
        if change.name in self._frozen:
            self._frozen.discard(change.name)
            return
        for one in self._consumers.values():
            if one.place == change.name:
                self._anew(one, now)

    def settled(self) -> bool:
        """Whether every consumer's state file says what its leader reports.

        Not while one has no leader, unless it can have none.
        """
        mute = {key for key in self._monitor.mute() if len(key) > 1}
        if self._heard or any(not self._monitor.silenced(key) for key in mute):
            return False
        there = [one for key, one in self._consumers.items() if key not in mute]
        return all(not one.unseen and _agrees(one, one.state) for one in there)


def _agrees(one: _Consumer, state: State | None) -> bool:
    report = one.report
    if one.file is None or state is None:
        return one.file is None or not (report.get("delivered") or {}).get("consumer_seq")
    for part, pair in ((state.delivered, "delivered"), (state.floor, "ack_floor")):
        said = report.get(pair) or {}
        if part != (said.get("consumer_seq", 0), said.get("stream_seq", 0)):
            return False
    return bool(len(state.pending) == report.get("num_ack_pending", 0))


def answer(body: bytes) -> dict[str, Any] | None:
    """What the body of an ack says, as fields of an Ack; None for what the server passes over."""
    if body in (b"", b"+ACK", b"+OK") or body.startswith(b"+NXT"):
        return {"verb": "ack"}
    if body.startswith(b"-NAK"):
        return {"verb": "nak", "delay": _delay(body[4:].decode(errors="replace").strip())}
    if body == b"+WPI":
        return {"verb": "wpi"}
    if body.startswith(b"+TERM"):
        return {"verb": "term", "reason": body[5:].decode(errors="replace").strip()}
    return None


def _delay(text: str) -> float:
    """Seconds of `{"delay": <ns>}` or of a Go duration, e.g. 1.5s; 0 for what is neither."""
    if text.startswith("{"):
        with contextlib.suppress(ValueError, TypeError, AttributeError):
            return max(0.0, float(json.loads(text).get("delay", 0)) / 1e9)
        return 0.0
    return seconds(text)
