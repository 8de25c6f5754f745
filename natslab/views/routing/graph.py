"""The routing view as a graph in DOT."""

from __future__ import annotations

from natslab.views.routing.picture import active_of
from natslab.views.routing.plan import plan_of, walk
from natslab.views.routing.state import State
from natslab.views.routing.verdicts import shown_of
from natslab.views.wording import plain


def dot(state: State) -> str:
    """The same as a graph in DOT: publishers, the tree of patterns, subscriptions."""
    shown = shown_of(state)
    plan = plan_of(state, shown)
    active = set(active_of(shown))
    out = ["digraph routing {", "  rankdir=LR; node [shape=box, style=rounded, fontsize=11];"]

    def edge(a: str, b: str, on: bool) -> None:
        out.append(f"  {_quoted(a)} -> {_quoted(b)}{' [penwidth=3]' if on else ''};")

    out.append(f"  {_quoted('server')} [label={_quoted(next(iter(sorted(state.servers)), 'server'))}];")
    for name in state.speakers:
        out.append(f"  {_quoted('pub/' + name)} [label={_quoted(name)}, shape=plain];")
        edge("pub/" + name, "server", name in active)
    for node in walk(plan.root):
        here = node.key if node.kind != "root" else "server"
        for child in node.sorted_nodes():
            style = ', style="rounded,dashed"' if child.kind == "star" else ""
            out.append(f"  {_quoted(child.key)} [label={_quoted(child.text)}{style}];")
            edge(here, child.key, child.taken)
        for leaf in node.leaves:
            for v in (*leaf.verdicts, *leaf.more):
                name = v.sub.client + (f" ({leaf.queue})" if leaf.queue else "")
                out.append(f"  {_quoted(v.sub.key)} [label={_quoted(name)}, shape=plain];")
                edge(here, v.sub.key, v.got)
    if plan.rest:
        out.append(f"  {_quoted('sub/more')} [label={_quoted(f'{len(plan.rest)} more')}, shape=plain];")
        edge("server", "sub/more", any(v.got for v in plan.rest))
    return "\n".join([*out, "}"]) + "\n"


def _quoted(text: str) -> str:
    return '"' + plain(text).replace("\\", "\\\\").replace('"', '\\"') + '"'
