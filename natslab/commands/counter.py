"""`nats counter`."""

from __future__ import annotations

from natslab.commands.tree import NATS

COUNTER = NATS.group("counter", "ctr", says="Counters: streams that add up what is published to a subject.")
