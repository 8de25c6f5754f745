"""The files of a stream, read on where another server's were read up to."""

from __future__ import annotations

import struct
from pathlib import Path

from natslab.sources.blocks import ERASED, MESSAGE, TOMB, Blocks


def record(seq: int, kind: int = MESSAGE, payload: bytes = b"x") -> bytes:
    """One record as nats-server 2.15.1 writes it."""
    subject = b"s" if kind == MESSAGE else b""
    body = payload if kind == MESSAGE else b""
    flag = {MESSAGE: 0, ERASED: 1 << 63, TOMB: 1 << 62}[kind]
    head = struct.pack("<IQqH", 22 + len(subject) + len(body) + 8, seq | flag, 1, len(subject))
    return head + subject + body + bytes(8)


def stream(folder: Path, *blocks: bytes) -> Blocks:
    msgs = folder / "msgs"
    msgs.mkdir(exist_ok=True)
    for number, block in enumerate(blocks, 1):
        (msgs / f"{number}.blk").write_bytes(block)
    return Blocks(folder)


def kinds(blocks: Blocks) -> list[tuple[int, int]]:
    return [(raw.seq, raw.kind) for raw in blocks.read()]


def test_on_where_the_others_were_read_up_to(tmp_path: Path) -> None:
    one = b"".join(record(seq) for seq in (1, 2, 3))
    two = b"".join(record(seq) for seq in (4, 5, 6))
    three = record(2, TOMB) + record(7) + record(8)
    blocks = stream(tmp_path, one, two, three)
    blocks.after(5)
    # Block 3 begins with a tombstone, which says nothing of where it begins.
    assert kinds(blocks) == [(4, 0), (5, 0), (6, 0), (2, TOMB), (7, 0), (8, 0)] and blocks.again
    assert kinds(blocks) == [] and not blocks.again
    with open(tmp_path / "msgs" / "3.blk", "ab") as file:
        file.write(record(9))
    assert kinds(blocks) == [(9, 0)] and not blocks.again


def test_from_the_beginning_where_nothing_was_read(tmp_path: Path) -> None:
    blocks = stream(tmp_path, record(1) + record(2))
    blocks.after(0)
    assert kinds(blocks) == [(1, 0), (2, 0)]


def test_what_was_erased_shows_where_a_block_begins(tmp_path: Path) -> None:
    blocks = stream(tmp_path, record(1), record(2, ERASED) + record(3), record(4))
    blocks.after(3)
    assert kinds(blocks) == [(2, ERASED), (3, 0), (4, 0)]


def test_nothing_is_there_yet(tmp_path: Path) -> None:
    blocks = stream(tmp_path)
    blocks.after(7)
    assert kinds(blocks) == [] and not blocks.news()
    stream(tmp_path, b"", record(8))
    assert kinds(blocks) == [(8, 0)]
