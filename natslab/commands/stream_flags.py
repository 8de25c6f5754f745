"""The flags that say how a stream is to be, and the configuration that they and a cell body make."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import click

from natslab.commands.config_body import STREAM, agree, read_config, read_file
from natslab.commands.flags import FILE, NANOS, NUMBER, SIZE, Number, flag, many, switch
from natslab.errors import CommandError
from natslab.servers.subject import check_subject

F = TypeVar("F", bound=Callable[..., Any])

_LIMIT = Number(-1)


def _said(name: str, *names: str, help: str) -> Callable[[F], F]:
    """A flag without a value that knows whether it was given at all."""
    return click.option(
        f"{name}/--no-{name.removeprefix('--')}", *names, default=None, help=help, show_default=False
    )


#: In the order of the CLI's help; each with the verbs that have it: a(dd and copy), e(dit).
_FLAGS: list[tuple[str, Callable[[Any], Any]]] = [
    ("ae", many("--subjects", help="subjects to take; several flags, or separated by commas")),
    ("ae", flag("--description", help="what it is for")),
    ("a", flag("--storage", type=click.Choice(["file", "f", "memory", "m"]), help="where messages are kept")),
    ("ae", flag("--compression", type=click.Choice(["none", "s2"]), help="of the files")),
    ("ae", flag("--replicas", type=NUMBER, help="copies on so many servers")),
    ("ae", many("--tag", help="on servers with this tag")),
    ("ae", many("--tags", hidden=True, help="the same as --tag")),
    ("ae", flag("--cluster", help="in this cluster")),
    ("ae", _said("--ack", help="answer who publishes")),
    (
        "ae",
        flag(
            "--retention",
            type=click.Choice(["limits", "interest", "workq", "work"]),
            help="until when messages are kept",
        ),
    ),
    ("ae", flag("--discard", type=click.Choice(["new", "old"]), help="what goes when a limit is reached")),
    ("ae", _said("--discard-per-subject", help="refuse new ones for each subject by itself")),
    ("a", flag("--first-sequence", type=NUMBER, help="number of the first message")),
    ("ae", flag("--max-age", type=NANOS, help="remove messages that are so old")),
    ("ae", flag("--max-bytes", type=SIZE, help="keep so many bytes")),
    ("ae", flag("--max-consumers", type=_LIMIT, help="allow so many consumers")),
    ("ae", flag("--max-msg-size", type=SIZE, help="take messages up to this size")),
    ("ae", flag("--max-msgs", type=_LIMIT, help="keep so many messages")),
    ("ae", flag("--max-msgs-per-subject", type=_LIMIT, help="keep so many of each subject")),
    ("ae", flag("--dupe-window", type=NANOS, help="so long a Nats-Msg-Id is remembered")),
    ("ae", flag("--mirror", help="be a copy of this stream")),
    ("e", switch("--no-mirror", help="be a copy no longer")),
    ("ae", many("--source", "origins", help="copy from this stream too")),
    ("ae", _said("--allow-batch", help="take atomic batches")),
    ("ae", _said("--allow-fast", help="take fast batches")),
    ("ae", _said("--allow-counter", help="be a counter")),
    ("ae", _said("--allow-rollup", help="take messages that replace all before them")),
    ("ae", _said("--deny-delete", help="let nobody remove a message")),
    ("ae", _said("--deny-purge", help="let nobody purge")),
    ("ae", _said("--allow-direct", help="let any replica answer gets")),
    ("ae", _said("--allow-mirror-direct", help="let a mirror answer gets")),
    ("ae", _said("--allow-msg-ttl", help="let a message say how long it is kept")),
    ("ae", _said("--allow-schedules", help="take messages that are to be sent later")),
    ("ae", flag("--subject-del-markers-ttl", type=NANOS, help="so long a marker tells what went by age")),
    ("ae", flag("--transform-source", help="of these subjects")),
    ("ae", flag("--transform-destination", help="change the subject to this")),
    ("e", switch("--no-transform", help="change no subject")),
    ("ae", many("--metadata", help="a note, as key:value")),
    ("ae", flag("--republish-source", help="publish again what comes to this subject")),
    ("ae", flag("--republish-destination", help="to this subject")),
    ("ae", _said("--republish-headers", help="without the payload")),
    ("e", switch("--no-republish", help="publish nothing again")),
    ("a", flag("--limit-consumer-inactive", type=NANOS, help="consumers go when unused for so long")),
    ("a", flag("--limit-consumer-max-pending", type=_LIMIT, help="unacknowledged messages of a consumer")),
    ("a", flag("--persist-mode", type=click.Choice(["default", "async"]), help="when files are written")),
]


def configuring(which: str) -> Callable[[F], F]:
    """The flags of a verb: "a" for add and copy, "e" for edit."""

    def declare(run: F) -> F:
        for verbs, option in reversed(_FLAGS):
            if which in verbs:
                run = option(run)
        return run

    return declare


#: Flag -> field of the configuration, where the value is taken as it is.
_PLAIN = {
    "description": "description",
    "compression": "compression",
    "replicas": "num_replicas",
    "discard": "discard",
    "discard_per_subject": "discard_new_per_subject",
    "first_sequence": "first_seq",
    "max_age": "max_age",
    "max_bytes": "max_bytes",
    "max_consumers": "max_consumers",
    "max_msg_size": "max_msg_size",
    "max_msgs": "max_msgs",
    "max_msgs_per_subject": "max_msgs_per_subject",
    "dupe_window": "duplicate_window",
    "allow_batch": "allow_atomic",
    "allow_fast": "allow_batched",
    "allow_counter": "allow_msg_counter",
    "allow_rollup": "allow_rollup_hdrs",
    "deny_delete": "deny_delete",
    "deny_purge": "deny_purge",
    "allow_direct": "allow_direct",
    "allow_mirror_direct": "mirror_direct",
    "allow_msg_ttl": "allow_msg_ttl",
    "allow_schedules": "allow_msg_schedules",
    "subject_del_markers_ttl": "subject_delete_marker_ttl",
    "persist_mode": "persist_mode",
}


def configured(base: Mapping[str, Any], said: Mapping[str, Any]) -> dict[str, Any]:
    """`base` with what the flags in `said` change. Raises CommandError for flags that contradict."""
    out = dict(base)
    for name, field in _PLAIN.items():
        if said.get(name) is not None:
            out[field] = said[name]
    if said.get("subjects"):
        if not all(text.strip(" ,") for text in said["subjects"]):
            raise CommandError("--subjects names no subject.", "For example: --subjects 'orders.>'")
        out["subjects"] = [s for text in said["subjects"] for s in text.split(",") if s.strip()]
    if said.get("storage"):
        out["storage"] = {"f": "file", "m": "memory"}.get(said["storage"], said["storage"])
    if said.get("retention"):
        out["retention"] = {"workq": "workqueue", "work": "workqueue"}.get(
            said["retention"], said["retention"]
        )
    if said.get("ack") is not None:
        out["no_ack"] = not said["ack"]
    if said.get("metadata"):
        out["metadata"] = {**(out.get("metadata") or {}), **metadata_pairs(said["metadata"])}
    tags = [t for text in (*said.get("tag", ()), *said.get("tags", ())) for t in text.split(",")]
    if tags or said.get("cluster"):
        where = dict(out.get("placement") or {})
        out["placement"] = {
            **where,
            **({"tags": tags} if tags else {}),
            **({"cluster": said["cluster"]} if said.get("cluster") else {}),
        }
    limits = dict(out.get("consumer_limits") or {})
    for name, field in (
        ("limit_consumer_inactive", "inactive_threshold"),
        ("limit_consumer_max_pending", "max_ack_pending"),
    ):
        if said.get(name) is not None:
            limits[field] = said[name]
    if limits:
        out["consumer_limits"] = limits
    _origins(out, said)
    _moves(out, said)
    return out


def _origins(out: dict[str, Any], said: Mapping[str, Any]) -> None:
    if said.get("mirror") and said.get("origins"):
        raise CommandError("A stream is a mirror or has sources, not both.", "Use --mirror or --source.")
    if said.get("mirror") and said.get("no_mirror"):
        raise CommandError("--mirror and --no-mirror contradict each other.", "Use one of them.")
    if said.get("mirror"):
        out["mirror"] = {"name": said["mirror"]}
    if said.get("no_mirror"):
        out.pop("mirror", None)
    if said.get("origins"):
        out["sources"] = [{"name": n} for text in said["origins"] for n in text.split(",") if n]


def _moves(out: dict[str, Any], said: Mapping[str, Any]) -> None:
    for what, field in (("transform", "subject_transform"), ("republish", "republish")):
        source, dest = said.get(f"{what}_source"), said.get(f"{what}_destination")
        if said.get(f"no_{what}"):
            if source or dest:
                raise CommandError(
                    f"--no-{what} and --{what}-source contradict each other.", "Use one of them."
                )
            out.pop(field, None)
            continue
        if bool(source) != bool(dest):
            missing = "destination" if source else "source"
            raise CommandError(f"A {what} has a source and a destination.", f"Add --{what}-{missing} SUBJECT")
        if source:
            out[field] = {"src": source, "dest": dest}
    if said.get("republish_headers") is not None:
        if "republish" not in out:
            raise CommandError(
                "--republish-headers says how to republish, and nothing is.",
                "Add --republish-source and --republish-destination.",
            )
        out["republish"] = {**out["republish"], "headers_only": said["republish_headers"]}


def metadata_pairs(texts: tuple[str, ...]) -> dict[str, str]:
    """What --metadata says, as key:value or key=value. Raises CommandError."""
    out = {}
    for text in texts:
        sign = ":" if ":" in text and ("=" not in text or text.index(":") < text.index("=")) else "="
        key, found, value = text.partition(sign)
        if not found or not key:
            raise CommandError(f"{text[:60]!r} is no metadata.", "Write key:value")
        out[key.strip()] = value.strip()
    return out


def given(body: str | None, config: Path | None) -> dict[str, Any]:
    """What the cell body or the file of --config says. Raises CommandError."""
    if body is not None and config is not None:
        raise CommandError(
            "There is a configuration in the cell body and one in --config.", "Use one of them."
        )
    if body is not None:
        return read_config(body, STREAM, "stream")
    return read_file(config, STREAM, "stream") if config is not None else {}


def wanted(stream: str | None, body: str | None, said: Mapping[str, Any]) -> dict[str, Any]:
    """The whole configuration that `add` asks for, from its name, the cell body and its flags.

    Raises CommandError when there is no name, or two.
    """
    inside = given(body, said.get("config"))
    config = configured(inside, said)
    if body is not None:
        agree(inside, config, STREAM)
    if stream is not None and config.get("name", stream) != stream:
        raise CommandError(
            f"The line names the stream {stream} and the configuration {config['name']}.",
            "Leave out one of the two.",
        )
    if stream is None and not config.get("name"):
        raise CommandError("add needs the name of a stream.", "For example: %js stream add ORDERS")
    if not config.get("mirror"):
        config.setdefault("allow_direct", True)  # as the CLI does
    return {"name": stream if stream is not None else config["name"], **config}


def check(config: Mapping[str, Any]) -> None:
    """Refuse what cannot be a stream before the server is asked, in a better sentence than its own."""
    for subject in config.get("subjects") or []:
        check_subject(subject, wildcards=True)
    if config.get("discard_new_per_subject"):
        if config.get("discard") != "new":
            raise CommandError(
                "Discarding new messages per subject needs the policy new, and it is old.",
                "Add --discard new",
            )
        if int(config.get("max_msgs_per_subject") or -1) < 1:
            raise CommandError(
                "Discarding new messages per subject needs a limit per subject.",
                "Add --max-msgs-per-subject 1",
            )
    age, window = int(config.get("max_age") or 0), int(config.get("duplicate_window") or 0)
    if 0 < age < window:
        raise CommandError(
            "The duplicate window is longer than messages are kept (max_age).",
            "Make it shorter, or leave it out: then it fits.",
        )


def odd_limits(config: Mapping[str, Any]) -> list[str]:
    """Limits that another one makes pointless."""
    notes = []
    one, all_bytes = int(config.get("max_msg_size") or -1), int(config.get("max_bytes") or -1)
    if 0 < all_bytes < one:
        notes.append(f"max_msg_size is {one:,} bytes, and max_bytes ends at {all_bytes:,}.")
    each, most = int(config.get("max_msgs_per_subject") or -1), int(config.get("max_msgs") or -1)
    if 0 < most < each:
        notes.append(
            f"max_msgs_per_subject is {each:,}, and max_msgs ends all subjects together at {most:,}."
        )
    return notes


FILE_OF_CONFIG = flag("--config", type=FILE, help="take the configuration from this YAML or JSON file")
