"""What the clients of a lab report: plain immutable records with the wall-clock time `at`.

`client` is the label of the client. Payloads, subjects and headers are foreign text.
"""

from __future__ import annotations

from typing import Literal, TypeAlias

import msgspec

# "drop": delivered, and thrown away by the client because its handler is too slow.
Way: TypeAlias = Literal["pub", "recv", "drop"]


class Base(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What every report has."""

    at: float  # time.time()
    client: str


class Connection(Base, frozen=True, kw_only=True, gc=False):
    """A connection opened, broke, or closed for good; open again with a `why`: an error it survived.

    A subscription ends with its connection's `closed`, and lives through `lost`.
    """

    no: int
    state: Literal["open", "lost", "closed"]
    server: str = ""
    cid: int = 0
    account: str = ""  # where it is known: the lab's own login
    why: str = ""


class Subscription(Base, frozen=True, kw_only=True, gc=False):
    """A subscription began, got a limit, or ended."""

    sid: int
    subject: str
    queue: str = ""
    state: Literal["open", "closed"] = "open"
    limit: int = 0


class Published(Base, frozen=True, kw_only=True, gc=False):
    """One message was handed to the connection."""

    id: str
    subject: str
    reply: str = ""
    size: int = 0
    payload: bytes = b""  # at most the first 256 bytes
    headers: tuple[tuple[str, str], ...] = ()
    traced: bool = False
    timeout: float = 0.0  # seconds a requester waits; 0: not a request
    dry: bool = False


class Delivered(Base, frozen=True, kw_only=True, gc=False):
    """One message arrived for the subscription (client, sid)."""

    id: str
    sid: int
    subject: str
    pattern: str
    queue: str = ""
    reply: str = ""
    size: int = 0
    status: str = ""
    held: bool = False  # from a consumer, and the client keeps it until a person answers


class Stored(Base, frozen=True, kw_only=True, gc=False):
    """A stream answered a publish: it took the message, had it already, or refused it.

    Of more than are told singly, `count` messages `seq - count + 1` ... `seq` were stored.
    """

    stream: str
    id: str = ""
    subject: str = ""
    seq: int = 0
    count: int = 1
    size: int = 0  # bytes of payload, of all `count` together
    payload: bytes = b""  # at most the first 256 bytes
    headers: tuple[tuple[str, str], ...] = ()  # those that a stream heeds
    duplicate: bool = False
    code: int = 0  # the server's error code when it refused
    error: str = ""


class Bulk(Base, frozen=True, kw_only=True, gc=False):
    """So many messages passed between `since` and `at`; exact."""

    way: Way
    subject: str
    sid: int = 0
    queue: str = ""
    count: int = 0
    bytes: int = 0
    since: float = 0.0
    first: tuple[str, ...] = ()


class Outcome(Base, frozen=True, kw_only=True, gc=False):
    """How the request `id` ended, `took` seconds after it was asked."""

    id: str
    outcome: Literal["answered", "error", "no responders", "timeout"]
    count: int = 0
    took: float = 0.0
    error: str = ""  # the responder's words, of an answer that says it failed


Report: TypeAlias = Connection | Subscription | Published | Delivered | Stored | Bulk | Outcome
