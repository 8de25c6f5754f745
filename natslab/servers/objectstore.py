"""An object store: a stream that holds files cut into chunks, and a description of each (ADR-20).

The chunks of an object are messages on $O.<bucket>.C.<nuid>, its description is the last message on
$O.<bucket>.M.<name in base64>. The digest over all chunks is checked whenever an object is read.
"""

from __future__ import annotations

import base64
import contextlib
import datetime
import hashlib
import json
from collections.abc import AsyncIterator, Iterable
from typing import Any

from nats.nuid import NUID

from natslab.errors import ClientError, CommandError, NatslabError
from natslab.servers.direct import Kept, Reader
from natslab.servers.jsapi import Api, JetStreamError
from natslab.servers.keyvalue import check_bucket
from natslab.servers.storing import store

STREAM = "OBJ_"
CHUNK = 128 * 1024  # bytes of a chunk, as all clients have it
_BATCH = 64  # chunks that are asked for at once
_ROLLUP = {"Nats-Rollup": "sub"}


class ObjectInfo:
    """What a store says of one object; `facts` is its JSON."""

    def __init__(self, bucket: str, facts: dict[str, Any], stored: datetime.datetime, seq: int = 0) -> None:
        self.bucket = bucket
        self.facts = facts
        self.name = str(facts.get("name", ""))
        self.description = str(facts.get("description") or "")
        self.size = int(facts.get("size") or 0)
        self.chunks = int(facts.get("chunks") or 0)
        self.digest = str(facts.get("digest") or "")
        self.deleted = bool(facts.get("deleted"))
        self.nuid = str(facts.get("nuid", ""))
        self.headers: dict[str, str] = {
            k: v if isinstance(v, str) else ", ".join(v) for k, v in (facts.get("headers") or {}).items()
        }
        self.modified = stored
        self.revision = seq

    @property
    def sha256(self) -> str:
        """The digest in hexadecimal; "" where there is none."""
        with contextlib.suppress(ValueError):
            return base64.urlsafe_b64decode(self.digest.removeprefix("SHA-256=")).hex()
        return ""

    def __repr__(self) -> str:
        state = ", deleted" if self.deleted else ""
        return f"ObjectInfo({self.name!r}, size={self.size}, chunks={self.chunks}{state})"


def check_name(name: str) -> str:
    """The name of an object. Raises CommandError for one that cannot be."""
    if not name or len(name.encode()) > 500 or any(ord(c) < 32 for c in name):
        raise CommandError(
            f"{name[:60]!r} cannot be the name of an object.", "Use a text of 500 bytes at most, on one line."
        )
    return name


class ObjectStore:
    """One bucket, as its stream's info describes it."""

    def __init__(self, api: Api, name: str, info: dict[str, Any]) -> None:
        self.api = api
        self.name = name
        self.info = info
        self.config: dict[str, Any] = info["config"]
        self.reader = Reader(api, self.config)

    @classmethod
    async def open(cls, api: Api, name: str) -> ObjectStore:
        """The store of that name. Raises ClientError when there is none."""
        check_bucket(name, "object store")
        try:
            info = await api.call(f"STREAM.INFO.{STREAM}{name}")
        except JetStreamError as e:
            if e.code != 10059:
                raise
            raise JetStreamError(
                f"There is no object store {name}.",
                f"Make it: %js object add {name}; or see which there are: %js object ls",
                e.code,
                e.status,
                e.description,
            ) from None
        return cls(api, name, info)

    def _meta(self, name: str) -> str:
        return f"$O.{self.name}.M.{base64.urlsafe_b64encode(name.encode()).decode()}"

    def _chunks(self, nuid: str) -> str:
        return f"$O.{self.name}.C.{nuid}"

    def described(self, kept: Kept) -> ObjectInfo:
        """What a message with a description says. Raises ClientError when it is none."""
        return ObjectInfo(self.name, _facts(kept.data, self.name), kept.time, kept.seq)

    async def find(self, name: str) -> ObjectInfo | None:
        """What is known of an object, also of a deleted one; None when there never was one."""
        kept = await self.reader.last(self._meta(check_name(name)))
        return self.described(kept) if kept is not None else None

    async def get(self, name: str) -> ObjectInfo:
        """What is known of an object that is there. Raises ClientError when it is not."""
        found = await self.find(name)
        if found is None or found.deleted:
            gone = "was deleted from" if found is not None else "is not in"
            raise ClientError(
                f"{name} {gone} the object store {self.name}.", f"What there is: %js object ls {self.name}"
            )
        return found

    async def objects(self) -> list[ObjectInfo]:
        """Every object that is there, by name."""
        found = [self.described(kept) for kept in await self.reader.lasts(f"$O.{self.name}.M.>")]
        return sorted((o for o in found if not o.deleted), key=lambda o: o.name)

    async def put(
        self,
        name: str,
        pieces: Iterable[bytes],
        *,
        description: str = "",
        headers: dict[str, str] | None = None,
        chunk: int = CHUNK,
    ) -> ObjectInfo:
        """Store an object, in place of one with that name.

        Parameters
        ----------
        pieces: the content, each piece at most `chunk` bytes.

        When it fails, what was stored of it is removed, and what was there stays.
        """
        before = await self.find(name)
        nuid = NUID().next().decode()
        digest, size, chunks = hashlib.sha256(), 0, 0
        try:
            for piece in pieces:
                await self._store(self._chunks(nuid), piece)
                digest.update(piece)
                size += len(piece)
                chunks += 1
            facts: dict[str, Any] = {
                "name": name,
                **({"description": description} if description else {}),
                **({"headers": {k: [v] for k, v in headers.items()}} if headers else {}),
                "options": {"max_chunk_size": chunk},
                "bucket": self.name,
                "nuid": nuid,
                "size": size,
                "mtime": _now(),
                "chunks": chunks,
                "digest": "SHA-256=" + base64.urlsafe_b64encode(digest.digest()).decode(),
            }
            await self._store(self._meta(name), json.dumps(facts).encode(), _ROLLUP)
        except BaseException:
            with contextlib.suppress(NatslabError):
                await self._purge(nuid)
            raise
        if before is not None and before.nuid and not before.deleted:
            await self._purge(before.nuid)
        return await self.get(name)

    async def read(self, found: ObjectInfo) -> AsyncIterator[bytes]:
        """The content of an object, piece by piece.

        Raises ClientError at the end when its digest or size is not what the description says; what
        came before is then not to be used.
        """
        digest, size = hashlib.sha256(), 0
        async for kept in self.reader.each(self._chunks(found.nuid), _BATCH):
            digest.update(kept.data)
            size += len(kept.data)
            yield kept.data
        told = "SHA-256=" + base64.urlsafe_b64encode(digest.digest()).decode()
        # Some clients leave out the padding.
        if size != found.size or (found.digest and told.rstrip("=") != found.digest.rstrip("=")):
            wrong = f"{size:,} of {found.size:,} bytes" if size != found.size else "another digest"
            raise ClientError(
                f"{found.name} of {self.name} is damaged: its chunks have {wrong}.",
                "Nothing was written. Put the object again.",
            )

    async def delete(self, name: str) -> ObjectInfo:
        """Remove an object; a mark that it is gone stays. Returns what it was."""
        found = await self.get(name)
        facts = {**found.facts, "deleted": True, "size": 0, "chunks": 0, "digest": "", "mtime": _now()}
        await self._store(self._meta(name), json.dumps(facts).encode(), _ROLLUP)
        await self._purge(found.nuid)
        return found

    async def _store(self, subject: str, data: bytes, headers: dict[str, str] | None = None) -> None:
        await store(self.api.client, subject, data, headers, self.api.timeout, self.api.heard)

    async def _purge(self, nuid: str) -> None:
        await self.api.call(f"STREAM.PURGE.{STREAM}{self.name}", {"filter": self._chunks(nuid)})


def _facts(data: bytes, bucket: str) -> dict[str, Any]:
    try:
        facts = json.loads(data)
    except ValueError:
        facts = None
    if not isinstance(facts, dict):
        raise ClientError(f"A description in the object store {bucket} cannot be read.", "Who wrote it?")
    return facts


def _now() -> str:
    return datetime.datetime.now(datetime.UTC).isoformat().replace("+00:00", "Z")
