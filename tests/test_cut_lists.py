"""A consumer's lists that are too long for one report: how many more there are is said of each."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from natslab.sources import acks
from natslab.sources.statefile import State as File
from natslab.tape.event import Snap
from natslab.tape.tape import Tape
from natslab.views.player import Player


@pytest.mark.parametrize(("pending", "again"), [(30, 20), (5, 20), (30, 5), (5, 5)])
def test_both_counts_are_exact(monkeypatch: pytest.MonkeyPatch, pending: int, again: int) -> None:
    monkeypatch.setattr(acks, "MOST", 10)
    tape = Tape()
    fleet = SimpleNamespace(watcher=None)
    source = acks.Acks(fleet, None, tape, None)  # type: ignore[arg-type]
    one = acks._Consumer(0.0)
    top = 100
    one.state = File(
        (0, 0),
        (top, top),
        {seq: (seq, 0) for seq in range(1, pending + 1)},
        dict.fromkeys(range(1, again + 1), 1),
    )
    tape.append(
        Snap(
            what="stream",
            data={"name": "ORDERS", "state": {"first_seq": 1, "last_seq": top, "messages": top}},
        )
    )
    source._pending(("ORDERS", "billing"), one, None)
    snap = tape.between(tape.head - 1, tape.head)[0]
    assert isinstance(snap, Snap)
    assert len(snap.data["pending"]) + snap.data.get("left_out", 0) == pending
    assert len(snap.data["redelivered"]) + snap.data.get("left_out_again", 0) == again
    totals = Player(tape, "acks").at().totals("ORDERS", "billing")
    assert totals.flight == pending
    assert totals.redelivered == again
    tape.close()
