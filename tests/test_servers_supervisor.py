"""Nothing is left when the process that owns the servers is gone, in whatever way."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from natslab.errors import LabError, ServerError
from natslab.loop import run
from natslab.servers.fleet import Fleet
from natslab.servers.supervisor import Supervisor, supervisor
from natslab.servers.topology import single

OWNER = """
import json, os, sys, time
from natslab.loop import run
from natslab.servers import supervisor
from natslab.servers.fleet import Fleet
from natslab.servers.topology import single
from pathlib import Path

store = Path(sys.argv[1]) if sys.argv[1] else None
fleet = run(Fleet.start(single(), store=store))
def say(**more):
    print(json.dumps(dict(server=fleet.servers["n1"].pid, supervisor=supervisor.supervisor().pid,
        state=fleet.servers["n1"].state, folder=str(fleet.folder), **more)), flush=True)
"""
SLEEP = (
    OWNER
    + "import signal\nsignal.signal(signal.SIGINT, lambda *_: say())\nsay()\nwhile True: time.sleep(60)\n"
)

Alive = Callable[[int], bool]
WaitFor = Callable[..., float]


class Owner:
    """A Python process with a fleet of its own, as a kernel is."""

    def __init__(self, code: str = SLEEP, store: Path | str = "") -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", code, str(store)],
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        self.said = self.hear()
        self.server = int(self.said["server"])
        self.supervisor = int(self.said["supervisor"])
        self.folder = Path(self.said["folder"])

    def hear(self) -> dict[str, Any]:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line, "the owner ended"
        said: dict[str, Any] = json.loads(line)
        return said

    def end(self) -> None:
        self.process.kill()
        self.process.wait()
        assert self.process.stdout is not None
        self.process.stdout.close()


@pytest.fixture
def owner() -> Iterator[Callable[..., Owner]]:
    owners: list[Owner] = []

    def make(*args: Any) -> Owner:
        owners.append(Owner(*args))
        return owners[-1]

    yield make
    for one in owners:
        one.end()


@pytest.mark.parametrize("rounds", [5, pytest.param(20, marks=pytest.mark.soak)])
def test_killed_owner_leaves_nothing(
    owner: Callable[..., Owner], alive: Alive, wait_for: WaitFor, rounds: int
) -> None:
    for _ in range(rounds):
        one = owner()
        assert alive(one.server) and one.folder.is_dir()
        one.process.kill()
        took = wait_for(
            lambda one=one: not (alive(one.server) or alive(one.supervisor) or one.folder.exists()), 1.0
        )
        print(f"{took * 1000:.0f} ms")


def test_killed_while_frozen(owner: Callable[..., Owner], alive: Alive, wait_for: WaitFor) -> None:
    one = owner()
    os.kill(one.server, signal.SIGSTOP)
    one.process.kill()
    wait_for(lambda: not (alive(one.server) or one.folder.exists()), 1.0)


def test_killed_while_it_starts(alive: Alive, wait_for: WaitFor, tmp_path: Path) -> None:
    """At any moment of the start, from the supervisor's first breath on."""
    code = "print(1, flush=True)\n" + SLEEP
    env = {**os.environ, "TMPDIR": str(tmp_path)}
    for delay in (0.0, 0.05, 0.1, 0.11, 0.12, 0.13, 0.14, 0.16, 0.18, 0.2, 0.25):
        one = subprocess.Popen([sys.executable, "-c", code, ""], stdout=subprocess.PIPE, env=env)
        assert one.stdout is not None
        one.stdout.readline()
        time.sleep(delay)
        one.kill()
        one.wait()
        one.stdout.close()
    wait_for(lambda: not [pid for pid in processes() if str(tmp_path) in environment(pid)], 1.0)
    assert not list(tmp_path.iterdir())


def processes() -> list[int]:
    return [int(path.name) for path in Path("/proc").iterdir() if path.name.isdigit()]


def environment(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/environ").read_text(errors="replace")
    except OSError:
        return ""


def test_ended_owner_leaves_nothing(alive: Alive, wait_for: WaitFor) -> None:
    for last in ("", "sys.exit(3)", "raise RuntimeError('x')", "os._exit(0)"):
        code = OWNER + f"say()\n{last}\n"
        done = subprocess.run(
            [sys.executable, "-W", "error", "-c", code, ""],
            capture_output=True,
            text=True,
            timeout=20,
            check=False,
        )
        said = json.loads(done.stdout)
        wait_for(lambda said=said: not alive(said["server"]) and not Path(said["folder"]).exists(), 1.0)
        if "raise" not in last:
            assert not done.stderr


def test_a_fork_does_not_keep_them_alive(
    owner: Callable[..., Owner], alive: Alive, wait_for: WaitFor
) -> None:
    """A forked worker of the kernel lives on; servers and wires do not."""
    one = owner(
        OWNER.replace("single", "cluster")
        + "pid = os.fork()\nif pid == 0: time.sleep(30); os._exit(0)\n"
        + "say(fork=pid, wires=fleet.wiring.carrier.pid)\ntime.sleep(60)\n"
    )
    fork, wires = one.said["fork"], one.said["wires"]
    try:
        assert alive(wires)
        one.process.kill()
        wait_for(lambda: not (alive(one.server) or alive(wires) or one.folder.exists()), 1.0)
        assert alive(fork)
    finally:
        os.kill(fork, signal.SIGKILL)


def test_an_interrupt_does_not_reach_the_server(owner: Callable[..., Owner], alive: Alive) -> None:
    one = owner()
    os.killpg(one.process.pid, signal.SIGINT)
    assert one.hear()["state"] == "up"
    os.killpg(one.process.pid, signal.SIGINT)
    said = one.hear()
    assert said["state"] == "up" and said["server"] == one.server
    assert alive(one.server) and alive(one.supervisor)


def test_a_terminated_supervisor_cleans_up(
    owner: Callable[..., Owner], alive: Alive, wait_for: WaitFor
) -> None:
    one = owner()
    os.kill(one.supervisor, signal.SIGTERM)
    wait_for(lambda: not alive(one.server) and not one.folder.exists(), 1.0)


@pytest.mark.skipif(sys.platform != "linux", reason="PR_SET_PDEATHSIG")
def test_a_killed_supervisor_takes_the_servers_with_it(alive: Alive, wait_for: WaitFor) -> None:
    mine = Supervisor()
    fleet = run(Fleet.start(single(), supervisor=mine))
    server = fleet.servers["n1"]
    pid, heard = server.pid, []
    fleet.listen(heard.append)
    os.kill(mine.pid, signal.SIGKILL)
    wait_for(lambda: not alive(pid), 1.0)
    wait_for(lambda: server.state == "down")
    assert [(change.state, change.why) for change in heard] == [("down", "its supervisor died")]
    with pytest.raises(ServerError, match="has died"):
        run(server.start())
    run(fleet.stop())
    assert not fleet.folder.exists()
    mine.close()
    # the next lab gets a new one
    old = supervisor()
    os.kill(old.pid, signal.SIGKILL)
    wait_for(lambda: supervisor() is not old)
    again = run(Fleet.start(single()))
    assert again.servers["n1"].state == "up"
    run(again.stop())


def test_the_server_holds_nothing_of_ours(fleet: Fleet) -> None:
    pid = fleet.servers["n1"].pid
    if not Path(f"/proc/{pid}/fd").exists():
        pytest.skip("needs /proc")
    held = [os.readlink(f"/proc/{pid}/fd/{fd}") for fd in os.listdir(f"/proc/{pid}/fd")]
    assert not [what for what in held if what.startswith("pipe:")]
    assert os.getpgid(pid) != os.getpgid(0)
    assert os.getsid(pid) != os.getsid(0)


def test_store_is_locked_by_another_process(
    owner: Callable[..., Owner], alive: Alive, wait_for: WaitFor, tmp_path: Path
) -> None:
    store = tmp_path / "store"
    one = owner(SLEEP, store)
    with pytest.raises(LabError, match="in use by another lab") as e:
        run(Fleet.start(single(), store=store))
    assert str(store) in e.value.what and str(one.process.pid) in e.value.what
    # killed: free again as soon as the server is dead, and the store stays
    one.process.kill()
    wait_for(lambda: not alive(one.supervisor))
    assert not alive(one.server)
    assert (store / "n1").is_dir()
    fleet = run(Fleet.start(single(), store=store))
    run(fleet.stop())
    assert (store / "n1").is_dir()


@pytest.mark.skipif(sys.platform != "linux", reason="PR_SET_PDEATHSIG")
def test_lock_outlives_a_killed_supervisor(
    owner: Callable[..., Owner], alive: Alive, wait_for: WaitFor, tmp_path: Path
) -> None:
    one = owner(SLEEP, tmp_path)
    os.kill(one.supervisor, signal.SIGSTOP)
    one.process.kill()
    one.process.wait()
    with pytest.raises(LabError, match="in use"):
        run(Fleet.start(single(), store=tmp_path))
    os.kill(one.supervisor, signal.SIGKILL)
    wait_for(lambda: not alive(one.server))

    def free() -> bool:
        """The lock goes with the last file that a dying process closes."""
        try:
            run(run(Fleet.start(single(), store=tmp_path)).stop())
        except LabError:
            return False
        return True

    wait_for(free)
    shutil.rmtree(one.folder)  # nobody is left to do it


def test_store_is_locked_within_one_process(tmp_path: Path) -> None:
    fleet = run(Fleet.start(single(store=tmp_path)))
    try:
        with pytest.raises(LabError, match="this notebook"):
            run(Fleet.start(single(), store=tmp_path))
        # the refused one did not let go of the first one's lock
        with pytest.raises(LabError, match="this notebook"):
            run(Fleet.start(single(), store=tmp_path))
    finally:
        run(fleet.stop())
    run(run(Fleet.start(single(store=tmp_path))).stop())


def test_a_program_that_cannot_run(tmp_path: Path) -> None:
    async def start() -> None:
        await supervisor().start([str(tmp_path / "gone")], tmp_path / "out", None, lambda *_: None)

    with pytest.raises(ServerError, match="gone"):
        run(start())


def test_only_our_own_processes_get_signals() -> None:
    assert run(supervisor().signal(os.getpid(), signal.SIGKILL)) is False


def test_only_our_own_folders_are_removed(tmp_path: Path) -> None:
    run(supervisor().remove_folder(tmp_path))
    assert tmp_path.is_dir()
    made = run(supervisor().make_folder())
    assert made.stat().st_mode & 0o777 == 0o700
    (made / "a" / "b").mkdir(parents=True)
    (made / "a" / "link").symlink_to(tmp_path)
    (tmp_path / "kept").write_text("x")
    run(supervisor().remove_folder(made))
    assert not made.exists()
    assert (tmp_path / "kept").exists()
