"""The kinds of value that flags and arguments take, and the flags that every verb has."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

F = TypeVar("F", bound=Callable[..., Any])

_UNITS = {
    "ns": 1e-9, "us": 1e-6, "µs": 1e-6, "μs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0,
    "d": 86400.0, "w": 604800.0, "M": 2592000.0, "y": 31536000.0, "Y": 31536000.0,
}  # fmt: skip
_PART = re.compile(r"(\d+(?:\.\d*)?|\.\d+)(ns|us|µs|μs|ms|s|m|h|d|w|M|y|Y)")
_LONGEST = 1e9  # seconds; more is a slip of the finger
LARGEST = 2**63 - 1  # the server's largest whole number
_SIZES = {"": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30, "T": 1 << 40}
_SIZE = re.compile(r"(\d{1,18})\s*([KMGT]?)(?:I?B)?", re.IGNORECASE | re.ASCII)


def seconds(text: str) -> float | None:
    """A duration as the CLI writes it ("100ms", "1m30s", "10" = seconds), or None if it is none."""
    text = text.strip()
    if re.fullmatch(r"\d+(\.\d*)?|\.\d+", text, re.ASCII):
        value = float(text)
    elif text and not _PART.sub("", text):
        value = sum(float(number) * _UNITS[unit] for number, unit in _PART.findall(text))
    else:
        return None
    return value if value <= _LONGEST else None


def size(text: str) -> int | None:
    """Bytes, written as the CLI writes sizes ("1MB" = 1024 * 1024, "512", "-1" = no limit), or None."""
    text = text.strip()
    if text == "-1":
        return -1
    found = _SIZE.fullmatch(text)
    return int(found[1]) * _SIZES[found[2].upper()] if found else None


class Duration(click.ParamType[float]):
    """Seconds, written as the CLI writes durations."""

    name = "duration"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Seconds as a float; fails for what is no duration."""
        if isinstance(value, (int, float)):
            return float(value)
        found = seconds(value)
        if found is None:
            self.fail(f"{value!r} is not a duration; write 100ms, 2s or 1m30s.", param, ctx)
        return found


class Number(click.ParamType[int]):
    """A whole number of at least `low`."""

    name = "number"

    def __init__(self, low: int = 0) -> None:
        self.low = low

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """The number; fails below `low`."""
        try:
            number = int(str(value)[:32])
        except ValueError:
            self.fail(f"{str(value)!r} is not a whole number.", param, ctx)
        if number > LARGEST:
            self.fail(f"{str(value)[:32]} is too large.", param, ctx)
        if number < self.low:
            self.fail(f"{number} is less than {self.low}.", param, ctx)
        return number


class Size(click.ParamType[int]):
    """Bytes, written as the CLI writes sizes: 1MB = 1024 * 1024; -1 is no limit."""

    name = "size"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """The bytes; fails for what is no size."""
        if isinstance(value, int):
            return value
        found = size(value)
        if found is None:
            self.fail(f"{value!r} is not a size; write 512, 10KB or 1MB.", param, ctx)
        if found > LARGEST:
            self.fail(f"{value!r} is too large.", param, ctx)
        return found


class Nanos(click.ParamType[int]):
    """A duration in nanoseconds, as JetStream's configurations have it; -1 and nothing are none."""

    name = "duration"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """The nanoseconds; fails for what is no duration."""
        if isinstance(value, int):
            return value
        if value.strip() in ("", "-1"):
            return 0
        found = seconds(value)
        if found is None:
            self.fail(f"{value!r} is not a duration; write 100ms, 30s or 1h.", param, ctx)
        return round(found * 1e9)


class File(click.ParamType[Path]):
    """A file name; `~` is the home folder. Whether it exists is asked when it is used."""

    name = "file"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Path:
        """The path."""
        if isinstance(value, Path):
            return value
        if "\0" in value:
            self.fail("a file name cannot hold a NUL character.", param, ctx)
        try:
            return Path(value).expanduser()
        except RuntimeError:
            return Path(value)


DURATION = Duration()
NANOS = Nanos()
SIZE = Size()
COUNT = Number(1)
NUMBER = Number(0)
FILE = File()


def flag(*names: str, help: str, **more: Any) -> Callable[[F], F]:
    """A flag that takes a value."""
    return click.option(*names, help=help, **more)


def many(*names: str, help: str, **more: Any) -> Callable[[F], F]:
    """A flag that may be given several times."""
    return click.option(*names, help=help, multiple=True, **more)


def switch(
    name: str, *names: str, help: str, default: bool = False, hidden: bool = False
) -> Callable[[F], F]:
    """A flag without a value, with its `--no-` form."""
    return click.option(
        f"{name}/--no-{name.removeprefix('--')}", *names, help=help, default=default, hidden=hidden
    )


def together(*options: Callable[[Any], Any]) -> Callable[[F], F]:
    """Flags and arguments that several verbs have, as one decorator; the help lists them in this order."""

    def add(run: F) -> F:
        for option in reversed(options):
            run = option(run)
        return run

    return add


def common() -> list[click.Parameter]:
    """Fresh copies of the flags that may stand before or after every verb of `%nats`.

    Names, letters and defaults are the CLI's; its environment variables are not read, because the
    lab of the notebook decides where a line goes. The last five are natslab's own.
    """

    def opt(*names: str, **more: Any) -> click.Option:
        return click.Option(names, **more)

    def yes(name: str, **more: Any) -> click.Option:
        return click.Option([f"--{name}/--no-{name}"], default=False, **more)

    return [
        opt(
            "--server",
            "-s",
            "server_url",
            help="connect to these servers (comma-separated) instead of the lab",
        ),
        opt("--user", help="user name, or a token when there is no password"),
        opt("--password", help="password"),
        opt("--token", help="token"),
        opt("--connection-name", help="name of the connection"),
        opt("--creds", type=FILE, help="credentials file"),
        opt("--nkey", type=FILE, help="file with an nkey seed"),
        opt("--jwt", help="user JWT; needs --seed"),
        opt("--seed", help="nkey seed for --jwt"),
        opt("--tlscert", type=FILE, help="certificate file"),
        opt("--tlskey", type=FILE, help="private key file"),
        opt("--tlsca", type=FILE, help="certificate authority file"),
        yes("tlsfirst", help="TLS before anything else"),
        yes("tls-first", hidden=True, help="the same as --tlsfirst"),
        opt("--timeout", type=DURATION, default="5s", show_default=True, help="wait so long for an answer"),
        opt("--socks-proxy", help="not possible here"),
        opt("--js-api-prefix", help="subject prefix of the JetStream API"),
        opt("--js-event-prefix", help="subject prefix of JetStream events"),
        opt("--js-domain", help="JetStream domain"),
        opt("--domain", hidden=True, help="the same as --js-domain"),
        opt("--inbox-prefix", help="subject prefix of inboxes"),
        opt("--colors", type=click.Choice(COLORS), help="accepted; outputs here have no colours"),
        opt("--context", help="not possible yet"),
        yes("trace", help="show the API requests and replies"),
        click.Option(
            ["--no-context"], is_flag=True, default=False, help="accepted; there are no contexts yet"
        ),
        opt("--as", "as_name", help="the lab's client of this name does it"),
        opt("--on", help="on this server of the lab"),
        yes("explain", help="say what it would do and show the bytes on the wire; do nothing"),
    ]


COLORS = ["blue", "cyan", "double", "green", "magenta", "red", "rounded", "yellow"]
