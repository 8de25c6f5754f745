"""One request in the picture: bars, arrows, signs, and the words beside them."""

from __future__ import annotations

from natslab.views import scene as sc
from natslab.views.layout import Point
from natslab.views.requests.lifelines import Lifelines
from natslab.views.requests.plan import Band
from natslab.views.requests.signs import bar, sign_of, stroke
from natslab.views.requests.state import Request
from natslab.views.requests.words import lasted, time_of
from natslab.views.scene import Mark, label, text_width
from natslab.views.wording import fit, short_name


class Arrows:
    """Draws requests between lifelines."""

    def __init__(self, lines: Lifelines) -> None:
        self.lines = lines
        self.x = lines.x
        self.taken: list[tuple[float, float, float, float]] = []  # room taken by words beside lifelines

    def hop_key(self, band: Band, a: str, b: str) -> str:
        """On its way out of the server a message is a copy at the one it came to."""
        r = band.request
        kind, _, i = a.partition(" ") if a.startswith(("rep ", "back ")) else ("", "", "")
        name = (r.replies[int(i)].id or f"{r.id}/reply{i}") if kind else r.id
        if b == "refused":
            name = f"{r.id}/503"
        line = band.nodes[b].line
        if line == "server":
            return f"hop/{name}"
        return f"msg/{name}@{r.requester if line == 'requester' else line}"

    def band(self, band: Band) -> list[Mark]:
        """Bars, arrows and labels of one request."""
        r, nodes = band.request, band.nodes
        key = f"req/{r.id}"
        x0, xs = self.x(r, "requester"), self.x(r, "server")
        under: list[Mark] = []
        over: list[Mark] = []
        texts: list[Mark] = []
        done = [
            nodes[f"came {i}"].y
            for i, fate in enumerate(band.fates)
            if fate == "answer" and f"came {i}" in nodes
        ]
        end = (
            nodes["refused"].y
            if "refused" in nodes
            else nodes["end"].y
            if "end" in nodes
            else max(done, default=0.0)
        )
        end = end or max(node.y for node in nodes.values())
        waits = f"{short_name(r.requester)} waits" + (f" {time_of(lasted(r))}." if r.ended else ".")
        under.append(bar(f"{key}/wait", x0, nodes["ask"].y, end, title=waits))
        if r.outcome == "timeout":
            y = nodes["end"].y + 0.5
            who = fit(r.requester, 100, "t12")
            over.append(stroke(f"{key}/deadline", (x0 + 10, y), (self.lines.at.end - 24, y), "edge ink3 dash",
                              title=f"The deadline, {time_of(r.deadline)} after the request."))  # fmt: skip
            texts.append(
                label(f"{key}/deadline/words", x0 + 18, y - 6.5, f"deadline: {who} gives up", "t12 ink2 halo")
            )
        under += self.work(band, texts)
        for a, b in band.hops:
            over += self.hop(band, a, b, texts)
        for name, node in nodes.items():
            if node.line == "server":
                known = r.server if name == "in" else r.replies[int(name.split()[1])].server
                guess = "" if known else " inferred"
                title = "" if known else "≈ The server did not tell when: some time between."
                over.append(
                    sc.Circle(
                        key=f"{key}/{name}", x=xs, y=node.y, r=3.5, classes=f"fill ink2{guess}", title=title
                    )
                )
        over += self.ends(band, texts)
        return [*under, *over, *texts]

    def work(self, band: Band, texts: list[Mark]) -> list[Mark]:
        """A bar for each responder, from the request to its reply."""
        r, nodes = band.request, band.nodes
        marks: list[Mark] = []
        roomy = sum(role == "responder" for role, _ in self.lines.places) <= 3
        for who, leg in r.legs.items():
            if who in self.lines.hidden or not leg.got:
                continue
            sent = [(i, x) for i, x in enumerate(r.replies) if x.by == who and f"rep {i}" in nodes]
            a = nodes[f"got {who}"]
            x = self.x(r, who)
            if not sent and r.outcome == "waiting":
                b, words = nodes["end"], f"{short_name(who)} works on it."
            elif sent:
                b = nodes[f"rep {sent[0][0]}"]
                words = f"{short_name(who)} works {time_of(max(0.0, b.t - a.t))}."
            else:
                if roomy:
                    texts += self.beside(f"req/{r.id}/busy/{who}/words", x, a.y + 4, "no reply")
                continue
            key = f"req/{r.id}/busy/{who}"
            marks.append(bar(key, x, a.y, max(a.y + 5, b.y), title=words))
            if sent and roomy:
                text = f"works {time_of(max(0.0, b.t - a.t))}"
                broken = any(a.y < y < b.y for y, _ in band.breaks)
                y = b.y - 6 if broken else (a.y + b.y) / 2 + 4
                texts += self.beside(f"{key}/words", x, y, text)
        return marks

    def beside(self, key: str, x: float, y: float, text: str) -> list[Mark]:
        """Words beside a lifeline, at its right if it can be; none where there is no room."""
        size = text_width(text, "t11")
        for down in (0, 14, -14):
            for left, end in ((x + 12, ""), (x - 12 - size, " end")):
                box = (left, y + down - 9, left + size, y + down + 3)
                free = all(box[2] < a or c < box[0] or box[3] < b or d < box[1] for a, b, c, d in self.taken)
                if free and box[2] <= self.lines.at.end - 20:
                    self.taken.append(box)
                    at = left + size if end else left
                    return [label(key, at, y + down, text, f"t11 ink2{end} halo")]
        return []

    def hop(self, band: Band, a: str, b: str, texts: list[Mark]) -> list[Mark]:
        """One arrow, and the word on it."""
        r, (p, q) = band.request, (band.nodes[a], band.nodes[b])
        if q.line in self.lines.hidden and b != next(
            h[1] for h in band.hops if band.nodes[h[1]].line in self.lines.hidden
        ):
            return []  # all of them arrive on one line at almost one time
        fate = band.fates[int(a.split()[1])] if a.startswith(("rep ", "back ")) else ""
        colour = "dead" if b == "refused" else "done" if fate == "answer" else "flight"
        x, y, to = self.x(r, p.line), p.y, self.x(r, q.line)
        # Heads stop short of what they point at.
        short = 11 if q.line == "requester" else 5
        length = ((to - x) ** 2 + (q.y - y) ** 2) ** 0.5 or 1.0
        tip = (to - (to - x) * short / length, q.y - (q.y - y) * short / length)
        key = self.hop_key(band, a, b)
        names = {"requester": r.requester, "server": self.lines.server}
        who, whom = (short_name(names.get(line, line)) for line in (p.line, q.line))
        title = f"{who} to {whom}, {time_of(max(0.0, q.t - p.t))}."
        nearest = max(there for (role, _), there in self.lines.places.items() if role == "requester")
        middle = (nearest + self.x(r, "server")) / 2
        if a == "ask":
            words = fit(r.subject, self.x(r, "server") - nearest - 22, "mono t11")
            there = self.above((x, y), (to, q.y), middle - text_width(words, "mono t11") / 2)
            texts.append(label(f"{key}/words", middle, there, words, "mono t11 ink2 middle halo"))
        elif b == "refused":
            texts.append(label(f"{key}/words", middle, q.y + 15, "503 No Responders", "t11 ink2 middle"))
            who, right = fit(self.lines.server, 70, "t12"), x + 16
            texts.append(label(f"{key}/why", right, y - 4, "nobody subscribes,", "t12 ink2 halo"))
            texts.append(label(f"{key}/so", right, y + 13, f"so {who} itself answers", "t12 ink2 halo"))
        elif a.startswith("back "):
            words = {"late": "late reply, ignored", "discarded": "discarded"}.get(fate, "reply")
            there = self.above((x, y), (to, q.y), middle + text_width(words, "t11") / 2)
            texts.append(label(f"{key}/words", middle, there, words, "t11 ink2 middle halo"))
        return [stroke(key, (x, y), tip, f"edge {colour} round", width=2.5, arrow=True, title=title)]

    @staticmethod
    def above(a: Point, b: Point, x: float) -> float:
        """The baseline of words that stand on the line from `a` to `b` and touch it at `x` at most."""
        return round(a[1] + (b[1] - a[1]) * (x - a[0]) / (b[0] - a[0]) - 5, 2)

    def ends(self, band: Band, texts: list[Mark]) -> list[Mark]:
        """Signs and times on the requester's lifeline."""
        r, nodes = band.request, band.nodes
        x = self.x(r, "requester")
        key = f"req/{r.id}"
        marks: list[Mark] = [
            sc.Circle(key=f"{key}/ask", x=x, y=nodes["ask"].y, r=6, classes="flight fill halo"),
        ]
        took = time_of(lasted(r))
        for name, node in nodes.items():
            if node.line != "requester":
                continue
            strong = name == "end"
            if name.startswith("came "):
                fate = band.fates[int(name.split()[1])]
                sign = "ignored" if fate != "answer" else "error" if r.outcome == "error" else "answered"
                marks += sign_of(f"{key}/{name}", sign, x, node.y)
            elif name == "refused":
                marks += sign_of(f"{key}/{name}", "no responders", x, node.y)
            elif strong and r.outcome != "waiting":
                marks += sign_of(f"{key}/{name}", r.outcome, x, node.y)
            if node.label:
                words = "0" if name == "ask" else took if name == "end" else time_of(node.t - r.t)
                texts.append(label(f"{key}/{name}/time", x - 18, node.y + 4, words,
                                   f"t11 {'w6' if strong else 'ink3'} end halo"))  # fmt: skip
        return marks

    def gap(self, key: str, y: float, seconds: float, request: Request) -> list[Mark]:
        """Time that is not drawn to scale: a button on the requester's line, torn lines elsewhere."""
        marks: list[Mark] = []
        x0 = self.x(request, "requester")
        if seconds < 0:
            words, title = "meanwhile", "This request was asked before the one above was over."
        else:
            words = time_of(seconds)
            title = f"{words} in which nothing was sent, not drawn to scale."
            for (role, name), x in self.lines.places.items():
                if x == x0:
                    continue
                top, low = y - 6, y + 2
                zig = [(x - 13, 0), (x - 6.5, 6), (x, 0), (x + 6.5, 6), (x + 13, 0)]
                there = "L".join(f"{a:g} {top + b:g}" for a, b in zig)
                back = "L".join(f"{a:g} {low + b:g}" for a, b in zig)
                rear = "L".join(f"{a:g} {low + b:g}" for a, b in reversed(zig))
                torn = f"{key}/{role}/{name}"
                marks.append(sc.Path(key=f"{torn}/ground", d=f"M{there}L{rear}Z", classes="ground fill"))
                marks.append(sc.Path(key=torn, d=f"M{there}M{back}", classes="edge line round none"))
        sign = 0 if seconds < 0 else 11
        size = text_width(words, "t11") + 20 + sign
        left = x0 - size / 2
        inside: list[Mark] = [
            sc.Rect(key=f"{key}/box", x=round(left, 2), y=y - 10.5, w=round(size, 2), h=21, r=10.5,
                    classes="edge line base-ground"),
            label(f"{key}/words", left + 10 + sign, y + 4, words, "t11 ink2"),
        ]  # fmt: skip
        if sign:
            a, b = left + 9, left + 14
            zig_zag = (
                f"M{a:.1f} {y - 5:g}L{b:.1f} {y - 2.5:g}L{a:.1f} {y:g}L{b:.1f} {y + 2.5:g}L{a:.1f} {y + 5:g}"
            )
            inside.append(sc.Path(key=f"{key}/zigzag", d=zig_zag, classes="edge ink3 round none"))
        return [*marks, sc.Group(key=key, marks=inside, title=title, state={"seconds": round(seconds, 6)})]
