"""What stands where in the KV picture: which keys have a lane, which revisions a column."""

from __future__ import annotations

import math
from typing import NamedTuple

import msgspec

from natslab.views.kv.state import Bucket, Entry, Key, State, Try, Watcher
from natslab.views.layout import columns
from natslab.views.scene import NARROW, WIDTH, text_width

NAMES = 24.0  # of the keys begin
LANE, FIRST, BOARD = 58.0, 74.0, 19.0  # lane to lane; title to first lane; lane's middle to its board
LANES, BUCKETS, EYES = 10, 3, 5  # shown singly
PITCH, WIDE, MOST = 27.0, 44.0, 96.0  # least and most from column to column; of one with a long value
SLOT = 22.0
EARLIER = 58.0  # room for the count of revisions left of the first column
ANSWER = 32.0  # a line below a lane, where answers have no column
RECENT = 3.0  # seconds for which a watcher that is gone stays


class Places(NamedTuple):
    """What stands where, from left to right."""

    grid: float  # columns begin
    latest: float  # width of the column of latest values
    answers: float  # of the one of answers; 0 = they stand below their lanes
    end: float


WHOLE, SLIM = Places(166.0, 128.0, 166.0, 876.0), Places(130.0, 84.0, 0.0, NARROW - 24.0)


class Plan(msgspec.Struct):
    """The columns of one bucket."""

    at: Places
    keys: list[Key]  # lanes from top to bottom
    rest: list[Key]
    revs: list[int]  # columns from left to right
    earlier: bool  # some revisions have no column
    x0: float
    lefts: list[float]  # where each column begins, and where the last one ends
    end: float  # lanes end
    latest: float  # latest values begin
    answers: float  # answers of conditional writes begin; 0 = none

    def x(self, rev: int) -> float:
        """The middle of the slot of `rev`, or where it would be between two columns."""
        at = sum(r < rev for r in self.revs)
        return round(self.lefts[at] + (SLOT / 2 if rev in self.revs else -3), 2)

    def shown(self, key: Key) -> list[Entry]:
        """The revisions of the key that have a column."""
        return [e for e in key.entries if e.rev in self.revs]

    def left(self, key: Key) -> int:
        """How many of its revisions that the bucket has are left of the first column."""
        return key.kept - sum(e.kept for e in self.shown(key))


def lanes(state: State, bucket: Bucket) -> tuple[list[Key], list[Key]]:
    """Keys with a lane, by name, and those without. Of many keys those that changed most often."""
    most = LANES if len(state.buckets) < 2 else max(3, LANES // len(state.buckets))
    keys = sorted(bucket.keys.values(), key=lambda k: k.name)
    if len(keys) <= most:
        return keys, []
    busy = sorted(keys, key=lambda k: (-k.written, k.name))[:most]
    if bucket.last in bucket.keys and bucket.keys[bucket.last] not in busy:
        busy[-1] = bucket.keys[bucket.last]
    names = {k.name for k in busy}
    return [k for k in keys if k.name in names], [k for k in keys if k.name not in names]


def newest_try(bucket: Bucket, name: str) -> Try | None:
    """The last conditional write of a key; one that was accepted only until the key is written again."""
    attempt = next((t for t in reversed(bucket.tries) if t.key == name), None)
    key = bucket.keys.get(name)
    if attempt is None or not attempt.ok or key is None or not key.entries:
        return attempt
    return attempt if attempt.rev == key.entries[-1].rev else None


def plan_of(state: State, bucket: Bucket) -> Plan:
    """The newest revisions get columns; fewer are further apart."""
    keys, rest = lanes(state, bucket)
    at = WHOLE if state.width == WIDTH else SLIM
    told = at.answers > 0 and any(newest_try(bucket, k.name) for k in keys)
    answers = at.end - at.answers if told else 0.0
    latest = (answers or at.end + 14) - at.latest - 14
    end = latest - 20
    revs = sorted(e.rev for k in keys for e in k.entries)
    fits = int((end - at.grid) / PITCH)
    earlier = len(revs) > fits or any(k.earlier for k in keys)
    x0 = at.grid + (EARLIER if earlier else 0)
    revs = revs[-int((end - x0) / PITCH) :]
    # A value may stand over the columns of other keys; only the next revision of its own key limits it.
    lane = {e.rev: (k.name, e) for k in keys for e in k.entries}
    wants = []
    for rev, after in zip(revs, [*revs[1:], 0], strict=False):
        entry = lane[rev][1]
        close = not after or lane[after][0] == lane[rev][0]
        wants.append(max(PITCH, min(MOST, value_room(entry) + 5)) if close and entry.op == "put" else PITCH)
    widths, gap = columns(wants, end - x0, (0.0, WIDE - PITCH))
    lefts = [x0]
    for width in widths:
        lefts.append(round(lefts[-1] + width + gap, 2))
    return Plan(at, keys, rest, revs, earlier, x0, lefts, end, latest, answers)


def value_room(entry: Entry) -> float:
    """How wide the slot of a value would like to be."""
    return max(SLOT, text_width(entry.value, "mono t11") + 13) if entry.value else 46.0


def watchers(state: State, bucket: Bucket) -> tuple[list[Watcher], list[Watcher]]:
    """Watchers that are there, with those that went just now; and those that are only counted."""
    there = [w for w in bucket.watchers.values() if w.gone == math.inf or state.now - w.gone < RECENT]
    return there[:EYES], there[EYES:]


def shown(state: State) -> tuple[list[Bucket], list[Bucket]]:
    """Buckets with a section, and those that are only named."""
    names = sorted(state.buckets, key=lambda n: (state.buckets[n].gone < math.inf, n))
    if len(names) > BUCKETS and state.last in names:
        names.remove(state.last)
        names = [state.last, *names]
        names = sorted(names[:BUCKETS]) + sorted(names[BUCKETS:])
    return [state.buckets[n] for n in names[:BUCKETS]], [state.buckets[n] for n in names[BUCKETS:]]
