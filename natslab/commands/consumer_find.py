"""The consumer that a line names: what the server knows of it, or which name was meant."""

from __future__ import annotations

import difflib
import re
from typing import Any

import nats.errors

from natslab.commands.results import one_line
from natslab.errors import CommandError, NatslabError
from natslab.servers.jsapi import Api, JetStreamError

NO_STREAM, NO_CONSUMER = 10059, 10014

_BAD = re.compile(r"[\s.*>/\\\x00-\x1f]")


def named(path: str, stream: str | None, consumer: str | None) -> tuple[str, str]:
    """Both names, checked. Raises CommandError when one is missing or cannot be a name."""
    if not stream or not consumer:
        what = "a stream and a consumer" if not stream else "a consumer"
        raise CommandError(
            f"{path} needs {what}.", f"For example: %js {path} {one_line(stream or 'ORDERS', 40)} billing"
        )
    check_name("stream", stream)
    check_name("consumer", consumer)
    return stream, consumer


def named_stream(path: str, stream: str | None) -> str:
    """The stream's name, checked."""
    if not stream:
        raise CommandError(f"{path} needs a stream.", f"For example: %js {path} ORDERS")
    check_name("stream", stream)
    return stream


def check_name(what: str, name: str) -> None:
    """Say no to a name that JetStream cannot use; it is a word of its API's subjects."""
    found = _BAD.search(name)
    if found is not None or not name.isprintable():
        sign = repr(found[0]) if found is not None else "a control character"
        raise CommandError(
            f"{one_line(name, 60)!r} cannot be the name of a {what}: it holds {sign}.",
            "Use letters, digits, - and _.",
        )
    if len(name) > 255:
        raise CommandError(f"The name of the {what} has {len(name)} characters.", "Use at most 255.")


async def info(api: Api, stream: str, consumer: str) -> dict[str, Any]:
    """CONSUMER.INFO. Raises JetStreamError with the nearest name when there is no such one."""
    try:
        return await api.call(f"CONSUMER.INFO.{stream}.{consumer}")
    except JetStreamError as e:
        raise await missing(api, stream, consumer, e) from None


async def maybe(api: Api, stream: str, consumer: str) -> dict[str, Any] | None:
    """CONSUMER.INFO, or None when the stream has no such consumer."""
    try:
        return await api.call(f"CONSUMER.INFO.{stream}.{consumer}")
    except JetStreamError as e:
        if e.code == NO_CONSUMER:
            return None
        raise await missing(api, stream, consumer, e) from None


async def names(api: Api, stream: str) -> list[str]:
    """The consumers of a stream, sorted. Raises JetStreamError with the nearest name for no stream."""
    try:
        return sorted(await api.pages(f"CONSUMER.NAMES.{stream}", "consumers"))
    except JetStreamError as e:
        raise await missing(api, stream, "", e) from None


async def consumers(api: Api, stream: str) -> list[dict[str, Any]]:
    """CONSUMER.LIST of a stream, by name."""
    try:
        found = await api.pages(f"CONSUMER.LIST.{stream}", "consumers")
    except JetStreamError as e:
        raise await missing(api, stream, "", e) from None
    return sorted(found, key=lambda c: str(c["name"]))


async def missing(api: Api, stream: str, consumer: str, error: JetStreamError) -> JetStreamError:
    """The same error, with the names there are, when it says that a stream or consumer is not there."""
    try:
        if error.code == NO_CONSUMER:
            found = await api.pages(f"CONSUMER.NAMES.{stream}", "consumers")
            what, there = f"{stream} has no consumer {consumer}.", f"{stream} has"
            none = f"{stream} has no consumers: %js consumer add {stream} {consumer} --pull --defaults"
            near = difflib.get_close_matches(consumer, found, 1, 0.6)
        elif error.code == NO_STREAM:
            found = await api.pages("STREAM.NAMES", "streams")
            what, there = f"There is no stream {stream}.", "There is"
            none = f"There are no streams: %js stream add {stream} --subjects '{stream.lower()}.>' --defaults"
            near = difflib.get_close_matches(stream, found, 1, 0.6)
        else:
            return error
    except (NatslabError, nats.errors.Error):
        return error
    shown = ", ".join(sorted(found)[:10]) + (", …" if len(found) > 10 else "")
    hint = f"Did you mean {near[0]}?" if near else f"{there} {shown}." if found else none
    return JetStreamError(what, hint, error.code, error.status, error.description)
