"""Key-value buckets by the line, on a real server."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import click
import pytest

import natslab
from natslab.commands import parse, tree
from natslab.errors import ClientError, CommandError
from natslab.lab import Lab
from natslab.servers.jsapi import Api, JetStreamError
from natslab.servers.keyvalue import KeyValue
from natslab.tape import event

Go = Callable[..., Any]

tree.load()
VERBS = {" ".join(path): verb for path, verb in tree.NATS.walk()}


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    with natslab.Lab.up() as up:
        yield up


@pytest.fixture
def go(lab: Lab) -> Iterator[Go]:
    """`go(line, body=None)`: run it; buckets and live verbs are gone after the test."""
    yield lambda line, body=None: parse(line, body).run()
    for handle in list(lab.jobs.values()):
        handle.stop()
    for bucket in parse("kv ls -n").run().names:
        parse(f"kv del {bucket} -f").run()


class TestBuckets:
    def test_a_new_one(self, go: Go) -> None:
        made = go("kv add CFG --history 5 --ttl 1h --marker-ttl 1m --max-value-size 1KB --storage memory")
        assert repr(made).splitlines()[0] == "Bucket CFG was created"
        assert (made.bucket, made.history, made.ttl, made.max_value_size) == ("CFG", 5, 3600 * 10**9, 1024)
        config = made.stream.config
        assert config.name == "KV_CFG" and config.subjects == ["$KV.CFG.>"]
        assert (
            config.allow_rollup_hdrs and config.deny_delete and config.allow_direct and config.allow_msg_ttl
        )
        assert config.discard == "new" and config.storage == "memory"
        again = go("kv add CFG --history 5 --ttl 1h --marker-ttl 1m --max-value-size 1KB --storage memory")
        assert again.history == 5
        with pytest.raises(JetStreamError, match="configured in another way") as caught:
            go("kv add CFG --history 6")
        assert caught.value.code == 10058 and "kv edit CFG" in caught.value.hint

    def test_in_the_cell_body(self, go: Go) -> None:
        body = "history: 3\nmax_bytes: 1MB\nstorage: memory\n"
        made = go("%%nats kv add CFG --ttl 2h", body)
        with pytest.raises(CommandError, match="says history: 3, and the line says 4"):
            go("%%nats kv add CFG --history 4", body)
        assert (made.history, made.ttl, made.max_bytes, made.storage) == (3, 7200 * 10**9, 2**20, "memory")
        with pytest.raises(CommandError, match="no field 'histroy'") as caught:
            go("%%nats kv add OTHER", "histroy: 3")
        assert caught.value.hint == "Did you mean history?"
        with pytest.raises(CommandError, match="names the bucket OTHER and the configuration CFG"):
            go("%%nats kv add OTHER", '{"bucket": "CFG"}')

    def test_edit(self, go: Go) -> None:
        go("kv add CFG --history 5 --description old")
        change = go("kv edit CFG --history 7 --ttl 1h --compress")
        assert repr(change).splitlines() == [
            "Bucket CFG was updated",
            "",
            "  compression: false -> true",
            "      history: 5 -> 7",
            "          ttl: none -> 1h",
        ]
        assert go("kv info CFG").description == "old"
        assert repr(go("kv edit CFG --history 7")) == "Bucket CFG: nothing changed"
        assert go("%%nats kv edit CFG", "history: 2").diff == {"history": (7, 2)}

    def test_values_do_not_go_unasked(self, go: Go) -> None:
        go("kv add CFG --history 5")
        for value in "abcd":
            go(f"kv put CFG k {value}")
        with pytest.raises(CommandError) as caught:
            go("kv edit CFG --history 1")
        assert "3 of 4 messages (max_msgs_per_subject 1) from bucket CFG" in caught.value.what
        assert len(go("kv history CFG k")) == 4 and go("kv info CFG").history == 5
        go("kv edit CFG --history 1 -f")
        assert len(go("kv history CFG k")) == 1

    def test_lists_and_info(self, go: Go) -> None:
        assert repr(go("kv ls")) == "No Key-Value buckets found"
        with pytest.raises(CommandError, match="no bucket yet"):
            go("kv info")
        go("kv add B --description 'two words'")
        assert "Key-Value Store Bucket B" in repr(go("kv info"))
        go("kv add A")
        go("kv put A k v")
        assert repr(go("kv ls --names")) == "A\nB"
        table = go("kv ls")
        assert table.columns == ["Bucket", "Description", "Size", "Values"]
        assert [(r[0], r[1], r[3]) for r in table.rows] == [("A", "", "1"), ("B", "two words", "0")]
        with pytest.raises(CommandError, match="Which bucket"):
            go("kv status")

    def test_removing_one(self, go: Go) -> None:
        go("kv add CFG")
        go("kv put CFG a 1")
        go("kv put CFG b 1")
        go("kv del CFG b -f")
        with pytest.raises(CommandError, match="removes the bucket CFG for good, with 1 key") as caught:
            go("kv rm CFG")
        assert "%js kv del CFG -f" in caught.value.hint
        assert repr(go("kv rm CFG -f")) == "Bucket CFG was removed"
        with pytest.raises(ClientError, match="no bucket CFG"):
            go("kv get CFG a")

    def test_a_source_and_a_mirror(self, go: Go, wait_for: Callable[..., float]) -> None:
        go("kv add FROM")
        go("kv put FROM k v")
        go("kv add INTO --source FROM")
        go("kv add COPY --mirror FROM")
        wait_for(lambda: go("kv ls INTO").keys == ["k"] and go("kv ls COPY").keys == ["k"])
        assert go("kv get INTO k").value == b"v"
        assert go("kv get COPY k").value == b"v"
        assert go("kv put COPY k new").revision == 2  # goes to the origin
        assert go("kv get FROM k").value == b"new"
        assert "Mirror: FROM" in repr(go("kv info COPY"))

    @pytest.mark.parametrize(
        ("line", "say"),
        [
            ("kv add 'a b'", "cannot be the name of a bucket"),
            ("kv add a.b", "cannot be the name of a bucket"),
            ("kv add X --history 65", "at most 64 values"),
            ("kv add X --history 0", "less than 1"),
            ("kv add X --ttl soon", "not a duration"),
            ("kv add X --max-value-size big", "not a size"),
            ("kv add X --mirror A --source B", "not both"),
            ("kv add X --mirror-domain hub", "says where"),
            ("kv add X --republish-source a", "has a destination"),
            ("kv add X --metadata nonsense", "no metadata"),
        ],
    )
    def test_wrong_lines(self, go: Go, line: str, say: str) -> None:
        with pytest.raises(CommandError, match=say) as caught:
            go(line)
        assert caught.value.hint

    def test_what_the_server_refuses(self, go: Go) -> None:
        with pytest.raises(JetStreamError) as caught:
            go("kv add X --replicas 3")
        assert caught.value.code == 10074 and caught.value.hint


class TestKeys:
    def test_values(self, go: Go, lab: Lab) -> None:
        go("kv add VALS --history 5")
        put = go("kv put VALS user.sue green")
        assert repr(put) == "VALS > user.sue revision: 1" and put.revision == 1
        go("%%nats kv put VALS user.sue", "  blue\n")
        got = go("kv get VALS user.sue")
        assert (got.value, got.revision, got.operation, got.key) == (b"  blue\n", 2, "PUT", "user.sue")
        assert repr(go("kv get VALS user.sue --revision 1")) == "VALS > user.sue revision: 1\n\ngreen"
        assert repr(go("kv get VALS user.sue --revision 1 --raw")) == "green"
        assert go("kv put VALS empty ''").revision == 3
        assert go("kv get VALS empty").value == b""
        lab.settle()
        told = [e for e in lab.tape.between(0, lab.tape.head) if isinstance(e, event.Store) and e.client]
        assert [(e.subject, e.seq) for e in told if e.stream == "KV_VALS"][:2] == [
            ("$KV.VALS.user.sue", 1),
            ("$KV.VALS.user.sue", 2),
        ]

    def test_what_is_gone_is_not_found(self, go: Go, wait_for: Callable[..., float]) -> None:
        go("kv add CFG --history 5 --marker-ttl 1s")
        for key in ("deleted", "purged", "expired"):
            go(f"kv {'create' if key == 'expired' else 'put'} CFG {key} x" + " --ttl 1s" * (key == "expired"))
        assert go("kv del CFG deleted -f").operation == "DEL"
        assert repr(go("kv purge CFG purged -f")) == "CFG > purged purged, revision: 5"
        for key, say in (("deleted", "was deleted"), ("purged", "was purged"), ("never", "no key never")):
            with pytest.raises(ClientError, match=say):
                go(f"kv get CFG {key}")

        def expired() -> bool:
            try:
                go("kv get CFG expired")
            except ClientError as e:
                return "has expired" in e.what
            return False

        wait_for(expired)
        assert go("kv ls CFG").keys == []
        assert [e.operation for e in go("kv history CFG expired")] == ["EXPIRED"]
        assert [e.operation for e in go("kv history CFG deleted")] == ["PUT", "DEL"]
        assert [e.operation for e in go("kv history CFG purged")] == ["PURGE"]
        for key in ("deleted", "purged", "expired", "never"):
            assert go(f"kv create CFG {key} anew").revision > 6
        assert go("kv ls CFG").keys == ["deleted", "expired", "never", "purged"]

    def test_compare_and_set(self, go: Go, lab: Lab) -> None:
        go("kv add CFG --history 5")
        assert go("kv update CFG a 1 0").revision == 1
        assert go("kv update CFG a 2 1").revision == 2
        with pytest.raises(JetStreamError) as caught:
            go("kv update CFG a 3 1")
        assert caught.value.code == 10071
        assert caught.value.what == (
            "Revision 1 was given, but CFG > a is at revision 2: nothing was written (error 10071)."
        )
        assert "update revision 2" in caught.value.hint
        with pytest.raises(JetStreamError, match="never written in CFG"):
            go("kv update CFG b 3 1")
        with pytest.raises(JetStreamError, match="CFG > a has revision 2"):
            go("kv create CFG a x")
        go("kv del CFG a -f")
        with pytest.raises(JetStreamError, match="revision 3, where it is gone"):
            go("kv update CFG a x 2")
        lab.settle()
        refused = [e for e in lab.tape.between(0, lab.tape.head) if isinstance(e, event.Store) and e.code]
        assert refused and {e.code for e in refused} == {10071}

    def test_a_hundred_who_count_with_compare_and_set(self, go: Go, lab: Lab) -> None:
        go("kv add COUNT")

        async def increment() -> None:
            api = Api(await lab.client("counter"))
            kv = await KeyValue.open(api, "COUNT")
            while True:
                try:
                    last = await kv.last("n")
                    if last is None:
                        await kv.create("n", b"1")
                    else:
                        await kv.update("n", str(int(last.value) + 1).encode(), last.revision)
                    return
                except JetStreamError as e:
                    assert e.code == 10071  # noqa: PT017  # everything else fails the test

        async def all_of_them() -> None:
            await asyncio.gather(*(increment() for _ in range(100)))

        lab.do(all_of_them())
        got = go("kv get COUNT n")
        assert (got.value, got.revision) == (b"100", 100)

    def test_history_and_revert(self, go: Go) -> None:
        go("kv add CFG --history 3")
        for value in "1234":
            go(f"kv put CFG a {value}")
        go("kv put CFG b x")
        table = go("kv history CFG a")
        assert repr(table).splitlines() == [
            "History for CFG > a",
            "",
            "Key  Revision  Op   Length  Value",
            "a           2  PUT       1      2",
            "a           3  PUT       1      3",
            "a           4  PUT       1      4",
        ]
        assert [e.value for e in table] == [b"2", b"3", b"4"]
        with pytest.raises(CommandError, match="would write '2' to a again"):
            go("kv revert CFG a 2")
        assert [e.value for e in go("kv revert CFG a 2 --force")] == [b"3", b"4", b"2"]
        with pytest.raises(ClientError, match="a has no revision 1 in bucket CFG"):
            go("kv revert CFG a 1 --force")
        with pytest.raises(ClientError, match="a has no revision 5"):
            go("kv get CFG a --revision 5")  # it is one of b
        with pytest.raises(ClientError, match="no key c"):
            go("kv history CFG c")
        go("kv add ONE")
        go("kv put ONE a 1")
        with pytest.raises(ClientError, match="keeps one value"):
            go("kv revert ONE a 1 --force")

    def test_lists_of_keys(self, go: Go) -> None:
        go("kv add CFG")
        assert repr(go("kv ls CFG")) == "No keys found in bucket CFG"
        for key in ("b.2", "a.1", "b.1"):
            go(f"kv put CFG {key} 'value of {key}'")
        assert repr(go("kv ls CFG")) == "a.1\nb.1\nb.2"
        assert go("kv ls CFG 'b.*'").keys == ["b.1", "b.2"]
        assert repr(go("kv ls CFG c")) == "No keys found in bucket CFG that match c"
        table = go("kv ls CFG -v --display-value")
        assert table.rows == [
            ["a.1", "2", "value of a.1"],
            ["b.1", "3", "value of b.1"],
            ["b.2", "1", "value of b.2"],
        ]
        assert go("kv ls CFG -v").columns == ["Key", "Revision"]

    def test_many_keys(self, go: Go, lab: Lab) -> None:
        go("kv add MANY")

        async def fill() -> None:
            js = (await lab.client("filler")).jetstream()
            for i in range(1500):
                await js.publish_async(f"$KV.MANY.k{i:04}", b"%d" % i)
            await js.publish_async_completed()

        lab.do(fill())
        entries = list(go("kv ls MANY"))
        assert [(e.key, e.value) for e in entries] == [(f"k{i:04}", b"%d" % i) for i in range(1500)]

    def test_a_bucket_of_another_client(self, go: Go, lab: Lab) -> None:
        """Without direct gets, as nats-py makes them."""

        async def made() -> None:
            kv = await (await lab.client("other")).jetstream().create_key_value(bucket="PY", history=3)
            for value in (b"1", b"2"):
                await kv.put("a", value)
            await kv.put("b", b"3")

        lab.do(made())
        assert not go("kv info PY").stream.config.allow_direct
        assert [e.value for e in go("kv history PY a")] == [b"1", b"2"]
        assert go("kv ls PY").keys == ["a", "b"]
        assert go("kv get PY a --revision 1").value == b"1"
        with pytest.raises(ClientError, match="no key c"):
            go("kv get PY c")

    def test_compact(self, go: Go) -> None:
        go("kv add CFG --history 5")
        for value in "123":
            go(f"kv put CFG a {value}")
        go("kv put CFG b 1")
        go("kv del CFG a -f")
        with pytest.raises(CommandError, match="compact would remove"):
            go("kv compact CFG")
        result = go("kv compact CFG -f")
        assert repr(result) == "Removed 3 old values of 1 deleted key from bucket CFG"
        assert [e.operation for e in go("kv history CFG a")] == ["DEL"]
        assert go("kv get CFG b").value == b"1"

    @pytest.mark.parametrize(
        ("line", "body", "say"),
        [
            ("kv put CFG 'a b' x", None, "cannot be a key"),
            ("kv put CFG a..b x", None, "cannot be a key"),
            ("kv put CFG .a x", None, "cannot be a key"),
            ("kv put CFG '' x", None, "cannot be a key"),
            ("kv get CFG 'a.*'", None, "wildcards name no single key"),
            ("kv watch CFG 'a*'", None, "cannot be a key"),
            ("kv watch CFG --history --updates", None, "exclude each other"),
            ("kv put CFG a", None, "no value"),
            ("kv put CFG a x", "y", "one in the cell body"),
            ("kv create CFG a x --ttl 100ms", None, "whole seconds"),
            ("kv update CFG a x first", None, "not a whole number"),
            ("kv del CFG a", None, "would delete the key a"),
            ("kv purge CFG a", None, "would remove all revisions"),
            ("kv put 'no bucket' a x", None, "name of a bucket"),
        ],
    )
    def test_wrong_lines(self, go: Go, line: str, body: str | None, say: str) -> None:
        go("kv add CFG")
        with pytest.raises(CommandError, match=say) as caught:
            go(line, body)
        assert caught.value.hint

    def test_a_lifetime_that_is_not_allowed(self, go: Go) -> None:
        go("kv add CFG")
        with pytest.raises(JetStreamError, match="does not allow a lifetime") as caught:
            go("kv create CFG a x --ttl 5s")
        assert caught.value.code == 10166 and "--marker-ttl" in caught.value.hint
        go("kv edit CFG --marker-ttl 1m")
        made = go("kv create CFG a x --ttl 5s")
        assert made.notes == ["the key lives 1m: the server raises a lifetime to the bucket's --marker-ttl."]
        assert not go("kv create CFG b x --ttl 2m").notes

    def test_too_large_a_value(self, go: Go) -> None:
        go("kv add CFG --max-value-size 10")
        with pytest.raises(
            JetStreamError, match="The value has 11 bytes, and the bucket CFG takes 10"
        ) as caught:
            go("kv put CFG a 12345678901")
        assert caught.value.code == 10054

    def test_a_full_bucket(self, go: Go) -> None:
        go("kv add CFG --max-bucket-size 200")
        with pytest.raises(JetStreamError, match=r"The bucket CFG is full \(200 bytes\)") as caught:
            go(f"kv put CFG a {'x' * 300}")
        assert caught.value.code == 10077 and "kv edit CFG --max-bucket-size" in caught.value.hint

    def test_trace(self, go: Go) -> None:
        go("kv add CFG")
        shown = repr(go("kv put CFG a x --trace"))
        assert ">>> $JS.API.STREAM.INFO.KV_CFG" in shown and ">>> $KV.CFG.a" in shown
        assert '<<< {"stream":"KV_CFG"' in shown


class TestWatch:
    def test_newest_first_then_every_change(self, go: Go) -> None:
        go("kv add CFG --history 5")
        go("kv put CFG a 1")
        go("kv put CFG a 2")
        h = go("kv watch CFG --count 4")
        go("kv put CFG b x")
        go("kv del CFG b -f")
        go("kv purge CFG a -f")
        h.wait(5)
        assert repr(h).splitlines() == [
            "kv watch CFG as watch1: 4 entries",
            "#1  PUT a    revision 2: 2",
            "#2  PUT b    revision 3: x",
            "#3  DEL b    revision 4",
            "#4  PURGE a  revision 5",
        ]
        assert [(e.key, e.value, e.revision, e.operation) for e in h.entries][:2] == [
            ("a", b"2", 2, "PUT"),
            ("b", b"x", 3, "PUT"),
        ]
        assert h.ended and len(h.messages) == 4
        assert h.entries[0].created.tzinfo is not None

    def test_the_bucket_is_removed_under_a_watch(self, go: Go, wait_for: Callable[..., float]) -> None:
        go("kv add GONE")
        go("kv put GONE a 1")
        handle = go("kv watch GONE --as gone")
        handle.wait(count=1)
        go("kv del GONE -f")
        wait_for(lambda: handle.ended)
        assert repr(handle).splitlines()[0].endswith("1 entry; it ended: the bucket GONE was deleted")
        assert handle.stop().why == "the bucket GONE was deleted"

    def test_its_name_is_the_one_in_the_line(self, go: Go) -> None:
        go("kv add CFG")
        assert go("kv watch CFG --as web").name == "web"

    def test_where_it_begins(self, go: Go) -> None:
        go("kv add CFG --history 5")
        for value in "123":
            go(f"kv put CFG a {value}")
        go("kv del CFG a -f")
        go("kv put CFG b.c 5")

        def heard(flags: str) -> list[tuple[int, str]]:
            h = go(f"kv watch CFG {flags}")
            last = go("kv put CFG b.c end").revision
            h.wait(5, count=h.count or 1)
            while h.entries[-1].revision != last:
                h.wait(5, count=h.count + 1)
            h.stop()
            return [(e.revision, e.operation) for e in h.entries]

        assert heard("--history") == [(1, "PUT"), (2, "PUT"), (3, "PUT"), (4, "DEL"), (5, "PUT"), (6, "PUT")]
        assert heard("--no-deletes --revision 3") == [(3, "PUT"), (5, "PUT"), (6, "PUT"), (7, "PUT")]
        assert heard("--updates") == [(8, "PUT")]
        assert heard("'b.*'") == [(8, "PUT"), (9, "PUT")]

    def test_waiting(self, go: Go) -> None:
        go("kv add CFG")
        go("kv put CFG a 1")

        def write() -> None:  # once the watcher has what was there before
            while not go("kv info CFG").stream.state.consumer_count:
                time.sleep(0.01)
            go("kv put CFG b 2")

        threading.Thread(target=write).start()
        h = go("kv watch CFG --count 2 --wait 10s")
        assert [e.value for e in h.entries] == [b"1", b"2"] and h.ended

    def test_the_bucket_goes(self, go: Go) -> None:
        go("kv add CFG")
        h = go("kv watch CFG")
        go("kv del CFG -f")
        h.wait(10)
        assert "deleted" in h.why

    def test_it_leaves_no_consumer(self, go: Go) -> None:
        go("kv add CFG")
        go("kv watch CFG").stop()
        assert go("kv info CFG").stream.state.consumer_count == 0


@pytest.mark.parametrize("path", sorted(p for p in VERBS if p.split()[0] in ("kv", "object", "counter")))
def test_explanations(path: str) -> None:
    """They need no lab and send nothing."""
    words = {
        "BUCKET": "CFG", "KEY": "a", "VALUE": "1", "REVISION": "7", "SUBJECT": "hits", "FILE": "f",
    }  # fmt: skip
    needed = [a.name for a in VERBS[path].params if isinstance(a, click.Argument) and a.required]
    said = parse(f"{path} {' '.join(words[str(n).upper()] for n in needed)} --explain").run()
    assert said.why and said.bytes
    assert all(line.startswith(("PUB ", "HPUB ", "(for", "NATS", "{", "…")) or ": " in line or len(line) <= 9
               for line in said.bytes)  # fmt: skip


def test_the_bytes_of_a_compare_and_set() -> None:
    said = parse("kv update CFG a new 7 --explain").run()
    assert said.bytes[2:] == [
        "HPUB $KV.CFG.a _INBOX.… 52 55",
        "NATS/1.0",
        "Nats-Expected-Last-Subject-Sequence: 7",
        "",
        "new",
    ]
    assert (
        "Nats-Schedule: @every 2s"
        in parse("pub a x --schedule-every 2s --schedule-dest b --explain").run().bytes
    )
    assert "Nats-Batch-Commit: 1" in parse("pub a x --atomic --explain").run().bytes
