"""The events view in a sentence, and as a table."""

from __future__ import annotations

from natslab.views.events.state import KINDS, Entry, State
from natslab.views.events.text import sentence_of, text_of, weight
from natslab.views.view import Table, unheard
from natslab.views.wording import NOTE, SENTENCE, amount, count_of, listed, plain, short_name

ROWS = 18  # entries that are drawn


def shown_of(state: State) -> list[Entry]:
    """The newest entries: those that are drawn."""
    return state.entries[-ROWS:]


def older_of(state: State) -> int:
    """How much happened before those."""
    return state.total - sum(e.count for e in shown_of(state))


def describe(state: State) -> tuple[str, str]:
    """The newest thing worth a sentence; how much of what happened in the note. No times."""
    shown = shown_of(state)
    if not shown:
        if unheard(state):
            return unheard(state), "What happens appears here when one is up."
        if state.of:
            return (
                f"Nothing happened yet that concerns {listed([short_name(o, 30) for o in state.of[:3]])}.",
                "",
            )
        return "Nothing happened yet.", "Servers, clients, streams, faults: whatever happens appears here."
    worth = [e for e in shown if weight(e)] or shown
    said = sentence_of(worth[-1])
    if len(said) > SENTENCE:
        said = f"{said[: SENTENCE - 2].rstrip()}…"
    return said, _note(state)


def _note(state: State) -> str:
    if state.total == 1:
        return "One thing happened so far."
    counts = sorted(state.counts.items(), key=lambda c: (-c[1], list(KINDS).index(c[0])))
    parts = [f"{KINDS[kind]} {amount(n)}" for kind, n in counts]
    things = f"{count_of(state.total, 'thing')} happened"
    note = f"{things}: {', '.join(parts[:5])}{', and more' if len(parts) > 5 else ''}."
    return note if len(note) <= NOTE else f"{things}."


def table(state: State) -> Table:
    """A row per entry that is drawn, oldest first; before them how many there were, after them all."""
    found = Table(columns=["kind", "where", "what"], rows=[], keys=[])
    shown = shown_of(state)
    if not shown:
        if state.of:
            found.rows.append(
                ["", "", f"nothing about {plain(listed(list(state.of)))}. {unheard(state)}".strip()]
            )
            found.keys.append("nothing/")
        return found
    if older_of(state):
        found.rows.append(["", "", f"{amount(older_of(state))} before"])
        found.keys.append("more/")
    for entry in shown:
        guess = "≈ " if entry.guess else ""
        found.rows.append([entry.kind, plain(", ".join(entry.places)), plain(guess + text_of(entry))])
        found.keys.append(key_of(entry))
    counts = ", ".join(f"{KINDS[kind]} {amount(n)}" for kind, n in sorted(state.counts.items()))
    found.rows.append(["all", "", f"{amount(state.total)}: {counts}"])
    found.keys.append("total/")
    return found


def key_of(entry: Entry) -> str:
    """The key of an entry's mark."""
    return f"ev/{entry.n}/{entry.kind}/{entry.verb}"
