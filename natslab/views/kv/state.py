"""What the KV view knows: buckets, their keys with every revision, conditional writes, watchers."""

from __future__ import annotations

import math

import msgspec

from natslab.views.view import ViewState

# Limits of what is remembered singly; counts go on for ever.
ENTRIES, TRIES, WATCHERS, INBOXES, GHOSTS = 3_000, 100, 100, 300, 6
STREAM = "KV_"  # a bucket is a stream of this name


class Entry(msgspec.Struct, array_like=True):
    """One revision of one key: one message of the bucket's stream."""

    rev: int
    op: str  # put | del | purge | marker: the server says that the key is gone
    value: str = ""  # the beginning of it, as text; of a marker its reason
    size: int = 0  # bytes
    t: float = 0.0
    client: str = ""  # who wrote it, where that is a client of this lab
    ttl: float = 0.0  # seconds it lives by its own Nats-TTL; 0 = no own one
    why: str = ""  # gone, and why: history | purged | expired | erased | full | gone
    gone: float = 0.0  # tape seconds at which it went
    expected: int = -1  # the revision that the writer asked for; -1 = it did not ask

    @property
    def kept(self) -> bool:
        """Whether the bucket still has it."""
        return not self.why


class Key(msgspec.Struct, omit_defaults=True):
    """One key and its revisions, oldest first; those that are gone stay for a while."""

    name: str
    entries: list[Entry] = []
    written: int = 0  # revisions it ever had
    earlier: int = 0  # of those that are kept, how many are not in `entries` any more

    @property
    def kept(self) -> int:
        """How many of its revisions the bucket has."""
        return self.earlier + sum(e.kept for e in self.entries)

    @property
    def latest(self) -> Entry | None:
        """Its newest revision that is kept, a delete included."""
        return next((e for e in reversed(self.entries) if e.kept), None)

    @property
    def value(self) -> str | None:
        """What get returns, shortened; None where there is nothing to get."""
        newest = self.latest
        return newest.value if newest is not None and newest.op == "put" else None


class Try(msgspec.Struct, omit_defaults=True):
    """A write that asked for something, and what the server said."""

    n: int  # counts the writes of this bucket that asked or were refused
    key: str
    expected: int = -1  # -1: it asked for nothing; 0: that the key is new
    actual: int = 0  # the revision that the server found, when it refused
    rev: int = 0  # what it became, when it was accepted
    code: int = 0
    error: str = ""
    client: str = ""
    value: str = ""
    t: float = 0.0

    @property
    def ok(self) -> bool:
        """Whether it was accepted."""
        return not self.code


class Watcher(msgspec.Struct, omit_defaults=True):
    """A consumer of the bucket's stream that some client listens to."""

    consumer: str
    no: int  # counts the bucket's watchers
    client: str = ""
    pattern: str = ""  # of keys; "" = all of them
    inbox: str = ""
    rev: int = 0  # the last it was told
    told: int = 0  # how many revisions it was told
    done: int = -1  # the revision at which it had all initial values; -1 = not yet
    came: float = 0.0
    gone: float = math.inf


class Bucket(msgspec.Struct, omit_defaults=True):
    """One bucket: its keys, and how much of each it keeps."""

    name: str
    place: str = ""  # the server whose word it is: the leader of its stream
    keys: dict[str, Key] = {}
    history: int = 0  # revisions kept of each key; 0 = not known yet
    ttl: float = 0.0  # seconds after which a revision goes; 0 = never
    marker: float = 0.0  # seconds that the marker of an expired key stays; 0 = no markers
    ttls: bool = False  # a key may have a TTL of its own
    rev: int = 0  # the newest revision
    first: int = 0  # the oldest that the server has
    told: int = 0  # keys, as the server counts them
    messages: int = 0  # revisions, as the server counts them
    counted: int = 0  # revisions that came in a rush and were only counted
    rush: int = 0  # the newest of them
    singly: int = 0  # the newest that who reads the stream told singly
    tries: list[Try] = []
    asked: int = 0
    refused: int = 0
    watchers: dict[str, Watcher] = {}
    watched: int = 0  # how many watchers there ever were
    where: dict[int, str] = {}  # revision -> key, of all entries
    last: str = ""  # the key that something happened to last
    mirror: str = ""  # the stream it is a copy of
    gone: float = math.inf

    @property
    def live(self) -> list[str]:
        """Keys that have a value now."""
        return [k.name for k in self.keys.values() if k.value is not None]


class State(ViewState, kw_only=True):
    """All buckets of the lab, or those that `of` names."""

    buckets: dict[str, Bucket] = {}
    inboxes: dict[str, str] = {}  # open inbox -> client
    last: str = ""  # the bucket that something happened to last


def start(of: tuple[str, ...] = ()) -> State:
    """`of`: buckets, or a bucket and one of its keys as BUCKET/KEY; without any, all of them."""
    return State(of=of)


def age_of(bucket: Bucket, entry: Entry) -> float:
    """Seconds that the entry may live; 0 = for ever.

    A TTL of the message that is shorter than the bucket's markers last is raised to that (measured, 2.15.1).
    """
    own = max(entry.ttl, bucket.marker) if entry.ttl and entry.op == "put" else entry.ttl
    if own and bucket.ttl:
        return min(own, bucket.ttl)
    return own or bucket.ttl
