"""The tree of verbs: each declared once, as a function with click parameters. `parse` reads a line."""

from __future__ import annotations

import difflib
import inspect
import re
import threading
from collections.abc import Awaitable, Callable, Iterator, Mapping
from typing import Any, NoReturn, TypeVar

import click

from natslab.commands import words as shell
from natslab.commands.flags import common
from natslab.errors import CommandError

F = TypeVar("F", bound=Callable[..., Any])

#: Verbs of the nats CLI that natslab does not have yet, with all their names.
NOT_YET = {
    "audit": (), "auth": (), "backup": (), "bench": (), "cheat": (), "context": ("ctx",),
    "latency": ("lat",), "restore": (), "schema": (), "service": ("micro",),
    "top": (), "traffic": (),
}  # fmt: skip

#: The same inside groups that natslab has.
_NOT_YET_WITHIN = {
    "server": (
        "consumer-check", "generate", "gen", "passwd", "mkpasswd", "pass", "password", "stream-check",
        "watch",
    ),
    "account": ("backup", "snapshot", "report", "rep", "restore", "tls"),
    "check": ("exporter",),
    "errors": ("edit", "vi", "add", "new", "validate"),
}  # fmt: skip


#: Why, or what does something like it.
_INSTEAD = {
    "watch": "A cell shows a report once: %nats server report --help; %natslab view topology is live.",
    **dict.fromkeys(("generate", "gen"), "A configuration to begin with: %natslab conf n1"),
    **dict.fromkeys(
        ("passwd", "mkpasswd", "pass", "password"),
        "Python has no bcrypt of its own, and natslab needs it nowhere else; the nats command line has it.",
    ),
}


class Help(Exception):
    """Raised inside the parser when help was asked for."""

    def __init__(self, ctx: click.Context) -> None:
        self.ctx = ctx


def _help(ctx: click.Context, _param: click.Parameter, asked: bool) -> None:
    if asked and not ctx.resilient_parsing:
        raise Help(ctx)


def _help_flag() -> click.Option:
    return click.Option(
        ["--help", "-h"], is_flag=True, is_eager=True, expose_value=False, callback=_help, help="this help"
    )


class Verb(click.Command):
    """One verb: what it takes, and the function that does it."""

    def __init__(
        self,
        name: str,
        run: Callable[..., Any],
        params: list[click.Parameter],
        aliases: tuple[str, ...] = (),
        example: str = "",
        mark: str = "run",
        common: list[click.Parameter] | None = None,
        body: bool = False,
        says: str = "",
    ) -> None:
        summary, _, rest = inspect.cleandoc(run.__doc__ or "").partition("\n")
        self.run = run
        self.aliases = aliases
        self.example = example
        self.mark = mark
        self.body = body
        self.common = {p.name for p in common or []}
        super().__init__(
            name,
            params=[*params, *(common or []), _help_flag()],
            help="\n\n".join(part for part in (summary, rest.strip(), says) if part),
            short_help=summary.rstrip("."),
            add_help_option=False,
            context_settings={"allow_extra_args": True, "terminal_width": 100},
        )

    def format_usage(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The usage line."""
        formatter.write_usage(
            f"%{ctx.command_path}", " ".join([*self.collect_usage_pieces(ctx)[1:], "[FLAGS]"])
        )

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The verb's own flags; those that all verbs have are in the help of the tree."""
        _write_flags(formatter, ctx, [p for p in self.params if p.name not in self.common])
        if self.common:
            formatter.write_paragraph()
            formatter.write_text("Flags of all verbs: %nats --help")
        if self.example:
            with formatter.section("For example"):
                formatter.write_text(self.example)


def _write_flags(formatter: click.HelpFormatter, ctx: click.Context, params: list[click.Parameter]) -> None:
    rows, later = [], []
    for param in params:
        record = param.get_help_record(ctx) if isinstance(param, click.Option) else None
        if record is None:
            continue
        names = _NO.sub("", record[0])
        if record[1].startswith("not possible"):
            later.append(names.split(" ")[0].rstrip(","))
        else:
            rows.append((names, record[1]))
    with formatter.section("Flags"):
        formatter.write_dl(rows)
    if later:
        formatter.write_paragraph()
        formatter.write_text(f"Flags of the CLI that are not possible here yet: {', '.join(later)}")


_NO = re.compile(r" / --no-[\w-]+")


class Group(click.Command):
    """Verbs under one name, found by their aliases too."""

    def __init__(
        self,
        name: str,
        aliases: tuple[str, ...] = (),
        says: str = "",
        flags: bool = True,
        example: str = "",
        own: Callable[[Any], Any] | None = None,
    ) -> None:
        self.aliases = aliases
        self.own = own
        self.commands: dict[str, Verb | Group] = {}
        self.flags = flags
        self.example = example
        super().__init__(
            name,
            params=[*(common() if flags else []), *self._owned(), _help_flag()],
            help=says,
            short_help=says.partition("\n")[0].rstrip("."),
            add_help_option=False,
            context_settings={
                "allow_extra_args": True,
                "allow_interspersed_args": False,
                "terminal_width": 100,
            },
        )

    def verb(
        self,
        name: str,
        *aliases: str,
        example: str = "",
        mark: str = "run",
        body: bool = False,
        says: str = "",
    ) -> Callable[[F], F]:
        """Declare the decorated function, under its click parameters, as a verb of this group.

        Its first parameter is the Line it belongs to. `mark` says what the run is on the tape:
        run, fault, or "" for what only looks. `body`: whether a cell body means something (`line.body`).
        `says` is added to its help.
        """

        def declare(run: F) -> F:
            params: list[click.Parameter] = list(reversed(getattr(run, "__click_params__", [])))
            params += self._owned()
            shared = common() if self.flags else []
            taken = {o for p in params for o in (*p.opts, *p.secondary_opts)}
            shared = [p for p in shared if not taken & {*p.opts, *p.secondary_opts}]
            if self.flags and "--json" not in taken:
                params.append(
                    click.Option(["--json/--no-json"], default=False, help="show the facts as JSON")
                )
            if "--quiet" not in taken:
                short = [] if "-q" in taken else ["-q"]
                params.append(
                    click.Option(["--quiet/--no-quiet", *short], default=False, help="show nothing")
                )
            self.commands[name] = Verb(name, run, params, aliases, example, mark, shared, body, says)
            return run

        return declare

    def group(self, name: str, *aliases: str, says: str, own: Callable[[Any], Any] | None = None) -> Group:
        """Declare a group inside this one.

        `own` puts flags on what it decorates: each verb of the group gets them, and they may also stand
        before the verb.
        """
        made = self.commands[name] = Group(name, aliases, says, self.flags, own=own)
        return made

    def _owned(self) -> list[click.Parameter]:
        """Fresh copies of the flags that all verbs of this group have."""
        if self.own is None:
            return []

        def bare() -> None:
            pass

        return list(reversed(getattr(self.own(bare), "__click_params__", [])))

    def find(self, name: str) -> Verb | Group | None:
        """The verb or group of that name or alias."""
        return self.commands.get(name) or next((c for c in self.commands.values() if name in c.aliases), None)

    def names(self) -> list[str]:
        """Every name and alias in it."""
        return [n for c in self.commands.values() for n in (c.name or "", *c.aliases)]

    def walk(self, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Verb]]:
        """Every verb under it, with its path."""
        for name, command in self.commands.items():
            if isinstance(command, Group):
                yield from command.walk((*path, name))
            else:
                yield (*path, name), command

    def format_usage(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The usage line."""
        formatter.write_usage(f"%{ctx.command_path}", "VERB …")

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Its verbs, then its flags."""
        with formatter.section("Verbs"):
            formatter.write_dl(
                [(", ".join((n, *c.aliases)), c.short_help or "") for n, c in self.commands.items()]
            )
        if self.name in ROOTS:
            _write_flags(formatter, ctx, self.params)
        if self.example:
            with formatter.section("For example"):
                formatter.write_text(self.example)


NATS = Group(
    "nats",
    says="The nats command line, on the lab of this notebook.",
    example='%nats pub orders.new "hello"',
)
NATSLAB = Group("natslab", says="The lab of this notebook.", flags=False, example="%natslab up")
JS = Group(
    "js",
    says="JetStream: the same verbs as in %nats, so that %js stream ls is %nats stream ls.",
    example="%js stream add ORDERS --subjects 'orders.>'",
)
ROOTS = {"nats": NATS, "natslab": NATSLAB, "js": JS}

#: The groups of `%js`, and how many names `add` takes there.
_JETSTREAM = {"stream": 1, "consumer": 2, "kv": 1, "object": 1, "counter": 0}


#: What the help of `%natslab` begins with: the lab, and what can happen to it.
_FIRST = (
    "up", "super", "leaf", "status", "add", "remove", "down", "kill", "term", "freeze", "thaw", "restart",
    "cut", "hold", "delay", "heal",
)  # fmt: skip

_loading = threading.Lock()


def load() -> None:
    """Fill both trees; each file of verbs declares its own."""
    with _loading:  # one thread may be about it while another needs it
        from natslab.commands import (  # noqa: F401
            account,
            backup,
            consumer,
            consumer_change,
            consumer_cluster,
            consumer_next,
            consumer_show,
            consumer_sub,
            core,
            counter,
            errors,
            faults,
            hold,
            kv,
            lab,
            object,
            publish,
            server,
            server_account,
            server_check,
            server_check_js,
            server_cluster,
            server_config,
            server_jetstream,
            server_links,
            server_report,
            server_request,
            starting,
            stream_cluster,
            stream_read,
            stream_report,
            tapes,
            wires,
        )

        JS.commands = {name: NATS.commands[name] for name in _JETSTREAM}
        known = NATSLAB.commands
        NATSLAB.commands = {name: known[name] for name in (*_FIRST, *(n for n in known if n not in _FIRST))}


class Parsed:
    """What a line means: the verb, its values, the flags common to all verbs."""

    def __init__(
        self, root: Group, path: str, verb: Verb | None, values: dict[str, Any], common: dict[str, Any]
    ) -> None:
        self.root = root
        self.path = path
        self.verb = verb
        self.values = values
        self.common = common
        self.given: frozenset[str] = frozenset()  # the flags and arguments that the line gives
        self.help = ""


def read(
    line: str, names: Mapping[str, Any] | None = None, python: bool = True, body: bool = False
) -> Parsed:
    """What the line means; nothing is done yet. Raises CommandError.

    `python`: whether `{=expr}` is Python; `body`: whether a cell body follows, so that `stream NAME`
    is `stream add NAME`.
    """
    load()
    line = line.lstrip()
    for sign in ("%%", "%"):
        line = line.removeprefix(sign)
    said = shell.split(line)
    root = NATS
    if said and said[0] in ROOTS:
        root, said = ROOTS[said[0]], said[1:]
    if root is NATS and said[:1] == ["js"]:
        root, said = JS, said[1:]
    if body and root is not NATSLAB:
        said = _with_add(said)
    if python:
        said = [shell.fill(word, names) for word in said]
    try:
        return _read(root, said)
    except Help as asked:
        found = Parsed(root, asked.ctx.command_path, None, {}, {})
        found.help = asked.ctx.get_help()
        return found
    except CommandError as e:
        raise _no_shell(said, e) from None
    except (click.ClickException, click.Abort, click.exceptions.Exit) as e:
        raise _no_shell(said, _sentence(root, e, said)) from None


def _with_add(said: list[str]) -> list[str]:
    """`stream NAME` with a body means `stream add NAME`."""
    group = NATS.find(said[0]) if len(said) > 1 else None
    if not isinstance(group, Group) or said[1].startswith("-") or group.find(said[1]) or said[1] == "help":
        return said
    names = next((i for i, word in enumerate(said[1:]) if word.startswith("-")), len(said) - 1)
    add = group.commands.get("add")
    if isinstance(add, Verb) and add.body and names == _JETSTREAM.get(group.name or ""):
        return [said[0], "add", *said[1:]]
    return said


def _no_shell(said: list[str], error: CommandError) -> CommandError:
    sign = shell.shell_sign(said)
    if not sign:
        return error
    return CommandError(f"{error.what} The {sign} is an ordinary word here.", shell.NO_SHELL, sign)


def _read(root: Group, said: list[str]) -> Parsed:
    command: Verb | Group = root
    ctx: click.Context | None = None
    rest = said
    contexts: list[click.Context] = []
    while True:
        if isinstance(command, Group) and rest and not rest[0].startswith("-"):
            # No flag before the next word: nothing to parse here.
            ctx = click.Context(command, parent=ctx, info_name=command.name, **command.context_settings)
        else:
            ctx = command.make_context(command.name or "", rest, parent=ctx)
            contexts.append(ctx)
            rest = ctx.args
        if isinstance(command, Verb):
            break
        if not rest:
            raise Help(ctx)
        if rest[0] == "help":
            raise Help(_context_of(command, ctx, rest[1:]))
        found = command.find(rest[0])
        if found is None:
            raise _unknown(command, rest[0])
        command, rest = found, rest[1:]
    if rest:
        raise _too_many(command, ctx, rest)
    values = dict(ctx.params)
    shared: dict[str, Any] = {}
    for each in contexts[:-1]:
        said_before = (n for n in each.params if n in values and _said(each, n) and not _said(ctx, n))
        values |= {n: each.params[n] for n in said_before}
    for each in contexts:
        for param in each.command.params:
            name = param.name or ""
            if name not in _COMMON or (each is ctx and name not in command.common):
                continue
            if name not in shared or _said(each, name):
                shared[name] = each.params.get(name)
    for name in command.common:
        values.pop(name or "", None)
    shared["json"] = values.pop("json", False) if "json" in values else False
    shared["quiet"] = values.pop("quiet", False) if "quiet" in values else False
    parsed = Parsed(root, ctx.command_path, command, values, shared)
    parsed.given = frozenset(n for each in contexts for n in each.params if _said(each, n))
    return parsed


def _said(ctx: click.Context, name: str) -> bool:
    """Whether the line gives the flag there."""
    return ctx.get_parameter_source(name) is click.core.ParameterSource.COMMANDLINE


_COMMON = {p.name or "" for p in common()}


def _context_of(command: Verb | Group, ctx: click.Context, path: list[str]) -> click.Context:
    for name in path:
        if not isinstance(command, Group):
            break
        found = command.find(name)
        if found is None:
            raise _unknown(command, name)
        command = found
        ctx = click.Context(
            command, parent=ctx, info_name=command.name, terminal_width=100, resilient_parsing=True
        )
    return ctx


def _unknown(group: Group, name: str) -> CommandError:
    if group is NATS:
        for verb, aliases in NOT_YET.items():
            if name == verb or name in aliases:
                return CommandError(
                    f"natslab does not have `nats {verb}` yet.",
                    "What it has: %nats --help. The nats command line has the rest.",
                    name,
                )
    if name in _NOT_YET_WITHIN.get(group.name or "", ()):
        return CommandError(
            f"natslab does not have `nats {group.name} {name}` yet.",
            _INSTEAD.get(name, f"What it has: %nats {group.name} --help"),
            name,
        )
    if group is NATSLAB and name == "isolate":
        return CommandError(
            "There is no verb 'isolate' in natslab.",
            "To cut all wires of a server: %natslab cut --isolate n1",
            name,
        )
    other = NATSLAB if group is NATS else NATS
    if name in other.names():
        return CommandError(
            f"There is no verb {_quoted(name)} in {_path(group)}.",
            f"Did you mean %{other.name} {name}?",
            name,
        )
    later = [n for v, aliases in NOT_YET.items() for n in (v, *aliases)] if group is NATS else []
    # Short aliases are like almost anything.
    named = [n for n in group.names() if len(n) > 2 or n in group.commands]
    near = difflib.get_close_matches(name, [*named, "help", *later], 1, 0.65)
    if near and near[0] in later:
        return CommandError(
            f"There is no verb {_quoted(name)} in {_path(group)}.",
            f"Did you mean {near[0]}? natslab does not have that yet.",
            name,
        )
    hint = f"Did you mean {near[0]}?" if near else f"What there is: %{_path(group)} --help"
    return CommandError(f"There is no verb {_quoted(name)} in {_path(group)}.", hint, name)


def _path(group: Group) -> str:
    return (group.name or "") if group in ROOTS.values() else f"nats {group.name}"


def _quoted(text: str) -> str:
    return repr(text if len(text) <= 60 else text[:59] + "…")


def _too_many(verb: Verb, ctx: click.Context, rest: list[str]) -> CommandError:
    spare = " ".join(rest)
    what = f"{verb.name} cannot use the words {_quoted(spare)}."
    first = next((v for k, v in ctx.params.items() if k in ("body", "payload") and isinstance(v, str)), "")
    if looks_eaten(" ".join([first, *rest])):
        return CommandError(what, EATEN, rest[0])
    if verb.name in ("kill", "freeze", "thaw", "restart", "ldm", "remove"):
        return CommandError(what, f"One at a time: %natslab {verb.name} {rest[0]}", rest[0])
    if verb.name == "term":
        return CommandError(what, f"The reason goes after a flag: --reason {_quoted(spare)}", rest[0])
    if first:
        return CommandError(what, "Put quotes around a text with blanks: 'like this'", rest[0])
    return CommandError(what, f"Help: %{ctx.command_path} --help", rest[0])


EATEN = (
    "Single quotes around JSON keep its double quotes: '{\"id\": 1}'; or put it in the cell body: "
    "%%nats pub SUBJECT"
)
_EATEN = re.compile(r"^\s*[\[{]+\s*[A-Za-z_][\w-]*\s*:")


def looks_eaten(text: str) -> bool:
    """Whether the text looks like JSON that lost its double quotes to the splitting."""
    return _EATEN.match(text) is not None


def _sentence(root: Group, error: Exception, said: list[str]) -> CommandError:
    ctx = getattr(error, "ctx", None)
    command = ctx.command if ctx is not None else root
    name = command.name or ""
    path = ctx.command_path if ctx is not None else name
    hint = f"Help: %{path} --help"
    if isinstance(error, click.NoSuchOption):
        bare = error.option_name
        maker = ctx.parent.command.find("add") if ctx and ctx.parent and name == "edit" else None
        if maker is not None and any(bare in p.opts for p in maker.params):
            return CommandError(
                f"{bare} cannot be changed: it stays as it was when it was made.",
                f"Make another one: %{path.removesuffix('edit')}add --help",
                bare,
            )
        near = _near_flag(command, bare)
        if near:
            hint = f"Did you mean {near[0]}?"
        elif isinstance(command, Verb) and any(p.name in ("body", "payload") for p in command.params):
            hint = f"A text that begins with a dash goes after --: %{path} … -- {bare[:20]}"
        return CommandError(f"There is no flag {_quoted(bare)} for {name}.", hint, bare)
    if isinstance(error, click.MissingParameter):
        param = error.param
        what = param.name if param is not None else "an argument"
        if isinstance(command, Verb) and command.example:
            hint = f"For example: {command.example}"
        article = "an" if what and what[0] in "aeiou" else "a"
        return CommandError(f"{name} needs {article} {what}.", hint)
    if isinstance(error, click.BadParameter):
        param = error.param
        flag = ""
        if isinstance(param, click.Option):
            flag = max(param.opts, key=len)
        elif param is not None:
            flag = param.name or ""
        return CommandError(f"{flag}: {_plain(error.message)}", hint, _of_value(error, param, said))
    if isinstance(error, click.BadOptionUsage):  # which says no verb
        wants = "needs" if "requires" in error.message else "takes no"
        of = " ".join([root.name or "", *_verb(root, said)])
        return CommandError(
            f"{error.option_name} {wants} {'a ' if wants == 'needs' else ''}value.",
            f"Help: %{of} --help",
            error.option_name,
        )
    if isinstance(error, click.ClickException):
        return CommandError(f"{name}: {_plain(error.message)}", hint)
    return CommandError(f"{_quoted(' '.join(said))} cannot be understood.", hint)


def _verb(root: Group, said: list[str]) -> list[str]:
    """The words of the line that lead to its verb."""
    at: Verb | Group | None = root
    words = []
    for word in said:
        at = at.find(word) if isinstance(at, Group) else None
        if at is None:
            break
        words.append(word)
    return words


def _of_value(error: click.BadParameter, param: click.Parameter | None, said: list[str]) -> str:
    """The word that a complaint about a value is about: the value where it is named, or its flag."""
    named = [word for word in said if repr(word) in error.message]
    if named:
        return named[-1]
    flags = param.opts if isinstance(param, click.Option) else []
    return next((w for w in reversed(said) if w.partition("=")[0] in flags), "")


def _near_flag(command: click.Command, bare: str) -> list[str]:
    """The flag that was meant: first of the verb's own, then of those that all have."""
    own = [p for p in command.params if not isinstance(command, Verb) or p.name not in command.common]
    for params, least in ((own, 0.7), (command.params, 0.8)):
        known = [o for p in params for o in (*p.opts, *p.secondary_opts)]
        if not bare.startswith("--"):
            return [o for o in known if o == bare.swapcase()]
        if near := difflib.get_close_matches(bare, [o for o in known if len(o) > 4], 1, least):
            return near
    return []


def _plain(text: str) -> str:
    text = " ".join(text.split())
    text = text if len(text) <= 200 else text[:199] + "…"
    return text if text.endswith((".", "?", "!", "…")) else text + "."


Doing = Callable[..., Awaitable[Any] | Any]


def impossible(what: str, hint: str) -> NoReturn:
    """Refuse, in a verb: this makes no sense or is not there yet."""
    raise CommandError(what, hint)
