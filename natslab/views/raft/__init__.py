"""Raft: who leads, who knows it, and what is safe.

The members of one RAFT group on a ring, with the real messages of the protocol between them; their logs
beside it, index by index; who is in reach of whom. A leader has a double ring and an L, a candidate a
dashed one. The arc around a follower is how long it has heard nothing: somewhere in the pale part of its
circle it will ask for votes, the server tells nobody when.

For lessons:

    g = state.group("ORDERS")           the stream's group; state.group() is the meta group,
                                        state.group("ORDERS", "billing") a consumer's
    g.leader, g.term                    "n2", 4      who won the newest term
    g.peers, g.quorum                   ["n1", "n2", "n3"], 2
    g.commit, g.last                    123, 125     committed; the end of the longest log
    g.lost                              False        whether a server said that the quorum is lost
    m = g.members["n1"]
    m.role, m.term, m.voted             "leader", 3, "n1"   in its own words, which may be of before
    m.log.last, m.commit                125, 123
    g.elections[-1].silence             6.1          seconds that the candidate had heard nothing
    g.elections[-1].granted()           ["n2", "n3"]
    [line.text for line in g.story]     what happened, one sentence each
"""

from natslab.views.raft.film import frame, moments
from natslab.views.raft.fold import fold
from natslab.views.raft.graph import dot
from natslab.views.raft.picture import SOURCES, TITLE, draw
from natslab.views.raft.state import Election, Entry, Group, Log, Member, State, Wire, start
from natslab.views.raft.story import stops
from natslab.views.raft.words import describe, table

__all__ = [
    "SOURCES",
    "TITLE",
    "Election",
    "Entry",
    "Group",
    "Log",
    "Member",
    "State",
    "Wire",
    "describe",
    "dot",
    "draw",
    "fold",
    "frame",
    "moments",
    "start",
    "stops",
    "table",
]
