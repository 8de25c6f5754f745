"""What is between the servers of the ring: wires, walls where they are cut, and messages on their way."""

from __future__ import annotations

import itertools
import math
import shlex

from natslab.views.layout import Point
from natslab.views.raft.plan import Plan
from natslab.views.raft.ring import arc, crossed, edge_points, n
from natslab.views.raft.room import Room, Spot
from natslab.views.raft.state import Group, Lost, Message, State, Wire, candidate, pair_of, parted, up, wire
from natslab.views.scene import Action, Flight, Mark, Path, path_points
from natslab.views.scene import Group as Marks
from natslab.views.wording import ago, count_of, listed

SHOWN = 0.5  # seconds for which a message is in the picture
APART = 5.0  # px by which a message goes beside the middle of its wire
LONG = 70.0  # px by which a wall goes on beyond the wires it stands across
STOP = 9.0  # px before a wall where what is lost ends


class Wall:
    """A line across wires that let nothing through; `at` is where it crosses each of them."""

    def __init__(self, key: str, wires: list[Wire], names: list[str], d: str, at: dict[str, Point]) -> None:
        self.key = key
        self.wires = wires
        self.names = names  # who stands behind it
        self.d = d
        self.at = at

    def cross(self, a: str, b: str) -> Point:
        """Where it crosses the wire between two servers."""
        return self.at[pair_of(a, b)]

    @property
    def points(self) -> list[Point]:
        """Its ends, and places between them."""
        return path_points(self.d)


class Wires:
    """Draws wires, walls and messages of one group."""

    def __init__(self, state: State, group: Group, plan: Plan, room: Room) -> None:
        self.state = state
        self.group = group
        self.plan = plan
        self.room = room
        self.walls = self._walls()
        self.across = {pair_of(w.a, w.b): wall for wall in self.walls for w in wall.wires}

    # --- wires -----------------------------------------------------------------------------------

    def lines(self) -> list[Mark]:
        """One mark for each pair of members."""
        return [self.line(a, b) for a, b in itertools.combinations(self.group.peers, 2)]

    def line(self, a: str, b: str) -> Mark:
        """The wire between two members: whole, in two pieces at a wall, or not there."""
        state = self.state
        key, between = f"link/{pair_of(a, b)}", wire(state, a, b)
        wall = self.across.get(pair_of(a, b))
        p, q = edge_points(self.plan, a, b)
        marks: list[Mark] = []
        self.keep_clear((p, q))
        if wall is not None:
            at = wall.cross(a, b)
            for i, (end, name, other) in enumerate(((p, a, b), (q, b, a))):
                lost = self.group.gone.get(f"{name}>{other}")
                stop = before(end, at, STOP if lost else 12.0)
                marks.append(Path(key=f"{key}/{i}", d=straight(end, stop), classes="edge ink3 none"))
        elif not (up(state, a) and up(state, b)):
            marks.append(Path(key=f"{key}/0", d=straight(p, q), classes="edge line none"))
        elif between is not None and between.laid and not between.connected:
            marks.append(Path(key=f"{key}/0", d=straight(p, q), classes="edge ink3 dots none"))
        elif self.two_ways(a, b):
            for i, (x, y) in enumerate(((a, b), (b, a))):
                d = straight(*edge_points(self.plan, x, y, APART + 3))
                marks.append(Path(key=f"{key}/way{i}", d=d, classes="edge ink3 none", arrow=True))
        else:
            marks.append(Path(key=f"{key}/0", d=straight(p, q), classes="edge ink3 none"))
        return Marks(
            key=key,
            classes="menu" if between is not None else "",
            marks=marks,
            title=self.title(a, b, between),
            state={"state": between.state} if between is not None else {},
            actions=self.actions(a, b, between),
        )

    def two_ways(self, a: str, b: str) -> bool:
        """Whether votes run between the two now."""
        one = candidate(self.group)
        return one is not None and one.who in (a, b)

    def title(self, a: str, b: str, between: Wire | None) -> str:
        """What there is to say of a wire."""
        if between is None:
            return f"Between {a} and {b} there is no wire of this lab: it is not looked into."
        words = {
            "open": "is whole",
            "cut": "is cut: its connection was reset, and a new one is refused",
            "held": "holds everything back: the connection stays, and nothing comes through",
            "delayed": f"is slow: {between.delay:g} s each way",
        }[between.state]
        if between.state == "open" and between.laid and not between.connected:
            words = "is whole, and not connected now"
        lost = [
            f" From {x} to {y} came to nothing: {lost_words(one)}."
            for x, y in ((a, b), (b, a))
            if (one := self.group.gone.get(f"{x}>{y}")) is not None
        ]
        return f"The wire between {a} and {b} {words}.{''.join(lost)}"

    def actions(self, a: str, b: str, between: Wire | None) -> list[Action]:
        """What can be done to a wire."""
        if between is None:
            return []
        ends = f"{shlex.quote(a)} {shlex.quote(b)}"
        heal = Action(f"natslab heal {ends}", "Heal", "X", "=")
        cut = Action(f"natslab cut {ends}", "Cut", "X", "┇", cross=True)
        if between.state in ("cut", "held"):
            return [heal]
        out = [cut, Action(f"natslab hold {ends}", "Hold", "H", "‖")]
        if between.state == "delayed":
            return [*out, Action(f"natslab heal {ends}", "Heal", "D", "=")]
        return [*out, Action(f"natslab delay {ends} 300ms", "Delay 0.3 s", "D", "…")]

    # --- walls -----------------------------------------------------------------------------------

    def _walls(self) -> list[Wall]:
        """One wall for each part of the ring that is cut off, else one across each cut wire."""
        peers, places = self.group.peers, self.plan.places
        broken = {
            key: w
            for a, b in itertools.combinations(peers, 2)
            if (w := self.state.wires.get(key := pair_of(a, b))) is not None and w.state in ("cut", "held")
        }
        walls: list[Wall] = []
        done: set[str] = set()
        for part in parted(peers, set(broken)):
            crossing = [w for k, w in broken.items() if (w.a in part) != (w.b in part) and k not in done]
            wall = self._wall(part, crossing) if crossing else None
            if wall is not None:
                walls.append(wall)
                done.update(wall.at)
        for key, one in broken.items():
            if key not in done:
                p, q = places[one.a], places[one.b]
                ends = sideways(middle(p, q), (q[0] - p[0], q[1] - p[1]), 18.0)
                walls.append(Wall(key, [one], [one.a, one.b], straight(*ends), {key: middle(p, q)}))
        return walls

    def _wall(self, part: list[str], wires: list[Wire]) -> Wall | None:
        """One wall between a part of the ring and the rest, where one can stand."""
        places, key = self.plan.places, "+".join(part)
        ends = chord(self.plan, part, wires)
        if ends is not None:
            at = {pair_of(w.a, w.b): cross(places[w.a], places[w.b], *ends) for w in wires}
            return Wall(key, wires, part, straight(*ends), at)
        if len(part) > 1:
            return None
        (x, y), (cx, cy) = places[part[0]], self.plan.centre
        r = self.plan.r + 24
        turn = math.atan2(cy - y, cx - x) / (2 * math.pi) + 0.25
        at = {}
        for one in wires:
            q = places[one.b if one.a == part[0] else one.a]
            u = r / (math.dist((x, y), q) or 1.0)
            at[pair_of(one.a, one.b)] = (x + (q[0] - x) * u, y + (q[1] - y) * u)
        return Wall(key, wires, part, arc(x, y, r, turn - 0.24, turn + 0.24), at)

    def barriers(self) -> list[Mark]:
        """The walls, what was lost before them, and since when they stand."""
        out: list[Mark] = []
        for wall in self.walls:
            out += self.barrier(wall)
        for wall in self.walls:
            out += self.lost(wall)
            out += self.since(wall)
        return out

    def barrier(self, wall: Wall) -> list[Mark]:
        """The line itself; a click on it makes its wires whole again."""
        for p, q in itertools.pairwise(wall.points):
            self.keep_clear((p, q))
        held = all(w.state == "held" for w in wall.wires)
        word = "held" if held else "cut"
        who = listed([f"{w.a}–{w.b}" for w in wall.wires])
        line = "natslab heal" if len(self.walls) == 1 else f"natslab heal {shlex.quote(wall.names[0])}"
        if len(wall.wires) == 1:
            line = f"natslab heal {shlex.quote(wall.wires[0].a)} {shlex.quote(wall.wires[0].b)}"
        return [
            Path(
                key=f"wall/{wall.key}",
                d=wall.d,
                width=3,
                classes="wall menu",
                title=f"{who} {word}: nothing comes through.",
                state={"wires": len(wall.wires)},
                actions=[Action(line, "Heal", "X", "=")],
            )
        ]

    def keep_clear(self, ends: tuple[Point, Point]) -> None:
        """No words on this line."""
        (x0, y0), (x1, y1) = ends
        steps = max(1, int(math.hypot(x1 - x0, y1 - y0) / 14))
        for i in range(steps + 1):
            x, y = x0 + (x1 - x0) * i / steps, y0 + (y1 - y0) * i / steps
            self.room.take(x - 2, y - 2, x + 2, y + 2)

    def lost(self, wall: Wall) -> list[Mark]:
        """A cross where what was sent ended, with how much it was."""
        out: list[Mark] = []
        for one in wall.wires:
            for a, b in ((one.a, one.b), (one.b, one.a)):
                lost = self.group.gone.get(f"{a}>{b}")
                if lost is None or not lost.total:
                    continue
                p, _ = edge_points(self.plan, a, b)
                x, y = before(p, wall.cross(a, b), STOP)
                key, c = f"lost/{a}>{b}", 4.5
                d = crossed(x, y, c)
                words = lost_words(lost)
                out.append(
                    Path(key=key, d=d, width=2, classes="edge dead none round", state={"lost": lost.total},
                         title=f"{words} from {a} did not come to {b}.")
                )  # fmt: skip
                self.room.take(x - 6, y - 6, x + 6, y + 6)
                spots: list[Spot] = [(x + 11, y + 1, ""), (x - 11, y + 1, "end"), (x, y - 10, "middle")]
                if x < self.plan.centre[0]:
                    spots = [spots[1], spots[0], spots[2]]
                text = self.room.put(f"{key}/words", words, "t12 ink2", spots) or self.room.put(
                    f"{key}/words", str(lost.total), "t12 ink2", spots
                )
                out += [text] if text is not None else []
        return out

    def since(self, wall: Wall) -> list[Mark]:
        """What the wall is, and its age, at one of its ends."""
        held = all(w.state == "held" for w in wall.wires)
        word = "held" if held else "cut"
        age = self.state.now - max(w.since for w in wall.wires)
        words = ago(age)
        (x0, y0), *_, (x1, y1) = sorted(wall.points)
        spots: list[Spot] = []
        for x, y, how, dx in ((x1, y1, "", 8), (x0, y0, "end", -8)):
            spots += [(x + dx, y + 4, how), (x + dx, y + 20, how), (x + dx, y - 20, how)]
            spots += [(x, y + 20, "middle"), (x, y - 24, "middle")]
        key = f"wall/{wall.key}"
        both = self.room.block(key, [(word, "t12 w6"), (words, "t12 ink2")], spots)
        if both:
            return both
        one = self.room.put(f"{key}/0", f"{word} {words}", "t12 w6", spots)
        one = one or self.room.put(f"{key}/0", word, "t12 w6", spots)
        return [one] if one is not None else []

    # --- messages --------------------------------------------------------------------------------

    def shown(self) -> list[Message]:
        """The messages that are in the picture: of each way the newest request and the newest answer."""
        live = self.state.mode == "live"
        out: dict[tuple[str, str, bool], Message] = {}
        spoke: set[str] = set()  # who has said something since
        for m in reversed(self.group.flown):
            before_, spoke = spoke, spoke | {m.a}
            if self.state.now - max(m.t, m.comes) > SHOWN or m.a not in self.plan.places:
                continue
            if m.b not in self.plan.places or (m.what == "propose" and not live):
                continue
            if not live and (m.answered or (not m.asks and m.b in before_)):
                continue  # it came, and who got it has gone on
            if not live and m.comes < 0 and pair_of(m.a, m.b) in self.across:
                continue  # a cross stands there
            key = (m.a, m.b, m.asks and live)
            out.setdefault(key, m)
        return sorted(out.values(), key=lambda m: m.n)

    def words(self) -> list[Mark]:
        """What votes say, beside them, and how slow a wire is."""
        out: list[Mark] = []
        for a, b in itertools.combinations(self.group.peers, 2):
            between = wire(self.state, a, b)
            if between is not None and between.state == "delayed":
                p, q = edge_points(self.plan, a, b)
                text = f"{between.delay:g} s each way"
                out += self.beside(f"link/{pair_of(a, b)}/words", text, "t11 ink2", p, q)
        if len(self.group.peers) > 5:
            return out
        for m in self.shown():
            if m.what in ("vote", "voted") and pair_of(m.a, m.b) not in self.across:
                text = f"vote for {m.a}, term {m.term}?" if m.asks else "granted" if m.ok else "refused"
                p, q = edge_points(self.plan, m.a, m.b, APART + 3)
                out += self.beside(f"says/{m.a}>{m.b}/{m.what}", text, "t12" if m.asks else "t12 w6", p, q)
        return out

    def beside(self, key: str, text: str, classes: str, p: Point, q: Point) -> list[Mark]:
        """Words at the middle of a line, at the left of who goes along it if there is room."""
        (x, y), length = middle(p, q), math.dist(p, q) or 1.0
        nx, ny = (q[1] - p[1]) / length, -(q[0] - p[0]) / length
        spots: list[Spot] = []
        for side in (1, -1):
            for far in (14, 24):
                sx, sy = x + nx * far * side, y + ny * far * side
                how = "middle" if abs(nx) < 0.4 else "" if nx * side > 0 else "end"
                spots.append((sx, sy + 4 + (3 * side * ny if how == "middle" else 0), how))
        found = self.room.put(key, text, classes, spots)
        return [found] if found is not None else []

    def flights(self) -> list[Flight]:
        """The messages on their way."""
        return [self.flight(m) for m in self.shown()]

    def flight(self, m: Message) -> Flight:
        """One message: a request is filled, an answer hollow with + or −."""
        live = self.state.mode != "paused"  # it travels to its end
        both = self.two_ways(m.a, m.b)
        wall = self.across.get(pair_of(m.a, m.b))
        side = 0.0 if wall is not None else APART + (3 if both else 0)
        p, q = edge_points(self.plan, m.a, m.b, side)
        slow = m.comes > m.t + 0.05
        stop = 1.0
        if wall is not None and m.comes < 0:
            at = before(p, wall.cross(m.a, m.b), STOP)
            stop = math.dist(p, at) / (math.dist(p, q) or 1.0)
        far = 1.0 if live else 0.62 if m.asks else 0.5
        if m.comes < 0:
            far = stop
        elif slow and not live:
            far = min(1.0, max(0.0, (self.state.now - m.t) / (m.comes - m.t)))
        x, y = p[0] + (q[0] - p[0]) * far, p[1] + (q[1] - p[1]) * far
        heartbeat = m.what == "append" and not m.entries
        classes, sign, r = "flight fill", "", 8.0
        if not m.asks:
            classes = "flight edge base-ground" if m.ok else "dead edge base-ground"
            sign, r = ("+" if m.ok else "−"), 7.0
        elif heartbeat or m.what == "propose":
            r = 5.0
        elif m.what == "vote":
            sign = "?"
        else:
            sign = str(m.entries) if m.entries < 100 else ""
        if m.count > 1:
            sign = str(m.count) if m.count < 100 else "…"
        if m.comes < 0 and wall is None and m.asks:
            classes, sign = "flight edge base-ground", "?"
        return Flight(
            key=f"rpc/{self.group.name}/{m.n}",
            d=straight(p, q),
            x=round(x, 2),
            y=round(y, 2),
            t0=round(m.t, 4),
            t1=round(m.comes, 4) if m.comes >= 0 else None,
            end="delivered" if m.comes >= 0 else "lost" if wall is not None else "open",
            stop=round(stop, 3),
            r=r,
            classes=classes + (" inferred" if m.guess else ""),
            title=message_words(m),
            sign=sign,
            delay=0.0 if m.asks else 1.0,
            group=f"rpc/{self.group.name}/{m.to or m.n}",
            exact=slow,
        )


def message_words(m: Message) -> str:
    """A message in a sentence."""
    return words_of(m) + (f" It is the last of {m.count} like it." if m.count > 1 else "")


def words_of(m: Message) -> str:
    """The same of one alone."""
    if m.what == "vote":
        return f"{m.a} asks {m.b} for its vote in term {m.term}."
    if m.what == "voted":
        return f"{m.a} {'grants' if m.ok else 'refuses'} {m.b} its vote in term {m.term}."
    if m.what == "append":
        if not m.entries:
            return f"A heartbeat from {m.a} to {m.b}, term {m.term}."
        many = count_of(m.entries, "entry", "entries")
        return f"{m.a} sends {m.b} {many} as index {m.index + 1}, term {m.term}."
    if m.what == "catchup":
        return f"{m.a} sends {m.b} what it missed: index {m.index + 1}."
    if m.what == "appended":
        return f"{m.a} {'has' if m.ok else 'cannot take that: it has'} everything up to {m.index}."
    return f"{m.a} hands {m.b} a proposal."


def lost_words(lost: Lost) -> str:
    """What did not come through."""
    parts = [
        count_of(k, one)
        for k, one in (
            (lost.heartbeats, "heartbeat"),
            (lost.appends, "append"),
            (lost.votes, "vote request"),
            (lost.answers, "answer"),
            (lost.others, "message"),
        )
        if k
    ]
    return parts[0] if len(parts) == 1 else count_of(lost.total, "message")


# --- geometry -----------------------------------------------------------------------------------


def straight(p: Point, q: Point) -> str:
    """A straight path."""
    return f"M{n(p[0])} {n(p[1])}L{n(q[0])} {n(q[1])}"


def chord(plan: Plan, part: list[str], wires: list[Wire]) -> tuple[Point, Point] | None:
    """The ends of a straight line between a part of the ring and the rest; None if there is none."""
    places, (cx, cy) = plan.places, plan.centre
    mx = sum(places[p][0] for p in part) / len(part) - cx
    my = sum(places[p][1] for p in part) / len(part) - cy
    length = math.hypot(mx, my)
    if length < 1:
        return None
    ux, uy = mx / length, my / length  # from the middle of the ring towards the part
    far = {p: ((x - cx) * ux + (y - cy) * uy, (y - cy) * ux - (x - cx) * uy) for p, (x, y) in places.items()}
    inner = min(far[p][0] for p in part)
    outer = max(far[p][0] for p in places if p not in part)
    if inner <= outer + 1:
        return None
    at = min((inner + outer) / 2, inner - plan.r - 20) if len(places) > 2 else 0.0

    def on(side: float) -> Point:
        return round(cx + ux * at - uy * side, 2), round(cy + uy * at + ux * side, 2)

    crossings = []
    for one in wires:
        (pa, sa), (pb, sb) = far[one.a], far[one.b]
        crossings.append(sa + (sb - sa) * (at - pa) / (pb - pa) if abs(pb - pa) > 1 else (sa + sb) / 2)
    low, high = min(crossings) - LONG, max(crossings) + LONG
    first, last = min(crossings), max(crossings)
    for along, side in far.values():
        if abs(along - at) < plan.r + 16:
            if first - plan.r - 16 < side < last + plan.r + 16:
                return None  # it would go through a server
            low, high = (
                (low, min(high, side - plan.r - 16)) if side > last else (max(low, side + plan.r + 16), high)
            )
    return inside(on(low), on(high), 40.0, plan.right - 70)


def inside(p: Point, q: Point, left: float, right: float) -> tuple[Point, Point]:
    """The same line as far as it is inside the ring's part of the picture."""
    ends = []
    for (x, y), (ox, oy) in ((p, q), (q, p)):
        for edge in (left, right):
            if (x < edge) if edge == left else (x > edge):
                y = y + (oy - y) * (edge - x) / (ox - x) if abs(ox - x) > 1 else y
                x = edge
        ends.append((round(x, 2), round(y, 2)))
    return ends[0], ends[1]


def middle(p: Point, q: Point) -> Point:
    """Half way."""
    return (p[0] + q[0]) / 2, (p[1] + q[1]) / 2


def sideways(at: Point, way: Point, half: float) -> tuple[Point, Point]:
    """A line across `way`, with its middle at a point."""
    length = math.hypot(*way) or 1.0
    ux, uy = -way[1] / length * half, way[0] / length * half
    return (round(at[0] - ux, 2), round(at[1] - uy, 2)), (round(at[0] + ux, 2), round(at[1] + uy, 2))


def cross(p: Point, q: Point, a: Point, b: Point) -> Point:
    """Where the line p–q meets the line a–b; half way where it does not."""
    rx, ry = q[0] - p[0], q[1] - p[1]
    sx, sy = b[0] - a[0], b[1] - a[1]
    turn = rx * sy - ry * sx
    if abs(turn) < 1e-6:
        return middle(p, q)
    u = ((a[0] - p[0]) * sy - (a[1] - p[1]) * sx) / turn
    u = min(0.95, max(0.05, u))
    return p[0] + rx * u, p[1] + ry * u


def before(p: Point, at: Point, by: float) -> Point:
    """The point `by` px before `at`, coming from `p`."""
    length = math.dist(p, at) or 1.0
    u = max(0.0, (length - by) / length)
    return round(p[0] + (at[0] - p[0]) * u, 2), round(p[1] + (at[1] - p[1]) * u, 2)
