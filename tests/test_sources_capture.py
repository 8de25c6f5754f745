"""What a stream stores is not marked by being watched."""

from __future__ import annotations

from natslab.loop import run
from tests.watching import watching


def test_what_goes_into_a_stream_made_just_now_carries_no_trace() -> None:
    async def go() -> None:
        async with watching() as w:
            client = await w.connect("maker")
            js = client.jetstream()
            for n in range(5):
                await js.add_stream(name=f"NEW{n}", subjects=[f"new.{n}"])
                await client.publish(f"new.{n}", b"x")
                await client.sync()
                stored = await js.get_msg(f"NEW{n}", 1)
                assert stored.headers is None

    run(go())
