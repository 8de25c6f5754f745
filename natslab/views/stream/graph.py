"""The stream view as a graph in DOT."""

from __future__ import annotations

from natslab.views.stream.state import State
from natslab.views.wording import plain


def dot(state: State) -> str:
    """Subjects, the streams that keep them, and the consumers over these."""

    def node(*parts: str) -> str:
        return '"' + plain("/".join(parts)).replace("\\", "\\\\").replace('"', '\\"') + '"'

    lines = ["digraph stream {", "  rankdir=LR; node [shape=box, style=rounded];"]
    for s in (s for s in state.shown if s.exists):
        name = node("stream", s.name)
        words = plain(s.name).replace("\\", "\\\\").replace('"', '\\"')
        lines.append(f'  {name} [label="{words}\\n{s.messages} of {s.came}", shape=cylinder];')
        for subject in s.limits.subjects:
            lines.append(f"  {node('subject', subject)} [label={node(subject)}, shape=plaintext];")
            lines.append(f"  {node('subject', subject)} -> {name};")
        origins = [s.limits.mirror] if s.limits.mirror else s.limits.sources
        lines += [f"  {node('stream', origin)} -> {name} [style=bold];" for origin in origins]
        for reader in s.readers.values():
            cursor = node("reader", s.name, reader.name)
            lines.append(f"  {cursor} [label={node(reader.name)}];")
            lines.append(f"  {name} -> {cursor} [label={reader.delivered}];")
    return "\n".join([*lines, "}"])
