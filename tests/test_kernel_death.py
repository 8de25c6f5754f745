"""When a kernel dies by SIGKILL, its servers, their folder, their ports and wires go with it."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from jupyter_client.manager import KernelManager, start_new_kernel

CODE = """
%load_ext natslab
%natslab up
import natslab, os
lab = natslab.current()
noise = %nats sub >
%nats pub a.b hello --count 100
print(os.getpid(), lab.server("n1").pid, lab.fleet.servers["n1"].port, lab.fleet.folder)
"""


def started() -> tuple[KernelManager, Any, list[str]]:
    manager, client = start_new_kernel(kernel_name="python3")
    said: list[str] = []

    def heard(message: dict[str, Any]) -> None:
        if message["msg_type"] == "stream" and message["content"]["name"] == "stdout":
            said.extend(message["content"]["text"].split())

    reply = client.execute_interactive(CODE, timeout=60, output_hook=heard)
    assert reply["content"]["status"] == "ok", reply["content"]
    return manager, client, said[-4:]


def dies(wait_for: Callable[..., float], alive: Callable[[int], bool]) -> float:
    manager, client, (kernel, server, port, folder) = started()
    assert alive(int(server))
    assert Path(folder).exists()
    client.stop_channels()
    os.kill(int(kernel), 9)
    took = wait_for(lambda: not alive(int(server)) and not Path(folder).exists(), 10)
    with socket.socket() as s:
        assert s.connect_ex(("127.0.0.1", int(port))) != 0
    manager.shutdown_kernel(now=True)
    manager.cleanup_resources()
    return took


@pytest.mark.parametrize("_", range(5))
def test_a_killed_kernel_leaves_nothing(
    _: int, wait_for: Callable[..., float], alive: Callable[[int], bool]
) -> None:
    dies(wait_for, alive)


@pytest.mark.soak
def test_twenty_killed_kernels_leave_nothing(
    wait_for: Callable[..., float], alive: Callable[[int], bool]
) -> None:
    took = [dies(wait_for, alive) for _ in range(20)]
    assert sorted(took)[10] < 1.0, took


def test_a_restarted_kernel_leaves_nothing(
    wait_for: Callable[..., float], alive: Callable[[int], bool]
) -> None:
    manager, client, (_, server, _, folder) = started()
    manager.restart_kernel(now=False)
    wait_for(lambda: not alive(int(server)) and not Path(folder).exists(), 10)
    client.stop_channels()
    manager.shutdown_kernel(now=True)
    manager.cleanup_resources()


CLUSTER = """
%load_ext natslab
%natslab up --servers 3
import natslab, os
lab = natslab.current()
%nats stream add S --subjects s --replicas 3 --defaults
%natslab cut n1 n2
%natslab hold n2 n3
%natslab freeze n3
fleet = lab.fleet
servers, links = fleet.servers.values(), fleet.links.values()
pids = [s.pid for s in servers] + [fleet.wiring.carrier.pid]
ports = [s.port for s in servers] + [s.inner["route"] for s in servers]
ports += [link.port(end) for link in links for end in link.names]
print("SAID", os.getpid(), fleet.folder, *pids, *ports)
"""


def test_a_killed_kernel_leaves_nothing_of_a_cluster(
    wait_for: Callable[..., float], alive: Callable[[int], bool]
) -> None:
    manager, client = start_new_kernel(kernel_name="python3")
    said: list[str] = []

    def heard(message: dict[str, Any]) -> None:
        if message["msg_type"] == "stream" and message["content"]["name"] == "stdout":
            said.extend(message["content"]["text"].split())

    reply = client.execute_interactive(CLUSTER, timeout=60, output_hook=heard)
    assert reply["content"]["status"] == "ok", reply["content"]
    kernel, folder, *numbers = said[said.index("SAID") + 1 :]
    pids, ports = [int(n) for n in numbers[:4]], [int(n) for n in numbers[4:]]
    assert all(map(alive, pids)) and len(ports) == 12
    client.stop_channels()
    os.kill(int(kernel), 9)
    wait_for(lambda: not any(map(alive, pids)) and not Path(folder).exists(), 10)
    for port in ports:
        with socket.socket() as s:
            assert s.connect_ex(("127.0.0.1", port)) != 0
    manager.shutdown_kernel(now=True)
    manager.cleanup_resources()
