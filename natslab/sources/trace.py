"""How the servers routed each traced message, in their own words (ADR-41, message tracing).

Each server that a message visits publishes one report on the message's `_NATSLAB.<client no>.<n>`;
an egress to another server names the `hop` under which that server's report follows.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from datetime import datetime
from typing import Literal

import msgspec
from nats.aio.msg import Msg

from natslab.servers.fleet import Fleet
from natslab.servers.headers import TRACE_PREFIX
from natslab.servers.hub import Hub
from natslab.sources.ears import Ears
from natslab.tape.event import End, Hop
from natslab.tape.tape import Tape

DELAY = 0.01  # seconds that reports are collected before they are read
PATIENCE = 1.0  # seconds after which a part of a trace is missing; it takes 0.2 ms in a healthy lab
BELATED = 60.0  # seconds in which a part that was missing may still come: a wire was held, a server frozen

_VIA = {0: "client", 1: "route", 2: "gateway", 3: "system", 4: "leafnode", 5: "jetstream", 6: "account"}
_LINKS = ("route", "gateway", "leafnode")
_STEPS: dict[str, Literal["in", "map", "export", "import", "store", "egress"]] = {
    "in": "in",
    "sm": "map",
    "se": "export",
    "si": "import",
    "js": "store",
    "eg": "egress",
}


class _Step(msgspec.Struct, rename={"came_from": "from"}):
    type: str
    ts: datetime
    kind: int = 0
    cid: int = 0
    name: str = ""
    acc: str = ""
    subj: str = ""
    sub: str = ""
    queue: str = ""
    to: str = ""
    came_from: str = ""
    stream: str = ""
    subject: str = ""
    error: str = ""
    nointerest: bool = False
    hop: str = ""


class _Server(msgspec.Struct):
    name: str


class _Request(msgspec.Struct):
    header: dict[str, list[str]] = {}


class _Report(msgspec.Struct):
    server: _Server
    request: _Request
    events: list[_Step]
    hops: int = 0

    @property
    def hop(self) -> str:
        """Which part of the message's way this is; empty where it was published."""
        return next(iter(self.request.header.get("Nats-Trace-Hop", ())), "")


_decoder = msgspec.json.Decoder(_Report)


class _Journey:
    """What is known of one message's way so far."""

    def __init__(self) -> None:
        self.began = time.monotonic()
        self.waiting: dict[str, _Report] = {}  # parts whose cause was not seen yet, by hop
        self.expected = {""}  # hops announced, the root included, and not seen
        self.told: set[str] = set()  # hops seen
        self.torn = False  # a part is missing: what comes is told as it comes
        self.promised = 1  # how many reports there must be
        self.seen = 0
        self.client = ""
        self.first = self.last = 0.0
        self.reached = 0
        self.stored = False
        self.refused = False
        self.border = False  # crossed into another account, whose server may not tell more


class Traces:
    """Puts each step of each traced message on the tape, and an End when its way is complete.

    Of a way of which a part is missing after 1 s, and what delayed wires add to that, the steps that are
    known are told; the part may still come, and with it the End.
    """

    def __init__(self, fleet: Fleet, hub: Hub, tape: Tape) -> None:
        self._fleet = fleet
        self._hub = hub
        self._tape = tape
        self._ears = Ears(fleet, fleet.watcher)
        self._heard: list[Msg] = []
        self._journeys: dict[str, _Journey] = {}
        self._ended = asyncio.Event()

    async def start(self) -> None:
        """Begin. Raises ServerError when no server answers."""
        await self._ears.listen(f"{TRACE_PREFIX}>", self._hear)

    async def stop(self) -> None:
        """End."""
        await self._ears.stop()

    async def settled(self, timeout: float = 1.0) -> bool:
        """Wait until every traced publish of the last second has its End, at most `timeout` seconds.

        Returns whether all have.
        """
        end = time.monotonic() + timeout
        while True:
            self._ended.clear()
            self._hub.flush()
            now = time.time()
            open_ = [at for at in tuple(self._hub.awaited.values()) if 0 <= now - at < PATIENCE]
            left = min(end - time.monotonic(), max((at + PATIENCE - now for at in open_), default=0.0))
            if not open_ or left <= 0:
                return not self._hub.awaited
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(left):
                    await self._ended.wait()

    async def _hear(self, msg: Msg) -> None:
        if not self._heard:
            # Later, once for all that came by then: the learner's thread may be waiting for an answer
            # right now, and there is one interpreter for both (measured: half of a request's time).
            asyncio.get_running_loop().call_later(DELAY, self._tell)
        self._heard.append(msg)

    def _tell(self) -> None:
        heard, self._heard = self._heard, []
        self._hub.flush()  # the publish comes before its steps
        for msg in heard:
            try:
                said = _decoder.decode(msg.data)
            except msgspec.DecodeError:
                continue  # anybody may publish here; a server's report has this form
            message = "c/" + msg.subject.removeprefix(TRACE_PREFIX).replace(".", "/")
            journey = self._journeys.setdefault(message, _Journey())
            journey.waiting[said.hop] = said
            self._advance(message, journey)
        self._give_up()

    def _advance(self, message: str, journey: _Journey) -> None:
        progress = True
        while progress:
            progress = False
            for hop in sorted(journey.waiting):
                if hop in journey.expected or journey.torn:
                    journey.expected.discard(hop)
                    self._append(message, journey, journey.waiting.pop(hop))
                    progress = True
        if not journey.expected and journey.seen >= journey.promised:
            del self._journeys[message]
            self._end(message, journey)

    def _append(self, message: str, journey: _Journey, said: _Report) -> None:
        journey.seen += 1
        journey.told.add(said.hop)
        journey.promised += said.hops
        place, subject = said.server.name, ""
        for step in said.events:
            kind = _STEPS.get(step.type)
            if kind is None:
                continue
            via = _VIA.get(step.kind, str(step.kind))
            at = step.ts.timestamp()
            journey.first, journey.last = journey.first or at, max(journey.last, at)
            name = ""
            if kind in ("in", "egress"):
                name = self._hub.name_of(place, step.cid, step.name) if via == "client" else step.name
            if kind == "in":
                subject = step.subj
                if not said.hop:
                    journey.client = name
                journey.refused |= bool(step.error)
            elif kind == "egress":
                if step.hop and step.hop not in journey.told:
                    journey.expected.add(step.hop)
                if via not in _LINKS and not step.error:
                    journey.reached += 1
            elif kind == "store":
                journey.stored |= not step.error and not step.nointerest
            elif kind in ("export", "import"):
                journey.border = True
            self._tape.append(
                Hop(
                    t=at - self._tape.started,
                    source="trace",
                    place=place,
                    id=message,
                    step=kind,
                    via=via,
                    cid=step.cid,
                    client=name,
                    account=step.acc,
                    subject=step.subject or step.came_from or subject,
                    sub=step.sub,
                    queue=step.queue,
                    to=step.to,
                    stream=step.stream,
                    error=step.error or ("no interest" if step.nointerest else ""),
                    hop=step.hop or (said.hop if kind == "in" else ""),
                )
            )
            if kind == "map":
                subject = step.to

    def _end(self, message: str, journey: _Journey) -> None:
        outcome: Literal["delivered", "nobody", "refused"] | None = "nobody"
        if journey.refused:
            outcome = "refused"
        elif journey.reached or journey.stored:
            outcome = "delivered"
        elif journey.border:
            outcome = None  # what happened in the other account was not told
        if outcome is not None:
            self._tape.append(
                End(
                    t=journey.last - self._tape.started,
                    source="trace",
                    of="trace",
                    id=message,
                    client=journey.client,
                    outcome=outcome,
                    count=journey.reached,
                    took=max(0.0, journey.last - journey.first),
                )
            )
        self._hub.awaited.pop(message, None)
        self._ended.set()

    @property
    def _patience(self) -> float:
        return PATIENCE + 2 * max((link.delay for link in self._fleet.links.values()), default=0.0)

    def _give_up(self) -> None:
        """Put on the tape what is known of ways that will not be complete soon."""
        now = time.monotonic()
        late = now - self._patience
        for message, journey in tuple(self._journeys.items()):
            if journey.began > late:
                break
            if not journey.torn:
                journey.torn = True
                self._advance(message, journey)
            if journey.began < now - BELATED:
                self._journeys.pop(message, None)
