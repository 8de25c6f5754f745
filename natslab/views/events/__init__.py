"""Events: everything that happened, in plain words, one line each, the newest last.

For lessons:

    state.entries                  the newest 300, oldest first; of each:
        .kind                      server wire client stream consumer leader message health fault check
        .verb                      what happened, e.g. "down", "cut", "lost", "created", "leads", "nak"
        .items, .count             to whom (at most 12 names), to how many
        .places                    the servers where it happened
        .note, .t                  a reason or a detail; tape seconds
    state.of_kind("server")        those of one kind
    state.total, state.counts      how much happened, and of each kind

Things of a kind that happen together are one entry. Sentence and table have no times; the picture has.
"""

from natslab.views.events.fold import fold
from natslab.views.events.picture import SOURCES, TITLE, draw
from natslab.views.events.state import Entry, State, start
from natslab.views.events.words import describe, table

__all__ = ["SOURCES", "TITLE", "Entry", "State", "describe", "draw", "fold", "start", "table"]
