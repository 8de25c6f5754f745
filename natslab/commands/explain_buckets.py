"""`--explain` of the kv, object and counter verbs: why, and what they put on the wire."""

from __future__ import annotations

from typing import Any

from natslab.commands import words
from natslab.commands.bucket import fields, kv_stream, object_stream
from natslab.commands.results import one_line
from natslab.commands.wire_lines import ask, frame

_MORE = "The info of the bucket's stream says how it is configured and what it holds."
_WATCH = (
    "A consumer without acks hands out the newest message of each subject, and then every new one; when it "
    "breaks, a new one goes on behind the last message."
)

WHY = {
    "kv add": (
        "A bucket is a stream named KV_<bucket> with the subjects $KV.<bucket>.>, one for each key. "
        "max_msgs_per_subject is how many values of a key it keeps; purging is done by roll-up messages."
    ),
    "kv edit": "The stream of the bucket is read, changed, and given back whole.",
    "kv put": (
        "A put is a publish to the subject of the key; the sequence with which the stream stores it is the "
        "revision. Whoever writes last wins."
    ),
    "kv get": "The last message on the key's subject is its value; a revision is a sequence.",
    "kv create": (
        "A publish that the stream takes only if the key's subject has no message: the expected sequence is "
        "0. After a delete the mark of it is the last message, and its sequence is expected instead."
    ),
    "kv update": (
        "Compare and set: the stream stores the message only if the last one on the key's subject has the "
        "revision given. Of two who read the same and write, the second is refused (10071)."
    ),
    "kv del": "A delete is a message too: empty, with the header KV-Operation: DEL. Older revisions stay.",
    "kv purge": (
        "An empty message with KV-Operation: PURGE, and a header that tells the stream to roll up: what the "
        "subject had before goes away."
    ),
    "kv history": "Every message that the stream still has on the key's subject, oldest first.",
    "kv revert": "The value of the old revision is read and written again, as a compare-and-set.",
    "kv info": _MORE,
    "kv ls": "The stream's info counts its subjects; their last messages say which keys are not deleted.",
    "kv watch": _WATCH,
    "kv compact": (
        "The last message of every key is read; where it is a delete, the subject is purged, down to "
        "the mark when that is younger than 30 minutes."
    ),
    "object add": (
        "An object store is a stream named OBJ_<bucket>: the chunks of an object are messages on "
        "$O.<bucket>.C.<id>, its description is the last message on $O.<bucket>.M.<name in base64>."
    ),
    "object edit": "The stream of the store is read, changed, and given back whole.",
    "object put": (
        "The file is cut into chunks of 128 KB, each published and acknowledged. Then its description with "
        "size and SHA-256 is published; only from then on the object is there. Old chunks are purged last."
    ),
    "object get": (
        "The description says where the chunks are and what their digest must be. The file takes its name "
        "only when the digest is right."
    ),
    "object del": "The description is replaced by one that says deleted, and the chunks are purged.",
    "object info": _MORE,
    "object ls": "The last message on each subject of descriptions, without the deleted ones.",
    "object seal": "An update that says sealed: from then on nothing is added, changed or removed.",
    "object watch": _WATCH,
    "counter get": "The last message on the subject holds the sum, as a text: whole numbers of any size.",
    "counter view": (
        "The last message on the subject holds the sum; its headers hold the last increment, and what each "
        "stream that is a source contributed."
    ),
    "counter increment": (
        "A publish without payload whose header Nats-Incr says how much. The stream reads, adds and "
        "stores in one step, and answers with the new value: nothing is lost when many add at once."
    ),
    "counter decrement": "An increment by a negative number.",
    "counter list": "The stream's info lists its subjects; the last message of each holds its value.",
}


def wire(path: str, values: dict[str, Any], body: str | None) -> list[str]:
    """The messages, in order; … stands for what only an answer tells."""
    group, _, verb = path.partition(" ")
    if group == "counter":
        return _counter(verb, values)
    bucket = one_line(str(values.get("bucket") or "…"))
    info = ask(f"STREAM.INFO.{'KV' if group == 'kv' else 'OBJ'}_{bucket}")
    if verb == "add":
        said = fields("k" if group == "kv" else "o", bucket, body, values)
        config = kv_stream(bucket, said) if group == "kv" else object_stream(bucket, said)
        return ask(f"STREAM.CREATE.{config['name']}", config)
    return info + (_kv if group == "kv" else _object)(verb, bucket, values, body)


def _kv(verb: str, bucket: str, values: dict[str, Any], body: str | None) -> list[str]:
    key = one_line(str(values.get("key") or "…"))
    subject, stream = f"$KV.{bucket}.{key}", f"KV_{bucket}"
    value = words.as_bytes(body if body is not None else values.get("value") or "")
    expected = "Nats-Expected-Last-Subject-Sequence"
    ttl = [("Nats-TTL", f"{round(values['ttl'])}s")] if verb != "edit" and values.get("ttl") else []
    if verb == "put":
        return frame(subject, "_INBOX.…", [], value)
    if verb == "create":
        return frame(subject, "_INBOX.…", [(expected, "0"), *ttl], value)
    if verb == "update":
        return frame(subject, "_INBOX.…", [(expected, str(values["revision"]))], value)
    if verb == "revert":
        old = ask(f"DIRECT.GET.{stream}", {"seq": values["revision"]})
        return old + frame(subject, "_INBOX.…", [(expected, "…")], "…".encode())
    if verb == "del" and values.get("key") is None:
        return ask(f"STREAM.DELETE.{stream}")
    if verb == "del":
        return frame(subject, "_INBOX.…", [("KV-Operation", "DEL")], b"")
    if verb == "purge":
        return frame(subject, "_INBOX.…", [("KV-Operation", "PURGE"), ("Nats-Rollup", "sub"), *ttl], b"")
    if verb == "get":
        revision = values.get("revision")
        return (
            ask(f"DIRECT.GET.{stream}", {"seq": revision})
            if revision
            else ask(f"DIRECT.GET.{stream}.{subject}")
        )
    if verb == "history":
        return ask(f"DIRECT.GET.{stream}", {"seq": 1, "next_by_subj": subject, "batch": 1000})
    if verb == "ls" and values.get("bucket"):
        return ask(f"DIRECT.GET.{stream}", {"multi_last": ["…"], "batch": 500})
    if verb == "compact":
        return ask(f"STREAM.PURGE.{stream}", {"filter": f"$KV.{bucket}.…", "keep": 1})
    if verb == "edit":
        return ask(f"STREAM.UPDATE.{stream}", {"…": "…"})
    if verb == "watch":
        return _watched(stream, subject)
    return []


def _object(verb: str, bucket: str, values: dict[str, Any], body: str | None) -> list[str]:
    chunks, meta, stream = f"$O.{bucket}.C.…", f"$O.{bucket}.M.…", f"OBJ_{bucket}"
    if verb == "put":
        return [
            f"(for each chunk) PUB {chunks} _INBOX.… <bytes>",
            *frame(meta, "_INBOX.…", [("Nats-Rollup", "sub")], "{…}".encode()),
        ]
    if verb == "get":
        return [
            *ask(f"DIRECT.GET.{stream}.{meta}"),
            *ask(f"DIRECT.GET.{stream}", {"seq": 1, "next_by_subj": chunks, "batch": 64}),
        ]
    if verb == "del" and values.get("file") is None:
        return ask(f"STREAM.DELETE.{stream}")
    if verb == "del":
        mark = frame(meta, "_INBOX.…", [("Nats-Rollup", "sub")], '{…, "deleted": true}'.encode())
        return mark + ask(f"STREAM.PURGE.{stream}", {"filter": chunks})
    if verb in ("edit", "seal"):
        return ask(f"STREAM.UPDATE.{stream}", {"…": "…", **({"sealed": True} if verb == "seal" else {})})
    if verb == "watch":
        return _watched(stream, f"$O.{bucket}.M.>")
    return []


def _watched(stream: str, subject: str) -> list[str]:
    config = {"deliver_policy": "last_per_subject", "ack_policy": "none", "filter_subject": subject}
    return ask(f"CONSUMER.CREATE.{stream}", {"stream_name": stream, "config": config})


def _counter(verb: str, values: dict[str, Any]) -> list[str]:
    subject = one_line(str(values.get("subject") or ">"))
    stream = one_line(values.get("stream") or "…")
    if verb in ("increment", "decrement"):
        sign = "-" if verb == "decrement" else "+"
        return frame(subject, "_INBOX.…", [("Nats-Incr", sign + str(values["value"]).lstrip("+"))], b"")
    if verb == "list":
        return ask(f"STREAM.INFO.{stream}", {"subjects_filter": subject})
    return ask(f"DIRECT.GET.{stream}.{subject}")
