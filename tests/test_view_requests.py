"""The requests view: outcomes, who answered, what came too late, and a picture that holds."""

from __future__ import annotations

import asyncio
import contextlib
import random
import re
from collections.abc import Callable
from typing import Any

import msgspec
import nats.errors
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from nats.aio.msg import Msg

from natslab.loop import run
from natslab.tape.event import Conn, End, Event, Hop, Pub, Recv, Server, Sub
from natslab.tape.subject import matches
from natslab.views import requests
from natslab.views.requests import Request, State
from natslab.views.requests.state import KEPT, KINDS, REPLIES
from natslab.views.scene import Path, Rect, Scene, Text, to_svg, walk
from tests.pictures import check, keyed
from tests.watching import watching


class Story:
    """Requests as a lab with one server would put them on its tape."""

    def __init__(self, seed: int = 1, of: tuple[str, ...] = (), traced: bool = True) -> None:
        self.state = requests.start(of)
        self.dice = random.Random(seed)
        self.t = 1.0
        self.asked = 0
        self.traced = traced
        self.subs: list[tuple[str, str, str]] = []
        self.later: list[tuple[float, Event]] = []
        self.log: list[Event] = []
        self.tell(Server(name="n1", state="up"))

    def tell(self, event: Event, t: float | None = None) -> None:
        event.t, event.n = self.t if t is None else t, len(self.log) + 1
        self.log.append(event)
        requests.fold(self.state, event)

    def sub(self, client: str, subject: str, queue: str = "") -> None:
        self.tell(Sub(client=client, sid=1, subject=subject, queue=queue))
        self.subs.append((client, subject, queue))

    def flush(self) -> None:
        for t, event in sorted(self.later, key=lambda item: item[0]):
            self.tell(event, t)
        self.later = []

    def ask(
        self,
        subject: str,
        who: str = "web",
        *,
        timeout: float = 0.5,
        work: float | dict[str, float | None] | None = 0.0011,
        pick: str = "",
        wants: int = 1,
        pause: float = 1.0,
        known: bool = True,
        ends: bool = True,
    ) -> str:
        """One request; `work` is what each responder needs, None for no reply; `known`: lab's own clients."""
        self.asked += 1
        name, inbox, t, later = f"c/1/{self.asked}", f"_INBOX.Xy.{self.asked}", self.t, self.later
        later.append(
            (t, Pub(id=name, client=who, subject=subject, reply=inbox, timeout=timeout, traced=self.traced))
        )
        if self.traced:
            later.append((t + 0.0002, Hop(id=name, step="in", place="n1", client=who, subject=subject)))
        groups: dict[str, list[tuple[str, str]]] = {}
        for client, pattern, queue in self.subs:
            if matches(pattern, subject):
                groups.setdefault(queue or f"\n{client}", []).append((client, queue))
        chosen = [next((m for m in g if m[0] == pick), self.dice.choice(g)) for g in groups.values()]
        came: list[float] = []
        for i, (client, queue) in enumerate(chosen):
            if self.traced:
                hop = Hop(id=name, step="egress", place="n1", client=client, subject=subject, queue=queue)
                later.append((t + 0.0003, hop))
            got = t + 0.0005 + i / 1e5
            if known:
                later.append(
                    (got, Recv(id=name, client=client, sid=1, subject=subject, queue=queue, reply=inbox))
                )
            takes = work.get(client) if isinstance(work, dict) else work
            if takes is None:
                continue
            reply, sent = f"c/{client}/{self.asked}" if known else "", got + takes
            if known:
                later.append((sent, Pub(id=reply, client=client, subject=inbox, traced=self.traced)))
            if known and self.traced:
                later.append(
                    (sent + 0.0001, Hop(id=reply, step="in", place="n1", client=client, subject=inbox))
                )
            came.append(sent + 0.0002)
            later.append((came[-1], Recv(id=reply, client=who, sid=9, subject=inbox)))
        came.sort()
        in_time = [c for c in came if c <= t + timeout]
        if not chosen:
            later.append((t + 0.0003, Recv(id="", client=who, sid=9, subject=inbox, status="503")))
            end = End(of="request", id=name, client=who, outcome="no responders", took=0.00031)
            self.t = t + 0.00031
        elif len(in_time) >= wants:
            self.t = in_time[wants - 1] + 0.00001
            end = End(of="request", id=name, client=who, outcome="answered", count=wants, took=self.t - t)
        else:
            self.t = t + timeout
            end = End(of="request", id=name, client=who, outcome="timeout", count=len(in_time), took=timeout)
        if ends:
            later.append((self.t, end))
        self.flush()
        self.t = max([self.t, *came]) + pause
        return name

    @property
    def last(self) -> Request:
        return self.state.requests[-1]

    def words(self) -> str:
        return " ".join(requests.describe(self.state)).strip()


def price(n: int = 3, seed: int = 1, traced: bool = True) -> Story:
    story = Story(seed, traced=traced)
    for i in range(n):
        story.sub(f"price-{i + 1}", "price.get", "price")
    return story


def three_outcomes() -> Story:
    story = price()
    story.ask("price.get", pick="price-2", pause=4.2)
    story.ask("stock.get", pause=2.6)
    story.ask("price.get", pick="price-3", work=0.801)
    return story


def texts(scene: Scene) -> list[str]:
    return ["".join(t for t, _ in m.runs) for m in walk(scene.marks) if isinstance(m, Text)]


def hold(story: Story) -> Scene:
    """What every view promises; and no time and no inbox in the words that are compared."""
    scene = check(requests, story.state, timed=True)
    compared = story.words() + requests.table(story.state).text()
    assert not re.search(r"\d ?m?s\b|_INBOX", compared), compared
    assert not any("_INBOX" in text for text in texts(scene))
    return scene


# --- what happened ---------------------------------------------------------------------------


def test_answered_refused_and_timed_out() -> None:
    story = three_outcomes()
    answered, refused, late = story.state.requests
    assert story.state.outcomes == {"answered": 1, "no responders": 1, "timeout": 1}
    assert (answered.subject, answered.requester, answered.by) == ("price.get", "web", "price-2")
    assert (answered.responders, answered.answers, answered.late) == (["price-2"], 1, 0)
    assert answered.took == pytest.approx(0.00181, abs=1e-6) and answered.deadline == 0.5
    assert (refused.outcome, refused.responders, refused.answers) == ("no responders", [], 0)
    assert (late.outcome, late.responders, late.answers, late.late) == ("timeout", ["price-3"], 0, 1)
    assert late.by == "", "a late reply answers nothing"
    assert requests.describe(story.state) == (
        "3 requests: 1 answered, 1 refused at once (no responders), 1 timed out.",
        "No responders is not a timeout. The server knows at once that nobody listens to stock.get.",
    )
    scene = hold(story)
    assert scene.sentence == [("3 requests: one answered in 1.8 ms, one refused at once, one timed out.", "")]
    said = texts(scene)
    assert {"answered in 1.8 ms", "by price-2, one of three", "works 1.1 ms", "reply"} <= set(said)
    assert {"refused in 0.3 ms", "503 No Responders", "so n1 itself answers"} <= set(said)
    assert {"timed out after 500 ms", "deadline: web gives up", "late reply, ignored", "works 801 ms"} <= set(
        said
    )
    assert {"queue group price", "price-1", "3 requests", "4.2 s", "2.6 s"} <= set(said)
    marks = keyed(scene)
    assert "done" in marks["msg/c/price-2/1@web"].classes and "dead" in marks["msg/c/1/2/503@web"].classes
    assert "flight" in marks["msg/c/price-3/3@web"].classes, "a late reply is not an answer"
    assert "req/c/1/3/deadline" in marks and "req/c/1/1/deadline" not in marks
    assert marks["req/c/1/1"].state["inbox"] == "_INBOX.Xy.1", "the inbox's name is for who inspects it"


def test_time_runs_down_to_scale_and_waits_are_folded() -> None:
    story = price()
    story.ask("price.get", pick="price-1", work=0.0011)
    story.ask("price.get", pick="price-1", work=0.0017)
    story.ask("price.get", pick="price-1", work=0.3)
    marks = keyed(hold(story))
    bars = [marks[f"req/c/1/{i}/busy/price-1"].h for i in (1, 2, 3)]
    assert bars[0] == pytest.approx(1.1 * 46, abs=0.1) and bars[1] == pytest.approx(1.7 * 46, abs=0.1)
    assert bars[2] == 54 and marks["gap/c/1/3/0"].state["seconds"] == pytest.approx(0.3)
    for path in (m for m in marks.values() if isinstance(m, Path) and m.arrow):
        y0, y1 = (float(y) for y in re.findall(r" (-?[\d.]+)", path.d))
        assert y1 > y0, f"{path.key} runs up"
    circles = {k: m.y for k, m in marks.items() if k.endswith(("/in", "/ask"))}
    assert circles["req/c/1/1/in"] - circles["req/c/1/1/ask"] >= 12


def test_many_repliers_the_first_wins() -> None:
    story = Story()
    for i in range(3):
        story.sub(f"help-{i + 1}", "help.*")
    story.ask("help.please", work={"help-1": 0.002, "help-2": 0.0007, "help-3": 0.005})
    assert story.last.by == "help-2" and (story.last.answers, story.last.discarded) == (1, 2)
    assert story.words() == "1 request: answered. The first reply wins: 2 replies were discarded."
    said = texts(hold(story))
    assert said.count("discarded") == 2 and said.count("reply") == 1
    assert " ".join(t for t in said if t.startswith(("by ", "three"))) == "by help-2, the first of three"


def test_many_repliers_all_are_gathered() -> None:
    story = Story()
    for i in range(3):
        story.sub(f"help-{i + 1}", "help.*")
    story.ask("help.please", work={"help-1": 0.002, "help-2": 0.0007, "help-3": 0.005}, wants=3)
    assert (story.last.answers, story.last.discarded, story.last.late) == (3, 0, 0)
    assert story.last.by == "help-2" and "the first from help-2" in texts(hold(story))
    assert "gathered 3 answers" in story.words()
    said = texts(hold(story))
    assert said.count("reply") == 3 and "3 answers in 5.7 ms" in said
    story.ask("help.please", work={"help-1": 0.002, "help-2": None, "help-3": 0.9}, wants=3)
    assert (story.last.outcome, story.last.answers, story.last.late) == ("timeout", 1, 1)
    assert "with one of the answers" in texts(hold(story))


def test_a_queue_group_answers_once() -> None:
    story = price()
    for _ in range(4):
        story.ask("price.get")
        assert len(story.last.responders) == 1 and story.last.answers == 1
    assert (
        story.words() == "4 requests: 4 answered. Each request goes to one member of the queue group price."
    )
    hold(story)


def test_a_timeout_says_who_has_it() -> None:
    story = price()
    story.ask("price.get", pick="price-2", work=None)
    assert story.words().endswith("A timeout says nothing about the work: it may still be done.")
    said = texts(hold(story))
    assert "it may still be done:" in said and "price-2 got it" in said and "no reply" in said


def test_without_a_trace_the_servers_moment_is_inferred() -> None:
    scene = hold(_with(price(traced=False), "price.get"))
    assert scene.sentence[0][0] == "1 request: answered in 1.8 ms."
    marks = keyed(scene)
    assert "inferred" in marks["req/c/1/1/in"].classes and marks["req/c/1/1/in"].title.startswith("≈")
    marks = keyed(hold(_with(price(), "price.get")))
    assert "inferred" not in marks["req/c/1/1/in"].classes


def _with(story: Story, *subjects: str) -> Story:
    for subject in subjects:
        story.ask(subject)
    return story


def test_a_responder_that_is_not_the_labs() -> None:
    story = Story()
    story.sub("terminal", "time")
    story.ask("time", known=False)
    assert (story.last.responders, story.last.by, story.last.answers) == (["terminal"], "terminal", 1)
    hold(story)


def test_the_server_itself_answers() -> None:
    """A JetStream publish is a request to the server: nobody else gets it."""
    story = Story(of=("orders.new",))
    story.tell(Pub(id="c/1/1", client="web", subject="orders.new", reply="_INBOX.a", timeout=5))
    story.tell(Recv(id="", client="web", sid=2, subject="_INBOX.a"), 1.001)
    story.tell(End(of="request", id="c/1/1", client="web", outcome="answered", count=1, took=0.001), 1.001)
    assert story.last.answers == 1 and "by the server itself" in texts(hold(story))


def test_an_answer_that_says_it_failed() -> None:
    story = Story()
    story.sub("price-1", "price")
    story.tell(Pub(id="c/1/1", client="web", subject="price", reply="_INBOX.a", timeout=5))
    story.tell(Recv(id="c/1/1", client="price-1", sid=1, subject="price", reply="_INBOX.a"), 1.001)
    story.tell(Pub(id="c/2/1", client="price-1", subject="_INBOX.a"), 1.002)
    story.tell(Recv(id="c/2/1", client="web", sid=2, subject="_INBOX.a"), 1.003)
    told = End(of="request", id="c/1/1", client="web", outcome="error", count=1, took=0.003, error="500 no")
    story.tell(told, 1.003)
    assert story.last.answers == 1 and story.state.outcomes == {"error": 1}
    assert story.words().startswith("1 request: answered with an error. An error is an answer too")
    said = texts(hold(story))
    assert any("500 no" in text for text in said), said
    assert any(text.startswith("failed in ") for text in said)


def test_still_waiting_and_abandoned() -> None:
    story = price()
    story.ask("price.get", pick="price-1", work=None, ends=False)
    assert story.state.outcomes == {"waiting": 1}
    assert story.words().startswith("1 request: still waiting.")
    assert "price-1 works on it" in texts(hold(story))
    story.tell(Conn(client="web", state="closed"))
    assert story.state.outcomes == {"abandoned": 1}
    assert "web closed its connection" in " ".join(texts(hold(story)))


def test_requests_at_the_same_time_have_a_band_each() -> None:
    story = price()
    story.ask("price.get", timeout=0.2, work=None, pause=-0.1)
    story.ask("price.get", who="shop")
    scene = hold(story)
    assert "meanwhile" in texts(scene)
    assert {"line/requester/web", "line/requester/shop"} <= keyed(scene).keys()


def test_what_is_no_request() -> None:
    story = price()
    story.tell(Pub(id="c/1/1", client="web", subject="price.get"))
    story.tell(Pub(id="c/1/2", client="web", subject="price.get", reply="replies.here"))
    story.tell(Pub(id="c/1/3", client="web", subject="price.get", reply="_INBOX.a", timeout=1, dry=True))
    story.tell(Pub(id="c/1/4", client="web", subject="$JS.API.INFO", reply="_INBOX.b", timeout=1))
    story.tell(End(of="trace", id="c/1/1", outcome="delivered", count=1))
    assert story.state.requests == [] and story.state.total == 0
    assert story.words().startswith("No request yet.")
    hold(story)


def test_of_narrows_by_subject_pattern_or_requester() -> None:
    for of, subjects in [
        (("price.*",), ["price.get"]),
        (("shop",), ["stock.get"]),
        (("$JS.API.>",), ["$JS.API.INFO"]),
        ((), ["price.get", "stock.get"]),
    ]:
        story = Story(of=of)
        story.ask("price.get")
        story.ask("stock.get", who="shop")
        story.ask("$JS.API.INFO")
        assert [r.subject for r in story.state.requests] == subjects, of
    story = Story(of=("price.get",))
    story.ask("stock.get")
    assert story.words() == "No request yet for price.get."


def test_nothing_yet_is_a_sentence() -> None:
    story = Story()
    hold(story)
    story.tell(Server(name="n1", state="down"))
    assert story.words().startswith("No server is up.")
    hold(story)


# --- the picture -----------------------------------------------------------------------------


def twenty() -> Story:
    story = price(seed=3)
    for i in range(20):
        story.ask("price.get" if i % 4 else "stock.get", pause=0.5)
    return story


def helpers(n: int) -> Story:
    story = Story()
    for i in range(n):
        story.sub(f"helper-{i + 1}", "help.*")
    story.ask("help.please", work={f"helper-{i + 1}": 0.0004 * i for i in range(n)}, wants=n)
    return story


def simultaneous() -> Story:
    story = Story()
    for i in range(3):
        story.sub(f"a-long-responder-name-{i}", "help.*", "" if i else "a-long-queue-group-name")
    for i in range(4):
        story.ask("help.please", who=f"a-requester-with-a-name-{i}", wants=1 + i % 3)
    return story


def hostile() -> Story:
    story = Story()
    subject = "a." + "very." * 20 + "long"
    story.sub("<b>evil\n\u202ename-that-is-long-too", subject, "q\x00" * 30)
    story.sub("משיב-ארוך-מאוד-באמת", subject)
    story.sub("日本語の名前はとても長いです", subject)
    story.ask(subject, who="]]>" + "x" * 50)
    story.ask("<script>.x", who="日本語の名前はとても長いです")
    return story


STORIES: dict[str, Callable[[], Story]] = {
    "three outcomes": three_outcomes,
    "twenty": twenty,
    "two helpers": lambda: helpers(2),
    "six helpers": lambda: helpers(6),
    "twelve helpers": lambda: helpers(12),
    "sixty helpers": lambda: helpers(60),
    "six in a group": lambda: _with(price(6), "price.get", "price.get"),
    "simultaneous": simultaneous,
    "hostile": hostile,
}


@pytest.mark.parametrize("name", STORIES)
def test_the_picture_holds(name: str) -> None:
    story = STORIES[name]()
    scene = hold(story)
    assert len(msgspec.json.encode(scene)) < 256_000
    again = requests.start(story.state.of)
    for event in story.log:
        requests.fold(again, event)
    assert to_svg(requests.draw(again)) == to_svg(scene), "equal events, equal bytes"
    assert "<script" not in to_svg(scene)


def test_a_state_from_a_keyframe_goes_on_the_same() -> None:
    story = three_outcomes()
    for cut in range(len(story.log)):
        state: State = requests.start()
        for event in story.log[:cut]:
            requests.fold(state, event)
        state = msgspec.msgpack.decode(msgspec.msgpack.encode(state), type=State)
        for event in story.log[cut:]:
            requests.fold(state, event)
        assert state == story.state


def test_every_moment_of_a_request_has_a_picture() -> None:
    story = three_outcomes()
    state: State = requests.start()
    for event in story.log:
        requests.fold(state, event)
        check(requests, state, timed=True)


def test_older_requests_are_counted_by_outcome() -> None:
    story = twenty()
    table = requests.table(story.state)
    assert table.rows[0][:4] == ["20 in all", "", "", "15 answered, 5 refused at once (no responders)"]
    assert [row[:2] for row in table.rows[1:3]] == [["12 older", "price.get"], ["4 older", "stock.get"]]
    assert [row[0] for row in table.rows[3:]] == ["17", "18", "19", "20"]
    said = texts(requests.draw(story.state))
    assert "12 answered  price.get" in said and "4 refused  stock.get" in said


def test_hovering_a_request_lights_its_hops() -> None:
    marks = keyed(requests.draw(three_outcomes().state))
    for i in (1, 2, 3):
        lit = marks[f"req/c/1/{i}"].light
        assert lit and set(lit) <= marks.keys()
        named = [key for key in lit if marks[key].title]
        assert named and all(marks[key].light == [f"req/c/1/{i}"] for key in named)


def test_new_messages_travel_once_and_old_ones_rest() -> None:
    story = price()
    story.ask("price.get", pick="price-2")
    flights = requests.draw(story.state).flights
    assert {f.key for f in flights} == {"fly/c/1/1@price-2", "fly/c/price-2/1@web"}
    assert {f.group for f in flights} == {"req/c/1/1"} and sorted(f.delay for f in flights) == [0, 0.5]
    story.state.now += 10
    assert requests.draw(story.state).flights == []
    assert len(requests.draw(helpers(60).state).flights) <= 8


def test_legend_counts_the_signs() -> None:
    scene = requests.draw(three_outcomes().state)
    assert {item.word: item.count for item in scene.legend} == {
        "answered": 1, "refused": 1, "timed out": 1, "reply ignored": 1,
    }  # fmt: skip
    signs = [m for m in walk(scene.marks) if isinstance(m, Rect) and m.classes == "dead fill"]
    assert len(signs) == 3, "the verdict's, the refused one's, the late one's"


def test_buttons_are_lines_a_person_would_type() -> None:
    controls = requests.draw(three_outcomes().state).controls
    assert [a.line for a in controls] == ['nats request price.get ""', 'nats request stock.get ""']


def test_the_verdict_and_the_mark_tell_the_same_time() -> None:
    story = price()
    story.tell(Pub(id="c/1/1", client="web", subject="a", reply="_INBOX.a", timeout=1), 1.0)
    story.tell(Recv(id="", client="web", sid=1, subject="_INBOX.a", status="503"), 1.0006)
    end = End(of="request", id="c/1/1", client="web", outcome="no responders", took=0.009)
    story.tell(end, 1.009)
    assert story.last.took == 0.009
    assert {"refused in 0.6 ms", "0.6 ms"} <= set(texts(hold(story)))


def test_state_stays_small() -> None:
    story = Story()
    for i in range(40):
        story.sub(f"help-{i}", "help.*")
    for i in range(80):
        story.ask(f"help.{i}", wants=40)
    for i in range(300):
        story.ask(f"nobody.{i}")
    state = story.state
    assert len(state.requests) == KEPT and state.total == 380 and len(state.past) <= KINDS + 3
    assert state.outcomes == {"answered": 80, "no responders": 300}
    assert len(state.of_inbox) <= KEPT * (REPLIES + 1)
    assert len(msgspec.msgpack.encode(state)) < 400_000
    hold(story)
    story = Story()
    story.tell(Pub(id="c/1/1", client="web", subject="a", reply="_INBOX.a", timeout=1))
    for i in range(1_000):
        story.tell(Pub(id=f"c/2/{i}", client="flood", subject="_INBOX.a"))
    assert len(story.last.replies) == REPLIES and story.last.more == 1_000 - REPLIES


CLIENTS = st.sampled_from(
    ["web", "shop", "price-1", "price-2", "a-rather-long-name-12", "日本語", "משלוח", "w" * 40]
)
IDS = st.integers(1, 12).map(lambda n: f"c/1/{n}")
INBOXES = st.integers(1, 6).map(lambda n: f"_INBOX.{n}")
SUBJECTS = st.sampled_from(["a.b", "a.*", ">", "very.long.subject." + "x" * 60])
EVENTS = st.one_of(
    st.builds(
        Pub,
        id=IDS,
        client=CLIENTS,
        subject=st.one_of(SUBJECTS, INBOXES),
        reply=st.one_of(st.just(""), INBOXES),
        timeout=st.sampled_from([0.0, 0.5, 2.0]),
    ),
    st.builds(
        Recv,
        id=st.one_of(st.just(""), IDS),
        client=CLIENTS,
        sid=st.integers(1, 3),
        subject=st.one_of(SUBJECTS, INBOXES),
        queue=st.sampled_from(["", "q", "Q" * 40]),
        status=st.sampled_from(["", "", "503"]),
    ),
    st.builds(
        Hop,
        id=IDS,
        step=st.sampled_from(["in", "egress"]),
        place=st.sampled_from(["n1", "n2"]),
        client=CLIENTS,
        queue=st.sampled_from(["", "q", "Q" * 40]),
    ),
    st.builds(
        End,
        of=st.just("request"),
        id=IDS,
        outcome=st.sampled_from(["answered", "no responders", "timeout"]),
        count=st.integers(0, 3),
        took=st.floats(0, 100),
    ),
    st.builds(Sub, client=CLIENTS, sid=st.integers(1, 3), subject=SUBJECTS, queue=st.sampled_from(["", "q"])),
    st.builds(Conn, client=CLIENTS, state=st.sampled_from(["open", "lost", "closed"])),
)


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.tuples(EVENTS, st.sampled_from([0.0, 1e-5, 4e-4, 3e-3, 0.2, 90.0])), max_size=60))
def test_any_order_of_events_leaves_a_picture(events: list[tuple[Event, float]]) -> None:
    state = requests.start()
    t = 0.0
    published = 0
    for i, (event, pause) in enumerate(events):
        t += pause
        event.n, event.t = i + 1, t
        if isinstance(event, Pub):  # an id is given once
            published += 1
            event.id = f"c/1/{published}"
        requests.fold(state, event)
    check(requests, state, timed=True)
    assert sum(state.outcomes.values()) == state.total


# --- a real server ---------------------------------------------------------------------------


def test_real_requests() -> None:
    async def go() -> State:
        async with watching() as w:
            web = await w.connect("web")

            def answers(after: float) -> Callable[[Msg], Any]:
                async def answer(msg: Msg) -> None:
                    await asyncio.sleep(after)
                    await msg.respond(b"42")

                return answer

            for i in range(3):
                price = await w.connect(f"price-{i + 1}")
                await price.subscribe("price.get", queue="price", cb=answers(0))
                await price.subscribe("help.*", cb=answers(0.01 * i))
            slow = await w.connect("slow")
            await slow.subscribe("slow.get", cb=answers(0.3))
            await w.hub.sync()
            await web.request("price.get", b"", timeout=1)
            with contextlib.suppress(nats.errors.NoRespondersError):
                await web.request("stock.get", b"", timeout=1)
            with contextlib.suppress(nats.errors.TimeoutError):
                await web.request("slow.get", b"", timeout=0.1)
            await web.request("help.me", b"", timeout=1)
            await w.settle()
            assert len(await web.gather("help.all", b"", replies=3, timeout=2)) == 3
            state = requests.start()
            for _ in range(100):  # the late reply, and those that nobody waits for any more
                await w.settle()
                state = requests.start()
                for event in w.tape.between(0, w.tape.head):
                    requests.fold(state, event)
                if [r.late + r.discarded for r in state.requests] == [0, 0, 1, 2, 0]:
                    break
                await asyncio.sleep(0.02)
            return state

    state = run(go())
    one, refused, slow, first, all_ = state.requests
    assert state.outcomes == {"answered": 3, "no responders": 1, "timeout": 1}
    assert one.by in {"price-1", "price-2", "price-3"} and one.responders == [one.by]
    assert one.place == "n1" and one.t <= one.server and 0 < one.took < 1
    assert set(one.among) == {"price-1", "price-2", "price-3"}
    assert refused.outcome == "no responders" and refused.took < 0.1 and refused.refused
    assert (
        slow.outcome == "timeout"
        and slow.responders == ["slow"]
        and slow.took == pytest.approx(0.1, abs=0.08)
    )
    assert (slow.answers, slow.late) == (0, 1)
    assert sorted(first.responders) == ["price-1", "price-2", "price-3"]
    assert (first.by, first.answers, first.discarded) == ("price-1", 1, 2)
    assert (all_.answers, all_.discarded, all_.late) == (3, 0, 0)
    scene = check(requests, state, timed=True)
    assert "late reply, ignored" in texts(scene) and texts(scene).count("discarded") == 2


def test_a_group_is_a_name_on_a_subject() -> None:
    story = Story()
    story.sub("pricing", "price.get", "NATS-RPLY-22")
    story.sub("sleepy", "price.slow", "NATS-RPLY-22")
    story.ask("price.get", pick="pricing")
    story.ask("price.slow", pick="sleepy")
    brackets = {m.key for m in walk(requests.draw(story.state).marks) if m.key.startswith("queue/")}
    assert len({key.rpartition("/")[2] for key in brackets if key.count("/") == 2}) == 2, brackets
