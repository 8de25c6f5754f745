"""The routing view, from a real server; clients that are the lab's own, and others."""

from __future__ import annotations

import asyncio
from typing import Any

import nats

from natslab.lab import Lab
from natslab.loop import run
from natslab.servers.config import Target
from natslab.tape.event import (
    Conn,
    End,
    Hop,
    Many,
    Pub,
    Recv,
    Server,
    Sub,
)
from natslab.tape.subject import matches
from natslab.views import routing
from natslab.views.routing import State
from natslab.views.scene import walk
from tests.pictures import check
from tests.routings import Story, texts, way
from tests.watching import Watched, watching

# --- from a real server -----------------------------------------------------------------------


async def played(watched: Watched, *of: str) -> Story:
    """The state of the view after everything that the tape has."""
    await watched.settle()
    await watched.monitor.poll()
    story = Story(*of, up=False)
    for event in watched.tape.between(0, watched.tape.head):
        routing.fold(story.state, event)
    return story


def test_a_real_fan_out() -> None:
    async def go() -> Story:
        async with watching() as lab:
            for i in range(5):
                screen = await lab.connect(f"screen-{i}")
                await screen.subscribe("news.sport")
                await screen.sync()
            editor = await lab.connect("editor")
            for _ in range(3):
                await editor.publish("news.sport", b"goal")
            await editor.publish("news.weather", b"rain")
            await editor.sync()
            story = await played(lab)
            late = await lab.connect("late")
            await late.subscribe("news.>")
            await late.sync()
            again = await played(lab)
            assert again.row["late"][5] == "joined later"
            again.check()
            return story

    story = run(go())
    state: State = story.state
    assert state.published == 4
    assert state.received == {f"screen-{i}": 3 for i in range(5)}
    assert state.reached("news.sport") == [f"screen-{i}" for i in range(5)]
    assert state.last is not None
    assert (state.last.subject, state.last.publisher, state.last.outcome) == (
        "news.weather",
        "editor",
        "nobody",
    )
    assert story.words == (
        "news.weather reached none of 5 subscriptions. "
        "Nobody was listening: the message is gone, and nothing told the publisher."
    )
    story.state.selection = f"msg/{state.messages[0].id}"
    assert story.words.startswith("news.sport reached 5 of 5 subscriptions: ")
    assert "Δ" not in story.words
    story.check()


def test_real_wildcards_agree_with_the_matcher() -> None:
    patterns = [
        "orders.eu.paid",
        "orders.us.*",
        "orders.*.new",
        "orders.>",
        ">",
        "*",
        "orders",
        "*.*",
        "*.*.*",
    ]
    subjects = ["orders.eu.new", "orders", "orders.us.paid", "a.b", "x.y.z.w"]

    async def go() -> Story:
        async with watching() as lab:
            for pattern in patterns:
                client = await lab.connect(f"on {pattern}")
                await client.subscribe(pattern)
                await client.sync()
            shop = await lab.connect("shop")
            for subject in subjects:
                await shop.publish(subject, b"")
            return await played(lab)

    story = run(go())
    for subject in subjects:
        assert story.state.reached(subject) == sorted(f"on {p}" for p in patterns if matches(p, subject))
    for message in story.state.messages:
        story.state.selection = f"msg/{message.id}"
        assert "Δ" not in story.words
        story.check()


def test_a_real_queue_group_and_a_request() -> None:
    async def go() -> Story:
        async with watching() as lab:
            for worker in ("w1", "w2", "w3"):
                client = await lab.connect(worker)

                async def answer(msg: Any) -> None:
                    await msg.respond(b"done")

                await client.subscribe("orders.eu.*", "workers", cb=answer)
                await client.sync()
            shop = await lab.connect("shop")
            for _ in range(20):
                await shop.request("orders.eu.new", b"", timeout=2)
            return await played(lab)

    story = run(go())
    assert sum(story.state.received.values()) == 20
    assert set(story.state.received) <= {"w1", "w2", "w3"}
    last = story.state.last
    assert last is not None and last.subject == "orders.eu.new" and len(last.receivers) == 1
    assert story.words == f"orders.eu.new reached 1 of 3 subscriptions: one worker, {last.receivers[0]}."
    assert [row[3] for row in routing.table(story.state).rows].count("not chosen") == 2
    story.check()


def test_a_real_mapping() -> None:
    mappings = {"orders.old.*": "orders.eu.{{wildcard(1)}}", "w.x": (Target("w.v1", 90), Target("w.v2", 10))}

    async def go() -> Story:
        async with watching(mappings=mappings) as lab:
            audit = await lab.connect("audit")
            await audit.subscribe("orders.>")
            await audit.subscribe("w.*")
            await audit.sync()
            shop = await lab.connect("shop")
            for _ in range(30):
                await shop.publish("w.x", b"")
            await shop.publish("orders.old.new", b"")
            await shop.sync()
            return await played(lab)

    story = run(go())
    assert story.words == (
        "orders.eu.new reached 1 of 2 subscriptions: audit. "
        "It was published as orders.old.new, mapped on the way in."
    )
    assert sum(story.state.branches["w.x"].values()) == 30
    assert set(story.state.branches["w.x"]) <= {"w.v1", "w.v2"}
    assert sorted(story.state.rules["A"]["w.x"]) == [("w.v1", 90), ("w.v2", 10)]
    story.check()
    story.state.selection = f"msg/{story.state.messages[0].id}"
    said = " ".join(texts(story.check()))
    assert "declared 90 %" in said and "declared 10 %" in said


def test_a_real_stream() -> None:
    async def go() -> Story:
        async with watching() as lab:
            shop = await lab.connect("shop")
            await shop.jetstream().add_stream(name="ORDERS", subjects=["orders.>"])
            await lab.monitor.poll()
            audit = await lab.connect("audit")
            await audit.subscribe("orders.*")
            await audit.sync()
            await shop.publish("orders.new", b"")
            await shop.sync()
            return await played(lab)

    story = run(go())
    assert story.words.startswith("orders.new reached 1 of 1 subscription: audit. Stored in ORDERS")
    assert story.state.received == {"audit": 1}
    assert way(story.check(), "way/store/ORDERS").width == 3


def test_a_real_bulk() -> None:
    async def go() -> Story:
        async with watching() as lab:
            audit = await lab.connect("audit")
            came, all_there = 0, asyncio.Event()

            async def count(_: Any) -> None:
                nonlocal came
                came += 1
                if came == 10_000:
                    all_there.set()

            await audit.subscribe("orders.>", cb=count)
            await audit.sync()
            loader = await lab.connect("loader")
            await loader.publish_many("orders.new", b"x", 10_000)
            await asyncio.wait_for(all_there.wait(), 10)
            return await played(lab)

    story = run(go())
    assert story.state.published == 10_000
    assert story.state.received == {"audit": 10_000}
    assert story.words.startswith("10 000 messages to orders.new, counted, not drawn singly.")
    story.check()


# --- clients that are not the lab's own ---------------------------------------------------------


def seen(lab: Lab) -> State:
    """What the view of a lab knows, and that it holds together."""
    state = lab.view("routing").state
    assert isinstance(state, State)
    check(routing, state)
    return state


def test_an_outside_responder_that_sends_the_trace_header_back_is_one_receiver() -> None:
    with Lab.up() as lab:

        async def go() -> State:
            web, theirs = await lab.connect("web"), await nats.connect(**lab.login, name="theirs")

            async def answer(message: Any) -> None:
                await message.respond(b"yes")  # nats-py gives its headers back with it

            await theirs.subscribe("svc", cb=answer)
            await theirs.flush()
            await theirs.flush()  # one is no barrier
            await web.request("svc", b"?", timeout=5)
            state = seen(lab)
            for client in (web, theirs):
                await client.close()
            return state

        state = asyncio.run(go())
    assert routing.describe(state)[0] == "svc reached 1 of 1 subscription: theirs."
    assert state.last is not None and state.last.receivers == ["theirs"]


def test_what_a_trace_reached_was_there() -> None:
    story = Story().sub("a", "x")
    id = story.pub("p", "x", end=False)
    for _ in range(2):
        story.add(Hop(id=id, step="egress", client="theirs", sub="x"))
    story.add(End(of="trace", id=id, outcome="delivered", count=3))
    assert story.words.startswith("x reached 3 of 3 subscriptions")
    story.check()


def test_messages_from_outside_are_not_nothing() -> None:
    with Lab.up() as lab:

        async def go() -> State:
            billing, theirs = await lab.connect("billing"), await nats.connect(**lab.login, name="theirs")
            got = asyncio.Event()
            heard: list[Any] = []

            async def hear(message: Any) -> None:
                heard.append(message)
                if len(heard) == 5:
                    got.set()

            await billing.subscribe("orders.*", cb=hear)
            await billing.flush()
            await billing.flush()  # one is no barrier
            for _ in range(5):
                await theirs.publish("orders.new", b"x")
            await theirs.flush()
            await theirs.flush()  # one is no barrier
            await asyncio.wait_for(got.wait(), 5)
            state = seen(lab)
            for client in (billing, theirs):
                await client.close()
            return state

        state = asyncio.run(go())
    sentence, _ = routing.describe(state)
    assert sentence == "5 messages came from clients this lab does not see."
    assert routing.table(state).rows[0] == ["billing", "orders.*", "", "", "5", ""]


def test_bulk_that_is_on_its_way_is_not_said_to_be_from_outside() -> None:
    story = Story().sub("a", "x")
    story.add(Many(client="a", way="recv", subject="x", sid=1, count=500, t=2.0))
    assert story.words.startswith("500 messages came, and no client of this lab said yet that it sent them.")
    story.check()
    story.add(Server(name="n1", state="up", t=4.0))
    assert story.words.startswith("500 messages came from clients this lab does not see.")
    story.check()
    story.sub("b", "x").add(Recv(id="", client="b", sid=1, subject="x"))
    assert story.words.startswith("501 copies of messages came from clients this lab does not see.")
    story.check()


def test_whether_an_outside_client_got_what_was_not_traced_is_not_known() -> None:
    with Lab.up() as lab:

        async def go() -> State:
            web, theirs = await lab.connect("web"), await nats.connect(**lab.login, name="theirs")
            await theirs.subscribe("big")
            await theirs.flush()
            await theirs.flush()  # one is no barrier
            await web.publish("big", b"x" * web.max_payload)  # no room for the trace header
            await web.flush()
            await web.flush()  # one is no barrier
            state = seen(lab)
            for client in (web, theirs):
                await client.close()
            return state

        state = asyncio.run(go())
    sentence, note = routing.describe(state)
    assert sentence == "big was not traced, and it is not known who got it."
    assert note.startswith("It is not known whether theirs got it.") and "No client" not in note
    row, total = routing.table(state).rows
    assert row[:4] == ["theirs", "big", "", "not known"] and row[5] == "not a client of this lab"
    assert total[3] == "not known"


def test_of_what_was_not_traced_only_the_labs_own_receivers_are_sure() -> None:
    story = Story().sub("own", "x")
    story.add(Conn(client="theirs", no=0)).add(Sub(client="theirs", sid=1, subject="x", source="monitor"))
    story.add(Pub(id="", client="p", subject="x")).add(Recv(id="", client="own", sid=1, subject="x"))
    assert story.words.startswith("x reached at least 1 of 2 subscriptions: own.")
    assert story.row["theirs"][3] == "not known" and story.row["own"][3] == "yes"
    story.check()
    # One message goes to one member of a group.
    story = Story().sub("own", "x", queue="q")
    story.add(Sub(client="theirs", sid=1, subject="x", queue="q", source="monitor"))
    story.add(Pub(id="", client="p", subject="x")).add(
        Recv(id="", client="own", sid=1, subject="x", queue="q")
    )
    assert story.words.startswith("x reached 1 of 2 subscriptions: own of q.")
    assert story.row["theirs"][3] == "not chosen"
    story.check()


def test_a_narrowed_view_is_about_its_own_publishers_only() -> None:
    state = routing.start(("board.>",))
    for client, subject in (("talker", "order.test"), ("you", "board.traffic")):
        event = Pub(id=f"c/{client}/1", client=client, subject=subject, traced=True, t=1.0)
        routing.fold(state, event)
    assert state.speakers == ["you"]
    drawn = {m.key for m in walk(routing.draw(state).marks)}
    assert "pub/you" in drawn
    assert not any("talker" in key for key in drawn)
