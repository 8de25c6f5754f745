"""The card of a subject mapping: what was declared, and which way the messages went."""

from __future__ import annotations

import re

from natslab.tape.subject import tokens
from natslab.views.routing.state import Message, State, fills, rule_of
from natslab.views.routing.verdicts import Run, Shown
from natslab.views.scene import Group, Mark, Rect, Text, label
from natslab.views.wording import fit, isolate, plain, wide

CARD_X, CARD_R = 164.5, 354.5


def _shares(state: State, message: Message) -> list[tuple[str, int | None, int]]:
    """Destinations of the mapping that met a message: name, declared percent, messages seen."""
    source, declared = rule_of(state, message)
    seen = state.branches.get(source or message.published_as, {})
    out: list[tuple[str, int | None, int]] = [(d, w, seen.get(d, 0)) for d, w in declared]
    left = 100 - sum(w for _, w in declared)
    if declared and left > 0:
        out.append(("", left, seen.get("", 0)))
    out += [(d, None, n) for d, n in sorted(seen.items()) if d not in {x for x, _, _ in out}]
    return out


def met(shown: Shown) -> Message | None:
    """The shown message, if a mapping met it."""
    message = shown.message
    return message if message is not None and any(h.step == "map" for h in message.hops) else None


def card_height(state: State, shown: Shown) -> float:
    """The room of the tallest mapping there is, so that rows keep their places."""
    most = max([len(d) for rules in state.rules.values() for d in rules.values()] + [1])
    most = max([most] + [len(b) for b in state.branches.values()])
    message = met(shown)
    if message is not None:
        most = max(most, len(_shares(state, message)))
    return 73.0 if most == 1 else 46.0 + 33.0 * min(most, 4) + (16 if most > 4 else 0)


def card(state: State, shown: Shown, centre: float) -> list[Mark]:
    """What a mapping did to the shown message: declared, and observed."""
    message = met(shown)
    if message is None:
        return []
    source = rule_of(state, message)[0] or message.published_as
    shares = _shares(state, message)
    to = next(h.to for h in message.hops if h.step == "map")
    taken = next((d for d, _, _ in shares if fills(d, to)), to)
    x, room = 11.0, CARD_R - CARD_X - 22
    single = len(shares) <= 1
    height = 73.0 if single else 46.0 + 33.0 * min(len(shares), 4) + (16 if len(shares) > 4 else 0)
    key = f"map/{source}"
    marks: list[Mark] = [
        Rect(key=f"{key}/box", x=0, y=0, w=CARD_R - CARD_X, h=height, r=8, classes="edge line base-ground"),
        label(f"{key}/word", x, 20, "mapping", "t11 ink3"),
    ]
    before, after = _changed(source, taken if single else source)
    runs = _runs(before, room - 20, "t11 mono ink2", "strike")
    marks.append(Text(key=f"{key}/from", x=x, y=39, runs=runs))
    marks.append(label(f"{key}/arrow", x + sum(wide(t, c) for t, c in runs) + 6, 39, "⇒", "t12 ink3"))
    if single:
        marks.append(Text(key=f"{key}/to", x=x, y=57, runs=_runs(after, room, "t11 mono", "w6")))
    else:
        total = sum(n for _, _, n in shares)
        for i, (name, percent, n) in enumerate(shares[:4]):
            line = 58 + 33 * i
            on = name == taken
            text = fit(name, room, "t11 mono") if name else "nowhere: lost"
            look = ("t11 mono" if name else "t11") + (" w6" if on else " ink3")
            marks.append(label(f"{key}/to{i}", x, line, text, look))
            did = f"seen {round(100 * n / total)} %" if total else "not seen yet"
            said = f"declared {percent} %, {did}" if percent is not None else did
            marks.append(
                label(f"{key}/share{i}", x, line + 14, said, "t11 ink2 num" if on else "t11 ink3 num")
            )
        if len(shares) > 4:
            marks.append(label(f"{key}/more", x, 58 + 33 * 4, f"and {len(shares) - 4} more", "t11 ink3"))
    told = f"The mapping of {plain(source)} made {plain(message.published_as)} into {plain(to) or 'nothing'}."
    y = round(centre - height / 2, 2)
    return [Group(key=key, x=CARD_X, y=y, marks=marks, title=told, state={"from": source, "to": to})]


def _changed(source: str, to: str) -> tuple[list[tuple[str, bool]], list[tuple[str, bool]]]:
    """The tokens before and after, each with whether the mapping replaced it."""
    a, b = tokens(source), re.split(r"\.(?![^{]*\}\})", to) if to else []
    before = [(t, t not in ("*", ">") and (i >= len(b) or b[i] != t)) for i, t in enumerate(a)]
    after = [
        (t, "{{" not in t and not t.startswith("$") and (i >= len(a) or a[i] != t)) for i, t in enumerate(b)
    ]
    return before, after


def _runs(parts: list[tuple[str, bool]], room: float, classes: str, mark: str) -> list[Run]:
    """Tokens joined by dots, the marked ones with the class `mark`."""
    whole = ".".join(t for t, _ in parts)
    if wide(whole, classes) > room or any(not c.isprintable() for c in whole):
        return [(fit(whole, room, classes), classes)]
    out: list[Run] = []
    for i, (text, marked) in enumerate(parts):
        if i:
            out.append((".", classes))
        out.append((isolate(text), f"{classes} {mark}" if marked else classes))
    return out or [("nowhere", "t11 ink2")]
