"""The rule and the evidence: why each subscription got the shown message, or did not.

The evidence is the server's trace of the message. The rule is our matcher, applied to the subscriptions
that existed when it was published. Where they differ, the verdict says so.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from natslab.tape.event import Hop
from natslab.tape.subject import matches, tokens
from natslab.views.routing.state import HOPS, LINKS, Burst, Message, State, Subscription
from natslab.views.wording import amount, count_of

Run = tuple[str, str]

#: Seconds in which a subscribe may be overtaken by a publish on another connection.
RACE = 0.1


@dataclass
class Verdict:
    """One subscription and the shown message."""

    sub: Subscription
    there: bool  # it existed when the message was published
    matched: bool  # the rule: our matcher
    got: bool  # the evidence: the server's trace, or the clients' counts
    hop: Hop | None = None  # its delivery in the trace
    fail: int = -1  # the token of the pattern that did not match
    why: list[Run] = field(default_factory=list)  # why not; classes "" or "mono"
    short: list[Run] = field(default_factory=list)
    note: str = ""  # "chosen, 1 of 3"
    differs: bool = False
    missed: str = ""  # its server, which the message did not come to
    unknown: bool = False  # it may have got it: nothing tells of single messages to this client

    @property
    def reason(self) -> str:
        """Why not, or what else there is to say."""
        return "".join(t for t, _ in self.why) or self.note

    @property
    def word(self) -> str:
        """For the table."""
        if self.unknown:
            return "not known"
        if self.sub.queue and self.matched:
            word = "chosen" if self.got else "not chosen"
        else:
            word = "yes" if self.got or self.matched else "no"
        return f"Δ {word}" if self.differs else word


@dataclass
class Shown:
    """The message or burst that the picture is about, with a verdict for each subscription."""

    message: Message | None
    burst: Burst | None
    subject: str
    verdicts: list[Verdict]
    hidden: int  # subscriptions of the machinery

    @property
    def there(self) -> int:
        """Subscriptions that existed when the message was published."""
        # What the trace reached was there, even if nothing else told of it.
        return max(sum(v.there for v in self.verdicts), self.reached)

    @property
    def reached(self) -> int:
        """Deliveries; of a burst, subscriptions that got some of it."""
        return self.message.deliveries if self.message else sum(v.got for v in self.verdicts)

    @property
    def unknown(self) -> list[str]:
        """Clients of which nobody can tell whether they got some of the burst, sorted."""
        return sorted({v.sub.client for v in self.verdicts if v.unknown})

    @property
    def missed(self) -> list[str]:
        """Servers with somebody who asked for the message that it did not come to, sorted."""
        return sorted({v.missed for v in self.verdicts if v.missed})

    @property
    def differs(self) -> list[Verdict]:
        """Where the trace and the matcher differ."""
        return [v for v in self.verdicts if v.differs]

    @property
    def key(self) -> str:
        """The key of the mark that stands for what is shown."""
        return f"msg/{self.message.id}" if self.message else "burst" if self.burst else "field"


def shown_of(state: State) -> Shown:
    """The selected message, or else the newest, be it traced or counted."""
    message, burst = state.last, None
    chosen = next((m for m in state.messages if f"msg/{m.id}" == state.selection), None)
    if chosen is not None:
        message = chosen
    elif state.burst.count and (message is None or state.burst.n > message.n):
        message, burst = None, state.burst
    hidden = sum(1 for s in state.subs.values() if s.open and state.hides(s.subject))
    subs = [s for s in state.subs.values() if not state.hides(s.subject) and state.concerns(s.subject)]
    if message is not None:
        return Shown(message, None, message.subject, _traced(state, message, subs), hidden)
    subject = burst.subject if burst is not None else ""
    verdicts = []
    for sub in subs:
        if not sub.open and not (burst and sub.burst):
            continue
        v = Verdict(
            sub, True, bool(subject) and matches(sub.subject, subject), burst is not None and sub.burst > 0
        )
        if burst is not None:
            if v.got:
                v.note = f"+{amount(sub.burst)}"
            elif not v.matched:
                _why_not(v, subject)
        verdicts.append(v)
    if burst is not None:
        served = {(v.sub.subject, v.sub.queue) for v in verdicts if v.got and v.sub.queue}
        for v in verdicts:
            met = any(matches(v.sub.subject, s) for s in burst.subjects)
            # One message goes to one member of a queue group.
            over = burst.count == 1 and (v.sub.subject, v.sub.queue) in served
            if v.sub.foreign and met and not over:
                v.unknown, v.note = True, "not a client of this lab"
                v.why, v.short, v.fail = [], [], -1
    return Shown(None, burst, subject, verdicts, hidden)


def _traced(state: State, message: Message, subs: list[Subscription]) -> list[Verdict]:
    subject = message.subject
    routed = not message.error and not message.lost
    crossed = any(h.step in ("export", "import") for h in message.hops)
    home = state.accounts.get(message.publisher, "")
    several = len(state.servers) > 1
    visited = {h.place for h in message.hops if h.place}
    egress = [h for h in message.hops if h.step == "egress" and h.via not in LINKS]
    waiting: dict[tuple[str, str, str], list[Hop]] = {}
    for step in egress:
        waiting.setdefault((step.client, step.sub, step.queue), []).append(step)

    out: list[Verdict] = []
    for sub in sorted(subs, key=lambda s: (not s.there(message.n), s.was, s.sid)):
        there = sub.there(message.n)
        hops = waiting.get((sub.client, sub.subject, sub.queue), [])
        hop = hops.pop(0) if hops else None
        if not there and not sub.open and hop is None:
            continue
        away = state.accounts.get(sub.client, home)
        same = crossed or not home or not away or away == home
        # What the trace reached was there, even if its subscribe is on the tape later.
        there = there or hop is not None
        rule = routed and there and same and matches(sub.subject, subject)
        v = Verdict(sub, there, rule, hop is not None and not hop.error)
        v.hop = hop
        if hop is not None and hop.error:
            v.why = [(hop.error, "")]
        elif v.got:
            where = f"at {hop.place}" if several and hop is not None and hop.place else ""
            v.note = where if sub.open else ", ".join(w for w in ("left since", where) if w)
        elif not there:
            v.why = [("was away" if sub.spans[0][0] < message.n else "joined later", "")]
        elif not same:
            v.why = [("is in another account", "")]
        elif routed and not rule:
            _why_not(v, subject)
        elif several and rule and not sub.queue and state.places.get(sub.client, "") not in ("", *visited):
            v.missed = state.places[sub.client]
            v.why = [(f"{v.missed} did not get it", "")]
        out.append(v)

    began = message.hops[0].t if message.hops else message.t
    # Every server that it went on to has told its part.
    onward = {h.hop for h in message.hops if h.step == "egress" and h.via in LINKS and not h.error}
    told = {h.hop for h in message.hops if h.step == "in" and h.hop}
    whole = onward <= told and len(message.hops) < HOPS and not message.torn
    members: dict[tuple[str, str], list[Verdict]] = {}
    for v in out:
        if v.sub.queue:
            members.setdefault((v.sub.subject, v.sub.queue), []).append(v)
    for group in members.values():
        alive = sum(v.there for v in group)
        served = any(v.got or (v.why and v.matched) for v in group)
        for v in group:
            if v.matched and not served and not v.why and began - v.sub.since < RACE:
                v.why = [("subscribed at that moment", "")]
            if v.got:
                v.note = f"chosen, 1 of {alive}" + (f", {v.note}" if v.note else "")
            v.differs = whole and not message.dry and (v.got if not v.matched else not served and not v.why)
    for v in out:
        if not v.sub.queue and whole and not crossed:
            if v.matched and not v.got and not v.why:
                if 0 < v.sub.limit <= v.sub.received:
                    v.why = [(f"had the {amount(v.sub.limit)} it asked for", "")]
                elif began - v.sub.since < RACE:
                    v.why = [("subscribed at that moment", "")]
            v.differs = v.got if not v.matched else not v.got and not v.why
        if v.differs and not v.why:
            v.why = [("the matcher says no" if v.got else "matches, not delivered", "")]
    return out


def _why_not(v: Verdict, subject: str) -> None:
    """Fill in why a pattern does not match, and at which of its tokens."""
    wanted, given = tokens(v.sub.subject), tokens(subject)
    for i, want in enumerate(wanted):
        if i >= len(given):
            v.fail = i
            if want == ">":
                v.why = [("wants more after ", ""), (given[-1], "mono")]
            else:
                v.why = [(f"wants {count_of(len(wanted), 'token')}, got {len(given)}", "")]
            v.short = [("too short", "")]
            return
        if want not in ("*", ">", given[i]):
            v.fail = i
            v.why = [("wants ", ""), (want, "mono"), (", got ", ""), (given[i], "mono")]
            v.short = [("wants ", ""), (want, "mono")]
            return
    v.fail = len(wanted) - 1
    v.why = [(f"wants {count_of(len(wanted), 'token')}, got {len(given)}", "")]
    v.short = [("too long", "")]
