"""A subscription is known to every server of the lab when its line is done."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from natslab.commands import interest, parse
from natslab.lab import Lab
from natslab.loop import run


@pytest.fixture(scope="module")
def apart() -> Iterator[Lab]:
    with Lab.leafnodes("hub", ("edge1", "edge2")) as lab:
        yield lab


def test_a_message_of_the_next_line_reaches_it_from_everywhere(apart: Lab) -> None:
    """Traced or not: asking for a trace must not drop a message on its way to a leafnode."""
    for traced in (True, False):
        apart.hub.trace = traced
        for i, place in enumerate(apart.servers):
            subject = f"there.{traced}.{i}"
            handles = [
                parse(f"nats sub {subject} --on {name} --queue {name}").run() for name in apart.servers
            ]
            for source in apart.servers:
                parse(f"nats pub {subject} {source} --on {source}").run()
            for handle in handles:
                assert [m.text for m in handle.wait(count=3, timeout=5).messages] == list(apart.servers)
                handle.stop()
            assert place in apart.servers


def test_it_is_there_when_the_line_is_done(apart: Lab) -> None:
    far = run(apart.connect("far", servers=[apart.server("edge1").url]))
    for i in range(20):
        handle = parse(f"nats sub soon.{i} --on edge2").run()
        run(far.publish(f"soon.{i}", b"x"))
        assert handle.wait(count=1, timeout=2).count == 1
        handle.stop()


def test_nobody_waits_for_a_server_that_is_away(apart: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(interest, "WITHIN", 300.0)
    apart.cut("edge2", "hub")
    try:
        began = time.monotonic()
        parse("nats sub away --on edge1").run().stop()
        assert time.monotonic() - began < 30
    finally:
        apart.heal()
