"""The logs side by side: what was published, and what each server has of it, index by index."""

from __future__ import annotations

from typing import Any

from natslab.views.acks.glyphs import glyph
from natslab.views.raft import focus as facts
from natslab.views.raft.plan import CELL, GAP, PITCH, WIDEST, Plan, heading
from natslab.views.raft.state import Ask, Entry, Group, Member, State, known_by_leader, leader_of, up
from natslab.views.scene import Group as Marks
from natslab.views.scene import Mark, Path, Rect, label, text_width
from natslab.views.wording import ago, amount, count_of, fit, listed

FRESH = 1.0  # seconds for which an entry is said to be on its way
RECENT = 30.0  # seconds for which a publish that was not stored is shown
HALF = CELL / 2
#: What RAFT itself writes, where its name alone says little.
KINDS = {
    "peers": "list of members",
    "add peer": "a member more",
    "remove peer": "a member less",
    "leader transfer": "hand-over to another leader",
    "old snapshot": "snapshot",
}


class Matrix:
    """Draws the log of every member of a group, aligned by index."""

    def __init__(self, state: State, group: Group, plan: Plan) -> None:
        self.state = state
        self.group = group
        self.plan = plan
        self.right = leader_of(state, group)
        self.counts: dict[str, int] = {}  # of each kind of mark
        self.kinds: set[str] = set()  # of entries without a message

    def everything(self) -> list[Mark]:
        """Headings, lanes, rows, and the words under them."""
        if not self.plan.columns:
            y = self.plan.rows[self.group.peers[0]] if self.group.peers else self.plan.head + 69
            words = label("log/none", self.plan.grid, y + 4, "no entry of the log was seen yet", "t12 ink3")
            return [
                *(self.row_name(name) for name in self.group.peers),
                *([] if len(self.group.peers) < 1 else [words]),
            ]
        return [*self.head(), *self.lanes(), *self.rows(), *self.term_rule(), *self.known(), *self.notes()]

    def head(self) -> list[Mark]:
        """The indexes."""
        out: list[Mark] = [label("log/head", self.plan.names, self.plan.head, "index", "t11 ink3")]
        for i, column in enumerate(self.plan.columns):
            if column.a == column.b:
                text = heading(column.a, i)
                if text:
                    x, how = (column.x, "middle") if column.a < 10_000 else (column.x - HALF, "")
                    out.append(
                        label(f"index/{column.a}", x, self.plan.head, text, f"t12 ink2 num {how}".strip())
                    )
            else:
                words = f"{amount(column.a)} to {amount(column.b)} are left out."
                out.append(
                    label(f"gap/{column.a}", column.x, self.plan.head, "…", "t12 ink3 middle", title=words)
                )
        return out

    def count(self, kind: str, many: int = 1) -> None:
        """There are so many marks more of a kind."""
        self.counts[kind] = self.counts.get(kind, 0) + many

    # --- what was published ------------------------------------------------------------------------

    def lanes(self) -> list[Mark]:
        """What the publishers know: stored, or nothing yet."""
        stream = self.group.type == "stream"
        out: list[Mark] = []
        for i, (where, entries) in enumerate(self.plan.lanes):
            y = self.plan.head + 25 + 28 * i
            word = "publish" if stream else "entry"
            if i == 0 and (entries or stream):
                out.append(label("lane/head", self.plan.names, y + 4, word, "t11 ink3"))
            for entry in entries:
                out += self.entry(entry, y)
            if where:
                out.append(
                    label(
                        f"lane/{i}/at", self.plan.verdict, y + 4, fit(f"at {where}", 100, "t12"), "t12 ink2"
                    )
                )
        return [*out, *self.unstored(self.plan.head + 25)]

    def entry(self, entry: Entry, y: float) -> list[Mark]:
        """One entry: whether who published it knows that it is stored."""
        x = self.plan.x(entry.index)
        if x is None:
            return []
        key = f"entry/{entry.index}/{entry.term}"
        asks = [a for a in self.state.asks.values() if (a.index, a.term) == (entry.index, entry.term)]
        kinds = [KINDS.get(op, op) for op in entry.ops]
        what = count_of(entry.messages, "message") if entry.messages else ", ".join(kinds) or "no message"
        title = f"Entry {amount(entry.index)}, made by {entry.by} in term {entry.term}: {what}."
        if entry.guess:
            title = (
                f"Entry {amount(entry.index)} of {entry.by} in term {entry.term}: nobody saw it being sent."
            )
        marks: list[Mark]
        if not entry.messages:
            marks = [Rect(key=f"{key}/o", x=x - 2.5, y=y - 2.5, w=5, h=5, r=2.5, classes="fill ink3")]
            self.count("own")
            self.kinds.update(kinds)
            title += " Committed." if entry.done >= 0 else " Not committed yet."
        elif entry.done >= 0:
            marks = glyph(key, "acked", x, y, 8)
            self.count("acked")
            told = (
                f" Stored as {listed([f'message {amount(s)}' for s in entry.seqs[:3]])}."
                if entry.seqs
                else ""
            )
            title += f" Committed: its publisher gets its answer.{told}"
        else:
            age = self.state.now - entry.t
            waiting = [a for a in asks if not a.outcome]
            if age < FRESH and (waiting or not asks):
                marks = glyph(key, "flight", x, y, 8, level=1 - age / FRESH)
                self.count("way")
                title += " On its way: its publisher waits."
            else:
                marks = unanswered(key, x, y)
                self.count("open")
                title += " Not committed: its publisher has no answer. It may still be stored."
        return [Marks(key=key, marks=marks, title=title, state={"index": entry.index, "term": entry.term})]

    def unstored(self, y: float) -> list[Mark]:
        """Publishes without an entry: refused at once, or without an answer."""
        last = max((e.t for e in self.group.entries.values() if e.messages and e.done >= 0), default=-1.0)
        x = self.plan.verdict + (
            text_width("at " + self.plan.lanes[0][0], "t12") + 12 if self.plan.lanes[0][0] else 0
        )
        out: list[Mark] = []
        for kind in ("refused", "timeout"):
            asks = [
                a
                for a in self.state.asks.values()
                if a.outcome == kind and a.t > last and self.state.now - a.ended < RECENT and not a.index
            ]
            if asks:
                out += self.bounced(kind, asks, x, y)
                y += 20
        return out

    def bounced(self, kind: str, asks: list[Ask], x: float, y: float) -> list[Mark]:
        """So many publishes that ended so."""
        newest = asks[-1]
        key = f"publish/{kind}"
        many = f"{len(asks)} " if len(asks) > 1 else ""
        if kind == "refused":
            marks, words = glyph(key, "terminated", x + 8, y, 8), f"{many}{newest.why}"
        else:
            marks, words = unanswered(key, x + 8, y), f"{many}no answer"
            self.count("open", len(asks))
        room = self.plan.end - x - 24
        at = f" at {newest.place}" if newest.place else ""
        title = f"{count_of(len(asks), 'publish', 'publishes')}{at}: {words.removeprefix(many)}."
        text = label(f"{key}/words", x + 23, y + 4, fit(words, room, "t12"), "t12 ink2")
        return [Marks(key=key, marks=[*marks, text], title=title, state={"count": len(asks)})]

    # --- the logs ------------------------------------------------------------------------------------

    def rows(self) -> list[Mark]:
        """The log of every member."""
        out: list[Mark] = []
        for name in self.group.peers:
            out.append(self.row_name(name))
            out += self.row(name)
        return out

    def row_name(self, name: str) -> Mark:
        """Its name; what is known of one that does not answer is of before."""
        ink = "" if up(self.state, name) else " ink3"
        return label(
            f"log/{name}/name",
            self.plan.names,
            self.plan.rows[name] + 5,
            fit(name, WIDEST, "t14 w6"),
            f"t14 w6{ink}",
        )

    def row(self, name: str) -> list[Mark]:
        """Its entries, and how far it knows them to be committed."""
        one = self.group.members.get(name) or Member(name=name)
        y = self.plan.rows[name]
        cells = [self.cell(one, c.a, c.x, y) for c in self.plan.columns if c.a == c.b]
        gaps: list[Mark] = [
            Path(key=f"gap/{name}/{c.a}", d=f"M{c.x - 5:g} {y:g}H{c.x + 5:g}", classes="edge ink3 dots none")
            for c in self.plan.columns
            if c.a != c.b and one.log.last >= c.a
        ]
        key = f"log/{name}"
        out: list[Mark] = [Marks(key=key, marks=[*cells, *gaps])]
        room = self.plan.end - self.plan.verdict
        if not up(self.state, name):
            words = "not known"
            if one.seen >= 0:
                past = ago(self.state.now - one.seen)
                tried = (f"last heard {past}", f"heard {past}")
                words = next((t for t in tried if text_width(t, "t12") <= room), past)
            out.append(label(f"{key}/of", self.plan.verdict, y + 4, words, "t12 ink3"))
        elif one.log.last or one.commit:
            number = (amount(one.commit), "t12 w6 num")
            lacks = self.right.log.last - one.log.last if self.right is not None else 0
            runs = [("commit ", "t12 ink2"), number]
            if lacks > 2:
                more = (f"{amount(lacks)} behind", "t12 ink3")
                runs = next(
                    tried
                    for tried in ([*runs, ("  ", "t12"), more], [number, (", ", "t12 ink3"), more], runs)
                    if sum(text_width(t, c) for t, c in tried) <= room or tried is runs
                )
            text = label(f"{key}/of", self.plan.verdict, y + 4, "")
            text.runs = runs
            out.append(text)
        return out

    def cell(self, one: Member, index: int, x: float, y: float) -> Mark:
        """One index in one log."""
        what = facts.cell(self.state, self.group, one, index)
        quiet = not up(self.state, one.name)
        self.count("silent" if quiet and what in ("committed", "stored") else what)
        term = one.log.term(index)
        if not term and what == "committed":
            # What is committed is the same everywhere.
            term = max(
                (m.log.term(index) for m in self.group.members.values() if m.commit >= index), default=0
            )
        key = f"cell/{one.name}/{index}"
        text = str(term) if 0 < term < 1000 else ""
        marks: list[Mark]
        box: dict[str, Any] = {"x": round(x - HALF, 2), "y": round(y - HALF, 2), "w": CELL, "h": CELL, "r": 4}
        size = "t12" if term < 100 else "t11"
        if what == "committed":
            marks = [Rect(key=f"{key}/o", classes="done fill", **box),
                     label(f"{key}/t", x, y + 4.5, text, f"{size} w6 on done middle")]  # fmt: skip
            words = f"{one.name} has entry {amount(index)}, and knows that it is committed."
        elif what == "stored":
            marks = [Rect(key=f"{key}/o", classes="stored edge none", dash="5 3", width=1.75, **box),
                     label(f"{key}/t", x, y + 4.5, text, f"{size} middle")]  # fmt: skip
            words = f"{one.name} has entry {amount(index)}, and does not know that it is committed."
        elif what == "divergent":
            d = f"M{x:g} {y - 12.5:g}L{x + 12.5:g} {y:g}L{x:g} {y + 12.5:g}L{x - 12.5:g} {y:g}Z"
            marks = [Path(key=f"{key}/o", d=d, width=1.75, classes="dead edge none"),
                     label(f"{key}/t", x, y + 4.5, text, f"{size} middle")]  # fmt: skip
            words = f"{one.name} has another entry {amount(index)} than the leader: it will go."
        else:
            marks = [Rect(key=f"{key}/o", classes="ink3 edge dots none", width=1.25, **box)]
            words = f"{one.name} has no entry {amount(index)}."
        if term and what != "missing":
            words += f" It is of term {amount(term)}."
        if quiet:
            marks[0].classes += " stale"
        return Marks(key=key, marks=marks, title=words)

    # --- what is said of it ----------------------------------------------------------------------------

    def term_rule(self) -> list[Mark]:
        """Where the newest term that has entries begins."""
        at = self.newest_term()
        if at is None:
            return []
        term, x = at
        top, low = self.plan.head + 8, self.plan.notes - 19
        return [
            Path(key=f"rule/{term}", d=f"M{x:g} {top:g}V{low:g}", dash="4 4", classes="edge ink2 none",
                 title=f"Term {amount(term)} begins.")
        ]  # fmt: skip

    def newest_term(self) -> tuple[int, float] | None:
        """The newest term that begins in a column, and where."""
        log = (
            self.right.log
            if self.right is not None
            else max(
                (m.log for m in self.group.members.values()),
                key=lambda g: (g.term(g.last), g.last),
                default=None,
            )
        )
        if log is None:
            return None
        for left, column in reversed(list(zip(self.plan.columns, self.plan.columns[1:], strict=False))):
            term = log.term(column.a)
            if term and column.a == column.b and log.term(left.b) not in (0, term):
                wide = PITCH if left.a == left.b else GAP + 6
                return term, round(column.x - wide / 2, 2)
        return None

    def known(self) -> list[Mark]:
        """How far the leader knows the others to be."""
        out: list[Mark] = []
        if self.right is None:
            return out
        for name in self.group.peers:
            index = known_by_leader(self.group, name, self.state.now)
            x = self.plan.x(index) if name != self.right.name else None
            if x is None:
                continue
            y = self.plan.rows[name] + HALF + 3
            words = f"{self.right.name} knows that {name} has everything up to {amount(index)}."
            d = f"M{x:g} {y - 1:g}L{x + 4:g} {y + 5:g}H{x - 4:g}Z"
            out.append(Path(key=f"known/{name}", d=d, classes="fill ink halo", title=words))
        return out

    def notes(self) -> list[Mark]:
        """Words under the rows: where a term begins, what only some have, what the sign means."""
        y = self.plan.notes
        wanted: list[tuple[str, float, str, str]] = []
        at = self.newest_term()
        if at is not None:
            wanted.append(("rule/words", at[1], f"term {amount(at[0])} begins", "middle"))
        only = self.only()
        if only is not None:
            wanted.append(("only", only[1], only[0], "middle"))
        signs = [m.key for m in self.known()]
        if signs and self.right is not None:
            wanted.append(("known/words", self.plan.grid, f"▲ as far as {self.right.name} knows", ""))
        out: list[Mark] = []
        taken: list[tuple[float, float, float]] = []
        for key, x, text, how in wanted:
            wide = text_width(text, "t12")
            spots = [x - wide / 2 if how else x, self.plan.grid, self.plan.end - wide]
            for left, base in (
                (max(self.plan.names, min(s, self.plan.end - wide)), b) for s in spots for b in (y, y + 17)
            ):
                if all(base != b or left + wide + 10 <= a or left >= c + 10 for b, a, c in taken):
                    taken.append((base, left, left + wide))
                    out.append(label(key, left, base, text, "t12 ink2"))
                    break
        return out

    def only(self) -> tuple[str, float] | None:
        """The end of the log that only one member has."""
        last = self.group.last
        have = [m for m in self.group.members.values() if m.log.last == last]
        if len(have) != 1 or len(self.group.peers) < 2:
            return None
        others = max((m.log.last for m in self.group.members.values() if m is not have[0]), default=0)
        if others >= last or (have[0] is self.right and have[0].commit >= last):
            return None
        xs = [x for i in range(others + 1, last + 1) if (x := self.plan.x(i)) is not None]
        return (f"only on {have[0].name}", (xs[0] + xs[-1]) / 2) if xs else None


def unanswered(key: str, x: float, y: float) -> list[Mark]:
    """The sign of a publish without an answer: a box that is open at its right."""
    d = (
        f"M{x + 10:g} {y - 10:g}H{x - 7:g}A3 3 0 0 0 {x - 10:g} {y - 7:g}"
        f"V{y + 7:g}A3 3 0 0 0 {x - 7:g} {y + 10:g}H{x + 10:g}"
    )
    return [
        Path(key=f"{key}/o", d=d, width=1.75, classes="flight edge none"),
        label(f"{key}/q", x, y + 4.5, "?", "t12 w6 middle"),
    ]
