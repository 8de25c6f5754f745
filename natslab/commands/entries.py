"""What the verbs of key-value buckets return; the text has no times, the attributes have."""

from __future__ import annotations

import datetime
from collections.abc import Iterator
from typing import Any

from natslab.commands.results import Result, Rows, Text, one_line, plain
from natslab.servers.keyvalue import PUT, Entry

_LONGEST = 10_000  # characters of a value that stands alone
_CELL = 40  # of one in a table


def shown(entry: Entry, limit: int = _CELL) -> str:
    """Its value in a cell; nothing for a mark."""
    return one_line(entry.value, limit) if entry.operation == PUT else ""


def facts(entry: Entry) -> dict[str, Any]:
    """For JSON."""
    return {
        "bucket": entry.bucket,
        "key": entry.key,
        "revision": entry.revision,
        "operation": entry.operation,
        "created": entry.created.isoformat(),
        **({"value": entry.text} if entry.operation == PUT else {}),
    }


class Value(Result):
    """One value: `.value` is bytes, `.text_value` a text; `.revision`, `.operation`, `.created`, `.key`."""

    def __init__(self, entry: Entry, raw: bool = False) -> None:
        super().__init__()
        self.entry = entry
        self.raw = raw

    @property
    def bucket(self) -> str:
        """The bucket."""
        return self.entry.bucket

    @property
    def key(self) -> str:
        """The key."""
        return self.entry.key

    @property
    def value(self) -> bytes:
        """The value."""
        return self.entry.value

    @property
    def text_value(self) -> str:
        """The value as text."""
        return self.entry.text

    @property
    def revision(self) -> int:
        """Its revision: the sequence in the bucket's stream."""
        return self.entry.revision

    @property
    def operation(self) -> str:
        """PUT."""
        return self.entry.operation

    @property
    def created(self) -> datetime.datetime:
        """When it was written."""
        return self.entry.created

    def text(self) -> str:
        """Where it is, and the value; with --raw only the value."""
        value = plain(self.entry.text)
        if len(value) > _LONGEST:
            value = value[: _LONGEST - 1] + "…"
        if self.raw:
            return value
        return f"{self.bucket} > {self.key} revision: {self.revision}\n\n{value}"

    def json(self) -> Any:
        """Everything."""
        return facts(self.entry)


class Written(Text):
    """What was written to a key: `.bucket`, `.key`, `.revision`, `.operation`."""

    def __init__(self, words: str, bucket: str, key: str, revision: int, operation: str = PUT) -> None:
        super().__init__(words, bucket=bucket, key=key, revision=revision, operation=operation)
        self.bucket = bucket
        self.key = key
        self.revision = revision
        self.operation = operation


class Entries(Rows):
    """Revisions as a table; iterating gives each: `.key`, `.value`, `.revision`, `.operation`, `.created`."""

    def __init__(
        self, title: str, columns: list[str], rows: list[list[str]], entries: list[Entry], empty: str = ""
    ) -> None:
        super().__init__(title, columns, rows, [facts(e) for e in entries])
        self.entries = entries
        self._empty = empty

    @classmethod
    def history(cls, title: str, entries: list[Entry]) -> Entries:
        """All revisions of a key."""
        rows = [[e.key, str(e.revision), e.operation, f"{len(e.value):,}", shown(e)] for e in entries]
        return cls(title, ["Key", "Revision", "Op", "Length", "Value"], rows, entries)

    def text(self) -> str:
        """The table, or the sentence that it is empty."""
        return super().text() if self.rows or not self._empty else self._empty

    @property
    def keys(self) -> list[str]:
        """The keys."""
        return [e.key for e in self.entries]

    def __iter__(self) -> Iterator[Entry]:
        return iter(self.entries)

    def __getitem__(self, i: int) -> Entry:
        return self.entries[i]


class Keys(Entries):
    """Only keys, one a line."""

    def __init__(self, entries: list[Entry], empty: str) -> None:
        super().__init__("", ["Key"], [[e.key] for e in entries], entries, empty)

    def text(self) -> str:
        """One a line."""
        return "\n".join(map(one_line, self.keys)) or self._empty
