"""`nats server check`: connection, request, server, meta and credential, for monitoring systems."""

from __future__ import annotations

import asyncio
import base64
import binascii
import json
import re
import time
from pathlib import Path
from typing import Any

import nats.errors

from natslab.commands.check_result import Check, Perf, formatting
from natslab.commands.connect import Line
from natslab.commands.flags import DURATION, FILE, NUMBER, flag, many, seconds, switch
from natslab.commands.results import one_line
from natslab.commands.server import SERVER
from natslab.commands.server_ask import Servers
from natslab.errors import ClientError, CommandError, LabError, NatslabError
from natslab.servers.direct import moment
from natslab.servers.disk import read
from natslab.servers.subject import check_subject

CHECK = SERVER.group(
    "check",
    says="Health checks, in the form that monitoring systems read: OK, WARNING or CRITICAL.",
    own=formatting,
)


def span(limit: float) -> str:
    """A limit in seconds as it was typed, more or less: 500ms, 2s."""
    return f"{limit * 1000:g}ms" if limit < 1 else f"{limit:g}s"


def expression(text: str, flag: str) -> re.Pattern[str]:
    """A regular expression. Raises CommandError."""
    try:
        return re.compile(text)
    except (re.error, OverflowError, RecursionError) as e:
        raise CommandError(
            f"{flag} is no regular expression: {e}.", "Plain words match themselves."
        ) from None


@CHECK.verb("connection", "conn", example="%nats server check connection", mark="")
@flag(
    "--connect-warn",
    type=DURATION,
    default="500ms",
    show_default=True,
    help="warn when connecting takes so long",
)
@flag("--connect-critical", type=DURATION, default="1s", show_default=True, help="critical")
@flag(
    "--rtt-warn",
    type=DURATION,
    default="500ms",
    show_default=True,
    help="warn when PING and PONG take so long",
)
@flag("--rtt-critical", type=DURATION, default="1s", show_default=True, help="critical")
@flag(
    "--req-warn",
    type=DURATION,
    default="500ms",
    show_default=True,
    help="warn when a message to us takes so long",
)
@flag("--req-critical", type=DURATION, default="1s", show_default=True, help="critical")
async def connection(line: Line, **said: Any) -> Check:
    """Connect, and see how long that, a PING and a message take."""
    check = Check("Connection", "connection", said)
    began = time.monotonic()
    try:
        client = await line.open("natslab check")
    except (NatslabError, TimeoutError) as e:
        check.say("critical", f"connection failed: {e.what if isinstance(e, NatslabError) else 'timeout'}")
        return check.done()
    try:
        took = {"connect": time.monotonic() - began}
        began = time.monotonic()
        await client.flush(timeout=max(1, int(line.timeout)))
        took["rtt"] = time.monotonic() - began
        inbox = client.new_inbox()
        sub = await client.subscribe(inbox)
        began = time.monotonic()
        await client.publish(inbox, b"check")
        await sub.next_msg(line.timeout)
        took["req"] = time.monotonic() - began
    except (nats.errors.Error, TimeoutError):
        check.say("critical", "the server does not answer")
        return check.done()
    finally:
        await client.close()
    words = {"connect": "connected", "rtt": "PING answered", "req": "message came back"}
    for name, passed in took.items():
        warn, crit = said[f"{name}_warn"], said[f"{name}_critical"]
        over = crit if passed >= crit else warn if passed >= warn else 0.0
        what = f"{words[name]} {'later than' if over else 'within'} {span(over or warn)}"
        check.say("critical" if passed >= crit else "warning" if over else "ok", what)
        check.perf.append(
            Perf(f"{name}_time", passed, f"Seconds until: {words[name]}", "s", warn, crit, steady=False)
        )
    return check.done()


@CHECK.verb(
    "request", "req", example="%nats server check request --subject help.me --match-payload yes", mark=""
)
@flag("--subject", required=True, help="ask here")
@flag("--payload", default="", help="with this payload")
@many("--headers", help="with this header, as Key:value")
@flag("--match-payload", help="the answer's payload must match this expression")
@many("--match-headers", help="the answer must have this header, as Key:expression")
@flag("--response-critical", type=DURATION, help="critical when the answer takes so long")
@flag("--response-warn", type=DURATION, help="warn when it takes so long")
async def request(
    line: Line, subject: str, payload: str, headers: tuple[str, ...], match_payload: str | None,
    match_headers: tuple[str, ...], response_critical: float | None, response_warn: float | None, **said: Any,
) -> Check:  # fmt: skip
    """Ask a service something, and see what it answers."""
    check_subject(subject)
    check = Check("Request", "request", said)
    wanted = expression(match_payload or "", "--match-payload")
    sent = {k.strip(): v.strip() for k, _, v in (h.partition(":") for h in headers)}
    began = time.monotonic()
    async with line.client() as client:
        try:
            answer = await client.request(
                subject, payload.encode(), timeout=line.timeout, headers=sent or None
            )
        except nats.errors.NoRespondersError:
            check.say("critical", f"nobody answers on {one_line(subject)}")
            return check.done()
        except (nats.errors.TimeoutError, TimeoutError):
            check.say("critical", f"no answer within {span(line.timeout)}")
            return check.done()
    took = time.monotonic() - began
    if match_payload and wanted.search(answer.data.decode("utf-8", "replace")) is None:
        check.say("critical", f"the payload does not match {match_payload}")
    for text in match_headers:
        key, _, value = text.partition(":")
        found = (answer.headers or {}).get(key.strip())
        if found is None or expression(value.strip(), "--match-headers").search(str(found)) is None:
            check.say("critical", f"the header {key.strip()} does not match {value.strip()}")
    check.limits(
        f"answer {'later than' if took >= (response_warn or response_critical or took + 1) else 'within'} "
        f"{span(response_warn or response_critical or 0)}",
        took,
        response_warn,
        response_critical,
    )
    if check.ok:
        check.say("ok", "valid answer")
    check.perf.append(
        Perf("time", took, "Seconds until the answer", "s", response_warn or 0, response_critical or 0, False)
    )
    return check.done()


@CHECK.verb("server", example="%nats server check server --name n1 --js-required", mark="")
@flag("--name", required=True, help="this server")
@flag("--cpu-warn", type=NUMBER, help="warn at so many percent of a processor")
@flag("--cpu-critical", type=NUMBER, help="critical")
@flag("--mem-warn", type=NUMBER, help="warn at so many bytes of memory")
@flag("--mem-critical", type=NUMBER, help="critical")
@flag("--conn-warn", type=NUMBER, help="warn at so many connections; below, when critical is less")
@flag("--conn-critical", type=NUMBER, help="critical")
@flag("--subs-warn", type=NUMBER, help="warn at so many subscriptions; below, when critical is less")
@flag("--subs-critical", type=NUMBER, help="critical")
@flag("--uptime-warn", type=DURATION, help="warn when it began less than so long ago")
@flag("--uptime-critical", type=DURATION, help="critical")
@switch("--auth-required", help="it must ask clients who they are")
@switch("--tls-required", help="it must ask for TLS")
@switch("--js-required", help="JetStream must be on")
@flag("--tls-cert-warn", type=DURATION, help="warn when its certificate expires so soon")
@flag("--tls-cert-crit", type=DURATION, help="critical")
async def server(
    line: Line, name: str, auth_required: bool, tls_required: bool, js_required: bool, **said: Any
) -> Check:
    """Look at one server."""
    check = Check(name, "server", said)
    try:
        answers = await Servers(line, host=name).ask("VARZ")
    except (ClientError, CommandError, LabError) as e:
        check.say("critical", e.what.rstrip("."))
        return check.done()
    found = next((a for a in answers if a.name == name), None)
    if found is None:
        check.say("critical", f"another server answered: {answers[0].name}")
        return check.done()
    varz = found.facts
    for asked, have, words in (
        (js_required, bool((varz.get("jetstream") or {}).get("config")), "JetStream"),
        (tls_required, varz.get("tls_required"), "TLS"),
        (auth_required, varz.get("auth_required"), "authentication"),
    ):
        if asked:
            check.say("ok" if have else "critical", f"{words} is {'on' if have else 'off'}")
    for key, flags, unit, help in (
        ("cpu", "cpu", "%", "Processor usage in percent"),
        ("mem", "mem", "B", "Memory usage in bytes"),
        ("connections", "conn", "", "Connections"),
        ("subscriptions", "subs", "", "Subscriptions"),
    ):
        value = float(varz.get(key) or 0)
        warn, crit = said[f"{flags}_warn"], said[f"{flags}_critical"]
        check.perf.append(Perf(key, value, help, unit, warn or 0, crit or 0, steady=False))
        inverted = flags in ("conn", "subs") and warn is not None and crit is not None and crit < warn
        check.limits(f"{help}: {value:g}", value, warn, crit, more_is_worse=not inverted)
    _certificate(check, varz, said["tls_cert_warn"], said["tls_cert_crit"])
    up = seconds(str(varz.get("uptime", ""))) or 0.0
    warn, crit = said["uptime_warn"], said["uptime_critical"]
    check.perf.append(Perf("uptime", up, "Uptime in seconds", "s", warn or 0, crit or 0, steady=False))
    check.limits(f"up for {'less' if up <= max(warn or 0, crit or 0) else 'more'} than "
                 f"{span(max(warn or 0, crit or 0))}", up, warn, crit, more_is_worse=False)  # fmt: skip
    return check.done()


@CHECK.verb(
    "meta", "raft", example="%nats server check meta --expect 3 --lag-critical 10 --seen-critical 2s", mark=""
)
@flag("--expect", type=NUMBER, required=True, help="so many servers")
@flag("--lag-critical", type=NUMBER, required=True, help="critical when one lags by more operations")
@flag("--seen-critical", type=DURATION, required=True, help="critical when one was not heard of for so long")
async def meta(line: Line, expect: int, lag_critical: int, seen_critical: float, **said: Any) -> Check:
    """Look at the meta group of JetStream, as its leader tells it."""
    check = Check("JetStream Meta Cluster", "meta", said)
    answers = await Servers(line).ask("JSZ")
    group: dict[str, Any] = next(
        (m for a in answers if (m := a.facts.get("meta_cluster") or {}) and m.get("leader") == a.name),
        {},
    )
    if not group:
        known = any(a.facts.get("meta_cluster") for a in answers)
        check.say("critical", "nobody leads it" if known else "there is none: the server is alone")
        return check.done()
    peers = group.get("replicas") or []
    check.perf.append(Perf("peers", len(peers) + 1, "Configured RAFT peers", "", expect, expect))
    if len(peers) + 1 != expect:
        check.say("critical", f"{len(peers) + 1} peers of expected {expect}")
    for key, words, wrong in (
        ("offline", "offline", [p for p in peers if p.get("offline")]),
        ("not_current", "not current", [p for p in peers if not p.get("current")]),
        ("inactive", f"not heard of for {span(seen_critical)}",
         [p for p in peers if int(p.get("active") or 0) > seen_critical * 1e9]),
        ("lagged", f"lag by more than {lag_critical}",
         [p for p in peers if int(p.get("lag") or 0) > lag_critical]),
    ):  # fmt: skip
        check.perf.append(Perf(f"peer_{key}", len(wrong), f"RAFT peers {words}"))
        if wrong:
            check.say("critical", f"{len(wrong)} {words}")
    if check.ok:
        check.say("ok", f"{len(peers) + 1} peers led by {group['leader']}")
    return check.done()


def _certificate(check: Check, varz: dict[str, Any], warn: float | None, crit: float | None) -> None:
    """Until when the server's TLS certificate is valid."""
    if not (warn or crit):
        return
    stamp = str(varz.get("tls_cert_not_after") or "")
    if not stamp or stamp.startswith("0001-"):
        check.say("critical", "it has no TLS certificate")
        return
    left = moment(stamp).timestamp() - time.time()
    for level, limit in (("critical", crit), ("warning", warn)):
        if limit and left <= limit:
            check.say(level, f"the TLS certificate expires in less than {span(limit)}")
            return
    check.say("ok", "the TLS certificate is valid")


_JWT = re.compile(r"BEGIN NATS USER JWT-+\s*([\w.=-]+)\s*-+END")


@CHECK.verb("credential", example="%nats server check credential --credential u.creds", mark="")
@flag("--credential", type=FILE, required=True, help="this credentials file")
@flag("--validity-warn", type=DURATION, help="warn when it expires so soon")
@flag("--validity-critical", type=DURATION, help="critical")
@switch("--require-expiry", default=True, help="it must expire some day")
async def credential(
    line: Line, credential: Path, validity_warn: float | None, validity_critical: float | None,
    require_expiry: bool, **said: Any,
) -> Check:  # fmt: skip
    """Look at a credentials file: until when it is valid. Nothing is sent."""
    check = Check("Credential", "credential", said)
    found = _JWT.search(await asyncio.to_thread(read, credential))
    try:
        claims: dict[str, Any] = _claims(found[1]) if found is not None else {}
    except (ValueError, binascii.Error, IndexError):
        claims = {}
    if not claims:
        check.say("critical", f"{credential} holds no user JWT")
        return check.done()
    expires = int(claims.get("exp") or 0)
    if not expires:
        check.say("critical" if require_expiry else "ok", "never expires")
        return check.done()
    left = expires - time.time()
    check.perf.append(Perf("expiry", expires, "Unix time of its end", "s", steady=False))
    if left <= 0:
        check.say("critical", "expired")
    elif validity_critical and left <= validity_critical:
        check.say("critical", f"expires in less than {span(validity_critical)}")
    elif validity_warn and left <= validity_warn:
        check.say("warning", f"expires in less than {span(validity_warn)}")
    else:
        check.say("ok", "valid")
    return check.done()


def _claims(token: str) -> dict[str, Any]:
    body = token.split(".")[1]
    said: dict[str, Any] = json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))
    return said
