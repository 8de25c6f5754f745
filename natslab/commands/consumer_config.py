"""The flags that configure a consumer, and the configuration that they and a cell body make."""

from __future__ import annotations

import datetime
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeVar

import click

from natslab.commands.config_body import CONSUMER, shown, span
from natslab.commands.flags import DURATION, NUMBER, Duration, Number, flag, many, seconds, switch
from natslab.commands.jsresults import changes
from natslab.commands.results import one_line
from natslab.errors import CommandError
from natslab.servers.subject import check_subject

F = TypeVar("F", bound=Callable[..., Any])

_SECOND = 10**9


class _Wait(Duration):
    """A duration, or -1s: not said."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        return -1.0 if value in ("-1s", "-1") else super().convert(value, param, ctx)


_COUNT = Number(-1)  # -1: not said
_ACKS = click.Choice(["none", "all", "explicit", "flow_control"])


def _maybe(name: str, help: str) -> Callable[[F], F]:
    """A switch that can also be left alone."""
    return click.option(f"--{name}/--no-{name}", default=None, help=help)


_FLAGS: dict[str, Callable[[Any], Any]] = {
    "ack": flag("--ack", type=_ACKS, help="what is acknowledged: each message, all up to one, or nothing"),
    "bps": flag("--bps", type=NUMBER, default="0", help="at most so many bits a second (push)"),
    "backoff": flag(
        "--backoff", type=click.Choice(["linear", "none"]), help="make the waits between redeliveries grow"
    ),
    "backoff_steps": flag(
        "--backoff-steps", type=Number(1), default="10", show_default=True, help="in so many steps"
    ),
    "backoff_min": flag(
        "--backoff-min", type=DURATION, default="1m", show_default=True, help="from this wait"
    ),
    "backoff_max": flag(
        "--backoff-max", type=DURATION, default="20m", show_default=True, help="up to this one"
    ),
    "deliver": flag(
        "--deliver", help="where it begins: all, new, last, subject, a duration (1h) or a sequence"
    ),
    "deliver_group": flag("--deliver-group", default="_unset_", help="queue group of a push consumer"),
    "description": flag("--description", help="a text for people"),
    "ephemeral": switch("--ephemeral", help="goes away when nobody uses it"),
    "filter": many("--filter", help="only messages with these subjects"),
    "flow_control": _maybe("flow-control", "slow down for a slow client (push)"),
    "heartbeat": flag("--heartbeat", type=DURATION, help="say so every so often when idle (push)"),
    "headers_only": _maybe("headers-only", "leave out the payloads"),
    "max_deliver": flag("--max-deliver", type=_COUNT, help="hand out each message at most so often"),
    "max_outstanding": flag(
        "--max-outstanding", type=_COUNT, default="-1", hidden=True, help="the same as --max-pending"
    ),
    "max_pending": flag(
        "--max-pending", type=_COUNT, default="-1", help="at most so many messages wait for their ack"
    ),
    "max_waiting": flag("--max-waiting", type=NUMBER, help="at most so many pull requests wait"),
    "max_pull_batch": flag("--max-pull-batch", type=NUMBER, help="messages a pull request may ask for"),
    "max_pull_expire": flag("--max-pull-expire", type=DURATION, help="time a pull request may wait"),
    "max_pull_bytes": flag("--max-pull-bytes", type=NUMBER, help="bytes a pull request may ask for"),
    "pull": switch("--pull", help="clients ask for messages (the default without --target)"),
    "replay": flag(
        "--replay", type=click.Choice(["instant", "original"]), help="at once, or at the speed of old"
    ),
    "sample": flag("--sample", type=_COUNT, default="-1", help="publish metrics for so many of 100 acks"),
    "target": flag("--target", help="push: the server publishes the messages to this subject"),
    "wait": flag("--wait", type=_Wait(), default="-1s", help="redeliver what is not acknowledged so long"),
    "inactive_threshold": flag(
        "--inactive-threshold", type=DURATION, help="goes away when nobody used it so long"
    ),
    "memory": _maybe("memory", "keep its state in memory"),
    "replicas": flag("--replicas", type=NUMBER, help="keep its state on so many servers"),
    "metadata": many("--metadata", help="a fact for people, as KEY:VALUE"),
    "pause": flag("--pause", help="begin paused, for a duration or until a time"),
    "pinned_groups": many("--pinned-groups", help="priority groups in which one client gets everything"),
    "pinned_ttl": flag("--pinned-ttl", type=DURATION, help="unpin a client that is silent so long"),
    "overflow_groups": many("--overflow-groups", help="priority groups that help out when much is waiting"),
    "prioritized_groups": many("--prioritized-groups", help="priority groups in order of their priority"),
}

#: Those that `consumer edit` has.
EDITABLE = (
    "backoff", "backoff_steps", "backoff_min", "backoff_max", "description", "filter", "headers_only",
    "max_deliver", "max_outstanding", "max_pending", "max_pull_batch", "max_pull_expire", "max_pull_bytes",
    "sample", "target", "wait", "inactive_threshold", "replicas", "metadata",
)  # fmt: skip


def settings(names: Iterable[str] = tuple(_FLAGS)) -> Callable[[F], F]:
    """Declare these flags on a verb."""

    def apply(run: F) -> F:
        for name in reversed(list(names)):
            run = _FLAGS[name](run)
        return run

    return apply


def apply(flags: Mapping[str, Any], base: Mapping[str, Any]) -> dict[str, Any]:
    """The configuration `base` with what the flags say. Raises CommandError for what contradicts itself."""
    config = dict(base)
    said = {k: v for k, v in flags.items() if v not in (None, (), -1, -1.0, "_unset_")}
    _start(config, said)
    for name, field in _PLAIN.items():
        if name in said:
            config[field] = said[name]
    for name, field in _SPANS.items():
        if name in said:
            config[field] = round(said[name] * _SECOND)
    if said.get("bps"):
        config["rate_limit_bps"] = said["bps"]
    if "sample" in said:
        config["sample_freq"] = f"{said['sample']}%"
    _filters(config, said)
    _backoff(config, said)
    _groups(config, said)
    if "metadata" in said:
        config["metadata"] = {**config.get("metadata", {}), **dict(map(_pair, said["metadata"]))}
    if "pause" in said:
        config["pause_until"] = until(said["pause"], "--pause")
    if said.get("pull"):
        if config.get("deliver_subject"):
            raise CommandError("--pull and a target subject exclude each other.", "Use one of them.")
        config.pop("deliver_subject", None)
    if config.get("deliver_subject"):
        check_subject(config["deliver_subject"])
    elif config.get("deliver_group"):
        raise CommandError(
            "A queue group is for push consumers: those who fetch share a pull consumer anyway.",
            "Leave it out, or give a subject to deliver to: --target SUBJECT",
        )
    return config


_PLAIN = {
    "ack": "ack_policy", "deliver_group": "deliver_group", "description": "description",
    "flow_control": "flow_control", "headers_only": "headers_only", "max_deliver": "max_deliver",
    "max_outstanding": "max_ack_pending", "max_pending": "max_ack_pending", "max_waiting": "max_waiting",
    "max_pull_batch": "max_batch", "max_pull_bytes": "max_bytes", "replay": "replay_policy",
    "target": "deliver_subject", "memory": "mem_storage", "replicas": "num_replicas",
}  # fmt: skip
_SPANS = {
    "heartbeat": "idle_heartbeat", "max_pull_expire": "max_expires", "wait": "ack_wait",
    "inactive_threshold": "inactive_threshold", "pinned_ttl": "priority_timeout",
}  # fmt: skip

_STARTS = {
    "all": "all", "new": "new", "last": "last", "subject": "last_per_subject",
    "last-per-subject": "last_per_subject", "last_per_subject": "last_per_subject",
}  # fmt: skip


def _start(config: dict[str, Any], said: Mapping[str, Any]) -> None:
    text = said.get("deliver")
    if text is None:
        return
    config.pop("opt_start_seq", None)
    config.pop("opt_start_time", None)
    if text in _STARTS:
        config["deliver_policy"] = _STARTS[text]
    elif text.isdecimal():
        config |= {"deliver_policy": "by_start_sequence", "opt_start_seq": int(text[:19])}
    else:
        ago = seconds(text)
        try:
            at = stamp(-ago) if ago is not None else until(text, "--deliver")
        except CommandError:
            raise CommandError(
                f"--deliver: {one_line(text, 60)!r} is no place in a stream.",
                "Use all, new, last, subject, a sequence, a duration like 1h, or a time.",
            ) from None
        config |= {"deliver_policy": "by_start_time", "opt_start_time": at}


def _filters(config: dict[str, Any], said: Mapping[str, Any]) -> None:
    if "filter" in said:
        filters = [f for f in said["filter"] if f]
        config.pop("filter_subject", None)
        config.pop("filter_subjects", None)
        if len(filters) == 1:
            config["filter_subject"] = filters[0]
        elif filters:
            config["filter_subjects"] = filters
    for subject in filters_of(config):
        check_subject(subject, wildcards=True)
    if config.get("deliver_policy") == "last_per_subject" and not filters_of(config):
        config["filter_subject"] = ">"  # without one the server refuses (10094)


def filters_of(config: Mapping[str, Any]) -> list[str]:
    """What it filters by."""
    one = config.get("filter_subject")
    return list(config.get("filter_subjects") or ([one] if one else []))


def _backoff(config: dict[str, Any], said: Mapping[str, Any]) -> None:
    way = said.get("backoff")
    if way == "none":
        config.pop("backoff", None)
    elif way == "linear":
        low, high = sorted((said["backoff_min"], said["backoff_max"]))
        steps = said["backoff_steps"]
        if low <= 0 or steps > 1000:
            raise CommandError("That is no backoff.", "Use up to 1000 steps and durations above 0.")
        size = (high - low) / steps
        config["backoff"] = [round((low + i * size) * 1000) * 10**6 for i in range(steps)]


def _groups(config: dict[str, Any], said: Mapping[str, Any]) -> None:
    asked = [
        (name, policy)
        for name, policy in (
            ("pinned_groups", "pinned_client"),
            ("overflow_groups", "overflow"),
            ("prioritized_groups", "prioritized"),
        )
        if name in said
    ]
    if len(asked) > 1:
        flags = " and ".join(f"--{name.replace('_', '-')}" for name, _ in asked)
        raise CommandError(
            f"{flags} exclude each other: a consumer has one priority policy.", "Use one of them."
        )
    if asked:
        name, policy = asked[0]
        groups = [g for text in said[name] for g in text.split(",") if g]
        config |= {"priority_groups": groups, "priority_policy": policy}


def _pair(text: str) -> tuple[str, str]:
    found = re.match(r"([^:=]+)[:=](.*)", text, re.DOTALL)
    if found is None:
        raise CommandError(f"--metadata: {one_line(text, 60)!r} has no key and value.", "Write KEY:VALUE")
    return found[1].strip(), found[2].strip()


def stamp(ahead: float) -> str:
    """The time so many seconds from now, as JetStream's JSON writes it."""
    return _zulu(datetime.datetime.now(datetime.UTC) + datetime.timedelta(seconds=ahead))


def _zulu(at: datetime.datetime) -> str:
    return at.astimezone(datetime.UTC).isoformat().replace("+00:00", "Z")


def until(text: str, what: str) -> str:
    """A time: a duration from now ("1h"), or a time of day ("2030-01-01 00:00:00", local without a zone)."""
    ahead = seconds(text)
    try:
        if ahead is not None:
            return stamp(ahead)
        return _zulu(datetime.datetime.fromisoformat(text))
    except (ValueError, OverflowError):
        raise CommandError(
            f"{what}: {one_line(text, 60)!r} is neither a duration nor a time.",
            "Write 30s, 1h or '2030-01-31 12:00:00'.",
        ) from None


#: What the server fills in where nothing is said (nats-server 2.15.1, measured).
_FILLED: dict[str, Any] = {
    "deliver_policy": "all", "ack_policy": "none", "replay_policy": "instant", "max_deliver": -1,
}  # fmt: skip

#: Fields of which the server says "can not be updated" (10012).
FIXED = frozenset({
    "deliver_policy", "opt_start_seq", "opt_start_time", "ack_policy", "replay_policy", "idle_heartbeat",
    "flow_control", "max_waiting", "mem_storage",
})  # fmt: skip


def filled(config: Mapping[str, Any]) -> dict[str, Any]:
    """The configuration with what the server fills in, to tell what would differ."""
    out = {**_FILLED, **{k: v for k, v in config.items() if v not in (0, "", None)}}
    if out["ack_policy"] != "none":
        backoff = out.get("backoff")
        out["ack_wait"] = backoff[0] if backoff else out.get("ack_wait", 30 * _SECOND)
        out.setdefault("max_ack_pending", 1000)
    if not out.get("deliver_subject"):
        out.setdefault("max_waiting", 512)
    return out


def oddities(asked: Mapping[str, Any], stored: Mapping[str, Any]) -> list[str]:
    """Sentences about fields that the server stored otherwise than asked."""
    notes = []
    for name, (want, have) in changes(asked, {k: stored.get(k) for k in CONSUMER}, CONSUMER).items():
        if not asked.get(name) or name in ("name", "durable_name", "pause_until", "opt_start_time"):
            continue
        if name == "max_deliver" and want in (0, -1) and have in (0, -1):
            continue
        kind = CONSUMER.get(name)
        said = f"{name} {shown(want, kind)} was asked for, and the server stored {shown(have, kind)}"
        if name == "ack_wait" and stored.get("backoff"):
            said += ": with a backoff, its first step is the ack wait"
        elif name == "ack_wait" and stored.get("ack_policy") == "none":
            said += ": without acks nothing is waited for"
        notes.append(f"{said}.")
    if not stored.get("durable_name") and stored.get("inactive_threshold"):
        notes.append(
            f"it goes away when nobody uses it for {span(stored['inactive_threshold'])} (ephemeral)."
        )
    return notes


def matches_nothing(config: Mapping[str, Any], subjects: list[str]) -> list[str]:
    """The filters that none of the stream's subjects can match."""
    return [f for f in filters_of(config) if subjects and not any(collide(f, s) for s in subjects)]


def collide(one: str, other: str) -> bool:
    """Whether some subject matches both patterns."""
    a, b = one.split("."), other.split(".")
    for x, y in zip(a, b, strict=False):
        if x == ">" or y == ">":
            return True
        if x != y and "*" not in (x, y):
            return False
    return len(a) == len(b)  # > stands for at least one more word
