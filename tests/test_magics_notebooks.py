"""The magics in real kernels: failing cells fail everywhere, interrupts cancel, outputs stay the same."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import nbformat
import pytest
from jupyter_client.manager import KernelManager
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError

ROOT = Path(__file__).parents[1]


@pytest.fixture(autouse=True)
def paths(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    monkeypatch.setenv("JUPYTER_PLATFORM_DIRS", "1")


def book(*cells: str) -> Any:
    made: Any = nbformat.v4.new_notebook()  # type: ignore[no-untyped-call]
    made.cells = [nbformat.v4.new_code_cell(c) for c in ("%load_ext natslab", *cells)]  # type: ignore[no-untyped-call]
    for i, cell in enumerate(made.cells):
        cell.id = f"cell{i}"
    return made


def execute(made: Any) -> None:
    NotebookClient(
        made, timeout=60, kernel_name="python3", extra_arguments=["--IPKernelApp.log_level=40"]
    ).execute()


def nbval(path: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [
            sys.executable,
            "-m",
            "pytest",
            "-q",
            "-p",
            "no:cacheprovider",
            "--nbval",
            "--nbval-current-env",
            path.name,
        ],
        cwd=path.parent,
        env={**os.environ},
        capture_output=True,
        text=True,
        timeout=100,
    )


FAILING = ["%nats req nobody x", "%nats pub a..b x", "%nats nonsense", "%%nats pub x", "%natslab kill n9"]


def test_a_failing_cell_fails_in_nbclient() -> None:
    with pytest.raises(CellExecutionError, match="Nobody subscribes to nobody"):
        execute(book("%natslab up", "%nats req nobody x", "%natslab down"))


def test_failing_cells_fail_in_nbval(tmp_path: Path) -> None:
    good = book("%natslab up", "%nats pub fine x", "%natslab down")
    execute(good)
    # Cells that are stored as if they had gone well.
    bad = book(*FAILING).cells[1:]
    for cell in bad:
        cell.execution_count = 1
    good.cells[2:2] = bad
    for i, cell in enumerate(good.cells):
        cell.id = f"cell{i}"
    path = tmp_path / "failing.ipynb"
    nbformat.write(good, path)  # type: ignore[no-untyped-call]
    done = nbval(path)
    assert done.returncode == 1, done.stdout
    assert f"{len(FAILING)} failed, 4 passed" in done.stdout, done.stdout[-1500:]


def test_a_stored_error_is_the_same_again(tmp_path: Path) -> None:
    made = book("%natslab up", *FAILING, "%natslab down")
    for cell in made.cells[2:-1]:
        cell.metadata.tags = ["raises-exception"]
    execute(made)
    for cell in made.cells[2:-1]:
        (error,) = (o for o in cell.outputs if o.output_type == "error")
        assert len(error.traceback) == 2 and "\x1b" not in "".join(error.traceback)
    path = tmp_path / "stored.ipynb"
    nbformat.write(made, path)  # type: ignore[no-untyped-call]
    done = nbval(path)
    assert done.returncode == 0, done.stdout[-2000:]


def test_outputs_are_the_same_twice(tmp_path: Path) -> None:
    made = book(
        "%natslab up\n%natslab status",
        "h = %nats sub orders.> --as audit\n%nats pub orders.new '<script>alert(1)</script>' --count 3",
        "%nats reply help 'OK {{Request}}'\n%nats req help me\n%nats trace orders.new\n%nats rtt",
        "h.wait(2, count=3)\nh",
        "%nats server ls\n%nats account info\n%nats server ping\n%natslab jobs",
        "%%nats reply py\ndef handle(msg):\n    print('never shown')\n    return msg.text[::-1]",
        "%nats req py abc\n%natslab status\n%natslab down",
    )
    execute(made)
    path = tmp_path / "twice.ipynb"
    nbformat.write(made, path)  # type: ignore[no-untyped-call]
    text = path.read_text()
    assert "<script>alert(1)</script>" not in "".join(
        str(o.get("data", {}).get("text/html", "")) for c in made.cells for o in c.outputs
    )
    assert "never shown" not in "".join(str(c.outputs) for c in made.cells)
    assert "127.0.0.1" not in text
    done = nbval(path)
    assert done.returncode == 0, done.stdout[-3000:]


class Kernel:
    """A kernel process that can be interrupted."""

    def __init__(self) -> None:
        self.manager = KernelManager(kernel_name="python3")
        self.manager.start_kernel(extra_arguments=["--IPKernelApp.log_level=40"], env={**os.environ})
        self.client = self.manager.client()
        self.client.start_channels()
        self.client.wait_for_ready(60)

    def begin(self, code: str) -> str:
        # Not aborted because the cell before it failed.
        return str(self.client.execute(code, stop_on_error=False))

    def end(self, message: str, timeout: float = 30) -> dict[str, Any]:
        until = time.monotonic() + timeout
        while time.monotonic() < until:
            reply = self.client.get_shell_msg(timeout=timeout)
            if reply["parent_header"].get("msg_id") == message:
                return dict(reply["content"])
        raise AssertionError("no answer")

    def run(self, code: str) -> dict[str, Any]:
        return self.end(self.begin(code))

    def value(self, code: str) -> str:
        reply = self.end(str(self.client.execute("", user_expressions={"x": code}, stop_on_error=False)))
        return str(reply["user_expressions"]["x"]["data"]["text/plain"])

    def under_way(self, message: str) -> None:
        """Wait until the cell says so."""
        while True:
            said = self.client.get_iopub_msg(timeout=30)
            if said["parent_header"].get("msg_id") == message and "under way" in str(said["content"]):
                return


@pytest.fixture
def kernel() -> Iterator[Kernel]:
    made = Kernel()
    try:
        assert made.run("%load_ext natslab\n%natslab up\nimport natslab, asyncio")["status"] == "ok"
        yield made
    finally:
        made.client.stop_channels()
        made.manager.shutdown_kernel(now=True)
        made.manager.cleanup_resources()


# From now on a command says when it has reached natslab's loop.
TELL = """
from natslab.loop import Loop
submit = Loop.submit
def telling(self, coro):
    future = submit(self, coro)
    print("under " + "way", flush=True)
    return future
Loop.submit = telling
"""

OTHERS = "sorted(c for c in natslab.current().hub.clients if c != 'you')"

WAITING = [
    "%nats sub quiet --count 1 --wait 30s",
    "%nats req mute x --timeout 30s",
    "%nats pub slow x --count 1000 --sleep 1s",
    "mute.wait(30, count=5)",
    "x = 1\nawait asyncio.sleep(0)\n%nats req mute x --timeout 30s",
]


def test_an_interrupt_cancels_and_leaves_the_lab(kernel: Kernel) -> None:
    assert kernel.run("mute = %nats sub mute")["status"] == "ok"
    kernel.run(TELL)
    clients = kernel.value(OTHERS)
    for code in WAITING:
        message = kernel.begin(code)
        kernel.under_way(message)
        begun = time.monotonic()
        kernel.manager.interrupt_kernel()
        reply = kernel.end(message)
        assert time.monotonic() - begun < 5
        assert reply["status"] == "error" and reply["ename"] == "Cancelled", (code, reply)
        assert reply["traceback"] == [
            "Interrupted: the command was cancelled.",
            "The lab is as it was; what was already sent is sent.",
        ]
    assert kernel.value(OTHERS) == clients
    assert kernel.run("%nats pub mute again\n%nats rtt\nassert not mute.ended")["status"] == "ok"
    assert kernel.value("natslab.current().server('n1').state") == "'up'"


def test_an_interrupt_reaches_a_cell_that_awaits(kernel: Kernel) -> None:
    message = kernel.begin("print('under ' + 'way', flush=True)\nawait asyncio.sleep(30)")
    kernel.under_way(message)
    begun = time.monotonic()
    kernel.manager.interrupt_kernel()
    assert kernel.end(message)["status"] == "error"
    assert time.monotonic() - begun < 5


def test_nothing_is_left_when_the_kernel_ends(
    kernel: Kernel, wait_for: Callable[..., float], alive: Any
) -> None:
    pid = int(kernel.value("natslab.current().fleet.servers['n1'].pid"))
    folder = Path(kernel.value("str(natslab.current().fleet.folder)").strip("'"))
    assert alive(pid) and folder.exists()
    kernel.client.stop_channels()
    begun = time.monotonic()
    kernel.manager.shutdown_kernel(now=False)
    assert time.monotonic() - begun < 4
    wait_for(lambda: not alive(pid) and not folder.exists(), 3)
