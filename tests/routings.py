"""What the tests of the routing view share: stories of messages, told event by event."""

from __future__ import annotations

import random
from typing import Any

from natslab.tape.event import (
    End,
    Event,
    Hop,
    Many,
    Pub,
    Recv,
    Server,
    Snap,
    Sub,
)
from natslab.tape.subject import matches
from natslab.views import routing
from natslab.views.scene import Path, Scene, Text, walk
from tests.pictures import check


class Story:
    """Events as a lab would put them on its tape; routes by the rules of NATS."""

    def __init__(self, *of: str, up: bool = True) -> None:
        self.state = routing.start(of)
        self.n = 0
        self.t = 1.0
        self.subs: list[Sub] = []
        self.ids = 0
        self.luck = random.Random(7)
        if up:
            self.add(Server(name="n1", state="up"))

    def add(self, event: Event) -> Story:
        self.n += 1
        event.n = self.n
        event.t = event.t or self.t
        routing.fold(self.state, event)
        return self

    def sub(self, client: str, subject: str, queue: str = "", limit: int = 0) -> Story:
        sid = 1 + sum(s.client == client for s in self.subs)
        event = Sub(client=client, sid=sid, subject=subject, queue=queue, limit=limit)
        self.subs.append(event)
        return self.add(event)

    def unsub(self, client: str) -> Story:
        gone = next(s for s in self.subs if s.client == client)
        self.subs.remove(gone)
        return self.add(
            Sub(client=client, sid=gone.sid, subject=gone.subject, queue=gone.queue, state="closed")
        )

    def pub(
        self,
        client: str,
        subject: str,
        *,
        to: str | None = None,
        stores: tuple[str, ...] = (),
        refused: str = "",
        reply: str = "",
        dry: bool = False,
        without: str = "",
        end: bool = True,
    ) -> str:
        self.ids += 1
        self.t += 0.5
        id, t, reached = f"c/1/{self.ids}", self.t, 0
        self.add(Pub(id=id, client=client, subject=subject, traced=True, reply=reply, dry=dry))
        self.add(Hop(id=id, step="in", client=client, subject=subject, error=refused))
        if to is not None:
            self.add(Hop(id=id, step="map", subject=subject, to=to, t=t + 9e-6))
        routed = subject if to is None else to
        for stream in stores:
            self.add(Hop(id=id, step="store", stream=stream, subject=routed, t=t + 31e-6))
        chosen: dict[tuple[str, str], list[Sub]] = {}
        for s in self.subs:
            if routed and not refused and s.client != without and matches(s.subject, routed):
                chosen.setdefault((s.subject, s.queue) if s.queue else (s.client, str(s.sid)), []).append(s)
        for i, group in enumerate(chosen.values()):
            s = self.luck.choice(group)
            reached += 1
            hop = Hop(id=id, step="egress", client=s.client, subject=routed, sub=s.subject, queue=s.queue)
            hop.t = t + (44 + 3 * i) * 1e-6
            self.add(hop)
            if not dry:
                self.add(
                    Recv(id=id, client=s.client, sid=s.sid, subject=routed, pattern=s.subject, queue=s.queue)
                )
        if end:
            outcome = "refused" if refused else "delivered" if reached else "nobody"
            self.add(End(of="trace", id=id, client=client, outcome=outcome, count=reached, took=1e-4))
        return id

    def many(self, client: str, subject: str, count: int) -> Story:
        self.t += 0.1
        self.add(Many(client=client, way="pub", subject=subject, count=count, t=self.t))
        for s in self.subs:
            if not s.queue and matches(s.subject, subject):
                self.add(
                    Many(client=s.client, way="recv", subject=s.subject, sid=s.sid, count=count, t=self.t)
                )
        return self

    def snap(self, what: str, **data: Any) -> Story:
        return self.add(Snap(what=what, data=data))

    @property
    def words(self) -> str:
        return " ".join(s for s in routing.describe(self.state) if s)

    @property
    def row(self) -> dict[str, list[str]]:
        return {row[0]: row for row in routing.table(self.state).rows}

    def check(self) -> Scene:
        return check(routing, self.state)


def shop() -> Story:
    """The example of the lessons: seven subscriptions, a queue group of three."""
    story = Story().sub("eu-desk", "orders.eu.paid")
    for worker in ("w1", "w2", "w3"):
        story.sub(worker, "orders.eu.*", "workers")
    return story.sub("us-desk", "orders.us.*").sub("billing", "orders.*.new").sub("audit", "orders.>")


def texts(scene: Scene) -> list[str]:
    return ["".join(t for t, _ in mark.runs) for mark in walk(scene.marks) if isinstance(mark, Text)]


def way(scene: Scene, key: str) -> Path:
    found = [m for m in walk(scene.marks) if m.key == key]
    assert len(found) == 1 and isinstance(found[0], Path), key
    return found[0]
