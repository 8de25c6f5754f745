"""What JetStream's error codes mean, in sentences with the names that the request used."""

from __future__ import annotations

from typing import Any


def explain(code: int, subject: str, body: dict[str, Any], description: str) -> tuple[str, str]:
    """What was wrong, and what to do.

    Parameters
    ----------
    code: the server's error code (nats-server, errors.json), e.g. 10065; 0 when it gave none.
    subject: of the API request without its prefix, e.g. STREAM.CREATE.ORDERS; or of a publish.
    body: of the API request.
    description: the server's own words.
    """
    said = " ".join(description.split()).rstrip(".")
    return f"JetStream refused: {said} (error {code}).", "Nothing was changed."
