"""The stream view in words: the sentence, the note under it, and the table."""

from __future__ import annotations

from collections.abc import Iterator

from natslab.views.stream.plan import READERS, SHELVES, Column, shelves_of
from natslab.views.stream.reasons import LONG, WHOLE, made_room
from natslab.views.stream.state import Answer, Gone, Reader, Slot, State, Stream
from natslab.views.view import Table, silent, unheard
from natslab.views.wording import (
    NOTE,
    SENTENCE,
    amount,
    count_of,
    in_words,
    listed,
    new_stream,
    plain,
    short_name,
)

CARDS = 8  # streams that are drawn when there are several
KINDS = {"limits": "limits", "workqueue": "work queue", "interest": "interest"}
#: Error codes that are better said in words than in the server's.
CODES = {
    10077: "max_msgs",
    10054: "max_msg_size",
    10166: "no TTL allowed",
    10071: "wrong last sequence",
    10070: "wrong last id",
}


def time_of(seconds: float) -> str:
    """A length of time as people say it: 250 ms, 1.4 s, 60 s, 5 min, 24 h, 7 d."""
    if seconds < 0.9995 and round(1000 * seconds) < 1000:
        return f"{1000 * seconds:.0f} ms"
    for size, unit, least in ((86_400, "d", 2), (3_600, "h", 2), (60, "min", 2)):
        if seconds >= least * size or (seconds >= size and seconds % size == 0 and size > 60):
            n = seconds / size
            return f"{round(n) if n >= 9.95 else round(n, 1):g} {unit}"
    return f"{seconds:.1f} s" if seconds < 9.95 and seconds % 1 else f"{seconds:.0f} s"


def bytes_of(n: float) -> str:
    """A number of bytes: 300 B, 9.8 KiB, 4 MiB."""
    for unit in ("B", "KiB", "MiB", "GiB"):
        if n < 1000 or unit == "GiB":
            break
        n /= 1024
    return f"{n:.1f} {unit}" if n < 99.95 and round(n, 1) % 1 and unit != "B" else f"{n:.0f} {unit}"


def limit_of(answer: Answer) -> str:
    """The limit at which a message was refused, in the configuration's words."""
    said = answer.error.lower()
    for part, name in (("per subject", "max per subject"), ("maximum messages", "max_msgs"),
                       ("maximum bytes", "max_bytes"), ("consumer", "max_consumers")):  # fmt: skip
        if part in said:
            return name
    return CODES.get(answer.code, short_name(answer.error, 60))


def name_of(stream: Stream, most: int = 18) -> str:
    """The stream's name for a picture."""
    return short_name(stream.name, most)


# --- the sentence -----------------------------------------------------------------------------


def describe(state: State) -> tuple[str, str]:
    """What is kept and what went, without times; what there is to learn from it in the note."""
    sentence, pieces = _said(state)
    note = ""
    for piece in pieces:
        if piece and (not note or len(note) + 1 + len(piece) <= NOTE):
            note = f"{note} {piece}".strip()
    return sentence, note


def headline_of(state: State) -> str:
    """The same with times."""
    sentence = describe(state)[0]
    shown = state.shown
    if len(shown) != 1:
        return sentence
    stream = shown[0]
    due = next_to_fall(stream)
    if due is None or not sentence.endswith(f"message {amount(due.seq)} falls off."):
        return sentence
    timed = f"{sentence[:-1]} in {time_of(max(0.0, stream.expires(due) - state.now))}."
    return timed if len(timed) <= SENTENCE else sentence


def _said(state: State) -> tuple[str, Iterator[str]]:
    shown = state.shown
    if not shown:
        return _nothing(state)
    if len(shown) > 1:
        return _several(shown), _notes_of_all(state, shown)
    stream = shown[0]
    if not stream.exists:
        return f"{name_of(stream)} {ended(stream)}, and its messages with it.", iter(
            [f"Make one: {new_stream(stream.name)}"]
        )
    return _one(stream), _notes(state, stream)


def ended(stream: Stream) -> str:
    """How a stream that is not there any more went."""
    return "went with the server's memory" if stream.lost else "was deleted"


def _nothing(state: State) -> tuple[str, Iterator[str]]:
    if unheard(state):
        return unheard(state), iter(["Streams appear here when one is up."])
    name = state.of[0] if state.of else "ORDERS"
    if state.of:
        return f"There is no stream called {listed([short_name(o, 24) for o in state.of])}.", iter(
            [f"Make one: {new_stream(name)}"]
        )
    return "No stream yet: nothing that is published is kept.", iter([f"Make one: {new_stream(name)}"])


def _one(stream: Stream) -> str:
    name, n, came = name_of(stream), stream.messages, stream.came
    if not came:
        kept = (
            listed([short_name(s, 24) for s in stream.limits.subjects[:3]]) if stream.limits.subjects else ""
        )
        return f"{name} is empty: it waits for {kept}." if kept else f"{name} is empty."
    if n and stream.limits.discard == "new" and stream.full:
        return _full(stream)
    gone = {why: k for why, k in stream.gap_reasons().most_common() if k > 0}
    if not n:
        if len(gone) == 1:
            (why, k) = next(iter(gone.items()))
            return f"{name} is empty: {_all(k)} {_gone(why, k)}."
        return _first(
            f"{name} is empty: {_list(gone)}.", f"{name} is empty: {count_of(came, 'message')} came and went."
        )
    if not gone:
        if stream.limits.retention == "workqueue":
            return f"{name} holds {count_of(n, 'job')}; none is acked yet."
        if stream.limits.retention == "interest":
            if any(r.settled(seq) for r in stream.readers.values() for seq in stream.slots):
                return f"{name} keeps {_all(n)}: every consumer must be done with a message first."
            return f"{name} keeps {_all(n)}: nobody has acked {'it' if n == 1 else 'one'} yet."
        return f"{name} keeps {_all(n)} that came." if n > 1 else f"{name} keeps the one message that came."
    start = f"{name} keeps {amount(n)} of {amount(came)}"
    return _first(
        f"{start}: {_list(gone)}.",
        f"{start}: {count_of(came - n, 'message')} went for {in_words(len(gone))} reasons.",
    )


def _all(n: int) -> str:
    return f"all {amount(n)} messages" if n > 2 else "both messages" if n == 2 else "its message"


def _gone(why: str, n: int) -> str:
    words = LONG.get(why, short_name(why, 20))
    if n == 1:
        words = words.replace("their", "its")
    if why in ("acked", "terminated", "deleted", "purged") and n:
        return f"{'is' if n == 1 else 'are'} {words}"
    return words


def _list(gone: dict[str, int]) -> str:
    """4 fell to max_msgs, 2 deleted."""
    words = {why: LONG.get(why, short_name(why, 20)) for why in gone}
    return ", ".join(
        f"{amount(k)} {words[why].replace('their', 'its') if k == 1 else words[why]}"
        for why, k in gone.items()
    )


def _full(stream: Stream) -> str:
    name = name_of(stream)
    size = f"{amount(stream.messages)} of {amount(stream.limits.msgs)}"
    if stream.full == "max_bytes":
        size = f"{bytes_of(stream.bytes)} of {bytes_of(stream.limits.bytes)}"
    shut = [a.subject for a in reversed(stream.answers.values()) if a.what == "refused"]
    shut = [s for s in (shut or stream.per_subject) if not stream.lets_in(s)]
    whom = f"refuses {short_name(shut[0], 24)}" if shut else "refuses every new subject"
    if not stream.limits.per_subject and stream.refused == 0:
        whom = "refuses what comes next"
    due = next_to_fall(stream)
    until = f" until message {amount(due.seq)} falls off" if due is not None else " until a message goes"
    start = f"{name} is full, {size}: it {whom}"
    return _first(f"{start}{until}.", f"{start}.", f"{name} is full, {size}.")


def _first(*sentences: str) -> str:
    """The first that fits into the picture, else the last."""
    return next((s for s in sentences if len(s) <= SENTENCE), sentences[-1])


def _several(streams: list[Stream]) -> str:
    parts = [f"{name_of(s, 14)} keeps {amount(s.messages)} of {amount(s.came)}" if s.exists
             else f"{name_of(s, 14)} {ended(s)}" for s in streams]  # fmt: skip
    total = f"{len(streams)} streams keep {count_of(sum(s.messages for s in streams), 'message')}."
    return _first(f"{', '.join(parts)}.", total)


def _notes_of_all(state: State, streams: list[Stream]) -> Iterator[str]:
    yield _down(state, streams)
    if (
        len({s.came for s in streams}) == 1
        and len({s.limits.retention for s in streams}) > 1
        and streams[0].came
    ):
        yield "As many messages came to each; its retention policy decides what it keeps."
    for s in streams:
        yield from _origin(s)
    if len(streams) > CARDS:
        yield f"{len(streams) - CARDS} more are in the table."


def _down(state: State, streams: list[Stream]) -> str:
    there = [stream for stream in streams if stream.exists]
    said = unheard(state) or silent(state, [one.place for one in there], [one.name for one in there])
    held = "the stream" if len(streams) == 1 else "the streams"
    return said and f"{said.removesuffix('.').partition(':')[0]}: this is what {held} held."


def _origin(stream: Stream) -> Iterator[str]:
    if stream.limits.mirror:
        yield f"{name_of(stream)} is a mirror of {short_name(stream.limits.mirror)}."
    if stream.limits.sources:
        yield f"{name_of(stream)} copies from {listed([short_name(s) for s in stream.limits.sources[:4]])}."


def _notes(state: State, stream: Stream) -> Iterator[str]:
    """What else is worth saying, the most important first."""
    limits = stream.limits
    yield _down(state, [stream])
    yield from _origin(stream)
    rooms = [
        (g, made_room(stream, g)) for g in reversed(stream.gone[-20:]) if g.why == "max_msgs_per_subject"
    ]
    for gone, by in rooms[:1]:
        if not by:
            continue
        subject = short_name(gone.subject, 24)
        if stream.full and limits.discard == "new":
            room = f"message {amount(by)} came, message {amount(gone.seq)} made room"
            yield f"{subject} still gets in, because its own shelf is full: {room}."
        else:
            most = f"A shelf of {amount(limits.per_subject)} keeps its newest"
            yield f"{most}: message {amount(by)} came to {subject}, message {amount(gone.seq)} made room."
    gap, duplicate, refused = newest_of(stream)
    if duplicate is not None:
        yield f"A second message with the id of {amount(duplicate.seq)} was not stored."
    if refused is not None and not (stream.full and limits.discard == "new"):
        yield f"{short_name(refused.subject, 30)} was refused: {limit_of(refused)}, error {refused.code}."
    yield from _policy(stream)
    if gap is not None:
        yield f"{amount(gap.seq)} was deleted: no message gets that number again."
    if stream.by_events:
        where = "Kept in memory" if limits.storage == "memory" else "Its files cannot be read along"
        yield f"{where}: its slots are reconstructed from events."
    if stream.by_events and stream.missing > 0:
        are = "is" if stream.missing == 1 else "are"
        yield f"{count_of(stream.missing, 'message')} came unseen, and {are} only counted."
    if stream.came and not stream.messages:
        yield f"The next message gets {amount(stream.last + 1)}: no sequence is given twice."
    if stream.full and limits.discard == "old" and limits.retention == "limits":
        yield "It is full: each new message pushes the oldest out."
    if not stream.came:
        yield "Publish there with -J, and the server answers when the message is stored."
    elif limits.retention == "limits" and stream.readers:
        n = len(stream.readers)
        yield f"{in_words(n).capitalize()} cursor{'s' if n > 1 else ''} over it: reading takes nothing away."
    elif limits.retention == "limits" and not stream.reasons:
        yield "It keeps them whether or not anybody reads."


def newest_of(stream: Stream) -> tuple[Gone | None, Answer | None, Answer | None]:
    """The newest deleted message that left a gap, the newest duplicate, and the newest refusal."""
    gap = next((g for g in reversed(stream.gone) if g.why == "deleted" and g.seq > stream.first), None)
    answers = list(reversed(stream.answers.values()))
    duplicate = next((a for a in answers if a.what == "duplicate"), None)
    return gap, duplicate, next((a for a in answers if a.what == "refused"), None)


def _policy(stream: Stream) -> Iterator[str]:
    limits, readers = stream.limits, list(stream.readers.values())
    names = listed([short_name(r.name) for r in readers[:4]]) if readers else ""
    if limits.retention == "workqueue":
        if not readers and stream.messages:
            yield "A work queue keeps its jobs until a consumer acks them; it has none."
        elif stream.messages and readers:
            yield f"{queue_of(stream)}."
    elif limits.retention == "interest":
        if not readers:
            yield "Nobody is interested: what comes is answered and not kept."
        elif len(readers) == 1:
            yield f"A slot falls when {names} has acked."
        elif len(readers) == 2:
            yield f"A slot falls when both {names} have acked."
        else:
            yield f"A slot falls when the last of {len(readers)} consumers has acked."


def queue_of(stream: Stream) -> str:
    """What the jobs of a work queue wait for."""
    slots = stream.slots.values()
    out, lost, nobody = (sum(f(stream, s) for s in slots) for f in (waits, given_up, unwanted))
    due = stream.messages - out - lost - nobody
    found = [
        (out, "for an ack"),
        (due, "for a pull"),
        (nobody, f"for a consumer that takes {'its subject' if nobody == 1 else 'their subjects'}"),
    ]
    parts = [(n, what) for n, what in found if n > 0]
    words = ", ".join(f"{amount(n)} {what}" for n, what in parts[1:])
    if parts:
        n, what = parts[0]
        start = f"{count_of(n, 'job')} {'waits' if n == 1 else 'wait'} {what}"
        words = f"{start}, {words}" if words else start
    if not lost:
        return words
    up = f"{'was' if lost == 1 else 'were'} given up"
    return f"{words}, {amount(lost)} {up}" if words else f"{count_of(lost, 'job')} {up}"


def waits(stream: Stream, slot: Slot) -> bool:
    """Whether a message was handed out, and the consumer still expects an answer."""
    return not given_up(stream, slot) and any(
        slot.seq in r.hands and not r.settled(slot.seq) for r in stream.readers.values()
    )


def given_up(stream: Stream, slot: Slot) -> bool:
    """Whether a consumer handed a message out as often as it may, without an answer."""
    return any(r.hands[slot.seq].state == "exhausted" for r in stream.readers.values() if slot.seq in r.hands)


def unwanted(stream: Stream, slot: Slot) -> bool:
    """Whether no consumer takes a message of that subject."""
    return not any(r.wants(slot.subject) for r in stream.readers.values())


def next_to_fall(stream: Stream) -> Slot | None:
    """The message whose time is over first."""
    due = [s for s in stream.slots.values() if stream.expires(s)]
    return min(due, key=lambda s: (stream.expires(s), s.seq)) if due else None


# --- the table --------------------------------------------------------------------------------


def size_of(stream: Stream) -> str:
    """16 of 16 messages, 9.8 KiB of 32 KiB."""
    limits = stream.limits
    many = count_of(stream.messages, "message")
    if limits.msgs:
        many = f"{amount(stream.messages)} of {count_of(limits.msgs, 'message')}"
    size = bytes_of(stream.bytes)
    return f"{many}, {size} of {bytes_of(limits.bytes)}" if limits.bytes else f"{many}, {size}"


def limits_in_words(stream: Stream) -> str:
    """Every limit that is set, in the configuration's words."""
    limits = stream.limits
    out = [KINDS.get(limits.retention, limits.retention)]
    out += [f"max_msgs {amount(limits.msgs)}"] if limits.msgs else []
    out += [f"max_bytes {bytes_of(limits.bytes)}"] if limits.bytes else []
    out += [f"max_age {time_of(limits.age)}"] if limits.age else []
    out += [f"{amount(limits.per_subject)} per subject"] if limits.per_subject else []
    if limits.msgs or limits.bytes or limits.per_subject:
        out.append(f"discard {limits.discard}" + (" per subject" if limits.per_subject_too else ""))
    out += [f"mirror of {short_name(limits.mirror)}"] if limits.mirror else []
    out += [f"copies from {listed([short_name(s) for s in limits.sources])}"] if limits.sources else []
    return ", ".join(out)


def answer_of(answer: Answer) -> str:
    """What the server said to the newest publish of a subject."""
    if answer.what == "refused":
        times = f" {amount(answer.count)} times" if answer.count > 1 else ""
        return f"refused{times}: error {answer.code}, {limit_of(answer)}"
    return (
        f"stored as {amount(answer.seq)}" if answer.what == "stored" else f"duplicate of {amount(answer.seq)}"
    )


def fate_of(stream: Stream, seq: int) -> str:
    """Why a message is gone."""
    gone = next((g for g in reversed(stream.gone) if g.seq <= seq <= g.last), None)
    if gone is None:
        return "gone"
    by = made_room(stream, gone)
    start = "≈ " if gone.guessed and gone.why else ""
    if by:
        return f"{start}made room for {amount(by)}"
    if gone.why.startswith("new "):
        size = bytes_of(gone.limit) if gone.why == "new max_bytes" else amount(gone.limit)
        return f"{start}over the new limit" + (f" of {size}" if gone.limit else "")
    return start + (WHOLE.get(gone.why, gone.why) or "gone")


def reader_of(reader: Reader, short: bool = False) -> str:
    """Where a cursor stands; `short` leaves out what the picture shows."""
    parts = [f"at {amount(reader.delivered)}"]
    if reader.ack != "none":
        parts += [] if short else [f"acked to {amount(reader.floor)}"]
        if reader.out:
            parts.append(f"{amount(reader.out)} unacked")
    parts.append(f"{amount(reader.due)} to come")
    return ", ".join(parts) + (", paused" if reader.paused else "")


def slot_words(stream: Stream, slot: Slot) -> str:
    """What a kept message waits for, without times."""
    parts = []
    for reader in stream.readers.values():
        hand = reader.hands.get(slot.seq)
        if stream.limits.retention == "limits" or not reader.wants(slot.subject):
            continue
        if reader.settled(slot.seq):
            parts.append(f"{short_name(reader.name)} acked")
        elif hand is not None and hand.state == "exhausted":
            parts.append(f"{short_name(reader.name)} gave it up")
        elif hand is not None:
            who = f" by {short_name(hand.client)}" if hand.client else ""
            parts.append(f"handed out{who}" if stream.limits.retention == "workqueue"
                         else f"{short_name(reader.name)} holds it")  # fmt: skip
        elif stream.limits.retention == "interest":
            parts.append(f"waits for {short_name(reader.name)}")
    if slot.twice:
        parts.append(f"came again {'once' if slot.twice == 1 else f'{slot.twice} times'}, not stored")
    if slot.marker:
        parts.append(f"a marker: {plain(slot.marker)}")
    return ", ".join(parts)


def table_rows(stream: Stream, columns: list[Column], large: bool) -> Iterator[tuple[str, list[str]]]:
    """(key of the mark, cells) of everything that is drawn of a stream."""
    name = plain(stream.name)
    if not stream.exists:
        yield (
            f"stream/{stream.name}",
            [name, "stream", "", "gone" if stream.lost else "deleted", ended(stream) if stream.lost else ""],
        )
        return
    why = ", ".join(f"{amount(n)} {LONG.get(w, w)}" for w, n in stream.gap_reasons().most_common() if n > 0)
    came = (
        f"{amount(stream.came)} came, {amount(stream.came - stream.messages)} went; " if stream.came else ""
    )
    deleted, duplicate, refused = newest_of(stream)
    due = next_to_fall(stream)
    why += f"; {amount(due.seq)} falls off next" if due is not None else ""
    why += f"; newest deleted {amount(deleted.seq)}" if deleted is not None else ""
    why += f"; {answer_of(duplicate)}" if duplicate is not None else ""
    why += f"; {answer_of(refused)}" if refused is not None else ""
    ends = f"next {amount(stream.last + 1)}; "
    if stream.messages:
        ends = f"first {amount(stream.first)}, last {amount(stream.last)}; "
    if stream.limits.retention == "workqueue" and stream.messages and stream.readers:
        why += f"; {queue_of(stream)}"
    why = why.removeprefix("; ")
    told = f"; the slots say {amount(stream.counted)}" if stream.differs else ""
    yield f"stream/{stream.name}", [
        name, limits_in_words(stream), ", ".join(plain(s) for s in stream.limits.subjects),
        size_of(stream) + told, f"{came}{ends}{why}".rstrip("; "),
    ]  # fmt: skip
    if large:
        named, rest = shelves_of(stream)
        for subject in named:
            answer = stream.answers.get(subject)
            n = stream.subjects.get(subject, 0)
            most = f" of {amount(stream.limits.per_subject)}" if stream.limits.per_subject else ""
            yield f"shelf/{stream.name}/{subject}", [
                name, "shelf", plain(subject), f"{amount(n)}{most}", answer_of(answer) if answer else "",
            ]  # fmt: skip
        if rest:
            n = sum(stream.subjects.get(s, 0) for s in rest)
            yield f"shelf/{stream.name}", [name, "shelf", f"{len(rest)} more subjects", amount(n), ""]
    gone = {g.seq: g for g in stream.gone if g.seq == g.last}
    for c in columns:
        if c.kind == "slot" and c.first in stream.slots:
            slot = stream.slots[c.first]
            yield f"msg/{stream.name}/{c.first}", [
                name, str(c.first), plain(slot.subject), "kept", slot_words(stream, slot)]  # fmt: skip
        elif c.kind == "gone":
            subject = gone[c.first].subject if c.first in gone else ""
            yield (
                f"msg/{stream.name}/{c.first}",
                [name, str(c.first), plain(subject), "gone", fate_of(stream, c.first)],
            )
        else:
            span = f"{amount(c.first)} to {amount(c.last)}"
            state = ["not drawn", ""] if c.kind == "rest" else ["gone", fate_of(stream, c.last)]
            yield f"{c.kind}/{stream.name}/{c.first}", [name, span, "", *state]
    for reader in list(stream.readers.values())[:READERS]:
        filters = ", ".join(plain(f) for f in reader.filters)
        cells = [name, "consumer", plain(reader.name), reader_of(reader), filters]
        yield f"reader/{stream.name}/{reader.name}", cells
    if len(stream.readers) > READERS:
        yield f"reader/{stream.name}", [name, "consumer", f"{len(stream.readers) - READERS} more", "", ""]


def table_of(rows: list[tuple[str, list[str]]]) -> Table:
    """The rows as a table."""
    return Table(
        columns=["stream", "what", "subject", "state", "why"],
        rows=[cells for _, cells in rows],
        keys=[key for key, _ in rows],
    )


__all__ = ["CARDS", "SHELVES", "answer_of", "describe", "headline_of", "table_of", "table_rows"]
