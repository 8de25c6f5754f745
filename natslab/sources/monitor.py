"""What the servers' own counters say, and who else is connected to the learner's account.

Asked over the system account, which leaves no trace in the learner's (measured: no advisory, no API
count). What a client of ours does is told by the client itself; strangers, like the learner's own
`nats.connect(**lab.login)`, are seen here only.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import re
import time
import zlib
from collections.abc import Callable
from datetime import datetime
from typing import Any, NamedTuple

import nats.errors
from nats.aio.msg import Msg

from natslab.errors import NatslabError
from natslab.listeners import Listeners
from natslab.servers.config import LAB, LEARNER, SYS
from natslab.servers.fleet import Fleet
from natslab.servers.hub import Hub
from natslab.sources.between import Between
from natslab.sources.ears import Ears
from natslab.sources.merged import Answer, Domains, Key, Report
from natslab.tape.event import Conn, How, Snap, Sub
from natslab.tape.subject import matches, overlaps
from natslab.tape.tape import Tape

SLOW, QUICK = 1.0, 0.25  # seconds between two polls: without and with a view open
PATIENCE = 1.0  # seconds for one answer; a healthy server takes 1 ms
LATE = 0.25  # seconds after which one server's silence does not keep what the others said
MOST = 1000  # subscriptions in one snap

_VARZ = (
    "server_name",
    "version",
    "start",
    "max_payload",
    "max_connections",
    "connections",
    "total_connections",
    "slow_consumers",
    "slow_consumer_stats",
    "stalled_clients",
    "stale_connections",
)
_CONN = (
    "cid",
    "name",
    "kind",
    "type",
    "lang",
    "version",
    "authorized_user",
    "in_msgs",
    "out_msgs",
    "in_bytes",
    "out_bytes",
    "pending_bytes",
    "stalls",
)
_SUB = ("subject", "qgroup", "sid", "msgs", "max")
_STATE = ("messages", "bytes", "first_seq", "last_seq", "num_subjects", "consumer_count")
_TEMPLATE = re.compile(r"\{\{.*?\}\}|\$\d+")

_OPTIONS = {"leafz": {"subscriptions": True}}
# Where it is told that a client or a stream or a consumer came or went.
_NEWS = (
    (SYS, f"$SYS.ACCOUNT.{LEARNER}.*"),
    (LAB, f"{LEARNER}.$JS.EVENT.ADVISORY.STREAM.*.*"),
    (LAB, f"{LEARNER}.$JS.EVENT.ADVISORY.CONSUMER.CREATED.>"),
    (LAB, f"{LEARNER}.$JS.EVENT.ADVISORY.CONSUMER.DELETED.>"),
)

_Cid = tuple[str, int]  # server, connection id


class Heard(NamedTuple):
    """What one server said last, in its own words."""

    at: float  # time.monotonic()
    varz: dict[str, Any]
    connections: list[dict[str, Any]]  # of the learner's account; those of leafnodes are left out


class _Stranger:
    """A connection of the learner's account that is not the hub's."""

    def __init__(self, label: str) -> None:
        self.label = label
        self.subs: dict[int, tuple[str, str, int]] = {}  # sid -> subject, queue, limit


class Monitor:
    """Puts a Snap on the tape when a server's report changed, and the strangers' Conn and Sub.

    Snap.what and the fields of Snap.data, which have the server's names:
    connz: `connections` of account A, each with `client` (its label) and `subscriptions`
    ({subject, qgroup, sid, msgs, max}); at most 1000 subscriptions, `left_out` counts the rest.
    varz: the few that do not change by being looked at, and of `cluster` the name.
    accountz: `account_name`, `mappings`.
    routez, gatewayz, leafz: see Between.
    jsz: `streams` of which that server has a replica, each with name, subjects, leader, and its counts.
    Who wants more of jsz reads what all servers say together: `read`.
    """

    def __init__(self, fleet: Fleet, hub: Hub, tape: Tape) -> None:
        self._fleet = fleet
        self._hub = hub
        self._tape = tape
        #: How many live views are open.
        self.watching = 0
        #: The last words of each server that is not down.
        self.heard: dict[str, Heard] = {}
        #: Told after each poll.
        self.polled: Listeners[[]] = Listeners()
        self._told: dict[tuple[str, str], dict[str, Any]] = {}
        self._strangers: dict[_Cid, _Stranger] = {}
        self._mappings: dict[str, dict[str, list[str]]] = {}  # server -> source -> targets
        self._streams: dict[str, set[str]] = {}  # server -> subjects of its streams
        self._details: dict[str, int] = {}  # server -> how many streams
        self._fresh: frozenset[str] = frozenset()  # subjects of streams that no report has shown yet
        self._kept: tuple[str, ...] = ()  # patterns of what a stream would store
        self._verdicts: dict[str, bool] = {}
        self._readers: Listeners[[Report]] = Listeners()
        self._merger = Domains(lambda server: fleet.topology.domain_of(server))
        self._between = Between(fleet, tape)
        self._asked: dict[str, asyncio.Task[Answer | None]] = {}  # servers that have not answered yet
        self._wake = asyncio.Event()
        self._looking = False  # at what it was woken for
        self._one = asyncio.Lock()
        self._task: asyncio.Task[None] | None = None
        self._ears = {SYS: Ears(fleet, fleet.system), LAB: Ears(fleet, fleet.watcher)}
        self._news = 0  # of how many it is told when they come
        self._stopped = False

    async def start(self) -> None:
        """Begin. Where there may be streams already, with one poll: what they store is not traced.

        Raises ServerError when no server answers that poll; nobody waits for that of a new lab.
        """
        self._stopped = False
        self._hub.traceable = self._traceable
        self._hub.captured = self._captured
        self._hub.called = self._merger.told_as
        if self._fleet.store is not None:
            await self._listen()
            await self.poll()
        else:
            self._wake.set()
        self._task = asyncio.create_task(self._follow())

    async def _listen(self) -> None:
        """A stream or a stranger is noticed at once, not at the next poll."""
        while self._news < len(_NEWS):
            account, subject = _NEWS[self._news]
            await self._ears[account].listen(subject, self._woken)
            self._news += 1

    async def stop(self) -> None:
        """End."""
        self._stopped = True
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
            self._task = None
        for asked in tuple(self._asked.values()):
            asked.cancel()
        await asyncio.gather(*self._asked.values(), return_exceptions=True)
        for ears in self._ears.values():
            await ears.stop()
        self._news = 0

    @property
    def streaming(self) -> bool:
        """Whether there are streams, or news that were not looked at yet."""
        return self._wake.is_set() or self._looking or any(self._details.values())

    def watch(self, by: int) -> None:
        """So many live views more, or fewer: while one is open polls are four times as frequent."""
        self.watching = max(0, self.watching + by)
        self._wake.set()

    def read(self, heard: Callable[[Report], None]) -> Callable[[], None]:
        """Call `heard` with what each poll says of the learner's streams and consumers, by their leaders.

        Returns what ends that.
        """
        return self._readers.add(heard)

    def leader(self, key: Key) -> str:
        """The server that led that stream or consumer when it was heard last; "" when it is not known."""
        return self._merger.leader(key)

    def mute(self) -> list[Key]:
        """Streams and consumers whose leader did not answer the last poll, or that have none."""
        return self._merger.mute()

    def silenced(self, key: Key) -> bool:
        """Whether nobody can lead it, because too many of its servers are down or frozen."""
        peers = self._merger.peers(key)
        up = sum(self._runs(name) for name in peers)
        return 2 * up <= len(peers)

    def _runs(self, name: str) -> bool:
        server = self._fleet.servers.get(name)
        return server is not None and server.state in ("up", "lame duck")

    def wake(self) -> None:
        """Something changed that the servers' counters show: ask them soon."""
        self._wake.set()

    async def poll(self) -> bool:
        """Ask every server now; one that is down or does not answer is passed over.

        When others have answered, one that is slow is not waited for: it is heard when it answers.
        Returns whether any has answered.
        """
        async with self._one:
            self._hub.flush()
            made = self._fresh
            late = LATE if len(self._fleet.servers) > 1 else None
            if self._asked:
                await asyncio.wait(self._asked.values(), timeout=late)  # what they say may be from before
            asked = {name: self._ask_all(name) for name in self._fleet.servers if name not in self._asked}
            if not asked:
                return False
            try:
                await asyncio.wait(asked.values(), timeout=late)
            except asyncio.CancelledError:
                for one in asked.values():
                    one.cancel()
                raise
            answers = {name: one.result() for name, one in asked.items() if one.done()}
            if all(answers.get(name) is not None for name in self._fleet.servers if self._runs(name)):
                self._fresh -= made  # these reports know them
                self._learn()
            self._merge(answers)
            for name, one in asked.items():
                if not one.done():
                    one.add_done_callback(functools.partial(self._belated, name))
        self.polled.tell()
        return any(answer is not None for answer in answers.values())

    def _ask_all(self, name: str) -> asyncio.Task[Answer | None]:
        """Begin to ask that server; it is not asked again before it has answered, or not answered in time."""
        asked = self._asked[name] = asyncio.create_task(self._poll(name))
        asked.add_done_callback(lambda _: self._asked.pop(name, None))
        return asked

    def _belated(self, name: str, asked: asyncio.Task[Answer | None]) -> None:
        if not asked.cancelled() and not self._stopped:
            self._merge({name: asked.result()})

    def _merge(self, answers: dict[str, Answer | None]) -> None:
        """What servers said of streams goes to whoever reads it."""
        said = {name: answer for name, answer in answers.items() if answer is not None}
        if said:
            report = self._merger.merge(said)
            for heard in self._readers:
                heard(report)

    async def _follow(self) -> None:
        # In Python 3.11 wait_for (nats-py's requests use it) swallows a cancellation that comes
        # together with the answer, so that stopping must also be seen here.
        cost = 0.0
        while not self._stopped:
            # Many streams and consumers take their time: a fifth of it at most.
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(max(QUICK if self.watching else SLOW, 5 * cost)):
                    await self._wake.wait()
                await asyncio.sleep(max(0.02, 2 * cost))  # several reasons to wake are one
            self._looking = True
            self._wake.clear()
            began = time.monotonic()
            with contextlib.suppress(NatslabError, nats.errors.Error):  # again with the next poll
                await self._listen()
            await self.poll()
            self._looking = False
            cost = min(PATIENCE, time.monotonic() - began)

    async def _woken(self, _: Msg) -> None:
        self._wake.set()

    async def _poll(self, server: str) -> Answer | None:
        """Ask one server; gives back what it says of streams."""
        state = self._fleet.servers[server].state
        if state in ("down", "starting"):
            self.heard.pop(server, None)
            self._lost(server, f"server {server} is {state}")
            return None
        if state == "frozen":
            return None
        details: list[dict[str, Any]] = []
        whats = self._between.due(server)
        connz, varz, accountz, jsz, *links = await asyncio.gather(
            self._ask(server, "connz", acc=LEARNER, auth=True, subscriptions_detail=True, limit=10_000),
            self._ask(server, "varz"),
            self._ask(server, "accountz", account=LEARNER),
            self._ask(server, "jsz", accounts=True, streams=True, consumer=True, config=True),
            *(self._ask(server, what, **_OPTIONS.get(what, {})) for what in whats),
        )
        for what, said in zip(whats, links, strict=True):
            if said is not None:
                self._between.heard(server, what, said, watched=self.watching > 0)
        # A leafnode's connection binds the account like a client's; it is a server.
        clients = [one for one in (connz or {}).get("connections") or [] if one.get("kind") != "Leafnode"]
        if varz is not None:
            self.heard[server] = Heard(time.monotonic(), varz, clients)
            told = {key: varz[key] for key in _VARZ if key in varz}
            if name := str((varz.get("cluster") or {}).get("name", "")):
                told["cluster"] = {"name": name}
            self._snap(server, "varz", told)
        if accountz is not None:
            self._accounts(server, accountz.get("account_detail") or {})
        if jsz is not None:
            details = self._jetstream(server, jsz)
        if connz is not None:
            await self._connections(server, clients)
        if jsz is None:
            return None
        # One that has just started does not know yet that it is in a cluster (measured).
        clustered = bool(self._fleet.topology.cluster_of(server)) or "meta_cluster" in jsz
        return Answer(details, clustered)

    async def _ask(self, server: str, what: str, **body: Any) -> dict[str, Any] | None:
        try:
            return await asyncio.wait_for(self._fleet.ask(server, what, **body), PATIENCE)
        except (NatslabError, nats.errors.Error, OSError, TimeoutError):
            return None  # going down, frozen, or without JetStream

    def _snap(self, server: str, what: str, data: dict[str, Any]) -> None:
        if self._told.get((server, what)) != data:
            self._told[(server, what)] = data
            self._tape.append(Snap(t=self._tape.now(), source="monitor", place=server, what=what, data=data))

    # --- streams and mappings ---------------------------------------------------------------

    def _accounts(self, server: str, detail: dict[str, Any]) -> None:
        mappings: dict[str, Any] = detail.get("mappings") or {}
        self._snap(server, "accountz", {"account_name": LEARNER, "mappings": mappings})
        self._mappings[server] = {
            source: [str(target.get("subject", "")) for target in targets]
            for source, targets in mappings.items()
        }
        self._learn()

    def _jetstream(self, server: str, jsz: dict[str, Any]) -> list[dict[str, Any]]:
        details = [
            stream
            for account in jsz.get("account_details") or []
            if account.get("name") == LEARNER
            for stream in account.get("stream_detail") or []
        ]
        self._details[server] = len(details)
        details.sort(key=lambda stream: str(stream.get("name", "")))
        streams = [
            {
                "name": stream.get("name", ""),
                "subjects": (stream.get("config") or {}).get("subjects") or [],
                "leader": (stream.get("cluster") or {}).get("leader", ""),
                **{key: (stream.get("state") or {}).get(key, 0) for key in _STATE},
            }
            for stream in details
        ]
        self._snap(server, "jsz", {"streams": streams})
        self._streams[server] = {subject for stream in streams for subject in stream["subjects"]}
        self._learn()
        return details

    def _learn(self) -> None:
        """What a stream stores, directly or after a mapping, must not carry a trace header."""
        stored = set(self._fresh).union(*self._streams.values())
        led = {
            source
            for mappings in self._mappings.values()
            for source, targets in mappings.items()
            if any(overlaps(_TEMPLATE.sub("*", target), subject) for target in targets for subject in stored)
        }
        kept = tuple(sorted(stored | led))
        if kept != self._kept:
            self._kept, self._verdicts = kept, {}

    def _captured(self, subjects: list[str]) -> None:
        """A client has made a stream for these: known from now on, on any thread."""
        self._fresh |= frozenset(subjects)
        self._learn()

    def _traceable(self, subject: str) -> bool:
        verdicts = self._verdicts
        verdict = verdicts.get(subject)
        if verdict is None:
            verdict = not subject.startswith("$") and not any(matches(p, subject) for p in self._kept)
            if len(verdicts) < 10_000:
                verdicts[subject] = verdict
        return verdict

    # --- connections ------------------------------------------------------------------------

    async def _connections(self, server: str, found: list[dict[str, Any]]) -> None:
        # Our own clients may have come or gone since; what they told is on the tape first.
        self._hub.flush()
        there: set[_Cid] = set()
        rows, left, out = [], MOST, 0
        for one in sorted(found, key=lambda one: int(one["cid"])):
            cid, name = int(one["cid"]), str(one.get("name", ""))
            # The server lists them in no order; a snap is to differ only when something did.
            subs = sorted(one.get("subscriptions_list_detail") or [], key=lambda sub: _sid(sub.get("sid", 0)))
            if not self._hub.is_own(server, cid):
                there.add((server, cid))
                self._stranger(server, cid, name, one, subs)
            kept = [{key: sub[key] for key in _SUB if key in sub} for sub in subs[: max(left, 0)]]
            left -= len(kept)
            out += len(subs) - len(kept)
            rows.append(
                {key: one[key] for key in _CONN if key in one}
                | {"client": self._hub.name_of(server, cid, name), "subscriptions": kept}
            )
        self._snap(server, "connz", {"connections": rows} | ({"left_out": out} if out else {}))
        gone = [key for key in self._strangers if key[0] == server and key not in there]
        reasons = await self._reasons(server) if gone else {}
        for key in gone:
            self._gone(key, reasons.get(key[1], ""), "observed")
        for cid in self._hub.strangers(server):
            if (server, cid) not in there:
                self._hub.forget(server, cid)  # a trace named it, and it was gone before we looked

    def _stranger(
        self, server: str, cid: int, name: str, one: dict[str, Any], subs: list[dict[str, Any]]
    ) -> None:
        key = (server, cid)
        label = self._hub.name_of(server, cid, name)
        known = self._strangers.get(key)
        if known is not None and known.label != label:
            self._gone(key, "", "inferred")  # the server started again and counts from one
            label = self._hub.name_of(server, cid, name)
            known = None
        if known is None:
            known = self._strangers[key] = _Stranger(label)
            self._tape.append(
                Conn(
                    t=self._since(one.get("start")),
                    source="monitor",
                    place=server,
                    client=label,
                    cid=cid,
                    account=LEARNER,
                )
            )
        now: dict[int, tuple[str, str, int]] = {
            _sid(sub.get("sid", 0)): (str(sub["subject"]), str(sub.get("qgroup", "")), int(sub.get("max", 0)))
            for sub in subs
        }
        for sid in sorted(known.subs.keys() | now.keys()):
            was, is_ = known.subs.get(sid), now.get(sid)
            if was == is_:
                continue
            if is_ is None or (was is not None and was[:2] != is_[:2]):
                self._sub(server, label, sid, was or ("", "", 0), closed=True)
            if is_ is not None:
                self._sub(server, label, sid, is_, closed=False)
        known.subs = now

    def _sub(self, server: str, label: str, sid: int, sub: tuple[str, str, int], *, closed: bool) -> None:
        subject, queue, limit = sub
        self._tape.append(
            Sub(
                t=self._tape.now(),
                source="monitor",
                place=server,
                client=label,
                sid=sid,
                subject=subject,
                queue=queue,
                limit=limit,
                state="closed" if closed else "open",
            )
        )

    def _lost(self, server: str, why: str) -> None:
        for key in [key for key in self._strangers if key[0] == server]:
            self._gone(key, why, "inferred")

    def _gone(self, key: _Cid, why: str, how: How) -> None:
        stranger = self._strangers.pop(key)
        self._hub.forget(*key)
        self._tape.append(
            Conn(
                t=self._tape.now(),
                source="monitor",
                place=key[0],
                how=how,
                client=stranger.label,
                cid=key[1],
                account=LEARNER,
                state="closed",
                why=why,
            )
        )

    async def _reasons(self, server: str) -> dict[int, str]:
        """Why connections ended, by connection id, in the server's words."""
        # The filter by account knows open connections only (measured).
        closed = await self._ask(server, "connz", state=1, auth=True, limit=10_000)
        return {int(c["cid"]): str(c.get("reason", "")) for c in (closed or {}).get("connections") or []}

    def _since(self, start: object) -> float:
        """The server's stamp of a connection's beginning in tape seconds; now if it has none."""
        with contextlib.suppress(ValueError):
            return min(
                max(0.0, datetime.fromisoformat(str(start)).timestamp() - self._tape.started),
                self._tape.now(),
            )
        return self._tape.now()


def _sid(sid: object) -> int:
    """A subscription's number; other clients than nats-py may use words."""
    text = str(sid)
    return int(text) if text.isdecimal() else zlib.crc32(text.encode())
