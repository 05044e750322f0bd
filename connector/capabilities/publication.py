"""What our catalog says about a record beside the record itself: its entry, its versions, its place in a series.

All of it follows from the database and is said when it is asked for. A record that comes back with it, because somebody
took it from our catalog, is kept without it.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from pyoxigraph import Literal, NamedNode, Triple
from sqlmodel import col

from connector.capabilities.naming import Names
from connector.standards import rdf
from connector.standards.dcat import model
from connector.standards.dcat.shacl import profiles
from connector.standards.rdf import full
from connector.storage.tables import Dataset, Member, Tombstone, Version
from connector.storage.work import Work

REASON: Final = 2000
"""Characters of the reason for which a dataset goes."""

WITHDRAWN: Final = "http://publications.europa.eu/resource/authority/dataset-status/WITHDRAWN"
_ORDER: Final = frozenset(map(full, ("dcat:first", "dcat:last", "dcat:prev", "dcat:next")))
ADDED: Final = _ORDER | {full("dcat:hasVersion"), full("dcat:hasCurrentVersion")}
"""Properties of a record that our catalog adds."""


@dataclass(frozen=True, slots=True)
class Publication:
    """The catalog's own statements about the records of one participant."""

    names: Names
    participant: str

    def links(self, work: Work, row: Dataset, record: Iterable[Triple] = ()) -> list[Triple]:
        """Return what ties a record to its versions and to its series; what the record says of its order itself stays.

        Args:
            work: to look in.
            row: the dataset or series.
            record: its triples.
        """
        node = NamedNode(row.id)
        stated = {each.predicate.value for each in record if each.subject == node} & _ORDER
        found = (*self._versions(work, row), *self._series(work, row.id))
        return [each for each in found if each.predicate.value not in stated]

    def entry(self, row: Dataset) -> list[Triple]:
        """Return the dcat:CatalogRecord of a record: when it came, when it changed, by which profile it was checked."""
        node = NamedNode(self.names.record(row.id))
        profile = profiles.profile(row.profile) if row.profile in profiles.profiles() else None
        found = [
            *_said(node, "rdf:type", NamedNode(full("dcat:CatalogRecord"))),
            *_said(node, "foaf:primaryTopic", NamedNode(row.id)),
            *_said(node, "dct:issued", _moment(row.created)),
            *_said(node, "dct:modified", _moment(row.updated)),
        ]
        if profile is not None:
            standard = NamedNode(profile.source)
            found += [
                *_said(node, "dct:conformsTo", standard),
                *_said(standard, "rdf:type", NamedNode(full("dct:Standard"))),
                *_said(standard, "dct:title", Literal(profile.title, language="en")),
                *_said(standard, "owl:versionInfo", Literal(profile.version)),
            ]
        return found

    def version(self, version: Version, numbers: Sequence[int]) -> list[Triple]:
        """Return one version as a dataset of its own (DCAT 3 §11.1): its record, and what it is a version of.

        Args:
            version: as it is kept.
            numbers: of all versions that are kept, in order.
        """
        node, whole = NamedNode(self.names.version(version.dataset, version.number)), NamedNode(version.dataset)
        record = rdf.parse(version.record, rdf.Format.N_TRIPLES)
        stated = NamedNode(full("dcat:version"))
        renamed = [_renamed(each, whole, node) for each in record if (each.subject, each.predicate) != (whole, stated)]
        tied = [
            *_said(node, "dcat:isVersionOf", whole),
            *_said(node, "dcat:version", Literal(str(version.number))),
            *_said(node, "prov:generatedAtTime", _moment(version.created)),
        ]
        if earlier := [each for each in numbers if each < version.number]:
            before = NamedNode(self.names.version(version.dataset, earlier[-1]))
            tied += _said(node, "dcat:previousVersion", before)
        newest = NamedNode(self.names.version(version.dataset, numbers[-1]))
        return list(dict.fromkeys([*renamed, *tied, *_said(whole, "dcat:hasCurrentVersion", newest)]))

    def gone(self, tombstone: Tombstone) -> list[Triple]:
        """Return what is said of a dataset that is no more: that it was, when and why it went, and by whom."""
        node, entry = NamedNode(tombstone.id), NamedNode(self.names.record(tombstone.id))
        end = NamedNode(f"{self.names.page(tombstone.id)}#end")
        found = [
            *_said(entry, "rdf:type", NamedNode(full("dcat:CatalogRecord"))),
            *_said(entry, "foaf:primaryTopic", node),
            *_said(entry, "dct:modified", _moment(tombstone.at)),
            *_said(entry, "adms:status", NamedNode(WITHDRAWN)),
            *_said(node, "prov:invalidatedAtTime", _moment(tombstone.at)),
            *_said(node, "prov:wasInvalidatedBy", end),
            *_said(end, "rdf:type", NamedNode(full("prov:Activity"))),
            *_said(end, "prov:endedAtTime", _moment(tombstone.at)),
            *_said(end, "prov:wasAssociatedWith", NamedNode(self.participant)),
        ]
        if tombstone.reason:
            found += _said(end, "rdfs:comment", Literal(tombstone.reason))
        if tombstone.title:
            found += _said(node, "dct:title", Literal(tombstone.title))
        return found

    def _versions(self, work: Work, row: Dataset) -> Iterator[Triple]:
        node = NamedNode(row.id)
        for number in numbers(work, row):
            yield from _said(node, "dcat:hasVersion", NamedNode(self.names.version(row.id, number)))
        yield from _said(node, "dcat:hasCurrentVersion", NamedNode(self.names.version(row.id, row.version)))

    def order(self, work: Work, series: Dataset) -> list[Triple]:
        """Return the order of a series: its ends, and the neighbours of each dataset in it."""
        keys = members(work, series.id)
        found = [*self._ends(series.id, keys)]
        for number, key in enumerate(keys):
            found += self._neighbours(key, keys, number)
        return found

    def _series(self, work: Work, key: str) -> Iterator[Triple]:
        """Yield the ends of a series where `key` is one, and its neighbours where it is in one."""
        yield from self._ends(key, members(work, key))
        # dcat:prev and dcat:next do not say in which series: those of one are said.
        for series in work.select(Member, col(Member.dataset) == key, order_by=col(Member.series), limit=1):
            keys = members(work, series.series)
            if key in keys:
                yield from self._neighbours(key, keys, keys.index(key))

    def _ends(self, key: str, keys: Sequence[str]) -> Iterator[Triple]:
        if keys:
            yield from _said(NamedNode(key), "dcat:first", NamedNode(keys[0]))
            yield from _said(NamedNode(key), "dcat:last", NamedNode(keys[-1]))

    def _neighbours(self, key: str, keys: Sequence[str], number: int) -> Iterator[Triple]:
        if number:
            yield from _said(NamedNode(key), "dcat:prev", NamedNode(keys[number - 1]))
        if number + 1 < len(keys):
            yield from _said(NamedNode(key), "dcat:next", NamedNode(keys[number + 1]))


def numbers(work: Work, row: Dataset) -> range:
    """Return the numbers of the versions of a record that are kept: without gaps, up to the newest."""
    return range(row.version - work.count(Version, col(Version.dataset) == row.id) + 1, row.version + 1)


def versions(work: Work, key: str) -> list[Version]:
    """Return the versions of a record, the oldest first."""
    return work.select(Version, col(Version.dataset) == key, order_by=col(Version.number))


def members(work: Work, series: str) -> list[str]:
    """Return the published datasets of a series in their order."""
    rows = work.select(Member, col(Member.series) == series, order_by=[col(Member.place), col(Member.dataset)])
    keys = [row.dataset for row in rows]
    published = (col(Dataset.origin) == work.participant, col(Dataset.state) == "published")
    here = {row.id for chunk in _chunks(keys) for row in work.select(Dataset, *published, col(Dataset.id).in_(chunk))}
    return [key for key in keys if key in here]


def place(view: model.Dataset) -> str:
    """Return where a dataset stands in a series: by the beginning of its period, else by its dates."""
    begins = sorted(period.start for period in view.temporal if period.start)
    return next((each for each in (*begins[:1], view.issued, view.created) if each), "9999")


def _chunks(keys: Sequence[str], size: int = 500) -> Iterator[Sequence[str]]:
    for start in range(0, len(keys), size):
        yield keys[start : start + size]


def _said(subject: NamedNode, name: str, value: NamedNode | Literal) -> list[Triple]:
    return [Triple(subject, NamedNode(full(name)), value)]


def _moment(moment: datetime) -> Literal:
    text = moment.isoformat().replace("+00:00", "Z")
    return Literal(text, datatype=NamedNode(full("xsd:dateTime")))


def _renamed(triple: Triple, old: NamedNode, new: NamedNode) -> Triple:
    return Triple(new, triple.predicate, triple.object) if triple.subject == old else triple
