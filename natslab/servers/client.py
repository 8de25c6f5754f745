"""The clients of a lab: nats-py connections that tell their Hub what they do.

A client lives on the loop that connected it, the learner's or natslab's own; the Hub is read from
natslab's. Above 2 000 messages a second a client counts instead of telling (see meter.py).

A single publish carries the header `Nats-Trace-Dest: _NATSLAB.<client no>.<n>`, so that the server
reports how it routed the message (ADR-41) and the receiving client can tell which one it got; the
receiving client takes the header off. The first 256 bytes of a payload are reported.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import re
import time
from collections import deque
from collections.abc import Awaitable, Coroutine, Iterable
from typing import TYPE_CHECKING, Any, cast

import nats.errors
import nats.js
from nats.aio.client import Client as NatsClient
from nats.aio.msg import Msg
from nats.aio.subscription import Subscription as NatsSubscription

from natslab.errors import ClientError, NoResponders, Timeout
from natslab.servers import report, storing
from natslab.servers.asking import Ask, asking, is_untraced, untraced
from natslab.servers.bulk import frames
from natslab.servers.connection import Connection
from natslab.servers.headers import (
    HEAD,
    TRACE,
    TRACE_PREFIX,
    TooLarge,
    header_size,
    too_large,
    without_trace,
)
from natslab.servers.meter import Meter, Stores
from natslab.servers.storing import PubAck
from natslab.servers.subject import check_subject

if TYPE_CHECKING:
    from natslab.servers.hub import Hub

__all__ = ["TRACE", "TRACE_PREFIX", "Client", "TooLarge", "untraced"]

KEPT = 256  # bytes of a payload that are reported
REQUEST = 4_000  # bytes of a request to JetStream's API that are remembered
RECENT, RECENT_SIZE = 64, 16 * 1024  # traced messages that could be sent again, and bytes of each
QUIET = 8192  # reply subjects of requests to JetStream itself whose answers are known as such
STALLED = 5.0  # seconds without progress after which publish_many gives up

_REFUSED_TRACE = re.compile(r'publish to "_natslab\.\d+\.(\d+)"', re.IGNORECASE)


# What the server can have made: a subject that needs no other check.
_ACK = re.compile(r"\$JS\.ACK\.[!-~]+")
_LOOKS = re.compile(r"\.(?:INFO|LIST|NAMES|MSG\.GET|MSG\.NEXT|DIRECT\.GET)(?:\.|$)")  # changes nothing
_MAKES = re.compile(r"\$JS(?:\.[^.]+)?\.API\.STREAM\.(?:CREATE|UPDATE|RESTORE)\.[^.]+")


class Client(Connection):
    """One connection with a label and a number; made by `Hub.connect`.

    Everything else is nats-py's client. Subclassing and not wrapping, because nats-py's
    subscriptions, messages and JetStream call back into it.
    """

    def __init__(self, hub: Hub, label: str, traceable: bool, account: str) -> None:
        super().__init__(hub, label, account)
        #: Whether this client may ask for traces; its user must be allowed to publish on
        #: _NATSLAB.>, else the server drops the message itself (ADR-41).
        self.trace = traceable
        #: Whether it keeps what consumers hand to it until a person answers.
        self.holds = False
        self._counter = itertools.count(1)
        # The last traced messages, should the server refuse them for their trace.
        self._recent: deque[tuple[int, str, str, bytes, dict[str, Any] | None]] = deque(maxlen=RECENT)
        self._out = Meter(label, "pub")
        self._in = Meter(label, "recv")
        self._lost = Meter(label, "drop")
        self._stores = Stores(label)
        # Where answers of JetStream's API come in, newest last.
        self._quiet: dict[bytes, None] = {}
        # The two lookups of the hot path.
        self._fast_out = self._out.fast
        self._fast_in = self._in.fast
        self._nothing: asyncio.Future[None] = self.loop.create_future()
        self._nothing.set_result(None)

    def _admit(self) -> None:
        self.hub.admit(self)

    def _dropped(self, e: nats.errors.SlowConsumerError) -> None:
        self._lost.add(e.sid, e.subject, 0, pattern=e.sub._subject, sid=e.sid, queue=e.sub._queue or "")

    async def _complained(self, why: str) -> None:
        refused = _REFUSED_TRACE.search(why)
        if refused is not None:
            await self._without_traces(int(refused[1]))
        else:
            self._tell_state("open", why)

    async def _without_traces(self, first: int) -> None:
        """Publish again what the server dropped because this user may not ask for traces any more.

        A configuration with new permissions was loaded; it refuses the trace, and with it the
        message (ADR-41), from number `first` on.
        """
        if not self.trace:
            return  # one refusal follows for each message
        self.trace = False
        again = [kept for kept in self._recent if kept[0] >= first]
        self._recent.clear()
        for n, subject, reply, payload, headers in again:
            self.hub.awaited.pop(f"c/{self.no}/{n}", None)
            with contextlib.suppress(nats.errors.Error):
                await super()._send_publish(subject, reply, payload, len(payload), headers)

    # --- subscribing ------------------------------------------------------------------------

    async def _send_subscribe(self, sub: NatsSubscription) -> None:
        self._tell_sub(sub, limit=sub._max_msgs)
        await super()._send_subscribe(sub)

    async def _send_unsubscribe(self, sid: int, limit: int = 0) -> None:
        sub = self._subs.get(sid)
        if limit > 0 and sub is not None:
            self._fast_in.pop(sid, None)  # from now on its end must be noticed
            self._tell_sub(sub, limit=limit)
        await super()._send_unsubscribe(sid, limit)

    def _remove_sub(self, sid: int, max_msgs: int = 0) -> None:
        sub = self._subs.get(sid)
        if sub is not None:
            self._tell_sub(sub, "closed")
        super()._remove_sub(sid, max_msgs)

    def _tell_sub(self, sub: NatsSubscription, state: Any = "open", limit: int = 0) -> None:
        self.hub.turn()
        self.hub.tell(
            report.Subscription(
                at=time.time(),
                client=self.label,
                sid=sub._id,
                subject=sub._subject,
                queue=sub._queue or "",
                state=state,
                limit=limit,
            )
        )

    # --- receiving --------------------------------------------------------------------------

    # Not a coroutine: one frame less for each message.
    def _process_msg(  # type: ignore[override]
        self, sid: int, subject: bytes, reply: bytes, data: bytes, headers: bytes | None
    ) -> Awaitable[None]:
        tally = self._fast_in.get(sid)
        if tally is not None and headers is None and subject not in self._quiet:
            sub = self._subs.get(sid)
            size = len(data)
            if (
                sub is not None
                and sub._jsi is None
                and sub._future is None
                and not sub._pending_queue.full()
                and (sub._pending_size + size < sub._pending_bytes_limit or sub._pending_bytes_limit <= 0)
            ):
                # A fast subscription without headers, replies or a stream needs nothing else of
                # nats-py than to be put in its queue; this is what pays for the counting.
                try:
                    message = self._build_message(sid, subject, reply, data, None)
                except UnicodeDecodeError:
                    return self._deliver(sid, subject, reply, data, headers)
                tally.count += 1
                tally.bytes += size
                stats = self.stats
                stats["in_msgs"] += 1
                stats["in_bytes"] += size
                sub._received += 1
                sub._pending_size += size
                sub._pending_queue.put_nowait(message)
                return self._nothing
        return self._deliver(sid, subject, reply, data, headers)

    def _deliver(
        self, sid: int, subject: bytes, reply: bytes, data: bytes, headers: bytes | None
    ) -> Coroutine[Any, Any, None]:
        message = status = ""
        if headers is not None:
            status = headers[9:12].decode("ascii", "replace") if headers[8:9] == b" " else ""
            headers, message = without_trace(headers)
        sub = self._subs.get(sid)
        if sub is not None and subject not in self._quiet:
            now = time.time()
            last = sub._max_msgs > 0 and sub._received + 1 >= sub._max_msgs
            text = subject.decode(errors="replace")
            if "\ufffd" in text:
                # A mapping that splits a token between bytes makes a subject that is no text; nats-py
                # would stop reading for good (measured).
                subject = text.encode()
            # A message with an identity is always told by itself: its trace names its receivers too,
            # and nobody could tell which of the merely counted ones it was.
            if self._in.single(now) or message:
                self.hub.tell(
                    report.Delivered(
                        at=now,
                        client=self.label,
                        id=message,
                        sid=sid,
                        subject=text,
                        pattern=sub._subject,
                        queue=sub._queue or "",
                        reply=reply.decode(errors="replace"),
                        size=len(data),
                        status=status,
                        held=self.holds and reply.startswith(b"$JS.ACK."),
                    )
                )
            else:
                self._in.add(
                    sid,
                    text,
                    len(data),
                    pattern=sub._subject,
                    sid=sid,
                    queue=sub._queue or "",
                    fast=sub._max_msgs == 0,
                )
            if last:
                self._tell_sub(sub, "closed", sub._max_msgs)
        return super()._process_msg(sid, subject, reply, data, cast(bytes, headers))

    # --- publishing -------------------------------------------------------------------------

    async def publish(
        self,
        subject: str,
        payload: bytes = b"",
        reply: str = "",
        headers: dict[str, str] | None = None,
    ) -> None:
        """As nats-py's. Raises TooLarge, naming both sizes, for more than the server's max_payload."""
        tally = self._fast_out.get(subject)
        if (
            (tally is not None or _ACK.fullmatch(subject))
            and not reply
            and headers is None
            and self._status == NatsClient.CONNECTED
            and len(payload) <= self._max_payload
        ):
            # A fast publisher: the subject was checked before it came to be counted here, so that
            # only the frame remains to be made; this is what pays for the counting. An ack likewise:
            # it is not counted, but remembered.
            size = len(payload)
            frame = b"PUB %b  %d\r\n%b\r\n" % (subject.encode(), size, payload)
            if tally is not None:
                tally.count += 1
                tally.bytes += size
            else:
                self.hub.acked(subject, self.label)
            stats = self.stats
            stats["out_msgs"] += 1
            stats["out_bytes"] += size
            self._pending.append(frame)
            self._pending_data_size += len(frame)
            if self._pending_data_size > self._max_pending_size > 0:
                await self._flush_pending(force_flush=True)
            if self._flush_queue is not None and self._flush_queue.empty():
                await self._flush_pending()
            return
        try:
            await super().publish(subject, payload, reply, headers)
        except TooLarge:
            raise
        except nats.errors.MaxPayloadError:
            raise too_large(len(payload), 0, self._max_payload) from None

    async def _send_publish(
        self, subject: str, reply: str, payload: bytes, payload_size: int, headers: dict[str, Any] | None
    ) -> None:
        block = 0
        if headers is not None:
            block = header_size(headers)
            if block < 0:  # nats-py will say what is wrong with them
                await super()._send_publish(subject, reply, payload, payload_size, headers)
                block = HEAD
            elif payload_size + block > self._max_payload:
                # The server counts the headers too, and would end the connection (measured).
                raise too_large(payload_size, block, self._max_payload)
        if subject.startswith("$JS."):
            if subject.startswith("$JS.ACK."):
                self.hub.acked(subject, self.label)
            if reply:
                self._hush(reply)
            if ".API." in subject and not _LOOKS.search(subject):
                self.hub.asked(subject, self.label, bytes(payload[:REQUEST]))
            # Acks and requests to the API are not told: a source hears the acks, the rest is clutter.
            await super()._send_publish(subject, reply, payload, payload_size, headers)
            return
        memoryview(payload)  # what cannot be sent must not be counted: raises TypeError, as nats-py would
        now = time.time()
        ask = asking.get()
        if ask is not None and ask.used:
            ask = None
        if ask is not None and ask.stored and reply:
            self._hush(reply)
        if self._out.single(now):
            headers = self._tell_published(now, subject, reply, payload, payload_size, headers, block, ask)
        else:
            self._out.add(subject, subject, payload_size)
        await super()._send_publish(subject, reply, payload, payload_size, headers)

    def _hush(self, reply: str) -> None:
        """What comes to this subject answers JetStream's API or acknowledges a publish: it is not told."""
        where = reply.encode()
        self._quiet.pop(where, None)
        self._quiet[where] = None
        if len(self._quiet) > QUIET:
            for old in list(self._quiet)[: QUIET // 2]:
                del self._quiet[old]

    def _tell_published(
        self,
        now: float,
        subject: str,
        reply: str,
        payload: bytes,
        size: int,
        headers: dict[str, Any] | None,
        block: int,
        ask: Ask | None,
    ) -> dict[str, Any] | None:
        n = next(self._counter)
        given = headers or {}
        target = f"{TRACE_PREFIX}{self.no}.{n}"
        own = headers is not None and TRACE in headers
        traced = (
            self.trace
            and self.hub.trace
            and not own
            and (ask is None or not ask.stored)
            and not is_untraced()
            and self.hub.traceable(subject)
            and size + (block or HEAD) + len(TRACE) + len(target) + 4 <= self._max_payload
        )
        if traced:
            if size <= RECENT_SIZE:
                self._recent.append((n, subject, reply, bytes(payload), headers))
            headers = {**given, TRACE: target}
        told = report.Published(
            at=now,
            client=self.label,
            id=f"c/{self.no}/{n}",
            subject=subject,
            reply=reply,
            size=size,
            payload=bytes(payload[:KEPT]),
            headers=tuple(given.items()),
            traced=traced,
            timeout=ask.timeout if ask is not None and not ask.stored else 0.0,
            dry=str(given.get("Nats-Trace-Only", "")).lower() in ("true", "1"),
        )
        if ask is not None:
            ask.used, ask.told, ask.at = True, told, now
        self.hub.tell(told)
        return headers

    async def publish_many(
        self,
        subject: str,
        payload: bytes | Iterable[bytes],
        count: int | None = None,
        reply: str = "",
        headers: dict[str, str] | None = None,
    ) -> int:
        """Publish many messages on one subject as fast as the connection takes them.

        Parameters
        ----------
        payload: one for all, or one for each.
        count: how many messages; with one payload 1 when left out, with many the most that are taken.
        reply, headers: of each message.

        Returns how many messages were published. They carry no trace header and are reported as a
        count. Raises CommandError for a bad subject, TooLarge, ClientError when the connection is
        lost or closed on the way, and Timeout when the server takes nothing for 5 s.
        """
        check_subject(subject)
        if reply:
            check_subject(reply)
        done = 0
        for chunk, messages, size in frames(subject, payload, count, reply, headers, self._max_payload):
            if self._status != NatsClient.CONNECTED or self._transport is None:
                raise self._lost_after(done)
            self.push()  # what was published before goes first
            self._out.add(subject, subject, size, count=messages, fast=False)
            self.stats["out_msgs"] += messages
            self.stats["out_bytes"] += size
            self._transport.write(chunk)
            done += messages
            try:
                async with asyncio.timeout(STALLED):
                    await self._transport.drain()  # type: ignore[no-untyped-call]
            except TimeoutError:
                raise Timeout(
                    f"The server has taken nothing for {STALLED:g} s; {done} messages were handed over.",
                    "Is it frozen? `%natslab thaw` ends that.",
                ) from None
            except OSError:
                raise self._lost_after(done) from None
            await asyncio.sleep(0)  # others on this loop have their turn
        return done

    def _lost_after(self, done: int) -> ClientError:
        return ClientError(
            f"The connection of {self.label} was lost after {done} messages.",
            "Publish the rest when it is connected again.",
        )

    def push(self) -> None:
        """Hand what is buffered to the socket now; only on the thread of this client's loop.

        nats-py does it when the loop comes round, which is too late for a cell that goes on
        without an await.
        """
        if self._pending and self._status == NatsClient.CONNECTED and self._transport is not None:
            self._transport.writelines(self._pending[:])
            self._pending = []
            self._pending_data_size = 0

    async def sync(self, timeout: float = 10.0) -> None:
        """Wait until the server has processed all that this client sent.

        A flush of nats-py is no barrier: its PING overtakes what is still buffered (measured), a
        second one is. Raises nats-py's errors when there is no connection or no answer in `timeout`
        seconds.
        """
        self.push()
        for _ in range(2):
            await self.flush(cast(int, timeout))

    # --- asking -----------------------------------------------------------------------------

    async def request(
        self,
        subject: str,
        payload: bytes = b"",
        timeout: float = 0.5,
        old_style: bool = False,
        headers: dict[str, Any] | None = None,
    ) -> Msg:
        """As nats-py's; the outcome is reported too."""
        ask = asking.get()
        if ask is not None and ask.stored and not ask.used:
            ask.timeout = timeout  # a publish to a stream, which is a request
        else:
            ask = Ask(timeout)
        token = asking.set(ask)
        try:
            answer = await super().request(subject, payload, timeout, old_style, headers)
        except nats.errors.NoRespondersError:
            self._tell_outcome(ask, "no responders", 0)
            raise
        except nats.errors.TimeoutError:
            self._tell_outcome(ask, "timeout", 0)
            raise
        finally:
            asking.reset(token)
        self._tell_outcome(ask, "answered", 1, answer)
        if _MAKES.fullmatch(subject):
            # What a stream stores must not carry a trace; the next publish may come before any report.
            self.hub.captured(_subjects(answer.data))
        return answer

    async def gather(
        self,
        subject: str,
        payload: bytes = b"",
        headers: dict[str, str] | None = None,
        replies: int = 0,
        timeout: float = 2.0,
        stall: float = 0.0,
    ) -> list[Msg]:
        """Ask once and collect several answers, in order of arrival.

        Parameters
        ----------
        replies: stop after so many; 0: whatever comes in time.
        timeout: seconds to wait in all.
        stall: seconds without a further answer that end the wait; 0: only `timeout` does.

        Returns fewer than `replies`, or none, when no more came in time. Raises NoResponders when
        nobody subscribes to `subject`.
        """
        ask = Ask(timeout)
        answers: list[Msg] = []
        inbox = self.new_inbox()
        sub = await self.subscribe(inbox)
        token = asking.set(ask)
        try:
            await self.publish(subject, payload, inbox, headers)
        finally:
            asking.reset(token)
        end = time.monotonic() + timeout
        try:
            while not replies or len(answers) < replies:
                left = end - time.monotonic()
                if stall > 0 and answers:
                    left = min(left, stall)
                if left <= 0:
                    break
                answer = await sub.next_msg(left)
                if not answer.data and (answer.headers or {}).get("Status") == "503":
                    self._tell_outcome(ask, "no responders", 0)
                    raise NoResponders(
                        f"Nobody subscribes to {subject}.", "Start a responder, for example: %nats reply"
                    )
                answers.append(answer)
        except nats.errors.TimeoutError:
            pass
        finally:
            if not self.is_closed:
                with contextlib.suppress(nats.errors.Error):
                    await sub.unsubscribe()
        enough = len(answers) >= max(1, replies)
        failed = answers[0] if len(answers) == 1 else None
        self._tell_outcome(ask, "answered" if enough else "timeout", len(answers), failed)
        return answers

    def _tell_outcome(self, ask: Ask, outcome: Any, count: int, answer: Msg | None = None) -> None:
        if not ask.id or (ask.stored and outcome == "answered"):
            return  # asked too fast to be told singly; or a stream said something, which is told
        # A service says so when it failed (ADR-32).
        said = (answer.headers or {}) if answer is not None else {}
        error = " ".join(
            str(said[name]) for name in ("Nats-Service-Error-Code", "Nats-Service-Error") if name in said
        )[:KEPT]
        if error and outcome == "answered":
            outcome = "error"
        now = time.time()
        self.hub.tell(
            report.Outcome(
                at=now,
                client=self.label,
                id=ask.id,
                outcome=outcome,
                count=count,
                took=max(0.0, now - ask.at),
                error=error,
            )
        )

    # --- storing ----------------------------------------------------------------------------

    def jetstream(self, **options: Any) -> nats.js.JetStreamContext:
        """As nats-py's; what it publishes carries no trace header, and what the streams answer is told."""
        return storing.Context(self, **options)

    async def store(
        self,
        subject: str,
        payload: bytes = b"",
        headers: dict[str, str] | None = None,
        timeout: float = 5.0,
    ) -> PubAck:
        """Publish to a stream and wait at most `timeout` seconds until it has the message.

        Raises NoResponders when no stream takes the subject, JetStreamError when the stream refuses
        the message, Timeout, and ClientError when somebody else answers.
        """
        return await storing.store(self, subject, payload, headers, timeout)

    def tell_stored(self, ask: Ask, subject: str, size: int, ack: PubAck) -> None:
        """A stream has the message of `ask`, of `size` bytes."""
        told, stream = ask.told, self.hub.called(ack.domain, ack.stream)
        if told is not None:
            self.hub.tell(storing.stored(told, stream, ack.seq, duplicate=ack.duplicate))
        elif ack.duplicate:
            self._stores.other(stream, 0, "")
        else:
            self._stores.add(stream, subject, ack.seq, size)

    def tell_refused(self, ask: Ask, stream: str, code: int, error: str) -> None:
        """A stream refused the message of `ask`, with the server's code and words."""
        told = ask.told
        if told is not None:
            self.hub.tell(storing.stored(told, stream, 0, code=code, error=error))
        else:
            self._stores.other(stream, code, error)


def _subjects(answer: bytes) -> list[str]:
    """What the stream takes that an answer of the JetStream API is about."""
    try:
        said = json.loads(answer)
        return [str(subject) for subject in said["config"].get("subjects") or []]
    except (ValueError, TypeError, KeyError, AttributeError):
        return []
