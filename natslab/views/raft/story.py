"""The story of a group: one sentence for each thing that happened, those of one kind together."""

from __future__ import annotations

import bisect
from collections.abc import Sequence

from natslab.tape.event import Event
from natslab.views.raft import focus as facts
from natslab.views.raft.state import STOPS, STORY, TWICE, Group, Line, Log, State, parted
from natslab.views.wording import amount, in_words, listed

TOGETHER = 0.5  # seconds within which changes of several wires are one
TURNS = frozenset({"server", "wire cut", "wire held", "wire delayed", "wire open", "ask", "lead", "quorum"})


def tell(
    group: Group, event: Event, text: str, what: str = "", of: Sequence[str] = (), term: int = 0
) -> None:
    """One sentence more, where its time puts it: a client's own word may come later than what followed."""
    group.lines += 1
    line = Line(
        id=group.lines, n=event.n, t=event.t, until=event.t, text=text, what=what, of=list(of), term=term
    )
    group.story.insert(_place(group, event.t), line)
    del group.story[:-STORY]
    _stop(group, line)


def _place(group: Group, t: float) -> int:
    """Where a sentence of that time belongs: after all that are not later."""
    return bisect.bisect_right(group.story, t, key=lambda line: line.t)


def _stop(group: Group, line: Line) -> None:
    """Who goes through the story step by step stops here, where all of the line has happened."""
    group.stops = [stop for stop in group.stops[-STOPS:] if stop[1] != line.id]
    group.stops.append((line.n, line.id, line.what in TURNS))


def before(group: Group, event: Event, what: str) -> Line | None:
    """The sentence that an event follows in time, if it is of that kind."""
    at = _place(group, event.t) - 1
    return group.story[at] if at >= 0 and group.story[at].what == what else None


def tell_with(group: Group, event: Event, what: str, of: Sequence[str], text: str) -> None:
    """Say of what the sentence before tells, and of more of the same, in its place."""
    last = before(group, event, what)
    if last is None:
        tell(group, event, text, what, of)
        return
    last.text, last.of, last.until = text, list(of), max(last.until, event.t)
    if last is group.story[-1]:  # else something followed that was told already
        last.n = event.n
        _stop(group, last)


def wires(state: State, group: Group, event: Event, what: str, pair: str) -> None:
    """A wire was cut, held, delayed or healed; what was done to several at once is one sentence."""
    last = before(group, event, what)
    pairs = [pair]
    if last is not None and event.t - last.t < TOGETHER:
        pairs = [*(p for p in last.of if p != pair), pair]
    ends = [set(p.split("|")) for p in pairs]
    common = sorted(set.intersection(*ends))
    apart = parted(group.peers, set(pairs)) if len(pairs) > 1 and not common else []
    if len(pairs) == 1:
        who, many = "the wire between " + listed(pairs[0].split("|")), False
    elif common:
        who, many = f"the wires of {common[0]}", True
    else:
        who, many = f"{in_words(len(pairs))} wires", True
    are = "are" if many else "is"
    now = what.removeprefix("wire ")
    text = {
        "cut": f"{who} {are} cut",
        "held": f"{who} hold{'' if many else 's'} everything back",
        "delayed": f"{who} {are} slow",
        "open": f"{who} {are} whole again",
    }[now]
    if len(apart) == 1 and now != "delayed":
        does = {"cut": "are cut off from", "held": "are held off from", "open": "are joined again with"}[now]
        text = f"{listed(apart[0])} {does} the others"
    if len(pairs) == 1:
        tell(group, event, text, what, pairs)
    else:
        tell_with(group, event, what, pairs, text)


def votes(group: Group, event: Event, voter: str, ok: bool, why: str) -> None:
    """A vote was given or refused; several grants are one sentence."""
    if not ok:
        tell(group, event, f"{voter} refuses{f': {why}' if why else ''}", "refuse", [voter])
        return
    last = before(group, event, "grant")
    who = [*(last.of if last else []), voter]
    tell_with(group, event, "grant", who, f"{listed(who)} {'grants' if len(who) == 1 else 'grant'}")


def committed(group: Group, event: Event, first: int, last: int, log: Log) -> None:
    """Entries of a log are committed; one after the other is one sentence."""
    line = before(group, event, "commit")
    if line is not None and line.of[1] == str(first - 1):
        first, began = int(line.of[0]), int(line.of[2])
    else:
        line, began = None, log.term(first)
    of = [str(first), str(last), str(began), str(log.term(last))]
    if line is None:
        tell(group, event, _committed(group, of), "commit", of)
    else:
        tell_with(group, event, "commit", of, _committed(group, of))


def _committed(group: Group, of: list[str]) -> str:
    first, last, began, ended = map(int, of)
    verb = "is" if first == last else "are"
    if began == ended:
        return f"{named(group, first, last, ended)} {verb} committed"
    two = [i for i in group.twice if first <= i <= last]
    more = f", {named(group, two[0], two[-1], ended)}" if two else ""
    return f"{entries(first, last)} {verb} committed{more}"


def again(group: Group, first: int, last: int) -> None:
    """Remember of these indexes those that have been given to two entries, of two terms."""
    logs = [m.log for m in group.members.values()]
    found = [
        i
        for i in range(first, last + 1)
        if i not in group.twice and len({term for log in logs if (term := log.term(i))}) > 1
    ]
    if not found:
        return
    group.twice = sorted([*group.twice, *found])[-TWICE:]
    for line in group.story:  # what was told already
        if line.what == "commit":
            line.text = _committed(group, line.of)
        elif line.what == "late":
            line.text = late(group, line.of, line.term, line.text.endswith(" too"))
        elif line.what == "drop":
            line.text = _dropped(group, line.of, line.term)


def named(group: Group, first: int, last: int, term: int) -> str:
    """Entries of one term; it is said where others had the same index."""
    text = entries(first, last)
    return f"{text} of term {term}" if term and any(first <= i <= last for i in group.twice) else text


def late(group: Group, of: list[str], term: int, too: bool) -> str:
    """That an entry is not committed, and who has it."""
    who = named(group, int(of[-1]), int(of[-1]), term)
    return f"{who} too" if too else f"{who} is not committed: it is on {listed(of[:-1])} only"


def stops(state: State) -> list[tuple[int, bool]]:
    """Where somebody who goes through the story step by step stops, and whether it is a turn of it."""
    shown = facts.focus(state)
    groups = list(state.groups.values()) if shown is None else [shown]
    turns: dict[int, bool] = {}
    for group in groups:
        for n, _, turn in group.stops:
            turns[n] = turn or turns.get(n, False)
    return sorted(turns.items())


def span(first: int, last: int) -> str:
    """Some entries and their verb, e.g. "124 is", "124 and 125 are", "124 to 129 are"."""
    if first == last:
        return f"{amount(first)} is"
    return f"{amount(first)} {'and' if last == first + 1 else 'to'} {amount(last)} are"


def entries(first: int, last: int) -> str:
    """Some entries without a verb."""
    return span(first, last).rsplit(" ", 1)[0]


def dropped(group: Group, event: Event, name: str, first: int, last: int, term: int) -> None:
    """A server threw away what others have not; bit by bit is one sentence."""
    again(group, first, last)
    line = before(group, event, "drop")
    if line is not None and line.of[:2] == [name, str(last + 1)] and line.term == term:
        of = [name, str(first), line.of[2]]
        tell_with(group, event, "drop", of, _dropped(group, of, term))
        return
    of = [name, str(first), str(last)]
    tell(group, event, _dropped(group, of, term), "drop", of, term)


def _dropped(group: Group, of: list[str], term: int) -> str:
    return f"{of[0]} drops {named(group, int(of[1]), int(of[2]), term)}"
