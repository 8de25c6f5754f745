"""`--explain` of the consumer verbs: why, and the request they send."""

from __future__ import annotations

import json
from typing import Any

from natslab.commands.results import one_line

_INFO = (
    "A consumer lives in the server: where it is in the stream, what it handed out and what was "
    "acknowledged. The server tells it in one answer."
)

WHY = {
    "consumer add": (
        "A consumer is a cursor on a stream that the server keeps. It remembers which message it handed out "
        "last, which are not acknowledged yet and up to where all are (the ack floor). Clients come and go; "
        "the consumer stays. The server answers with the configuration as it stored it."
    ),
    "consumer edit": (
        "The same request as for a new consumer, with the whole configuration and the action update. Where "
        "the consumer is in the stream does not change; fields that say where it began cannot."
    ),
    "consumer copy": "The configuration of one consumer makes another, which begins anew.",
    "consumer ls": "One request, answered in pages: the consumers of the stream.",
    "consumer report": "One request, answered in pages: every consumer of the stream with its counters.",
    "consumer find": "One request, answered in pages; the flags are applied here.",
    "consumer info": _INFO,
    "consumer state": _INFO,
    "consumer rm": (
        "The server forgets the consumer with all it knows. The messages stay in the stream, unless only "
        "this consumer's interest kept them."
    ),
    "consumer reset": (
        "The consumer forgets what it handed out and goes on from its ack floor, or from the sequence that "
        "is named. Acks that are still on their way are ignored."
    ),
    "consumer pause": (
        "Until that time the consumer hands out nothing. Pull requests wait and acks are taken; time runs on "
        "for what was handed out before."
    ),
    "consumer resume": "The same request as to pause, with a time that is over.",
    "consumer cluster step-down": (
        "A consumer has replicas as its stream has, and one of them leads: it hands out messages and takes "
        "acks. The request asks it to let another lead; what was handed out and acknowledged is known there."
    ),
    "consumer cluster balance": (
        "Who leads which consumer is asked, and leaders of servers that lead more than others are asked to "
        "let a named server lead."
    ),
    "consumer unpin": "The group's pin is given up; the next client that asks gets it and a new Nats-Pin-Id.",
    "consumer next": (
        "A pull request names a reply subject. The server answers there with up to `batch` messages: each "
        "carries the subject it was stored with, and a reply subject of its own, $JS.ACK.…, where the answer "
        "goes: an empty message or +ACK acknowledges, -NAK asks for it again, +WPI asks for more time, +TERM "
        "gives it up. Without an answer it comes again when the ack wait is over. When there is less than "
        "was asked for, the request ends with a status: 404, 408 or 409."
    ),
    "consumer sub": (
        "Of a pull consumer: pull requests, one after the other. Of a push consumer: a subscription to the "
        "subject to which the server publishes its messages. Each is acknowledged on its reply subject."
    ),
    "subscribe --stream": (
        "A stream is read through a consumer. Without --durable it is one of its own that acknowledges "
        "nothing, goes away afterwards, and is made anew after the last message if it breaks (ordered). "
        "--direct reads the stored messages without any consumer."
    ),
}


def wire(path: str, values: dict[str, Any]) -> list[str]:
    """What goes over the wire, for the verb at `path`."""
    stream = one_line(values.get("stream") or "<stream>")
    consumer = one_line(values.get("consumer") or values.get("destination") or "<consumer>")
    name = path.partition(" ")[2]
    if path == "subscribe":
        return [
            *_request(
                f"CONSUMER.CREATE.{stream}", {"config": {"ack_policy": "none", "deliver_policy": "all"}}
            ),
            *_request(f"CONSUMER.MSG.NEXT.{stream}.<its name>", {"batch": 200, "expires": 5 * 10**9}),
        ]
    if name == "next":
        wait = values.get("wait")
        body: dict[str, Any] = {"batch": values.get("count", 1), "expires": round((wait or 0.2) * 1e9)}
        if not wait:
            body["no_wait"] = True
        answer = "-NAK" if values.get("nak") else "+TERM" if values.get("term") else ""
        lines = _request(f"CONSUMER.MSG.NEXT.{stream}.{consumer}", body)
        if values.get("hold") or not (values.get("ack") or answer):
            return lines
        each = f"(for each message) PUB <its reply subject> {len(answer)}"
        return [*lines, each, *([answer] if answer else [])]
    asked: dict[str, tuple[str, dict[str, Any] | None]] = {
        "ls": (f"CONSUMER.LIST.{stream}", {"offset": 0}),
        "report": (f"CONSUMER.LIST.{stream}", {"offset": 0}),
        "find": (f"CONSUMER.LIST.{stream}", {"offset": 0}),
        "rm": (f"CONSUMER.DELETE.{stream}.{consumer}", None),
        "reset": (f"CONSUMER.RESET.{stream}.{consumer}", _sequence(values)),
        "pause": (f"CONSUMER.PAUSE.{stream}.{consumer}", {"pause_until": "<a time>"}),
        "resume": (f"CONSUMER.PAUSE.{stream}.{consumer}", {"pause_until": "<a time that is over>"}),
        "unpin": (f"CONSUMER.UNPIN.{stream}.{consumer}", {"group": values.get("group") or "<group>"}),
        "cluster step-down": (f"CONSUMER.LEADER.STEPDOWN.{stream}.{consumer}", _preferred(values)),
        "cluster balance": (f"CONSUMER.LIST.{stream}", {"offset": 0}),
        "sub": (f"CONSUMER.MSG.NEXT.{stream}.{consumer}", {"batch": 200, "expires": 5 * 10**9}),
    }
    if name in ("add", "edit", "copy"):
        action = "update" if name == "edit" else "create"
        config = {"name": consumer, "durable_name": consumer, "…": "…"}
        body = {"stream_name": stream, "config": config, "action": action}
        return _request(f"CONSUMER.CREATE.{stream}.{consumer}", body)
    subject, said = asked.get(name, (f"CONSUMER.INFO.{stream}.{consumer}", None))
    return _request(subject, said)


def _preferred(values: dict[str, Any]) -> dict[str, Any] | None:
    return {"placement": {"preferred": values["preferred"]}} if values.get("preferred") else None


def _sequence(values: dict[str, Any]) -> dict[str, Any] | None:
    return {"seq": values["sequence"]} if values.get("sequence") else None


def _request(subject: str, body: dict[str, Any] | None) -> list[str]:
    text = json.dumps(body, ensure_ascii=False) if body is not None else ""
    return [f"PUB $JS.API.{subject} _INBOX.… {len(text.encode())}", text]
