"""What stands where in the routing picture: the tree of subscribed patterns and its rows.

Places depend on who subscribes and not on the shown message, so that a row never moves."""

from __future__ import annotations

from dataclasses import dataclass, field

from natslab.tape.subject import tokens
from natslab.views.layout import Point, columns
from natslab.views.routing.mapping import CARD_R, card_height
from natslab.views.routing.state import State, by_name
from natslab.views.routing.verdicts import Shown, Verdict
from natslab.views.scene import NARROW, WIDTH
from natslab.views.wording import wide

ROWS = 14  # subscriptions drawn singly; of more, the busiest twelve
TOP = 116.5
PITCH = 46  # of rows with two lines
MEMBER = 24  # of rows with one line


@dataclass(frozen=True)
class Places:
    """What stands where, from left to right."""

    pub: float  # ports of the publishers
    box: float  # the server, from here
    box_r: float  # to there
    pad: float  # from its side to the first way
    tree: float  # right edge of the last column
    fan: float  # trunk of several plain subscriptions to one pattern
    port: float  # of the rows
    text: float  # of the rows
    hull: float  # trunk inside a queue group
    member: float  # ports of its members
    member_text: float
    right: float  # where everything ends


WIDE = Places(129.0, 148.5, 616.5, 38.0, 590.0, 624.0, 652.0, 668.0, 678.0, 702.0, 715.0, 876.0)
SLIM = Places(84.0, 94.5, 314.5, 30.0, 294.0, 318.0, 330.0, 342.0, 343.0, 355.0, 365.0, NARROW - 24.0)


@dataclass
class Leaf:
    """One pattern with one queue group (or none), and its subscriptions at the right."""

    pattern: str
    queue: str
    verdicts: list[Verdict]
    more: list[Verdict] = field(default_factory=list)  # counted in one line
    top: float = 0.0
    height: float = 0.0
    y: float = 0.0  # of its port
    taken: bool = False
    lights: list[str] = field(default_factory=list)
    points: list[Point] = field(default_factory=list)  # from the entry to its port

    @property
    def key(self) -> str:
        """The key of its hull, or the stem of its marks."""
        return f"queue/{self.pattern}/{self.queue}" if self.queue else f"leaf/{self.pattern}"

    @property
    def lines(self) -> int:
        """Lines at the right, the one that counts included."""
        return len(self.verdicts) + bool(self.more)

    @property
    def size(self) -> int:
        """Subscriptions."""
        return len(self.verdicts) + len(self.more)

    def line_y(self, i: int) -> float:
        """Middle of its i-th line."""
        if self.queue:
            return self.top + 64 + MEMBER * i
        if self.lines == 1:
            return self.y
        return self.top + 33 + MEMBER * i


@dataclass
class Node:
    """One pill: a token, or several that nothing branches between."""

    prefix: list[str]
    text: str
    kind: str  # literal star rest root
    col: int
    nodes: dict[str, Node] = field(default_factory=dict)
    leaves: list[Leaf] = field(default_factory=list)
    y: float = 0.0
    left: float = 0.0
    right: float = 0.0
    walked: bool = False  # the subject fits so far
    taken: bool = False  # the message went this way

    @property
    def key(self) -> str:
        """The key of its pill."""
        return f"node/{'.'.join(self.prefix)}"

    def sorted_nodes(self) -> list[Node]:
        """What follows: literal tokens, then `*`, then `>`."""
        ranks = {"literal": 0, "star": 1, "rest": 2}
        return sorted(self.nodes.values(), key=lambda n: (ranks[n.kind], n.text))

    def all_leaves(self) -> list[Leaf]:
        """Every leaf from here on, in the order of the rows."""
        return self.leaves + [leaf for n in self.sorted_nodes() for leaf in n.all_leaves()]


@dataclass
class Plan:
    """Where everything stands."""

    at: Places
    root: Node
    leaves: list[Leaf]
    rest: list[Verdict]  # subscriptions whose pattern is not drawn
    rest_y: float
    lefts: list[float]
    widths: list[float]
    groups: list[tuple[int, int]]
    gap: float
    entry: float  # x of the trunk where all ways into the tree begin
    card: bool
    card_h: float
    low: bool  # the subject stands on a line of its own
    bottom: float  # of the rows
    keys: dict[str, str]  # subscription -> mark that shows or counts it
    gate: float = 0.0  # where the shown message comes to that trunk

    def into(self, y: float, taken: bool) -> list[Point]:
        """From the entry to the height `y`; a way that was taken begins where the message came in."""
        if taken:
            return [(self.entry - 10, self.gate), (self.entry, self.gate), (self.entry, y)]
        return [(self.entry, self.root.y), (self.entry, y)]


def plan_of(state: State, shown: Shown) -> Plan:
    """Give everything its place."""
    verdicts = sorted(shown.verdicts, key=lambda v: by_name(v.sub))
    if len(verdicts) > ROWS:
        ranked = sorted(verdicts, key=lambda v: (-v.sub.received, *by_name(v.sub)))
        drawn = {v.sub.key for v in ranked[: ROWS - 2]}
    else:
        drawn = {v.sub.key for v in verdicts}
    by_leaf: dict[tuple[str, str], Leaf] = {}
    for v in verdicts:
        if v.sub.key in drawn:
            leaf = by_leaf.setdefault((v.sub.subject, v.sub.queue), Leaf(v.sub.subject, v.sub.queue, []))
            leaf.verdicts.append(v)
    rest: list[Verdict] = []
    for v in verdicts:
        if v.sub.key not in drawn:
            home = by_leaf.get((v.sub.subject, v.sub.queue))
            (home.more if home is not None else rest).append(v)
    keys = {v.sub.key: v.sub.key for v in verdicts}
    keys.update((v.sub.key, "sub/more") for v in rest)
    for leaf in by_leaf.values():
        if len(leaf.more) == 1:
            # A line that says "×1 more" takes as much room as the subscription itself.
            leaf.verdicts = sorted([*leaf.verdicts, *leaf.more], key=lambda v: by_name(v.sub))
            leaf.more = []
        keys.update((v.sub.key, f"{leaf.key}/more") for v in leaf.more)

    lost = shown.message is not None and shown.message.outcome in ("refused", "lost")
    given = (
        tokens(shown.message.published_as if lost and shown.message else shown.subject)
        if shown.subject
        else []
    )
    deep = max([len(tokens(m.subject)) for m in state.messages] + [len(given), 1])
    patterns = [tokens(p) for p, _ in by_leaf]
    depth = max([len(p) for p in patterns] + [deep])
    card = any(state.rules.values()) or bool(state.branches)
    # A mapping's card has no room in a narrow picture.
    at = WIDE if card or state.width == WIDTH else SLIM
    left = CARD_R + 23 if card else at.box + at.pad
    room = at.tree - left
    groups = _groups([*patterns, *([given] if given else [])], depth, max(1, int((room + 16) // 60)))
    wants = []
    for a, b in groups:
        texts = [".".join(p[a:b]) for p in patterns if len(p) > a and p[a] != ">"]
        pill = max([wide(t, "t12 mono") + 22 for t in texts] or [0.0])
        token = wide(".".join(given[a:b]), "t14 mono") if len(given) > a else 0.0
        wants.append(min(150.0, max(50.0, pill, min(token, 96.0))))
    widths, gap = columns(wants, room, (16.0, 44.0))
    lefts: list[float] = []
    x = at.tree + gap
    for w in reversed(widths):
        x -= gap + w
        lefts.insert(0, x)
    entry = lefts[0] - min(14.0, gap / 2)

    root = Node([], "", "root", -1)
    for leaf in by_leaf.values():
        node = root
        parts = tokens(leaf.pattern)
        for col, (a, b) in enumerate(groups):
            part = parts[a:b]
            if not part:
                break
            text = ".".join(part)
            kind = "rest" if part[-1] == ">" and b >= len(parts) else "star" if "*" in part else "literal"
            if text not in node.nodes:
                node.nodes[text] = Node(parts[:b], text, kind, col)
            node = node.nodes[text]
        node.leaves.append(leaf)

    low = lefts[0] - 14 < at.box + 120
    card_h = card_height(state, shown) if card else 0.0
    top = (194.0 if low else 180.0) + 4
    leaves = _stack(root, top)
    for node in walk(root):
        _place(node, at.tree, lefts, widths)
        node.walked = bool(given) and not lost and _walks(node.prefix, given)
    _height(root)
    if card and root.y - card_h / 2 < top - 2:
        down = top - 2 - (root.y - card_h / 2)
        leaves = _stack(root, top + down)
        _height(root)
    bottom = max([leaf.top + leaf.height for leaf in leaves] + [top + PITCH])
    rest_y = 0.0
    if rest:
        rest_y = bottom + 20
        bottom = rest_y + 22
    if not leaves:
        root.y = top + 60
        bottom = top + 120
    if card:
        bottom = max(bottom, root.y + card_h / 2 + 6)
    plan = Plan(
        at, root, leaves, rest, rest_y, lefts, widths, groups, gap, entry, card, card_h, low, bottom, keys
    )
    plan.gate = root.y
    _routes(plan)
    return plan


def _groups(patterns: list[list[str]], depth: int, most: int) -> list[tuple[int, int]]:
    """Columns as ranges of tokens: single ones, or where there are too many, merged where least branches."""
    groups = [(i, i + 1) for i in range(depth)]
    sizes = [len({tuple(p[:d]) for p in patterns if len(p) >= d}) for d in range(depth + 1)]
    while len(groups) > most:
        i = min(
            range(len(groups) - 1),
            key=lambda i: (sizes[groups[i + 1][1]] - sizes[groups[i][1]], groups[i + 1][1] - groups[i][0], i),
        )
        groups[i : i + 2] = [(groups[i][0], groups[i + 1][1])]
    return groups


def _walks(prefix: list[str], given: list[str]) -> bool:
    if prefix and prefix[-1] == ">":
        return len(given) >= len(prefix) and _walks(prefix[:-1], given)
    return len(given) >= len(prefix) and all(p in ("*", g) for p, g in zip(prefix, given, strict=False))


def walk(node: Node) -> list[Node]:
    """A node and all below it, in the order of the rows."""
    return [node, *(n for child in node.sorted_nodes() for n in walk(child))]


def _place(node: Node, right: float, lefts: list[float], widths: list[float]) -> None:
    if node.kind == "root":
        return
    node.left = lefts[node.col]
    node.right = right if node.kind == "rest" else node.left + widths[node.col]


def _stack(root: Node, top: float) -> list[Leaf]:
    """Give every leaf its rows, one under the other in the order of the tree."""
    for node in walk(root):
        node.leaves.sort(key=lambda leaf: leaf.queue)
    y = top
    before = ""
    for leaf in root.all_leaves():
        if leaf.queue:
            leaf.top = y + (6 if before else 2)
            leaf.height = 52 + MEMBER * leaf.lines + 6
            y = leaf.top + leaf.height + 8
        elif leaf.lines == 1:
            leaf.top, leaf.height = y, PITCH
            y += PITCH
        else:
            leaf.top = y + (4 if before == "fan" else 0)
            leaf.height = 20 + MEMBER * leaf.lines + 8
            y = leaf.top + leaf.height
        before = "queue" if leaf.queue else "row" if leaf.lines == 1 else "fan"
        leaf.y = leaf.top + PITCH / 2
        if leaf.queue or leaf.lines > 1:
            leaf.y = (leaf.line_y(0) + leaf.line_y(leaf.lines - 1)) / 2
    return root.all_leaves()


def _height(node: Node) -> None:
    """A pill stands at the height of its heaviest branch, so that places depend only on who subscribes."""
    branches: list[tuple[int, float]] = [(leaf.size, leaf.y) for leaf in node.leaves]
    for child in node.sorted_nodes():
        _height(child)
        branches.append((sum(leaf.size for leaf in child.all_leaves()), child.y))
    if branches:
        middle = (branches[0][1] + branches[-1][1]) / 2
        node.y = min(branches, key=lambda b: (-b[0], abs(b[1] - middle), b[1]))[1]


def _routes(plan: Plan) -> None:
    """The way of each leaf from the entry to its port, and which pills lie on a way that was taken."""

    def go(node: Node, points: list[Point], lights: list[str]) -> bool:
        x = plan.entry if node.kind == "root" else node.right + half_gap(plan, node)
        for leaf in node.leaves:
            leaf.points = [*points, (x, node.y), (x, leaf.y), (plan.at.port, leaf.y)]
            leaf.lights = [*lights, f"way/{leaf.key}"]
            leaf.taken = any(v.got for v in (*leaf.verdicts, *leaf.more))
        taken = any(leaf.taken for leaf in node.leaves)
        for child in node.sorted_nodes():
            way = [*points, (x, node.y), (x, child.y), (child.right, child.y)]
            taken = go(child, way, [*lights, f"way/{child.key}", child.key]) or taken
        node.taken = taken
        return taken

    go(plan.root, [(plan.entry, plan.root.y)], [])


def half_gap(plan: Plan, node: Node) -> float:
    """How far right of a pill its trunk stands."""
    return 14.0 if node.right >= plan.at.tree - 0.01 else plan.gap / 2
