"""Who published what to a stream, what came of it, and whether the stream kept its word."""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from dataclasses import dataclass, field

import nats
import nats.errors
from nats.js.api import AckPolicy, ConsumerConfig

from natslab.errors import NatslabError, NoResponders, Timeout
from natslab.lab import Lab
from natslab.servers.client import Client
from natslab.servers.jsapi import JetStreamError
from natslab.tape.event import End, Event, Pub, Store

PATIENCE = 1.0  # seconds that a publisher waits for an answer


@dataclass
class Attempt:
    """One publish of message `n`, and its answer."""

    n: int
    outcome: str  # stored | refused | timeout | no responders | no connection
    seq: int = 0
    duplicate: bool = False


@dataclass
class Publisher:
    """Publishes 1, 2, 3, ... one after the other.

    Parameters
    ----------
    ids: each message carries a Nats-Msg-Id.
    again: what was not acknowledged is published again until it is; else it is left.
    """

    name: str
    server: str
    ids: bool
    again: bool
    attempts: list[Attempt] = field(default_factory=list)
    client: Client = field(init=False)

    async def connect(self, lab: Lab) -> None:
        """To its server; later perhaps to another."""
        self.client = await lab.hub.connect(self.name, lab.fleet.login(name=self.server))

    async def run(self, subject: str, going: asyncio.Event, pause: float) -> None:
        """Until `going` is cleared; then what is not acknowledged may still be, for some seconds."""
        n, grace = 0, 100
        while going.is_set():
            n += 1
            while True:
                attempt = await self._publish(f"{subject}.{self.name}", n)
                self.attempts.append(attempt)
                if attempt.outcome == "stored" or not self.again:
                    break
                if not going.is_set():
                    grace -= 1
                    if not grace:
                        return
                await asyncio.sleep(0.1)
            await asyncio.sleep(pause)

    async def _publish(self, subject: str, n: int) -> Attempt:
        headers = {"Nats-Msg-Id": f"{self.name}-{n}"} if self.ids else None
        try:
            ack = await self.client.store(subject, self.payload(n), headers, PATIENCE)
        except JetStreamError:
            return Attempt(n, "refused")
        except NoResponders:
            return Attempt(n, "no responders")
        except Timeout:
            return Attempt(n, "timeout")
        except (NatslabError, nats.errors.Error, OSError):
            return Attempt(n, "no connection")
        return Attempt(n, "stored", ack.seq, ack.duplicate)

    def payload(self, n: int) -> bytes:
        """Of its message `n`."""
        return f"{self.name} {n}".encode()

    @property
    def acknowledged(self) -> dict[int, int]:
        """Message -> the sequence that the stream gave it."""
        return {a.n: a.seq for a in self.attempts if a.outcome == "stored"}

    def outcomes(self) -> Counter[str]:
        return Counter(a.outcome for a in self.attempts)


async def contents(lab: Lab, stream: str) -> dict[int, bytes]:
    """Every message of the stream, by sequence."""
    client = await nats.connect(**lab.fleet.login(), name="reader")
    try:
        js = client.jetstream(timeout=20)  # a consumer that is made soon after a fault takes its time
        config = ConsumerConfig(ack_policy=AckPolicy.NONE, mem_storage=True, num_replicas=1)
        sub = await js.pull_subscribe("", stream=stream, config=config)
        found: dict[int, bytes] = {}
        last = (await js.stream_info(stream)).state.last_seq
        while last not in found:
            for msg in await sub.fetch(1000, timeout=5):
                found[msg.metadata.sequence.stream] = msg.data
        return found
    finally:
        with contextlib.suppress(nats.errors.Error):
            await client.close()


def judge(who: Publisher, there: dict[int, bytes]) -> None:
    """Every acknowledged message is there exactly once, at its place, in order."""
    acknowledged = who.acknowledged
    for n, seq in acknowledged.items():
        assert there.get(seq) == who.payload(n), f"{who.name} {n} was acknowledged as {seq}"
    seqs = [acknowledged[n] for n in sorted(acknowledged)]
    assert seqs == sorted(set(seqs)), f"the messages of {who.name} are out of order"
    copies = Counter(body for body in there.values() if body.split()[0] == who.name.encode())
    tries = Counter(who.payload(a.n) for a in who.attempts)
    known = set(map(who.payload, acknowledged))
    for body, count in copies.items():
        # Without an id the stream cannot know that it has a message already: each try may be stored.
        most = tries[body] if who.again and not who.ids else 1
        assert count <= most, f"{body.decode()} is there {count} times, of {tries[body]} tries"
        if body in known and who.ids:
            assert count == 1
    assert known <= copies.keys()


def explained(who: Publisher, events: list[Event]) -> dict[str, int]:
    """The tape says of each try what the publisher heard; gives how often each of that was."""
    pubs = [e for e in events if isinstance(e, Pub) and e.client == who.client.label]
    answers: dict[str, list[str]] = {pub.id: [] for pub in pubs}
    for e in events:
        if isinstance(e, Store) and e.id in answers and e.client:
            answers[e.id].append("refused" if e.code else "stored")
        elif isinstance(e, End) and e.id in answers:
            answers[e.id].append(e.outcome)
    tried = [a for a in who.attempts if a.outcome != "no connection"]
    sent = [pub for pub in pubs if answers[pub.id]]
    assert [(pub.payload, answers[pub.id]) for pub in sent] == [
        (who.payload(a.n), [a.outcome]) for a in tried
    ]
    return dict(Counter(a.outcome for a in tried))
