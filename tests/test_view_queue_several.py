"""The queue view of a group that is spread over several servers."""

from __future__ import annotations

import asyncio

from natslab.lab import Lab
from natslab.tape.event import Conn, Server
from natslab.views import queue
from tests.pictures import check
from tests.queues import Story, bulk, texts

# --- several servers ----------------------------------------------------------------------------


def spread_out(**places: str) -> Story:
    """Members of workers at servers: `w1="EAST-n1"`; a server's cluster is what stands before its dash."""
    story = Story()
    for place in dict.fromkeys(places.values()):
        story.tell(Server(name=place, state="up", cluster=place.partition("-")[0] if "-" in place else ""))
    for client, place in places.items():
        story.tell(Conn(client=client, place=place, no=1))
        story.sub(client, "workers")
    return story


def test_members_on_several_servers_say_where_they_are() -> None:
    story = spread_out(w1="C-n1", w2="C-n2", w3="C-n3")
    story.pub(60)
    scene = check(queue, story.state)
    assert {"at C-n1", "at C-n2", "at C-n3"} <= set(texts(scene))
    assert [row[-1] for row in queue.table(story.state).rows[1:]] == ["at C-n1", "at C-n2", "at C-n3"]
    assert queue.describe(story.state)[1] == "Each message goes to one member, chosen at random."
    assert all(19 < lane.mean < 21 for lane in story.group().lanes.values())


def test_a_fair_draw_is_one_among_the_members_of_one_cluster() -> None:
    story = spread_out(w1="EAST-n1", w2="EAST-n2", w3="WEST-n1")
    story.pub(60, weights={"w3": 0.0})
    means = {name: round(lane.mean, 6) for name, lane in story.group().lanes.items()}
    assert means == {"w1": 30, "w2": 30, "w3": 0}
    assert story.group().fair is True
    assert queue.describe(story.state)[1] == (
        "Members in the publisher's own cluster come first; others get it when there is none."
    )
    check(queue, story.state)
    # In bulk the same.
    story = spread_out(w1="EAST-n1", w2="EAST-n2", w3="WEST-n1")
    bulk(story, {"w1": 500, "w2": 500}, 1.0, 1.1)
    assert [round(lane.mean) for lane in story.group().lanes.values()] == [500, 500, 0]


def test_draws_across_leafnodes_are_not_judged() -> None:
    story = spread_out(w1="hub", w2="hub", w3="edge1")
    story.pub(60, weights={"w1": 2.0, "w3": 0.0})
    assert story.group().fair is None and story.group().apart
    sentence, note = queue.describe(story.state)
    assert sentence.startswith("workers shared 60 messages: ")
    assert note == "Members at the publisher's own server come first; others get it when there is none."
    check(queue, story.state)


def test_a_real_group_across_servers_is_a_fair_draw_and_across_leafnodes_a_near_one() -> None:
    async def go(lab: Lab, rows: list[tuple[str, str]], where: str) -> None:
        for name, place in rows:
            member = await lab.hub.connect(name, lab.fleet.login(name=place))
            await member.subscribe("jobs", queue="workers")
            await member.flush()
        publisher = await lab.hub.connect("shop", lab.fleet.login(name=where))
        await asyncio.sleep(0.5)  # until every server knows of every member
        for _ in range(90):
            await publisher.publish("jobs", b"")
            await asyncio.sleep(0.002)
        await publisher.flush()

    with Lab.up(servers=3) as lab:
        lab.do(go(lab, [("w1", "n1"), ("w2", "n2"), ("w3", "n3")], "n1"))
        state = lab.view("queue").state
        check(queue, state)
        group = state.groups["workers"]
        assert group.total == 90 and group.fair is not False
        assert queue.table(state).rows[1][-1] == "at n1"
    with Lab.leafnodes() as lab:
        lab.do(go(lab, [("w1", "hub"), ("w2", "edge1")], "edge1"))
        state = lab.view("queue").state
        check(queue, state)
        assert state.shares == {"workers": {"w1": 0, "w2": 90}}
        assert state.groups["workers"].fair is None
