"""Configurations in YAML and JSON: what is read, what is refused, and whether the server agrees."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Coroutine, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import natslab
from natslab.commands.config_body import (
    CONSUMER,
    KV,
    OBJECT,
    STREAM,
    Choice,
    Each,
    Kind,
    read_config,
    read_file,
    size,
    span,
)
from natslab.commands.flags import seconds
from natslab.errors import CommandError
from natslab.lab import Lab
from natslab.servers.jsapi import Api, JetStreamError


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    with natslab.Lab.up() as up:
        yield up


@pytest.mark.parametrize(
    ("text", "want"),
    [
        ("subjects: [orders.>]", {"subjects": ["orders.>"]}),
        ("max_age: 1h", {"max_age": 3_600_000_000_000}),
        ("max_age: 1d12h", {"max_age": 129_600_000_000_000}),
        ('{"max_age": 3600000000000}', {"max_age": 3_600_000_000_000}),
        ("max_age: 0", {"max_age": 0}),
        ("max_age: -1", {"max_age": 0}),
        ("max_bytes: 1MB", {"max_bytes": 1 << 20}),
        ("max_bytes: 1048576", {"max_bytes": 1 << 20}),
        ("max_bytes: -1", {"max_bytes": -1}),
        ("retention: work", {"retention": "workqueue"}),
        ("storage: Memory", {"storage": "memory"}),
        ("allow_direct: yes", {"allow_direct": True}),
        ("metadata: {team: shop, size: 3}", {"metadata": {"team": "shop", "size": "3"}}),
        ("mirror: {name: ORDERS}", {"mirror": {"name": "ORDERS"}}),
        (
            "sources:\n- name: A\n  subject_transforms: [{src: 'a.>', dest: 'b.>'}]",
            {"sources": [{"name": "A", "subject_transforms": [{"src": "a.>", "dest": "b.>"}]}]},
        ),
        ("sources: [{name: A, opt_start_time: 2026-01-31T12:00:00Z}]",
         {"sources": [{"name": "A", "opt_start_time": "2026-01-31T12:00:00Z"}]}),
        ("consumer_limits: {inactive_threshold: 5m}",
         {"consumer_limits": {"inactive_threshold": 300_000_000_000}}),
        ("description:", {}),
        ('{\n\t"max_msgs":\t3\n}', {"max_msgs": 3}),
        ("description: 42", {"description": "42"}),
        ("{}", {}),
    ],
)  # fmt: skip
def test_what_is_read(text: str, want: dict[str, Any]) -> None:
    assert read_config(text, STREAM, "stream") == want


@pytest.mark.parametrize(
    ("text", "what", "hint"),
    [
        ("hello", "is a mapping of fields, and this is 'hello'", 'subjects: ["orders.>"]'),
        ("", "this is nothing", "One field a line"),
        ("- a", "this is ['a']", "One field a line"),
        ("a: b: c", "neither YAML nor JSON in line 1", "quotes"),
        ("max_msgs: 1\n  x: 2", "neither YAML nor JSON in line 2", ""),
        ('{"max_msgs": 1', "neither YAML nor JSON", ""),
        ("subjects:\n- *.new", "neither YAML nor JSON", 'begins with * needs quotes: "*.orders"'),
        ("subjects:\n- >", "subjects holds an empty text", '">"'),
        ("!!python/object/apply:os.getcwd []", "neither YAML nor JSON", "Only plain values"),
        ("max_mesages: 3", "no field 'max_mesages'", "Did you mean max_msgs?"),
        ("MaxMsgs: 3", "no field 'MaxMsgs'", "Did you mean max_msgs?"),
        ("max-age: 1h", "no field 'max-age'", "Did you mean max_age?"),
        ("replicas: 3", "no field 'replicas'", "Did you mean num_replicas?"),
        ("dupe_window: 1m", "no field", "Did you mean duplicate_window?"),
        ("frobnicate: 1", "no field 'frobnicate'", "There are allow_atomic"),
        ("placement: {tag: [x]}", "no field 'tag' in placement", "Did you mean tags?"),
        ("sources: [{name: A}, {nam: B}]", "no field 'nam' in sources[1]", "Did you mean name?"),
        ("max_msgs: 1\nmax_msgs: 2", "max_msgs is there twice", "Leave one"),
        ("subjects: orders", "subjects is a list, and 'orders' is none", 'subjects: ["orders.>"]'),
        ("subjects: [[a]]", "subjects[0] is a text", ""),
        ("mirror: ORDERS", "mirror is a mapping, and 'ORDERS' is none", "name: ORDERS"),
        ("max_msgs: many", "max_msgs is a whole number, and 'many' is none", "100"),
        ("max_msgs: 1.5", "max_msgs is a whole number", ""),
        ("max_msgs: true", "max_msgs is a whole number", ""),
        ("max_age: soon", "max_age is a duration, and 'soon' is none", "1h"),
        ("max_age: 30", "30 are nanoseconds", "Write the unit: 30s"),
        ("max_bytes: 1XB", "max_bytes is a size", "1MB"),
        ("sealed: 1", "sealed is true or false", ""),
        ("retention: forever", "'forever' is no retention: limits, interest or workqueue.", ""),
        ("storage: off", "one of file, memory, and False is none", ""),
        ("subjects: &a [*a]", "neither YAML nor JSON", "Check line 1"),
        ("[" * 5000, "neither YAML nor JSON", ""),
    ],
)
def test_what_is_refused(text: str, what: str, hint: str) -> None:
    with pytest.raises(CommandError) as caught:
        read_config(text, STREAM, "stream")
    assert what in caught.value.what
    assert hint.lower() in caught.value.hint.lower()
    assert "\n" not in caught.value.what + caught.value.hint
    assert len(caught.value.what) < 300


def test_aliases_that_explode_are_no_danger() -> None:
    bomb = "a: &a [x,x,x,x,x,x,x,x,x]\n" + "".join(
        f"{b}: &{b} [{','.join([f'*{a}'] * 9)}]\n" for a, b in zip("abcdefgh", "bcdefghi", strict=True)
    )
    with pytest.raises(CommandError, match="no field 'a'"):
        read_config(bomb, STREAM, "stream")


def test_a_file(tmp_path: Path) -> None:
    path = tmp_path / "c.json"
    path.write_text('{"subjects": ["a.b"]}')
    assert read_file(path, STREAM, "stream") == {"subjects": ["a.b"]}
    with pytest.raises(CommandError, match="cannot be read"):
        read_file(tmp_path / "none", STREAM, "stream")
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(CommandError, match="is no text"):
        read_file(path, STREAM, "stream")


@given(st.text(max_size=60))
def test_any_text_is_read_or_refused(text: str) -> None:
    for known in (STREAM, CONSUMER, KV, OBJECT):
        with contextlib.suppress(CommandError):
            assert isinstance(read_config(text, known, "stream"), dict)


@given(st.integers(min_value=0, max_value=10**17))
def test_durations_go_there_and_back(ns: int) -> None:
    back = seconds(span(ns))
    assert back is not None
    assert round(back * 1e9) == pytest.approx(ns, rel=1e-12)


@pytest.mark.parametrize(
    ("text", "want"),
    [("512", 512), ("1K", 1024),
     ("1KB", 1024), ("1kib", 1024), ("2 MB", 2 << 20), ("1G", 1 << 30), ("-1", -1),
     ("1.5MB", None), ("", None), ("MB", None), ("-2", None), ("1PB", None)],
)  # fmt: skip
def test_sizes(text: str, want: int | None) -> None:
    assert size(text) == want


def value(kind: Any) -> Any:
    """Something of that kind that reads well; whether it makes sense there is another matter."""
    if isinstance(kind, Mapping):
        return {k: value(v) for k, v in kind.items()}
    if isinstance(kind, Each):
        return [value(kind.of)]
    if isinstance(kind, Choice):
        return kind.words[0]
    assert isinstance(kind, Kind)
    return {
        "a text": "x", "a whole number": 1, "true or false": False, "a duration": 10**9, "a size": 1 << 20,
        "a time": "2026-01-31T12:00:00Z", "a mapping of texts": {"a": "b"},
    }[kind.name]  # fmt: skip


def not_misread(lab: Lab, work: Coroutine[Any, Any, None]) -> None:
    """The server may refuse the value, but it reads strictly: an unknown field would be 10025."""
    code = 0
    try:
        lab.do(work)
    except JetStreamError as e:
        code = e.code
    assert code != 10025


@pytest.mark.parametrize("field", sorted(STREAM))
def test_the_server_knows_every_field_of_a_stream(lab: Lab, field: str) -> None:
    async def ask() -> None:
        api = Api(await lab.client("you"))
        body = {"subjects": ["t.x"], field: value(STREAM[field])} | {"name": "T"}
        await api.call("STREAM.CREATE.T", body)
        await api.call("STREAM.DELETE.T")

    not_misread(lab, ask())


@pytest.mark.parametrize("field", sorted(CONSUMER))
def test_the_server_knows_every_field_of_a_consumer(lab: Lab, field: str) -> None:
    async def ask() -> None:
        api = Api(await lab.client("you"))
        await api.call("STREAM.CREATE.C", {"name": "C", "subjects": ["c.x"]})
        config = {"ack_policy": "explicit", field: value(CONSUMER[field])} | {
            "name": "W",
            "durable_name": "W",
        }
        await api.call("CONSUMER.CREATE.C.W", {"stream_name": "C", "config": config})
        await api.call("CONSUMER.DELETE.C.W")

    not_misread(lab, ask())


def test_the_server_s_own_json_is_read(lab: Lab) -> None:
    async def ask() -> dict[str, Any]:
        api = Api(await lab.client("you"))
        body = {
            "name": "J",
            "subjects": ["j.>"],
            "max_age": 10**12,
            "republish": {"src": "j.>", "dest": "r.>"},
        }
        return await api.call("STREAM.CREATE.J", body)

    config = lab.do(ask())["config"]
    assert read_config(json.dumps(config), STREAM, "stream") == config
