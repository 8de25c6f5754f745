"""`%natslab record save open export`: what happened, kept for later."""

from __future__ import annotations

from pathlib import Path

import click

from natslab import lab as labs
from natslab.commands import words
from natslab.commands.connect import Line
from natslab.commands.flags import FILE
from natslab.commands.results import Text
from natslab.commands.tree import NATSLAB
from natslab.errors import CommandError
from natslab.views import view as views
from natslab.views.recording import Recording


@NATSLAB.verb("record", example="%natslab record on", mark="")
@click.argument("what", type=click.Choice(["on", "off"]), default="on")
def record(line: Line, what: str) -> Text | Recording:
    """Record a block of this lab: on begins it, off ends it and gives the recording back.

    In Python the same is: with lab.record() as rec: …
    """
    lab = labs.current()
    if what == "on":
        if lab.recording is not None:
            raise CommandError(
                "This lab is being recorded already.", "End it first: rec = %natslab record off"
            )
        lab.recording = lab.record()
        lab.recording.start()
        return Text("Recording. End it with: rec = %natslab record off")
    if lab.recording is None:
        raise CommandError("Nothing is being recorded.", "Begin first: %natslab record on")
    block, lab.recording = lab.recording, None
    block.stop()
    return block


@NATSLAB.verb("save", example="%natslab save run1", mark="")
@click.argument("path", type=FILE)
def save(line: Line, path: Path) -> Text:
    """Write the tape, all that happened, to a file."""
    lab = labs.current()
    saved = lab.save(path)
    cut = lab.tape.cut
    less = f" It was too long: of its first {cut:,} events it has only what held on." if cut else ""
    return Text(
        f"The tape is in {path}.{less} Look at it again: %natslab open {path}", path=str(saved), cut=cut
    )


@NATSLAB.verb("open", example="rec = %natslab open run1", mark="")
@click.argument("path", type=FILE)
def open_(line: Line, path: Path) -> Recording:
    """Open a saved tape: its views work without a server, rec.view('routing')."""
    return labs.open(path)


@NATSLAB.verb("export", example="%natslab export page.html routing 'acks ORDERS'", mark="")
@click.argument("path", type=FILE)
@click.argument("chosen", metavar="[VIEW]...", nargs=-1)
def export(line: Line, path: Path, chosen: tuple[str, ...]) -> Text:
    """Write one HTML page on which the views can be scrubbed without kernel and network.

    Those that were opened in this lab, or the named ones: routing, 'acks ORDERS', ...
    """
    named: list[tuple[str, ...]] = [tuple(words.split(one)) for one in chosen]
    for name in named:
        views.load(name[0] if name else "")
    written = labs.current().export(path, [*named] or None)
    return Text(f"The page is in {path}.", path=str(written))
