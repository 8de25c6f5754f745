"""What still holds when the journal lets go of what is old."""

from pathlib import Path

import pytest

from natslab.tape import journal
from natslab.tape.event import Event, Leader, Link, Mark, Quorum, Snap
from natslab.tape.tape import Tape


def group(name: str, gone: bool = False) -> Snap:
    data = {"group": name, "gone": True} if gone else {"group": name, "type": "stream", "stream": name[-1]}
    return Snap(what="group", place="n1", data=data)


def raft(place: str, name: str, term: int) -> Snap:
    return Snap(what="raft", place=place, data={"group": name, "term": term})


def wire(a: str, b: str, n: int) -> Snap:
    return Snap(what="wire", place=a, data={"a": a, "b": b, "ab_msgs": n})


THEN: list[tuple[Event, bool]] = [  # what happened long ago, and whether it still holds
    (Link(a="n1", b="n2"), False),
    (Link(a="n1", b="n3", state="held"), True),
    (Link(a="n1", b="n2", state="cut"), True),
    (Link(a="n1", b="n4"), False),
    (Link(a="n1", b="n4", state="removed"), False),
    (group("g-S"), False),
    (group("g-S"), True),
    (raft("n1", "g-S", 1), False),
    (raft("n2", "g-S", 1), True),
    (raft("n1", "g-S", 2), True),
    (Leader(group="g-S", leader="n1", term=1), False),
    (Leader(group="g-S", leader="n2", term=2), True),
    (Quorum(group="g-S", lost=True), False),
    (Quorum(group="g-S", lost=False), False),
    (Quorum(group="g-M", lost=True), True),
    (wire("n1", "n2", 5), False),
    (wire("n1", "n3", 5), True),
    (wire("n1", "n2", 6), True),
    (group("g-T"), False),
    (raft("n1", "g-T", 1), False),
    (Leader(group="g-T", leader="n1", term=1), False),
    (Quorum(group="g-T", lost=True), False),
    (group("g-T", gone=True), False),
    (raft("n3", "g-S", 2), False),
    (Snap(what="raft", place="n3", data={"group": "g-S", "gone": True}), False),
]


def test_what_holds_of_several_servers_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal, "LIMIT", 40_000)
    tape = Tape()
    for event, _ in THEN:
        tape.append(event)
    for i in range(1_000):
        tape.append(Mark(what="run", text=f"{i}" + "." * 50))
    assert tape.cut > len(THEN)
    opened = Tape.open(tape.save(tmp_path / "tape"))
    kept = [e for e in opened.between(0, opened.cut) if not isinstance(e, Mark)]
    assert kept == [event for event, holds in THEN if holds]
    tape.close()
