"""Words on a picture: foreign text made harmless, text cut to its room, numbers and lists."""

from __future__ import annotations

import shlex
import unicodedata
from collections.abc import Sequence

from natslab.views.scene import text_width

SENTENCE, NOTE = 85, 105  # characters of a headline, and of the note under it, that surely fit

_SMALL = "no one two three four five six seven eight nine ten eleven twelve".split()


def plain(text: str) -> str:
    """Foreign text for a picture: one line, nothing invisible, at most two accents on a letter."""
    out: list[str] = []
    accents = 0
    for c in text:
        accents = accents + 1 if unicodedata.category(c) in ("Mn", "Me") else 0
        if accents <= 2:
            out.append(c if c.isprintable() else "�")
    return "".join(out)


def isolate(text: str) -> str:
    """`text` with marks around it if it runs from right to left, so that it turns nothing else round."""
    if any(unicodedata.bidirectional(c) in ("R", "AL", "AN") for c in text):
        return f"\u2068{text}\u2069"
    return text


def short_name(text: str, most: int = 18) -> str:
    """Foreign text as a name of at most `most` characters on one line."""
    clean = plain(text)
    return isolate(clean if len(clean) <= most else clean[: most - 1] + "…")


wide = text_width


def fit(text: str, room: float, classes: str, tail: int = 0) -> str:
    """Foreign text made plain and cut to `room` pixels with an ellipsis.

    Its last `tail` characters stay, where there is room for both ends.
    """
    text = plain(text)
    if wide(text, classes) > room:
        size = max(2, int(room / text_width("i", classes)) - 1)
        tail = min(tail, size // 2)
        end = text[len(text) - tail :] if tail else ""
        kept = text[: size - tail]
        while len(kept) > 1 and wide(f"{kept}…{end}", classes) > room:
            kept = kept[:-1]
        if tail and wide(f"{kept}…{end}", classes) > room:
            return fit(text, room, classes)  # no room for both ends
        text = f"{kept}…{end}"
    return isolate(text)


def amount(n: int) -> str:
    """A whole number as people write it: 1000, 10 000."""
    return f"{n:,}".replace(",", " ") if abs(n) >= 10_000 else str(n)


def count_of(n: int, one: str, many: str = "") -> str:
    """`n` with its noun, e.g. "1 message", "2 messages"."""
    return f"{amount(n)} {one if n == 1 else many or one + 's'}"


def ago(seconds: float) -> str:
    """How long since, e.g. "6.3 s ago"."""
    return f"{max(0.0, seconds):.1f} s ago" if seconds < 120 else f"{seconds / 60:.0f} min ago"


def in_words(n: int) -> str:
    """A small whole number as a word, e.g. "two"; 0 is "no"."""
    return _SMALL[n] if n < len(_SMALL) else str(n)


def new_stream(name: str, replicas: int = 1) -> str:
    """The line that makes a stream of that name, with a subject made from it."""
    subject = "".join(c for c in name.lower() if c.isalnum() or c in "-_") or "orders"
    words = ["%js stream add", shlex.quote(plain(name)[:40]), f"--subjects '{subject[:40]}.>'"]
    return " ".join([*words, *([f"--replicas {replicas}"] if replicas > 1 else []), "--defaults"])


def listed(names: Sequence[str]) -> str:
    """At least one name, as in a sentence: "a, b and c"."""
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
