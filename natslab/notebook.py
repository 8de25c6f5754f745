"""A notebook from outside: run it in a kernel of its own, and write it as one HTML page."""

from __future__ import annotations

import asyncio
import json
import os
import re
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from natslab.errors import CommandError
from natslab.views import page as pages

# Stills fit the page, and are as light as it is whatever the reader's system prefers.
_STILLS = "max-width: 100%; height: auto; color-scheme: light"
_FITTING = f"<style>.jp-RenderedSVG svg, .jp-RenderedSVG img {{ {_STILLS} }}</style>"
_SCRIPT = re.compile(r"<script\b[^>]*>.*?</script\s*>", re.DOTALL | re.IGNORECASE)
_FOREIGN = re.compile(r'<script[^>]*\bsrc="https?:[^"]*"[^>]*>\s*</script>')
_ELSEWHERE = re.compile(r'<link\b[^>]*\bhref="(?:https?:)?//[^"]*"[^>]*>|@import\s+url\([^)]*//[^)]*\)\s*;?')
_PLACE = re.compile(r'<div class="[^"]*"([^>]*)>\s*(<div class="natslab-place")')


@dataclass
class Done:
    """What came of running a notebook."""

    cells: int
    took: float  # seconds
    pictures: int = 0


def run(path: Path, output: Path, timeout: int, *, scrub: bool = False, theme: str = "light") -> Done:
    """Run the notebook from top to bottom and write it with its outputs to `output`.

    Parameters
    ----------
    timeout: seconds that a cell may take.
    scrub: whether its pictures become stages that can be scrubbed.

    Raises CommandError when it is no notebook, or when a cell failed; the page is written all the same.
    """
    import nbformat
    from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError

    try:
        book = nbformat.read(path, as_version=4)  # type: ignore[no-untyped-call]
    except OSError as e:
        raise CommandError(f"{path} cannot be read: {e.strerror}.", "Name a notebook.") from None
    except Exception:
        raise CommandError(f"{path} is not a notebook.", "Name a file that ends in .ipynb.") from None
    begun = time.monotonic()
    failed: CommandError | None = None
    carried: dict[str, Any] = {}
    try:
        if scrub:
            _execute_and_collect(book, path.parent, timeout, carried)
        else:
            _client(book, path.parent, timeout).execute()
    except CellExecutionError as e:
        failed = CommandError(
            f"{path.name}: {_where(book)} failed: {_said(book, e)}", f"The page has it: {output}"
        )
    except CellTimeoutError:
        failed = CommandError(
            f"{path.name}: {_where(book)} took longer than {timeout} s.", "Give it more: --timeout 300"
        )
    except DeadKernelError:
        failed = CommandError(f"{path.name}: the kernel died.", "Run it in JupyterLab to see why.")
    pictures = _place(book, carried)
    _write(output, scrubbed(book, path.stem, carried, theme) if carried else page(book, path.stem, theme))
    if failed is not None:
        raise failed
    return Done(len(book.cells), time.monotonic() - begun, pictures)


def _client(book: Any, folder: Path, timeout: int) -> Any:
    from nbclient import NotebookClient

    return NotebookClient(
        book, timeout=timeout, kernel_name="python3", store_widget_state=False,
        resources={"metadata": {"path": str(folder)}}, extra_arguments=["--IPKernelApp.log_level=40"],
    )  # fmt: skip


def _execute_and_collect(book: Any, folder: Path, timeout: int, carried: dict[str, Any]) -> None:
    """Run the cells in a kernel that notes what it shows, and fetch the scenes of all that at the end."""
    import nbformat

    with _noting() as note:
        client = _client(book, folder, timeout)

        async def go() -> None:
            async with client.async_setup_kernel():
                try:
                    for i, cell in enumerate(list(book.cells)):
                        await client.async_execute_cell(cell, i)
                finally:
                    collect = "__import__('natslab.views.page', fromlist=['write']).write()"
                    book.cells.append(nbformat.v4.new_code_cell(collect))  # type: ignore[no-untyped-call]
                    try:
                        client.timeout = max(timeout, 300)
                        await client.async_execute_cell(book.cells[-1], len(book.cells) - 1)
                    finally:
                        del book.cells[-1]

        asyncio.run(go())
        if note.stat().st_size:
            carried.update(json.loads(note.read_text(encoding="utf-8")))


@contextmanager
def _noting() -> Iterator[Path]:
    before = os.environ.get(pages.NOTE)
    with tempfile.TemporaryDirectory(prefix="natslab-") as folder:
        note = Path(folder) / "scenes.json"
        note.touch()
        os.environ[pages.NOTE] = str(note)
        try:
            yield note
        finally:
            os.environ.pop(pages.NOTE)
            if before is not None:
                os.environ[pages.NOTE] = before


def _place(book: Any, carried: dict[str, Any]) -> int:
    """Put a stage where a picture was; without its scenes it stays what it was. Returns how many."""
    count = 0
    for cell in book.cells:
        for out in cell.get("outputs", []):
            wanted = out.get("data", {}).pop(pages.PLACE, None)
            if wanted and wanted["reel"] in carried:
                out.data = {"text/html": pages.place(**wanted)}
                count += 1
    return count


def _where(book: Any) -> str:
    code = [c for c in book.cells if c.cell_type == "code"]
    for number, cell in enumerate(code, 1):
        if any(o.output_type == "error" for o in cell.get("outputs", [])):
            return f"code cell {number}"
    ran = sum(bool(c.get("execution_count")) for c in code)
    return f"code cell {min(ran + 1, len(code))}"


def _said(book: Any, error: Any) -> str:
    for cell in book.cells:
        for out in cell.get("outputs", []):
            if out.output_type == "error":
                return f"{out.ename}: {' '.join(out.evalue.split())}"
    return " ".join(str(getattr(error, "evalue", error)).split())[:300]


def page(book: Any, title: str, theme: str = "light") -> str:
    """The notebook as one HTML page that needs nothing from elsewhere: stills instead of widgets."""
    return _FOREIGN.sub("", _html(book, title, theme))


def scrubbed(book: Any, title: str, carried: dict[str, Any], theme: str = "light") -> str:
    """The same with stages that can be scrubbed; no script but theirs may run."""
    body = _SCRIPT.sub("", _html(book, title, theme))
    body = _PLACE.sub(r'<div class="jp-OutputArea-output"\1>\2', body)
    head = f"{pages.policy()}<style>{pages.stylesheet()}</style>"
    body = re.sub(r"<head[^>]*>", lambda found: f"{found[0]}{head}", body, count=1)
    before, _, after = body.rpartition("</body>")
    return f"{before}{pages.data(carried)}\n<script>{pages.script()}</script>\n</body>{after}"


def _html(book: Any, title: str, theme: str) -> str:
    from nbconvert import HTMLExporter
    from traitlets.config import Config

    priority = ["image/svg+xml", "image/png", "text/html", "text/markdown", "image/jpeg", "text/plain"]
    config = Config({"NbConvertBase": {"display_data_priority": priority}})
    exporter = HTMLExporter(config=config, theme=theme)  # type: ignore[no-untyped-call]
    body, _ = exporter.from_notebook_node(book, resources={"metadata": {"name": title}})
    return _ELSEWHERE.sub("", body).replace("</head>", f"{_FITTING}</head>", 1)


def _write(path: Path, text: str) -> None:
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as e:
        raise CommandError(
            f"{path} cannot be written: {e.strerror}.", "Name another file: -o page.html"
        ) from None
