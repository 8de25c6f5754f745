"""The messages of a file stream, read from the files in which nats-server keeps them.

A private format, measured with nats-server 2.15.1 (R1, neither encrypted nor compressed). A stream's folder
has `meta.inf` (its configuration, with `Created`) and `msgs/<n>.blk`, of which the one with the highest
number is written to. A block is records one after the other, all numbers little-endian:

    u32  length of the whole record; its highest bit: there are headers
    u64  sequence in the stream; bit 63: erased, bit 62: tombstone
    i64  when it was stored, unix ns
    u16  length of the subject, subject
    u32  length of the headers, headers (only with the highest bit of the length)
         payload
    8 B  checksum

* Erased: the message was overwritten in place (length kept, no time, no subject), or never was one: a
  sequence that a stream gave away without keeping the message (an interest stream without interest).
* Tombstone: 30 bytes in the newest block, without subject or payload; sequence and time are those of a
  message that was taken out. Written for every deletion, purge of a part, ack of a work queue, TTL and
  rollup; not for what goes by a limit (max_msgs, max_bytes, max_age, max_msgs_per_subject) nor for a whole
  purge or when a stream runs empty: then the files are removed, and the next block begins with a
  tombstone of the last sequence.
* A record is in the file when its PubAck arrives (0.1 ms, nobody waits).
* A compressed block begins with "cmp"; the newest one never is. An encrypted stream has `meta.key`.
"""

from __future__ import annotations

import contextlib
import json
import os
import struct
from pathlib import Path
from typing import NamedTuple

CHUNK = 1 << 20  # bytes read at once
KEPT = 256  # bytes of a payload that are told
VERSIONS = ("2.15.",)  # of nats-server, whose files were measured

_HEAD = struct.Struct("<IQqH")
_ERASED, _TOMB = 1 << 63, 1 << 62
_SEQ = _TOMB - 1
_LEAST = _HEAD.size + 8
_LARGEST = 128 << 20  # bytes of a record; more is no record


class Raw(NamedTuple):
    """One record, not yet taken apart."""

    seq: int
    kind: int  # 0: a message; 1: erased or never kept; 2: tombstone
    at: int  # unix ns
    size: int  # bytes of payload
    length: int  # bytes on disk, which is what max_bytes counts
    chunk: bytes
    offset: int


class Message(NamedTuple):
    """A stored message as far as pictures need it."""

    subject: str
    payload: bytes  # at most 256 bytes
    headers: list[tuple[str, str]]  # those that a stream heeds


MESSAGE, ERASED, TOMB = 0, 1, 2


def opened(raw: Raw) -> Message:
    """Take a record apart."""
    chunk, start = raw.chunk, raw.offset
    length, _, _, named = _HEAD.unpack_from(chunk, start)
    at = start + _HEAD.size
    subject = chunk[at : at + named].decode(errors="replace")
    at += named
    headers: list[tuple[str, str]] = []
    if length >> 31:
        (block,) = struct.unpack_from("<I", chunk, at)
        headers = _headers(chunk[at + 4 : at + 4 + block])
        at += 4 + block
    return Message(subject, chunk[at : at + min(raw.size, KEPT)], headers)


def _headers(block: bytes) -> list[tuple[str, str]]:
    found = []
    for line in block.decode(errors="replace").split("\r\n")[1:]:
        name, colon, value = line.partition(":")
        if colon and (name.startswith("Nats-") or name == "KV-Operation"):
            found.append((name, value.strip()[:KEPT]))
    return found


class Blocks:
    """What was appended to the blocks of one stream since the last look. Only ever reads.

    Parameters
    ----------
    folder: the stream's, with meta.inf and msgs.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        #: Whether the last `read` stopped because it had read enough.
        self.more = False
        #: Whether a block was written anew, so that `read` gives records a second time.
        self.again = False
        self._msgs = folder / "msgs"
        self._anew = False  # what is read was read before, in another server's files
        self._number = 0  # of the block that is read
        self._inode = 0
        self._offset = 0
        self._meta = (0, 0)
        self._created = ""

    @property
    def readable(self) -> bool:
        """Whether these files can be read as said above."""
        return self._msgs.is_dir() and not (self.folder / "meta.key").exists()

    def created(self) -> str:
        """When this stream was created, in the server's words; empty when it is not there."""
        path = self.folder / "meta.inf"
        try:
            stat = path.stat()
            if (stat.st_ino, stat.st_mtime_ns) != self._meta:
                self._created = str(json.loads(path.read_bytes()).get("Created", ""))
                self._meta = stat.st_ino, stat.st_mtime_ns
        except (OSError, ValueError):
            self._meta = (0, 0)
            return ""
        return self._created

    def after(self, seq: int) -> None:
        """Begin with the block that has message `seq`: up to it all was read elsewhere."""
        self._anew = True
        for number in sorted(self._numbers(), reverse=True):
            with contextlib.suppress(OSError, struct.error), open(self._path(number), "rb") as file:
                _, found, _, _ = _HEAD.unpack(file.read(_HEAD.size))
                if not found & _TOMB and found & _SEQ <= seq:
                    self._number, self._offset, self._inode = number, 0, 0
                    return

    def news(self) -> bool:
        """Whether there is something to read."""
        try:
            stat = self._path(self._number).stat()
        except OSError:
            return self._following() > 0
        return (stat.st_ino, stat.st_size) != (self._inode, self._offset) or self._following() > 0

    def read(self, most: int = 4 * CHUNK) -> list[Raw]:
        """The records since the last time, of about `most` bytes at most.

        Raises ValueError for a file that is not as measured.
        """
        self.more, self.again = False, self._anew
        out: list[Raw] = []
        while most > 0:
            # Looked for before the block is read: when there is a next one, nothing is added to this.
            following = self._following()
            if self._number:
                most -= self._block(most, out)
            if most > 0:
                if not following:
                    self._anew = False
                    return out
                self._number, self._offset, self._inode = following, 0, 0
        self.more = True
        return out

    def _path(self, number: int) -> Path:
        return self._msgs / f"{number}.blk"

    def _numbers(self) -> list[int]:
        with contextlib.suppress(OSError), os.scandir(self._msgs) as found:
            return [int(one.name[:-4]) for one in found if one.name.endswith(".blk")]
        return []

    def _following(self) -> int:
        """The number of the next block; 0 when there is none."""
        return min((n for n in self._numbers() if n > self._number), default=0)

    def _block(self, most: int, out: list[Raw]) -> int:
        """Read on in the block; returns how many bytes."""
        try:
            fd = os.open(self._path(self._number), os.O_RDONLY | os.O_CLOEXEC)
        except OSError:
            return 0  # a block of which nothing was left is removed
        try:
            return self._on(fd, most, out)
        finally:
            os.close(fd)

    def _on(self, fd: int, most: int, out: list[Raw]) -> int:
        stat = os.fstat(fd)
        if self._inode and (stat.st_ino != self._inode or stat.st_size < self._offset):
            self.again, self._offset = True, 0
        self._inode = stat.st_ino
        began = self._offset
        want = CHUNK
        while self._offset < stat.st_size and self._offset - began < most:
            chunk = os.pread(fd, want, self._offset)
            if self._offset == 0 and chunk[:3] == b"cmp":
                self._offset = stat.st_size
                break
            used, needs = _records(chunk, out)
            self._offset += used
            if used:
                want = CHUNK
            elif needs > len(chunk) and len(chunk) == want:
                want = needs
            else:
                break  # the rest of this record is still to come
        return self._offset - began


def _records(chunk: bytes, out: list[Raw]) -> tuple[int, int]:
    """Append the whole records `chunk` begins with; returns their bytes, and what the next one needs."""
    at, end = 0, len(chunk)
    while at + _LEAST <= end:
        head, number, stamp, named = _HEAD.unpack_from(chunk, at)
        length = head & 0x7FFFFFFF
        if not _LEAST + named <= length <= _LARGEST:
            raise ValueError(f"a record of {length} bytes")
        if at + length > end:
            return at, length
        size = length - _LEAST - named
        kind = MESSAGE
        if number >= _TOMB:
            kind = TOMB if number & _TOMB else ERASED
        elif head >> 31:
            size -= 4 + struct.unpack_from("<I", chunk, at + _HEAD.size + named)[0]
            if size < 0:
                raise ValueError("headers larger than their record")
        out.append(Raw(number & _SEQ, kind, stamp, size, length, chunk, at))
        at += length
    return at, _LEAST
