"""The built stage in a real browser, with a small model in the place of the kernel."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import msgspec
import pytest
from playwright.sync_api import Browser, ConsoleMessage, Locator, Page

import natslab.views
from natslab.views.scene import Scene, foot, header, headline, legend_marks

STATIC = Path(natslab.views.__file__).parent / "static"

#: What anywidget gives a module: a model with messages both ways.
MODEL = """
window.model = (attributes) => {
  const heard = new Set(), parted = new Set();
  const of = event => ({ 'msg:custom': heard, comm_live_update: parted })[event] ?? new Set();
  return {
    sent: [], heard,
    get: name => attributes[name],
    send(content) { this.sent.push(content); },
    on: (event, f) => { of(event).add(f); },
    off: (event, f) => { of(event).delete(f); },
    part() { for (const f of [...parted]) f(); },
    emit(content) { for (const f of [...heard]) f(content, []); }
  };
};
window.nextFrame = (n = 2) => new Promise(done => {
  const go = () => n-- > 0 ? requestAnimationFrame(go) : done();
  go();
});
"""


def cursor(mode: str = "live", **given: Any) -> dict[str, Any]:
    """A cursor as the kernel sends it."""
    return {
        "mode": mode,
        "n": 100,
        "head": 100,
        "t": 107.412,
        "now": 107.412,
        "speed": 1.0,
        "selection": "",
        **given,
    }


def strip(scene: Scene) -> dict[str, Any]:
    """Everything of a scene but its marks and flights, as the kernel sends it."""
    said = "".join(t for t, _ in scene.sentence) + " " + "".join(t for t, _ in scene.note)
    return {
        "view": scene.view,
        "title": scene.title,
        "height": scene.height,
        "width": scene.width,
        "top": scene.top,
        "foot": foot(legend_marks(scene)),
        "lab": scene.lab,
        "said": said.strip(),
        "head": msgspec.to_builtins(header(scene)),
        "legend": msgspec.to_builtins(legend_marks(scene)),
        "controls": msgspec.to_builtins(scene.controls),
    }


def full(scene: Scene, seq: int = 1, at: dict[str, Any] | None = None) -> dict[str, Any]:
    """The message that shows a whole scene."""
    marks = msgspec.to_builtins([*headline(scene), *scene.marks])
    body = {**strip(scene), "marks": marks, "flights": msgspec.to_builtins(scene.flights)}
    return {"op": "scene", "full": True, "seq": seq, "scene": body, "cursor": at or cursor()}


@dataclass
class StagePage:
    """One page with one stage."""

    page: Page
    errors: list[str] = field(default_factory=list)

    @property
    def root(self) -> Locator:
        return self.page.locator(".natslab.nl")

    def emit(self, *messages: dict[str, Any]) -> None:
        """Messages from the kernel, all in one turn of the browser."""
        self.page.evaluate("all => all.forEach(m => window.m.emit(m))", list(messages))

    def sent(self, op: str | None = None) -> list[dict[str, Any]]:
        """What the stage sent to the kernel so far; that it is behind only when asked for."""
        sent: list[dict[str, Any]] = self.page.evaluate("window.m.sent")
        return [m for m in sent if (m["op"] != "behind" if op is None else m["op"] == op)]

    def forget(self) -> None:
        self.page.evaluate("window.m.sent.length = 0")

    def wait(self, condition: str) -> None:
        """Until a JavaScript expression is true."""
        self.page.wait_for_function(condition, timeout=5_000)

    def settled(self) -> None:
        """Until nothing moves: longer than any change and any flight."""
        self.page.wait_for_function("() => !document.querySelector('.nl-travels, .nl-gone')", timeout=5_000)
        self.page.wait_for_timeout(200)

    def mark(self, key: str) -> Locator:
        return self.page.locator(f".natslab svg [data-key={json.dumps(key)}]")

    def attribute(self, key: str, name: str) -> str | None:
        return self.mark(key).get_attribute(name)


@pytest.fixture(scope="session")
def blank(browser: Browser) -> Iterator[Page]:
    """One page for all tests of the stage; a new one for each takes longer than the test."""
    page = browser.new_page()
    yield page
    page.close()


@pytest.fixture
def open_stage(blank: Page) -> Iterator[Callable[..., StagePage]]:
    """Open a stage: `open_stage(full(scene), width=900, body="data-jp-theme-light='true'")`."""
    module = STATIC / "stage.js"
    if not module.is_file():
        pytest.fail("The stage is not built. Build it: cd labextension && npm ci && node scripts/build.mjs")
    css = "\n".join((STATIC / name).read_text(encoding="utf-8") for name in ("stage.css", "chrome.css"))
    stage = StagePage(blank)

    def failed(error: Any) -> None:
        stage.errors.append(str(error))

    def logged(message: ConsoleMessage) -> None:
        if message.type == "error":
            stage.errors.append(message.text)

    def go(
        *messages: dict[str, Any],
        width: int = 900,
        height: int = 900,
        body: str = "data-jp-theme-light='true'",
        setup: str = "",
        measure: bool = False,
        system: Literal["light", "dark"] = "light",
        calm: bool = False,
    ) -> StagePage:
        blank.goto("about:blank")
        blank.set_viewport_size({"width": width + 40, "height": height})
        blank.emulate_media(
            color_scheme=system, reduced_motion="reduce" if calm else "no-preference", forced_colors="none"
        )
        blank.set_content(
            f"<!doctype html><html><head><style>{css}</style></head>"
            f"<body style='margin:20px' {body}><div id=host style='width:{width}px'></div></body></html>"
        )
        blank.mouse.move(1, 1)  # not before the content: its going would confuse the pointer events
        blank.evaluate(MODEL)
        if setup:
            blank.evaluate(f"() => {{ {setup} }}")
        blank.evaluate(
            """async ([code, measure]) => {
                 const url = URL.createObjectURL(new Blob([code], { type: 'text/javascript' }));
                 window.stageModule = (await import(url)).default;
                 window.m = window.model({ measure });
                 const el = document.getElementById('host');
                 window.end = window.stageModule.render({ model: window.m, el });
               }""",
            [module.read_text(encoding="utf-8"), measure],
        )
        stage.emit(*messages)
        return stage

    blank.on("pageerror", failed)
    blank.on("console", logged)
    yield go
    blank.remove_listener("pageerror", failed)
    blank.remove_listener("console", logged)
