"""`--explain`: what a line would do, in a paragraph, and the bytes it would put on the wire."""

from __future__ import annotations

from typing import Any

from natslab.commands import explain_buckets, explain_consumer, explain_server, explain_stream, words
from natslab.commands.consumer_sub import asked
from natslab.commands.results import Result, one_line
from natslab.commands.schedule import Schedule
from natslab.commands.templates import Template
from natslab.commands.wire_lines import frame
from natslab.errors import CommandError

_WHY = {
    "publish": (
        "The client hands the server a subject and a payload. The server copies the message to every "
        "subscription that matches the subject, and to one member of each queue group. Nobody answers: when "
        "nobody listens, the message is gone (at most once)."
    ),
    "publish -J": (
        "A JetStream publish is a request: the stream that captures the subject stores the message and "
        "answers with its sequence, the PubAck. Without such a stream the server says at once that nobody "
        "is there."
    ),
    "publish --atomic": (
        "Each message says to which batch it belongs and which one it is; the stream keeps them aside and "
        "answers with an empty message. The last one says commit: then all of them are stored at once, with "
        "consecutive sequences, or, when anything is wrong, none."
    ),
    "publish --schedule": (
        "The message is stored like any other, and its headers tell the stream when to publish it, and to "
        "which of its own subjects. What the stream publishes then goes into the stream and from there to "
        "consumers; a plain subscription does not hear it. One schedule is kept for each subject."
    ),
    "subscribe": (
        "The client tells the server what it wants to hear and gives the subscription a number (sid). From "
        "then on the server sends every message that matches; what was published before is not sent."
    ),
    "request": (
        "A request is a publish with a reply subject, an inbox that only the asker subscribes to. Whoever "
        "answers publishes to that inbox. When nobody subscribes to the subject, the server itself answers "
        "with status 503."
    ),
    "reply": (
        "The client subscribes, in a queue group so that several responders share the work, and publishes "
        "its answer to the reply subject of each request."
    ),
    "trace": (
        "The message carries two headers that ask every server on its way to report what it does with it. "
        "With Nats-Trace-Only it is routed but neither delivered nor stored."
    ),
    "rtt": "The client sends PING and measures how long the PONG takes.",
    "events": (
        "Servers publish what happens to them on subjects of the system account; JetStream publishes "
        "advisories on $JS.EVENT.> in the account of the stream. Listening is a plain subscription."
    ),
    "account info": "Two requests: who am I ($SYS.REQ.USER.INFO), and what does my account use of JetStream.",
}


class Explanation(Result):
    """A paragraph, and the lines of the protocol."""

    def __init__(self, verb: str, why: str, wire_lines: list[str]) -> None:
        super().__init__()
        self.verb = verb
        self.why = why
        self.bytes = wire_lines

    def text(self) -> str:
        """Both."""
        sent = "\n".join(f"  {line}" for line in self.bytes) if self.bytes else "  (nothing)"
        return f"{self.why}\n\nOn the wire:\n{sent}"

    def json(self) -> Any:
        """Both."""
        return {"verb": self.verb, "why": self.why, "wire": self.bytes}


def explain(path: str, values: dict[str, Any], body: str | None) -> Explanation:
    """What the verb at `path` ("publish", "server list") would do with these values."""
    key = path
    if path == "publish":
        planned = Schedule.of(values["subject"], values) is not None
        atomic, stored = values.get("atomic"), values.get("jetstream")
        key += " --atomic" if atomic else " --schedule" if planned else " -J" if stored else ""
    if path == "subscribe" and asked(values):
        key = "subscribe --stream"
    if key in explain_consumer.WHY:
        return Explanation(path, explain_consumer.WHY[key], explain_consumer.wire(path, values))
    if key in explain_stream.WHY:
        return Explanation(path, explain_stream.WHY[key], explain_stream.wire(path, values, body))
    if key in explain_buckets.WHY:
        return Explanation(path, explain_buckets.WHY[key], explain_buckets.wire(path, values, body))
    if of_servers := explain_server.why(path):
        return Explanation(path, of_servers, explain_server.wire(path, values))
    if key not in _WHY:
        raise CommandError(f"There is no explanation of {path} yet.", f"Help: %nats {path} --help")
    return Explanation(path, _WHY[key], _wire(path, values, body))


def _wire(path: str, values: dict[str, Any], body: str | None) -> list[str]:
    if path in ("publish", "request", "trace"):
        text = body if body is not None else values.get("body") or values.get("payload") or ""
        if values.get("templates", False):
            text = Template(text).render(1)
        headers = [
            tuple(part.strip() for part in h.split(":", 1)) for h in values.get("header", ()) if ":" in h
        ]
        reply = values.get("reply") or ""
        lines = []
        planned = Schedule.of(values["subject"], values) if path == "publish" else None
        if planned is not None:
            headers += [tuple(h.split(":", 1)) for h in planned.header]
        if values.get("atomic"):
            headers += [("Nats-Batch-Id", "…"), ("Nats-Batch-Sequence", "1"), ("Nats-Batch-Commit", "1")]
        if path == "request" or values.get("jetstream") or values.get("atomic") or planned is not None:
            reply = "_INBOX.…"
            lines.append("SUB _INBOX.… 1")
        if path == "trace":
            headers.append(("Nats-Trace-Dest", "_INBOX.…"))
            if not values.get("deliver"):
                headers.append(("Nats-Trace-Only", "true"))
        return lines + frame(values["subject"], reply, headers, words.as_bytes(text))
    if path == "subscribe":
        group = values.get("queue")
        subjects = values.get("subjects") or ("_INBOX.…",)
        lines = [f"SUB {one_line(s)} {group + ' ' if group else ''}{i}" for i, s in enumerate(subjects, 1)]
        if values.get("count") and len(subjects) == 1:
            lines.append(f"UNSUB 1 {values['count']}")
        return lines
    if path == "reply":
        lines = [f"SUB {one_line(values['subject'])} {values['queue']} 1".replace("  ", " ")]
        if values.get("count"):
            lines.append(f"UNSUB 1 {values['count']}")
        return [*lines, "(for each request) PUB <its reply subject> <bytes>"]
    fixed = {
        "rtt": ["PING"],
        "account info": ["PUB $SYS.REQ.USER.INFO _INBOX.… 0", "", "PUB $JS.API.INFO _INBOX.… 0", ""],
    }
    if path == "events":
        lines = []
        if values.get("srv_advisory"):
            lines += [
                "SUB $SYS.ACCOUNT.*.CONNECT 1",
                "SUB $SYS.ACCOUNT.*.DISCONNECT 2",
                "SUB $SYS.SERVER.*.CLIENT.AUTH.ERR 3",
            ]
        if values.get("js_advisory") or values.get("all"):
            lines.append(f"SUB $JS.EVENT.ADVISORY.> {len(lines) + 1}")
        if values.get("js_metric") or values.get("all"):
            lines.append(f"SUB $JS.EVENT.METRIC.> {len(lines) + 1}")
        return lines
    return fixed.get(path, [])
