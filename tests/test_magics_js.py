"""`%js` and `%%js` in a real IPython shell, and IPython's own `%%js`, which stays what it is."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from typing import Any

import pytest
from IPython.core.interactiveshell import InteractiveShell
from IPython.utils.capture import capture_output

from natslab.commands.jsresults import StreamInfo
from natslab.errors import CommandError
from natslab.magics import register
from natslab.magics.complete import complete
from natslab.servers.jsapi import JetStreamError


class Shell:
    """An IPython whose errors are raised and whose displays are kept."""

    def __init__(self) -> None:
        self.ip = InteractiveShell.instance()
        self.shown: list[dict[str, Any]] = []

    def run(self, cell: str) -> Any:
        with capture_output() as said:
            done = self.ip.run_cell(cell, store_history=False)
        self.shown = [out.data for out in said.outputs]
        done.raise_error()
        return done.result


@pytest.fixture(scope="module")
def made() -> Iterator[Shell]:
    shell = Shell()
    shell.run("%load_ext natslab")
    shell.run("%natslab up")
    yield shell
    shell.run("%natslab down")
    shell.run("%unload_ext natslab")
    InteractiveShell.clear_instance()


@pytest.fixture
def shell(made: Shell) -> Iterator[Shell]:
    yield made
    for name in made.run("%js stream ls --names --all").names:
        made.run(f"%js stream rm {name} -f")


def test_a_line_is_a_line_of_nats(shell: Shell) -> None:
    made = shell.run("%js stream add ORDERS --subjects 'orders.>'")
    assert isinstance(made, StreamInfo)
    shell.run("x = %js stream info ORDERS")
    assert shell.run("x.state.messages") == 0
    assert repr(shell.run("%nats stream info ORDERS")) == repr(shell.run("%js str i ORDERS"))


def test_every_line_of_a_cell_is_shown(shell: Shell) -> None:
    assert shell.run("%js stream add A --subjects a\n%js stream state A\n1") == 1
    assert [data["text/plain"].splitlines()[0] for data in shell.shown] == [
        "Stream A was created",
        "State for Stream A",
    ]


def test_a_body_as_it_was_typed(shell: Shell) -> None:
    shell.run("%%js stream add ORDERS\n# what goes where\nsubjects:\n  - orders.>\n\nmax_age: 1h\n")
    assert shell.run("%js stream info ORDERS").config.max_age == 3600 * 10**9
    changed = shell.run('%%js stream ORDERS\n{"subjects": ["orders.>"], "max_msgs": 3}')
    assert sorted(changed.diff) == ["max_age", "max_msgs"]


def test_an_empty_body_is_our_error(shell: Shell) -> None:
    with pytest.raises(CommandError, match="cell body is empty"):
        shell.run("%%js stream add ORDERS\n")


def test_errors_fail_the_cell(shell: Shell) -> None:
    with pytest.raises(JetStreamError, match="There is no stream NOPE"):
        shell.run("%js stream info NOPE")
    with pytest.raises(CommandError) as caught:
        shell.run("%js pub a b")
    assert caught.value.hint == "Did you mean %nats pub?"
    with pytest.raises(CommandError) as caught:
        shell.run("%js strem ls")
    assert caught.value.hint == "Did you mean stream?"


def test_help(shell: Shell) -> None:
    assert "stream, str, st, ms, s" in repr(shell.run("%js --help"))
    assert repr(shell.run("%js")) == repr(shell.run("%js help"))
    assert repr(shell.run("%js stream add -h")).startswith("Usage: %js stream add")
    assert "JetStream" in (register.js.__doc__ or "")


def test_a_script_may_hold_both(shell: Shell) -> None:
    shell.run("%%nats script\nnats stream add A --subjects a\njs stream add B --subjects b\nstream ls\n")
    assert shell.run("%js stream ls").names == ["A", "B"]


def test_javascript_stays_javascript(shell: Shell) -> None:
    code = "// a comment\n\nconsole.log('{{x}} $y')\n"
    shell.run("%%js\n" + code)
    ours = shell.shown
    shell.run("%%javascript\n" + code)
    assert ours == shell.shown
    assert ours[0]["application/javascript"] == code
    shell.run("%%js   \n1")
    assert shell.shown[0]["application/javascript"] == "1\n"


def test_unloading_gives_it_back(shell: Shell) -> None:
    magics = shell.ip.magics_manager.magics
    before = register._loaded.before("cell", "js") if register._loaded is not None else None
    assert before is not None
    shell.run("%unload_ext natslab")
    try:
        assert magics["cell"]["js"] == before
        assert "js" not in magics["line"]
        shell.run("%%js\nalert(1)")
        assert shell.shown[0]["application/javascript"] == "alert(1)\n"
    finally:
        shell.run("%load_ext natslab")
    assert shell.run("%js stream ls").names == []


def names(text: str) -> list[str]:
    return [word for word, _ in complete("js", text)[0]]


def test_completion(shell: Shell) -> None:
    shell.run("%js stream add ORDERS --subjects 'orders.>'")
    shell.run("%js stream add OTHER --subjects other")
    shell.run("%js stream add KV_CFG --subjects '$KV.CFG.>'")
    assert names("") == ["stream", "consumer", "kv", "object", "counter", "help"]
    assert names("pu") == []
    assert names("stream in") == ["info"]
    assert names("stream info ") == ["ORDERS", "OTHER"]
    assert names("stream info OT") == ["OTHER"]
    assert names("stream copy ORDERS ") == []
    assert names("stream add X --mirror O") == ["ORDERS", "OTHER"]
    assert names("stream add X --retention w") == ["workq", "work"]
    assert names("stream add X --dry") == ["--dry-run"]
    assert names("consumer add O") == ["ORDERS", "OTHER"]
    shell.ip.Completer.use_jedi = False
    for line in ("%js stream info OT", "x = %js stream info OT", "%%js stream edit OT"):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            found = list(shell.ip.Completer.completions(line, len(line)))
        assert [line[: c.start] + c.text for c in found] == [line + "HER"], line
