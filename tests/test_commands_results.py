"""Results: stable text, escaped HTML, facts as JSON."""

from __future__ import annotations

import json

import pytest

from natslab.commands.results import Facts, Message, Rows, Text, one_line, plain

EVIL = "<script>alert('x')</script>\x1b[2J\x00\u202e"


def test_one_line() -> None:
    assert one_line("a\nb\tc\x1b") == "a\\nb\\tc\\x1b"
    assert one_line(b"\xff\x00hi") == "\\xff\\x00hi"
    assert len(one_line("x" * 1000)) == 200
    assert plain("a\nb\x07") == "a\nb\\x07"


def test_rows_are_escaped() -> None:
    result = Rows("Title <b>", ["A"], [[EVIL]], [{"a": EVIL}])
    bundle = result._repr_mimebundle_()
    for bad in ("<script", "<b>", "\x1b", "\x00", "\u202e"):
        assert bad not in bundle["text/html"], bad
    assert "\x1b" not in bundle["text/plain"]
    assert result.json() == [{"a": EVIL}]
    assert list(result) == [{"a": EVIL}] and len(result) == 1 and result[0] == {"a": EVIL}


def test_facts() -> None:
    result = Facts({"Head": [("Name", EVIL), ("Other", "1")]}, {"account": "A"})
    assert result.account == "A"
    assert "\x1b" not in repr(result)
    assert "<script" not in result._repr_mimebundle_()["text/html"]
    with pytest.raises(AttributeError, match="there is account"):
        _ = result.nope


def test_json_and_quiet() -> None:
    result = Text("words", a=1)
    result.show(as_json=True)
    assert json.loads(repr(result)) == {"a": 1}
    assert "text/html" not in result._repr_mimebundle_()
    result.show(quiet=True)
    assert result._ipython_display_() is None


def test_notes() -> None:
    result = Text("words")
    result.notes.append("mind this.")
    assert repr(result) == "words\nNote: mind this."


def test_message() -> None:
    message = Message("a", b'{"x": 1}', {"H": "v"}, reply="r")
    assert message.json() == {"x": 1} and message.text == '{"x": 1}'
    assert repr(message) == "Message('a', b'{\"x\": 1}', headers={'H': 'v'})"
    assert message.facts() == {"subject": "a", "data": '{"x": 1}', "headers": {"H": "v"}, "reply": "r"}
    assert Message("a", b"\xff").text == "\\xff"
