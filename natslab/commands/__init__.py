"""The verbs. `parse(line)` reads a line as `%nats` and `%natslab` do; `.run()` does it.

parse("pub orders.new hello").run()
parse("natslab status").run()
"""

from __future__ import annotations

from natslab.commands.run import Command, parse

__all__ = ["Command", "parse"]
