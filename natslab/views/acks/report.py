"""What the server says of streams and consumers: the truth, which the events only explain."""

from __future__ import annotations

from typing import Any

from natslab.tape.event import Snap
from natslab.views.acks.settle import came, cell_for, home, lost, put, settle
from natslab.views.acks.state import KNOWN, LAG, SETTLED, Cell, Consumer, State, Stream, seconds, wanted


def stream_report(state: State, event: Snap) -> None:
    """A stream's configuration and state, or that it is gone."""
    data = event.data
    name = str(data.get("name", ""))
    if not name or not wanted(state, name):
        return
    if data.get("gone"):
        _forget_stream(state, name)
        return
    stream = state.streams.setdefault(name, Stream(name=name))
    config, said = data.get("config") or {}, data.get("state") or {}
    stream.memory = config.get("storage") == "memory"
    stream.retention = str(config.get("retention") or "limits")
    first, last = int(said.get("first_seq", 0)), int(said.get("last_seq", 0))
    stream.last = max(stream.last, last) if event.t - stream.active < LAG else last
    if last and first > stream.first:
        lost(stream, stream.first, first - 1)
    if not said.get("num_deleted") and stream.last == last:
        stream.gaps = []
        stream.first = max(stream.first, first) if first else stream.first
    stream.says, stream.says_t = int(said.get("messages", 0)), event.t


def _forget_stream(state: State, name: str) -> None:
    state.streams.pop(name, None)
    state.deleted.pop(name, None)
    for consumer in state.of_stream(name):
        del state.consumers[consumer.key]


def consumer_report(state: State, event: Snap) -> None:
    """A consumer's configuration and counters, or that it is gone."""
    data = event.data
    stream, name = str(data.get("stream", "")), str(data.get("name", ""))
    if not stream or not wanted(state, stream, name):
        return
    if data.get("gone"):
        old = state.consumers.get(f"{stream}/{name}")
        if old is None or old.changed <= event.t:  # else another one of that name is there by now
            _forget(state, stream, name)
        return
    consumer = home(state, stream, name)
    _led_by(consumer, event.place)
    _configure(state, consumer, data.get("config") or {})
    consumer.paused = bool(data.get("paused"))
    delivered, floor = data.get("delivered") or {}, data.get("ack_floor") or {}
    _place(
        state,
        consumer,
        event.t,
        int(delivered.get("consumer_seq", 0)),
        int(delivered.get("stream_seq", 0)),
        int(floor.get("stream_seq", 0)),
        live=event.t >= consumer.changed,
    )
    if not consumer.first and not floor.get("consumer_seq") and floor.get("stream_seq"):
        consumer.first = int(floor["stream_seq"]) + 1  # before anything is settled it lies just before it
    consumer.says = {
        "pending": int(data.get("num_ack_pending", 0)),
        "redelivered": int(data.get("num_redelivered", 0)),
        "stored": int(data.get("num_pending", 0)),
        "waiting": int(data.get("num_waiting", 0)),
        "bound": int(bool(data.get("push_bound"))),
    }
    consumer.says_t = event.t
    if event.t >= consumer.changed:
        consumer.left = consumer.says["stored"]
    _witnesses(state, consumer, event.t)
    if consumer.file_t < 0:
        _reconstruct(state, consumer, event.t)


def _led_by(consumer: Consumer, place: str) -> None:
    """Another leader says what it remembers, which may be less."""
    if consumer.place and consumer.place != place:
        consumer.changed = -9.0
        consumer.doubts.clear()
    consumer.place = place


def _configure(state: State, consumer: Consumer, config: dict[str, Any]) -> None:
    if not config:
        return
    consumer.ack = str(config.get("ack_policy") or "explicit")
    consumer.ack_wait = seconds(config.get("ack_wait")) or 30.0
    consumer.backoff = [seconds(b) for b in config.get("backoff") or []]
    consumer.max_deliver = int(config.get("max_deliver") or -1)
    consumer.limit = int(config.get("max_ack_pending") or -1)
    filters = config.get("filter_subjects") or [config.get("filter_subject") or ""]
    consumer.filters = [str(f) for f in filters if f and f != ">"]
    consumer.push = bool(config.get("deliver_subject"))
    consumer.memory = bool(config.get("mem_storage")) or state.streams[consumer.stream].memory
    consumer.newest = config.get("deliver_policy") == "last_per_subject"
    if config.get("deliver_policy", "all") == "all":
        consumer.first = 1
    elif config.get("opt_start_seq"):
        consumer.first = int(config["opt_start_seq"])


def _place(
    state: State, consumer: Consumer, t: float, dseq: int, delivered: int, floor: int, *, live: bool = False
) -> None:
    """Where the server says that its two lines are; `live`: surely newer than the events so far."""
    fresh = t - consumer.changed > LAG
    if not consumer.first and dseq == 0:
        consumer.first = delivered + 1
    if fresh and (dseq < consumer.dseq or delivered < consumer.delivered):
        # It was reset, or it lost its newest state in a crash: what it says is what it remembers.
        for seq in [s for s in consumer.cells if s > delivered]:
            gone = consumer.cells.pop(seq)
            consumer.repeats -= gone.attempt - 1
            put(consumer, gone, "gone")
        consumer.runs = [[a, min(b, delivered)] for a, b in consumer.runs if a <= delivered]
        consumer.dseq, consumer.delivered, consumer.told = dseq, delivered, dseq
    consumer.dseq, consumer.delivered = max(consumer.dseq, dseq), max(consumer.delivered, delivered)
    consumer.floor = floor if fresh or live else max(consumer.floor, floor)
    if floor:
        for cell in consumer.cells.values():
            if cell.seq <= floor and cell.waits:
                settle(consumer, cell, t, guessed=True)
        consumer.runs = [[max(a, floor + 1), b] for a, b in consumer.runs if b > floor]


def _reconstruct(state: State, consumer: Consumer, t: float) -> None:
    """Without a state file the counters are all there is beside the events."""
    if not consumer.says["pending"] and t - consumer.changed > LAG:
        for cell in consumer.cells.values():
            if cell.waits:
                settle(consumer, cell, t, guessed=True)
        consumer.runs, consumer.beyond = [], 0
    more = consumer.says["pending"] - consumer.pending
    if more > 0 and t >= consumer.changed and consumer.delivered - consumer.floor <= KNOWN:
        stream = state.streams[consumer.stream]
        between = range(max(consumer.floor, consumer.first - 1) + 1, consumer.delivered + 1)
        rest = [seq for seq in between if seq not in consumer.cells and stream.holds(seq)]
        rest = [seq for seq in rest if state.status(consumer, seq)]
        for seq in rest if len(rest) == more else ():  # all of them, then: nobody saw them go
            if (new := cell_for(state, consumer, seq)) is not None:
                new.t, new.guessed = t, True
                put(consumer, new, "flight")


def file_report(state: State, event: Snap) -> None:
    """A consumer's own state file: which sequences it waits for, and which came more than once."""
    data = event.data
    stream, name = str(data.get("stream", "")), str(data.get("consumer", ""))
    if not stream or not wanted(state, stream, name):
        return
    if "floor" not in data:
        return  # a consumer without a file: only acks that were not told singly
    consumer = home(state, stream, name)
    _led_by(consumer, event.place)
    floor, delivered = data["floor"], data["delivered"]
    _place(state, consumer, event.t, int(delivered[0]), int(delivered[1]), int(floor[1]))
    again = {int(seq): int(count) for seq, count in data.get("redelivered") or []}
    pending = {int(entry[0]): int(entry[1]) for entry in data.get("pending") or []}
    consumer.first = consumer.first or next((seq for seq, cseq in pending.items() if cseq == 1), 0)
    left_out, left_out_again = int(data.get("left_out") or 0), int(data.get("left_out_again") or 0)
    horizon = max(pending, default=0) if left_out else int(delivered[1])
    consumer.file_t, consumer.file_pending = event.t, len(pending) + left_out
    consumer.file_dseq = int(delivered[0])
    consumer.told = max(consumer.told, consumer.file_dseq)
    consumer.doubts.clear()
    for seq in [s for s, c in consumer.cells.items() if s > horizon and c.waits and left_out]:
        put(consumer, consumer.cells.pop(seq), "gone")  # counted with those that are left out
    _waits(state, consumer, event.t, pending, again)
    _over(consumer, event.t, pending, horizon)
    if not left_out and not left_out_again:
        _given_up(state, consumer, event.t, pending, again)
    consumer.beyond, consumer.horizon = left_out, horizon
    consumer.again = sum(1 for seq in again if seq not in consumer.cells)
    if left_out_again:
        known = max(again, default=0)
        singly = sum(c.attempt > 1 and c.state not in SETTLED for s, c in consumer.cells.items() if s > known)
        consumer.again += max(0, left_out_again - singly)
    _witnesses(state, consumer, event.t)


def _waits(
    state: State, consumer: Consumer, t: float, pending: dict[int, int], again: dict[int, int]
) -> None:
    """What the file says the server waits for."""
    runs: list[list[int]] = []
    for seq in sorted(pending):
        cell = consumer.cells.get(seq)
        if cell is not None and not cell.waits and t - cell.t < LAG and not cell.guessed:
            consumer.doubts[seq] = "flight"
            continue
        if cell is None:
            cell = cell_for(state, consumer, seq)
            if cell is None:
                if runs and runs[-1][1] == seq - 1:
                    runs[-1][1] = seq
                else:
                    runs.append([seq, seq])
                continue
            cell.t = t
            put(consumer, cell, "flight")
            cell.guessed = True
        elif not cell.waits:
            _reopen(consumer, cell)
        attempts = _attempts(consumer, again.get(seq, 0))
        if attempts > cell.attempt:
            came(consumer, cell, attempts)
            if cell.state != "flight":
                put(consumer, cell, "flight")
    consumer.runs = runs


def _reopen(consumer: Consumer, cell: Cell) -> None:
    put(consumer, cell, "flight")
    if cell.last is not None:
        cell.last.end = ""


def _over(consumer: Consumer, t: float, pending: dict[int, int], horizon: int) -> None:
    """What the server waits for no longer, as far as the file was read: acked, or given up."""
    for seq, cell in consumer.cells.items():
        if cell.waits and seq <= horizon and seq not in pending:
            counted = cell.last is not None and 0 < cell.last.cseq <= consumer.file_dseq
            if t - cell.t < LAG and not counted:  # perhaps the file is older than the delivery
                consumer.doubts[seq] = "over"
            else:
                _end(consumer, cell, t, consumer.last_chance(cell) and cell.state != "flight")


def _given_up(
    state: State, consumer: Consumer, t: float, pending: dict[int, int], again: dict[int, int]
) -> None:
    """What is not waited for and still counts as redelivered has used all its attempts."""
    for seq, count in again.items():
        cell = consumer.cells.get(seq)
        if seq in pending or consumer.max_deliver < 1:
            continue
        if cell is None:
            new = cell_for(state, consumer, seq)
            if new is not None:
                came(consumer, new, _attempts(consumer, count))
                new.t, new.guessed = t, True
                put(consumer, new, "exhausted")
        elif cell.guessed and cell.state == "acked":
            put(consumer, cell, "exhausted")
    for seq, cell in consumer.cells.items():
        if cell.state == "exhausted" and seq not in again and t - cell.t >= LAG and cell.guessed:
            settle(consumer, cell, t, guessed=True)


def _end(consumer: Consumer, cell: Cell, t: float, again: bool) -> None:
    if again and consumer.last_chance(cell):
        put(consumer, cell, "exhausted")
        cell.guessed = True
    else:
        settle(consumer, cell, t, guessed=True)


def _witnesses(state: State, consumer: Consumer, t: float) -> None:
    """Where file and counters agree, and the counters are newer than the events, the events are wrong."""
    if consumer.says_t < consumer.changed or consumer.says.get("pending") != consumer.file_pending:
        return
    if consumer.doubts and consumer.pending != consumer.file_pending:
        _resolve(state, consumer, t)


def _resolve(state: State, consumer: Consumer, t: float) -> None:
    for seq, said in consumer.doubts.items():
        cell = consumer.cells.get(seq)
        if cell is None:
            continue
        if said == "over" and cell.waits:
            _end(consumer, cell, t, consumer.last_chance(cell) and cell.state != "flight")
        elif said == "flight" and not cell.waits:
            _reopen(consumer, cell)
    consumer.doubts.clear()


def _attempts(consumer: Consumer, count: int) -> int:
    """The deliveries of a message that the file counts so often as redelivered."""
    return min(count + 1, consumer.max_deliver) if consumer.max_deliver > 0 else count + 1


def advisory(state: State, event: Snap) -> None:
    """What the server announces: streams and consumers made and deleted."""
    data = event.data
    kind = str(data.get("type", ""))
    stream, name = str(data.get("stream", "")), str(data.get("consumer", ""))
    # Announcements are collected for a moment: what came after the one that is told is of its successor,
    # and so is what was reported since. (If it is not, then the next report says that it is gone.)
    if kind.endswith("stream_action") and data.get("action") == "delete":
        there = state.streams.get(stream)
        if there is not None and max(there.active, there.says_t) <= event.t:
            _forget_stream(state, stream)
    elif kind.endswith("consumer_action"):
        old = state.consumers.get(f"{stream}/{name}")
        if old is None or max(old.changed, old.says_t) > event.t:
            return
        if data.get("action") == "delete":
            _forget(state, stream, name)
        elif data.get("action") == "create" and old.dseq:
            state.consumers[old.key] = Consumer(
                stream=stream, name=name, changed=event.t, since=state.streams[stream].last
            )


def _forget(state: State, stream: str, name: str) -> None:
    if state.consumers.pop(f"{stream}/{name}", None) is not None:
        state.deleted[stream] = name
