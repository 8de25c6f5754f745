"""What the lab's own clients do: connections, subscriptions, publishes, deliveries, outcomes."""

from __future__ import annotations

import asyncio
import contextlib

from natslab.servers import report
from natslab.servers.config import LEARNER
from natslab.servers.fleet import Fleet
from natslab.servers.hub import Hub
from natslab.tape import event
from natslab.tape.tape import Tape

PACE = 0.05  # seconds between two looks at the hub


class Clients:
    """Puts what the hub's clients report on the tape, 20 times a second and on `flush`.

    `place` is the server that the client is, or was last, connected to.
    """

    def __init__(self, fleet: Fleet, hub: Hub, tape: Tape) -> None:
        self._fleet = fleet
        self._hub = hub
        self._tape = tape
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
        for said in self._hub.drain_reports(force=force):
            if isinstance(said, report.Connection) and said.server:
                self._places[said.client] = said.server
            self._tape.append(self._event(said))

    def _event(self, said: report.Report) -> event.Event:
        common = event.Base(
            t=said.at - self._tape.started, source="clients", place=self._places.get(said.client, "")
        )
        t, source, place = common.t, common.source, common.place
        match said:
            case report.Published():
                return event.Pub(
                    t=t,
                    source=source,
                    place=place,
                    id=said.id,
                    client=said.client,
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
                    t=t,
                    source=source,
                    place=place,
                    id=said.id,
                    client=said.client,
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
                        t=t,
                        source=source,
                        place=place,
                        why=f"slow consumer: the handler of {said.subject} is too slow",
                        client=said.client,
                        count=said.count,
                    )
                return event.Many(
                    t=t,
                    source=source,
                    place=place,
                    client=said.client,
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
                    t=t,
                    source=source,
                    place=place,
                    client=said.client,
                    no=said.no,
                    cid=said.cid,
                    account=said.account,
                    state=said.state,
                    why=said.why,
                )
            case report.Subscription():
                return event.Sub(
                    t=t,
                    source=source,
                    place=place,
                    client=said.client,
                    sid=said.sid,
                    subject=said.subject,
                    queue=said.queue,
                    state=said.state,
                    limit=said.limit,
                )
            case report.Outcome():
                return event.End(
                    t=t,
                    source=source,
                    place=place,
                    of="request",
                    id=said.id,
                    client=said.client,
                    outcome=said.outcome,
                    count=said.count,
                    took=said.took,
                )


def _nothing() -> None:
    pass
