"""Three real servers: what the tape and the views say is what the leaders say, whoever leads."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import Callable, Iterator
from typing import Any

import msgspec
import nats
import pytest

from natslab.lab import Lab
from natslab.loop import run
from natslab.tape.event import Ack, Deliver, Drop, End, Event, Hop, Leader, Pub, Server, Snap, Store
from natslab.views.view import load
from tests.agreeing import agree
from tests.clusters import Group, agrees, ask, attach, events, led, other, remove, soon, told_once

WaitFor = Callable[..., float]

_numbers = itertools.count(1)


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    with Lab.up(servers=3, name="cluster") as up:
        yield up


@pytest.fixture
def go(lab: Lab) -> Iterator[Group]:
    """Runs lines on a stream of its own; every server and wire is whole again afterwards."""
    group = Group(lab, f"CL{next(_numbers)}")
    yield group
    mend(lab)
    remove(lab, group.stream)


def mend(lab: Lab) -> None:
    for server in lab.servers.values():
        if server.state == "down":
            server.start()
        elif server.state == "frozen":
            server.thaw()
    if any(link.state != "open" for link in lab.fleet.links.values()):
        lab.heal()
    lab.do(lab.reconnected())


def answer_some(go: Group, consumer: str = "c") -> None:
    """Two acked, one refused, one terminated, one in somebody's hands."""
    go(f"con next {{S}} {consumer} --count 2 --ack")
    go(f"con next {{S}} {consumer} --nak")
    got = go(f"con next {{S}} {consumer} --count 2 --hold")
    go(f"natslab term {{S}} {consumer} {got.seqs[0]}")


def test_leaders_come_and_go(go: Group) -> None:
    go.make("c", "d")
    go.fill_with(6)
    answer_some(go)
    agrees(go.lab, go.stream, "c", "d")
    moved = go.step_down()
    go.fill_with(6)
    go("con next {S} d --count 3 --ack")
    agrees(go.lab, go.stream, "c", "d")
    led_by = go.step_down("c")
    answer_some(go)
    agrees(go.lab, go.stream, "c", "d")
    told_once(go.lab, go.stream)
    told = [e for e in events(go.lab) if isinstance(e, Snap) and e.place]
    assert [e.place for e in told if e.what == "stream" and e.data["name"] == go.stream][-1] == moved
    names = [e.place for e in told if e.what == "consumer" and e.data.get("name") == "c"]
    assert names[-1] == led_by
    # Each server says what it has; a picture of who takes what counts a stream once.
    assert {e.place for e in told if e.what == "jsz" and e.data["streams"]} == {"n1", "n2", "n3"}
    stream = go.lab.view("routing").state.streams[go.stream]
    assert (stream.messages, sorted(stream.servers)) == (12, ["n1", "n2", "n3"])


def test_an_ack_that_is_lost_on_its_way(go: Group) -> None:
    """It was seen at the client's server, and never came to the leader, which goes on waiting."""
    lab, stream = go.lab, go.stream
    go.make("c", replicas=1)
    go.fill_with(3)
    leader = led(lab, stream, "c")
    here = other(lab, leader)

    async def fetch() -> tuple[nats.NATS, list[Any]]:
        client = await nats.connect(**lab.fleet.login(name=here))
        return client, await (await client.jetstream().pull_subscribe_bind("c", stream=stream)).fetch(2)

    client, got = run(fetch())
    agrees(lab, stream, "c")
    lab.cut(leader, here)
    run(got[0].ack())
    run(client.flush())
    soon(lab, lambda: acked(lab, stream, 1))
    lab.heal()
    agrees(lab, stream, "c")
    assert agree(lab, stream, "c")["num_ack_pending"] == 2
    run(client.close())


def acked(lab: Lab, stream: str, seq: int) -> None:
    assert [e for e in events(lab) if isinstance(e, Ack) and (e.stream, e.seq) == (stream, seq)]


def test_another_leader_tells_what_it_waits_for(go: Group) -> None:
    """Also when that is the same: it may not know of an ack that the old one was sent."""
    go.make("c")
    go.fill_with(3)
    go("con next {S} c --count 3 --hold")
    agrees(go.lab, go.stream, "c")
    led_by = go.step_down("c")

    def told() -> None:
        snaps = [e for e in events(go.lab) if isinstance(e, Snap) and e.what == "pending"]
        mine = [e for e in snaps if e.data["stream"] == go.stream]
        assert mine[-1].place == led_by
        assert [seq for seq, *_ in mine[-1].data["pending"]] == [1, 2, 3]

    soon(go.lab, told)


def test_the_leaders_server_dies(go: Group) -> None:
    go.make("c")
    go.fill_with(5)
    answer_some(go)
    agrees(go.lab, go.stream, "c")
    gone = led(go.lab, go.stream)
    go.lab.server(gone).kill()
    assert f"{gone} is down: this is what the stream held." in go.lab.view("stream", go.stream).describe()
    go.lab.do(go.lab.reconnected())
    assert led(go.lab, go.stream) != gone != led(go.lab, go.stream, "c")
    go.fill_with(5)
    answer_some(go)
    agrees(go.lab, go.stream, "c")
    assert "is down" not in go.lab.view("stream", go.stream).describe()
    go.lab.server(gone).start()
    go.fill_with(2)
    agrees(go.lab, go.stream, "c")
    told_once(go.lab, go.stream)


def test_a_server_is_cut_off(go: Group) -> None:
    """The others go on; what happens on its side is heard there."""
    go.make("c")
    go.fill_with(3)
    leads = led(go.lab, go.stream)
    alone = other(go.lab, leads, led(go.lab, go.stream, "c"))
    attach(go.lab, leads, "tester", "you", "hold")

    async def here() -> Any:
        client = await go.lab.hub.connect("alone", go.lab.fleet.login(name=alone), allow_reconnect=False)
        await client.subscribe("both.>")
        await client.sync()
        return client

    client = run(here())
    try:
        go.lab.isolate(alone)

        async def say() -> str:
            await client.publish("both.sides", b"hello")
            await client.sync()
            return str(client.label)

        label = run(say())
        go.fill_with(3)
        go("con next {S} c --count 2 --ack")
        agrees(go.lab, go.stream, "c")
        (pub,) = [e for e in events(go.lab) if isinstance(e, Pub) and e.client == label]
        way = [(h.place, h.step, h.client) for h in events(go.lab) if isinstance(h, Hop) and h.id == pub.id]
        assert way == [(alone, "in", label), (alone, "egress", label)]
        assert [e.outcome for e in events(go.lab) if isinstance(e, End) and e.id == pub.id] == ["delivered"]
    finally:
        run(client.close())
    go.lab.heal()
    go.fill_with(1)
    agrees(go.lab, go.stream, "c")
    told_once(go.lab, go.stream)


def test_the_newest_of_each_subject(go: Group) -> None:
    """Where it has replicas, the file of such a consumer lacks what is pending of what it began with."""
    go.make()
    go.fill_with(1)
    go.fill_with(1, "b")
    config = {"durable_name": "new", "deliver_policy": "last_per_subject", "ack_policy": "explicit",
              "filter_subject": f"{go.subject}.a"}  # fmt: skip
    ask(go.lab, f"CONSUMER.CREATE.{go.stream}.new", {"stream_name": go.stream, "config": config})
    led(go.lab, go.stream, "new")
    go("con next {S} new --hold")
    agrees(go.lab, go.stream, "new")
    end = time.monotonic() + 0.5  # a file is written within 100 ms
    while time.monotonic() < end:
        assert go.lab.view("acks", go.stream).state.totals(go.stream, "new").flight == 1
        time.sleep(0.05)


@pytest.mark.soak
def test_an_old_leader_that_is_cut_off_speaks_of_itself_only(go: Group) -> None:
    """It misses its quorum after some 20 s (measured), while the others have long had another leader."""
    go.make()
    go.fill_with(3)
    old = led(go.lab, go.stream)
    attach(go.lab, other(go.lab, old), "tester")
    go.lab.isolate(old)
    new = led(go.lab, go.stream)
    assert new != old

    def lost() -> Snap:
        said = [e for e in events(go.lab) if isinstance(e, Snap) and e.what == "advisory"]
        found = [e for e in said if str(e.data["type"]).endswith("stream_quorum_lost")]
        assert found
        return found[-1]

    assert soon(go.lab, lost, 40).place == old
    (told,) = [e for e in go.lab.view("events").state.entries if e.verb in ("quorum lost", "stood down")]
    assert (told.verb, told.places, told.about) == ("stood down", [old], new)


def test_a_stream_with_one_replica_goes_with_its_server(go: Group, wait_for: WaitFor) -> None:
    go.make("c", replicas=1)
    go.fill_with(4)
    answer_some(go)
    agrees(go.lab, go.stream, "c")
    home = led(go.lab, go.stream)
    go.lab.server(home).kill()
    began = time.monotonic()
    go.lab.settle(5)  # nobody can say anything of it: that is not waited for
    assert time.monotonic() - began < 2
    for view in ("stream", "acks"):
        shown = go.lab.view(view, go.stream)
        assert f"{home} is down" in shown.describe(), view
        assert shown.state.streams[go.stream].messages == 4
    go.lab.server(home).start()
    go.lab.do(go.lab.reconnected())
    led(go.lab, go.stream, "c")
    go.fill_with(2)
    go("con next {S} c --count 1 --ack")
    agrees(go.lab, go.stream, "c")
    assert "is down" not in go.lab.view("stream", go.stream).describe()
    gone = [e for e in events(go.lab) if isinstance(e, Snap) and e.data.get("gone")]
    assert [e for e in gone if go.stream in (e.data.get("name"), e.data.get("stream"))] == []
    told_once(go.lab, go.stream)


def test_nobody_leads() -> None:
    """The views say so, of a stream and of its consumers, until somebody does; as the events would come."""
    one = {"name": "S", "config": {"name": "S", "num_replicas": 3}, "state": {"messages": 2, "last_seq": 2}}
    said = [
        *(Server(name=name, state="up") for name in ("n1", "n2", "n3")),
        Snap(what="group", data={"group": "S-R3F-x", "type": "stream", "stream": "S", "consumer": ""}),
        Leader(group="S-R3F-x", leader="n1", term=1),
        Snap(what="stream", place="n1", data=one),
        Snap(what="consumer", place="n1", data={"stream": "S", "name": "c", "config": {}, "num_pending": 2}),
    ]
    views = {name: (load(name), load(name).start(("S",))) for name in ("stream", "acks")}

    def words(*more: Event) -> list[str]:
        for view, state in views.values():
            for event in more:
                view.fold(state, event)
        return [" ".join(view.describe(state)) for view, state in views.values()]

    assert not any("Nobody leads" in text for text in words(*said))
    assert all("Nobody leads S" in text for text in words(Leader(group="S-R3F-x", leader="", term=1)))
    down = words(Leader(group="S-R3F-x", leader="n1", term=1), Server(name="n1", state="down"))
    assert all("n1 is down: this is what" in text for text in down)
    # Another leader says what is so; nobody cares what the first one does.
    now = words(Leader(group="S-R3F-x", leader="n2", term=2), *(e for e in moved(said, "n2")))
    assert not any("down" in text or "Nobody" in text for text in now)


def moved(said: list[Any], place: str) -> list[Any]:
    return [msgspec.structs.replace(e, place=place) for e in said if e.place]


def test_what_leaves_a_stream_leaves_it_once(go: Group) -> None:
    """Acked out of a work queue, deleted and purged, before and after another leader."""
    go.make("c", retention="workqueue")
    go.fill_with(8)
    agrees(go.lab, go.stream, "c")
    go("con next {S} c --count 2 --ack")
    ask(go.lab, f"STREAM.MSG.DELETE.{go.stream}", {"seq": 5})
    agrees(go.lab, go.stream, "c")
    go.step_down()
    go("con next {S} c --count 2 --ack")
    go.fill_with(3, "b")
    ask(go.lab, f"STREAM.PURGE.{go.stream}", {"filter": f"{go.subject}.b", "keep": 1})
    agrees(go.lab, go.stream, "c")

    async def stranger() -> None:
        client = await nats.connect(**go.lab.fleet.login(), name="stranger")
        await client.jetstream(timeout=20).delete_msg(go.stream, 7)
        await client.close()

    run(stranger())  # in a cluster nobody says what it asked for
    agrees(go.lab, go.stream, "c")
    told_once(go.lab, go.stream)
    gone = [e for e in events(go.lab) if isinstance(e, Drop) and e.stream == go.stream]
    told = [(seq, e.why) for e in gone for seq in range(e.seq, max(e.seq, e.last) + 1)]
    acked = [(seq, "acked") for seq in (1, 2, 3, 4)]
    assert sorted(told) == [*acked, (5, "deleted"), (7, "deleted"), (9, "purged"), (10, "purged")]
    assert [e.how for e in gone if e.why != "acked"] == ["observed", "observed", "inferred"]
    audits = [e.data for e in events(go.lab) if isinstance(e, Snap) and "request" in e.data]
    said = [a for a in audits if a["subject"].endswith(go.stream) and ".MSG.DELETE." in a["subject"]]
    assert [(a["client"], a["request"]) for a in said] == [("tester", {"seq": 5}), ("stranger", None)]


def test_a_stream_in_memory(go: Group) -> None:
    """Nothing of it is in a file: what is known comes from clients, acks and counters."""
    go.make("c", storage="memory")
    go.fill_with(4)
    go("con next {S} c --count 2 --ack")
    agrees(go.lab, go.stream, "c")
    go.step_down()
    go.step_down("c")
    go.fill_with(4)
    go("con next {S} c --count 3 --ack")
    agrees(go.lab, go.stream, "c")
    stored = [e.seq for e in events(go.lab) if isinstance(e, Store) and e.stream == go.stream and e.client]
    assert stored == list(range(1, 9))


def test_a_message_on_its_way_through_two_servers(go: Group) -> None:
    lab = go.lab

    async def send() -> None:
        a = await lab.hub.connect("away", lab.fleet.login(name="n1"))
        b = await lab.hub.connect("back", lab.fleet.login(name="n3"))
        await b.subscribe("way.*")
        for _ in range(100):  # until the interest has reached n1
            await b.sync()
            await a.publish("way.1")
            await a.sync()
            lab.hub.flush()
            await lab._traces.settled(1)
            if any(isinstance(e, Hop) and e.place == "n3" and e.client == "back" for e in events(lab)):
                break
        await a.close()
        await b.close()

    run(send())
    id = [e.id for e in events(lab) if isinstance(e, Pub) and e.client == "away"][-1]
    steps = [(h.place, h.step, h.via, h.client) for h in events(lab) if isinstance(h, Hop) and h.id == id]
    assert steps == [
        ("n1", "in", "client", "away"),
        ("n1", "egress", "route", "n3"),
        ("n3", "in", "route", "n1"),
        ("n3", "egress", "client", "back"),
    ]
    assert [e.count for e in events(lab) if isinstance(e, End) and e.id == id] == [1]


def test_a_queue_group_on_every_server(go: Group) -> None:
    lab = go.lab

    async def share() -> int:
        got = 0
        members = []

        async def take(_: Any) -> None:
            nonlocal got
            got += 1

        for name in lab.servers:
            member = await lab.hub.connect(f"{go.subject}-{name}", lab.fleet.login(name=name))
            await member.subscribe(f"{go.subject}.job", queue=go.subject, cb=take)
            members.append(member)
        sender = await lab.hub.connect("sender", lab.fleet.login(name="n1"))
        for member in members:
            await member.sync()
        while got < 3:  # the interest of other servers takes a moment
            await sender.publish(f"{go.subject}.job")
            await sender.sync()
            await lab.hub.sync()
        got = 0
        for _ in range(60):
            await sender.publish(f"{go.subject}.job")
        for _ in range(200):
            await lab.hub.sync()
            if got == 60:
                break
        for one in (*members, sender):
            await one.close()
        return got

    assert run(share()) == 60
    group = soon(lab, lambda: lab.view("queue", go.subject).state.groups[go.subject])
    served = {lane.client: lane.count for lane in group.lanes.values()}
    assert set(served) == {f"{go.subject}-{name}" for name in lab.servers}
    assert sum(served.values()) >= 60 and all(served.values())


def test_buckets_and_mirrors(go: Group) -> None:
    go.make()
    copy = f"{go.stream}COPY"
    ask(go.lab, f"STREAM.CREATE.{copy}", {"name": copy, "num_replicas": 3, "mirror": {"name": go.stream}})
    go("kv add {S} --replicas 3 --history 3")
    go.fill_with(5)
    go("kv put {S} color blue")
    go("kv put {S} color red")
    go.step_down()
    Group(go.lab, copy).step_down()
    Group(go.lab, f"KV_{go.stream}").step_down()
    go.fill_with(5)
    go("kv put {S} color green")
    go("kv put {S} size 9")

    def check() -> None:
        link = next(li for li in go.lab.view("mirrors", copy).state.links if li.copy == copy)
        state = go.lab.view("mirrors", copy).state
        assert (state.streams[copy].messages, state.streams[copy].last, link.lag) == (10, 10, 0)
        bucket = go.lab.view("kv", go.stream).state.buckets[go.stream]
        assert {k: [e.value for e in key.entries] for k, key in bucket.keys.items()} == {
            "color": ["blue", "red", "green"],
            "size": ["9"],
        }
        assert (bucket.messages, bucket.rev, bucket.told) == (4, 4, 2)

    soon(go.lab, check)
    told_once(go.lab, f"KV_{go.stream}")
    told_once(go.lab, copy)
    for name in (copy, f"KV_{go.stream}"):
        remove(go.lab, name)


def test_what_they_say_of_their_connections(lab: Lab, wait_for: WaitFor) -> None:
    def newest(server: str) -> list[str]:
        said = [e for e in events(lab) if isinstance(e, Snap) and (e.what, e.place) == ("routez", server)]
        links = said[-1].data["links"] if said else []
        assert all(link["type"] == "route" and link["in_msgs"] >= 0 <= link["rtt"] < 5 for link in links)
        return [link["to"] for link in links]

    wait_for(lambda: newest("n1") == ["n2", "n3"])
    began = lab.tape.now()
    try:
        lab.cut("n1", "n2")
        wait_for(lambda: newest("n1") == ["n3"] and newest("n2") == ["n3"])
        assert newest("n3") == ["n1", "n2"]
    finally:
        lab.heal()
    wait_for(lambda: newest("n1") == ["n2", "n3"])
    told = [e for e in events(lab) if isinstance(e, Snap) and e.what == "routez" and e.t >= began]
    assert len(told) <= 3 * 2 * (2 + lab.tape.now() - began)  # not more than one a second, and what changed


def test_one_that_does_not_answer_keeps_nobody_waiting(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    ask_it = lab.fleet.ask

    async def slow(server: str, what: str, **body: Any) -> dict[str, Any]:
        if server == "n2":
            await asyncio.sleep(0.9)
        return await ask_it(server, what, **body)

    monkeypatch.setattr(lab.fleet, "ask", slow)
    reports: list[Any] = []
    stop = lab._monitor.read(reports.append)
    try:
        began = time.monotonic()
        run(lab._monitor.poll())
        assert time.monotonic() - began < 0.8
        assert reports
    finally:
        stop()


def test_a_delivery_is_told_where_the_client_is(go: Group) -> None:
    go.make("c")
    go.fill_with(1)
    got = go("con next {S} c --ack")
    assert got.seqs == [1]
    agree(go.lab, go.stream, "c")
    (told,) = [e for e in events(go.lab) if isinstance(e, Deliver) and e.stream == go.stream]
    assert told.place == go.lab.hub.clients[told.client].server


def test_a_server_comes_and_another_goes(go: Group) -> None:
    """The last one here: the lab has other servers afterwards."""
    go.make("c")
    go.fill_with(3)
    agrees(go.lab, go.stream, "c")
    came = go.lab.add().name
    gone = led(go.lab, go.stream)
    attach(go.lab, came, "tester", "you", "hold")
    go.lab.remove(gone, force=True)
    led(go.lab, go.stream, "c")
    go.fill_with(3)
    go("con next {S} c --count 4 --ack")
    agrees(go.lab, go.stream, "c", timeout=30)
    told_once(go.lab, go.stream)
    assert gone not in go.lab.view("stream", go.stream).state.servers
    assert "is down" not in go.lab.view("stream", go.stream).describe()
    heard = {e.place for e in events(go.lab) if isinstance(e, Snap) and e.what == "jsz"}
    assert came in heard
