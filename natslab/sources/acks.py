"""What becomes of deliveries: the acks on the wire, and the consumers' own state."""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
import time
from typing import Any

from nats.aio.msg import Msg
from nats.aio.subscription import Subscription

from natslab.servers.config import LEARNER
from natslab.servers.fleet import Fleet
from natslab.servers.hub import Hub
from natslab.sources.ackreply import Attempt, parse
from natslab.tape.event import Ack
from natslab.tape.tape import Tape

DELAY = 0.01  # seconds that acks are collected before they are told, as traces are
WIRE = 256  # characters of a body that are kept

_UNITS = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}
_PART = re.compile(r"([0-9.]+)(ns|us|µs|ms|s|m|h)")


class Acks:
    """Puts every ack, nak, term and wpi that a client sent on the tape."""

    def __init__(self, fleet: Fleet, hub: Hub, tape: Tape) -> None:
        self._fleet = fleet
        self._hub = hub
        self._tape = tape
        self._sub: Subscription | None = None
        self._heard: list[tuple[float, str, bytes]] = []

    async def start(self) -> None:
        """Begin. Raises ServerError when no server answers."""
        watcher = await self._fleet.watcher()
        self._sub = await watcher.subscribe(f"{LEARNER}.$JS.ACK.>", cb=self._hear)
        for _ in range(2):
            await watcher.flush()

    async def stop(self) -> None:
        """End, with what was heard so far on the tape."""
        if self._sub is not None:
            with contextlib.suppress(Exception):  # the connection may be gone
                await self._sub.unsubscribe()
            self._sub = None
        self.flush()

    async def _hear(self, msg: Msg) -> None:
        if not self._heard:
            asyncio.get_running_loop().call_later(DELAY, self.flush)
        self._heard.append((time.time(), msg.subject, msg.data))

    def flush(self) -> None:
        """Put what was heard so far on the tape."""
        if not self._heard:
            return
        heard, self._heard = self._heard, []
        self._hub.flush()  # the delivery comes before its ack
        for at, subject, body in heard:
            reply = subject.removeprefix(f"{LEARNER}.")
            attempt = parse(reply)
            said = answer(body)
            if attempt is not None and said is not None:
                self._tell(at, reply, attempt, body, said)

    def _tell(self, at: float, reply: str, attempt: Attempt, body: bytes, said: dict[str, Any]) -> None:
        self._tape.append(
            Ack(
                t=at - self._tape.started,
                source="acks",
                stream=attempt.stream,
                consumer=attempt.consumer,
                seq=attempt.seq,
                cseq=attempt.cseq,
                attempt=attempt.attempt,
                client=self._hub.ackers.pop(reply, ""),
                wire=body.decode(errors="replace")[:WIRE],
                **said,
            )
        )


def answer(body: bytes) -> dict[str, Any] | None:
    """What the body of an ack says, as fields of an Ack; None for what the server passes over."""
    if body in (b"", b"+ACK", b"+OK") or body.startswith(b"+NXT"):
        return {"verb": "ack"}
    if body.startswith(b"-NAK"):
        return {"verb": "nak", "delay": _delay(body[4:].decode(errors="replace").strip())}
    if body == b"+WPI":
        return {"verb": "wpi"}
    if body.startswith(b"+TERM"):
        return {"verb": "term", "reason": body[5:].decode(errors="replace").strip()}
    return None


def _delay(text: str) -> float:
    """Seconds of `{"delay": <ns>}` or of a Go duration, e.g. 1.5s; 0 for what is neither."""
    if text.startswith("{"):
        with contextlib.suppress(ValueError, TypeError, AttributeError):
            return max(0.0, float(json.loads(text).get("delay", 0)) / 1e9)
        return 0.0
    return sum(float(n) * _UNITS[unit] for n, unit in _PART.findall(text)) if text else 0.0
