"""Errors are two sentences, and errors all the same."""

from __future__ import annotations

import inspect

import pytest
from IPython.core.interactiveshell import InteractiveShell

from natslab import errors
from natslab.errors import Cancelled, CommandError, NatslabError


def test_the_sentence_and_the_hint() -> None:
    e = CommandError("There is no verb 'pubb'.", "Did you mean pub?")
    assert e._render_traceback_() == ["There is no verb 'pubb'.", "Did you mean pub?"]
    assert str(e) == "There is no verb 'pubb'.\nDid you mean pub?"


def test_ipython_shows_two_lines_and_the_cell_fails(capsys: pytest.CaptureFixture[str]) -> None:
    shell = InteractiveShell.instance()
    result = shell.run_cell("from natslab.errors import CommandError\nraise CommandError('What.', 'Do.')")
    assert isinstance(result.error_in_exec, CommandError)
    out = capsys.readouterr().out
    assert "What.\nDo." in out
    assert "Traceback" not in out
    InteractiveShell.clear_instance()


def test_an_interrupt_is_an_interrupt() -> None:
    assert issubclass(Cancelled, KeyboardInterrupt)
    assert not issubclass(Cancelled, NatslabError)


def test_every_error_is_in_the_tree_of_the_docstring() -> None:
    assert errors.__doc__
    for name, thing in vars(errors).items():
        if inspect.isclass(thing) and issubclass(thing, BaseException):
            assert name in errors.__doc__
