"""The acks view: every path of a message, against the real server's counters, and a picture that holds."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest
from nats.aio.msg import Msg
from nats.js.api import ConsumerConfig, StreamConfig

from natslab.commands import parse
from natslab.lab import Lab
from natslab.loop import run
from natslab.tape.event import Deliver, Event, Snap
from natslab.views import acks
from natslab.views.acks import State
from natslab.views.scene import Scene, walk
from tests.pictures import check


class Shop:
    """A lab with a stream ORDERS, and clients by name, to be used without await."""

    def __init__(self, lab: Lab) -> None:
        self.lab = lab
        self.subs: dict[tuple[str, str], Any] = {}

    def js(self, client: str = "shop") -> Any:
        return run(self.lab.client(client)).jetstream()

    def stream(self, name: str = "ORDERS", **config: Any) -> None:
        config = {"subjects": [f"{name.lower()}.>"], **config}
        run(self.js().add_stream(StreamConfig(name=name, **config)))

    def consumer(self, name: str = "billing", stream: str = "ORDERS", **config: Any) -> None:
        config = {"ack_policy": "explicit", "ack_wait": 30, **config}
        run(self.js().add_consumer(stream, ConsumerConfig(durable_name=name, **config)))

    def publish(self, count: int = 1, subject: str = "orders.new") -> None:
        async def publish(js: Any) -> None:
            for _ in range(count):
                await js.publish(subject, b"x")

        run(publish(self.js()))

    def fetch(
        self, count: int = 1, who: str = "w1", name: str = "billing", stream: str = "ORDERS"
    ) -> list[Msg]:
        async def fetch(js: Any) -> Any:
            if (who, name) not in self.subs:
                self.subs[who, name] = await js.pull_subscribe_bind(durable=name, stream=stream)
            try:
                return await self.subs[who, name].fetch(count, timeout=0.5)
            except TimeoutError:
                return []

        return list(run(fetch(self.js(who))))

    def say(self, verb: str, *messages: Msg, **how: Any) -> None:
        async def say() -> None:
            for message in messages:
                await getattr(message, verb)(**how)
            await messages[0]._client.flush()

        run(say())

    def state(self, *of: str) -> State:
        state: State = self.lab.view("acks", *of).state
        return state

    def until(self, true: Callable[[State], object], *of: str) -> State:
        """The state as soon as something holds of it."""
        end = time.monotonic() + 8
        while True:
            state = self.state(*of)
            if true(state):
                return state
            assert time.monotonic() < end, f"it stayed {said(state)}"
            time.sleep(0.05)

    def quiet(self, *names: str, stream: str = "ORDERS") -> State:
        """The state once its totals are the server's; the picture is held to its promises, too."""
        wanted: dict[str, tuple[int, int, int]] = {}

        def agrees(state: State) -> bool:
            for name in names or ("billing",):
                info = run(self.js().consumer_info(stream, name))
                wanted[name] = (info.num_ack_pending, info.num_redelivered, info.num_pending)
                if f"{stream}/{name}" not in state.consumers:
                    return False
                totals = state.totals(stream, name)
                if (totals.ack_pending, totals.redelivered, totals.stored) != wanted[name]:
                    return False
                mine = state.consumer(stream, name)
                if mine.floor != info.ack_floor.stream_seq or mine.delivered != info.delivered.stream_seq:
                    return False
            return True

        try:
            state = self.until(agrees)
        except AssertionError as e:
            raise AssertionError(f"{e}, but the server says {wanted}") from None
        look(state)
        return state


def said(state: State) -> str:
    return "; ".join(
        f"{c.key} floor {c.floor} delivered {c.delivered} "
        f"{ {s: (k.state, k.attempt) for s, k in list(c.cells.items())[:12]} } "
        f"{state.totals(c.stream, c.name)}"
        for c in state.consumers.values()
    )


def look(state: State, *selections: str) -> Scene:
    """Hold the picture to its promises, with each message selected in turn."""
    scene = check(acks, state)
    kept = state.selection
    for selection in selections or [
        f"msg/{c.stream}/{seq}@{c.name}" for c in state.consumers.values() for seq in list(c.cells)[-4:]
    ]:
        state.selection = selection
        check(acks, state)
    state.selection = kept
    return scene


def cells(state: State, name: str = "billing") -> dict[int, str]:
    return {seq: cell.state for seq, cell in state.consumers[f"ORDERS/{name}"].cells.items()}


def texts(scene: Scene) -> str:
    return " ".join(t for m in walk(scene.marks) for t, _ in getattr(m, "runs", []))


@pytest.fixture
def shop() -> Iterator[Shop]:
    with Lab.up() as lab:
        made = Shop(lab)
        made.stream()
        yield made


def test_every_path_of_a_message(shop: Shop) -> None:
    """Acked, nak, nak with a delay, in progress, terminated, stored."""
    shop.consumer(max_deliver=3, max_ack_pending=8)
    shop.publish(9)
    first, second, third, fourth, fifth, sixth = shop.fetch(6)
    shop.say("ack", first)
    shop.say("nak", second)
    shop.say("nak", third, delay=20)
    shop.say("in_progress", fourth)
    shop.say("term", fifth)
    state = shop.quiet()
    assert cells(state) == {1: "acked", 2: "nak", 3: "nak", 4: "flight", 5: "terminated", 6: "flight"}
    consumer = state.consumers["ORDERS/billing"]
    assert (consumer.floor, consumer.delivered, consumer.pending, consumer.limit) == (1, 6, 4, 8)
    assert consumer.clients == {"w1": 6}
    assert state.totals("ORDERS", "billing").stored == 3
    third_life = consumer.cells[3].attempts[0]
    assert (third_life.end, third_life.delay, third_life.by, third_life.client) == ("nak", 20, "w1", "w1")
    assert len(consumer.cells[4].attempts[0].wpi) == 1
    (again,) = shop.fetch(1)
    assert again.metadata.sequence.stream == 2
    state = shop.quiet()
    cell = state.consumers["ORDERS/billing"].cells[2]
    assert (cell.state, cell.attempt, [a.end for a in cell.attempts]) == ("flight", 2, ["nak", ""])
    shop.say("ack", again)
    assert cells(shop.quiet())[2] == "acked"
    assert sixth.metadata.sequence.stream == 6


def test_silence_then_exhausted(shop: Shop) -> None:
    """ack_wait ends in silence, the message waits for a pull, comes again, and is given up at its last."""
    shop.consumer(ack_wait=0.3, max_deliver=2)
    shop.publish(4)
    shop.fetch(2)
    state = shop.until(lambda s: cells(s) == {1: "expired", 2: "expired"})
    assert "waits for a pull" in texts(look(state)) or "wait for a pull" in acks.describe(state)[0]
    assert state.totals("ORDERS", "billing").retry == 2
    again = shop.fetch(2)
    assert [m.metadata.num_delivered for m in again] == [2, 2]
    shop.say("ack", again[1])
    state = shop.quiet()
    life = state.consumers["ORDERS/billing"].cells[1].attempts
    assert life[0].end == "expired" and 0.25 < life[0].ended - life[0].t < 0.45
    shop.until(lambda s: cells(s).get(1) == "expired")
    assert [m.metadata.sequence.stream for m in shop.fetch(1)] == [3], "the last attempt was the last"
    state = shop.until(lambda s: cells(s).get(1) == "exhausted")
    state = shop.quiet()
    assert (cells(state)[1], cells(state)[2], cells(state)[3]) == ("exhausted", "acked", "flight")
    assert state.totals("ORDERS", "billing").redelivered == 1
    assert acks.describe(state)[0] == (
        "Message 1 used all 2 attempts: it stays stored, but billing will never get it again."
    )
    assert "holds billing’s ack floor at 0" in acks.describe(state)[1]


def test_a_shared_consumer_says_who_got_what(shop: Shop) -> None:
    """Under settled cells stands which client got them, and only where there are two."""
    shop.consumer()
    shop.publish(7)
    shop.say("ack", *shop.fetch(3, "ann"))
    assert "ann" not in names(look(shop.quiet()))
    shop.say("ack", *shop.fetch(2, "bob"))
    shop.fetch(1, "bob")  # it waits for an ack, and the seconds stand there
    assert names(look(shop.quiet())) == ["ann", "bob"]


def names(scene: Scene) -> list[str]:
    """Who got what, as the words under the cells say."""
    under = (m for m in walk(scene.marks) if m.key.startswith("try/") and m.key.endswith("/to"))
    return [t for m in under for t, _ in getattr(m, "runs", [])]


def test_a_late_ack_counts(shop: Shop) -> None:
    """What the first worker answers after the message went to the second ends it all the same."""
    shop.consumer(ack_wait=0.3)
    shop.publish(1)
    (late,) = shop.fetch(1, "w1")
    shop.until(lambda s: cells(s) == {1: "expired"})
    shop.fetch(1, "w2")
    shop.say("ack", late)
    state = shop.quiet()
    consumer = state.consumers["ORDERS/billing"]
    assert consumer.cells[1].state == "acked" and consumer.pending == 0
    assert consumer.clients == {"w1": 1, "w2": 1}
    shown = texts(look(state))
    assert "w1, w2" in shown and "everything that" not in shown


def test_progress_refills(shop: Shop) -> None:
    """+WPI begins ack_wait anew: what would have been over is not."""
    shop.consumer(ack_wait=0.6)
    shop.publish(1)
    (message,) = shop.fetch(1)
    for _ in range(3):
        time.sleep(0.35)
        shop.say("in_progress", message)
    state = shop.quiet()
    consumer = state.consumers["ORDERS/billing"]
    assert consumer.cells[1].state == "flight"
    assert len(consumer.cells[1].attempts[0].wpi) == 3
    shop.say("ack", message)
    assert cells(shop.quiet()) == {1: "acked"}


def test_backoff_is_the_wait(shop: Shop) -> None:
    """With a backoff each attempt has its own time; the last of it holds for all later ones."""
    shop.consumer(ack_wait=0.3, backoff=[0.3, 5], max_deliver=3)
    shop.publish(1)
    shop.fetch(1)
    shop.until(lambda s: cells(s) == {1: "expired"})
    shop.fetch(1)
    consumer = shop.quiet().consumers["ORDERS/billing"]
    assert consumer.backoff == [0.3, 5.0]
    assert (consumer.wait(1), consumer.wait(2), consumer.wait(3)) == (0.3, 5.0, 5.0)
    assert consumer.cells[1].state == "flight" and consumer.cells[1].attempt == 2


def test_ack_policies(shop: Shop) -> None:
    """One ack is for all up to it, or none is asked for."""
    shop.consumer("every", ack_policy="all")
    shop.consumer("deaf", ack_policy="none")
    shop.publish(6)
    messages = shop.fetch(5, name="every")
    shop.fetch(4, "w2", name="deaf")
    shop.say("ack", messages[2])
    state = shop.quiet("every", "deaf")
    assert cells(state, "every") == {1: "acked", 2: "acked", 3: "acked", 4: "flight", 5: "flight"}
    assert (state.consumers["ORDERS/every"].floor, state.consumers["ORDERS/deaf"].floor) == (3, 4)


def test_full(shop: Shop) -> None:
    """At max_ack_pending nothing new is handed out, and the picture says why."""
    shop.consumer(max_ack_pending=3)
    shop.publish(5)
    messages = shop.fetch(5)
    assert len(messages) == 3
    state = shop.quiet()
    assert acks.describe(state) == (
        "billing is full: 3 of 3 messages wait for an ack.",
        "Nothing new is handed out until one is acked; 2 messages wait. Next deadline: message 1.",
    )
    shop.say("ack", messages[1])
    assert shop.quiet().consumers["ORDERS/billing"].pending == 2


def test_filters(shop: Shop) -> None:
    """Sequences that are not a consumer's are not drawn in its lane."""
    shop.consumer("eu", filter_subject="orders.eu.*")
    for i in range(8):
        shop.publish(1, f"orders.{'us' if i % 2 else 'eu'}.new")
    messages = shop.fetch(2, name="eu")
    state = shop.quiet("eu")
    assert [m.metadata.sequence.stream for m in messages] == [1, 3]
    assert [state.status(state.consumers["ORDERS/eu"], s) for s in range(1, 9)] == [
        "flight", "", "flight", "", "stored", "", "stored", ""
    ]  # fmt: skip
    shop.say("ack", *messages)
    assert shop.quiet("eu").totals("ORDERS", "eu").stored == 2


def test_push(shop: Shop) -> None:
    """A push consumer hands out by itself."""
    shop.publish(3)

    async def subscribe(js: Any) -> Any:
        return await js.subscribe("orders.>", stream="ORDERS", durable="pushed", manual_ack=True)

    sub = run(subscribe(shop.js("w1")))
    state = shop.until(lambda s: len(cells(s, "pushed")) == 3 if "ORDERS/pushed" in s.consumers else False)
    message = run(sub.next_msg(1))
    shop.say("ack", message)
    state = shop.quiet("pushed")
    assert state.consumers["ORDERS/pushed"].push
    assert cells(state, "pushed") == {1: "acked", 2: "flight", 3: "flight"}


def test_memory(shop: Shop) -> None:
    """A memory consumer has no state file: reconstructed from events, and the picture says so."""
    shop.stream("QUICK", storage="memory")
    shop.consumer("billing", "QUICK", ack_wait=0.4)
    shop.publish(4, "quick.new")
    messages = shop.fetch(3, stream="QUICK")
    shop.say("ack", messages[0])
    state = shop.quiet(stream="QUICK")
    assert state.consumers["QUICK/billing"].reconstructed
    narrowed = shop.state("QUICK")
    assert "reconstructed from events" in acks.draw(narrowed).sources
    shop.until(lambda s: s.consumers["QUICK/billing"].cells[2].state == "expired")
    shop.fetch(2, stream="QUICK")
    assert shop.quiet(stream="QUICK").totals("QUICK", "billing").redelivered == 2


def test_gone_and_made_again(shop: Shop) -> None:
    """A deleted consumer leaves; one of the same name begins anew; a purge empties what waits."""
    shop.consumer()
    shop.publish(3)
    shop.fetch(2)
    shop.quiet()
    run(shop.js().delete_consumer("ORDERS", "billing"))
    state = shop.until(lambda s: not s.consumers)
    assert acks.describe(state)[0] == "Consumer billing is deleted: nobody is asked to ack ORDERS any more."
    shop.consumer()
    shop.subs.clear()
    state = shop.quiet()
    assert state.consumers["ORDERS/billing"].cells == {}
    shop.fetch(1)
    shop.quiet()
    run(shop.js().purge_stream("ORDERS"))
    shop.publish(1)
    state = shop.quiet()
    assert state.totals("ORDERS", "billing").stored == 1
    run(shop.js().delete_stream("ORDERS"))
    state = shop.until(lambda s: not s.streams)
    assert acks.describe(state)[0] == "There is no stream yet."
    check(acks, state)


def test_after_a_crash(shop: Shop) -> None:
    """SIGKILL and restart: what the server remembers is what the picture shows."""
    shop.consumer(ack_wait=20)
    shop.publish(6)
    messages = shop.fetch(4)
    shop.say("ack", messages[0])
    shop.quiet()
    shop.lab.server("n1").kill()
    look(shop.state())
    shop.lab.server("n1").start()
    state = shop.quiet()
    assert state.totals("ORDERS", "billing").ack_pending == 3
    shop.say("ack", *messages[1:])
    assert shop.quiet().consumers["ORDERS/billing"].floor == 4


def test_many(shop: Shop) -> None:
    """100 000 messages and several consumers: each column stands for many, and the totals are exact."""
    shop.consumer("billing", max_ack_pending=8000)
    shop.consumer("every", ack_policy="all", max_ack_pending=50_000)
    shop.consumer("idle")
    client = run(shop.lab.client("shop"))

    async def publish() -> None:
        for i in range(100_000):
            await client.publish("orders.new", b"x")
            if i % 2000 == 0:
                await client.flush()
        for _ in range(2):
            await client.flush()

    client.trace = False
    run(publish())
    held = [m for _ in range(5) for m in shop.fetch(1000)]
    every = [m for _ in range(6) for m in shop.fetch(1000, "w2", "every")]
    shop.say("ack", every[-500])
    shop.say("ack", *held[::2])
    state = shop.quiet("billing", "every", "idle")
    assert state.totals("ORDERS", "billing").ack_pending > 1500
    assert state.totals("ORDERS", "idle").stored == 100_000
    scene = look(state)
    assert len(msgspec.json.encode(scene)) < 256 * 1024
    assert sum(len(c.cells) for c in state.consumers.values()) <= 5000


def test_words_for_every_emptiness(shop: Shop) -> None:
    """What is not there is a sentence with the next step, never an empty panel."""
    assert acks.describe(shop.state("NOPE"))[0] == "There is no stream NOPE."
    state = shop.until(lambda s: "ORDERS" in s.streams)
    assert acks.describe(state)[0] == "Stream ORDERS has 0 messages and no consumer."
    check(acks, state)
    shop.consumer()
    state = shop.until(lambda s: s.consumers)
    assert acks.describe(state)[0] == "Stream ORDERS is empty: there is nothing for billing."
    check(acks, state)
    assert acks.describe(shop.state("ORDERS", "nobody"))[0] == "Stream ORDERS has no consumer nobody."
    shop.publish(3)
    state = shop.quiet()
    assert acks.describe(state) == (
        "ORDERS has 3 messages; billing has handed out none yet.",
        "Fetch some: %js consumer next ORDERS billing",
    )


def test_held_messages_have_buttons(shop: Shop) -> None:
    """What the lab holds can be answered from the picture; what a client holds cannot, and it says how."""
    shop.consumer()
    shop.publish(2)
    shop.fetch(1)
    parse("js consumer next ORDERS billing --hold").run()
    state = shop.until(lambda s: len(cells(s)) == 2)
    mine, theirs = "msg/ORDERS/2@billing", "msg/ORDERS/1@billing"
    scene = look(state, mine, theirs)
    actions = {m.key: [a.line for a in m.actions] for m in walk(scene.marks) if m.actions}
    to = "ORDERS billing 2"
    lines = [f"natslab ack {to}", f"natslab nak {to}", f"natslab nak {to} --delay 5s", f"natslab wpi {to}",
             f"natslab term {to}"]  # fmt: skip
    assert actions == {mine: lines}
    state.selection = mine
    buttons = [m for m in walk(acks.draw(state).marks) if "button" in m.classes]
    assert [b.actions[0].line for b in buttons] == lines[::-1]
    state.selection = theirs
    assert "%js consumer next ORDERS billing --hold" in texts(acks.draw(state))
    parse(lines[0]).run()
    assert cells(shop.quiet())[2] == "acked"


def test_only_what_is_new(shop: Shop) -> None:
    """What was there before a consumer's first delivery was never for it."""
    shop.publish(3)
    shop.consumer(deliver_policy="new")
    shop.publish(1)
    shop.say("ack", *shop.fetch(1))
    state = shop.quiet()
    assert state.totals("ORDERS", "billing").acked == 1
    assert [state.status(state.consumers["ORDERS/billing"], seq) for seq in (1, 3, 4)] == ["", "", "acked"]


def test_the_floor_passes_what_was_given_up(shop: Shop) -> None:
    """With the last ack nothing is pending, and the floor goes beyond; the file's numbers wrap then."""
    shop.consumer(backoff=[0.1, 0.1, 1.2], max_deliver=3)
    shop.publish(1)
    for _ in range(3):
        shop.fetch(1)
    shop.until(lambda s: shop.fetch(1) or cells(s) == {1: "exhausted"})
    shop.publish(1)
    shop.say("ack", *shop.fetch(1))
    shop.until(lambda s: s.consumers["ORDERS/billing"].file_dseq == 4)
    state = shop.quiet()
    assert cells(state) == {1: "exhausted", 2: "acked"}
    assert "0.1, …" in shop.lab.view("acks").svg(), "as many of the backoff's steps as have room"


def test_the_last_of_each_subject(shop: Shop) -> None:
    """What such a consumer skips is neither stored nor settled for it; its counters are the server's."""
    for subject, count in (("orders.a", 3), ("orders.b", 3), ("orders.a", 2)):
        shop.publish(count, subject)
    shop.until(lambda s: "ORDERS" in s.streams and s.streams["ORDERS"].last == 8)
    shop.consumer(deliver_policy="last_per_subject", filter_subject=">")
    state = shop.quiet()
    mine = state.consumers["ORDERS/billing"]
    assert [state.status(mine, seq) for seq in (1, 5, 6, 7, 8)] == ["", "", "stored", "", "stored"]
    shop.publish(2, "orders.a")
    messages = shop.fetch(3)
    assert [m.metadata.sequence.stream for m in messages] == [6, 8, 9]
    shop.say("ack", messages[0], messages[1])
    state = shop.quiet()
    mine = state.consumers["ORDERS/billing"]
    assert [state.status(mine, seq) for seq in range(5, 11)] == ["", "acked", "", "acked", "flight", "stored"]
    totals = state.totals("ORDERS", "billing")
    assert (totals.acked, totals.stored, totals.flight) == (2, 1, 1)


def test_the_last_of_each_subject_by_filter(shop: Shop) -> None:
    """A filter narrows the subjects whose last message counts; what came twice counts once."""
    for subject in ("orders.a", "orders.b", "orders.a", "orders.b", "orders.c"):
        shop.publish(1, subject)
    shop.consumer(deliver_policy="last_per_subject", filter_subjects=["orders.a", "orders.c"])
    shop.say("nak", *shop.fetch(5))
    shop.say("ack", *shop.fetch(5))
    state = shop.quiet()
    mine = state.consumers["ORDERS/billing"]
    assert [state.status(mine, seq) for seq in range(1, 6)] == ["", "", "acked", "", "acked"]
    assert (mine.dseq, mine.repeats, state.totals("ORDERS", "billing").acked) == (4, 2, 2)


@pytest.mark.parametrize("policy", ["new", "last", "by_start_sequence", "by_start_time"])
def test_where_a_consumer_begins(shop: Shop, policy: str) -> None:
    """Whatever is heard of it, and in whatever order: what was there before is nothing to it."""
    shop.publish(5)
    how: dict[str, Any] = {"deliver_policy": policy}
    if policy == "by_start_sequence":
        how["opt_start_seq"] = 6
    if policy == "by_start_time":
        how["opt_start_time"] = datetime.now(UTC).isoformat()
    shop.consumer(**how)
    shop.quiet()
    shop.publish(4)
    first = 5 if policy == "last" else 6
    messages = shop.fetch(3)
    assert [m.metadata.sequence.stream for m in messages] == [first, first + 1, first + 2]
    shop.quiet()
    shop.say("ack", *messages)
    state = shop.quiet()
    assert state.totals("ORDERS", "billing").acked == 3

    def of(event: Event, what: str, handed: int) -> bool:
        return isinstance(event, Snap) and event.what == what and handed <= _handed(event)

    events = shop.lab.tape.between(0, shop.lab.tape.head)
    for kept in (
        [e for e in events if not of(e, "consumer", 0)],  # deliveries only
        [
            e
            for e in events
            if not isinstance(e, Deliver) and (not isinstance(e, Snap) or of(e, "consumer", 1))
        ],
        [e for e in events if of(e, "consumer", 1)] + [e for e in events if isinstance(e, Deliver)],
    ):
        again = acks.start()
        for event in kept:
            acks.fold(again, event)
        assert again.consumers["ORDERS/billing"].first == first
        assert again.totals("ORDERS", "billing").acked + again.totals("ORDERS", "billing").flight == 3


def test_what_came_twice_stays_known(shop: Shop) -> None:
    """Under the floor a message keeps how often it came; the server's count is of what is not settled."""
    shop.consumer()
    shop.publish(3)
    shop.say("nak", *shop.fetch(2))
    again = shop.fetch(2)
    assert shop.quiet().totals("ORDERS", "billing").redelivered == 2
    shop.say("ack", *again)
    state = shop.quiet()
    mine = state.consumers["ORDERS/billing"]
    assert (mine.floor, mine.dseq, mine.repeats) == (2, 4, 2)
    assert [mine.cells[seq].attempt for seq in (1, 2)] == [2, 2]
    assert [[a.end for a in mine.cells[seq].attempts] for seq in (1, 2)] == [["nak", "acked"]] * 2
    totals = state.totals("ORDERS", "billing")
    assert (totals.redelivered, totals.acked, totals.stored) == (0, 2, 1)
    assert texts(look(state)).count("×2") == 2


def test_a_late_announcement_takes_nothing_away(shop: Shop) -> None:
    """The server tells of a deletion, or of a beginning, after its successor was reported: that one stays."""
    shop.publish(3)
    shop.consumer(deliver_policy="new")
    shop.publish(2)
    shop.fetch(2)
    state = shop.quiet()
    for action, kind in (
        ("delete", "consumer_action"),
        ("create", "consumer_action"),
        ("delete", "stream_action"),
    ):
        said = {"type": f"io.nats.jetstream.advisory.v1.{kind}", "stream": "ORDERS", "consumer": "billing"}
        mine = state.consumers["ORDERS/billing"]
        mine.changed = state.streams["ORDERS"].active = -9.0  # nothing but reports told of it
        before = msgspec.json.encode(mine)
        acks.fold(
            state,
            Snap(t=mine.says_t - 0.01, what="advisory", source="advisories", data={**said, "action": action}),
        )
        assert msgspec.json.encode(state.consumers["ORDERS/billing"]) == before
    later = Snap(t=mine.says_t + 1, what="advisory", source="advisories", data={**said, "action": "delete"})
    acks.fold(state, later)
    assert not state.streams and not state.consumers


@pytest.mark.parametrize("storage", ["file", "memory"])
def test_made_again_at_once(shop: Shop, storage: str) -> None:
    """What a successor of the same name hands out before anybody was told of it is its own."""
    shop.stream("AGAIN", storage=storage)
    shop.publish(5, "again.a")
    shop.consumer(stream="AGAIN")
    shop.say("ack", *shop.fetch(3, stream="AGAIN"))
    shop.quiet(stream="AGAIN")
    run(shop.js().delete_consumer("AGAIN", "billing"))
    shop.consumer(stream="AGAIN")
    shop.fetch(2, stream="AGAIN")
    mine = shop.quiet(stream="AGAIN").consumers["AGAIN/billing"]
    assert {seq: cell.state for seq, cell in mine.cells.items()} == {1: "flight", 2: "flight"}


def _handed(event: Snap) -> int:
    """How many deliveries a report of a consumer tells of."""
    return int((event.data.get("delivered") or {}).get("consumer_seq", 0))


def test_no_one_saw_where_it_began(shop: Shop) -> None:
    """With neither its start nor a delivery told, what was done is a number, no message is settled."""
    shop.publish(5)
    shop.consumer(deliver_policy="new")
    shop.publish(2)
    shop.say("ack", *shop.fetch(2))
    shop.quiet()
    state = acks.start()
    newest = [e for e in shop.lab.tape.between(0, shop.lab.tape.head) if isinstance(e, Snap)]
    for what in ("stream", "consumer"):
        acks.fold(state, [e for e in newest if e.what == what][-1])
    mine = state.consumers["ORDERS/billing"]
    assert [state.status(mine, seq) for seq in range(1, 8)] == [""] * 7
    assert state.totals("ORDERS", "billing").acked == 2
    check(acks, state)
