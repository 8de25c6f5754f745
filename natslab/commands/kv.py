"""`nats kv`: key-value buckets."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from typing import Any

import click

from natslab.commands import words
from natslab.commands.bucket import (
    BucketInfo,
    apply_kv,
    configuring,
    fields,
    keep,
    kv_stream,
    need_force,
    seen_as,
)
from natslab.commands.config_body import KV as FIELDS
from natslab.commands.config_body import span
from natslab.commands.connect import Line
from natslab.commands.entries import Entries, Keys, Value, Written, shown
from natslab.commands.flags import COUNT, DURATION, NUMBER, flag, switch
from natslab.commands.jsresults import STREAM_INFO, Change, Listing, Names, changes
from natslab.commands.kv_watch import Watch
from natslab.commands.replicas import SOON, calm, made_of
from natslab.commands.results import Result, Text, one_line
from natslab.commands.server import size
from natslab.commands.tree import NATS
from natslab.errors import ClientError, CommandError, there
from natslab.servers.jsapi import JetStreamError
from natslab.servers.keyvalue import DEL, PURGE, STREAM, KeyValue, check_bucket, check_key

KV = NATS.group("kv", says="Key-value buckets: a stream whose subjects are keys.")

FORCE = switch("--force", "-f", help="do it without being asked")


@contextlib.asynccontextmanager
async def opened(line: Line, bucket: str, *, named: bool = True) -> AsyncIterator[KeyValue]:
    """The bucket, over the connection of this line."""
    check_bucket(bucket)
    async with line.jetstream(named=named) as api:
        yield await KeyValue.open(api, bucket)


def payload(line: Line, value: str | None) -> bytes:
    """The value in the line or in the cell body. Raises CommandError for none, or for both."""
    if line.body is not None and value is not None:
        raise CommandError("There is a value in the line and one in the cell body.", "Use one of them.")
    if line.body is None and value is None:
        how = f"%%js {line.text.removeprefix('nats ')}"
        raise CommandError("There is no value.", f"Write it behind the key, or in the cell body of {how}")
    return words.as_bytes(line.body if line.body is not None else value or "")


@KV.verb("add", "new", example="%js kv add CONFIG --history 5", body=True)
@click.argument("bucket")
@configuring("k", "a")
async def add(line: Line, bucket: str, **said: Any) -> Result:
    """Make a bucket.

    The cell body may say how, in YAML or JSON: history, ttl, limit_marker_ttl, max_value_size,
    max_bytes, storage, … A bucket that is there and is exactly so is left alone.
    """
    wanted = kv_stream(check_bucket(bucket), fields("k", bucket, line.body, said))
    async with line.jetstream() as api:
        try:
            made = await made_of(api, wanted)
        except JetStreamError as e:
            if e.code != 10058:
                raise
            raise JetStreamError(
                f"The bucket {bucket} is there already, and configured in another way (error {e.code}).",
                f"Change it: %js kv edit {bucket}; see it: %js kv info {bucket}",
                e.code,
                e.status,
                e.description,
            ) from None
    return BucketInfo("k", bucket, made, f"Bucket {bucket} was created")


@KV.verb("edit", example="%js kv edit CONFIG --history 10", body=True)
@click.argument("bucket")
@configuring("k", "e")
@switch("--force", "-f", help="also when values go by it")
async def edit(line: Line, bucket: str, no_mirror: bool, force: bool, **said: Any) -> Change:
    """Change how a bucket is; what is not said stays. A change by which values go needs -f."""
    async with opened(line, bucket) as kv:
        wanted = apply_kv(kv.config, bucket, fields("k", bucket, line.body, said))
        if no_mirror:
            wanted.pop("mirror", None)
            wanted.setdefault("subjects", [f"$KV.{bucket}.>"])
        await keep(kv.api, kv.info, wanted, f"bucket {bucket}", force)
        after = await kv.api.call(f"STREAM.UPDATE.{STREAM}{bucket}", wanted)
        diff = changes(seen_as("k", kv.config), seen_as("k", after["config"]), FIELDS)
    return Change(f"Bucket {bucket}", after, diff, FIELDS, STREAM_INFO)


@KV.verb("put", example="%js kv put CONFIG user.sue green", body=True)
@click.argument("bucket")
@click.argument("key")
@click.argument("value", required=False)
async def put(line: Line, bucket: str, key: str, value: str | None) -> Written:
    """Write a value; the cell body may hold it."""
    data = payload(line, value)
    async with opened(line, bucket) as kv:
        return _written(bucket, key, await kv.put(key, data))


def _written(bucket: str, key: str, revision: int) -> Written:
    return Written(f"{bucket} > {key} revision: {revision}", bucket, key, revision)


@KV.verb("get", example="%js kv get CONFIG user.sue --raw", mark="")
@click.argument("bucket")
@click.argument("key")
@flag("--revision", type=COUNT, help="the value that it had at this revision")
@switch("--raw", help="show only the value")
async def get(line: Line, bucket: str, key: str, revision: int | None, raw: bool) -> Value:
    """Read a value. A key that was deleted, purged or has expired has none."""
    async with opened(line, bucket) as kv:
        return Value(await kv.get(key, revision or 0), raw)


@KV.verb("create", example="%js kv create CONFIG lock me --ttl 5s", body=True)
@click.argument("bucket")
@click.argument("key")
@click.argument("value", required=False)
@flag("--ttl", type=DURATION, help="the key lives so long; the bucket needs --marker-ttl")
async def create(line: Line, bucket: str, key: str, value: str | None, ttl: float | None) -> Written:
    """Write a key that has no value: of several who try, one succeeds."""
    data = payload(line, value)
    _check_ttl(ttl)
    async with opened(line, bucket) as kv:
        made = _written(bucket, key, await kv.create(key, data, ttl or 0.0))
        least = int(kv.config.get("subject_delete_marker_ttl") or 0)
    if ttl and ttl * 1e9 < least:
        made.notes.append(
            f"the key lives {span(least)}: the server raises a lifetime to the bucket's --marker-ttl."
        )
    return made


def _check_ttl(ttl: float | None) -> None:
    if ttl is not None and (ttl < 1 or ttl != int(ttl)):
        raise CommandError("--ttl is in whole seconds, one at least.", "Write for example: --ttl 5s")


@KV.verb("update", example="%js kv update CONFIG user.sue blue 7")
@click.argument("bucket")
@click.argument("key")
@click.argument("value")
@click.argument("revision", type=NUMBER)
async def update(line: Line, bucket: str, key: str, value: str, revision: int) -> Written:
    """Write a value if the key is still at this revision (compare and set); 0: if it was never written."""
    async with opened(line, bucket) as kv:
        return _written(bucket, key, await kv.update(key, words.as_bytes(value), revision))


@KV.verb("del", "rm", example="%js kv del CONFIG user.sue -f")
@click.argument("bucket")
@click.argument("key", required=False)
@FORCE
async def delete(line: Line, bucket: str, key: str | None, force: bool) -> Result:
    """Delete a key, or without one the whole bucket. A deleted key keeps its older revisions."""
    async with opened(line, bucket) as kv:
        if key is None:
            held = 0 if force else sum(e.there for e in await kv.entries(">"))
            need_force(
                force,
                f"del without a key removes the bucket {bucket} for good, with "
                f"{held:,} key{'s' * (held != 1)}.",
                f"%js kv del {bucket} -f",
            )
            await kv.api.call(f"STREAM.DELETE.{STREAM}{bucket}")
            return Text(f"Bucket {bucket} was removed", bucket=bucket)
        check_key(key)
        need_force(
            force, f"del would delete the key {key} of bucket {bucket}.", f"%js kv del {bucket} {key} -f"
        )
        revision = await kv.delete(key)
    return Written(f"{bucket} > {key} deleted, revision: {revision}", bucket, key, revision, DEL)


@KV.verb("purge", example="%js kv purge CONFIG user.sue -f")
@click.argument("bucket")
@click.argument("key")
@FORCE
@flag("--ttl", type=DURATION, help="the mark that it is gone lives so long; the bucket needs --marker-ttl")
async def purge(line: Line, bucket: str, key: str, force: bool, ttl: float | None) -> Written:
    """Remove a key with all its revisions; a mark that it is gone stays."""
    check_key(key)
    _check_ttl(ttl)
    async with opened(line, bucket) as kv:
        need_force(
            force,
            f"purge would remove all revisions of the key {key} of bucket {bucket}.",
            f"%js kv purge {bucket} {key} -f",
        )
        revision = await kv.purge(key, ttl or 0.0)
    return Written(f"{bucket} > {key} purged, revision: {revision}", bucket, key, revision, PURGE)


@KV.verb("history", example="%js kv history CONFIG user.sue", mark="")
@click.argument("bucket")
@click.argument("key")
async def history(line: Line, bucket: str, key: str) -> Entries:
    """Show every revision of a key that the bucket keeps."""
    async with opened(line, bucket) as kv:
        return Entries.history(f"History for {bucket} > {key}", await kv.history(key))


@KV.verb("revert", example="%js kv revert CONFIG user.sue 3 --force")
@click.argument("bucket")
@click.argument("key")
@click.argument("revision", type=COUNT)
@switch("--force", help="do it without being asked")
async def revert(line: Line, bucket: str, key: str, revision: int, force: bool) -> Entries:
    """Write the value of an older revision again, as a new one."""
    async with opened(line, bucket) as kv:
        kept = await kv.history(key)
        if kv.config.get("max_msgs_per_subject") == 1:
            raise ClientError(
                f"The bucket {bucket} keeps one value of a key, so there is nothing to go back to.",
                f"From now on more: %js kv edit {bucket} --history 5",
            )
        old = await kv.get(key, revision)
        need_force(
            force,
            f"revert would write {one_line(old.value, 40)!r} to {key} again.",
            f"%js kv revert {bucket} {key} {revision} --force",
        )
        await kv.update(key, old.value, kept[-1].revision)
        return Entries.history(f"History for {bucket} > {key}", await kv.history(key))


@KV.verb("info", "view", "status", example="%js kv info CONFIG", mark="")
@click.argument("bucket", required=False)
async def info(line: Line, bucket: str | None) -> BucketInfo:
    """Show how a bucket is configured, and what it holds."""
    async with line.jetstream() as api:
        if bucket is None:
            names = [s["config"]["name"].removeprefix(STREAM) for s in await _buckets(api)]
            if len(names) != 1:
                hint = there(names) if names else "Make one: %js kv add CONFIG"
                raise CommandError("Which bucket?" if names else "There is no bucket yet.", hint)
            bucket = str(names[0])
        info = (await KeyValue.open(api, bucket)).info
        return BucketInfo("k", bucket, await calm(api, f"STREAM.INFO.{STREAM}{bucket}", info, SOON))


async def _buckets(api: Any) -> list[dict[str, Any]]:
    streams = await api.pages("STREAM.LIST", "streams")
    found = [s for s in streams if str(s["config"]["name"]).startswith(STREAM)]
    return sorted(found, key=lambda s: str(s["config"]["name"]))


@KV.verb("watch", example="%js kv watch CONFIG 'user.>' --count 3", mark="")
@click.argument("bucket")
@click.argument("key", default=">")
@switch("--history", help="first all that the bucket keeps, instead of the newest of each key")
@switch("--deletes", default=True, help="also what is deleted")
@switch("--updates", help="only what comes from now on")
@flag("--revision", type=COUNT, help="first what came from this revision on")
@flag("--count", type=COUNT, help="end after so many")
@flag(
    "--wait", type=DURATION, help="with --count: wait for them so long; without: until nothing came so long"
)
async def watch(
    line: Line,
    bucket: str,
    key: str,
    history: bool,
    deletes: bool,
    updates: bool,
    revision: int | None,
    count: int | None,
    wait: float | None,
) -> Watch:
    """Listen to a bucket, and go on: h.entries has what came, h.stop() ends it.

    First comes the newest value of each key that matches, then every change.
    """
    check_key(key, pattern=True)
    ways = [n for n, v in (("--history", history), ("--updates", updates), ("--revision", revision)) if v]
    if len(ways) > 1:
        raise CommandError(f"{' and '.join(ways)} exclude each other.", "Use one of them.")
    async with opened(line, bucket, named=False) as kv:
        handle = Watch(line, kv, key, count or 0, deletes)
    policy = "all" if history else "new" if updates else "last_per_subject"
    await handle.follow(policy, revision or 0)
    await handle.waited(wait)
    return handle


@KV.verb("ls", "list", example="%js kv ls CONFIG", mark="")
@click.argument("bucket", required=False)
@click.argument("key", required=False)
@switch("--names", "-n", help="only the names of the buckets")
@switch("--verbose", "-v", help="more about each key")
@switch("--display-value", help="with --verbose: the values too")
async def ls(
    line: Line, bucket: str | None, key: str | None, names: bool, verbose: bool, display_value: bool
) -> Result:
    """List the buckets, or the keys of one."""
    if bucket is None:
        async with line.jetstream() as api:
            found = await _buckets(api)
        return _list(found, names)
    async with opened(line, bucket) as kv:
        entries = [e for e in await kv.entries(key or ">") if e.there]
    empty = f"No keys found in bucket {bucket}" + (f" that match {key}" if key else "")
    if not verbose:
        return Keys(entries, empty)
    columns = ["Key", "Revision", *(["Value"] if display_value else [])]
    rows = [[e.key, str(e.revision), *([shown(e)] if display_value else [])] for e in entries]
    return Entries(f"Contents for bucket {bucket}", columns, rows, entries, empty)


def _list(streams: list[dict[str, Any]], only_names: bool) -> Listing:
    empty = "No Key-Value buckets found"
    buckets = [str(s["config"]["name"]).removeprefix(STREAM) for s in streams]
    if only_names:
        return Names(buckets, empty)
    rows = [
        [name, s["config"].get("description", ""), size(s["state"]["bytes"]), f"{s['state']['messages']:,}"]
        for name, s in zip(buckets, streams, strict=True)
    ]
    return Listing(
        "Key-Value Buckets", ["Bucket", "Description", "Size", "Values"], rows, streams, STREAM_INFO, empty
    )


@KV.verb("compact", example="%js kv compact CONFIG -f")
@click.argument("bucket")
@FORCE
async def compact(line: Line, bucket: str, force: bool) -> Text:
    """Remove what deleted keys left behind; marks younger than 30 minutes stay."""
    async with opened(line, bucket) as kv:
        need_force(
            force,
            f"compact would remove the old values of all deleted keys of bucket {bucket}.",
            f"%js kv compact {bucket} -f",
        )
        keys, removed = await kv.compact()
    what = f"{removed:,} old value{'s' * (removed != 1)} of {len(keys):,} deleted key{'s' * (len(keys) != 1)}"
    return Text(f"Removed {what} from bucket {bucket}", bucket=bucket, keys=keys, removed=removed)
