"""Typed configuration of one nats-server, and its text in nats-server's own syntax.

Every string of ours is quoted, so no foreign text (a subject, a path) can become configuration.
"""

from __future__ import annotations

import dataclasses
import re
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from natslab.errors import LabError
from natslab.servers import joining
from natslab.servers.joining import RANDOM, Cluster, Gateway, Leafs, Remote
from natslab.servers.quoting import key, listed, quote

MB = 1024 * 1024

# What the accounts of every lab are called: the system's, the learner's, and natslab's own.
SYS, LEARNER, LAB = "SYS", "A", "LAB"
# Where natslab's clients ask the servers to send message traces.
TRACES = "_NATSLAB.>"


@dataclass(frozen=True)
class Logins:
    """The passwords of one lab, by user; `peer` is what servers show each other."""

    app: str = field(repr=False)
    sys: str = field(repr=False)
    watcher: str = field(repr=False)
    peer: str = field(repr=False)

    @classmethod
    def fresh(cls) -> Logins:
        """New random ones."""
        return cls(*(secrets.token_hex(16) for _ in range(4)))


@dataclass(frozen=True)
class User:
    """A user of an account; a list of subjects that is empty says nothing about them."""

    name: str
    password: str = field(repr=False)
    publish_allow: tuple[str, ...] = ()
    publish_deny: tuple[str, ...] = ()
    subscribe_allow: tuple[str, ...] = ()
    subscribe_deny: tuple[str, ...] = ()


@dataclass(frozen=True)
class Target:
    """Where a subject mapping leads: `weight` percent of the messages go to `subject`.

    `cluster` limits it to messages published in that cluster. Under 100 percent in all, the rest
    stays on the original subject, unless that is itself a target: then it is lost (server).
    """

    subject: str
    weight: int = 100
    cluster: str = ""


Mappings = Mapping[str, Sequence[Target]]


@dataclass(frozen=True)
class Export:
    """A subject that an account offers to the accounts `to` (none named: to all)."""

    kind: Literal["stream", "service"]
    subject: str
    to: tuple[str, ...] = ()


@dataclass(frozen=True)
class Import:
    """A subject taken from another account; a stream's subjects get the `prefix`."""

    kind: Literal["stream", "service"]
    account: str
    subject: str
    prefix: str = ""


@dataclass(frozen=True)
class Account:
    """An account: its users see only each other's messages, exports and imports apart."""

    name: str
    users: tuple[User, ...] = ()
    exports: tuple[Export, ...] = ()
    imports: tuple[Import, ...] = ()
    mappings: Mappings = field(default_factory=dict)
    jetstream: bool = False


@dataclass(frozen=True)
class Config:
    """One nats-server.

    `port` and `http` are TCP ports on 127.0.0.1 (RANDOM: the system picks; http None: no
    monitoring port). `max_payload`, `max_mem` and `max_file` are bytes.
    """

    name: str
    accounts: tuple[Account, ...]
    store: Path
    log: Path
    port: int = RANDOM
    http: int | None = None
    max_payload: int = MB
    max_mem: int = 256 * MB
    max_file: int = 1024 * MB
    cluster: Cluster | None = None
    gateway: Gateway | None = None
    leafs: Leafs | None = None
    remote: Remote | None = None
    domain: str = ""  # JetStream's, in a lab with leafnodes

    def account(self, name: str) -> Account:
        """The account of that name. Raises LabError when there is none."""
        for account in self.accounts:
            if account.name == name:
                return account
        names = ", ".join(one.name for one in self.accounts)
        raise LabError(f"There is no account {name!r}.", f"The accounts are {names}.")

    def with_account(self, account: Account) -> Config:
        """The same with the account of that name replaced, or added."""
        kept = [account if one.name == account.name else one for one in self.accounts]
        if account not in kept:
            kept.append(account)
        return dataclasses.replace(self, accounts=tuple(kept))

    def with_mappings(self, mappings: Mappings, account: str = LEARNER) -> Config:
        """The same with all subject mappings of that account replaced."""
        return self.with_account(dataclasses.replace(self.account(account), mappings=dict(mappings)))

    def text(self) -> str:
        """The file for nats-server, passwords included. Raises LabError for text it cannot say."""
        lines = [
            f"server_name: {quote(self.name)}",
            f'listen: "127.0.0.1:{self.port}"',
        ]
        if self.http is not None:
            lines.append(f'http: "127.0.0.1:{self.http}"')
        lines += [
            f"max_payload: {self.max_payload}",
            f"log_file: {quote(str(self.log))}",
            "logtime_utc: true",  # a clock that never jumps
            "log_size_limit: 64MB",
            "lame_duck_duration: 30s",  # the least that nats-server accepts
            "lame_duck_grace_period: 1s",
        ]
        lines += [
            # Without limits nats-server takes 75 % of the machine.
            "jetstream {",
            f"  store_dir: {quote(str(self.store))}",
            f"  max_mem: {self.max_mem}",
            f"  max_file: {self.max_file}",
            *([f"  domain: {quote(self.domain)}"] if self.domain else []),
            "}",
            *joining.cluster_text(self.cluster),
            *joining.gateway_text(self.gateway, self.cluster),
            *joining.leafnodes_text(self.leafs, self.remote, LEARNER),
            f"system_account: {quote(SYS)}",
            "accounts {",
            *(f"  {line}" for account in self.accounts for line in _account(account)),
            "}",
        ]
        return "\n".join(lines) + "\n"


def lab_accounts(
    logins: Logins, mappings: Mappings | None = None, *, leafs: bool = False
) -> tuple[Account, ...]:
    """The accounts of every lab: SYS, A (the learner's) and LAB, which watches A from outside.

    A watcher inside A would change what a learner sees (a subscription to `>` answers every
    request, so that nobody ever gets "no responders"); an import of these three subjects does not
    (measured). Learners may not subscribe to the traces, or their own `>` would be full of them.
    `leafs`: leafnodes connect as the user `leaf`.
    """
    to = (LAB,)
    return (
        # RAFT's messages may be heard by who looks, never sent.
        Account(SYS, users=(User("sys", logins.sys, publish_deny=("$NRG.>",)),)),
        Account(
            LEARNER,
            users=(
                User("app", logins.app, subscribe_deny=(TRACES,)),
                *([User("leaf", logins.peer)] if leafs else []),
            ),
            exports=(
                Export("stream", "$JS.EVENT.>", to),
                Export("stream", "$JS.ACK.>", to),
                Export("stream", TRACES, to),
            ),
            mappings=dict(mappings or {}),
            jetstream=True,
        ),
        Account(
            LAB,
            users=(User("watcher", logins.watcher),),
            imports=(
                Import("stream", LEARNER, "$JS.EVENT.>", prefix=LEARNER),
                Import("stream", LEARNER, "$JS.ACK.>", prefix=LEARNER),
                Import("stream", LEARNER, TRACES),
            ),
        ),
    )


def mask(text: str) -> tuple[str, dict[str, str]]:
    """`text` (a configuration) with its passwords hidden, and what stands for what in it."""
    hidden: dict[str, str] = {}

    def hide(found: re.Match[str]) -> str:
        value = found["value"]
        return found["key"] + hidden.setdefault(value, f'"(password {len(hidden) + 1})"')

    def hide_in_url(found: re.Match[str]) -> str:
        value = found["value"]
        return found["key"] + hidden.setdefault(value, f"(password-{len(hidden) + 1})")

    masked = _IN_URL.sub(hide_in_url, _PASSWORD.sub(hide, text))
    return masked, {stands: value for value, stands in hidden.items()}


def unmask(text: str, hidden: Mapping[str, str]) -> str:
    """Put back what `mask` hid."""
    for stands, value in hidden.items():
        text = text.replace(stands, value)
    return text


_IN_URL = re.compile(r"(?P<key>://[^/@\s\"']*:)(?P<value>[^/@\s\"']+)(?=@)")
_PASSWORD = re.compile(
    r"""(?ix) (?P<key> \b (?: password | pass | token ) (?: \s*[:=]\s* | \s+ ) )
        (?P<value> "(?:[^"\\]|\\.)*" | '[^']*' | [^\s,}\]]+ )"""
)


def _account(account: Account) -> list[str]:
    lines = [f"{key(account.name)}: {{"]
    if account.jetstream:
        lines.append("  jetstream: enabled")
    if account.users:
        lines += ["  users: [", *(f"    {_user(user)}" for user in account.users), "  ]"]
    if account.exports:
        lines += ["  exports: [", *(f"    {_export(one)}" for one in account.exports), "  ]"]
    if account.imports:
        lines += ["  imports: [", *(f"    {_import(one)}" for one in account.imports), "  ]"]
    if account.mappings:
        lines += ["  mappings: {"]
        lines += [f"    {key(source)}: {_targets(targets)}" for source, targets in account.mappings.items()]
        lines += ["  }"]
    return [*lines, "}"]


def _user(user: User) -> str:
    parts = [f"user: {quote(user.name)}, password: {quote(user.password)}"]
    rules = []
    for way in ("publish", "subscribe"):
        allow, deny = getattr(user, f"{way}_allow"), getattr(user, f"{way}_deny")
        rule = [
            f"{word}: {listed(subjects)}" for word, subjects in (("allow", allow), ("deny", deny)) if subjects
        ]
        if rule:
            rules.append(f"{way}: {{{', '.join(rule)}}}")
    if rules:
        parts.append(f"permissions: {{{', '.join(rules)}}}")
    return "{" + ", ".join(parts) + "}"


def _export(export: Export) -> str:
    to = f", accounts: {listed(export.to)}" if export.to else ""
    return f"{{{export.kind}: {quote(export.subject)}{to}}}"


def _import(one: Import) -> str:
    prefix = f", prefix: {quote(one.prefix)}" if one.prefix else ""
    return f"{{{one.kind}: {{account: {quote(one.account)}, subject: {quote(one.subject)}}}{prefix}}}"


def _targets(targets: Sequence[Target]) -> str:
    if len(targets) == 1 and targets[0].weight == 100 and not targets[0].cluster:
        return quote(targets[0].subject)
    rows = []
    for target in targets:
        where = f", cluster: {quote(target.cluster)}" if target.cluster else ""
        rows.append(f"{{destination: {quote(target.subject)}, weight: {target.weight}%{where}}}")
    return "[" + ", ".join(rows) + "]"
