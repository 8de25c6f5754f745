"""The stream view, from hand-written events."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest

from natslab.tape.event import Ack, Deliver, Drop, Event, Server, Snap, Store
from natslab.views import stream
from natslab.views.scene import Group, Path, Rect, Scene, Text, walk
from natslab.views.stream import State, Stream
from natslab.views.stream.plan import columns_of
from natslab.views.stream.state import SLOTS
from natslab.views.stream.words import bytes_of, time_of
from natslab.views.wording import wide
from tests.pictures import check, keyed

NS = 1_000_000_000


class Story:
    """Events as a lab with one server would put them on its tape."""

    def __init__(self, *of: str) -> None:
        self.state: State = stream.start(of)
        self.n = 0
        self.config: dict[str, dict[str, Any]] = {}
        self.tell(Server(name="n1", state="up"))

    def tell(self, event: Event, t: float | None = None) -> None:
        self.n += 1
        event.n, event.t = self.n, self.state.now + 0.001 if t is None else t
        stream.fold(self.state, event)

    def report(
        self, name: str, messages: int, first: int, last: int, *, kept: str = "file", **more: Any
    ) -> None:
        config = self.config.setdefault(name, {"name": name, "subjects": [f"{name.lower()}.>"]})
        config.update({k: v for k, v in more.items() if k not in ("bytes", "t")})
        state = {
            "messages": messages,
            "bytes": more.get("bytes", 40 * messages),
            "first_seq": first,
            "last_seq": last,
        }
        data = {"name": name, "config": dict(config), "state": state, "kept": kept}
        self.tell(Snap(what="stream", data=data), more.get("t"))

    def made(self, name: str = "ORDERS", **config: Any) -> Stream:
        self.report(name, 0, 0, 0, **config)
        return self.state.streams[name]

    def store(self, *seqs: int, name: str = "ORDERS", subject: str = "orders.new", **more: Any) -> None:
        t = more.pop("t", None)
        for seq in seqs:
            self.tell(Store(stream=name, seq=seq, subject=subject, size=2, **more), t)

    def consumer(
        self, name: str, stream_name: str = "ORDERS", delivered: int = 0, floor: int = 0, **more: Any
    ) -> None:
        at = {"consumer_seq": delivered, "stream_seq": delivered}
        data = {
            "stream": stream_name,
            "name": name,
            "config": {"ack_policy": "explicit", "ack_wait": 30 * NS, **more},
            "delivered": at,
            "ack_floor": {"consumer_seq": floor, "stream_seq": floor},
            "num_ack_pending": delivered - floor,
            "num_pending": 0,
            "num_waiting": 0,
        }
        self.tell(Snap(what="consumer", data=data))

    def hand(
        self, seq: int, consumer: str, client: str = "w1", name: str = "ORDERS", ack: bool = False
    ) -> None:
        self.tell(Deliver(stream=name, consumer=consumer, seq=seq, client=client, held=not ack))
        if ack:
            self.tell(Ack(stream=name, consumer=consumer, seq=seq, verb="ack", client=client))

    def drop(self, why: str, *seqs: int, name: str = "ORDERS", **more: Any) -> None:
        for seq in seqs:
            self.tell(Drop(why=why, stream=name, seq=seq, **more))

    def words(self) -> str:
        return " ".join(stream.describe(self.state)).strip()

    def draw(self) -> Scene:
        return check(stream, self.state, timed=True)


# --- the state -------------------------------------------------------------------------------


def test_one_message_told_twice_is_one() -> None:
    story = Story()
    orders = story.made()
    story.store(1, client="shop", headers=[("Nats-Msg-Id", "a")])
    story.store(1)
    assert orders.kept == [1] and orders.messages == 1
    assert (orders.slots[1].client, orders.slots[1].id) == ("shop", "a")


def test_what_the_file_says_is_the_exact_time() -> None:
    story = Story()
    orders = story.made()
    story.store(1, client="shop", t=1.5)
    story.store(1, t=1.2)
    assert orders.slots[1].t == 1.2


def test_order_of_arrival_does_not_matter() -> None:
    story = Story()
    orders = story.made()
    story.store(3, 1, 2)
    assert orders.kept == [1, 2, 3] and orders.first == 1 and orders.last == 3


def test_a_message_that_is_gone_does_not_come_back() -> None:
    story = Story()
    orders = story.made()
    story.drop("no interest", 1)
    story.store(1, client="shop")
    assert not orders.kept and orders.messages == 0 and orders.came == 1
    assert orders.removed == {1: "no interest"} and orders.gone[0].subject == "orders.new"


def test_reports_and_messages_in_any_order_agree_in_the_end() -> None:
    story = Story()
    orders = story.made()
    story.report("ORDERS", 3, 1, 3)
    assert orders.messages == 3 and orders.counted == 0
    story.store(1, 2, 3)
    assert orders.messages == 3 and orders.missing == 0
    story.report("ORDERS", 2, 2, 3)
    assert orders.messages == 2 and orders.kept == [2, 3]
    story.drop("deleted", 1)
    assert orders.messages == 2 and orders.removed == {1: "deleted"} and orders.reasons == {"deleted": 1}


def test_a_report_that_leads_is_not_counted_twice() -> None:
    story = Story()
    orders = story.made()
    story.store(1, 2, 3)
    story.report("ORDERS", 2, 1, 3)
    assert orders.messages == 2 and orders.missing == -1
    story.drop("deleted", 2)
    assert orders.messages == 2 and orders.missing == 0


def test_a_disagreement_is_shown_once_it_lasts() -> None:
    story = Story()
    story.made()
    story.store(1, 2, 3)
    story.report("ORDERS", 5, 1, 3)
    assert "differs/ORDERS" not in keyed(story.draw())
    story.tell(Server(name="n1", state="up"), story.state.now + 2)
    scene = story.draw()
    assert "differs/ORDERS" in keyed(scene)
    assert "the slots say 3" in stream.table(story.state).text()


def test_bulk_is_counted_and_its_newest_are_slots() -> None:
    story = Story()
    orders = story.made(max_msgs=60_000)
    for last in range(1000, 100_001, 1000):
        story.store(last, count=1000)
    assert orders.messages == 100_000 and orders.per_subject == {"orders.new": 100_000}
    story.drop("max_msgs", 1, last=40_000, count=40_000)
    assert orders.messages == 60_000 and orders.first == 40_001 and orders.reasons == {"max_msgs": 40_000}
    assert len(orders.slots) <= SLOTS and orders.kept[-1] == 100_000
    scene = story.draw()
    assert any(key.startswith("rest/ORDERS/40001") for key in keyed(scene))
    assert "60 000 of 100 000" in story.words()


def test_many_single_messages_are_bounded() -> None:
    story = Story()
    orders = story.made()
    story.store(*range(1, 3 * SLOTS))
    assert len(orders.slots) <= SLOTS and orders.messages == 3 * SLOTS - 1 == orders.counted
    assert len(msgspec.msgpack.encode(story.state)) < 1_000_000
    story.drop("max_msgs", *range(1, 2001))
    assert orders.messages == 3 * SLOTS - 2001 and orders.first == 2001
    story.draw()


def test_a_drop_of_which_the_message_is_not_known() -> None:
    story = Story()
    orders = story.made(max_msgs=100)
    story.store(1000, count=1000, subject="")
    story.drop("max_msgs", 0, count=900)
    assert orders.messages == 100 and orders.reasons == {"max_msgs": 900}


def test_deleted_and_made_again() -> None:
    story = Story("ORDERS")
    story.made()
    story.store(1, 2)
    story.tell(Snap(what="stream", data={"name": "ORDERS", "gone": True}))
    assert story.words().startswith("ORDERS was deleted, and its messages with it.")
    story.draw()
    orders = story.made(max_msgs=5)
    assert orders.exists and orders.messages == 0 and orders.came == 0
    story.store(1)
    assert story.words().startswith("ORDERS keeps the one message that came.")


def test_a_late_report_of_a_deletion_takes_nothing_of_the_new_stream() -> None:
    story = Story()
    story.made()
    story.store(1, 2, 3)
    story.tell(Snap(what="advisory", data={"type": "stream_action", "stream": "ORDERS", "action": "delete"}))
    assert not story.state.streams["ORDERS"].exists
    story.store(1, client="shop")
    story.tell(Snap(what="stream", data={"name": "ORDERS", "gone": True}))
    orders = story.made(max_msgs=1)
    assert orders.kept == [1] and orders.answers["orders.new"].seq == 1
    story.tell(Snap(what="advisory", data={"type": "stream_action", "stream": "ORDERS", "action": "delete"}))
    story.store(2, t=0.0)
    story.tell(Snap(what="stream", data={"name": "ORDERS", "gone": True}))
    assert not story.state.streams["ORDERS"].exists


def test_a_deleted_stream_is_gone_from_the_picture_of_all() -> None:
    story = Story()
    story.made()
    story.tell(Snap(what="stream", data={"name": "ORDERS", "gone": True}))
    assert story.words().startswith("No stream yet")


def test_memory_is_lost_with_the_server() -> None:
    story = Story()
    orders = story.made(storage="memory", kept="events")
    story.store(1, 2, client="shop")
    story.tell(Server(name="n1", state="down"))
    assert "No server is up" in story.words()
    story.tell(Server(name="n1", state="up"))
    story.report("ORDERS", 0, 0, 0, kept="events", t=story.state.now + 1)
    assert orders.messages == 0 and orders.reasons == {"restart": 2}
    story.draw()


def test_a_memory_stream_that_the_server_forgot_was_not_deleted() -> None:
    story = Story("ORDERS")
    story.made(storage="memory", kept="events")
    story.tell(Server(name="n1", state="up"))
    story.tell(Snap(what="stream", data={"name": "ORDERS", "gone": True}))
    assert story.words().startswith("ORDERS went with the server's memory")
    story.draw()
    story.made(storage="memory", kept="events")
    story.tell(Snap(what="stream", data={"name": "ORDERS", "gone": True}))
    assert story.words().startswith("ORDERS was deleted")


def test_unseen_messages_of_a_memory_stream_are_no_disagreement() -> None:
    story = Story()
    orders = story.made(storage="memory", kept="events")
    story.store(1, client="shop")
    story.report("ORDERS", 4, 1, 4, kept="events")
    assert orders.messages == 4 and orders.differs == 0
    assert "reconstructed from events" in story.words()
    story.draw()


@pytest.mark.parametrize(
    ("config", "shelf", "total", "lets"),
    [
        ({"discard": "new", "max_msgs": 4}, 1, 3, True),
        ({"discard": "new", "max_msgs": 3}, 1, 3, False),
        ({"discard": "new", "max_msgs": 3, "max_msgs_per_subject": 1}, 1, 3, True),
        (
            {"discard": "new", "max_msgs": 3, "max_msgs_per_subject": 1, "discard_new_per_subject": True},
            1,
            3,
            False,
        ),
        ({"discard": "old", "max_msgs": 3}, 1, 3, True),
        ({"discard": "new", "max_bytes": 120}, 1, 3, False),
    ],
)
def test_the_gate(config: dict[str, Any], shelf: int, total: int, lets: bool) -> None:
    story = Story()
    orders = story.made(**config)
    story.store(1)
    story.store(2, 3, subject="orders.paid")
    story.report("ORDERS", total, 1, 3, bytes=120)
    assert orders.per_subject["orders.new"] == shelf
    assert orders.lets_in("orders.new") is lets
    gate = keyed(story.draw()).get("gate/ORDERS/bar")
    if config["discard"] == "old":
        assert gate is None
    else:
        assert isinstance(gate, Path)
        openings = gate.d.count("M") - 1
        assert openings == sum(orders.lets_in(s) for s in ("orders.new", "orders.paid"))


# --- the words -------------------------------------------------------------------------------


def test_empty() -> None:
    story = Story()
    sentence, note = stream.describe(story.state)
    assert sentence == "No stream yet: nothing that is published is kept."
    assert note == "Make one: %js stream add ORDERS --subjects 'orders.>' --defaults"
    story.draw()
    story.made()
    assert story.words().startswith("ORDERS is empty: it waits for orders.>.")
    story.draw()


def test_full_and_refusing() -> None:
    story = Story()
    story.made(discard="new", max_msgs=3, max_age=60 * NS)
    story.store(1, 2, 3, t=1.0)
    story.tell(
        Store(
            stream="ORDERS", subject="orders.eu", client="shop", code=10077, error="maximum messages exceeded"
        )
    )
    story.report("ORDERS", 3, 1, 3, t=59.6)
    assert story.words().startswith("ORDERS is full, 3 of 3: it refuses orders.eu until message 1 falls off.")
    scene = story.draw()
    assert scene.sentence[0][0].endswith("until message 1 falls off in 1.4 s.")
    assert "refused: error 10077, max_msgs" in stream.table(story.state).text()
    assert keyed(scene)["answer/ORDERS/orders.eu"].state["answer"] == "refused"
    assert story.state.streams["ORDERS"].refused == 1


def test_who_made_room() -> None:
    story = Story()
    orders = story.made(max_msgs_per_subject=2)
    story.store(1, 2, 3)
    story.drop("max_msgs_per_subject", 1)
    assert "message 3 came to orders.new, message 1 made room" in story.words()
    assert "made room for 3" in stream.table(story.state).text()
    assert orders.removed == {1: "max_msgs_per_subject"}


def test_duplicate() -> None:
    story = Story()
    orders = story.made()
    story.store(1, headers=[("Nats-Msg-Id", "a")], client="shop")
    story.store(1, duplicate=True, client="shop")
    assert orders.duplicates == 1 and orders.slots[1].twice == 1 and orders.messages == 1
    found = keyed(story.draw())
    assert "msg/ORDERS/1/twice" in found and "window/ORDERS" in found
    assert "A second message with the id of 1 was not stored." in story.words()


def test_duplicate_of_a_message_that_was_not_seen_yet() -> None:
    story = Story()
    orders = story.made()
    story.store(1, duplicate=True, client="shop")  # its first publish waited for no answer
    story.store(1, headers=[("Nats-Msg-Id", "a")])
    assert orders.duplicates == 1 and orders.slots[1].twice == 1 and orders.messages == 1
    assert "msg/ORDERS/1/twice" in keyed(story.draw())


def test_three_retentions_side_by_side() -> None:
    story = Story("LIMITS", "WORK", "INTEREST")
    for name, retention in (("LIMITS", "limits"), ("WORK", "workqueue"), ("INTEREST", "interest")):
        story.made(name, retention=retention)
    story.consumer("w", "WORK")
    story.consumer("a", "INTEREST")
    story.consumer("b", "INTEREST")
    for seq in range(1, 21):
        for name in ("LIMITS", "WORK", "INTEREST"):
            story.store(seq, name=name, subject="x")
    for seq in range(1, 11):
        story.hand(seq, "w", name="WORK", ack=True)
        story.drop("acked", seq, name="WORK")
        story.hand(seq, "a", name="INTEREST", ack=True)
    assert story.words().startswith("LIMITS keeps 20 of 20, WORK keeps 10 of 20, INTEREST keeps 20 of 20.")
    scene = story.draw()
    found = keyed(scene)
    assert [found[f"msg/{name}/20"].x for name in ("LIMITS", "WORK", "INTEREST")] == [
        found["msg/WORK/20"].x
    ] * 3
    assert found["msg/INTEREST/3@a"].state["settled"] is True
    assert found["msg/INTEREST/3@b"].state["settled"] is False
    assert found["msg/WORK/3@w"].state["state"] == "acked"


def test_a_job_that_was_given_up_and_one_that_nobody_takes() -> None:
    story = Story()
    story.made(retention="workqueue", subjects=["orders.>"])
    story.consumer("w", filter_subject="orders.eu")
    story.store(1, 2, subject="orders.eu")
    story.store(3, subject="orders.asia")
    story.hand(1, "w")
    story.tell(Ack(stream="ORDERS", consumer="w", seq=1, verb="exhausted"))
    story.hand(2, "w", ack=True)
    story.drop("acked", 2)
    story.consumer("w", delivered=2, floor=2, filter_subject="orders.eu")  # the floor passed what it gave up
    assert "1 job waits for a consumer that takes its subject, 1 was given up." in story.words()
    assert any(entry.word == "given up" for entry in story.draw().legend)
    assert [r[4] for r in stream.table(story.state).rows if r[1] == "1"] == ["w gave it up"]


def test_a_held_job_can_be_answered() -> None:
    story = Story()
    story.made(retention="workqueue")
    story.consumer("w")
    story.store(1, 2)
    story.hand(1, "w")
    cell = keyed(story.draw())["msg/ORDERS/1@w"]
    assert [a.line for a in cell.actions][:2] == ["natslab ack ORDERS w 1", "natslab nak ORDERS w 1"]
    assert cell.light == ["msg/ORDERS/1"]
    assert "1 job waits for an ack, 1 for a pull." in story.words()


def test_lines_behind_marks() -> None:
    story = Story()
    story.made("O")
    story.store(7, name="O", subject="a b;'x")
    found = keyed(story.draw())
    assert found["msg/O/7"].actions[0].line == "js stream rmm O 7 -f"
    shelf = next(
        m for k, m in found.items() if k.startswith("shelf/O/") and isinstance(m, Group) and m.actions
    )
    assert shelf.actions[0].line == "js stream purge O --subject 'a b;'\"'\"'x' -f"


def test_selection_rings_the_message_in_every_view() -> None:
    story = Story()
    story.made()
    story.store(1, 2)
    for chosen in ("msg/ORDERS/2", "msg/ORDERS/2@billing"):
        story.state.selection = chosen
        found = keyed(story.draw())
        assert "msg/ORDERS/2/ring" in found and "msg/ORDERS/1/ring" not in found


def test_cursors() -> None:
    story = Story()
    orders = story.made()
    story.store(*range(1, 11))
    story.consumer("billing", delivered=6, floor=4)
    story.consumer("audit")
    found = keyed(story.draw())
    assert found["reader/ORDERS/billing"].state == {"delivered": 6, "floor": 4, "unacked": 2}
    at = float(found["reader/ORDERS/billing/caret"].d[1:].split()[0])
    assert found["msg/ORDERS/6"].x < at < found["msg/ORDERS/7"].x
    assert orders.readers["audit"].due == 0
    assert "Two cursors over it: reading takes nothing away." in story.words()


def test_a_consumer_of_nobody_we_know() -> None:
    story = Story()
    orders = story.made(retention="workqueue")
    story.consumer("w")
    story.store(1, 2, 3)
    data = {
        "stream": "ORDERS",
        "consumer": "w",
        "floor": [0, 0],
        "delivered": [3, 3],
        "pending": [[2, 2, 0], [3, 3, 0]],
    }
    story.tell(Snap(what="pending", data=data))
    hands = orders.readers["w"].hands
    assert {s: h.state for s, h in hands.items()} == {2: "out", 3: "out"}
    data = {**data, "pending": [[3, 3, 0]]}
    story.tell(Snap(what="pending", data=data))
    assert hands[2].state == "acked"
    story.draw()


def test_columns_leave_out_the_middle_and_say_so() -> None:
    story = Story()
    orders = story.made()
    story.store(*range(1, 1001))
    columns = columns_of(orders, 20)
    assert [c.first for c in columns[:3]] == [1, 2, 3]
    rest = columns[3]
    assert rest.kind == "rest" and rest.first == 4 and columns[4].first == rest.last + 1
    assert columns[-1].first == 1000
    story.draw()


def test_a_long_gap_is_one_column() -> None:
    story = Story()
    orders = story.made()
    story.store(1, 500)
    columns = columns_of(orders, 20)
    assert [(c.kind, c.first, c.last) for c in columns] == [
        ("slot", 1, 1),
        ("gap", 2, 499),
        ("slot", 500, 500),
    ]
    story.draw()


def surface(story: Story) -> float:
    """How high message 1 is filled, from its middle downwards."""
    path = keyed(story.draw())["msg/ORDERS/1/level"]
    assert isinstance(path, Path)
    return float(path.d[1:].split()[1].rstrip("HA").split("H")[0].split("A")[0])


def test_levels_drain_with_age() -> None:
    story = Story()
    story.made(max_age=10 * NS)
    story.store(1, t=1.0)
    story.tell(Server(name="n1", state="up"), 4.0)
    before = surface(story)
    story.tell(Server(name="n1", state="up"), 9.0)
    assert surface(story) > before
    story.tell(Server(name="n1", state="up"), 10.99)
    assert "msg/ORDERS/1/level" not in keyed(story.draw())


def test_a_gap_of_several_subjects_goes_through_their_shelves() -> None:
    story = Story()
    story.made()
    story.store(*range(1, 60, 2))
    story.store(*range(2, 60, 2), subject="orders.paid")
    story.drop("deleted", *range(40, 58))
    gap = keyed(story.draw())["gap/ORDERS/40/box"]
    assert isinstance(gap, Rect) and gap.h > 48


def test_dot() -> None:
    story = Story()
    story.made('O"R', mirror={"name": "SRC"})
    story.consumer("c", 'O"R')
    text = stream.dot(story.state)
    assert text.count("{") == text.count("}") and '"stream/SRC" -> ' in text and "-> " in text


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0.25, "250 ms"), (1.4, "1.4 s"), (60, "60 s"), (300, "5 min"), (3600, "1 h"), (86400 * 7, "7 d")],
)
def test_times(seconds: float, words: str) -> None:
    assert time_of(seconds) == words


def test_sizes() -> None:
    assert [bytes_of(n) for n in (300, 10_035, 32768, 4 << 20)] == ["300 B", "9.8 KiB", "32 KiB", "4 MiB"]


SUBJECTS = ["a", "b.c", "x" * 90, "עברית.א", "漢字.テスト", "tab\t.x", "<b>.&", "e\u0301" * 4]


def any_story(seed: int) -> Iterator[Event]:
    """Events of one to three streams, whether they make sense or not."""
    dice = random.Random(seed)
    pick = dice.choice
    names = ["S", "T" * 40, "漢字", "U"][: dice.randint(1, 4)]
    readers = ["w", "a-rather-long-consumer-name", *"cdefgh"][: dice.randint(1, 8)]
    for name in names:
        config = {
            "name": name,
            "subjects": [pick(SUBJECTS)],
            "retention": pick(["limits", "workqueue", "interest"]),
            "discard": pick(["old", "new"]),
            "max_msgs": pick([-1, 5, 16]),
            "max_bytes": pick([-1, 400]),
            "max_age": pick([0, 3 * NS]),
            "max_msgs_per_subject": pick([-1, 3, 100]),
            "discard_new_per_subject": pick([False, True]),
            "max_consumers": pick([-1, 4]),
            "storage": pick(["file", "memory"]),
        }
        yield Snap(what="stream", data={"name": name, "config": config, "state": {}, "kept": "file"})
    for _ in range(dice.randint(0, 80)):
        name, seq, who = pick(names), dice.randint(1, 30), pick(readers)
        kind = pick(
            "store store store store bulk drop range deliver ack refuse twice report consumer".split()
        )
        if kind == "store":
            headers = [("Nats-Msg-Id", "id")] if dice.random() < 0.2 else [("Nats-TTL", "2s")]
            yield Store(
                stream=name,
                seq=seq,
                subject=pick(SUBJECTS),
                size=3,
                client=pick(["", "shop"]),
                headers=headers,
            )
        elif kind == "bulk":
            yield Store(stream=name, seq=seq * 100, count=100, subject=pick(SUBJECTS), size=300)
        elif kind == "drop":
            yield Drop(stream=name, seq=seq, why=pick(["max_age", "deleted", "acked", "max_msgs", "", "odd"]))
        elif kind == "range":
            yield Drop(stream=name, seq=seq, last=seq + 9, count=10, why="purged")
        elif kind == "deliver":
            yield Deliver(stream=name, consumer=who, seq=seq, client=pick(["w1", "worker-two"]), held=True)
        elif kind == "ack":
            verb: Any = pick(["ack", "nak", "term", "wpi", "expired", "exhausted"])
            yield Ack(stream=name, consumer=who, seq=seq, verb=verb)
        elif kind == "refuse":
            error = pick(["maximum bytes exceeded", "maximum messages exceeded", "wrong last sequence: 4"])
            yield Store(stream=name, client="shop", subject=pick(SUBJECTS), code=10077, error=error)
        elif kind == "twice":
            yield Store(stream=name, client="shop", subject=pick(SUBJECTS), seq=seq, duplicate=True)
        elif kind == "report":
            state = {"messages": seq, "first_seq": seq, "last_seq": 2 * seq, "bytes": 50 * seq}
            yield Snap(what="stream", data={"name": name, "config": {"name": name}, "state": state})
        else:
            at = {"delivered": {"stream_seq": seq}, "ack_floor": {"stream_seq": seq // 2}}
            yield Snap(what="consumer", data={"stream": name, "name": who, "config": {}, **at})


@pytest.mark.parametrize("seed", range(60))
def test_any_story_makes_a_picture(seed: int) -> None:
    story = Story(*(["S"] if seed % 3 == 0 else []))
    for event in any_story(seed):
        story.tell(event, story.state.now + 0.1)
    story.draw()


def test_what_follows_from_a_file_is_not_counted_twice() -> None:
    story = Story("ORDERS")
    story.made()
    story.store(*range(1, 9))
    story.consumer("billing", delivered=4, floor=2)
    billing = story.state.streams["ORDERS"].readers["billing"]
    billing.due = 4
    for seq in (3, 4):  # the report was sooner, and the file says nothing of what is to come
        story.tell(Deliver(stream="ORDERS", consumer="billing", seq=seq, how="inferred"))
    assert (billing.out, billing.due) == (2, 4)
    story.tell(Deliver(stream="ORDERS", consumer="billing", seq=5, how="inferred"))
    assert (billing.out, billing.due, billing.delivered) == (3, 3, 5)


def test_the_time_left_stands_beside_the_sign_of_a_duplicate() -> None:
    story = Story("ORDERS")
    story.made(max_age=60 * NS, duplicate_window=60 * NS)
    story.store(1, 2, 3)
    story.store(1, duplicate=True)
    marks = {m.key: m for m in walk(stream.draw(story.state).marks)}
    left, sign = marks["msg/ORDERS/1/left"], marks["msg/ORDERS/1/twice"]
    assert isinstance(left, Text) and isinstance(sign, Path)
    assert left.x > float(sign.d[1:].split()[0]) + 7


@pytest.mark.parametrize("left", [1, 2, 3])
def test_words_keep_apart_when_few_are_left_at_the_gate(left: int) -> None:
    """The blade comes to the right edge, where other words stand."""
    story = Story("ORDERS")
    more = {"max_age": 60 * NS, "max_msgs": 30, "max_msgs_per_subject": 9, "duplicate_window": 5 * NS}
    story.made(discard="new", **more)
    for seq in range(1, 20):
        story.store(seq, subject=f"orders.{'abc'[seq % 3]}", id=f"i{seq}", t=1.0)
    story.store(*range(20, 20 + left), subject="orders.a", id="last", t=30.0)
    story.drop("max_age", *range(1, 20), t=61.5)
    story.report("ORDERS", left, 20, 19 + left, t=61.6, discard="new", **more)
    scene = check(stream, story.state)
    blade = next(m for m in walk(scene.marks) if m.key == "blade/ORDERS/max_age/wedge")
    words = next(m for m in walk(scene.marks) if m.key == "stream/ORDERS/discard")
    assert isinstance(blade, Path) and isinstance(words, Text)
    x = float(blade.d[1:].split()[0])
    assert words.x < x or words.x - wide("discard new", "t12 w6") > x + 6
