"""The requests picture: verdicts at the left, lifelines at the right, time downwards."""

from __future__ import annotations

import shlex
from collections import Counter
from typing import Any

from natslab.views import scene as sc
from natslab.views.marks import RECENTLY, port, rect
from natslab.views.requests.arrows import Arrows
from natslab.views.requests.lifelines import SLIM, Lifelines
from natslab.views.requests.plan import SILENCE, Band, band_of, place, shown_of
from natslab.views.requests.signs import sign_of, stroke
from natslab.views.requests.state import OUTCOMES, Request, State
from natslab.views.requests.words import describe, headline_of, verdict_of
from natslab.views.scene import Action, Flight, Legend, Mark, Scene, label
from natslab.views.view import blank
from natslab.views.wording import fit, short_name, wide

TITLE = "Requests"
SOURCES = "seen by this lab's clients and the server's trace"
REASON = 188.0  # pixels for the words at the left


def draw(state: State) -> Scene:
    """Verdicts at the left, lifelines at the right, time downwards."""
    scene = blank(state, "requests", TITLE, SOURCES, headline_of(state), describe(state)[1])
    scene.width, scene.controls = state.width, _controls(state)
    if state.total:
        canvas = _Canvas(state)
        scene.width = canvas.lines.at.end
        scene.marks, scene.height = canvas.everything(), canvas.bottom
        scene.flights, scene.legend = canvas.flights(), canvas.legend()
    return scene


def _controls(state: State) -> list[Action]:
    """The newest requests again."""
    subjects = dict.fromkeys(r.subject for r in reversed(state.asked.values()))
    return [Action(f'nats request {shlex.quote(s)} ""', f"Ask {short_name(s, 24)}") for s in [*subjects][:3]]


def _wrap(text: str, room: float, classes: str) -> list[str]:
    """Two lines at most; what follows a colon begins the second."""
    lines = [""]
    for word in text.split(" "):
        longer = f"{lines[-1]} {word}".strip()
        if (wide(longer, classes) <= room and not lines[-1].endswith(":")) or not lines[-1]:
            lines[-1] = longer
        else:
            lines.append(word)
    if len(lines) > 2:
        lines = [lines[0], " ".join(lines[1:])]
    return [fit(line, room, classes) for line in lines]


class _Canvas:
    """The marks of one picture."""

    def __init__(self, state: State) -> None:
        self.state = state
        self.shown, self.older = shown_of(state)
        self.bands = [band_of(r, state.now) for r in self.shown]
        self.lines = Lifelines(state, self.shown)
        self.arrows = Arrows(self.lines)
        self.x = self.lines.x
        self.bottom = 0.0

    def everything(self) -> list[Mark]:
        """All marks, in drawing order."""
        marks, y = self.earlier(132.0)
        heads, floor = self.lines.heads(y)
        y = floor + 22
        inside: list[Mark] = []
        before: Band | None = None
        gaps: list[tuple[str, float, float, Request]] = []
        for band in self.bands:
            r = band.request
            if before is not None:
                end = max(node.t for node in before.nodes.values())
                silence = r.t - end
                if silence > SILENCE or silence < 0:
                    gaps.append((f"gap/{r.id}", y + 10, silence, r))
                    y += 38
                else:
                    y += 12
            verdict, under = self.verdict(band, y)
            place(band, y + under)
            drawn = self.arrows.band(band)
            # A part lights up what its request lights up.
            verdict.light = [mark.key for mark in drawn]
            for mark in drawn:
                if mark.title:
                    mark.light = [verdict.key]
            inside += [verdict, *drawn]
            if not under:
                lines = sum(isinstance(mark, sc.Text) for mark in verdict.marks)
                band.bottom = max(band.bottom, y + 5 + 17.5 * (lines - 0.5))
            for i, (height, seconds) in enumerate(band.breaks):
                gaps.append((f"gap/{r.id}/{i}", height, seconds, r))
            y = band.bottom
            before = band
        self.bottom = y + 12
        lifelines: list[Mark] = []
        for (role, name), x in self.lines.places.items():
            lifelines.append(stroke(f"line/{role}/{name}", (x, floor + 2), (x, self.bottom - 6), "edge line"))
            lifelines.append(port(f"port/{role}/{name}", x, floor))
        return [*marks, *heads, *lifelines, *inside, *(m for gap in gaps for m in self.arrows.gap(*gap))]

    def earlier(self, y: float) -> tuple[list[Mark], float]:
        """Older requests, counted by outcome and subject, in as few lines as they need."""
        if not self.older:
            return [], y
        marks: list[Mark] = [label("old", 24, y, "before", "t11 ink3")]
        x = 82.0
        for outcome, subject, n in self.older:
            words = {"no responders": "refused"}.get(outcome, OUTCOMES[outcome])
            name = fit(subject, 190, "mono t11") if subject else "others"
            size = 22 + wide(f"{n} {words} ", "t12") + wide(name, "mono t11") + 20
            if x > 82 and x + size > self.lines.at.end - 24:
                x, y = 82.0, y + 22
            key = f"old/{outcome}/{subject}"
            runs = [(f"{n} {words}  ", "t12 ink2"), (name, "mono t11 ink3")]
            title = (
                f"{n} older requests"
                + (f" to {short_name(subject, 80)}" if subject else "")
                + f": {OUTCOMES[outcome]}."
            )
            text = sc.Text(key=f"{key}/words", x=round(x + 20, 2), y=y, runs=runs)
            marks.append(sc.Group(key=key, title=title, state={"count": n},
                                  marks=[*sign_of(key, outcome, x + 7.5, y - 4.5), text]))  # fmt: skip
            x += size
        return marks, y + 26

    def verdict(self, band: Band, y: float) -> tuple[sc.Group, float]:
        """What became of it, in words beside it; in a narrow picture over it, and how high they are."""
        r, narrow, under = band.request, self.lines.at is SLIM, 0.0
        key = f"req/{r.id}"
        word, reason = verdict_of(r)
        marks = sign_of(key, r.outcome, 32, y - 0.5)
        if narrow:
            right = self.lines.at.end - 24
            word_ = fit(word, 240, "t14 w6")
            subject = fit(r.subject, right - 66 - wide(word_, "t14 w6"), "mono t12")
            lines = _wrap(reason, right - 50, "t12") if reason else []
            ground = rect(f"{key}/floor", 24, y - 13, right - 24, 26 + 17 * len(lines), "fill ground")
            marks = [ground, *marks, label(f"{key}/word", 50, y + 4.5, word_, "t14 w6")]
            marks.append(label(f"{key}/subject", right, y + 4.5, subject, "mono t12 ink2 end"))
            marks += [
                label(f"{key}/why{i}", 50, y + 22 + 17 * i, line, "t12 ink3") for i, line in enumerate(lines)
            ]
            under = 30 + 17.0 * len(lines)
        else:
            said = fit(r.subject, REASON, "mono t12")
            marks.append(label(f"{key}/word", 50, y + 4.5, fit(word, 224, "t14 w6"), "t14 w6"))
            marks.append(label(f"{key}/subject", 50, y + 23, said, "mono t12 ink2"))
            for i, line in enumerate(_wrap(reason, REASON, "t12") if reason else []):
                marks.append(label(f"{key}/why{i}", 50, y + 41 + 17 * i, line, "t12 ink3"))
        title = f"{short_name(r.requester)} asked {short_name(r.subject, 80)}: {word}"
        title += f"; {reason}." if reason else "."
        group = sc.Group(
            key=key,
            marks=marks,
            title=title,
            state={"request": r.n, "inbox": short_name(r.inbox, 80), "outcome": r.outcome,
                   "answers": r.answers, "late": r.late,
                   "discarded": r.discarded, "took": round(r.took, 6), "deadline": r.deadline},
        )  # fmt: skip
        return group, under

    def flights(self) -> list[Flight]:
        """The newest messages travel once, while they are new: a request first, then its replies."""
        out: list[Flight] = []
        for band in self.bands:
            r, nodes = band.request, band.nodes
            x0, y0 = self.x(r, "requester"), nodes["ask"].y

            def at(name: str, band: Band = band) -> str:
                node = band.nodes[name]
                return f"{self.x(band.request, node.line):.2f} {node.y:.2f}"

            common: dict[str, Any] = {"x": x0, "y": y0, "r": 6, "group": f"req/{r.id}"}
            ways = [(leg.who, f"M{at('ask')}L{at('in')}L{at(f'got {leg.who}')}", leg.got or None)
                    for leg in r.legs.values() if leg.who not in self.lines.hidden]  # fmt: skip
            if not ways:
                ways = [(self.lines.server, f"M{at('ask')}L{at('in')}", nodes["in"].t)]
            for who, d, t1 in ways:
                out.append(
                    Flight(key=f"fly/{r.id}@{who}", d=d, t0=r.t, t1=t1, end="delivered" if t1 else "open",
                           title=f"The request on its way to {short_name(who)}.", **common)
                )  # fmt: skip
            for i, (reply, fate) in enumerate(zip(r.replies, band.fates, strict=True)):
                if f"came {i}" not in nodes or reply.by in self.lines.hidden:
                    continue
                begin = f"M{at(f'rep {i}')}L" if f"rep {i}" in nodes else "M"
                out.append(
                    Flight(
                        key=f"fly/{reply.id or f'{r.id}/{i}'}@{r.requester}",
                        d=f"{begin}{at(f'back {i}')}L{at(f'came {i}')}",
                        t0=reply.sent or reply.came,
                        t1=reply.came,
                        delay=0.5,
                        end="delivered" if fate == "answer" else "late",
                        classes="done fill" if fate == "answer" else "flight fill",
                        title="The reply.",
                        **common,
                    )
                )
            if "refused" in nodes:
                out.append(
                    Flight(
                        key=f"fly/{r.id}/503",
                        d=f"M{at('in')}L{at('refused')}",
                        t0=nodes["in"].t,
                        t1=nodes["refused"].t,
                        delay=0.5,
                        end="refused",
                        classes="dead fill",
                        title="503 No Responders.",
                        **common,
                    )
                )
        since = self.state.now - RECENTLY
        recent = [f for f in out if (f.t1 or f.t0) >= since][-8:]
        # At rest they lie where the question began; the question itself on top.
        return sorted(recent, key=lambda f: f.delay, reverse=True)

    def legend(self) -> list[Legend]:
        """The signs that are there now, with how often."""
        count = Counter(r.outcome for r in self.shown)
        ignored = sum(fate in ("late", "discarded") for band in self.bands for fate in band.fates)
        out = [
            Legend("done fill", "circle", "answered", count["answered"]),
            Legend("dead fill", "square", "refused", count["no responders"]),
            Legend("dead fill", "square", "failed", count["error"]),
            Legend("ink edge none", "square", "timed out", count["timeout"] + count["abandoned"]),
            Legend("flight edge none", "ring", "waiting", count["waiting"]),
            Legend("flight edge", "line", "reply ignored", ignored),
        ]
        return [item for item in out if item.count]
