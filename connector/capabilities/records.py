"""Records as they come in: read in any form, held to a profile, and in the form in which they are kept."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Final, Literal

from msgspec.structs import replace

from connector.errors import InvalidInput
from connector.standards import rdf
from connector.standards.dcat import graph, model, plain, shacl
from connector.standards.dsp.catalog import dataset_entry

PLAIN: Final = "application/json"
"""Media type of the plain form of a record; every other one is RDF."""

DEFAULT_PROFILE: Final = "dcat-ap"

Mint = Callable[[str, bytes], str]
"""Makes the IRI of a record that has none, of its title and its content."""

Check = Callable[[rdf.Triples, str], shacl.Report]
"""Holds a record to the profile of that name."""

_UNNAMED: Final = "urn:greendeal:unnamed"
_SOME_OFFER: Final = {"@id": "urn:some:offer", "@type": "Offer", "permission": [{"action": "use"}]}


@dataclass(frozen=True)
class Record:
    """A record that may be kept: it is readable, about one thing, and breaks no gate of its profile.

    `minted` tells that its IRI is ours and not its sender's.
    """

    subject: str
    kind: Literal["dataset", "series"]
    triples: rdf.Triples
    profile: str
    report: shacl.Report
    minted: bool = False

    @cached_property
    def view(self) -> model.Dataset:
        """The plain view."""
        return graph.read(self.triples, self.subject)


def parse_record(data: bytes, media_type: str, mint: Mint | None = None) -> tuple[str, rdf.Triples]:
    """Return the dataset, or series, that a record describes and its triples, blank nodes named.

    Args:
        data: the record.
        media_type: of its form; that of JSON means the plain form.
        mint: names a record in the plain form that has no `id`; without it such a record is refused.

    Raises:
        InvalidInput: not readable, or not about exactly one dataset or series.
    """
    if media_type.partition(";")[0].strip().lower() == PLAIN:
        found = plain.from_plain(data, id=_UNNAMED if mint else None)
        if mint is not None and found.id == _UNNAMED:
            found = replace(found, id=mint(model.words(found.title), data))
        triples = graph.write(found)
    else:
        triples = rdf.parse(data, rdf.Format.of(media_type))
    subject = _only(triples)
    return subject, rdf.skolemise(triples, subject)


def read_record(
    data: bytes,
    media_type: str,
    profile: str = DEFAULT_PROFILE,
    mint: Mint | None = None,
    check: Check = shacl.check,
) -> Record:
    """Return a record that may be kept.

    Raises:
        InvalidInput: it cannot be read or breaks the structure of the profile; the reasons are the findings.
    """
    minted: list[str] = []

    def noted(title: str, content: bytes) -> str:
        assert mint is not None  # noqa: S101 - asked for only where there is one
        minted.append(mint(title, content))
        return minted[-1]

    subject, triples = parse_record(data, media_type, noted if mint else None)
    return checked(subject, triples, profile, check, minted=bool(minted))


def checked(
    subject: str, triples: rdf.Triples, profile: str, check: Check = shacl.check, *, minted: bool = False
) -> Record:
    """Return a record that is read already, held to a profile; errors as for `read_record`."""
    report = check(triples, profile)
    if not report.accepted:
        raise report.refusal()
    kind: Literal["dataset", "series"] = "series" if subject in graph.series(triples) else "dataset"
    if kind == "dataset":
        _check_carried(subject, triples)
    return Record(subject, kind, triples, profile, report, minted)


def _only(triples: rdf.Triples) -> str:
    found = graph.subjects(triples) or graph.series(triples)
    if len(found) != 1:
        raise InvalidInput(
            f"The record describes {len(found)} datasets.",
            where=", ".join(found[:5]) or "rdf:type dcat:Dataset",
            fix="Send one dataset in each record, of type dcat:Dataset (or one dcat:DatasetSeries) and named by an"
            " absolute IRI; a catalog of many is imported.",
        )
    return found[0]


def _check_carried(subject: str, triples: rdf.Triples) -> None:
    """Refuse a record that the protocol's catalog has no form for: it would cost peers the whole page it is on.

    Raises:
        InvalidInput: an IRI in it reads as a prefixed name there.
    """
    dataset_entry(triples, subject, [_SOME_OFFER], subject, ["any"])
