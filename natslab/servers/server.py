"""One nats-server: start, stop, kill, freeze, thaw, restart, lame duck, reload, log."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import json
import os
import re
import signal
import sys
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal, TypeAlias

from natslab.errors import ServerError
from natslab.servers import config as conf
from natslab.servers import disk
from natslab.servers.config import Config
from natslab.servers.joining import RANDOM
from natslab.servers.supervisor import Supervisor
from natslab.servers.topology import WireType

State: TypeAlias = Literal["starting", "up", "down", "frozen", "lame duck", "removed"]

_START = 30.0  # seconds; measured 0.02, and 0.2 with 100 streams of 10 consumers
_STOP = 2.0  # seconds; a graceful stop takes up to 10 ms per consumer, and SIGKILL lost nothing acked
_DEAD = 5.0  # seconds until a killed process is gone
_POLL = 0.001  # seconds

# What can be asked of nats-server's log, from the least to the gravest, by its three letters.
_LEVELS = {"TRC": "trace", "DBG": "debug", "INF": "info", "WRN": "warn", "ERR": "error", "FTL": "fatal"}
_LINE = re.compile(r"\[\d+\] (\d{4}/\d\d/\d\d \d\d:\d\d:\d\d\.\d{6}) \[([A-Z]{3})\] (.*)")

_BANNER = re.compile(r"\[INF\]   (Version|ID): +(\S+)")
# Not in the file of ports, unlike the others.
_LISTENS = re.compile(r"\[INF\] Listening for (gateway|leafnode)s? connections on \S+:(\d+)")


@dataclass(frozen=True)
class Change:
    """A server changed state; `at` is time.time(), `why` is empty or a few words."""

    name: str
    state: State
    version: str
    why: str
    at: float


@dataclass(frozen=True)
class LogLine:
    """One line of a server's log; `time` as time.time(), `level` trace debug info warn error fatal."""

    time: float
    level: str
    text: str


class Server:
    """One nats-server of a fleet, in the state it is really in. Its methods belong to natslab's loop.

    `request` asks in the system account: subject and body to the decoded answer; `changed` hears each
    change of state.
    """

    def __init__(
        self,
        config: Config,
        binary: Path,
        supervisor: Supervisor,
        store: Path | None,
        request: Callable[[str, bytes], Awaitable[dict[str, Any]]],
        changed: Callable[[Change], None],
    ) -> None:
        self.config = config
        self.state: State = "down"
        self.version = ""
        self.id = ""  # new at every start
        self.pid = 0  # 0 when there is no process
        self.http: int | None = None  # the monitoring port, where one is open
        self.inner: dict[WireType, int] = {}  # where other servers connect to it; new at every start
        self.folder = config.log.parent
        self._binary = binary
        self._supervisor = supervisor
        self._store = store
        self._request = request
        self._changed = changed
        self._text: str | None = None  # a configuration given as text, in place of `config`
        self._busy = asyncio.Lock()
        self._news = asyncio.Event()
        self._ending = ""  # why it will end, when we end it
        self._awake: State = "up"  # what it is again after a thaw
        self._log_from = 0

    @property
    def name(self) -> str:
        """The server's name."""
        return self.config.name

    @property
    def port(self) -> int:
        """The client port on 127.0.0.1; kept over restarts, -1 before the first start."""
        return self.config.port

    def __repr__(self) -> str:
        return f"<Server {self.name} {self.state}>"

    # what can be done to it

    async def start(self) -> None:
        """Start it and wait until it accepts clients (about 20 ms). Raises ServerError."""
        async with self._busy:
            self._refuse(
                "starting",
                "up",
                "frozen",
                "lame duck",
                hint=f"`%natslab restart {self.name}` starts it anew.",
            )
            await self._start()

    async def stop(self) -> None:
        """End it politely (SIGTERM); after 2 s without mercy. Raises ServerError when it is down."""
        async with self._busy:
            self._refuse("down", hint=self._start_hint)
            await self._stop("stopped")

    async def kill(self) -> None:
        """End it at once (SIGKILL), as a crash does. Raises ServerError when it is down."""
        async with self._busy:
            self._refuse("down", hint=self._start_hint)
            await self._kill("killed")

    async def restart(self) -> None:
        """Stop it where it runs, and start it on the same port and the same store. Raises ServerError."""
        async with self._busy:
            if self.state != "down":
                await self._stop("restarting")
            await self._start()

    async def freeze(self) -> None:
        """Let it stand still (SIGSTOP): its connections stay, it answers nothing. Raises ServerError."""
        async with self._busy:
            self._refuse("down", hint=self._start_hint)
            self._refuse("frozen", hint=f"`%natslab thaw {self.name}` lets it go on.")
            await self._signal(signal.SIGSTOP)
            await self._until("frozen", "down", within=_DEAD)

    async def thaw(self) -> None:
        """Let it go on after `freeze` (SIGCONT). Raises ServerError when it is not frozen."""
        async with self._busy:
            self._refuse("down", hint=self._start_hint)
            self._refuse("up", "lame duck", "starting", hint=f"`%natslab freeze {self.name}` freezes it.")
            await self._signal(signal.SIGCONT)
            await self._until("up", "lame duck", "down", within=_DEAD)

    async def lame_duck(self) -> None:
        """Let it say goodbye (SIGUSR2): it tells its clients, closes them one by one and ends.

        Returns at once; the server begins to close clients after 1 s and is gone after some
        seconds (measured 4 to 11 with 6 clients). Raises ServerError when it is not up.
        """
        async with self._busy:
            self._refuse("down", hint=self._start_hint)
            self._refuse("frozen", "lame duck", "starting", hint="Only a server that is up can say goodbye.")
            self._ending = "lame duck"
            await self._signal(signal.SIGUSR2)
            self._set("lame duck")

    async def reload(self, new: Config | str | None = None) -> None:
        """Change the configuration of the running server (1 to 3 ms); None reads its file again.

        Text may hold the masks of `conf()` in place of passwords. The server says itself what it
        cannot change while it runs; then nothing has changed. Raises ServerError with its reason.
        """
        async with self._busy:
            self._refuse("down", hint=self._start_hint)
            self._refuse("frozen", "lame duck", "starting", hint="Only a server that is up can reload.")
            # Once begun, an interrupt must not leave file and server in disagreement.
            await asyncio.shield(asyncio.ensure_future(self._reload(new)))

    @property
    def own_text(self) -> bool:
        """Whether it runs a configuration that was given as text."""
        return self._text is not None

    def removed(self) -> None:
        """It is gone from its lab, for good."""
        self._set("removed", "taken out of the lab")

    async def started(self) -> None:
        """Wait while it is starting."""
        while self.state == "starting":
            self._news.clear()
            await self._news.wait()

    # what it says

    def conf(self) -> str:
        """Its configuration in nats-server's syntax; passwords hidden."""
        return conf.mask(self._running())[0]

    def log(
        self, since: float | None = None, level: str | None = None, grep: str | None = None
    ) -> list[LogLine]:
        """Lines of its log, oldest first.

        Parameters
        ----------
        since: only lines from this time.time() on.
        level: only this level (trace debug info warn error fatal, or TRC ...) and graver ones.
        grep: only lines with this text in them, in any case.
        """
        least = _level(level) if level else 0
        grave = list(_LEVELS.values())
        want = grep.casefold() if grep else ""
        return [
            line
            for line in parse_log(self._read_log())
            if (since is None or line.time >= since)
            and grave.index(line.level) >= least
            and want in line.text.casefold()
        ]

    # how

    @property
    def _start_hint(self) -> str:
        return f"`%natslab restart {self.name}` starts it."

    @property
    def _conf_path(self) -> Path:
        return self.folder / "nats-server.conf"

    def _running(self) -> str:
        return self._text if self._text is not None else self.config.text()

    def _refuse(self, *states: State, hint: str) -> None:
        if self.state in states:
            raise ServerError(f"Server {self.name} is {_SAID[self.state]}.", hint)

    async def _start(self) -> None:
        if self.config.http == RANDOM and self.http is not None:
            # Kept over restarts. Not earlier: a reload refuses it, unlike the client port.
            self.config = dataclasses.replace(self.config, http=self.http)
        disk.folder(self.folder)
        disk.folder(self.config.store)
        disk.write(self._conf_path, self._running())
        for old in self.folder.glob("*.ports"):  # left behind by SIGKILL
            old.unlink(missing_ok=True)
        self._log_from = self.config.log.stat().st_size if self.config.log.exists() else 0
        self._ending = ""
        self._awake = "up"
        self.id = ""
        self.inner = {}
        output = self.folder / "output"
        argv = [str(self._binary), "-c", str(self._conf_path), "--ports_file_dir", str(self.folder)]
        self._set("starting")
        try:
            starting = asyncio.ensure_future(self._supervisor.start(argv, output, self._store, self._heard))
            try:
                self.pid = await asyncio.shield(starting)
            except asyncio.CancelledError:
                self.pid = await starting  # 1 ms; so that it can be ended
                raise
            ports = await self._ports()
        except BaseException as e:  # also an interrupt
            if self.pid:
                await asyncio.shield(asyncio.ensure_future(self._kill("start given up")))
            elif self.state == "starting":
                self._set("down", e.what if isinstance(e, ServerError) else "start given up")
            raise
        self.config = dataclasses.replace(self.config, port=_port(ports["nats"]))
        self.http = _port(ports["monitoring"]) if "monitoring" in ports else None
        self._read_banner(ports)
        self._set("up")
        if self._text is None:
            # The port stays over restarts. Written after the clients may come: nobody waits for it.
            asyncio.get_running_loop().call_soon(self._keep_port)

    async def _ports(self) -> dict[str, list[str]]:
        """Wait for the file in which nats-server says where it listens."""
        file = self.folder / f"nats-server_{self.pid}.ports"
        end = time.monotonic() + _START
        while self.state != "down":
            with contextlib.suppress(OSError, ValueError):  # not there, or not complete
                ports: dict[str, list[str]] = json.loads(file.read_bytes())
                return ports
            if time.monotonic() > end:
                raise ServerError(
                    f"Server {self.name} did not start within {_START:.0f} s.",
                    f"`%natslab log {self.name}` shows how far it came.",
                )
            await asyncio.sleep(_POLL)
        raise self._failure()

    def _keep_port(self) -> None:
        with contextlib.suppress(ServerError):  # a full disk; the next start writes it again
            disk.write(self._conf_path, self._running())

    def _failure(self) -> ServerError:
        """Why it ended while it started, in the server's own words."""
        fatal = [line.text for line in parse_log(self._read_log(self._log_from)) if line.level == "fatal"]
        said = fatal[-1] if fatal else ""
        if not said:
            with contextlib.suppress(OSError):
                text = (self.folder / "output").read_text(errors="replace").strip()
                said = text.splitlines()[-1] if text else ""
        said = self._plain(said.removeprefix("nats-server: "))
        if "address already in use" in said:
            at = re.search(r":(\d+)", said)
            return ServerError(
                f"Server {self.name} cannot start: another process uses port {at[1] if at else self.port}.",
                "End that process, or let the system pick a port: give none.",
            )
        if "no space left on device" in said:
            return ServerError(
                f"Server {self.name} cannot start: the disk of {self.config.store} is full.",
                "Free some space there, or give a folder on another disk.",
            )
        return ServerError(
            f"Server {self.name} did not start: {said or 'it said nothing'}.",
            f"`%natslab conf {self.name}` shows its configuration, `%natslab log {self.name}` its log.",
        )

    def _plain(self, said: str) -> str:
        """The server's words without the folders of this lab."""
        said = re.sub(re.escape(str(self._conf_path)) + r":(\d+)(?::\d+)?", r"line \1", said)
        return said.replace(f"{self.folder}/", "").strip().rstrip(".")

    def _read_banner(self, ports: dict[str, list[str]]) -> None:
        """Version, id and inner ports, from what it logged first: asking would need a connection."""
        log = self._read_log(self._log_from)
        found = dict(_BANNER.findall(log))
        self.version, self.id = found.get("Version", ""), found.get("ID", "")
        self.inner = {type: int(port) for type, port in _LISTENS.findall(log)}
        if "cluster" in ports:
            self.inner["route"] = _port(ports["cluster"])

    def _read_log(self, start: int = 0) -> str:
        try:
            with open(self.config.log, "rb") as file:
                file.seek(start)
                return file.read().decode("utf-8", "replace")
        except FileNotFoundError:
            return ""

    async def _stop(self, why: str) -> None:
        self._ending = why
        with contextlib.suppress(ServerError):
            await self._signal(signal.SIGTERM)
            if self.state == "frozen":
                await self._signal(signal.SIGCONT)
            await self._until("down", within=_STOP)
            return
        await self._kill(why)

    async def _kill(self, why: str) -> None:
        self._ending = why
        await self._signal(signal.SIGKILL)
        await self._until("down", within=_DEAD)

    async def _signal(self, number: signal.Signals) -> None:
        if self.pid:
            await self._supervisor.signal(self.pid, number)

    async def _until(self, *states: State, within: float) -> None:
        """Wait until it is in one of these states. Raises ServerError after `within` seconds."""
        try:
            async with asyncio.timeout(within):
                while self.state not in states:
                    self._news.clear()
                    await self._news.wait()
        except TimeoutError:
            raise ServerError(
                f"Server {self.name} is still {_SAID[self.state]} after {within:.0f} s.",
                f"`%natslab kill {self.name}` ends it at once.",
            ) from None

    def _heard(self, what: str, code: int) -> None:
        """The supervisor saw it exit, stop or go on."""
        if what == "stopped":
            if self.state != "frozen":
                self._awake = self.state
                self._set("frozen")
        elif what == "continued":
            if self.state == "frozen":
                self._set(self._awake)
        else:
            if what == "lost" and sys.platform != "linux":  # there the kernel ends it with its parent
                with contextlib.suppress(OSError):
                    os.kill(self.pid, signal.SIGKILL)
            self.pid = 0
            why = "its supervisor died" if what == "lost" else self._ending or _ended(code)
            self._set("down", why)

    def _set(self, state: State, why: str = "") -> None:
        self.state = state
        self._news.set()
        self._changed(Change(self.name, state, self.version, why, time.time()))

    async def _reload(self, new: Config | str | None) -> None:
        old = self._running()
        if new is None:
            new = disk.read(self._conf_path)
        if isinstance(new, Config):
            if new.port == RANDOM:
                new = dataclasses.replace(new, port=self.port)
            text = new.text()
        else:
            text = conf.unmask(new, conf.mask(old)[1])
        disk.write(self._conf_path, text)
        try:
            answer = await self._request(f"$SYS.REQ.SERVER.{self.id}.RELOAD", b"")
            if error := answer.get("error"):
                said = self._plain(str(error.get("description", error)))
                raise ServerError(
                    f"Server {self.name} refused the new configuration: {said}.",
                    "Nothing has changed.",
                )
        except BaseException:
            disk.write(self._conf_path, old)
            raise
        if isinstance(new, Config):
            self.config, self._text = new, None
        else:
            self._text = text


_SAID = {
    "starting": "starting",
    "up": "up",
    "down": "down",
    "frozen": "frozen",
    "lame duck": "in lame duck mode",
    "removed": "no longer in this lab",
}


def _ended(code: int) -> str:
    if code < 0:
        return f"ended by {signal.Signals(-code).name}"
    return f"ended by itself, code {code}"


def _port(urls: list[str]) -> int:
    return int(urls[0].rpartition(":")[2])


def _level(word: str) -> int:
    names = list(_LEVELS.values())
    asked = word.strip()
    name = _LEVELS.get(asked.upper(), {"warning": "warn"}.get(asked.lower(), asked.lower()))
    if name not in names:
        raise ServerError(
            f"{word!r} is not a level of a server's log.", f"The levels are {', '.join(names)}."
        )
    return names.index(name)


def parse_log(text: str) -> list[LogLine]:
    """The lines of a nats-server log file (UTC, microseconds); a line that goes on is joined to its first."""
    lines: list[LogLine] = []
    for raw in text.splitlines():
        found = _LINE.match(raw)
        if found:
            at = datetime.strptime(found[1], "%Y/%m/%d %H:%M:%S.%f").replace(tzinfo=UTC).timestamp()
            lines.append(LogLine(at, _LEVELS.get(found[2], "info"), found[3]))
        elif lines:
            lines[-1] = dataclasses.replace(lines[-1], text=f"{lines[-1].text}\n{raw}")
    return lines
