"""`%natslab kill term freeze thaw restart ldm reload`: what can happen to a server."""

from __future__ import annotations

import asyncio

import click

from natslab import lab as labs
from natslab.commands.connect import Line
from natslab.commands.flags import COUNT, DURATION, flag, switch
from natslab.commands.hold import term_message
from natslab.commands.places import Place, is_role, only
from natslab.commands.results import Text
from natslab.commands.tree import NATSLAB
from natslab.errors import CommandError, LabError
from natslab.loop import loop

_SERVER = click.argument("server", required=False)
_FORCE = switch("--force", "-f", help="also the last server that runs")


@NATSLAB.verb("kill", example="%natslab kill n1", mark="fault")
@_SERVER
@_FORCE
def kill(line: Line, server: str | None, force: bool) -> Text:
    """End a server like a crash (SIGKILL), or a client by cutting its connection.

    A server is named, or by what it does: leader(STREAM), leader(STREAM,CONSUMER), follower(STREAM), meta.
    """
    lab = labs.current()
    if server is not None and server not in lab.servers and not is_role(server):
        lab.kill_client(server)
        for handle in list(lab.jobs.values()):
            if handle.name == server:
                handle.stop()
        return Text(f"{server} is dead: its connection was cut without a word.", client=server, state="down")
    one = only(server)
    _spare(one, force)
    one.server.kill()
    return _did(one, f"is dead.{_after(one, 'in 3 to 11 s')} Start it again: %natslab restart")


@NATSLAB.verb("term", example="%natslab term n1", mark="fault")
@_SERVER
@click.argument("consumer", required=False)
@click.argument("seq", required=False, type=COUNT)
@flag("--reason", help="with a message: why, for the server's advisory")
@_FORCE
def term(
    line: Line,
    server: str | None,
    consumer: str | None,
    seq: int | None,
    reason: str | None,
    force: bool,
) -> Text:
    """Ask a server to end (SIGTERM); with STREAM CONSUMER SEQ: give up on a held message."""
    if server is not None and consumer is not None:
        if seq is None:
            raise CommandError("term needs the sequence too.", f"%natslab term {server} {consumer} SEQ")
        return labs.current().do(term_message(line, server, consumer, seq, reason))
    if reason:
        raise CommandError(
            "--reason belongs to a message.", "%natslab term STREAM CONSUMER SEQ --reason TEXT"
        )
    one = only(server)
    _spare(one, force)
    one.server.stop()
    return _did(one, f"has ended.{_after(one, 'at once')} Start it again: %natslab restart")


@NATSLAB.verb("freeze", "pause", example="%natslab freeze n1 --for 5s", mark="fault")
@_SERVER
@flag("--for", "for_", type=DURATION, help="let it go on after so long")
@_FORCE
def freeze(line: Line, server: str | None, for_: float | None, force: bool) -> Text:
    """Stop a server's clock (SIGSTOP): its connections stay open and nothing answers."""
    one = only(server)
    _spare(one, force)
    one.server.freeze()
    after = _after(one, "in 3 to 11 s")
    if for_ is None:
        return _did(one, f"is frozen.{after} Let it go on: %natslab thaw")
    inner = labs.current().fleet.servers[one.name]

    async def later() -> None:
        await asyncio.sleep(for_)
        if inner.state == "frozen":
            await inner.thaw()

    loop().post(lambda: loop().spawn(later()))
    return _did(one, f"is frozen for {for_:g} s.{after}", named=False)


@NATSLAB.verb("thaw", "resume", example="%natslab thaw n1", mark="fault")
@_SERVER
def thaw(line: Line, server: str | None) -> Text:
    """Let a frozen server go on (SIGCONT)."""
    one = only(server, ("frozen",))
    one.server.thaw()
    return _did(one, "goes on.", named=False)


@NATSLAB.verb("restart", "start", example="%natslab restart n1", mark="fault")
@_SERVER
def restart(line: Line, server: str | None) -> Text:
    """Start a server again, on the same port and store; one that runs is stopped first."""
    one = only(server, ("down",))
    one.server.restart()
    late = " It catches up with the others in up to 3 s." if _members(one) else ""
    return _did(one, f"is up again.{late}", named=False)


@NATSLAB.verb("ldm", "lame-duck", example="%natslab ldm n1", mark="fault")
@_SERVER
def ldm(line: Line, server: str | None) -> Text:
    """Let a server send its clients away one by one and then end (lame duck mode)."""
    one = only(server)
    one.server.lame_duck()
    return _did(one, "sends its clients away and then ends.", named=False)


@NATSLAB.verb("reload", example="%natslab reload n1", mark="fault", body=True)
@_SERVER
def reload(line: Line, server: str | None) -> Text:
    """Let a server read its configuration again; %%natslab reload n1 gives it a new one in the cell body."""
    one = only(server)
    one.server.reload(line.body)
    return Text(f"{one.begins} took the configuration.", server=one.name)


def _did(one: Place, what: str, *, named: bool = True) -> Text:
    """What was done; `named`: the line at the end goes on with the server's name."""
    name = f" {one.name}" if named else ""
    return Text(f"{one.begins} {what}{name}", server=one.name, state=one.server.state)


def _members(one: Place) -> tuple[str, ...]:
    """The servers of its cluster; none when it is alone."""
    topology = labs.current().fleet.topology
    members = topology.clusters.get(topology.cluster_of(one.name), ())
    return members if len(members) > 1 else ()


def _running(names: tuple[str, ...]) -> list[str]:
    servers = labs.current().fleet.servers
    return [name for name in names if servers[name].state in ("up", "lame duck")]


def _after(one: Place, when: str) -> str:
    """What follows for the cluster, beginning with a blank."""
    members = _members(one)
    if not members:
        return ""
    left = len(_running(members))
    if left > len(members) // 2:
        return f" What it led gets another leader {when}."
    are = "is" if left == 1 else "are"
    return f" {left} of {len(members)} {are} left, no majority: JetStream takes nothing there."


def _spare(one: Place, force: bool) -> None:
    """Refuse to end the last server that runs, of several."""
    lab = labs.current()
    names = tuple(lab.fleet.servers)
    if len(names) > 1 and _running(names) == [one.name] and not force:
        raise LabError(
            f"{one.name} is the last server that runs: nothing would answer any more.",
            "Start another first: %natslab restart NAME; or say --force.",
        )
