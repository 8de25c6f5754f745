"""What streams and consumers are, and what comes into them and goes, by the server's own report."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from natslab.servers.fleet import Fleet
from natslab.servers.hub import Hub
from natslab.sources.monitor import Monitor
from natslab.tape.event import Snap
from natslab.tape.tape import Tape

_STATE = ("messages", "bytes", "first_seq", "last_seq", "num_subjects", "num_deleted", "consumer_count")
_COUNTS = ("num_ack_pending", "num_redelivered", "num_waiting", "num_pending")
_ORIGIN = ("name", "lag", "filter_subject", "subject_transforms", "external", "error")


class Streams:
    """Puts a Snap "stream" and a Snap "consumer" on the tape when the server's report of one changed."""

    def __init__(self, fleet: Fleet, hub: Hub, tape: Tape, monitor: Monitor) -> None:
        self._fleet = fleet
        self._hub = hub
        self._tape = tape
        self._monitor = monitor
        self._told: dict[tuple[str, ...], dict[str, Any]] = {}  # (stream,) or (stream, consumer) -> snap
        self._made: dict[tuple[str, ...], str] = {}  # the same -> when it was created
        self._stop: Callable[[], None] | None = None

    async def start(self) -> None:
        """Begin."""
        self._stop = self._monitor.read(self._heard)

    async def stop(self) -> None:
        """End."""
        if self._stop is not None:
            self._stop()
            self._stop = None

    def catch_up(self, stream: str, seq: int) -> None:
        """Put what came into `stream` up to `seq` on the tape, as far as it can be known now."""

    def _heard(self, server: str, streams: list[dict[str, Any]]) -> None:
        there: dict[tuple[str, ...], tuple[str, str, dict[str, Any]]] = {}
        for said in streams:
            name = str(said["name"])
            there[(name,)] = "stream", str(said.get("created", "")), _stream(said)
            for one in said.get("consumer_detail") or []:
                there[(name, str(one["name"]))] = (
                    "consumer",
                    str(one.get("created", "")),
                    _consumer(name, one),
                )
        for key in [key for key in self._told if key not in there or self._made[key] != there[key][1]]:
            self._gone(server, key)
        for key, (what, made, data) in there.items():
            if self._told.get(key) != data:
                self._told[key], self._made[key] = data, made
                self._snap(server, what, data)

    def _gone(self, server: str, key: tuple[str, ...]) -> None:
        del self._told[key]
        del self._made[key]
        if len(key) == 1:
            self._snap(server, "stream", {"name": key[0], "gone": True})
        else:
            self._snap(server, "consumer", {"stream": key[0], "name": key[1], "gone": True})

    def _snap(self, server: str, what: str, data: dict[str, Any]) -> None:
        self._tape.append(Snap(t=self._tape.now(), source="streams", place=server, what=what, data=data))


def _stream(said: dict[str, Any]) -> dict[str, Any]:
    """A stream's report without what changes by being looked at."""
    config, state = said.get("config") or {}, said.get("state") or {}
    data: dict[str, Any] = {
        "name": said["name"],
        "config": config,
        "state": {key: state.get(key, 0) for key in _STATE},
        "kept": "events",
    }
    if mirror := said.get("mirror"):
        data["mirror"] = {key: mirror[key] for key in _ORIGIN if key in mirror}
    if sources := said.get("sources"):
        data["sources"] = [{key: one[key] for key in _ORIGIN if key in one} for one in sources]
    return data


def _consumer(stream: str, said: dict[str, Any]) -> dict[str, Any]:
    data: dict[str, Any] = {"stream": stream, "name": said["name"], "config": said.get("config") or {}}
    for key in ("delivered", "ack_floor"):
        pair = said.get(key) or {}
        data[key] = {part: pair.get(part, 0) for part in ("consumer_seq", "stream_seq")}
    data |= {key: said.get(key, 0) for key in _COUNTS}
    data |= {key: bool(said.get(key, False)) for key in ("paused", "push_bound")}
    return data
