"""The queue view in words: the sentence, the note under it, and the table."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from natslab.views.queue.plan import PLAIN, order
from natslab.views.queue.state import ENOUGH, UNEVEN, Group, Lane, State, copies_of, homes_of
from natslab.views.view import Table, unheard
from natslab.views.wording import NOTE, SENTENCE, amount, count_of, in_words, listed, short_name


def verb(lane: Lane) -> str:
    """How a member that is gone went."""
    if lane.lost and not lane.slow:
        return "died"
    return "lost its connection" if lane.gone == "lost" else "left"


def share_of(lane: Lane) -> str:
    """A fair share with its two sigma: "14 ± 6"."""
    if lane.mean < ENOUGH:
        return f"{lane.mean:.1f} ± {2 * lane.sigma:.1f}"
    return f"{amount(round(lane.mean))} ± {amount(round(2 * lane.sigma))}"


def _there(group: Group) -> list[Lane]:
    """Members worth a word: those that are there, and those that got something."""
    return [lane for lane in group.lanes.values() if lane.count or lane.alive]


def spread(lanes: Sequence[Lane]) -> str:
    """The fewest and the most messages that one of them got."""
    low, high = min(lane.count for lane in lanes), max(lane.count for lane in lanes)
    return f"{amount(low)} to {amount(high)} each" if low < high else f"{amount(low)} each"


def describe(state: State) -> tuple[str, str]:
    """The shares and whether chance explains them; deaths, losses, and a second group in the note."""
    groups = list(state.groups.values())
    if not groups:
        if unheard(state):
            return unheard(state), "Queue groups appear here when one is up."
        if state.of:
            return f"No queue group yet for {listed([short_name(o, 30) for o in state.of])}.", ""
        return (
            "No queue group yet: nobody subscribes with a queue name.",
            "A subscription without a queue name gets its own copy of every message.",
        )
    sentence = _sentence(groups[0]) if len(groups) == 1 else _several(state, groups)
    note = ""
    for piece in _notes(state, groups):
        if not note or len(note) + 1 + len(piece) <= NOTE:
            note = f"{note} {piece}".strip()
    return sentence, note


def _sentence(group: Group) -> str:
    name, lanes, messages = short_name(group.name), _there(group), count_of(group.total, "message")
    if not group.total:
        k = len(group.alive)
        return f"{name} has {f'{k} members'[: None if k != 1 else -1]} and no message yet."
    if len(lanes) == 1 and not (group.total == 1 and len(group.lanes) > 1):
        return (
            f"{short_name(lanes[0].label)} is alone in {name}: it got {'all ' * (group.total > 1)}{messages}."
        )
    if group.total == 1:
        got = next(lane.label for lane in lanes if lane.count)
        return f"{name} shared 1 message: {short_name(got)} got it."
    counts = listed([amount(lane.count) for lane in lanes])
    if group.mixed or group.apart:
        return _first(
            f"{name} shared {messages}: {counts}.",
            f"{len(lanes)} members of {name} shared {messages}, {spread(lanes)}.",
            f"{len(lanes)} members shared {messages}.",
        )
    if not any(lane.var > 0 for lane in lanes):
        one = f"{name} handled {messages}, one member at a time"
        return _first(f"{one}: {counts}.", f"{one}.")
    verdict = "Too few to judge."
    if group.fair is False:
        verdict = "That is unlikely to be chance."
    elif group.fair:
        verdict = "That is a fair draw." if (group.p or 0) >= UNEVEN else "Lopsided, but chance does that."
    return _first(
        f"{name} shared {messages}{'' if group.fair is False else ' by chance'}: {counts}. {verdict}",
        f"{len(lanes)} members of {name} shared {messages}, {spread(lanes)}. {verdict}",
        f"{len(lanes)} members shared {messages}. {verdict}",
    )


def _first(*sentences: str) -> str:
    """The first that fits into the picture, else the last."""
    return next((s for s in sentences if len(s) <= SENTENCE), sentences[-1])


def _several(state: State, groups: list[Group]) -> str:
    some = f"{in_words(len(groups)).capitalize()} groups"
    named = f"{some}, {listed([short_name(g.name, 14) for g in groups])}" if len(groups) < 4 else some
    handled = [g for g in groups if g.issued]
    if not any(g.total for g in groups):
        end = f"no message yet for {'both' if len(groups) == 2 else 'any'}."
    elif len(handled) > 1 and all(g.issued == state.twice for g in handled):
        times = "twice" if len(handled) == 2 else f"{in_words(len(handled))} times"
        end = f"every message was handled {times}."
    elif state.twice:
        end = "some messages were handled more than once."
    else:
        end = f"they shared {listed([amount(g.total) for g in groups])} messages."
    return _first(f"{named}: {end}", f"{some}: {end}", f"{some} share messages.")


def _notes(state: State, groups: list[Group]) -> Iterator[str]:
    """What else is worth saying, the most important first."""
    near = [(a.name, b.name) for i, a in enumerate(groups) for b in groups[i + 1 :] if _typo(a.name, b.name)]
    if near:
        a, b = (short_name(n, 14) for n in near[0])
        yield f"{a} and {b} differ in one letter: another name is another group."
    elif len(groups) > 1 and state.twice:
        yield "Each group gets every message once; its members share."
    lanes = [(g, lane) for g in groups for lane in g.lanes.values()]
    hurt = [(g, lane) for g, lane in lanes if lane.lost]
    if len(hurt) == 1:
        yield _loss(*hurt[0])
    elif hurt:
        total = listed([amount(g.losses) for g in groups if g.losses])
        who = f" with {listed([short_name(lane.label, 12) for _, lane in hurt])}" if len(hurt) < 5 else ""
        yield f"{total} messages were lost{who}: core NATS never sends again."
    foreign = sorted({lane.client for _, lane in lanes if lane.foreign})
    if len(foreign) == 1:
        yield f"{short_name(foreign[0])} is not a client of this lab: the server counts it."
    elif foreign:
        yield "Some members are not clients of this lab: the server counts them."
    for group in groups:
        if len(groups) == 1 and group.fair is False:
            yield f"χ² is {group.chi2:.0f}: fewer than one fair draw in 1000 is as uneven."
        elif len(groups) == 1 and group.p is not None and group.p < UNEVEN:
            yield f"About one fair draw in {1 / group.p:.0f} is as uneven."
        if group.missed:
            it = "it" if group.missed == 1 else "them"
            came = f"{count_of(group.missed, 'message')} came"
            yield f"{came} while {short_name(group.name)} was empty: nobody got {it}."
        missing = _missing(state, group)
        if missing:
            yield f"{count_of(missing, 'message')} of {amount(group.issued)} reached no member."
    left = [(g, lane) for g, lane in lanes if lane.gone and not lane.lost]
    if left and not any(g.alive for g in groups):
        yield "All members have left." if len(left) > 1 else "It has left."
    elif len(left) == 1:
        group, lane = left[0]
        heirs = any(o.alive and o.opened <= lane.closed for o in group.lanes.values())
        after = "; the others took over" if group.seen > lane.went and heirs else ""
        yield f"{short_name(lane.label)} {verb(lane)} after message {amount(lane.went)}{after}."
    elif 1 < len(left) < 5:
        yield f"{listed([short_name(lane.label, 12) for _, lane in left])} left."
    late = [lane for _, lane in lanes if lane.came and lane.alive]
    if len(late) == 1:
        yield f"{short_name(late[0].label)} came after message {amount(late[0].came)}."
    if any(g.bulk for g in groups):
        yield "Counted in bulk: who got which message is not known."
    elif len(groups) == 1 and len(groups[0].alive) > 1 and not left:
        homes = homes_of(state, groups[0])
        if len(homes) < 2:
            yield "Each message goes to one member, chosen at random."
        elif groups[0].apart:
            yield "Members at the publisher's own server come first; others get it when there is none."
        else:
            yield "Members in the publisher's own cluster come first; others get it when there is none."


def _loss(group: Group, lane: Lane) -> str:
    name = short_name(lane.label)
    what = f"{count_of(lane.lost, 'message')} were" if lane.lost > 1 else "One message was"
    if lane.lost == 1 and lane.numbers:
        what = f"Message {lane.numbers[0]} was"
    if lane.slow:
        return f"{name} was too slow: {what[0].lower()}{what[1:]} thrown away unread."
    start = f"{name} {verb(lane)} after message {amount(lane.went)}. " if lane.gone else ""
    its, are = ("its", "is") if lane.lost == 1 else ("their", "are")
    end = "lost: core NATS never sends again."
    long = f"{start}{what} on {its} way to {'it' if start else name} and {are} {end}"
    return long if len(long) <= NOTE else f"{start}{what} {end}"


def _missing(state: State, group: Group) -> int:
    """Messages counted out but never in, when all that was under way must have arrived."""
    if group.mixed:
        return 0  # the server's count of a foreign member may be older
    return group.issued - group.total if group.bulk and state.now > group.last + 1 else 0


def _typo(a: str, b: str) -> bool:
    """Whether one letter more, less or other, or its case, makes one name of the other."""
    if a == b or min(len(a), len(b)) < 3:
        return False
    if a.lower() == b.lower():
        return True
    short, long = sorted((a, b), key=len)
    if len(long) - len(short) == 1:
        return any(long[:i] + long[i + 1 :] == short for i in range(len(long)) if not long[i].isdigit())
    odd = [(x, y) for x, y in zip(a, b, strict=False) if x != y]
    # w1 and w2 are two names, not a slip.
    return len(a) == len(b) and len(odd) == 1 and not (odd[0][0] + odd[0][1]).isdigit()


def table(state: State) -> Table:
    """One row per group, member and plain subscriber, in the order of the lanes."""
    found = Table(
        columns=["group", "member", "messages", "lost", "fair share", "what happened"], rows=[], keys=[]
    )

    def row(key: str, *cells: str) -> None:
        found.rows.append(list(cells))
        found.keys.append(key)

    for group in state.groups.values():
        name, k = group.name, len(_there(group))
        lost = amount(group.losses) if group.losses else ""
        members = f"{k} member{'' if k == 1 else 's'}"
        row(f"hull/{name}", name, members, amount(group.total), lost, "", verdict_of(state, group))
        shown, rest = order(state, group)
        for lane in shown:
            share, key = share_of(lane) if lane.var > 0 else "", f"lane/{name}/{lane.label}"
            row(key, name, lane.label, amount(lane.count), losses(lane), share, _fate(state, lane))
        if rest:
            hidden = sum(lane.lost for lane in rest)
            lost = amount(hidden) if hidden else ""
            total = amount(sum(lane.count for lane in rest))
            row(f"more/{name}", name, f"{len(rest)} more", total, lost, "", spread(rest))
    lanes = list(copies_of(state).values())
    for lane in lanes[:PLAIN]:
        # The server counts all that a foreign subscription got, whatever it was for.
        fate = ", ".join(s for s in ("" if lane.foreign else "a copy of each", _fate(state, lane)) if s)
        row(f"plain/{lane.label}", "", lane.label, amount(lane.count), losses(lane), "", fate)
    if len(lanes) > PLAIN:
        rest = lanes[PLAIN:]
        row("more/", "", f"{len(rest)} more", amount(sum(lane.count for lane in rest)), "", "", "copies")
    return found


def losses(lane: Lane) -> str:
    """How many messages were lost, with their numbers as far as known; "" if none."""
    numbers = ", ".join(amount(n) for n in lane.numbers)
    if lane.lost == len(lane.numbers) == 1 or not lane.lost:
        return numbers
    return f"{amount(lane.lost)} ({numbers})" if numbers else amount(lane.lost)


def place_of(state: State, lane: Lane) -> str:
    """The server that a lane's client is connected to, where there are several; else ""."""
    return state.places.get(lane.client, "") if len(state.clusters) > 1 else ""


def _fate(state: State, lane: Lane) -> str:
    parts = [f"at {place_of(state, lane)}"] if place_of(state, lane) else []
    if lane.foreign:
        parts.append("not a client of this lab")
    if lane.gone:
        parts.append(f"{verb(lane)} after message {amount(lane.went)}")
    elif lane.came:
        parts.append(f"came after message {amount(lane.came)}")
    return ", ".join(parts)


def verdict_of(state: State, group: Group) -> str:
    """Whether chance explains the shares, and what reached nobody; "" if nothing is to say."""
    parts = []
    if group.p is not None:
        words = "a fair draw"
        if group.fair is False:
            words = "fewer than 1 fair draw in 1000 is as uneven"
        elif group.p < UNEVEN:
            words = f"about 1 fair draw in {1 / group.p:.0f} is as uneven"
        parts.append(f"{spread(_there(group))}, χ² {group.chi2:.0f}: {words}")
    if group.missed:
        parts.append(f"{amount(group.missed)} while it was empty")
    if _missing(state, group):
        parts.append(f"{amount(_missing(state, group))} of {amount(group.issued)} reached no member")
    return "; ".join(parts)
