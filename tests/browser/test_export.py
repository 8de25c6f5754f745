"""An exported page in a real browser without a network: its pictures are scrubbed, and nothing is fetched."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import nbformat
import pytest
from playwright.sync_api import Browser, Page

from natslab.tape.event import Pub, Sub
from natslab.tape.tape import Tape
from natslab.views.player import Player
from natslab.views.recording import Recording
from tests import lives
from tests.replicas import TAPE

pytestmark = pytest.mark.browser


@pytest.fixture
def offline(browser: Browser) -> Iterator[Callable[..., tuple[Page, list[str]]]]:
    """`offline(path, "dark")`: the page, and everything that went wrong or was asked of a network."""
    opened: list[Page] = []

    def go(path: Path, scheme: Any = "light") -> tuple[Page, list[str]]:
        page = browser.new_page(viewport={"width": 1040, "height": 1000}, color_scheme=scheme)
        opened.append(page)
        trouble: list[str] = []
        page.on("console", lambda m: trouble.append(m.text) if m.type in ("error", "warning") else None)
        page.on("pageerror", lambda e: trouble.append(str(e)))
        page.on("dialog", lambda d: (trouble.append(d.message), d.dismiss()))

        def asked(route: Any) -> None:
            if route.request.url.startswith("file:"):
                route.continue_()
            else:
                trouble.append(route.request.url)
                route.abort()

        page.route("**/*", asked)
        page.goto(path.as_uri())
        page.wait_for_selector(".natslab.nl [data-key=sentence]")
        return page, trouble

    yield go
    for page in opened:
        page.close()


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    tape = Tape()
    for event in lives.core(3, 200):
        tape.append(event)
    evil = "<img src=x onerror=alert(1)></script><script>alert(2)</script>"
    tape.append(Sub(client=evil, sid=9, subject="orders.>", queue="evil", t=5.0))
    tape.append(Pub(id="c/8/1", client=evil, subject="orders.x", payload=evil.encode(), t=5.0))
    folder = tmp_path_factory.mktemp("export")
    return Recording(tape).export(folder / "page.html", ["queue", "routing"])


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_page_is_scrubbed_without_kernel_and_network(
    offline: Callable[..., tuple[Page, list[str]]], exported: Path, scheme: str
) -> None:
    page, trouble = offline(exported, scheme)
    stage, pills = page.locator(".natslab.nl").first, page.locator(".nl-pill")
    assert pills.all_inner_texts() == ["RECORDED", "RECORDED"]
    assert stage.evaluate("el => el.classList.contains('dark')") is (scheme == "dark")
    sentence = stage.locator("[data-key=sentence]")
    last = sentence.text_content()
    stage.focus()
    seen = set()
    for _ in range(6):
        page.keyboard.press("ArrowLeft")
        seen.add(stage.locator(".nl-time").inner_text())
    assert len(seen) > 3
    assert pills.all_inner_texts() == ["PAUSED", "PAUSED"], "both views move together"
    times = page.locator(".nl-time").all_inner_texts()
    assert times[0] == times[1]
    # A drag along the track.
    track = stage.locator(".nl-track").bounding_box()
    assert track is not None
    page.mouse.move(track["x"] + track["width"] * 0.9, track["y"] + 40)
    page.mouse.down()
    page.mouse.move(track["x"] + track["width"] * 0.3, track["y"] + 40, steps=5)
    page.mouse.up()
    early = sentence.text_content()
    assert early != last
    page.keyboard.press("t")
    assert stage.locator(".nl-table tbody tr").count() > 1
    page.keyboard.press(" ")
    page.wait_for_function("was => document.querySelector('.nl-time').textContent !== was", arg=times[0])
    page.keyboard.press("l")
    page.wait_for_function("() => document.querySelector('.nl-pill').textContent === 'RECORDED'")
    assert sentence.text_content() == last
    assert trouble == []


def test_a_mark_of_a_page_is_looked_into(
    offline: Callable[..., tuple[Page, list[str]]], exported: Path
) -> None:
    page, trouble = offline(exported)
    page.locator(".natslab.nl .nl-open").first.focus()
    page.keyboard.press("Enter")
    card = page.locator(".nl-card").first
    card.wait_for()
    assert card.inner_text()
    assert all(b.is_disabled() for b in card.locator("[data-act]").all())
    assert trouble == []


def test_the_arrow_keys_go_through_the_story(
    offline: Callable[..., tuple[Page, list[str]]], tmp_path: Path
) -> None:
    tape = Tape.open(TAPE)
    stops = Player(tape, "raft", ("ORDERS",)).stops()
    page, trouble = offline(Recording(tape).export(tmp_path / "raft.html", ["raft"]))
    page.locator(".natslab.nl").first.focus()
    told = [event.t for event in tape.between(0, tape.head)]
    n = tape.head
    for key in (
        "ArrowLeft",
        "ArrowLeft",
        "Shift+ArrowLeft",
        "Shift+ArrowLeft",
        "ArrowRight",
        "Shift+ArrowRight",
    ):
        ends = [at for at, turn in stops if turn or "Shift" not in key]
        n = max(at for at in ends if at < n) if "Left" in key else min(at for at in ends if at > n)
        page.keyboard.press(key)
        page.wait_for_function(
            "t => Math.abs(document.querySelector('.nl-time').innerText.slice(3) - t) < 0.002",
            arg=told[n - 1],
        )
    assert trouble == []


CELLS = [
    "%load_ext natslab\n%natslab up",
    "%nats sub jobs --queue q --as w1 -q\n%nats sub jobs --queue q --as w2 -q",
    "%nats pub jobs one",
    "%natslab picture queue",
    "%nats pub jobs two",
    "%natslab view queue",
    "from IPython.display import HTML\nHTML('<p id=mine>mine</p><script>alert(3)</script>')",
    "%nats pub jobs three",
    "%natslab down",
]


def test_a_notebook_becomes_a_page_that_is_scrubbed(
    offline: Callable[..., tuple[Page, list[str]]], tmp_path: Path
) -> None:
    source, target = tmp_path / "jobs.ipynb", tmp_path / "jobs.html"
    nbformat.write(nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(c) for c in CELLS]), source)
    command = [sys.executable, "-m", "natslab", "export", str(source), "-o", str(target), "--theme", "dark"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    assert "2 pictures to scrub" in done.stdout
    page, trouble = offline(target)
    sentences = [s.replace("\xa0", " ") for s in page.locator("[data-key=sentence]").all_text_contents()]
    assert "1 message" in sentences[0], "the still is of its moment"
    assert "3 messages" in sentences[1], "the live view shows all that was"
    assert page.locator("#mine").count() == 1
    assert page.locator(".natslab.nl.dark").count() == 2
    page.locator(".natslab.nl").nth(1).focus()
    page.keyboard.press("Shift+ArrowLeft")
    assert page.locator(".nl-pill").all_inner_texts() == ["RECORDED", "PAUSED"]
    # What the person's own output would run is not run; the browser says so, and that is all it says.
    assert [t for t in trouble if "Content Security Policy" not in t] == []
    assert target.stat().st_size < 3_000_000
