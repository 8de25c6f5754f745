"""A line that says what is waited for: seen by a person, and in no output that is compared."""

from __future__ import annotations

import io
from types import SimpleNamespace

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
    shown: list[tuple[str, str]] = []

    def show(bundle: dict[str, str], *, raw: bool, display_id: str) -> None:
        shown.append((display_id, bundle["text/plain"]))

    monkeypatch.setattr("IPython.display.display", show)
    monkeypatch.setattr("IPython.display.update_display", show)
    tell = Waiting(SimpleNamespace(kernel=SimpleNamespace(_allow_stdin=asked)))
    for said in ("one", "two", "", "three", ""):
        tell(said)
    assert [said for _, said in shown] == (["one", "two", "", "three", ""] if asked else [])
    assert len({at for at, _ in shown[:3]}) == len({at for at, _ in shown[3:]}) == int(asked)
    assert not {at for at, _ in shown[:3]} & {at for at, _ in shown[3:]}
