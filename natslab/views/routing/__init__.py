"""Who gets a message, and why: publishers, the tree of subscribed patterns, subscriptions.

Two layers lie over each other. The evidence is the server's own trace of the message; the rule is our
matcher applied to the subscriptions that existed then. Where they differ the picture says so with a Δ.
Messages that the server did not trace are counted on the ways they took, never drawn singly.
"""

from natslab.views.routing.fold import fold
from natslab.views.routing.graph import dot
from natslab.views.routing.picture import SOURCES, TITLE, draw
from natslab.views.routing.state import Message, Publisher, State, Stream, Subscription, start
from natslab.views.routing.words import describe, table

__all__ = [
    "SOURCES",
    "TITLE",
    "Message",
    "Publisher",
    "State",
    "Stream",
    "Subscription",
    "describe",
    "dot",
    "draw",
    "fold",
    "start",
    "table",
]
