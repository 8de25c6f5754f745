"""The KV view: what a bucket keeps, what went and why, who was refused and who was told."""

from __future__ import annotations

import asyncio
import contextlib
import math
import random
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from nats.js.api import KeyValueConfig
from nats.js.errors import KeyWrongLastSequenceError

from natslab.lab import Lab
from natslab.tape.event import Deliver, Drop, Event, Server, Snap, Store, Sub
from natslab.views import kv
from natslab.views.kv import Bucket, State
from natslab.views.kv.fold import key_of, seconds, text_of
from natslab.views.kv.state import ENTRIES, GHOSTS, INBOXES, TRIES, WATCHERS, age_of
from natslab.views.scene import Group, Scene, Text, to_svg, walk
from tests.pictures import check


class Story:
    """Events about one bucket as a lab would put them on its tape, a millisecond apart."""

    def __init__(self, name: str = "CFG", of: tuple[str, ...] = (), **config: Any) -> None:
        self.state = kv.start(of)
        self.name, self.t, self.n, self.seq = name, 0.0, 0, 0
        self.latest: dict[str, int] = {}
        self.tell(Server(name="n1", state="up"))
        self.snap(**{"history": 5, **config})

    def tell(self, event: Event) -> None:
        self.t += 0.001
        self.n += 1
        event.t, event.n = self.t, self.n
        kv.fold(self.state, event)

    @property
    def bucket(self) -> Bucket:
        return self.state.buckets[self.name]

    def snap(self, history: int = 5, ttl: float = 0.0, marker: float = 0.0, **state: int) -> None:
        config = {"max_msgs_per_subject": history, "max_age": int(ttl * 1e9), "allow_msg_ttl": True}
        config["subject_delete_marker_ttl"] = int(marker * 1e9)
        now = {"messages": 0, "first_seq": 0, "last_seq": self.seq, "num_subjects": 0, **state}
        self.tell(Snap(what="stream", data={"name": f"KV_{self.name}", "config": config, "state": now}))

    def write(self, key: str, value: bytes = b"1", client: str = "shop", **headers: str) -> int:
        named = [(k.replace("_", "-"), v) for k, v in headers.items()]
        expected = headers.get("Nats_Expected_Last_Subject_Sequence")
        subject = f"$KV.{self.name}.{key}"
        now = self.latest.get(key, 0)
        if expected is not None and int(expected) != now:
            self.tell(Store(stream="", client=client, subject=subject, payload=value, size=len(value),
                            headers=named, code=10071, error=f"wrong last sequence: {now}"))  # fmt: skip
            return 0
        self.seq += 1
        self.latest[key] = self.seq
        self.tell(Store(stream=f"KV_{self.name}", client=client, subject=subject, seq=self.seq, payload=value,
                        size=len(value), headers=named))  # fmt: skip
        return self.seq

    def update(self, key: str, value: bytes, last: int, client: str = "shop") -> int:
        return self.write(key, value, client, Nats_Expected_Last_Subject_Sequence=str(last))

    def delete(self, key: str) -> int:
        return self.write(key, b"", KV_Operation="DEL")

    def purge(self, key: str) -> int:
        return self.write(key, b"", KV_Operation="PURGE", Nats_Rollup="sub")

    def watch(self, client: str, consumer: str = "w", pattern: str = ">", pending: int = 0) -> None:
        inbox = f"_INBOX.{client}"
        self.tell(Sub(client=client, sid=1, subject=inbox))
        config = {"deliver_subject": inbox, "filter_subject": f"$KV.{self.name}.{pattern}"}
        data = {"stream": f"KV_{self.name}", "name": consumer, "config": config, "num_pending": pending,
                "push_bound": True}  # fmt: skip
        self.tell(Snap(what="consumer", data=data))

    def told(self, client: str, seq: int, pending: int = 0, consumer: str = "w") -> None:
        self.tell(
            Deliver(stream=f"KV_{self.name}", consumer=consumer, seq=seq, client=client, pending=pending)
        )


def texts(scene: Scene) -> list[str]:
    return ["".join(t for t, _ in m.runs) for m in walk(scene.marks) if isinstance(m, Text)]


# --- revisions --------------------------------------------------------------------------------


def test_a_key_keeps_its_history_and_the_rest_is_a_ghost_with_its_reason() -> None:
    story = Story(history=3)
    for i in range(5):
        story.write("a", str(i).encode())
    key = story.bucket.keys["a"]
    assert [(e.rev, e.value, e.why) for e in key.entries] == [
        (1, "0", "history"), (2, "1", "history"), (3, "2", ""), (4, "3", ""), (5, "4", "")]  # fmt: skip
    assert (key.kept, key.written, key.value) == (3, 5, "4")
    scene = check(kv, story.state)
    assert "past history" in texts(scene)
    assert "3 of 3" in texts(scene)
    assert kv.describe(story.state) == (
        "Key a is “4”, revision 5: 3 of 3 revisions kept.",
        "The oldest made room: CFG keeps 3 revisions of each key.",
    )


def test_what_the_server_reports_later_is_no_second_revision() -> None:
    story = Story()
    story.write("a", b"blue", client="")
    story.tell(Store(stream="KV_CFG", seq=1, client="shop", subject="$KV.CFG.a", payload=b"blue", size=4))
    (entry,) = story.bucket.keys["a"].entries
    assert (entry.client, entry.value, story.bucket.keys["a"].written) == ("shop", "blue", 1)


def test_the_depth_is_applied_when_it_becomes_known() -> None:
    story = Story(history=0)
    for _ in range(4):
        story.write("a")
    assert story.bucket.keys["a"].kept == 4
    story.snap(history=2)
    assert story.bucket.keys["a"].kept == 2


def test_a_delete_is_a_revision_and_older_values_stay() -> None:
    story = Story()
    story.write("a", b"1")
    story.delete("a")
    key = story.bucket.keys["a"]
    assert (key.value, key.kept, [e.op for e in key.entries]) == (None, 2, ["put", "del"])
    assert story.bucket.live == []
    scene = check(kv, story.state)
    assert {"no value", "deleted"} <= set(texts(scene))
    assert kv.describe(story.state)[0] == "Key a is deleted: revision 2 says so. 2 of 5 revisions are kept."


def test_a_purge_cuts_everything_before_it() -> None:
    story = Story()
    for _ in range(3):
        story.write("a")
    story.purge("a")
    key = story.bucket.keys["a"]
    assert [e.why for e in key.entries] == ["purged"] * 3 + [""]
    scene = check(kv, story.state)
    assert {m.key for m in walk(scene.marks)} >= {"board/CFG/a/cut", "msg/KV_CFG/4/blade"}
    assert "purged" in texts(scene)
    assert kv.describe(story.state)[0] == "Key a is purged: revision 4 cut off everything before it."


def test_drops_say_why_and_a_first_sequence_says_that() -> None:
    story = Story()
    for name in "abc":
        story.write(name)
    story.tell(Drop(stream="KV_CFG", seq=1, why="deleted"))
    story.tell(Drop(stream="KV_CFG", seq=2, last=2, why="max_age"))
    story.snap(first_seq=4)
    keys = story.bucket.keys
    assert [keys[k].entries[0].why for k in "abc"] == ["erased", "expired", "gone"]
    assert story.bucket.live == []
    check(kv, story.state)


def test_a_ttl_drains_and_the_marker_tells_of_its_end() -> None:
    story = Story(history=1, ttl=60, marker=2)
    story.write("lock", b"w1", Nats_TTL="10s")
    story.write("cfg", b"x")
    story.state.now = 5.0
    scene = check(kv, story.state)
    assert {"5.0 s", "55 s"} <= set(texts(scene))
    levels = {m.key: m.h for m in walk(scene.marks) if m.key.endswith("/level")}  # type: ignore[union-attr]
    assert levels["msg/KV_CFG/1/level"] == pytest.approx(9, abs=0.1)  # half of its 18 pixels
    assert levels["msg/KV_CFG/2/level"] == pytest.approx(16.5, abs=0.1)
    story.state.now = 12.0
    assert "0.0 s" in texts(check(kv, story.state))
    story.t = 12.0
    story.write("lock", b"", client="", Nats_Marker_Reason="MaxAge", Nats_TTL="2s", Nats_Rollup="sub")
    key = story.bucket.keys["lock"]
    assert [(e.op, e.why) for e in key.entries] == [("put", "expired"), ("marker", "")]
    assert kv.describe(story.state)[0] == "Key lock expired: the server wrote revision 3 to say so."
    assert "expired" in texts(check(kv, story.state))


def test_a_ttl_shorter_than_the_markers_last_is_raised() -> None:
    story = Story(marker=2)
    story.write("a", b"1", Nats_TTL="1s")
    entry = story.bucket.keys["a"].entries[0]
    assert age_of(story.bucket, entry) == 2


# --- conditional writes -----------------------------------------------------------------------


def test_a_refused_write_tells_both_revisions() -> None:
    story = Story()
    story.write("a", b"1")
    story.write("a", b"2")
    assert not story.update("a", b"3", last=1, client="ops")
    attempt = story.bucket.tries[-1]
    assert (attempt.expected, attempt.actual, attempt.code, attempt.ok) == (1, 2, 10071, False)
    assert (attempt.client, story.bucket.refused) == ("ops", 1)
    scene = check(kv, story.state)
    assert {"refused", "expected 1, is 2"} <= set(texts(scene))
    assert {m.key for m in walk(scene.marks)} >= {"try/CFG/a/arrow", "try/CFG/a/stop"}
    assert kv.describe(story.state) == (
        "A write of key a was refused: it expected revision 1 and found 2.",
        "Somebody wrote in between. Read again, then write again.",
    )
    story.update("a", b"3", last=2)
    assert story.bucket.tries[-1].ok
    scene = check(kv, story.state)
    assert {"accepted", "expected 2, became 3"} <= set(texts(scene))
    assert kv.describe(story.state)[0] == (
        "Key a is at revision 3: its writer had seen revision 2, and nothing came between."
    )


def test_an_accepted_write_is_told_until_the_next_one() -> None:
    story = Story()
    story.update("a", b"1", last=0)
    assert "accepted" in texts(check(kv, story.state))
    story.write("a", b"2")
    assert "accepted" not in texts(check(kv, story.state))
    assert [t.ok for t in story.bucket.tries] == [True]


def test_a_create_of_a_key_that_is_there_is_refused() -> None:
    story = Story()
    story.update("lock", b"w1", last=0)
    assert story.bucket.tries[-1].ok
    assert "was new, became 1" in texts(check(kv, story.state))
    story.update("lock", b"w2", last=0)
    assert kv.describe(story.state)[0] == "Key lock could not be created: it is there, at revision 1."
    assert "expected none, is 1" in texts(check(kv, story.state))


def test_a_write_of_a_key_that_never_was_has_a_lane() -> None:
    story = Story()
    story.update("ghost", b"1", last=7)
    assert "expected 7, is 0" in texts(check(kv, story.state))
    assert story.bucket.keys["ghost"].kept == 0


def test_another_refusal_shows_its_code() -> None:
    story = Story()
    story.tell(
        Store(stream="", subject="$KV.CFG.a", code=10054, error="message size exceeds maximum allowed")
    )
    assert "error 10054" in texts(check(kv, story.state))
    assert "10054" in kv.describe(story.state)[0]


# --- watchers ---------------------------------------------------------------------------------


def test_a_watcher_stands_at_its_last_revision_and_says_when_it_had_everything() -> None:
    story = Story()
    for name in "abc":
        story.write(name)
    story.watch("dash", pending=3)
    watcher = story.bucket.watchers["w"]
    assert (watcher.client, watcher.pattern, watcher.done) == ("dash", "", -1)
    assert "initial values under way" in texts(check(kv, story.state))
    story.told("dash", 2, pending=1)
    story.told("dash", 3, pending=0)
    assert (watcher.rev, watcher.done, watcher.told) == (3, 3, 2)
    story.write("a")
    assert "dash watches and was last told revision 3." in kv.describe(story.state)[1]
    assert {"3, behind", "initial values done at 3"} <= set(texts(check(kv, story.state)))
    story.told("dash", 4)
    scene = check(kv, story.state)
    assert {m.key for m in walk(scene.marks)} >= {"watch/CFG/w/done", "watch/CFG/w/pupil"}
    assert [f.key for f in scene.flights] == ["told/CFG/4@w"]
    story.tell(Sub(client="dash", sid=1, subject="_INBOX.dash", state="closed"))
    assert watcher.gone < math.inf
    assert "watcher, gone" in kv.table(story.state).text()
    story.state.now += 10
    assert "watcher" not in kv.table(story.state).text()


def test_a_narrow_watcher_is_not_behind_and_says_what_it_watches() -> None:
    story = Story()
    story.write("svc.a")
    story.watch("dash", pattern="svc.*")
    story.told("dash", 1)
    story.write("other")
    scene = check(kv, story.state)
    assert "initial values done at 0 · svc.*" not in texts(scene)
    assert any("svc.*" in t for t in texts(scene))
    assert "1 watcher" in kv.table(story.state).rows[0][3]
    assert "behind" not in kv.table(story.state).text()


def test_a_copy_of_the_bucket_is_no_watcher() -> None:
    story = Story()
    config = {"deliver_subject": "$JS.M.abc", "sourcing": True}
    story.tell(Snap(what="consumer", data={"stream": "KV_CFG", "name": "JS_MIRROR", "config": config}))
    assert not story.bucket.watchers


# --- pictures ---------------------------------------------------------------------------------


def many_keys() -> Story:
    story = Story()
    dice = random.Random(7)
    for i in range(1000):
        story.write(f"user.{i:04}", b"x" * dice.randrange(80))
    for i in range(60):
        story.write(f"user.{(i * i) % 12:04}", b"busy")
    return story


def hostile() -> Story:
    story = Story("CFG<&>")
    story.write("a" * 200, b"x" * 300)
    story.write("юникод.ключ", "значение \u202e\u0007 مرحبا".encode())
    story.write("שלום/=_-", b"\xff\xfe\x00\x01\x02")
    story.write("e\u0301" * 20, b"")
    story.write("<script>", b'<b>"&amp;</b>\n\tline 2')
    story.watch("w" * 90 + "<&>", pattern="<" * 30)
    story.update("<script>", b"'\"", last=99, client="<i>")
    return story


def two_buckets() -> Story:
    story = Story()
    story.write("a")
    story.update("a", b"2", 7)
    story.name, story.seq = "LOCKS", 0
    story.snap(history=1, ttl=30, marker=2)
    for i in range(40):
        story.write(f"k{i}", b"v", Nats_TTL="never" if i % 2 else "20s")
    story.watch("w", consumer="w2")
    return story


def lots_of_buckets() -> Story:
    story = Story()
    for i in range(9):
        story.name, story.seq, story.latest = f"B{i}", 0, {}
        story.snap()
        story.write("a")
    return story


def long_history() -> Story:
    story = Story(history=64)
    for i in range(90):
        story.write("a" if i % 3 else "b", str(i * 10**6).encode())
    return story


def big_numbers() -> Story:
    story = Story(history=8)
    story.seq = 1_234_567
    for i in range(30):
        story.write("a" if i % 2 else "b", b"value")
    story.watch("dash")
    story.told("dash", story.seq)
    return story


def watched() -> Story:
    story = Story()
    for i in range(8):
        story.write("a", str(i).encode())
        story.watch(f"dash {i}", consumer=f"w{i}")
        story.told(f"dash {i}", i + 1, consumer=f"w{i}")
    return story


def rushed() -> Story:
    story = Story()
    story.tell(Store(stream="KV_CFG", subject="$KV.CFG.a", seq=500, count=500, size=5000))
    story.snap(messages=5, last_seq=500, first_seq=496, num_subjects=1)
    return story


def deleted() -> Story:
    story = long_history()
    story.watch("dash")
    story.tell(Snap(what="stream", data={"name": "KV_CFG", "gone": True}))
    return story


PICTURES: dict[str, Callable[[], Story]] = {
    "new": Story,
    "many keys": many_keys,
    "hostile": hostile,
    "two buckets": two_buckets,
    "lots of buckets": lots_of_buckets,
    "long history": long_history,
    "big numbers": big_numbers,
    "watched": watched,
    "rushed": rushed,
    "deleted": deleted,
}


@pytest.mark.parametrize("name", PICTURES)
def test_the_picture_holds(name: str) -> None:
    story = PICTURES[name]()
    for now in (story.state.now, story.state.now + 2.2, story.state.now + 100):
        story.state.now = now
        scene = check(kv, story.state)
        assert scene.sentence
        assert len(to_svg(scene)) < 200_000
    kv.dot(story.state)


def test_nothing_there_says_what_to_do_next() -> None:
    for of, words in (((), "There is no key-value bucket yet."), (("CFG",), "There is no bucket CFG yet.")):
        state = kv.start(of)
        kv.fold(state, Server(name="n1", state="up"))
        assert kv.describe(state) == (words, "Make one: %js kv add CFG")
        check(kv, state)
    kv.fold(state, Server(name="n1", state="down"))
    assert kv.describe(state)[0] == "No server is up."


def test_of_many_keys_the_busy_ones_have_lanes_by_name_and_the_rest_is_counted() -> None:
    story = many_keys()
    table = kv.table(story.state)
    lanes = [row[0] for row, key in zip(table.rows, table.keys, strict=True) if key.startswith("key/")]
    busy = sorted(story.bucket.keys.values(), key=lambda k: (-k.written, k.name))[:10]
    assert lanes == sorted(k.name for k in busy)
    assert "990 more keys" in [row[0] for row in table.rows]


def test_a_narrowed_view_shows_its_bucket_and_key_only() -> None:
    story = Story(of=("CFG/a",))
    story.write("a")
    story.write("b")
    story.name = "OTHER"
    story.write("a")
    assert list(story.state.buckets) == ["CFG"]
    assert list(story.state.buckets["CFG"].keys) == ["a"]


def test_a_bucket_made_again_is_a_new_one() -> None:
    story = long_history()
    story.tell(Snap(what="stream", data={"name": "KV_CFG", "gone": True}))
    assert kv.describe(story.state)[0] == "CFG is deleted, and its 2 keys with it."
    story.seq = 0
    story.snap()
    assert (story.bucket.keys, story.bucket.rev) == ({}, 0)
    assert kv.describe(story.state)[0] == "CFG is a new bucket: it has no key yet."


def test_a_rush_is_counted_until_it_is_told_singly() -> None:
    story = rushed()
    assert story.bucket.counted == 500
    assert "500 revisions came in a rush" in kv.describe(story.state)[1]
    story.seq = 499
    story.write("a")
    assert story.bucket.counted == 499


def test_legend_counts_the_marks() -> None:
    story = Story(history=2)
    for _ in range(3):
        story.write("a")
    story.delete("b")
    story.update("a", b"1", 1)
    counts = {item.word: item.count for item in check(kv, story.state).legend}
    assert counts == {"value": 2, "delete": 1, "gone": 1, "refused": 1}


def test_buttons_are_lines_a_person_would_type() -> None:
    story = Story()
    story.write("it's", b"7")
    lines = [a.line for a in kv.draw(story.state).controls]
    assert lines == [
        "nats kv put CFG 'it'\"'\"'s' 8",
        "nats kv del CFG 'it'\"'\"'s' -f",
        "nats kv purge CFG 'it'\"'\"'s' -f",
        "nats kv watch CFG",
    ]


def test_marks_have_the_keys_of_the_stream_view() -> None:
    story = Story()
    story.write("a", b"blue")
    mark = next(m for m in walk(kv.draw(story.state).marks) if m.key == "msg/KV_CFG/1")
    assert isinstance(mark, Group)
    assert mark.state == {"revision": 1, "op": "put", "kept": True, "value": "blue"}
    assert mark.title == "Revision 1 of a: blue, written by shop."


def test_state_stays_small() -> None:
    story = Story(history=64)
    for i in range(2 * ENTRIES):
        story.write(f"k{i % 700}", b"v" * 500)
        if i % 10 == 0:
            story.update("k1", b"x", last=1)
            story.watch(f"c{i}", consumer=f"w{i}")
    bucket = story.bucket
    assert len(bucket.where) <= ENTRIES
    assert sum(len(k.entries) for k in bucket.keys.values()) == len(bucket.where)
    assert len(bucket.tries) <= TRIES and len(bucket.watchers) <= WATCHERS
    assert len(story.state.inboxes) <= INBOXES
    assert bucket.refused == ENTRIES // 5
    assert sum(k.kept for k in bucket.keys.values()) == story.seq
    short = Story(history=1)
    for _ in range(500):
        short.write("a")
    assert len(short.bucket.keys["a"].entries) == 1 + GHOSTS
    assert short.bucket.keys["a"].written == 500
    check(kv, story.state)


def test_values_and_durations_are_read_as_they_are_written() -> None:
    assert [seconds(s) for s in ("90", "1m30s", "1.5s", "250ms", "never", "")] == [90, 90, 1.5, 0.25, 0, 0]
    assert text_of(b"\x00\x01\x02\xff", 4) == "4 bytes"
    assert text_of("é".encode() * 200, 400).endswith("…")
    assert text_of(b"a\nb", 3) == "a b"
    assert key_of("$KV.CFG.a.b=/c") == "a.b=/c"


@given(st.lists(st.tuples(st.integers(0, 7), st.integers(0, 3), st.integers(0, 12)), max_size=40))
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_any_story_leaves_a_picture(steps: list[tuple[int, int, int]]) -> None:
    story = Story(history=3, ttl=20, marker=1)
    for what, which, number in steps:
        key = "abcd"[which]
        match what:
            case 0 | 1:
                story.write(key, b"v" * number)
            case 2:
                story.delete(key)
            case 3:
                story.purge(key)
            case 4:
                story.update(key, b"cas", last=number)
            case 5:
                story.watch(f"w{which}", consumer=f"c{which}")
            case 6:
                story.told(f"w{which}", min(number, story.seq), consumer=f"c{which}")
            case _:
                story.tell(Drop(stream="KV_CFG", seq=number, last=number + which, why="max_age"))
    check(kv, story.state)
    for name in story.bucket.keys.values():
        assert name.kept <= 3


# --- real buckets -----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    with Lab.up(servers=1) as up:
        yield up


def until(lab: Lab, of: str, holds: Callable[[State], object], timeout: float = 10.0) -> State:
    """The state of the view once `holds`, checked as a picture."""
    ends = time.monotonic() + timeout
    while True:
        lab.settle()
        state = lab.view("kv", of).state
        with contextlib.suppress(KeyError, IndexError, AttributeError):
            if holds(state):
                check(kv, state)
                return state  # type: ignore[no-any-return]
        assert time.monotonic() < ends, f"not within {timeout} s: {kv.table(state).text()}"
        time.sleep(0.02)


async def bucket_of(lab: Lab, name: str, **config: Any) -> Any:
    client = await lab.client("shop")
    return await client.jetstream().create_key_value(KeyValueConfig(bucket=name, **config))


def test_real_history_delete_and_purge(lab: Lab) -> None:
    async def go() -> None:
        bucket = await bucket_of(lab, "REAL", history=3)
        for i in range(5):
            await bucket.put("a", b"%d" % i)
        await bucket.put("svc.shop/eu=1", b"on")
        await bucket.delete("svc.shop/eu=1")
        await bucket.put("b", b"x")
        await bucket.purge("b")

    lab.do(go())
    state = until(lab, "REAL", lambda s: s.buckets["REAL"].history == 3 and s.buckets["REAL"].messages == 6)
    keys = state.buckets["REAL"].keys
    assert (keys["a"].kept, keys["a"].value, [e.why for e in keys["a"].entries][:2]) == (
        3,
        "4",
        ["history"] * 2,
    )
    assert [e.op for e in keys["svc.shop/eu=1"].entries] == ["put", "del"]
    assert (keys["b"].kept, keys["b"].value, keys["b"].entries[0].why) == (1, None, "purged")
    assert {e.client for e in keys["a"].entries} == {"shop"}
    # What the view keeps is what the server keeps.
    assert sum(k.kept for k in keys.values()) == state.buckets["REAL"].messages


def test_real_conditional_writes(lab: Lab) -> None:
    async def go() -> int:
        bucket = await bucket_of(lab, "CAS", history=5)
        first = await bucket.create("a", b"1")
        await bucket.update("a", b"2", last=first)
        with pytest.raises(KeyWrongLastSequenceError):
            await bucket.update("a", b"3", last=first)
        with pytest.raises(KeyWrongLastSequenceError):
            await bucket.create("a", b"4")
        return int(first)

    first = lab.do(go())
    state = until(lab, "CAS", lambda s: len(s.buckets["CAS"].tries) == 4)
    tries = state.buckets["CAS"].tries
    assert [(t.expected, t.ok) for t in tries] == [(0, True), (first, True), (first, False), (0, False)]
    assert [t.actual for t in tries[2:]] == [first + 1] * 2
    assert state.buckets["CAS"].keys["a"].value == "2"


def test_real_expiry_leaves_a_marker(lab: Lab) -> None:
    async def go() -> None:
        js = (await lab.client("shop")).jetstream()
        await bucket_of(lab, "TTL", history=2)
        info = await js.stream_info("KV_TTL")
        await js.update_stream(info.config.evolve(allow_msg_ttl=True, subject_delete_marker_ttl=60.0))
        await js.publish("$KV.TTL.lock", b"w1", headers={"Nats-TTL": "1s"})
        await js.update_stream(info.config.evolve(allow_msg_ttl=True, subject_delete_marker_ttl=1.0))
        await js.publish("$KV.TTL.lease", b"w1", headers={"Nats-TTL": "1s"})

    lab.do(go())
    state = until(
        lab, "TTL", lambda s: [e.op for e in s.buckets["TTL"].keys["lease"].entries] == ["put", "marker"]
    )
    keys = state.buckets["TTL"].keys
    assert [(e.op, e.why) for e in keys["lease"].entries] == [("put", "expired"), ("marker", "")]
    assert keys["lease"].entries[1].value == "MaxAge"
    # Written while markers stayed longer than its own TTL: the server raised that.
    assert keys["lock"].value == "w1"
    assert age_of(state.buckets["TTL"], keys["lock"].entries[0]) == 60


def test_real_watchers_come_and_go(lab: Lab) -> None:
    async def begin() -> Any:
        bucket = await bucket_of(lab, "EYES", history=1)
        await bucket.put("a", b"1")
        await bucket.put("b", b"1")
        client = await lab.client("dash")
        return await (await client.jetstream().key_value("EYES")).watchall()

    async def put(key: str) -> None:
        client = await lab.client("shop")
        await (await client.jetstream().key_value("EYES")).put(key, b"2")

    watch = lab.do(begin())
    until(lab, "EYES", lambda s: [w.done for w in s.buckets["EYES"].watchers.values()] == [2])
    lab.do(put("a"))
    state = until(lab, "EYES", lambda s: [w.rev for w in s.buckets["EYES"].watchers.values()] == [3])
    (watcher,) = state.buckets["EYES"].watchers.values()
    assert (watcher.client, watcher.pattern, watcher.done, watcher.gone) == ("dash", "", 2, math.inf)
    lab.do(watch.stop())
    until(lab, "EYES", lambda s: all(w.gone < math.inf for w in s.buckets["EYES"].watchers.values()))


def test_a_thousand_real_keys_and_then_none(lab: Lab) -> None:
    async def go() -> None:
        bucket = await bucket_of(lab, "MANY", history=1)
        for start in range(0, 1000, 100):
            await asyncio.gather(*(bucket.put(f"user.{i}", b"%d" % i) for i in range(start, start + 100)))

    async def end() -> None:
        await (await lab.client("shop")).jetstream().delete_key_value("MANY")

    lab.do(go())
    state = until(lab, "MANY", lambda s: s.buckets["MANY"].told == 1000)
    bucket = state.buckets["MANY"]
    assert len(bucket.keys) + bucket.counted == 1000 or sum(k.written for k in bucket.keys.values()) == 1000
    lab.do(end())
    until(lab, "MANY", lambda s: s.buckets["MANY"].gone < math.inf)
    assert lab.view("kv", "MANY").describe().startswith("MANY is deleted")
