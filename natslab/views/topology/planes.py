"""Accounts as planes under the servers, where there are several."""

from __future__ import annotations

from natslab.views import scene as sc
from natslab.views.scene import Mark, Path, label
from natslab.views.topology.plan import LABELS, Box
from natslab.views.topology.seen import Seen, accounts_of
from natslab.views.topology.servers import DOT, DOTS
from natslab.views.wording import amount, count_of, fit, plain

HIGH, GAP, SKEW, MOST = 54.0, 14.0, 20.0, 6


def planes(all_: Seen, top: float) -> tuple[list[Mark], float]:
    """A plane per account with its clients under their servers' panels; and where they end."""
    names = accounts_of(all_.state)
    if not names:
        return [], top
    marks: list[Mark] = [label("head/accounts", LABELS, top + 12, "accounts", "t11 ink3")]
    y = top + 26
    rows = {name: y + i * (HIGH + GAP) for i, name in enumerate(names[:MOST])}
    for name, at in rows.items():
        marks += _plane(all_, name, at)
    for name, at in rows.items():
        marks += _ways(all_, name, at, rows)
    bottom = y + len(rows) * (HIGH + GAP)
    for name in names[MOST:]:
        marks.append(label(f"acct/{name}", LABELS, bottom + 12, fit(plain(name), 300, "t12"), "t12 ink3"))
        bottom += 18
    return marks, bottom


def _plane(all_: Seen, name: str, y: float) -> list[Mark]:
    key, right = f"acct/{name}", all_.plan.right
    d = f"M{LABELS + SKEW:g} {y:g}H{right:g}L{right - SKEW:g} {y + HIGH:g}H{LABELS:g}Z"
    count = 0
    inside: list[Mark] = [
        Path(key=f"{key}/plane", d=d, classes="edge line base-panel round"),
        label(f"{key}/name", LABELS + 26, y + HIGH / 2 + 5, fit(name, 86, "t14 w6"), "t14 w6"),
    ]
    for box in all_.plan.boxes:
        here = [c for n in box.nodes for c in all_.clients(n.name) if c.account == name]
        count += len(here)
        if here and box.row == 0:
            inside += _dots(f"{key}/{box.group.name}", box, len(here), y + HIGH / 2)
    title = f"Account {plain(name)}: {count_of(count, 'client')}. What its clients publish stays in it."
    return [sc.Group(key=key, marks=inside, title=title, state={"clients": count})]


def _dots(key: str, box: Box, count: int, y: float) -> list[Mark]:
    """The clients of an account in one group of servers."""
    shown = min(count, 8)
    x = max(box.middle - (shown - 1) * DOTS / 2, LABELS + 130)
    marks: list[Mark] = [
        sc.Circle(key=f"{key}/{i}", x=round(x + DOTS * i, 2), y=y, r=DOT, classes="fill ink2")
        for i in range(shown)
    ]
    marks.append(label(f"{key}/n", x + DOTS * (shown - 1) + 9, y + 4, amount(count), "t11 ink2 num"))
    return marks


def _ways(all_: Seen, name: str, y: float, rows: dict[str, float]) -> list[Mark]:
    """What an account takes from others: a way between two planes, its subject on both sides."""
    account = all_.state.accounts.get(name)
    if account is None:
        return []
    marks: list[Mark] = []
    places = [n for n in account.imports if n[1] in rows and n[1] != name][:1]
    for kind, other, there, here in places:
        x = _free(all_)
        y0, y1 = rows[other] + HIGH / 2, y + HIGH / 2
        key = f"import/{name}/{other}/{there}"
        low, high = (y0, y1) if y0 < y1 else (y1, y0)
        inside: list[Mark] = [
            Path(key=f"{key}/way", d=f"M{x:g} {low + 7:g}V{high - 7:g}", width=2, classes="edge ink2")
        ]
        for side, at, subject, word in (("out", y0, there, "export"), ("in", y1, here, "import")):
            d = f"M{x - 7:g} {at - 6:g}H{x + 7:g}L{x:g} {at + 7:g}Z"
            if kind == "service":
                d = f"M{x:g} {at - 8:g}L{x + 8:g} {at:g}L{x:g} {at + 8:g}L{x - 8:g} {at:g}Z"
            text = fit(subject, 108, "t11 mono")
            inside.append(Path(key=f"{key}/{side}", d=d, width=1.5, classes="edge ink base-ground round"))
            inside.append(label(f"{key}/{side}/subject", x - 13, at + 4, text, "t11 mono end"))
            inside.append(label(f"{key}/{side}/word", x + 13, at + 4, word, "t11 ink3"))
        title = f"{plain(name)} takes the {kind} {plain(there)} of {plain(other)}, as {plain(here)}."
        marks.append(sc.Group(key=key, marks=inside, title=title))
    return marks


def _free(all_: Seen) -> float:
    """A place between the columns of clients."""
    line = sorted((b for b in all_.plan.boxes if b.row == 0), key=lambda b: b.x)
    if len(line) > 1:
        at = len(line) // 2
        return round((line[at - 1].end + line[at].x) / 2, 2)
    return round(min(all_.plan.right - 90, line[0].middle + 180), 2)
