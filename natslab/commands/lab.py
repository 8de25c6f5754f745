"""`%natslab`: the lab itself, faults, views, the tape, live verbs."""

from __future__ import annotations

import asyncio
import re
import time
from pathlib import Path
from typing import Any

import click

from natslab import lab as labs
from natslab.commands import doctor as checks
from natslab.commands.connect import Line
from natslab.commands.flags import COUNT, DURATION, FILE, NUMBER, flag, switch
from natslab.commands.handle import jobs as running
from natslab.commands.hold import term_message
from natslab.commands.results import Rows, Text, one_line
from natslab.commands.tree import NATSLAB
from natslab.errors import CommandError, LabError, joined, there
from natslab.lab import Lab, LabServer
from natslab.loop import loop
from natslab.views import view as views
from natslab.views.show import Picture, View

_SIZE = re.compile(r"(\d+)\s*(?:(k|m|g)(?:i?b)?|b)?", re.IGNORECASE)
_BAD_LAB = "There is no lab in this kernel."


class Size(click.ParamType[int]):
    """Bytes, as 65536, 64k or 1M."""

    name = "size"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """The number of bytes."""
        found = _SIZE.fullmatch(str(value).strip()[:24])
        if found is None:
            self.fail(f"{value!r} is no size; write 65536, 64k or 1M.", param, ctx)
        unit = 1024 ** ("kmg".index(found[2].lower()) + 1) if found[2] else 1
        return int(found[1]) * int(unit)


SIDES = ["right", "left", "bottom", "top", "tab"]


@NATSLAB.verb("up", example="%natslab up", mark="")
@click.argument("name", required=False)
@flag("--servers", type=COUNT, default=1, show_default=True, help="so many servers")
@flag("--port", type=NUMBER, help="port of the first server; the system picks one otherwise")
@flag("--store", type=FILE, help="a folder that keeps streams after the lab")
@flag("--max-payload", type=Size(), help="the largest message, e.g. 64k")
@switch(
    "--watch",
    default=True,
    help="record what happens (the default); --no-watch: no pictures, nothing added to messages",
)
@switch(
    "--wires",
    default=True,
    help="join servers by wires that can be cut (the default); --no-wires: directly",
)
@switch("--http", help="open the unauthenticated monitoring port too")
@switch("--js", default=True, hidden=True, help="accepted; JetStream is always on")
def up(
    line: Line,
    name: str | None,
    servers: int,
    port: int | None,
    store: Path | None,
    max_payload: int | None,
    watch: bool,
    wires: bool,
    http: bool,
    js: bool,
) -> Text:
    """Start real nats-servers for this notebook."""
    if port is not None and not 1 <= port <= 65535:
        raise CommandError(f"{port} is not a port.", "Choose one from 1024 to 65535, or leave out --port.")
    if name is not None and (not name.isprintable() or len(name) > 60):
        raise CommandError("That name cannot be used for a lab.", "Use a short word: %natslab up demo")
    options: dict[str, Any] = {}
    if max_payload is not None:
        if not 1 <= max_payload <= 64 * 1024 * 1024:
            raise CommandError("--max-payload must be between 1 byte and 64 MiB.", "The usual limit is 1M.")
        options["max_payload"] = max_payload
    if http:
        options["http"] = True
    before = _present()
    lab = Lab.up(
        servers,
        name=name or (before.name if before else "lab"),
        store=store,
        port=port,
        watch=watch,
        wires=wires,
        **options,
    )
    if lab is not before:
        lab.mark("run", line.text)
    names = joined(lab.servers)
    again = "already " if lab is before else ""
    return Text(f"The lab is {again}up: {names}.", **_facts(lab))


def _present() -> Lab | None:
    try:
        return labs.current()
    except LabError:
        return None


def _facts(lab: Lab) -> dict[str, Any]:
    return {
        "name": lab.name,
        "servers": [
            {"name": s.name, "state": s.state, "version": s.version, "port": s.port, "pid": s.pid}
            for s in lab.fleet.servers.values()
        ],
        "clients": sorted(lab.hub.clients),
        "jobs": {str(k): getattr(h, "line", "") for k, h in lab.jobs.items()},
    }


@NATSLAB.verb("down", example="%natslab down", mark="")
def down(line: Line) -> Text:
    """Stop the servers and remove what they kept; views of the lab stay readable."""
    lab = _present()
    if lab is None:
        return Text("There is no lab to stop.")
    lab.down()
    return Text("The lab is down.")


@NATSLAB.verb("status", example="%natslab status", mark="")
def status(line: Line) -> Rows:
    """Show the servers and their states, the clients and the live verbs."""
    lab = labs.current()
    facts = _facts(lab)
    rows = [[s["name"], s["state"]] for s in facts["servers"]]
    rows += [[name, "client"] for name in facts["clients"]]
    rows += [[f"job {number}", one_line(text, 80)] for number, text in facts["jobs"].items()]
    return Rows("", ["Name", "State"], rows, facts)


def _server(name: str | None) -> LabServer:
    lab = labs.current()
    if name is None:
        if len(lab.servers) > 1:
            raise CommandError("Which server?", there(lab.servers))
        name = next(iter(lab.servers))
    return lab.server(name)


_SERVER = click.argument("server", required=False)


@NATSLAB.verb("kill", example="%natslab kill n1", mark="fault")
@_SERVER
def kill(line: Line, server: str | None) -> Text:
    """End a server like a crash (SIGKILL), or a client by cutting its connection."""
    lab = labs.current()
    if server is not None and server not in lab.servers:
        lab.kill_client(server)
        for handle in list(lab.jobs.values()):
            if handle.name == server:
                handle.stop()
        return Text(f"{server} is dead: its connection was cut without a word.", client=server, state="down")
    one = _server(server)
    one.kill()
    return Text(
        f"{one.name} is dead. Start it again: %natslab restart {one.name}", server=one.name, state=one.state
    )


@NATSLAB.verb("term", example="%natslab term n1", mark="fault")
@_SERVER
@click.argument("consumer", required=False)
@click.argument("seq", required=False, type=COUNT)
@flag("--reason", help="with a message: why, for the server's advisory")
def term(line: Line, server: str | None, consumer: str | None, seq: int | None, reason: str | None) -> Text:
    """Ask a server to end (SIGTERM); with STREAM CONSUMER SEQ: give up on a held message."""
    if server is not None and consumer is not None:
        if seq is None:
            raise CommandError("term needs the sequence too.", f"%natslab term {server} {consumer} SEQ")
        return labs.current().do(term_message(line, server, consumer, seq, reason))
    if reason:
        raise CommandError(
            "--reason belongs to a message.", "%natslab term STREAM CONSUMER SEQ --reason TEXT"
        )
    one = _server(server)
    one.stop()
    return Text(
        f"{one.name} has ended. Start it again: %natslab restart {one.name}", server=one.name, state=one.state
    )


@NATSLAB.verb("freeze", "pause", example="%natslab freeze n1 --for 5s", mark="fault")
@_SERVER
@flag("--for", "for_", type=DURATION, help="let it go on after so long")
def freeze(line: Line, server: str | None, for_: float | None) -> Text:
    """Stop a server's clock (SIGSTOP): its connections stay open and nothing answers."""
    one = _server(server)
    one.freeze()
    if for_ is None:
        return Text(
            f"{one.name} is frozen. Let it go on: %natslab thaw {one.name}", server=one.name, state=one.state
        )
    inner = labs.current().fleet.servers[one.name]

    async def later() -> None:
        await asyncio.sleep(for_)
        if inner.state == "frozen":
            await inner.thaw()

    loop().post(lambda: loop().spawn(later()))
    return Text(f"{one.name} is frozen for {for_:g} s.", server=one.name, state=one.state)


@NATSLAB.verb("thaw", "resume", example="%natslab thaw n1", mark="fault")
@_SERVER
def thaw(line: Line, server: str | None) -> Text:
    """Let a frozen server go on (SIGCONT)."""
    one = _server(server)
    one.thaw()
    return Text(f"{one.name} goes on.", server=one.name, state=one.state)


@NATSLAB.verb("restart", "start", example="%natslab restart n1", mark="fault")
@_SERVER
def restart(line: Line, server: str | None) -> Text:
    """Start a server again, on the same port and store; one that runs is stopped first."""
    one = _server(server)
    one.restart()
    return Text(f"{one.name} is up again.", server=one.name, state=one.state)


@NATSLAB.verb("ldm", "lame-duck", example="%natslab ldm n1", mark="fault")
@_SERVER
def ldm(line: Line, server: str | None) -> Text:
    """Let a server send its clients away one by one and then end (lame duck mode)."""
    one = _server(server)
    one.lame_duck()
    return Text(f"{one.name} sends its clients away and then ends.", server=one.name, state=one.state)


@NATSLAB.verb("reload", example="%natslab reload n1", mark="fault", body=True)
@_SERVER
def reload(line: Line, server: str | None) -> Text:
    """Let a server read its configuration again; %%natslab reload n1 gives it a new one in the cell body."""
    one = _server(server)
    one.reload(line.body)
    return Text(f"{one.name} took the configuration.", server=one.name)


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
    one = _server(server)
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
    one = _server(server)
    text = one.conf()
    return Text(text.rstrip("\n"), server=one.name, conf=text)


@NATSLAB.verb("view", example="%natslab view routing", mark="", says=there(views.names()))
@click.argument("name", required=False)
@click.argument("of", nargs=-1)
@flag("--dock", type=click.Choice(SIDES), help="beside the notebook, in JupyterLab")
def view(line: Line, name: str | None, of: tuple[str, ...], dock: str | None) -> View | Text:
    """Show a live view; further words narrow it."""
    found = _view(name, of)
    if dock is not None and labs.dock(found, dock):
        return Text(f"{found!r}, beside the notebook", view=found.name, dock=dock)
    return found


@NATSLAB.verb("picture", example="%natslab picture routing", mark="")
@click.argument("name", required=False)
@click.argument("of", nargs=-1)
def picture(line: Line, name: str | None, of: tuple[str, ...]) -> Picture:
    """Show a still of a view, which stays in the notebook."""
    return _view(name, of).picture()


def _view(name: str | None, of: tuple[str, ...]) -> View:
    if name is None:
        raise CommandError("Which view?", f"{there(views.names())} For example: %natslab view routing")
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
