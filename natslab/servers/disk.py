"""Private files, and what is said when the disk refuses them."""

from __future__ import annotations

import errno
import os
from pathlib import Path

from natslab.errors import ServerError

_WHY = {
    errno.ENOSPC: ("the disk is full", "Free some space there, or give a folder on another disk."),
    errno.EDQUOT: ("your quota is used up", "Free some space there, or give a folder on another disk."),
    errno.EROFS: ("that disk is read-only", "Give a folder on a disk that can be written."),
    errno.EACCES: ("you may not write there", "Give a folder that belongs to you."),
    errno.EPERM: ("you may not write there", "Give a folder that belongs to you."),
    errno.ENOTDIR: ("that is not a folder", "Give a folder."),
    errno.EEXIST: ("that is not a folder", "Give a folder."),
    errno.ENAMETOOLONG: ("that name is too long", "Give a shorter one."),
    errno.EMFILE: ("too many files are open", "Close some, or raise the limit (ulimit -n)."),
}


def refused(path: str | Path, number: int) -> ServerError:
    """The sentence for the OSError `number` (errno) at `path`."""
    why, hint = _WHY.get(number, (os.strerror(number).lower(), "Give another folder."))
    return ServerError(f"{path} cannot be written: {why}.", hint)


def write(path: Path, text: str | bytes) -> None:
    """Write `text` to `path` in one step, readable by its owner alone.

    Raises ServerError when the disk refuses; the old file is then still there.
    """
    new = path.with_name(path.name + ".new")
    try:
        fd = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(fd, "wb") as file:
            file.write(text if isinstance(text, bytes) else text.encode())
        os.replace(new, path)
    except OSError as e:
        new.unlink(missing_ok=True)
        raise refused(path, e.errno or errno.EIO) from None


def read(path: Path) -> str:
    """The text of the file `path`. Raises ServerError."""
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError as e:
        raise ServerError(f"{path} cannot be read: {os.strerror(e.errno or errno.EIO).lower()}.") from None


def folder(path: Path) -> None:
    """Make the folder `path`, readable by its owner alone. Raises ServerError."""
    try:
        path.mkdir(0o700, parents=True, exist_ok=True)
    except OSError as e:
        raise refused(path, e.errno or errno.EIO) from None
