"""The magics in a real IPython shell."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from IPython.core.interactiveshell import InteractiveShell
from IPython.utils.capture import capture_output

import natslab
from natslab.commands import words
from natslab.errors import CommandError, NoResponders
from natslab.lab import current
from natslab.magics import register

ROOT = Path(__file__).parents[1]


class Shell:
    """An IPython whose errors are raised and whose displays are kept."""

    def __init__(self) -> None:
        self.ip = InteractiveShell.instance()
        self.shown: list[str] = []

    def run(self, cell: str) -> Any:
        with capture_output() as said:
            done = self.ip.run_cell(cell, store_history=False)
        self.shown = [out.data["text/plain"] for out in said.outputs]
        self.said = said.stdout
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
    for handle in list(current().jobs.values()):
        handle.stop()


def test_the_result_of_a_line(shell: Shell) -> None:
    assert repr(shell.run("%nats pub orders.new hello")) == "Published 5 bytes to orders.new"
    shell.run("x = %nats pub orders.new hello")
    assert shell.ip.user_ns["x"].bytes == 5
    assert shell.shown == []


def test_every_line_shows_its_result(shell: Shell) -> None:
    shell.run("%nats pub a 1\nx = %nats pub b 22\n%nats pub c 333\n1 + 1\n%nats pub d 4444")
    # The last one is IPython's own to show.
    assert shell.shown[:2] == ["Published 1 byte to a", "Published 3 bytes to c"]
    assert "Published 4 bytes to d" in str(shell.shown[2:]) + shell.said


def test_blocks(shell: Shell) -> None:
    shell.run(
        "if True:\n    %nats pub a 1\nfor i in range(3):\n    %nats pub b 1\n"
        "with open('/dev/null'):\n    %nats pub c 1"
    )
    assert shell.shown == ["Published 1 byte to a", "Published 1 byte to c"]


def test_other_magics_and_code_are_left_alone(shell: Shell) -> None:
    assert shell.run("%pwd\n3") == 3
    assert shell.shown == []
    assert shell.run("def f():\n    %nats pub x y\nf()") is None
    assert shell.shown == []


def test_a_cell_is_taken_byte_for_byte(shell: Shell) -> None:
    shell.run("h = %nats sub cell")
    for body in (
        "hello",
        ">>> 1 + 1\n2",
        "\n\n  a\n",
        "In [1]: x\n   ...: y",
        '{"a": {"b": 1}}',
        "$HOME {x} {{y}}",
        "#",
    ):
        shell.run("%%nats pub cell --no-templates\n" + body)
        shell.ip.user_ns["h"].wait(2, count=1)
        assert shell.ip.user_ns["h"].messages[-1].text in (body, body.removesuffix("\n")), body


def test_ipython_does_not_touch_the_line(shell: Shell) -> None:
    shell.run("KV = 'no'\nCount = 'no'\nh = %nats sub '$KV.>' n.>")
    shell.run("%nats pub $KV.cfg.a '{KV} {{Count}} $KV {{.Count}}'")
    shell.ip.user_ns["h"].wait(2, count=1)
    message = shell.ip.user_ns["h"].messages[0]
    assert (message.subject, message.text) == ("$KV.cfg.a", "{KV} 1 $KV 1")


def test_python_in_a_line(shell: Shell) -> None:
    shell.run("city, order = 'Oslo', {'id': 7}\nh = %nats sub py.>")
    shell.run("%nats pub py.{=city.lower()} {=order}")
    shell.ip.user_ns["h"].wait(2, count=1)
    message = shell.ip.user_ns["h"].messages[0]
    assert (message.subject, message.json()) == ("py.oslo", {"id": 7})
    with pytest.raises(CommandError, match="NameError"):
        shell.run("%nats pub a {=nope}")


def test_what_a_button_runs_holds_no_python(shell: Shell) -> None:
    shell.run("hit = []\nh = %nats sub act")
    register.act("nats pub act '{=hit.append(1)}'")
    shell.ip.user_ns["h"].wait(2, count=1)
    assert shell.ip.user_ns["hit"] == []
    assert shell.ip.user_ns["h"].messages[0].text == "{=hit.append(1)}"


def test_a_handler_sees_the_notebook(shell: Shell) -> None:
    shell.run("seen = []\nrate = 2")
    shell.run(
        "%%nats reply calc\ndef handle(msg):\n    seen.append(msg.text)\n    print('hi')\n"
        "    return int(msg.text) * rate"
    )
    assert repr(shell.run("%nats req calc 21")) == "42"
    shell.run("rate = 3")
    assert repr(shell.run("%nats req calc 21")) == "63"
    assert shell.ip.user_ns["seen"] == ["21", "21"]
    assert "handle" not in shell.ip.user_ns
    assert "hi" not in shell.said


def test_errors_are_errors(shell: Shell) -> None:
    with pytest.raises(NoResponders):
        shell.run("%nats req nobody x")
    with capture_output() as said:
        shell.ip.run_cell("%nats req nobody x")
    text = said.stdout + said.stderr
    assert text.splitlines()[-2].startswith("Nobody subscribes to nobody")
    assert "Traceback" not in text


@pytest.mark.parametrize("cell", ["%%nats pub x", "%%nats pub x\n", "%%natslab reload\n", "\n\n%%nats pub x"])
def test_an_empty_body_is_our_error(shell: Shell, cell: str) -> None:
    with pytest.raises(CommandError, match="cell body is empty"):
        shell.run(cell)


def test_help(shell: Shell) -> None:
    assert repr(shell.run("%nats pub --help")).startswith("Usage: %nats publish")
    assert "Verbs:" in repr(shell.run("%nats"))
    assert "natslab view routing" in str(shell.ip.object_inspect("%natslab")["docstring"])


def test_script_cell(shell: Shell) -> None:
    results = shell.run("%%nats script\nnats pub a 1\n# a comment\nnats pub b 'two\nlines'\n")
    assert [r.subject for r in results] == ["a", "b"]


def test_quiet_shows_nothing(shell: Shell) -> None:
    shell.run("%nats pub a b -q\n1")
    assert shell.shown == []


def test_load_twice_and_unload() -> None:
    ip = InteractiveShell()
    ip.find_cell_magic("js")  # IPython loads its own when they are first looked up
    before = {kind: dict(found) for kind, found in ip.magics_manager.magics.items()}
    cleanup, transformers = list(ip.input_transformers_cleanup), list(ip.ast_transformers)
    matchers = list(ip.Completer.custom_matchers)
    loaded = register._loaded
    register._loaded = None
    try:
        register.load(ip)
        register.load(ip)
        assert len(ip.input_transformers_cleanup) == len(cleanup) + 1
        assert len(ip.ast_transformers) == len(transformers) + 1
        assert ip.find_line_magic("nats") and ip.find_cell_magic("natslab")
        register.unload(ip)
        register.unload(ip)
        assert {kind: dict(found) for kind, found in ip.magics_manager.magics.items()} == before
        assert ip.input_transformers_cleanup == cleanup
        assert ip.ast_transformers == transformers
        assert ip.Completer.custom_matchers == matchers
        assert ip.events.callbacks["post_run_cell"] == []
    finally:
        register._loaded = loaded
        if loaded is not None:
            loaded.connect()


def test_loading_imports_neither_client_nor_commands() -> None:
    code = textwrap.dedent(
        """
        import sys, threading
        from IPython.core.interactiveshell import InteractiveShell
        ip = InteractiveShell.instance()
        threading.Thread.start = lambda self: None  # nothing in the background
        ip.run_line_magic("load_ext", "natslab")
        heavy = {"nats", "click", "anywidget", "yaml", "msgspec", "natslab.lab", "natslab.commands"}
        print("heavy", sorted(heavy & set(sys.modules)))
        """
    )
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-c", code], env=env, capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout.strip().endswith("heavy []"), done.stdout + done.stderr


def test_names_reach_parse(shell: Shell) -> None:
    shell.run("import natslab.commands\nn = 5\nc = natslab.commands.parse('rtt {=n}')")
    assert shell.ip.user_ns["c"].values["iterations"] == 5
    assert words.names() is shell.ip.user_ns


def test_the_lab_of_the_shell(shell: Shell) -> None:
    assert natslab.current() is current()
