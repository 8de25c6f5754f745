"""The mirrors picture: a block per origin with its copies below it, then how braids came together."""

from __future__ import annotations

import math
import shlex

from natslab.views import scene as sc
from natslab.views.marks import RECENTLY, port, rect
from natslab.views.mirrors.braid import braid_of
from natslab.views.mirrors.plan import (
    NAMES,
    ROW,
    SLOT,
    Block,
    blocks,
    braids,
    places,
    stream_of,
)
from natslab.views.mirrors.state import Link, State, Stream, behind, links_of, loops, reached, spared, trouble
from natslab.views.mirrors.words import (
    block_title,
    claim,
    cut_off,
    describe,
    kind,
    pipe,
    span,
    standing,
    totals,
)
from natslab.views.scene import Action, Flight, Legend, Mark, Path, Scene, label, points_path, text_width
from natslab.views.view import blank
from natslab.views.wording import amount, count_of, fit, plain, short_name

TITLE_OF_VIEW = "Mirrors and sources"
SOURCES = "seen in the server's report of each stream"
TOP = 158.0  # of the first origin's middle
WORTH = 100  # a lag that was at least so large is worth a word afterwards
#: Why a message left its stream, as a label.
WHY = {"": "gone", "max_age": "too old", "max_msgs": "made room", "max_bytes": "made room", "ttl": "expired",
       "max_msgs_per_subject": "made room", "rollup": "rolled up"}  # fmt: skip


def draw(state: State) -> Scene:
    """Every origin with its copies on one scale; the gap at the right of a copy is its lag."""
    sentence, note = describe(state)
    scene = blank(state, "mirrors", TITLE_OF_VIEW, SOURCES, sentence, note)
    scene.width, at = state.width, places(state)
    shown, hidden = blocks(state)
    if not shown:
        return scene
    room = at.end - at.grid - text_width(totals(state), "t11") - 12
    scene.marks = [
        label("head/stream", NAMES, 128, "stream", "t11 ink3"),
        label("head/scale", at.grid, 128, _scale(shown, room), "t11 ink3"),
        label("total/", at.end, 128, totals(state), "t11 ink3 end"),
    ]
    y = TOP
    for block in shown:
        if block is not shown[0]:
            y += 16
            line = f"M{NAMES:g} {y - 46:g}H{at.end:g}"
            scene.marks.append(Path(key=f"line/{block.origin}", d=line, classes="edge hair"))
        part = _Block(state, block, y)
        scene.marks += part.marks
        scene.flights += part.flights
        y = part.bottom + 34
    for stream in braids(state):
        marks, y = braid_of(stream, at, y + 2)
        scene.marks += marks
        y += 34
    if hidden:
        scene.marks.append(label("more/", NAMES, y - 12, f"and {len(hidden)} more origins", "t12 ink3"))
        y += 20
    scene.height = y - 16
    scene.legend = _legend(scene.marks)
    scene.controls = _controls(state)
    return scene


def _scale(shown: list[Block], room: float) -> str:
    """Which numbers stand in the rows, in so many words as there is room for."""
    told = ["sequence numbers of the origin, for all its copies", "sequences of the origin", "sequences"]
    if any(block.slots and any(a != b for li in block.links for a, b in li.pairs) for block in shown):
        told = ["a column is one message, with the number that it has in the stream of its row",
                "a column is one message", ""]  # fmt: skip
    return next((words for words in told if text_width(words, "t11") <= room), "")


def _controls(state: State) -> list[Action]:
    """Lines that write upstream, or take something away there."""
    link = next((li for li in links_of(state) if li.cut == math.inf and not li.external), None)
    origin = stream_of(state, link.origin) if link else None
    if origin is None or not origin.known:
        return []
    out = []
    subject = next((s for s in origin.subjects if s), "").replace("*", "new").replace(">", "new")
    if subject:
        line = f"nats pub {shlex.quote(subject)} --jetstream --count"
        out += [Action(f"{line} {n}", f"Publish {n}") for n in (1, 100)]
    if origin.messages:
        name = shlex.quote(origin.name)
        out.append(Action(f"nats stream rmm {name} {origin.last} -f", f"Delete {origin.last} upstream"))
        out.append(Action(f"nats stream purge {name} -f", "Purge upstream"))
    return out


def _legend(marks: list[Mark]) -> list[Legend]:
    """What is in the picture, counted."""
    states = [str(m.state["what"]) for m in sc.walk(marks) if m.state.get("what")]
    found = [
        Legend("stored edge base-ground", "square", "message", states.count("here")),
        Legend("ink edge base-panel2", "square", "gone upstream, kept here", states.count("spared")),
        Legend("ghost", "square", "gone, or not copied yet", states.count("gone") + states.count("lag")),
        Legend("fill line", "circle", "not for this copy", states.count("filtered")),
        Legend("dead fill", "square", "refused", states.count("refused")),
    ]
    return [item for item in found if item.count]


class _Block:
    """The marks of one origin and its copies; `top` is the middle of the origin's row."""

    def __init__(self, state: State, block: Block, top: float) -> None:
        self.state = state
        self.block = block
        self.at = block.at
        self.top = top
        self.origin: Stream = stream_of(state, block.origin)
        self.marks: list[Mark] = []
        self.flights: list[Flight] = []
        self.bottom = self._everything()

    def _everything(self) -> float:
        pipes: list[Mark] = []
        y = self.top
        rows = []
        for link in self.block.links:
            y += ROW
            rows.append((link, y))
            pipes.append(self.way(link, y))
        self.marks += pipes[::-1]
        self.head()
        for link, at in rows:
            self.copy(link, at)
        if self.block.rest:
            y += 40
            words = f"and {len(self.block.rest)} more copies of {short_name(self.block.origin, 40)}"
            self.marks.append(label(f"more/{self.block.origin}", NAMES, y, words, "t12 ink3"))
        return y + 26

    def points(self, y: float) -> list[tuple[float, float]]:
        """From the origin down the trunk to a copy."""
        return [(self.at.trunk, self.top), (self.at.trunk, y), (self.at.grid - 13, y)]

    def way(self, link: Link, y: float) -> Path:
        """The pipe: thick while something comes through, dashed while nothing can."""
        key = f"pipe/{link.origin}>{link.name}"
        classes, width, dash = "edge ink3", 1.5, ""
        if link.cut < math.inf:
            classes, width, dash = "edge line", 1.5, "2 4"
        elif trouble(self.state, link):
            classes, width, dash = "edge dead", 2.0, "4 3"
        elif link.moved >= self.state.now - RECENTLY:
            classes, width = "edge flight", 3.0
        title = f"{short_name(link.copy, 40)} reads {short_name(link.origin, 40)}"
        words = pipe(link)
        return Path(
            key=key,
            d=points_path(self.points(y), 10),
            width=width,
            dash=dash,
            classes=f"{classes} way",
            title=f"{title}{f': {words}' if words else ''}.",
        )

    def head(self) -> None:
        """The origin's row."""
        at, origin, y, key = self.at, self.origin, self.top, f"origin/{self.block.origin}"
        there = origin.known or bool(origin.last)
        marks: list[Mark] = [
            label(f"{key}/name", NAMES, y - 1, fit(origin.name, at.name, "t14 w6"),
                  "t14 w6" if there and origin.gone == math.inf else "t14 ink3"),
            label(f"{key}/what", NAMES, y + 14, self.what(),
                  "mono t11 ink2" if origin.subjects else "t11 ink3"),
            port(f"{key}/port", at.trunk, y, there),
        ]  # fmt: skip
        self.marks.append(
            sc.Group(
                key=key,
                marks=marks,
                title=f"{block_title(self.block)} It holds {span(origin)}.",
                state={"messages": origin.messages, "last": origin.last},
                light=[f"stream/{origin.name}"],
            )
        )
        if not there:
            words = "deleted" if origin.gone < math.inf else "there is no such stream here"
            self.marks.append(rect(f"{key}/none", at.grid, y - 14, at.room, 28, "ghost", 6))
            self.marks.append(label(f"{key}/why", at.grid + at.room / 2, y + 4.5, words, "t12 ink3 middle"))
            return
        held = "deleted" if origin.gone < math.inf else count_of(origin.messages, "message")
        self.marks.append(
            label(
                f"{key}/count",
                at.side,
                y + 4.5,
                fit(held, at.end - at.side, "t12"),
                "t12 ink2 num",
            )
        )
        if not self.block.slots:
            self.bar(key, origin, y, origin.first, origin.last)
            return
        gone: list[tuple[float, str]] = []
        for seq in range(self.block.low, origin.last + 1):
            where, x = f"msg/{origin.name}/{seq}", self.block.x(seq)
            if origin.has(seq):
                subject = origin.recent.get(seq, "")
                about = f", {short_name(subject, 60)}" if subject else ""
                title = f"Message {seq} of {short_name(origin.name, 40)}{about}."
                self.slot(where, x, y, str(seq), "here", title)
            else:
                why = "deleted" if origin.gone < math.inf else origin.missing.get(seq, "")
                gone.append((x, WHY.get(why, why)))
                title = f"Message {seq} is not in {short_name(origin.name, 40)} any more: {gone[-1][1]}."
                self.slot(where, x, y, str(seq), "gone", title)
        used, said, end = 0.0, "", 0.0
        for x, why in gone:
            # Of several in a row with one reason the first says it.
            if x >= used and not (why == said and x < end):
                self.marks.append(label(f"{key}/why/{x:g}", x, y + 26, why, "t11 ink3"))
                used = x + text_width(why, "t11") + 8
            said, end = why, x + 1.5 * (self.block.x(2) - self.block.x(1))

    def what(self) -> str:
        """What an origin listens to, or what it is itself."""
        origin = self.origin
        if origin.subjects:
            return fit(", ".join(origin.subjects), self.at.name, "mono t11")
        return "itself a mirror" if origin.mirror else "itself a copy" if origin.links else ""

    def slot(self, key: str, x: float, y: float, text: str, what: str, title: str, light: str = "") -> None:
        """One message: here, spared (gone upstream), gone, or lag (not copied yet)."""
        classes, width, style = "stored edge base-ground", 1.75, "t11 num middle"
        if what == "spared":
            classes, style = "ink edge base-panel2", "t11 w6 num middle"
        elif what in ("gone", "lag"):
            classes, width, style = "ghost", 1.0, "t11 ink3 num middle"
        wide = self.block.slot
        marks: list[Mark] = [rect(f"{key}/box", 0, 0, wide, SLOT, classes, 5, width=width)]
        if text:
            marks.append(label(f"{key}/n", wide / 2, 15, text, style))
        self.marks.append(
            sc.Group(key=key, x=x, y=y - SLOT / 2, marks=marks, title=title, state={"what": what},
                     light=[light] if light else [])
        )  # fmt: skip

    def bar(self, key: str, stream: Stream, y: float, first: int, last: int) -> None:
        """Many messages as a length with holes, its first and last sequence below."""
        block = self.block
        if stream.gone < math.inf and last >= first:
            x0, x1 = block.x(first), block.x(last + 1)
            self.marks.append(rect(f"{key}/bar", x0, y - 8, max(2.0, x1 - x0), 16, "ghost", 3))
            return
        if not stream.messages or last < first:
            self.marks.append(label(f"{key}/empty", self.at.grid, y + 4.5, "empty", "t12 ink3"))
            return
        x0, x1 = block.x(first), block.x(last + 1)
        title = f"{short_name(stream.name, 40)} holds {count_of(stream.messages, 'message')}, {span(stream)}."
        facts = {"first": first, "last": last}
        self.marks.append(rect(f"{key}/bar", x0, y - 8, max(2.0, x1 - x0), 16, "stored fill", 3, title=title,
                               state=facts))  # fmt: skip
        holes = ""
        for seq in sorted(s for s in stream.missing if first < s < last):
            holes += f"M{block.x(seq + 0.5):g} {y - 8:g}V{y + 8:g}"
        if holes:
            wide = max(1.0, round(block.x(2) - block.x(1), 2))
            self.marks.append(Path(key=f"{key}/holes", d=holes, width=wide, classes="edge ground"))
        low, high = amount(first), amount(last)
        self.marks.append(label(f"{key}/last", max(x1, x0 + 40), y + 23, high, "t11 num end"))
        if x1 - x0 > text_width(low + high, "t11") + 20:
            self.marks.append(label(f"{key}/first", x0, y + 23, low, "t11 ink3 num"))

    def copy(self, link: Link, y: float) -> None:
        """A copy's row: its name, what the pipe lets through, what it has, and how far behind it is."""
        at, state, copy = self.at, self.state, stream_of(self.state, link.copy)
        key = f"link/{link.origin}>{link.name}"
        cut = link.cut < math.inf
        late, kept = behind(state, link), spared(state, link)
        words = standing(state, link)
        marks: list[Mark] = [
            label(f"{key}/name", NAMES, y - 1, fit(link.copy, at.name, "t14 w6"), "t14 w6"),
            label(f"{key}/kind", NAMES, y + 14, fit(kind(link, copy), at.name, "t11"), "t11 ink3"),
            port(f"{key}/port", at.grid - 13, y, not cut, 3.5),
            label(f"{key}/standing", at.side, y + 1, fit(words, at.end - at.side, "t13 w6"),
                  "t13 w6 num" if late or trouble(state, link) else "t13 ink2"),
        ]  # fmt: skip
        through = pipe(link)
        if through:
            marks.append(
                label(
                    f"{key}/pipe",
                    at.grid,
                    y - 19,
                    fit(through, at.side - at.grid - 30, "mono t11"),
                    "mono t11 ink2",
                )
            )
        marks += self.aside(key, link, y, kept)
        title = f"{short_name(link.copy, 40)}, {kind(link, copy)} of {short_name(link.origin, 40)}: {words}."
        if cut_off(state, link):
            title = f"{title[:-1]}: {cut_off(state, link)}."
        facts = {"behind": late, "reached": reached(state, link), "kept": kept}
        self.marks.append(sc.Group(key=key, marks=marks, title=title, state=facts))
        if trouble(state, link):
            x = at.trunk + 13
            d = f"M{x - 4:g} {y - 4:g}L{x + 4:g} {y + 4:g}M{x - 4:g} {y + 4:g}L{x + 4:g} {y - 4:g}"
            self.marks.append(Path(key=f"{key}/cross", d=d, width=2.5, classes="edge dead round"))
        if not copy.messages and not late:
            self.marks.append(label(f"{key}/empty", at.grid, y + 4.5, "nothing yet", "t12 ink3"))
        elif self.block.slots:
            self.slots(link, copy, y)
        else:
            self.lengths(key, link, copy, y, late)
        self.fly(link, y)

    def aside(self, key: str, link: Link, y: float, kept: int) -> list[Mark]:
        """The lines under the verdict: what is kept, the worst lag or a loop; and a refused write."""
        at, words = self.at, ""
        if claim(self.state, link):
            words = claim(self.state, link)
        elif (link.copy, link.origin) in loops(self.state):
            words = "a loop: both ways"
        elif kept:
            words = f"{amount(kept)} gone upstream"
        elif link.peak >= WORTH and link.cut == math.inf:
            words = f"was up to {amount(link.peak)} behind"
        marks: list[Mark] = []
        if words:
            marks.append(
                label(
                    f"{key}/aside",
                    at.side,
                    y + 17,
                    fit(words, at.end - at.side, "t12"),
                    "t12 ink3 num",
                )
            )
        bounce = next((b for b in reversed(self.state.bounces) if b.stream == link.copy), None)
        if bounce is not None and link.mirror and link.cut == math.inf:
            y += 16 if words else 0
            who, to = short_name(bounce.client) or "A client", short_name(bounce.subject, 60)
            error = f"{plain(bounce.error)}, {bounce.code}"
            title = f"{who} published to {to} for {short_name(link.copy, 40)}: {error}."
            facts = {"what": "refused"}
            box = rect(f"{key}/refused", at.side, y + 8, 10, 10, "dead fill", 2, state=facts, title=title)
            words = fit(f"write refused, {bounce.code}", at.end - at.side - 16, "t12")
            marks += [box, label(f"{key}/bounce", at.side + 16, y + 17, words, "t12 ink2")]
        return marks

    def slots(self, link: Link, copy: Stream, y: float) -> None:
        """The copy's messages, each under the one of the origin that it is."""
        origin, block = self.origin, self.block
        end = reached(self.state, link)
        numbers = dict(link.pairs)
        if not link.mirror and not link.pairs and end >= block.low:
            line = f"M{block.x(block.low):g} {y:g}H{block.x(min(end, block.high)) + self.block.slot:g}"
            title = f"{short_name(link.copy, 40)} has what it takes up to message {end}."
            where = f"link/{link.origin}>{link.name}/line"
            self.marks.append(Path(key=where, d=line, width=3, classes="edge stored way", title=title))
        for seq in range(block.low, block.high + 1):
            x, where = block.x(seq), f"msg/{link.origin}/{seq}@{link.name}"
            own = seq if link.mirror else numbers.get(seq, 0)
            light = f"msg/{link.origin}/{seq}"
            name = short_name(link.copy, 40)
            if own and copy.has(own) and not (link.mirror and link.cut < math.inf and seq > origin.last):
                gone = bool(origin.last) and not origin.has(seq) and link.cut == math.inf
                number = f", there number {own}" if own != seq else ""
                title = f"Message {seq} of {short_name(link.origin, 40)} is in {name}{number}"
                end_of = "; it is gone upstream." if gone else "."
                self.slot(where, x, y, str(own), "spared" if gone else "here", title + end_of, light)
            elif own and own <= copy.last:
                self.slot(where, x, y, str(own), "gone", f"Message {seq} is not in {name} any more.", light)
            elif not link.takes(origin.recent.get(seq, "")) and seq in origin.recent:
                self.dot(where, x, y, f"Message {seq} is not for {name}.", light)
            elif origin.has(seq) and seq > end and link.cut == math.inf:
                self.slot(where, x, y, "", "lag", f"{name} has not copied message {seq} yet.", light)

    def dot(self, key: str, x: float, y: float, title: str, light: str) -> None:
        """A message that the copy does not take."""
        x += self.block.slot / 2
        dot = sc.Circle(key=key, x=round(x, 2), y=y, r=2.5, classes="fill line", title=title,
                        state={"what": "filtered"}, light=[light])  # fmt: skip
        self.marks.append(dot)

    def lengths(self, key: str, link: Link, copy: Stream, y: float, late: int) -> None:
        """The copy as a length; what it lacks as a gap with its number."""
        at, block, origin, end = self.at, self.block, self.origin, reached(self.state, link)
        if link.mirror:
            last = min(copy.last, block.high)
            self.bar(key, copy, y, copy.first, last)
            upstream = min(origin.first if origin.messages else last + 1, last + 1)
            if copy.messages and link.cut == math.inf and upstream > copy.first:
                title = f"{short_name(link.copy, 40)} keeps what is gone upstream, before {upstream}."
                facts = {"what": "spared"}
                wide = max(3.0, block.x(upstream) - block.x(copy.first))
                self.marks.append(
                    rect(f"{key}/spared", block.x(copy.first), y - 8, wide, 16, "ink edge base-panel2", 3,
                         width=1.75, title=title, state=facts)
                )  # fmt: skip
        elif end >= block.low:
            x1 = block.x(end + 1)
            title = f"{short_name(link.copy, 40)} has all it takes up to message {end}."
            wide = max(2.0, x1 - at.grid)
            bar = rect(f"{key}/bar", at.grid, y - 8, wide, 16, "stored fill", 3, title=title,
                       opacity=0.6 if link.patterns else 1.0)  # fmt: skip
            self.marks += [
                bar,
                label(f"{key}/last", max(x1, at.grid + 40), y + 23, amount(end), "t11 num end"),
            ]
        if late and origin.last > end:
            x0, x1 = block.x(end + 1) + 2, block.x(origin.last + 1)
            self.marks.append(
                rect(f"{key}/gap", x0, y - 8, max(2.0, x1 - x0), 16, "ghost", 3, state={"what": "lag"},
                     title=f"{short_name(link.copy, 40)} lacks {count_of(late, 'message')}.")
            )  # fmt: skip
            words = amount(late)
            if x1 - x0 > text_width(words, "t11 w6") + 12:
                self.marks.append(label(f"{key}/late", (x0 + x1) / 2, y + 4, words, "t11 w6 num middle"))

    def fly(self, link: Link, y: float) -> None:
        """What came through just now."""
        if link.moved < self.state.now - RECENTLY or link.cut < math.inf:
            return
        self.flights.append(
            Flight(key=f"fly/{link.origin}>{link.name}/{reached(self.state, link)}", r=5,
                   d=points_path(self.points(y), 10), x=self.at.grid - 13, y=y, t0=link.moved, t1=link.moved,
                   title=f"{short_name(link.copy, 40)} is at {amount(reached(self.state, link))}.")
        )  # fmt: skip
