"""Whether the acks view says of a consumer what the server says, for tests."""

from __future__ import annotations

from typing import Any

from natslab.lab import Lab
from natslab.loop import run
from natslab.servers.jsapi import Api


async def call(lab: Lab, subject: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
    """Ask the JetStream API as a client of the lab."""
    return await Api(await lab.client("tester"), timeout=30).call(subject, body)


def agree(lab: Lab, stream: str, consumer: str, *, each: bool = True, state: Any = None) -> dict[str, Any]:
    """Assert that the view and the server say the same; gives back what the server says.

    `state` is the view's, when it was taken already. `each`: every message in flight has a cell of its
    own, so that cells alone must add up.
    """
    said = run(call(lab, f"CONSUMER.INFO.{stream}.{consumer}"))
    state = state or lab.view("acks", stream).state
    one, totals = state.consumer(stream, consumer), state.totals(stream, consumer)
    server = {
        "ack floor": said["ack_floor"]["stream_seq"],
        "delivered": said["delivered"]["stream_seq"],
        "ack pending": said["num_ack_pending"],
        "redelivered": said["num_redelivered"],
        "unprocessed": said["num_pending"],
    }
    view = {
        "ack floor": one.floor,
        "delivered": one.delivered,
        "ack pending": totals.flight + totals.retry,
        "redelivered": totals.redelivered,
        "unprocessed": totals.stored,
    }
    assert view == server
    if each:
        assert one.waiting == said["num_ack_pending"], "the cells alone"
    return said
