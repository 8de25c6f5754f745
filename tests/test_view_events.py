"""The events view: everything that happened, in plain words, one line each."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from natslab.lab import Lab
from natslab.tape.event import Ack, Conn, Drop, Event, Leader, Link, Mark, Quorum, Server, Snap
from natslab.views import events
from natslab.views.events.state import KEPT, LIVES, State
from natslab.views.events.text import text_of
from natslab.views.scene import Scene, Text, to_svg, walk
from tests.pictures import check, keyed


class Story:
    """Events as a lab would put them on its tape."""

    def __init__(self, *of: str) -> None:
        self.state = events.start(of)
        self.t = 0.0
        self.n = 0
        self.told: list[Event] = []

    def tell(self, event: Event, after: float = 0.002) -> Story:
        self.t += after
        self.n += 1
        event.t, event.n = self.t, self.n
        self.told.append(event)
        events.fold(self.state, event)
        return self

    def after(self, seconds: float) -> Story:
        self.t += seconds
        return self

    def server(self, *names: str, state: Any = "up", why: str = "", cluster: str = "") -> Story:
        for name in names:
            self.tell(Server(name=name, place=name, state=state, version="2.15.1", why=why, cluster=cluster))
        return self

    def link(self, a: str, b: str, state: Any = "open", kind: Any = "route", **more: Any) -> Story:
        more.setdefault("connected", state == "open")
        return self.tell(Link(a=a, b=b, type=kind, state=state, **more))

    def conn(self, client: str, place: str, state: Any = "open", why: str = "") -> Story:
        return self.tell(Conn(client=client, place=place, state=state, why=why, account="A"))

    def advisory(self, kind: str, place: str = "n1", **data: Any) -> Story:
        told = {"type": f"io.nats.jetstream.advisory.v1.{kind}", **data}
        return self.tell(Snap(what="advisory", place=place, data=told))

    def audit(self, subject: str, **data: Any) -> Story:
        return self.advisory("api_audit", subject=f"$JS.API.{subject}", request="", client="shop", **data)

    def fault(self, line: str, ok: bool = True) -> Story:
        return self.tell(Mark(what="fault", text=line, ok=ok))

    @property
    def lines(self) -> list[str]:
        return [text_of(e) for e in self.state.entries]


def texts(scene: Scene) -> list[str]:
    return ["".join(t for t, _ in m.runs) for m in walk(scene.marks) if isinstance(m, Text)]


def begun(n: int = 3, *of: str) -> Story:
    names = [f"n{i + 1}" for i in range(n)]
    story = Story(*of).server(*names, cluster="C1" if n > 1 else "")
    for i, a in enumerate(names):
        for b in names[i + 1 :]:
            story.link(a, b)
    if n > 1:
        story.tell(Leader(group="_meta_", leader="n2", term=1, place="n2"))
    return story


def killed() -> Story:
    story = begun().after(4)
    story.conn("shop", "n1").conn("billing", "n2").conn("audit", "n2")
    story.advisory("stream_action", stream="ORDERS", action="create")
    story.tell(
        Snap(what="group", data={"group": "S-R3F-x", "type": "stream", "stream": "ORDERS", "consumer": ""})
    )
    story.tell(Leader(group="S-R3F-x", leader="n2", term=1, place="n2"))
    story.advisory("consumer_action", stream="ORDERS", consumer="billing", action="create")
    story.after(9).fault("natslab kill n2").server("n2", state="down", why="killed")
    story.link("n1", "n2", connected=False, why="n2 is down").link(
        "n2", "n3", connected=False, why="n2 is down"
    )
    story.conn("billing", "n2", "lost", "unexpected EOF").conn("audit", "n2", "lost", "unexpected EOF")
    story.after(0.02).conn("billing", "n3").conn("audit", "n1")
    story.after(4.4).tell(Leader(group="_meta_", leader="n3", term=2, place="n3"))
    story.after(1.1).tell(Leader(group="S-R3F-x", leader="n1", term=2, place="n1"))
    story.after(40).fault("natslab restart n2").server("n2")
    return story.link("n1", "n2").link("n2", "n3")


def parted() -> Story:
    story = begun().after(3).fault("natslab cut --isolate n3")
    story.link("n1", "n3", "cut").link("n2", "n3", "cut")
    story.after(11).tell(Quorum(group="S-R3F-y", lost=True, place="n3"))
    story.after(2).fault("natslab heal").link("n1", "n3", connected=False).link("n2", "n3", connected=False)
    story.after(0.7).link("n1", "n3").link("n2", "n3")
    story.tell(Quorum(group="S-R3F-y", lost=False, place="n3"))
    story.after(6).fault("natslab delay n1 n2 200ms").link("n1", "n2", "delayed", delay=0.2, connected=True)
    story.after(7).fault("natslab freeze n1").server("n1", state="frozen")
    return story.after(3).fault("natslab thaw n1").server("n1")


def messages() -> Story:
    story = begun(1)
    story.advisory("stream_action", stream="JOBS", action="create")
    story.advisory("consumer_action", stream="JOBS", consumer="dd", action="create")
    for seq in (4, 5, 6):
        story.tell(Ack(stream="JOBS", consumer="dd", seq=seq, verb="nak", place="n1", client="w1"))
    story.after(3).tell(Ack(stream="JOBS", consumer="dd", seq=7, verb="expired", how="inferred"))
    story.tell(Ack(stream="JOBS", consumer="dd", seq=7, verb="exhausted", attempt=5, place="n1"))
    story.tell(Ack(stream="JOBS", consumer="dd", seq=8, verb="term", reason="no such order", place="n1"))
    story.audit("STREAM.PURGE.JOBS", purged=12).audit("STREAM.MSG.DELETE.JOBS")
    story.tell(Snap(what="varz", place="n1", data={"slow_consumers": 0}))
    story.tell(Snap(what="varz", place="n1", data={"slow_consumers": 2, "stalled_clients": 1}))
    story.tell(Drop(client="audit", place="n1", why="slow consumer: the handler of x is too slow", count=12))
    story.conn("audit", "n1").conn("audit", "n1", "closed", "Slow Consumer (Write Deadline)")
    return story.tell(Mark(what="check", text="received == 5"))


def crowd() -> Story:
    story = begun()
    for i in range(40):
        story.conn(f"client {i}", f"n{i % 3 + 1}")
    for i in range(30):
        story.after(2).advisory("stream_action", stream=f"S{i}", action="create")
    return story


def supercluster() -> Story:
    story = Story()
    for cluster in ("EAST", "WEST"):
        story.server(*(f"{cluster}-n{i}" for i in (1, 2, 3)), cluster=cluster)
    for a in (1, 2, 3):
        for b in (1, 2, 3):
            story.link(f"EAST-n{a}", f"WEST-n{b}", kind="gateway", connected=a == b)
    story.after(8).fault("natslab cut EAST-n1 WEST-n1").link("EAST-n1", "WEST-n1", "cut", "gateway")
    return story.after(1).server("WEST-n2", state="lame duck")


def hostile() -> Story:
    long = "a name that is longer than any line has room for and then some more words to be sure of it" * 2
    story = Story().server("<n1>", "‮n2", cluster=long).conn(long, "<n1>").link("<n1>", "‮n2", "cut")
    story.fault(f"natslab kill {long}").advisory("stream_action", stream=long, action="delete")
    return story.tell(Ack(stream=long, consumer=long, seq=2**60, verb="term", reason="\x00 <b>" + long))


PICTURES: dict[str, Callable[[], Story]] = {
    "empty": Story,
    "begun": begun,
    "alone": lambda: begun(1),
    "killed": killed,
    "parted": parted,
    "messages": messages,
    "crowd": crowd,
    "supercluster": supercluster,
    "hostile": hostile,
}


@pytest.mark.parametrize("name", PICTURES)
def test_the_picture_holds(name: str) -> None:
    story = PICTURES[name]()
    for later in (0, 30):
        story.state.now += later
        scene = check(events, story.state)
        assert scene.sentence
        assert len(to_svg(scene)) < 120_000


# --- what it says -----------------------------------------------------------------------------


def test_what_happens_together_is_one_line() -> None:
    assert begun().lines == [
        "n1, n2 and n3 are up (version 2.15.1)",
        "3 routes connect: n1–n2, n1–n3 and n2–n3",
        "n2 leads the meta group",
    ]
    story = begun()
    for i in range(20):
        story.conn(f"c{i}", "n1")
    assert story.lines[-1] == "20 clients connected to n1: c0, c1, c2, c3 and 16 more"
    assert len(story.state.entries[-1].items) == 12
    story.after(5).conn("late", "n2")
    assert story.lines[-1] == "late connected to n2"


def test_a_killed_server_in_order_cause_first() -> None:
    story = killed()
    assert story.lines[7:] == [
        "%natslab kill n2",
        "n2 was killed",
        "2 routes have no connection any more: n1–n2 and n2–n3 (n2 is down)",
        "2 clients lost their connections to n2: billing and audit (unexpected EOF)",
        "2 clients are connected again, now to n3 and n1: billing and audit",
        "n3 leads the meta group",
        "n1 leads stream ORDERS",
        "%natslab restart n2",
        "n2 is up again",
        "2 routes connect: n1–n2 and n2–n3",
    ]
    scene = check(events, story.state)
    assert {"9 s", "40 s", "00:13.0", "n2 is up again."} <= {*texts(scene), events.describe(story.state)[0]}
    marks = keyed(scene)
    assert [k for k in marks if k.startswith("lane/n2/") and k[-1].isdigit()] == ["lane/n2/1", "lane/n2/3"]


def test_wires_and_quorum_in_plain_words() -> None:
    assert parted().lines[3:11] == [
        "%natslab cut --isolate n3",
        "the wires n1–n3 and n2–n3 were cut",
        "group S-R3F-y lost its quorum (too few of its servers are in reach)",
        "%natslab heal",
        "the wires n1–n3 and n2–n3 are whole again",
        "2 routes connect: n1–n3 and n2–n3",
        "group S-R3F-y has its quorum again",
        "%natslab delay n1 n2 200ms",
    ]


def test_a_quorum_that_only_an_old_leader_misses_is_not_lost() -> None:
    def heard(place: str, leader: str = "n1") -> Story:
        story = begun().advisory("stream_leader_elected", stream="ORDERS", leader=leader)
        data = {"type": "io.nats.jetstream.advisory.v1.stream_quorum_lost", "stream": "ORDERS"}
        return story.after(9).tell(Snap(what="advisory", place=place, data=data))

    stood = heard("n3")
    assert stood.lines[-1] == (
        "n3 gave up leading stream ORDERS (too few of its servers were in reach; n1 leads it)"
    )
    assert heard("").lines[-1].startswith("an old leader gave up leading stream ORDERS")
    check(events, stood.state)
    assert heard("n1").lines[-1] == "stream ORDERS lost its quorum (too few of its servers are in reach)"


def test_messages_that_did_not_simply_pass() -> None:
    story = messages()
    assert story.lines[3:] == [
        "dd said nak to 3 messages of JOBS (4, 5, 6) (to be delivered again)",
        "dd did not answer in time for message 7 of JOBS (nobody tells; from the consumer's ack_wait)",
        "message 7 of JOBS went to dd 5 times and comes no more",
        "dd gave up message 8 of JOBS (no such order)",
        "12 messages of JOBS were purged",
        "a message of JOBS was deleted",
        "n1 cut off 2 slow consumers",
        "n1 made a publisher wait once (clients read too slowly)",
        "audit threw 12 messages away: its handler is too slow",
        "audit connected to n1",
        "audit left n1 (Slow Consumer (Write Deadline))",
        "a check passed: received == 5",
    ]
    guessed = [e.verb for e in story.state.entries if e.guess]
    assert guessed == ["expired"]
    assert any(m.classes.endswith("inferred") for m in walk(check(events, story.state).marks))


def test_a_line_that_was_refused_says_so() -> None:
    story = begun().fault("natslab kill n9").fault("natslab kill n9", ok=False)
    assert [(e.verb, e.items) for e in story.state.of_kind("fault")] == [("refused", ["natslab kill n9"])]
    assert "refused" in " ".join(texts(check(events, story.state)))


def test_the_same_news_from_two_sources_is_told_once() -> None:
    story = begun()
    story.tell(Leader(group="S-R3F-x", leader="n1", term=2, place="n1"))
    assert story.lines[-1] == "n1 leads group S-R3F-x"
    story.tell(
        Snap(what="group", data={"group": "S-R3F-x", "type": "stream", "stream": "ORDERS", "consumer": ""})
    )
    count = len(story.state.entries)
    story.advisory("stream_leader_elected", stream="ORDERS", leader="n1")
    assert len(story.state.entries) == count
    story.after(3).advisory("stream_leader_elected", stream="ORDERS", leader="n3")
    assert story.lines[-1] == "n3 leads stream ORDERS"
    story.tell(Leader(group="S-R3F-x", leader="n3", term=3, place="n3"))
    assert len(story.state.entries) == count + 1


def test_a_group_is_told_by_what_it_is_for_as_soon_as_that_is_known() -> None:
    for announced in (True, False):  # the server's announcement may come before anything tells of the group
        story = begun()
        before = len(story.state.entries), story.state.total
        story.tell(Leader(group="S-R3F-x", leader="n1", term=1, place="n1"))
        if announced:
            story.advisory("stream_leader_elected", stream="ORDERS", leader="n1")
        story.tell(
            Snap(
                what="group", data={"group": "S-R3F-x", "type": "stream", "stream": "ORDERS", "consumer": ""}
            )
        )
        assert story.lines[-1] == "n1 leads stream ORDERS"
        assert (len(story.state.entries), story.state.total) == (before[0] + 1, before[1] + 1)
        check(events, story.state)


def test_a_death_comes_before_what_it_did_to_clients_also_when_it_is_noticed_last() -> None:
    story = begun()
    story.tell(Conn(client="shop", account="A", place="n1"))
    story.tell(Conn(client="shop", account="A", place="n1", state="lost"))
    story.tell(Leader(group="S-R3F-x", leader="n2", term=2, place="n2"))
    story.tell(Conn(client="shop", account="A", place="n2"))
    story.after(0.004).tell(Server(name="n1", state="down", why="killed", place="n1"))
    at = [
        next(i for i, line in enumerate(story.lines) if part in line) for part in ("killed", "lost", "again")
    ]
    assert at == sorted(at)


def test_a_death_stands_before_what_it_did_also_when_that_is_told_later_of_a_moment_before() -> None:
    story = begun()
    story.tell(Conn(client="shop", account="A", place="n1"))
    story.tell(Server(name="n1", state="down", why="killed", place="n1"))
    story.tell(Conn(client="shop", account="A", place="n1", state="lost"), after=-0.001)
    assert "killed" in story.lines[-2] and "lost" in story.lines[-1]


def test_who_leads_does_not_move_before_what_led_to_it() -> None:
    story = begun()
    story.tell(Leader(group="_meta_", leader="n2", term=1, place="n2"))
    story.advisory("consumer_action", stream="ORDERS", consumer="billing", action="create")
    story.advisory("consumer_leader_elected", stream="ORDERS", consumer="billing", leader="n2")
    assert story.lines[-1] == "n2 leads consumer billing of ORDERS"


@pytest.mark.parametrize(
    ("of", "lines"),
    [
        ("servers", ["n1, n2 and n3 are up (version 2.15.1)", "n2 was killed", "n2 is up again"]),
        ("stream", ["stream ORDERS was created"]),
        ("billing", ["billing connected to n2", "consumer billing of ORDERS was created"]),
        ("nobody", []),
    ],
)
def test_it_can_be_narrowed_to_a_kind_or_a_name(of: str, lines: list[str]) -> None:
    narrowed = narrow(of)
    assert narrowed.lines[: len(lines)] == lines
    check(events, narrowed.state)
    if not lines:
        assert events.describe(narrowed.state)[0] == "Nothing happened yet that concerns nobody."


def narrow(*of: str) -> Story:
    """What happened when a server was killed, as far as it concerns these."""
    narrowed = Story(*of)
    for event in killed().told:
        events.fold(narrowed.state, event)
    return narrowed


def test_many_lines_are_counted_and_the_state_stays_small() -> None:
    story = begun()
    for i in range(KEPT + 200):
        story.after(2).advisory("stream_action", stream=f"S{i}", action="create")
        story.server("n1", state="down").server("n1")
    assert len(story.state.entries) == KEPT and len(story.state.lives) <= LIVES
    scene = check(events, story.state)
    assert story.state.total == 7 + 3 * (KEPT + 200)
    assert f"{story.state.total - 18} before" in texts(scene)


def test_legend_counts_what_happened() -> None:
    counts = {item.word: item.count for item in events.draw(killed().state).legend}
    assert counts == {"servers": 5, "wires": 7, "clients": 7, "streams": 1, "consumers": 1, "leaders": 4}


NAMES = [
    "n1",
    "n2",
    "n10",
    "EAST-n1",
    "WEST-n1",
    "hub",
    "長い名前のサーバー",
    "a name that is much too long for a lane",
]
TEXTS = ["ORDERS", "billing", "", "x" * 300, "öß\u202e <b>", "S 1", "%natslab kill n1 -- 12 34 567"]


@st.composite
def some_event(draw: st.DrawFn) -> Event:
    a, b, text = draw(st.sampled_from(NAMES)), draw(st.sampled_from(NAMES)), draw(st.sampled_from(TEXTS))
    number = draw(st.integers(0, 12_345_678))
    match draw(st.integers(0, 9)):
        case 0 | 1:
            state = draw(st.sampled_from(["starting", "up", "up", "down", "frozen", "lame duck", "removed"]))
            return Server(
                name=a, place=a, state=state, why=text, cluster=draw(st.sampled_from(["", "C1", "EAST"]))
            )
        case 2:
            state = draw(st.sampled_from(["open", "open", "cut", "held", "delayed", "removed"]))
            kind = draw(st.sampled_from(["route", "gateway", "leafnode"]))
            return Link(
                a=a, b=b, type=kind, state=state, delay=number % 9000 / 1000, connected=bool(number % 2)
            )
        case 3:
            state = draw(st.sampled_from(["open", "lost", "closed"]))
            return Conn(client=f"{text}{number % 3}", place=a, state=state, why=text)
        case 4:
            verb = draw(st.sampled_from(["nak", "term", "exhausted", "expired", "ack"]))
            how = draw(st.sampled_from(["observed", "inferred"]))
            return Ack(stream=text, consumer="c", seq=number, verb=verb, attempt=number % 7, place=a, how=how)
        case 5:
            kind = draw(st.sampled_from([
                "stream_action", "consumer_action", "stream_leader_elected", "consumer_quorum_lost",
                "consumer_pause", "snapshot_create", "restore_complete", "server_out_of_space",
                "api_limit_reached", "nonsense",
            ]))  # fmt: skip
            data = {
                "type": f"io.nats.jetstream.advisory.v1.{kind}",
                "stream": text,
                "action": "create",
                "leader": b,
            }
            if number % 2:
                data["consumer"] = "c"
            return Snap(what="advisory", place=a, data=data)
        case 6:
            subject = draw(st.sampled_from([
                "STREAM.PURGE.S", "STREAM.MSG.DELETE.S", "STREAM.LEADER.STEPDOWN.S", "META.LEADER.STEPDOWN",
                "CONSUMER.LEADER.STEPDOWN.S.C", "STREAM.PEER.REMOVE.S", "STREAM.CREATE.S", "",
            ]))  # fmt: skip
            data = {
                "type": "io.nats.jetstream.advisory.v1.api_audit",
                "subject": f"$JS.API.{subject}",
                "purged": number,
            }
            return Snap(what="advisory", place=a, data=data)
        case 7:
            if number % 2:
                return Leader(group=draw(st.sampled_from(["_meta_", "S-R3F-x", text])), leader=a, place=a)
            return Quorum(group=draw(st.sampled_from(["_meta_", "S-R3F-x"])), lost=bool(number % 4), place=a)
        case 8:
            data = {
                "slow_consumers": number % 5,
                "stalled_clients": number % 3,
                "stale_connections": number % 7,
            }
            if number % 2:
                return Snap(what="varz", place=a, data=data)
            return Snap(what="group", data={"group": "S-R3F-x", "stream": text, "consumer": ""})
        case _:
            if number % 3 == 0:
                return Drop(client=text, place=a, why="slow consumer: x", count=number)
            return Mark(
                what=draw(st.sampled_from(["run", "fault", "check", "bet"])), text=text, ok=bool(number % 5)
            )


@given(st.lists(st.tuples(some_event(), st.sampled_from([0.0, 0.1, 2.0, 60.0])), max_size=50),
       st.sampled_from([(), (), ("n1",), ("servers", "ORDERS")]))  # fmt: skip
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_any_story_leaves_a_picture(told: list[tuple[Event, float]], of: tuple[str, ...]) -> None:
    story = Story(*of)
    for event, after in told:
        story.tell(event, after)
    check(events, story.state)


# --- real servers -----------------------------------------------------------------------------


def heard(lab: Lab, *of: str) -> list[str]:
    """The lines, once the picture was held to its promises."""
    state: State = lab.view("events", *of).state
    check(events, state)
    return [text_of(e) for e in state.entries]


def test_what_happens_in_a_real_lab_is_told_in_order(wait_for: Callable[..., float]) -> None:
    with Lab.up(servers=3) as lab:
        assert heard(lab)[0] == "n1, n2 and n3 are up (version 2.15.1)"
        wait_for(lambda: any(line.endswith(" leads the meta group") for line in heard(lab)), 10)
        client = lab.do(lab.client("shop"))
        place = client.server
        lab.server(place).kill()
        wait_for(lambda: any(line.startswith("shop is connected again, now to") for line in heard(lab)), 10)
        lines = heard(lab)
        kept = [
            "shop connected to",
            f"{place} was killed",
            "shop lost its connection to",
            "shop is connected again, now to",
        ]
        at = [next(i for i, line in enumerate(lines) if line.startswith(part)) for part in kept]
        assert at == sorted(at)
        lab.server(place).start()
        wait_for(lambda: f"{place} is up again" in heard(lab), 10)
        lab.isolate("n3")
        wait_for(lambda: "the wires n1–n3 and n2–n3 were cut" in heard(lab), 10)
        lab.heal()
        wait_for(lambda: "the wires n1–n3 and n2–n3 are whole again" in heard(lab), 10)
        assert heard(lab, "faults") == []


def test_streams_and_consumers_of_a_real_lab_are_told(wait_for: Callable[..., float]) -> None:
    from natslab.commands.run import parse

    with Lab.up() as lab:
        for line in (
            "js stream add JOBS --subjects jobs --defaults",
            "js consumer add JOBS dd --pull --defaults",
            "nats pub jobs x -J --count 3",
            "js consumer next JOBS dd --count 2 --hold",
            "natslab nak JOBS dd 1",
            "natslab term JOBS dd 2 --reason broken",
            "js stream purge JOBS -f",
            "natslab freeze n1 --for 50ms",
        ):
            parse(line).run()
        wait_for(lambda: "n1 goes on" in heard(lab), 10)
        expected = [
            "stream JOBS was created",
            "consumer dd of JOBS was created",
            "dd said nak to message 1 of JOBS (to be delivered again)",
            "dd gave up message 2 of JOBS (broken)",
            "%natslab freeze n1 --for 50ms",
        ]
        lines = heard(lab)
        assert [line for line in lines if line in expected] == expected
        assert heard(lab, "JOBS")[0] == "stream JOBS was created"
