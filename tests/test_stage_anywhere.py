"""The stage needs nothing but a widget's model: no JupyterLab, no host's styles, nothing from elsewhere."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[1]
STATIC = ROOT / "natslab" / "views" / "static"
SCRIPT = (STATIC / "stage.js").read_text(encoding="utf-8")
STYLES = "".join((STATIC / name).read_text(encoding="utf-8") for name in ("stage.css", "chrome.css"))
# What anywidget promises everywhere: https://anywidget.dev/en/afm
PROMISED = {"get", "set", "on", "off", "send", "save_changes"}


def test_only_what_a_widget_promises_is_used() -> None:
    wire = (ROOT / "labextension" / "src" / "stage" / "wire.ts").read_text(encoding="utf-8")
    body = re.search(r"interface Model \{(.*?)\n\}", wire, re.DOTALL)
    assert body
    used = set(re.findall(r"^  (\w+)[(<]", body[1], re.MULTILINE))
    assert "get" in used and used <= PROMISED
    assert "export default" in SCRIPT or re.search(r"export\s*\{\s*\w+ as default", SCRIPT)


def test_it_comes_whole() -> None:
    assert not re.search(r"\b(jupyterapp|requirejs|__webpack|import\()|from\s*[\"']", SCRIPT)
    addresses = set(re.findall(r"https?://[^\"'`\s)]*", SCRIPT + STYLES))
    assert addresses <= {"http://www.w3.org/2000/svg"}, "names and no addresses"
    assert not re.search(r"@import|url\((?!#)", STYLES)


def test_its_styles_are_its_own() -> None:
    assert not re.search(r"--(jp|vscode|mo|colab)-", STYLES + SCRIPT)
    made = set(re.findall(r"(--[\w-]+)\s*:", STYLES)) | set(re.findall(r"[\"'`](--[\w-]+)[\"'`:]", SCRIPT))
    assert len(made) > 20
    told = {f"--texture-{state}" for state in ("flight", "retry", "dead")}  # by the drawing itself
    bare = set(re.findall(r"var\((--[\w-]+)\)", STYLES + SCRIPT))
    assert bare <= made | told
    # Whatever a host does to its own elements, ours are reached through our classes.
    plain = re.sub(r"/\*.*?\*/", "", STYLES, flags=re.DOTALL)
    heads = [head for head in re.findall(r"([^{};]+)\{", plain) if head.strip()[:1] != "@"]
    selectors = [one.strip() for head in heads for one in re.split(r",(?![^()]*\))", head)]
    foreign = {one for one in selectors if not re.search(r"\.(natslab|nl)\b", one)}
    assert foreign <= {"from", "to"}, "the steps of an animation are no selectors"
