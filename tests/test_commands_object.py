"""Object stores by the line, on a real server."""

from __future__ import annotations

import hashlib
import os
import shlex
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import natslab
from natslab.commands import parse
from natslab.errors import ClientError, CommandError
from natslab.lab import Lab
from natslab.servers.jsapi import JetStreamError
from natslab.tape import event

Go = Callable[..., Any]


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    with natslab.Lab.up() as up:
        yield up


@pytest.fixture
def go(lab: Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Go]:
    """`go(line, body=None)`: run it in an empty folder; stores and live verbs are gone after the test."""
    monkeypatch.chdir(tmp_path)
    yield lambda line, body=None: parse(line, body).run()
    for handle in list(lab.jobs.values()):
        handle.stop()
    for bucket in parse("obj ls -n").run().names:
        parse(f"obj del {bucket} -f").run()


class TestStores:
    def test_one(self, go: Go) -> None:
        made = go("obj add FILES --description pictures --ttl 1h --storage memory --max-bucket-size 10MB")
        assert repr(made).startswith("Object store FILES was created")
        assert (made.description, made.ttl, made.max_bytes) == ("pictures", 3600 * 10**9, 10 * 2**20)
        config = made.stream.config
        assert config.name == "OBJ_FILES" and config.subjects == ["$O.FILES.C.>", "$O.FILES.M.>"]
        assert config.allow_rollup_hdrs and config.discard == "new" and config.storage == "memory"
        change = go("obj edit FILES --ttl 2h --compress")
        assert change.diff == {"compression": (False, True), "ttl": (3600 * 10**9, 7200 * 10**9)}
        assert "Object Store Bucket FILES" in repr(go("obj info"))
        with pytest.raises(JetStreamError, match="configured in another way"):
            go("obj add FILES")
        assert go("%%nats obj add MORE", "ttl: 1h\ndescription: of the body").description == "of the body"
        assert repr(go("obj ls -n")) == "FILES\nMORE"
        assert [r[:2] for r in go("obj ls").rows] == [["FILES", "pictures"], ["MORE", "of the body"]]
        with pytest.raises(CommandError, match="removes the object store FILES"):
            go("obj del FILES")
        assert repr(go("obj rm FILES -f")) == "Object store FILES was removed"
        with pytest.raises(ClientError, match="no object store FILES"):
            go("obj ls FILES")

    def test_sealed(self, go: Go, tmp_path: Path) -> None:
        go("obj add FILES")
        go("%%nats obj put FILES --name a", "x")
        with pytest.raises(CommandError, match="nothing undoes that"):
            go("obj seal FILES")
        sealed = go("obj seal FILES -f")
        assert sealed.sealed and repr(sealed).startswith("FILES has been sealed")
        with pytest.raises(JetStreamError):
            go("%%nats obj put FILES --name b", "x")
        go("obj get FILES a")
        assert (tmp_path / "a").read_text() == "x"


class TestObjects:
    def test_a_large_file_there_and_back(self, go: Go, lab: Lab, tmp_path: Path) -> None:
        data = os.urandom(5 * 2**20 + 7)
        (tmp_path / "in.bin").write_bytes(data)
        go("obj add LARGE")
        put = go("obj put LARGE in.bin --description 'all of it' -H Kind:random")
        assert (put.size, put.chunks) == (len(data), 41)
        assert repr(put).splitlines() == [
            "Object information for LARGE > in.bin",
            "",
            "  Description: all of it",
            "         Size: 5.0 MiB (5,242,887 bytes)",
            "       Chunks: 41",
            f"       Digest: SHA-256 {hashlib.sha256(data).hexdigest()}",
            "  Header Kind: random",
        ]
        got = go("obj get LARGE in.bin -O out.bin")
        assert repr(got) == "Wrote 5.0 MiB in 41 chunks to out.bin"
        assert got.path.read_bytes() == data
        assert sorted(p.name for p in tmp_path.iterdir()) == ["in.bin", "out.bin"]
        lab.settle()
        told = [e for e in lab.tape.between(0, lab.tape.head) if isinstance(e, event.Store) and e.client]
        assert sum(e.count for e in told if e.stream == "OBJ_LARGE") == 42

    def test_another_client_reads_it_and_writes_one(self, go: Go, lab: Lab, tmp_path: Path) -> None:
        go("obj add FILES")
        go("%%nats obj put FILES --name 'a b/ü.txt' --chunk-size 3", "twelve chars")

        async def other() -> tuple[bytes, int]:
            store = await (await lab.client("other")).jetstream().object_store("FILES")
            await store.put("theirs", b"y" * 300_000)
            found = await store.get("a b/ü.txt")
            assert found.data is not None
            return found.data, found.info.chunks

        assert lab.do(other()) == (b"twelve chars", 4)
        assert go("obj info FILES theirs").chunks == 3
        assert go("obj get FILES theirs").path.read_bytes() == b"y" * 300_000

    def test_replacing_and_deleting(self, go: Go, tmp_path: Path) -> None:
        go("obj add FILES")
        go("%%nats obj put FILES --name a", "first")
        with pytest.raises(CommandError, match=r"replace a of FILES \(5 bytes\)"):
            go("%%nats obj put FILES --name a", "second")
        go("%%nats obj put FILES --name a -f", "second")
        assert go("obj info FILES").values == 2  # the chunks of the first are gone
        go("obj get FILES a")
        with pytest.raises(CommandError, match="replace the file a"):
            go("obj get FILES a")
        go("obj get FILES a -f")
        assert (tmp_path / "a").read_text() == "second"
        with pytest.raises(CommandError, match="would delete a of FILES"):
            go("obj del FILES a")
        assert repr(go("obj del FILES a -f")) == "Removed FILES > a"
        for line in ("obj get FILES a", "obj info FILES a", "obj rm FILES a -f"):
            with pytest.raises(ClientError, match="a was deleted from the object store FILES"):
                go(line)
        assert repr(go("obj ls FILES")) == "No entries found"
        go("%%nats obj put FILES --name a", "third")
        assert go("obj get FILES a -f").size == 5

    def test_lists(self, go: Go) -> None:
        go("obj add FILES")
        for name, text in (("b", "two"), ("a", "")):
            (Path() / name).write_text(text)
            go(f"obj put FILES {name}")
        assert repr(go("obj ls FILES -n")) == "a\nb"
        table = go("obj ls FILES")
        assert table.rows == [["a", "0 B"], ["b", "3 B"]]
        assert [(o.name, o.size, o.chunks) for o in table] == [("a", 0, 0), ("b", 3, 1)]
        assert go("obj get FILES a -O empty").path.read_bytes() == b""

    def test_a_damaged_one_is_not_written(self, go: Go, tmp_path: Path) -> None:
        go("obj add FILES")
        go("%%nats obj put FILES --name a --chunk-size 4", "twelve chars")
        chunks = go('req $JS.API.STREAM.INFO.OBJ_FILES \'{"subjects_filter": "$O.FILES.C.>"}\'').value
        (subject,) = chunks["state"]["subjects"]
        go(f"pub {subject} more -J")
        with pytest.raises(ClientError, match="damaged: its chunks have 16 of 12 bytes"):
            go("obj get FILES a")
        go(f'req $JS.API.STREAM.PURGE.OBJ_FILES \'{{"filter": "{subject}"}}\'')
        go(f"pub {subject} 'TWELVE CHARS' -J")
        with pytest.raises(ClientError, match="another digest"):
            go("obj get FILES a")
        assert list(tmp_path.iterdir()) == []

    def test_nothing_is_written_elsewhere(self, go: Go, tmp_path: Path) -> None:
        inside = tmp_path / "inside"
        inside.mkdir()
        os.chdir(inside)
        go("obj add FILES")
        for name in ("../up.txt", "/etc/absolute.txt", "..\\windows.txt", "deep/er/x.txt"):
            go(f"%%nats obj put FILES --name {shlex.quote(name)}", name)
            got = go(f"obj get FILES {shlex.quote(name)}")
            assert got.path.resolve().parent == inside
            assert got.path.read_text() == name
        for name in ("..", "a/..", "a/"):
            go(f"%%nats obj put FILES --name {name}", "x")
            with pytest.raises(CommandError, match="cannot be the name of a file") as caught:
                go(f"obj get FILES {name}")
            assert "--output" in caught.value.hint
        (inside / "link").symlink_to(tmp_path / "outside.txt")
        go("%%nats obj put FILES --name link", "x")
        with pytest.raises(CommandError, match="replace the file link"):
            go("obj get FILES link")
        go("obj get FILES link -f")
        assert not (tmp_path / "outside.txt").exists()
        assert sorted(p.name for p in tmp_path.iterdir()) == ["inside"]
        folder = tmp_path / "folder"
        folder.mkdir()
        assert go(f"obj get FILES ../up.txt -O {folder}").path == folder / "up.txt"
        with pytest.raises(CommandError, match="There can be no file in"):
            go("obj get FILES link -O no/such/folder")

    @pytest.mark.parametrize(
        ("line", "body", "say"),
        [
            ("obj put FILES", None, "no file"),
            ("obj put FILES missing.txt", None, "cannot be read"),
            ("obj put FILES .", None, "cannot be read"),
            ("obj put FILES", "text", "has no name"),
            ("obj put FILES a --name b", "text", "a content in the cell body"),
            ("obj put FILES --name ''", "text", "cannot be the name of an object"),
            ("obj put FILES --name a --chunk-size 0", "text", "one byte at least"),
            ("obj put FILES --name a -H nonsense", "text", "needs a name, a colon and a value"),
            ("obj add 'a b'", None, "cannot be the name of an object store"),
            ("obj add X --ttl never", None, "not a duration"),
            ("obj add X --history 3", None, "no flag '--history'"),
        ],
    )
    def test_wrong_lines(self, go: Go, line: str, body: str | None, say: str) -> None:
        go("obj add FILES")
        with pytest.raises(CommandError, match=say) as caught:
            go(line, body)
        assert caught.value.hint

    def test_what_the_server_refuses(self, go: Go) -> None:
        go("obj add SMALL --max-bucket-size 1KB")
        with pytest.raises(JetStreamError):
            go("%%nats obj put SMALL --name a --chunk-size 100", "x" * 2000)
        assert go("obj info SMALL").values == 0  # what was stored of it is gone again
        with pytest.raises(ClientError, match="max_payload"):
            go("%%nats obj put SMALL --name a --chunk-size 2MB", "x" * 2**21)

    def test_watch(self, go: Go) -> None:
        go("obj add FILES")
        go("%%nats obj put FILES --name a", "text")
        h = go("obj watch FILES --count 3")
        go("%%nats obj put FILES --name b", "x")
        go("obj del FILES a -f")
        h.wait(5)
        assert repr(h).splitlines() == [
            "object watch FILES as watch1: 3 entries",
            "#1  PUT a  4 B in 1 chunk",
            "#2  PUT b  1 B in 1 chunk",
            "#3  DEL a",
        ]
        assert [(e.name, e.deleted) for e in h.entries] == [("a", False), ("b", False), ("a", True)]
