"""What a stream means when it refuses a message: sentences with what the message said and what is so."""

from __future__ import annotations

import re

_NUMBER = re.compile(r"(\d+)\s*$")


def explain(code: int, subject: str, headers: dict[str, str], description: str) -> tuple[str, str] | None:
    """What was wrong, and what to do; None where there is nothing to add to the server's words.

    Parameters
    ----------
    code: the server's error code (nats-server, errors.json).
    subject, headers: of the message.
    description: the server's own words.
    """
    said = {k.lower(): v for k, v in headers.items()}
    found = _NUMBER.search(description)
    real = found[1] if found else ""
    if code in (10071, 10164):
        per_subject = said.get("nats-expected-last-subject-sequence")
        want = per_subject if per_subject is not None else said.get("nats-expected-last-sequence", "?")
        what = (
            f"the last message on {subject}" if per_subject is not None else "the last message of the stream"
        )
        filtered = said.get("nats-expected-last-subject-sequence-subject")
        if filtered:
            what = f"the last message on {filtered}"
        is_so = f"but {what} has sequence {real}" if real else f"and {what} has another sequence"
        if real == "0":
            is_so = f"but there is no{what.removeprefix('the last')}"
        return (
            f"Sequence {want} was expected, {is_so}: the message was not stored (error {code}).",
            _what_to_do(want, real),
        )
    if code == 10070:
        last = description.rpartition(":")[2].strip()
        is_so = f"but it is {last}" if last else "but its last message has none"
        return (
            f"The last Nats-Msg-Id of the stream was expected to be "
            f"{said.get('nats-expected-last-msg-id', '?')}, {is_so}: "
            f"the message was not stored (error {code}).",
            "Read the last message, and publish with its id.",
        )
    if code == 10060:
        return (
            f"The message was meant for the stream {said.get('nats-expected-stream', '?')}, and another "
            f"stream takes {subject}: it was not stored (error {code}).",
            f"Which one does? %js stream find --subject {subject}",
        )
    return None


def _what_to_do(want: str, real: str) -> str:
    again = "Read again, and publish with the sequence that is there now."
    if not (want.isdecimal() and real):
        return again
    if int(real) > int(want):
        return f"Somebody published in between. {again}"
    return (
        f"Nothing with sequence {want} was stored there yet. {again}"
        if int(real)
        else f"Expect 0 there. {again}"
    )
