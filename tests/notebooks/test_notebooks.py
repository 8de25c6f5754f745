"""Every lesson runs from top to bottom in a fresh kernel, in time, and keeps its pictures."""

from __future__ import annotations

import time
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

LESSONS = sorted((Path(__file__).parents[2] / "notebooks").glob("*.ipynb"))
LIMIT = 40  # seconds for a whole lesson, on two busy cores
LONGER = {"23": 50, "24": 90, "27": 60}  # an election takes up to 11 s


def outputs(notebook: nbformat.NotebookNode) -> list[nbformat.NotebookNode]:
    return [o for cell in notebook.cells if cell.cell_type == "code" for o in cell.outputs]


@pytest.mark.parametrize("path", LESSONS, ids=lambda p: p.stem)
def test_a_lesson_runs_as_a_learner_runs_it(path: Path, tmp_path: Path) -> None:
    notebook = nbformat.read(path, as_version=4)
    limit = LONGER.get(path.name[:2], LIMIT)
    client = NotebookClient(
        notebook,
        timeout=limit,
        kernel_name="python3",
        store_widget_state=False,
        resources={"metadata": {"path": str(tmp_path)}},
    )
    begun = time.monotonic()
    client.execute()
    took = time.monotonic() - begun
    assert took < limit, f"{took:.1f} s"
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
    widgets = [
        o for o in outputs(notebook) if "application/vnd.jupyter.widget-view+json" in o.get("data", {})
    ]
    assert widgets == [], "a stored widget is blank without its kernel"


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
    # By this the panel tells the lesson's cells from those that a learner adds.
    assert all(c.id.startswith(f"{path.name[:2]}-") for c in notebook.cells)
