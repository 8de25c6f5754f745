"""What stands where in the requests picture: which requests are drawn, and time as height."""

from __future__ import annotations

from collections import Counter

import msgspec

from natslab.views.requests.state import Request, State

DRAWN = 4  # requests in full height
OLDER = 4  # kinds of older ones with a line of their own
MS = 46.0  # pixels for a millisecond
HOP = 12.0  # pixels of a hop at least
IDLE = 0.002  # seconds without a hop that are not drawn to scale
BREAK = 54.0  # pixels for them
APART = 24.0  # between two labels on the requester's lifeline
SILENCE = 0.005  # seconds between two requests that are worth a break


def shown_of(state: State) -> tuple[list[Request], list[tuple[str, str, int]]]:
    """The requests that are drawn, and (outcome, subject, how many) of the older ones."""
    asked = state.requests
    counts = Counter(state.past)
    counts.update(f"{r.outcome}\n{r.subject}" for r in asked[:-DRAWN])
    kinds = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    older: list[tuple[str, str, int]] = []
    rest: Counter[str] = Counter()
    for kind, n in kinds:
        outcome, _, subject = kind.partition("\n")
        if subject and len(older) < OLDER:
            older.append((outcome, subject, n))
        else:
            rest[outcome] += n
    older += [(outcome, "", n) for outcome, n in sorted(rest.items())]
    return asked[-DRAWN:], older


class Node(msgspec.Struct):
    """A moment of a request on one lifeline."""

    t: float
    line: str  # requester | server | a responder
    label: bool = False  # words stand beside it, which need room
    y: float = 0.0


class Band(msgspec.Struct):
    """One request, from its first moment to its last."""

    request: Request
    fates: list[str]
    nodes: dict[str, Node]
    hops: list[tuple[str, str]]  # from node to node
    breaks: list[tuple[float, float]] = []  # height, seconds
    top: float = 0.0
    bottom: float = 0.0


def band_of(request: Request, now: float) -> Band:
    """The moments of a request in their causal order."""
    r = request
    band = Band(request=r, fates=r.fates, nodes={}, hops=[])

    def node(name: str, t: float, line: str, after: str = "", label: bool = False) -> None:
        cause = band.nodes.get(after)
        band.nodes[name] = Node(max(t, cause.t) if cause else t, line, label)

    def hop(a: str, b: str) -> None:
        band.hops.append((a, b))

    node("ask", r.t, "requester", label=True)
    first = min(
        [t for leg in r.legs.values() for t in (leg.out, leg.got) if t]
        + [r.refused or r.ended or r.t + 0.001]
    )
    node("in", r.server or (r.t + first) / 2, "server", "ask")
    hop("ask", "in")
    for who, leg in r.legs.items():
        node(f"got {who}", leg.got or leg.out, who, "in")
        hop("in", f"got {who}")
    for i, reply in enumerate(r.replies):
        cause = f"got {reply.by}" if reply.by in r.legs else "in"
        last = reply.came or r.ended or now
        if reply.by:
            node(f"rep {i}", reply.sent or max(band.nodes[cause].t, last - 0.0004), reply.by, cause)
        between = reply.server or (max(band.nodes[cause].t, reply.sent) + last) / 2
        node(f"back {i}", between, "server", f"rep {i}" if reply.by else "in", True)
        if reply.by:
            hop(f"rep {i}", f"back {i}")
        if reply.came or (r.ended and not r.server):
            node(f"came {i}", last, "requester", f"back {i}", True)
            hop(f"back {i}", f"came {i}")
    if r.outcome == "no responders":
        node("refused", r.refused or r.ended, "requester", "in", True)
        hop("in", "refused")
    elif r.outcome in ("timeout", "abandoned"):
        node("end", r.ended, "requester", "ask", True)
    elif r.outcome == "waiting":
        node("end", max(now, *(n.t for n in band.nodes.values())), "requester", "ask")
    return band


def place(band: Band, top: float) -> None:
    """Heights of the moments: to scale in a burst, long waits folded into breaks."""
    order = sorted(band.nodes.items(), key=lambda item: (item[1].t, list(band.nodes).index(item[0])))
    causes: dict[str, list[str]] = {}
    for a, b in band.hops:
        causes.setdefault(b, []).append(a)
    placed: set[str] = set()
    before: Node | None = None
    lowest: dict[str, float] = {}
    for name, node in order:
        y = top
        if before is not None:
            gap = node.t - before.t
            flying = any(a in placed and b not in placed for a, b in band.hops)
            y = before.y + min(gap * 1000 * MS, 44 if flying else MS * 2)
            if gap > IDLE and not flying:
                band.breaks.append((before.y + 24, gap))
                y = before.y + BREAK
        for cause in causes.get(name, ()):
            y = max(y, band.nodes[cause].y + HOP)
        if node.label:
            y = max(y, lowest.get(node.line, top - APART) + APART)
            lowest[node.line] = y
        node.y = round(y, 2)
        placed.add(name)
        before = node
    band.top = top
    under = 26 if "refused" in band.nodes else 14  # the refusal's words stand under it
    band.bottom = max(node.y for node in band.nodes.values()) + under
