"""The mirrors view in words: the sentence, the note under it, and the table."""

from __future__ import annotations

import math
from collections.abc import Iterator

from natslab.views.mirrors.braid import beside
from natslab.views.mirrors.plan import Block, blocks, braids, stream_of
from natslab.views.mirrors.state import (
    Link,
    State,
    Stream,
    behind,
    counted,
    links_of,
    loops,
    parted,
    reached,
    spared,
    trouble,
)
from natslab.views.view import Table, silent, unheard
from natslab.views.wording import NOTE, SENTENCE, amount, count_of, listed, plain, short_name


def describe(state: State) -> tuple[str, str]:
    """What is wrong or late, else what is copied; what a copy keeps in the note."""
    links = list(links_of(state))
    if not links:
        return _nothing(state)
    note = ""
    for piece in filter(None, _notes(state, links)):
        if not note or len(note) + 1 + len(piece) <= NOTE:
            note = f"{note} {piece}".strip()
    return _sentence(state, links), note


def _nothing(state: State) -> tuple[str, str]:
    if unheard(state):
        return unheard(state), "Mirrors and sources appear here when one is up."
    if state.of:
        return f"Nothing copies or is copied by {short_name(state.of[0], 30)}.", ""
    names = [s.name for s in state.streams.values() if s.known]
    if not names:
        return (
            "There is no stream yet, so nothing is copied.",
            "Make one: %js stream add ORDERS --subjects orders.>",
        )
    origin = names[0] if names[0].isidentifier() else "ORDERS"
    return "No stream copies another one.", f"Make a copy: %js stream add COPY --mirror {origin}"


def _first(*sentences: str) -> str:
    """The first that fits into the picture, else the last."""
    return next((s for s in sentences if len(s) <= SENTENCE), sentences[-1])


def _name(stream: str) -> str:
    return short_name(stream, 24)


def _sentence(state: State, links: list[Link]) -> str:
    there = [li for li in links if li.cut == math.inf]
    broken = [li for li in there if trouble(state, li)]
    if broken:
        link = min(broken, key=lambda li: (bool(cut_off(state, li)), -behind(state, li)))
        more = f" {count_of(len(broken), 'copy', 'copies')} have trouble." if len(broken) > 1 else ""
        start = f"{_name(link.copy)} cannot copy {_name(link.origin)}"
        if cut_off(state, link):
            start = _part(state, link)
        return _first(f"{start}: {trouble(state, link)}.{more}", f"{start}.{more}")
    late = sorted((li for li in there if behind(state, li)), key=lambda li: -behind(state, li))
    if late:
        link, count = late[0], count_of(behind(state, late[0]), "message")
        more = f"; {len(late)} copies are behind" if len(late) > 1 else ""
        return f"{_name(link.copy)} is {count} behind {_name(link.origin)}{more}."
    kept = sorted((li for li in there if spared(state, li)), key=lambda li: -spared(state, li))
    if kept:
        link = kept[0]
        count = count_of(spared(state, link), "message")
        return f"{_name(link.copy)} still has {count} that {_name(link.origin)} has no more."
    cut = [li for li in links if li.cut < math.inf]
    if cut and not there:
        link = max(cut, key=lambda li: li.cut)
        return f"{_name(link.copy)} is a stream of its own: it no longer copies {_name(link.origin)}."
    if len(there) == 1:
        return f"{_calm(state, there[0])}."
    wholes = sum(li.mirror for li in there)
    parts = [count_of(wholes, "mirror")] if wholes else []
    if len(there) > wholes:
        parts.append(count_of(len(there) - wholes, "source"))
    return f"{listed(parts).capitalize()}: every copy is caught up."


def cut_off(state: State, link: Link) -> str:
    """Why nothing can come through, where that is the only trouble; else ""."""
    why = parted(state, link)
    return why if why and trouble(state, link) == why else ""


def _part(state: State, link: Link) -> str:
    """How much of its origin a copy has that is cut off from it."""
    copy, origin = _name(link.copy), _name(link.origin)
    total = stream_of(state, link.origin).messages
    late = min(behind(state, link), total)
    if not counted(state, link):
        return f"{copy} gets nothing of {origin} now"
    if not late:
        return f"{copy} has all of {origin} and gets nothing now"
    return f"{copy} has {amount(total - late)} of the {count_of(total, 'message')} of {origin}"


def _calm(state: State, link: Link) -> str:
    copy = stream_of(state, link.copy)
    have = count_of(copy.messages, "message")
    if link.mirror:
        return f"{_name(link.copy)} mirrors {_name(link.origin)} and is caught up: {have}"
    return f"{_name(link.copy)} takes from {_name(link.origin)} and is caught up: {have}"


def _notes(state: State, links: list[Link]) -> Iterator[str]:
    there = [li for li in links if li.cut == math.inf]
    names = [name for li in there for name in (li.copy, li.origin)]
    yield silent(state, [stream_of(state, name).place for name in names], names)
    blind = [li for li in there if cut_off(state, li) and behind(state, li) > li.lag]
    if blind:
        place, what = stream_of(state, blind[0].copy).place, _name(blind[0].origin)
        yield f"{place} still reports lag {amount(blind[0].lag)}: it cannot know what came into {what}."
    if any(trouble(state, li) for li in there):
        far = any(cut_off(state, li) for li in there)
        yield "It goes on by itself when it can." if far else "It goes on by itself when the origin is there."
    bounce = state.bounces[-1] if state.bounces else None
    if bounce is not None and stream_of(state, bounce.stream).mirror:
        who = short_name(bounce.client) or "A client"
        yield f"{who} tried to write into {_name(bounce.stream)}: refused, {bounce.code}."
    if loops(state):
        yield "Streams copy each other: only their filters keep messages from going round."
    if any(spared(state, li) for li in there):
        yield "A delete or a purge is not copied. Yet it is no backup: later writes are."
    late = [li for li in there if behind(state, li)]
    if late:
        yield "A copy is made after the publisher has its answer: there is always some lag."
    cut = [li for li in links if li.cut < math.inf]
    if cut and cut[-1].mirror and there:
        yield f"{_name(cut[-1].copy)} was promoted: it takes writes of its own."
    wholes, parts = any(li.mirror for li in there), any(not li.mirror for li in there)
    if wholes and parts:
        yield "A mirror keeps sequence numbers, a source gives its own."
    elif wholes and not late:
        yield "A mirror keeps the sequence numbers and takes no writes of its own."
    elif parts and not late:
        yield "A sourced message gets a number of its own and says where it came from."


def kind(link: Link, stream: Stream) -> str:
    """mirror, source, or source 2 of 3."""
    if link.cut < math.inf:
        return "was a mirror" if link.mirror else "was a source"
    if link.mirror:
        return "mirror"
    many = sum(not li.mirror and li.cut == math.inf for li in stream.links)
    return f"source {link.index + 1} of {many}" if many > 1 else "source"


def pipe(link: Link) -> str:
    """What the pipe lets through, and what it makes of it."""
    parts = []
    if link.filter and not link.transforms:
        parts.append(f"only {plain(link.filter)}")
    parts += [f"{plain(a) or 'everything'} → {plain(b)}" for a, b in link.transforms]
    if link.external:
        parts.append(f"through {plain(link.external)}")
    return ", ".join(parts)


def standing(state: State, link: Link) -> str:
    """How far the copy is, in a few words."""
    if link.cut < math.inf:
        return "copies no more"
    words, late = trouble(state, link), behind(state, link)
    if cut_off(state, link):
        return f"{amount(late)} behind, cut off" if late else "cut off"
    if words:
        return f"its origin{words[2:]}" if words in ("it was deleted", "it is not there") else words
    return f"{amount(late)} behind" if late else "caught up"


def claim(state: State, link: Link) -> str:
    """What the copy's server says of its lag, where that is less than there is; else ""."""
    if not cut_off(state, link) or behind(state, link) <= link.lag:
        return ""
    return f"{plain(stream_of(state, link.copy).place)} says lag {amount(link.lag)}"


def span(stream: Stream) -> str:
    """The sequences of a stream: "3 to 9"."""
    return f"{amount(stream.first)} to {amount(stream.last)}" if stream.messages else "empty"


def table(state: State) -> Table:
    """One row per origin, per copy that reads it, and per source of a braid."""
    found = Table(columns=["stream", "from", "how", "sequences", "messages", "state"], rows=[], keys=[])

    def row(key: str, *cells: str) -> None:
        found.rows.append([plain(c) for c in cells])
        found.keys.append(key)

    shown, hidden = blocks(state)
    for block in shown:
        origin = stream_of(state, block.origin)
        where = "" if origin.known else "deleted" if origin.gone < math.inf else "not there"
        row(
            f"origin/{block.origin}", block.origin, "", "stream", span(origin), amount(origin.messages), where
        )
        for link in block.links:
            copy = stream_of(state, link.copy)
            row(f"link/{link.origin}>{link.name}", link.copy, link.origin, kind(link, copy), span(copy),
                amount(copy.messages), "; ".join(_facts(state, link)))  # fmt: skip
        if block.rest:
            late_ones = sum(behind(state, li) > 0 for li in block.rest)
            row(f"more/{block.origin}", f"{len(block.rest)} more", block.origin, "copies", "", "",
                f"{late_ones} behind")  # fmt: skip
    for stream in braids(state):
        for link in stream.links:
            if not link.mirror and link.cut == math.inf:
                got = amount(link.carried) if link.carried else ""
                row(f"braid/{stream.name}/{link.index}", stream.name, link.origin, "came from", "", got, "")
        if beside(stream):
            row(f"braid/{stream.name}/rest", stream.name, "", "beside", "", "", beside(stream))
    if hidden:
        row("more/", f"{len(hidden)} more", "", "origins", "", "", "")
    if shown:
        row("total/", "", "", "all", "", "", totals(state))
    return found


def _facts(state: State, link: Link) -> Iterator[str]:
    yield standing(state, link)
    if cut_off(state, link):
        yield cut_off(state, link)
        total = stream_of(state, link.origin).messages
        yield f"{amount(total - min(behind(state, link), total))} of {amount(total)}"
    if claim(state, link):
        yield claim(state, link)
    if pipe(link):
        yield pipe(link)
    if spared(state, link):
        yield f"{amount(spared(state, link))} gone upstream"
    if reached(state, link) and not link.mirror:
        yield f"reached {amount(reached(state, link))}"
    bounce = next((b for b in reversed(state.bounces) if b.stream == link.copy), None)
    if bounce is not None:
        yield f"write of {bounce.client or 'a client'} refused, {bounce.code}"
    if (link.copy, link.origin) in loops(state):
        yield "a loop"


def totals(state: State) -> str:
    """How many copies there are, and how many of them have trouble."""
    links = [li for li in links_of(state) if li.cut == math.inf]
    wholes = sum(li.mirror for li in links)
    late = sum(behind(state, li) > 0 for li in links)
    broken = sum(bool(trouble(state, li)) for li in links)
    counts = ((wholes, "mirror"), (len(links) - wholes, "source"))
    parts = [count_of(n, one) for n, one in counts if n] or ["nothing is copied now"]
    if late:
        parts.append(f"{late} behind")
    if broken:
        parts.append(f"{broken} with trouble")
    return ", ".join(parts)


def block_title(block: Block) -> str:
    """The origin and how often it is copied."""
    return f"{short_name(block.origin, 60)} is copied {count_of(len(block.links) + len(block.rest), 'time')}."
