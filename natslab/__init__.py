"""natslab: learn NATS by running it, with a live picture of what the server really did.

In a notebook: `%load_ext natslab`, then `%natslab up`. In Python: `with natslab.Lab.up() as lab:`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from natslab.errors import (
    Cancelled,
    ClientError,
    CommandError,
    HandlerError,
    LabError,
    NatslabError,
    NoResponders,
    ServerError,
    Timeout,
)

if TYPE_CHECKING:
    from natslab.lab import Lab, current, open

__version__ = "0.1.0"
__all__ = [
    "Cancelled", "ClientError", "CommandError", "HandlerError", "Lab", "LabError", "NatslabError",
    "NoResponders", "ServerError", "Timeout", "__version__", "current", "load_ipython_extension",
    "open", "unload_ipython_extension",
]  # fmt: skip


def __getattr__(name: str) -> Any:
    # Loading the extension must stay quick: the lab and the client come with the first use.
    if name in ("Lab", "current", "open"):
        from natslab import front, lab

        front.otherwise(front.Front(act=_act))
        return getattr(lab, name)
    raise AttributeError(f"module 'natslab' has no attribute {name!r}")


def _act(line: str) -> None:
    """Run the line behind a button where there are no magics."""
    from natslab.commands import parse

    parse(line, python=False).run()


def load_ipython_extension(ip: Any) -> None:
    """`%load_ext natslab`: the magics."""
    from natslab.magics import register

    register.load(ip)


def unload_ipython_extension(ip: Any) -> None:
    """`%unload_ext natslab`: takes the magics away again."""
    from natslab.magics import register

    register.unload(ip)


def _jupyter_labextension_paths() -> list[dict[str, str]]:
    return [{"src": "labextension", "dest": "natslab"}]
