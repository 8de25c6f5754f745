"""The process that outlives the kernel just long enough to end its servers.

Run by `python -I -S`, with few modules of the standard library, because its start may be on the
way of a first server. It is the parent of all servers of one kernel and reads requests
as JSON lines from its standard input, whose other end only the kernel holds. When that ends, for
whatever reason, it kills every server, removes the folders it made and is gone.

Requests `{"id": 1, "op": ..., ...}` are answered by `{"id": 1, ...}` or `{"id": 1, "error": ...}`.
A server that ends, is stopped or goes on is told unasked: `{"event": "exited", "pid": ...}`.
"""

import ctypes
import errno
import fcntl
import json
import os
import select
import signal
import sys

PR_SET_PDEATHSIG = 1  # Linux, prctl(2)

prctl = getattr(ctypes.CDLL(None), "prctl", None) if sys.platform == "linux" else None


class Supervisor:
    """What this process owns: servers, folders and locks."""

    def __init__(self, parent: int) -> None:
        self.parent = parent
        self.pids: set[int] = set()
        self.folders: set[str] = set()
        self.locks: dict[str, int] = {}

    # requests

    def folder(self, base: str, prefix: str) -> "dict[str, object]":
        """Make a new private folder; made here, so that none is left when the kernel is killed meanwhile."""
        while True:
            path = os.path.join(base, prefix + os.urandom(4).hex())
            try:
                os.mkdir(path, 0o700)
            except FileExistsError:
                continue
            self.folders.add(path)
            return {"path": path}

    def remove(self, path: str) -> "dict[str, object]":
        """Remove a folder that `folder` made."""
        if path in self.folders:
            remove_tree(path)
            self.folders.discard(path)
        return {}

    def lock(self, path: str) -> "dict[str, object]":
        """Make and lock a store folder, because nats-server does not; answers who holds it, if not we.

        The lock is a file with flock(2), and the servers on this store inherit it: it lasts until
        the last of them is dead, even when this process is killed.
        """
        if path in self.locks:
            return {"holder": self.parent}
        os.makedirs(path, 0o700, exist_ok=True)
        fd = os.open(os.path.join(path, ".natslab.lock"), os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.read(fd, 32).decode("ascii", "replace").strip()
            os.close(fd)
            return {"holder": int(holder) if holder.isdigit() else 0}
        except OSError:
            os.close(fd)
            raise
        os.ftruncate(fd, 0)
        os.write(fd, b"%d\n" % self.parent)
        self.locks[path] = fd
        return {"holder": None}

    def unlock(self, path: str) -> "dict[str, object]":
        """Let go of a store folder; the folder stays."""
        fd = self.locks.pop(path, None)
        if fd is not None:
            os.close(fd)
        return {}

    def start(self, argv: "list[str]", output: str, store: "str | None") -> "dict[str, object]":
        """Start a server; what it says before its log is open goes to the file `output`."""
        me = os.getpid()
        out = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        failed, fail = os.pipe()  # closed by a successful exec
        pid = os.fork()
        if pid == 0:
            try:
                if prctl is not None:
                    prctl(PR_SET_PDEATHSIG, signal.SIGKILL)  # second belt: this process is killed
                    if os.getppid() != me:
                        os._exit(1)
                os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
                os.dup2(out, 1)
                os.dup2(out, 2)
                if store in self.locks:
                    os.set_inheritable(self.locks[store], True)
                os.execv(argv[0], argv)
            except OSError as e:
                os.write(fail, b"%d" % (e.errno or 0))
            finally:
                os._exit(127)
        os.close(fail)
        os.close(out)
        why = os.read(failed, 16)
        os.close(failed)
        if why:
            os.waitpid(pid, 0)
            raise OSError(int(why), os.strerror(int(why)), argv[0])
        self.pids.add(pid)
        return {"pid": pid}

    def signal(self, pid: int, number: int) -> "dict[str, object]":
        """Send a signal to one of our servers; `sent` is false when it is gone already."""
        if pid in self.pids:  # not reaped yet: the number still means this server
            os.kill(pid, number)
        return {"sent": pid in self.pids}

    # what happens by itself

    def changes(self) -> "list[dict[str, object]]":
        """Servers that exited, were stopped or went on since the last call."""
        found: list[dict[str, object]] = []
        for pid in sorted(self.pids):
            gone, status = os.waitpid(pid, os.WNOHANG | os.WUNTRACED | os.WCONTINUED)
            if not gone:
                continue
            if os.WIFSTOPPED(status):
                found.append({"event": "stopped", "pid": pid})
            elif os.WIFCONTINUED(status):
                found.append({"event": "continued", "pid": pid})
            else:
                self.pids.discard(pid)
                # the exit code, or minus the signal
                found.append({"event": "exited", "pid": pid, "code": os.waitstatus_to_exitcode(status)})
        return found

    def end(self) -> None:
        """Kill all servers, then remove the folders; locks end with this process."""
        for pid in self.pids:
            os.kill(pid, signal.SIGKILL)
        for pid in self.pids:
            os.waitpid(pid, 0)
        self.pids.clear()
        for path in self.folders:
            try:  # noqa: SIM105, contextlib costs 2 ms
                remove_tree(path)
            except OSError:
                pass


def remove_tree(path: str) -> None:
    """Remove a folder with all that is in it; shutil costs 10 ms to import."""
    for folder, folders, files in os.walk(path, topdown=False):
        for name in files:
            os.unlink(os.path.join(folder, name))
        for name in folders:
            inner = os.path.join(folder, name)
            if os.path.islink(inner):
                os.unlink(inner)
            else:
                os.rmdir(inner)
    os.rmdir(path)


def answer(supervisor: Supervisor, line: bytes) -> "dict[str, object]":
    """Do what one line asks."""
    request = json.loads(line)
    no, op = request.pop("id"), request.pop("op")
    try:
        return {"id": no, **getattr(supervisor, op)(**request)}
    except OSError as e:
        return {"id": no, "error": e.errno or errno.EIO, "path": e.filename or ""}


def serve(supervisor: Supervisor) -> None:
    """Answer until the kernel is gone, or somebody ends this process politely."""
    wake, woken = os.pipe()
    os.set_blocking(wake, False)
    os.set_blocking(woken, False)
    signal.set_wakeup_fd(woken, warn_on_full_buffer=False)
    # Handlers, not SIG_IGN: a server would inherit that.
    for number in (signal.SIGINT, signal.SIGHUP, signal.SIGTERM, signal.SIGCHLD):
        signal.signal(number, lambda *_: None)
    waiting = select.poll()
    waiting.register(0, select.POLLIN | select.POLLHUP)
    waiting.register(wake, select.POLLIN)
    watch = -1
    try:
        # A fork of the kernel may hold the pipe open for ever; the kernel's own end is told here.
        watch = os.pidfd_open(supervisor.parent)
        waiting.register(watch, select.POLLIN)
    except (AttributeError, OSError):
        pass
    if os.getppid() != supervisor.parent:
        return
    rest = b""
    while True:
        for fd, _ in waiting.poll():
            said: list[dict[str, object]] = []
            if fd == watch:
                return
            if fd == wake:
                if signal.SIGTERM in os.read(wake, 4096):
                    return
                said += supervisor.changes()
            else:
                got = os.read(0, 65536)
                if not got:
                    return
                *lines, rest = (rest + got).split(b"\n")
                said += [answer(supervisor, line) for line in lines]
            for one in said:
                os.write(1, json.dumps(one).encode() + b"\n")


def main(parent: int) -> None:
    """Serve the process `parent`, our own, until it is gone."""
    os.umask(0o077)
    supervisor = Supervisor(parent)
    try:
        serve(supervisor)
    except BrokenPipeError:
        pass  # the kernel's end of the pipe is gone
    finally:
        supervisor.end()
