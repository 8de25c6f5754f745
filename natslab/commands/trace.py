"""The way of one message, as the servers report it (ADR-41, message tracing)."""

from __future__ import annotations

import asyncio
import datetime
import json
from typing import Any

from nats.aio.client import Client
from nats.aio.msg import Msg

from natslab.commands.connect import Line, error_after
from natslab.commands.handle import sync
from natslab.commands.results import Hop, Traced
from natslab.errors import ClientError, Timeout
from natslab.servers.client import TRACE, TRACE_PREFIX
from natslab.servers.client import Client as LabClient

_KINDS = {0: "client", 1: "route", 2: "gateway", 3: "system", 4: "leafnode", 5: "jetstream", 6: "account"}
_ONLY = "Nats-Trace-Only"


async def follow(
    line: Line, client: Client, subject: str, payload: bytes, headers: dict[str, str], *, deliver: bool
) -> Traced:
    """Publish one message and collect what every server says about it.

    Without `deliver` it is only routed, neither delivered nor stored. Raises Timeout when no
    server says anything, ClientError when the publish is refused.
    """
    headers = dict(headers)
    if not deliver:
        headers[_ONLY] = "true"
    came: asyncio.Queue[Msg] = asyncio.Queue()

    async def heard(msg: Msg) -> None:
        came.put_nowait(msg)

    if isinstance(client, LabClient) and client.trace and client.hub.trace and client.hub.traceable(subject):
        # The lab's client asks for the trace itself; listening there leaves it on the tape too.
        listener: Client = await line.lab.fleet.watcher()
        place = f"{TRACE_PREFIX}{client.no}.*"
    else:
        listener, place = client, client.new_inbox()
        headers[TRACE] = place
    sub = await listener.subscribe(place, cb=heard)
    try:
        async with asyncio.timeout(line.timeout):
            await sync(listener)
            before = client.last_error
            if isinstance(client, LabClient):
                client.hub.cool()  # right after a rush it would only be counted, and not even be dry
            await client.publish(subject, payload, headers=headers or None)
            await sync(client)
        if (error := error_after(client, before)) is not None:
            raise error
        events = await _collect(came, subject, line.timeout)
    finally:
        if not listener.is_closed:
            await sub.unsubscribe()
    traced = Traced(subject, hops(events), deliver)
    if not _complete(events):
        traced.notes.append("a server on the way did not report in time.")
    return traced


async def _collect(came: asyncio.Queue[Msg], subject: str, timeout: float) -> list[dict[str, Any]]:
    events: list[dict[str, Any]] = []
    try:
        async with asyncio.timeout(timeout):
            while not _complete(events):
                try:
                    events.append(json.loads((await came.get()).data))
                except ValueError:
                    raise ClientError("The server's trace is no JSON.", "Is that a nats-server?") from None
    except TimeoutError:
        if not events:
            raise Timeout(
                f"No server reported the way of a message to {subject} within {timeout:g} s.",
                "Tracing needs nats-server 2.11, and the right to publish to the place of the trace.",
            ) from None
    return events


def _complete(events: list[dict[str, Any]]) -> bool:
    """Whether the first server has reported, and all that it and the others sent the message on to.

    The reports come over different routes, and so in any order.
    """
    return any(not _path(e) for e in events) and len(events) > sum(int(e.get("hops", 0)) for e in events)


def _path(event: dict[str, Any]) -> list[int]:
    said = event.get("request", {}).get("header", {}).get("Nats-Trace-Hop", [""])[0]
    return [int(n) for n in said.split(".") if n.isdigit()]


def hops(events: list[dict[str, Any]]) -> list[Hop]:
    """The steps of all servers' reports, those of a server further on below the step that led there."""
    begun = min((t for e in events for s in e.get("events", []) if (t := _time(s)) > 0), default=0.0)
    out: list[Hop] = []
    for event in sorted(events, key=_path):
        depth = len(_path(event))
        server = event.get("server", {})
        for step in event.get("events", []):
            hop = _hop(step, server.get("name", ""))
            hop.depth = depth
            hop.cluster = server.get("cluster", "") if hop.step == "in" else ""
            hop.at = max(0.0, _time(step) - begun)
            out.append(hop)
    return out


def _hop(step: dict[str, Any], server: str) -> Hop:
    kind = _KINDS.get(step.get("kind", 0), "client")
    error = str(step.get("error", ""))
    match step.get("type"):
        case "in":
            return Hop(server, "in", kind, step.get("name", ""), step.get("cid", 0), step.get("subj", ""),
                       account=step.get("acc", ""), error=error)  # fmt: skip
        case "sm":
            return Hop(server, "map", to=step.get("to", ""), error=error)
        case "se":
            return Hop(server, "export", to=step.get("to", ""), account=step.get("acc", ""), error=error)
        case "si":
            return Hop(server, "import", to=step.get("to", ""), account=step.get("acc", ""), error=error)
        case "js":
            if step.get("nointerest"):
                error = error or "no interest"
            return Hop(server, "store", "jetstream", subject=step.get("subject", ""),
                       stream=step.get("stream", ""), error=error)  # fmt: skip
        case _:
            return Hop(server, "egress", kind, step.get("name", ""), step.get("cid", 0), step.get("sub", ""),
                       step.get("queue", ""), error=error)  # fmt: skip


def _time(step: dict[str, Any]) -> float:
    try:
        return datetime.datetime.fromisoformat(str(step.get("ts", "")).replace("Z", "+00:00")).timestamp()
    except ValueError:
        return 0.0
