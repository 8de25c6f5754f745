"""The `natslab` command of a terminal: lab, run, test, doctor, nats."""

from __future__ import annotations

import hashlib
import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NoReturn

import click

from natslab import __version__
from natslab import notebook as books
from natslab.errors import Cancelled, CommandError, LabError, NatslabError, ServerError, render

_MANIFEST = ".natslab-lessons.json"
_FIRST = "00-meet-the-lab.ipynb"
_CELL = 120  # seconds a cell may take

# JupyterLab's own way to set defaults that a person's settings win over.
_SETTINGS = {"@jupyterlab/apputils-extension:notification": {"fetchNews": "false", "checkForUpdates": False}}


class Friendly(click.Group):
    """Says what went wrong in a sentence and a hint, never with a traceback."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; a natslab error ends it with code 1, an interrupt with 130."""
        try:
            return super().invoke(ctx)
        except NatslabError as e:
            for text in render(e):
                click.echo(text, err=True)
            ctx.exit(1)
        except (Cancelled, KeyboardInterrupt):
            ctx.exit(130)


@click.group(cls=Friendly, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="natslab")
def main() -> None:
    """Learn NATS by running it: real servers in a notebook, drawn live."""


def shipped() -> Path:
    """The folder of the lessons: in the installed package, or beside it in a checkout."""
    here = Path(__file__).resolve().parent
    for folder in (here / "notebooks", here.parent / "notebooks"):
        if folder.is_dir():
            return folder
    raise CommandError(
        "The lessons are not installed.", "Reinstall natslab: pip install --force-reinstall natslab"
    )


def _module(name: str, what: str, extra: str) -> None:
    import importlib.util

    if importlib.util.find_spec(name) is None:
        raise CommandError(f"{what} is not installed.", f"Run: pip install 'natslab[{extra}]'")


# --- lab -----------------------------------------------------------------------------------------


def lay_out(source: Path, folder: Path) -> list[str]:
    """Copy the lessons into the person's folder, without outputs; returns the names of those that were kept.

    A lesson that the person has changed, or runs with stored results, is never written over. One
    that is as it was copied is brought up to date.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        manifest = folder / _MANIFEST
        try:
            copied: dict[str, str] = json.loads(manifest.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            copied = {}
        kept = []
        for lesson in sorted(source.glob("*.ipynb")):
            target = folder / lesson.name
            fresh = _without_outputs(lesson)
            new = _digest(fresh)
            if target.exists():
                now = _digest(target.read_bytes())
                if now == new:
                    copied[lesson.name] = new
                    continue
                if copied.get(lesson.name) != now:
                    kept.append(lesson.name)
                    continue
            target.write_bytes(fresh)
            copied[lesson.name] = new
        manifest.write_text(json.dumps(copied, indent=1, sort_keys=True), encoding="utf-8")
    except OSError as e:
        raise CommandError(
            f"The lessons cannot be copied to {folder}: {e.strerror}.",
            "Choose another folder: natslab lab --folder DIR",
        ) from None
    return kept


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _without_outputs(lesson: Path) -> bytes:
    """The lesson as a learner should meet it: the answers are not there before the questions."""
    content = lesson.read_bytes()
    try:
        notebook = json.loads(content)
        for cell in notebook["cells"]:
            if cell["cell_type"] == "code":
                cell["outputs"], cell["execution_count"] = [], None
    except (ValueError, KeyError, TypeError):
        return content
    return (json.dumps(notebook, indent=1, ensure_ascii=False) + "\n").encode()


def _has_outputs(notebook: Path) -> bool:
    try:
        cells = json.loads(notebook.read_bytes())["cells"]
        return any(cell.get("outputs") for cell in cells)
    except (ValueError, KeyError, TypeError):
        return True


@main.command(context_settings={"ignore_unknown_options": True})
@click.option("--folder", type=click.Path(path_type=Path, file_okay=False), default=Path("natslab-lessons"),
              show_default=True, help="Where your copies of the lessons are.")  # fmt: skip
@click.option("--browser/--no-browser", default=True, help="Open a browser.")
@click.argument("jupyter", nargs=-1, type=click.UNPROCESSED)
def lab(folder: Path, browser: bool, jupyter: tuple[str, ...]) -> None:
    """Open JupyterLab on your copies of the lessons; further options go to JupyterLab."""
    _module("jupyterlab", "JupyterLab", "lab")
    folder = folder.expanduser().absolute()
    for name in lay_out(shipped(), folder):
        click.echo(f"Kept as you left it: {name}")
    command = [sys.executable, "-m", "jupyterlab", f"--ServerApp.root_dir={folder}",
               "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate"]  # fmt: skip
    if (folder / _FIRST).exists():
        command.append(f"--LabApp.default_url=/lab/tree/{_FIRST}")
    if not browser:
        command.append("--no-browser")
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        command.append("--allow-root")  # a container; the server still asks for its token
    with tempfile.TemporaryDirectory(prefix="natslab-") as config:
        defaults = Path(config) / "labconfig" / "default_setting_overrides.json"
        defaults.parent.mkdir()
        defaults.write_text(json.dumps(_SETTINGS), encoding="utf-8")
        path = os.pathsep.join(p for p in (config, os.environ.get("JUPYTER_CONFIG_PATH", "")) if p)
        process = subprocess.Popen(
            [*command, *jupyter], cwd=folder, env={**os.environ, "JUPYTER_CONFIG_PATH": path}
        )
        # JupyterLab asks back on Ctrl-C; it decides when it ends.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, lambda *_: process.terminate())
        code = process.wait()
    sys.exit(max(code, 0))


# --- run -----------------------------------------------------------------------------------------


@main.command()
@click.argument("notebook", type=click.Path(path_type=Path))
@click.option("-o", "--output", type=click.Path(path_type=Path, dir_okay=False), help="The page to write.")
@click.option("--timeout", type=int, default=_CELL, show_default=True, help="Seconds that a cell may take.")
def run(notebook: Path, output: Path | None, timeout: int) -> None:
    """Run a notebook from top to bottom and write it as one HTML page, pictures included.

    A lesson may be named alone: natslab run 01-publish-subscribe.ipynb
    """
    path, output = _chosen(notebook, output)
    done = books.run(path, output, timeout)
    click.echo(f"{path.name}: {done.cells} cells in {done.took:.1f} s → {output}")


@main.command()
@click.argument("notebook", type=click.Path(path_type=Path))
@click.option("-o", "--output", type=click.Path(path_type=Path, dir_okay=False), help="The page to write.")
@click.option("--timeout", type=int, default=_CELL, show_default=True, help="Seconds that a cell may take.")
@click.option("--theme", type=click.Choice(["light", "dark"]), default="light", show_default=True,
              help="How the page looks.")  # fmt: skip
def export(notebook: Path, output: Path | None, timeout: int, theme: str) -> None:
    """Run a notebook and write it as one HTML page whose pictures can be scrubbed, without kernel or network.

    A lesson may be named alone: natslab export 01-publish-subscribe.ipynb
    """
    path, output = _chosen(notebook, output)
    done = books.run(path, output, timeout, scrub=True, theme=theme)
    click.echo(
        f"{path.name}: {done.cells} cells in {done.took:.1f} s, {done.pictures} pictures to scrub → {output}"
    )


def _chosen(notebook: Path, output: Path | None) -> tuple[Path, Path]:
    path = _find(notebook)
    output = output or Path(path.with_suffix(".html").name)
    if not output.parent.is_dir():
        raise CommandError(
            f"{output} cannot be written: there is no such folder.", "Name another: -o page.html"
        )
    return path, output


def _find(notebook: Path) -> Path:
    for candidate in (notebook.expanduser(), _shipped_or_none(notebook)):
        if candidate is not None and candidate.is_file():
            return candidate.absolute()
    raise CommandError(f"There is no notebook {notebook}.", _lessons_hint())


def _shipped_or_none(notebook: Path) -> Path | None:
    try:
        return shipped() / notebook.name if notebook.name == str(notebook) else None
    except CommandError:
        return None


def _lessons_hint() -> str:
    try:
        names = sorted(p.name for p in shipped().glob("*.ipynb"))
    except CommandError:
        names = []
    return f"Lessons: {', '.join(names)}" if names else "Name a file that ends in .ipynb."


# --- test ----------------------------------------------------------------------------------------


@main.command()
@click.argument("notebooks", nargs=-1, type=click.Path(path_type=Path))
@click.option("--timeout", type=int, default=60, show_default=True, help="Seconds that a cell may take.")
@click.option(
    "--jobs",
    type=click.IntRange(1, 16),
    default=1,
    show_default=True,
    metavar="N",
    help="Run so many notebooks at a time.",
)
def test(notebooks: tuple[Path, ...], timeout: int, jobs: int) -> None:
    """Run notebooks as tests: every output must be what is stored. All lessons when none is named.

    Of a notebook that stores no output at all, only the errors count.
    """
    _module("nbval", "nbval", "test")
    source = shipped()
    chosen = [_find(n) for n in notebooks] or sorted(source.glob("*.ipynb"))
    if not chosen:
        raise CommandError(f"There are no notebooks in {source}.", "Name one: natslab test my.ipynb")
    with tempfile.TemporaryDirectory(prefix="natslab-test-") as folder:
        names = []
        for path in chosen:
            target = Path(folder) / path.name
            if target.exists():
                raise CommandError(f"Two notebooks are called {path.name}.", "Test them one after the other.")
            shutil.copyfile(path, target)
            names.append(path.name)
        command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:xdist"]
        command += ["--nbval-current-env", "--nbval-cell-timeout", str(timeout)]
        rules = source / "sanitize.cfg"
        if rules.is_file():
            command += ["--nbval-sanitize-with", str(rules)]
        strict = [n for n in names if _has_outputs(Path(folder) / n)]
        lax = [n for n in names if n not in strict]
        runs = [[*command, "--nbval", *strict]] if strict else []
        runs += [[*command, "--nbval-lax", *lax]] if lax else []
        if jobs > 1:  # each by itself: nbval's cells cannot be shared out among workers
            runs = [[*command, "--nbval" if n in strict else "--nbval-lax", n] for n in names]
        codes = _side_by_side(runs, jobs, folder)
    sys.exit(max(codes))


def _side_by_side(runs: list[list[str]], jobs: int, folder: str) -> list[int]:
    """Run these commands, so many at a time; what each says appears in one piece. Their exit codes."""

    def run(command: list[str]) -> int:
        if jobs == 1:
            return subprocess.run(command, cwd=folder).returncode
        done = subprocess.run(
            command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        click.echo(f"{command[-1]}\n{done.stdout}")
        return done.returncode

    with ThreadPoolExecutor(jobs) as pool:
        return list(pool.map(run, runs))


# --- doctor and nats -------------------------------------------------------------------------------


@main.command()
def doctor() -> None:
    """Check what natslab needs on this machine."""
    from natslab.commands.doctor import examine
    from natslab.commands.results import rows_text

    checks = examine()
    click.echo(rows_text(["What", "Verdict", "Detail"], [[c.name, c.verdict, c.detail] for c in checks]))
    missing = [c.name for c in checks if c.essential and not c.ok]
    if missing:
        raise NatslabError(f"Missing: {', '.join(missing)}.", "The table says what to do.")
    click.echo("\nEverything natslab needs is there.")


@main.command(
    context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False}, add_help_option=False
)
@click.argument("words", nargs=-1, type=click.UNPROCESSED)
def nats(words: tuple[str, ...]) -> None:
    """Run one line as %nats does; --server says where, because a terminal has no lab.

    A subscription goes on until Ctrl-C, --count or --wait.
    """
    from natslab.commands import parse
    from natslab.commands.handle import Handle

    body = sys.stdin.read() if "--force-stdin" in words else None
    try:
        result = parse(shlex.join(words), body, python=False).run()
    except LabError as e:
        if isinstance(e, ServerError):
            raise
        raise LabError(
            "A terminal has no lab of its own.", "Say where: natslab nats --server nats://127.0.0.1:4222 rtt"
        ) from None
    if isinstance(result, Handle):
        _follow(result)
    elif result is not None and (text := repr(result)):
        click.echo(text)


def _follow(handle: Any) -> NoReturn:
    from natslab.errors import Timeout

    shown = 0
    try:
        while True:
            try:
                handle.wait(3600.0, count=shown + 1)
            except Timeout:
                if handle.ended:
                    break
            for number, message in enumerate(handle.messages[shown:], shown + 1):
                click.echo("  ".join([f"#{number}", *handle._row(message, number)]))
            shown = len(handle.messages)
            if handle.ended:
                break
    finally:
        if not handle.ended:
            handle.stop()
    sys.exit(0)


if __name__ == "__main__":
    main()
