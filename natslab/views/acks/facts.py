"""What is worth saying of a consumer: who is stuck, who is full, what comes next, where counters disagree."""

from __future__ import annotations

from natslab.views.acks.once import once
from natslab.views.acks.state import STILL, Cell, Consumer, State, Totals, totals_of

#: The server's counters that the cells must equal at rest, with the words for them.
COUNTERS = {"pending": "ack pending", "redelivered": "redelivered", "stored": "unprocessed"}


@once
def exhausted(consumer: Consumer) -> list[int]:
    """Messages that used all their attempts."""
    return sorted(s for s, c in consumer.cells.items() if c.state == "exhausted")


@once
def blocking(consumer: Consumer) -> list[int]:
    """Of these, those that the ack floor cannot pass."""
    return [s for s in exhausted(consumer) if s > consumer.floor]


@once
def acked_ahead(consumer: Consumer) -> int:
    """Messages above the ack floor that are acked already."""
    return sum(1 for s, c in consumer.cells.items() if s > consumer.floor and c.state == "acked")


@once
def overdue(state: State, consumer: Consumer) -> list[Cell]:
    """Messages whose next attempt could come now."""
    now = state.now
    found = []
    for cell in consumer.cells.values():
        if not cell.waits:
            continue
        shown = consumer.shown(cell, now)
        due = consumer.due(cell)
        if shown == "expired" or (shown == "nak" and due is not None and due < now - 0.05):
            found.append(cell)
    return sorted(found, key=lambda c: c.seq)


@once
def stuck(state: State, consumer: Consumer) -> list[Cell]:
    """Messages that are due again while nobody pulls."""
    if consumer.push or consumer.paused or consumer.says.get("waiting", 0) > 0:
        return []
    return overdue(state, consumer)


def full(consumer: Consumer) -> bool:
    """Whether max_ack_pending is reached, so that nothing new is handed out."""
    return 0 < consumer.limit <= consumer.pending


@once
def soonest(state: State, consumer: Consumer) -> tuple[float, Cell] | None:
    """The next message whose time to answer ends, and when."""
    ends = [
        (end, cell.seq) for cell in consumer.cells.values() if (end := consumer.deadline(cell)) is not None
    ]
    ends = [e for e in ends if e[0] >= state.now - 0.05]
    return (min(ends)[0], consumer.cells[min(ends)[1]]) if ends else None


@once
def disagreements(state: State, consumer: Consumer) -> dict[str, tuple[int, int]]:
    """Where the server's counters and the cells differ at rest: counter -> (server, cells)."""
    stream = state.streams[consumer.stream]
    quiet = state.now - max(consumer.changed, consumer.file_t) > STILL and state.now - stream.active > STILL
    who = [state.servers[consumer.place]] if consumer.place in state.servers else state.servers.values()
    if not quiet or consumer.says_t < 0 or any(is_ != "up" for is_ in who):
        return {}
    cells = counters(totals_of(state, consumer))
    return {k: (consumer.says[k], cells[k]) for k in COUNTERS if consumer.says[k] != cells[k]}


def counters(totals: Totals) -> dict[str, int]:
    """Totals under the names of the server's counters."""
    return {"pending": totals.ack_pending, "redelivered": totals.redelivered, "stored": totals.stored}


@once
def trouble(state: State, consumer: Consumer) -> int:
    """How much a consumer deserves to be looked at; 0 = all is well."""
    if blocking(consumer):
        return 7
    if disagreements(state, consumer):
        return 6
    if stuck(state, consumer):
        return 5
    if full(consumer):
        return 4
    if overdue(state, consumer) or any(c.state == "nak" for c in consumer.cells.values()):
        return 3
    return 2 if consumer.pending else 1 if exhausted(consumer) else 0


@once
def focus(state: State) -> str:
    """The stream that is drawn: the selected one, else one with trouble, else the one that moved last."""
    names = list(state.streams)
    chosen = selected(state)
    if chosen is not None:
        return chosen[0]
    return max(
        names,
        key=lambda n: (
            max((trouble(state, c) for c in state.of_stream(n)), default=-1),
            state.streams[n].active,
        ),
        default="",
    )


@once
def selected(state: State) -> tuple[str, int, str] | None:
    """The selected cell: stream, sequence, consumer ("" when only the message is); None if there is none."""
    parts = state.selection.split("/", 2)
    if len(parts) != 3 or parts[0] != "msg" or parts[1] not in state.streams:
        return None
    number, _, rest = parts[2].partition("@")
    if not number.isdigit():
        return None
    names = sorted((c.name for c in state.of_stream(parts[1])), key=len, reverse=True)
    name = next((n for n in names if rest == n or rest.startswith(f"{n}/")), "")
    return parts[1], int(number), name
