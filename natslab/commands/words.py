"""A line becomes words, split as a POSIX shell splits them; nothing else of a shell happens.

`shlex` is close but not it: in double quotes it leaves the backslash of `\\$`, which documented lines
write, and its comments begin inside words.
"""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from natslab.errors import CommandError

_BLANKS = " \t\r\n"
_SHELL = re.compile(r"^(\||\|\||&|&&|;|\d?>>?|<<?|\d?>&\d)$")

#: Gives the names of the person's notebook; the magics set it.
_names: Callable[[], Mapping[str, Any]] | None = None


def set_names(names: Callable[[], Mapping[str, Any]] | None) -> None:
    """Say where `{=expr}` finds its names: a function that gives the person's namespace."""
    global _names
    _names = names


def names() -> Mapping[str, Any]:
    """The names of the person's notebook; none outside of one."""
    return _names() if _names is not None else {}


def split(line: str) -> list[str]:
    """The words of one line; a word that begins with `#` ends it.

    Raises CommandError for a quote that is not closed.
    """
    return [word for words in _commands(line, newline=False) for word in words[1]]


def script(text: str) -> list[tuple[int, str]]:
    """The commands of several lines, each with the number of its first line, from 1.

    As in a shell, quotes may span lines and a backslash at the end of a line joins it with the next.
    Raises CommandError for a quote that is not closed.
    """
    return [(number, source) for number, _, source in _commands(text, newline=True)]


def _commands(text: str, *, newline: bool) -> Iterator[tuple[int, list[str], str]]:
    words: list[str] = []
    word: list[str] | None = None
    number, begun, start, i = 1, 1, 0, 0
    while i < len(text):
        c = text[i]
        i += 1
        if c == "\n":
            number += 1
        if c == "\n" and newline:
            if word is not None:
                words.append("".join(word))
            if words:
                yield begun, words, text[start : i - 1]
            words, word, start = [], None, i
            continue
        if c in _BLANKS:
            if word is not None:
                words.append("".join(word))
                word = None
            continue
        if c == "#" and word is None:
            end = text.find("\n", i)
            if newline and end >= 0:
                i = end
                continue
            break
        if word is None:
            word = []
            if not words:
                begun = number
        if c == "\\":
            if i == len(text):
                raise CommandError("The line ends in a backslash.", "Take it away, or write two to mean one.")
            if text[i] == "\n":
                number += 1
                if not word:
                    word = None
            else:
                word.append(text[i])
            i += 1
        elif c == "'":
            end = text.find("'", i)
            if end < 0:
                raise _unclosed("'", text[i:])
            word.append(text[i:end])
            number += text.count("\n", i, end)
            i = end + 1
        elif c == '"':
            opened = i
            while i < len(text) and text[i] != '"':
                if text[i] == "\\" and i + 1 < len(text) and text[i + 1] in '$`"\\\n':
                    i += 1
                    if text[i] == "\n":
                        number += 1
                        i += 1
                        continue
                number += text[i] == "\n"
                word.append(text[i])
                i += 1
            if i >= len(text):
                raise _unclosed('"', text[opened:])
            i += 1
        else:
            word.append(c)
    if word is not None:
        words.append("".join(word))
    if words:
        yield begun, words, text[start:]


def _unclosed(quote: str, rest: str) -> CommandError:
    name = "single" if quote == "'" else "double"
    return CommandError(
        f"A {name} quote is opened before {_short(rest)} and never closed.",
        f"Close it with {quote}, put double quotes around an apostrophe, or put the text in the cell body: "
        "%%nats pub SUBJECT",
    )


def _short(text: str) -> str:
    text = " ".join(text.split())
    return repr(text if len(text) <= 30 else text[:29] + "…") if text else "the end of the line"


def shell_sign(words: list[str]) -> str:
    """The first word that only a shell would understand (a pipe, a redirection, ...), or ""."""
    return next((w for w in words if _SHELL.match(w)), "")


NO_SHELL = "There is no shell behind the magic: no pipes, redirections or &&; one command a line."


def fill(word: str, names: Mapping[str, Any] | None = None) -> str:
    """The word with every `{=expr}` replaced by its value in the person's notebook.

    Bytes stay the bytes they are, dicts and lists become JSON, the rest `str(value)`.
    Raises CommandError when there is no notebook or the expression fails.
    """
    at = word.find("{=")
    if at < 0:
        return word
    if names is None:
        if _names is None:
            raise CommandError(
                f"{_short(word[at:])} is Python, and there is no notebook here to evaluate it in.",
                "Write the value itself; {=expr} works in a cell.",
            )
        names = _names()
    done: list[str] = []
    while at >= 0:
        code, end = _expression(word, at + 2)
        done += [word[:at], _text(_value(code, names))]
        word = word[end:]
        at = word.find("{=")
    return "".join([*done, word])


def _expression(word: str, start: int) -> tuple[str, int]:
    # The expression ends at the first brace with which it is one: it may hold braces itself.
    end = word.find("}", start)
    while end >= 0:
        code = word[start:end].strip()
        try:
            ast.parse(code, mode="eval")
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            end = word.find("}", end + 1)
        else:
            return code, end + 1
    raise CommandError(
        f"{_short(word[start - 2 :])} is not a Python expression between {{= and }}.",
        "Write for example {=lab.url}; quote the word when the expression holds blanks or quotes.",
    )


def _value(code: str, names: Mapping[str, Any]) -> Any:
    try:
        return eval(compile(code, "<{=expr}>", "eval"), dict(names))
    except Exception as e:
        raise CommandError(
            f"{{={code}}} fails: {type(e).__name__}: {e}.", "Run the expression in a cell of its own first."
        ) from None


def _text(value: Any) -> str:
    if isinstance(value, (bytes, bytearray, memoryview)):
        return bytes(value).decode("utf-8", "surrogateescape")
    if isinstance(value, (dict, list)):
        try:
            return json.dumps(value)
        except (TypeError, ValueError):
            pass
    return str(value)


def as_bytes(text: str) -> bytes:
    """The bytes of a payload. Raises CommandError for half a character (a lone surrogate)."""
    try:
        return text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        raise CommandError(
            "The text holds half of a character (a lone surrogate), which has no bytes.",
            "Send bytes from Python: {=some_bytes}",
        ) from None
