"""Requests: who asked whom, what came back, and what did not.

A sequence diagram. A request is a publish with an inbox as reply subject and a time to wait; an
answer is a publish to that inbox. Three ways it can end: answered; refused at once, because the
server itself says that nobody subscribes (status 503); timed out, which says nothing about the work.

For lessons:

    state.requests          the newest 50, oldest first; of each:
        .id .subject .requester
        .outcome            "answered" | "error" | "no responders" | "timeout" | "waiting" | "abandoned"
        .responders         labels of the clients that the server sent it to
        .by                 who gave the first answer, "" if nobody did
        .answers            replies that the requester took
        .late, .discarded   replies that came after the deadline; after it had what it wanted
        .took               seconds until the outcome
        .deadline           seconds it would have waited
    state.outcomes          {"answered": 1, "no responders": 1, "timeout": 1}, of all there ever were

The sentence and the table have no times in them, so that two runs of a lesson compare; the picture has.
"""

from natslab.views.requests.picture import SOURCES, TITLE, draw
from natslab.views.requests.state import Leg, Reply, Request, State, fold, start
from natslab.views.requests.words import describe, table

__all__ = [
    "SOURCES",
    "TITLE",
    "Leg",
    "Reply",
    "Request",
    "State",
    "describe",
    "draw",
    "fold",
    "start",
    "table",
]
