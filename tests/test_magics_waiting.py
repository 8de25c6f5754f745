"""A line that says what is waited for: seen by a person, and in no output that is compared."""

from __future__ import annotations

import io
from types import SimpleNamespace
from typing import Any

import pytest

from natslab.magics.waiting import Waiting


def test_on_a_terminal_it_goes_again(monkeypatch: pytest.MonkeyPatch) -> None:
    out = io.StringIO()
    monkeypatch.setattr(out, "isatty", lambda: True, raising=False)
    monkeypatch.setattr("sys.stderr", out)
    tell = Waiting(SimpleNamespace())
    tell("Waiting: for n3.")
    tell("Waiting.")
    tell("")
    shown = out.getvalue().split("\r")
    assert shown == ["", "Waiting: for n3.", "Waiting.        ", "        ", ""]


def test_nothing_in_a_file(capsys: pytest.CaptureFixture[str]) -> None:
    Waiting(SimpleNamespace())("Waiting.")
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize("asked", [True, False])
def test_in_a_notebook(monkeypatch: pytest.MonkeyPatch, asked: bool) -> None:
    """Only where somebody looks on: a notebook that is run by a program may not ask questions."""
    shown: list[Any] = []
    monkeypatch.setattr("IPython.display.display", lambda *a, **k: shown.append(("show", a[0]["text/plain"])))
    monkeypatch.setattr(
        "IPython.display.update_display", lambda *a, **k: shown.append(("update", a[0]["text/plain"]))
    )
    monkeypatch.setattr("IPython.display.clear_output", lambda *a, **k: shown.append("clear"))
    tell = Waiting(SimpleNamespace(kernel=SimpleNamespace(_allow_stdin=asked)))
    for said in ("one", "two", ""):
        tell(said)
    assert shown == ([("show", "one"), ("update", "two"), "clear"] if asked else [])
