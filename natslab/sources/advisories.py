"""What the servers announce about JetStream on $JS.EVENT.>."""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from datetime import datetime
from typing import Any

from nats.aio.msg import Msg

from natslab.servers.config import LEARNER
from natslab.servers.fleet import Fleet
from natslab.servers.hub import Hub
from natslab.sources.acks import Acks
from natslab.sources.ears import Ears
from natslab.sources.monitor import Monitor
from natslab.tape.event import Ack, Snap
from natslab.tape.tape import Tape

DELAY = 0.01  # seconds that announcements are collected before they are told
MOST = 200  # of one kind that are told in a second
LONG = 2_000  # characters of a request that are told

_DULL = ("INFO", "LIST", "NAMES", "MSG.GET", "MSG.NEXT", "DIRECT.GET")  # requests that change nothing
_FAMILY = "io.nats.jetstream."


class Advisories:
    """Puts what the servers announce on the tape.

    A Snap "advisory" with the announcement's own fields, without what identifies it; of the audit of API
    requests only those that change something, with `client` (a label) and `request` decoded: None where
    it is not known, in a cluster, of a client that is not the lab's. For a message
    that reached max_deliver also an Ack "exhausted". Nak, term and ack announcements confirm what was
    heard on the wire, and are told only if it was not.
    """

    def __init__(self, fleet: Fleet, hub: Hub, tape: Tape, acks: Acks, monitor: Monitor) -> None:
        self._fleet = fleet
        self._hub = hub
        self._tape = tape
        self._acks = acks
        self._monitor = monitor
        self._ears = Ears(fleet, fleet.watcher)
        self._heard: list[Msg] = []
        self._timer: asyncio.TimerHandle | None = None
        self._rates: dict[str, tuple[float, int]] = {}

    async def start(self) -> None:
        """Begin. Raises ServerError when no server answers."""
        await self._ears.listen(f"{LEARNER}.$JS.EVENT.>", self._hear)

    async def stop(self) -> None:
        """End, with what was heard so far on the tape."""
        await self._ears.stop()
        self.flush()

    async def heard(self) -> None:
        """Wait until what the servers announced, and told their watchers, has been heard.

        Raises ServerError or a nats error when no server answers.
        """
        await self._ears.flush()

    async def _hear(self, msg: Msg) -> None:
        if ".METRIC.CONSUMER.ACK." in msg.subject:
            with contextlib.suppress(ValueError, KeyError, TypeError):
                said = json.loads(msg.data)
                seconds = int(said["ack_time"]) / 1e9
                self._acks.measured(said["stream"], said["consumer"], int(said["consumer_seq"]), seconds)
            return
        self._heard.append(msg)
        if ".ADVISORY.STREAM." in msg.subject or ".CONSUMER.DELETED." in msg.subject:
            # At once: what comes after it may be about another one of the same name.
            self.flush()
        elif self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(DELAY, self.flush)

    def flush(self) -> None:
        """Put what was heard so far on the tape."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if not self._heard:
            return
        heard, self._heard = self._heard, []
        self._acks.flush()
        self._hub.flush()
        for msg in heard:
            try:
                said = json.loads(msg.data)
                self._tell(said)
            except (ValueError, KeyError, TypeError, AttributeError):
                continue  # anybody may publish here; a server's announcement has the form of one

    def _tell(self, said: dict[str, Any]) -> None:
        kind = str(said["type"]).removeprefix(_FAMILY)
        t = datetime.fromisoformat(said["timestamp"]).timestamp() - self._tape.started
        if kind == "advisory.v1.max_deliver":
            self._exhausted(t, said)
        elif kind in ("advisory.v1.nak", "advisory.v1.terminated"):
            self._acks.confirmed(
                t,
                str(said["stream"]),
                str(said["consumer"]),
                int(said["stream_seq"]),
                int(said["consumer_seq"]),
                int(said["deliveries"]),
                "nak" if kind.endswith("nak") else "term",
                str(said.get("reason", "")),
            )
            return
        data = {key: value for key, value in said.items() if key not in ("id", "timestamp", "type")}
        if kind == "advisory.v1.api_audit":
            audited = self._audit(data)
            if audited is None:
                return
            data = audited
            self._monitor.wake()
        if self._allowed(kind):
            self._tape.append(
                Snap(
                    t=t,
                    source="advisories",
                    place=str(said.get("server") or said.get("leader") or self._place(said)),
                    what="advisory",
                    data={"type": str(said["type"]), **data},
                )
            )

    def _place(self, said: dict[str, Any]) -> str:
        """Who has announced what does not say so: the only server, or the leader of what it is about."""
        if len(self._fleet.servers) == 1:
            return next(iter(self._fleet.servers))
        of = tuple(str(said[key]) for key in ("stream", "consumer") if said.get(key))
        leader = self._monitor.leader(of)
        # Who misses its quorum counts itself as current (measured), and may be an old leader that is cut off.
        current = [str(one["name"]) for one in said.get("replicas") or () if one.get("current")]
        if not current or leader in current:
            return leader
        return current[0] if len(current) == 1 else ""

    def _allowed(self, kind: str) -> bool:
        now = time.monotonic()
        since, some = self._rates.get(kind, (now, 0))
        if now - since >= 1.0:
            since, some = now, 0
        self._rates[kind] = since, some + 1
        return some < MOST

    def _audit(self, data: dict[str, Any]) -> dict[str, Any] | None:
        """An API request that changed something; None for others."""
        subject = str(data["subject"])
        if any(f".{word}." in f"{subject}." for word in _DULL):
            return None
        asker = data.get("client") or {}
        at = str(asker.get("server") or data.get("server", ""))
        label = self._hub.name_of(at, int(asker["id"]), str(asker.get("name", "")))
        body: str | None = str(data.get("request") or "")
        if not body and len(self._fleet.servers) > 1:
            known = self._hub.request_of(subject, label)
            body = known.decode(errors="replace") if known is not None else None
        answer: dict[str, Any] = {}
        with contextlib.suppress(ValueError):
            answer = json.loads(data.get("response") or "{}")
        if "error" in answer:
            return None
        request: Any = body[:LONG] if body is not None else None
        with contextlib.suppress(ValueError):
            decoded = json.loads(body) if body and len(body) <= LONG else None
            request = decoded if isinstance(decoded, dict) else request
        audited = {"subject": subject, "request": request, "client": label}
        return audited | ({"purged": answer["purged"]} if "purged" in answer else {})

    def _exhausted(self, t: float, said: dict[str, Any]) -> None:
        self._tape.append(
            Ack(
                t=t,
                source="advisories",
                place=self._place(said),
                stream=str(said["stream"]),
                consumer=str(said["consumer"]),
                seq=int(said["stream_seq"]),
                verb="exhausted",
                attempt=int(said["deliveries"]),
            )
        )
