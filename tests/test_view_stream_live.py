"""The stream view, on a real server."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from natslab.commands.run import parse
from natslab.errors import NatslabError
from natslab.lab import Lab
from natslab.servers.jsapi import Api
from natslab.views import stream
from natslab.views.stream import State, Stream
from natslab.views.stream.state import SLOTS
from tests.pictures import check, keyed

NS = 1_000_000_000


# --- on a real server ------------------------------------------------------------------------


class Desk:
    """A lab, and what a person does in it."""

    def __init__(self, lab: Lab, wait_for: Callable[..., float]) -> None:
        self.lab = lab
        self.wait = wait_for

    def do(self, line: str) -> Any:
        return parse(line).run()

    def make(self, name: str, *subjects: str, **config: Any) -> None:
        async def call() -> None:
            api = Api(await self.lab.client("maker"))
            body = {"name": name, "subjects": list(subjects), "storage": "file", **config}
            await api.call(f"STREAM.CREATE.{name}", body)

        self.lab.do(call())

    def consumer(self, name: str, consumer: str, **config: Any) -> None:
        async def call() -> None:
            api = Api(await self.lab.client("maker"))
            body = {"durable_name": consumer, "ack_policy": "explicit", **config}
            await api.call(f"CONSUMER.CREATE.{name}.{consumer}", {"stream_name": name, "config": body})

        self.lab.do(call())

    def pub(self, subject: str, times: int = 1, headers: str = "", core: bool = False) -> None:
        for _ in range(times):
            with contextlib.suppress(NatslabError):  # a refusal is what some tests are about
                self.do(f"nats pub {subject} hello {'' if core else '-J'} --as shop {headers} -q")

    def state(self, *of: str) -> State:
        state: State = self.lab.view("stream", *of).state
        return state

    def stream(self, name: str = "ORDERS") -> Stream:
        return self.state(name).streams[name]

    def until(self, condition: Callable[[Stream], object], name: str = "ORDERS") -> Stream:
        """Wait until it holds and the picture agrees with the server; gives back the stream."""
        self.wait(lambda: name in self.state(name).streams and condition(self.stream(name)), 10)
        check(stream, self.state(name), timed=True)
        check(stream, self.state(), timed=True)
        return self.stream(name)

    def told(self, name: str = "ORDERS") -> dict[str, Any]:
        """What the server itself says."""

        async def call() -> dict[str, Any]:
            api = Api(await self.lab.client("maker"))
            state: dict[str, Any] = (await api.call(f"STREAM.INFO.{name}"))["state"]
            return state

        return self.lab.do(call())

    def agrees(self, name: str = "ORDERS") -> None:
        """The view counts what the server counts."""
        told = self.told(name)
        mine = self.stream(name)
        assert (mine.messages, mine.counted) == (told["messages"], told["messages"])
        assert mine.last == told["last_seq"] and mine.bytes == told["bytes"]
        if told["messages"]:
            assert mine.first == told["first_seq"]


@pytest.fixture(scope="module")
def shared() -> Iterator[Lab]:
    with Lab.up() as lab:
        yield lab


@pytest.fixture
def desk(shared: Lab, wait_for: Callable[..., float]) -> Iterator[Desk]:
    """One lab for many tests, without a stream at the beginning."""
    desk = Desk(shared, wait_for)
    yield desk
    for name in list(desk.state().streams):
        if desk.state().streams[name].exists:
            desk.do(f"js stream rm {name} -f")


def test_max_msgs_discard_old(desk: Desk) -> None:
    desk.make("ORDERS", "orders.>", max_msgs=5)
    desk.pub("orders.eu", 4)
    desk.pub("orders.us", 4)
    orders = desk.until(lambda s: s.messages == 5 and sum(s.reasons.values()) == 3)
    assert orders.kept == [4, 5, 6, 7, 8] and orders.reasons == {"max_msgs": 3}
    assert orders.removed == {1: "max_msgs", 2: "max_msgs", 3: "max_msgs"}
    assert orders.per_subject == {"orders.eu": 1, "orders.us": 4}
    assert "ORDERS keeps 5 of 8: 3 fell to max_msgs." in desk.lab.view("stream", "ORDERS").describe()
    desk.agrees()


def test_max_msgs_discard_new(desk: Desk) -> None:
    desk.make("ORDERS", "orders.>", max_msgs=3, discard="new")
    desk.pub("orders.eu", 5)
    orders = desk.until(lambda s: s.refused == 2 and s.messages == 3)
    assert orders.full == "max_msgs" and not orders.lets_in("orders.eu")
    answer = orders.answers["orders.eu"]
    assert (answer.what, answer.code, answer.count) == ("refused", 10077, 2)
    assert "ORDERS is full, 3 of 3: it refuses orders.eu" in desk.lab.view("stream", "ORDERS").describe()
    desk.pub("orders.eu", core=True)
    desk.agrees()


def test_max_bytes(desk: Desk) -> None:
    desk.make("ORDERS", "orders.>", max_bytes=300)
    desk.pub("orders.eu", 12)
    orders = desk.until(lambda s: s.came == 12 and sum(s.reasons.values()) + s.messages == 12)
    assert set(orders.reasons) == {"max_bytes"} and 0 < orders.bytes <= 300
    desk.agrees()


def test_max_age(desk: Desk) -> None:
    desk.make("ORDERS", "orders.>", max_age=NS // 2)
    desk.pub("orders.eu", 3)
    orders = desk.until(lambda s: s.reasons == {"max_age": 3})
    assert orders.kept == [] and orders.came == 3 and orders.first == 4
    assert "ORDERS is empty: all 3 messages fell to max_age." in desk.lab.view("stream", "ORDERS").describe()


def test_a_subject_at_its_limit_still_gets_in(desk: Desk) -> None:
    desk.make("ORDERS", "orders.>", max_msgs=4, max_msgs_per_subject=2, discard="new")
    desk.pub("orders.eu", 2)
    desk.pub("orders.us", 2)
    orders = desk.until(lambda s: s.messages == 4)
    assert orders.lets_in("orders.eu") and not orders.lets_in("orders.asia")
    desk.pub("orders.asia")
    desk.pub("orders.eu")
    orders = desk.until(lambda s: s.refused == 1 and s.reasons == {"max_msgs_per_subject": 1})
    assert orders.kept == [2, 3, 4, 5] and orders.answers["orders.eu"].seq == 5
    desk.agrees()


def test_discard_new_per_subject(desk: Desk) -> None:
    desk.make(
        "ORDERS", "orders.>", max_msgs=9, max_msgs_per_subject=2, discard="new", discard_new_per_subject=True
    )
    desk.pub("orders.eu", 3)
    orders = desk.until(lambda s: s.refused == 1)
    assert orders.per_subject == {"orders.eu": 2} and not orders.lets_in("orders.eu")
    assert orders.lets_in("orders.us")


def test_duplicates_inside_and_outside_the_window(desk: Desk) -> None:
    desk.make("ORDERS", "orders.>", duplicate_window=NS // 2)
    desk.pub("orders.eu", 2, "-H Nats-Msg-Id:a")
    orders = desk.until(lambda s: s.duplicates == 1)
    assert orders.kept == [1] and orders.slots[1].twice == 1 and orders.slots[1].id == "a"
    first = orders.slots[1].t
    desk.wait(lambda: desk.lab.tape.now() > first + 1, 10)
    desk.pub("orders.eu", 1, "-H Nats-Msg-Id:a")
    assert desk.until(lambda s: s.messages == 2).duplicates == 1


def test_delete_and_purge(desk: Desk) -> None:
    desk.make("ORDERS", "orders.>")
    desk.pub("orders.eu", 5)
    desk.pub("orders.us", 5)
    desk.do("js stream rmm ORDERS 3 -f")
    orders = desk.until(lambda s: s.reasons == {"deleted": 1})
    assert orders.removed == {3: "deleted"} and 3 not in orders.kept
    desk.do("js stream purge ORDERS --subject orders.us -f")
    orders = desk.until(lambda s: s.reasons.get("purged") == 5)
    assert orders.kept == [1, 2, 4, 5]
    desk.agrees()
    desk.do("js stream purge ORDERS --seq 4 -f")
    assert desk.until(lambda s: s.reasons.get("purged") == 7).kept == [4, 5]
    desk.do("js stream purge ORDERS --keep 1 -f")
    assert desk.until(lambda s: s.reasons.get("purged") == 8).kept == [5]
    desk.do("js stream purge ORDERS -f")
    orders = desk.until(lambda s: s.reasons.get("purged") == 9)
    assert orders.messages == 0 and orders.first == 11
    desk.agrees()


def test_the_lines_behind_the_marks_work(desk: Desk) -> None:
    desk.make("ORDERS", "orders.>")
    desk.pub("orders.eu", 2)
    desk.until(lambda s: s.messages == 2)
    found = keyed(stream.draw(desk.state("ORDERS")))
    desk.do(found["msg/ORDERS/1"].actions[0].line)
    desk.until(lambda s: s.removed == {1: "deleted"})
    desk.do(found["shelf/ORDERS/orders.eu"].actions[0].line)
    desk.until(lambda s: s.reasons == {"deleted": 1, "purged": 1})


def test_a_work_queue(desk: Desk) -> None:
    desk.make("ORDERS", "jobs", retention="workqueue")
    desk.consumer("ORDERS", "w")
    desk.pub("jobs", 5)
    desk.do("js consumer next ORDERS w --count 2 --ack")
    desk.do("js consumer next ORDERS w --hold")
    orders = desk.until(lambda s: s.reasons == {"acked": 2} and 3 in s.readers["w"].hands)
    assert orders.kept == [3, 4, 5] and orders.removed == {1: "acked", 2: "acked"}
    assert orders.readers["w"].hands[3].state == "out" and orders.readers["w"].hands[3].held
    scene = stream.draw(desk.state("ORDERS"))
    assert "1 job waits for an ack, 2 for a pull." in scene.note[0][0]
    desk.do(keyed(scene)["msg/ORDERS/3@w"].actions[0].line)
    orders = desk.until(lambda s: s.reasons == {"acked": 3})
    assert orders.kept == [4, 5]
    desk.agrees()


@pytest.mark.parametrize("consumers", [0, 1, 2])
def test_interest(desk: Desk, consumers: int) -> None:
    desk.make("ORDERS", "ev", retention="interest")
    names = ["audit", "mail"][:consumers]
    for name in names:
        desk.consumer("ORDERS", name)
    desk.pub("ev", 3)
    if not consumers:
        orders = desk.until(lambda s: s.reasons == {"no interest": 3})
        assert orders.kept == [] and orders.came == 3
        return
    desk.until(lambda s: s.messages == 3 and len(s.readers) == consumers)
    for i, name in enumerate(names):
        desk.do(f"js consumer next ORDERS {name} --count 2 --ack")
        last = i == consumers - 1
        gone = 2 if last else 0

        def torn(s: Stream, name: str = name, gone: int = gone) -> bool:
            return s.readers[name].settled(2) and s.reasons.get("acked", 0) == gone

        orders = desk.until(torn)
        assert orders.messages == (1 if last else 3)
    desk.agrees()


def test_ttl_of_one_message(desk: Desk) -> None:
    desk.make("ORDERS", "orders.>", allow_msg_ttl=True)
    desk.pub("orders.eu", 1, "-H Nats-TTL:1s")
    desk.pub("orders.eu", 1)
    orders = desk.until(lambda s: s.messages == 2)
    assert orders.slots[1].ttl == 1.0 and orders.expires(orders.slots[2]) == 0
    orders = desk.until(lambda s: s.messages == 1)
    assert orders.removed == {1: "ttl"} and orders.kept == [2]


def test_rollup(desk: Desk) -> None:
    desk.make("ORDERS", "orders.>", allow_rollup_hdrs=True)
    desk.pub("orders.eu", 3)
    desk.pub("orders.us", 1)
    desk.pub("orders.eu", 1, "-H Nats-Rollup:sub")
    orders = desk.until(lambda s: s.messages == 2 and sum(s.reasons.values()) == 3)
    assert orders.reasons == {"rollup": 3} and orders.kept == [4, 5]


def test_deleted_and_made_again_on_a_server(desk: Desk) -> None:
    desk.make("ORDERS", "orders.>")
    desk.pub("orders.eu", 3)
    desk.until(lambda s: s.messages == 3)
    desk.do("js stream rm ORDERS -f")
    desk.until(lambda s: not s.exists)
    desk.make("ORDERS", "orders.>", max_msgs=1)
    desk.pub("orders.us", 2)
    orders = desk.until(lambda s: s.reasons == {"max_msgs": 1})
    assert orders.kept == [2] and orders.per_subject == {"orders.us": 1}


def test_memory(desk: Desk) -> None:
    desk.make("ORDERS", "orders.>", storage="memory", max_msgs=3)
    desk.pub("orders.eu", 5)
    orders = desk.until(lambda s: s.messages == 3 and s.came == 5 and len(s.kept) == 3)
    assert orders.by_events and orders.kept == [3, 4, 5] and orders.reasons == {"max_msgs": 2}
    assert "reconstructed from events" in desk.lab.view("stream", "ORDERS").describe()


def test_a_hundred_thousand(desk: Desk) -> None:
    desk.make("ORDERS", "orders.>")
    desk.do("nats pub orders.eu hello --count 100000 --as shop -q")
    orders = desk.until(lambda s: s.messages == 100_000 and s.counted == 100_000)
    assert len(orders.slots) <= SLOTS and orders.first == 1 and orders.last == 100_000
    assert "ORDERS keeps all 100 000 messages that came." in desk.lab.view("stream", "ORDERS").describe()


def test_a_server_that_dies_keeps_what_is_in_its_files(wait_for: Callable[..., float]) -> None:
    with Lab.up() as lab:
        desk = Desk(lab, wait_for)
        desk.make("ORDERS", "orders.>", max_msgs=4)
        desk.make("MEM", "mem", storage="memory")
        desk.pub("orders.eu", 6)
        desk.pub("mem", 3)
        desk.until(lambda s: s.reasons == {"max_msgs": 2})
        desk.until(lambda s: s.messages == 3, "MEM")
        lab.servers["n1"].kill()
        assert "No server is up" in lab.view("stream", "ORDERS").describe()
        check(stream, desk.state(), timed=True)
        lab.servers["n1"].start()
        desk.until(lambda s: not s.messages, "MEM")
        desk.pub("orders.us", 1)
        orders = desk.until(lambda s: s.last == 7 and s.messages == 4 and len(s.kept) == 4)
        assert orders.kept == [4, 5, 6, 7]
        lab.servers["n1"].restart()
        assert desk.until(lambda s: s.messages == 4).kept == [4, 5, 6, 7]
