"""How each event changes what the acks view knows."""

from __future__ import annotations

from natslab.tape.event import Ack, Deliver, Drop, Event, Server, Snap, Store
from natslab.views.acks.report import advisory, consumer_report, file_report, stream_report
from natslab.views.acks.settle import answer, arrive, home, lost, remove, wide_ack
from natslab.views.acks.state import KNOWN, LATE, State, Stream, wanted
from natslab.views.view import fold_common

#: Why messages leave a stream that a consumer has had its answer for; of "" nothing is known.
_ANSWERED = ("acked", "terminated", "no interest", "consumer deleted", "")


def fold(state: State, event: Event) -> None:
    """Take one event into account."""
    fold_common(state, event)
    if isinstance(event, Deliver):
        if wanted(state, event.stream, event.consumer):
            _deliver(state, event)
    elif isinstance(event, Ack):
        if wanted(state, event.stream, event.consumer):
            _ack(state, event)
    elif isinstance(event, Store):
        if wanted(state, event.stream) and not event.code and not event.error:
            _store(state, event)
    elif isinstance(event, Drop):
        if event.stream in state.streams:
            _drop(state, event)
    elif isinstance(event, Snap):
        if event.what == "stream":
            stream_report(state, event)
        elif event.what == "consumer":
            consumer_report(state, event)
        elif event.what == "pending":
            file_report(state, event)
        elif event.what == "advisory":
            advisory(state, event)
    elif isinstance(event, Server) and event.state in ("down", "up"):
        for consumer in state.consumers.values():
            if consumer.place in ("", event.name):
                consumer.changed = -9.0  # what it says next is what it remembers
                consumer.doubts.clear()


def _store(state: State, event: Store) -> None:
    stream = _stream(state, event.stream)
    stream.active = event.t
    if event.duplicate:
        return
    stream.last = max(stream.last, event.seq)
    if event.subject and (event.count == 1 or event.client):
        stream.subjects[event.seq] = event.subject
        if len(stream.subjects) > KNOWN:
            del stream.subjects[next(iter(stream.subjects))]


def _stream(state: State, name: str) -> Stream:
    return state.streams.setdefault(name, Stream(name=name))


def _drop(state: State, event: Drop) -> None:
    stream = state.streams[event.stream]
    stream.active = event.t
    if event.seq:  # else it is not known which
        lost(stream, event.seq, max(event.seq, event.last))
    if event.why in _ANSWERED or not event.seq:
        return
    last = max(event.seq, event.last)
    for consumer in state.of_stream(stream.name):
        few = last - event.seq < len(consumer.cells)
        for seq in range(event.seq, last + 1) if few else list(consumer.cells):
            cell = consumer.cells.get(seq)
            if cell is None or not event.seq <= seq <= last:
                continue
            # A report that it is not waited for any more may have been sooner.
            told = cell.guessed and cell.state == "acked" and event.t - cell.t < LATE
            if told or cell.waits:
                remove(consumer, cell, event.t)


def _deliver(state: State, event: Deliver) -> None:
    stream = _stream(state, event.stream)
    stream.active = event.t
    stream.last = max(stream.last, event.seq)
    if event.subject:
        stream.subjects.setdefault(event.seq, event.subject)
        if len(stream.subjects) > KNOWN:
            del stream.subjects[next(iter(stream.subjects))]
    arrive(state, home(state, event.stream, event.consumer), event)


def _ack(state: State, event: Ack) -> None:
    consumer = home(state, event.stream, event.consumer)
    consumer.changed = max(consumer.changed, event.t)
    if consumer.ack == "all" and event.verb == "ack":
        wide_ack(consumer, event)
    answer(state, consumer, event)
