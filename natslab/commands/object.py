"""`nats object`."""

from __future__ import annotations

from natslab.commands.tree import NATS

OBJECT = NATS.group("object", "obj", says="Object stores: files cut into messages of a stream.")
