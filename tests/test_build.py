"""What the browser side is built from, and what came out."""

from __future__ import annotations

import json
import os
import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
HOME = ROOT / "labextension"
STAGE = ROOT / "natslab" / "views" / "static" / "stage.js"


def lock() -> dict[str, object]:
    data: dict[str, object] = json.loads((HOME / "package-lock.json").read_text(encoding="utf-8"))
    return data


def test_the_lock_names_no_place_but_the_registry_of_whoever_builds():
    text = (HOME / "package-lock.json").read_text(encoding="utf-8")
    assert '"resolved"' not in text
    packages = lock()["packages"]
    assert isinstance(packages, dict)
    missing = [name for name, entry in packages.items() if name and not entry.get("integrity")]
    assert missing == [], "every package is pinned by its hash"


def test_the_versions_agree():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
    package = json.loads((HOME / "package.json").read_text(encoding="utf-8"))
    assert package["version"] == project
    assert lock()["version"] == project
    assert lock()["packages"][""]["dependencies"] == package["dependencies"]  # type: ignore[index]


@pytest.fixture
def stage() -> str:
    if not STAGE.is_file():
        if os.environ.get("CI"):
            pytest.fail("The stage is not built: cd labextension && npm ci && node scripts/build.mjs")
        pytest.skip("The stage is not built: cd labextension && npm ci && node scripts/build.mjs")
    return STAGE.read_text(encoding="utf-8")


def test_the_stage_is_one_small_module(stage):
    assert len(stage.encode()) < 120_000
    assert re.search(r"export\s*\{\s*\w+ as default\s*\}", stage)
    assert not re.search(r"\bimport\s*[({\"'*]", stage), "it needs nothing else"


def test_the_stage_cannot_turn_text_into_markup_or_code(stage):
    for name in (
        "innerHTML",
        "outerHTML",
        "insertAdjacentHTML",
        "document.write",
        "eval(",
        "Function(",
        "DOMParser",
    ):
        assert name not in stage, name
    assert not re.search(r"https?://(?!www\.w3\.org/)", stage), "it loads nothing"


def test_the_stylesheets_load_nothing():
    for name in ("stage.css", "chrome.css"):
        css = (STAGE.parent / name).read_text(encoding="utf-8")
        assert "@import" not in css
        assert re.findall(r"url\((?!#)", css) == []


def test_the_frame_adds_no_colour_of_its_own():
    css = (STAGE.parent / "chrome.css").read_text(encoding="utf-8")
    assert re.findall(r"#[0-9a-fA-F]{3,8}\b", css) == [], "colours live in stage.css"
    assert set(re.findall(r"rgb\([^)]*\)", css)) <= {"rgb(0 0 0 / .06)", "rgb(0 0 0 / .14)"}, (
        "but for shadows"
    )
