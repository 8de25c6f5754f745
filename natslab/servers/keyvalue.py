"""A key-value bucket: a stream whose subjects are keys (ADR-8), with errors that name both revisions."""

from __future__ import annotations

import datetime
import re
from typing import Any

from natslab.errors import ClientError, CommandError
from natslab.servers.direct import Kept, Reader
from natslab.servers.jsapi import PREFIX, Api, JetStreamError
from natslab.servers.storing import store

STREAM = "KV_"
OPERATION = "KV-Operation"
MARKER = "Nats-Marker-Reason"
PUT, DEL, PURGE, EXPIRED = "PUT", "DEL", "PURGE", "EXPIRED"

_BUCKET = re.compile(r"[A-Za-z0-9_-]+")
_KEY = re.compile(r"[-/_=.A-Za-z0-9]+")
_PATTERN = re.compile(r"[-/_=.A-Za-z0-9*>]+")
_OLD = datetime.timedelta(minutes=30)  # a delete marker older than this goes too when compacted
_LAST = "Nats-Expected-Last-Subject-Sequence"


class Entry:
    """One revision of a key.

    `operation` is PUT, DEL, PURGE, or EXPIRED where the server left a marker because its time was over.
    """

    def __init__(self, bucket: str, key: str, kept: Kept) -> None:
        self.bucket = bucket
        self.key = key
        self.value = kept.data
        self.revision = kept.seq
        self.operation = operation(kept.headers)
        self.created = kept.time
        self.headers = kept.headers
        self.pending = kept.pending

    @property
    def text(self) -> str:
        """The value as text."""
        return self.value.decode("utf-8", "backslashreplace")

    @property
    def there(self) -> bool:
        """Whether it is a value, and not the mark of one that is gone."""
        return self.operation == PUT

    def __repr__(self) -> str:
        return f"Entry({self.key!r}, {self.value!r}, revision={self.revision}, operation={self.operation!r})"


def operation(headers: dict[str, str]) -> str:
    """What a message with these headers did to its key."""
    said = headers.get(OPERATION, "")
    if said:
        return said.upper()
    return {"": PUT, "MaxAge": EXPIRED, "Remove": DEL}.get(headers.get(MARKER, ""), PURGE)


def check_bucket(name: str, what: str = "bucket") -> str:
    """The name. Raises CommandError for one that cannot be a bucket's."""
    article = "an" if what[0] in "aeiou" else "a"
    if not _BUCKET.fullmatch(name) or len(name) > 200:
        raise CommandError(
            f"{_short(name)} cannot be the name of {article} {what}.",
            "Use letters, digits, - and _: CONFIG",
        )
    return name


def check_key(key: str, *, pattern: bool = False) -> str:
    """The key, or with `pattern` what matches keys. Raises CommandError for what is none."""
    allowed = _PATTERN if pattern else _KEY
    tokens = key.split(".")
    wrong = not allowed.fullmatch(key) or len(key) > 1000 or "" in tokens
    if pattern:
        wrong = wrong or any(("*" in t or ">" in t) and len(t) > 1 for t in tokens) or ">" in tokens[:-1]
    if wrong:
        why = "wildcards name no single key" if re.search(r"[*>]", key) and not pattern else ""
        raise CommandError(
            f"{_short(key)} cannot be a key{f': {why}' if why else ''}.",
            "Use letters, digits and - _ = / and dots between words: sue.color",
        )
    return key


def _short(text: str) -> str:
    return repr(text if len(text) <= 60 else text[:59] + "…")


class KeyValue:
    """One bucket, as its stream's info describes it.

    Parameters
    ----------
    info: STREAM.INFO of the bucket's stream.
    """

    def __init__(self, api: Api, name: str, info: dict[str, Any]) -> None:
        self.api = api
        self.name = name
        self.info = info
        self.config: dict[str, Any] = info["config"]
        self.reader = Reader(api, self.config)
        mirror = self.config.get("mirror") or {}
        origin = str(mirror.get("name", "")).removeprefix(STREAM) or name
        #: What the keys' subjects begin with; a mirror keeps those of its origin.
        self.prefix = f"$KV.{origin}."
        outside = (mirror.get("external") or {}).get("api", "")
        self._into = f"{outside}.{self.prefix}" if outside else self.prefix
        if api.prefix != PREFIX and not outside:
            self._into = f"{api.prefix}.{self.prefix}"

    @classmethod
    async def open(cls, api: Api, name: str) -> KeyValue:
        """The bucket of that name. Raises ClientError when there is none."""
        check_bucket(name)
        try:
            info = await api.call(f"STREAM.INFO.{STREAM}{name}")
        except JetStreamError as e:
            if e.code != 10059:
                raise
            raise JetStreamError(
                f"There is no bucket {name}.",
                f"Make it: %js kv add {name}; or see which there are: %js kv ls",
                e.code,
                e.status,
                e.description,
            ) from None
        return cls(api, name, info)

    def _entry(self, kept: Kept) -> Entry:
        return Entry(self.name, kept.subject.removeprefix(self.prefix), kept)

    async def last(self, key: str) -> Entry | None:
        """The newest revision of a key, whatever it did; None when there is none."""
        kept = await self.reader.last(self.prefix + check_key(key))
        return self._entry(kept) if kept is not None else None

    async def get(self, key: str, revision: int = 0) -> Entry:
        """The value of a key, or the one it had at a revision.

        Raises ClientError when the key has none: never written, deleted, or its time was over.
        """
        if revision:
            check_key(key)
            kept = await self.reader.at(revision)
            if kept is None or kept.subject != self.prefix + key:
                raise ClientError(
                    f"{key} has no revision {revision} in bucket {self.name}.",
                    f"Which there are: %js kv history {self.name} {key}",
                )
            entry = self._entry(kept)
        else:
            found = await self.last(key)
            if found is None:
                raise ClientError(
                    f"There is no key {key} in bucket {self.name}.", f"Which there are: %js kv ls {self.name}"
                )
            entry = found
        if not entry.there:
            gone = {DEL: "was deleted", PURGE: "was purged", EXPIRED: "has expired"}[entry.operation]
            raise ClientError(
                f"The key {key} {gone} (revision {entry.revision} of bucket {self.name}).",
                f"Write it anew: %js kv put {self.name} {key} VALUE",
            )
        return entry

    async def _write(self, key: str, value: bytes, headers: dict[str, str] | None = None) -> int:
        subject = self._into + check_key(key)
        try:
            ack = await store(self.api.client, subject, value, headers, self.api.timeout, self.api.heard)
        except JetStreamError as e:
            raise self._full(e, len(value)) from None
        return ack.seq

    def _full(self, error: JetStreamError, size: int) -> JetStreamError:
        if error.code == 10077:
            return _changed(
                error,
                f"The bucket {self.name} is full ({self.config['max_bytes']:,} bytes): nothing was written.",
                f"Raise its limit: %js kv edit {self.name} --max-bucket-size SIZE; or purge keys.",
            )
        if error.code == 10054:
            return _changed(
                error,
                f"The value has {size:,} bytes, and the bucket {self.name} takes "
                f"{self.config['max_msg_size']:,}: nothing was written.",
                f"Raise its limit: %js kv edit {self.name} --max-value-size SIZE",
            )
        return error

    async def put(self, key: str, value: bytes) -> int:
        """Write a key; returns the revision."""
        return await self._write(key, value)

    async def create(self, key: str, value: bytes, ttl: float = 0.0) -> int:
        """Write a key that has no value; it lives `ttl` seconds, 0: for ever. Returns the revision.

        Raises JetStreamError when it has one.
        """
        more = {"Nats-TTL": _ttl(ttl)} if ttl else {}
        expected = 0
        while True:
            try:
                return await self._write(key, value, {_LAST: str(expected), **more})
            except JetStreamError as e:
                if e.code not in (10071, 10164):
                    raise _no_ttl(e, self.name) from None
                found = await self.last(key)
                if found is None or found.there or found.revision == expected:
                    revision = found.revision if found is not None else "another"
                    raise _changed(
                        e,
                        f"The key {key} is there already: {self.name} > {key} has revision {revision}.",
                        f"Somebody was first, and what is there was not touched; read it: "
                        f"%js kv get {self.name} {key}",
                    ) from None
                expected = found.revision  # a mark that it is gone: to be replaced, if it is still the last

    async def update(self, key: str, value: bytes, revision: int) -> int:
        """Write a key whose newest revision is `revision`; returns the new one.

        Raises JetStreamError, naming both, when the newest is another.
        """
        try:
            return await self._write(key, value, {_LAST: str(revision)})
        except JetStreamError as e:
            if e.code not in (10071, 10164):
                raise
            found = await self.last(key)
            if found is None:
                raise _changed(
                    e,
                    f"Revision {revision} was given, and the key {key} was never written in {self.name}.",
                    f"Write it first: %js kv create {self.name} {key} VALUE",
                ) from None
            gone = "" if found.there else ", where it is gone"
            raise _changed(
                e,
                f"Revision {revision} was given, but {self.name} > {key} is at revision "
                f"{found.revision}{gone}: nothing was written.",
                ("Somebody wrote in between. " if found.revision > revision else "")
                + f"Read it again (%js kv get {self.name} {key}), and update revision {found.revision}.",
            ) from None

    async def delete(self, key: str) -> int:
        """Mark a key as deleted; its older revisions stay. Returns the revision of the mark."""
        return await self._write(key, b"", {OPERATION: DEL})

    async def purge(self, key: str, ttl: float = 0.0) -> int:
        """Remove all revisions of a key and leave a mark, which lives `ttl` seconds, 0: for ever."""
        more = {"Nats-TTL": _ttl(ttl)} if ttl else {}
        try:
            return await self._write(key, b"", {OPERATION: PURGE, "Nats-Rollup": "sub", **more})
        except JetStreamError as e:
            raise _no_ttl(e, self.name) from None

    async def history(self, key: str) -> list[Entry]:
        """Every revision of a key that the bucket keeps, oldest first. Raises ClientError without any."""
        kept = await self.reader.all(self.prefix + check_key(key))
        if not kept:
            raise ClientError(
                f"There is no key {key} in bucket {self.name}.", f"Which there are: %js kv ls {self.name}"
            )
        return [self._entry(one) for one in kept]

    async def entries(self, pattern: str = ">") -> list[Entry]:
        """The newest revision of every key that matches, by key, with the marks of those that are gone."""
        return [
            self._entry(one)
            for one in await self.reader.lasts(self.prefix + check_key(pattern, pattern=True))
        ]

    async def compact(self) -> tuple[list[str], int]:
        """Remove what deleted keys leave behind; marks younger than 30 minutes stay, as the CLI does it.

        Returns the keys, and how many messages went.
        """
        keys, removed = [], 0
        now = datetime.datetime.now(datetime.UTC)
        for entry in await self.entries():
            if not entry.there:
                body: dict[str, Any] = {"filter": self.prefix + entry.key}
                if now - entry.created < _OLD:
                    body["keep"] = 1
                said = await self.api.call(f"STREAM.PURGE.{STREAM}{self.name}", body)
                keys.append(entry.key)
                removed += int(said.get("purged", 0))
        return keys, removed


def _ttl(seconds: float) -> str:
    return f"{max(1, round(seconds))}s"


def _changed(error: JetStreamError, what: str, hint: str) -> JetStreamError:
    return JetStreamError(
        f"{what.rstrip('.')} (error {error.code}).", hint, error.code, error.status, error.description
    )


def _no_ttl(error: JetStreamError, bucket: str) -> JetStreamError:
    if error.code != 10166:
        return error
    return _changed(
        error,
        f"The bucket {bucket} does not allow a lifetime for single keys.",
        f"Allow it: %js kv edit {bucket} --marker-ttl 1m",
    )
