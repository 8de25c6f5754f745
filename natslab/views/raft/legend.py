"""What the marks of the raft picture mean: of each kind that is there, a short word, and a sentence."""

from __future__ import annotations

from natslab.views.raft.matrix import Matrix
from natslab.views.raft.state import EARLIEST, LATEST, Group
from natslab.views.raft.wires import Wires
from natslab.views.scene import Flight, Legend, Mark, walk


def legend(
    matrix: Matrix, marks: list[Mark], flights: list[Flight], group: Group, wires: Wires
) -> list[Legend]:
    """One entry for each kind of mark that is there; what is many is counted, what comes and goes is last."""
    many = matrix.counts.get
    keys = [m.key for m in walk(marks)]
    leader = matrix.right.name if matrix.right is not None else "the leader"
    silence = (
        f"How long a follower has heard nothing from a leader. Between the ticks, after {EARLIEST:g} to "
        f"{LATEST:g} s, it asks for votes."
    )
    cells = [
        Legend("done fill", "square", "committed", many("committed"),
               "A majority has it, and it stays. The number is the term of the entry."),
        Legend("dead edge none", "diamond", "divergent", many("divergent"),
               "Another entry than the leader has at this index: it will go."),
        Legend("ink3 edge dots none", "square", "missing", many("missing"),
               "This log is not known to have it."),
        Legend("done fill stale", "square", "last known", many("silent"),
               "What a server that says nothing had when it was last heard."),
        Legend("done fill", "tick", "acknowledged", many("acked"),
               "Committed: who published it gets its answer."),
        Legend("flight edge none", "box", "no answer", many("open"),
               "Published, and nobody has answered: it may be stored, or still become so."),
        Legend("fill ink3", "dot", "of RAFT itself", many("own"),
               f"An entry without a message, which RAFT itself writes: {', '.join(sorted(matrix.kinds))}."),
    ]  # fmt: skip
    signs = [
        ("/silence/band", Legend("edge ink none", "arc", "heard nothing", title=silence)),
        ("known/", Legend("fill ink halo", "triangle", "known to the leader",
                          title=f"Up to here {leader} knows that a follower has its log.")),
        ("quorum/0/line", Legend("fill ink", "bar", "in reach",
                                 title="Who reach each other. As many as reach the line are needed.")),
    ]  # fmt: skip
    passing = [
        Legend("stored edge none dash", "square", "stored only", many("stored"),
               "It is in this log, and this server does not know that it is committed."),
        Legend("flight fill", "half", "on its way", many("way"), "Published, and not committed yet."),
    ]  # fmt: skip
    return [
        *(entry for entry in cells if entry.count),
        *(entry for sign, entry in signs if any(sign in key for key in keys)),
        *_messages(flights, group, live=matrix.state.mode == "live"),
        *_lost(flights, group, wires),
        *(entry for entry in passing if entry.count),
    ]


def _messages(flights: list[Flight], group: Group, *, live: bool) -> list[Legend]:
    """What flies; live it comes and goes all the time, and its entries stay."""
    numbers = sum(f.sign.isdecimal() for f in flights)
    replies = sum(f.sign in ("+", "−") for f in flights)
    requests = sum("fill" in f.classes for f in flights) - numbers
    always = live and bool(group.flown)
    kinds = [
        Legend("flight fill", "circle", "request", None if always else requests,
               "From a server that wants something: small a heartbeat, with ? it asks for a vote."),
        Legend("flight fill", "number", "with entries", None if always else numbers,
               "The leader sends new entries: the number says how many."),
        Legend("flight edge none", "plus", "reply", None if always else replies,
               "An answer: + is yes, − is no."),
    ]  # fmt: skip
    return [entry for entry in kinds if always or entry.count]


def _lost(flights: list[Flight], group: Group, wires: Wires) -> list[Legend]:
    """What was sent and is not there."""
    open_ = sum(f.sign == "?" and "edge" in f.classes for f in flights)
    lost = sum(one.total for one in group.gone.values()) if wires.walls else 0
    kinds = [
        Legend("flight edge none", "ring", "not answered", open_, "Sent, and no answer was seen."),
        Legend("dead edge none round", "lost", "lost at the wall", lost,
               "Sent, and did not come through the wire."),
    ]  # fmt: skip
    return [entry for entry in kinds if entry.count]
