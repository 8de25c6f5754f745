"""Many groups: one row each, with its leader and how far its slowest member is behind."""

from __future__ import annotations

from natslab.views.marks import rect
from natslab.views.raft import focus as facts
from natslab.views.raft.ring import crossed
from natslab.views.raft.state import Group, State, leader_of, natural, up
from natslab.views.scene import WIDTH, Circle, Mark, Path, label, text_width
from natslab.views.scene import Group as Marks
from natslab.views.wording import amount, count_of, fit, in_words, short_name

TOP, ROW = 160.0, 26.0
#: Where the columns stand; "term" and "committed" end there.
WIDE = {"group": 44.0, "leader": 330.0, "term": 470.0, "committed": 560.0, "replicas": 600.0, "lag": 760.0}
SLIM = {"group": 32.0, "leader": 190.0, "term": 266.0, "replicas": 280.0, "lag": 366.0}


def columns(state: State) -> dict[str, float]:
    """The columns that there is room for."""
    return WIDE if state.width == WIDTH else SLIM


def rows(state: State) -> tuple[list[Mark], float]:
    """The marks of the list, and where it ends."""
    groups = facts.listed(state)
    if not groups:
        return servers(state)
    total = count_of(len(groups), "group")
    marks = [*heads(state, TOP - 24), label("list/total", state.width - 24, TOP - 24, total, "t11 ink3 end")]
    y = TOP
    for group in facts.chosen(state, groups):
        marks.append(row(state, group, y))
        y += ROW
    left = len(groups) - facts.MOST
    if left > 0:
        marks.append(
            label("list/more", columns(state)["group"], y, f"and {amount(left)} more, all well", "t12 ink3")
        )
        y += ROW
    return marks, y


def servers(state: State) -> tuple[list[Mark], float]:
    """The servers, while there is no group."""
    marks: list[Mark] = []
    y = 130.0
    for name in sorted(state.servers, key=natural)[:9]:
        words = f"{short_name(name, 40)} is {state.servers[name]}"
        marks.append(label(f"srv/{name}", 24, y, words, "t12 ink3", title=f"{words}."))
        y += 22
    return marks, y


def heads(state: State, y: float) -> list[Mark]:
    """What the columns are."""
    return [
        label(f"list/{word}", x, y, word, f"t11 ink3{' end' if word in ('term', 'committed') else ''}")
        for word, x in columns(state).items()
    ]


def row(state: State, group: Group, y: float) -> Mark:
    """One group."""
    key = facts.key_of(group)
    right = leader_of(state, group)
    lacks = facts.behind(state, group)
    worst = max(lacks.items(), key=lambda item: item[1], default=("", 0))
    at = columns(state)
    narrow = at is SLIM
    title = fit(group.title, at["leader"] - at["group"] - 12, "t13 w5")
    leader = right.name if right else "nobody"
    leader = fit(leader, 56, "t12") if narrow else short_name(leader)
    marks: list[Mark] = [
        rect(f"{key}/ground", 24, y - 17, state.width - 48, 24, "fill ground", 5),
        label(f"{key}/name", at["group"], y, title, "t13 w5"),
        label(f"{key}/leader", at["leader"], y, leader, f"t12{'' if right else ' w6'}"),
        label(f"{key}/term", at["term"], y, amount(group.term) if group.term else "-", "t12 num end"),
    ]
    if not narrow:
        marks.append(label(f"{key}/commit", at["committed"], y, amount(group.commit), "t12 num end"))
    for i, name in enumerate(group.peers[:9]):
        x = at["replicas"] + 6 + (9.5 if narrow and len(group.peers) > 5 else 15.0) * i
        here = right is not None and name == right.name
        if not up(state, name):
            d = crossed(x, y - 4, 3.5)
            marks.append(Path(key=f"{key}/{name}", d=d, width=1.75, classes="edge ink2 none"))
        elif here:
            marks.append(
                Circle(key=f"{key}/{name}", x=x, y=y - 4, r=5.5, width=1.25, classes="edge ink none")
            )
            marks.append(Circle(key=f"{key}/{name}/in", x=x, y=y - 4, r=3, classes="fill ink"))
        else:
            marks.append(Circle(key=f"{key}/{name}", x=x, y=y - 4, r=4, classes="fill ink3"))
    words = "none" if right is not None else "-"
    if worst[1]:
        words = f"{short_name(worst[0], 10)} {amount(worst[1])} behind"
        if text_width(words, "t12") > state.width - 24 - at["lag"]:
            words = f"{amount(worst[1])} behind"
    marks.append(label(f"{key}/lag", at["lag"], y, words, "t12" if worst[1] else "t12 ink3"))
    who = f"{right.name} leads it in term {right.term}" if right else "Nobody leads it"
    line = {"meta": "meta", "stream": short_name(group.stream, 40)}.get(
        group.type, f"{short_name(group.stream, 30)} {short_name(group.consumer, 30)}"
    )
    replicas = count_of(len(group.peers), "replica")
    return Marks(
        key=key,
        classes="card",
        marks=marks,
        title=f"{group.title}: {replicas}. {who}. From near: %natslab view raft {line}",
        state={"leader": right.name if right else "", "term": group.term},
    )


def also(state: State, shown: Group, y: float) -> tuple[list[Mark], float]:
    """The other groups, under a ring, as far as a few lines have room for them."""
    groups = facts.others(state, shown)
    if not groups:
        return [], y
    many = f"{in_words(len(groups)).capitalize()} more {'group' if len(groups) == 1 else 'groups'}"
    marks: list[Mark] = [
        Path(key="also/line", d=f"M24 {y + 8:g}H{state.width - 24}", classes="edge hair"),
        label("also/head", 24, y + 34, many, "t14 w6" if state.width == WIDTH else "t13 w6"),
        *heads(state, y + 34)[1:],
    ]
    y += 62
    for group in facts.chosen(state, groups, facts.BELOW):
        marks.append(row(state, group, y))
        y += ROW
    if len(groups) > facts.BELOW:
        words = f"and {len(groups) - facts.BELOW} more"
        marks.append(label("also/more", columns(state)["group"], y, words, "t12 ink3"))
        y += ROW
    return marks, y
