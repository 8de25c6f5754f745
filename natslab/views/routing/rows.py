"""The right side of the routing picture: subscriptions, queue groups, and why one was not reached."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from natslab.tape.subject import tokens
from natslab.views.layout import Point, straight
from natslab.views.marks import port
from natslab.views.routing.plan import MEMBER, PITCH, SLIM, Leaf, Places, Plan
from natslab.views.routing.verdicts import Run, Shown, Verdict
from natslab.views.scene import Group, Mark, Path, Rect, Text, label, points_path
from natslab.views.wording import amount, count_of, fit, isolate, plain, wide


@dataclass
class Layers:
    """Marks of one picture, from the ground up: ways not taken, ways taken, and what stands on them."""

    thin: list[Mark] = field(default_factory=list)
    thick: list[Mark] = field(default_factory=list)
    things: list[Mark] = field(default_factory=list)

    def way(self, key: str, points: list[Point], taken: bool, **more: Any) -> None:
        """Draw a way that messages take; the shown one did if it is `taken`."""
        r = 8 if key.startswith("way/sub/") else 10
        path = Path(
            key=key,
            d=points_path(straight(points), r),
            classes="way edge flight" if taken else "way edge line",
            width=3 if taken else 1,
            **more,
        )
        (self.thick if taken else self.thin).append(path)


def rows_of(plan: Plan, shown: Shown, layers: Layers) -> None:
    """Draw all subscriptions, each at its port."""
    known, at = bool(shown.message or shown.burst), plan.at
    for leaf in plan.leaves:
        if leaf.queue:
            _hull(leaf, at, known, layers)
        elif leaf.lines == 1 and leaf.verdicts:
            layers.things.append(_row(leaf, at, leaf.verdicts[0], known))
        else:
            layers.things.append(_head(leaf, at, "", known))
            for i in range(leaf.lines):
                y = leaf.line_y(i)
                v = leaf.verdicts[i] if i < len(leaf.verdicts) else None
                got = v.got if v else any(m.got for m in leaf.more)
                key = v.sub.key if v else f"{leaf.key}/more"
                points = [(at.fan, leaf.y), (at.fan, y), (at.port, y)]
                layers.way(f"way/{key}", points, got)
                layers.things.append(_line(leaf, v, y, at.port, at.text, at.right, known))
    if plan.rest:
        hits = [v for v in plan.rest if v.got]
        y = plan.rest_y
        points = [*plan.into(y, bool(hits)), (at.port, y)]
        layers.way("way/sub/more", points, bool(hits))
        total = amount(sum(v.sub.received for v in plan.rest))
        words: list[Run] = [(f"×{amount(len(plan.rest))} more", "t13 w6" if hits else "t13 ink3")]
        if hits and at is not SLIM:
            words = beside(words, [(f"{amount(len(hits))} reached", "t11 ink2")])
        layers.things.append(
            Group(
                key="sub/more",
                x=at.port,
                y=round(y, 2),
                marks=[
                    _port("sub/more", bool(hits)),
                    Text(key="sub/more/name", x=at.text - at.port, y=4.5, runs=words),
                    label("sub/more/count", at.right - at.port, 4.5, total, "t11 num ink3 end"),
                ],
                title=f"{count_of(len(plan.rest), 'more subscription')} with other patterns.",
                light=["way/sub/more"],
            )
        )


def _area(key: str, height: float, width: float) -> Rect:
    """Ground behind a row, so that a pointer finds all of it."""
    return Rect(key=f"{key}/area", x=6, y=1 - height / 2, w=width - 6, h=height - 2, classes="fill ground")


def _port(key: str, on: bool, known: bool = True, differs: bool = False) -> Mark:
    """Where a way ends; a rhombus where the trace and the matcher differ."""
    if differs:
        return Path(
            key=f"{key}/port",
            d="M0 -7L7 0L0 7L-7 0Z",
            classes="fill dead halo",
            title="Δ The server's trace and the matcher differ here.",
        )
    return port(f"{key}/port", 0, 0, on or not known)


def beside(runs: list[Run], more: list[Run]) -> list[Run]:
    """Runs with a little room between, in one line of text, so that they keep together in any font."""
    return [*runs, ("\u2002\u2002", "t11"), *more] if more else runs


def _reason(v: Verdict, room: float) -> list[Run]:
    """Why not, in the longest form that fits `room` pixels."""
    for words in (v.why, v.short, [("no match", "")] if v.fail >= 0 else []):
        runs = [(isolate(plain(t)), "t11 mono ink2" if c else "t11 ink2") for t, c in words]
        if runs and sum(wide(t, c) for t, c in runs) <= room:
            return runs
    text = "".join(t for t, _ in v.why) or v.note
    if not v.why and wide(text, "t11") > room:
        text = text.split(",")[0]
    return [(fit(text, room, "t11"), "t11 ink2")] if text and room > 30 else []


def _pattern(pattern: str, fail: int, room: float, ink: str) -> list[Run]:
    """A pattern in `room` pixels; the token that failed is underlined and stays visible."""
    size = "t12 mono" if wide(pattern, "t12 mono") <= room else "t11 mono"
    classes = f"{size} {ink}"
    parts = tokens(pattern)
    if fail < 0 or fail >= len(parts):
        return [(fit(pattern, room, size), classes)]
    before = ".".join(parts[:fail]) + ("." if fail else "")
    after = ("." if fail + 1 < len(parts) else "") + ".".join(parts[fail + 1 :])
    if wide(pattern, size) > room:
        one = wide("x", size)
        failed = fit(parts[fail], room * 0.6, size)
        left = room - wide(failed, size)
        tail = fit(after, max(one, left * 0.4), size) if after else ""
        left -= wide(tail, size)
        before = before if wide(before, size) <= left else fit(before, max(one, left), size)
        runs = [(before, classes), (failed, f"{classes} under"), (tail, classes)]
        if wide(before, size) > left + one:
            runs = [(failed, f"{classes} under"), (tail, classes)]
    else:
        runs = [
            (isolate(plain(before)), classes),
            (isolate(plain(parts[fail])), f"{classes} under"),
            (isolate(plain(after)), classes),
        ]
    if sum(wide(t, c) for t, c in runs) > room + 12:
        # Marks around what runs from right to left take room too, as it is measured.
        return [(fit(pattern, room - 16, size), classes)]
    return [(t, c) for t, c in runs if t]


def _head(leaf: Leaf, at: Places, name: str, known: bool) -> Group:
    """The heading over several subscriptions: the queue's name, the pattern, why it does not match."""
    first = (leaf.verdicts or leaf.more)[0]
    got = leaf.taken
    right = at.right - 12 if leaf.queue else at.right
    ink = "ink2" if got or not known else "ink3"
    marks: list[Mark] = []
    missed = [v for v in leaf.verdicts if v.fail >= 0]
    why = missed[0] if missed and not got else None
    if name:
        look = "t14 w6" if got or not known else "t14 ink3"
        text = fit(name, min(110.0, right - at.text) if why else right - at.text, look)
        reason = _reason(why, right - at.text - wide(text, look) - 14) if why else []
        runs: list[Run] = [(text, look)]
        marks.append(Text(key=f"{leaf.key}/name", x=at.text, y=leaf.top + 22, runs=beside(runs, reason)))
        pattern = _pattern(leaf.pattern, first.fail if why else -1, right - at.text, ink)
        marks.append(Text(key=f"{leaf.key}/subject", x=at.text, y=leaf.top + 39, runs=pattern))
    else:
        room = right - at.text
        if why:
            room = max(room - 14 - wide("".join(t for t, _ in why.why), "t11"), 84)
        pattern = _pattern(leaf.pattern, first.fail if why else -1, room, ink)
        left = right - at.text - 14 - sum(wide(t, c) for t, c in pattern)
        runs = beside(pattern, _reason(why, left) if why else [])
        marks.append(Text(key=f"{leaf.key}/subject", x=at.text, y=leaf.top + 14, runs=runs))
    what = f"The queue group {plain(leaf.queue)}" if leaf.queue else "These subscriptions"
    verb = "ask" if not leaf.queue else "asks"
    return Group(
        key=f"{leaf.key}/head",
        marks=marks,
        title=f"{what} {verb} for {plain(leaf.pattern)}: {count_of(leaf.size, 'subscription')}.",
        light=leaf.lights,
    )


def _row(leaf: Leaf, at: Places, v: Verdict, known: bool) -> Group:
    """One subscription: its name over its subject, and why it was not reached."""
    key = v.sub.key
    strong = v.got or not known
    marks: list[Mark] = [_area(key, PITCH, at.right - at.port), _port(key, v.got, known, v.differs)]
    x0 = at.text - at.port
    width = at.right - at.text
    said = bool(v.why or v.note)
    look = "t14 w6" if strong else "t14 ink3"
    name = fit(v.sub.client, min(112.0, width) if said and wide(v.sub.client, look) > 90 else width, look, 3)
    runs: list[Run] = [(name, look)]
    aside = _reason(v, width - wide(name, look) - 14)
    marks.append(Text(key=f"{key}/name", x=x0, y=-4, runs=beside(runs, aside)))
    count = _tally(v, known)
    marks.append(label(f"{key}/count", at.right - at.port, 13, count, "t11 num ink3 end"))
    room = width - wide(count, "t11") - 10
    runs = _pattern(v.sub.subject, v.fail, room, "ink2" if strong else "ink3")
    marks.append(Text(key=f"{key}/subject", x=x0, y=13, runs=runs))
    return Group(
        key=key,
        x=at.port,
        y=round(leaf.y, 2),
        marks=marks,
        title=_told(v, known),
        state=_facts(v),
        light=leaf.lights,
    )


def _tally(v: Verdict, known: bool) -> str:
    return amount(v.sub.received) if known or v.sub.received else ""


def _line(
    leaf: Leaf, v: Verdict | None, y: float, port: float, text: float, right: float, known: bool
) -> Group:
    """One of several subscriptions to one pattern, on one line; without `v` those that are only counted."""
    if v is None:
        got = any(m.got for m in leaf.more)
        key = f"{leaf.key}/more"
        name, count = f"×{amount(len(leaf.more))} more", amount(sum(m.sub.received for m in leaf.more))
        title = f"{count_of(len(leaf.more), 'more subscription')} to {plain(leaf.pattern)}."
        facts: dict[str, Any] = {"count": len(leaf.more)}
    else:
        got, key, name, count = v.got, v.sub.key, v.sub.client, _tally(v, known)
        title, facts = _told(v, known), _facts(v)
    strong = got or not known
    marks: list[Mark] = [
        _area(key, MEMBER, right - port),
        _port(key, got, known, v is not None and v.differs),
    ]
    x0 = text - port
    room = right - text - wide(count, "t11") - 10
    said = v is not None and v.fail < 0 and bool(v.why or v.note)
    look = "t13 w6" if strong else "t13 ink3"
    name = fit(name, min(room, 96.0) if said else room, look, 3)
    runs: list[Run] = [(name, look)]
    aside = _reason(v, room - wide(name, look) - 14) if v is not None and said else []
    marks.append(Text(key=f"{key}/name", x=x0, y=4.5, runs=beside(runs, aside)))
    marks.append(label(f"{key}/count", right - port, 4.5, count, "t11 num ink3 end"))
    lights = [*leaf.lights, f"way/{key}", leaf.key, f"{leaf.key}/head", f"{leaf.key}/gate"]
    return Group(key=key, x=port, y=round(y, 2), marks=marks, title=title, state=facts, light=lights)


def _hull(leaf: Leaf, at: Places, known: bool, layers: Layers) -> None:
    """A queue group: a hull with a port on its edge, and a way to each member of which one is taken."""
    layers.things.append(
        Rect(
            key=leaf.key, x=at.port + 0.5, y=leaf.top + 0.5, w=at.right - at.port - 1,
            h=leaf.height - 1, r=12, classes="edge line none", light=leaf.lights,
            title=f"The queue group {plain(leaf.queue)}: one member gets each message.",
        )
    )  # fmt: skip
    layers.things.append(_head(leaf, at, leaf.queue, known))
    for i in range(leaf.lines):
        y = leaf.line_y(i)
        v = leaf.verdicts[i] if i < len(leaf.verdicts) else None
        got = v.got if v else any(m.got for m in leaf.more)
        key = v.sub.key if v else f"{leaf.key}/more"
        points = [(at.port, leaf.y), (at.hull, leaf.y), (at.hull, y), (at.member, y)]
        layers.way(f"way/{key}", points, got)
        layers.things.append(_line(leaf, v, y, at.member, at.member_text, at.right - 12, known))
    port = Group(
        key=f"{leaf.key}/gate", x=at.port, y=round(leaf.y, 2), marks=[_port(leaf.key, leaf.taken, known)]
    )
    layers.things.append(port)


def _told(v: Verdict, known: bool) -> str:
    """A row as a sentence."""
    who = f"{plain(v.sub.client)} asked for {plain(v.sub.subject)}"
    if v.sub.queue:
        who += f" in the queue group {plain(v.sub.queue)}"
    so_far = f"{count_of(v.sub.received, 'message')} so far."
    if not known:
        return f"{who}; {so_far}"
    if v.got:
        return f"{who} and got it; {so_far}"
    if v.unknown:
        return f"{who}; it is not known whether it got it: {plain(v.reason)}; {so_far}"
    why = f": {plain(v.reason)}" if v.reason else ""
    return f"{who} and did not get it{why}; {so_far}"


def _facts(v: Verdict) -> dict[str, Any]:
    return {
        "client": v.sub.client,
        "subject": v.sub.subject,
        "queue": v.sub.queue,
        "matched": v.word,
        "received": v.sub.received,
    }
