"""How a live handle gets the messages of a stream: by a consumer of its own, by one that is there, direct.

A reader stands in for the subscription of a Handle: it gives each message to the handle, and its
`unsubscribe` ends it.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from typing import Any

import nats.errors
from nats.aio.client import Client
from nats.aio.msg import Msg

from natslab.commands.connect import Line
from natslab.commands.consumer_config import stamp
from natslab.commands.consumer_find import NO_CONSUMER, NO_STREAM, info, maybe, missing
from natslab.commands.pulling import Ending, Pull, StreamMessage, delivered, read_direct, status_of
from natslab.commands.results import Message, one_line
from natslab.errors import ClientError, CommandError, NatslabError, Timeout
from natslab.loop import loop
from natslab.servers.jsapi import Api, JetStreamError

_AT_ONCE = 200  # messages a reader asks for
_EXPIRES = 5.0  # seconds a request of a reader waits
_PAUSE = 0.1  # seconds before it asks again after a failure
_LOOK = 0.5  # seconds between two looks whether a push consumer is still there
_POLL = 0.25  # seconds between two direct reads at the end of a stream

AT_END = "the end of the stream was reached"

Heard = Callable[[Message], Awaitable[None]]
Ended = Callable[[str], object]


class Start:
    """Where reading begins, and which subjects it takes.

    `policy` and `more` are fields of a consumer's configuration: deliver_policy, opt_start_seq,
    opt_start_time. `at_end`: end when the end of the stream is reached.
    """

    def __init__(self, policy: str = "all", subjects: tuple[str, ...] = (), at_end: bool = False) -> None:
        self.policy = policy
        self.more: dict[str, Any] = {}
        self.subjects = subjects
        self.at_end = at_end

    def config(self) -> dict[str, Any]:
        """The part of a consumer's configuration that says so."""
        filters = list(self.subjects)
        if self.policy == "last_per_subject" and not filters:
            filters = [">"]
        said: dict[str, Any] = {"deliver_policy": self.policy, **self.more}
        if len(filters) == 1:
            said["filter_subject"] = filters[0]
        elif filters:
            said["filter_subjects"] = filters
        return said


def since(ago: float) -> dict[str, Any]:
    """The field that begins so many seconds ago."""
    return {"opt_start_time": stamp(-ago)}


class Reader:
    """What brings messages to a handle. Subclasses say how."""

    def __init__(self, line: Line, stream: str) -> None:
        self.line = line
        self.stream = stream
        self.notes: list[str] = []
        self.limit = 0  # messages after which the handle wants no more; 0 = never
        self.broken = False  # it ended because it could not go on
        self._given = 0
        self._task: asyncio.Task[None] | None = None
        self._heard: Heard | None = None
        self._ended: Ended | None = None

    async def start(self, client: Client) -> None:
        """Prepare it on this connection. Raises NatslabError when it cannot be."""
        self.api = self.line.api(client)

    def go(self, heard: Heard, ended: Ended) -> None:
        """Begin: each message goes to `heard`; `ended` is told why there will be no more."""
        self._heard, self._ended = heard, ended
        self._task = loop().spawn(self._watched())

    async def unsubscribe(self) -> None:
        """End it."""
        task, self._task = self._task, None
        for _ in range(5):  # nats-py swallows a cancellation that comes while it hands over its buffer
            if task is None or task.done():
                break
            task.cancel()
            await asyncio.wait({task}, timeout=0.2)
        await self._stopped()

    async def _watched(self) -> None:
        why = "there is nothing more to read"
        try:
            why = await self._run()
        except NatslabError as e:
            why, self.broken = e.what.rstrip("."), True
        except nats.errors.Error:
            why, self.broken = "its connection was closed", True
        if self._ended is not None:
            self._ended(why)

    async def _give(self, message: Message) -> None:
        self._given += 1
        if self._heard is not None:
            await self._heard(message)

    def _lost(self, what: str = "") -> str:
        """It cannot go on, because `what` was deleted: the stream when nothing is said."""
        self.broken = True
        if not what:
            what = f"the stream {self.stream}"
            for prefix, kind in (("KV_", "bucket"), ("OBJ_", "object store")):
                if self.stream.startswith(prefix):
                    what = f"the {kind} {self.stream.removeprefix(prefix)}"
        return f"{what} was deleted"

    async def _run(self) -> str:
        """Read until the end, and say why it is."""
        raise NotImplementedError

    async def _stopped(self) -> None:
        """After its end, while the connection is still there."""


class Pulled(Reader):
    """A pull consumer that is there, asked again and again."""

    def __init__(self, line: Line, stream: str, consumer: str, at_end: bool = False) -> None:
        super().__init__(line, stream)
        self.consumer = consumer
        self.at_end = at_end
        self.over = False

    async def start(self, client: Client) -> None:
        """See Reader."""
        await super().start(client)
        about = await info(self.api, self.stream, self.consumer)
        if groups := about["config"].get("priority_groups"):
            raise CommandError(
                f"{self.consumer} has priority groups, and a reader has no place in one.",
                f"%js consumer next {self.stream} {self.consumer} --group {groups[0]}",
            )
        self.over = self.at_end and about["num_pending"] == 0 and about["num_ack_pending"] == 0

    async def _run(self) -> str:
        client = self.api.client
        inbox = client.new_inbox()
        sub = await client.subscribe(inbox)
        try:
            while not self.over and not (self.limit and self._given >= self.limit):
                ending = await self._round(sub)
                if (why := await self._after(ending)) is not None:
                    return why
            return AT_END if self.over else f"{self._given} messages came"
        finally:
            if not client.is_closed:
                with contextlib.suppress(nats.errors.Error):
                    await sub.unsubscribe()

    async def _round(self, sub: Any) -> Ending:
        # Of a consumer that others share, no more than is wanted.
        batch = min(_AT_ONCE, max(1, self.limit - self._given)) if self.limit else _AT_ONCE
        pull = Pull(batch, _EXPIRES)
        try:
            return await pull.run(self.api, self.stream, self.consumer, self._got, sub=sub)
        except Timeout:
            return Ending()

    async def _got(self, message: StreamMessage) -> bool:
        """Give it on; True when there is nothing more to ask for."""
        if message.consumer == self.consumer:
            await self._give(message)
            self.over = self.over or (self.at_end and message.pending == 0)
        return self.over

    async def _after(self, ending: Ending) -> str | None:
        """Go on after a request that ended so, or say why not."""
        if ending.status in (200, 404, 408):
            return None
        if ending.status == 503 or "deleted" in ending.said.lower():
            return await self._gone()
        if ending.status == 400 or "exceeded" in ending.said.lower():
            raise ClientError(f"{self.consumer} refuses the request: {ending.said}.", "")
        await asyncio.sleep(_PAUSE)
        return None

    async def _gone(self) -> str | None:
        """The consumer seems to be gone; say so, or None when it is there after all."""
        try:
            if await maybe(self.api, self.stream, self.consumer) is None:
                return self._lost(f"the consumer {self.consumer}")
        except JetStreamError as e:
            if e.code == NO_STREAM:
                return self._lost()
            raise
        except NatslabError:  # the server is away, and the connection comes back by itself
            pass
        await asyncio.sleep(_PAUSE)
        return None


class Ordered(Pulled):
    """A consumer of its own, without acks; made anew after the last message when it breaks (ADR-17)."""

    def __init__(self, line: Line, stream: str, start: Start) -> None:
        super().__init__(line, stream, "", start.at_end)
        self._start = start
        self._next = 1  # consumer sequence of the next message
        self._last = 0  # stream sequence of the last one
        self._gap = False

    async def start(self, client: Client) -> None:
        """See Reader."""
        self.api = self.line.api(client)
        made = await self._make()
        self.over = self.at_end and made["num_pending"] == 0

    async def _make(self) -> dict[str, Any]:
        config: dict[str, Any] = {
            **self._start.config(),
            "ack_policy": "none",
            "max_deliver": 1,
            "mem_storage": True,
            "num_replicas": 1,
            "inactive_threshold": 300 * 10**9,
        }
        if self._last:
            config.pop("opt_start_time", None)
            config |= {"deliver_policy": "by_start_sequence", "opt_start_seq": self._last + 1}
        try:
            made = await self.api.call(
                f"CONSUMER.CREATE.{self.stream}",
                {"stream_name": self.stream, "config": config, "action": "create"},
            )
        except JetStreamError as e:
            raise await missing(self.api, self.stream, "", e) from None
        self.consumer = str(made["name"])
        self._next, self._gap = 1, False
        return made

    async def _got(self, message: StreamMessage) -> bool:
        if message.consumer != self.consumer:
            return False  # of the one before
        if message.cseq != self._next:
            self._gap = True
            return True
        self._next += 1
        self._last = message.seq
        return await super()._got(message)

    async def _after(self, ending: Ending) -> str | None:
        if self._gap:
            return await self._gone()
        return await super()._after(ending)

    async def _gone(self) -> str | None:
        try:
            made = await self._make()
        except JetStreamError as e:
            if e.code == NO_STREAM:
                return self._lost()
            raise
        except NatslabError:
            await asyncio.sleep(_PAUSE)
            return None
        self.over = self.at_end and made["num_pending"] == 0
        return None

    async def _stopped(self) -> None:
        if self.consumer:
            with contextlib.suppress(NatslabError, nats.errors.Error):
                await self.api.call(f"CONSUMER.DELETE.{self.stream}.{self.consumer}", timeout=0.5)


class Pushed(Reader):
    """A push consumer: the server publishes its messages to a subject."""

    def __init__(
        self, line: Line, stream: str, consumer: str, group: str | None, at_end: bool = False
    ) -> None:
        super().__init__(line, stream)
        self.consumer = consumer
        self.at_end = at_end
        self._group = group
        self._over = asyncio.Event()
        self._going = asyncio.Event()
        self._sub: Any = None

    async def start(self, client: Client) -> None:
        """See Reader."""
        await super().start(client)
        config = (await info(self.api, self.stream, self.consumer))["config"]
        group = self._group if self._group is not None else config.get("deliver_group", "")
        if config.get("deliver_group", "") != group:
            there = config.get("deliver_group")
            raise CommandError(
                f"{self.consumer} delivers to "
                + (f"the queue group {there}" if there else "no queue group")
                + f", not to {one_line(group, 40) or 'none'}.",
                f"--deliver-group {there}" if there else "Leave out --deliver-group.",
            )
        self._sub = await client.subscribe(config["deliver_subject"], queue=group, cb=self._came)

    async def _came(self, msg: Msg) -> None:
        await self._going.wait()
        message = delivered(msg, self.api.client)
        if message is None:
            if status_of(msg)[0] == 100 and msg.reply:
                await self.api.client.publish(msg.reply)  # flow control asks whether we are still there
            return
        await self._give(message)
        if self.at_end and message.pending == 0:
            self._over.set()

    async def _run(self) -> str:
        self._going.set()
        while not self._over.is_set():
            try:
                async with asyncio.timeout(_LOOK):
                    await self._over.wait()
            except TimeoutError:
                with contextlib.suppress(Timeout):
                    try:
                        await self.api.call(f"CONSUMER.INFO.{self.stream}.{self.consumer}")
                    except JetStreamError as e:
                        if e.code == NO_CONSUMER:
                            return self._lost(f"the consumer {self.consumer}")
                        if e.code == NO_STREAM:
                            return self._lost()
        return AT_END

    async def _stopped(self) -> None:
        if self._sub is not None:
            with contextlib.suppress(nats.errors.Error):
                await self._sub.unsubscribe()


class Direct(Reader):
    """Reading without a consumer: direct gets in batches, again and again (ADR-31)."""

    def __init__(self, line: Line, stream: str, start: Start) -> None:
        super().__init__(line, stream)
        if len(start.subjects) > 1 and start.policy != "last_per_subject":
            raise CommandError("--direct reads one subject.", "Use wildcards, or leave out --direct.")
        self._start = start
        self._body: dict[str, Any] = {}

    async def start(self, client: Client) -> None:
        """See Reader."""
        await super().start(client)
        try:
            about = await self.api.call(f"STREAM.INFO.{self.stream}")
        except JetStreamError as e:
            raise await missing(self.api, self.stream, "", e) from None
        if not about["config"].get("allow_direct"):
            raise CommandError(
                f"{self.stream} allows no direct reads.",
                f"Allow them: %js stream edit {self.stream} --allow-direct -f; or leave out --direct.",
            )
        first = {"all": 1, "new": about["state"]["last_seq"] + 1, "by_start_sequence": 1}
        policy, subjects = self._start.policy, self._start.subjects
        if policy == "last_per_subject":
            self._body = {"multi_last": list(subjects or (">",))}
        elif policy == "last":
            self._body = {"multi_last": [subjects[0] if subjects else ">"]}
            found = [m async for m in read_direct(self.api, self.stream, {**self._body, "batch": 1000})]
            last = max((m.seq for m in found), default=about["state"]["last_seq"] + 1)
            self._body = {"seq": last}
        elif policy == "by_start_time":
            self._body = {"start_time": self._start.more["opt_start_time"]}
        else:
            self._body = {"seq": self._start.more.get("opt_start_seq", first.get(policy, 1))}

    async def _run(self) -> str:
        try:
            return await self._poll()
        except ClientError:
            try:
                await self.api.call(f"STREAM.INFO.{self.stream}")
            except JetStreamError as e:
                if e.code == NO_STREAM:
                    return self._lost()
            raise

    async def _poll(self) -> str:
        body = self._body
        filters = self._start.subjects
        if "multi_last" not in body and filters:
            body["next_by_subj"] = filters[0]
        while True:
            last = 0
            async for message in read_direct(self.api, self.stream, {**body, "batch": _AT_ONCE}):
                last = message.seq
                await self._give(message)
            if last:
                again = {"seq": last + 1}
                body = {**again, **({"next_by_subj": filters[0]} if len(filters) == 1 else {})}
                if "multi_last" in self._body:
                    body = {**again, "multi_last": self._body["multi_last"]}
                continue
            if self._start.at_end:
                return AT_END
            await asyncio.sleep(_POLL)


async def stream_of(api: Api, subjects: tuple[str, ...]) -> str:
    """The one stream that takes these subjects. Raises CommandError when there is none, or several."""
    found: set[str] = set()
    for subject in subjects:
        found |= set(await api.pages("STREAM.NAMES", "streams", {"subject": subject}))
    if len(found) == 1:
        return found.pop()
    what = " and ".join(map(one_line, subjects))
    if not found:
        raise CommandError(
            f"No stream has messages on {what}.", "%js stream ls shows the streams and their subjects."
        )
    raise CommandError(
        f"{what} is in several streams: {', '.join(sorted(found))}.", f"Name one: --stream {min(found)}"
    )
