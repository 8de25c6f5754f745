"""The kernel's half of the panel: what it says of a lab, to whom, how often, and what it does for them."""

from __future__ import annotations

import asyncio
import gc
import time
import weakref
from collections.abc import Callable, Iterator
from typing import Any

import pytest

import natslab
from natslab import front
from natslab.commands import parse
from natslab.errors import NatslabError
from natslab.lab import Lab
from natslab.loop import loop, run
from natslab.magics.panel.hub import Hub
from natslab.tape.event import Leader, Quorum, Snap
from tests.panels import Comm, a_hub, opened


@pytest.fixture
def hub() -> Iterator[Hub]:
    made = a_hub()
    yield made
    made.close()
    run(asyncio.sleep(0))


@pytest.fixture
def lab() -> Iterator[Lab]:
    with natslab.Lab.up() as up:
        yield up


def test_without_a_lab_it_says_so_and_a_line_changes_that(hub: Hub) -> None:
    panel = opened(hub)
    assert panel.wait("state")["lab"] is None
    try:
        answer = panel.ask("run", line="natslab up")
        assert answer["said"] == "The lab is up: n1."
        state = panel.wait("state", lambda m: m["lab"])
        assert state["lab"]["name"] == "lab"
        panel.ask("run", line="natslab down")
        panel.wait("state", lambda m: m["lab"] is None)
    finally:
        parse("natslab down").run()


def test_everything_that_is_there_is_told(hub: Hub, lab: Lab) -> None:
    parse("stream add ORDERS --subjects 'orders.>' --defaults").run()
    parse("consumer add ORDERS billing --pull --defaults").run()
    parse("kv add CFG --history 5").run()
    parse("kv put CFG colour blue").run()
    parse("object add FILES").run()
    parse("pub orders.new hello -J --count 3").run()
    parse("sub 'foo.>' --as audit").run()
    panel = opened(hub)
    state = panel.wait("state", lambda m: m["streams"]["rows"] and m["clients"]["total"] == 2)
    (server,) = state["servers"]["rows"]
    assert (server["name"], server["state"], server["connections"]) == ("n1", "up", 2)
    assert server["mem"] > 1 and server["version"]
    panel.wait("state", lambda m: m["streams"]["rows"][0]["messages"] == 3)
    (stream,) = panel.of("state")[-1]["streams"]["rows"]
    assert stream["name"] == "ORDERS" and stream["subjects"] == ["orders.>"] and stream["leader"] == "n1"
    (consumer,) = stream["consumers"]["rows"]
    assert (consumer["name"], consumer["pending"], consumer["push"]) == ("billing", 3, False)
    assert [(b["name"], b["kind"]) for b in panel.of("state")[-1]["buckets"]["rows"]] == [
        ("CFG", "kv"),
        ("FILES", "object"),
    ]
    assert [c["name"] for c in state["clients"]["rows"]] == ["audit", "you"]
    assert [j["what"] for j in state["jobs"]["rows"]] == ["sub foo.>"] or state["jobs"]["total"] == 1
    assert {v["name"] for v in state["views_there"]} >= {"routing", "stream", "acks"}


def test_no_credentials_and_no_payloads_travel(hub: Hub, lab: Lab) -> None:
    parse("pub orders.new very-secret-payload").run()
    panel = opened(hub)
    panel.wait("state", lambda m: m["clients"]["rows"])
    said = str(panel.sent) + str(panel.ask("inspect", kind="server", name="n1", of=""))
    assert "very-secret-payload" not in said
    assert lab.login["password"] not in said


def test_news_come_twice_a_second_at_most_and_only_when_there_are_some(hub: Hub, lab: Lab) -> None:
    panel = opened(hub)
    panel.wait("state", lambda m: m["lab"])
    before = len(panel.of("state"))
    end = time.monotonic() + 2
    while time.monotonic() < end:
        parse("pub a b").run()
    assert 1 <= len(panel.of("state")) - before <= 6
    numbers = [m["seq"] for m in panel.of("state")]
    assert numbers == sorted(set(numbers))
    # At rest nothing travels but what the server itself says anew: its memory.
    panel.wait("state", lambda m: m["rate"] == {"in": 0, "out": 0})
    time.sleep(1.5)
    before = panel.of("state")[-1]
    time.sleep(2)
    for later in panel.of("state"):
        if later["seq"] > before["seq"]:
            assert later | {"seq": 0, "servers": 0} == before | {"seq": 0, "servers": 0}


def test_who_does_not_look_is_not_told(hub: Hub, lab: Lab) -> None:
    looking, away = opened(hub, "a"), opened(hub, "b", watch=False)
    looking.wait("state")
    parse("sub foo").run()
    looking.wait("state", lambda m: m["jobs"]["total"])
    assert away.of("state") == []
    away.say(op="watch", on=True)
    assert away.wait("state")["jobs"]["total"] == 1
    looking.say(op="watch", on=False)
    run(asyncio.sleep(0.1))
    before = len(looking.of("state"))
    parse("natslab stop").run()
    away.wait("state", lambda m: not m["jobs"]["total"])
    assert len(looking.of("state")) == before


def test_a_page_that_is_loaded_again_takes_the_place_of_the_former(hub: Hub, lab: Lab) -> None:
    first = opened(hub, "same")
    first.wait("state")
    second = opened(hub, "same")
    second.wait("state")
    before = len(first.of("state"))
    parse("sub foo").run()
    second.wait("state", lambda m: m["jobs"]["total"])
    assert len(first.of("state")) == before and not first.closed


def test_a_click_can_do_nothing_that_a_line_cannot(hub: Hub, lab: Lab) -> None:
    panel = opened(hub)
    refused = panel.ask("run", line="natslab kill n9")
    assert refused["error"] == "There is neither a server nor a client called 'n9' here."
    assert "n1" in refused["hint"]
    # Python is not run, and no shell is behind it.
    assert panel.ask("run", line="pub a {=1/0}")["said"].startswith("Published")
    assert "error" in panel.ask("run", line="rm -rf /")
    assert panel.ask("run", line="natslab kill n1")["said"].startswith("n1 is dead")
    state = panel.wait("state", lambda m: m["servers"]["rows"][0]["state"] == "down")
    assert {"kind": "down", "of": "n1"} in state["alarms"]
    panel.ask("run", line="natslab restart n1")
    panel.wait("state", lambda m: m["servers"]["rows"][0]["state"] == "up" and not m["alarms"])
    # It is on the tape like a line of a cell.
    assert any(getattr(e, "text", "") == "natslab kill n1" for e in lab.tape.between(0, lab.tape.head))


def test_a_frozen_server_is_told_at_once(hub: Hub, lab: Lab) -> None:
    panel = opened(hub)
    panel.wait("state")
    began = time.monotonic()
    lab.server("n1").freeze()
    panel.wait("state", lambda m: m["servers"]["rows"][0]["state"] == "frozen")
    assert time.monotonic() - began < 2
    lab.server("n1").thaw()


def test_rates_are_those_of_the_clients(hub: Hub, lab: Lab) -> None:
    panel = opened(hub)
    panel.wait("state")
    end = time.monotonic() + 3
    sent = 0
    while time.monotonic() < end:
        parse("pub busy.bee x").run()
        sent += 1
    rate = max(m["rate"]["in"] for m in panel.of("state"))
    assert 0.3 * sent / 3 < rate < 3 * sent / 3


def test_long_lists_are_cut_and_say_so(hub: Hub, lab: Lab) -> None:
    async def many() -> None:
        client = await lab.client("maker")
        js = client.jetstream()
        for i in range(65):
            await js.add_stream(name=f"S{i:03}", subjects=[f"s{i}.>"])

    run(many())
    panel = opened(hub)
    state = panel.wait("state", lambda m: m["streams"]["total"] == 65)
    assert [s["name"] for s in state["streams"]["rows"]] == [f"S{i:03}" for i in range(60)]


def test_a_lost_quorum_is_an_alarm_until_it_is_back(hub: Hub, lab: Lab) -> None:
    panel = opened(hub)

    def append(event: object) -> None:
        loop().post(lab.tape.append, event)

    append(Leader(group="_meta_", leader="n1"))
    append(Snap(what="group", data={"group": "S-R3F-x", "type": "stream", "stream": "ORDERS"}))
    append(Quorum(group="S-R3F-x", lost=True))
    state = panel.wait("state", lambda m: m["alarms"])
    assert state["alarms"] == [{"kind": "quorum", "of": "ORDERS"}]
    assert state["servers"]["rows"][0]["meta"] is True
    append(Quorum(group="S-R3F-x", lost=False))
    panel.wait("state", lambda m: not m["alarms"])


def test_of_what_is_frozen_it_says_at_once_what_follows(hub: Hub) -> None:
    def frozen(name: str) -> Callable[[dict[str, Any]], object]:
        return lambda m: {"kind": "frozen", "of": name} in m["alarms"]

    with natslab.Lab.up(3) as lab:
        parse("stream add ORDERS --subjects 'orders.>' --replicas 3 --defaults").run()
        parse("consumer add ORDERS billing --pull --defaults").run()
        panel = opened(hub)
        state = panel.wait(
            "state", lambda m: m["streams"]["rows"] and any(s["meta"] for s in m["servers"]["rows"])
        )
        (stream,) = state["streams"]["rows"]
        assert (stream["reach"], stream["domain"], stream["plain"]) == (3, "", "ORDERS")
        leader, (first, other) = lab.leader("ORDERS"), lab.followers("ORDERS")
        lab.server(first).freeze()
        panel.wait("state", lambda m: frozen(first)(m) and m["streams"]["rows"][0]["reach"] == 2)
        lab.server(other).freeze()
        state = panel.wait("state", frozen(other))
        (stream,) = state["streams"]["rows"]
        # The servers themselves find out some seconds later: until then it is inferred.
        assert (stream["leader"], stream["reach"], stream["mute"]) == (leader, 1, False)
        # Who does not run leads nothing, whatever it said last.
        assert {s["name"] for s in state["servers"]["rows"] if s["meta"]} <= {leader}
        for name in (first, other):
            lab.server(name).thaw()
        panel.wait("state", lambda m: m["streams"]["rows"][0]["reach"] == 3)
        lab.cut(leader, first)
        panel.wait("state", lambda m: m["streams"]["rows"][0]["reach"] == 2)


def test_a_meta_leader_that_stops_is_not_called_one(hub: Hub, lab: Lab) -> None:
    panel = opened(hub)
    loop().post(lab.tape.append, Leader(group="_meta_", leader="n1"))
    panel.wait("state", lambda m: m["servers"]["rows"][0]["meta"])
    lab.server("n1").freeze()
    panel.wait("state", lambda m: m["servers"]["rows"][0]["state"] == "frozen")
    assert not panel.of("state")[-1]["servers"]["rows"][0]["meta"]
    lab.server("n1").thaw()
    panel.wait("state", lambda m: m["servers"]["rows"][0]["meta"])


def test_the_connections_of_leafnodes_are_no_clients(hub: Hub) -> None:
    with natslab.Lab.leafnodes("hub", ("edge1",)) as lab:
        panel = opened(hub)
        joined = panel.wait("state", lambda m: all(li["connected"] for li in m["links"]["rows"]))
        parse("sub 'news.>' --as office --on hub").run()
        parse("stream add ORDERS --subjects 'orders.>' --defaults --on hub").run()
        parse("stream add ORDERS --subjects 'local.>' --defaults --as clerk --on edge1").run()
        parse("kv add CFG --as clerk --on edge1").run()
        state = panel.wait("state", lambda m: m["streams"]["total"] == 2 and m["clients"]["total"])
        assert not joined["clients"]["total"]
        assert [row["name"] for row in state["clients"]["rows"]] == ["office"]
        for name, report in lab.monitor.heard.items():
            assert {one["kind"] for one in report.connections} <= {"Client"}, name
        counts = {row["name"]: row["connections"] for row in state["servers"]["rows"]}
        assert counts == {"hub": 1, "edge1": 0}
        assert lab.view("routing").state.strangers == []
        assert "1 client" in lab.view("topology").text()
        # Two domains may use one name; each says whose it is, and what its own domain calls it.
        kept = panel.wait("state", lambda m: m["buckets"]["total"] == 1)
        rows = [*kept["streams"]["rows"], *kept["buckets"]["rows"]]
        assert [(row["name"], row["plain"], row["domain"]) for row in rows] == [
            ("ORDERS", "ORDERS", "hub"),
            ("ORDERS@edge1", "ORDERS", "edge1"),
            ("CFG", "CFG", "edge1"),
        ]
        there = parse("stream info ORDERS --js-domain edge1 --json").run()
        assert "local.>" in repr(there)


def test_one_thing_in_detail(hub: Hub, lab: Lab) -> None:
    parse("stream add ORDERS --subjects 'orders.>' --max-age 1h --defaults").run()
    parse("consumer add ORDERS billing --pull --wait 7s --defaults").run()
    panel = opened(hub)
    panel.wait("state", lambda m: m["streams"]["total"] and m["streams"]["rows"][0]["consumers"]["total"])
    facts = dict(panel.ask("inspect", kind="stream", name="ORDERS", of="")["facts"])
    assert facts["subjects"] == "orders.>" and facts["max_age"] == "3600 s"
    assert (
        dict(panel.ask("inspect", kind="consumer", name="billing", of="ORDERS")["facts"])["ack_wait"] == "7 s"
    )
    assert "max_payload" in dict(panel.ask("inspect", kind="server", name="n1", of="")["facts"])
    assert panel.ask("inspect", kind="stream", name="GONE", of="")["facts"] == []


def test_the_editor_is_answered(hub: Hub) -> None:
    panel = opened(hub, watch=False)
    assert panel.ask("check", cell="%nats pub a --cuont 3")["found"][0]["hint"] == "Did you mean --count?"
    assert panel.ask("complete", cell="%nats pu", line=0, column=8)["items"][0]["text"] == "publish"
    assert panel.ask("help", cell="%nats pub a", line=0, column=7)["help"]["title"].startswith("publish")


def test_nonsense_harms_nobody(hub: Hub) -> None:
    panel = opened(hub)
    for data in ({}, {"op": None}, {"op": "watch", "hz": "fast", "on": 1}, {"op": "launch"}):
        panel.say(**data)
    assert "error" in panel.ask("complete", cell="%nats pu", line="x", column=[])
    assert panel.ask("check", cell=17)["found"] == []
    assert panel.wait("state")["lab"] is None


def test_a_view_is_asked_for_beside_the_notebook_that_ran_the_line(hub: Hub, lab: Lab) -> None:
    here, other = opened(hub, "a", "tab-1"), opened(hub, "b", "tab-2")
    run(asyncio.sleep(0.05))
    view = lab.view("routing", "orders.>")
    assert hub.dock(view, "right", "tab-1")
    assert here.wait("dock") == {"op": "dock", "view": "routing", "of": ["orders.>"], "side": "right"}
    assert not hub.dock(view, "right", "tab-3")
    assert other.of("dock") == []


def test_a_click_in_a_view_is_told_to_every_panel_as_its_line(hub: Hub) -> None:
    here, other = opened(hub, "a", "tab-1"), opened(hub, "b", "tab-2", watch=False)
    here.wait("state")
    front.use(front.Front(act=hub.act))
    try:
        with natslab.Lab.up() as lab:
            began = here.wait("state", lambda m: m["lab"])["lab"]["started"]
            assert here.ask("run", line="nats pub a b")["lab"] == began
            place = docked(hub, "topology")
            place.wait("fresh")
            place.say(op="hello")
            scene = place.wait("scene", lambda m: "natslab kill n1" in str(m))["scene"]
            key, i = next(
                (mark["key"], i)
                for mark in marks_of(scene)
                for i, action in enumerate(mark.get("actions", []))
                if action["line"] == "natslab kill n1"
            )
            place.say(op="act", key=key, i=i)
            for panel in (here, other):
                told = panel.wait("acted")
                assert (told["line"], told["lab"], told["error"]) == ("natslab kill n1", began, "")
                assert told["said"].startswith("n1 is dead")
            # What could not be done says so there as well, and to the stage.
            with pytest.raises(NatslabError):
                front.act("natslab cut n1 n9")
            assert "n9" in here.wait("acted", lambda m: m["act"] > told["act"])["error"]
            assert lab.server("n1").state == "down"
        assert here.ask("run", line="natslab --help")["lab"] == 0
    finally:
        front.use(None)


def marks_of(one: Any) -> Iterator[dict[str, Any]]:
    """Everything in a scene that has a key."""
    if isinstance(one, dict):
        if "key" in one:
            yield one
        for value in one.values():
            yield from marks_of(value)
    elif isinstance(one, list):
        for value in one:
            yield from marks_of(value)


def docked(hub: Hub, view: str, *of: str) -> Comm:
    comm = Comm()
    hub.opened_view(comm, {"content": {"data": {"view": view, "of": list(of)}}})
    return comm


def test_a_docked_view_shows_its_lab_and_the_next_one(hub: Hub) -> None:
    place = docked(hub, "routing")
    assert place.wait("sorry")["what"] == "There is no lab in this kernel."
    with natslab.Lab.up() as lab:
        stage = place.wait("stage")
        assert "export" in stage["esm"] and ".natslab" in stage["css"]
        place.wait("fresh")
        place.say(op="hello")
        assert place.wait("scene")["scene"]["view"] == "routing"
        parse("pub orders.new hello").run()
        place.wait("delta", lambda m: "orders.new" in str(m))
        assert lab.view("routing").stages == 1
        head = lab.tape.head
    # What was seen stays; the next lab takes its place.
    assert len(place.of("sorry")) == 1 and head
    with natslab.Lab.up() as lab:
        place.wait("fresh", lambda m: len(place.of("fresh")) == 2)
        place.say(op="hello")
        place.wait("scene", lambda m: len(place.of("scene")) == 2)
        place.leave()
        run(asyncio.sleep(0.05))
        assert lab.view("routing").stages == 0
    assert len(place.of("stage")) == 1


def test_the_same_place_of_a_page_that_was_loaded_again_is_one(hub: Hub, lab: Lab) -> None:
    for client in ("page", "page", "other"):
        comm = Comm()
        hub.opened_view(comm, {"content": {"data": {"view": "routing", "of": [], "client": client}}})
        comm.wait("fresh")
        comm.say(op="hello")
        comm.wait("scene")
    assert lab.view("routing").stages == 2


def test_a_page_may_say_on_another_comm_that_a_view_is_closed(hub: Hub, lab: Lab) -> None:
    panel = opened(hub, "page")
    comm = Comm()
    hub.opened_view(comm, {"content": {"data": {"view": "routing", "of": ["a.>"], "client": "page"}}})
    comm.wait("fresh")
    comm.say(op="hello")
    comm.wait("scene")
    panel.say(op="undock", view="routing", of=["b.>"])
    run(asyncio.sleep(0.05))
    assert lab.view("routing", "a.>").stages == 1
    panel.say(op="undock", view="routing", of=["a.>"])
    run(asyncio.sleep(0.05))
    assert lab.view("routing", "a.>").stages == 0


def test_a_docked_view_that_does_not_exist_says_so(hub: Hub, lab: Lab) -> None:
    sorry = docked(hub, "ruoting").wait("sorry")
    assert "ruoting" in sorry["what"] and "routing" in sorry["hint"]


def test_the_line_docks_where_there_is_a_workbench_and_shows_the_view_elsewhere(
    lab: Lab, capsys: pytest.CaptureFixture[str]
) -> None:
    assert repr(parse("natslab view routing --dock right").run()) == "[routing] the live view"
    assert "Nothing here shows views beside the notebook" in capsys.readouterr().out
    asked: list[tuple[str, str]] = []

    def dock(view: object, side: str) -> bool:
        asked.append((getattr(view, "name", ""), side))
        return True

    front.use(front.Front(dock=dock))
    try:
        assert (
            repr(parse("natslab view routing --dock bottom").run())
            == "[routing] the live view, beside the notebook"
        )
    finally:
        front.use(None)
    assert asked == [("routing", "bottom")]
    assert capsys.readouterr().out == ""


def test_a_lab_that_is_gone_is_let_go_of(hub: Hub) -> None:
    panel = opened(hub)
    with natslab.Lab.up() as lab:
        panel.wait("state", lambda m: m["lab"])
        gone = weakref.ref(lab)
    panel.wait("state", lambda m: m["lab"] is None)
    del lab
    for _ in range(20):
        gc.collect()
        if gone() is None:
            break
        time.sleep(0.1)
    assert gone() is None
    panel.leave()


def test_the_hub_rests_when_nobody_looks(hub: Hub) -> None:
    panel = opened(hub)
    panel.wait("state")
    panel.say(op="watch", on=False)
    run(asyncio.sleep(0.1))
    hub._dirty.set()
    for _ in range(100):
        if hub._task is None:
            break
        run(asyncio.sleep(0.05))
    assert hub._task is None
    count = len(panel.of("state"))
    panel.say(op="watch", on=True)
    panel.wait("state", lambda m: len(panel.of("state")) > count)


def test_a_cell_and_a_button_that_start_a_lab_at_once_start_one(hub: Hub) -> None:
    panel = opened(hub)
    panel.say(op="run", id=1, line="natslab up")
    try:
        parse("natslab up").run()
        assert "up: n1" in panel.wait("answer")["said"]
        assert natslab.current().servers["n1"].state == "up"
    finally:
        parse("natslab down").run()
    panel.wait("state", lambda m: m["lab"] is None)


def test_a_slow_consumer_is_an_alarm_for_a_while(hub: Hub, lab: Lab) -> None:
    panel = opened(hub)
    panel.wait("state")
    heard = lab.monitor.heard

    def counted(count: int) -> None:
        heard["n1"] = heard["n1"]._replace(varz={**heard["n1"].varz, "slow_consumers": count})
        hub._dirty.set()

    panel.wait("state", lambda m: m["servers"]["rows"][0].get("connections") is not None)
    loop().post(counted, 1)
    state = panel.wait("state", lambda m: m["alarms"])
    assert state["alarms"] == [{"kind": "slow", "of": "n1"}]
