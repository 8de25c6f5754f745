"""What the editor asks while somebody types: completions, what a word means, what is wrong with a line.

The tree of verbs answers, so that the editor says what the kernel would say. Nothing is done. Columns
are those of the browser: units of UTF-16, from 0.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import click

from natslab.commands import tree as trees
from natslab.commands.tree import Group, Verb
from natslab.errors import CommandError, NatslabError
from natslab.magics.complete import complete as candidates
from natslab.magics.complete import line_of

LINES = 200  # of one cell that are checked
LONGEST = 10_000  # characters of a line
_ANY = re.compile(r"^(\s*(?:[\w.,\s()\[\]]+=\s*)?)(%{1,2})(natslab|nats|js)(?=\s|$)")

Span = tuple[str, int, int]  # a word without its quotes, and where it stands in the line


def spans(text: str) -> list[Span]:
    """The words of a line, as `words.split` splits it, with their places; a last one may lack its quote."""
    found: list[Span] = []
    word: list[str] | None = None
    start, quote, i = 0, "", 0
    while i < len(text):
        c = text[i]
        if quote:
            if c == quote:
                quote = ""
            elif c == "\\" and quote == '"' and i + 1 < len(text) and text[i + 1] in '$`"\\':
                i += 1
                word = [*(word or []), text[i]]
            else:
                word = [*(word or []), c]
        elif c.isspace():
            if word is not None:
                found.append(("".join(word), start, i))
                word = None
        elif c == "#" and word is None:
            return found
        else:
            if word is None:
                word, start = [], i
            if c in "'\"":
                quote = c
            elif c == "\\" and i + 1 < len(text):
                i += 1
                word.append(text[i])
            else:
                word.append(c)
        i += 1
    if word is not None:
        found.append(("".join(word), start, len(text)))
    return found


def lines(cell: str) -> Iterator[tuple[int, int, str, str, str | None]]:
    """The lines of ours in a cell: its number, the column where its words begin, tree, words, cell body."""
    rows = cell.split("\n")
    first = next((i for i, row in enumerate(rows) if row.strip()), 0)
    found = _ANY.match(rows[first]) if rows else None
    if found is not None and found[2] == "%%" and not found[1].strip():
        text = rows[first][found.end() :]
        body = "\n".join(rows[first + 1 :])
        if found[3] == "js" and not text.strip():
            return  # IPython's JavaScript
        if found[3] != "natslab" and text.split()[:1] == ["script"]:
            yield from _script(rows, first + 1)
            return
        yield first, found.end(), found[3], text, body
        return
    for i, row in enumerate(rows[:LINES]):
        found = _ANY.match(row)
        if found is not None and found[2] == "%":
            yield i, found.end(), found[3], row[found.end() :], None


def _script(rows: list[str], first: int) -> Iterator[tuple[int, int, str, str, str | None]]:
    for i, row in enumerate(rows[first : first + LINES], first):
        text = row.lstrip()
        start = len(row) - len(text)
        if not text or text.startswith("#") or text.rstrip().endswith("\\"):
            continue
        tree = "nats"
        for name in ("natslab", "nats", "js"):
            if text.startswith(f"{name} "):
                tree, start, text = name, start + len(name), text[len(name) :]
                break
        yield i, start, tree, text, None


def check(cell: str) -> list[dict[str, Any]]:
    """What is wrong with the lines of a cell: line, from, to, what, hint. Unfinished ones are left alone."""
    found = []
    for number, start, tree, text, body in lines(cell):
        if not text.strip() or len(text) > LONGEST:
            continue
        try:
            trees.read(f"{tree} {text}", python=False, body=body is not None)
        except CommandError as e:
            place = _place(text, e.word)
            if place is None:
                continue
            row = cell.split("\n")[number]
            found.append(
                {
                    "line": number,
                    "from": _column(row, start + place[0]),
                    "to": _column(row, start + place[1]),
                    "what": e.what,
                    "hint": e.hint,
                }
            )
        except NatslabError:
            continue
    return found


def _place(text: str, word: str) -> tuple[int, int] | None:
    """Where the word stands; None where the error is about something that is not there yet."""
    if not word or "{=" in word:
        return None
    for said, start, end in spans(text):
        if said == word or (word.startswith("-") and said.partition("=")[0] == word):
            return start, end
    return None


def explain(cell: str, number: int, column: int) -> dict[str, Any] | None:
    """What the word at a place of a cell means: a verb or a flag; None for anything else."""
    for line, start, tree, text, _ in lines(cell):
        if line != number:
            continue
        row = cell.split("\n")[number]
        at = _index(row, column)
        if at < start:
            begin = row.rfind("%", 0, start) + 1 if "%" in row[:start] else start
            return _shown(row, trees_root(tree), [], begin, start) if begin <= at else None
        command: Group | Verb = trees_root(tree)
        path: list[Group] = []
        for word, a, b in spans(text):
            here = start + a <= at < start + b
            if word.startswith("-") and word != "-":
                option = _option([command, *reversed(path)], word.partition("=")[0])
                if here:
                    return None if option is None else _flag(row, option, start + a, start + b)
            elif isinstance(command, Group):
                found = command.find(word)
                if found is None:
                    return None
                path.append(command)
                command = found
                if here:
                    return _shown(row, command, path, start + a, start + b)
            if start + a > at:
                return None
    return None


def trees_root(tree: str) -> Group:
    """The tree of a magic, filled."""
    trees.load()
    return trees.ROOTS[tree]


def _option(commands: list[Group | Verb], flag: str) -> click.Option | None:
    for command in commands:
        for param in command.params:
            if isinstance(param, click.Option) and flag in (*param.opts, *param.secondary_opts):
                return param
    return None


def _flag(row: str, option: click.Option, start: int, end: int) -> dict[str, Any]:
    kind = "" if option.is_flag else f" {option.make_metavar(click.Context(click.Command('')))}"
    return {
        "from": _column(row, start),
        "to": _column(row, end),
        "title": ", ".join(option.opts) + kind,
        "says": option.help or "",
        "usage": "",
        "example": "",
    }


def _shown(row: str, command: Group | Verb, path: list[Group], start: int, end: int) -> dict[str, Any]:
    whole = " ".join([*(one.name or "" for one in path), command.name or ""])
    usage, says = f"%{whole} VERB …", command.help or ""
    if isinstance(command, Verb):
        ctx = click.Context(command, info_name=whole)
        usage = f"%{whole} {' '.join([*command.collect_usage_pieces(ctx)[1:], '[FLAGS]'])}"
    else:
        says = f"{says}\n\n{', '.join(command.commands)}".strip()
    return {
        "from": _column(row, start),
        "to": _column(row, end),
        "title": " ".join(dict.fromkeys((command.name or "", *command.aliases))),
        "says": says,
        "usage": usage,
        "example": command.example,
    }


def complete(cell: str, number: int, column: int) -> dict[str, Any]:
    """Candidates for the word at the cursor: `items` of text and what it is, `from` where they begin."""
    rows = cell.split("\n")
    row = rows[number] if number < len(rows) else ""
    at = _index(row, column)
    tree, text = line_of(row[:at], cell, number)
    if not tree:
        return {"items": [], "from": column}
    found, _ = candidates(tree, text)
    return {
        "items": [{"text": word, "says": says.partition("\n")[0]} for word, says in found],
        "from": _column(row, at - len(_unfinished(text))),
    }


def _unfinished(text: str) -> str:
    """The last word as typed so far, without the quote that opens it."""
    last = spans(text)[-1:]
    if not last or last[0][2] < len(text):
        return ""
    raw = text[last[0][1] :]
    return raw[1:] if raw[:1] in ("'", '"') else raw


def _column(row: str, index: int) -> int:
    """The browser's column of a place in a line."""
    return len(row[:index].encode("utf-16-le", "surrogatepass")) // 2


def _index(row: str, column: int) -> int:
    """The place in a line that the browser calls `column`."""
    return len(row.encode("utf-16-le", "surrogatepass")[: 2 * column].decode("utf-16-le", "ignore"))
