"""What the requests view knows, and how each event changes it."""

from __future__ import annotations

from collections import Counter

import msgspec

from natslab.tape.event import Conn, End, Event, Hop, Pub, Recv, Sub
from natslab.tape.subject import matches
from natslab.views.view import ViewState, fold_common

KEPT = 50  # requests that are remembered singly
REPLIES = 50  # replies of one request that are remembered singly
SUBS = 1_000  # open subscriptions
KINDS = 60  # kinds of older requests that are counted apart

#: Subjects that carry the machinery of NATS; shown only if the view is asked for them.
PLUMBING = ("_INBOX.", "_NATSLAB.", "$JS.", "$SYS.", "$NRG.")


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
    error: str = ""  # the responder's words
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
    "error": "answered with an error",
    "no responders": "refused at once (no responders)",
    "timeout": "timed out",
    "abandoned": "abandoned",
    "waiting": "still waiting",
}


def start(of: tuple[str, ...] = ()) -> State:
    """`of`: subjects, patterns or requesters; without any, every request of the lab."""
    return State(of=of)


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
        request.error = event.error
        request.count, request.took = event.count, event.took or max(0.0, event.t - request.t)
