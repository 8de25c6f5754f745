"""The life of one message at one consumer: delivered, answered, expired, settled."""

from __future__ import annotations

from natslab.tape.event import Ack, Deliver
from natslab.views.acks.state import (
    ATTEMPTS,
    GAPS,
    KNOWN,
    LEAST,
    RUNS,
    SETTLED,
    WAITING,
    Attempt,
    Cell,
    Consumer,
    State,
    Stream,
)

_END = {"ack": "acked", "nak": "nak", "term": "terminated", "expired": "expired"}
_CLIENTS = 50


def home(state: State, stream: str, name: str) -> Consumer:
    """That consumer, made when it is new."""
    key = f"{stream}/{name}"
    if key not in state.consumers:
        state.streams.setdefault(stream, Stream(name=stream))
        state.consumers[key] = Consumer(stream=stream, name=name, since=state.streams[stream].last)
        state.deleted.pop(stream, None)
    return state.consumers[key]


def put(consumer: Consumer, cell: Cell, state: str) -> None:
    """Give a cell a state, and keep the count of those the server waits for."""
    consumer.waiting += (state in WAITING) - cell.waits
    cell.state = state


def came(consumer: Consumer, cell: Cell, attempt: int) -> None:
    """Note that a cell's message was handed out so often."""
    consumer.repeats += max(0, attempt - cell.attempt)
    cell.attempt = max(cell.attempt, attempt)


def arrive(state: State, consumer: Consumer, event: Deliver) -> None:
    """A delivery: a new attempt."""
    consumer.changed = max(consumer.changed, event.t)
    if event.how == "observed" and event.cseq > consumer.dseq and event.t > consumer.says_t:
        consumer.left = event.pending
    consumer.dseq = max(consumer.dseq, event.cseq)
    if not consumer.first and event.cseq == 1:
        consumer.first = event.seq  # what came before its first delivery was never for it
    if event.client and (event.client in consumer.clients or len(consumer.clients) < _CLIENTS):
        consumer.clients[event.client] = consumer.clients.get(event.client, 0) + 1
    cell = consumer.cells.get(event.seq)
    if cell is not None and event.attempt < cell.attempt and event.how == "inferred":
        return
    # What the state file counted already is told late: whether it is pending, the file knows better.
    old = 0 < event.cseq <= consumer.file_dseq or event.seq <= consumer.floor
    consumer.delivered = max(consumer.delivered, event.seq)
    if cell is None:
        counted = any(a <= event.seq <= b for a, b in consumer.runs)
        if counted or (old and consumer.beyond and event.seq > consumer.horizon):
            consumer.repeats += event.attempt > 1
            return
        cell = cell_for(state, consumer, event.seq)
        if cell is None:
            consumer.repeats += event.attempt > 1
            if not old:
                consumer.told += 1
                _join(consumer, event.seq)
            return
        put(consumer, cell, "acked" if old else "flight")
        cell.guessed = old
    attempt = next((a for a in cell.attempts if a.n == event.attempt), None)
    if attempt is None:
        before = cell.attempts[-1] if cell.attempts else None
        if before is not None and before.n < event.attempt and not before.end:
            # It came again: the time of the attempt before was over.
            before.end, before.ended = "expired", min(event.t, before.since + consumer.wait(before.n))
        consumer.told += event.cseq > consumer.file_dseq or not event.cseq
        attempt = Attempt(n=event.attempt, t=event.t, inferred=event.how == "inferred")
        cell.attempts = sorted([*cell.attempts[-ATTEMPTS + 1 :], attempt], key=lambda a: a.n)
    elif event.how == "observed" and attempt.inferred:
        attempt.t, attempt.inferred = event.t, False
    elif attempt.t < 0:
        attempt.t = event.t
    if event.how == "observed":
        attempt.client, attempt.reply, attempt.held = event.client, event.reply, event.held
        attempt.cseq, attempt.pending = event.cseq, event.pending
    cell.t = max(cell.t, event.t)
    if event.attempt > cell.attempt:
        came(consumer, cell, event.attempt)
        if cell.waits or not old:
            put(consumer, cell, "flight")
    if cell.waits:
        cell.guessed = False
    if consumer.ack == "none":
        put(consumer, cell, "acked")
        consumer.floor = consumer.delivered
    consumer.doubts.pop(event.seq, None)


def answer(state: State, consumer: Consumer, event: Ack) -> None:
    """What became of an attempt."""
    if _leave(consumer, event.seq) and event.verb in ("ack", "term"):
        _advance(consumer)
        return
    cell = consumer.cells.get(event.seq)
    if cell is None:
        if event.verb not in ("term", "exhausted") or event.seq > consumer.delivered:
            return
        cell = cell_for(state, consumer, event.seq)
        if cell is None:
            return
        put(consumer, cell, "acked")
        cell.guessed = True
    if not cell.waits and not cell.guessed and not (event.verb == "exhausted" and cell.state != "terminated"):
        return  # the server is done with it
    cell.t = max(cell.t, event.t)
    attempt = next((a for a in cell.attempts if a.n == event.attempt), cell.last)
    if event.verb == "wpi":
        if cell.state == "flight" or cell.state == "expired":
            last = cell.last or attempt
            if last is not None:
                last.wpi = [*last.wpi[-19:], event.t]
                last.end = ""
            put(consumer, cell, "flight")
        return
    if event.verb == "exhausted":
        came(consumer, cell, event.attempt)
        put(consumer, cell, "exhausted")
        cell.guessed = False
        consumer.doubts.pop(event.seq, None)
        return
    end = "removed" if event.removed else _END[event.verb]
    if event.verb == "expired" and (cell.state != "flight" or event.attempt < cell.attempt):
        return
    last = cell.last or attempt
    if last is not None and (not last.end or end != "expired"):
        # A late ack of an earlier attempt ends the current one as well.
        last.end, last.ended, last.delay = end, event.t, event.delay
        last.by, last.wire, last.reason = event.client, event.wire, event.reason
    put(consumer, cell, end)
    cell.guessed = False
    consumer.doubts.pop(event.seq, None)
    if end in SETTLED:
        _advance(consumer)


def wide_ack(consumer: Consumer, event: Ack) -> None:
    """With ack policy "all" one ack is for everything up to it."""
    for seq in sorted(consumer.cells):
        if seq >= event.seq:
            break
        cell = consumer.cells[seq]
        if cell.waits:
            settle(consumer, cell, event.t, guessed=False)
    for run in list(consumer.runs):
        if run[0] <= event.seq:
            consumer.runs.remove(run)
            if run[1] > event.seq:
                consumer.runs.insert(0, [event.seq + 1, run[1]])
    consumer.floor = max(consumer.floor, min(event.seq, consumer.delivered))


def settle(consumer: Consumer, cell: Cell, t: float, *, guessed: bool) -> None:
    """The server does not wait for it any more."""
    put(consumer, cell, "acked")
    cell.guessed, cell.t = guessed, max(cell.t, t)
    if cell.last is not None and not cell.last.end:
        cell.last.end, cell.last.ended = "acked", t


def remove(consumer: Consumer, cell: Cell, t: float) -> None:
    """The message left the stream while the server waited for it: nobody answered."""
    put(consumer, cell, "removed")
    cell.guessed, cell.t = False, max(cell.t, t)
    if cell.last is not None and cell.last.end in ("", "acked"):
        cell.last.end, cell.last.ended = "removed", t
    consumer.doubts.pop(cell.seq, None)


def _advance(consumer: Consumer) -> None:
    """Move the floor as the server does: to the newest delivery when nothing waits, else up to what does."""
    if consumer.beyond or consumer.told < consumer.dseq:
        return  # the server knows of more than we do
    if consumer.ack == "none" or (not consumer.waiting and not consumer.runs):
        consumer.floor = consumer.delivered
        return
    stop = consumer.delivered
    if consumer.runs:
        stop = min(stop, consumer.runs[0][0] - 1)
    if stop - consumer.floor > 100_000:
        held = [s for s, c in consumer.cells.items() if c.waits or c.state == "exhausted"]
        consumer.floor = max(consumer.floor, min([*(s - 1 for s in held if s > consumer.floor), stop]))
        return
    while consumer.floor < stop:
        cell = consumer.cells.get(consumer.floor + 1)
        if cell is not None and (cell.waits or cell.state == "exhausted"):
            return
        consumer.floor += 1


def cell_for(state: State, consumer: Consumer, seq: int) -> Cell | None:
    """A new cell; an old acked one makes room, and None when there is no room."""
    room = max(LEAST, KNOWN // max(1, len(state.consumers)))
    if len(consumer.cells) >= room:
        old = next((s for s, c in consumer.cells.items() if c.state in SETTLED), None)
        if old is None:
            return None
        del consumer.cells[old]
    cell = consumer.cells[seq] = Cell(seq=seq, state="new")
    return cell


def _join(consumer: Consumer, seq: int) -> None:
    """A pending message that cannot be known singly."""
    runs = consumer.runs
    if any(a <= seq <= b for a, b in runs):
        return
    if runs and runs[-1][1] == seq - 1:
        runs[-1][1] = seq
    elif len(runs) < RUNS:
        runs.append([seq, seq])
        runs.sort()
    else:
        consumer.beyond += 1


def _leave(consumer: Consumer, seq: int) -> bool:
    """Take a message out of the runs; False when it is in none."""
    for i, (a, b) in enumerate(consumer.runs):
        if a <= seq <= b:
            consumer.runs[i : i + 1] = [r for r in ([a, seq - 1], [seq + 1, b]) if r[0] <= r[1]]
            return True
    return False


def lost(stream: Stream, a: int, b: int) -> None:
    """The stream has lost its messages `a` to `b`."""
    if b < stream.first or b < a:
        return
    runs = sorted([*stream.gaps, [max(a, stream.first), b]])
    merged: list[list[int]] = []
    for run in runs:
        if merged and run[0] <= merged[-1][1] + 1:
            merged[-1][1] = max(merged[-1][1], run[1])
        else:
            merged.append(list(run))
    while merged and merged[0][0] <= stream.first:
        stream.first = max(stream.first, merged.pop(0)[1] + 1)
    stream.gaps = merged[-GAPS:]
    stream.last = max(stream.last, b)
