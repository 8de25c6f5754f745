"""The acks view as a graph in DOT: a stream, its consumers, and the clients that got what they hand out."""

from __future__ import annotations

from natslab.views.acks.state import State, totals_of
from natslab.views.wording import plain


def dot(state: State) -> str:
    """Stream -> consumers -> clients; many clients of one consumer share it, each consumer gets it all."""

    def quoted(text: str) -> str:
        return '"' + plain(text).replace("\\", "\\\\").replace('"', '\\"') + '"'

    lines = ["digraph acks {", "  rankdir=LR; node [shape=box, style=rounded];"]
    for stream in state.streams.values():
        node = quoted(f"stream/{stream.name}")
        lines.append(f"  {node} [label={quoted(stream.name)}, shape=cylinder, style=solid];")
        for consumer in state.of_stream(stream.name):
            totals = totals_of(state, consumer)
            words = f"{consumer.name}\nfloor {consumer.floor}, {totals.ack_pending} ack pending"
            name = quoted(f"consumer/{consumer.key}")
            lines.append(f"  {name} [label={quoted_lines(words)}];")
            lines.append(f"  {node} -> {name} [label={totals.stored}];")
            for client, count in consumer.clients.items():
                lines.append(f"  {name} -> {quoted(f'client/{client}')} [label={count}];")
                lines.append(f"  {quoted(f'client/{client}')} [label={quoted(client)}, shape=plaintext];")
    return "\n".join([*lines, "}"])


def quoted_lines(text: str) -> str:
    """A label of several lines."""
    parts = [plain(p).replace("\\", "\\\\").replace('"', '\\"') for p in text.split("\n")]
    return '"' + "\\n".join(parts) + '"'
