"""An IPython shell as a kernel has it, without its history file."""

from __future__ import annotations

from typing import Any

import ipykernel.ipkernel  # noqa: F401  a kernel has imported this, with zmq, tornado and asyncio
from IPython.core.interactiveshell import InteractiveShell
from traitlets.config import Config


def shell() -> InteractiveShell:
    """The shell of this process."""
    return InteractiveShell.instance(config=Config({"HistoryManager": {"enabled": False}}))


def cell(ip: InteractiveShell, text: str) -> Any:
    """Run a cell; its value. Raises what the cell raises."""
    ran = ip.run_cell(text)
    ran.raise_error()
    return ran.result
