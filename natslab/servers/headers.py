"""Headers as bytes: how large they are, how they go over the wire, and our own taken off again."""

from __future__ import annotations

import re
from typing import Any

import nats.errors

from natslab.errors import ClientError

TRACE = "Nats-Trace-Dest"  # where the servers send the traces of a message (ADR-41)
TRACE_PREFIX = "_NATSLAB."
LOST_IN_STORE = "trace disabled"  # what the server writes over the header in a stored or imported message
HEAD = 12  # bytes of a header block without a header: NATS/1.0, and two line ends

_KEY = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")  # a header's name, as nats-py wants it
_LINE_ENDS = str.maketrans({"\r": " ", "\n": " "})


class TooLarge(ClientError, nats.errors.MaxPayloadError):
    """A message is larger than the server's max_payload."""


def too_large(payload: int, block: int, limit: int) -> TooLarge:
    """The error for a payload and a header block of so many bytes; `limit` is max_payload."""
    what = f"The payload has {payload} bytes"
    if block:
        what = f"The payload ({payload} bytes) and headers ({block}) have {payload + block} bytes"
    return TooLarge(
        f"{what}, and the server takes at most {limit} in a message (max_payload).",
        "Send less, send it in parts, or raise max_payload in the server's configuration.",
    )


def header_size(headers: dict[str, Any]) -> int:
    """Bytes of the header block that nats-py will make; -1 when it will refuse."""
    size = HEAD
    try:
        for k, v in headers.items():
            key = k.strip()
            if key:
                if not _KEY.fullmatch(key):
                    return -1
                size += len(key) + len(v.strip().encode()) + 4
    except (AttributeError, TypeError, UnicodeError):
        return -1
    return size


def header_block(headers: dict[str, str]) -> bytes:
    """Headers as they go over the wire. Raises ClientError for a name that cannot."""
    lines = ["NATS/1.0"]
    for k, v in headers.items():
        if not _KEY.fullmatch(k.strip()):
            raise ClientError(
                f"The header name {k!r} cannot be sent.", "Use letters, digits and dashes, as in Nats-Msg-Id."
            )
        lines.append(f"{k.strip()}: {v.strip().translate(_LINE_ENDS)}")
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


def without_trace(block: bytes) -> tuple[bytes, str]:
    """A header block without our trace headers, and the message's id."""
    if b"Nats-Trace-" not in block:
        return block, ""
    lines = block.split(b"\r\n")
    ours, message = False, ""
    kept = []
    for line in lines:
        name, _, value = line.partition(b":")
        if name.strip() == TRACE.encode():
            text = value.strip().decode(errors="replace")
            if text.startswith(TRACE_PREFIX):
                ours, message = True, "c/" + text.removeprefix(TRACE_PREFIX).replace(".", "/")
                continue
            if text == LOST_IN_STORE:
                ours = True
                continue
        kept.append(line)
    if not ours:
        return block, ""
    kept = [line for line in kept if not line.startswith(b"Nats-Trace-Hop:")]
    return b"\r\n".join(kept), message
