"""The stream picture: one stream large, several as cards."""

from __future__ import annotations

import shlex

from natslab.views.scene import Action, Legend, Scene
from natslab.views.stream.cards import Cards
from natslab.views.stream.large import Large
from natslab.views.stream.plan import Column
from natslab.views.stream.state import State, Stream
from natslab.views.stream.words import CARDS, describe, headline_of, table_of, table_rows
from natslab.views.view import Table, blank
from natslab.views.wording import amount

TITLE = "Stream"
SOURCES = "seen in stream state and publish answers"


def draw(state: State) -> Scene:
    """What is kept, what went and why."""
    scene = blank(state, "stream", TITLE, SOURCES, headline_of(state), describe(state)[1])
    scene.width, scene.controls = state.width, _controls(state)
    shown = state.shown
    if not shown:
        return scene
    if len(shown) == 1 and shown[0].exists:
        large = Large(state, shown[0])
        scene.marks = large.everything()
        scene.height = large.height
        scene.flights = large.flights()
        columns = {shown[0].name: large.belt.columns}
    else:
        cards = Cards(state)
        scene.marks, scene.height = cards.everything(), cards.height
        columns = cards.columns
    scene.legend = _legend(state, columns)
    return scene


def table(state: State) -> Table:
    """One row per stream, shelf, drawn message and consumer."""
    shown = state.shown
    rows = []
    if len(shown) == 1 and shown[0].exists:
        rows = list(table_rows(shown[0], Large(state, shown[0]).belt.columns, True))
    elif shown:
        cards = Cards(state)
        cards.everything()
        if len(shown) > 1:
            total = amount(sum(s.messages for s in shown))
            rows.append(("streams", ["all", f"{len(shown)} streams", "", f"{total} messages", ""]))
        for stream in shown[:CARDS]:
            rows += table_rows(stream, cards.columns.get(stream.name, []), False)
        if len(shown) > CARDS:
            rest = shown[CARDS:]
            total = amount(sum(s.messages for s in rest))
            rows.append(("more/streams", [f"{len(rest)} more", "", "", f"{total} messages", ""]))
    return table_of(rows)


def _controls(state: State) -> list[Action]:
    """Lines that make more happen."""
    streams = [s for s in state.shown if s.exists][:1]
    out: list[Action] = []
    for stream in streams:
        published = [a.subject for a in stream.answers.values()]
        plain = [s for s in stream.limits.subjects if "*" not in s and ">" not in s]
        for subject in (published or plain)[-1:]:
            out += [
                Action(f"nats pub {shlex.quote(subject)} hello -J --count {n}", f"Publish {n}")
                for n in (1, 10)
            ]
    return out


def _legend(state: State, columns: dict[str, list[Column]]) -> list[Legend]:
    """What is there now, with counts."""
    shown = [s for s in state.shown[:CARDS] if s.exists]
    kept = sum(s.messages for s in shown)
    aging = any(s.limits.age or any(slot.ttl > 0 for slot in s.slots.values()) for s in shown)
    out = (
        [Legend("stored edge none", "square", "kept, drains with age" if aging else "kept", kept)]
        if kept
        else []
    )
    gone = sum(c.kind == "gone" for found in columns.values() for c in found)
    if gone:
        out.append(Legend("ghost", "square", "gone", gone))
    out += _handed(shown, columns)
    refused = sum(s.refused for s in shown)
    if refused:
        out.append(Legend("dead fill", "cross", "refused", refused))
    twice = sum(s.duplicates for s in shown)
    if twice:
        out.append(Legend("edge ink", "twin", "duplicate, not stored", twice))
    return out


def _handed(shown: list[Stream], columns: dict[str, list[Column]]) -> list[Legend]:
    """Acks of work queues and tabs of interest, where they are drawn."""
    out: list[Legend] = []
    waiting = acked = lost = tabs = 0
    for stream in shown:
        seqs = {c.first for c in columns.get(stream.name, []) if c.kind in ("slot", "gone")}
        for reader in stream.readers.values():
            if stream.limits.retention == "workqueue":
                for seq, hand in reader.hands.items():
                    if seq in seqs:
                        done = hand.state == "acked" or seq not in stream.slots
                        acked, waiting = acked + done, waiting + (not done and hand.state == "out")
                        lost += not done and hand.state == "exhausted"
            elif stream.limits.retention == "interest":
                tabs += sum(
                    seq in stream.slots
                    and reader.wants(stream.slots[seq].subject)
                    and not reader.settled(seq)
                    for seq in seqs
                )
    if waiting:
        out.append(Legend("flight fill", "half", "delivered, not acked", waiting))
    if acked:
        out.append(Legend("done fill", "tick", "acked", acked))
    if lost:
        out.append(Legend("dead fill", "cross", "given up", lost))
    if tabs:
        out.append(Legend("line fill", "square", "still wanted", tabs))
    return out
