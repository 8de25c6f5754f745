"""What the panel shows of a lab: from what the sources have heard, without asking anybody.

Counts are the servers' own. Rates are the differences between two of their reports. Lists are cut, and
say how many there are. Names and subjects are foreign text.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from natslab.commands.results import one_line
from natslab.lab import Lab
from natslab.servers import reach
from natslab.sources.merged import Key, Report, Told
from natslab.sources.monitor import Heard
from natslab.tape.event import Leader, Quorum, Snap
from natslab.tape.tape import RING, Tape
from natslab.views import view as views

SERVERS, STREAMS, CONSUMERS, BUCKETS, CLIENTS, VIEWS, JOBS = 30, 60, 12, 60, 60, 30, 20
LINKS = 60
RECENT = 30.0  # seconds for which a slow consumer is a reason to warn

_BUCKETS = {"KV_": "kv", "OBJ_": "object"}

Rows = dict[str, Any]  # {"total": how many there are, "rows": the first of them}


def cut(rows: Iterable[dict[str, Any]], most: int, total: int) -> Rows:
    """At most so many rows, and how many there are."""
    kept: list[dict[str, Any]] = []
    for row in rows:
        if len(kept) == most:
            break
        kept.append(row)
    return {"total": total, "rows": kept}


def name(text: object, limit: int = 120) -> str:
    """A foreign name on one line."""
    return one_line(str(text), limit)


def began(lab: Lab) -> float:
    """When the lab began, unix seconds: no two have the same."""
    return round(lab.tape.started, 3)


class Facts:
    """One lab as the panel shows it. Lives on natslab's loop."""

    def __init__(self, lab: Lab) -> None:
        self.lab = lab
        self._rates: dict[str, _Rates] = {}
        # Server -> how many slow consumers it has counted, and when they became more.
        self._slow: dict[str, tuple[int, float]] = {}
        self._groups = _Groups(lab.tape)
        self._told: dict[Key, Told] = {}
        self._stop = lab.monitor.read(self._read)
        lab.monitor.wake()  # what there is now is not told again by itself

    def end(self) -> None:
        """Let go of the lab."""
        self._stop()

    def _read(self, report: Report) -> None:
        for told in report.there:
            self._told[told.key] = told
        for key in report.gone:
            self._told.pop(key, None)

    def snapshot(self) -> dict[str, Any]:
        """Everything, as JSON-ready values; the same as before when nothing changed."""
        lab = self.lab
        self._groups.follow()
        heard = {name: lab.monitor.heard[name] for name in lab.fleet.servers if name in lab.monitor.heard}
        servers = [self._server(name, heard.get(name)) for name in lab.fleet.servers]
        streams, buckets = self._kept()
        return {
            "lab": {
                "name": lab.name,
                "watched": lab.watched,
                "started": began(lab),
                "mode": lab.tape.cursor.mode,
            },
            "servers": cut(servers, SERVERS, len(servers)),
            "links": self._links(),
            "streams": streams,
            "buckets": buckets,
            "clients": self._clients(heard),
            "views": self._views(),
            "jobs": self._jobs(),
            "silent": self._silent(heard),
            "rate": {way: sum(server[way] for server in servers) for way in ("in", "out")},
            "alarms": self._alarms(servers),
        }

    def _silent(self, heard: Mapping[str, Heard]) -> dict[str, Any]:
        """Whether no server answers, and whose words are old because it is frozen."""
        servers = self.lab.fleet.servers
        frozen = [name for name, it in servers.items() if it.state == "frozen" and name in heard]
        return {"all": not heard, "since": frozen[:SERVERS]}

    # --- servers ----------------------------------------------------------------------------

    def _server(self, name: str, report: Heard | None) -> dict[str, Any]:
        it = self.lab.fleet.servers[name]
        runs = it.state in ("up", "lame duck")
        rates = self._rates.setdefault(name, _Rates())
        row: dict[str, Any] = {
            "name": name,
            "state": it.state,
            "version": it.version,
            "meta": runs and self._groups.leader("_meta_") == name,
            "in": 0,
            "out": 0,
        }
        if report is None or not runs:
            rates.forget()
            return row
        varz = report.varz
        received, sent = rates.since(report)
        return row | {
            "in": received,
            "out": sent,
            "mem": round(int(varz.get("mem", 0)) / 1e5) / 10,  # MB
            "connections": len(report.connections),
            "slow": int(varz.get("slow_consumers", 0)),
        }

    def _links(self) -> Rows:
        links = list(self.lab.fleet.links.values())
        rows = (
            {
                "a": link.a,
                "b": link.b,
                "type": link.type,
                "state": link.state,
                "delay": link.delay,
                "connected": link.connected,
            }
            for link in links
        )
        return cut(rows, LINKS, len(links))

    # --- what is kept -----------------------------------------------------------------------

    def _kept(self) -> tuple[Rows, Rows]:
        led = _Led(self.lab)
        names = sorted(key[0] for key in self._told if len(key) == 1)
        buckets = [key for key in names if key.startswith(tuple(_BUCKETS))]
        streams = [key for key in names if not key.startswith(tuple(_BUCKETS))]
        consumers: dict[str, list[Told]] = {}
        for key in sorted(self._told):
            if len(key) == 2:
                consumers.setdefault(key[0], []).append(self._told[key])
        return (
            cut(
                (_stream(self._told[(key,)], consumers.get(key, []), led) for key in streams),
                STREAMS,
                len(streams),
            ),
            cut((_bucket(self._told[(key,)], led) for key in buckets), BUCKETS, len(buckets)),
        )

    def told(self, *key: str) -> Told | None:
        """The stream, or the consumer of a stream, by its leader's last word."""
        return self._told.get(key)

    # --- who is there -------------------------------------------------------------------------

    def _clients(self, heard: Mapping[str, Heard]) -> Rows:
        hub = self.lab.hub
        rows = []
        for server, report in heard.items():
            for one in report.connections:
                cid, given = int(one.get("cid", 0)), str(one.get("name", ""))
                own = hub.is_own(server, cid)
                rows.append(
                    {
                        "name": name(hub.name_of(server, cid, given)),
                        "cid": cid,
                        "server": server,
                        "own": own,
                        "lang": name(one.get("lang", ""), 20),
                        "subscriptions": int(one.get("subscriptions", 0)),
                        "in": int(one.get("in_msgs", 0)),
                        "out": int(one.get("out_msgs", 0)),
                        "waiting": int(one.get("pending_bytes", 0)),
                    }
                )
        rows.sort(key=lambda row: (row["name"], row["server"], row["cid"]))
        return cut(rows, CLIENTS, len(rows))

    def _views(self) -> Rows:
        rows = [
            {"name": view.name, "of": [name(word) for word in view.player.of], "title": title(view.name)}
            for view in self.lab.views
            if view.stages
        ]
        return cut(rows, VIEWS, len(rows))

    def _jobs(self) -> Rows:
        jobs = dict(self.lab.jobs)
        rows = (
            {"id": number, "verb": h.kind, "name": h.name, "what": name(h.what, 80), "count": h.count}
            for number, h in jobs.items()
        )
        return cut(rows, JOBS, len(jobs))

    # --- what is wrong ------------------------------------------------------------------------

    def _alarms(self, servers: list[dict[str, Any]]) -> list[dict[str, str]]:
        """What a person should look at, the worst first: kind, and a name."""
        alarms = [{"kind": "quorum", "of": group} for group in self._groups.lost()]
        alarms += [
            {"kind": server["state"], "of": server["name"]}
            for server in servers
            if server["state"] in ("down", "frozen")
        ]
        now = self.lab.tape.now()
        for server in servers:
            count = int(server.get("slow", 0))
            before, since = self._slow.get(server["name"], (0, -RECENT))
            if count > before:
                since = now
            self._slow[server["name"]] = count, since
            if count and now - since < RECENT:
                alarms.append({"kind": "slow", "of": server["name"]})
        return alarms[:20]


class _Rates:
    """Messages a second that the clients of one server sent to it and got from it."""

    def __init__(self) -> None:
        self.forget()

    def forget(self) -> None:
        """What comes next has nothing to do with what was."""
        self._at = 0.0
        self._counts: dict[int, tuple[int, int]] = {}
        self._rate = (0, 0)

    def since(self, report: Heard) -> tuple[int, int]:
        """Between the report before and this one; 0 while there is only one."""
        if report.at == self._at:
            return self._rate
        counts = {
            int(one.get("cid", 0)): (int(one.get("in_msgs", 0)), int(one.get("out_msgs", 0)))
            for one in report.connections
        }
        spent = report.at - self._at
        first, self._at, before, self._counts = not self._at, report.at, self._counts, counts
        if not first and spent > 0:
            # Who has come since began at nothing; what those sent who have gone since is not counted.
            gained = [
                sum(max(0, now[i] - before.get(cid, (0, 0))[i]) for cid, now in counts.items())
                for i in (0, 1)
            ]
            self._rate = (round(gained[0] / spent), round(gained[1] / spent))
        return self._rate


class _Groups:
    """The RAFT groups as the tape tells of them: who leads, and which lost their quorum."""

    def __init__(self, tape: Tape) -> None:
        self._tape = tape
        self._read = max(0, tape.head - RING)  # older ones are no longer in memory
        self._of: dict[str, str] = {}
        self._leaders: dict[str, str] = {}
        self._lost: dict[str, None] = {}

    def follow(self) -> None:
        """Read what has happened since."""
        head = self._tape.head
        for event in self._tape.between(self._read, head):
            if isinstance(event, Leader):
                self._leaders[event.group] = event.leader
            elif isinstance(event, Quorum):
                if event.lost:
                    self._lost[event.group] = None
                else:
                    self._lost.pop(event.group, None)
            elif isinstance(event, Snap) and event.what == "group":
                stream, consumer = event.data.get("stream", ""), event.data.get("consumer", "")
                self._of[str(event.data.get("group", ""))] = name(
                    f"{consumer} on {stream}" if consumer else stream
                )
        self._read = head

    def leader(self, group: str) -> str:
        """Who leads the group; "" where that is not known."""
        return self._leaders.get(group, "")

    def lost(self) -> list[str]:
        """The groups without a quorum, by what they are for."""
        return [self._of.get(group) or name(group) for group in self._lost]


class _Led:
    """Who leads things at this moment, and with whom."""

    def __init__(self, lab: Lab) -> None:
        self._mute = set(lab.monitor.mute())
        self._domain_of = lab.fleet.topology.domain_of
        self._states, self._wires = reach.states(lab.fleet), reach.wires(lab.fleet)
        self._reached: dict[str, set[str]] = {}  # by a leader

    def of(self, told: Told) -> dict[str, Any]:
        """Its leader and domain, how many of its replicas are up to date, and how many its leader reaches
        (itself among them; inferred: no server says so), and whether that server says nothing now.
        """
        peers = (told.said.get("cluster") or {}).get("replicas") or []
        if told.place not in self._reached:
            self._reached[told.place] = reach.reached(told.place, self._states, self._wires)
        there = self._reached[told.place]
        return {
            "leader": told.place,
            "domain": self._domain_of(told.place),
            "current": 1 + sum(bool(peer.get("current")) for peer in peers),
            "reach": sum(name in there for name in (told.place, *(peer.get("name", "") for peer in peers))),
            "mute": told.key in self._mute,
        }


def _stream(told: Told, consumers: list[Told], led: _Led) -> dict[str, Any]:
    config, state = told.said.get("config") or {}, told.said.get("state") or {}
    subjects = [name(s) for s in config.get("subjects") or []]
    return {
        "name": name(told.key[0]),
        "plain": name(told.said.get("name", told.key[0])),
        "subjects": subjects[:4],
        "more": max(0, len(subjects) - 4),
        "storage": config.get("storage", ""),
        "retention": config.get("retention", ""),
        "replicas": config.get("num_replicas", 1),
        **led.of(told),
        "messages": state.get("messages", 0),
        "bytes": state.get("bytes", 0),
        "origin": "mirror" if config.get("mirror") else "sources" if config.get("sources") else "",
        "consumers": cut((_consumer(one, led) for one in consumers), CONSUMERS, len(consumers)),
    }


def _consumer(told: Told, led: _Led) -> dict[str, Any]:
    one = told.said
    return {
        "name": name(told.key[1]),
        "push": bool((one.get("config") or {}).get("deliver_subject")),
        **led.of(told),
        "pending": one.get("num_pending", 0),
        "ack_pending": one.get("num_ack_pending", 0),
        "redelivered": one.get("num_redelivered", 0),
        "waiting": one.get("num_waiting", 0),
        "paused": bool(one.get("paused")),
    }


def _bucket(told: Told, led: _Led) -> dict[str, Any]:
    config, state = told.said.get("config") or {}, told.said.get("state") or {}
    prefix = next(p for p in _BUCKETS if told.key[0].startswith(p))
    return {
        "name": name(told.key[0].removeprefix(prefix)),
        "plain": name(str(told.said.get("name", told.key[0])).removeprefix(prefix)),
        "kind": _BUCKETS[prefix],
        "revisions": state.get("messages", 0),
        "bytes": state.get("bytes", 0),
        "history": config.get("max_msgs_per_subject", 1),
        "storage": config.get("storage", ""),
        "replicas": config.get("num_replicas", 1),
        **led.of(told),
    }


def title(view: str) -> str:
    """What a view calls itself."""
    return str(getattr(views.load(view), "TITLE", view))


def catalogue() -> list[dict[str, str]]:
    """Every view that there is."""
    return [{"name": view, "title": title(view)} for view in views.names()]
