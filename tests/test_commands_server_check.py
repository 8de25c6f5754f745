"""Health checks on a real server: what is well, what is not, and how monitoring systems read it."""

from __future__ import annotations

import base64
import json
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import natslab
from natslab.commands import parse
from natslab.commands.check_result import Check
from natslab.errors import CommandError
from natslab.lab import Lab


def go(line: str) -> Any:
    return parse(line).run()


def check(line: str) -> Check:
    made = go(f"server check {line}")
    assert isinstance(made, Check)
    return made


@pytest.fixture(scope="module", autouse=True)
def lab() -> Iterator[Lab]:
    with natslab.Lab.up() as up:
        go("js stream add ORDERS --subjects 'orders.>' --defaults -q")
        go("js consumer add ORDERS W --pull --defaults -q")
        go("pub orders.a hello -J --count 4")
        go("pub orders.b world -J")
        go("js consumer next ORDERS W --count 2 --hold")
        go("js stream add COPY --source ORDERS --defaults -q")
        go("js kv add CFG -q")
        go("js kv put CFG a 1")
        go("js kv put CFG gone 1")
        go("js kv del CFG gone -f")
        go("reply help.me 'yes, gladly'")
        end = time.monotonic() + 10
        while "2 consumers" not in str(check("jetstream").oks) and time.monotonic() < end:
            time.sleep(0.02)  # that of the source comes a moment after the stream
        yield up


@pytest.mark.parametrize(
    ("line", "status", "said"),
    [
        ("connection", "OK", "PING answered within 500ms"),
        ("conn --rtt-warn 1us --rtt-critical 1h", "WARNING", "PING answered later than"),
        ("conn --connect-critical 1us", "CRITICAL", "connected later than"),
        ("stream --stream ORDERS", "OK", ""),
        ("stream --stream ORDERS --msgs-warn 4 --msgs-critical 3", "OK", "5 messages"),
        ("stream --stream ORDERS --msgs-warn 5", "WARNING", "5 messages"),
        ("stream --stream ORDERS --msgs-critical 5", "CRITICAL", "5 messages"),
        ("stream --stream ORDERS --subjects-warn 2 --subjects-critical 3", "WARNING", "2 subjects"),
        ("stream --stream ORDERS --subjects-warn 3 --subjects-critical 1", "WARNING", "2 subjects"),
        ("stream --stream ORDERS --subjects-warn 3 --subjects-critical 2", "CRITICAL", "2 subjects"),
        ("stream --stream ORDERS --peer-expect 3", "CRITICAL", "it is not in a cluster"),
        ("stream --stream COPY --min-sources 1 --lag-critical 3", "OK", "sources current"),
        ("stream --stream COPY --min-sources 2", "CRITICAL", "1 source"),
        ("stream --stream ORDRES", "CRITICAL", "There is no stream ORDRES"),
        ("consumer --stream ORDERS --consumer W", "OK", "it is there"),
        ("consumer --stream ORDERS --consumer W --outstanding-ack-critical 3", "OK", "Ack Pending: 2"),
        ("consumer --stream ORDERS --consumer W --outstanding-ack-critical 2", "CRITICAL", "Ack Pending: 2"),
        (
            "consumer --stream ORDERS --consumer W --unprocessed-critical 3",
            "CRITICAL",
            "Unprocessed Messages: 3",
        ),
        ("consumer --stream ORDERS --consumer W --waiting-critical 5", "OK", "Waiting Pulls: 0"),
        ("consumer --stream ORDERS --consumer W --last-delivery-critical 1h", "OK", "delivery within 3600s"),
        (
            "consumer --stream ORDERS --consumer W --last-delivery-critical 1ms",
            "CRITICAL",
            "no delivery for 1ms",
        ),
        ("consumer --stream ORDERS --consumer W --last-ack-critical 1h", "CRITICAL", "no ack yet"),
        ("consumer --stream ORDERS --consumer W --pinned", "CRITICAL", "it pins nobody"),
        ("consumer --stream ORDERS --consumer X", "CRITICAL", "ORDERS has no consumer X"),
        (
            "message --stream ORDERS --subject orders.a --content ^hel",
            "OK",
            "valid message on ORDERS > orders.a",
        ),
        ("message --stream ORDERS --subject orders.b --content ^hel", "CRITICAL", "does not match ^hel"),
        ("message --stream ORDERS --subject orders.c", "CRITICAL", "no message found"),
        ("message --stream ORDERS --age-warn 1ms --age-critical 1h", "WARNING", "older than 1ms"),
        ("message --stream ORDERS --age-critical 1ms", "CRITICAL", "older than 1ms"),
        ("message --stream ORDERS --body-timestamp", "CRITICAL", "the payload is no unix time"),
        ("request --subject help.me --match-payload gladly", "OK", "valid answer"),
        ("request --subject help.me --match-payload ^no", "CRITICAL", "the payload does not match ^no"),
        (
            "request --subject help.me --match-headers Status:ok",
            "CRITICAL",
            "the header Status does not match",
        ),
        ("request --subject nobody", "CRITICAL", "nobody answers on nobody"),
        (
            "request --subject help.me --response-warn 1us --response-critical 1h",
            "WARNING",
            "answer later than",
        ),
        ("jetstream", "OK", "3 streams, 2 consumers"),
        (
            "meta --expect 1 --lag-critical 1 --seen-critical 1s",
            "CRITICAL",
            "there is none: the server is alone",
        ),
        ("server --name n1 --js-required --auth-required", "OK", "JetStream is on"),
        ("server --name n1 --tls-required", "CRITICAL", "TLS is off"),
        ("server --name n1 --tls-cert-warn 1d", "CRITICAL", "it has no TLS certificate"),
        ("server --name n1 --conn-warn 1 --conn-critical 1000", "WARNING", "Connections: "),
        ("server --name n1 --conn-warn 1000 --conn-critical 1", "WARNING", "Connections: "),
        ("server --name n1 --mem-critical 1000", "CRITICAL", "Memory usage in bytes"),
        ("server --name n1 --uptime-warn 1h", "WARNING", "up for less than 3600s"),
        ("server --name n9", "CRITICAL", "No server with the name n9 answers"),
        ("kv --bucket CFG --key a", "OK", "a has a value"),
        ("kv --bucket CFG --key b", "CRITICAL", "b has no value"),
        ("kv --bucket CFG --key gone", "CRITICAL", "gone has no value"),
        ("kv --bucket CFG --values-warn 1 --values-critical 9", "WARNING", "2 values"),
        ("kv --bucket CFG --values-warn 9 --values-critical 2", "CRITICAL", "2 values"),
        ("kv --bucket NOPE", "CRITICAL", "NOPE"),
    ],
)
def test_what_it_says(line: str, status: str, said: str) -> None:
    made = check(line)
    assert made.status == status
    assert made.ok == (status == "OK")
    found = {"OK": made.oks, "WARNING": made.warnings, "CRITICAL": made.criticals}[status]
    assert any(said in text for text in found) if said else not found
    text = repr(made)
    assert text.startswith(f"{status} {made.name}")
    assert not re.search(r"=\d+\.\d+s", text), "times only where they are asked for"


def test_limits_in_the_metadata() -> None:
    go("js stream add META --subjects meta --metadata io.nats.monitor.msgs-critical:2 --defaults -q")
    go("pub meta x -J --count 2")
    assert check("stream --stream META").status == "CRITICAL"
    assert check("stream --stream META --msgs-critical 1").status == "OK"
    go("js stream rm META -f")


class TestFormats:
    LINE = "consumer --stream ORDERS --consumer W --outstanding-ack-critical 2"

    def test_nagios(self) -> None:
        assert repr(check(self.LINE)) == (
            "CRITICAL ORDERS_W Crit:Ack Pending: 2 | ack_pending=2;0;2 pull_waiting=0 pending=3 redelivered=0"
        )

    def test_prometheus(self) -> None:
        text = repr(check(f"{self.LINE} --format prometheus --namespace lab"))
        assert 'lab_consumer_ack_pending{item="ORDERS_W"} 2\n' in text
        assert text.endswith('lab_consumer_status_code{item="ORDERS_W",status="CRITICAL"} 2')
        for line in text.splitlines():
            assert line.startswith("# ") or re.fullmatch(r"[a-z_]+\{[^}]*\} [0-9.e+-]+", line), line

    def test_json(self) -> None:
        said = json.loads(repr(check(f"{self.LINE} --format json")))
        assert said["status"] == "CRITICAL"
        assert (said["check_suite"], said["check_name"]) == ("consumer", "ORDERS_W")
        assert {p["name"]: p["value"] for p in said["perf_data"]}["pending"] == 3
        assert said == json.loads(repr(check(f"{self.LINE} --format json"))) | {
            "perf_data": said["perf_data"]
        }

    def test_text(self) -> None:
        text = repr(check(f"--format text {self.LINE}"))
        assert text.startswith(
            "ORDERS_W: CRITICAL\n\nStatus Detail\n\nStatus    Message\nCritical  Ack Pending: 2\n"
        )
        assert "Critical Threshold" in text

    def test_outfile(self, tmp_path: Path) -> None:
        made = check(f"{self.LINE} --outfile {tmp_path}/check.txt")
        assert (tmp_path / "check.txt").read_text() == made.text() + "\n"


class TestCredential:
    def creds(self, folder: Path, **claims: Any) -> Path:
        def part(said: Any) -> str:
            return base64.urlsafe_b64encode(json.dumps(said).encode()).decode().rstrip("=")

        path = folder / "u.creds"
        token = f"{part({'typ': 'JWT'})}.{part({'sub': 'U', **claims})}.c2ln"
        path.write_text(f"-----BEGIN NATS USER JWT-----\n{token}\n------END NATS USER JWT------\n")
        return path

    @pytest.mark.parametrize(
        ("left", "flags", "status", "said"),
        [
            (3600, "", "OK", "valid"),
            (3600, "--validity-warn 2h", "WARNING", "expires in less than 7200s"),
            (3600, "--validity-warn 3h --validity-critical 2h", "CRITICAL", "expires in less than 7200s"),
            (-1, "", "CRITICAL", "expired"),
            (0, "", "CRITICAL", "never expires"),
            (0, "--no-require-expiry", "OK", "never expires"),
        ],
    )
    def test_until_when(self, tmp_path: Path, left: int, flags: str, status: str, said: str) -> None:
        path = self.creds(tmp_path, **({"exp": int(time.time()) + left} if left else {}))
        made = check(f"credential --credential {path} {flags}")
        assert made.status == status
        assert said in [*made.oks, *made.warnings, *made.criticals][0]

    def test_no_credentials(self, tmp_path: Path) -> None:
        (tmp_path / "x").write_text("nothing")
        assert check(f"credential --credential {tmp_path}/x").criticals == [f"{tmp_path}/x holds no user JWT"]
        (tmp_path / "y").write_text("BEGIN NATS USER JWT-----\na.b.c\n------END")
        assert check(f"credential --credential {tmp_path}/y").status == "CRITICAL"


def test_a_dead_server_is_critical_and_no_error(lab: Lab) -> None:
    lab.server("n1").kill()
    try:
        assert check("connection").status == "CRITICAL"
        assert check("server --name n1").criticals == ["n1 is down"]
    finally:
        lab.server("n1").start()


@pytest.mark.parametrize("line", ["message --stream ORDERS --content (", "stream", "kv --bucket a.b"])
def test_wrong_input(line: str) -> None:
    with pytest.raises(CommandError):
        check(line)
