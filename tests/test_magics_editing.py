"""What the editor is told: what a word means, what is wrong, what could come next."""

from __future__ import annotations

import pytest

from natslab.commands import words
from natslab.magics.panel import editing


def marked(cell: str) -> list[str]:
    """The words that are complained of."""
    rows = cell.split("\n")
    return [rows[c["line"]][c["from"] : c["to"]] for c in editing.check(cell)]


@pytest.mark.parametrize(
    ("cell", "wrong"),
    [
        ("%nats pub orders.new hello --count 3", []),
        ("%nats pub orders.new hello --cuont 3", ["--cuont"]),
        ("%nats pub orders.new hello --cuont=3", ["--cuont=3"]),
        ("%nats pub orders.new hello --count three", ["three"]),
        ("%nats pub a b c d", ["c"]),
        ("%js stram ls", ["stram"]),
        ("%js stream lss", ["lss"]),
        ("%natslab pub x", ["pub"]),
        ("%natslab up --servers zz", ["zz"]),
        ("x = 1\nh = %nats sub foo --quque q\nprint(x)", ["--quque"]),
        ("    %nats sub foo --quque q", ["--quque"]),
        ("%nats pub a {=n} --count {=k}", []),
        ("%nats pub", []),  # unfinished
        ("%nats", []),
        ("%nats pub 'open", []),
        ("'%nats nonsense'", []),
        ("%natsx nonsense", []),
        ("%%js\nalert(1)", []),
        ("%%js stream add X --subjectz q\nsubjects: [q]", ["--subjectz"]),
        ("%%nats pub a --cuont 3\n%nats nonsense", ["--cuont"]),
        ("%%nats script\npub a b\n# a comment\nnats sub --foo x\njs stream lss", ["--foo", "lss"]),
        ("\n%%nats pub a --cuont 3\nbody", ["--cuont"]),
        ("%nats pub a | tee", ["|"]),
    ],
)
def test_wrong_words_are_found(cell: str, wrong: list[str]) -> None:
    assert marked(cell) == wrong


def test_it_says_what_is_wrong_and_what_to_do() -> None:
    (found,) = editing.check("%nats pub a b --cuont 3")
    assert found["what"] == "There is no flag '--cuont' for publish."
    assert found["hint"] == "Did you mean --count?"


def test_columns_are_the_browsers() -> None:
    cell = "%nats pub 🙂.a x --cuont 3"
    (found,) = editing.check(cell)
    units = cell.encode("utf-16-le")
    assert units[2 * found["from"] : 2 * found["to"]].decode("utf-16-le") == "--cuont"
    help = editing.explain("%nats pub 🙂.a x --count 3", 0, found["from"] + 3)
    assert help is not None and help["title"].startswith("-") and "--count" in help["title"]


@pytest.mark.parametrize(
    "text",
    [
        "a b",
        "a 'b c' d",
        'x "y \\" z" w',
        "a\\ b c",
        "a #b c",
        "a#b",
        "it''s 'fi'ne ''",
        "--x=1  --y 'z'",
        "",
        "  ",
    ],
)
def test_spans_are_the_words_that_the_shell_would_see(text: str) -> None:
    found = editing.spans(text)
    assert [word for word, _, _ in found] == words.split(text)
    for _, a, b in found:
        assert text[a:b].strip() == text[a:b] != ""


def title(cell: str, needle: str, line: int = 0) -> str | None:
    column = cell.split("\n")[line].index(needle) + 1
    found = editing.explain(cell, line, column)
    return None if found is None else str(found["title"])


def test_help_of_the_word_under_the_pointer() -> None:
    cell = "x = 1\n%nats stream add ORDERS --subjects 'a.>'"
    assert title(cell, "nats", 1) == "nats"
    assert (title(cell, "stream", 1) or "").split()[0] == "stream"
    assert (title(cell, "add", 1) or "").split()[0] == "add"
    assert title(cell, "ORDERS", 1) is None
    assert title(cell, "--subjects", 1) == "--subjects TEXT"
    assert title(cell, "a.>", 1) is None
    assert title(cell, "x", 0) is None
    shown = editing.explain(cell, 1, cell.split("\n")[1].index("add"))
    assert shown is not None
    assert shown["usage"].startswith("%nats stream add") and "Make a stream" in shown["says"]
    assert editing.explain("%nats nonsense pub", 0, 17) is None
    assert editing.explain("%nats pub", 5, 0) is None


def test_completion_says_what_each_is_and_where_it_begins() -> None:
    assert editing.complete("%nats pu", 0, 8) == {
        "items": [{"text": "publish", "says": "Publish messages"}],
        "from": 6,
    }
    found = editing.complete("x = 1\nh = %nats sub foo --que", 1, 23)
    assert [one["text"] for one in found["items"]] == ["--queue"] and found["from"] == 18
    assert editing.complete("%%nats script\npu", 1, 2)["items"][0]["text"] == "publish"
    assert editing.complete("print('%nats pu')", 0, 14)["items"] == []
    assert editing.complete("%natslab view rou", 0, 17) == {
        "items": [{"text": "routing", "says": "view"}],
        "from": 14,
    }
    assert editing.complete("%nats pub x --send-on 'new", 0, 26)["from"] == 23
