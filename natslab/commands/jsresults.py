"""What the JetStream verbs return: facts with attributes, and a text that stays the same."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from natslab.commands.config_body import Kind, Known, shown
from natslab.commands.jsnode import CONSUMER_INFO, STATE, STREAM_INFO, Node, field, wrapped
from natslab.commands.jspairs import (
    Pairs,
    cluster_pairs,
    consumer_config,
    consumer_state,
    origins,
    stream_basics,
    stream_limits,
    stream_options,
    stream_state,
)
from natslab.commands.results import Result, Rows, one_line

__all__ = [
    "CONSUMER_INFO",
    "STREAM_INFO",
    "Change",
    "ConsumerInfo",
    "Info",
    "Listing",
    "Names",
    "Pairs",
    "StreamInfo",
    "StreamState",
    "changes",
    "consumer_state",
    "difference",
]


class Info(Result):
    """Facts about one thing, with headings; `facts` is the server's JSON.

    Subclasses say what the fields are (`known`) and which pairs a cell shows (`sections`).
    """

    known: Known = {}

    def __init__(self, facts: dict[str, Any]) -> None:
        super().__init__()
        self.heading = ""  # in place of the usual title: what was done
        self.facts = {k: v for k, v in facts.items() if k != "type"}

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_") or "facts" not in self.__dict__:
            raise AttributeError(name)
        return field(self.__dict__["facts"], name, self.known)

    def __getitem__(self, name: str) -> Any:
        return wrapped(self.facts[name], self.known.get(name))

    def __dir__(self) -> list[str]:
        return sorted({*super().__dir__(), *self.facts, *self.known})

    @property
    def title(self) -> str:
        """The line above."""
        return ""

    def sections(self) -> dict[str, Pairs]:
        """Heading -> names and values."""
        raise NotImplementedError

    def text(self) -> str:
        """Title, headings, names and values."""
        sections = {h: pairs for h, pairs in self.sections().items() if pairs}
        width = max((len(n) for pairs in sections.values() for n, _ in pairs), default=0)
        parts = [self.title] if self.title else []
        for heading, pairs in sections.items():
            parts.append(
                "\n".join(
                    [
                        *([f"{heading}:", ""] if heading else []),
                        *(f"{n.rjust(width + 2)}: {one_line(v)}" for n, v in pairs),
                    ]
                )
            )
        return "\n\n".join(parts)

    def table(self) -> tuple[list[str], list[list[str]]]:
        """All pairs."""
        return ["", ""], [[n, v] for pairs in self.sections().values() for n, v in pairs]

    def json(self) -> Any:
        """What the server said."""
        return self.facts

    def _lead(self) -> str:
        return self.title


class StreamInfo(Info):
    """A stream: `.config`, `.state`, `.cluster`, `.mirror`, `.sources`, as STREAM.INFO has them."""

    known = STREAM_INFO

    @property
    def name(self) -> str:
        """Its name."""
        return str(self.config.name)

    @property
    def title(self) -> str:
        """Information for Stream NAME, or what was done with it."""
        return self.heading or f"Information for Stream {one_line(self.name)}"

    def sections(self) -> dict[str, Pairs]:
        """What it holds, how it behaves, its limits, where it copies from, its state."""
        return {
            "": stream_basics(self.config),
            "Options": stream_options(self.config),
            "Limits": stream_limits(self.config),
            "Replication": origins(self),
            "Cluster Information": cluster_pairs(self.cluster),
            "State": stream_state(self.state),
        }


class StreamState(Info):
    """The state of a stream: `.messages`, `.first_seq`, …; the title names the stream."""

    known = STATE

    def __init__(self, stream: str, facts: dict[str, Any]) -> None:
        super().__init__(facts)
        self.stream = stream

    @property
    def title(self) -> str:
        """State for Stream NAME, or what was done with it."""
        return self.heading or f"State for Stream {one_line(self.stream)}"

    def sections(self) -> dict[str, Pairs]:
        """Messages and sequences."""
        return {"": stream_state(Node(self.facts, STATE))}


class ConsumerInfo(Info):
    """A consumer: `.config`, `.delivered`, `.ack_floor`, `.num_pending`, …, as CONSUMER.INFO has them."""

    known = CONSUMER_INFO

    @property
    def title(self) -> str:
        """Information for Consumer STREAM > NAME, or what was done with it."""
        return (
            self.heading or f"Information for Consumer {one_line(self.stream_name)} > {one_line(self.name)}"
        )

    def sections(self) -> dict[str, Pairs]:
        """How it is configured, and how far it is."""
        return {
            "Configuration": consumer_config(self.config),
            "Cluster Information": cluster_pairs(self.cluster),
            "State": consumer_state(self),
        }


class Listing(Rows):
    """A table of things; iterating and indexing give the server's facts about each, as attributes.

    Parameters
    ----------
    title, columns, rows: what a cell shows; one row for each of `facts`, in the same order.
    facts: the server's JSON of each, or names.
    known: the table of the fields of each.
    empty: the sentence when there is none.
    """

    def __init__(
        self,
        title: str,
        columns: Sequence[str],
        rows: Sequence[Sequence[str]],
        facts: Sequence[Any],
        known: Known | None = None,
        empty: str = "",
    ) -> None:
        super().__init__(title, list(columns), [list(r) for r in rows], list(facts))
        self._known = known
        self._empty = empty

    def text(self) -> str:
        """The table, or the sentence that it is empty."""
        return super().text() if self.rows or not self._empty else self._empty

    @property
    def names(self) -> list[str]:
        """The name of each."""
        return [f if isinstance(f, str) else str(f.get("name") or f["config"]["name"]) for f in self.facts]

    def __iter__(self) -> Iterator[Any]:
        return (wrapped(f, self._known) for f in self.facts)

    def __getitem__(self, i: int) -> Any:
        return wrapped(self.facts[i], self._known)

    def __len__(self) -> int:
        return len(self.facts)


class Names(Listing):
    """Only names, one a line: `ls --names`."""

    def __init__(self, names: Sequence[str], empty: str = "") -> None:
        super().__init__("", ["Name"], [[n] for n in names], names, None, empty)

    def text(self) -> str:
        """One a line."""
        return "\n".join(map(one_line, self.facts)) or self._empty

    def table(self) -> tuple[list[str], list[list[str]]]:
        """The names are their own table."""
        return self.columns, []


class Change(Info):
    """What an update changed: `.diff` maps a field to its old and new value; facts are the info after it."""

    def __init__(
        self,
        what: str,
        facts: dict[str, Any],
        diff: Mapping[str, tuple[Any, Any]],
        known: Known,
        info_known: Known | None = None,
    ) -> None:
        super().__init__(facts)
        self.known = info_known or {}
        self.what = what
        self.diff = dict(diff)
        self.config_known = known

    def text(self) -> str:
        """One line a field: old -> new."""
        if not self.diff:
            return f"{self.what}: nothing changed"
        return "\n".join([f"{self.what} was updated", "", *difference(self.diff, self.config_known)])

    def table(self) -> tuple[list[str], list[list[str]]]:
        """Field, old, new."""
        return ["Field", "Before", "Now"], [
            [name, _shown(name, old, self.config_known), _shown(name, new, self.config_known)]
            for name, (old, new) in sorted(self.diff.items())
        ]

    @property
    def title(self) -> str:
        """What was done."""
        return f"{self.what} was updated" if self.diff else f"{self.what}: nothing changed"


def changes(before: Mapping[str, Any], after: Mapping[str, Any], known: Known) -> dict[str, tuple[Any, Any]]:
    """The fields that differ; a field that is left out is its empty value."""
    out: dict[str, tuple[Any, Any]] = {}
    for name, kind in known.items():
        zero = kind.zero if isinstance(kind, Kind) else None
        old, new = (_bare(name, one.get(name) or zero) for one in (before, after))
        if old != new:
            out[name] = (old, new)
    return out


def _bare(name: str, value: Any) -> Any:
    if name.startswith("max_") and isinstance(value, int) and value <= 0:
        return -1  # no limit, written in one way or another
    if name == "metadata" and isinstance(value, dict):
        value = {k: v for k, v in value.items() if not k.startswith("_nats.")}
    return None if value in ({}, []) else value


def difference(diff: Mapping[str, tuple[Any, Any]], known: Known) -> list[str]:
    """One line a field: `  max_msgs: unlimited -> 100`."""
    width = max((len(name) for name in diff), default=0)
    return [
        one_line(f"{name.rjust(width + 2)}: {_shown(name, old, known)} -> {_shown(name, new, known)}", 400)
        for name, (old, new) in sorted(diff.items())
    ]


def _shown(name: str, value: Any, known: Known) -> str:
    if name.startswith("max_") and isinstance(value, int) and value <= 0:
        return "unlimited"
    return one_line(shown(value, known.get(name)), 120)
