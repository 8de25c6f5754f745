"""%natslab: the lab, faults, views, the tape, live verbs."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import natslab
from natslab.commands import parse
from natslab.errors import CommandError, LabError, NatslabError, ServerError
from natslab.lab import Lab, current

Go = Callable[..., Any]


def go(line: str, body: str | None = None) -> Any:
    return parse(line, body).run()


@pytest.fixture
def lab() -> Iterator[Lab]:
    with natslab.Lab.up() as up:
        yield up


def test_up_and_down() -> None:
    try:
        assert repr(go("natslab up")) == "The lab is up: n1."
        first = current()
        assert repr(go("natslab up")) == "The lab is already up: n1."
        assert current() is first
        with pytest.raises(LabError, match="Another lab is up"):
            go("natslab up demo")
        with pytest.raises(LabError, match="Another lab is up"):
            go("natslab up --max-payload 64k")
    finally:
        assert repr(go("natslab down")) == "The lab is down."
    assert repr(go("natslab down")) == "There is no lab to stop."


def test_up_with_everything(tmp_path: Path) -> None:
    try:
        result = go(f"natslab up demo --store {tmp_path / 'store'} --max-payload 64k --no-watch --js")
        assert result.json()["name"] == "demo"
        with pytest.raises(NatslabError, match="at most 65536"):
            go("pub a '{{Random 70000 70000}}'")
        assert repr(go("natslab up demo --store " + str(tmp_path / "store") + " --max-payload 64k")).endswith(
            "n1."
        )
    finally:
        go("natslab down")
    assert (tmp_path / "store").is_dir()


@pytest.mark.parametrize(
    ("line", "say"),
    [
        ("natslab up --servers 10", "10 servers"),
        ("natslab up --port 99999", "not a port"),
        ("natslab up --max-payload huge", "no size"),
        ("natslab up --max-payload 9999G", "between 1 byte"),
        ("natslab up --domain x", "no flag '--domain'"),
        ("natslab up '\x00'", "cannot be used"),
        ("natslab open nowhere", "nowhere"),
    ],
)
def test_wrong_input(line: str, say: str) -> None:
    try:
        with pytest.raises(NatslabError, match=say):
            go(line)
    finally:
        go("natslab down")


def test_a_port_in_use(lab: Lab) -> None:
    port = lab.fleet.servers["n1"].port
    lab.down()
    import socket

    with (
        socket.create_server(("127.0.0.1", port)),
        pytest.raises(ServerError, match="another process uses port"),
    ):
        go(f"natslab up --port {port}")


def test_status(lab: Lab) -> None:
    go("sub orders.> --as audit")
    rows = go("natslab status").rows
    assert ["n1", "up"] in rows and ["audit", "client"] in rows
    assert rows[-1] == ["job 1", "nats sub orders.> --as audit"]
    assert str(lab.fleet.servers["n1"].port) not in repr(go("natslab status"))


def test_faults(lab: Lab) -> None:
    assert "n1 is dead" in repr(go("natslab kill"))
    assert lab.server("n1").state == "down"
    with pytest.raises(ServerError):
        go("natslab kill n1")
    assert repr(go("natslab restart n1")) == "n1 is up again."
    assert "frozen" in repr(go("natslab pause n1"))
    assert lab.server("n1").state == "frozen"
    assert repr(go("natslab resume n1")) == "n1 goes on."
    assert "n1 has ended" in repr(go("natslab term n1"))
    go("natslab start n1")
    for verb in ("kill", "freeze", "thaw", "restart", "ldm", "log", "conf", "reload"):
        with pytest.raises(CommandError, match="n9"):
            go(f"natslab {verb} n9")
    marks = [
        e.text for e in lab.tape.between(0, lab.tape.head) if type(e).__name__ == "Mark" and e.what == "fault"
    ]
    assert "natslab kill" in marks and "natslab pause n1" in marks


def test_freeze_for_a_while(lab: Lab, wait_for: Callable[..., float]) -> None:
    assert repr(go("natslab freeze n1 --for 200ms")) == "n1 is frozen for 0.2 s."
    assert lab.server("n1").state == "frozen"
    wait_for(lambda: lab.server("n1").state == "up", 3)


def test_lame_duck(lab: Lab, wait_for: Callable[..., float]) -> None:
    go("natslab ldm n1")
    wait_for(lambda: lab.server("n1").state == "down", 20)


def test_kill_a_client(lab: Lab) -> None:
    go("sub x --as audit")
    go("natslab kill audit")
    assert "audit" not in lab.hub.clients


def test_kill_a_client_of_a_cell(lab: Lab) -> None:
    """Its loop waits for the verb, as a notebook's does; the server knows at once, and it stays dead."""

    async def cell() -> None:
        client = await lab.connect("worker")
        cid = client.client_id
        go("natslab kill worker")
        assert "worker" not in lab.hub.clients
        there = lab.server("n1").report("connz")["connections"]
        assert cid not in {c["cid"] for c in there}
        async with asyncio.timeout(5):
            while not client.is_closed:
                await asyncio.sleep(0.01)

    asyncio.run(cell())


def test_conf_and_reload(lab: Lab) -> None:
    text = repr(go("natslab conf n1"))
    assert lab.login["password"] not in text and "max_payload: 1048576" in text
    assert repr(go("natslab reload n1", text.replace("1048576", "2048"))) == "n1 took the configuration."
    assert "max_payload: 2048" in repr(go("natslab conf"))
    with pytest.raises(ServerError, match="refused"):
        go("natslab reload n1", text.replace("max_payload", "max_paylord"))


def test_log(lab: Lab) -> None:
    assert any(row[-1] == "Server is ready" for row in go("natslab log n1").rows)
    assert all(row[0] in ("warn", "error", "fatal") for row in go("natslab log n1 --level warn").rows)
    assert [row[-1] for row in go("natslab log --grep 'is ready'").rows] == ["Server is ready"]
    assert len(go("natslab log --tail 2").rows) == 2
    assert len(go("natslab log --time --tail 1").rows[0]) == 3
    assert repr(go("natslab log --since 0s")) == "n1 logged nothing of that kind."
    assert go("natslab log --since 60s").rows
    with pytest.raises(NatslabError, match="loud"):
        go("natslab log --level loud")


def test_views(lab: Lab) -> None:
    go("sub orders.> --as audit")
    go("pub orders.new hello")
    view = go("natslab view routing")
    assert view is lab.view("routing")
    assert "audit" in go("natslab picture routing").text
    assert go("natslab view queue orders.new").name == "queue"
    for line, say in (("view", "Which view"), ("picture routng", "no view called 'routng'")):
        with pytest.raises(CommandError, match=say):
            go(f"natslab {line}")


def test_save_and_open(lab: Lab, tmp_path: Path) -> None:
    go("pub orders.new hello")
    assert "The tape is in" in repr(go(f"natslab save {tmp_path / 'run1'}"))
    recording = go(f"natslab open {tmp_path / 'run1'}")
    assert "orders.new" in recording.view("routing").text()


def test_jobs_and_stop(lab: Lab) -> None:
    assert repr(go("natslab jobs")) == "Nothing runs in the background."
    handles = [go(line) for line in ("sub a", "reply b yes", "events", "sub c")]
    assert [row[:2] for row in go("natslab jobs").rows] == [
        ["1", "sub"],
        ["2", "reply"],
        ["3", "events"],
        ["4", "sub"],
    ]
    assert repr(go("natslab stop 2")) == "Stopped 1 job."
    assert handles[1].ended and not handles[0].ended
    with pytest.raises(CommandError, match="no job 2"):
        go("natslab stop 2")
    assert repr(go("natslab stop")) == "Stopped 3 jobs."
    assert all(h.ended for h in handles)
    assert not lab.jobs


def test_down_ends_live_verbs(lab: Lab) -> None:
    handle, events = go("sub a"), go("events")
    go("natslab down")
    handle.wait(2)
    events.wait(2)
    assert handle.ended and events.ended


def test_lines_are_on_the_tape(lab: Lab) -> None:
    go("%nats pub orders.new hello --user u --password s3cret -s nats://127.0.0.1:1 --explain")
    go("%%nats pub orders.new", "body")
    with pytest.raises(NatslabError):
        go("pub a..b x")
    lab.settle()
    marks = [(e.what, e.text, e.ok) for e in lab.tape.between(0, lab.tape.head) if type(e).__name__ == "Mark"]
    assert ("run", "nats pub orders.new", True) in marks
    assert ("run", "nats pub a..b x", False) in marks
    assert not any("s3cret" in text for _, text, _ in marks)


def test_doctor() -> None:
    found = {c["name"]: c for c in go("natslab doctor").json()}
    assert found["nats-server"]["ok"] and found["a server starts and delivers"]["ok"]


def test_doctor_without_a_server(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NATSLAB_NATS_SERVER", "/nowhere/nats-server")
    found = {c["name"]: c for c in go("natslab doctor").json()}
    assert not found["nats-server"]["ok"]
    assert "NATSLAB_NATS_SERVER" in found["nats-server"]["detail"]
