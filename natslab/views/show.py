"""A view as a person uses it in a cell: live, as a still, as words, as a table, as a state."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from natslab.tape.tape import Tape
from natslab.views import page
from natslab.views import view as views
from natslab.views.film import strip
from natslab.views.frames import Frames
from natslab.views.player import Player
from natslab.views.scene import Scene, to_svg
from natslab.views.view import Table
from natslab.views.wording import listed

if TYPE_CHECKING:
    from natslab.views.widget import Stage


class View:
    """One view of one tape. As the last expression of a cell it is the live view.

    Parameters
    ----------
    tape: what happened.
    name, of: the view, and what narrows it.
    settle: called before anything is read, so that all that was done so far is on the tape.
    act: runs the line behind a button.
    watched: told +1 when a live view opens and -1 when it closes.
    """

    def __init__(
        self,
        tape: Tape,
        name: str,
        of: tuple[str, ...] = (),
        *,
        settle: Callable[[], None] | None = None,
        act: Callable[[str], None] | None = None,
        watched: Callable[[int], None] | None = None,
    ) -> None:
        self.name = name
        self.player = Player(tape, name, of)
        self._settle = settle or (lambda: None)
        self._act = act
        self._watched = watched
        self._stage: Stage | None = None
        self._others: weakref.WeakSet[Frames] = weakref.WeakSet()

    @property
    def state(self) -> Any:
        """What the view knows now, for assertions: a copy that does not change any more."""
        self._settle()
        return self.player.at()

    def at(self, n: int) -> Any:
        """What the view knew right after event `n` of the tape."""
        return self.player.at(n)

    def describe(self) -> str:
        """What happened, in a sentence or two without times."""
        self._settle()
        return " ".join(s for s in self.player.describe() if s)

    def table(self) -> Table:
        """The same facts in rows."""
        self._settle()
        return self.player.table()

    def scene(self) -> Scene:
        """The picture as data."""
        self._settle()
        return self.player.scene()

    def svg(self, *, patterns: bool = True, theme: str = "") -> str:
        """The picture as one self-contained SVG; `theme` "light" or "dark" fixes its colours."""
        self._settle()
        return to_svg(self.player.scene(mode="paused"), patterns=patterns, theme=theme)

    def text(self) -> str:
        """`[name]`, the sentence and the table."""
        words, table = self.describe(), self.player.table().text()
        return f"[{self.name}] {words}" + (f"\n\n{table}" if table else "")

    def picture(self, *, patterns: bool = False) -> Picture:
        """A still of this moment for a cell's output: picture, sentence and table, no widget."""
        svg = self.svg(patterns=patterns)
        return Picture(self.name, self.text(), svg, page.note(self.player, self.player.tape.head))

    def film(self, *, patterns: bool = True) -> Picture:
        """A still of what happened last: a few moments side by side. Raises CommandError if there is none."""
        self._settle()
        made = strip(self.player)
        text = f"[{self.name}] {made.sentence}\n\n{made.table.text()}"
        return Picture(self.name, text, to_svg(made.scene, patterns=patterns))

    def dot(self) -> Graph:
        """The view as a graph in Graphviz's DOT language. Raises CommandError if it is none."""
        from natslab.errors import CommandError

        self._settle()
        source = self.player.dot()
        if source is None:
            graphs = [name for name in views.names() if hasattr(views.load(name), "dot")]
            hint = f"view.dot() works for {listed(graphs)}."
            raise CommandError(f"The {self.name} view is not a graph.", hint)
        return Graph(source)

    def widget(self) -> Stage:
        """The live view."""
        if self._stage is None:
            from natslab.views.widget import Stage

            self._stage = Stage(self.player, self._act, self._watched)
        return self._stage

    def frames(self, send: Callable[[dict[str, Any]], None]) -> Frames:
        """The live view for a stage that is no widget of a cell: what `send` takes goes to that stage."""
        made = Frames(self.player, send, self._act, self._watched)
        self._others.add(made)
        return made

    @property
    def stages(self) -> int:
        """How many stages show it live now."""
        own = [] if self._stage is None else [self._stage.frames]
        return sum(frames.open for frames in (*own, *self._others))

    def __repr__(self) -> str:
        return f"[{self.name}] the live view"

    def _repr_mimebundle_(self, **kwargs: Any) -> Any:
        bundle = self.widget()._repr_mimebundle_(**kwargs)
        data, meta = bundle if isinstance(bundle, tuple) else (bundle or {}, {})
        # A page without a kernel shows these words in place of the widget.
        return {**data, "text/plain": repr(self), **page.note(self.player)}, meta


class Picture:
    """A still of a view."""

    def __init__(self, name: str, text: str, svg: str, more: dict[str, Any] | None = None) -> None:
        self.name = name
        self.text = text
        self.svg = svg
        self._more = more or {}

    def __repr__(self) -> str:
        return self.text

    def _repr_mimebundle_(self, **_: Any) -> dict[str, Any]:
        return {"text/plain": self.text, "image/svg+xml": self.svg, **self._more}


class Graph(str):
    """DOT source; a cell draws it where Graphviz's `dot` is installed."""

    def _repr_svg_(self) -> str | None:
        import graphviz

        try:
            return str(graphviz.Source(str(self)).pipe(format="svg", encoding="utf-8"))
        except (graphviz.ExecutableNotFound, graphviz.CalledProcessError):
            return None
