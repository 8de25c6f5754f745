"""The lifelines of the requests picture: requesters, the server, responders, and their names."""

from __future__ import annotations

from typing import NamedTuple

from natslab.views.requests.state import Request, State
from natslab.views.scene import NARROW, WIDTH, Mark, Path, label
from natslab.views.wording import fit, isolate, plain, short_name, wide

LINES = 6  # responders with a lifeline of their own
REST = "\n"  # stands for the responders without a lifeline of their own


class Places(NamedTuple):
    """Where the lifelines may stand."""

    first: float  # of the requester
    step: float  # from one requester to the next
    server: tuple[float, float]  # from the last requester to the server, for one and for several
    asker: float  # room for the name of a requester
    away: dict[int, tuple[float, float]]  # responders -> from the server to the first, x of the last
    last: float  # of the last responder
    end: int  # of all


WIDE = Places(
    308.0,
    78.0,
    (172.0, 115.0),
    150.0,
    {1: (260.0, 740.0), 2: (180.0, 800.0), 3: (160.0, 840.0)},
    840.0,
    WIDTH,
)
SLIM = Places(
    84.0, 66.0, (132.0, 100.0), 112.0, {1: (150.0, 370.0), 2: (110.0, 410.0), 3: (90.0, 420.0)}, 420.0, NARROW
)


class Lifelines:
    """Who has a lifeline, and where; `heads` places them."""

    def __init__(self, state: State, shown: list[Request]) -> None:
        self.shown = shown
        few = len({r.requester for r in shown}) <= 2
        self.at = SLIM if few and state.width != WIDTH else WIDE
        self.total = state.total
        self.places: dict[tuple[str, str], float] = {}  # (role, name) -> x
        self.server = self._server_name(state)
        self.hidden: set[str] = set()
        self.queues: dict[str, str] = {}

    def _server_name(self, state: State) -> str:
        places = {r.place for r in self.shown if r.place}
        if len(places) == 1:
            return places.pop()
        if not places and len(state.servers) == 1:
            return next(iter(state.servers))
        return "servers" if places else "server"

    def x(self, request: Request, line: str) -> float:
        """Where a lifeline of a request is."""
        if line == "requester":
            return self.places["requester", request.requester]
        if line == "server":
            return self.places["server", self.server]
        return self.places["responder", REST if line in self.hidden else line]

    def heads(self, y: float) -> tuple[list[Mark], float]:
        """Names over the lifelines; returns the height of their ports."""
        askers = list(dict.fromkeys(r.requester for r in self.shown))
        at = self.at
        step = at.step if len(askers) < 3 else at.step - 12
        for i, who in enumerate(askers):
            self.places["requester", who] = at.first + i * step
        server = at.first + (len(askers) - 1) * step + at.server[len(askers) > 1]
        self.places["server", self.server] = server
        people = self.responders(
            min(LINES, max(1, int((at.last - server - (110 if at is WIDE else 70)) / 48) + 1))
        )
        n = len(people)
        away, right = at.away.get(n, (110.0 if at is WIDE else 70.0, at.last))
        left = min(server + away, right)
        gap = (right - left) / (n - 1) if n > 1 else 2 * (right - server) - 80
        for i, who in enumerate(people):
            self.places["responder", who] = round(left + i * gap if n > 1 else right, 2)
        longest = max((wide(short_name(who, 40), "t14 w6") for who in people), default=0.0)
        stagger = n > 1 and longest > gap - 8
        brackets = self.brackets(people)
        base = y + 18 + (16 if stagger and brackets else 0)
        total = f"{self.total} request{'s' if self.total > 1 else ''}"
        low = 16 if at is WIDE else -18  # in a narrow picture the names need the room
        marks: list[Mark] = [label("requests", 24, base + low, total, "t11 ink3")]
        for who in askers:
            room = at.asker if len(askers) == 1 else step - 8
            marks += self.name("requester", who, fit(who, room, "t14 w6"), "requester", base)
        marks += self.name(
            "server", self.server, fit(self.server, 120 if at is WIDE else 90, "t14 w6"), "server", base
        )
        for i, who in enumerate(people):
            words = f"+{len(self.hidden)} more" if who == REST else who
            x = self.places["responder", who]
            room = min((2 if stagger else 1) * gap - 8, 2 * (at.end - 8 - x), 2 * (x - server - 46))
            room -= 0 if isolate(who) == who else 20
            up = 16 if stagger and i % 2 == 0 else 0
            marks += self.name("responder", who, fit(words, room, "t14 w6"), "", base + 16 - up)
        for i, (queue, group) in enumerate(brackets):
            a, b = (self.places["responder", who] for who in (group[0], group[-1]))
            over = base - (18 if stagger else 5)
            marks += self.bracket(f"queue/{queue}/{i}", queue, a, b, min(gap / 2 - 4, 60), over)
        return marks, base + 30

    def name(self, role: str, who: str, words: str, below: str, y: float) -> list[Mark]:
        """A name over its lifeline, and its role below."""
        x = self.places[role, who]
        marks: list[Mark] = [label(f"name/{role}/{who}", x, y, words, "t14 w6 middle")]
        if below:
            marks.append(label(f"role/{role}/{who}", x, y + 16, below, "t11 ink3 middle"))
        return marks

    def responders(self, most: int) -> list[str]:
        """Who has a lifeline: all that got a request or answered, and their queue groups' members."""
        people: dict[str, None] = {}
        for r in self.shown:
            used = [leg.queue for leg in r.legs.values() if leg.queue]
            for who, queue in r.among.items():
                if queue in used and queue:
                    people[who] = None
                    self.queues[who] = f"{queue}\n{r.subject}"
            for who in [*r.legs, *(reply.by for reply in r.replies if reply.by)]:
                people[who] = None
                if who in r.legs and r.legs[who].queue:
                    self.queues[who] = f"{r.legs[who].queue}\n{r.subject}"
        # Members of a queue group stand side by side.
        order = sorted(people, key=lambda who: (list(people).index(who), who))
        seen = list(dict.fromkeys(self.queues.get(who, f"\n{who}") for who in order))
        order.sort(key=lambda who: (seen.index(self.queues.get(who, f"\n{who}")), *_natural(who)))
        if len(order) > most:
            busy = [who for who in order if any(who in r.legs for r in self.shown)]
            keep = set((busy + [who for who in order if who not in busy])[: most - 1])
            self.hidden = set(order) - keep
            order = [who for who in order if who in keep] + [REST]
        return order

    def brackets(self, people: list[str]) -> list[tuple[str, list[str]]]:
        """Runs of neighbours that are of one queue group: of one name, for one subject."""
        runs: list[tuple[str, list[str]]] = []
        for who in people:
            queue = self.queues.get(who, "")
            if who == REST:
                common = {self.queues.get(w, "") for w in self.hidden}
                queue = common.pop() if len(common) == 1 else ""
            if runs and runs[-1][0] == queue:
                runs[-1][1].append(who)
            else:
                runs.append((queue, [who]))
        return [(queue.partition("\n")[0], group) for queue, group in runs if queue]

    def bracket(self, key: str, queue: str, a: float, b: float, reach: float, y: float) -> list[Mark]:
        """Over the members of a queue group, from lifeline `a` to lifeline `b`."""
        size = wide(f"queue group {plain(queue)}", "t11")
        over = min(max(30.0, (size + 34 - (b - a)) / 2), reach)
        a, b = a - over, min(b + over, self.at.end - 20)
        named = f"queue group {queue}" if size + 34 <= b - a else queue
        words = fit(named, b - a - 30, "t11")
        if len(words) < min(5, len(queue)):
            return []  # over one lifeline between others there is no room for a name
        middle, half = (a + b) / 2, wide(words, "t11") / 2 + 6
        d = (
            f"M{a:.1f} {y + 5:.1f}V{y + 1:.1f}A5 5 0 0 1 {a + 5:.1f} {y - 4:.1f}H{middle - half:.1f}"
            f"M{middle + half:.1f} {y - 4:.1f}H{b - 5:.1f}A5 5 0 0 1 {b:.1f} {y + 1:.1f}V{y + 5:.1f}"
        )
        title = f"{short_name(queue)} is a queue group: each request goes to one of its members."
        return [
            Path(key=key, d=d, classes="edge line none", title=title),
            label(f"{key}/name", middle, y, words, "t11 ink3 middle"),
        ]


def _natural(name: str) -> tuple[str, int, str]:
    """Names with numbers in the order of the numbers."""
    head = name.rstrip("0123456789")
    digits = name[len(head) :]
    return (head, int(digits) if digits and len(digits) < 10 else -1, name)
