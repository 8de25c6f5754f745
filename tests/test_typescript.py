"""The pure parts of the workbench's browser side: labextension/test, in node."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

HOME = Path(__file__).parents[1] / "labextension"


def test_what_is_pure() -> None:
    node = shutil.which("node")
    if node is None or not (HOME / "node_modules").is_dir():
        # Without npm on the path the build brings a node of its own, and takes it away again.
        (pytest.fail if os.environ.get("CI") and node else pytest.skip)("cd labextension && npm ci")
    done = subprocess.run([node, "scripts/test.mjs"], cwd=HOME, capture_output=True, text=True, timeout=100)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "# fail 0" in done.stdout
