"""The queue view, from hand-written events."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from natslab.tape.event import Conn, Drop, Event, Hop, Many, Pub, Recv, Server, Sub
from natslab.views import queue
from natslab.views.queue import Group, Lane, State
from natslab.views.queue.state import BRICKS, CLIENTS, LANES, RECENT
from natslab.views.scene import Rect, to_svg, walk
from tests.pictures import assert_legible, check, keyed
from tests.queues import Story, bulk, died, members, texts

# --- what happened ---------------------------------------------------------------------------


def test_a_member_that_dies_keeps_its_lane_and_its_lost_message() -> None:
    story = died()
    group = story.group()
    assert group.members == {"w1": 17, "w2": 12, "w3": 6, "w4": 13}
    assert story.state.shares == {"workers": group.members}
    assert group.total == 48 and group.lost == [23] and story.state.plain == {"audit": 48}
    mean, sigma = group.expected["w1"]
    assert mean == pytest.approx(24 / 4 + 24 / 3)
    assert sigma == pytest.approx(math.sqrt(24 * 3 / 16 + 24 * 2 / 9))
    third = group.expected["w3"]
    assert third[0] == pytest.approx(6) and third[1] == pytest.approx(math.sqrt(24 * 3 / 16))
    assert group.alive == ["w1", "w2", "w4"] and group.fair is True
    assert queue.describe(story.state) == (
        "workers shared 48 messages by chance: 17, 12, 6 and 13. That is a fair draw.",
        "w3 died after message 24. Message 23 was on its way to it and is lost: core NATS never sends again.",
    )
    rows = {row[1]: row for row in queue.table(story.state).rows}
    assert rows["w1"][2:5] == ["17", "", "14 ± 6"]
    assert rows["w3"][2:] == ["6", "23", "6 ± 4", "died after message 24"]

    scene = check(queue, story.state)
    marks = keyed(scene)
    lost = marks["msg/c/1/23@w3/workers"]
    assert "dead" in lost.marks[0].classes and lost.light == ["msg/c/1/23@audit/"]
    assert "strike" in marks["lane/workers/w3/name"].runs[0][1] and "lane/workers/w3/port/gone" in marks
    assert "strike" not in marks["lane/workers/w1/name"].runs[0][1]
    assert marks["way/workers/w3"].dash and not marks["way/workers/w1"].dash
    band, first = marks["band/workers/w1"], marks["msg/c/1/3@w1/workers"]
    assert (band.x - first.x) / 22 == pytest.approx(mean - 2 * sigma, abs=0.01)
    assert band.w / 22 == pytest.approx(4 * sigma, abs=0.01)
    assert {"expected 14 ± 6", "6 ± 4", "lost"} <= set(texts(scene))
    assert "w6" in marks["tick/audit/23"].runs[0][1], "the copy of the lost message is marked"
    assert [(item.word, item.count) for item in scene.legend[:2]] == [("delivered", 95), ("lost", 1)]


def test_bricks_are_numbered_in_order_of_publishing() -> None:
    story = died()
    scene = queue.draw(story.state)
    lane: list[Any] = [m for m in scene.marks if m.key.endswith("@w1/workers")]
    numbers = [m.state["message"] for m in lane]
    assert numbers == sorted(numbers) == [b.n for b in story.group().lanes["w1"].bricks]
    assert [m.x for m in lane] == sorted(m.x for m in lane) and len({m.x for m in lane}) == 17
    assert [m.marks[1].runs[0][0] for m in lane] == [str(n) for n in numbers]


def test_bricks_that_arrive_out_of_order_stand_in_order() -> None:
    story = members("w1")
    for name in ("c/1/1", "c/2/1", "c/1/2"):
        story.tell(Pub(id=name, client="web", subject="orders.new"))
    for name in ("c/1/2", "c/1/1", "c/2/1"):
        story.tell(Recv(id=name, client="w1", sid=1, subject="orders.new", queue="workers"))
    assert [b.n for b in story.group().lanes["w1"].bricks] == [1, 2, 3]


def test_late_news_takes_a_loss_back_and_a_late_trace_finds_one() -> None:
    story = members("w1", "w2")
    a = story.pub(to="w1", arrives=False)
    assert story.group().lost == [], "on its way is not lost"
    assert [b.state for b in story.group().lanes["w1"].bricks] == ["way"]
    story.close("w1")
    assert story.group().lost == [1] and story.group().losses == 1
    story.tell(Recv(id=a, client="w1", sid=1, subject="orders.new", pattern="orders.new", queue="workers"))
    assert story.group().lost == [] and story.group().members == {"w1": 1, "w2": 0}
    # The report of a trace may come after the report that the connection is gone.
    story.messages += 1
    story.tell(Pub(id="c/1/2", client="web", subject="orders.new"))
    story.tell(Hop(id="c/1/2", step="egress", client="w1", sub="orders.new", queue="workers"))
    assert story.group().lost == [2]
    check(queue, story.state)


def test_the_trace_alone_tells_of_members_that_are_not_the_labs() -> None:
    story = members("w1")
    story.tell(Pub(id="c/1/1", client="web", subject="orders.new", traced=True))
    story.tell(Hop(id="c/1/1", step="egress", client="terminal", sub="orders.*", queue="workers"))
    lane = story.group().lanes["terminal"]
    assert lane.foreign and lane.bricks[0].state == "here", "nobody else would tell of its arrival"
    story.tell(Conn(client="other", no=0))
    story.tell(Sub(client="other", sid=3, subject="orders.new", queue="workers"))
    story.tell(Pub(id="c/1/2", client="web", subject="orders.new", traced=True))
    story.tell(Hop(id="c/1/2", step="egress", client="other", sub="orders.new", queue="workers"))
    assert story.group().lanes["other"].bricks[0].state == "here"
    story.tell(Conn(client="other", no=0, state="closed"))
    assert story.group().losses == 0 and story.group().alive == ["w1", "terminal"]
    check(queue, story.state)


def test_a_wrong_name_is_a_second_group() -> None:
    story = members("w1", "w2")
    story.sub("w3", "worker")
    story.pub(24)
    assert story.group().total == 24 and story.group("worker").members == {"w3": 24}
    assert story.state.twice == 24
    assert story.words() == (
        "Two groups, workers and worker: every message was handled twice. "
        "workers and worker differ in one letter: another name is another group."
    )
    scene = check(queue, story.state)
    assert {"hull/workers", "hull/worker"} <= keyed(scene).keys()
    story.close("w3")
    story.pub(6)
    assert "some messages were handled more than once" in story.words()


def test_names_that_only_count_up_are_no_typo() -> None:
    story = Story()
    story.sub("a", "group1")
    story.sub("b", "group2")
    story.pub(5)
    assert "differ" not in story.words() and "handled twice" in story.words()


def test_groups_of_different_subjects_share_different_messages() -> None:
    story = members("e1", "e2", group="email", subject="emails.*")
    story.sub("b1", "billing", "bills.*")
    story.pub(12, subject="emails.welcome")
    story.pub(9, client="shop", subject="bills.new")
    assert (story.group("email").total, story.group("billing").total, story.state.twice) == (12, 9, 0)
    assert queue.describe(story.state)[0] == "Two groups, email and billing: they shared 12 and 9 messages."
    marks = keyed(check(queue, story.state))
    assert "way/web>email" in marks and "way/shop>billing" in marks
    assert "way/web>billing" not in marks, "web never published for billing"


def test_members_of_one_group_with_different_patterns() -> None:
    """A message goes to one of those that match: w2 cannot get orders.us.* and need not."""
    story = members("w1", subject="orders.>")
    story.sub("w2", "workers", "orders.eu.*")
    story.pub(10, subject="orders.us.new")
    story.pub(10, subject="orders.eu.new")
    expected = story.group().expected
    assert expected["w1"][0] == pytest.approx(15) and expected["w2"][0] == pytest.approx(5)


def test_three_subscriptions_of_one_client_are_three_members() -> None:
    story = members("w1", "w1", "w1")
    story.pub(30)
    group = story.group()
    assert list(group.members) == ["w1", "w1·2", "w1·3"] and group.total == 30
    assert all(group.members.values())
    story.unsub("w1", 2)
    assert group.alive == ["w1", "w1·3"]
    story.sub("w1", "workers")
    assert group.alive == ["w1", "w1·2", "w1·3"], "back in its own lane"


def test_a_subscription_that_gets_a_limit_is_still_the_same_member() -> None:
    story = members("w1")
    story.tell(Sub(client="w1", sid=1, subject="orders.new", queue="workers", limit=5))
    assert list(story.group().lanes) == ["w1"]


def test_a_connection_that_comes_back_goes_on_in_its_lane() -> None:
    story = members("w1", "w2")
    story.pub(4)
    subs = list(story.subs)
    story.close("w1", "lost")
    assert story.group().alive == ["w2"]
    story.pub(3)
    story.tell(Conn(client="w1", no=1))
    story.subs = subs
    assert story.group().alive == ["w1", "w2"] and story.group().members["w2"] >= 3
    story.pub(2)
    assert story.group().total == 9


def test_an_empty_group_and_what_came_meanwhile() -> None:
    story = members("w1")
    story.pub(5)
    story.close("w1")
    story.pub(3)
    story.sub("w2", "workers")
    story.pub(4)
    group = story.group()
    assert group.missed == 3 and group.members == {"w1": 5, "w2": 4}
    assert story.words() == (
        "workers handled 9 messages, one member at a time: 5 and 4. "
        "3 messages came while workers was empty: nobody got them. w1 left after message 5."
    )
    check(queue, story.state)


def test_a_handler_that_is_too_slow() -> None:
    story = members("w1", "w2")
    story.pub(4)
    story.pub(to="w2")
    story.tell(Drop(client="w2", why="slow consumer"))
    assert story.group().lost == [5] and story.group().lanes["w2"].slow
    assert "w2 was too slow: message 5 was thrown away unread." in story.words()
    check(queue, story.state)


def test_dry_runs_machinery_and_strange_messages_are_not_counted() -> None:
    story = members("w1", "w2")
    story.tell(Pub(id="c/1/1", client="web", subject="orders.new", dry=True))
    story.tell(Hop(id="c/1/1", step="egress", client="w1", sub="orders.new", queue="workers"))
    story.tell(Pub(id="c/1/2", client="web", subject="_INBOX.x"))
    story.tell(Pub(id="c/1/3", client="web", subject="other"))
    story.tell(Hop(id="c/9/9", step="egress", client="w1", sub="orders.new", queue="workers"))
    assert story.group().total == 0 and story.group().issued == 0 and not story.state.publishers
    # Without an identity the order is unknown, the count is not.
    story.tell(Recv(id="", client="w1", sid=1, subject="orders.new", pattern="orders.new", queue="workers"))
    assert story.group().total == 1 and story.group().lanes["w1"].bricks[0].n == 0
    assert "numbered" not in " ".join(texts(check(queue, story.state)))


def test_of_narrows_by_group_or_subject() -> None:
    for of, names in [
        (("email",), ["email"]),
        (("bills.new",), ["billing"]),
        (("bills.*",), ["billing"]),
        ((), ["email", "billing"]),
    ]:
        story = Story(of=of)
        story.sub("e1", "email", "emails.*")
        story.sub("b1", "billing", "bills.*")
        assert list(story.state.groups) == names, of
    story = Story(of=("nothing",))
    story.sub("e1", "email", "emails.*")
    assert queue.describe(story.state)[0] == "No queue group yet for nothing."
    check(queue, story.state)


def test_nothing_yet_is_a_sentence() -> None:
    story = Story()
    assert queue.describe(story.state)[0] == "No queue group yet: nobody subscribes with a queue name."
    check(queue, story.state)
    story.tell(Server(name="n1", state="down"))
    assert queue.describe(story.state)[0] == "No server is up."
    story.tell(Server(name="n1", state="up"))
    story.sub("w1", "workers")
    assert queue.describe(story.state)[0] == "workers has 1 member and no message yet."
    story.sub("w2", "workers")
    assert queue.describe(story.state)[0] == "workers has 2 members and no message yet."
    story.pub(to="w2")
    assert queue.describe(story.state)[0] == "workers shared 1 message: w2 got it."
    check(queue, story.state)


# --- bulk ------------------------------------------------------------------------------------


def test_bulk_counts_are_exact_and_judged() -> None:
    story = members("w1", "w2", "w3")
    story.sub("audit")
    story.tell(Many(client="bench", way="pub", subject="orders.new", count=30_000, since=0.0), 3.0)
    bulk(story, {"w1": 9_903, "w2": 10_170, "w3": 9_927}, 0.0, 3.0)
    story.tell(Many(client="audit", way="recv", subject="orders.new", sid=1, count=30_000, since=0.0), 3.0)
    group = story.group()
    assert group.members == {"w1": 9_903, "w2": 10_170, "w3": 9_927} and group.total == 30_000
    assert story.state.plain == {"audit": 30_000} and group.issued == 30_000
    assert sum(mean for mean, _ in group.expected.values()) == pytest.approx(30_000)
    mean, sigma = group.expected["w1"]
    assert mean == pytest.approx(10_000) and sigma == pytest.approx(math.sqrt(30_000 * 2 / 9))
    assert group.fair is True
    assert story.words() == (
        "workers shared 30 000 messages by chance: 9903, 10 170 and 9927. That is a fair draw. "
        "Counted in bulk: who got which message is not known."
    )
    marks = keyed(check(queue, story.state))
    bars = [marks[f"bar/lane/workers/{name}"] for name in ("w1", "w2", "w3")]
    assert [bar.state["messages"] for bar in bars] == [9_903, 10_170, 9_927]
    assert bars[1].w > bars[2].w > bars[0].w
    bulk(story, {"w1": 6_000}, 3.0, 4.0)
    assert group.fair is False and "unlikely to be chance" in story.words()


def test_bulk_while_a_member_dies_is_shared_by_time() -> None:
    story = members("w1", "w2", "w3")
    story.close("w3")
    story.group().lanes["w3"].closed = 10.5
    bulk(story, {"w1": 900, "w2": 900, "w3": 600}, 10.0, 11.0)
    expected = {name: mean for name, (mean, _) in story.group().expected.items()}
    assert sum(expected.values()) == pytest.approx(2_400)
    assert expected["w1"] == pytest.approx(expected["w2"])
    # Half of what w1 and w2 got was shared by three, and all that w3 got.
    assert expected["w3"] == pytest.approx((450 + 450 + 600) / 3)


def test_bulk_that_never_arrived_is_told_when_it_must_have() -> None:
    story = members("w1", "w2")
    story.tell(Many(client="bench", way="pub", subject="orders.new", count=1_000, since=0.0), 1.0)
    bulk(story, {"w1": 500, "w2": 480}, 0.0, 1.0)
    assert "reached no member" not in story.words()
    story.state.now = 5.0
    assert "20 messages of 1000 reached no member." in story.words()
    check(queue, story.state)


# --- chance ----------------------------------------------------------------------------------


def test_p_is_the_chance_of_a_draw_as_uneven() -> None:
    """Against tabulated 5 % and 0.1 % points of chi-square."""
    points = {2: (3.841, 10.828), 3: (5.991, 13.816), 4: (7.815, 16.266), 8: (14.067, 24.322)}
    for k, (five, thousandth) in points.items():
        for chi2, p in ((five, 0.05), (thousandth, 0.001)):
            n = 400.0
            off = math.sqrt(chi2 * n / 2)
            counts = [n + off, n - off] + [n] * (k - 2)
            lanes = {str(i): Lane(label=str(i), client=str(i), mean=n, var=n * (1 - 1 / k)) for i in range(k)}
            for lane, count in zip(lanes.values(), counts, strict=True):
                lane.count = count  # type: ignore[assignment]  # not whole, to hit the point
            group = Group(name="g", lanes=lanes)
            assert group.chi2 == pytest.approx(chi2)
            assert group.p == pytest.approx(p, rel=0.2), (k, p)


def test_the_band_holds_what_it_promises() -> None:
    """19 of 20 fair draws end inside two sigma, also for members that come and go; few look unfair."""
    inside = total = uneven = unfair = 0
    runs = 250
    for seed in range(runs):
        story = members("w1", "w2", "w3", "w4", seed=seed)
        story.pub(60)
        story.close("w3")
        story.pub(40)
        story.sub("w5", "workers")
        story.pub(60)
        group = story.group()
        for name, (mean, sigma) in group.expected.items():
            total += 1
            inside += abs(group.members[name] - mean) <= 2 * sigma
        assert sum(mean for mean, _ in group.expected.values()) == pytest.approx(group.total) == 160
        assert group.p is not None
        uneven += group.p < 0.05
        unfair += group.fair is False
    assert 0.93 < inside / total < 0.98, inside / total
    assert 0.01 < uneven / runs < 0.10, uneven / runs
    assert unfair <= 2


def test_a_loaded_die_is_called_one() -> None:
    story = members("w1", "w2", "w3")
    story.pub(200, weights={"w1": 3.0})
    assert story.group().fair is False
    sentence, note = queue.describe(story.state)
    assert sentence.endswith("That is unlikely to be chance.") and note.startswith("χ² is ")
    check(queue, story.state)


def test_round_robin_is_not_called_unfair_and_few_are_not_judged() -> None:
    story = members("w1", "w2", "w3")
    for i in range(6):
        story.pub(to=f"w{i % 3 + 1}")
    assert story.group().fair is None and story.words().startswith(
        "workers shared 6 messages by chance: 2, 2 and 2. Too few to judge."
    )
    for i in range(54):
        story.pub(to=f"w{i % 3 + 1}")
    assert story.group().fair is True


def test_a_rare_draw_is_told_with_its_rarity() -> None:
    story = members("w1", "w2")
    for i in range(100):
        story.pub(to="w1" if i < 62 else "w2")
    sentence, note = queue.describe(story.state)
    assert sentence.endswith("Lopsided, but chance does that.")
    assert note.startswith("About one fair draw in 64 is as uneven."), note
    check(queue, story.state)


# --- the picture -----------------------------------------------------------------------------


def crowd(k: int, n: int) -> Story:
    story = members(*(f"w{i + 1}" for i in range(k)))
    story.pub(n)
    return story


def long_names() -> Story:
    story = members("w1", "w2")
    for i in range(5):
        story.pub(client=f"shop-{i}-of-the-eastern-region", subject="orders.new")
    story.sub("a-very-long-member-name-indeed", "workers")
    for i in range(8):
        story.sub(f"a-plain-subscriber-called-{i}", subject="orders.>")
    story.pub(20)
    return story


def hostile() -> Story:
    story = Story()
    group = "wor\x00kers<b>&\"'"
    story.sub("<script>alert(1)</script>\n\u202eevil", group, "orders.>")
    story.sub("日本語の名前はとても長いです", group, "orders.>")
    story.sub("", "משלוחים", "orders.>")
    story.sub("]]>", subject="orders.*")
    story.pub(30, client="]]>&\"'\\", subject="orders.<b>")
    return story


STORIES: dict[str, Callable[[], Story]] = {
    "died": died,
    "idle": lambda: members("w1", "w2", "w3"),
    "few": lambda: crowd(3, 6),
    "slim": lambda: crowd(4, 160),
    "bars": lambda: crowd(4, 1_500),
    "twelve": lambda: crowd(12, 100),
    "tight": lambda: crowd(18, 600),
    "crowd": lambda: crowd(70, 900),
    "long": long_names,
    "hostile": hostile,
}


@pytest.mark.parametrize("name", STORIES)
def test_the_picture_holds(name: str) -> None:
    story = STORIES[name]()
    scene = check(queue, story.state)
    size = len(msgspec.json.encode(scene))
    assert size < 256_000, f"{size} bytes"
    again = queue.start(story.state.of)
    for event in story.log:
        queue.fold(again, event)
    assert to_svg(queue.draw(again)) == to_svg(scene), "equal events, equal bytes"
    assert "<script" not in to_svg(scene)


def test_a_state_from_a_keyframe_goes_on_the_same() -> None:
    story = died()
    for cut in (1, 40, 100, len(story.log) // 2):
        state: State = queue.start()
        for event in story.log[:cut]:
            queue.fold(state, event)
        state = msgspec.msgpack.decode(msgspec.msgpack.encode(state), type=State)
        for event in story.log[cut:]:
            queue.fold(state, event)
        assert state == story.state


def test_pitch_shrinks_then_bars_then_tight_lanes() -> None:
    def brick(story: Story) -> Any:
        return keyed(queue.draw(story.state)).get("msg/c/1/1@w1/workers")

    one = members("w1", "w2")
    one.pub(to="w1")
    assert brick(one).marks[0].w == 20
    for _ in range(30):
        one.pub(to="w1")
    assert isinstance(brick(one), Rect) and brick(one).w == pytest.approx(6.9)
    one.pub(200)
    assert brick(one) is None and "bar/lane/workers/w1" in keyed(queue.draw(one.state))
    tight = keyed(queue.draw(crowd(13, 26).state))
    assert "bar/lane/workers/w1" in tight
    many = crowd(70, 900)
    marks, table = keyed(queue.draw(many.state)), queue.table(many.state)
    assert "more/workers" in marks and "40 more between" in " ".join(texts(queue.draw(many.state)))
    shown = [int(row[2]) for row, key in zip(table.rows, table.keys, strict=True) if key.startswith("lane/")]
    assert shown == sorted(shown, reverse=True) and len(shown) == 30
    assert sum(shown) + int(table.rows[-1][2]) == 900


def test_hovering_one_copy_lights_the_others() -> None:
    marks = keyed(queue.draw(died().state))
    lit = {key: mark.light for key, mark in marks.items() if mark.light}
    assert len(lit) == 96
    for key, others in lit.items():
        assert others and all(key in marks[other].light for other in others)


def test_legend_counts_the_marks() -> None:
    scene = queue.draw(died().state)
    paint = [m.classes for m in walk(scene.marks) if isinstance(m, Rect)]
    counts = {item.word: item.count for item in scene.legend}
    assert counts["delivered"] == paint.count("flight fill") and counts["lost"] == paint.count("dead fill")


def test_new_messages_travel_once_and_old_ones_rest() -> None:
    story = died()
    scene = queue.draw(story.state)
    assert 0 < len({f.group for f in scene.flights}) <= 8
    newest = [f for f in scene.flights if f.label]
    assert {f.label for f in newest} == {"48"} and {f.key for f in newest} == {
        "fly/c/1/48@audit/",
        "fly/c/1/48@w4/workers",
    }
    assert all(f.t1 is not None and f.t0 <= f.t1 for f in scene.flights)
    story.pub(to="w2", arrives=False)
    under_way = [f for f in queue.draw(story.state).flights if f.end == "open"]
    assert [(f.key, f.t1) for f in under_way] == [("fly/c/1/49@w2/workers", None)]
    story.state.now += 10
    assert queue.draw(story.state).flights == []
    assert "taken/workers/w2" in keyed(queue.draw(story.state)), "the newest way stays"


def test_buttons_are_lines_a_person_would_type() -> None:
    lines = [a.line for a in queue.draw(died().state).controls]
    assert lines == [
        "nats pub orders.new --count 10",
        "nats pub orders.new --count 100",
        "nats pub orders.new --count 1000",
        "nats sub orders.new --queue workers",
    ]
    story = members("w1", group="a b; rm", subject="orders.*")
    assert [a.line for a in queue.draw(story.state).controls] == ["nats sub 'orders.*' --queue 'a b; rm'"]


def test_as_a_graph() -> None:
    source = queue.dot(died().state)
    assert '"group/workers" -> "lane/workers/w1" [label=17];' in source
    assert "style=dashed" in source and '"pub/web" -> "plain/audit" [label=48];' in source
    quoted = queue.dot(hostile().state)
    assert '\\"' in quoted and quoted.count("\n") == len(quoted.splitlines()) - 1


def test_state_stays_small() -> None:
    story = members("w1", "w2", "w3")
    story.sub("audit")
    story.pub(4_000)
    for i in range(300):
        story.sub(f"short-lived-{i}", "workers")
        story.pub(2, client=f"publisher-{i}")
        story.close(f"short-lived-{i}")
    bricks = sum(len(lane.bricks) for lane in story.group().lanes.values())
    assert bricks <= BRICKS * 3 and len(story.state.messages) <= RECENT
    assert len(story.group().lanes) <= LANES and len(story.state.publishers) <= CLIENTS
    assert len(msgspec.msgpack.encode(story.state)) < 400_000
    assert sum(story.group().members.values()) == story.group().total
    check(queue, story.state)


NAMES = st.sampled_from(["w1", "w2", "w3", "a-rather-long-name-12", "日本語", "\u202e<b>", "w" * 40, "משלוח"])
SUBJECTS = st.sampled_from(["orders.new", "orders.*", "orders.>", "a", ">", "very.long.subject." + "x" * 60])
GROUPS = st.sampled_from(["", "", "workers", "worker", "Q" * 50])
TIMES = st.floats(0, 50)
EVENTS = st.one_of(
    st.builds(
        Conn, client=NAMES, no=st.sampled_from([0, 1]), state=st.sampled_from(["open", "lost", "closed"])
    ),
    st.builds(
        Sub,
        client=NAMES,
        sid=st.integers(1, 4),
        subject=SUBJECTS,
        queue=GROUPS,
        state=st.sampled_from(["open", "open", "closed"]),
    ),
    st.builds(Pub, id=st.integers(1, 40).map(lambda n: f"c/1/{n}"), client=NAMES, subject=SUBJECTS),
    st.builds(
        Recv,
        id=st.integers(0, 40).map(lambda n: f"c/1/{n}" if n else ""),
        client=NAMES,
        sid=st.integers(1, 4),
        subject=SUBJECTS,
        queue=GROUPS,
    ),
    st.builds(
        Hop,
        id=st.integers(1, 40).map(lambda n: f"c/1/{n}"),
        step=st.just("egress"),
        client=NAMES,
        sub=SUBJECTS,
        queue=GROUPS,
        error=st.sampled_from(["", "", "", "closed"]),
    ),
    st.builds(
        Many,
        client=NAMES,
        way=st.sampled_from(["pub", "recv"]),
        subject=SUBJECTS,
        sid=st.integers(1, 4),
        queue=GROUPS,
        count=st.integers(0, 10**7),
        since=TIMES,
    ),
    st.builds(Drop, client=NAMES, why=st.just("slow consumer")),
)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(EVENTS, max_size=120), TIMES)
def test_any_order_of_events_leaves_a_picture(events: list[Event], step: float) -> None:
    state = queue.start()
    for queue_name in ("workers", "worker"):
        for name in ("w1", "w2"):
            queue.fold(state, Sub(client=name, sid=9, subject="orders.new", queue=queue_name))
    for i, event in enumerate(events):
        event.n, event.t = i + 1, i * step / 10
        queue.fold(state, event)
    scene = check(queue, state)
    assert_legible(scene)
    for group in state.groups.values():
        assert group.total == sum(group.members.values()) >= group.losses >= 0
        judged = 0 if group.mixed else group.total
        assert sum(lane.mean for lane in group.lanes.values()) == pytest.approx(judged, abs=1e-3)
        assert all(lane.var >= 0 and lane.lost <= lane.count for lane in group.lanes.values())
