"""`--explain` of the stream verbs: why, and the requests they send."""

from __future__ import annotations

import json
from typing import Any

from natslab.commands.results import one_line
from natslab.commands.stream_flags import configured, given, wanted

_INFO = "The server that leads the stream tells how it is configured and what it holds, in one answer."
_LIST = "One request, answered in pages with the info of every stream"
_RAFT = "The stream's replicas agree by RAFT, and one of them leads"

WHY = {
    "stream add": (
        "A stream is a store: the server keeps a copy of every message published to its subjects, whoever "
        "published it, and gives each a sequence. The request names the configuration; when a stream of that "
        "name is there it is asked to be exactly like this, all or nothing."
    ),
    "stream edit": (
        "The server is asked how the stream is, and then gets the whole configuration back with the fields "
        "changed. Some fields cannot change while a stream lives: then nothing does. Smaller limits remove "
        "messages at once."
    ),
    "stream copy": "The configuration of one stream makes another; messages are not copied.",
    "stream rm": "The server forgets the stream with its messages and consumers. There is no way back.",
    "stream purge": (
        "Messages are removed and the stream stays. Its sequence goes on where it was, so that a number is "
        "never given twice."
    ),
    "stream rmm": "One message is removed. Its sequence stays empty: a gap.",
    "stream seal": "An update that says sealed: from then on nothing is added, changed or removed.",
    "stream ls": f"{_LIST}.",
    "stream report": f"{_LIST}; the table is made here.",
    "stream find": f"{_LIST}; what is asked for is looked up here.",
    "stream info": _INFO,
    "stream state": _INFO,
    "stream subjects": ("With a filter in the request, the info says how many messages each subject has."),
    "stream gaps": "With deleted_details in the request, the info names the sequences that are empty.",
    "stream graph": "The info of the stream with its subjects; the bars are drawn here.",
    "stream view": (
        "Messages are read by their place, one request each, without a consumer: nobody's position changes "
        "and nothing needs an ack. `next_by_subj` finds the next one that matches."
    ),
    "stream get": "One message is read by its sequence, or as the newest of a subject. It needs no consumer.",
    "stream backup": (
        "The server sends the stream with its consumers as one compressed file, in chunks to an inbox; each "
        "chunk is answered, so that it sends no faster than we write."
    ),
    "stream restore": (
        "The server names a subject; the chunks of the backup go there as requests, one after the other, and "
        "an empty one ends it. Then the stream is there as it was."
    ),
    "stream cluster step-down": (
        f"{_RAFT}: it takes the messages and gives them their numbers. The request asks it to let another "
        "lead; the others vote, and what is stored stays."
    ),
    "stream cluster peer-remove": (
        f"{_RAFT}. The meta group is asked to take one of them away and to choose another server, whose "
        "replica then gets all messages from the leader."
    ),
    "stream cluster balance": (
        f"{_RAFT}. Who leads which is asked, and leaders of servers that lead more than others are asked to "
        "let a named server lead."
    ),
}

#: The subject behind $JS.API.STREAM., and the flags that become the request.
_ASKS: dict[str, tuple[str, dict[str, Any]]] = {
    "stream rm": ("DELETE", {}),
    "stream info": ("INFO", {}),
    "stream state": ("INFO", {}),
    "stream graph": ("INFO", {"subjects_filter": ">"}),
    "stream gaps": ("INFO", {"deleted_details": True}),
}


def wire(path: str, values: dict[str, Any], body: str | None) -> list[str]:
    """The requests, in order; … stands for what only the server's answer tells."""
    name = one_line(str(values.get("stream") or "…"))
    if path in _ASKS:
        verb, ask = _ASKS[path]
        return _ask(f"STREAM.{verb}.{name}", ask)
    if path == "stream add":
        config = wanted(values.get("stream"), body, values)
        name = one_line(config["name"])
        return [*_ask(f"STREAM.INFO.{name}"), *_ask(f"STREAM.CREATE.{name}", config)]
    if path in ("stream edit", "stream seal"):
        changed = (
            {"sealed": True}
            if path == "stream seal"
            else configured(given(body, values.get("config")), values)
        )
        return [*_ask(f"STREAM.INFO.{name}"), *_ask(f"STREAM.UPDATE.{name}", {"…": "…", **changed})]
    if path == "stream copy":
        config = configured({"name": values["destination"], "…": "…"}, values)
        return [
            *_ask(f"STREAM.INFO.{one_line(values['source'])}"),
            *_ask(f"STREAM.CREATE.{one_line(values['destination'])}", config),
        ]
    if path == "stream purge":
        ask = {"filter": values.get("subject"), "seq": values.get("seq"), "keep": values.get("keep")}
        return _ask(f"STREAM.PURGE.{name}", {k: v for k, v in ask.items() if v is not None})
    if path == "stream rmm":
        return _ask(f"STREAM.MSG.DELETE.{name}", {"seq": values.get("id")})
    if path == "stream get":
        last = values.get("last_for")
        return _ask(f"STREAM.MSG.GET.{name}", {"last_by_subj": last} if last else {"seq": values.get("id")})
    if path == "stream view":
        first = {"seq": values.get("id") or 1, "next_by_subj": values.get("subject") or ">"}
        return [*_ask(f"STREAM.MSG.GET.{name}", first), "(and so on, once for each message)"]
    if path == "stream subjects":
        return _ask(f"STREAM.INFO.{name}", {"subjects_filter": values.get("filter") or ">"})
    if path == "stream backup":
        ask = {"deliver_subject": "_INBOX.…", "no_consumers": not values.get("consumers", True)}
        return [
            "SUB _INBOX.… 1",
            *_ask(f"STREAM.SNAPSHOT.{name}", ask),
            "(for each chunk) PUB <its reply subject> 0",
        ]
    if path == "stream restore":
        return [
            *_ask("STREAM.RESTORE.…", {"config": "…", "state": "…"}),
            "(for each chunk) PUB <the subject in the answer> _INBOX.… <bytes>",
        ]
    if path == "stream cluster peer-remove":
        return _ask(f"STREAM.PEER.REMOVE.{name}", {"peer": values.get("peer") or "…"})
    if path == "stream cluster step-down":
        wanted_leader = values.get("preferred")
        place = {"placement": {"preferred": wanted_leader}} if wanted_leader else None
        return [*_ask(f"STREAM.LEADER.STEPDOWN.{name}", place), *_ask(f"STREAM.INFO.{name}")]
    if path == "stream cluster balance":
        move = _ask("STREAM.LEADER.STEPDOWN.…", {"placement": {"preferred": "…"}})
        return [*_ask("STREAM.LIST", {"offset": 0}), "(for each that is to be led by another)", *move]
    return _ask("STREAM.LIST", {"offset": 0})


def _ask(subject: str, body: dict[str, Any] | None = None) -> list[str]:
    said = json.dumps(body, ensure_ascii=False) if body else ""
    return [f"PUB $JS.API.{subject} _INBOX.… {len(said.encode())}", said]
