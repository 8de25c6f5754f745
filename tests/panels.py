"""A panel without a browser: comms that remember, and a hub that believes them."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable
from typing import Any

from natslab.commands import parse
from natslab.magics.panel.hub import Hub

_ids = itertools.count(1)


class Comm:
    """What ipykernel hands to the callback of a comm target."""

    def __init__(self) -> None:
        self.comm_id = f"comm{next(_ids)}"
        self.sent: list[dict[str, Any]] = []
        self.closed = False
        self._heard: Callable[[Any], None] = lambda m: None
        self._ended: Callable[[Any], None] = lambda m: None

    def on_msg(self, heard: Callable[[Any], None]) -> None:
        self._heard = heard

    def on_close(self, ended: Callable[[Any], None]) -> None:
        self._ended = ended

    def send(self, data: dict[str, Any]) -> None:
        self.sent.append(data)

    def close(self) -> None:
        self.closed = True

    def say(self, **data: Any) -> None:
        """As the browser."""
        self._heard({"content": {"data": data}})

    def leave(self) -> None:
        self._ended({"content": {"data": {}}})

    def of(self, op: str) -> list[dict[str, Any]]:
        return [m for m in self.sent if m.get("op") == op]

    def wait(
        self, op: str, ok: Callable[[dict[str, Any]], object] = bool, timeout: float = 10
    ) -> dict[str, Any]:
        """The newest message of that kind, as soon as it is as wished."""
        end = time.monotonic() + timeout
        while True:
            if (found := self.of(op)) and ok(found[-1]):
                return found[-1]
            assert time.monotonic() < end, f"not within {timeout} s; the last were {self.sent[-3:]}"
            time.sleep(0.01)

    def ask(self, op: str, **data: Any) -> dict[str, Any]:
        """Ask, and wait for the answer."""
        number = next(_ids)
        self.say(op=op, id=number, **data)
        return self.wait("answer", lambda m: m["id"] == number)


def a_hub() -> Hub:
    """A hub that runs lines as the magics do."""
    return Hub(lambda line: parse(line, python=False).run())


def opened(hub: Hub, client: str = "page", session: str = "tab", watch: bool = True) -> Comm:
    """A panel that came in."""
    comm = Comm()
    hub.opened(comm, {"header": {"session": session}, "content": {"data": {"version": 1, "client": client}}})
    if watch:
        comm.say(op="watch", on=True, hz=2)
    return comm
