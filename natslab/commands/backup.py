"""`nats stream backup` and `restore`: a stream as a folder, and back.

The folder is the CLI's: `backup.json` with the configuration and the state, `stream.tar.s2` with the
messages and consumers as the server sends them ($JS.API.STREAM.SNAPSHOT, .RESTORE).
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import json
import re
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click
import nats.errors
from nats.aio.msg import Msg

from natslab.commands.config_body import STREAM as FIELDS
from natslab.commands.config_body import read_file
from natslab.commands.connect import Line
from natslab.commands.flags import FILE, NUMBER, SIZE, flag, many, switch
from natslab.commands.jsnames import check_name
from natslab.commands.jsresults import Info, Pairs, StreamInfo
from natslab.commands.results import Result
from natslab.commands.server import size
from natslab.commands.stream import STREAM, found, info_of
from natslab.errors import ClientError, CommandError, Timeout
from natslab.servers.client import untraced
from natslab.servers.disk import folder, refused
from natslab.servers.jsapi import Api, JetStreamError, refusal
from natslab.servers.jserrors import explain

_INNER = re.compile(r"error adding stream: (.*?)\s*\((\d{5})\)")

META, DATA = "backup.json", "stream.tar.s2"
_CHUNK = 128 * 1024  # bytes; the server takes them of any size


class Backup(Info):
    """What was written: `.stream`, `.folder`, `.messages`, `.consumers`, `.bytes` (of the folder)."""

    @property
    def title(self) -> str:
        """The stream and the folder."""
        return f"Stream {self.facts['stream']} was written to {self.facts['folder']}"

    def sections(self) -> dict[str, Pairs]:
        """How much; not the size on disk, which differs from run to run."""
        pairs = [
            ("Messages", f"{self.facts['messages']:,}"),
            ("Message Bytes", size(self.facts["state"]["bytes"])),
        ]
        if self.facts["consumers"] is not None:
            pairs.append(("Consumers", f"{self.facts['consumers']:,}"))
        return {"": pairs}


@STREAM.verb("backup", "snapshot", example="%js stream backup ORDERS ./orders", mark="")
@click.argument("stream")
@click.argument("target", type=FILE)
@switch("--progress", default=True, help="accepted: nothing moves in a cell")
@switch("--check", help="let the server check the stream first")
@switch("--consumers", default=True, help="with the consumers")
@flag("--chunk-size", type=SIZE, help="bytes the server sends at once")
@flag("--window-size", type=SIZE, help="bytes the server sends ahead")
async def backup(
    line: Line, stream: str, target: Path, progress: bool, check: bool, consumers: bool,
    chunk_size: int | None, window_size: int | None,
) -> Backup:  # fmt: skip
    """Write a stream with its messages and consumers into a new folder."""
    _unused(target)
    body = {
        "no_consumers": not consumers,
        "jsck": check,
        **({"chunk_size": chunk_size} if chunk_size else {}),
        **({"window_size": window_size} if window_size else {}),
    }
    async with line.jetstream() as api:
        info = await info_of(api, stream)
        folder(target.parent)
        # Beside the target, so that a folder that is there is a whole backup.
        made = Path(tempfile.mkdtemp(prefix=f".{target.name}-", dir=target.parent))
        try:
            said = await _receive(api, info.name, body, made / DATA)
            head = {k: said[k] for k in ("config", "state")}
            total = _place(made, head, target)
        except OSError as e:
            raise refused(target, e.errno or errno.EIO) from None
        finally:
            shutil.rmtree(made, ignore_errors=True)
    return Backup(
        {
            "stream": info.name,
            "folder": str(target),
            "messages": head["state"]["messages"],
            "consumers": info.state.consumer_count if consumers else None,
            "bytes": total,
            **head,
        }
    )


def _place(made: Path, head: Mapping[str, Any], target: Path) -> int:
    """Let the folder that was made be the target, in one step; returns its bytes."""
    (made / META).write_text(json.dumps(head, indent=2) + "\n", encoding="utf-8")
    total = sum(f.stat().st_size for f in made.iterdir())
    _unused(target)
    with contextlib.suppress(FileNotFoundError):
        target.rmdir()  # an empty folder may be there
    made.rename(target)
    return total


def _unused(target: Path) -> None:
    """Refuse a target that holds anything. Raises CommandError."""
    try:
        there = target.exists()
        full = there and (not target.is_dir() or any(target.iterdir()))
    except OSError as e:
        raise refused(target, e.errno or errno.EIO) from None
    if full:
        what = "holds a backup already" if (target / META).exists() else "is there already"
        raise CommandError(
            f"{target} {what}, and is not written over.", "Name a new folder, or remove that one."
        )


async def _receive(api: Api, stream: str, body: Mapping[str, Any], path: Path) -> dict[str, Any]:
    """Write the snapshot to the file; returns the server's description of it.

    The server sends chunks, each to be answered, and ends with an empty one that says how it went.
    """
    client = api.client
    inbox = client.new_inbox()
    chunks: asyncio.Queue[Msg] = asyncio.Queue()

    async def arrived(msg: Msg) -> None:
        await chunks.put(msg)

    with untraced():
        heard = await client.subscribe(inbox, cb=arrived)
        try:
            said = await api.call(f"STREAM.SNAPSHOT.{stream}", {**body, "deliver_subject": inbox})
            with path.open("wb") as file:
                while True:
                    try:
                        chunk = await asyncio.wait_for(chunks.get(), api.timeout)
                    except TimeoutError:
                        raise Timeout(
                            f"The backup of {stream} stopped: the server sent nothing for {api.timeout:g} s.",
                            "Nothing was written. %natslab status shows the server; --timeout waits longer.",
                        ) from None
                    if not chunk.data:
                        _check_end(stream, chunk)
                        return said
                    file.write(chunk.data)
                    if chunk.reply:
                        await client.publish(chunk.reply, b"")
        finally:
            with contextlib.suppress(nats.errors.Error):
                await heard.unsubscribe()


def _check_end(stream: str, last: Msg) -> None:
    headers = last.headers or {}
    status = str(headers.get("Status", "204")).strip()
    if status not in ("", "200", "204"):
        raise ClientError(
            f"The backup of {stream} stopped: {headers.get('Description', status)}.",
            "Nothing was written. Do it again.",
        )


@STREAM.verb("restore", example="%js stream restore ./orders --replicas 1")
@click.argument("file", type=FILE)
@switch("--progress", default=True, help="accepted: nothing moves in a cell")
@flag("--config", type=FILE, help="restore with this configuration, a YAML or JSON file")
@flag("--cluster", help="in this cluster")
@many("--tag", help="on servers with this tag")
@flag("--replicas", type=NUMBER, help="with so many replicas")
async def restore(
    line: Line, file: Path, progress: bool, config: Path | None, cluster: str | None, tag: tuple[str, ...],
    replicas: int | None,
) -> Result:  # fmt: skip
    """Make a stream out of a backup, with the messages and consumers in it."""
    head = _head(file)
    wanted = {**head["config"], **(read_file(config, FIELDS, "stream") if config else {})}
    if replicas:
        wanted["num_replicas"] = replicas
    if cluster or tag:
        wanted["placement"] = {
            **(wanted.get("placement") or {}),
            **({"cluster": cluster} if cluster else {}),
            **({"tags": list(tag)} if tag else {}),
        }
    name = check_name(str(wanted.get("name", "")), "stream")
    async with line.jetstream() as api:
        if await found(api, name) is not None:
            raise CommandError(
                f"Stream {name} is there already, and a backup is restored only where none is.",
                f"Remove it first: %js stream rm {name} -f. The backup stays as it is.",
            )
        try:
            said = await _send(api, name, {"config": wanted, "state": head["state"]}, file / DATA)
        except ClientError as e:
            if isinstance(e, JetStreamError) and (inner := _INNER.search(e.description)) is not None:
                # The server wraps its refusal to make the stream, with its number at the end.
                e.code = int(inner[2])
                e.what, e.hint = explain(e.code, f"STREAM.RESTORE.{name}", wanted, inner[1])
            e.what = f"{file} was not restored: {e.what}"
            e.args = (e.what, e.hint)
            raise
        made = StreamInfo(said if "config" in said else await api.call(f"STREAM.INFO.{name}"))
    made.heading = f"Stream {name} was restored from {file}"
    missing = int(head["state"].get("messages", 0)) - made.state.messages
    if missing > 0:
        made.notes.append(f"{missing:,} messages of the backup are not in it: the limits removed them.")
    return made


def _head(path: Path) -> dict[str, Any]:
    """`backup.json` of the folder. Raises CommandError when this is no whole backup."""
    hint = "A backup is a folder that %js stream backup wrote."
    try:
        if not path.is_dir():
            raise CommandError(f"There is no folder {path}.", hint)
        head = json.loads((path / META).read_text(encoding="utf-8"))
        if not (path / DATA).is_file() or not (path / DATA).stat().st_size:
            raise CommandError(f"{path} is not a whole backup: {DATA} is missing or empty.", hint)
    except FileNotFoundError:
        raise CommandError(f"{path} is no backup: there is no {META} in it.", hint) from None
    except (ValueError, OSError):
        raise CommandError(f"{path} is a broken backup: {META} cannot be read.", hint) from None
    if not isinstance(head, dict) or not all(isinstance(head.get(k), dict) for k in ("config", "state")):
        raise CommandError(f"{path} is a broken backup: {META} has no config and state.", hint)
    return head


async def _send(api: Api, stream: str, body: dict[str, Any], path: Path) -> dict[str, Any]:
    """Restore the stream from the file; returns what the server says of it."""
    said = await api.call(f"STREAM.RESTORE.{stream}", body)
    to = said["deliver_subject"]

    async def ask(data: bytes) -> dict[str, Any]:
        with untraced():
            answer = await api.client.request(to, data, timeout=api.timeout)
        told = json.loads(answer.data) if answer.data else {}
        if isinstance(told, dict) and "error" in told:
            raise refusal(f"STREAM.RESTORE.{stream}", body, told["error"])
        return told if isinstance(told, dict) else {}

    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            await ask(chunk)
    return await ask(b"")
