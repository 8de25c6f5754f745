"""A line becomes words as a POSIX shell makes them."""

from __future__ import annotations

import shlex
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from natslab.commands import words
from natslab.errors import CommandError

DOCUMENTED = Path(__file__).parent / "data" / "documented-commands.txt"

# What a shell would do more than split: expand, substitute, pipe, group.
_PLAIN = st.text(st.sampled_from("ab .'\"\\\n\t#,:/=-_>".replace(">", "")), max_size=30)


def shell(line: str) -> list[str]:
    """What `sh` makes of it."""
    done = subprocess.run(
        ["sh", "-c", f"printf '%s\\0' x {line}"], capture_output=True, timeout=10, check=True
    )
    return done.stdout.decode().split("\0")[1:-1]


@pytest.mark.parametrize(
    ("line", "want"),
    [
        ("", []),
        ("   ", []),
        ("pub orders.new hello", ["pub", "orders.new", "hello"]),
        ("""pub x '{"a": 1}'""", ["pub", "x", '{"a": 1}']),
        ('pub x "it\'s"', ["pub", "x", "it's"]),
        (r'x "a \$b \"c\" \\ \d"', ["x", r'a $b "c" \ \d']),
        ("sub > a.*", ["sub", ">", "a.*"]),
        ("x '' \"\"", ["x", "", ""]),
        ("x a#b # a comment 'open", ["x", "a#b"]),
        ("x '#' \"# no\" \\# d", ["x", "#", "# no", "#", "d"]),
        ("# all of it", []),
        ("x a'b'\"c\"d", ["x", "abcd"]),
        ("x a\\\n b", ["x", "a", "b"]),
        ("pub $KV.a ~/x {a,b} a|b", ["pub", "$KV.a", "~/x", "{a,b}", "a|b"]),
    ],
)
def test_split(line: str, want: list[str]) -> None:
    assert words.split(line) == want


def test_documented_lines_split_as_the_shell_does() -> None:
    quiet = [
        text
        for text in DOCUMENTED.read_text(encoding="utf-8").splitlines()
        # A shell would expand these, glob them or redirect.
        if not any(c in text for c in "$`~*>{") and "!" not in text
    ]
    assert len(quiet) > 300
    script = "\n".join(f"printf '%s\\0' {text}\nprintf '\\n\\0'" for text in quiet)
    done = subprocess.run(["sh"], input=script.encode(), capture_output=True, timeout=30, check=True)
    want = [chunk.split("\0")[:-1] for chunk in done.stdout.decode().split("\n\0")[:-1]]
    assert [words.split(text) for text in quiet] == want


def test_a_dollar_behind_a_backslash() -> None:
    line = 'reply calc.add --command "sh -c \\"echo \\$NATS_REQUEST_BODY | awk \'{print \\$1 + \\$2}\'\\""'
    assert words.split(line)[3] == "sh -c \"echo $NATS_REQUEST_BODY | awk '{print $1 + $2}'\""


@settings(max_examples=150, deadline=None)
@given(_PLAIN)
def test_random_lines_split_as_the_shell_does(line: str) -> None:
    try:
        ours = words.split(line.replace("\n", " "))
    except CommandError:
        return
    assert ours == shell(line.replace("\n", " "))


@settings(max_examples=500, deadline=None)
@given(st.text(st.sampled_from("ab .'\t-"), max_size=40))
def test_without_backslashes_it_is_shlex(line: str) -> None:
    try:
        want = shlex.split(line)
    except ValueError:
        with pytest.raises(CommandError):
            words.split(line)
    else:
        assert words.split(line) == want


@settings(max_examples=300, deadline=None)
@given(st.lists(st.text(max_size=20), max_size=6))
def test_what_was_quoted_comes_back(said: list[str]) -> None:
    assert words.split(shlex.join(said)) == said


@pytest.mark.parametrize("line", ["pub x 'it", 'pub x "it', "pub x it's", "'", '"\\"'])
def test_an_open_quote_names_itself(line: str) -> None:
    with pytest.raises(CommandError, match="quote is opened"):
        words.split(line)


def test_a_last_backslash() -> None:
    with pytest.raises(CommandError, match="backslash"):
        words.split("pub x \\")


def test_script() -> None:
    text = "pub a 1\n\n# no\nnats pub b '2\n3' # yes\n  pub c \\\n   4\nnatslab status"
    assert words.script(text) == [
        (1, "pub a 1"),
        (4, "nats pub b '2\n3' # yes"),
        (6, "  pub c \\\n   4"),
        (8, "natslab status"),
    ]
    assert [words.split(line) for _, line in words.script(text)] == [
        ["pub", "a", "1"],
        ["nats", "pub", "b", "2\n3"],
        ["pub", "c", "4"],
        ["natslab", "status"],
    ]


class TestFill:
    @pytest.fixture(autouse=True)
    def no_notebook(self) -> Iterator[None]:
        words.set_names(None)
        yield
        words.set_names(None)

    @pytest.mark.parametrize(
        ("word", "want"),
        [
            ("plain {} {{Count}} ${x}", "plain {} {{Count}} ${x}"),
            ("{=city}", "Oslo"),
            ("a.{=city}.{=n + 1}", "a.Oslo.8"),
            ("{=d['k']}{=n}", "v7"),
            ("{={'a': 1}}", '{"a": 1}'),
            ("{=[1, 2]}", "[1, 2]"),
            ('{=f"{city}!"}', "Oslo!"),
        ],
    )
    def test_values(self, word: str, want: str) -> None:
        assert words.fill(word, {"city": "Oslo", "n": 7, "d": {"k": "v"}}) == want

    def test_bytes_stay_the_bytes_they_are(self) -> None:
        raw = bytes(range(256))
        assert words.as_bytes(words.fill("{=raw}", {"raw": raw})) == raw

    def test_outside_of_a_notebook(self) -> None:
        with pytest.raises(CommandError, match="no notebook"):
            words.fill("{=x}")
        words.set_names(lambda: {"x": 3})
        assert words.fill("{=x}") == "3"

    @pytest.mark.parametrize(
        ("word", "say"),
        [
            ("{=x", "not a Python expression"),
            ("{=}", "not a"),
            ("{=nope}", "NameError"),
            ("{=1/0}", "ZeroDivision"),
        ],
    )
    def test_what_fails(self, word: str, say: str) -> None:
        with pytest.raises(CommandError, match=say):
            words.fill(word, {})

    def test_half_a_character(self) -> None:
        with pytest.raises(CommandError, match="half of a character"):
            words.as_bytes("\ud800")
