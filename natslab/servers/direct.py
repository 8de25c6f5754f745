"""Reading messages out of a stream: by a direct get where the stream allows it, else by its API.

A direct get (ADR-31) is answered by any replica and leaves no trace; several messages come in one go.
"""

from __future__ import annotations

import base64
import contextlib
import datetime
import json
from collections.abc import AsyncIterator
from typing import Any

import nats.errors
from nats.aio.msg import Msg

from natslab.errors import Timeout
from natslab.servers.asking import untraced
from natslab.servers.jsapi import Api, JetStreamError

SUBJECTS = 500  # whose last messages are asked for at once; the server answers for 1024 at most

_ADDED = ("Nats-Stream", "Nats-Subject", "Nats-Sequence", "Nats-Time-Stamp", "Nats-Num-Pending")
_LAST = "Nats-Last-Sequence"


class Kept:
    """A message as a stream keeps it."""

    __slots__ = ("data", "headers", "pending", "seq", "subject", "time")

    def __init__(
        self,
        subject: str,
        seq: int,
        data: bytes,
        headers: dict[str, str],
        time: datetime.datetime,
        pending: int = 0,
    ) -> None:
        self.subject = subject
        self.seq = seq
        self.data = data
        self.headers = headers
        self.time = time
        self.pending = pending  # more that match, where several were asked for


class Reader:
    """Reads from one stream.

    Parameters
    ----------
    config: of the stream, as STREAM.INFO has it.
    """

    def __init__(self, api: Api, config: dict[str, Any]) -> None:
        self.api = api
        self.stream = str(config["name"])
        self.direct = bool(config.get("allow_direct") or config.get("mirror_direct"))

    async def last(self, subject: str) -> Kept | None:
        """The last message of a subject; None when there is none."""
        if self.direct:
            return _kept(await self.api.raw(f"DIRECT.GET.{self.stream}.{subject}"))
        return await self._get({"last_by_subj": subject})

    async def at(self, seq: int) -> Kept | None:
        """The message with that sequence; None when there is none."""
        if self.direct:
            return _kept(await self.api.raw(f"DIRECT.GET.{self.stream}", json.dumps({"seq": seq}).encode()))
        return await self._get({"seq": seq})

    async def each(self, subject: str, batch: int = 1000) -> AsyncIterator[Kept]:
        """Every message of a subject, oldest first; so many are asked for at once."""
        seq = 1
        while True:
            if self.direct:
                some = await self._several({"seq": seq, "next_by_subj": subject, "batch": batch})
            else:
                one = await self._get({"seq": seq, "next_by_subj": subject})
                some = [one] if one is not None else []
            for kept in some:
                yield kept
            if not some or (self.direct and not some[-1].pending):
                return
            seq = some[-1].seq + 1

    async def all(self, subject: str) -> list[Kept]:
        """The same in a list."""
        return [kept async for kept in self.each(subject)]

    async def lasts(self, pattern: str) -> list[Kept]:
        """The last message of every subject that matches the pattern, by subject."""
        names = sorted(await self.subjects(pattern))
        found: list[Kept] = []
        if not self.direct:
            found = [one for name in names if (one := await self.last(name)) is not None]
        for i in range(0, len(names) if self.direct else 0, SUBJECTS):
            found += await self._several({"multi_last": names[i : i + SUBJECTS], "batch": SUBJECTS})
        return sorted(found, key=lambda kept: kept.subject)

    async def subjects(self, pattern: str = ">") -> dict[str, int]:
        """How many messages each subject has."""
        found: dict[str, int] = {}
        while True:
            said = await self.api.call(
                f"STREAM.INFO.{self.stream}", {"subjects_filter": pattern, "offset": len(found)}
            )
            page = said["state"].get("subjects") or {}
            found |= page
            if not page or len(found) >= said.get("total", 0):
                return found

    async def _get(self, body: dict[str, Any]) -> Kept | None:
        try:
            said = (await self.api.call(f"STREAM.MSG.GET.{self.stream}", body))["message"]
        except JetStreamError as e:
            if e.code == 10037:  # there is no such message
                return None
            raise
        return Kept(
            said["subject"],
            said["seq"],
            base64.b64decode(said.get("data") or ""),
            _headers(base64.b64decode(said.get("hdrs") or "")),
            moment(said["time"]),
        )

    async def _several(self, body: dict[str, Any]) -> list[Kept]:
        client = self.api.client
        inbox = client.new_inbox()
        sub = await client.subscribe(inbox)
        found: list[Kept] = []
        try:
            subject = f"{self.api.prefix}.DIRECT.GET.{self.stream}"
            with untraced():
                await client.publish(subject, json.dumps(body).encode(), reply=inbox)
            while True:
                answer = await sub.next_msg(self.api.timeout)
                one = _kept(answer)
                if one is None:
                    return found
                found.append(one)
        except nats.errors.TimeoutError:
            raise Timeout(
                f"The stream {self.stream} did not answer within {self.api.timeout:g} s.",
                "Is the server frozen? %natslab status shows.",
            ) from None
        finally:
            if not client.is_closed:
                with contextlib.suppress(nats.errors.Error):
                    await sub.unsubscribe()


def _kept(answer: Msg) -> Kept | None:
    """The message in the answer to a direct get; None where it is a status: not found, end of batch."""
    headers = dict(answer.headers or {})
    if "Nats-Sequence" not in headers:
        return None
    own = {k: v for k, v in headers.items() if k not in _ADDED and k != _LAST}
    return Kept(
        headers["Nats-Subject"],
        int(headers["Nats-Sequence"]),
        answer.data,
        own,
        moment(headers["Nats-Time-Stamp"]),
        int(headers.get("Nats-Num-Pending", 0)),
    )


def _headers(block: bytes) -> dict[str, str]:
    found: dict[str, str] = {}
    for line in block.decode(errors="replace").split("\r\n")[1:]:
        name, colon, value = line.partition(":")
        if colon:
            found.setdefault(name.strip(), value.strip())
    return found


def moment(text: str) -> datetime.datetime:
    """A time as the server writes it (RFC 3339, up to nanoseconds), to the microsecond."""
    head, dot, rest = text.partition(".")
    if dot:
        digits = rest.rstrip("Z").split("+")[0].split("-")[0]
        zone = rest[len(digits) :]
        text = f"{head}.{digits[:6]:0<6}{zone}"
    return datetime.datetime.fromisoformat(text.replace("Z", "+00:00"))
