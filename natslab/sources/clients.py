"""What the lab's own clients do: connections, subscriptions, publishes, deliveries, outcomes."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable
from typing import TypedDict

from natslab.servers import report
from natslab.servers.config import LEARNER
from natslab.servers.fleet import Fleet
from natslab.servers.hub import Hub
from natslab.sources.ackreply import Attempt, parse
from natslab.tape import event
from natslab.tape.tape import Tape

PACE = 0.05  # seconds between two looks at the hub
AGE = 0.015  # seconds in which a nak may still come that is older than the delivery it caused


class _Common(TypedDict):
    """What every event of a client has."""

    t: float
    source: str
    place: str
    client: str


class Clients:
    """Puts what the hub's clients report on the tape, 20 times a second and on `flush`.

    `place` is the server that the client is, or was last, connected to.
    """

    def __init__(self, fleet: Fleet, hub: Hub, tape: Tape) -> None:
        self._fleet = fleet
        self._hub = hub
        self._tape = tape
        #: Told of a delivery before it goes on the tape, so that its causes come first.
        self.delivering: tuple[Callable[[Attempt, report.Delivered], None], ...] = ()
        self._waiting: list[report.Report] = []
        self._places: dict[str, str] = {}
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Begin; from now on clients with the learner's login may ask for traces."""
        self._hub.trust(self._fleet.login(), LEARNER)
        self._hub.flush = self.flush
        self._task = asyncio.create_task(self._follow())

    async def stop(self) -> None:
        """End, with everything that was reported so far on the tape."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
            self._task = None
            self.flush()
        self._hub.flush = _nothing

    def flush(self) -> None:
        """Put everything that the clients reported so far on the tape, also unfinished counts."""
        self._take(force=True)

    async def _follow(self) -> None:
        while True:
            await asyncio.sleep(PACE)
            self._take(force=False)

    def _take(self, force: bool) -> None:
        waiting, self._waiting = self._waiting, []
        for said in (drained := iter([*waiting, *self._hub.drain_reports(force=force)])):
            if isinstance(said, report.Connection) and said.server:
                self._places[said.client] = said.server
            attempt = parse(said.reply) if isinstance(said, report.Delivered) else None
            if attempt is not None and attempt.attempt > 1 and not force and said.at > time.time() - AGE:
                # The nak that caused it comes another way: nobody waits, so it can.
                self._waiting = [said, *drained]
                return
            self._tape.append(self._event(said))
            if isinstance(said, report.Delivered) and attempt is not None:
                for cause in self.delivering:
                    cause(attempt, said)
                self._tape.append(self._deliver(said, attempt))

    def _deliver(self, said: report.Delivered, attempt: Attempt) -> event.Deliver:
        return event.Deliver(
            t=said.at - self._tape.started,
            source="clients",
            place=self._places.get(said.client, ""),
            stream=attempt.stream,
            consumer=attempt.consumer,
            seq=attempt.seq,
            cseq=attempt.cseq,
            attempt=attempt.attempt,
            client=said.client,
            sid=said.sid,
            subject=said.subject,
            reply=said.reply,
            pending=attempt.pending,
            size=said.size,
            held=said.held,
        )

    def _event(self, said: report.Report) -> event.Event:
        common: _Common = {
            "t": said.at - self._tape.started,
            "source": "clients",
            "place": self._places.get(said.client, ""),
            "client": said.client,
        }
        match said:
            case report.Published():
                return event.Pub(
                    **common,
                    id=said.id,
                    subject=said.subject,
                    reply=said.reply,
                    size=said.size,
                    payload=said.payload,
                    headers=list(said.headers),
                    traced=said.traced,
                    timeout=said.timeout,
                    dry=said.dry,
                )
            case report.Delivered():
                return event.Recv(
                    **common,
                    id=said.id,
                    sid=said.sid,
                    subject=said.subject,
                    pattern=said.pattern,
                    queue=said.queue,
                    reply=said.reply,
                    size=said.size,
                    status=said.status,
                )
            case report.Bulk():
                if said.way == "drop":
                    return event.Drop(
                        **common,
                        why=f"slow consumer: the handler of {said.subject} is too slow",
                        count=said.count,
                    )
                return event.Many(
                    **common,
                    way=said.way,
                    subject=said.subject,
                    sid=said.sid,
                    queue=said.queue,
                    count=said.count,
                    bytes=said.bytes,
                    since=said.since - self._tape.started,
                    first=list(said.first),
                )
            case report.Connection():
                return event.Conn(
                    **common,
                    no=said.no,
                    cid=said.cid,
                    account=said.account,
                    state=said.state,
                    why=said.why,
                )
            case report.Subscription():
                return event.Sub(
                    **common,
                    sid=said.sid,
                    subject=said.subject,
                    queue=said.queue,
                    state=said.state,
                    limit=said.limit,
                )
            case report.Outcome():
                return event.End(
                    **common,
                    of="request",
                    id=said.id,
                    outcome=said.outcome,
                    count=said.count,
                    took=said.took,
                    error=said.error,
                )
            case report.Stored():
                return event.Store(
                    **common,
                    stream=said.stream,
                    id=said.id,
                    subject=said.subject,
                    seq=said.seq,
                    count=said.count,
                    size=said.size,
                    payload=said.payload,
                    headers=list(said.headers),
                    duplicate=said.duplicate,
                    code=said.code,
                    error=said.error,
                )


def _nothing() -> None:
    pass
