"""Stream: what is kept, what was cut, and why.

A stream keeps messages under ever higher sequences until a limit, an ack, or a person removes them.
Columns are sequences, rows are subjects; a blade cuts the oldest, a gate refuses the newest.

For lessons:

    s = state.streams["ORDERS"]
    s.messages, s.bytes        what the server counts
    s.first, s.last, s.came    sequences, and how many messages ever came
    s.kept, s.slots            [5, 6, 8]; sequence -> Slot(seq, subject, t, size, id, ttl, twice, client)
    s.removed                  {1: "max_msgs", 7: "deleted"}   the newest; "" where it is not known why
    s.reasons                  {"max_msgs": 4, "deleted": 1}   exact counts
    s.per_subject              {"orders.eu": 6, "orders.us": 5}
    s.full                     "max_msgs", "max_bytes" or ""
    s.answers["orders.eu"]     .what "stored", "duplicate" or "refused"; .seq, .code, .error, .client
    s.refused, s.duplicates    how many
    s.readers["billing"]       .delivered, .floor, .out, .due; .hands[seq].state, .client
"""

from natslab.views.stream.fold import fold
from natslab.views.stream.graph import dot
from natslab.views.stream.picture import SOURCES, TITLE, draw, table
from natslab.views.stream.state import Answer, Gone, Hand, Limits, Range, Reader, Slot, State, Stream, start
from natslab.views.stream.words import describe

__all__ = [
    "SOURCES",
    "TITLE",
    "Answer",
    "Gone",
    "Hand",
    "Limits",
    "Range",
    "Reader",
    "Slot",
    "State",
    "Stream",
    "describe",
    "dot",
    "draw",
    "fold",
    "start",
    "table",
]
