"""The raft view in words: the sentence, the note under it, and the table."""

from __future__ import annotations

from collections.abc import Sequence

from natslab.views.raft import focus as facts
from natslab.views.raft.plan import visible
from natslab.views.raft.state import (
    EARLIEST,
    LATEST,
    Election,
    Group,
    Member,
    State,
    candidate,
    known_by_leader,
    leader_of,
    leaders,
    matches,
    natural,
    reach,
    up,
)
from natslab.views.raft.story import entries, named
from natslab.views.scene import text_width
from natslab.views.view import Table, unheard
from natslab.views.wording import amount, count_of, in_words, listed, new_stream, short_name

Words = tuple[str, str]


def fitting(*sentences: str) -> str:
    """The first of these that fits the picture."""
    return next((s for s in sentences if text_width(s, "t16 w5") <= 850), sentences[-1])


def describe(state: State) -> Words:
    """What matters most now, without times; the rest in the note."""
    return _words(state, timed=False)


def timed(state: State) -> Words:
    """The same for a picture, with the times."""
    return _words(state, timed=True)


def _words(state: State, *, timed: bool) -> Words:
    group = facts.focus(state)
    if group is None:
        return _list(state)
    if quiet := unheard(state):
        return quiet, f"This is what was said last. {_up_to(group)}"
    tellers = (_votes, _two, _lost, _silence, _alone, _apart, _lag)
    said = next((words for tell in tellers if (words := tell(state, group, timed))), None)
    sentence, note = said or _calm(state, group)
    return sentence, _beside(note, _elsewhere(state, group))


def _beside(note: str, more: str) -> str:
    """A note and what may not be left out of it: the note gives way where both are too long."""
    tried = (f"{note} {more}", f"{note.split('. ')[0].removesuffix('.')}. {more}")
    return next((t for t in tried if text_width(t, "t13") <= 852), more) if note and more else note or more


def _elsewhere(state: State, group: Group) -> str:
    """Which of the other groups can commit nothing now, and why."""
    found = troubled(state, group)
    parts = []
    for lacks in sorted({its for _, its in found}):
        names = [name_of(one) for one, its in found if its == lacks]
        some = names if len(names) < 3 else [*names[:2], "others"]
        parts.append(f"{listed(some)} {verb(some, 'has', 'have')} {lacks}")
    said = "; ".join(parts)
    return f"{said[:1].upper()}{said[1:]}." if said else ""


def troubled(state: State, group: Group) -> list[tuple[Group, str]]:
    """The other groups that can commit nothing, and what they lack; all have a row below the ring."""
    below = facts.chosen(state, facts.others(state, group), facts.BELOW)
    return [(one, lacks) for one in below if (lacks := facts.lack(state, one))]


def _up_to(group: Group) -> str:
    last = group.commit
    return f"Everything up to {amount(last)} is committed." if last else "Nothing is committed yet."


def name_of(group: Group) -> str:
    """The group in a sentence."""
    return "the meta group" if group.type == "meta" else short_name(group.title, 30)


def verb(names: Sequence[object], one: str, many: str) -> str:
    """The form of a verb for so many."""
    return one if len(names) == 1 else many


# --- sentences, the most urgent first -----------------------------------------------------------


def _votes(state: State, group: Group, timed: bool) -> Words | None:
    """Somebody asks for votes."""
    one = candidate(group)
    if one is None:
        return None
    knows = [v for v in one.knows(state.now) if v in group.peers]
    given = [v for v in one.granted() if v not in knows]
    refused = [v for v, a in one.answers.items() if a.ok is False]
    mine = reach(state, group, one.who)
    need, total = group.quorum, len(group.peers)
    asks = f"{one.who} asks for votes in term {one.term}"
    if given:
        who, vote = verb(given, "has", "have"), verb(given, "its vote", "their votes")
        sentence = f"{listed(given)} {who} granted {vote}, and {one.who} does not know it yet."
    elif refused:
        sentence = f"{listed(refused)} {verb(refused, 'refuses', 'refuse')} to vote for {one.who}."
    elif len(mine) < need:
        some = "nobody" if len(mine) < 2 else f"only {len(mine)} of {total}"
        sentence = f"{asks}, but reaches {some}: it cannot win."
    else:
        sentence = f"{asks}: it needs {need} of {total}."
    known = f"{one.who} knows of {count_of(len(knows), 'vote')}, its own included, and needs {need}."
    old = [m for m in leaders(state, group) if m.term < one.term]
    if timed and one.silence >= 1:
        heard = f"It heard nothing for {one.silence:.1f} s."
        after = f"{asks} after {one.silence:.1f} s of silence."
        known = after if given or refused else heard if old else f"{heard} {known}"
    if old:
        known += f" {_still(state, group, old[0])}."
    return sentence, known


def _still(state: State, group: Group, one: Member) -> str:
    can = len(reach(state, group, one.name)) >= group.quorum
    return f"{one.name} still says leader in term {one.term}{'' if can else ', and can commit nothing'}"


def _two(state: State, group: Group, timed: bool) -> Words | None:
    """Somebody says leader whose term is over."""
    old = facts.old_leaders(state, group)
    if not old:
        return None
    right, name = leader_of(state, group), old[0].name
    if right is None:
        return (
            f"{name} says leader, but term {group.term} has begun without it.",
            f"What {name} stores now is never acknowledged.",
        )
    n = len(reach(state, group, right.name))
    can = "can commit" if n >= group.quorum else "cannot commit"
    many = in_words(len(old) + 1).capitalize()
    sentence = (
        f"{many} servers say leader. Only {right.name} counts: term {right.term} is higher, "
        f"and {n} of {len(group.peers)} {can}."
    )
    first, last = facts.doomed(state, group, old[0])
    if first:
        some = range(first, last + 1)
        were, go = verb(some, "was", "were"), verb(some, "It goes", "They go")
        what = named(group, first, last, old[0].log.term(last))
        note = f"{what} on {name} {were} never committed. "
        note += f"{go} when {name} hears of term {right.term}."
    else:
        note = f"{name} does not know that term {old[0].term} is over: nobody told it."
    short = f"{many} servers say leader. Only {right.name} counts: term {right.term} is higher."
    return fitting(sentence, short), note


def _lost(state: State, group: Group, timed: bool) -> Words | None:
    """No side has a majority."""
    found = facts.sides(state, group)
    if len(group.peers) < 2 or any(s.enough for s in found):
        return None
    most = max((len(s.names) for s in found), default=0)
    need = f"{group.quorum} of {len(group.peers)} are needed"
    some = f"{most} reach each other" if most > 1 else "nobody reaches another"
    says = leaders(state, group)
    note = (
        f"{_still(state, group, says[0])}" if says else "Nothing can be committed, and nobody can be elected"
    )
    open_ = len(facts.open_entries(state, group))
    waits = f"; {count_of(open_, 'entry waits', 'entries wait')}." if open_ else "."
    return f"No majority: {some}, {need}.", note + waits


def _silence(state: State, group: Group, timed: bool) -> Words | None:
    """Whoever led is gone, and nobody asks yet."""
    if leader_of(state, group) is not None or not group.leader or len(group.peers) < 2:
        return None
    lost = group.leader
    words = {"down": "is dead", "frozen": "is frozen", "removed": "is gone"}
    what = words.get(state.servers.get(lost, ""), "")
    wait = [p for p in group.peers if p != lost and up(state, p)]
    if 0 <= state.now - group.handed < 2:
        note = f"It handed over: one of {listed(wait)} asks for votes at once." if wait else ""
        return f"{lost} has stepped down: nobody leads {name_of(group)} for a moment.", note
    if not what:
        note = f"One of {listed(wait)} asks for votes soon." if len(wait) > 1 else ""
        return f"Nobody leads {name_of(group)}.", note
    when = f" {EARLIEST:g} to {LATEST:g} s after the last heartbeat; nobody is told when" if timed else ""
    note = f"The first of them whose patience ends asks for votes{when}."
    return fitting(f"{lost}, the leader, {what}. {_hear(wait)}.", f"{lost}, the leader, {what}."), note


def _hear(names: list[str]) -> str:
    return f"{listed(names)} {verb(names, 'hears', 'hear')} nothing any more"


def _alone(state: State, group: Group, timed: bool) -> Words | None:
    """A leader does not reach a majority, while others could."""
    right = leader_of(state, group)
    if right is None or len(group.peers) < 2:
        return None
    mine = reach(state, group, right.name)
    if len(mine) >= group.quorum:
        return None
    first, last = facts.tail(group, right)
    sentence = (
        f"{right.name} says leader, but reaches {len(mine)} of {len(group.peers)}: it can commit nothing."
    )
    others = [p for p in group.peers if p not in mine and up(state, p)]
    parts = []
    if first:
        parts.append(f"{entries(first, last)} {verb(range(first, last + 1), 'is', 'are')} not committed.")
    if len(others) >= group.quorum:
        when = f" {EARLIEST:g} to {LATEST:g} s after the last heartbeat" if timed else ""
        parts.append(f"{_hear(others)}; one of them asks for votes{when}.")
    return sentence, " ".join(parts)


def _apart(state: State, group: Group, timed: bool) -> Words | None:
    """All is well for most, but some are not in reach."""
    right = leader_of(state, group)
    if right is None:
        return None
    mine = reach(state, group, right.name)
    away = [p for p in group.peers if p not in mine]
    if not away:
        return None
    is_ = {p: state.servers.get(p, "up") for p in away}
    down = [p for p in away if is_[p] in ("down", "removed")]
    frozen = [p for p in away if is_[p] == "frozen"]
    starts = [p for p in away if is_[p] == "starting"]
    alone = [p for p in away if is_[p] in ("up", "lame duck") and reach(state, group, p) == [p]]
    cut = [p for p in away if p not in (*down, *frozen, *starts, *alone)]
    parts = [
        f"{listed(some)} {verb(some, 'is', 'are')} {word}"
        for some, word in (
            (down, "down"),
            (frozen, "frozen"),
            (starts, "starting"),
            (alone, "cut off"),
            (cut, "out of its reach"),
        )
        if some
    ]
    n, spare = len(mine), len(mine) - group.quorum
    left = f", and {in_words(spare)} more may fail" if spare else "; none of them may fail now"
    note = f"{n} of {len(group.peers)} are enough to commit{left}."
    if cut:
        asks, its = verb(cut, "asks", "ask"), verb(cut, "its", "their")
        note = f"{_hear(cut)}, and {asks} for votes when {its} patience ends."
    return f"{right.name} leads in term {right.term}; {listed(parts)}.", note


def _lag(state: State, group: Group, timed: bool) -> Words | None:
    """A follower lacks what the leader has."""
    lacks = facts.behind(state, group)
    right = leader_of(state, group)
    if right is None or not lacks:
        return None
    name, n = max(lacks.items(), key=lambda item: item[1])
    if n < 3:
        return None
    return (
        f"{name} is {count_of(n, 'entry', 'entries')} behind {right.name}.",
        f"{right.name} leads in term {right.term} and sends it what it lacks.",
    )


def _calm(state: State, group: Group) -> Words:
    right = leader_of(state, group)
    what, total = name_of(group), len(group.peers)
    if total == 1:
        who = right.name if right else group.peers[0]
        return f"{who} alone holds {what}: it leads without asking.", "When that one replica is lost, all is."
    if right is None:
        return f"No leader of {what} is known yet.", "Nobody has said anything so far."
    may = total - group.quorum
    note = (
        f"{group.quorum} of {total} are enough, so {in_words(may)} may fail."
        if may
        else f"{group.quorum} of {total} are needed: none may fail."
    )
    first, last = facts.tail(group, right)
    if first:
        some = f"{entries(first, last)} {verb(range(first, last + 1), 'is', 'are')}"
        return f"{right.name} leads in term {right.term}; {some} on the way.", note
    leads = f"{right.name} leads {what} in term {right.term}"
    if facts.behind(state, group) or not right.log.last:
        return f"{leads}.", note
    return fitting(f"{leads}: all {total} have everything up to {amount(right.log.last)}.", f"{leads}."), note


# --- without a ring -----------------------------------------------------------------------------


def _list(state: State) -> Words:
    groups = facts.listed(state)
    if state.of and not any(matches(state.of, g) for g in groups):
        return _missing(state)
    if not groups:
        return _nothing(state)
    without = [short_name(g.title, 24) for g in groups if leader_of(state, g) is None]
    if without:
        names = (
            listed(without) if len(without) < 4 else f"{', '.join(without[:3])} and {len(without) - 3} more"
        )
        sentence = f"{names} {verb(without, 'has', 'have')} no leader."
    elif len(groups) == 1:
        sentence = "One RAFT group, and it has a leader."
    else:
        sentence = f"{count_of(len(groups), 'RAFT group')}, each with a leader."
    note = "See one from near: %natslab view raft STREAM, or click its row."
    return sentence, f"{note} To sort them, open the table: T." if len(groups) > 1 else note


def _nothing(state: State) -> Words:
    if quiet := unheard(state):
        return quiet, ""
    if not state.servers:
        return "No server has said anything yet.", "Start some: %natslab up --servers N"
    if len(state.servers) == 1:
        return "One server agrees with nobody: there is no RAFT group.", "Start more: %natslab up --servers N"
    return "No RAFT group is known yet.", "The servers find each other first."


def _missing(state: State) -> Words:
    name = short_name(state.of[0], 30)
    stream = state.streams.get(state.of[0])
    if state.of[0] == "meta" or unheard(state):
        return _nothing(state)
    if len(state.of) > 1:
        return f"No RAFT group of a consumer {short_name(state.of[1], 30)} of {name} is known.", ""
    if stream is None:
        # As many as are usual, where that many agree with each other.
        most = min(3, max((len(group.peers) for group in state.groups.values()), default=1))
        return f"There is no stream {name}.", f"Make one: {new_stream(state.of[0], most)}"
    if stream.replicas == 1:
        note = f"Give it more: %js stream edit {name} --replicas N"
        return f"{name} has one replica: nothing to agree on, and nobody to take over.", note
    return f"The RAFT group of {name} has not been heard of yet.", ""


# --- the table ----------------------------------------------------------------------------------

COLUMNS = [
    "Replica",
    "Is",
    "Term",
    "Log to",
    "Committed",
    "Not committed",
    "Behind",
    "Known to leader",
    "Reaches",
]


def table(state: State) -> Table:
    """The members of the group, then what is not committed, then elections, then other groups in trouble;
    or the list of groups."""
    group = facts.focus(state)
    if group is None:
        return _groups(state)
    rows, keys = [], []
    right = leader_of(state, group)
    lacks = facts.behind(state, group)
    for name in group.peers:
        one = group.members.get(name) or Member(name=name)
        first, end = facts.doomed(state, group, one)
        first, end = (first, end) if first else facts.tail(group, one)
        mine = reach(state, group, name)
        known = known_by_leader(group, name, state.now)
        rows.append([
            name,
            says(state, group, one),
            amount(one.term) if one.term else "-",
            amount(one.log.last),
            amount(one.commit),
            entries(first, end) if first else "-",
            amount(lacks.get(name, 0)) if right is not None else "-",
            amount(known) if right is not None and right.name != name and known else "-",
            f"{len(mine)} of {len(group.peers)}" if mine else "-",
        ])  # fmt: skip
        keys.append(f"srv/{name}")
    for name in sorted((s for s in state.servers if s not in group.peers), key=natural):
        rows.append([name, f"{state.servers[name]}, no replica", *["-"] * 7])
        keys.append("group/title")
    for entry in visible(state, group):
        have = facts.holders(group, entry.index, entry.term)
        of = group.members[have[0]]
        what = "will go" if facts.cell(state, group, of, entry.index) == "divergent" else "not committed"
        rows.append([
            f"entry {entry.index}", f"{what}, on {listed(have)}", amount(entry.term), "", "", "", "", "",
            f"{len(have)} of {len(group.peers)}",
        ])  # fmt: skip
        keys.append(f"entry/{entry.index}/{entry.term}")
    total = len(group.peers)
    if total > 1 or facts.old_leaders(state, group):
        term, last, commit = amount(group.term), amount(group.last), amount(group.commit)
        rows.append(
            ["quorum", _quorum(state, group), term, last, commit, "", "", "", f"{group.quorum} of {total}"]
        )
        keys.append("quorum" if total > 1 else "group/title")
    asking = candidate(group)
    if asking is not None:
        knows = len(asking.knows(state.now))
        rows.append(["votes", _fates(asking), amount(asking.term), "", "", "", "", "", f"{knows} of {total}"])
        keys.append(f"votes/{asking.who}")
    for other, why in troubled(state, group):
        term, last, commit = amount(other.term), amount(other.last), amount(other.commit)
        rows.append([other.title, why, term, last, commit, "", "", "", ""])
        keys.append(facts.key_of(other))
    return Table(COLUMNS, rows, keys)


def _quorum(state: State, group: Group) -> str:
    return "in reach" if any(s.enough for s in facts.sides(state, group)) else "out of reach"


def _fates(one: Election) -> str:
    parts = [f"{one.who} asks"]
    for name, answer in one.answers.items():
        parts.append(f"{name} {fate(answer.ok, answer.asked)}")
    return ", ".join(parts)


def fate(ok: bool | None, asked: float) -> str:
    """What became of a request for a vote."""
    if ok is not None:
        return "grants" if ok else "refuses"
    return "has not answered" if asked >= 0 else "never hears of it"


def says(state: State, group: Group, one: Member) -> str:
    """A member's part in a word or two."""
    is_ = state.servers.get(one.name, "up")
    if is_ == "frozen":
        return "leader, frozen" if one.role == "leader" else "frozen"
    if is_ not in ("up", "lame duck"):
        return is_
    if one.role == "leader" and one.term < group.term:
        return "says leader, old term"
    if one.role == "leader" and len(group.peers) > 1 and len(reach(state, group, one.name)) < group.quorum:
        return "says leader"
    return one.role or "not heard of"


def _groups(state: State) -> Table:
    rows, keys = [], []
    if not facts.listed(state):
        servers = sorted(state.servers, key=natural)[:9]
        return Table(
            ["Server", "Is"], [[s, state.servers[s]] for s in servers], [f"srv/{s}" for s in servers]
        )
    for group in facts.chosen(state, facts.listed(state)):
        right = leader_of(state, group)
        lacks = facts.behind(state, group)
        worst = max(lacks.items(), key=lambda item: item[1], default=("", 0))
        rows.append([
            group.title, group.type, right.name if right else "nobody", amount(group.term),
            amount(group.commit), f"{len(group.peers)}", amount(worst[1]) if right else "-", worst[0] or "-",
        ])  # fmt: skip
        keys.append(facts.key_of(group))
    if rows:
        rows.append([f"{len(facts.listed(state))} groups", *[""] * 7])
        keys.append("list/total")
    apart = [*(facts.key_of(g) for g in facts.listed(state) if g.type == "meta"), "list/total"]
    return Table(
        ["Group", "Of a", "Leader", "Term", "Committed", "Replicas", "Behind", "Slowest"], rows, keys, apart
    )
