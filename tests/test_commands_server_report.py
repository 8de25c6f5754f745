"""Reports and requests about several servers, held against what each server says itself."""

from __future__ import annotations

import gzip
import json
import re
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import natslab
from natslab.commands import parse
from natslab.commands.server_request import Answers
from natslab.errors import ClientError, CommandError, NatslabError
from natslab.lab import Lab
from natslab.loop import run

Go = Callable[..., Any]
NAMES = ["n1", "n2", "n3"]
#: What differs from run to run: a time, an address, an id of a server, a path.
UNSTEADY = re.compile(r"\d:\d\d|127\.0\.0\.1|\b[A-Z0-9]{50,}\b|\d(?:ms|µs|s)\b|/tmp")


def go(line: str, body: str | None = None) -> Any:
    return parse(line, body).run()


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    with natslab.Lab.up(servers=3) as up:
        go("js stream add ORDERS --subjects 'orders.>' --replicas 3 --defaults")
        go("js stream add MEM --subjects mem --storage memory --replicas 3 --defaults")
        go("js consumer add ORDERS W --pull --defaults")
        go("pub orders.a hello -J --count 4")
        go("pub mem hello -J")
        yield up


def ask(lab: Lab, server: str, what: str, **body: Any) -> dict[str, Any]:
    return run(lab.fleet.ask(server, what, **body))


def refusal(line: str) -> NatslabError:
    with pytest.raises(NatslabError) as caught:
        go(line)
    return caught.value


class TestReports:
    def test_health(self, lab: Lab) -> None:
        made = go("server report health")
        assert made.columns == ["Server", "Cluster", "Domain", "Status", "Type", "Error"]
        assert made.rows == [[name, "C1", "", "ok (200)", "", ""] for name in NAMES]
        assert not made.notes
        sick = go("server report health --stream NOPE")
        assert [row[3] for row in sick.rows if row[0]] == ["error (404)"] * 3
        assert any("not found" in row[5] for row in sick.rows)
        assert len(go("server report health --host n2").rows) == 1

    def test_routes(self, lab: Lab) -> None:
        made = go("server report routes")
        assert made.columns == ["Server", "Cluster", "Name", "Account"]
        pairs = [(row[0], row[2]) for row in made.rows]
        assert pairs == [(a, b) for a in NAMES for b in NAMES if a != b]
        for a, b in pairs:
            assert b in {r["remote_name"] for r in ask(lab, a, "routez")["routes"]}
        full = go("server report routes --full --sort name --reverse")
        assert full.columns == [
            "Server", "Cluster", "Name", "Account", "Address", "ID", "Uptime", "RTT", "Subs", "Bytes In",
            "Bytes Out",
        ]  # fmt: skip
        assert [row[2] for row in full.rows] == ["n3", "n3", "n2", "n2", "n1", "n1"]
        assert go("server report routes --sort subs").columns[-1] == "Subs"
        assert {f["to"] for f in made} == set(NAMES)

    def test_gateways_and_leafnodes_where_there_are_none(self, lab: Lab) -> None:
        assert repr(go("server report gateways")).startswith("There are no gateways")
        assert repr(go("server report leafnodes")) == "There are no leafnodes"

    def test_jetstream(self, lab: Lab) -> None:
        made = go("server report jetstream")
        assert made.columns == [
            "Server", "Cluster", "Streams", "Consumers", "Messages", "Bytes", "Memory", "File",
        ]  # fmt: skip
        leader = ask(lab, "n1", "jsz")["meta_cluster"]["leader"]
        assert [row[0] for row in made.rows] == [*(f"{n}*" if n == leader else n for n in NAMES), ""]
        for name, row in zip(NAMES, made.rows, strict=False):
            own = ask(lab, name, "jsz")
            assert row[2:5] == [str(own["streams"]), str(own["consumers"]), str(own["messages"])]
        assert made.rows[-1][2:5] == ["6", "3", "15"]
        meta = made.parts[1]
        assert (meta.title, meta.columns) == (
            "RAFT Meta Group Information",
            ["Connection Name", "Leader", "Current", "Online"],
        )
        assert meta.rows == [[n, "yes" if n == leader else "", "true", "true"] for n in NAMES]
        full = go("server report jetstream --full")
        assert full.columns[-3:] == ["API Req", "API Err", "Pending"]
        assert full.parts[1].columns == [
            "Connection Name", "ID", "Leader", "Current", "Online", "Active", "Lag",
        ]  # fmt: skip

    def test_jetstream_of_one_account(self, lab: Lab) -> None:
        made = go("server report jetstream --account A")
        assert made.parts[0].title == "JetStream Summary for Account A"
        state = go("js stream info ORDERS").state
        memory = go("js stream info MEM").state
        for row in made.rows[:3]:
            assert row[2:5] == ["2", "1", "5"]
            assert row[5:] == [f"{state.bytes + memory.bytes} B", f"{memory.bytes} B", f"{state.bytes} B"]
        assert go("server report jetstream --account LAB").rows[0][2] == "0"

    def test_jetstream_leaders(self, lab: Lab) -> None:
        made = go("server report jetstream --leaders")
        titles = {p.title: {row[0]: int(row[2]) for row in p.rows} for p in made.parts[2:]}
        led = [go(f"js stream info {s}").cluster.leader for s in ("ORDERS", "MEM")]
        assert titles["Stream Leaders"] == {n: led.count(n) for n in NAMES}
        one = go("js consumer info ORDERS W").cluster.leader
        assert titles["Consumer Leaders"] == {n: int(n == one) for n in NAMES}

    def test_jetstream_sorted(self, lab: Lab) -> None:
        made = go("server report jetstream --sort api")
        assert "API Req" in made.columns
        at = made.columns.index("API Req")
        counts = [int(row[at].replace(",", "")) for row in made.rows[:3]]
        assert counts == sorted(counts)
        counts = [int(r[at].replace(",", "")) for r in go("server report jetstream --sort api -R").rows[:3]]
        assert counts == sorted(counts, reverse=True)
        before = go("server report -R jetstream --sort name").rows[:3]
        assert [row[0].rstrip("*") for row in before] == ["n3", "n2", "n1"]

    def test_connections(self, lab: Lab) -> None:
        for name in ("ann", "bob", "eve"):
            go(f"pub a.b x --as {name} --count {len(name) + ord(name[0]) - 90}")
        made = go("server report connections --account A")
        assert made.columns == ["Name", "Server", "Cluster", "Account"]
        assert [row[0] for row in made.rows] == ["ann", "bob", "eve", "you"]
        assert made.notes == []
        clients = lab.hub.clients
        assert [row[1] for row in made.rows] == [clients[n].server for n in ("ann", "bob", "eve", "you")]
        each = {row[0]: int(row[2]) for row in made.parts[1].rows}
        assert sum(each.values()) == 4
        assert each == {n: sum(row[1] == n for row in made.rows) for n in each}
        sent = go("server report connections --account A --sort in-msgs --top 2")
        assert sent.columns == ["Name", "Server", "Cluster", "Account", "In Msgs"]
        assert sent.parts[0].title == "Top 2 Connections out of 4 by in-msgs"
        assert [c["in_msgs"] for c in sent] == sorted(c["in_msgs"] for c in sent)
        least = go("server report connections --account A --sort in-msgs --top 1 --reverse")
        assert least[0]["in_msgs"] == max(c["in_msgs"] for c in made)
        full = go("server report connections --account A --full")
        assert full.columns == [
            "CID", "Name", "Server", "Cluster", "IP", "Account", "Uptime", "In Msgs", "Out Msgs", "In Bytes",
            "Out Bytes", "Subs",
        ]  # fmt: skip

    def test_connections_of_natslab_itself(self, lab: Lab) -> None:
        assert not [c for c in go("server report connections") if c["name"].startswith("natslab ")]
        hidden = go("server report connections").notes
        assert hidden == ["natslab's own connections are not shown; --all shows them."]
        every = go("server report connections --all")
        assert [c for c in every if c["name"] == "natslab sys"]
        assert {row[0] for row in go("server report accounts --all").rows} >= {"A", "SYS", "LAB"}
        assert go("server report accounts").rows[0][0] == "A"

    def test_who_has_not_said_yet_who_it_is(self, lab: Lab) -> None:
        before = repr(go("server report accounts"))
        port = lab.fleet.servers["n2"].port
        with socket.create_connection(("127.0.0.1", port)) as silent:
            assert silent.recv(4) == b"INFO"
            assert [c for c in go("server report connections --all") if not c.get("account")]
            assert repr(go("server report accounts")) == before
            assert not [c for c in go("server report connections") if not c.get("account")]

    def test_connections_narrowed(self, lab: Lab) -> None:
        go("sub quiet.here --as quiet")
        found = go("server report connections --account A --subject quiet.here")
        assert [c["name"] for c in found] == ["quiet"]
        assert go("server report connections --username sys --all --host n2").rows[0][1] == "n2"
        lab.kill_client("quiet")
        closed = go("server report connections --state closed --account A")
        assert closed.columns[-1] == "Reason"
        row = next(row for row in closed.rows if row[0] == "quiet")
        assert row[-1] == "Client Closed"
        assert go("server report connections --state closed --closed-reason 'client.*'").rows
        assert not go("server report connections --state closed --closed-reason kicked").rows
        assert "no regular expression" in refusal("server report connections --closed-reason '('").what

    def test_accounts(self, lab: Lab) -> None:
        made = go("server report accounts --full")
        assert made.columns == [
            "Account",
            "Connections",
            "In Msgs",
            "Out Msgs",
            "In Bytes",
            "Out Bytes",
            "Subs",
        ]
        assert made.rows[0][:2] == ["A", str(len(lab.hub.clients))]
        assert "CID" not in go("server report accounts A").columns
        assert refusal("server report accounts NOPE").what == "The account NOPE has no connection."

    @pytest.mark.parametrize("what", ["cpu", "mem"])
    def test_usage(self, lab: Lab, what: str) -> None:
        made = go(f"server report {what}")
        assert list(made.usage) == NAMES
        assert go(f"server report {what} --json").json().keys() == made.usage.keys()
        if what == "mem":
            assert all(1e6 < n < 1e9 for n in made.usage.values())

    def test_downgrade(self, lab: Lab) -> None:
        go("js stream add TTL --subjects ttl --allow-msg-ttl --replicas 3 --defaults")
        level = int(go("js stream info TTL").config.metadata["_nats.req.level"])
        made = go(f"server report downgrade {level - 1}")
        assert made.rows == [["A", "TTL", "", str(level)]]
        assert repr(go(f"server report downgrade {level}")) == f"Nothing needs more than API level {level}"
        assert [row[1] for row in go(f"server report downgrade {level} --all").rows] == [
            "MEM", "ORDERS", "ORDERS", "TTL",
        ]  # fmt: skip
        go("js stream rm TTL -f")

    @pytest.mark.parametrize(
        "what",
        "health routes jetstream connections accounts gateways leafnodes 'jetstream --leaders'".split(" ", 7),
    )
    def test_the_text_is_steady(self, lab: Lab, what: str) -> None:
        line = f"server report {what.strip(chr(39))}"
        made = go(line)
        assert not UNSTEADY.search(repr(made))
        assert repr(go(line)) == repr(made)
        shown = made._repr_mimebundle_()
        assert "127.0.0.1" not in json.dumps(shown)
        assert shown.get("text/html", "<table").count("<table") == max(1, len(made.parts))

    def test_json(self, lab: Lab) -> None:
        answers = json.loads(repr(go("server report routes --json")))
        assert {a["server"] for a in answers} == set(NAMES)
        assert {a["server"]["name"] for a in json.loads(repr(go("server report jetstream --json")))} == set(
            NAMES
        )

    @pytest.mark.parametrize("flags", ["--watch 1", "--archive a.zip"])
    def test_what_a_cell_cannot_do(self, lab: Lab, flags: str) -> None:
        assert isinstance(refusal(f"server report health {flags}"), CommandError)

    def test_a_filter_that_matches_nobody(self, lab: Lab) -> None:
        error = refusal("server report routes --host n9")
        assert error.what == "No server with the name n9 answers."
        assert error.hint == "There are n1, n2 and n3."
        assert "cluster WEST" in refusal("server report jetstream --cluster WEST").what


class TestRequests:
    @pytest.mark.parametrize(
        ("line", "key"),
        [
            ("variables", "max_payload"),
            ("varz", "max_payload"),
            ("connections", "connections"),
            ("routes", "num_routes"),
            ("gateways", "outbound_gateways"),
            ("leafnodes", "leafs"),
            ("subscriptions", "num_subscriptions"),
            ("jetstream", "streams"),
            ("jetstream-health", "status"),
            ("accounts", "accounts"),
            ("raft", "SYS"),
            ("ipqueue", ""),
        ],
    )
    def test_every_server_answers(self, lab: Lab, line: str, key: str) -> None:
        made = go(f"server request {line}")
        assert isinstance(made, Answers)
        assert made.names == NAMES
        assert re.fullmatch(r"3 servers answered \w+: n1, n2 and n3", repr(made))
        assert all(key in a.facts for a in made) if key else all(a.facts for a in made)
        assert [a["server"]["name"] for a in json.loads(repr(go(f"server request {line} --json")))] == NAMES

    def test_flags_become_the_request(self, lab: Lab) -> None:
        whole = go("server request jetstream --all")
        streams = whole["n1"].data.account_details[0]["stream_detail"]
        assert {s["name"] for s in streams} == {"ORDERS", "MEM"}
        assert all("config" in s for s in streams)
        leader = go("server request jsz --leader")
        assert len(leader) == 1
        assert leader[0].data.meta_cluster.leader == leader[0].name
        raft = go("server request raft --account A")
        assert {g[:5] for a in raft for g in a.facts["A"]} == {"S-R3F", "S-R3M", "C-R3F"}
        group = sorted(raft["n1"].facts["A"])[0]
        one = go(f"server request raft --account A --group {group}")
        assert all(list(a.facts["A"]) == [group] for a in one)
        assert go("server request subscriptions --detail --limit 3")["n2"].data.subscriptions_list
        assert len(go("server request subscriptions --detail --limit 3")["n2"].data.subscriptions_list) == 3
        assert go("server request connections --filter-state closed --name n1").names == ["n1"]
        assert go("server request --name n2 variables").names == ["n2"]  # of the group, before the verb
        assert go("server request accounts --account A")["n1"].data.account_detail.jetstream_enabled is True
        with pytest.raises(KeyError):
            go("server request variables")["n9"]

    def test_empty_ones_left_out(self, lab: Lab) -> None:
        cid = lab.hub.clients["you"].client_id
        found = go(f"server request connections --filter-cid {cid} --filter-account A --filter-empty")
        assert found.names == [lab.hub.clients["you"].server]

    def test_kick(self, lab: Lab) -> None:
        go("sub kick.me --as victim")
        client = lab.hub.clients["victim"]
        server, cid = client.server, client.client_id
        made = go(f"server request kick {cid} {server}")
        assert repr(made) == f"{server} disconnected the client {cid} (victim)"
        reasons = [
            c["reason"]
            for c in ask(lab, server, "connz", state=1)["connections"]
            if c["cid"] == cid and c["name"] == "victim"
        ]
        assert reasons == ["Kicked"]
        assert "no such client" in refusal("server request kick 99999 n1").what
        assert refusal("server request kick 1 n9").hint == "There are n1, n2 and n3."

    def test_profile(self, lab: Lab, tmp_path: Path) -> None:
        made = go(f"server request profile heap {tmp_path}")
        assert repr(made) == f"The profile heap of n1, n2 and n3 was written to {tmp_path}"
        for name, path in made.facts["files"].items():
            assert path.endswith(name)
            assert gzip.decompress(Path(path).read_bytes())
        assert refusal(f"server request profile nope {tmp_path}").hint.startswith("There are allocs, ")
        assert "cannot be written" in refusal(f"server request profile heap {tmp_path}/nowhere").what


class TestOthers:
    def test_reload(self, lab: Lab) -> None:
        error = refusal("server config reload n1")
        assert error.hint == "Nothing was done. To do it: %nats server config reload n1 -f"
        assert repr(go("server config reload n1 -f")) == "n1 read its configuration again"
        assert any("Reloaded" in line.text for line in lab.server("n1").log(since=5))
        assert not any("Reloaded" in line.text for line in lab.server("n2").log(since=5))
        assert repr(go(f"server config reload {ask(lab, 'n2', 'varz')['server_id']} -f")).startswith(
            "n2 read"
        )
        assert refusal("server config reload n9 -f").hint == "There are n1, n2 and n3."

    def test_graph(self, lab: Lab) -> None:
        text = repr(go("server graph n2"))
        assert text.startswith("Server n2:")
        assert "Connections: " in text
        assert "of 1.0 GiB" in repr(go("server graph n2 --jetstream"))
        assert refusal("server graph n9").hint == "There are n1, n2 and n3."

    def test_balance(self, lab: Lab) -> None:
        assert "-f" in refusal("server cluster balance").hint
        assert "needs the account" in refusal("server cluster balance --subject a -f").what
        for i in range(9):
            go(f"sub even.{i} --as even{i} --on n1")
        held = {
            name: sum(
                not c.get("name", "").startswith("natslab ") for c in ask(lab, name, "connz")["connections"]
            )
            for name in NAMES
        }
        most = -(-sum(held.values()) // 3)
        assert held["n1"] > most
        made = go("server cluster balance 200ms -f")
        assert made.facts["before"] == held
        moved = made.facts["moved"]
        assert len(moved) == sum(max(0, n - most) for n in held.values())
        assert repr(made).startswith(f"{len(moved)} of {sum(held.values())} connections ")
        kicked = {
            c["cid"] for c in ask(lab, "n1", "connz", state=1)["connections"] if c["reason"] == "Kicked"
        }
        assert {m["cid"] for m in moved if m["server"] == "n1"} <= kicked
        assert not [m for m in moved if m["name"].startswith("natslab ")]
        go("natslab stop")

    def test_elsewhere_needs_the_system_account(self, lab: Lab) -> None:
        error = refusal(f"server request variables -s {lab.url} --user app --password x --timeout 300ms")
        assert isinstance(error, ClientError)

    def test_documented_lines_run(self, lab: Lab) -> None:
        documented = (Path(__file__).parent / "data" / "documented-commands.txt").read_text().splitlines()
        ran = 0
        for text in documented:
            line = text.partition("#")[0].strip()
            if (
                not re.match(r"nats server (report|req|cluster|raft|list|ping|info$)", line)
                or "--user" in line
            ):
                continue
            if "WEATHER" in line or "example.net" in line:  # an account, a server of the documentation
                assert refusal(line)
            else:
                go(line)
            ran += 1
        assert ran >= 10


class TestChecks:
    def test_meta(self, lab: Lab) -> None:
        leader = go("server request jetstream --leader")[0].name
        made = go("server check meta --expect 3 --lag-critical 100 --seen-critical 10s")
        assert (made.status, made.oks) == ("OK", [f"3 peers led by {leader}"])
        made = go("server check meta --expect 5 --lag-critical 100 --seen-critical 10s")
        assert made.criticals == ["3 peers of expected 5"]

    def test_replicas(self, lab: Lab) -> None:
        made = go("server check stream --stream ORDERS --peer-expect 3 --peer-lag-critical 10")
        assert (made.status, made.oks) == ("OK", ["3 replicas", "replicas are current"])
        assert go("server check stream --stream ORDERS --peer-expect 5").criticals == ["3 replicas of 5"]
        assert go("server check jetstream").ok
