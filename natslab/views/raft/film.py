"""The filmstrip of an election: healthy, silence, votes, after; the ring and the logs of each, small."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable

import msgspec

from natslab.views.film import WIDE, Film, Frame, Moment
from natslab.views.layout import Point
from natslab.views.raft import focus as facts
from natslab.views.raft.picture import HOW, SOURCES
from natslab.views.raft.plan import Column, Plan, columns_of, plan_of
from natslab.views.raft.ring import Ring, crossed, n
from natslab.views.raft.room import Room, short_names
from natslab.views.raft.state import (
    EARLIEST,
    LATEST,
    Election,
    Group,
    Line,
    Member,
    State,
    candidate,
    leader_of,
    reach,
    up,
)
from natslab.views.raft.story import entries
from natslab.views.raft.wires import Wires, before, straight
from natslab.views.raft.words import describe, fitting, name_of, verb
from natslab.views.scene import Circle, Flight, Mark, Path, label, path_points, text_width
from natslab.views.scene import Group as Marks
from natslab.views.wording import amount, fit, in_words, listed

SMALL = 0.633  # of the size that it has in the picture
RADIUS, WIDER = 92.0, 110.0  # of the ring before it is made small; of more than five members
TROUBLE = frozenset({"server", "wire cut", "wire held", "down"})  # lines after which somebody asks for votes
QUIET = 1.5  # seconds of silence that have a frame of their own
OVER = 24.0  # px by which a wall is shorter at each end
LOOKS = {
    "committed": "done fill edge round",  # its edge makes the corners round
    "stored": "stored edge none",
    "divergent": "dead edge none",
    "missing": "ink3 edge dots none",
    "left out": "ink3 edge dots none",
}
CELL, PITCH, ROW, GRID = 11.0, 15.0, 14.0, 44.0  # a cell, from column to column, from row to row, the first


# --- which moments ------------------------------------------------------------------------------


def moments(state: State) -> Film:
    """The newest election that another server won than the one that led before."""
    group = facts.focus(state)
    if group is None:
        sentence, note = describe(state)
        return Film(sentence, note=note if state.of else "Name a group: %natslab picture raft STREAM --film")
    one = next((e for e in reversed(group.elections) if e.won and e.before), None)
    if one is None:
        do = (
            "meta"
            if group.type == "meta"
            else f"leader({','.join(filter(None, (group.stream, group.consumer)))})"
        )
        return Film(
            f"No other server has taken over {name_of(group)} yet: there is nothing to show in frames.",
            note=f"Let one: %natslab kill {do}, and look again some seconds later.",
        )
    trouble = _trouble(group, one)
    heard = one.t - max(0.0, one.silence)  # all was well when a heartbeat last came
    began = trouble.t if trouble is not None else heard
    out = [Moment("healthy", t=min(began - 1e-6, heard))]
    if one.silence >= QUIET:
        out.append(Moment("silence", t=max(began, one.t - one.silence / 2)))
    lead = next((x for x in group.story if x.what == "lead" and x.of == [one.who] and x.n > one.n), None)
    won = lead.n if lead is not None else one.end
    grant = next((x.n for x in group.story if x.what == "grant" and one.n < x.n <= won), one.n)
    out.append(Moment("votes", n=grant))
    done = next((x for x in group.story if x.what == "commit" and lead is not None and x.id > lead.id), None)
    out.append(Moment("after", t=done.t) if done is not None else Moment("after", n=one.settled or won))
    said, timed = (_said(group, one, trouble, after) for after in ("", _after(one)))
    return Film(said, timed, _of(group), HOW.get(group.by, SOURCES), out, facts.key_of(group))


def _trouble(group: Group, one: Election) -> Line | None:
    """The first line that tells of what led to an election."""
    found = None
    for line in reversed([x for x in group.story if x.n < one.n]):
        if line.what == "lead":
            break
        if line.what in TROUBLE and one.before in "|".join(line.of).split("|"):
            found = line
    return found


def _after(one: Election) -> str:
    return f"after {one.silence:.1f} s " if one.silence >= QUIET else ""


def _said(group: Group, one: Election, trouble: Line | None, after: str) -> str:
    votes = [v for v in one.granted() if v != one.who]
    why = f"{trouble.text}; " if trouble is not None else ""
    asks = f"{after}{one.who} asks for votes in term {one.term}"
    won = f"leads with {len(votes) + 1} of {len(group.peers)}" if votes else "leads"
    grant = f"{listed(votes)} {verb(votes, 'grants', 'grant')}, and {one.who} {won}."
    whole = f"{why}{asks}, {grant}" if votes else f"{why}{asks} and {won}."
    tried = (whole, f"{why}{asks} and {won}.", f"{asks} and {won}.", f"{one.who} {won}.")
    return _begins(group, fitting(*tried))


def _begins(group: Group, text: str) -> str:
    """Words as a sentence begins; a server's name stays as it is."""
    return text if text.split(" ")[0] in group.peers else text[:1].upper() + text[1:]


def _of(group: Group) -> str:
    return f"{'The meta group' if group.type == 'meta' else group.title} on {listed(group.peers)}."


# --- one of them --------------------------------------------------------------------------------


def frame(state: State) -> Frame:
    """The ring, the logs, and what is going on."""
    group = facts.focus(state)
    if group is None:
        return Frame([], 0.0, "", {})
    plan = _plan(state, group)
    room = Room(0.0, plan.right)
    ring, wires = Ring(state, group, plan, room), Wires(state, group, plan, room)
    quiet = {m.name for m in group.members.values() if state.now - m.heard >= QUIET}
    marks = _alike(_small(wires.lines()))
    marks += [
        mark
        for mark in _small([*ring.servers(), *wires.barriers()])
        if "/silence/" not in mark.key or (mark.key.split("/")[1] in quiet and "/tick" not in mark.key)
    ]
    flights = [_smaller(f) for f in wires.flights()]
    low = max(y for _, y in plan.places.values()) * SMALL
    for name in group.peers:
        marks += _name(state, group, plan, name)
    logs, bottom = _logs(state, group, low + (70 if len(group.peers) < 4 else 56))
    right = leader_of(state, group)
    row = {
        "Leader": right.name if right is not None else "nobody",
        "Term": amount(max((m.term for m in group.members.values()), default=0)),
        "Committed": amount(group.commit),
        "Votes": _votes(state, group),
    }
    return Frame([*marks, *logs], bottom, _words(state, group), row, flights)


def _plan(state: State, group: Group) -> Plan:
    """The ring in the middle of a frame, before it is made small."""
    peers, wide = group.peers, WIDE / SMALL
    plan = plan_of(state, group)
    out = RADIUS if len(peers) <= 5 else WIDER
    middle = (wide / 2, out + 52)
    start = -90.0 if len(peers) != 2 else 180.0
    start -= 180 / len(peers) if len(peers) > 3 else 0
    places: dict[str, Point] = {}
    for i, name in enumerate(peers):
        angle = math.radians(start + 360 / len(peers) * i)
        x, y = middle[0] + out * math.cos(angle), middle[1] + out * math.sin(angle)
        places[name] = (round(x, 2), round(y, 2)) if len(peers) > 1 else middle
    plan.places, plan.centre, plan.r, plan.right = places, middle, 30.0 if len(peers) < 5 else 28.0, wide + 40
    return plan


def _small(marks: Iterable[Mark]) -> Iterable[Mark]:
    """Shapes without words, at their place in a frame."""
    for mark in marks:
        if isinstance(mark, Marks):
            yield from _small(mark.marks)
        elif isinstance(mark, Circle) and not mark.key.endswith("/badge"):
            x, y, r = (round(v * SMALL, 2) for v in (mark.x, mark.y, mark.r))
            yield Circle(key=mark.key, x=x, y=y, r=r, width=min(mark.width, 1.75), dash=mark.dash,
                         classes=mark.classes)  # fmt: skip
        elif isinstance(mark, Path):
            d = smaller(mark.d)
            if mark.key.startswith("lost/"):  # a sign keeps its size
                xs, ys = zip(*path_points(d), strict=True)
                d = crossed((min(xs) + max(xs)) / 2, (min(ys) + max(ys)) / 2, 4)
            elif mark.key.startswith("wall/") and len(path_points(d)) == 2:
                d = straight(*shorter(*path_points(d)))
            classes = mark.classes.replace("menu", "").strip()
            yield Path(key=mark.key, d=d, width=mark.width, dash=mark.dash, classes=classes,
                       opacity=mark.opacity)  # fmt: skip


def _alike(marks: Iterable[Mark]) -> list[Mark]:
    """Wires that look alike as one path: nobody points at one of them here."""
    looks: dict[tuple[str, float, str], list[str]] = {}
    for mark in marks:
        if isinstance(mark, Path):
            looks.setdefault((mark.classes, mark.width, mark.dash), []).append(mark.d)
    return [
        Path(key=f"links/{i}", d="".join(some), classes=classes, width=width, dash=dash)
        for i, ((classes, width, dash), some) in enumerate(looks.items())
    ]


def shorter(p: Point, q: Point) -> tuple[Point, Point]:
    """A wall that ends before the names."""
    by = min(OVER, math.dist(p, q) / 4)
    return before(q, p, by), before(p, q, by)


def smaller(d: str) -> str:
    """A path at its place in a frame; the flags of an arc stay."""

    def one(match: re.Match[str]) -> str:
        command, values = match[1], match[2].split()
        keep = {2, 3, 4} if command == "A" else set()
        return command + " ".join(v if i % 7 in keep else n(float(v) * SMALL) for i, v in enumerate(values))

    return re.sub(r"([MLHVAZ])([^MLHVAZ]*)", one, d)


def _smaller(flight: Flight) -> Flight:
    return msgspec.structs.replace(
        flight, d=smaller(flight.d), x=round(flight.x * SMALL, 2), y=round(flight.y * SMALL, 2),
        r=min(flight.r, 6.0), sign="" if flight.sign.isdecimal() else flight.sign,
    )  # fmt: skip


def _name(state: State, group: Group, plan: Plan, name: str) -> list[Mark]:
    """Its term inside a server, who it is and what it does beside it; of many, only who, and inside."""
    one = group.members.get(name) or Member(name=name)
    x, y = (v * SMALL for v in plan.places[name])
    key, weak, r = f"srv/{name}", not up(state, name), plan.r * SMALL
    many, beside = len(group.peers) > 3, plan.places[name][1] < plan.centre[1] - 10
    ink = " ink3" if weak else ""
    out: list[Mark] = []
    if one.term and not weak:
        size = "t12" if many else "t14"
        out.append(label(f"{key}/term", x, y + (11 if many else 5), amount(one.term), f"{size} w6 middle"))
    if many:
        short = short_names(group.peers, 30)[name]
        # The sign of a server that is down has no room for more.
        return [*out, label(f"{key}/name", x, y + r + 13 if weak else y - 3, short, f"t11 middle{ink}")]
    left, role = x + r + 14, _role(state, group, one)
    room = WIDE - left - 4 if beside else 60
    called = name if text_width(name, "t13 w6") <= room else short_names(group.peers, room)[name]
    if beside:
        out.append(label(f"{key}/name", left, y - 2, called, f"t13 w6{ink}"))
        return [*out, label(f"{key}/role", left, y + 14, fit(role, room, "t12"), "t12 ink2")]
    text = label(f"{key}/name", x, y + r + 26, called, f"t13 w6{ink} middle")
    if role:
        text.runs.append((f"\u2002{role}", "t12 ink2"))
    return [*out, text]


def _role(state: State, group: Group, one: Member) -> str:
    """What it does, in a word or two."""
    is_ = state.servers.get(one.name, "up")
    if is_ not in ("up", "lame duck"):
        return is_
    asking = candidate(group)
    if asking is not None and one.name in asking.answers and asking.answers[one.name].ok is not None:
        return "grants" if asking.answers[one.name].ok else "refuses"
    if one.role == "leader":
        return "old term" if one.term < group.term or asking is not None else "leader"
    return "asks" if one.role == "candidate" else ""


def _logs(state: State, group: Group, y: float) -> tuple[list[Mark], float]:
    """The logs, one row for each member, and where they end."""
    columns = columns_of(state, group)[-int((WIDE - GRID - 8) / PITCH) :]
    out: list[Mark] = []
    short = short_names(group.peers, GRID - 18)
    for name in group.peers:
        one = group.members.get(name) or Member(name=name)
        out.append(label(f"log/{name}/name", 14, y + 4, short[name], "t11 ink2"))
        cells = _cells(state, group, one, columns, y)
        out.append(Marks(key=f"log/{name}", marks=cells, classes="" if up(state, name) else "stale"))
        y += ROW
    return out, y


def _cells(state: State, group: Group, one: Member, columns: list[Column], y: float) -> list[Mark]:
    """The indexes of one log, those of a kind as one path; a dotted line for those that are left out."""
    kinds: dict[str, list[str]] = {}
    for i, column in enumerate(columns):
        x = GRID + PITCH * i
        kind = facts.cell(state, group, one, column.a) if column.a == column.b else "left out"
        half = CELL / 2 + (1 if kind == "divergent" else -1 if kind == "committed" else 0)
        a, b, up_, down = n(x + CELL / 2 - half), n(x + CELL / 2 + half), n(y - half), n(y + half)
        d = f"M{a} {up_}H{b}V{down}H{a}Z"
        if kind == "divergent":
            d = f"M{n(x + CELL / 2)} {up_}L{b} {n(y)}L{n(x + CELL / 2)} {down}L{a} {n(y)}Z"
        elif kind == "left out":
            d = f"M{n(x + 2)} {n(y)}H{n(x + 9)}"
        kinds.setdefault(kind, []).append(d)
    return [
        Path(key=f"log/{one.name}/{kind.replace(' ', '-')}", d="".join(some), classes=LOOKS[kind],
             width=2 if kind == "committed" else 1.25, dash="3 2" if kind == "stored" else "")
        for kind, some in kinds.items()
    ]  # fmt: skip


# --- in words -----------------------------------------------------------------------------------


def _votes(state: State, group: Group) -> str:
    """How many voted for who asks, or for who leads now."""
    asked, right = candidate(group), leader_of(state, group)
    if asked is None and right is not None and len(reach(state, group, right.name)) >= group.quorum:
        asked = next((e for e in reversed(group.elections) if e.won and e.term == right.term), None)
    return f"{len(asked.granted())} of {len(group.peers)}" if asked is not None and asked.answers else "-"


def _some(names: list[str]) -> str:
    named = listed(names)
    return named if len(names) < 3 and len(named) < 14 else f"{in_words(len(names))} others"


def _words(state: State, group: Group) -> str:
    """What is going on, in a line or three."""
    asking, right = candidate(group), leader_of(state, group)
    if asking is not None:
        given = [v for v in asking.granted() if v != asking.who]
        knows = asking.knows(state.now)
        said = f"{asking.who} asks for votes in term {asking.term}."
        if not given:
            return said
        late = [v for v in given if v not in knows]
        grant = f"{_some(given)} {verb(given, 'grants', 'grant')}"
        return f"{said} {_begins(group, grant)}{f'; {asking.who} does not know it yet' if late else ''}."
    waits = [p for p in group.peers if up(state, p) and p != group.leader]
    line = next((x for x in reversed(group.story) if x.what in TROUBLE), None)
    cut = right is not None and len(reach(state, group, right.name)) < group.quorum
    if (right is None or cut) and line is not None:
        wait = f"{_some(waits)} {verb(waits, 'waits', 'wait')} ≈ {EARLIEST:g}–{LATEST:g} s"
        return f"{_begins(group, line.text)}; {wait}."
    if right is None:
        return "Nobody leads."
    last = next((e for e in reversed(group.elections) if e.won and e.who == right.name), None)
    votes = f" with {len(last.granted())} of {len(group.peers)}" if last is not None and last.answers else ""
    for other in group.members.values():
        first, end = facts.doomed(state, group, other)
        if first:
            some = f"{verb(range(first, end + 1), 'entry', 'entries')} {entries(first, end)}"
            return f"{right.name} leads{votes}; {some} on {other.name} will go."
    away = [p for p in group.peers if p not in reach(state, group, right.name)]
    if away:
        return f"{right.name} leads{votes}, without {listed(away)}."
    return f"{right.name} leads term {right.term}; each second a heartbeat."
