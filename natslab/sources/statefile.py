"""A consumer's own state, read from the file in which nats-server keeps it.

A private format, measured with nats-server 2.15.1: `<stream's folder>/obs/<consumer>/o.dat`, written at most
100 ms after a change (median 80 ms). uv is an unsigned LEB128 number, sv a zig-zag one.

    byte 22, byte 2 (version)
    uv x 4   ack floor: consumer seq, stream seq; delivered: consumer seq, stream seq
    uv P     how many are pending; only if P > 0: sv base, unix seconds, and P x
             (uv stream seq - floor, uv consumer seq - floor, sv base - time)
    uv R     how many were redelivered, R x (uv stream seq - floor, uv deliveries - 1)

A difference is one of unsigned 64 bits: what was given up stays in the list when the floor has passed it.

The consumer seq is that of the first delivery, also when more followed, and the time is that at which the
message was stored, whole seconds: when it was delivered is not in the file.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

MAGIC, VERSION = 22, 2
_MASK = (1 << 64) - 1


class State(NamedTuple):
    """What a consumer has handed out and what was not answered."""

    floor: tuple[int, int]  # consumer seq, stream seq
    delivered: tuple[int, int]  # the same
    pending: dict[int, tuple[int, int]]  # stream seq -> consumer seq of the first delivery, when stored
    redelivered: dict[int, int]  # stream seq -> deliveries - 1


def decode(data: bytes) -> State:
    """What the file says. Raises ValueError for anything else, e.g. half of it."""
    if len(data) < 2 or data[0] != MAGIC or data[1] != VERSION:
        raise ValueError("not a consumer's state in the format that was measured")
    at = 2

    def uv() -> int:
        nonlocal at
        value = shift = 0
        while True:
            byte = data[at]
            at += 1
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                return value
            shift += 7

    def sv() -> int:
        value = uv()
        return (value >> 1) ^ -(value & 1)

    try:
        floor, delivered = (uv(), uv()), (uv(), uv())
        pending: dict[int, tuple[int, int]] = {}
        if count := uv():
            base = sv()
            for _ in range(count):
                seq, cseq, back = uv() + floor[1], uv() + floor[0], sv()
                pending[seq] = (cseq, base - back)
        redelivered: dict[int, int] = {}
        for _ in range(uv()):
            seq = (uv() + floor[1]) & _MASK
            redelivered[seq] = uv()
    except IndexError:
        raise ValueError("half of a consumer's state") from None
    if at != len(data):
        raise ValueError("more than a consumer's state")
    return State(floor, delivered, pending, redelivered)


class StateFile:
    """One consumer's file, read again when it was written."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "o.dat"
        self._stamp = (0, 0, 0)

    def changed(self) -> State | None:
        """The state, where it was written since the last time and could be read whole.

        Raises ValueError when the file has another format.
        """
        try:
            stat = self.path.stat()
            stamp = stat.st_mtime_ns, stat.st_size, stat.st_ino
            if stamp == self._stamp:
                return None
            data = self.path.read_bytes()
        except OSError:
            return None  # not written yet, or just being replaced
        if data and (data[0] != MAGIC or data[1:2] != bytes([VERSION])):
            raise ValueError("a consumer's state in another format")
        try:
            state = decode(data)
        except ValueError:
            return None  # it is being written
        self._stamp = stamp
        return state

    def again(self) -> None:
        """What was read is not taken: read it once more."""
        self._stamp = (0, 0, 0)
