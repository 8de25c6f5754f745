"""The routing view, from hand-written events."""

from __future__ import annotations

from xml.etree import ElementTree

import msgspec
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from natslab.tape.event import (
    Conn,
    End,
    Hop,
    Many,
    Pub,
    Recv,
    Store,
    Sub,
)
from natslab.views import routing
from natslab.views.scene import Group, Scene, Text, to_svg, walk
from tests.pictures import keys
from tests.routings import Story, shop, texts, way

# --- what it says -----------------------------------------------------------------------------


def test_nothing_yet_is_a_sentence() -> None:
    assert Story(up=False).words == "There is no server yet. Start one: %natslab up"
    empty = Story()
    assert empty.words.startswith("Nobody subscribes yet, and nothing was published.")
    empty.check()
    empty.sub("audit", "orders.>")
    assert empty.words.startswith("Nothing was published yet: 1 subscription waits.")
    assert empty.state.last is None
    assert empty.state.reached("orders.new") == []
    scene = empty.check()
    assert "none yet" in texts(scene)
    assert not scene.flights


def test_who_got_it_and_why_not() -> None:
    story = shop()
    story.pub("shop", "orders.eu.new")
    chosen = [c for c in story.state.reached("orders.eu.new") if c.startswith("w")]
    assert story.words == (
        f"orders.eu.new reached 3 of 7 subscriptions: audit, billing and one worker, {chosen[0]}."
    )
    assert story.row["eu-desk"][3:] == ["no", "0", "wants paid, got new"]
    assert story.row["us-desk"][3:] == ["no", "0", "wants us, got eu"]
    assert story.row["audit"][3:] == ["yes", "1", ""]
    assert story.row[chosen[0]][3:] == ["chosen", "1", "chosen, 1 of 3"]
    assert story.row["all"] == ["all", "orders.eu.new", "", "3 of 7", "3", ""]
    scene = story.check()
    assert way(scene, "way/node/orders.eu").width == 3
    assert way(scene, "way/node/orders.us").width == 1
    assert way(scene, "way/leaf/orders.>").width == 3
    assert "agrees with the matcher" in " ".join(texts(scene))
    under = [t for m in walk(scene.marks) if isinstance(m, Text) for t, c in m.runs if "under" in c]
    assert sorted(under) == ["paid", "us"]


@pytest.mark.parametrize(
    ("pattern", "subject", "why"),
    [
        ("orders.*", "orders", "wants 2 tokens, got 1"),
        ("orders", "orders.new", "wants 1 token, got 2"),
        ("orders.>", "orders", "wants more after orders"),
        ("orders.*.new", "orders.eu.paid", "wants new, got paid"),
        ("*.b", "a.c", "wants b, got c"),
    ],
)
def test_every_reason(pattern: str, subject: str, why: str) -> None:
    story = Story().sub("a", pattern).sub("b", "zebra")
    story.pub("p", subject)
    assert story.row["a"][5] == why
    story.check()


def test_nobody() -> None:
    story = Story().sub("audit", "payments.>").sub("other", "x")
    story.pub("shop", "orders.new")
    assert story.state.last is not None and story.state.last.outcome == "nobody"
    assert story.words == (
        "orders.new reached none of 2 subscriptions. "
        "Nobody was listening: the message is gone, and nothing told the publisher."
    )
    (flight,) = story.check().flights
    assert flight.end == "lost" and flight.label == "gone"
    alone = Story()
    alone.pub("shop", "orders.new")
    assert alone.words.startswith("orders.new reached nobody: there is no subscription.")
    alone.check()


def test_a_requester_is_told() -> None:
    story = Story()
    story.pub("shop", "orders.new", reply="_INBOX.x.1")
    assert "told the requester so at once" in story.words
    assert "nothing told" not in story.words


def test_a_mapping_declared_and_observed() -> None:
    story = shop()
    story.snap(
        "accountz",
        account_name="A",
        mappings={"orders.old.*": [{"subject": "orders.eu.{{wildcard(1)}}", "weight": 100}]},
    )
    story.pub("shop", "orders.old.new", to="orders.eu.new", stores=("ORDERS",))
    last = story.state.last
    assert last is not None
    assert (last.subject, last.published_as, last.mapped_to) == (
        "orders.eu.new",
        "orders.old.new",
        "orders.eu.new",
    )
    assert last.stored_in == ["ORDERS"]
    assert story.words.endswith(
        "It was published as orders.old.new, mapped on the way in, and a copy is stored in ORDERS."
    )
    scene = story.check()
    card = next(m for m in scene.marks if m.key == "map/orders.old.*")
    assert isinstance(card, Group)
    struck = [t for m in card.marks if isinstance(m, Text) for t, c in m.runs if "strike" in c]
    assert struck == ["old"]
    assert way(scene, "way/store/ORDERS").width == 3


def test_weights_declared_and_observed() -> None:
    # The server reports running totals (measured): 10, 50 and 100 mean 10, 40 and 50 percent.
    story = Story().snap(
        "accountz",
        account_name="A",
        mappings={
            "w.x": [
                {"subject": "w.v2", "weight": 10},
                {"subject": "w.x", "weight": 50},
                {"subject": "w.v1", "weight": 100},
            ]
        },
    )
    story.sub("old", "w.v1").sub("new", "w.v2")
    for i in range(10):
        story.pub("web", "w.x", to="w.v1" if i != 3 else "w.v2")
    said = " ".join(texts(story.check()))
    assert "declared 50 %, seen 90 %" in said
    assert "declared 10 %, seen 10 %" in said
    assert "declared 40 %, seen 0 %" in said
    assert story.state.received == {"old": 9, "new": 1}


def test_lost_in_a_mapping() -> None:
    story = Story().snap("accountz", account_name="A", mappings={"a.b": [{"subject": "a.b", "weight": 50}]})
    story.sub("x", "a.*")
    story.pub("web", "a.b", to="")
    assert story.state.last is not None and story.state.last.outcome == "lost"
    assert story.words.startswith("a.b was lost in a mapping.")
    scene = story.check()
    assert scene.flights[0].label == "lost"
    assert "nowhere: lost" in texts(scene)


def test_refused_in_the_servers_own_words() -> None:
    words = 'Permissions Violation for Publish to "secret.x"'
    story = Story().sub("audit", "orders.>")
    story.pub("shop", "secret.x", refused=words)
    assert story.words == f"The server refused secret.x. In its words: {words}"
    assert story.state.last is not None and story.state.last.outcome == "refused"
    assert any(words in t for t in texts(story.check()))


def test_no_echo_is_no_disagreement() -> None:
    story = Story().sub("chat", "room").sub("other", "room")
    id = story.pub("chat", "room", without="chat", end=False)
    words = "Not delivered because of no echo"
    story.add(Hop(id=id, step="egress", client="chat", sub="room", error=words))
    story.add(End(of="trace", id=id, outcome="delivered", count=1))
    assert story.row["chat"][3:] == ["yes", "0", words]
    assert "Δ" not in story.words
    assert story.state.last is not None and story.state.last.receivers == ["other"]
    story.check()


def test_the_trace_and_the_matcher_differ() -> None:
    story = Story().sub("audit", "orders.>").sub("billing", "orders.*")
    id = story.pub("shop", "orders.new", without="audit", end=False)
    story.add(Hop(id=id, step="egress", client="ghost", sub="payments.*"))
    story.add(End(of="trace", id=id, outcome="delivered", count=2))
    assert "Δ The server's trace and the matcher differ: audit and ghost." in story.words
    assert story.row["audit"][3] == "Δ yes" and story.row["billing"][3] == "yes"
    scene = story.check()
    assert any(e.glyph == "diamond" and e.count == 2 for e in scene.legend)
    assert way(scene, "way/leaf/payments.*").width == 3


def test_a_subscribe_that_a_publish_overtook_is_no_disagreement() -> None:
    story = Story().sub("early", "x")
    story.t += 1
    story.sub("racing", "x").sub("racing", "x", "q")
    story.t -= 0.49  # 10 ms before the message
    story.pub("p", "x", without="racing")
    assert [row[3:] for row in routing.table(story.state).rows if row[0] == "racing"] == [
        ["yes", "0", "subscribed at that moment"],
        ["not chosen", "0", "subscribed at that moment"],
    ]
    assert "Δ" not in story.words
    story.check()


def test_a_stranger_that_is_noticed_after_it_received() -> None:
    story = Story()
    id = story.pub("p", "x", end=False)
    story.add(Conn(client="theirs", no=0)).sub("theirs", "x")
    story.add(Hop(id=id, step="egress", client="theirs", sub="x"))
    story.add(End(of="trace", id=id, outcome="delivered", count=1))
    assert story.words == "x reached 1 of 1 subscription: theirs."
    story.check()


def test_late_and_left() -> None:
    story = Story().sub("once", "orders.>", limit=1).sub("stays", "orders.*")
    story.pub("shop", "orders.new")
    story.unsub("once").sub("late", "orders.>")
    assert story.state.reached("orders.new") == ["once", "stays"]
    assert story.row["late"][3:] == ["no", "0", "joined later"]
    assert story.row["once"][3:] == ["yes", "1", "left since"]
    assert story.words.startswith("orders.new reached 2 of 2 subscriptions")
    story.check()
    story.pub("shop", "orders.new")
    assert story.state.reached("orders.new") == ["late", "stays"]
    assert "once" not in story.row
    assert story.state.received == {"once": 1, "stays": 2, "late": 1}


def test_a_place_taken_again() -> None:
    story = Story().sub("cli", "orders.>")
    story.pub("shop", "orders.new")
    story.unsub("cli").sub("cli", "payments.>")
    assert [s.subject for s in story.state.subscriptions] == ["payments.>"]
    story.check()
    assert story.state.reached("orders.new") == ["cli"]


def test_away_and_back() -> None:
    story = Story().add(Conn(client="a", no=1)).sub("a", "x").sub("b", "x")
    story.add(Conn(client="a", no=1, state="lost"))
    story.pub("p", "x", without="a")
    assert story.words == "x reached 1 of 1 subscription: b."
    story.add(Conn(client="a", no=1, state="open"))
    assert story.row["a"][5] == "was away"
    story.check()
    story.pub("p", "x")
    assert story.state.reached("x") == ["a", "b"]
    story.add(Conn(client="a", no=1, state="closed"))
    assert [s.client for s in story.state.subscriptions] == ["b"]


def test_a_client_with_two_matching_subscriptions() -> None:
    story = Story().sub("a", "x.*").sub("a", "x.>").sub("a", "x.*")
    story.pub("p", "x.y")
    assert story.words == "x.y reached 3 of 3 subscriptions: a several times."
    assert story.state.last is not None and story.state.last.receivers == ["a", "a", "a"]
    assert story.state.received == {"a": 3}
    story.check()


def test_the_machinery_is_left_out_unless_asked_for() -> None:
    story = Story().sub("shop", "_INBOX.abc.*").sub("svc", "orders.new")
    story.pub("shop", "orders.new", reply="_INBOX.abc.1")
    story.pub("svc", "_INBOX.abc.1")
    assert story.state.last is not None and story.state.last.subject == "orders.new"
    assert [s.client for s in story.state.subscriptions] == ["svc"]
    assert story.state.published == 1
    assert "1 inbox is not drawn" in texts(story.check())
    asked = Story("_INBOX.>").sub("shop", "_INBOX.abc.*")
    asked.pub("svc", "_INBOX.abc.1")
    assert asked.state.reached("_INBOX.abc.1") == ["shop"]


def test_of_narrows_to_a_pattern() -> None:
    story = Story("orders.>").sub("a", ">")
    story.pub("p", "orders.new")
    story.pub("p", "payments.new")
    assert [m.subject for m in story.state.messages] == ["orders.new"]
    assert story.state.received == {"a": 2}
    story.check()
    assert "to payments.>" in Story("payments.>").sub("a", ">").words


def test_the_selected_message_is_shown() -> None:
    story = Story().sub("a", "x").sub("b", "y")
    first = story.pub("p", "x")
    story.pub("p", "y")
    assert story.words.startswith("y reached")
    story.state.selection = f"msg/{first}"
    assert story.words == "x reached 1 of 2 subscriptions: a."
    assert f"msg/{first}" in keys(story.check())


def test_a_dry_run_would_reach() -> None:
    story = Story().sub("a", "x")
    story.pub("p", "x", dry=True)
    assert story.words == "x would reach 1 of 1 subscription: a. A dry run: nothing was delivered or stored."
    assert story.state.published == 0 and story.state.received == {"a": 0}
    story.check()
    story.pub("p", "y", dry=True, stores=("S",))
    assert story.words.endswith("Nobody was listening, but a copy would be stored in S.")
    assert story.state.last is not None and story.state.last.stored_in == []
    story.check()


def test_a_trace_of_which_a_part_is_missing() -> None:
    story = Story().sub("a", "x").sub("b", "x")
    story.pub("p", "x", without="b", end=False)
    assert story.state.last is None
    story.t += 5
    story.add(Conn(client="p"))
    assert story.state.last is not None and story.state.last.receivers == ["a"]
    assert "Δ" not in story.words  # what is missing proves nothing
    assert any("is not complete" in t for t in texts(story.check()))


def test_across_accounts() -> None:
    story = Story()
    for client, account in (("p", "A"), ("mine", "A"), ("theirs", "B")):
        story.add(Conn(client=client, no=1, account=account))
    story.sub("mine", "x").sub("theirs", "x")
    story.pub("p", "x", without="theirs")
    assert story.row["theirs"][5] == "is in another account"
    assert "Δ" not in story.words
    id = story.pub("p", "y", end=False)
    story.add(Hop(id=id, step="export", account="B", subject="y", to="from.a.y"))
    assert story.state.last is not None and story.state.last.id == id
    story.check()


# --- what is counted --------------------------------------------------------------------------


def test_bulk_is_counted_not_drawn() -> None:
    story = Story().sub("audit", "orders.>").sub("other", "x")
    story.pub("shop", "orders.new")
    story.t += 2
    for _ in range(4):
        story.many("loader", "orders.new", 2500)
    assert story.words.startswith("10 000 messages to orders.new, counted, not drawn singly.")
    assert story.state.received == {"audit": 10_001, "other": 0}
    assert story.state.published == 10_001
    assert story.row["audit"][3:] == ["yes", "10 001", "+10 000"]
    scene = story.check()
    assert not scene.flights
    assert way(scene, "way/leaf/orders.>").width == 3
    assert any("10 000 published by loader; 10 000 received by audit" in t for t in texts(scene))
    story.t += 2
    story.pub("shop", "orders.new")
    assert story.words.startswith("orders.new reached 1 of 2")


def test_receivers_that_tell_before_the_publisher_are_counted_too() -> None:
    story = Story().sub("audit", "orders.>").many("loader", "orders.new", 500)
    story.t += 5
    for _ in range(42):
        story.add(Recv(id="", client="audit", sid=1, subject="orders.new", pattern="orders.>", t=story.t))
    story.add(Many(client="loader", way="pub", subject="orders.new", count=100, t=story.t + 0.1))
    story.add(Many(client="audit", way="recv", subject="orders.>", sid=1, count=58, t=story.t + 0.1))
    assert story.words.startswith("100 messages to orders.new")
    assert story.row["audit"][4:] == ["600", "+100"]


def test_what_a_stream_stores_is_counted() -> None:
    story = Story().sub("audit", "orders.>").sub("w1", "orders.*", "workers").sub("w2", "orders.*", "workers")
    story.snap("jsz", streams=[{"name": "ORDERS", "subjects": ["orders.>"], "messages": 4, "last_seq": 4}])
    story.t += 2
    story.add(Pub(id="c/1/1", client="shop", subject="orders.new"))
    story.add(Recv(id="", client="audit", sid=1, subject="orders.new"))
    story.add(Recv(id="", client="w2", sid=1, subject="orders.new", queue="workers"))
    story.snap("jsz", streams=[{"name": "ORDERS", "subjects": ["orders.>"], "messages": 5, "last_seq": 5}])
    assert story.words.startswith("orders.new reached 2 of 3 subscriptions: audit and one worker, w2.")
    assert "Stored in ORDERS" in story.words
    scene = story.check()
    assert "msg/ORDERS/5" in keys(scene)
    story.t += 2
    story.add(Pub(id="c/1/2", client="shop", subject="orders.new"))
    story.add(Store(id="c/1/2", client="shop", stream="ORDERS", seq=6))
    assert "Stored in ORDERS" in story.words


def test_a_mirror_takes_nothing_from_a_publisher() -> None:
    """What comes into it is read from it like from any stream, with the subject that was published."""
    story = Story().sub("audit", "x")
    streams = [{"name": "ORDERS", "subjects": ["orders.>"], "messages": 0, "last_seq": 0},
               {"name": "COPY", "messages": 0, "last_seq": 0}]  # fmt: skip
    story.snap("jsz", streams=streams)
    story.add(Many(client="shop", way="pub", subject="orders.new", count=1))
    for stream in ("ORDERS", "COPY"):
        story.add(Store(stream=stream, subject="orders.new", seq=1))
    assert story.state.burst.streams == ["ORDERS"]


def test_strangers_are_counted_by_the_server() -> None:
    story = Story().add(Conn(client="theirs", no=0)).sub("theirs", "x.*")
    story.pub("p", "x.y")
    conn = {"client": "theirs", "subscriptions": [{"sid": "1", "subject": "x.*", "msgs": 12}]}
    story.snap("connz", connections=[conn])
    assert story.state.received["theirs"] == 12
    assert story.row["theirs"][4] == "12"
    story.check()


def test_an_unknown_receiver_becomes_a_row_and_then_itself() -> None:
    story = Story()
    id = story.pub("p", "x", end=False)
    story.add(Hop(id=id, step="egress", client="stranger", sub="x"))
    story.add(End(of="trace", id=id, outcome="delivered", count=1))
    assert story.words == "x reached 1 of 1 subscription: stranger."
    story.check()
    story.add(Sub(client="stranger", sid=4, subject="x"))
    assert [s.key for s in story.state.subscriptions] == ["sub/stranger/4"]
    assert story.words == "x reached 1 of 1 subscription: stranger."


def test_a_hundred_thousand_messages_do_not_grow_the_state() -> None:
    story = shop()
    for _ in range(100):
        story.pub("shop", "orders.eu.new")
    for i in range(250):
        story.sub("short", "orders.eu.new").sub(f"short-{i}", "x").unsub("short").unsub(f"short-{i}")
    for i in range(100):
        story.many("shop", f"orders.{i}", 1)
    before = len(msgspec.msgpack.encode(story.state))
    for _ in range(1_000):
        story.pub("shop", "orders.eu.new")
    for _ in range(250):
        story.sub("short", "orders.eu.new").unsub("short")
    for i in range(1_000):
        story.many("shop", f"orders.{i}", 100)
    assert len(story.state.messages) == 50
    assert len(story.state.subs) <= 7 + 200
    assert len(msgspec.msgpack.encode(story.state)) < before + 10_000
    assert story.state.published == 101_200
    story.check()


# --- how it looks -----------------------------------------------------------------------------


def test_a_row_never_moves_with_the_message() -> None:
    story = shop()
    story.pub("shop", "orders.eu.new")
    places = rows(story.check())
    for subject in ("orders.us.paid", "orders.eu.paid", "nothing.at.all", "orders.x"):
        story.pub("shop", subject)
        assert rows(story.check()) == places


def rows(scene: Scene) -> dict[str, tuple[float, float]]:
    return {m.key: (m.x, m.y) for m in scene.marks if isinstance(m, Group) and m.key.startswith("sub/")}


def test_children_stand_literal_then_star_then_rest() -> None:
    story = Story()
    for pattern in ("a.>", "a.*", "a.c", "a.b", "a"):
        story.sub(pattern, pattern)
    at = rows(story.check())
    order = sorted(at, key=lambda key: at[key][1])
    assert [key.split("/")[1] for key in order] == ["a", "a.b", "a.c", "a.*", "a.>"]


def test_more_rows_than_fit_are_counted() -> None:
    story = Story()
    for i in range(30):
        story.sub(f"c{i:02}", f"x.{i % 15}.>" if i % 2 else f"y.{i}")
    story.sub("busy", "z.>")
    for _ in range(3):
        story.pub("p", "z.a")
    scene = story.check()
    drawn = [key for key in keys(scene) if key in {s.key for s in story.state.subscriptions}]
    assert len(drawn) == 12 and "sub/busy/1" in drawn
    assert any(t.startswith("×19 more") for t in texts(scene))
    assert len(routing.table(story.state).rows) == 32


def test_a_dot_splits_where_the_ways_part() -> None:
    story = Story().sub("a", "x.y").sub("b", "x.*").sub("c", "x.>")
    id = story.pub("p", "x.y")
    flights = story.check().flights
    assert {f.key for f in flights} == {f"fly/{id}/sub/{c}/1" for c in "abc"}
    assert {f.group for f in flights} == {f"msg/{id}"}
    assert len({f.d.split("L")[0] for f in flights}) == 1  # all begin at the publisher
    assert [f.key.split("/")[5] for f in flights] == ["a", "b", "c"]  # in the order of the trace


def test_messages_that_come_together_fly_together() -> None:
    story = Story().sub("a", "x")
    ids = []
    for _ in range(12):
        ids.append(story.pub("p", "x"))
        story.t -= 0.499
    groups = {f.group for f in story.check().flights}
    assert groups == {f"msg/{id}" for id in ids[-8:]}
    at = {(f.x, f.y) for f in routing.draw(story.state).flights}
    assert len(at) == 1  # a still shows one dot at the receiver


def test_hover_lights_the_way_to_the_root() -> None:
    story = shop()
    story.pub("shop", "orders.eu.new")
    scene = story.check()
    billing = next(m for m in scene.marks if m.key == "sub/billing/1")
    assert {"way/node/orders.*.new", "node/orders.*.new", "way/node/orders", "way/leaf/orders.*.new"} <= set(
        billing.light
    )
    known = keys(scene)
    for mark in walk(scene.marks):
        if mark.key.startswith("sub/"):
            assert all(key in known for key in mark.light if key != "way/in"), mark.key


HOSTILE = [
    "<script>alert(1)</script>",
    "a" * 256,
    "שלום עולם",
    "x\u202eevil",
    "tab\tline\nnul\x00",
    "漢字" * 30,
    "e" + "\u0301" * 50,
    "\"quote'&amp;",
    "👩‍👩‍👧‍👦" * 10,
    "%s{0}{{x}}",
]


def test_hostile_text_stays_text() -> None:
    story = Story()
    for i, text in enumerate(HOSTILE):
        story.sub(text, f"{text}.{i}.*", text if i % 2 else "")
    for text in HOSTILE:
        story.pub(text, f"{text}.1.{text}", to=f"{text}.2.{text}" if len(text) < 20 else None)
        svg = to_svg(story.check())
        assert "<script" not in svg
        assert "\u202e" not in "".join(ElementTree.fromstring(svg).itertext())
    story.pub("p", "x", refused=HOSTILE[4])
    story.check()
    routing.dot(story.state).encode("utf-8", "replace")


def test_deep_subjects_fit() -> None:
    deep = "a.building.floor.room.rack.shelf.device.sensor.temperature.celsius.raw.v1"
    story = Story().snap(
        "accountz", account_name="A", mappings={"old.>": [{"subject": "new.>", "weight": 100}]}
    )
    story.sub("deep", deep).sub("rest", "a.building.>").sub("other", deep.replace("temperature", "humidity"))
    story.sub("long", ".".join("abcdefghijklmnopqrstuvwxyz" * 4))
    story.pub("p", deep)
    assert story.state.reached(deep) == ["deep", "rest"]
    story.check()
    story.pub("p", ".".join("abcdefghijklmnopqrstuvwxyz" * 4))
    story.check()


TOKENS = st.sampled_from(["a", "b", "orders", "temperature-sensor-17", "*", "x" * 40])
PATTERNS = st.builds(
    lambda parts, rest: ".".join([*parts, ">"] if rest else parts),
    st.lists(TOKENS, min_size=1, max_size=6),
    st.booleans(),
)
NAMES = st.sampled_from([*(f"client-{i}" for i in range(9)), "a", "a very long name of a client", "w"])


@settings(max_examples=60, deadline=None)
# Two stores and three deliveries after a mapping: little room for each step's words.
@example(
    [("client-0", "*.>", ""), ("client-0", "*.>", ""), ("client-0", "*.a", "")],
    [("client-0", "a", 0), ("client-0", "a", 1)],
)
@given(
    st.lists(st.tuples(NAMES, PATTERNS, st.sampled_from(["", "", "q", "workers", "z" * 50])), max_size=40),
    st.lists(
        st.tuples(NAMES, st.lists(TOKENS, min_size=1, max_size=7).map(".".join), st.integers(0, 5)),
        max_size=8,
    ),
)
def test_any_number_of_subscriptions(
    subs: list[tuple[str, str, str]], pubs: list[tuple[str, str, int]]
) -> None:
    story = Story()
    for client, pattern, queue in subs:
        story.sub(client, pattern, queue)
    for client, subject, what in pubs:
        if what == 0:
            story.many(client, subject, 12_345)
        elif what == 1:
            story.pub(client, subject, to="mapped." + subject, stores=("S", "T"))
        elif what == 2:
            story.pub(client, subject, to="")
        else:
            story.pub(client, subject)
    story.check()
    routing.dot(story.state)
