"""The lanes of the queue picture: bricks or bars of each member, over the band of fair shares."""

from __future__ import annotations

from typing import Any

from natslab.views import scene as sc
from natslab.views.layout import Point
from natslab.views.marks import port, rect
from natslab.views.queue.plan import (
    COPY,
    LANE,
    LEAST,
    PLAIN,
    SHOWN,
    TIGHT,
    TOP,
    WIDE,
    order,
    plan_of,
)
from natslab.views.queue.state import Brick, Group, Lane, State, copies_of, lanes_of
from natslab.views.queue.words import losses, place_of, share_of, spread, verb, verdict_of
from natslab.views.scene import Mark, Path, Text, label, text_width
from natslab.views.wording import amount, count_of, fit, listed, short_name

#: The state of a brick for who inspects it.
WORDS = {"here": "delivered", "way": "on its way", "lost": "lost"}


def _port(key: str, x: float, y: float, gone: bool, r: float) -> list[Mark]:
    """The port of a member; crossed out if it is gone."""
    marks: list[Mark] = [port(key, x, y, not gone, r)]
    if gone:
        d = round(r * 0.71, 2)
        cross = f"M{x - d:g} {y - d:g}L{x + d:g} {y + d:g}M{x + d:g} {y - d:g}L{x - d:g} {y + d:g}"
        marks.append(Path(key=f"{key}/gone", d=cross, width=1.5, classes="edge ink3 round"))
    return marks


def _same(a: Lane, b: Lane) -> bool:
    return abs(a.mean - b.mean) < 0.5 and abs(a.sigma - b.sigma) < 0.5


class Lanes:
    """Plain subscribers above, one hull per group below; every lane at its place."""

    def __init__(self, state: State) -> None:
        self.state = state
        self.plan = plan_of(state)
        self.plain = list(copies_of(state).values())
        self.gates: dict[str, float] = {}  # group -> height of its gate
        self.places: dict[tuple[str, str], float] = {}  # (group or "", label) -> height of the lane
        self.copies: dict[str, list[str]] = {}  # message -> keys of its bricks
        for group, lane in lanes_of(state):
            for brick in lane.bricks:
                self.copies.setdefault(brick.id, []).append(self.key(brick, lane, group))
        self.hulls: list[Mark] = []
        self.marks: list[Mark] = []
        self.bottom = self._everything()

    @staticmethod
    def key(brick: Brick, lane: Lane, group: Group | None) -> str:
        """A message in a lane; one client may be in two groups and a plain subscriber besides."""
        return f"msg/{brick.id}@{lane.label}" + (f"/{group.name}" if group else "/")

    def _everything(self) -> float:
        """Draw all lanes; returns the bottom."""
        y = TOP
        for lane in self.plain[:PLAIN]:
            self.places["", lane.label] = y
            self.marks += self.copy_lane(lane, y)
            y += LANE
        if len(self.plain) > PLAIN:
            rest = self.plain[PLAIN:]
            words = f"and {len(rest)} more plain subscribers: {amount(sum(la.count for la in rest))} copies"
            self.marks.append(label("more/", self.plan.at.names, y - 8, words, "t12 ink3"))
            y += 24
        top = y + 48.5 - LANE if self.plain else 150.5
        for group in self.state.groups.values():
            top = self.hull(group, top) + 22
        return top + 2

    def head(self, key: str, lane: Lane, y: float, title: str) -> sc.Group:
        """Port, name and count of a lane."""
        tight = self.plan.tight and not key.startswith("plain/")
        size = "t12" if tight else "t14"
        at = self.plan.at
        name = fit(lane.label, self.plan.x0 - at.names - 8, f"{size} w6")
        faint = " ink3" if lane.gone else ""
        place: list[Mark] = []
        if place_of(self.state, lane) and not tight:
            text = fit(f"at {place_of(self.state, lane)}", self.plan.x0 - self.plan.at.names - 8, "t11")
            place = [label(f"{key}/place", self.plan.at.names, y + 19, text, "t11 ink3")]
        ink = " ink3 strike" if lane.gone else " w6"
        return sc.Group(
            key=key,
            title=title,
            state={"messages": lane.count, "lost": lane.lost, "state": lane.gone or "open"},
            marks=[
                *_port(f"{key}/port", at.port, y, bool(lane.gone), 3 if tight else 4.5),
                label(f"{key}/name", at.names, y + 4.5, name, size + ink),
                label(f"{key}/count", at.end, y + (4.5 if tight else 7), amount(lane.count),
                      f"{'t12' if tight else 't20'} w6 num end{faint}"),
                *place,
            ],
        )  # fmt: skip

    def copy_lane(self, lane: Lane, y: float) -> list[Mark]:
        """A plain subscriber: a slim brick for each copy, or a comb that stands for many."""
        x0 = self.plan.x0
        words = "a copy of each" if not lane.gone else "left"
        room = (
            self.plan.at.end - text_width(amount(lane.count), "t20 w6") - 24 - text_width(words, "t12") - x0
        )
        got = count_of(lane.count, "message")
        title = f"{short_name(lane.label)} has no queue name: it got a copy of each, {got}."
        marks: list[Mark] = []
        n = len(lane.bricks)
        if n == lane.count and n * LEAST <= room:
            # In steps, so that a new copy moves the others seldom.
            pitch = next(p for p in COPY if n * p <= room)
            for i, brick in enumerate(lane.bricks):
                key = self.key(brick, lane, None)
                marks.append(
                    rect(key, x0 + i * pitch, y - 10.5, pitch * 0.775, 20, "flight fill", pitch / 6,
                          title=self.story(brick, lane, None), state={"message": brick.n},
                          light=self.light(brick, key))
                )  # fmt: skip
            marks += self.ticks(lane, pitch, y)
            end = x0 + n * pitch
        else:
            # Its scale is not that of the members, so it does not look like their bars.
            most = max(la.count for la in self.plain)
            teeth = max(1, int(room * lane.count / most / LEAST))
            comb = "".join(f"M{x0 + 1.2 + i * LEAST:.1f} {y - 10.5:g}v20" for i in range(teeth)).replace(
                "v20", f"V{y + 9.5:g}"
            )
            marks.append(
                Path(key=f"comb/{lane.label}", d=comb, width=2.4, classes="edge flight", title=title,
                        state={"messages": lane.count})
            )  # fmt: skip
            end = x0 + teeth * LEAST
        if lane.count:
            marks.append(label(f"plain/{lane.label}/words", end + 10, y + 4.5, words, "t12 ink2"))
        return [*marks, self.head(f"plain/{lane.label}", lane, y, title)]

    def ticks(self, lane: Lane, pitch: float, y: float) -> list[Mark]:
        """Numbers under the copies: lost ones bold, then the last, the first and quarters, where they fit."""
        bricks, n = lane.bricks, len(lane.bricks)
        if n < 4 or not any(b.n for b in bricks):
            return []
        lost = {b.id for group, la in lanes_of(self.state) if group for b in la.bricks if b.state == "lost"}
        picked = [i for i, b in enumerate(bricks) if b.id in lost]
        picked += [n - 1, 0, *(round(n * q / 4) - 1 for q in (1, 2, 3))]
        used: list[Point] = []
        marks: list[Mark] = []
        for i in dict.fromkeys(picked):
            number, bold = str(bricks[i].n), bricks[i].id in lost
            x, half = self.plan.x0 + (i + 0.39) * pitch, text_width(number, "t11") / 2 + 4
            if not bricks[i].n or any(a < x + half and x - half < b for a, b in used):
                continue
            used.append((x - half, x + half))
            key = f"tick/{lane.label}/{number}"
            marks.append(label(key, x, y + 27, number, f"t11 num middle {'w6' if bold else 'ink3'}"))
            if bold:
                stem = f"M{x:.2f} {y + 11.5:g}V{y + 15.5:g}"
                marks.append(Path(key=f"{key}/stem", d=stem, width=1.5, classes="edge ink"))
        return marks

    def hull(self, group: Group, top: float) -> float:
        """Draw one group from `top` on; returns its bottom."""
        plan, at = self.plan, self.plan.at
        shown, rest = order(self.state, group)
        step = TIGHT if plan.tight else LANE
        first = y = top + (66 if plan.tight else 73.5)
        for i, lane in enumerate(shown):
            if rest and i == SHOWN // 2:
                words = f"{len(rest)} more between, {spread(rest)}"
                self.marks.append(label(f"more/{group.name}", self.plan.at.names, y + 6, words, "t12 ink3"))
                y += 26
            self.places[group.name, lane.label] = y
            y += step
        last = y - step
        bottom = last + (24 if plan.tight else 43.5)
        self.gates[group.name] = (first + last) / 2
        name, words = short_name(group.name, 30), "queue group: each message goes to one member"
        key = f"hull/{group.name}"
        self.hulls.append(
            rect(key, at.gate, top, at.end + 13.5 - at.gate, bottom - top, "edge line none", 12,
                  title=f"{name}: {verdict_of(self.state, group) or words}.",
                  state={"messages": group.total, "lost": group.losses})
        )  # fmt: skip
        x = plan.x0 if at is WIDE else at.names
        told = [words, "queue group: one member gets each", "queue group"]
        room = at.end - 2 - x - text_width(short_name(group.name), "t14 w6")
        words = next(w for w in told if at is WIDE or text_width(w, "t12") <= room or w is told[-1])
        words = f"\u2002{words}"
        runs = [
            (fit(group.name, at.end + 6 - x - text_width(words, "t12"), "t14 w6"), "t14 w6"),
            (words, "t12 ink3"),
        ]
        self.hulls.append(Text(key=f"{key}/name", x=round(x, 2), y=top + 24.5, runs=runs))
        self.hulls += self.bands(group, shown)
        for lane in shown:
            self.marks += self.member(group, lane)
        return bottom

    def bands(self, group: Group, lanes: list[Lane]) -> list[Mark]:
        """Where fair draws end: one shape over neighbours that expect the same."""
        plan, half = self.plan, (TIGHT if self.plan.tight else 44) / 2
        runs: list[list[Lane]] = []
        for before, lane in zip([None, *lanes], lanes, strict=False):
            near = before and before.var > 0 and _same(before, lane)
            far = (
                before and self.places[group.name, lane.label] - self.places[group.name, before.label] > LANE
            )
            if lane.var > 0 and near and not far:
                runs[-1].append(lane)
            elif lane.var > 0:
                runs.append([lane])
        marks: list[Mark] = []
        for run in runs:
            lane = run[0]
            y0, y1 = (self.places[group.name, la.label] for la in (run[0], run[-1]))
            y0, y1 = y0 - half, y1 + half
            left, mean = plan.x(max(0.0, lane.mean - 2 * lane.sigma)), plan.x(lane.mean)
            right = min(plan.right, plan.x(lane.mean + 2 * lane.sigma))
            names = [short_name(la.label) for la in run]
            who = listed(names) if len(run) < 6 else f"each of {len(run)} members"
            title = f"A fair share for {who} is {share_of(lane)}: 19 of 20 fair draws end in here."
            key = f"band/{group.name}/{lane.label}"
            facts = {"mean": round(lane.mean, 2), "sigma": round(lane.sigma, 2)}
            marks.append(
                rect(key, left, y0, right - left, y1 - y0, "panel2 fill", 6, title=title, state=facts)
            )
            marks.append(Path(key=f"{key}/mean", d=f"M{mean:.2f} {y0:g}V{y1:g}", classes="edge ink3"))
            if run is runs[0]:
                words = [("expected ", "t11 ink3 middle"), (share_of(lane), "t11 num")]
                middle = sum(text_width(t, c) for t, c in words) / 2
                x = min(max(mean, plan.x0 + middle), plan.right - middle)
                marks.append(Text(key=f"{key}/expected", x=round(x, 2), y=y0 - 7, runs=words))
            elif not plan.tight and not _same(lane, runs[0][0]):
                marks += self.aside(key, lane, y0 + half, right)
        return marks

    def aside(self, key: str, lane: Lane, y: float, right: float) -> list[Mark]:
        """The fair share of a lane that differs from the first one's, where there is room for it."""
        words = share_of(lane)
        room = text_width(words, "t11")
        taken = self.plan.x(lane.count) + 4
        if lane.lost:
            taken += text_width(self.loss(lane), "t12") + 14
        x = right - 10 if right - 10 - room > taken else max(right, taken) + 8 + room
        return [label(f"{key}/share", x, y + 4, words, "t11 num ink2 end")] if x <= self.plan.right else []

    def loss(self, lane: Lane) -> str:
        """The word beside a lane that lost messages."""
        if self.plan.how == "numbered":
            return "lost"
        return (
            f"lost {lane.numbers[0]}" if lane.lost == len(lane.numbers) == 1 else f"{amount(lane.lost)} lost"
        )

    def member(self, group: Group, lane: Lane) -> list[Mark]:
        """One member: halo, bricks or bar, head."""
        plan, y = self.plan, self.places[group.name, lane.label]
        key = f"lane/{group.name}/{lane.label}"
        title = f"{short_name(lane.label)} got {amount(lane.count)} of {count_of(group.total, 'message')}"
        title += f"; a fair share is {share_of(lane)}." if lane.var > 0 else "."
        if lane.gone:
            title += f" It {verb(lane)} after message {amount(lane.went)}."
        if lane.lost:
            title += f" Lost: {losses(lane)}."
        marks: list[Mark] = []
        if lane.count:
            high = {"numbered": 22, "slim": 20, "bar": 22}[plan.how] if not plan.tight else 12
            size = max(1.5, lane.count * plan.unit)
            gap = 2 if plan.how != "bar" else 0
            marks.append(
                rect(f"{key}/halo", plan.x0 - 2, y - high / 2 - 2, size + 4 - gap, high + 4, "ground fill", 5)
            )
            if plan.how == "bar":
                marks += self.bar(key, lane, y, size, high, title)
            else:
                marks += [self.brick(group, lane, b, plan.x(i), y) for i, b in enumerate(lane.bricks)]
            end = plan.x0 + size + 6 - gap
            if lane.lost and end + text_width(self.loss(lane), "t12") <= plan.right:
                marks.append(label(f"{key}/lost", end, y + 4.5, self.loss(lane), "t12 w6"))
        return [*marks, self.head(key, lane, y, title)]

    def bar(self, key: str, lane: Lane, y: float, size: float, high: float, title: str) -> list[Mark]:
        """Many messages as a length; what was lost at its end."""
        x0, top = self.plan.x0, y - high / 2
        marks: list[Mark] = [rect(f"bar/{key}", x0, top, size, high, "flight fill", 3, title=title,
                                   state={"messages": lane.count})]  # fmt: skip
        if lane.lost:
            lost = min(size, max(2.0, lane.lost * self.plan.unit))
            gone = count_of(lane.lost, "message")
            words = f"{short_name(lane.label)}: {gone} of {amount(lane.count)} never arrived."
            facts = {"lost": lane.lost}
            end = x0 + size - lost
            marks.append(
                rect(f"bar/{key}/lost", end, top, lost, high, "dead fill", 2, title=words, state=facts)
            )
        return marks

    def brick(self, group: Group, lane: Lane, brick: Brick, x: float, y: float) -> Mark:
        """One message in a member's lane."""
        key = self.key(brick, lane, group)
        kind = {"here": "flight fill", "lost": "dead fill", "way": "flight edge base-ground"}[brick.state]
        edge = 1.5 if brick.state == "way" else 0.0  # its stroke stays inside
        size, high = self.plan.unit - 2, 22 if self.plan.how == "numbered" else 20
        more: dict[str, Any] = {"title": self.story(brick, lane, group), "light": self.light(brick, key),
                                "state": {"message": brick.n, "state": WORDS[brick.state]}}  # fmt: skip
        if self.plan.how == "slim":
            return rect(
                key,
                x + edge / 2,
                y - 10 + edge / 2,
                size - edge,
                high - edge,
                kind,
                1.5,
                width=edge or 1,
                **more,
            )
        inside: list[Mark] = [
            rect(f"{key}/box", edge / 2, edge / 2, size - edge, high - edge, kind, 3, width=edge or 1)
        ]
        if brick.n:
            on = "" if edge else f"on {kind.split()[0]} "
            inside.append(label(f"{key}/n", size / 2, 15, str(brick.n), f"{on}t11 w5 num middle"))
        return sc.Group(key=key, x=round(x, 2), y=y - 11, marks=inside, **more)

    def light(self, brick: Brick, key: str) -> list[str]:
        """The other copies of the same message."""
        return [other for other in self.copies[brick.id] if other != key]

    def story(self, brick: Brick, lane: Lane, group: Group | None) -> str:
        """What happened to one copy of one message, in a sentence."""
        message = self.state.messages.get(brick.id)
        start, who = f"Message {brick.n}" if brick.n else "A message", short_name(lane.label)
        if message:
            start += f", {short_name(message.subject, 80)}" + (
                f" from {short_name(message.client)}" if message.client else ""
            )
        if brick.state == "lost":
            return f"{start}: sent to {who}, which never read it, and lost."
        if brick.state == "way":
            return f"{start}: on its way to {who}."
        took = f" after {1000 * (brick.t - brick.sent):.1f} ms" if brick.t > brick.sent else ""
        return f"{start}: {'delivered' if group else 'a copy'} to {who}{took}."
