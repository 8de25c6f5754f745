"""What several servers say, put together; reports as nats-server 2.15.1 makes them."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from natslab.loop import run
from natslab.sources.ears import Ear
from natslab.sources.merged import DOUBT, Answer, Domains, Merger, Report

T = "2026-01-01T00:00:{:02d}.123456789Z"
ALL = ("n1", "n2", "n3")
NOW = datetime.fromisoformat(T.format(59)).timestamp()


def stream(
    at: str,
    leader: str = "n1",
    *,
    since: int = 10,
    made: int = 1,
    peers: tuple[str, ...] = ALL,
    last: int = 0,
    consumers: list[dict[str, Any]] | None = None,
    name: str = "S",
) -> dict[str, Any]:
    """What the server `at` says of a stream; only a leader says since when."""
    cluster: dict[str, Any] = {"name": "C1", "leader": leader}
    if len(peers) > 1:
        cluster |= {"raft_group": "S-R3F-x", "replicas": [{"name": p} for p in peers if p != at]}
        if leader == at:
            cluster["leader_since"] = T.format(since)
    said: dict[str, Any] = {"name": name, "created": T.format(made), "state": {"last_seq": last}}
    said |= {"cluster": cluster, "config": {"num_replicas": len(peers)}}
    return said | ({"consumer_detail": consumers} if consumers else {})


def answers(**said: list[dict[str, Any]]) -> dict[str, Answer]:
    return {name: Answer(streams, clustered=True) for name, streams in said.items()}


def places(report: Report) -> dict[str, str]:
    return {"/".join(told.key): told.place for told in report.there}


def everywhere(leader: str, **options: Any) -> dict[str, Answer]:
    return answers(**{name: [stream(name, leader, **options)] for name in ALL})


def test_the_leader_is_believed() -> None:
    m = Merger()
    report = m.merge(answers(n1=[stream("n1", last=9)], n2=[stream("n2", last=7)], n3=[]))
    assert places(report) == {"S": "n1"} and report.there[0].said["state"]["last_seq"] == 9
    assert m.leader(("S",)) == "n1" and m.peers(("S",)) == set(ALL) and m.mute() == []


def test_of_two_that_lead_the_later_one() -> None:
    """One that was cut off does not know better."""
    m = Merger()
    m.merge(everywhere("n1"))
    both = answers(n1=[stream("n1", "n1")], n2=[stream("n2", "n2", since=20)], n3=[stream("n3", "n2")])
    assert places(m.merge(both)) == {"S": "n2"}
    # Also when the later one happens not to answer.
    assert places(m.merge(answers(n1=[stream("n1", "n1")]))) == {}
    assert m.mute() == [("S",)]
    # But when it says that it leads no more, the other one does.
    assert places(m.merge(answers(n1=[stream("n1", "n1")], n2=[stream("n2", "n1")]))) == {"S": "n1"}


def test_nobody_leads() -> None:
    m = Merger()
    assert m.merge(answers(n1=[stream("n1", "")], n2=[stream("n2", "")])) == Report([], [])
    m.merge(everywhere("n1"))
    assert m.merge(everywhere("")) == Report([], [])
    assert m.mute() == [("S",)]


def test_a_server_that_is_down_takes_nothing_with_it() -> None:
    m = Merger()
    m.merge(answers(n1=[], n2=[stream("n2", "n2", peers=("n2",))], n3=[]))
    for _ in range(5):
        assert m.merge(answers(n1=[], n3=[])).gone == []
    assert m.mute() == [("S",)]
    # It has started again, and does not know yet that it is in a cluster.
    bare = stream("n2", "n2", peers=("n2",))
    del bare["cluster"]
    assert m.merge(answers(n1=[], n2=[bare], n3=[])) == Report([], [])
    assert places(m.merge(answers(n2=[stream("n2", "n2", peers=("n2",))]))) == {"S": "n2"}
    assert m.merge(answers(n2=[])).gone == [("S",)]


def test_a_server_that_has_just_started_does_not_lead_alone() -> None:
    """It says so for a moment, of what has three replicas (measured)."""
    m = Merger()
    m.merge(everywhere("n1"))
    early = stream("n3", "n3")
    early["cluster"] = {"name": "C1", "leader": "n3"}
    assert places(m.merge(answers(n1=[stream("n1")], n3=[early]))) == {"S": "n1"}
    assert places(Merger().merge(answers(n3=[early]))) == {}
    # Of a consumer the number is the stream's, unless it is ephemeral.
    inherits = {"stream_name": "S", "name": "C", "created": T.format(2), "cluster": early["cluster"]}
    one = {**inherits, "config": {"durable_name": "C"}}
    assert places(Merger().merge(answers(n3=[stream("n3", "n1", consumers=[one])]))) == {}
    one = {**inherits, "config": {"name": "C"}}
    assert places(Merger().merge(answers(n3=[stream("n3", "n1", consumers=[one])]))) == {"S/C": "n3"}


def test_what_is_deleted_is_gone_although_one_does_not_know_it() -> None:
    m = Merger()
    m.merge(everywhere("n1"), NOW)
    assert m.merge(everywhere("n2", since=20), NOW + 1).gone == []
    cut_off = answers(n1=[stream("n1", "n1")], n2=[], n3=[])
    assert m.merge(cut_off, NOW + 2).gone == []  # perhaps it is only that these asked in between
    assert m.merge(cut_off, NOW + 2 + DOUBT).gone == [("S",)]
    assert m.merge(cut_off, NOW + 4) == Report([], [])
    again = answers(n1=[stream("n1", "n1")], n2=[stream("n2", "n2", since=30, made=25)], n3=[])
    report = m.merge(again, NOW + 5)
    assert places(report) == {"S": "n2"} and report.there[0].made == T.format(25)


def test_all_that_had_it_have_it_no_more() -> None:
    m = Merger()
    m.merge(answers(n1=[stream("n1")], n2=[], n3=[]))
    assert m.merge(answers(n1=[], n2=[], n3=[])).gone == [("S",)]


def test_a_new_one_of_the_same_name() -> None:
    m = Merger()
    m.merge(everywhere("n1"))
    mixed = answers(n1=[stream("n1", "n1")], n2=[stream("n2", "n2", made=30, since=30)])
    assert [(told.place, told.made) for told in m.merge(mixed).there] == [("n2", T.format(30))]
    assert m.merge(answers(n1=[stream("n1", "n1")])) == Report([], [])


def test_replicas_come_and_go() -> None:
    m = Merger()
    one = stream("n1", "n1", peers=("n1",))
    assert m.merge(answers(n1=[one], n2=[], n3=[])).gone == []
    m.merge(everywhere("n1"))  # three of them
    m.merge(everywhere("n3", since=20))
    alone = stream("n3", "n3", peers=("n3",))
    report = m.merge(answers(n1=[], n2=[], n3=[alone]))
    assert places(report) == {"S": "n3"} and report.gone == [] and m.peers(("S",)) == {"n3"}
    old = answers(n1=[stream("n1", "n1")], n3=[alone])  # that had been cut off before
    assert places(m.merge(old)) == {"S": "n3"}


def test_consumers_have_leaders_of_their_own() -> None:
    def c(at: str, leader: str, **options: Any) -> dict[str, Any]:
        return stream(at, leader, name="C", **options)

    m = Merger()
    only = c("n2", "n2", peers=("n2",)) | {"name": "E"}
    said = answers(
        n1=[stream("n1", consumers=[c("n1", "n3")])],
        n2=[stream("n2", consumers=[c("n2", "n3"), only])],
        n3=[stream("n3", consumers=[c("n3", "n3", since=12)])],
    )
    report = m.merge(said)
    assert places(report) == {"S": "n1", "S/C": "n3", "S/E": "n2"}
    assert {told.key: told.stream["cluster"]["leader"] for told in report.there}[("S", "E")] == "n1"
    # With the stream go its consumers, also one whose server does not answer.
    assert m.merge(answers(n1=[], n3=[]), NOW).gone == []
    assert set(m.merge(answers(n1=[], n3=[]), NOW + DOUBT).gone) == {("S",), ("S", "C"), ("S", "E")}


def test_a_server_alone_needs_no_leader() -> None:
    m = Merger()
    said = {"name": "S", "created": T.format(1), "state": {}}
    assert places(m.merge({"n1": Answer([said])})) == {"S": "n1"}
    assert m.merge({}).gone == []
    assert m.merge({"n1": Answer([])}).gone == [("S",)]


class _Client:
    """Lets a test say what was heard."""

    async def subscribe(self, subject: str, cb: Any) -> Any:
        self.hear = cb
        return self


class _Msg:
    def __init__(self, subject: str, data: bytes) -> None:
        self.subject, self.data = subject, data


def test_what_several_hear_is_told_once() -> None:
    """Whoever is first, and however often the same is said."""

    async def go() -> None:
        told: list[bytes] = []

        async def heard(msg: Any) -> None:
            told.append(msg.data)

        ear, clients = Ear("x", heard), [_Client() for _ in range(3)]
        for name, client in zip(ALL, clients, strict=True):
            await ear.open(name, client)  # type: ignore[arg-type]
        one, two, three = clients
        for client in (two, one, three):
            await client.hear(_Msg("x", b"a"))
        assert told == [b"a"]
        for client in (one, one, two, three, three, two):
            await client.hear(_Msg("x", b"+WPI"))
        assert told == [b"a", b"+WPI", b"+WPI"]
        await three.hear(_Msg("x", b"only on its side"))
        await two.hear(_Msg("y", b"only on its side"))
        assert len(told) == 5
        await two.hear(_Msg("x", b"a"))  # said again; the first time this one was among those that heard it
        await one.hear(_Msg("x", b"a"))
        assert len(told) == 6

    run(go())


def test_streams_of_two_domains_may_have_one_name() -> None:
    d = Domains({"hub": "hub", "edge1": "edge1"}.__getitem__)
    one = {"name": "S", "created": T.format(1), "state": {}}
    two = {"name": "S", "created": T.format(2), "consumer_detail": [{"name": "C", "created": T.format(3)}]}
    report = d.merge({"hub": Answer([one]), "edge1": Answer([two])})
    assert places(report) == {"S": "hub", "S@edge1": "edge1", "S@edge1/C": "edge1"}
    assert d.told_as("edge1", "S") == "S@edge1" and d.told_as("hub", "S") == "S"
    assert d.leader(("S@edge1", "C")) == "edge1" and d.mute() == []
    assert d.merge({"hub": Answer([])}).gone == [("S",)] and d.mute() == []
    assert places(d.merge({"hub": Answer([]), "edge1": Answer([two])})) == {
        "S@edge1": "edge1",
        "S@edge1/C": "edge1",
    }
    assert set(d.merge({"edge1": Answer([])}).gone) == {("S@edge1",), ("S@edge1", "C")}
    assert places(d.merge({"edge1": Answer([two])})) == {"S": "edge1", "S/C": "edge1"}
