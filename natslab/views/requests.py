"""Requests: who asked whom, what came back, and what did not.

A sequence diagram. A request is a publish with an inbox as reply subject and a time to wait; an
answer is a publish to that inbox. Three ways it can end: answered; refused at once, because the
server itself says that nobody subscribes (status 503); timed out, which says nothing about the work.

For lessons:

    state.requests          the newest 50, oldest first; of each:
        .id .subject .requester
        .outcome            "answered" | "no responders" | "timeout" | "waiting" | "abandoned"
        .responders         labels of the clients that the server sent it to
        .by                 who gave the first answer, "" if nobody did
        .answers            replies that the requester took
        .late, .discarded   replies that came after the deadline; after it had what it wanted
        .took               seconds until the outcome
        .deadline           seconds it would have waited
    state.outcomes          {"answered": 1, "no responders": 1, "timeout": 1}, of all there ever were

The sentence and the table have no times in them, so that two runs of a lesson compare; the picture has.
"""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Sequence
from typing import Any

import msgspec

from natslab.tape.event import Conn, End, Event, Hop, Pub, Recv, Sub
from natslab.tape.subject import matches
from natslab.views import scene as sc
from natslab.views.layout import fit, isolate, plain, wide
from natslab.views.scene import Action, Flight, Legend, Mark, Scene, label, shorten, text_width
from natslab.views.view import Table, ViewState, fold_common

TITLE = "Requests"
SOURCES = "seen by this lab's clients and the server's trace"

KEPT = 50  # requests that are remembered singly
REPLIES = 50  # replies of one request that are remembered singly
SUBS = 1_000  # open subscriptions
KINDS = 60  # kinds of older requests that are counted apart

#: Subjects that carry the machinery of NATS; shown only if the view is asked for them.
PLUMBING = ("_INBOX.", "_NATSLAB.", "$JS.", "$SYS.", "$NRG.")


# --- what is known ---------------------------------------------------------------------------


class Leg(msgspec.Struct, omit_defaults=True):
    """A request's way from the server to one client."""

    who: str
    queue: str = ""
    out: float = 0.0  # the server sent it
    got: float = 0.0  # the client received it


class Reply(msgspec.Struct, omit_defaults=True):
    """A message to the inbox of a request."""

    id: str
    by: str = ""
    sent: float = 0.0
    server: float = 0.0  # it came to the server
    came: float = 0.0  # the requester received it


class Request(msgspec.Struct, omit_defaults=True):
    """One request; all times in tape seconds, 0 where nothing was seen."""

    id: str
    n: int
    subject: str
    requester: str
    inbox: str
    t: float
    deadline: float  # seconds it waits
    server: float = 0.0  # it came to the server
    place: str = ""  # that server's name
    among: dict[str, str] = {}  # who subscribed at that time -> queue group or ""
    legs: dict[str, Leg] = {}
    replies: list[Reply] = []
    more: int = 0  # replies that are only counted
    refused: float = 0.0  # the server's 503 came
    ended: float = 0.0
    outcome: str = "waiting"
    took: float = 0.0
    count: int = 0  # replies that the requester took, in its own words

    @property
    def responders(self) -> list[str]:
        """Labels of the clients that the server sent it to."""
        return list(self.legs)

    @property
    def fates(self) -> list[str]:
        """What became of each reply: answer, late, discarded, or "" while it is on its way."""
        came = sorted((r.came, i) for i, r in enumerate(self.replies) if r.came)
        taken = {i for _, i in came[: self.count if self.ended else len(came)]}
        rest = {"timeout": "late", "waiting": ""}.get(self.outcome, "discarded")
        return ["answer" if i in taken else rest for i in range(len(self.replies))]

    @property
    def answers(self) -> int:
        """Replies that the requester took."""
        return self.count if self.ended else self.fates.count("answer")

    @property
    def late(self) -> int:
        """Replies that came after the requester had given up."""
        return self.fates.count("late") + (self.more if self.outcome == "timeout" else 0)

    @property
    def discarded(self) -> int:
        """Replies that came after the requester had what it wanted."""
        return self.fates.count("discarded")

    @property
    def by(self) -> str:
        """Who gave the first answer."""
        taken = [(r.came, r.by) for r, fate in zip(self.replies, self.fates, strict=True) if fate == "answer"]
        return min(taken)[1] if taken else ""


class State(ViewState, kw_only=True):
    """The requests of the lab, or those whose subject or requester `of` names."""

    asked: dict[str, Request] = {}  # the newest, by id
    of_inbox: dict[str, str] = {}  # inbox, or id of a reply -> id of the request
    subs: dict[str, tuple[str, str, str]] = {}  # "client/sid" -> client, pattern, queue
    total: int = 0
    past: dict[str, int] = {}  # "outcome subject" -> older ones that are only counted

    @property
    def requests(self) -> list[Request]:
        """The newest requests, oldest first."""
        return list(self.asked.values())

    @property
    def outcomes(self) -> dict[str, int]:
        """How many requests ended in which way, older ones included."""
        counts: Counter[str] = Counter()
        for kind, n in self.past.items():
            counts[kind.partition("\n")[0]] += n
        counts.update(r.outcome for r in self.asked.values())
        return {outcome: counts[outcome] for outcome in OUTCOMES if counts[outcome]}


#: In the order in which they are told, with the words for them.
OUTCOMES = {
    "answered": "answered",
    "no responders": "refused at once (no responders)",
    "timeout": "timed out",
    "abandoned": "abandoned",
    "waiting": "still waiting",
}


def start(of: tuple[str, ...] = ()) -> State:
    """`of`: subjects, patterns or requesters; without any, every request of the lab."""
    return State(of=of)


# --- fold ------------------------------------------------------------------------------------


def fold(state: State, event: Event) -> None:
    """Take one event into account."""
    fold_common(state, event)
    if isinstance(event, Pub):
        _pub(state, event)
    elif isinstance(event, Recv):
        _recv(state, event)
    elif isinstance(event, Hop):
        _hop(state, event)
    elif isinstance(event, End):
        _end(state, event)
    elif isinstance(event, Sub):
        _sub(state, event)
    elif isinstance(event, Conn) and event.state == "closed":
        for key in [k for k, sub in state.subs.items() if sub[0] == event.client]:
            del state.subs[key]
        for request in state.asked.values():
            if request.requester == event.client and request.outcome == "waiting":
                request.outcome, request.ended = "abandoned", event.t


def _sub(state: State, event: Sub) -> None:
    key = f"{event.client}/{event.sid}"
    if event.state == "closed":
        state.subs.pop(key, None)
    elif len(state.subs) < SUBS and not event.subject.startswith(("_INBOX.", "_NATSLAB.")):
        state.subs[key] = (event.client, event.subject, event.queue)


def _wanted(state: State, event: Pub) -> bool:
    if state.of:
        return any(o == event.client or matches(o, event.subject) for o in state.of)
    return not event.subject.startswith(PLUMBING)


def _pub(state: State, event: Pub) -> None:
    request = state.asked.get(state.of_inbox.get(event.subject, ""))
    if request is not None:
        if len(request.replies) < REPLIES:
            request.replies.append(Reply(id=event.id, by=event.client, sent=event.t))
            state.of_inbox[event.id] = request.id
        else:
            request.more += 1
        return
    if event.timeout <= 0 or not event.reply or event.dry or not _wanted(state, event):
        return
    among = {who: queue for who, pattern, queue in state.subs.values() if matches(pattern, event.subject)}
    state.total += 1
    state.asked[event.id] = Request(
        id=event.id,
        n=state.total,
        subject=event.subject,
        requester=event.client,
        inbox=event.reply,
        t=event.t,
        deadline=event.timeout,
        among=among,
    )
    state.of_inbox[event.reply] = event.id
    if len(state.asked) > KEPT:
        _forget(state, next(iter(state.asked.values())))


def _forget(state: State, request: Request) -> None:
    del state.asked[request.id]
    for name in [request.inbox, *(reply.id for reply in request.replies)]:
        state.of_inbox.pop(name, None)
    kind = f"{request.outcome}\n{request.subject}"
    if kind not in state.past and len(state.past) >= KINDS:
        kind = f"{request.outcome}\n"
    state.past[kind] = state.past.get(kind, 0) + 1


def _recv(state: State, event: Recv) -> None:
    request = state.asked.get(event.id)
    if request is not None:
        leg = request.legs.setdefault(event.client, Leg(who=event.client, queue=event.queue))
        leg.got = leg.got or event.t
        leg.queue = leg.queue or event.queue
        return
    request = state.asked.get(state.of_inbox.get(event.subject, ""))
    if request is None or event.client != request.requester:
        return
    if event.status == "503":
        request.refused = event.t
        return
    reply = next((r for r in request.replies if r.id == event.id), None) if event.id else None
    if reply is None and len(request.replies) < REPLIES:
        # From a client that is not of this lab; if one got the request and said nothing, it was that one.
        silent = [leg.who for leg in request.legs.values() if leg.who not in {r.by for r in request.replies}]
        reply = Reply(id=event.id, by=silent[0] if len(silent) == 1 else "")
        request.replies.append(reply)
    if reply is not None:
        reply.came = reply.came or event.t


def _hop(state: State, event: Hop) -> None:
    request = state.asked.get(event.id)
    if request is not None:
        if event.step == "in" and not request.server:
            request.server, request.place = event.t, event.place
        elif event.step == "egress" and event.via == "client" and not event.error:
            who = event.client or f"cid {event.cid}"
            leg = request.legs.setdefault(who, Leg(who=who))
            leg.out, leg.queue = leg.out or event.t, event.queue or leg.queue
        return
    request = state.asked.get(state.of_inbox.get(event.id, ""))
    if request is not None and event.step == "in":
        for reply in request.replies:
            if reply.id == event.id:
                reply.server = reply.server or event.t


def _end(state: State, event: End) -> None:
    request = state.asked.get(event.id)
    if request is not None and event.of == "request":
        request.outcome, request.ended = event.outcome, event.t
        request.count, request.took = event.count, event.took or max(0.0, event.t - request.t)


# --- words -----------------------------------------------------------------------------------

_COUNTS = "no one two three four five six seven eight nine ten eleven twelve".split()
SENTENCE, NOTE = 85, 105  # characters that fit


def _word(n: int) -> str:
    return _COUNTS[n] if n < len(_COUNTS) else str(n)


def _name(text: str, most: int = 18) -> str:
    """Foreign text as a short name on one line."""
    clean = plain(text)
    return isolate(clean if len(clean) <= most else clean[: most - 1] + "…")


def _list(items: Sequence[str]) -> str:
    return items[0] if len(items) == 1 else ", ".join(items[:-1]) + " and " + items[-1]


def _time(seconds: float) -> str:
    ms = 1000 * seconds
    if ms < 0.095:
        return f"{ms:.2f} ms"
    if ms < 9.95:
        return f"{ms:.1f} ms"
    return f"{ms:.0f} ms" if ms < 999.5 else f"{seconds:.1f} s"


def _empty(state: State) -> tuple[str, str]:
    if state.servers and "up" not in state.servers.values():
        return "No server is up.", "Requests appear here when one is."
    if state.of:
        return f"No request yet for {_list([_name(o, 30) for o in state.of])}.", ""
    return (
        "No request yet.",
        "A request is a message with an inbox for the answer, and a time to wait for it.",
    )


def describe(state: State) -> tuple[str, str]:
    """How the requests ended, without times; what is worth knowing about it in the note."""
    if not state.total:
        return _empty(state)
    parts = [f"{n} {OUTCOMES[outcome]}" for outcome, n in state.outcomes.items()]
    if state.total == 1:
        return f"1 request: {parts[0][2:]}.", _note(state)
    return f"{state.total} requests: {', '.join(parts)}.", _note(state)


def _lasted(r: Request) -> float:
    """Seconds until the message came that decided it; `took` adds the requester's own time."""
    if r.outcome == "no responders" and r.refused:
        return r.refused - r.t
    came = sorted(x.came for x, fate in zip(r.replies, r.fates, strict=True) if fate == "answer" and x.came)
    if r.outcome == "answered" and came:
        return came[-1] - r.t
    return r.took or max(0.0, r.ended - r.t)


def _headline(state: State) -> str:
    """The same with times."""
    if not state.total:
        return describe(state)[0]
    parts = []
    for outcome, n in state.outcomes.items():
        words = {"no responders": "refused at once"}.get(outcome, OUTCOMES[outcome])
        known = [_lasted(r) for r in state.asked.values() if r.outcome == outcome]
        if outcome == "answered" and len(known) == n:
            low, high = _time(min(known)), _time(max(known))
            if low == high:
                words += f" in {low}"
            elif low[-3:] == high[-3:]:
                words += f" in {low[:-3].strip()} to {high}"
            else:
                words += f" in {low} to {high}"
        parts.append((_word(n) if state.total > 1 else "", words))
    told = ", ".join(f"{n} {words}".strip() for n, words in parts)
    sentence = f"{state.total} request{'s' if state.total > 1 else ''}: {told}."
    return sentence if len(sentence) <= SENTENCE else describe(state)[0]


def _note(state: State) -> str:
    """One thing to learn from what is there; the rarest first."""
    asked = state.requests
    refused = [r for r in asked if r.outcome == "no responders"]
    silent = [r for r in asked if r.outcome == "timeout"]
    gathered = [r for r in asked if r.answers > 1]
    discarded = sum(r.discarded for r in asked)
    if refused:
        subject = _name(refused[-1].subject, 24)
        return f"No responders is not a timeout. The server knows at once that nobody listens to {subject}."
    if silent and any(r.late for r in silent):
        return "A late reply is ignored. A timeout says nothing about the work: it may have been done."
    if silent:
        return "A timeout says nothing about the work: it may still be done."
    if gathered:
        n = gathered[-1].answers
        return f"Request {gathered[-1].n} gathered {n} answers: everybody who subscribes may answer."
    if discarded:
        one = "one reply was" if discarded == 1 else f"{discarded} replies were"
        return f"The first reply wins: {one} discarded."
    queues = {queue for r in asked for queue in [leg.queue for leg in r.legs.values()] if queue}
    if len(queues) == 1:
        return f"Each request goes to one member of the queue group {_name(next(iter(queues)))}."
    return "The answer goes to an inbox: a subject that only the requester listens to."


def table(state: State) -> Table:
    """All of them in one row, then kinds of older ones, then a row for each that is drawn."""
    found = Table(
        columns=["request", "subject", "from", "outcome", "responders", "answers", "ignored"],
        rows=[],
        keys=[],
    )
    if not state.total:
        return found
    shown, older = _shown(state)

    def row(key: str, *cells: str) -> None:
        found.rows.append(list(cells))
        found.keys.append(key)

    told = ", ".join(f"{n} {OUTCOMES[outcome]}" for outcome, n in state.outcomes.items())
    asked = state.requests
    late, discarded = sum(r.late for r in asked), sum(r.discarded for r in asked)
    row("requests", f"{state.total} in all", "", "", told, "", str(sum(r.answers for r in asked)),
        _ignored(late, discarded))  # fmt: skip
    for outcome, subject, n in older:
        row(f"old/{outcome}/{subject}", f"{n} older", subject, "", OUTCOMES[outcome], "", "", "")
    for r in shown:
        counts = str(len(r.legs)), str(r.answers), _ignored(r.late, r.discarded)
        row(f"req/{r.id}", str(r.n), r.subject, r.requester, OUTCOMES[r.outcome], *counts)
    return found


def _ignored(late: int, discarded: int) -> str:
    return ", ".join(f"{n} {word}" for n, word in ((late, "late"), (discarded, "discarded")) if n)


# --- places ----------------------------------------------------------------------------------

DRAWN = 4  # requests in full height
OLDER = 4  # kinds of older ones with a line of their own
FIRST, STEP = 308.0, 78.0  # lifeline of the requester; from one to the next
LAST = 840.0  # lifeline of the last responder
LINES = 6  # responders with a lifeline of their own
MS = 46.0  # pixels for a millisecond
HOP = 12.0  # pixels of a hop at least
IDLE = 0.002  # seconds without a hop that are not drawn to scale
BREAK = 54.0  # pixels for them
APART = 24.0  # between two labels on the requester's lifeline
SILENCE = 0.005  # seconds between two requests that are worth a break
RECENTLY = 1.5  # seconds for which a message's flight is offered
REASON = 188.0  # pixels for the words at the left
REST = "\n"  # stands for the responders without a lifeline of their own


def _shown(state: State) -> tuple[list[Request], list[tuple[str, str, int]]]:
    """The requests that are drawn, and (outcome, subject, how many) of the older ones."""
    asked = state.requests
    counts = Counter(state.past)
    counts.update(f"{r.outcome}\n{r.subject}" for r in asked[:-DRAWN])
    kinds = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    older: list[tuple[str, str, int]] = []
    rest: Counter[str] = Counter()
    for kind, n in kinds:
        outcome, _, subject = kind.partition("\n")
        if subject and len(older) < OLDER:
            older.append((outcome, subject, n))
        else:
            rest[outcome] += n
    older += [(outcome, "", n) for outcome, n in sorted(rest.items())]
    return asked[-DRAWN:], older


class _Node(msgspec.Struct):
    """A moment of a request on one lifeline."""

    t: float
    line: str  # requester | server | a responder
    label: bool = False  # words stand beside it, which need room
    y: float = 0.0


class _Band(msgspec.Struct):
    """One request, from its first moment to its last."""

    request: Request
    fates: list[str]
    nodes: dict[str, _Node]
    hops: list[tuple[str, str]]  # from node to node
    breaks: list[tuple[float, float]] = []  # height, seconds
    top: float = 0.0
    bottom: float = 0.0


def _band(request: Request, now: float) -> _Band:
    """The moments of a request in their causal order."""
    r = request
    band = _Band(request=r, fates=r.fates, nodes={}, hops=[])

    def node(name: str, t: float, line: str, after: str = "", label: bool = False) -> None:
        cause = band.nodes.get(after)
        band.nodes[name] = _Node(max(t, cause.t) if cause else t, line, label)

    def hop(a: str, b: str) -> None:
        band.hops.append((a, b))

    node("ask", r.t, "requester", label=True)
    first = min(
        [t for leg in r.legs.values() for t in (leg.out, leg.got) if t]
        + [r.refused or r.ended or r.t + 0.001]
    )
    node("in", r.server or (r.t + first) / 2, "server", "ask")
    hop("ask", "in")
    for who, leg in r.legs.items():
        node(f"got {who}", leg.got or leg.out, who, "in")
        hop("in", f"got {who}")
    for i, reply in enumerate(r.replies):
        cause = f"got {reply.by}" if reply.by in r.legs else "in"
        last = reply.came or r.ended or now
        if reply.by:
            node(f"rep {i}", reply.sent or max(band.nodes[cause].t, last - 0.0004), reply.by, cause)
        between = reply.server or (max(band.nodes[cause].t, reply.sent) + last) / 2
        node(f"back {i}", between, "server", f"rep {i}" if reply.by else "in", True)
        if reply.by:
            hop(f"rep {i}", f"back {i}")
        if reply.came or (r.ended and not r.server):
            node(f"came {i}", last, "requester", f"back {i}", True)
            hop(f"back {i}", f"came {i}")
    if r.outcome == "no responders":
        node("refused", r.refused or r.ended, "requester", "in", True)
        hop("in", "refused")
    elif r.outcome in ("timeout", "abandoned"):
        node("end", r.ended, "requester", "ask", True)
    elif r.outcome == "waiting":
        node("end", max(now, *(n.t for n in band.nodes.values())), "requester", "ask")
    return band


def _place(band: _Band, top: float) -> None:
    """Heights of the moments: to scale in a burst, long waits folded into breaks."""
    order = sorted(band.nodes.items(), key=lambda item: (item[1].t, list(band.nodes).index(item[0])))
    causes: dict[str, list[str]] = {}
    for a, b in band.hops:
        causes.setdefault(b, []).append(a)
    placed: set[str] = set()
    before: _Node | None = None
    lowest: dict[str, float] = {}
    for name, node in order:
        y = top
        if before is not None:
            gap = node.t - before.t
            flying = any(a in placed and b not in placed for a, b in band.hops)
            y = before.y + min(gap * 1000 * MS, 44 if flying else MS * 2)
            if gap > IDLE and not flying:
                band.breaks.append((before.y + 24, gap))
                y = before.y + BREAK
        for cause in causes.get(name, ()):
            y = max(y, band.nodes[cause].y + HOP)
        if node.label:
            y = max(y, lowest.get(node.line, top - APART) + APART)
            lowest[node.line] = y
        node.y = round(y, 2)
        placed.add(name)
        before = node
    band.top = top
    under = 26 if "refused" in band.nodes else 14  # the refusal's words stand under it
    band.bottom = max(node.y for node in band.nodes.values()) + under


# --- picture ---------------------------------------------------------------------------------


def draw(state: State) -> Scene:
    """Verdicts at the left, lifelines at the right, time downwards."""
    note = describe(state)[1]
    scene = Scene(
        view="requests",
        title=TITLE,
        height=130,
        now=state.now,
        mode=state.mode,
        lab=state.lab,
        servers=list(state.servers.items()),
        sources=SOURCES,
        sentence=[(shorten(_headline(state), 852, "t16"), "")],
        note=[(shorten(note, 852, "t13"), "")] if note else [],
        controls=_controls(state),
    )
    if state.total:
        canvas = _Canvas(state)
        scene.marks, scene.height = canvas.everything(), canvas.bottom
        scene.flights, scene.legend = canvas.flights(), canvas.legend()
    return scene


def _controls(state: State) -> list[Action]:
    """The newest requests again."""
    subjects = dict.fromkeys(r.subject for r in reversed(state.asked.values()))
    return [Action(f'nats request {shlex.quote(s)} ""', f"Ask {_name(s, 24)}") for s in [*subjects][:3]]


def _line(key: str, a: tuple[float, float], b: tuple[float, float], classes: str, **more: Any) -> sc.Path:
    return sc.Path(key=key, d=f"M{a[0]:.2f} {a[1]:.2f}L{b[0]:.2f} {b[1]:.2f}", classes=classes, **more)


def _bar(key: str, x: float, y: float, end: float, **more: Any) -> sc.Rect:
    return sc.Rect(key=key, x=x - 2.5, y=y, w=5, h=round(end - y, 2), r=2.5, classes="flight fill", **more)


def _sign(key: str, outcome: str, x: float, y: float) -> list[Mark]:
    """The glyph of an outcome around (x, y)."""
    if outcome == "answered":
        check = f"M{x - 3.25:g} {y + 0.25:g}L{x - 0.87:g} {y + 2.75:g}L{x + 3.38:g} {y - 2.37:g}"
        return [
            sc.Circle(key=f"{key}/sign", x=x, y=y, r=7.5, classes="done fill"),
            sc.Path(key=f"{key}/check", d=check, width=1.5, classes="edge ground round none"),
        ]
    if outcome in ("no responders", "ignored"):
        cross = f"M{x - 3:g} {y - 3:g}L{x + 3:g} {y + 3:g}M{x + 3:g} {y - 3:g}L{x - 3:g} {y + 3:g}"
        return [
            sc.Rect(key=f"{key}/sign", x=x - 6.75, y=y - 6.75, w=13.5, h=13.5, r=1.5, classes="dead fill"),
            sc.Path(key=f"{key}/cross", d=cross, width=1.5, classes="edge ground round none"),
        ]
    if outcome == "waiting":
        return [sc.Circle(key=f"{key}/sign", x=x, y=y, r=6.5, width=2, classes="flight edge base-ground")]
    a, b, top, low = x - 7.5, x + 5, y - 7.5, y + 7.5
    box = (f"M{b:g} {top:g}H{a + 3:g}A3 3 0 0 0 {a:g} {top + 3:g}V{low - 3:g}"
           f"A3 3 0 0 0 {a + 3:g} {low:g}H{b:g}")  # fmt: skip
    return [
        sc.Rect(key=f"{key}/ground", x=a, y=top, w=15, h=15, classes="ground fill"),
        sc.Path(key=f"{key}/sign", d=box, width=1.5, classes="edge ink round none"),
        label(f"{key}/what", x + 0.8, y + 4.3, "?", "t12 w6 middle"),
    ]


def _wrap(text: str, room: float, classes: str) -> list[str]:
    """Two lines at most."""
    lines = [""]
    for word in text.split(" "):
        longer = f"{lines[-1]} {word}".strip()
        if wide(longer, classes) <= room or not lines[-1]:
            lines[-1] = longer
        else:
            lines.append(word)
    if len(lines) > 2:
        lines = [lines[0], " ".join(lines[1:])]
    return [fit(line, room, classes) for line in lines]


class _Canvas:
    """The marks of one picture."""

    def __init__(self, state: State) -> None:
        self.state = state
        self.shown, self.older = _shown(state)
        self.bands = [_band(r, state.now) for r in self.shown]
        self.bottom = 0.0
        self.lines: dict[tuple[str, str], float] = {}  # (role, name) -> x
        self.server = self.server_name()
        self.hidden: set[str] = set()
        self.queues: dict[str, str] = {}
        self.taken: list[tuple[float, float, float, float]] = []  # room taken by words beside lifelines

    def server_name(self) -> str:
        places = {r.place for r in self.shown if r.place}
        if len(places) == 1:
            return places.pop()
        if not places and len(self.state.servers) == 1:
            return next(iter(self.state.servers))
        return "servers" if places else "server"

    def x(self, request: Request, line: str) -> float:
        """Where a lifeline of a request is."""
        if line == "requester":
            return self.lines["requester", request.requester]
        if line == "server":
            return self.lines["server", self.server]
        return self.lines["responder", REST if line in self.hidden else line]

    def everything(self) -> list[Mark]:
        """All marks, in drawing order."""
        marks, y = self.earlier(132.0)
        heads, port = self.heads(y)
        y = port + 22
        inside: list[Mark] = []
        before: _Band | None = None
        gaps: list[tuple[str, float, float, Request]] = []
        for band in self.bands:
            r = band.request
            if before is not None:
                end = max(node.t for node in before.nodes.values())
                silence = r.t - end
                if silence > SILENCE or silence < 0:
                    gaps.append((f"gap/{r.id}", y + 10, silence, r))
                    y += 38
                else:
                    y += 12
            _place(band, y)
            verdict = self.verdict(band)
            inside += [verdict, *self.band(band)]
            lines = sum(isinstance(mark, sc.Text) for mark in verdict.marks)
            band.bottom = max(band.bottom, y + 5 + 17.5 * (lines - 0.5))
            for i, (height, seconds) in enumerate(band.breaks):
                gaps.append((f"gap/{r.id}/{i}", height, seconds, r))
            y = band.bottom
            before = band
        self.bottom = y + 12
        lines_: list[Mark] = []
        for (role, name), x in self.lines.items():
            lines_.append(_line(f"line/{role}/{name}", (x, port + 2), (x, self.bottom - 6), "edge line"))
            lines_.append(
                sc.Circle(
                    key=f"port/{role}/{name}", x=x, y=port, r=4.5, width=1.5, classes="edge ink2 base-ground"
                )
            )
        return [*marks, *heads, *lines_, *inside, *(m for gap in gaps for m in self.gap(*gap))]

    def earlier(self, y: float) -> tuple[list[Mark], float]:
        """Older requests, counted by outcome and subject, in as few lines as they need."""
        if not self.older:
            return [], y
        marks: list[Mark] = [label("old", 24, y, "before", "t11 ink3")]
        x = 82.0
        for outcome, subject, n in self.older:
            words = {"no responders": "refused"}.get(outcome, OUTCOMES[outcome])
            name = fit(subject, 190, "mono t11") if subject else "others"
            size = 22 + wide(f"{n} {words} ", "t12") + wide(name, "mono t11") + 20
            if x > 82 and x + size > 876:
                x, y = 82.0, y + 22
            key = f"old/{outcome}/{subject}"
            runs = [(f"{n} {words}  ", "t12 ink2"), (name, "mono t11 ink3")]
            title = (
                f"{n} older requests"
                + (f" to {_name(subject, 80)}" if subject else "")
                + f": {OUTCOMES[outcome]}."
            )
            text = sc.Text(key=f"{key}/words", x=round(x + 20, 2), y=y, runs=runs)
            marks.append(sc.Group(key=key, title=title, state={"count": n},
                                  marks=[*_sign(key, outcome, x + 7.5, y - 4.5), text]))  # fmt: skip
            x += size
        return marks, y + 26

    def heads(self, y: float) -> tuple[list[Mark], float]:
        """Names over the lifelines; returns the height of their ports."""
        askers = list(dict.fromkeys(r.requester for r in self.shown))
        step = STEP if len(askers) < 3 else STEP - 12
        for i, who in enumerate(askers):
            self.lines["requester", who] = FIRST + i * step
        server = FIRST + (len(askers) - 1) * step + (172 if len(askers) == 1 else 115)
        self.lines["server", self.server] = server
        people = self.responders(min(LINES, int((LAST - server - 110) / 48) + 1))
        n = len(people)
        away, right = {1: (260.0, 740.0), 2: (180.0, 800.0), 3: (160.0, LAST)}.get(n, (110.0, LAST))
        left = min(server + away, right)
        gap = (right - left) / (n - 1) if n > 1 else 2 * (right - server) - 80
        for i, who in enumerate(people):
            self.lines["responder", who] = round(left + i * gap if n > 1 else right, 2)
        longest = max((wide(_name(who, 40), "t14 w6") for who in people), default=0.0)
        stagger = n > 1 and longest > gap - 8
        brackets = self.brackets(people)
        base = y + 18 + (16 if stagger and brackets else 0)
        total = f"{self.state.total} request{'s' if self.state.total > 1 else ''}"
        marks: list[Mark] = [label("requests", 24, base + 16, total, "t11 ink3")]
        for who in askers:
            room = 150 if len(askers) == 1 else step - 8
            marks += self.name("requester", who, fit(who, room, "t14 w6"), "requester", base)
        marks += self.name("server", self.server, fit(self.server, 120, "t14 w6"), "server", base)
        for i, who in enumerate(people):
            words = f"+{len(self.hidden)} more" if who == REST else who
            x = self.lines["responder", who]
            room = min((2 if stagger else 1) * gap - 8, 2 * (892 - x), 2 * (x - server - 46))
            room -= 0 if isolate(who) == who else 20
            up = 16 if stagger and i % 2 == 0 else 0
            marks += self.name("responder", who, fit(words, room, "t14 w6"), "", base + 16 - up)
        for i, (queue, group) in enumerate(brackets):
            a, b = (self.lines["responder", who] for who in (group[0], group[-1]))
            over = base - (18 if stagger else 5)
            marks += self.bracket(f"queue/{queue}/{i}", queue, a, b, min(gap / 2 - 4, 60), over)
        return marks, base + 30

    def name(self, role: str, who: str, words: str, below: str, y: float) -> list[Mark]:
        x = self.lines[role, who]
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
                    self.queues[who] = queue
            for who in [*r.legs, *(reply.by for reply in r.replies if reply.by)]:
                people[who] = None
                if who in r.legs and r.legs[who].queue:
                    self.queues[who] = r.legs[who].queue
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
        """Runs of neighbours that are of one queue group."""
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
        return [run for run in runs if run[0]]

    def bracket(self, key: str, queue: str, a: float, b: float, reach: float, y: float) -> list[Mark]:
        """Over the members of a queue group, from lifeline `a` to lifeline `b`."""
        size = wide(f"queue group {plain(queue)}", "t11")
        over = min(max(30.0, (size + 34 - (b - a)) / 2), reach)
        a, b = a - over, min(b + over, 880)
        named = f"queue group {queue}" if size + 34 <= b - a else queue
        words = fit(named, b - a - 30, "t11")
        middle, half = (a + b) / 2, wide(words, "t11") / 2 + 6
        d = (
            f"M{a:.1f} {y + 5:.1f}V{y + 1:.1f}A5 5 0 0 1 {a + 5:.1f} {y - 4:.1f}H{middle - half:.1f}"
            f"M{middle + half:.1f} {y - 4:.1f}H{b - 5:.1f}A5 5 0 0 1 {b:.1f} {y + 1:.1f}V{y + 5:.1f}"
        )
        title = f"{_name(queue)} is a queue group: each request goes to one of its members."
        return [
            sc.Path(key=key, d=d, classes="edge line none", title=title),
            label(f"{key}/name", middle, y, words, "t11 ink3 middle"),
        ]

    # one request

    def verdict(self, band: _Band) -> sc.Group:
        """What became of it, in words."""
        r, y = band.request, band.top
        key = f"req/{r.id}"
        word, reason = self.words(r)
        marks = _sign(key, r.outcome, 32, y - 0.5)
        marks.append(label(f"{key}/word", 50, y + 4.5, fit(word, 224, "t14 w6"), "t14 w6"))
        marks.append(label(f"{key}/subject", 50, y + 23, fit(r.subject, REASON, "mono t12"), "mono t12 ink2"))
        for i, line in enumerate(_wrap(reason, REASON, "t12") if reason else []):
            marks.append(label(f"{key}/why{i}", 50, y + 41 + 17 * i, line, "t12 ink3"))
        title = f"{_name(r.requester)} asked {_name(r.subject, 80)}: {word}"
        title += f"; {reason}." if reason else "."
        return sc.Group(
            key=key,
            marks=marks,
            title=f"{title} Its inbox was {_name(r.inbox, 80)}.",
            state={"request": r.n, "outcome": r.outcome, "answers": r.answers, "late": r.late,
                   "discarded": r.discarded, "took": round(r.took, 6), "deadline": r.deadline},
            light=self.keys(band),
        )  # fmt: skip

    def words(self, r: Request) -> tuple[str, str]:
        """The verdict, and the reason under it."""
        took = _time(_lasted(r))
        by = _name(r.by, 14)
        if r.outcome == "answered" and r.answers > 1:
            return f"{r.answers} answers in {took}", f"the first from {by}" if by else ""
        if r.outcome == "answered":
            queue = r.legs[r.by].queue if r.by in r.legs else ""
            rivals = sum(q == queue for q in r.among.values()) if queue else len(r.legs)
            reason = f"by {by}" if by else "by the server itself" if not r.legs else ""
            if reason and rivals > 1:
                reason += f", one of {_word(rivals)}" if queue else f", the first of {_word(rivals)}"
            return f"answered in {took}", reason
        if r.outcome == "no responders":
            return f"refused in {took}", "no responders"
        got = [leg.who for leg in r.legs.values()]
        who = _name(got[0], 14) if len(got) == 1 else f"{len(got)} responders"
        if r.outcome == "timeout":
            word = f"timed out after {took}"
            if r.answers:
                return word, f"with {_word(r.answers)} of the answers"
            if r.late:
                late = next(
                    (_name(x.by, 14) for x, f in zip(r.replies, r.fates, strict=True) if f == "late"), ""
                )
                return word, f"it may still be done: {late} was only slow" if late else "it may still be done"
            if not got:
                return word, "nobody is known to have it"
            return word, f"it may still be done: {who} got it"
        if r.outcome == "abandoned":
            return "abandoned", f"{_name(r.requester, 14)} closed its connection"
        return "waiting", f"{who} {'works' if len(got) == 1 else 'work'} on it" if got else ""

    def keys(self, band: _Band) -> list[str]:
        r = band.request
        return [*(self.hop_key(band, a, b) for a, b in band.hops), f"req/{r.id}/wait"]

    def hop_key(self, band: _Band, a: str, b: str) -> str:
        """On its way out of the server a message is a copy at the one it came to."""
        r = band.request
        kind, _, i = a.partition(" ") if a.startswith(("rep ", "back ")) else ("", "", "")
        name = (r.replies[int(i)].id or f"{r.id}/reply{i}") if kind else r.id
        if b == "refused":
            name = f"{r.id}/503"
        line = band.nodes[b].line
        if line == "server":
            return f"hop/{name}"
        return f"msg/{name}@{r.requester if line == 'requester' else line}"

    def band(self, band: _Band) -> list[Mark]:
        """Bars, arrows and labels of one request."""
        r, nodes = band.request, band.nodes
        key = f"req/{r.id}"
        x0, xs = self.x(r, "requester"), self.x(r, "server")
        under: list[Mark] = []
        over: list[Mark] = []
        texts: list[Mark] = []
        done = [
            nodes[f"came {i}"].y
            for i, fate in enumerate(band.fates)
            if fate == "answer" and f"came {i}" in nodes
        ]
        end = (
            nodes["refused"].y
            if "refused" in nodes
            else nodes["end"].y
            if "end" in nodes
            else max(done, default=0.0)
        )
        end = end or max(node.y for node in nodes.values())
        waits = f"{_name(r.requester)} waits" + (f" {_time(_lasted(r))}." if r.ended else ".")
        under.append(_bar(f"{key}/wait", x0, nodes["ask"].y, end, title=waits, light=[f"req/{r.id}"]))
        if r.outcome == "timeout":
            y = nodes["end"].y + 0.5
            who = fit(r.requester, 100, "t12")
            over.append(_line(f"{key}/deadline", (x0 + 10, y), (876, y), "edge ink3 dash",
                              title=f"The deadline, {_time(r.deadline)} after the request."))  # fmt: skip
            texts.append(
                label(f"{key}/deadline/words", x0 + 18, y - 6.5, f"deadline: {who} gives up", "t12 ink2 halo")
            )
        under += self.work(band, texts)
        for a, b in band.hops:
            over += self.hop(band, a, b, texts)
        for name, node in nodes.items():
            if node.line == "server":
                known = r.server if name == "in" else r.replies[int(name.split()[1])].server
                guess = "" if known else " inferred"
                title = "" if known else "≈ The server did not tell when: some time between."
                over.append(
                    sc.Circle(
                        key=f"{key}/{name}", x=xs, y=node.y, r=3.5, classes=f"fill ink2{guess}", title=title
                    )
                )
        over += self.ends(band, texts)
        return [*under, *over, *texts]

    def work(self, band: _Band, texts: list[Mark]) -> list[Mark]:
        """A bar for each responder, from the request to its reply."""
        r, nodes = band.request, band.nodes
        marks: list[Mark] = []
        roomy = sum(role == "responder" for role, _ in self.lines) <= 3
        for who, leg in r.legs.items():
            if who in self.hidden or not leg.got:
                continue
            sent = [(i, x) for i, x in enumerate(r.replies) if x.by == who and f"rep {i}" in nodes]
            a = nodes[f"got {who}"]
            x = self.x(r, who)
            if not sent and r.outcome == "waiting":
                b, words = nodes["end"], f"{_name(who)} works on it."
            elif sent:
                b = nodes[f"rep {sent[0][0]}"]
                words = f"{_name(who)} works {_time(max(0.0, b.t - a.t))}."
            else:
                if roomy:
                    texts += self.beside(f"req/{r.id}/work/{who}/words", x, a.y + 4, "no reply")
                continue
            key = f"req/{r.id}/work/{who}"
            marks.append(_bar(key, x, a.y, max(a.y + 5, b.y), title=words, light=[f"req/{r.id}"]))
            if sent and roomy:
                text = f"works {_time(max(0.0, b.t - a.t))}"
                broken = any(a.y < y < b.y for y, _ in band.breaks)
                y = b.y - 6 if broken else (a.y + b.y) / 2 + 4
                texts += self.beside(f"{key}/words", x, y, text)
        return marks

    def beside(self, key: str, x: float, y: float, text: str) -> list[Mark]:
        """Words beside a lifeline, at its right if it can be; none where there is no room."""
        size = text_width(text, "t11")
        for down in (0, 14, -14):
            for left, end in ((x + 12, ""), (x - 12 - size, " end")):
                box = (left, y + down - 9, left + size, y + down + 3)
                free = all(box[2] < a or c < box[0] or box[3] < b or d < box[1] for a, b, c, d in self.taken)
                if free and box[2] <= 880:
                    self.taken.append(box)
                    at = left + size if end else left
                    return [label(key, at, y + down, text, f"t11 ink2{end} halo")]
        return []

    def hop(self, band: _Band, a: str, b: str, texts: list[Mark]) -> list[Mark]:
        """One arrow, and the word on it."""
        r, (p, q) = band.request, (band.nodes[a], band.nodes[b])
        if q.line in self.hidden and b != next(
            h[1] for h in band.hops if band.nodes[h[1]].line in self.hidden
        ):
            return []  # all of them arrive on one line at almost one time
        fate = band.fates[int(a.split()[1])] if a.startswith(("rep ", "back ")) else ""
        colour = "dead" if b == "refused" else "done" if fate == "answer" else "flight"
        x, y, to = self.x(r, p.line), p.y, self.x(r, q.line)
        # Heads stop short of what they point at.
        short = 11 if q.line == "requester" else 5
        length = ((to - x) ** 2 + (q.y - y) ** 2) ** 0.5 or 1.0
        tip = (to - (to - x) * short / length, q.y - (q.y - y) * short / length)
        key = self.hop_key(band, a, b)
        names = {"requester": r.requester, "server": self.server}
        who, whom = (_name(names.get(line, line)) for line in (p.line, q.line))
        title = f"{who} to {whom}, {_time(max(0.0, q.t - p.t))}."
        nearest = max(there for (role, _), there in self.lines.items() if role == "requester")
        middle = (nearest + self.x(r, "server")) / 2
        if a == "ask":
            words = fit(r.subject, self.x(r, "server") - nearest - 22, "mono t11")
            there = self.above((x, y), (to, q.y), middle - text_width(words, "mono t11") / 2)
            texts.append(label(f"{key}/words", middle, there, words, "mono t11 ink2 middle halo"))
        elif b == "refused":
            texts.append(label(f"{key}/words", middle, q.y + 15, "503 No Responders", "t11 ink2 middle"))
            who, right = fit(self.server, 70, "t12"), x + 16
            texts.append(label(f"{key}/why", right, y - 4, "nobody subscribes,", "t12 ink2 halo"))
            texts.append(label(f"{key}/so", right, y + 13, f"so {who} itself answers", "t12 ink2 halo"))
        elif a.startswith("back "):
            words = {"late": "late reply, ignored", "discarded": "discarded"}.get(fate, "reply")
            there = self.above((x, y), (to, q.y), middle + text_width(words, "t11") / 2)
            texts.append(label(f"{key}/words", middle, there, words, "t11 ink2 middle halo"))
        return [_line(key, (x, y), tip, f"edge {colour} round", width=2.5, arrow=True, title=title,
                      light=[f"req/{r.id}"])]  # fmt: skip

    @staticmethod
    def above(a: tuple[float, float], b: tuple[float, float], x: float) -> float:
        """The baseline of words that stand on the line from `a` to `b` and touch it at `x` at most."""
        return round(a[1] + (b[1] - a[1]) * (x - a[0]) / (b[0] - a[0]) - 5, 2)

    def ends(self, band: _Band, texts: list[Mark]) -> list[Mark]:
        """Signs and times on the requester's lifeline."""
        r, nodes = band.request, band.nodes
        x = self.x(r, "requester")
        key = f"req/{r.id}"
        marks: list[Mark] = [
            sc.Circle(key=f"{key}/ask", x=x, y=nodes["ask"].y, r=6, classes="flight fill halo"),
        ]
        took = _time(_lasted(r))
        for name, node in nodes.items():
            if node.line != "requester":
                continue
            strong = name == "end"
            if name.startswith("came "):
                fate = band.fates[int(name.split()[1])]
                marks += _sign(f"{key}/{name}", "answered" if fate == "answer" else "ignored", x, node.y)
            elif name == "refused":
                marks += _sign(f"{key}/{name}", "no responders", x, node.y)
            elif strong and r.outcome != "waiting":
                marks += _sign(f"{key}/{name}", r.outcome, x, node.y)
            if node.label:
                words = "0" if name == "ask" else took if name == "end" else _time(node.t - r.t)
                texts.append(label(f"{key}/{name}/time", x - 18, node.y + 4, words,
                                   f"t11 {'w6' if strong else 'ink3'} end halo"))  # fmt: skip
        return marks

    def gap(self, key: str, y: float, seconds: float, request: Request) -> list[Mark]:
        """Time that is not drawn to scale: a button on the requester's line, torn lines elsewhere."""
        marks: list[Mark] = []
        x0 = self.x(request, "requester")
        if seconds < 0:
            words, title = "meanwhile", "This request was asked before the one above was over."
        else:
            words, title = _time(seconds), f"{_time(seconds)} in which nothing was sent, not drawn to scale."
            for (role, name), x in self.lines.items():
                if x == x0:
                    continue
                top, low = y - 6, y + 2
                zig = [(x - 13, 0), (x - 6.5, 6), (x, 0), (x + 6.5, 6), (x + 13, 0)]
                there = "L".join(f"{a:g} {top + b:g}" for a, b in zig)
                back = "L".join(f"{a:g} {low + b:g}" for a, b in zig)
                rear = "L".join(f"{a:g} {low + b:g}" for a, b in reversed(zig))
                torn = f"{key}/{role}/{name}"
                marks.append(sc.Path(key=f"{torn}/ground", d=f"M{there}L{rear}Z", classes="ground fill"))
                marks.append(sc.Path(key=torn, d=f"M{there}M{back}", classes="edge line round none"))
        sign = 0 if seconds < 0 else 11
        size = text_width(words, "t11") + 20 + sign
        left = x0 - size / 2
        inside: list[Mark] = [
            sc.Rect(key=f"{key}/box", x=round(left, 2), y=y - 10.5, w=round(size, 2), h=21, r=10.5,
                    classes="edge line base-ground"),
            label(f"{key}/words", left + 10 + sign, y + 4, words, "t11 ink2"),
        ]  # fmt: skip
        if sign:
            a, b = left + 9, left + 14
            zig_zag = (
                f"M{a:.1f} {y - 5:g}L{b:.1f} {y - 2.5:g}L{a:.1f} {y:g}L{b:.1f} {y + 2.5:g}L{a:.1f} {y + 5:g}"
            )
            inside.append(sc.Path(key=f"{key}/zigzag", d=zig_zag, classes="edge ink3 round none"))
        return [*marks, sc.Group(key=key, marks=inside, title=title, state={"seconds": round(seconds, 6)})]

    def flights(self) -> list[Flight]:
        """The newest messages travel once, while they are new: a request first, then its replies."""
        out: list[Flight] = []
        for band in self.bands:
            r, nodes = band.request, band.nodes
            x0, y0 = self.x(r, "requester"), nodes["ask"].y

            def at(name: str, band: _Band = band) -> str:
                node = band.nodes[name]
                return f"{self.x(band.request, node.line):.2f} {node.y:.2f}"

            common: dict[str, Any] = {"x": x0, "y": y0, "r": 6, "group": f"req/{r.id}"}
            ways = [(leg.who, f"M{at('ask')}L{at('in')}L{at(f'got {leg.who}')}", leg.got or None)
                    for leg in r.legs.values() if leg.who not in self.hidden]  # fmt: skip
            if not ways:
                ways = [(self.server, f"M{at('ask')}L{at('in')}", nodes["in"].t)]
            for who, d, t1 in ways:
                out.append(
                    Flight(key=f"fly/{r.id}@{who}", d=d, t0=r.t, t1=t1, end="delivered" if t1 else "open",
                           title=f"The request on its way to {_name(who)}.", **common)
                )  # fmt: skip
            for i, (reply, fate) in enumerate(zip(r.replies, band.fates, strict=True)):
                if f"came {i}" not in nodes or reply.by in self.hidden:
                    continue
                begin = f"M{at(f'rep {i}')}L" if f"rep {i}" in nodes else "M"
                out.append(
                    Flight(
                        key=f"fly/{reply.id or f'{r.id}/{i}'}@{r.requester}",
                        d=f"{begin}{at(f'back {i}')}L{at(f'came {i}')}",
                        t0=reply.sent or reply.came,
                        t1=reply.came,
                        delay=0.5,
                        end="delivered" if fate == "answer" else "late",
                        classes="done fill" if fate == "answer" else "flight fill",
                        title="The reply.",
                        **common,
                    )
                )
            if "refused" in nodes:
                out.append(
                    Flight(
                        key=f"fly/{r.id}/503",
                        d=f"M{at('in')}L{at('refused')}",
                        t0=nodes["in"].t,
                        t1=nodes["refused"].t,
                        delay=0.5,
                        end="refused",
                        classes="dead fill",
                        title="503 No Responders.",
                        **common,
                    )
                )
        since = self.state.now - RECENTLY
        recent = [f for f in out if (f.t1 or f.t0) >= since][-8:]
        # At rest they lie where the question began; the question itself on top.
        return sorted(recent, key=lambda f: f.delay, reverse=True)

    def legend(self) -> list[Legend]:
        """The signs that are there now, with how often."""
        count = Counter(r.outcome for r in self.shown)
        ignored = sum(fate in ("late", "discarded") for band in self.bands for fate in band.fates)
        out = [
            Legend("done fill", "circle", "answered", count["answered"]),
            Legend("dead fill", "square", "refused", count["no responders"]),
            Legend("ink edge none", "square", "timed out", count["timeout"] + count["abandoned"]),
            Legend("flight edge none", "ring", "waiting", count["waiting"]),
            Legend("flight edge", "line", "reply ignored", ignored),
        ]
        return [item for item in out if item.count]


def _natural(name: str) -> tuple[str, int, str]:
    """Names with numbers in the order of the numbers."""
    head = name.rstrip("0123456789")
    digits = name[len(head) :]
    return (head, int(digits) if digits and len(digits) < 10 else -1, name)
