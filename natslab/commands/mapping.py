"""Subject mappings as nats-server applies them: source pattern, destination with functions, subject.

The rules are the server's (documentation of subject mapping; agreement with a real server is tested).
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable

from natslab.errors import CommandError
from natslab.servers.subject import check_subject

_FUNCTION = re.compile(r"\{\{\s*([A-Za-z]+)\s*\(([^()]*)\)\s*\}\}")
_DOLLAR = re.compile(r"\$(\d+)")
_HINT = 'For example: %nats server mapping "ord.*.*" "shop.{{wildcard(2)}}.{{wildcard(1)}}" ord.1.2'

Piece = str | Callable[[list[str]], str]


class Mapping:
    """One mapping from a source pattern to a destination.

    Raises CommandError for what the server would refuse.
    """

    def __init__(self, source: str, dest: str) -> None:
        check_subject(source, wildcards=True)
        self.source = source.split(".")
        self.dest = dest
        self._stars = self.source.count("*")
        self._rest = self.source[-1] == ">"
        self._used: set[int] = set()
        self._tokens: list[list[Piece]] = []
        self._tail = False
        check_subject(re.sub(r"\{\{.*?\}\}", "x", dest), wildcards=True)
        tokens = _tokens(dest)
        for i, token in enumerate(tokens):
            if token == ">" and i == len(tokens) - 1:
                self._tail = True
            else:
                self._tokens.append(self._token(token))
        if self._tail and not self._rest:
            raise CommandError(f"{dest} ends in > and {source} does not.", "Both end in >, or none.")
        if self._rest and not self._tail:
            raise CommandError(f"{source} ends in > and {dest} does not.", "Both end in >, or none.")

    def apply(self, subject: str) -> str | None:
        """Where `subject` goes, or None when the source does not match it.

        Raises CommandError for a subject that cannot be published.
        """
        check_subject(subject)
        parts = subject.split(".")
        stars: list[str] = []
        for i, token in enumerate(self.source):
            if token == ">":
                if len(parts) <= i:
                    return None
                break
            if len(parts) <= i or (token not in ("*", parts[i])):
                return None
            if token == "*":
                stars.append(parts[i])
        else:
            if len(parts) != len(self.source):
                return None
        out = ["".join(p if isinstance(p, str) else p(stars) for p in token) for token in self._tokens]
        if self._tail:
            out += parts[len(self.source) - 1 :]
        return ".".join(out)

    def _token(self, token: str) -> list[Piece]:
        if token == "*":
            raise CommandError(
                f"{self.dest} holds a *, which a destination cannot.",
                "Say which of the source's: {{wildcard(1)}}",
            )
        if (dollar := _DOLLAR.fullmatch(token)) is not None:
            return [self._star(int(dollar[1]))]
        found = _FUNCTION.fullmatch(token)
        if found is not None:
            return [self._function(found[1], found[2])]
        if "{{" in token or "}}" in token:
            raise CommandError(f"{token} is no mapping function.", _HINT)
        return [token]

    def _star(self, n: int) -> Piece:
        if not 1 <= n <= self._stars:
            raise CommandError(
                f"{self.dest} uses the wildcard number {n}, and the source has {self._stars}.",
                "Wildcards are counted from 1; only * counts.",
            )
        return lambda stars: stars[n - 1]

    def _function(self, name: str, inside: str) -> Piece:
        args = [a.strip() for a in inside.split(",")] if inside.strip() else []
        kind = name.lower()
        if kind == "wildcard" and len(args) == 1:
            return self._star(self._int(name, args[0]))
        if kind == "partition" and args:
            buckets = self._positive(name, args[0])
            chosen = [self._index(self._int(name, a)) for a in args[1:]] or list(range(self._stars))
            return lambda stars: str(_fnv1a("".join(stars[i] for i in chosen).encode()) % buckets)
        if kind == "random" and len(args) == 1:
            most = self._positive(name, args[0])
            return lambda _stars: str(random.randrange(most))
        if kind == "split" and len(args) == 2:
            star, sign = self._index(self._int(name, args[0])), args[1]
            if not sign or "." in sign or " " in sign:
                raise CommandError(
                    f"{name} cannot split at {sign!r}.", "Use a sign that is neither blank nor dot."
                )
            return lambda stars: ".".join(p for p in stars[star].split(sign) if p)
        if kind in _CUTS and len(args) == 2:
            star, number = self._index(self._int(name, args[0])), self._positive(name, args[1])
            cut = _CUTS[kind]
            return lambda stars: cut(stars[star], number)
        raise CommandError(
            f"{{{{{name}({inside})}}}} is no mapping function.",
            "There are wildcard, partition, random, split, splitFromLeft, splitFromRight, sliceFromLeft, "
            "sliceFromRight, left and right.",
        )

    def _index(self, n: int) -> int:
        self._star(n)
        return n - 1

    def _int(self, name: str, text: str) -> int:
        if not re.fullmatch(r"\d{1,9}", text, re.ASCII):
            raise CommandError(f"{name}: {text!r} is not a number.", _HINT)
        return int(text)

    def _positive(self, name: str, text: str) -> int:
        number = self._int(name, text)
        if number < 1:
            raise CommandError(f"{name}: the number must be at least 1.", _HINT)
        return number


def _tokens(dest: str) -> list[str]:
    """Split at dots outside of {{...}}."""
    out, depth, token, i = [], 0, "", 0
    while i < len(dest):
        if dest.startswith("{{", i):
            depth += 1
            token += "{{"
            i += 2
        elif dest.startswith("}}", i) and depth:
            depth -= 1
            token += "}}"
            i += 2
        elif dest[i] == "." and not depth:
            out.append(token)
            token = ""
            i += 1
        else:
            token += dest[i]
            i += 1
    return [*out, token]


def _fnv1a(data: bytes) -> int:
    value = 2166136261
    for byte in data:
        value = ((value ^ byte) * 16777619) & 0xFFFFFFFF
    return value


def _split_left(text: str, n: int) -> str:
    return f"{text[:n]}.{text[n:]}" if n < len(text) else text


def _split_right(text: str, n: int) -> str:
    return f"{text[:-n]}.{text[-n:]}" if n < len(text) else text


def _slice_left(text: str, n: int) -> str:
    return ".".join(text[i : i + n] for i in range(0, len(text), n)) if n < len(text) else text


def _slice_right(text: str, n: int) -> str:
    if n >= len(text):
        return text
    head = len(text) % n
    parts = [text[:head]] if head else []
    return ".".join([*parts, *(text[i : i + n] for i in range(head, len(text), n))])


_CUTS: dict[str, Callable[[str, int], str]] = {
    "splitfromleft": _split_left,
    "splitfromright": _split_right,
    "slicefromleft": _slice_left,
    "slicefromright": _slice_right,
    "left": lambda text, n: text[:n],
    "right": lambda text, n: text[-n:],
}
