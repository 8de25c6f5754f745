"""Spreading the leaders of streams or consumers over their servers."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from natslab.commands.leading import LATE, Lead, Look, until
from natslab.commands.results import Text
from natslab.errors import CommandError, Timeout


@dataclass(frozen=True)
class Move:
    """That one is to be led by another server."""

    name: str
    source: str
    target: str


def spread(leads: Mapping[str, Lead]) -> list[Move]:
    """The fewest moves after which no server leads two more than another that could lead one of them.

    Equal facts give equal moves: names decide.
    """
    counts = dict.fromkeys(sorted({p for lead in leads.values() for p in lead.peers}), 0)
    where = {name: lead.leader for name, lead in sorted(leads.items()) if lead.leader}
    for leader in where.values():
        counts[leader] += 1
    moved: dict[str, Move] = {}
    while True:
        options = [
            (counts[leader] - counts[peer], name, leader, peer)
            for name, leader in where.items()
            for peer in leads[name].peers
            if counts[leader] - counts[peer] > 1
        ]
        if not options:
            break
        most = max(gap for gap, *_ in options)
        _, name, leader, peer = min((o for o in options if o[0] == most), key=lambda o: o[1:])
        where[name] = peer
        counts[leader] -= 1
        counts[peer] += 1
        first = moved[name].source if name in moved else leader
        moved[name] = Move(name, first, peer)
    return [m for m in moved.values() if m.source != m.target]


class Balanced(Text):
    """Which leaders were moved (`.moves`), and how many each server leads now (`.leaders`)."""

    def __init__(self, what: str, moves: Sequence[Move], leads: Mapping[str, Lead]) -> None:
        self.moves = list(moves)
        self.leaders = dict.fromkeys(sorted({p for lead in leads.values() for p in lead.peers}), 0)
        for lead in leads.values():
            if lead.leader:
                self.leaders[lead.leader] += 1
        said = [f"{m.name}: {m.target} leads now, before it was {m.source}" for m in self.moves]
        n = len(leads)
        counts = sorted(set(self.leaders.values()))
        each = f"{counts[0]}" if len(counts) == 1 else f"{counts[0]} to {counts[-1]}"
        kind = f"{n:,} {what}{'s' if n != 1 else ''}"
        super().__init__(
            "\n".join([f"{kind} on {len(self.leaders)} servers, each of which leads {each}", *said]),
            moves=[vars(m) for m in self.moves],
            leaders=self.leaders,
        )


async def balanced(
    what: str, looks: Mapping[str, Look], step_down: Callable[[str, str], Awaitable[Any]], timeout: float
) -> Balanced:
    """Spread the leaders of these over their servers.

    Parameters
    ----------
    what: "stream" or "consumer".
    looks: who leads each, by name.
    step_down: asks that the first be led by the second.
    timeout: seconds for each.

    Raises CommandError when none of them has a second replica, Timeout when one is led by nobody then.
    """
    leads = {name: await look(LATE) for name, look in looks.items()}
    movable = {name: lead for name, lead in leads.items() if len(lead.peers) > 1}
    if not movable:
        many = f"These {what}s have" if len(leads) > 1 else f"This {what} has"
        raise CommandError(
            f"{many} one replica {'each' if len(leads) > 1 else 'only'}, so no other server can lead.",
            "More replicas, in a cluster: %js stream edit NAME --replicas 3",
        )
    moves = spread(movable)
    for move in moves:
        await step_down(move.name, move.target)
        found = await until(looks[move.name], lambda lead, to=move.target: lead.leader == to, timeout)  # type: ignore[misc]
        leads[move.name] = found or await looks[move.name](LATE)
        if not leads[move.name].leader:
            raise Timeout(
                f"Nobody leads {what} {move.name} since {move.source} stepped down.",
                "%natslab status shows the servers.",
                "STREAM.INFO",
            )
    made = Balanced(what, moves, {n: leads[n] for n in movable})
    made.notes += [
        f"{m.name} is led by {leads[m.name].leader or 'nobody'}, and not by {m.target}."
        for m in moves
        if leads[m.name].leader != m.target
    ]
    if len(movable) < len(leads):
        n = len(leads) - len(movable)
        made.notes.append(
            f"{n} with one replica stay{'s' if n == 1 else ''} where {'it is' if n == 1 else 'they are'}."
        )
    return made
