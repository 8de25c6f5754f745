"""Foreign text in nats-server's own syntax: quoted, it can never become configuration."""

from __future__ import annotations

from collections.abc import Sequence

from natslab.errors import LabError


def quote(text: str) -> str:
    """`text` as a quoted value; anything can be said. Raises LabError for half a character."""
    _encodable(text)
    return '"' + "".join(_ESCAPES.get(c) or c for c in text) + '"'


def key(text: str) -> str:
    """`text` as a quoted key. nats-server has no escapes in keys: raises LabError for what none can say."""
    _encodable(text)
    if not text or any(ord(c) < 0x20 for c in text) or ('"' in text and "'" in text):
        raise LabError(
            f"{text!r} cannot stand in a server's configuration.",
            "Leave out control characters and use only one kind of quotation mark.",
        )
    return f"'{text}'" if '"' in text else f'"{text}"'


_ESCAPES = {chr(n): f"\\x{n:02x}" for n in (*range(0x20), 0x7F)} | {"\\": "\\\\", '"': '\\"'}


def _encodable(text: str) -> None:
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        raise LabError(f"{text!r} is not valid text.", "Use whole Unicode characters.") from None


def listed(texts: Sequence[str]) -> str:
    """`texts` as a list of quoted values."""
    return "[" + ", ".join(quote(text) for text in texts) + "]"
