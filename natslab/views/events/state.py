"""What the events view knows: what happened, told in entries, and what it needs to tell the next one."""

from __future__ import annotations

import msgspec

from natslab.views.view import ViewState

KEPT = 300  # entries
ITEMS = 12  # names that an entry keeps; all are counted
NEAR, TOGETHER = 4, 1.5  # so many entries back and so many seconds ago something alike is the same entry
LATE = 12  # so many entries back something may belong that was told late
CLIENTS, WIRES, GROUPS, LIVES = 2_000, 400, 500, 200

#: What an entry is about, with the word for several.
KINDS = {
    "server": "servers",
    "wire": "wires",
    "client": "clients",
    "stream": "streams",
    "consumer": "consumers",
    "leader": "leaders",
    "message": "messages",
    "health": "health",
    "fault": "faults",
    "check": "checks",
}


class Entry(msgspec.Struct, omit_defaults=True):
    """Something that happened, or several of a kind at about the same time."""

    n: int  # event number of the first
    t: float  # tape seconds of the first
    last: float  # of the newest
    kind: str
    verb: str  # which of the things that can happen to that kind
    items: list[str] = []  # to whom, at most 12
    count: int = 1  # to how many
    places: list[str] = []  # the servers where
    about: str = ""  # what they have in common, e.g. stream and consumer
    note: str = ""  # a reason or a detail, in the words of whoever told it
    guess: bool = False  # inferred, nobody said so


class Life(msgspec.Struct, array_like=True):
    """A server changed state at event `n`."""

    n: int
    name: str
    state: str


class State(ViewState, kw_only=True):
    """Everything that happened, or what concerns the words in `of`.

    For assertions in a notebook:

    `entries`     the newest 300, oldest first: `.kind .verb .items .count .places .note .t`
    `total`       how many there were
    `counts`      how many of each kind
    """

    entries: list[Entry] = []
    total: int = 0
    counts: dict[str, int] = {}
    known: dict[str, str] = {}  # server -> its state
    clusters: dict[str, str] = {}  # server -> its cluster
    lives: list[Life] = []
    wires: dict[str, tuple[str, bool]] = {}  # "a>b" -> state, whether it connects
    clients: dict[str, tuple[str, str]] = {}  # label -> server, state
    groups: dict[str, str] = {}  # RAFT group -> what it is for
    leaders: dict[str, str] = {}  # what a group is for -> who leads
    unsafe: dict[str, bool] = {}  # what a group is for -> whether it lost its quorum
    health: dict[str, dict[str, int]] = {}  # server -> its counters

    def of_kind(self, kind: str) -> list[Entry]:
        """The entries of one kind, oldest first."""
        return [e for e in self.entries if e.kind == kind]


def start(of: tuple[str, ...] = ()) -> State:
    """`of`: kinds (server, wires, ...), or names of servers, clients, streams, consumers."""
    return State(of=of)


def wants(state: State, kind: str, names: tuple[str, ...]) -> bool:
    """Whether something of that kind, which happened to these, is shown."""
    return not state.of or any(o in (kind, KINDS[kind]) or o in names for o in state.of)
