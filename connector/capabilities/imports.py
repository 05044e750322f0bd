"""Imports: files of many records, registered one after the other in the background, with a result for each.

The same file for the same profile is the same import: asked for again it goes on where it was, or is done already. What
is registered and what is noted of it are written together, so that a process that is killed loses neither.
"""

import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, Final

from sqlmodel import col

from connector.capabilities.datasets import Datasets
from connector.capabilities.evidence import Begin, Clock
from connector.capabilities.identity import Principal
from connector.capabilities.records import Record, checked, read_record
from connector.errors import InvalidInput, NotFound, Refusal
from connector.standards.dcat.shacl import profiles
from connector.storage.dumps import Dump, Found
from connector.storage.events import Event
from connector.storage.objects import Objects
from connector.storage.tables import Import, ImportResult
from connector.storage.work import Work

CHUNK: Final = 20
"""Records that are written together."""

ROUND: Final = 500
"""Records after which others have their turn."""

PAGE: Final = 1000
"""Results that are given at once."""

_FINDINGS: Final = 50


class ImportDue(Event, frozen=True, kw_only=True):
    """An import is to go on; `subject` is the import."""


@dataclass(frozen=True, slots=True)
class Imports:
    """The imports of this participant.

    Attributes:
        scratch: folder for what is sorted of a file while it is read.
    """

    begin: Begin
    read: Begin
    now: Clock
    participant: str
    objects: Objects
    datasets: Datasets
    scratch: Path

    def start(
        self, digest: str, filename: str, media_type: str, by: Principal, profile: str, *, again: bool = False
    ) -> Import:
        """Import a file that was uploaded; one that was imported already is only with `again`.

        Args:
            digest: SHA-256 of the file.
            filename: its name, for people.
            media_type: that of JSON lines, or of an RDF format.
            by: who asks.
            profile: what each record is held to.
            again: register every record of it once more.

        Raises:
            NotFound: no such file was uploaded.
            InvalidInput: there is no such profile.
        """
        profiles.profile(profile)
        if digest not in self.objects:
            raise NotFound("uploaded file", digest)
        key = hashlib.sha256(f"{digest} {media_type} {profile}".encode()).hexdigest()[:32]
        with self.begin(self.participant) as work:
            run = work.find(Import, key, lock=True)
            if run is not None and run.state != "failed" and not (again and run.state == "done"):
                return run
            if run is None:
                run = work.add(
                    Import(
                        participant=self.participant,
                        id=key,
                        object=digest,
                        filename=filename,
                        media_type=media_type,
                        profile=profile,
                        started=self.now(),
                        updated=self.now(),
                        by=by.name,
                    )
                )
            else:
                for row in work.find_by(ImportResult, run=key):
                    work.delete(row)
            run.state, run.done, run.counts, run.error, run.by = "waiting", 0, {}, None, by.name
            work.record(key, "import.asked", by.name, {"file": digest, "name": filename, "profile": profile})
            work.emit(ImportDue(subject=key))
            return run

    def run(self, event: ImportDue, participant: str) -> None:
        """Register the next records of an import; those that are left have their turn later."""
        run = self.get(event.subject)
        if run.state in {"done", "failed"}:
            return
        dump = Dump(self.objects.path(run.object), run.media_type, self.scratch / run.id)
        done = failed = False
        try:
            total = dump.total() if run.total is None else run.total
            found = dump.after(run.done, ROUND)
            while some := list(islice(found, CHUNK)):
                run = self._take(participant, run, total, some)
            done = run.done >= total
            self._end(participant, run, total, event if not done else None)
        except InvalidInput as refusal:
            failed = True
            self._fail(participant, run.id, refusal)
        finally:
            dump.close(done=done or failed)

    def get(self, key: str) -> Import:
        """Return an import, or raise NotFound."""
        with self.read(self.participant) as work:
            return work.need(Import, key)

    def all(self) -> list[Import]:
        """Return the imports, the newest first."""
        with self.read(self.participant) as work:
            return work.select(Import, order_by=[col(Import.started).desc(), col(Import.id)])

    def results(self, key: str, after: int = 0, most: int = PAGE) -> list[ImportResult]:
        """Return the results of an import behind number `after`, in the order of the file.

        Raises:
            NotFound: there is no such import.
        """
        with self.read(self.participant) as work:
            work.need(Import, key)
            later = (col(ImportResult.run) == key, col(ImportResult.number) > after)
            return work.select(ImportResult, *later, order_by=col(ImportResult.number), limit=min(most, PAGE))

    def _take(self, participant: str, run: Import, total: int, found: Sequence[Found | InvalidInput]) -> Import:
        """Register some records and note what became of each, in one unit of work."""
        records = [self._read(each, run.profile) for each in found]
        by = Principal(participant, "user", frozenset({"provider"}), run.by)
        with self.begin(participant) as work:
            kept = work.need(Import, run.id, lock=True)
            counts = Counter(kept.counts)
            for number, (each, record) in enumerate(zip(found, records, strict=True), kept.done + 1):
                subject = None if isinstance(each, InvalidInput) else each.subject
                result = {"dataset": subject, **self._result(work, record, by)}
                counts[result["outcome"]] += 1
                work.add(ImportResult(participant=participant, run=run.id, number=number, **result))
            kept.state, kept.total, kept.updated = "running", total, self.now()
            kept.done, kept.counts = kept.done + len(records), dict(counts)
            return kept

    def _read(self, found: Found | InvalidInput, profile: str) -> Record | Refusal:
        if isinstance(found, InvalidInput):
            return found
        try:
            if found.subject is not None:
                return checked(found.subject, found.record, profile, self.datasets.check)
            names = self.datasets.publication.names
            return read_record(found.data, found.media_type, profile, names.mint, self.datasets.check)
        except Refusal as refusal:
            where = f"record {found.number}" if found.subject is None else found.subject
            refusal.where = refusal.where or where
            return refusal

    def _result(self, work: Work, record: Record | Refusal, by: Principal) -> dict[str, Any]:
        """Register a record and return what became of it; one that is refused leaves nothing."""
        if isinstance(record, Refusal):
            return {"outcome": "invalid", "problem": _problem(record)}
        try:
            done = self.datasets.keep(work, record, by)
        except Refusal as refusal:
            return {"outcome": "invalid", "dataset": record.subject, "problem": _problem(refusal)}
        outcome = "created" if done.created else "updated" if done.changed else "same"
        return {"outcome": outcome, "dataset": done.id, "version": done.version}

    def _end(self, participant: str, run: Import, total: int, more: ImportDue | None) -> None:
        with self.begin(participant) as work:
            kept = work.need(Import, run.id, lock=True)
            kept.total, kept.updated = total, self.now()
            if more is not None:
                kept.state = "running"
                work.emit(more)
                return
            kept.state = "done"
            work.record(run.id, "import.done", kept.by, {"records": total, "counts": kept.counts})

    def _fail(self, participant: str, key: str, refusal: Refusal) -> None:
        """Note that a file cannot be read; what was registered of it before stays."""
        with self.begin(participant) as work:
            kept = work.need(Import, key, lock=True)
            kept.state, kept.error, kept.updated = "failed", str(refusal), self.now()
            work.record(key, "import.failed", kept.by, {"error": str(refusal), "done": kept.done})


def _problem(refusal: Refusal) -> dict[str, Any]:
    """Return why a record was refused, as it is kept."""
    said = {"message": refusal.message, "where": refusal.where, "fix": refusal.fix}
    found = {"kind": type(refusal).__name__, **{key: value for key, value in said.items() if value}}
    reasons = list(refusal.reasons[:_FINDINGS])
    return {**found, "reasons": reasons} if reasons else found
