"""Catalogs of the Dataspace Protocol: joined from ready-made entries, and read from any connector.

Writing is joining bytes: each dataset's entry is made once, when it changes (`dataset_entry`), and kept. Reading is
lenient: what is wrong with one dataset or one offer is told in `skipped` and costs no other.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any, Final
from urllib.parse import quote

import msgspec

from connector.errors import InvalidInput
from connector.standards import rdf
from connector.standards.dsp import linked, wire
from connector.standards.dsp.entries import dataset_entry, iri_of, record_of, service
from connector.standards.dsp.paging import link, next_link
from connector.standards.dsp.schema import (
    CONTEXT,
    DATA_SERVICE,
    DISTRIBUTION,
    OFFER,
    Check,
    context,
    demand,
    one,
    shape,
)
from connector.standards.dsp.schema import text as plain_text
from connector.standards.dsp.versions import version_document

__all__ = [
    "Catalog",
    "CatalogDataset",
    "catalog",
    "dataset_document",
    "dataset_entry",
    "link",
    "next_link",
    "read_catalog",
    "read_dataset",
    "version_document",
]

MAX_BYTES: Final = 32_000_000
_HEAD: Final = shape(
    {"@context": context, "@id": plain_text, "@type": one("Catalog"), "participantId": plain_text},
    ("@context", "@id", "@type", "participantId"),
)
_NAMED: Final = shape({"@id": plain_text}, ("@id",))
_OWN: Final = frozenset((CONTEXT, "https://w3id.org/dspace/2025/1/odrl-profile.jsonld"))

# Prefixes of a context that Eclipse EDC names beside the protocol's own and that does not ship.
_FOREIGN: Final[Mapping[str, Mapping[str, str]]] = {
    "https://w3id.org/edc/dspace/v0.0.1": {"edc": "https://w3id.org/edc/v0.0.1/ns/"}
}


class CatalogDataset(msgspec.Struct, frozen=True, kw_only=True):
    """A dataset in somebody's catalog.

    Attributes:
        id: as the catalog names it; what negotiations name as target, letter by letter.
        subject: the same as an IRI, which `triples` speak of; equal to `id` where that is one.
        participant_id: who offers it, as the catalog around it claims; empty for a dataset read alone.
        triples: the record, without blank nodes and without the policies.
        offers: the policies in wire form.
        formats: transfer types, in the order they stand there.
        endpoint_url: where to negotiate; None when the catalog does not say.
    """

    id: str
    subject: str
    participant_id: str
    triples: rdf.Triples
    offers: list[dict[str, Any]]
    formats: list[str]
    endpoint_url: str | None


class Catalog(msgspec.Struct, frozen=True, kw_only=True):
    """A catalog as it was read; `skipped` says in sentences what was left out and why."""

    participant_id: str
    id: str
    datasets: list[CatalogDataset]
    endpoint_url: str | None
    skipped: list[str]


def catalog(participant: str, service_url: str, entries: Iterable[bytes], id: str) -> bytes:  # noqa: A002 - its `@id`
    """Return the catalog of `participant` with the given entries, each the JSON of a `dataset_entry`.

    Args:
        participant: id of the participant whose catalog it is.
        service_url: where the protocol's endpoints hang.
        entries: the datasets; without any the key is left out, since the schema knows no empty array.
        id: of the catalog, an IRI that stays the same.
    """
    head = {"@context": [CONTEXT], "@id": id, "@type": "Catalog", "participantId": participant}
    written = wire.write({**head, "service": [service(service_url)]})
    datasets = b",".join(entries)
    return written[:-1] + b',"dataset":[' + datasets + b"]}" if datasets else written


def dataset_document(entry: bytes) -> bytes:
    """Return an entry as a document of its own, the answer to `GET /catalog/datasets/{id}`."""
    return wire.write({"@context": [CONTEXT]})[:-1] + b"," + entry[1:]


def read_catalog(data: bytes, *, limit: int = MAX_BYTES) -> Catalog:
    """Return the catalog in `data`, nested catalogs included.

    Raises:
        InvalidInput: it is no catalog: not JSON, or without id, participant or the protocol's context.
        TooLarge: it has more than `limit` bytes or nests too deep.
    """
    document = _plain(wire.read(data, limit=limit), "Catalog")
    demand(_HEAD, document)
    reader = _Reader(document)
    datasets = list(reader.datasets(document, document["participantId"]))
    return Catalog(
        participant_id=document["participantId"],
        id=document["@id"],
        datasets=datasets,
        endpoint_url=reader.endpoint or next((each.endpoint_url for each in datasets), None),
        skipped=reader.skipped,
    )


def read_dataset(data: bytes) -> CatalogDataset:
    """Return the dataset in `data`, the answer to `GET /catalog/datasets/{id}`.

    Raises:
        InvalidInput: it is no dataset.
    """
    document = _plain(wire.read(data), "Dataset")
    demand(shape({"@context": context}, ("@context",)), document)
    return _Reader(document).dataset(document, "")


def _plain(document: Any, kind: str) -> Any:
    """Return the plain form; bundled contexts beside the protocol's own are understood, unknown ones read over."""
    if linked.is_plain(document, [kind]) and not (set(document["@context"]) - _OWN) & set(rdf.contexts()):
        return document
    return linked.plain(document, [kind])


class _Reader:
    """Reads the datasets of one document, and notes what it has to leave out."""

    def __init__(self, document: Mapping[str, Any]) -> None:
        self.services = {each["@id"]: each["endpointURL"] for each in _services(document)}
        self.endpoint = next(iter(self.services.values()), None)
        self.prefixes = {name: iri for url in document["@context"] for name, iri in _FOREIGN.get(url, {}).items()}
        self.skipped: list[str] = []

    def datasets(self, document: Mapping[str, Any], owner: str) -> Iterator[CatalogDataset]:
        """Yield the datasets of a catalog and the catalogs in it; how deep they lie was checked when it was read."""
        for entry in _many(document.get("dataset")):
            try:
                yield self.dataset(entry, owner)
            except InvalidInput as refusal:
                self.skipped.append(f"Dataset {_name(entry)}: {refusal.message}")
        for inner in _many(document.get("catalog")):
            if isinstance(inner, dict):
                claimed = inner.get("participantId")
                yield from self.datasets(inner, claimed if isinstance(claimed, str) else owner)

    def dataset(self, entry: Any, owner: str) -> CatalogDataset:
        """Return one dataset."""
        demand(_NAMED, entry)
        distributions = [_told_apart(each, self.services) for each in _many(entry.get("distribution"))]
        entry = {**entry, "distribution": list(self._sound(entry, "distribution", DISTRIBUTION, distributions))}
        access = [each["accessService"] for each in entry["distribution"]]
        urls = (self.services.get(each) if isinstance(each, str) else each["endpointURL"] for each in access)
        endpoint = next((url for url in urls if url), self.endpoint)
        subject = _subject(entry["@id"], owner, endpoint)
        return CatalogDataset(
            id=entry["@id"],
            subject=subject,
            participant_id=owner,
            triples=record_of(entry, subject, self.prefixes),
            offers=list(self._sound(entry, "hasPolicy", OFFER, _many(entry.get("hasPolicy")))),
            formats=list(dict.fromkeys(each["format"] for each in entry["distribution"])),
            endpoint_url=endpoint,
        )

    def _sound(self, entry: Mapping[str, Any], key: str, check: Check, values: list[Any]) -> Iterator[dict[str, Any]]:
        for index, value in enumerate(values):
            if fault := next(check(value, f"{key}[{index}]"), None):
                self.skipped.append(f"Dataset {_name(entry)}: {fault.where} {fault.what}.")
            else:
                yield value


def _told_apart(value: Any, services: Collection[str]) -> Any:
    """Return a distribution with the transfer type as its one `format` and our service as its one `accessService`.

    In expanded form transfer type and file format are values of one property, and so are the protocol's data service
    and those of the record. The file format is an IRI; the protocol's service stands in the catalog itself.
    """
    if not isinstance(value, dict):
        return value
    formats, access = _many(value.get("format")), _many(value.get("accessService"))
    if len(formats) > 1:
        own, *others = sorted(formats, key=lambda each: "://" in str(each))
        value = {**value, "format": own, "dct:format": [{"@id": each} for each in others]}
    if len(access) > 1:
        own, *others = sorted(access, key=lambda each: _id(each) not in services)
        value = {**value, "accessService": own, "dcat:accessService": others}
    return value


def _id(value: Any) -> str:
    return str(value.get("@id") if isinstance(value, dict) else value)


def _services(document: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    for entry in _many(document.get("service")):
        if next(DATA_SERVICE(entry, "$"), None) is None:
            yield entry
    for inner in _many(document.get("catalog")):
        if isinstance(inner, dict):
            yield from _services(inner)


def _name(entry: Any) -> str:
    return str(entry.get("@id", "without id"))[:200] if isinstance(entry, dict) else "that is not an object"


def _subject(name: str, owner: str, endpoint: str | None) -> str:
    """Return an IRI for a dataset: its id where that is one, else the address that the protocol gives it."""
    place = f"{endpoint.rstrip('/')}/catalog/datasets/" if endpoint else f"{rdf.GD}dataset:{quote(owner, safe='')}:"
    return iri_of(name) or place + quote(name, safe="")


def _many(value: Any) -> list[Any]:
    """Return a list of the values of a key, which JSON-LD lets stand alone when there is one."""
    if value is None:
        return []
    return value if isinstance(value, list) else [value]
