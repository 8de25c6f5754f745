"""`nats consumer cluster`: who leads a consumer."""

from __future__ import annotations

from typing import Any

import click

from natslab.commands.connect import Line
from natslab.commands.consumer import CONSUMER
from natslab.commands.consumer_find import info, pick
from natslab.commands.consumer_show import filtering, matching
from natslab.commands.flags import flag, switch
from natslab.commands.leading import Led, clustered, let_another_lead, look_at
from natslab.commands.results import one_line
from natslab.commands.spreading import Balanced, balanced
from natslab.errors import CommandError

CLUSTER = CONSUMER.group("cluster", "c", says="Who leads a consumer.")


@CLUSTER.verb("step-down", "elect", "down", "d", example="%js consumer cluster step-down ORDERS billing")
@click.argument("stream", required=False)
@click.argument("consumer", required=False)
@flag("--preferred", help="let this server be the next leader")
@switch("--force", "-f", help="accepted; nothing is asked here")
async def step_down(
    line: Line, stream: str | None, consumer: str | None, preferred: str | None, force: bool
) -> Led:
    """Let another server lead a consumer, and wait until it does."""
    async with line.jetstream() as api:
        stream, consumer = await pick(api, stream, consumer)
        about = await info(api, stream, consumer)
        return await let_another_lead(
            api,
            f"CONSUMER.LEADER.STEPDOWN.{stream}.{consumer}",
            look_at(api, f"CONSUMER.INFO.{stream}.{consumer}"),
            f"consumer {one_line(stream)} > {one_line(consumer)}",
            preferred,
            f"It has as many as its stream, unless it says fewer: %js consumer info {stream} {consumer}",
            clustered(about),
            line.election,
        )


@CLUSTER.verb("balance", example="%js consumer cluster balance ORDERS")
@click.argument("stream", required=False)
@filtering
async def balance(line: Line, stream: str | None, **flags: Any) -> Balanced:
    """Spread the leaders of a stream's consumers over the servers that have their replicas."""
    async with line.jetstream() as api:
        stream, chosen = await matching(api, stream, flags)
        if not chosen:
            raise CommandError(
                f"No consumer of {one_line(stream)} matches.", f"Which there are: %js consumer ls {stream}"
            )
        names = [str(c["name"]) for c in chosen]

        async def ask(name: str, target: str) -> None:
            await api.call(f"CONSUMER.LEADER.STEPDOWN.{stream}.{name}", {"placement": {"preferred": target}})

        looks = {n: look_at(api, f"CONSUMER.INFO.{stream}.{n}") for n in names}
        return await balanced("consumer", looks, ask, line.election)
