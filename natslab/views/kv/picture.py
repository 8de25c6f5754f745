"""The KV picture: a lane per key, a column per revision, watchers under them."""

from __future__ import annotations

import math
import shlex

from natslab.views import scene as sc
from natslab.views.kv import signs
from natslab.views.kv.plan import (
    ANSWER,
    BOARD,
    FIRST,
    LANE,
    NAMES,
    SLOT,
    Plan,
    newest_try,
    plan_of,
    shown,
    watchers,
)
from natslab.views.kv.state import Bucket, Entry, Key, State, Try, Watcher, age_of
from natslab.views.kv.words import (
    GONE,
    behind,
    describe,
    initial,
    kept_of,
    rules,
    said,
    verdict,
    watcher_name,
)
from natslab.views.marks import RECENTLY, rect
from natslab.views.scene import Action, Circle, Flight, Legend, Mark, Path, Scene, Text, label, text_width
from natslab.views.view import blank
from natslab.views.wording import amount, count_of, fit, plain, short_name

TITLE = "Key-value"
SOURCES = "seen in the bucket's stream and its answers"
TOP = 122.0  # of the first section
#: Why revisions are gone, as the label under them.
SHORT = {reason: reason for reason in GONE} | {"history": "past history"}


def draw(state: State) -> Scene:
    """One section per bucket: its lanes, the latest values, answers, and its watchers."""
    sentence, note = describe(state)
    scene = blank(state, "kv", TITLE, SOURCES, sentence, note)
    scene.width = state.width
    if not state.buckets:
        return scene
    sections, others = shown(state)
    y = TOP
    for bucket in sections:
        section = _Section(state, bucket, y)
        scene.marks += section.marks
        scene.flights += section.flights
        y = section.bottom + 18
    for bucket in others:
        words = "deleted" if bucket.gone < math.inf else count_of(max(len(bucket.keys), bucket.told), "key")
        runs = [(short_name(bucket.name, 40), "t13 w6"), (f"\u2002{words}", "t12 ink3")]
        scene.marks.append(Text(key=f"bucket/{bucket.name}", x=NAMES, y=y + 6, runs=runs))
        y += 24
    scene.height = y + 2
    scene.legend = _legend(state, sections)
    scene.controls = _controls(state)
    return scene


def _controls(state: State) -> list[Action]:
    """Lines that do something with the bucket and key that changed last."""
    bucket = state.buckets.get(state.last) or next(iter(state.buckets.values()))
    if bucket.gone < math.inf:
        return []
    name, key = shlex.quote(bucket.name), bucket.keys.get(bucket.last)
    out = []
    if key is not None:
        value = key.value or "1"
        following = str(int(value) + 1) if value.isdigit() and len(value) < 10 else "1"
        at = shlex.quote(key.name)
        out.append(Action(f"nats kv put {name} {at} {following}", f"Put {short_name(key.name, 12)}"))
        if key.value is not None:
            out.append(Action(f"nats kv del {name} {at} -f", "Delete it"))
            out.append(Action(f"nats kv purge {name} {at} -f", "Purge it"))
    out.append(Action(f"nats kv watch {name}", "Watch"))
    return out


def _legend(state: State, sections: list[Bucket]) -> list[Legend]:
    """What is in the picture now."""
    plans = [(plan_of(state, b), b) for b in sections]
    entries = [e for plan, _ in plans for key in plan.keys for e in plan.shown(key)]
    tries = [t for plan, b in plans for key in plan.keys if (t := newest_try(b, key.name))]
    eyes = sum(len(watchers(state, b)[0]) for b in sections)
    kept = [(b, e) for plan, b in plans for key in plan.keys for e in plan.shown(key) if e.kept]
    aged = sum(e.op == "put" and age_of(b, e) > 0 for b, e in kept)
    ops = [e.op for _, e in kept]
    found = [
        Legend("stored edge base-ground", "square", "value", ops.count("put")),
        Legend("odd fill", "square", "drains with its TTL", aged),
        Legend("edge ink2 none", "ring", "delete", ops.count("del")),
        Legend("edge ink", "line", "purge", ops.count("purge")),
        Legend("edge ink2 none", "diamond", "expiry marker", ops.count("marker")),
        Legend("ghost", "square", "gone", sum(not e.kept for e in entries)),
        Legend("done fill", "tick", "accepted", sum(t.ok for t in tries)),
        Legend("dead fill", "cross", "refused", sum(not t.ok for t in tries)),
        Legend("edge ink", "ring", "watcher", eyes),
    ]
    return [item for item in found if item.count]


class _Section:
    """The marks of one bucket from `top` on."""

    def __init__(self, state: State, bucket: Bucket, top: float) -> None:
        self.state = state
        self.bucket = bucket
        self.plan: Plan = plan_of(state, bucket)
        self.top = top
        self.marks: list[Mark] = []
        self.flights: list[Flight] = []
        self.places: dict[str, float] = {}
        self.bottom = self._everything()

    def _everything(self) -> float:
        self.title()
        y = self.top + FIRST
        if self.plan.keys:
            self.heads()
            for key in self.plan.keys:
                self.places[key.name] = y
                y = self.lane(key, y)
            y += BOARD - LANE + 18
            if self.plan.rest:
                y = self.rest(y)
        else:
            y = self.nothing()
        there, more = watchers(self.state, self.bucket)
        if there:
            y = self.eyes(y + 14, there, more)
        return y

    def title(self) -> None:
        """Name and rules of the bucket; at the right how much is in it."""
        bucket = self.bucket
        gone = bucket.gone < math.inf
        key = f"bucket/{bucket.name}"
        keys = count_of(max(len(bucket.keys), bucket.told), "key")
        facts = f"{keys} · revision {amount(bucket.rev)}"
        words = f"\u2002{'deleted' if gone else rules(bucket)}"
        room = self.plan.at.end - NAMES - text_width(facts, "t12") - 24
        name = fit(bucket.name, max(60, room - text_width(words, "t12")), "t14 w6")
        words = sc.shorten(words, max(20, room - text_width(name, "t14 w6")), "t12")
        title = f"Bucket {short_name(bucket.name, 60)} {rules(bucket) or 'is there'}; its stream is KV_"
        self.marks.append(
            sc.Group(
                key=key,
                title=f"{title}{short_name(bucket.name, 60)}."
                if not gone
                else f"{plain(bucket.name)} is deleted.",
                state={"keys": max(len(bucket.keys), bucket.told), "revision": bucket.rev},
                light=[f"stream/KV_{bucket.name}"],
                marks=[
                    Text(
                        key=f"{key}/name",
                        x=NAMES,
                        y=self.top + 14,
                        runs=[(name, "t14 ink3 strike" if gone else "t14 w6"), (words, "t12 ink3")],
                    ),
                    label(f"{key}/facts", self.plan.at.end, self.top + 14, facts, "t12 ink3 end num"),
                ],
            )
        )

    def nothing(self) -> float:
        """A bucket without a lane says why."""
        bucket, words = self.bucket, "no key yet"
        if bucket.messages:
            words = f"{count_of(bucket.messages, 'revision')} that this lab did not see singly"
        elif bucket.counted:
            words = f"{count_of(bucket.counted, 'revision')} came in a rush"
        key = f"none/{bucket.name}"
        self.marks.append(rect(f"{key}/box", NAMES, self.top + 30, self.plan.at.end - NAMES, 44, "ghost", 8))
        self.marks.append(
            label(key, (NAMES + self.plan.at.end) / 2, self.top + 56.5, words, "t13 ink3 middle")
        )
        return self.top + 82

    def heads(self) -> None:
        """Captions, and the number of each column; where they are tight, of every other."""
        plan, name, y = self.plan, self.bucket.name, self.top + 42
        heads = [("key", NAMES), ("latest value", plan.latest)]
        if plan.answers:
            heads.append(("conditional write", plan.answers))
        self.marks += [label(f"head/{name}/{w}", x, y, w, "t11 ink3") for w, x in heads]
        if plan.earlier:
            self.marks.append(label(f"head/{name}/earlier", self.plan.at.grid, y, "earlier", "t11 ink3"))
        taken = math.inf
        for rev in reversed(plan.revs):
            words, newest = amount(rev), rev == plan.revs[-1]
            wide = text_width(words, "t11 w6") / 2 + 2.5
            x = plan.x(rev)
            if x + wide > taken or x - wide < self.plan.at.grid + (46 if plan.earlier else -30):
                continue
            taken = x - wide
            style = "w6" if newest else "ink3"
            self.marks.append(label(f"column/{name}/{rev}", x, y, words, f"t11 num middle {style}"))
        if plan.revs and taken - 60 > self.plan.at.grid + (46 if plan.earlier else 0):
            self.marks.append(label(f"head/{name}/revision", self.plan.at.grid, y, "revision", "t11 ink3"))

    def lane(self, key: Key, y: float) -> float:
        """One key: its name and gauge, its revisions, its latest value, its last conditional write.

        Returns the middle of the next lane.
        """
        self.board(key, y)
        self.head(key, y)
        left = self.plan.left(key)
        if left:
            where = f"earlier/{self.bucket.name}/{key.name}"
            words = f"+{amount(left)}"
            title = (
                f"{count_of(left, 'earlier revision')} of {short_name(key.name)} kept, left of the columns."
            )
            self.marks.append(label(where, self.plan.at.grid, y + 4, words, "t12 ink2 num", title=title))
        entries = self.plan.shown(key)
        for i, entry in enumerate(entries):
            end = self.plan.x(entries[i + 1].rev) - SLOT / 2 - 5 if i + 1 < len(entries) else self.plan.end
            self.entry(key, entry, y, end)
        self.reasons(key, entries, y)
        self.latest(key, y)
        attempt = newest_try(self.bucket, key.name)
        if attempt is not None:
            self.attempt(key, attempt, y)
            y += 0.0 if self.plan.at.answers else ANSWER
        return y + LANE

    def board(self, key: Key, y: float) -> None:
        """What the lane stands on: dashed up to a purge, which cut it."""
        plan, where = self.plan, f"board/{self.bucket.name}/{key.name}"
        cuts = [e.rev for e in plan.shown(key) if e.op == "purge" and e.kept]
        cut = plan.x(cuts[-1]) if cuts else self.plan.at.grid
        level = y + BOARD
        if cuts:
            dashed = Path(
                key=f"{where}/cut",
                d=f"M{self.plan.at.grid:g} {level:g}H{cut:g}",
                dash="2 4",
                classes="edge line",
            )
            self.marks.append(dashed)
        self.marks.append(Path(key=where, d=f"M{cut:g} {level:g}H{plan.end:g}", classes="edge line"))

    def head(self, key: Key, y: float) -> None:
        """The key's name over how much of its history is used."""
        bucket, where = self.bucket, f"key/{self.bucket.name}/{key.name}"
        kept, depth = key.kept, bucket.history
        words = kept_of(bucket, key)
        full = bool(depth) and kept >= depth
        marks: list[Mark] = [
            label(
                f"{where}/name",
                NAMES,
                y - 1.5,
                fit(key.name, self.plan.at.grid - NAMES - 14, "mono t12 w5"),
                "mono t12 w5",
            ),
            label(f"{where}/kept", NAMES, y + 14.5, words, f"t11 num {'w6' if full else 'ink3'}"),
        ]
        x = NAMES + text_width(words, "t11 w6") + 8
        if 1 < depth <= 12 and x + 7 * depth <= self.plan.at.grid - 8:
            for i in range(depth):
                used = "fill ink" if i < kept else "fill line"
                marks.append(rect(f"{where}/pip/{i}", x + 7 * i, y + 6, 5, 9, used, 1))
        title = (
            f"Key {short_name(key.name, 80)}: {words} revisions kept, {count_of(key.written, 'write')} seen."
        )
        self.marks.append(
            sc.Group(key=where, marks=marks, title=title, state={"kept": kept, "history": depth})
        )

    def title_of(self, key: Key, entry: Entry) -> str:
        """What a revision is, in a sentence."""
        what = {
            "put": f"{short_name(said(entry), 60)}",
            "del": "a delete",
            "purge": "a purge",
            "marker": f"a marker of the server, {entry.value}",
        }[entry.op]
        who = f", written by {short_name(entry.client)}" if entry.client else ""
        end = "" if entry.kept else f"; {GONE[entry.why]}"
        age = age_of(self.bucket, entry)
        left = f"; {max(0.0, entry.t + age - self.state.now):.1f} s left" if age and entry.kept else ""
        return f"Revision {entry.rev} of {short_name(key.name, 40)}: {what}{who}{end}{left}."

    def entry(self, key: Key, entry: Entry, y: float, end: float) -> None:
        """One revision: a slot with its value, or the sign of what ended the key."""
        x = self.plan.x(entry.rev)
        where = f"msg/KV_{self.bucket.name}/{entry.rev}"
        left = -SLOT / 2
        marks: list[Mark] = []
        if entry.op == "put":
            style = "mono t11" if entry.size else "t11 ink3"
            words = plain(said(entry))
            most = min(end - (x + left), 150.0)
            wide = min(max(SLOT, text_width(words, style) + 13), max(SLOT, most))
            shape = "stored edge base-ground" if entry.kept else "ghost"
            marks.append(
                rect(f"{where}/box", left, left, wide, SLOT, shape, 5, width=1.75 if entry.kept else 1)
            )
            if entry.kept:
                marks += self.level(where, entry, left, wide)
            text = fit(words, wide - 8, style)
            ink = style if entry.kept else f"{style} ink3"
            marks.append(label(f"{where}/value", left + wide / 2, 4, text, f"{ink} middle"))
        elif entry.op == "del":
            ink = "edge ink2" if entry.kept else "edge ink3"
            marks.append(Circle(key=f"{where}/ring", x=0, y=0, r=10, width=1.5, dash="3 3",
                                classes=f"{ink} base-ground"))  # fmt: skip
            marks.append(signs.cross(f"{where}/cross", 0, 0, 3.6, ink))
        elif entry.op == "purge":
            ink = "fill ink" if entry.kept else "fill ink3"
            marks.append(rect(f"{where}/blade", -2.5, -19, 5, 19 + BOARD, ink, 1))
        else:
            ink = "edge ink2" if entry.kept else "edge ink3"
            marks.append(Circle(key=f"{where}/ring", x=0, y=0, r=10, width=1.5, dash="3 3",
                                classes=f"{ink} base-ground"))  # fmt: skip
            marks.append(signs.hourglass(f"{where}/glass", 0, 0, ink))
        self.marks.append(
            sc.Group(
                key=where,
                x=x,
                y=y,
                marks=marks,
                title=self.title_of(key, entry),
                state={"revision": entry.rev, "op": entry.op, "kept": entry.kept, "value": said(entry)},
            )
        )

    def level(self, where: str, entry: Entry, left: float, wide: float) -> list[Mark]:
        """What is left of its time, as a level that drains."""
        age = age_of(self.bucket, entry)
        if not age:
            return []
        part = min(1.0, max(0.0, (entry.t + age - self.state.now) / age))
        high = (SLOT - 4) * part
        return [rect(f"{where}/level", left + 2, SLOT / 2 - 2 - high, wide - 4, high, "fill odd", 3)]

    def reasons(self, key: Key, entries: list[Entry], y: float) -> None:
        """Under neighbours that are gone for the same reason: the reason, where there is room."""
        used = 0.0
        runs: list[list[Entry]] = []
        for before, entry in zip([None, *entries], entries, strict=False):
            if entry.why and before is not None and before.why == entry.why:
                runs[-1].append(entry)
            elif entry.why:
                runs.append([entry])
        for run in runs:
            x0 = self.plan.x(run[0].rev) - SLOT / 2
            words = SHORT[run[0].why]
            x0 = max(x0, used)
            if x0 < self.plan.x(run[-1].rev) + SLOT and x0 + text_width(words, "t11") <= self.plan.end:
                where = f"why/{self.bucket.name}/{key.name}/{run[0].rev}"
                self.marks.append(label(where, x0, y + BOARD + 12, words, "t11 ink3"))
                used = x0 + text_width(words, "t11") + 8

    def latest(self, key: Key, y: float) -> None:
        """What get returns now, with its revision and the seconds it has left."""
        plan, where = self.plan, f"latest/{self.bucket.name}/{key.name}"
        entry = key.latest
        x = plan.latest
        if key.value is None:
            self.marks.append(label(where, x, y + 1, "no value", "t13 ink3"))
            why = {"del": "deleted", "purge": "purged", "marker": "expired"}.get(entry.op) if entry else None
            gone = next((e for e in reversed(key.entries) if not e.kept), None)
            why = why or (SHORT[gone.why] if gone else "never written")
            self.marks.append(label(f"{where}/why", x, y + 16, why, "t11 ink3"))
            return
        assert entry is not None
        style = "mono t14 w6" if entry.size else "t13 ink3"
        words = fit(said(entry), self.plan.at.latest, style)
        self.marks.append(label(where, x, y + 1, words, style, title=self.title_of(key, entry)))
        runs = [(fit(f"revision {amount(entry.rev)}", plan.at.latest + 16, "t11"), "t11 ink3 num")]
        age = age_of(self.bucket, entry)
        if age:
            left = max(0.0, entry.t + age - self.state.now)
            glass = x + text_width(runs[0][0], "t11") + 11
            if glass + 10 + text_width(_left(left), "t11 w6") <= x + self.plan.at.latest + 6:
                self.marks.append(signs.hourglass(f"{where}/glass", glass, y + 12.5))
                self.marks.append(label(f"{where}/left", glass + 9, y + 16.5, _left(left), "t11 w6 num"))
        self.marks.append(Text(key=f"{where}/rev", x=x, y=y + 16.5, runs=runs))

    def attempt(self, key: Key, attempt: Try, y: float) -> None:
        """A conditional write: an arrow from the revision it expected, and the server's answer."""
        plan, where = self.plan, f"try/{self.bucket.name}/{key.name}"
        below = not plan.at.answers
        x, line = (plan.at.grid, y + BOARD + ANSWER) if below else (plan.answers, y)
        sign = signs.accepted if attempt.ok else signs.refused
        head = "accepted" if attempt.ok else "refused"
        words = verdict(attempt).split(": ", 1)[-1]
        if attempt.code and attempt.code != 10071:
            words = f"error {attempt.code}"
        who = f" by {short_name(attempt.client)}" if attempt.client else ""
        start = x + 32 + text_width(head, "t13 w6") if below else x + 24
        room = plan.at.end - start + (0 if below else 4)
        marks: list[Mark] = [
            *sign(where, x + 8, line - 1),
            label(f"{where}/head", x + 24, line - (-3 if below else 1), head, "t13 w6"),
            label(f"{where}/words", start, line + (3 if below else 15), fit(words, room, "t12"), "t12 ink3"),
        ]
        title = f"A write of {short_name(key.name, 40)}{who} was {verdict(attempt)}."
        self.marks.append(sc.Group(key=where, marks=marks, title=title,
                                   state={"expected": attempt.expected, "ok": attempt.ok}))  # fmt: skip
        to = attempt.rev or attempt.actual
        if attempt.expected < 0 or (to and to not in plan.revs):
            return
        peak, foot = y - 27, y - SLOT / 2 - 3
        end = plan.x(to) if to else plan.x0 + 24
        start = plan.x(attempt.expected) if attempt.expected in plan.revs else plan.x0 - 4
        if not attempt.expected:  # from nothing: a ring
            start = end - 17
            ring = Circle(key=f"{where}/none", x=start, y=foot, r=3, width=1.25, classes="edge ink3")
            self.marks.append(ring)
        if end - start < 4:
            return
        d = signs.arch(start, foot - 3 * (not attempt.expected), end, foot, peak)
        classes = "edge done way" if attempt.ok else "edge dead way"
        self.marks.append(Path(key=f"{where}/arrow", d=d, width=1.75, classes=classes, arrow=attempt.ok))
        if not attempt.ok:
            stop = rect(f"{where}/stop", end - 4.5, foot - 8, 9, 9, "dead fill", 2)
            self.marks.append(stop)

    def rest(self, y: float) -> float:
        """Keys without a lane: how many, and how often each was written as a strip."""
        rest, where = self.plan.rest, f"more/{self.bucket.name}"
        words = f"{amount(len(rest))} more keys"
        title = f"{words}; they changed less often than the ones above."
        marks: list[Mark] = [label(f"{where}/words", NAMES, y + 11, words, "t12 ink2")]
        room = self.plan.at.end - self.plan.at.grid
        step = max(1, math.ceil(len(rest) / (room / 3)))
        teeth = [max(k.written for k in rest[i : i + step]) for i in range(0, len(rest), step)]
        most = max(teeth)
        wide = min(7.0, room / len(teeth))
        d = "".join(
            f"M{self.plan.at.grid + (i + 0.5) * wide:.2f} {y + 13:g}V{y + 13 - 4 - 9 * n / most:.2f}"
            for i, n in enumerate(teeth)
        )
        comb = Path(key=f"{where}/comb", d=d, width=round(wide * 0.6, 2), classes="edge stored")
        self.marks.append(sc.Group(key=where, marks=[*marks, comb], title=title, state={"keys": len(rest)}))
        return y + 24

    def eyes(self, y: float, there: list[Watcher], more: list[Watcher]) -> float:
        """Watchers under the lanes: each at the column of the last revision it was told."""
        bucket = self.bucket
        self.marks.append(
            Path(
                key=f"watch/{bucket.name}/line",
                d=f"M{NAMES:g} {y:g}H{self.plan.at.end:g}",
                classes="edge hair",
            )
        )
        self.marks.append(label(f"head/{bucket.name}/watch", NAMES, y + 18, "watchers", "t11 ink3"))
        caption = "each eye stands at the last revision it was told"
        self.marks.append(label(f"head/{bucket.name}/eyes", self.plan.at.grid, y + 18, caption, "t11 ink3"))
        y += 40
        for watcher in there:
            self.eye(watcher, y)
            y += 34
        if more:
            words = f"and {len(more)} more watchers"
            self.marks.append(label(f"watchers/{bucket.name}", NAMES, y + 2, words, "t12 ink3"))
            y += 22
        return y - 10

    def eye(self, watcher: Watcher, y: float) -> None:
        """One watcher: its name, how far it is, and whether it has what was there when it came."""
        plan, bucket = self.plan, self.bucket
        where, gone = f"watch/{bucket.name}/{watcher.consumer}", watcher.gone < math.inf
        name, words_at = watcher_name(watcher), min(plan.latest, plan.at.end - plan.at.answers)
        x = plan.x(watcher.rev) if plan.revs and watcher.rev >= plan.revs[0] else self.plan.at.grid + 10
        if watcher.rev not in plan.revs and watcher.rev > (plan.revs[-1] if plan.revs else 0):
            x = min(x + 12, plan.end - 10)
        grid = plan.at.grid
        way = Path(key=f"{where}/way", d=f"M{grid:g} {y:g}H{max(grid, x - 13):g}", classes="edge line way",
                   dash="4 3" if gone else "")  # fmt: skip
        marks: list[Mark] = [way]
        style = "t13 ink3 strike" if gone else "t13 w6"
        room, base = self.plan.at.grid - NAMES - 14, y - 1 if watcher.pattern else y + 4.5
        marks.append(label(f"{where}/name", NAMES, base, fit(name, room, style), style))
        if watcher.pattern:
            pattern = fit(watcher.pattern, room, "mono t11")
            marks.append(label(f"{where}/pattern", NAMES, y + 12.5, pattern, "mono t11 ink3"))
        if watcher.done > 0 and watcher.done in plan.revs and watcher.done < watcher.rev:
            at = plan.x(watcher.done)
            marks.append(
                Circle(key=f"{where}/done", x=at, y=y, r=6.5, width=1.25, classes="edge ink2 base-ground")
            )
            marks.append(signs.tick(f"{where}/done/tick", at, y, "edge ink2", 1.5, 2.8))
        marks += signs.eye(where, x, y, not gone)
        rev = amount(watcher.rev) if watcher.rev else "nothing yet"
        rev += ", behind" if behind(bucket, watcher) and watcher.rev and not gone else ""
        if x + 14 + text_width(rev, "t11 w6") <= min(plan.end + 8, words_at - 8):
            marks.append(label(f"{where}/rev", x + 15, y + 4, rev, "t11 w6 num"))
        words = "gone" if gone else initial(watcher)
        marks.append(
            label(
                f"{where}/words",
                words_at,
                y + 4.5,
                fit(words, self.plan.at.end - words_at, "t12"),
                "t12 ink2",
            )
        )
        late = ", behind" if behind(bucket, watcher) and not gone else ""
        what = short_name(watcher.pattern, 60) or "all keys"
        title = f"{name} watches {what}: last told revision {watcher.rev}{late}; {words}."
        self.marks.append(sc.Group(key=where, marks=marks, title=title,
                                   state={"revision": watcher.rev, "done": watcher.done >= 0}))  # fmt: skip
        if not gone:
            self.told(watcher, x, y)

    def told(self, watcher: Watcher, x: float, y: float) -> None:
        """The newest revision falls down to the watchers that were just told."""
        key = self.bucket.keys.get(self.bucket.last)
        entry = key.entries[-1] if key and key.entries else None
        if entry is None or key is None or watcher.rev != entry.rev or key.name not in self.places:
            return
        if not entry.t >= self.state.now - RECENTLY or entry.rev not in self.plan.revs:
            return
        start = self.places[key.name] + SLOT / 2
        name = watcher_name(watcher)
        self.flights.append(
            Flight(key=f"told/{self.bucket.name}/{entry.rev}@{watcher.consumer}",
                   d=f"M{x:g} {start:g}L{x:g} {y - 15:g}", x=x, y=y - 15, t0=entry.t, t1=entry.t, r=4,
                   title=f"{name} was told revision {entry.rev}.", group=f"told/{entry.rev}")
        )  # fmt: skip


def _left(seconds: float) -> str:
    """Seconds left as a person reads them."""
    if seconds >= 7200:
        return f"{seconds / 3600:.0f} h"
    if seconds >= 120:
        return f"{seconds / 60:.0f} min"
    return f"{seconds:.0f} s" if seconds >= 10 else f"{seconds:.1f} s"
