"""Reading a foreign file in a process of its own. The parent only stages, waits, counts bytes and checks the answer.

The parsers are large C libraries with open memory bugs, and by default several of them follow names inside a file to
other files and to the network. So the wall is the process, and the readers' own guards are the second line:

- the file is linked (or copied) under a name of ours into an empty folder and opened without following links; a
  dataset that is a folder is read where it lies, once it is seen to hold nothing but files and folders;
- the child starts with an empty environment (`ENVIRONMENT` apart), sets its own rlimits, and leaves the network;
- its answer is one JSON value over a pipe, cut off at a length, decoded here against a type;
- a clock in the parent kills it; a child that dies by a signal means that the file crashes the reader.
"""

import contextlib
import hashlib
import os
import selectors
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from io import BufferedReader
from pathlib import Path
from typing import IO, Final

import msgspec
from msgspec import Struct

from connector.errors import Busy, InvalidInput, NotFound, TooLarge
from connector.formats import folders
from connector.formats.description import Description, Facts, Limits, describe_file
from connector.formats.registry import HEAD_BYTES, Format, detect, detect_folder, file_type_iri

READERS: Final = 2  # children at a time: each may take its whole memory limit
DEAD: Final = "http://127.0.0.1:9"
ENVIRONMENT: Final = {
    "LC_ALL": "C.UTF-8",
    "PYTHONUTF8": "1",
    "PYTHONDONTWRITEBYTECODE": "1",
    # One thread per library: threads cost address space, which is limited, and the work is header reading.
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
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
CRASHES: Final = "The file crashes the reader"
_slots = threading.BoundedSemaphore(READERS)


class Job(Struct, frozen=True, kw_only=True):
    """What the child is told: which format reads which staged file under which limits."""

    format: str
    path: str
    limits: Limits


class Found(Struct, frozen=True, kw_only=True, tag="found"):
    """The reader's answer."""

    facts: Facts


class Refused(Struct, frozen=True, kw_only=True, tag="refused"):
    """The reader's refusal, to be raised again in the parent."""

    message: str
    where: str | None = None
    fix: str | None = None
    reasons: tuple[str, ...] = ()
    too_large: bool = False


_answers = msgspec.json.Decoder(Found | Refused)


def describe(
    path: Path, *, limits: Limits | None = None, filename: str | None = None, sha256: str | None = None
) -> Description:
    """Say what the file at `path` holds; blocks for 0.3 to a few seconds, so call it from a worker thread.

    Args:
        path: a regular file, or the folder of a format that has folders; a symbolic link is refused.
        limits: what the reading may cost; see `Limits` for the defaults.
        filename: the name the file had with its provider, when `path` has another; it decides where content does not.
        sha256: the checksum when it is already known; computed otherwise.

    Raises:
        InvalidInput: the format is not known, its extra is not installed, or the file is broken or hostile.
        TooLarge: the file, or reading it, goes beyond the limits.
        NotFound: there is no such file.
        Busy: two files are being read, and neither was done within `limits.wait_seconds`.
    """
    limits = limits or Limits()
    name = filename or path.name
    if path.is_dir() and not path.is_symlink():
        return _describe_folder(path, name, limits, sha256)
    with _stage(path, name, limits) as staged:
        with _open(staged, name) as file:
            size = os.fstat(file.fileno()).st_size
            chosen = detect(file.read(HEAD_BYTES), name)
            file.seek(0)
            digest = sha256 or hashlib.file_digest(file, "sha256").hexdigest()
        facts = read(staged, chosen, limits, name)
    return describe_file(
        facts,
        reader=chosen.name,
        media_type=chosen.media_type,
        file_type=file_type_iri(chosen.file_type),
        size=size,
        sha256=digest,
    )


def _describe_folder(path: Path, name: str, limits: Limits, sha256: str | None) -> Description:
    """Say what a dataset of many files holds. It is read where it lies: nothing in it is a link or leads outside."""
    root = path.resolve()
    found = folders.survey(root, name, limits)
    chosen = detect_folder(found.names, name)
    facts = read(root, chosen, limits, name)
    return describe_file(
        facts,
        reader=chosen.name,
        media_type=chosen.media_type,
        file_type=file_type_iri(chosen.file_type),
        size=found.size,
        sha256=sha256 or folders.checksum(root, found),
    )


def read(staged: Path, chosen: Format, limits: Limits, name: str) -> Facts:
    """Let `chosen` read the file at `staged` in a child; `name` is what refusals call the file."""
    if not _slots.acquire(timeout=limits.wait_seconds):
        raise Busy(f"{READERS} files are being read already.", fix="Try again in a moment.")
    try:
        with _workplace(staged) as workplace:
            raw = _run(Job(format=chosen.name, path=str(staged), limits=limits), workplace, name)
    finally:
        _slots.release()
    try:
        answer = _answers.decode(raw)
    except (msgspec.DecodeError, RecursionError) as error:
        raise InvalidInput("The reader gave an answer that is no description.", where=name) from error
    if isinstance(answer, Refused):
        kind = TooLarge if answer.too_large else InvalidInput
        raise kind(answer.message, where=answer.where or name, fix=answer.fix, reasons=answer.reasons)
    found: Facts = answer.facts
    return found


@contextlib.contextmanager
def _workplace(staged: Path) -> Iterator[Path]:
    """Give the child a folder to be in: that of its staged file, an empty one beside no data for a folder."""
    if not staged.is_dir():
        yield staged.parent
        return
    with tempfile.TemporaryDirectory(prefix="describe-") as folder:
        yield Path(folder)


@contextlib.contextmanager
def _stage(path: Path, name: str, limits: Limits) -> Iterator[Path]:
    """Put the file alone into a new folder under a name of ours, by hard link where possible."""
    with _open(path, name) as source:
        found = os.fstat(source.fileno())
        if found.st_size > limits.file_bytes:
            raise TooLarge(f"The file has {found.st_size} bytes; {limits.file_bytes} are allowed.", where=name)
        if not found.st_size:
            raise InvalidInput("The file is empty.", where=name)
        with tempfile.TemporaryDirectory(prefix="describe-") as folder:
            staged = Path(folder) / "file"
            _place(path, source, staged)
            yield staged


def _place(path: Path, source: IO[bytes], target: Path) -> None:
    """Link `path`, already open as `source`, to `target`; copy where a link is not possible."""
    found = os.fstat(source.fileno())
    if found.st_uid == os.geteuid():  # the child keeps no right but its owner's
        with contextlib.suppress(OSError):  # another file system, or hard links forbidden
            os.link(path, target, follow_symlinks=False)
            if os.path.samestat(target.lstat(), found):
                return
            target.unlink()  # the name was exchanged after it was opened: what was opened counts
    with target.open("xb") as out:
        shutil.copyfileobj(source, out, 1 << 20)


@contextlib.contextmanager
def _open(path: Path, name: str) -> Iterator[BufferedReader]:
    """Open a regular file without following a link in its last component and without blocking on a pipe."""
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError as error:
        raise NotFound("file", name) from error
    except OSError as error:
        raise InvalidInput(f"The file cannot be opened: {error.strerror}.", where=name) from error
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        raise InvalidInput("This is not a regular file.", where=name)
    with os.fdopen(handle, "rb") as file:
        yield file


def _run(job: Job, workplace: Path, name: str) -> bytes:
    """Start the child in the folder `workplace`, hand it the job, and return its whole answer."""
    folder = os.fspath(workplace)
    # The child must find what the parent finds, plug-ins too, wherever they were put on the path.
    modules = os.pathsep.join(os.path.abspath(entry) for entry in sys.path)  # noqa: PTH100 - "" is here, links stay
    with subprocess.Popen(
        [sys.executable, "-P", "-s", "-m", "connector.formats.child"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        cwd=folder,
        env={**ENVIRONMENT, "PYTHONPATH": modules, "HOME": folder, "TMPDIR": folder},
        start_new_session=True,
    ) as child:
        try:
            raw = _converse(child, msgspec.json.encode(job), job.limits, name)
        except BaseException:
            _kill(child)
            raise
    if child.returncode:
        raise InvalidInput(_epitaph(child.returncode), where=name, fix="Check the file with the tool that wrote it.")
    return raw


def _converse(child: subprocess.Popen[bytes], job: bytes, limits: Limits, name: str) -> bytes:
    """Write the job, then read until the child closes its end; a clock and a length stop it."""
    stdin, stdout = child.stdin, child.stdout
    if stdin is None or stdout is None:  # pragma: no cover - both are pipes by construction
        raise RuntimeError("The child has no pipes.")
    with contextlib.suppress(BrokenPipeError):  # it died at once: its exit status says so
        stdin.write(job)  # smaller than a pipe's buffer, so this does not wait
        stdin.close()
    deadline = time.monotonic() + limits.wall_seconds
    raw = bytearray()
    with selectors.DefaultSelector() as ready:
        ready.register(stdout, selectors.EVENT_READ)
        while ready.select(max(0.0, deadline - time.monotonic())):
            chunk = os.read(stdout.fileno(), 1 << 16)
            raw += chunk
            if len(raw) > limits.answer_bytes:
                raise TooLarge(f"The description is longer than {limits.answer_bytes} bytes.", where=name)
            if not chunk:
                child.wait(timeout=max(1.0, deadline - time.monotonic()))
                return bytes(raw)
    raise TooLarge(f"Reading the file took longer than {limits.wall_seconds:g} seconds.", where=name)


def _kill(child: subprocess.Popen[bytes]) -> None:
    """End the child and whatever it started."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(child.pid, signal.SIGKILL)
    child.kill()


def _epitaph(status: int) -> str:
    """Say in one sentence how the child ended."""
    if status > 0:
        return f"The reader gave up (exit status {status})."
    if -status == signal.SIGXCPU:
        return "Reading the file takes more computing time than allowed."
    known = {int(each): each.name for each in signal.Signals}
    return f"{CRASHES} ({known.get(-status, -status)})."
