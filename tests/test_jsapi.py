"""The JetStream API: answers, pages, and refusals with the names of what is there."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

import natslab
from natslab.errors import ClientError, NoResponders, ServerError, Timeout
from natslab.lab import Lab
from natslab.servers.jsapi import Api, JetStreamError
from natslab.servers.jserrors import MEANINGS, explain, meaning, named_in


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    with natslab.Lab.up() as up:
        yield up


@pytest.fixture
def call(lab: Lab) -> Any:
    """`call(subject, body)`: ask, and give back the answer."""

    def ask(subject: str, body: dict[str, Any] | None = None, **more: Any) -> Any:
        async def go() -> Any:
            return await Api(await lab.client("you"), **more).call(subject, body)

        return lab.do(go())

    return ask


@pytest.fixture(scope="module")
def orders(lab: Lab) -> None:
    async def make() -> None:
        api = Api(await lab.client("you"))
        await api.call("STREAM.CREATE.ORDERS", {"name": "ORDERS", "subjects": ["orders.>", "returns"]})
        await api.call("STREAM.CREATE.KV_CFG", {"name": "KV_CFG", "subjects": ["$KV.CFG.>"]})
        await api.call(
            "STREAM.CREATE.JOBS", {"name": "JOBS", "subjects": ["jobs.>"], "retention": "workqueue"}
        )
        for stream, name in (("ORDERS", "billing"), ("JOBS", "worker")):
            await api.call(
                f"CONSUMER.CREATE.{stream}.{name}",
                {
                    "stream_name": stream,
                    "config": {"name": name, "durable_name": name, "ack_policy": "explicit"},
                },
            )

    lab.do(make())


@pytest.mark.usefixtures("orders")
class TestRefusals:
    @pytest.mark.parametrize(
        ("subject", "body", "code", "what", "hint"),
        [
            ("STREAM.INFO.ORDRS", None, 10059, "There is no stream ORDRS (error 10059).",
             "Did you mean ORDERS?"),
            ("STREAM.INFO.orders", None, 10059, "There is no stream orders", "Did you mean ORDERS?"),
            ("STREAM.INFO.XYZ", None, 10059, "There is no stream XYZ", "There are JOBS, KV_CFG and ORDERS."),
            ("STREAM.INFO.KV_CFGG", None, 10059, "There is no bucket CFGG", "Did you mean CFG?"),
            ("CONSUMER.INFO.ORDERS.biling", None, 10014, "Stream ORDERS has no consumer biling",
             "Did you mean billing?"),
            ("STREAM.CREATE.B", {"name": "B", "subjects": ["orders.eu"]}, 10065,
             "Stream ORDERS takes orders.>, which overlaps with orders.eu", "change those of ORDERS"),
            ("STREAM.CREATE.B", {"name": "B", "subjects": ["b", "returns"]}, 10065,
             "Stream ORDERS takes returns, too", ""),
            ("STREAM.CREATE.B", {"name": "B", "subjects": ["b"], "num_replicas": 3}, 10074,
             "Stream B is to have 3 replicas, and there is one server", "num_replicas: 1 in YAML"),
            ("CONSUMER.CREATE.JOBS.W", {"stream_name": "JOBS", "config": {
                "name": "W", "ack_policy": "explicit"}}, 10099,
             "Stream JOBS is a work queue", "There is worker."),
            ("CONSUMER.CREATE.ORDERS.W", {"stream_name": "ORDERS", "config": {
                "name": "W", "ack_policy": "explicit", "filter_subjects": ["orders.>", "orders.eu"]}}, 10138,
             "The filters orders.> and orders.eu overlap", "Leave out"),
            ("STREAM.MSG.GET.ORDERS", {"seq": 99}, 10037, "no such message in stream ORDERS", "expired"),
            ("STREAM.CREATE.A", {"name": "B"}, 10056, "The request says A and its configuration says B", ""),
            ("STREAM.CREATE.B", {"name": "B", "frobnicate": 1}, 10025, "frobnicate", ""),
            ("STREAM.UPDATE.ORDERS", {"name": "ORDERS", "storage": "memory"}, 10052,
             "can not change storage", ""),
            ("CONSUMER.CREATE.ORDERS.billing", {"stream_name": "ORDERS", "action": "create", "config": {
                "name": "billing", "durable_name": "billing", "ack_policy": "all"}}, 10148,
             "Stream ORDERS has a consumer billing already", "%js consumer edit ORDERS billing"),
        ],
    )  # fmt: skip
    def test_a_refusal(
        self, call: Any, subject: str, body: dict[str, Any], code: int, what: str, hint: str
    ) -> None:
        with pytest.raises(JetStreamError) as caught:
            call(subject, body)
        assert caught.value.code == code
        assert what in caught.value.what
        assert f"(error {code})" in caught.value.what
        assert hint in caught.value.hint
        assert str(caught.value) == f"{caught.value.what}\n{caught.value.hint}"
        assert "{" not in str(caught.value)

    def test_what_is_asked_for_the_sentence_is_not_shown(self, lab: Lab) -> None:
        heard: list[str] = []

        async def go() -> None:
            api = Api(await lab.client("you"), heard=lambda subject, *_: heard.append(subject))
            with pytest.raises(JetStreamError):
                await api.call("STREAM.INFO.ORDRS")

        lab.do(go())
        assert heard == ["$JS.API.STREAM.INFO.ORDRS"]


def test_pages(lab: Lab, call: Any) -> None:
    async def go() -> list[str]:
        api = Api(await lab.client("you"))
        for n in range(300):
            await api.call(
                f"STREAM.CREATE.P{n}", {"name": f"P{n}", "subjects": [f"p.{n}"], "storage": "memory"}
            )
        # STREAM.LIST gives 256 at once.
        found = [s["config"]["name"] for s in await api.pages("STREAM.LIST", "streams", {"subject": "p.>"})]
        for n in range(300):
            await api.call(f"STREAM.DELETE.P{n}")
        return found

    assert sorted(lab.do(go())) == sorted(f"P{n}" for n in range(300))


def test_no_jetstream_behind_that_prefix(call: Any) -> None:
    with pytest.raises(NoResponders, match=r"does not answer on \$JS\.NOPE\.API\.INFO"):
        call("INFO", prefix="$JS.NOPE.API")


def test_what_is_no_jetstream(lab: Lab, call: Any) -> None:
    async def answer() -> Any:
        client = await lab.client("other")

        async def cb(msg: Any) -> None:
            await msg.respond(b"hello")

        made = await client.subscribe("not.js.INFO", cb=cb)
        await lab.hub.sync()
        return made

    async def done(sub: Any) -> None:
        await sub.unsubscribe()

    sub = lab.do(answer())
    with pytest.raises(ClientError, match="is not JetStream"):
        call("INFO", prefix="not.js")
    lab.do(done(sub))


def test_a_frozen_server(lab: Lab, call: Any) -> None:
    lab.server("n1").freeze()
    try:
        with pytest.raises((Timeout, ServerError), match=r"did not answer|frozen"):
            call("INFO", timeout=0.2)
    finally:
        lab.server("n1").thaw()


def test_every_meaning_is_a_sentence() -> None:
    for code in MEANINGS:
        for what, hint in (meaning(code) or ("", ""), explain(code, "STREAM.CREATE.S", {"name": "S"}, "why")):
            assert what[0].isupper()
            assert what.endswith((".", "?"))
            assert hint[0].isupper() or hint[0] == "%"
            assert "{" not in what + hint.replace("{{wildcard(1)}}", ""), code
            assert len(what) < 160


def test_a_code_that_is_not_explained() -> None:
    assert explain(19999, "STREAM.CREATE.S", {}, "something odd.") == (
        "JetStream refused: something odd (error 19999).",
        "Nothing was changed.",
    )
    assert meaning(19999) is None


def test_foreign_words_stay_as_they_are() -> None:
    what, _ = explain(10065, "STREAM.CREATE.S", {"subjects": ["{stream}"]}, "")
    assert "{stream}" in what


@pytest.mark.parametrize(
    ("subject", "want"),
    [
        ("STREAM.INFO.S", ("S", "")),
        ("STREAM.MSG.GET.S", ("S", "")),
        ("CONSUMER.CREATE.S.C.filter.x", ("S", "C")),
        ("CONSUMER.DURABLE.CREATE.S.C", ("S", "C")),
        ("CONSUMER.MSG.NEXT.S.C", ("S", "C")),
        ("CONSUMER.LIST.S", ("S", "")),
        ("DIRECT.GET.S", ("S", "")),
        ("INFO", ("", "")),
        ("orders.new", ("", "")),
    ],
)
def test_names_in_a_subject(subject: str, want: tuple[str, str]) -> None:
    assert named_in(subject) == want
