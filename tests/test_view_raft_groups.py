"""Which group the raft view shows, and what it says of the others."""

from __future__ import annotations

from natslab.tape.event import Leader, Quorum, Server, Snap
from natslab.views import raft
from natslab.views.raft.state import leader_of
from natslab.views.raft.words import says
from natslab.views.scene import walk
from tests.pictures import check
from tests.rafts import Rig, look, meta, texts, told, words


def test_without_a_name_it_is_the_meta_group_with_the_others_below() -> None:
    rig = Rig(of=()).healthy()
    meta(rig, 2)
    scene = look(rig)
    assert raft.describe(rig.state)[0] == (
        "n2 leads the meta group in term 3: all 3 have everything up to 40."
    )
    assert "Three more groups" in texts(scene)
    assert {"ORDERS", "S0", "S1"} <= set(texts(scene))
    rig.state.selection = f"group/{rig.name}"
    assert "n1 leads ORDERS in term 1" in raft.describe(rig.state)[0]
    look(rig)


def test_without_a_name_it_is_the_one_stream_that_there_is() -> None:
    rig = Rig(of=()).healthy()
    meta(rig, 0)
    rig.tell(Snap(place="n1", what="group", data={
        "group": "C-R3F-billing", "type": "consumer", "stream": "ORDERS", "consumer": "billing",
        "peers": rig.names,
    }))  # fmt: skip
    rig.tell(Leader(group="C-R3F-billing", leader="n2", term=1))
    scene = look(rig)
    assert raft.describe(rig.state)[0].startswith("n1 leads ORDERS in term 1")
    assert {"Meta group", "ORDERS > billing", "Two more groups"} <= set(texts(scene))
    rig.state.selection = "group/_meta_"
    assert "leads the meta group in term 3" in raft.describe(rig.state)[0]
    assert "ORDERS" in texts(look(rig)), "and from there back to the stream"
    rig.state.selection = ""
    meta(rig, 1)
    assert "leads the meta group" in raft.describe(rig.state)[0], "of two streams, none is the one"


def test_a_stream_with_one_replica_elects_nobody_and_is_not_shown_first() -> None:
    rig = Rig(of=(), peers=["n1"]).healthy()
    meta(rig, 0)
    assert "leads the meta group" in raft.describe(rig.state)[0]
    look(rig)


def test_trouble_in_another_group_is_said_beside_the_one_that_is_shown() -> None:
    rig = Rig(of=()).healthy()
    meta(rig, 0)
    assert "meta" not in words(rig)
    rig.server("n2", "down", "kill")  # it led the meta group alone
    assert raft.describe(rig.state) == (
        "n1 leads in term 1; n2 is down.",
        "2 of 3 are enough to commit; none of them may fail now. The meta group has no leader.",
    )
    scene = look(rig)
    assert ["Meta group", "no leader"] in [row[:2] for row in raft.table(rig.state).rows]
    assert "nobody" in texts(scene)
    rig.state.selection = "group/_meta_"
    assert "The meta group" not in raft.describe(rig.state)[1]
    look(rig)
    rig.state.selection = ""
    rig.isolate("n1")
    assert raft.describe(rig.state)[1].endswith("The meta group has no majority.")
    look(rig)


def test_a_leader_that_is_cut_off_is_trouble_too_and_of_many_groups_two_are_named() -> None:
    rig = Rig(of=()).healthy()
    meta(rig, 9)
    rig.isolate("n2")
    assert raft.describe(rig.state)[0].startswith("n2 says leader, but reaches 1 of 3")
    assert raft.describe(rig.state)[1].endswith("S0, S1 and others have a leader without a majority.")
    look(rig)
    rig.link("n1", "n2", "open")
    rig.link("n2", "n3", "open")
    rig.tell(Leader(group="S-R3F-00000008", leader="n2", term=3))
    rig.tell(Quorum(group="S-R3F-00000008", lost=True))
    assert raft.describe(rig.state)[1].endswith("S8 has no majority.")
    assert "S8" in texts(look(rig)), "it has a row before those that are well"


def test_many_groups_are_a_list_with_the_meta_group_first() -> None:
    rig = Rig(of=()).healthy()
    meta(rig, 60)
    rig.tell(Snap(place="n3", what="raft", data={
        "group": "S-R3F-00000050", "state": "FOLLOWER", "term": 3, "leader": "n2", "committed": 20,
        "pindex": 20, "pterm": 3, "peers": {},
    }))  # fmt: skip
    rig.wait(3)
    rig.tell(Snap(place="n3", what="raft", data={
        "group": "S-R3F-00000050", "state": "FOLLOWER", "term": 3, "leader": "n2", "committed": 20,
        "pindex": 20, "pterm": 3, "peers": {},
    }))  # fmt: skip
    scene = look(rig)
    assert raft.describe(rig.state)[0] == "62 RAFT groups, each with a leader."
    table = raft.table(rig.state)
    rows = table.rows
    assert rows[0][0] == "Meta group"
    assert len(rows) == 41
    assert rows[-1][0] == "62 groups"
    assert table.apart == [table.keys[0], table.keys[-1]], (
        "a person who sorts them leaves these where they are"
    )
    assert ["20", "n3"] in [row[-2:] for row in rows]
    assert "n3 20 behind" in texts(scene)
    assert "and 22 more, all well" in texts(scene)


def test_more_servers_than_a_ring_has_room_for_are_a_list() -> None:
    rig = Rig(9).healthy(2)
    scene = look(rig)
    assert [m.key for m in walk(scene.marks) if m.key.startswith("group/") and "/" not in m.key[6:]]
    assert raft.describe(rig.state)[0] == "One RAFT group, and it has a leader."


def test_servers_without_a_replica_are_outside() -> None:
    rig = Rig(5, peers=["n1", "n2", "n4"]).healthy()
    scene = look(rig)
    assert "ORDERS\u2002on n1, n2 and n4, not on n3 and n5" in texts(scene)
    assert not [m for m in walk(scene.marks) if m.key == "srv/n3"]


def test_what_is_not_there_is_said() -> None:
    state = raft.start(("ORDERS",))
    assert raft.describe(state)[0] == "There is no stream ORDERS."
    check(raft, state)
    raft.fold(state, Server(name="n1", state="up"))
    raft.fold(state, Snap(place="n1", what="stream", data={"name": "ORDERS", "config": {"num_replicas": 1}}))
    assert raft.describe(state)[0].startswith("ORDERS has one replica: nothing to agree on")
    raft.fold(state, Server(name="n1", state="down"))
    assert raft.describe(state)[0] == "No server is up."
    check(raft, state)
    alone = raft.start()
    check(raft, alone)
    raft.fold(alone, Server(name="n1", state="up"))
    assert raft.describe(alone)[0] == "One server agrees with nobody: there is no RAFT group."
    check(raft, alone)
    gone = Rig()
    gone.healthy()
    gone.tell(Snap(place="n1", what="stream", data={"name": "ORDERS", "gone": True}))
    assert raft.describe(gone.state)[0] == "There is no stream ORDERS."
    # A line that works as it stands: with a subject, and with as many replicas as there can be.
    line = "Make one: %js stream add ORDERS --subjects 'orders.>'"
    assert raft.describe(gone.state)[1] == f"{line} --defaults"
    meta(gone, 0)
    assert raft.describe(gone.state)[1] == f"{line} --replicas 3 --defaults"
    check(raft, gone.state)


def test_where_no_messages_are_seen_reports_tell() -> None:
    rig = Rig()
    rig.tell(Snap(place="n1", what="group", data={
        "group": rig.name, "type": "stream", "stream": "ORDERS", "peers": rig.names, "by": "monitoring",
    }))  # fmt: skip
    rig.term, rig.leader = 4, "n2"
    rig.logs = {"n1": [1, 1, 4], "n2": [1, 1, 4, 4], "n3": [1, 1, 4, 4]}
    rig.commits = {"n1": 3, "n2": 4, "n3": 4}
    for name in rig.names:
        rig.report(name)
    group = rig.group
    assert (group.leader, group.term, group.commit, group.quorum) == ("n2", 4, 4, 2)
    assert group.known == {"n1": 3, "n3": 4}
    scene = look(rig)
    assert scene.sources == "as each server reports it; no messages are seen"
    rig.term, rig.leader = 5, "n3"
    rig.report("n3")
    rig.report("n1", voted_for="n3")
    assert (group.leader, group.members["n1"].voted) == ("n3", "n3")
    assert says(rig.state, group, group.members["n2"]) == "says leader, old term"
    rig.report("n2")
    assert told(rig)[-1] == "n2 hears of term 5 and follows"


def test_a_report_of_before_does_not_undo_what_was_seen() -> None:
    rig = Rig().healthy()
    rig.publish()
    rig.report("n2", pindex=6, committed=5)
    assert rig.group.members["n2"].log.last == 7
    rig.wait(5)
    rig.report("n2", pindex=6, committed=5)
    assert rig.group.members["n2"].log.last == 6, "it says so for longer than a report is on its way"


def test_a_stream_that_is_made_again_has_another_group() -> None:
    rig = Rig().healthy()
    rig.tell(Snap(place="n1", what="group", data={
        "group": "S-R3F-new", "type": "stream", "stream": "ORDERS", "peers": rig.names,
    }))  # fmt: skip
    assert [g.name for g in rig.state.groups.values() if g.stream == "ORDERS"] == ["S-R3F-new"]
    assert leader_of(rig.state, rig.group) is None
    look(rig)
