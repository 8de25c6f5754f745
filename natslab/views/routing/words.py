"""The routing view in words: the sentence, the note under it, and the table."""

from __future__ import annotations

from collections import Counter

from natslab.views.routing.plan import plan_of
from natslab.views.routing.state import GAP, LINKS, RECENT, Message, State, by_name
from natslab.views.routing.verdicts import Run, Shown, shown_of
from natslab.views.view import Table
from natslab.views.wording import amount, count_of, fit, in_words, listed, plain, short_name, wide

TABLE = 50  # subscriptions in a row of their own in the table


def _names(shown: Shown) -> list[str]:
    """Who got it, in words: plain subscribers, then the chosen members of queue groups."""
    got = [v for v in shown.verdicts if v.got]
    out = []
    for name, n in sorted(Counter(v.sub.client for v in got if not v.sub.queue).items()):
        out.append(name if n == 1 else f"{name} twice" if n == 2 else f"{name} several times")
    for v in sorted((v for v in got if v.sub.queue), key=lambda v: (v.sub.queue, v.sub.client)):
        queue, name = v.sub.queue, v.sub.client
        if shown.burst is not None and shown.burst.count > 1:
            out.append(name)
        elif queue.isalpha() and queue.endswith("s") and not queue.endswith("ss"):
            out.append(f"one {queue[:-1]}, {name}")
        else:
            out.append(f"{name} of {queue}")
    return [plain(n) if len(n) <= 40 else fit(n, 300, "t16") for n in out]


def sentence_of(state: State, shown: Shown) -> list[Run]:
    """What happened, in one line that fits."""
    if not state.servers and not state.subs and not state.published:
        return [("There is no server yet.", "")]
    if shown.message is None and shown.burst is None:
        n = len(shown.verdicts)
        about = f" to {fit(listed(list(state.of)), 240, 't16')}" if state.of else ""
        if not n:
            return [(f"Nobody subscribes yet, and nothing was published{about}.", "")]
        came = sum(v.sub.received for v in shown.verdicts)
        if came and not state.published:
            # Of two subscriptions, both may have got the same message.
            several = sum(v.sub.received > 0 for v in shown.verdicts) > 1
            what = f"{count_of(came, 'copy', 'copies')} of messages" if several else count_of(came, "message")
            if state.now - state.rush <= GAP:
                # Receivers tell at once, a publisher of the lab when it has sent all.
                return [(f"{what} came, and no client of this lab said yet that it sent them.", "")]
            return [(f"{what} came from clients this lab does not see.", "")]
        waits = "subscription waits" if n == 1 else "subscriptions wait"
        return [(f"Nothing was published{about} yet: {amount(n)} {waits}.", "")]
    if shown.burst is not None:
        burst = shown.burst
        if burst.count == 1:
            return _reached(shown, (fit(shown.subject, 330, "t15 mono"), "mono"), "reached")
        words = [(f"{count_of(burst.count, 'message')} to ", "")]
        if len(burst.subjects) == 1:
            words.append((fit(shown.subject, 330, "t15 mono"), "mono"))
        else:
            words.append(
                (f"{len(burst.subjects)}{'+' if len(burst.subjects) >= RECENT else ''} subjects", "")
            )
        return [*words, (", counted, not drawn singly.", "")]
    message = shown.message
    assert message is not None
    routed = message.outcome not in ("refused", "lost")
    subject = (fit(shown.subject if routed else message.published_as, 330, "t15 mono"), "mono")
    if message.outcome == "refused":
        return [("The server refused ", ""), subject, (".", "")]
    if message.outcome == "lost":
        return [subject, (" was lost in a mapping.", "")]
    return _reached(shown, subject, "would reach" if message.dry else "reached")


def _reached(shown: Shown, subject: Run, verb: str) -> list[Run]:
    if not shown.there:
        return [subject, (f" {verb} nobody: there is no subscription.", "")]
    unknown = shown.unknown
    if not shown.reached:
        if unknown:
            return [subject, (" was not traced, and it is not known who got it.", "")]
        if shown.there == 1:
            return [
                subject,
                (f" {'would' if verb.startswith('would') else 'did'} not reach the only subscription.", ""),
            ]
        return [subject, (f" {verb} none of {count_of(shown.there, 'subscription')}.", "")]
    least = "at least " if unknown else ""
    head = f" {verb} {least}{amount(shown.reached)} of {count_of(shown.there, 'subscription')}: "
    room = 846 - wide(*subject[:1], "t15 mono") - wide(head, "t16")
    names = _names(shown)
    kept = len(names)
    while kept > 1 and wide(_some(names, kept), "t16") > room:
        kept -= 1
    tail = _some(names, kept)
    return [subject, (f"{head}{fit(tail, room, 't16')}.", "")]


def _some(names: list[str], kept: int) -> str:
    """The first of some names, and how many more there are."""
    more = len(names) - kept
    if not more:
        return listed(names)
    return listed([*names[:kept], f"{in_words(more)} more" if more <= 12 else "others"])


def note_of(state: State, shown: Shown) -> list[Run]:
    """The second line: what happened on the way, in pieces as long as they fit."""
    pieces: list[list[Run]] = []
    message = shown.message
    down = [
        f"{n} is {s}" for n, s in sorted(state.servers.items()) if s not in ("up", "starting", "lame duck")
    ]
    if down:
        pieces.append([(f"{listed(down)} now.", "")])
    if not state.servers and not state.subs and not state.published:
        pieces.append([("Start one: ", ""), ("%natslab up", "mono")])
    elif message is None and shown.burst is None:
        what = "one" if not shown.verdicts else "a message"
        pieces.append([("This picture follows each message from its publisher to whoever subscribed.", "")])
        pieces.append([(f"Publish {what}: ", ""), ("%nats pub orders.new hello", "mono")])
    elif shown.burst is not None:
        if shown.burst.bulk:
            pieces.append([("Tracing each would slow it down; the clients count exactly.", "")])
        elif shown.burst.streams:
            where = plain(listed(sorted(shown.burst.streams)))
            pieces.append([(f"Stored in {where}; what a stream stores is not traced but counted.", "")])
        else:
            pieces.append([("The server did not trace this; the clients counted.", "")])
        if shown.burst.streams and shown.burst.bulk:
            pieces.append([(f"Stored in {plain(listed(sorted(shown.burst.streams)))}.", "")])
        elif not shown.reached and not shown.burst.streams and not shown.unknown:
            pieces.append([("No client received any of it.", "")])
        if shown.unknown:
            who = [plain(name) for name in shown.unknown]
            some = listed(who) if len(who) < 4 else "clients that are not the lab's"
            it = "it" if shown.burst.count == 1 else "any"
            pieces.insert(0, [(f"It is not known whether {some} got {it}.", "")])
    elif message is not None:
        pieces += _story(state, shown, message)
    out: list[Run] = []
    room = 852.0
    for piece in pieces:
        run = ([(" ", "")] if out else []) + piece
        need = sum(wide(t, "t12 mono" if "mono" in c else "t13") for t, c in run)
        if need <= room:
            out += run
            room -= need
        elif not out:
            out = [(fit("".join(t for t, _ in piece), room, "t13"), "")]
            room = 0
    return out


def _story(state: State, shown: Shown, message: Message) -> list[list[Run]]:
    pieces: list[list[Run]] = []
    stored = [plain(s) for s in message.captured]
    copy = f"a copy is stored in {listed(stored)}" if stored else ""
    if message.dry and copy:
        copy = f"a copy would be stored in {listed(stored)}"
    if message.outcome == "refused":
        return [[(f"In its words: {plain(message.error)}", "")]]
    if message.outcome == "lost":
        return [
            [("Its destinations leave a rest of the weight, and this message fell into it.", "")],
            [("Nothing told the publisher.", "")],
        ]
    if shown.differs:
        who = sorted({plain(v.sub.client) for v in shown.differs})
        pieces.append([(f"Δ The server's trace and the matcher differ: {listed(who[:4])}.", "")])
    if message.dry:
        pieces.append([("A dry run: nothing was delivered or stored.", "")])
    way = way_of(state, shown, message)
    if way:
        pieces.append([(way, "")])
    if message.mapped_to:
        piece = [("It was published as ", ""), (fit(message.published_as, 240, "t12 mono"), "mono")]
        pieces.append([*piece, (f", mapped on the way in{', and ' + copy if copy else ''}.", "")])
    if not shown.reached:
        if copy:
            if not message.mapped_to:
                pieces.append([(f"Nobody was listening, but {copy}.", "")])
        elif message.dry:
            pass
        elif message.reply:
            pieces.append(
                [("Nobody was listening, and the server told the requester so at once: no responders.", "")]
            )
        else:
            pieces.append(
                [("Nobody was listening: the message is gone, and nothing told the publisher.", "")]
            )
    elif copy and not message.mapped_to:
        pieces.append([(f"{copy[0].upper()}{copy[1:]}.", "")])
    refused = sorted({(h.stream, h.error) for h in message.hops if h.step == "store" and h.error})
    for stream, error in refused:
        pieces.append([(f"{plain(stream)} did not store it: {plain(error)}.", "")])
    return pieces


def way_of(state: State, shown: Shown, message: Message) -> str:
    """Which servers the message went through, and by what; "" where there is only one."""
    if len(state.servers) < 2 or not message.hops:
        return ""
    first = message.hops[0].place
    start = f"It came in at {short_name(first, 24)}"
    missed = listed([short_name(name, 24) for name in shown.missed[:3]]) if shown.missed else ""
    end = f"; {missed} did not get it." if missed else "."
    onward = [h for h in message.hops if h.step == "egress" and h.via in LINKS and not h.error]
    if not onward:
        return f"{start} and stayed there{end if missed else ': no other server asks for it.'}"
    parts: list[str] = []
    for place in dict.fromkeys(h.place for h in onward):
        by = []
        for via in dict.fromkeys(h.via for h in onward if h.place == place):
            names = [short_name(h.client, 24) for h in onward if h.place == place and h.via == via]
            more = [f"{len(names) - 4} more"] if len(names) > 4 else []
            by.append(f"by {via} to {listed([*names[:4], *more])}")
        begin = " and went " if place == first else f"; from {short_name(place, 24)} "
        parts.append(f"{begin}{listed(by)}")
    whole = f"{start}{''.join(parts)}{end}"
    if wide(whole, "t13") > 852:
        return f"{start} and went on to {count_of(len(onward), 'server')}{end}"
    return whole


def describe(state: State) -> tuple[str, str]:
    """Who got the message, and what happened to it on the way."""
    shown = shown_of(state)
    return "".join(t for t, _ in sentence_of(state, shown)), "".join(t for t, _ in note_of(state, shown))


def table(state: State) -> Table:
    """One row for each subscription, and one for the message."""
    shown = shown_of(state)
    plan = plan_of(state, shown)
    known = bool(shown.message or shown.burst)
    rows, keys = [], []
    ordered = sorted(shown.verdicts, key=lambda v: by_name(v.sub))
    for v in ordered[:TABLE]:
        rows.append(
            [
                v.sub.client,
                v.sub.subject,
                v.sub.queue,
                v.word if known else "",
                amount(v.sub.received),
                v.reason,
            ]
        )
        keys.append(plan.keys[v.sub.key])
    rest = ordered[TABLE:]
    if rest:
        some = f"{amount(sum(v.got for v in rest))} of {amount(len(rest))}" if known else ""
        rows.append(
            [f"{amount(len(rest))} more", "", "", some, amount(sum(v.sub.received for v in rest)), ""]
        )
        keys.append(plan.keys[rest[0].sub.key])
    note = "".join(t for t, _ in note_of(state, shown))
    least = "at least " if shown.unknown else ""
    reached = f"{least}{amount(shown.reached)} of {amount(shown.there)}" if rows else ""
    if shown.unknown and not shown.reached:
        reached = "not known"
    if not known and not state.published and any(v.sub.received for v in shown.verdicts):
        reached = ""  # there is no message that could be looked at
    if shown.burst is not None:
        subjects = count_of(len(shown.burst.subjects), "subject")
        note = f"{count_of(shown.burst.count, 'message')} to {subjects}. {note}"
    if rows or known:
        total = amount(sum(v.sub.received for v in shown.verdicts))
        subject = shown.subject or (shown.message.published_as if shown.message else "")
        rows.append(["all", subject, "", reached, total, note if known else ""])
        keys.append(shown.key)
    return Table(["subscription", "subject", "queue", "matched", "received", "why"], rows, keys)
