"""What nats-servers say to each other as RAFT peers, read from the bytes.

A private protocol, measured with nats-server 2.15.1 (2.15.* is what `known` says yes to). Everything is
little-endian; a server's id is eight letters and digits that follow from its name.

    $NRG.V.<group>   vote request    term, last entry's term, last index (u64 x 3), candidate's id
    $NRG.R.<inbox>   its answer      term (u64), voter's id, bits: 1 granted, 2 its log is empty
    $NRG.AE.<group>  append          leader's id, term, commit, previous term, previous index (u64 x 4),
                                     entries (u16), each u32 length, u8 type, its data; then a number
    $NRG.R.<inbox>   its answer      term, index (u64 x 2), follower's id, 1 stored
    $NRG.CR.<inbox>  catch-up        an append, for one server that lags
    $NRG.P.<group>   proposal        an entry's data, on its way to the leader
    $NRG.RP.<group>  proposal        the id of a server that is to leave the group

Every append takes one index, however many entries are in it. An append without entries is a heartbeat; the
leader sends one also to say that it has committed. The inbox is the same for all requests of one kind and
one server in one group, as long as that runs.
What the entries hold is the user's: only their kinds are read, and nothing of them is kept.
"""

from __future__ import annotations

import hashlib
from struct import Struct
from typing import NamedTuple, TypeAlias

PREFIX = "$NRG."
MOST = 8  # kinds of entries that are named of one append

_VOTE = Struct("<QQQ8s")
_VOTED = Struct("<Q8sB")
_APPEND = Struct("<8sQQQQH")
_APPENDED = Struct("<QQ8sB")
_LENGTH = Struct("<I")
_PEERS = Struct("<II")

_DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_MAPPED = "_GR_"  # how a reply subject begins that has crossed a gateway: _GR_.<cluster>.<server>.<subject>

_NORMAL, _PEER_STATE = 0, 2
_TYPES = {
    1: "old snapshot",
    2: "peers",
    3: "add peer",
    4: "remove peer",
    5: "leader transfer",
    6: "snapshot",
}
_OPS = {
    0: "assign stream",
    1: "assign consumer",
    2: "remove stream",
    3: "remove consumer",
    4: "message",
    5: "purge",
    6: "delete",
    7: "delivered",
    8: "ack",
    9: "assign consumer",
    10: "skip",
    11: "update stream",
    12: "pull",
    13: "pull over",
    14: "message",
    15: "delete",
    16: "batch message",
    17: "batch commit",
    18: "reset",
}


class Vote(NamedTuple):
    """A candidate asks for a vote."""

    term: int
    last_term: int  # of the last entry in its log
    last_index: int
    candidate: str  # ids here and below


class Voted(NamedTuple):
    """The answer to that."""

    term: int
    voter: str
    granted: bool
    empty: bool  # the voter's log is


class Append(NamedTuple):
    """A leader's entries, or none: a heartbeat."""

    leader: str
    term: int
    commit: int  # everything up to here is committed
    prev_term: int  # of the entry before these
    prev_index: int  # of the entry before these
    entries: int
    ops: tuple[str, ...]  # what the first MOST of them are
    peers: tuple[str, ...]  # who is in the group, where an entry says so

    @property
    def last(self) -> int:
        """The index that the follower's log has when it has stored this."""
        return self.prev_index + 1 if self.entries else self.prev_index


class Appended(NamedTuple):
    """The answer to an append."""

    term: int
    last: int  # index of the last entry in the follower's log
    peer: str
    ok: bool


class Proposal(NamedTuple):
    """What a follower wants the leader to append."""

    op: str


Message: TypeAlias = Vote | Voted | Append | Appended | Proposal


def known(version: str) -> bool:
    """Whether this is the protocol of that server's version, e.g. "2.15.1"."""
    return version.split(".")[:2] == ["2", "15"]


def peer_id(name: str) -> str:
    """The id that the server of that name has as a RAFT peer."""
    return "".join(_DIGITS[b % len(_DIGITS)] for b in hashlib.sha256(name.encode()).digest()[:8])


def plain(subject: str) -> str:
    """The subject as it was before it crossed a gateway."""
    if subject[:1] == "_" and subject.startswith(_MAPPED):
        parts = subject.split(".", 3)
        return parts[3] if len(parts) == 4 else subject
    return subject


def decode(subject: str, payload: bytes | bytearray | memoryview) -> Message | None:
    """What the message on that subject says; None if it is no message of this protocol, or half of one.

    Never raises, whatever the bytes are.
    """
    kind, _, of = subject[len(PREFIX) :].partition(".") if subject.startswith(PREFIX) else ("", "", "")
    if not of:
        return None
    size = len(payload)
    if kind in ("AE", "CR"):
        return _append(payload, size)
    if kind == "R":
        if size == _APPENDED.size:
            term, index, peer, ok = _APPENDED.unpack_from(payload)
            return Appended(term, index, name, ok == 1) if (name := _id(peer)) and ok < 2 else None
        if size == _VOTED.size:
            term, voter, bits = _VOTED.unpack_from(payload)
            name = _id(voter)
            return Voted(term, name, bool(bits & 1), bool(bits & 2)) if name and bits < 4 else None
        return None
    if kind == "V":
        if size != _VOTE.size:
            return None
        term, last_term, last_index, candidate = _VOTE.unpack_from(payload)
        return Vote(term, last_term, last_index, name) if (name := _id(candidate)) else None
    if kind == "P":
        return Proposal(_op(payload[0])) if size else None
    if kind == "RP":
        return Proposal("remove peer") if size == 8 and _id(bytes(payload)) else None
    return None


def _append(payload: bytes | bytearray | memoryview, size: int) -> Append | None:
    if size < _APPEND.size:
        return None
    leader, term, commit, prev_term, prev_index, count = _APPEND.unpack_from(payload)
    name = _id(leader)
    if not name:
        return None
    at = _APPEND.size
    ops: list[str] = []
    peers: tuple[str, ...] = ()
    for i in range(count):
        data = at + 5  # after length and type
        if data > size:
            return None
        (length,) = _LENGTH.unpack_from(payload, at)
        end = at + 4 + length
        if length < 1 or end > size:
            return None
        kind = payload[at + 4]
        if i < MOST:
            if kind != _NORMAL:
                ops.append(_TYPES.get(kind) or f"type {kind}")
            else:
                ops.append(_op(payload[data]) if end > data else "empty")
        if kind == _PEER_STATE:
            peers = _peers(payload, data, end)
        at = end
    if not _number(payload, at, size):
        return None
    return Append(name, term, commit, prev_term, prev_index, count, tuple(ops), peers)


def _peers(payload: bytes | bytearray | memoryview, at: int, end: int) -> tuple[str, ...]:
    """The ids in a list of peers; none where there is something else."""
    if end - at < _PEERS.size:
        return ()
    _, count = _PEERS.unpack_from(payload, at)
    at += _PEERS.size
    if count > (end - at) // 8:
        return ()
    ids = tuple(_id(bytes(payload[at + 8 * i : at + 8 * i + 8])) for i in range(count))
    return ids if all(ids) else ()


def _number(payload: bytes | bytearray | memoryview, at: int, size: int) -> bool:
    """Whether from `at` on there is exactly one variable-length number, or nothing."""
    if at == size:
        return True
    if size - at > 10:
        return False
    return payload[size - 1] < 0x80 and all(payload[i] >= 0x80 for i in range(at, size - 1))


def _op(code: int) -> str:
    return _OPS.get(code) or f"op {code}"


_ids: dict[bytes, str] = {}


def _id(raw: bytes) -> str:
    """A peer's id as text; "" if it is none."""
    text = _ids.get(raw)
    if text is None:
        if not raw.isalnum() or len(raw) != 8:
            return ""
        text = raw.decode("ascii")
        if len(_ids) < 1_000:
            _ids[raw] = text
    return text
