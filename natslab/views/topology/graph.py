"""The topology as a graph in DOT."""

from __future__ import annotations

from natslab.views.topology.labels import standing
from natslab.views.topology.seen import Seen, rate, seen
from natslab.views.topology.state import State
from natslab.views.wording import amount, count_of, plain


def dot(state: State) -> str:
    """Clusters as boxes with their servers in them, wires as edges."""
    all_ = seen(state)
    lines = ["graph topology {", "  rankdir=LR; node [shape=circle];"]
    for i, group in enumerate(all_.groups):
        lines.append(f"  subgraph cluster_{i} {{ label={_quoted(group.name)};")
        for node in group.nodes:
            clients = len(all_.clients(node.name))
            label = f"{node.name}\n{count_of(clients, 'client')}" if clients else node.name
            style = "" if node.live else ", style=dashed"
            lines.append(f"    {_quoted(node.name)} [label={_quoted(label)}{style}];")
        lines.append("  }")
    lines += [_edge(all_, i) for i in range(len(all_.wires))]
    return "\n".join([*lines, "}"]) + "\n"


def _edge(all_: Seen, i: int) -> str:
    wire = all_.wires[i]
    rates = rate(all_, wire)
    words = standing(wire) if wire.state != "open" else amount(round(sum(rates))) if rates else ""
    style = (
        "dashed"
        if wire.type == "leafnode" or wire.blocked or not wire.there
        else "bold"
        if wire.type == "gateway"
        else "solid"
    )
    return f"  {_quoted(wire.a)} -- {_quoted(wire.b)} [label={_quoted(words)}, style={style}];"


def _quoted(text: str) -> str:
    lines = [plain(part).replace("\\", "\\\\").replace('"', '\\"') for part in text.split("\n")]
    return '"' + "\\n".join(lines) + '"'
