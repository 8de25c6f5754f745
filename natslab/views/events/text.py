"""What happened, in plain words: a line for each entry of the events view."""

from __future__ import annotations

from collections.abc import Callable

from natslab.views.events.state import Entry
from natslab.views.wording import amount, count_of, listed, short_name

Run = tuple[str, str]
NAME = "w6"  # the class of a name in a line
LINKS = {"route": "route", "gateway": "gateway connection", "leafnode": "leafnode connection"}


def line_of(entry: Entry) -> list[Run]:
    """The line: words, and names that stand out."""
    return [(text, classes) for text, classes in _LINES[entry.kind](entry) if text]


def text_of(entry: Entry) -> str:
    """The same as plain text, with what else there is to say."""
    words = "".join(text for text, _ in line_of(entry))
    return f"{words}{f' ({detail(entry)})' if detail(entry) else ''}"


def sentence_of(entry: Entry) -> str:
    """The same as a sentence."""
    line = line_of(entry)
    words = "".join(text for text, _ in line)
    if line[0][1] != NAME:  # a name is written as it is
        words = f"{words[:1].upper()}{words[1:]}"
    return f"{words}."


def detail(entry: Entry) -> str:
    """A reason, a version, an explanation: what stands beside the line."""
    if entry.kind == "wire" and entry.verb == "delayed":
        return "each way"
    if entry.verb == "stood down":
        return f"too few of its servers were in reach; {short_name(entry.about, 20)} leads it"
    if (entry.kind, entry.verb) in _MEANS:
        return _MEANS[entry.kind, entry.verb]
    if entry.kind in ("message", "stream") and entry.verb in ("exhausted", "purged"):
        return ""
    if entry.kind == "server" and (entry.note in ("killed", "stopped") or entry.verb == "removed"):
        return ""
    if entry.kind == "server" and entry.verb == "up":
        return f"version {entry.note}" if entry.note else ""
    return entry.note


_MEANS = {
    ("server", "frozen"): "its connections stay open, nothing answers",
    ("wire", "held"): "its connections stay open, nothing passes",
    ("message", "expired"): "nobody tells; from the consumer's ack_wait",
    ("message", "nak"): "to be delivered again",
    ("leader", "quorum lost"): "too few of its servers are in reach",
    ("health", "stalled"): "clients read too slowly",
}


def _names(
    entry: Entry, show: Callable[[str], str] = lambda name: short_name(name, 24), most: int = 4
) -> Run:
    shown = [show(item) for item in entry.items[:most]]
    more = max(entry.count, len(entry.items)) - len(shown)
    return listed([*shown, f"{amount(more)} more"] if more > 0 else shown), NAME


def _are(entry: Entry) -> str:
    return "is" if len(entry.items) == 1 and entry.count == 1 else "are"


def _were(entry: Entry) -> str:
    return "was" if len(entry.items) == 1 and entry.count == 1 else "were"


def _server(entry: Entry) -> list[Run]:
    one = len(entry.items) == 1
    down = {"killed": f" {_were(entry)} killed", "stopped": f" {_were(entry)} stopped"}
    words = {
        "up": f" {_are(entry)} up",
        "again": f" {_are(entry)} up again",
        "goes on": " goes on" if one else " go on",
        "frozen": f" {_are(entry)} frozen",
        "down": down.get(entry.note, f" {_are(entry)} down"),
        "lame duck": " sends its clients away" if one else " send their clients away",
        "removed": f" {_were(entry)} taken out of the lab",
    }
    return [_names(entry), (words.get(entry.verb, f" {_are(entry)} {entry.verb}"), "")]


def _pair(key: str) -> str:
    a, _, b = key.partition(">")
    return f"{short_name(a, 16)}–{short_name(b, 16)}"


def _wire(entry: Entry) -> list[Run]:
    one = len(entry.items) == 1
    if entry.verb in ("connected", "lost"):
        kind = LINKS.get(entry.about, "link")
        words = "connects" if entry.verb == "connected" else "has no connection any more"
        if one:
            return [(f"the {kind} ", ""), _names(entry, _pair), (f" {words}", "")]
        words = "connect" if entry.verb == "connected" else "have no connection any more"
        return [(f"{count_of(len(entry.items), kind)} {words}: ", ""), _names(entry, _pair, 6)]
    words = {
        "cut": f"{_were(entry)} cut",
        "held": f"{_are(entry)} held",
        "healed": f"{_are(entry)} whole again",
        "delayed": f"{'takes' if one else 'take'} {entry.note} longer",
    }.get(entry.verb, entry.verb)
    return [("the wire " if one else "the wires ", ""), _names(entry, _pair, 6), (f" {words}", "")]


def _client(entry: Entry) -> list[Run]:
    where = listed([short_name(p, 20) for p in entry.places[:4]]) if entry.places else ""
    one = len(entry.items) == 1
    if entry.verb == "dropped":
        count = count_of(entry.count, "message")
        who = listed([short_name(item, 24) for item in entry.items[:4]])
        its = "its handler is" if len(entry.items) == 1 else "their handlers are"
        return [(who, NAME), (f" threw {count} away: {its} too slow", "")]
    words = {
        "connected": f" connected to {where}" if where else " connected",
        "moved": f" {_are(entry)} connected again, now to {where}"
        if where
        else f" {_are(entry)} connected again",
        "lost": " lost its connection" if one else " lost their connections",
        "closed": f" left {where}" if where else " left",
    }
    if entry.verb == "lost" and where:
        words["lost"] += f" to {where}"
    # Of one client that came and went several times each counts.
    again = f" {amount(entry.count)} times" if one and entry.count > 1 else ""
    if one:
        return [(short_name(entry.items[0], 24), NAME), (words[entry.verb] + again, "")]
    return [(f"{amount(entry.count)} clients", NAME), (words[entry.verb] + ": ", ""), _names(entry)]


def _whole(of: str, kind: str) -> str:
    """A stream, or a consumer with its stream."""
    stream, _, consumer = of.partition(" ")
    if kind == "consumer" and consumer:
        return f"{short_name(consumer, 24)} of {short_name(stream, 24)}"
    return short_name(stream, 24)


def _stored(entry: Entry) -> list[Run]:
    kind, one = entry.kind, len(entry.items) == 1 and entry.count == 1
    if entry.verb == "purged" and one:
        count = int(entry.note) if entry.note.isdecimal() else 0
        return [
            (f"{count_of(count, 'message')} of ", ""),
            _names(entry),
            (" were purged" if count != 1 else " was purged", ""),
        ]
    if entry.verb == "message deleted":
        what = "a message" if entry.count == 1 else count_of(entry.count, "message")
        stream = (short_name(entry.items[0], 24), NAME) if len(entry.items) == 1 else _names(entry)
        return [(f"{what} of ", ""), stream, (f" {'was' if entry.count == 1 else 'were'} deleted", "")]
    words = {
        "created": f"{_were(entry)} created",
        "deleted": f"{_were(entry)} deleted",
        "changed": f"{_were(entry)} changed",
        "paused": f"{_were(entry)} paused",
        "goes on": "goes on" if one else "go on",
        "backup begun": "is being backed up",
        "backup made": "was backed up",
        "restore begun": "is being restored",
        "restored": "was restored",
        "replica removed": "lost a replica",
        "batch abandoned": "gave up an atomic batch",
        "pinned": "is pinned to one client",
        "unpinned": "is pinned to no client any more",
        "purged": f"{_were(entry)} purged",
    }.get(entry.verb, entry.verb)
    if one:
        return [(f"{kind} ", ""), (_whole(entry.items[0], kind), NAME), (f" {words}", "")]
    if len(entry.items) == 1:
        return [
            (f"{kind} ", ""),
            (_whole(entry.items[0], kind), NAME),
            (f" {words.replace('were', 'was')} {amount(entry.count)} times", ""),
        ]
    names = _names(entry, lambda of: _whole(of, kind))
    return [(f"{amount(entry.count)} {kind}s {words}: ", ""), names]


def group_of(what: str) -> str:
    """What a RAFT group is for."""
    kind, _, rest = what.partition(" ")
    if what == "meta":
        return "the meta group"
    if kind == "stream" and rest:
        return f"stream {short_name(rest, 24)}"
    if kind == "consumer" and rest:
        return f"consumer {_whole(rest, 'consumer')}"
    return f"group {short_name(what, 24)}"


def _leader(entry: Entry) -> list[Run]:
    whats = listed([group_of(item) for item in entry.items[:3]])
    more = len(entry.items) - 3
    whats += f" and {amount(more)} more" if more > 0 else ""
    if entry.verb == "leads":
        if entry.places:
            return [(short_name(entry.places[0], 20), NAME), (f" leads {whats}", "")]
        return [("a server", NAME), (f" leads {whats}", "")]
    if entry.verb == "stood down":
        who = (short_name(entry.places[0], 20), NAME) if entry.places else ("an old leader", "")
        return [who, (f" gave up leading {whats}", "")]
    words = {
        "nobody": (f"nobody leads {whats}", ""),
        "quorum lost": (f"{whats} lost {'its' if len(entry.items) == 1 else 'their'} quorum", ""),
        "quorum back": (f"{whats} {'has its' if len(entry.items) == 1 else 'have their'} quorum again", ""),
    }
    if entry.verb == "asked to step down":
        return [("the leader of ", ""), (whats, NAME), (" was asked to step down", "")]
    return [words[entry.verb]]


def _message(entry: Entry) -> list[Run]:
    stream, _, consumer = entry.about.partition(" ")
    whole = (
        (f"message {entry.items[0]}", NAME) if entry.count == 1 else (f"{amount(entry.count)} messages", NAME)
    )
    of = f" of {short_name(stream, 24)}"
    if entry.count > 1:
        shown = entry.items[:5]
        of += f" ({', '.join(shown)}{', …' if entry.count > len(shown) else ''})"
    who = (short_name(consumer, 24), NAME)
    if entry.verb == "nak":
        return [who, (" said nak to ", ""), whole, (of, "")]
    if entry.verb == "term":
        return [who, (" gave up ", ""), whole, (of, "")]
    if entry.verb == "expired":
        return [who, (" did not answer in time for ", ""), whole, (of, "")]
    tries = f"{entry.note} times" if entry.note not in ("", "1") else "once"
    return [whole, (f"{of} went to ", ""), who, (f" {tries} and comes no more", "")]


def _health(entry: Entry) -> list[Run]:
    server = (short_name(entry.items[0], 24), NAME)
    slow = "a slow consumer" if entry.count == 1 else f"{amount(entry.count)} slow consumers"
    words = {
        "slow consumer": f" cut off {slow}",
        "stalled": f" made a publisher wait {'once' if entry.count == 1 else f'{amount(entry.count)} times'}",
        "stale": f" closed {count_of(entry.count, 'connection')} that did not answer its pings",
        "out of storage": " has no storage left",
        "busy": " refuses API requests: there are too many at once",
    }
    return [server, (words.get(entry.verb, f" {entry.verb}"), "")]


def _fault(entry: Entry) -> list[Run]:
    return [(f"%{entry.items[0]}", "mono")]


def _check(entry: Entry) -> list[Run]:
    words = {"check": "a check passed: ", "bet": "a bet: "}.get(entry.verb, "a check failed: ")
    return [(words, ""), (short_name(entry.items[0], 80), NAME)]


_LINES: dict[str, Callable[[Entry], list[Run]]] = {
    "server": _server,
    "wire": _wire,
    "client": _client,
    "stream": _stored,
    "consumer": _stored,
    "leader": _leader,
    "message": _message,
    "health": _health,
    "fault": _fault,
    "check": _check,
}

#: How much a person must know of it: 2 trouble, 1 worth a sentence, 0 the rest.
_WEIGHTS = {
    "server": {"down": 2, "frozen": 2, "again": 1, "goes on": 1, "up": 1, "lame duck": 1, "removed": 1},
    "wire": {"cut": 2, "held": 2, "delayed": 2, "healed": 1},
    "client": {"lost": 1, "moved": 1, "dropped": 2},
    "stream": {"created": 1, "deleted": 1, "purged": 1, "restored": 1},
    "consumer": {"created": 1, "deleted": 1, "paused": 1},
    "leader": {"leads": 1, "nobody": 2, "quorum lost": 2, "quorum back": 1, "stood down": 1},
    "message": {"exhausted": 2, "term": 2, "nak": 1},
    "health": {"slow consumer": 2, "stalled": 2, "stale": 2, "out of storage": 2, "busy": 2},
    "fault": {"refused": 1},
    "check": {"check": 1, "failed": 2},
}


def weight(entry: Entry) -> int:
    """How much a person must know of it: 2 trouble, 1 worth a sentence, 0 the rest."""
    return _WEIGHTS[entry.kind].get(entry.verb, 0)
