"""What README says runs as it stands."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]


def test_the_plain_python_runs(tmp_path: Path) -> None:
    block = re.search(r"```python\n(.*?)```", (ROOT / "README.md").read_text(encoding="utf-8"), re.DOTALL)
    assert block
    script = tmp_path / "example.py"
    script.write_text(block[1], encoding="utf-8")
    done = subprocess.run([sys.executable, script], capture_output=True, text=True, timeout=60, cwd=ROOT)
    assert (done.stdout, done.returncode) == ("nobody\n", 0), done.stderr


def test_every_lesson_is_listed() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    for lesson in (ROOT / "notebooks").glob("*.ipynb"):
        assert f"notebooks/{lesson.name}" in text
