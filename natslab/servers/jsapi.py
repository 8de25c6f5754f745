"""The JetStream API as it is: a request with a JSON body, an answer with JSON, errors with a code.

Subjects and bodies are those of the server's API reference ($JS.API.>). nats-py has most of it; here
is all of it, with the server's own field names, so that commands show what the wire says.
"""

from __future__ import annotations

import asyncio
import difflib
import json
import time
from collections.abc import Awaitable, Callable
from typing import Any

import nats.errors
from nats.aio.client import Client
from nats.aio.msg import Msg

from natslab.errors import ClientError, NatslabError, NoResponders, Timeout
from natslab.errors import there as there_are
from natslab.servers.asking import untraced
from natslab.servers.jserrors import explain, named_in

PREFIX = "$JS.API"
_PAUSE = 0.2  # seconds before a refusal that passes by itself is asked again


class JetStreamError(ClientError):
    """JetStream refused a request.

    `code` is the server's own error code (e.g. 10059), `status` its HTTP-like status (e.g. 404);
    `subject` (without the prefix) and `body` are those of the request.
    """

    def __init__(
        self,
        what: str,
        hint: str,
        code: int,
        status: int,
        description: str,
        subject: str = "",
        body: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(what, hint)
        self.code = code
        self.status = status
        self.description = description
        self.subject = subject
        self.body = body or {}


class Api:
    """The JetStream API over one connection.

    Parameters
    ----------
    client: the connection; its account is asked.
    prefix: what the subjects begin with, "$JS.API" or "$JS.<domain>.API".
    timeout: seconds to wait for each answer.
    heard: told (subject, request, answer) of each exchange, for `--trace`.
    again: whether a refusal passes by itself: then it is asked again, for at most `timeout` seconds.
    """

    def __init__(
        self,
        client: Client,
        prefix: str = PREFIX,
        timeout: float = 5.0,
        heard: Callable[[str, bytes, bytes], None] | None = None,
        again: Callable[[JetStreamError], bool] | None = None,
    ) -> None:
        self.client = client
        self.prefix = prefix
        self.timeout = timeout
        self.heard = heard
        self.again = again

    async def call(
        self, subject: str, body: dict[str, Any] | None = None, *, timeout: float | None = None
    ) -> dict[str, Any]:
        """Ask `subject` (without the prefix, e.g. "STREAM.INFO.ORDERS") and give back the answer.

        Raises JetStreamError when the server refuses, NoResponders when JetStream is not there, Timeout.
        """
        data = b"" if body is None else json.dumps(body).encode()
        end = time.monotonic() + (self.timeout if timeout is None else timeout)
        while True:
            answer = await self.raw(subject, data, timeout=timeout)
            try:
                said: dict[str, Any] = json.loads(answer.data)
            except ValueError:
                raise ClientError(
                    f"What answered on {self.prefix}.{subject} is not JetStream.", "Is the API prefix right?"
                ) from None
            if "error" not in said:
                return said
            error = refusal(subject, body or {}, said["error"])
            if self.again is None or not self.again(error) or time.monotonic() >= end:
                raise await self.named(error, subject, body or {})
            await asyncio.sleep(_PAUSE)

    async def named(self, error: JetStreamError, subject: str, body: dict[str, Any]) -> JetStreamError:
        """The error, with the names of what is there when it is about what is not (or is in the way).

        `subject` and `body` are those of the request. Asks the server once more; where that fails the
        error stays as it is.
        """
        ask = _WHAT_IS_THERE.get(error.code)
        if ask is not None:
            heard, self.heard = self.heard, None
            try:
                sentence = await ask(self, error, subject, body)
            except NatslabError:
                sentence = None
            finally:
                self.heard = heard
            if sentence is not None:
                error.what, error.hint = error.args = sentence
        return error

    async def raw(
        self,
        subject: str,
        data: bytes = b"",
        *,
        timeout: float | None = None,
        headers: dict[str, str] | None = None,
    ) -> Msg:
        """As `call`, with bytes and the whole answer; a status in it (404, 408) is left to the caller."""
        wait = self.timeout if timeout is None else timeout
        full = f"{self.prefix}.{subject}"
        try:
            with untraced():
                answer = await self.client.request(full, data, timeout=wait, headers=headers)
        except nats.errors.NoRespondersError:
            raise NoResponders(
                f"JetStream does not answer on {full}.",
                "It is off for this account, or the API prefix or domain is wrong.",
                subject,
            ) from None
        except nats.errors.TimeoutError:
            raise Timeout(
                f"JetStream did not answer on {full} within {wait:g} s.",
                "Is the server frozen or without a leader? %natslab status shows.",
                subject,
            ) from None
        if self.heard is not None:
            self.heard(full, data, answer.data)
        return answer

    async def pages(
        self,
        subject: str,
        key: str,
        body: dict[str, Any] | None = None,
        silent: list[str] | None = None,
    ) -> list[Any]:
        """All entries of a list that the server gives in pages (STREAM.NAMES, CONSUMER.LIST.S, ...).

        `key` is the field with the entries, e.g. "streams". Into `silent` go the names of those about
        which no server of a cluster said anything, because they have no leader.
        """
        found: list[Any] = []
        offset = 0
        while True:
            said = await self.call(subject, {**(body or {}), "offset": offset})
            page, missing = said.get(key) or [], said.get("missing") or []
            found += page
            if silent is not None:
                silent += missing
            offset += len(page) + len(missing)
            if not page or offset >= said.get("total", 0):
                return found


def refusal(subject: str, body: dict[str, Any], error: dict[str, Any]) -> JetStreamError:
    """The exception for an `error` that JetStream answered with.

    `subject` and `body` are those of the request; their names go into the explanation.
    """
    code, status = int(error.get("err_code", 0)), int(error.get("code", 0))
    description = str(error.get("description", "no reason given"))
    what, hint = explain(code, subject, body, description)
    return JetStreamError(what, hint, code, status, description, subject, body)


_Sentence = tuple[str, str] | None


def nearest(name: str, there: list[str], what: str, all_of_them: str) -> str:
    """The hint for a name that is not among those that are `there`.

    `what` is one of them ("stream"); `all_of_them` the line that lists them.
    """
    if not there:
        return f"There is no {what} yet."
    folded = {n.lower(): n for n in reversed(there)}
    near = difflib.get_close_matches(name.lower(), folded, 1, 0.6)
    if near:
        return f"Did you mean {folded[near[0]]}?"
    if len(there) <= 8:
        return there_are(sorted(there))
    return f"Which there are: {all_of_them}"


async def _streams(api: Api, error: JetStreamError, subject: str, body: dict[str, Any]) -> _Sentence:
    stream = named_in(subject)[0]
    if not stream:
        return None
    names = await api.pages("STREAM.NAMES", "streams")
    for prefix, what, line in (("KV_", "bucket", "kv"), ("OBJ_", "object bucket", "object")):
        if stream.startswith(prefix):
            there = [n.removeprefix(prefix) for n in names if n.startswith(prefix)]
            return error.what, nearest(stream.removeprefix(prefix), there, what, f"%js {line} ls")
    return error.what, nearest(stream, names, "stream", "%js stream ls")


async def _consumers(api: Api, error: JetStreamError, subject: str, body: dict[str, Any]) -> _Sentence:
    stream, consumer = named_in(subject)
    if not consumer:
        return None
    names = await api.pages(f"CONSUMER.NAMES.{stream}", "consumers")
    if not names:
        return error.what, f"It has none yet: %js consumer add {stream} {consumer}"
    return error.what, nearest(consumer, names, "consumer", f"%js consumer ls {stream}")


async def _overlapping(api: Api, error: JetStreamError, subject: str, body: dict[str, Any]) -> _Sentence:
    stream = named_in(subject)[0]
    for wanted in body.get("subjects") or [stream]:
        for other in await api.pages("STREAM.NAMES", "streams", {"subject": wanted}):
            if other == stream:
                continue
            config = (await api.call(f"STREAM.INFO.{other}"))["config"]
            theirs = next((s for s in config.get("subjects") or [] if _overlap(s, wanted)), "")
            has = f"which overlaps with {wanted}" if theirs != wanted else "too"
            return (
                f"Stream {other} takes {theirs or wanted}, {has}, and a message can be in one stream only "
                f"(error {error.code}).",
                f"Choose subjects that do not overlap, or change those of {other}.",
            )
    return None


async def _filtered(api: Api, error: JetStreamError, subject: str, body: dict[str, Any]) -> _Sentence:
    stream = named_in(subject)[0]
    config = (await api.call(f"STREAM.INFO.{stream}"))["config"]
    subjects = config.get("subjects") or []
    return error.what, f"The stream takes {', '.join(subjects)}." if subjects else error.hint


async def _sharers(api: Api, error: JetStreamError, subject: str, body: dict[str, Any]) -> _Sentence:
    stream = named_in(subject)[0]
    names = sorted(await api.pages(f"CONSUMER.NAMES.{stream}", "consumers"))
    if not names:
        return None
    return error.what, f"{there_are(names)} {error.hint}"


_WHAT_IS_THERE: dict[
    int, Callable[[Api, JetStreamError, str, dict[str, Any]], Awaitable[tuple[str, str] | None]]
] = {
    10014: _consumers,
    10059: _streams,
    10065: _overlapping,
    10093: _filtered,
    10099: _sharers,
    10100: _sharers,
    10149: _consumers,
}


def _overlap(one: str, other: str) -> bool:
    """Whether a message could match both subjects."""
    a, b = one.split("."), other.split(".")
    for x, y in zip(a, b, strict=False):
        if ">" in (x, y):
            return True
        if x != y and "*" not in (x, y):
            return False
    return len(a) == len(b)
