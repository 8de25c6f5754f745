"""Publishing to a stream: what the server answers (PubAck), typed, and told to the hub."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

import msgspec
import nats.errors
import nats.js
from nats.aio.client import Client as NatsClient
from nats.aio.msg import Msg
from nats.js.api import Header
from nats.js.api import PubAck as NatsPubAck
from nats.js.errors import APIError, NoStreamResponseError

from natslab.errors import ClientError, NoResponders, Timeout
from natslab.servers import report
from natslab.servers.asking import Ask, asking
from natslab.servers.jsapi import JetStreamError, refusal
from natslab.servers.puberrors import explain

if TYPE_CHECKING:
    from natslab.servers.client import Client


@runtime_checkable
class Tells(Protocol):
    """A client of a lab, which tells its hub what streams answer."""

    def tell_stored(self, ask: Ask, subject: str, size: int, ack: PubAck) -> None:
        """A stream has the message of `ask`, of `size` bytes."""

    def tell_refused(self, ask: Ask, stream: str, code: int, error: str) -> None:
        """A stream refused it, with the server's code and words."""


class PubAck(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a stream answers to a publish.

    `val` is the value of a counter; `batch` and `count` are those of a committed batch.
    """

    stream: str
    seq: int = 0
    duplicate: bool = False
    domain: str = ""
    val: str = ""
    batch: str = ""
    count: int = 0


class _Answer(msgspec.Struct):
    """The same, or an error, as it is on the wire."""

    stream: str = ""
    seq: int = 0
    duplicate: bool = False
    domain: str = ""
    val: str = ""
    batch: str = ""
    count: int = 0
    error: dict[str, Any] | None = None


Heard = Callable[[str, bytes, bytes], None]  # subject, payload, answer

_decoder = msgspec.json.Decoder(_Answer)
_HEEDED = ("nats-", "kv-operation")  # what the headers that a stream heeds begin with


def stored(
    told: report.Published,
    stream: str,
    seq: int,
    *,
    duplicate: bool = False,
    code: int = 0,
    error: str = "",
) -> report.Stored:
    """The report of a stream's answer, which came now, to a message that was told as `told`."""
    return report.Stored(
        at=time.time(),
        client=told.client,
        id=told.id,
        stream=stream,
        subject=told.subject,
        seq=seq,
        size=told.size,
        payload=told.payload,
        headers=tuple((k, v) for k, v in told.headers if k.lower().startswith(_HEEDED)),
        duplicate=duplicate,
        code=code,
        error=error,
    )


async def store(
    client: NatsClient,
    subject: str,
    payload: bytes = b"",
    headers: dict[str, str] | None = None,
    timeout: float = 5.0,
    heard: Heard | None = None,
) -> PubAck:
    """As `Client.store`, for any client; the answers of a lab's client are told.

    `heard` is told subject, payload and answer as they were on the wire.
    """
    ask = Ask(stored=True)
    answer = await _ask(client, ask, subject, payload, headers, timeout)
    if heard is not None:
        heard(subject, payload, answer.data)
    ack = _read(client, ask, subject, headers or {}, answer.data)
    if isinstance(client, Tells):
        client.tell_stored(ask, subject, len(payload), ack)
    return ack


async def store_batch(
    client: NatsClient,
    messages: Sequence[tuple[str, bytes, dict[str, str]]],
    batch: str,
    timeout: float = 5.0,
    heard: Heard | None = None,
) -> PubAck:
    """Publish subjects, payloads and headers as one batch: a stream takes all of them, or none (ADR-50).

    `batch` is an id of at most 64 characters. Returns the answer to the last, which commits; raises as
    `store`, and then nothing is stored.
    """
    asks: list[Ask] = []
    for n, (subject, payload, headers) in enumerate(messages, 1):
        last = n == len(messages)
        said = {**headers, "Nats-Batch-Id": batch, "Nats-Batch-Sequence": str(n)}
        if last:
            said["Nats-Batch-Commit"] = "1"
        ask = Ask(stored=True)
        asks.append(ask)
        answer = await _ask(client, ask, subject, payload, said, timeout)
        if heard is not None:
            heard(subject, payload, answer.data)
        # To all but the last the stream answers with an empty message, or with a refusal.
        if last or answer.data:
            ack = _read(client, ask, subject, said, answer.data)
            if not last:
                raise ClientError(
                    f"The stream {ack.stream} knows no batches: it stored message {n} by itself.",
                    "Publish without --atomic.",
                )
    if isinstance(client, Tells):
        for seq, one, (subject, payload, _) in zip(
            range(ack.seq - len(asks) + 1, ack.seq + 1), asks, messages, strict=True
        ):
            client.tell_stored(one, subject, len(payload), PubAck(ack.stream, seq))
    return ack


async def _ask(
    client: NatsClient, ask: Ask, subject: str, payload: bytes, headers: dict[str, str] | None, timeout: float
) -> Msg:
    token = asking.set(ask)
    try:
        return await client.request(subject, payload, timeout=timeout, headers=headers)
    except nats.errors.NoRespondersError:
        raise NoResponders(
            f"No stream takes messages on {subject}.",
            "Make a stream with that subject (%js stream add), or publish without waiting for one.",
            subject,
        ) from None
    except nats.errors.TimeoutError:
        raise Timeout(
            f"No stream acknowledged the message to {subject} within {timeout:g} s.",
            "Somebody subscribes there, and no stream takes it; or the server is frozen.",
            subject,
        ) from None
    finally:
        asking.reset(token)


def _read(client: NatsClient, ask: Ask, subject: str, headers: dict[str, str], data: bytes) -> PubAck:
    try:
        said = _decoder.decode(data)
        if said.error is None and not said.stream:
            raise ValueError
    except (msgspec.MsgspecError, ValueError):
        raise ClientError(
            f"What answered on {subject} is no stream: {data[:60]!r}.",
            "A subscriber answers there. Publish without -J.",
        ) from None
    if said.error is not None:
        error = refused(subject, headers, said.error, said.stream)
        if isinstance(client, Tells):
            client.tell_refused(ask, said.stream, error.code, error.description)
        raise error
    return PubAck(said.stream, said.seq, said.duplicate, said.domain, said.val, said.batch, said.count)


def refused(subject: str, headers: dict[str, str], error: dict[str, Any], stream: str) -> JetStreamError:
    """The exception for the `error` that `stream` answered with to a message with these headers."""
    made = refusal(subject, dict(headers), error)
    sentence = explain(made.code, subject, headers, made.description)
    if sentence is None:
        # The general sentences know no name.
        sentence = made.what, made.hint.replace(" NAME ", f" {stream} ") if stream else made.hint
    made.what, made.hint = made.args = sentence
    return made


class Context(nats.js.JetStreamContext):
    """JetStream as nats-py has it, of a lab's client.

    Its publishes are identified by what the stream answers instead of a trace; the answers are told.
    """

    def __init__(self, client: Client, **options: Any) -> None:
        super().__init__(client, **options)
        self._client = client

    async def publish(
        self,
        subject: str,
        payload: bytes = b"",
        timeout: float | None = None,
        stream: str | None = None,
        headers: dict[str, Any] | None = None,
        msg_ttl: float | None = None,
    ) -> NatsPubAck:
        """As nats-py's."""
        # Not through nats-py's, whose reading of the answer costs as much as all that is told here.
        said = dict(headers or {})
        if stream is not None:
            said[Header.EXPECTED_STREAM] = stream
        if msg_ttl is not None:
            said[Header.MSG_TTL] = str(int(msg_ttl))
        ask = Ask(stored=True)
        token = asking.set(ask)
        try:
            answer = await self._client.request(
                subject, payload, self._timeout if timeout is None else timeout, headers=said or None
            )
        except nats.errors.NoRespondersError:
            raise NoStreamResponseError from None
        finally:
            asking.reset(token)
        try:
            ack = _acknowledged(answer.data)
        except APIError as e:
            self._client.tell_refused(ask, "", e.err_code or 0, e.description or "")
            raise
        self._tell(ask, subject, len(payload), ack)
        return ack

    async def publish_async(
        self, subject: str, payload: bytes = b"", *args: Any, **options: Any
    ) -> asyncio.Future[NatsPubAck]:
        """As nats-py's."""
        ask = Ask(stored=True)
        token = asking.set(ask)
        try:
            future = await super().publish_async(subject, payload, *args, **options)
        finally:
            asking.reset(token)

        def answered(done: asyncio.Future[NatsPubAck]) -> None:
            if done.cancelled():
                return
            error = done.exception()
            if error is None:
                self._tell(ask, subject, len(payload), done.result())
            elif isinstance(error, APIError):
                self._client.tell_refused(ask, "", error.err_code or 0, error.description or "")

        future.add_done_callback(answered)
        return future

    async def _handle_async_reply(self, msg: Msg) -> None:
        """An answer to one of the asynchronous publishes: the same, read faster."""
        if msg.headers:
            await super()._handle_async_reply(msg)
            return
        future = self._publish_async_futures.get(msg.subject.rpartition(".")[2])
        if future is None or future.done():
            return
        try:
            future.set_result(_acknowledged(msg.data))
        except APIError as e:
            future.set_exception(e)

    def _tell(self, ask: Ask, subject: str, size: int, ack: NatsPubAck) -> None:
        said = PubAck(ack.stream, ack.seq, bool(ack.duplicate), ack.domain or "", ack.val or "")
        self._client.tell_stored(ask, subject, size, said)


def _acknowledged(data: bytes) -> NatsPubAck:
    """What a stream answered, as nats-py has it; raises what nats-py would raise for anything else."""
    try:
        said = _decoder.decode(data)
    except (msgspec.MsgspecError, ValueError):
        said = None
    if said is None or said.error is not None or not said.stream:
        raw = json.loads(data)
        if "error" in raw:
            raise APIError.from_error(raw["error"])
        return NatsPubAck.from_response(raw)
    return NatsPubAck(
        said.stream,
        said.seq,
        said.domain or None,
        said.duplicate or None,
        said.batch or None,
        said.count or None,
        said.val or None,
    )
