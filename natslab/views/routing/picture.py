"""The routing picture: publishers, the server with the tree of patterns, subscriptions, streams."""

from __future__ import annotations

from typing import Literal

import msgspec

from natslab.tape.subject import tokens
from natslab.views.layout import Point, around, straight
from natslab.views.marks import port
from natslab.views.routing.mapping import CARD_R, card
from natslab.views.routing.plan import SLIM, TOP, Leaf, Node, Plan, half_gap, plan_of, walk
from natslab.views.routing.rows import Layers, beside, rows_of
from natslab.views.routing.state import Message, Publisher, State, Stream, is_delivery
from natslab.views.routing.strip import strip_of
from natslab.views.routing.verdicts import Shown, shown_of
from natslab.views.routing.words import note_of, sentence_of
from natslab.views.scene import (
    NARROW,
    WIDTH,
    Flight,
    Group,
    Legend,
    Mark,
    Path,
    Rect,
    Scene,
    Text,
    label,
    points_path,
)
from natslab.views.view import blank
from natslab.views.wording import count_of, fit, plain, wide

TITLE = "Routing"
UP = ("up", "starting", "lame duck")
#: How a way from one server to another looks in the strip.
WAYS: dict[str, Literal["line", "twin", "dashed"]] = {
    "route": "line",
    "gateway": "twin",
    "leafnode": "dashed",
}
SOURCES = "seen by the server's message trace"


def draw(state: State) -> Scene:
    """The picture of the shown message."""
    shown = shown_of(state)
    plan = plan_of(state, shown)
    pubs = _pub_rows(state, shown, plan)
    low = max([plan.bottom] + [y + 30 for _, y in pubs])
    streams = _stream_rows(state, shown)
    band = low + 8
    bottom = band + 50 * len(streams) + (8 if streams else 4)

    for name, y in pubs:
        if _on(shown, pubs, name):
            plan.gate = _into(state, shown, plan, name, y)[-2][1]
            break
    for leaf in plan.leaves:
        leaf.lights.append(shown.key)
        leaf.lights += [f"{way}/{name}" for name in active_of(shown) for way in ("pub", "way/in")]

    cards = card(state, shown, plan.root.y)
    for leaf in plan.leaves:
        leaf.lights += [mark.key for mark in cards]
    layers = Layers()
    _tree(plan, shown, layers)
    rows_of(plan, shown, layers)
    _publishers(state, shown, plan, pubs, layers)
    _streams(state, shown, plan, streams, band, layers)
    layers.things += cards
    up = state.servers.get(_server(state, shown), "up") in UP
    box = [
        Rect(
            key="srv/box",
            x=plan.at.box,
            y=TOP,
            w=plan.at.box_r - plan.at.box,
            h=round(bottom - TOP, 2),
            r=12,
            classes="edge hair base-floor" if up else "edge ink3 base-floor dash",
        ),
        *_heads(state, shown, plan, pubs),
    ]
    strip, height = strip_of(state, shown, bottom, plan.at.right)
    sources = SOURCES if len(state.servers) < 2 else SOURCES.replace("server's", "servers'")
    scene = blank(state, "routing", TITLE, sources if shown.burst is None else "counted by the lab's clients")
    scene.height = round(height, 2)
    scene.width = NARROW if plan.at is SLIM else WIDTH
    scene.sentence, scene.note = sentence_of(state, shown), note_of(state, shown)
    scene.marks = [*box, *layers.thin, *layers.thick, *layers.things, *strip]
    scene.flights, scene.legend = _flights(state, shown, plan, pubs), _legend(shown)
    return scene


def _server(state: State, shown: Shown) -> str:
    """The server that the picture looks into: the only one, or where the shown message came in."""
    if len(state.servers) == 1:
        return next(iter(state.servers))
    hops = shown.message.hops if shown.message is not None else []
    return hops[0].place if hops else ""


def _box_words(state: State, shown: Shown) -> str:
    """What the box in the middle is."""
    server = _server(state, shown)
    if not state.servers:
        return "no server"
    if len(state.servers) == 1:
        if state.servers[server] not in UP:
            return f"{server} is {state.servers[server]}"
        return f"nats-server {server}"
    return f"in at {server}" if server else count_of(len(state.servers), "server")


def _heads(state: State, shown: Shown, plan: Plan, pubs: list[tuple[str, float]]) -> list[Mark]:
    """The line of small headings, and the subject over the columns of its tokens."""
    y, at = 157.0 if not plan.low else 139.0, plan.at
    room = at.text - at.box - 26 if at is SLIM else 420 if plan.low else 130
    n = len(_names(state, shown))
    pubs_ = count_of(n, "publisher") if n else "no publisher yet"
    words = _box_words(state, shown)
    subs = count_of(len(shown.verdicts), "subscription") if shown.verdicts else "no subscription yet"
    marks: list[Mark] = [
        label("head/pubs", 24, y, pubs_ if at is not SLIM else fit(pubs_, at.box - 24, "t11"), "t11 ink3"),
        label("srv/name", at.box + 13.5, y, fit(words, room, "t11"), "t11 ink3"),
        label("head/subs", plan.at.text, y, fit(subs, plan.at.right - plan.at.text, "t11"), "t11 ink3"),
    ]
    if shown.hidden:
        verb = "is" if shown.hidden == 1 else "are"
        words = f"{count_of(shown.hidden, 'inbox', 'inboxes')} {verb} not drawn"
        marks.append(
            label(
                "head/hidden",
                plan.at.text,
                plan.bottom + 12,
                fit(words, plan.at.right - plan.at.text, "t11"),
                "t11 ink3",
            )
        )
    counted = state.published or any(v.sub.received for v in shown.verdicts)
    if counted and shown.verdicts and at is not SLIM:
        marks.append(label("head/received", plan.at.right, y, "received", "t11 ink3 end"))

    top = 148.5 if plan.low else 136.5
    first = plan.lefts[0]
    named = first - 76 > plan.at.box + 112 and at is not SLIM
    left = first - 76 if named else first - 14
    right = plan.at.tree + 10
    base = top + 21.5
    inner: list[Mark] = [
        Rect(key="field/box", x=left, y=top, w=right - left, h=33, r=8, classes="edge line base-ground")
    ]
    given = tokens(shown.subject) if shown.subject else []
    lost = shown.message is not None and shown.message.outcome in ("refused", "lost")
    if lost and shown.message is not None:
        given = tokens(shown.message.published_as)
    if named:
        inner.append(label("field/label", left + 14, base - 1, "subject", "t11 ink3"))
    if given:
        inner += _subject_tokens(plan, given, base)
    else:
        inner.append(label("field/none", (first + right) / 2 - 5, base - 1, "none yet", "t12 ink3 middle"))
    what = f"The subject of the shown message: {plain('.'.join(given))}" if given else "No message yet."
    marks.append(
        Group(
            key=shown.key, marks=inner, title=what, state={"subject": shown.subject, "reached": shown.reached}
        )
    )
    return marks


def _subject_tokens(plan: Plan, given: list[str], base: float) -> list[Mark]:
    texts = [".".join(given[a:b]) for a, b in plan.groups if given[a:b]]
    if len(plan.groups) and len(given) > plan.groups[-1][1]:
        texts[-1] += "." + ".".join(given[plan.groups[-1][1] :])
    for size in ("t16", "t15", "t14", "t13", "t12"):
        type_ = f"{size} mono w6"
        if all(
            wide(t, type_) <= plan.widths[i] + min(plan.gap - 16, 20 if i else 12)
            for i, t in enumerate(texts)
        ):
            break
    marks: list[Mark] = []
    for i, text in enumerate(texts):
        middle = plan.lefts[i] + plan.widths[i] / 2
        room = plan.widths[i] + min(plan.gap - 16, 20 if i else 12)
        marks.append(label(f"field/{i}", middle, base, fit(text, room, type_), f"{type_} middle"))
        if i + 1 < len(texts):
            dot = plan.lefts[i] + plan.widths[i] + plan.gap / 2
            marks.append(label(f"field/dot{i}", dot, base, ".", f"{size} mono w6 ink3 middle"))
    return marks


def _tree(plan: Plan, shown: Shown, layers: Layers) -> None:
    known = bool(shown.message or shown.burst)
    for node in walk(plan.root):
        x0 = plan.entry if node.kind == "root" else node.right
        trunk = plan.entry if node.kind == "root" else node.right + half_gap(plan, node)
        below = node.all_leaves()
        for child in node.sorted_nodes():
            points = [(x0, node.y), (trunk, node.y), (trunk, child.y)]
            if node.kind == "root":
                points = plan.into(child.y, child.taken)
            lights = _lit(child.all_leaves())
            layers.way(f"way/{child.key}", [*points, (child.left, child.y)], child.taken, light=lights)
        for leaf in node.leaves:
            points = [(x0, node.y), (trunk, node.y), (trunk, leaf.y)]
            end = plan.at.port if leaf.queue or leaf.lines == 1 else plan.at.fan
            layers.way(f"way/{leaf.key}", [*points, (end, leaf.y)], leaf.taken, light=_lit([leaf]))
        if node.kind != "root":
            layers.things.append(_pill(node, known, sum(leaf.size for leaf in below), _lit(below)))


def _lit(leaves: list[Leaf]) -> list[str]:
    """Everything on the way to some patterns, and who asks for them."""
    keys: dict[str, None] = {}
    for leaf in leaves:
        subs = [f"{way}{v.sub.key}" for v in leaf.verdicts for way in ("way/", "")]
        keys |= dict.fromkeys([*leaf.lights, leaf.key, f"{leaf.key}/head", f"{leaf.key}/gate", *subs])
    return list(keys)


def _pill(node: Node, known: bool, below: int, rows: list[str]) -> Group:
    w = round(node.right - node.left, 2)
    if node.taken:
        look, ink, width = "edge flight base-ground", "t12 mono w6", 2.0
    elif node.walked and known:
        look, ink, width = "edge ink3 base-ground", "t12 mono ink2", 1.0
    else:
        look, ink, width = "edge line base-ground", "t12 mono ink3" if known else "t12 mono ink2", 1.0
    key = node.key
    marks: list[Mark]
    if node.kind == "rest":
        d = f"M13 -13H{w - 10:g}L{w:g} 0L{w - 10:g} 13H13A13 13 0 0 1 13 -13Z"
        marks = [Path(key=f"{key}/box", d=d, classes=look + " round", width=width)]
        text = fit(node.text, w - 28, "t12 mono")
        marks.append(label(f"{key}/text", 16, 4.5, text, ink))
        x = 16 + wide(text, "t12 mono") + 8
        if x + wide("all the rest", "t11") < w - 8:
            marks.append(label(f"{key}/words", x, 4, "all the rest", "t11 ink3"))
    else:
        dash = "4 3" if node.kind == "star" else ""
        r = 13.0 if node.kind == "star" else 7.0
        marks = [Rect(key=f"{key}/box", x=0, y=-13, w=w, h=26, r=r, classes=look, width=width, dash=dash)]
        base = 6.0 if node.text == "*" else 4.5
        marks.append(label(f"{key}/text", w / 2, base, fit(node.text, w - 10, "t12 mono"), ink + " middle"))
    what = plain(".".join(node.prefix))
    return Group(
        key=key,
        x=round(node.left, 2),
        y=round(node.y, 2),
        marks=marks,
        title=f"{what}: {count_of(below, 'subscription')} from here on.",
        state={"pattern": what, "subscriptions": below},
        light=rows,
    )


PUBS = 5  # publishers drawn singly


def active_of(shown: Shown) -> list[str]:
    """Who published what is shown."""
    if shown.message is not None:
        return [shown.message.publisher]
    return list(shown.burst.publishers) if shown.burst is not None else []


def _names(state: State, shown: Shown) -> list[str]:
    """The publishers that this picture is about."""
    names = state.speakers
    return [*names, *(n for n in active_of(shown) if n not in names and shown.message is not None)]


def _pub_rows(state: State, shown: Shown, plan: Plan) -> list[tuple[str, float]]:
    """The publishers that are drawn, with their places; "" stands for all the others."""
    names = _names(state, shown)
    if len(names) > PUBS:
        active = active_of(shown)
        ranked = sorted(names, key=lambda n: (n not in active, -state.publishers.get(n, Publisher()).count))
        kept = set(ranked[: PUBS - 1])
        names = [*[n for n in names if n in kept], ""]
    if plan.card and len(names) > 1:
        # Who publishes through the mapping is level with its card, the others go by below.
        mapped = [n for n in names if n in state.publishers and state.publishers[n].mapped]
        middle = (len(names) - 1) // 2
        for name in sorted(mapped, key=lambda n: n in active_of(shown))[-1:]:
            at = names.index(name)
            names[at], names[middle] = names[middle], names[at]
    top = 208.0 if plan.low else 196.0
    pitch = 56.0
    if plan.card and len(names) > 1:
        pitch = max(pitch, plan.card_h / 2 + 16)
    return list(zip(names, around(len(names), plan.root.y, pitch, top, plan.bottom + 400), strict=True))


def _on(shown: Shown, pubs: list[tuple[str, float]], name: str) -> bool:
    """Whether this publisher, or one of those that are only counted (""), published what is shown."""
    active, drawn = active_of(shown), {n for n, _ in pubs}
    return name in active if name else any(a not in drawn for a in active)


def _into(state: State, shown: Shown, plan: Plan, name: str, y: float) -> list[Point]:
    """The way of a publisher to the entry of the tree: through the mapping, or past it."""
    root = plan.root.y
    message = shown.message
    if message is not None and message.publisher == name:
        mapped = bool(message.mapped_to) or message.lost
    else:
        mapped = name in state.publishers and state.publishers[name].mapped
    start = (plan.at.pub, y)
    if plan.card and mapped and abs(y - root) > 1:
        return [start, (plan.at.box + 8, y), (plan.at.box + 8, root), (plan.entry, root)]
    return [start, (plan.entry, y), (plan.entry, root)]


def _publishers(
    state: State, shown: Shown, plan: Plan, pubs: list[tuple[str, float]],
    layers: Layers,
) -> None:  # fmt: skip
    message = shown.message
    drawn = {name for name, _ in pubs}
    known = bool(shown.message or shown.burst)
    for name, y in pubs:
        key = f"pub/{name}" if name else "pub/more"
        who = state.publishers.get(name, Publisher())
        on = _on(shown, pubs, name)
        points = _into(state, shown, plan, name, y)
        if message is not None and on and _stop(plan, message) is not None:
            if plan.leaves:
                layers.way(f"way/in/{name}", [*points, (plan.entry + 10, plan.root.y)], False)
            layers.way(f"way/in/{name}/part", _cut(points, _stop(plan, message) or 0), True)
        elif on:
            own = points[-2][1]
            before = [p for p in points if p[0] < plan.entry]
            join = [(plan.entry, own), (plan.entry, plan.gate)] if own != plan.gate else []
            layers.way(f"way/in/{name}", [*before, (plan.entry - 10, own), *join], True)
        else:
            more = [(plan.entry + 10, plan.root.y)] if plan.leaves else []
            layers.way(f"way/in/{name}", [*points, *more], False)
        if name:
            subject = message.published_as if message is not None and on else who.subject
            title, second = plain(name), fit(subject, plan.at.pub - 33, "t11 mono")
            told = f"{title} published {count_of(who.count, 'message')}, the last to {plain(subject)}."
        else:
            others = [p for n, p in state.publishers.items() if n not in drawn and n in state.speakers]
            title, second = f"×{len(others)} more", ""
            sent = count_of(sum(p.count for p in others), "message")
            told = f"{count_of(len(others), 'more publisher')}: {sent}."
        layers.things.append(
            Group(
                key=key,
                x=24,
                y=round(y, 2),
                marks=[
                    port(f"{key}/port", plan.at.pub - 24, 0, on),
                    label(
                        f"{key}/name",
                        0,
                        -4,
                        fit(title, plan.at.pub - 33, "t14 w6", 3),
                        "t14 w6" if on or not known else "t14 ink3",
                    ),
                    label(f"{key}/subject", 0, 13, second, "t11 mono ink2" if on else "t11 mono ink3"),
                ],
                title=told,
                state={"client": name, "published": who.count},
                light=[f"way/in/{name}"],
            )
        )


def _stop(plan: Plan, message: Message) -> float | None:
    """Where on its way into the tree a message ended that nobody got; None if somebody or a stream did."""
    if message.outcome == "refused":
        return plan.at.box
    if message.outcome == "lost":
        return CARD_R
    if message.deliveries or message.captured:
        return None
    return plan.entry - 6 if plan.card else max(plan.entry - 34, plan.at.box + 16)


def _cut(points: list[Point], x: float) -> list[Point]:
    """The first part of a way, up to where it reaches `x`."""
    out = [points[0]]
    for p in points[1:]:
        if p[0] >= x:
            return [*out, (x, out[-1][1])]
        out.append(p)
    return out


def _stream_rows(state: State, shown: Shown) -> list[str]:
    """Streams that took a copy of the shown message, or of any that is still kept."""
    names = {s for m in state.messages for s in m.captured}
    if shown.burst is not None:
        names |= set(shown.burst.streams) & set(state.streams)
    here = set(shown.message.captured) if shown.message is not None else set()
    kept = sorted(names, key=lambda n: (n not in here, n))[:3]
    return sorted(kept)


SLOT, SLOTS, FEW = 22, 12, 3  # from message to message; how many, also in a narrow picture


def _streams(
    state: State, shown: Shown, plan: Plan, names: list[str], band: float,
    layers: Layers,
) -> None:  # fmt: skip
    here = shown.message.captured if shown.message is not None else []
    if shown.burst is not None:
        here = shown.burst.streams
    newest, left = plan.at.tree - 9, plan.at.box + 13.5
    room = 144.0
    if len(names) > 1 and plan.entry < left + room:  # the ways to those below pass by
        room -= plan.entry + 8 - left
        left = plan.entry + 8
    narrow = plan.at is SLIM
    most = FEW if narrow else SLOTS
    for i, name in enumerate(names):
        stream = state.streams.get(name, Stream())
        y = band + 32 + 50 * i
        got = name in here
        turn = newest - SLOT * most - 6 if i else newest
        points = plan.into(band + 6, got)
        if i:
            points = [*plan.into(y - 15, got), (newest, y - 15), (newest, y - 9)]
        else:
            points += [(turn, band + 6), (turn, y - 9)]
        layers.way(f"way/store/{name}", points, got)
        count = max(stream.messages, 1)
        slots = min(most, count)
        marks: list[Mark] = []
        for k in range(slots):
            x = newest - SLOT * k
            filled = got and k == 0 and not (shown.message and shown.message.dry)
            marks.append(
                Rect(
                    key=f"msg/{name}/{max(stream.last, count) - k}", x=x - 8.25, y=-8.25, w=16.5, h=16.5,
                    r=3, width=1.5, classes="fill edge stored" if filled else "edge stored base-ground",
                )
            )  # fmt: skip
        what = ", ".join(stream.subjects)
        tally = count_of(stream.messages, "message")
        title = fit(name, 100 if narrow else room - wide(tally, "t11"), "t14 w6")
        runs = [(title, "t14 w6" if got else "t14 ink3")]
        runs = runs if narrow else beside(runs, [(tally, "t11 ink3")])
        marks.append(Text(key=f"stream/{name}/name", x=left, y=1, runs=runs))
        if narrow:
            marks.append(label(f"stream/{name}/what", left, 17, fit(tally, 110, "t11"), "t11 ink3"))
        elif what:
            subjects = fit(what, room - 56, "t11 mono")
            runs = [("stream of ", "t11 ink3"), (subjects, "t11 mono ink3")]
            marks.append(Text(key=f"stream/{name}/what", x=left, y=17, runs=runs))
        layers.things.append(
            Group(
                key=f"stream/{name}",
                y=round(y, 2),
                marks=marks,
                title=f"The stream {plain(name)} keeps a copy of {plain(what) or 'what it captures'}: "
                f"{count_of(stream.messages, 'message')}.",
                state={"stream": name, "messages": stream.messages},
                light=[f"way/store/{name}"],
            )
        )


def _flights(state: State, shown: Shown, plan: Plan, pubs: list[tuple[str, float]]) -> list[Flight]:
    """The shown message on its way: to the fork, and from there a copy to each receiver."""
    message = shown.message
    if message is None:
        return []
    places = dict(pubs)
    y = places.get(message.publisher, places.get("", plan.root.y))
    group = f"msg/{message.id}"
    way = _into(state, shown, plan, message.publisher, y)
    t0, t1 = message.t, message.t + message.took
    also = _followed(state, message)
    end = _stop(plan, message)
    if end is not None:
        way = straight(_cut(way, end))
        word = {"refused": "refused", "lost": "lost"}.get(message.outcome, "gone")
        return [
            Flight(
                key=f"fly/{message.id}", d=points_path(way), x=way[-1][0], y=way[-1][1], t0=t0, t1=t1,
                group=group, end="refused" if word == "refused" else "lost", classes="dead fill", label=word,
                title=f"{plain(message.published_as)} ended here.",
            )
        ]  # fmt: skip
    out: list[Flight] = []
    for leaf in plan.leaves:
        for i, v in enumerate(leaf.verdicts):
            if not v.got or v.hop is None:
                continue
            y = leaf.line_y(i)
            points, rest = [*leaf.points[:-1], (plan.at.port, leaf.y)], plan.at.port - 20
            if leaf.queue:
                points, rest = (
                    [*points, (plan.at.hull, leaf.y), (plan.at.hull, y), (plan.at.member, y)],
                    plan.at.member - 15,
                )
            elif leaf.lines > 1:
                points, rest = (
                    [*points[:-1], (plan.at.fan, leaf.y), (plan.at.fan, y), (plan.at.port, y)],
                    plan.at.port - 15,
                )
            d = points_path(straight([*way, *points[:-1], (rest, y)]))
            title = f"A copy for {plain(v.sub.client)}."
            copy = Flight(
                key=f"fly/{message.id}/{v.sub.key}", d=d, x=rest, y=round(y, 2), t0=v.hop.t, t1=t1,
                group=group, title=title,
            )  # fmt: skip
            out.append(copy)
            for k, other in enumerate(also):
                out.append(
                    msgspec.structs.replace(
                        copy,
                        key=f"fly/{other.id}/{v.sub.key}",
                        group=f"msg/{other.id}",
                        t0=other.t,
                        t1=other.t + other.took,
                        delay=round(0.12 * k, 2),
                    )
                )
    return sorted(out, key=lambda f: (f.t0, f.key))


def _followed(state: State, message: Message) -> list[Message]:
    """Messages that went the same way at the same time; a still shows them under the shown one."""
    ways = _ends(message)
    return [
        m
        for m in state.messages[-8:]
        if m is not message and 0 <= message.t - m.t < 0.5 and state.now - m.t < 1
        if (m.publisher, m.mapped_to) == (message.publisher, message.mapped_to) and _ends(m) == ways
    ]


def _ends(message: Message) -> set[tuple[str, str, str]]:
    return {(h.client, h.sub, h.queue) for h in message.hops if is_delivery(h)}


def _legend(shown: Shown) -> list[Legend]:
    out: list[Legend] = []
    message = shown.message
    if message is None and shown.burst is None:
        waiting = len(shown.verdicts)
        return [Legend("ink2 edge base-ground", "ring", "waiting", waiting)] if waiting else out
    if message is not None and message.deliveries:
        out.append(Legend("flight fill", "circle", "delivered", message.deliveries))
    missed = sum(1 for v in shown.verdicts if not v.got and not v.unknown)
    if shown.burst is not None:
        out.append(Legend("flight edge", "line", "a way with counted messages"))
    for via, glyph in WAYS.items():
        ways = (
            sum(h.step == "egress" and h.via == via and not h.error for h in message.hops) if message else 0
        )
        if ways:
            out.append(Legend("edge flight", glyph, via if ways == 1 else f"{via}s", ways))
    if message is not None and message.stored_in:
        out.append(Legend("stored fill", "square", "stored", len(message.stored_in)))
    if message is not None and not message.deliveries and not message.stored_in:
        out.append(
            Legend("dead fill", "circle", message.outcome if message.outcome != "nobody" else "gone", 1)
        )
    if missed:
        out.append(Legend("ink3 edge base-ground", "ring", "not reached", missed))
    if shown.differs:
        out.append(Legend("dead fill", "diamond", "trace and matcher differ", len(shown.differs)))
    return out
