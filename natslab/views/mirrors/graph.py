"""The mirrors view as a graph in DOT."""

from __future__ import annotations

import math

from natslab.views.mirrors.plan import stream_of
from natslab.views.mirrors.state import State, links_of
from natslab.views.mirrors.words import pipe, standing
from natslab.views.wording import plain


def dot(state: State) -> str:
    """Streams as boxes, copies as edges from the origin with how far they are."""

    def node(text: str) -> str:
        return '"' + plain(text).replace("\\", "\\\\").replace('"', '\\"') + '"'

    lines = ["digraph mirrors {", "  rankdir=LR; node [shape=box, style=rounded];"]
    links = list(links_of(state))
    for name in sorted({n for li in links for n in (li.copy, li.origin)}):
        there = "" if stream_of(state, name).known else ", style=dashed"
        lines.append(f"  {node(name)} [label={node(name)}{there}];")
    for link in links:
        words = ", ".join(w for w in (standing(state, link), pipe(link)) if w)
        style = "dashed" if link.cut < math.inf else "solid" if link.mirror else "bold"
        lines.append(f"  {node(link.origin)} -> {node(link.copy)} [label={node(words)}, style={style}];")
    return "\n".join([*lines, "}"])
