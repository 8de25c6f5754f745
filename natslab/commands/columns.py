"""Tables of reports: which columns are shown, and in which order the rows stand."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from natslab.commands.flags import switch
from natslab.commands.results import Result, rows_text

F = TypeVar("F", bound=Callable[..., Any])
T = TypeVar("T")


@dataclass(frozen=True)
class Column:
    """One column of a report about things of one kind.

    Parameters
    ----------
    head: the CLI's heading.
    cell: what it shows of a thing.
    steady: whether equal lines give equal cells; times, ports, ids and traffic are not, and are shown
        with --full, or when the report is sorted by them.
    keys: the names of --sort that mean it.
    rank: what it is sorted by, where that is not the cell.
    """

    head: str
    cell: Callable[[Any], str]
    steady: bool = True
    keys: tuple[str, ...] = ()
    rank: Callable[[Any], Any] | None = None


def full(run: F) -> F:
    """The flag --full."""
    return switch("--full", help="show also the columns that differ from run to run")(run)


def shown(columns: Sequence[Column], full: bool, sort: str | None = None) -> list[Column]:
    """Those that are always shown, or all of them; the one sorted by in any case."""
    return [c for c in columns if c.steady or full or (sort and sort in c.keys)]


def ordered(
    things: Iterable[T], columns: Sequence[Column], sort: str | None, reverse: bool, ties: Callable[[T], Any]
) -> list[T]:
    """By the column that `sort` means, the least first, as the CLI; equal ones by `ties`."""
    column = next((c for c in columns if sort and sort in c.keys), None)
    found = sorted(things, key=ties)
    if column is not None:
        found.sort(key=column.rank or column.cell, reverse=reverse)
    elif reverse:
        found.reverse()
    return found


def largest(rows: Sequence[T], most: int, reverse: bool) -> list[T]:
    """The `most` largest of rows that are in order."""
    if most <= 0 or most >= len(rows):
        return list(rows)
    return list(rows[:most] if reverse else rows[-most:])


@dataclass(frozen=True)
class Part:
    """One table of a report."""

    title: str
    columns: list[str]
    rows: list[list[str]]

    @classmethod
    def of(cls, title: str, columns: Sequence[Column], things: Iterable[Any]) -> Part:
        """Each thing is a row."""
        return cls(title, [c.head for c in columns], [[c.cell(one) for c in columns] for one in things])


class Report(Result):
    """Tables one below the other; `facts` is everything, as JSON, and iterating gives its entries.

    `empty` is the sentence when there is nothing to show.
    """

    def __init__(self, parts: Sequence[Part], facts: Any, empty: str = "") -> None:
        super().__init__()
        self.parts = [p for p in parts if p.rows]
        self.facts = facts
        self.empty = empty

    def text(self) -> str:
        """Titles and aligned columns."""
        if not self.parts:
            return self.empty
        return "\n\n".join(
            "\n\n".join(filter(None, (part.title, rows_text(part.columns, part.rows)))) for part in self.parts
        )

    def tables(self) -> list[tuple[str, list[str], list[list[str]]]]:
        """All of them."""
        return [(p.title, p.columns, p.rows) for p in self.parts]

    def json(self) -> Any:
        """Everything."""
        return self.facts

    @property
    def rows(self) -> list[list[str]]:
        """The rows of the first table."""
        return self.parts[0].rows if self.parts else []

    @property
    def columns(self) -> list[str]:
        """The headings of the first table."""
        return self.parts[0].columns if self.parts else []

    def __len__(self) -> int:
        return len(self.rows)

    def __iter__(self) -> Any:
        return iter(self.facts if isinstance(self.facts, list) else self.rows)

    def __getitem__(self, i: int) -> Any:
        return (self.facts if isinstance(self.facts, list) else self.rows)[i]
