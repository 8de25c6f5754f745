"""A Scene: what a view looks like now, as keyed marks and flights, in a closed vocabulary.

The browser's stage draws and animates any Scene by key; `to_svg` draws the same one as a still.
A mark's `key` names the entity, not the place (`srv/n1`, `msg/c/1/5@w1`), so that it can move.
`classes` come from the closed list below, which is also the list of selectors of
`static/stage.css`; colours live only there. Coordinates are pixels of a picture that is 900 wide, or
480 for a narrow place.

A scene's marks begin at y = 110, below its header and its words, and leave the foot free: header,
sentence, note and legend are added to them. In a narrow picture the words take more lines, and
upwards: it begins at y = -30, and the marks of a view stay where they are.
"""

from __future__ import annotations

import html
import pathlib
import re
import unicodedata
import zlib
from collections.abc import Iterable, Iterator, Sequence
from functools import cache, lru_cache
from typing import Any, Literal, TypeAlias

import msgspec

WIDTH = 900
NARROW = 480  # the width for a place that has less than 720 pixels
RISE = 30  # by how much a narrow picture begins higher: its words take two more lines
HEAD = 44  # height of the header
BUTTONS = 142  # room for the stage's buttons in a narrow header
FOOT, LINE = 44, 24  # height of the legend, and of each further line of it
STATIC = pathlib.Path(__file__).parent / "static"

#: State of a message or operation; nothing else has a colour. Sets the colour of fill/edge/on.
STATES = frozenset("stored flight done retry dead".split())
#: How we know; `seen` is the default and has no class.
PROVENANCE = frozenset("inferred bet stale open diff".split())
#: Neutral colours: inks, lines, and grounds. They set the colour of fill/edge like a state does.
NEUTRALS = frozenset("ink ink2 ink3 line hair ground floor panel panel2 raised odd even".split())
#: How the colour is used. fill: inside; edge: stroke; on: text that stands on a state's fill;
#: base-X: inside is ground X whatever the edge is; none: nothing inside.
PAINT = frozenset("fill edge on none base-ground base-floor base-panel base-panel2 base-raised".split())
#: Type.
TYPE = frozenset("t11 t12 t13 t14 t15 t16 t20 mono w5 w6 num middle end strike under".split())
#: Everything else. halo: a ground-coloured outline keeps it legible; way: a path a message takes;
#: ring: the selection; ghost: removed or not yet; wall: a cut wire; faint: 30 %; later: 50 %;
#: button: a click does the mark's first action; menu: a click shows its actions beside it;
#: card: a click selects the mark, and the picture itself draws what there is to say of it;
#: level: moves on evenly until the next frame.
ROLES = frozenset(
    "halo way ring ghost wall faint later shadow dash dots round button menu level card".split()
)
CLASSES = STATES | PROVENANCE | NEUTRALS | PAINT | TYPE | ROLES


class Action(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a click may do: the line that a learner would type for it."""

    line: str  # e.g. "natslab kill n2"
    label: str
    key: str = ""  # one letter that does it while the mark's menu is open
    sign: str = ""  # one character before the label in a menu
    cross: bool = False  # a line that a person draws across the mark does it too


class _Mark(msgspec.Struct, kw_only=True, omit_defaults=True, tag_field="kind"):
    key: str
    classes: str = ""
    title: str = ""  # a sentence: tooltip, aria-label, inspector
    state: dict[str, Any] = {}  # the few facts behind it; the table row is made from the same
    actions: list[Action] = []
    opacity: float = 1.0
    light: list[str] = []  # keys that light up together with this one on hover
    at: int = 0  # the event that it tells of: a click goes back there
    #: What became of it, for the inspector: (from, to, class, words) in tape seconds; a moment has from = to.
    life: list[tuple[float, float, str, str]] = []


class Rect(_Mark, tag="rect", kw_only=True, omit_defaults=True):
    """A rectangle; `r` rounds its corners, `width` is the stroke's."""

    x: float
    y: float
    w: float
    h: float
    r: float = 0
    width: float = 1
    dash: str = ""


class Circle(_Mark, tag="circle", kw_only=True, omit_defaults=True):
    """A circle around (x, y)."""

    x: float
    y: float
    r: float
    width: float = 1
    dash: str = ""


class Path(_Mark, tag="path", kw_only=True, omit_defaults=True):
    """An SVG path with absolute commands."""

    d: str
    width: float = 1
    dash: str = ""
    arrow: bool = False  # a head at its end, drawn only while paused and in stills


class Text(_Mark, tag="text", kw_only=True, omit_defaults=True):
    """One line of text at baseline (x, y), made of runs `(text, classes)`."""

    x: float
    y: float
    runs: list[tuple[str, str]]


class Group(_Mark, tag="group", kw_only=True, omit_defaults=True):
    """Marks that belong together: one focus, one title, moved together by (x, y)."""

    marks: list[Mark]
    x: float = 0
    y: float = 0


Mark: TypeAlias = Rect | Circle | Path | Text | Group


class Flight(msgspec.Struct, kw_only=True, omit_defaults=True):
    """A message travelling along the path `d`.

    `t0` and `t1` are its true times in tape seconds (`t1` None: still on its way). The stage animates
    it once when its key first appears: live in 250 to 600 ms, in a replay as slowly as that goes.
    Flights with the same `group` are one message: each starts after `delay` (0 to 1) of the group's
    duration. A still shows a dot at (x, y).
    """

    key: str
    d: str
    x: float
    y: float
    t0: float
    t1: float | None = None
    end: Literal["delivered", "lost", "refused", "late", "open"] = "delivered"
    stop: float = 1.0  # how far along the path a lost one came
    r: float = 8
    classes: str = "flight fill"
    title: str = ""
    label: str = ""  # short text drawn above the dot
    sign: str = ""  # one to three characters inside it
    delay: float = 0.0
    group: str = ""
    exact: bool = False  # it takes its true time, however long


class Legend(msgspec.Struct, frozen=True, omit_defaults=True):
    """One entry of the legend: the class it explains, the word, and how many marks there are."""

    classes: str
    glyph: Literal[
        "circle", "tick", "half", "square", "cross", "diamond", "line", "twin", "dashed", "ring", "triangle",
        "wall", "plus", "lost", "arc", "bar", "number", "box", "dot",
    ]  # fmt: skip
    word: str
    count: int | None = None
    title: str = ""  # the same in a sentence


class Burst(msgspec.Struct, frozen=True, omit_defaults=True):
    """Something that was over too soon to be seen: the stage offers to show it in slow motion."""

    key: str  # names it, e.g. "election/ORDERS/4"
    words: str  # e.g. "the election of term 4"
    first: int  # events of the tape
    last: int
    auto: bool = False  # it is worth being shown once without being asked for


class Scene(msgspec.Struct, kw_only=True, omit_defaults=True):
    """One picture of one view at one moment."""

    view: str
    title: str
    height: float  # where it ends: header included, legend excluded
    width: int = WIDTH  # or NARROW
    now: float = 0.0
    mode: str = "live"
    lab: str = "lab"
    servers: list[tuple[str, str]] = []  # (name, state) as at the shown time
    sources: str = ""  # "seen by the server's message trace"
    sentence: list[tuple[str, str]] = []  # runs of the headline; add no type classes but mono
    note: list[tuple[str, str]] = []  # runs of the second line
    marks: list[Mark] = []
    flights: list[Flight] = []
    legend: list[Legend] = []
    controls: list[Action] = []  # buttons under the picture, in the live stage only
    leads: str = ""  # the group whose leaders the scrubber shows as bands
    burst: Burst | None = None

    @property
    def top(self) -> float:
        """Where what is below the header begins."""
        return HEAD if self.width == WIDTH else HEAD - RISE


# --- text -----------------------------------------------------------------------------------

MONO_EM = 0.61
#: Widths in hundredths of an em in DejaVu Sans, the widest common face, by the characters that have them.
_WIDTHS = {
    28: "ijlI'J", 32: " ,.·’", 35: "-/\\:;|f", 40: "!()[]rt", 51: "`*_?s–\"", 59: "Fckvxyz", 61: "TYPaeo",
    64: "bdghnpquLES$ABCKRVXZ{}0123456789", 78: "DGHNOQU&", 84: "+<=>#~^×±≈→⇒w", 99: "mMW@%—…",
}  # fmt: skip
_EM = {c: n / 100 for n, cs in _WIDTHS.items() for c in cs} | dict.fromkeys("ABCKRVXZ", 0.7)
SLACK, BOLD, OTHER = 1.04, 1.16, 0.66


@lru_cache(maxsize=8192)
def text_width(text: str, classes: str) -> float:
    """Room to reserve for `text` in pixels, never too little in any common font."""
    names = classes.split()
    size = next((int(c[1:]) for c in names if re.fullmatch(r"t\d\d", c)), 13)
    text = text.replace("\u2068", "").replace("\u2069", "")  # marks of direction: nothing is drawn
    if "mono" in names:
        return size * sum(MONO_EM * (2 if _double(c) else 1) for c in text)
    em = sum(2 * OTHER if _double(c) else _EM.get(c, OTHER) for c in text)
    return size * em * SLACK * (BOLD if "w6" in names else 1)


def _double(c: str) -> bool:
    """Whether a character is as wide as two."""
    return c > "\u10ff" and (c == "�" or unicodedata.east_asian_width(c) in "WF")


def shorten(text: str, width: float, classes: str) -> str:
    """`text`, cut to fit `width` pixels with an ellipsis."""
    if text_width(text, classes) <= width:
        return text
    kept = text[: max(1, int(width / text_width("i", classes)))]
    while len(kept) > 1 and text_width(kept + "…", classes) > width:
        kept = kept[:-1]
    return kept + "…"


def label(key: str, x: float, y: float, text: str, classes: str = "", **more: Any) -> Text:
    """A text mark with one run; `classes` are those of the run."""
    return Text(key=key, x=round(x, 2), y=round(y, 2), runs=[(text, classes)], **more)


def wrapped(runs: Sequence[tuple[str, str]], width: float, most: int) -> list[list[tuple[str, str]]]:
    """Runs of text on at most so many lines; what does not fit ends with an ellipsis."""
    words = [(word, c) for text, c in runs for word in re.findall(r"\s*\S+|\s+$", text)]
    lines: list[list[tuple[str, str]]] = [[]]
    room = width
    for i, (word, c) in enumerate(words):
        wide = text_width(word, c)
        if wide > room and lines[-1] and word[:1].isspace() and len(lines) < most:
            text, own = lines[-1][-1]
            lines[-1][-1] = (text + " ", own)
            lines.append([])
            word = word.lstrip()
            room, wide = width, text_width(word, c)
        if wide > room:
            rest = word + "".join(w for w, _ in words[i + 1 :])
            lines[-1] = _cut([*lines[-1], (shorten(rest, width, c).removesuffix("…"), c)], width)
            break
        room -= wide
        if lines[-1] and lines[-1][-1][1] == c:
            word = lines[-1].pop()[0] + word
        lines[-1].append((word, c))
    return lines


def _cut(line: list[tuple[str, str]], width: float) -> list[tuple[str, str]]:
    """A line that is too long, with an ellipsis at its end."""
    while len(line) > 1 or len(line[0][0]) > 1:
        text, c = line.pop()
        tried = [*line, (f"{text}…", c)]
        if text and sum(text_width(t, k) for t, k in tried) <= width:
            return tried
        if text[:-1]:
            line.append((text[:-1], c))
    return [("…", line[0][1])]


def _stacked(scene: Scene) -> list[Mark]:
    """The words of a narrow scene: at most two lines each."""
    room = scene.width - 48
    said = wrapped(
        [(t, f"{'t14 w6' if 'mono' in c else 't15 w5'} {c}".strip()) for t, c in scene.sentence], room, 2
    )
    more = wrapped([(t, f"t12 ink2 {c}".strip()) for t, c in scene.note], room, 2)
    lines = [("sentence", line, 20) for line in said if line]
    lines += [("note", line, 17 if i else 21) for i, line in enumerate(more) if line]
    y = HEAD - RISE + 28.0
    marks: dict[str, list[Mark]] = {}
    for i, (key, runs, pitch) in enumerate(lines):
        y += pitch if i else 0
        held = marks.setdefault(key, [])
        held.append(Text(key=f"{key}/{len(held)}", x=24, y=y, runs=runs))
    low = max(0.0, (HEAD - RISE + 86 - y) / 2)  # fewer lines stand in the middle of their room
    return [Group(key=key, marks=held, y=min(low, 14)) for key, held in marks.items()]


def headline(scene: Scene) -> list[Mark]:
    """The sentence and the note of a scene as marks."""
    if scene.width != WIDTH:
        return _stacked(scene)
    marks: list[Mark] = []
    base = 76 if scene.note else 84  # one line alone stands in the middle of the room for two
    if scene.sentence:
        runs = [(t, ("t15 w6 " if "mono" in c else "t16 w5 ") + c) for t, c in scene.sentence]
        marks.append(Text(key="sentence", x=24, y=base, runs=[(t, c.strip()) for t, c in runs]))
    if scene.note:
        runs = [(t, ("t12 ink2 " if "mono" in c else "t13 ink2 ") + c) for t, c in scene.note]
        marks.append(Text(key="note", x=24, y=99, runs=[(t, c.strip()) for t, c in runs]))
    return marks


def header(scene: Scene) -> list[Mark]:
    """Name, servers and sources of a scene as marks; the stage adds its buttons at the right."""
    marks: list[Mark] = [label("head/name", 24, 28, scene.title, "t14 w6")]
    x = 24 + text_width(scene.title, "t14 w6") + 14
    for name, state in scene.servers[:9]:
        sign: list[Mark]
        if state in ("up", "lame duck"):
            sign = [Circle(key=f"head/sign/{name}", x=x, y=23.5, r=4, classes="fill ink2")]
        elif state == "frozen":
            sign = [
                Path(key=f"head/sign/{name}", d=f"M{x - 2.5:g} 19.5V27.5M{x + 2.5:g} 19.5V27.5",
                     classes="edge ink2", width=2.5)
            ]  # fmt: skip
        elif state == "starting":
            sign = [Circle(key=f"head/sign/{name}", x=x, y=23.5, r=3.5, classes="edge ink2 none", width=1.5)]
        else:
            sign = [
                Path(key=f"head/sign/{name}", width=2, classes="edge ink2",
                     d=f"M{x - 3.5:g} 20L{x + 3.5:g} 27M{x - 3.5:g} 27L{x + 3.5:g} 20")
            ]  # fmt: skip
        marks.append(Group(key=f"head/{name}", marks=sign, title=f"Server {name} is {state}."))
        x += 13
    n = len(scene.servers)
    words = f"{scene.lab} · {n} server{'s' if n != 1 else ''}" if n else f"{scene.lab} · no server"
    room = scene.width - BUTTONS - x
    if scene.width != WIDTH:
        words = shorten(words, room, "t12")
    marks.append(label("head/lab", x, 28, words, "t12 ink2"))
    x += text_width(words, "t12") + 18
    if scene.sources and scene.width != WIDTH:
        # Only an eye, which says it to who points at it.
        if x + 14 <= scene.width - BUTTONS:
            title = f"{scene.sources[:1].upper()}{scene.sources[1:]}."
            marks.append(Group(key="head/sources", marks=_eye(x), title=title))
    elif scene.sources:
        marks += [*_eye(x), label("head/sources", x + 21, 28, scene.sources, "t12 ink3")]
    return marks


def _eye(x: float) -> list[Mark]:
    return [
        Path(key="head/eye", classes="edge ink3 none",
             d=f"M{x:g} 23.8C{x + 3.5:g} 18.2 {x + 10.5:g} 18.2 {x + 14:g} 23.8"
               f"C{x + 10.5:g} 29.4 {x + 3.5:g} 29.4 {x:g} 23.8Z"),
        Circle(key="head/pupil", x=x + 7, y=23.8, r=1.9, classes="fill ink3"),
    ]  # fmt: skip


def legend_marks(scene: Scene) -> list[Mark]:
    """The legend of a scene as marks in a strip whose top is y = 0, on as many lines as it takes."""
    if not scene.legend:
        return []
    marks: list[Mark] = [Path(key="legend/line", d=f"M24 0.5H{scene.width - 24}", classes="edge hair")]
    x, y = 24.0, 0
    for item in scene.legend:
        key, c = f"legend/{item.word}", item.classes
        words = [(item.word, "t12")]
        if item.count is not None:
            count = f"{item.count:,}".replace(",", " ") if item.count >= 10_000 else str(item.count)
            words.append((f" {count}", "t12 ink3 num"))
        wide = sum(text_width(t, k) for t, k in words)
        if x > 24 and x + 20 + wide > scene.width - 24:
            x, y = 24.0, y + LINE
        glyph: Mark
        sign: list[Mark] = []  # on the glyph
        if item.glyph in ("circle", "tick"):
            glyph = Circle(key=key + "/g", x=x + 7, y=22, r=6, classes=c)
        elif item.glyph == "half":
            glyph = Circle(
                key=key + "/g", x=x + 7, y=22, r=6, classes=c.replace("fill", "edge none"), width=1.5
            )
            sign = [Path(key=key + "/s", d=f"M{x + 1:g} 22H{x + 13:g}A6 6 0 0 1 {x + 1:g} 22Z", classes=c)]
        elif item.glyph in ("ring", "plus"):
            glyph = Circle(key=key + "/g", x=x + 7, y=22, r=5.5, classes=c, width=1.5)
            if item.glyph == "plus":
                d = f"M{x + 4.2:g} 22H{x + 9.8:g}M{x + 7:g} 19.2V24.8"
                sign = [Path(key=key + "/s", d=d, width=1.5, classes="edge ink none")]
        elif item.glyph == "arc":
            d = f"M{x + 7:g} 16A6 6 0 0 1 {x + 12.2:g} 25"
            glyph = Path(key=key + "/g", d=d, classes=c, width=3)
            d = f"M{x + 12.2:g} 25A6 6 0 1 1 {x + 7:g} 16"
            sign = [
                Path(key=key + "/rest", d=d, classes="edge ink none", width=3, opacity=0.2),
                Path(key=key + "/tick", d=f"M{x + 10:g} 23.7L{x + 14.4:g} 26.3", classes="edge ink none"),
            ]
        elif item.glyph == "bar":
            glyph = Rect(key=key + "/g", x=x, y=17, w=9, h=10, r=2, classes=c)
            sign = [Path(key=key + "/s", d=f"M{x + 12:g} 14.5V29.5", width=2, classes="edge ink none")]
        elif item.glyph == "number":
            glyph = Circle(key=key + "/g", x=x + 7, y=22, r=6.5, classes=c)
            d = f"M{x + 5.2:g} 20.4L{x + 7.3:g} 18.9V25.4"
            sign = [Path(key=key + "/s", d=d, width=1.4, classes="edge ground round none")]
        elif item.glyph == "box":
            d = f"M{x + 13:g} 16H{x + 3:g}A2 2 0 0 0 {x + 1:g} 18V26A2 2 0 0 0 {x + 3:g} 28H{x + 13:g}"
            glyph = Path(key=key + "/g", d=d, width=1.5, classes=c)
            d = f"M{x + 5.3:g} 20.3A2.1 2.1 0 1 1 {x + 7.4:g} 22.3V23.3M{x + 7.4:g} 25.4V25.6"
            sign = [Path(key=key + "/s", d=d, width=1.4, classes="edge ink round none")]
        elif item.glyph == "dot":
            glyph = Circle(key=key + "/g", x=x + 7, y=22, r=2.5, classes=c)
        elif item.glyph == "lost":
            d = f"M{x + 3:g} 18L{x + 11:g} 26M{x + 11:g} 18L{x + 3:g} 26"
            glyph = Path(key=key + "/g", d=d, width=2, classes=c)
        elif item.glyph in ("square", "cross"):
            glyph = Rect(key=key + "/g", x=x + 1, y=16, w=12, h=12, r=2.5, classes=c)
        elif item.glyph == "triangle":
            glyph = Path(key=key + "/g", d=f"M{x + 7:g} 16L{x + 13:g} 27.5H{x + 1:g}Z", classes=c)
        elif item.glyph == "diamond":
            glyph = Path(key=key + "/g", d=f"M{x + 7:g} 15L{x + 14:g} 22L{x + 7:g} 29L{x:g} 22Z", classes=c)
        elif item.glyph == "wall":
            glyph = Path(key=key + "/g", d=f"M{x + 7:g} 12.5V31.5", classes=c)
        elif item.glyph == "twin":
            glyph = Path(key=key + "/g", d=f"M{x + 2:g} 19.5H{x + 12:g}M{x + 2:g} 24.5H{x + 12:g}", classes=c,
                         width=2)  # fmt: skip
        else:
            glyph = Path(key=key + "/g", d=f"M{x:g} 22H{x + 14:g}", classes=c, width=2.5,
                         dash="4 3" if item.glyph == "dashed" else "")  # fmt: skip
        if item.glyph in ("tick", "cross"):
            d = f"M{x + 4:g} 22.2L{x + 6.2:g} 24.4L{x + 10:g} 19.8"
            if item.glyph == "cross":
                d = f"M{x + 4.6:g} 19.6L{x + 9.4:g} 24.4M{x + 9.4:g} 19.6L{x + 4.6:g} 24.4"
            sign = [Path(key=key + "/s", d=d, width=1.5, classes="edge ground round none")]
        text = Text(key=key + "/t", x=x + 20, y=26.5, runs=words)
        marks.append(Group(key=key, marks=[glyph, *sign, text], y=y, title=item.title))
        x += 20 + wide + 24
    return marks


def foot(legend: Sequence[Mark]) -> float:
    """The height of a legend."""
    return FOOT + max((m.y for m in legend if isinstance(m, Group)), default=0)


# --- the still ------------------------------------------------------------------------------


def walk(marks: Iterable[Mark]) -> Iterator[Mark]:
    """All marks, depth first, groups before what they hold."""
    for mark in marks:
        yield mark
        if isinstance(mark, Group):
            yield from walk(mark.marks)


def unknown_classes(scene: Scene) -> set[str]:
    """Classes used by the scene that the vocabulary does not have."""
    used: set[str] = set()
    for mark in walk([*header(scene), *headline(scene), *scene.marks, *legend_marks(scene)]):
        used.update(mark.classes.split())
        if isinstance(mark, Text):
            for _, classes in mark.runs:
                used.update(classes.split())
    for flight in scene.flights:
        used.update(flight.classes.split())
    return used - CLASSES


@cache
def stylesheet() -> str:
    """The one stylesheet, without comments."""
    css = (STATIC / "stage.css").read_text(encoding="utf-8")
    return re.sub(r"\n+", "\n", re.sub(r"(?s)/\*.*?\*/", "", css)).strip()


def to_svg(scene: Scene, *, patterns: bool = False, theme: str = "") -> str:
    """The scene as one self-contained SVG picture; equal scenes give equal bytes.

    `patterns` adds a texture to each state beside its colour. `theme` "light" or "dark" fixes
    the colours; otherwise the reader's preference decides.
    """
    entries = legend_marks(scene)
    rise = HEAD - scene.top
    height = scene.height + (foot(entries) if entries else 12)
    names = " ".join(c for c in ("natslab", theme, "patterns" if patterns else "") if c)
    plain = "".join(t for t, _ in scene.sentence)
    note = "".join(t for t, _ in scene.note)
    above = "".join(_mark(mark) for mark in header(scene))
    body = [f'<g transform="translate(0 {_n(-rise)})">{above}</g>' if rise else above]
    body += [_mark(mark) for mark in (*headline(scene), *scene.marks)]
    for i, flight in enumerate(scene.flights):
        if not any(_covers(other, flight) for other in scene.flights[i + 1 :]):
            body.append(_still_flight(flight))
    if entries:
        inner = "".join(_mark(m) for m in entries)
        body.append(f'<g transform="translate(0 {_n(scene.height)})">{inner}</g>')
    drawn = "".join(body)
    # A page may hold many pictures, and one that is hidden hides its textures from all.
    own = f"natslab-{zlib.crc32(drawn.encode()):08x}"
    told = "max-width:100%;height:auto;" + "".join(f"--texture-{s}:url(#{own}-{s});" for s in _TEXTURES)
    return (
        f'<svg class="{names}" data-view="{_esc(scene.view)}" xmlns="http://www.w3.org/2000/svg" '
        f'viewBox="0 {_n(-rise)} {scene.width} {_n(height + rise)}" width="{scene.width}" '
        f'height="{_n(height + rise)}" role="img" '
        f'aria-label="{_esc(f"{scene.title}: {plain} {note}".strip())}" style="{told}">'
        f"<title>{_esc(scene.title)}: {_esc(plain)}</title>"
        f"<style>{stylesheet()}</style>"
        f"{textures(own)}"
        f'<rect class="fill ground" height="{_n(height + rise)}" width="{scene.width}"'
        f"{f' y={chr(34)}{_n(-rise)}{chr(34)}' if rise else ''}/>{drawn}</svg>"
    )


def _esc(text: str) -> str:
    # XML knows no control characters, however they are written.
    clean = "".join(c if c in "\t\n" or c >= " " else "�" for c in text)
    return html.escape(clean.encode("utf-8", "replace").decode("utf-8"), quote=True)


def _n(value: float) -> str:
    text = f"{value:.2f}".rstrip("0").rstrip(".")
    return "0" if text == "-0" else text


_TEXTURES = {
    "flight": '<path d="M0 3H6" class="edge ground" stroke-width="1.2"/>',
    "retry": '<path d="M-1 7L7 -1M-1 1L1 -1M5 7L7 5" class="edge ground" stroke-width="1.2"/>',
    "dead": '<path d="M0 0L6 6M6 0L0 6" class="edge ground" stroke-width="1"/>',
}


def textures(own: str) -> str:
    """The texture of each state that has one, under ids that begin with `own`."""
    out = "".join(
        f'<pattern id="{own}-{s}" width="6" height="6" patternUnits="userSpaceOnUse">'
        f'<rect width="6" height="6" class="fill {s}"/>{d}</pattern>'
        for s, d in _TEXTURES.items()
    )
    return f"<defs>{out}</defs>"


def _attrs(mark: _Mark, extra: dict[str, str]) -> str:
    given = {"class": mark.classes, "data-key": mark.key, **extra}
    if mark.opacity != 1.0:
        given["opacity"] = _n(mark.opacity)
    return "".join(f' {k}="{_esc(v)}"' for k, v in sorted(given.items()) if v)


def _mark(mark: Mark) -> str:
    title = f"<title>{_esc(mark.title)}</title>" if mark.title else ""
    if isinstance(mark, Group):
        move = f"translate({_n(mark.x)} {_n(mark.y)})" if mark.x or mark.y else ""
        inner = "".join(_mark(m) for m in mark.marks)
        return f"<g{_attrs(mark, {'transform': move})}>{title}{inner}</g>"
    if isinstance(mark, Text):
        runs = "".join(
            f'<tspan class="{_esc(c)}">{_esc(t)}</tspan>' if c else f"<tspan>{_esc(t)}</tspan>"
            for t, c in mark.runs
        )
        # Anchors belong to the text element; a run's classes say where the line is anchored.
        place = {"x": _n(mark.x), "y": _n(mark.y), "class": text_classes(mark), "xml:space": "preserve"}
        return f"<text{_attrs(mark, place)}>{title}{runs}</text>"
    stroke = {"stroke-width": _n(mark.width) if mark.width != 1 else "", "stroke-dasharray": mark.dash}
    if isinstance(mark, Rect):
        shape = {"x": _n(mark.x), "y": _n(mark.y), "width": _n(mark.w), "height": _n(mark.h)}
        if mark.r:
            shape["rx"] = _n(mark.r)
        # A zero is a value here, not an absence.
        return f"<rect{_attrs(mark, {**shape, **stroke})}>{title}</rect>"
    if isinstance(mark, Circle):
        shape = {"cx": _n(mark.x), "cy": _n(mark.y), "r": _n(mark.r)}
        return f"<circle{_attrs(mark, {**shape, **stroke})}>{title}</circle>"
    head = (
        f'<path class="{_esc(mark.classes)}" d="{arrow_head(mark.d)}" stroke-width="{_n(mark.width)}"/>'
        if mark.arrow
        else ""
    )
    return f"<path{_attrs(mark, {'d': mark.d, **stroke})}>{title}</path>{head}"


def text_classes(mark: Text) -> str:
    """Classes of the text element: its own, and the anchor that its first run asks for."""
    anchor = {"middle", "end"} & set((mark.runs[0][1] if mark.runs else "").split())
    return " ".join([*mark.classes.split(), *sorted(anchor)])


def arrow_head(d: str) -> str:
    """An open arrow head at the end of a path whose last two points are absolute."""
    points = path_points(d)
    if len(points) < 2:
        return ""
    (x0, y0), (x1, y1) = points[-2], points[-1]
    dx, dy = x1 - x0, y1 - y0
    length = (dx * dx + dy * dy) ** 0.5 or 1.0
    ux, uy = dx / length, dy / length
    left = (x1 - 8 * ux - 4.5 * uy, y1 - 8 * uy + 4.5 * ux)
    right = (x1 - 8 * ux + 4.5 * uy, y1 - 8 * uy - 4.5 * ux)
    return f"M{_n(left[0])} {_n(left[1])}L{_n(x1)} {_n(y1)}L{_n(right[0])} {_n(right[1])}"


def path_points(d: str) -> list[tuple[float, float]]:
    """The points of a path with absolute commands (M L H V A C); a curve's are its ends."""
    points: list[tuple[float, float]] = []
    x = y = 0.0
    for command, rest in re.findall(r"([MLHVACZ])([^MLHVACZ]*)", d):
        v = [float(s) for s in re.findall(r"-?\d+\.?\d*", rest)]
        if command in "ML":
            for i in range(0, len(v) - 1, 2):
                x, y = v[i], v[i + 1]
                points.append((x, y))
        elif command == "H" and v:
            x = v[-1]
            points.append((x, y))
        elif command == "V" and v:
            y = v[-1]
            points.append((x, y))
        elif command in "AC" and len(v) >= 2:
            x, y = v[-2], v[-1]
            points.append((x, y))
    return points


def _covers(over: Flight, under: Flight) -> bool:
    """Whether nothing is seen of a flight at rest under a later one."""
    return (over.x, over.y) == (under.x, under.y) and over.r >= under.r and not under.label


def _still_flight(flight: Flight) -> str:
    title = f"<title>{_esc(flight.title)}</title>" if flight.title else ""
    place = f'cx="{_n(flight.x)}" cy="{_n(flight.y)}" r="{_n(flight.r)}"'
    body = f'<circle class="halo {_esc(flight.classes)}" {place}/>'
    if "edge" in flight.classes.split():
        # Its own outline would be hidden by the halo's.
        own = f'<circle class="{_esc(flight.classes)}" stroke-width="1.75" {place}/>'
        body = f'<circle class="halo fill ground" {place}/>{own}'
    if flight.sign:
        body += (
            f'<text class="middle" x="{_n(flight.x)}" y="{_n(flight.y + 4)}">'
            f'<tspan class="{sign_classes(flight)}">{_esc(flight.sign)}</tspan></text>'
        )
    if flight.label:
        body += (
            f'<text class="middle" x="{_n(flight.x)}" y="{_n(flight.y - flight.r - 7)}">'
            f'<tspan class="t11 w6">{_esc(flight.label)}</tspan></text>'
        )
    return f'<g data-key="{_esc(flight.key)}">{title}{body}</g>'


def sign_classes(flight: Flight) -> str:
    """Classes of the text inside a dot: legible on what fills it."""
    names = flight.classes.split()
    state = next((c for c in names if c in STATES), "")
    return f"t11 w6 on {state}".strip() if "fill" in names and state else "t13 w6"


def points_path(points: Sequence[tuple[float, float]], r: float = 10) -> str:
    """An SVG path through `points` with horizontal and vertical legs and round corners."""
    if len(points) < 2:
        return ""
    out = [f"M{_n(points[0][0])} {_n(points[0][1])}"]
    for i in range(1, len(points)):
        x, y = points[i]
        if i + 1 < len(points):
            px, py = points[i - 1]
            nx, ny = points[i + 1]
            a = abs(x - px) + abs(y - py)
            b = abs(nx - x) + abs(ny - y)
            turn = (x - px) * (ny - y) - (y - py) * (nx - x)
            rr = min(r, a / 2 if i > 1 else a, b / 2 if i + 2 < len(points) else b)
            if rr > 0.1 and abs(turn) > 0.01:
                ix, iy = x - _sign(x - px) * rr, y - _sign(y - py) * rr
                ox, oy = x + _sign(nx - x) * rr, y + _sign(ny - y) * rr
                out.append(f"L{_n(ix)} {_n(iy)}")
                out.append(f"A{_n(rr)} {_n(rr)} 0 0 {1 if turn > 0 else 0} {_n(ox)} {_n(oy)}")
                continue
        out.append(f"L{_n(x)} {_n(y)}")
    return "".join(out)


def _sign(value: float) -> int:
    return (value > 0) - (value < 0)
