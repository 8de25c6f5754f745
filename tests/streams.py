"""A lab with a fresh stream for each test, and lines that run in the background."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from natslab.commands import parse
from natslab.lab import Lab
from natslab.servers.jsapi import Api


class Bench:
    """Runs lines on a lab; `stream` is the fresh one, whose subjects are `<subject>.>`."""

    def __init__(self, lab: Lab, stream: str) -> None:
        self.lab = lab
        self.stream = stream
        self.subject = stream.lower()

    def __call__(self, line: str, body: str | None = None) -> Any:
        """Run the line; {S} is the stream and {s} its first word of subjects."""
        return parse(self.fill(line), body and self.fill(body)).run()

    def fill(self, text: str) -> str:
        """The text with the stream's name in it."""
        return text.replace("{S}", self.stream).replace("{s}", self.subject)

    def api(self, subject: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        """Ask the JetStream API over the lab's client `test`."""

        async def ask() -> dict[str, Any]:
            return await Api(await self.lab.client("test")).call(self.fill(subject), body)

        return self.lab.do(ask())

    def info(self, consumer: str) -> dict[str, Any]:
        """CONSUMER.INFO as the server says it."""
        return self.api(f"CONSUMER.INFO.{self.stream}.{consumer}")

    def fill_with(self, count: int, subject: str = "a") -> None:
        """Store so many messages m1, m2, ..."""
        self(f"pub {{s}}.{subject} 'm{{{{Count}}}}' --count {count} -J")

    def later(self, line: str) -> Later:
        """Run the line on a thread of its own."""
        return Later(lambda: self(line))


class Later:
    """A call under way; `result()` waits for it and gives what it returned or raised."""

    def __init__(self, work: Callable[[], Any]) -> None:
        self._value: Any = None
        self._error: BaseException | None = None

        def run() -> None:
            try:
                self._value = work()
            except BaseException as e:
                self._error = e

        self._thread = threading.Thread(target=run, daemon=True)
        self._thread.start()

    def result(self, timeout: float = 10.0) -> Any:
        """What it returned; raises what it raised."""
        self._thread.join(timeout)
        assert not self._thread.is_alive(), "it hangs"
        if self._error is not None:
            raise self._error
        return self._value
