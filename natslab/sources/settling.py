"""Waiting until the tape says of JetStream what the servers report."""

from __future__ import annotations

import asyncio
import time

import nats.errors

from natslab.errors import NatslabError
from natslab.servers.fleet import Fleet
from natslab.sources.acks import Acks
from natslab.sources.advisories import Advisories
from natslab.sources.monitor import Monitor
from natslab.sources.streams import Streams

STEP = 0.02  # seconds between two looks; a consumer's state file lags up to 0.1


async def settled(
    fleet: Fleet,
    monitor: Monitor,
    streams: Streams,
    acks: Acks,
    advisories: Advisories,
    timeout: float,
) -> bool:
    """Wait at most `timeout` seconds until the counters of every stream and consumer are those of the tape.

    What clients reported must be on the tape already. Returns whether they are.
    """
    end = time.monotonic() + timeout
    while True:
        if not any(server.state in ("up", "lame duck") for server in fleet.servers.values()):
            return False
        try:
            async with asyncio.timeout(max(STEP, end - time.monotonic())):
                await advisories.heard()  # what was announced so far
                if not monitor.streaming:
                    return True
                advisories.flush()
                acks.flush()
                answered = await monitor.poll()
        except (NatslabError, nats.errors.Error, TimeoutError, OSError):
            return False
        acks.look()
        streams.catch_up(patience=0.0)
        if answered and streams.settled() and acks.settled():
            return True
        if time.monotonic() >= end:
            return False
        await asyncio.sleep(STEP)
