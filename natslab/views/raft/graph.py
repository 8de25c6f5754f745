"""The raft view as a graph in DOT: the members of a group, who leads, and which wires carry."""

from __future__ import annotations

import itertools

from natslab.views.raft.focus import focus
from natslab.views.raft.state import State, leader_of, talk
from natslab.views.wording import plain


def dot(state: State) -> str:
    """Leader -> followers where they are in reach; dashed where they are not."""

    def quoted(text: str) -> str:
        return '"' + plain(text).replace("\\", "\\\\").replace('"', '\\"') + '"'

    lines = ["graph raft {", "  layout=circo; node [shape=circle];"]
    group = focus(state)
    if group is not None:
        right = leader_of(state, group)
        for name in group.peers:
            one = group.members.get(name)
            shape = "doublecircle" if right is not None and name == right.name else "circle"
            lines.append(
                f"  {quoted(name)} [shape={shape}, xlabel={quoted(f'term {one.term}' if one else '')}];"
            )
        for a, b in itertools.combinations(group.peers, 2):
            style = "solid" if talk(state, a, b) else "dashed"
            lines.append(f"  {quoted(a)} -- {quoted(b)} [style={style}];")
    return "\n".join([*lines, "}"])
