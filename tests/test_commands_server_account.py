"""`nats server account` on one server and on three: what is said is held against the servers' own reports."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from natslab.commands import parse
from natslab.errors import CommandError, NatslabError, Timeout
from natslab.lab import Lab
from natslab.loop import run


def go(line: str) -> Any:
    return parse(line).run()


def refusal(line: str) -> NatslabError:
    with pytest.raises(NatslabError) as caught:
        go(line)
    return caught.value


@pytest.fixture(scope="module", params=[1, 3])
def lab(request: pytest.FixtureRequest) -> Iterator[Lab]:
    with Lab.up(servers=request.param) as up:
        yield up


def test_info(lab: Lab) -> None:
    go("pub a b --as ann")
    go("pub a b --as bob")
    made = go("server account info A")
    clients = 0
    for name in lab.servers:
        said = run(lab.fleet.ask(name, "accountz", account="A"))["account_detail"]
        clients += said["client_connections"]
        assert {e["subject"] for e in said["exports"]} == {e["subject"] for e in made.exports}
    assert clients >= 2
    assert dict(made.sections["Account A"]) == {
        "System account": "no", "JetStream": "on", "Connections": str(clients), "Leafnodes": "0",
    }  # fmt: skip
    assert ("$JS.EVENT.>", "stream, to LAB") in made.sections["Exports"]
    assert "Imports" not in made.sections, "what every account has from the server is left out"
    assert ("$JS.EVENT.>", "stream, from A, as A.$JS.EVENT.>") in go("server acct i LAB").sections["Imports"]
    assert dict(go("server account info SYS").sections["Account SYS"])["System account"] == "yes"
    assert go("server account info A --host n1").facts["servers"][0]["server"]["name"] == "n1"


def test_names_that_are_not_there(lab: Lab) -> None:
    for verb in ("info", "purge"):
        error = refusal(f"server account {verb} NOPE")
        assert isinstance(error, CommandError)
        assert error.what == "There is no account NOPE."
        assert error.hint == "There are $G, A, LAB and SYS."
    assert refusal("server account info A --host n9").what == "No server with the name n9 answers."
    assert "archives" in refusal("server account info A --archive x.zip").what


def test_purge(lab: Lab) -> None:
    assert repr(go("server account purge A -f")) == "A has no streams."
    go(f"js stream add ORDERS --subjects 'orders.>' --replicas {len(lab.servers)} --defaults")
    go("js consumer add ORDERS W --pull --defaults")
    go("js kv add CFG")
    go("pub orders.a x -J")
    error = refusal("server account purge A")
    assert error.what == "purge would remove KV_CFG and ORDERS of A for good."
    assert error.hint == "Nothing was done. To do it: %nats server account purge A -f"
    assert go("js stream info ORDERS").state.messages == 1
    assert repr(go("server account purge SYS -f")) == "SYS has no streams."
    made = go("server account purge A -f")
    assert repr(made) == "KV_CFG and ORDERS of A were removed."
    for name in lab.servers:
        assert not run(lab.fleet.streams(name))
    assert go("js stream ls --names --all").names == []
    go("js stream add ORDERS --subjects 'orders.>' --defaults")
    assert go("pub orders.a x -J").seq == 1
    assert repr(go("server account purge A -f")) == "ORDERS of A was removed."


def test_purge_without_a_majority(lab: Lab) -> None:
    """After the others: it is not known whether it still happens, and the sentence says so."""
    if len(lab.servers) == 1:
        pytest.skip("one server decides alone")
    go("js stream add ORDERS --subjects 'orders.>' --replicas 3 --defaults")
    for name in ("n2", "n3"):
        lab.server(name).kill()
    error = refusal("server account purge A -f --on n1 --timeout 700ms")
    assert isinstance(error, Timeout)
    assert error.what.endswith("and n1 is alone: n2 and n3 are down.")
    assert error.hint.startswith("%natslab restart n2; %natslab restart n3")
