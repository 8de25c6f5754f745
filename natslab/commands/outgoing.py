"""What a line sends: subject, payloads and headers, with the templates in them."""

from __future__ import annotations

import re
from collections.abc import Iterator

from natslab.commands import words
from natslab.commands.connect import Line
from natslab.commands.flags import many
from natslab.commands.results import one_line
from natslab.commands.templates import Template
from natslab.commands.tree import EATEN, impossible, looks_eaten
from natslab.errors import CommandError
from natslab.servers.subject import check_subject

Headers = dict[str, str]


class Outgoing:
    """What a line sends: subject, payloads and headers, with the templates in them."""

    def __init__(
        self,
        line: Line,
        subject: str,
        body: str | None,
        header: tuple[str, ...],
        *,
        templates: bool,
        send_on: str,
    ) -> None:
        if line.body is not None and body is not None:
            raise CommandError("There is a payload in the line and one in the cell body.", "Use one of them.")
        self.notes: list[str] = []
        text = line.body if line.body is not None else (body or "")
        if send_on == "newline":
            if line.body is None and body is None:
                raise CommandError(
                    "--send-on newline takes its messages from a cell body.",
                    "Write %%nats … and one message a line.",
                )
            texts = [t for t in text.split("\n") if t] or [""]
        else:
            texts = [text]
        self.subject = subject
        self._subject = self._template(subject, templates)
        self._bodies = [self._template(t, templates) for t in texts]
        self._headers = [(k, self._template(v, True)) for k, v in map(header_of, header)]
        if not self.constant_subject:
            # Whatever the template gives must be a subject; the rest of it can be judged now.
            check_subject(self._subject.render(1))
        else:
            check_subject(subject)
        if body is not None and line.body is None and looks_eaten(body):
            self.notes.append(f"{one_line(body, 60)} was sent. {EATEN}")

    def _template(self, text: str, on: bool) -> Template:
        made = Template(text if on else "")
        if not on:
            made = _Fixed(text)
        for unknown in made.unknown:
            self.notes.append(f"{unknown} is no template of the CLI and was sent as it is.")
        return made

    @property
    def constant_subject(self) -> bool:
        """Whether all messages go to one subject."""
        return self._subject.constant

    @property
    def constant(self) -> bytes | None:
        """The payload when all messages are the same."""
        if len(self._bodies) == 1 and self._bodies[0].constant:
            return words.as_bytes(self._bodies[0].render(1))
        return None

    @property
    def per_count(self) -> int:
        """Messages for each of `--count`."""
        return len(self._bodies)

    def payloads(self, count: int) -> Iterator[bytes]:
        """Only the payloads."""
        for template in self._bodies:
            form = template.counting()
            if form is not None:
                holes = form.replace(b"%%", b"").count(b"%d")
                yield from (form % ((n,) * holes) for n in range(1, count + 1))
            else:
                yield from (words.as_bytes(template.render(n)) for n in range(1, count + 1))

    def messages(self, count: int) -> Iterator[tuple[str, bytes, Headers]]:
        """Subject, payload and headers of every message."""
        for template in self._bodies:
            for n in range(1, count + 1):
                subject = self._subject.render(n)
                if not self.constant_subject:
                    check_subject(subject)
                yield subject, words.as_bytes(template.render(n)), {k: v.render(n) for k, v in self._headers}

    @property
    def headers(self) -> Headers | None:
        """The headers when all messages have the same."""
        if all(v.constant for _, v in self._headers):
            return {k: v.render(1) for k, v in self._headers}
        return None


class _Fixed(Template):
    """A text that is no template."""

    def __init__(self, text: str) -> None:
        super().__init__("")
        self._pieces = [text]


_KEY = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")


def header_of(text: str) -> tuple[str, str]:
    """Name and value of `-H Name:value`. Raises CommandError."""
    key, colon, value = text.partition(":")
    key = key.strip()
    if not colon or not key:
        raise CommandError(
            f"The header {one_line(text, 60)!r} needs a name, a colon and a value.", "Write -H Name:value"
        )
    if not _KEY.fullmatch(key):
        raise CommandError(
            f"{one_line(key, 60)!r} cannot be the name of a header.",
            "Use letters, digits and dashes: -H Order-Id:7",
        )
    if "\r" in value or "\n" in value or "\0" in value:
        raise CommandError(f"The value of the header {key} has a line break in it.", "Put it in the payload.")
    return key, value.strip()


#: The flag that all of them have.
HEADER = many("--header", "-H", help="add a header, as Name:value")


def no_stdin(line: Line, force: bool, body: str | None) -> None:
    """Refuse --force-stdin where nothing stands in for it."""
    if force and line.body is None and body is None:
        impossible(
            "There is no standard input behind the magic.",
            "Put the payload in the cell body: %%nats pub SUBJECT",
        )
