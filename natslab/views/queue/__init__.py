"""Queue group: who of a group got which message, and was that fair?

A group's lanes are its members. Each message of the group goes to one of the members whose
subscription matches, chosen at random (measured on 2.15.1: binomial, not round robin). So a fair
share is not n/k but a band around it: `mean` sums 1/k over the messages that were sent while the
member was one of k, `var` sums (1/k)(1 - 1/k), and 19 of 20 fair draws end within two sigma.

For lessons:

    state.groups["workers"].members      {"w1": 17, "w2": 12}      messages sent to each member
    state.groups["workers"].total        48                        their sum
    state.groups["workers"].expected     {"w1": (14.0, 3.1), ...}  mean and sigma of a fair draw
    state.groups["workers"].lost         [23]                      numbers of lost messages
    state.groups["workers"].chi2, .p     of the shares; `p` is the chance of a draw this uneven
    state.groups["workers"].fair         True, False, or None: too few to judge
    state.shares                         {"workers": {"w1": 17, ...}}
    state.plain                          {"audit": 48}             copies for plain subscribers
    state.twice                          messages that more than one group handled
"""

from natslab.views.queue.fold import fold
from natslab.views.queue.graph import dot
from natslab.views.queue.picture import SOURCES, TITLE, draw
from natslab.views.queue.state import Brick, Due, Group, Lane, Message, Publisher, State, start
from natslab.views.queue.words import describe, table

__all__ = [
    "SOURCES",
    "TITLE",
    "Brick",
    "Due",
    "Group",
    "Lane",
    "Message",
    "Publisher",
    "State",
    "describe",
    "dot",
    "draw",
    "fold",
    "start",
    "table",
]
