"""Consumers of a stream with three replicas as a model: the view says what the leader says, whoever leads."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import rule

from natslab.lab import Lab
from tests.clusters import ask, led, remove, soon
from tests.test_consumer_model import Consumers, play

EXAMPLES = 15 if os.environ.get("NATSLAB_SOAK") else 2


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    with Lab.up(servers=3, name="model") as up:
        yield up


class Replicated(Consumers):
    """The same with leaders that come and go."""

    replicas = 3

    def ask(self, subject: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        said = ask(self.lab, subject, body)
        if subject.startswith(("STREAM.CREATE", "CONSUMER.CREATE")):
            self._calm(subject.startswith("CONSUMER"))
        return said

    def teardown(self) -> None:
        remove(self.lab, self.stream)

    def _calm(self, consumer: bool = True) -> None:
        """Wait until stream and consumer are led again, and the lab's clients have a server."""
        self.lab.do(self.lab.reconnected())
        led(self.lab, self.stream)
        if consumer:
            led(self.lab, self.stream, self.consumer)

    @rule(consumer=st.booleans())
    def step_down(self, consumer: bool) -> None:
        if not self.config:
            return
        self.log.append(f"the leader of the {'consumer' if consumer else 'stream'} steps down")
        what = f"CONSUMER.LEADER.STEPDOWN.{self.stream}.{self.consumer}"
        ask(self.lab, what if consumer else f"STREAM.LEADER.STEPDOWN.{self.stream}")
        time.sleep(0.1)
        self.recounts = True
        self._calm()

    @rule(which=st.integers(0, 2))
    def cut_off(self, which: int) -> None:
        """For a moment, so that nobody else is chosen; or that is over before anybody could be."""
        name = list(self.lab.servers)[which]
        self.log.append(f"{name} is cut off")
        self.recounts = True
        self.lab.isolate(name)
        time.sleep(0.3)
        self.lab.heal()
        self._calm(bool(self.config))

    def _restart(self, hard: bool) -> None:
        server = self.lab.server(led(self.lab, self.stream, self.consumer))
        self.log[-1] += f" {server.name}"
        if hard:
            server.kill()
            self._calm()
            server.start()
        else:
            server.restart()
        self._calm()

    def _agrees(self) -> None:
        soon(self.lab, super()._agrees, 20)


@pytest.mark.soak
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("storage", ["file", "memory"])
def test_the_view_and_the_leader_agree_whatever_is_done(lab: Lab, storage: str) -> None:
    play(Replicated, EXAMPLES, lab=lab, storage=storage)
