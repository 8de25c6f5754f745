"""Small facts about comms that everything here relies on."""

from __future__ import annotations

import contextlib
from typing import Any


def stay_off_the_shell(comm: Any) -> None:
    """Let answers and questions of this comm pass while a cell runs.

    Newer ipykernels answer on the shell that last published on a comm, the main one, which a running
    cell blocks; the front end opened a subshell for just this.
    """
    if hasattr(comm, "_reply_subshell_for"):
        comm._reply_subshell_for = lambda data, default: default


def let_go(comm: Any) -> None:
    """Forget a comm whose other end is gone, without a message that nobody there would understand."""
    from comm import get_comm_manager

    comm._closed = True  # else its destructor says goodbye
    with contextlib.suppress(Exception):  # it is forgotten already
        get_comm_manager().unregister_comm(comm)


def data_of(message: Any) -> dict[str, Any]:
    """What a comm message carries; foreign, so it may be anything."""
    data = message.get("content", {}).get("data")
    return data if isinstance(data, dict) else {}
