"""A lab goes down at any moment, also when something wakes its sources just then."""

from __future__ import annotations

import threading

import natslab
from natslab.loop import loop


def test_down_right_after_a_view_closed() -> None:
    def often() -> None:
        for _ in range(5):
            lab = natslab.Lab.up()
            loop().post(lab._monitor.watch, 1)
            loop().post(lab._monitor.watch, -1)
            lab.down()
        done.set()

    done = threading.Event()
    # A hang must fail this test and not the whole run.
    threading.Thread(target=often, daemon=True).start()
    assert done.wait(20), "natslab.Lab.down() hangs"
