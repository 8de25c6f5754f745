"""The mirrors view: who copies whom, how far each copy is, what it keeps that is gone upstream."""

from __future__ import annotations

import asyncio
import contextlib
import math
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from nats.js.api import ExternalStream, StreamConfig, StreamSource, SubjectTransform
from nats.js.errors import BadRequestError

from natslab.lab import Lab
from natslab.tape import event as events
from natslab.tape.event import Drop, Event, Server, Snap, Store
from natslab.views import mirrors
from natslab.views.mirrors import Link, State, behind, reached, spared
from natslab.views.mirrors.state import BOUNCES, MISSING, RECENT, STREAMS, loops
from natslab.views.player import Player
from natslab.views.scene import Rect, Scene, Text, to_svg, walk
from tests.pictures import check


class Story:
    """Events about streams as a lab would put them on its tape, a millisecond apart."""

    def __init__(self, of: tuple[str, ...] = ()) -> None:
        self.state = mirrors.start(of)
        self.t = 0.0
        self.tell(Server(name="n1", state="up"))

    def tell(self, event: Event) -> None:
        self.t += 0.001
        event.t = self.t
        mirrors.fold(self.state, event)

    def snap(
        self, name: str, first: int = 1, last: int = 0, messages: int | None = None, **more: Any
    ) -> None:
        """`mirror` and `sources` as the configuration has them, `lag` and `error` as the server reports."""
        config: dict[str, Any] = {"subjects": [f"{name.lower()}.>"]}
        data: dict[str, Any] = {"name": name, "config": config}
        said = {"lag": more.get("lag", 0)}
        if more.get("error"):
            said["error"] = {"description": more["error"]}
        if "mirror" in more:
            config["mirror"], data["mirror"] = more["mirror"], {**more["mirror"], **said}
            del config["subjects"]
        if "sources" in more:
            config["sources"] = more["sources"]
            # The server lists them in any order.
            data["sources"] = [{**one, **said} for one in reversed(more["sources"])]
        count = last - first + 1 if messages is None else messages
        data["state"] = {"first_seq": first, "last_seq": last, "messages": max(0, count)}
        self.tell(Snap(what="stream", data=data, place=more.get("place", "")))

    def store(self, stream: str, seq: int, subject: str = "", source: str = "", count: int = 1) -> None:
        headers = [("Nats-Stream-Source", source)] if source else []
        self.tell(Store(stream=stream, seq=seq, subject=subject, headers=headers, count=count))

    def link(self, copy: str, index: int = 0) -> Link:
        return self.state.streams[copy].links[index]


def texts(scene: Scene) -> list[str]:
    return ["".join(t for t, _ in m.runs) for m in walk(scene.marks) if isinstance(m, Text)]


def mirrored(last: int = 6, copied: int = 6) -> Story:
    story = Story()
    story.snap("ORDERS", last=last)
    story.snap("COPY", last=copied, mirror={"name": "ORDERS"}, lag=last - copied)
    return story


# --- mirrors ----------------------------------------------------------------------------------


def test_a_mirror_that_is_caught_up_stands_under_its_origin() -> None:
    story = mirrored()
    scene = check(mirrors, story.state)
    at = {m.key: m.x for m in walk(scene.marks) if m.key.startswith("msg/")}  # type: ignore[union-attr]
    assert at["msg/ORDERS/4"] == at["msg/ORDERS/4@COPY"]
    assert mirrors.describe(story.state) == (
        "COPY mirrors ORDERS and is caught up: 6 messages.",
        "A mirror keeps the sequence numbers and takes no writes of its own.",
    )


def test_lag_is_a_gap_with_its_number() -> None:
    story = mirrored(last=9, copied=6)
    link = story.link("COPY")
    assert (behind(story.state, link), reached(story.state, link), link.peak) == (3, 6, 3)
    scene = check(mirrors, story.state)
    lacking = [m.key for m in walk(scene.marks) if m.state.get("what") == "lag"]
    assert lacking == [f"msg/ORDERS/{n}@COPY" for n in (7, 8, 9)]
    assert "3 behind" in texts(scene)
    assert mirrors.describe(story.state)[0] == "COPY is 3 messages behind ORDERS."

    big = mirrored(last=5000, copied=1200)
    scene = check(mirrors, big.state)
    (gap,) = [m for m in walk(scene.marks) if m.key == "link/ORDERS>COPY/gap"]
    (bar,) = [m for m in walk(scene.marks) if m.key == "origin/ORDERS/bar"]
    assert isinstance(gap, Rect) and isinstance(bar, Rect)
    assert gap.x + gap.w == pytest.approx(bar.x + bar.w, abs=0.1)
    assert gap.w / bar.w == pytest.approx(3800 / 5000, abs=0.01)
    assert "3800" in texts(scene)


def test_deletes_and_purges_upstream_stay_in_the_copy() -> None:
    story = mirrored()
    story.tell(Drop(stream="ORDERS", seq=3, why="deleted"))
    story.snap("ORDERS", last=6, messages=5)
    assert spared(story.state, story.link("COPY")) == 1
    scene = check(mirrors, story.state)
    assert [m.key for m in walk(scene.marks) if m.state.get("what") == "spared"] == ["msg/ORDERS/3@COPY"]
    assert {"deleted", "1 gone upstream"} <= set(texts(scene))
    assert mirrors.describe(story.state)[0] == "COPY still has 1 message that ORDERS has no more."
    assert "no backup" in mirrors.describe(story.state)[1]
    story.tell(Drop(stream="ORDERS", seq=1, last=6, count=5, why="purged"))
    story.snap("ORDERS", first=7, last=6)
    assert spared(story.state, story.link("COPY")) == 6
    scene = check(mirrors, story.state)
    assert "purged" in texts(scene)


def test_a_long_purged_origin_shows_what_the_copy_keeps() -> None:
    story = mirrored(last=3000, copied=3000)
    story.snap("ORDERS", first=2001, last=3000)
    scene = check(mirrors, story.state)
    (kept,) = [m for m in walk(scene.marks) if m.key == "link/ORDERS>COPY/spared"]
    assert isinstance(kept, Rect)
    assert "2000 gone upstream" in texts(scene)


def test_a_write_that_was_meant_for_a_mirror_bounces() -> None:
    story = mirrored()
    headers = [("Nats-Expected-Stream", "COPY")]
    story.tell(Store(stream="", subject="orders.new", client="shop", headers=headers, code=10060,
                     error="expected stream does not match"))  # fmt: skip
    (bounce,) = story.state.bounces
    assert (bounce.stream, bounce.code, bounce.client, story.state.bounced) == ("COPY", 10060, "shop", 1)
    scene = check(mirrors, story.state)
    assert "write refused, 10060" in texts(scene)
    assert "shop tried to write into COPY: refused, 10060." in mirrors.describe(story.state)[1]
    story.tell(Store(stream="", subject="orders.new", code=10071, error="wrong last sequence: 7"))
    assert len(story.state.bounces) == 1  # not meant for a copy


def test_a_promoted_mirror_stays_as_what_it_was() -> None:
    story = mirrored()
    story.snap("COPY", last=6)
    link = story.link("COPY")
    assert (link.cut < math.inf, story.state.streams["COPY"].mirror) == (True, False)
    story.store("COPY", 7, "copy.own")
    assert mirrors.describe(story.state)[0] == "COPY is a stream of its own: it no longer copies ORDERS."
    scene = check(mirrors, story.state)
    assert {"copies no more", "was a mirror"} <= set(texts(scene))
    assert not any(m.key == "msg/ORDERS/7@COPY" for m in walk(scene.marks))


def test_a_mirror_of_nothing_says_so_in_the_servers_words_and_recovers() -> None:
    story = Story()
    story.snap("COPY", last=0, mirror={"name": "LATER"}, error="stream not found")
    assert mirrors.describe(story.state) == (
        "COPY cannot copy LATER: stream not found.",
        "It goes on by itself when the origin is there.",
    )
    scene = check(mirrors, story.state)
    assert {"stream not found", "there is no such stream here"} <= set(texts(scene))
    assert any(m.key == "link/LATER>COPY/cross" for m in walk(scene.marks))
    story.snap("LATER", last=2)
    story.snap("COPY", last=2, mirror={"name": "LATER"})
    assert mirrors.describe(story.state)[0] == "COPY mirrors LATER and is caught up: 2 messages."


def test_an_origin_that_is_deleted_leaves_its_copies() -> None:
    story = mirrored()
    story.tell(Snap(what="stream", data={"name": "ORDERS", "gone": True}))
    assert mirrors.describe(story.state)[0] == "COPY cannot copy ORDERS: it was deleted."
    assert "deleted" in texts(check(mirrors, story.state))
    story.tell(Snap(what="stream", data={"name": "COPY", "gone": True}))
    assert not story.state.links


# --- sources ----------------------------------------------------------------------------------

EU = {"name": "ORDERS", "subject_transforms": [{"src": "orders.eu.*", "dest": "eu.{{wildcard(1)}}"}]}


def test_a_filtered_source_gives_its_own_numbers() -> None:
    story = Story()
    story.snap("ORDERS", last=0)
    story.snap("EU", last=0, sources=[EU])
    for n in range(1, 7):
        story.store("ORDERS", n, f"orders.{'eu' if n % 2 else 'us'}.new")
    for own, n in enumerate((1, 3, 5), 1):
        story.store(
            "EU", own, "eu.new", source=f"ORDERS {n} orders.eu.* eu.{{{{wildcard(1)}}}} orders.eu.new x"
        )
    story.snap("ORDERS", last=6)
    story.snap("EU", last=3, sources=[EU])
    link = story.link("EU")
    assert (link.pairs, link.carried, link.takes("orders.us.new")) == ([(1, 1), (3, 2), (5, 3)], 3, False)
    assert (behind(story.state, link), reached(story.state, link)) == (0, 6)
    scene = check(mirrors, story.state)
    found = {m.key: m.state.get("what") for m in walk(scene.marks) if m.key.endswith("@EU")}
    assert found == {f"msg/ORDERS/{n}@EU": "here" if n % 2 else "filtered" for n in range(1, 7)}
    assert "orders.eu.* → eu.{{wildcard(1)}}" in texts(scene)
    assert "says where it came from" in mirrors.describe(story.state)[1]


def braided() -> Story:
    story = Story()
    sources = [{"name": "EU"}, {"name": "US", "filter_subject": "us.a"}]
    for name in ("EU", "US"):
        story.snap(name, last=0)
    story.snap("ALL", last=0, sources=sources)
    for n in range(1, 6):
        story.store("EU", n, "eu.a")
        story.store("US", n, "us.a")
        story.store("ALL", 2 * n - 1, "eu.a", source=f"EU {n} > > eu.a x")
        story.store("ALL", 2 * n, "us.a", source=f"US {n} us.a > us.a x")
    for name in ("EU", "US"):
        story.snap(name, last=5)
    story.snap("ALL", last=10, sources=sources)
    return story


def test_two_sources_make_a_braid_with_counts() -> None:
    story = braided()
    assert [(li.origin, li.carried) for li in story.state.links] == [("EU", 5), ("US", 5)]
    scene = check(mirrors, story.state)
    rows = {m.key: m.y for m in walk(scene.marks) if m.key.startswith("braid/ALL/msg/") and m.state}  # type: ignore[union-attr]
    assert len(rows) == 10 and len(set(rows.values())) == 2
    assert any(m.key == "braid/ALL/thread" for m in walk(scene.marks))
    table = mirrors.table(story.state)
    assert [row[4] for row, key in zip(table.rows, table.keys, strict=True) if key.startswith("braid/")] == [
        "5",
        "5",
    ]
    story.store("ALL", 11, "all.own")
    story.store("ALL", 511, count=500)
    assert "1 message written here, 500 messages came in a rush: only counted" in texts(
        check(mirrors, story.state)
    )


def test_a_source_is_told_from_another_of_the_same_origin_by_its_filter() -> None:
    story = Story()
    sources = [{"name": "ORDERS", "filter_subject": f"orders.{at}"} for at in ("eu", "us")]
    story.snap("ORDERS", last=2)
    story.snap("ALL", last=0, sources=sources)
    story.store("ALL", 1, "orders.us", source="ORDERS 1 orders.us > orders.us x")
    assert [li.carried for li in story.state.links] == [0, 1]
    check(mirrors, story.state)


def test_streams_that_copy_each_other_are_a_loop() -> None:
    story = Story()
    story.snap("A", last=3, sources=[{"name": "B", "filter_subject": "b.>"}])
    story.snap("B", last=3, sources=[{"name": "A", "filter_subject": "a.>"}])
    assert loops(story.state) == {("A", "B"), ("B", "A")}
    assert "a loop: both ways" in texts(check(mirrors, story.state))
    assert "going round" in mirrors.describe(story.state)[1]


# --- what the copy's server cannot know ----------------------------------------------------------

EDGE1 = {"name": "EDGE", "external": {"api": "$JS.edge1.API"}}


def far(published: int = 5) -> Story:
    """A hub's source of a leafnode's stream: one message came, the wire is cut, and more are published."""
    story = Story()
    for name in ("hub", "edge1", "edge2"):
        story.tell(Server(name=name, state="up", domain=name))
    for name in ("edge1", "edge2"):
        story.tell(events.Link(a=name, b="hub", type="leafnode", connected=True))
    story.snap("EDGE", last=1, place="edge1")
    story.store("EDGE", 1, "sensors.a")
    story.snap("ALL", last=1, sources=[EDGE1], place="hub")
    story.store("ALL", 1, "sensors.a", source="EDGE:abcdefgh 1 > > sensors.a")
    story.tell(events.Link(a="edge1", b="hub", type="leafnode", state="cut"))
    for seq in range(2, 2 + published):
        story.store("EDGE", seq, "sensors.a")
    story.snap("EDGE", last=1 + published, place="edge1")
    return story


def test_a_copy_whose_wire_is_cut_is_behind_although_its_server_says_lag_0() -> None:
    story = far()
    link = story.link("ALL")
    assert (link.lag, behind(story.state, link), reached(story.state, link)) == (0, 5, 1)
    assert mirrors.describe(story.state) == (
        "ALL has 1 of the 6 messages of EDGE: the wire between edge1 and hub is cut.",
        "hub still reports lag 0: it cannot know what came into EDGE. It goes on by itself when it can.",
    )
    scene = check(mirrors, story.state)
    assert {"5 behind, cut off", "hub says lag 0"} <= set(texts(scene))
    assert any(m.key == "link/EDGE>ALL/cross" for m in walk(scene.marks))
    assert [m.key for m in walk(scene.marks) if m.state.get("what") == "lag"] == [
        f"msg/EDGE/{n}@ALL" for n in range(2, 7)
    ]
    story.tell(events.Link(a="edge1", b="hub", type="leafnode", state="open", connected=True))
    assert mirrors.describe(story.state)[0] == "ALL is 5 messages behind EDGE."
    for seq in range(2, 7):
        story.store("ALL", seq, "sensors.a", source=f"EDGE:abcdefgh {seq} > > sensors.a")
    assert mirrors.describe(story.state)[0] == "ALL takes from EDGE and is caught up: 6 messages."


def test_what_came_before_the_first_report_of_a_copy_counts() -> None:
    story = far()
    late = Story()
    late.tell(Server(name="hub", state="up", domain="hub"))
    late.tell(Server(name="edge1", state="up", domain="edge1"))
    late.store("ALL", 1, "sensors.a", source="EDGE:abcdefgh 1 > > sensors.a")
    late.snap("ALL", last=1, sources=[EDGE1], place="hub")
    late.snap("EDGE", last=6, place="edge1")
    assert behind(late.state, late.link("ALL")) == behind(story.state, story.link("ALL")) == 5
    assert late.link("ALL").carried == 1
    check(mirrors, late.state)


def test_a_copy_that_is_cut_off_and_came_in_a_rush_is_not_said_to_be_caught_up() -> None:
    story = far()
    story.store("ALL", 3000, count=2999)
    story.store("EDGE", 4000, count=3994)
    assert mirrors.describe(story.state)[0] == (
        "ALL gets nothing of EDGE now: the wire between edge1 and hub is cut."
    )
    scene = check(mirrors, story.state)
    assert "cut off" in texts(scene) and reached(story.state, story.link("ALL")) == 3000


def test_why_a_copy_gets_nothing() -> None:
    story = far(0)
    said = "ALL has all of EDGE and gets nothing now:"
    assert mirrors.describe(story.state)[0] == f"{said} the wire between edge1 and hub is cut."
    assert "lag" not in mirrors.describe(story.state)[1]
    story.tell(events.Link(a="edge1", b="hub", type="leafnode", state="held"))
    assert mirrors.describe(story.state)[0] == f"{said} the wire between edge1 and hub is held."
    story.tell(events.Link(a="edge1", b="hub", type="leafnode", state="open"))
    story.tell(Server(name="edge1", state="down"))
    assert mirrors.describe(story.state)[0] == f"{said} edge1 is down."
    check(mirrors, story.state)


def test_a_wire_on_the_way_counts_and_another_one_does_not() -> None:
    story = far()
    story.tell(events.Link(a="edge1", b="hub", type="leafnode", state="open"))
    story.tell(events.Link(a="edge2", b="hub", type="leafnode", state="cut"))
    assert mirrors.describe(story.state)[0] == "ALL is 5 messages behind EDGE."
    story.snap("ALL", last=1, sources=[EDGE1], place="edge2")
    assert mirrors.describe(story.state)[0] == (
        "ALL has 1 of the 6 messages of EDGE: the wire between edge2 and hub is cut."
    )
    check(mirrors, story.state)


def test_between_servers_of_a_cluster_nobody_relays() -> None:
    story = mirrored(last=4, copied=4)
    for name in ("n2", "n3"):
        story.tell(Server(name=name, state="up", cluster="C1"))
    for a, b in (("n1", "n2"), ("n1", "n3"), ("n2", "n3")):
        story.tell(events.Link(a=a, b=b, connected=True))
    story.snap("ORDERS", last=4, place="n1")
    story.snap("COPY", last=4, mirror={"name": "ORDERS"}, place="n3")
    assert "caught up" in mirrors.describe(story.state)[0]
    story.tell(events.Link(a="n1", b="n3", state="cut"))
    assert "the wire between n1 and n3 is cut" in mirrors.describe(story.state)[0]
    check(mirrors, story.state)


def test_a_stream_of_that_name_in_another_domain_is_not_the_origin() -> None:
    story = far()
    story.tell(Server(name="edge1", state="up", domain="elsewhere"))
    assert behind(story.state, story.link("ALL")) == 0
    check(mirrors, story.state)


def test_a_row_says_which_number_stands_in_it() -> None:
    told = texts(check(mirrors, braided().state))
    assert "a column is one message, with the number that it has in the stream of its row" in told
    assert "sequence numbers of the origin, for all its copies" not in told
    assert "sequence numbers of the origin, for all its copies" in texts(check(mirrors, mirrored().state))


# --- pictures ---------------------------------------------------------------------------------


def hostile() -> Story:
    story = Story()
    story.snap("<b>&amp;" * 12, last=5)
    transforms = [{"src": "я" * 80, "dest": "\u202e" + "x" * 90}]
    story.snap("שלום" * 15, last=2, sources=[{"name": "<b>&amp;" * 12, "subject_transforms": transforms}])
    story.snap("e\u0301" * 30, last=2, mirror={"name": "<script>"}, error="e" * 300 + "<&>")
    return story


def crowd() -> Story:
    story = Story()
    for i in range(9):
        story.snap(f"O{i}", last=i * 40)
        for j in range(9):
            story.snap(f"C{i}{j}", last=i * 30, mirror={"name": f"O{i}"}, lag=i * 10)
    return story


def chain() -> Story:
    story = Story()
    story.snap("A", last=1_000_005, first=1_000_000)
    story.snap("B", last=1_000_004, first=1_000_000, mirror={"name": "A"}, lag=1)
    story.snap("C", last=1_000_003, first=1_000_000, mirror={"name": "B"}, lag=1)
    return story


def outside() -> Story:
    story = Story()
    story.snap("HUB", last=7, sources=[{"name": "EDGE", "external": {"api": "$JS.LEAF.API"}}])
    return story


def emptied() -> Story:
    story = mirrored()
    story.snap("ORDERS", first=7, last=6, messages=0)
    story.snap("COPY", first=7, last=6, messages=0, mirror={"name": "ORDERS"})
    return story


PICTURES: dict[str, Callable[[], Story]] = {
    "mirrored": mirrored,
    "braided": braided,
    "hostile": hostile,
    "crowd": crowd,
    "chain": chain,
    "outside": outside,
    "emptied": emptied,
    "far": far,
}


@pytest.mark.parametrize("name", PICTURES)
def test_the_picture_holds(name: str) -> None:
    story = PICTURES[name]()
    for later in (0, 3):
        story.state.now += later
        scene = check(mirrors, story.state)
        assert scene.sentence
        assert len(to_svg(scene)) < 200_000
    mirrors.dot(story.state)


def test_nothing_there_says_what_to_do_next() -> None:
    story = Story()
    assert mirrors.describe(story.state) == (
        "There is no stream yet, so nothing is copied.",
        "Make one: %js stream add ORDERS --subjects orders.>",
    )
    check(mirrors, story.state)
    story.snap("EVENTS", last=2)
    assert mirrors.describe(story.state)[1] == "Make a copy: %js stream add COPY --mirror EVENTS"
    assert mirrors.describe(mirrors.start(("X",)))[0] == "Nothing copies or is copied by X."
    story.tell(Server(name="n1", state="down"))
    assert mirrors.describe(story.state)[0] == "No server is up."


def test_a_narrowed_view_shows_what_the_stream_reads_and_who_reads_it() -> None:
    story = chain()
    story.state.of = ("C",)
    assert [(li.copy, li.origin) for li in story.state.links] == [("C", "B")]
    check(mirrors, story.state)


def test_legend_counts_the_marks() -> None:
    story = mirrored(last=5, copied=3)
    story.tell(Drop(stream="ORDERS", seq=2, why="deleted"))
    story.snap("ORDERS", last=5, messages=4)
    counts = {item.word: item.count for item in check(mirrors, story.state).legend}
    assert counts == {"message": 6, "gone upstream, kept here": 1, "gone, or not copied yet": 3}


def test_what_came_through_just_now_travels_once() -> None:
    story = mirrored()
    assert [f.key for f in mirrors.draw(story.state).flights] == ["fly/ORDERS>COPY/6"]
    story.state.now += 5
    assert not mirrors.draw(story.state).flights


def test_buttons_are_lines_a_person_would_type() -> None:
    assert [a.line for a in mirrors.draw(mirrored().state).controls] == [
        "nats pub orders.new --jetstream --count 1",
        "nats pub orders.new --jetstream --count 100",
        "nats stream rmm ORDERS 6 -f",
        "nats stream purge ORDERS -f",
    ]


def test_as_a_graph() -> None:
    graph = mirrors.dot(braided().state)
    assert '"EU" -> "ALL" [label="caught up", style=bold];' in graph
    assert '"US" -> "ALL" [label="caught up, only us.a", style=bold];' in graph


def test_state_stays_small() -> None:
    story = mirrored()
    for i in range(STREAMS + 50):
        story.snap(f"S{i}", last=1)
    for i in range(3000):
        story.store("ORDERS", 7 + i, "orders.x")
        story.tell(Drop(stream="ORDERS", seq=7 + i, why="deleted"))
        story.tell(Store(stream="COPY", code=10060, error="no"))
    streams = story.state.streams
    assert len(streams) <= STREAMS and len(streams["ORDERS"].missing) <= MISSING
    assert len(streams["ORDERS"].recent) <= RECENT and len(story.state.bounces) <= BOUNCES
    assert story.state.bounced == 3000


@given(st.lists(st.tuples(st.integers(0, 6), st.integers(0, 2), st.integers(0, 30)), max_size=40))
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_any_story_leaves_a_picture(steps: list[tuple[int, int, int]]) -> None:
    story = Story()
    names = ["ORDERS", "COPY", "ALL"]
    made: list[dict[str, Any]] = [
        {},
        {"mirror": {"name": "ORDERS"}},
        {"sources": [{"name": "ORDERS"}, {"name": "COPY", "filter_subject": "a"}]},
    ]
    for what, which, number in steps:
        name = names[which]
        match what:
            case 0 | 1:
                story.snap(name, first=min(number, 5), last=number, lag=number % 4, **made[which])
            case 2:
                story.store(name, number, "a" if number % 2 else "b")
            case 3:
                story.store("ALL", number, "a", source=f"ORDERS {number} > > a x")
            case 4:
                story.tell(Drop(stream=name, seq=max(1, number), last=number + which, why="deleted"))
            case 5:
                story.tell(Snap(what="stream", data={"name": name, "gone": True}))
            case _:
                story.snap(name, last=number)
    check(mirrors, story.state)


# --- real streams -----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    with Lab.up(servers=1) as up:
        yield up


def until(lab: Lab, of: str, holds: Callable[[State], object], timeout: float = 10.0) -> State:
    """The state of the view once `holds`, checked as a picture."""
    ends = time.monotonic() + timeout
    while True:
        lab.settle()
        state = lab.view("mirrors", *filter(None, (of,))).state
        with contextlib.suppress(KeyError, IndexError):
            if holds(state):
                check(mirrors, state)
                return state  # type: ignore[no-any-return]
        assert time.monotonic() < ends, f"not within {timeout} s: {mirrors.table(state).text()}"
        time.sleep(0.02)


async def jetstream(lab: Lab) -> Any:
    return (await lab.client("shop")).jetstream()


def test_a_real_source_that_is_cut_off_is_behind_by_what_its_origin_holds() -> None:
    # Before the first test with the lab of this module: there is one lab at a time.
    with Lab.leafnodes(edges=("edge1",)) as lab:

        async def sensor() -> Any:
            return (await lab.connect("sensor", servers=[lab.server("edge1").url])).jetstream()

        async def clerk() -> Any:
            return (await lab.connect("clerk", servers=[lab.server("hub").url])).jetstream()

        js, hub = lab.do(sensor()), lab.do(clerk())
        lab.do(js.add_stream(name="EDGE", subjects=["sensors.>"]))
        lab.do(js.publish("sensors.a", b"1"))
        edge = StreamSource(name="EDGE", external=ExternalStream(api="$JS.edge1.API"))
        lab.do(hub.add_stream(StreamConfig(name="ALL", sources=[edge])))
        until(lab, "ALL", lambda s: s.links[0].carried == 1 and behind(s, s.links[0]) == 0)
        lab.cut("edge1", "hub")
        for i in range(5):
            lab.do(js.publish("sensors.a", b"%d" % i))
        state = until(lab, "ALL", lambda s: behind(s, s.links[0]) == 5)
        said = lab.do(hub.stream_info("ALL")).sources
        assert [source.lag for source in said] == [0], "its server cannot know better"
        assert mirrors.describe(state) == (
            "ALL has 1 of the 6 messages of EDGE: the wire between edge1 and hub is cut.",
            "hub still reports lag 0: it cannot know what came into EDGE. It goes on by itself when it can.",
        )
        lab.heal()
        state = until(lab, "ALL", lambda s: s.streams["ALL"].messages == 6 and not behind(s, s.links[0]), 30)
        assert mirrors.describe(state)[0] == "ALL takes from EDGE and is caught up: 6 messages."


def test_real_sources_of_one_name_in_two_domains_are_two() -> None:
    edges = ("edge1", "edge2")
    with Lab.leafnodes(edges=edges) as lab:

        async def at(server: str) -> Any:
            return (await lab.connect(f"at {server}", servers=[lab.server(server).url])).jetstream()

        hub = lab.do(at("hub"))
        sources = [
            StreamSource(name="EDGE", external=ExternalStream(api=f"$JS.{edge}.API")) for edge in edges
        ]
        lab.do(hub.add_stream(StreamConfig(name="ALL", sources=sources)))
        for edge, count in zip(edges, (2, 3), strict=True):
            js = lab.do(at(edge))
            lab.do(js.add_stream(name="EDGE", subjects=[f"{edge}.>"]))
            for i in range(count):
                lab.do(js.publish(f"{edge}.new", b"%d" % i))
        state = until(lab, "", lambda s: [li.carried for li in s.links] == [2, 3], 30)
        assert [state.streams[li.origin].place for li in state.links] == list(edges)
        assert [[a for a, _ in li.pairs] for li in state.links] == [[1, 2], [1, 2, 3]]
        assert sorted(li.origin.partition("@")[0] for li in state.links) == ["EDGE", "EDGE"]


def test_a_real_mirror_survives_deletes_refuses_writes_and_is_promoted(lab: Lab) -> None:
    async def begin() -> None:
        js = await jetstream(lab)
        await js.add_stream(name="BASE", subjects=["base.>"])
        await js.add_stream(StreamConfig(name="MIRROR", mirror=StreamSource(name="BASE")))
        for i in range(6):
            await js.publish("base.new", b"%d" % i)

    async def remove() -> None:
        js = await jetstream(lab)
        await js.delete_msg("BASE", 3)
        with pytest.raises(BadRequestError):
            await js.publish("base.new", b"", stream="MIRROR")

    async def promote() -> None:
        js = await jetstream(lab)
        await js.update_stream(StreamConfig(name="MIRROR", subjects=["mine.>"]))
        await js.publish("mine.new", b"")

    lab.do(begin())
    state = until(lab, "MIRROR", lambda s: s.streams["MIRROR"].messages == 6)
    assert behind(state, state.links[0]) == 0
    lab.do(remove())
    state = until(lab, "MIRROR", lambda s: spared(s, s.links[0]) == 1 and 3 in s.streams["BASE"].missing)
    assert (state.streams["BASE"].missing[3], state.streams["MIRROR"].has(3)) == ("deleted", True)
    assert [(b.stream, b.code, b.client) for b in state.bounces] == [("MIRROR", 10060, "shop")]
    lab.do(promote())
    state = until(lab, "MIRROR", lambda s: s.links[0].cut < math.inf and s.streams["MIRROR"].last == 7)
    assert mirrors.describe(state)[0] == "MIRROR is a stream of its own: it no longer copies BASE."


def test_real_sources_with_filter_and_transform_make_a_braid(lab: Lab) -> None:
    async def go() -> None:
        js = await jetstream(lab)
        for name in ("EAST", "WEST"):
            await js.add_stream(name=name, subjects=[f"{name.lower()}.*"])
        west = StreamSource(name="WEST", subject_transforms=[SubjectTransform("west.new", "all.west")])
        await js.add_stream(StreamConfig(name="BOTH", sources=[StreamSource(name="EAST"), west]))
        for i in range(4):
            await js.publish("east.new", b"%d" % i)
            await js.publish(f"west.{'new' if i % 2 else 'old'}", b"%d" % i)

    lab.do(go())
    state = until(lab, "BOTH", lambda s: [li.carried for li in s.links] == [4, 2])
    east, west = state.links
    assert [a for a, _ in east.pairs] == [1, 2, 3, 4]
    assert [a for a, _ in west.pairs] == [2, 4]
    assert sorted(b for li in state.links for _, b in li.pairs) == [1, 2, 3, 4, 5, 6]
    assert west.transforms == [("west.new", "all.west")]


def test_real_lag_while_the_origin_is_written_at_speed_ends_at_nothing(lab: Lab) -> None:
    async def go() -> None:
        client = await lab.client("shop")
        js = client.jetstream()
        await js.add_stream(name="FAST", subjects=["fast.>"])
        await js.add_stream(StreamConfig(name="SLOW", mirror=StreamSource(name="FAST")))
        for _ in range(5):
            for _ in range(1000):
                await client.publish("fast.x", b"x" * 64)
            await asyncio.sleep(0)

    lab.do(go())
    state = until(lab, "SLOW", lambda s: s.streams["SLOW"].messages == s.streams["FAST"].messages == 5000)
    assert (behind(state, state.links[0]), spared(state, state.links[0])) == (0, 0)
    player = Player(lab.tape, "mirrors", ("SLOW",))
    for n in range(0, lab.tape.head, 7):
        seen = player.at(n)
        for link in seen.links:
            # Reports come late, but never tell of what cannot be.
            assert 0 <= behind(seen, link) <= 5000 and spared(seen, link) == 0
            check(mirrors, seen)


def test_a_real_mirror_of_a_stream_that_is_not_there(lab: Lab) -> None:
    async def begin() -> None:
        await (await jetstream(lab)).add_stream(StreamConfig(name="EARLY", mirror=StreamSource(name="LATER")))

    lab.do(begin())
    state = until(lab, "EARLY", lambda s: s.links[0].error)
    assert mirrors.describe(state)[0] == "EARLY cannot copy LATER: stream not found."
