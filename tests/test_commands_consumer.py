"""Consumers by the line: made, changed, looked at, paused, reset, removed; on a real server."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

import natslab
from natslab.commands.consumer_config import collide
from natslab.errors import ClientError, CommandError
from natslab.lab import Lab
from natslab.servers.jsapi import JetStreamError
from tests.streams import Bench

S = 10**9
_numbers = itertools.count(1)


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    with natslab.Lab.up() as up:
        yield up


@pytest.fixture
def go(lab: Lab) -> Bench:
    """Runs lines; a stream of its own for each test."""
    bench = Bench(lab, f"ORD{next(_numbers)}")
    bench.api("STREAM.CREATE.{S}", {"name": bench.stream, "subjects": [f"{bench.subject}.>"]})
    return bench


class TestAdd:
    def test_flags_and_defaults(self, go: Bench) -> None:
        made = go(
            "%js consumer add {S} billing --pull --max-deliver 4 --wait 10s --filter {s}.new --defaults"
        )
        config = go.info("billing")["config"]
        assert (made.config.ack_policy, made.config.max_deliver, made.config.ack_wait) == (
            "explicit",
            4,
            10 * S,
        )
        assert config["durable_name"] == "billing"
        assert config["filter_subject"] == f"{go.subject}.new"
        assert repr(made).startswith(f"Consumer {go.stream} > billing was created\n")
        assert "Maximum Deliveries: 4" in repr(made)
        assert made.notes == []
        assert made.num_pending == 0

    def test_all_flags_reach_the_server(self, go: Bench) -> None:
        go(
            "con add {S} c --ack all --deliver 3 --description 'a b' --headers-only --max-pending 7 --memory "
            "--max-pull-batch 5 --max-pull-expire 2s --max-pull-bytes 900 --max-waiting 9 --replay original "
            "--sample 50 --inactive-threshold 1h --metadata team:shop --metadata k=v --replicas 1 --pause 1h"
        )
        config = go.info("c")["config"]
        said = {
            "ack_policy": "all", "deliver_policy": "by_start_sequence", "opt_start_seq": 3,
            "description": "a b", "headers_only": True, "max_ack_pending": 7, "mem_storage": True,
            "max_batch": 5,
            "max_expires": 2 * S, "max_bytes": 900, "max_waiting": 9, "replay_policy": "original",
            "sample_freq": "50%", "inactive_threshold": 3600 * S, "num_replicas": 1,
        }  # fmt: skip
        assert {k: config[k] for k in said} == said
        assert config["metadata"]["team"] == "shop"
        assert config["metadata"]["k"] == "v"
        assert go.info("c")["paused"] is True

    def test_push(self, go: Bench) -> None:
        go("con add {S} p --target out.{s} --deliver-group g --heartbeat 5s --flow-control --bps 900")
        config = go.info("p")["config"]
        assert config["deliver_subject"] == f"out.{go.subject}"
        assert (config["deliver_group"], config["idle_heartbeat"], config["flow_control"]) == (
            "g",
            5 * S,
            True,
        )
        assert config["rate_limit_bps"] == 900
        assert "max_waiting" not in config

    @pytest.mark.parametrize(
        ("said", "want"),
        [("all", "all"), ("new", "new"), ("last", "last"), ("subject", "last_per_subject"),
         ("1h", "by_start_time"), ("7", "by_start_sequence"), ("2020-01-01T00:00:00Z", "by_start_time")],
    )  # fmt: skip
    def test_where_it_begins(self, go: Bench, said: str, want: str) -> None:
        assert go(f"con add {{S}} c --deliver {said}").config.deliver_policy == want

    def test_a_body_in_yaml_and_flags_beside_it(self, go: Bench) -> None:
        body = "ack_wait: 2s\nfilter_subjects: ['{s}.a', '{s}.b']\nmax_ack_pending: 3\n"
        with pytest.raises(CommandError, match="says max_ack_pending: 3, and the line says 4"):
            go("%%js consumer add {S} two --max-pending 4", body)
        made = go("%%js consumer add {S} two --max-deliver 5", body)
        assert made.config.filter_subjects == [f"{go.subject}.a", f"{go.subject}.b"]
        assert (made.config.ack_wait, made.config.max_ack_pending, made.config.max_deliver) == (2 * S, 3, 5)

    def test_a_file_and_back(self, go: Bench, tmp_path: Path) -> None:
        path = tmp_path / "c.json"
        go(f"con add {{S}} c --max-deliver 3 --output {path}")
        assert json.loads(path.read_text())["max_deliver"] == 3
        with pytest.raises(JetStreamError):
            go("con info {S} c")
        assert go(f"con add {{S}} --config {path}").config.max_deliver == 3

    def test_validate_makes_nothing(self, go: Bench) -> None:
        assert repr(go("con add {S} c --validate")) == "The configuration can be used."
        assert go("con ls {S}").names == []

    def test_linear_backoff_and_the_ack_wait_it_replaces(self, go: Bench) -> None:
        made = go(
            "con add {S} c --wait 30s --backoff linear --backoff-steps 3 --backoff-min 1s --backoff-max 4s "
            "--max-deliver 4"
        )
        assert made.config.backoff == [S, 2 * S, 3 * S]
        assert made.config.ack_wait == S
        assert len(made.notes) == 1
        assert made.notes[0].startswith(
            "ack_wait 30s was asked for, and the server stored 1s: with a backoff"
        )

    def test_the_same_in_a_body(self, go: Bench) -> None:
        made = go("%%js consumer add {S} c", "ack_wait: 30s\nbackoff: [1s, 5s]\n")
        assert made.config.ack_wait == S
        assert "stored 1s" in made.notes[0]

    def test_ephemeral(self, go: Bench) -> None:
        made = go("con add {S} --ephemeral")
        assert made.name
        assert made.config.durable_name == ""
        assert made.notes == ["it goes away when nobody uses it for 5s (ephemeral)."]
        assert go("con add {S} named --ephemeral").name == "named"

    def test_a_filter_that_matches_nothing(self, go: Bench) -> None:
        made = go("con add {S} deaf --filter nothing.here")
        assert made.notes == [
            f"no message of {go.stream} can match the filter nothing.here: its subjects are {go.subject}.>."
        ]

    @pytest.mark.parametrize(
        ("flag", "policy"),
        [("pinned", "pinned_client"), ("overflow", "overflow"), ("prioritized", "prioritized")],
    )
    def test_priority_groups(self, go: Bench, flag: str, policy: str) -> None:
        made = go(f"con add {{S}} c --{flag}-groups a --{flag}-groups b")
        assert (made.config.priority_policy, made.config.priority_groups) == (policy, ["a", "b"])

    @pytest.mark.parametrize(
        ("line", "what"),
        [
            ("con add {S}", "needs a name"),
            ("con add {S} 'a b'", "cannot be the name of a consumer"),
            ("con add {S} a.b", "cannot be the name of a consumer"),
            ("con add {S} c --pull --target x", "exclude each other"),
            ("con add {S} c --deliver-group g", "for push consumers"),
            ("con add {S} c --deliver sometimes", "no place in a stream"),
            ("con add {S} c --filter a..b", "two dots in a row"),
            ("con add {S} c --filter 'a b'", "white space"),
            ("con add {S} c --metadata x", "no key and value"),
            ("con add {S} c --pause soon", "neither a duration nor a time"),
            ("con add {S} c --pinned-groups a --overflow-groups b", "one priority policy"),
            ("con add {S} c --config none.json", "none.json"),
            ("con add {S} c --ack some", "--ack"),
        ],
    )
    def test_lines_that_make_no_sense(self, go: Bench, line: str, what: str) -> None:
        with pytest.raises(CommandError) as caught:
            go(line)
        assert what in caught.value.what
        assert "\n" not in caught.value.what
        assert go("con ls {S}").names == []

    @pytest.mark.parametrize(
        ("body", "what", "hint"),
        [
            ("ackwait: 2s\n", "no field 'ackwait'", "ack_wait"),
            ("ack_wait: soon\n", "ack_wait is a duration", ""),
            ("- a\n", "is a mapping of fields", ""),
            ("a: [\n", "neither YAML nor JSON", ""),
            ("name: other\n", "the configuration says other", ""),
        ],
    )
    def test_bodies_that_make_no_sense(self, go: Bench, body: str, what: str, hint: str) -> None:
        with pytest.raises(CommandError) as caught:
            go("%%js consumer add {S} c", body)
        assert what in caught.value.what
        assert hint in caught.value.hint

    @pytest.mark.parametrize(
        ("line", "code"),
        [
            ("con add {S} c --filter {s}.a --filter {s}.>", 10138),
            ("con add {S} c --replicas 3", 10074),
            ("con add {S} c --max-deliver 2 --backoff linear --backoff-steps 3", 10116),
            ("con add {S} c --flow-control", 10089),
            ("con add {S} c --target {s}.loop", 10081),
            ("con add {S} c --pinned-groups 'not a group'", 10162),
            ("con add NOPE c", 10059),
        ],
    )
    def test_what_the_server_refuses(self, go: Bench, line: str, code: int) -> None:
        with pytest.raises(JetStreamError) as caught:
            go(line)
        assert caught.value.code == code
        assert caught.value.what.count("\n") == 0
        assert caught.value.hint

    def test_a_work_queue_gives_each_message_once(self, lab: Lab) -> None:
        go = Bench(lab, f"WORK{next(_numbers)}")
        go.api(
            "STREAM.CREATE.{S}",
            {"name": go.stream, "subjects": [f"{go.subject}.>"], "retention": "workqueue"},
        )
        go("con add {S} all")
        with pytest.raises(JetStreamError) as caught:
            go("con add {S} second")
        assert caught.value.code == 10099
        go("con rm {S} all -f")
        go("con add {S} a --filter {s}.a.>")
        go("con add {S} b --filter {s}.b")
        with pytest.raises(JetStreamError) as caught:
            go("con add {S} ab --filter {s}.a.b")
        assert caught.value.code == 10100
        assert go.stream in caught.value.what


class TestChange:
    def test_adding_again_updates_and_shows_the_difference(self, go: Bench) -> None:
        go("con add {S} c --max-deliver 4 --backoff linear --backoff-steps 2")
        again = go("con add {S} c --max-deliver 5")
        assert again.diff["max_deliver"] == (4, 5)
        assert again.diff["backoff"][1] is None
        assert repr(again).startswith(f"Consumer {go.stream} > c was updated\n")
        assert "max_deliver: 4 -> 5" in repr(again)
        assert again.config.max_deliver == 5
        same = go("con add {S} c --max-deliver 5")
        assert same.diff == {}
        assert repr(same) == f"Consumer {go.stream} > c: nothing changed"

    def test_a_field_that_cannot_change_refuses_all(self, go: Bench) -> None:
        go("con add {S} c --max-deliver 4")
        before = go.info("c")["config"]
        with pytest.raises(JetStreamError) as caught:
            go("con add {S} c --ack all --max-deliver 5")
        assert caught.value.code == 10012
        assert "ack_policy explicit -> all (cannot change)" in caught.value.what
        assert "max_deliver 4 -> 5" in caught.value.what
        assert "max_deliver 4 -> 5 (" not in caught.value.what
        assert go.info("c")["config"] == before

    def test_pull_does_not_become_push(self, go: Bench) -> None:
        go("con add {S} c")
        with pytest.raises(JetStreamError, match=r"deliver_subject none -> out \(cannot change\)"):
            go("con add {S} c --ack explicit --target out")

    def test_edit_keeps_the_rest(self, go: Bench) -> None:
        go("con add {S} c --max-deliver 4 --filter {s}.a --description one --metadata a:1")
        after = go("con edit {S} c --description two --metadata b:2")
        assert set(after.diff) == {"description", "metadata"}
        config = go.info("c")["config"]
        assert (config["max_deliver"], config["filter_subject"]) == (4, f"{go.subject}.a")
        assert config["metadata"]["a"] == "1"

    def test_edit_with_a_body_and_a_filter_that_turns_deaf(self, go: Bench) -> None:
        go("con add {S} c --filter {s}.a --max-deliver 4")
        after = go("%%js consumer edit {S} c", "filter_subjects: [x.y]\n")
        assert after.config.filter_subject == "x.y" or after.config.filter_subjects == ["x.y"]
        assert after.config.max_deliver == 4
        assert "can match the filter x.y" in after.notes[0]

    def test_dry_run(self, go: Bench) -> None:
        go("con add {S} c --max-pending 3")
        shown = go("con edit {S} c --max-pending 1 --dry-run")
        assert shown.diff == {"max_ack_pending": (3, 1)}
        assert go.info("c")["config"]["max_ack_pending"] == 3

    def test_an_update_does_not_resume(self, go: Bench) -> None:
        go("con add {S} c")
        go("con pause {S} c 1h")
        go("con add {S} c --max-deliver 3")
        assert go.info("c")["paused"] is True

    def test_copy(self, go: Bench) -> None:
        go("con add {S} c --max-deliver 4 --filter {s}.a")
        made = go("con cp {S} c d --description copy")
        assert (made.config.max_deliver, made.config.description, made.config.durable_name) == (
            4,
            "copy",
            "d",
        )
        with pytest.raises(CommandError, match="already"):
            go("con cp {S} c d")

    def test_rm(self, go: Bench) -> None:
        go("con add {S} c")
        with pytest.raises(CommandError, match="rm would remove consumer c") as caught:
            go("con rm {S} c")
        assert caught.value.hint == f"Nothing was done. To do it: %js consumer rm {go.stream} c -f"
        assert go("con ls {S}").names == ["c"]
        assert repr(go("con rm {S} c -f")) == f"Consumer {go.stream} > c was removed"
        assert go("con ls {S}").names == []

    def test_unknown_names_and_the_nearest(self, go: Bench) -> None:
        with pytest.raises(JetStreamError) as caught:
            go("con info {S} billing")
        assert caught.value.what == f"{go.stream} has no consumer billing."
        assert "has no consumers" in caught.value.hint
        go("con add {S} billing")
        verbs = ("info", "rm", "edit", "copy", "pause", "resume", "reset", "next", "unpin", "sub", "state")
        more = {"copy": " new", "pause": " 1s", "rm": " -f", "reset": " -f"}
        for line in (f"con {verb} {{S}} biling{more.get(verb, '')}" for verb in verbs):
            with pytest.raises(JetStreamError) as caught:
                go(line)
            assert (caught.value.code, caught.value.hint) == (10014, "Did you mean billing?"), line
        with pytest.raises(JetStreamError) as caught:
            go(f"con info {go.stream}X billing")
        assert caught.value.code == 10059
        assert "Did you mean" in caught.value.hint

    def test_the_only_consumer_is_meant(self, go: Bench) -> None:
        go("con add {S} one")
        assert go("con info {S}").name == "one"
        go("con add {S} two")
        with pytest.raises(CommandError, match="Which consumer") as caught:
            go("con info {S}")
        assert caught.value.hint == "There are one and two."


class TestLook:
    def test_ls_info_state(self, go: Bench) -> None:
        go.fill_with(3)
        go("con add {S} b --description two")
        go("con add {S} a")
        go("con next {S} a --no-ack")
        listed = go("con ls {S}")
        assert listed.names == ["a", "b"]
        assert [c.num_pending for c in listed] == [2, 3]
        assert repr(go("con ls {S} --names")) == "a\nb"
        assert repr(go("con ls {S}")).splitlines()[2].split() == [
            "Name", "Description", "Mode", "Ack", "Pending", "Unprocessed",
        ]  # fmt: skip
        info = go("con info {S} a")
        assert (info.delivered.stream_seq, info.num_ack_pending, info.config.name) == (1, 1, "a")
        assert repr(go("con state {S} a")) == "\n".join(
            [
                f"State for Consumer {go.stream} > a",
                "",
                "  Last Delivered Message: Consumer sequence: 1 Stream sequence: 1",
                "    Acknowledgment Floor: Consumer sequence: 0 Stream sequence: 0",
                "        Outstanding Acks: 1 out of maximum 1,000",
                "    Redelivered Messages: 0",
                "    Unprocessed Messages: 2",
            ]
        )
        assert json.loads(repr(go("con info {S} a --json")))["name"] == "a"

    def test_nothing_there(self, go: Bench) -> None:
        assert repr(go("con ls {S}")) == f"{go.stream} has no consumers."

    def test_report(self, go: Bench) -> None:
        go.fill_with(2)
        go("con add {S} pull --wait 5s")
        go("con add {S} push --target x.{s}")
        go("con add {S} pin --pinned-groups g")
        report = go("con report {S}")
        assert report.columns == [
            "Consumer", "Mode", "Ack Policy", "Ack Wait", "Ack Pending", "Redelivered", "Unprocessed",
            "Ack Floor", "API Level", "Cluster",
        ]  # fmt: skip
        assert report.rows == [
            ["pin", "Pull", "Explicit", "30s", "0", "0", "2", "0", "1", ""],
            ["pull", "Pull", "Explicit", "5s", "0", "0", "2", "0", "0", ""],
            ["push", "Push", "None", "", "0", "0", "2", "0", "0", ""],
        ]

    def test_find(self, go: Bench) -> None:
        go.fill_with(3)
        go("con add {S} some")
        go("con next {S} some --count 2 --no-ack")
        go("con add {S} push --target x.{s}")
        go("con add {S} pin --pinned-groups g")

        def found(flags: str) -> list[str]:
            names: list[str] = go(f"con find {{S}} {flags}").names
            return names

        assert found("") == ["pin", "push", "some"]
        assert found("--pull") == ["pin", "some"]
        assert found("--push") == ["push"]
        assert found("--bound") == []
        assert found("--ack-pending 1") == ["pin", "push"]
        assert found("--ack-pending 1 --invert") == ["some"]
        assert found("--pending 1") == ["some"]
        assert found("--waiting 0 --replicas 1") == ["pin", "push", "some"]
        assert found("--api-level 1") == ["pin"]
        assert found("--created 1h") == []
        assert found("--idle 1h") == []
        assert found("--pinned") == []
        go("con next {S} pin --group g")
        assert found("--pinned") == ["pin"]
        assert repr(go("con find {S} --bound")) == f"No consumer of {go.stream} matches."
        with pytest.raises(CommandError, match="regular expression"):
            go("con find {S} --leader '('")
        with pytest.raises(CommandError, match="expression language"):
            go("con find {S} --expression x")

    def test_a_cluster_is_needed(self, go: Bench) -> None:
        go("con add {S} c")
        for line in ("con cluster step-down {S} c", "con c elect {S} c"):
            with pytest.raises(JetStreamError, match=r"Only a cluster can do that.*error 10010") as caught:
                go(line)
            assert caught.value.code == 10010
        with pytest.raises(CommandError, match="This consumer has one replica only"):
            go("con cluster balance {S}")


class TestPauseResetUnpin:
    def test_pause_and_resume(self, go: Bench) -> None:
        go.fill_with(1)
        go("con add {S} c")
        assert repr(go("con pause {S} c 1h")) == f"Consumer {go.stream} > c is paused for 1h"
        nothing = go("con next {S} c --wait 50ms")
        assert (len(nothing), nothing.status, nothing.why) == (0, 408, "the consumer is paused (408)")
        assert "Paused: true" in repr(go("con info {S} c"))
        assert repr(go("con resume {S} c")) == f"Consumer {go.stream} > c goes on"
        assert repr(go("con resume {S} c")) == f"Consumer {go.stream} > c was not paused"
        assert go("con next {S} c").seqs == [1]

    def test_a_pause_that_is_over(self, go: Bench) -> None:
        go("con add {S} c")
        assert "is over already" in repr(go("con pause {S} c '2020-01-01 00:00:00' --force"))
        for line in ("con pause {S} c", "con pause {S} c soon"):
            with pytest.raises(CommandError):
                go(line)

    def test_reset(self, go: Bench) -> None:
        go.fill_with(4)
        go("con add {S} c")
        go("con next {S} c --count 2")
        go("con next {S} c --no-ack")
        with pytest.raises(CommandError, match=r"forget its place \(ack floor 2\) and 1 message waiting"):
            go("con reset {S} c")
        after = go("con reset {S} c -f")
        assert after.reset_seq == 3
        assert after.num_ack_pending == 0
        assert go("con next {S} c --no-ack").seqs == [3]
        go("con reset {S} c --sequence 1 -f")
        assert go("con next {S} c --count 4").seqs == [1, 2, 3, 4]
        far = go("con reset {S} c --sequence 100 -f")
        assert any("it waits until 100 is there" in n for n in far.notes)

    def test_unpin(self, go: Bench) -> None:
        go.fill_with(3)
        go("con add {S} c --pinned-groups jobs --pinned-ttl 1m")
        assert "was pinned to nobody" in repr(go("con unpin {S} c jobs -f"))
        first = go("con next {S} c --group jobs")
        assert first.pin
        other = go("con next {S} c --group jobs --as bob --wait 50ms")
        assert (len(other), other.why) == (0, "the group jobs is pinned to another client (408)")
        wrong = go("con next {S} c --group jobs --as bob --wait 50ms --id nobody")
        assert (wrong.status, len(wrong)) == (423, 0)
        assert go(f"con next {{S}} c --group jobs --id {first.pin}").seqs == [2]
        assert "was unpinned" in repr(go("con unpin {S} c"))
        again = go("con next {S} c --group jobs --as bob")
        assert again.seqs == [3]
        assert again.pin != first.pin
        with pytest.raises(CommandError, match="has no group x"):
            go("con unpin {S} c x")
        go("con add {S} plain")
        with pytest.raises(CommandError, match="pins nobody"):
            go("con unpin {S} plain")
        with pytest.raises(ClientError, match="none was named"):
            go("con next {S} c")
        with pytest.raises(ClientError, match="no priority group x"):
            go("con next {S} c --group x")


def test_explanations(go: Bench) -> None:
    for line in ("add {S} c", "edit {S} c", "ls {S}", "info {S} c", "state {S} c", "rm {S} c", "reset {S} c",
                 "copy {S} c d", "next {S} c", "sub {S} c", "pause {S} c 1s", "resume {S} c", "unpin {S} c g",
                 "report {S}", "find {S}"):  # fmt: skip
        said = go(f"consumer {line} --explain")
        assert len(said.why) > 40
        assert said.bytes[0].startswith("PUB $JS.API.CONSUMER.")
    assert go("con ls {S}").names == []


@pytest.mark.parametrize(
    ("one", "other", "want"),
    [
        ("a.b", "a.b", True), ("a.b", "a.c", False), ("a.*", "a.b", True), ("a.>", "a", False),
        ("a.>", "a.b.c", True), (">", "x", True), ("*.b", "a.*", True), ("a", "a.b", False),
    ],
)  # fmt: skip
def test_patterns_that_collide(one: str, other: str, want: bool) -> None:
    assert collide(one, other) is want
    assert collide(other, one) is want
