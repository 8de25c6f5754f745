"""What goes wrong between a command and the broker, in sentences."""

from __future__ import annotations

import asyncio
import re
import ssl

import nats.errors

from natslab.errors import ClientError, LabError, NatslabError, NoResponders, ServerError, Timeout

_PERMISSION = re.compile(r"permissions violation for (publish|subscription) to \"(.*?)\"", re.IGNORECASE)


def said(error: BaseException | str) -> str:
    """The broker's or system's own words, without prefix and final dot."""
    text = str(error) or type(error).__name__
    return " ".join(text.removeprefix("nats: ").strip("'\"").split()).rstrip(".")


def sentence(
    error: BaseException, *, doing: str, where: str = "the server", timeout: float = 0.0
) -> NatslabError:
    """The natslab error for whatever a command ran into.

    Parameters
    ----------
    error: what was raised.
    doing: the verb, for the sentence.
    where: which server, without credentials.
    timeout: seconds that were waited.
    """
    if isinstance(error, NatslabError):
        return error
    if isinstance(error, nats.errors.NoRespondersError):
        return NoResponders(
            f"{doing}: nobody answers there.",
            "Is a subscriber or a stream on that subject? %nats trace SUBJECT shows.",
        )
    if isinstance(error, nats.errors.MaxPayloadError):
        return ClientError(
            f"{doing}: the payload is larger than {where} takes.", "Send less, or raise max_payload."
        )
    if isinstance(error, nats.errors.AuthorizationError) or "authorization violation" in str(error).lower():
        return ClientError(
            f"{where} refused the login (authorization violation).",
            "Check user, password or credentials; without any of these flags the lab's own login is used.",
        )
    if (found := _PERMISSION.search(str(error))) is not None:
        act = "publish to" if found[1].lower() == "publish" else "subscribe to"
        return ClientError(
            f"This user may not {act} {found[2]}.",
            "%nats account info shows what it may; or use another user.",
        )
    if isinstance(
        error, (nats.errors.ConnectionClosedError, nats.errors.StaleConnectionError, ConnectionResetError)
    ):
        if doing == "Connecting":  # the reset that follows a refusal may overtake its reason
            return ClientError(
                f"{where} closed the connection at once: it refused the login, or is going down.",
                "Check user, password or credentials; %natslab status shows whether the server is up.",
            )
        return ClientError(
            f"{doing}: the connection to {where} was closed.", "Is the server up? %natslab status shows."
        )
    if isinstance(error, nats.errors.OutboundBufferLimitError):
        return ClientError(
            f"{doing}: {where} is not connected and the client's buffer is full.",
            "%natslab status shows the server.",
        )
    if isinstance(error, (nats.errors.TimeoutError, TimeoutError, asyncio.TimeoutError)):
        waited = f" within {timeout:g} s" if timeout else ""
        return Timeout(
            f"{doing}: {where} did not answer{waited}.",
            "Is it frozen or gone? %natslab status shows; --timeout waits longer.",
        )
    if isinstance(error, ConnectionRefusedError) or "connect call failed" in str(error).lower():
        return ClientError(
            f"Nothing listens at {where}: connection refused.",
            "Start that server, or leave out --server to use the lab of this notebook.",
        )
    if isinstance(error, nats.errors.NoServersError):
        return ClientError(f"No server could be reached at {where}.", "Check the address and the login.")
    if isinstance(error, ssl.SSLError):
        return ClientError(
            f"{where}: the TLS handshake failed: {said(error)}.", "Check --tlsca, --tlscert and the address."
        )
    if isinstance(error, UnicodeError):
        return ClientError(f"{where} is not an address: {said(error)}.", "Write it as nats://HOST:PORT")
    if isinstance(error, OSError):
        why = error.strerror or said(error)
        return ClientError(
            f"{where} cannot be reached: {why}.", "Check the address; without --server the lab is used."
        )
    if isinstance(error, nats.errors.Error):
        return ClientError(
            f"{doing}: {said(error)}.", f"{where} said so; %natslab log shows the server's side."
        )
    return ClientError(
        f"{doing} failed: {type(error).__name__}: {said(error)}.",
        "This is a fault of natslab; please report the line you typed.",
    )


def closed_lab(error: LabError) -> bool:
    """Whether the error only says that the lab is gone."""
    return not isinstance(error, ServerError)
