"""`nats server account`: one account as the servers know it, and an end of all that it stores."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import click

from natslab.commands.connect import Line
from natslab.commands.flags import flag, switch
from natslab.commands.results import Facts, Text, one_line
from natslab.commands.server import SERVER
from natslab.commands.server_ask import Answer, Servers, no_archive
from natslab.errors import CommandError, Timeout, joined, there
from natslab.servers.jsapi import Api

ACCOUNT = SERVER.group(
    "account",
    "acct",
    says="One account, as the servers know it.",
    own=switch("--json", "-j", help="show the facts as JSON"),
)

_PAUSE = 0.02  # seconds between two looks whether the streams have gone


@ACCOUNT.verb("info", "i", example="%nats server account info A", mark="")
@click.argument("account")
@flag("--host", help="only what the server of this name says")
@flag("--archive", help="not possible here")
async def info(line: Line, account: str, host: str | None, archive: str | None) -> Facts:
    """Show who is connected in an account, and what it gives to others and takes from them."""
    no_archive(archive)
    servers = Servers(line, host=host)
    answers = await _about(servers, account)
    one = answers[0].facts["account_detail"]
    details = [a.facts["account_detail"] for a in answers]
    clients, leafs = (
        sum(int(d.get(f"{kind}_connections") or 0) for d in details) for kind in ("client", "leafnode")
    )
    pairs = [
        ("System account", "yes" if one.get("is_system") else "no"),
        ("JetStream", "on" if any(d.get("jetstream_enabled") for d in details) else "off"),
        ("Connections", f"{clients:,}"),
        ("Leafnodes", f"{leafs:,}"),
    ]
    sections = {f"Account {one_line(account)}": pairs}
    for heading, found in (
        ("Exports", sorted((str(e["subject"]), _to(e)) for e in one.get("exports") or [])),
        ("Imports", sorted((str(i["subject"]), _from(i)) for i in one.get("imports") or [] if not _own(i))),
    ):
        if found:
            sections[heading] = [(one_line(subject), said) for subject, said in found]
    made = Facts(sections, {**one, "servers": [a.json() for a in answers]})
    made.notes += servers.silent(answers)
    return made


@ACCOUNT.verb("purge", example="%nats server account purge A -f", mark="fault")
@click.argument("account")
@switch("--force", "-f", help="do it without being asked")
async def purge(line: Line, account: str, force: bool) -> Text:
    """Remove every stream of an account, and with them their consumers, buckets and object stores."""
    servers = Servers(line)
    await _about(servers, account)
    names = await _streams(servers, account)
    if not names:
        return Text(f"{one_line(account)} has no streams.", account=account, streams=[])
    few = joined(names) if len(names) <= 5 else f"{joined(names[:4])} and {len(names) - 4} more streams"
    if not force:
        raise CommandError(
            f"purge would remove {few} of {one_line(account)} for good.",
            f"Nothing was done. To do it: %nats server account purge {account} -f",
        )
    subject = f"ACCOUNT.PURGE.{account}"
    async with line.system() as system:
        await Api(system, timeout=line.timeout, heard=line.heard()).call(subject)
    end = time.monotonic() + line.timeout
    while left := await _streams(servers, account):
        if time.monotonic() >= end:
            raise Timeout(
                f"{joined(left)} of {one_line(account)} {'is' if len(left) == 1 else 'are'} still there.",
                "%nats server report jetstream shows the servers.",
                subject,
            )
        await asyncio.sleep(_PAUSE)
    return Text(f"{few} of {one_line(account)} {'was' if len(names) == 1 else 'were'} removed.",
                account=account, streams=names)  # fmt: skip


async def _about(servers: Servers, account: str) -> list[Answer]:
    """What each server says of the account. Raises CommandError when none knows it."""
    answers = await servers.raw("ACCOUNTZ", {"account": account})
    found = [a for a in answers if a.facts.get("account_detail")]
    if not found:
        known = {str(name) for a in await servers.ask("ACCOUNTZ") for name in a.facts.get("accounts") or []}
        raise CommandError(f"There is no account {one_line(account, 40)}.", there(sorted(known)))
    return found


async def _streams(servers: Servers, account: str) -> list[str]:
    """The streams of the account that any server has."""
    answers = await servers.ask("JSZ", {"accounts": True, "streams": True})
    return sorted(
        {
            str(stream["name"])
            for one in answers
            for detail in one.facts.get("account_details") or []
            if detail.get("name") == account
            for stream in detail.get("stream_detail") or []
        }
    )


def _to(export: dict[str, Any]) -> str:
    approved = [str(name) for name in export.get("approved_accounts") or []]
    return f"{export.get('type', '')}, to {joined(sorted(approved)) if approved else 'everybody'}"


def _from(taken: dict[str, Any]) -> str:
    local = str(taken.get("local_subject") or "")
    here = f", as {local}" if local and local != taken.get("subject") else ""
    return f"{taken.get('type', '')}, from {taken.get('account', '')}{here}"


def _own(taken: dict[str, Any]) -> bool:
    """Whether every account has it from the server: its questions about itself, and JetStream."""
    return taken.get("account") == "SYS" and str(taken.get("subject", "")).startswith(("$SYS.", "$JS.API"))
