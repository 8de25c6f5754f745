"""`%natslab up super leaf add remove down status`: which servers the lab of this notebook has."""

from __future__ import annotations

import re
from typing import Any

import click

from natslab import lab as labs
from natslab.commands.connect import Line
from natslab.commands.flags import COUNT, FILE, NUMBER, flag, switch, together
from natslab.commands.places import place
from natslab.commands.results import Rows, Text, one_line
from natslab.commands.tree import NATSLAB
from natslab.errors import CommandError, LabError, joined
from natslab.lab import Lab

_SIZE = re.compile(r"(\d+)\s*(?:(k|m|g)(?:i?b)?|b)?", re.IGNORECASE)


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


#: What every lab may have, whatever its shape.
_ANY_SHAPE = together(
    flag("--port", type=NUMBER, help="port of the first server; the system picks one otherwise"),
    flag("--store", type=FILE, help="a folder that keeps streams after the lab"),
    flag("--max-payload", type=Size(), help="the largest message, e.g. 64k"),
    switch(
        "--watch",
        default=True,
        help="record what happens (the default); --no-watch: no pictures, nothing added to messages",
    ),
    switch(
        "--wires",
        default=True,
        help="join servers by wires that can be cut (the default); --no-wires: directly",
    ),
    switch("--http", help="open the unauthenticated monitoring port too"),
)
_NAME = flag("--name", help="what the pictures call the lab")


@NATSLAB.verb("up", example="%natslab up", mark="")
@click.argument("name", required=False)
@flag("--servers", type=COUNT, default=1, show_default=True, help="so many servers, as one cluster")
@_ANY_SHAPE
@switch("--cluster", help="one server too is a cluster, so that %natslab add can add others")
@switch("--js", default=True, hidden=True, help="accepted; JetStream is always on")
def up(line: Line, name: str | None, servers: int, cluster: bool, js: bool, **said: Any) -> Text:
    """Start real nats-servers for this notebook."""
    options = _checked(**said)
    before = _present()
    lab = Lab.up(servers, name=_called(name, before), clustered=cluster, **options)
    return _is_up(line, lab, before)


@NATSLAB.verb("super", example="%natslab super EAST=3 WEST=3", mark="")
@click.argument("clusters", nargs=-1)
@_NAME
@_ANY_SHAPE
def supercluster(line: Line, clusters: tuple[str, ...], name: str | None, **said: Any) -> Text:
    """Start clusters that are joined by gateways: each word says a cluster's name and its servers."""
    options = _checked(**said)
    sizes: dict[str, int] = {}
    for word in clusters:
        cluster, sign, number = word.partition("=")
        if not sign or not number.isascii() or not number.isdecimal() or len(number) > 3:
            raise CommandError(
                f"{word!r} does not say how many servers.", "Write NAME=SERVERS: %natslab super EAST=3 WEST=3"
            )
        if cluster in sizes:
            raise CommandError(f"The cluster {cluster} is there twice.", "Give each its own name.")
        sizes[cluster] = int(number)
    before = _present()
    lab = Lab.supercluster(sizes, name=_called(name, before), **options)
    return _is_up(line, lab, before)


@NATSLAB.verb("leaf", example="%natslab leaf hub edge1", mark="")
@click.argument("hub", required=False)
@click.argument("edges", nargs=-1)
@flag("--servers", type=COUNT, default=1, show_default=True, help="so many servers of the hub")
@_NAME
@_ANY_SHAPE
def leaf(
    line: Line, hub: str | None, edges: tuple[str, ...], servers: int, name: str | None, **said: Any
) -> Text:
    """Start a hub and leafnodes that connect to it.

    Each is a JetStream domain of its name: %js --js-domain edge1 stream ls
    """
    if hub is None:
        raise CommandError("leaf needs a hub and an edge.", "For example: %natslab leaf hub edge1")
    options = _checked(**said)
    before = _present()
    lab = Lab.leafnodes(hub, edges, servers=servers, name=_called(name, before), **options)
    return _is_up(line, lab, before)


@NATSLAB.verb("add", example="%natslab add")
@click.argument("name", required=False)
@flag("--cluster", help="into this cluster")
def add(line: Line, name: str | None, cluster: str | None) -> Text:
    """Add a server to the lab while it runs: to its cluster, or another leafnode."""
    lab = labs.current()
    server = lab.add(name, cluster)
    result = Text(f"{server.name} has joined: {joined(lab.servers)}.", server=server.name, **_facts(lab))
    result.notes += _cost(lab)
    return result


@NATSLAB.verb("remove", "rm", example="%natslab remove n3", mark="fault")
@click.argument("server", required=False)
@switch("--force", "-f", help="also when streams are lost with it")
def remove(line: Line, server: str | None, force: bool) -> Text:
    """Take a server out of the lab for good; the others forget it."""
    lab = labs.current()
    if server is None:
        raise CommandError("Which server?", f"For example: %natslab remove {list(lab.servers)[-1]}")
    one = place(server, lab)
    short = lab.remove(one.name, force=force)
    left = f"{joined(lab.servers)} {'is' if len(lab.servers) == 1 else 'are'} left."
    result = Text(
        f"{one.begins} is no longer in the lab. {left}", server=one.name, streams=short, **_facts(lab)
    )
    if short:
        have = "has" if len(short) == 1 else "have"
        result.notes.append(f"{joined(short)} {have} fewer replicas now than asked for.")
    result.notes += _cost(lab)
    return result


def _checked(port: int | None, max_payload: int | None, **said: Any) -> dict[str, Any]:
    """What the flags of every shape ask for, as Lab.up takes it."""
    if port is not None and not 1 <= port <= 65535:
        raise CommandError(f"{port} is not a port.", "Choose one from 1024 to 65535, or leave out --port.")
    if max_payload is not None:
        if not 1 <= max_payload <= 64 * 1024 * 1024:
            raise CommandError("--max-payload must be between 1 byte and 64 MiB.", "The usual limit is 1M.")
        said["max_payload"] = max_payload
    return {"port": port, **said}


def _called(name: str | None, before: Lab | None) -> str:
    if name is not None and (not name.isprintable() or len(name) > 60):
        raise CommandError("That name cannot be used for a lab.", "Use a short word: %natslab up demo")
    return name or (before.name if before else "lab")


def _is_up(line: Line, lab: Lab, before: Lab | None) -> Text:
    if lab is not before:
        lab.mark("run", line.text)
    again = "already " if lab is before else ""
    result = Text(f"The lab is {again}up: {joined(lab.servers)}.", **_facts(lab))
    if lab is not before:
        result.notes += _cost(lab)
        if [len(members) for members in lab.fleet.topology.clusters.values()] == [1]:
            result.notes.append("JetStream of a cluster waits for a second server: %natslab add")
    return result


def _cost(lab: Lab) -> list[str]:
    """What a person should know about the sizes of the lab's clusters."""
    said = []
    for cluster, members in lab.fleet.topology.clusters.items():
        size = len(members)
        of = f" of {cluster}" if len(lab.fleet.topology.clusters) > 1 else ""
        if size % 2 == 0:
            lose = size // 2 - 1
            may = f"no more than {lose} may be lost" if lose else "none may be lost"
            said.append(f"{size} servers{of} need {size // 2 + 1} for a majority: {may}, as with {size - 1}.")
    return said


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
        "wires": [
            {"a": w.a, "b": w.b, "type": w.type, "state": w.state, "connected": w.connected}
            for w in lab.fleet.links.values()
        ],
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
    rows += [
        [f"{wire['a']}-{wire['b']}", f"wire, {wire['state']}"]
        for wire in facts["wires"]
        if wire["state"] != "open"
    ]
    rows += [[name, "client"] for name in facts["clients"]]
    rows += [[f"job {number}", one_line(text, 80)] for number, text in facts["jobs"].items()]
    return Rows("", ["Name", "State"], rows, facts)
