"""Completion of `%nats`, `%js` and `%natslab` lines: verbs, flags, and the names that the lab knows now."""

from __future__ import annotations

import asyncio
import contextlib
import re
import time
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

from IPython.core.completer import SimpleCompletion

from natslab.errors import NatslabError

if TYPE_CHECKING:
    import click

    from natslab.commands.tree import Group, Verb

_LINE = re.compile(r"^\s*(?:[\w.,\s()\[\]]+=\s*)?%{1,2}(nats|natslab|js)(?:\s+(.*))?$", re.DOTALL)
_SCRIPT = re.compile(r"^\s*%%nats\s+script\b")
_BUDGET = 0.1  # seconds
_LOOKED_AT = 2000  # events of the tape
_MOST = 200

Found = tuple[str, str]  # the word, and what it is


def matches(context: Any) -> dict[str, Any]:
    """What IPython's completer asks: candidates for the word at the cursor."""
    line = context.line_with_cursor[: context.cursor_position]
    tree, text = line_of(line, context.full_text, context.cursor_line)
    if not tree:
        return {"completions": [], "suppress": False}
    candidates, alone = complete(tree, text)
    typed = fragment(text)[1]
    token = context.token
    skip = len(typed) - len(token) if typed.endswith(token) else 0
    found = [SimpleCompletion(text=word[skip:], type=kind) for word, kind in candidates]
    return {"completions": found, "suppress": alone or bool(found), "ordered": True}


def line_of(line: str, full: str, number: int) -> tuple[str, str]:
    """Which tree the line belongs to, and its words up to the cursor."""
    found = _LINE.match(line)
    if found is not None:
        if found[2] is None and not line[-1:].isspace():
            return "", ""
        return found[1], found[2] or ""
    if number > 0 and _SCRIPT.match(full):
        text = line.lstrip()
        for name in ("natslab", "nats", "js"):
            if text.startswith(f"{name} "):
                return name, text[len(name) + 1 :]
        return "nats", text
    return "", ""


def fragment(text: str) -> tuple[str, str]:
    """The text before the last word, and what was typed of that word, without quotes."""
    start, quote, i = 0, "", 0
    word: list[str] = []
    while i < len(text):
        c = text[i]
        if quote:
            if c == quote:
                quote = ""
            else:
                word.append(c)
        elif c in "'\"":
            quote = c
        elif c == "\\" and i + 1 < len(text):
            i += 1
            word.append(text[i])
        elif c.isspace():
            start, word = i + 1, []
        else:
            word.append(c)
        i += 1
    return text[:start], "".join(word)


def complete(tree: str, text: str) -> tuple[list[Found], bool]:
    """Candidates for the last word of `text`, and whether nothing else makes sense there."""
    import click

    from natslab.commands import tree as trees
    from natslab.commands import words
    from natslab.commands.flags import File
    from natslab.errors import CommandError

    trees.load()
    before, typed = fragment(text)
    try:
        said = words.split(before)
    except CommandError:
        return [], False
    command: Group | Verb = trees.ROOTS[tree]
    groups: list[Group] = []
    waiting: click.Option | None = None
    given: list[str] = []
    for word in said:
        if waiting is not None:
            waiting = None
        elif word.startswith("-") and word != "-":
            option = _option(command, groups, word.partition("=")[0])
            if option is not None and not option.is_flag and "=" not in word:
                waiting = option
        elif isinstance(command, trees.Group):
            found = command.find(word)
            if found is None:
                return [], False
            groups.append(command)
            command = found
        else:
            given.append(word)
    if waiting is None and typed.startswith("--") and "=" in typed:
        flag, _, value = typed.partition("=")
        waiting = _option(command, groups, flag)
        if waiting is None or waiting.is_flag:
            return [], False
        return [(f"{flag}={w}", k) for w, k in _values(waiting, value, groups, given)], False
    if waiting is not None:
        return list(_values(waiting, typed, groups, given)), not isinstance(waiting.type, File)
    if typed.startswith("-"):
        return _flags(command, groups, typed), True
    if isinstance(command, trees.Group):
        return list(_verbs(command, typed)), True
    arguments = [p for p in command.params if isinstance(p, click.Argument)]
    place = len(given)
    if not arguments or (place >= len(arguments) and arguments[-1].nargs != -1):
        return [], True
    argument = arguments[min(place, len(arguments) - 1)]
    if isinstance(argument.type, click.Choice):
        return _starting([(str(c), argument.name or "") for c in argument.type.choices], typed), True
    if isinstance(argument.type, File):
        return [], False
    there = _names(command.name or "", argument.name or "", _group(groups), given)
    return list(_starting(there, typed)), True


def _group(groups: list[Group]) -> str:
    """The name of the innermost group of verbs."""
    return (groups[-1].name or "") if groups else ""


def _option(command: Group | Verb, groups: list[Group], flag: str) -> click.Option | None:
    import click

    for one in (command, *reversed(groups)):
        for param in one.params:
            if isinstance(param, click.Option) and flag in (*param.opts, *param.secondary_opts):
                return param
    return None


def _verbs(group: Group, typed: str) -> Iterator[Found]:
    for name, command in group.commands.items():
        if name.startswith(typed):
            yield name, command.short_help or "group"
        elif typed:
            alias = next((a for a in command.aliases if a.startswith(typed)), None)
            if alias is not None:
                yield alias, command.short_help or "group"
    if "help".startswith(typed):
        yield "help", "what a verb does"


def _flags(command: Group | Verb, groups: list[Group], typed: str) -> list[Found]:
    import click

    found: dict[str, str] = {}
    for one in (command, *reversed(groups)):
        for param in one.params:
            if not isinstance(param, click.Option) or param.hidden:
                continue
            names = param.secondary_opts if typed.startswith("--no") else []
            for name in (*(o for o in param.opts if o.startswith("--")), *names):
                if name.startswith(typed) and name not in found:
                    found[name] = param.help or "flag"
    return list(found.items())


def _values(option: click.Option, typed: str, groups: list[Group], given: list[str]) -> Iterable[Found]:
    import click

    if isinstance(option.type, click.Choice):
        return _starting([(str(c), option.name or "") for c in option.type.choices], typed)
    return _starting(_names("", option.name or "", _group(groups), given), typed)


def _starting(found: Iterable[Found], typed: str) -> list[Found]:
    return [(word, kind) for word, kind in found if word.startswith(typed)][:_MOST]


def _names(verb: str, what: str, group: str, given: list[str]) -> Iterable[Found]:
    """Names that the lab knows now, for an argument or a flag called `what`.

    `verb`, `group`: where it stands; `given`: the arguments before it.
    """
    from natslab import lab as labs
    from natslab.errors import LabError
    from natslab.views import view as views

    if what == "name" and verb in ("view", "picture"):
        return [(name, "view") for name in views.names()]
    try:
        lab = labs.current()
    except LabError:
        return []
    if what in ("preferred", "peer") and given:
        return [(name, "replica") for name in _peers(lab, given[0])]
    if what in ("servers", "isolate"):
        return [*_ends(lab, given), *_roles(lab)]
    if what in _SERVER or (verb, what, group) in _SERVER_TOO:
        named = [(name, f"server, {s.state}") for name, s in lab.fleet.servers.items()]
        return [*named, *_roles(lab)] if group == "natslab" else named
    if what == "cluster":
        return [(name, "cluster") for name in lab.fleet.topology.clusters]
    if what in ("account", "filter_account"):
        return [(name, "account") for name in _ACCOUNTS]
    if what == "group" and group == "request":
        return [(name, "RAFT group") for name in _groups(lab)]
    if what in ("as_name", "connection_name"):
        return [(name, "client") for name in sorted(lab.hub.clients)]
    if what == "ids":
        return [(str(number), one_line) for number, one_line in ((n, h.line) for n, h in lab.jobs.items())]
    if what == "seq":
        return [(str(n), "held") for s, c, n in sorted(lab.held) if [s, c] == given[:2]]
    if what == "queue":
        return [(name, "queue group") for name in _on_tape(lab, "queue")]
    if group in ("stream", "consumer", "kv", "object", "counter") or what in ("stream", "consumer"):
        kept = _kept(lab, verb, what, group, given)
        if kept is not None:
            return kept
    if what in ("subject", "subjects", "of", "ignore_subject", "reply", "source", "dest"):
        wildcards = verb in ("subscribe", "reply", "mappings", "")
        return [(s, "subject") for s in _on_tape(lab, "subject") if wildcards or not _WILD.search(s)]
    return []


#: What an argument or a flag is called that names a server; and one that does so only in its verb.
_SERVER = {"server", "on", "preferred", "peer", "host", "server_name", "leader"}
_SERVER_TOO = {("peer-remove", "name", "cluster"), ("reload", "id", "config"), ("", "name", "request")}
_ACCOUNTS = ("A", "LAB", "SYS")

_STREAM = {"stream", "mirror", "origins", "source"}
_KEPT_IN = {"kv": "KV_", "object": "OBJ_"}


def _kept(lab: Any, verb: str, what: str, group: str, given: list[str]) -> Iterable[Found] | None:
    """Streams, consumers or buckets of the lab; None when `what` is none of them.

    The monitoring of the servers is asked, so that completing leaves no trace in the account.
    """
    if what == "bucket" and group in _KEPT_IN:
        prefix = _KEPT_IN[group]
        return [(n.removeprefix(prefix), "bucket") for n in _streams(lab) if n.startswith(prefix)]
    if what in _STREAM:
        return [(n, "stream") for n in _streams(lab) if not n.startswith(("KV_", "OBJ_"))]
    if what in ("consumer", "consumers") and given:
        return [(n, "consumer") for n in _streams(lab).get(given[0], ())]
    if what in ("destination", "name", "bucket", "key", "file", "id", "size", "filter") and group != "stream":
        return []
    return None


def _streams(lab: Any) -> dict[str, list[str]]:
    """Streams of the learner's account, each with its consumers."""
    found: dict[str, list[str]] = {}
    for _, one in _stored(lab):
        held = {c["name"] for c in one.get("consumer_detail") or []}
        found[one["name"]] = sorted(held | set(found.get(one["name"], ())))
    return dict(sorted(found.items()))


def _ends(lab: Any, given: list[str]) -> list[Found]:
    """Servers and clusters that have a wire; to the one that is given already, where one is."""
    clusters = lab.fleet.topology.clusters
    first = set(clusters.get(given[0], (given[0],))) if given else set()
    pairs = [pair for pair in lab.fleet.links if not given or len(first & set(pair)) == 1]
    ends = {name for pair in pairs for name in pair} - first
    found = [(name, f"server, {s.state}") for name, s in lab.fleet.servers.items() if name in ends]
    leaving = [
        name
        for name, members in clusters.items()
        if name not in given
        and not (first and first <= set(members))
        and any(len(set(pair) & set(members)) == 1 for pair in pairs)
    ]
    return [*((name, "cluster") for name in leaving if name not in lab.fleet.servers), *found]


def _roles(lab: Any) -> list[Found]:
    """Servers by what they do, where there are several."""
    if len(lab.fleet.servers) < 2:
        return []
    found = [("meta", "the meta leader")] if lab.fleet.topology.clusters else []
    for stream, consumers in _streams(lab).items():
        found += [(f"{role}({stream})", f"{role} of the stream") for role in ("leader", "follower")]
        found += [(f"leader({stream},{name})", "leader of the consumer") for name in consumers]
    return found


def _peers(lab: Any, stream: str) -> list[str]:
    """The servers that have a replica of the stream."""
    return sorted({server for server, one in _stored(lab) if one["name"] == stream})


def _groups(lab: Any) -> list[str]:
    """The RAFT groups of streams and consumers, and the meta group."""
    found = {"_meta_"}
    for _, one in _stored(lab):
        found.add(str(one.get("stream_raft_group", "")))
        found |= {str(g.get("raft_group", "")) for g in one.get("consumer_raft_groups") or []}
    return sorted(found - {""})


def _stored(lab: Any) -> list[tuple[str, dict[str, Any]]]:
    """The streams of the learner's account on each server; those of servers that answer in time."""
    from natslab.loop import run

    found: list[tuple[str, dict[str, Any]]] = []

    async def ask(name: str) -> None:
        streams = await lab.fleet.streams(name, account="A", consumer=True, raft=True)
        found.extend((name, one) for one in streams)

    async def ask_all() -> None:
        up = [name for name, server in lab.fleet.servers.items() if server.state == "up"]
        await asyncio.gather(*map(ask, up), return_exceptions=True)

    with contextlib.suppress(NatslabError, TimeoutError):
        run(asyncio.wait_for(ask_all(), _BUDGET))
    return found


_WILD = re.compile(r"(^|\.)[*>](\.|$)")


def _on_tape(lab: Any, field: str) -> list[str]:
    """Subjects or queue groups that occurred lately, the newest first."""
    end = time.monotonic() + _BUDGET
    head = lab.tape.head
    seen: dict[str, None] = {}
    for event in reversed(lab.tape.between(max(0, head - _LOOKED_AT), head)):
        if time.monotonic() > end:
            break
        kind = type(event).__name__
        if kind not in ("Pub", "Sub", "Many"):
            continue
        value = getattr(event, field, "")
        if value and not value.startswith(("_INBOX.", "_NATSLAB.")):
            seen.setdefault(value)
    return list(seen)
