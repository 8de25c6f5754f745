"""A configuration as a person writes it, in YAML or JSON, becomes the one that the server takes.

The tables say which fields there are (nats-server 2.15: StreamConfig, ConsumerConfig and what they hold;
buckets as the clients describe them) and of which kind each is. Durations leave as nanoseconds and sizes
as bytes, as JetStream's JSON has them.
"""

from __future__ import annotations

import datetime
import difflib
import json
import re
import reprlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from natslab.commands.flags import LARGEST, seconds, size
from natslab.errors import CommandError, there

_LARGEST = 1_000_000  # characters of a body
_SHORTEST = 1_000_000  # ns; a bare number below it was meant as seconds


@dataclass(frozen=True)
class Kind:
    """A kind of value: `name` says it to a person, `zero` is what the server leaves out."""

    name: str
    zero: Any = None
    example: str = ""


@dataclass(frozen=True)
class Choice(Kind):
    """One of several words."""

    words: tuple[str, ...] = ()


@dataclass(frozen=True)
class Each(Kind):
    """A list of one kind, or of mappings."""

    of: Kind | Mapping[str, Any] | None = None


Known = Mapping[str, Any]  # field -> Kind, or a table of its own

TEXT = Kind("a text", "")
INT = Kind("a whole number", 0, "100")
BOOL = Kind("true or false", False, "true")
DURATION = Kind("a duration", 0, "1h")
SIZE = Kind("a size", 0, "1MB")
TIME = Kind("a time", None, "2026-01-31T12:00:00Z")
WORDS = Kind("a mapping of texts", {}, "{team: shop}")
TEXTS = Each("a list", [], '["orders.>"]', TEXT)
DURATIONS = Each("a list", [], "[1s, 5s]", DURATION)


def _one_of(*words: str) -> Choice:
    return Choice("one of " + ", ".join(words), words[0], words[0], words)


_TRANSFORM: Known = {"src": TEXT, "dest": TEXT}
_PLACEMENT: Known = {"cluster": TEXT, "tags": TEXTS, "preferred": TEXT}
_REPUBLISH: Known = {"src": TEXT, "dest": TEXT, "headers_only": BOOL}
SOURCE: Known = {
    "name": TEXT,
    "opt_start_seq": INT,
    "opt_start_time": TIME,
    "filter_subject": TEXT,
    "subject_transforms": Each("a list", [], '[{src: "a.>", dest: "b.>"}]', _TRANSFORM),
    "external": {"api": TEXT, "deliver": TEXT},
}
_SOURCES = Each("a list", [], "[{name: ORDERS}]", SOURCE)
_STORAGE = _one_of("file", "memory")

STREAM: Known = {
    "name": TEXT,
    "description": TEXT,
    "subjects": TEXTS,
    "retention": _one_of("limits", "interest", "workqueue"),
    "max_consumers": INT,
    "max_msgs": INT,
    "max_bytes": SIZE,
    "max_age": DURATION,
    "max_msgs_per_subject": INT,
    "max_msg_size": SIZE,
    "discard": _one_of("old", "new"),
    "discard_new_per_subject": BOOL,
    "storage": _STORAGE,
    "num_replicas": INT,
    "no_ack": BOOL,
    "duplicate_window": DURATION,
    "placement": _PLACEMENT,
    "mirror": SOURCE,
    "sources": _SOURCES,
    "compression": _one_of("none", "s2"),
    "first_seq": INT,
    "subject_transform": _TRANSFORM,
    "republish": _REPUBLISH,
    "allow_direct": BOOL,
    "mirror_direct": BOOL,
    "sealed": BOOL,
    "deny_delete": BOOL,
    "deny_purge": BOOL,
    "allow_rollup_hdrs": BOOL,
    "consumer_limits": {"inactive_threshold": DURATION, "max_ack_pending": INT},
    "allow_msg_ttl": BOOL,
    "subject_delete_marker_ttl": DURATION,
    "allow_msg_counter": BOOL,
    "allow_atomic": BOOL,
    "allow_batched": BOOL,
    "allow_msg_schedules": BOOL,
    "persist_mode": _one_of("default", "async"),
    "metadata": WORDS,
}

CONSUMER: Known = {
    "name": TEXT,
    "durable_name": TEXT,
    "description": TEXT,
    "deliver_policy": _one_of("all", "last", "new", "by_start_sequence", "by_start_time", "last_per_subject"),
    "opt_start_seq": INT,
    "opt_start_time": TIME,
    "ack_policy": _one_of("none", "all", "explicit", "flow_control"),
    "ack_wait": DURATION,
    "max_deliver": INT,
    "backoff": DURATIONS,
    "filter_subject": TEXT,
    "filter_subjects": TEXTS,
    "replay_policy": _one_of("instant", "original"),
    "rate_limit_bps": INT,
    "sample_freq": TEXT,
    "max_waiting": INT,
    "max_ack_pending": INT,
    "flow_control": BOOL,
    "idle_heartbeat": DURATION,
    "headers_only": BOOL,
    "max_batch": INT,
    "max_expires": DURATION,
    "max_bytes": SIZE,
    "deliver_subject": TEXT,
    "deliver_group": TEXT,
    "inactive_threshold": DURATION,
    "num_replicas": INT,
    "mem_storage": BOOL,
    "pause_until": TIME,
    "priority_groups": TEXTS,
    "priority_policy": _one_of("none", "overflow", "pinned_client", "prioritized"),
    "priority_timeout": DURATION,
    "metadata": WORDS,
}

KV: Known = {
    "bucket": TEXT,
    "description": TEXT,
    "history": INT,
    "ttl": DURATION,
    "limit_marker_ttl": DURATION,
    "max_value_size": SIZE,
    "max_bytes": SIZE,
    "storage": _STORAGE,
    "num_replicas": INT,
    "placement": _PLACEMENT,
    "republish": _REPUBLISH,
    "mirror": SOURCE,
    "sources": _SOURCES,
    "compression": BOOL,
    "metadata": WORDS,
}

OBJECT: Known = {
    "bucket": TEXT,
    "description": TEXT,
    "ttl": DURATION,
    "max_bytes": SIZE,
    "storage": _STORAGE,
    "num_replicas": INT,
    "placement": _PLACEMENT,
    "compression": BOOL,
    "metadata": WORDS,
}

#: What people write for a field: flags of the CLI and names of other clients.
_ALSO = {
    "replicas": "num_replicas",
    "subject": "subjects",
    "dupe_window": "duplicate_window",
    "dedup_window": "duplicate_window",
    "max_messages": "max_msgs",
    "max_msgs_per_key": "max_msgs_per_subject",
    "allow_rollup": "allow_rollup_hdrs",
    "allow_counter": "allow_msg_counter",
    "allow_schedules": "allow_msg_schedules",
    "allow_batch": "allow_atomic",
    "first_sequence": "first_seq",
    "source": "sources",
    "tags": "placement",
    "cluster": "placement",
    "ack": "ack_policy",
    "deliver": "deliver_policy",
    "filter": "filter_subject",
    "max_pending": "max_ack_pending",
    "target": "deliver_subject",
    "durable": "durable_name",
    "marker_ttl": "limit_marker_ttl",
    "max_age": "ttl",
    "destination": "dest",
    "start_seq": "opt_start_seq",
}


def nanoseconds(text: str) -> int | None:
    """Nanoseconds, for a duration as the CLI writes it ("1h", "-1" = none), or None if it is none."""
    if text.strip() == "-1":
        return 0
    found = seconds(text)
    return None if found is None else round(found * 1e9)


def span(ns: int) -> str:
    """A duration as one writes it: 1h, 1m30s, 250ms."""
    if ns < 0:
        return str(ns)
    parts = []
    for unit, length in (("d", 86400), ("h", 3600), ("m", 60), ("s", 1)):
        if ns >= length * 10**9:
            parts.append(f"{ns // (length * 10**9)}{unit}")
            ns %= length * 10**9
    for unit, length in (("ms", 10**6), ("us", 10**3), ("ns", 1)):
        if ns >= length:
            parts.append(f"{ns // length}{unit}")
            ns %= length
    return "".join(parts) or "0s"


def read_config(text: str, known: Known, what: str) -> dict[str, Any]:
    """The configuration in a cell body or a file, checked, as the server takes it.

    Parameters
    ----------
    text: YAML (safe, one document) or JSON.
    known: the table of fields: STREAM, CONSUMER, KV, OBJECT.
    what: whose configuration it is, for the sentences: "stream".

    Raises CommandError: neither YAML nor JSON, no mapping, an unknown field, a value of the wrong kind.
    """
    if len(text) > _LARGEST:
        raise CommandError(f"The configuration has {len(text):,} characters.", "Leave out what is no field.")
    try:
        said = yaml.load(text, Loader=_Loader)
    except CommandError:
        raise
    except (yaml.YAMLError, ValueError, RecursionError) as e:
        # Tabs between tokens are good JSON and bad YAML.
        try:
            said = json.loads(text)
        except (ValueError, RecursionError):
            raise _unreadable(e, what) from None
    if not isinstance(said, dict):
        raise CommandError(
            f"The configuration of a {what} is a mapping of fields, and this is {_shape(said)}.",
            f"Write one field a line, for example: {_example(known)}",
        )
    return _mapping(said, known, what, "")


def read_file(path: Path, known: Known, what: str) -> dict[str, Any]:
    """The same from the file of `--config`."""
    try:
        with path.open("rb") as file:
            data = file.read(_LARGEST * 4)
        text = data.decode("utf-8")
    except OSError as e:
        raise CommandError(f"{str(path)!r} cannot be read: {e.strerror}.", "Check the file name.") from None
    except UnicodeDecodeError:
        raise CommandError(f"{str(path)!r} is no text.", "It holds YAML or JSON.") from None
    return read_config(text, known, what)


def shown(value: Any, kind: Any) -> str:
    """A value of a configuration as a person would write it."""
    if value is None or (value == [] and isinstance(kind, Each)):
        return "none"
    if kind is DURATION and isinstance(value, int):
        return span(value) if value else "none"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list):
        inner = kind.of if isinstance(kind, Each) else None
        return ", ".join(shown(v, inner) for v in value)
    if isinstance(value, dict):
        table = kind if isinstance(kind, Mapping) else {}
        return "{" + ", ".join(f"{k}: {shown(v, table.get(k))}" for k, v in sorted(value.items())) + "}"
    return str(value) if value != "" else "none"


class _Loader(yaml.SafeLoader):
    """Safe YAML that refuses a field given twice."""


def _construct(loader: _Loader, node: yaml.MappingNode) -> dict[Any, Any]:
    seen: set[str] = set()
    for key, _ in node.value:
        name = str(key.value)
        if name in seen and name != "<<":
            raise CommandError(f"{name} is there twice.", "Leave one of the two.")
        seen.add(name)
    return yaml.SafeLoader.construct_mapping(loader, node, deep=True)


_Loader.add_constructor(yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG, _construct)


def _unreadable(error: Exception, what: str) -> CommandError:
    mark = getattr(error, "problem_mark", None)
    where = f" in line {mark.line + 1}" if mark is not None else ""
    problem = "".join(c for c in str(getattr(error, "problem", "") or "") if c.isprintable())
    hint = (
        f"One field a line: max_msgs: 100. Check {where.removeprefix(' in ') or 'the brackets and quotes'}."
    )
    if "alias" in problem or "anchor" in problem or "alias" in str(error):
        hint = 'A text that begins with * needs quotes: "*.orders"'
    elif "mapping values" in problem:
        hint = "A text that holds a colon and a blank needs quotes."
    elif "tag" in problem:
        hint = "Only plain values are read: texts, numbers, lists."
    reason = f": {problem}" if problem else ""
    return CommandError(f"The configuration of the {what} is neither YAML nor JSON{where}{reason}.", hint)


def _mapping(said: dict[Any, Any], known: Known, what: str, path: str) -> dict[str, Any]:
    out: dict[str, Any] = {}
    for key, value in said.items():
        if not isinstance(key, str) or key not in known:
            raise _unknown(str(key), said, known, what, path)
        if value is None:
            continue
        out[key] = _value(value, known[key], f"{path}{key}", what)
    return out


def _unknown(key: str, said: dict[Any, Any], known: Known, what: str, path: str) -> CommandError:
    plain = re.sub(r"[^a-z0-9]+", "_", key.lower()).strip("_")
    also = _ALSO.get(plain, "")
    free = [k for k in known if k not in said]
    close = difflib.get_close_matches(plain, free, 1, 0.6) or difflib.get_close_matches(plain, known, 1, 0.6)
    near = plain if plain in known else also if also in known else close[0] if close else ""
    inside = f" in {path.rstrip('.')}" if path else ""
    hint = f"Did you mean {near}?" if near else there(sorted(known), most=99)
    key = key if len(key) <= 60 else key[:59] + "…"
    return CommandError(f"The configuration of a {what} has no field {key!r}{inside}.", hint)


def _value(value: Any, kind: Any, where: str, what: str) -> Any:
    if isinstance(kind, Mapping):
        if isinstance(value, dict):
            return _mapping(value, kind, what, f"{where}.")
        raise _wrong(where, value, "a mapping", f"{{{_example(kind)}}}")
    if isinstance(kind, Each):
        if not isinstance(value, list):
            raise _wrong(where, value, kind.name, f"{where.rpartition('.')[2]}: {kind.example}")
        if kind.of is TEXT and "" in value:
            raise CommandError(
                f"{where} holds an empty text.", 'A lone > is YAML\'s; put quotes around it: ">"'
            )
        return [_value(v, kind.of, f"{where}[{i}]", what) for i, v in enumerate(value)]
    assert isinstance(kind, Kind)
    found = _scalar(value, kind)
    if isinstance(found, int) and abs(found) > LARGEST:
        raise CommandError(f"{where}: {_shape(value)} is too large.", f"At most {LARGEST}.")
    if found is not None:
        return found
    if kind is TEXT and value == "":
        return ""
    if kind is DURATION and isinstance(value, int) and not isinstance(value, bool) and value > 0:
        raise CommandError(
            f"{where}: {value} are nanoseconds, as in the server's JSON.", f"Write the unit: {value}s"
        )
    if isinstance(kind, Choice) and isinstance(value, str):
        *others, last = kind.words
        raise CommandError(
            f"{_shape(value)} is no {where.rpartition('.')[2].replace('_', ' ')}: "
            f"{', '.join(others)} or {last}.",
            "Use one of these words.",
        )
    raise _wrong(where, value, kind.name, kind.example)


def agree(body: Mapping[str, Any], wanted: Mapping[str, Any], known: Known) -> None:
    """Refuse flags that say something else than the cell body; what flags only add to it is left.

    `wanted` is what became of both. Raises CommandError.
    """
    for field, value in body.items():
        now = wanted.get(field)
        if now == value or (
            isinstance(value, dict) and isinstance(now, dict) and value.items() <= now.items()
        ):
            continue
        kind = known.get(field)
        raise CommandError(
            f"The cell body says {field}: {shown(value, kind)}, and the line says {shown(now, kind)}.",
            "Leave out one of the two.",
        )


def _scalar(value: Any, kind: Kind) -> Any:
    """The value in that kind, or None when it is not of it."""
    is_int = isinstance(value, int) and not isinstance(value, bool)
    if isinstance(kind, Choice):
        word = value.lower() if isinstance(value, str) else ""
        word = {"work": "workqueue", "workq": "workqueue", "f": "file", "m": "memory"}.get(word, word)
        return word if word in kind.words else None
    if kind is TEXT:
        if isinstance(value, str):
            return value
        return str(value) if is_int or isinstance(value, float) else None
    if kind is INT:
        return value if is_int else None
    if kind is BOOL:
        return value if isinstance(value, bool) else None
    if kind is DURATION:
        if is_int:
            return 0 if value == -1 else value if value == 0 or value >= _SHORTEST else None
        return nanoseconds(value) if isinstance(value, str) else None
    if kind is SIZE:
        return value if is_int else size(value) if isinstance(value, str) else None
    if kind is TIME:
        return _time(value)
    if kind is WORDS and isinstance(value, dict):
        return {str(k): v if isinstance(v, str) else json.dumps(v, default=str) for k, v in value.items()}
    return None


def _time(value: Any) -> str | None:
    if isinstance(value, str):
        try:
            value = datetime.datetime.fromisoformat(value)
        except ValueError:
            return None
    if not isinstance(value, datetime.datetime):
        return None
    if value.tzinfo is None:
        value = value.replace(tzinfo=datetime.UTC)
    written: str = value.isoformat()
    return written.replace("+00:00", "Z")


def _wrong(where: str, value: Any, wanted: str, example: str) -> CommandError:
    hint = f"Write for example: {example}" if example else "Put it in quotes."
    return CommandError(f"{where} is {wanted}, and {_shape(value)} is none.", hint)


def _shape(value: Any) -> str:
    if value is None:
        return "nothing"
    if isinstance(value, str):
        return repr(value if len(value) <= 60 else value[:59] + "…")
    return reprlib.repr(value)


def _example(known: Known) -> str:
    for key in ("subjects", "ack_policy", "history", "name", "src", "tags", "max_ack_pending"):
        if key in known:
            kind = known[key]
            return f"{key}: {getattr(kind, 'example', '') or 'ORDERS'}"
    return "name: value"
