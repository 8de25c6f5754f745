"""The raft view: what it knows after which messages, what it says, and a picture that holds."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from natslab.tape.event import End, Event, Leader, Link, Pub, Quorum, Raft, Server, Snap, Store
from natslab.tape.tape import Tape
from natslab.views import raft
from natslab.views.deltas import FRAME, FULL, Deltas
from natslab.views.player import Player
from natslab.views.raft import focus as facts
from natslab.views.raft.plan import COLUMNS, columns_of
from natslab.views.raft.state import Log, reach
from natslab.views.scene import Circle, Flight, Mark, Path, Scene, Text, to_svg, walk
from tests.pictures import check
from tests.rafts import Rig, look, mark, texts, told, words
from tests.replicas import TAPE


def cells(rig: Rig, name: str) -> dict[int, str]:
    group = rig.group
    columns = [c.a for c in columns_of(rig.state, group) if c.a == c.b]
    return {i: facts.cell(rig.state, group, group.members[name], i) for i in columns}


# --- logs ---------------------------------------------------------------------------------------


def test_entries_that_are_told_as_one_are_all_there() -> None:
    """And a publisher may hear that its message is stored before anything tells of its entry."""
    rig = Rig()
    rig.elect("n1", 1)
    before = len(rig.logs[rig.leader])
    ids = [f"c/1/{90 + n}" for n in range(3)]
    for n, id_ in enumerate(ids):
        rig.tell(Pub(id=id_, client="shop", subject="orders.new", reply="_INBOX.1", timeout=5.0, size=9))
        rig.tell(Store(stream="ORDERS", id=id_, client="shop", seq=90 + n))
    followers = [p for p in rig.peers if p != rig.leader]
    for b in followers:
        rig.say("append", rig.leader, b, index=before + 2, last_term=rig.term, entries=1,
                  ops=["message"], count=3)  # fmt: skip
    made = list(rig.group.entries.values())[-3:]
    assert [(e.index, e.messages, e.seqs) for e in made] == [(before + 1 + n, 1, [90 + n]) for n in range(3)]
    assert not rig.state.asks
    look(rig)


def test_a_log_is_known_by_stretches_of_one_term() -> None:
    log = Log()
    log.put(5, 2)
    assert (log.last, log.term(5), log.term(4), log.term(6)) == (5, 2, 0, 0)
    log.put(6, 2)
    log.put(7, 3)
    assert log.runs == [(5, 2), (7, 3)]
    log.put(9, 5)
    assert (log.term(8), log.term(9)) == (0, 5), "what was between was not seen"
    log.put(8, 4)
    assert (log.last, log.term(8), log.term(9)) == (8, 4, 0), "an entry that is replaced takes the rest along"
    log.put(12, 4)
    assert log.term(10) == 4, "terms never fall, so between two of one term there is no other"
    other = Log()
    other.put(6, 2)
    other.put(7, 2)
    assert log.agrees(other) == 6
    other.like(log, 8)
    assert (other.last, other.term(7), log.agrees(other)) == (8, 3, 8)
    other.cut(6)
    assert (other.last, other.term(7)) == (6, 0)


@given(st.lists(st.tuples(st.integers(1, 12), st.integers(1, 5)), max_size=12))
def test_whatever_is_put_the_last_entry_is_known(entries: list[tuple[int, int]]) -> None:
    log = Log()
    for index, term in entries:
        log.put(index, term)
        assert (log.last, log.term(index)) == (index, term)
        assert log.runs == sorted(log.runs)


# --- elections ----------------------------------------------------------------------------------


def test_a_vote_that_was_given_is_not_known_before_it_arrives() -> None:
    rig = Rig().healthy()
    rig.isolate("n1")
    rig.wait(6.1)
    rig.link("n2", "n3", "delayed", 0.5)
    rig.ask("n2", 2)
    one = rig.group.elections[-1]
    assert (one.who, one.term, one.before, round(one.silence, 1)) == ("n2", 2, "n1", 6.1)
    assert one.answers["n1"].lost
    assert one.answers["n1"].asked < 0
    rig.wait(0.6)
    rig.grant("n3", "n2")
    assert one.granted() == ["n2", "n3"]
    assert one.knows(rig.state.now) == ["n2"]
    assert raft.describe(rig.state)[0] == "n3 has granted its vote, and n2 does not know it yet."
    scene = look(rig)
    assert "knows 1 vote, needs 2" in texts(scene)
    assert {m.key for m in walk(scene.marks) if m.key.endswith("/half")} == {"votes/n2/n3/half"}
    rig.wait(0.5)
    assert one.knows(rig.state.now) == ["n2", "n3"]
    scene = look(rig)
    assert "knows 2 votes, needs 2" in texts(scene)
    assert isinstance(mark(scene, "votes/n2/n3/o"), Circle)
    assert "fill ink" in mark(scene, "votes/n2/n3/o").classes
    assert "ink base-ground" in mark(scene, "votes/n2/n1/o").classes


def test_who_wins_leads_and_the_old_leader_is_of_an_old_term() -> None:
    rig = Rig().healthy()
    rig.isolate("n1")
    rig.publish()
    rig.publish()
    assert words(rig).startswith("n1 says leader, but reaches 1 of 3: it can commit nothing. 7 and 8 are not")
    assert cells(rig, "n1")[8] == "stored"
    assert cells(rig, "n2")[7] == "missing"
    assert "only on n1" in texts(look(rig))
    rig.wait(6)
    rig.elect("n2", 2)
    group = rig.group
    assert (group.leader, group.term, group.elections[-1].won) == ("n2", 2, True)
    assert group.elections[-1].settled > group.elections[-1].end > group.elections[-1].n
    assert words(rig) == (
        "Two servers say leader. Only n2 counts: term 2 is higher, and 2 of 3 can commit. "
        "7 and 8 of term 1 on n1 were never committed. They go when n1 hears of term 2."
    )
    assert (cells(rig, "n1")[7], cells(rig, "n1")[8], cells(rig, "n2")[7]) == (
        "divergent", "divergent", "committed",
    )  # fmt: skip
    scene = look(rig)
    assert {"at n2", "at n1", "term 2 begins", "▲ as far as n2 knows"} <= set(texts(scene))
    assert [r for r in raft.table(rig.state).rows if r[0] == "n1"] == [
        ["n1", "says leader, old term", "1", "8", "6", "7 and 8", "1", "-", "1 of 3"]
    ]
    assert told(rig)[-4:] == [
        "n2 asks for votes in term 2, after 6.0 s of silence", "n3 grants",
        "n2 leads term 2 with 2 of 3 votes", "7 of term 2 is committed",
    ]  # fmt: skip
    rig.link("n1", "n2", "open")
    rig.link("n1", "n3", "open")
    rig.wait(1)
    rig.catch_up("n1")
    assert "the wires of n1 are whole again" in told(rig)
    assert [t for t in told(rig)[-6:] if t.startswith("n1")] == [
        "n1 hears of term 2 and follows n2", "n1 drops 7 and 8 of term 1", "n1 has caught up",
    ]  # fmt: skip
    assert cells(rig, "n1")[7] == "committed"
    look(rig)


def test_a_refusal_says_why() -> None:
    rig = Rig().healthy()
    rig.server("n1", "down", "killed")
    rig.logs["n3"] = rig.logs["n3"][:-2]
    rig.wait(5)
    rig.ask("n3", 2)
    rig.grant("n2", "n3", ok=False)
    assert told(rig)[-1] == "n2 refuses: its own log is newer"
    assert raft.describe(rig.state) == (
        "n2 refuses to vote for n3.", "n3 knows of 1 vote, its own included, and needs 2.",
    )  # fmt: skip
    assert mark(look(rig), "votes/n3/n2/no")
    rig.ask("n2", 3)
    rig.grant("n3", "n2")
    rig.win("n2")
    assert (rig.group.leader, rig.group.term) == ("n2", 3)
    assert [e.over for e in rig.group.elections[-2:]] == [True, True]


def test_a_step_down_is_no_death() -> None:
    rig = Rig().healthy()
    rig.append(ops=["leader transfer"])
    rig.wait(0.02)
    rig.elect("n3", 2)
    assert [t for t in told(rig)[-6:] if "committed" not in t] == [
        "n1 steps down", "n3 asks for votes in term 2: n1 hands over to it", "n1 and n2 grant",
        "n3 leads term 2 with 3 of 3 votes",
    ]  # fmt: skip
    scene = look(rig)
    assert scene.burst is not None
    assert not scene.burst.auto, "nobody was missed"
    rig = Rig().healthy()
    rig.server("n1", "down", "killed")
    rig.wait(5)
    rig.elect("n2", 2)
    scene = look(rig)
    assert scene.burst is not None
    assert scene.burst.auto
    assert (scene.burst.words, scene.leads) == ("the election of term 2 of ORDERS", rig.name)
    first = next(e for e in rig.events if isinstance(e, Raft) and e.what == "vote" and e.term == 2)
    assert scene.burst.first == first.n - 1


def test_a_thawed_server_asks_because_it_heard_nothing_while_it_was_frozen() -> None:
    rig = Rig().healthy()
    rig.server("n3", "frozen")
    rig.wait(12)
    assert words(rig).startswith(
        "n1 leads in term 1; n3 is frozen. 2 of 3 are enough to commit; none of them"
    )
    look(rig)
    rig.server("n3", "up")
    rig.heartbeat()
    rig.ask("n3", 2)
    assert told(rig)[-2:] == ["n3 goes on", "n3 asks for votes in term 2: frozen, it heard nothing"]


def test_nobody_is_elected_without_a_majority() -> None:
    rig = Rig().healthy()
    rig.server("n2", "down", "killed")
    rig.server("n3", "frozen")
    rig.publish()
    assert words(rig) == (
        "No majority: nobody reaches another, 2 of 3 are needed. "
        "n1 still says leader in term 1, and can commit nothing; 1 entry waits."
    )
    scene = look(rig)
    assert "1 of 3: cannot commit" in texts(scene)
    rig.tell(Quorum(group=rig.name, lost=True, place="n1"))
    assert rig.group.lost
    assert told(rig)[-1] == "n1 says that the quorum is lost"
    rig.server("n3", "up")
    rig.catch_up("n3")
    rig.append()
    assert not rig.group.lost, "something was committed"


def test_silence_runs_into_a_band_in_which_nobody_knows_the_deadline() -> None:
    rig = Rig().healthy()
    rig.server("n1", "down", "killed")
    rig.wait(5.2)
    scene = look(rig)
    assert words(rig).startswith("n1, the leader, is dead. n2 and n3 hear nothing any more.")
    assert {"≈ 4 s", "≈ 9 s"} <= set(texts(scene))
    assert mark(scene, "srv/n2/silence/band").opacity < 1
    assert "level" in mark(scene, "srv/n2/silence/arc").classes
    assert "silent 5.2 s" in " ".join(texts(scene))
    assert not [m for m in walk(scene.marks) if m.key.startswith("srv/n1/silence")]
    rig.wait(60)  # far more than a turn
    look(rig)


# --- publishes ----------------------------------------------------------------------------------


def test_the_lane_says_what_publishers_know() -> None:
    rig = Rig().healthy()
    rig.publish()
    entry = rig.group.entries["7/1"]
    assert (entry.messages, entry.asked, entry.seqs) == (1, 1, [6])
    assert "Stored as message 6." in mark(look(rig), "entry/7/1").title
    rig.isolate("n1")
    open_ = rig.publish()
    assert "its publisher waits" in mark(look(rig), "entry/8/1").title
    rig.wait(2)
    rig.timeout(open_)
    assert told(rig)[-1] == "a publish at n1 got no answer"
    assert "its publisher has no answer. It may still be stored" in mark(look(rig), "entry/8/1").title
    rig.refused()
    scene = look(rig)
    assert told(rig)[-1] == "a publish at n1 is refused: no leader"
    assert "no leader" in texts(scene)
    rig.refused()
    assert told(rig)[-1] == "2 publishes are refused"


def test_what_is_not_committed_for_a_while_is_news() -> None:
    rig = Rig().healthy()
    rig.isolate("n1")
    rig.publish()
    rig.wait(0.2)
    rig.publish()
    assert isinstance(mark(look(rig), "entry/8/1/level"), Circle | Path), "on its way"
    rig.wait(1.2)
    rig.heartbeat()
    assert told(rig)[-2:] == ["7 is not committed: it is on n1 only", "8 too"]
    assert mark(look(rig), "entry/8/1/q")


def test_the_story_goes_forward_in_time_whenever_it_becomes_known() -> None:
    rig = Rig().healthy()
    rig.server("n1", "down", "kill")
    rig.refused()
    rig.wait(6)
    asked = rig.t
    rig.elect("n2", 2)
    rig.publish()
    rig.asked += 1
    id_ = f"c/1/{rig.asked}"
    rig.tell(Pub(id=id_, client="shop", subject="orders.new", reply="_INBOX.1", t=asked - 0.03))
    rig.tell(End(of="request", id=id_, client="shop", outcome="no responders", t=asked - 0.02))
    story = rig.group.story
    assert [line.t for line in story] == sorted(line.t for line in story)
    assert told(rig)[-6:] == [
        "n1 is dead",
        "2 publishes are refused",
        "n2 asks for votes in term 2, after 6.0 s of silence",
        "n3 grants",
        "n2 leads term 2 with 2 of 3 votes",
        "7 and 8 are committed",
    ]
    many = story[-5]
    assert many.until == pytest.approx(asked - 0.02)
    assert many.n < story[-4].n, "a click on it does not lead to what came after"
    time = mark(look(rig), f"line/{many.id}/t")
    assert isinstance(time, Text)
    assert time.runs[0][0] == f"{many.t:.3f}–{many.until:.1f}", "it was a while"


def test_one_index_of_two_entries_has_its_term_in_the_story() -> None:
    rig = Rig().healthy()
    rig.isolate("n1")
    rig.publish()
    rig.wait(1.2)
    rig.heartbeat()
    assert told(rig)[-1] == "7 is not committed: it is on n1 only", "there is one 7"
    rig.wait(6)
    rig.elect("n2", 2)
    assert "7 of term 1 is not committed: it is on n1 only" in told(rig)
    assert told(rig)[-1] == "7 of term 2 is committed"
    assert "1 to 6 are committed" in told(rig)
    rig.isolate("n1", state="open")
    rig.catch_up("n1")
    assert "n1 drops 7 of term 1" in told(rig)


def test_the_legend_explains_every_kind_of_mark_that_is_there() -> None:
    rig = Rig().healthy()
    rig.server("n3", "down", "kill")
    legend = {e.word: e for e in look(rig).legend}
    assert (legend["committed"].count, legend["last known"].count) == (12, 6), "nobody knows what n3 has now"
    assert (legend["acknowledged"].count, legend["of RAFT itself"].count) == (5, 1)
    assert "list of members" in legend["of RAFT itself"].title
    assert "list of members" in mark(look(rig), "entry/1/1").title
    assert legend["known to the leader"].title.startswith("Up to here n1 knows")
    assert {"heard nothing", "in reach"} <= set(legend)
    assert "no answer" not in legend
    assert "with entries" not in legend, "none is shown"
    rig.state.mode = "live"
    live = {e.word: e.count for e in raft.draw(rig.state).legend}
    assert (live["request"], live["with entries"], live["reply"]) == (None, None, None), "it does not flicker"
    rig.isolate("n1")
    rig.publish()
    rig.wait(1.5)
    legend = {e.word: e for e in look(rig).legend}
    assert (legend["no answer"].count, legend["stored only"].count) == (1, 1)
    assert all(e.title.endswith(".") for e in legend.values())


def test_a_silent_server_was_heard_so_long_ago() -> None:
    rig = Rig().healthy()
    rig.server("n3", "down", "kill")
    rig.wait(1.4)
    assert "last heard 1.4 s ago" in texts(look(rig))


def test_what_a_leader_without_wires_stored_is_in_its_report() -> None:
    """Its appends go to nobody, so they are seen nowhere."""
    rig = Rig().healthy()
    rig.isolate("n1")
    rig.tell(Pub(id="c/1/77", client="shop", subject="orders.new", reply="_INBOX.1"))
    rig.logs["n1"].append(1)
    rig.wait(0.4)
    rig.report("n1")
    entry = rig.group.entries["7/1"]
    assert (entry.guess, entry.by, entry.messages, entry.asked) == (True, "n1", 1, 1)
    assert "nobody saw it being sent" in mark(look(rig), "entry/7/1").title
    rig.wait(1.2)
    rig.report("n1")
    assert told(rig)[-1] == "7 is not committed: it is on n1 only"
    rig.link("n1", "n2", "open")
    rig.say("append", "n1", "n2", index=6, last_term=1, entries=1, ops=["message"], commit=6)
    entry = rig.group.entries["7/1"]
    assert (entry.guess, entry.messages, entry.asked) == (False, 1, 1)


def test_entries_of_other_kinds_are_no_publishes() -> None:
    rig = Rig().healthy()
    rig.append(ops=["delivered", "ack"], count=2)
    assert "delivered, ack" in mark(look(rig), "entry/7/1").title
    assert not [m for m in walk(look(rig).marks) if m.key == "entry/7/1/tick"]
    rig.append(ops=["message"] * 8, count=30)
    assert rig.group.entries["8/1"].messages == 30


# --- wires --------------------------------------------------------------------------------------


def test_what_a_wall_holds_up_is_counted() -> None:
    rig = Rig().healthy()
    rig.isolate("n1")
    rig.heartbeat()
    rig.heartbeat()
    scene = look(rig)
    lost = {m.key: m.state["lost"] for m in walk(scene.marks) if m.key in ("lost/n1>n2", "lost/n1>n3")}
    assert lost == {"lost/n1>n2": 2, "lost/n1>n3": 2}
    assert texts(scene).count("2 heartbeats") == 2
    assert [(e.word, e.count) for e in scene.legend if e.word == "lost at the wall"] == [
        ("lost at the wall", 4)
    ]
    assert mark(scene, "wall/n1").actions[0].line == "natslab heal"
    rig.link("n1", "n2", "open")
    rig.link("n1", "n3", "open")
    assert not rig.group.gone


@pytest.mark.parametrize("servers", [2, 3, 4, 5, 6, 7])
def test_a_wall_stands_between_any_two_parts(servers: int) -> None:
    for part in range(1, servers):
        rig = Rig(servers).healthy(3)
        rig.isolate(*rig.names[:part])
        rig.publish()
        scene = look(rig)
        walls = [m for m in walk(scene.marks) if m.key.startswith("wall/") and m.actions]
        assert walls
        crossed = [
            m for m in walk(scene.marks) if m.key.startswith("link/") and m.state.get("state") == "cut"
        ]
        assert len(crossed) == part * (servers - part)


def test_one_wire_that_is_held_leaves_the_others() -> None:
    rig = Rig().healthy()
    rig.link("n1", "n3", "held")
    rig.beat(2)
    assert raft.describe(rig.state) == (
        "n1 leads in term 1; n3 is out of its reach.",
        "n3 hears nothing any more, and asks for votes when its patience ends.",
    )
    assert told(rig)[-1] == "the wire between n1 and n3 holds everything back"
    scene = look(rig)
    assert "held" in texts(scene)
    group = rig.group
    assert (reach(rig.state, group, "n1"), reach(rig.state, group, "n2")) == (
        ["n1", "n2"],
        ["n1", "n2", "n3"],
    )


def test_a_slow_wire_shows_where_a_message_is() -> None:
    rig = Rig().healthy()
    rig.link("n1", "n3", "delayed", 2.0)
    rig.wait(1)
    rig.say("append", "n1", "n3", index=6, last_term=1, commit=6)
    rig.wait(0.1)
    rig.state.mode = "paused"
    near = flight(raft.draw(rig.state), "n1", "n3")
    rig.wait(1.0)
    far = flight(raft.draw(rig.state), "n1", "n3")
    assert near.exact
    assert (far.x - near.x) ** 2 + (far.y - near.y) ** 2 > 20**2
    assert near.t1 is not None
    assert near.t1 - near.t0 == pytest.approx(2.0, abs=0.01)
    assert rig.group.members["n3"].heard == pytest.approx(near.t1, abs=0.001)
    look(rig)


def flight(scene: Scene, a: str, b: str) -> Flight:
    (found,) = [f for f in scene.flights if f"{a} to {b}" in f.title]
    return found


def test_messages_are_requests_and_answers() -> None:
    rig = Rig().healthy()
    rig.wait(2)
    index, last = rig.last("n1")
    rig.say("append", "n1", "n2", index=index, last_term=last, entries=3, ops=["message"] * 3, commit=6)
    rig.state.mode = "paused"
    (request,) = raft.draw(rig.state).flights
    assert (request.sign, request.classes, request.end) == ("3", "flight fill", "delivered")
    rig.say("appended", "n2", "n1", index=index + 1, ok=True)
    (answer,) = raft.draw(rig.state).flights
    assert (answer.sign, "edge" in answer.classes, answer.group) == ("+", True, request.group)
    rig.state.mode = "live"
    assert {f.sign for f in raft.draw(rig.state).flights} == {"3", "+"}, "one after the other"
    rig.wait(1)
    assert raft.draw(rig.state).flights == []
    svg = to_svg(raft.draw(rig.state))
    assert "NaN" not in svg


def test_what_is_not_told_singly_has_its_count() -> None:
    rig = Rig().healthy()
    rig.wait(2)
    rig.say("append", "n1", "n2", index=600, last_term=1, entries=1, ops=["message"], count=312, commit=600)
    (many,) = raft.draw(rig.state).flights
    assert (many.sign, "the last of 312 like it" in many.title) == ("…", True)
    look(rig)


# --- what can be done ---------------------------------------------------------------------------


def lines(m: Mark) -> list[str]:
    return [a.line for a in m.actions]


def test_each_mark_offers_lines_that_a_learner_could_type() -> None:
    rig = Rig().healthy()
    scene = look(rig)
    assert lines(mark(scene, "srv/n1")) == [
        "natslab kill n1", "natslab freeze n1", "natslab cut --isolate n1",
        "js stream cluster step-down ORDERS",
    ]  # fmt: skip
    assert [a.key for a in mark(scene, "srv/n1").actions] == ["K", "Z", "X", "S"]
    assert lines(mark(scene, "srv/n2"))[:2] == ["natslab kill n2", "natslab freeze n2"]
    assert lines(mark(scene, "link/n1|n2")) == [
        "natslab cut n1 n2", "natslab hold n1 n2", "natslab delay n1 n2 300ms",
    ]  # fmt: skip
    assert [a.cross for a in mark(scene, "link/n1|n2").actions] == [True, False, False]
    rig.isolate("n1")
    rig.server("n2", "frozen")
    rig.server("n3", "down")
    scene = look(rig)
    assert lines(mark(scene, "srv/n1"))[2] == "natslab heal n1"
    assert lines(mark(scene, "srv/n2"))[1] == "natslab thaw n2"
    assert lines(mark(scene, "srv/n3")) == ["natslab restart n3"]
    assert lines(mark(scene, "link/n1|n2")) == ["natslab heal n1 n2"]
    crossed = {m.key for m in walk(scene.marks) if any(a.cross for a in m.actions)}
    assert crossed == {"link/n2|n3"}, "a line cuts what is whole, and heals nothing"


def test_names_that_a_shell_would_split_are_quoted() -> None:
    from natslab.views.raft.ring import step_down

    group = raft.Group(name="C-R3F-x", type="consumer", stream="A B", consumer="w>")
    assert step_down(group) == "js consumer cluster step-down 'A B' 'w>'"
    assert step_down(raft.Group(name="_meta_", type="meta")) == "nats server raft step-down"


def test_a_line_of_the_story_leads_back_to_its_moment() -> None:
    rig = Rig().healthy(2)
    scene = look(rig)
    (line,) = [m for m in walk(scene.marks) if m.key.startswith("line/") and "n1 leads term 1" in m.title]
    moment = next(e for e in rig.events if e.n == line.at)
    assert isinstance(moment, Raft)
    assert moment.what == "append"


def test_an_election_is_walked_through_in_a_few_steps() -> None:
    rig = Rig().healthy()
    rig.server("n1", "down", "kill")
    for _ in range(81):
        rig.wait(0.05)
        rig.refused()
    rig.wait(2)
    rig.elect("n2", 2)
    rig.beat(10)
    tape = Tape()
    for event in rig.events:
        tape.append(event)
    player = Player(tape, "raft", ("ORDERS",))

    def way(n: int, by: int, far: bool = False) -> list[str]:
        """The newest sentence at each step, until nothing new comes."""
        out = []
        while len(out) < 99:
            n, before = player.stop(n, by, far) or 0, n
            if n == before:
                return out
            group = player.at(n).groups.get(rig.name)
            out.append(group.story[-1].text if group and group.story else "")
        return out

    every = [line.text for line in rig.group.story]
    dead = every.index("n1 is dead")
    assert every[dead + 1 : dead + 5] == [
        "81 publishes are refused", every[dead + 2], "n3 grants", "n2 leads term 2 with 2 of 3 votes",
    ]  # fmt: skip
    forward = way(0, 1)
    assert forward[: len(every)] == every
    assert len(forward) == len(every) + 1, "and then the end of the tape"
    back = way(tape.head, -1)
    assert back == [*reversed(every), ""]
    turns = ["n1 is dead", every[dead + 2], "n2 leads term 2 with 2 of 3 votes"]
    assert way(0, 1, far=True)[-4:-1] == turns, "no election is leapt over"
    assert way(tape.head, -1, far=True)[:3] == turns[::-1]


# --- columns ------------------------------------------------------------------------------------


def test_columns_stay_while_they_can() -> None:
    rig = Rig().healthy(6)
    assert [c.a for c in columns_of(rig.state, rig.group)] == [1, 2, 3, 4, 5, 6]
    starts = []
    for _ in range(12):
        rig.publish()
        starts.append(columns_of(rig.state, rig.group)[0].a)
    assert len(set(starts)) == 4
    rig.isolate("n3")
    for _ in range(40):
        rig.publish()
    columns = columns_of(rig.state, rig.group)
    assert len(columns) <= COLUMNS
    assert [c for c in columns if c.a != c.b], "what all have, and what is far ahead"
    assert {18, 19, 58} <= {c.a for c in columns}
    assert "40 behind" in " ".join(texts(look(rig)))


def test_large_numbers_fit() -> None:
    rig = Rig()
    rig.logs = {p: [] for p in rig.peers}
    rig.term, rig.leader = 12_345, "n1"
    for name in rig.names:
        rig.report(name, pindex=1_234_567, pterm=12_345, committed=1_234_560, first=1_000_000)
    scene = look(rig)
    assert any(text.startswith("1 234 5") for text in texts(scene))


# --- a real run ---------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def real() -> Tape:
    return Tape.open(TAPE)


def test_a_real_run_is_told_as_it_was(real: Tape) -> None:
    """A leader was cut off and came back, the next one died, a follower froze: `tests/replicas.py`."""
    state = raft.start(("ORDERS",))
    story: dict[int, str] = {}
    for event in real.between(0, real.head):
        raft.fold(state, event)
        for group in state.groups.values():
            story |= {line.n: line.text for line in group.story}
    group = state.group("ORDERS")
    said = list(dict.fromkeys(story.values()))
    first = next(t for t in said if t.startswith("the wires of ")).split()[3]
    won = [t.split()[0] for t in said if " leads term " in t]
    assert won[-2:] == [won[-2], group.leader]
    expected = [
        f"the wires of {first} are cut",
        f"a publish at {first} got no answer",
        f"{won[-2]} asks for votes in term 2",
        f"{won[-2]} leads term 2 with 2 of 3 votes",
        f"the wires of {first} are whole again",
        f"{first} hears of term 2",
        f"{won[-2]} sends {first} what it missed",
        f"{first} has caught up",
        f"{won[-2]} is dead",
        f"{won[-1]} leads term ",
        f"{won[-2]} is back",
        f"{won[-2]} has caught up",
        "is frozen",
        "goes on",
    ]
    at = 0
    for part in expected:
        found = [i for i, text in enumerate(said) if i >= at and part in text]
        assert found, f"{part!r} is not told after {said[:at]}: {said[at:]}"
        at = found[0]
    assert f"{first} drops" in " ".join(said)
    assert "all 3 have everything up to 9." in raft.describe(state)[0]
    elections = [e for e in group.elections if e.won and e.before]
    assert all(4.0 <= e.silence <= 11.0 for e in elections), "the timer is 4 to 9 s"


def test_what_is_known_is_what_each_server_said_last(real: Tape) -> None:
    state = raft.start(("ORDERS",))
    reports: dict[str, dict[str, Any]] = {}
    for event in real.between(0, real.head):
        raft.fold(state, event)
        if isinstance(event, Snap) and event.what == "raft" and not event.data.get("gone"):
            reports[event.place] = event.data
    group = state.group("ORDERS")
    for name, said in reports.items():
        one = group.members[name]
        assert (one.term, one.role) == (said["term"], said["state"].lower())
        assert one.log.last >= said["pindex"]
        assert one.commit >= said["committed"]
    assert group.quorum == 2


def test_each_moment_of_a_real_run_has_a_picture(real: Tape) -> None:
    state = raft.start(("ORDERS",))
    deltas = Deltas()
    for event in real.between(0, real.head):
        raft.fold(state, event)
        for mode in ("live", "paused"):
            state.mode = mode
            scene = check(raft, state)
        size = len(msgspec.json.encode(deltas.frame(scene)))
        assert size < (FULL if event.n == 1 else FRAME)
    assert not deltas.left_out


def test_going_back_shows_the_same(real: Tape) -> None:
    player = Player(real, "raft", ("ORDERS",))
    forth = [to_svg(player.scene(n)) for n in range(1, real.head, 7)]
    back = [to_svg(player.scene(n)) for n in reversed(range(1, real.head, 7))]
    assert forth == back[::-1]


# --- anything -----------------------------------------------------------------------------------

names = st.sampled_from(["n1", "n2", "n3", "n4"])
small = st.integers(0, 9)
times = st.floats(0, 30, allow_nan=False)
kinds = st.sampled_from(["vote", "voted", "append", "appended", "catchup", "propose"])
ops = st.lists(st.sampled_from(["message", "peers", "leader transfer"]))


def report(place: str, t: float, **data: Any) -> Snap:
    return Snap(place=place, t=t, what="raft", data={"group": "S-R3F-x", "peers": {}, **data})


def members(peers: set[str], t: float) -> Snap:
    data = {"group": "S-R3F-x", "type": "stream", "stream": "ORDERS", "peers": sorted(peers)}
    return Snap(place="n1", t=t, what="group", data=data)


anything = st.one_of(
    st.builds(
        Raft, group=st.sampled_from(["S-R3F-x", "_meta_"]), what=kinds, a=names, b=names, term=small,
        index=small, last_term=small, commit=small, entries=st.integers(0, 3), ops=ops, ok=st.booleans(),
        lost=st.sampled_from(["", "held"]), t=times, count=st.integers(1, 400),
    ),
    st.builds(
        Leader, group=st.just("S-R3F-x"), leader=st.sampled_from(["", "n1", "n2", "n9"]), term=small, t=times
    ),
    st.builds(Quorum, group=st.just("S-R3F-x"), lost=st.booleans(), t=times),
    st.builds(
        Link, a=names, b=names, state=st.sampled_from(["open", "cut", "held", "delayed", "removed"]),
        delay=st.floats(0, 2), connected=st.booleans(), t=times,
    ),
    st.builds(
        Server, name=names, t=times,
        state=st.sampled_from(["starting", "up", "down", "frozen", "lame duck", "removed"]),
    ),
    st.builds(
        Pub, id=st.sampled_from(["c/1/1", "c/1/2"]), client=st.just("shop"), subject=st.just("orders.x"),
        reply=st.just("_INBOX.1"), timeout=st.floats(0.1, 5), t=times,
    ),
    st.builds(
        report, place=names, t=times, state=st.sampled_from(["LEADER", "FOLLOWER", "CANDIDATE"]), term=small,
        committed=small, pindex=small, pterm=small, leader=st.sampled_from(["", "n1", "n3"]),
        voted_for=st.just(""), gone=st.booleans(),
    ),
    st.builds(members, peers=st.sets(names, min_size=1), t=times),
)  # fmt: skip


@settings(max_examples=100, deadline=None)
@given(st.lists(anything, max_size=40), st.sampled_from([(), ("ORDERS",), ("meta",)]), st.booleans())
def test_any_order_of_events_has_a_picture(events: list[Event], of: tuple[str, ...], live: bool) -> None:
    state = raft.start(of)
    raft.fold(state, Snap(what="stream", place="n1", data={
        "name": "ORDERS", "config": {"num_replicas": 3, "subjects": ["orders.>"]},
    }))  # fmt: skip
    for n, event in enumerate(events, 1):
        event.n = n
        raft.fold(state, event)
    state.mode = "live" if live else "paused"
    scene = check(raft, state)
    assert len(msgspec.json.encode(Deltas().frame(scene))) < FRAME
    assert raft.dot(state).startswith("graph")


def test_names_of_any_length_and_script_stay_in_their_room() -> None:
    rig = Rig().healthy()
    assert check(raft, rename(rig, lambda n: f"EAST-{n}"))
    assert check(raft, rename(rig, lambda n: f"a-server-with-a-very-long-name-{n}"))


def rename(rig: Rig, called: Callable[[str], str]) -> raft.State:
    """The same with other names."""
    raw = msgspec.json.encode(rig.state).decode()
    for name in rig.names:
        raw = raw.replace(f'"{name}', f'"{called(name)}').replace(f"|{name}", f"|{called(name)}")
    return msgspec.json.decode(raw.encode(), type=raft.State)
