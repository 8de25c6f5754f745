"""The lab in plain Python: the names people build on, and what each gives."""

from __future__ import annotations

import asyncio
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from pathlib import Path

import nats
import pytest

import natslab
from natslab.errors import CommandError, LabError, ServerError
from natslab.lab import Lab


@pytest.fixture
def lab() -> Iterator[Lab]:
    with natslab.Lab.up(servers=1) as up:
        yield up


def publish(lab: Lab, subject: str, *payloads: bytes) -> None:
    async def go() -> None:
        client = await lab.client("shop")
        for payload in payloads:
            await client.publish(subject, payload)

    lab.do(go())


def test_the_public_names_stay() -> None:
    assert set(natslab.__all__) == {
        "Cancelled", "ClientError", "CommandError", "HandlerError", "Lab", "LabError", "NatslabError",
        "NoResponders", "ServerError", "Timeout", "__version__", "current", "load_ipython_extension",
        "open", "unload_ipython_extension",
    }  # fmt: skip
    for name in natslab.__all__:
        assert getattr(natslab, name) is not None
    with pytest.raises(AttributeError):
        natslab.nothing  # noqa: B018


def test_a_client_of_the_lab_is_made_once_and_kept(lab: Lab) -> None:
    async def go() -> None:
        mine = await lab.connect("shop")  # a person's own client has the name already
        first, second = await asyncio.gather(lab.client("shop"), lab.client("shop"))
        assert first is second is await lab.client("shop")
        assert first is not mine and first.label == "shop#2"
        await first.close()
        third = await lab.client("shop")
        assert third is not first and third.is_connected

    lab.do(go())


def test_a_click_on_a_picture_acts_without_magics(lab: Lab) -> None:
    said: list[dict[str, object]] = []

    def wait(op: str) -> None:
        for _ in range(200):
            if any(message["op"] == op for message in said):
                return
            lab.do(asyncio.sleep(0.05))
        pytest.fail(f"no {op}: {said}")

    frames = lab.view("topology").frames(said.append)
    frames.heard({"op": "hello"})
    wait("scene")
    frames.heard({"op": "act", "key": "srv/n1", "i": 0})
    wait("said")
    assert lab.server("n1").state == "down"
    frames.end()


def test_one_lab_per_kernel(lab: Lab) -> None:
    assert natslab.current() is lab
    assert natslab.Lab.up(servers=1) is lab, "the same description gives the lab that is up"
    with pytest.raises(LabError, match="Another lab"):
        natslab.Lab.up(servers=1, max_payload=2048)
    assert natslab.current() is lab
    assert lab.server("n1").state == "up"


def test_no_lab_is_a_sentence() -> None:
    with pytest.raises(LabError) as e:
        natslab.current()
    assert "%natslab up" in e.value.hint


def test_more_servers_than_possible_is_a_sentence() -> None:
    with pytest.raises(LabError):
        natslab.Lab.up(servers=10)
    with pytest.raises(LabError):
        natslab.current()


def test_any_client_connects_with_the_url_or_the_login(lab: Lab) -> None:
    async def go() -> list[bytes]:
        one = await nats.connect(lab.url)
        two = await nats.connect(**lab.login)
        sub = await one.subscribe("greet")
        await one.flush()
        await one.flush()  # one is no barrier
        await two.publish("greet", b"hello")
        got = (await sub.next_msg(timeout=2)).data
        await one.close()
        await two.close()
        return [got]

    assert asyncio.run(go()) == [b"hello"]


def test_a_client_on_the_callers_loop_is_seen(lab: Lab) -> None:
    async def go() -> None:
        client = await lab.connect("billing")
        await client.subscribe("orders.*")
        await client.sync()
        await client.publish("orders.new", b"x")
        await client.sync()
        await client.close()

    asyncio.run(go())
    state = lab.view("routing").state
    assert state.last.publisher == "billing"
    assert state.last.receivers == ["billing"]


def test_nobody_is_let_in_without_the_password(lab: Lab) -> None:
    async def go() -> None:
        port = lab.login["servers"][0].rpartition(":")[2]
        await nats.connect(
            f"nats://127.0.0.1:{port}", allow_reconnect=False, connect_timeout=1, max_reconnect_attempts=0,
            error_cb=quiet,
        )  # fmt: skip

    async def quiet(e: Exception) -> None:
        pass

    with pytest.raises(nats.errors.Error):
        asyncio.run(go())


def test_a_view_in_every_form(lab: Lab) -> None:
    publish(lab, "orders.new", b"one")
    view = lab.view("routing")
    assert view is lab.view("routing")
    assert view.state.last.subject == "orders.new"
    assert "orders.new" in view.describe()
    assert "orders.new" in view.table().text()
    assert view.scene().view == "routing"
    for theme in ("", "light", "dark"):
        ET.fromstring(view.svg(theme=theme))
    picture = view.picture()
    assert picture.text.startswith("[routing] ")
    assert picture.svg.startswith('<svg class="natslab')
    assert set(picture._repr_mimebundle_()) == {"text/plain", "image/svg+xml"}
    assert view.dot().startswith("digraph")
    with pytest.raises(CommandError, match="requests"):
        lab.view("requests").dot()


def test_a_state_is_complete_at_once(lab: Lab) -> None:
    for i in range(1, 6):
        publish(lab, "orders.new", b"x")
        assert lab.view("routing").state.published == i
        assert lab.view("routing").state.last.outcome == "nobody"


def test_servers_by_name(lab: Lab) -> None:
    n1 = lab.server("n1")
    n1.kill()
    assert n1.state == "down"
    with pytest.raises(ServerError):
        n1.kill()
    n1.restart()
    assert n1.state == "up"
    n1.freeze()
    with pytest.raises(ServerError):
        n1.report("varz")
    n1.thaw()
    assert n1.report("varz")["server_name"] == "n1"
    with pytest.raises(CommandError, match="n7") as e:
        lab.server("n7")
    assert "n1" in e.value.hint


def test_the_tape_tells_of_the_servers(lab: Lab) -> None:
    lab.server("n1").kill()
    lab.server("n1").restart()
    lab.settle()
    states = [e.state for e in lab.tape.between(0, lab.tape.head) if type(e).__name__ == "Server"]
    assert states[-3:] == ["down", "starting", "up"]


def test_saved_and_opened_without_a_server(lab: Lab, tmp_path: Path) -> None:
    publish(lab, "orders.new", b"one", b"two")
    lab.save(tmp_path / "run.tape")
    before = lab.view("routing").picture()
    lab.down()
    again = natslab.open(tmp_path / "run.tape").view("routing")
    assert again.state.published == 2
    assert again.picture().text == before.text


def test_after_down_what_was_seen_stays_readable(lab: Lab) -> None:
    publish(lab, "orders.new", b"one")
    view = lab.view("routing")
    assert view.state.published == 1
    lab.down()
    assert view.state.published == 1
    with pytest.raises(LabError):
        natslab.current()


def test_a_lab_without_a_watcher_sends_nothing_extra() -> None:
    with natslab.Lab.up(servers=1, watch=False) as lab:

        async def go() -> dict[str, str] | None:
            client = await lab.connect("plain")
            raw = await nats.connect(lab.url)
            sub = await raw.subscribe("a")
            await raw.flush()
            await raw.flush()  # one is no barrier
            await client.publish("a", b"x")
            headers = (await sub.next_msg(timeout=2)).headers
            await raw.close()
            await client.close()
            return headers

        assert asyncio.run(go()) is None
        assert lab.tape.head == 0
