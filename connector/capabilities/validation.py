"""Validation: compiled shapes find, pySHACL judges whatever is refused, and their disagreement raises an alarm.

A record in which nothing is found is accepted at once; a sample of those is judged by pySHACL afterwards. Where the two
differ, pySHACL wins, the log says so, a counter grows, and from then on pySHACL alone judges by those shapes, until
the connector starts anew with shapes or a version that agree.
"""

import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from random import random
from tempfile import TemporaryDirectory
from typing import Any, Final, Literal, Protocol

from pyoxigraph import Triple

from connector.errors import Busy, Conflict, InvalidInput, NotFound, Refusal
from connector.standards.dcat import shacl
from connector.standards.dcat.shacl import profiles
from connector.standards.dcat.shacl.adding import check_name, inspect
from connector.standards.dcat.shacl.results import Result, multiset
from connector.standards.dcat.shacl.sentences import Language
from connector.standards.rdf import Triples
from connector.storage.judging import Judges

Count = Literal["checked", "judged", "audited", "differences", "unjudged"]
PROFILES: Final = "profiles"
"""The folder in the data folder where added profiles lie."""
_WAITING: Final = 100  # records that may wait for their audit; more are let go
_SHOWN: Final = 5
_LARGEST: Final = 5 * 1024 * 1024


class PySHACL(Protocol):
    """What judges: see `storage.judging.Judges`."""

    def results(self, shapes: shacl.ShapeSet, record: Triples, background: Triples = ()) -> Sequence[Result]:
        """Return what pySHACL finds."""

    def start(self) -> None:
        """Load what is needed, before it is needed."""

    def close(self) -> None:
        """Let go of the process."""


class Validation:
    """Holds records to profiles.

    Args:
        judges: pySHACL, in a process of its own.
        folder: where the profiles lie that a user added; None for none.
        audit: share of the accepted records that pySHACL judges afterwards, from 0 to 1.
        chance: gives a number from 0 up to 1 at random.
    """

    def __init__(
        self, judges: PySHACL, folder: Path | None = None, audit: float = 0.0, chance: Callable[[], float] = lambda: 1.0
    ) -> None:
        self.folder = folder
        self.shelf = profiles.Shelf(folder) if folder is not None else profiles.SHIPPED
        self._judges, self._audit, self._chance = judges, audit, chance
        self._counts: Counter[Count] = Counter()
        self._distrusted: set[str] = set()
        self._inspected: dict[str, int] = {}
        self._lock = threading.Lock()
        self._auditor: ThreadPoolExecutor | None = None
        self._waiting = threading.BoundedSemaphore(_WAITING)

    @classmethod
    def open(
        cls, data: Path, audit: float = 0.0, seconds: float = 30.0, memory_bytes: int = 1024**3, waiting: float = 10.0
    ) -> "Validation":
        """Return validation with pySHACL in a process of its own, and with the profiles added in a data folder.

        Args:
            data: the data folder.
            audit: share of the accepted records that pySHACL judges afterwards.
            seconds: how long one record may take.
            memory_bytes: address space the process may have.
            waiting: seconds to wait while it judges another record.
        """
        return cls(Judges(seconds=seconds, memory=memory_bytes, waiting=waiting), data / PROFILES, audit, random)

    def check(
        self,
        triples: Iterable[Triple],
        profile: str = "dcat-ap",
        *,
        upto: str = "structure",
        language: Language = "en",
    ) -> shacl.Report:
        """Return what a profile finds in a record or another graph; blocks while pySHACL judges what is refused.

        Raises:
            InvalidInput: there is no such profile or level, or pySHACL alone can judge by its shapes and gives up.
        """
        self._inspect(profile)
        report = shacl.checker(profile, self.shelf).check(triples, upto=upto, language=language, arbiter=self)
        self._count("checked")
        if self._audit and report.conforms and self._chance() < self._audit:
            self._audit_later(profile, report.record)
        return report

    def _inspect(self, profile: str) -> None:
        """Ask of a profile that somebody put into the folder what is asked of one that is added by the command."""
        stamp = self.shelf.stamp(profile)
        if stamp and self._inspected.get(profile) != stamp and profile in self.shelf.added():
            inspect(profile, self.shelf)
            self._inspected[profile] = stamp

    def judged(
        self,
        shapes: shacl.ShapeSet,
        record: Triples,
        background: Triples,
        found: Sequence[Result] | None,
        *,
        counts: bool,
    ) -> Sequence[Result] | None:
        """Return what pySHACL finds where it is to be asked, else None: see `shacl.Arbiter`."""
        trusted = found is not None and shapes.digest not in self._distrusted
        if trusted and not (found and counts):
            return None
        return self._compared(shapes, record, background, found)

    def _compared(
        self, shapes: shacl.ShapeSet, record: Triples, background: Triples, found: Sequence[Result] | None
    ) -> Sequence[Result] | None:
        try:
            theirs = self._judges.results(shapes, record, background)
        except Refusal as refusal:
            self._count("unjudged")
            _log().warning("shacl.unjudged", profile=shapes.profile, level=shapes.level, reason=refusal.message)
            if found is None:
                raise
            return None
        self._count("judged")
        if found is not None and multiset(found) != multiset(theirs):
            self._alarm(shapes, found, theirs)
        return theirs

    def _alarm(self, shapes: shacl.ShapeSet, ours: Sequence[Result], theirs: Sequence[Result]) -> None:
        self._count("differences")
        self._distrusted.add(shapes.digest)
        mine, judged = multiset(ours), multiset(theirs)
        _log().error(
            "shacl.difference",
            profile=shapes.profile,
            level=shapes.level,
            shapes=shapes.digest,
            compiled_only=sorted(mine - judged)[:_SHOWN],
            pyshacl_only=sorted(judged - mine)[:_SHOWN],
        )

    def _audit_later(self, profile: str, record: Triples) -> None:
        if not self._waiting.acquire(blocking=False):
            return
        with self._lock:
            if self._auditor is None:
                self._auditor = ThreadPoolExecutor(1, thread_name_prefix="shacl-audit")
            task = self._auditor.submit(self.audit, profile, record)
        task.add_done_callback(lambda _: self._waiting.release())

    def audit(self, profile: str, record: Triples) -> None:
        """Let pySHACL judge a record by every level of a profile, and compare."""
        every = _Everything(self._compared)
        try:
            shacl.checker(profile, self.shelf).check(record, upto=profiles.LEVELS[-1], arbiter=every)
        except (InvalidInput, Busy) as refusal:
            _log().warning("shacl.audit", profile=profile, reason=refusal.message)
        self._count("audited")

    def add(self, folder: Path) -> tuple[shacl.ShapeSet, ...]:
        """Add the profile in a folder, or a new version of it, once its shapes are found to be harmless.

        Raises:
            InvalidInput: it is not what is asked of a profile; see `standards.dcat.adding`.
        """
        home, name = self._home(), folder.resolve().name
        check_name(name)
        home.mkdir(parents=True, exist_ok=True)
        with TemporaryDirectory(dir=home, prefix=".adding-") as place:
            staged = Path(place) / name
            staged.mkdir()
            for each in sorted(folder.iterdir()):
                if each.name == profiles.MANIFEST or each.suffix == ".ttl":
                    (staged / each.name).write_bytes(_read(each))
            sets = inspect(name, profiles.Shelf(Path(place), home))
            if (home / name).exists():
                (home / name).rename(Path(place) / ".before")
            staged.rename(home / name)
        return sets

    def remove(self, name: str) -> None:
        """Remove a profile that was added.

        Raises:
            NotFound: none of that name was added.
            Conflict: another one includes it.
        """
        if name not in self.shelf.added():
            raise NotFound("added profile", name)
        users = [each for each in self.shelf.added() if each != name and name in self.shelf.get(each).includes]
        if users:
            raise Conflict(f"The profile {users[0]!r} includes it.", where=name, fix=f"Remove {users[0]!r} first.")
        home = self._home()
        with TemporaryDirectory(dir=home, prefix=".removing-") as place:
            (home / name).rename(Path(place) / name)

    def _home(self) -> Path:
        if self.folder is None:
            raise InvalidInput("There is no folder for profiles here.", fix="Name the data folder with --data.")
        return self.folder

    def start(self) -> None:
        """Let pySHACL load while there is something else to do; for those who have many records to check."""
        self._judges.start()

    def counts(self) -> Mapping[str, int]:
        """Return how many records were checked and what became of them, for the metrics."""
        names: tuple[Count, ...] = ("checked", "judged", "audited", "differences", "unjudged")
        with self._lock:
            return {name: self._counts[name] for name in names}

    def close(self) -> None:
        """Let go of the process; audits that have not begun are dropped."""
        with self._lock:
            if self._auditor is not None:
                self._auditor.shutdown(wait=False, cancel_futures=True)
        self._judges.close()

    def _count(self, name: Count) -> None:
        with self._lock:
            self._counts[name] += 1


def _read(path: Path) -> bytes:
    """Return a file of a profile.

    Raises:
        InvalidInput: it is no plain file, or larger than shapes are.
    """
    if path.is_symlink() or not path.is_file() or path.stat().st_size > _LARGEST:
        raise InvalidInput("This is no plain file of up to 5 MiB.", where=str(path), fix="Copy the shapes into it.")
    return path.read_bytes()


def _log() -> Any:
    import structlog  # noqa: PLC0415 - a third of a second, which a command that checks one file would feel

    if not structlog.is_configured():  # a command, whose standard output is the answer alone
        structlog.configure(logger_factory=lambda *_: structlog.PrintLogger(sys.stderr))
    return structlog.get_logger(__name__)


class _Everything:
    """An arbiter that has every level judged."""

    def __init__(self, compared: Callable[..., Sequence[Result] | None]) -> None:
        self._compared = compared

    def judged(
        self,
        shapes: shacl.ShapeSet,
        record: Triples,
        background: Triples,
        found: Sequence[Result] | None,
        *,
        counts: bool,  # noqa: ARG002 - every level counts in an audit
    ) -> Sequence[Result] | None:
        """Return what pySHACL finds."""
        return self._compared(shapes, record, background, found)
