"""The comm between a kernel and the panels that look at it: snapshots out, lines and questions in.

Target `natslab`, opened by the browser with `{"version", "client"}`. What travels:

    panel -> kernel   watch {on, hz}           whether this panel is looked at, and how often it wants news
                      undock {view, of}        a view beside the notebook was closed
                      run {id, line}           run a line, as if it stood in a cell
                      inspect {id, kind, name, of}
                      complete | help {id, cell, line, column}, check {id, cell}     for the editor
    kernel -> panel   state {seq, ...}         a whole snapshot, when something changed
                      acted {act, line, ...}   a click in a view was done, as that line
                      answer {id, ...}         to each of the above that has an id
                      dock {view, of, side}    a line asked for a view beside the notebook

On `%load_ext natslab` the kernel says a word on the comm `natslab.hello`, which nobody opened: whoever
waits may come now.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import time
from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from natslab import lab as labs
from natslab.commands.results import one_line
from natslab.errors import LabError, NatslabError
from natslab.loop import loop
from natslab.magics.panel import editing, facts
from natslab.magics.panel.comms import data_of, let_go, stay_off_the_shell
from natslab.magics.panel.docked import Docked
from natslab.magics.panel.inspect import inspect

VERSION = 1
HERTZ = 2.0  # snapshots a second, at most
SHARE = 0.1  # of the loop's time that snapshots may take, whatever they cost
SLOWEST = 0.1
MOST = 30  # panels, and views beside notebooks; of more the oldest are taken for gone

_json = msgspec.json.Encoder(order="deterministic")


class Panel:
    """One page of a browser that looks at this kernel."""

    def __init__(self, comm: Any, client: str, session: str) -> None:
        self.comm = comm
        self.client = client
        self.session = session  # of the page's connection: cells that it runs carry it too
        self.watching = False
        self.period = 1 / HERTZ
        self.shown = b""


class Hub:
    """Every panel of this kernel. Lives on natslab's loop; comm callbacks come from other threads.

    Parameters
    ----------
    run: runs a line and returns its result.
    """

    def __init__(self, run: Callable[[str], object]) -> None:
        self._run = run
        self._panels: dict[str, Panel] = {}
        self._docked: dict[tuple[str, ...], Docked] = {}
        self._seq = 0
        self._dirty = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._facts: facts.Facts | None = None
        self._catalogue: list[dict[str, str]] = []
        self._acts = itertools.count(1)
        self._stops: list[Callable[[], None]] = []
        self._of_lab: list[Callable[[], None]] = []

    # --- from other threads -------------------------------------------------------------------

    def opened(self, comm: Any, message: Any) -> None:
        """A page opened the comm `natslab`."""
        stay_off_the_shell(comm)
        client = str(data_of(message).get("client", ""))[:100] or str(comm.comm_id)
        panel = Panel(comm, client, str(message.get("header", {}).get("session", "")))
        comm.on_msg(lambda m: loop().post(self._heard, panel, data_of(m)))
        comm.on_close(lambda m: loop().post(self._gone, panel))
        if not self._catalogue:
            self._catalogue = facts.catalogue()  # imports every view
        loop().post(self._admit, panel)

    def opened_view(self, comm: Any, message: Any) -> None:
        """A page opened the comm `natslab.view`: a place beside the notebook for one view."""
        stay_off_the_shell(comm)
        data = data_of(message)
        of = data.get("of")
        words = tuple(str(w)[:200] for w in of[:8]) if isinstance(of, list) else ()
        view, client = str(data.get("view", ""))[:100], str(data.get("client", ""))[:300]
        docked = Docked(comm, view, words, client or str(comm.comm_id), self._undock)
        loop().post(self._dock, docked)

    def dock(self, view: Any, side: str, session: str) -> bool:
        """Ask the page that ran the cell to put a view beside the notebook; False when there is none."""
        pages = [panel for panel in tuple(self._panels.values()) if panel.session == session]
        message = {"op": "dock", "view": view.name, "of": list(view.player.of), "side": side}
        for panel in pages:
            loop().post(self._send, panel, message)
        return bool(pages)

    def act(self, line: str) -> object:
        """Run the line behind a click in a view, and tell the panels of it."""
        done = {"said": "", "error": "", "hint": ""}
        try:
            result = self._run(line)
            done["said"] = _said(result)
            return result
        except Exception as e:
            done |= _refused(e)
            raise
        finally:
            message = {"op": "acted", "act": next(self._acts), "line": line, "lab": _began(), **done}
            loop().post(self._tell, message)

    def close(self) -> None:
        """The extension is unloaded: every panel is told so."""
        loop().post(self._close)

    # --- on the loop --------------------------------------------------------------------------

    def _admit(self, panel: Panel) -> None:
        # A page that was loaded again never closed its comm of before; nor need we, it knows nothing of it.
        self._panels.pop(panel.client, None)
        self._panels[panel.client] = panel
        while len(self._panels) > MOST:
            del self._panels[next(iter(self._panels))]
        if not self._stops:
            self._stops = [labs.listen(lambda: loop().post(self._other_lab))]
            self._other_lab()

    def _tell(self, message: Mapping[str, Any]) -> None:
        for panel in list(self._panels.values()):
            self._send(panel, message)

    def _dock(self, docked: Docked) -> None:
        # The same place after a reload of the page, or one of a page that went without a word.
        before = [self._docked[docked.key]] if docked.key in self._docked else []
        before += list(self._docked.values())[: max(0, len(self._docked) - MOST + 1)]
        for old in before:
            old.end()
        self._docked[docked.key] = docked
        if not self._stops:
            self._stops = [labs.listen(lambda: loop().post(self._other_lab))]
            self._other_lab()
        docked.follow()

    def _undock(self, docked: Docked) -> None:
        if self._docked.get(docked.key) is docked:
            del self._docked[docked.key]

    def _gone(self, panel: Panel) -> None:
        let_go(panel.comm)
        if self._panels.get(panel.client) is panel:
            del self._panels[panel.client]

    def _close(self) -> None:
        for stop in (*self._stops, *self._of_lab):
            stop()
        self._stops, self._of_lab = [], []
        for panel in list(self._panels.values()):
            with contextlib.suppress(Exception):
                panel.comm.close()
        for docked in list(self._docked.values()):
            docked.close()
        self._panels.clear()
        self._docked.clear()
        if self._task is not None:
            self._task.cancel()
            self._task = None

    def _other_lab(self) -> None:
        for stop in self._of_lab:
            stop()
        self._of_lab, self._facts = [], None
        with contextlib.suppress(LabError):
            lab = labs.current()
            self._facts = found = facts.Facts(lab)
            self._of_lab = [
                found.end,
                lab.tape.listen(self._dirty.set),
                lab.monitor.polled.add(self._dirty.set),
            ]
        for docked in tuple(self._docked.values()):
            docked.follow()
        self._dirty.set()

    def _send(self, panel: Panel, message: Mapping[str, Any]) -> None:
        with contextlib.suppress(Exception):  # the page may be gone, and the next one asks anew
            panel.comm.send(dict(message))

    # --- snapshots ----------------------------------------------------------------------------

    def snapshot(self) -> dict[str, Any]:
        """What every panel shows now."""
        return {
            "version": VERSION,
            "views_there": self._catalogue,
            **(self._facts.snapshot() if self._facts is not None else {"lab": None}),
        }

    def _watch(self, panel: Panel, data: Mapping[str, Any]) -> None:
        panel.watching = bool(data.get("on"))
        hz = data.get("hz")
        if isinstance(hz, (int, float)) and hz > 0:
            panel.period = 1 / min(HERTZ, max(SLOWEST, float(hz)))
        if panel.watching:
            panel.shown = b""  # it may have missed what came while nobody looked
            self._dirty.set()
            if self._task is None:
                self._task = loop().spawn(self._pump())

    async def _pump(self) -> None:
        while any(panel.watching for panel in self._panels.values()):
            await self._dirty.wait()
            self._dirty.clear()
            watching = [panel for panel in self._panels.values() if panel.watching]
            began = time.monotonic()
            try:
                state = self.snapshot()
                text = _json.encode(state)
            except Exception as e:
                # A fault of ours; the panel goes on with what comes next.
                state, text = {"version": VERSION, "lab": None, "fault": type(e).__name__}, b"fault"
            for panel in watching:
                if panel.shown != text:
                    panel.shown = text
                    self._seq += 1
                    self._send(
                        panel, {"op": "state", "seq": self._seq, **msgspec.json.decode(_json.encode(state))}
                    )
            took = time.monotonic() - began
            period = min((panel.period for panel in watching), default=0.0)
            await asyncio.sleep(max(period, took * (1 / SHARE - 1)))
        self._task = None

    # --- what panels say ----------------------------------------------------------------------

    def _heard(self, panel: Panel, data: Mapping[str, Any]) -> None:
        op = data.get("op")
        if op == "watch":
            self._watch(panel, data)
        elif op == "undock":
            self._ended(panel, data)
        elif op in self._WORK:
            # Off the loop: a line waits for what the loop does.
            loop().asyncio.run_in_executor(None, self._answer, panel, str(op), dict(data))

    def _ended(self, panel: Panel, data: Mapping[str, Any]) -> None:
        """A view beside the notebook was closed: its own comm may be gone before it could say so."""
        of = data.get("of")
        words = [str(word) for word in of] if isinstance(of, list) else []
        docked = self._docked.get((panel.client, str(data.get("view", "")), *words))
        if docked is not None:
            docked.end()

    def _answer(self, panel: Panel, op: str, data: dict[str, Any]) -> None:
        answer: dict[str, Any] = {"op": "answer", "id": data.get("id")}
        try:
            answer |= self._WORK[op](self, data)
        except Exception as e:  # a fault of ours must not leave the panel waiting
            answer |= _refused(e)
        loop().post(self._send, panel, answer)
        if op == "run":
            loop().post(self._dirty.set)

    def _do(self, data: Mapping[str, Any]) -> dict[str, Any]:
        result = self._run(str(data.get("line", ""))[:10_000])
        return {"said": _said(result), "lab": _began()}

    def _look(self, data: Mapping[str, Any]) -> dict[str, Any]:
        kind, name, of = (str(data.get(key, ""))[:300] for key in ("kind", "name", "of"))
        known = self._facts
        return {"facts": inspect(known, kind, name, of) if known is not None else []}

    def _complete(self, data: Mapping[str, Any]) -> dict[str, Any]:
        return editing.complete(*_place(data))

    def _help(self, data: Mapping[str, Any]) -> dict[str, Any]:
        return {"help": editing.explain(*_place(data))}

    def _check(self, data: Mapping[str, Any]) -> dict[str, Any]:
        return {"found": editing.check(str(data.get("cell", "")))}

    _WORK: dict[str, Callable[[Hub, Mapping[str, Any]], dict[str, Any]]] = {
        "run": _do,
        "inspect": _look,
        "complete": _complete,
        "help": _help,
        "check": _check,
    }


def _said(result: object) -> str:
    """The first line of what a line gave back."""
    return "" if result is None else one_line(repr(result).partition("\n")[0], 300)


def _refused(e: Exception) -> dict[str, str]:
    if isinstance(e, NatslabError):
        return {"error": e.what, "hint": e.hint}
    return {"error": f"This could not be done: {type(e).__name__}.", "hint": ""}


def _began() -> float:
    """When the lab that there is began; 0 when there is none."""
    try:
        return facts.began(labs.current())
    except LabError:
        return 0


def _place(data: Mapping[str, Any]) -> tuple[str, int, int]:
    return str(data.get("cell", "")), int(data.get("line", 0)), int(data.get("column", 0))
