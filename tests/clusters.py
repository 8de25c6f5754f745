"""What tests of several servers need: who leads, and whether the views say what the leaders say."""

from __future__ import annotations

import contextlib
import os
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from natslab.errors import NatslabError, NoResponders, Timeout
from natslab.lab import Lab
from natslab.loop import run
from natslab.servers.jsapi import Api, JetStreamError
from natslab.tape.event import Ack, Deliver, Event, Snap, Store
from tests.agreeing import agree
from tests.streams import Bench


def tcp_ports(pid: int | None) -> set[int]:
    """The ports of this machine that a process listens on or is connected from."""
    sockets = set()
    for fd in Path(f"/proc/{pid}/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):  # closed meanwhile
            link = os.readlink(fd)
            sockets.add(link[8:-1] if link.startswith("socket:") else "")
    rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    return {int(row[1].split(":")[1], 16) for row in rows if row[9] in sockets}


def ask(lab: Lab, subject: str, body: dict[str, Any] | None = None, timeout: float = 30) -> dict[str, Any]:
    """Ask the JetStream API until it answers; while there is no leader it does not."""

    async def once() -> dict[str, Any]:
        return await Api(await lab.client("tester"), timeout=1).call(subject, body)

    end = time.monotonic() + timeout
    while True:
        try:
            return run(once())
        except NatslabError as e:
            if time.monotonic() > end or (isinstance(e, JetStreamError) and e.code == 10059):
                raise
            time.sleep(0.05)


def remove(lab: Lab, stream: str) -> None:
    """Delete the stream; when the answer to the first try was lost it is gone by the second."""
    try:
        ask(lab, f"STREAM.DELETE.{stream}")
    except JetStreamError as e:
        if e.code != 10059:
            raise


def attach(lab: Lab, server: str, *names: str) -> None:
    """The lab's own clients of these names are connected to that server from now on."""

    async def anew(name: str) -> None:
        old = lab._clients.pop(name, None)
        if old is not None:
            await old.close()
        lab._clients[name] = await lab.hub.connect(name, lab.fleet.login(name=server))

    for name in names:
        run(anew(name))


def led(lab: Lab, stream: str, consumer: str | None = None) -> str:
    """The server that leads it, as soon as one does."""
    subject = f"CONSUMER.INFO.{stream}.{consumer}" if consumer else f"STREAM.INFO.{stream}"
    end = time.monotonic() + 30
    while not (leader := ask(lab, subject).get("cluster", {}).get("leader", "")):
        assert time.monotonic() < end, f"{subject}: nobody leads"
        time.sleep(0.02)
    return str(leader)


def other(lab: Lab, *names: str) -> str:
    """A server that is none of these."""
    return next(name for name in lab.servers if name not in names)


def soon(lab: Lab, check: Callable[[], Any], timeout: float = 15.0) -> Any:
    """What `check` gives once it does not fail: reports come once a second, and state files later."""
    end = time.monotonic() + timeout
    while True:
        lab.settle(3)
        try:
            return check()
        except AssertionError:
            if time.monotonic() > end:
                raise
        time.sleep(0.1)


def agrees(lab: Lab, stream: str, *consumers: str, timeout: float = 15.0) -> None:
    """The views of the stream and of its consumers say what their leaders say, at the latest in a while."""

    def check() -> None:
        said = ask(lab, f"STREAM.INFO.{stream}")["state"]
        view = lab.view("stream", stream).state.streams[stream]
        assert (view.messages, view.last, view.missing) == (said["messages"], said["last_seq"], 0)
        for consumer in consumers:
            agree(lab, stream, consumer)

    soon(lab, check, timeout)


def events(lab: Lab) -> list[Event]:
    return lab.tape.between(0, lab.tape.head)


def told_once(lab: Lab, stream: str, *, acks_too: bool = True) -> None:
    """Every message that the stream stored is told once, as read from it; so are acks and announcements.

    Not `acks_too`: a leader died, and what it had handed out, unknown to others, was handed out again.
    """
    stored: Counter[int] = Counter()
    acks: Counter[tuple[Any, ...]] = Counter()
    delivered: Counter[tuple[Any, ...]] = Counter()
    said: Counter[str] = Counter()
    for e in events(lab):
        if isinstance(e, Store) and e.stream == stream and not e.client and not e.code:
            stored.update(range(e.seq - e.count + 1, e.seq + 1))
        elif isinstance(e, Ack) and e.stream == stream and e.verb != "wpi":
            acks[e.consumer, e.seq, e.attempt, e.verb, e.cseq] += 1
        elif isinstance(e, Deliver) and e.stream == stream:
            delivered[e.consumer, e.cseq, e.client, e.reply] += 1
        elif isinstance(e, Snap) and e.what == "advisory" and e.data.get("stream") == stream:
            said[f"{e.t} {sorted(e.data.items())}"] += 1
    last = ask(lab, f"STREAM.INFO.{stream}")["state"]["last_seq"]
    assert sorted(stored) == list(range(1, last + 1)), stored
    for counts in (stored, said, acks, delivered) if acks_too else (stored, said):
        twice = [what for what, n in counts.items() if n > 1]  # type: ignore[attr-defined]
        assert not twice, twice[:5]


class Group(Bench):
    """A bench whose stream has three replicas; a line that finds no leader is run again."""

    def __call__(self, line: str, body: str | None = None) -> Any:
        end = time.monotonic() + 20
        while True:
            try:
                return super().__call__(line, body)
            except (NoResponders, Timeout):
                if time.monotonic() > end:
                    raise
                time.sleep(0.1)

    def make(self, *consumers: str, replicas: int = 3, **config: Any) -> None:
        """The stream, and pull consumers of it."""
        ask(
            self.lab,
            f"STREAM.CREATE.{self.stream}",
            {"name": self.stream, "subjects": [f"{self.subject}.>"], "num_replicas": replicas, **config},
        )
        for name in consumers:
            body = {"durable_name": name, "ack_policy": "explicit", "ack_wait": int(30e9)}
            ask(
                self.lab,
                f"CONSUMER.CREATE.{self.stream}.{name}",
                {"stream_name": self.stream, "config": body},
            )
            led(self.lab, self.stream, name)

    def step_down(self, consumer: str | None = None) -> str:
        """Its leader leads no more; gives the next one."""
        before = led(self.lab, self.stream, consumer)
        what = (
            f"CONSUMER.LEADER.STEPDOWN.{self.stream}.{consumer}"
            if consumer
            else f"STREAM.LEADER.STEPDOWN.{self.stream}"
        )
        ask(self.lab, what)
        end = time.monotonic() + 20
        while (now := led(self.lab, self.stream, consumer)) == before:
            assert time.monotonic() < end, f"{before} still leads"
            time.sleep(0.02)
        return now
