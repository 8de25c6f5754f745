"""Key-value: which revisions of each key are kept, what went and why, who was told.

A bucket is a stream: a key is a subject, a revision is a sequence number, a delete is a message.

For lessons:

    state.buckets["CFG"].keys["a"].value            "blue", or None: deleted, purged, expired
    state.buckets["CFG"].keys["a"].kept             3                 revisions the bucket has
    state.buckets["CFG"].keys["a"].entries          [Entry(rev=4, op="put", value="red", why="history"), ...]
    state.buckets["CFG"].history, .ttl, .marker     5, 60.0, 2.0      as configured; seconds
    state.buckets["CFG"].tries[-1]                  Try(key="a", expected=4, actual=7, code=10071, ...)
    state.buckets["CFG"].refused                    1                 writes that were refused
    state.buckets["CFG"].watchers                   by consumer: .client, .rev, .done, .told
    state.buckets["CFG"].live                       ["a", "b"]        keys with a value
"""

from natslab.views.kv.fold import fold
from natslab.views.kv.graph import dot
from natslab.views.kv.picture import SOURCES, TITLE, draw
from natslab.views.kv.state import Bucket, Entry, Key, State, Try, Watcher, start
from natslab.views.kv.words import describe, table

__all__ = [
    "SOURCES",
    "TITLE",
    "Bucket",
    "Entry",
    "Key",
    "State",
    "Try",
    "Watcher",
    "describe",
    "dot",
    "draw",
    "fold",
    "start",
    "table",
]
