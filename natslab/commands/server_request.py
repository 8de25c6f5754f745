"""`nats server request`: what servers answer on their monitoring, as they said it."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import click
import nats.errors

from natslab.commands.connect import Line
from natslab.commands.flags import FILE, NUMBER, Number, flag, many, switch, together
from natslab.commands.results import Result, Text, one_line
from natslab.commands.server import SERVER
from natslab.commands.server_ask import Answer, Servers, no_archive
from natslab.commands.server_report import health_body
from natslab.errors import ClientError, CommandError, Timeout, joined, there
from natslab.servers.disk import write

_CID = Number(1)
_ARCHIVE = flag("--archive", help="not possible here")
_WAIT = click.argument("wait", required=False, type=NUMBER)
#: The flags of the whole group.
_which = together(
    flag("--limit", type=NUMBER, default=2048, show_default=True, help="at most so many entries"),
    flag("--offset", type=NUMBER, default=0, show_default=True, help="leave out the first so many"),
    flag("--name", help="only the server of this name"),
    flag("--host", help="only servers on this host"),
    flag("--cluster", help="only servers of this cluster"),
    many("--tags", help="only servers with this tag"),
)

REQUEST = SERVER.group(
    "request",
    "req",
    says="What servers say on their monitoring, in their own JSON; --json shows it.",
    own=_which,
)


class Answers(Result):
    """What servers answered: iterating gives each answer, `answers["n1"]` that of n1, with `.data`.

    The JSON differs from run to run, so a cell shows who answered; --json shows all of it.
    """

    def __init__(self, what: str, answers: Sequence[Answer], facts: Sequence[str] = ()) -> None:
        super().__init__()
        self.what = what
        self.answers = list(answers)
        self._facts = list(facts)

    @property
    def names(self) -> list[str]:
        """The servers that answered."""
        return [a.name for a in self.answers]

    def text(self) -> str:
        """Who answered."""
        who = joined([one_line(n, 40) for n in self.names])
        n = len(self.answers)
        said = f"{n:,} server{'s' if n != 1 else ''} answered {self.what}: {who}"
        return "\n".join([said, *self._facts])

    def json(self) -> Any:
        """Everything, one entry for each server."""
        return [a.json() for a in self.answers]

    def __iter__(self) -> Iterator[Answer]:
        return iter(self.answers)

    def __len__(self) -> int:
        return len(self.answers)

    def __getitem__(self, which: int | str) -> Answer:
        if isinstance(which, int):
            return self.answers[which]
        for one in self.answers:
            if which in (one.name, one.id):
                return one
        raise KeyError(which)


async def _asked(
    line: Line, what: str, body: Mapping[str, Any], said: Mapping[str, Any], wait: int | None
) -> Answers:
    no_archive(said.get("archive"))
    servers = Servers(line, wait, said["name"], said["cluster"], said["tags"])
    if said.get("host"):
        servers.filter["host"] = said["host"]
    answers = await servers.ask(what, {k: v for k, v in body.items() if v not in (None, False, "")})
    made = Answers(what.lower(), answers)
    made.notes += servers.silent(answers)
    return made


@REQUEST.verb("accounts", "accountz", "acct", example="%nats server request accounts", mark="")
@_WAIT
@flag("--account", help="everything about this account")
@_ARCHIVE
async def accounts(line: Line, wait: int | None, account: str | None, **said: Any) -> Answers:
    """Ask which accounts there are, or about one."""
    return await _asked(line, "ACCOUNTZ", {"account": account}, said, wait)


_CONNECTION_SORTS = [
    "cid", "start", "subs", "pending", "msgs_to", "msgs_from", "bytes_to", "bytes_from", "last", "idle",
    "uptime", "stop", "reason", "rtt",
]  # fmt: skip


@REQUEST.verb(
    "connections", "conn", "connz", mark="",
    example="%nats server request connections --filter-state closed",
)  # fmt: skip
@_WAIT
@flag(
    "--sort", type=click.Choice(_CONNECTION_SORTS), default="cid", show_default=True, metavar="FIELD",
    help=f"in this order: {', '.join(_CONNECTION_SORTS)}",
)  # fmt: skip
@switch("--subscriptions", help="with their subscriptions")
@flag("--filter-cid", type=_CID, help="only the one with this id")
@flag(
    "--filter-state", type=click.Choice(["open", "closed", "all"]), default="open", show_default=True,
    help="open ones, or those that were",
)  # fmt: skip
@flag("--filter-user", help="only this user")
@flag("--filter-account", help="only this account")
@flag("--filter-subject", help="only those that subscribe to what matches this subject; needs the account")
@switch("--filter-empty", help="only servers that have some")
@_ARCHIVE
async def connections(
    line: Line, wait: int | None, sort: str, subscriptions: bool, filter_cid: int | None, filter_state: str,
    filter_user: str | None, filter_account: str | None, filter_subject: str | None, filter_empty: bool,
    **said: Any,
) -> Answers:  # fmt: skip
    """Ask for the connections."""
    body = {
        "sort": sort,
        "auth": True,
        "subscriptions": subscriptions,
        "subscriptions_detail": subscriptions,
        "offset": said["offset"],
        "limit": said["limit"],
        "cid": filter_cid,
        "user": filter_user,
        "acc": filter_account,
        "filter_subject": filter_subject,
        "state": ["open", "closed", "all"].index(filter_state),
    }
    made = await _asked(line, "CONNZ", body, said, wait)
    if filter_empty:
        made.answers = [a for a in made.answers if a.facts.get("connections")]
    return made


@REQUEST.verb("gateways", "gateway", "gwy", "gatewayz", example="%nats server request gateways", mark="")
@_WAIT
@click.argument("filter-name", required=False)
@flag("--filter-account", help="only this account; implies --accounts")
@switch("--accounts", help="with what each account has there")
@switch("--subscriptions", default=True, help="with subscriptions, where accounts are shown")
@_ARCHIVE
async def gateways(
    line: Line, wait: int | None, filter_name: str | None, filter_account: str | None, accounts: bool,
    subscriptions: bool, **said: Any,
) -> Answers:  # fmt: skip
    """Ask for the connections to other clusters."""
    detail = accounts or filter_account is not None
    body = {
        "name": filter_name,
        "accounts": detail,
        "account_name": filter_account,
        "subscriptions": subscriptions and detail,
        "subscriptions_detail": subscriptions and detail,
    }
    return await _asked(line, "GATEWAYZ", body, said, wait)


@REQUEST.verb("ipqueue", "ipq", "ipqueuesz", example="%nats server request ipqueue", mark="")
@switch("--all", default=True, help="also queues in which nothing waits")
@flag("--filter", help="only queues with this in their name")
@_ARCHIVE
async def ipqueue(line: Line, all: bool, filter: str | None, **said: Any) -> Answers:
    """Ask for the queues inside the server."""
    return await _asked(line, "IPQUEUESZ", {"all": all, "filter": filter}, said, None)


@REQUEST.verb("jetstream-health", "healthz", example="%nats server request jetstream-health", mark="")
@_WAIT
@switch("--js-enabled", "-J", help="JetStream must be on")
@switch("--server-only", "-S", help="leave out streams and consumers")
@flag("--account", help="only this account")
@flag("--stream", help="only this stream")
@flag("--consumer", help="only this consumer")
@switch("--details", default=True, help="with everything that is wrong")
@_ARCHIVE
async def healthz(
    line: Line, wait: int | None, js_enabled: bool, server_only: bool, account: str | None,
    stream: str | None, consumer: str | None, details: bool, **said: Any,
) -> Answers:  # fmt: skip
    """Ask whether the servers are well."""
    body = health_body(js_enabled, server_only, account, stream, consumer, details)
    return await _asked(line, "HEALTHZ", body, said, wait)


@REQUEST.verb("jetstream", "jsz", "js", example="%nats server request jetstream --streams", mark="")
@_WAIT
@flag("--account", help="only this account")
@switch("--accounts", help="with accounts")
@switch("--streams", help="with streams")
@switch("--consumer", help="with consumers")
@switch("--config", help="with configurations")
@switch("--raft", help="with the names of RAFT groups")
@switch("--leader", help="only from the server that leads the meta group")
@switch("--stream-leader", help="each stream only from the server that leads it")
@switch("--all", help="accounts, streams, consumers and configurations")
@_ARCHIVE
async def jetstream(
    line: Line, wait: int | None, account: str | None, accounts: bool, streams: bool, consumer: bool,
    config: bool, raft: bool, leader: bool, stream_leader: bool, all: bool, **said: Any,
) -> Answers:  # fmt: skip
    """Ask what JetStream has."""
    body = {
        "account": account,
        "accounts": accounts or all,
        "streams": streams or all,
        "consumer": consumer or all,
        "config": config or all,
        "raft": raft,
        "leader_only": leader,
        "stream_leader_only": stream_leader,
        "offset": said["offset"],
        "limit": said["limit"],
    }
    try:
        return await _asked(line, "JSZ", body, said, wait or (1 if leader else None))
    except Timeout:
        if not leader:
            raise
        raise Timeout(
            "Nobody leads the meta group, so nobody answers.",
            "Its servers elect a leader, which takes up to 10 s after a failure.",
            "META.LEADER",  # it is about JetStream: who is missing is said, if somebody is
        ) from None


@REQUEST.verb("kick", example="%nats server request kick 12 n1", mark="fault")
@click.argument("client", type=_CID)
@click.argument("server")
async def kick(line: Line, client: int, server: str, **said: Any) -> Text:
    """Let a server disconnect a client, by the id that connections shows; most clients come back."""
    servers = Servers(line)
    found = await servers.ask("CONNZ", {"cid": client, "auth": True})
    one = next((a for a in found if server in (a.name, a.id)), None)
    if one is None:
        raise CommandError(f"No server {one_line(server, 40)} answers.", there([a.name for a in found]))
    there_is = next(iter(one.facts.get("connections") or []), None)
    name = str((there_is or {}).get("name") or "")
    await tell(line, one.id, "KICK", {"cid": client}, one.name)
    called = f" ({one_line(name, 40)})" if name else ""
    return Text(
        f"{one.name} disconnected the client {client}{called}", server=one.name, cid=client, name=name
    )


async def tell(line: Line, id: str, what: str, body: Mapping[str, Any], name: str) -> dict[str, Any]:
    """Ask one server, by its id, to do something. Raises ClientError with its reason when it does not."""
    subject = f"$SYS.REQ.SERVER.{id}.{what}"
    data = json.dumps(body).encode() if body else b""
    async with line.system() as system:
        if line.trace_on:
            line.trace.append(f">>> {subject}: {data.decode() or '(nothing)'}")
        try:
            answer = await system.request(subject, data, timeout=line.timeout)
        except nats.errors.NoRespondersError:
            raise ClientError(
                f"{name} does not answer.", "%nats server list shows which servers do."
            ) from None
        if line.trace_on:
            line.trace.append(f"<<< {one_line(answer.data)}")
    said: dict[str, Any] = json.loads(answer.data)
    if error := said.get("error"):
        why = str(error.get("description", "no reason given")).rstrip(".")
        raise ClientError(f"{name} refused: {why}.", "Nothing was changed.")
    return said


@REQUEST.verb("leafnodes", "leaf", "leafz", example="%nats server request leafnodes", mark="")
@_WAIT
@switch("--subscriptions", help="with subscriptions")
@_ARCHIVE
async def leafnodes(line: Line, wait: int | None, subscriptions: bool, **said: Any) -> Answers:
    """Ask for the leafnodes."""
    return await _asked(line, "LEAFZ", {"subscriptions": subscriptions}, said, wait)


_PROFILES = ("allocs", "heap", "goroutine", "mutex", "threadcreate", "block", "cpu")


@REQUEST.verb("profile", example="%nats server request profile heap /tmp", mark="")
@click.argument("profile")
@click.argument("dir", required=False, type=FILE, default=".")
@flag("--level", type=NUMBER, help="how much detail, for the servers' own profiler")
@_ARCHIVE
async def profile(line: Line, profile: str, dir: Path, level: int | None, **said: Any) -> Text:
    """Write what the servers' own profiler says to a folder, one file for each server.

    There are allocs, heap, goroutine, mutex, threadcreate, block and cpu.
    """
    if profile not in _PROFILES:
        raise CommandError(f"There is no profile {one_line(profile, 40)!r}.", there(_PROFILES))
    answers = await _asked(line, "PROFILEZ", {"name": profile, "debug": level}, said, None)
    stamp = time.strftime("%Y%m%d-%H%M%S")
    files = {}
    for one in answers:
        if error := one.facts.get("error"):
            raise ClientError(f"{one.name} refused: {error}.", "Leave out --level, or take another profile.")
        path = dir / f"{profile}-{stamp}-{one.name}"
        write(path, base64.b64decode(one.facts.get("profile") or ""))
        files[one.name] = str(path)
    made = Text(
        f"The profile {profile} of {joined(answers.names)} was written to {dir}", profile=profile, files=files
    )
    made.notes += answers.notes
    return made


@REQUEST.verb("raft", "raftz", example="%nats server request raft --account A", mark="")
@flag("--account", help="groups of this account; otherwise the meta group")
@flag("--group", help="only this group")
@_ARCHIVE
async def raft(line: Line, account: str | None, group: str | None, **said: Any) -> Answers:
    """Ask each server how it sees its RAFT groups: state, term, leader, log."""
    return await _asked(line, "RAFTZ", {"account": account, "group": group}, said, None)


@REQUEST.verb("routes", "route", "routez", example="%nats server request routes", mark="")
@_WAIT
@switch("--subscriptions", help="with subscriptions")
@_ARCHIVE
async def routes(line: Line, wait: int | None, subscriptions: bool, **said: Any) -> Answers:
    """Ask for the connections inside the cluster."""
    body = {"subscriptions": subscriptions, "subscriptions_detail": subscriptions}
    return await _asked(line, "ROUTEZ", body, said, wait)


@REQUEST.verb("subscriptions", "sub", "subsz", example="%nats server request subscriptions", mark="")
@_WAIT
@switch("--detail", help="with each subscription")
@flag("--filter-account", help="only this account")
@flag("--filter-subject", help="only those that match this subject; implies --detail")
@_ARCHIVE
async def subscriptions(
    line: Line, wait: int | None, detail: bool, filter_account: str | None, filter_subject: str | None,
    **said: Any,
) -> Answers:  # fmt: skip
    """Ask for the subscriptions."""
    body = {
        "offset": said["offset"],
        "limit": said["limit"],
        "subscriptions": detail or filter_subject is not None,
        "account": filter_account,
        "test": filter_subject,
    }
    return await _asked(line, "SUBSZ", body, said, wait)


@REQUEST.verb("variables", "var", "varz", example="%nats server request variables", mark="")
@_WAIT
@_ARCHIVE
async def variables(line: Line, wait: int | None, **said: Any) -> Answers:
    """Ask each server how it is configured and what it has done so far."""
    return await _asked(line, "VARZ", {}, said, wait)
