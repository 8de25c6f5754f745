"""Mirrors and sources: who copies whom, how far each copy is, and what it keeps that is gone upstream.

For lessons:

    state.streams["COPY"].links[0]          Link(copy="COPY", origin="ORDERS", mirror=True, lag=0, ...)
    state.links                             all of them; .error, .peak, .filter, .transforms, .pairs, .cut
    behind(state, link)                     messages that the copy lacks now
    spared(state, link)                     messages that it has although they are gone upstream
    state.streams["ALL"].links[1].carried   messages that came from its second source
    state.bounces[-1]                       Bounce(stream="COPY", code=10060, client="shop", ...)
"""

from natslab.views.mirrors.fold import fold
from natslab.views.mirrors.graph import dot
from natslab.views.mirrors.picture import SOURCES, draw
from natslab.views.mirrors.picture import TITLE_OF_VIEW as TITLE
from natslab.views.mirrors.state import Bounce, Link, State, Stream, behind, reached, spared, start
from natslab.views.mirrors.words import describe, table

__all__ = [
    "SOURCES",
    "TITLE",
    "Bounce",
    "Link",
    "State",
    "Stream",
    "behind",
    "describe",
    "dot",
    "draw",
    "fold",
    "reached",
    "spared",
    "start",
    "table",
]
