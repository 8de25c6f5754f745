"""The body templates of the nats CLI: `{{Count}}`, `{{.Time}}`, `{{Random 1 9}}` and so on.

What is no template of these is data and stays as it is, because `{{...}}` also occurs in mappings
and in other people's JSON; `Template.unknown` names what looked like one.
"""

from __future__ import annotations

import random
import re
import string
import time
from collections.abc import Callable

from natslab.errors import CommandError

_SIGN = re.compile(r"\{\{\s*\.?([A-Za-z]\w*)((?:\s+[^\s{}]+)*)\s*\}\}")
_LETTERS = string.ascii_letters + string.digits
_LONGEST = 8 * 1024 * 1024
NAMES = ("Count", "TimeStamp", "Unix", "UnixNano", "Time", "ID", "Random")

Piece = Callable[[int, str], str]


class Template:
    """A text with the CLI's templates in it.

    Parameters
    ----------
    text: the text as typed.
    request: whether `{{Request}}`, the payload that is answered, has a meaning here.
    """

    def __init__(self, text: str, *, request: bool = False) -> None:
        self.unknown: list[str] = []
        self._pieces: list[str | Piece] = []
        at = 0
        for sign in _SIGN.finditer(text):
            piece = self._piece(sign[1], sign[2].split(), request)
            if piece is None:
                self.unknown.append(sign[0])
                continue
            self._pieces += [text[at : sign.start()], piece]
            at = sign.end()
        self._pieces.append(text[at:])

    def counting(self) -> bytes | None:
        """A format for `% (count, ...)` when the message number is all that changes: 10 times as quick."""
        if not all(isinstance(p, str) or p is _count for p in self._pieces):
            return None
        parts = [p.replace("%", "%%") if isinstance(p, str) else "%d" for p in self._pieces]
        try:
            return "".join(parts).encode()
        except UnicodeEncodeError:
            return None

    @property
    def constant(self) -> bool:
        """Whether every rendering is the same."""
        return len(self._pieces) == 1

    def render(self, count: int, request: str = "") -> str:
        """The text of message number `count`, as an answer to the payload `request`."""
        return "".join(p if isinstance(p, str) else p(count, request) for p in self._pieces)

    @staticmethod
    def _piece(name: str, args: list[str], request: bool) -> Piece | None:
        if name == "Random":
            if len(args) != 2 or not all(a.isdecimal() for a in args):
                return None
            low, high = sorted(int(a) for a in args)
            if high > _LONGEST:
                raise CommandError(
                    f"{{{{Random {low} {high}}}}} would be longer than 8 MiB.", "Ask for a shorter text."
                )
            return lambda _c, _r: _random(low, high)
        if args:
            return None
        if name == "Request" and request:
            return lambda _c, r: r
        return _PLAIN.get(name)


def _random(low: int, high: int) -> str:
    # The CLI's upper bound is exclusive.
    size = low if low == high else random.randrange(low, high)
    return "".join(random.choices(_LETTERS, k=size))


def _kitchen() -> str:
    return time.strftime("%I:%M%p").lstrip("0")


def _stamp() -> str:
    zone = time.strftime("%z")
    return time.strftime("%Y-%m-%dT%H:%M:%S") + (zone[:3] + ":" + zone[3:] if zone.strip("+-0") else "Z")


def _id() -> str:
    from nats.nuid import NUID

    return NUID().next().decode()


def _count(count: int, _: str) -> str:
    return str(count)


_PLAIN: dict[str, Piece] = {
    "Count": _count,
    "Cnt": _count,
    "Unix": lambda _c, _r: str(int(time.time())),
    "UnixNano": lambda _c, _r: str(time.time_ns()),
    "Time": lambda _c, _r: _kitchen(),
    "TimeStamp": lambda _c, _r: _stamp(),
    "ID": lambda _c, _r: _id(),
}
