"""The background loop: waiting, interrupts, and what they leave behind."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading

import pytest

from natslab.errors import CommandError
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


INTERRUPTED = """
import asyncio, os, signal, threading
from natslab.errors import Cancelled
from natslab.loop import run

cleaned, started = threading.Event(), threading.Event()

async def long():
    started.set()
    try:
        await asyncio.sleep(60)
    finally:
        cleaned.set()

def interrupt():
    started.wait(5)
    os.kill(os.getpid(), signal.SIGINT)

before = signal.getsignal(signal.SIGINT)
threading.Thread(target=interrupt).start()
try:
    run(long())
except Cancelled:
    print("cancelled")

async def still_there():
    return "still there"

print(cleaned.wait(2), signal.getsignal(signal.SIGINT) == before, run(still_there()))
"""


def test_an_interrupt_cancels_the_coroutine_and_nothing_else() -> None:
    # In a process of its own: a test runner's worker must not be the one that is interrupted.
    done = subprocess.run([sys.executable, "-c", INTERRUPTED], capture_output=True, text=True, timeout=30)
    assert done.stdout.split("\n")[:2] == ["cancelled", "True True still there"], done.stderr


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
