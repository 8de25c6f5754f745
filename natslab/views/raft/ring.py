"""The ring: servers, wires between them, walls where wires are cut, and who votes for whom."""

from __future__ import annotations

import math
import shlex

from natslab.views.layout import Point
from natslab.views.raft.plan import LEFT, Plan
from natslab.views.raft.room import Room, short_names
from natslab.views.raft.state import (
    EARLIEST,
    LATEST,
    META,
    Election,
    Group,
    Member,
    State,
    candidate,
    leader_of,
    reach,
    up,
)
from natslab.views.raft.words import fate, says
from natslab.views.scene import WIDTH, Action, Circle, Mark, Path, label, text_width
from natslab.views.scene import Group as Marks
from natslab.views.wording import amount, count_of, fit, listed


def n(value: float) -> str:
    """A coordinate, short."""
    text = f"{value:.2f}".rstrip("0").rstrip(".")
    return "0" if text == "-0" else text


def arc(x: float, y: float, r: float, start: float, end: float) -> str:
    """A part of a circle, clockwise from `start` to `end` (of a turn, from 12 o'clock), as two halves."""
    points = []
    for turn in (start, (start + end) / 2, end):
        angle = 2 * math.pi * turn - math.pi / 2
        points.append((x + r * math.cos(angle), y + r * math.sin(angle)))
    a = f"A{n(r)} {n(r)} 0 0 1"
    (x0, y0), (x1, y1), (x2, y2) = points
    return f"M{n(x0)} {n(y0)}{a} {n(x1)} {n(y1)}{a} {n(x2)} {n(y2)}"


def crossed(x: float, y: float, half: float) -> str:
    """A cross around a point."""
    a, b, c, d = n(x - half), n(x + half), n(y - half), n(y + half)
    return f"M{a} {c}L{b} {d}M{b} {c}L{a} {d}"


class Ring:
    """Draws the servers of one group and what is between them."""

    def __init__(self, state: State, group: Group, plan: Plan, room: Room) -> None:
        self.state = state
        self.group = group
        self.plan = plan
        self.room = room
        self.asking = candidate(group)
        self.corner = state.width != WIDTH and len(group.peers) == 3  # where the votes stand
        if self.corner and self.asking is not None:
            room.take(LEFT, 140, 176, 232)
        for x, y in plan.places.values():
            room.take(x - plan.r - 13, y - plan.r - 13, x + plan.r + 13, y + plan.r + 13)

    # --- servers ---------------------------------------------------------------------------------

    def servers(self) -> list[Mark]:
        """Every member at its place."""
        return [self.server(name) for name in self.group.peers]

    def server(self, name: str) -> Mark:
        """One member: its term, its part, and how long it has heard nothing."""
        state, group = self.state, self.group
        one = group.members.get(name) or Member(name=name)
        x, y = self.plan.places[name]
        r, key = self.plan.r, f"srv/{name}"
        is_ = state.servers.get(name, "up")
        old = one.role == "leader" and (one.term < group.term or is_ != "up")
        weak = old or is_ not in ("up", "lame duck")
        ink, width = ("ink3", 1.0) if weak else ("ink", 2.0)
        marks: list[Mark] = [*self.silence(one, x, y)]
        marks.append(
            Circle(key=f"{key}/o", x=x, y=y, r=r, width=width,
                   classes=f"edge {ink} base-{'ground' if is_ == 'down' else 'panel2'}"
                   if not one.term or is_ in ("down", "removed")
                   else f"fill {'odd' if one.term % 2 else 'even'}")
        )  # fmt: skip
        if one.term and is_ not in ("down", "removed"):
            marks.append(Circle(key=f"{key}/edge", x=x, y=y, r=r, width=width, classes=f"edge {ink} none"))
        if one.role == "leader" and is_ != "down":
            marks.append(
                Circle(key=f"{key}/lead", x=x, y=y, r=r + 6, width=width, classes=f"edge {ink} none")
            )
            bx, by = round(x + (r + 4) * 0.7071, 2), round(y - (r + 4) * 0.7071, 2)
            ground = "edge ink3 base-ground" if weak else "fill ink"
            marks.append(Circle(key=f"{key}/badge", x=bx, y=by, r=9, classes=ground))
            colour = "ink2" if weak else "ground"
            marks.append(label(f"{key}/L", bx, by + 4, "L", f"t11 w6 {colour} middle"))
        elif one.role == "candidate" and is_ == "up":
            marks.append(
                Circle(key=f"{key}/asks", x=x, y=y, r=r + 6, width=2, dash="5 4.4", classes="edge ink none")
            )
        marks += self.inside(key, one, is_, x, y, "ink2" if weak else "ink")
        return Marks(
            key=key,
            classes="menu",
            marks=marks,
            title=self.title(one, is_),
            state={
                "term": one.term, "role": says(state, group, one), "log": one.log.last,
                "committed": one.commit, "reaches": reach(state, group, name),
            },
            actions=self.actions(one, is_),
        )  # fmt: skip

    def inside(self, key: str, one: Member, is_: str, x: float, y: float, ink: str) -> list[Mark]:
        """The term, or the sign of a server that does not answer."""
        if is_ == "frozen":
            d = f"M{n(x - 5)} {n(y - 9)}V{n(y + 9)}M{n(x + 5)} {n(y - 9)}V{n(y + 9)}"
            return [Path(key=f"{key}/frozen", d=d, width=3.5, classes="edge ink2 none")]
        if is_ in ("down", "removed"):
            return [Path(key=f"{key}/down", d=crossed(x, y, 8), width=3.5, classes="edge ink2 none round")]
        if not one.term:
            return [label(f"{key}/none", x, y + 4, "…", f"t14 {ink} middle")]
        size = "t20" if one.term < 1000 else "t14"
        return [
            label(f"{key}/word", x, y - 7, "term", "t11 ink2 middle"),
            label(f"{key}/term", x, y + 13, amount(one.term), f"{size} w6 {ink} num middle"),
        ]

    def silence(self, one: Member, x: float, y: float) -> list[Mark]:
        """How long it has heard nothing from a leader, and between when and when it will ask for votes."""
        if one.heard < 0 or one.role in ("leader", "candidate") or not up(self.state, one.name):
            return []
        quiet = max(0.0, self.state.now - one.heard)
        r, key = self.plan.r + 11, f"srv/{one.name}/silence"
        turn = min(quiet / LATEST, 0.9999)
        marks: list[Mark] = [
            Path(key=f"{key}/band", d=arc(x, y, r, EARLIEST / LATEST, 0.9999), width=5,
                 classes="edge ink inferred none", opacity=0.2),
        ]  # fmt: skip
        if turn > 0.004:
            marks.append(
                Path(key=f"{key}/arc", d=arc(x, y, r, 0, turn), width=5, classes="edge ink none level")
            )
        for turn, words, side in ((EARLIEST / LATEST, f"≈ {EARLIEST:g} s", 0), (0.0, f"≈ {LATEST:g} s", 1)):
            angle = 2 * math.pi * turn - math.pi / 2
            cx, cy = math.cos(angle), math.sin(angle)
            a, b = r - 3.5, r + 6
            d = f"M{n(x + a * cx)} {n(y + a * cy)}L{n(x + b * cx)} {n(y + b * cy)}"
            marks.append(Path(key=f"{key}/tick{side}", d=d, classes="edge ink none", width=1))
            if quiet >= 3:
                spot = (x, y - r - 10, "middle") if side else (x + (r + 8) * cx, y + (r + 17) * cy, "")
                text = self.room.put(f"{key}/tick{side}/words", words, "t11 ink2", [spot])
                marks += [text] if text is not None else []
        return marks

    def title(self, one: Member, is_: str) -> str:
        """What there is to say of one member."""
        state, group, name = self.state, self.group, one.name
        if is_ not in ("up", "lame duck"):
            known = f" Its log ends at {amount(one.log.last)}." if one.log.last else ""
            return f"{name} is {is_}.{known}"
        mine = reach(state, group, name)
        what = {"leader": "leads", "candidate": "asks for votes", "follower": "follows"}.get(one.role, "")
        right = leader_of(state, group)
        if one.role == "leader" and one.term < group.term:
            first = f"{name} says that it leads in term {one.term}, which is over."
        elif one.role == "follower" and right is not None and right.term == one.term and name != right.name:
            first = f"{name} follows {right.name} in term {one.term}."
        elif what:
            first = f"{name} {what} in term {one.term}."
        else:
            first = f"{name} has not said anything yet."
        log = (
            f" Its log ends at {amount(one.log.last)}, committed up to {amount(one.commit)}."
            if one.log.last
            else ""
        )
        voted = (
            f" It voted for {one.voted}."
            if one.voted and one.voted != name and one.role == "follower"
            else ""
        )
        return f"{first}{log}{voted} It reaches {len(mine)} of {len(group.peers)}."

    def actions(self, one: Member, is_: str) -> list[Action]:
        """What can be done to a server."""
        name = shlex.quote(one.name)
        if is_ in ("down", "starting"):
            return [Action(f"natslab restart {name}", "Restart", "K", "↑")]
        if is_ == "removed":
            return []
        out = [Action(f"natslab kill {name}", "Kill", "K", "✕")]
        if is_ == "frozen":
            out.append(Action(f"natslab thaw {name}", "Thaw", "Z", "▶"))
        else:
            out.append(Action(f"natslab freeze {name}", "Freeze", "Z", "‖"))
        mine = [w for w in self.state.wires.values() if one.name in (w.a, w.b)]
        if mine and all(w.state in ("cut", "held") for w in mine):
            out.append(Action(f"natslab heal {name}", "Heal", "X", "="))
        elif mine:
            out.append(Action(f"natslab cut --isolate {name}", "Cut off", "X", "┇"))
        if one.role == "leader" and is_ == "up" and one.term >= self.group.term and len(self.group.peers) > 1:
            out.append(Action(step_down(self.group), "Step down", "S", "↓"))
        return out

    # --- their names -----------------------------------------------------------------------------

    def names(self) -> list[Mark]:
        """Name and part of each member, beside or below or above its place."""
        out: list[Mark] = []
        for name in self.group.peers:
            out += self.name(name)
        return out

    def name(self, name: str) -> list[Mark]:
        """Two lines: who it is and what it does; what is the matter."""
        state, group = self.state, self.group
        one = group.members.get(name) or Member(name=name)
        x, y = self.plan.places[name]
        weak = not up(state, name)
        role = says(state, group, one)
        detail = self.detail(one)
        runs = [(fit(name, 120, "t15 w6"), f"t15 w6{' ink3' if weak else ''}"), (f"\u2002{role}", "t12 ink2")]
        side = len(group.peers) == 3 and y < self.plan.centre[1] - 100
        if role == "says leader, old term":
            runs[1] = ("\u2002says leader", "t12 ink2")
            detail = "old term" + (f", {detail}" if detail else "")
        above = y < self.plan.centre[1] - 50 and not side
        r = self.plan.r
        if side:
            spot = (x + r + 20, y - 3, "")
        elif above:
            spot = (x, y - r - (39 if detail else 22), "middle")
        else:
            spot = (x, y + r + (46 if len(group.peers) < 6 else 34), "middle")
        return self.room.lines(f"srv/{name}/name", runs, detail, spot)

    def detail(self, one: Member) -> str:
        """What is the matter with a member, e.g. "cut off", "silent 6.1 s"."""
        state, group = self.state, self.group
        if not up(state, one.name):
            return ""
        mine = reach(state, group, one.name)
        parts = []
        if len(group.peers) > 1 and mine == [one.name] and self.cut(one.name):
            parts.append("cut off")
        if one.role == "follower" and one.heard >= 0 and state.now - one.heard >= 3:
            parts.append(f"silent {state.now - one.heard:.1f} s")
        return ", ".join(parts)

    def cut(self, name: str) -> bool:
        """Whether a wall stands at one of its wires."""
        return any(w.state in ("cut", "held") for w in self.state.wires.values() if name in (w.a, w.b))

    # --- votes -----------------------------------------------------------------------------------

    def votes(self) -> list[Mark]:
        """The votes that a candidate has, as it knows them: a pip for each member."""
        one = self.asking
        if one is None:
            return []
        peers = [one.who, *(p for p in self.group.peers if p != one.who)]
        if self.state.width != WIDTH and not self.corner:
            return self.line_of_votes(one, peers)
        x0, y0 = self.plan.places[one.who]
        under = len(peers) <= 3 and y0 > self.plan.centre[1] - 20 and not self.corner
        x, y = (x0, y0 + self.plan.r + 80) if under else (self.plan.centre[0], self.lowest() + 62)
        if self.corner:
            x, y = 98.0, 180.0
        pitch = 44.0 if len(peers) <= 5 else 40.0
        left = min(
            max(x - pitch * (len(peers) - 1) / 2, 44.0), self.plan.right - 6 - pitch * (len(peers) - 1)
        )
        key = f"votes/{one.who}"
        marks: list[Mark] = []
        if not under:
            marks.append(
                label(f"{key}/head", x, y - 16, f"votes for {one.who} in term {one.term}", "t12 ink2 middle")
            )
        knows = one.knows(self.state.now)
        for i, name in enumerate(peers):
            marks += self.pip(f"{key}/{name}", one, name, left + pitch * i, y, name in knows)
        words = f"knows {count_of(len(knows), 'vote')}, needs {self.group.quorum}"
        middle = left + pitch * (len(peers) - 1) / 2
        marks.append(label(f"{key}/words", middle, y + 38, words, "t12 ink2 middle"))
        return [self.counted(key, one, marks)]

    def line_of_votes(self, one: Election, peers: list[str]) -> list[Mark]:
        """The same in one line under the ring."""
        y, key, knows = self.lowest() + 34, f"votes/{one.who}", one.knows(self.state.now)
        words = f"knows {len(knows)}, needs {self.group.quorum}"
        head = fit(f"votes for {one.who}", 110, "t12")
        left, right = LEFT + text_width(head, "t12"), self.plan.right - text_width(words, "t12")
        marks: list[Mark] = [
            label(f"{key}/head", LEFT, y + 4, head, "t12 ink2"),
            label(f"{key}/words", self.plan.right, y + 4, words, "t12 ink2 end"),
        ]
        pitch = min(44.0, (right - left) / len(peers))
        x = (left + right) / 2 - pitch * (len(peers) - 1) / 2
        for i, name in enumerate(peers):
            marks += self.pip(f"{key}/{name}", one, name, x + pitch * i, y, name in knows, pitch - 6)
        return [self.counted(key, one, marks)]

    def counted(self, key: str, one: Election, marks: list[Mark]) -> Mark:
        """The votes as one mark."""
        knows, given = one.knows(self.state.now), one.granted()
        said = (
            f"{one.who} asks in term {one.term}. {listed(given)} voted for it; it knows of {listed(knows)}."
        )
        state = {"term": one.term, "knows": knows, "given": given}
        return Marks(key=key, marks=marks, title=said, state=state)

    def pip(
        self, key: str, one: Election, name: str, x: float, y: float, known: bool, room: float = 36
    ) -> list[Mark]:
        """Ink: the vote is known; half: the question came, or the answer is on its way; hollow: nothing."""
        answer = one.answers.get(name)
        marks: list[Mark] = []
        if known:
            marks.append(Circle(key=f"{key}/o", x=x, y=y, r=6, classes="fill ink"))
        else:
            marks.append(Circle(key=f"{key}/o", x=x, y=y, r=6, width=1.25, classes="edge ink base-ground"))
            if answer is not None and answer.ok is False:
                d = f"M{n(x - 3)} {n(y)}H{n(x + 3)}"
                marks.append(Path(key=f"{key}/no", d=d, width=1.5, classes="edge ink none"))
            elif answer is not None and (answer.ok or answer.asked >= 0):
                d = f"M{n(x)} {n(y - 6)}A6 6 0 0 0 {n(x)} {n(y + 6)}Z"
                marks.append(Path(key=f"{key}/half", d=d, classes="fill ink"))
        shown = short_names(self.group.peers, room)[name]
        marks.append(label(f"{key}/name", x, y + 20, shown, f"t12 middle {'w6' if known else 'ink2'}"))
        words = (
            "has voted for itself"
            if name == one.who
            else fate(answer.ok if answer else None, answer.asked if answer else -1.0)
        )
        return [Marks(key=key, marks=marks, title=f"{name} {words}.")]

    def lowest(self) -> float:
        """The lowest point of the ring's names."""
        return max(y for _, y in self.plan.places.values()) + self.plan.r + 44


def step_down(group: Group) -> str:
    """The line that asks a group's leader to step down."""
    if group.name == META or group.type == "meta":
        return "nats server raft step-down"
    if group.type == "consumer":
        return f"js consumer cluster step-down {shlex.quote(group.stream)} {shlex.quote(group.consumer)}"
    return f"js stream cluster step-down {shlex.quote(group.stream)}"


def edge_points(plan: Plan, a: str, b: str, side: float = 0.0) -> tuple[Point, Point]:
    """Where a wire leaves a server's circle and reaches the other's, moved `side` px to its left."""
    (x0, y0), (x1, y1) = plan.places[a], plan.places[b]
    dx, dy = x1 - x0, y1 - y0
    length = math.hypot(dx, dy) or 1.0
    ux, uy = dx / length, dy / length
    out = plan.r + 22
    px, py = uy * side, -ux * side
    return (
        (round(x0 + ux * out + px, 2), round(y0 + uy * out + py, 2)),
        (round(x1 - ux * out + px, 2), round(y1 - uy * out + py, 2)),
    )
