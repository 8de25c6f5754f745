"""Every way natslab says no.

    NatslabError
    |- CommandError      the line cannot be understood or makes no sense
    |- LabError          there is no lab, or it cannot do this now
    |  |- ServerError    one server refused, failed to start or is down
    |  `- NobodyLeads    a RAFT group has no leader who could be meant
    |- ClientError       the broker or the connection said no
    |  `- Unanswered
    |     |- NoResponders   nobody subscribes to the subject of a request
    |     `- Timeout        nobody answered in time
    `- HandlerError      the learner's own reply handler raised

    Cancelled            an interrupt (also a KeyboardInterrupt)

Each is one sentence that says what was wrong with this input and one that says what to do.
In a notebook they print as these two lines, never as a traceback, and still fail the cell.
"""

from __future__ import annotations

from collections.abc import Iterable


class NatslabError(Exception):
    """Something natslab refuses or cannot do.

    Parameters
    ----------
    what: one sentence about this input.
    hint: one sentence that says what to do next; may be empty.
    """

    def __init__(self, what: str, hint: str = "") -> None:
        super().__init__(what, hint)
        self.what = what
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.what}\n{self.hint}" if self.hint else self.what

    def _render_traceback_(self) -> list[str]:
        """IPython shows these lines in place of a traceback."""
        return render(self)


class CommandError(NatslabError):
    """The line cannot be understood, or asks for something that makes no sense.

    `word` is the word of the line that it is about, where there is one.
    """

    def __init__(self, what: str, hint: str = "", word: str = "") -> None:
        super().__init__(what, hint)
        self.word = word


class LabError(NatslabError):
    """There is no lab, or it cannot do this in its present state."""


class ServerError(LabError):
    """One nats-server refused, failed to start, or is down."""


class NobodyLeads(LabError):
    """A RAFT group has no leader now.

    `group`: "JetStream" or "Stream ORDERS"; `members`: the servers that are in it, as far as is known.
    """

    def __init__(self, what: str, hint: str = "", group: str = "", members: Iterable[str] = ()) -> None:
        super().__init__(what, hint)
        self.group = group
        self.members = tuple(members)


class ClientError(NatslabError):
    """The broker or the connection to it said no."""


class Unanswered(ClientError):
    """A request has no answer.

    `subject`: of a request to JetStream, without the API prefix, or of a publish to a stream; else "".
    """

    def __init__(self, what: str, hint: str = "", subject: str = "") -> None:
        super().__init__(what, hint)
        self.subject = subject


class NoResponders(Unanswered):
    """Nobody subscribes to the subject of a request; the server says so at once (status 503)."""


class Timeout(Unanswered):
    """Nobody answered in time; the work may still be done."""


class HandlerError(NatslabError):
    """The learner's own handler raised."""


class Cancelled(KeyboardInterrupt):
    """The person interrupted a command; the lab is as it was."""

    def __init__(self, what: str = "Interrupted: the command was cancelled.") -> None:
        super().__init__(what)
        self.what = what
        self.hint = "The lab is as it was; what was already sent is sent."

    def __str__(self) -> str:
        return f"{self.what}\n{self.hint}"

    def _render_traceback_(self) -> list[str]:
        return render(self)


def joined(names: Iterable[str]) -> str:
    """Names in a sentence: "n1", "n1 and n2", "n1, n2 and n3"."""
    *most, last = list(names) or [""]
    return f"{', '.join(most)} and {last}" if most else last


def there(names: Iterable[str], most: int = 8) -> str:
    """For a hint: "There is n1." or "There are n1, n2 and n3."; of more than `most` names only these."""
    said = list(names)
    if not said:
        return "There is none."
    if len(said) > most:
        return f"There are {', '.join(said[:most])} and {len(said) - most} more."
    if len(said) == 1:
        return f"There is {said[0]}."
    return f"There are {joined(said)}."


def render(error: NatslabError | Cancelled) -> list[str]:
    """The lines that a notebook or terminal shows: the sentence, and the hint below it."""
    return [error.what, error.hint] if error.hint else [error.what]
