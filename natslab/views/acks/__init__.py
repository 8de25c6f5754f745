"""Acks: what is every message to every consumer, and what does the server wait for?

Sequences stand across, consumers down; the consumer in focus has a row for each attempt. The thick
line is the ack floor: all left of it is settled. The thin line stands after the last message that was
handed out. What lies between is pending, or acked out of order, or given up.

For lessons:

    c = state.consumers["ORDERS/billing"]
    c.floor, c.delivered            5, 16       stream sequences
    c.pending, c.limit              6, 8        acks awaited, and how many may be (max_ack_pending)
    c.cells[7].state                flight | nak | expired | acked | terminated | removed | exhausted
    c.cells[7].attempt              2           deliveries so far
    c.cells[7].attempts[0].client   "w1"        who got the first
    c.clients                       {"w1": 9}   who got how many deliveries: clients that share it
    state.totals("ORDERS", "billing")           flight, retry, stored, redelivered, acked, terminated,
                                                exhausted; .ack_pending = flight + retry
"""

from natslab.views.acks.fold import fold
from natslab.views.acks.graph import dot
from natslab.views.acks.picture import SOURCES, TITLE, draw
from natslab.views.acks.state import Attempt, Cell, Consumer, State, Stream, Totals, start
from natslab.views.acks.words import describe, table

__all__ = [
    "SOURCES",
    "TITLE",
    "Attempt",
    "Cell",
    "Consumer",
    "State",
    "Stream",
    "Totals",
    "describe",
    "dot",
    "draw",
    "fold",
    "start",
    "table",
]
