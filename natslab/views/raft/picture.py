"""The raft picture: servers on a ring at the left, their logs at the right, who has a majority, the story."""

from __future__ import annotations

from natslab.views.raft import bars, listing
from natslab.views.raft import focus as facts
from natslab.views.raft.legend import legend
from natslab.views.raft.matrix import Matrix
from natslab.views.raft.plan import LEFT, Plan, plan_of
from natslab.views.raft.ring import Ring
from natslab.views.raft.room import Room
from natslab.views.raft.state import Group, State, natural
from natslab.views.raft.wires import Wires
from natslab.views.raft.words import describe, timed
from natslab.views.scene import Burst, Mark, Scene, label, text_width
from natslab.views.view import blank
from natslab.views.wording import fit, listed

TITLE = "RAFT"
SOURCES = "seen on the wires between the servers"
HOW = {
    "wire": SOURCES,
    "system account": "heard at each server, over the system account",
    "monitoring": "as each server reports it; no messages are seen",
}
NOBODY = 1.5  # seconds without a heartbeat from which on an election was no mere hand-over


def draw(state: State) -> Scene:
    """One group as a ring, or a list of groups."""
    sentence, note = describe(state)[0], timed(state)[1]
    group = facts.focus(state)
    by = next((g.by for g in ([group] if group else state.groups.values()) if g.by), "wire")
    scene = blank(state, "raft", TITLE, HOW.get(by, SOURCES), sentence, note)
    scene.width = state.width
    if group is None:
        scene.marks, bottom = listing.rows(state)
        scene.height = bottom + 6
        return scene
    plan = plan_of(state, group)
    room = Room(LEFT, plan.right)
    ring = Ring(state, group, plan, room)
    wires = Wires(state, group, plan, room)
    matrix = Matrix(state, group, plan)
    names, votes, walls = ring.names(), ring.votes(), wires.barriers()
    scene.flights = wires.flights()
    scene.marks = [
        title(state, group, plan),
        *wires.lines(),
        *ring.servers(),
        *walls,
        *names,
        *wires.words(),
        *votes,
        *matrix.everything(),
        *bars.quorum(state, group, plan),
        *bars.lines(group, plan),
    ]
    more, bottom = listing.also(state, group, plan.bottom)
    scene.marks += more
    scene.height = bottom + 18
    scene.legend = legend(matrix, scene.marks, scene.flights, group, wires)
    scene.leads = group.name
    scene.burst = burst(group)
    return scene


def title(state: State, group: Group, plan: Plan) -> Mark:
    """What the group is of, who is in it, and who is not."""
    words = fit(group.title if group.type != "meta" else "Meta group", 190, "t14 w6")
    text = label("group/title", LEFT, 128, words, "t14 w6")
    room = plan.right - LEFT - text_width(words, "t14 w6") - 10
    more = "which streams there are, and where"
    if group.type != "meta":
        more = f"on {names(group.peers)}"
        others = sorted((s for s in state.servers if s not in group.peers), key=natural)
        if others:
            apart = (f"{more}, not on {names(others)}", f"{more}, not on {len(others)} others")
            more = next((m for m in apart if text_width(m, "t12") <= room), apart[1])
    text.runs.append((f"\u2002{fit(more, room, 't12')}", "t12 ink3"))
    return text


def names(peers: list[str]) -> str:
    """Servers in a few words."""
    if len(peers) > 4 and peers == [f"n{i}" for i in range(1, len(peers) + 1)]:
        return f"{peers[0]} to {peers[-1]}"
    return listed(peers) if peers else "no server"


def burst(group: Group) -> Burst | None:
    """The newest election that is over."""
    for one in reversed(group.elections):
        if one.won:
            last = one.settled or one.end
            of = group.title
            return Burst(
                key=f"election/{group.name}/{one.term}",
                words=f"the election of term {one.term}" + ("" if group.type == "meta" else f" of {of}"),
                first=one.n - 1,
                last=last,
                auto=bool(one.settled) and bool(one.before) and one.silence >= NOBODY,
            )
    return None
