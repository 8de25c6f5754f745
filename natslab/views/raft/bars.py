"""Who has a majority, and the story so far."""

from __future__ import annotations

from natslab.views.marks import rect
from natslab.views.raft import focus as facts
from natslab.views.raft.plan import LINE, Plan
from natslab.views.raft.room import short_names
from natslab.views.raft.state import Group, Line, State, leader_of
from natslab.views.scene import Group as Marks
from natslab.views.scene import Mark, Path, label, text_width
from natslab.views.wording import fit

LASTS = 0.1  # seconds from which on a sentence tells of a while


def quorum(state: State, group: Group, plan: Plan) -> list[Mark]:
    """One bar for each side: filled segments for who is in reach, a line at how many are needed."""
    total = len(group.peers)
    if total < 2:
        return []
    wide = 42.0 if total <= 3 else 34.0 if total <= 5 else 27.0
    pitch = wide + 3
    found = facts.sides(state, group)[:2] or [facts.Side("", [], [], False)]
    key = "quorum"
    x0 = plan.grid
    at = x0 + pitch * group.quorum - 1.5
    marks: list[Mark] = [
        label(f"{key}/needed", at, plan.bars - 20, "needed", "t12 ink2 middle"),
        label(f"{key}/head", plan.names, plan.bars + 4, "reach", "t11 ink3"),
    ]
    for i, side in enumerate(found):
        marks += _bar(state, group, side, f"{key}/{i}", plan, plan.bars + 34 * i, wide, at)
    words = "; ".join(verdict(state, group, s) for s in found)
    return [
        Marks(key=key, marks=marks, title=f"{words[:1].upper()}{words[1:]}.", state={"needed": group.quorum})
    ]


def _bar(
    state: State, group: Group, side: facts.Side, key: str, plan: Plan, y: float, wide: float, at: float
) -> list[Mark]:
    marks: list[Mark] = []
    line = [*side.names, *side.silent]
    called = short_names(group.peers, wide - 2)
    for k in range(len(group.peers)):
        name = line[k] if k < len(line) else ""
        x = plan.grid + (wide + 3) * k
        inside = k < len(side.names)
        marks.append(
            rect(f"{key}/{k}", x, y - 9, wide, 18, "fill ink" if inside else "edge line base-ground", 3)
        )
        short = called[name] if name else ""
        if short and text_width(short, "t12 w6") <= wide:
            classes = "t12 w6 ground middle" if inside else "t12 ink3 middle"
            marks.append(label(f"{key}/{k}/name", x + wide / 2, y + 4.5, short, classes))
    marks.append(
        Path(key=f"{key}/line", d=f"M{at:g} {y - 14:g}V{y + 14:g}", width=2, classes="edge ink none")
    )
    x = plan.grid + (wide + 3) * len(group.peers) + 12
    words = verdict(state, group, side)
    classes = "t12 w6" if side.enough else "t12"
    if text_width(words, classes) > plan.end - x:
        words = words.replace(" and commit", "")
    marks.append(label(f"{key}/words", x, y + 4.5, fit(words, plan.end - x, classes), classes))
    return marks


def verdict(state: State, group: Group, side: facts.Side) -> str:
    """What a side can do."""
    n = f"{len(side.names)} of {len(group.peers)}"
    if not side.enough:
        return f"{n}: cannot commit"
    right = leader_of(state, group)
    if right is not None and right.name in side.names:
        return f"{n}: can commit"
    return f"{n}: can elect and commit"


def when(line: Line) -> str:
    """The time of a sentence; the last digits of an end do not matter."""
    return f"{line.t:.3f}" + (f"–{line.until:.1f}" if line.until - line.t >= LASTS else "")


def lines(group: Group, plan: Plan) -> list[Mark]:
    """The newest sentences of the story; the last one is what just happened."""
    out: list[Mark] = []
    shown = group.story[-plan.lines :]
    times = [when(line) for line in shown]
    x = plan.names + max([66.0, *(text_width(t, "mono t11") + 12 for t in times)])
    for i, line in enumerate(shown):
        y = plan.story + LINE * i
        now = i == len(shown) - 1
        key = f"line/{line.id}"
        marks: list[Mark] = []
        if now:
            marks.append(
                rect(
                    f"{key}/ground", plan.names - 12, y - 15, plan.end - plan.names + 12, 21, "fill panel2", 5
                )
            )
        marks.append(label(f"{key}/t", plan.names, y, times[i], "mono t11 ink2" if now else "mono t11 ink3"))
        classes = "t12 w5" if now else "t12 ink2"
        marks.append(label(f"{key}/words", x, y, fit(line.text, plan.end - x - 8, classes), classes))
        out.append(Marks(key=key, marks=marks, title=f"{line.text}.", at=line.n))
    return out
