"""The one background thread with the one asyncio loop that owns servers, tape and sources.

Magics are plain synchronous functions that wait on it: `run(coro)`. It never prints.
"""

from __future__ import annotations

import asyncio
import atexit
import concurrent.futures
import contextlib
import contextvars
import signal
import threading
import time
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from natslab.errors import Cancelled

T = TypeVar("T")


class Loop:
    """An asyncio loop in a daemon thread, started on first use."""

    def __init__(self) -> None:
        self.asyncio = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self.asyncio.run_forever, name="natslab", daemon=True)
        self._thread.start()
        self._spawned: set[asyncio.Task[Any]] = set()
        atexit.register(self.close)

    def inside(self) -> bool:
        """Whether the caller is on the loop's own thread."""
        return threading.current_thread() is self._thread

    def submit(self, coro: Coroutine[Any, Any, T]) -> concurrent.futures.Future[T]:
        """Start `coro` on the loop in an empty context, so that nothing it prints lands in a cell."""
        return contextvars.Context().run(asyncio.run_coroutine_threadsafe, coro, self.asyncio)

    def run(
        self,
        coro: Coroutine[Any, Any, T],
        timeout: float | None = None,
        waiting: Callable[[float], None] | None = None,
    ) -> T:
        """Run `coro` on the loop and wait for it; an interrupt cancels it.

        `waiting` is called in the caller's thread about every 0.25 s, with the seconds so far.
        Raises Cancelled when the person interrupts, TimeoutError after `timeout` seconds,
        and whatever the coroutine raises.
        """
        if self.inside():
            coro.close()
            raise RuntimeError("Loop.run() called on the loop's own thread")
        main = threading.current_thread() is threading.main_thread()
        interrupts = _Interrupts() if main else None
        try:
            # Not interruptible: half submitted, the work could neither be awaited nor cancelled.
            future = self.submit(coro)
            try:
                if interrupts is None:
                    return future.result(timeout)
                interrupts.arm()
                began = time.monotonic()
                end = None if timeout is None else began + timeout
                while not concurrent.futures.wait([future], _slice(end)).done:
                    # An exception raised inside a destructor is lost, so it is asked for too.
                    interrupts.arm()
                    if waiting is not None:
                        waiting(time.monotonic() - began)
                    if end is not None and time.monotonic() >= end:
                        raise TimeoutError
                return future.result()
            except KeyboardInterrupt:
                future.cancel()
                with contextlib.suppress(BaseException):
                    # Let the coroutine's own clean-up finish before the prompt is back.
                    concurrent.futures.wait([future], 1.0)
                raise Cancelled() from None
            except BaseException:
                future.cancel()
                raise
        finally:
            if interrupts is not None:
                interrupts.end()

    def spawn(self, coro: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        """Start a long-lived task from the loop's own thread and keep a reference to it."""
        task = contextvars.Context().run(self.asyncio.create_task, coro)
        self._spawned.add(task)
        task.add_done_callback(self._spawned.discard)
        return task

    def post(self, fn: Callable[..., object], *args: Any) -> None:
        """Call `fn(*args)` on the loop soon; from any thread, waits for nothing."""
        with contextlib.suppress(RuntimeError):  # the loop is closed: the process ends
            self.asyncio.call_soon_threadsafe(fn, *args, context=contextvars.Context())

    def close(self, budget: float = 2.0) -> None:
        """Cancel all tasks and stop the loop within `budget` seconds (a kernel has 2.5 s)."""
        end = time.monotonic() + budget

        async def stop() -> None:
            tasks = asyncio.all_tasks() - {asyncio.current_task()}
            for task in tasks:
                task.cancel()
            if tasks:
                await asyncio.wait(tasks, timeout=1)

        if self._thread.is_alive() and not self.inside():
            with contextlib.suppress(BaseException):
                self.submit(stop()).result(max(0.0, end - time.monotonic()))
            with contextlib.suppress(RuntimeError):
                self.asyncio.call_soon_threadsafe(self.asyncio.stop)
            self._thread.join(max(0.0, end - time.monotonic()))


def _slice(end: float | None) -> float:
    return 0.25 if end is None else max(0.0, min(0.25, end - time.monotonic()))


class _Interrupts:
    """The person's interrupts while we wait: those before `arm` are kept for it, later ones raise.

    A handler of our own, because a cell with a top-level await has one that only schedules a
    callback on the very loop that we are blocking.
    """

    def __init__(self) -> None:
        self._came = self._armed = False
        self._old = signal.signal(signal.SIGINT, self._interrupted)

    def _interrupted(self, *_: object) -> None:
        self._came = True
        if self._armed:
            raise KeyboardInterrupt

    def arm(self) -> None:
        """From now on an interrupt raises KeyboardInterrupt; one that came before, now."""
        self._armed = True
        if self._came:
            raise KeyboardInterrupt

    def end(self) -> None:
        """Give the signal back to whoever had it."""
        self._armed = False
        if self._old is not None:
            signal.signal(signal.SIGINT, self._old)


_loop: Loop | None = None
_lock = threading.Lock()


def loop() -> Loop:
    """The loop of this process, started on first use."""
    global _loop
    with _lock:
        if _loop is None:
            _loop = Loop()
        return _loop


def run(
    coro: Coroutine[Any, Any, T],
    timeout: float | None = None,
    waiting: Callable[[float], None] | None = None,
) -> T:
    """`loop().run(coro, timeout, waiting)`."""
    return loop().run(coro, timeout, waiting)
