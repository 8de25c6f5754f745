"""Core NATS by the line, on a real server."""

from __future__ import annotations

import base64
import json
import shlex
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import natslab
from natslab.commands import parse
from natslab.commands.handle import Handle
from natslab.errors import (
    ClientError,
    CommandError,
    LabError,
    NatslabError,
    NoResponders,
    ServerError,
    Timeout,
)
from natslab.lab import Lab

#: A program, as one word of a line, that writes its input in capitals.
UPPER = shlex.quote(shlex.join([sys.executable, "-c", "print(input().upper())"]))


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    with natslab.Lab.up() as up:
        yield up


@pytest.fixture
def go(lab: Lab) -> Iterator[Callable[..., Any]]:
    """`go(line, body=None)`: run it; live verbs are ended after the test."""

    def run(line: str, body: str | None = None) -> Any:
        return parse(line, body).run()

    yield run
    for handle in list(lab.jobs.values()):
        handle.stop()


Go = Callable[..., Any]


class TestPublish:
    def test_what_is_published_arrives(self, go: Go) -> None:
        heard = go("sub orders.> --as audit")
        result = go("pub orders.new hello -H Region:eu")
        heard.wait(count=1)
        assert repr(result) == "Published 5 bytes to orders.new"
        assert (result.subject, result.count, result.bytes) == ("orders.new", 1, 5)
        message = heard.messages[0]
        assert (message.subject, message.data, message.headers) == ("orders.new", b"hello", {"Region": "eu"})
        assert repr(heard) == "sub orders.> as audit: 1 message\n#1  orders.new  hello  (Region: eu)"

    def test_the_body_byte_for_byte(self, go: Go) -> None:
        heard = go("sub body")
        body = "  {\"a\": 'b'}\n\n\t>>> x\n"
        go("%%nats pub body", body)
        go("pub body ''")
        heard.wait(count=2)
        assert [m.data for m in heard.messages] == [body.encode(), b""]

    def test_templates(self, go: Go) -> None:
        heard = go("sub t.>")
        go("pub 't.{{Count}}' 'n {{.Count}}' --count 3 -H 'No:{{Count}}'")
        go("pub t.x 'n {{Count}}' --no-templates")
        heard.wait(count=4)
        assert [(m.subject, m.text, m.headers) for m in heard.messages] == [
            ("t.1", "n 1", {"No": "1"}),
            ("t.2", "n 2", {"No": "2"}),
            ("t.3", "n 3", {"No": "3"}),
            ("t.x", "n {{Count}}", {}),
        ]

    def test_an_unknown_template_is_sent_and_said(self, go: Go) -> None:
        heard = go("sub u")
        result = go("pub u 'n {{Nope}}'")
        heard.wait(count=1)
        assert heard.messages[0].text == "n {{Nope}}"
        assert "{{Nope}} is no template" in repr(result)

    def test_one_message_a_line(self, go: Go) -> None:
        heard = go("sub lines")
        result = go("%%nats pub lines --send-on newline", "one\ntwo\n\nthree")
        heard.wait(count=3)
        assert [m.text for m in heard.messages] == ["one", "two", "three"]
        assert result.count == 3
        with pytest.raises(CommandError, match="cell body"):
            go("pub lines --send-on newline")

    def test_many_are_exact(self, go: Go) -> None:
        heard = go("sub bulk.>")
        assert repr(go("pub bulk.a x --count 5000")) == "Published 5000 messages to bulk.a"
        assert go("pub bulk.b 'n {{Count}}' --count 3000").bytes == sum(len(f"n {i}") for i in range(1, 3001))
        assert go("pub bulk.c 'x' --count 2500 -H a:b").count == 2500
        assert go("pub 'bulk.d.{{Count}}' 'x' --count 2500").count == 2500
        heard.wait(10, count=13000)
        assert heard.count == 13000
        assert heard.messages[-1].subject == "bulk.d.2500"
        assert heard.subjects["bulk.b"] == 3000

    def test_sleep(self, go: Go) -> None:
        begun = time.monotonic()
        go("pub s x --count 3 --sleep 50ms")
        assert 0.1 <= time.monotonic() - begun < 2

    def test_reply_subject(self, go: Go) -> None:
        heard = go("sub asked")
        go("pub asked x --reply answers.here")
        heard.wait(count=1)
        assert heard.messages[0].reply == "answers.here"

    def test_names_of_clients(self, go: Go, lab: Lab) -> None:
        go("pub who x --as shop")
        go("pub who x --connection-name till")
        assert {"shop", "till"} <= set(lab.hub.clients)

    def test_dry_run_right_after_a_rush(self, go: Go) -> None:
        heard = go("sub dry.* --as rushed")
        for _ in range(3):
            go("pub dry.rush x --count 1500 -q")
            assert go("pub dry.run x --dry-run").preview.egress
        assert "dry.run" not in heard.subjects

    def test_dry_run(self, go: Go) -> None:
        heard = go("sub dry --as listener")
        result = go("pub dry x --dry-run")
        go("pub dry real")
        heard.wait(count=1)
        assert [m.text for m in heard.messages] == ["real"]
        assert [h.name for h in result.preview.egress] == ["listener"]
        assert repr(result).startswith("Nothing was delivered or stored (dry run).")

    def test_jetstream_without_a_stream(self, go: Go) -> None:
        with pytest.raises(NoResponders, match=r"No stream takes messages on orders\.x"):
            go("pub orders.x hi -J")

    def test_jetstream(self, go: Go, lab: Lab) -> None:
        config = json.dumps(
            {"name": "S1", "subjects": ["s1.>"], "storage": "memory", "max_msgs": 2, "discard": "new"}
        )
        go(f"req $JS.API.STREAM.CREATE.S1 {shlex.quote(config)}")
        result = go("pub s1.a hello -J -H Nats-Msg-Id:1")
        assert (result.stream, result.seq, result.duplicate) == ("S1", 1, False)
        assert repr(result) == "Published 5 bytes to s1.a\nStored in stream S1 with sequence 1"
        again = go("pub s1.a hello -J -H Nats-Msg-Id:1")
        assert again.duplicate
        assert "Duplicate of sequence 1 in stream S1" in repr(again)
        go("pub s1.a hello -J")
        with pytest.raises(ClientError, match="10077"):
            go("pub s1.a hello -J")
        assert "<<< " in repr(go("pub s1.a hello -J -H Nats-Msg-Id:1 --trace"))
        stored = go("req $JS.API.STREAM.MSG.GET.S1 '{\"seq\": 1}'").value["message"]
        assert b"Trace" not in base64.b64decode(stored["hdrs"])
        go("req $JS.API.STREAM.DELETE.S1 ''")

    def test_an_answer_that_is_no_stream(self, go: Go) -> None:
        go("reply fake 'not an ack'")
        with pytest.raises(ClientError, match="is no stream"):
            go("pub fake x -J")

    @pytest.mark.parametrize(
        ("line", "body", "say"),
        [
            ("pub a..b x", None, "two dots"),
            ("pub .a x", None, "begins with a dot"),
            ("pub a. x", None, "ends with a dot"),
            ("pub '' x", None, "empty"),
            ("pub 'a b' x", None, "white space"),
            ("pub a x --reply 'b c'", None, "white space"),
            ("pub a x -H nonsense", None, "needs a name, a colon and a value"),
            ("pub a x -H 'a b:c'", None, "cannot be the name"),
            ("pub a x", "y", "one in the cell body"),
            ("pub a --force-stdin", None, "no standard input"),
            (f"pub {'a' * 5000} x", None, "bytes long"),
            ("pub a '{{Random 2000000 2000000}}'", None, "takes at most 1048576"),
        ],
    )
    def test_wrong_input(self, go: Go, line: str, body: str | None, say: str) -> None:
        with pytest.raises(NatslabError, match=say):
            go(line, body)
        assert go("pub still.alive x").count == 1

    def test_a_header_line_break_cannot_be_smuggled(self, go: Go) -> None:
        with pytest.raises(CommandError, match="line break"):
            go("pub a x -H 'a:b\nPUB evil 1'")

    def test_eaten_json(self, go: Go) -> None:
        assert "Single quotes around JSON" in repr(go("pub a {order_id:7}"))
        with pytest.raises(CommandError) as caught:
            go("pub a {order_id: 7}")
        assert "Single quotes around JSON" in caught.value.hint
        assert "quotes" not in repr(go("pub a '{\"order_id\": 7}'"))

    def test_explain_does_nothing(self, go: Go) -> None:
        heard = go("sub ex")
        text = repr(go("pub ex hello --explain"))
        assert "PUB ex 5\n  hello" in text
        text = repr(go("pub ex hello -H a:b --explain"))
        assert "HPUB ex 18 23" in text
        go("pub ex real")
        heard.wait(count=1)
        assert [m.text for m in heard.messages] == ["real"]

    def test_json_and_quiet(self, go: Go) -> None:
        assert json.loads(repr(go("pub a hello --json"))) == {"subject": "a", "count": 1, "bytes": 5}
        result = go("pub a hello -q")
        assert result.count == 1
        assert result._ipython_display_() is None


class TestSubscribe:
    def test_it_is_live_when_the_command_returns(self, go: Go) -> None:
        for i in range(20):
            heard = go(f"sub live.{i} --count 1")
            go(f"pub live.{i} x")
            heard.wait(2)
            assert heard.ended

    def test_count_ends_it_and_does_not_block(self, go: Go, lab: Lab) -> None:
        heard = go("sub c.> --count 2")
        assert not heard.ended and heard.id in lab.jobs
        go("pub c.x hi --count 5")
        heard.wait(2)
        assert heard.count == 2 == len(heard) == len(list(heard))
        assert heard.id not in lab.jobs
        assert heard.name not in lab.hub.clients

    def test_a_group_loses_nothing_when_a_member_ends(self, go: Go) -> None:
        short, long = go("sub g --queue w --count 3"), go("sub g --queue w")
        go("pub g x --count 50")
        long.wait(3, count=47)
        assert short.count + long.count == 50

    def test_wait(self, go: Go, lab: Lab) -> None:
        jobs = set(lab.jobs)
        with pytest.raises(Timeout, match=r"0 of 1 messages came within 0\.2 s"):
            go("sub w --count 1 --wait 200ms")
        assert set(lab.jobs) == jobs
        later = threading.Timer(0.2, lambda: parse("pub w2 x").run())
        later.start()
        heard = go("sub w2 --count 1 --wait 5s")
        later.join()
        assert heard.count == 1
        begun = time.monotonic()
        heard = go("sub w3 --wait 300ms")  # the CLI's: until nothing came for so long
        assert heard.ended and 0.3 <= time.monotonic() - begun < 3

    def test_handle_wait_and_stop(self, go: Go) -> None:
        heard = go("sub hw")
        with pytest.raises(Timeout, match="0 of 2 messages"):
            heard.wait(0.1, count=2)
        assert heard.stop() is heard
        assert heard.ended
        go("pub hw x")
        assert heard.count == 0

    def test_several_subjects_share_a_connection(self, go: Go, lab: Lab) -> None:
        before = len(lab.hub.clients)
        heard = go("sub m.a m.b --count 3")
        assert len(lab.hub.clients) == before + 1
        go("pub m.a 1")
        go("pub m.b 2")
        go("pub m.a 3")
        heard.wait(2)
        assert heard.subjects == {"m.a": 2, "m.b": 1}

    def test_names(self, go: Go) -> None:
        first, second = go("sub n"), go("sub n")
        assert first.name.startswith("sub") and first.name != second.name
        twins = [go("sub n --as twin") for _ in range(2)]
        assert [t.name for t in twins] == ["twin", "twin#2"]

    def test_inbox(self, go: Go) -> None:
        heard = go("sub --inbox")
        go(f"pub {heard.subject} x")
        heard.wait(count=1)
        assert repr(heard).startswith("sub an inbox as ")

    def test_ignore(self, go: Go) -> None:
        heard = go("sub i.> -I i.no.* -I i.bad --count 2")
        for subject in ("i.yes", "i.no.x", "i.bad", "i.yes"):
            go(f"pub {subject} x")
        heard.wait(2)
        assert heard.subjects == {"i.yes": 2}

    def test_views_of_the_same(self, go: Go) -> None:
        flags = ["--raw", "--headers-only", "--subjects-only", "--timestamp", "--delta-time"]
        handles = {f: go(f"sub v {f}") for f in flags}
        go("pub v hello -H A:b")
        for handle in handles.values():
            handle.wait(count=1)
        text = {f: repr(h) for f, h in handles.items()}
        assert text["--raw"] == "hello"
        assert "hello" not in text["--headers-only"] and "A: b" in text["--headers-only"]
        assert "hello" not in text["--subjects-only"] and "A: b" not in text["--subjects-only"]
        assert "hello" in text["--timestamp"] and ":" in text["--timestamp"].splitlines()[1]
        assert "s v" in text["--delta-time"]

    def test_reports(self, go: Go) -> None:
        subjects, patterns = go("sub r.> --report-subjects"), go("sub 'r.*' --report-subscriptions")
        go("pub r.a xx --count 3")
        go("pub r.b x")
        for handle in (subjects, patterns):
            handle.wait(count=4)
        assert subjects.table()[1] == [["r.a", "3", "6"], ["r.b", "1", "1"]]
        assert patterns.table()[1] == [["r.*", "4", "7"]]

    def test_match_replies(self, go: Go) -> None:
        heard = go("sub match.> --match-replies")
        go("reply match.q 'the answer'")
        go("req match.q 'the question'")
        heard.wait(count=1)
        deadline = time.monotonic() + 3
        while not heard.replies and time.monotonic() < deadline:
            time.sleep(0.01)
        assert "the question → the answer" in repr(heard)

    def test_the_observer_is_warned_of(self, go: Go) -> None:
        assert "hears inboxes" in repr(go("sub '>'"))
        assert "hears inboxes" not in repr(go("sub 'orders.>'"))

    def test_dump(self, go: Go, tmp_path: Path) -> None:
        heard = go(f"sub d --dump {tmp_path / 'out'}")
        go("pub d 'a\nb' -H K:v")
        heard.wait(count=1)
        facts = json.loads((tmp_path / "out" / "1.json").read_text())
        assert facts["Subject"] == "d" and facts["Header"] == {"K": ["v"]}
        assert base64.b64decode(facts["Data"]) == b"a\nb"

    def test_translate(self, go: Go) -> None:
        heard = go(f"sub tr --translate {UPPER}")
        go("pub tr hello")
        heard.wait(5, count=1)
        assert heard.messages[0].text.strip() == "HELLO"

    @pytest.mark.parametrize(
        ("line", "say"),
        [
            ("sub", "needs a subject"),
            ("sub '>.x'", "not at the end"),
            ("sub a..b", "two dots"),
            ("sub 'a b'", "white space"),
            ("sub a --inbox", "a subject of its own"),
            ("sub a --stream S", "no stream S"),
            ("sub a --all", "No stream has messages on a"),
            ("sub a --graph", "no sense"),
            ("sub a --queue 'x y'", "queue group"),
            ("sub a -t -d", "exclude"),
            ("sub a --dump -", "standard output"),
            ("sub _NATSLAB.x", "may not subscribe"),
        ],
    )
    def test_wrong_input(self, go: Go, lab: Lab, line: str, say: str) -> None:
        before = set(lab.hub.clients)
        with pytest.raises(NatslabError, match=say):
            go(line)
        assert set(lab.hub.clients) == before
        assert not lab.jobs

    def test_foreign_text_stays_text(self, go: Go) -> None:
        heard = go("sub html.>")
        evil = "<script>alert(1)</script>\x1b[31m\x00 & \"'"
        go(f"pub 'html.<b>x</b>' {shlex.quote(evil)} -H 'X:<i>'")
        heard.wait(count=1)
        bundle = heard._repr_mimebundle_()
        assert "<script" not in bundle["text/html"] and "<b>" not in bundle["text/html"]
        assert "<i>" not in bundle["text/html"]
        assert "\x1b" not in bundle["text/plain"] and "\x00" not in bundle["text/plain"]
        assert "&lt;script&gt;" in bundle["text/html"]

    def test_it_comes_back_after_the_server(self, go: Go, lab: Lab) -> None:
        heard = go("sub back --as survivor")
        go("natslab kill n1")
        with pytest.raises(ServerError, match="n1 is down"):
            go("pub back x")
        go("natslab restart n1")
        go("pub back x")
        heard.wait(3, count=1)

    def test_only_so_many_rows(self, go: Go) -> None:
        heard = go("sub rows")
        go("pub rows 'n {{Count}}' --count 50")
        heard.wait(count=50)
        lines = repr(heard).splitlines()
        assert lines[1] == "… 30 before these" and lines[2].startswith("#31  rows  n 31")
        assert len(lines) == 22


class TestRequest:
    def test_answer(self, go: Go) -> None:
        go("reply help.please 'OK, I can help' --count 1")
        result = go("req help.please 'I need help!'")
        assert repr(result) == "OK, I can help"
        assert (result.data, len(result), len(result.times)) == (b"OK, I can help", 1, 1)

    def test_nobody(self, go: Go) -> None:
        begun = time.monotonic()
        with pytest.raises(NoResponders, match=r"Nobody subscribes to no\.such\.service"):
            go("request no.such.service test")
        with pytest.raises(NoResponders, match=r"Nobody subscribes to no\.such\.service"):
            go("request no.such.service test --replies 3")
        assert time.monotonic() - begun < 1

    def test_silence(self, go: Go) -> None:
        go("sub silent")
        begun = time.monotonic()
        with pytest.raises(Timeout, match=r"within 0\.3 s"):
            go("req silent x --timeout 300ms")
        assert 0.3 <= time.monotonic() - begun < 2
        with pytest.raises(Timeout, match=r"within 0\.3 s"):
            go("req silent x --timeout 300ms --replies 0")

    def test_replies(self, go: Go) -> None:
        for name in "abc":
            go(f"reply quote 'from {name}' --queue {name}")
        result = go("req quote x --replies 3")
        assert sorted(m.text for m in result) == ["from a", "from b", "from c"]
        result = go("req quote x --replies 0 --timeout 400ms")
        assert len(result) == 3
        result = go("req quote x --replies 5 --reply-timeout 100ms")
        assert "3 of 5 answers" in repr(result)

    def test_headers_and_raw(self, go: Go) -> None:
        go("reply hdr yes -H 'Kind:{{Request}}'")
        assert repr(go("req hdr fast")) == "Kind: fast\n\nyes"
        assert repr(go("req hdr fast --raw")) == "yes"
        assert go("req hdr fast").headers == {"Kind": "fast"}

    def test_count_and_templates(self, go: Go) -> None:
        go("reply n '{{Count}}:{{Request}}'")
        assert repr(go("req n 'q{{Count}}' --count 3")) == "0:q1\n1:q2\n2:q3"
        assert repr(go("%%nats req n --send-on newline", "a\nb")) == "3:a\n4:b"

    def test_wait_for_empty(self, go: Go) -> None:
        for answer in ("one", "two"):
            go(f"reply parts {answer} --queue {answer}")
        # The last to answer, with nothing: that is the end.
        go(
            "%%nats reply parts --queue end",
            "import time\ndef handle(msg):\n    time.sleep(0.2)\n    return b''",
        )
        result = go("req parts x --wait-for-empty --timeout 5s")
        assert sorted(m.text for m in result) == ["one", "two"]
        go("reply empty --command true")
        with pytest.raises(ClientError, match="is empty"):
            go("req empty x --wait-for-empty --timeout 2s")

    def test_value(self, go: Go) -> None:
        go("reply js '{\"a\": [1, 2]}'")
        assert go("req js x").value == {"a": [1, 2]}

    def test_translate(self, go: Go) -> None:
        go("reply tr2 hello")
        assert repr(go(f"req tr2 x --translate {UPPER}")).strip() == "HELLO"

    def test_json(self, go: Go) -> None:
        go("reply j hello")
        facts = json.loads(repr(go("req j x --json")))
        assert facts["replies"][0]["data"] == "hello"
        assert facts["replies"][0]["took"] < 1


class TestReply:
    def test_text_of_the_handle(self, go: Go) -> None:
        handle = go("reply svc 'hi {{Request}}' --as bob")
        go("req svc one")
        go("req svc two")
        handle.wait(count=2)
        assert repr(handle) == (
            "reply svc in group NATS-RPLY-22 as bob: 2 requests\n#1  svc  one → hi one\n#2  svc  two → hi two"
        )
        assert handle.answers == [b"hi one", b"hi two"]

    def test_echo(self, go: Go) -> None:
        go("reply echo --echo")
        result = go("req echo hello -H A:b")
        assert result.data == b"hello"
        assert result.headers == {"A": "b", "NATS-Reply-Counter": "0"}
        go("reply echo2")  # as the CLI: nothing said means echo
        assert go("req echo2 x").data == b"x"

    def test_count(self, go: Go) -> None:
        handle = go("reply once yes --count 1")
        go("req once x")
        handle.wait(2)
        with pytest.raises(NoResponders):
            go("req once x")

    def test_command(self, go: Go) -> None:
        go("reply 'weather.>' --command 'echo {{1}} {{Request}} $HOME'")
        assert go("req weather.london 'now; ls'").text().strip() == "london now; ls $HOME"
        script = "import os; print(os.environ['NATS_REQUEST_SUBJECT'], os.environ['NATS_REQUEST_BODY'])"
        go(f"reply env --command {shlex.quote(shlex.join([sys.executable, '-c', script]))}")
        assert go("req env body").text().strip() == "env body"

    def test_the_documented_shell_line(self, go: Go) -> None:
        line = (
            'reply calc.add --command "sh -c \\"echo \\$NATS_REQUEST_BODY | awk \'{print \\$1 + \\$2}\'\\""'
        )
        go(line)
        assert go('request calc.add "5 3"').text().strip() == "8"

    def test_a_message_cannot_choose_the_program_or_its_options(self, go: Go) -> None:
        with pytest.raises(CommandError, match="choose the program"):
            go("reply x.> --command '{{1}} hello'")
        handle = go("reply y.> --command 'echo {{1}}'")
        result = go("req y.--help x --timeout 2s")
        assert "option '--help'" in result.headers["Nats-Service-Error"]
        handle.wait(count=1)
        assert len(handle.errors) == 1

    @pytest.mark.parametrize(
        ("command", "say"), [("false", "ended with code 1"), ("no-such-program-here x", "cannot be run")]
    )
    def test_a_command_that_fails(self, go: Go, command: str, say: str) -> None:
        handle = go(f"reply bad --command '{command}'")
        result = go("req bad x")
        assert say in result.headers["Nats-Service-Error"]
        handle.wait(count=1)
        assert say in handle.errors[0].what

    def test_python(self, go: Go) -> None:
        body = (
            "import json\n"
            "def shout(t):\n    print('asked', t)\n    return t.upper()\n"
            "def handle(msg):\n"
            "    if msg.text == 'dict':\n        return {'a': 1}\n"
            "    if msg.text == 'none':\n        return None\n"
            "    if msg.text == 'bytes':\n        return bytes([0, 255])\n"
            "    if msg.text == 'set':\n        return {1, 2}\n"
            "    if msg.text == 'fail':\n        raise ValueError('no <b>such</b> thing')\n"
            "    if msg.text == 'exit':\n        raise SystemExit\n"
            "    return shout(msg.text)\n"
        )
        handle = go("%%nats reply py", body)
        assert go("req py hello").data == b"HELLO"
        assert go("req py dict").value == {"a": 1}
        assert go("req py bytes").data == b"\x00\xff"
        with pytest.raises(Timeout):
            go("req py none --timeout 200ms")
        result = go("req py fail")
        assert result.headers["Nats-Service-Error"] == "ValueError: no <b>such</b> thing"
        assert "cannot be sent" in go("req py set").headers["Nats-Service-Error"]
        assert "SystemExit" in go("req py exit").headers["Nats-Service-Error"]
        assert go("req py after").data == b"AFTER"
        assert handle.output == ["asked hello", "asked after"]
        assert handle.errors[0].what == "The handler raised ValueError: no <b>such</b> thing."
        assert len(handle.errors) == 3
        assert "(no answer)" in repr(handle)

    def test_async_python(self, go: Go) -> None:
        go(
            "%%nats reply co",
            "import asyncio\nasync def handle(msg):\n    await asyncio.sleep(0.01)\n    return 'later'",
        )
        assert go("req co x").data == b"later"

    def test_a_slow_handler_blocks_nobody_else(self, go: Go) -> None:
        go("%%nats reply slow", "import time\ndef handle(msg):\n    time.sleep(1)\n    return 'done'")
        go("reply quick yes")
        with pytest.raises(Timeout):
            go("req slow x --timeout 100ms")
        begun = time.monotonic()
        go("req quick x")
        assert time.monotonic() - begun < 0.5

    @pytest.mark.parametrize(
        ("line", "body", "say"),
        [
            ("%%nats reply a", "def handle(:", "not Python in line 1"),
            ("%%nats reply a", "x = 1", "does not define a function handle"),
            ("%%nats reply a", "1/0", "raises ZeroDivisionError"),
            ("%%nats reply a text", "def handle(m): return 1", "given twice"),
            ("reply a text --echo", None, "given twice"),
            ("reply a --command ''", None, "The command is empty"),
            ("reply a..b x", None, "two dots"),
            ("reply a x -H broken", None, "needs a name, a colon and a value"),
        ],
    )
    def test_wrong_input(self, go: Go, line: str, body: str | None, say: str) -> None:
        with pytest.raises(CommandError, match=say):
            go(line, body)

    def test_a_plain_publish_gets_no_answer(self, go: Go) -> None:
        handle = go("reply p hi")
        go("pub p x")
        handle.wait(count=1)
        assert handle.answers == [None]


class TestTrace:
    def test_who_would_get_it(self, go: Go) -> None:
        go("sub 'orders.>' --as audit")
        go("sub orders.new --as packer --queue w")
        result = go("trace orders.new")
        assert sorted((h.name, h.queue) for h in result.egress) == [("audit", ""), ("packer", "w")]
        text = repr(result)
        assert '--C Client "packer" subject:"orders.new" queue:"w"' in text
        assert "Egress count: client 2" in text
        assert "µs" not in text and "µs" in repr(go("trace orders.new -T"))

    def test_it_delivers_only_when_told(self, go: Go) -> None:
        heard = go("sub tr.a")
        go("trace tr.a one")
        go("trace tr.a two --deliver")
        heard.wait(count=1)
        assert [m.text for m in heard.messages] == ["two"]
        assert not heard.messages[0].headers

    def test_nobody(self, go: Go) -> None:
        result = go("trace tr.nobody")
        assert result.egress == [] and "--X No active interest" in repr(result)

    def test_without_the_lab_s_traces(self, go: Go, lab: Lab) -> None:
        go("sub tr.b --as ear")
        lab.hub.trace = False
        try:
            assert [h.name for h in go("trace tr.b").egress] == ["ear"]
        finally:
            lab.hub.trace = True

    def test_elsewhere(self, go: Go, lab: Lab) -> None:
        go("sub tr.c --as ear")
        user = lab.login["user"]
        port = lab.fleet.servers["n1"].port
        line = f"trace tr.c -s nats://127.0.0.1:{port} --user {user} --password {lab.login['password']}"
        result = go(line)
        assert [h.name for h in result.egress] == ["ear"]


class TestOthers:
    def test_rtt(self, go: Go) -> None:
        result = go("rtt 3")
        assert repr(result) == "3 round trips to n1"
        assert len(result.times) == 3 and all(0 < t < 1 for t in result.times)
        assert json.loads(repr(go("rtt 2 -j")))["server"] == "n1"

    def test_events(self, go: Go) -> None:
        handle = go("events --count 1")
        go("rtt --as newcomer")
        handle.wait(3)
        assert "newcomer" in repr(handle)
        assert handle.events[0]["client"]["name"] == "newcomer"

    def test_js_events(self, go: Go) -> None:
        handle = go("events --no-srv-advisory --js-advisory --filter stream_action")
        config = json.dumps({"name": "EV", "subjects": ["ev"], "storage": "memory"})
        go(f"req $JS.API.STREAM.CREATE.EV {shlex.quote(config)}")
        go("req $JS.API.STREAM.DELETE.EV ''")
        handle.wait(3, count=2)
        assert [e["action"] for e in handle.events] == ["create", "delete"]
        assert handle.messages[0].subject == "$JS.EVENT.ADVISORY.STREAM.CREATED.EV"
        handle.stop()
        assert handle.ended

    def test_events_on_a_subject(self, go: Go) -> None:
        handle = go("events --no-srv-advisory --subjects lat.>")
        go('pub lat.x \'{"type": "a.b.some_metric"}\'')
        handle.wait(3, count=1)
        assert "some metric" in repr(handle)

    @pytest.mark.parametrize(
        ("line", "say"),
        [
            ("events --no-srv-advisory", "No events"),
            ("events --filter '('", "regular"),
            ("events --cloudevent", "CloudE"),
        ],
    )
    def test_events_wrong(self, go: Go, line: str, say: str) -> None:
        with pytest.raises(CommandError, match=say):
            go(line)

    def test_account_info(self, go: Go) -> None:
        result = go("account info")
        assert result.account == "A" and result.jetstream["streams"] == 0
        text = repr(result)
        assert "Account: A" in text and "password" not in text.lower()

    def test_servers(self, go: Go) -> None:
        assert repr(go("server ls")).splitlines()[1].split()[:3] == ["n1", "yes", "up"]
        facts = go("server list 1").json()
        assert facts[0]["connections"] > 0 and facts[0]["version"]
        assert "3 servers were expected, 1 answered" in repr(go("server list 3 --timeout 1s"))
        assert repr(go("server ping")).split()[-2:] == ["n1", "yes"]
        assert "Max payload: 1.0 MiB" in repr(go("server info n1"))
        assert go("server info").json()["varz"]["server_name"] == "n1"
        with pytest.raises(CommandError, match="no server called 'n7'"):
            go("server info n7")

    def test_script(self, go: Go) -> None:
        heard = go("sub sc.>")
        results = go("script", "nats pub sc.a 1\n# hm\npub sc.b '2\n3'\nnatslab status")
        heard.wait(count=2)
        assert len(results) == 3 and repr(results).startswith("Published 1 byte to sc.a\nPublished 3 bytes")
        with pytest.raises(NoResponders, match="Line 3, req nobody x: Nobody"):
            go("script", "pub sc.a 1\n\nreq nobody x\npub sc.c 1")
        assert "sc.c" not in heard.subjects
        for line, body, say in (
            ("script", None, "cell body"),
            ("script", "\n#\n", "no line"),
            ("script x", "y", "words"),
        ):
            with pytest.raises(CommandError, match=say):
                go(line, body)


class TestElsewhere:
    def test_own_login_elsewhere(self, go: Go, lab: Lab) -> None:
        heard = go("sub far")
        login = lab.login
        where = f"--server {login['servers'][0]} --user {login['user']} --password {login['password']}"
        assert repr(go(f"pub far x {where}")) == "Published 1 byte to far"
        heard.wait(count=1)
        far = go(f"sub far2 {where} --count 1")
        go("pub far2 y")
        far.wait(3)
        assert far.messages[0].text == "y"
        assert "Account: A" in repr(go(f"account info {where}"))

    def test_the_lab_s_own_url_is_the_lab(self, go: Go, lab: Lab) -> None:
        heard = go("sub own")
        go(f"pub own x --server {lab.url}")
        heard.wait(count=1)

    def test_credentials_are_never_shown(self, go: Go, lab: Lab) -> None:
        password = lab.login["password"]
        command = parse(f"pub a b -s {lab.url} --user u --password 's3cret' --token=t0ken --seed SUABC")
        assert password not in repr(command)
        for secret in ("s3cret", "t0ken", "SUABC"):
            assert secret not in repr(command)
        with pytest.raises(ClientError) as caught:
            go(f"pub a b -s {lab.url.replace(password, 'wrongpass')}")
        assert "wrongpass" not in str(caught.value)

    @pytest.mark.parametrize(
        ("flags", "say"),
        [
            ("--user bob --password bob", "refused the login"),
            ("--token wrong-token", "refused the login"),
            ("--creds nowhere.creds", "no file"),
            ("--nkey nowhere.nk", "no file"),
            ("--jwt abc", "belong together"),
            ("--password x", "without --user"),
            ("--tlsca nowhere.pem", "no file"),
            ("--context joe", "no contexts"),
            ("--socks-proxy x", "without a proxy"),
            ("--on n9", "no server called 'n9'"),
            ("--on n1 -s nats://x", "two places"),
            ("-s nats://127.0.0.1:notaport", "not an address"),
            ("--inbox-prefix 'a.*'", "wildcard"),
        ],
    )
    def test_wrong_input(self, go: Go, flags: str, say: str) -> None:
        with pytest.raises(NatslabError, match=say):
            go(f"pub a b {flags} --timeout 2s")

    def test_nothing_listens(self, go: Go) -> None:
        with socket.create_server(("127.0.0.1", 0)) as server:
            port = server.getsockname()[1]
        with pytest.raises(ClientError, match="connection refused"):
            go(f"pub a b -s nats://127.0.0.1:{port}")
        with pytest.raises(ClientError, match=r"unknown|not known|resolution|resolve|No address"):
            go("pub a b -s nats://no-such-host.invalid:4222 --timeout 3s")

    def test_not_nats(self, go: Go) -> None:
        with socket.create_server(("127.0.0.1", 0)) as server:
            port = server.getsockname()[1]
            threading.Thread(target=lambda: server.accept()[0].close(), daemon=True).start()
            with pytest.raises(ClientError):
                go(f"pub a b -s nats://127.0.0.1:{port} --timeout 1s")

    def test_a_creds_file_that_is_none(self, go: Go, tmp_path: Path) -> None:
        path = tmp_path / "x.creds"
        path.write_text("hello")
        with pytest.raises(ClientError, match="not a credentials file"):
            go(f"pub a b --creds {path}")

    def test_inbox_prefix(self, go: Go) -> None:
        heard = go("reply ip --echo")
        go("req ip x --inbox-prefix _INBOX_joe")
        heard.wait(count=1)
        assert heard.messages[0].reply.startswith("_INBOX_joe.")

    def test_on_a_server(self, go: Go) -> None:
        assert repr(go("rtt 1 --on n1")) == "1 round trip to n1"


class TestFaults:
    def test_killed_in_mid_command(self, go: Go, lab: Lab) -> None:
        go("sub mute")
        killer = threading.Timer(0.3, lambda: lab.server("n1").kill())
        killer.start()
        begun = time.monotonic()
        with pytest.raises(ServerError, match="n1 went down"):
            go("req mute x --timeout 10s")
        assert time.monotonic() - begun < 3
        killer.join()
        for line in ("pub a b", "sub a", "rtt", "account info", "trace a", "events", "server info"):
            with pytest.raises(ServerError, match="n1 is down"):
                go(line)
        assert repr(go("server ls")).split()[-4] == "down"
        go("natslab restart")
        go("rtt")

    def test_frozen(self, go: Go) -> None:
        go("natslab freeze n1")
        try:
            for line in ("pub a b", "req a b", "rtt", "sub a", "trace a", "account info"):
                with pytest.raises(NatslabError, match=r"frozen|does not answer|did not answer"):
                    go(f"{line} --timeout 300ms")
        finally:
            go("natslab thaw n1")
        go("rtt 2")
        go("pub a b")
        go("trace a")

    def test_no_lab(self, lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("natslab.lab._current", None)
        for line in (
            "pub a b",
            "sub a",
            "server ls",
            "natslab status",
            "natslab kill",
            "natslab view routing",
        ):
            with pytest.raises(LabError) as caught:
                parse(line).run()
            assert caught.value.what == "There is no lab in this kernel."
            assert caught.value.hint == "Start one: %natslab up"
        assert repr(parse("natslab down").run()) == "There is no lab to stop."


def test_handles_are_results(go: Go) -> None:
    handle = go("sub final")
    assert isinstance(handle, Handle)
    assert json.loads(repr(go("sub final --json")))["messages"] == []
    assert bool(handle)
