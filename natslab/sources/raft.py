"""The RAFT messages of running servers, as they cross the wires between them.

Where the wires are ours, each message is read as it comes into one: who sent it, who gets it, and when, is
known. Without wires a connection to the system account of each server hears them too, when they have reached
that server; it may not publish there, so it can disturb nothing. Servers of another version than the protocol
was measured with are only asked for their reports. Which of these it is, every Snap "group" says (`by`).

Measured with three servers of 2.15.1 on two shared cores:

- a heartbeat goes to each follower once a second, and is answered; an append is committed, and another one
  says so, 0.9 ms later (median of 100);
- step-down: a vote is asked for after 15 to 42 ms, and another leads after 27 ms (20 of 20 below 50 ms);
- killed leader: nobody speaks for 4 to 9 s, then votes, answers and the first append of the new leader pass
  within milliseconds, in that order on the tape 20 times of 20;
- against an independent listener all votes and appends are on the tape, each within 150 ms, half of them
  within 30 ms (those that were merged wait for their window);
- 60 s of publishing cost no election and no other outcome, with and without; a message costs 6 microseconds
  of this process, the source of three groups at rest 0.5 % of a core, of forty groups 3 %.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections import deque
from collections.abc import Callable
from typing import Any

import nats.errors
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.aio.subscription import Subscription

from natslab.errors import NatslabError
from natslab.servers.config import SYS
from natslab.servers.fleet import Fleet
from natslab.servers.framing import Frame, account
from natslab.servers.hub import Hub
from natslab.servers.link import Link
from natslab.servers.server import Change
from natslab.sources.monitor import Monitor
from natslab.sources.raftreports import By, RaftReports
from natslab.sources.rafttalk import PATIENCE, WINDOW, Talk
from natslab.sources.raftwire import PREFIX, known, peer_id
from natslab.tape.event import Leader, Quorum, Raft
from natslab.tape.tape import Tape

_WIRE = (PREFIX, "_GR_.")  # how the subjects begin that matter here
_ANNOUNCED = ("$JS.EVENT.ADVISORY.*.LEADER_ELECTED.>", "$JS.EVENT.ADVISORY.DOMAIN.LEADER_ELECTED")
_QUORUM = "$JS.EVENT.ADVISORY.*.QUORUM_LOST.>"
_PENDING = 64 * 1024 * 1024  # bytes of the protocol that may wait for us


class RaftWire:
    """Puts Raft, Leader and Quorum on the tape, and what the servers report of their groups."""

    def __init__(self, fleet: Fleet, hub: Hub, tape: Tape, monitor: Monitor) -> None:
        self._fleet = fleet
        self._tape = tape
        self._names: dict[str, str] = {}
        self.talk = Talk(self._tell, self._name)
        self._reports = RaftReports(fleet, tape, monitor, self.talk)
        self._links: dict[Link, Callable[[], None]] = {}
        self._subs: dict[str, list[Subscription]] = {}  # server -> where we listen on it
        self._announced: deque[str] = deque(maxlen=1_000)  # ids of announcements
        self._timer: asyncio.TimerHandle | None = None
        self._stops: list[Callable[[], None]] = []
        self._opening: set[asyncio.Task[None]] = set()

    @property
    def by(self) -> By:
        """How the messages become known: wire, system account, or monitoring (only reports)."""
        return self._reports.by

    async def start(self) -> None:
        """Begin."""
        versions = [server.version for server in self._fleet.servers.values() if server.version]
        if all(known(version) for version in versions):
            self._reports.by = "wire" if self._fleet.links else "system account"
        if self.by == "wire":
            for link in self._fleet.links.values():
                self._changed_link(link)
            self._stops.append(self._fleet.listen_links(self._changed_link))
        elif self.by == "system account":
            self.talk.patience = PATIENCE
        self._stops.append(self._fleet.listen(self._changed))
        for server in self._fleet.servers.values():
            if server.state == "up":
                self._open(server.name)
        await self._reports.start()

    async def stop(self) -> None:
        """End, with what was heard so far on the tape."""
        await self._reports.stop()
        for stop in (*self._stops, *self._links.values()):
            stop()
        self._stops.clear()
        self._links.clear()
        for task in tuple(self._opening):
            task.cancel()
        await asyncio.gather(*self._opening, return_exceptions=True)
        for subs in self._subs.values():
            for sub in subs:
                with contextlib.suppress(Exception):  # the connection may be gone
                    await sub.unsubscribe()
        self._subs.clear()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self.talk.flush()

    def flush(self) -> None:
        """Put what was heard so far on the tape, but for what still waits for its cause."""
        self.talk.flush(self._tape.now(), merged=True)

    async def poll(self) -> None:
        """Ask every server now for its report; the wire's news are told before."""
        await self._reports.poll()

    def _tell(self, event: Raft | Leader | Quorum) -> None:
        self._tape.append(event)

    def _name(self, id: str) -> str:
        """The server with that id; the id itself for none of this lab."""
        name = self._names.get(id)
        if name is None:
            self._names = {peer_id(server): server for server in self._fleet.servers}
            name = self._names.get(id, id)
        return name

    # --- the wires ----------------------------------------------------------------------------

    def _changed_link(self, link: Link) -> None:
        if link.state == "removed":
            stop = self._links.pop(link, None)
            if stop is not None:
                stop()
            return
        if not link.connected:
            self.talk.parted(link.a, link.b)
        if link not in self._links:
            self._links[link] = link.listen(self._framed, account(SYS))

    def _framed(self, frame: Frame) -> None:
        if frame.account != SYS or not frame.subject.startswith(_WIRE):
            return
        self.talk.hear(
            frame.src,
            frame.dst,
            frame.subject,
            frame.reply,
            frame.payload,
            frame.at - self._tape.started,
            lost="held" if frame.link.state == "held" else "",
            sure=frame.link.type == "route",
        )
        self._later()

    def _later(self) -> None:
        if self._timer is None and self.talk.waiting:
            self._timer = asyncio.get_running_loop().call_later(WINDOW / 2, self._due)

    def _due(self) -> None:
        self._timer = None
        self.talk.flush(self._tape.now())
        self._later()

    # --- the system account -------------------------------------------------------------------

    def _changed(self, change: Change) -> None:
        self._reports.wake()
        if change.state in ("down", "removed"):
            self.talk.parted(change.name)
        if change.state == "removed":
            self._subs.pop(change.name, None)
        elif change.state == "up":
            self._open(change.name)

    def _open(self, server: str) -> None:
        if server not in self._subs:
            task = asyncio.get_running_loop().create_task(self._listen(server))
            self._opening.add(task)
            task.add_done_callback(self._opening.discard)

    async def _listen(self, server: str) -> None:
        """Hear what is announced on that server, and without wires all that reaches it."""
        with contextlib.suppress(NatslabError, nats.errors.Error, OSError, TimeoutError):
            client: Client = await self._fleet.system(server)
            if server in self._subs:
                return
            subs = self._subs[server] = []
            if self.by == "system account":

                async def hear(msg: Msg) -> None:
                    now = self._tape.now()
                    self.talk.hear("", server, msg.subject, msg.reply, msg.data, now, "inferred", sure=False)
                    self._later()

                subs.append(await client.subscribe(PREFIX + ">", cb=hear, pending_bytes_limit=_PENDING))
            for subject in _ANNOUNCED:
                subs.append(await client.subscribe(subject, cb=self._elected))
            subs.append(await client.subscribe(_QUORUM, cb=self._lost))

    def _said(self, msg: Msg) -> dict[str, Any] | None:
        """An announcement that was not heard before; each server tells of it."""
        with contextlib.suppress(ValueError):
            said = json.loads(msg.data)
            if isinstance(said, dict) and str(said.get("id")) not in self._announced:
                self._announced.append(str(said.get("id")))
                return said
        return None

    async def _elected(self, msg: Msg) -> None:
        """It says who leads, not in which term: the report does."""
        if self._said(msg) is not None:
            self._reports.wake()

    async def _lost(self, msg: Msg) -> None:
        said = self._said(msg)
        if said is None:
            return
        of = str(said.get("stream", "")), str(said.get("consumer", ""))
        t = self._tape.now()
        if not self._reports.group_of(*of):
            await self._reports.poll()
        if group := self._reports.group_of(*of):
            self.talk.quorum(group, True, t, "observed")
