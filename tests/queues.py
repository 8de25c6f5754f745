"""What the tests of the queue view share: stories of groups, told event by event."""

from __future__ import annotations

import random
from typing import Any

from natslab.tape.event import Conn, Event, Hop, Many, Pub, Recv, Server, Sub
from natslab.tape.subject import matches
from natslab.views import queue
from natslab.views.queue import Group
from natslab.views.scene import Scene, Text, walk


class Story:
    """Events as a lab with one server would put them on its tape, a millisecond apart."""

    def __init__(self, seed: int = 1, of: tuple[str, ...] = ()) -> None:
        self.state = queue.start(of)
        self.dice = random.Random(seed)
        self.t = 0.0
        self.n = 0
        self.messages = 0
        self.sids: dict[str, int] = {}
        self.subs: list[tuple[str, int, str, str]] = []
        self.log: list[Event] = []
        self.tell(Server(name="n1", state="up"))

    def tell(self, event: Event, t: float | None = None) -> None:
        self.t += 0.001
        self.n += 1
        event.t, event.n = self.t if t is None else t, self.n
        self.log.append(event)
        queue.fold(self.state, event)

    def sub(self, client: str, group: str = "", subject: str = "orders.new", no: int = 1) -> int:
        sid = self.sids[client] = self.sids.get(client, 0) + 1
        if sid == 1:
            self.tell(Conn(client=client, no=no))
        self.tell(Sub(client=client, sid=sid, subject=subject, queue=group))
        self.subs.append((client, sid, subject, group))
        return sid

    def unsub(self, client: str, sid: int) -> None:
        subject, group = next((s[2], s[3]) for s in self.subs if s[:2] == (client, sid))
        self.subs = [s for s in self.subs if s[:2] != (client, sid)]
        self.tell(Sub(client=client, sid=sid, subject=subject, queue=group, state="closed"))

    def close(self, client: str, state: Any = "closed") -> None:
        self.subs = [s for s in self.subs if s[0] != client]
        self.tell(Conn(client=client, no=1, state=state))

    def pub(
        self,
        times: int = 1,
        client: str = "web",
        subject: str = "orders.new",
        to: str = "",
        arrives: bool = True,
        weights: dict[str, float] | None = None,
    ) -> str:
        for _ in range(times):
            self.messages += 1
            name = f"c/1/{self.messages}"
            self.tell(Pub(id=name, client=client, subject=subject, traced=True))
            groups: dict[str, list[tuple[str, int, str, str]]] = {}
            for s in self.subs:
                if not matches(s[2], subject):
                    continue
                if s[3]:
                    groups.setdefault(s[3], []).append(s)
                else:
                    self.tell(Recv(id=name, client=s[0], sid=s[1], subject=subject, pattern=s[2]))
            for group, members in groups.items():
                odds = [(weights or {}).get(m[0], 1.0) for m in members]
                chosen = self.dice.choices(members, odds)[0]
                chosen = next((m for m in members if m[0] == to), chosen)
                self.tell(
                    Hop(id=name, step="egress", client=chosen[0], subject=subject, sub=chosen[2], queue=group)
                )
                if arrives:
                    self.tell(
                        Recv(
                            id=name,
                            client=chosen[0],
                            sid=chosen[1],
                            subject=subject,
                            pattern=chosen[2],
                            queue=group,
                        )
                    )
        return name

    def group(self, name: str = "workers") -> Group:
        return self.state.groups[name]

    def words(self) -> str:
        return " ".join(queue.describe(self.state)).strip()


def members(*names: str, seed: int = 1, group: str = "workers", subject: str = "orders.new") -> Story:
    story = Story(seed)
    for name in names:
        story.sub(name, group, subject)
    return story


def died() -> Story:
    """48 messages over four members; w3 dies with number 23 on its way, just after 24 was published."""
    lanes = {
        "w1": [3, 5, 10, 12, 18, 20, 21, 24, 27, 28, 29, 30, 32, 34, 37, 41, 47],
        "w2": [4, 6, 7, 13, 16, 17, 33, 35, 36, 38, 43, 46],
        "w3": [2, 8, 9, 11, 15, 23],
    }
    story = Story()
    story.sub("audit", subject="orders.>")
    for name in ("w1", "w2", "w3", "w4"):
        story.sub(name, "workers")
    for i in range(1, 49):
        to = next((name for name, numbers in lanes.items() if i in numbers), "w4")
        story.pub(to=to, arrives=i != 23)
        if i == 24:
            story.close("w3", "lost")
    return story


def texts(scene: Scene) -> list[str]:
    return ["".join(t for t, _ in m.runs) for m in walk(scene.marks) if isinstance(m, Text)]


def bulk(story: Story, shares: dict[str, int], since: float, t: float) -> None:
    for name, count in shares.items():
        story.tell(
            Many(
                client=name,
                way="recv",
                subject="orders.new",
                sid=1,
                queue="workers",
                count=count,
                since=since,
            ),
            t,
        )
