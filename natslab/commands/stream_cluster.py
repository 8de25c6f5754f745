"""`nats stream cluster`: who leads a stream, and on which servers its replicas are."""

from __future__ import annotations

import time
from typing import Any

import click

from natslab.commands.connect import Line
from natslab.commands.flags import flag, switch
from natslab.commands.jsnames import pick_stream
from natslab.commands.leading import Lead, Led, cluster_at, clustered, let_another_lead, look_at, until
from natslab.commands.results import Text, one_line
from natslab.commands.spreading import Balanced, balanced
from natslab.commands.stream import FORCE, STREAM, info_of
from natslab.commands.stream_report import filtering, matching
from natslab.errors import CommandError, joined, there
from natslab.servers.jsapi import JetStreamError

CLUSTER = STREAM.group("cluster", "c", says="Who leads a stream, and on which servers its replicas are.")

_NO_REMAP = 10075  # "peer remap failed"
_SETTLE = 15.0  # seconds until a new replica has all messages of a stream in a lab


@CLUSTER.verb(
    "step-down", "stepdown", "sd", "elect", "down", "d",
    example="%js stream cluster step-down ORDERS --preferred n2",
)  # fmt: skip
@click.argument("stream", required=False)
@flag("--preferred", help="let this server lead")
@FORCE
async def step_down(line: Line, stream: str | None, preferred: str | None, force: bool) -> Led:
    """Let another server lead a stream, and wait until it does."""
    async with line.jetstream() as api:
        name = await pick_stream(api, stream)
        about = await api.call(f"STREAM.INFO.{name}")
        return await let_another_lead(
            api,
            f"STREAM.LEADER.STEPDOWN.{name}",
            look_at(api, f"STREAM.INFO.{name}"),
            f"stream {name}",
            preferred,
            f"More replicas: %js stream edit {name} --replicas 3",
            clustered(about),
            line.election,
        )


@CLUSTER.verb("balance", example="%js stream cluster balance")
@filtering
@switch("--invert", help="the others")
@flag("--expression", help="not possible here")
async def balance(line: Line, invert: bool, **said: Any) -> Balanced:
    """Spread the leaders of streams over the servers that have their replicas."""
    async with line.jetstream() as api:
        chosen, _ = await matching(api, said, invert)
        if not chosen:
            raise CommandError("No stream matches.", "Which there are: %js stream report")
        names = [s["config"]["name"] for s in chosen]

        async def ask(name: str, target: str) -> None:
            await api.call(f"STREAM.LEADER.STEPDOWN.{name}", {"placement": {"preferred": target}})

        looks = {n: look_at(api, f"STREAM.INFO.{n}") for n in names}
        return await balanced("stream", looks, ask, line.election)


@CLUSTER.verb("peer-remove", "pr", example="%js stream cluster peer-remove ORDERS n3")
@click.argument("stream", required=False)
@click.argument("peer", required=False)
@FORCE
async def peer_remove(line: Line, stream: str | None, peer: str | None, force: bool) -> Text:
    """Take the replica of a stream from a server; another server gets one, and catches up.

    A stream with one replica loses its messages: that needs -f.
    """
    async with line.jetstream() as api:
        before = await info_of(api, stream)
        name = before.name
        lead = Lead.of(before.facts.get("cluster") or {})
        if lead.cluster or peer is None:
            _check(name, lead, peer, before.state.messages, force)
        began = time.monotonic()
        cluster: dict[str, Any] = {}
        try:
            await api.call(f"STREAM.PEER.REMOVE.{name}", {"peer": peer})
        except JetStreamError as e:
            raise _nowhere(e, name, lead, str(peer)) from None

        async def look(wait: float) -> Lead:
            nonlocal cluster
            cluster = await cluster_at(api, f"STREAM.INFO.{name}", wait)
            return Lead.of(cluster)

        after = await until(
            look,
            lambda now: peer not in now.peers and len(now.peers) == len(lead.peers) and _whole(cluster),
            _SETTLE,
        )
    found = after or Lead.of(cluster)
    new = [p for p in found.peers if p not in lead.peers]
    said = f"The replica of stream {name} on {peer} was removed"
    if new and after is not None:
        said += f", and {new[0]} has one now"
    made = Text(said, stream=name, removed=peer, peers=list(found.peers), took=time.monotonic() - began)
    if after is None:
        made.notes.append("its servers are not all up to date yet; %js stream info shows how far they are.")
    return made


def _nowhere(error: JetStreamError, name: str, lead: Lead, peer: str) -> JetStreamError:
    """The same in other words, when no server can take over the replica."""
    if error.code != _NO_REMAP:
        return error
    n = len(lead.peers)
    return JetStreamError(
        f"No server can take over the replica of stream {name} from {peer}: its {n} are on "
        f"{joined(lead.peers)}, and no other server is there (error {error.code}).",
        f"Add a server: %natslab add; or keep fewer: %js stream edit {name} --replicas {max(1, n - 2)}",
        error.code,
        error.status,
        error.description,
    )


def _check(name: str, lead: Lead, peer: str | None, messages: int, force: bool) -> None:
    if peer is None:
        raise CommandError("From which server?", there(lead.peers))
    if peer not in lead.peers:
        raise CommandError(f"{one_line(peer, 40)} has no replica of stream {name}.", there(lead.peers))
    if len(lead.peers) == 1 and messages and not force:
        held = f"its {messages:,} message{'s' if messages != 1 else ''}"
        raise CommandError(
            f"{peer} has the only replica of stream {name}: removing it would lose {held} for good.",
            f"Nothing was done. Make more replicas first: %js stream edit {name} --replicas 3; or add -f",
        )


def _whole(cluster: dict[str, Any]) -> bool:
    """Whether the move is over: every replica is current, and there is nothing left to settle."""
    replicas = cluster.get("replicas") or []
    if not cluster.get("leader") or cluster.get("desired"):
        return False
    return all(r.get("current") for r in replicas)
