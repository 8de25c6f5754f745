"""The queue picture: publishers left, members right, a brick for each message."""

from __future__ import annotations

import shlex

from natslab.tape.subject import matches
from natslab.views import scene as sc
from natslab.views.layout import Point
from natslab.views.marks import RECENTLY, port
from natslab.views.queue.lanes import Lanes
from natslab.views.queue.plan import PLAIN, SEAT, SEATS, TOP, Places, order
from natslab.views.queue.state import Brick, Lane, Message, State, lanes_of, meant
from natslab.views.queue.words import describe
from natslab.views.scene import Action, Flight, Legend, Mark, Path, Scene, label, points_path, text_width
from natslab.views.view import blank
from natslab.views.wording import count_of, fit, short_name

TITLE = "Queue group"
SOURCES = "seen by this lab's clients and the server's trace"


def draw(state: State) -> Scene:
    """Publishers left, plain subscribers above, one hull per group with a lane per member."""
    sentence, note = describe(state)
    scene = blank(state, "queue", TITLE, SOURCES, sentence, note)
    scene.width = state.width
    scene.controls = _controls(state)
    if state.groups:
        canvas = _Canvas(state)
        scene.marks, scene.height = canvas.everything(), canvas.bottom
        scene.flights, scene.legend = canvas.flights(), canvas.legend()
    return scene


def _controls(state: State) -> list[Action]:
    """Lines that make more happen with the first group."""
    group = next(iter(state.groups.values()), None)
    if group is None:
        return []
    patterns = [p for lane in group.lanes.values() for p in lane.patterns]
    published = [p.subjects[-1] for p in state.publishers.values()]
    literal = [p for p in patterns if "*" not in p and ">" not in p]
    out = []
    for subject in (published or literal)[-1:]:
        line = f"nats pub {shlex.quote(subject)} --count"
        out += [Action(f"{line} {n}", f"Publish {n}") for n in (10, 100, 1000)]
    for pattern in patterns[:1]:
        out.append(
            Action(f"nats sub {shlex.quote(pattern)} --queue {shlex.quote(group.name)}", "Add a member")
        )
    return out


def _way(key: str, points: list[Point], classes: str, width: float = 1, dash: str = "") -> Path:
    return Path(key=key, d=points_path(points, 8), classes=f"{classes} way", width=width, dash=dash)


def _route(at: Places, seat: float, to: Point) -> list[Point]:
    """From a publisher's port over the trunk."""
    (x, y), start = to, (at.source, seat)
    return [start, to] if abs(seat - y) < 0.01 else [start, (at.trunk, seat), (at.trunk, y), (x, y)]


class _Canvas:
    """The marks of one picture, from top to bottom."""

    def __init__(self, state: State) -> None:
        self.state = state
        self.lanes = Lanes(state)
        self.at = self.lanes.plan.at
        self.bottom = self.lanes.bottom
        self.seats: dict[str, float] = {}  # publisher -> height of its port

    def everything(self) -> list[Mark]:
        """All marks, in drawing order."""
        lanes = self.lanes
        signs = self.publishers(TOP if lanes.plain else next(iter(lanes.gates.values())))
        heads: list[Mark] = [
            label("head/bricks", lanes.plan.x0, 132, self.caption(), "t11 ink3"),
            label("head/count", self.at.end, 132, "messages", "t11 ink3 end"),
        ]
        if self.seats:
            heads.append(label("head/publisher", 24, 132, "publisher", "t11 ink3"))
        return [*heads, *lanes.hulls, *self.ways(), *signs, *lanes.marks]

    def caption(self) -> str:
        """What a brick or a bar is, in so many words as there is room for."""
        if self.lanes.plan.how == "bar":
            end = ", sorted" if self.lanes.plan.tight else ""
            told = [f"how many messages each one got{end}", f"how many each got{end}"]
        else:
            told = ["each brick is one message"]
            if any(b.n for group, lane in lanes_of(self.state) if group for b in lane.bricks):
                told.insert(0, f"{told[0]}, numbered as it was published")
        room = self.at.end - self.lanes.plan.x0 - 66
        return next((words for words in told if text_width(words, "t11") <= room), "")

    def publishers(self, y: float) -> list[Mark]:
        """Who publishes, the newest one surely among them."""
        people = list(self.state.publishers.values())
        newest = self.state.messages.get(self.state.newest)
        if newest and newest.client not in [p.client for p in people[:SEATS]]:
            people.sort(key=lambda p: p.client != newest.client)
        marks: list[Mark] = []
        for i, person in enumerate(people[:SEATS]):
            seat = self.seats[person.client] = y + i * SEAT
            subject, key = person.subjects[-1], f"pub/{person.client}"
            marks.append(
                sc.Group(
                    key=key,
                    title=f"{short_name(person.client)} published {count_of(person.count, 'message')}, "
                    f"the newest to {short_name(subject, 80)}.",
                    state={"messages": person.count},
                    marks=[
                        label(
                            f"{key}/name",
                            24,
                            seat - 4,
                            fit(person.client, self.at.source - 31, "t14 w6"),
                            "t14 w6",
                        ),
                        label(
                            f"{key}/subject",
                            24,
                            seat + 13,
                            fit(subject, self.at.source - 11, "mono t11"),
                            "mono t11 ink2",
                        ),
                        port(f"{key}/port", self.at.source, seat),
                    ],
                )
            )
            self.bottom = max(self.bottom, seat + 40)
        if len(people) > SEATS:
            last = y + SEATS * SEAT - 12
            marks.append(label("more/publishers", 24, last, f"and {len(people) - SEATS} more", "t12 ink3"))
            self.bottom = max(self.bottom, last + 24)
        return marks

    def way(self, group: str, lane: Lane) -> list[Point]:
        """The way to a lane: from its group's gate, or, for a plain subscriber, just its port."""
        y = self.lanes.places[group, lane.label]
        if not group:
            return [(self.at.port, y)]
        gate = self.lanes.gates[group]
        return (
            [(self.at.gate, gate), (self.at.port, y)]
            if y == gate
            else [(self.at.gate, gate), (self.at.split, gate), (self.at.split, y), (self.at.port, y)]
        )

    def ways(self) -> list[Mark]:
        """From the publishers to every port; the newest message's way is drawn strong."""
        state = self.state
        thin: list[Mark] = []
        for client, seat in self.seats.items():
            subjects = state.publishers[client].subjects
            for name, gate in self.lanes.gates.items():
                if any(meant(state.groups[name], s) for s in subjects):
                    thin.append(
                        _way(f"way/{client}>{name}", _route(self.at, seat, (self.at.gate, gate)), "edge line")
                    )
            for lane in self.lanes.plain[:PLAIN]:
                if any(matches(p, s) for p in lane.patterns for s in subjects):
                    way = _route(self.at, seat, (self.at.port, self.lanes.places["", lane.label]))
                    thin.append(_way(f"way/{client}>plain/{lane.label}", way, "edge line"))
        for group in state.groups.values():
            for lane in order(state, group)[0]:
                dash = "4 3" if lane.gone else ""
                thin.append(
                    _way(f"way/{group.name}/{lane.label}", self.way(group.name, lane), "edge line", dash=dash)
                )
        strong: dict[str, Mark] = {}
        newest = state.messages.get(state.newest)
        if newest:
            for name, lane, _ in self.landings(newest):
                way = self.way(name, lane)
                if newest.client in self.seats:
                    key = f"taken/{name or lane.label}/"
                    strong[key] = _way(
                        key, _route(self.at, self.seats[newest.client], way[0]), "edge flight", 3
                    )
                if name:
                    key = f"taken/{name}/{lane.label}"
                    strong[key] = _way(key, way, "edge flight", 3)
        gates = [port(f"gate/{name}", self.at.gate, gate) for name, gate in self.lanes.gates.items()]
        return [*thin, *strong.values(), *gates]

    def landings(self, message: Message) -> list[tuple[str, Lane, Brick]]:
        """The drawn lanes that got a copy of the message."""
        out = []
        for group, lane in lanes_of(self.state):
            name = group.name if group else ""
            if (name, lane.label) in self.lanes.places:
                brick = next((b for b in reversed(lane.bricks) if b.id == message.id), None)
                if brick is not None:
                    out.append((name, lane, brick))
        return out

    def flights(self) -> list[Flight]:
        """At most the eight newest messages travel, while they are new; the newest large and numbered."""
        out: list[Flight] = []
        since = self.state.now - RECENTLY
        recent = [
            m for m in list(self.state.messages.values())[-8:] if m.t >= since and m.client in self.seats
        ]
        for message in recent:
            large = message is recent[-1] and not self.lanes.plan.tight
            for name, lane, brick in self.landings(message):
                if lane.gone and brick.state != "lost":
                    continue
                way = self.way(name, lane)
                flight = Flight(
                    key=f"fly/{message.id}@{lane.label}/{name}",
                    d=points_path([*_route(self.at, self.seats[message.client], way[0]), *way[1:]], 8),
                    x=self.at.port,
                    y=way[-1][1],
                    t0=message.t,
                    t1=brick.t,
                    r=8 if large else 5,
                    label=str(brick.n) if large and brick.n else "",
                    title=self.lanes.story(brick, lane, self.state.groups.get(name)),
                    group=f"msg/{message.id}",
                )
                if brick.state == "way":
                    flight.t1, flight.end, flight.x = None, "open", self.at.port - 22
                elif brick.state == "lost":
                    flight.end, flight.stop, flight.classes, flight.x = (
                        "lost",
                        0.9,
                        "dead fill",
                        self.at.port - 14,
                    )
                out.append(flight)
        return out

    def legend(self) -> list[Legend]:
        """The states that are there now; where bars stand for messages, the messages are counted."""
        lanes = [lane for _, lane in lanes_of(self.state) if lane.count]
        lost = sum(lane.lost for lane in lanes)
        way = sum(brick.state == "way" for lane in lanes for brick in lane.bricks)
        here = sum(lane.count for lane in lanes) - lost - way
        out = [Legend("flight fill", "square", "delivered", here)] if here else []
        if way:
            out.append(Legend("flight edge none", "square", "on its way", way))
        if lost:
            out.append(Legend("dead fill", "square", "lost", lost))
        if any(lane.var > 0 for lane in lanes):
            out.append(Legend("panel2 fill", "square", "19 of 20 fair draws end in here"))
        return out
