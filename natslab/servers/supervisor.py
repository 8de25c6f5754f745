"""This process's hold on the supervisor, the child that ends every server when we are gone.

Started without waiting (`%load_ext` does it), so that a later first server only waits for an answer.
"""

from __future__ import annotations

import asyncio
import atexit
import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from natslab.errors import LabError, ServerError
from natslab.servers import disk

# Imported, not run as a script: that would be compiled each time (7 of 28 ms).
_CHILD = """\
import sys
sys.path.append(sys.argv[1])
import supervisor_child
supervisor_child.main(int(sys.argv[2]))
"""
_ANSWER = 5.0  # seconds; an answer takes 0.1 ms, and 30 ms while the child still starts

Heard = Callable[[str, int], None]  # what happened ("exited", "stopped", "continued"), its exit code


class Supervisor:
    """One supervisor process. Everything but the constructor and `close` belongs to natslab's loop."""

    def __init__(self) -> None:
        self._owner = os.getpid()
        self._process = subprocess.Popen(
            # -I -S: nothing of the person's environment, and half the start time
            [sys.executable, "-I", "-S", "-c", _CHILD, str(Path(__file__).parent), str(self._owner)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            bufsize=0,
            # An interrupt in the notebook is sent to the kernel's process group. And Linux shares out
            # processor time by sessions: servers and wires have theirs, whatever a cell computes.
            start_new_session=True,
        )
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._to = self._process.stdin
        self._from = self._process.stdout
        self._loop: asyncio.AbstractEventLoop | None = None
        self._rest = b""
        self._no = 0
        self._asked: dict[int, tuple[asyncio.Future[dict[str, Any]], Heard | None]] = {}
        self._heard: dict[int, Heard] = {}
        self._folders: set[Path] = set()
        self.alive = True
        self._closed = False
        atexit.register(self.close)

    @property
    def pid(self) -> int:
        """The supervisor's process id."""
        return self._process.pid

    async def make_folder(self, prefix: str = "natslab-") -> Path:
        """Make a private temporary folder that goes when this process goes. Raises ServerError."""
        base = tempfile.gettempdir()
        path = Path((await self._ask("folder", base=base, prefix=prefix))["path"])
        self._folders.add(path)
        return path

    async def remove_folder(self, path: Path) -> None:
        """Remove a folder that `make_folder` made. Raises ServerError."""
        await self._ask("remove", path=str(path))
        self._folders.discard(path)

    async def lock(self, store: Path) -> None:
        """Make the store folder and lock it, until `unlock` or the last server on it is dead.

        Raises LabError when another lab holds it, ServerError when it cannot be written.
        """
        asked = asyncio.ensure_future(self._ask("lock", path=str(store)))
        try:
            holder = (await asyncio.shield(asked))["holder"]
        except asyncio.CancelledError:
            if (await asked)["holder"] is None:  # nobody else would let go of it
                await self.unlock(store)
            raise
        if holder is not None:
            who = "this notebook" if holder == self._owner else f"process {holder or 'unknown'}"
            raise LabError(
                f"The store folder {store} is in use by another lab, of {who}.",
                "Run `%natslab down` there first, or give another folder.",
            )

    async def unlock(self, store: Path) -> None:
        """Let go of a store folder; it stays as it is."""
        await self._ask("unlock", path=str(store))

    async def start(self, argv: list[str], output: Path, store: Path | None, heard: Heard) -> int:
        """Start a server; returns its process id.

        Its output goes to the file `output`, it shares our lock on `store`, and `heard` is called
        on the loop when it exits, is stopped or goes on. Raises ServerError.
        """
        answer = await self._ask(
            "start", heard, argv=argv, output=str(output), store=None if store is None else str(store)
        )
        return int(answer["pid"])

    async def signal(self, pid: int, number: signal.Signals) -> bool:
        """Send a signal to a server of ours; false when it is gone already."""
        return bool((await self._ask("signal", pid=pid, number=int(number)))["sent"])

    def close(self, wait: float = 1.0) -> None:
        """Let the supervisor end everything; waits at most so many seconds. From any thread."""
        if os.getpid() != self._owner:
            return
        self._closed = True
        with contextlib.suppress(OSError):
            self._to.close()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(wait)
        for folder in self._folders:  # it removed them itself, unless it was killed
            shutil.rmtree(folder, ignore_errors=True)

    # the pipe

    async def _ask(self, op: str, heard: Heard | None = None, /, **body: Any) -> dict[str, Any]:
        loop = asyncio.get_running_loop()
        if self._loop is None:
            self._loop = loop
            os.set_blocking(self._from.fileno(), False)
            loop.add_reader(self._from.fileno(), self._readable)
        if not self.alive:
            raise _lost()
        self._no += 1
        no = self._no
        future: asyncio.Future[dict[str, Any]] = loop.create_future()
        self._asked[no] = future, heard
        try:
            self._to.write(json.dumps({"id": no, "op": op, **body}).encode() + b"\n")
            async with asyncio.timeout(_ANSWER):  # not wait_for: it can swallow a cancellation (3.11)
                answer = await future
        except TimeoutError:
            raise ServerError(
                "The process that looks after the servers of this lab does not answer.",
                "Run `%natslab down`, then `%natslab up`.",
            ) from None
        except (OSError, ValueError):
            raise _lost() from None
        finally:
            self._asked.pop(no, None)
        if "error" in answer:
            raise disk.refused(answer["path"], answer["error"])
        return answer

    def _readable(self) -> None:
        try:
            got = os.read(self._from.fileno(), 65536)
        except BlockingIOError:
            return
        if not got:
            self._ended()
            return
        *lines, self._rest = (self._rest + got).split(b"\n")
        for line in lines:
            said = json.loads(line)
            if "event" in said:
                heard = self._heard.get(said["pid"])
                if said["event"] == "exited":
                    self._heard.pop(said["pid"], None)
                if heard is not None:
                    heard(said["event"], said.get("code", 0))
                continue
            future, heard = self._asked.get(said["id"], (None, None))
            if heard is not None and "pid" in said:
                self._heard[said["pid"]] = heard  # here: its exit may be told in the next line
            if future is not None and not future.done():
                future.set_result(said)

    def _ended(self) -> None:
        self.alive = False
        assert self._loop is not None
        self._loop.remove_reader(self._from.fileno())
        self._from.close()
        with contextlib.suppress(OSError):
            self._to.close()
        for future, _ in self._asked.values():
            if not future.done():
                future.set_exception(_lost())
        if self._closed:  # we are going, and so is whoever would hear it
            return
        heard, self._heard = self._heard, {}
        for one in heard.values():
            one("lost", -signal.SIGKILL)  # they die with it


def _lost() -> ServerError:
    return ServerError(
        "The process that looks after the servers of this lab has died, and the servers with it.",
        "Run `%natslab down`, then `%natslab up`.",
    )


_the: Supervisor | None = None
_lock = threading.Lock()


def supervisor() -> Supervisor:
    """The supervisor of this process, started when there is none; waits for nothing."""
    global _the
    with _lock:
        # Of the death of one that was never asked anything nobody has told us.
        if _the is None or not _the.alive or _the._process.poll() is not None:
            _the = Supervisor()
        return _the


def _forget() -> None:
    """In a fork of this process: neither hold the pipe nor speak on it."""
    global _the, _lock
    if _the is not None:
        with contextlib.suppress(OSError):
            os.close(_the._to.fileno())
    _the, _lock = None, threading.Lock()


os.register_at_fork(after_in_child=_forget)
