"""`nats consumer`."""

from __future__ import annotations

from natslab.commands.tree import NATS

CONSUMER = NATS.group(
    "consumer", "con", "obs", "c", says="Consumers: cursors on a stream that the server keeps."
)
