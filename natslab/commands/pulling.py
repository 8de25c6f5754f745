"""Fetching from a pull consumer, over the server's own protocol ($JS.API.CONSUMER.MSG.NEXT, ADR-13)."""

from __future__ import annotations

import contextlib
import json
import re
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import nats.errors
from nats.aio.msg import Msg

from natslab.commands.results import Message
from natslab.errors import ClientError, Timeout
from natslab.servers.jsapi import Api
from natslab.sources.ackreply import Attempt, parse

_GRACE = 1.0  # seconds after which a request that the server must have ended is given up
_WORDS = re.compile(r"[\x00-\x1f]+")


class StreamMessage(Message):
    """One message that a consumer handed out, or that was read from a stream."""

    __slots__ = ("answer", "attempt", "client", "consumer", "cseq", "pending", "seq", "stream")

    def __init__(self, msg: Msg, where: Attempt, client: Any = None) -> None:
        super().__init__(msg.subject, msg.data, _headers(msg), msg.reply, "", time.time())
        self.stream = where.stream
        self.consumer = where.consumer
        self.seq = where.seq  # in the stream
        self.cseq = where.cseq  # in the consumer: counts attempts of all messages
        self.attempt = where.attempt  # 1 for the first
        self.pending = where.pending  # messages the consumer had not handed out yet
        self.client = client  # who got it
        self.answer = ""  # what we said: ack, nak, term, held, or ""

    def facts(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "stream": self.stream,
            **({"consumer": self.consumer, "attempt": self.attempt} if self.consumer else {}),
            "seq": self.seq,
            "pending": self.pending,
            **super().facts(),
            **({"answer": self.answer} if self.answer else {}),
        }


def _headers(msg: Msg) -> dict[str, str]:
    return {str(k.value) if hasattr(k, "value") else str(k): v for k, v in (msg.headers or {}).items()}


def delivered(msg: Msg, client: Any = None) -> StreamMessage | None:
    """The message as a consumer's delivery; None when it is not one."""
    where = parse(msg.reply)
    return None if where is None else StreamMessage(msg, where, client)


class Ending:
    """Why a pull request ended.

    `status` is the server's (404, 408, 409, 423, 400, 503), 200 when all asked for came, 0 when the
    server said nothing; `said` are its words; `pin` is the id of the pin when there is one.
    """

    def __init__(self, status: int = 0, said: str = "") -> None:
        self.status = status
        self.said = said
        self.pin = ""


class Pull:
    """One pull request.

    Parameters
    ----------
    batch: messages to ask for.
    wait: seconds until it ends without them.
    now: take what is there, and wait only while there is nothing.
    more: further fields of the request as the server has them: group, id, min_pending, priority, ...
    """

    def __init__(self, batch: int, wait: float, *, now: bool = False, **more: Any) -> None:
        self.batch = batch
        self.wait = wait
        self.body: dict[str, Any] = {"batch": batch, "expires": round(wait * 1e9)}
        if now:
            self.body["no_wait"] = True
        self.body |= {k: v for k, v in more.items() if v is not None}

    async def run(
        self,
        api: Api,
        stream: str,
        consumer: str,
        heard: Callable[[StreamMessage], Awaitable[bool]],
        wire: Callable[[str], None] = lambda _: None,
        sub: Any = None,
    ) -> Ending:
        """Ask, give each message to `heard`, and return when the request has ended or it wants no more.

        `sub` is a subscription to answer to, for requests that follow each other; else one is made.
        Status 503: there is no such consumer. Raises Timeout when the server says nothing at all.
        """
        client = api.client
        own = None
        if sub is None:
            sub = own = await client.subscribe(client.new_inbox())
        subject = f"{api.prefix}.CONSUMER.MSG.NEXT.{stream}.{consumer}"
        body = json.dumps(self.body)
        wire(f">>> {subject}")
        wire(body)
        ending = Ending()
        got = 0
        try:
            await client.publish(subject, body.encode(), sub.subject)
            until = time.monotonic() + self.wait + _GRACE
            while got < self.batch:
                try:
                    msg = await sub.next_msg(max(0.001, until - time.monotonic()))
                except nats.errors.TimeoutError:
                    if got:
                        return ending
                    raise Timeout(
                        f"JetStream did not end the request for {consumer} within {self.wait + _GRACE:g} s.",
                        "Is the server frozen? %natslab status shows.",
                    ) from None
                message = delivered(msg, client)
                if message is not None:
                    got += 1
                    ending.pin = message.headers.get("Nats-Pin-Id", ending.pin)
                    if await heard(message):
                        break
                    continue
                status, said = status_of(msg)
                wire(f"<<< {status} {said}")
                if status == 100:
                    continue
                ending.status, ending.said = status, said
                return ending
            ending.status = 200
            return ending
        finally:
            if own is not None and not client.is_closed:
                with contextlib.suppress(nats.errors.Error):
                    await own.unsubscribe()


def status_of(msg: Msg) -> tuple[int, str]:
    """Status and words of a message that is none; (0, "") when it has no status."""
    headers = _headers(msg)
    status = headers.get("Status", "")
    words = _WORDS.sub(" ", headers.get("Description", "")).strip()
    return (int(status) if status.isdecimal() else 0), words


async def answer(message: StreamMessage, body: bytes, timeout: float) -> bool:
    """Send an answer for the message and wait until the server took it; False when it took none in time.

    Raises ClientError when the client that got the message has no connection any more.
    """
    client = message.client
    if client is None or client.is_closed:
        raise ClientError("The client that fetched the message is gone.", "Fetch the message again.")
    try:
        await client.request(message.reply, body, timeout=timeout)
    except nats.errors.TimeoutError:
        return False
    except nats.errors.NoRespondersError:
        return False
    return True


async def read_direct(api: Api, stream: str, body: dict[str, Any]) -> AsyncIterator[StreamMessage]:
    """The messages of one direct get in a batch ($JS.API.DIRECT.GET, ADR-31).

    Raises Timeout when the server is silent, ClientError when the stream allows no direct reads.
    """
    client = api.client
    sub = await client.subscribe(client.new_inbox())
    try:
        subject = f"{api.prefix}.DIRECT.GET.{stream}"
        await client.publish(subject, json.dumps(body).encode(), sub.subject)
        while True:
            try:
                msg = await sub.next_msg(api.timeout)
            except nats.errors.TimeoutError:
                raise Timeout(
                    f"JetStream did not answer on {subject} within {api.timeout:g} s.",
                    "Is the server frozen? %natslab status shows.",
                ) from None
            headers = _headers(msg)
            status, said = status_of(msg)
            if status in (204, 404):
                return
            if status:
                raise ClientError(
                    f"{stream} cannot be read directly: {said or status}.", "Leave out --direct."
                )
            where = Attempt(
                headers.pop("Nats-Stream", stream), "", 0, int(headers.pop("Nats-Sequence", 0)), 0, 0.0,
                int(headers.pop("Nats-Num-Pending", 0)),
            )  # fmt: skip
            message = StreamMessage(msg, where)
            message.subject = headers.pop("Nats-Subject", msg.subject)
            message.headers = {k: v for k, v in headers.items() if k not in _READ}
            yield message
    finally:
        if not client.is_closed:
            with contextlib.suppress(nats.errors.Error):
                await sub.unsubscribe()


_READ = ("Nats-Time-Stamp", "Nats-Last-Sequence", "Nats-UpTo-Sequence")
