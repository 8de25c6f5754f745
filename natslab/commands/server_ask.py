"""Asking every server at once, over the system account, and who of the lab did not answer."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Mapping
from typing import Any

import click
import nats.errors
from nats.aio.client import Client

from natslab.commands.absence import absent, states_of
from natslab.commands.connect import Line
from natslab.commands.flags import NUMBER, flag, many, together
from natslab.commands.jsnode import Node
from natslab.commands.majority import APART
from natslab.commands.tree import impossible
from natslab.errors import ClientError, CommandError, Timeout, there

_GAP = 0.3  # seconds without a further answer that end the wait


class Answer:
    """What one server said: its `name`, `cluster` and `id`, and the `data`, fields as attributes."""

    def __init__(self, said: Mapping[str, Any], rtt: float) -> None:
        self.server: dict[str, Any] = said.get("server") or {}
        self.facts: dict[str, Any] = said.get("data") or said.get("statsz") or {}
        self.error: str = str((said.get("error") or {}).get("description", ""))
        self.rtt = rtt

    @property
    def name(self) -> str:
        """The server's name."""
        return str(self.server.get("name", ""))

    @property
    def cluster(self) -> str:
        """The cluster that it belongs to; "" for a server alone."""
        return str(self.server.get("cluster", ""))

    @property
    def id(self) -> str:
        """What the servers call each other."""
        return str(self.server.get("id", ""))

    @property
    def data(self) -> Node:
        """What it said, as attributes."""
        return Node(self.facts)

    def __repr__(self) -> str:
        return f"<answer of {self.name}>"

    def json(self) -> dict[str, Any]:
        """As it came over the wire."""
        return {
            "server": self.server,
            **({"error": self.error} if self.error else {"data": self.facts}),
        }


async def ask_all(
    line: Line, system: Client, what: str, body: Mapping[str, Any], expect: int, first: float
) -> list[Answer]:
    """What every server answers to `$SYS.REQ.SERVER.PING.<what>`, by name.

    Waits for `expect` answers, or until no more come; `first` seconds for the first. Raises ClientError
    when none comes.
    """
    subject = f"$SYS.REQ.SERVER.PING.{what}"
    answers = await _gather(line, system, subject, body, expect, first)
    if not answers:
        raise Timeout(
            f"No server answered {subject}.",
            "Only users of the system account may ask; without --user the lab's own is used."
            if line.elsewhere
            else "%natslab status shows the servers.",
        )
    return sorted(answers, key=lambda a: (a.name, a.id))


async def _gather(
    line: Line, system: Client, subject: str, body: Mapping[str, Any], expect: int, first: float
) -> list[Answer]:
    inbox = system.new_inbox()
    sub = await system.subscribe(inbox)
    begun = time.monotonic()
    answers: list[Answer] = []
    payload = json.dumps(body).encode() if body else b""
    try:
        await system.publish(subject, payload, reply=inbox)
        if line.trace_on:
            line.trace.append(f">>> {subject}: {payload.decode() or '(nothing)'}")
        while not expect or len(answers) < expect:
            left = begun + (line.timeout if answers else first) - time.monotonic()
            if answers:
                left = min(left, _GAP)
            if left <= 0:
                break
            try:
                msg = await sub.next_msg(left)
            except nats.errors.TimeoutError:
                break
            if not msg.data:
                break  # 503: nobody there, or no right to ask
            try:
                answer = json.loads(msg.data)
            except ValueError:
                continue
            if line.trace_on:
                line.trace.append(f"<<< {msg.data.decode('utf-8', 'replace')[:2000]}")
            if isinstance(answer, dict):
                answers.append(Answer(answer, time.monotonic() - begun))
    finally:
        if not system.is_closed:
            await sub.unsubscribe()
    return answers


LIMIT = click.argument("limit", required=False, type=NUMBER)
#: The flags that say which servers a report is about.
limiting = together(
    flag("--host", help="only the server of this name"),
    flag("--cluster", help="only servers of this cluster"),
    many("--tags", help="only servers with this tag"),
    flag("--watch", help="not possible here"),
    flag("--archive", help="not possible here"),
)


class Servers:
    """The servers that a report or request is about, and who of them was silent.

    Parameters
    ----------
    line: the line that asks.
    expect: so many answers are waited for; 0: as many as the lab has servers that can answer.
    host, cluster, tags: only servers for which that is so; "" and () are all.
    host_is: the name of the server's field that `host` is about.
    """

    def __init__(
        self,
        line: Line,
        expect: int | None = None,
        host: str | None = None,
        cluster: str | None = None,
        tags: Iterable[str] = (),
        host_is: str = "server_name",
    ) -> None:
        self.line = line
        self.expect = expect or 0
        said = {host_is: host, "cluster": cluster, "tags": list(tags)}
        self.filter = {k: v for k, v in said.items() if v}

    async def ask(self, what: str, body: Mapping[str, Any] | None = None) -> list[Answer]:
        """Their answers by name; those that refuse are left out. Raises ClientError when all refuse."""
        return self.accepted(await self.raw(what, body))

    async def raw(self, what: str, body: Mapping[str, Any] | None = None) -> list[Answer]:
        """The same with the refusals among them."""
        line = self.line
        try:
            async with line.system() as system:
                expect = self.expect
                if not expect and not self.filter and not line.elsewhere:
                    expect = len(states_of(line)) - len(absent(line))
                # It may be that no server is as the filter says.
                first = min(line.timeout, 1.0) if self.filter and not line.elsewhere else line.timeout
                asked = {**(body or {}), **self.filter}
                return await ask_all(line, system, what, asked, expect, first)
        except ClientError as e:
            raise self._nobody(e) from None

    def _nobody(self, error: ClientError) -> ClientError | CommandError:
        if not self.filter or self.line.elsewhere:
            return error
        said = " and ".join(
            f"{'tags' if k == 'tags' else 'cluster' if k == 'cluster' else 'name'} "
            f"{', '.join(v) if isinstance(v, list) else v}"
            for k, v in self.filter.items()
        )
        return CommandError(f"No server with the {said} answers.", there(states_of(self.line)))

    @staticmethod
    def accepted(answers: list[Answer]) -> list[Answer]:
        """Those that did not refuse. Raises ClientError, with their words, when all did."""
        good = [a for a in answers if not a.error]
        if answers and not good:
            names = " and ".join(sorted({a.name for a in answers}))
            raise ClientError(f"{names} refused: {answers[0].error}.", "Look at the flags.")
        return good

    def silent(self, answers: Iterable[Answer]) -> list[str]:
        """A note for each server of the lab that did not answer, with the reason."""
        if self.line.elsewhere or self.filter or self.expect:
            return []
        names = {a.name for a in answers}
        away = absent(self.line)
        notes = []
        for name in states_of(self.line):
            if name not in names:
                why = f": it is {away[name]}" if name in away else ""
                ask = f". --on {name} asks it" if away.get(name) == APART else ""
                notes.append(f"{name} did not answer{why}{ask}.")
        return notes


def no_archive(archive: str | None, watch: str | None = None) -> None:
    """Refuse what the CLI does with files of an audit, and reports again and again."""
    if archive:
        impossible(
            "natslab cannot read audit archives.", "Leave out --archive to ask the servers themselves."
        )
    if watch:
        impossible("A cell shows a report once.", "Leave out --watch; %natslab view shows live pictures.")
