"""Why too few servers are there to decide anything, and what to do: in a sentence."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from natslab.errors import NobodyLeads, joined
from natslab.servers.fleet import Fleet
from natslab.servers.reach import ASLEEP, middle, reached, states, wires

#: Of a leafnode and its hub: each has a system account of its own.
APART = "a system of its own"


def away_from(fleet: Fleet, here: str) -> dict[str, str]:
    """The servers of a lab that `here` cannot reach, each with the reason."""
    found = states(fleet)
    with_me = reached(here, found, wires(fleet))
    away = APART if fleet.topology.hubs else f"cut off from {here}"
    return {name: state if state in ASLEEP else away for name, state in found.items() if name not in with_me}


def without(fleet: Fleet, error: NobodyLeads) -> NobodyLeads:
    """The error in other words, when nobody leads because too few servers are there; else the error."""
    here = middle(fleet)
    away = away_from(fleet, here)
    clustered = [one for members in fleet.topology.clusters.values() for one in members]
    found = sentence("JetStream", clustered, away, here)
    found = found or sentence(error.group, error.members, away, here)
    if found is None:
        return error
    why, hint = found
    return NobodyLeads(f"{error.what[:-1]}: {why}", hint, error.group, error.members)


def sentence(what: str, members: Sequence[str], away: Mapping[str, str], here: str) -> tuple[str, str] | None:
    """Why so few of these servers can decide nothing, and what to do; None while they can.

    `members` in the lab's order; `away` says why a server is not there for `here`.
    """
    gone = [name for name in members if name in away]
    need = len(members) // 2 + 1
    left = len(members) - len(gone)
    if not gone or left >= need:
        return None
    why = reasons(gone, away)
    hint = "; ".join(remedies(gone, away))
    if len(members) == 1:
        return f"{what} is only on {members[0]}: {why}.", hint
    remain = f"only {left} {'is' if left == 1 else 'are'} there" if left else "none is there"
    if left == 1 and here in members and here not in gone:
        remain = f"{here} is alone"
    return f"{what} decides nothing without {need} of its {len(members)} servers, and {remain}: {why}.", hint


def other_side(fleet: Fleet, members: Sequence[str], here: str) -> str:
    """What a hint adds when `here` is cut off from a majority of the members: how to ask that."""
    known, between = states(fleet), wires(fleet)
    for name in known:
        if name != here and len(reached(name, known, between) & set(members)) > len(members) // 2:
            return f"; or ask the others, who decide: --on {name}"
    return ""


def reasons(gone: Iterable[str], away: Mapping[str, str]) -> str:
    """Why each is not there: "n1 is down, and n2 and n3 are cut off from n4"."""
    by: dict[str, list[str]] = {}
    for name in gone:
        by.setdefault(away[name], []).append(name)
    parts = [f"{joined(names)} {'is' if len(names) == 1 else 'are'} {why}" for why, names in by.items()]
    several = len(parts) > 1 and any(len(names) > 1 for names in by.values())
    return ", and ".join(parts) if several else joined(parts)


def remedies(gone: Iterable[str], away: Mapping[str, str]) -> list[str]:
    """The lines that bring them back."""
    lines = []
    for name in gone:
        act = {"down": f"%natslab restart {name}", "frozen": f"%natslab thaw {name}"}.get(away[name])
        act = act or ("%natslab heal" if away[name].startswith("cut off") else "%natslab status")
        if act not in lines:
            lines.append(act)
    return lines
