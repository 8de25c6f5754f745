"""Three real servers with a stream of three replicas, and what can happen to them.

`python -m tests.replicas` records `data/raft.tape`, which `test_view_raft.py` plays.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import nats.errors
import nats.js.errors

from natslab.lab import Lab
from natslab.loop import run
from natslab.servers.client import Client
from natslab.servers.config import LEARNER
from natslab.tape.event import Conn, End, Leader, Link, Pub, Quorum, Raft, Server, Snap, Store
from natslab.tape.tape import Tape
from natslab.views import raft

TAPE = Path(__file__).parent / "data" / "raft.tape"


class Trio:
    """A lab of three servers with the stream ORDERS, a client at each of them, and the raft view."""

    def __init__(self, lab: Lab) -> None:
        self.lab = lab
        self.view = lab.view("raft", "ORDERS")
        self.clients: dict[str, Client] = {}

    @property
    def state(self) -> raft.State:
        """The newest."""
        state: raft.State = self.view.state
        return state

    @property
    def group(self) -> raft.Group:
        """The group of ORDERS."""
        return self.state.group("ORDERS")

    @property
    def leader(self) -> str:
        """Who won the newest term."""
        return self.group.leader

    @property
    def followers(self) -> list[str]:
        """The others."""
        return [p for p in self.group.peers if p != self.leader]

    def make(self) -> None:
        """The stream; a new cluster may not be ready for it."""

        async def make() -> None:
            for _ in range(30):
                with contextlib.suppress(nats.errors.TimeoutError, nats.js.errors.APIError):
                    js = (await self.at("n1")).jetstream(timeout=5)
                    await js.add_stream(name="ORDERS", subjects=["orders.>"], num_replicas=3)
                    return

        run(make())
        self.until(lambda: self.leader)

    async def at(self, server: str) -> Client:
        """A client that is connected to that server; one that went to another one is replaced."""
        known = self.clients.get(server)
        port = self.lab.fleet.servers[server].port
        if known is not None and known.connected_url and known.connected_url.port == port:
            return known
        if known is not None:
            await known.close()
        login = self.lab.fleet.login(name=server)
        self.clients[server] = await self.lab.hub.connect(f"at {server}", login)
        return self.clients[server]

    def publish(self, server: str = "", timeout: float = 5.0) -> bool:
        """One message at a server, the leader if none is named; whether it was stored."""

        where = server or self.leader

        async def publish() -> bool:
            client = await self.at(where)
            try:
                await client.jetstream().publish("orders.new", b"x", timeout=timeout)
            except (nats.errors.Error, nats.js.errors.Error):
                return False
            return True

        return bool(run(publish()))

    def until(self, true: Callable[[], object], seconds: float = 30.0) -> None:
        """Wait for it."""
        end = time.monotonic() + seconds
        while not true():
            assert time.monotonic() < end, f"it stayed: {self.view.describe()}\n{self.told()}"
            time.sleep(0.05)

    def told(self) -> str:
        """The story so far."""
        return "\n".join(f"{line.t:.3f} {line.text}" for line in self.group.story)

    def elected(self, before: str) -> None:
        """Wait for another leader."""
        self.until(lambda: self.leader not in ("", before))

    def even(self) -> None:
        """Wait until all three have everything."""
        self.until(lambda: "all 3 have everything" in self.view.describe(), 40)

    def says(self, server: str) -> dict[str, Any]:
        """What that server says of the group now."""
        said = run(self.lab.fleet.ask(server, "raftz", account=LEARNER))
        report: dict[str, Any] = said[LEARNER][self.group.name]
        return report


@contextlib.contextmanager
def trio() -> Iterator[Trio]:
    """A new lab."""
    with Lab.up(servers=3) as lab:
        made = Trio(lab)
        made.make()
        yield made


def play(three: Trio) -> None:
    """A leader is cut off, comes back, the next one dies, a follower freezes."""
    for _ in range(3):
        assert three.publish()
    first = three.leader
    run(three.at(first))
    three.lab.isolate(first)
    assert not three.publish(first, timeout=1.5)
    three.elected(first)
    assert three.publish()
    time.sleep(1.2)
    three.lab.heal()
    three.even()
    second = three.leader
    three.lab.server(second).kill()
    three.elected(second)
    assert three.publish()
    three.lab.server(second).restart()
    three.even()
    frozen = three.followers[0]
    three.lab.server(frozen).freeze()
    assert three.publish()
    time.sleep(1.0)
    three.lab.server(frozen).thaw()
    three.even()


def record() -> None:
    """Keep of a real run what the raft view of ORDERS needs."""
    with trio() as three:
        play(three)
        tape, group = three.lab.tape, three.group.name
        kept = Tape(started=tape.started)
        for event in tape.between(0, tape.head):
            if isinstance(event, Raft | Leader | Quorum):
                wanted = event.group == group
            elif isinstance(event, Snap):
                wanted = event.data.get("group") == group or event.what == "stream"
            else:
                wanted = isinstance(event, Server | Link | Conn | Pub | End) or (
                    isinstance(event, Store) and bool(event.client)
                )
            if wanted:
                kept.append(event)
        kept.save(TAPE)
        kept.close()
    print(f"{TAPE}: {TAPE.stat().st_size} bytes, {kept.head} events")


if __name__ == "__main__":
    record()
