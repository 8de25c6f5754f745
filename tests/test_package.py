"""What is shipped: the wheel has everything that a person without Node or a checkout needs."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("dist")
    done = subprocess.run(
        [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(out)],
        cwd=ROOT, capture_output=True, text=True, timeout=110,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return next(out.glob("*.whl"))


def test_the_wheel_is_complete(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    lessons = {f"natslab/notebooks/{p.name}" for p in (ROOT / "notebooks").glob("*.ipynb")}
    assert len(lessons) >= 5
    assert lessons <= set(names)
    assert {
        "natslab/py.typed", "natslab/notebooks/sanitize.cfg", "natslab/views/static/stage.js",
        "natslab/views/static/page.js", "natslab/views/static/stage.css", "natslab/views/static/chrome.css",
        "natslab/servers/supervisor_child.py",
    } <= set(names)  # fmt: skip
    assert any(n.endswith("labextensions/natslab/package.json") for n in names)
    assert any(n.endswith("labextensions/natslab/install.json") for n in names)
    assert not [n for n in names if "node_modules" in n or "/tests/" in n]


@pytest.mark.soak
def test_it_installs_and_teaches_without_node(wheel: Path, tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-m", "venv", tmp_path / "venv"], check=True)
    python = tmp_path / "venv" / "bin" / "python"
    subprocess.run([python, "-m", "pip", "install", "-q", f"{wheel}[lab,test]"], check=True, timeout=600)
    env = {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "DISPLAY")}
    env["PATH"] = str(python.parent)  # neither node nor a nats-server but the installed one
    natslab = python.parent / "natslab"
    for arguments in (["doctor"], ["test", "00-meet-the-lab.ipynb"]):
        done = subprocess.run(
            [natslab, *arguments], env=env, cwd=tmp_path, capture_output=True, text=True, timeout=200
        )
        assert done.returncode == 0, done.stdout + done.stderr
    # What Binder asks after it has installed the same: is the extension enabled, and what does doctor say.
    asked = subprocess.run(
        ["bash", ROOT / "binder" / "postBuild"],
        env={**env, "PATH": f"{python.parent}:/usr/bin:/bin"},
        cwd=tmp_path, capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert asked.returncode == 0, asked.stdout + asked.stderr
    # And it goes as it came.
    subprocess.run([python, "-m", "pip", "uninstall", "-q", "-y", "natslab"], check=True, timeout=120)
    left = [p for p in (tmp_path / "venv").rglob("*natslab*") if p.suffix != ".pyc"]
    assert left == []
    extensions = subprocess.run(
        [python, "-m", "jupyter", "labextension", "list"], env=env, capture_output=True, text=True, timeout=60
    )
    assert "natslab" not in extensions.stdout + extensions.stderr
