"""Datasets: our own catalog records from the first version to the tombstone, and the files behind them.

A record that changes is a new version, and every version stays as it was registered. What nobody has an agreement on
can be deleted; what somebody has, leaves the catalog and stays behind its tombstone. An IRI is given once.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, Final

import msgspec
from sqlmodel import col

from connector import formats
from connector.capabilities import files, publication, terms
from connector.capabilities.drafting import Draft, drafted
from connector.capabilities.evidence import Begin, Clock
from connector.capabilities.files import Files
from connector.capabilities.identity import Principal
from connector.capabilities.publication import Publication
from connector.capabilities.quality import STRUCTURE, Quality, keep_addresses
from connector.capabilities.records import DEFAULT_PROFILE, PLAIN, Check, Record, parse_record, read_record
from connector.errors import Conflict, Gone, InvalidInput, NotFound
from connector.standards import rdf
from connector.standards.dcat import model, shacl
from connector.standards.dcat.quality import Score
from connector.standards.dsp.negotiation import Role
from connector.storage.events import Event
from connector.storage.objects import Objects
from connector.storage.tables import Address, Agreement, Asset, Dataset, Member, Offer, Tombstone, Version
from connector.storage.work import Work

__all__ = [
    "DEFAULT_PROFILE",
    "PLAIN",
    "DatasetPublished",
    "DatasetWithdrawn",
    "Datasets",
    "Registered",
    "parse_record",
]

MINTINGS: Final = 100
"""IRIs that are tried for a record that has none."""


class DatasetPublished(Event, frozen=True, kw_only=True):
    """A record was registered or replaced; `subject` is the dataset."""

    origin: str


class DatasetWithdrawn(Event, frozen=True, kw_only=True):
    """A dataset left the catalog; `subject` is the dataset."""

    origin: str


class Registered(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a registration."""

    id: str
    version: int
    created: bool
    files: tuple[str, ...]
    report: shacl.Report
    quality: Score | None = None
    changed: bool = True


@dataclass(frozen=True, slots=True)
class Datasets:
    """The records of this participant."""

    begin: Begin
    read: Begin
    now: Clock
    participant: str
    publisher: str
    objects: Objects
    describe: Callable[[Path, str], formats.Description]
    publication: Publication
    quality: Quality
    check: Check = shacl.check

    @property
    def home(self) -> str:
        """Address under which new datasets are named."""
        return self.publication.names.base

    def draft(self, digest: str, filename: str) -> Draft:
        """Describe a file that was uploaded and draft a record from it.

        Args:
            digest: SHA-256 of the uploaded file.
            filename: its name; decides nothing but what the record calls it and ties between formats.

        Raises:
            NotFound: no such file was uploaded.
            InvalidInput: the file is of no known format, damaged, or takes too much to read.
        """
        if digest not in self.objects:
            raise NotFound("uploaded file", digest)
        described = msgspec.structs.replace(self.describe(self.objects.path(digest), filename), sha256=digest)
        agent = model.Agent(id=self.participant, name={"en": self.publisher})
        return drafted(described, Path(filename).name, home=self.home, publisher=agent)

    def validate(self, data: bytes, media_type: str, profile: str = DEFAULT_PROFILE) -> shacl.Report:
        """Check a record and return every finding; nothing is kept.

        Raises:
            InvalidInput: it cannot be read at all, or is not one dataset.
        """
        return self.check(parse_record(data, media_type)[1], profile)

    # --- a record's life --------------------------------------------------------------------------------------------

    def register(self, data: bytes, media_type: str, by: Principal, profile: str = DEFAULT_PROFILE) -> Registered:
        """Publish a record, or a new version of one; the same record again changes nothing.

        A distribution whose SHA-256 is that of an uploaded file is delivered by this connector. A record in the plain
        form that has no `id` is given one.

        Raises:
            InvalidInput: it cannot be read, breaks the structure of the profile, or contradicts its open offers; the
                reasons are the findings.
            Conflict: its IRI was that of a dataset that was deleted, or is that of a version.
        """
        for attempt in range(1, MINTINGS):
            record = read_record(data, media_type, profile, partial(self._mint, attempt=attempt), self.check)
            with self.begin(self.participant) as work:
                if record.minted and self._is_spent(work, record.subject):
                    continue
                done = self.keep(work, record, by)
            return self._scored(done, record)
        raise Conflict("The IRIs that this record could be given are taken.", fix="Give it an `id` of its own.")

    def keep(self, work: Work, record: Record, by: Principal) -> Registered:
        """Publish a record within a unit of work; refusals as for `register`, before anything is written."""
        self._check_iri(work, record.subject)
        row = work.find(Dataset, self.participant, record.subject, lock=True)
        record = record if row is None else self._own(work, row, record)
        terms.check(record.triples, record.subject, terms.open_policies(work, record.subject), self.now())
        canonical = rdf.canonical(record.triples)
        same = row is not None and row.fingerprint == rdf.fingerprint(canonical) and row.state == "published"
        if row is None:
            row = work.add(self._row(record, canonical))
        elif not same:
            self._replace(row, record, canonical)
        attached, moved = Files(self.objects).attach(work, record.view)
        names = [asset.filename for asset in attached]
        if same and moved:
            work.need(Version, row.id, row.version, lock=True).files = files.kept(attached)
            work.record(row.id, "dataset.files", by.name, {"version": row.version, "files": names})
        if not same:
            self._keep_version(work, row, record, attached, by)
            body = {"profile": row.profile, "fingerprint": row.fingerprint, "version": row.version, "files": names}
            work.record(row.id, "dataset.published", by.name, body)
            work.emit(DatasetPublished(subject=row.id, origin=self.participant))
        return Registered(
            id=row.id,
            version=row.version,
            created=not same and row.version == 1,
            changed=not same,
            files=tuple(names),
            report=record.report,
        )

    def withdraw(self, key: str, by: Principal, reason: str = "") -> Dataset:
        """Take a dataset out of the catalog; agreements on it stay, new ones are not made.

        Its address says from then on when and why it went. Published again, it is a new version of the same dataset.

        Raises:
            NotFound: there is no such dataset of ours.
        """
        with self.begin(self.participant) as work:
            row = work.need(Dataset, self.participant, key, lock=True)
            if row.state == "published":
                row.state, row.updated = "withdrawn", self.now()
                self._bury(work, row, "withdrawn", reason, by)
                body = {"fingerprint": row.fingerprint, "version": row.version, "reason": reason}
                work.record(key, "dataset.withdrawn", by.name, body)
                work.emit(DatasetWithdrawn(subject=key, origin=self.participant))
            return row

    def delete(self, key: str, by: Principal, reason: str = "") -> Tombstone:
        """Delete a dataset for good: its IRI is never given again, and its address says when and why it went.

        What nobody has an agreement on is erased, all versions of it; what somebody has leaves the catalog, and its
        versions and files stay for those who have one. Uploaded files stay, by their content.

        Raises:
            NotFound: there is no such dataset of ours.
        """
        with self.begin(self.participant) as work:
            row = work.need(Dataset, self.participant, key, lock=True)
            if row.state == "deleted":
                return work.need(Tombstone, key)
            agreed = work.count(Agreement, col(Agreement.dataset) == key, col(Agreement.role) == Role.PROVIDER)
            was_published = row.state == "published"
            stone = self._bury(work, row, "kept" if agreed else "erased", reason, by)
            body = {"fingerprint": row.fingerprint, "version": row.version, "reason": reason, "agreements": agreed}
            work.record(key, "dataset.deleted", by.name, body)
            for offer in work.find_by(Offer, dataset=key):
                offer.state = "closed"
            if agreed:
                row.state, row.updated = "deleted", self.now()
            else:
                _erase(work, row)
            if was_published:
                work.emit(DatasetWithdrawn(subject=key, origin=self.participant))
            return stone

    # --- looking ----------------------------------------------------------------------------------------------------

    def get(self, key: str) -> Dataset:
        """Return one of our published records.

        Raises:
            Gone: it was withdrawn or deleted.
            NotFound: there never was one of that IRI.
        """
        if (row := self.find(key)) is not None:
            return row
        if (stone := self.tombstone(key)) is not None:
            raise Gone("dataset", key, f"{_how(stone)} on {stone.at:%Y-%m-%d}." + f" {stone.reason}".rstrip())
        raise NotFound("dataset", key)

    def find(self, key: str) -> Dataset | None:
        """Return one of our published records, or None."""
        with self.read(self.participant) as work:
            row = work.find(Dataset, self.participant, key)
        return row if row is not None and row.state == "published" else None

    def all(self) -> list[Dataset]:
        """Return all our published records by title."""
        with self.read(self.participant) as work:
            return work.select(
                Dataset,
                col(Dataset.origin) == self.participant,
                col(Dataset.state) == "published",
                order_by=[col(Dataset.title), col(Dataset.id)],
            )

    def files(self, key: str) -> list[Asset]:
        """Return the files behind a dataset, by name."""
        with self.read(self.participant) as work:
            return files.behind(work, key)

    def versions(self, key: str) -> list[Version]:
        """Return the versions of one of our records, the oldest first, also of one that left the catalog.

        Raises:
            NotFound: there is no such record, or it was erased.
        """
        with self.read(self.participant) as work:
            found = publication.versions(work, key)
        if not found:
            raise NotFound("dataset", key)
        return found

    def version(self, key: str, number: int) -> Version:
        """Return one version of one of our records, or raise NotFound."""
        with self.read(self.participant) as work:
            return work.need(Version, key, number)

    def published_version(self, key: str, number: int) -> rdf.Triples | None:
        """Return one version of a published record as a dataset of its own, or None."""
        with self.read(self.participant) as work:
            row = work.find(Dataset, self.participant, key)
            kept = work.find(Version, key, number)
            if row is None or kept is None or row.state != "published":
                return None
            return tuple(self.publication.version(kept, publication.numbers(work, row)))

    def tombstone(self, key: str) -> Tombstone | None:
        """Return what is said of a dataset that is no more, or None."""
        with self.read(self.participant) as work:
            return work.find(Tombstone, key)

    def described(self, row: Dataset) -> rdf.Triples:
        """Return a record with what our catalog says about it: its entry, its versions, its place in a series."""
        record = rdf.parse(row.record, rdf.Format.N_TRIPLES)
        with self.read(self.participant) as work:
            links = self.publication.links(work, row, record)
        return tuple(dict.fromkeys((*record, *links, *self.publication.entry(row))))

    def members(self, key: str) -> list[Dataset]:
        """Return the published datasets of a series in their order."""
        with self.read(self.participant) as work:
            found = (work.find(Dataset, self.participant, each) for each in publication.members(work, key))
            return [row for row in found if row is not None]

    # --- parts ------------------------------------------------------------------------------------------------------

    def _scored(self, done: Registered, record: Record) -> Registered:
        """Return what became of a registration with the score of the record."""
        fit = record.report.conforms if record.profile == STRUCTURE else None
        with self.read(self.participant) as work:
            row = work.need(Dataset, self.participant, done.id)
            score = self.quality.assess(work, row, compliant=fit).score()
        return msgspec.structs.replace(done, quality=score)

    def _mint(self, title: str, content: bytes, attempt: int) -> str:
        return self.publication.names.mint(title, content, attempt)

    def _is_spent(self, work: Work, key: str) -> bool:
        stone = work.find(Tombstone, key)
        return stone is not None and stone.kind != "withdrawn"

    def _check_iri(self, work: Work, key: str) -> None:
        """Refuse an IRI that is, or was, that of something else."""
        if self._is_spent(work, key):
            stone = work.need(Tombstone, key)
            raise Conflict(
                f"This was the IRI of a dataset that was deleted on {stone.at:%Y-%m-%d}; an IRI is given once.",
                where=key,
                fix="Give the new dataset an IRI of its own.",
            )
        for meant in self.publication.names.versions(key):
            if meant.version is not None and work.find(Version, meant.key, meant.version) is not None:
                raise Conflict(
                    f"This is the IRI of version {meant.version} of {meant.key}.",
                    where=key,
                    fix="Register the dataset itself; its versions are made from that.",
                )

    def _own(self, work: Work, row: Dataset, record: Record) -> Record:
        """Return a record without what our catalog had added to it, where it was taken from there."""
        entry = self.publication.entry(row)
        node = entry[0].subject
        if not any(each.subject == node or each.predicate.value in publication.ADDED for each in record.triples):
            return record
        added = set(self.publication.links(work, row))
        kept = [each for each in record.triples if each not in added and each.subject != node]
        named = {each.object for each in kept}
        about_profile = {each for each in entry if each.subject != node and each.subject not in named}
        return replace(record, triples=tuple(each for each in kept if each not in about_profile))

    def _row(self, record: Record, canonical: bytes) -> Dataset:
        return Dataset(
            participant=self.participant,
            origin=self.participant,
            id=record.subject,
            title=model.words(record.view.title),
            kind=record.kind,
            profile=record.profile,
            record=canonical,
            fingerprint=rdf.fingerprint(canonical),
            created=self.now(),
            updated=self.now(),
        )

    def _replace(self, row: Dataset, record: Record, canonical: bytes) -> None:
        row.title, row.kind, row.profile = model.words(record.view.title), record.kind, record.profile
        row.record, row.fingerprint, row.version = canonical, rdf.fingerprint(canonical), row.version + 1
        row.state, row.updated = "published", self.now()

    def _keep_version(self, work: Work, row: Dataset, record: Record, attached: list[Asset], by: Principal) -> None:
        """Keep the version as it is, and what follows from it: its place in series, its addresses."""
        kept = {name: getattr(row, name) for name in ("title", "kind", "profile", "record", "fingerprint")}
        work.add(
            Version(
                participant=self.participant,
                dataset=row.id,
                number=row.version,
                files=files.kept(attached),
                created=self.now(),
                by=by.name,
                **kept,
            )
        )
        view, known = record.view, {each.series: each for each in work.find_by(Member, dataset=row.id)}
        for series in known.keys() - set(view.in_series):
            work.delete(known[series])
        for series in view.in_series:
            if series in known:
                known[series].place = publication.place(view)
            else:
                place = publication.place(view)
                work.add(Member(participant=self.participant, series=series, dataset=row.id, place=place))
        keep_addresses(work, row.id, record.triples)
        if (stone := work.find(Tombstone, row.id)) is not None:
            work.delete(stone)

    def _bury(self, work: Work, row: Dataset, kind: Any, reason: str, by: Principal) -> Tombstone:
        if len(reason) > publication.REASON:
            raise InvalidInput(f"The reason is longer than {publication.REASON} characters.", where="reason")
        if (stone := work.find(Tombstone, row.id, lock=True)) is not None:
            work.delete(stone)
        return work.add(
            Tombstone(
                participant=self.participant,
                id=row.id,
                kind=kind,
                title="" if kind == "erased" else row.title,
                reason=reason,
                versions=row.version,
                at=self.now(),
                by=by.name,
            )
        )


def _erase(work: Work, row: Dataset) -> None:
    """Delete a record and everything that follows from it."""
    for each in _parts(work, row.id):
        work.delete(each)
    work.delete(row)


def _parts(work: Work, key: str) -> Iterator[Asset | Version | Member | Address]:
    yield from work.find_by(Asset, dataset=key)
    yield from work.find_by(Version, dataset=key)
    yield from work.find_by(Member, dataset=key)
    yield from work.find_by(Address, dataset=key)


def _how(stone: Tombstone) -> str:
    return "it was withdrawn" if stone.kind == "withdrawn" else "it was deleted"
