"""The JetStream API as it is: a request with a JSON body, an answer with JSON, errors with a code.

Subjects and bodies are those of the server's API reference ($JS.API.>). nats-py has most of it; here
is all of it, with the server's own field names, so that commands show what the wire says.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import nats.errors
from nats.aio.client import Client
from nats.aio.msg import Msg

from natslab.errors import ClientError, NoResponders, Timeout
from natslab.servers.asking import untraced
from natslab.servers.jserrors import explain

PREFIX = "$JS.API"


class JetStreamError(ClientError):
    """JetStream refused a request.

    `code` is the server's own error code (e.g. 10059), `status` its HTTP-like status (e.g. 404).
    """

    def __init__(self, what: str, hint: str, code: int, status: int, description: str) -> None:
        super().__init__(what, hint)
        self.code = code
        self.status = status
        self.description = description


class Api:
    """The JetStream API over one connection.

    Parameters
    ----------
    client: the connection; its account is asked.
    prefix: what the subjects begin with, "$JS.API" or "$JS.<domain>.API".
    timeout: seconds to wait for each answer.
    heard: told (subject, request, answer) of each exchange, for `--trace`.
    """

    def __init__(
        self,
        client: Client,
        prefix: str = PREFIX,
        timeout: float = 5.0,
        heard: Callable[[str, bytes, bytes], None] | None = None,
    ) -> None:
        self.client = client
        self.prefix = prefix
        self.timeout = timeout
        self._heard = heard

    async def call(
        self, subject: str, body: dict[str, Any] | None = None, *, timeout: float | None = None
    ) -> dict[str, Any]:
        """Ask `subject` (without the prefix, e.g. "STREAM.INFO.ORDERS") and give back the answer.

        Raises JetStreamError when the server refuses, NoResponders when JetStream is not there, Timeout.
        """
        data = b"" if body is None else json.dumps(body).encode()
        answer = await self.raw(subject, data, timeout=timeout)
        try:
            said: dict[str, Any] = json.loads(answer.data)
        except ValueError:
            raise ClientError(
                f"What answered on {self.prefix}.{subject} is not JetStream.", "Is the API prefix right?"
            ) from None
        if "error" in said:
            raise refusal(subject, body or {}, said["error"])
        return said

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
            ) from None
        except nats.errors.TimeoutError:
            raise Timeout(
                f"JetStream did not answer on {full} within {wait:g} s.",
                "Is the server frozen or without a leader? %natslab status shows.",
            ) from None
        if self._heard is not None:
            self._heard(full, data, answer.data)
        return answer

    async def pages(self, subject: str, key: str, body: dict[str, Any] | None = None) -> list[Any]:
        """All entries of a list that the server gives in pages (STREAM.NAMES, CONSUMER.LIST.S, ...).

        `key` is the field with the entries, e.g. "streams".
        """
        found: list[Any] = []
        while True:
            said = await self.call(subject, {**(body or {}), "offset": len(found)})
            page = said.get(key) or []
            found += page
            if not page or len(found) >= said.get("total", 0):
                return found


def refusal(subject: str, body: dict[str, Any], error: dict[str, Any]) -> JetStreamError:
    """The exception for an `error` that JetStream answered with.

    `subject` and `body` are those of the request; their names go into the explanation.
    """
    code, status = int(error.get("err_code", 0)), int(error.get("code", 0))
    description = str(error.get("description", "no reason given"))
    what, hint = explain(code, subject, body, description)
    return JetStreamError(what, hint, code, status, description)
