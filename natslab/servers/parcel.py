"""What natslab and the process that carries its wires say to each other, cut into parcels.

A parcel is words (JSON), or a message between servers as it came: a line and a body, untouched.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from struct import Struct

WORDS, AB, BA = 0, 1, 2  # the kinds: AB and BA are a message from the link's server a, or b

_HEAD = Struct("<BHdII")  # kind, number of the link, time.time(), bytes of line and of body


def words(**said: object) -> bytes:
    """A parcel of words."""
    line = json.dumps(said).encode()
    return _HEAD.pack(WORDS, 0, 0.0, len(line), 0) + line


def message(kind: int, link: int, at: float, line: bytes, body: bytes) -> bytes:
    """A parcel of a message."""
    return b"".join((_HEAD.pack(kind, link, at, len(line), len(body)), line, body))


class Cutter:
    """Cuts one direction into parcels."""

    def __init__(self, made: Callable[[int, int, float, bytes, bytes], None]) -> None:
        self._made = made
        self._parts: list[bytes] = []  # of a parcel that is not complete
        self._have = self._need = 0  # their bytes, and those that are worth another look

    def feed(self, data: bytes) -> None:
        """The next bytes; `made(kind, link, at, line, body)` gets each parcel."""
        if self._parts:
            self._parts.append(data)
            self._have += len(data)
            if self._have < self._need:
                return
            data = b"".join(self._parts)
            self._parts.clear()
        pos, length, need = 0, len(data), _HEAD.size
        while length - pos >= _HEAD.size:
            kind, link, at, line, body = _HEAD.unpack_from(data, pos)
            begin = pos + _HEAD.size
            middle = begin + line
            end = middle + body
            if end > length:
                need = end - pos
                break
            self._made(kind, link, at, data[begin:middle], data[middle:end])
            pos = end
        if pos < length:
            self._parts.append(data[pos:])
            self._have, self._need = length - pos, need
