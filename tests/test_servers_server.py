import asyncio
import os
import signal
import socket
import sys
import time
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import nats
import pytest
from nats.aio.client import Client

from natslab.errors import LabError, ServerError
from natslab.loop import loop, run
from natslab.servers import disk
from natslab.servers.config import Target
from natslab.servers.fleet import Fleet
from natslab.servers.server import Change
from natslab.servers.topology import single

WaitFor = Callable[..., float]


def with_client(fleet: Fleet, do: Callable[[Client], Coroutine[Any, Any, Any]]) -> Any:
    async def inner() -> Any:
        client = await nats.connect(**fleet.login(), allow_reconnect=False)
        try:
            return await do(client)
        finally:
            await client.close()

    return run(inner())


def routed(fleet: Fleet, subject: str) -> str:
    """The subject under which a message published on `subject` arrives."""

    async def go(client: Client) -> str:
        sub = await client.subscribe(">")
        await client.publish(subject, b"x")
        return (await sub.next_msg(timeout=2)).subject

    said: str = with_client(fleet, go)
    return said


def states(fleet: Fleet) -> list[tuple[str, str]]:
    heard: list[tuple[str, str]] = []
    fleet.listen(lambda change: heard.append((change.state, change.why)))
    return heard


def test_start(fleet: Fleet) -> None:
    server = fleet.servers["n1"]
    assert server.state == "up" and server.pid and server.version.startswith("2.")
    varz = run(fleet.ask("n1", "varz"))
    assert varz["port"] == server.port
    assert varz["server_id"] == server.id
    assert varz["version"] == server.version
    assert varz["jetstream"]["config"]["max_memory"] == 256 * 1024 * 1024
    assert varz["max_payload"] == 1024 * 1024
    assert routed(fleet, "a.b") == "a.b"


@pytest.mark.parametrize("end", ["kill", "stop"])
def test_restart_keeps_port_and_data(fleet: Fleet, end: str) -> None:
    server = fleet.servers["n1"]

    async def store(client: Client) -> None:
        js = client.jetstream()
        await js.add_stream(name="S", subjects=["s.>"])
        for n in range(20):
            await js.publish("s.x", b"%d" % n)

    async def count(client: Client) -> int:
        return (await client.jetstream().stream_info("S")).state.messages

    with_client(fleet, store)
    heard = states(fleet)
    port, pid, old = server.port, server.pid, server.id
    run(getattr(server, end)())
    assert server.state == "down" and server.pid == 0
    run(server.start())
    assert (server.port, server.state) == (port, "up")
    assert server.pid != pid and server.id != old
    assert with_client(fleet, count) == 20
    assert heard == [("down", {"kill": "killed", "stop": "stopped"}[end]), ("starting", ""), ("up", "")]
    run(server.restart())
    assert with_client(fleet, count) == 20
    assert server.port == port
    assert heard[3:] == [("down", "restarting"), ("starting", ""), ("up", "")]


def test_freeze_and_thaw(fleet: Fleet) -> None:
    server = fleet.servers["n1"]
    heard = states(fleet)
    run(fleet.system())
    run(server.freeze())
    assert server.state == "frozen"
    with pytest.raises(ServerError, match="does not answer"):
        run(fleet.ask("n1", "varz"))
    run(server.thaw())
    assert server.state == "up"
    assert run(fleet.ask("n1", "varz"))["server_name"] == "n1"
    assert heard == [("frozen", ""), ("up", "")]


@pytest.mark.parametrize("end", ["stop", "kill", "restart"])
def test_a_frozen_server_can_be_ended(fleet: Fleet, end: str) -> None:
    server = fleet.servers["n1"]
    run(server.freeze())
    began = time.monotonic()
    run(getattr(server, end)())
    assert time.monotonic() - began < 1
    assert server.state == ("up" if end == "restart" else "down")


@pytest.mark.parametrize(
    ("first", "then", "says"),
    [
        (None, "start", "is up"),
        (None, "thaw", "is up"),
        ("kill", "kill", "is down"),
        ("kill", "stop", "is down"),
        ("kill", "freeze", "is down"),
        ("kill", "thaw", "is down"),
        ("kill", "lame_duck", "is down"),
        ("freeze", "freeze", "is frozen"),
        ("freeze", "start", "is frozen"),
        ("freeze", "lame_duck", "is frozen"),
    ],
)
def test_what_makes_no_sense(fleet: Fleet, first: str | None, then: str, says: str) -> None:
    server = fleet.servers["n1"]
    if first:
        run(getattr(server, first)())
    was = server.state
    with pytest.raises(ServerError, match=f"Server n1 {says}") as e:
        run(getattr(server, then)())
    assert e.value.hint
    assert server.state == was


def test_reload_when_down(fleet: Fleet) -> None:
    server = fleet.servers["n1"]
    run(server.kill())
    with pytest.raises(ServerError, match="is down"):
        run(server.reload(server.config))
    with pytest.raises(ServerError, match="is down"):
        run(fleet.ask("n1", "varz"))


def test_killed_from_outside_is_noticed(fleet: Fleet, wait_for: WaitFor) -> None:
    server = fleet.servers["n1"]
    heard: list[Change] = []
    fleet.listen(heard.append)
    os.kill(server.pid, signal.SIGKILL)
    wait_for(lambda: server.state == "down", 1.0)
    assert [(c.name, c.state, c.why) for c in heard] == [("n1", "down", "ended by SIGKILL")]
    assert abs(heard[0].at - time.time()) < 1
    run(server.start())
    os.kill(server.pid, signal.SIGTERM)
    wait_for(lambda: server.state == "down", 1.0)
    assert heard[-1].why == "ended by itself, code 0"


def test_frozen_from_outside_is_noticed(fleet: Fleet, wait_for: WaitFor) -> None:
    server = fleet.servers["n1"]
    os.kill(server.pid, signal.SIGSTOP)
    wait_for(lambda: server.state == "frozen", 1.0)
    os.kill(server.pid, signal.SIGCONT)
    wait_for(lambda: server.state == "up", 1.0)


def test_lame_duck(fleet: Fleet, wait_for: WaitFor) -> None:
    server = fleet.servers["n1"]
    heard = states(fleet)

    async def told(client: Client) -> None:
        said = asyncio.Event()
        client._lame_duck_mode_cb = lambda: _set(said)
        await server.lame_duck()
        await asyncio.wait_for(said.wait(), 5)
        assert server.state == "lame duck"
        await server.freeze()
        await server.thaw()
        assert server.state == "lame duck"
        with pytest.raises(ServerError, match="lame duck mode"):
            await server.reload()

    with_client(fleet, told)
    # its last client has gone, and so does it
    wait_for(lambda: server.state == "down", 10)
    assert [state for state, _ in heard] == ["lame duck", "frozen", "lame duck", "down"]
    assert heard[-1][1] == "lame duck"
    run(server.start())
    assert server.state == "up"


async def _set(event: asyncio.Event) -> None:
    event.set()


def test_reload_is_live(fleet: Fleet) -> None:
    server = fleet.servers["n1"]
    pid = server.pid

    async def watch() -> Client:
        return await fleet.watcher()

    watcher = run(watch())
    assert routed(fleet, "old") == "old"
    run(server.reload(server.config.with_mappings({"old": (Target("new"),)})))
    assert routed(fleet, "old") == "new"
    assert server.pid == pid
    assert '"old": "new"' in server.conf()
    weighted = {"old": (Target("a", 100), Target("b", 0))}
    run(server.reload(server.config.with_mappings(weighted)))
    assert routed(fleet, "old") == "a"
    # it is still so after a restart
    run(server.restart())
    assert routed(fleet, "old") == "a"
    run(server.reload(server.config.with_mappings({})))
    assert routed(fleet, "old") == "old"
    assert not watcher.is_closed


def test_reload_of_text_with_masks(fleet: Fleet) -> None:
    server = fleet.servers["n1"]
    shown = server.conf()
    for password in vars(fleet._logins).values():
        assert password not in shown
    run(server.reload(shown.replace("max_payload: 1048576", "max_payload: 2222")))
    assert run(fleet.ask("n1", "varz"))["max_payload"] == 2222
    assert "2222" in server.conf()
    assert "(password 1)" in server.conf()
    run(server.restart())
    assert run(fleet.ask("n1", "varz"))["max_payload"] == 2222


def test_reload_reads_an_edited_file(fleet: Fleet) -> None:
    server = fleet.servers["n1"]
    file = server.folder / "nats-server.conf"
    file.write_text(file.read_text().replace("max_payload: 1048576", "max_payload: 3333"))
    run(server.reload())
    assert run(fleet.ask("n1", "varz"))["max_payload"] == 3333


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ("max_file: 1073741824", "max_file: 1048576", "not supported|decrease|max"),
        ("max_payload: 1048576", "max_payload: {", "line|unexpected|expected|parse"),
        ("max_payload: 1048576", "max_paload: 1", "max_paload"),
        ('server_name: "n1"', 'server_name: "other"', "name"),
    ],
)
def test_refused_reload_leaves_all_as_it_was(fleet: Fleet, old: str, new: str, reason: str) -> None:
    server = fleet.servers["n1"]
    file = server.folder / "nats-server.conf"
    before, shown, varz = file.read_text(), server.conf(), run(fleet.ask("n1", "varz"))
    with pytest.raises(ServerError, match="Server n1 refused the new configuration: ") as e:
        run(server.reload(shown.replace(old, new)))
    said = e.value.what.partition(": ")[2].lower()
    assert any(word in said for word in reason.split("|")), said
    assert str(fleet.folder) not in e.value.what
    assert file.read_text() == before
    assert server.conf() == shown
    after = run(fleet.ask("n1", "varz"))
    assert after["config_load_time"] == varz["config_load_time"] and after["max_payload"] == 1048576
    run(server.restart())
    assert server.state == "up"


def test_log(fleet: Fleet) -> None:
    server = fleet.servers["n1"]
    lines = server.log()
    assert lines[0].text == "Starting nats-server"
    assert abs(lines[0].time - time.time()) < 60
    assert [line.time for line in lines] == sorted(line.time for line in lines)
    assert any("Server is ready" in line.text for line in server.log(grep="server IS ready"))
    warned = server.log(level="warn")
    assert {line.level for line in warned} == {"warn"}
    assert server.log(level="WRN") == warned
    now = time.time()
    assert server.log(since=now) == []
    run(server.reload(server.config.with_mappings({})))
    assert any("Reloaded" in line.text for line in server.log(since=now))
    with pytest.raises(ServerError, match="'loud' is not a level"):
        server.log(level="loud")


def test_port_in_use() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(ServerError, match=f"port {port}") as e:
            run(Fleet.start(single(port=port)))
        assert "\n" not in e.value.what


def test_port_taken_while_it_was_down(fleet: Fleet) -> None:
    server = fleet.servers["n1"]
    run(server.kill())
    with socket.create_server(("127.0.0.1", server.port)), pytest.raises(ServerError, match=str(server.port)):
        run(server.start())
    assert server.state == "down"
    run(server.start())
    assert server.state == "up"


def test_given_port() -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    fleet = run(Fleet.start(single(port=port)))
    try:
        assert fleet.servers["n1"].port == port
        assert str(port) in fleet.url()
    finally:
        run(fleet.stop())


def test_bad_configuration_says_why(tmp_path: Path) -> None:
    with pytest.raises(ServerError, match="Server n1 did not start") as e:
        run(Fleet.start(single(max_payload=-5, mappings={"a..b": "c"})))
    assert "natslab-" not in e.value.what, e.value.what


def test_store_that_is_no_folder(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("x")
    for store in (file, file / "in"):
        with pytest.raises(ServerError, match="cannot be written"):
            run(Fleet.start(single(), store=store))


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_full_disk(fleet: Fleet) -> None:
    server = fleet.servers["n1"]
    file = server.folder / "nats-server.conf"
    before = file.read_text()
    (server.folder / "nats-server.conf.new").symlink_to("/dev/full")
    with pytest.raises(ServerError, match="the disk is full"):
        run(server.reload(server.config.with_mappings({"a": (Target("b"),)})))
    assert file.read_text() == before
    assert routed(fleet, "a") == "a"


def test_files_are_private(fleet: Fleet, wait_for: WaitFor) -> None:
    assert fleet.folder.stat().st_mode & 0o777 == 0o700
    for path in fleet.folder.rglob("*"):
        assert path.stat().st_mode & 0o077 == 0, path
    server = fleet.servers["n1"]
    file = server.folder / "nats-server.conf"
    wait_for(lambda: f"127.0.0.1:{server.port}" in file.read_text())
    assert file.stat().st_mode & 0o777 == 0o600
    disk.write(server.folder / "x", "y")
    assert (server.folder / "x").stat().st_mode & 0o777 == 0o600


def test_interrupted_start_leaves_it_down(fleet: Fleet, alive: Callable[[int], bool]) -> None:
    server = fleet.servers["n1"]
    run(server.kill())
    for delay in (0.0, 0.001, 0.003, 0.006, 0.01):

        async def cut(delay: float = delay) -> None:
            start = asyncio.ensure_future(server.start())
            await asyncio.sleep(delay)
            if not start.cancel():  # it was quicker
                await server.kill()
                return
            with pytest.raises(asyncio.CancelledError):
                await start

        run(cut())
        assert server.state == "down" and server.pid == 0
    run(server.start())
    assert server.state == "up"


def test_interrupted_fleet_leaves_nothing(tmp_path: Path, wait_for: WaitFor) -> None:
    for delay in (0.0, 0.0005, 0.001, 0.002, 0.004, 0.008):

        async def cut(delay: float = delay) -> None:
            start = asyncio.ensure_future(Fleet.start(single(), store=tmp_path))
            await asyncio.sleep(delay)
            start.cancel()
            with pytest.raises(asyncio.CancelledError):
                await start

        run(cut())
        fleet = run(Fleet.start(single(), store=tmp_path))  # the lock is free
        run(fleet.stop())


def test_two_commands_at_once(fleet: Fleet) -> None:
    server = fleet.servers["n1"]

    async def both() -> list[Any]:
        return await asyncio.gather(server.restart(), server.kill(), server.restart(), return_exceptions=True)

    assert run(both()) == [None, None, None]
    assert server.state == "up"


def test_stop_takes_at_most_two_seconds_and_then_no_mercy() -> None:
    """A frozen server stands in for one that does not end on SIGTERM."""
    fleet = run(Fleet.start(single()))
    server = fleet.servers["n1"]
    try:

        async def stubborn() -> float:
            await server.freeze()
            server.state = "up"  # so that stop does not wake it: it will not see SIGTERM
            began = time.monotonic()
            await server.stop()
            return time.monotonic() - began

        assert 1.9 < run(stubborn()) < 4
        assert server.state == "down"
    finally:
        run(fleet.stop())


def listeners(pid: int) -> list[str]:
    """Local addresses, in hexadecimal, of the sockets on which the process listens."""
    inodes = set()
    for fd in os.listdir(f"/proc/{pid}/fd"):
        what = os.readlink(f"/proc/{pid}/fd/{fd}")
        if what.startswith("socket:["):
            inodes.add(what[8:-1])
    found = []
    for table in ("tcp", "tcp6"):
        for line in Path(f"/proc/{pid}/net/{table}").read_text().splitlines()[1:]:
            fields = line.split()
            if fields[3] == "0A" and fields[9] in inodes:
                found.append(fields[1])
    return found


@pytest.mark.skipif(sys.platform != "linux", reason="needs /proc")
@pytest.mark.parametrize("http", [False, True])
def test_listens_on_loopback_only(http: bool) -> None:
    fleet = run(Fleet.start(single(http=http)))
    try:
        addresses = listeners(fleet.servers["n1"].pid)
        assert len(addresses) == (2 if http else 1)
        assert all(address.startswith("0100007F:") for address in addresses), addresses
        server = fleet.servers["n1"]
        port = server.http
        assert (port is not None) is http
        if port is not None:
            socket.create_connection(("127.0.0.1", port)).close()
            run(server.reload(server.config.with_mappings({"a": (Target("b"),)})))
            run(server.restart())
            assert server.http == port
            run(server.reload(server.config.with_mappings({})))
    finally:
        run(fleet.stop())


def test_no_connection_without_credentials(fleet: Fleet) -> None:
    async def tries(**login: Any) -> str:
        said: list[str] = []

        async def heard(e: Exception) -> None:
            said.append(str(e))

        try:
            client = await nats.connect(
                fleet.login()["servers"], allow_reconnect=False, error_cb=heard, connect_timeout=2, **login
            )
            await client.close()
        except nats.errors.Error as e:
            return f"{e} {said}"
        return "let in"

    assert "uthorization" in run(tries())
    assert "uthorization" in run(tries(user="app", password="wrong"))
    assert "uthorization" in run(tries(user="sys", password=fleet.login("app")["password"]))
    assert run(tries(user="app", password=fleet.login("app")["password"])) == "let in"


def test_a_listener_that_raises_harms_nobody(fleet: Fleet) -> None:
    complaints: list[dict[str, Any]] = []
    loop().asyncio.set_exception_handler(lambda _, context: complaints.append(context))
    try:
        fleet.listen(lambda _: 1 / 0)  # type: ignore[arg-type, return-value]
        heard = states(fleet)
        run(fleet.servers["n1"].restart())
        assert len(heard) == 3 and len(complaints) == 3
    finally:
        loop().asyncio.set_exception_handler(None)


def test_unknown_server_and_role(fleet: Fleet) -> None:
    with pytest.raises(LabError, match="no server 'n9'") as e:
        fleet.url("n9")
    assert "n1" in e.value.hint
    with pytest.raises(LabError, match="no user 'root'"):
        fleet.login("root")
