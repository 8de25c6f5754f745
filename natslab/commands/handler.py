"""The Python of a `%%nats reply` cell: `def handle(msg)`, called for each request."""

from __future__ import annotations

import asyncio
import inspect
import json
from collections.abc import Callable, Mapping
from typing import Any

from natslab.commands.results import Message
from natslab.commands.words import as_bytes
from natslab.errors import CommandError, HandlerError

_HINT = "Write: def handle(msg): return 'an answer'"


class Names(dict[str, Any]):
    """The cell's own names first, then those of the notebook as they are at that moment."""

    def __init__(self, outer: Mapping[str, Any], **own: Any) -> None:
        super().__init__(own)
        self._outer = outer

    def __missing__(self, name: str) -> Any:
        return self._outer[name]


class Handler:
    """The function `handle` of a cell body.

    Parameters
    ----------
    source: the Python.
    outer: names of the notebook that it may use.
    printed: gets each line that it prints.

    Raises CommandError when the source is no Python, raises, or has no `handle`.
    """

    def __init__(self, source: str, outer: Mapping[str, Any], printed: Callable[[str], object]) -> None:
        def to_handle(*values: object, sep: str | None = " ", end: str | None = "\n", **_: object) -> None:
            text = (" " if sep is None else sep).join(map(str, values))
            for line in text.split("\n"):
                printed(line)

        try:
            code = compile(source, "<%%nats reply>", "exec")
        except SyntaxError as e:
            where = f" in line {e.lineno} of the cell body" if e.lineno else ""
            raise CommandError(f"The handler is not Python{where}: {e.msg}.", _HINT) from None
        except (ValueError, RecursionError, MemoryError) as e:
            raise CommandError(f"The handler is not Python: {e}.", _HINT) from None
        names = Names(outer, __name__="__main__", print=to_handle)
        try:
            exec(code, names)
        except Exception as e:
            raise CommandError(f"The cell raises {type(e).__name__}: {e}.", _HINT) from None
        found = dict.get(names, "handle")
        if not callable(found):
            raise CommandError("The cell does not define a function handle.", _HINT)
        self._handle: Callable[[Message], Any] = found

    def __call__(self, message: Message) -> bytes | None:
        """The answer's payload, or None for no answer; on the handler's own thread.

        Raises what the person's code raises, HandlerError for an answer that cannot be sent.
        """
        result = self._handle(message)
        if inspect.isawaitable(result):
            result = asyncio.run(_awaited(result))
        return payload(result)


async def _awaited(result: Any) -> Any:
    return await result


def payload(result: Any) -> bytes | None:
    """What a handler returned, as bytes: text, bytes, JSON for the rest, None for no answer."""
    if result is None:
        return None
    if isinstance(result, (bytes, bytearray, memoryview)):
        return bytes(result)
    if isinstance(result, str):
        return as_bytes(result)
    try:
        return json.dumps(result).encode()
    except (TypeError, ValueError):
        raise HandlerError(
            f"The handler returned {type(result).__name__}, which cannot be sent.",
            "Return text, bytes, a dict or a list of plain values, or None for no answer.",
        ) from None
