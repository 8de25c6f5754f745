"""The RAFT messages of three real servers on the tape: what they say is what the servers report."""

import asyncio
import json
from typing import Any

import nats.errors
import pytest

from natslab.lab import Lab
from natslab.loop import run
from natslab.servers.topology import cluster, supercluster
from natslab.sources import raft
from natslab.tape.event import Leader, Quorum, Raft, Snap
from tests.rafting import Raftlab, folded, rafting

THREE = {"n1", "n2", "n3"}
BOTH = pytest.mark.parametrize("wires", [True, False], ids=["wires", "system account"])


async def agree(lab: Raftlab, group: str, servers: set[str] = THREE) -> None:
    """What follows from the messages is what every server reports of itself, when nothing happens."""
    for last in (*[False] * 6, True):  # a heartbeat tells the rest
        await lab.rest()
        said = {s.place: s.data for s in lab.all(Snap, what="raft") if s.data["group"] == group}
        told = folded(lab.tape.between(0, lab.tape.head), group)
        seen = {name: {key: said[name][key] for key in told[name]} for name in told if name in said}
        if (seen == told and set(told) == set(said) == servers) or last:
            break
    assert set(told) == set(said) == servers
    assert seen == told


def answered(events: list[Raft]) -> None:
    """Every answer comes after its request, which has the same rpc."""
    asked = set()
    for e in events:
        if e.what in ("vote", "append", "catchup"):
            asked.add((e.rpc, e.a, e.b))
        elif e.rpc:
            assert (e.rpc, e.b, e.a) in asked


@BOTH
def test_a_stream_and_five_messages(wires: bool) -> None:
    async def go() -> None:
        async with rafting(cluster(3, wires=wires)) as lab:
            group = await lab.stream()
            js = await lab.js()
            for i in range(5):
                await js.publish("S.x", b"secret %d" % i)
            await agree(lab, group)
            await agree(lab, "_meta_")
            snaps = {s.data["group"]: s.data for s in lab.all(Snap, what="group")}
            by = "wire" if wires else "system account"
            peers = ["n1", "n2", "n3"]
            assert snaps == {
                "_meta_": _group("_meta_", "meta", "", peers, by),
                group: _group(group, "stream", "S", peers, by),
            }
            events = lab.all(Raft)
            assert {e.how for e in events} == {"observed" if wires else "inferred"}
            assert all(e.count == 1 and e.source == "raft" and e.place == e.a for e in events)
            answered(events)
            assert not any("secret" in repr(e) for e in events)

            # Five messages are five entries, one after the other, each at both followers; and then committed.
            (leader,) = lab.all(Leader, group=group)
            assert leader.how == events[0].how
            for follower in set(peers) - {leader.leader}:
                ours = lab.all(Raft, group=group, what="append", a=leader.leader, b=follower)
                messages = [e for e in ours if e.ops == ["message"]]
                assert [e.index for e in messages] == list(range(1, 6))
                assert {e.term for e in ours} == {leader.term}
                assert [e.commit for e in ours] == sorted(e.commit for e in ours)
                assert ours[-1].commit == 6
                stored = lab.all(Raft, group=group, what="appended", a=follower, b=leader.leader)
                assert all(e.ok for e in stored) and stored[-1].index == 6
            # Who asked for votes got them before it led.
            (first, *_) = lab.all(Raft, group=group)
            assert (first.what, first.a) == ("vote", leader.leader) and first.n < leader.n
            assert any(
                e.ok and e.n < leader.n for e in lab.all(Raft, group=group, what="voted", b=leader.leader)
            )

    run(go())


def _group(group: str, kind: str, stream: str, peers: list[str], by: str) -> dict[str, Any]:
    return {"group": group, "type": kind, "stream": stream, "consumer": "", "peers": peers, "by": by}


async def killed(lab: Raftlab, group: str) -> None:
    """Kill who leads: silence, then votes, then another leader; and the first comes back as a follower."""
    old = lab.leader(group)
    head, term = lab.tape.head, lab.raft.talk.groups[group].term
    await lab.fleet.servers[old].kill()
    when = lab.tape.now()
    await lab.until(lambda: lab.leader(group) not in (old, ""))
    lab.raft.flush()
    # What it said last may still be on its way to a wire.
    events = [e for e in lab.all(Raft, head, group=group) if e.t > when + 0.3]
    nobody, new = lab.all(Leader, head, group=group)[:2]
    vote = next(e for e in events if e.what == "vote")
    granted = next(e for e in events if e.what == "voted" and e.ok and e.b == new.leader)
    first = next(e for e in events if e.what == "append")
    # Nobody speaks until a follower has waited for 4 to 9 s since the last heartbeat.
    assert all(e.what == "appended" for e in events if e.n < vote.n)
    assert 2.5 < vote.t - when < 12, vote.t - when
    assert (nobody.leader, nobody.term) == ("", vote.term) and vote.term > term
    assert vote.n < nobody.n < granted.n < first.n < new.n
    assert (first.a, first.term) == (new.leader, new.term) and new.how == "observed"
    assert first.t - granted.t < 3  # milliseconds, but once 1.1 s on a busy machine
    await lab.fleet.servers[old].start()
    await lab.until(lambda: lab.all(Raft, new.n, group=group, what="appended", a=old, ok=True), 30)


def test_a_leader_is_killed_three_times() -> None:
    async def go() -> None:
        async with rafting() as lab:
            group = await lab.stream()
            for i in range(3):
                await lab.publish("S.x", b"%d" % i)
                await killed(lab, group)
            await agree(lab, group)
            assert len({(e.leader, e.term) for e in lab.all(Leader, group=group)}) == 7

    run(go())


@pytest.mark.soak
def test_a_leader_is_killed_twenty_times() -> None:
    async def go() -> None:
        async with rafting() as lab:
            group = await lab.stream()
            for i in range(20):
                await lab.publish("S.x", b"%d" % i)
                await killed(lab, group)
            await agree(lab, group)

    run(go())


@BOTH
def test_a_step_down(wires: bool) -> None:
    async def go() -> None:
        async with rafting(cluster(3, wires=wires)) as lab:
            group = await lab.stream()
            await lab.rest()
            for _ in range(3):
                head, old, when = lab.tape.head, lab.leader(group), lab.tape.now()
                client = await lab.client()
                await client.request("$JS.API.STREAM.LEADER.STEPDOWN.S", timeout=5)
                await lab.until(lambda old=old: lab.leader(group) not in (old, ""), 5)
                events = lab.all(Raft, head, group=group)
                transfer = next(e for e in events if e.ops == ["leader transfer"])
                vote = next(e for e in events if e.what == "vote")
                assert transfer.a == old and transfer.n < vote.n and vote.a != old
                assert vote.t - when < 0.5
                _, new = lab.all(Leader, head, group=group)
                assert new.t - when < 0.5 and new.leader == vote.a
                await agree(lab, group)
            answered(lab.all(Raft))

    run(go())


def test_servers_of_another_version_are_only_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(raft, "known", lambda version: False)

    async def go() -> None:
        async with rafting() as lab:
            group = await lab.stream()
            await lab.until(lambda: lab.leader(group))
            head, old = lab.tape.head, lab.leader(group)
            client = await lab.client()
            await client.request("$JS.API.STREAM.LEADER.STEPDOWN.S", timeout=5)
            await lab.until(lambda: lab.leader(group) not in (old, ""), 5)
            assert lab.raft.by == "monitoring" and lab.all(Raft) == []
            assert {s.data["by"] for s in lab.all(Snap, what="group")} == {"monitoring"}
            new = lab.all(Leader, head, group=group)[-1]
            assert new.how == "inferred" and new.term == 2
            said = [s.data for s in lab.all(Snap, what="raft", place=new.leader) if s.data["group"] == group]
            assert (said[-1]["state"], said[-1]["leader"], said[-1]["term"]) == ("LEADER", new.leader, 2)

    run(go())


def test_what_stays_in_a_held_wire() -> None:
    async def go() -> None:
        async with rafting() as lab:
            group = await lab.stream()
            await lab.rest()
            leader = lab.leader(group)
            link = next(link for pair, link in lab.fleet.links.items() if leader in pair)
            (follower,) = set(link.names) - {leader}
            client = await lab.hub.connect("near", lab.fleet.login("app", leader))
            await link.hold()
            head = lab.tape.head
            await client.jetstream().publish("S.x", b"one")
            await lab.until(lambda: lab.all(Raft, head, group=group, what="append", lost="held"))
            assert lab.all(Raft, head, group=group, what="appended", a=follower) == []
            held = lab.all(Raft, head, group=group, what="append", a=leader, b=follower)
            assert all(e.lost == "held" for e in held)
            other = lab.all(Raft, head, group=group, what="append", a=leader)
            assert any(not e.lost for e in other)
            await link.heal()
            await lab.until(lambda: lab.all(Raft, head, group=group, what="appended", a=follower))
            await agree(lab, group)
            assert len(lab.all(Leader, group=group)) == 1

    run(go())


def test_reports_are_told_when_they_change() -> None:
    async def go() -> None:
        async with rafting() as lab:
            group = await lab.stream()
            await lab.rest()
            head = lab.tape.head
            for _ in range(10):
                await lab.raft.poll()
                await asyncio.sleep(0.1)
            assert lab.all(Snap, head, what="raft") == lab.all(Snap, head, what="group") == []
            leader = lab.leader(group)
            frozen = next(name for name in lab.fleet.servers if name != leader)
            await lab.fleet.servers[frozen].freeze()
            await asyncio.sleep(3.2)
            await lab.raft.poll()
            await lab.fleet.servers[frozen].thaw()
            said = [s.data for s in lab.all(Snap, head, what="raft", place=leader)]
            silent = [data["peers"][frozen]["seen"] for data in said if data["group"] == group]
            assert len(silent) == 1 and 2.5 < silent[0] < 5

            js = await lab.js()
            await js.delete_stream("S")
            await lab.until(lambda: lab.all(Snap, head, what="group"))
            (gone,) = lab.all(Snap, head, what="group")
            assert gone.data == {"group": group, "gone": True}
            assert group not in lab.raft.talk.groups

    run(go())


def test_a_consumer_is_a_group_too() -> None:
    async def go() -> None:
        async with rafting() as lab:
            await lab.stream()
            js = await lab.js()
            sub = await js.pull_subscribe("S.>", "C")
            await lab.publish("S.x", b"one")
            (msg,) = await sub.fetch(1, timeout=5)
            await msg.ack_sync()
            await lab.until(lambda: lab.group("S", "C"))
            group = lab.group("S", "C")
            await lab.rest()
            ops = {op for e in lab.all(Raft, group=group) for op in e.ops}
            assert {"peers", "delivered", "ack"} <= ops
            (snap,) = [s.data for s in lab.all(Snap, what="group") if s.data["group"] == group]
            assert (snap["type"], snap["stream"], snap["consumer"]) == ("consumer", "S", "C")

    run(go())


def test_a_server_that_joins_catches_up() -> None:
    async def go() -> None:
        async with rafting() as lab:
            group = await lab.stream()
            await lab.publish("S.x", b"one")
            new = (await lab.fleet.add()).name
            away = next(n for n in lab.fleet.servers if n not in (new, lab.leader(group)))
            client = await lab.client()
            head = lab.tape.head
            body = json.dumps({"peer": away}).encode()
            await client.request("$JS.API.STREAM.PEER.REMOVE.S", body, timeout=5)
            await lab.until(lambda: lab.all(Raft, head, group=group, what="catchup", b=new))
            gone = {"group": group, "gone": True}
            await lab.until(lambda: lab.all(Snap, head, what="raft", place=away, data=gone))
            await lab.rest()
            peers = [s.data["peers"] for s in lab.all(Snap, what="group") if s.data["group"] == group]
            assert new in peers[-1] and away not in peers[-1]
            missed = next(e for e in lab.all(Raft, head, group=group, what="appended", a=new) if not e.ok)
            catchup = lab.all(Raft, head, group=group, what="catchup", a=lab.leader(group), b=new)
            assert missed.n < catchup[0].n
            answered(lab.all(Raft))

    run(go())


def test_at_speed_every_message_is_counted() -> None:
    """An independent listener on `$NRG.>` counts the same."""

    async def go() -> None:
        async with rafting() as lab:
            group = await lab.stream()
            await lab.rest()
            leader = lab.leader(group)
            heard: list[str] = []

            async def hear(msg: Any) -> None:
                heard.append(msg.subject)

            others = await lab.fleet.system(leader)
            await others.subscribe(f"$NRG.AE.{group}", cb=hear)
            await others.flush()
            await others.flush()
            head = lab.tape.head
            js = await lab.js()
            for _ in range(3):
                await asyncio.gather(*(js.publish("S.x", b"." * 100) for _ in range(500)))
            await lab.rest()
            await others.flush()
            appends = lab.all(Raft, head, group=group, what="append")
            for follower in {e.b for e in appends}:
                ours = [e for e in appends if e.b == follower]
                assert sum(e.count for e in ours) == len(heard)
            answers = lab.all(Raft, head, group=group, what="appended")
            assert sum(e.count for e in answers) == 2 * len(heard)
            assert sum(e.count for e in lab.all(Raft)) == lab.raft.talk.told
            assert lab.raft.talk.unknown == 0
            await agree(lab, group)

    run(go())


async def loaded(watch: bool, wires: bool, seconds: float) -> tuple[Any, ...]:
    """What a learner sees of a cluster under load, and whether anybody lost the lead."""
    async with rafting(cluster(3, wires=wires), watch=watch) as lab:
        js = await lab.js()
        await lab.make("S")
        before = await _terms(lab)
        assert len(before) == 6
        client = await lab.client()
        nobody = 0
        end = asyncio.get_running_loop().time() + seconds
        sent = 0
        while asyncio.get_running_loop().time() < end:
            await asyncio.gather(*(js.publish("S.x", b"%d" % i) for i in range(20)))
            sent += 20
            with pytest.raises(nats.errors.NoRespondersError):
                await client.request("nobody", timeout=5)
            nobody += 1
            await asyncio.sleep(0.02)
        after = await _terms(lab)
        sub = await js.pull_subscribe("S.>", "C")
        fetched = await sub.fetch(50, timeout=5)
        for msg in fetched:
            await msg.ack_sync()
        info = await js.stream_info("S")
        consumer = await js.consumer_info("S", "C")
        assert info.state.messages == sent and nobody
        return (
            before == after,
            [m.data for m in fetched],
            consumer.num_ack_pending,
            sorted(c.name for c in await js.consumers_info("S")),
            [str(e) for e in client.mishaps],
        )


async def _terms(lab: Raftlab) -> dict[str, Any]:
    """Term and leader of each group in every server's own words, when all know them."""
    for _ in range(100):
        told: dict[str, Any] = {}
        for name in lab.fleet.servers:
            for body in ({}, {"account": "A"}):
                for groups in (await lab.fleet.ask(name, "raftz", **body)).values():
                    for group, report in groups.items():
                        if isinstance(report, dict) and "term" in report:
                            told[group.partition("-R3")[0], name] = report["term"], report.get("leader", "")
        if all(leader for _, leader in told.values()):
            break
        await asyncio.sleep(0.1)
    return told


@BOTH
def test_looking_changes_nothing(wires: bool) -> None:
    alone = run(loaded(False, wires, 1.0))
    watched = run(loaded(True, wires, 1.0))
    assert alone == watched
    assert alone[0], "nobody lost the lead"


@pytest.mark.soak
@BOTH
def test_looking_costs_no_election(wires: bool) -> None:
    for watch in (False, True):
        assert run(loaded(watch, wires, 60.0))[0]


def test_who_looks_may_not_speak() -> None:
    """The connections that hear RAFT's messages could not send one."""

    async def go() -> None:
        async with rafting(cluster(3, wires=False)) as lab:
            group = await lab.stream()
            await lab.rest()
            system = await lab.fleet.system("n1")
            head, before = lab.tape.head, lab.raft.talk.groups[group].term
            for _ in range(3):
                await system.publish(f"$NRG.V.{group}", b"\xff" * 24 + b"fjFyEjc1", reply="$NRG.R.x")
            await system.flush()
            await asyncio.sleep(0.3)
            assert lab.all(Raft, head, group=group, what="vote") == []
            assert lab.raft.talk.groups[group].term == before

    run(go())


@pytest.mark.soak
def test_a_quorum_is_lost_and_comes_back() -> None:
    async def go() -> None:
        async with rafting() as lab:
            group = await lab.stream()
            await lab.rest()
            leader = lab.leader(group)
            frozen = [name for name in lab.fleet.servers if name != leader]
            for name in frozen:
                await lab.fleet.servers[name].freeze()
            await lab.until(lambda: lab.all(Quorum, group=group), 40)
            await lab.until(lambda: lab.all(Quorum, group="_meta_"), 40)
            for name in frozen:
                await lab.fleet.servers[name].thaw()
            await lab.until(lambda: len(lab.all(Quorum, group=group)) == 2, 40)
            await lab.until(lambda: len(lab.all(Quorum, group="_meta_")) == 2, 40)
            await asyncio.sleep(5)
            for one in (group, "_meta_"):
                assert [q.lost for q in lab.all(Quorum, group=one)] == [True, False]
            await agree(lab, group)

    run(go())


@pytest.mark.soak
def test_a_leader_that_is_cut_off_is_the_leader_no_more() -> None:
    """It says so itself for a while; who is in the later term is believed, and its quorum is not lost."""

    async def go() -> None:
        async with rafting() as lab:
            group = await lab.stream()
            await lab.publish("S.x", b"one")
            await lab.rest()
            old, head = lab.leader(group), lab.tape.head
            for link in lab.fleet.links.values():
                if old in link.names:
                    await link.cut()
            await lab.until(lambda: lab.leader(group) not in (old, ""))
            await lab.raft.poll()
            said = [s.data for s in lab.all(Snap, what="raft", place=old) if s.data["group"] == group]
            assert said[-1]["state"] == "LEADER" and said[-1]["term"] == 1
            await asyncio.sleep(25)
            nobody, new = lab.all(Leader, head, group=group)
            assert (nobody.leader, nobody.term, new.term) == ("", 2, 2) and new.leader != old
            for link in lab.fleet.links.values():
                if old in link.names:
                    await link.heal()
            await lab.until(lambda: lab.all(Raft, head, group=group, what="catchup", b=old), 40)
            await agree(lab, group)
            assert len(lab.all(Leader, head, group=group)) == 2
            assert lab.all(Quorum, group=group) == []

    run(go())


@pytest.mark.soak
def test_two_clusters_have_one_meta_group() -> None:
    """Its messages cross gateways and routes; each is told once, to whom it is for."""

    async def go() -> None:
        async with rafting(supercluster({"EAST": 3, "WEST": 3})) as lab:
            group = await lab.stream()
            for i in range(5):
                await lab.publish("S.x", b"%d" % i)
            servers = set(lab.fleet.servers)
            await agree(lab, "_meta_", servers)
            (snap,) = [s.data for s in lab.all(Snap, what="group") if s.data["group"] == group]
            await agree(lab, group, set(snap["peers"]))
            await asyncio.sleep(3)
            leader, head = lab.leader("_meta_"), lab.tape.head
            await asyncio.sleep(5)
            for other in servers - {leader}:
                for a, b in ((leader, other), (other, leader)):
                    assert 4 <= len(lab.all(Raft, head, group="_meta_", a=a, b=b)) <= 6
            answered(lab.all(Raft))
            assert all(e.rpc for e in lab.all(Raft, head, what="appended"))
            assert lab.raft.talk.unknown == 0

    run(go())


def test_a_lab_of_three_servers_has_it_on() -> None:
    with Lab.up(servers=3) as lab:
        lab.look()
        events = lab.tape.between(0, lab.tape.head)
        assert any(isinstance(e, Leader) and e.group == "_meta_" for e in events)
        assert any(isinstance(e, Raft) and e.group == "_meta_" for e in events)
        whats = {e.what for e in events if isinstance(e, Snap)}
        assert {"group", "raft"} <= whats


def test_a_lab_of_one_server_has_no_raft() -> None:
    with Lab.up() as lab:
        lab.look()
        events = lab.tape.between(0, lab.tape.head)
        assert not any(isinstance(e, Snap) and e.what in ("group", "raft") for e in events)
