"""Completion of lines, in the middle and at the end, with what the lab knows."""

from __future__ import annotations

import time
import warnings
from collections.abc import Iterator

import pytest
from IPython.core.interactiveshell import InteractiveShell

import natslab
from natslab.commands import parse
from natslab.lab import Lab
from natslab.magics import register
from natslab.magics.complete import complete


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    with natslab.Lab.up() as up:
        parse("sub 'orders.>' --queue packers --as audit").run()
        parse("pub orders.eu.new hello").run()
        parse("pub orders.us.new hello --as shop").run()
        up.settle()
        yield up


@pytest.fixture
def ip() -> Iterator[InteractiveShell]:
    shell = InteractiveShell()
    shell.Completer.use_jedi = False
    register.load(shell)
    yield shell
    register.unload(shell)


def names(tree: str, text: str) -> list[str]:
    return [word for word, _ in complete(tree, text)[0]]


#: Groups and verbs of `server` that other files declare.
_LATER = ["account", "check", "report", "request", "cluster", "config", "graph"]


@pytest.mark.parametrize(
    ("text", "want"),
    [
        ("pu", ["publish"]),
        ("req", ["request"]),
        ("serv", ["server"]),
        ("server ", ["list", "ping", "info", "mappings", *_LATER, "help"]),
        ("server pi", ["ping"]),
        ("pub x --send-on ", ["newline", "eof"]),
        ("pub x --send-on n", ["newline"]),
        ("pub x --send-on=e", ["--send-on=eof"]),
        ("pub --que", []),
        ("sub --que", ["--queue"]),
        ("--timeo", ["--timeout"]),
        ("--timeout 2s pu", ["publish"]),
        ("pub x --no-temp", ["--no-templates"]),
        ("pub 'unclosed", []),
        ("nonsense ", []),
        ("server list --sort na", ["name"]),
    ],
)
def test_without_a_lab(text: str, want: list[str]) -> None:
    assert names("nats", text) == want


def test_verbs_and_flags_say_what_they_do() -> None:
    assert dict(complete("nats", "pu")[0]) == {"publish": "Publish messages"}
    assert dict(complete("nats", "pub --cou")[0]) == {"--count": "so many messages"}
    assert "publish" in names("nats", "") and "up" in names("natslab", "")


def test_names_of_the_lab(lab: Lab) -> None:
    assert names("nats", "pub ord") == ["orders.us.new", "orders.eu.new"]
    assert names("nats", "pub orders.e") == ["orders.eu.new"]
    assert names("nats", "sub ord") == ["orders.us.new", "orders.eu.new", "orders.>"]
    assert names("nats", "sub x --queue p") == ["packers"]
    assert names("nats", "pub x y --as ") == ["audit", "shop", "you"]
    assert names("nats", "pub x y --on ") == ["n1"]
    assert names("natslab", "kill ") == ["n1"]
    assert names("natslab", "view ro") == ["routing"]
    assert names("natslab", "stop ") == ["1"]
    assert names("natslab", "kill n1 ") == []


def test_it_is_quick(lab: Lab) -> None:
    parse("pub 'many.{{Count}}' x --count 1500").run()
    lab.settle()
    begun = time.monotonic()
    found = names("nats", "pub many.")
    assert time.monotonic() - begun < 0.2  # twice the budget, on a busy machine
    assert len(found) == 200


@pytest.mark.parametrize(
    ("text", "at", "want"),
    [
        ("%nats pu", None, "publish"),
        ("h = %nats sub --que", None, "--queue"),
        ("%nats pub --cou x y", 15, "--count"),
        ("x = 1\n%nats server li", None, "list"),
        ("%%nats pub --send", None, "--send-on"),
        ("%%nats script\nnats pub a b\nnats server pin", None, "ping"),
        ("%%nats script\nserver pin", None, "ping"),
        ("%natslab pic", None, "picture"),
    ],
)
def test_in_ipython(ip: InteractiveShell, text: str, at: int | None, want: str) -> None:
    at = len(text) if at is None else at
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = list(ip.Completer.completions(text, at))
    whole = [text[: c.start] + c.text + text[c.end :] for c in found]
    assert any(want in w for w in whole), whole
    assert all(c.type for c in found)


@pytest.mark.parametrize("text", ["x = foo.", "nats pub", "# %nats", "print('%nats pu"])
def test_other_lines_are_not_ours(ip: InteractiveShell, text: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert not any(c.text == "publish" for c in ip.Completer.completions(text, len(text)))
