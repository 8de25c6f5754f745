"""A RAFT group as its events tell of it, for tests of the raft view: no server behind it."""

from __future__ import annotations

from typing import Any, Literal

from natslab.tape.event import Conn, End, Event, Leader, Link, Pub, Quorum, Raft, Server, Snap, Store
from natslab.views import raft
from natslab.views.scene import Mark, Scene, Text, walk
from tests.pictures import check

Word = Literal["vote", "voted", "append", "appended", "catchup", "propose"]


class Rig:
    """Servers n1 n2 ..., a wire between each two, and the stream ORDERS with a replica on each."""

    def __init__(
        self, servers: int = 3, of: tuple[str, ...] = ("ORDERS",), peers: list[str] | None = None
    ) -> None:
        self.state = raft.start(of)
        self.events: list[Event] = []
        self.t = 10.0
        self.n = 0
        self.names = [f"n{i + 1}" for i in range(servers)]
        self.peers = peers or self.names
        self.name = "S-R3F-aBcDeFgH"
        self.logs: dict[str, list[int]] = {p: [] for p in self.peers}  # terms, by index from 1
        self.commits = dict.fromkeys(self.peers, 0)
        self.term, self.leader = 0, ""
        self.asked = 0
        for name in self.names:
            self.tell(Server(name=name, state="up", version="2.15.1", cluster="C1"))
        for i, a in enumerate(self.names):
            for b in self.names[i + 1 :]:
                self.tell(Link(a=a, b=b, connected=True))
        self.tell(Snap(place="n1", what="stream", data={
            "name": "ORDERS", "config": {"num_replicas": len(self.peers), "subjects": ["orders.>"]},
            "state": {},
        }))  # fmt: skip
        self.tell(Snap(place="n1", what="group", data={
            "group": self.name, "type": "stream", "stream": "ORDERS", "consumer": "", "peers": self.peers,
        }))  # fmt: skip
        self.tell(Conn(client="shop", no=1, place=self.names[0]))

    def tell(self, event: Event) -> Event:
        """One event more, a tenth of a millisecond after the one before."""
        self.n += 1
        self.t += 0.0001
        event.n, event.t = self.n, event.t or self.t
        self.events.append(event)
        raft.fold(self.state, event)
        self.state.now = max(self.state.now, self.t)
        return event

    def wait(self, seconds: float) -> None:
        """Time passes."""
        self.t += seconds
        self.state.now = self.t

    @property
    def group(self) -> raft.Group:
        """The group of ORDERS."""
        return self.state.group("ORDERS")

    # --- the wires and the servers ---------------------------------------------------------------

    def link(self, a: str, b: str, state: Any, delay: float = 0.0) -> None:
        """Cut, hold, delay or heal a wire."""
        up = state in ("open", "delayed", "held")
        self.tell(Link(a=min(a, b), b=max(a, b), state=state, delay=delay, connected=up))

    def isolate(self, *names: str, state: Any = "cut") -> None:
        """Cut the wires between these servers and all others."""
        for a in names:
            for b in self.names:
                if b not in names:
                    self.link(a, b, state)

    def server(self, name: str, state: Any, why: str = "") -> None:
        """A server changes its state."""
        self.tell(Server(name=name, state=state, why=why))

    def broken(self, a: str, b: str) -> bool:
        """Whether nothing comes through the wire between two servers."""
        wire = self.state.wires[f"{min(a, b)}|{max(a, b)}"]
        return wire.state in ("cut", "held")

    def deaf(self, a: str, b: str) -> bool:
        """Whether b does not hear a."""
        return self.broken(a, b) or self.state.servers[b] != "up"

    # --- the protocol ----------------------------------------------------------------------------

    def say(self, what: Word, a: str, b: str, **more: Any) -> None:
        """One message; over a wire that is cut it is lost."""
        lost = self.state.wires[f"{min(a, b)}|{max(a, b)}"].state if self.broken(a, b) else ""
        given = {"term": self.term, **more}
        self.tell(Raft(group=self.name, what=what, a=a, b=b, source="raft wire", lost=lost, **given))

    def last(self, name: str) -> tuple[int, int]:
        """Index and term of the last entry of a log."""
        log = self.logs[name]
        return len(log), log[-1] if log else 0

    def heartbeat(self, leader: str = "", term: int = 0) -> None:
        """The leader says that it is there."""
        leader, term = leader or self.leader, term or self.term
        index, last = self.last(leader)
        for b in self.peers:
            if b != leader:
                self.say("append", leader, b, term=term, index=index, last_term=last,
                         commit=self.commits[leader])  # fmt: skip
                if not self.deaf(leader, b):
                    self.commits[b] = max(self.commits[b], min(self.commits[leader], len(self.logs[b])))
                    self.say("appended", b, leader, term=term, index=len(self.logs[b]), ok=True)

    def beat(self, seconds: float = 3.0) -> None:
        """Heartbeats for so long."""
        for _ in range(int(seconds)):
            self.wait(1.0)
            self.heartbeat()

    def append(
        self, *, leader: str = "", term: int = 0, ops: list[str] | None = None, count: int = 1
    ) -> None:
        """One entry: sent, stored by who hears it, committed if enough do."""
        leader, term = leader or self.leader, term or self.term
        index, last = self.last(leader)
        self.logs[leader].append(term)
        ops = ["message"] if ops is None else ops
        have = [leader]
        for b in self.peers:
            if b != leader:
                self.say("append", leader, b, term=term, index=index, last_term=last, entries=count, ops=ops,
                         commit=self.commits[leader])  # fmt: skip
        for b in self.peers:
            if b != leader and not self.deaf(leader, b) and len(self.logs[b]) == index:
                self.logs[b] = self.logs[leader][:]
                have.append(b)
                self.say("appended", b, leader, term=term, index=index + 1, ok=True)
        if len(have) > len(self.peers) // 2:
            self.commits[leader] = index + 1
            self.heartbeat(leader, term)

    def publish(self, *, client: str = "shop", answer: bool = True, **more: Any) -> str:
        """A message is published with JetStream, and becomes an entry."""
        self.asked += 1
        id_ = f"c/1/{self.asked}"
        self.tell(Pub(id=id_, client=client, subject="orders.new", reply="_INBOX.1", timeout=5.0, size=9))
        self.append(**more)
        leader = more.get("leader") or self.leader
        if answer and self.commits[leader] == len(self.logs[leader]):
            self.tell(Store(stream="ORDERS", id=id_, client=client, seq=self.asked))
        return id_

    def refused(self, client: str = "shop") -> None:
        """A publish that no leader takes."""
        self.asked += 1
        id_ = f"c/1/{self.asked}"
        self.tell(Pub(id=id_, client=client, subject="orders.new", reply="_INBOX.1", timeout=5.0, size=9))
        self.tell(End(of="request", id=id_, client=client, outcome="no responders"))

    def timeout(self, id_: str) -> None:
        """A publisher gives up."""
        self.tell(End(of="request", id=id_, client="shop", outcome="timeout"))

    def ask(self, who: str, term: int, *voters: str) -> None:
        """A candidate asks for votes."""
        self.term = term
        index, last = self.last(who)
        for b in voters or [p for p in self.peers if p != who]:
            self.say("vote", who, b, term=term, index=index, last_term=last)

    def grant(self, voter: str, who: str, ok: bool = True) -> None:
        """A vote, or a refusal."""
        self.say("voted", voter, who, ok=ok)

    def win(self, who: str) -> None:
        """The new leader's first entry."""
        self.leader = who
        for p in self.peers:
            if p != who and not self.deaf(who, p) and len(self.logs[p]) > len(self.logs[who]):
                del self.logs[p][len(self.logs[who]) :]
        self.append(ops=["peers"])

    def elect(self, who: str, term: int) -> None:
        """A whole election."""
        self.ask(who, term)
        for p in self.peers:
            if p != who and not self.deaf(who, p):
                self.grant(p, who)
        self.win(who)

    def report(self, name: str, **more: Any) -> None:
        """The server's own report of its part."""
        index, last = self.last(name)
        role = "LEADER" if name == self.leader else "FOLLOWER"
        data = {
            "group": self.name, "state": role, "term": self.term, "voted_for": "", "leader": self.leader,
            "committed": self.commits[name], "applied": self.commits[name], "pindex": index, "pterm": last,
            "first": 1, "last": index, "quorum_needed": len(self.peers) // 2 + 1, "size": len(self.peers),
            "peers": {
                p: {"index": len(self.logs[p]), "seen": 0.5, "known": True} for p in self.peers if p != name
            },
            **more,
        }  # fmt: skip
        self.tell(Snap(place=name, what="raft", data=data))

    def catch_up(self, name: str) -> None:
        """The leader sends what a server missed; what differs goes."""
        index, last = self.last(self.leader)
        self.say("append", self.leader, name, index=index, last_term=last, commit=self.commits[self.leader])
        self.say("appended", name, self.leader, index=len(self.logs[name]), ok=False)
        keep = 0
        for a, b in zip(self.logs[name], self.logs[self.leader], strict=False):
            if a != b:
                break
            keep += 1
        for i in range(keep, index):
            self.say("catchup", self.leader, name, index=i, entries=1, ops=["message"])
            self.logs[name] = self.logs[self.leader][: i + 1]
            self.say("appended", name, self.leader, index=i + 1, ok=True)
        self.heartbeat()

    def healthy(self, entries: int = 6) -> Rig:
        """A leader, n1, with so many entries that all have."""
        self.elect(self.peers[0], 1)
        for _ in range(entries - 1):
            self.wait(0.4)
            self.publish()
        self.beat(2)
        return self


def leader(group: str, name: str, term: int) -> Leader:
    """An announcement."""
    return Leader(group=group, leader=name, term=term)


def quorum(group: str, lost: bool) -> Quorum:
    """An announcement."""
    return Quorum(group=group, lost=lost)


def look(rig: Rig) -> Scene:
    """The picture, held to its promises, live and at rest."""
    rig.state.mode = "live"
    check(raft, rig.state)
    rig.state.mode = "paused"
    return check(raft, rig.state)


def words(rig: Rig) -> str:
    return " ".join(raft.describe(rig.state))


def told(rig: Rig) -> list[str]:
    return [line.text for line in rig.group.story]


def texts(scene: Scene) -> list[str]:
    return ["".join(t for t, _ in m.runs) for m in walk(scene.marks) if isinstance(m, Text)]


def mark(scene: Scene, key: str) -> Mark:
    (found,) = [m for m in walk(scene.marks) if m.key == key]
    return found


def meta(rig: Rig, groups: int = 0) -> None:
    """The meta group, led by n2, and so many streams besides."""
    rig.tell(Snap(place="n2", what="group", data={"group": "_meta_", "type": "meta", "peers": rig.names}))
    for i in range(groups):
        rig.tell(Snap(place="n1", what="group", data={
            "group": f"S-R3F-{i:08}", "type": "stream", "stream": f"S{i}", "peers": rig.names,
        }))  # fmt: skip
    for group in ["_meta_", *(f"S-R3F-{i:08}" for i in range(groups))]:
        rig.tell(Leader(group=group, leader="n2", term=3))
        for name in rig.names:
            rig.tell(Snap(place=name, what="raft", data={
                "group": group, "state": "LEADER" if name == "n2" else "FOLLOWER", "term": 3, "leader": "n2",
                "committed": 40, "pindex": 40, "pterm": 3, "first": 1, "last": 40, "quorum_needed": 2,
                "peers": {},
            }))  # fmt: skip
