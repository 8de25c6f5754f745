"""The background loop: waiting, interrupts, and what they leave behind."""

from __future__ import annotations

import asyncio
import os
import signal
import threading
import time

import pytest

from natslab.errors import Cancelled, CommandError
from natslab.loop import loop, run


def test_run_gives_the_result_and_the_error() -> None:
    async def three() -> int:
        await asyncio.sleep(0)
        return 3

    async def wrong() -> None:
        raise CommandError("No.", "Do.")

    assert run(three()) == 3
    with pytest.raises(CommandError):
        run(wrong())


def test_an_interrupt_cancels_the_coroutine_and_nothing_else() -> None:
    cleaned = threading.Event()
    started = threading.Event()

    async def long() -> None:
        started.set()
        try:
            await asyncio.sleep(60)
        finally:
            cleaned.set()

    def interrupt() -> None:
        started.wait(5)
        os.kill(os.getpid(), signal.SIGINT)

    before = signal.getsignal(signal.SIGINT)
    threading.Thread(target=interrupt).start()
    begun = time.monotonic()
    with pytest.raises(Cancelled):
        run(long())
    assert time.monotonic() - begun < 10
    assert cleaned.wait(2)
    assert signal.getsignal(signal.SIGINT) == before

    async def still_there() -> str:
        return "yes"

    assert run(still_there()) == "yes"


def test_waiting_on_the_loop_itself_is_refused() -> None:
    async def inner() -> None:
        run(asyncio.sleep(0))

    with pytest.raises(RuntimeError, match="own thread"):
        run(inner())


def test_what_is_started_does_not_inherit_the_callers_context() -> None:
    import contextvars

    where: contextvars.ContextVar[str] = contextvars.ContextVar("where", default="nowhere")
    where.set("cell")

    async def read() -> str:
        return where.get()

    assert run(read()) == "nowhere"


def test_post_calls_on_the_loop() -> None:
    done = threading.Event()
    inside: list[bool] = []
    loop().post(lambda: (inside.append(loop().inside()), done.set()))
    assert done.wait(5)
    assert inside == [True]
