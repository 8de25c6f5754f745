"""Servers and their clients in the topology picture."""

from __future__ import annotations

import shlex

from natslab.views import scene as sc
from natslab.views.marks import rect
from natslab.views.scene import Action, Mark, Path, label, text_width
from natslab.views.topology.curve import Curve
from natslab.views.topology.labels import inside, notes_of, title_of
from natslab.views.topology.plan import CLIENTS, LANE, LINE, LINES, NOTE, TOP, Box
from natslab.views.topology.seen import Seen
from natslab.views.topology.state import Client, Node
from natslab.views.wording import amount, count_of, fit, plain, short_name

DOT, DOTS, ACROSS = 2.7, 8.0, 4  # a client's dot: radius, pitch, how many a row, and how many rows
FAN = 7  # clients of a server alone that have a line each


def panel(all_: Seen, box: Box) -> Mark:
    """The ground of a group, its name, and what there is to say of it."""
    key, room = f"group/{box.group.name}", box.w - 30
    title, word = title_of(box.group)
    runs = [(fit(title, room, "t14 w6"), "t14 w6")]
    if word and text_width(f" {word}", "t11") + text_width(title, "t14 w6") <= room:
        runs.append((f" {word}", "t11 ink3"))
    notes = notes_of(all_, box.group)
    if box.hidden:
        notes.insert(1, f"{box.hidden} not drawn")
    said = ", ".join(notes)
    while len(notes) > 1 and text_width(", ".join(notes), "t11") > room:
        notes.pop()
    what = "Cluster" if box.group.cluster else "Leafnode" if box.group.leaf else "Server"
    return sc.Group(
        key=key,
        title=f"{what} {plain(box.group.name)}: {said}." if said else f"{what} {plain(box.group.name)}.",
        marks=[
            rect(f"{key}/box", box.x, box.top, box.w, box.bottom - box.top, "panel fill", 10),
            sc.Text(key=f"{key}/name", x=box.x + 15, y=box.title, runs=runs),
            label(
                f"{key}/note", box.x + 15, box.title + NOTE, fit(", ".join(notes), room, "t11"), "t11 ink2"
            ),
        ],
    )


def server(all_: Seen, box: Box, node: Node) -> Mark:
    """One server: a circle with its name, and a sign for what it is not up to."""
    x, y = all_.plan.places[node.name]
    r, key, name = all_.plan.radius(node.name), f"srv/{node.name}", inside(box.group, node.name)
    if node.state == "removed":
        ghost: list[Mark] = [sc.Circle(key=f"{key}/ring", x=0, y=0, r=r, classes="ghost")]
        ghost += _name(f"{key}/name", name, r, "ink3")
        return sc.Group(
            key=key, x=x, y=y, marks=ghost, title=f"{plain(node.name)} was removed from the cluster."
        )
    leads = all_.leads(box.group) == node.name
    look = {
        "down": "edge ink3 base-panel",
        "starting": "edge ink3 base-ground",
        "frozen": "edge ink base-ground",
    }
    marks: list[Mark] = []
    if leads:
        marks.append(
            sc.Circle(key=f"{key}/leads", x=0, y=0, r=r + 6, width=1.5, classes="edge ink base-panel")
        )
    marks.append(
        sc.Circle(
            key=f"{key}/ring", x=0, y=0, r=r, width=2, classes=look.get(node.state, "edge ink base-ground"),
            dash="5 4" if node.state in ("down", "starting") else "",
        )
    )  # fmt: skip
    marks += _name(f"{key}/name", name, r, "ink3" if node.state in ("down", "starting") else "ink")
    if leads:
        at = round((r + 6) * 0.707, 2)
        marks.append(sc.Circle(key=f"{key}/badge", x=at, y=-at, r=9, classes="fill ink"))
        marks.append(label(f"{key}/L", at, -at + 4, "L", "t11 w6 on middle"))
    if node.state != "up":
        marks += _sign(key, node, r)
    clients = all_.clients(node.name)
    words = f"{plain(node.name)} is {node.state}"
    if leads:
        words += " and leads the meta group: it decides what streams there are"
    if node.says and node.says != node.cluster:
        words += f". It says that its cluster is {plain(node.says)}"
    held = count_of(len(clients), "client") if clients else "No client"
    facts = {"state": node.state, "clients": len(clients)}
    if node.version:
        facts["version"] = node.version
    if node.domain:
        facts["domain"] = plain(node.domain)
    wires = [w.key for w in all_.wires if node.name in (w.a, w.b)]
    return sc.Group(
        key=key, x=x, y=y, marks=marks, title=f"{words}. {held}.", state=facts, classes="menu",
        actions=actions(all_, node), light=[*wires, *(f"client/{c.label}" for c in clients[:40])],
    )  # fmt: skip


def _name(key: str, name: str, r: float, ink: str) -> list[Mark]:
    """The name in the circle, as large as it can be."""
    room = 2 * r - 8
    size = next((s for s in ("t14", "t13", "t12", "t11") if text_width(name, f"{s} w6") <= room), "t11")
    base = {"t14": 5.0, "t13": 4.6, "t12": 4.3, "t11": 4.0}[size]
    # Nine in ten fonts need less than the room that is reserved.
    text = name if text_width(name, f"{size} w6") <= room + 6 else fit(name, room + 2, f"{size} w6", 2)
    return [label(key, 0, base, text, f"{size} w6 {ink} middle")]


def _sign(key: str, node: Node, r: float) -> list[Mark]:
    """Why a server does nothing, as a sign at its lower right and a word below."""
    at = round(r * 0.72, 2)
    marks: list[Mark] = [
        label(f"{key}/word", 0, r + 15, _WORDS.get(node.state, node.state), "t11 ink2 middle")
    ]
    if node.state not in ("down", "frozen"):
        return marks
    marks.append(sc.Circle(key=f"{key}/sign", x=at, y=at, r=9, classes="fill ink"))
    d = f"M{at - 2.6:g} {at - 3.6:g}V{at + 3.6:g}M{at + 2.6:g} {at - 3.6:g}V{at + 3.6:g}"
    if node.state == "down":
        d = f"M{at - 3:g} {at - 3:g}L{at + 3:g} {at + 3:g}M{at + 3:g} {at - 3:g}L{at - 3:g} {at + 3:g}"
    marks.append(Path(key=f"{key}/cross", d=d, width=2, classes="edge ground round"))
    return marks


_WORDS = {"lame duck": "leaving"}


def actions(all_: Seen, node: Node) -> list[Action]:
    """What a person may do to a server."""
    name = shlex.quote(node.name)
    kill = Action(f"natslab kill {name}", "Kill", "K", "✕")
    if node.state == "frozen":
        return [Action(f"natslab thaw {name}", "Thaw", "Z", "▶"), kill]
    if node.state in ("down", "starting"):
        return [Action(f"natslab restart {name}", "Restart", "K", "↑")]
    out = [
        kill,
        Action(f"natslab freeze {name}", "Freeze", "Z", "‖"),
        Action(f"natslab restart {name}", "Restart", "R", "↑"),
    ]
    mine = [w for w in all_.state.wires.values() if node.name in (w.a, w.b) and w.laid]
    if any(not w.blocked for w in mine):
        out.append(Action(f"natslab cut --isolate {name}", "Cut off", "X", "┇"))
    if any(w.state != "open" for w in mine):
        out.append(Action(f"natslab heal {name}", "Heal", "H", "="))
    return out


# --- clients ----------------------------------------------------------------------------------


def clients(all_: Seen, box: Box, node: Node) -> list[Mark]:
    """The clients of a server above it: by name where there is room, else a dot each, else a number."""
    found = all_.clients(node.name)
    if not found or node.state == "removed":
        return []
    x, y = all_.plan.places[node.name]
    low = CLIENTS if box.row == 0 else box.top - TOP + CLIENTS
    top = y - all_.plan.radius(node.name) - (6 if all_.leads(box.group) == node.name else 0)
    if len(all_.nodes) == 1 and len(found) <= FAN:
        return _fan(found, x, low, top)
    stem = Path(key=f"stem/{node.name}", d=f"M{x:g} {low + 9:g}V{top:g}", classes="edge line")
    room = all_.plan.room(node.name)
    if len(found) <= LINES * int(room // LANE):
        return [stem, *_names(found, x, low, room)]
    return [stem, *_dots(node.name, found, x, low, room)]


def _fan(found: list[Client], x: float, low: float, top: float) -> list[Mark]:
    """Few clients of the only server: each with a line of its own."""
    pitch = min(132.0, 840.0 / len(found))
    marks: list[Mark] = []
    for i, client in enumerate(found):
        at = round(x + (i - (len(found) - 1) / 2) * pitch, 2)
        line = Curve((at, low), (at, low + 34), (x, top - 44), (x, top))
        look = "edge line none" + (" dash" if client.lost else "")
        marks.append(Path(key=f"stem/{client.label}", d=line.path(), classes=look))
        marks.append(_client(client, at, low, fit(client.label, pitch - 12, "t12"), above=True))
    return [*(m for m in marks if isinstance(m, Path)), *(m for m in marks if not isinstance(m, Path))]


def _names(found: list[Client], x: float, low: float, room: float) -> list[Mark]:
    lanes = -(-len(found) // LINES)
    most = min(170.0, room / lanes) - 22
    columns = [found[i::lanes] for i in range(lanes)]
    texts = [[fit(c.label, most, "t12") for c in column] for column in columns]
    wide = [max(text_width(t, "t12") for t in column) + 11 for column in texts]
    left = x - (sum(wide) + 16 * (lanes - 1)) / 2
    marks: list[Mark] = []
    for column, names, w in zip(columns, texts, wide, strict=True):
        for i, (client, text) in enumerate(zip(column, names, strict=True)):
            marks.append(_client(client, left + DOT, low - LINE * (len(column) - 1 - i) - 4, text))
        left += w + 16
    return marks


def _dots(server_: str, found: list[Client], x: float, low: float, room: float) -> list[Mark]:
    across = ACROSS if room >= 56 else ACROSS - 1
    shown = found if len(found) <= ACROSS * across else found[:across]
    across = min(across, len(shown))
    number = amount(len(found))
    # Where it is narrow the number counts as part of the block.
    aside = text_width(number, "t11") + 9 if room < 84 else 0.0
    left = x - (aside + (across - 1) * DOTS) / 2
    marks: list[Mark] = [
        _client(c, left + DOTS * (i % across), low - 4 - DOTS * (i // across)) for i, c in enumerate(shown)
    ]
    names = ", ".join(short_name(c.label, 20) for c in found[:8]) + (", …" if len(found) > 8 else "")
    key = f"clients/{server_}"
    text = label(f"{key}/n", left + DOTS * (across - 1) + 9, low, number, "t11 ink2 num")
    title = f"{count_of(len(found), 'client')} of {plain(server_)}: {names}."
    return [*marks, sc.Group(key=key, marks=[text], title=title)]


def _client(client: Client, x: float, y: float, text: str = "", *, above: bool = False) -> Mark:
    key = f"client/{client.label}"
    look, width = ("edge ink3 none", 1.5) if client.lost else ("fill ink2", 1.0)
    marks: list[Mark] = [
        sc.Circle(key=f"{key}/dot", x=0, y=0, r=DOT - (0.4 if client.lost else 0), width=width, classes=look)
    ]
    if text:
        ink = "t12 ink3" if client.lost else "t12 ink2"
        place = (0.0, -10.0, f"{ink} middle") if above else (8.3, 4.0, ink)
        marks.append(label(f"{key}/name", place[0], place[1], text, place[2]))
    name, server_ = plain(client.label), plain(client.place)
    title = f"{name} is connected to {server_}."
    if client.lost:
        title = f"{name} has lost its connection to {server_} and looks for another server."
    facts = {"server": server_} | ({"account": plain(client.account)} if client.account else {})
    kill = (
        [Action(f"natslab kill {shlex.quote(client.label)}", "Kill")]
        if client.own and not client.lost
        else []
    )
    return sc.Group(
        key=key, x=round(x, 2), y=round(y, 2), marks=marks, title=title, state=facts, actions=kill
    )
