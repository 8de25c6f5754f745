"""`nats errors` and `%natslab explain`: what an error code of JetStream means."""

from __future__ import annotations

import difflib
import re

import click

from natslab.commands.connect import Line
from natslab.commands.flags import switch
from natslab.commands.jsresults import Info, Listing, Pairs
from natslab.commands.tree import NATS, NATSLAB
from natslab.errors import CommandError
from natslab.servers.jserrors import MEANINGS, meaning

ERRORS = NATS.group("errors", "err", "error", says="What JetStream's error codes mean.")


class Meaning(Info):
    """One code: `.code`, `.means`, `.do`."""

    @property
    def title(self) -> str:
        """The code."""
        return f"NATS Error Code {self.facts['code']}"

    def sections(self) -> dict[str, Pairs]:
        """What it means, and what to do."""
        return {"": [("Means", self.facts["means"]), ("What to do", self.facts["do"])]}


@ERRORS.verb("ls", "list", example="%nats errors ls consumer", mark="")
@click.argument("match", required=False)
@click.argument("sort", required=False, default="code", type=click.Choice(["code", "means"]))
@switch("--reverse", "-R", help="the other way round")
def ls(line: Line, match: str | None, sort: str, reverse: bool) -> Listing:
    """List the error codes that are explained here, or those that match a text or pattern."""
    try:
        wanted = re.compile(match or "", re.IGNORECASE)
    except re.error as e:
        raise CommandError(f"{match!r} is no pattern: {e}.", "Use a word: %nats errors ls consumer") from None
    found = [(code, *(meaning(code) or ("", ""))) for code in sorted(MEANINGS)]
    found = [row for row in found if wanted.search(" ".join(map(str, row)))]
    found.sort(key=lambda row: row[sort == "means"], reverse=reverse)
    return Listing(
        "",
        ["NATS Code", "Means"],
        [[str(code), means] for code, means, _ in found],
        [{"code": code, "means": means, "do": do} for code, means, do in found],
        empty=f"No code matches {match}" if match else "",
    )


@ERRORS.verb("lookup", "find", "get", "l", "view", "show", example="%nats errors lookup 10071", mark="")
@click.argument("code")
def lookup(line: Line, code: str) -> Meaning:
    """Say what an error code means, and what to do."""
    return _lookup(code)


@NATSLAB.verb("explain", example="%natslab explain 10065", mark="")
@click.argument("code")
def explain(line: Line, code: str) -> Meaning:
    """Say what an error code of JetStream means, and what to do."""
    return _lookup(code)


def _lookup(code: str) -> Meaning:
    found = meaning(int(code)) if re.fullmatch(r"\d{1,6}", code, re.ASCII) else None
    if found is None:
        near = difflib.get_close_matches(code, map(str, MEANINGS), 3, 0.7)
        hint = f"Near it: {', '.join(near)}" if near else "All: %nats errors ls"
        raise CommandError(f"There is no explanation of the error code {code[:20]!r}.", hint)
    return Meaning({"code": int(code), "means": found[0], "do": found[1]})
