"""The KV view in words: the sentence, the note under it, and the table."""

from __future__ import annotations

import math
from collections.abc import Iterator

from natslab.views.kv.plan import newest_try, plan_of, shown, watchers
from natslab.views.kv.state import STREAM, Bucket, Entry, Key, State, Try, Watcher
from natslab.views.view import Table, silent, unheard
from natslab.views.wording import NOTE, SENTENCE, amount, count_of, plain, short_name

OPS = {"put": "put", "del": "delete", "purge": "purge", "marker": "marker"}
GONE = {
    "history": "left the history",
    "purged": "purged",
    "expired": "expired",
    "erased": "erased",
    "full": "pushed out: the bucket is full",
    "gone": "gone",
}


def span(seconds: float) -> str:
    """A length of time of a configuration: "1.5 s", "5 min", "2 h"."""
    for size, unit in ((86_400.0, "d"), (3_600.0, "h"), (60.0, "min")):
        if seconds >= 2 * size or (seconds >= size and seconds % size == 0):
            return f"{seconds / size:g} {unit}"
    return f"{seconds:g} s"


def rules(bucket: Bucket) -> str:
    """How much the bucket keeps, and for how long."""
    parts = []
    if bucket.mirror:
        parts.append(f"a mirror of {short_name(bucket.mirror)}")
    if bucket.history:
        parts.append(f"keeps {bucket.history} of each key")
    if bucket.ttl:
        parts.append(f"for {span(bucket.ttl)}")
    if bucket.marker:
        parts.append(f"markers stay {span(bucket.marker)}")
    return " · ".join(parts)


def kept_of(bucket: Bucket, key: Key) -> str:
    """How many revisions of the key are kept: "3 of 5"."""
    return f"{key.kept} of {bucket.history}" if bucket.history else amount(key.kept)


def verdict(attempt: Try) -> str:
    """What the server said to a conditional write, and to what."""
    if attempt.ok:
        if attempt.expected:
            return f"accepted: expected {attempt.expected}, became {attempt.rev}"
        return f"accepted: was new, became {attempt.rev}"
    if attempt.code != 10071:
        return f"refused, error {attempt.code}: {attempt.error}"
    if attempt.expected == 0:
        return f"refused: expected none, is {attempt.actual}"
    return f"refused: expected {attempt.expected}, is {attempt.actual}"


def describe(state: State) -> tuple[str, str]:
    """What happened last to a key, and how much of it the bucket keeps; watchers in the note."""
    if not state.buckets:
        if unheard(state):
            return unheard(state), "Buckets appear here when one is up."
        if state.of:
            name = state.of[0].split("/", 1)[0]
            return f"There is no bucket {short_name(name, 30)} yet.", _make(name)
        return "There is no key-value bucket yet.", _make("CFG")
    bucket = state.buckets.get(state.last) or next(iter(state.buckets.values()))
    note = ""
    for piece in filter(None, _notes(state, bucket)):
        if not note or len(note) + 1 + len(piece) <= NOTE:
            note = f"{note} {piece}".strip()
    return _sentence(bucket), note


def _make(name: str) -> str:
    return f"Make one: %js kv add {name if name.isidentifier() else 'CFG'}"


def _first(*sentences: str) -> str:
    """The first that fits into the picture, else the last."""
    return next((s for s in sentences if len(s) <= SENTENCE), sentences[-1])


def _sentence(bucket: Bucket) -> str:
    name = short_name(bucket.name)
    if bucket.gone < math.inf:
        keys = count_of(max(len(bucket.keys), bucket.told), "key")
        return f"{name} is deleted, and its {keys} with it." if bucket.keys else f"{name} is deleted."
    key = bucket.keys.get(bucket.last)
    attempt = newest_try(bucket, bucket.last)
    if attempt is not None and not attempt.ok and _newer(attempt, key):
        return _refusal(bucket, attempt)
    if key is None or not key.entries:
        if bucket.messages:
            return f"{name} has {count_of(bucket.told, 'key')}, written before this lab looked."
        return f"{name} is a new bucket: it has no key yet."
    entry = key.entries[-1]
    which, kept = short_name(key.name), kept_of(bucket, key)
    many = "" if bucket.history == 1 else f": {kept} revisions kept" if bucket.history else ""
    if entry.why == "expired":
        return _expired(bucket, entry, which)
    if entry.why:
        return f"Key {which} is gone: revision {entry.rev} was {GONE[entry.why]}."
    if entry.op == "put":
        if entry.expected > 0:
            was = f"its writer had seen revision {entry.expected}, and nothing came between."
            return _first(f"Key {which} is at revision {entry.rev}: {was}",
                          f"Key {which} is at revision {entry.rev}{many}.")  # fmt: skip
        value = short_name(said(entry), 24) if len(said(entry)) <= 24 else ""
        now = f"is “{value}”, revision {entry.rev}" if entry.size and value else f"is at revision {entry.rev}"
        return _first(f"Key {which} {now}{many}.", f"Key {which} is at revision {entry.rev}{many}.")
    if entry.op == "del":
        if bucket.history == 1 or key.kept == 1:
            return f"Key {which} is deleted: revision {entry.rev} is a message that says so."
        return f"Key {which} is deleted: revision {entry.rev} says so. {kept} revisions are kept."
    if entry.op == "purge":
        return f"Key {which} is purged: revision {entry.rev} cut off everything before it."
    return f"Key {which} expired: the server wrote revision {entry.rev} to say so."


def _expired(bucket: Bucket, entry: Entry, which: str) -> str:
    """What became of a key whose newest entry ran out of time: that may be the mark of its end itself."""
    name = short_name(bucket.name)
    if entry.op == "marker":
        stayed = f"; its marker, revision {entry.rev}, stayed {span(entry.ttl or bucket.marker)} and went too"
        return _first(f"Key {which} expired{stayed if entry.ttl or bucket.marker else ''}.",
                      f"Key {which} expired, and so did its marker.")  # fmt: skip
    if entry.op in ("del", "purge"):
        said = "deleted" if entry.op == "del" else "purged"
        return f"Key {which} is gone: revision {entry.rev}, which said that it was {said}, expired."
    if bucket.marker:
        return f"Key {which} expired: revision {entry.rev} is gone, and a marker says so."
    return f"Key {which} expired, and nothing tells its watchers: {name} has no markers."


def _newer(attempt: Try, key: Key | None) -> bool:
    """Whether nothing was stored for the key after the attempt."""
    return key is None or not key.entries or attempt.t >= key.entries[-1].t


def _refusal(bucket: Bucket, attempt: Try) -> str:
    which = short_name(attempt.key)
    if attempt.code != 10071:
        return _first(f"A write of key {which} was refused, error {attempt.code}: {attempt.error}.",
                      f"A write of key {which} was refused, error {attempt.code}.")  # fmt: skip
    if attempt.expected == 0:
        return f"Key {which} could not be created: it is there, at revision {attempt.actual}."
    wanted = f"it expected revision {attempt.expected} and found {attempt.actual}"
    return f"A write of key {which} was refused: {wanted}."


def _notes(state: State, bucket: Bucket) -> Iterator[str]:
    """What else is worth saying, the most important first."""
    yield silent(state, [bucket.place], [STREAM + bucket.name])
    name = short_name(bucket.name)
    if bucket.gone < math.inf:
        if bucket.watchers:
            yield "Its watchers hear nothing any more."
        return
    if not bucket.keys and not bucket.messages:
        yield f"Write one: %js kv put {bucket.name if bucket.name.isidentifier() else 'CFG'} color blue"
        return
    key = bucket.keys.get(bucket.last)
    attempt = newest_try(bucket, bucket.last)
    if (
        attempt is not None
        and not attempt.ok
        and attempt.code == 10071
        and attempt.expected > 0
        and _newer(attempt, key)
    ):
        yield "Somebody wrote in between. Read again, then write again."
    elif key is not None and key.entries and not key.entries[-1].why:
        entry = key.entries[-1]
        lost = sum(e.why == "history" and e.gone >= entry.t for e in key.entries)
        if lost:
            yield f"The oldest made room: {name} keeps {count_of(bucket.history, 'revision')} of each key."
        elif entry.op == "del" and bucket.history != 1:
            yield "A purge would also remove the older values."
        elif entry.op == "purge":
            yield "Only the mark that it is purged is left."
    if bucket.counted:
        yield f"{count_of(bucket.counted, 'revision')} came in a rush and were only counted."
    there, more = watchers(state, bucket)
    there = [w for w in (*there, *more) if w.gone == math.inf]
    if len(there) == 1:
        yield f"{watcher_name(there[0])} watches{_far(bucket, there[0])}."
    elif there:
        late = [w for w in there if behind(bucket, w)]
        end = f"{count_of(len(late), 'is', 'are')} behind" if late else "all have seen the newest"
        yield f"{count_of(len(there), 'watcher')}: {end}."


def behind(bucket: Bucket, watcher: Watcher) -> bool:
    """Whether a watcher of all keys was not told the newest revision yet."""
    return not watcher.pattern and watcher.rev < bucket.rev


def _far(bucket: Bucket, watcher: Watcher) -> str:
    if not watcher.rev:
        return " and was told nothing yet"
    return f" and was last told revision {watcher.rev}"


def watcher_name(watcher: Watcher) -> str:
    """Who watches: the client, else the consumer's name."""
    return short_name(watcher.client or watcher.consumer)


def initial(watcher: Watcher) -> str:
    """Whether it has what was there when it came."""
    if watcher.done < 0:
        return "initial values under way"
    return f"initial values done at {watcher.done}" if watcher.done else "no initial values to tell"


def fate(entry: Entry) -> str:
    """Whether an entry is kept, else why it is gone."""
    return "kept" if entry.kept else GONE[entry.why]


def said(entry: Entry) -> str:
    """The value of an entry for a person."""
    if entry.op == "put":
        return entry.value or "(empty)"
    return entry.value if entry.op == "marker" else ""


def table(state: State) -> Table:
    """One row per bucket, key, revision, conditional write and watcher that the picture shows."""
    found = Table(columns=["key", "rev", "op", "value", "state", "from"], rows=[], keys=[])

    def row(key: str, *cells: str) -> None:
        found.rows.append([plain(c) for c in cells])
        found.keys.append(key)

    sections, others = shown(state)
    for bucket in sections:
        gone = "deleted" if bucket.gone < math.inf else rules(bucket)
        facts = [count_of(max(len(bucket.keys), bucket.told), "key")]
        eyes = [w for w in bucket.watchers.values() if w.gone == math.inf]
        if eyes:
            facts.append(count_of(len(eyes), "watcher"))
        late = sum(behind(bucket, w) for w in eyes)
        if late:
            facts.append(f"{late} behind")
        if bucket.counted:
            facts.append(f"{amount(bucket.counted)} only counted")
        row(f"bucket/{bucket.name}", bucket.name, amount(bucket.rev), "bucket", ", ".join(facts), gone, "")
        plan = plan_of(state, bucket)
        for key in plan.keys:
            kept = f"{kept_of(bucket, key)} kept"
            now = key.value if key.value is not None else "no value"
            row(f"key/{bucket.name}/{key.name}", key.name, "", "", now, kept, "")
            left = plan.left(key)
            if left:
                row(f"earlier/{bucket.name}/{key.name}", key.name, "", "", "", f"{amount(left)} earlier", "")
            for entry in plan.shown(key):
                cells = (amount(entry.rev), OPS[entry.op], said(entry), fate(entry), entry.client)
                row(f"msg/KV_{bucket.name}/{entry.rev}", key.name, *cells)
            attempt = newest_try(bucket, key.name)
            if attempt is not None:
                op = "create" if attempt.expected == 0 else "update" if attempt.expected > 0 else "put"
                cells = ("", op, attempt.value, verdict(attempt), attempt.client)
                row(f"try/{bucket.name}/{key.name}", key.name, *cells)
        if plan.rest:
            more = f"{amount(len(plan.rest))} more keys"
            kept = f"{amount(sum(k.kept for k in plan.rest))} kept"
            row(f"more/{bucket.name}", more, "", "", "", kept, "")
        there, more_eyes = watchers(state, bucket)
        for watcher in there:
            what = "watcher" if watcher.gone == math.inf else "watcher, gone"
            row(f"watch/{bucket.name}/{watcher.consumer}", watcher.pattern or ">", amount(watcher.rev), what,
                "", initial(watcher), watcher_name(watcher))  # fmt: skip
        if more_eyes:
            count = sum(w.gone == math.inf for w in (*there, *more_eyes))
            row(f"watchers/{bucket.name}", f"{len(more_eyes)} more", "", "watchers", "", f"{count} there", "")
    for bucket in others:
        gone = "deleted" if bucket.gone < math.inf else rules(bucket)
        keys = count_of(max(len(bucket.keys), bucket.told), "key")
        row(f"bucket/{bucket.name}", bucket.name, amount(bucket.rev), "bucket", keys, gone, "")
    return found
