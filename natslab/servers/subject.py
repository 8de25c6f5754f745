"""Whether a subject can be published or subscribed to, and if not, in one sentence why."""

from __future__ import annotations

import re

from natslab.errors import CommandError

# The server ends a connection whose command line is longer than 4096 bytes (max_control_line);
# the rest of the line and a reply subject must fit beside the subject.
LONGEST = 3500

_BLANK = re.compile(r"\s|\x00")


def check_subject(subject: str, wildcards: bool = False) -> None:
    """Say no to a subject that NATS cannot use.

    Parameters
    ----------
    subject: what a person typed.
    wildcards: True to subscribe, where `*` and `>` mean something and must stand in their places;
        False to publish, where the server takes them as ordinary text.

    Raises CommandError. The rules are the server's for subscriptions; a publish to `a..b` would be
    accepted by the server and could never be received (measured), so it is refused here.
    """
    if not subject:
        raise CommandError("The subject is empty.", "Give a subject, for example orders.new")
    if _BLANK.search(subject):
        raise CommandError(
            f"The subject {subject!r} contains white space.",
            f"Separate the words of a subject with dots: {_BLANK.sub('.', subject.strip())}",
        )
    if len(subject.encode()) > LONGEST:
        raise CommandError(
            f"The subject is {len(subject.encode())} bytes long.",
            f"Use at most {LONGEST} bytes; 256 are plenty.",
        )
    parts = subject.split(".")
    if "" in parts:
        where = "begins" if not parts[0] else "ends" if not parts[-1] else ""
        what = f"{where} with a dot" if where else "has two dots in a row"
        better = ".".join(part for part in parts if part)
        raise CommandError(
            f"The subject {subject!r} {what}: a word between dots cannot be empty.",
            f"Perhaps you meant {better}" if better else "Give a subject, for example orders.new",
        )
    if wildcards:
        _check_wildcards(subject, parts)


def _check_wildcards(subject: str, parts: list[str]) -> None:
    for i, part in enumerate(parts):
        if part == ">" and i < len(parts) - 1:
            raise CommandError(
                f"In {subject!r} the > is not at the end, and it stands for all the rest.",
                f"End with it, {'.'.join([*parts[:i], '>'])}, or use * for a single word.",
            )
        for sign in "*>":
            if sign in part and part != sign:
                whole = ".".join([*parts[:i], sign, *(parts[i + 1 :] if sign == "*" else [])])
                raise CommandError(
                    f"In {subject!r} the {sign} is a part of the word {part!r}, an ordinary character there.",
                    f"It stands for {'a whole word' if sign == '*' else 'all the rest'}: {whole}",
                )
