"""`nats kv`."""

from __future__ import annotations

from natslab.commands.tree import NATS

KV = NATS.group("kv", says="Key-value buckets: a stream whose subjects are keys.")
