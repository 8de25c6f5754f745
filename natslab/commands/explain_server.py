"""`--explain` of the server verbs: why, and the requests they send."""

from __future__ import annotations

import json
from typing import Any

from natslab.commands.results import one_line

_ALL = "A request to all servers at once, in the system account; each answers for itself."
_META = (
    "In a cluster a RAFT group of all servers, the meta group, decides which server holds which stream. "
    "Its leader is asked, in the system account"
)

WHY = {
    "server list": _ALL,
    "server ping": _ALL,
    "server info": "A request to the servers in the system account; the answer of the one named is shown.",
    "server graph": "A request to the servers in the system account; the bars are drawn here.",
    "server mappings": "Nothing is sent: the mapping is worked out here, by the server's rules.",
    "server account info": f"{_ALL} What it knows of the account is shown.",
    "server account purge": (
        "The leader of the meta group, or the server that is alone, removes every stream of the account; "
        "asked in the system account."
    ),
    "server config reload": "The server reads its file again and changes all of what it says, or nothing.",
    "server cluster step-down": f"{_META}, to let another lead; the others vote at once.",
    "server cluster peer-remove": (
        f"{_META}, to forget a server for good. Replicas that were there are made on other servers; what had "
        "its only replica there is lost."
    ),
    "server cluster balance": (
        "Every server is asked for its connections. Of the servers that have more than their share some are "
        "disconnected, one after the other; the clients connect again, to another server."
    ),
    "server report downgrade": f"{_ALL} The API level that each stream needs is in its metadata.",
    "server request kick": "The server ends the connection with that id; the client may connect again.",
}

#: What is asked, behind $SYS.REQ.SERVER.PING.
_ASKS = {
    "list": "VARZ", "ping": "VARZ", "info": "VARZ", "graph": "VARZ", "report health": "HEALTHZ",
    "report connections": "CONNZ", "report accounts": "CONNZ", "report cpu": "STATSZ",
    "report mem": "STATSZ", "report routes": "ROUTEZ", "report gateways": "GATEWAYZ",
    "report leafnodes": "LEAFZ", "report jetstream": "JSZ", "report downgrade": "JSZ",
    "request accounts": "ACCOUNTZ", "request connections": "CONNZ", "request gateways": "GATEWAYZ",
    "request ipqueue": "IPQUEUESZ", "request jetstream-health": "HEALTHZ", "request jetstream": "JSZ",
    "request leafnodes": "LEAFZ", "request profile": "PROFILEZ", "request raft": "RAFTZ",
    "request routes": "ROUTEZ", "request subscriptions": "SUBSZ", "request variables": "VARZ",
    "cluster balance": "CONNZ", "cluster step-down": "RAFTZ", "cluster peer-remove": "RAFTZ",
    "config reload": "STATSZ", "request kick": "CONNZ", "account info": "ACCOUNTZ",
    "account purge": "ACCOUNTZ",
}  # fmt: skip


_CHECK = (
    "What is asked is what the other verbs ask; the answer is held against limits and said in a form that "
    "monitoring systems read: OK, WARNING or CRITICAL."
)


def why(path: str) -> str:
    """The paragraph, or "" for what is no verb of servers."""
    if path.startswith("server check "):
        return _CHECK
    if not path.startswith("server "):
        return ""
    return WHY.get(path, _ALL if path.partition(" ")[2] in _ASKS else "")


def wire(path: str, values: dict[str, Any]) -> list[str]:
    """The requests, in order; … stands for what only the servers' answers tell."""
    verb = path.partition(" ")[2]
    if verb.startswith("check "):
        return _checked(verb.removeprefix("check "), values)
    if verb not in _ASKS:
        return []
    lines = ["SUB _INBOX.… 1", *_ask(f"$SYS.REQ.SERVER.PING.{_ASKS[verb]}")]
    if verb == "cluster step-down":
        place = {"cluster": values.get("cluster"), "tags": list(values.get("tags") or ()),
                 "preferred": values.get("host")}  # fmt: skip
        place = {k: v for k, v in place.items() if v}
        lines += _ask("$JS.API.META.LEADER.STEPDOWN", {"placement": place} if place else None)
    elif verb == "cluster peer-remove":
        lines += _ask("$JS.API.SERVER.REMOVE", {"peer": "…"})
    elif verb == "cluster balance":
        lines += ["(for each connection too many)", *_ask("$SYS.REQ.SERVER.….KICK", {"cid": "…"})]
    elif verb == "config reload":
        lines += _ask("$SYS.REQ.SERVER.….RELOAD")
    elif verb == "account purge":
        lines += [*_ask("$SYS.REQ.SERVER.PING.JSZ"), *_ask(f"$JS.API.ACCOUNT.PURGE.{values.get('account')}")]
    elif verb == "request kick":
        lines += _ask("$SYS.REQ.SERVER.….KICK", {"cid": values.get("client")})
    return lines


def _checked(what: str, values: dict[str, Any]) -> list[str]:
    stream, consumer = one_line(str(values.get("stream"))), one_line(str(values.get("consumer")))
    asks: dict[str, list[tuple[str, dict[str, Any] | None]]] = {
        "request": [(str(values.get("subject")), None)],
        "server": [("$SYS.REQ.SERVER.PING.VARZ", {"server_name": values.get("name")})],
        "meta": [("$SYS.REQ.SERVER.PING.JSZ", None)],
        "stream": [(f"$JS.API.STREAM.INFO.{stream}", None)],
        "consumer": [(f"$JS.API.CONSUMER.INFO.{stream}.{consumer}", None)],
        "message": [(f"$JS.API.STREAM.MSG.GET.{stream}", {"last_by_subj": values.get("subject")})],
        "jetstream": [("$JS.API.INFO", None), ("$JS.API.STREAM.LIST", {"offset": 0})],
        "kv": [(f"$JS.API.STREAM.INFO.KV_{one_line(str(values.get('bucket')))}", None)],
    }
    if what == "connection":
        return ["CONNECT {…}", "PING", "SUB _INBOX.… 1", "PUB _INBOX.… 5", "check"]
    return [line for subject, body in asks.get(what, []) for line in _ask(subject, body)]


def _ask(subject: str, body: dict[str, Any] | None = None) -> list[str]:
    said = json.dumps(body, ensure_ascii=False) if body else ""
    return [f"PUB {one_line(subject)} _INBOX.… {len(said.encode())}", said]
