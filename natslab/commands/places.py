"""Which server a word means: its name, or what it does: leader(ORDERS), follower(ORDERS), meta.

A server that was called by what it does is named first: "n2, the leader of ORDERS, is dead." It is another
one on another day; the lessons' `sanitize.cfg` passes over such lines.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from natslab import lab as labs
from natslab.commands.majority import without
from natslab.errors import CommandError, NobodyLeads, joined, there
from natslab.lab import Lab, LabServer
from natslab.servers.topology import MOST

#: What the help says about a server.
SAYS = "a server's name, leader(STREAM), leader(STREAM,CONSUMER), follower(STREAM), or meta"

_WHO = re.compile(r"(leader|follower)\(\s*([^\s,()]+)\s*(?:,\s*([^\s,()]+)\s*)?\)", re.IGNORECASE)


@dataclass(frozen=True)
class Place:
    """A server, and how it was called."""

    server: LabServer
    said: str

    @property
    def name(self) -> str:
        """Its name."""
        return self.server.name

    @property
    def begins(self) -> str:
        """Its name, and how it was called, at the beginning of a sentence."""
        return self.name if self.said == self.name else f"{self.name}, {self.said},"


@dataclass(frozen=True)
class Side:
    """Where wires end: a server, or all servers of a cluster; and how it was called."""

    name: str  # of the server or cluster
    said: str
    names: tuple[str, ...]

    @property
    def begins(self) -> str:
        """Its name, and how it was called, before a verb."""
        return self.name if self.said == self.name else f"{self.name}, {self.said},"


def side(word: str, lab: Lab) -> Side:
    """The server or cluster that a word means, a server first. Raises as `place`."""
    clusters = lab.fleet.topology.clusters
    if word in clusters and word not in lab.fleet.servers:
        return Side(word, word, clusters[word])
    if len(clusters) > 1 and word not in lab.fleet.servers and not is_role(word):
        raise CommandError(
            f"There is neither a server nor a cluster called {word!r} in this lab.",
            there([*clusters, *lab.fleet.servers], MOST + len(clusters)),
        )
    one = place(word, lab)
    return Side(one.name, one.said, (one.name,))


def is_role(word: str) -> bool:
    """Whether the word says what a server does, and not how it is called."""
    return word.lower() == "meta" or "(" in word


def place(word: str, lab: Lab | None = None) -> Place:
    """The server that a word means. Raises CommandError, NobodyLeads when nobody leads that now."""
    lab = lab or labs.current()
    try:
        return _place(word, lab)
    except NobodyLeads as e:
        raise without(lab.fleet, e) from None


def _place(word: str, lab: Lab) -> Place:
    if word in lab.fleet.servers or not is_role(word):
        return Place(lab.server(word), word)
    if word.lower() == "meta":
        return Place(lab.server(lab.leader()), "the meta leader")
    found = _WHO.fullmatch(word.strip())
    if found is None:
        raise CommandError(f"{word!r} says no server.", f"Write {SAYS}.")
    role, stream, consumer = found[1].lower(), found[2], found[3]
    of = f"{stream} > {consumer}" if consumer else stream
    if role == "leader":
        return Place(lab.server(lab.leader(stream, consumer)), f"the leader of {of}")
    followers = lab.followers(stream, consumer)
    if not followers:
        raise CommandError(
            f"{of} has no followers: only {lab.leader(stream, consumer)} has it.",
            f"Give it more replicas: %js stream edit {stream} --replicas 3",
        )
    awake = [name for name in followers if lab.fleet.servers[name].state in ("up", "lame duck")]
    return Place(lab.server((awake or followers)[0]), f"a follower of {of}")


def only(word: str | None, doing: tuple[str, ...] = ()) -> Place:
    """The server that a word means; without a word the only one, or the only one in a state of `doing`."""
    lab = labs.current()
    if word is not None:
        return place(word, lab)
    servers = list(lab.fleet.servers.values())
    fitting = [server.name for server in servers if server.state in doing] if doing else []
    if len(servers) == 1:
        return Place(lab.server(servers[0].name), servers[0].name)
    if len(fitting) == 1:
        state = lab.fleet.servers[fitting[0]].state
        return Place(lab.server(fitting[0]), f"which was {state}")
    if len(fitting) > 1:
        raise CommandError(f"Which server? {joined(fitting)} are {servers_state(lab, fitting)}.", "Name one.")
    raise CommandError("Which server?", there(lab.fleet.servers))


def servers_state(lab: Lab, names: list[str]) -> str:
    """The state of servers, in a sentence."""
    return joined(sorted({lab.fleet.servers[name].state for name in names}))
