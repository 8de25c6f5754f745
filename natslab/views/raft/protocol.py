"""What each message of the protocol says of who sent it, and does to who gets it."""

from __future__ import annotations

import msgspec

from natslab.tape.event import Event, Raft
from natslab.views.raft import story
from natslab.views.raft.publishes import made
from natslab.views.raft.state import (
    ELECTIONS,
    ENTRIES,
    FLOWN,
    Answer,
    Election,
    Entry,
    Group,
    Lost,
    Member,
    Message,
    State,
    up,
    wire,
)

PROMPT = 1.5  # seconds after a heartbeat within which nobody asks for votes by himself
MESSAGES = ("message", "batch message", "batch commit")  # what a publish is in a stream's log


def member(group: Group, name: str) -> Member:
    """A server's part in the group."""
    if name not in group.members:
        group.members[name] = Member(name=name)
        if name not in group.peers:
            group.peers.append(name)
    return group.members[name]


def take(state: State, group: Group, event: Raft) -> None:
    """One message went from one server to another."""
    if event.what == "catchup" and group.leader not in ("", event.b):
        # Its term, and who is named in it, are of those who first wrote what is sent now.
        event = msgspec.structs.replace(event, a=group.leader)
    a, b = member(group, event.a), member(group, event.b)
    a.seen = event.t
    comes = _comes(state, event)
    _draw(group, event, comes)
    if _stopped(state, event):
        _lose(group, event)
    if event.what == "vote":
        _vote(state, group, event, a, comes)
    elif event.what == "voted":
        _voted(group, event, a, b, comes)
    elif event.what in ("append", "catchup"):
        _append(state, group, event, a, b, comes)
    elif event.what == "appended":
        _appended(group, event, a, b, comes)


def _comes(state: State, event: Raft) -> float:
    """Tape seconds when the message is there; -1 if it is not, as far as is known."""
    if _stopped(state, event) or not up(state, event.b):
        return -1.0
    between = wire(state, event.a, event.b)
    return event.t + (between.delay if between is not None and between.state == "delayed" else 0.0)


def _stopped(state: State, event: Raft) -> bool:
    """Whether the wire does not let it through."""
    between = wire(state, event.a, event.b)
    return bool(event.lost) or (between is not None and between.state in ("cut", "held"))


def _draw(group: Group, event: Raft, comes: float) -> None:
    asked = {"voted": ("vote",), "appended": ("append", "catchup")}.get(event.what, ())
    to = 0
    for sent in reversed(group.flown):
        if sent.a == event.b and sent.b == event.a and sent.what in asked:
            sent.answered, to = True, sent.n
            break
    group.flown.append(
        Message(
            n=event.n,
            t=event.t,
            what=event.what,
            a=event.a,
            b=event.b,
            term=event.term,
            index=event.index,
            entries=event.entries,
            ok=event.ok,
            count=event.count,
            comes=comes,
            lost=event.lost,
            to=to,
            guess=event.how == "inferred",
        )
    )
    del group.flown[:-FLOWN]


def _lose(group: Group, event: Raft) -> None:
    lost = group.gone.setdefault(f"{event.a}>{event.b}", Lost())
    if event.what == "append" and not event.entries:
        lost.heartbeats += event.count
    elif event.what in ("append", "catchup"):
        lost.appends += event.count
    elif event.what == "vote":
        lost.votes += event.count
    elif event.what in ("voted", "appended"):
        lost.answers += event.count
    else:
        lost.others += event.count


# --- elections ----------------------------------------------------------------------------------


def election(group: Group, term: int, who: str) -> Election | None:
    """The election in which `who` asks in that term."""
    return next((e for e in reversed(group.elections) if (e.term, e.who) == (term, who)), None)


def asks(state: State, group: Group, event: Event, who: str, term: int) -> Election:
    """A server is a candidate: the election, which may have begun before."""
    known = election(group, term, who)
    if known is not None:
        return known
    one = member(group, who)
    for other in group.elections:
        if other.term < term:
            close(other, event)
    silence = max(0.0, event.t - one.heard) if one.heard >= 0 else -1.0
    begun = Election(term=term, who=who, n=event.n, t=event.t, silence=silence, before=group.leader)
    group.elections.append(begun)
    del group.elections[:-ELECTIONS]
    text = f"{who} asks for votes in term {term}"
    if group.handed >= 0 and event.t - group.handed < PROMPT:
        text += f": {group.leader} hands over to it"
    elif one.thawed >= 0 and event.t - one.thawed < PROMPT:
        text += ": frozen, it heard nothing"
    elif silence >= PROMPT:
        text += f", after {silence:.1f} s of silence"
    story.tell(group, event, text, "ask", [who])
    return begun


def close(one: Election, event: Event) -> None:
    """An election is over."""
    if not one.over:
        one.over, one.end = True, event.n


def _vote(state: State, group: Group, event: Raft, a: Member, comes: float) -> None:
    if event.term < a.term:
        return
    a.role, a.term, a.voted = "candidate", event.term, a.name
    _know(a, event.index, event.last_term, event.t)
    begun = asks(state, group, event, a.name, event.term)
    answer = begun.answers.setdefault(event.b, Answer())
    answer.asked, answer.lost, answer.rpc = comes, comes < 0, event.rpc


def _voted(group: Group, event: Raft, a: Member, b: Member, comes: float) -> None:
    if event.term > a.term:
        a.voted = ""
    if event.ok and event.term >= a.term:
        a.voted = b.name
    if event.term > a.term or (event.ok and a.role in ("leader", "candidate")):
        if a.role == "leader" and (group.handed < 0 or event.t - group.handed > PROMPT):
            story.tell(group, event, f"{a.name} steps down", "down", [a.name])
        a.role = "follower"
    a.term = max(a.term, event.term)
    asked = _asked(group, event)
    if asked is None or (event.ok and asked.term != event.term):
        return
    answer = asked.answers.setdefault(a.name, Answer())
    known = answer.ok is not None
    answer.ok, answer.comes = event.ok, comes
    if not event.ok:
        answer.why = _refusal(a, b, asked)
    if not known and not asked.over:
        story.votes(group, event, a.name, event.ok, answer.why)


def _asked(group: Group, event: Raft) -> Election | None:
    """The election to which an answer belongs: that of its request, else the newest of who gets it."""
    mine = [e for e in reversed(group.elections) if e.who == event.b]
    for one in mine:
        if event.rpc and event.a in one.answers and one.answers[event.a].rpc == event.rpc:
            return one
    return mine[0] if mine else None


def _refusal(voter: Member, who: Member, asked: Election) -> str:
    mine = (voter.log.term(voter.log.last), voter.log.last)
    theirs = (who.log.term(who.log.last), who.log.last)
    if voter.term > asked.term:
        return f"it is in term {voter.term}"
    if voter.voted and voter.voted != who.name and voter.term == asked.term:
        return f"it has voted for {voter.voted}"
    return "its own log is newer" if mine > theirs and theirs[1] else ""


def lead(state: State, group: Group, event: Event, name: str, term: int) -> None:
    """That server leads in that term, 0 where the term is not known."""
    one = member(group, name)
    if term and (term < group.term or term < one.term):
        if one.term <= term:
            one.role, one.term = "leader", term
        return
    term = term or max(group.term, one.term)
    one.role, one.term, one.heard = "leader", max(term, one.term), -1.0
    if (name, term) == (group.leader, group.term):
        return
    group.leader, group.term, group.since = name, term, event.t
    group.known, group.coming = {}, []
    won = election(group, term, name)
    for other in group.elections:
        if other.term <= term:
            close(other, event)
    votes = ""
    if won is not None:
        won.won = True
        votes = f" with {len(won.granted())} of {len(group.peers)} votes" if won.answers else ""
    story.tell(group, event, f"{name} leads term {term}{votes}", "lead", [name])


# --- the log ------------------------------------------------------------------------------------


def _know(one: Member, index: int, term: int, t: float) -> None:
    """A server's last entry, in its own words."""
    if term and (one.log.last, one.log.term(one.log.last)) != (index, term):
        one.log.put(index, term)
        one.moved = t


def _append(state: State, group: Group, event: Raft, a: Member, b: Member, comes: float) -> None:
    handed = 0 <= event.t - group.handed < PROMPT and event.term == group.term  # it leads no more
    if event.what == "append" and event.term >= a.term and not handed:
        if a.role != "leader" or event.term > a.term or not group.leader:
            lead(state, group, event, a.name, event.term)
        a.role, a.term, a.heard = "leader", event.term, -1.0
    a.commit = max(a.commit, event.commit)
    if event.what == "append":
        _leads_to(state, group, event, a)
    elif not _telling(group, b.name, a.name):
        story.tell(group, event, f"{a.name} sends {b.name} what it missed", "catchup", [b.name, a.name])
    if comes < 0:
        return
    b.heard = max(b.heard, comes)
    if event.what == "append" and event.term >= b.term:
        if b.role == "leader" and event.term > b.term:
            story.tell(group, event, f"{b.name} hears of term {event.term} and follows {a.name}", "follow")
        for mine in group.elections:
            if mine.who == b.name and mine.term <= event.term:
                close(mine, event)
        if event.term > b.term:
            b.voted = ""
        b.role, b.term = "follower", event.term
    b.commit = max(b.commit, min(event.commit, b.log.agrees(a.log)))


def caught_up(group: Group, event: Event, one: Member, leader: Member) -> None:
    """Whether a server has now what it was sent because it had missed it."""
    if one.log.last >= leader.log.last and _telling(group, one.name, leader.name):
        story.tell(group, event, f"{one.name} has caught up", "caught", [one.name, leader.name])


def _leads_to(state: State, group: Group, event: Raft, leader: Member) -> None:
    """What an append says of its sender's own log."""
    log, index = leader.log, event.index
    new = log.last + 1
    other = log.term(log.last) != event.term  # what comes after is of another leader, and gone
    if event.last_term and (index > log.last or (index < log.last and other)):
        _know(leader, index, event.last_term, event.t)
    known = group.entries.get(f"{index + 1}/{event.term}")
    if event.entries and (index + 1 > log.last or log.term(index + 1) != event.term):
        _know(leader, index + 1, event.term, event.t)
        # Of several that are told as one the last is known; each had an index of its own.
        first = max(new, index + 2 - min(event.count, ENTRIES))
        for i in range(min(first, index + 1), index + 2):
            _entry(state, group, event, i)
    elif event.entries and known is not None and known.guess:
        _entry(state, group, event, index + 1, known)


def _telling(group: Group, name: str, leader: str) -> bool:
    """Whether the story is just telling that this server is sent by that one what it missed."""
    for line in reversed(group.story):
        if line.what in ("catchup", "caught") and line.of == [name, leader]:
            return line.what == "catchup"
    return False


def _entry(state: State, group: Group, event: Raft, index: int, guess: Entry | None = None) -> None:
    messages = sum(op in MESSAGES for op in event.ops)
    if messages == len(event.ops) and event.entries > messages:
        messages = event.entries  # only the first ones are named
    entry = Entry(
        index=index,
        term=event.term,
        by=event.a,
        t=event.t,
        count=event.entries,
        ops=list(dict.fromkeys(event.ops)),
        messages=messages,
    )
    if guess is not None:
        entry.asked, entry.seqs, entry.done = min(guess.asked, messages), guess.seqs, guess.done
    group.entries[f"{entry.index}/{entry.term}"] = entry
    while len(group.entries) > ENTRIES:
        del group.entries[next(iter(group.entries))]
    story.again(group, entry.index, entry.index + max(0, entry.count - 1))
    if "leader transfer" in event.ops:
        group.handed = event.t
        member(group, event.a).role = "follower"
        story.tell(group, event, f"{event.a} steps down", "down", [event.a])
    if messages:
        made(state, group)


def _appended(group: Group, event: Raft, a: Member, b: Member, comes: float) -> None:
    a.term = max(a.term, event.term)
    if not event.ok:
        return
    if (b.role == "leader" or b.name == group.leader) and b.term >= a.term and event.index <= b.log.last:
        same, last = a.log.agrees(b.log), a.log.last
        if same < min(last, event.index):
            story.dropped(group, event, a.name, same + 1, last, a.log.term(last))
        if (same, last) != (event.index, event.index):
            a.moved = event.t
        a.log.like(b.log, event.index)
        caught_up(group, event, a, b)
    if comes >= 0 and b.name == group.leader:
        group.coming.append((comes, a.name, event.index))
        _settled(group, event, b)


def _settled(group: Group, event: Raft, leader: Member) -> None:
    """The first answer that a new leader gets ends what its election brought about."""
    won = election(group, leader.term, leader.name)
    if won is not None and won.won and not won.settled:
        won.settled = event.n


def arrive(group: Group, now: float) -> None:
    """Answers that were on their way are with the leader now."""
    if not group.coming or group.coming[0][0] > now:
        return
    still = []
    for t, who, index in group.coming:
        if t <= now:
            group.known[who] = max(group.known.get(who, 0), index)
        else:
            still.append((t, who, index))
    group.coming = still
