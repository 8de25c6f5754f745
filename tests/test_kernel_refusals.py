"""What makes no sense in a cluster, in a real kernel: a sentence and a hint, and the lab is as it was."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from jupyter_client.manager import start_new_kernel

Cell = Callable[[str], tuple[str, list[str]]]
START = """
%load_ext natslab
%natslab up --servers 3
import natslab
lab = natslab.current()
"""
FACTS = "print({n: s.state for n, s in lab.servers.items()}, [k.state for k in lab.fleet.links.values()])"


@pytest.fixture(scope="module")
def cell() -> Iterator[Cell]:
    """`cell(code)`: how it ended, and the lines that a person sees: the error's, or else the output's."""
    manager, client = start_new_kernel(kernel_name="python3")

    def run(code: str) -> tuple[str, list[str]]:
        said: list[str] = []

        def heard(message: dict[str, Any]) -> None:
            content = message["content"]
            if message["msg_type"] == "stream":
                said.append(content["text"])
            elif message["msg_type"] in ("execute_result", "display_data"):
                said.append(content["data"]["text/plain"] + "\n")
            elif message["msg_type"] == "error":
                said[:] = ["\n".join(content["traceback"])]

        reply = client.execute_interactive(code, timeout=60, output_hook=heard)
        return reply["content"]["status"], [line for line in "".join(said).splitlines() if line]

    try:
        assert (
            run("%load_ext natslab\n%natslab up --servers 3\nimport natslab\nlab = natslab.current()")[0]
            == "ok"
        )
        yield run
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)
        manager.cleanup_resources()


def refused(cell: Cell, line: str) -> list[str]:
    """The sentence and the hint; the servers and wires are as before."""
    before = cell(FACTS)
    status, lines = cell(line)
    assert status == "error", lines
    assert len(lines) == 2, lines
    assert "Traceback" not in "".join(lines) and lines[0].endswith((".", "?"))
    assert cell(FACTS) == before
    return lines


@pytest.mark.parametrize(
    ("line", "what", "hint"),
    [
        ("%natslab up --servers 5", "Another lab is up in this kernel.", "%natslab down"),
        ("%natslab up --servers 0", "--servers: 0 is less than 1.", "%natslab up --help"),
        ("%natslab cut --isolate n9", "There is no server called 'n9' in this lab.", "n1, n2 and n3"),
        ("%natslab cut --isolate", "--isolate needs a value.", "%natslab cut --help"),
        ("%natslab cut C1 C1", "C1 has no wires to itself.", "Name two clusters"),
        ("%natslab heal", "Every wire is whole: there is nothing to heal.", "%natslab status"),
        ("%natslab heal n1 n2", "The wire between n1 and n2 is whole: there is nothing to heal.", ""),
        ("%natslab heal n9", "There is no server called 'n9' in this lab.", "n1, n2 and n3"),
        ("%natslab thaw n1", "Server n1 is up.", "%natslab freeze n1"),
        ("%natslab kill n9", "There is neither a server nor a client called 'n9' here.", "n1, n2"),
        ("%natslab kill leader(NONE)", "There is no stream called 'NONE'.", "There is"),
        ("%natslab add n2", "There is a server 'n2' already.", "another name"),
        (
            "%js stream add S --subjects s --replicas 4 --defaults",
            "Stream S is to have 4 replicas, each on a server of its own, and this lab has 3 servers",
            "Ask for fewer: --replicas 3",
        ),
        ("%js stream add S --subjects s --replicas 9 --defaults", "Stream S cannot be like that: ", ""),
        (
            "%js stream add S --subjects s --replicas x --defaults",
            "--replicas: 'x' is not a whole number.",
            "",
        ),
    ],
)
def test_a_line_that_makes_no_sense(cell: Cell, line: str, what: str, hint: str) -> None:
    said = refused(cell, line)
    assert said[0].startswith(what)
    assert hint in said[1]


def test_what_was_done_already(cell: Cell) -> None:
    assert cell("%natslab cut n1 n2")[0] == "ok"
    assert refused(cell, "%natslab cut n2 n1") == [
        "The wire between n2 and n1 is cut already.", "Make it whole first: %natslab heal n2 n1",
    ]  # fmt: skip
    assert cell("%natslab cut --isolate n1")[0] == "ok"
    assert refused(cell, "%natslab cut --isolate n1")[0] == "Every wire of n1 is cut already."
    assert refused(cell, "%natslab delay --isolate n1 1s")[0] == "Every wire of n1 is cut already."
    assert cell("%natslab heal n1")[0] == "ok"
    assert refused(cell, "%natslab heal n1")[0] == "Every wire of n1 is whole: there is nothing to heal."


def test_the_last_server_and_none(cell: Cell) -> None:
    assert cell("%natslab kill n1")[0] == "ok"
    assert refused(cell, "%natslab kill n1")[0] == "Server n1 is down."
    assert refused(cell, "%natslab freeze n1")[0] == "Server n1 is down."
    assert "1 of 3 is left, no majority" in cell("%natslab kill n2")[1][0]
    for verb in ("kill", "term", "freeze"):
        said = refused(cell, f"%natslab {verb} n3")
        assert said[0] == "n3 is the last server that runs: nothing would answer any more."
        assert "--force" in said[1]
    assert refused(cell, "%natslab remove n3")[0].startswith("n3 cannot be removed now")
    assert refused(cell, "%natslab add")[0].startswith("n4 cannot join now")
    assert cell("%natslab kill n3 --force")[0] == "ok"
    for line in ("%nats pub s x", "%nats pub s x -J", "%js stream ls", "%js kv get A b"):
        assert refused(cell, line) == [
            "n1, n2 and n3 are down.",
            "Start them again: %natslab restart n1; %natslab restart n2",
        ]
    assert refused(cell, "%natslab restart") == ["Which server? n1, n2 and n3 are down.", "Name one."]
    for name in ("n1", "n2", "n3"):
        assert cell(f"%natslab restart {name}")[0] == "ok"


def test_even_sizes_are_allowed_and_told_what_they_cost(cell: Cell) -> None:
    cell("%natslab down")
    for size, cost in (
        (2, "Note: 2 servers need 2 for a majority: none may be lost, as with 1."),
        (4, "Note: 4 servers need 3 for a majority: no more than 1 may be lost, as with 3."),
    ):
        status, lines = cell(f"%natslab up --servers {size}")
        assert status == "ok" and lines[-1] == cost
        cell("%natslab down")
    assert refused_without_a_lab(cell, "%natslab heal") == refused_without_a_lab(cell, "%natslab kill n1")


def refused_without_a_lab(cell: Cell, line: str) -> list[str]:
    status, lines = cell(line)
    assert status == "error"
    assert lines == ["There is no lab in this kernel.", "Start one: %natslab up"]
    return lines
