"""The consumer that a line names: what the server knows of it, or which name was meant."""

from __future__ import annotations

import difflib
from typing import Any

import nats.errors

from natslab.commands.jsnames import check_name, pick_stream
from natslab.commands.replicas import SOON, calm
from natslab.errors import CommandError, NatslabError, there
from natslab.servers.jsapi import Api, JetStreamError

NO_STREAM, NO_CONSUMER = 10059, 10014


async def pick(api: Api, stream: str | None, consumer: str | None) -> tuple[str, str]:
    """Both names: those of the line, or the only ones there are. Raises CommandError."""
    stream = await pick_stream(api, stream)
    if consumer is not None:
        return stream, check_name(consumer, "consumer")
    found = await names(api, stream)
    if len(found) == 1:
        return stream, found[0]
    if not found:
        raise CommandError(
            f"{stream} has no consumers.", f"Make one: %js consumer add {stream} billing --pull --defaults"
        )
    raise CommandError("Which consumer?", there(found))


async def info(api: Api, stream: str, consumer: str) -> dict[str, Any]:
    """CONSUMER.INFO. Raises JetStreamError with the nearest name when there is no such one."""
    subject = f"CONSUMER.INFO.{stream}.{consumer}"
    try:
        return await calm(api, subject, await api.call(subject), SOON)
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
            what = f"{stream} has no consumer {consumer}."
            none = f"{stream} has no consumers: %js consumer add {stream} {consumer} --pull --defaults"
            near = difflib.get_close_matches(consumer, found, 1, 0.6)
        elif error.code == NO_STREAM:
            found = await api.pages("STREAM.NAMES", "streams")
            what = f"There is no stream {stream}."
            if stream in found:  # a leader has taken the deletion in, and the others have not agreed yet
                what = f"{stream} is being deleted: it is still listed, and cannot be used."
                return JetStreamError(what, "See: %js stream ls", error.code, error.status, error.description)
            none = f"There are no streams: %js stream add {stream} --subjects '{stream.lower()}.>' --defaults"
            near = difflib.get_close_matches(stream, found, 1, 0.6)
        else:
            return error
    except (NatslabError, nats.errors.Error):
        return error
    hint = f"Did you mean {near[0]}?" if near else there(sorted(found), 10) if found else none
    return JetStreamError(what, hint, error.code, error.status, error.description)
