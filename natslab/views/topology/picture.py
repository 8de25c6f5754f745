"""The topology picture: panels with servers, the wires between them, clients above, accounts below."""

from __future__ import annotations

import re
import shlex

from natslab.views import scene as sc
from natslab.views.marks import RECENTLY, rect
from natslab.views.scene import Action, Flight, Legend, Mark, Scene, Text, label, text_width
from natslab.views.topology.gateways import gateways
from natslab.views.topology.labels import totals
from natslab.views.topology.plan import CLIENTS, LABELS, TOP
from natslab.views.topology.planes import planes
from natslab.views.topology.seen import Seen, seen, up_of
from natslab.views.topology.servers import clients, panel, server
from natslab.views.topology.state import State
from natslab.views.topology.walls import Walls
from natslab.views.topology.wires import wires
from natslab.views.topology.words import words_of
from natslab.views.view import blank
from natslab.views.wording import count_of, fit, short_name

TITLE = "Topology"
#: What the numbers at the wires are, in so many words as there is room for.
RATE = (
    "at the wires: messages a second, the servers' own talk included; thicker = ten times more",
    "at the wires: messages a second, the servers' own talk included",
    "messages a second, the servers' own included",
    "messages/s, the servers' own too",
    "messages/s",
)
#: What the subjects under a leafnode's wire are.
ASKED = "under wires: what passes, → towards who asks for it"
SOURCES = "seen in the servers' own reports"


def draw(state: State) -> Scene:
    """Servers on one line, in the order of their names; what is between them is wires."""
    all_ = seen(state)
    sentence, note = words_of(all_)
    scene = blank(state, "topology", TITLE, SOURCES, sentence, note)
    scene.width = all_.plan.width
    if not all_.nodes:
        if state.of:
            scene.marks = [
                label(
                    "nothing/",
                    LABELS,
                    124,
                    fit(f"looked for: {short_name(state.of[0], 60)}", all_.plan.right - LABELS, "t11"),
                    "t11 ink3",
                )
            ]
        return scene
    scene.sentence = _runs(all_, scene.sentence)
    plan, walls = all_.plan, Walls(all_)
    marks: list[Mark] = []
    if plan.outline is not None:
        x, y, w, h = plan.outline
        title = "A supercluster: clusters that are joined by gateways."
        marks.append(rect("outline", x, y, w, h, "edge line none", 18, title=title))
    drawn = [(box, node) for box in plan.boxes for node in box.nodes]
    marks += [panel(all_, box) for box in plan.boxes]
    for box, node in drawn:
        marks += clients(all_, box, node)
    between = [*gateways(all_, walls), *wires(all_, walls)]
    marks += [*walls.marks, *between, *walls.over, *(server(all_, box, node) for box, node in drawn)]
    foot = _foot(all_, between)
    below, bottom = planes(all_, max([m.y for m in foot] or [plan.bottom]) + 12)
    scene.marks = [*marks, *_heads(all_), *foot, *below]
    scene.height = round(bottom, 2)
    scene.flights = _flights(all_)
    scene.legend = _legend(all_)
    scene.controls = _controls(all_)
    return scene


def _runs(all_: Seen, sentence: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """The sentence with the subjects in it set as subjects."""
    subjects = sorted({s for w in all_.wires for s in up_of(w) if w.blocked}, key=len, reverse=True)
    if not subjects:
        return sentence
    pattern = "|".join(re.escape(s) for s in subjects)
    out: list[tuple[str, str]] = []
    for text, classes in sentence:
        # Subjects stand between spaces, so that a name with such a word in it stays whole.
        for i, part in enumerate(re.split(f"(?<= )({pattern})(?= )", text)):
            out += [(part, "mono" if i % 2 else classes)] if part else []
    return out


def _heads(all_: Seen) -> list[Mark]:
    """The names of the rows, with how many there are of each."""
    count = all_.count
    one, many = count_of(count, "client"), totals(all_)
    about = (
        f"{one[0].upper()}{one[1:]} of the learner's account. The lab's own two connections are not drawn."
    )
    if not all_.plan.labels:
        return [label("total/", LABELS, all_.plan.bottom + 16, _whole(all_), "t11 ink3", title=about)]
    return [
        label("clients/", LABELS, CLIENTS, one if count else "no client", "t11 ink3", title=about),
        label("total/", LABELS, all_.plan.boxes[0].axis + 4, count_of(len(all_.nodes), "server"), "t11 ink3",
              title=f"{many}."),
    ]  # fmt: skip


def _foot(all_: Seen, between: list[Mark]) -> list[Text]:
    """What the numbers and subjects at the wires are, and what is not drawn."""
    marks: list[Text] = []
    y = all_.plan.bottom + 16
    counted = any(m.key.endswith(("/rate", "/rate0", "/rate1")) for m in sc.walk(between))
    right = all_.plan.right
    if counted:
        taken = 0.0 if all_.plan.labels else text_width(_whole(all_), "t11") + 20
        words = next((w for w in RATE if text_width(w, "t11") <= right - LABELS - taken), RATE[-1])
        marks.append(label("foot/rate", all_.plan.right, y, words, "t11 ink3 end"))
        right -= text_width(words, "t11") + 20
    left = LABELS
    if not all_.plan.labels:  # what is in the picture stands at the left
        left += text_width(_whole(all_), "t11") + 24
    rest = [short_name(g.name, 20) for g in all_.plan.rest]
    if rest and right - left > 90:
        words = fit(f"not drawn: {', '.join(rest)}", right - left, "t11")
        marks.append(label("foot/rest", left, y, words, "t11 ink3"))
    if any("/subject" in m.key for m in sc.walk(between)):
        # Beside the other words, or below them.
        free = not rest and all_.plan.labels and right - left > text_width(ASKED, "t11")
        marks.append(label("foot/asked", LABELS, y if free else y + 16, ASKED, "t11 ink3"))
    if not marks and not all_.plan.labels:
        marks.append(label("foot/", all_.plan.right, y, "", "t11 ink3 end"))
    return marks


def _whole(all_: Seen) -> str:
    room = min(520.0, all_.plan.right - LABELS - text_width(RATE[-1], "t11") - 20)
    return fit(f"{totals(all_)}; {count_of(all_.count, 'client')}", room, "t11")


def _flights(all_: Seen) -> list[Flight]:
    """The ways that traced messages took just now."""
    state, plan = all_.state, all_.plan
    recent = [s for s in state.steps if s.t >= state.now - RECENTLY]
    deep: dict[str, int] = {}
    for step in recent:
        deep[step.id] = max(deep.get(step.id, 0), step.depth)
    spots = _spots(all_)
    out = []
    for step in recent:
        a, b = spots.get(step.a), spots.get(step.b)
        if a is None or b is None:
            continue
        r = plan.radius(step.b)
        length = max(1.0, ((b[0] - a[0]) ** 2 + (b[1] - a[1]) ** 2) ** 0.5)
        rest = (
            (b[0] - (b[0] - a[0]) * r / length, b[1] - (b[1] - a[1]) * r / length)
            if step.b in plan.places
            else b
        )
        out.append(
            Flight(
                key=f"fly/{step.id}/{step.n}",
                d=f"M{a[0]:g} {a[1]:g}L{rest[0]:.2f} {rest[1]:.2f}",
                x=round(rest[0], 2),
                y=round(rest[1], 2),
                t0=step.t,
                t1=step.t,
                r=4.5,
                group=f"msg/{step.id}",
                delay=round(step.depth / (deep[step.id] + 1), 2),
                title=f"A message from {_said(step.a)} to {_said(step.b)}.",
            )
        )
    return out


def _said(key: str) -> str:
    return short_name(key.removeprefix("client/"), 30)


def _spots(all_: Seen) -> dict[str, tuple[float, float]]:
    """Where messages begin and end: servers, and the dots of clients."""
    spots = dict(all_.plan.places)
    for box in all_.plan.boxes:
        for node in box.nodes:
            for mark in clients(all_, box, node):
                if isinstance(mark, sc.Group) and mark.key.startswith("client/"):
                    spots[mark.key] = (mark.x, mark.y)
            x = all_.plan.places[node.name][0]
            for client in all_.clients(node.name):
                low = CLIENTS if box.row == 0 else box.top - TOP + CLIENTS
                spots.setdefault(f"client/{client.label}", (x, low - 4))
    return spots


def _legend(all_: Seen) -> list[Legend]:
    """What is in the picture, counted."""
    wires = all_.wires
    count = {t: sum(w.there and w.type == t for w in wires) for t in ("route", "gateway", "leafnode")}
    found = [
        Legend("edge ink2", "line", "route" if count["route"] == 1 else "routes", count["route"]),
        Legend("edge ink2", "twin", "gateway connections", count["gateway"]),
        Legend(
            "edge ink2", "dashed", "leafnode" if count["leafnode"] == 1 else "leafnodes", count["leafnode"]
        ),
        Legend("wall", "wall", "cut", sum(w.state == "cut" for w in wires)),
        Legend("wall", "wall", "held", sum(w.state == "held" for w in wires)),
        Legend("edge retry", "line", "delayed", sum(w.state == "delayed" for w in wires)),
        Legend("fill ink2", "circle", "clients", all_.count),
    ]
    if any(all_.leads(box.group) in {n.name for n in box.nodes} for box in all_.plan.boxes):
        found.append(Legend("edge ink none", "ring", "L: leads the meta group"))
    lost = sum(c.lost for c in all_.state.clients.values())
    found.append(Legend("edge ink3 none", "ring", "looking for a server", lost))
    return [item for item in found if item.count != 0]


def _controls(all_: Seen) -> list[Action]:
    """Lines that change the whole: one server more, everything healed or started again."""
    out = []
    if any(g.cluster and not g.leaf for g in all_.groups) and any(w.laid for w in all_.wires):
        out.append(Action("natslab add", "Add a server"))
    if any(w.laid and w.state != "open" for w in all_.wires):
        out.append(Action("natslab heal", "Heal all"))
    down = [n.name for n in all_.nodes if n.state == "down"]
    out += [
        Action(f"natslab restart {shlex.quote(name)}", f"Restart {short_name(name, 20)}") for name in down[:2]
    ]
    return out
