"""From RAFT messages to events: who asked, who answered, who leads, in an order that makes sense."""

import random
import struct
from typing import Any

from natslab.sources import rafttalk
from natslab.sources.rafttalk import Talk
from natslab.sources.raftwire import peer_id
from natslab.tape.event import Leader, Quorum, Raft

IDS = {peer_id(f"n{i}"): f"n{i}" for i in range(1, 6)}
G = "S-R3F-aaaaaaaa"


class Wire:
    """Bytes as servers would send them, into a Talk."""

    def __init__(self, patience: float = 0.0) -> None:
        self.events: list[Any] = []
        self.talk = Talk(self.events.append, lambda id: IDS.get(id, id), patience)
        self.t = 0.0
        self.lost = ""
        self.sure = True

    def send(self, src: str, dst: str, subject: str, reply: str, data: bytes) -> None:
        self.talk.hear(src, dst, subject, reply, data, self.t, lost=self.lost, sure=self.sure)

    def vote(self, a: str, b: str, term: int, last: int = 0, group: str = G) -> None:
        data = struct.pack("<QQQ8s", term, term - 1, last, peer_id(a).encode())
        self.send(a, b, f"$NRG.V.{group}", f"$NRG.R.v{a}{group}", data)

    def voted(self, a: str, b: str, term: int, ok: bool = True, group: str = G, dst: str = "") -> None:
        data = struct.pack("<Q8sB", term, peer_id(a).encode(), ok)
        self.send(a, dst or b, f"$NRG.R.v{b}{group}", "", data)

    def append(
        self,
        a: str,
        b: str,
        term: int,
        prev: int,
        commit: int = 0,
        n: int = 0,
        peers: tuple[str, ...] = (),
        group: str = G,
        subject: str = "",
    ) -> None:
        entries = [b"\x04m"] * n
        body = b"".join(struct.pack("<IB", len(e) + 1, 0) + e for e in entries)
        if peers:
            n += 1
            ids = b"".join(peer_id(p).encode() for p in peers)
            state = struct.pack("<II", len(peers), len(peers)) + ids + b"\0\0"
            body += struct.pack("<IB", len(state) + 1, 2) + state
        data = struct.pack("<8sQQQQH", peer_id(a).encode(), term, commit, term, prev, n) + body + b"\0"
        self.send(a, b, subject or f"$NRG.AE.{group}", f"$NRG.R.a{a}{group}", data)

    def appended(
        self, a: str, b: str, term: int, last: int, ok: bool = True, group: str = G, reply: str = ""
    ) -> None:
        data = struct.pack("<QQ8sB", term, last, peer_id(a).encode(), ok)
        self.send(a, b, f"$NRG.R.a{b}{group}", reply, data)

    def said(self) -> list[str]:
        """The events in short."""
        return [short(e) for e in self.events]


def short(e: Any) -> str:
    if isinstance(e, Raft):
        more = f" x{e.count}" if e.count > 1 else ""
        return f"{e.what} {e.a}>{e.b}{more}"
    if isinstance(e, Leader):
        return f"leader {e.leader or '-'} {e.term}"
    assert isinstance(e, Quorum)
    return "quorum lost" if e.lost else "quorum"


def test_an_election_and_a_message() -> None:
    w = Wire()
    w.vote("n1", "n2", 1)
    w.vote("n1", "n3", 1)
    w.voted("n2", "n1", 1)
    w.append("n1", "n2", 1, 0, peers=("n1", "n2", "n3"))
    w.append("n1", "n3", 1, 0, peers=("n1", "n2", "n3"))
    w.voted("n3", "n1", 1)
    w.appended("n2", "n1", 1, 1)
    w.appended("n3", "n1", 1, 1)
    w.append("n1", "n2", 1, 1, commit=1, n=2)
    w.appended("n2", "n1", 1, 2)
    assert w.said() == [
        "vote n1>n2",
        "vote n1>n3",
        "voted n2>n1",
        "append n1>n2",
        "leader n1 1",
        "append n1>n3",
        "voted n3>n1",
        "appended n2>n1",
        "appended n3>n1",
        "append n1>n2",
        "appended n2>n1",
    ]
    raft = [e for e in w.events if isinstance(e, Raft)]
    assert len({e.rpc for e in raft if e.what in ("vote", "append")}) == 5  # each its own
    asked = {(e.rpc, e.a, e.b) for e in raft if e.what in ("vote", "append")}
    assert all((e.rpc, e.b, e.a) in asked for e in raft if e.what in ("voted", "appended"))
    last = raft[-2]
    assert (last.group, last.term, last.index, last.commit, last.entries) == (G, 1, 1, 1, 2)
    assert last.ops == ["message", "message"] and last.how == "observed" and last.place == "n1"
    assert (raft[-1].index, raft[-1].ok) == (2, True)
    group = w.talk.groups[G]
    assert (group.leader, group.term, group.commit, group.peers) == ("n1", 1, 1, {"n1", "n2", "n3"})
    assert w.talk.told == 10 and w.talk.unknown == 0


def test_a_new_leader_once() -> None:
    w = Wire()
    for _ in range(3):
        for b in ("n2", "n3"):
            w.append("n1", b, 4, 7)
    w.t = 6.0
    w.vote("n2", "n3", 5)
    w.vote("n3", "n2", 5)  # at the same time: nobody is chosen
    w.t = 12.0
    w.vote("n3", "n2", 6)
    w.voted("n2", "n3", 6)
    w.append("n3", "n2", 6, 7)
    w.append("n1", "n2", 4, 7)  # comes back and does not know
    w.append("n3", "n2", 6, 7)
    assert [s for s in w.said() if s.startswith("leader")] == ["leader n1 4", "leader - 5", "leader n3 6"]


def test_a_vote_that_changes_nothing() -> None:
    """A server that missed the leader asks; those that hear the leader go on with it."""
    w = Wire()
    w.append("n1", "n2", 4, 7)
    w.vote("n3", "n2", 5)
    w.append("n1", "n2", 4, 7)  # was on its way
    assert w.talk.groups[G].leader == ""
    w.t = 3.0
    w.append("n1", "n2", 4, 7)
    w.append("n1", "n2", 4, 7)
    assert [s for s in w.said() if s.startswith("leader")] == ["leader n1 4", "leader - 5", "leader n1 4"]


def test_what_does_not_arrive_decides_nothing() -> None:
    w = Wire()
    w.append("n1", "n2", 4, 7)
    w.lost = "held"
    w.vote("n3", "n2", 9)
    w.append("n3", "n2", 9, 7)
    assert w.said() == ["append n1>n2", "leader n1 4", "vote n3>n2", "append n3>n2"]
    assert [e.lost for e in w.events if isinstance(e, Raft)] == ["", "held", "held"]


def test_a_leader_sends_what_another_made_before_it() -> None:
    """In a catch-up stands who made the entry, and its term; who sends it is another thing."""
    for patience in (0.0, 0.05):
        w = Wire(patience)
        w.append("n1", "n3", 1, 3, n=1)
        w.append("n2", "n3", 2, 9, n=1)
        w.appended("n3", "n2", 1, 4, ok=False, reply="$NRG.CR.box")
        data = struct.pack("<8sQQQQH", peer_id("n1").encode(), 1, 4, 1, 4, 0) + b"\0"
        w.send("" if patience else "n2", "n3", "$NRG.CR.box", "$NRG.R.an2g", data)
        assert w.said()[-1] == "catchup n2>n3"
        assert "leader n1 1" not in w.said()[2:], "who made it does not lead again"


def test_requests_without_an_answer() -> None:
    """A follower that catches up ignores what comes in between."""
    w = Wire()
    w.append("n1", "n2", 1, 9, n=1)  # n2 has only 3
    w.appended("n2", "n1", 1, 3, ok=False, reply="$NRG.CR.box")
    w.append("n1", "n2", 1, 10, n=1)
    w.append("n1", "n2", 1, 3, n=1, subject="$NRG.CR.box")
    w.append("n1", "n3", 1, 3, n=1, subject="$NRG.CR.box")  # a copy for somebody else who listens
    w.appended("n2", "n1", 1, 4)
    w.append("n1", "n2", 1, 11, n=1)
    w.appended("n2", "n1", 1, 12)
    assert w.said() == [
        "append n1>n2",
        "leader n1 1",
        "appended n2>n1",
        "append n1>n2",
        "catchup n1>n2",
        "appended n2>n1",
        "append n1>n2",
        "appended n2>n1",
    ]
    a, _, no, _, catchup, got, b, done = w.events
    assert (no.rpc, got.rpc, done.rpc) == (a.rpc, catchup.rpc, b.rpc) and not no.ok
    w.send("n1", "n2", "$NRG.CR.other", "", b"")
    w.append("n1", "n2", 1, 3, subject="$NRG.CR.other")
    assert w.talk.unknown == 2


def test_copies_for_a_listener_are_passed_over() -> None:
    w = Wire()
    w.sure = False
    w.append("n1", "n2", 1, 0, peers=("n1", "n2", "n3"))
    w.append("n1", "n4", 1, 0)
    w.vote("n2", "n5", 2)
    w.vote("n2", "n3", 2)
    w.voted("n3", "n2", 2, dst="n4")
    w.append("n2", "n2", 2, 0)
    assert w.said() == ["append n1>n2", "leader n1 1", "vote n2>n3", "leader - 2"]
    w.sure = True  # a route leads only to who wants it
    w.append("n2", "n4", 2, 0)
    assert w.said()[4:] == ["append n2>n4", "leader n2 2"]


def test_an_answer_waits_for_its_request() -> None:
    """Two connections tell of them: the answer may be heard first."""
    w = Wire(patience=0.05)
    w.append("n1", "n3", 1, 0, n=1)  # names the inbox
    w.appended("n2", "n1", 1, 1)
    assert w.talk.waiting
    w.append("n1", "n2", 1, 0, n=1)
    assert w.said() == ["append n1>n3", "leader n1 1", "append n1>n2", "appended n2>n1"]
    assert not w.talk.waiting
    w.appended("n2", "n1", 1, 9)
    w.talk.flush(0.04)
    assert len(w.events) == 4
    w.talk.flush(0.06)
    assert w.said()[4:] == ["appended n2>n1"] and w.events[-1].rpc == ""


def test_a_leader_waits_for_its_votes() -> None:
    w = Wire(patience=0.05)
    w.vote("n1", "n2", 4)
    w.append("n1", "n3", 4, 7, n=1)
    w.append("n1", "n3", 4, 8, n=1)
    w.appended("n3", "n1", 4, 8)
    assert w.said() == ["vote n1>n2"]
    w.voted("n2", "n1", 4)
    assert w.said()[1:] == ["voted n2>n1", "append n1>n3", "leader n1 4", "appended n3>n1", "append n1>n3"]
    w.talk.flush(1.0)
    w.vote("n2", "n3", 5)
    w.append("n2", "n3", 5, 9)
    w.talk.flush(1.1)  # its votes went another way
    assert w.said()[6:] == ["vote n2>n3", "leader - 5", "append n2>n3", "leader n2 5"]


def test_any_order_of_arrival_is_told_in_order() -> None:
    """Three connections that lag each in its own way: requests before their answers."""
    for seed in range(20):
        chance = random.Random(seed)
        w = Wire(patience=0.05)
        sent: dict[str, list[tuple[Any, ...]]] = {"n1": [], "n2": [], "n3": []}

        def put(kind: str, a: str, b: str, *more: Any, to: Any = sent) -> None:
            for server in to:  # every connection hears everything
                to[server].append((kind, a, server, b, *more))

        put("vote", "n1", "", 1)
        put("voted", "n2", "n1", 1)
        put("voted", "n3", "n1", 1)
        for i in range(15):
            put("append", "n1", "", 1, i, i, 1)
            put("appended", "n2", "n1", 1, i + 1)
            put("appended", "n3", "n1", 1, i + 1)
        while any(sent.values()):
            server = chance.choice([s for s in sent if sent[s]])
            for _ in range(min(len(sent[server]), chance.randrange(12))):
                kind, a, dst, _b, *more = sent[server].pop(0)
                if kind in ("vote", "append") or dst == "n1":
                    getattr(w, kind)(a, dst, *more)
        w.talk.flush(1.0)
        raft = [e for e in w.events if isinstance(e, Raft)]
        assert len(raft) == 64 == w.talk.told
        for i, e in enumerate(raft):
            if e.what in ("voted", "appended"):
                assert any((e.rpc, e.b, e.a) == (r.rpc, r.a, r.b) for r in raft[:i]), (seed, i)


def test_at_speed_it_is_merged_and_exact() -> None:
    w = Wire()
    for i in range(2_000):  # a millisecond each
        w.t = i / 1_000
        w.append("n1", "n2", 1, i, i, 1)
        if i % 2:
            w.appended("n2", "n1", 1, i)
            w.appended("n2", "n1", 1, i + 1)
        if i == 1_000:
            w.vote("n3", "n2", 2)
        w.talk.flush(w.t)
    w.talk.flush()
    raft = [e for e in w.events if isinstance(e, Raft)]
    assert len(raft) < 130
    assert sum(e.count for e in raft if e.what == "append") == 2_000
    assert sum(e.count for e in raft if e.what == "appended") == 2_000
    assert [e.count for e in raft if e.what == "vote"] == [1]
    told = 0  # nothing is confirmed before it was sent, and the vote is in its place
    for e in raft:
        if e.what == "append":
            told = e.index + 1
        elif e.what == "appended":
            assert e.index <= told
        else:
            assert told == 1_001
    assert w.talk.told == 4_001


def test_what_carries_entries_is_not_merged_into_what_carries_none() -> None:
    """The commit that follows the last publish of a rush would hide its entry."""
    w = Wire()
    for i in range(100):
        w.t = i / 1_000
        w.append("n1", "n2", 1, i, max(0, i - 1), 1)
        w.append("n1", "n2", 1, i + 1, i, 0)
        w.talk.flush(w.t)
    w.talk.flush()
    told = [e for e in w.events if isinstance(e, Raft)]
    assert len(told) < 100
    assert sum(e.count for e in told if e.entries) == sum(e.count for e in told if not e.entries) == 100
    last = max(e.index for e in told if e.entries)
    assert last + 1 == max(e.index for e in told if not e.entries) == 100


def test_a_slow_pace_is_told_singly_again() -> None:
    w = Wire()
    for i in range(100):
        w.append("n1", "n2", 1, i, i, 1)
    w.t = 1.0
    w.talk.flush(1.0)
    n = len(w.events)
    for i in range(10):
        w.append("n1", "n2", 1, 100 + i, 100, 1)
    assert len(w.events) == n + 10
    assert sum(e.count for e in w.events if isinstance(e, Raft)) == 110


def test_heartbeats_of_many_groups_are_merged() -> None:
    w = Wire()
    groups = [f"S-R3F-{i:08}" for i in range(rafttalk.MANY + 5)]
    for second in range(20):
        w.t = float(second)
        for group in (*groups, "_meta_"):
            w.append("n1", "n2", 1, 5, 5, group=group)
            w.appended("n2", "n1", 1, 5, group=group)
        if second == 12:
            w.append("n1", "n2", 1, 5, 5, n=1, group=groups[0])
        w.talk.flush(w.t)
    w.talk.flush()
    raft = [e for e in w.events if isinstance(e, Raft)]
    assert sum(e.count for e in raft) == 20 * 2 * (len(groups) + 1) + 1
    assert len([e for e in raft if e.group == "_meta_"]) == 40
    some = [e for e in raft if e.group == groups[1]]
    assert len(some) <= 14
    entry = next(i for i, e in enumerate(raft) if e.entries)
    before = [e for e in raft[:entry] if e.group == groups[0]]
    assert sum(e.count for e in before) == 26  # told before what is new


def test_reports_say_who_leads() -> None:
    w = Wire()
    w.talk.claimed(G, "n1", 3, 1.0)
    w.talk.claimed(G, "n1", 3, 2.0)
    w.talk.claimed(G, "n2", 4, 3.0)
    w.talk.claimed(G, "n1", 3, 4.0)  # cut off: it still believes so
    w.talk.leaderless(G, 4, 10.0)
    w.talk.leaderless(G, 5, 11.0)
    w.talk.claimed(G, "n2", 6, 12.0)
    assert w.said() == ["leader n1 3", "leader n2 4", "leader - 4", "leader n2 6"]
    assert all(e.how == "inferred" for e in w.events)


def test_a_quorum_that_is_lost() -> None:
    w = Wire()
    w.talk.group(G).peers = frozenset(("n1", "n2", "n3"))
    w.append("n1", "n2", 3, 5, commit=5)
    w.talk.quorum(G, True, 12.0, "observed", "n1")
    w.talk.quorum(G, True, 13.0, "observed", "n1")
    w.t = 14.0
    w.append("n1", "n2", 3, 5, commit=5)
    assert w.said()[2:] == ["quorum lost", "append n1>n2"]
    w.append("n1", "n2", 3, 6, commit=6)
    assert w.said()[4:] == ["append n1>n2", "quorum"]
    w.talk.quorum(G, True, 30.0, "observed", "n1")
    w.t = 31.0
    w.append("n1", "n2", 3, 6, commit=6)
    w.appended("n2", "n1", 3, 6)
    assert w.said()[-2:] == ["appended n2>n1", "quorum"] and w.events[-1].how == "inferred"
    # A leader that was cut off says that it has lost it; the others follow another.
    w.append("n2", "n3", 4, 6, commit=6)
    w.appended("n3", "n2", 4, 6)
    w.talk.quorum(G, True, 32.0, "observed", "n1")
    assert w.said()[-1] == "appended n3>n2"


def test_a_group_that_goes() -> None:
    w = Wire()
    w.append("n1", "n2", 3, 5)
    w.talk.forget(G)
    assert not w.talk.groups and not w.talk._ways


def test_who_was_parted_is_answered_no_more() -> None:
    w = Wire()
    w.append("n1", "n2", 1, 5)
    w.append("n1", "n3", 1, 5)
    w.talk.parted("n2", "n1")
    w.append("n1", "n2", 1, 9, n=1)
    w.appended("n2", "n1", 1, 5, ok=False)
    w.appended("n3", "n1", 1, 5)
    asked = {e.rpc: e for e in w.events if isinstance(e, Raft) and e.what == "append"}
    no, yes = w.events[-2:]
    assert asked[no.rpc].index == 9 and asked[yes.rpc].b == "n3"
    w.talk.parted("n1")
    w.appended("n3", "n1", 1, 5)
    assert w.events[-1].rpc == ""


def test_foreign_bytes_are_counted() -> None:
    w = Wire()
    for subject in (f"$NRG.AE.{G}", "$NRG.R.x", "$NRG.AE", "$NRG.", "other"):
        w.send("n1", "n2", subject, "", b"\xff" * 42)
        w.send("n1", "n2", subject, "", struct.pack("<Q8sB", 1, peer_id("n2").encode(), 1))
    w.append("n1", "n2", 1, 0, subject="$NRG.AE")
    w.append("n1", "n2", 1, 0, subject="$NRG.AE.")
    assert w.events == []
