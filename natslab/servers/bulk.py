"""Many messages as a few large pieces of bytes: what makes `publish_many` fast."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator

from natslab.servers.headers import header_block, too_large

CHUNK = 128 * 1024  # bytes that are handed over at once


def frames(
    subject: str,
    payload: bytes | Iterable[bytes],
    count: int | None,
    reply: str,
    headers: dict[str, str] | None,
    limit: int,
) -> Iterator[tuple[bytes, int, int]]:
    """Chunks of whole messages: the bytes, how many messages, how many bytes of payload.

    Parameters
    ----------
    payload: one for all, or one for each.
    count: how many messages; with one payload 1 when None, with many the most that are taken.
    limit: the server's max_payload, in bytes; TooLarge is raised above.
    """
    block = header_block(headers) if headers is not None else b""
    verb = "HPUB" if headers is not None else "PUB"
    lead = f"{verb} {subject} {reply} " if reply else f"{verb} {subject} "

    def frame(body: bytes) -> bytes:
        if len(body) + len(block) > limit:
            raise too_large(len(body), len(block), limit)
        sizes = f"{len(block)} {len(block) + len(body)}" if headers is not None else f"{len(body)}"
        return b"".join((f"{lead}{sizes}\r\n".encode(), block, body, b"\r\n"))

    if isinstance(payload, bytes | bytearray | memoryview):
        body = bytes(payload)
        one = frame(body)
        left = 1 if count is None else count
        at_once = max(1, CHUNK // len(one))
        chunk = one * min(at_once, max(left, 0))
        while left > 0:
            some = min(at_once, left)
            yield (chunk if some == at_once else one * some), some, some * len(body)
            left -= some
        return
    parts: list[bytes] = []
    size = waiting = 0
    for body in itertools.islice(payload, count):
        one = frame(body)
        parts.append(one)
        waiting += len(one)
        size += len(body)
        if waiting >= CHUNK:
            yield b"".join(parts), len(parts), size
            parts, size, waiting = [], 0, 0
    if parts:
        yield b"".join(parts), len(parts), size
