"""From a line to its result: parse, then run on the lab of this kernel."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Coroutine, Mapping
from typing import Any

from natslab import lab as labs
from natslab.commands import trouble, words
from natslab.commands.absence import because, doubt
from natslab.commands.connect import Line, masked
from natslab.commands.explain import explain
from natslab.commands.results import Result, Text
from natslab.commands.tree import NATSLAB, ROOTS, Parsed, read
from natslab.errors import Cancelled, ClientError, CommandError, LabError, NatslabError, ServerError, Timeout
from natslab.loop import run
from natslab.servers.server import Change


class Command:
    """A line, understood and ready to run.

    Attributes: `line` as typed, without credentials; `verb`, e.g. "publish" or "server list";
    `values`, what its arguments and flags say.
    """

    def __init__(self, line: str, parsed: Parsed, body: str | None) -> None:
        self.line = _canonical(masked(line))
        self.verb = parsed.path.partition(" ")[2]
        self.values = parsed.values
        self._parsed = parsed
        self._body = body

    def __repr__(self) -> str:
        return f"<command {self.line}>"

    def run(self) -> Any:
        """Do it, and wait until it is done; returns the result and prints nothing.

        Raises NatslabError when it cannot be done, Cancelled when the person interrupts.
        """
        parsed = self._parsed
        if parsed.verb is None:
            return Text(parsed.help.rstrip())
        line = Line(self.line, parsed.path, parsed.common, self._body)
        line.values = self.values
        line.given = parsed.given
        if line.common.get("explain"):
            return explain(self.verb, self.values, self._body)
        if parsed.root is not NATSLAB:
            line.check()
        self._mark(True)
        try:
            result = parsed.verb.run(line, **self.values)
            if inspect.iscoroutine(result):
                result = run(_watched(line, result))
        except Cancelled:
            raise
        except BaseException as e:
            self._mark(False)
            if isinstance(e, NatslabError):
                raise
            if isinstance(e, Exception):
                raise trouble.sentence(e, doing=self.verb, where=line.where, timeout=line.timeout) from None
            raise
        if isinstance(result, Result):
            result.wire = line.trace
            result.show(as_json=bool(parsed.common.get("json")), quiet=bool(parsed.common.get("quiet")))
        return result

    def _mark(self, ok: bool) -> None:
        verb = self._parsed.verb
        if verb is None or not verb.mark:
            return
        try:
            # `term` ends a server, or only a message.
            fault = verb.mark == "fault" and not self.values.get("consumer")
            labs.current().mark("fault" if fault else "run", self.line, ok)
        except LabError:
            return


def _canonical(line: str) -> str:
    """As it would be typed in a terminal."""
    line = line.strip().lstrip("%")
    first, _, rest = line.partition(" ")
    if first == "js":
        return f"nats {rest.strip()}"
    return line if first in ROOTS else f"nats {line}".strip()


async def _watched(line: Line, work: Coroutine[Any, Any, Any]) -> Any:
    """Do the work, and give up as soon as the server that it needs is down."""
    task = asyncio.ensure_future(work)
    gone: asyncio.Future[ServerError] = asyncio.get_running_loop().create_future()

    def heard(change: Change) -> None:
        found = line.trouble() if change.state == "down" else None
        if isinstance(found, ServerError) and not gone.done():
            gone.set_result(found)

    stop = None
    if not line.elsewhere:
        try:
            stop = labs.current().fleet.listen(heard)
        except LabError:
            stop = None
    try:
        await asyncio.wait({task, gone}, return_when=asyncio.FIRST_COMPLETED)
        if not task.done():
            # What the server sent last may still be on its way to us.
            await asyncio.wait({task}, timeout=0.2)
        if not task.done():
            raise gone.result()
        result = task.result()
        if isinstance(result, Result) and (why := await doubt(line)):
            result.notes.append(why)
        return result
    except (NatslabError, asyncio.CancelledError) as e:
        if isinstance(e, (Timeout, ClientError)):
            found = line.trouble() or await because(line, e)
            if found is not None:
                raise found from None
        raise
    except Exception as e:
        found = line.trouble()
        if found is not None:
            raise found from None
        said = trouble.sentence(e, doing=line.path.partition(" ")[2], where=line.where, timeout=line.timeout)
        raise (await because(line, said) or said) from None
    finally:
        if stop is not None:
            stop()
        # More than once: nats-py swallows a cancellation that comes while it hands over its buffer.
        for _ in range(5):
            if task.done():
                break
            task.cancel()
            await asyncio.wait({task}, timeout=0.2)
        gone.cancel()


class Script:
    """Several lines, one after the other; stops at the first that fails."""

    def __init__(self, lines: list[tuple[int, str]], names: Mapping[str, Any] | None) -> None:
        self.lines = lines
        self._names = names

    def run(self) -> Results:
        """The results of all lines.

        Raises the natslab error of the line that failed, which says the line's number.
        """
        results: list[Any] = []
        for number, text in self.lines:
            try:
                results.append(parse(text, names=self._names).run())
            except NatslabError as e:
                e.what = f"Line {number}, {_short(masked(text))}: {e.what}"
                e.args = (e.what, e.hint)
                raise
        return Results(results)


def _short(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= 60 else text[:59] + "…"


class Results(list[Any]):
    """The results of a script, shown one under the other."""

    def __repr__(self) -> str:
        return "\n".join(repr(r) for r in self)

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        printer.text(repr(self))


def parse(
    line: str, body: str | None = None, *, names: Mapping[str, Any] | None = None, python: bool = True
) -> Command | Script:
    """Read one line, with or without the leading `nats`; `natslab ...` and `js ...` are those magics' lines.

    Parameters
    ----------
    line: the words, as after `%nats` or in a terminal.
    body: the cell body of the `%%` form.
    names: what `{=expr}` may use, when not the notebook's own names.
    python: whether `{=expr}` means anything; not so in a line that holds foreign words.

    Raises CommandError when the line makes no sense. Nothing is done before `run()`.
    """
    if not isinstance(line, str) or not (body is None or isinstance(body, str)):
        raise CommandError("A line is text.", "parse('pub orders.new hello')")
    try:
        said = words.split(line)
        bare = said[1:] if said and said[0] == "nats" else said
        if bare[:1] == ["script"]:
            return _script(bare, body, names)
        parsed = read(line, names, python, body is not None)
        if body is not None and parsed.verb is not None and not parsed.verb.body:
            raise CommandError(
                f"{parsed.verb.name} takes no cell body.", f"Write it with one %: %{parsed.path} …"
            )
        if body == "" and parsed.verb is not None:
            raise CommandError(
                "The cell body is empty.", f"Write it under the line, or send nothing: %{parsed.path} … ''"
            )
    except NatslabError:
        raise
    except RecursionError:
        raise CommandError("The line is too deeply nested.", "Make it simpler.") from None
    return Command(line, parsed, body)


def _script(said: list[str], body: str | None, names: Mapping[str, Any] | None) -> Script:
    if len(said) > 1:
        raise CommandError(
            f"script cannot use the words {' '.join(said[1:])!r}.", "Put the lines in the cell body."
        )
    if body is None:
        raise CommandError(
            "script takes its lines from the cell body.", "Write %%nats script, and one line under the other."
        )
    lines = words.script(body)
    if not lines:
        raise CommandError(
            "There is no line in the cell body.", "Write for example: nats pub orders.new hello"
        )
    return Script(lines, names)
