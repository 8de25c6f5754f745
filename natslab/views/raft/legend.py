"""What the marks of the raft picture mean: of each kind that is there, a short word, and a sentence."""

from __future__ import annotations

from natslab.views.raft.matrix import Matrix
from natslab.views.raft.state import EARLIEST, LATEST, Group
from natslab.views.raft.wires import Wires
from natslab.views.scene import Flight, Legend, Mark, walk


def legend(
    matrix: Matrix, marks: list[Mark], flights: list[Flight], group: Group, wires: Wires
) -> list[Legend]:
    """One entry for each kind of mark that is there; what is many is counted."""
    keys = [m.key for m in walk(marks)]
    numbers = [f for f in flights if f.sign.isdecimal()]
    open_ = [f for f in flights if f.sign == "?" and "edge" in f.classes]
    replies = [f for f in flights if f.sign in ("+", "−")]
    asks = len(flights) - len(numbers) - len(open_) - len(replies)
    lost = sum(one.total for one in group.gone.values()) if wires.walls else 0
    own = f"An entry without a message, which RAFT itself writes: {', '.join(sorted(matrix.kinds))}."
    silence = (
        f"How long a follower has heard nothing from a leader. Between the ticks, after {EARLIEST:g} to "
        f"{LATEST:g} s, it asks for votes."
    )
    leader = matrix.right.name if matrix.right is not None else "the leader"
    known = f"Up to here {leader} knows that a follower has its log."
    reach = "Who reach each other. So many as fill it up to the line are needed to commit."

    def cells(kind: str, classes: str, glyph: str, word: str, title: str) -> Legend:
        return Legend(classes, glyph, word, matrix.counts.get(kind, 0), title)  # type: ignore[arg-type]

    def there(sign: str, entry: Legend) -> list[Legend]:
        return [entry] if any(sign in key for key in keys) else []

    counted = [
        cells("committed", "done fill", "square", "committed",
              "A majority has it, and it stays. The number is the term of the entry."),
        cells("stored", "stored edge none dash", "square", "stored only",
              "It is in this log, and this server does not know that it is committed."),
        cells("divergent", "dead edge none", "diamond", "divergent",
              "Another entry than the leader has at this index: it will go."),
        cells("missing", "ink3 edge dots none", "square", "missing", "This log is not known to have it."),
        cells("silent", "done fill stale", "square", "last known",
              "What a server that says nothing had when it was last heard."),
        cells("acked", "done fill", "tick", "acknowledged", "Committed: who published it gets its answer."),
        cells("way", "flight fill", "half", "on its way", "Published, and not committed yet."),
        cells("open", "flight edge none", "box", "no answer",
              "Published, and nobody has answered: it may be stored, or still become so."),
        cells("own", "fill ink3", "dot", "of RAFT itself", own),
        Legend("flight fill", "circle", "request", asks,
               "From a server that wants something: small a heartbeat, with ? it asks for a vote."),
        Legend("flight fill", "number", "with entries", len(numbers),
               "The leader sends new entries: the number says how many."),
        Legend("flight edge none", "ring", "not answered", len(open_), "Sent, and no answer was seen."),
        Legend("flight edge none", "plus", "reply", len(replies), "An answer: + is yes, − is no."),
        Legend("dead edge none round", "lost", "lost at the wall", lost,
               "Sent, and did not come through the wire."),
    ]  # fmt: skip
    return [
        *(entry for entry in counted if entry.count),
        *there("/silence/band", Legend("edge ink none level", "arc", "heard nothing", title=silence)),
        *there("known/", Legend("fill ink halo", "triangle", "known to the leader", title=known)),
        *there("quorum/0/line", Legend("fill ink", "bar", "in reach", title=reach)),
    ]  # fmt: skip
