"""Every lesson runs from top to bottom in a fresh kernel, in time, and keeps its pictures."""

from __future__ import annotations

import os
import time
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError

LESSONS = sorted((Path(__file__).parents[2] / "notebooks").glob("*.ipynb"))
LIMIT = 25  # seconds for a whole lesson, on two busy cores


def pids(name: str) -> set[int]:
    """Processes called `name` (the first 15 letters count)."""
    found = set()
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            if (entry / "comm").read_text().strip() == name[:15]:
                found.add(int(entry.name))
        except OSError:
            continue
    return found


def outputs(notebook: nbformat.NotebookNode) -> list[nbformat.NotebookNode]:
    return [o for cell in notebook.cells if cell.cell_type == "code" for o in cell.outputs]


@pytest.mark.parametrize("path", LESSONS, ids=lambda p: p.stem)
def test_a_lesson_runs_as_a_learner_runs_it(path: Path, tmp_path: Path) -> None:
    notebook = nbformat.read(path, as_version=4)
    client = NotebookClient(
        notebook,
        timeout=LIMIT,
        kernel_name="python3",
        store_widget_state=False,
        resources={"metadata": {"path": str(tmp_path)}},
    )
    begun = time.monotonic()
    client.execute()
    took = time.monotonic() - begun
    assert took < LIMIT, f"{took:.1f} s"
    for output in outputs(notebook):
        if output.output_type == "stream" and output.name == "stderr":
            assert "UsageError" not in output.text, output.text
            assert "Traceback" not in output.text, output.text


@pytest.mark.parametrize("path", LESSONS, ids=lambda p: p.stem)
def test_a_lesson_is_stored_with_its_pictures(path: Path) -> None:
    notebook = nbformat.read(path, as_version=4)
    pictures = [o for o in outputs(notebook) if "image/svg+xml" in o.get("data", {})]
    asked = sum(
        line.startswith("%natslab picture")
        for cell in notebook.cells
        if cell.cell_type == "code"
        for line in cell.source.splitlines()
    )
    assert len(pictures) == asked > 0
    for picture in pictures:
        assert picture.data["image/svg+xml"].startswith('<svg class="natslab')
        assert picture.data["text/plain"].startswith("[")
        assert len(picture.data["image/svg+xml"]) <= 60_000
        assert "image/png" in picture.data, "run `make pictures`"
    assert not any(
        "application/vnd.jupyter.widget-view+json" in o.get("data", {}) for o in outputs(notebook)
    ) or all(
        o.data.get("text/plain", "").startswith("[")
        for o in outputs(notebook)
        if "application/vnd.jupyter.widget-view+json" in o.get("data", {})
    )


@pytest.mark.parametrize("path", LESSONS, ids=lambda p: p.stem)
def test_a_lesson_asks_before_it_shows_and_checks_after(path: Path) -> None:
    notebook = nbformat.read(path, as_version=4)
    text = "\n".join(c.source for c in notebook.cells if c.cell_type == "markdown")
    assert "Before you run it" in text
    assert text.count("<details>") == text.count("</details>") >= 2
    checks = [c for c in notebook.cells if "check" in c.metadata.get("tags", [])]
    assert len(checks) >= 4
    assert all("assert " in c.source for c in checks)
    assert len({c.id for c in notebook.cells}) == len(notebook.cells)


def failing(line: str) -> nbformat.NotebookNode:
    cells = ["%load_ext natslab\n%natslab up", line, "print('never')"]
    return nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(c) for c in cells])


@pytest.mark.parametrize(
    "line",
    [
        "%nats pub a..b x",
        "%nats request nobody.there x",
        "%natslab kill n7",
        "%%nats script\npub ok x\npub a..b x",
    ],
)
def test_a_failing_line_fails_the_notebook(line: str, tmp_path: Path) -> None:
    notebook = failing(line)
    with pytest.raises(CellExecutionError):
        NotebookClient(
            notebook, timeout=LIMIT, kernel_name="python3", resources={"metadata": {"path": str(tmp_path)}}
        ).execute()
    error = next(o for o in outputs(notebook) if o.output_type == "error")
    assert error.ename in ("CommandError", "NoResponders", "LabError", "ServerError")
    assert 1 <= len(error.traceback) <= 3


def test_a_lesson_leaves_no_server(tmp_path: Path) -> None:
    notebook = nbformat.v4.new_notebook(
        cells=[
            nbformat.v4.new_code_cell("%load_ext natslab\n%natslab up"),
            nbformat.v4.new_code_cell(
                "import natslab\nprint(natslab.current().server('n1').pid, natslab.current().fleet.folder)"
            ),
        ]
    )
    NotebookClient(
        notebook, timeout=LIMIT, kernel_name="python3", resources={"metadata": {"path": str(tmp_path)}}
    ).execute()
    pid, folder = outputs(notebook)[-1].text.split()
    end = time.monotonic() + 10
    while (int(pid) in pids("nats-server") or os.path.exists(folder)) and time.monotonic() < end:
        time.sleep(0.02)
    assert int(pid) not in pids("nats-server")
    assert not os.path.exists(folder)
