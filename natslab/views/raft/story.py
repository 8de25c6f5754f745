"""The story of a group: one sentence for each thing that happened, those of one kind together."""

from __future__ import annotations

from collections.abc import Sequence

from natslab.tape.event import Event
from natslab.views.raft.state import STORY, Group, Line, State, parted
from natslab.views.wording import amount, in_words, listed

TOGETHER = 0.5  # seconds within which changes of several wires are one


def tell(group: Group, event: Event, text: str, what: str = "", of: Sequence[str] = ()) -> None:
    """One sentence more."""
    group.lines += 1
    group.story.append(Line(id=group.lines, n=event.n, t=event.t, text=text, what=what, of=list(of)))
    del group.story[:-STORY]


def before(group: Group, what: str) -> Line | None:
    """The newest sentence, if it is of that kind."""
    last = group.story[-1] if group.story else None
    return last if last is not None and last.what == what else None


def tell_with(group: Group, event: Event, what: str, of: Sequence[str], text: str) -> None:
    """Say of what the newest sentence tells, and of more of the same, in its place."""
    last = before(group, what)
    if last is None:
        tell(group, event, text, what, of)
    else:
        last.n, last.text, last.of = event.n, text, list(of)


def wires(state: State, group: Group, event: Event, what: str, pair: str) -> None:
    """A wire was cut, held, delayed or healed; what was done to several at once is one sentence."""
    last = before(group, what)
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
    last = before(group, "grant")
    who = [*(last.of if last else []), voter]
    tell_with(group, event, "grant", who, f"{listed(who)} {'grants' if len(who) == 1 else 'grant'}")


def committed(group: Group, event: Event, first: int, last: int) -> None:
    """Entries are committed; one after the other is one sentence."""
    line = before(group, "commit")
    if line is not None and line.of[1:] == [str(first - 1)]:
        first = int(line.of[0])
    tell_with(group, event, "commit", [str(first), str(last)], f"{span(first, last)} committed")


def span(first: int, last: int) -> str:
    """Some entries and their verb, e.g. "124 is", "124 and 125 are", "124 to 129 are"."""
    if first == last:
        return f"{amount(first)} is"
    return f"{amount(first)} {'and' if last == first + 1 else 'to'} {amount(last)} are"


def entries(first: int, last: int) -> str:
    """Some entries without a verb."""
    return span(first, last).rsplit(" ", 1)[0]


def dropped(group: Group, event: Event, name: str, first: int, last: int) -> None:
    """A server threw away what others have not; bit by bit is one sentence."""
    line = before(group, "drop")
    if line is not None and line.of[:2] == [name, str(last + 1)]:
        last = int(line.of[2])
        text = f"{name} drops {entries(first, last)}"
        tell_with(group, event, "drop", [name, str(first), str(last)], text)
        return
    tell(group, event, f"{name} drops {entries(first, last)}", "drop", [name, str(first), str(last)])
