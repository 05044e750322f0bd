"""The reading processes: one server for each set of readers, which has them loaded and forks a child for each job.

Loading a reader takes longer than reading a file's header with it, so it is done once. The server itself never opens a
foreign file: it waits, forks, and tells how its children ended. A child that dies takes nothing with it; a server that
dies is started again at the next job. Each job has two connections of its own, whose far ends travel to the server:

- `talk` is the child's: the job goes in, the answer comes out;
- `line` is the server's: it says which process the child is, and how it ended, and when the near end of it is closed
  the child and all that it started are killed. So a job lives no longer than the interest in it.

The server has no secrets: it starts with `ENVIRONMENT` and nothing else, and inherits no open file.
"""

import atexit
import contextlib
import os
import selectors
import socket
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from connector.errors import Busy, InvalidInput, TooLarge

DEAD: Final = "http://127.0.0.1:9"
ENVIRONMENT: Final = {
    "LC_ALL": "C.UTF-8",
    "PYTHONUTF8": "1",
    "PYTHONDONTWRITEBYTECODE": "1",
    # One thread per library: threads cost address space, which is limited, and do not survive a fork.
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "ARROW_DEFAULT_MEMORY_POOL": "system",
    "JE_ARROW_MALLOC_CONF": "background_thread:false",
    "GDAL_NUM_THREADS": "1",
    "GDAL_CACHEMAX": "64",
    # A raster may not pull in siblings, side files, plug-ins or sources by URL.
    "GDAL_DISABLE_READDIR_ON_OPEN": "EMPTY_DIR",
    "GDAL_PAM_ENABLED": "NO",
    "GDAL_SKIP": "VRT,WMS,WMTS,WCS,HTTP,PLMOSAIC,STACIT,STACTA,DERIVED,GTI",
    "OGR_SKIP": "OGR_VRT,WFS,OAPIF,HTTP",
    "GDAL_DRIVER_PATH": "disable",
    "CPL_VSIL_CURL_ALLOWED_EXTENSIONS": ".none",
    "GDAL_HTTP_PROXY": DEAD,
    "PROJ_NETWORK": "OFF",
    # HDF5 loads filter plug-ins by path when a file names a filter it lacks.
    "HDF5_PLUGIN_PRELOAD": "::",
    "HDF5_USE_FILE_LOCKING": "FALSE",
    "http_proxy": DEAD,
    "https_proxy": DEAD,
    "ftp_proxy": DEAD,
    "all_proxy": DEAD,
}
TRIES: Final = 2  # a server may have ended, for want of work, just as a job came
PROGRESS_SECONDS: Final = 0.5
REAP_SECONDS: Final = 10.0
STANDARD: Final = 2  # handles up to here are no files of a child
STARTED: Final = struct.Struct("=i")  # which process the child is
ENDED: Final = struct.Struct("=i")  # how it ended, as `os.waitstatus_to_exitcode` has it

Progress = Callable[[int], None]
"""Is told now and then how many bytes of the file were read so far."""


class Lost(Exception):  # noqa: N818 - reads as what happened
    """The server went away before it said how its child ended."""


@dataclass(slots=True)
class Line:
    """The near ends of one job's two connections."""

    talk: socket.socket
    line: socket.socket
    pid: int = 0

    def kill(self) -> None:
        """End the child, and wait until it is gone."""
        with contextlib.suppress(OSError):
            self.line.shutdown(socket.SHUT_WR)
        with contextlib.suppress(OSError, TimeoutError):
            self.line.settimeout(REAP_SECONDS)
            while self.line.recv(64):
                pass


class Server:
    """One server process; `send` may be called by several threads."""

    def __init__(self, family: str, path: Sequence[str]) -> None:
        near, far = socket.socketpair()
        modules = os.pathsep.join(path)
        with far:
            self._process = subprocess.Popen(  # noqa: S603 - our own program
                [sys.executable, "-P", "-s", "-m", "connector.formats.sandbox.child", family],
                stdin=far.fileno(),
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                cwd="/",
                env={**ENVIRONMENT, "PYTHONPATH": modules, "HOME": "/", "TMPDIR": "/"},
                start_new_session=True,
            )
        self._control = near
        self._lock = threading.Lock()

    def send(self, held: int | None) -> Line:
        """Ask for a child; returns the near ends of its connections.

        Args:
            held: an open file that the child is to have.

        Raises:
            OSError: the server is gone.
        """
        talk, far_talk = socket.socketpair()
        line, far_line = socket.socketpair()
        with far_talk, far_line:
            given = [far_talk.fileno(), far_line.fileno(), *([] if held is None else [held])]
            try:
                with self._lock:
                    socket.send_fds(self._control, [b"j"], given)
            except BaseException:
                talk.close()
                line.close()
                raise
        return Line(talk, line)

    def close(self) -> None:
        """End the server, with its children, and wait for it."""
        self._control.close()
        try:
            self._process.wait(REAP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


class Servers:
    """The servers of this program, each started at the first job for it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._running: dict[tuple[str, tuple[str, ...]], Server] = {}
        self._closed = False

    def run(
        self,
        family: str,
        job: bytes,
        limits: tuple[float, int],
        progress: Progress | None = None,
        held: int | None = None,
    ) -> tuple[bytes, int]:
        """Have a job done; returns the child's answer and exit status.

        Args:
            family: whose readers are needed; see `registry`.
            job: an encoded `Job`.
            limits: seconds that it may take, and bytes that its answer may have.
            progress: see `Progress`.
            held: an open file that the child is to have.

        Raises:
            TooLarge: it goes beyond the limits.
            InvalidInput: the server was lost with the job, twice.
            Busy: the program is ending.
        """
        # The child must find what the parent finds, plug-ins too, wherever they were put on the path.
        path = tuple(os.path.abspath(entry) for entry in sys.path)  # noqa: PTH100 - "" is here, links stay
        for _ in range(TRIES):
            server = self._server(family, path)
            try:
                line = server.send(held)
            except OSError:
                self._drop(server)
                continue
            with line.talk, line.line:
                try:
                    return _converse(line, job, limits, progress)
                except Lost:
                    self._drop(server)
                finally:
                    line.kill()
        raise InvalidInput("The reading process was lost, and so was the next one.")

    def _server(self, family: str, path: tuple[str, ...]) -> Server:
        with self._lock:
            if self._closed:
                raise Busy("The program is ending; the file was not read.")
            if (family, path) not in self._running:
                self._running[family, path] = Server(family, path)
            return self._running[family, path]

    def _drop(self, server: Server) -> None:
        """Forget a server that is gone."""
        with self._lock:
            self._running = {key: each for key, each in self._running.items() if each is not server}
        server.close()

    def close(self) -> None:
        """End all servers, and whatever their children are at; no other is started."""
        with self._lock:
            self._closed = True
            running, self._running = self._running, {}
        for each in running.values():
            each.close()

    def forget(self) -> None:
        """Leave the servers to the process that started them: this one is a copy of it."""
        self.__init__()  # type: ignore[misc]


def _converse(line: Line, job: bytes, limits: tuple[float, int], progress: Progress | None) -> tuple[bytes, int]:
    """Hand over the job, then read until the child closes its end and the server says how it ended."""
    seconds, most = limits
    deadline = time.monotonic() + seconds
    with contextlib.suppress(BrokenPipeError, ConnectionResetError):  # it died at once: the server says how
        line.talk.sendall(job)
        line.talk.shutdown(socket.SHUT_WR)
    answer, said = bytearray(), bytearray()
    with selectors.DefaultSelector() as ready:
        ready.register(line.talk, selectors.EVENT_READ, answer)
        ready.register(line.line, selectors.EVENT_READ, said)
        while ready.get_map():
            rest = deadline - time.monotonic()
            if rest <= 0:
                raise TooLarge(f"Reading the file took longer than {seconds:g} seconds.")
            for key, _ in ready.select(min(rest, PROGRESS_SECONDS) if progress else rest):
                chunk = _received(key.fileobj)
                key.data.extend(chunk)
                if not chunk or len(said) >= STARTED.size + ENDED.size:
                    ready.unregister(key.fileobj)
            if len(answer) > most:
                raise TooLarge(f"The description is longer than {most} bytes.")
            if progress and len(said) >= STARTED.size:
                _tell(STARTED.unpack_from(said)[0], progress)
    if len(said) < STARTED.size + ENDED.size:
        raise Lost
    return bytes(answer), ENDED.unpack_from(said, STARTED.size)[0]


def _received(end: object) -> bytes:
    try:
        return end.recv(1 << 16) if isinstance(end, socket.socket) else b""
    except ConnectionResetError:  # closed there with something of ours unread
        return b""


def _tell(pid: int, progress: Progress) -> None:
    """Tell how far the child has come in any file that it has open, where the system shows it (Linux does)."""
    furthest = 0
    with contextlib.suppress(OSError):  # the child is gone, or the system does not show it
        for each in Path(f"/proc/{pid}/fdinfo").iterdir():
            if int(each.name) > STANDARD:
                furthest = max(furthest, int(each.read_text("ascii").partition("\n")[0].removeprefix("pos:")))
    if furthest:
        progress(furthest)


servers: Final = Servers()
atexit.register(servers.close)
os.register_at_fork(after_in_child=servers.forget)
