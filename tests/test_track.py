"""What the scrubber shows of wires and leaders; the older parts are tested where frames are."""

from __future__ import annotations

from natslab.tape.event import Leader, Link, Raft, Server
from natslab.tape.tape import Tape
from natslab.views.track import Track


def test_who_led_is_told_of_the_group_that_is_asked_for() -> None:
    tape = Tape()
    track = Track(tape)
    for t, name, term in ((1.0, "n1", 1), (1.5, "n1", 1), (6.0, "", 2), (6.1, "n2", 2)):
        tape.append(Leader(t=t, group="S", leader=name, term=term))
    tape.append(Leader(t=7.0, group="M", leader="n3", term=4))
    told = track.painted("S")
    assert [(b["t0"], b.get("t1"), b["text"]) for b in told["bands"]] == [
        (1.0, 6.0, "n1 leads, term 1"), (6.1, None, "n2 leads, term 2"),
    ]  # fmt: skip
    assert [(s["glyph"], s["t"], s["text"]) for s in told["signs"]] == [("◎", 6.1, "n2 leads, term 2")]
    assert [b["name"] for b in track.painted("M")["bands"]] == ["n3"]
    assert track.painted()["bands"] == []
    tape.close()


def test_wires_that_change_together_have_one_sign() -> None:
    tape = Tape()
    track = Track(tape)
    for a, b in (("n1", "n2"), ("n1", "n3"), ("n2", "n3")):
        tape.append(Link(t=0.5, a=a, b=b, connected=True))
    tape.append(Link(t=2.0, a="n1", b="n2", state="cut"))
    tape.append(Link(t=2.1, a="n1", b="n3", state="cut"))
    tape.append(Link(t=2.15, a="n1", b="n3", state="cut"))  # nothing new
    tape.append(Server(t=4.0, name="n2", state="frozen"))
    tape.append(Link(t=8.0, a="n2", b="n3", state="held", connected=True))
    tape.append(Link(t=9.0, a="n1", b="n2", state="open"))
    signs = track.painted()["signs"]
    assert [(s["glyph"], s["name"], s["text"]) for s in signs] == [
        ("┇", "n1", "the wires of n1 are cut"), ("‖", "n2", "n2 is frozen"),
        ("┆", "n2–n3", "the wire n2–n3 is held"), ("=", "n1–n2", "the wire n1–n2 is whole again"),
    ]  # fmt: skip
    tape.close()


def test_heartbeats_are_no_news_and_votes_are() -> None:
    tape = Tape()
    for i in range(5):
        tape.append(Raft(t=1.0 + i, group="S", what="append", a="n1", b="n2"))
    tape.append(Raft(t=9.0, group="S", what="vote", a="n2", b="n3"))
    tape.append(Raft(t=9.5, group="S", what="append", a="n2", b="n3", entries=1))
    assert [beat[1] for beat in Track(tape).painted()["beats"]] == [9.0, 9.5]
    tape.close()
