"""`nats object`: object stores."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import click

from natslab.commands import words
from natslab.commands.bucket import (
    BucketInfo,
    apply_object,
    configuring,
    fields,
    keep,
    need_force,
    object_stream,
    seen_as,
)
from natslab.commands.config_body import OBJECT as FIELDS
from natslab.commands.connect import Line
from natslab.commands.flags import COUNT, DURATION, FILE, SIZE, flag, switch
from natslab.commands.jsresults import STREAM_INFO, Change, Listing, Names, changes
from natslab.commands.object_watch import ObjectWatch
from natslab.commands.objects import ObjectFacts, Objects, Saved
from natslab.commands.outgoing import HEADER, header_of
from natslab.commands.replicas import SOON, calm, made_of
from natslab.commands.results import Result, Text, one_line
from natslab.commands.server import size
from natslab.commands.tree import NATS
from natslab.errors import ClientError, CommandError, there
from natslab.servers.jsapi import JetStreamError
from natslab.servers.keyvalue import check_bucket
from natslab.servers.objectstore import CHUNK, STREAM, ObjectInfo, ObjectStore, check_name

OBJECT = NATS.group("object", "obj", says="Object stores: files cut into messages of a stream.")

FORCE = switch("--force", "-f", help="do it without being asked")
PROGRESS = switch("--progress", default=True, help="accepted; nothing is drawn here")


@contextlib.asynccontextmanager
async def opened(line: Line, bucket: str, *, named: bool = True) -> AsyncIterator[ObjectStore]:
    """The object store, over the connection of this line."""
    check_bucket(bucket, "object store")
    async with line.jetstream(named=named) as api:
        yield await ObjectStore.open(api, bucket)


@OBJECT.verb("add", example="%js object add FILES", body=True)
@click.argument("bucket")
@configuring("o", "a")
async def add(line: Line, bucket: str, **said: Any) -> Result:
    """Make an object store.

    The cell body may say how, in YAML or JSON: description, ttl, max_bytes, storage, …
    """
    wanted = object_stream(check_bucket(bucket, "object store"), fields("o", bucket, line.body, said))
    async with line.jetstream() as api:
        try:
            made = await made_of(api, wanted)
        except JetStreamError as e:
            if e.code != 10058:
                raise
            raise JetStreamError(
                f"The object store {bucket} is there already, and configured in another way "
                f"(error {e.code}).",
                f"Change it: %js object edit {bucket}; see it: %js object info {bucket}",
                e.code,
                e.status,
                e.description,
            ) from None
    return BucketInfo("o", bucket, made, f"Object store {bucket} was created")


@OBJECT.verb("edit", example="%js object edit FILES --ttl 1h", body=True)
@click.argument("bucket")
@configuring("o", "e")
@switch("--force", "-f", help="also when objects go by it")
async def edit(line: Line, bucket: str, force: bool, **said: Any) -> Change:
    """Change how an object store is; what is not said stays. A change by which objects go needs -f."""
    async with opened(line, bucket) as objects:
        wanted = apply_object(objects.config, fields("o", bucket, line.body, said))
        await keep(objects.api, objects.info, wanted, f"object store {bucket}", force)
        after = await objects.api.call(f"STREAM.UPDATE.{STREAM}{bucket}", wanted)
        diff = changes(seen_as("o", objects.config), seen_as("o", after["config"]), FIELDS)
    return Change(f"Object store {bucket}", after, diff, FIELDS, STREAM_INFO)


@OBJECT.verb("put", example="%js object put FILES model.bin", body=True)
@click.argument("bucket")
@click.argument("file", required=False, type=FILE)
@flag("--name", help="its name in the store, when not the file's")
@flag("--description", help="what it is")
@HEADER
@flag("--chunk-size", type=SIZE, help="cut it into pieces of this size; 128KB when left out")
@PROGRESS
@FORCE
async def put(
    line: Line,
    bucket: str,
    file: Path | None,
    name: str | None,
    description: str | None,
    header: tuple[str, ...],
    chunk_size: int | None,
    progress: bool,
    force: bool,
) -> ObjectFacts:
    """Store a file, or with --name the cell body, cut into chunks."""
    if (file is None) == (line.body is None):
        what = "no file" if file is None else "a file in the line and a content in the cell body"
        raise CommandError(f"There is {what}.", "Name a file; or write the content in the cell, with --name.")
    if name is None and file is None:
        raise CommandError("What is in the cell body has no name.", "Add --name notes.txt")
    chunk = CHUNK if chunk_size is None else chunk_size
    if chunk < 1:
        raise CommandError("--chunk-size: a chunk has one byte at least.", "Leave it out for 128KB.")
    name = check_name(name if name is not None else _named(file))
    headers = dict(map(header_of, header))
    async with opened(line, bucket) as objects:
        there = await objects.find(name)
        if there is not None and not there.deleted:
            need_force(
                force,
                f"put would replace {one_line(name, 60)} of {bucket} ({there.size:,} bytes).",
                "the same line with -f",
            )
        if file is not None:
            with _reading(file) as pieces:
                made = await objects.put(
                    name, pieces(chunk), description=description or "", headers=headers, chunk=chunk
                )
        else:
            data = words.as_bytes(line.body or "")
            cut = (data[i : i + chunk] for i in range(0, len(data), chunk))
            made = await objects.put(name, cut, description=description or "", headers=headers, chunk=chunk)
    return ObjectFacts(made)


def _named(file: Path | None) -> str:
    return os.path.normpath(str(file))


@contextlib.contextmanager
def _reading(path: Path) -> Iterator[Any]:
    try:
        file = path.open("rb")
    except OSError as e:
        raise CommandError(f"{str(path)!r} cannot be read: {e.strerror}.", "Check the file name.") from None

    def pieces(chunk: int) -> Iterator[bytes]:
        while True:
            try:
                piece = file.read(chunk)
            except OSError as e:
                raise ClientError(f"{str(path)!r} cannot be read: {e.strerror}.", "Is it a file?") from None
            if not piece:
                return
            yield piece

    with file:
        yield pieces


@OBJECT.verb("get", example="%js object get FILES model.bin -O out.bin", mark="")
@click.argument("bucket")
@click.argument("file")
@flag("--output", "-O", type=FILE, help="write it to this file, or into this folder")
@PROGRESS
@FORCE
async def get(line: Line, bucket: str, file: str, output: Path | None, progress: bool, force: bool) -> Saved:
    """Write an object to a file, when its digest is right.

    Without --output the file is in the current folder and has the last part of the object's name.
    """
    async with opened(line, bucket) as objects:
        found = await objects.get(file)
        source, target = objects, found
        link = (found.facts.get("options") or {}).get("link")
        if link:
            source, target = await _linked(objects, link)
        path = _target(found, output)
        if path.exists() or path.is_symlink():
            need_force(force, f"get would replace the file {path.name}.", "the same line with -f")
        await _save(source, target, path)
    return Saved(target, path)


async def _linked(objects: ObjectStore, link: dict[str, Any]) -> tuple[ObjectStore, ObjectInfo]:
    if not link.get("name"):
        raise ClientError(
            f"It is a link to the object store {link.get('bucket')}, not to an object.",
            f"Look there: %js object ls {link.get('bucket')}",
        )
    source = await ObjectStore.open(objects.api, str(link["bucket"]))
    return source, await source.get(str(link["name"]))


def _target(found: ObjectInfo, output: Path | None) -> Path:
    if output is not None and not output.is_dir():
        return output
    # The name is foreign: only its last part, so that nothing lands anywhere else.
    name = found.name.replace("\\", "/").rpartition("/")[2]
    if name in ("", ".", "..") or not name.isprintable():
        raise CommandError(
            f"{one_line(found.name, 60)!r} cannot be the name of a file.", "Name one: --output FILE"
        )
    return (output or Path()) / name


async def _save(objects: ObjectStore, found: ObjectInfo, path: Path) -> None:
    try:
        # In the same folder, so that it takes the name at once and only when all of it is right.
        handle, temporary = tempfile.mkstemp(prefix=".natslab-", dir=path.parent)
    except OSError as e:
        raise CommandError(
            f"There can be no file in {str(path.parent)!r}: {e.strerror}.",
            "Name another place: --output FILE",
        ) from None
    try:
        with os.fdopen(handle, "wb") as file:
            async for piece in objects.read(found):
                file.write(piece)
        os.replace(temporary, path)
    except OSError as e:
        _remove(temporary)
        raise ClientError(f"{str(path)!r} cannot be written: {e.strerror}.", "Name another file.") from None
    except BaseException:
        _remove(temporary)
        raise


def _remove(path: str) -> None:
    with contextlib.suppress(OSError):
        os.unlink(path)


@OBJECT.verb("del", "rm", example="%js object del FILES model.bin -f")
@click.argument("bucket")
@click.argument("file", required=False)
@FORCE
async def delete(line: Line, bucket: str, file: str | None, force: bool) -> Text:
    """Delete an object, or without one the whole store."""
    async with opened(line, bucket) as objects:
        if file is None:
            need_force(
                force,
                f"del without an object removes the object store {bucket} with all its objects for good.",
                f"%js object del {bucket} -f",
            )
            await objects.api.call(f"STREAM.DELETE.{STREAM}{bucket}")
            return Text(f"Object store {bucket} was removed", bucket=bucket)
        found = await objects.get(file)
        need_force(
            force,
            f"del would delete {one_line(file, 60)} of {bucket} ({found.size:,} bytes).",
            "the same line with -f",
        )
        await objects.delete(file)
    return Text(f"Removed {bucket} > {one_line(file)}", bucket=bucket, name=file)


@OBJECT.verb("info", "show", "i", example="%js object info FILES model.bin", mark="")
@click.argument("bucket", required=False)
@click.argument("file", required=False)
async def info(line: Line, bucket: str | None, file: str | None) -> Result:
    """Show how a store is configured, or what it says of one object."""
    async with line.jetstream() as api:
        if bucket is None:
            names = [str(s["config"]["name"]).removeprefix(STREAM) for s in await _stores(api)]
            if len(names) != 1:
                hint = there(names) if names else "Make one: %js object add FILES"
                raise CommandError("Which object store?" if names else "There is no object store yet.", hint)
            bucket = names[0]
        objects = await ObjectStore.open(api, bucket)
        if file is None:
            info = await calm(objects.api, f"STREAM.INFO.{STREAM}{bucket}", objects.info, SOON)
            return BucketInfo("o", bucket, info)
        return ObjectFacts(await objects.get(file))


async def _stores(api: Any) -> list[dict[str, Any]]:
    streams = await api.pages("STREAM.LIST", "streams")
    found = [s for s in streams if str(s["config"]["name"]).startswith(STREAM)]
    return sorted(found, key=lambda s: str(s["config"]["name"]))


@OBJECT.verb("ls", example="%js object ls FILES", mark="")
@click.argument("bucket", required=False)
@switch("--names", "-n", help="only the names")
async def ls(line: Line, bucket: str | None, names: bool) -> Result:
    """List the object stores, or the objects of one."""
    if bucket is not None:
        async with opened(line, bucket) as objects:
            return Objects(bucket, await objects.objects(), names)
    async with line.jetstream() as api:
        streams = await _stores(api)
    empty = "No Object Store buckets found"
    stores = [str(s["config"]["name"]).removeprefix(STREAM) for s in streams]
    if names:
        return Names(stores, empty)
    rows = [
        [name, s["config"].get("description", ""), size(s["state"]["bytes"])]
        for name, s in zip(stores, streams, strict=True)
    ]
    return Listing(
        "Object Store Buckets", ["Bucket", "Description", "Size"], rows, streams, STREAM_INFO, empty
    )


@OBJECT.verb("seal", example="%js object seal FILES -f")
@click.argument("bucket")
@FORCE
async def seal(line: Line, bucket: str, force: bool) -> BucketInfo:
    """Make a store read-only, for good."""
    async with opened(line, bucket) as objects:
        need_force(
            force,
            f"seal would make the object store {bucket} read-only, and nothing undoes that.",
            f"%js object seal {bucket} -f",
        )
        after = await objects.api.call(f"STREAM.UPDATE.{STREAM}{bucket}", {**objects.config, "sealed": True})
    return BucketInfo("o", bucket, after, f"{bucket} has been sealed")


@OBJECT.verb("watch", example="%js object watch FILES --count 1", mark="")
@click.argument("bucket")
@flag("--count", type=COUNT, help="end after so many")
@flag(
    "--wait", type=DURATION, help="with --count: wait for them so long; without: until nothing came so long"
)
async def watch(line: Line, bucket: str, count: int | None, wait: float | None) -> ObjectWatch:
    """Listen to a store, and go on: h.entries has what came, h.stop() ends it.

    First comes every object that is there, then every change.
    """
    async with opened(line, bucket, named=False) as objects:
        handle = ObjectWatch(line, objects, count or 0)
    await handle.follow()
    await handle.waited(wait)
    return handle
