"""10 000 generated lines: each gives a result or one of our errors, never a traceback."""

from __future__ import annotations

import random
import shlex
from collections.abc import Iterator

import click
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import natslab
from natslab.commands import parse, tree
from natslab.commands.run import Command
from natslab.errors import NatslabError
from natslab.lab import Lab

tree.load()
VERBS = [
    (root.name or "", path, [p for p in verb.params if isinstance(p, click.Option)])
    for root in (tree.NATS, tree.NATSLAB)
    for path, verb in root.walk()
]

# Hostile or merely odd words, for any place of a line.
NASTY = [
    *"| |a|a.b|a..b|.a|a.|a.*|*|a*|-|--|-1|0|1|7|99999999999999999999|1.5|1s|10ms|-5s|1e9|inf|nan".split("|"),
    *'true|on|n1|n9|{}|{"a": 1}|{a:1}|{=x}|{=|{{Count}}|{{Random 1 9}}|{{Random 9 99999999999}}'.split("|"),
    *"{{|}}|é|💥|$SYS.REQ.SERVER.PING|$JS.API.INFO|_INBOX.x|_NATSLAB.x|<script>|'|\"|\\|#|#x|&&|;|`id`".split(
        "|"
    ),
    *"$(id)|~|/|nats://127.0.0.1:1|nats://|://|nats://a:b@[::1|help|a:b|:|a b:c|eof|newline|name".split("|"),
    *[
        "rtt",
        "routing",
        "queue",
        "2",
        "100",
        "|",
        ">",
        "a.>",
        ">.a",
        ">f",
        "_INBOX.>",
        "\0",
        "\n",
        "\x1b[31m",
    ],
    *["\r\nPUB x 1\r\n", "\ud800", "K:v\nX: y", "a" * 5000],
]

BODIES = [
    None,
    None,
    None,
    "",
    "hello",
    "def handle(m): return 1",
    "def handle(:",
    "pub a b\npub 'c",
    "\0\ud800",
]

# Flags that would make a run wait, write a file, start a program or connect elsewhere: only parsed.
_NOT_RUN_WITH = {
    "sleep",
    "wait",
    "count",
    "timeout",
    "replies",
    "server_url",
    "dump",
    "translate",
    "command",
    "creds",
    "nkey",
    "tlscert",
    "tlskey",
    "tlsca",
    "user",
    "token",
    "for_",
}
# Verbs that would end the lab, take long by themselves, or write a file.
_NOT_RUN = {
    "up",
    "down",
    "kill",
    "term",
    "restart",
    "freeze",
    "ldm",
    "save",
    "open",
    "doctor",
    "view",
    "picture",
}


def junk(chance: random.Random, most: int) -> str:
    """Text of any characters, half of them characters that mean something in a line."""
    return "".join(
        chance.choice(" '\"\\#{}=-.>*|\n\t")
        if chance.random() < 0.5
        else chr(chance.choice((chance.randrange(128), chance.randrange(0x11000))))
        for _ in range(chance.randrange(most))
    )


def word(chance: random.Random) -> str:
    return chance.choice(NASTY) if chance.random() < 0.85 else junk(chance, 12)


def shaped(chance: random.Random, calm: bool = False) -> str:
    """A line that has the shape of one, with anything in its places."""
    root, path, options = chance.choice(VERBS)
    said = [root, *path]
    if calm:
        options = [o for o in options if o.name not in _NOT_RUN_WITH]
        said += ["--timeout", "50ms"] if root == "nats" else []
    for _ in range(chance.randrange(5)):
        kind = chance.random()
        if kind < 0.5:
            said.append(word(chance))
        elif kind < 0.95 and options:
            option = chance.choice(options)
            said.append(chance.choice([*option.opts, *option.secondary_opts]))
            if not option.is_flag:
                said.append(word(chance))
        else:
            said.append("--" + junk(chance, 6))
    if not calm and chance.random() < 0.1:
        chance.shuffle(said)
    # Sometimes unquoted: then quotes, comments and backslashes mean something.
    return " ".join(said) if chance.random() < 0.2 and not calm else shlex.join(said)


def read(line: str, body: str | None) -> bool:
    """Whether it is understood; any other error than ours goes through."""
    try:
        parse(line, body)
    except NatslabError as e:
        said = e
    else:
        return True
    assert said.what
    assert isinstance(said.hint, str)
    return False


def test_8000_shaped_lines() -> None:
    chance = random.Random(20)
    understood = sum(read(shaped(chance), chance.choice(BODIES)) for _ in range(8000))
    assert 1000 < understood < 7000  # both sides are tried


def test_2000_lines_of_junk() -> None:
    chance = random.Random(21)
    for _ in range(2000):
        read(junk(chance, 80), chance.choice(BODIES))


@settings(max_examples=300, deadline=None)
@given(st.text(max_size=60), st.none() | st.text(max_size=20))
def test_any_text(line: str, body: str | None) -> None:
    read(line, body)


@pytest.mark.parametrize(
    "line", ["pub " + "a." * 200_000, "'" * 100_001, "\\" * 100_001, "{=" * 50_000, "pub x " * 20_000]
)
def test_very_long_lines(line: str) -> None:
    with pytest.raises(NatslabError):
        parse(line).run()


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    with natslab.Lab.up() as up:
        yield up


def test_300_of_them_run(lab: Lab) -> None:
    chance = random.Random(22)
    ran = failed = 0
    while ran < 300:
        line, body = shaped(chance, calm=True), chance.choice(BODIES)
        try:
            command = parse(line, body)
        except NatslabError:
            continue
        if not isinstance(command, Command) or command.verb.split(" ")[0] in _NOT_RUN:
            continue
        ran += 1
        try:
            shown = repr(command.run())
        except NatslabError as e:
            failed += 1
            shown = e.what + e.hint
        assert shown is not None
        assert "fault of natslab" not in shown, (line, shown)
        for handle in list(lab.jobs.values()):
            handle.stop()
    assert 30 < failed < 270  # both sides are tried


def test_the_lab_is_as_good_as_before(lab: Lab) -> None:
    heard = parse("sub sound").run()
    parse("pub sound x").run()
    heard.wait(2, count=1)
