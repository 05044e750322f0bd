"""The reading processes: `python -m connector.formats.sandbox.child FAMILY` serves, and forks a child for each job.

The server loads the readers of its family and leaves the network before it does anything else. A child reads one job,
answers, and ends; everything it says is untrusted to the parent, which decodes it against a type.
"""

import contextlib
import ctypes
import gc
import gzip
import importlib
import os
import resource
import select
import signal
import socket
import sys
import zlib
from pathlib import Path
from typing import Final, NoReturn

import msgspec

from connector.errors import InvalidInput, TooLarge
from connector.formats import registry
from connector.formats.description import Limits
from connector.formats.sandbox import warm
from connector.formats.sandbox.errand import UNPACKED, Answer, Found, Job, Refused, Unpacked
from connector.formats.sandbox.forkserver import ENDED, STARTED

CLONE_NEWUSER: Final = 0x10000000
CLONE_NEWNET: Final = 0x40000000
PR_SET_PDEATHSIG: Final = 1
PR_SET_NO_NEW_PRIVS: Final = 38
IDLE_SECONDS: Final = 300  # a server without work ends; the next job starts another
PIECE: Final = 1 << 20
FIRST_PIECES: Final = 1 << 20  # so much may come out whatever the ratio: a short text compresses well


class Server:
    """Forks children, and tells how they end. It has one thread and imports what is slow to import before it forks."""

    def __init__(self, control: socket.socket) -> None:
        self._control = control
        self._lines: dict[int, socket.socket] = {}
        self._woken, self._waker = os.pipe()
        os.set_blocking(self._waker, False)
        os.set_blocking(self._woken, False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(self._waker, warn_on_full_buffer=False)

    def serve(self) -> None:
        """Work until the parent is gone, or there was nothing to do for a while."""
        while True:
            waiting = select.poll()
            for handle in (self._control.fileno(), self._woken, *(each.fileno() for each in self._lines.values())):
                waiting.register(handle, select.POLLIN)
            ready = {handle for handle, _ in waiting.poll(IDLE_SECONDS * 1000)}
            if not ready and not self._lines:
                return
            if self._woken in ready:
                with contextlib.suppress(BlockingIOError):
                    os.read(self._woken, 4096)
            for pid, line in self._lines.items():
                if line.fileno() in ready:  # nothing is ever sent on it: the near end was closed
                    _end_all(pid)
            self._reap()
            if self._control.fileno() in ready and not self._take():
                return

    def _take(self) -> bool:
        """Fork a child for the next job; returns False when the parent is gone."""
        message, handles, _, _ = socket.recv_fds(self._control, 1, 3)
        if not message:
            return False
        talk, line, *held = handles
        pid = os.fork()
        if not pid:
            self._become_child(socket.socket(fileno=talk), line, held[0] if held else None)
        for handle in (talk, *held):
            os.close(handle)
        self._lines[pid] = socket.socket(fileno=line)
        self._say(self._lines[pid], STARTED.pack(pid))
        return True

    def _become_child(self, talk: socket.socket, line: int, held: int | None) -> NoReturn:
        """Go on as the child: nothing of the server's stays open."""
        status = 1
        try:
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            os.setsid()
            _prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
            self._control.close()
            for handle in (line, self._woken, self._waker, *(each.detach() for each in self._lines.values())):
                os.close(handle)
            _do(talk, held)
            status = 0
        finally:
            os._exit(status)  # without running anybody's exit handlers

    def _reap(self) -> None:
        """Tell of each child that ended; whatever it started ends too."""
        for pid in list(self._lines):
            # The id stays the child's until it is waited for, so that nobody else is killed.
            if os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None:
                continue
            _end_all(pid)
            status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
            with self._lines.pop(pid) as line:
                self._say(line, ENDED.pack(status))

    @staticmethod
    def _say(line: socket.socket, what: bytes) -> None:
        with contextlib.suppress(OSError):  # nobody wants to know any more
            line.send(what)

    def close(self) -> None:
        """End all children."""
        for pid in self._lines:
            _end_all(pid)


def _end_all(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.kill(pid, signal.SIGKILL)
    with contextlib.suppress(ProcessLookupError, PermissionError):  # it may not have made its group yet
        os.killpg(pid, signal.SIGKILL)


def main() -> None:
    """Serve the family that the command names."""
    leave_network()
    _prctl(PR_SET_NO_NEW_PRIVS, 1)
    control = socket.socket(fileno=os.dup(0))
    os.dup2(1, 0)  # standard input, output and error are the null device, for C libraries that print
    load(sys.argv[1])
    gc.collect()
    gc.freeze()  # children share these pages
    server = Server(control)
    try:
        server.serve()
    finally:
        server.close()


def load(family: str) -> None:
    """Import the readers of a family and the libraries they need; what is not installed is said at the job."""
    # First of all: a library that brings a PROJ of its own may otherwise be found by this one.
    for name in ("pyproj", *registry.modules(family), "numpy.ma"):
        with contextlib.suppress(ImportError):
            importlib.import_module(name)
    warm.up(family)


def _do(talk: socket.socket, held: int | None) -> None:
    """Do one job, under its limits."""
    raw = bytearray()
    while piece := talk.recv(1 << 16):
        raw += piece
    job = msgspec.json.decode(raw, type=Job)
    os.chdir(job.folder)
    os.environ.update(HOME=job.folder, TMPDIR=job.folder)  # noqa: TID251 - this process is the file's alone
    if job.held and held is not None:
        Path(job.path).symlink_to(f"/proc/self/fd/{held}")
    confine(job.limits, 0 if job.format else job.limits.unpacked_bytes)
    talk.sendall(msgspec.json.encode(work(job)))


def confine(limits: Limits, written: int = 0) -> None:
    """Set the limits on this process; none can be raised again. `written` is the size of a file that it may write."""
    for what, value in (
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_FSIZE, written),
        (resource.RLIMIT_NOFILE, limits.open_files),
        (resource.RLIMIT_AS, limits.memory_bytes),
        (resource.RLIMIT_CPU, limits.cpu_seconds),
    ):
        # SIGXCPU says why the process ends; at the hard limit, a second later, there is only SIGKILL.
        grace = 1 if what == resource.RLIMIT_CPU else 0
        hard = resource.getrlimit(what)[1]
        limit = value + grace if hard == resource.RLIM_INFINITY else min(value + grace, hard)
        resource.setrlimit(what, (min(value, limit), limit))


def leave_network() -> bool:
    """Move into a network namespace without interfaces; False where the system does not allow it.

    Without it the dead proxies and the readers' own guards are what is left, as on systems other than Linux.
    """
    if not sys.platform.startswith("linux"):
        return False
    return bool(ctypes.CDLL(None).unshare(CLONE_NEWUSER | CLONE_NEWNET) == 0)


def _prctl(option: int, value: int) -> None:
    if sys.platform.startswith("linux"):
        ctypes.CDLL(None).prctl(option, value, 0, 0, 0)


def work(job: Job) -> Answer:
    """Read the file; a refusal is an answer, and so is a reader that stumbles over the file."""
    try:
        if job.format is None:
            return unpack(Path(job.path), job.limits)
        return Found(facts=registry.by_name(job.format).describe(Path(job.path), job.limits))
    except InvalidInput as no:
        return Refused(
            message=no.message, where=no.where, fix=no.fix, reasons=no.reasons, too_large=isinstance(no, TooLarge)
        )
    except MemoryError:
        return Refused(message="Reading the file takes more memory than allowed.", too_large=True)
    except Exception as error:  # noqa: BLE001 - a foreign file may make a reader raise anything; the parent refuses it
        # The text of a library's error may quote the file or paths of this machine: only its kind is passed on.
        return Refused(message=f"The file cannot be read: the reader stopped with {type(error).__name__}.")


def unpack(path: Path, limits: Limits) -> Unpacked:
    """Unpack a gzip file to its neighbour `UNPACKED`.

    Raises:
        TooLarge: more comes out than `unpacked_bytes`, or than `unpacked_ratio` times what goes in.
        InvalidInput: it is damaged or incomplete.
    """
    most = min(limits.unpacked_bytes, max(FIRST_PIECES, path.stat().st_size * limits.unpacked_ratio))
    size = 0
    try:
        with gzip.open(path) as packed, path.with_name(UNPACKED).open("xb") as out:
            while piece := packed.read(PIECE):
                size += len(piece)
                if size > most:
                    raise TooLarge(f"The file is compressed, and more than {most} bytes come out of it.")
                out.write(piece)
    except (zlib.error, gzip.BadGzipFile, EOFError) as error:
        how = "truncated" if isinstance(error, EOFError) else "damaged"
        raise InvalidInput(f"The file is compressed with gzip and {how}.", fix="Fetch it again.") from error
    return Unpacked(size=size)


if __name__ == "__main__":
    main()
