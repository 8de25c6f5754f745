"""The acks picture on the stage: a cell's card is in the picture, and its buttons act."""

from __future__ import annotations

import pytest

from natslab.tape.event import Deliver, Server, Snap, Store
from natslab.views import acks

from .conftest import cursor, full

pytestmark = pytest.mark.browser

CELL = "msg/ORDERS/2@billing"
BUTTON = "card/ORDERS/2@billing/+ACK"


def held() -> acks.State:
    """Two messages that the lab holds, three that are stored."""
    state = acks.start()
    data = {
        "stream": "ORDERS",
        "name": "billing",
        "config": {"ack_policy": "explicit", "ack_wait": 9 * 10**9},
    }
    told = [Server(name="n1", state="up"), Snap(what="consumer", data=data)]
    told += [Store(stream="ORDERS", seq=n, subject="orders.new") for n in range(1, 6)]
    reply = "$JS.ACK.ORDERS.billing.1.{0}.{0}.1763745601204518112.3"
    told += [
        Deliver(
            stream="ORDERS",
            consumer="billing",
            seq=n,
            cseq=n,
            client="hold",
            held=True,
            reply=reply.format(n),
        )
        for n in (1, 2)
    ]
    for i, event in enumerate(told):
        event.n, event.t = i + 1, i / 10
        acks.fold(state, event)
    return state


def test_a_cell_opens_its_card_and_the_card_acts(open_stage):
    state = held()
    stage = open_stage(full(acks.draw(state)))
    stage.mark(CELL).click()
    assert stage.sent("select") == [{"op": "select", "key": CELL}]
    assert stage.page.locator(".nl-card").is_hidden(), "the picture shows it, not the inspector"
    state.selection = CELL
    stage.emit(full(acks.draw(state), 2, cursor(selection=CELL)))
    stage.mark(BUTTON).click()
    assert stage.sent("act") == [{"op": "act", "key": BUTTON, "i": 0}]
    stage.mark(CELL).click()
    assert stage.sent("select")[-1] == {"op": "select", "key": ""}
    assert not stage.errors
