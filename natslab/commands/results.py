"""What commands return. Their text is stable: no times, ports, ids or credentials unless asked for.

A result is compared with a stored notebook by its text and HTML; its attributes hold everything.
Subjects, payloads and headers are foreign text: escaped in HTML, control characters made visible.
"""

from __future__ import annotations

import html
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

_LONG = 200  # characters of one payload in a list
_LONGEST = 10_000  # of one that stands alone


def plain(text: str) -> str:
    """Foreign text with control characters written out; line breaks and tabs stay."""
    return "".join(c if c.isprintable() or c in "\n\t" else repr(c)[1:-1] for c in text)


def one_line(data: bytes | str, limit: int = _LONG) -> str:
    """A payload as one line; bytes that are no text are written out."""
    text = decoded(data) if isinstance(data, bytes) else data
    text = "".join(c if c.isprintable() else repr(c)[1:-1] for c in text[: limit + 1])
    return text if len(text) <= limit else text[: limit - 1] + "…"


def decoded(data: bytes) -> str:
    """Bytes as text, those that are none as escapes."""
    return data.decode("utf-8", "backslashreplace")


def rows_text(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Aligned columns."""
    from natslab.views.view import Table

    return Table(
        columns=list(columns), rows=[[one_line(c) for c in r] for r in rows], keys=[""] * len(rows)
    ).text()


def rows_html(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """The same as an HTML table."""
    head = "".join(f"<th>{html.escape(c)}</th>" for c in columns)
    body = "".join(
        "<tr>" + "".join(f"<td>{html.escape(one_line(c))}</td>" for c in row) + "</tr>" for row in rows
    )
    return f'<table class="natslab-result"><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>'


class Result:
    """What every command returns: text, perhaps a table, facts as JSON."""

    def __init__(self) -> None:
        self.notes: list[str] = []
        self.wire: list[str] = []  # API requests and replies, with --trace
        self._show_json = False
        self._warnings: list[str] = []

    def warn(self, *notes: str) -> None:
        """Add notes that are shown with --quiet too, because it is likely that something else was meant."""
        self.notes += notes
        self._warnings += notes

    def text(self) -> str:
        """What a cell shows."""
        raise NotImplementedError

    def table(self) -> tuple[list[str], list[list[str]]] | None:
        """Columns and rows, where the result is a table."""
        return None

    def tables(self) -> list[tuple[str, list[str], list[list[str]]]]:
        """The line above, columns and rows of each table, where the result is several."""
        table = self.table()
        return [] if table is None else [(self._lead(), *table)]

    def json(self) -> Any:
        """The facts: dicts, lists, strings and numbers."""
        raise NotImplementedError

    def show(self, *, as_json: bool = False, quiet: bool = False) -> None:
        """How a cell shows it: as JSON, or not at all."""
        self._show_json = as_json
        if quiet:
            self._ipython_display_ = self._only_warnings

    def _only_warnings(self) -> None:
        for note in self._warnings:
            print(f"Note: {note}")

    def __repr__(self) -> str:
        if self._show_json:
            return json.dumps(self.json(), indent=2, ensure_ascii=False, default=str)
        return "\n".join(
            [
                *(plain(w) for w in self.wire),
                *([""] if self.wire else []),
                self.text(),
                *(f"Note: {n}" for n in self.notes),
            ]
        ).rstrip("\n")

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        bundle = {"text/plain": repr(self)}
        shown = [] if self._show_json else [t for t in self.tables() if t[2]]
        if shown:
            parts = [
                (f"<p>{html.escape(lead)}</p>" if lead else "") + rows_html(columns, rows)
                for lead, columns, rows in shown
            ]
            notes = "".join(f"<p>Note: {html.escape(n)}</p>" for n in self.notes)
            bundle["text/html"] = f'<div class="natslab-result">{"".join(parts)}{notes}</div>'
        return bundle

    def _lead(self) -> str:
        return ""


class Message:
    """One message as it arrived."""

    __slots__ = ("at", "data", "headers", "pattern", "reply", "subject")

    def __init__(
        self,
        subject: str,
        data: bytes,
        headers: dict[str, str] | None = None,
        reply: str = "",
        pattern: str = "",
        at: float = 0.0,
    ) -> None:
        self.subject = subject
        self.data = data
        self.headers = headers or {}
        self.reply = reply
        self.pattern = pattern  # what the subscription asked for
        self.at = at  # time.time() of its arrival

    @property
    def text(self) -> str:
        """The payload as text."""
        return decoded(self.data)

    def json(self) -> Any:
        """The payload, read as JSON. Raises ValueError when it is none."""
        return json.loads(self.data)

    def __repr__(self) -> str:
        headers = f", headers={self.headers!r}" if self.headers else ""
        return f"Message({self.subject!r}, {self.data!r}{headers})"

    def facts(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "subject": self.subject,
            "data": self.text,
            **({"headers": self.headers} if self.headers else {}),
            **({"reply": self.reply} if self.reply else {}),
        }


def with_headers(message: Message, hide: Sequence[str] = ()) -> str:
    """One line: the payload, and its headers behind it, but for those to `hide`."""
    text = one_line(message.data)
    shown = [one_line(f"{k}: {v}", 80) for k, v in message.headers.items() if k not in hide]
    return f"{text}  ({', '.join(shown)})" if shown else text


class Text(Result):
    """Words."""

    def __init__(self, words: str, **facts: Any) -> None:
        super().__init__()
        self.words = words
        self.facts = facts

    def text(self) -> str:
        """The words."""
        return self.words

    def json(self) -> Any:
        """The facts behind the words."""
        return self.facts or {"text": self.words}


@dataclass
class Ack:
    """The server's answer to a JetStream publish."""

    stream: str
    seq: int
    duplicate: bool = False
    domain: str = ""
    value: str = ""  # of a counter


@dataclass(repr=False)
class Published(Result):
    """What was published."""

    subject: str
    count: int
    bytes: int  # of all payloads
    acks: list[Ack] = field(default_factory=list)
    preview: Traced | None = None  # of a dry run
    batch: str = ""  # the id of an atomic batch; its one acknowledgement is of the last message
    plan: str = ""  # what the stream is to do with it later, as a sentence

    def __post_init__(self) -> None:
        super().__init__()

    @property
    def stream(self) -> str:
        """The stream that stored the last one."""
        return self.acks[-1].stream if self.acks else ""

    @property
    def seq(self) -> int:
        """Its sequence there; 0 when no stream stored it."""
        return self.acks[-1].seq if self.acks else 0

    @property
    def duplicate(self) -> bool:
        """Whether the stream had it already."""
        return bool(self.acks) and self.acks[-1].duplicate

    def text(self) -> str:
        """The CLI's sentence, and where it was stored."""
        if self.preview is not None:
            return "Nothing was delivered or stored (dry run).\n" + self.preview.text()
        size = f"{self.bytes} byte{'s' if self.bytes != 1 else ''}"
        subject = one_line(self.subject)
        said = (
            f"Published {size} to {subject}"
            if self.count == 1
            else f"Published {self.count} messages to {subject}"
        )
        lines = [said]
        if self.batch:
            first = self.seq - self.count + 1
            span = f"sequences {first} to {self.seq}" if self.count > 1 else f"sequence {self.seq}"
            lines.append(f"Stored in stream {one_line(self.stream)} as one batch, with {span}")
        elif len(self.acks) <= 10:
            lines += [self._one(ack) for ack in self.acks]
        else:
            old = sum(ack.duplicate for ack in self.acks)
            kept = [ack.seq for ack in self.acks if not ack.duplicate]
            if kept:
                lines.append(
                    f"Stored in stream {one_line(self.stream)} with sequences {kept[0]} to {kept[-1]}"
                )
            if old:
                lines.append(f"{old} were duplicates and not stored again")
        if self.plan:
            lines.append(f"Scheduled: {self.plan}")
        return "\n".join(lines)

    @staticmethod
    def _one(ack: Ack) -> str:
        stream = one_line(ack.stream)
        domain = f", domain {ack.domain}" if ack.domain else ""
        if ack.duplicate:
            return f"Duplicate of sequence {ack.seq} in stream {stream}{domain}: not stored again"
        value = f", counter value {ack.value}" if ack.value else ""
        return f"Stored in stream {stream} with sequence {ack.seq}{domain}{value}"

    def json(self) -> Any:
        """Subject, count, bytes and acknowledgements."""
        return {
            "subject": self.subject,
            "count": self.count,
            "bytes": self.bytes,
            **({"acks": [vars(a) for a in self.acks]} if self.acks else {}),
        }


@dataclass(repr=False)
class Reply(Result):
    """The answers to one or several requests, in the order in which they came."""

    subject: str
    replies: list[Message]
    times: list[float]  # seconds from the request to each answer
    raw: bool = False
    wanted: int = 1  # answers to each request; 0 = as many as come in time

    def __post_init__(self) -> None:
        super().__init__()

    @property
    def data(self) -> bytes:
        """The payload of the first answer."""
        return self.replies[0].data

    @property
    def headers(self) -> dict[str, str]:
        """The headers of the first answer."""
        return self.replies[0].headers

    @property
    def value(self) -> Any:
        """The first answer read as JSON. Raises ValueError when it is none."""
        return self.replies[0].json()

    def text(self) -> str:
        """Headers and payload of each answer."""
        return "\n".join(self._one(m) for m in self.replies)

    def _one(self, message: Message) -> str:
        body = plain(message.text)
        if len(body) > _LONGEST:
            body = body[:_LONGEST] + "…"
        if self.raw or not message.headers:
            return body
        return "\n".join([*(one_line(f"{k}: {v}") for k, v in message.headers.items()), "", body])

    def json(self) -> Any:
        """Every answer with the seconds it took."""
        return {
            "subject": self.subject,
            "replies": [
                {**m.facts(), "took": round(t, 6)} for m, t in zip(self.replies, self.times, strict=True)
            ],
        }

    def __len__(self) -> int:
        return len(self.replies)

    def __iter__(self) -> Iterator[Message]:
        return iter(self.replies)


@dataclass
class Hop:
    """One step of a traced message in one server."""

    server: str
    step: str  # in map export import store egress
    kind: str = "client"  # client route gateway leafnode jetstream system account
    name: str = ""  # of the client or server on the other side
    cid: int = 0
    subject: str = ""  # as published, or what the subscription that matched asked for
    queue: str = ""
    to: str = ""  # map, export, import: the new subject
    account: str = ""
    stream: str = ""
    error: str = ""
    depth: int = 0  # servers between the publisher and this one
    cluster: str = ""
    at: float = 0.0  # seconds after the message came in


_ARROW = {"client": "--C", "route": "-->", "gateway": "==>", "leafnode": "~~>", "jetstream": "--J"}
LEGEND = "Legend: Client: --C Router: --> Gateway: ==> Leafnode: ~~> JetStream: --J Error: --X"


@dataclass(repr=False)
class Traced(Result):
    """The way of one message through the servers, as they reported it."""

    subject: str
    hops: list[Hop]
    delivered: bool = False
    timestamps: bool = False

    def __post_init__(self) -> None:
        super().__init__()
        if len(self.stored) > 1:
            stored = "was stored" if self.delivered else "would be stored"
            self.notes.append(f"the message {stored} by {len(self.stored)} streams.")

    @property
    def egress(self) -> list[Hop]:
        """Every subscription or server that it left to."""
        return [h for h in self.hops if h.step == "egress"]

    @property
    def stored(self) -> list[Hop]:
        """Every stream that took it."""
        return [h for h in self.hops if h.step == "store"]

    def text(self) -> str:
        """The CLI's arrows; times with --timestamp only."""
        how = "and delivering it" if self.delivered else "without delivering it"
        lines = [f"Tracing a message to {one_line(self.subject)} {how}", ""]
        for hop in self.hops:
            stamp = f"[{hop.at * 1e6:.0f}µs] " if self.timestamps else ""
            pad = " " * 4 * hop.depth
            lines.append(f"{pad}{stamp}{self._step(hop)}")
            if hop.error:
                lines.append(f"{pad}{stamp}  --X Error: {one_line(hop.error)}")
        entry = next((h for h in self.hops if h.step == "in"), None)
        if entry is not None and not entry.error and not self.egress and not self.stored:
            lines.append("--X No active interest")
        lines += ["", LEGEND]
        counts: dict[str, int] = {}
        for hop in [*self.egress, *self.stored]:
            kind = "jetstream" if hop.step == "store" else hop.kind
            counts[kind] = counts.get(kind, 0) + 1
        if counts:
            lines += ["", "Egress count: " + ", ".join(f"{k} {n}" for k, n in sorted(counts.items()))]
        return "\n".join(lines)

    def _step(self, hop: Hop) -> str:
        name = f' "{one_line(hop.name)}"' if hop.name else ""
        if hop.step == "in":
            where = f' cluster:"{one_line(hop.cluster)}"' if hop.cluster else ""
            return f'{hop.kind.capitalize()}{name}{where} server:"{one_line(hop.server)}"'
        if hop.step == "map":
            return f'    Mapping subject:"{one_line(hop.to)}"' if hop.to else "    Mapping: lost here"
        if hop.step == "export":
            return f'    Stream export subject:"{one_line(hop.to)}" account:"{one_line(hop.account)}"'
        if hop.step == "import":
            return f'    Service import to:"{one_line(hop.to)}" account:"{one_line(hop.account)}"'
        if hop.step == "store":
            return f'--J JetStream stream:"{one_line(hop.stream)}" subject:"{one_line(hop.subject)}"'
        said = f"{_ARROW.get(hop.kind, '---')} {hop.kind.capitalize()}{name}"
        if hop.subject:
            said += f' subject:"{one_line(hop.subject)}"'
        if hop.queue:
            said += f' queue:"{one_line(hop.queue)}"'
        return said

    def json(self) -> Any:
        """Every step."""
        return {
            "subject": self.subject,
            "delivered": self.delivered,
            "hops": [{k: v for k, v in vars(h).items() if v not in ("", 0, 0.0)} for h in self.hops],
        }


@dataclass(repr=False)
class RoundTrips(Result):
    """Round trips to one server."""

    server: str
    times: list[float]  # seconds

    def __post_init__(self) -> None:
        super().__init__()

    def text(self) -> str:
        """How many; the times are in `.times` and with --json."""
        return f"{len(self.times)} round trip{'s' if len(self.times) != 1 else ''} to {self.server}"

    def json(self) -> Any:
        """The times in seconds, and their mean."""
        return {
            "server": self.server,
            "times": [round(t, 6) for t in self.times],
            "mean": round(sum(self.times) / len(self.times), 6),
        }


class Rows(Result):
    """A table.

    Parameters
    ----------
    title: a line above it.
    columns, rows: what a cell shows.
    facts: everything, for JSON and attributes.
    """

    def __init__(self, title: str, columns: list[str], rows: list[list[str]], facts: Any) -> None:
        super().__init__()
        self.title = title
        self.columns = columns
        self.rows = rows
        self.facts = facts

    def text(self) -> str:
        """Title and aligned columns."""
        return "\n\n".join(part for part in (self.title, rows_text(self.columns, self.rows)) if part)

    def table(self) -> tuple[list[str], list[list[str]]]:
        """Columns and rows."""
        return self.columns, self.rows

    def json(self) -> Any:
        """Everything."""
        return self.facts

    def _lead(self) -> str:
        return self.title

    def __len__(self) -> int:
        return len(self.rows)

    def __iter__(self) -> Iterator[Any]:
        return iter(self.facts if isinstance(self.facts, list) else self.rows)

    def __getitem__(self, i: int) -> Any:
        return (self.facts if isinstance(self.facts, list) else self.rows)[i]


class Facts(Result):
    """Names and values, under headings.

    Parameters
    ----------
    sections: heading -> (name, value) pairs; the stable ones.
    facts: everything.
    """

    def __init__(self, sections: dict[str, list[tuple[str, str]]], facts: dict[str, Any]) -> None:
        super().__init__()
        self.sections = sections
        self.facts = facts

    def __getattr__(self, name: str) -> Any:
        facts = self.__dict__.get("facts", {})
        if name in facts:
            return facts[name]
        raise AttributeError(f"there is no {name!r} here; there is {', '.join(facts)}")

    def text(self) -> str:
        """Headings, names and values."""
        width = max((len(n) for pairs in self.sections.values() for n, _ in pairs), default=0)
        parts = []
        for heading, pairs in self.sections.items():
            lines = [f"{n.rjust(width + 2)}: {one_line(v)}" for n, v in pairs]
            parts.append("\n".join([f"{heading}:", "", *lines]))
        return "\n\n".join(parts)

    def table(self) -> tuple[list[str], list[list[str]]]:
        """All pairs."""
        return ["", ""], [[n, v] for pairs in self.sections.values() for n, v in pairs]

    def json(self) -> Any:
        """Everything."""
        return self.facts
