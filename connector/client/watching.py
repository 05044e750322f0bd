"""A watched folder: each new file is uploaded, drafted, completed from a template, registered and offered.

    for outcome in Watch(space, Path("/data/incoming"), Template(licence=CC_BY)).look():
        print(outcome.file, outcome.id or outcome.error)

Every step gives the same result when it is done again, and what became of a file is written down only after it is done.
So whoever stops a watch in the middle, even by force, and starts it again gets no dataset or offer twice.
"""

import fcntl
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final, Self

import msgspec

from connector.client.spaces import Space
from connector.errors import Busy, Conflict, Denied, InvalidInput, PeerFailed, Refusal, Unauthenticated

JOURNAL: Final = ".greendeal-watch.jsonl"
Stamp = tuple[int, int]
"""Size in bytes and time of the last change in nanoseconds: a file whose stamp stays is whole, and unchanged."""


class Template(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the records of a folder have in common.

    Attributes:
        record: fields of the plain form of a record; they take the place of the drafted ones.
        licence: IRI of the licence of each file, where the file does not name one itself.
        offer: the arguments of `Space.offer` apart from the dataset; none: the datasets are not offered.
        profile: the profile that the records are held to.
    """

    record: dict[str, Any] = {}
    licence: str | None = None
    offer: dict[str, Any] | None = None
    profile: str = "dcat-ap"


class Outcome(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What became of a file: `id` and `version` of its dataset and the `offer`, or the `error` (what, where, fix)."""

    file: str
    size: int
    changed: int
    id: str | None = None
    version: int | None = None
    offer: str | None = None
    error: dict[str, str | None] | None = None


class Watch:
    """A folder that is looked at again and again; one at a time may watch it.

    Args:
        space: the connector that the files go to.
        folder: watched with all folders below it; hidden files and links are not looked at.
        template: what the records have in common.
        journal: where outcomes are written down; a hidden file in the folder when it is not said.

    Raises:
        InvalidInput: there is no such folder, or somebody else watches it.
    """

    def __init__(self, space: Space, folder: Path, template: Template, journal: Path | None = None) -> None:
        if not folder.is_dir():
            raise InvalidInput("There is no such folder.", where=str(folder))
        self._space = space
        self._folder = folder
        self._template = template
        self._last: dict[str, Stamp] = {}
        self._journal = (journal or folder / JOURNAL).open("a+b")
        try:
            fcntl.flock(self._journal, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            self._journal.close()
            raise InvalidInput("This folder is being watched already.", where=str(folder)) from error
        self._done = self._written()

    def __enter__(self) -> Self:
        """Watch."""
        return self

    def __exit__(self, *_: object) -> None:
        """Let others watch."""
        self._journal.close()

    def look(self) -> Iterator[Outcome]:
        """Take every file that is new or changed and has the same stamp as at the last look.

        Raises:
            PeerFailed: the connector does not answer; look again later.
            Busy: it has no time; look again later.
            Denied: the key may not register datasets.
        """
        seen = dict(self._files())
        whole = [name for name, stamp in seen.items() if self._last.get(name) == stamp]
        self._last = seen
        for name in whole:
            before = self._done.get(name)
            if before is None or (before.size, before.changed) != seen[name]:
                outcome = self._take(name, seen[name], before.id if before else None)
                if outcome is not None:
                    self._write(outcome)
                    yield outcome

    @property
    def waiting(self) -> bool:
        """Whether the last look saw files that it has not taken."""
        return any(
            (before := self._done.get(name)) is None or (before.size, before.changed) != stamp
            for name, stamp in self._last.items()
        )

    def _files(self) -> Iterator[tuple[str, Stamp]]:
        for folder, folders, files in os.walk(self._folder):
            folders[:] = sorted(name for name in folders if not name.startswith("."))
            for name in sorted(files):
                path = Path(folder, name)
                if name.startswith(".") or path.is_symlink():
                    continue
                stamp = _stamp(path)
                if stamp is not None:
                    yield str(path.relative_to(self._folder)), stamp

    def _take(self, name: str, stamp: Stamp, known: str | None) -> Outcome | None:
        """Register a file, as a new version of the dataset `known`; None when it changed on the way."""
        path = self._folder / name
        size, changed = stamp
        try:
            record = self._space.draft(path).record
            if _stamp(path) != stamp:
                return None
            done = self._space.register(completed(record, self._template, known), self._template.profile)
            made = self._space.offer(done["id"], **self._template.offer) if self._template.offer else {}
        except (PeerFailed, Busy, Denied, Unauthenticated):
            raise  # this is not about the file
        except FileNotFoundError:
            return None
        except (Refusal, OSError) as no:
            return Outcome(file=name, size=size, changed=changed, id=known, error=_error(no, name))
        return Outcome(
            file=name, size=size, changed=changed, id=done["id"], version=done["version"], offer=made.get("id")
        )

    def _written(self) -> dict[str, Outcome]:
        """Return what was written down; what a crash left half written is cut off."""
        self._journal.seek(0)
        raw = self._journal.read()
        whole = raw[: raw.rfind(b"\n") + 1]
        if len(whole) < len(raw):
            self._journal.truncate(len(whole))
        try:
            found = [msgspec.json.decode(line, type=Outcome) for line in whole.splitlines()]
        except msgspec.DecodeError as error:
            where = self._journal.name
            raise Conflict("What was written down of this folder cannot be read.", where=where) from error
        return {each.file: each for each in found}

    def _write(self, outcome: Outcome) -> None:
        self._journal.write(msgspec.json.encode(outcome) + b"\n")
        self._journal.flush()
        os.fsync(self._journal.fileno())
        self._done[outcome.file] = outcome


def completed(record: Mapping[str, Any], template: Template, known: str | None = None) -> dict[str, Any]:
    """Return a drafted record with what the template adds, under the id `known` if it is a new version of that one."""
    whole: dict[str, Any] = _renamed(dict(record), str(record["id"]), known) if known else dict(record)
    if template.licence:
        files = whole.get("distribution", ())
        whole["distribution"] = [{"licence": template.licence, **file} for file in files]
    return {**whole, **template.record}


def _renamed(value: Any, old: str, new: str) -> Any:
    """Return a record with another id, wherever it or an address below it stands."""
    if isinstance(value, Mapping):
        return {key: _renamed(each, old, new) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_renamed(each, old, new) for each in value]
    if isinstance(value, str) and (value == old or value.startswith((f"{old}#", f"{old}/"))):
        return new + value.removeprefix(old)
    return value


def _stamp(path: Path) -> Stamp | None:
    """Return the stamp of a regular file that holds something; None for others."""
    try:
        found = path.stat(follow_symlinks=False)
    except OSError:
        return None
    return (found.st_size, found.st_mtime_ns) if path.is_file() and found.st_size else None


def _error(no: Refusal | OSError, name: str) -> dict[str, str | None]:
    if isinstance(no, Refusal):
        what = " ".join([no.message, *no.reasons])
        return {"what": what, "where": no.where or name, "fix": no.fix}
    return {"what": f"The file cannot be read: {no.strerror}.", "where": name, "fix": None}
