"""Where the panels of a browser come in: the comm targets of this kernel.

Light, because every `%load_ext` pays for it; the hub behind it is made for the first panel.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from natslab.magics.panel.hub import Hub

PANEL, VIEW, HELLO = "natslab", "natslab.view", "natslab.hello"


class Door:
    """Opens the comm targets, and says hello to whoever waits for them.

    Parameters
    ----------
    kernel: ipykernel's.
    run: runs a line and returns its result.
    """

    def __init__(self, kernel: Any, run: Callable[[str], object]) -> None:
        self._kernel = kernel
        self._run = run
        self._hub: Hub | None = None
        self._making = threading.Lock()
        self._targets = {PANEL: self._panel, VIEW: self._view}

    def open(self) -> None:
        """From now on panels may come."""
        for name, target in self._targets.items():
            self._kernel.comm_manager.register_target(name, target)
        # On a comm that nobody opened: of one that is opened a page without a workbench would complain.
        with contextlib.suppress(Exception):  # nobody listens: there is no front end
            self._kernel.send_response(self._kernel.iopub_socket, "comm_msg", {"comm_id": HELLO, "data": {}})

    def close(self) -> None:
        """No more panels, and those that are there are told."""
        for name, target in self._targets.items():
            with contextlib.suppress(KeyError):
                self._kernel.comm_manager.unregister_target(name, target)
        if self._hub is not None:
            self._hub.close()

    def act(self, line: str) -> object:
        """Run the line behind a click in a view; panels are told of it."""
        return self._run(line) if self._hub is None else self._hub.act(line)

    def dock(self, view: Any, side: str) -> bool:
        """Put a view beside the notebook of the cell that runs; False when nobody there can."""
        return self._hub is not None and self._hub.dock(view, side, self._session())

    def _session(self) -> str:
        """Of the page whose cell runs now."""
        with contextlib.suppress(Exception):
            return str(self._kernel.get_parent("shell")["header"]["session"])
        return ""

    def hub(self) -> Hub:
        """The hub, made when it is first asked for."""
        from natslab.magics.panel.hub import Hub

        with self._making:
            if self._hub is None:
                self._hub = Hub(self._run)
            return self._hub

    def _panel(self, comm: Any, message: Any) -> None:
        self.hub().opened(comm, message)

    def _view(self, comm: Any, message: Any) -> None:
        self.hub().opened_view(comm, message)
