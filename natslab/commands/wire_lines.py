"""Lines of the client protocol as `--explain` shows them; … stands for what is not known before."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from natslab.commands.results import one_line


def frame(subject: str, reply: str, headers: Sequence[tuple[str, ...]], payload: bytes) -> list[str]:
    """A message that is published."""
    reply = f" {reply}" if reply else ""
    shown = one_line(payload)
    if not headers:
        return [f"PUB {one_line(subject)}{reply} {len(payload)}", shown]
    block = "NATS/1.0\r\n" + "".join(f"{k}: {v}\r\n" for k, v in headers) + "\r\n"
    size = len(block.encode("utf-8", "replace"))
    return [
        f"HPUB {one_line(subject)}{reply} {size} {size + len(payload)}",
        "NATS/1.0",
        *(one_line(f"{k}: {v}") for k, v in headers),
        "",
        shown,
    ]


def ask(subject: str, body: dict[str, Any] | None = None) -> list[str]:
    """A request to the JetStream API; `subject` is without its prefix."""
    said = json.dumps(body, ensure_ascii=False) if body else ""
    return [f"PUB $JS.API.{subject} _INBOX.… {len(said.encode())}", said]
