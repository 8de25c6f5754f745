"""`%nats`, `%js`, `%natslab` and their `%%` forms: taken on by `%load_ext natslab`, taken away again.

Loading must be quick, so the commands, the lab and the NATS client are imported with the first line.
"""

from __future__ import annotations

import ast
import contextlib
import re
import sys
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from IPython.core.magic import no_var_expand

if TYPE_CHECKING:
    from natslab.magics.panel.door import Door

_NAMES = ("nats", "js", "natslab")
_CELL = re.compile(r"%%(nats|natslab|js)(?![\w?])[^\S\n]?(.*)")
_TICK = 200  # ms


def nats(line: str, cell: str | None = None) -> Any:
    """Run one line of the `nats` command line on the lab of this notebook.

    %nats pub orders.new hello          publish
    h = %nats sub 'orders.>'            subscribe; the messages gather in h.messages
    %nats request help.please 'hello?'  ask, and show the answer
    %nats reply help.please 'OK'        answer
    %nats trace orders.new              the way a message takes

    %%nats pub orders.new               the cell body is the payload
    %%nats reply help.please            the cell body is Python: def handle(msg): return 'OK'
    %%nats script                       the cell body is one line of the command line per line

    All verbs and flags: %nats --help, %nats pub --help
    """
    return _run("nats", line, cell)


def js(line: str, cell: str | None = None) -> Any:
    """JetStream: `%js stream ls` is `%nats stream ls`, and so for consumer, kv, object and counter.

    %js stream add ORDERS --subjects 'orders.>'   a stream that stores what is published there
    %js consumer add ORDERS billing --pull        who reads it, and how far
    %js consumer next ORDERS billing --ack        read the next message
    %js kv put CFG colour blue                    key and value

    %%js stream add ORDERS                        the cell body is the configuration, YAML or JSON
    %%js kv put CFG colour                        the cell body is the value

    All verbs and flags: %js --help, %js stream add --help. A cell that begins with %%js and nothing
    after it is JavaScript, as without natslab.
    """
    if cell is not None and not line.strip() and _loaded is not None:
        own = _loaded.before("cell", "js")
        if own is not None:
            return own(line, cell)
    return _run("js", line, cell)


def natslab(line: str, cell: str | None = None) -> Any:
    """Start, stop and look at the lab of this notebook.

    %natslab up                         start a real nats-server
    %natslab view routing               the live picture; all others: %natslab view --help
    %natslab picture routing            a still that stays in the notebook
    %natslab kill n1                    end a server like a crash; restart n1 starts it again
    %natslab down                       stop everything

    All verbs: %natslab --help
    """
    return _run("natslab", line, cell)


def _run(name: str, line: str, cell: str | None) -> Any:
    from natslab.errors import Cancelled

    try:
        from natslab.commands import parse

        if _loaded is not None:
            _loaded.connect()
        return parse(f"{name} {line}", _body(cell)).run()
    except Cancelled:
        raise
    except KeyboardInterrupt:  # before or after the command itself
        raise Cancelled() from None


def _body(cell: str | None) -> str | None:
    """The cell body as typed: IPython ends every cell with a line break that nobody typed."""
    return cell if cell is None else cell.removesuffix("\n")


class Raw:
    """Hands `%%nats` cells on before IPython touches their body (it strips `>>>` and empty lines).

    An empty body becomes one line break, so that our own error appears and not IPython's.
    """

    #: IPython then leaves it out when it asks whether the input is complete.
    has_side_effects = True

    def __call__(self, lines: list[str]) -> list[str]:
        """The cell as one call of its magic, or as it was."""
        first = next((i for i, text in enumerate(lines) if text.strip()), 0)
        found = _CELL.fullmatch(lines[first].rstrip("\r\n")) if lines else None
        if found is None or (found[1] == "js" and not found[2].strip()):
            return lines  # not ours: `%%js` alone is IPython's JavaScript
        body = "".join(lines[first + 1 :]) or "\n"
        return [f"get_ipython().run_cell_magic({found[1]!r}, {found[2].rstrip()!r}, {body!r})\n"]


class ShowEach(ast.NodeTransformer):
    """Shows the result of every line of ours, not only of the last expression of a cell."""

    def visit_Module(self, node: ast.Module) -> ast.Module:
        """The cell: its last statement is left to IPython."""
        node.body = [*map(self._shown, node.body[:-1]), *(self._inside(n) for n in node.body[-1:])]
        return ast.fix_missing_locations(node)

    def _shown(self, node: ast.stmt) -> ast.stmt:
        if not (isinstance(node, ast.Expr) and _is_ours(node.value)):
            return self._inside(node)
        module = ast.Call(
            ast.Name("__import__", ast.Load()),
            [ast.Constant("natslab.magics.display")],
            [ast.keyword("fromlist", ast.List([ast.Constant("show")], ast.Load()))],
        )
        show = ast.Call(ast.Attribute(module, "show", ast.Load()), [node.value], [])
        return ast.copy_location(ast.Expr(show), node)

    def _inside(self, node: ast.stmt) -> ast.stmt:
        # Blocks that run once. A loop could show a thousand results.
        if isinstance(node, (ast.If, ast.With, ast.AsyncWith, ast.Try)):
            for name in ("body", "orelse", "finalbody"):
                block = getattr(node, name, None)
                if block:
                    setattr(node, name, [self._shown(n) for n in block])
        if isinstance(node, ast.Try):
            for handler in node.handlers:
                handler.body = [self._shown(n) for n in handler.body]
        return node


def _is_ours(node: ast.expr) -> bool:
    return (
        isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr in ("run_line_magic", "run_cell_magic")
        and bool(node.args)
        and isinstance(node.args[0], ast.Constant)
        and node.args[0].value in _NAMES
    )


class Loaded:
    """What one IPython shell got from us, and how it is taken back."""

    def __init__(self, ip: Any) -> None:
        self.ip = ip
        self.raw = Raw()
        self.each = ShowEach()
        self._before: dict[tuple[str, str], Any] = {}
        self._tick: Any = None
        self._complete: Callable[..., Any] | None = None
        self._door: Door | None = None

    def take_on(self) -> None:
        """Register everything."""
        ip = self.ip
        for name, run in (("nats", nats), ("js", js), ("natslab", natslab)):
            for kind in ("line", "cell"):
                # `find_magic` and not the table: IPython loads its own late, and would then put it over ours.
                self._before[kind, name] = ip.find_magic(name, kind)
            ip.register_magic_function(no_var_expand(run), "line_cell", name)
        ip.input_transformers_cleanup.insert(0, self.raw)
        ip.ast_transformers.append(self.each)
        completer = getattr(ip, "Completer", None)
        if completer is not None and hasattr(completer, "custom_matchers"):
            from IPython.core.completer import context_matcher

            @context_matcher(identifier="natslab", priority=1000.0)  # type: ignore[untyped-decorator]
            def complete(context: Any) -> Any:
                from natslab.magics.complete import matches

                return matches(context)

            self._complete = complete
            completer.custom_matchers.append(complete)
        if getattr(ip, "kernel", None) is not None:
            self._start_tick()
            self._open_door(ip.kernel)
        from natslab.errors import NatslabError
        from natslab.servers.supervisor import supervisor

        threading.Thread(target=self._warm, name="natslab warm", daemon=True).start()
        try:
            supervisor()  # begins to start now, so that the first server need not wait for it
        except (OSError, NatslabError):
            return  # the first `up` says why

    def _start_tick(self) -> None:
        from tornado.ioloop import PeriodicCallback

        # Without it an interrupt does not reach a cell that awaits (measured with ipykernel 7).
        self._tick = PeriodicCallback(lambda: None, _TICK)
        self._tick.start()

    def _open_door(self, kernel: Any) -> None:
        """Let the panels of a browser in, where the kernel is one that has comms."""
        if hasattr(kernel, "comm_manager"):
            from natslab.magics.panel.door import Door

            self._door = Door(kernel, act)
            self._door.open()

    def _warm(self) -> None:
        """Get ready what the first lines need, while the person still reads."""
        with contextlib.suppress(Exception):  # the first line says what is wrong
            # natslab may also be used without a magic, as `natslab.Lab.up()`.
            self.connect()
            from natslab.commands import parse
            from natslab.loop import loop
            from natslab.servers import binary

            loop()
            binary.find()
            for line in ("natslab up", "sub a", "pub a b"):
                parse(line)  # much of what click needs is made at the first use

    def connect(self) -> None:
        """Tell commands and lab about this notebook; they are imported now."""
        from natslab import front
        from natslab.commands import words
        from natslab.magics.waiting import Waiting

        if _loaded is self:
            words.set_names(lambda: self.ip.user_ns)
            door = self._door
            doing = door.act if door is not None else act
            dock = door.dock if door is not None else None
            front.use(front.Front(act=doing, dock=dock, tell=Waiting(self.ip)))

    def before(self, kind: str, name: str) -> Any:
        """The magic ("line" or "cell") of that name before ours; None when there was none."""
        return self._before.get((kind, name))

    def take_back(self) -> None:
        """Leave the shell as it was."""
        ip = self.ip
        magics = ip.magics_manager.magics
        for (kind, name), before in self._before.items():
            if before is None:
                magics[kind].pop(name, None)
            else:
                magics[kind][name] = before
        for place, one in ((ip.input_transformers_cleanup, self.raw), (ip.ast_transformers, self.each)):
            if one in place:
                place.remove(one)
        matchers = getattr(getattr(ip, "Completer", None), "custom_matchers", [])
        if self._complete in matchers:
            matchers.remove(self._complete)
        if self._tick is not None:
            self._tick.stop()
        if "natslab.commands.words" in sys.modules:
            sys.modules["natslab.commands.words"].set_names(None)
        if "natslab.front" in sys.modules:
            sys.modules["natslab.front"].use(None)
        if self._door is not None:
            self._door.close()


_loaded: Loaded | None = None


def load(ip: Any) -> None:
    """`%load_ext natslab`."""
    global _loaded
    if _loaded is not None:
        if _loaded.ip is ip:
            return
        _loaded.take_back()
    _loaded = Loaded(ip)
    _loaded.take_on()


def unload(ip: Any) -> None:
    """`%unload_ext natslab`; a lab that is up stays up."""
    global _loaded
    if _loaded is not None:
        _loaded.take_back()
        _loaded = None


def act(line: str) -> Any:
    """Run the line behind a button and return its result. Names of the notebook mean nothing in it."""
    from natslab.commands import parse

    return parse(line, python=False).run()
