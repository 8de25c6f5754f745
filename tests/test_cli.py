"""The `natslab` command of a terminal, as processes."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient

from natslab.cli import lay_out, shipped
from natslab.errors import CommandError
from natslab.loop import run
from natslab.notebook import page
from natslab.servers.fleet import Fleet

ROOT = Path(__file__).parents[1]
NATSLAB = [sys.executable, "-m", "natslab"]


@pytest.fixture
def env(tmp_path: Path) -> dict[str, str]:
    return {
        **os.environ,
        "PYTHONPATH": str(ROOT),
        "IPYTHONDIR": str(tmp_path / "ipython"),
        "JUPYTER_CONFIG_DIR": str(tmp_path / "config"),
        "JUPYTER_RUNTIME_DIR": str(tmp_path / "runtime"),
        "JUPYTERLAB_SETTINGS_DIR": str(tmp_path / "settings"),
        "JUPYTERLAB_WORKSPACES_DIR": str(tmp_path / "workspaces"),
    }


@pytest.fixture
def natslab(tmp_path: Path, env: dict[str, str]) -> Callable[..., subprocess.CompletedProcess[str]]:
    """`natslab("doctor")`: run it to its end in a folder of its own."""
    (tmp_path / "work").mkdir()

    def go(*args: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*NATSLAB, *args],
            cwd=tmp_path / "work",
            env=env,
            input=stdin,
            capture_output=True,
            text=True,
            timeout=110,
        )

    return go


def notebook(path: Path, *cells: str) -> Path:
    made: Any = nbformat.v4.new_notebook()  # type: ignore[no-untyped-call]
    made.cells = [nbformat.v4.new_code_cell(c) for c in cells]  # type: ignore[no-untyped-call]
    nbformat.write(made, path)  # type: ignore[no-untyped-call]
    return path


Run = Callable[..., subprocess.CompletedProcess[str]]


def test_help_and_version(natslab: Run) -> None:
    done = natslab("--help")
    assert done.returncode == 0
    assert all(name in done.stdout for name in ("lab", "run", "test", "doctor", "nats"))
    assert natslab("--version").stdout.startswith("natslab, version ")
    assert natslab("nonsense").returncode != 0


def test_doctor(natslab: Run) -> None:
    done = natslab("doctor")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "a server starts and delivers" in done.stdout and "good" in done.stdout


def test_doctor_without_a_server(natslab: Run, env: dict[str, str]) -> None:
    env["NATSLAB_NATS_SERVER"] = "/nowhere/nats-server"
    done = natslab("doctor")
    assert done.returncode == 1
    assert "MISSING" in done.stdout and done.stderr.startswith("Missing: nats-server")
    assert "Traceback" not in done.stderr


def test_run_writes_one_page(natslab: Run, tmp_path: Path) -> None:
    notebook(
        tmp_path / "work" / "good.ipynb",
        "%load_ext natslab\n%natslab up",
        "%nats sub orders.> --as audit\n%nats pub orders.new '<script>alert(1)</script>'",
        "%natslab picture routing",
        "%natslab view routing",
        "%natslab down",
    )
    done = natslab("run", "good.ipynb", "-o", "page.html")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("good.ipynb: 5 cells in ")
    assert "WARNING" not in done.stderr
    text = (tmp_path / "work" / "page.html").read_text()
    assert "data:image/svg+xml;base64," in text
    assert "[routing] the live view" in text
    assert 'src="http' not in text and "<script>alert(1)" not in text


def test_run_of_a_failing_notebook(natslab: Run, tmp_path: Path) -> None:
    notebook(tmp_path / "work" / "bad.ipynb", "%load_ext natslab\n%natslab up", "%nats req nobody x", "1/0")
    done = natslab("run", "bad.ipynb")
    assert done.returncode == 1
    assert done.stderr.startswith("bad.ipynb: code cell 2 failed: NoResponders: Nobody subscribes to nobody")
    assert "Traceback" not in done.stderr
    assert (tmp_path / "work" / "bad.html").exists()


def test_run_of_a_slow_cell(natslab: Run, tmp_path: Path) -> None:
    notebook(tmp_path / "work" / "slow.ipynb", "import time", "time.sleep(60)")
    done = natslab("run", "slow.ipynb", "--timeout", "1")
    assert done.returncode == 1
    assert "code cell 2 took longer than 1 s" in done.stderr


def test_run_of_what_is_no_notebook(natslab: Run, tmp_path: Path) -> None:
    assert "There is no notebook nope.ipynb" in natslab("run", "nope.ipynb").stderr
    (tmp_path / "work" / "text.ipynb").write_text("hello")
    done = natslab("run", "text.ipynb")
    assert done.returncode == 1 and "is not a notebook" in done.stderr
    notebook(tmp_path / "work" / "good.ipynb", "1")
    done = natslab("run", "good.ipynb", "-o", "nowhere/page.html")
    assert done.returncode == 1 and "cannot be written" in done.stderr


def test_test(natslab: Run, tmp_path: Path) -> None:
    work = tmp_path / "work"
    notebook(work / "same.ipynb", "%load_ext natslab\n%natslab up", "%nats pub a b", "%natslab down")
    made: Any = nbformat.read(work / "same.ipynb", as_version=4)  # type: ignore[no-untyped-call]
    NotebookClient(made, kernel_name="python3", resources={"metadata": {"path": str(ROOT)}}).execute()
    nbformat.write(made, work / "same.ipynb")  # type: ignore[no-untyped-call]
    before = sorted(work.iterdir())
    done = natslab("test", "same.ipynb")
    assert done.returncode == 0, done.stdout
    assert "3 passed" in done.stdout
    assert sorted(work.iterdir()) == before
    made.cells[1].outputs[0].data["text/plain"] = "Published 2 bytes to a"
    nbformat.write(made, work / "same.ipynb")  # type: ignore[no-untyped-call]
    done = natslab("test", "same.ipynb")
    assert done.returncode == 1 and "1 failed, 2 passed" in done.stdout
    assert "There is no notebook" in natslab("test", "nope.ipynb").stderr


def test_nats_needs_to_know_where(natslab: Run) -> None:
    done = natslab("nats", "pub", "a", "b")
    assert done.returncode == 1
    assert done.stderr.splitlines() == [
        "A terminal has no lab of its own.",
        "Say where: natslab nats --server nats://127.0.0.1:4222 rtt",
    ]
    done = natslab("nats", "pbu", "a")
    assert done.returncode == 1 and "Did you mean pub" in done.stderr
    assert "Usage: %nats publish" in natslab("nats", "pub", "--help").stdout


def test_nats(natslab: Run, fleet: Fleet, env: dict[str, str], tmp_path: Path) -> None:
    url = fleet.url()
    listener = subprocess.Popen(
        [*NATSLAB, "nats", "-s", url, "sub", "orders.>", "--count", "2"],
        env=env, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    end = time.monotonic() + 30
    while not any(c.get("subscriptions") for c in run(fleet.ask("n1", "connz", acc="A"))["connections"]):
        assert time.monotonic() < end
        time.sleep(0.05)
    assert (
        natslab("nats", "pub", "orders.new", "it's {=here}", "-s", url).stdout
        == "Published 12 bytes to orders.new\n"
    )
    done = natslab("nats", "-s", url, "pub", "orders.file", "--force-stdin", stdin="from a file\n")
    assert done.returncode == 0, done.stderr
    out, error = listener.communicate(timeout=30)
    assert listener.returncode == 0, error
    assert out.splitlines() == ["#1  orders.new  it's {=here}", "#2  orders.file  from a file\\n"]


class TestLayOut:
    @pytest.fixture
    def source(self, tmp_path: Path) -> Path:
        source = tmp_path / "source"
        source.mkdir()
        for name in ("00-a.ipynb", "01-b.ipynb"):
            (source / name).write_text(name)
        (source / "sanitize.cfg").write_text("")
        return source

    def test_a_first_time(self, source: Path, tmp_path: Path) -> None:
        assert lay_out(source, tmp_path / "mine") == []
        assert sorted(p.name for p in (tmp_path / "mine").glob("*.ipynb")) == ["00-a.ipynb", "01-b.ipynb"]
        assert lay_out(source, tmp_path / "mine") == []

    def test_the_answers_are_not_there_before_the_questions(self, tmp_path: Path) -> None:
        lay_out(shipped(), tmp_path)
        copies = [nbformat.read(p, as_version=4) for p in sorted(tmp_path.glob("*.ipynb"))]
        assert len(copies) >= 5
        code = [c for nb in copies for c in nb.cells if c.cell_type == "code"]
        assert not any(c.outputs or c.execution_count for c in code)

    def test_what_is_changed_is_kept(self, source: Path, tmp_path: Path) -> None:
        mine = tmp_path / "mine"
        lay_out(source, mine)
        (mine / "00-a.ipynb").write_text("my work")
        (mine / "notes.txt").write_text("mine")
        (source / "00-a.ipynb").write_text("a newer lesson")
        (source / "01-b.ipynb").write_text("a newer lesson")
        assert lay_out(source, mine) == ["00-a.ipynb"]
        assert (mine / "00-a.ipynb").read_text() == "my work"
        assert (mine / "01-b.ipynb").read_text() == "a newer lesson"
        assert (mine / "notes.txt").read_text() == "mine"
        assert lay_out(source, mine) == ["00-a.ipynb"]

    def test_a_file_that_was_there_before_is_kept(self, source: Path, tmp_path: Path) -> None:
        mine = tmp_path / "mine"
        mine.mkdir()
        (mine / "00-a.ipynb").write_text("somebody's")
        assert lay_out(source, mine) == ["00-a.ipynb"]

    def test_a_folder_that_is_none(self, source: Path, tmp_path: Path) -> None:
        (tmp_path / "file").write_text("")
        with pytest.raises(CommandError, match="cannot be copied"):
            lay_out(source, tmp_path / "file")


def test_a_page_shows_stills() -> None:
    made: Any = nbformat.v4.new_notebook()  # type: ignore[no-untyped-call]
    cell: Any = nbformat.v4.new_code_cell("x")  # type: ignore[no-untyped-call]
    data = {"application/vnd.jupyter.widget-view+json": {"model_id": "1"}, "text/plain": "the words"}
    cell.outputs = [nbformat.v4.new_output("display_data", data=data)]  # type: ignore[no-untyped-call]
    made.cells = [cell]
    text = page(made, "x")
    assert "the words" in text and "model_id" not in text


@pytest.fixture
def jupyterlab(tmp_path: Path, env: dict[str, str]) -> Iterator[tuple[int, subprocess.Popen[str]]]:
    pytest.importorskip("jupyterlab")
    (tmp_path / "work").mkdir()
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    process = subprocess.Popen(
        [*NATSLAB, "lab", "--no-browser", f"--ServerApp.port={port}", "--ServerApp.port_retries=0",
         "--IdentityProvider.token=secret"],
        cwd=tmp_path / "work", env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip
    yield port, process
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=20)


def test_lab_opens_the_lessons(jupyterlab: tuple[int, subprocess.Popen[str]], tmp_path: Path) -> None:
    port, process = jupyterlab

    def get(path: str) -> Any:
        url = f"http://127.0.0.1:{port}{path}?token=secret"
        with urllib.request.urlopen(url, timeout=5) as answer:
            return json.loads(answer.read())

    end = time.monotonic() + 60
    while True:
        try:
            names = [entry["name"] for entry in get("/api/contents")["content"]]
            break
        except OSError:
            assert time.monotonic() < end and process.poll() is None
            time.sleep(0.1)
    assert "00-meet-the-lab.ipynb" in names
    assert (tmp_path / "work" / "natslab-lessons" / "00-meet-the-lab.ipynb").exists()
    # The question about news would be the first thing a newcomer sees.
    settings = get("/lab/api/settings/@jupyterlab/apputils-extension:notification")
    assert settings["schema"]["properties"]["fetchNews"]["default"] == "false"
