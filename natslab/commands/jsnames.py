"""Names in JetStream: which can be used, and which one is meant when a line does not say."""

from __future__ import annotations

import re

from natslab.errors import CommandError, there
from natslab.servers.jsapi import Api

_WRONG = re.compile(r"[.*>/\\\s]|[^\x21-\x7e]")
_LONGEST = 255


def check_name(name: str, what: str) -> str:
    """The name of a stream, consumer or bucket (`what`), when the server can use it.

    The server's rule: no blank, dot, wildcard, slash or character that cannot be printed, at most 255.
    Raises CommandError.
    """
    if not name:
        raise CommandError(f"The name of the {what} is empty.", "Give it one, for example ORDERS")
    found = _WRONG.search(name)
    if found is not None:
        better = re.sub(r"-{2,}", "-", _WRONG.sub("-", name)).strip("-")[:60]
        sign = {" ": "a blank", ".": "a dot", "\t": "a tab"}.get(found[0], repr(found[0]))
        raise CommandError(
            f"{name[:60]!r} cannot be the name of a {what}: it holds {sign}.",
            f"Use letters, digits, - and _{': ' + better if better else ''}",
        )
    if len(name) > _LONGEST:
        raise CommandError(f"The name of the {what} has {len(name)} letters.", f"Use at most {_LONGEST}.")
    return name


def is_internal(stream: str) -> bool:
    """Whether the stream holds a bucket or belongs to the server; `ls` shows those with --all only."""
    return stream.startswith(("KV_", "OBJ_", "$"))


def unshown(n: int) -> str:
    """The note of a list that leaves out the streams behind buckets."""
    return f"{n} {'stream' if n == 1 else 'streams'} of buckets not shown; --all shows all."


async def pick_stream(api: Api, name: str | None) -> str:
    """The stream that is meant: the one named, or the only one there is. Raises CommandError."""
    if name is not None:
        return check_name(name, "stream")
    names = await api.pages("STREAM.NAMES", "streams")
    ours = sorted(n for n in names if not is_internal(n)) or sorted(names)
    if len(ours) == 1:
        return str(ours[0])
    if not ours:
        raise CommandError("There is no stream yet.", "Make one: %js stream add ORDERS --subjects 'orders.>'")
    raise CommandError("Which stream?", there(ours))
