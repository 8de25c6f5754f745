"""Which connection a line uses: the lab's own clients, or, with --server and its like, somewhere else.

Connections elsewhere are plain nats-py: nothing is traced or drawn there.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
import ssl
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import nats.errors
from nats.aio.client import Client, RawCredentials

from natslab import lab as labs
from natslab.commands import trouble
from natslab.commands.places import place
from natslab.commands.results import one_line
from natslab.errors import ClientError, CommandError, LabError, NatslabError, ServerError, joined
from natslab.servers.jsapi import PREFIX, Api, JetStreamError
from natslab.servers.reach import middle, reached, states, wires

_ELSEWHERE = (
    "server_url",
    "user",
    "password",
    "token",
    "creds",
    "nkey",
    "jwt",
    "seed",
    "tlscert",
    "tlskey",
    "tlsca",
)
_ELECTION = 12.0  # seconds; measured 3 to 11
_SECRET = re.compile(r"(?<=://)[^/@\s,'\"]*@")
_SECRET_FLAG = re.compile(r"(--(?:password|token|seed|jwt)(?:=|\s+))('[^']*'|\"[^\"]*\"|\S+)")
_REFUSED = {
    "socks_proxy": ("natslab connects without a proxy.", "Leave out --socks-proxy."),
    "context": (
        "natslab has no contexts yet.",
        "Leave out --context to use the lab; --server names another place.",
    ),
}


def masked(line: str) -> str:
    """The line without the credentials in it."""
    return _SECRET_FLAG.sub(r"\1****", _SECRET.sub("****@", line))


class Line:
    """One line under way: what was typed, and the connections it may use."""

    def __init__(self, text: str, path: str, common: dict[str, Any], body: str | None) -> None:
        self.text = text
        self.path = path
        self.body = body
        self.common = common
        self.trace: list[str] = []  # API requests and replies
        self.values: dict[str, Any] = {}  # what the verb's arguments and flags say
        self.given: frozenset[str] = frozenset()  # those of them that the line gives
        self.place = ""  # the server that its connection was with, once there was one
        #: What had come so far, in a sentence, for the error when the server goes away.
        self.came: Callable[[], str] = str

    def __getattr__(self, name: str) -> Any:
        common = self.__dict__.get("common", {})
        if name in common:
            return common[name]
        raise AttributeError(name)

    @property
    def timeout(self) -> float:
        """Seconds to wait for an answer."""
        return max(0.001, float(self.common.get("timeout") or 5.0))

    @property
    def election(self) -> float:
        """Seconds to wait until servers have elected somebody: not where too few are there to elect."""
        if not self.elsewhere:
            fleet = self.lab.fleet
            known, between = states(fleet), wires(fleet)
            here = str(self.common.get("on") or self.place or middle(fleet))
            if len(reached(here, known, between)) <= len(known) // 2:
                return self.timeout
        return max(self.timeout, _ELECTION)

    @property
    def trace_on(self) -> bool:
        """Whether API requests and replies are to be shown (--trace)."""
        return bool(self.common.get("trace"))

    @property
    def lab(self) -> labs.Lab:
        """The lab of this kernel. Raises LabError when there is none."""
        return labs.current()

    @property
    def elsewhere(self) -> bool:
        """Whether the line says where to connect, or as whom, instead of the lab's own login."""
        if not any(self.common.get(name) for name in _ELSEWHERE):
            return False
        only_server = not any(self.common.get(name) for name in _ELSEWHERE[1:])
        return not (only_server and self._own_url(self.common["server_url"]) is not None)

    @property
    def where(self) -> str:
        """The place, for a sentence."""
        if self.common.get("server_url"):
            return _SECRET.sub("", str(self.common["server_url"]))
        with contextlib.suppress(LabError):
            names = list(self.lab.fleet.servers)
            return str(self.common.get("on") or (names[0] if len(names) == 1 else "the lab"))
        return "the server"

    def _own_url(self, url: str) -> str | None:
        """The name of the lab's server when the URL is exactly one that the lab gives out."""
        try:
            fleet = self.lab.fleet
        except LabError:
            return None
        return next((name for name in fleet.servers if fleet.url(name) == url), None)

    def check(self) -> None:
        """Refuse flags that cannot work here."""
        for name, (what, hint) in _REFUSED.items():
            if self.common.get(name):
                raise CommandError(what, hint)
        if self.common.get("on"):
            if self.elsewhere:
                raise CommandError("--on and --server name two places.", "Use one of them.")
            self.common["on"] = place(self.common["on"], self.lab).name

    def name(self, default: str) -> str:
        """The connection's name."""
        chosen = self.common.get("as_name") or self.common.get("connection_name") or default
        if not chosen.isprintable() or len(chosen) > 100:
            raise CommandError("That name cannot be used for a connection.", "Use a short name: --as audit")
        return str(chosen)

    @contextlib.asynccontextmanager
    async def client(self, default: str = "you", *, named: bool = True) -> AsyncIterator[Client]:
        """A connection for one command: the lab's client of that name, or one elsewhere, closed after.

        Not `named`: it is called `default` whatever the line says, because the name in the line is that
        of the handle which the command begins.
        """
        name = self.name(default) if named else default
        if self.elsewhere or self.common.get("on") or self.common.get("inbox_prefix"):
            made = self._at(await self.open(name))
            try:
                yield made
            finally:
                with contextlib.suppress(Exception):
                    await asyncio.shield(made.close())
        else:
            self.alive()
            async with asyncio.timeout(self.timeout):
                kept = await self.lab.client(name)
            yield self._at(kept)

    def _at(self, client: Client) -> Client:
        """The client; with which server it is connected is known from now on."""
        self.place = str(getattr(client, "_server_info", {}).get("server_name", ""))
        return client

    @contextlib.asynccontextmanager
    async def jetstream(self, default: str = "you", *, named: bool = True) -> AsyncIterator[Api]:
        """The JetStream API over the connection of this line, as `client`; --trace shows what passes."""
        async with self.client(default, named=named) as client:
            yield self.api(client)

    def api(self, client: Client) -> Api:
        """The same over that connection."""
        prefix = (self.common.get("js_api_prefix") or "").rstrip(".")
        domain = self.common.get("js_domain") or self.common.get("domain")
        return Api(
            client,
            prefix or (f"$JS.{domain}.API" if domain else PREFIX),
            self.timeout,
            self.heard(),
            self._passes,
        )

    def _passes(self, error: JetStreamError) -> bool:
        """Whether JetStream refuses only for a moment: all servers are there, and agree soon."""
        unseen = error.code == 10005 and "offline" in error.description
        if not (unseen or error.code in (10008, 10009)) or self.elsewhere:
            return False
        fleet = self.lab.fleet
        known = states(fleet)
        return len(reached(middle(fleet), known, wires(fleet))) == len(known)

    def heard(self) -> Callable[[str, bytes, bytes], None] | None:
        """What is told of each exchange with the API, with --trace."""
        return self._passed if self.trace_on else None

    def _passed(self, subject: str, request: bytes, answer: bytes) -> None:
        self.trace += [f">>> {subject}", *([one_line(request)] if request else []), f"<<< {one_line(answer)}"]

    async def open(self, name: str, **options: Any) -> Client:
        """A connection of its own called `name`."""
        if self.common.get("inbox_prefix"):
            options["inbox_prefix"] = _inbox_prefix(self.common["inbox_prefix"])
        if self.elsewhere:
            return await self._foreign(name, **options)
        self.alive()
        lab = self.lab
        login = lab.fleet.login()
        on = self.common.get("on") or self._own_url(self.common.get("server_url") or "")
        if on:
            login = {**login, "servers": [f"nats://127.0.0.1:{lab.fleet.servers[on].port}"]}
        async with asyncio.timeout(self.timeout):
            return await lab.hub.connect(name, login, **options)

    @contextlib.asynccontextmanager
    async def system(self) -> AsyncIterator[Client]:
        """A connection to the system account: the lab's, or the one that the flags name."""
        if self.elsewhere:
            made = await self._foreign("natslab")
            try:
                yield made
            finally:
                with contextlib.suppress(Exception):
                    await asyncio.shield(made.close())
        else:
            self.alive()
            async with asyncio.timeout(self.timeout):
                kept = await self.lab.fleet.system(self.common.get("on") or middle(self.lab.fleet))
            yield self._at(kept)

    def alive(self) -> None:
        """Raise ServerError when the server that would be used is down."""
        servers = self.lab.fleet.servers
        on = self.common.get("on")
        used = [servers[on]] if on in servers else list(servers.values())
        if used and all(s.state == "down" for s in used):
            names, it = joined(s.name for s in used), "it" if len(used) == 1 else "them"
            again = "; ".join(f"%natslab restart {s.name}" for s in used[: len(used) // 2 + 1])
            raise ServerError(
                f"{names} {'is' if len(used) == 1 else 'are'} down.", f"Start {it} again: {again}"
            )

    def trouble(self) -> NatslabError | None:
        """Why the lab does not answer, when it can be known: its server is down or frozen."""
        found = self._trouble()
        if found is not None and (came := self.came()):
            found.what = f"{found.what} {came}"
            found.args = (found.what, found.hint)
        return found

    def _trouble(self) -> NatslabError | None:
        try:
            servers = self.lab.fleet.servers
        except LabError as e:
            return None if self.elsewhere else LabError("The lab went down while the command ran.", e.hint)
        if self.elsewhere:
            return None
        on = self.common.get("on")
        used = [servers[on]] if on in servers else list(servers.values())
        if len(used) > 1 and any(server.state not in ("down", "frozen") for server in used):
            return None  # the others go on; see absence.py
        for server in used:
            if server.state == "down":
                return ServerError(
                    f"{server.name} went down.", f"Start it again: %natslab restart {server.name}"
                )
            if server.state == "frozen":
                return ServerError(
                    f"{server.name} is frozen and does not answer.",
                    f"Let it go on: %natslab thaw {server.name}. What was sent may still arrive then.",
                )
        return None

    async def _foreign(self, name: str, **options: Any) -> Client:
        said = self.common
        urls = [u.strip() for u in str(said.get("server_url") or "").split(",") if u.strip()]
        if not urls:
            fleet = self.lab.fleet
            self.alive()
            on = said.get("on")
            urls = [f"nats://127.0.0.1:{s.port}" for s in fleet.servers.values() if not on or s.name == on]
        settings = {**self._credentials(), **options}
        limit = min(self.timeout, 5.0)
        refusal: NatslabError | None = None
        for url in urls:
            try:
                async with asyncio.timeout(limit):
                    return await _connect(url, name, settings, limit)
            except NatslabError:
                raise
            except Exception as e:
                where = _SECRET.sub("", url)
                if isinstance(e, ValueError) or "connect url" in str(e):
                    raise ClientError(
                        f"{where!r} is not an address.", "Write it as nats://HOST:PORT"
                    ) from None
                refusal = trouble.sentence(e, doing="Connecting", where=where, timeout=limit)
        assert refusal is not None
        raise refusal

    def _credentials(self) -> dict[str, Any]:
        said = self.common
        out: dict[str, Any] = {}
        for flag in ("creds", "nkey", "tlscert", "tlskey", "tlsca"):
            path: Path | None = said.get(flag)
            if path is not None and not _is_file(path):
                raise ClientError(
                    f"There is no file {str(path)!r} (--{flag}).", "Check the name of the file."
                )
        if said.get("creds"):
            _check_creds(said["creds"])
            out["user_credentials"] = str(said["creds"])
        if said.get("nkey"):
            out["nkeys_seed"] = str(said["nkey"])
        if said.get("jwt") or said.get("seed"):
            if not (said.get("jwt") and said.get("seed")):
                raise CommandError(
                    "--jwt and --seed belong together.", "Give both, or a file with both: --creds"
                )
            out["user_credentials"] = RawCredentials(
                "-----BEGIN NATS USER JWT-----\n" + said["jwt"] + "\n------END NATS USER JWT------\n\n"
                "-----BEGIN USER NKEY SEED-----\n" + said["seed"] + "\n------END USER NKEY SEED------\n"
            )
        if said.get("token"):
            out["token"] = said["token"]
        elif said.get("user"):
            # As the CLI: a user without a password is a token.
            out |= (
                {"user": said["user"], "password": said["password"]}
                if said.get("password")
                else {"token": said["user"]}
            )
        elif said.get("password"):
            raise CommandError("--password is given without --user.", "Name the user too.")
        if said.get("tlsca") or said.get("tlscert") or said.get("tlskey"):
            out["tls"] = self._tls()
        if said.get("tlsfirst") or said.get("tls_first"):
            out["tls_handshake_first"] = True
        return out

    def _tls(self) -> ssl.SSLContext:
        said = self.common
        try:
            context = ssl.create_default_context(cafile=str(said["tlsca"]) if said.get("tlsca") else None)
            if said.get("tlscert"):
                context.load_cert_chain(
                    str(said["tlscert"]), str(said["tlskey"]) if said.get("tlskey") else None
                )
        except (ssl.SSLError, OSError) as e:
            raise ClientError(
                f"The TLS files cannot be used: {trouble.said(e)}.", "Give PEM files."
            ) from None
        return context


class _GiveUp(Exception):
    """Ends nats-py's own round of retries at the first error."""


async def _connect(url: str, name: str, settings: dict[str, Any], limit: float) -> Client:
    client = Client()
    problems: list[Exception] = []
    connecting = True

    async def heard(e: Exception) -> None:
        problems.append(e)
        if connecting:
            raise _GiveUp

    try:
        await client.connect(
            servers=[url],
            name=name,
            allow_reconnect=False,
            connect_timeout=max(1, int(limit)),
            error_cb=heard,
            **settings,
        )
    except BaseException as e:
        with contextlib.suppress(Exception):
            await asyncio.shield(client.close())
        if isinstance(e, _GiveUp | nats.errors.NoServersError) and problems:
            raise problems[-1] from None
        raise
    connecting = False
    return client


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:
        return False


def _check_creds(path: Path) -> None:
    # nats-py would read for ever in a file without these lines.
    try:
        with path.open("rb") as file:
            text = file.read(64 * 1024)
    except OSError as e:
        raise ClientError(f"{str(path)!r} cannot be read: {trouble.said(e)}.", "Check the file.") from None
    if b"BEGIN NATS USER JWT" not in text or b"BEGIN USER NKEY SEED" not in text:
        raise ClientError(
            f"{str(path)!r} is not a credentials file.",
            "It holds a user JWT and an nkey seed, each between BEGIN and END lines.",
        )


def _inbox_prefix(text: str) -> str:
    from natslab.servers.subject import check_subject

    check_subject(text.rstrip("."))
    if "*" in text or ">" in text:
        raise CommandError(
            f"The inbox prefix {text!r} holds a wildcard.", "Use plain words: --inbox-prefix _INBOX_joe"
        )
    return text.rstrip(".")


def error_after(client: Client, before: BaseException | None) -> BaseException | None:
    """What the server complained about since `before` was the client's last error."""
    last = client.last_error
    return last if last is not None and last is not before else None
