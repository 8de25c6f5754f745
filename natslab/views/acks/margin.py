"""The right margin: what the server says of each consumer, and where the cells disagree."""

from __future__ import annotations

from natslab.views.acks import facts
from natslab.views.acks.glyphs import n
from natslab.views.acks.state import Consumer, State
from natslab.views.marks import rect
from natslab.views.scene import Group, Mark, Path, Text, label, text_width, walk
from natslab.views.wording import amount

MARGIN, END, LINE = 748.0, 876.0, 19.0
ROOM, ACROSS, LEFT = END - MARGIN, 3, 24.0  # of one counter; below a lane so many stand side by side
APART = 152.0  # from one of those to the next
_SHORT = {"ack pending": "pending", "unprocessed": "stored", "waiting pulls": "pulls"}


def heading(state: State, consumers: list[Consumer], x: float = MARGIN, y: float = 136.0) -> list[Mark]:
    """Above the counters: whose word they are, and of when."""
    at = max((c.says_t for c in consumers), default=-1.0)
    marks: list[Mark] = [
        label("says/name", x, y, "server says", "t11 w6"),
        Path(key="says/line", d=f"M{x:g} {y + 13:g}H{x + ROOM:g}", classes="edge line"),
    ]
    if at >= 0:
        words = f"at {at:.1f} s" if at < 100 else f"at {at:.0f} s" if at < 1000 else f"{at:.0f} s"
        marks.append(label("says/at", x + ROOM, y, words, "t11 ink3 end num"))
    return marks


def below(state: State, consumer: Consumer, y: float, *, whole: bool) -> list[Mark]:
    """The same counters, and settings, in lines of several from `y` on: under a lane."""
    marks: list[Mark] = []
    for i, part in enumerate(_parts(state, consumer, whole)):
        base = next(m.y for one in part for m in walk([one]) if isinstance(m, Text))
        x, at = LEFT + APART * (i % ACROSS) - MARGIN, y + LINE * (i // ACROSS) - base
        marks.append(Group(key=f"{part[0].key}/at", x=x, y=at, marks=part))
    return marks


def high(state: State, consumer: Consumer, *, whole: bool) -> float:
    """How much room they take there."""
    return LINE * -(-len(_parts(state, consumer, whole)) // ACROSS)


def _parts(state: State, consumer: Consumer, whole: bool) -> list[list[Mark]]:
    """The counters one by one, with the marks of each."""
    parts: list[list[Mark]] = []
    before = ""
    for mark in counters(state, consumer, 0.0, 9, whole=whole):
        of = mark.key.rpartition("/")[0] if "/delta/" in mark.key else mark.key
        if not mark.key.endswith(f"{consumer.key}/line"):
            if of == before:
                parts[-1].append(mark)
            else:
                parts.append([mark])
        before = of
    return parts


def counters(state: State, consumer: Consumer, y: float, lines: int, *, whole: bool) -> list[Mark]:
    """The server's counters of one consumer from baseline `y` on, at most so many lines.

    `whole`: also what its configuration says of acks.
    """
    key = f"says/{consumer.key}"
    if consumer.says_t < 0:
        return [label(f"{key}/none", MARGIN, y, "not heard yet", "t12 ink3")]
    differs = facts.disagreements(state, consumer)
    rows: list[tuple[str, str, int | None]] = []
    for counter, word in facts.COUNTERS.items():
        cells = differs.get(counter, (0, None))[1]
        rows.append((word, amount(consumer.says[counter]), cells))
    if not consumer.push:
        rows.append(("waiting pulls", amount(consumer.says["waiting"]), None))
    elif whole:
        rows.append(("subscriber", "yes" if consumer.says["bound"] else "none", None))
    marks: list[Mark] = []
    for word, value, cells in rows:
        if lines < 1:
            break
        marks.append(row(f"{key}/{word}", y, word, value))
        y, lines = y + LINE, lines - 1
        if cells is not None and lines:
            marks += _delta(f"{key}/{word}/delta", y, amount(cells))
            y, lines = y + LINE, lines - 1
    if whole:
        marks.append(Path(key=f"{key}/line", d=f"M{MARGIN:g} {y + 5:g}H{END:g}", classes="edge hair"))
        y += LINE + 5
        for word, value in settings(consumer):
            marks.append(row(f"{key}/{word}", y, word, value))
            y += LINE
    return marks


def height(consumer: Consumer, differs: int) -> float:
    """Pixels that the counters and the settings of the expanded consumer take below their first baseline."""
    return LINE * (3 + differs + len(settings(consumer))) + 5 + LINE


def settings(consumer: Consumer) -> list[tuple[str, str]]:
    """What its configuration says of acks."""
    if consumer.ack == "none":
        return [("ack_policy", "none")]
    if consumer.backoff:
        rows = [("backoff", _steps(consumer.backoff))]
    else:
        wait = consumer.ack_wait
        rows = [("ack_wait", f"{wait:g} s" if wait < 120 else f"{wait / 60:g} min")]
    rows.append(("max_deliver", str(consumer.max_deliver) if consumer.max_deliver > 0 else "none"))
    if consumer.ack == "all":
        rows.append(("ack_policy", "all"))
    return rows


def _steps(backoff: list[float]) -> str:
    """As many of its steps as have room beside the word."""
    room = END - MARGIN - text_width("backoff", "t12") - 4
    for many in range(len(backoff), 0, -1):
        words = ", ".join(f"{b:g}" for b in backoff[:many]) + (", …" if many < len(backoff) else "") + " s"
        if text_width(words, "t12 w6") <= room:
            break
    return words


def row(key: str, y: float, word: str, value: str) -> Mark:
    """A counter: its name and its value."""
    if text_width(word, "t12") + text_width(value, "t12 w6") > END - MARGIN - 2:
        word = _SHORT.get(word, word)
    return Group(
        key=key,
        marks=[
            label(f"{key}/word", MARGIN, y, word, "t12 ink3"),
            label(f"{key}/n", END, y, value, "t12 w6 end num"),
        ],
    )


def _delta(key: str, y: float, cells: str) -> list[Mark]:
    x, top = MARGIN + 5, y - 8.6
    return [
        Path(key=f"{key}/sign", classes="edge dead none round", width=1.75,
             d=f"M{n(x)} {n(top)}L{n(x + 4.6)} {n(top + 7.91)}L{n(x - 4.6)} {n(top + 7.91)}Z"),
        label(f"{key}/word", MARGIN + 17, y, "the cells say", "t12"),
        label(f"{key}/n", END, y, cells, "t12 w6 end num"),
    ]  # fmt: skip


def pips(key: str, x: float, y: float, count: int, limit: int) -> list[Mark]:
    """One pip for each ack that may be awaited."""
    return [
        rect(f"{key}/pip/{i}", x + 7 * i, y - 9, 5, 10, "fill ink" if i < count else "fill line", 1)
        for i in range(limit)
    ]
