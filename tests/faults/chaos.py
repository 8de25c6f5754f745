"""Faults at random on a lab of several servers, the same for the same seed."""

from __future__ import annotations

import random
import time
from collections.abc import Callable

from natslab.errors import NatslabError
from natslab.lab import Lab
from tests.clusters import ask

LONG = (0.3, 1.0, 3.0, 7.0)  # seconds that a fault lasts: without, and with time for an election


class Chaos:
    """Does something to a server or a wire, and undoes it, again and again.

    Parameters
    ----------
    stream: whose leader is asked to step down now and then.
    """

    def __init__(self, lab: Lab, stream: str, seed: int) -> None:
        self.lab = lab
        self.stream = stream
        self.said: list[str] = []
        self._dice = random.Random(seed)

    def run(self, seconds: float) -> None:
        """Faults for so long; afterwards all is whole."""
        began = time.monotonic()
        while (left := began + seconds - time.monotonic()) > 0:
            does, victims = self._choose()
            for victim in victims:
                self._do(does, victim)
            time.sleep(min(left, self._dice.choice(LONG)))
            self.mend()
            time.sleep(self._dice.choice((0.1, 0.5, 1.5)))

    def mend(self) -> None:
        """Servers run, wires are whole."""
        for server in self.lab.servers.values():
            if server.state == "down":
                server.start()
            elif server.state == "frozen":
                server.thaw()
        if any(link.state != "open" for link in self.lab.fleet.links.values()):
            self.lab.heal()

    def _choose(self) -> tuple[Callable[[str], None], list[str]]:
        names = list(self.lab.servers)
        does = self._dice.choice(
            [
                *(self.kill, self.kill, self.stop, self.freeze, self.isolate, self.isolate),
                *(self.hold, self.cut, self.delay, self.step_down),
            ]
        )
        # Mostly one of three; with two there is no majority.
        return does, self._dice.sample(names, 2 if self._dice.random() < 0.15 else 1)

    def _do(self, does: Callable[[str], None], victim: str) -> None:
        self.said.append(f"{does.__name__} {victim}")
        try:
            does(victim)
        except NatslabError as e:  # e.g. the wire is cut already
            self.said[-1] += f" ({e.what})"

    # what may happen to a server

    def kill(self, name: str) -> None:
        self.lab.server(name).kill()

    def stop(self, name: str) -> None:
        self.lab.server(name).stop()

    def freeze(self, name: str) -> None:
        self.lab.server(name).freeze()

    def isolate(self, name: str) -> None:
        self.lab.isolate(name)

    def hold(self, name: str) -> None:
        for other in self.lab.servers:
            if other != name:
                self.lab.hold(name, other)

    def cut(self, name: str) -> None:
        self.lab.cut(name, self._other(name))

    def delay(self, name: str) -> None:
        self.lab.delay(name, self._other(name), 0.3)

    def step_down(self, _: str) -> None:
        ask(self.lab, f"STREAM.LEADER.STEPDOWN.{self.stream}", timeout=1)

    def _other(self, name: str) -> str:
        return self._dice.choice([other for other in self.lab.servers if other != name])
