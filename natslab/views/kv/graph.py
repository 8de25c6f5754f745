"""The KV view as a graph in DOT."""

from __future__ import annotations

import math

from natslab.views.kv.plan import shown
from natslab.views.kv.state import State
from natslab.views.kv.words import watcher_name
from natslab.views.wording import plain


def dot(state: State) -> str:
    """Writers, keys with their latest value, and who watches the bucket."""

    def node(*parts: str) -> str:
        return '"' + plain("/".join(parts)).replace("\\", "\\\\").replace('"', '\\"') + '"'

    lines = ["digraph kv {", "  rankdir=LR; node [shape=box, style=rounded];"]
    for bucket in shown(state)[0]:
        home = node("bucket", bucket.name)
        lines.append(f"  {home} [label={node(bucket.name)}, shape=cylinder];")
        for key in bucket.keys.values():
            at = node("key", bucket.name, key.name)
            words = key.value if key.value is not None else "no value"
            lines.append(f"  {at} [label={node(f'{key.name} = {words}')}];")
            lines.append(f"  {home} -> {at};")
            for client in sorted({e.client for e in key.entries if e.client}):
                lines.append(f"  {node('client', client)} [label={node(client)}, shape=plaintext];")
                lines.append(f"  {node('client', client)} -> {at};")
        for watcher in bucket.watchers.values():
            if watcher.gone == math.inf:
                who = node("watch", watcher.consumer)
                lines.append(f"  {who} [label={node(watcher_name(watcher))}, shape=plaintext];")
                lines.append(f"  {home} -> {who} [label={watcher.rev}, style=dashed];")
    return "\n".join([*lines, "}"])
