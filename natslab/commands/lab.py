"""`%natslab log conf view picture jobs stop doctor`: looking at the lab, and its live verbs."""

from __future__ import annotations

import time

import click

from natslab import front
from natslab import lab as labs
from natslab.commands import doctor as checks
from natslab.commands.connect import Line
from natslab.commands.flags import COUNT, DURATION, NUMBER, flag, switch
from natslab.commands.handle import jobs as running
from natslab.commands.places import only
from natslab.commands.results import Rows, Text, one_line
from natslab.commands.tree import NATSLAB
from natslab.errors import CommandError, there
from natslab.views import view as views
from natslab.views.show import Picture, View

SIDES = ["right", "left", "bottom", "top", "tab"]


_SERVER = click.argument("server", required=False)


@NATSLAB.verb("log", example="%natslab log n1 --since 5s --level warn", mark="")
@_SERVER
@flag("--since", type=DURATION, help="only the last so many seconds")
@flag("--level", help="only lines of this level or worse: debug info warn error fatal")
@flag("--grep", help="only lines with this text in them")
@flag("--tail", type=COUNT, help="only the last so many lines")
@switch("--time", help="show the times too")
def log(
    line: Line,
    server: str | None,
    since: float | None,
    level: str | None,
    grep: str | None,
    tail: int | None,
    time: bool,
) -> Rows:
    """Show a server's log."""
    one = only(server).server
    lines = one.log(since=since, level=level, grep=grep)
    lines = lines[-tail:] if tail else lines
    rows = [[*([_clock(entry.time)] if time else []), entry.level, entry.text] for entry in lines]
    facts = [{"time": entry.time, "level": entry.level, "text": entry.text} for entry in lines]
    return Rows(
        "" if rows else f"{one.name} logged nothing of that kind.",
        [*(["Time"] if time else []), "Level", "Line"],
        rows,
        facts,
    )


def _clock(at: float) -> str:
    return time.strftime("%H:%M:%S", time.localtime(at)) + f"{at % 1:.6f}"[1:]


@NATSLAB.verb("conf", "config", example="%natslab conf n1", mark="")
@_SERVER
def conf(line: Line, server: str | None) -> Text:
    """Show a server's configuration as it runs, passwords masked."""
    one = only(server).server
    text = one.conf()
    return Text(text.rstrip("\n"), server=one.name, conf=text)


@NATSLAB.verb("view", example="%natslab view routing", mark="", says=there(views.names(), 99))
@click.argument("name", required=False)
@click.argument("of", nargs=-1)
@flag("--dock", type=click.Choice(SIDES), help="beside the notebook, in JupyterLab")
def view(line: Line, name: str | None, of: tuple[str, ...], dock: str | None) -> View | Text:
    """Show a live view; further words narrow it."""
    found = _view(name, of)
    if dock is not None:
        if front.dock(found, dock):
            return Text(f"{found!r}, beside the notebook", view=found.name, dock=dock)
        print("Nothing here shows views beside the notebook, as JupyterLab with natslab does: here it is.")
    return found


@NATSLAB.verb("picture", example="%natslab picture routing", mark="")
@click.argument("name", required=False)
@click.argument("of", nargs=-1)
@switch("--film", help="what happened last, as a few moments side by side")
def picture(line: Line, name: str | None, of: tuple[str, ...], film: bool) -> Picture:
    """Show a still of a view, which stays in the notebook."""
    found = _view(name, of)
    return found.film() if film else found.picture()


def _view(name: str | None, of: tuple[str, ...]) -> View:
    if name is None:
        raise CommandError("Which view?", f"{there(views.names(), 99)} For example: %natslab view routing")
    views.load(name)
    return labs.current().view(name, *of)


@NATSLAB.verb("jobs", example="%natslab jobs", mark="")
def jobs(line: Line) -> Rows:
    """List the live verbs that run: subscriptions, responders, listeners."""
    found = dict(running())
    rows = [[str(number), h.kind, h.name, one_line(h.what, 80), str(h.count)] for number, h in found.items()]
    facts = [
        {"id": n, "verb": h.kind, "name": h.name, "line": h.line, "count": h.count} for n, h in found.items()
    ]
    return Rows(
        "" if rows else "Nothing runs in the background.",
        ["Id", "Verb", "Client", "What", "Messages"],
        rows,
        facts,
    )


@NATSLAB.verb("stop", example="%natslab stop 2")
@click.argument("ids", type=NUMBER, nargs=-1)
def stop(line: Line, ids: tuple[int, ...]) -> Text:
    """End live verbs by their number in %natslab jobs, or all of them."""
    found = dict(running())
    for number in ids:
        if number not in found:
            there = ", ".join(map(str, found)) or "none"
            raise CommandError(f"There is no job {number}.", f"Running: {there}. See %natslab jobs")
    for number in ids or tuple(found):
        found[number].stop()
    count = len(ids or found)
    return Text(
        f"Stopped {count} job{'s' if count != 1 else ''}." if count else "Nothing runs in the background."
    )


@NATSLAB.verb("doctor", example="%natslab doctor", mark="")
def doctor(line: Line) -> Rows:
    """Check what natslab needs: the server's program, ports, JupyterLab, the extension."""
    found = checks.examine()
    rows = [[c.name, c.verdict, c.detail] for c in found]
    facts = [{"name": c.name, "ok": c.ok, "essential": c.essential, "detail": c.detail} for c in found]
    return Rows("", ["What", "Verdict", "Detail"], rows, facts)
