"""The requests view in words: the sentence, the note under it, and the table."""

from __future__ import annotations

from natslab.views.requests.plan import shown_of
from natslab.views.requests.state import OUTCOMES, Request, State
from natslab.views.view import Table, unheard
from natslab.views.wording import SENTENCE, in_words, listed, short_name


def time_of(seconds: float) -> str:
    """A duration in milliseconds or seconds, as exactly as it is worth."""
    ms = 1000 * seconds
    if ms < 0.095:
        return f"{ms:.2f} ms"
    if ms < 9.95:
        return f"{ms:.1f} ms"
    return f"{ms:.0f} ms" if ms < 999.5 else f"{seconds:.1f} s"


def _empty(state: State) -> tuple[str, str]:
    if unheard(state):
        return unheard(state), "Requests appear here when one is up."
    if state.of:
        return f"No request yet for {listed([short_name(o, 30) for o in state.of])}.", ""
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


def lasted(r: Request) -> float:
    """Seconds until the message came that decided it; `took` adds the requester's own time."""
    if r.outcome == "no responders" and r.refused:
        return r.refused - r.t
    came = sorted(x.came for x, fate in zip(r.replies, r.fates, strict=True) if fate == "answer" and x.came)
    if r.outcome in ("answered", "error") and came:
        return came[-1] - r.t
    return r.took or max(0.0, r.ended - r.t)


def headline_of(state: State) -> str:
    """The same with times."""
    if not state.total:
        return describe(state)[0]
    parts = []
    for outcome, n in state.outcomes.items():
        words = {"no responders": "refused at once"}.get(outcome, OUTCOMES[outcome])
        known = [lasted(r) for r in state.asked.values() if r.outcome == outcome]
        if outcome == "answered" and len(known) == n:
            low, high = time_of(min(known)), time_of(max(known))
            if low == high:
                words += f" in {low}"
            elif low[-3:] == high[-3:]:
                words += f" in {low[:-3].strip()} to {high}"
            else:
                words += f" in {low} to {high}"
        parts.append((in_words(n) if state.total > 1 else "", words))
    told = ", ".join(f"{n} {words}".strip() for n, words in parts)
    sentence = f"{state.total} request{'s' if state.total > 1 else ''}: {told}."
    return sentence if len(sentence) <= SENTENCE else describe(state)[0]


def _note(state: State) -> str:
    """One thing to learn from what is there; the rarest first."""
    asked = state.requests
    refused = [r for r in asked if r.outcome == "no responders"]
    failed = [r for r in asked if r.outcome == "error"]
    silent = [r for r in asked if r.outcome == "timeout"]
    gathered = [r for r in asked if r.answers > 1]
    discarded = sum(r.discarded for r in asked)
    if refused:
        subject = short_name(refused[-1].subject, 24)
        return f"No responders is not a timeout. The server knows at once that nobody listens to {subject}."
    if failed:
        return "An error is an answer too: the header Nats-Service-Error says so, the body need not."
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
        return f"Each request goes to one member of the queue group {short_name(next(iter(queues)))}."
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
    shown, older = shown_of(state)

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


def verdict_of(r: Request) -> tuple[str, str]:
    """The verdict, and the reason under it."""
    took = time_of(lasted(r))
    by = short_name(r.by, 14)
    if r.outcome == "answered" and r.answers > 1:
        return f"{r.answers} answers in {took}", f"the first from {by}" if by else ""
    if r.outcome == "answered":
        queue = r.legs[r.by].queue if r.by in r.legs else ""
        rivals = sum(q == queue for q in r.among.values()) if queue else len(r.legs)
        reason = f"by {by}" if by else "by the server itself" if not r.legs else ""
        if reason and rivals > 1:
            reason += f", one of {in_words(rivals)}" if queue else f", the first of {in_words(rivals)}"
        return f"answered in {took}", reason
    if r.outcome == "error":
        return f"failed in {took}", short_name(f"{by}: {r.error}" if by else r.error, 44)
    if r.outcome == "no responders":
        return f"refused in {took}", "no responders"
    got = [leg.who for leg in r.legs.values()]
    who = short_name(got[0], 14) if len(got) == 1 else f"{len(got)} responders"
    if r.outcome == "timeout":
        word = f"timed out after {took}"
        if r.answers:
            return word, f"with {in_words(r.answers)} of the answers"
        if r.late:
            late = next(
                (short_name(x.by, 14) for x, f in zip(r.replies, r.fates, strict=True) if f == "late"), ""
            )
            return word, f"it may still be done: {late} was only slow" if late else "it may still be done"
        if not got:
            return word, "nobody is known to have it"
        return word, f"it may still be done: {who} got it"
    if r.outcome == "abandoned":
        return "abandoned", f"{short_name(r.requester, 14)} closed its connection"
    return "waiting", f"{who} {'works' if len(got) == 1 else 'work'} on it" if got else ""
