"""The queue view as a graph in DOT."""

from __future__ import annotations

from natslab.views.queue.state import State, copies_of
from natslab.views.wording import plain


def dot(state: State) -> str:
    """Publishers, groups, members and how many messages went where."""

    def node(*parts: str) -> str:
        return '"' + plain("/".join(parts)).replace("\\", "\\\\").replace('"', '\\"') + '"'

    lines = ["digraph queue {", "  rankdir=LR; node [shape=box, style=rounded];"]
    lines += [f"  {node('pub', p)} [label={node(p)}, shape=plaintext];" for p in state.publishers]
    for g in state.groups.values():
        lines.append(f"  {node('group', g.name)} [label={node(g.name)}, shape=hexagon];")
        lines += [f"  {node('pub', p)} -> {node('group', g.name)};" for p in state.publishers]
        for lane in g.lanes.values():
            member, gone = node("lane", g.name, lane.label), ", style=dashed" if lane.gone else ""
            lines.append(f"  {member} [label={node(lane.label)}{gone}];")
            lines.append(f"  {node('group', g.name)} -> {member} [label={lane.count}{gone}];")
    for lane in copies_of(state).values():
        lines.append(f"  {node('plain', lane.label)} [label={node(lane.label)}];")
        copies = f"-> {node('plain', lane.label)} [label={lane.count}];"
        lines += [f"  {node('pub', p)} {copies}" for p in state.publishers]
    return "\n".join([*lines, "}"])
