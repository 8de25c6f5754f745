"""Streams by the line, on a real server."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import natslab
from natslab.commands import parse, tree
from natslab.commands.jsresults import Change, StreamInfo, changes
from natslab.commands.stream_read import Stored
from natslab.commands.stream_report import COLUMNS, bar, runs
from natslab.errors import ClientError, CommandError, NatslabError, ServerError
from natslab.lab import Lab
from natslab.servers.jsapi import JetStreamError
from natslab.servers.jserrors import MEANINGS, meaning

Go = Callable[..., Any]


def parse_tree() -> list[tuple[str, Any]]:
    tree.load()
    return [(" ".join(path), verb) for path, verb in tree.NATS.walk()]


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    with natslab.Lab.up() as up:
        yield up


@pytest.fixture
def go(lab: Lab) -> Iterator[Go]:
    """`go(line, body=None)`: run it; every stream is removed after the test."""

    def run(line: str, body: str | None = None) -> Any:
        return parse(line, body).run()

    yield run
    for name in run("js stream ls --names --all").names:
        run(f"js stream rm '{name}' -f")


def refusal(go: Go, line: str, body: str | None = None) -> NatslabError:
    with pytest.raises(NatslabError) as caught:
        go(line, body)
    assert "\n" not in caught.value.what
    assert "\n" not in caught.value.hint
    return caught.value


def publish(go: Go, subject: str, *texts: str) -> None:
    for text in texts:
        go(f"pub {subject} '{text}' -J")


class TestAdd:
    def test_a_new_one(self, go: Go) -> None:
        made = go("js stream add ORDERS --subjects 'orders.>' --max-age 1h --storage memory --defaults")
        assert isinstance(made, StreamInfo)
        assert repr(made).startswith("Stream ORDERS was created\n")
        assert (made.name, made.config.subjects, made.config.max_age) == (
            "ORDERS",
            ["orders.>"],
            3600 * 10**9,
        )
        assert (made.config.storage, made.config.allow_direct, made.state.messages) == ("memory", True, 0)
        assert (made.config.sealed, made.config.description, made.config.sources) == (False, "", [])
        with pytest.raises(AttributeError, match="there is no 'messages' here"):
            _ = made.config.messages
        assert json.loads(json.dumps(made.json()))["config"]["name"] == "ORDERS"

    def test_flags_become_the_configuration(self, go: Go) -> None:
        made = go(
            "js stream add S --subjects a,b --subjects c --retention work --discard new --max-msgs 5 "
            "--max-bytes 1MB "
            "--max-msg-size 10KB --max-msgs-per-subject 2 --discard-per-subject --dupe-window 30s "
            "--max-consumers 3 --compression s2 --description 'so it is' --metadata team:shop --no-ack "
            "--first-sequence 100 --allow-rollup --deny-delete --allow-msg-ttl --allow-batch "
            "--no-allow-direct "
            "--subject-del-markers-ttl 5s --transform-source a --transform-destination x.a "
            "--republish-source b --republish-destination r.b --republish-headers "
            "--limit-consumer-inactive 1m --limit-consumer-max-pending 10"
        )
        config = dict(made.facts["config"])
        config["metadata"] = {k: v for k, v in config["metadata"].items() if not k.startswith("_nats")}
        want = {
            "subjects": ["a", "b", "c"], "retention": "workqueue", "discard": "new", "max_msgs": 5,
            "max_bytes": 1 << 20, "max_msg_size": 10 << 10, "max_msgs_per_subject": 2,
            "discard_new_per_subject": True, "duplicate_window": 30 * 10**9, "max_consumers": 3,
            "compression": "s2", "description": "so it is", "metadata": {"team": "shop"}, "no_ack": True,
            "first_seq": 100, "allow_rollup_hdrs": True, "deny_delete": True, "allow_msg_ttl": True,
            "allow_atomic": True, "allow_direct": False, "subject_delete_marker_ttl": 5 * 10**9,
            "subject_transform": {"src": "a", "dest": "x.a"},
            "republish": {"src": "b", "dest": "r.b", "headers_only": True},
            "consumer_limits": {"inactive_threshold": 60 * 10**9, "max_ack_pending": 10},
        }  # fmt: skip
        assert {k: config.get(k) for k in want} == want

    def test_flags_add_to_the_body_and_contradict_it_not(self, go: Go) -> None:
        body = "subjects: ['orders.>']\nmax_age: 2h\nmetadata: {a: b}\n"
        made = go("%%js stream add ORDERS --max-msgs 7 --max-age 2h --metadata c:d", body)
        assert (made.config.max_msgs, made.config.max_age) == (7, 7200 * 10**9)
        assert made.facts["config"]["metadata"].items() >= {"a": "b", "c": "d"}.items()
        for verb in ("add NEW", "edit ORDERS"):
            refused = refusal(go, f"%%js stream {verb} --max-msgs 3", "max_msgs: 5")
            assert refused.what == "The cell body says max_msgs: 5, and the line says 3."
        assert go("js stream ls").names == ["ORDERS"] and go("js stream info ORDERS").config.max_msgs == 7

    def test_a_warning_is_shown_though_the_rest_is_not(
        self, go: Go, capsys: pytest.CaptureFixture[str]
    ) -> None:
        flags = "--max-bytes 100 --max-msg-size 1KB --max-msgs 3 --max-msgs-per-subject 9"
        made = go(f"js stream add S --subjects s {flags} -q")
        said = [
            "max_msg_size is 1,024 bytes, and max_bytes ends at 100.",
            "max_msgs_per_subject is 9, and max_msgs ends all subjects together at 3.",
        ]
        assert made.notes == said
        made._ipython_display_()
        assert capsys.readouterr().out.splitlines() == [f"Note: {s}" for s in said]
        assert not go("js stream edit S --description x").notes
        quiet = go("js stream add PLAIN -q")  # what is only good to know is not shown
        quiet._ipython_display_()
        assert quiet.notes and not capsys.readouterr().out

    def test_the_short_form(self, go: Go) -> None:
        made = go("%%js stream ORDERS", "subjects: ['orders.>']")
        assert made.config.subjects == ["orders.>"]
        assert isinstance(go("%%nats str ORDERS", '{"subjects": ["orders.>", "o"]}'), Change)

    def test_a_file(self, go: Go, tmp_path: Path) -> None:
        path = tmp_path / "orders.json"
        written = go(f"js stream add ORDERS --subjects 'orders.>' --output {path}")
        assert "was written to" in repr(written)
        assert go("js stream ls").names == []
        assert go(f"js stream add --config {path}").config.subjects == ["orders.>"]
        assert "can be read" in repr(go(f"js stream add --config {path} --validate"))

    def test_the_same_again_changes_nothing(self, go: Go) -> None:
        line = "js stream add ORDERS --subjects 'orders.>' --max-msgs 10 --metadata a:b --max-age 30s"
        go(line)
        again = go(line)
        assert repr(again) == "Stream ORDERS: nothing changed"
        assert again.diff == {}

    def test_another_time_it_is_updated_and_the_difference_shown(self, go: Go) -> None:
        go("js stream add ORDERS --subjects 'orders.>' --max-age 1h --description old")
        changed = go("js stream add ORDERS --subjects 'orders.>,returns' --max-msgs 10")
        assert repr(changed).splitlines() == [
            "Stream ORDERS was updated",
            "",
            "  description: old -> none",
            "      max_age: 1h -> unlimited",
            "     max_msgs: unlimited -> 10",
            "     subjects: orders.> -> orders.>, returns",
        ]
        assert changed.diff["max_msgs"] == (-1, 10)
        assert changed.config.max_msgs == 10
        assert go("js stream info ORDERS").config.subjects == ["orders.>", "returns"]

    def test_what_cannot_change_refuses_all_of_it(self, go: Go) -> None:
        go("js stream add ORDERS --subjects 'orders.>'")
        before = go("js stream info ORDERS").facts["config"]
        error = refusal(go, "js stream add ORDERS --subjects 'orders.>' --storage memory --max-msgs 3")
        assert isinstance(error, JetStreamError)
        assert error.what.startswith("Stream ORDERS stays as it is")
        assert "storage type (error 10052)" in error.what
        assert "max_msgs: unlimited -> 3" in error.hint
        assert "storage: file -> memory" in error.hint
        assert go("js stream info ORDERS").facts["config"] == before

    def test_without_subjects_its_name_is_the_subject(self, go: Go) -> None:
        made = go("js stream add my_stream")
        assert made.config.subjects == ["my_stream"]
        assert "it takes messages to the subject my_stream only" in repr(made)

    def test_a_mirror_of_nothing(self, go: Go) -> None:
        made = go("js stream add M --mirror NOPE")
        assert made.notes == ["there is no stream NOPE yet; nothing comes until there is."]
        assert go("nats js stream ls").names == ["M"]

    def test_dry_run(self, go: Go) -> None:
        said = go("js stream add ORDERS --subjects orders.new --dry-run")
        assert "$JS.API.STREAM.CREATE.ORDERS" in repr(said)
        assert said.body["subjects"] == ["orders.new"]
        assert go("js stream ls").names == []

    def test_a_mirror_and_sources(self, go: Go, lab: Lab, wait_for: Any) -> None:
        go("js stream add ORDERS --subjects 'orders.>'")
        go("js stream add COPY --mirror ORDERS")
        made = go("js stream add ALL --source ORDERS")
        assert made.config.subjects == []
        publish(go, "orders.new", "a", "b")
        wait_for(lambda: go("js stream state COPY").messages == 2 and go("js stream state ALL").messages == 2)
        said = go("js stream report")
        assert said.copies == [
            ["ALL", "Source", "", "ORDERS", "", "0", ""],
            ["COPY", "Mirror", "", "ORDERS", "", "0", ""],
        ]
        assert "Replication Report" in repr(said)
        changed = go("js stream edit COPY --no-mirror --subjects c.x")
        assert changed.config.subjects == ["c.x"]
        assert go("js stream state COPY").messages == 2

    @pytest.mark.parametrize(
        ("line", "body", "what", "hint"),
        [
            ("js stream add B --subjects orders.eu", None, "Stream ORDERS takes orders.>, which overlaps",
             "do not overlap"),
            ("js stream add B --subjects b --replicas 3", None, "to have 3 replicas, and there is one server",
             "--replicas 1"),
            ("js stream add B.C", None, "'B.C' cannot be the name of a stream: it holds a dot", "B-C"),
            ("js stream add 'B C'", None, "it holds a blank", "B-C"),
            ("js stream add 'B*'", None, "it holds '*'", ""),
            ("js stream add ''", None, "name of the stream is empty", ""),
            ("js stream add", None, "needs the name", "js stream add ORDERS"),
            ("js stream add B --max-age soon", None, "--max-age: 'soon' is not a duration", ""),
            ("js stream add B --max-bytes big", None, "--max-bytes: 'big' is not a size", ""),
            ("js stream add B --max-msgs -2", None, "--max-msgs: -2 is less than -1", ""),
            ("js stream add B --subjects 'b..c'", None, "two dots", "b.c"),
            ("js stream add B --subjects 'b.>.c'", None, "> is not at the end", ""),
            ("js stream add B --subjects b,b", None, 'subject "b" overlaps with "b" (error 10052)', ""),
            ("js stream add B --discard-per-subject", None, "needs the policy new", "--discard new"),
            ("js stream add B --discard new --discard-per-subject", None, "needs a limit per subject",
             "--max-msgs-per-subject"),
            ("js stream add B --max-age 1s --dupe-window 5s", None, "duplicate window is longer", ""),
            ("js stream add B --max-age 1ms", None, "max age needs to be >= 100ms (error 10052)", ""),
            ("js stream add B --mirror ORDERS --source ORDERS", None, "mirror or has sources", ""),
            ("js stream add B --mirror ORDERS --subjects b", None, "is a mirror", "(error 10034)"),
            ("js stream add B --transform-source a", None, "has a source and a destination",
             "--transform-destination"),
            ("js stream add B --republish-headers", None, "nothing is", "--republish-source"),
            ("js stream add B --metadata x", None, "'x' is no metadata", "key:value"),
            ("js stream add B --retention forever", None, "--retention", ""),
            ("js stream B", "max_mgs: 3", "no field 'max_mgs'", "max_msgs"),
            ("js stream B", "a: b: c", "neither YAML nor JSON", ""),
            ("js stream B", "name: C", "names the stream B and the configuration C", ""),
            ("js stream add B --config x.yaml", "a: b", "in the cell body and one in --config", ""),
            ("js stream add B --config no.yaml", None, "'no.yaml' cannot be read", ""),
            ("js stream ad B", "subjects: [b]", "no verb 'ad'", "add"),
            ("js stream add B --max-msgs 99999999999999999999", None, "is too large", ""),
            ("js stream add B --max-bytes 99999999TB", None, "is too large", ""),
            ("js stream B", "max_msgs: 99999999999999999999", "999 is too large", ""),
            ("js stream purge ORDERS --subject 'a b' -f", None, "white space", "a.b"),
            ("js stream ls B", None, "cannot use the words 'B'", ""),
            ("js stream info B", "x", "takes no cell body", ""),
        ],
    )  # fmt: skip
    def test_wrong_input(self, go: Go, line: str, body: str | None, what: str, hint: str) -> None:
        go("js stream add ORDERS --subjects 'orders.>'")
        error = refusal(go, line, body)
        assert what in error.what
        assert hint in f"{error.hint} {error.what}"
        assert go("js stream ls --names").names == ["ORDERS"]


class TestEdit:
    def test_fields(self, go: Go) -> None:
        go("js stream add ORDERS --subjects 'orders.>' --max-age 1h --description x")
        changed = go("js stream edit ORDERS --max-msgs 5 -f")
        assert repr(changed) == "Stream ORDERS was updated\n\n  max_msgs: unlimited -> 5"
        now = go("js stream info ORDERS").config
        assert (now.max_msgs, now.max_age, now.description) == (5, 3600 * 10**9, "x")
        assert go("js stream edit ORDERS --max-age -1").diff == {"max_age": (3600 * 10**9, -1)}

    def test_the_body(self, go: Go) -> None:
        go("js stream add ORDERS --subjects 'orders.>' --max-age 1h")
        assert go("%%js stream edit ORDERS", "max_bytes: 1MB").diff == {"max_bytes": (-1, 1 << 20)}
        assert go("js stream info ORDERS").config.max_age == 3600 * 10**9

    @pytest.mark.parametrize(
        ("flags", "says"),
        [
            ("--max-msgs 3", "5 of 8 messages (max_msgs 3)"),
            ("--max-bytes 100", "until at most 100 B of"),
            ("--max-msgs-per-subject 2", "4 of 8 messages (max_msgs_per_subject 2)"),
            ("--max-age 100ms --dupe-window 100ms", "every message older than 100ms (max_age)"),
            ("--max-msgs 7 --max-msgs-per-subject 3", "1 of 8 messages (max_msgs 7) and 2 of 8 messages"),
        ],
    )
    @pytest.mark.parametrize("verb", ["edit ORDERS", "add ORDERS --subjects 'orders.>' --defaults"])
    def test_messages_do_not_go_unasked(
        self, go: Go, wait_for: Callable[..., float], verb: str, flags: str, says: str
    ) -> None:
        go("js stream add ORDERS --subjects 'orders.>'")
        go("pub orders.a hello --count 4 -J")
        go("pub orders.b hello --count 4 -J")
        before = go("js stream info ORDERS")
        if "age" in flags:
            born = time.monotonic()
            wait_for(lambda: time.monotonic() - born > 0.15)
        refused = refusal(go, f"js stream {verb} {flags}")
        assert says in refused.what and "ORDERS for good" in refused.what and "-f" in refused.hint
        after = go("js stream info ORDERS")
        assert (after.facts["config"], after.state.messages) == (before.facts["config"], 8)
        go(f"js stream {verb} {flags} -f")
        wait_for(lambda: go("js stream state ORDERS").messages < 8)

    @pytest.mark.parametrize(
        "flags",
        [
            "--max-msgs 8",
            "--max-bytes 1MB",
            "--max-msgs-per-subject 4",
            "--max-age 1h",
            "--max-msgs 2 --discard new",
        ],
    )
    def test_nothing_is_asked_when_nothing_goes(self, go: Go, flags: str) -> None:
        go("js stream add ORDERS --subjects 'orders.>'")
        go("pub orders.a hello --count 4 -J")
        go("pub orders.b hello --count 4 -J")
        assert go(f"js stream edit ORDERS {flags}").diff
        assert go("js stream state ORDERS").messages == 8

    def test_an_empty_subject_is_none(self, go: Go) -> None:
        go("js stream add ORDERS --subjects 'orders.>'")
        for line in ("edit ORDERS --subjects ''", "edit ORDERS --subjects ,", "add NEW --subjects ''"):
            assert "no subject" in refusal(go, f"js stream {line}").what
        assert "list of subjects is empty" in refusal(go, "%%js stream edit ORDERS", "subjects: []").what
        assert go("js stream info ORDERS").config.subjects == ["orders.>"]
        assert go("js stream ls").names == ["ORDERS"]

    def test_nothing(self, go: Go) -> None:
        go("js stream add ORDERS --subjects 'orders.>'")
        assert repr(go("js stream edit ORDERS")) == "Stream ORDERS: nothing changed"

    def test_dry_run(self, go: Go) -> None:
        go("js stream add ORDERS --subjects 'orders.>'")
        assert "max_msgs: unlimited -> 5" in repr(go("js stream edit ORDERS --max-msgs 5 --dry-run"))
        assert go("js stream info ORDERS").config.max_msgs == -1

    def test_transform_and_republish_go_again(self, go: Go) -> None:
        go(
            "js stream add S --subjects s --republish-source s --republish-destination r "
            "--transform-source s --transform-destination t"
        )
        changed = go("js stream edit S --no-republish --no-transform")
        assert sorted(changed.diff) == ["republish", "subject_transform"]

    @pytest.mark.parametrize(
        ("line", "what"),
        [
            ("js stream edit NOPE --max-msgs 1", "There is no stream NOPE"),
            ("js stream edit ORDERS -i", "no editor"),
            ("js stream edit ORDERS --retention work", "stays as it is"),
            ("js stream edit ORDERS --mirror X --no-mirror", "contradict"),
            ("js stream edit ORDERS --replicas 3", "one server"),
        ],
    )
    def test_wrong_input(self, go: Go, line: str, what: str) -> None:
        go("js stream add ORDERS --subjects 'orders.>'")
        before = go("js stream info ORDERS").facts["config"]
        assert what in refusal(go, line).what
        assert go("js stream info ORDERS").facts["config"] == before


class TestLooking:
    @pytest.fixture
    def orders(self, go: Go) -> None:
        go("js stream add ORDERS --subjects 'orders.>' --description 'all of them'")
        publish(go, "orders.eu", "a", "b")
        publish(go, "orders.us", "c")

    @pytest.mark.usefixtures("orders")
    def test_the_object(self, go: Go) -> None:
        x = go("js stream info ORDERS")
        assert (x.state.messages, x.state.first_seq, x.state.last_seq) == (3, 1, 3)
        assert x["state"]["messages"] == 3
        assert "config" in dir(x)
        assert repr(go("js stream info")) == repr(x)
        assert repr(x) == repr(go("js stream info ORDERS"))
        assert "created" not in repr(x)
        assert x.created[:2] == "20"
        assert go("js stream info ORDERS --state").messages == 3
        assert go("js stream state ORDERS").last_seq == 3
        assert json.loads(repr(go("js stream info ORDERS --json")))["state"]["messages"] == 3

    @pytest.mark.usefixtures("orders")
    def test_ls(self, go: Go) -> None:
        go("js stream add KV_CFG --subjects '$KV.CFG.>'")
        listed = go("js stream ls")
        assert listed.names == ["ORDERS"]
        assert "Note: 1 stream of buckets not shown; --all shows all." in repr(listed)
        assert listed[0].state.messages == 3
        assert [s.config.name for s in go("js stream ls -a")] == ["KV_CFG", "ORDERS"]
        assert repr(go("js stream ls -n -a")) == "KV_CFG\nORDERS"
        assert go("js stream ls --subject orders.eu").names == ["ORDERS"]
        assert "There is no stream that takes x" in repr(go("js stream ls --subject x"))

    @pytest.mark.usefixtures("orders")
    def test_subjects(self, go: Go) -> None:
        assert [(s.name, s.messages) for s in go("js stream subjects ORDERS")] == [
            ("orders.eu", 2),
            ("orders.us", 1),
        ]
        assert go("js stream subjects ORDERS --sort name -R").names == ["orders.us", "orders.eu"]
        assert repr(go("js stream subjects ORDERS orders.us --names")) == "orders.us"
        assert repr(go("js stream subjects ORDERS nope")) == "The stream has no message to nope"

    @pytest.mark.usefixtures("orders")
    def test_report(self, go: Go) -> None:
        go("js stream add EMPTY --subjects e --storage memory")
        said = go("js stream report")
        assert said.columns == COLUMNS
        assert [row[:2] for row in said.rows] == [["EMPTY", "Memory"], ["ORDERS", "File"]]
        assert said[1].state.messages == 3
        assert go("js stream report --messages").names == ["ORDERS", "EMPTY"]
        assert "Stream Report" in repr(said)

    def test_a_graph_for_graphviz(self, go: Go, tmp_path: Path) -> None:
        go("js stream add A --subjects a")
        go("js stream add B --mirror A")
        go(f"js stream report --dot {tmp_path / 'x.dot'}")
        assert '"A" -> "B" [label="Mirror"];' in (tmp_path / "x.dot").read_text()

    @pytest.mark.usefixtures("orders")
    @pytest.mark.parametrize(
        ("flags", "want"),
        [
            ("--empty", ["EMPTY"]),
            ("--empty --invert", ["ORDERS"]),
            ("--subject orders.new", ["ORDERS"]),
            ("--subject nope", []),
            ("--idle 1h", []),
            ("--created 1h --invert", ["EMPTY", "ORDERS"]),
            ("--consumers 0", ["EMPTY", "ORDERS"]),
            ("--mirrored", []),
            ("--replicas 1", ["EMPTY", "ORDERS"]),
            ("--api-level 0", ["EMPTY", "ORDERS"]),
            ("--api-level 1", []),
            ("", ["EMPTY", "ORDERS"]),
        ],
    )
    def test_find(self, go: Go, flags: str, want: list[str]) -> None:
        go("js stream add EMPTY --subjects e")
        assert go(f"js stream find {flags}").names == want
        assert go(f"js stream find --names {flags}").names == want

    @pytest.mark.usefixtures("orders")
    def test_view(self, go: Go) -> None:
        go("js stream rmm ORDERS 2 -f")
        seen = go("js stream view ORDERS")
        assert isinstance(seen, Stored)
        assert [(m.seq, m.subject, m.data) for m in seen] == [(1, "orders.eu", b"a"), (3, "orders.us", b"c")]
        assert repr(seen) == "[1] Subject: orders.eu\n\na\n\n[3] Subject: orders.us\n\nc"
        one = go("js stream view ORDERS 1")
        assert len(one) == 1
        assert "go on with --id 3" in repr(one)
        assert [m.seq for m in go("js stream view ORDERS --id 2")] == [3]
        assert [m.seq for m in go("js stream view ORDERS --subject orders.us")] == [3]
        assert [m.seq for m in go("js stream view ORDERS --since 1h")] == [1, 3]
        assert repr(go("js stream view ORDERS --raw")) == "a\nc"
        assert "No message of stream ORDERS matches" in repr(go("js stream view ORDERS --id 9"))

    def test_a_stored_message_is_foreign_text(self, go: Go) -> None:
        go("js stream add S --subjects s")
        go("pub s '<b>\x1b[31mred\x07' -J -H 'X:<i>'")
        got = go("js stream get S 1")
        assert got.data == b"<b>\x1b[31mred\x07"
        assert "\x1b" not in repr(got)
        assert "<b>" not in got._repr_mimebundle_()["text/html"]
        assert got.headers["X"] == "<i>"

    @pytest.mark.usefixtures("orders")
    def test_get(self, go: Go) -> None:
        got = go("js stream get ORDERS 2")
        assert (got.seq, got.subject, got.data, got.text()) == (
            2,
            "orders.eu",
            b"b",
            "[2] Subject: orders.eu\n\nb",
        )
        assert go("js stream get ORDERS --last-for orders.eu").seq == 2
        assert go("js stream get ORDERS -S 'orders.*'").seq == 3
        assert go("js stream get ORDERS 2 --json").json()["data"] == "b"

    @pytest.mark.usefixtures("orders")
    @pytest.mark.parametrize(
        ("line", "what", "hint"),
        [
            ("js stream get ORDERS 9", "has no message 9 (error 10037)", "The last one is 3."),
            ("js stream get ORDERS 1", "has no message 1 (error 10037)", "It is gone: the first one is 2."),
            ("js stream get ORDERS 0", "No message has the sequence 0", ""),
            ("js stream get ORDERS -S orders.xy", "has no message to orders.xy", "js stream subjects"),
            ("js stream get ORDERS", "needs the sequence of a message or a subject", ""),
            ("js stream get ORDERS 1 -S x", "one of the two", ""),
            ("js stream get ORDERZ 1", "There is no stream ORDERZ", "Did you mean ORDERS?"),
            ("js stream get ORDERS one", "'one' is not a whole number", ""),
            ("js stream view ORDERS --id 1 --since 1h", "two ways", ""),
            ("js stream view ORDERS --subject 'a..b'", "two dots", ""),
            ("js stream find --expression x", "does not read", ""),
            ("js stream cluster step-down ORDERS", "Only a cluster can do that", "%natslab up --servers 3"),
            ("js stream cluster peer-remove ORDERS n2", "(error 10010)", "%natslab up --servers 3"),
            ("js stream cluster peer-remove ORDERS", "From which server?", "There is n1."),
            ("js stream cluster balance", "has one replica only", ""),
            ("nats server raft step-down", "There is no meta group", "%natslab up --servers 3"),
            ("nats server raft peer-remove n1 -f", "There is no meta group", ""),
        ],
    )
    def test_wrong_input(self, go: Go, line: str, what: str, hint: str) -> None:
        go("js stream rmm ORDERS 1 -f")
        error = refusal(go, line)
        assert what in error.what
        assert hint in error.hint

    @pytest.mark.usefixtures("orders")
    def test_gaps(self, go: Go) -> None:
        assert repr(go("js stream gaps ORDERS")) == "Stream ORDERS has no gaps"
        go("pub orders.x y --count 6")
        for seq in (2, 4, 5, 8):
            go(f"js stream rmm ORDERS {seq} -f")
        assert [(g.first, g.last, g.messages) for g in go("js stream gaps ORDERS")] == [
            (2, 2, 1),
            (4, 5, 2),
            (8, 8, 1),
        ]

    @pytest.mark.usefixtures("orders")
    def test_graph(self, go: Go) -> None:
        go("js stream edit ORDERS --max-msgs 6")
        said = repr(go("js stream graph ORDERS"))
        assert f"Messages: 3 of 6  {'█' * 15}{'░' * 15}" in said
        assert f"orders.us: {'█' * 15}{'░' * 15} 1" in said

    def test_which_stream(self, go: Go) -> None:
        assert "There is no stream yet" in refusal(go, "js stream info").what
        go("js stream add A --subjects a")
        assert go("js stream info").name == "A"
        go("js stream add B --subjects b")
        assert refusal(go, "js stream info").hint == "There are A and B."

    def test_the_wire(self, go: Go) -> None:
        go("js stream add A --subjects a")
        said = repr(go("js stream state A --trace"))
        assert ">>> $JS.API.STREAM.INFO.A" in said


class TestRemoving:
    def test_nothing_goes_without_force(self, go: Go) -> None:
        go("js stream add ORDERS --subjects 'orders.>'")
        publish(go, "orders.new", "a", "b")
        for line, what in (
            ("rm ORDERS", "stream ORDERS with 2 messages and 0 consumers"),
            ("purge ORDERS", "messages, 2 in all,"),
            ("purge ORDERS --subject orders.new --keep 1", "messages to orders.new but the last 1"),
            ("rmm ORDERS 1", "message 1 (orders.new)"),
            ("seal ORDERS", "for ever"),
        ):
            error = refusal(go, f"js stream {line}")
            assert what in error.what
            assert error.hint == f"Nothing was done. To do it: %js stream {line} -f"
        assert go("js stream info ORDERS").state.messages == 2

    def test_purge(self, go: Go) -> None:
        go("js stream add ORDERS --subjects 'orders.>'")
        publish(go, "orders.a", *"12345")
        publish(go, "orders.b", *"67")
        assert go("js stream purge ORDERS --subject orders.b -f").purged == 2
        kept = go("js stream purge ORDERS --keep 3 -f")
        assert (kept.purged, kept.messages, kept.first_seq) == (2, 3, 3)
        assert go("js stream purge ORDERS --seq 5 -f").messages == 1
        none = go("js stream purge ORDERS --subject nope -f")
        assert none.purged == 0
        assert "nothing was there on nope" in repr(none)
        assert go("js stream purge ORDERS -f").messages == 0
        assert go("js stream state ORDERS").last_seq == 7
        assert "two ways" in refusal(go, "js stream purge ORDERS --seq 1 --keep 1 -f").what

    def test_one_message(self, go: Go) -> None:
        go("js stream add ORDERS --subjects 'orders.>'")
        publish(go, "orders.a", *"123")
        assert repr(go("js stream rmm ORDERS 2 -f")) == "Message 2 of stream ORDERS was removed"
        assert "no message 2 in stream ORDERS" in refusal(go, "js stream rmm ORDERS 2 -f").what
        assert "needs the sequence" in refusal(go, "js stream rmm ORDERS -f").what
        assert go("js stream state ORDERS").num_deleted == 1

    def test_a_stream(self, go: Go) -> None:
        go("js stream add ORDERS --subjects 'orders.>'")
        assert repr(go("js stream rm ORDERS -f")) == "Stream ORDERS was removed"
        error = refusal(go, "js stream rm ORDERS -f")
        assert error.what == "There is no stream ORDERS (error 10059)."
        assert error.hint == "There is no stream yet."

    def test_dry_runs(self, go: Go) -> None:
        go("js stream add ORDERS --subjects 'orders.>'")
        publish(go, "orders.a", "1")
        for verb, subject in (
            ("rm ORDERS", "STREAM.DELETE"),
            ("purge ORDERS --keep 1", "STREAM.PURGE"),
            ("rmm ORDERS 1", "STREAM.MSG.DELETE"),
            ("seal ORDERS", "STREAM.UPDATE"),
        ):
            assert f"$JS.API.{subject}.ORDERS" in repr(go(f"js stream {verb} --dry-run"))
        assert go("js stream state ORDERS").messages == 1
        assert not go("js stream info ORDERS").config.sealed

    def test_a_copy_and_a_seal(self, go: Go) -> None:
        go("js stream add ORDERS --subjects 'orders.>' --max-age 1h --metadata a:b")
        publish(go, "orders.a", "1")
        made = go("js stream copy ORDERS COPY --subjects 'c.>' --description 'a copy'")
        assert repr(made).startswith("Stream COPY was created")
        assert (made.config.max_age, made.config.metadata["a"], made.state.messages) == (3600 * 10**9, "b", 0)
        assert "is there already" in refusal(go, "js stream copy ORDERS COPY --subjects d").what
        assert "Stream ORDERS takes orders.>, too" in refusal(go, "js stream copy ORDERS C2").what
        sealed = go("js stream seal COPY -f")
        assert sealed.diff["sealed"] == (False, True)
        assert "is sealed" in refusal(go, "js stream purge COPY -f").what


class TestExplain:
    @pytest.mark.parametrize("path", [p for p, _ in parse_tree() if p.startswith("stream ")])
    def test_every_verb(self, path: str) -> None:
        words = {
            "stream add": "A",
            "stream copy": "A B",
            "stream restore": "x",
            "stream backup": "A x",
            "stream seal": "A",
        }
        said = parse(f"{path} {words.get(path, '')} --explain").run()
        assert said.why.endswith(".")
        assert "On the wire:" in repr(said)

    def test_the_bytes(self) -> None:
        said = parse("%%js stream add A --max-msgs 5 --explain", "max_age: 1h").run()
        assert said.bytes == [
            "PUB $JS.API.STREAM.INFO.A _INBOX.… 0",
            "",
            "PUB $JS.API.STREAM.CREATE.A _INBOX.… 76",
            '{"name": "A", "max_age": 3600000000000, "max_msgs": 5, "allow_direct": true}',
        ]
        assert (
            '{"filter": "a.b", "keep": 2}'
            in parse("stream purge A --subject a.b --keep 2 --explain").run().bytes
        )


class TestFull:
    def test_full_and_discarding_new(self, go: Go) -> None:
        go("js stream add S --subjects s --max-msgs 2 --discard new")
        publish(go, "s", "1", "2")
        error = refusal(go, "pub s 3 -J")
        assert isinstance(error, ClientError)
        assert "(error 10077)" in error.what
        assert go("js stream state S").messages == 2

    def test_wrong_last_sequence(self, go: Go) -> None:
        go("js stream add S --subjects s")
        publish(go, "s", "1", "2")
        error = refusal(go, "pub s 3 -J -H Nats-Expected-Last-Sequence:1")
        assert "(error 10071)" in error.what
        assert go("js stream state S").messages == 2


class TestTrouble:
    def test_frozen_and_killed(self, go: Go, lab: Lab) -> None:
        go("js stream add S --subjects s")
        server = lab.server("n1")
        server.freeze()
        try:
            error = refusal(go, "js stream info S --timeout 300ms")
            assert isinstance(error, ServerError)
            assert "n1 is frozen" in error.what
        finally:
            server.thaw()
        server.kill()
        error = refusal(go, "js stream ls")
        assert isinstance(error, ServerError)
        assert "n1 is down" in error.what
        server.restart()
        assert go("js stream ls").names == ["S"]

    def test_killed_in_mid_call(self, go: Go, lab: Lab, tmp_path: Path) -> None:
        go("js stream add S --subjects s")
        server = lab.server("n1")
        server.freeze()  # the requests wait until it is killed
        threading.Timer(0.3, server.kill).start()
        for line in ("js stream edit S --max-msgs 5", f"js stream backup S {tmp_path / 'b'}"):
            error = refusal(go, f"{line} --timeout 30s")
            assert isinstance(error, ServerError)
            assert "n1" in error.what
            assert "down" in error.what
        assert list(tmp_path.iterdir()) == []
        server.restart()
        assert go("js stream info S").config.max_msgs == -1


def test_in_a_terminal(go: Go, lab: Lab) -> None:
    def natslab(*words: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "natslab", "nats", "--server", lab.url, *words]
        return subprocess.run(command, capture_output=True, text=True, timeout=60)

    made = natslab("stream", "add", "T", "--subjects", "t.>")
    assert made.stdout.startswith("Stream T was created")
    assert natslab("stream", "ls", "-n").stdout == "T\n"
    wrong = natslab("stream", "info", "X")
    assert wrong.returncode != 0
    assert "There is no stream X (error 10059)." in wrong.stderr
    assert "Traceback" not in wrong.stderr


class TestCodes:
    def test_lookup(self, go: Go) -> None:
        said = go("nats errors lookup 10065")
        assert (said.code, "one stream only" in said.means) == (10065, True)
        assert repr(go("natslab explain 10065")) == repr(said)
        assert "no explanation of the error code '1'" in refusal(go, "natslab explain 1").what
        assert "10071" in refusal(go, "errors lookup 100711").hint
        full = go("natslab explain 10077")
        assert "is full (max_msgs, max_bytes or max_msgs_per_subject)" in full.means

    def test_a_message_that_is_not_there(self, go: Go) -> None:
        go("js stream add S --subjects s")
        publish(go, "s", "1", "2")
        error = refusal(go, "js stream rmm S 99 -f")
        assert error.what == "There is no message 99 in stream S, whose last sequence is 2 (error 10037)."

    def test_no_code_is_explained_by_what_the_server_would_say(self, go: Go) -> None:
        for code in MEANINGS:
            assert not re.search(r"\{said|the server says|:\s*\.", " ".join(meaning(code) or ())), code

    def test_list(self, go: Go) -> None:
        found = go("errors ls atomic")
        assert 10174 in [m.code for m in found]
        assert 10059 not in [m.code for m in found]
        assert [m.code for m in go("errors ls stream -R")] == sorted(
            (m.code for m in go("errors ls stream")), reverse=True
        )
        with pytest.raises(CommandError, match="is no pattern"):
            go("errors ls '('")


@pytest.mark.parametrize(
    ("numbers", "want"), [([], []), ([5], [(5, 5)]), ([3, 1, 2, 7, 9, 8], [(1, 3), (7, 9)])]
)
def test_runs(numbers: list[int], want: list[tuple[int, int]]) -> None:
    assert list(runs(numbers)) == want


def test_bars() -> None:
    assert bar(0, 10) == "░" * 30
    assert bar(1, 10_000).count("█") == 1
    assert bar(20, 10) == "█" * 30
    assert bar(1, 0).count("█") == 1


def test_no_limit_is_no_limit_in_any_spelling() -> None:
    from natslab.commands.config_body import STREAM

    assert changes({"max_msgs": -1, "max_age": 0, "metadata": {"_nats.ver": "1"}}, {}, STREAM) == {}
    assert changes({"max_msgs": 5}, {}, STREAM) == {"max_msgs": (5, -1)}
