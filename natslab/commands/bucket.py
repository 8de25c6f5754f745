"""What the verbs of buckets share: flags that say how a bucket is to be, and the stream that it becomes.

A key-value bucket is the stream KV_<name> (ADR-8), an object store the stream OBJ_<name> (ADR-20).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import click

from natslab.commands.config_body import KV, OBJECT, Known, agree, read_config, span
from natslab.commands.flags import NANOS, SIZE, Number, flag, many
from natslab.commands.jsnode import wrapped
from natslab.commands.jspairs import cluster_pairs, limit, title_case
from natslab.commands.jsresults import STREAM_INFO, Info, Pairs
from natslab.commands.results import one_line
from natslab.commands.server import size
from natslab.commands.stream_flags import metadata_pairs
from natslab.commands.stream_loss import loss
from natslab.errors import CommandError
from natslab.servers.jsapi import Api
from natslab.servers.keyvalue import check_bucket
from natslab.servers.subject import check_subject

F = TypeVar("F", bound=Callable[..., Any])

HISTORY = 64  # values of a key that a bucket keeps at most
_WINDOW = 120 * 10**9  # ns; the longest in which a message id is remembered


class Unsaid(int):
    """A default that nobody typed: the cell body, or what is there, goes before it."""


class _Count(Number):
    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        return value if isinstance(value, Unsaid) else super().convert(value, param, ctx)


_COUNT = _Count(1)


def _switch(name: str, help: str) -> Callable[[F], F]:
    return click.option(f"--{name}/--no-{name}", default=None, help=help, show_default=False)


#: With the verbs that have it: k(v), o(bject); a(dd), e(dit).
_FLAGS: list[tuple[str, Callable[[Any], Any]]] = [
    ("koae", flag("--description", help="what it is for")),
    ("kae", flag("--history", type=_COUNT, default=Unsaid(1), help="keep so many values of each key")),
    ("koa", flag("--storage", type=click.Choice(["file", "f", "memory", "m"]), help="where it is kept")),
    ("koae", flag("--ttl", type=NANOS, help="remove what is so old")),
    ("kae", flag("--marker-ttl", type=NANOS, help="a mark tells so long what expired; allows create --ttl")),
    ("koae", flag("--replicas", type=_COUNT, default=Unsaid(1), help="copies on so many servers")),
    ("kae", flag("--max-value-size", type=SIZE, help="take values up to this size")),
    ("koae", flag("--max-bucket-size", type=SIZE, help="keep so many bytes")),
    ("koae", many("--tags", help="on servers with this tag")),
    ("koae", flag("--cluster", help="in this cluster")),
    ("koae", _switch("compress", "compress the files")),
    ("koae", many("--metadata", help="a note, as key:value")),
    ("kae", flag("--republish-source", help="publish again what comes to this subject")),
    ("kae", flag("--republish-destination", help="to this subject")),
    ("kae", _switch("republish-headers", "without the value")),
    ("ka", flag("--mirror", help="be a copy of this bucket")),
    ("ka", flag("--mirror-domain", help="… of another JetStream domain")),
    ("ke", click.option("--no-mirror/--no-no-mirror", default=False, help="be a copy no longer")),
    ("kae", many("--source", help="copy from this bucket too")),
]  # fmt: skip


def configuring(kind: str, verb: str) -> Callable[[F], F]:
    """The flags of a verb: `kind` is "k" or "o", `verb` "a" for add, "e" for edit."""

    def declare(run: F) -> F:
        for who, option in reversed(_FLAGS):
            if kind in who and verb in who:
                run = option(run)
        return run

    return declare


#: Flag -> field of a bucket's configuration, where the value is taken as it is.
_PLAIN = {
    "description": "description",
    "history": "history",
    "ttl": "ttl",
    "marker_ttl": "limit_marker_ttl",
    "replicas": "num_replicas",
    "max_value_size": "max_value_size",
    "max_bucket_size": "max_bytes",
    "compress": "compression",
}


def fields(kind: str, bucket: str, body: str | None, said: Mapping[str, Any]) -> dict[str, Any]:
    """What the cell body and the flags say about a bucket, by the names of `config_body.KV`.

    Raises CommandError for what contradicts itself or cannot be.
    """
    known, what = (KV, "bucket") if kind == "k" else (OBJECT, "object store")
    out = read_config(body, known, what) if body is not None else {}
    inside = dict(out)
    if out.get("bucket", bucket) != bucket:
        raise CommandError(
            f"The line names the bucket {bucket} and the configuration {out['bucket']}.",
            "Leave out one of the two.",
        )
    for flag_name, field in _PLAIN.items():
        value = said.get(flag_name)
        if value is not None and not isinstance(value, Unsaid):
            out[field] = value
    if said.get("storage"):
        out["storage"] = {"f": "file", "m": "memory"}.get(said["storage"], said["storage"])
    if said.get("metadata"):
        out["metadata"] = {**out.get("metadata", {}), **metadata_pairs(said["metadata"])}
    tags = [tag for text in said.get("tags", ()) for tag in text.split(",") if tag]
    if tags or said.get("cluster"):
        where = {"tags": tags} if tags else {}
        out["placement"] = {**where, **({"cluster": said["cluster"]} if said.get("cluster") else {})}
    if said.get("republish_destination") or said.get("republish_source"):
        if not said.get("republish_destination"):
            raise CommandError("A republish has a destination.", "Add --republish-destination SUBJECT")
        out["republish"] = {"src": said.get("republish_source") or "", "dest": said["republish_destination"]}
        if said.get("republish_headers"):
            out["republish"]["headers_only"] = True
    if said.get("mirror"):
        out["mirror"] = {"name": said["mirror"]}
        if said.get("mirror_domain"):
            out["mirror"]["external"] = {"api": f"$JS.{said['mirror_domain']}.API"}
    elif said.get("mirror_domain"):
        raise CommandError("--mirror-domain says where the mirrored bucket is.", "Add --mirror BUCKET")
    if said.get("source"):
        out["sources"] = [{"name": name} for text in said["source"] for name in text.split(",") if name]
    if out.get("mirror") and out.get("sources"):
        raise CommandError("A bucket is a mirror or has sources, not both.", "Use --mirror or --source.")
    if out.get("history", 1) > HISTORY:
        raise CommandError(
            f"A bucket keeps at most {HISTORY} values of a key, and {out['history']} were asked for.",
            f"Use --history {HISTORY} or less.",
        )
    for subject in (out.get("republish") or {}).values():
        if isinstance(subject, str) and subject:
            check_subject(subject, wildcards=True)
    agree(inside, out, known)
    out.pop("bucket", None)
    return out


def kv_stream(bucket: str, said: Mapping[str, Any]) -> dict[str, Any]:
    """The configuration of the stream of a new key-value bucket (ADR-8)."""
    base: dict[str, Any] = {
        "name": f"KV_{bucket}",
        "subjects": [f"$KV.{bucket}.>"],
        "max_msgs_per_subject": 1,
        "max_consumers": -1,
        "max_msgs": -1,
        "max_bytes": -1,
        "max_msg_size": -1,
        "storage": "file",
        "num_replicas": 1,
        "discard": "new",
        "duplicate_window": _WINDOW,
        "allow_rollup_hdrs": True,
        "deny_delete": True,
        "allow_direct": True,
    }
    return apply_kv(base, bucket, said)


def apply_kv(base: Mapping[str, Any], bucket: str, said: Mapping[str, Any]) -> dict[str, Any]:
    """`base`, a stream's configuration, with what is said about the bucket."""
    out = _shared(base, said)
    if "history" in said:
        out["max_msgs_per_subject"] = said["history"]
    if "max_value_size" in said:
        out["max_msg_size"] = said["max_value_size"]
    if "limit_marker_ttl" in said:
        out["subject_delete_marker_ttl"] = said["limit_marker_ttl"]
        if said["limit_marker_ttl"]:
            out["allow_msg_ttl"] = True
    if said.get("republish"):
        out["republish"] = {"src": f"$KV.{bucket}.>", **{k: v for k, v in said["republish"].items() if v}}
    if said.get("mirror"):
        out["mirror"] = {**said["mirror"], "name": _stream(said["mirror"]["name"])}
        out["mirror_direct"] = True
        out.pop("subjects", None)
    if "sources" in said:
        out["sources"] = [_source(source, bucket) for source in said["sources"]]
    return out


def object_stream(bucket: str, said: Mapping[str, Any]) -> dict[str, Any]:
    """The configuration of the stream of a new object store (ADR-20)."""
    base: dict[str, Any] = {
        "name": f"OBJ_{bucket}",
        "subjects": [f"$O.{bucket}.C.>", f"$O.{bucket}.M.>"],
        "max_consumers": -1,
        "max_msgs": -1,
        "max_bytes": -1,
        "max_msg_size": -1,
        "storage": "file",
        "num_replicas": 1,
        "discard": "new",
        "duplicate_window": _WINDOW,
        "allow_rollup_hdrs": True,
        "allow_direct": True,
    }
    return _shared(base, said)


def apply_object(base: Mapping[str, Any], said: Mapping[str, Any]) -> dict[str, Any]:
    """`base`, a stream's configuration, with what is said about the object store."""
    return _shared(base, said)


def _shared(base: Mapping[str, Any], said: Mapping[str, Any]) -> dict[str, Any]:
    out = dict(base)
    for field in ("description", "max_bytes", "storage", "num_replicas", "placement"):
        if field in said:
            out[field] = said[field]
    if "metadata" in said:
        out["metadata"] = {**(out.get("metadata") or {}), **said["metadata"]}
    if "compression" in said:
        out["compression"] = "s2" if said["compression"] else "none"
    if "ttl" in said:
        out["max_age"] = said["ttl"]
        out["duplicate_window"] = min(said["ttl"], _WINDOW) if said["ttl"] else _WINDOW
    return out


def _stream(bucket: str) -> str:
    return bucket if bucket.startswith("KV_") else f"KV_{check_bucket(bucket)}"


def _source(source: Mapping[str, Any], bucket: str) -> dict[str, Any]:
    stream = _stream(source["name"])
    out = {**source, "name": stream}
    if not source.get("subject_transforms") and not source.get("filter_subject"):
        # Else the keys would keep the other bucket's name in their subject.
        out["subject_transforms"] = [
            {"src": f"$KV.{stream.removeprefix('KV_')}.>", "dest": f"$KV.{bucket}.>"}
        ]
    return out


def seen_as(kind: str, config: Mapping[str, Any]) -> dict[str, Any]:
    """A stream's configuration by the names of the bucket's fields: what an edit compares."""
    out = {
        "description": config.get("description", ""),
        "ttl": config.get("max_age", 0),
        "max_bytes": config.get("max_bytes", -1),
        "num_replicas": config.get("num_replicas", 1),
        "placement": config.get("placement"),
        "compression": config.get("compression", "none") == "s2",
        "metadata": config.get("metadata"),
        "storage": config.get("storage", "file"),
    }
    if kind == "k":
        out |= {
            "history": config.get("max_msgs_per_subject", 1),
            "limit_marker_ttl": config.get("subject_delete_marker_ttl", 0),
            "max_value_size": config.get("max_msg_size", -1),
            "republish": config.get("republish"),
            "mirror": config.get("mirror"),
            "sources": config.get("sources"),
        }
    return out


_STATUS: Known = {**KV, "stream": STREAM_INFO}


class BucketInfo(Info):
    """A bucket: `.bucket`, `.history`, `.ttl`, `.values`, `.bytes`, …; `.stream` is its stream's info."""

    known = _STATUS

    def __init__(self, kind: str, bucket: str, stream: dict[str, Any], heading: str = "") -> None:
        state = stream["state"]
        super().__init__(
            {
                "bucket": bucket,
                **{k: v for k, v in seen_as(kind, stream["config"]).items() if v is not None},
                "values": state["messages"],
                "bytes": state["bytes"],
                "sealed": bool(stream["config"].get("sealed")),
                "stream": stream,
            }
        )
        self.kind = kind
        self.heading = heading

    @property
    def title(self) -> str:
        """Whose information it is."""
        what = "Key-Value Store" if self.kind == "k" else "Object Store"
        return self.heading or f"Information for {what} Bucket {one_line(str(self.facts['bucket']))}"

    def sections(self) -> dict[str, Pairs]:
        """How it is configured, and what it holds."""
        facts, stream = self.facts, wrapped(self.facts["stream"], STREAM_INFO)
        config = stream.config
        kv = self.kind == "k"
        rows: list[tuple[str, Any]] = [
            ("Bucket Name", facts["bucket"]),
            ("Description", facts["description"]),
            ("History Kept", f"{facts['history']:,}" if kv else ""),
            ("Values Stored", f"{facts['values']:,}" if kv else ""),
            ("Replicas", str(facts["num_replicas"])),
            ("Sealed", "" if kv else str(facts["sealed"]).lower()),
            ("Compressed", str(facts["compression"]).lower()),
            ("Maximum Age", span(facts["ttl"]) if facts["ttl"] else "unlimited"),
            ("Delete Markers TTL", span(facts["limit_marker_ttl"]) if facts.get("limit_marker_ttl") else ""),
            ("Bucket Size", size(facts["bytes"])),
            ("Maximum Bucket Size", limit(facts["max_bytes"], bytes=True)),
            ("Maximum Value Size", limit(facts["max_value_size"], bytes=True) if kv else ""),
            ("Storage", title_case(config.storage)),
            ("JetStream Stream", config.name),
            ("Mirror", str(config.mirror.name).removeprefix("KV_") if config.get("mirror") else ""),
            ("Sources", ", ".join(sorted(s.name.removeprefix("KV_") for s in config.sources))),
        ]
        if config.get("republish"):
            rows.append(("Republishing", f"{config.republish.src or '>'} to {config.republish.dest}"))
        own = {k: v for k, v in (facts.get("metadata") or {}).items() if not k.startswith("_nats.")}
        rows += [(f"Metadata {k}", v) for k, v in sorted(own.items())]
        return {
            "Configuration": [(name, str(value)) for name, value in rows if value != ""],
            "Cluster Information": cluster_pairs(stream.cluster),
        }


async def keep(
    api: Api, before: Mapping[str, Any], wanted: Mapping[str, Any], what: str, force: bool
) -> None:
    """Refuse, without `force`, an edit by which stored values go. Raises CommandError."""
    gone = "" if force else await loss(api, before, wanted)
    if gone:
        raise CommandError(
            f"This would remove {gone} from {what} for good.",
            "Nothing was done. To do it, write the line again with -f",
        )


def need_force(force: bool, what: str, how: str) -> None:
    """What the CLI would ask is a flag here, because a cell has no prompt. Raises CommandError."""
    if not force:
        raise CommandError(what, f"Nothing was done. To do it: {how}")
