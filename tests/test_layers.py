"""A module imports only from the layers under its own."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1] / "natslab"
ORDER = [
    "errors",
    "listeners",
    "loop",
    "servers",
    "tape",
    "sources",
    "views",
    "front",
    "lab",
    "commands",
    "magics",
]
# The terminal command and the package's front door use everything.
TOP = {"cli", "notebook", "__init__", "__main__"}
# What a layer may not use although it lies lower.
FORBIDDEN = {"views": {"servers", "sources"}, "tape": {"servers"}}


def layer(module: str) -> str:
    parts = module.split(".")
    return parts[1] if len(parts) > 1 else "__init__"


def imports(path: Path) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {a.name for a in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            module = node.module or ""
            found |= {f"{module}.{a.name}" if module == "natslab" else module for a in node.names}
    return {m for m in found if m.split(".")[0] == "natslab"}


FILES = sorted(p for p in ROOT.rglob("*.py") if "notebooks" not in p.parts)


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(ROOT)))
def test_imports_go_down(path: Path) -> None:
    relative = path.relative_to(ROOT).with_suffix("")
    own = relative.parts[0]
    if own in TOP:
        return
    assert own in ORDER, f"{own} has no place in the house"
    for module in imports(path):
        other = layer(module)
        if other == own or other in TOP:
            continue
        assert ORDER.index(other) < ORDER.index(own), f"{relative} imports {module}"
        assert other not in FORBIDDEN.get(own, set()), f"{relative} imports {module}"


def test_the_rule_would_notice() -> None:
    assert ORDER.index("views") > ORDER.index("tape")
    assert imports(ROOT / "lab.py") >= {"natslab.tape.tape", "natslab.loop"}
