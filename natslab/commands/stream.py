"""`nats stream`."""

from __future__ import annotations

from natslab.commands.tree import NATS

STREAM = NATS.group("stream", "str", "st", "ms", "s", says="Streams: what JetStream stores.")
