"""What can happen in a lab: every kind of event, with all its fields.

`n` is the append order on the tape and the only order. `t` is in seconds since the tape began;
where the server stamped the event, it is the server's stamp (same machine, same clock).
`source` names the source that appended it, `place` the server or client it happened at, and `how`
says whether it was observed or inferred.

A client is named by its label: its connection name, with `#2`, `#3` ... appended when a name is
used by several connections of one lab at once. A message published by a client of this lab has the
id `c/<client no>/<n>`.
Payloads, subjects and headers are foreign text.
"""

from __future__ import annotations

from typing import Any, Literal, TypeAlias

import msgspec

#: What the server gives as the reason when it ends the wait for a message that is gone.
_REMOVED = ("Unacknowledged message was deleted", "Message deleted by stream limits")

How: TypeAlias = Literal["observed", "inferred"]


class Base(msgspec.Struct, kw_only=True, omit_defaults=True, tag_field="kind", gc=False):
    """What every event has."""

    n: int = 0
    t: float = 0.0
    source: str = ""
    place: str = ""
    how: How = "observed"


class Server(Base, tag="server", kw_only=True, omit_defaults=True):
    """A server of the lab changed state."""

    name: str
    state: Literal["starting", "up", "down", "frozen", "lame duck", "removed"]
    version: str = ""
    why: str = ""
    cluster: str = ""  # the cluster that it belongs to; "" for a server alone
    domain: str = ""  # its JetStream domain; "" where there is none


class Link(Base, tag="link", kw_only=True, omit_defaults=True):
    """A wire between two servers of the lab: it was laid, was changed, or is taken away.

    One wire per pair: a route and a gateway are named in the order of the lab's servers; a leafnode's
    wire has the leaf as `a` and the hub as `b`.
    """

    a: str
    b: str
    type: Literal["route", "gateway", "leafnode"] = "route"
    state: Literal["open", "cut", "held", "delayed", "removed"] = "open"
    delay: float = 0.0  # seconds, each way, while delayed
    connected: bool = False  # whether a connection between the two goes through it now
    why: str = ""  # how it came about that it has no connection, e.g. "n2 is down"


class Conn(Base, tag="conn", kw_only=True, omit_defaults=True):
    """A client connected, lost its connection, or closed. `place` is the server's name."""

    client: str
    no: int = 0  # the lab's client number; 0 for a client that is not the lab's own
    cid: int = 0  # the server's connection id, where it is known
    account: str = ""
    state: Literal["open", "lost", "closed"] = "open"
    why: str = ""


class Sub(Base, tag="sub", kw_only=True, omit_defaults=True):
    """A subscription began or ended. `client` and `sid` identify it."""

    client: str
    sid: int
    subject: str
    queue: str = ""
    state: Literal["open", "closed"] = "open"
    limit: int = 0  # ends by itself after so many messages; 0 = never


class Pub(Base, tag="pub", kw_only=True, omit_defaults=True):
    """A client of the lab published one message."""

    id: str
    client: str
    subject: str
    reply: str = ""
    size: int = 0  # bytes of payload
    payload: bytes = b""  # at most the first 256 bytes
    headers: list[tuple[str, str]] = []
    traced: bool = False  # the server reports how it routed this one
    timeout: float = 0.0  # seconds a requester waits for an answer; 0 = this is not a request
    dry: bool = False  # only traced, neither delivered nor stored


class Recv(Base, tag="recv", kw_only=True, omit_defaults=True):
    """A client of the lab received one message on the subscription (client, sid)."""

    id: str  # of the message; empty when it carried no identity
    client: str
    sid: int
    subject: str
    pattern: str = ""  # what the subscription asked for
    queue: str = ""
    reply: str = ""
    size: int = 0
    status: str = ""  # of a status message, e.g. "503"


class Many(Base, tag="many", kw_only=True, omit_defaults=True):
    """So many messages passed a client in the window that ended at `t`; exact counts."""

    client: str
    way: Literal["pub", "recv"]
    subject: str  # as published; for `recv` the subscription's pattern
    sid: int = 0
    queue: str = ""
    count: int = 0
    bytes: int = 0
    since: float = 0.0  # start of the window
    first: list[str] = []  # subjects of the first few


class Hop(Base, tag="hop", kw_only=True, omit_defaults=True):
    """One step of a traced message inside the server `place` (ADR-41, message tracing)."""

    id: str
    step: Literal["in", "map", "export", "import", "store", "egress"]
    via: str = "client"  # client route gateway leafnode system jetstream account
    cid: int = 0
    client: str = ""  # who sent or who was reached; a server's name when `via` is a link
    account: str = ""
    subject: str = ""  # as it came in, or as it left this step
    sub: str = ""  # egress: the subscription that matched
    queue: str = ""  # egress: its queue group
    to: str = ""  # map, export, import: the new subject ("" on a map: lost there)
    stream: str = ""
    error: str = ""  # the server's own words
    hop: str = ""  # links a server's part of the trace to the next


class End(Base, tag="end", kw_only=True, omit_defaults=True):
    """An operation is over: a trace is complete, or a request has its outcome.

    Of a JetStream publish, whose Pub is no request, only that no stream answered is told so.
    """

    of: Literal["trace", "request"]
    id: str
    client: str = ""
    outcome: Literal["delivered", "nobody", "refused", "answered", "error", "no responders", "timeout"]
    count: int = 0  # trace: receivers reached; request: answers received
    took: float = 0.0  # seconds
    error: str = ""  # the responder's words, of an answer that says it failed (ADR-32)


class Store(Base, tag="store", kw_only=True, omit_defaults=True):
    """A message came into a stream, or a stream refused it.

    With `client` set it is the server's answer to a JetStream publish of that client (PubAck); without,
    it was read from the stream itself. Both may tell of one message: (`stream`, `seq`) identifies it.
    Of more messages than a source tells singly, `count` messages `seq - count + 1` ... `seq` came.
    """

    stream: str
    id: str = ""
    client: str = ""
    subject: str = ""
    seq: int = 0
    count: int = 1
    size: int = 0  # bytes of payload, of all `count` together
    payload: bytes = b""  # at most the first 256 bytes
    headers: list[tuple[str, str]] = []
    duplicate: bool = False
    code: int = 0  # the server's error code when it refused
    error: str = ""


class Drop(Base, tag="drop", kw_only=True, omit_defaults=True):
    """Messages were lost or removed, and why.

    For a message that left a stream `why` is one of: max_age, max_msgs, max_bytes, max_msgs_per_subject,
    ttl, rollup, acked, terminated, no interest, consumer deleted (of those that it was kept for one is not
    there any more, the others are done with it), deleted, purged, marker, new max_msgs, new max_bytes, new
    max_msgs_per_subject (over a limit that was lowered); or "" where it is not known.
    """

    why: str
    id: str = ""
    client: str = ""
    stream: str = ""
    seq: int = 0  # the first; 0: it is not known which
    count: int = 1  # how many went
    last: int = 0  # the last, where it is more than one; of `seq` ... `last` nothing is left


class Deliver(Base, tag="deliver", kw_only=True, omit_defaults=True):
    """A consumer handed out a message: one attempt.

    `how` is "inferred" where only the consumer's counters told of it; then `client` is unknown.
    """

    stream: str
    consumer: str
    seq: int  # in the stream
    cseq: int = 0  # in the consumer: counts attempts of all messages
    attempt: int = 1
    client: str = ""
    sid: int = 0
    subject: str = ""
    reply: str = ""  # where an ack goes: $JS.ACK.<stream>.<consumer>.<attempt>.<seq>.<cseq>.<ns>.<pending>
    pending: int = 0  # messages that the consumer had not handed out yet
    size: int = 0
    held: bool = False  # the lab keeps it: it waits for %natslab ack, nak, wpi or term


class Ack(Base, tag="ack", kw_only=True, omit_defaults=True):
    """What became of one attempt.

    ack nak term wpi: a client said so (+NXT is an ack). expired: ack_wait passed, which the server tells
    nobody (always inferred). exhausted: the server's advisory that max_deliver is reached.
    A term may also be the server's own: the message left its stream while it was waited for.
    """

    stream: str
    consumer: str
    seq: int
    verb: Literal["ack", "nak", "term", "wpi", "expired", "exhausted"]
    cseq: int = 0
    attempt: int = 1
    client: str = ""  # who said it, where it is a client of this lab
    delay: float = 0.0  # nak: seconds until the next attempt may come
    reason: str = ""  # term: the client's words
    took: float = 0.0  # seconds since the delivery, where the server measured it
    wire: str = ""  # the body as it was sent, e.g. -NAK {"delay":1000000000}; at most 256 characters

    @property
    def removed(self) -> bool:
        """Whether it is a term that nobody said, for a message that left its stream (2.15.1's words)."""
        return self.verb == "term" and not self.client and not self.wire and self.reason in _REMOVED


class Snap(Base, tag="snap", kw_only=True, omit_defaults=True):
    """A source's raw report of the server `place`: what it said, in its own field names.

    stream: name, config, state (messages bytes first_seq last_seq num_subjects num_deleted
    consumer_count), mirror, sources, and `kept`: "file" when its messages are read from its store, else
    "events" (reconstructed); or name and gone=True.
    consumer: stream, name, config, delivered, ack_floor (each with consumer_seq and stream_seq),
    num_ack_pending, num_redelivered, num_waiting, num_pending, paused, push_bound; or gone=True.
    pending: the consumer's own state file: stream, consumer, floor and delivered (each [consumer seq,
    stream seq]), pending ([[seq, cseq of the first delivery, unix seconds when it was stored], ...]),
    redelivered ([[seq, deliveries - 1], ...]), both in order of seq; where they were cut, how many more there
    are: `left_out` of pending, `left_out_again` of redelivered; and singly=False while the consumer is too
    fast to be told attempt by attempt. Of a consumer in memory only stream, consumer, singly.
    group: a RAFT group: group, type (meta, stream or consumer), stream, consumer ("" as long as it is not
    known), peers (server names), and `by`, how its messages become known: "wire" (read on the wires
    between the servers), "system account" (heard at the servers), or "monitoring" (not at all: only
    reports tell of it); or group and gone=True.
    raft: the server's own report of one group (raftz): group, state (LEADER FOLLOWER CANDIDATE), term,
    voted_for, leader (names, "" for none), committed, applied, pindex, pterm, first, last (of its log),
    quorum_needed, size, and peers: {name: {"index": last_replicated_index, "seen": seconds since, None
    where it was never, "known": bool}}; or group and gone=True: that server is in it no more. Not told
    again for `seen` alone, but when that passes 2.5, 5 and 10 s.
    routez gatewayz leafz: what the server says of its links: `links`, each with `to` (a server's name),
    `type`, in_msgs, out_msgs, in_bytes, out_bytes, rtt (seconds); leafz also `account` and `subjects`.
    wire: `a`, `b`: what crossed a wire of ours so far: ab_msgs, ba_msgs, ab_bytes, ba_bytes.
    advisory: what a server published on $JS.EVENT.>, with `type`. Of the audit of API requests those that
    changed something: subject, request, client, and `purged`, how many messages a purge took.
    """

    what: str  # one of the words above, or varz connz subsz accountz jsz
    data: dict[str, Any] = {}


class Raft(Base, tag="raft", kw_only=True, omit_defaults=True):
    """One message of the RAFT protocol from server `a` to server `b` (the servers' own, not a model).

    vote: `a` asks for a vote. voted: the answer. append: the leader `a` sends entries, or none: a heartbeat.
    appended: the answer. catchup: entries for a server that lags. propose: a proposal on its way to the
    leader. Header fields only; what is in the entries stays out.

    `how` is "inferred" where the two ends were not seen but follow from another message. Of more than are
    told singly `count` of the same kind went from `a` to `b`, of which this is the last; appends with entries
    and those without are two kinds.
    """

    group: str  # _meta_, S-R3F-..., C-R3F-...; the Snap "group" says of what
    what: Literal["vote", "voted", "append", "appended", "catchup", "propose"]
    a: str
    b: str
    term: int = 0
    rpc: str = ""  # the same in a request and its answers; "" where it has none
    index: int = 0  # vote: last of the log. append: of the entry before these (pindex). appended: last stored
    last_term: int = 0  # vote: of the last entry; append: of the entry before these (pterm)
    commit: int = 0  # append: everything up to here is committed
    entries: int = 0  # append: how many; 0 is a heartbeat
    ops: list[str] = []  # append: what they are, e.g. message, delivered, ack, snapshot, peers; at most 8
    ok: bool = False  # voted: granted; appended: stored
    count: int = 1
    lost: str = ""  # why it did not arrive, where that is known: held, e.g.


class Leader(Base, tag="leader", kw_only=True, omit_defaults=True):
    """Who leads a RAFT group from now on; `leader` is "" when nobody does.

    observed: an append of a new term was seen, or (for "") a vote was asked for in a later term. inferred: it
    follows from the servers' reports, or was heard where not both ends are seen.
    """

    group: str
    leader: str = ""
    term: int = 0


class Quorum(Base, tag="quorum", kw_only=True, omit_defaults=True):
    """A group lost its quorum or has it again.

    observed: a server said so (QUORUM_LOST), or something was committed. inferred: it follows from how long
    the servers have not heard of each other.
    """

    group: str
    lost: bool


class Mark(Base, tag="mark", kw_only=True, omit_defaults=True):
    """Something a person did: ran a line, caused a fault, made a bet, passed a check."""

    what: Literal["run", "fault", "check", "bet"]
    text: str = ""
    ok: bool = True


Event: TypeAlias = (
    Server
    | Link
    | Conn
    | Sub
    | Pub
    | Recv
    | Many
    | Hop
    | End
    | Store
    | Drop
    | Deliver
    | Ack
    | Raft
    | Leader
    | Quorum
    | Snap
    | Mark
)
