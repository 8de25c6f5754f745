"""`nats account`: the account that a line runs in."""

from __future__ import annotations

import json
from typing import Any

import nats.errors

from natslab.commands.connect import Line
from natslab.commands.results import Facts, one_line
from natslab.commands.server import size
from natslab.commands.tree import NATS

ACCOUNT = NATS.group("account", "a", says="The account that a line runs in.")


@ACCOUNT.verb("info", "nfo", example="%nats account info", mark="")
async def info(line: Line) -> Facts:
    """Show the account, its permissions, and what it uses of JetStream."""
    async with line.client() as client:
        user = (await _ask(line, client, "$SYS.REQ.USER.INFO")).get("data") or {}
        said = getattr(client, "_server_info", {})
        prefix = (line.js_api_prefix or "").rstrip(".")
        domain = line.js_domain or line.domain
        api = prefix or (f"$JS.{domain}.API" if domain else "$JS.API")
        js = await _ask(line, client, f"{api}.INFO")
    facts: dict[str, Any] = {
        "user": user.get("user", ""),
        "account": user.get("account", ""),
        "permissions": user.get("permissions") or {},
        "server": said.get("server_name", ""),
        "max_payload": said.get("max_payload", 0),
        "client_id": said.get("client_id", 0),
    }
    sections: dict[str, list[tuple[str, str]]] = {
        "Connection": [
            ("User", str(facts["user"])),
            ("Account", str(facts["account"])),
            ("Expires", "never" if not user.get("expires") else f"in {user['expires'] / 1e9:.0f} s"),
            ("Headers supported", "yes" if said.get("headers") else "no"),
            ("Maximum payload", size(facts["max_payload"])),
            ("Connected server", str(facts["server"])),
        ]
    }
    pairs = []
    for act in ("publish", "subscribe"):
        for rule in ("allow", "deny"):
            subjects = (facts["permissions"].get(act) or {}).get(rule) or []
            if subjects:
                pairs.append((f"{act.capitalize()} {rule}", ", ".join(map(one_line, sorted(subjects)))))
    if pairs:
        sections["Permissions"] = pairs
    if js and "error" not in js:
        limits = js.get("limits") or {}
        sections["JetStream"] = [
            ("Memory", f"{size(js.get('memory', 0))} of {_limit(limits.get('max_memory', -1))}"),
            ("Storage", f"{size(js.get('storage', 0))} of {_limit(limits.get('max_storage', -1))}"),
            ("Streams", f"{js.get('streams', 0)} of {_many(limits.get('max_streams', -1))}"),
            ("Consumers", f"{js.get('consumers', 0)} of {_many(limits.get('max_consumers', -1))}"),
        ]
        facts["jetstream"] = js
    else:
        why = (js.get("error") or {}).get("description", "it is not there") if js else "nobody answers for it"
        sections["JetStream"] = [("Available", f"no: {why}")]
    return Facts(sections, facts)


async def _ask(line: Line, client: Any, subject: str) -> dict[str, Any]:
    if line.trace_on:
        line.trace.append(f">>> {subject}: (nothing)")
    try:
        answer = await client.request(subject, b"", timeout=line.timeout)
    except nats.errors.NoRespondersError:
        return {}
    if line.trace_on:
        line.trace.append(f"<<< {answer.data.decode('utf-8', 'replace')[:2000]}")
    try:
        said = json.loads(answer.data)
    except ValueError:
        return {}
    return said if isinstance(said, dict) else {}


def _limit(number: int) -> str:
    return "unlimited" if number < 0 else size(number)


def _many(number: int) -> str:
    return "unlimited" if number < 0 else f"{number:,}"
