"""The acks view in words: the sentence, the note under it, and the table."""

from __future__ import annotations

from natslab.views.acks import facts
from natslab.views.acks.once import drawn
from natslab.views.acks.plan import Plan, plan_of
from natslab.views.acks.state import Cell, Consumer, State, Totals, totals_of
from natslab.views.scene import text_width
from natslab.views.view import Table, silent, unheard
from natslab.views.wording import amount, count_of, listed, new_stream, short_name

STATES = {
    "flight": "delivered, not acked",
    "nak": "nak: comes again",
    "expired": "not answered in time",
    "acked": "acked",
    "terminated": "terminated",
    "removed": "removed from the stream",
    "exhausted": "exhausted: all attempts used",
    "stored": "stored",
    "settled": "acked",
}


def messages_of(seqs: list[int]) -> str:
    """Some messages by number: "Message 6", "Messages 6 and 9", "Messages 6, 7, 8 and others"."""
    if len(seqs) == 1:
        return f"Message {amount(seqs[0])}"
    if len(seqs) <= 4:
        return f"Messages {listed([amount(s) for s in seqs])}"
    if seqs[0] > 9_999:
        return f"Messages {amount(seqs[0])} and others"
    return f"Messages {', '.join(amount(s) for s in seqs[:3])} and others"


def fitting(*sentences: str) -> str:
    """The first of these that fits the picture."""
    return next((s for s in sentences if text_width(s, "t16 w5") <= 850), sentences[-1])


def left_of(seconds: float) -> str:
    """Time left, as exactly as it is worth."""
    seconds = max(0.0, seconds)
    if seconds >= 120:
        return f"{seconds / 60:.0f} min"
    return f"{seconds:.0f} s" if seconds >= 10 else f"{seconds:.1f} s"


@drawn
def describe(state: State) -> tuple[str, str]:
    """What matters most now, without times; the rest in the note."""
    return _words(state, timed=False)


@drawn
def timed(state: State) -> tuple[str, str]:
    """The same for a picture, with the time that is left."""
    return _words(state, timed=True)


def _words(state: State, *, timed: bool) -> tuple[str, str]:
    plan = plan_of(state)
    if plan is None:
        return _empty(state)
    consumers = [*plan.lanes[::-1], *plan.bands[::-1]]
    names = [one.stream for one in consumers[:1]] + [one.key for one in consumers]
    quiet = silent(state, [one.place for one in consumers], names)
    if quiet:
        return _last_heard(state, plan, consumers, quiet)
    for tell in (_blocked, _differs, _stuck, _full):
        for consumer in consumers:
            said = tell(state, consumer)
            if said is not None:
                sentence, note = said
                return sentence, " ".join(s for s in (note, _next(state, consumers, timed)) if s)
    return _calm(state, plan, consumers, timed)


def _last_heard(state: State, plan: Plan, consumers: list[Consumer], quiet: str) -> tuple[str, str]:
    """While no server answers nothing is due and no deadline comes: only what was."""
    for tell in (_blocked, _full):
        for consumer in consumers:
            said = tell(state, consumer)
            if said is not None:
                return said[0], quiet
    return _calm(state, plan, consumers, timed=False)[0], quiet


def _blocked(state: State, consumer: Consumer) -> tuple[str, str] | None:
    seqs = facts.blocking(consumer)
    if not seqs:
        return None
    name, one = short_name(consumer.name), len(seqs) == 1
    used = {consumer.cells[s].attempt for s in seqs}
    attempts = f"all {max(used)} attempts" if len(used) == 1 and max(used) > 1 else "the only attempt"
    if len(used) > 1:
        attempts = "all attempts"
    it, stays = ("it", "it stays") if one else ("them", "they stay")
    some = f"{messages_of(seqs)} used {attempts}"
    sentence = fitting(
        f"{some}: {stays} stored, but {name} will never get {it} again.",
        f"{some}: {name} will never get {it} again.",
        f"{some} of {name}.",
    )
    ahead = facts.acked_ahead(consumer)
    if seqs[0] != consumer.floor + 1:
        return sentence, ""
    who = "It" if one else f"Message {amount(seqs[0])}"
    note = f"{who} also holds {name}’s ack floor at {amount(consumer.floor)}"
    if ahead:
        note += f", although {count_of(ahead, 'later message is', 'later messages are')} acked"
    return sentence, note + "."


def _differs(state: State, consumer: Consumer) -> tuple[str, str] | None:
    found = facts.disagreements(state, consumer)
    if not found:
        return None
    key, (server, cells) = next(iter(found.items()))
    return (
        f"The server counts {amount(server)} {facts.COUNTERS[key]} for {short_name(consumer.name)}, "
        f"the cells say {amount(cells)}.",
        "Something was not seen; the server’s counter is right.",
    )


def _stuck(state: State, consumer: Consumer) -> tuple[str, str] | None:
    cells = facts.stuck(state, consumer)
    if not cells:
        return None
    name, seqs = short_name(consumer.name), [c.seq for c in cells]
    one = len(seqs) == 1
    if all(consumer.last_chance(c) for c in cells):
        given = f"{name} gives {'it' if one else 'them'} up at its next pull."
        attempts = "the only attempt" if cells[0].attempt == 1 else f"all {cells[0].attempt} attempts"
        some = f"{messages_of(seqs)} used {attempts} without an ack"
        return fitting(f"{some}; {given}", f"{some}."), given
    silent = any(consumer.shown(c, state.now) == "expired" for c in cells)
    return (
        f"{messages_of(seqs)} {'is' if one else 'are'} due again, but nobody pulls from {name}.",
        "ack_wait ended in silence, and the next attempt waits for a pull."
        if silent
        else "The next attempt waits for a pull.",
    )


def _full(state: State, consumer: Consumer) -> tuple[str, str] | None:
    if not facts.full(consumer):
        return None
    waiting = totals_of(state, consumer).stored
    more = f"; {count_of(waiting, 'message waits', 'messages wait')}" if waiting else ""
    over = consumer.pending - consumer.limit + 1
    if over > 1:
        return (
            f"{short_name(consumer.name)} is over its limit: {amount(consumer.pending)} messages wait for an "
            f"ack, {amount(consumer.limit)} may.",
            f"Nothing new is handed out until {amount(over)} of them are acked{more}.",
        )
    return (
        f"{short_name(consumer.name)} is full: {amount(consumer.pending)} of {amount(consumer.limit)} "
        "messages wait for an ack.",
        f"Nothing new is handed out until one is acked{more}.",
    )


def _next(state: State, consumers: list[Consumer], timed: bool) -> str:
    """The next deadline of all."""
    ends = [(found[0], c, found[1]) for c in consumers if (found := facts.soonest(state, c)) is not None]
    if not ends:
        return ""
    end, consumer, cell = min(ends, key=lambda e: (e[0], e[2].seq))
    who = f" of {short_name(consumer.name)}" if len(consumers) > 1 and consumer is not consumers[0] else ""
    when = f" in {left_of(end - state.now)}" if timed and end - state.now >= 0.05 else ""
    return f"Next deadline: message {amount(cell.seq)}{who}{when}."


def _calm(state: State, plan: Plan, consumers: list[Consumer], timed: bool) -> tuple[str, str]:
    open_ = [c for c in consumers if c.pending]
    if open_:
        parts = [f"{short_name(c.name)} waits for {count_of(c.pending, 'ack')}" for c in open_]
        ways = [[*parts[:k], *(["others wait too"] if len(parts) > k else [])] for k in (3, 2, 1)]
        coming = [
            c.seq for c in open_[0].cells.values() if c.state == "nak" and c.last is not None and c.last.delay
        ]
        note = _next(state, consumers, timed)
        if not note and coming:
            note = f"{messages_of(sorted(coming))} comes again when its delay is over."
        return fitting(*(f"{listed(way)}." for way in ways)), note
    totals = [(c, totals_of(state, c)) for c in consumers]
    given = [c for c, t in totals if t.exhausted]
    ends = [
        word
        for word, some in (
            ("acked", any(t.acked for _, t in totals)),
            ("terminated", any(t.terminated for _, t in totals)),
            ("removed from the stream", any(t.removed for _, t in totals)),
        )
        if some
    ]
    done = " or ".join(ends) or "acked"
    rest = [(c, t) for c, t in totals if t.stored]
    fresh = [c for c in consumers if not c.dseq and not c.cells]
    if fresh and len(fresh) == len(consumers):
        one = consumers[0]
        stream = short_name(one.stream)
        held = plan.stream.messages
        # With a filter not all of them are the consumer's.
        some = count_of(held, "message") if any(t.stored == held for _, t in totals) else "messages"
        who = short_name(one.name) if len(consumers) == 1 else "each consumer"
        return (
            f"{stream} has {some}; {who} has handed out none yet.",
            _nothing_for(consumers, totals) or f"Fetch some: %js consumer next {one.stream} {one.name}"
            if not one.push
            else "It hands them out as soon as somebody subscribes.",
        )
    names = [short_name(c.name) for c in consumers]
    who = listed(names) if len(names) <= 3 else "all consumers"
    if len(who) > 45:
        who = "all consumers"
    if all(c.ack == "none" for c in consumers):
        sentence = f"{who} {'asks' if len(consumers) == 1 else 'ask'} for no ack: handed out is done."
    elif given:
        seqs = facts.exhausted(given[0])
        sentence = (
            f"{messages_of(seqs)} used all attempts of {short_name(given[0].name)}; "
            f"everything else that was handed out is {done}."
        )
    else:
        sentence = f"Everything that {who} handed out is {done}."
    notes = [
        f"{count_of(t.stored, 'message waits', 'messages wait')} for {short_name(c.name)}"
        for c, t in rest[:2]
    ]
    note = f"{listed(notes)}." if notes else "Nothing waits."
    return sentence, note


def _nothing_for(consumers: list[Consumer], totals: list[tuple[Consumer, Totals]]) -> str:
    """Why a fetch would find nothing, where the server said so too; "" where it may find something."""
    if any(t.stored for _, t in totals) or any(c.says.get("stored", 1) for c in consumers):
        return ""
    one = consumers[0]
    if len(consumers) > 1:
        return "No message that is stored is for one of them."
    if one.filters:
        some = listed([short_name(f, 24) for f in one.filters[:3]])
        return f"No message that is stored matches its filter, {some}."
    return "What is stored came before it begins; it takes what comes from now on."


def _empty(state: State) -> tuple[str, str]:
    if unheard(state):
        return unheard(state), "What consumers wait for appears here when one is up."
    if not state.streams:
        if state.of:
            return (
                f"There is no stream {short_name(state.of[0], 40)}.",
                f"Make one: {new_stream(state.of[0])}",
            )
        return (
            "There is no stream yet.",
            "A stream keeps messages: %js stream add ORDERS --subjects 'orders.>' --defaults",
        )
    name = facts.focus(state)
    stream, title = state.streams[name], short_name(name, 40)
    consumers = state.of_stream(name)
    if not consumers:
        if len(state.of) > 1:
            return (
                f"Stream {title} has no consumer {short_name(state.of[1], 40)}.",
                f"Make it: %js consumer add {title} {short_name(state.of[1], 40)} --pull --defaults",
            )
        gone = state.deleted.get(name)
        if gone:
            return (
                f"Consumer {short_name(gone)} is deleted: nobody is asked to ack {title} any more.",
                "The messages stay where the stream keeps them.",
            )
        return (
            f"Stream {title} has {count_of(stream.messages, 'message')} and no consumer.",
            f"A consumer remembers what was acked: %js consumer add {title} billing --pull --defaults",
        )
    names = [short_name(c.name) for c in consumers[:3]]
    return (
        fitting(
            f"Stream {title} is empty: there is nothing for {listed(names)}.", f"Stream {title} is empty."
        ),
        "Publish something, and it appears here.",
    )


def lane_words(state: State, consumer: Consumer, totals: Totals | None = None) -> str:
    """A consumer's counts, as its row says them."""
    totals = totals or totals_of(state, consumer)
    of = f" of {amount(consumer.limit)}" if consumer.limit > 0 else ""
    parts = [
        f"ack floor {amount(consumer.floor)}",
        f"delivered {amount(consumer.delivered)}",
        f"{amount(totals.ack_pending)}{of} ack pending",
    ]
    for count, word in (
        (totals.redelivered, "redelivered"),
        (totals.stored, "stored"),
        (facts.acked_ahead(consumer), "acked above the floor"),
        (totals.acked, "acked"),
        (totals.terminated, "terminated"),
        (totals.removed, "removed from the stream"),
        (totals.exhausted, "exhausted"),
    ):
        if count:
            parts.append(f"{amount(count)} {word}")
    for key, (server, _) in facts.disagreements(state, consumer).items():
        parts.append(f"the server says {amount(server)} {facts.COUNTERS[key]}")
    return ", ".join(parts)


def attempt_words(consumer: Consumer, attempt: int) -> str:
    """ "2 of 3", or "2" where there is no limit."""
    return f"{attempt} of {consumer.max_deliver}" if consumer.max_deliver > 0 else str(attempt)


def listed_cells(plan: Plan, consumer: Consumer) -> list[Cell]:
    """The cells that have a row of their own: above the floor, or exhausted."""
    shown = [consumer.cells.get(c.a) for c in plan.singles]
    return [
        c for c in shown if c is not None and (c.seq > consumer.floor or c.state == "exhausted" or c.waits)
    ]


def pins(state: State, plan: Plan, consumer: Consumer) -> list[Cell]:
    """Where columns stand for many messages: the few that are named all the same."""
    if plan.how != "mosaic":
        return []
    found = [consumer.cells[s] for s in facts.blocking(consumer)[:4]]
    found += [consumer.cells[s] for s in facts.exhausted(consumer)[:4]]
    found += facts.overdue(state, consumer)[:4]
    soonest = facts.soonest(state, consumer)
    if soonest is not None:
        found.append(soonest[1])
    chosen = facts.selected(state)
    if chosen is not None and chosen[2] == consumer.name and chosen[1] in consumer.cells:
        found.append(consumer.cells[chosen[1]])
    unique = {c.seq: c for c in found if c.seq >= plan.columns[0].a}
    return [unique[s] for s in sorted(unique)]


@drawn
def table(state: State) -> Table:
    """One row per consumer, and one per message that is not settled or stored."""
    columns = ["consumer", "message", "state", "attempt", "client", "subject"]
    rows: list[list[str]] = []
    keys: list[str] = []
    plan = plan_of(state)
    if plan is not None:
        for consumer in [*plan.lanes[::-1], *plan.bands[::-1]]:
            rows.append([consumer.name, "", lane_words(state, consumer), "", ", ".join(consumer.clients), ""])
            keys.append(f"lane/{consumer.key}")
            cells = listed_cells(plan, consumer) if plan.how == "cells" else pins(state, plan, consumer)
            for cell in cells:
                last = cell.last
                rows.append(
                    [
                        consumer.name,
                        str(cell.seq),
                        STATES[consumer.shown(cell, state.now)],
                        attempt_words(consumer, cell.attempt),
                        last.client if last else "",
                        plan.stream.subjects.get(cell.seq, ""),
                    ]
                )
                keys.append(f"msg/{consumer.stream}/{cell.seq}@{consumer.name}")
        if plan.more:
            rows.append([f"{len(plan.more)} more", "", more_words(state, plan), "", "", ""])
            keys.append("more")
    for stream in others(state, plan.stream.name) if plan is not None else bare(state):
        held = count_of(state.streams[stream].messages, "message")
        rows.append([stream, "", f"{held}, {other_words(state, stream)}", "", "", ""])
        keys.append(f"stream/{stream}")
    return Table(columns, rows, keys)


def more_words(state: State, plan: Plan) -> str:
    """The consumers that have no place of their own."""
    pending = sum(c.pending for c in plan.more)
    return f"{count_of(len(plan.more), 'more consumer')}: {amount(pending)} ack pending"


def others(state: State, drawn: str) -> list[str]:
    """Streams that the picture only names."""
    return [n for n in state.streams if n != drawn][:6]


def bare(state: State) -> list[str]:
    """Streams to name where nothing else can be drawn."""
    return list(state.streams)[:8] if not state.servers or "up" in state.servers.values() else []


def other_words(state: State, stream: str) -> str:
    """What is said of a stream that is not drawn."""
    consumers = state.of_stream(stream)
    pending = sum(c.pending for c in consumers)
    return f"{count_of(len(consumers), 'consumer')}, {amount(pending)} ack pending"
