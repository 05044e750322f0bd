"""Reading a foreign file in a process of its own. The parent only stages, waits, counts bytes and checks the answer.

The parsers are large C libraries with open memory bugs, and by default several of them follow names inside a file to
other files and to the network. So the wall is the process, and the readers' own guards are the second line:

- the file is put under a name of ours into an empty folder without following links (see `staging`);
- a child that has no environment of ours, its own rlimits and no network reads it (see `forkserver` and `child`);
- its answer is one JSON value over a socket, cut off at a length, decoded here against a type;
- a clock in the parent kills it; a child that dies by a signal means that the file crashes the reader.
"""

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final, TypeVar

import msgspec

from connector.errors import Busy, InvalidInput, TooLarge
from connector.formats import registry
from connector.formats.description import Description, Facts, Limits, describe_file
from connector.formats.registry import Format, detect, detect_folder, file_type_iri
from connector.formats.sandbox.errand import UNPACKED, Answer, Found, Job, Refused, Unpacked, answers
from connector.formats.sandbox.forkserver import servers
from connector.formats.sandbox.staging import Staged, stage, unpacked

READERS: Final = 2  # children at a time: each may take its whole memory limit
CRASHES: Final = "The file crashes the reader"
GZIP_MAGIC: Final = b"\x1f\x8b\x08"
Progress = Callable[[int, int], None]
"""Is told now and then how many bytes of how many were read."""
Kind = TypeVar("Kind", bound=Answer)
_slots = threading.BoundedSemaphore(READERS)


def describe(
    path: Path,
    *,
    limits: Limits | None = None,
    filename: str | None = None,
    sha256: str | None = None,
    progress: Progress | None = None,
) -> Description:
    """Say what the file or folder at `path` holds; blocks as long as reading takes, so call it from a worker thread.

    Args:
        path: a regular file, or a folder that is one dataset (a Zarr store, a SAFE product). Links are refused.
        limits: what the reading may cost; see `Limits` for the defaults.
        filename: the name the file had with its provider, when `path` has another; it decides where content does not.
        sha256: the checksum where it is known. The file is not read for it.
        progress: see `Progress`; not told of files whose header is enough.

    Raises:
        InvalidInput: the format is not known, its extra is not installed, or the file is broken or hostile.
        TooLarge: the file, or reading it, goes beyond the limits.
        NotFound: there is no such file.
        Busy: two files are being read, and neither was done within `limits.wait_seconds`.
    """
    limits = limits or Limits()
    name = filename or path.name
    with stage(path, name, limits) as staged, _slot(limits):
        found = _describe(staged, name, limits, progress)
    return msgspec.structs.replace(found, sha256=sha256)


def _describe(staged: Staged, name: str, limits: Limits, progress: Progress | None) -> Description:
    if not staged.head.startswith(GZIP_MAGIC):
        chosen = detect(staged.head, name) if staged.head else detect_folder(staged.names, name)
        return _described(_ask(Found, chosen, staged, limits, name, progress).facts, chosen, staged.size)
    size = _ask(Unpacked, None, staged, limits, name, progress).size
    inner = unpacked(staged.workplace / UNPACKED)
    if inner.head.startswith(GZIP_MAGIC):
        raise InvalidInput("The file is compressed twice.", where=name, fix="Compress it once.")
    chosen = detect(inner.head, name[: -len(".gz")] if name.lower().endswith(".gz") else name)
    facts = _ask(Found, chosen, inner, limits, name, progress).facts
    note = f"The file is compressed with gzip; {size} bytes come out of it."
    found = _described(msgspec.structs.replace(facts, notes=(*facts.notes, note)), chosen, staged.size)
    return msgspec.structs.replace(found, compressed=True)


def _described(facts: Facts, chosen: Format, size: int) -> Description:
    return describe_file(
        facts,
        reader=chosen.name,
        media_type=chosen.media_type,
        file_type=file_type_iri(chosen.file_type),
        size=size,
        sha256=None,
    )


@contextmanager
def _slot(limits: Limits) -> Iterator[None]:
    """Hold one of the places for readers."""
    if not _slots.acquire(timeout=limits.wait_seconds):
        raise Busy(f"{READERS} files are being read already.", fix="Try again in a moment.")
    try:
        yield
    finally:
        _slots.release()


def _ask(
    kind: type[Kind], chosen: Format | None, staged: Staged, limits: Limits, name: str, progress: Progress | None
) -> Kind:
    """Let a child read or unpack what is staged, and return its answer; `name` is what refusals call the file."""
    seconds = staged.size // limits.bytes_per_second
    limits = msgspec.structs.replace(
        limits, cpu_seconds=limits.cpu_seconds + seconds, wall_seconds=limits.wall_seconds + seconds
    )
    job = Job(
        format=chosen.name if chosen else None,
        path=str(staged.path),
        folder=str(staged.workplace),
        limits=limits,
        held=staged.held is not None,
    )
    family = registry.family(chosen) if chosen else registry.CORE
    told = (lambda done: progress(min(done, staged.size), staged.size)) if progress else None
    bounds = (limits.wall_seconds, limits.answer_bytes)
    try:
        raw, status = servers.run(family, msgspec.json.encode(job), bounds, told, staged.held)
    except InvalidInput as no:
        raise type(no)(no.message, where=name) from no
    if status:
        raise InvalidInput(_epitaph(status), where=name, fix="Check the file with the tool that wrote it.")
    try:
        answer = answers.decode(raw)
    except (msgspec.DecodeError, RecursionError) as error:
        raise InvalidInput("The reader gave an answer that is no description.", where=name) from error
    if isinstance(answer, Refused):
        refusal = TooLarge if answer.too_large else InvalidInput
        raise refusal(answer.message, where=answer.where or name, fix=answer.fix, reasons=answer.reasons)
    if not isinstance(answer, kind):
        raise InvalidInput("The reader gave an answer to another question.", where=name)
    return answer


def _epitaph(status: int) -> str:
    """Say in one sentence how the child ended."""
    if status > 0:
        return f"The reader gave up (exit status {status})."
    if -status == signal.SIGXCPU:
        return "Reading the file takes more computing time than allowed."
    known = {int(each): each.name for each in signal.Signals}
    return f"{CRASHES} ({known.get(-status, -status)})."
