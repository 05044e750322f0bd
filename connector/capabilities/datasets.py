"""Datasets: our own catalog records, the files behind them, and what is wrong with a record before it is one."""

import re
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from itertools import chain, count
from pathlib import Path
from typing import Final

import msgspec
from sqlmodel import col

from connector import formats
from connector.capabilities.drafting import SHA256, Draft, drafted
from connector.capabilities.evidence import Begin, Clock
from connector.capabilities.identity import Principal
from connector.errors import InvalidInput, NotFound
from connector.standards import rdf
from connector.standards.dcat import graph, model, plain, shacl
from connector.standards.dsp.catalog import dataset_entry
from connector.storage.events import Event
from connector.storage.objects import Objects
from connector.storage.tables import Asset, Dataset
from connector.storage.work import Work

PLAIN: Final = "application/json"
"""Media type of the plain form of a record; every other one is RDF."""

DEFAULT_PROFILE: Final = "dcat-ap"

_SOME_OFFER: Final = {"@id": "urn:some:offer", "@type": "Offer", "permission": [{"action": "use"}]}


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


@dataclass(frozen=True, slots=True)
class Datasets:
    """The records of this participant."""

    begin: Begin
    read: Begin
    now: Clock
    participant: str
    home: str
    publisher: str
    objects: Objects
    describe: Callable[[Path, str], formats.Description]

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
        return shacl.check(parse_record(data, media_type)[1], profile)

    def register(self, data: bytes, media_type: str, by: Principal, profile: str = DEFAULT_PROFILE) -> Registered:
        """Publish a record, or a new version of one; the same record again changes nothing.

        A distribution whose SHA-256 is that of an uploaded file is delivered by this connector.

        Raises:
            InvalidInput: it cannot be read or breaks the structure of the profile; the reasons are the findings.
        """
        subject, triples = parse_record(data, media_type)
        report = shacl.check(triples, profile)
        if not report.accepted:
            raise report.refusal()
        _check_carried(subject, triples)
        canonical = rdf.canonical(triples)
        view = graph.read(triples, subject)
        with self.begin(self.participant) as work:
            row = work.find(Dataset, self.participant, subject, lock=True)
            same = row is not None and row.fingerprint == rdf.fingerprint(canonical) and row.state == "published"
            if row is None:
                row = work.add(self._row(subject, profile, canonical, view))
            elif not same:
                self._replace(row, profile, canonical, view)
            files, moved = self._attach(work, view)
            if same and moved:
                work.record(subject, "dataset.files", by.name, {"version": row.version, "files": files})
            if not same:
                body = {"profile": profile, "fingerprint": row.fingerprint, "version": row.version, "files": files}
                work.record(subject, "dataset.published", by.name, body)
                work.emit(DatasetPublished(subject=subject, origin=self.participant))
            created = not same and row.version == 1
        return Registered(id=subject, version=row.version, created=created, files=tuple(files), report=report)

    def withdraw(self, key: str, by: Principal) -> Dataset:
        """Take a dataset out of the catalog; agreements on it stay, new ones are not made."""
        with self.begin(self.participant) as work:
            row = work.need(Dataset, self.participant, key, lock=True)
            if row.state != "withdrawn":
                row.state, row.updated = "withdrawn", self.now()
                work.record(key, "dataset.withdrawn", by.name, {"fingerprint": row.fingerprint})
                work.emit(DatasetWithdrawn(subject=key, origin=self.participant))
            return row

    def get(self, key: str) -> Dataset:
        """Return one of our published records, or raise NotFound."""
        with self.read(self.participant) as work:
            row = work.need(Dataset, self.participant, key)
        if row.state != "published":
            raise NotFound("dataset", key)
        return row

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
            return work.select(Asset, col(Asset.dataset) == key, order_by=col(Asset.filename))

    def _row(self, subject: str, profile: str, canonical: bytes, view: model.Dataset) -> Dataset:
        return Dataset(
            participant=self.participant,
            origin=self.participant,
            id=subject,
            title=model.words(view.title),
            profile=profile,
            record=canonical,
            fingerprint=rdf.fingerprint(canonical),
            created=self.now(),
            updated=self.now(),
        )

    def _replace(self, row: Dataset, profile: str, canonical: bytes, view: model.Dataset) -> None:
        row.title, row.profile, row.record = model.words(view.title), profile, canonical
        row.fingerprint, row.version = rdf.fingerprint(canonical), row.version + 1
        row.state, row.updated = "published", self.now()

    def _attach(self, work: Work, view: model.Dataset) -> tuple[list[str], bool]:
        """Tie the distributions to the uploaded files they name; return their names, and whether that is new."""
        wanted = {asset.distribution: asset for asset in self._assets(view)}
        moved = False
        for asset in work.select(Asset, col(Asset.dataset) == view.id):
            if wanted.get(asset.distribution) == asset:
                del wanted[asset.distribution]
            else:
                work.delete(asset)
                moved = True
        for asset in wanted.values():
            work.add(asset)
        files = work.select(Asset, col(Asset.dataset) == view.id, order_by=col(Asset.filename))
        return [asset.filename for asset in files], moved or bool(wanted)

    def _assets(self, view: model.Dataset) -> Iterator[Asset]:
        """Yield the uploaded files that the record's distributions name, each under a file name of its own."""
        taken: set[str] = set()
        for each in view.distribution:
            digest, media_type = _digest(each), str(each.media_type or "").partition("media-types/")[2]
            if digest not in self.objects:
                continue
            filename = _unused(_filename(model.words(each.title), digest), taken)
            taken.add(filename)
            yield Asset(
                participant=self.participant,
                dataset=view.id,
                distribution=str(each.id),
                object=digest,
                filename=filename,
                media_type=media_type or "application/octet-stream",
                size=self.objects.size(digest),
                format=each.format,
            )


def parse_record(data: bytes, media_type: str) -> tuple[str, rdf.Triples]:
    """Return the dataset that a record describes and its triples, blank nodes named.

    Raises:
        InvalidInput: not readable, or not about exactly one dataset.
    """
    if media_type.partition(";")[0].strip().lower() == PLAIN:
        triples = graph.write(plain.from_plain(data))
    else:
        triples = rdf.parse(data, rdf.Format.of(media_type))
    found = graph.subjects(triples)
    if len(found) != 1:
        raise InvalidInput(
            f"The record describes {len(found)} datasets.",
            where=", ".join(found[:5]) or "rdf:type dcat:Dataset",
            fix="Send one dataset in each record, of type dcat:Dataset and named by an absolute IRI.",
        )
    return found[0], rdf.skolemise(triples, found[0])


def _check_carried(subject: str, triples: rdf.Triples) -> None:
    """Refuse a record that the protocol's catalog has no form for: it would cost peers the whole page it is on.

    Raises:
        InvalidInput: an IRI in it reads as a prefixed name there.
    """
    dataset_entry(triples, subject, [_SOME_OFFER], subject, ["any"])


def _digest(each: model.Distribution) -> str:
    """Return the SHA-256 that a distribution states, or an empty text."""
    stated = each.checksum
    return (stated.value or "") if stated and stated.algorithm == SHA256 else ""


def _filename(title: str, digest: str) -> str:
    """Return the name under which a file is delivered: harmless on every system."""
    name = re.sub(r"[^A-Za-z0-9._-]+", "_", title).strip("._")
    return name[:120] or digest[:16]


def _unused(name: str, taken: Collection[str]) -> str:
    """Return `name`, with a number before its ending where another file has it: each has to be had by its name."""
    stem, dot, ending = name.rpartition(".") if "." in name else (name, "", "")
    numbered = (f"{stem}-{number}{dot}{ending}" for number in count(2))
    return next(each for each in chain([name], numbered) if each not in taken)
