"""The --schedule flags of publish: what to publish later, as the headers that a stream heeds (ADR-51)."""

from __future__ import annotations

import datetime
from typing import Any

from natslab.commands.flags import seconds
from natslab.commands.results import one_line
from natslab.errors import CommandError
from natslab.servers.subject import check_subject

_WHEN = ("schedule_at", "schedule_after", "schedule_every", "schedule_cron")


class Schedule:
    """When and to which subject a stream is to publish what is stored in it.

    `header` is it as `Name:value` texts, `words` as a sentence.
    """

    def __init__(self, rule: str, when: str, dest: str, source: str, ttl: str) -> None:
        self.header = [f"Nats-Schedule:{rule}", f"Nats-Schedule-Target:{dest}"]
        if source:
            self.header.append(f"Nats-Schedule-Source:{source}")
        if ttl:
            self.header.append(f"Nats-Schedule-TTL:{ttl}")
        what = f"the last message of {source} is" if source else "it is"
        self.words = f"{what} published to {dest} {when}" + (f" and lives {ttl}" if ttl else "")

    @classmethod
    def of(cls, subject: str, flags: dict[str, Any]) -> Schedule | None:
        """The schedule in the flags, or None when there is none. Raises CommandError."""
        said = [name for name in _WHEN if flags.get(name)]
        dest, source, ttl = (flags.get(f"schedule_{n}") or "" for n in ("dest", "source", "ttl"))
        if not said:
            for name, value in (("dest", dest), ("source", source), ("ttl", ttl)):
                if value:
                    raise CommandError(
                        f"--schedule-{name} says nothing about when.", "Add for example: --schedule-after 30s"
                    )
            return None
        if len(said) > 1:
            names = " and ".join("--" + n.replace("_", "-") for n in said)
            raise CommandError(f"{names} exclude each other.", "Use one of them.")
        if not dest:
            raise CommandError(
                "A schedule needs the subject to which the message is published then.",
                "Add --schedule-dest SUBJECT: another subject of the same stream.",
            )
        check_subject(dest)
        if dest == subject:
            raise CommandError(
                f"The schedule is kept on {one_line(subject, 60)}, so it cannot publish there too.",
                "Take another subject of the stream for --schedule-dest.",
            )
        if source:
            check_subject(source)
        rule, when = _rule(said[0], str(flags[said[0]]))
        return cls(rule, when, dest, source, _ttl(ttl) if ttl else "")


def _rule(name: str, text: str) -> tuple[str, str]:
    flag = "--" + name.replace("_", "-")
    if name == "schedule_cron":
        fields = text.split()
        if not text.startswith("@") and len(fields) != 6:
            raise CommandError(
                f"{flag}: {one_line(text, 60)!r} has {len(fields)} fields; six are needed, seconds first.",
                "At half past nine: '0 30 9 * * *'",
            )
        return text.strip(), f"by {' '.join(fields)}"
    if name == "schedule_at":
        at = _time(text)
        if at is None:
            raise CommandError(
                f"{flag}: {one_line(text, 60)!r} is no time.", "Write it as 2026-12-31T23:59:59Z"
            )
        return f"@at {_written(at)}", f"at {text.strip()}"
    length = seconds(text)
    if length is None:
        raise CommandError(f"{flag}: {one_line(text, 60)!r} is not a duration.", "Write 30s, 5m or 1h30m.")
    if name == "schedule_every":
        if length < 1:
            raise CommandError(f"{flag}: the shortest is 1s.", "Write for example: --schedule-every 1s")
        return f"@every {_go(length)}", f"every {text.strip()}"
    return f"@at {_written(datetime.datetime.now(datetime.UTC) + datetime.timedelta(seconds=length))}", (
        f"after {text.strip()}"
    )


def _ttl(text: str) -> str:
    length = seconds(text)
    if text.strip() == "never":
        return "never"
    if length is None or length < 1:
        raise CommandError(
            f"--schedule-ttl: {one_line(text, 60)!r} is no lifetime.", "Write 1s or longer, or never."
        )
    return _go(length)


def _time(text: str) -> datetime.datetime | None:
    try:
        at = datetime.datetime.fromisoformat(text.strip())
    except ValueError:
        return None
    return at.astimezone(datetime.UTC)


def _written(at: datetime.datetime) -> str:
    return at.isoformat().replace("+00:00", "Z")


def _go(length: float) -> str:
    """A duration as the server reads it; it knows no days."""
    return f"{round(length * 1000)}ms" if length != int(length) else f"{int(length)}s"
