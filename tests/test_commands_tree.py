"""The tree of verbs against the command line's own surface, and the sentences for what it cannot read."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click
import pytest

from natslab.commands import parse, tree
from natslab.commands.flags import seconds
from natslab.commands.run import Command
from natslab.errors import CommandError, NatslabError

DATA = Path(__file__).parent / "data"
SURFACE = json.loads((DATA / "commands.json").read_text(encoding="utf-8"))
DOCUMENTED = (DATA / "documented-commands.txt").read_text(encoding="utf-8").splitlines()

MINE = [
    "publish",
    "subscribe",
    "request",
    "reply",
    "trace",
    "rtt",
    "events",
    "server list",
    "server ping",
    "server info",
    "server graph",
    "server mappings",
    "server config reload",
    "account info",
    "errors ls",
    "errors lookup",
]
#: Groups of which natslab has every verb.
WHOLE = (
    "stream", "consumer", "kv", "object", "counter", "server cluster", "server report", "server request",
    "server check", "server account",
)  # fmt: skip
MINE += [
    p
    for p, said in SURFACE["commands"].items()
    if any(p.startswith(f"{group} ") for group in WHOLE) and not said.get("group")
    if p != "server check exporter"
]
GROUPS = ["server", "account", "errors", *WHOLE, "stream cluster", "consumer cluster", "server config"]

#: What differs from the CLI on purpose, and why.
LEFT_OUT = {
    ("*", "env"): "the lab of the notebook decides where a line goes, not the environment of the kernel",
    ("server list", "sort", "default"): "by name, because an order by round trip differs from run to run",
    ("*", "no-no-context"): "the flag is itself the negation",
}
#: Configurations: what a line does not say is not sent, and is then as the server's default.
UNSAID = ("stream add", "stream edit", "stream copy")

tree.load()
VERBS = {" ".join(path): verb for path, verb in tree.NATS.walk()}


def options(verb: click.Command) -> dict[str, click.Option]:
    return {
        o.removeprefix("--"): p
        for p in verb.params
        if isinstance(p, click.Option)
        for o in p.opts
        if o.startswith("--")
    }


def same(option: click.Option, flag: dict[str, Any], path: str) -> None:
    name = flag["name"]
    assert option.is_flag == bool(flag.get("boolean")), f"{path} --{name}"
    assert option.multiple == bool(flag.get("cumulative")), f"{path} --{name}"
    if "short" in flag:
        assert f"-{flag['short']}" in option.opts, f"{path} --{name}"
    if flag.get("boolean") and name != "no-context":
        assert f"--no-{name}" in option.secondary_opts, f"{path} --{name}"
    if "enum" in flag:
        assert isinstance(option.type, click.Choice)
        assert set(option.type.choices) == set(flag["enum"]), f"{path} --{name}"
    unsaid = path in UNSAID and not isinstance(option.default, (str, int))
    if "default" in flag and (path, name, "default") not in LEFT_OUT and not unsaid:
        want = flag["default"]
        if flag.get("boolean"):
            assert option.default == (want == "true"), f"{path} --{name}"
        elif option.multiple:
            assert list(option.default) == want, f"{path} --{name}"
        else:
            ctx = click.Context(click.Command("x"))
            convert = option.type.convert
            assert convert(option.default, option, ctx) == convert(want, option, ctx), f"{path} --{name}"


def test_the_verbs_are_the_ones_that_are_there() -> None:
    assert sorted(VERBS) == sorted(MINE)


@pytest.mark.parametrize("path", MINE)
def test_a_verb_is_the_cli_s(path: str) -> None:
    said, verb = SURFACE["commands"][path], VERBS[path]
    assert list(verb.aliases) == said["aliases"]
    arguments = [p for p in verb.params if isinstance(p, click.Argument)]
    assert [a.name for a in arguments] == [a["name"].replace("-", "_") for a in said["args"]]
    for argument, want in zip(arguments, said["args"], strict=True):
        assert argument.required == bool(want["required"])
        assert (argument.nargs == -1) == bool(want.get("cumulative"))
        if "default" in want:
            assert str(argument.default) == want["default"]
    have = options(verb)
    for flag in said["flags"]:
        assert flag["name"] in have, f"{path} has no --{flag['name']}"
        same(have[flag["name"]], flag, path)
    letters = [
        o for p in verb.params if isinstance(p, click.Option) for o in p.opts if not o.startswith("--")
    ]
    assert len(letters) == len(set(letters)), f"{path} uses a letter twice"


@pytest.mark.parametrize("group", GROUPS)
def test_groups_have_the_cli_s_names(group: str) -> None:
    found: tree.Verb | tree.Group | None = tree.NATS
    for name in group.split():
        assert isinstance(found, tree.Group)
        found = found.find(name)
    assert isinstance(found, tree.Group)
    assert list(found.aliases) == SURFACE["commands"][group]["aliases"]


@pytest.mark.parametrize("flag", SURFACE["global_flags"], ids=lambda f: f["name"])
def test_global_flags(flag: dict[str, Any]) -> None:
    for command in (tree.NATS, *VERBS.values()):
        have = options(command)
        assert flag["name"] in have, f"{command.name} has no --{flag['name']}"
        same(have[flag["name"]], flag, command.name or "")


def test_what_is_not_there_says_so() -> None:
    for path, said in SURFACE["commands"].items():
        if path in MINE or said.get("group"):
            continue
        for name in [path, *(f"{path.rpartition(' ')[0]} {a}".strip() for a in said["aliases"])]:
            if tree.NATS.find(name.split()[0]) in VERBS.values():
                continue  # an alias of ours
            with pytest.raises(CommandError) as caught:
                parse(name)
            if path.split()[0] != "plugins":  # an alias of a plugin says only that it is unknown
                assert "yet" in str(caught.value), name


@pytest.mark.parametrize(
    ("line", "instead"),
    [
        ("server watch jetstream", "%natslab view topology"),
        ("server passwd -g", "bcrypt"),
        ("server generate x", "%natslab conf n1"),
        ("account tls", "%nats account --help"),
    ],
)
def test_what_is_not_there_says_what_is(line: str, instead: str) -> None:
    with pytest.raises(CommandError) as caught:
        parse(line)
    assert instead in caught.value.hint


def refusal(line: str) -> str:
    """The sentence with which the line is refused, or ""."""
    try:
        parse(line)
    except CommandError as e:
        return e.what
    return ""


def test_all_documented_lines_parse_or_say_that_they_are_for_later() -> None:
    said = {line: refusal(line) for line in DOCUMENTED if line.strip() != "nats publish"}
    assert not {line: s for line, s in said.items() if s and "yet" not in s}
    assert sum(not s for s in said.values()) > 200


def test_documented_lines_of_these_verbs_all_parse() -> None:
    names = {n for v in MINE for n in (v.split()[0], *(SURFACE["commands"][v.split()[0]]["aliases"]))}
    lines = [text for text in DOCUMENTED if text.split()[1] in names and text.strip() != "nats publish"]
    assert len(lines) > 150
    other = ("does not have `nats server", "does not have `nats account")
    assert not {line: s for line in lines if (s := refusal(line)) and not any(o in s for o in other)}


@pytest.mark.parametrize(
    "line",
    [
        "--server nats://x:1 pub a b --count 3 --timeout 2s",
        "pub a b --count 3 -s nats://x:1 --timeout 2s",
        "pub --timeout=2s --count=3 -snats://x:1 a b",
        "nats --timeout 9s --server nats://x:1 pub a b --timeout 2s --count 3",
        "%nats pub a b --count 3 -s nats://x:1 --timeout 2s   # a comment",
    ],
)
def test_global_flags_stand_anywhere(line: str) -> None:
    command = parse(line)
    assert isinstance(command, Command)
    assert command.verb == "publish"
    assert command.values["count"] == 3
    assert command.values["subject"] == "a"
    assert command._parsed.common["timeout"] == 2.0
    assert command._parsed.common["server_url"] == "nats://x:1"


@pytest.mark.parametrize(
    ("line", "verb"),
    [
        ("pub a", "publish"),
        ("req a", "request"),
        ("sub a", "subscribe"),
        ("event", "events"),
        ("e", "events"),
        ("srv ls", "server list"),
        ("sys mapping a b", "server mappings"),
        ("a nfo", "account info"),
        ("natslab pause", "freeze"),
        ("natslab resume n1", "thaw"),
        ("natslab lame-duck", "ldm"),
    ],
)
def test_aliases(line: str, verb: str) -> None:
    command = parse(line)
    assert isinstance(command, Command)
    assert command.verb == verb


@pytest.mark.parametrize(
    ("line", "what", "hint"),
    [
        ("publsh a b", "no verb 'publsh'", "Did you mean publish?"),
        ("strem ls", "no verb 'strem'", "Did you mean stream?"),
        ("contxt ls", "no verb 'contxt'", "context? natslab does not have that yet"),
        ("js strem ls", "no verb 'strem' in js", "Did you mean stream?"),
        ("js pub a b", "no verb 'pub' in js", "%nats pub"),
        ("stream ad X", "no verb 'ad' in nats stream", "Did you mean add?"),
        ("jobs", "no verb 'jobs'", "%natslab jobs"),
        ("natslab upp", "no verb 'upp'", "Did you mean up?"),
        ("natslab pub x", "no verb 'pub'", "%nats pub"),
        ("pub a b --cuont 3", "no flag '--cuont'", "--count"),
        ("pub a b --frobnicate", "no flag '--frobnicate' for publish", ""),
        ("pub a -5", "no flag '-5'", "goes after --"),
        ("pub", "publish needs a subject", "For example: %nats pub"),
        ("pub a b c", "cannot use the words 'c'", "quotes"),
        ("pub a {order_id: 7}", "cannot use the words '7}'", "Single quotes"),
        ("pub a b --count", "--count", ""),
        ("pub a b --count ten", "--count: 'ten' is not a whole number", ""),
        ("pub a b --count 0", "--count: 0 is less than 1", ""),
        ("pub a b --sleep soon", "'soon' is not a duration", ""),
        ("pub a b --send-on never", "--send-on", ""),
        ("pub a b | wc", "The | is an ordinary word", "no shell"),
        ("pub a b > f", "The > is", "no shell"),
        ("pub a b && pub c d", "The && is", "no shell"),
        ("pub a b --jetstream=yes", "--jetstream", ""),
        ("pub 'a", "quote", "Close it"),
        ("sub a --wait 1x", "'1x' is not a duration", ""),
        ("server list many", "expect", ""),
        ("natslab kill n1 n2", "cannot use the words 'n2'", ""),
        ("rtt {=x}", "no notebook", ""),
    ],
)
def test_sentences(line: str, what: str, hint: str) -> None:
    with pytest.raises(CommandError) as caught:
        parse(line)
    assert what in caught.value.what
    assert hint in caught.value.hint
    assert "\n" not in caught.value.what


@pytest.mark.parametrize("path", [*MINE, *GROUPS, ""])
def test_help_of_every_verb(path: str) -> None:
    texts = {repr(parse(line).run()) for line in (f"{path} --help", f"help {path}", f"{path} -h")}
    assert len(texts) == 1
    text = texts.pop()
    assert text.startswith(f"Usage: %nats {path}".rstrip())
    assert "Traceback" not in text
    assert all(len(line) <= 100 for line in text.splitlines())


@pytest.mark.parametrize("path", [" ".join(p) for p, _ in tree.NATSLAB.walk()])
def test_help_of_natslab(path: str) -> None:
    assert repr(parse(f"natslab {path} --help").run()).startswith(f"Usage: %natslab {path}")


@pytest.mark.parametrize("line", ["help", "--help", "", "server", "natslab", "natslab help"])
def test_a_tree_s_help(line: str) -> None:
    assert "Verbs:" in repr(parse(line).run())


@pytest.mark.parametrize(
    ("text", "want"),
    [
        ("100ms", 0.1),
        ("2s", 2.0),
        ("1m30s", 90.0),
        ("10", 10.0),
        ("1.5s", 1.5),
        ("1h", 3600.0),
        ("1d", 86400.0),
        ("250us", 0.00025),
        ("", None),
        ("s", None),
        ("5 s", None),
        ("-1s", None),
        ("1e3", None),
        ("9" * 30, None),
    ],
)
def test_durations(text: str, want: float | None) -> None:
    assert seconds(text) == want


def test_a_body_where_none_belongs() -> None:
    for line in ("sub x", "rtt", "server list", "natslab status", "trace x"):
        with pytest.raises(CommandError, match="takes no cell body"):
            parse(line, "text")


def test_an_empty_body() -> None:
    with pytest.raises(CommandError, match="cell body is empty"):
        parse("pub x", "")


def test_what_a_button_says_holds_no_python() -> None:
    command = parse("pub '{=1+1}' x", python=False)
    assert isinstance(command, Command)
    assert command.values["subject"] == "{=1+1}"


def test_only_natslab_errors() -> None:
    for wrong in (None, 3, b"pub x"):
        with pytest.raises(NatslabError):
            parse(wrong)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("line", "hint"),
    [
        ("js stream info O --ttl 3", "Help: %js stream info --help"),
        ("js stream edit O --storage memory", "Make another one: %js stream add --help"),
        ("js stream edit O --max-msg 3", "Did you mean --max-msgs?"),
        ("js stream nope", "What there is: %nats stream --help"),
        ("natslab close", "What there is: %natslab --help"),
        ("pub o.a x -j", "Did you mean -J?"),
        ("natslab term O c 1 'bad order'", "The reason goes after a flag: --reason 'bad order'"),
        ("js kv put C k", ""),
    ],
)
def test_what_is_suggested_is_near(line: str, hint: str) -> None:
    if not hint:
        with pytest.raises(CommandError) as caught:
            parse(line).run()
        assert caught.value.hint == "Write it behind the key, or in the cell body of %%js kv put C k"
        return
    with pytest.raises(CommandError) as caught:
        parse(line)
    assert caught.value.hint == hint
